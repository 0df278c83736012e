//! Strings: cutting, joining, padding, quoting and searching.
//!
//! Follows sprig 3.3.0 `strings.go` and goutils 1.1.1 `stringutils.go`. Case is in [`super::case`],
//! line breaking in [`super::wrap`], hashes and encodings in [`super::encoding`].

use super::args::{
    self, Answer, TEXT_LIMIT, any, bytes, check_count, function, int, rest, slice_text, text,
    variadic,
};
use super::case::is_space;
use super::text::{printed, strslice, strval};
use crate::template::{Fault, Function, Param};
use crate::value::quote::quote;
use crate::value::rune::{append_rune, decode_last_rune, decode_rune, runes};
use crate::value::{Map, MapKind, Str, Value};
use std::collections::BTreeMap;

const S: Param = Param::Str;
const I: Param = Param::Int;
const A: Param = Param::Any;

/// The functions of this file.
pub(super) const TABLE: &[Function] = &[
    function("hello", &[], |_, _| Ok("Hello!".into())),
    function("trim", &[S], |_, a| bytes(trim_space(text(a, 0)))),
    function("trimAll", &[S, S], |_, a| {
        bytes(trim(text(a, 1), text(a, 0)))
    }),
    function("trimall", &[S, S], |_, a| {
        bytes(trim(text(a, 1), text(a, 0)))
    }),
    function("trimSuffix", &[S, S], |_, a| {
        let whole = text(a, 1);
        bytes(whole.strip_suffix(text(a, 0)).unwrap_or(whole))
    }),
    function("trimPrefix", &[S, S], |_, a| {
        let whole = text(a, 1);
        bytes(whole.strip_prefix(text(a, 0)).unwrap_or(whole))
    }),
    function("contains", &[S, S], |_, a| {
        Ok(find(text(a, 1), text(a, 0)).is_some().into())
    }),
    function("hasPrefix", &[S, S], |_, a| {
        Ok(text(a, 1).starts_with(text(a, 0)).into())
    }),
    function("hasSuffix", &[S, S], |_, a| {
        Ok(text(a, 1).ends_with(text(a, 0)).into())
    }),
    function("repeat", &[I, S], |_, a| repeat(text(a, 1), int(a, 0))),
    function("substr", &[I, I, S], |_, a| {
        substr(int(a, 0), int(a, 1), text(a, 2))
    }),
    function("trunc", &[I, S], |_, a| bytes(trunc(int(a, 0), text(a, 1)))),
    function("abbrev", &[I, S], |_, a| abbrev(int(a, 0), text(a, 1))),
    function("abbrevboth", &[I, I, S], |_, a| {
        abbrev_both(int(a, 0), int(a, 1), text(a, 2))
    }),
    function("nospace", &[S], |_, a| bytes(without_space(text(a, 0)))),
    function("initials", &[S], |_, a| bytes(initials(text(a, 0)))),
    function("indent", &[I, S], |_, a| indent(b"", int(a, 0), text(a, 1))),
    function("nindent", &[I, S], |_, a| {
        indent(b"\n", int(a, 0), text(a, 1))
    }),
    function("replace", &[S, S, S], |_, a| {
        replace(text(a, 2), text(a, 0), text(a, 1))
    }),
    function("plural", &[S, S, I], |_, a| {
        bytes(text(a, if int(a, 2) == 1 { 0 } else { 1 }))
    }),
    variadic("quote", &[A], |_, a| quote_all(rest(a, 0))),
    variadic("squote", &[A], |_, a| single_quote_all(rest(a, 0))),
    variadic("cat", &[A], |_, a| cat(rest(a, 0))),
    function("toString", &[A], |_, a| strval(any(a, 0)).map(Value::Str)),
    function("toStrings", &[A], |_, a| {
        Ok(Value::strings(strslice(any(a, 0))?))
    }),
    function("join", &[S, A], |_, a| {
        join(text(a, 0), &strslice(any(a, 1))?)
    }),
    function("sortAlpha", &[A], |_, a| sort_alpha(any(a, 0))),
    function("splitList", &[S, S], |_, a| {
        let parts = split(text(a, 1), text(a, 0), -1);
        check_count(parts.len())?;
        Ok(Value::strings(parts.into_iter().map(Str::from)))
    }),
    function("split", &[S, S], |_, a| {
        numbered(&split(text(a, 1), text(a, 0), -1))
    }),
    function("splitn", &[S, I, S], |_, a| {
        numbered(&split(text(a, 2), text(a, 0), int(a, 1)))
    }),
];

