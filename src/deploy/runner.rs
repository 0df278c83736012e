//! The loop that carries a plan out: begin what may begin, take whatever happens first.

use super::Error;
use super::act::Sender;
use super::beside::Seen;
use super::lock::{self, Lock};
use super::logs::Logs;
use super::prepare::Prepared;
use super::run::{Options, Outcome};
use super::wait::{Explained, Waiting};
use super::watches::{Place, Watches};
use crate::cluster::Cluster;
use crate::diff::{Change, Masker, Op};
use crate::event::{Actuation, Event, Reconcile, Sink};
use crate::object::{Object, ObjectRef};
use crate::plan::Progress;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;
use tokio::time::{Instant, Interval};
use tokio_util::sync::CancellationToken;

/// How often waits are looked at beside the watches.
const TICK: Duration = Duration::from_secs(1);
/// How long requests in flight may take once a run was cancelled, and once it failed.
const CANCEL_GRACE: Duration = Duration::from_millis(1500);
const FAIL_GRACE: Duration = Duration::from_secs(30);

type Sent = (usize, Result<Option<Object>, Error>);

pub(super) struct Runner<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) prepared: &'a Prepared,
    pub(super) options: &'a Options,
    pub(super) masker: &'a Masker,
    pub(super) sink: &'a mut dyn Sink,
    pub(super) lock: Option<&'a Lock>,
    pub(super) progress: Progress,
    pub(super) queue: VecDeque<usize>,
    pub(super) flying: FuturesUnordered<BoxFuture<'a, Sent>>,
    pub(super) waiting: BTreeMap<usize, Waiting>,
    /// The waits that ended badly and are not told yet: why is being found out.
    pub(super) explaining: FuturesUnordered<BoxFuture<'a, Explained>>,
    /// Asks the run to stop.
    pub(super) cancel: CancellationToken,
    /// The collections that a watch has listed, and what is in them now.
    pub(super) listed: BTreeSet<Place>,
    pub(super) seen: BTreeMap<ObjectRef, Object>,
    pub(super) watches: Watches,
    /// What is seen beside the objects themselves.
    pub(super) beside: Seen,
    pub(super) logs: Logs,
    /// When something was last told of a wait.
    pub(super) last_news: Instant,
    /// Whether it was told before that something is still waited for.
    pub(super) still_waiting: bool,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) after: Vec<Option<Object>>,
    pub(super) stopped_by: Option<Error>,
    pub(super) stopping: bool,
    /// When requests in flight are given up, once the run is stopping.
    pub(super) give_up_at: Option<Instant>,
    pub(super) deadline: Instant,
}

impl<'a> Runner<'a> {
    pub(super) fn new(
        cluster: &'a Cluster,
        prepared: &'a Prepared,
        options: &'a Options,
        masker: &'a Masker,
        sink: &'a mut dyn Sink,
        lock: Option<&'a Lock>,
        cancel: &CancellationToken,
    ) -> Self {
        let steps = &prepared.plan.steps;
        let outcome = |change: &Change| Outcome {
            target: change.target.clone(),
            op: change.op,
            actuation: Actuation::Pending,
            reconcile: Reconcile::Pending,
            reason: String::new(),
        };
        let mut progress = Progress::new(&prepared.plan);
        let queue = progress.start().into();
        Self {
            cluster,
            prepared,
            options,
            masker,
            sink,
            lock,
            progress,
            queue,
            flying: FuturesUnordered::new(),
            waiting: BTreeMap::new(),
            explaining: FuturesUnordered::new(),
            cancel: cancel.clone(),
            listed: BTreeSet::new(),
            seen: BTreeMap::new(),
            watches: Watches::new(cluster),
            beside: Seen::new(),
            logs: Logs::new(cluster, options),
            last_news: Instant::now(),
            still_waiting: false,
            outcomes: steps.iter().map(|step| outcome(&step.change)).collect(),
            after: steps.iter().map(|_| None).collect(),
            stopped_by: None,
            stopping: false,
            give_up_at: None,
            deadline: Instant::now() + options.wait_timeout,
        }
    }

    /// The loop: begin what may begin, then take whatever happens first. Whatever is being done, a stop
    /// is heard at once.
    pub(super) async fn run(&mut self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let cancel = self.cancel.clone();
        let mut cancelled = false;
        loop {
            let give_up_at = self.give_up_at;
            tokio::select! {
                biased;
                () = cancel.cancelled(), if !cancelled => {
                    cancelled = true;
                    self.stop(CANCEL_GRACE);
                }
                () = until(give_up_at) => return,
                is_over = self.turn(&mut tick) => if is_over { return },
            }
        }
    }

    /// One turn of the loop; tells whether it was the last. Dropped where it waits when the run is to
    /// stop: then nothing is looked at any more, and what was sent is in the outcomes already.
    async fn turn(&mut self, tick: &mut Interval) -> bool {
        self.launch().await;
        let is_idle = self.flying.is_empty() && self.explaining.is_empty();
        if is_idle && (self.waiting.is_empty() || self.stopping) {
            let stopped = self.stopping;
            let (sink, masker) = (&mut *self.sink, self.masker);
            self.logs.finish(self.cluster, stopped, sink, masker).await;
            return true;
        }
        tokio::select! {
            Some((step, sent)) = self.flying.next(), if !self.flying.is_empty() => {
                self.sent(step, sent).await;
            }
            Some(why) = self.explaining.next(), if !self.explaining.is_empty() => {
                self.explained(why);
            }
            sight = self.watches.next(), if !self.waiting.is_empty() => self.see(sight).await,
            line = self.logs.next() => line.emit(self.sink, self.masker),
            _ = tick.tick() => self.tick().await,
        }
        false
    }

