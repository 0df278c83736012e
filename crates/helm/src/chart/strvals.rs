//! The little language of `--set`, `--set-string`, `--set-json`, `--set-file` and `--set-literal`:
//! `a.b[0].c=1,d={x,y}`.
//!
//! Follows helm v4 `pkg/strvals/parser.go` and `literal_parser.go`.

use crate::limits::{MAX_FILLED, MAX_INDEX, MAX_INDICES, MAX_NAMES};
use crate::value::quote::quoted;
use crate::value::{Elem, List, Map, MapKind, Value};

/// Reads the file that `--set-file` names.
pub(super) type ReadFile<'a> = dyn FnMut(&str) -> Result<Vec<u8>, String> + 'a;

/// How the value after `=` is read.
pub(super) enum Mode<'a, 'r> {
    /// `--set`: booleans, null and integers are recognised.
    Typed,
    /// `--set-string`: text.
    Text,
    /// `--set-json`: JSON.
    Json,
    /// `--set-file`: the name of a file whose content is the value.
    File(&'a mut ReadFile<'r>),
    /// `--set-literal`: text up to the end, nothing in it is special.
    Literal,
}

/// Sets what one argument says in `values`.
///
/// # Errors
/// Helm's text, without the name of the flag.
pub(super) fn parse_into(argument: &str, values: &Map, mode: Mode<'_, '_>) -> Result<(), String> {
    let mut parser = Parser {
        text: argument,
        at: 0,
        mode,
        filled: 0,
    };
    loop {
        match parser.key(values, 0) {
            Ok(()) => {}
            Err(Stop::End) => return Ok(()),
            Err(Stop::Fault(message)) => return Err(message),
        }
    }
}

/// Why a key was not read: there is none left, or it is wrong.
enum Stop {
    End,
    Fault(String),
}

fn fault<T>(message: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Fault(message.into()))
}

struct Parser<'t, 'a, 'r> {
    text: &'t str,
    at: usize,
    mode: Mode<'a, 'r>,
    /// How many items were added to lists.
    filled: usize,
}

