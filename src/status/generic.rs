//! Kinds without pods, and the rules for any kind that follows the conventions.

use super::{Condition, Status, condition, unobserved};
use crate::object::Object;

/// A Service: an address where one is due.
pub(super) fn service(object: &Object) -> Status {
    if object.text(&["spec", "type"]) == "LoadBalancer"
        && object
            .list(&["status", "loadBalancer", "ingress"])
            .is_empty()
    {
        return Status::in_progress("the load balancer has no address yet");
    }
    if object.text(&["spec", "type"]) != "ExternalName"
        && object.text(&["spec", "clusterIP"]).is_empty()
    {
        return Status::in_progress("no cluster address yet");
    }
    Status::current("")
}

/// A PersistentVolumeClaim: bound.
pub(super) fn volume_claim(object: &Object) -> Status {
    match object.text(&["status", "phase"]) {
        "Bound" => Status::current("bound"),
        "Lost" => Status::failed("the volume is lost"),
        _ => Status::in_progress("not bound yet"),
    }
}

/// A Namespace: active.
pub(super) fn namespace(object: &Object) -> Status {
    match object.text(&["status", "phase"]) {
        "" | "Active" => Status::current(""),
        phase => Status::in_progress(format!("phase {phase}")),
    }
}

/// A CustomResourceDefinition: its names are accepted and it is established.
pub(super) fn crd(object: &Object) -> Status {
    if let Some(names) = condition::find(object, "NamesAccepted")
        && names.status == "False"
    {
        return Status::failed(format!("the names are not accepted: {}", names.text()));
    }
    for kind in ["NamesAccepted", "Established"] {
        if condition::find(object, kind).is_none_or(|found| found.status != "True") {
            return Status::in_progress(format!("not yet {}", kind.to_lowercase()));
        }
    }
    Status::current("established")
}

/// An APIService: available.
pub(super) fn api_service(object: &Object) -> Status {
    match condition::find(object, "Available") {
        Some(available) if available.status == "True" => Status::current("available"),
        Some(available) => Status::in_progress(available.text()),
        None => Status::in_progress("not available yet"),
    }
}

/// A PodDisruptionBudget: seen by its controller. Whether its pods are healthy is theirs to say.
pub(super) fn disruption_budget(object: &Object) -> Status {
    unobserved(object).unwrap_or_else(|| Status::current(""))
}

/// A kind of kapp-controller: reconciled, by its conditions.
pub(super) fn kapp_controller(object: &Object) -> Status {
    if let Some(status) = unobserved(object) {
        return status;
    }
    let is_true = |kind: &str| condition::find(object, kind).filter(|c| c.status == "True");
    for kind in ["ReconcileFailed", "DeleteFailed"] {
        if let Some(failed) = is_true(kind) {
            let told = object.text(&["status", "usefulErrorMessage"]).trim();
            let text = if told.is_empty() {
                failed.text()
            } else {
                told.to_owned()
            };
            return Status::failed(text);
        }
    }
    if is_true("ReconcileSucceeded").is_some() {
        return Status::current("reconciled");
    }
    Status::in_progress("not reconciled yet")
}

/// Any other kind: the newest generation is seen where it is reported, `Reconciling` and `Stalled`
/// say what they say, and `Ready` is true where it exists.
pub(super) fn generic(object: &Object) -> Status {
    if object.int(&["status", "observedGeneration"]).is_some()
        && let Some(status) = unobserved(object)
    {
        return status;
    }
    let is_true = |kind: &str| condition::find(object, kind).filter(|c| c.status == "True");
    if let Some(stalled) = is_true("Stalled") {
        return Status::failed(stalled.text());
    }
    if let Some(reconciling) = is_true("Reconciling") {
        return Status::in_progress(reconciling.text());
    }
    match condition::find(object, "Ready") {
        Some(Condition { status: "True", .. }) => Status::current("ready"),
        Some(ready) => Status::in_progress(ready.text()),
        None => Status::current(""),
    }
}
