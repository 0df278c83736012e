//! Values to JSON.

use crate::limits::{check_text, deep};
use crate::value::number::format_float;
use crate::value::{Map, MapKind, Str, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashSet;

/// From this depth on Go looks for cycles.
const CYCLE_DEPTH: usize = 1000;

/// Writes compact JSON with HTML escapes, as `json.Marshal`.
///
/// ```
/// use windlass_helm::json::to_json;
/// use windlass_helm::value::Value;
///
/// assert_eq!(to_json(&Value::from("<a & b>"))?.to_text(), r#""\u003ca \u0026 b\u003e""#);
/// assert_eq!(to_json(&Value::from(1e21))?.to_text(), "1e+21");
/// assert!(to_json(&Value::from(f64::NAN)).is_err());
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// Go's text for values that JSON does not have: `json: unsupported value: NaN`.
pub fn to_json(value: &Value) -> Result<Str, String> {
    encode(value, false, true)
}

/// Writes JSON with an indentation of two spaces and HTML escapes, as `json.MarshalIndent`.
///
/// ```
/// use windlass_helm::json::{from_json, to_json_pretty};
///
/// let value = from_json(br#"{"a": [1, {}], "b": []}"#)?;
/// let text = "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}";
/// assert_eq!(to_json_pretty(&value)?.to_text(), text);
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// As [`to_json`].
pub fn to_json_pretty(value: &Value) -> Result<Str, String> {
    encode(value, true, true)
}

/// Writes compact JSON without HTML escapes.
///
/// It is what `toRawJson` gives, for texts that people read:
///
/// ```
/// use windlass_helm::json::{to_json, to_json_raw};
/// use windlass_helm::value::Value;
///
/// let value = Value::from("a && b");
/// assert_eq!(to_json_raw(&value)?.to_text(), r#""a && b""#);
/// assert_eq!(to_json(&value)?.to_text(), r#""a \u0026\u0026 b""#);
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// As [`to_json`].
pub fn to_json_raw(value: &Value) -> Result<Str, String> {
    encode(value, false, false)
}

/// The bytes of a value, with or without HTML escapes and indentation.
fn encode(value: &Value, pretty: bool, html: bool) -> Result<Str, String> {
    let mut encoder = Encoder {
        out: Vec::new(),
        pretty,
        html,
        seen: HashSet::new(),
    };
    encoder.value(value, 0)?;
    check_text(encoder.out.len())?;
    Ok(Str::from(encoder.out))
}

/// The value with a Go struct or named type at its top replaced by what JSON makes of it.
///
/// # Errors
/// Go's text for types that JSON does not have.
pub(crate) fn plain(value: &Value) -> Result<Value, String> {
    match value {
        Value::Object(object) => match object.to_json() {
            Value::Nil => Ok(object.underlying().unwrap_or(Value::Nil)),
            Value::Object(_) => Err(unsupported_type(value)),
            json => Ok(json),
        },
        Value::Complex(..) => Err(unsupported_type(value)),
        other => Ok(other.clone()),
    }
}

/// Go's `UnsupportedTypeError`, for example of a complex number.
fn unsupported_type(value: &Value) -> String {
    format!("json: unsupported type: {}", value.type_name())
}

struct Encoder {
    out: Vec<u8>,
    pretty: bool,
    html: bool,
    /// The places of the maps around the value, from [`CYCLE_DEPTH`] on.
    seen: HashSet<usize>,
}

impl Encoder {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        deep(|| self.value_inner(value, depth))
    }

    fn value_inner(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        check_text(self.out.len())?;
        match value {
            Value::Nil => self.text("null"),
            Value::Bool(flag) => self.text(if *flag { "true" } else { "false" }),
            Value::Int(number, _) => self.text(&number.to_string()),
            Value::Uint(number, _) => self.text(&number.to_string()),
            Value::Float(number) => self.text(&float_text(*number)?),
            Value::Str(text) => write_string(&mut self.out, text, self.html),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::List(list) if list.is_nil() => self.text("null"),
            Value::List(list) => self.list(list.items(), depth)?,
            Value::Map(map) if map.is_nil() => self.text("null"),
            Value::Map(map) => {
                let tracked = depth >= CYCLE_DEPTH;
                if tracked && !self.seen.insert(map.address()) {
                    return Err(format!(
                        "json: unsupported value: encountered a cycle via {}",
                        map.kind().type_name()
                    ));
                }
                self.map(map, depth)?;
                if tracked {
                    self.seen.remove(&map.address());
                }
            }
            Value::Object(object) => match object.json_fields() {
                Some(fields) => self.fields(&fields, depth)?,
                None => self.value(&plain(value)?, depth)?,
            },
            other => self.value(&plain(other)?, depth)?,
        }
        Ok(())
    }

    /// A string in quotes. Without HTML escapes `<`, `>` and `&` stay as they are.
    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// A `[]byte`, which JSON has in base64.
    fn bytes(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        let encoded = STANDARD.encode(bytes);
        self.text(&encoded);
        self.out.push(b'"');
    }

    fn list(&mut self, items: &[Value], depth: usize) -> Result<(), String> {
        self.out.push(b'[');
        for (index, item) in items.iter().enumerate() {
            self.separate(index, depth + 1);
            self.value(item, depth + 1)?;
        }
        self.close(b']', items.len(), depth);
        Ok(())
    }

    /// An object, its keys sorted by bytes.
    fn map(&mut self, map: &Map, depth: usize) -> Result<(), String> {
        self.out.push(b'{');
        let entries = map.entries();
        for (index, (key, value)) in entries.iter().enumerate() {
            self.name(index, key, depth);
            match value {
                Value::Str(text) if map.kind() == MapKind::Files => self.bytes(text),
                value => self.value(value, depth + 1)?,
            }
        }
        self.close(b'}', entries.len(), depth);
        Ok(())
    }

    /// A struct, its members in their own order.
    fn fields(&mut self, fields: &[(&str, Value)], depth: usize) -> Result<(), String> {
        self.out.push(b'{');
        for (index, (name, value)) in fields.iter().enumerate() {
            self.name(index, name.as_bytes(), depth);
            self.value(value, depth + 1)?;
        }
        self.close(b'}', fields.len(), depth);
        Ok(())
    }

    fn name(&mut self, index: usize, name: &[u8], depth: usize) {
        self.separate(index, depth + 1);
        write_string(&mut self.out, name, self.html);
        self.text(if self.pretty { ": " } else { ":" });
    }

    /// The comma and, when indented, the line before an entry.
    fn separate(&mut self, index: usize, depth: usize) {
        if index > 0 {
            self.out.push(b',');
        }
        if self.pretty {
            self.line(depth);
        }
    }

    fn close(&mut self, bracket: u8, count: usize, depth: usize) {
        if self.pretty && count > 0 {
            self.line(depth);
        }
        self.out.push(bracket);
    }

    /// A new line at the current depth, when indented.
    fn line(&mut self, depth: usize) {
        self.out.push(b'\n');
        self.out.extend(std::iter::repeat_n(b' ', 2 * depth));
    }
}

