//! Dicts: making, reading, changing and copying maps.
//!
//! Follows sprig 3.3.0 `dict.go` and copystructure 1.2.0; merging is in [`super::merge`]. Go gives
//! the keys of a map in no order; here they are sorted.

use super::args::{Answer, any, check_count, function, list, map, plain_map, rest, text, variadic};
use super::reflection::descend;
use super::text::strval;
use crate::template::{Fault, Function, Param};
use crate::value::{List, Map, MapKind, Str, Value};

const A: Param = Param::Any;
const M: Param = Param::Map;
const S: Param = Param::Str;

/// The functions of this file.
pub(super) const TABLE: &[Function] = &[
    variadic("dict", &[A], |_, a| dict(rest(a, 0))),
    function("get", &[M, S], |_, a| {
        Ok(map(a, 0).get(text(a, 1)).unwrap_or_else(|| "".into()))
    }),
    function("set", &[M, S, A], |_, a| {
        let target = map(a, 0);
        if !target.insert(text(a, 1), any(a, 2).clone()) {
            return Err("assignment to entry in nil map".into());
        }
        Ok(target.into())
    }),
    function("unset", &[M, S], |_, a| {
        let target = map(a, 0);
        drop(target.remove(text(a, 1)));
        Ok(target.into())
    }),
    function("hasKey", &[M, S], |_, a| {
        Ok(map(a, 0).contains(text(a, 1)).into())
    }),
    variadic("pluck", &[S, M], |_, a| {
        let maps = rest(a, 1).iter();
        list(maps.filter_map(|m| plain_map(m).get(text(a, 0))).collect())
    }),
    variadic("keys", &[M], |_, a| keys(rest(a, 0))),
    function("values", &[M], |_, a| {
        list(map(a, 0).entries().into_iter().map(|(_, v)| v).collect())
    }),
    variadic("pick", &[M, S], |_, a| {
        Ok(filtered(&map(a, 0), |key| {
            rest(a, 1).iter().any(|k| is_key(k, key))
        }))
    }),
    variadic("omit", &[M, S], |_, a| {
        Ok(filtered(&map(a, 0), |key| {
            !rest(a, 1).iter().any(|k| is_key(k, key))
        }))
    }),
    variadic("dig", &[A], |_, a| dig(rest(a, 0))),
    function("deepCopy", &[A], |_, a| deep_copy(any(a, 0))),
    function("mustDeepCopy", &[A], |_, a| deep_copy(any(a, 0))),
];

fn dict(args: &[Value]) -> Answer {
    let out = Map::new(MapKind::Any);
    for pair in args.chunks(2) {
        let value = pair.get(1).cloned().unwrap_or_else(|| "".into());
        out.insert(strval(&pair[0])?, value);
    }
    Ok(out.into())
}

fn keys(maps: &[Value]) -> Answer {
    let mut out = Vec::new();
    for value in maps {
        let map = plain_map(value);
        check_count(out.len() + map.len())?;
        out.extend(map.keys());
    }
    Ok(Value::strings(out))
}

fn is_key(value: &Value, key: &Str) -> bool {
    value.as_str() == Some(key)
}

fn filtered(map: &Map, keep: impl Fn(&Str) -> bool) -> Value {
    let kept = map.entries().into_iter().filter(|(key, _)| keep(key));
    Value::Map(Map::from_entries(MapKind::Any, kept.collect()))
}

/// A Go type assertion on an `interface {}` that failed.
fn wrong_type<T>(value: &Value, wanted: &str) -> Result<T, Fault> {
    let found = match value {
        Value::Nil => "nil".into(),
        _ => value.type_name(),
    };
    let text = format!("interface conversion: interface {{}} is {found}, not {wanted}");
    Err(Fault::new(text))
}

fn assert_map(value: &Value) -> Result<Map, Fault> {
    match value {
        Value::Map(map) if map.kind() == MapKind::Any => Ok(map.clone()),
        _ => wrong_type(value, "map[string]interface {}"),
    }
}

/// `dig KEY… DEFAULT DICT`.
fn dig(args: &[Value]) -> Answer {
    let [path @ .., default, dict] = args else {
        return Err("dig needs at least three arguments".into());
    };
    if path.is_empty() {
        return Err("dig needs at least three arguments".into());
    }
    let mut step = Value::Map(assert_map(dict)?);
    let mut keys = Vec::with_capacity(path.len());
    for key in path {
        match key {
            Value::Str(key) => keys.push(key),
            _ => return wrong_type(key, "string"),
        }
    }
    for key in keys {
        match assert_map(&step)?.get(key) {
            Some(value) => step = value,
            None => return Ok(default.clone()),
        }
    }
    Ok(step)
}

