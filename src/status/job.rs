//! Jobs: done when complete, not when started.

use super::{Status, condition};
use crate::object::Object;

/// A Job: current when complete, failed when it failed. A suspended one is current: nobody but the
/// user will start it.
pub(super) fn job(object: &Object) -> Status {
    for condition in condition::all(object).filter(|condition| condition.status == "True") {
        match condition.kind {
            "Complete" | "SuccessCriteriaMet" => return Status::current("completed"),
            "Failed" | "FailureTarget" => return Status::failed(condition.text()),
            "Suspended" => return Status::current("suspended"),
            _ => {}
        }
    }
    if object
        .get(&["spec", "suspend"])
        .is_some_and(|suspend| suspend == true)
    {
        return Status::current("suspended");
    }
    let count = |field: &str| object.int(&["status", field]).unwrap_or_default();
    let (active, failed, succeeded) = (count("active"), count("failed"), count("succeeded"));
    Status::in_progress(format!(
        "{active} active, {failed} failed, {succeeded} succeeded"
    ))
}
