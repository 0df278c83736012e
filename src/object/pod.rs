//! Where an object keeps its pod: the path of the pod spec per kind.

use super::Object;
use serde_json::Value;

/// The keys that lead to the pod spec of a kind of Kubernetes' own; `None` for a kind without pods.
#[must_use]
pub fn pod_spec_path(group: &str, kind: &str) -> Option<&'static [&'static str]> {
    match (group, kind) {
        ("", "Pod") => Some(&["spec"]),
        ("apps" | "extensions", "Deployment" | "DaemonSet" | "ReplicaSet")
        | ("apps", "StatefulSet")
        | ("batch", "Job")
        | ("", "ReplicationController") => Some(&["spec", "template", "spec"]),
        ("batch", "CronJob") => Some(&["spec", "jobTemplate", "spec", "template", "spec"]),
        ("", "PodTemplate") => Some(&["template", "spec"]),
        _ => None,
    }
}

/// The pod spec of an object; `None` for a kind without pods and for an object that lacks it.
#[must_use]
pub fn pod_spec(object: &Object) -> Option<&Value> {
    object.get(pod_spec_path(object.group(), object.kind())?)
}

/// All containers of a pod spec: init containers, then containers, then ephemeral ones.
pub fn containers(pod_spec: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers", "ephemeralContainers"]
        .into_iter()
        .filter_map(|field| pod_spec.get(field).and_then(Value::as_array))
        .flatten()
}
