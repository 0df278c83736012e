//! Which fields of a live object a field manager owns: `metadata.managedFields` read as a tree.
//!
//! The format is `FieldsV1` of sigs.k8s.io/structured-merge-diff: `f:name` is a field, `k:{…}` an
//! item of a list by its keys, `v:…` an item of a set by its value, `i:0` an item by its index and
//! `.` the thing itself.

use super::Object;
use serde_json::{Map, Value};

/// The field manager windlass writes as.
pub const MANAGER: &str = "windlass";

/// One step from a value to a part of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// A field of a map.
    Field(String),
    /// The item of a list that has these values under its keys.
    Key(Map<String, Value>),
    /// The item of a set that has this value.
    Item(Value),
    /// The item of a list at an index.
    Index(usize),
}

impl Part {
    /// Reads a key of `fieldsV1`; `None` for a key of no known form.
    fn parse(key: &str) -> Option<Self> {
        let (form, rest) = key.split_once(':')?;
        match form {
            "f" => Some(Self::Field(rest.to_owned())),
            "k" => match serde_json::from_str(rest).ok()? {
                Value::Object(keys) => Some(Self::Key(keys)),
                _ => None,
            },
            "v" => serde_json::from_str(rest).ok().map(Self::Item),
            "i" => rest.parse().ok().map(Self::Index),
            _ => None,
        }
    }

    /// The part of a value that is meant.
    #[must_use]
    pub fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        match self {
            Self::Field(name) => value.get(name),
            Self::Index(index) => value.get(index),
            Self::Item(item) => value.as_array()?.iter().find(|other| *other == item),
            Self::Key(keys) => value
                .as_array()?
                .iter()
                .find(|item| keys.iter().all(|(key, value)| item.get(key) == Some(value))),
        }
    }
}

impl Part {
    /// The part of a value that is meant, to be changed.
    pub(crate) fn of_mut<'a>(&self, value: &'a mut Value) -> Option<&'a mut Value> {
        match self {
            Self::Field(name) => value.get_mut(name),
            _ => {
                let index = self.index_in(value)?;
                value.get_mut(index)
            }
        }
    }

    /// Takes the part out of a value.
    pub(crate) fn remove_from(&self, value: &mut Value) {
        match (self, value) {
            (Self::Field(name), Value::Object(map)) => drop(map.remove(name)),
            (_, value) => {
                if let Some(index) = self.index_in(value)
                    && let Value::Array(items) = value
                {
                    items.remove(index);
                }
            }
        }
    }

    fn index_in(&self, value: &Value) -> Option<usize> {
        let found = self.of(value)?;
        let items = value.as_array()?;
        items.iter().position(|item| std::ptr::eq(item, found))
    }
}

/// A set of fields as a tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldSet {
    /// Whether the value itself is a member (`.`, or a leaf).
    pub member: bool,
    /// The parts of the value that have members.
    pub parts: Vec<(Part, Self)>,
}

impl FieldSet {
    /// Reads `fieldsV1`. Keys of unknown form are left out.
    #[must_use]
    pub fn parse(fields: &Value) -> Self {
        let Some(map) = fields.as_object() else {
            return Self::default();
        };
        let mut set = Self {
            member: map.is_empty(),
            parts: Vec::new(),
        };
        for (key, fields) in map {
            if key == "." {
                set.member = true;
            } else if let Some(part) = Part::parse(key) {
                set.parts.push((part, Self::parse(fields)));
            }
        }
        set
    }

    /// Whether nothing is a member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.member && self.parts.iter().all(|(_, set)| set.is_empty())
    }

    /// Whether the value is owned as a whole: no part of it is told apart.
    #[must_use]
    pub fn is_leaf(&self) -> bool {
        self.parts.is_empty()
    }

    /// The set under one part of the value.
    #[must_use]
    pub fn part(&self, part: &Part) -> Option<&Self> {
        self.parts
            .iter()
            .find(|(other, _)| other == part)
            .map(|(_, set)| set)
    }

    /// Adds all members of another set.
    pub fn merge(&mut self, other: Self) {
        self.member |= other.member;
        for (part, set) in other.parts {
            match self.parts.iter_mut().find(|(known, _)| *known == part) {
                Some((_, known)) => known.merge(set),
                None => self.parts.push((part, set)),
            }
        }
    }

    /// The members of the set with their values in an object, as a tree of its own: what a digest
    /// of the owned values is taken of. A member that is missing in the object is `null`.
    #[must_use]
    pub fn values(&self, value: Option<&Value>) -> Value {
        if self.is_leaf() {
            return Value::Array(value.cloned().into_iter().collect());
        }
        let mut values = Map::new();
        if self.member {
            values.insert(".".to_owned(), Value::Bool(value.is_some()));
        }
        for (part, set) in &self.parts {
            let found = value.and_then(|value| part.of(value));
            values.insert(part.to_string(), set.values(found));
        }
        Value::Object(values)
    }
}

impl std::fmt::Display for Part {
    /// The part as `fieldsV1` writes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Field(name) => write!(f, "f:{name}"),
            Self::Key(keys) => {
                write!(f, "k:{}", serde_json::to_string(keys).unwrap_or_default())
            }
            Self::Item(item) => write!(f, "v:{item}"),
            Self::Index(index) => write!(f, "i:{index}"),
        }
    }
}

