//! Regular expressions: `regexMatch`, `regexFind`, `regexReplaceAll`, `regexSplit` and the rest.
//!
//! Follows sprig 3.3.0 `regex.go` and Go 1.26 `regexp/regexp.go`, whose rules for empty matches differ
//! from the `regex` crate's. The syntax is in [`crate::re2`],
//! the patterns compiled so far in the run's [`World`](crate::template::World).

use super::args::{Answer, TEXT_LIMIT, bytes, check_count, function, int, text};
use crate::re2::{Pattern, PatternError, translate};
use crate::template::{Fault, Function, Param, Runtime};
use crate::value::quote::{can_backquote, quoted};
use crate::value::rune::{RUNE_ERROR, decode_rune};
use crate::value::{Elem, List, Str, Value};
use std::borrow::Cow;
use std::rc::Rc;

const SS: &[Param] = &[Param::Str, Param::Str];
const SSI: &[Param] = &[Param::Str, Param::Str, Param::Int];
const SSS: &[Param] = &[Param::Str, Param::Str, Param::Str];

/// The functions of this file.
pub(super) const TABLE: &[Function] = &[
    function("regexMatch", SS, |run, a| match pattern(run, text(a, 0))? {
        Ok(pattern) => is_match(run, &pattern, text(a, 1)),
        Err(_) => Ok(false.into()),
    }),
    function("mustRegexMatch", SS, |run, a| {
        let pattern = compiled(run, text(a, 0))?;
        is_match(run, &pattern, text(a, 1))
    }),
    function("regexFind", SS, |run, a| {
        let pattern = must_compile(run, text(a, 0))?;
        find(run, &pattern, text(a, 1))
    }),
    function("mustRegexFind", SS, |run, a| {
        let pattern = compiled(run, text(a, 0))?;
        find(run, &pattern, text(a, 1))
    }),
    function("regexFindAll", SSI, |run, a| {
        let pattern = must_compile(run, text(a, 0))?;
        find_all(run, &pattern, text(a, 1), int(a, 2))
    }),
    function("mustRegexFindAll", SSI, |run, a| {
        let pattern = compiled(run, text(a, 0))?;
        find_all(run, &pattern, text(a, 1), int(a, 2))
    }),
    function("regexReplaceAll", SSS, |run, a| {
        let pattern = must_compile(run, text(a, 0))?;
        replace(run, &pattern, text(a, 1), text(a, 2), true)
    }),
    function("mustRegexReplaceAll", SSS, |run, a| {
        let pattern = compiled(run, text(a, 0))?;
        replace(run, &pattern, text(a, 1), text(a, 2), true)
    }),
    function("regexReplaceAllLiteral", SSS, |run, a| {
        let pattern = must_compile(run, text(a, 0))?;
        replace(run, &pattern, text(a, 1), text(a, 2), false)
    }),
    function("mustRegexReplaceAllLiteral", SSS, |run, a| {
        let pattern = compiled(run, text(a, 0))?;
        replace(run, &pattern, text(a, 1), text(a, 2), false)
    }),
    function("regexSplit", SSI, |run, a| {
        let pattern = must_compile(run, text(a, 0))?;
        split(run, text(a, 0), &pattern, text(a, 1), int(a, 2))
    }),
    function("mustRegexSplit", SSI, |run, a| {
        let pattern = compiled(run, text(a, 0))?;
        split(run, text(a, 0), &pattern, text(a, 1), int(a, 2))
    }),
    function("regexQuoteMeta", &[Param::Str], |_, a| {
        bytes(quote_meta(text(a, 0)))
    }),
];

/// The compiled pattern, its compilation counted.
fn pattern(
    run: &mut dyn Runtime,
    pattern: &[u8],
) -> Result<Result<Rc<Pattern>, PatternError>, Fault> {
    if let Some(known) = run.world().patterns.known(pattern) {
        return Ok(Ok(known));
    }
    match translate(pattern) {
        Ok(translated) => {
            run.work(translated.weight)?;
            Ok(run.world().patterns.add(pattern, translated))
        }
        Err(error) => Ok(Err(error)),
    }
}

