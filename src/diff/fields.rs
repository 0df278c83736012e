//! Two trees → the fields that differ, list items told apart by their keys.

use super::mask::is_masked;
use super::{FieldChange, FieldOp, FieldOwner};
use crate::object::managed_fields::{Entry, FieldSet, MANAGER, Part};
use serde_json::{Map, Value};

/// Keys that tell the items of a list apart, in the order they are tried. The first that every item
/// of both sides has, each with another value, is used.
const KEYS: &[&[&str]] = &[
    &["name"],
    &["containerPort"],
    &["containerPort", "protocol"],
    &["port"],
    &["port", "protocol"],
    &["mountPath"],
    &["devicePath"],
    &["type"],
    &["key"],
    &["topologyKey"],
    &["topologyKey", "whenUnsatisfiable"],
    &["ip"],
    &["host"],
    &["path"],
    &["uid"],
    &["id"],
];

/// The fields that differ between two shown trees, in order of their path. `owners` are the
/// entries of the live object's `managedFields`.
pub(crate) fn fields(before: &Value, after: &Value, owners: &[Entry]) -> Vec<FieldChange> {
    let mut walk = Walk {
        path: Vec::new(),
        found: Vec::new(),
    };
    let owners: Owners<'_> = owners.iter().map(|entry| (entry, &entry.fields)).collect();
    walk.value(before, after, &owners);
    walk.found
}

/// What each manager owns of the value at hand.
type Owners<'a> = Vec<(&'a Entry, &'a FieldSet)>;

struct Walk {
    path: Vec<Part>,
    found: Vec<FieldChange>,
}

impl Walk {
    /// Compares two values. Goes as deep as the input, which its readers bound.
    fn value(&mut self, before: &Value, after: &Value, owners: &Owners<'_>) {
        if before == after {
            return;
        }
        match (before, after) {
            (Value::Object(before), Value::Object(after)) => self.maps(before, after, owners),
            (Value::Array(before), Value::Array(after)) => self.lists(before, after, owners),
            _ => self.push(Some(before), Some(after), owners),
        }
    }

    fn maps(
        &mut self,
        before: &Map<String, Value>,
        after: &Map<String, Value>,
        owners: &Owners<'_>,
    ) {
        let added = after.keys().filter(|key| !before.contains_key(*key));
        let mut keys: Vec<&String> = before.keys().chain(added).collect();
        keys.sort();
        for key in keys {
            let part = Part::Field(key.clone());
            self.part(part, before.get(key), after.get(key), owners);
        }
    }

    fn part(
        &mut self,
        part: Part,
        before: Option<&Value>,
        after: Option<&Value>,
        owners: &Owners<'_>,
    ) {
        if before == after {
            return;
        }
        let owners = narrow(owners, &part, before);
        self.path.push(part);
        match (before, after) {
            (Some(before), Some(after)) => self.value(before, after, &owners),
            _ => self.push(before, after, &owners),
        }
        self.path.pop();
    }

    fn lists(&mut self, before: &[Value], after: &[Value], owners: &Owners<'_>) {
        if let Some(keys) = keys_of(before, after) {
            return self.keyed(keys, before, after, owners);
        }
        if before.len() == after.len() {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                self.part(Part::Index(index), Some(before), Some(after), owners);
            }
            return;
        }
        self.push(Some(&before.into()), Some(&after.into()), owners);
    }

    fn keyed(&mut self, keys: &[&str], before: &[Value], after: &[Value], owners: &Owners<'_>) {
        let pick = |item: &Value| -> Map<String, Value> {
            keys.iter()
                .filter_map(|key| Some(((*key).to_owned(), item.get(key)?.clone())))
                .collect()
        };
        let (old, new): (Vec<_>, Vec<_>) = (
            before.iter().map(pick).collect(),
            after.iter().map(pick).collect(),
        );
        let count = self.found.len();
        for (item, key) in before.iter().zip(&old) {
            let other = new
                .iter()
                .position(|other| other == key)
                .map(|index| &after[index]);
            self.part(Part::Key(key.clone()), Some(item), other, owners);
        }
        for (item, key) in after.iter().zip(&new).filter(|(_, key)| !old.contains(key)) {
            self.part(Part::Key(key.clone()), None, Some(item), owners);
        }
        if self.found.len() == count {
            // The same items in another order.
            let names = |keys: Vec<Map<String, Value>>| -> Value {
                keys.into_iter().map(Value::Object).collect()
            };
            self.push(Some(&names(old)), Some(&names(new)), owners);
        }
    }

    fn push(&mut self, before: Option<&Value>, after: Option<&Value>, owners: &Owners<'_>) {
        let op = match (before, after) {
            (None, _) => FieldOp::Add,
            (_, None) => FieldOp::Remove,
            _ => FieldOp::Replace,
        };
        self.found.push(FieldChange {
            path: show(&self.path),
            op,
            before: before.cloned(),
            after: after.cloned(),
            masked: [before, after].into_iter().flatten().any(is_masked),
            owner: before.and_then(|_| owner(owners)),
        });
    }
}

