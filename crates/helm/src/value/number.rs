//! Numbers as Go writes and reads them: `strconv.FormatFloat`, `ParseFloat`, `ParseInt`, `ParseUint`.
//!
//! Follows Go 1.26 internal/strconv (ftoa.go, atof.go, atoi.go). It knows neither `printf` flags nor
//! the JSON form of numbers, which build on it.

use std::fmt::Write;

/// Why a text is not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberError<T> {
    /// `strconv.ErrSyntax`: not a number at all.
    Syntax,
    /// `strconv.ErrRange`: a number outside the type; holds the nearest value, as Go returns it.
    Range(T),
}

impl<T> NumberError<T> {
    /// The text of Go's error value.
    #[must_use]
    pub fn text(&self) -> &'static str {
        match self {
            Self::Syntax => "invalid syntax",
            Self::Range(_) => "value out of range",
        }
    }
}

/// The most significant digits that a `f64` can have, with room to spare; beyond it all are zero.
const MAX_DIGITS: usize = 1200;

/// Decimal digits with the point before the first, `0.DIGITS × 10^point`.
struct Digits {
    text: Vec<u8>,
    point: i32,
}

impl Digits {
    /// Takes apart what Rust's `{:e}` prints.
    fn of(scientific: &str) -> Self {
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
        let text: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
        if text.iter().all(|d| *d == b'0') {
            return Self {
                text: Vec::new(),
                point: 0,
            };
        }
        Self {
            text,
            point: exponent.parse::<i32>().unwrap_or(0) + 1,
        }
    }

    fn len(&self) -> usize {
        self.text.len()
    }
}

/// Writes a float as Go's `strconv.FormatFloat`: `verb` is one of `e E f g G b x X`, `precision` −1
/// the shortest text that reads back as the same number, `bits` 32 or 64 the width of the type.
///
/// The shortest `g` takes the exponent form below 1e-4 and from 1e6 on: `100000`, `1e+06`. That is
/// what `%v` and YAML print; JSON has a rule of its own.
#[must_use]
pub fn format_float(value: f64, verb: u8, precision: i32, bits: u32) -> String {
    let value = if bits == 32 {
        f64::from(value as f32)
    } else {
        value
    };
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.into();
    }
    let mut out = String::with_capacity(24);
    if value.is_sign_negative() {
        out.push('-');
    }
    let value = value.abs();
    match verb {
        b'b' => write_binary(&mut out, value, bits),
        b'x' | b'X' => write_hex(&mut out, value, verb, precision, bits),
        b'e' | b'E' | b'f' | b'F' | b'g' | b'G' => {
            write_decimal(&mut out, value, verb, precision, bits);
        }
        _ => {
            out.clear();
            out.push('%');
            out.push(char::from(verb));
        }
    }
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("invariant: writing to a string cannot fail");
}

fn shortest_digits(value: f64, bits: u32) -> Digits {
    if bits == 32 {
        let value = value as f32;
        let text = format!("{value:e}");
        return Digits::of(&even(text, value, 7, |value, places| {
            format!("{value:.places$e}")
        }));
    }
    let text = format!("{value:e}");
    Digits::of(&even(text, value, 15, |value, places| {
        format!("{value:.places$e}")
    }))
}

/// Of two shortest texts equally near to the number Go takes the one that ends in an even digit. It
/// is the one that rounding gives. Only long texts can have such a twin.
fn even<F>(text: String, value: F, long: usize, round: fn(F, usize) -> String) -> String
where
    F: Copy + PartialEq + std::str::FromStr,
{
    let digits = text
        .bytes()
        .take_while(|byte| *byte != b'e')
        .filter(u8::is_ascii_digit)
        .count();
    if digits < long {
        return text;
    }
    let rounded = round(value, digits - 1);
    if rounded.parse().is_ok_and(|read: F| read == value) {
        rounded
    } else {
        text
    }
}

