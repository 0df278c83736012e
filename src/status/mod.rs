//! Is an object ready? Pure functions of the object itself, in the words of kstatus.
//!
//! The rules follow sigs.k8s.io/cli-utils `pkg/kstatus/status` and, where kapp knows better,
//! kapp's `pkg/kapp/resourcesmisc`.

mod condition;
mod generic;
mod job;
mod pod;
mod rule;
mod workload;

pub use pod::doom;
pub use rule::{ConditionRule, Meaning, Rule, stopped};

use crate::object::{Gvk, Object};
use condition::Condition;
use serde::Serialize;
use serde_json::Value;

/// How far an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum State {
    /// On the way.
    InProgress,
    /// Stuck: it says itself that it will not get there.
    Failed,
    /// As desired.
    Current,
    /// Being deleted.
    Terminating,
    /// Not there. Never said by [`of`]; for those who looked for an object in vain.
    NotFound,
    /// Cannot be told.
    Unknown,
}

/// Why an object will not become ready without somebody's help. How long each is borne is the
/// waiter's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "reason")]
pub enum Doom {
    /// The name of an image is no name.
    InvalidImageName,
    /// An image cannot be pulled.
    ImagePull,
    /// The container cannot be made: what it refers to is missing or wrong.
    ContainerConfig,
    /// A container ends again and again.
    CrashLoop {
        /// How often it was started again.
        restarts: u32,
    },
    /// No node takes the pod.
    Unschedulable,
    /// The pods of a workload cannot even be made: a quota, an admission rule.
    PodsRefused,
    /// No volume can be had for a claim.
    ClaimPending,
    /// Somebody stopped the object: a Job that is suspended, a rollout that is paused.
    Suspended,
    /// A rule says for how long its condition is borne.
    Lasts {
        /// So many seconds.
        seconds: u64,
    },
}

/// What is known about an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// How far it is.
    pub state: State,
    /// What it waits for or what is wrong: a short fragment, empty when there is nothing to say.
    pub message: String,
    /// Why it will not get there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doomed: Option<Doom>,
    /// Whether what comes after it need not wait any longer, though it is not ready.
    #[serde(skip)]
    pub unblocks: bool,
}

impl Status {
    fn new(state: State, message: impl Into<String>) -> Self {
        Self {
            state,
            message: message.into(),
            doomed: None,
            unblocks: false,
        }
    }

    fn current(message: impl Into<String>) -> Self {
        Self::new(State::Current, message)
    }

    fn in_progress(message: impl Into<String>) -> Self {
        Self::new(State::InProgress, message)
    }

    fn failed(message: impl Into<String>) -> Self {
        Self::new(State::Failed, message)
    }
}

/// The status of a live object by the rule for it, where it has one.
#[must_use]
pub fn by(rule: Option<&Rule>, object: &Object) -> Status {
    match rule {
        Some(rule) if !object.is_going() => rule::status(rule, object),
        _ => of(object),
    }
}

/// The status of a pod that is to run to its end, as a hook is.
#[must_use]
pub fn completion(pod: &Object) -> Status {
    let status = of(pod);
    let ended = pod.text(&["status", "phase"]) == "Succeeded";
    if status.state == State::Current && !ended {
        return Status::in_progress("it runs");
    }
    status
}

/// The status of a live object.
#[must_use]
pub fn of(object: &Object) -> Status {
    if object.is_going() {
        return terminating(object);
    }
    let gvk = object.gvk();
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("apps" | "extensions", "Deployment") => workload::deployment(object),
        ("apps", "StatefulSet") => workload::stateful_set(object),
        ("apps" | "extensions", "DaemonSet") => workload::daemon_set(object),
        ("apps" | "extensions", "ReplicaSet") | ("", "ReplicationController") => {
            workload::replica_set(object)
        }
        ("batch", "Job") => job::job(object),
        ("", "Pod") => pod::pod(object),
        ("", "Service") => generic::service(object),
        ("", "PersistentVolumeClaim") => generic::volume_claim(object),
        ("", "Namespace") => generic::namespace(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => generic::crd(object),
        ("apiregistration.k8s.io", "APIService") => generic::api_service(object),
        ("policy", "PodDisruptionBudget") => generic::disruption_budget(object),
        ("batch", "CronJob") => Status::current(""),
        ("kappctrl.k14s.io", "App")
        | ("packaging.carvel.dev", "PackageInstall" | "PackageRepository") => {
            generic::kapp_controller(object)
        }
        _ => generic::generic(object),
    }
}

