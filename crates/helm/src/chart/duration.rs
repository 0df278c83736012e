//! Helm 4's functions around durations.
//!
//! Follows helm v4 `pkg/engine/funcs.go`. `time.Duration` itself, with
//! Go's reading, writing and rounding, is in [`crate::sprig::duration`].

use crate::sprig::args::function;
use crate::sprig::duration::{
    Duration, HOUR, MICROSECOND, MILLISECOND, MINUTE, SECOND, parse, round, truncate, units,
};
use crate::template::{Fault, Function, Param};
use crate::value::Value;
use crate::value::number::{format_float, parse_float};
use crate::value::quote::quoted;
use std::rc::Rc;

/// The functions of Helm 4.
pub(super) static FUNCTIONS: &[Function] = &[
    function("mustToDuration", &[Param::Any], |_, args| {
        from_value(&args[0]).map(value).map_err(Fault::new)
    }),
    function("durationSeconds", &[Param::Any], |_, args| {
        float(args, |d| units(d, SECOND))
    }),
    function("durationMinutes", &[Param::Any], |_, args| {
        float(args, |d| units(d, MINUTE))
    }),
    function("durationHours", &[Param::Any], |_, args| {
        float(args, |d| units(d, HOUR))
    }),
    function("durationDays", &[Param::Any], |_, args| {
        float(args, |d| units(d, HOUR) / 24.0)
    }),
    function("durationWeeks", &[Param::Any], |_, args| {
        float(args, |d| units(d, HOUR) / 24.0 / 7.0)
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

/// A `time.Duration` as a value.
fn value(nanoseconds: i64) -> Value {
    Value::Object(Rc::new(Duration(nanoseconds)))
}

/// A duration in a unit; what is no duration counts as 0.
fn float(args: &[Value], show: fn(i64) -> f64) -> Result<Value, Fault> {
    Ok(Value::Float(from_value(&args[0]).map_or(0.0, show)))
}

/// Whole units of a duration; what is no duration counts as 0.
fn int(args: &[Value], unit: i64) -> Result<Value, Fault> {
    Ok(Value::int64(
        from_value(&args[0]).map_or(0, |duration| duration / unit),
    ))
}

/// Rounds a duration to a multiple; what is no multiple leaves it as it is.
fn to_multiple(args: &[Value], step: fn(i64, i64) -> i64) -> Result<Value, Fault> {
    let Ok(duration) = from_value(&args[0]) else {
        return Ok(value(0));
    };
    Ok(value(
        from_value(&args[1]).map_or(duration, |multiple| step(duration, multiple)),
    ))
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
            if let Ok(duration) = parse(trimmed.as_bytes()) {
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

/// Whole seconds as nanoseconds, within 64 bits.
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
/// Seconds as nanoseconds, cut after the ninth digit.
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

#[cfg(test)]
mod tests {
    use super::{SECOND, from_value};
    use crate::value::Value;

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
}
