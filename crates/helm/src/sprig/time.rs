//! `time.Time`: an instant with a zone, its parts, and its methods in templates.
//!
//! Follows Go 1.26 `time/time.go`. The local zone is UTC, wherever templates are rendered. Writing by a
//! layout is in `layout`, reading in `time_parse`.

use super::args::{int, text};
use super::duration::Duration;
use super::layout::format;
use crate::value::quote::quoted;
use crate::value::{IntKind, Kind, Method, Object, Str, Value};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::any::Any;
use std::borrow::Cow;
use std::rc::Rc;

/// The months as Go's `January` prints them.
pub(super) const LONG_MONTHS: &[&str] = &[
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The days as Go's `Monday` prints them, from Sunday.
pub(super) const LONG_WEEKDAYS: &[&str] = &[
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

const SECONDS_PER_DAY: i64 = 86_400;

/// The first instant of year 1, which is Go's zero time.
const ZERO_SECONDS: i64 = -62_135_596_800;

/// How Go prints a time by default.
const DEFAULT_LAYOUT: &[u8] = b"2006-01-02 15:04:05.999999999 -0700 MST";

/// How a time is written in JSON.
pub(super) const RFC3339_NANO: &[u8] = b"2006-01-02T15:04:05.999999999Z07:00";

/// Where a time is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Zone {
    /// UTC, also as local zone.
    Utc,
    /// An offset in seconds east of UTC, with a name that may be empty.
    Fixed(String, i32),
    /// A zone of the IANA database.
    Iana(TimeZone),
}

impl Zone {
    /// `time.LoadLocation`; `None` for a name that is unknown or not written as in the database.
    pub(super) fn load(name: &[u8]) -> Option<Self> {
        match name {
            b"" | b"UTC" | b"Local" => return Some(Self::Utc),
            _ => {}
        }
        let name = std::str::from_utf8(name).ok()?;
        let zone = TimeZone::get(name).ok()?;
        (zone.iana_name() == Some(name)).then_some(Self::Iana(zone))
    }

    /// The abbreviation and the offset in effect at an instant.
    fn at(&self, seconds: i64) -> (String, i32) {
        match self {
            Self::Utc => ("UTC".to_owned(), 0),
            Self::Fixed(name, offset) => (name.clone(), *offset),
            Self::Iana(zone) => {
                let bounds = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
                let seconds = seconds.clamp(bounds.0, bounds.1);
                let instant = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
                let info = zone.to_offset_info(instant);
                (info.abbreviation().to_owned(), info.offset().seconds())
            }
        }
    }
}

/// A Go `time.Time`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Time {
    seconds: i64,
    nanosecond: u32,
    zone: Zone,
}

/// A time as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    /// From 1.
    pub(super) year_day: i64,
    /// From 0, a Sunday.
    pub(super) weekday: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) offset: i32,
    /// The abbreviation of the zone, empty where it has none.
    pub(super) zone: String,
}

impl Time {
    /// An instant: seconds since the epoch and nanoseconds within the second.
    #[must_use]
    pub(crate) fn new(seconds: i64, nanosecond: u32, zone: Zone) -> Self {
        Self {
            seconds,
            nanosecond: nanosecond.min(999_999_999),
            zone,
        }
    }

    /// The zero time: year 1.
    #[must_use]
    pub(crate) fn zero() -> Self {
        Self::new(ZERO_SECONDS, 0, Zone::Utc)
    }

    /// The instant of a timestamp, in UTC.
    #[must_use]
    pub(crate) fn at(instant: Timestamp) -> Self {
        let nanoseconds = instant.as_nanosecond();
        let seconds = nanoseconds.div_euclid(1_000_000_000);
        let rest = nanoseconds.rem_euclid(1_000_000_000);
        Self::new(
            i64::try_from(seconds).unwrap_or(0),
            u32::try_from(rest).unwrap_or(0),
            Zone::Utc,
        )
    }

    /// The time of a calendar date in UTC. The parts may be out of range, as for Go's `time.Date`.
    #[must_use]
    pub(crate) fn from_date(
        year: i64,
        month: i64,
        day: i64,
        second_of_day: i64,
        nanosecond: u32,
    ) -> Self {
        let months = month.saturating_sub(1);
        let year = year.saturating_add(months.div_euclid(12));
        let first = days_before(year, months.rem_euclid(12) + 1);
        let days = first.saturating_add(day.saturating_sub(1));
        let seconds = days
            .saturating_mul(SECONDS_PER_DAY)
            .saturating_add(second_of_day);
        Self::new(seconds, nanosecond, Zone::Utc)
    }

    /// The value that templates see.
    #[must_use]
    pub(crate) fn into_value(self) -> Value {
        Value::Object(Rc::new(self))
    }

