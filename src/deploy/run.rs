//! Carries out a plan: the ready steps at the same time, waits, cancellation, outcomes, record.

use super::act::{Sender, stuck};
use super::lock::{self, Lock};
use super::prepare::{Prepared, namespace_ref};
use super::watches::{Place, Sight, Watches};
use super::{Error, cause, store};
use crate::cluster::{Cluster, Observed, Selector};
use crate::diff::{Change, Masker, Op};
use crate::event::{Actuation, Event, Reconcile, Sink};
use crate::inventory::{Deploy, DeployResult, GroupKind, Member, Origin, PART_OF};
use crate::object::managed_fields::MANAGER;
use crate::object::{Object, ObjectRef, fingerprint};
use crate::plan::{Phase, Progress, Wait, hook};
use crate::status::{self, State};
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often waits are looked at beside the watches.
const TICK: Duration = Duration::from_secs(1);
/// How often the pods of a workload that is not ready are looked at.
const PODS_EVERY: Duration = Duration::from_secs(3);
/// How many objects that did not become ready are explained in full.
const EXPLAINED: usize = 5;

/// How to carry out a plan.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether to wait for objects to become ready, or gone.
    pub wait: bool,
    /// How long all waits together may take.
    pub wait_timeout: Duration,
    /// How many writes run at the same time.
    pub concurrency: usize,
    /// Whether to exclude other deploys of the app.
    pub lock: bool,
    /// How long to wait for a living holder of the lock.
    pub lock_wait: Duration,
    /// Where the deploy comes from, for the record.
    pub origin: Origin,
    /// The time now, for the record.
    pub started: Timestamp,
}

impl Options {
    /// The usual settings.
    #[must_use]
    pub fn new(started: Timestamp) -> Self {
        Self {
            wait: true,
            wait_timeout: Duration::from_secs(15 * 60),
            concurrency: 16,
            lock: true,
            lock_wait: Duration::ZERO,
            origin: Origin::default(),
            started,
        }
    }
}

/// How one change ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The object.
    pub target: ObjectRef,
    /// What was to be done.
    pub op: Op,
    /// How sending it ended.
    pub actuation: Actuation,
    /// How waiting for it ended.
    pub reconcile: Reconcile,
    /// Why it failed or was skipped; empty when it went well.
    pub reason: String,
}

/// How a run ended.
#[derive(Debug)]
pub struct Report {
    /// How it ended as a whole.
    pub result: DeployResult,
    /// Its revision; `None` when nothing was recorded.
    pub revision: Option<u64>,
    /// The outcome of each step, in order of the plan.
    pub outcomes: Vec<Outcome>,
    /// The first error that is more than one object's: a stale plan, a lost lock.
    pub stopped_by: Option<Error>,
}

impl Report {
    /// Whether everything was sent but something did not become ready.
    #[must_use]
    pub fn is_not_ready(&self) -> bool {
        let failed =
            |outcome: &Outcome| matches!(outcome.reconcile, Reconcile::Failed | Reconcile::Timeout);
        self.stopped_by.is_none()
            && self.outcomes.iter().any(failed)
            && self
                .outcomes
                .iter()
                .all(|outcome| outcome.actuation != Actuation::Failed)
    }
}

/// Carries out a plan.
///
/// Cancelling finishes the requests in flight, skips the rest and still records.
///
/// # Errors
/// What stops a run before its first change. Whatever happens later is in the report.
pub async fn run(
    cluster: &Cluster,
    prepared: &Prepared,
    options: &Options,
    masker: &Masker,
    sink: &mut dyn Sink,
    cancel: &CancellationToken,
) -> Result<Report, Error> {
    let writes = prepared.writes();
    let begun = Instant::now();
    let mut parent = prepared.parent.clone();
    let mut lock = None;
    if writes {
        lock = begin(cluster, prepared, options, sink).await?;
        let opened = open(cluster, prepared, options, &mut parent).await;
        if let Err(error) = opened {
            if let Some(lock) = lock {
                lock.release().await;
            }
            return Err(error);
        }
    }
    let mut runner = Runner::new(cluster, prepared, options, masker, sink, lock.as_ref());
    runner.run(cancel).await;
    let (outcomes, after, stopped_by, complete) = runner.finish();
    let result = result(&outcomes, complete && stopped_by.is_none(), cancel);
    let mut report = Report {
        result,
        revision: None,
        outcomes,
        stopped_by,
    };
    if writes {
        report.revision = parent.record.last().map(|deploy| deploy.revision);
        let ended = options.started + SignedDuration::try_from(begun.elapsed()).unwrap_or_default();
        let closed = close(
            cluster,
            prepared,
            &mut parent,
            &report,
            &after,
            ended,
            lock.as_ref(),
        )
        .await;
        if let Some(lock) = lock {
            lock.release().await;
        }
        if let Err(error) = closed
            && report.stopped_by.is_none()
        {
            report.stopped_by = Some(error);
            report.result = DeployResult::Failed;
        }
    }
    Ok(report)
}