impl Parser<'_, '_, '_> {
    fn next(&mut self) -> Option<char> {
        let c = self.text[self.at..].chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Reads up to one of the stops, which it returns; at the end of the text there is none.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let literal = matches!(self.mode, Mode::Literal);
        let mut out = String::new();
        while let Some(c) = self.next() {
            if stops.contains(&c) {
                return (out, Some(c));
            }
            if c == '\\' && !literal {
                let Some(next) = self.next() else { break };
                out.push(next);
            } else {
                out.push(c);
            }
        }
        (out, None)
    }

    fn key(&mut self, data: &Map, level: usize) -> Result<(), Stop> {
        let stops: &[char] = match self.mode {
            Mode::Literal => &['=', '[', '.'],
            _ => &['=', '[', ',', '.'],
        };
        match self.until(stops) {
            (key, None) if key.is_empty() => Err(Stop::End),
            (key, None) => fault(format!("key {} has no value", quoted(&key))),
            (key, Some('[')) => self.indexed(data, &key, level),
            (key, Some('=')) => {
                let (value, end) = self.value()?;
                set(data, &key, value);
                end
            }
            (key, Some(',')) => {
                set(data, &key, Value::str(""));
                fault(format!(
                    "key {} has no value (cannot end with ,)",
                    quoted(&key)
                ))
            }
            (key, Some(_)) => self.nested(data, &key, level + 1),
        }
    }

    /// `key.…`
    fn nested(&mut self, data: &Map, key: &str, level: usize) -> Result<(), Stop> {
        if level > MAX_NAMES {
            return fault(format!(
                "value name nested level is greater than maximum supported nested level of \
                 {MAX_NAMES}"
            ));
        }
        let inner = match data.get(key) {
            None => Map::new(MapKind::Any),
            Some(Value::Map(map)) => map,
            Some(other) => return fault(conversion(&other, "map[string]interface {}")),
        };
        let result = self.key(&inner, level);
        if result.is_ok() && inner.is_empty() {
            return fault(format!("key map {} has no value", quoted(key)));
        }
        if !inner.is_empty() {
            set(data, key, Value::Map(inner));
        }
        result
    }

    /// `key[…`
    fn indexed(&mut self, data: &Map, key: &str, level: usize) -> Result<(), Stop> {
        let index = self.index()?;
        let mut items = match data.get(key) {
            None => Vec::new(),
            Some(Value::List(list)) => list.items().to_vec(),
            Some(other) => return fault(conversion(&other, "[]interface {}")),
        };
        let result = self.item(&mut items, index, level, 0);
        set(data, key, Value::List(List::new(items, Elem::Any)));
        result
    }

    fn index(&mut self) -> Result<i64, Stop> {
        let (text, end) = self.until(&[']']);
        if end.is_none() {
            return fault("error parsing index: EOF");
        }
        let error = match text.parse::<i64>() {
            Ok(index) => return Ok(index),
            Err(error) => error,
        };
        let reason = match error.kind() {
            std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
                "value out of range"
            }
            _ => "invalid syntax",
        };
        let text = quoted(&text);
        fault(format!(
            "error parsing index: strconv.Atoi: parsing {text}: {reason}"
        ))
    }

    /// What follows the `]` of an index.
    fn item(
        &mut self,
        items: &mut Vec<Value>,
        index: i64,
        level: usize,
        indices: usize,
    ) -> Result<(), Stop> {
        let Ok(at) = usize::try_from(index) else {
            return fault(format!("negative {index} index not allowed"));
        };
        if indices > MAX_INDICES {
            return fault(format!("more than {MAX_INDICES} indices in a row"));
        }
        match self.until(&['[', '.', '=']) {
            (text, _) if !text.is_empty() => fault(format!(
                "unexpected data at end of array index: {}",
                quoted(&text)
            )),
            (_, None) => Err(Stop::End),
            (_, Some('=')) => {
                let (value, end) = self.value()?;
                self.set_index(items, at, value)?;
                end
            }
            (_, Some('[')) => {
                let next = self.index()?;
                let mut inner = match items.get(at) {
                    None | Some(Value::Nil) => Vec::new(),
                    Some(Value::List(list)) => list.items().to_vec(),
                    Some(other) => return fault(conversion(other, "[]interface {}")),
                };
                self.item(&mut inner, next, level, indices + 1)?;
                self.set_index(items, at, Value::List(List::new(inner, Elem::Any)))
            }
            (_, Some(_)) => {
                let inner = match items.get_mut(at) {
                    None => Map::new(MapKind::Any),
                    Some(Value::Map(map)) => map.clone(),
                    Some(other) => {
                        let map = Map::new(MapKind::Any);
                        *other = Value::Map(map.clone());
                        map
                    }
                };
                // An item that ends the argument without a value is not set, as in Helm.
                self.key(&inner, level + 1)?;
                self.set_index(items, at, Value::Map(inner))
            }
        }
    }

    /// The value after `=`, and whether the argument ends with it.
    fn value(&mut self) -> Result<(Value, Result<(), Stop>), Stop> {
        match self.mode {
            Mode::Literal => return Ok((Value::str(self.until(&[]).0), Ok(()))),
            Mode::Json => return Ok((self.json()?, Ok(()))),
            _ => {}
        }
        match self.text[self.at..].chars().next() {
            None => Ok((Value::str(""), Err(Stop::End))),
            Some('{') => {
                self.at += 1;
                Ok((self.list()?, Ok(())))
            }
            Some(_) => {
                let (text, _) = self.until(&[',']);
                Ok((self.scalar(&text)?, Ok(())))
            }
        }
    }

    /// Sets an item; what is missing before it becomes null.
    fn set_index(
        &mut self,
        items: &mut Vec<Value>,
        index: usize,
        value: Value,
    ) -> Result<(), Stop> {
        if index > MAX_INDEX {
            return fault(format!(
                "index of {index} is greater than maximum supported index of {MAX_INDEX}"
            ));
        }
        if items.len() <= index {
            self.filled += index + 1 - items.len();
            if self.filled > MAX_FILLED {
                return fault(format!("lists have more than {MAX_FILLED} items in all"));
            }
            items.resize(index + 1, Value::Nil);
        }
        items[index] = value;
        Ok(())
    }

    /// The items after a `{`.
    fn list(&mut self) -> Result<Value, Stop> {
        let mut items = Vec::new();
        loop {
            let (text, end) = self.until(&[',', '}']);
            let Some(end) = end else {
                return fault("list must terminate with '}'");
            };
            let item = self.scalar(&text)?;
            items.push(item);
            if end == '}' {
                if self.text[self.at..].starts_with(',') {
                    self.at += 1;
                }
                return Ok(Value::list(items));
            }
        }
    }

    fn scalar(&mut self, text: &str) -> Result<Value, Stop> {
        match &mut self.mode {
            Mode::Typed => Ok(typed(text)),
            Mode::File(read) => read(text).map(Value::str).map_err(Stop::Fault),
            _ => Ok(Value::str(text)),
        }
    }

    /// A JSON value up to the end or to a comma; nothing is null.
    fn json(&mut self) -> Result<Value, Stop> {
        if self.skip_blank() {
            return Ok(Value::Nil);
        }
        let rest = &self.text[self.at..];
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Value>();
        let value = match stream.next() {
            Some(Ok(value)) => value,
            Some(Err(error)) => return fault(error.to_string()),
            None => return fault("EOF"),
        };
        self.at += stream.byte_offset();
        self.skip_blank();
        Ok(from_json(value))
    }

    /// Skips space and one comma; `true` when there was the comma, or the end.
    fn skip_blank(&mut self) -> bool {
        loop {
            let before = self.at;
            match self.next() {
                None | Some(',') => return true,
                Some(c) if c.is_whitespace() => {}
                Some(_) => {
                    self.at = before;
                    return false;
                }
            }
        }
    }
}