/// Where a text begins in another.
pub(super) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    match part {
        [] => Some(0),
        [byte] => text.iter().position(|b| b == byte),
        _ => text.windows(part.len()).position(|window| window == part),
    }
}

fn trim_by(text: &[u8], cut: impl Fn(u32) -> bool) -> &[u8] {
    let mut text = text;
    loop {
        let (rune, width) = decode_rune(text);
        if width == 0 || !cut(rune) {
            break;
        }
        text = &text[width..];
    }
    loop {
        let (rune, width) = decode_last_rune(text);
        if width == 0 || !cut(rune) {
            return text;
        }
        text = &text[..text.len() - width];
    }
}

/// `strings.TrimSpace`.
pub(super) fn trim_space(text: &[u8]) -> &[u8] {
    trim_by(text, is_space)
}

/// `strings.Trim`.
fn trim<'a>(text: &'a [u8], cutset: &[u8]) -> &'a [u8] {
    let cutset: Vec<u32> = runes(cutset).map(|(_, rune, _)| rune).collect();
    trim_by(text, |rune| cutset.contains(&rune))
}

/// Fails when a result would be longer than any manifest has reason to be.
fn check_length(length: Option<usize>) -> Result<(), Fault> {
    match length {
        Some(length) if length <= TEXT_LIMIT => Ok(()),
        _ => Err("strings: Repeat output length overflow".into()),
    }
}

/// `repeat`: up to the limit of one text; negative counts are a panic in Go.
fn repeat(text: &[u8], count: i64) -> Answer {
    let Ok(count) = usize::try_from(count) else {
        return Err("strings: negative Repeat count".into());
    };
    check_length(text.len().checked_mul(count))?;
    bytes(text.repeat(if text.is_empty() { 0 } else { count }))
}

/// `substr`: by bytes; a negative start counts as 0, an end that is negative or too large as the end.
fn substr(start: i64, end: i64, text: &[u8]) -> Answer {
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    bytes(if start < 0 {
        slice_text(text, None, Some(end))?
    } else if end < 0 || end > length {
        slice_text(text, Some(start), None)?
    } else {
        slice_text(text, Some(start), Some(end))?
    })
}

/// `trunc`: by bytes, from the end when negative.
fn trunc(count: i64, text: &[u8]) -> &[u8] {
    let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if size >= text.len() {
        text
    } else if count < 0 {
        &text[text.len() - size..]
    } else {
        &text[..size]
    }
}

/// `abbrev`: cut to a width in bytes, `...` included; a width below 4 leaves the text whole.
fn abbrev(width: i64, text: &[u8]) -> Answer {
    bytes(if width < 4 {
        text.to_vec()
    } else {
        abbreviate(text, 0, width)
    })
}

/// `abbrevboth`: cut at both ends to a width in bytes, `...` where something is missing.
fn abbrev_both(left: i64, right: i64, text: &[u8]) -> Answer {
    if right < 4 || left > 0 && right < 7 {
        return bytes(text);
    }
    bytes(abbreviate(text, left, right))
}

