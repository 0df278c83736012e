//! An object as it was before it was deleted, to be made again.

use crate::diff::Change;
use crate::object::Object;

/// What the server decides about a new object.
const OF_THE_SERVER: [&str; 6] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "selfLink",
];

/// The object to be made in place of a deleted one. `None` for what would not be the same: what runs to
/// an end would run again, a volume claim has lost its data, and what was on its way out is not wanted.
pub(super) fn former(change: &Change, live: &Object) -> Option<Object> {
    let is_once = matches!(
        (live.group(), live.kind()),
        ("batch", "Job") | ("", "Pod" | "PersistentVolumeClaim" | "Namespace")
    );
    if is_once || live.is_going() || change.is_rerun() {
        return None;
    }
    let mut former = live.clone();
    let tree = former.tree_mut();
    tree.as_object_mut()?.remove("status");
    let metadata = tree.get_mut("metadata")?.as_object_mut()?;
    metadata.retain(|key, _| !OF_THE_SERVER.contains(&key.as_str()));
    Some(former)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::{self, Masker};
    use crate::object::{Manifest, Source};
    use serde_json::{Value, json};

    fn again(api_version: &str, kind: &str, more: &Value) -> Option<Value> {
        let mut tree = json!({"apiVersion": api_version, "kind": kind, "spec": {"a": 1}, "status": {},
            "metadata": {"name": "a", "uid": "1", "resourceVersion": "2", "labels": {"a": "b"}, "managedFields": []}});
        for (key, value) in more.as_object().into_iter().flatten() {
            tree["metadata"][key] = value.clone();
        }
        let object = Object::new(tree).unwrap();
        let source = Source {
            file: String::new(),
            line: 1,
        };
        let manifest = Manifest {
            object: object.clone(),
            source,
        };
        let change = diff::replace(&manifest, &object, "why", &Masker::new([1; 32], false));
        former(&change, &object).map(Object::into_tree)
    }

    #[test]
    fn what_the_server_adds_is_left_out() {
        let service = again("v1", "Service", &json!({})).unwrap();
        insta::assert_snapshot!(service, @r#"{"apiVersion":"v1","kind":"Service","metadata":{"labels":{"a":"b"},"name":"a"},"spec":{"a":1}}"#);
    }

    #[test]
    fn what_would_not_be_the_same_is_not_made_again() {
        assert_eq!(again("batch/v1", "Job", &json!({})), None);
        assert_eq!(again("v1", "PersistentVolumeClaim", &json!({})), None);
        let going = json!({"deletionTimestamp": "2026-11-21T00:00:00Z"});
        assert_eq!(again("v1", "Service", &going), None);
    }
}