/// `regexp.Compile`.
fn compiled(run: &mut dyn Runtime, text: &[u8]) -> Result<Rc<Pattern>, Fault> {
    pattern(run, text)?.map_err(|error| Fault::new(error.to_string()))
}

/// `regexp.MustCompile`, which panics.
fn must_compile(run: &mut dyn Runtime, text: &[u8]) -> Result<Rc<Pattern>, Fault> {
    pattern(run, text)?.map_err(|error| {
        let pattern = if can_backquote(text) {
            format!("`{}`", String::from_utf8_lossy(text))
        } else {
            quoted(text)
        };
        Fault::new(format!("regexp: Compile({pattern}): {error}"))
    })
}

/// A text to search in. Bytes that are not UTF-8 count as U+FFFD each, as in Go; then positions in the
/// searched text are not those in the bytes.
struct Haystack<'a> {
    bytes: &'a [u8],
    text: Cow<'a, str>,
    /// The position in `bytes` for each position in `text`, if they differ.
    positions: Option<Vec<usize>>,
}

impl<'a> Haystack<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Self {
                bytes,
                text: text.into(),
                positions: None,
            };
        }
        let mut text = String::with_capacity(bytes.len() * 2);
        let mut positions = Vec::with_capacity(bytes.len() * 2);
        let mut at = 0;
        while at < bytes.len() {
            let (rune, width) = decode_rune(&bytes[at..]);
            text.push(char::from_u32(rune).unwrap_or(char::REPLACEMENT_CHARACTER));
            positions.resize(text.len(), at);
            at += width;
        }
        positions.push(at);
        Self {
            bytes,
            text: text.into(),
            positions: Some(positions),
        }
    }

    /// The position in the bytes of one in the text.
    fn position(&self, at: usize) -> usize {
        match &self.positions {
            None => at,
            Some(positions) => positions.get(at).copied().unwrap_or(self.bytes.len()),
        }
    }

    /// The bytes of a part of the text.
    fn part(&self, start: usize, end: usize) -> &'a [u8] {
        &self.bytes[self.position(start)..self.position(end)]
    }

    /// The width of the rune at a position; 0 at the end.
    fn width(&self, at: usize) -> usize {
        self.text[at..].chars().next().map_or(0, char::len_utf8)
    }
}

/// `Regexp.MatchString`.
fn is_match(run: &mut dyn Runtime, pattern: &Pattern, text: &[u8]) -> Answer {
    let hay = haystack(run, pattern, text)?;
    Ok(pattern.regex.is_match(&hay.text).into())
}

/// `Regexp.FindString`; an empty string when nothing matches.
fn find(run: &mut dyn Runtime, pattern: &Pattern, text: &[u8]) -> Answer {
    let hay = haystack(run, pattern, text)?;
    match pattern.regex.find(&hay.text) {
        Some(found) => bytes(hay.part(found.start(), found.end())),
        None => bytes(""),
    }
}

/// A text to search in, a search through all of it counted, each state of the pattern at each byte.
fn haystack<'a>(
    run: &mut dyn Runtime,
    pattern: &Pattern,
    text: &'a [u8],
) -> Result<Haystack<'a>, Fault> {
    const STATES_PER_STEP: u64 = 1024;
    run.work(pattern.weight.saturating_mul(text.len() as u64) / STATES_PER_STEP)?;
    Ok(Haystack::new(text))
}

/// Counts a search from a position on: it may read to the end of the text to find out that a match near
/// by is the best.
fn searches(run: &mut dyn Runtime, hay: &Haystack<'_>, at: usize) -> Result<(), Fault> {
    const BYTES_PER_STEP: usize = 256;
    run.work(((hay.text.len() - at) / BYTES_PER_STEP) as u64)
}

