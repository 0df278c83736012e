//! The type of a scalar: YAML 1.1 as go-yaml v2 understands it (`yes`, `010`, `0x1F`, `1_000`).
//!
//! Follows go.yaml.in/yaml/v2 resolve.go.

use crate::value::number::{NumberError, parse_float, parse_int, parse_uint};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The prefix of the tags that YAML defines.
pub(super) const TAG_PREFIX: &str = "tag:yaml.org,2002:";

/// A typed scalar.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// `null`, `~`, nothing.
    Null,
    /// `true`, `yes`, `on`, `y`, …
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// An integer that only fits into 64 bits without a sign.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// A date or time: its text stays as it is.
    Timestamp,
    /// Text: that of the node.
    Str,
    /// What `!!binary` held.
    Binary(Vec<u8>),
}

impl Scalar {
    fn tag(&self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) => "!!bool",
            Self::Int(_) | Self::Uint(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::Timestamp => "!!timestamp",
            Self::Str => "!!str",
            Self::Binary(_) => "!!binary",
        }
    }
}

/// Types a scalar. `implicit` says that it is plain without a tag, `tag` is its full tag.
///
/// ```
/// use windlass_helm::yaml::{Scalar, resolve};
///
/// assert_eq!(resolve("1", None, false)?, Scalar::Str); // quoted
/// assert_eq!(resolve("1", Some("tag:yaml.org,2002:float"), false)?, Scalar::Float(1.0));
/// let error = resolve("a", Some("tag:yaml.org,2002:int"), false).unwrap_err();
/// assert_eq!(error, "cannot decode !!str `a` as a !!int");
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// go-yaml's text, without `yaml: `, when text and tag do not fit.
pub fn resolve(text: &str, tag: Option<&str>, implicit: bool) -> Result<Scalar, String> {
    let tag = tag.unwrap_or_default();
    if tag.is_empty() {
        return Ok(if implicit {
            resolve_plain(text)
        } else {
            Scalar::Str
        });
    }
    let short = match tag.strip_prefix(TAG_PREFIX) {
        Some(short @ ("str" | "bool" | "int" | "float" | "null" | "timestamp")) => short,
        Some("binary") => {
            let kept: Vec<u8> = text
                .bytes()
                .filter(|b| !matches!(b, b'\r' | b'\n'))
                .collect();
            return STANDARD
                .decode(kept)
                .map(Scalar::Binary)
                .map_err(|_| "!!binary value contains invalid base64 data".into());
        }
        _ => return Ok(Scalar::Str),
    };
    if short == "str" {
        return Ok(Scalar::Str);
    }
    let scalar = resolve_hinted(text, short == "timestamp");
    match (short, &scalar) {
        ("float", Scalar::Int(number)) => {
            #[expect(clippy::cast_precision_loss, reason = "Go converts in the same way")]
            return Ok(Scalar::Float(*number as f64));
        }
        _ if scalar.tag() == format!("!!{short}") => Ok(scalar),
        _ => Err(format!(
            "cannot decode {} `{text}` as a !!{short}",
            scalar.tag()
        )),
    }
}

/// Types a plain scalar without a tag.
///
/// ```
/// use windlass_helm::yaml::{Scalar, resolve_plain};
///
/// assert_eq!(resolve_plain("yes"), Scalar::Bool(true));
/// assert_eq!(resolve_plain("010"), Scalar::Int(8));
/// assert_eq!(resolve_plain("1_000"), Scalar::Int(1000));
/// assert_eq!(resolve_plain("1.0.0"), Scalar::Str);
/// assert_eq!(resolve_plain(""), Scalar::Null);
/// assert_eq!(resolve_plain("2026-01-02"), Scalar::Timestamp);
/// ```
#[must_use]
pub fn resolve_plain(text: &str) -> Scalar {
    resolve_hinted(text, true)
}

/// Whether the plain scalar is a string. (The emitter quotes the others.)
pub(super) fn is_string(text: &[u8]) -> bool {
    match text.first() {
        None => false,
        Some(b'+' | b'-' | b'.' | b'0'..=b'9') => {
            std::str::from_utf8(text).is_ok_and(|text| resolve_plain(text) == Scalar::Str)
        }
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => {
            named(text).is_none()
        }
        Some(_) => true,
    }
}

