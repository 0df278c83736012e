//! Reading a time by a Go layout.
//!
//! Follows Go 1.26 `time/format.go`, `ParseInLocation` with UTC as the location.

use super::duration::{leading_int, quote};
use super::layout::{Fraction, Offset, Part, next_chunk};
use super::time::{LONG_MONTHS, LONG_WEEKDAYS, Time, Zone, days_in};

/// Why a part could not be read.
enum Bad {
    /// The text is not of that form.
    Form,
    /// What has a value beyond its range.
    Range(&'static str),
}

use Bad::{Form, Range};

/// What has been read so far.
#[derive(Default)]
struct Fields {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: u32,
    afternoon: Option<bool>,
    utc: bool,
    offset: Option<i32>,
    zone: Option<String>,
}

/// Checks that a text is a time of this layout.
///
/// # Errors
/// The text of Go's error.
pub(crate) fn check(layout: &[u8], value: &[u8]) -> Result<(), String> {
    parse(layout, value).map(drop)
}

/// Reads a time (`time.ParseInLocation`).
///
/// # Errors
/// The text of Go's error.
pub(super) fn parse(layout: &[u8], value: &[u8]) -> Result<Time, String> {
    let cannot = |elem: &[u8], value_elem: &[u8]| {
        let (value, layout) = (quote(value), quote(layout));
        let (value_elem, elem) = (quote(value_elem), quote(elem));
        format!("parsing time {value} as {layout}: cannot parse {value_elem} as {elem}")
    };
    let message = |text: &str| format!("parsing time {}: {text}", quote(value));
    let mut fields = Fields::default();
    let (mut rest, mut left) = (value, layout);
    loop {
        let chunk = next_chunk(left);
        rest = skip(rest, chunk.prefix).map_err(|at| cannot(chunk.prefix, at))?;
        let Some(part) = chunk.part else {
            if !rest.is_empty() {
                return Err(message(&format!("extra text: {}", quote(rest))));
            }
            break;
        };
        left = chunk.rest;
        let hold = rest;
        rest = fields.read(part, rest, left).map_err(|bad| match bad {
            Form => cannot(chunk.text, hold),
            Range(what) => message(&format!("{what} out of range")),
        })?;
    }
    fields.time().map_err(message)
}

/// Skips the text between parts; a run of spaces stands for any number of them. Gives where it failed.
fn skip<'a>(value: &'a [u8], prefix: &[u8]) -> Result<&'a [u8], &'a [u8]> {
    let (mut value, mut prefix) = (value, prefix);
    while let Some(first) = prefix.first() {
        if *first == b' ' {
            if value.first().is_some_and(|byte| *byte != b' ') {
                return Err(value);
            }
            prefix = without_spaces(prefix);
            value = without_spaces(value);
        } else if value.first() == Some(first) {
            prefix = &prefix[1..];
            value = &value[1..];
        } else {
            return Err(value);
        }
    }
    Ok(value)
}

fn without_spaces(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|byte| **byte == b' ').count();
    &text[spaces..]
}

fn digit(text: &[u8], at: usize) -> Option<i64> {
    let byte = text.get(at).filter(|byte| byte.is_ascii_digit())?;
    Some(i64::from(byte - b'0'))
}

/// One or two digits; `fixed` asks for two.
fn number(text: &[u8], fixed: bool) -> Result<(i64, &[u8]), Bad> {
    match (digit(text, 0), digit(text, 1)) {
        (Some(tens), Some(ones)) => Ok((tens * 10 + ones, &text[2..])),
        (Some(ones), None) if !fixed => Ok((ones, &text[1..])),
        _ => Err(Form),
    }
}

/// A number within its range.
fn within<'a>(
    text: &'a [u8],
    fixed: bool,
    range: std::ops::Range<i64>,
    what: &'static str,
) -> Result<(i64, &'a [u8]), Bad> {
    let (number, rest) = number(text, fixed)?;
    if range.contains(&number) {
        Ok((number, rest))
    } else {
        Err(Range(what))
    }
}

/// One of some names, in any case, perhaps cut to its first letters.
fn name<'a>(names: &[&str], length: usize, text: &'a [u8]) -> Result<(i64, &'a [u8]), Bad> {
    for (at, name) in (0..).zip(names) {
        let name = &name.as_bytes()[..length.min(name.len())];
        let head = text.get(..name.len());
        if head.is_some_and(|head| head.eq_ignore_ascii_case(name)) {
            return Ok((at, &text[name.len()..]));
        }
    }
    Err(Form)
}

