//! Text to numbers. Follows Go 1.26 internal/strconv (atof.go, atoi.go).

use super::NumberError;

/// Reads a float as Go's `strconv.ParseFloat`: decimal or hexadecimal, `_` between digits, `inf`, `infinity`, `nan` in any case. `bits` is 32 or 64.
///
/// # Errors
/// [`NumberError::Syntax`], or [`NumberError::Range`] with an infinity when the number is too large.
pub(crate) fn parse_float(text: impl AsRef<[u8]>, bits: u32) -> Result<f64, NumberError<f64>> {
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
pub(crate) fn parse_uint(text: impl AsRef<[u8]>, base: u32) -> Result<u64, NumberError<u64>> {
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
pub(crate) fn parse_int(text: impl AsRef<[u8]>, base: u32) -> Result<i64, NumberError<i64>> {
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
