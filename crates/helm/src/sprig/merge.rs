//! Merging dicts: `merge` keeps what the destination has, `mergeOverwrite` prefers the sources.
//!
//! Follows mergo 1.0.1 `merge.go` as sprig 3.3.0 `dict.go` calls it: merged maps are changed in place,
//! maps that only a source has are shared with it.

use super::args::{Answer, map, plain_map, rest, variadic};
use super::reflection::descend;
use crate::limits::Visits;
use crate::template::{Fault, Function, Param, Runtime};
use crate::value::{Kind, Map, MapKind, Value};

const MAPS: &[Param] = &[Param::Map, Param::Map];

/// The functions of this file.
pub(super) const TABLE: &[Function] = &[
    variadic("merge", MAPS, |run, a| quiet(merge_all(run, a, false))),
    variadic("mustMerge", MAPS, |run, a| loud(merge_all(run, a, false))),
    variadic("mergeOverwrite", MAPS, |run, a| {
        quiet(merge_all(run, a, true))
    }),
    variadic("mustMergeOverwrite", MAPS, |run, a| {
        loud(merge_all(run, a, true))
    }),
];

/// Why a merge ended early.
enum Stop {
    /// mergo's own error, which the plain functions turn into an empty text.
    DifferentTypes,
    /// The input is beyond a limit.
    Fault(Fault),
}

fn quiet(merged: Result<Map, Stop>) -> Answer {
    match merged {
        Ok(map) => Ok(map.into()),
        Err(Stop::DifferentTypes) => Ok("".into()),
        Err(Stop::Fault(fault)) => Err(fault),
    }
}

fn loud(merged: Result<Map, Stop>) -> Answer {
    match merged {
        Ok(map) => Ok(map.into()),
        Err(Stop::DifferentTypes) => Err("src and dst must be of same type".into()),
        Err(Stop::Fault(fault)) => Err(fault),
    }
}

fn merge_all(run: &mut dyn Runtime, args: &[Value], overwrite: bool) -> Result<Map, Stop> {
    let mut visits = Visits::new();
    let mut target = map(args, 0);
    for source in rest(args, 1) {
        let source = plain_map(source);
        if target.is_nil() && !source.is_nil() {
            target = Map::new(MapKind::Any);
        }
        merge_into(&mut visits, 0, &target, &source, overwrite)?;
    }
    run.work(visits.count()).map_err(Stop::Fault)?;
    Ok(target)
}

/// Merges nested maps on a stack that is deep enough for it.
fn merge_into(
    visits: &mut Visits,
    depth: usize,
    target: &Map,
    source: &Map,
    overwrite: bool,
) -> Result<(), Stop> {
    let done = descend(depth, || {
        for (key, value) in source.entries() {
            visits.visit()?;
            let existing = target.get(&key);
            match merge_value(visits, depth, existing.as_ref(), &value, overwrite) {
                Ok(replace) if is_unfit(target, source, &value, replace) => {
                    return Ok(Err(Stop::Fault(unfit(&value))));
                }
                Ok(false) => {}
                Ok(true) => {
                    target.insert(key, value);
                }
                Err(stop) => return Ok(Err(stop)),
            }
        }
        Ok(Ok(()))
    });
    done.map_err(Stop::Fault)?
}

/// Whether the value of the source replaces the existing one; merges the two if both are maps.
fn merge_value(
    visits: &mut Visits,
    depth: usize,
    existing: Option<&Value>,
    value: &Value,
    overwrite: bool,
) -> Result<bool, Stop> {
    // A typed nil inside an interface counts as a value, as in Go.
    if value.is_nil() {
        return Ok(overwrite);
    }
    match (existing, value) {
        (Some(Value::Map(old)), Value::Map(new)) if !old.is_nil() => {
            merge_into(visits, depth + 1, old, new, overwrite)?;
        }
        (Some(Value::Object(old)), Value::Map(_) | Value::Object(_))
            if old.kind() == Kind::Ptr && !overwrite && value.kind() != Kind::Ptr =>
        {
            return Err(Stop::DifferentTypes);
        }
        _ => {}
    }
    // Only now: merging may have filled an empty map.
    let Some(old) = existing.filter(|old| !is_empty(old)) else {
        return Ok(true);
    };
    let both_maps = matches!((old, value), (Value::Map(_), Value::Map(_)));
    Ok(overwrite && !both_maps)
}

/// Whether the original would write a value into a map of strings, which panics.
fn is_unfit(target: &Map, source: &Map, value: &Value, replace: bool) -> bool {
    // Slices are written back even where the old value stays.
    let written = replace || matches!(value, Value::List(_));
    written && target.kind() == MapKind::Str && source.kind() != MapKind::Str
}

fn unfit(value: &Value) -> Fault {
    let name = match value {
        Value::List(list) => list.elem().slice_type(),
        _ => "interface {}",
    };
    Fault::new(format!(
        "reflect.Value.SetMapIndex: value of type {name} is not assignable to type string"
    ))
}

/// mergo's `isEmptyValue`, to which structs and complex numbers are never empty.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Complex(..) => false,
        _ => super::defaults::is_empty(value),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, value};
    use crate::value::Value;

    fn dict(pairs: &[(&str, Value)]) -> Value {
        let args: Vec<Value> = pairs
            .iter()
            .flat_map(|(key, value)| [Value::str(key), value.clone()])
            .collect();
        value("dict", &args)
    }

    fn items(count: i64) -> Value {
        Value::list((0..count).map(Value::int).collect())
    }

    #[test]
    fn fills_what_is_empty() {
        let a = || {
            dict(&[
                ("n", 0.0.into()),
                ("s", "old".into()),
                ("l", items(0)),
                ("x", Value::Nil),
            ])
        };
        let b = || {
            dict(&[
                ("n", 1.0.into()),
                ("s", "new".into()),
                ("l", items(2)),
                ("x", items(1)),
            ])
        };
        assert_eq!(call("merge", &[a(), b()]), "map[l:[0 1] n:1 s:old x:[0]]");
        let over = call("mergeOverwrite", &[b(), a()]);
        assert_eq!(over, "map[l:[] n:0 s:old x:<nil>]");
    }

    #[test]
    fn merges_maps_within_maps() {
        let a = || dict(&[("m", dict(&[("b", Value::int(1))])), ("t", dict(&[]))]);
        let b = || {
            dict(&[
                ("m", dict(&[("b", Value::int(2)), ("c", Value::int(3))])),
                ("t", "x".into()),
            ])
        };
        assert_eq!(call("merge", &[a(), b()]), "map[m:map[b:1 c:3] t:x]");
        assert_eq!(
            call("mergeOverwrite", &[a(), b()]),
            "map[m:map[b:2 c:3] t:x]"
        );
        assert_eq!(
            call("mergeOverwrite", &[a(), dict(&[("m", dict(&[]))])]),
            "map[m:map[b:1] t:map[]]"
        );
    }

    #[test]
    fn shares_maps_of_the_source() {
        let (a, b) = (dict(&[]), dict(&[("n", dict(&[("y", Value::int(1))]))]));
        drop(value("merge", &[a.clone(), b.clone()]));
        let inner = value("get", &[a, "n".into()]);
        drop(value("set", &[inner, "y".into(), Value::int(99)]));
        assert_eq!(call("toString", &[b]), "map[n:map[y:99]]");
    }

    #[test]
    fn ends_on_maps_within_themselves() {
        let cycle = || {
            let map = dict(&[]);
            value("set", &[map.clone(), "self".into(), map])
        };
        assert_eq!(
            fails("merge", &[cycle(), cycle()]),
            "value is nested too deeply"
        );
    }
}
