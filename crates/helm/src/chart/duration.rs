//! `time.Duration` and Helm 4's functions around it.
//!
//! Follows helm v4 `pkg/engine/funcs.go` and Go's `time/time.go` and `time/format.go`.

use crate::template::{Fault, Function, Param, Runtime};
use crate::value::number::{format_float, parse_float};
use crate::value::quote::quoted;
use crate::value::{IntKind, Kind, Method, Object, Str, Value};
use std::any::Any;
use std::borrow::Cow;
use std::rc::Rc;

const MICROSECOND: i64 = 1_000;
const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// The functions of Helm 4.
pub(super) static FUNCTIONS: &[Function] = &[
    function("mustToDuration", &[Param::Any], |_, args| {
        from_value(&args[0]).map(value).map_err(Fault::new)
    }),
    function("durationSeconds", &[Param::Any], |_, args| {
        float(args, |d| parts(d, SECOND))
    }),
    function("durationMinutes", &[Param::Any], |_, args| {
        float(args, |d| parts(d, MINUTE))
    }),
    function("durationHours", &[Param::Any], |_, args| {
        float(args, |d| parts(d, HOUR))
    }),
    function("durationDays", &[Param::Any], |_, args| {
        float(args, |d| parts(d, HOUR) / 24.0)
    }),
    function("durationWeeks", &[Param::Any], |_, args| {
        float(args, |d| parts(d, HOUR) / 24.0 / 7.0)
    }),
    function("durationMilliseconds", &[Param::Any], |_, args| {
        int(args, MILLISECOND)
    }),
    function("durationMicroseconds", &[Param::Any], |_, args| {
        int(args, MICROSECOND)
    }),
    function("durationNanoseconds", &[Param::Any], |_, args| int(args, 1)),
    function("durationRoundTo", &[Param::Any, Param::Any], |_, args| {
        to_multiple(args, round)
    }),
    function(
        "durationTruncateTo",
        &[Param::Any, Param::Any],
        |_, args| to_multiple(args, truncate),
    ),
];

type Body = fn(&mut dyn Runtime, &[Value]) -> Result<Value, Fault>;

const fn function(name: &'static str, params: &'static [Param], body: Body) -> Function {
    Function {
        name,
        params,
        variadic: false,
        body,
    }
}

/// A `time.Duration` as a value.
pub(super) fn value(nanoseconds: i64) -> Value {
    Value::Object(Rc::new(Duration(nanoseconds)))
}

#[derive(Debug)]
struct Duration(i64);

impl Object for Duration {
    fn type_name(&self) -> Cow<'static, str> {
        "time.Duration".into()
    }

    fn kind(&self) -> Kind {
        Kind::Int(IntKind::Int64)
    }

    fn method(&self, name: &[u8]) -> Option<Method> {
        const NAMES: [&str; 8] = [
            "Abs",
            "Hours",
            "Microseconds",
            "Milliseconds",
            "Minutes",
            "Nanoseconds",
            "Seconds",
            "String",
        ];
        if let Some(name) = NAMES.into_iter().find(|n| n.as_bytes() == name) {
            return Some(Method {
                name,
                params: &[],
                variadic: false,
            });
        }
        let name = ["Round", "Truncate"]
            .into_iter()
            .find(|n| n.as_bytes() == name)?;
        Some(Method {
            name,
            params: &["time.Duration"],
            variadic: false,
        })
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let multiple = args
            .first()
            .and_then(|arg| from_value(arg).ok())
            .unwrap_or_default();
        Ok(match name {
            "Abs" => value(self.0.checked_abs().unwrap_or(i64::MAX)),
            "Hours" => Value::Float(parts(self.0, HOUR)),
            "Minutes" => Value::Float(parts(self.0, MINUTE)),
            "Seconds" => Value::Float(parts(self.0, SECOND)),
            "Milliseconds" => Value::int64(self.0 / MILLISECOND),
            "Microseconds" => Value::int64(self.0 / MICROSECOND),
            "Nanoseconds" => Value::int64(self.0),
            "Round" => value(round(self.0, multiple)),
            "Truncate" => value(truncate(self.0, multiple)),
            _ => Value::from(text(self.0)),
        })
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

fn float(args: &[Value], show: fn(i64) -> f64) -> Result<Value, Fault> {
    Ok(Value::Float(from_value(&args[0]).map_or(0.0, show)))
}

fn int(args: &[Value], unit: i64) -> Result<Value, Fault> {
    Ok(Value::int64(
        from_value(&args[0]).map_or(0, |duration| duration / unit),
    ))
}

fn to_multiple(args: &[Value], step: fn(i64, i64) -> i64) -> Result<Value, Fault> {
    let Ok(duration) = from_value(&args[0]) else {
        return Ok(value(0));
    };
    Ok(value(
        from_value(&args[1]).map_or(duration, |multiple| step(duration, multiple)),
    ))
}

/// How many units a duration has, as Go computes it: whole ones and the rest apart.
#[expect(
    clippy::cast_precision_loss,
    reason = "Go converts both parts to float64 as well"
)]
fn parts(duration: i64, unit: i64) -> f64 {
    (duration / unit) as f64 + (duration % unit) as f64 / unit as f64
}

