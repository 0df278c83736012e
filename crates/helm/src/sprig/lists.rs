//! Lists: taking apart, putting together, searching.
//!
//! Follows sprig 3.3.0 `list.go` and the integer ranges of its `numeric.go`. The plain and the `must`
//! form of a function read the same in a template: one panics with the text that the other returns.

use super::args::{
    Answer, any, check_count, function, int, items, kind_name, list, nil_list, rest, variadic,
};
use super::defaults::is_empty;
use super::math::to_int;
use super::reflection::deep_equal;
use crate::limits::Visits;
use crate::template::{Fault, Function, Param, Runtime};
use crate::value::{Elem, IntKind, List, Value};
use std::borrow::Cow;

const A: Param = Param::Any;
const I: Param = Param::Int;

/// The functions of this file.
pub(super) const TABLE: &[Function] = &[
    variadic("list", &[A], |_, a| list(rest(a, 0).to_vec())),
    variadic("tuple", &[A], |_, a| list(rest(a, 0).to_vec())),
    function("first", &[A], |_, a| first(a)),
    function("mustFirst", &[A], |_, a| first(a)),
    function("last", &[A], |_, a| last(a)),
    function("mustLast", &[A], |_, a| last(a)),
    function("rest", &[A], |_, a| tail(a)),
    function("mustRest", &[A], |_, a| tail(a)),
    function("initial", &[A], |_, a| initial(a)),
    function("mustInitial", &[A], |_, a| initial(a)),
    function("append", &[A, A], |_, a| push(a)),
    function("mustAppend", &[A, A], |_, a| push(a)),
    function("push", &[A, A], |_, a| push(a)),
    function("mustPush", &[A, A], |_, a| push(a)),
    function("prepend", &[A, A], |_, a| prepend(a)),
    function("mustPrepend", &[A, A], |_, a| prepend(a)),
    variadic("concat", &[A], |_, a| concat(rest(a, 0))),
    function("reverse", &[A], |_, a| reverse(a)),
    function("mustReverse", &[A], |_, a| reverse(a)),
    function("uniq", &[A], |run, a| uniq(run, a)),
    function("mustUniq", &[A], |run, a| uniq(run, a)),
    variadic("without", &[A, A], |run, a| without(run, a)),
    variadic("mustWithout", &[A, A], |run, a| without(run, a)),
    function("has", &[A, A], |run, a| has(run, a)),
    function("mustHas", &[A, A], |run, a| has(run, a)),
    function("compact", &[A], |_, a| compact(a)),
    function("mustCompact", &[A], |_, a| compact(a)),
    variadic("slice", &[A, A], |_, a| slice(a)),
    variadic("mustSlice", &[A, A], |_, a| slice(a)),
    function("chunk", &[I, A], |_, a| chunk(a)),
    function("mustChunk", &[I, A], |_, a| chunk(a)),
    function("until", &[I], |_, a| {
        let end = int(a, 0);
        Ok(ints(&range(0, end, if end < 0 { -1 } else { 1 })?))
    }),
    function("untilStep", &[I, I, I], |_, a| {
        Ok(ints(&range(int(a, 0), int(a, 1), int(a, 2))?))
    }),
];

/// The items of a slice, or the error of a function that wants one.
fn slice_of<'a>(value: &'a Value, complaint: &str) -> Result<Cow<'a, [Value]>, Fault> {
    let kind = kind_name(value)?;
    items(value).ok_or_else(|| Fault::new(format!("{complaint} {kind}")))
}

/// `first`: nil for an empty list.
fn first(args: &[Value]) -> Answer {
    let items = slice_of(any(args, 0), "Cannot find first on type")?;
    Ok(items.first().cloned().unwrap_or(Value::Nil))
}

/// `last`: nil for an empty list.
fn last(args: &[Value]) -> Answer {
    let items = slice_of(any(args, 0), "Cannot find last on type")?;
    Ok(items.last().cloned().unwrap_or(Value::Nil))
}

/// `rest`: nil for an empty list.
fn tail(args: &[Value]) -> Answer {
    match &*slice_of(any(args, 0), "Cannot find rest on type")? {
        [] => nil_list(),
        [_, tail @ ..] => list(tail.to_vec()),
    }
}

/// `initial`: nil for an empty list.
fn initial(args: &[Value]) -> Answer {
    match &*slice_of(any(args, 0), "Cannot find initial on type")? {
        [] => nil_list(),
        [head @ .., _] => list(head.to_vec()),
    }
}

