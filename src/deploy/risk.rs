//! What goes with an object that is deleted, beside the object: data, and objects of others.

use crate::cluster::{Cluster, Discovery, Kind, Selector};
use crate::diff::Op;
use crate::inventory::{ID, Members, PART_OF, Parent};
use crate::object::{Object, ObjectRef};
use crate::plan::Step;
use futures::stream::{self, StreamExt as _};

/// How many reads run at the same time, and how many objects are named.
const CONCURRENCY: usize = 16;
const NAMED: usize = 5;

/// A deletion that cannot be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Risk {
    /// The object that is to be deleted.
    pub target: ObjectRef,
    /// What goes with it.
    pub why: String,
}

/// What is the app's own.
struct Own<'a> {
    id: String,
    members: Members<'a>,
}

/// The deletions of a plan that take data or foreign objects with them.
pub(super) async fn risks(
    cluster: &Cluster,
    discovery: &Discovery,
    steps: &[Step],
    parent: &Parent,
) -> Vec<Risk> {
    let own = &Own {
        id: parent.id(),
        members: parent.record.members(),
    };
    let mut risks = Vec::new();
    for change in steps.iter().map(|step| &step.change) {
        let (Op::Delete | Op::Replace, Some(live)) = (change.op, &change.live) else {
            continue;
        };
        let why = match live.kind() {
            "PersistentVolumeClaim" => claim(cluster, live).await,
            "StatefulSet" => stateful_set(live),
            "Namespace" => namespace(cluster, discovery, live, own).await,
            "CustomResourceDefinition" => definition(cluster, discovery, live, own).await,
            _ => None,
        };
        let target = change.target.clone();
        risks.extend(why.map(|why| Risk { target, why }));
    }
    risks
}

/// A claim takes its data with it, unless its volume is kept.
async fn claim(cluster: &Cluster, claim: &Object) -> Option<String> {
    let volume = ObjectRef {
        group: String::new(),
        kind: "PersistentVolume".to_owned(),
        namespace: None,
        name: claim.text(&["spec", "volumeName"]).to_owned(),
    };
    if volume.name.is_empty() {
        return None;
    }
    // Whoever may not read volumes cannot know better.
    let kept = cluster
        .get(&volume)
        .await
        .ok()
        .flatten()
        .is_some_and(|volume| volume.text(&["spec", "persistentVolumeReclaimPolicy"]) == "Retain");
    (!kept).then(|| "the data of its volume goes with it".to_owned())
}

fn stateful_set(set: &Object) -> Option<String> {
    let policy = [
        "spec",
        "persistentVolumeClaimRetentionPolicy",
        "whenDeleted",
    ];
    let templates = set.list(&["spec", "volumeClaimTemplates"]);
    if set.text(&policy) != "Delete" || templates.is_empty() {
        return None;
    }
    let names: Vec<String> = templates
        .iter()
        .filter_map(|template| template["metadata"]["name"].as_str())
        .map(|name| format!("{name}-{}-*", set.name()))
        .collect();
    Some(format!("its claims go with it: {}", names.join(", ")))
}

async fn namespace(
    cluster: &Cluster,
    discovery: &Discovery,
    namespace: &Object,
    own: &Own<'_>,
) -> Option<String> {
    let kinds: Vec<&Kind> = discovery
        .kinds()
        .filter(|kind| kind.namespaced && kind.can_list && kind.can_delete)
        .filter(|kind| {
            !matches!(
                kind.gvk.kind.as_str(),
                "Event" | "Endpoints" | "EndpointSlice"
            )
        })
        .collect();
    strangers(cluster, &kinds, Some(namespace.name()), own).await
}

async fn definition(
    cluster: &Cluster,
    discovery: &Discovery,
    definition: &Object,
    own: &Own<'_>,
) -> Option<String> {
    let group = definition.text(&["spec", "group"]);
    let kind = discovery.preferred(group, definition.text(&["spec", "names", "kind"]))?;
    strangers(cluster, &[kind], None, own).await
}

