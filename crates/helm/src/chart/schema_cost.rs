//! How long a schema takes to hold against values, found out before it is done.
//!
//! The crate that validates follows every reference afresh, on the stack: a few references that fan out
//! take for ever, a long chain of them ends the process. Here each pair of a schema and a value is
//! looked at once, and what the validator would do is added up. Patterns and dynamic references count
//! as if all that they may mean applied.

use crate::limits::{MAX_SCHEMA_DEPTH, MAX_SCHEMA_PAIRS, MAX_SCHEMA_STEPS, deep};
use serde_json::Value as Json;
use std::collections::HashMap;

/// Fails when a schema would take too long or nest too deep with these values.
///
/// # Errors
/// Which limit is exceeded.
pub(super) fn check(schema: &Json, values: &Json) -> Result<(), String> {
    check_within(MAX_SCHEMA_PAIRS, schema, values)
}

fn check_within(most_pairs: usize, schema: &Json, values: &Json) -> Result<(), String> {
    let mut cost = Cost {
        most_pairs,
        root: schema,
        resources: vec![schema],
        names: HashMap::new(),
        pairs: HashMap::new(),
    };
    cost.note_names(schema);
    let visits = cost.pair(schema, values, 0)?;
    if visits > MAX_SCHEMA_STEPS {
        return Err(format!(
            "checking the values takes more than {MAX_SCHEMA_STEPS} steps: its references fan out"
        ));
    }
    Ok(())
}

/// What is known of a schema and its values so far.
struct Cost<'s> {
    most_pairs: usize,
    root: &'s Json,
    /// The schemas with an `$id`, which references may start at, and the root.
    resources: Vec<&'s Json>,
    /// The schemas with an `$id` or anchor, by its last part.
    names: HashMap<&'s str, Vec<&'s Json>>,
    /// The visits below each pair, by place in memory; `None` while it is looked at.
    pairs: HashMap<(usize, usize), Option<u64>>,
}

impl<'s> Cost<'s> {
    fn note_names(&mut self, schema: &'s Json) {
        match schema {
            Json::Array(items) => items.iter().for_each(|item| self.note_names(item)),
            Json::Object(fields) => {
                for (key, field) in fields {
                    if let ("$id" | "id" | "$anchor" | "$dynamicAnchor", Json::String(name)) =
                        (key.as_str(), field)
                    {
                        let last = name.rsplit(['#', '/']).next().unwrap_or(name);
                        self.names.entry(last).or_default().push(schema);
                        if key.ends_with("id") {
                            self.resources.push(schema);
                        }
                    }
                    self.note_names(field);
                }
            }
            _ => {}
        }
    }

    /// The visits that one pair takes.
    fn pair(&mut self, schema: &'s Json, value: &'s Json, depth: usize) -> Result<u64, String> {
        let Json::Object(fields) = schema else {
            return Ok(1);
        };
        let place = |json: &Json| std::ptr::from_ref(json).addr();
        let key = (place(schema), place(value));
        match self.pairs.get(&key) {
            Some(Some(visits)) => return Ok(*visits),
            // A cycle of references: the validator reports it.
            Some(None) => return Ok(1),
            None => {}
        }
        if depth > MAX_SCHEMA_DEPTH {
            return Err(format!(
                "its references and the values nest deeper than {MAX_SCHEMA_DEPTH}"
            ));
        }
        if self.pairs.len() >= self.most_pairs {
            return Err(format!(
                "checking the values takes more than {} different steps",
                self.most_pairs
            ));
        }
        self.pairs.insert(key, None);
        let mut visits: u64 = 1;
        for (keyword, field) in fields {
            for (schema, value) in self.below(keyword, field, value) {
                let more = deep(|| self.pair(schema, value, depth + 1))?;
                visits = visits.saturating_add(more);
            }
        }
        self.pairs.insert(key, Some(visits));
        Ok(visits)
    }

