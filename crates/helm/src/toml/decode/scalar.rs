//! Numbers and strings: their text to values.

use super::super::lex::{Item, ItemKind};
use super::Parser;
use crate::value::Value;
use crate::value::number::{NumberError, parse_float, parse_int};
use crate::value::quote::quoted;

impl Parser<'_> {
    /// A decimal, hexadecimal, octal or binary number of 64 bits.
    pub(super) fn integer(&self, item: &Item) -> Result<Value, String> {
        let text = &item.text;
        let invalid = |why: &str| {
            self.error(
                item.line,
                &format!("Invalid integer {}: {why}", quoted(text)),
            )
        };
        if !underscores_fit(text) {
            return Err(invalid("underscores must be surrounded by digits"));
        }
        if has_leading_zero(text) {
            return Err(invalid("cannot have leading zeroes"));
        }
        match parse_int(text, 0) {
            Ok(number) => Ok(Value::int64(number)),
            Err(NumberError::Range(_)) => {
                Err(self.error(item.line, &format!("{text} is out of range for int64")))
            }
            Err(NumberError::Syntax) => Err(format!(
                "BUG: Expected integer value, but got '{text}'.\n\n"
            )),
        }
    }

    /// A float; underscores and dots have to stand between digits.
    pub(super) fn float(&self, item: &Item) -> Result<Value, String> {
        let text = &item.text;
        let invalid =
            |why: &str| self.error(item.line, &format!("Invalid float {}: {why}", quoted(text)));
        let mut parts = text
            .split(['.', 'e', 'E'])
            .filter(|part| !part.is_empty())
            .peekable();
        let first = parts.peek().copied().unwrap_or_default();
        if !parts.all(underscores_fit) {
            return Err(invalid("underscores must be surrounded by digits"));
        }
        if has_leading_zero(first) {
            return Err(invalid("cannot have leading zeroes"));
        }
        if !periods_fit(text) {
            return Err(invalid("'.' must be followed by one or more digits"));
        }
        let plain = text.replace('_', "");
        let (plain, negative_nan) = match plain.as_str() {
            "-nan" => ("nan", true),
            "+nan" => ("nan", false),
            other => (other, false),
        };
        match parse_float(plain, 64) {
            Ok(number) if negative_nan => Ok(Value::Float(-number.abs())),
            Ok(number) => Ok(Value::Float(number)),
            Err(NumberError::Range(_)) => {
                Err(self.error(item.line, &format!("{text} is out of range for float64")))
            }
            Err(NumberError::Syntax) => {
                Err(self.error(item.line, &format!("Invalid float value: {}", quoted(text))))
            }
        }
    }

    /// The text of a string with escapes.
    pub(super) fn string(&self, item: &Item) -> Result<String, String> {
        let joined;
        let text = if item.kind == ItemKind::MultilineStr {
            joined = join_lines(strip_first_line_end(&item.text));
            joined.as_str()
        } else {
            item.text.as_str()
        };
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('\\') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let Some(letter) = rest.chars().next() else {
                break;
            };
            let length = match letter {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                _ => 0,
            };
            match letter {
                'b' => out.push('\u{8}'),
                't' => out.push('\t'),
                'n' => out.push('\n'),
                'f' => out.push('\u{c}'),
                'r' => out.push('\r'),
                'e' => out.push('\u{1b}'),
                '"' | '\\' => out.push(letter),
                'x' | 'u' | 'U' => {
                    let digits = rest.get(1..=length).unwrap_or_default();
                    let code = u32::from_str_radix(digits, 16)
                        .ok()
                        .and_then(char::from_u32);
                    let Some(character) = code else {
                        let message =
                            format!("Escaped character '\\u{digits}' is not valid UTF-8.");
                        return Err(self.error(item.line, &message));
                    };
                    out.push(character);
                }
                _ => {
                    let message = format!("invalid escape: '\\{letter}'");
                    return Err(self.error(item.line, &message));
                }
            }
            rest = rest.get(letter.len_utf8() + length..).unwrap_or_default();
        }
        out.push_str(rest);
        Ok(out)
    }
}

/// A line break right after the opening quotes is no part of a string.
pub(super) fn strip_first_line_end(text: &str) -> &str {
    text.strip_prefix('\n')
        .or_else(|| text.strip_prefix("\r\n"))
        .unwrap_or(text)
}

/// Removes backslashes before line ends, with all blanks and line ends after them.
fn join_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let after = &rest[at + 1..];
        let blanks = after.len() - after.trim_start_matches([' ', '\t', '\r', '\n']).len();
        if after.starts_with('\\') {
            out.push_str(&rest[..at + 2]);
            rest = &rest[at + 2..];
        } else if after[..blanks].contains('\n') {
            out.push_str(&rest[..at]);
            rest = &after[blanks..];
        } else {
            out.push_str(&rest[..=at]);
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// `01`, which is no number in TOML.
fn has_leading_zero(text: &str) -> bool {
    match text.as_bytes() {
        [b'0', next, ..] => !matches!(next, b'b' | b'o' | b'x'),
        [b'+' | b'-', b'0', _, ..] => true,
        _ => false,
    }
}

/// Underscores stand between digits.
fn underscores_fit(text: &str) -> bool {
    if matches!(text, "nan" | "+nan" | "-nan" | "inf" | "+inf" | "-inf") {
        return true;
    }
    let mut after_digit = false;
    for c in text.chars() {
        if c == '_' && !after_digit {
            return false;
        }
        after_digit = c.is_ascii_hexdigit();
    }
    after_digit
}

/// A dot stands between digits.
fn periods_fit(text: &str) -> bool {
    let mut after_period = false;
    for c in text.chars() {
        if after_period && !c.is_ascii_digit() {
            return false;
        }
        after_period = c == '.';
    }
    !after_period
}
