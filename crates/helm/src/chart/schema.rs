//! `values.schema.json`: checks the values of a chart and of those below it.
//!
//! Follows helm v4 `pkg/chart/common/util/jsonschema.go`, whose library (santhosh-tekuri/jsonschema v6)
//! the crate `boon` is a sister of; the words of its messages are in `schema_text.rs`. Schemas are read
//! from the chart alone: neither files nor the network are reachable from here.

use super::plain_schema::PlainSchema;
use super::schema_format::FORMATS;
use super::{Chart, schema_cost, schema_text};
use crate::json::from_json;
use crate::limits::{MAX_VALIDATED_DEPTH, SCHEMA_STACK, deep};
use crate::re2::translate;
use crate::value::{Map, Value};
use boon::{CompileError, Compiler, Schemas, UrlLoader};
use std::collections::BTreeMap;

/// The name under which a chart's schema is known to itself.
pub(super) const URL: &str = "file:///values.schema.json";

/// Validates the coalesced values of a chart and its subcharts.
///
/// # Errors
/// What is wrong, chart by chart.
pub(super) fn validate(chart: &Chart, values: &Map) -> Result<(), String> {
    validate_tree(chart, values, &mut Known::new())
}

/// The schemas read so far, by text: copies of a chart share theirs.
type Known<'c> = BTreeMap<&'c [u8], Option<PlainSchema>>;

fn validate_tree<'c>(chart: &'c Chart, values: &Map, known: &mut Known<'c>) -> Result<(), String> {
    let mut out = String::new();
    if let Some(schema) = &chart.schema {
        let plain = known
            .entry(schema)
            .or_insert_with(|| PlainSchema::parse(schema));
        let plain = plain.as_ref().and_then(|plain| plain.accepts(values));
        if plain != Some(true)
            && let Err(error) = validate_one(schema, values)
        {
            out.extend([chart.name(), ":\n", &error]);
        }
    }
    for sub in &chart.dependencies {
        match values.get(sub.name()) {
            None | Some(Value::Nil) => {}
            Some(Value::Map(table)) => {
                if let Err(error) = validate_tree(sub, &table, known) {
                    out.push_str(&error);
                }
            }
            Some(other) => {
                let problem = "invalid type for values: expected object (map), got ";
                out.extend([sub.name(), ":\n", problem, &other.type_name(), "\n"]);
            }
        }
    }
    if out.is_empty() { Ok(()) } else { Err(out) }
}

fn validate_one(schema: &[u8], values: &Map) -> Result<(), String> {
    let schema: serde_json::Value = serde_json::from_slice(schema).map_err(|error| {
        if error.is_eof() {
            return "unexpected EOF".to_owned();
        }
        from_json(schema).map_or_else(|text| text, |_| error.to_string())
    })?;
    let values = to_json(&Value::Map(values.clone()), 0)?;
    schema_cost::check(&schema, &values)?;
    stacker::grow(SCHEMA_STACK, || validate_json(&schema, &values))
}

/// Holds values against a schema, on a stack that is deep enough.
fn validate_json(schema: &serde_json::Value, values: &serde_json::Value) -> Result<(), String> {
    let mut compiler = Compiler::new();
    compiler.use_loader(Box::new(NoLoader));
    for format in FORMATS {
        compiler.register_format(format);
    }
    compiler
        .add_resource(URL, with_go_patterns(schema))
        .map_err(|error| describe(&error))?;
    let mut schemas = Schemas::new();
    let index = compiler
        .compile(URL, &mut schemas)
        .map_err(|error| describe(&error))?;
    schemas.validate(values, index).map_err(|error| {
        let text = schema_text::error(&error, schema);
        let head = format!("jsonschema validation failed with '{URL}#'\n");
        format!("{}\n", text.strip_prefix(&head).unwrap_or(&text))
    })
}

