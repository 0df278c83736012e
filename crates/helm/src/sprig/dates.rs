//! Dates: `now`, `date`, `toDate`, `dateModify`, `ago`, `duration` and the rest.
//!
//! Follows sprig 3.3.0 `date.go`. The time is that of the run's [`World`](crate::template::World), the
//! local zone is UTC.

use super::args::{Answer, any, bytes, function, text};
use super::duration::{self, SECOND, round};
use super::layout::format;
use super::time::{Time, Zone};
use super::time_parse::parse;
use crate::template::{Fault, Function, Param, Runtime};
use crate::value::number::{NumberError, parse_int};
use crate::value::{IntKind, Value};

const A: Param = Param::Any;
const S: Param = Param::Str;
const TIME: Param = Param::Named("time.Time");

/// The layout of `htmlDate`.
const HTML: &[u8] = b"2006-01-02";

/// The functions of this file.
pub(super) const TABLE: &[Function] = &[
    function("now", &[], |run, _| Ok(now(run, "now").into_value())),
    function("date", &[S, A], |run, a| {
        let time = time_of(run, "date", any(a, 1));
        bytes(format(&time, text(a, 0)))
    }),
    function("dateInZone", &[S, A, S], |run, a| {
        in_zone(
            &time_of(run, "dateInZone", any(a, 1)),
            text(a, 0),
            text(a, 2),
        )
    }),
    function("date_in_zone", &[S, A, S], |run, a| {
        in_zone(
            &time_of(run, "date_in_zone", any(a, 1)),
            text(a, 0),
            text(a, 2),
        )
    }),
    function("htmlDate", &[A], |run, a| {
        bytes(format(&time_of(run, "htmlDate", any(a, 0)), HTML))
    }),
    function("htmlDateInZone", &[A, S], |run, a| {
        in_zone(&time_of(run, "htmlDateInZone", any(a, 0)), HTML, text(a, 1))
    }),
    function("dateModify", &[S, TIME], |_, a| {
        Ok(modified(a).unwrap_or_else(|_| any(a, 1).clone()))
    }),
    function("date_modify", &[S, TIME], |_, a| {
        Ok(modified(a).unwrap_or_else(|_| any(a, 1).clone()))
    }),
    function("mustDateModify", &[S, TIME], |_, a| modified(a)),
    function("must_date_modify", &[S, TIME], |_, a| modified(a)),
    function("toDate", &[S, S], |_, a| {
        let time = parse(text(a, 0), text(a, 1));
        Ok(time.unwrap_or_else(|_| Time::zero()).into_value())
    }),
    function("mustToDate", &[S, S], |_, a| {
        Ok(parse(text(a, 0), text(a, 1))?.into_value())
    }),
    function("unixEpoch", &[TIME], |_, a| {
        let seconds = Time::of(any(a, 0)).map_or(0, Time::unix);
        bytes(seconds.to_string())
    }),
    function("ago", &[A], |run, a| {
        let then = match any(a, 0) {
            // Unlike `date`, it does not know int32.
            Value::Int(_, IntKind::Int32) => now(run, "ago"),
            date => time_of(run, "ago", date),
        };
        let passed = now(run, "ago").since(&then);
        bytes(duration::text(round(passed, SECOND)))
    }),
    function("duration", &[A], |_, a| {
        let seconds = match any(a, 0) {
            Value::Str(text) => match parse_int(text, 10) {
                Ok(number) | Err(NumberError::Range(number)) => number,
                Err(NumberError::Syntax) => 0,
            },
            Value::Int(number, IntKind::Int64) => *number,
            _ => 0,
        };
        bytes(duration::text(seconds.wrapping_mul(SECOND)))
    }),
    function("durationRound", &[A], |run, a| {
        let passed = match any(a, 0) {
            Value::Str(text) => duration::parse(text).unwrap_or(0),
            Value::Int(number, IntKind::Int64) => *number,
            other => match Time::of(other) {
                Some(then) => now(run, "durationRound").since(then),
                None => 0,
            },
        };
        bytes(in_largest_unit(passed))
    }),
];

/// The time of the run; a result made from it cannot be repeated.
fn now(run: &mut dyn Runtime, function: &'static str) -> Time {
    Time::at(run.world().time(function))
}

