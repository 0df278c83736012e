//! Schemas of the common keywords, held against values as they stand.
//!
//! To compile a schema, and first the schemas of schemas, takes longer than to render most charts. What
//! is here needs neither, and answers only where it is sure: a schema with a rarer keyword, of a rarer
//! draft, that refers to elsewhere or is not valid itself is left to `schema.rs`, as are values that do
//! not fit, which it puts into words.

use crate::re2::{Patterns, translate};
use crate::value::{Map, Value};
use serde_json::{Map as Object, Number, Value as Json};
use std::cell::{Cell, RefCell};

/// Keywords that some draft gives a meaning and this module does not know. What no draft knows, such as
/// `x-order`, means nothing.
const UNKNOWN: [&str; 28] = [
    "$anchor",
    "$dynamicAnchor",
    "$dynamicRef",
    "$id",
    "$recursiveAnchor",
    "$recursiveRef",
    "$schema",
    "$vocabulary",
    "additionalItems",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "divisibleBy",
    "extends",
    "format",
    "id",
    "maxContains",
    "minContains",
    "multipleOf",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// How deep a value is followed; ends loops of references.
const MAX_DEPTH: usize = 200;

/// How many schemas are held against values in all.
const MAX_STEPS: usize = 1_000_000;

/// Below it, every whole number is a `f64` of its own.
const MAX_EXACT: f64 = 9e15;

/// A valid schema of known keywords.
pub(super) struct PlainSchema {
    root: Json,
    draft: Draft,
    patterns: RefCell<Patterns>,
    steps: Cell<usize>,
}

/// The drafts whose common keywords mean the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Draft {
    /// Nothing beside `$ref` counts, and `format` is asserted.
    V7,
    /// 2019-09 and 2020-12.
    Newer,
}

