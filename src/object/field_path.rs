//! Paths as people write them, `spec.template.spec.containers[name=web].image`: what they mean in a
//! value, and in what a field manager owns.

use super::managed_fields::{FieldSet, Part};
use serde_json::{Map, Value};

/// The parts that a path means in a value; `None` when the value has no such part. Keys with dots
/// are found as they are: `metadata.annotations.example.com/owner`.
#[must_use]
pub fn find(value: &Value, path: &str) -> Option<Vec<Part>> {
    let mut rest = path.trim_start_matches('.');
    let mut value = value;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (part, after) = match rest.strip_prefix('[') {
            Some(inside) => {
                let (inside, after) = inside.split_once(']')?;
                let part = match value {
                    Value::Object(_) => Part::Field(inside.to_owned()),
                    _ => item(value, inside)?,
                };
                (part, after)
            }
            None => {
                let key = longest_key(value.as_object()?, rest)?;
                (Part::Field(key.to_owned()), &rest[key.len()..])
            }
        };
        value = part.of(value)?;
        rest = after.strip_prefix('.').unwrap_or(after);
        parts.push(part);
    }
    (!parts.is_empty()).then_some(parts)
}

/// The longest key of a map that a path begins with.
fn longest_key<'a>(map: &'a Map<String, Value>, path: &str) -> Option<&'a str> {
    let begins = |key: &&String| {
        let rest = path.strip_prefix(key.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    map.keys()
        .filter(begins)
        .max_by_key(|key| key.len())
        .map(String::as_str)
}

/// `port=53,protocol=UDP` is the item that has these values under those keys, `0` the item at that
/// index.
fn item(list: &Value, inside: &str) -> Option<Part> {
    if !inside.contains('=') {
        return inside.parse().ok().map(Part::Index);
    }
    let named: Vec<(&str, &str)> = inside
        .split(',')
        .map(|pair| pair.split_once('='))
        .map(|pair| pair.map(|(key, text)| (key.trim(), text.trim_matches('"'))))
        .collect::<Option<_>>()?;
    let is_meant = |item: &&Value| {
        named.iter().all(|(key, text)| match item.get(key) {
            Some(Value::String(value)) => value == text,
            Some(value) => value.to_string().as_str() == *text,
            None => false,
        })
    };
    let found = list.as_array()?.iter().find(is_meant)?;
    let keys = named
        .iter()
        .filter_map(|(key, _)| Some(((*key).to_owned(), found.get(key)?.clone())));
    Some(Part::Key(keys.collect()))
}

/// Takes the part at the end of a path out of a value.
pub fn remove(value: &mut Value, parts: &[Part]) {
    let Some((last, above)) = parts.split_last() else {
        return;
    };
    let mut value = value;
    for part in above {
        match part.of_mut(value) {
            Some(inner) => value = inner,
            None => return,
        }
    }
    last.remove_from(value);
}

/// Whether a set of fields has something at or below a path.
#[must_use]
pub fn has(set: &FieldSet, parts: &[Part]) -> bool {
    let mut set = set;
    for part in parts {
        let found = set.parts.iter().find(|(known, _)| match (known, part) {
            // The server may know more keys of an item than a path names.
            (Part::Key(known), Part::Key(named)) => named
                .iter()
                .all(|(key, value)| known.get(key) == Some(value)),
            _ => known == part,
        });
        match found {
            Some((_, inner)) => set = inner,
            None => return false,
        }
    }
    true
}

/// Whether a field, as the server names it in a conflict, is at or below a path. `[*]` in the path
/// stands for any item.
#[must_use]
pub fn is_below(field: &str, path: &str) -> bool {
    let plain = |text: &str| text.trim_start_matches('.').replace('"', "");
    let (mut field, path) = (plain(field), plain(path));
    if path.contains("[*]") {
        field = any_items(&field);
    }
    let rest = field.strip_prefix(&path);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// A field with `[*]` in the place of each item.
fn any_items(field: &str) -> String {
    let mut out = String::new();
    for (index, piece) in field.split('[').enumerate() {
        if index == 0 {
            out.push_str(piece);
        } else {
            out.push_str("[*]");
            out.push_str(piece.split_once(']').map_or("", |(_, rest)| rest));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_is_found_and_removed() {
        let mut value = json!({"metadata": {"annotations": {"a.b/c": "1", "a": "2"}},
            "spec": {"ports": [{"port": 80, "name": "web"}, {"port": 81}]}});
        for path in [
            "metadata.annotations[a.b/c]",
            ".spec.ports[port=80].name",
            "spec.ports[0].port",
        ] {
            let parts = find(&value, path).unwrap();
            remove(&mut value, &parts);
            assert!(find(&value, path).is_none(), "{path}");
        }
        assert_eq!(
            value,
            json!({"metadata": {"annotations": {"a": "2"}}, "spec": {"ports": [{}, {"port": 81}]}})
        );
        assert!(find(&value, "spec.nothing.here").is_none());
        assert!(find(&value, "").is_none());
    }

    #[test]
    fn what_a_manager_owns_is_known_by_part_of_its_keys() {
        let set = FieldSet::parse(&json!({"f:spec": {"f:ports":
            {"k:{\"port\":80,\"protocol\":\"TCP\"}": {"f:targetPort": {}}}}}));
        let value = json!({"spec": {"ports": [{"port": 80, "targetPort": 1, "name": "x"}]}});
        let has = |path| has(&set, &find(&value, path).unwrap());
        assert!(has("spec.ports[port=80].targetPort"));
        assert!(has("spec.ports"));
        assert!(!has("spec.ports[port=80].name"));
    }

    #[test]
    fn a_field_is_below_its_path() {
        let field = ".spec.template.spec.containers[name=\"web\"].image";
        for path in [
            "spec.template",
            "spec.template.spec.containers[name=web].image",
            "spec.template.spec.containers[*].image",
        ] {
            assert!(is_below(field, path), "{path}");
        }
        assert!(!is_below(".spec.replicasets", "spec.replicas"));
    }
}
