//! Number literals: one text, every type it can stand for, as Go's untyped constants.
//!
//! Follows Go 1.26 `text/template/parse/node.go`, `newNumber`.

use super::token::TokenKind;
use crate::value::number::{parse_float, parse_int, parse_uint};
use crate::value::quote::{quoted, unquote_char};

/// A number of the template's text under all the types that can represent it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Number {
    pub(super) int: Option<i64>,
    pub(super) uint: Option<u64>,
    pub(super) float: Option<f64>,
    pub(super) complex: Option<(f64, f64)>,
    /// The literal as it was written.
    pub(super) text: String,
}

impl Number {
    /// Reads a literal.
    ///
    /// # Errors
    /// Go's text for a literal that is no number or fits no type.
    pub(super) fn parse(text: &[u8], kind: TokenKind) -> Result<Self, String> {
        let literal = String::from_utf8_lossy(text).into_owned();
        let text = literal.as_str();
        let number = match kind {
            TokenKind::CharConstant => char_constant(literal.as_bytes())?,
            TokenKind::Complex => complex(text)?,
            _ => match text.strip_suffix('i').and_then(float) {
                Some(imaginary) => from_complex((0.0, imaginary)),
                None => plain(text)?,
            },
        };
        Ok(Self {
            text: literal,
            ..number
        })
    }

    /// Whether the text, not the value, asks for a floating-point constant.
    pub(super) fn is_written_as_float(&self) -> bool {
        let text = self.text.as_bytes();
        let has_exponent_p = text.iter().any(|byte| matches!(byte, b'p' | b'P'));
        let is_hex = text.len() > 2 && text[0] == b'0' && matches!(text[1], b'x' | b'X');
        self.float.is_some()
            && (!is_hex || has_exponent_p)
            && text[0] != b'\''
            && text.iter().any(|byte| b".eEpP".contains(byte))
    }
}

fn illegal(text: &str) -> String {
    format!("illegal number syntax: {}", quoted(text))
}

fn char_constant(text: &[u8]) -> Result<Number, String> {
    let (rune, _, width) = unquote_char(&text[1..], b'\'').ok_or("invalid syntax")?;
    if &text[1 + width..] != b"'" {
        let text = String::from_utf8_lossy(text);
        return Err(format!("malformed character constant: {text}"));
    }
    Ok(Number {
        int: Some(i64::from(rune)),
        uint: Some(u64::from(rune)),
        float: Some(f64::from(rune)),
        ..Number::default()
    })
}

fn complex(text: &str) -> Result<Number, String> {
    let bytes = text.as_bytes();
    let sign = (1..bytes.len()).rev().find(|&at| {
        matches!(bytes[at], b'+' | b'-') && !matches!(bytes[at - 1], b'e' | b'E' | b'p' | b'P')
    });
    let (real, imaginary) = text.split_at(sign.unwrap_or(text.len()));
    let imaginary = imaginary
        .strip_suffix('i')
        .filter(|digits| digits.len() > 1);
    let imaginary = imaginary.ok_or("syntax error scanning complex number")?;
    let part = |text: &str| {
        parse_float(text, 64).map_err(|error| {
            format!(
                "strconv.ParseFloat: parsing {}: {}",
                quoted(text),
                error.text()
            )
        })
    };
    Ok(from_complex((part(real)?, part(imaginary)?)))
}

fn float(text: &str) -> Option<f64> {
    parse_float(text, 64).ok()
}

/// A complex constant; one without imaginary part also stands for the other types.
fn from_complex(value: (f64, f64)) -> Number {
    let mut number = Number {
        complex: Some(value),
        ..Number::default()
    };
    if value.1 == 0.0 {
        number.float = Some(value.0);
        number.int = exact_int(value.0);
        number.uint = exact_uint(value.0);
    }
    number
}

fn plain(text: &str) -> Result<Number, String> {
    let mut number = Number {
        uint: parse_uint(text, 0).ok(),
        ..Number::default()
    };
    number.int = parse_int(text, 0).ok();
    if number.int == Some(0) {
        number.uint = Some(0);
    }
    #[expect(clippy::cast_precision_loss, reason = "the conversion Go does")]
    if let Some(int) = number.int {
        number.float = Some(int as f64);
    } else if let Some(uint) = number.uint {
        number.float = Some(uint as f64);
    } else if let Some(float) = float(text) {
        if !text.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(format!("integer overflow: {}", quoted(text)));
        }
        number.float = Some(float);
        number.int = exact_int(float);
        number.uint = exact_uint(float);
    } else {
        return Err(illegal(text));
    }
    Ok(number)
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
fn exact_int(float: f64) -> Option<i64> {
    let limit = 9_223_372_036_854_775_808.0;
    (float >= -limit && float < limit && float.trunc() == float).then_some(float as i64)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked"
)]
fn exact_uint(float: f64) -> Option<u64> {
    let limit = 18_446_744_073_709_551_616.0;
    (float >= 0.0 && float < limit && float.trunc() == float).then_some(float as u64)
}

#[cfg(test)]
mod tests {
    use super::{Number, TokenKind};

    fn number(text: &str) -> Number {
        let kind = if text.starts_with('\'') {
            TokenKind::CharConstant
        } else {
            TokenKind::Number
        };
        Number::parse(text.as_bytes(), kind).unwrap()
    }

    #[test]
    fn reads_every_base() {
        for (text, value) in [
            ("0x1F", 31),
            ("017", 15),
            ("0o17", 15),
            ("0b11", 3),
            ("1_000", 1000),
            ("'a'", 97),
        ] {
            assert_eq!(number(text).int, Some(value), "{text}");
            assert!(!number(text).is_written_as_float(), "{text}");
        }
        assert_eq!(number("-9223372036854775808").int, Some(i64::MIN));
        assert_eq!(number("-0").uint, Some(0));
    }

    #[test]
    fn takes_whole_floats_for_integers_too() {
        assert_eq!(number("3.0").int, Some(3));
        assert!(number("3.0").is_written_as_float());
        assert_eq!(number("1e3").uint, Some(1000));
        assert_eq!(number("0x1p-2").float, Some(0.25));
        assert_eq!(number("3.5").int, None);
        assert_eq!(number("9223372036854775808").int, None);
        assert_eq!(number("9223372036854775808").uint, Some(1 << 63));
    }

    #[test]
    fn reads_imaginary_constants() {
        assert_eq!(number("2i").complex, Some((0.0, 2.0)));
        let sum = Number::parse(b"1+2i", TokenKind::Complex).unwrap();
        assert_eq!(sum.complex, Some((1.0, 2.0)));
        assert_eq!(
            Number::parse(b"1e+2-0i", TokenKind::Complex).unwrap().int,
            Some(100)
        );
    }

    #[test]
    fn refuses_what_is_no_number() {
        let error = |text: &str| Number::parse(text.as_bytes(), TokenKind::Number).unwrap_err();
        assert_eq!(error("089"), "integer overflow: \"089\"");
        assert_eq!(
            error("18446744073709551616"),
            "integer overflow: \"18446744073709551616\""
        );
        assert_eq!(error("0x"), "illegal number syntax: \"0x\"");
        assert_eq!(error("1__0"), "illegal number syntax: \"1__0\"");
        assert_eq!(error("."), "illegal number syntax: \".\"");
        assert_eq!(error("1e400"), "illegal number syntax: \"1e400\"");
        assert!(Number::parse(b"'ab'", TokenKind::CharConstant).is_err());
    }
}
