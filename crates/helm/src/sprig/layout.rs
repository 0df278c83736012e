//! Go's time layouts (`Mon Jan _2 15:04:05 2006`): their parts, and writing a time by them.
//!
//! Follows Go 1.26 `time/format.go`. Reading a time by a layout is in [`super::time_parse`].

use super::time::{Civil, LONG_MONTHS, LONG_WEEKDAYS, Time};

/// A part of a layout that stands for a part of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperPm,
    LowerPm,
    ZoneName,
    Offset(Offset),
    Fraction(Fraction),
}

/// How an offset from UTC is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offset {
    /// `Z` for UTC itself.
    pub(super) iso: bool,
    pub(super) colon: bool,
    pub(super) minutes: bool,
    pub(super) seconds: bool,
}

/// How a fraction of a second is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fraction {
    pub(super) digits: usize,
    /// Written with nines: without zeros at the end.
    pub(super) trimmed: bool,
    comma: bool,
}

/// The parts that are recognized by their text alone, those that begin with another one after it.
const FIXED: &[(&str, Part)] = &[
    ("January", Part::LongMonth),
    ("Monday", Part::LongWeekday),
    ("MST", Part::ZoneName),
    ("002", Part::ZeroYearDay),
    ("01", Part::ZeroMonth),
    ("02", Part::ZeroDay),
    ("03", Part::ZeroHour12),
    ("04", Part::ZeroMinute),
    ("05", Part::ZeroSecond),
    ("06", Part::Year),
    ("15", Part::Hour),
    ("1", Part::NumMonth),
    ("2006", Part::LongYear),
    ("2", Part::Day),
    ("_2", Part::UnderDay),
    ("__2", Part::UnderYearDay),
    ("3", Part::Hour12),
    ("4", Part::Minute),
    ("5", Part::Second),
    ("PM", Part::UpperPm),
    ("pm", Part::LowerPm),
];

/// The ways to write an offset after its sign, longest first.
const OFFSETS: &[(&str, [bool; 3])] = &[
    ("070000", [false, true, true]),
    ("07:00:00", [true, true, true]),
    ("0700", [false, true, false]),
    ("07:00", [true, true, false]),
    ("07", [false, false, false]),
];

/// A layout up to its first part: the text before, the part with its own text, and the rest.
pub(super) struct Chunk<'a> {
    pub(super) prefix: &'a [u8],
    pub(super) part: Option<Part>,
    pub(super) text: &'a [u8],
    pub(super) rest: &'a [u8],
}

/// Go's `nextStdChunk`.
pub(super) fn next_chunk(layout: &[u8]) -> Chunk<'_> {
    for at in 0..layout.len() {
        // `_2006` is an underscore and a year.
        let from = if layout[at..].starts_with(b"_2006") {
            at + 1
        } else {
            at
        };
        if let Some((part, width)) = part_at(&layout[from..]) {
            let (prefix, rest) = layout.split_at(from);
            let (text, rest) = rest.split_at(width);
            let part = Some(part);
            return Chunk {
                prefix,
                part,
                text,
                rest,
            };
        }
    }
    Chunk {
        prefix: layout,
        part: None,
        text: b"",
        rest: b"",
    }
}

/// The part that a text begins with, and its width.
fn part_at(text: &[u8]) -> Option<(Part, usize)> {
    match text.first()? {
        b'-' | b'Z' => return offset_at(text),
        b'.' | b',' => return fraction_at(text),
        _ => {}
    }
    if let Some((fixed, part)) = FIXED
        .iter()
        .find(|(fixed, _)| text.starts_with(fixed.as_bytes()))
    {
        return Some((*part, fixed.len()));
    }
    let short = match text.get(..3)? {
        b"Jan" => Part::Month,
        b"Mon" => Part::Weekday,
        _ => return None,
    };
    // `Janet` and `Money` are words.
    let word = text.get(3).is_some_and(u8::is_ascii_lowercase);
    (!word).then_some((short, 3))
}

fn offset_at(text: &[u8]) -> Option<(Part, usize)> {
    let (fixed, [colon, minutes, seconds]) = OFFSETS
        .iter()
        .find(|(fixed, _)| text[1..].starts_with(fixed.as_bytes()))?;
    let offset = Offset {
        iso: text[0] == b'Z',
        colon: *colon,
        minutes: *minutes,
        seconds: *seconds,
    };
    Some((Part::Offset(offset), 1 + fixed.len()))
}

fn fraction_at(text: &[u8]) -> Option<(Part, usize)> {
    let digit = *text.get(1).filter(|digit| matches!(digit, b'0' | b'9'))?;
    let digits = text[1..].iter().take_while(|byte| **byte == digit).count();
    if text.get(1 + digits).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let fraction = Fraction {
        digits,
        trimmed: digit == b'9',
        comma: text[0] == b',',
    };
    Some((Part::Fraction(fraction), 1 + digits))
}