/// goutils `AbbreviateFull`: at most `width` bytes, what is cut off replaced by dots.
fn abbreviate(text: &[u8], offset: i64, width: i64) -> Vec<u8> {
    const DOTS: &[u8] = b"...";
    let width = usize::try_from(width).unwrap_or(0);
    if text.is_empty() || width < 4 {
        return Vec::new();
    }
    let length = text.len();
    if length <= width {
        return text.to_vec();
    }
    let kept = width - 3;
    let offset = usize::try_from(offset).unwrap_or(0).min(length);
    let offset = if length - offset < kept {
        length - kept
    } else {
        offset
    };
    if offset <= 4 {
        return [&text[..kept], DOTS].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if offset + kept < length {
        let inner = i64::try_from(kept).unwrap_or(0);
        return [DOTS, &abbreviate(&text[offset..], 0, inner)].concat();
    }
    [DOTS, &text[length - kept..]].concat()
}

/// goutils `DeleteWhiteSpace`, which takes bytes for runes: text that is not ASCII comes out garbled
/// as soon as there is a space in it.
fn without_space(text: &[u8]) -> Vec<u8> {
    if !text.iter().any(|byte| is_space(u32::from(*byte))) {
        return text.to_vec();
    }
    let mut out = Vec::with_capacity(text.len());
    for byte in text.iter().filter(|byte| !is_space(u32::from(**byte))) {
        append_rune(&mut out, u32::from(*byte));
    }
    out
}

/// goutils `Initials`, which takes bytes for runes as well.
fn initials(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut gap = true;
    for byte in text {
        let space = is_space(u32::from(*byte));
        if gap && !space {
            append_rune(&mut out, u32::from(*byte));
        }
        gap = space;
    }
    out
}

/// Spaces before every line, empty ones too; `before` goes before all, a line break for `nindent`.
fn indent(before: &[u8], spaces: i64, text: &[u8]) -> Answer {
    let Ok(width) = usize::try_from(spaces) else {
        return Err("strings: negative Repeat count".into());
    };
    let lines = text.iter().filter(|byte| **byte == b'\n').count() + 1;
    check_length(
        width
            .checked_mul(lines)
            .and_then(|n| n.checked_add(text.len())),
    )?;
    let mut out = Vec::with_capacity(before.len() + width * lines + text.len());
    out.extend_from_slice(before);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        out.resize(out.len() + width, b' ');
        out.extend_from_slice(line);
    }
    if text.is_empty() || text.ends_with(b"\n") {
        out.resize(out.len() + width, b' ');
    }
    bytes(out)
}

/// `strings.ReplaceAll`; an empty `old` is found before every rune and at the end.
fn replace(text: &[u8], old: &[u8], new: &[u8]) -> Answer {
    let mut out = Vec::with_capacity(text.len());
    if old.is_empty() {
        check_length((text.len() + 1).checked_mul(new.len() + 4))?;
        out.extend_from_slice(new);
        for (at, _, width) in runes(text) {
            out.extend_from_slice(&text[at..at + width]);
            out.extend_from_slice(new);
        }
        return bytes(out);
    }
    let mut rest = text;
    while let Some(at) = find(rest, old) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(new);
        check_length(Some(out.len()))?;
        rest = &rest[at + old.len()..];
    }
    out.extend_from_slice(rest);
    bytes(out)
}

/// `quote`: each argument in double quotes, nil left out.
fn quote_all(values: &[Value]) -> Answer {
    let quoted: Result<Vec<Str>, Fault> = values
        .iter()
        .filter(|value| !value.is_nil())
        .map(|value| Ok(quote(&strval(value)?).into()))
        .collect();
    join(b" ", &quoted?)
}

/// `squote`: each argument in single quotes, nil left out, nothing escaped.
fn single_quote_all(values: &[Value]) -> Answer {
    let quoted: Result<Vec<Str>, Fault> = values
        .iter()
        .filter(|value| !value.is_nil())
        .map(|value| Ok([b"'", printed(value)?.as_bytes(), b"'"].concat().into()))
        .collect();
    join(b" ", &quoted?)
}

/// `cat`: arguments with spaces between them, nil left out.
fn cat(values: &[Value]) -> Answer {
    let printed: Result<Vec<Str>, Fault> = values
        .iter()
        .filter(|value| !value.is_nil())
        .map(printed)
        .collect();
    join(b" ", &printed?)
}

/// Texts with a separator between them, within the limit of one text.
fn join(separator: &[u8], parts: &[Str]) -> Answer {
    let texts: usize = parts.iter().map(Str::len).sum();
    check_length(
        separator
            .len()
            .checked_mul(parts.len())
            .and_then(|n| n.checked_add(texts)),
    )?;
    let parts: Vec<&[u8]> = parts.iter().map(Str::as_bytes).collect();
    bytes(parts.join(separator))
}

/// `sortAlpha`: the items as texts in the order of their bytes; of no list, its text alone.
fn sort_alpha(value: &Value) -> Answer {
    let mut parts = match args::items(value) {
        Some(_) => strslice(value)?,
        None => vec![strval(value)?],
    };
    parts.sort_unstable();
    Ok(Value::strings(parts))
}

