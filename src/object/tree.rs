//! The tree of an object and short ways into it.

use super::{Gvk, ObjectRef};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// A Kubernetes object: a JSON tree whose root is a map. Clones share the tree until one of them
/// changes it.
#[derive(Clone, PartialEq)]
pub struct Object(Arc<Value>);

impl fmt::Debug for Object {
    /// The tree; of a Secret only its name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            "Secret" => write!(f, "Object({})", self.reference()),
            _ => f.debug_tuple("Object").field(&self.0).finish(),
        }
    }
}

impl Object {
    /// Takes a tree for an object. `None` when its root is not a map.
    #[must_use]
    pub fn new(tree: Value) -> Option<Self> {
        tree.is_object().then(|| Self(Arc::new(tree)))
    }

    /// The whole tree.
    #[must_use]
    pub fn tree(&self) -> &Value {
        &self.0
    }

    /// The whole tree, to change it.
    pub fn tree_mut(&mut self) -> &mut Value {
        Arc::make_mut(&mut self.0)
    }

    /// The tree itself.
    #[must_use]
    pub fn into_tree(self) -> Value {
        Arc::unwrap_or_clone(self.0)
    }

    /// The value at a path of keys.
    #[must_use]
    pub fn get(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&*self.0, |node, key| node.get(key))
    }

    /// The text at a path of keys; empty when there is none.
    #[must_use]
    pub fn text(&self, path: &[&str]) -> &str {
        self.get(path).and_then(Value::as_str).unwrap_or_default()
    }

    /// The integer at a path of keys.
    #[must_use]
    pub fn int(&self, path: &[&str]) -> Option<i64> {
        self.get(path).and_then(Value::as_i64)
    }

    /// The list at a path of keys; empty when there is none.
    #[must_use]
    pub fn list(&self, path: &[&str]) -> &[Value] {
        self.get(path)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// `apiVersion`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.text(&["apiVersion"])
    }

    /// The API group; empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version()
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    /// `kind`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text(&["kind"])
    }

    /// Group, version and kind.
    #[must_use]
    pub fn gvk(&self) -> Gvk {
        Gvk::new(self.api_version(), self.kind())
    }

    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text(&["metadata", "name"])
    }

    /// `metadata.namespace`.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.get(&["metadata", "namespace"]).and_then(Value::as_str)
    }

    /// `metadata.uid`; empty for an object that no server has seen.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.text(&["metadata", "uid"])
    }

    /// Whether somebody has asked to delete it: `metadata.deletionTimestamp` is set.
    #[must_use]
    pub fn is_going(&self) -> bool {
        self.get(&["metadata", "deletionTimestamp"]).is_some()
    }

    /// `metadata.resourceVersion`.
    #[must_use]
    pub fn resource_version(&self) -> &str {
        self.text(&["metadata", "resourceVersion"])
    }

    /// One annotation.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.get(&["metadata", "annotations", key])
            .and_then(Value::as_str)
    }

    /// One label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.get(&["metadata", "labels", key])
            .and_then(Value::as_str)
    }

    /// The identity of the object.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        ObjectRef {
            group: self.group().to_owned(),
            kind: self.kind().to_owned(),
            namespace: self.namespace().map(str::to_owned),
            name: self.name().to_owned(),
        }
    }

    /// Sets `metadata.<field>.<key>`, making the maps on the way.
    pub fn set_metadata(&mut self, field: &str, key: &str, value: &str) {
        self.tree_mut()["metadata"][field][key] = Value::from(value);
    }

    /// Sets `metadata.namespace`.
    pub fn set_namespace(&mut self, namespace: &str) {
        self.tree_mut()["metadata"]["namespace"] = Value::from(namespace);
    }

    /// The text that is sent to be applied: JSON that YAML reads as the same. Servers take the body of
    /// server-side apply for YAML (goyaml.v2 `readerc.go`, `scannerc.go`), which folds some characters
    /// within quotes as line breaks and refuses others, where JSON leaves them alone.
    #[must_use]
    pub fn apply_body(&self) -> String {
        let text = self.0.to_string();
        if !text.contains(is_special_to_yaml) {
            return text;
        }
        let mut body = String::with_capacity(text.len() + 64);
        // Outside of quotes JSON has none of them.
        for char in text.chars() {
            if is_special_to_yaml(char) {
                body.extend([format!("\\u{:04x}", u32::from(char))]);
            } else {
                body.push(char);
            }
        }
        body
    }
}

/// Whether YAML refuses or folds a character that JSON has as it is. None is beyond U+FFFF, where an
/// escape of JSON would be two halves, which YAML refuses.
pub(super) fn is_special_to_yaml(char: char) -> bool {
    matches!(
        char,
        '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_body_of_an_apply_escapes_what_yaml_reads_otherwise() {
        let special = "a \u{85} b\u{7f}\u{9b}\u{2028}\u{2029}\u{feff}\u{fffe}\u{ffff}";
        let object =
            Object::new(json!({"k\u{85}": special, "as is": "é\u{a0}\u{fffd}😀\u{1ffff}\t"}));
        let body = object.unwrap().apply_body();
        insta::assert_snapshot!(body.replace('\u{a0}', "NBSP").replace('\u{1ffff}', "LAST"), @r##"{"as is":"éNBSP�😀LAST\t","k\u0085":"a \u0085 b\u007f\u009b\u2028\u2029\ufeff\ufffe\uffff"}"##);
        assert_eq!(
            serde_json::from_str::<Value>(&body).unwrap()["k\u{85}"],
            special
        );
    }
}
