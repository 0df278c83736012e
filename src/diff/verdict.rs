//! Decides without the server whether applying an object would change anything.
//!
//! Conservative: whatever is not certain is asked of the server by a dry run.

use crate::object::managed_fields::{self, FieldSet, Part};
use crate::object::{Fingerprint, Object, fingerprint};
use serde_json::{Map, Value};

/// What is known about an object without asking the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not there.
    Create,
    /// Applying it would change nothing.
    Noop,
    /// Only a dry run can tell.
    Ask,
}

/// Decides on an object: nothing to do when its fingerprint is still the one kept after the last
/// apply, or when the fields that `manager` owns are exactly the desired ones, with equal values.
#[must_use]
pub fn verdict(
    desired: &Object,
    live: Option<&Object>,
    kept: Option<&Fingerprint>,
    key: &[u8],
    manager: &str,
) -> Verdict {
    let Some(live) = live else {
        return Verdict::Create;
    };
    if live.get(&["metadata", "deletionTimestamp"]).is_some() {
        return Verdict::Ask;
    }
    if kept.is_some_and(|kept| fingerprint(key, desired, live, manager) == *kept) {
        return Verdict::Noop;
    }
    let same_version = desired.api_version() == live.api_version()
        && managed_fields::entries(live).iter().all(|entry| {
            entry.manager != manager
                || entry.operation != "Apply"
                || !entry.subresource.is_empty()
                || entry.api_version == desired.api_version()
        });
    match managed_fields::applied_by(live, manager) {
        Some(owned) if same_version && owns_exactly(&owned, desired, live) => Verdict::Noop,
        _ => Verdict::Ask,
    }
}

/// Whether the owned fields are the desired ones, with the desired values. What names the object
/// is never in `managedFields`.
fn owns_exactly(owned: &FieldSet, desired: &Object, live: &Object) -> bool {
    let Some(mut root) = desired.tree().as_object().cloned() else {
        return false;
    };
    root.remove("apiVersion");
    root.remove("kind");
    if let Some(Value::Object(metadata)) = root.get_mut("metadata") {
        metadata.remove("name");
        metadata.remove("namespace");
        if metadata.is_empty() {
            root.remove("metadata");
        }
    }
    map_matches(owned, &root, live.tree())
}

/// Whether a set holds exactly what is desired of one value, and the live value is equal there.
fn matches(owned: &FieldSet, desired: &Value, live: &Value) -> bool {
    if owned.is_leaf() {
        return owned.member && desired == live;
    }
    match desired {
        Value::Object(map) => map_matches(owned, map, live),
        Value::Array(items) => list_matches(owned, items, live),
        _ => false,
    }
}

fn map_matches(owned: &FieldSet, desired: &Map<String, Value>, live: &Value) -> bool {
    owned.parts.len() == desired.len()
        && owned.parts.iter().all(|(part, set)| {
            let Part::Field(name) = part else {
                return false;
            };
            match (desired.get(name), live.get(name)) {
                (Some(desired), Some(live)) => matches(set, desired, live),
                _ => false,
            }
        })
}

/// A list whose items are told apart: each desired item must be owned, equal, and in the same
/// order among the live ones.
fn list_matches(owned: &FieldSet, desired: &[Value], live: &Value) -> bool {
    let Some(live) = live.as_array() else {
        return false;
    };
    if owned.parts.len() != desired.len() {
        return false;
    }
    let mut last = None;
    let mut used = vec![false; owned.parts.len()];
    desired.iter().all(|item| {
        let found = owned.parts.iter().position(|(part, _)| is_part(part, item));
        let Some(found) = found.filter(|index| !std::mem::replace(&mut used[*index], true)) else {
            return false;
        };
        let (part, set) = &owned.parts[found];
        let position = live.iter().position(|other| is_part(part, other));
        let in_order = position > last;
        last = position;
        in_order && position.is_some_and(|index| item_matches(set, item, &live[index]))
    })
}

fn item_matches(set: &FieldSet, desired: &Value, live: &Value) -> bool {
    match desired {
        Value::Object(map) if !set.is_leaf() => map_matches(set, map, live),
        _ => matches(set, desired, live),
    }
}

/// Whether an item of a list is the one that a part names. `protocol` is the one key that the
/// server fills in when an item lacks it.
fn is_part(part: &Part, item: &Value) -> bool {
    match part {
        Part::Item(value) => value == item,
        Part::Key(keys) => keys.iter().all(|(key, value)| match item.get(key) {
            Some(other) => other == value,
            None => key == "protocol" && value == "TCP",
        }),
        Part::Field(_) | Part::Index(_) => false,
    }
}