/// A float as JSON: plain digits from 1e-6 up to 1e21, else an exponent without padding.
fn float_text(number: f64) -> Result<String, String> {
    if !number.is_finite() {
        let text = format_float(number, b'g', -1, 64);
        return Err(format!("json: unsupported value: {text}"));
    }
    let size = number.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return Ok(format_float(number, b'f', -1, 64));
    }
    let mut text = format_float(number, b'e', -1, 64);
    // e-09 becomes e-9.
    if let Some(padded) = text.find("e-0") {
        text.remove(padded + 2);
    }
    Ok(text)
}

/// Writes a JSON string. Bytes that are not UTF-8 become `\ufffd`.
fn write_string(out: &mut Vec<u8>, text: &[u8], html: bool) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(text.len() + 2);
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        let valid = chunk.valid().as_bytes();
        let mut start = 0;
        for (at, byte) in valid.iter().enumerate() {
            let short = match byte {
                b'"' => b'"',
                b'\\' => b'\\',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                0x08 => b'b',
                0x0c => b'f',
                0..0x20 => 0,
                b'<' | b'>' | b'&' if html => 0,
                0xe2 if matches!(valid[at..], [_, 0x80, 0xa8 | 0xa9, ..]) => 0,
                _ => continue,
            };
            out.extend_from_slice(&valid[start..at]);
            start = at + 1;
            out.push(b'\\');
            if short != 0 {
                out.push(short);
            } else if *byte == 0xe2 {
                out.extend_from_slice(b"u202");
                out.push(HEX[usize::from(valid[at + 2] & 15)]);
                start = at + 3;
            } else {
                out.extend_from_slice(b"u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
        out.extend_from_slice(&valid[start..]);
        // Go replaces each byte on its own.
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
    out.push(b'"');
}

/// The text with every byte that is not UTF-8 replaced by U+FFFD, as after a way through JSON.
pub(crate) fn valid_text(text: &[u8]) -> Str {
    if std::str::from_utf8(text).is_ok() {
        return Str::from(text);
    }
    let mut valid = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        valid.push_str(chunk.valid());
        valid.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
    }
    Str::from(valid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Elem, List};

    fn json(value: &Value) -> String {
        to_json(value).unwrap().to_text().into_owned()
    }

    /// Recorded from Go 1.26.
    #[test]
    fn floats_have_go_form() {
        for (number, wanted) in [
            (1_000_000.0, "1000000"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (0.000_001, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-10, "1.5e-10"),
            (-0.0, "-0"),
            (5e-324, "5e-324"),
        ] {
            assert_eq!(json(&Value::Float(number)), wanted);
        }
        assert_eq!(
            to_json(&Value::Float(f64::NEG_INFINITY)),
            Err("json: unsupported value: -Inf".into())
        );
    }

    #[test]
    fn strings_are_escaped_for_html() {
        let text = Value::str("<a&b>\u{2028}\u{7f}\x01\x08\x0c\"\\/é");
        assert_eq!(
            json(&text),
            "\"\\u003ca\\u0026b\\u003e\\u2028\u{7f}\\u0001\\b\\f\\\"\\\\/é\""
        );
        assert_eq!(
            to_json_raw(&text).unwrap().to_text(),
            json(&text)
                .replace("\\u003c", "<")
                .replace("\\u003e", ">")
                .replace("\\u0026", "&")
        );
        assert_eq!(
            json(&Value::str(b"a\xff\xe6\x97b")),
            r#""a\ufffd\ufffd\ufffdb""#
        );
    }

    #[test]
    fn a_nil_slice_is_null_and_an_empty_one_is_not() {
        assert_eq!(json(&Value::List(List::nil(Elem::Any))), "null");
        assert_eq!(json(&Value::list(Vec::new())), "[]");
        assert_eq!(json(&Value::Bytes(Str::from("hi"))), "\"aGk=\"");
    }

    #[test]
    fn pretty_keeps_empty_collections_on_one_line() {
        let map = Map::new(MapKind::Any);
        map.insert("b", Value::list(Vec::new()));
        map.insert("a", Value::list(vec![Value::int(1), Value::empty_map()]));
        assert_eq!(
            to_json_pretty(&Value::Map(map)).unwrap().to_text(),
            "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}"
        );
    }

    #[test]
    fn a_map_that_contains_itself_is_refused() {
        let map = Map::new(MapKind::Any);
        map.insert("a", Value::Map(map.clone()));
        let error = to_json(&Value::Map(map.clone())).unwrap_err();
        assert_eq!(
            error,
            "json: unsupported value: encountered a cycle via map[string]interface {}"
        );
        map.remove("a");
    }
}
