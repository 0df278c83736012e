//! Types and kinds of values, and `reflect.DeepEqual`.
//!
//! Follows sprig 3.3.0 `reflect.go` and Go 1.26 `reflect/deepequal.go`.

use super::args::{any, bytes, function, text};
use crate::limits::{MAX_DEPTH, Visits, deep};
use crate::template::{Fault, Function, Param};
use crate::value::{List, Map, Value};

const A: Param = Param::Any;
const S: Param = Param::Str;

/// The functions of this file.
pub(super) const TABLE: &[Function] = &[
    function("typeOf", &[A], |_, a| {
        bytes(any(a, 0).type_name().as_bytes())
    }),
    function("typeIs", &[S, A], |_, a| {
        Ok((text(a, 0) == any(a, 1).type_name().as_bytes()).into())
    }),
    function("typeIsLike", &[S, A], |_, a| {
        let name = any(a, 1).type_name();
        let target = text(a, 0);
        let pointer = name.strip_prefix('*').map(str::as_bytes);
        Ok((target == name.as_bytes() || pointer == Some(target)).into())
    }),
    function("kindOf", &[A], |_, a| bytes(any(a, 0).kind().name())),
    function("kindIs", &[S, A], |_, a| {
        Ok((text(a, 0) == any(a, 1).kind().name().as_bytes()).into())
    }),
    function("deepEqual", &[A, A], |run, a| {
        let mut visits = Visits::new();
        let equal = deep_equal(&mut visits, any(a, 0), any(a, 1))?;
        run.work(visits.count())?;
        Ok(equal.into())
    }),
];

/// Runs one level of a walk through nested values on a stack that is deep enough for it.
///
/// # Errors
/// When the nesting exceeds a limit, as that of a map within itself does.
pub(super) fn descend<T>(
    depth: usize,
    work: impl FnOnce() -> Result<T, Fault>,
) -> Result<T, Fault> {
    if depth > MAX_DEPTH {
        return Err("value is nested too deeply".into());
    }
    deep(work)
}

/// `reflect.DeepEqual`: also the types must be the same, and nil is not empty.
///
/// # Errors
/// When the values are nested too deeply or have too many parts.
pub(super) fn deep_equal(visits: &mut Visits, a: &Value, b: &Value) -> Result<bool, Fault> {
    equal_at(visits, 0, a, b)
}

fn equal_at(visits: &mut Visits, depth: usize, a: &Value, b: &Value) -> Result<bool, Fault> {
    visits.visit()?;
    Ok(match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a, x), Value::Int(b, y)) => a == b && x == y,
        (Value::Uint(a, x), Value::Uint(b, y)) => a == b && x == y,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Complex(a, x), Value::Complex(b, y)) => a == b && x == y,
        (Value::Str(a), Value::Str(b)) | (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::List(a), Value::List(b)) => descend(depth, || lists_equal(visits, depth, a, b))?,
        (Value::Map(a), Value::Map(b)) => descend(depth, || maps_equal(visits, depth, a, b))?,
        (Value::Object(a), Value::Object(b)) => a.equals(&**b),
        _ => false,
    })
}

fn lists_equal(visits: &mut Visits, depth: usize, a: &List, b: &List) -> Result<bool, Fault> {
    if a.elem() != b.elem() || a.is_nil() != b.is_nil() || a.len() != b.len() {
        return Ok(false);
    }
    for (a, b) in a.items().iter().zip(b.items()) {
        if !equal_at(visits, depth + 1, a, b)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn maps_equal(visits: &mut Visits, depth: usize, a: &Map, b: &Map) -> Result<bool, Fault> {
    if a.kind() != b.kind() || a.is_nil() != b.is_nil() || a.len() != b.len() {
        return Ok(false);
    }
    if a.same(b) {
        return Ok(true);
    }
    for ((key, a), (other, b)) in a.entries().iter().zip(b.entries()) {
        if *key != other || !equal_at(visits, depth + 1, a, &b)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails};
    use crate::value::{Elem, List, Map, MapKind, Value};

    #[test]
    fn names_types_and_kinds() {
        for (value, typ, kind) in [
            (Value::Nil, "<nil>", "invalid"),
            (Value::int64(1), "int64", "int64"),
            (1.0.into(), "float64", "float64"),
            (Value::strings([]), "[]string", "slice"),
            (Map::new(MapKind::Values).into(), "common.Values", "map"),
        ] {
            assert_eq!(call("typeOf", std::slice::from_ref(&value)), typ);
            assert_eq!(call("kindIs", &[kind.into(), value.clone()]), "true");
            assert_eq!(call("typeIsLike", &[typ.into(), value]), "true");
        }
    }

    #[test]
    fn compares_types_and_nil_too() {
        let equal = |a: Value, b: Value| call("deepEqual", &[a, b]);
        let empty = Value::list(Vec::new());
        assert_eq!(equal(empty.clone(), empty.clone()), "true");
        assert_eq!(equal(empty.clone(), List::nil(Elem::Any).into()), "false");
        assert_eq!(equal(empty, Value::strings([])), "false");
        assert_eq!(equal(Value::int(1), Value::int64(1)), "false");
        assert_eq!(equal(f64::NAN.into(), f64::NAN.into()), "false");
    }

    #[test]
    fn ends_on_maps_within_themselves() {
        let cycle = || {
            let map = Map::new(MapKind::Any);
            map.insert("self", map.clone().into());
            Value::Map(map)
        };
        assert_eq!(
            fails("deepEqual", &[cycle(), cycle()]),
            "value is nested too deeply"
        );
    }

    #[test]
    fn counts_shared_parts_each_time() {
        let shared = || {
            (0..40).fold(Value::Nil, |inner, _| {
                Value::list(vec![inner.clone(), inner])
            })
        };
        let mut visits = crate::limits::Visits::with_left(1000);
        let fault = super::deep_equal(&mut visits, &shared(), &shared()).unwrap_err();
        assert_eq!(fault.message, "values have more than 67108864 parts");
    }
}
