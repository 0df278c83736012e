//! The dates and times of TOML as the `time.Time` that templates see.
//!
//! Follows github.com/BurntSushi/toml v1.6.0 `parse.go`, `valueDatetime`, and `internal/tz.go`: what
//! has no offset is in a zone of offset 0 whose name says which parts were written. The text is read
//! in [`crate::toml`], which knows no times of Go.

use crate::sprig::time::{Time, Zone};
use crate::toml::{Datetime, DatetimeKind};
use crate::value::Value;

/// The `time.Time` of a date, a time or both.
pub(super) fn value(datetime: &Datetime) -> Value {
    let named = |name: &str| (0, Zone::Fixed(name.to_owned(), 0));
    let (offset, zone) = match datetime.kind {
        DatetimeKind::Offset(0) => (0, Zone::Utc),
        DatetimeKind::Offset(offset) => (offset, Zone::Fixed(String::new(), offset)),
        DatetimeKind::Local => named("datetime-local"),
        DatetimeKind::Date => named("date-local"),
        DatetimeKind::Time => named("time-local"),
    };
    let [hour, minute, second] = [datetime.hour, datetime.minute, datetime.second].map(i64::from);
    let local = Time::from_date(
        i64::from(datetime.year),
        i64::from(datetime.month),
        i64::from(datetime.day),
        hour * 3600 + minute * 60 + second,
        datetime.nanosecond,
    );
    let seconds = local.unix() - i64::from(offset);
    Time::new(seconds, datetime.nanosecond, zone).into_value()
}

#[cfg(test)]
mod tests {
    use super::value;
    use crate::template::fmt;
    use crate::toml::{from_toml, to_toml};
    use crate::value::Value;

    #[test]
    fn reads_and_writes_all_kinds_of_times() {
        for (text, shown, written) in [
            (
                "1979-05-27T07:32:00Z",
                "1979-05-27 07:32:00 +0000 UTC",
                None,
            ),
            (
                "1979-05-27 00:32:00.5-07:00",
                "1979-05-27 00:32:00.5 -0700 -0700",
                Some("1979-05-27T00:32:00.5-07:00"),
            ),
            (
                "1979-05-27t07:32",
                "1979-05-27 07:32:00 +0000 datetime-local",
                Some("1979-05-27T07:32:00"),
            ),
            ("1979-05-27", "1979-05-27 00:00:00 +0000 date-local", None),
            ("07:32:00", "0000-01-01 07:32:00 +0000 time-local", None),
        ] {
            let map = from_toml(format!("t = {text}").as_bytes(), &value).unwrap();
            let time = map.get("t").unwrap();
            assert_eq!(fmt::text(&time).unwrap().to_text(), shown);
            let again = to_toml(&Value::Map(map)).unwrap();
            assert_eq!(
                again.to_text(),
                format!("t = {}\n", written.unwrap_or(text))
            );
        }
    }
}