/// Makes the namespace of the record when this run is to make it, and takes the lock.
async fn begin(
    cluster: &Cluster,
    prepared: &Prepared,
    options: &Options,
    sink: &mut dyn Sink,
) -> Result<Option<Lock>, Error> {
    let namespace = namespace_ref(prepared.app.record_namespace());
    if !prepared.parent.exists() {
        let planned = prepared
            .changes()
            .find(|change| change.target == namespace && change.op == Op::Create);
        let own = planned.and_then(|change| change.desired.clone());
        let bare = prepared
            .create_namespace
            .then(|| bare_namespace(&namespace.name))
            .flatten();
        if let Some(object) = own.or(bare) {
            let kind = cluster.kind(&object.gvk(), Duration::ZERO).await?;
            match cluster.apply(&kind, &object, prepared.force).await {
                // A namespace that nobody asked to change may be there and not ours to apply.
                Err(error) if matches!(error, crate::cluster::Error::Forbidden { .. }) => {
                    tracing::debug!(%error, "namespace not applied");
                }
                other => drop(other?),
            }
        }
    }
    if !options.lock {
        return Ok(None);
    }
    let taken = lock::acquire(
        cluster,
        &prepared.app,
        &options.origin,
        options.started,
        options.lock_wait,
        sink,
    );
    Ok(Some(taken.await?))
}

fn bare_namespace(name: &str) -> Option<Object> {
    Object::new(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
}

/// Writes down what is about to happen, before anything does: the set is widened to all that will
/// be in it, so that nothing is ever lost.
async fn open(
    cluster: &Cluster,
    prepared: &Prepared,
    options: &Options,
    parent: &mut crate::inventory::Parent,
) -> Result<(), Error> {
    let live = store::read(cluster, &prepared.app).await?;
    let version = live.map(|live| live.resource_version).unwrap_or_default();
    if version != parent.resource_version {
        return Err(Error::Overtaken {
            app: prepared.app.name.clone(),
        });
    }
    for step in &prepared.plan.steps {
        parent.widen(&step.change.target);
    }
    parent.record.push(Deploy {
        revision: parent.record.next_revision(),
        result: DeployResult::Running,
        started: options.started,
        finished: None,
        origin: options.origin.clone(),
        summary: summary(prepared),
    });
    store::write(cluster, parent).await
}

fn summary(prepared: &Prepared) -> String {
    let mut counts: BTreeMap<Op, usize> = BTreeMap::new();
    for change in prepared.changes() {
        *counts.entry(change.op).or_default() += 1;
    }
    let each = counts
        .iter()
        .map(|(op, count)| format!("{count} {}", word(*op)));
    each.collect::<Vec<_>>().join(", ")
}

/// The word for an op in events and records.
fn word(op: Op) -> &'static str {
    match op {
        Op::Create => "create",
        Op::Update => "update",
        Op::Replace => "replace",
        Op::Delete => "delete",
        Op::Exists => "exists",
        Op::Keep => "keep",
        Op::Noop => "noop",
    }
}

