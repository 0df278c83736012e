//! Defaults and choices: `default`, `empty`, `coalesce`, `ternary`, `all`, `any`, `fail`.
//!
//! Follows sprig 3.3.0 `defaults.go`; its JSON functions are Helm's.

use super::args::{any, function, rest, utf8, variadic};
use crate::template::{Fault, Function, Param};
use crate::value::{Kind, Value};

const A: Param = Param::Any;

/// The functions of this file.
pub(super) const TABLE: &[Function] = &[
    variadic("default", &[A, A], |_, a| {
        // Only the first of the given values counts.
        let given = a.get(1).filter(|given| !is_empty(given));
        Ok(given.unwrap_or(any(a, 0)).clone())
    }),
    function("empty", &[A], |_, a| Ok(is_empty(any(a, 0)).into())),
    variadic("coalesce", &[A], |_, a| {
        let first = rest(a, 0).iter().find(|value| !is_empty(value));
        Ok(first.cloned().unwrap_or(Value::Nil))
    }),
    variadic("all", &[A], |_, a| {
        Ok(rest(a, 0).iter().all(|value| !is_empty(value)).into())
    }),
    variadic("any", &[A], |_, a| {
        Ok(rest(a, 0).iter().any(|value| !is_empty(value)).into())
    }),
    function("ternary", &[A, A, Param::Bool], |_, a| {
        let chosen = if any(a, 2).is_true() { 0 } else { 1 };
        Ok(any(a, chosen).clone())
    }),
    function("fail", &[Param::Str], |_, a| Err(Fault::new(utf8(a, 0)))),
];

/// Sprig's `empty`: the zero value of its type, or a slice, map or text of length 0. A struct never
/// is.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(object) if !matches!(object.kind(), Kind::Struct | Kind::Ptr) => {
            object.underlying().is_none_or(|plain| !plain.is_true())
        }
        _ => !value.is_true(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails};
    use crate::value::Value;

    #[test]
    fn falls_back_from_empty_values() {
        let empty = [
            Value::Nil,
            "".into(),
            false.into(),
            0.0.into(),
            Value::int(0),
            Value::list(Vec::new()),
            Value::empty_map(),
        ];
        for value in empty {
            assert_eq!(
                call("default", &["d".into(), value.clone()]),
                "d",
                "{value:?}"
            );
            assert_eq!(call("empty", std::slice::from_ref(&value)), "true");
            assert_eq!(call("coalesce", &[value, "c".into()]), "c");
        }
        assert_eq!(call("default", &["d".into()]), "d");
        assert_eq!(call("default", &["d".into(), "x".into()]), "x");
        assert_eq!(call("all", &[]), "true");
        assert_eq!(call("any", &[]), "false");
    }

    #[test]
    fn chooses_and_fails() {
        assert_eq!(
            call("ternary", &["a".into(), "b".into(), false.into()]),
            "b"
        );
        assert_eq!(fails("fail", &["no luck".into()]), "no luck");
    }
}
