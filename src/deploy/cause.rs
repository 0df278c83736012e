//! Why an object does not become ready: object → ReplicaSet → pod → event → last log lines. What of
//! it does not come soon is left out.

use super::unanswered;
use crate::cluster::{Cluster, Selector};
use crate::diff::Masker;
use crate::object::{Gvk, Object, ObjectRef};
use crate::status;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long the log of one container may take: that of a pod on a dead node never comes.
const LOG_TIME: Duration = Duration::from_secs(3);
/// How long all of it may take.
const WHOLE_TIME: Duration = Duration::from_secs(5);
const LOG_LINES: usize = 10;
const EVENTS: usize = 3;
/// How many claims of a pod are looked at.
const CLAIMS: usize = 3;

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

/// What a workload made for its present revision.
#[derive(Default)]
struct Below {
    /// Of a Deployment: its newest ReplicaSet.
    replica_set: Option<Object>,
    pods: Vec<Object>,
}

/// Reads what a workload made for its present revision; nothing for other kinds.
async fn below(cluster: &Cluster, workload: &Object) -> Below {
    let mut below = Below::default();
    if !makes_pods(&workload.gvk()) {
        return below;
    }
    let Some(selector) = selector(workload) else {
        return below;
    };
    let mut maker = workload.uid().to_owned();
    if workload.kind() == "Deployment" {
        let Some(set) = newest_replica_set(cluster, workload).await else {
            return below;
        };
        set.uid().clone_into(&mut maker);
        below.replica_set = Some(set);
    }
    let Ok(discovery) = cluster.discovery().await else {
        return below;
    };
    if let Some(kind) = discovery.preferred("", "Pod") {
        let pods = cluster.list(kind, workload.namespace(), &selector).await;
        below.pods = pods.unwrap_or_default();
        below.pods.retain(|pod| is_owned_by(pod, &maker));
    }
    below
}

/// Whether an object with this uid made the object.
pub(super) fn is_owned_by(object: &Object, uid: &str) -> bool {
    let owners = object.list(&["metadata", "ownerReferences"]);
    owners.iter().any(|reference| reference["uid"] == uid)
}

/// The ReplicaSet of a Deployment's present revision.
pub(super) async fn newest_replica_set(cluster: &Cluster, deployment: &Object) -> Option<Object> {
    let selector = selector(deployment)?;
    let discovery = cluster.discovery().await.ok()?;
    let kind = discovery.preferred("apps", "ReplicaSet")?;
    let sets = cluster
        .list(kind, deployment.namespace(), &selector)
        .await
        .ok()?;
    let revision = |set: &Object| -> u64 {
        set.annotation("deployment.kubernetes.io/revision")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
    };
    sets.into_iter()
        .filter(|set| is_owned_by(set, deployment.uid()))
        .max_by_key(revision)
}

/// `spec.selector` of a workload as a label selector.
pub(super) fn selector(workload: &Object) -> Option<Selector> {
    // A ReplicationController has the labels themselves there.
    let labels = workload
        .get(&["spec", "selector", "matchLabels"])
        .or_else(|| workload.get(&["spec", "selector"]))?
        .as_object()?;
    let equal = labels
        .iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
    let expressions = workload.list(&["spec", "selector", "matchExpressions"]);
    let pairs: Vec<String> = equal
        .chain(expressions.iter().filter_map(expression))
        .collect();
    (!pairs.is_empty()).then(|| Selector {
        labels: pairs.join(","),
        fields: String::new(),
    })
}

