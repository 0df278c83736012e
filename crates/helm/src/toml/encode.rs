//! Values to TOML. Follows BurntSushi/toml 1.6 encode.go.

use super::{escape, write_key, write_path};
use crate::limits::{MAX_DEPTH, Visits, check_text, deep};
use crate::value::number::format_float;
use crate::value::{Elem, List, Map, MapKind, Object, Str, Value};

/// Why a value has no TOML.
///
/// BurntSushi's encoder panics for what it did not expect, and returns an error for what TOML does not have.
/// Templates see the difference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// An error that Go returns: `toToml` gives its text as the result.
    #[error("{0}")]
    Refused(String),
    /// A panic in Go: the template fails.
    #[error("{0}")]
    Panicked(String),
}

/// Writes a value as `toToml` does.
///
/// ```
/// use windlass_helm::{json::from_json, toml::to_toml};
///
/// let value = from_json(br#"{"t": {"x": true}, "a": 1}"#)?;
/// assert_eq!(to_toml(&value)?.to_text(), "a = 1.0\n\n[t]\n  x = true\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the value has no TOML form.
pub fn to_toml(value: &Value) -> Result<Str, EncodeError> {
    if value.is_nil() {
        let text = "reflect: call of reflect.Value.Type on zero Value";
        return Err(EncodeError::Panicked(text.into()));
    }
    let mut encoder = Encoder {
        out: Vec::new(),
        visits: Visits::new(),
        path: Vec::new(),
    };
    encoder.encode(value)?;
    Ok(Str::from(encoder.out))
}

/// What TOML makes of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Table,
    Tables,
    Other,
}

/// An error that `toToml` gives as its result.
fn refused<T>(text: &str) -> Result<T, EncodeError> {
    Err(EncodeError::Refused(text.into()))
}

/// A Go value with the fields it would be written with, or its text.
enum Shape {
    Table(Vec<(Str, Value)>),
    /// A value that writes itself: quoted, or a date and time.
    Text(Str, bool),
    Plain(Value),
}

/// How an object is written: by its text when it has one, else as the number or struct beneath.
fn shape(object: &dyn Object) -> Shape {
    let type_name = object.type_name();
    match object.to_json() {
        Value::Str(text) if type_name == "time.Time" => {
            let shown = object.to_str().unwrap_or_else(|| Str::from(""));
            return Shape::Text(time(&text, &shown), true);
        }
        Value::Str(text) => return Shape::Text(text, false),
        _ => {}
    }
    // The one number that is written as a text.
    if type_name == "time.Duration"
        && let Some(text) = object.to_str()
    {
        return Shape::Text(text, false);
    }
    match object.underlying() {
        Some(value) => Shape::Plain(value),
        None => Shape::Table(
            object
                .promoted_fields()
                .into_iter()
                .map(|(name, value)| (Str::from(name), value))
                .collect(),
        ),
    }
}

/// A time as TOML has it, from its text in JSON and the one that `String` gives: the name of the zone
/// says which parts a time without offset has.
fn time(json: &Str, shown: &[u8]) -> Str {
    let json = json.to_text();
    let local = json.trim_end_matches('Z');
    let (date, clock) = local.split_once('T').unwrap_or((local, ""));
    Str::from(match () {
        () if shown.ends_with(b" datetime-local") => local,
        () if shown.ends_with(b" date-local") => date,
        () if shown.ends_with(b" time-local") => clock,
        () => &json,
    })
}

/// The type of a value; `None` for nil.
fn type_of(visits: &mut Visits, value: &Value, depth: usize) -> Result<Option<Type>, EncodeError> {
    if depth > MAX_DEPTH {
        return refused("toml: value is nested too deeply");
    }
    visits.visit().map_err(EncodeError::Panicked)?;
    deep(|| type_of_inner(visits, value, depth))
}

fn type_of_inner(
    visits: &mut Visits,
    value: &Value,
    depth: usize,
) -> Result<Option<Type>, EncodeError> {
    Ok(Some(match value {
        Value::Nil => return Ok(None),
        Value::Map(map) if map.is_nil() => return Ok(None),
        Value::List(list) if list.is_nil() => return Ok(None),
        Value::Map(_) => Type::Table,
        Value::List(list) => {
            let mut tables = !list.is_empty();
            for item in list.items() {
                match type_of(visits, item, depth + 1)? {
                    None => return refused("toml: cannot encode array with nil element"),
                    Some(kind) => tables &= kind == Type::Table,
                }
            }
            if tables { Type::Tables } else { Type::Other }
        }
        Value::Complex(..) => return refused("unsupported type: complex128"),
        Value::Object(object) => match shape(&**object) {
            Shape::Table(_) => Type::Table,
            Shape::Text(..) => Type::Other,
            Shape::Plain(value) => return type_of(visits, &value, depth + 1),
        },
        _ => Type::Other,
    }))
}