/// Writes a time by a layout (`Time.Format`).
pub(super) fn format(time: &Time, layout: &[u8]) -> Vec<u8> {
    let civil = time.civil();
    let mut out = Vec::with_capacity(layout.len() + 10);
    let mut rest = layout;
    loop {
        let chunk = next_chunk(rest);
        out.extend_from_slice(chunk.prefix);
        let Some(part) = chunk.part else {
            return out;
        };
        out.extend_from_slice(written(part, &civil, time.nanosecond()).as_bytes());
        rest = chunk.rest;
    }
}

fn written(part: Part, civil: &Civil, nanosecond: u32) -> String {
    let hour12 = match civil.hour % 12 {
        0 => 12,
        hour => hour,
    };
    match part {
        Part::LongMonth => civil.month_name().to_owned(),
        Part::Month => civil.month_name()[..3].to_owned(),
        Part::NumMonth => padded(civil.month, 0),
        Part::ZeroMonth => padded(civil.month, 2),
        Part::LongWeekday => civil.weekday_name().to_owned(),
        Part::Weekday => civil.weekday_name()[..3].to_owned(),
        Part::Day => padded(civil.day, 0),
        Part::UnderDay => format!("{:>2}", civil.day),
        Part::ZeroDay => padded(civil.day, 2),
        Part::UnderYearDay => format!("{:>3}", civil.year_day),
        Part::ZeroYearDay => padded(civil.year_day, 3),
        Part::Hour => padded(civil.hour, 2),
        Part::Hour12 => padded(hour12, 0),
        Part::ZeroHour12 => padded(hour12, 2),
        Part::Minute => padded(civil.minute, 0),
        Part::ZeroMinute => padded(civil.minute, 2),
        Part::Second => padded(civil.second, 0),
        Part::ZeroSecond => padded(civil.second, 2),
        Part::LongYear => padded(civil.year, 4),
        Part::Year => padded(civil.year.abs() % 100, 2),
        Part::UpperPm => if civil.hour >= 12 { "PM" } else { "AM" }.to_owned(),
        Part::LowerPm => if civil.hour >= 12 { "pm" } else { "am" }.to_owned(),
        Part::ZoneName if !civil.zone.is_empty() => civil.zone.clone(),
        Part::ZoneName => written_offset(OFFSET_FOR_NAME, civil.offset),
        Part::Offset(offset) => written_offset(offset, civil.offset),
        Part::Fraction(fraction) => written_fraction(fraction, nanosecond),
    }
}

/// How a zone without a name is written.
const OFFSET_FOR_NAME: Offset = Offset {
    iso: false,
    colon: false,
    minutes: true,
    seconds: false,
};

/// A number with zeros in front up to a width, which does not count the sign.
fn padded(number: i64, width: usize) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{:0width$}", number.unsigned_abs())
}

fn written_offset(style: Offset, offset: i32) -> String {
    if style.iso && offset == 0 {
        return "Z".to_owned();
    }
    // The sign is that of the minutes: it is lost below one.
    let minutes = offset / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let (minutes, seconds) = (minutes.abs(), offset.abs() % 60);
    let colon = if style.colon { ":" } else { "" };
    let (hours, minutes) = (minutes / 60, minutes % 60);
    match (style.minutes, style.seconds) {
        (false, _) => format!("{sign}{hours:02}"),
        (true, false) => format!("{sign}{hours:02}{colon}{minutes:02}"),
        (true, true) => format!("{sign}{hours:02}{colon}{minutes:02}{colon}{seconds:02}"),
    }
}

fn written_fraction(style: Fraction, nanosecond: u32) -> String {
    let nine = format!("{nanosecond:09}");
    let digits = if style.digits <= 9 {
        nine[..style.digits].to_owned()
    } else {
        // Go writes nine digits at most.
        nine
    };
    let digits = if style.trimmed {
        digits.trim_end_matches('0')
    } else {
        &digits
    };
    if style.trimmed && digits.is_empty() {
        return String::new();
    }
    format!("{}{digits}", if style.comma { ',' } else { '.' })
}

impl Civil {
    /// The English name of the month.
    pub(super) fn month_name(&self) -> &'static str {
        name(LONG_MONTHS, self.month - 1)
    }

    /// The English name of the day of the week.
    pub(super) fn weekday_name(&self) -> &'static str {
        name(LONG_WEEKDAYS, self.weekday)
    }
}

fn name(names: &[&'static str], at: i64) -> &'static str {
    usize::try_from(at)
        .ok()
        .and_then(|at| names.get(at))
        .copied()
        .unwrap_or("???")
}