/// `Duration.Truncate`.
fn truncate(duration: i64, multiple: i64) -> i64 {
    if multiple <= 0 {
        duration
    } else {
        duration - duration % multiple
    }
}

/// `Duration.Round`: half away from zero, saturating.
fn round(duration: i64, multiple: i64) -> i64 {
    if multiple <= 0 {
        return duration;
    }
    let rest = duration % multiple;
    let down = duration - rest;
    if i128::from(rest.unsigned_abs()) * 2 < i128::from(multiple) {
        return down;
    }
    if duration < 0 {
        down.saturating_sub(multiple)
    } else {
        down.saturating_add(multiple)
    }
}

/// Reads whatever Helm takes for a duration; plain numbers are seconds.
fn from_value(given: &Value) -> Result<i64, String> {
    match given {
        Value::Nil => Err("invalid duration".to_owned()),
        Value::Str(text) => {
            let trimmed = text.to_text();
            let trimmed = trimmed.trim();
            if trimmed.is_empty() {
                return Err("empty duration".to_owned());
            }
            if let Some(duration) = parse(trimmed) {
                return Ok(duration);
            }
            match parse_float(trimmed, 64) {
                Ok(seconds) => from_seconds(seconds),
                Err(_) => Err(format!("could not parse duration {}", quoted(text))),
            }
        }
        Value::Int(seconds, _) => whole_seconds(i128::from(*seconds)),
        Value::Uint(seconds, _) => whole_seconds(i128::from(*seconds)),
        Value::Float(seconds) => from_seconds(*seconds),
        Value::Object(object) if object.type_name() == "time.Duration" => {
            match object.underlying() {
                Some(Value::Int(nanoseconds, _)) => Ok(nanoseconds),
                _ => Ok(0),
            }
        }
        other => Err(format!("unsupported duration type {}", other.type_name())),
    }
}

fn whole_seconds(seconds: i128) -> Result<i64, String> {
    let overflow = || format!("duration seconds overflow: {seconds}");
    let seconds64 = i64::try_from(seconds).map_err(|_| overflow())?;
    seconds64.checked_mul(SECOND).ok_or_else(overflow)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the limits are float64 in Go as well; the value is checked to fit"
)]
fn from_seconds(seconds: f64) -> Result<i64, String> {
    let shown = format_float(seconds, b'g', -1, 64);
    if !seconds.is_finite() {
        return Err(format!("invalid duration seconds: {shown}"));
    }
    let limit = i64::MAX as f64 / SECOND as f64;
    if seconds > limit || seconds < i64::MIN as f64 / SECOND as f64 {
        return Err(format!("duration seconds overflow: {shown}"));
    }
    Ok((seconds * SECOND as f64) as i64)
}

/// `time.ParseDuration`.
fn parse(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (part, after) = parse_part(rest)?;
        total = total.checked_add(part).filter(|total| *total <= 1 << 63)?;
        rest = after;
    }
    if negative {
        return Some(0_i64.wrapping_sub_unsigned(total));
    }
    i64::try_from(total).ok()
}

