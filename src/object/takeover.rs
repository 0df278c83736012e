//! Taking over the fields that client-side writers left on an object.
//!
//! Their fields stay theirs after a server-side apply, so that what is no longer wanted would
//! survive. They are made ours first, and the apply removes them. Follows client-go's
//! `util/csaupgrade/upgrade.go`.

use super::Object;
use super::managed_fields::{self, Entry, FieldSet, MANAGER};
use serde_json::{Map, Value, json};

/// Managers that write whole objects and know nothing of server-side apply.
const UPDATERS: [&str; 5] = [
    "before-first-apply",
    "helm",
    "kapp",
    "kubectl-client-side-apply",
    "kubectl-create",
];
/// Deployers that use server-side apply, under the names they have then.
const APPLIERS: [&str; 3] = ["helm", "kapp-server-side-apply", "kubectl"];

/// Whether an entry of `managedFields` is what another deployer wrote in this version of the API.
fn is_left(manager: &str, operation: &str, subresource: &str, api_version: (&str, &str)) -> bool {
    subresource.is_empty()
        && api_version.0 == api_version.1
        && match operation {
            // kapp writes under the name of its file, which releases call `kapp-linux-amd64`.
            "Update" => UPDATERS.contains(&manager) || manager.starts_with("kapp-"),
            "Apply" => APPLIERS.contains(&manager),
            _ => false,
        }
}

/// `metadata.managedFields` with the fields of other deployers made ours; `None` when there are
/// none.
#[must_use]
pub fn managed_by_us(live: &Object) -> Option<Vec<Value>> {
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let is_left = |entry: &Value| {
        is_left(
            &text(entry, "manager"),
            &text(entry, "operation"),
            &text(entry, "subresource"),
            (&text(entry, "apiVersion"), live.api_version()),
        )
    };
    let is_ours = |entry: &Value| {
        text(entry, "manager") == MANAGER
            && text(entry, "operation") == "Apply"
            && text(entry, "subresource").is_empty()
    };
    let all = live.list(&["metadata", "managedFields"]);
    let (left, mut kept): (Vec<Value>, Vec<Value>) = all.iter().cloned().partition(is_left);
    let first = left.first()?;
    // One manager has one entry, whatever version it is in.
    let mut ours = match kept.iter().position(is_ours) {
        Some(index) if text(&kept[index], "apiVersion") == live.api_version() => kept.remove(index),
        Some(_) => return None,
        None => {
            let mut ours = first.clone();
            ours["fieldsV1"] = json!({});
            ours
        }
    };
    ours["manager"] = MANAGER.into();
    ours["operation"] = "Apply".into();
    for entry in &left {
        add_fields(&mut ours["fieldsV1"], &entry["fieldsV1"]);
    }
    kept.push(ours);
    Some(kept)
}

/// The union of two sets of fields as `fieldsV1` writes them.
fn add_fields(into: &mut Value, from: &Value) {
    let (Some(into), Some(from)) = (into.as_object_mut(), from.as_object()) else {
        return;
    };
    for (key, fields) in from {
        add_fields(into.entry(key.clone()).or_insert_with(|| json!({})), fields);
    }
}

/// What an apply would give that also removes what other deployers left: `predicted` is the answer
/// of a dry run, in which their fields are still there. `None` when nothing goes.
#[must_use]
pub fn without_leftovers(live: &Object, predicted: &Object) -> Option<Object> {
    let version = live.api_version();
    let is_left = |entry: &Entry| {
        let versions = (entry.api_version.as_str(), version);
        is_left(
            &entry.manager,
            &entry.operation,
            &entry.subresource,
            versions,
        )
    };
    let union = |entries: Vec<Entry>, wanted: bool| {
        let mut all = FieldSet::default();
        for entry in entries.into_iter().filter(|entry| is_left(entry) == wanted) {
            all.merge(entry.fields);
        }
        all
    };
    let old = union(managed_fields::entries(live), true);
    let kept = union(managed_fields::entries(predicted), false);
    let mut rest = predicted.clone();
    remove(rest.tree_mut(), &old, Some(&kept));
    (rest != *predicted).then_some(rest)
}

