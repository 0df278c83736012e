//! Durations as Go reads and writes them, and `time.Duration` as a value.
//!
//! Follows Go 1.26 `time/format.go` (`ParseDuration`) and `time/time.go` (`Duration.String`).

use crate::value::{IntKind, Kind, Method, Object, Str, Value};
use std::any::Any;
use std::borrow::Cow;
use std::rc::Rc;

/// One microsecond in nanoseconds.
pub(crate) const MICROSECOND: i64 = 1_000;
/// One millisecond in nanoseconds.
pub(crate) const MILLISECOND: i64 = 1_000_000;
/// One second in nanoseconds.
pub(crate) const SECOND: i64 = 1_000_000_000;
/// One minute in nanoseconds.
pub(crate) const MINUTE: i64 = 60 * SECOND;
/// One hour in nanoseconds.
pub(crate) const HOUR: i64 = 60 * MINUTE;

const LIMIT: u64 = 1 << 63;

/// The nanoseconds of a text such as `1h30m` or `-1.5s`.
///
/// # Errors
/// The text of Go's error.
pub(crate) fn parse(text: &[u8]) -> Result<i64, String> {
    let whole = text;
    let invalid = || format!("time: invalid duration {}", quote(whole));
    let (negative, mut rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if rest == b"0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (value, fraction, after) = number(rest).ok_or_else(invalid)?;
        let end = after
            .iter()
            .position(|byte| *byte == b'.' || byte.is_ascii_digit())
            .unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        rest = after;
        if name.is_empty() {
            let whole = quote(whole);
            return Err(format!("time: missing unit in duration {whole}"));
        }
        let Some(unit) = unit(name) else {
            let (name, whole) = (quote(name), quote(whole));
            return Err(format!("time: unknown unit {name} in duration {whole}"));
        };
        let part = value
            .checked_mul(unit)
            .and_then(|part| part.checked_add((fraction * unit as f64) as u64))
            .and_then(|part| part.checked_add(total))
            .filter(|total| *total <= LIMIT)
            .ok_or_else(invalid)?;
        total = part;
    }
    if negative {
        return Ok(0_i64.wrapping_sub_unsigned(total));
    }
    i64::try_from(total).map_err(|_| invalid())
}

/// A number with an optional fraction, and what follows. `None` without any digit or on overflow.
fn number(text: &[u8]) -> Option<(u64, f64, &[u8])> {
    let (value, rest) = leading_int(text)?;
    let mut digits = text.len() - rest.len();
    let mut fraction = 0.0;
    let mut rest = rest;
    if let [b'.', after @ ..] = rest {
        let end = after
            .iter()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(after.len());
        digits += end;
        // More digits than these do not change the nanoseconds.
        let (mut numerator, mut scale) = (0_u64, 1.0_f64);
        for digit in &after[..end.min(18)] {
            numerator = numerator * 10 + u64::from(digit - b'0');
            scale *= 10.0;
        }
        fraction = numerator as f64 / scale;
        rest = &after[end..];
    }
    (digits > 0).then_some((value, fraction, rest))
}

/// The digits at the start as a number; `None` when it is too large.
pub(super) fn leading_int(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    let mut rest = text;
    while let [digit @ b'0'..=b'9', after @ ..] = rest {
        value = value
            .checked_mul(10)?
            .checked_add(u64::from(digit - b'0'))?;
        if value > LIMIT {
            return None;
        }
        rest = after;
    }
    Some((value, rest))
}

fn unit(name: &[u8]) -> Option<u64> {
    Some(match name {
        b"ns" => 1,
        // The micro sign and the Greek letter.
        b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => MICROSECOND.unsigned_abs(),
        b"ms" => MILLISECOND.unsigned_abs(),
        b"s" => SECOND.unsigned_abs(),
        b"m" => MINUTE.unsigned_abs(),
        b"h" => HOUR.unsigned_abs(),
        _ => return None,
    })
}

/// The quotation that package `time` puts into its errors: bytes beyond ASCII as `\x..`.
pub(super) fn quote(text: &[u8]) -> String {
    let quoted = text.iter().map(|byte| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(*byte)),
        b' '..=0x7f => char::from(*byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    });
    format!("\"{}\"", quoted.collect::<String>())
}

/// `Duration.String`: `1h30m0s`, `1.5s`, `2ms`.
pub(super) fn text(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let size = nanoseconds.unsigned_abs();
    let second = SECOND.unsigned_abs();
    let (unit, name) = match size {
        0 => return "0s".to_owned(),
        1..1000 => (1, "ns"),
        1000..1_000_000 => (1000, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => {
            let (seconds, minutes) = (size / second % 60, size / second / 60);
            let seconds = decimal(seconds, size % second, second);
            return match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
            };
        }
    };
    format!("{sign}{}{name}", decimal(size / unit, size % unit, unit))
}

/// A number and a fraction of a power of ten, without zeros at the end.
fn decimal(whole: u64, fraction: u64, power: u64) -> String {
    if fraction == 0 {
        return whole.to_string();
    }
    let digits = (power + fraction).to_string();
    format!("{whole}.{}", digits[1..].trim_end_matches('0'))
}