/// One number with its unit, such as `1.5h`.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Go computes the fraction in float64 and cuts it"
)]
fn parse_part(text: &str) -> Option<(u64, &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole_len = digits(text);
    let whole: u64 = if whole_len == 0 {
        0
    } else {
        text[..whole_len].parse().ok()?
    };
    if whole > 1 << 63 {
        return None;
    }
    let mut rest = &text[whole_len..];
    let mut fraction = "";
    if let Some(after) = rest.strip_prefix('.') {
        let len = digits(after);
        fraction = &after[..len];
        rest = &after[len..];
    }
    if whole_len == 0 && fraction.is_empty() {
        return None;
    }
    let unit_len = rest
        .find(|c: char| c == '.' || c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_len);
    let unit: u64 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let mut total = whole.checked_mul(unit).filter(|total| *total <= 1 << 63)?;
    let (mut value, mut scale) = (0_u64, 1.0_f64);
    for digit in fraction.bytes() {
        let next = value
            .checked_mul(10)
            .and_then(|v| v.checked_add(u64::from(digit - b'0')));
        let Some(next) = next.filter(|next| *next <= 1 << 63) else {
            break;
        };
        value = next;
        scale *= 10.0;
    }
    if value > 0 {
        total = total.checked_add((value as f64 * (unit as f64 / scale)) as u64)?;
        if total > 1 << 63 {
            return None;
        }
    }
    Some((total, rest))
}

/// `Duration.String`: `1h2m3.5s`.
fn text(duration: i64) -> String {
    let all = duration.unsigned_abs();
    let sign = if duration < 0 { "-" } else { "" };
    let second = SECOND.unsigned_abs();
    if all == 0 {
        return "0s".to_owned();
    }
    if all < second {
        let (unit, digits, name) = match all {
            0..1_000 => (1, 0, "ns"),
            1_000..1_000_000 => (1_000, 3, "µs"),
            _ => (1_000_000, 6, "ms"),
        };
        return format!("{sign}{}{name}", decimal(all / unit, all % unit, digits));
    }
    let (minutes, nanoseconds) = (all / (60 * second), all % (60 * second));
    let seconds = decimal(nanoseconds / second, nanoseconds % second, 9);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// A number with a fraction of so many digits, without trailing zeros.
fn decimal(whole: u64, fraction: u64, digits: usize) -> String {
    if fraction == 0 {
        return whole.to_string();
    }
    let text = format!("{fraction:0digits$}");
    format!("{whole}.{}", text.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::{HOUR, MINUTE, SECOND, from_value, parse, round, text, truncate};
    use crate::value::Value;

    #[test]
    fn reads_what_go_reads() {
        for (input, expected) in [
            ("1h2m3s", Some(HOUR + 2 * MINUTE + 3 * SECOND)),
            ("-1.5h", Some(-HOUR - 30 * MINUTE)),
            (".5s", Some(SECOND / 2)),
            ("0", Some(0)),
            ("1us1µs", Some(2_000)),
            ("-9223372036854775808ns", Some(i64::MIN)),
            ("9223372036854775808ns", None),
            ("3", None),
            ("s", None),
            (".s", None),
            ("1d", None),
            ("", None),
        ] {
            assert_eq!(parse(input), expected, "{input}");
        }
    }

    #[test]
    fn writes_what_go_writes() {
        for (nanoseconds, expected) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (SECOND + 1, "1.000000001s"),
            (MINUTE, "1m0s"),
            (-(HOUR + SECOND), "-1h0m1s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(text(nanoseconds), expected);
        }
    }

    #[test]
    fn takes_plain_numbers_for_seconds() {
        assert_eq!(from_value(&Value::from(2.5)), Ok(2_500_000_000));
        assert_eq!(from_value(&Value::from("3")), Ok(3 * SECOND));
        assert_eq!(from_value(&Value::int(90)), Ok(90 * SECOND));
        assert_eq!(
            from_value(&Value::from("x")),
            Err("could not parse duration \"x\"".into())
        );
        assert!(from_value(&Value::int(i64::MAX)).is_err());
        assert!(from_value(&Value::from(f64::NAN)).is_err());
    }

    #[test]
    fn rounds_half_away_from_zero() {
        assert_eq!(round(HOUR + 30 * MINUTE, HOUR), 2 * HOUR);
        assert_eq!(round(-(HOUR + 30 * MINUTE), HOUR), -2 * HOUR);
        assert_eq!(truncate(-(HOUR + 30 * MINUTE), HOUR), -HOUR);
        assert_eq!(round(5, 0), 5);
    }
}
