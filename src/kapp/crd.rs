//! Changes of CustomResourceDefinitions that could lose data: kapp's preflight check
//! `CRDUpgradeSafety` (`pkg/kapp/crdupgradesafety`).

use crate::object::Object;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What is dangerous about making a live definition the desired one; nothing for other kinds.
#[must_use]
pub fn dangers(live: &Object, desired: &Object) -> Vec<String> {
    let mut found = Vec::new();
    if desired.kind() != "CustomResourceDefinition" {
        return found;
    }
    let (before, after) = (
        live.text(&["spec", "scope"]),
        desired.text(&["spec", "scope"]),
    );
    if before != after {
        found.push(format!("its scope changes from {before} to {after}"));
    }
    let versions = names(desired);
    for stored in live.list(&["status", "storedVersions"]) {
        let stored = stored.as_str().unwrap_or_default();
        if !versions.contains(stored) {
            found.push(format!("version {stored} is stored and would be gone"));
        }
    }
    for version in desired.list(&["spec", "versions"]) {
        let name = version["name"].as_str().unwrap_or_default();
        let mut old = live.list(&["spec", "versions"]).iter();
        let Some(old) = old.find(|old| old["name"] == name) else {
            continue;
        };
        let (before, after) = (fields(old), fields(version));
        for (path, schema) in &before {
            match after.get(path) {
                None => found.push(format!("version {name}: {} would be gone", field(path))),
                Some(new) => found.extend(stricter(schema, new).into_iter().map(|rule| {
                    format!("version {name}: {} becomes stricter: {rule}", field(path))
                })),
            }
        }
    }
    found
}

fn names(definition: &Object) -> BTreeSet<&str> {
    let versions = definition.list(&["spec", "versions"]).iter();
    versions
        .filter_map(|version| version["name"].as_str())
        .collect()
}

/// The schemas of all fields of a version, by their path.
fn fields(version: &Value) -> BTreeMap<String, &Value> {
    let mut found = BTreeMap::new();
    let mut todo = vec![(String::new(), &version["schema"]["openAPIV3Schema"])];
    while let Some((path, schema)) = todo.pop() {
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            todo.push((format!("{path}.{name}"), inner));
        }
        for (key, mark) in [("items", "[*]"), ("additionalProperties", ".*")] {
            if schema[key].is_object() {
                todo.push((format!("{path}{mark}"), &schema[key]));
            }
        }
        found.insert(path, schema);
    }
    found
}

/// A field by its path; the empty path is the object itself.
fn field(path: &str) -> String {
    match path.strip_prefix('.') {
        Some(path) => format!("field {path}"),
        None => "the object".to_owned(),
    }
}

/// What a new schema of a field asks of its values that the old one did not.
fn stricter(old: &Value, new: &Value) -> Vec<String> {
    let number = |schema: &Value, rule: &str| schema[rule].as_f64();
    let list = |schema: &Value, rule: &str| schema[rule].as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for what in ["imum", "Length", "Items", "Properties"] {
        for (side, sign) in [("min", 1.0), ("max", -1.0)] {
            let rule = format!("{side}{what}");
            let before = number(old, &rule).map_or(f64::NEG_INFINITY, |limit| limit * sign);
            if let Some(after) = number(new, &rule).filter(|after| after * sign > before) {
                found.push(format!("{rule} {after}"));
            }
        }
    }
    let before = list(old, "enum");
    let lacks = |after: &[Value]| before.iter().any(|value| !after.contains(value));
    let after = list(new, "enum");
    if !after.is_empty() && (before.is_empty() || lacks(&after)) {
        found.push(format!("enum {}", new["enum"]));
    }
    let required = list(old, "required");
    let added = list(new, "required");
    let added = added.iter().filter(|name| !required.contains(name));
    let added = added.filter_map(Value::as_str);
    found.extend(added.map(|name| format!("{name} is required")));
    for rule in ["pattern", "default", "type"] {
        if old[rule] != new[rule] {
            found.push(format!("{rule} {}", new[rule]));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definition(scope: &str, version: &str, schema: &Value) -> Object {
        let tree = json!({"kind": "CustomResourceDefinition", "metadata": {"name": "d"},
            "spec": {"scope": scope, "versions": [{"name": version, "schema": {"openAPIV3Schema": schema}}]},
            "status": {"storedVersions": ["v1"]}});
        Object::new(tree).unwrap()
    }

    #[test]
    fn what_loses_data_or_refuses_it_is_told() {
        let before = json!({"properties": {"a": {"type": "string"}, "b": {"items": {"properties": {"c": {"maximum": 9}}}}}});
        let live = definition("Namespaced", "v1", &before);
        let told = |desired: &Object| dangers(&live, desired).join("\n");
        assert_eq!(told(&live), "");
        let more = json!({"properties": {"a": {"type": "string"}, "b": {"items": {"properties": {"c": {"maximum": 10}}}}, "new": {"minimum": 1}}});
        assert_eq!(told(&definition("Namespaced", "v1", &more)), "");
        let less = json!({"required": ["a"], "properties": {"a": {"type": "string", "enum": ["x"]}, "b": {"items": {"properties": {}}}}});
        insta::assert_snapshot!(told(&definition("Cluster", "v1", &less)), @r#"
        its scope changes from Namespaced to Cluster
        version v1: the object becomes stricter: a is required
        version v1: field a becomes stricter: enum ["x"]
        version v1: field b[*].c would be gone
        "#);
        insta::assert_snapshot!(told(&definition("Namespaced", "v2", &before)), @"version v1 is stored and would be gone");
    }
}