fn result(outcomes: &[Outcome], complete: bool, cancel: &CancellationToken) -> DeployResult {
    let failed = |outcome: &Outcome| {
        matches!(outcome.actuation, Actuation::Failed | Actuation::Skipped)
            || matches!(outcome.reconcile, Reconcile::Failed | Reconcile::Timeout)
    };
    if complete && !outcomes.iter().any(failed) {
        DeployResult::Succeeded
    } else if cancel.is_cancelled() {
        DeployResult::Interrupted
    } else {
        DeployResult::Failed
    }
}

/// Records how it ended. After a success the set is narrowed to what is in it; an app that is gone
/// loses its record.
async fn close(
    cluster: &Cluster,
    prepared: &Prepared,
    parent: &mut crate::inventory::Parent,
    report: &Report,
    after: &[Option<Object>],
    ended: Timestamp,
    lock: Option<&Lock>,
) -> Result<(), Error> {
    if let Some(lock) = lock {
        lock.check().await?;
    }
    let succeeded = report.result == DeployResult::Succeeded;
    if succeeded {
        after_hooks(cluster, prepared, after).await;
    }
    if succeeded && prepared.phase == Phase::Delete {
        return store::remove(cluster, parent).await;
    }
    parent.record.objects = members(prepared, parent, report, after);
    if succeeded {
        parent.kinds.clear();
        parent.namespaces.clear();
        let members: Vec<ObjectRef> = parent
            .record
            .objects
            .iter()
            .map(|member| member.object.clone())
            .collect();
        members.iter().for_each(|member| parent.widen(member));
    }
    if let Some(deploy) = parent.record.history.last_mut() {
        deploy.result = report.result;
        deploy.finished = Some(ended);
    }
    match store::write(cluster, parent).await {
        // An app that deletes its own namespace takes its record with it.
        Err(Error::Cluster(error)) if error.is_not_found() && prepared.phase == Phase::Delete => {
            Ok(())
        }
        other => other,
    }
}

/// What the app consists of now, with the fingerprints of what was applied to the end.
fn members(
    prepared: &Prepared,
    parent: &crate::inventory::Parent,
    report: &Report,
    after: &[Option<Object>],
) -> Vec<Member> {
    let kept = parent.record.fingerprints();
    let mut members = BTreeMap::new();
    for target in &prepared.unpruned {
        members.insert(target.clone(), None);
    }
    for ((step, outcome), after) in prepared.plan.steps.iter().zip(&report.outcomes).zip(after) {
        let change = &step.change;
        let sent = outcome.actuation == Actuation::Succeeded;
        let gone = match change.op {
            Op::Delete => outcome.reconcile == Reconcile::Succeeded,
            Op::Keep => sent,
            Op::Exists => true,
            _ => change
                .desired
                .as_ref()
                .is_none_or(|desired| desired.label(PART_OF).is_none()),
        };
        if gone {
            continue;
        }
        let print = match (&change.desired, after) {
            (Some(desired), Some(after)) if sent => {
                Some(fingerprint(parent.record.key(), desired, after, MANAGER))
            }
            _ => kept.get(&change.target).map(|print| (*print).clone()),
        };
        members.insert(change.target.clone(), print);
    }
    members
        .into_iter()
        .map(|(object, fingerprint)| Member {
            object,
            fingerprint,
        })
        .collect()
}

/// Deletes hooks that are to go once they succeeded. One that cannot be deleted goes before its
/// next run.
async fn after_hooks(cluster: &Cluster, prepared: &Prepared, after: &[Option<Object>]) {
    for (step, after) in prepared.plan.steps.iter().zip(after) {
        let (Some(desired), Some(after)) = (&step.change.desired, after) else {
            continue;
        };
        let goes = hook::of(desired)
            .is_some_and(|hook| hook.delete.contains(&hook::DeletePolicy::HookSucceeded));
        if goes && let Err(error) = cluster.delete(&step.change.target, after.uid(), None).await {
            tracing::debug!(%error, "hook not deleted");
        }
    }
}

/// A wait for one step.
struct Waiting {
    since: Instant,
    message: String,
    /// The uid of the object that must go; empty when it must become ready.
    leaving: String,
    live: Option<Object>,
    pods_seen: Instant,
    /// Since when a pod is in trouble that does not heal.
    doomed: Option<Instant>,
}

type Sent = (usize, Result<Option<Object>, Error>);