/// Whether a value is left out: nil, and nil maps and lists.
fn is_nil(value: &Value) -> bool {
    match value {
        Value::Nil => true,
        Value::Map(map) => map.is_nil(),
        Value::List(list) => list.is_nil(),
        _ => false,
    }
}

/// What has been written, and the path of the table at hand.
struct Encoder {
    out: Vec<u8>,
    /// How many values were looked at for their types.
    visits: Visits,
    /// The keys down to the value at hand.
    path: Vec<Str>,
}

impl Encoder {
    /// A line break, but not at the very beginning.
    fn newline(&mut self) {
        if !self.out.is_empty() {
            self.out.push(b'\n');
        }
    }

    /// Two spaces for each table around the key.
    fn indent(&mut self) {
        self.out.extend(std::iter::repeat_n(
            b' ',
            2 * self.path.len().saturating_sub(1),
        ));
    }

    /// Writes a value at the current path: a table, tables or a line.
    fn encode(&mut self, value: &Value) -> Result<(), EncodeError> {
        if self.path.len() > MAX_DEPTH {
            return refused("toml: value is nested too deeply");
        }
        deep(|| self.encode_inner(value))
    }

    fn encode_inner(&mut self, value: &Value) -> Result<(), EncodeError> {
        check_text(self.out.len()).map_err(EncodeError::Panicked)?;
        match value {
            Value::Nil => Ok(()),
            Value::Map(map) if map.is_nil() => Ok(()),
            Value::Map(map) => self.table(table_entries(map)),
            Value::List(list) if type_of(&mut self.visits, value, 0)? == Some(Type::Tables) => {
                self.tables(list)
            }
            Value::Complex(..) => {
                let mut key = Vec::new();
                write_path(self.path.iter().map(Str::as_bytes), &mut key);
                let key = String::from_utf8_lossy(&key);
                refused(&format!("unsupported type for key '{key}': complex128"))
            }
            Value::Object(object) => match shape(&**object) {
                Shape::Table(entries) => self.table(entries),
                Shape::Plain(value) => self.encode(&value),
                Shape::Text(..) => self.key_value(value),
            },
            value => self.key_value(value),
        }
    }

    /// `key = value` in a line; without a key, the value alone.
    fn key_value(&mut self, value: &Value) -> Result<(), EncodeError> {
        let Some(key) = self.path.last().cloned() else {
            return self.element(value, 0);
        };
        self.indent();
        write_key(&key, &mut self.out);
        self.out.extend_from_slice(b" = ");
        self.element(value, 0)?;
        self.newline();
        Ok(())
    }

    /// `[path]` and its entries.
    fn table(&mut self, entries: Vec<(Str, Value)>) -> Result<(), EncodeError> {
        if self.path.len() == 1 {
            self.newline();
        }
        if !self.path.is_empty() {
            self.header(b"[", b"]");
        }
        self.entries(entries)
    }

    /// `[[path]]` for each of a list of tables, which cannot stand at the top.
    fn tables(&mut self, list: &List) -> Result<(), EncodeError> {
        if self.path.is_empty() {
            return refused("toml: top-level values must be Go maps or structs");
        }
        for item in list.items() {
            let entries = match item {
                Value::Map(map) => table_entries(map),
                Value::Object(object) => match shape(&**object) {
                    Shape::Table(entries) => entries,
                    _ => continue,
                },
                _ => continue,
            };
            self.newline();
            self.header(b"[[", b"]]");
            self.entries(entries)?;
        }
        Ok(())
    }

    /// The line that opens a table.
    fn header(&mut self, open: &[u8], close: &[u8]) {
        self.indent();
        self.out.extend_from_slice(open);
        write_path(self.path.iter().map(Str::as_bytes), &mut self.out);
        self.out.extend_from_slice(close);
        self.newline();
    }

    /// Writes what is no table first.
    fn entries(&mut self, entries: Vec<(Str, Value)>) -> Result<(), EncodeError> {
        let (direct, tables) = split(&mut self.visits, entries)?;
        for (key, value) in direct.into_iter().chain(tables) {
            if is_nil(&value) {
                continue;
            }
            self.path.push(key);
            self.encode(&value)?;
            self.path.pop();
        }
        Ok(())
    }

    /// A value after `=` or in an array.
    fn element(&mut self, value: &Value, depth: usize) -> Result<(), EncodeError> {
        if depth > MAX_DEPTH {
            return refused("toml: value is nested too deeply");
        }
        deep(|| self.element_inner(value, depth))
    }