fn write_decimal(out: &mut String, value: f64, verb: u8, precision: i32, bits: u32) {
    let Ok(wanted) = usize::try_from(precision) else {
        let digits = shortest_digits(value, bits);
        let count = digits.len();
        match verb {
            b'e' | b'E' => write_exponent(out, &digits, count.saturating_sub(1), verb),
            b'f' | b'F' => {
                let places = i64::try_from(count).unwrap_or(0) - i64::from(digits.point);
                write_plain(out, &digits, usize::try_from(places).unwrap_or(0));
            }
            _ => write_general(out, &digits, count, true, verb),
        }
        return;
    };
    match verb {
        b'e' | b'E' => {
            let digits = Digits::of(&format!("{:.*e}", wanted.min(MAX_DIGITS), value));
            write_exponent(out, &digits, wanted, verb);
        }
        b'f' | b'F' => {
            let shown = wanted.min(MAX_DIGITS);
            put(out, format_args!("{value:.shown$}"));
            out.extend(std::iter::repeat_n('0', wanted - shown));
        }
        _ => {
            let wanted = wanted.max(1);
            let mut digits = Digits::of(&format!("{:.*e}", (wanted - 1).min(MAX_DIGITS), value));
            while digits.text.last() == Some(&b'0') {
                digits.text.pop();
            }
            write_general(out, &digits, wanted, false, verb);
        }
    }
}

fn write_general(out: &mut String, digits: &Digits, precision: usize, shortest: bool, verb: u8) {
    let count = digits.len();
    let point = i64::from(digits.point);
    let signed = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let limit = match () {
        () if shortest => 6,
        () if precision > count && signed(count) >= point => signed(count),
        () => signed(precision),
    };
    let exponent = point - 1;
    if exponent < -4 || exponent >= limit {
        let places = precision.min(count).saturating_sub(1);
        write_exponent(out, digits, places, verb - (b'g' - b'e'));
    } else {
        let shown = if signed(precision) > point {
            signed(count)
        } else {
            signed(precision)
        };
        write_plain(out, digits, usize::try_from(shown - point).unwrap_or(0));
    }
}

fn write_exponent(out: &mut String, digits: &Digits, places: usize, letter: u8) {
    out.push(char::from(*digits.text.first().unwrap_or(&b'0')));
    if places > 0 {
        out.push('.');
        let rest = digits.text.get(1..).unwrap_or(&[]);
        let shown = rest.len().min(places);
        out.extend(rest[..shown].iter().map(|d| char::from(*d)));
        out.extend(std::iter::repeat_n('0', places - shown));
    }
    out.push(char::from(letter));
    let exponent = if digits.len() == 0 {
        0
    } else {
        digits.point - 1
    };
    push_exponent(out, exponent);
}

fn push_exponent(out: &mut String, exponent: i32) {
    out.push(if exponent < 0 { '-' } else { '+' });
    put(out, format_args!("{:02}", exponent.unsigned_abs()));
}

fn write_plain(out: &mut String, digits: &Digits, places: usize) {
    let point = usize::try_from(digits.point).unwrap_or(0);
    if point > 0 {
        let shown = digits.len().min(point);
        out.extend(digits.text[..shown].iter().map(|d| char::from(*d)));
        out.extend(std::iter::repeat_n('0', point - shown));
    } else {
        out.push('0');
    }
    if places > 0 {
        out.push('.');
        let mut written = 0;
        if digits.point < 0 {
            let gap = digits.point.unsigned_abs() as usize;
            written = gap.min(places);
            out.extend(std::iter::repeat_n('0', written));
        }
        let rest = digits.text.get(point..).unwrap_or(&[]);
        let shown = rest.len().min(places - written);
        out.extend(rest[..shown].iter().map(|d| char::from(*d)));
        out.extend(std::iter::repeat_n('0', places - written - shown));
    }
}

