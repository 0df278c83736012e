//! Why an object does not become ready: object → pod → container → event → last log lines.

use crate::cluster::{Cluster, Selector};
use crate::diff::Masker;
use crate::object::{Gvk, Object};
use crate::status::{self, Doom};
use serde_json::Value;
use std::time::Duration;

const LOG_LINES: usize = 10;
const EVENTS: usize = 3;
/// How long each kind of trouble is borne: some heal by themselves.
const NOW: Duration = Duration::ZERO;
const PULL_GRACE: Duration = Duration::from_secs(12);
const CONFIG_GRACE: Duration = Duration::from_secs(20);
const CRASH_GRACE: Duration = Duration::from_secs(30);
const CRASHES: u32 = 3;

/// How long a pod may be in this trouble before the wait ends; `None` for ever, since an autoscaler
/// may still bring a node.
pub(super) fn grace(doom: Doom) -> Option<Duration> {
    match doom {
        Doom::InvalidImageName => Some(NOW),
        Doom::ImagePull => Some(PULL_GRACE),
        Doom::ContainerConfig => Some(CONFIG_GRACE),
        Doom::CrashLoop { restarts } if restarts >= CRASHES => Some(NOW),
        Doom::CrashLoop { .. } => Some(CRASH_GRACE),
        Doom::Unschedulable => None,
    }
}

/// Whether a kind makes pods.
pub(super) fn makes_pods(gvk: &Gvk) -> bool {
    matches!(
        (gvk.group.as_str(), gvk.kind.as_str()),
        (
            "apps",
            "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet"
        ) | ("batch", "Job")
    )
}

/// The pods of a workload's present revision.
pub(super) async fn pods_of(cluster: &Cluster, workload: &Object) -> Vec<Object> {
    let Some(selector) = selector(workload) else {
        return Vec::new();
    };
    let Ok(discovery) = cluster.discovery().await else {
        return Vec::new();
    };
    let Some(kind) = discovery.preferred("", "Pod") else {
        return Vec::new();
    };
    let pods = cluster
        .list(kind, workload.namespace(), &selector)
        .await
        .unwrap_or_default();
    let owner = if workload.kind() == "Deployment" {
        match newest_replica_set(cluster, workload, &selector).await {
            Some(uid) => uid,
            None => return Vec::new(),
        }
    } else {
        workload.uid().to_owned()
    };
    let is_owned = |pod: &Object| {
        pod.list(&["metadata", "ownerReferences"])
            .iter()
            .any(|reference| reference["uid"] == owner.as_str())
    };
    pods.into_iter().filter(is_owned).collect()
}

async fn newest_replica_set(
    cluster: &Cluster,
    deployment: &Object,
    selector: &Selector,
) -> Option<String> {
    let discovery = cluster.discovery().await.ok()?;
    let kind = discovery.preferred("apps", "ReplicaSet")?;
    let sets = cluster
        .list(kind, deployment.namespace(), selector)
        .await
        .ok()?;
    let revision = |set: &Object| -> u64 {
        set.annotation("deployment.kubernetes.io/revision")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
    };
    let is_owned = |set: &&Object| {
        let owners = set.list(&["metadata", "ownerReferences"]);
        owners
            .iter()
            .any(|reference| reference["uid"] == deployment.uid())
    };
    sets.iter()
        .filter(is_owned)
        .max_by_key(|set| revision(set))
        .map(|set| set.uid().to_owned())
}

/// `spec.selector` of a workload as a label selector.
fn selector(workload: &Object) -> Option<Selector> {
    let labels = workload
        .get(&["spec", "selector", "matchLabels"])?
        .as_object()?;
    let pairs: Vec<String> = labels
        .iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    (!pairs.is_empty()).then(|| Selector {
        labels: pairs.join(","),
        fields: String::new(),
    })
}

/// The pod in the worst trouble: one that will not heal before one that only waits.
pub(super) fn worst(pods: &[Object]) -> Option<(&Object, status::Status)> {
    pods.iter()
        .map(|pod| (pod, status::of(pod)))
        .filter(|(_, status)| {
            !matches!(
                status.state,
                status::State::Current | status::State::Terminating
            )
        })
        .max_by_key(|(_, status)| {
            (
                status.doomed.is_some(),
                status.state == status::State::Failed,
            )
        })
}

/// The whole chain for an object that did not become ready, for people. `pods` are its own.
pub(super) async fn explain(
    cluster: &Cluster,
    object: &Object,
    message: &str,
    pods: &[Object],
    masker: &Masker,
) -> String {
    let mut text = message.to_owned();
    let mut about = object;
    if let Some((pod, status)) = worst(pods) {
        text = format!("{text}\n  Pod/{}: {}", pod.name(), status.message);
        about = pod;
    } else if object.kind() == "Pod" {
        text.push_str(&log_tail(cluster, object).await);
    }
    let events = cluster
        .warnings_about(&about.reference(), about.uid())
        .await
        .unwrap_or_default();
    for event in events.iter().rev().take(EVENTS) {
        text = format!(
            "{text}\n  event {}: {}",
            event.text(&["reason"]),
            event.text(&["message"]).trim()
        );
    }
    if about.uid() != object.uid() {
        text.push_str(&log_tail(cluster, about).await);
    }
    masker.scrub(&text)
}

/// The last lines of the container that has trouble, each on a line of its own.
async fn log_tail(cluster: &Cluster, pod: &Object) -> String {
    let Some((container, crashed)) = troubled_container(pod) else {
        return String::new();
    };
    let namespace = pod.namespace().unwrap_or_default();
    let log = cluster
        .log_tail(namespace, pod.name(), &container, LOG_LINES, crashed)
        .await;
    let lines = log.unwrap_or_default();
    let lines = lines
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty());
    lines
        .map(|line| format!("\n  log {container}: {line}"))
        .collect()
}

/// The first container that ended badly, and whether its log is that of the run before.
fn troubled_container(pod: &Object) -> Option<(String, bool)> {
    let statuses = ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .flat_map(|key| pod.list(&["status", key]));
    statuses.into_iter().find_map(|status| {
        let name = status["name"].as_str()?.to_owned();
        let failed = |ended: &Value| ended["exitCode"].as_i64().is_some_and(|code| code != 0);
        if failed(&status["state"]["terminated"]) {
            return Some((name, false));
        }
        failed(&status["lastState"]["terminated"]).then_some((name, true))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, status: &Value) -> Object {
        Object::new(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "status": status})).unwrap()
    }

    #[test]
    fn picks_the_pod_that_will_not_heal() {
        let pods = [
            pod("a", &json!({"phase": "Pending"})),
            pod(
                "b",
                &json!({"phase": "Pending", "containerStatuses": [
                {"name": "web", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]}),
            ),
            pod("c", &json!({"phase": "Succeeded"})),
        ];
        assert_eq!(worst(&pods).unwrap().0.name(), "b");
    }

    #[test]
    fn reads_the_log_of_the_run_that_crashed() {
        let crashed = pod(
            "a",
            &json!({"containerStatuses": [
            {"name": "ok", "state": {"running": {}}},
            {"name": "web", "state": {"waiting": {"reason": "CrashLoopBackOff"}},
             "lastState": {"terminated": {"exitCode": 1}}}]}),
        );
        assert_eq!(troubled_container(&crashed), Some(("web".to_owned(), true)));
    }
}
