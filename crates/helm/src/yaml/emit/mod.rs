//! Values to YAML, byte for byte as Helm's `toYaml` and `toYamlPretty`.
//!
//! `toYaml` goes through JSON: `json.Marshal`, then yaml.v2 reads that text and writes it again, so
//! numbers are typed anew and strings pass a YAML reader on the way. `toYamlPretty` is yaml.v3
//! directly. Follows sigs.k8s.io/yaml and go.yaml.in/yaml v2 and v3 (encode.go, emitterc.go).

mod order;
mod pretty;
mod scalar;
mod writer;

use crate::json;
use crate::limits::{MAX_DEPTH, deep};
use crate::value::number::format_float;
use crate::value::{Map, MapKind, Str, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use order::Order;
pub use pretty::to_yaml_pretty;
use writer::{Context, Flavor, Writer};

/// Writes a value as `toYaml` does, without the line break at its end.
///
/// ```
/// use windlass_helm::yaml::{emit::to_yaml, from_yaml};
///
/// let value = from_yaml(b"{b: [1, '2'], a: \"x\\ny\"}")?;
/// assert_eq!(to_yaml(&value)?.to_text(), "a: |-\n  x\n  y\nb:\n- 1\n- \"2\"");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Go's text, for example for NaN, which JSON does not have; Helm's `toYaml` gives nothing then.
pub fn to_yaml(value: &Value) -> Result<Str, String> {
    let mut emitter = Emitter {
        writer: Writer::new(Flavor::V2),
        exact: false,
    };
    match emitter.emit(value, Context::Root, -1, 0) {
        Ok(()) => return Ok(emitter.writer.finish()),
        Err(Trouble::Failed(message)) => return Err(message),
        Err(Trouble::Odd) => {}
    }
    // The reader in the middle refuses or changes something: go the whole way.
    let text = json::to_json(value).map_err(|error| in_marshal(&error))?;
    let value = super::convert::read_exact(&text).map_err(|error| error.message)?;
    let mut emitter = Emitter {
        writer: Writer::new(Flavor::V2),
        exact: true,
    };
    match emitter.emit(&value, Context::Root, -1, 0) {
        Err(Trouble::Failed(message)) => Err(message),
        Err(Trouble::Odd) | Ok(()) => Ok(emitter.writer.finish()),
    }
}

/// Why writing stopped.
enum Trouble {
    /// The value has to pass a real reader.
    Odd,
    /// Go fails with this text.
    Failed(String),
}

struct Emitter {
    writer: Writer,
    /// Whether the value has passed the reader already.
    exact: bool,
}

impl Emitter {
    /// Writes one node. `indent` is that of the collection around it, −1 at the top.
    fn emit(
        &mut self,
        value: &Value,
        context: Context,
        indent: isize,
        depth: usize,
    ) -> Result<(), Trouble> {
        deep(|| self.emit_inner(value, context, indent, depth))
    }

    fn emit_inner(
        &mut self,
        value: &Value,
        context: Context,
        indent: isize,
        depth: usize,
    ) -> Result<(), Trouble> {
        if depth > MAX_DEPTH && !self.exact {
            return Err(Trouble::Odd);
        }
        let writer = &mut self.writer;
        match writer.check() {
            Ok(()) => {}
            Err(error) if self.exact => return Err(Trouble::Failed(error)),
            // It may be a value within itself, which JSON tells from a large one.
            Err(_) => return Err(Trouble::Odd),
        }
        match value {
            Value::Nil => writer.plain("null", indent),
            Value::Bool(flag) => writer.plain(if *flag { "true" } else { "false" }, indent),
            Value::Int(number, _) => writer.plain(&number.to_string(), indent),
            Value::Uint(number, _) => writer.plain(&number.to_string(), indent),
            Value::Float(number) => {
                let text = float_text(*number).map_err(Trouble::Failed)?;
                writer.plain(&text, indent);
            }
            Value::Str(text) => {
                if !self.exact && is_odd(text) {
                    return Err(Trouble::Odd);
                }
                writer.string(text, indent);
            }
            Value::Bytes(bytes) => {
                writer.string(STANDARD.encode(bytes.as_bytes()).as_bytes(), indent);
            }
            Value::List(list) if list.is_nil() => writer.plain("null", indent),
            Value::List(list) if list.is_empty() => writer.empty("[]"),
            Value::List(list) => {
                let inner = writer.sequence_indent(context, indent);
                for item in list.items() {
                    self.writer.item(inner);
                    self.emit(item, Context::Item, inner, depth + 1)?;
                }
            }
            Value::Map(map) if map.is_nil() => writer.plain("null", indent),
            Value::Map(map) if map.is_empty() => writer.empty("{}"),
            Value::Map(map) => self.emit_map(map, indent, depth)?,
            other => {
                let plain = json::plain(other).map_err(|e| Trouble::Failed(in_marshal(&e)))?;
                self.emit(&plain, context, indent, depth + 1)?;
            }
        }
        Ok(())
    }

    fn emit_map(&mut self, map: &Map, indent: isize, depth: usize) -> Result<(), Trouble> {
        let inner = self.writer.mapping_indent(indent);
        let files = map.kind() == MapKind::Files;
        for (key, value) in Order::V2.sort(map.entries()) {
            if !self.exact && (is_odd(&key) || is_long_key(&key)) {
                return Err(Trouble::Odd);
            }
            let simple = self.writer.key(&key, inner);
            self.writer.colon(simple, inner);
            match value {
                Value::Str(text) if files => {
                    self.emit(&Value::Bytes(text), Context::Value, inner, depth + 1)?;
                }
                value => self.emit(&value, Context::Value, inner, depth + 1)?,
            }
        }
        Ok(())
    }
}

/// The text of a number after its way through JSON and YAML.
fn float_text(number: f64) -> Result<String, String> {
    if !number.is_finite() {
        let text = format_float(number, b'g', -1, 64);
        return Err(in_marshal(&format!("json: unsupported value: {text}")));
    }
    if number == 0.0 {
        return Ok("0".into());
    }
    if number.fract() == 0.0 && number.abs() < 1e21 {
        // JSON shows all digits; what fits into 64 bits is an integer to YAML.
        let text = format_float(number, b'f', -1, 64);
        if text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok() {
            return Ok(text);
        }
    }
    Ok(format_float(number, b'g', -1, 64))
}

/// Whether a way through JSON and a YAML reader changes the string, or fails.
fn is_odd(text: &[u8]) -> bool {
    std::str::from_utf8(text).map_or(true, |valid| {
        valid
            .chars()
            .any(|c| matches!(c, '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}'))
    })
}

/// Whether a YAML reader might not take the JSON string for a key: only within 1024 characters.
fn is_long_key(key: &[u8]) -> bool {
    // A byte becomes at most six characters in JSON.
    key.len() > 1024 / 6 - 2
}

fn in_marshal(error: &str) -> String {
    format!("error marshaling into JSON: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn yaml(json_text: &str) -> String {
        let value = json::from_json(json_text.as_bytes()).unwrap();
        to_yaml(&value).unwrap().to_text().into_owned()
    }

    /// Recorded from sigs.k8s.io/yaml 1.6.0.
    #[test]
    fn scalars_are_quoted_as_sigs_yaml_does() {
        for (text, wanted) in [
            ("", "\"\""),
            ("true", "\"true\""),
            ("y", "\"y\""),
            ("tRUE", "tRUE"),
            ("1_000", "\"1_000\""),
            ("12:30:45", "\"12:30:45\""),
            ("2024-01-01", "\"2024-01-01\""),
            ("<<", "<<"),
            ("=", "="),
            ("a:b", "a:b"),
            ("a: b", "'a: b'"),
            ("a:", "'a:'"),
            ("a #b", "'a #b'"),
            ("it's", "it's"),
            ("'a", "'''a'"),
            ("- a", "'- a'"),
            ("-a", "-a"),
            ("--- a", "'--- a'"),
            (" a", "' a'"),
            ("a ", "'a '"),
            ("a\tb", "\"a\\tb\""),
            ("😀", "\"\\U0001F600\""),
            ("é\u{a0}", "é\u{a0}"),
            ("\u{feff}b", "\"\\uFEFF\\x62\""),
            ("a\nb", "|-\n  a\n  b"),
            ("a\n", "|\n  a"),
            ("a\n\n", "|+\n  a\n"),
            (" a\nb\n", "|2\n   a\n  b"),
            ("a \nb", "\"a \\nb\""),
        ] {
            assert_eq!(
                to_yaml(&Value::str(text)).unwrap().to_text(),
                wanted,
                "{text:?}"
            );
        }
    }

    /// Recorded from sigs.k8s.io/yaml 1.6.0.
    #[test]
    fn numbers_are_typed_anew() {
        for (number, wanted) in [
            (1_000_000.0, "1000000"),
            (-0.0, "0"),
            (1e19, "10000000000000000000"),
            (1e20, "1e+20"),
            (-1e19, "-1e+19"),
            (2_500_000.5, "2.5000005e+06"),
            (1.5e-7, "1.5e-07"),
        ] {
            assert_eq!(to_yaml(&Value::Float(number)).unwrap().to_text(), wanted);
        }
        assert_eq!(
            to_yaml(&Value::Float(f64::NAN)).unwrap_err(),
            "error marshaling into JSON: json: unsupported value: NaN"
        );
    }

    /// Recorded from sigs.k8s.io/yaml 1.6.0 and go.yaml.in/yaml/v3 3.0.4.
    #[test]
    fn sequences_are_indented_in_pretty_only() {
        let nested = r#"{"a":[1,[2,[]],{"b":{"c":[3]},"d":{}}],"e":null}"#;
        let wanted = "a:\n- 1\n- - 2\n  - []\n- b:\n    c:\n    - 3\n  d: {}\ne: null";
        assert_eq!(yaml(nested), wanted);
        let pretty = to_yaml_pretty(&json::from_json(nested.as_bytes()).unwrap()).unwrap();
        assert_eq!(
            pretty.to_text(),
            "a:\n  - 1\n  - - 2\n    - []\n  - b:\n      c:\n        - 3\n    d: {}\ne: null"
        );
    }

    #[test]
    fn long_lines_are_folded_and_long_keys_are_explicit() {
        let words = "word ".repeat(20);
        let text = format!(r#"{{"k":"{}"}}"#, words.trim());
        let first = "word ".repeat(15) + "word";
        assert_eq!(yaml(&text), format!("k: {first}\n  word word word word"));
        let key = "k".repeat(129);
        assert_eq!(yaml(&format!(r#"{{"{key}":1}}"#)), format!("? {key}\n: 1"));
    }

    #[test]
    fn what_a_yaml_reader_refuses_in_json_is_an_error() {
        let refused = to_yaml(&Value::str("a\u{7f}")).unwrap_err();
        assert_eq!(refused, "yaml: control characters are not allowed");
        // A next line character is a line break to the reader, and folded.
        assert_eq!(to_yaml(&Value::str("a\u{85}b")).unwrap().to_text(), "a b");
        let long = format!(r#"{{"{}":1}}"#, "k".repeat(1100));
        assert!(to_yaml(&json::from_json(long.as_bytes()).unwrap()).is_err());
    }

    #[test]
    fn a_map_that_contains_itself_is_refused() {
        let map = Map::new(MapKind::Any);
        map.insert("a", Value::Map(map.clone()));
        let error = to_yaml(&Value::Map(map.clone())).unwrap_err();
        assert!(error.contains("encountered a cycle"), "{error}");
        assert!(to_yaml_pretty(&Value::Map(map.clone())).is_err());
        map.remove("a");
    }

    fn any_value() -> impl Strategy<Value = String> {
        let text = "[ a-c:#'\"\\n\\-?&*!|>%@{}\\[\\],0-9é\u{2028}\u{feff}😀]{0,12}";
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|flag| flag.to_string()),
            (-1e15..1e15f64).prop_map(|number| number.to_string()),
            text.prop_map(|text| serde_json::Value::from(text).to_string()),
        ];
        leaf.prop_recursive(4, 32, 5, move |inner| {
            let key = text.prop_map(|text| serde_json::Value::from(text).to_string());
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5)
                    .prop_map(|items| format!("[{}]", items.join(","))),
                prop::collection::vec((key, inner), 0..5).prop_map(|entries| {
                    let entries: Vec<_> = entries
                        .iter()
                        .map(|(key, value)| format!("{key}:{value}"))
                        .collect();
                    format!("{{{}}}", entries.join(","))
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: proptest::test_runner::RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]
        #[test]
        fn what_is_written_reads_back_the_same(text in any_value()) {
            let value = json::from_json(text.as_bytes()).unwrap();
            let wanted = json::to_json(&value).unwrap();
            for written in [to_yaml(&value).unwrap(), to_yaml_pretty(&value).unwrap()] {
                // The line break that Helm trims may belong to the text.
                let read = crate::yaml::from_yaml(&[&written, &b"\n"[..]].concat()).unwrap();
                let read = json::to_json(&read).unwrap();
                prop_assert_eq!(read.to_text(), wanted.to_text(), "{}", written.to_text());
            }
        }
    }
}
