//! Floats to text. Follows Go 1.26 internal/strconv (ftoa.go).

use std::fmt::Write;

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
pub(crate) fn format_float(value: f64, verb: u8, precision: i32, bits: u32) -> String {
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

/// The fewest digits that read back as the same number of so many bits.
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

/// Writes a finite number under a verb but those of binary forms; a precision below zero means the shortest.
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

/// `g`: plain, or with an exponent when that is below -4 or reaches the precision: 6 for the shortest text.
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

/// `d.ddde±dd`.
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

/// The sign and at least two digits.
fn push_exponent(out: &mut String, exponent: i32) {
    out.push(if exponent < 0 { '-' } else { '+' });
    put(out, format_args!("{:02}", exponent.unsigned_abs()));
}

/// `ddd.ddd`, filled up with zeros to so many places.
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

/// `b`: the mantissa as an integer, and the power of two.
fn write_binary(out: &mut String, value: f64, bits: u32) {
    let (mantissa, exponent, fraction_bits) = parts(value, bits);
    put(
        out,
        format_args!("{mantissa}p{:+}", exponent - fraction_bits.cast_signed()),
    );
}

/// `x`: `0x1.8p+01`, rounded to even.
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