/// A schema with its patterns, which are Go's, in the words of the crate that matches them. What is
/// no pattern for Go stays as it is.
fn with_go_patterns(schema: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    let translated = |pattern: &str| match translate(pattern.as_bytes()) {
        Ok(translated) => translated.text,
        Err(_) => pattern.to_owned(),
    };
    match schema {
        Json::Array(items) => items.iter().map(with_go_patterns).collect(),
        Json::Object(fields) => {
            let field = |(key, value): (&String, &Json)| {
                let value = match (key.as_str(), value) {
                    ("pattern", Json::String(pattern)) => Json::from(translated(pattern)),
                    ("patternProperties", Json::Object(schemas)) => {
                        let schemas = schemas.iter();
                        let schema = |(key, schema): (&String, &Json)| {
                            (translated(key), with_go_patterns(schema))
                        };
                        Json::Object(schemas.map(schema).collect())
                    }
                    ("const" | "enum" | "default" | "examples", data) if !data.is_object() => {
                        data.clone()
                    }
                    (_, value) => with_go_patterns(value),
                };
                (key.clone(), value)
            };
            Json::Object(fields.iter().map(field).collect())
        }
        other => other.clone(),
    }
}

/// Refuses every schema outside of the chart. What is only named (`urn:`) allows everything, as in
/// Helm.
struct NoLoader;

impl UrlLoader for NoLoader {
    fn load(&self, url: &str) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
        if url.starts_with("urn:") {
            return Ok(serde_json::Value::Bool(true));
        }
        Err("schemas are read from the chart alone: copy it below \"$defs\"".into())
    }
}

fn describe(error: &CompileError) -> String {
    match error {
        CompileError::LoadUrlError { url, src } => format!("failing loading {url:?}: {src}"),
        CompileError::ValidationError { url, src } => {
            let url = url.trim_end_matches('#');
            let text = schema_text::error(src, &serde_json::Value::Null);
            format!("\"{url}#\" is not valid against metaschema: {text}")
        }
        CompileError::JsonPointerNotFound(pointer) => {
            format!("json-pointer in {pointer:?} not found")
        }
        CompileError::AnchorNotFound { url, reference } => {
            format!("anchor in {reference:?} not found in schema {url:?}")
        }
        other => format!("{other:#}"),
    }
}