fn resolve_hinted(text: &str, timestamps: bool) -> Scalar {
    let bytes = text.as_bytes();
    match bytes.first() {
        None => Scalar::Null,
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => {
            named(bytes).unwrap_or(Scalar::Str)
        }
        Some(b'.') => match named(bytes) {
            Some(scalar) => scalar,
            None => parse_float(bytes, 64).map_or(Scalar::Str, Scalar::Float),
        },
        Some(b'+' | b'-' | b'0'..=b'9') => match named(bytes) {
            Some(scalar) => scalar,
            None if timestamps && is_timestamp(bytes) => Scalar::Timestamp,
            None => resolve_number(bytes),
        },
        Some(_) => Scalar::Str,
    }
}

fn named(text: &[u8]) -> Option<Scalar> {
    Some(match text {
        b"y" | b"Y" | b"yes" | b"Yes" | b"YES" | b"true" | b"True" | b"TRUE" | b"on" | b"On"
        | b"ON" => Scalar::Bool(true),
        b"n" | b"N" | b"no" | b"No" | b"NO" | b"false" | b"False" | b"FALSE" | b"off" | b"Off"
        | b"OFF" => Scalar::Bool(false),
        b"" | b"~" | b"null" | b"Null" | b"NULL" => Scalar::Null,
        b".nan" | b".NaN" | b".NAN" => Scalar::Float(f64::NAN),
        b".inf" | b".Inf" | b".INF" | b"+.inf" | b"+.Inf" | b"+.INF" => {
            Scalar::Float(f64::INFINITY)
        }
        b"-.inf" | b"-.Inf" | b"-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

fn resolve_number(text: &[u8]) -> Scalar {
    let stripped: Vec<u8>;
    let plain = if text.contains(&b'_') {
        stripped = text.iter().copied().filter(|byte| *byte != b'_').collect();
        stripped.as_slice()
    } else {
        text
    };
    match parse_int(plain, 0) {
        Ok(number) => return Scalar::Int(number),
        Err(NumberError::Range(_)) => {
            if let Ok(number) = parse_uint(plain, 0) {
                return Scalar::Uint(number);
            }
        }
        Err(NumberError::Syntax) => {}
    }
    if is_float(plain)
        && let Ok(number) = parse_float(plain, 64)
    {
        return Scalar::Float(number);
    }
    // `0b+1` and `-0b-1` are no Go numbers but numbers to go-yaml.
    if let Some(digits) = plain.strip_prefix(b"0b") {
        if let Ok(number) = parse_int(digits, 2) {
            return Scalar::Int(number);
        }
    } else if let Some(digits) = plain.strip_prefix(b"-0b")
        && let Ok(number) = parse_int([b"-", digits].concat(), 2)
    {
        return Scalar::Int(number);
    }
    Scalar::Str
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &[u8]) -> bool {
    let rest = strip_sign(text);
    let (whole, rest) = digits(rest);
    let rest = match rest {
        [b'.', after @ ..] => {
            let (fraction, rest) = digits(after);
            if whole == 0 && fraction == 0 {
                return false;
            }
            rest
        }
        _ if whole == 0 => return false,
        rest => rest,
    };
    match rest {
        [] => true,
        [b'e' | b'E', exponent @ ..] => {
            let (count, rest) = digits(strip_sign(exponent));
            count > 0 && rest.is_empty()
        }
        _ => false,
    }
}

fn strip_sign(text: &[u8]) -> &[u8] {
    match text {
        [b'+' | b'-', rest @ ..] => rest,
        rest => rest,
    }
}

/// How many digits there are, and what follows.
fn digits(text: &[u8]) -> (usize, &[u8]) {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count, &text[count..])
}

/// One or two digits and what follows, as Go's `time.Parse` reads them.
fn short_number(text: &[u8]) -> Option<(u32, &[u8])> {
    match text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', rest @ ..] => {
            Some((u32::from(a - b'0') * 10 + u32::from(b - b'0'), rest))
        }
        [a @ b'0'..=b'9', rest @ ..] => Some((u32::from(a - b'0'), rest)),
        _ => None,
    }
}