/// Go's successive matches: an empty one right after another match does not count.
fn matches(
    run: &mut dyn Runtime,
    pattern: &Pattern,
    hay: &Haystack<'_>,
    limit: i64,
) -> Result<Vec<(usize, usize)>, Fault> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    let (mut at, mut previous_end) = (0, None);
    while found.len() < limit && at <= hay.text.len() {
        searches(run, hay, at)?;
        let Some(matched) = pattern.regex.find_at(&hay.text, at) else {
            break;
        };
        let (start, end) = (matched.start(), matched.end());
        let mut accept = true;
        if end == at {
            accept = previous_end != Some(start);
            at += hay.width(at).max(1);
        } else {
            at = end;
        }
        previous_end = Some(end);
        if accept {
            check_count(found.len())?;
            found.push((start, end));
        }
    }
    Ok(found)
}

/// `Regexp.FindAllString`: at most `limit` matches, all of them below 0; nil when there are none.
fn find_all(run: &mut dyn Runtime, pattern: &Pattern, text: &[u8], limit: i64) -> Answer {
    let hay = haystack(run, pattern, text)?;
    let found = matches(run, pattern, &hay, limit)?;
    if found.is_empty() {
        return Ok(List::nil(Elem::Str).into());
    }
    let parts = found
        .iter()
        .map(|(start, end)| Str::from(hay.part(*start, *end)));
    Ok(Value::strings(parts))
}

/// `Regexp.Split`: at most `limit` parts, all of them below 0, none at 0. `source` is the pattern,
/// since
/// Go treats the empty one apart.
fn split(
    run: &mut dyn Runtime,
    source: &[u8],
    pattern: &Pattern,
    text: &[u8],
    limit: i64,
) -> Answer {
    if limit == 0 {
        return Ok(List::nil(Elem::Str).into());
    }
    if !source.is_empty() && text.is_empty() {
        return Ok(Value::strings([Str::from("")]));
    }
    let hay = haystack(run, pattern, text)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let found = matches(run, pattern, &hay, i64::try_from(limit).unwrap_or(i64::MAX))?;
    let mut parts: Vec<Str> = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for (start, stop) in found {
        if parts.len() + 1 >= limit {
            break;
        }
        end = start;
        if stop != 0 {
            parts.push(hay.part(begin, end).into());
        }
        begin = stop;
    }
    if end != hay.text.len() {
        parts.push(hay.part(begin, hay.text.len()).into());
    }
    Ok(Value::strings(parts))
}

/// `Regexp.ReplaceAllString`, or `ReplaceAllLiteralString` when not `expanding`.
fn replace(
    run: &mut dyn Runtime,
    pattern: &Pattern,
    text: &[u8],
    template: &[u8],
    expanding: bool,
) -> Answer {
    let hay = haystack(run, pattern, text)?;
    let expanding = expanding && template.contains(&b'$');
    let mut out = Vec::with_capacity(text.len());
    let (mut copied, mut at) = (0, 0);
    let mut locations = pattern.regex.capture_locations();
    while at <= hay.text.len() {
        searches(run, &hay, at)?;
        let Some(found) = pattern
            .regex
            .captures_read_at(&mut locations, &hay.text, at)
        else {
            break;
        };
        let (start, end) = (found.start(), found.end());
        out.extend_from_slice(hay.part(copied, start));
        // No second replacement for an empty match right after another match.
        if end > copied || start == 0 {
            if expanding {
                expand(&mut out, template, pattern, |group| {
                    locations
                        .get(group)
                        .map(|(start, end)| hay.part(start, end))
                });
            } else {
                out.extend_from_slice(template);
            }
        }
        if out.len() > TEXT_LIMIT {
            return Err("strings: Repeat output length overflow".into());
        }
        copied = end;
        let next = at + hay.width(at);
        at = if next > end {
            next
        } else {
            end.max(at + usize::from(end == at))
        };
    }
    out.extend_from_slice(hay.part(copied, hay.text.len()));
    bytes(out)
}