impl Fields {
    /// Reads one part; gives what follows. `layout` is what follows in the layout.
    fn read<'a>(&mut self, part: Part, text: &'a [u8], layout: &[u8]) -> Result<&'a [u8], Bad> {
        let rest;
        match part {
            Part::Year => {
                let two = text.get(..2).ok_or(Form)?;
                let year = atoi(two).ok_or(Form)?;
                self.year = year + if year >= 69 { 1900 } else { 2000 };
                rest = &text[2..];
            }
            Part::LongYear => {
                let four = text.get(..4).filter(|four| four[0].is_ascii_digit());
                self.year = four.and_then(atoi).ok_or(Form)?;
                rest = &text[4..];
            }
            Part::Month | Part::LongMonth => {
                let length = if part == Part::Month { 3 } else { usize::MAX };
                let (month, after) = name(LONG_MONTHS, length, text)?;
                self.month = Some(month + 1);
                rest = after;
            }
            Part::NumMonth | Part::ZeroMonth => {
                let (month, after) = within(text, part == Part::ZeroMonth, 1..13, "month")?;
                self.month = Some(month);
                rest = after;
            }
            Part::Weekday => rest = name(LONG_WEEKDAYS, 3, text)?.1,
            Part::LongWeekday => rest = name(LONG_WEEKDAYS, usize::MAX, text)?.1,
            Part::Day | Part::UnderDay | Part::ZeroDay => {
                let text = match text {
                    [b' ', after @ ..] if part == Part::UnderDay => after,
                    _ => text,
                };
                let (day, after) = number(text, part == Part::ZeroDay)?;
                self.day = Some(day);
                rest = after;
            }
            Part::UnderYearDay | Part::ZeroYearDay => {
                rest = self.read_year_day(text, part == Part::ZeroYearDay)?;
            }
            Part::Hour => (self.hour, rest) = within(text, false, 0..24, "hour")?,
            Part::Hour12 => (self.hour, rest) = within(text, false, 0..13, "hour")?,
            Part::ZeroHour12 => (self.hour, rest) = within(text, true, 0..13, "hour")?,
            Part::Minute => (self.minute, rest) = within(text, false, 0..60, "minute")?,
            Part::ZeroMinute => (self.minute, rest) = within(text, true, 0..60, "minute")?,
            Part::Second | Part::ZeroSecond => {
                let fixed = part == Part::ZeroSecond;
                let (second, after) = within(text, fixed, 0..60, "second")?;
                self.second = second;
                // A fraction is read also where the layout has none.
                let expected = matches!(next_chunk(layout).part, Some(Part::Fraction(_)));
                rest = match fraction_width(after) {
                    Some(width) if !expected => self.read_fraction(after, width)?,
                    _ => after,
                };
            }
            Part::UpperPm => rest = self.read_half(text, [b"AM", b"PM"])?,
            Part::LowerPm => rest = self.read_half(text, [b"am", b"pm"])?,
            Part::Offset(style) => rest = self.read_offset(text, style)?,
            Part::ZoneName => rest = self.read_zone(text)?,
            Part::Fraction(Fraction {
                digits,
                trimmed: false,
                ..
            }) => {
                if text.len() <= digits {
                    return Err(Form);
                }
                rest = self.read_fraction(text, 1 + digits)?;
            }
            Part::Fraction(_) => {
                rest = match fraction_width(text) {
                    Some(width) => self.read_fraction(text, width)?,
                    None => text,
                };
            }
        }
        Ok(rest)
    }

    fn read_year_day<'a>(&mut self, text: &'a [u8], fixed: bool) -> Result<&'a [u8], Bad> {
        let mut text = text;
        for _ in 0..2 {
            text = match text {
                [b' ', after @ ..] if !fixed => after,
                _ => text,
            };
        }
        let digits: Vec<i64> = (0..3).map_while(|at| digit(text, at)).collect();
        if digits.is_empty() || fixed && digits.len() != 3 {
            return Err(Form);
        }
        self.year_day = Some(digits.iter().fold(0, |n, digit| n * 10 + digit));
        Ok(&text[digits.len()..])
    }

    /// A dot or comma and digits, `width` bytes in all.
    fn read_fraction<'a>(&mut self, text: &'a [u8], width: usize) -> Result<&'a [u8], Bad> {
        if !matches!(text.first(), Some(b'.' | b',')) {
            return Err(Form);
        }
        let digits = &text[1..width.min(10)];
        let number = atoi(digits).ok_or(Form)?;
        if number < 0 {
            return Err(Range("fractional second"));
        }
        let scale = (digits.len()..9).fold(1, |scale, _| scale * 10);
        self.nanosecond = u32::try_from(number * scale).map_err(|_| Form)?;
        Ok(&text[width..])
    }

    fn read_half<'a>(&mut self, text: &'a [u8], halves: [&[u8]; 2]) -> Result<&'a [u8], Bad> {
        let half = text.get(..2).ok_or(Form)?;
        if !halves.contains(&half) {
            return Err(Form);
        }
        // Whoever says both means the afternoon.
        self.afternoon = Some(half == halves[1] || self.afternoon == Some(true));
        Ok(&text[2..])
    }

    fn read_offset<'a>(&mut self, text: &'a [u8], style: Offset) -> Result<&'a [u8], Bad> {
        if let ([b'Z', rest @ ..], true) = (text, style.iso) {
            self.utc = true;
            return Ok(rest);
        }
        let colon = usize::from(style.colon);
        let parts = 1 + usize::from(style.minutes) + usize::from(style.seconds);
        let width = 1 + 2 * parts + colon * (parts - 1);
        if text.len() < width {
            return Err(Form);
        }
        let mut numbers = [0; 3];
        let mut bad = false;
        for (at, number) in numbers.iter_mut().take(parts).enumerate() {
            let from = 1 + at * (2 + colon);
            if style.colon && at > 0 && text[from - 1] != b':' {
                return Err(Form);
            }
            match (digit(text, from), digit(text, from + 1)) {
                (Some(tens), Some(ones)) if !bad => *number = tens * 10 + ones,
                _ => bad = true,
            }
        }
        let [hours, minutes, seconds] = numbers;
        let names = [
            (hours > 24, "time zone offset hour"),
            (minutes > 60, "time zone offset minute"),
            (seconds > 60, "time zone offset second"),
        ];
        // The last one counts, as in the original.
        if let Some((_, what)) = names.into_iter().rfind(|(over, _)| *over) {
            return Err(Range(what));
        }
        let size = i32::try_from((hours * 60 + minutes) * 60 + seconds).map_err(|_| Form)?;
        self.offset = match text[0] {
            _ if bad => return Err(Form),
            b'+' => Some(size),
            b'-' => Some(-size),
            _ => return Err(Form),
        };
        Ok(&text[width..])
    }

    fn read_zone<'a>(&mut self, text: &'a [u8]) -> Result<&'a [u8], Bad> {
        if let Some(rest) = text.strip_prefix(b"UTC") {
            self.utc = true;
            return Ok(rest);
        }
        let (zone, rest) = text.split_at(zone_width(text).ok_or(Form)?);
        self.zone = Some(String::from_utf8_lossy(zone).into_owned());
        Ok(rest)
    }

    fn time(self) -> Result<Time, &'static str> {
        let hour = match self.afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let (month, day) = self.date()?;
        if day < 1 || day > days_in(self.year, month) {
            return Err("day out of range");
        }
        let second = (hour * 60 + self.minute) * 60 + self.second;
        let time = Time::from_date(self.year, month, day, second, self.nanosecond);
        if self.utc {
            return Ok(time);
        }
        let zone = self.zone.unwrap_or_default();
        // −1 stands for no offset in the original.
        if let Some(offset) = self.offset.filter(|offset| *offset != -1) {
            let time = Time::new(time.unix() - i64::from(offset), self.nanosecond, Zone::Utc);
            let local = offset == 0 && (zone.is_empty() || zone == "UTC");
            return Ok(if local {
                time
            } else {
                time.with_zone(Zone::Fixed(zone, offset))
            });
        }
        if zone.is_empty() {
            return Ok(time);
        }
        // A name alone says nothing about the offset, unless it is one of GMT's.
        let hours = zone.strip_prefix("GMT").and_then(|h| atoi(h.as_bytes()));
        let offset = hours.and_then(|hours| i32::try_from(hours * 3600).ok());
        Ok(time.with_zone(Zone::Fixed(zone, offset.unwrap_or(0))))
    }

    /// Month and day, from the day of the year if that was given.
    fn date(&self) -> Result<(i64, i64), &'static str> {
        let Some(year_day) = self.year_day else {
            return Ok((self.month.unwrap_or(1), self.day.unwrap_or(1)));
        };
        let leap = days_in(self.year, 2) == 29;
        if year_day < 1 || year_day > if leap { 366 } else { 365 } {
            return Err("day-of-year out of range");
        }
        let (mut month, mut day) = (1, year_day);
        while day > days_in(self.year, month) {
            day -= days_in(self.year, month);
            month += 1;
        }
        if self.month.is_some_and(|given| given != month) {
            return Err("day-of-year does not match month");
        }
        if self.day.is_some_and(|given| given != day) {
            return Err("day-of-year does not match day");
        }
        Ok((month, day))
    }
}

