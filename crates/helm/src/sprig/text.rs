//! Values as text, the way Sprig turns them into strings.

use crate::template::Fault;
use crate::value::{Str, Value};

/// A value as `%v` prints it.
pub(super) fn printed(value: &Value) -> Result<Str, Fault> {
    Ok(match value {
        Value::Nil => "<nil>".into(),
        Value::Bool(flag) => flag.to_string().into(),
        Value::Int(number, _) => number.to_string().into(),
        Value::Uint(number, _) => number.to_string().into(),
        Value::Float(number) => crate::value::number::format_float(*number, b'g', -1, 64).into(),
        Value::Str(text) => text.clone(),
        Value::List(list) => {
            let mut out = vec![b'['];
            for (at, item) in list.items().iter().enumerate() {
                if at > 0 {
                    out.push(b' ');
                }
                out.extend_from_slice(&printed(item)?);
            }
            out.push(b']');
            out.into()
        }
        Value::Map(map) => {
            let mut out = b"map[".to_vec();
            for (at, (key, item)) in map.entries().iter().enumerate() {
                if at > 0 {
                    out.push(b' ');
                }
                out.extend_from_slice(key);
                out.push(b':');
                out.extend_from_slice(&printed(item)?);
            }
            out.push(b']');
            out.into()
        }
        Value::Object(object) => object.to_str().unwrap_or_else(|| "{}".into()),
        _ => "".into(),
    })
}

/// Sprig's `strval`: strings and bytes as they are, what has a `String` or `Error` method by that,
/// everything else as `%v`.
pub(super) fn strval(value: &Value) -> Result<Str, Fault> {
    match value {
        Value::Str(text) | Value::Bytes(text) => Ok(text.clone()),
        Value::Object(object) => object.to_str().map_or_else(|| printed(value), Ok),
        _ => printed(value),
    }
}

/// Sprig's `strslice`: the elements of a slice as strings without the nil ones; a single value is
/// a slice of one.
pub(super) fn strslice(value: &Value) -> Result<Vec<Str>, Fault> {
    if value.is_nil() {
        return Ok(Vec::new());
    }
    match super::args::items(value) {
        Some(items) => items
            .iter()
            .filter(|item| !item.is_nil())
            .map(strval)
            .collect(),
        None => Ok(vec![strval(value)?]),
    }
}
