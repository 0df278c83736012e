//! Character classes of Go's regular expressions: `\d`, `[:alpha:]`, `\p{Greek}`.
//!
//! Follows Go 1.26 `regexp/syntax/parse.go` and `perl_groups.go`.

use super::{PatternError, error};

/// A Perl class at the start of a text, as a class of the `regex` crate: ASCII only.
pub(super) fn perl_class(text: &str) -> Option<&'static str> {
    Some(match text.as_bytes().get(..2)? {
        br"\d" => "[0-9]",
        br"\D" => "[^0-9]",
        br"\s" => r"[\t\n\x0c\r ]",
        br"\S" => r"[^\t\n\x0c\r ]",
        br"\w" => "[0-9A-Za-z_]",
        br"\W" => "[^0-9A-Za-z_]",
        _ => return None,
    })
}

/// The classes of POSIX, as they are written in Go and in the crate.
const POSIX: &[&str] = &[
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// `[:name:]` or `[:^name:]` at the start of a text within brackets, and what follows.
pub(super) fn posix_class(text: &str) -> Result<Option<(&str, &str)>, PatternError> {
    let Some(inner) = text.strip_prefix("[:") else {
        return Ok(None);
    };
    let Some(end) = inner.find(":]") else {
        return Ok(None);
    };
    let (class, rest) = text.split_at(end + 4);
    let name = &inner[..end];
    if !POSIX.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return error("invalid character class range", class);
    }
    Ok(Some((class, rest)))
}

/// `\pL`, `\p{Greek}`, `\P{^Lu}` at the start of a text: a class for the crate, and what follows.
pub(super) fn unicode_class(text: &str) -> Result<Option<(String, &str)>, PatternError> {
    let negative = match text.as_bytes() {
        [b'\\', b'p', ..] => false,
        [b'\\', b'P', ..] => true,
        _ => return Ok(None),
    };
    let Some(first) = text[2..].chars().next() else {
        // Go decodes U+FFFD from nothing.
        return error("invalid character class range", text);
    };
    let (end, name) = if first == '{' {
        let Some(end) = text.find('}') else {
            return error("invalid character class range", text);
        };
        (end + 1, &text[3..end])
    } else {
        let end = 2 + first.len_utf8();
        (end, &text[2..end])
    };
    let (sequence, rest) = text.split_at(end);
    let (negative, name) = match name.strip_prefix('^') {
        Some(name) => (!negative, name),
        None => (negative, name),
    };
    let Some(table) = table(name) else {
        return error("invalid character class range", sequence);
    };
    let kind = if negative { 'P' } else { 'p' };
    Ok(Some((format!(r"\{kind}{{{table}}}"), rest)))
}

/// The general category or script of that name, as the crate looks it up. Go knows no other properties.
fn table(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ' ' | '-');
    if name.is_empty() || !name.chars().all(plain) {
        return None;
    }
    ["gc", "sc"]
        .into_iter()
        .map(|kind| format!("{kind}={name}"))
        .find(|table| regex_syntax::parse(&format!(r"\p{{{table}}}")).is_ok())
}