/// A number with an optional sign and nothing else.
fn atoi(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let (number, rest) = leading_int(digits)?;
    let number = i64::try_from(number).ok().filter(|_| rest.is_empty())?;
    Some(if negative { -number } else { number })
}

/// The width of a fraction of a second with its separator, if there is one.
fn fraction_width(text: &[u8]) -> Option<usize> {
    let [b'.' | b',', digits @ ..] = text else {
        return None;
    };
    let count = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    (count > 0).then_some(1 + count)
}

/// The width of what looks like the abbreviation of a zone.
fn zone_width(text: &[u8]) -> Option<usize> {
    if text.len() < 3 {
        return None;
    }
    if text.starts_with(b"ChST") || text.starts_with(b"MeST") {
        return Some(4);
    }
    if let Some(rest) = text.strip_prefix(b"GMT") {
        return Some(3 + signed_width(rest));
    }
    if matches!(text[0], b'+' | b'-') {
        return Some(signed_width(text)).filter(|width| *width > 0);
    }
    let capitals = text.iter().take(6).take_while(|b| b.is_ascii_uppercase());
    match capitals.count() {
        3 => Some(3),
        4 if text[3] == b'T' || text.starts_with(b"WITA") => Some(4),
        5 if text[4] == b'T' => Some(5),
        _ => None,
    }
}

