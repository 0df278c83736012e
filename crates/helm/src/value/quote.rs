//! Go's quoted literals: `strconv.Quote` and its relatives in both directions.
//!
//! Follows Go 1.26 `strconv/quote.go`.

use super::printable::is_print;
use super::rune::{MAX_RUNE, RUNE_ERROR, append_rune, decode_rune};

/// The text as a double-quoted Go literal (`strconv.Quote`, `%q`).
#[must_use]
pub(crate) fn quote(text: &[u8]) -> Vec<u8> {
    quote_with(text, b'"', false)
}

/// As [`quote`], with everything beyond ASCII escaped (`strconv.QuoteToASCII`, `%+q`).
#[must_use]
pub(crate) fn quote_to_ascii(text: &[u8]) -> Vec<u8> {
    quote_with(text, b'"', true)
}

/// [`quote`] as text for messages: a literal is UTF-8 whatever the bytes are.
#[must_use]
pub(crate) fn quoted(text: impl AsRef<[u8]>) -> String {
    String::from_utf8_lossy(&quote(text.as_ref())).into_owned()
}

/// A rune as a single-quoted Go literal (`strconv.QuoteRune`).
#[must_use]
pub(crate) fn quote_rune(rune: u32, ascii_only: bool) -> Vec<u8> {
    let rune = if char::from_u32(rune).is_some() {
        rune
    } else {
        RUNE_ERROR
    };
    let mut out = vec![b'\''];
    append_escaped(&mut out, rune, b'\'', ascii_only);
    out.push(b'\'');
    out
}

/// Whether the text can stand between backquotes on one line (`strconv.CanBackquote`).
#[must_use]
pub(crate) fn can_backquote(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| {
        text.chars().all(|c| match c {
            '\u{feff}' | '`' | '\u{7f}' => false,
            '\t' => true,
            _ => c >= ' ',
        })
    })
}

fn quote_with(text: &[u8], mark: u8, ascii_only: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 8 + 2);
    out.push(mark);
    let mut rest = text;
    while let Some(&first) = rest.first() {
        let (rune, width) = decode_rune(rest);
        if width == 1 && rune == RUNE_ERROR {
            out.extend_from_slice(format!("\\x{first:02x}").as_bytes());
        } else {
            append_escaped(&mut out, rune, mark, ascii_only);
        }
        rest = &rest[width..];
    }
    out.push(mark);
    out
}

fn append_escaped(out: &mut Vec<u8>, rune: u32, mark: u8, ascii_only: bool) {
    if rune == u32::from(mark) || rune == u32::from(b'\\') {
        out.push(b'\\');
        append_rune(out, rune);
        return;
    }
    if if ascii_only {
        rune < 0x80 && is_print(rune)
    } else {
        is_print(rune)
    } {
        append_rune(out, rune);
        return;
    }
    let escape = match rune {
        0x07 => "\\a".to_owned(),
        0x08 => "\\b".to_owned(),
        0x0c => "\\f".to_owned(),
        0x0a => "\\n".to_owned(),
        0x0d => "\\r".to_owned(),
        0x09 => "\\t".to_owned(),
        0x0b => "\\v".to_owned(),
        0..0x20 | 0x7f => format!("\\x{rune:02x}"),
        0..0x1_0000 => format!("\\u{rune:04x}"),
        _ => format!("\\U{rune:08x}"),
    };
    out.extend_from_slice(escape.as_bytes());
}

/// The text of a Go string literal, quotes included (`strconv.Unquote`); `None` for bad syntax.
#[must_use]
pub(crate) fn unquote(literal: &[u8]) -> Option<Vec<u8>> {
    let [mark, inner @ .., last] = literal else {
        return None;
    };
    if mark != last {
        return None;
    }
    match mark {
        b'`' if inner.contains(&b'`') => None,
        b'`' => Some(
            inner
                .iter()
                .copied()
                .filter(|&byte| byte != b'\r')
                .collect(),
        ),
        b'"' | b'\'' => unquote_interpreted(inner, *mark),
        _ => None,
    }
}

