//! Pods, and why they will not become ready.

use super::{Doom, Status, condition};
use crate::object::Object;
use serde_json::Value;

/// A Pod: current when it is ready or has succeeded. A reason that cannot heal by itself comes as
/// [`Status::doomed`].
pub(super) fn pod(object: &Object) -> Status {
    let phase = object.text(&["status", "phase"]);
    match phase {
        "Succeeded" => return Status::current("succeeded"),
        "Failed" => return Status::failed(failure(object)),
        _ => {}
    }
    if phase == "Running"
        && condition::find(object, "Ready").is_some_and(|ready| ready.status == "True")
    {
        return Status::current("ready");
    }
    let (doomed, message) = match cause(object) {
        Some((doomed, message)) => (doomed, message),
        None => (None, waiting(object, phase)),
    };
    Status {
        doomed,
        ..Status::in_progress(message)
    }
}

/// Why a pod will not become ready without help; `None` when it may still.
#[must_use]
pub fn doom(pod: &Object) -> Option<Doom> {
    self::pod(pod).doomed
}

fn failure(object: &Object) -> String {
    let (reason, message) = (
        object.text(&["status", "reason"]),
        object.text(&["status", "message"]),
    );
    let told = [reason, message]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>();
    if !told.is_empty() {
        return told.join(": ");
    }
    let ended = container_statuses(object).find_map(|(name, status)| {
        let terminated = status.get("state")?.get("terminated")?;
        (terminated.get("exitCode")?.as_i64()? != 0).then(|| ended(name, terminated))
    });
    ended.unwrap_or_else(|| "failed".to_owned())
}

/// Why the pod does not get on: its containers first, then the scheduler.
fn cause(object: &Object) -> Option<(Option<Doom>, String)> {
    let mut first = None;
    for (name, status) in container_statuses(object) {
        let Some((doomed, message)) = container(name, status) else {
            continue;
        };
        if doomed.is_some() {
            return Some((doomed, message));
        }
        first.get_or_insert((doomed, message));
    }
    let scheduled =
        condition::find(object, "PodScheduled").filter(|scheduled| scheduled.status == "False");
    if let Some(scheduled) = scheduled {
        let doomed = (scheduled.reason == "Unschedulable").then_some(Doom::Unschedulable);
        return Some((doomed, scheduled.text()));
    }
    first
}

/// What a container waits for, or how it ended badly.
fn container(name: &str, status: &Value) -> Option<(Option<Doom>, String)> {
    let text = |value: &Value, key: &str| {
        value
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let restarts = status
        .get("restartCount")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    let state = status.get("state")?;
    if let Some(waiting) = state.get("waiting") {
        let reason = text(waiting, "reason");
        let doomed = match reason.as_str() {
            "InvalidImageName" => Some(Doom::InvalidImageName),
            "ErrImagePull"
            | "ImagePullBackOff"
            | "ErrImageNeverPull"
            | "RegistryUnavailable"
            | "ImageInspectError"
            | "SignatureValidationFailed" => Some(Doom::ImagePull),
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                Some(Doom::ContainerConfig)
            }
            "CrashLoopBackOff" => Some(Doom::CrashLoop {
                restarts: u32::try_from(restarts).unwrap_or(u32::MAX),
            }),
            "" => return None,
            _ => None,
        };
        let message = match (
            reason.as_str(),
            status.get("lastState").and_then(|s| s.get("terminated")),
        ) {
            ("CrashLoopBackOff", Some(last)) => {
                format!(
                    "CrashLoopBackOff: {}, {restarts} restarts",
                    ended(name, last)
                )
            }
            _ => {
                let told = text(waiting, "message");
                let colon = if told.is_empty() { "" } else { ": " };
                format!("container {name}: {reason}{colon}{told}")
            }
        };
        return Some((doomed, message));
    }
    let terminated = state.get("terminated")?;
    (terminated.get("exitCode")?.as_i64()? != 0).then(|| (None, ended(name, terminated)))
}

fn ended(name: &str, terminated: &Value) -> String {
    let code = terminated
        .get("exitCode")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    match terminated.get("reason").and_then(Value::as_str) {
        Some(reason) if reason != "Error" && reason != "Completed" => {
            format!("container {name} exited with {code} ({reason})")
        }
        _ => format!("container {name} exited with {code}"),
    }
}

fn waiting(object: &Object, phase: &str) -> String {
    let unready: Vec<&str> = container_statuses(object)
        .filter(|(_, status)| {
            status
                .get("state")
                .is_some_and(|state| state.get("running").is_some())
                && status.get("ready") != Some(&Value::Bool(true))
        })
        .map(|(name, _)| name)
        .collect();
    match (phase, unready.as_slice()) {
        ("", _) => "not scheduled yet".to_owned(),
        ("Running", []) => "running but not ready".to_owned(),
        ("Pending", []) => match object.text(&["spec", "nodeName"]) {
            "" => "not scheduled yet".to_owned(),
            node => format!("no container runs yet on node {node}"),
        },
        (_, []) => format!("phase {phase}"),
        (_, names) => format!("running but not ready: {}", names.join(", ")),
    }
}

fn container_statuses(object: &Object) -> impl Iterator<Item = (&str, &Value)> {
    ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .flat_map(|field| object.list(&["status", field]))
        .map(|status| {
            (
                status
                    .get("name")
                    .and_then(Value::as_str)
                    .unwrap_or_default(),
                status,
            )
        })
}
