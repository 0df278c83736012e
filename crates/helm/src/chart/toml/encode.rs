//! Values to TOML text.
//!
//! Follows github.com/BurntSushi/toml v1.6.0 `encode.go`: keys sorted, plain ones before tables, two
//! spaces of indentation per level, nil left out.

use crate::chart::values::deep;
use crate::value::number::format_float;
use crate::value::{List, Map, Object, Str, Value};

/// How deep values may nest.
const MAX_DEPTH: usize = 10_000;

/// Writes a value. Anything can stand at the top, though only tables make a document.
///
/// # Errors
/// Go's text: a nil in a list, a list of tables at the top.
pub(in crate::chart) fn encode(value: &Value) -> Result<Str, String> {
    if value.is_nil() {
        return Err("reflect: call of reflect.Value.Type on zero Value".to_owned());
    }
    let mut encoder = Encoder {
        out: Vec::new(),
        depth: 0,
    };
    encoder.encode(&mut Vec::new(), value)?;
    Ok(Str::from(encoder.out))
}

struct Encoder {
    out: Vec<u8>,
    depth: usize,
}

/// What decides on the form of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Nil,
    Scalar,
    Table,
    Array,
    ArrayOfTables,
}

type Keys = Vec<Str>;

impl Encoder {
    fn encode(&mut self, key: &mut Keys, value: &Value) -> Result<(), String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("toml: value nests too deeply".to_owned());
        }
        let result = deep(|| match (shape(value)?, value) {
            (Shape::Nil, _) => Ok(()),
            (Shape::Table, Value::Map(map)) => self.table(key, map),
            (Shape::ArrayOfTables, Value::List(list)) => self.array_of_tables(key, list),
            _ => self.key_value(key, value, false),
        });
        self.depth -= 1;
        result
    }

    fn write(&mut self, text: impl AsRef<[u8]>) {
        self.out.extend_from_slice(text.as_ref());
    }

    /// A line break, but not at the very beginning.
    fn newline(&mut self) {
        if !self.out.is_empty() {
            self.out.push(b'\n');
        }
    }

    fn indent(&mut self, key: &Keys) {
        let width = 2 * key.len().saturating_sub(1);
        self.out.resize(self.out.len() + width, b' ');
    }

    fn header(&mut self, key: &Keys, open: &str, close: &str) {
        self.indent(key);
        self.write(open);
        for (at, part) in key.iter().enumerate() {
            if at > 0 {
                self.write(".");
            }
            self.name(part);
        }
        self.write(close);
        self.newline();
    }

    fn table(&mut self, key: &mut Keys, map: &Map) -> Result<(), String> {
        if key.len() == 1 {
            self.newline();
        }
        if !key.is_empty() {
            self.header(key, "[", "]");
        }
        self.entries(key, map, false)
    }

    fn array_of_tables(&mut self, key: &mut Keys, list: &List) -> Result<(), String> {
        if key.is_empty() {
            return Err("toml: top-level values must be Go maps or structs".to_owned());
        }
        for item in list.items() {
            let Value::Map(map) = item else { continue };
            self.newline();
            self.header(key, "[[", "]]");
            self.entries(key, map, false)?;
        }
        Ok(())
    }

    /// The entries of a table, plain values before tables.
    fn entries(&mut self, key: &mut Keys, map: &Map, inline: bool) -> Result<(), String> {
        let (mut direct, mut tables) = (Vec::new(), Vec::new());
        for (name, value) in map.entries() {
            match shape(&value)? {
                Shape::Table | Shape::ArrayOfTables => tables.push((name, value)),
                _ => direct.push((name, value)),
            }
        }
        if inline {
            self.write("{");
        }
        let trailing = !tables.is_empty();
        self.group(key, &direct, inline, trailing)?;
        self.group(key, &tables, inline, false)?;
        if inline {
            self.write("}");
        }
        Ok(())
    }

    fn group(
        &mut self,
        key: &mut Keys,
        entries: &[(Str, Value)],
        inline: bool,
        trailing: bool,
    ) -> Result<(), String> {
        for (at, (name, value)) in entries.iter().enumerate() {
            if shape(value)? == Shape::Nil {
                continue;
            }
            if inline {
                self.key_value(&vec![name.clone()], value, true)?;
                if trailing || at + 1 < entries.len() {
                    self.write(", ");
                }
            } else {
                key.push(name.clone());
                let result = self.encode(key, value);
                key.pop();
                result?;
            }
        }
        Ok(())
    }

    fn key_value(&mut self, key: &Keys, value: &Value, inline: bool) -> Result<(), String> {
        let Some(name) = key.last() else {
            return self.element(value);
        };
        self.indent(key);
        self.name(name);
        self.write(" = ");
        self.element(value)?;
        if !inline {
            self.newline();
        }
        Ok(())
    }

    /// A value after `=` or in a list.
    fn element(&mut self, value: &Value) -> Result<(), String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("toml: value nests too deeply".to_owned());
        }
        let result = deep(|| match value {
            Value::Str(text) => {
                self.quoted(text);
                Ok(())
            }
            Value::Bool(_) | Value::Int(..) | Value::Uint(..) | Value::Float(_) => {
                self.write(scalar(value));
                Ok(())
            }
            Value::Bytes(bytes) => {
                let items: Vec<String> = bytes.iter().map(u8::to_string).collect();
                self.write(format!("[{}]", items.join(", ")));
                Ok(())
            }
            Value::List(list) => self.array(list),
            Value::Map(map) => self.entries(&mut Vec::new(), map, true),
            Value::Object(object) => self.object(&**object),
            Value::Nil => Err("reflect: call of reflect.Value.Type on zero Value".to_owned()),
            Value::Complex(..) => Err("unexpected type: complex128".to_owned()),
        });
        self.depth -= 1;
        result
    }

    fn array(&mut self, list: &List) -> Result<(), String> {
        self.write("[");
        for (at, item) in list.items().iter().enumerate() {
            if at > 0 {
                self.write(", ");
            }
            self.element(item)?;
        }
        self.write("]");
        Ok(())
    }

    /// A time bare, everything else by what it is underneath or in JSON.
    fn object(&mut self, object: &dyn Object) -> Result<(), String> {
        match (object.to_json(), object.to_str()) {
            (Value::Str(text), shown) if object.type_name() == "time.Time" => {
                self.write(time(
                    &text.to_text(),
                    &shown.unwrap_or_else(|| Str::from("")),
                ));
                Ok(())
            }
            (_, Some(text)) => {
                self.quoted(&text);
                Ok(())
            }
            (json, None) => self.element(&object.underlying().unwrap_or(json)),
        }
    }

    /// A key: bare where that is allowed.
    fn name(&mut self, key: &Str) {
        let bare = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !key.is_empty() && key.iter().all(bare) {
            self.write(key);
        } else {
            self.quoted(key);
        }
    }

    fn quoted(&mut self, text: &[u8]) {
        self.write("\"");
        for &byte in text {
            match byte {
                b'"' => self.write("\\\""),
                b'\\' => self.write("\\\\"),
                b'\x08' => self.write("\\b"),
                b'\t' => self.write("\\t"),
                b'\n' => self.write("\\n"),
                b'\x0c' => self.write("\\f"),
                b'\r' => self.write("\\r"),
                0..0x20 | 0x7f => self.write(format!("\\u{byte:04x}")),
                _ => self.out.push(byte),
            }
        }
        self.write("\"");
    }
}