/// Sets a key; the empty key is dropped.
fn set(data: &Map, key: &str, value: Value) {
    if !key.is_empty() {
        data.insert(key, value);
    }
}

/// The text of the panic that Helm reports when a key is set inside of a scalar.
fn conversion(value: &Value, wanted: &str) -> String {
    let found = match value {
        Value::Nil => "nil".into(),
        other => other.type_name(),
    };
    format!("unable to parse key: interface conversion: interface {{}} is {found}, not {wanted}")
}

/// The value of a plain text for `--set`.
fn typed(text: &str) -> Value {
    if text.eq_ignore_ascii_case("true") {
        return Value::Bool(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Value::Bool(false);
    }
    if text.eq_ignore_ascii_case("null") {
        return Value::Nil;
    }
    if text == "0" {
        return Value::int64(0);
    }
    if !text.starts_with('0')
        && let Ok(number) = text.parse::<i64>()
    {
        return Value::int64(number);
    }
    Value::str(text)
}

/// A value as Go decodes JSON into `interface {}`: every number is a float.
pub(super) fn from_json(value: serde_json::Value) -> Value {
    convert(value, |number| {
        Value::Float(number.as_f64().unwrap_or_default())
    })
}

/// An object as Kubernetes' client decodes it: whole numbers are of the type `int64`.
pub(super) fn from_cluster(value: serde_json::Value) -> Value {
    convert(value, |number| match number.as_i64() {
        Some(whole) => Value::int64(whole),
        None => Value::Float(number.as_f64().unwrap_or_default()),
    })
}

fn convert(value: serde_json::Value, number: fn(&serde_json::Number) -> Value) -> Value {
    use serde_json::Value as Json;
    match value {
        Json::Null => Value::Nil,
        Json::Bool(flag) => Value::Bool(flag),
        Json::Number(found) => number(&found),
        Json::String(text) => Value::str(text),
        Json::Array(items) => {
            let items = items.into_iter().map(|item| convert(item, number));
            Value::list(items.collect())
        }
        Json::Object(entries) => {
            let entries = entries
                .into_iter()
                .map(|(k, v)| (k.into(), convert(v, number)))
                .collect();
            Value::Map(Map::from_entries(MapKind::Any, entries))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Mode, parse_into};
    use crate::value::{Map, MapKind};

    fn set(arguments: &[&str]) -> String {
        show(arguments.iter().map(|a| (*a, Mode::Typed)).collect())
    }

    fn show(arguments: Vec<(&str, Mode<'_, '_>)>) -> String {
        let values = Map::new(MapKind::Any);
        for (argument, mode) in arguments {
            if let Err(message) = parse_into(argument, &values, mode) {
                return message;
            }
        }
        format!("{values:?}")
    }

    #[test]
    fn recognises_types() {
        insta::assert_snapshot!(
            set(&["a=1,b=-5,c=+5,d=007,e=1.5,f=TRUE,g=null,h=0,i=99999999999999999999,j="]),
            @r#"{"a": Int(1, Int64), "b": Int(-5, Int64), "c": Int(5, Int64), "d": Str("007"), "e": Str("1.5"), "f": Bool(true), "g": Nil, "h": Int(0, Int64), "i": Str("99999999999999999999"), "j": Str("")}"#
        );
    }

    #[test]
    fn reads_paths_indices_and_lists() {
        insta::assert_snapshot!(
            set(&["a.b.c=1,a.b.d={x,2,},e[1].f=y", "e[0][1]=z", r"g\.h=a\,b", "=x"]),
            @r#"{"a": Map({"b": Map({"c": Int(1, Int64), "d": List(List { items: Some([Str("x"), Int(2, Int64), Str("")]), elem: Any })})}), "e": List(List { items: Some([List(List { items: Some([Nil, Str("z")]), elem: Any }), Map({"f": Str("y")})]), elem: Any }), "g.h": Str("a,b")}"#
        );
    }

    #[test]
    fn reports_what_helm_reports() {
        for (argument, message) in [
            ("a", r#"key "a" has no value"#),
            ("a,b=1", r#"key "a" has no value (cannot end with ,)"#),
            ("a={x", "list must terminate with '}'"),
            ("a.=1", r#"key map "a" has no value"#),
            ("a[-1]=1", "negative -1 index not allowed"),
            (
                "a[x]=1",
                r#"error parsing index: strconv.Atoi: parsing "x": invalid syntax"#,
            ),
            ("a[0]b=1", r#"unexpected data at end of array index: "b""#),
            (
                "a[65537]=1",
                "index of 65537 is greater than maximum supported index of 65536",
            ),
            (
                "a=x,a.b=1",
                "unable to parse key: interface conversion: interface {} is string, \
                 not map[string]interface {}",
            ),
        ] {
            assert_eq!(set(&[argument]), message, "{argument}");
        }
        let deep = format!("{}=1", ["a"; 33].join("."));
        assert!(set(&[&deep]).starts_with("value name nested level is greater"));
        assert!(set(&[&format!("a{}=1", "[0]".repeat(5_000))]).contains("indices in a row"));
        let long = format!("a{}=1", "[65536]".repeat(20));
        assert_eq!(set(&[&long]), "lists have more than 1048576 items in all");
    }

    #[test]
    fn reads_json_text_files_and_literals() {
        let mut read = |path: &str| match path {
            "f.txt" => Ok(b"content\n".to_vec()),
            other => Err(format!("open {other}: no such file or directory")),
        };
        insta::assert_snapshot!(
            show(vec![
                (r#"a={"x":[1,"y"]},b=,c=2 , d=null"#, Mode::Json),
                ("e=1,f=true", Mode::Text),
                ("g=f.txt", Mode::File(&mut read)),
                (r"h=a,b\{c}", Mode::Literal),
            ]),
            @r#"{" d": Nil, "a": Map({"x": List(List { items: Some([Float(1.0), Str("y")]), elem: Any })}), "b": Nil, "c": Float(2.0), "e": Str("1"), "f": Str("true"), "g": Str("content\n"), "h": Str("a,b\\{c}")}"#
        );
    }
}