/// `Duration.Round`: to the nearest multiple, halves away from zero, within the range of an `i64`.
pub(crate) fn round(duration: i64, multiple: i64) -> i64 {
    if multiple <= 0 {
        return duration;
    }
    let rest = (duration % multiple).abs();
    let direction = if duration < 0 { -1 } else { 1 };
    if rest.checked_mul(2).is_some_and(|twice| twice < multiple) {
        return duration - direction * rest;
    }
    let rounded = duration.checked_add(direction * (multiple - rest));
    rounded.unwrap_or(if duration < 0 { i64::MIN } else { i64::MAX })
}

/// `Duration.Truncate`: towards zero, to a multiple; a multiple that is not positive changes nothing.
pub(crate) fn truncate(duration: i64, multiple: i64) -> i64 {
    if multiple <= 0 {
        duration
    } else {
        duration - duration % multiple
    }
}

/// How many units a duration has, as `Duration.Hours` computes it: whole ones and the rest apart.
pub(crate) fn units(duration: i64, unit: i64) -> f64 {
    (duration / unit) as f64 + (duration % unit) as f64 / unit as f64
}

/// `time.Duration` in nanoseconds, as `Sub` of a time gives it.
#[derive(Debug)]
pub(crate) struct Duration(pub(crate) i64);

impl Duration {
    /// The nanoseconds of an argument of this type, which may be a literal.
    pub(super) fn nanoseconds_of(value: &Value) -> i64 {
        match value {
            Value::Int(nanoseconds, _) => *nanoseconds,
            Value::Object(object) => object
                .as_any()
                .downcast_ref::<Self>()
                .map_or(0, |duration| duration.0),
            _ => 0,
        }
    }
}

impl Object for Duration {
    fn type_name(&self) -> Cow<'static, str> {
        "time.Duration".into()
    }

    fn kind(&self) -> Kind {
        Kind::Int(IntKind::Int64)
    }

    fn method(&self, name: &[u8]) -> Option<Method> {
        const DURATION: &[&str] = &["time.Duration"];
        const METHODS: &[(&str, &[&str])] = &[
            ("Hours", &[]),
            ("Minutes", &[]),
            ("Seconds", &[]),
            ("Milliseconds", &[]),
            ("Microseconds", &[]),
            ("Nanoseconds", &[]),
            ("String", &[]),
            ("Abs", &[]),
            ("Round", DURATION),
            ("Truncate", DURATION),
        ];
        Method::among(METHODS, name)
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let duration = |nanoseconds| Ok(Value::Object(Rc::new(Self(nanoseconds))));
        let multiple = args.first().map_or(0, Self::nanoseconds_of);
        let units = |unit: i64| Ok(Value::Float(units(self.0, unit)));
        match name {
            "Hours" => units(HOUR),
            "Minutes" => units(MINUTE),
            "Seconds" => units(SECOND),
            "Milliseconds" => Ok(Value::int64(self.0 / MILLISECOND)),
            "Microseconds" => Ok(Value::int64(self.0 / MICROSECOND)),
            "Nanoseconds" => Ok(Value::int64(self.0)),
            "Abs" => duration(self.0.saturating_abs()),
            "Round" => duration(round(self.0, multiple)),
            "Truncate" => duration(truncate(self.0, multiple)),
            _ => Ok(text(self.0).into()),
        }
    }

    fn to_str(&self) -> Option<Str> {
        Some(text(self.0).into())
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::int64(self.0))
    }

    fn to_json(&self) -> Value {
        Value::int64(self.0)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{HOUR, MINUTE, SECOND, parse, round, text, truncate};

    #[test]
    fn reads_and_writes_durations() {
        for (from, to) in [
            ("1h30m", "1h30m0s"),
            ("-1.5s", "-1.5s"),
            ("100ms", "100ms"),
            ("1.001us", "1.001µs"),
            (".5m", "30s"),
            ("0", "0s"),
            ("2540400h10m10.000000001s", "2540400h10m10.000000001s"),
        ] {
            assert_eq!(text(parse(from.as_bytes()).unwrap()), to);
        }
        for (from, want) in [
            ("", "time: invalid duration \"\""),
            ("1", "time: missing unit in duration \"1\""),
            ("1d", "time: unknown unit \"d\" in duration \"1d\""),
            (
                "1é",
                "time: unknown unit \"\\xc3\\xa9\" in duration \"1\\xc3\\xa9\"",
            ),
            ("9999999999h", "time: invalid duration \"9999999999h\""),
            (".s", "time: invalid duration \".s\""),
        ] {
            assert_eq!(parse(from.as_bytes()).unwrap_err(), want);
        }
        assert_eq!(text(i64::MIN), "-2562047h47m16.854775808s");
    }

    #[test]
    fn rounds_half_away_from_zero() {
        assert_eq!(round(3 * SECOND / 2, SECOND), 2 * SECOND);
        assert_eq!(round(-3 * SECOND / 2, SECOND), -2 * SECOND);
        assert_eq!(round(i64::MAX, SECOND), i64::MAX);
        assert_eq!(truncate(-(HOUR + 30 * MINUTE), HOUR), -HOUR);
        assert_eq!(round(5, 0), 5);
    }
}
