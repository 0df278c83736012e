//! Values as text, the way Sprig turns them into strings.

use crate::template::Fault;
use crate::value::{Str, Value};

/// A value as `%v` prints it.
pub(super) fn printed(value: &Value) -> Result<Str, Fault> {
    Ok(crate::template::fmt::text(value)?)
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