/// Calls `visit` with the path and the value of each member of a set that is in a shown tree and has
/// no parts of its own.
pub(crate) fn members(set: &FieldSet, tree: &Value, visit: &mut dyn FnMut(String, &Value)) {
    let mut todo = vec![(Vec::new(), set, tree)];
    while let Some((path, set, value)) = todo.pop() {
        if set.is_leaf() && set.member {
            visit(show(&path), value);
        }
        for (part, set) in set.parts.iter().rev() {
            if let Some(value) = part.of(value) {
                let mut path: Vec<Part> = path.clone();
                path.push(part.clone());
                todo.push((path, set, value));
            }
        }
    }
}

/// Who owns a live value: we, if we are among those who do.
fn owner(owners: &Owners<'_>) -> Option<FieldOwner> {
    let holding = || owners.iter().filter(|(_, set)| !set.is_empty());
    let ours = holding().find(|(entry, _)| entry.manager == MANAGER);
    let (entry, _) = ours.or_else(|| holding().next())?;
    Some(FieldOwner {
        manager: entry.manager.clone(),
        operation: entry.operation.clone(),
        subresource: entry.subresource.clone(),
        since: entry.time.clone(),
    })
}

/// What the managers own of a part of a value. Who owns the whole owns its parts.
fn narrow<'a>(owners: &Owners<'a>, part: &Part, live: Option<&Value>) -> Owners<'a> {
    owners
        .iter()
        .filter_map(|(entry, set)| {
            if set.is_leaf() {
                return Some((*entry, *set));
            }
            let found = set
                .parts
                .iter()
                .find(|(other, _)| match (other, part, live) {
                    (Part::Key(keys), Part::Key(_), Some(item)) => {
                        keys.iter().all(|(key, value)| item.get(key) == Some(value))
                    }
                    (Part::Item(value), Part::Index(_), Some(item)) => value == item,
                    _ => other == part,
                });
            found.map(|(_, set)| (*entry, set))
        })
        .collect()
}

/// The keys that tell all items of both lists apart.
pub(super) fn keys_of(before: &[Value], after: &[Value]) -> Option<&'static [&'static str]> {
    KEYS.iter()
        .copied()
        .find(|keys| [before, after].iter().all(|items| are_unique(keys, items)))
}

fn are_unique(keys: &[&str], items: &[Value]) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    items.iter().all(|item| {
        let key = keys.iter().enumerate().map(|(i, key)| match item.get(key) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(value @ Value::Number(_)) => Some(value.to_string()),
            // The keys after the first may be defaults that one side leaves out.
            None if i > 0 => Some(String::new()),
            _ => None,
        });
        key.collect::<Option<Vec<_>>>()
            .is_some_and(|key| seen.insert(key))
    })
}

