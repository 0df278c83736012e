//! Arguments of a call as the types that a [`Function`] declares, and the panics of Go's runtime.
//!
//! The evaluator has checked every argument against the parameters; whatever does not fit reads as
//! the zero value of its type. Limits on what one call may make stand here too.

use crate::template::{Fault, Function, Param, Runtime};
use crate::value::{List, Map, MapKind, Str, Value};

/// What a function's body is, as [`Function::body`] has it.
pub(crate) type Body = fn(&mut dyn Runtime, &[Value]) -> Result<Value, Fault>;

/// The result of a function.
pub(super) type Answer = Result<Value, Fault>;

pub(super) use crate::limits::{MAX_TEXT as TEXT_LIMIT, MAX_VALUES as LIST_LIMIT};

/// Dereferencing nil, as `reflect.TypeOf(nil).Kind()` does.
pub(super) const NIL_DEREFERENCE: &str =
    "runtime error: invalid memory address or nil pointer dereference";

/// A function with a fixed number of parameters.
pub(crate) const fn function(name: &'static str, params: &'static [Param], body: Body) -> Function {
    Function {
        name,
        params,
        variadic: false,
        body,
    }
}

/// A function whose last parameter takes any number of arguments.
pub(super) const fn variadic(name: &'static str, params: &'static [Param], body: Body) -> Function {
    Function {
        name,
        params,
        variadic: true,
        body,
    }
}

/// A `string`.
pub(super) fn text(args: &[Value], at: usize) -> &[u8] {
    match args.get(at) {
        Some(Value::Str(text)) => text.as_bytes(),
        _ => b"",
    }
}

/// A `string` as UTF-8; other bytes become U+FFFD.
pub(super) fn utf8(args: &[Value], at: usize) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(text(args, at))
}

/// An `int`.
pub(super) fn int(args: &[Value], at: usize) -> i64 {
    match args.get(at) {
        Some(Value::Int(number, _)) => *number,
        _ => 0,
    }
}

/// An `interface {}`.
pub(super) fn any(args: &[Value], at: usize) -> &Value {
    const NIL: &Value = &Value::Nil;
    args.get(at).unwrap_or(NIL)
}

/// The arguments from one place on: a variadic parameter.
pub(super) fn rest(args: &[Value], from: usize) -> &[Value] {
    args.get(from..).unwrap_or_default()
}

/// A `map[string]interface {}`; the nil map where there is none.
pub(super) fn map(args: &[Value], at: usize) -> Map {
    args.get(at)
        .map_or_else(|| Map::nil(MapKind::Any), plain_map)
}

/// What a parameter of type `map[string]interface {}` makes of a map: a view under that type.
pub(super) fn plain_map(value: &Value) -> Map {
    match value {
        Value::Map(map) if map.kind() == MapKind::Any => map.clone(),
        Value::Map(map) => map.view(MapKind::Any, None),
        _ => Map::nil(MapKind::Any),
    }
}

/// A slice's items, whatever its type, or `None` for what is no slice.
pub(super) fn items(value: &Value) -> Option<std::borrow::Cow<'_, [Value]>> {
    match value {
        Value::List(list) => Some(list.items().into()),
        Value::Bytes(bytes) => {
            let uint8 = crate::value::UintKind::Uint8;
            Some(
                bytes
                    .iter()
                    .map(|byte| Value::Uint(u64::from(*byte), uint8))
                    .collect(),
            )
        }
        Value::Object(object) => match object.underlying() {
            Some(Value::List(list)) => Some(list.items().to_vec().into()),
            _ => None,
        },
        _ => None,
    }
}

/// Fails when a result would have more elements than any chart has reason to make.
pub(super) fn check_count(count: usize) -> Result<(), Fault> {
    if count > LIST_LIMIT {
        return Err(format!("a list of {count} elements is too long").into());
    }
    Ok(())
}

/// The kind of a value, for messages about a wrong type; fails on nil as
/// `reflect.TypeOf(nil).Kind()` does.
pub(super) fn kind_name(value: &Value) -> Result<&'static str, Fault> {
    if value.is_nil() {
        return Err(NIL_DEREFERENCE.into());
    }
    Ok(value.kind().name())
}

/// A text from bytes.
pub(super) fn bytes(text: impl Into<Str>) -> Answer {
    Ok(Value::Str(text.into()))
}

/// A `[]interface {}`.
pub(super) fn list(items: Vec<Value>) -> Answer {
    Ok(Value::list(items))
}

/// The nil `[]interface {}`.
pub(super) fn nil_list() -> Answer {
    Ok(Value::List(List::nil(crate::value::Elem::Any)))
}

/// Go's `text[start:end]`, `None` standing for an end that is not written.
pub(super) fn slice_text(
    text: &[u8],
    start: Option<i64>,
    end: Option<i64>,
) -> Result<&[u8], Fault> {
    let length = text.len();
    let to = match end {
        None => length,
        Some(end) => match usize::try_from(end) {
            Err(_) => return out_of_range(&format!("[:{end}]")),
            Ok(end) if end > length => {
                return out_of_range(&format!("[:{end}] with length {length}"));
            }
            Ok(end) => end,
        },
    };
    let from = start.unwrap_or(0);
    match usize::try_from(from) {
        Err(_) => out_of_range(&format!("[{from}:]")),
        Ok(from) => match text.get(from..to) {
            Some(part) => Ok(part),
            None => out_of_range(&format!("[{from}:{to}]")),
        },
    }
}

fn out_of_range<T>(bounds: &str) -> Result<T, Fault> {
    Err(Fault::new(format!(
        "runtime error: slice bounds out of range {bounds}"
    )))
}