/// A time as TOML has it; those without offset are in zones of the reader's own.
fn time(json: &str, shown: &[u8]) -> String {
    let local = json.trim_end_matches('Z');
    let (date, clock) = local.split_once('T').unwrap_or((local, ""));
    match () {
        () if shown.ends_with(b"datetime-local") => local.to_owned(),
        () if shown.ends_with(b"date-local") => date.to_owned(),
        () if shown.ends_with(b"time-local") => clock.to_owned(),
        () => json.to_owned(),
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number, _) => number.to_string(),
        Value::Uint(number, _) => number.to_string(),
        Value::Float(number) => float(*number),
        _ => String::new(),
    }
}

fn float(number: f64) -> String {
    let sign = if number.is_sign_negative() { "-" } else { "" };
    if number.is_nan() {
        return format!("{sign}nan");
    }
    if number.is_infinite() {
        return format!("{sign}inf");
    }
    let text = format_float(number, b'g', -1, 64);
    if text.contains(['e', '.']) {
        text
    } else {
        format!("{text}.0")
    }
}

/// The shape of a value; looks through lists, in which nil is an error at any depth.
fn shape(value: &Value) -> Result<Shape, String> {
    Ok(match value {
        Value::Nil => Shape::Nil,
        Value::Map(map) if map.is_nil() => Shape::Nil,
        Value::Map(_) => Shape::Table,
        Value::List(list) if list.is_nil() => Shape::Nil,
        Value::List(list) => {
            let mut tables = !list.is_empty();
            for item in list.items() {
                let shape = deep(|| shape(item))?;
                if shape == Shape::Nil {
                    return Err("toml: cannot encode array with nil element".to_owned());
                }
                tables &= shape == Shape::Table;
            }
            if tables {
                Shape::ArrayOfTables
            } else {
                Shape::Array
            }
        }
        _ => Shape::Scalar,
    })
}

#[cfg(test)]
mod tests {
    use super::encode;
    use crate::chart::strvals::from_json;
    use crate::value::Value;

    fn toml(json: &str) -> String {
        let value = from_json(serde_json::from_str(json).unwrap());
        encode(&value).map_or_else(|error| error, |text| text.to_text().into_owned())
    }

    #[test]
    fn writes_plain_values_before_tables() {
        insta::assert_snapshot!(
            toml(r#"{"z": 1, "t": {"x": {"y.": true}, "a": [1.5, "s\n"], "n": null}, "b": 1e21}"#),
            @r#"
        b = 1e+21
        z = 1.0

        [t]
          a = [1.5, "s\n"]
          [t.x]
            "y." = true
        "#
        );
    }

    #[test]
    fn writes_lists_of_tables() {
        insta::assert_snapshot!(
            toml(r#"{"l": [{"a": 1}, {}], "m": [{"a": {"b": [{}]}}, 1]}"#),
            @"
        m = [{a = {b = [{}]}}, 1.0]

        [[l]]
          a = 1.0

        [[l]]
        "
        );
    }

    #[test]
    fn refuses_nil_in_lists_and_lists_of_tables_at_the_top() {
        assert_eq!(
            toml(r#"{"a": [[null]]}"#),
            "toml: cannot encode array with nil element"
        );
        assert_eq!(
            toml("[{}]"),
            "toml: top-level values must be Go maps or structs"
        );
        assert_eq!(encode(&Value::from("x")).unwrap().as_bytes(), b"\"x\"");
    }
}