/// A path for people: `spec.containers[name=web].image`, `metadata.annotations[a.b/c]`.
fn show(path: &[Part]) -> String {
    path.iter().fold(String::new(), |text, part| match part {
        Part::Field(name) if is_plain(name) && text.is_empty() => name.clone(),
        Part::Field(name) if is_plain(name) => format!("{text}.{name}"),
        Part::Field(name) => format!("{text}[{name}]"),
        Part::Index(index) => format!("{text}[{index}]"),
        Part::Item(value) => format!("{text}[={value}]"),
        Part::Key(keys) => {
            let pairs = keys.iter().map(|(key, value)| match value {
                Value::String(value) => format!("{key}={value}"),
                value => format!("{key}={value}"),
            });
            format!("{text}[{}]", pairs.collect::<Vec<_>>().join(","))
        }
    })
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn listed(before: &Value, after: &Value, owners: &[Entry]) -> String {
        fields(before, after, owners)
            .iter()
            .map(|field| serde_json::to_string(field).unwrap() + "\n")
            .collect()
    }

    #[test]
    fn list_items_are_named_by_their_key() {
        let before = json!({"spec": {"containers": [{"name": "web", "image": "a", "args": ["x", "y"]}, {"name": "old"}]}});
        let after = json!({"spec": {"containers": [{"name": "new"}, {"name": "web", "image": "b", "args": ["x", "z"]}]}});
        insta::assert_snapshot!(listed(&before, &after, &[]), @r#"
        {"path":"spec.containers[name=web].args[1]","op":"replace","before":"y","after":"z","masked":false}
        {"path":"spec.containers[name=web].image","op":"replace","before":"a","after":"b","masked":false}
        {"path":"spec.containers[name=old]","op":"remove","before":{"name":"old"},"masked":false}
        {"path":"spec.containers[name=new]","op":"add","after":{"name":"new"},"masked":false}
        "#);
    }

    #[test]
    fn ports_are_told_apart_by_number_and_protocol() {
        let before = json!([{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP", "nodePort": 1}]);
        let after = json!([{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP", "nodePort": 2}]);
        insta::assert_snapshot!(listed(&json!({"ports": before}), &json!({"ports": after}), &[]), @r#"{"path":"ports[port=53,protocol=UDP].nodePort","op":"replace","before":1,"after":2,"masked":false}"#);
    }

    #[test]
    fn odd_keys_stand_in_brackets_and_masked_values_are_marked() {
        let before = json!({"data": {"a.pem": "<masked 0000aaaa>"}, "metadata": {"annotations": {"x.io/y": "1"}}});
        let after =
            json!({"data": {"a.pem": "<masked 0000bbbb>"}, "metadata": {"annotations": {}}});
        insta::assert_snapshot!(listed(&before, &after, &[]), @r#"
        {"path":"data[a.pem]","op":"replace","before":"<masked 0000aaaa>","after":"<masked 0000bbbb>","masked":true}
        {"path":"metadata.annotations[x.io/y]","op":"remove","before":"1","masked":false}
        "#);
    }

    #[test]
    fn another_order_of_the_same_items_is_one_change() {
        let before = json!({"l": [{"name": "a"}, {"name": "b"}]});
        let after = json!({"l": [{"name": "b"}, {"name": "a"}]});
        insta::assert_snapshot!(listed(&before, &after, &[]), @r#"{"path":"l","op":"replace","before":[{"name":"a"},{"name":"b"}],"after":[{"name":"b"},{"name":"a"}],"masked":false}"#);
    }

    #[test]
    fn the_owner_of_a_live_value_is_named_with_its_time() {
        let entry = |manager: &str, fields: Value| Entry {
            manager: manager.to_owned(),
            operation: "Update".to_owned(),
            subresource: String::new(),
            api_version: "v1".to_owned(),
            time: "2026-11-21T10:00:00Z".to_owned(),
            fields: FieldSet::parse(&fields),
        };
        let owners = [
            entry("hpa", json!({"f:spec": {"f:replicas": {}}})),
            entry("windlass", json!({"f:spec": {"f:image": {}}})),
            entry(
                "edit",
                json!({"f:spec": {"f:image": {}, "f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}}}}}),
            ),
        ];
        let before = json!({"spec": {"replicas": 1, "image": "a", "ports": [{"name": "a", "port": 80, "protocol": "TCP", "x": 1}]}});
        let after = json!({"spec": {"replicas": 2, "image": "b", "ports": [{"name": "a", "port": 80, "protocol": "TCP", "x": 2}]}});
        let found = fields(&before, &after, &owners);
        let managers: Vec<_> = found
            .iter()
            .map(|field| {
                let owner = field.owner.as_ref().map(ToString::to_string);
                (field.path.as_str(), owner.unwrap_or_default())
            })
            .collect();
        assert_eq!(
            managers,
            [
                (
                    "spec.image",
                    "windlass since 2026-11-21T10:00:00Z".to_owned()
                ),
                ("spec.ports[name=a].x", String::new()),
                ("spec.replicas", "hpa since 2026-11-21T10:00:00Z".to_owned())
            ]
        );
    }
}