    /// The time that a value is.
    pub(super) fn of(value: &Value) -> Option<&Self> {
        match value {
            Value::Object(object) => object.as_any().downcast_ref(),
            _ => None,
        }
    }

    /// The seconds since the epoch.
    #[must_use]
    pub(crate) fn unix(&self) -> i64 {
        self.seconds
    }

    /// The nanoseconds within the second.
    pub(super) fn nanosecond(&self) -> u32 {
        self.nanosecond
    }

    /// The same instant elsewhere.
    #[must_use]
    pub(crate) fn with_zone(&self, zone: Zone) -> Self {
        Self {
            zone,
            ..self.clone()
        }
    }

    /// A time so many nanoseconds later.
    pub(super) fn plus(&self, nanoseconds: i64) -> Self {
        let total = i64::from(self.nanosecond) + nanoseconds % 1_000_000_000;
        let seconds = self
            .seconds
            .wrapping_add(nanoseconds / 1_000_000_000)
            .wrapping_add(total.div_euclid(1_000_000_000));
        let rest = total.rem_euclid(1_000_000_000);
        Self::new(seconds, u32::try_from(rest).unwrap_or(0), self.zone.clone())
    }

    /// The nanoseconds since an earlier time, as far as they fit.
    pub(super) fn since(&self, earlier: &Self) -> i64 {
        let difference = self.total_nanoseconds() - earlier.total_nanoseconds();
        let fits = i64::try_from(difference);
        fits.unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
    }

    fn total_nanoseconds(&self) -> i128 {
        i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanosecond)
    }

    /// The parts of the time in its zone.
    pub(super) fn civil(&self) -> Civil {
        let (zone, offset) = self.zone.at(self.seconds);
        let local = self.seconds.saturating_add(i64::from(offset));
        let days = local.div_euclid(SECONDS_PER_DAY);
        let second = local.rem_euclid(SECONDS_PER_DAY);
        let (year, month, day) = date_of(days);
        Civil {
            year,
            month,
            day,
            year_day: days - days_before(year, 1) + 1,
            weekday: (days + 4).rem_euclid(7),
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
            offset,
            zone,
        }
    }

    /// The instant whose civil parts in the zone are those that this time has in UTC.
    pub(super) fn read_in(&self, zone: Zone) -> Self {
        let offset = i64::from(zone.at(self.seconds).1);
        // Near a change of the offset the first guess may be wrong.
        let offset = i64::from(zone.at(self.seconds.saturating_sub(offset)).1);
        Self::new(self.seconds.saturating_sub(offset), self.nanosecond, zone)
    }

    fn moved_by(&self, years: i64, months: i64, days: i64) -> Self {
        let civil = self.civil();
        let second = (civil.hour * 60 + civil.minute) * 60 + civil.second;
        Self::from_date(
            civil.year.saturating_add(years),
            civil.month.saturating_add(months),
            civil.day.saturating_add(days),
            second,
            self.nanosecond,
        )
        .read_in(self.zone.clone())
    }

    /// The time rounded to a multiple of a duration since the zero time, by the given rule.
    fn to_multiple(&self, of: i64, rule: fn(i128, i128) -> i128) -> Self {
        if of <= 0 {
            return self.clone();
        }
        let since_zero = self.total_nanoseconds() - i128::from(ZERO_SECONDS) * 1_000_000_000;
        let rest = since_zero.rem_euclid(i128::from(of));
        let step = rule(rest, i128::from(of));
        self.plus(i64::try_from(step).unwrap_or(0))
    }
}

/// The days from the epoch to the first of a month.
fn days_before(year: i64, month: i64) -> i64 {
    // Years that begin in March have the leap day at their end.
    let year = year.saturating_sub(i64::from(month <= 2));
    let era = year.div_euclid(400);
    let in_era = year.rem_euclid(400);
    let in_year = (153 * ((month + 9) % 12) + 2) / 5;
    let days = in_era * 365 + in_era / 4 - in_era / 100 + in_year;
    era.saturating_mul(146_097).saturating_add(days - 719_468)
}

/// Year, month and day of a number of days since the epoch.
fn date_of(days: i64) -> (i64, i64, i64) {
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let in_era = shifted.rem_euclid(146_097);
    let year = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * shifted_month + 2) / 5 + 1;
    let month = (shifted_month + 2) % 12 + 1;
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// The number of days of a month.
pub(super) fn days_in(year: i64, month: i64) -> i64 {
    let next = if month == 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    };
    days_before(next.0, next.1) - days_before(year, month)
}

const NO_PARAMS: &[&str] = &[];
const TIME: &[&str] = &["time.Time"];
const DURATION: &[&str] = &["time.Duration"];

