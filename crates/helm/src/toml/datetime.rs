//! Dates and times as TOML writes them.

/// Which parts a TOML date or time has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatetimeKind {
    /// Date, time and offset from UTC in seconds.
    Offset(i32),
    /// Date and time of no zone; BurntSushi's location `datetime-local`.
    Local,
    /// A date; BurntSushi's location `date-local`.
    Date,
    /// A time of day, on day 1 of year 0; BurntSushi's location `time-local`.
    Time,
}

/// A date or time as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datetime {
    /// Which of the parts count.
    pub kind: DatetimeKind,
    /// Year, 0 to 9999.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day, 1 to 31.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 59.
    pub second: u8,
    /// Nanoseconds.
    pub nanosecond: u32,
}

/// Two digits.
fn pair(text: &[u8], at: usize) -> Option<u8> {
    match text.get(at..at + 2)? {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some((a - b'0') * 10 + (b - b'0')),
        _ => None,
    }
}

/// A date, a time or both, with or without offset; `None` when a part is out of range.
pub(super) fn parse_datetime(text: &str) -> Option<Datetime> {
    let mut datetime = Datetime {
        kind: DatetimeKind::Time,
        year: 0,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        nanosecond: 0,
    };
    let bytes = text.as_bytes();
    if bytes.get(2) == Some(&b':') {
        return parse_time(bytes, &mut datetime)?
            .is_empty()
            .then_some(datetime);
    }
    if bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    datetime.year = u16::from(pair(bytes, 0)?) * 100 + u16::from(pair(bytes, 2)?);
    datetime.month = pair(bytes, 5)?;
    datetime.day = pair(bytes, 8)?;
    let year = datetime.year;
    let longest = match datetime.month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if datetime.day < 1 || datetime.day > longest {
        return None;
    }
    let rest = match &bytes[10..] {
        [] => {
            datetime.kind = DatetimeKind::Date;
            return Some(datetime);
        }
        [b'T', time @ ..] => parse_time(time, &mut datetime)?,
        _ => return None,
    };
    datetime.kind = match rest {
        [] => DatetimeKind::Local,
        b"Z" => DatetimeKind::Offset(0),
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (pair(rest, 1)?, pair(rest, 4)?);
            if hours > 24 || minutes > 60 {
                return None;
            }
            let seconds = (i32::from(hours) * 60 + i32::from(minutes)) * 60;
            DatetimeKind::Offset(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => return None,
    };
    Some(datetime)
}

/// Reads `15:04` or `15:04:05.9`; gives what follows.
fn parse_time<'t>(text: &'t [u8], datetime: &mut Datetime) -> Option<&'t [u8]> {
    datetime.hour = pair(text, 0)?;
    datetime.minute = pair(text, 3)?;
    if text.get(2) != Some(&b':') || datetime.hour > 23 || datetime.minute > 59 {
        return None;
    }
    let Some(b':') = text.get(5) else {
        return Some(&text[5..]);
    };
    datetime.second = pair(text, 6)?;
    if datetime.second > 59 {
        return None;
    }
    let rest = &text[8..];
    let [b'.', fraction @ ..] = rest else {
        return Some(rest);
    };
    let count = fraction
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if count == 0 {
        return None;
    }
    let digits = fraction[..count].iter().chain(std::iter::repeat(&b'0'));
    datetime.nanosecond = digits
        .take(9)
        .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    Some(&fraction[count..])
}