/// Whether objects of a kind are waited for: those of Kubernetes' own that take time. Custom
/// resources are not, unless somebody asks: not every `Ready` condition ever becomes true.
#[must_use]
pub fn is_waited(gvk: &Gvk) -> bool {
    matches!(
        (gvk.group.as_str(), gvk.kind.as_str()),
        (
            "apps" | "extensions",
            "Deployment" | "DaemonSet" | "ReplicaSet"
        ) | ("apps", "StatefulSet")
            | ("batch", "Job")
            | (
                "",
                "Pod" | "ReplicationController" | "Service" | "PersistentVolumeClaim" | "Namespace"
            )
            | ("apiextensions.k8s.io", "CustomResourceDefinition")
            | ("apiregistration.k8s.io", "APIService")
            | ("policy", "PodDisruptionBudget")
            | ("kappctrl.k14s.io", "App")
            | (
                "packaging.carvel.dev",
                "PackageInstall" | "PackageRepository"
            )
    )
}

/// What an object that is being deleted waits for: its finalizers; for a namespace what is left in
/// it, which its conditions tell.
fn terminating(object: &Object) -> Status {
    let finalizers = object
        .list(&["metadata", "finalizers"])
        .iter()
        .filter_map(Value::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let mut told = Vec::new();
    if !finalizers.is_empty() {
        told.push(format!("waits for finalizers: {finalizers}"));
    }
    if object.kind() == "Namespace" {
        let left = condition::all(object).filter(|condition| condition.status == "True");
        told.extend(left.map(|condition| condition.message.to_owned()));
    }
    if told.is_empty() {
        told.push("is being deleted".to_owned());
    }
    Status::new(State::Terminating, told.join("; "))
}

/// Whether the controller has not seen the newest generation yet.
fn unobserved(object: &Object) -> Option<Status> {
    let generation = object.int(&["metadata", "generation"])?;
    match object.int(&["status", "observedGeneration"]) {
        Some(observed) if observed >= generation => None,
        _ => Some(Status::in_progress(format!(
            "generation {generation} is not observed yet"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Source, manifest};

    /// Every file of `tests/fixtures/status` is a live object; its first line says what is expected:
    /// the state, the doom if there is one, a colon and the message.
    #[test]
    fn stored_objects_have_the_status_their_first_line_says() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/status");
        let mut count = 0;
        let mut wrong = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let (expected, _) = text.split_once('\n').unwrap();
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            let source = Source {
                file: file.clone(),
                line: 1,
            };
            let manifests = manifest::parse(text.as_bytes(), &source).unwrap();
            let status = of(&manifests[0].object);
            let doom = status
                .doomed
                .map(|doom| format!(" {doom:?}"))
                .unwrap_or_default();
            let found = format!("# {:?}{doom}: {}", status.state, status.message);
            if found.trim_end() != expected {
                wrong.push(format!("{file}\n  expected {expected}\n  found    {found}"));
            }
            count += 1;
        }
        wrong.sort();
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
        assert!(count > 50);
    }

    #[test]
    fn no_object_is_too_odd() {
        for tree in [
            "{}",
            r#"{"kind":"Pod","apiVersion":"v1","status":[]}"#,
            r#"{"kind":"Deployment","apiVersion":"apps/v1","status":{"conditions":[1,null,{}]},"spec":{"replicas":"x"}}"#,
        ] {
            let object = Object::new(serde_json::from_str(tree).unwrap()).unwrap();
            assert_ne!(of(&object).state, State::Failed);
        }
    }
}