    /// The pairs that a keyword leads to.
    fn below(&self, keyword: &str, field: &'s Json, value: &'s Json) -> Vec<(&'s Json, &'s Json)> {
        let schemas: Vec<&Json> = match (keyword, field) {
            ("$ref" | "$dynamicRef" | "$recursiveRef", Json::String(name)) => self.targets(name),
            (_, Json::Array(schemas)) => schemas.iter().collect(),
            (
                "properties" | "patternProperties" | "dependentSchemas" | "dependencies",
                Json::Object(schemas),
            ) => schemas.values().collect(),
            _ => vec![field],
        };
        let pairs = |values: Vec<&'s Json>| {
            let pair = |value: &'s Json| schemas.iter().map(move |schema| (*schema, value));
            values.into_iter().flat_map(pair).collect()
        };
        match (keyword, field, value) {
            ("properties", Json::Object(schemas), Json::Object(fields)) => {
                let pair = |(name, schema)| fields.get(name).map(|value| (schema, value));
                schemas.iter().filter_map(pair).collect()
            }
            (
                "patternProperties" | "additionalProperties" | "unevaluatedProperties",
                _,
                Json::Object(fields),
            ) => pairs(fields.values().collect()),
            (
                "items" | "prefixItems" | "additionalItems" | "unevaluatedItems" | "contains",
                _,
                Json::Array(items),
            ) => pairs(items.iter().collect()),
            ("propertyNames", _, Json::Object(fields)) => pairs(vec![&Json::Null; fields.len()]),
            (
                "$ref" | "$dynamicRef" | "$recursiveRef" | "allOf" | "anyOf" | "oneOf" | "not"
                | "if" | "then" | "else" | "dependentSchemas" | "dependencies" | "extends",
                ..,
            ) => pairs(vec![value]),
            _ => Vec::new(),
        }
    }

    /// The schemas that a reference may mean.
    fn targets(&self, reference: &str) -> Vec<&'s Json> {
        let (url, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        if fragment.starts_with('/') {
            let fragment = decoded(fragment);
            let resources = self.resources.iter();
            return resources
                .filter_map(|resource| resource.pointer(&fragment))
                .collect();
        }
        let name = if fragment.is_empty() {
            url.rsplit('/').next().unwrap_or(url)
        } else {
            fragment
        };
        match self.names.get(name) {
            Some(schemas) => schemas.clone(),
            None if url.is_empty() => vec![self.root],
            None => Vec::new(),
        }
    }
}

/// A part of a URL without percent signs.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let code = code.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        (rest, _) = match code {
            Some(byte) if *first == b'%' => (&tail[2..], out.push(byte)),
            _ => (tail, out.push(*first)),
        };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{check, check_within};
    use serde_json::{Value as Json, json};

    /// A chain of definitions, each made of the reference to the next.
    fn chain(length: usize, link: impl Fn(Json) -> Json) -> Json {
        let mut defs = serde_json::Map::new();
        for i in 0..length {
            let next = json!({"$ref": format!("#/$defs/d{}", i + 1)});
            defs.insert(format!("d{i}"), link(next));
        }
        defs.insert(format!("d{length}"), true.into());
        json!({"$ref": "#/$defs/d0", "$defs": defs})
    }

    fn nested(depth: usize) -> Json {
        (0..depth).fold(json!(1), |inner, _| json!({"a": inner}))
    }

    #[test]
    fn refuses_references_that_fan_out() {
        let wide = chain(40, |next| json!({"allOf": [next, next]}));
        assert!(check(&wide, &json!(1)).unwrap_err().contains("fan out"));
        let below = json!({"additionalProperties": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}});
        assert!(check(&below, &nested(40)).unwrap_err().contains("fan out"));
        assert!(check(&below, &nested(5)).is_ok());
        let named = json!({
            "$id": "http://x/y", "$anchor": "a",
            "properties": {"a": {"oneOf": [{"$ref": "y"}, {"$dynamicRef": "#a"}, {"$ref": "#%2f"}]}},
        });
        assert!(check(&named, &nested(40)).is_err());
    }

    #[test]
    fn refuses_more_pairs_than_memory_may_hold() {
        let schemas: Vec<Json> = (0..10).map(|i| json!({"minimum": i})).collect();
        let schema = json!({"items": {"allOf": schemas}});
        let numbers: Json = (0..10).collect();
        // Each number with each of its schemas and with their list, and all of it.
        assert!(check_within(111, &schema, &numbers).is_ok());
        let error = check_within(110, &schema, &numbers).unwrap_err();
        assert!(error.contains("more than 110 different steps"), "{error}");
    }

    #[test]
    fn refuses_chains_deeper_than_the_stack() {
        let long = chain(5_000, |next| next);
        assert!(
            check(&long, &json!(1))
                .unwrap_err()
                .contains("nest deeper than 4000")
        );
        assert!(check(&chain(1_000, |next| next), &json!(1)).is_ok());
        assert!(check(&json!({"$ref": "#"}), &json!(1)).is_ok());
    }
}