/// `append`: a new list; the old one does not change.
fn push(args: &[Value]) -> Answer {
    let items = slice_of(any(args, 0), "Cannot push on type")?;
    check_count(items.len())?;
    let mut items = items.into_owned();
    items.push(any(args, 1).clone());
    list(items)
}

/// `prepend`: a new list.
fn prepend(args: &[Value]) -> Answer {
    let items = slice_of(any(args, 0), "Cannot prepend on type")?;
    check_count(items.len())?;
    let mut out = Vec::with_capacity(items.len() + 1);
    out.push(any(args, 1).clone());
    out.extend_from_slice(&items);
    list(out)
}

/// `concat`: lists one after another; anything else is an error.
fn concat(lists: &[Value]) -> Answer {
    let mut out = Vec::new();
    for value in lists {
        let kind = kind_name(value)?;
        let Some(items) = items(value) else {
            return Err(format!("Cannot concat type {kind} as list").into());
        };
        check_count(out.len() + items.len())?;
        out.extend_from_slice(&items);
    }
    if out.is_empty() {
        nil_list()
    } else {
        list(out)
    }
}

/// `reverse`: a new list.
fn reverse(args: &[Value]) -> Answer {
    let mut items = slice_of(any(args, 0), "Cannot find reverse on type")?.into_owned();
    items.reverse();
    list(items)
}

