//! `eq ne lt le gt ge`: comparison of basic values, and of anything with nil.

use super::Result;
use crate::template::eval::{Slot, plain_value};
use crate::template::fmt;
use crate::template::function::Fault;
use crate::value::{Kind, Object, Str, Value};
use std::cmp::Ordering;
use std::rc::Rc;

/// A value as comparison sees it: Go's basic kinds, or something else.
enum Basic {
    Bool(bool),
    Complex(f64, f64),
    Int(i64),
    Float(f64),
    Str(Str),
    Uint(u64),
    Other,
}

impl Basic {
    fn of(value: &Value) -> Self {
        match &*plain_value(value) {
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Complex(real, imaginary) => Self::Complex(*real, *imaginary),
            Value::Int(number, _) => Self::Int(*number),
            Value::Float(number) => Self::Float(*number),
            Value::Str(text) => Self::Str(text.clone()),
            Value::Uint(number, _) => Self::Uint(*number),
            _ => Self::Other,
        }
    }
}

fn incompatible(a: &Value, b: &Value) -> Fault {
    let (a, b) = (a.type_name(), b.type_name());
    Fault::new(format!("incompatible types for comparison: {a} and {b}"))
}

fn signed_with_unsigned(signed: i64, unsigned: u64) -> Ordering {
    u64::try_from(signed).map_or(Ordering::Less, |signed| signed.cmp(&unsigned))
}

/// Whether the first value equals one of the others.
pub(super) fn eq(first: &Slot, others: &[Slot]) -> Result<bool> {
    if others.is_empty() {
        return Err(Fault::new("missing argument for comparison"));
    }
    for other in others {
        if equal(&first.value, &other.value)? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[expect(clippy::float_cmp, reason = "the comparison Go makes")]
fn equal(a: &Value, b: &Value) -> Result<bool> {
    Ok(match (Basic::of(a), Basic::of(b)) {
        (Basic::Bool(a), Basic::Bool(b)) => a == b,
        (Basic::Complex(a, i), Basic::Complex(b, j)) => a == b && i == j,
        (Basic::Int(a), Basic::Int(b)) => a == b,
        (Basic::Float(a), Basic::Float(b)) => a == b,
        (Basic::Str(a), Basic::Str(b)) => a == b,
        (Basic::Uint(a), Basic::Uint(b)) => a == b,
        (Basic::Int(a), Basic::Uint(b)) | (Basic::Uint(b), Basic::Int(a)) => {
            signed_with_unsigned(a, b).is_eq()
        }
        (Basic::Other, Basic::Other) => return equal_others(a, b),
        _ if a.is_nil() || b.is_nil() => false,
        _ => return Err(incompatible(a, b)),
    })
}

/// Values that are not basic compare with nil; beyond that only what Go can compare at all.
fn equal_others(a: &Value, b: &Value) -> Result<bool> {
    if std::mem::discriminant(&a.kind()) != std::mem::discriminant(&b.kind())
        && !a.is_nil()
        && !b.is_nil()
    {
        let (a_text, b_text) = (shown(a)?, fmt::text(b)?);
        let (a_type, b_type) = (a.type_name(), b.type_name());
        let b_text = b_text.to_text();
        return Err(Fault::new(format!(
            "non-comparable types {a_text}: {a_type}, {b_type}: {b_text}"
        )));
    }
    if is_nil(a) || is_nil(b) {
        return Ok(is_nil(a) == is_nil(b));
    }
    match (a, b) {
        (Value::Object(a), Value::Object(b)) if a.kind() == Kind::Ptr => Ok(Rc::ptr_eq(a, b)),
        (Value::Object(a), Value::Object(b)) if is_comparable(&**b) => Ok(a.equals(&**b)),
        _ => Err(Fault::new(format!(
            "non-comparable type {}: {}",
            shown(b)?,
            b.type_name()
        ))),
    }
}

/// Whether Go compares structs of the type: no slice and no map in them.
fn is_comparable(object: &dyn Object) -> bool {
    object.kind() == Kind::Struct
        && object.fields().iter().all(|(_, field)| match field {
            Value::List(_) | Value::Map(_) | Value::Bytes(_) => false,
            Value::Object(inner) => inner.kind() == Kind::Ptr || is_comparable(&**inner),
            _ => true,
        })
}

/// Nothing, or nil of its type.
fn is_nil(value: &Value) -> bool {
    match value {
        Value::Nil => true,
        Value::List(list) => list.is_nil(),
        Value::Map(map) => map.is_nil(),
        _ => false,
    }
}

/// A value as `%s` prints it.
fn shown(value: &Value) -> Result<String> {
    let text = fmt::sprintf(b"%s", std::slice::from_ref(value))?;
    Ok(text.to_text().into_owned())
}

/// Whether the first value is less than the second.
pub(super) fn lt(a: &Slot, b: &Slot) -> Result<bool> {
    let (a, b) = (&a.value, &b.value);
    let not_ordered = || Err(Fault::new("invalid type for comparison"));
    Ok(match (Basic::of(a), Basic::of(b)) {
        (Basic::Other, _) | (_, Basic::Other) => return not_ordered(),
        (Basic::Bool(_), Basic::Bool(_)) | (Basic::Complex(..), Basic::Complex(..)) => {
            return not_ordered();
        }
        (Basic::Int(a), Basic::Int(b)) => a < b,
        (Basic::Float(a), Basic::Float(b)) => a < b,
        (Basic::Str(a), Basic::Str(b)) => a < b,
        (Basic::Uint(a), Basic::Uint(b)) => a < b,
        (Basic::Int(a), Basic::Uint(b)) => signed_with_unsigned(a, b).is_lt(),
        (Basic::Uint(a), Basic::Int(b)) => signed_with_unsigned(b, a).is_gt(),
        _ => return Err(incompatible(a, b)),
    })
}

/// Whether the first value is less than the second or equal to it.
pub(super) fn le(a: &Slot, b: &Slot) -> Result<bool> {
    Ok(lt(a, b)? || equal(&a.value, &b.value)?)
}