/// The values as JSON; whole numbers are integers.
fn to_json(value: &Value, depth: usize) -> Result<serde_json::Value, String> {
    use serde_json::Value as Json;
    if depth > MAX_VALIDATED_DEPTH {
        return Err(format!("values nest deeper than {MAX_VALIDATED_DEPTH}"));
    }
    Ok(match value {
        Value::Nil | Value::Object(_) | Value::Complex(..) => Json::Null,
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Int(number, _) => Json::from(*number),
        Value::Uint(number, _) => Json::from(*number),
        Value::Float(number) => float(*number),
        Value::Str(text) | Value::Bytes(text) => Json::String(text.to_text().into_owned()),
        Value::List(list) => {
            let items = list
                .items()
                .iter()
                .map(|item| deep(|| to_json(item, depth + 1)));
            Json::Array(items.collect::<Result<_, _>>()?)
        }
        Value::Map(map) => {
            let pair = |(key, value): &(crate::value::Str, Value)| {
                Ok((
                    key.to_text().into_owned(),
                    deep(|| to_json(value, depth + 1))?,
                ))
            };
            Json::Object(
                map.entries()
                    .iter()
                    .map(pair)
                    .collect::<Result<_, String>>()?,
            )
        }
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "checked to be whole and within range"
)]
fn float(number: f64) -> serde_json::Value {
    if number.fract() == 0.0 && number.abs() < 9e15 {
        return (number as i64).into();
    }
    number.into()
}

#[cfg(test)]
mod tests {
    use super::{PlainSchema, validate, validate_one};
    use crate::chart::{Chart, Profile};
    use crate::value::Str;
    use crate::yaml;
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    fn check(schema: &str, values: &str) -> String {
        let head = "apiVersion: v2\nname: web\nversion: 1.0.0\n";
        let files = [
            ("Chart.yaml", head),
            ("values.schema.json", schema),
            ("values.yaml", values),
        ];
        let files = files.map(|(name, text)| (name.to_owned(), Str::from(text)));
        let chart = Chart::from_files(files.into(), Profile::Helm4).unwrap();
        validate(&chart, &chart.values).err().unwrap_or_default()
    }

    #[test]
    fn words_what_is_wrong_as_helm_does() {
        for (schema, values, message) in [
            (
                r#"{"required":["a"]}"#,
                "b: 1",
                "- at '': missing property 'a'\n",
            ),
            (
                r#"{"required":["a","c"]}"#,
                "b: 1",
                "- at '': missing properties 'a', 'c'\n",
            ),
            (
                r#"{"properties":{"a":{"type":["string","object","null","array","boolean"]}}}"#,
                "a: 1",
                "- at '/a': got number, want null or boolean or string or array or object\n",
            ),
            (
                r#"{"properties":{"a":{"minimum":1000000}}}"#,
                "a: 5.5",
                "- at '/a': minimum: got 5.5, want 1×10⁰⁶\n",
            ),
            (
                r#"{"properties":{"a":{"minLength":1234}}}"#,
                "a: x",
                "- at '/a': minLength: got 1, want 1,234\n",
            ),
            (
                r#"{"properties":{"a":{"enum":["x",1,null,true,1.5]}}}"#,
                "a: other",
                "- at '/a': value must be one of 'x', 1, <nil>, true, 1.5\n",
            ),
            (
                r#"{"additionalProperties":false}"#,
                "it's: y",
                "- at '': additional properties 'it\\'s' not allowed\n",
            ),
            (
                r##"{"properties":{"l":{"anyOf":[{"$ref":"#/$defs/z"},{"type":"array"}]}},"$defs":{"z":{"type":"object","properties":{"q":{"type":"string"}}}}}"##,
                "l: {q: 1}",
                "- at '/l': 'anyOf' failed\n  - at '/l/q': got number, want string\n  - at '/l': got object, want array\n",
            ),
            (
                r#"{"properties":{"i":{"minItems":3,"uniqueItems":true}}}"#,
                "i: [1, 1]",
                "- at '/i': minItems: got 2, want 3\n- at '/i': items at 0 and 1 are equal\n",
            ),
            (
                r#"{"properties":{"a":{"pattern":"^[^\\s/]+:\\d+$"}}}"#,
                "a: x",
                "- at '/a': 'x' does not match pattern '^[^\\\\s/]+:\\\\d+$'\n",
            ),
            (
                r#"{"properties":{"a":{"allOf":[{"properties":{"b":{"anyOf":[{"minLength":3}]}}}]}}}"#,
                "a: {b: x}",
                "- at '/a': 'allOf' failed\n  - at '/a/b': 'anyOf' failed\n    - at '/a/b': minLength: got 1, want 3\n",
            ),
            (
                r##"{"properties":{"a":{"items":{"oneOf":[{"$ref":"#/$defs/z"}]}}},"$defs":{"z":{"allOf":[{"type":"array"},true]}}}"##,
                "a: [x]",
                "- at '/a/0': 'oneOf' failed, none matched\n  - at '/a/0': 'allOf' failed\n    - at '/a/0': got string, want array\n",
            ),
            (
                r#"{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"format":"email","minLength":9}}}"#,
                "a: x",
                "- at '/a': 'x' is not valid email: missing @\n",
            ),
            (
                r#"{"properties":{"a":{"pattern":"^[^[]*{$"}},"patternProperties":{"^[\\w-.]$":{"pattern":"[~~]"}}}"#,
                "a: '~{'",
                "",
            ),
            (r#"{"type":"#, "", "unexpected EOF"),
            (
                r##"{"$ref":"#/nope"}"##,
                "",
                "json-pointer in \"file:///values.schema.json#/nope\" not found",
            ),
            (r#"{"properties":{"a":{"$ref":"urn:x"}}}"#, "a: 1", ""),
        ] {
            let want = if message.is_empty() {
                String::new()
            } else {
                format!("web:\n{message}")
            };
            assert_eq!(check(schema, values), want, "{schema}");
        }
    }

    #[test]
    fn refuses_values_that_nest_too_deep() {
        let values = format!("a: {}{}", "[".repeat(1_001), "]".repeat(1_001));
        let message = check(r#"{"contains":true}"#, &values);
        assert_eq!(message, "web:\nvalues nest deeper than 1000");
    }

    #[test]
    fn refuses_schemas_outside_of_the_chart() {
        for url in [
            "http://127.0.0.1:1/x.json",
            "file:///dev/zero",
            "other.json",
        ] {
            let message = check(&format!(r#"{{"$ref":"{url}"}}"#), "a: 1");
            assert!(message.contains("read from the chart alone"), "{message}");
        }
    }

    #[test]
    fn reports_schemas_that_are_none() {
        assert_eq!(
            check(r#"{"type":"objec"}"#, ""),
            "web:\n\"file:///values.schema.json#\" is not valid against metaschema: jsonschema \
             validation failed with 'https://json-schema.org/draft/2020-12/schema#'\n\
             - at '': 'allOf' failed\n  - at '/type': 'anyOf' failed\n    - at '/type': value must be \
             one of 'array', 'boolean', 'integer', 'null', 'number', 'object', 'string'\n    \
             - at '/type': got string, want array"
        );
    }

    /// Schemas of all keywords, some of them wrong, over values with the keys `a` and `b`.
    fn schemas() -> impl Strategy<Value = Json> {
        let one = prop::sample::select(vec![
            json!(true),
            json!(false),
            json!({}),
            json!({"type": "object"}),
            json!({"type": ["string", "null"]}),
            json!({"type": "integer"}),
            json!({"type": "number", "x-order": 1}),
            json!({"type": "objec"}),
            json!({"type": ["null", "null"]}),
            json!({"const": 1}),
            json!({"const": [1]}),
            json!({"enum": ["x", 0, null, {}]}),
            json!({"enum": "x"}),
            json!({"minimum": 1, "maximum": 2.5}),
            json!({"exclusiveMinimum": 1, "exclusiveMaximum": true}),
            json!({"exclusiveMinimum": 0, "exclusiveMaximum": 2}),
            json!({"minLength": 1, "maxLength": 2}),
            json!({"minItems": 1, "maxItems": 2}),
            json!({"minProperties": 1, "maxProperties": 1}),
            json!({"minLength": -1}),
            json!({"pattern": "^x+$", "description": "text"}),
            json!({"pattern": "("}),
            json!({"required": ["a"]}),
            json!({"required": ["a", "a"]}),
            json!({"uniqueItems": true}),
            json!({"format": "ipv4"}),
            json!({"$ref": "#/$defs/d", "minLength": 2}),
            json!({"$ref": "#/definitions/d", "required": ["b"]}),
            json!({"$ref": "#/nope"}),
            json!({"$id": "https://example.com/x", "$ref": "#/$defs/d"}),
            json!({"patternProperties": {"a": false}}),
            json!({"title": 1}),
        ]);
        one.prop_recursive(4, 24, 3, |inner| {
            (prop::collection::vec(inner, 3), 0..10_u8).prop_map(|(inner, kind)| {
                let [one, two, three] = &inner[..] else {
                    return Json::Null;
                };
                match kind {
                    0 => json!({"properties": {"a": one, "b": two}, "additionalProperties": three}),
                    1 => json!({"properties": {"b": one}, "required": ["b"]}),
                    2 => json!({"additionalProperties": one}),
                    3 => json!({"items": one}),
                    4 => json!({"items": [one]}),
                    5 => json!({"anyOf": [one, two]}),
                    6 => json!({"oneOf": [one, two, three]}),
                    7 => json!({"allOf": [one, two]}),
                    8 => json!({"not": one}),
                    _ => json!({"if": one, "then": two, "else": three}),
                }
            })
        })
    }

    fn values() -> impl Strategy<Value = Json> {
        let one = prop::sample::select(vec![
            json!(null),
            json!(true),
            json!(0),
            json!(1),
            json!(2.5),
            json!("x"),
            json!("xyz"),
            json!([]),
            json!({}),
        ]);
        one.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Json::from),
                prop::collection::btree_map("[abc]", inner, 0..3).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn plain_schemas_are_answered_as_compiled_ones(
            mut root in schemas(),
            within in schemas(),
            values in prop::collection::btree_map("[abc]", values(), 0..3),
            draft in prop::sample::select(vec![
                None,
                Some("http://json-schema.org/draft-07/schema#"),
                Some("https://json-schema.org/draft/2019-09/schema"),
                Some("https://json-schema.org/draft-06/schema#"),
            ]),
        ) {
            if let Json::Object(fields) = &mut root {
                fields.extend(draft.map(|draft| ("$schema".to_owned(), draft.into())));
                fields.insert("$defs".to_owned(), json!({"d": within}));
                fields.insert("definitions".to_owned(), json!({"d": within}));
            }
            let text = root.to_string();
            let values = yaml::from_yaml_map(json!(values).to_string().as_bytes()).unwrap();
            let plain = PlainSchema::parse(text.as_bytes()).and_then(|plain| plain.accepts(&values));
            if let Some(fits) = plain {
                let compiled = validate_one(text.as_bytes(), &values);
                prop_assert_eq!(fits, compiled.is_ok(), "{:?}", compiled);
            }
        }
    }
}