    fn element_inner(&mut self, value: &Value, depth: usize) -> Result<(), EncodeError> {
        check_text(self.out.len()).map_err(EncodeError::Panicked)?;
        match value {
            Value::Nil => {}
            Value::Bool(flag) => self.text(if *flag { "true" } else { "false" }),
            Value::Int(number, _) => self.text(&number.to_string()),
            Value::Uint(number, _) => self.text(&number.to_string()),
            Value::Float(number) => self.text(&float_text(*number)),
            Value::Str(text) => self.quoted(text),
            Value::Bytes(bytes) => {
                let items: Vec<String> = bytes.iter().map(u8::to_string).collect();
                self.text(&format!("[{}]", items.join(", ")));
            }
            Value::List(list) => {
                self.out.push(b'[');
                for (index, item) in list.items().iter().enumerate() {
                    self.text(if index > 0 { ", " } else { "" });
                    self.element(item, depth + 1)?;
                }
                self.out.push(b']');
            }
            Value::Map(map) => self.inline(table_entries(map), depth)?,
            Value::Complex(..) => return refused("unexpected type: complex128"),
            Value::Object(object) => match shape(&**object) {
                Shape::Table(entries) => self.inline(entries, depth)?,
                Shape::Text(text, true) => self.out.extend_from_slice(&text),
                Shape::Text(text, false) => self.quoted(&text),
                Shape::Plain(value) => self.element(&value, depth + 1)?,
            },
        }
        Ok(())
    }

    /// `{a = 1, b = 2}`, for tables within arrays.
    fn inline(&mut self, entries: Vec<(Str, Value)>, depth: usize) -> Result<(), EncodeError> {
        let (direct, tables) = split(&mut self.visits, entries)?;
        let (direct_count, table_count) = (direct.len(), tables.len());
        self.out.push(b'{');
        for (index, (key, value)) in direct.into_iter().chain(tables).enumerate() {
            // A comma follows even when only nil values come after it, as in Go.
            if !is_nil(&value) {
                write_key(&key, &mut self.out);
                self.text(" = ");
                self.element(&value, depth + 1)?;
                if index + 1 != direct_count + table_count {
                    self.text(", ");
                }
            }
        }
        self.out.push(b'}');
        Ok(())
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn quoted(&mut self, text: &[u8]) {
        self.out.push(b'"');
        escape(text, &mut self.out);
        self.out.push(b'"');
    }
}

type Entries = Vec<(Str, Value)>;

/// Entries that are no tables, and those that are.
fn split(visits: &mut Visits, entries: Entries) -> Result<(Entries, Entries), EncodeError> {
    let (mut direct, mut tables) = (Vec::new(), Vec::new());
    for entry in entries {
        match type_of(visits, &entry.1, 0)? {
            Some(Type::Table | Type::Tables) => tables.push(entry),
            _ => direct.push(entry),
        }
    }
    Ok((direct, tables))
}

fn table_entries(map: &Map) -> Entries {
    let mut entries = map.entries();
    if map.kind() == MapKind::Files {
        for (_, value) in &mut entries {
            if let Value::Str(text) = value {
                *value = Value::Bytes(text.clone());
            }
        }
    }
    entries
}

/// A float, with `.0` where it would read as an integer.
fn float_text(number: f64) -> String {
    if number.is_nan() {
        return if number.is_sign_negative() {
            "-nan"
        } else {
            "nan"
        }
        .into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.into();
    }
    let mut text = format_float(number, b'g', -1, 64);
    if !text.contains(['e', '.']) {
        text.push_str(".0");
    }
    text
}

/// A slice of maps, as an array of tables is read.
pub(super) fn tables(maps: Vec<Value>) -> Value {
    Value::List(List::new(maps, Elem::Map))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::from_json;

    fn toml(json: &str) -> String {
        match to_toml(&from_json(json.as_bytes()).unwrap()) {
            Ok(text) => text.to_text().into_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// Recorded from BurntSushi/toml 1.6.0.
    #[test]
    fn values_become_what_burnt_sushi_writes() {
        for (json, wanted) in [
            ("7", "7.0"),
            (r#""a\"b""#, r#""a\"b""#),
            ("[1, 1e21]", "[1.0, 1e+21]"),
            ("{}", ""),
            (
                r#"{"b":1,"a":{"c":{"d":true}}}"#,
                "b = 1.0\n\n[a]\n  [a.c]\n    d = true\n",
            ),
            (
                r#"{"a":[{"b":1},{"c":{}}]}"#,
                "[[a]]\n  b = 1.0\n\n[[a]]\n  [a.c]\n",
            ),
            (
                r#"{"a":[{"b":{"c":1},"d":"x"},1]}"#,
                "a = [{d = \"x\", b = {c = 1.0}}, 1.0]\n",
            ),
            (
                r#"{"a":null,"b.c":[],"":"\n\u007f"}"#,
                "\"\" = \"\\n\\u007f\"\n\"b.c\" = []\n",
            ),
            ("[null]", "toml: cannot encode array with nil element"),
            (
                r#"[{"a":1}]"#,
                "toml: top-level values must be Go maps or structs",
            ),
        ] {
            assert_eq!(toml(json), wanted, "{json}");
        }
    }

    #[test]
    fn a_map_that_contains_itself_is_refused() {
        let map = Map::new(MapKind::Any);
        map.insert("a", Value::Map(map.clone()));
        assert!(to_toml(&Value::Map(map.clone())).is_err());
        map.remove("a");
    }
}