/// Whether a list holds an equal value.
fn holds(visits: &mut Visits, haystack: &[Value], needle: &Value) -> Result<bool, Fault> {
    for item in haystack {
        if deep_equal(visits, needle, item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `uniq`: first of equal items, as `reflect.DeepEqual` compares.
fn uniq(run: &mut dyn Runtime, args: &[Value]) -> Answer {
    let items = slice_of(any(args, 0), "Cannot find uniq on type")?;
    let mut visits = Visits::new();
    let mut out: Vec<Value> = Vec::new();
    for item in items.iter() {
        if !holds(&mut visits, &out, item)? {
            out.push(item.clone());
        }
    }
    run.work(visits.count())?;
    list(out)
}

/// `without`: the items that equal none of the given ones.
fn without(run: &mut dyn Runtime, args: &[Value]) -> Answer {
    let items = slice_of(any(args, 0), "Cannot find without on type")?;
    let mut visits = Visits::new();
    let mut out = Vec::new();
    for item in items.iter() {
        if !holds(&mut visits, rest(args, 1), item)? {
            out.push(item.clone());
        }
    }
    run.work(visits.count())?;
    list(out)
}

/// `has`: whether an item equals the given one; nothing is in nil.
fn has(run: &mut dyn Runtime, args: &[Value]) -> Answer {
    let haystack = any(args, 1);
    if haystack.is_nil() {
        return Ok(false.into());
    }
    let items = slice_of(haystack, "Cannot find has on type")?;
    let mut visits = Visits::new();
    let found = holds(&mut visits, &items, any(args, 0))?;
    run.work(visits.count())?;
    Ok(found.into())
}

/// `compact`: the items that are not empty in the sense of `default`.
fn compact(args: &[Value]) -> Answer {
    let items = slice_of(any(args, 0), "Cannot compact on type")?;
    list(
        items
            .iter()
            .filter(|item| !is_empty(item))
            .cloned()
            .collect(),
    )
}

/// `slice $list [from [to]]`; the result keeps the type of the slice.
fn slice(args: &[Value]) -> Answer {
    let value = any(args, 0);
    let items = slice_of(value, "list should be type of slice or array but")?;
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    let start = args.get(1).map_or(0, to_int);
    let end = match args.get(2) {
        Some(end) => usize::try_from(to_int(end)).ok(),
        None => Some(items.len()),
    };
    let part = usize::try_from(start)
        .ok()
        .zip(end)
        .and_then(|(start, end)| items.get(start..end));
    let Some(part) = part else {
        return Err("reflect.Value.Slice: slice index out of bounds".into());
    };
    Ok(match value {
        Value::Bytes(bytes) => {
            let start = usize::try_from(start).unwrap_or(0);
            Value::Bytes(bytes[start..start + part.len()].into())
        }
        Value::List(list) => Value::List(List::new(part.to_vec(), list.elem())),
        _ => Value::list(part.to_vec()),
    })
}

/// `chunk`: lists of so many items, the last perhaps shorter.
fn chunk(args: &[Value]) -> Answer {
    let size = int(args, 0);
    let value = any(args, 1);
    let kind = kind_name(value)?;
    let Some(items) = items(value) else {
        return Err(format!("Cannot chunk type {kind}").into());
    };
    // Go computes the number of chunks as a float; the panics below are what that comes to.
    let count = ((items.len() as f64 - 1.0) / size as f64).floor() + 1.0;
    if !count.is_finite() || count < 0.0 {
        return Err("runtime error: makeslice: len out of range".into());
    }
    let Some(size) = usize::try_from(size).ok().filter(|size| *size > 0) else {
        if size < -1 && items.len() == 1 {
            return Ok(chunks(vec![Value::list(items.into_owned())]));
        }
        return if count < 1.0 {
            Ok(chunks(Vec::new()))
        } else {
            Err("runtime error: makeslice: len out of range".into())
        };
    };
    let parts = items.chunks(size);
    Ok(chunks(
        parts.map(|part| Value::list(part.to_vec())).collect(),
    ))
}

/// A `[][]interface {}`.
fn chunks(parts: Vec<Value>) -> Value {
    Value::List(List::new(parts, Elem::List))
}

/// Sprig's `untilStep`: the numbers from `start` to before `end`.
pub(super) fn range(start: i64, end: i64, step: i64) -> Result<Vec<i64>, Fault> {
    if start == end || (end < start) != (step < 0) || step == 0 {
        return Ok(Vec::new());
    }
    let count = start.abs_diff(end).div_ceil(step.unsigned_abs());
    check_count(usize::try_from(count).unwrap_or(usize::MAX))?;
    let numbers = std::iter::successors(Some(start), |at| at.checked_add(step));
    Ok(numbers.take(usize::try_from(count).unwrap_or(0)).collect())
}

fn ints(numbers: &[i64]) -> Value {
    let items = numbers
        .iter()
        .map(|n| Value::Int(*n, IntKind::Int))
        .collect();
    Value::List(List::new(items, Elem::Int))
}

#[cfg(test)]
mod tests {
    use super::super::args::NIL_DEREFERENCE;
    use super::super::testing::{call, fails, value};
    use crate::value::Value;

    fn letters() -> Value {
        Value::list(vec!["a".into(), "b".into(), "a".into(), Value::Nil])
    }

    #[test]
    fn takes_lists_apart() {
        for (name, want) in [
            ("first", "a"),
            ("last", "<nil>"),
            ("rest", "[b a <nil>]"),
            ("initial", "[a b a]"),
            ("reverse", "[<nil> a b a]"),
            ("uniq", "[a b <nil>]"),
            ("compact", "[a b a]"),
        ] {
            assert_eq!(call(name, &[letters()]), want, "{name}");
        }
        assert_eq!(
            call("slice", &[letters(), Value::int(1), Value::int(3)]),
            "[b a]"
        );
        assert_eq!(
            call("chunk", &[Value::int(3), letters()]),
            "[[a b a] [<nil>]]"
        );
        assert_eq!(call("without", &[letters(), "a".into()]), "[b <nil>]");
    }

    #[test]
    fn tells_nil_lists_from_empty_ones() {
        let empty = Value::list(Vec::new());
        for name in ["rest", "initial", "concat"] {
            let result = value(name, std::slice::from_ref(&empty));
            assert!(result.as_list().unwrap().is_nil(), "{name}");
        }
        assert!(!value("uniq", &[empty]).as_list().unwrap().is_nil());
    }

    #[test]
    fn tells_numbers_of_different_types_apart() {
        let numbers = Value::list(vec![Value::int(1), 1.0.into()]);
        assert_eq!(call("has", &[1.0.into(), numbers.clone()]), "true");
        assert_eq!(call("has", &[Value::int64(1), numbers]), "false");
    }

    #[test]
    fn makes_ranges() {
        for (args, want) in [
            ([0, 5, 2], "[0 2 4]"),
            ([3, 0, -1], "[3 2 1]"),
            ([0, 3, -1], "[]"),
        ] {
            assert_eq!(call("untilStep", &args.map(Value::int)), want);
        }
        assert_eq!(call("until", &[Value::int(-2)]), "[0 -1]");
        assert!(fails("until", &[Value::int(i64::MAX)]).contains("too long"));
    }

    #[test]
    fn names_the_wrong_type() {
        assert_eq!(
            fails("first", &["x".into()]),
            "Cannot find first on type string"
        );
        assert_eq!(fails("rest", &[Value::Nil]), NIL_DEREFERENCE);
        assert_eq!(
            fails("slice", &[letters(), Value::int(9)]),
            "reflect.Value.Slice: slice index out of bounds"
        );
        assert_eq!(
            fails("chunk", &[Value::int(0), letters()]),
            "runtime error: makeslice: len out of range"
        );
    }
}