/// Writes a replacement with `$1`, `${name}` and `$$` filled in.
fn expand<'h>(
    out: &mut Vec<u8>,
    template: &[u8],
    pattern: &Pattern,
    group: impl Fn(usize) -> Option<&'h [u8]>,
) {
    let mut rest = template;
    while let Some(dollar) = rest.iter().position(|byte| *byte == b'$') {
        out.extend_from_slice(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix(b"$") {
            out.push(b'$');
            rest = after;
            continue;
        }
        let Some((name, after)) = reference(rest) else {
            out.push(b'$');
            continue;
        };
        rest = after;
        let part = match group_number(name) {
            Some(number) => group(number),
            // The first group of that name which took part in the match.
            None => (0..pattern.names.len())
                .filter(|at| pattern.names[*at].as_bytes() == name)
                .find_map(&group),
        };
        out.extend_from_slice(part.unwrap_or_default());
    }
    out.extend_from_slice(rest);
}

/// A name after a dollar, in braces or as long as it goes, and what follows.
fn reference(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (braces, text) = match text.strip_prefix(b"{") {
        Some(text) => (true, text),
        None => (false, text),
    };
    let mut end = 0;
    loop {
        let (rune, width) = decode_rune(&text[end..]);
        let word = char::from_u32(rune).is_some_and(|c| c == '_' || c.is_alphanumeric());
        if width == 0 || rune == RUNE_ERROR || !word {
            break;
        }
        end += width;
    }
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return None;
    }
    if braces {
        return Some((name, rest.strip_prefix(b"}")?));
    }
    Some((name, rest))
}

/// The number that a name is; leading zeros make it a name.
fn group_number(name: &[u8]) -> Option<usize> {
    if name.len() > 1 && name[0] == b'0' || name.len() > 9 {
        return None;
    }
    if !name.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(name).ok()?.parse().ok()
}

/// `regexp.QuoteMeta`.
fn quote_meta(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if br"\.+*?()|[]{}^$".contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, value};
    use crate::value::{Str, Value};

    #[test]
    fn replaces_with_groups() {
        for (pattern, text, replacement, want) in [
            ("a(x*)b", "-ab-axxb-", "${1}W", "-W-xxW-"),
            ("a(x*)b", "-ab-axxb-", "$1W", "---"),
            ("a(x*)b", "-ab-axxb-", "$$1", "-$1-$1-"),
            ("(?P<n>a)", "banana", "[${n}]", "b[a]n[a]n[a]"),
            ("a*", "baac", "-", "-b-c-"),
            ("b", "abc", "${", "a${c"),
            ("", "é", "-", "-é-"),
            ("$", "ab", "!", "ab!"),
        ] {
            let args = [pattern.into(), text.into(), replacement.into()];
            assert_eq!(
                call("regexReplaceAll", &args),
                want,
                "{pattern} {replacement}"
            );
        }
    }

    #[test]
    fn finds_and_splits() {
        let all = |pattern: &str, text: &str, n| {
            call(
                "regexFindAll",
                &[pattern.into(), text.into(), Value::int(n)],
            )
        };
        assert_eq!(all("a*", "ABCabc", -1), "[   a  ]");
        assert_eq!(all("[a-c]", "abcd", 2), "[a b]");
        assert!(
            value("regexFindAll", &["x".into(), "a".into(), Value::int(-1)])
                .as_list()
                .unwrap()
                .is_nil()
        );
        let split = |pattern: &str, text: &str, n| {
            call("regexSplit", &[pattern.into(), text.into(), Value::int(n)])
        };
        assert_eq!(split(",", "a,b,c", 2), "[a b,c]");
        assert_eq!(split("\\w+", "abc", -1), "[ ]");
        assert_eq!(split("", "abc", -1), "[a b c]");
    }

    #[test]
    fn takes_broken_bytes_for_runes() {
        let text = Value::Str(Str::from(&b"a\xff\xfeb"[..]));
        let found = value("regexFind", &["a.".into(), text]);
        assert_eq!(found.as_str().unwrap().as_bytes(), b"a\xff");
    }

    #[test]
    fn complains_about_patterns() {
        assert_eq!(call("regexMatch", &["(?=a)".into(), "a".into()]), "false");
        assert_eq!(
            fails("regexFind", &["[".into(), "a".into()]),
            "regexp: Compile(`[`): error parsing regexp: missing closing ]: `[`"
        );
        assert_eq!(
            fails("mustRegexFind", &["a**".into(), "a".into()]),
            "error parsing regexp: invalid nested repetition operator: `**`"
        );
    }
}
