//! What the decoder makes of a document: template values, exact numbers, JSON, or Go's `%v` of it.
//!
//! How nodes are typed and keys merged is in `convert.rs`.

use crate::value::number::format_float;
use crate::value::quote::quoted;
use crate::value::{Map, MapKind, Str, UintKind, Value};
use std::collections::BTreeMap;

/// What a document is turned into.
pub(super) trait Target: Sized {
    /// What the entries of a mapping are gathered in; a later one of the same name wins.
    type Entries: Default + Extend<(Str, Self)>;

    fn null() -> Self;
    fn bool(flag: bool) -> Self;
    fn int(number: i64) -> Self;
    fn uint(number: u64) -> Self;
    fn float(number: f64) -> Self;
    fn text(bytes: &[u8]) -> Self;
    fn list(items: Vec<Self>) -> Self;
    fn map(entries: Self::Entries) -> Self;
}

#[expect(
    clippy::cast_precision_loss,
    reason = "encoding/json reads every number as float64"
)]
impl Target for Value {
    type Entries = BTreeMap<Str, Self>;

    fn null() -> Self {
        Self::Nil
    }
    fn bool(flag: bool) -> Self {
        Self::Bool(flag)
    }
    fn int(number: i64) -> Self {
        Self::Float(number as f64)
    }
    fn uint(number: u64) -> Self {
        Self::Float(number as f64)
    }
    fn float(number: f64) -> Self {
        Self::Float(number)
    }
    fn text(bytes: &[u8]) -> Self {
        Self::Str(crate::json::valid_text(bytes))
    }
    fn list(items: Vec<Self>) -> Self {
        Self::list(items)
    }
    fn map(entries: Self::Entries) -> Self {
        Self::Map(Map::from_entries(MapKind::Any, entries))
    }
}

impl Target for serde_json::Value {
    type Entries = BTreeMap<Str, Self>;

    fn null() -> Self {
        Self::Null
    }
    fn bool(flag: bool) -> Self {
        Self::Bool(flag)
    }
    fn int(number: i64) -> Self {
        Self::from(number)
    }
    fn uint(number: u64) -> Self {
        Self::from(number)
    }
    fn float(number: f64) -> Self {
        match whole(number) {
            Some(number) => Self::from(number),
            None => Self::from(number),
        }
    }
    fn text(bytes: &[u8]) -> Self {
        Self::String(String::from_utf8_lossy(bytes).into_owned())
    }
    fn list(items: Vec<Self>) -> Self {
        Self::Array(items)
    }
    fn map(entries: Self::Entries) -> Self {
        Self::Object(
            entries
                .into_iter()
                .map(|(k, v)| (k.to_text().into_owned(), v))
                .collect(),
        )
    }
}

/// The integer that a number is, if it is one of 64 bits.
#[expect(clippy::cast_possible_truncation, reason = "within the range of i64")]
fn whole(number: f64) -> Option<i64> {
    let fits = number.fract() == 0.0 && number.abs() < 9_223_372_036_854_775_808.0;
    fits.then_some(number as i64)
}

/// A value read from JSON text that keeps its integers: the middle of `toYaml`.
pub(super) struct Exact(pub(super) Value);

impl Target for Exact {
    type Entries = BTreeMap<Str, Self>;

    fn null() -> Self {
        Self(Value::Nil)
    }
    fn bool(flag: bool) -> Self {
        Self(Value::Bool(flag))
    }
    fn int(number: i64) -> Self {
        Self(Value::int64(number))
    }
    fn uint(number: u64) -> Self {
        Self(Value::Uint(number, UintKind::Uint64))
    }
    fn float(number: f64) -> Self {
        Self(Value::Float(number))
    }
    fn text(bytes: &[u8]) -> Self {
        Self(Value::str(bytes))
    }
    fn list(items: Vec<Self>) -> Self {
        Self(Value::list(items.into_iter().map(|item| item.0).collect()))
    }
    fn map(entries: Self::Entries) -> Self {
        let entries = entries
            .into_iter()
            .map(|(key, value)| (key, value.0))
            .collect();
        Self(Value::Map(Map::from_entries(MapKind::Any, entries)))
    }
}

/// A value read from JSON whose whole numbers are integers, however YAML has written them.
pub(super) struct Whole(pub(super) Value);

impl Target for Whole {
    type Entries = BTreeMap<Str, Self>;

    fn null() -> Self {
        Self(Value::Nil)
    }
    fn bool(flag: bool) -> Self {
        Self(Value::Bool(flag))
    }
    fn int(number: i64) -> Self {
        Self(Value::int64(number))
    }
    fn uint(number: u64) -> Self {
        Self(match i64::try_from(number) {
            Ok(number) => Value::int64(number),
            Err(_) => Value::Uint(number, UintKind::Uint64),
        })
    }
    fn float(number: f64) -> Self {
        Self(match whole(number) {
            Some(number) => Value::int64(number),
            None => Value::Float(number),
        })
    }
    fn text(bytes: &[u8]) -> Self {
        Self(Value::str(&*String::from_utf8_lossy(bytes)))
    }
    fn list(items: Vec<Self>) -> Self {
        Self(Value::list(items.into_iter().map(|item| item.0).collect()))
    }
    fn map(entries: Self::Entries) -> Self {
        let entries = entries
            .into_iter()
            .map(|(key, value)| (key, value.0))
            .collect();
        Self(Value::Map(Map::from_entries(MapKind::Any, entries)))
    }
}

/// A value as Go's `%#v` prints it, for messages about keys.
pub(super) struct Shown(pub(super) String);

/// How many bytes of a value a message shows, about.
const SHOWN: usize = 4096;

impl Shown {
    /// The text when the value is not inside another one.
    pub(super) fn at_top(&self) -> &str {
        if self.0 == NIL { "<nil>" } else { &self.0 }
    }
}

const NIL: &str = "interface {}(nil)";

/// A list or map as Go's `%v` prints it.
fn shown_collection(kind: &str, items: impl Iterator<Item = String>) -> Shown {
    let mut text = format!("{kind}{{");
    for (index, item) in items.enumerate() {
        if text.len() > SHOWN {
            text.push_str("...");
            break;
        }
        text.push_str(if index > 0 { ", " } else { "" });
        text.push_str(&item);
    }
    text.push('}');
    Shown(text)
}

impl Target for Shown {
    type Entries = BTreeMap<Str, Self>;

    fn null() -> Self {
        Self(NIL.into())
    }
    fn bool(flag: bool) -> Self {
        Self(flag.to_string())
    }
    fn int(number: i64) -> Self {
        Self(number.to_string())
    }
    fn uint(number: u64) -> Self {
        Self(format!("{number:#x}"))
    }
    fn float(number: f64) -> Self {
        Self(format_float(number, b'g', -1, 64))
    }
    fn text(bytes: &[u8]) -> Self {
        Self(quoted(bytes))
    }
    fn list(items: Vec<Self>) -> Self {
        shown_collection("[]interface {}", items.into_iter().map(|item| item.0))
    }
    fn map(entries: Self::Entries) -> Self {
        let items = entries
            .into_iter()
            .map(|(key, value)| format!("{}:{}", quoted(&key), value.0));
        shown_collection("map[interface {}]interface {}", items)
    }
}
