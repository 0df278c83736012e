//! Objects of plain data that are valid as they stand, so that trying all of them by a dry run tells no more than trying
//! a few: an app may have thousands of them, and a trial costs the server as much as a write.

use crate::object::Object;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How many plain objects of a kind are tried in a namespace. What refuses one of them for another
/// reason than its content (rights, a quota, a policy for all) refuses these, too.
const SAMPLES: usize = 16;
/// Half of what the server takes, as the limit of all annotations and of all data of an object.
const MOST_ANNOTATIONS: usize = 128 << 10;
const MOST_DATA: usize = 512 << 10;

/// Which objects to try, by their position: all but plain ones beyond the first few of their kind and
/// namespace.
pub(super) fn worth_a_trial<'a>(objects: impl Iterator<Item = &'a Object>) -> Vec<bool> {
    let mut samples: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
    let worth = objects.map(|object| {
        if !is_plain(object) {
            return true;
        }
        let seen = samples
            .entry((object.kind(), object.namespace()))
            .or_default();
        *seen += 1;
        *seen <= SAMPLES
    });
    worth.collect()
}

/// Whether the server can find nothing wrong with the content; `false` when in doubt. Follows
/// `ValidateConfigMap`, `ValidateSecret` and `ValidateObjectMeta` of Kubernetes 1.36.
fn is_plain(object: &Object) -> bool {
    if object.api_version() != "v1" || !matches!(object.kind(), "ConfigMap" | "Secret") {
        return false;
    }
    let is_secret = object.kind() == "Secret";
    let Some(parts) = object.tree().as_object() else {
        return false;
    };
    parts
        .iter()
        .all(|(key, value)| match (key.as_str(), value) {
            ("apiVersion" | "kind", _) => true,
            ("metadata", Value::Object(metadata)) => is_plain_metadata(metadata),
            ("data", Value::Object(data)) => is_plain_data(data, is_secret),
            ("type", kind) => is_secret && kind == "Opaque",
            ("immutable", value) => value.is_boolean(),
            _ => false,
        })
}

fn is_plain_metadata(metadata: &Map<String, Value>) -> bool {
    metadata
        .iter()
        .all(|(key, value)| match (key.as_str(), value) {
            ("name" | "namespace", Value::String(name)) => is_subdomain(name),
            ("labels", Value::Object(labels)) => labels.iter().all(|(key, value)| {
                is_qualified(key)
                    && value
                        .as_str()
                        .is_some_and(|text| text.is_empty() || is_label(text))
            }),
            ("annotations", Value::Object(annotations)) => {
                size(annotations).is_some_and(|size| size <= MOST_ANNOTATIONS)
                    && annotations.keys().all(|key| is_qualified(key))
            }
            _ => false,
        })
}

fn is_plain_data(data: &Map<String, Value>, is_secret: bool) -> bool {
    let is_key = |key: &String| {
        !key.is_empty()
            && key.len() <= 253
            && !key.starts_with("..")
            && key != "."
            && key
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    let is_value = |value: &Value| {
        !is_secret
            || value
                .as_str()
                .is_some_and(|text| STANDARD.decode(text).is_ok())
    };
    size(data).is_some_and(|size| size <= MOST_DATA)
        && data
            .iter()
            .all(|(key, value)| is_key(key) && is_value(value))
}

/// The bytes of all keys and values; `None` when a value is no text.
fn size(map: &Map<String, Value>) -> Option<usize> {
    map.iter()
        .map(|(key, value)| Some(key.len() + value.as_str()?.len()))
        .sum()
}

/// `[prefix/]name`, as keys of labels and annotations must be. The server takes capitals in the
/// prefix of an annotation, too.
fn is_qualified(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_label(name),
        None => is_label(key),
    }
}

/// At most 63 characters, letters and digits at both ends.
fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte))
}

/// A DNS subdomain.
fn is_subdomain(text: &str) -> bool {
    let is_part = |part: &str| {
        let bytes = part.as_bytes();
        let is_end = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        bytes.first().is_some_and(is_end)
            && bytes.last().is_some_and(is_end)
            && bytes.iter().all(|byte| is_end(byte) || *byte == b'-')
    };
    text.len() <= 253 && text.split('.').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(rest: Value) -> Object {
        let mut tree = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
        if let (Some(tree), Value::Object(rest)) = (tree.as_object_mut(), rest) {
            tree.extend(rest);
        }
        Object::new(tree).unwrap()
    }

    #[test]
    fn tries_a_few_of_many_plain_objects_and_all_others() {
        let plain = config(json!({"data": {"a.b": "1"}}));
        let number = config(json!({"data": {"port": 8080}}));
        let objects: Vec<Object> = std::iter::repeat_n(plain, SAMPLES + 5)
            .chain([number])
            .collect();
        let worth = worth_a_trial(objects.iter());
        assert_eq!(worth.iter().filter(|worth| **worth).count(), SAMPLES + 1);
        assert_eq!(worth.last(), Some(&true));
    }

    #[test]
    fn leaves_everything_doubtful_to_the_server() {
        assert!(is_plain(&config(json!({"immutable": true}))));
        for doubtful in [
            json!({"data": {"a b": "1"}}),
            json!({"data": {"..a": "1"}}),
            json!({"data": {"a": null}}),
            json!({"data": {"a": "x".repeat(MOST_DATA)}}),
            json!({"date": {}}),
            json!({"binaryData": {"a": "eA=="}}),
            json!({"kind": "Secret", "data": {"a": "not base64"}}),
            json!({"kind": "Secret", "type": "kubernetes.io/tls", "data": {}}),
            json!({"kind": "Service"}),
            json!({"metadata": {"name": "a_b"}}),
            json!({"metadata": {"name": "a", "labels": {"version": "1+2"}}}),
            json!({"metadata": {"name": "a", "labels": {"version": 1}}}),
            json!({"metadata": {"name": "a", "annotations": {"a/b/c": "1"}}}),
            json!({"metadata": {"name": "a", "ownerReferences": []}}),
        ] {
            assert!(!is_plain(&config(doubtful.clone())), "{doubtful}");
        }
    }
}