/// `strings.SplitN`: no more than `limit` parts unless that is negative; an empty separator splits
/// into runes.
pub(super) fn split<'a>(text: &'a [u8], separator: &[u8], limit: i64) -> Vec<&'a [u8]> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    let mut rest = text;
    if limit == 0 {
        return parts;
    }
    if separator.is_empty() {
        while !rest.is_empty() && parts.len() + 1 < limit {
            let (part, tail) = rest.split_at(decode_rune(rest).1);
            parts.push(part);
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(rest);
        }
        return parts;
    }
    while parts.len() + 1 < limit {
        let Some(at) = find(rest, separator) else {
            break;
        };
        parts.push(&rest[..at]);
        rest = &rest[at + separator.len()..];
    }
    parts.push(rest);
    parts
}

/// Parts as the map `_0`, `_1`, … that `split` gives.
fn numbered(parts: &[&[u8]]) -> Answer {
    check_count(parts.len())?;
    let entries: BTreeMap<Str, Value> = parts
        .iter()
        .enumerate()
        .map(|(at, part)| (format!("_{at}").into(), Value::str(part)))
        .collect();
    Ok(Value::Map(Map::from_entries(MapKind::Str, entries)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails};
    use crate::value::Value;

    #[test]
    fn cuts_and_pads_bytes() {
        let cases: [(&str, &[Value], &str); 12] = [
            ("trunc", &[Value::int(-3), "hello".into()], "llo"),
            ("trunc", &[Value::int(9), "hello".into()], "hello"),
            (
                "substr",
                &[Value::int(1), Value::int(4), "hello".into()],
                "ell",
            ),
            (
                "substr",
                &[Value::int(-1), Value::int(2), "hello".into()],
                "he",
            ),
            (
                "abbrev",
                &[Value::int(8), "hello world foo".into()],
                "hello...",
            ),
            (
                "abbrevboth",
                &[Value::int(5), Value::int(10), "1234 5678 9123".into()],
                "...5678...",
            ),
            (
                "indent",
                &[Value::int(2), "a\nb\n\nc\n".into()],
                "  a\n  b\n  \n  c\n  ",
            ),
            ("nindent", &[Value::int(1), "".into()], "\n "),
            ("replace", &["".into(), "-".into(), "aé".into()], "-a-é-"),
            ("trim", &["\u{a0} a\t\n".into()], "a"),
            ("trimAll", &["xy".into(), "xyaxbyx".into()], "axb"),
            ("nospace", &["ü x".into()], "Ã¼x"),
        ];
        for (name, args, want) in cases {
            assert_eq!(call(name, args), want, "{name} {args:?}");
        }
    }

    #[test]
    fn joins_and_quotes_values() {
        let mixed = Value::list(vec![Value::int(1), Value::Nil, "a\"b".into(), 2.5.into()]);
        assert_eq!(call("join", &["-".into(), mixed.clone()]), "1-a\"b-2.5");
        assert_eq!(
            call("quote", &["a\"b".into(), Value::Nil, 1e6.into()]),
            r#""a\"b" "1e+06""#
        );
        assert_eq!(call("squote", &[mixed]), "'[1 <nil> a\"b 2.5]'");
        assert_eq!(
            call("cat", &["a  ".into(), Value::Nil, "b".into()]),
            "a   b"
        );
    }

    #[test]
    fn fails_as_go_panics() {
        for (name, args, want) in [
            (
                "substr",
                vec![Value::int(3), Value::int(2), "hello".into()],
                "runtime error: slice bounds out of range [3:2]",
            ),
            (
                "substr",
                vec![Value::int(-1), Value::int(9), "abc".into()],
                "runtime error: slice bounds out of range [:9] with length 3",
            ),
            (
                "repeat",
                vec![Value::int(-1), "a".into()],
                "strings: negative Repeat count",
            ),
            (
                "repeat",
                vec![Value::int(i64::MAX), "a".into()],
                "strings: Repeat output length overflow",
            ),
        ] {
            assert_eq!(fails(name, &args), want);
        }
    }
}