impl PlainSchema {
    /// The schema of a text, if it is one that this module can answer for.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let root: Json = serde_json::from_slice(text).ok()?;
        let draft = draft(root.get("$schema"))?;
        let schema = Self {
            root,
            draft,
            patterns: RefCell::default(),
            steps: Cell::new(0),
        };
        schema.is_known(&schema.root).then_some(schema)
    }

    /// Whether values fit; `None` when that is not sure.
    pub(super) fn accepts(&self, values: &Map) -> Option<bool> {
        self.steps.set(0);
        self.fits(&self.root, &Value::Map(values.clone()), 0)
    }

    fn is_known(&self, schema: &Json) -> bool {
        match schema {
            Json::Bool(_) => true,
            Json::Object(fields) => fields
                .iter()
                .all(|(key, value)| self.is_known_keyword(schema, key, value)),
            _ => false,
        }
    }

    fn is_known_keyword(&self, schema: &Json, key: &str, value: &Json) -> bool {
        match key {
            "$id" => self.is_root(schema) && value.as_str().is_some_and(is_plain_url),
            "$schema" => self.is_root(schema),
            "$ref" => value.as_str().is_some_and(|at| self.target(at).is_some()),
            "$defs" | "definitions" | "properties" => value
                .as_object()
                .is_some_and(|schemas| schemas.values().all(|schema| self.is_known(schema))),
            "additionalProperties" | "else" | "if" | "items" | "not" | "then" => {
                self.is_known(value)
            }
            "allOf" | "anyOf" | "oneOf" => {
                non_empty(value).is_some_and(|schemas| schemas.iter().all(|s| self.is_known(s)))
            }
            "type" => {
                is_type(value)
                    || non_empty(value).is_some_and(|types| {
                        types.iter().all(is_type) && are_different_texts(types)
                    })
            }
            "required" => value
                .as_array()
                .is_some_and(|names| are_different_texts(names)),
            "enum" | "examples" => value.is_array(),
            "exclusiveMaximum" | "exclusiveMinimum" | "maximum" | "minimum" => value.is_number(),
            "maxItems" | "maxLength" | "maxProperties" | "minItems" | "minLength"
            | "minProperties" => value.is_u64(),
            "deprecated" | "readOnly" | "uniqueItems" | "writeOnly" => value.is_boolean(),
            "$comment" | "description" | "title" => value.is_string(),
            "pattern" => value
                .as_str()
                .is_some_and(|pattern| translate(pattern.as_bytes()).is_ok()),
            "format" => self.draft == Draft::Newer && value.is_string(),
            _ => !UNKNOWN.contains(&key),
        }
    }

    fn is_root(&self, schema: &Json) -> bool {
        std::ptr::eq(schema, &raw const self.root)
    }

    /// The schema that a reference leads to, if it lies where schemas do.
    fn target(&self, reference: &str) -> Option<&Json> {
        let is_plain = |name: &str| {
            name.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        let mut names = reference.strip_prefix('#')?.split('/');
        let mut schema = names.next()?.is_empty().then_some(&self.root)?;
        while let Some(keyword) = names.next() {
            let name = names.next().filter(|name| is_plain(name))?;
            if !["$defs", "definitions", "properties"].contains(&keyword) {
                return None;
            }
            schema = schema.get(keyword)?.get(name)?;
        }
        Some(schema)
    }

    /// Whether a value fits; `None` when that is not sure.
    fn fits(&self, schema: &Json, value: &Value, depth: usize) -> Option<bool> {
        self.steps.set(self.steps.get() + 1);
        if depth > MAX_DEPTH || self.steps.get() > MAX_STEPS {
            return None;
        }
        let fields = match schema {
            Json::Object(fields) => fields,
            other => return other.as_bool(),
        };
        if let Some(Json::String(reference)) = fields.get("$ref") {
            let fits = self.fits(self.target(reference)?, value, depth + 1)?;
            if !fits || self.draft == Draft::V7 {
                return Some(fits);
            }
        }
        for (key, rule) in fields {
            if !self.holds(fields, key, rule, value, depth + 1)? {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Whether what one keyword says is true.
    fn holds(
        &self,
        fields: &Object<String, Json>,
        key: &str,
        rule: &Json,
        value: &Value,
        depth: usize,
    ) -> Option<bool> {
        let fits = |schema: &Json| self.fits(schema, value, depth);
        match key {
            "type" => match rule {
                Json::Array(types) => any(types, |name| is_of_type(value, name)),
                name => is_of_type(value, name),
            },
            "const" => is_equal(value, rule),
            "enum" => any(rule.as_array()?, |one| is_equal(value, one)),
            "allOf" => all(rule.as_array()?, fits),
            "anyOf" => any(rule.as_array()?, fits),
            "oneOf" => {
                let verdicts = rule.as_array()?.iter().map(fits);
                let verdicts: Vec<bool> = verdicts.collect::<Option<_>>()?;
                Some(verdicts.into_iter().filter(|fits| *fits).count() == 1)
            }
            "not" => fits(rule).map(|fits| !fits),
            "if" => {
                let branch = if fits(rule)? { "then" } else { "else" };
                fields.get(branch).map_or(Some(true), fits)
            }
            _ => match value {
                Value::Map(map) => self.holds_for_map(fields, key, rule, map, depth),
                Value::List(list) => match key {
                    "items" => all(list.items(), |item| self.fits(rule, item, depth)),
                    "uniqueItems" => (rule == false || list.len() < 2).then_some(true),
                    "maxItems" => Some(list.len() as u64 <= rule.as_u64()?),
                    "minItems" => Some(list.len() as u64 >= rule.as_u64()?),
                    _ => Some(true),
                },
                Value::Str(text) => match key {
                    "pattern" => self.matches(rule.as_str()?, text.as_utf8()?),
                    "maxLength" => Some(text.as_utf8()?.chars().count() as u64 <= rule.as_u64()?),
                    "minLength" => Some(text.as_utf8()?.chars().count() as u64 >= rule.as_u64()?),
                    _ => Some(true),
                },
                Value::Float(_) | Value::Int(..) | Value::Uint(..) => match key {
                    "exclusiveMaximum" => Some(number(value)? < exact(rule.as_number()?)?),
                    "exclusiveMinimum" => Some(number(value)? > exact(rule.as_number()?)?),
                    "maximum" => Some(number(value)? <= exact(rule.as_number()?)?),
                    "minimum" => Some(number(value)? >= exact(rule.as_number()?)?),
                    _ => Some(true),
                },
                Value::Nil | Value::Bool(_) => Some(true),
                Value::Bytes(_) | Value::Complex(..) | Value::Object(_) => None,
            },
        }
    }

    fn holds_for_map(
        &self,
        fields: &Object<String, Json>,
        key: &str,
        rule: &Json,
        map: &Map,
        depth: usize,
    ) -> Option<bool> {
        match key {
            "properties" => all(rule.as_object()?, |(name, schema)| match map.get(name) {
                Some(value) => self.fits(schema, &value, depth),
                None => Some(true),
            }),
            "additionalProperties" if rule != true => {
                let named = fields.get("properties").and_then(Json::as_object);
                all(map.keys(), |name| {
                    let name = name.as_utf8()?;
                    if named.is_some_and(|named| named.contains_key(name)) {
                        return Some(true);
                    }
                    self.fits(rule, &map.get(name)?, depth)
                })
            }
            "required" => all(rule.as_array()?, |name| Some(map.contains(name.as_str()?))),
            "maxProperties" => Some(map.len() as u64 <= rule.as_u64()?),
            "minProperties" => Some(map.len() as u64 >= rule.as_u64()?),
            _ => Some(true),
        }
    }

    fn matches(&self, pattern: &str, text: &str) -> Option<bool> {
        let pattern = self.patterns.borrow_mut().compile(pattern.as_bytes());
        Some(pattern.ok()?.regex.is_match(text))
    }
}

/// The draft of a schema, if this module knows it; no word of one is the newest.
fn draft(schema: Option<&Json>) -> Option<Draft> {
    let Some(url) = schema else {
        return Some(Draft::Newer);
    };
    let url = url.as_str()?;
    let url = url.strip_suffix('#').unwrap_or(url);
    let path = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    match path.strip_prefix("json-schema.org/")? {
        "draft-07/schema" => Some(Draft::V7),
        "schema" | "draft/2019-09/schema" | "draft/2020-12/schema" => Some(Draft::Newer),
        _ => None,
    }
}

/// Whether an identifier cannot change what `#/…` refers to.
fn is_plain_url(id: &str) -> bool {
    let rest = id.strip_prefix("https://").unwrap_or_default();
    rest.starts_with(|c: char| c.is_ascii_lowercase())
        && !rest.starts_with("json-schema.org")
        && rest
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"./-_".contains(&b))
}

fn is_type(name: &Json) -> bool {
    let types = [
        "array", "boolean", "integer", "null", "number", "object", "string",
    ];
    name.as_str().is_some_and(|name| types.contains(&name))
}

fn non_empty(list: &Json) -> Option<&Vec<Json>> {
    list.as_array().filter(|items| !items.is_empty())
}

fn are_different_texts(items: &[Json]) -> bool {
    let is_new = |(at, item): (usize, &Json)| item.is_string() && !items[..at].contains(item);
    items.iter().enumerate().all(is_new)
}

/// Whether all are true; sure only if each is, up to the first that is not.
fn all<T>(
    items: impl IntoIterator<Item = T>,
    mut test: impl FnMut(T) -> Option<bool>,
) -> Option<bool> {
    for item in items {
        if !test(item)? {
            return Some(false);
        }
    }
    Some(true)
}

/// Whether any is true.
fn any<T>(
    items: impl IntoIterator<Item = T>,
    mut test: impl FnMut(T) -> Option<bool>,
) -> Option<bool> {
    all(items, |item| test(item).map(|found| !found)).map(|none| !none)
}

fn is_of_type(value: &Value, name: &Json) -> Option<bool> {
    let name = name.as_str()?;
    Some(match value {
        Value::Nil => name == "null",
        Value::Bool(_) => name == "boolean",
        Value::Str(_) => name == "string",
        Value::List(_) => name == "array",
        Value::Map(_) => name == "object",
        Value::Float(_) | Value::Int(..) | Value::Uint(..) => {
            name == "number" || name == "integer" && number(value)?.fract() == 0.0
        }
        Value::Bytes(_) | Value::Complex(..) | Value::Object(_) => return None,
    })
}

/// A number, if a `f64` holds it exactly.
#[expect(clippy::cast_precision_loss, reason = "large numbers are refused")]
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Float(number) => *number,
        Value::Int(number, _) => *number as f64,
        Value::Uint(number, _) => *number as f64,
        _ => return None,
    };
    (number.abs() < MAX_EXACT).then_some(number)
}

fn exact(number: &Number) -> Option<f64> {
    number.as_f64().filter(|number| number.abs() < MAX_EXACT)
}

fn is_equal(value: &Value, json: &Json) -> Option<bool> {
    Some(match (value, json) {
        (Value::Nil, Json::Null) => true,
        (Value::Bool(one), Json::Bool(other)) => one == other,
        (Value::Str(one), Json::String(other)) => one.as_utf8()? == other,
        (Value::Float(_) | Value::Int(..) | Value::Uint(..), Json::Number(other)) => {
            number(value)? == exact(other)?
        }
        (Value::List(_), Json::Array(_)) | (Value::Map(_), Json::Object(_)) => return None,
        (Value::Bytes(_) | Value::Complex(..) | Value::Object(_), _) => return None,
        _ => false,
    })
}
