//! Carries out a plan from the lock to the record.

use super::lock::{self, Lock};
use super::prepare::{Prepared, namespace_ref};
use super::runner::Runner;
use super::{Error, Graces, record, rights};
use crate::cluster::Cluster;
use crate::diff::{Change, Masker, Op};
use crate::event::{Actuation, Event, Reconcile, Sink};
use crate::inventory::{DeployResult, Origin};
use crate::object::{Object, ObjectRef};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How much longer than requests in flight the record of a cancelled run may take.
const CLOSE_GRACE: Duration = Duration::from_millis(400);

/// How to carry out a plan.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether to wait for objects to become ready, or gone.
    pub wait: bool,
    /// How long all waits together may take.
    pub wait_timeout: Duration,
    /// How long the wait for one object may take; as long as all together without it.
    pub object_timeout: Option<Duration>,
    /// How long each kind of trouble is borne.
    pub graces: Graces,
    /// Whether the first failure ends the run. Otherwise what does not depend on it goes on.
    pub exit_early: bool,
    /// Whether the logs of all new pods are told.
    pub logs: bool,
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
            object_timeout: None,
            graces: Graces::default(),
            exit_early: true,
            logs: false,
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
    if let Some(obstacle) = prepared.obstacle() {
        return Err(obstacle);
    }
    let immutable = prepared.immutable();
    if !immutable.is_empty() {
        return Err(Error::Immutable(immutable));
    }
    let writes = prepared.writes();
    let begun = Instant::now();
    let mut parent = prepared.parent.clone();
    let mut lock = None;
    if writes {
        lock = tokio::select! {
            lock = begin(cluster, prepared, options, sink) => lock?,
            () = cancel.cancelled() => return Ok(untouched(prepared)),
        };
        let opened = record::open(cluster, prepared, options, &mut parent).await;
        if let Err(error) = opened {
            if let Some(lock) = lock {
                lock.release().await;
            }
            return Err(error);
        }
    }
    let lock_ref = lock.as_ref();
    let mut runner = Runner::new(cluster, prepared, options, masker, sink, lock_ref, cancel);
    runner.run().await;
    let give_up_at = runner.give_up_at.filter(|_| cancel.is_cancelled());
    let (outcomes, after, stopped_by, complete) = runner.finish();
    let result = result(&outcomes, complete && stopped_by.is_none(), cancel);
    let mut report = Report {
        result,
        revision: None,
        outcomes,
        stopped_by,
    };
    if !writes {
        record::remember(cluster, prepared).await;
    } else {
        report.revision = parent.record.last().map(|deploy| deploy.revision);
        let ended = options.started + SignedDuration::try_from(begun.elapsed()).unwrap_or_default();
        let closing = async {
            let closed = record::close(
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
            closed
        };
        match in_time(closing, give_up_at).await {
            None => sink.emit(Event::Warning {
                message: "the record could not be written in time: it says what was begun"
                    .to_owned(),
            }),
            Some(Err(error)) if report.stopped_by.is_none() => {
                report.stopped_by = Some(error);
                report.result = DeployResult::Failed;
            }
            Some(_) => {}
        }
    }
    Ok(report)
}

/// The end of some work; when a run was cancelled, only if it comes soon after requests in flight
/// are given up.
async fn in_time<T>(work: impl Future<Output = T>, give_up_at: Option<Instant>) -> Option<T> {
    match give_up_at {
        None => Some(work.await),
        Some(at) => {
            let end = at.max(Instant::now()) + CLOSE_GRACE;
            tokio::time::timeout_at(end, work).await.ok()
        }
    }
}

/// The report of a run that was cancelled before it had the lock.
fn untouched(prepared: &Prepared) -> Report {
    let outcome = |change: &Change| Outcome {
        target: change.target.clone(),
        op: change.op,
        actuation: Actuation::Skipped,
        reconcile: Reconcile::Skipped,
        reason: "the run was stopped before".to_owned(),
    };
    Report {
        result: DeployResult::Interrupted,
        revision: None,
        outcomes: prepared
            .plan
            .steps
            .iter()
            .map(|step| outcome(&step.change))
            .collect(),
        stopped_by: None,
    }
}

/// Makes sure that the user may do all this, makes the namespace of the record when this run is to make it, and takes the lock.
async fn begin(
    cluster: &Cluster,
    prepared: &Prepared,
    options: &Options,
    sink: &mut dyn Sink,
) -> Result<Option<Lock>, Error> {
    rights::check(cluster, prepared, options, sink).await?;
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