/// Whether one of go-yaml's four layouts reads the text: `2006-1-2`, with `T15:4:5.9Z07:00` or
/// ` 15:4:5.9`.
fn is_timestamp(text: &[u8]) -> bool {
    let Some((year, rest)) = text.split_at_checked(4) else {
        return false;
    };
    if !year.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let year = year
        .iter()
        .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    let Some((month, rest)) = rest.strip_prefix(b"-").and_then(short_number) else {
        return false;
    };
    let Some((day, rest)) = rest.strip_prefix(b"-").and_then(short_number) else {
        return false;
    };
    let fits = (1..=12).contains(&month) && day >= 1 && day <= days_in(year, month);
    fits && match rest {
        [] => true,
        [b'T' | b't', time @ ..] => time_of_day(time).is_some_and(is_zone),
        // A blank of the layout stands for any number of blanks, also at the end.
        [b' ', ..] => {
            let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
            time_of_day(&rest[blanks..]).is_some_and(<[u8]>::is_empty)
        }
        _ => false,
    }
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

/// Reads `15:4:5.999`; gives what follows.
fn time_of_day(text: &[u8]) -> Option<&[u8]> {
    let (hour, rest) = short_number(text)?;
    let (minute, rest) = rest.strip_prefix(b":").and_then(short_number)?;
    let (second, rest) = rest.strip_prefix(b":").and_then(short_number)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(match rest {
        [b'.' | b',', fraction @ ..] if digits(fraction).0 > 0 => digits(fraction).1,
        rest => rest,
    })
}

/// `Z` or `+07:00`.
fn is_zone(text: &[u8]) -> bool {
    match text {
        b"Z" => true,
        [b'+' | b'-', zone @ ..] => match zone {
            [h1, h2, b':', m1, m2] if [h1, h2, m1, m2].iter().all(|d| d.is_ascii_digit()) => {
                (h1 - b'0') * 10 + (h2 - b'0') <= 24 && (m1 - b'0') * 10 + (m2 - b'0') <= 60
            }
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from go.yaml.in/yaml/v2 2.4.2.
    #[test]
    fn types_plain_scalars_as_go_yaml_does() {
        use Scalar::{Bool, Float, Int, Null, Str, Timestamp, Uint};
        for (text, wanted) in [
            ("", Null),
            ("~", Null),
            ("nUll", Str),
            ("y", Bool(true)),
            ("Off", Bool(false)),
            ("oFF", Str),
            ("010", Int(8)),
            ("08", Float(8.0)),
            ("0o7", Int(7)),
            ("0x1F", Int(31)),
            ("-0b11", Int(-3)),
            ("0b+1", Int(1)),
            ("1_000", Int(1000)),
            ("_1", Str),
            ("+.5", Float(0.5)),
            (".5e1", Float(5.0)),
            (".1_0", Float(0.1)),
            ("1e3", Float(1000.0)),
            ("1.", Float(1.0)),
            ("1e400", Str),
            (".", Str),
            ("0x1p4", Str),
            (".0x1p4", Str),
            ("18446744073709551615", Uint(u64::MAX)),
            ("18446744073709551616", Float(18_446_744_073_709_551_616.0)),
            ("+.inf", Float(f64::INFINITY)),
            ("190:20:30", Str),
            ("2024-02-29", Timestamp),
            ("2023-02-29", Str),
            ("2024-1-2T3:4:5Z", Timestamp),
            ("2024-1-2t3:4:5.5+07:00", Timestamp),
            ("2024-1-2   3:4:5", Timestamp),
            ("2024-1-2 3:4:5Z", Str),
            ("2024-1-2T3:4:5", Str),
            ("2024-01", Str),
            ("<<", Str),
        ] {
            assert_eq!(resolve_plain(text), wanted, "{text}");
        }
    }

    #[test]
    fn tags_decide_and_complain() {
        let tag = |name: &str| format!("{TAG_PREFIX}{name}");
        assert_eq!(
            resolve("1", Some(&tag("float")), false),
            Ok(Scalar::Float(1.0))
        );
        assert_eq!(
            resolve("yes", Some(&tag("bool")), false),
            Ok(Scalar::Bool(true))
        );
        assert_eq!(resolve("1", Some("!local"), false), Ok(Scalar::Str));
        assert_eq!(
            resolve("aGk=", Some(&tag("binary")), true),
            Ok(Scalar::Binary(b"hi".to_vec()))
        );
        assert_eq!(
            resolve("x", Some(&tag("int")), true),
            Err("cannot decode !!str `x` as a !!int".into())
        );
    }
}