struct Runner<'a> {
    cluster: &'a Cluster,
    prepared: &'a Prepared,
    options: &'a Options,
    masker: &'a Masker,
    sink: &'a mut dyn Sink,
    lock: Option<&'a Lock>,
    progress: Progress,
    queue: VecDeque<usize>,
    flying: FuturesUnordered<BoxFuture<'a, Sent>>,
    waiting: BTreeMap<usize, Waiting>,
    watches: Watches,
    outcomes: Vec<Outcome>,
    after: Vec<Option<Object>>,
    stopped_by: Option<Error>,
    stopping: bool,
    deadline: Instant,
}

impl<'a> Runner<'a> {
    fn new(
        cluster: &'a Cluster,
        prepared: &'a Prepared,
        options: &'a Options,
        masker: &'a Masker,
        sink: &'a mut dyn Sink,
        lock: Option<&'a Lock>,
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
            watches: Watches::new(cluster),
            outcomes: steps.iter().map(|step| outcome(&step.change)).collect(),
            after: steps.iter().map(|_| None).collect(),
            stopped_by: None,
            stopping: false,
            deadline: Instant::now() + options.wait_timeout,
        }
    }

    /// The loop: begin what may begin, then take whatever happens first.
    async fn run(&mut self, cancel: &CancellationToken) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            self.launch().await;
            if self.flying.is_empty() && (self.waiting.is_empty() || self.stopping) {
                return;
            }
            tokio::select! {
                () = cancel.cancelled(), if !self.stopping => self.stop(),
                Some((step, sent)) = self.flying.next(), if !self.flying.is_empty() => {
                    self.sent(step, sent).await;
                }
                sight = self.watches.next(), if !self.waiting.is_empty() => self.see(sight).await,
                _ = tick.tick() => self.tick().await,
            }
        }
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
                self.stop();
                return;
            }
            let change = &self.prepared.plan.steps[step].change;
            if change.op != Op::Noop {
                let op = word(change.op).to_owned();
                self.sink.emit(Event::StepStarted {
                    object: change.target.clone(),
                    op,
                });
            }
            let sender = Sender {
                cluster: self.cluster,
                masker: self.masker,
                force: self.prepared.force,
                patience: self.options.wait_timeout,
            };
            self.flying
                .push(Box::pin(async move { (step, sender.send(change).await) }));
        }
    }

    /// No new steps from here on.
    fn stop(&mut self) {
        self.stopping = true;
        self.queue.clear();
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
        if change.op != Op::Noop {
            let (object, op) = (change.target.clone(), word(change.op).to_owned());
            self.sink.emit(Event::StepFinished {
                object,
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
                if matches!(error, Error::Stale { .. } | Error::LockLost { .. }) {
                    self.stopped_by.get_or_insert(error);
                }
                self.fail(step);
            }
        }
    }

    /// Everything that needs this step is skipped, and nothing new begins.
    fn fail(&mut self, step: usize) {
        let cause = self.outcomes[step].target.clone();
        for skipped in self.progress.failed(step) {
            let outcome = &mut self.outcomes[skipped.step];
            outcome.actuation = Actuation::Skipped;
            outcome.reconcile = Reconcile::Skipped;
            outcome.reason = format!("needs {cause}");
        }
        self.stop();
    }

    /// The wait for a step is over, or there is none.
    fn done(&mut self, step: usize, reconcile: Reconcile) {
        self.outcomes[step].reconcile = reconcile;
        if let Some(waiting) = self.waiting.remove(&step) {
            let object = self.outcomes[step].target.clone();
            let seconds = waiting.since.elapsed().as_secs();
            self.sink.emit(Event::WaitFinished {
                object,
                reconcile,
                reason: String::new(),
                seconds,
            });
        }
        let ready = self.progress.done(step);
        self.queue.extend(ready);
    }

    async fn begin_wait(&mut self, step: usize, object: Option<Object>) {
        let planned = &self.prepared.plan.steps[step];
        let wait = if self.options.wait {
            planned.wait
        } else {
            Wait::None
        };
        let leaving = match wait {
            Wait::None => return self.done(step, Reconcile::Skipped),
            Wait::Reconcile => String::new(),
            Wait::Delete => planned
                .change
                .live
                .as_ref()
                .map(|live| live.uid().to_owned())
                .unwrap_or_default(),
        };
        let status = object.as_ref().map(status::of);
        if leaving.is_empty()
            && status
                .as_ref()
                .is_some_and(|status| status.state == State::Current)
        {
            return self.done(step, Reconcile::Succeeded);
        }
        let now = Instant::now();
        let message = status.map(|status| status.message).unwrap_or_default();
        let live = object.or_else(|| planned.change.live.clone());
        let target = planned.change.target.clone();
        let waiting = Waiting {
            since: now,
            message: message.clone(),
            leaving,
            live,
            pods_seen: now,
            doomed: None,
        };
        self.waiting.insert(step, waiting);
        self.sink.emit(Event::WaitProgress {
            object: target.clone(),
            message,
            seconds: 0,
        });
        match self.cluster.kind_of(&target).await {
            Ok(kind) => {
                let selector = self.selector(&planned.change);
                self.watches
                    .follow(&kind, target.namespace.as_deref(), selector);
            }
            Err(error) => self.give_up(step, Reconcile::Failed, error.to_string()),
        }
    }

    /// Objects that are not in the set (they must be there, and are somebody else's) are followed
    /// with the whole collection.
    fn selector(&self, change: &Change) -> Selector {
        match change.op {
            Op::Exists => Selector::default(),
            _ => Selector::label(PART_OF, &self.prepared.parent.id()),
        }
    }

    /// A watch saw something, or cannot see.
    async fn see(&mut self, sight: Sight) {
        match sight.observed {
            Ok(Observed::All(objects)) => {
                for step in self.waiting_at(&sight.place) {
                    let target = &self.outcomes[step].target;
                    let found = objects.iter().find(|object| object.reference() == *target);
                    self.judge(step, found.cloned()).await;
                }
            }
            Ok(Observed::Changed(object)) => {
                if let Some(step) = self.waiting_for(&object.reference()) {
                    self.judge(step, Some(object)).await;
                }
            }
            Ok(Observed::Gone(object)) => {
                if let Some(step) = self.waiting_for(&object.reference()) {
                    self.judge(step, None).await;
                }
            }
            Err(error) => {
                for step in self.waiting_at(&sight.place) {
                    // Whoever may not list may still read.
                    match self.cluster.get(&self.outcomes[step].target.clone()).await {
                        Ok(found) => self.judge(step, found).await,
                        Err(_) => self.give_up(step, Reconcile::Failed, error.to_string()),
                    }
                }
            }
        }
    }

    fn waiting_at(&self, place: &Place) -> Vec<usize> {
        let at = |step: &&usize| {
            let target = &self.outcomes[**step].target;
            (GroupKind::of(target), target.namespace.clone()) == *place
        };
        self.waiting.keys().filter(at).copied().collect()
    }

    fn waiting_for(&self, target: &ObjectRef) -> Option<usize> {
        self.waiting
            .keys()
            .copied()
            .find(|step| self.outcomes[*step].target == *target)
    }

    /// Looks at a new state of an object that is waited for.
    async fn judge(&mut self, step: usize, found: Option<Object>) {
        let Some(waiting) = self.waiting.get_mut(&step) else {
            return;
        };
        if !waiting.leaving.is_empty() {
            match found {
                Some(found) if found.uid() == waiting.leaving => {
                    let message = stuck(&found);
                    waiting.live = Some(found);
                    self.note(step, message);
                }
                _ => self.done(step, Reconcile::Succeeded),
            }
            return;
        }
        let Some(found) = found else {
            // A finished Job may clean up after itself; anything else was taken away.
            let completed = waiting
                .live
                .as_ref()
                .is_some_and(|live| live.kind() == "Job");
            if completed {
                self.done(step, Reconcile::Succeeded);
            } else {
                self.give_up(
                    step,
                    Reconcile::Failed,
                    "it was deleted while it was waited for".to_owned(),
                );
            }
            return;
        };
        let status = status::of(&found);
        waiting.live = Some(found.clone());
        match status.state {
            State::Current => {
                self.after[step] = Some(found);
                self.done(step, Reconcile::Succeeded);
            }
            State::Failed => {
                let pods = cause::pods_of(self.cluster, &found).await;
                let reason =
                    cause::explain(self.cluster, &found, &status.message, &pods, self.masker).await;
                self.give_up(step, Reconcile::Failed, reason);
            }
            _ => self.note(step, status.message),
        }
    }

    fn note(&mut self, step: usize, message: String) {
        let Some(waiting) = self.waiting.get_mut(&step) else {
            return;
        };
        if waiting.message != message {
            waiting.message.clone_from(&message);
            let object = self.outcomes[step].target.clone();
            let seconds = waiting.since.elapsed().as_secs();
            self.sink.emit(Event::WaitProgress {
                object,
                message,
                seconds,
            });
        }
    }

    /// An object will not become ready, or not in time.
    fn give_up(&mut self, step: usize, reconcile: Reconcile, reason: String) {
        let Some(waiting) = self.waiting.remove(&step) else {
            return;
        };
        let outcome = &mut self.outcomes[step];
        outcome.reconcile = reconcile;
        outcome.reason.clone_from(&reason);
        let object = outcome.target.clone();
        let seconds = waiting.since.elapsed().as_secs();
        self.sink.emit(Event::WaitFinished {
            object,
            reconcile,
            reason,
            seconds,
        });
        self.fail(step);
    }

    /// Looks at what watches of the objects themselves do not show: time, and their pods.
    async fn tick(&mut self) {
        if Instant::now() >= self.deadline {
            return self.time_out().await;
        }
        let due: Vec<usize> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| {
                waiting.pods_seen.elapsed() >= PODS_EVERY && waiting.leaving.is_empty()
            })
            .map(|(step, _)| *step)
            .collect();
        for step in due {
            self.look_at_pods(step).await;
        }
    }

    /// Ends the wait for a workload whose pods cannot become ready.
    async fn look_at_pods(&mut self, step: usize) {
        let Some(waiting) = self.waiting.get_mut(&step) else {
            return;
        };
        waiting.pods_seen = Instant::now();
        let Some(live) = waiting.live.clone() else {
            return;
        };
        let pods = match live.kind() {
            "Pod" => vec![live.clone()],
            _ if cause::makes_pods(&live.gvk()) => cause::pods_of(self.cluster, &live).await,
            _ => return,
        };
        let Some((_, status)) = cause::worst(&pods) else {
            return;
        };
        let Some(waiting) = self.waiting.get_mut(&step) else {
            return;
        };
        let Some(doom) = status.doomed else {
            waiting.doomed = None;
            return;
        };
        let since = *waiting.doomed.get_or_insert_with(Instant::now);
        if cause::grace(doom).is_some_and(|grace| since.elapsed() >= grace) {
            let message = waiting.message.clone();
            let reason = cause::explain(self.cluster, &live, &message, &pods, self.masker).await;
            self.give_up(step, Reconcile::Failed, reason);
        }
    }

    async fn time_out(&mut self) {
        let late: Vec<usize> = self.waiting.keys().copied().collect();
        for (index, step) in late.into_iter().enumerate() {
            let Some(waiting) = self.waiting.get(&step) else {
                continue;
            };
            let seconds = self.options.wait_timeout.as_secs();
            let mut reason = format!("not ready after {seconds} s: {}", waiting.message);
            if let (Some(live), true) = (waiting.live.clone(), index < EXPLAINED) {
                let pods = if cause::makes_pods(&live.gvk()) {
                    cause::pods_of(self.cluster, &live).await
                } else {
                    Vec::new()
                };
                reason = cause::explain(self.cluster, &live, &reason, &pods, self.masker).await;
            }
            self.give_up(step, Reconcile::Timeout, reason);
        }
    }

    /// The outcomes; whatever was not begun or not waited for to the end is skipped, and then the
    /// run is not complete.
    fn finish(mut self) -> (Vec<Outcome>, Vec<Option<Object>>, Option<Error>, bool) {
        let mut complete = true;
        for outcome in &mut self.outcomes {
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
                }
            }
        }
        (self.outcomes, self.after, self.stopped_by, complete)
    }
}