/// The width of an hour offset such as `+3`, or 0.
fn signed_width(text: &[u8]) -> usize {
    let [b'+' | b'-', digits @ ..] = text else {
        return 0;
    };
    match leading_int(digits) {
        Some((hours, rest)) if rest.len() < digits.len() && hours <= 23 => text.len() - rest.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::value::Object;

    fn read(layout: &str, value: &str) -> String {
        match parse(layout.as_bytes(), value.as_bytes()) {
            Ok(time) => time.to_str().unwrap().to_text().into_owned(),
            Err(error) => error,
        }
    }

    #[test]
    fn reads_times() {
        for (layout, value, want) in [
            ("2006-01-02", "2024-02-29", "2024-02-29 00:00:00 +0000 UTC"),
            (
                "2006-01-02T15:04:05Z07:00",
                "2024-01-02T03:04:05.678Z",
                "2024-01-02 03:04:05.678 +0000 UTC",
            ),
            (
                "2006-01-02T15:04:05Z07:00",
                "2024-01-02T03:04:05+05:30",
                "2024-01-02 03:04:05 +0530 +0530",
            ),
            (
                "Jan _2 2006 3:04PM",
                "feb  3 2020 12:30AM",
                "2020-02-03 00:30:00 +0000 UTC",
            ),
            (
                "Monday, 02-Jan-06 15:04:05 MST",
                "Friday, 01-Nov-13 10:00:00 EST",
                "2013-11-01 10:00:00 +0000 EST",
            ),
            ("2006 002", "2024 366", "2024-12-31 00:00:00 +0000 UTC"),
            (
                "15:04 MST",
                "10:00 GMT+3",
                "0000-01-01 13:00:00 +0300 GMT+3",
            ),
        ] {
            assert_eq!(read(layout, value), want, "{layout}");
        }
    }

    #[test]
    fn says_what_it_cannot_read() {
        for (layout, value, want) in [
            (
                "2006-01-02",
                "bogus",
                r#"parsing time "bogus" as "2006-01-02": cannot parse "bogus" as "2006""#,
            ),
            (
                "2006-01-02",
                "2024-13-01",
                r#"parsing time "2024-13-01": month out of range"#,
            ),
            (
                "2006-01-02",
                "2023-02-29",
                r#"parsing time "2023-02-29": day out of range"#,
            ),
            ("2006", "2024x", r#"parsing time "2024x": extra text: "x""#),
            (
                "2006-01",
                "2024/01",
                r#"parsing time "2024/01" as "2006-01": cannot parse "/01" as "-""#,
            ),
        ] {
            assert_eq!(read(layout, value), want);
        }
    }
}