    /// Begins what may begin, as long as the lock is ours.
    async fn launch(&mut self) {
        while self.flying.len() < self.options.concurrency.max(1) {
            let Some(step) = self.queue.pop_front() else {
                return;
            };
            if self.stopping {
                continue;
            }
            if let Some(lock) = self.lock
                && let Err(error) = lock.check().await
            {
                self.stopped_by.get_or_insert(error);
                self.stop(FAIL_GRACE);
                return;
            }
            let change = &self.prepared.plan.steps[step].change;
            if change.op != Op::Noop {
                let op = change.op.word().to_owned();
                self.sink.emit(Event::StepStarted {
                    object: change.target.clone(),
                    op,
                });
            }
            let sender = Sender {
                cluster: self.cluster,
                masker: self.masker,
                force: self.prepared.force || self.prepared.forced.contains(&change.target),
                prepared: self.prepared,
                patience: self.options.wait_timeout,
            };
            let lock = self.lock;
            self.flying.push(Box::pin(async move {
                (step, lock::fenced(lock, sender.send(change)).await)
            }));
        }
    }

    /// No new steps from here on; those in flight have this long to end.
    fn stop(&mut self, grace: Duration) {
        self.stopping = true;
        self.queue.clear();
        let at = Instant::now() + grace;
        self.give_up_at = Some(self.give_up_at.map_or(at, |before| before.min(at)));
    }

    /// The server answered.
    async fn sent(&mut self, step: usize, sent: Result<Option<Object>, Error>) {
        let change = &self.prepared.plan.steps[step].change;
        let (actuation, reason) = match &sent {
            Ok(_) => (Actuation::Succeeded, String::new()),
            Err(error) => (Actuation::Failed, error.to_string()),
        };
        self.outcomes[step].actuation = actuation;
        self.outcomes[step].reason.clone_from(&reason);
        self.last_news = Instant::now();
        if change.op != Op::Noop {
            let (object, op) = (change.target.clone(), change.op.word().to_owned());
            self.sink.emit(Event::StepFinished {
                object,
                source: change.source.clone(),
                op,
                actuation,
                reason,
            });
        }
        match sent {
            Ok(object) => {
                self.after[step].clone_from(&object);
                let ready = self.progress.applied(step);
                self.queue.extend(ready);
                self.begin_wait(step, object).await;
            }
            Err(error) => {
                self.outcomes[step].reconcile = Reconcile::Skipped;
                if matches!(
                    error,
                    Error::Stale { .. } | Error::LockLost { .. } | Error::Contested(_)
                ) {
                    self.stopped_by.get_or_insert(error);
                }
                self.fail(step);
            }
        }
    }

    /// Everything that needs this step is skipped, and nothing new begins unless failures are to be
    /// collected.
    pub(super) fn fail(&mut self, step: usize) {
        let cause = self.outcomes[step].target.clone();
        for skipped in self.progress.failed(step) {
            let outcome = &mut self.outcomes[skipped.step];
            outcome.actuation = Actuation::Skipped;
            outcome.reconcile = Reconcile::Skipped;
            outcome.reason = format!("needs {cause}");
        }
        if self.options.exit_early {
            self.stop(FAIL_GRACE);
        }
    }

    /// The outcomes; whatever was not begun or not waited for to the end is skipped, and then the
    /// run is not complete.
    pub(super) fn finish(mut self) -> (Vec<Outcome>, Vec<Option<Object>>, Option<Error>, bool) {
        let mut complete = true;
        for (step, outcome) in self.outcomes.iter_mut().enumerate() {
            if outcome.actuation == Actuation::Pending {
                complete = false;
                outcome.actuation = Actuation::Skipped;
                "the run was stopped before".clone_into(&mut outcome.reason);
            }
            if outcome.reconcile == Reconcile::Pending {
                complete = false;
                outcome.reconcile = Reconcile::Skipped;
                if outcome.reason.is_empty() {
                    "the run was stopped before it was ready".clone_into(&mut outcome.reason);
                    let last = self.waiting.get(&step).map(|it| it.message.as_str());
                    if let Some(message) = last.filter(|message| !message.is_empty()) {
                        let _ = write!(outcome.reason, ": {message}");
                    }
                }
            }
        }
        self.tell_rest();
        (self.outcomes, self.after, self.stopped_by, complete)
    }

    /// Tells of what was not done, and of what was and is not ready yet.
    fn tell_rest(&mut self) {
        for (outcome, step) in self.outcomes.iter().zip(&self.prepared.plan.steps) {
            let (object, reason) = (outcome.target.clone(), outcome.reason.clone());
            let source = step.change.source.clone();
            if outcome.actuation == Actuation::Skipped && outcome.op != Op::Noop {
                self.sink.emit(Event::StepFinished {
                    object,
                    source,
                    op: outcome.op.word().to_owned(),
                    actuation: Actuation::Skipped,
                    reason,
                });
            } else if outcome.actuation == Actuation::Succeeded
                && outcome.reconcile == Reconcile::Skipped
                && !reason.is_empty()
            {
                self.sink.emit(Event::WaitFinished {
                    object,
                    source,
                    reconcile: Reconcile::Skipped,
                    reason,
                    seconds: 0,
                });
            }
        }
    }
}

/// Ends at that time; never without one.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
