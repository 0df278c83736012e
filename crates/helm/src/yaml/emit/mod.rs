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
use crate::value::number::format_float;
use crate::value::{Map, MapKind, Str, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use order::Order;
pub use pretty::to_yaml_pretty;
use writer::{Context, Flavor, Writer};

/// The stack that must be left for one level of nesting, and the size of a new piece, in bytes.
pub(super) const RED_ZONE: usize = 64 * 1024;
pub(super) const STACK: usize = 1024 * 1024;
/// How deep YAML may nest: the reader in the middle of `toYaml` refuses more.
const MAX_DEPTH: usize = 10_000;

/// Writes a value as `toYaml` does, without the line break at its end.
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
        stacker::maybe_grow(RED_ZONE, STACK, || {
            self.emit_inner(value, context, indent, depth)
        })
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