fn deep_copy(value: &Value) -> Answer {
    if value.is_nil() {
        return Err("reflect: call of reflect.Value.Type on zero Value".into());
    }
    let mut budget = super::args::LIST_LIMIT;
    copied(0, value, &mut budget)
}

/// A copy of a value that shares no map with it. Shared parts are copied each time they occur, so
/// the number of copied values is limited.
fn copied(depth: usize, value: &Value, budget: &mut usize) -> Answer {
    match value {
        Value::List(list) if !list.is_nil() => descend(depth, || {
            spend(budget, list.len())?;
            let items: Result<Vec<Value>, Fault> = list
                .items()
                .iter()
                .map(|item| copied(depth + 1, item, budget))
                .collect();
            Ok(Value::List(List::new(items?, list.elem())))
        }),
        Value::Map(map) if !map.is_nil() => descend(depth, || {
            spend(budget, map.len())?;
            let copy = map.shallow_copy();
            for (key, item) in map.entries() {
                copy.insert(key, copied(depth + 1, &item, budget)?);
            }
            Ok(Value::Map(copy))
        }),
        Value::Object(object) => Ok(object.deep_copy().unwrap_or_else(|| value.clone())),
        _ => Ok(value.clone()),
    }
}

fn spend(budget: &mut usize, count: usize) -> Result<(), Fault> {
    match budget.checked_sub(count) {
        Some(rest) => {
            *budget = rest;
            Ok(())
        }
        None => Err("value is too large to copy".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, value};
    use crate::value::{Map, MapKind, Value};

    fn nested() -> Value {
        let inner = value("dict", &["b".into(), Value::int(1)]);
        value(
            "dict",
            &["a".into(), inner, Value::int(2), "two".into(), "odd".into()],
        )
    }

    #[test]
    fn makes_and_reads_dicts() {
        assert_eq!(call("toString", &[nested()]), "map[2:two a:map[b:1] odd:]");
        assert_eq!(call("get", &[nested(), "2".into()]), "two");
        assert_eq!(call("get", &[nested(), "none".into()]), "");
        assert_eq!(
            call("hasKey", &[Map::nil(MapKind::Any).into(), "a".into()]),
            "false"
        );
        assert_eq!(call("keys", &[nested()]), "[2 a odd]");
        assert_eq!(
            call("pick", &[nested(), "2".into(), "x".into()]),
            "map[2:two]"
        );
        assert_eq!(call("omit", &[nested(), "a".into()]), "map[2:two odd:]");
        assert_eq!(
            call("pluck", &["2".into(), nested(), Value::empty_map()]),
            "[two]"
        );
    }

    #[test]
    fn changes_maps_in_place() {
        let map = nested();
        let same = value("set", &[map.clone(), "new".into(), 1.5.into()]);
        assert!(same.as_map().unwrap().same(map.as_map().unwrap()));
        assert_eq!(call("get", &[map, "new".into()]), "1.5");
        let nil = Value::Map(Map::nil(MapKind::Any));
        assert_eq!(
            fails("set", &[nil, "a".into(), Value::Nil]),
            "assignment to entry in nil map"
        );
    }

    #[test]
    fn digs_through_plain_dicts_only() {
        let dig = |keys: &[&str], dict| {
            let mut args: Vec<Value> = keys.iter().map(Value::str).collect();
            args.extend(["default".into(), dict]);
            args
        };
        assert_eq!(call("dig", &dig(&["a", "b"], nested())), "1");
        assert_eq!(call("dig", &dig(&["a", "x"], nested())), "default");
        assert_eq!(
            fails("dig", &dig(&["2", "x"], nested())),
            "interface conversion: interface {} is string, not map[string]interface {}"
        );
        assert_eq!(
            fails("dig", &dig(&["a"], Map::new(MapKind::Values).into())),
            "interface conversion: interface {} is common.Values, not map[string]interface {}"
        );
    }

    #[test]
    fn copies_share_nothing() {
        let map = nested();
        let copy = value("deepCopy", std::slice::from_ref(&map));
        let inner = value("get", &[copy, "a".into()]);
        drop(value("set", &[inner, "b".into(), "changed".into()]));
        assert_eq!(call("dig", &["a".into(), "b".into(), "".into(), map]), "1");
    }
}
