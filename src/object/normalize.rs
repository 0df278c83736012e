//! Makes a manifest fit for server-side apply without changing what it means.
//!
//! Client-side apply took all of this; server-side apply rejects it or takes ownership of fields
//! nobody set. Facts tried on a real server, `lock`ed in by the tests below.

use super::keyed::{KeyedList, each_list};
use super::{Object, keyed};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// What the server keeps for itself under `metadata`; a manifest exported from a cluster has it.
const SERVER_METADATA: &[&str] = &[
    "creationTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Normalizes a manifest: strips nulls from maps, `status` and the metadata that only the server
/// writes, turns a Secret's `stringData` into `data` and keeps the last of list items with the same
/// key. Returns a warning for whatever the user should mend.
pub fn normalize(object: &mut Object) -> Vec<String> {
    let mut warnings = Vec::new();
    strip_nulls(object.tree_mut());
    strip_server_fields(object, &mut warnings);
    if object.kind() == "Secret" && object.api_version() == "v1" {
        string_data_to_data(object);
    }
    if object.kind() == "ClusterRole" {
        drop_aggregated_rules(object, &mut warnings);
    }
    each_list(object, &mut |path, list, items| {
        for name in drop_duplicates(list, items) {
            warnings.push(format!(
                "duplicate entry {name} in {path}: the last one is used"
            ));
        }
    });
    warnings
}

/// Removes the keys of maps whose value is null; items of lists stay. Uses a stack of its own, so
/// that no depth of the input can exhaust the thread's.
fn strip_nulls(tree: &mut Value) {
    let mut todo = vec![tree];
    while let Some(node) = todo.pop() {
        match node {
            Value::Object(map) => {
                map.retain(|_, value| !value.is_null());
                todo.extend(map.values_mut());
            }
            Value::Array(items) => todo.extend(items),
            _ => {}
        }
    }
}

fn strip_server_fields(object: &mut Object, warnings: &mut Vec<String>) {
    let Some(root) = object.tree_mut().as_object_mut() else {
        return;
    };
    root.remove("status");
    let Some(metadata) = root.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    let removed: Vec<_> = SERVER_METADATA
        .iter()
        .filter(|key| metadata.remove(**key).is_some())
        .copied()
        .collect();
    if !removed.is_empty() {
        warnings.push(format!(
            "metadata.{} is the server's own: ignored",
            removed.join(", metadata.")
        ));
    }
}

/// Moves the texts of `stringData` into `data`, where they win as they do on the server. What is
/// not a text stays, for the server to reject it by its name.
fn string_data_to_data(object: &mut Object) {
    let Some(root) = object.tree_mut().as_object_mut() else {
        return;
    };
    let Some(Value::Object(texts)) = root.remove("stringData") else {
        return;
    };
    let mut rest = Map::new();
    let mut moved = Map::new();
    for (key, value) in texts {
        match value {
            Value::String(text) => {
                moved.insert(key, Value::from(STANDARD.encode(text)));
            }
            other => {
                rest.insert(key, other);
            }
        }
    }
    if !rest.is_empty() {
        root.insert("stringData".to_owned(), Value::Object(rest));
    }
    if moved.is_empty() {
        return;
    }
    if let Value::Object(data) = root
        .entry("data")
        .or_insert_with(|| Value::Object(Map::new()))
    {
        data.extend(moved);
    }
}

/// Drops the rules of a ClusterRole that is aggregated: they are its controller's, which the apply
/// would be in conflict with for ever.
fn drop_aggregated_rules(object: &mut Object, warnings: &mut Vec<String>) {
    let selectors = object.list(&["aggregationRule", "clusterRoleSelectors"]);
    if selectors.is_empty() {
        return;
    }
    let rules = object.tree_mut().as_object_mut();
    let rules = rules.and_then(|root| root.remove("rules"));
    if rules.is_some_and(|rules| rules.as_array().is_some_and(|rules| !rules.is_empty())) {
        warnings
            .push("rules of an aggregated ClusterRole are its controller's: ignored".to_owned());
    }
}

/// Drops all but the last item of each key and returns the keys that had more than one, as
/// `name=A`.
fn drop_duplicates(list: &KeyedList, items: &mut Vec<Value>) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut doubled = Vec::new();
    let mut kept = Vec::with_capacity(items.len());
    for item in std::mem::take(items).into_iter().rev() {
        match keyed::item_key(list, &item) {
            Some(key) if !seen.insert(key.clone()) => {
                if !doubled.contains(&key) {
                    doubled.push(key);
                }
            }
            _ => kept.push(item),
        }
    }
    kept.reverse();
    doubled.reverse();
    *items = kept;
    doubled
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn normalized(tree: Value) -> (Value, Vec<String>) {
        let mut object = Object::new(tree).unwrap();
        let warnings = normalize(&mut object);
        (object.into_tree(), warnings)
    }

    #[test]
    fn nulls_and_server_fields_go() {
        let (tree, warnings) = normalized(json!({
            "kind": "Deployment", "apiVersion": "apps/v1",
            "metadata": {"name": "a", "creationTimestamp": null, "labels": null},
            "spec": {"template": {"metadata": {"creationTimestamp": null}}, "list": [null, {"a": null}]},
            "status": {}
        }));
        assert_eq!(
            tree,
            json!({"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "a"},
                   "spec": {"template": {"metadata": {}}, "list": [null, {}]}})
        );
        assert!(warnings.is_empty());
    }

    #[test]
    fn an_export_of_a_live_object_is_cleaned_with_a_warning() {
        let (tree, warnings) = normalized(json!({
            "kind": "ConfigMap", "apiVersion": "v1",
            "metadata": {"name": "a", "uid": "u", "resourceVersion": "1", "managedFields": []}
        }));
        assert_eq!(tree["metadata"], json!({"name": "a"}));
        insta::assert_snapshot!(warnings.join("\n"), @"metadata.managedFields, metadata.resourceVersion, metadata.uid is the server's own: ignored");
    }

    #[test]
    fn rules_of_an_aggregated_cluster_role_go() {
        let role = |rules: Value| {
            normalized(
                json!({"kind": "ClusterRole", "apiVersion": "rbac.authorization.k8s.io/v1",
                "aggregationRule": {"clusterRoleSelectors": [{}]}, "rules": rules}),
            )
        };
        let (tree, warnings) = role(json!([]));
        assert!(tree.get("rules").is_none() && warnings.is_empty());
        let (tree, warnings) = role(json!([{"verbs": ["get"]}]));
        assert!(tree.get("rules").is_none());
        insta::assert_snapshot!(warnings.join(""), @"rules of an aggregated ClusterRole are its controller's: ignored");
    }

    #[test]
    fn string_data_becomes_data_and_wins() {
        let (tree, _) = normalized(json!({
            "kind": "Secret", "apiVersion": "v1", "data": {"a": "b2xk", "b": "Yg=="},
            "stringData": {"a": "new", "n": 5}
        }));
        assert_eq!(tree["data"], json!({"a": "bmV3", "b": "Yg=="}));
        assert_eq!(tree["stringData"], json!({"n": 5}));
    }

    #[test]
    fn the_last_of_duplicates_stays_and_is_named() {
        let (tree, warnings) = normalized(json!({
            "kind": "Deployment", "apiVersion": "apps/v1", "spec": {"template": {"spec": {
                "containers": [{"name": "web",
                    "env": [{"name": "A", "value": "1"}, {"name": "B"}, {"name": "A", "value": "2"}],
                    "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}, {"containerPort": 80, "protocol": "UDP"}]}]
            }}}
        }));
        let web = &tree["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(
            web["env"],
            json!([{"name": "B"}, {"name": "A", "value": "2"}])
        );
        assert_eq!(web["ports"].as_array().unwrap().len(), 2);
        insta::assert_snapshot!(warnings.join("\n"), @"
        duplicate entry name=A in spec.template.spec.containers[name=web].env: the last one is used
        duplicate entry containerPort=80,protocol=TCP in spec.template.spec.containers[name=web].ports: the last one is used
        ");
    }
}