/// Mantissa, exponent of its lowest bit, and the number of fraction bits of the type.
fn parts(value: f64, bits: u32) -> (u64, i32, u32) {
    let (raw, fraction_bits, bias) = if bits == 32 {
        (u64::from((value as f32).to_bits()), 23, -127)
    } else {
        (value.to_bits(), 52, -1023)
    };
    let exponent_mask = if bits == 32 { 0xff } else { 0x7ff };
    let exponent = i32::try_from((raw >> fraction_bits) & exponent_mask).unwrap_or(0);
    let mantissa = raw & ((1 << fraction_bits) - 1);
    if exponent == 0 {
        (mantissa, bias + 1, fraction_bits)
    } else {
        (
            mantissa | 1 << fraction_bits,
            exponent + bias,
            fraction_bits,
        )
    }
}

fn write_binary(out: &mut String, value: f64, bits: u32) {
    let (mantissa, exponent, fraction_bits) = parts(value, bits);
    put(
        out,
        format_args!("{mantissa}p{:+}", exponent - fraction_bits.cast_signed()),
    );
}

fn write_hex(out: &mut String, value: f64, verb: u8, precision: i32, bits: u32) {
    let (mut mantissa, mut exponent, fraction_bits) = parts(value, bits);
    if mantissa == 0 {
        exponent = 0;
    }
    mantissa <<= 60 - fraction_bits;
    while mantissa != 0 && mantissa & (1 << 60) == 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    if (0..15).contains(&precision) {
        let shift = precision.unsigned_abs() * 4;
        let extra = (mantissa << shift) & ((1 << 60) - 1);
        mantissa >>= 60 - shift;
        if extra | (mantissa & 1) > 1 << 59 {
            mantissa += 1;
        }
        mantissa <<= 60 - shift;
        if mantissa & (1 << 61) != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let table: &[u8; 16] = if verb == b'X' {
        b"0123456789ABCDEF"
    } else {
        b"0123456789abcdef"
    };
    out.push('0');
    out.push(char::from(verb));
    out.push(if (mantissa >> 60) & 1 == 1 { '1' } else { '0' });
    mantissa <<= 4;
    let places = usize::try_from(precision)
        .unwrap_or_else(|_| (64 - mantissa.trailing_zeros() as usize).div_ceil(4));
    if places > 0 {
        out.push('.');
    }
    for _ in 0..places {
        out.push(char::from(
            table[usize::try_from(mantissa >> 60).unwrap_or(0) & 15],
        ));
        mantissa <<= 4;
    }
    out.push(if verb == b'X' { 'P' } else { 'p' });
    push_exponent(out, exponent);
}

/// Reads a float as Go's `strconv.ParseFloat`: decimal or hexadecimal, `_` between digits, `inf`, `infinity`, `nan` in any case. `bits` is 32 or 64.
///
/// # Errors
/// [`NumberError::Syntax`], or [`NumberError::Range`] with an infinity when the number is too large.
pub fn parse_float(text: impl AsRef<[u8]>, bits: u32) -> Result<f64, NumberError<f64>> {
    let bytes = text.as_ref();
    if let Some(value) = special(bytes) {
        return Ok(value);
    }
    let (negative, unsigned) = match bytes {
        [b'+', rest @ ..] => (false, rest),
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let value = match unsigned {
        [b'0', b'x' | b'X', rest @ ..] if !rest.is_empty() => parse_hex(bytes, rest, bits)?,
        _ => parse_decimal(bytes, unsigned, bits)?,
    };
    let value = if negative { -value } else { value };
    if value.is_infinite() {
        Err(NumberError::Range(value))
    } else {
        Ok(value)
    }
}

fn special(bytes: &[u8]) -> Option<f64> {
    let (sign, signed, rest) = match bytes {
        [b'+', rest @ ..] => (1.0, true, rest),
        [b'-', rest @ ..] => (-1.0, true, rest),
        rest => (1.0, false, rest),
    };
    if rest.eq_ignore_ascii_case(b"inf") || rest.eq_ignore_ascii_case(b"infinity") {
        return Some(sign * f64::INFINITY);
    }
    (!signed && rest.eq_ignore_ascii_case(b"nan")).then_some(f64::NAN)
}

fn parse_decimal(whole: &[u8], unsigned: &[u8], bits: u32) -> Result<f64, NumberError<f64>> {
    let mut clean = String::with_capacity(unsigned.len());
    let mut underscores = false;
    for byte in unsigned {
        match byte {
            b'_' => underscores = true,
            b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-' => clean.push(char::from(*byte)),
            _ => return Err(NumberError::Syntax),
        }
    }
    let signed = clean.starts_with(['+', '-']);
    // An exponent may not begin with an underscore even where underscores are allowed.
    let loose_exponent = unsigned
        .windows(2)
        .any(|w| matches!(w, [b'e' | b'E' | b'+' | b'-', b'_']));
    if signed || loose_exponent || underscores && !underscores_fit(whole) {
        return Err(NumberError::Syntax);
    }
    let parsed = if bits == 32 {
        clean.parse::<f32>().map(f64::from)
    } else {
        clean.parse::<f64>()
    };
    parsed.map_err(|_| NumberError::Syntax)
}

/// Reads `HEX.HEXp±DEC`, rounding to even once.
fn parse_hex(whole: &[u8], digits: &[u8], bits: u32) -> Result<f64, NumberError<f64>> {
    let mut mantissa: u64 = 0;
    let mut lost = false;
    let mut point: Option<i64> = None;
    let mut exponent: i64 = 0;
    let (mut seen, mut underscores, mut at) = (false, false, 0);
    while let Some(byte) = digits.get(at) {
        match byte {
            b'_' => underscores = true,
            b'.' if point.is_none() => point = Some(0),
            _ => {
                let Some(digit) = char::from(*byte).to_digit(16) else {
                    break;
                };
                seen = true;
                let fraction = i64::from(point.is_some()) * 4;
                if mantissa >> 60 == 0 {
                    mantissa = mantissa << 4 | u64::from(digit);
                    exponent -= fraction;
                } else {
                    lost |= digit != 0;
                    exponent += 4 - fraction;
                }
            }
        }
        at += 1;
    }
    let (Some(b'p' | b'P'), true) = (digits.get(at), seen) else {
        return Err(NumberError::Syntax);
    };
    let (negative, power) = match &digits[at + 1..] {
        [b'+', rest @ ..] => (false, rest),
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if !power.first().is_some_and(u8::is_ascii_digit) {
        return Err(NumberError::Syntax);
    }
    let mut shift: i64 = 0;
    for byte in power {
        match byte {
            b'_' => underscores = true,
            b'0'..=b'9' if shift < 10_000 => shift = shift * 10 + i64::from(byte - b'0'),
            b'0'..=b'9' => {}
            _ => return Err(NumberError::Syntax),
        }
    }
    if underscores && !underscores_fit(whole) {
        return Err(NumberError::Syntax);
    }
    exponent += if negative { -shift } else { shift };
    Ok(scale(mantissa, lost, exponent, bits))
}

/// `mantissa × 2^exponent`, rounded to even to 24 or 53 bits; infinity when too large.
fn scale(mut mantissa: u64, lost: bool, mut exponent: i64, bits: u32) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    let (precision, lowest, highest) = if bits == 32 {
        (24, -149, 127)
    } else {
        (53, -1074, 1023)
    };
    // Two extra bits for rounding; the last one is sticky.
    let shift = i64::from(mantissa.leading_zeros());
    mantissa <<= shift;
    exponent -= shift;
    let drop = (64 - precision).max(lowest - exponent);
    if drop > 65 {
        return 0.0;
    }
    let kept = if drop >= 64 { 0 } else { mantissa >> drop };
    let half = if drop > 64 {
        0
    } else {
        mantissa >> (drop - 1) & 1
    };
    let below = match drop - 1 {
        64.. => mantissa != 0,
        bits_below => mantissa & ((1 << bits_below) - 1) != 0,
    };
    let up = half == 1 && (below || lost || kept & 1 == 1);
    let rounded = kept + u64::from(up);
    let power = exponent + drop;
    if rounded != 0 && 63 - i64::from(rounded.leading_zeros()) + power > highest {
        return f64::INFINITY;
    }
    // Exact: at most 53 bits; the two steps keep every factor in range.
    let step = i32::try_from(power / 2).unwrap_or(0);
    let rest = i32::try_from(power - power / 2).unwrap_or(0);
    #[expect(clippy::cast_precision_loss, reason = "invariant: at most 53 bits")]
    let base = rounded as f64;
    base * 2f64.powi(step) * 2f64.powi(rest)
}

/// Whether every underscore stands between digits or after a base prefix (Go's `underscoreOK`).
fn underscores_fit(text: &[u8]) -> bool {
    let text = match text {
        [b'+' | b'-', rest @ ..] => rest,
        rest => rest,
    };
    let (hex, rest, mut saw) = match text {
        [b'0', b'x' | b'X', rest @ ..] => (true, rest, b'0'),
        [b'0', b'b' | b'B' | b'o' | b'O', rest @ ..] => (false, rest, b'0'),
        rest => (false, rest, b'^'),
    };
    for byte in rest {
        if byte.is_ascii_digit() || hex && byte.is_ascii_hexdigit() {
            saw = b'0';
        } else if *byte == b'_' {
            if saw != b'0' {
                return false;
            }
            saw = b'_';
        } else {
            if saw == b'_' {
                return false;
            }
            saw = b'!';
        }
    }
    saw != b'_'
}

/// Reads an unsigned integer as Go's `strconv.ParseUint(text, base, 64)`; base 0 takes the base from
/// the prefix (`0x`, `0o`, `0b`, a leading `0` for octal) and allows `_` between digits.
///
/// # Errors
/// [`NumberError::Syntax`], or [`NumberError::Range`] with the largest value.
pub fn parse_uint(text: impl AsRef<[u8]>, base: u32) -> Result<u64, NumberError<u64>> {
    let whole = text.as_ref();
    let (radix, digits) = match whole {
        [] => return Err(NumberError::Syntax),
        _ if base != 0 => (base, whole),
        [b'0', b'b' | b'B', rest @ ..] if !rest.is_empty() => (2, rest),
        [b'0', b'o' | b'O', rest @ ..] if !rest.is_empty() => (8, rest),
        [b'0', b'x' | b'X', rest @ ..] if !rest.is_empty() => (16, rest),
        [b'0', rest @ ..] => (8, rest),
        rest => (10, rest),
    };
    if !(2..=36).contains(&radix) {
        return Err(NumberError::Syntax);
    }
    let mut underscores = false;
    let mut value: u64 = 0;
    for byte in digits {
        if *byte == b'_' && base == 0 {
            underscores = true;
            continue;
        }
        let digit = char::from(*byte)
            .to_digit(radix)
            .ok_or(NumberError::Syntax)?;
        value = value
            .checked_mul(u64::from(radix))
            .and_then(|v| v.checked_add(u64::from(digit)))
            .ok_or(NumberError::Range(u64::MAX))?;
    }
    if underscores && !underscores_fit(whole) {
        return Err(NumberError::Syntax);
    }
    Ok(value)
}

/// Reads a signed integer as Go's `strconv.ParseInt(text, base, 64)`; see [`parse_uint`] for base 0.
///
/// # Errors
/// [`NumberError::Syntax`], or [`NumberError::Range`] with the nearest value.
pub fn parse_int(text: impl AsRef<[u8]>, base: u32) -> Result<i64, NumberError<i64>> {
    let (negative, digits) = match text.as_ref() {
        [b'+', rest @ ..] => (false, rest),
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let limit = if negative { i64::MIN } else { i64::MAX };
    match parse_uint(digits, base) {
        Ok(value) if negative => 0i64
            .checked_sub_unsigned(value)
            .ok_or(NumberError::Range(limit)),
        Ok(value) => i64::try_from(value).map_err(|_| NumberError::Range(limit)),
        Err(NumberError::Syntax) => Err(NumberError::Syntax),
        Err(NumberError::Range(_)) => Err(NumberError::Range(limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from Go 1.26 `strconv.FormatFloat`.
    #[test]
    fn formats_floats_as_go_does() {
        for (value, verb, precision, bits, wanted) in [
            (0.0, b'g', -1, 64, "0"),
            (-0.0, b'g', -1, 64, "-0"),
            (100_000.0, b'g', -1, 64, "100000"),
            (1_000_000.0, b'g', -1, 64, "1e+06"),
            (100_000.5, b'g', -1, 64, "100000.5"),
            (0.0001, b'g', -1, 64, "0.0001"),
            (0.00001, b'g', -1, 64, "1e-05"),
            (5e-324, b'g', -1, 64, "5e-324"),
            (697_942_398_440_112.2, b'f', -1, 64, "697942398440112.2"),
            (1e23, b'f', -1, 64, "100000000000000000000000"),
            (0.1, b'g', -1, 32, "0.1"),
            (0.1, b'f', 20, 64, "0.10000000000000000555"),
            (2.5, b'f', 0, 64, "2"),
            (1.25, b'e', 1, 64, "1.2e+00"),
            (1_234_567.0, b'g', 3, 64, "1.23e+06"),
            (1_234_567.0, b'G', 3, 64, "1.23E+06"),
            (100.0, b'g', 5, 64, "100"),
            (1.5, b'b', -1, 64, "6755399441055744p-52"),
            (1.5, b'x', -1, 64, "0x1.8p+00"),
            (1.5, b'X', 3, 64, "0X1.800P+00"),
            (f64::INFINITY, b'g', -1, 64, "+Inf"),
            (f64::NAN, b'f', 2, 64, "NaN"),
        ] {
            assert_eq!(
                format_float(value, verb, precision, bits),
                wanted,
                "{value} {precision}"
            );
        }
    }

    #[test]
    fn precision_beyond_the_digits_of_a_float_is_zeros() {
        let text = format_float(0.5, b'f', 100_000, 64);
        assert_eq!(text.len(), 100_002);
        assert_eq!(format_float(0.5, b'g', 100_000, 64), "0.5");
    }

    /// Recorded from Go 1.26 `strconv.ParseFloat`.
    #[test]
    fn reads_floats_as_go_does() {
        for (text, wanted) in [
            ("1.", 1.0),
            (".5", 0.5),
            ("+1e2", 100.0),
            ("1_0e0_1", 100.0),
            ("0x1p-2", 0.25),
            ("0x_1_0p0", 16.0),
            ("0x1p-1074", 5e-324),
            ("0x1p-1075", 0.0),
            ("0x1.8p-1075", 5e-324),
            ("-Infinity", f64::NEG_INFINITY),
        ] {
            assert_eq!(parse_float(text, 64), Ok(wanted), "{text}");
        }
        for text in [
            "", ".", "1__0", "1e", "0x1", "0x.p1", "e5", "1e_5", "--1", "1 ", "+nan", "_1e5",
        ] {
            assert_eq!(parse_float(text, 64), Err(NumberError::Syntax), "{text}");
        }
        assert_eq!(
            parse_float("-1e400", 64),
            Err(NumberError::Range(f64::NEG_INFINITY))
        );
        assert_eq!(
            parse_float("3.4028236e38", 32),
            Err(NumberError::Range(f64::INFINITY))
        );
    }

    /// Recorded from Go 1.26 `strconv.ParseInt`.
    #[test]
    fn reads_integers_as_go_does() {
        for (text, wanted) in [
            ("017", Ok(15)),
            ("0o17", Ok(15)),
            ("0b1_0", Ok(2)),
            ("-0x10", Ok(-16)),
            ("1_000", Ok(1000)),
            ("9223372036854775808", Err(NumberError::Range(i64::MAX))),
            ("-9223372036854775808", Ok(i64::MIN)),
            ("08", Err(NumberError::Syntax)),
            ("1__0", Err(NumberError::Syntax)),
            ("_1", Err(NumberError::Syntax)),
            ("0x", Err(NumberError::Syntax)),
            ("", Err(NumberError::Syntax)),
        ] {
            assert_eq!(parse_int(text, 0), wanted, "{text}");
        }
        assert_eq!(parse_int("1_0", 10), Err(NumberError::Syntax));
        assert_eq!(
            parse_uint("18446744073709551616", 10),
            Err(NumberError::Range(u64::MAX))
        );
    }
}
