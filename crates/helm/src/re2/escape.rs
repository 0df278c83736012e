//! Counts and escapes of Go's regular expressions: `{2,3}`, `\n`, `\x{1F600}`.
//!
//! Follows Go 1.26 `regexp/syntax/parse.go`, `repeat` and `unescape`.

use super::{PatternError, error};
use crate::limits::MAX_REPEAT;

/// The counts of a repetition (`None` for a number that is too large), and its width in bytes.
pub(super) type Counted = (Option<u64>, Option<Option<u64>>, usize);

/// `{n}`, `{n,}` or `{n,m}` at the start of a text.
pub(super) fn counted(text: &str) -> Option<Counted> {
    let (min, rest) = count(text.strip_prefix('{')?)?;
    let (max, rest) = match rest.strip_prefix(',') {
        None => (Some(min), rest),
        Some(rest) if rest.starts_with('}') => (None, rest),
        Some(rest) => {
            let (max, rest) = count(rest)?;
            (Some(max), rest)
        }
    };
    let rest = rest.strip_prefix('}')?;
    Some((min, max, text.len() - rest.len()))
}

/// A number without leading zeros at the start of a text, and what follows.
fn count(text: &str) -> Option<(Option<u64>, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() || digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    Some((digits.parse().ok(), rest))
}

/// The counts of a repetition if they are in order and not too large.
pub(super) fn checked_count(
    min: Option<u64>,
    max: Option<Option<u64>>,
    expr: &str,
) -> Result<(u64, Option<u64>), PatternError> {
    match (min, max) {
        (Some(min), None) if min <= MAX_REPEAT => Ok((min, None)),
        (Some(min), Some(Some(max))) if min <= max && max <= MAX_REPEAT => Ok((min, Some(max))),
        _ => error("invalid repeat count", expr),
    }
}

/// The rune that an escape stands for, and what follows.
pub(super) fn escaped_rune(text: &str) -> Result<(u32, &str), PatternError> {
    let mut rest = text[1..].chars();
    let Some(kind) = rest.next() else {
        return error("trailing backslash at end of expression", "");
    };
    let simple = match kind {
        'a' => Some(7),
        'f' => Some(12),
        'n' => Some(10),
        'r' => Some(13),
        't' => Some(9),
        'v' => Some(11),
        _ if kind.is_ascii() && !kind.is_ascii_alphanumeric() => Some(u32::from(kind)),
        _ => None,
    };
    if let Some(rune) = simple {
        return Ok((rune, rest.as_str()));
    }
    let octal = |c: char| c.to_digit(8);
    match kind {
        '0'..='7' if kind == '0' || rest.clone().next().and_then(octal).is_some() => {
            let mut rune = octal(kind).unwrap_or(0);
            for _ in 0..2 {
                let Some(digit) = rest.clone().next().and_then(octal) else {
                    break;
                };
                rune = rune * 8 + digit;
                rest.next();
            }
            Ok((rune, rest.as_str()))
        }
        'x' => hexadecimal(text, rest),
        _ => error(
            "invalid escape sequence",
            &text[..text.len() - rest.as_str().len()],
        ),
    }
}

/// `\xHH` or `\x{H…}`.
fn hexadecimal<'a>(
    text: &'a str,
    mut rest: std::str::Chars<'a>,
) -> Result<(u32, &'a str), PatternError> {
    let digit = |c: char| c.to_digit(16);
    let mut rune = None;
    match rest.next() {
        Some('{') => loop {
            match rest.next() {
                Some('}') => match rune {
                    Some(rune) => return Ok((rune, rest.as_str())),
                    None => break,
                },
                c => match c.and_then(digit) {
                    Some(value) => {
                        let next = rune.unwrap_or(0) * 16 + value;
                        if next > 0x0010_ffff {
                            break;
                        }
                        rune = Some(next);
                    }
                    None => break,
                },
            }
        },
        Some(first) => {
            let second = rest.next().and_then(digit);
            if let (Some(high), Some(low)) = (digit(first), second) {
                return Ok((high * 16 + low, rest.as_str()));
            }
        }
        None => {}
    }
    error(
        "invalid escape sequence",
        &text[..text.len() - rest.as_str().len()],
    )
}
