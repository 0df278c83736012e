//! `index`, `slice` and `len`.

use super::Result;
use crate::template::eval::{Slot, plain_value};
use crate::template::function::Fault;
use crate::value::{Elem, List, Str, UintKind, Value};

/// An index as a number that is at most `limit`.
fn bound(index: &Value, limit: usize) -> Result<usize> {
    let number = match &*plain_value(index) {
        Value::Int(number, _) => *number,
        // Go converts to int64, which may turn negative.
        Value::Uint(number, _) => number.cast_signed(),
        Value::Nil => return Err(Fault::new("cannot index slice/array with nil")),
        _ => {
            let type_name = index.type_name();
            return Err(Fault::new(format!(
                "cannot index slice/array with type {type_name}"
            )));
        }
    };
    usize::try_from(number)
        .ok()
        .filter(|&number| number <= limit)
        .ok_or_else(|| Fault::new(format!("index out of range: {number}")))
}

/// The element that a key or index after the other leads to.
pub(super) fn index(item: &Slot, keys: &[Slot]) -> Result {
    if item.value.is_nil() {
        return Err(Fault::new("index of untyped nil"));
    }
    let mut item = item.clone();
    if !keys.is_empty() || item.is_interface {
        item.is_interface = false;
    }
    for key in keys {
        if item.value.is_nil() {
            return Err(Fault::new("index of nil pointer"));
        }
        let plain = plain_value(&item.value).into_owned();
        item = match &plain {
            Value::List(list) => {
                let at = bound(&key.value, list.len())?;
                let value = list
                    .items()
                    .get(at)
                    .cloned()
                    .ok_or_else(|| Fault::new("reflect: slice index out of range"))?;
                Slot::new(value, list.elem() == Elem::Any)
            }
            Value::Str(text) | Value::Bytes(text) => {
                let at = bound(&key.value, text.len())?;
                let what = if matches!(plain, Value::Str(_)) {
                    "string"
                } else {
                    "slice"
                };
                let byte = text
                    .get(at)
                    .copied()
                    .ok_or_else(|| Fault::new(format!("reflect: {what} index out of range")))?;
                Slot::plain(Value::Uint(u64::from(byte), UintKind::Uint8))
            }
            Value::Map(map) => crate::template::eval::entry(map, map_key(&key.value)?),
            _ => {
                let type_name = pointee(&item.value);
                return Err(Fault::new(format!("can't index item of type {type_name}")));
            }
        };
    }
    Ok(item)
}

/// The type of a value, or of what it points to.
fn pointee(value: &Value) -> String {
    value.type_name().trim_start_matches('*').to_owned()
}

fn map_key(key: &Value) -> Result<&Str> {
    match key {
        Value::Str(text) => Ok(text),
        Value::Nil => Err(Fault::new("value is nil; should be of type string")),
        _ => Err(Fault::new(format!(
            "value has type {}; should be string",
            key.type_name()
        ))),
    }
}

/// A part of a string or list: `slice x 1 2` is `x[1:2]`.
pub(super) fn slice(item: &Slot, bounds: &[Slot]) -> Result<Value> {
    if item.value.is_nil() {
        return Err(Fault::new("slice of untyped nil"));
    }
    if bounds.len() > 3 {
        return Err(Fault::new(format!(
            "too many slice indexes: {}",
            bounds.len()
        )));
    }
    let plain = plain_value(&item.value).into_owned();
    let length = match &plain {
        Value::Str(_) if bounds.len() == 3 => {
            return Err(Fault::new("cannot 3-index slice a string"));
        }
        Value::Str(text) | Value::Bytes(text) => text.len(),
        Value::List(list) => list.len(),
        _ => {
            let type_name = pointee(&item.value);
            return Err(Fault::new(format!("can't slice item of type {type_name}")));
        }
    };
    let mut at = [0, length, length];
    for (place, index) in at.iter_mut().zip(bounds) {
        // Unlike `index`, Go looks at the interface here and not into it.
        if index.is_interface {
            return Err(Fault::new(
                "cannot index slice/array with type interface {}",
            ));
        }
        *place = bound(&index.value, length)?;
    }
    let [from, to, capacity] = at;
    if from > to {
        return Err(Fault::new(format!("invalid slice index: {from} > {to}")));
    }
    if bounds.len() == 3 && to > capacity {
        return Err(Fault::new(format!(
            "invalid slice index: {to} > {capacity}"
        )));
    }
    Ok(match plain {
        Value::Str(text) => Value::str(&text[from..to]),
        Value::Bytes(bytes) => Value::Bytes(Str::from(&bytes[from..to])),
        Value::List(list) => Value::List(List::new(list.items()[from..to].to_vec(), list.elem())),
        other => other,
    })
}

/// The length of a string, list or map.
pub(super) fn len(item: &Slot) -> Result<Value> {
    let length = match &*plain_value(&item.value) {
        Value::Nil if item.is_interface => return Err(Fault::new("len of nil pointer")),
        Value::Nil => {
            return Err(Fault::new(
                "reflect: call of reflect.Value.Type on zero Value",
            ));
        }
        Value::Str(text) | Value::Bytes(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        _ => {
            let type_name = pointee(&item.value);
            return Err(Fault::new(format!("len of type {type_name}")));
        }
    };
    Ok(Value::int(i64::try_from(length).unwrap_or(i64::MAX)))
}