/// What Sprig takes for a time: a time or seconds since the epoch, anything else being now.
fn time_of(run: &mut dyn Runtime, function: &'static str, value: &Value) -> Time {
    match value {
        Value::Int(seconds, IntKind::Int | IntKind::Int32 | IntKind::Int64) => {
            Time::new(*seconds, 0, Zone::Utc)
        }
        _ => match Time::of(value) {
            Some(time) => time.with_zone(Zone::Utc),
            None => now(run, function),
        },
    }
}

fn in_zone(time: &Time, layout: &[u8], zone: &[u8]) -> Answer {
    let zone = Zone::load(zone).unwrap_or(Zone::Utc);
    bytes(format(&time.with_zone(zone), layout))
}

fn modified(args: &[Value]) -> Result<Value, Fault> {
    let change = duration::parse(text(args, 0))?;
    let time = Time::of(any(args, 1)).cloned().unwrap_or_else(Time::zero);
    Ok(time.plus(change).into_value())
}

/// A duration in its largest unit: `3mo`, `5d`, `2h`.
fn in_largest_unit(nanoseconds: i64) -> String {
    const HOUR: u64 = 3600 * SECOND.unsigned_abs();
    let units = [
        (365 * 24 * HOUR, "y"),
        (30 * 24 * HOUR, "mo"),
        (24 * HOUR, "d"),
        (HOUR, "h"),
        (HOUR / 60, "m"),
        (HOUR / 3600, "s"),
    ];
    let size = nanoseconds.unsigned_abs();
    match units.into_iter().find(|(unit, _)| size > *unit) {
        Some((unit, name)) => format!("{}{name}", size / unit),
        None => "0s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails, value};
    use crate::value::Value;

    #[test]
    fn writes_dates_in_zones() {
        let time = value(
            "toDate",
            &[
                "2006-01-02T15:04:05Z07:00".into(),
                "2038-11-18T16:02:29.344Z".into(),
            ],
        );
        let in_zone = |layout: &str, zone: &str| {
            call("dateInZone", &[layout.into(), time.clone(), zone.into()])
        };
        assert_eq!(in_zone("5053Monday", "America/New_York"), "292911Thursday");
        assert_eq!(
            in_zone("Z07:00 -0700 MST", "Asia/Kolkata"),
            "+05:30 +0530 IST"
        );
        assert_eq!(in_zone("15", "Nowhere/Else"), "16");
        assert_eq!(
            call(
                "date",
                &[
                    "Jan Mon _2 02 1 01 06 3:04PM pm .000 .999 ,00 002 __2".into(),
                    time
                ]
            ),
            "Nov Thu 18 18 11 11 38 4:02PM pm .344 .344 ,34 322 322"
        );
        assert_eq!(call("htmlDate", &[Value::int(-3)]), "1969-12-31");
    }

    #[test]
    fn takes_other_things_for_now() {
        assert_eq!(
            call("date", &["2006-01-02 15:04:05".into(), 1e9.into()]),
            "2026-03-04 05:06:07"
        );
        assert_eq!(call("ago", &[Value::int64(1_772_600_000)]), "12m47s");
        assert_eq!(call("unixEpoch", &[value("now", &[])]), "1772600767");
    }

    #[test]
    fn reads_and_changes_dates() {
        let day = value("toDate", &["2006-01-02".into(), "2024-02-28".into()]);
        assert_eq!(
            call("dateModify", &["-1.5h".into(), day.clone()]),
            "2024-02-27 22:30:00 +0000 UTC"
        );
        assert_eq!(
            call("dateModify", &["soon".into(), day.clone()]),
            "2024-02-28 00:00:00 +0000 UTC"
        );
        assert_eq!(
            fails("mustDateModify", &["soon".into(), day]),
            "time: invalid duration \"soon\""
        );
        assert_eq!(
            call("toDate", &["2006".into(), "x".into()]),
            "0001-01-01 00:00:00 +0000 UTC"
        );
    }

    #[test]
    fn writes_durations() {
        assert_eq!(call("duration", &["95".into()]), "1m35s");
        assert_eq!(call("duration", &[Value::int(95)]), "0s");
        assert_eq!(call("duration", &[Value::int64(3600)]), "1h0m0s");
        assert_eq!(call("durationRound", &["2400h10m5s".into()]), "3mo");
        assert_eq!(call("durationRound", &["24h".into()]), "24h");
    }
}
