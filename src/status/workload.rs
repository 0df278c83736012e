//! Kinds that keep a number of pods running.

use super::{Doom, State, Status, condition, unobserved};
use crate::object::Object;

/// A Deployment: the newest generation is seen, all replicas are updated, available, and the old
/// ones gone. Fails when its progress deadline is exceeded.
///
/// With `kapp.k14s.io/apps-v1-deployment-wait-minimum-replicas-available` fewer available replicas
/// are enough.
pub(super) fn deployment(object: &Object) -> Status {
    if let Some(status) = unobserved(object) {
        return status;
    }
    if object
        .get(&["spec", "paused"])
        .is_some_and(|paused| paused == true)
    {
        return Status::current("the rollout is paused");
    }
    if let Some(progressing) = condition::find(object, "Progressing")
        && progressing.status == "False"
        && progressing.reason == "ProgressDeadlineExceeded"
    {
        return Status {
            state: State::Failed,
            ..waiting(object, progressing.text())
        };
    }
    let count = |field: &str| object.int(&["status", field]).unwrap_or_default();
    let desired = object.int(&["spec", "replicas"]).unwrap_or(1);
    let (replicas, updated, available) = (
        count("replicas"),
        count("updatedReplicas"),
        count("availableReplicas"),
    );
    if updated < desired {
        return waiting(object, format!("{updated} of {desired} replicas updated"));
    }
    if let Some(minimum) = minimum_available(object, desired)
        && available >= minimum
    {
        return Status::current(format!("{available} of {desired} replicas available"));
    }
    if available < desired {
        return waiting(
            object,
            format!("{available} of {desired} replicas available"),
        );
    }
    if replicas > updated {
        return waiting(
            object,
            format!("old replicas still running: {}", replicas - updated),
        );
    }
    if count("readyReplicas") < desired {
        return waiting(
            object,
            format!("{} of {desired} replicas ready", count("readyReplicas")),
        );
    }
    Status::current(format!("{available} of {desired} replicas available"))
}

/// On the way, with the cause when the pods cannot even be made (quota, admission).
fn waiting(object: &Object, message: String) -> Status {
    match condition::find(object, "ReplicaFailure") {
        Some(failure) if failure.status == "True" => Status {
            doomed: Some(Doom::PodsRefused),
            ..Status::in_progress(format!("{message}; {}", failure.text()))
        },
        _ => Status::in_progress(message),
    }
}

fn minimum_available(object: &Object, desired: i64) -> Option<i64> {
    let text = object
        .annotation("kapp.k14s.io/apps-v1-deployment-wait-minimum-replicas-available")?
        .trim();
    let minimum = match text.strip_suffix('%') {
        Some(percent) => desired.saturating_mul(percent.trim().parse().ok()?) / 100,
        None => text.parse().ok()?,
    };
    Some(minimum.clamp(1, desired.max(1)))
}

/// A StatefulSet: all replicas outside its partition are updated and all are ready; with
/// `OnDelete` nobody but the user updates pods, so it is current as soon as it is seen.
pub(super) fn stateful_set(object: &Object) -> Status {
    if object.text(&["spec", "updateStrategy", "type"]) == "OnDelete" {
        return Status::current("pods are updated when they are deleted");
    }
    if let Some(status) = unobserved(object) {
        return status;
    }
    let count = |field: &str| object.int(&["status", field]).unwrap_or_default();
    let desired = object.int(&["spec", "replicas"]).unwrap_or(1);
    let replicas = count("replicas");
    if replicas < desired {
        return Status::in_progress(format!("{replicas} of {desired} replicas made"));
    }
    let ready = count("readyReplicas");
    if ready < desired {
        return Status::in_progress(format!("{ready} of {desired} replicas ready"));
    }
    if replicas > desired {
        return Status::in_progress(format!("replicas still to go: {}", replicas - desired));
    }
    let partition = object
        .int(&["spec", "updateStrategy", "rollingUpdate", "partition"])
        .unwrap_or_default();
    let (updated, to_update) = (count("updatedReplicas"), (desired - partition).max(0));
    if partition > 0 {
        if updated < to_update {
            return Status::in_progress(format!("{updated} of {to_update} replicas updated"));
        }
        return Status::current(format!("{updated} replicas updated, {partition} kept back"));
    }
    let (now, next) = (
        object.text(&["status", "currentRevision"]),
        object.text(&["status", "updateRevision"]),
    );
    if now != next {
        return Status::in_progress(format!("{updated} of {desired} replicas updated"));
    }
    Status::current(format!("{ready} of {desired} replicas ready"))
}

/// A DaemonSet: every node that should have an updated, available pod has one.
pub(super) fn daemon_set(object: &Object) -> Status {
    if let Some(status) = unobserved(object) {
        return status;
    }
    let count = |field: &str| object.int(&["status", field]).unwrap_or_default();
    let desired = count("desiredNumberScheduled");
    if object.text(&["spec", "updateStrategy", "type"]) == "OnDelete" {
        return Status::current("pods are updated when they are deleted");
    }
    for (field, done) in [
        ("currentNumberScheduled", "scheduled"),
        ("updatedNumberScheduled", "updated"),
        ("numberAvailable", "available"),
        ("numberReady", "ready"),
    ] {
        if count(field) < desired {
            return Status::in_progress(format!("{} of {desired} pods {done}", count(field)));
        }
    }
    Status::current(format!("{desired} of {desired} pods available"))
}

/// A ReplicaSet or ReplicationController: as many replicas as desired, all available.
pub(super) fn replica_set(object: &Object) -> Status {
    if let Some(status) = unobserved(object) {
        return status;
    }
    let count = |field: &str| object.int(&["status", field]).unwrap_or_default();
    let desired = object.int(&["spec", "replicas"]).unwrap_or(1);
    if let Some(failure) = condition::find(object, "ReplicaFailure")
        && failure.status == "True"
    {
        return Status {
            doomed: Some(Doom::PodsRefused),
            ..Status::in_progress(failure.text())
        };
    }
    for (field, done) in [
        ("replicas", "made"),
        ("availableReplicas", "available"),
        ("readyReplicas", "ready"),
    ] {
        if count(field) < desired {
            return Status::in_progress(format!("{} of {desired} replicas {done}", count(field)));
        }
    }
    if count("replicas") > desired {
        return Status::in_progress(format!(
            "replicas still to go: {}",
            count("replicas") - desired
        ));
    }
    Status::current(format!("{desired} of {desired} replicas available"))
}