fn unquote_interpreted(inner: &[u8], mark: u8) -> Option<Vec<u8>> {
    if inner.contains(&b'\n') {
        return None;
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    let mut runes = 0;
    while !rest.is_empty() {
        let (rune, is_rune, width) = unquote_char(rest, mark)?;
        if is_rune {
            append_rune(&mut out, rune);
        } else {
            out.push(u8::try_from(rune).ok()?);
        }
        rest = &rest[width..];
        runes += 1;
    }
    (mark == b'"' || runes == 1).then_some(out)
}

/// The first character of a literal's inside (`strconv.UnquoteChar`): its value, whether it is a
/// rune rather than a byte, and how many bytes it took.
#[must_use]
pub(crate) fn unquote_char(text: &[u8], mark: u8) -> Option<(u32, bool, usize)> {
    let first = *text.first()?;
    if first == mark && (mark == b'"' || mark == b'\'') {
        return None;
    }
    if first >= 0x80 {
        let (rune, width) = decode_rune(text);
        return Some((rune, true, width));
    }
    if first != b'\\' {
        return Some((u32::from(first), false, 1));
    }
    let simple = |value: u8| Some((u32::from(value), false, 2));
    match *text.get(1)? {
        b'a' => simple(0x07),
        b'b' => simple(0x08),
        b'f' => simple(0x0c),
        b'n' => simple(b'\n'),
        b'r' => simple(b'\r'),
        b't' => simple(b'\t'),
        b'v' => simple(0x0b),
        b'\\' => simple(b'\\'),
        kind @ (b'x' | b'u' | b'U') => unquote_hex(text, kind),
        b'0'..=b'7' => {
            let digits = text.get(1..4)?;
            let value = digits.iter().try_fold(0, |value, &digit| {
                (b'0'..=b'7')
                    .contains(&digit)
                    .then(|| value * 8 + u32::from(digit - b'0'))
            })?;
            (value <= 255).then_some((value, false, 4))
        }
        quote @ (b'\'' | b'"') if quote == mark => simple(quote),
        _ => None,
    }
}

fn unquote_hex(text: &[u8], kind: u8) -> Option<(u32, bool, usize)> {
    let count = match kind {
        b'x' => 2,
        b'u' => 4,
        _ => 8,
    };
    let digits = std::str::from_utf8(text.get(2..2 + count)?).ok()?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let value = u32::from_str_radix(digits, 16).ok()?;
    if kind == b'x' {
        return Some((value, false, 4));
    }
    (value <= MAX_RUNE && char::from_u32(value).is_some()).then_some((value, true, 2 + count))
}

#[cfg(test)]
mod tests {
    use super::{can_backquote, quote, quote_rune, quote_to_ascii, quoted, unquote};

    #[test]
    fn quotes_as_go_does() {
        assert_eq!(
            quoted("a\"b\\c\n\t\x07\x01\x7fé☃\u{200b}\u{feff}😀\u{10ffff}"),
            "\"a\\\"b\\\\c\\n\\t\\a\\x01\\x7fé☃\\u200b\\ufeff😀\\U0010ffff\""
        );
        assert_eq!(quote(b"\xff\xc3("), b"\"\\xff\\xc3(\"");
        assert_eq!(
            quote_to_ascii("é☃😀".as_bytes()),
            br#""\u00e9\u2603\U0001f600""#
        );
        assert_eq!(quote_rune(u32::from('\''), false), br"'\''");
        assert_eq!(quote_rune(0xd800, false), "'\u{fffd}'".as_bytes());
    }

    #[test]
    fn reads_literals_back() {
        assert_eq!(
            unquote(br#""a\n\x41\u00e9\101\"""#).unwrap(),
            "a\nAéA\"".as_bytes()
        );
        assert_eq!(unquote(b"`a\\n\r`").unwrap(), b"a\\n");
        for bad in [
            &br#""\q""#[..],
            br#""\'""#,
            br#""a"#,
            br#""\400""#,
            br#""\ud800""#,
            b"\"",
        ] {
            assert!(unquote(bad).is_none(), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn knows_what_backquotes_can_hold() {
        assert!(can_backquote(b"a\tb\"c"));
        assert!(!can_backquote(b"a\nb"));
        assert!(!can_backquote(b"a`b"));
        assert!(!can_backquote(b"\xff"));
    }
}