/// The objects of some kinds in a place that are not of the app, in words.
async fn strangers(
    cluster: &Cluster,
    kinds: &[&Kind],
    namespace: Option<&str>,
    own: &Own<'_>,
) -> Option<String> {
    let everything = Selector::default();
    let lists: Vec<_> = stream::iter(kinds)
        .map(|kind| cluster.metadata(kind, namespace, &everything))
        .buffered(CONCURRENCY)
        .collect()
        .await;
    let (mut found, mut unseen) = (Vec::new(), 0);
    for list in lists {
        match list {
            Ok(objects) => {
                found.extend(objects.into_iter().filter(|object| is_foreign(object, own)));
            }
            // A kind that is gone by now has no objects.
            Err(error) if error.is_not_found() => {}
            Err(_) => unseen += 1,
        }
    }
    let mut told = Vec::new();
    if !found.is_empty() {
        let names = found
            .iter()
            .take(NAMED)
            .map(|object| object.reference().to_string());
        let mut names: Vec<String> = names.collect();
        if found.len() > NAMED {
            names.push(format!("{} more", found.len() - NAMED));
        }
        told.push(format!(
            "objects that are not of this app go with it: {}",
            names.join(", ")
        ));
    }
    if unseen > 0 {
        told.push(format!("objects of {unseen} kinds may not be listed"));
    }
    (!told.is_empty()).then(|| told.join("; "))
}

/// Whether an object is somebody's who would miss it: not the app's, not made by a controller for
/// another object, and not one that every namespace has.
fn is_foreign(object: &Object, own: &Own<'_>) -> bool {
    let id = Some(own.id.as_str());
    let member = object.label(PART_OF) == id && own.members.has(object);
    let ours = member || object.label(ID) == id;
    let made = !object.list(&["metadata", "ownerReferences"]).is_empty();
    let everywhere = matches!(
        (object.kind(), object.name()),
        ("ServiceAccount", "default")
            | ("ConfigMap", "kube-root-ca.crt" | "openshift-service-ca.crt")
    );
    let token = object.annotation("kubernetes.io/service-account.name") == Some("default");
    let lock = object.kind() == "Lease" && object.name().starts_with("windlass.");
    let reported = object.group() == "metrics.k8s.io";
    !(ours || made || everywhere || token || lock || reported)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Member;
    use serde_json::json;

    #[expect(
        clippy::needless_pass_by_value,
        reason = "calls read better with `json!` in place"
    )]
    fn object(kind: &str, metadata: serde_json::Value) -> Object {
        Object::new(json!({"apiVersion": "v1", "kind": kind, "metadata": metadata})).unwrap()
    }

    #[test]
    fn what_every_namespace_has_is_nobodys() {
        let mut parent = Parent::new("web", "prod", "prod", b"k");
        parent.record.objects.push(Member {
            object: object("Secret", json!({"name": "a"})).reference(),
            fingerprint: None,
            uid: "1".to_owned(),
        });
        let (id, members) = ("ours".to_owned(), parent.record.members());
        let own = Own { id, members };
        let foreign = |kind, metadata| is_foreign(&object(kind, metadata), &own);
        assert!(!foreign("ServiceAccount", json!({"name": "default"})));
        assert!(!foreign(
            "Secret",
            json!({"name": "a", "uid": "1", "labels": {PART_OF: "ours"}})
        ));
        assert!(foreign(
            "Secret",
            json!({"name": "copy", "uid": "2", "labels": {PART_OF: "ours"}})
        ));
        assert!(!foreign(
            "Pod",
            json!({"name": "p", "ownerReferences": [{"kind": "Job"}]})
        ));
        assert!(foreign(
            "Secret",
            json!({"name": "a", "labels": {PART_OF: "theirs"}})
        ));
        assert!(foreign(
            "PersistentVolumeClaim",
            json!({"name": "data-db-0"})
        ));
    }

    #[test]
    fn a_set_that_deletes_its_claims_says_so() {
        let mut set = Object::new(
            json!({"kind": "StatefulSet", "metadata": {"name": "db"}, "spec": {
            "volumeClaimTemplates": [{"metadata": {"name": "data"}}]}}),
        )
        .unwrap();
        assert_eq!(stateful_set(&set), None);
        set.tree_mut()["spec"]["persistentVolumeClaimRetentionPolicy"] =
            json!({"whenDeleted": "Delete"});
        assert_eq!(
            stateful_set(&set).unwrap(),
            "its claims go with it: data-db-*"
        );
    }
}