/// An item of `matchExpressions` as a label selector writes it.
fn expression(item: &Value) -> Option<String> {
    let key = item["key"].as_str()?;
    let values: Vec<&str> = item["values"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    match item["operator"].as_str()? {
        "In" => Some(format!("{key} in ({})", values.join(","))),
        "NotIn" => Some(format!("{key} notin ({})", values.join(","))),
        "Exists" => Some(key.to_owned()),
        "DoesNotExist" => Some(format!("!{key}")),
        _ => None,
    }
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

/// The whole chain for an object that did not become ready, for people: as much of it as comes in time
/// and before the run is stopped.
pub(super) async fn explain(
    cluster: &Cluster,
    object: &Object,
    message: &str,
    masker: &Masker,
    stop: &CancellationToken,
) -> String {
    let mut text = message.to_owned();
    let cut = tokio::select! {
        biased;
        () = stop.cancelled() => Some("the run was stopped".to_owned()),
        () = gather(cluster, object, &mut text) => None,
        () = tokio::time::sleep(WHOLE_TIME) => Some(no_answer(WHOLE_TIME)),
    };
    if let Some(why) = cut {
        text = format!("{text}\n  more, such as its log, could not be read: {why}");
    }
    masker.scrub(&text)
}

fn no_answer(within: Duration) -> String {
    format!("no answer within {} s", within.as_secs())
}

/// Adds what is known below an object to the text about it, piece by piece.
async fn gather(cluster: &Cluster, object: &Object, text: &mut String) {
    let below = below(cluster, object).await;
    let mut about = object;
    if let Some(set) = &below.replica_set {
        let status = status::of(set).message;
        let _ = write!(text, "\n  ReplicaSet/{}: {status}", set.name());
        about = set;
    }
    let own = (object.kind() == "Pod").then(|| (object, status::of(object)));
    let worst = worst(&below.pods);
    if let Some((pod, status)) = &worst {
        let _ = write!(text, "\n  Pod/{}: {}", pod.name(), status.message);
        about = pod;
    }
    if let Some((pod, status)) = worst.or(own) {
        if status.doomed == Some(status::Doom::Unschedulable) {
            text.push_str(&pending_claims(cluster, pod).await);
        }
        text.push_str(&warnings(cluster, about).await);
        text.push_str(&log_tail(cluster, pod).await);
    } else {
        text.push_str(&warnings(cluster, about).await);
        text.push_str(&unanswered::behind(cluster, about).await);
    }
}

/// The last warnings about an object, each on a line of its own.
async fn warnings(cluster: &Cluster, about: &Object) -> String {
    let events = cluster
        .warnings_about(&about.reference(), about.uid())
        .await
        .unwrap_or_default();
    let mut told = BTreeSet::new();
    let is_news = |event: &&Object| told.insert(gist(event));
    let line = |event: &Object| {
        let (reason, message) = (event.text(&["reason"]), event.text(&["message"]));
        format!("\n  event {reason}: {}", message.trim())
    };
    let newest = events.iter().rev().filter(is_news);
    newest.take(EVENTS).map(line).collect()
}

/// What an event says, whichever of many objects it names: a message without what it quotes.
fn gist(event: &Object) -> String {
    let message = event.text(&["message"]);
    let own = message.trim_start_matches("(combined from similar events): ");
    let unquoted: Vec<&str> = own.split('"').step_by(2).collect();
    format!("{} {}", event.text(&["reason"]), unquoted.join("\""))
}

/// The claims of a pod that are not bound, and what is told about them.
async fn pending_claims(cluster: &Cluster, pod: &Object) -> String {
    let claims = pod.list(&["spec", "volumes"]).iter();
    let claims = claims.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str());
    let mut text = String::new();
    for name in claims.take(CLAIMS) {
        let target = ObjectRef {
            group: String::new(),
            kind: "PersistentVolumeClaim".to_owned(),
            namespace: pod.namespace().map(str::to_owned),
            name: name.to_owned(),
        };
        let line = match cluster.get(&target).await {
            Ok(Some(claim)) if status::of(&claim).state == status::State::Current => continue,
            Ok(Some(claim)) => {
                let message = status::of(&claim).message;
                format!("{message}{}", warnings(cluster, &claim).await)
            }
            Ok(None) => "does not exist".to_owned(),
            Err(_) => continue,
        };
        text = format!("{text}\n  PersistentVolumeClaim/{name}: {line}");
    }
    text
}

/// The last lines of the container that has trouble, each on a line of its own.
async fn log_tail(cluster: &Cluster, pod: &Object) -> String {
    let Some((container, crashed)) = troubled_container(pod) else {
        return String::new();
    };
    let namespace = pod.namespace().unwrap_or_default();
    let log = cluster.log_tail(namespace, pod.name(), &container, LOG_LINES, crashed);
    let why = match tokio::time::timeout(LOG_TIME, log).await {
        Ok(Ok(lines)) => {
            let lines = lines.iter().filter(|line| !line.is_empty());
            let line = |line: &String| format!("\n  log {container}: {line}");
            return lines.map(line).collect();
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => no_answer(LOG_TIME),
    };
    format!("\n  log {container} could not be read: {why}")
}

/// The first container that ended badly, else the first that runs and is not ready; and whether its
/// log is that of the run before.
fn troubled_container(pod: &Object) -> Option<(String, bool)> {
    let statuses = || {
        ["initContainerStatuses", "containerStatuses"]
            .into_iter()
            .flat_map(|key| pod.list(&["status", key]))
    };
    let ended = statuses().find_map(|status| {
        let name = status["name"].as_str()?.to_owned();
        let failed = |ended: &Value| ended["exitCode"].as_i64().is_some_and(|code| code != 0);
        if failed(&status["state"]["terminated"]) {
            return Some((name, false));
        }
        failed(&status["lastState"]["terminated"]).then_some((name, true))
    });
    let unready = || {
        statuses().find_map(|status| {
            let runs = status["state"]["running"].is_object() && status["ready"] == false;
            runs.then(|| Some((status["name"].as_str()?.to_owned(), false)))?
        })
    };
    ended.or_else(unready)
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
    fn events_that_differ_in_a_name_say_the_same() {
        let event = |message: &str| {
            let tree = json!({"kind": "Event", "reason": "FailedCreate", "message": message});
            gist(&Object::new(tree).unwrap())
        };
        let one = event("Error creating: pods \"q-1\" is forbidden: exceeded quota");
        let same = event(
            "(combined from similar events): Error creating: pods \"q-2\" is forbidden: exceeded quota",
        );
        assert_eq!(one, same);
        assert_ne!(
            one,
            event("Error creating: pods \"q-1\" is forbidden: denied")
        );
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