/// The methods with one result, and their parameters.
const METHODS: &[(&str, &[&str])] = &[
    ("Year", NO_PARAMS),
    ("Month", NO_PARAMS),
    ("Day", NO_PARAMS),
    ("Hour", NO_PARAMS),
    ("Minute", NO_PARAMS),
    ("Second", NO_PARAMS),
    ("Nanosecond", NO_PARAMS),
    ("YearDay", NO_PARAMS),
    ("Weekday", NO_PARAMS),
    ("Unix", NO_PARAMS),
    ("UnixMilli", NO_PARAMS),
    ("UnixMicro", NO_PARAMS),
    ("UnixNano", NO_PARAMS),
    ("IsZero", NO_PARAMS),
    ("IsDST", NO_PARAMS),
    ("UTC", NO_PARAMS),
    ("Local", NO_PARAMS),
    ("String", NO_PARAMS),
    ("GoString", NO_PARAMS),
    ("MarshalJSON", NO_PARAMS),
    ("MarshalText", NO_PARAMS),
    ("Format", &["string"]),
    ("Add", DURATION),
    ("Round", DURATION),
    ("Truncate", DURATION),
    ("AddDate", &["int", "int", "int"]),
    ("Sub", TIME),
    ("After", TIME),
    ("Before", TIME),
    ("Equal", TIME),
    ("Compare", TIME),
];

