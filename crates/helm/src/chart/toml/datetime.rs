//! Dates and times of TOML.
//!
//! Follows github.com/BurntSushi/toml v1.6.0 `parse.go`, `valueDatetime`: what has no offset is in a
//! zone whose name says so.

use crate::sprig::time::{Time, Zone};
use crate::value::Value;
use crate::value::quote::quoted;

/// Reads a date, a time or both, with or without offset.
///
/// # Errors
/// Go's text.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let fail = || format!("invalid datetime: {}", quoted(text));
    let normal = text.replace('z', "Z").replace(['t', ' '], "T");
    let (date, time) = match normal.split_once('T') {
        Some((date, time)) => (Some(date), Some(time)),
        None if normal.contains(':') => (None, Some(normal.as_str())),
        None => (Some(normal.as_str()), None),
    };
    let [year, month, day] = date
        .map_or(Some([0, 1, 1]), calendar_date)
        .ok_or_else(fail)?;
    let zone_at = time.and_then(|time| time.find(['Z', '+', '-']));
    let (clock_text, zone_text) = match (time, zone_at) {
        (Some(time), Some(at)) => time.split_at(at),
        (time, _) => (time.unwrap_or("00:00:00"), ""),
    };
    let (seconds, nanosecond) = clock(clock_text).ok_or_else(fail)?;
    let zone = match (zone_text, date.is_some(), time.is_some()) {
        ("", true, true) => Zone::Fixed("datetime-local".to_owned(), 0),
        ("", true, false) => Zone::Fixed("date-local".to_owned(), 0),
        ("", ..) => Zone::Fixed("time-local".to_owned(), 0),
        (_, false, _) => return Err(fail()),
        _ => offset_zone(zone_text).ok_or_else(fail)?,
    };
    let offset = if let Zone::Fixed(_, offset) = &zone {
        i64::from(*offset)
    } else {
        0
    };
    let local = Time::from_date(year, month, day, seconds, nanosecond);
    Ok(Time::new(local.unix() - offset, nanosecond, zone).into_value())
}

fn number(text: &str, from: usize, len: usize) -> Option<i64> {
    text.get(from..from + len)?
        .bytes()
        .try_fold(0, |number, byte| {
            byte.is_ascii_digit()
                .then(|| number * 10 + i64::from(byte - b'0'))
        })
}

fn calendar_date(text: &str) -> Option<[i64; 3]> {
    let [year, month, day] = [
        number(text, 0, 4)?,
        number(text, 5, 2)?,
        number(text, 8, 2)?,
    ];
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    let dashes = text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
    (dashes && (1..=days).contains(&day)).then_some([year, month, day])
}

/// The second of the day and the nanosecond of `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fff`.
fn clock(text: &str) -> Option<(i64, u32)> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let part = |from, max| number(clock, from, 2).filter(|number| *number < max);
    let colon = |at: usize| clock.as_bytes().get(at) == Some(&b':');
    let seconds = match clock.len() {
        5 if !text.contains('.') => 0,
        8 if colon(5) => part(6, 60)?,
        _ => return None,
    };
    if !colon(2) || fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanosecond = format!("{fraction:0<9}")[..9].parse().ok()?;
    Some((
        part(0, 24)? * 3600 + part(3, 60)? * 60 + seconds,
        nanosecond,
    ))
}

/// `Z`, `+01:00`, `-01:00`.
fn offset_zone(text: &str) -> Option<Zone> {
    if text == "Z" {
        return Some(Zone::Utc);
    }
    let hours = number(text, 1, 2).filter(|hours| *hours <= 24)?;
    let minutes = number(text, 4, 2).filter(|minutes| *minutes < 60)?;
    if text.len() != 6 || text.as_bytes()[3] != b':' {
        return None;
    }
    let offset = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    let offset = if text.starts_with('-') {
        -offset
    } else {
        offset
    };
    Some(if offset == 0 {
        Zone::Utc
    } else {
        Zone::Fixed(String::new(), offset)
    })
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::template::fmt;

    fn shown(text: &str) -> String {
        match parse(text) {
            Ok(value) => fmt::text(&value).unwrap().to_text().into_owned(),
            Err(error) => error,
        }
    }

    #[test]
    fn reads_all_kinds_of_times() {
        for (text, expected) in [
            ("1979-05-27T07:32:00Z", "1979-05-27 07:32:00 +0000 UTC"),
            (
                "1979-05-27 00:32:00.5-07:00",
                "1979-05-27 00:32:00.5 -0700 -0700",
            ),
            (
                "1979-05-27t07:32",
                "1979-05-27 07:32:00 +0000 datetime-local",
            ),
            ("1979-05-27", "1979-05-27 00:00:00 +0000 date-local"),
            ("07:32:00", "0000-01-01 07:32:00 +0000 time-local"),
            ("1979-02-30", "invalid datetime: \"1979-02-30\""),
            (
                "1979-05-27T25:00:00Z",
                "invalid datetime: \"1979-05-27T25:00:00Z\"",
            ),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
