//! An object as people see it: masked, without what the server keeps for itself.

use super::mask::{Masker, is_copy};
use crate::object::Object;
use serde_json::Value;

/// Metadata that the server writes on its own.
const SERVER_METADATA: &[&str] = &[
    "creationTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// The tree of an object without server metadata and status; not masked.
pub(crate) fn cleaned(object: &Object) -> Value {
    let mut tree = object.tree().clone();
    if let Some(root) = tree.as_object_mut() {
        root.remove("status");
        if let Some(metadata) = root.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, _| !SERVER_METADATA.contains(&key.as_str()));
        }
    }
    tree
}

/// An object as it is shown.
pub(crate) fn shown(object: &Object, masker: &Masker) -> Value {
    let Some(mut object) = Object::new(cleaned(object)) else {
        return Value::Null;
    };
    masker.mask(&mut object);
    object.into_tree()
}

/// An object that comes or goes as it is shown: without the bookkeeping of who applied it.
pub(crate) fn shown_whole(object: &Object, masker: &Masker) -> Value {
    let mut tree = shown(object, masker);
    for field in ["labels", "annotations"] {
        let keys = tree["metadata"][field].as_object().into_iter().flatten();
        let keys: Vec<_> = keys
            .filter(|(key, _)| is_of_appliers(key))
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            remove_metadata(&mut tree, field, &key);
        }
    }
    tree
}

/// Two objects as they are shown side by side: without the bookkeeping that is the same in both.
pub(crate) fn shown_pair(before: &Object, after: &Object, masker: &Masker) -> (Value, Value) {
    let (mut before, mut after) = (shown(before, masker), shown(after, masker));
    for field in ["labels", "annotations"] {
        for key in equal_bookkeeping(&before, &after, field) {
            for tree in [&mut before, &mut after] {
                remove_metadata(tree, field, &key);
            }
        }
    }
    (before, after)
}

fn equal_bookkeeping(before: &Value, after: &Value, field: &str) -> Vec<String> {
    let Some(map) = before["metadata"][field].as_object() else {
        return Vec::new();
    };
    map.iter()
        .filter(|(key, value)| {
            is_bookkeeping(key) && after["metadata"][field].get(key.as_str()) == Some(*value)
        })
        .map(|(key, _)| key.clone())
        .collect()
}

/// Removes one label or annotation, and the map when it was the last.
fn remove_metadata(tree: &mut Value, field: &str, key: &str) {
    let Some(metadata) = tree.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    let Some(map) = metadata.get_mut(field).and_then(Value::as_object_mut) else {
        return;
    };
    map.remove(key);
    if map.is_empty() {
        metadata.remove(field);
    }
}

fn is_of_appliers(key: &str) -> bool {
    is_copy(key) || key.starts_with("applyset.kubernetes.io/")
}

fn is_bookkeeping(key: &str) -> bool {
    is_of_appliers(key)
        || key
            .split_once('/')
            .is_some_and(|(domain, _)| domain.starts_with("windlass"))
}