/// One entry of `metadata.managedFields`.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The name of the field manager.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// The subresource it was written through (`status`, `scale`); empty for the object itself.
    pub subresource: String,
    /// The version of the API the fields are named in.
    pub api_version: String,
    /// When the manager last changed what it owns, as the server writes it; may be empty.
    pub time: String,
    /// The fields.
    pub fields: FieldSet,
}

/// The entries of `metadata.managedFields`.
#[must_use]
pub fn entries(live: &Object) -> Vec<Entry> {
    let text = |entry: &Value, key: &str| {
        entry
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    live.list(&["metadata", "managedFields"])
        .iter()
        .map(|entry| Entry {
            manager: text(entry, "manager"),
            operation: text(entry, "operation"),
            subresource: text(entry, "subresource"),
            api_version: text(entry, "apiVersion"),
            time: text(entry, "time"),
            fields: entry
                .get("fieldsV1")
                .map(FieldSet::parse)
                .unwrap_or_default(),
        })
        .collect()
}

/// Who wrote an object between two states of it, and when: `kubectl-edit at 2026-01-02T03:04:05Z`.
#[must_use]
pub fn written_since(before: &Object, after: &Object) -> Vec<String> {
    let old = before.list(&["metadata", "managedFields"]);
    let entries = after.list(&["metadata", "managedFields"]).iter();
    let new = entries.filter(|entry| !old.contains(entry));
    let written = new.map(|entry| {
        let text = |key: &str| entry[key].as_str().unwrap_or_default();
        match text("time") {
            "" => text("manager").to_owned(),
            time => format!("{} at {time}", text("manager")),
        }
    });
    written.collect()
}

/// The fields that a manager owns by server-side apply. `None` when it never applied the object.
#[must_use]
pub fn applied_by(live: &Object, manager: &str) -> Option<FieldSet> {
    applied_entries(live, manager)
        .map(|entry| {
            entry
                .get("fieldsV1")
                .map(FieldSet::parse)
                .unwrap_or_default()
        })
        .reduce(|mut all, fields| {
            all.merge(fields);
            all
        })
}

/// Whether all fields that a manager applied are named in a version of the API.
#[must_use]
pub fn applied_in(live: &Object, manager: &str, api_version: &str) -> bool {
    applied_entries(live, manager)
        .all(|entry| entry.get("apiVersion").and_then(Value::as_str) == Some(api_version))
}

/// The raw entries of what a manager applied; reading those of all others is dear.
fn applied_entries<'a>(live: &'a Object, manager: &'a str) -> impl Iterator<Item = &'a Value> {
    let is =
        |entry: &Value, key: &str, text: &str| entry.get(key).and_then(Value::as_str) == Some(text);
    live.list(&["metadata", "managedFields"])
        .iter()
        .filter(move |entry| {
            is(entry, "manager", manager)
                && is(entry, "operation", "Apply")
                && entry
                    .get("subresource")
                    .is_none_or(|subresource| subresource == "")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service() -> Object {
        Object::new(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": "web", "labels": {"app": "web", "other": "x"},
                "finalizers": ["a/b", "c/d"],
                "managedFields": [
                    {"manager": "windlass", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
                     "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:app": {}}, "f:finalizers": {"v:\"a/b\"": {}}},
                        "f:spec": {
                            "f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}, "f:name": {}}},
                            "f:selector": {}}}},
                    {"manager": "windlass", "operation": "Update", "apiVersion": "v1", "subresource": "status",
                     "fieldsV1": {"f:status": {}}},
                    {"manager": "kubectl", "operation": "Update", "apiVersion": "v1",
                     "fieldsV1": {"f:metadata": {"f:labels": {"f:other": {}}}}}
                ]},
            "spec": {"selector": {"app": "web"}, "ports": [
                {"name": "metrics", "port": 81, "protocol": "TCP"},
                {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}]}
        }))
        .unwrap()
    }

    #[test]
    fn only_the_values_applied_by_the_manager_are_taken() {
        let live = service();
        let values = applied_by(&live, MANAGER)
            .unwrap()
            .values(Some(live.tree()));
        insta::assert_snapshot!(values, @r#"{"f:metadata":{"f:finalizers":{"v:\"a/b\"":["a/b"]},"f:labels":{"f:app":["web"]}},"f:spec":{"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":true,"f:name":["http"],"f:port":[80]}},"f:selector":[{"app":"web"}]}}"#);
    }

    #[test]
    fn a_field_that_is_gone_differs_from_one_that_is_null() {
        let set = FieldSet::parse(&json!({"f:a": {}}));
        let gone = set.values(Some(&json!({})));
        let null = set.values(Some(&json!({"a": null})));
        assert_ne!(gone, null);
    }

    #[test]
    fn a_manager_that_never_applied_owns_nothing() {
        assert_eq!(applied_by(&service(), "kubectl"), None);
    }

    #[test]
    fn odd_keys_are_left_out() {
        let set = FieldSet::parse(&json!({"x:a": {}, "k:no": {}, "i:x": {}, "f:": {}, "v:1": {}}));
        assert_eq!(
            set.parts
                .iter()
                .map(|(part, _)| part.to_string())
                .collect::<Vec<_>>(),
            ["f:", "v:1"]
        );
    }
}