impl Object for Time {
    fn type_name(&self) -> Cow<'static, str> {
        "time.Time".into()
    }

    fn method(&self, name: &[u8]) -> Option<Method> {
        Method::among(METHODS, name)
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let civil = self.civil();
        let total = |unit: i128| {
            // Go lets these overflow.
            Ok(Value::int64(
                self.total_nanoseconds().div_euclid(unit) as i64
            ))
        };
        match name {
            "Year" => Ok(Value::int(civil.year)),
            "Month" => Ok(named("time.Month", civil.month, civil.month_name())),
            "Day" => Ok(Value::int(civil.day)),
            "Hour" => Ok(Value::int(civil.hour)),
            "Minute" => Ok(Value::int(civil.minute)),
            "Second" => Ok(Value::int(civil.second)),
            "Nanosecond" => Ok(Value::int(i64::from(self.nanosecond))),
            "YearDay" => Ok(Value::int(civil.year_day)),
            "Weekday" => Ok(named("time.Weekday", civil.weekday, civil.weekday_name())),
            "Unix" => Ok(Value::int64(self.seconds)),
            "UnixMilli" => total(1_000_000),
            "UnixMicro" => total(1000),
            "UnixNano" => total(1),
            "IsZero" => Ok((self.seconds == ZERO_SECONDS && self.nanosecond == 0).into()),
            "IsDST" => Ok(self.is_dst().into()),
            "UTC" | "Local" => Ok(self.with_zone(Zone::Utc).into_value()),
            "String" => Ok(Value::Str(format(self, DEFAULT_LAYOUT).into())),
            "GoString" => Ok(self.go_string().into()),
            "MarshalJSON" | "MarshalText" => Ok(self.marshalled(name == "MarshalJSON")),
            "Format" => Ok(Value::Str(format(self, text(args, 0)).into())),
            "AddDate" => Ok(self
                .moved_by(int(args, 0), int(args, 1), int(args, 2))
                .into_value()),
            "Add" | "Round" | "Truncate" => self.call_with_duration(name, args),
            _ => self.call_with_time(name, args),
        }
    }

    fn to_str(&self) -> Option<Str> {
        Some(format(self, DEFAULT_LAYOUT).into())
    }

    fn to_json(&self) -> Value {
        Value::Str(format(self, RFC3339_NANO).into())
    }

    fn equals(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Time {
    /// Go code that makes the time.
    fn go_string(&self) -> String {
        let Civil {
            year,
            day,
            hour,
            minute,
            second,
            ..
        } = self.civil();
        let civil = self.civil();
        let month = civil.month_name();
        let zone = match &self.zone {
            Zone::Utc => "time.UTC".to_owned(),
            Zone::Fixed(name, _) => format!("time.Location({})", quoted(name)),
            Zone::Iana(zone) => format!(
                "time.Location({})",
                quoted(zone.iana_name().unwrap_or_default())
            ),
        };
        let nanosecond = self.nanosecond;
        format!(
            "time.Date({year}, time.{month}, {day}, {hour}, {minute}, {second}, {nanosecond}, {zone})"
        )
    }

    fn marshalled(&self, in_quotes: bool) -> Value {
        let text = format(self, RFC3339_NANO);
        Value::Bytes(if in_quotes {
            Str::from([b"\"", &*text, b"\""].concat())
        } else {
            text.into()
        })
    }

    fn is_dst(&self) -> bool {
        match &self.zone {
            Zone::Iana(zone) => Timestamp::from_second(self.seconds)
                .is_ok_and(|instant| zone.to_offset_info(instant).dst().is_dst()),
            _ => false,
        }
    }

    fn call_with_duration(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let duration = args.first().map_or(0, Duration::nanoseconds_of);
        let time = match name {
            "Add" => self.plus(duration),
            "Truncate" => self.to_multiple(duration, |rest, _| -rest),
            _ => self.to_multiple(
                duration,
                |rest, of| {
                    if rest * 2 < of { -rest } else { of - rest }
                },
            ),
        };
        Ok(time.into_value())
    }

    fn call_with_time(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let Some(other) = args.first().and_then(Self::of) else {
            return Err(format!("no method {name}"));
        };
        let order = self.total_nanoseconds().cmp(&other.total_nanoseconds());
        Ok(match name {
            "Sub" => Value::Object(Rc::new(Duration(self.since(other)))),
            "After" => order.is_gt().into(),
            "Before" => order.is_lt().into(),
            "Equal" => order.is_eq().into(),
            "Compare" => Value::int(order as i64),
            _ => return Err(format!("no method {name}")),
        })
    }
}

/// `time.Month` or `time.Weekday`.
#[derive(Debug)]
struct Named {
    type_name: &'static str,
    number: i64,
    name: &'static str,
}

fn named(type_name: &'static str, number: i64, name: &'static str) -> Value {
    Value::Object(Rc::new(Named {
        type_name,
        number,
        name,
    }))
}

impl Object for Named {
    fn type_name(&self) -> Cow<'static, str> {
        self.type_name.into()
    }

    fn kind(&self) -> Kind {
        Kind::Int(IntKind::Int)
    }

    fn method(&self, name: &[u8]) -> Option<Method> {
        (name == b"String").then_some(Method {
            name: "String",
            params: NO_PARAMS,
            variadic: false,
        })
    }

    fn call(&self, _: &str, _: &[Value]) -> Result<Value, String> {
        Ok(self.name.into())
    }

    fn to_str(&self) -> Option<Str> {
        Some(self.name.into())
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::int(self.number))
    }

    fn to_json(&self) -> Value {
        Value::int(self.number)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{Time, Zone, days_in};
    use crate::value::{Object, Value};

    fn show(time: &Time) -> String {
        time.to_str().unwrap().to_text().into_owned()
    }

    #[test]
    fn prints_times_in_their_zones() {
        let time = Time::new(1_500_000_000, 120_000_000, Zone::Utc);
        assert_eq!(show(&time), "2017-07-14 02:40:00.12 +0000 UTC");
        let berlin = Zone::load(b"Europe/Berlin").unwrap();
        assert_eq!(
            show(&time.with_zone(berlin)),
            "2017-07-14 04:40:00.12 +0200 CEST"
        );
        assert_eq!(show(&Time::zero()), "0001-01-01 00:00:00 +0000 UTC");
        let early = Time::new(-1, 0, Zone::Fixed(String::new(), -3600));
        assert_eq!(show(&early), "1969-12-31 22:59:59 -0100 -0100");
        assert!(Zone::load(b"europe/berlin").is_none());
        // Far beyond what calendars are for, but no reason to fail.
        assert!(!show(&Time::new(i64::MAX, 0, Zone::Utc)).is_empty());
        assert!(!show(&Time::new(i64::MIN, 0, Zone::Utc)).is_empty());
    }

    #[test]
    fn has_the_methods_of_go() {
        let time = Time::from_date(2024, 1, 31, 3600, 0);
        let text = |name: &str, args: &[Value]| {
            let result = time.call(name, args).unwrap();
            super::super::testing::call("toString", &[result])
        };
        assert_eq!(text("Month", &[]), "January");
        assert_eq!(text("Weekday", &[]), "Wednesday");
        assert_eq!(text("UnixMilli", &[]), "1706662800000");
        let one = Value::int(1);
        assert_eq!(
            text("AddDate", &[Value::int(0), one.clone(), one]),
            "2024-03-03 01:00:00 +0000 UTC"
        );
        assert_eq!(
            text("Truncate", &[Value::int64(86_400_000_000_000)]),
            "2024-01-31 00:00:00 +0000 UTC"
        );
        let later = Time::new(time.unix() + 90, 0, Zone::Utc).into_value();
        assert_eq!(text("Sub", std::slice::from_ref(&later)), "-1m30s");
        assert_eq!(text("Before", &[later]), "true");
    }

    #[test]
    fn knows_leap_years() {
        assert_eq!(days_in(2024, 2), 29);
        assert_eq!(days_in(1900, 2), 28);
        assert_eq!(days_in(2023, 12), 31);
    }
}