/// Removes from a value the parts that are in one set and not in the other.
fn remove(value: &mut Value, old: &FieldSet, kept: Option<&FieldSet>) {
    for (part, old) in &old.parts {
        let kept = kept.and_then(|kept| kept.part(part));
        let goes = kept.is_none() && (old.member || old.is_leaf());
        if goes {
            part.remove_from(value);
        } else if kept.is_none_or(|kept| !kept.is_leaf())
            && let Some(inner) = part.of_mut(value)
        {
            remove(inner, old, kept);
        }
    }
}

/// The JSON merge patch (RFC 7396) that makes one object into the other, as far as people and
/// charts write it: the server's own metadata and the status are left alone.
#[must_use]
pub fn merge_patch(from: &Object, to: &Object) -> Value {
    let mut patch = difference(from.tree(), to.tree());
    if let Some(root) = patch.as_object_mut() {
        root.remove("status");
        if let Some(metadata) = root.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata
                .retain(|key, _| ["labels", "annotations", "finalizers"].contains(&key.as_str()));
        }
    }
    patch
}

fn difference(from: &Value, to: &Value) -> Value {
    let (Some(old), Some(new)) = (from.as_object(), to.as_object()) else {
        return to.clone();
    };
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    let mut patch: Map<String, Value> = gone.map(|key| (key.clone(), Value::Null)).collect();
    for (key, new) in new {
        match old.get(key) {
            Some(old) if old == new => {}
            Some(old) => drop(patch.insert(key.clone(), difference(old, new))),
            None => drop(patch.insert(key.clone(), new.clone())),
        }
    }
    Value::Object(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live() -> Object {
        Object::new(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "web", "labels": {"old": "x", "both": "y", "theirs": "z"}, "managedFields": [
                {"manager": "kubectl-client-side-apply", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
                 "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:old": {}, "f:both": {}}},
                    "f:spec": {"f:ports": {".": {}, "k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}},
                        "k:{\"port\":81,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}}}},
                {"manager": "kubectl", "operation": "Update", "subresource": "scale", "apiVersion": "v1", "fieldsV1": {"f:spec": {"f:x": {}}}},
                {"manager": "somebody", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:metadata": {"f:labels": {"f:theirs": {}}}}}]},
            "spec": {"x": 1, "ports": [{"port": 80, "protocol": "TCP"}, {"port": 81, "protocol": "TCP"}]}
        }))
        .unwrap()
    }

    /// As a dry run answers: with our own entry beside the others.
    fn predicted() -> Object {
        let mut predicted = live();
        let ours = json!({"manager": "windlass", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": {"f:labels": {"f:both": {}}},
                "f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}}}});
        let fields = predicted.tree_mut()["metadata"]["managedFields"].as_array_mut();
        fields.unwrap().push(ours);
        predicted
    }

    #[test]
    fn what_nobody_else_owns_goes() {
        let live = live();
        let rest = without_leftovers(&live, &predicted()).unwrap();
        assert_eq!(
            rest.tree()["metadata"]["labels"],
            json!({"both": "y", "theirs": "z"})
        );
        assert_eq!(
            rest.tree()["spec"],
            json!({"x": 1, "ports": [{"port": 80, "protocol": "TCP"}]})
        );
        assert_eq!(
            merge_patch(&live, &rest),
            json!({"metadata": {"labels": {"old": null}}, "spec": {"ports": [{"port": 80, "protocol": "TCP"}]}})
        );
    }

    #[test]
    fn their_fields_become_ours_and_all_others_stay() {
        let fields = managed_by_us(&predicted()).unwrap();
        let managers: Vec<_> = fields
            .iter()
            .map(|entry| entry["manager"].as_str())
            .collect();
        assert_eq!(
            managers,
            [Some("kubectl"), Some("somebody"), Some("windlass")]
        );
        let ours = FieldSet::parse(&fields[2]["fieldsV1"]);
        let mut both = FieldSet::default();
        for entry in managed_fields::entries(&predicted()) {
            if entry.manager.starts_with("kubectl-") || entry.manager == MANAGER {
                both.merge(entry.fields);
            }
        }
        let names = |set: &FieldSet| set.values(None);
        assert_eq!(names(&ours), names(&both));
        assert!(managed_by_us(&Object::new(json!({"kind": "x"})).unwrap()).is_none());
    }
}
