//! Booleans, numbers, strings and bytes under a directive's flags, width and precision.
//!
//! Follows Go 1.26 `fmt/format.go`.

use super::Printer;
use crate::value::number::format_float;
use crate::value::quote::{can_backquote, quote, quote_rune, quote_to_ascii};
use crate::value::rune::{MAX_RUNE, RUNE_ERROR, append_rune, rune_count, runes};
use crate::value::{Value, is_print};

/// The flags, width and precision of one directive.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    /// `%+v`: fields with names.
    pub(super) plus_v: bool,
    /// `%#v`: Go syntax.
    pub(super) sharp_v: bool,
}

impl Printer<'_> {
    /// Fills up with blanks, or with zeros under the flag `0`, which `-` turns off.
    fn padding(&mut self, count: usize) {
        let byte = if self.flags.zero && !self.flags.minus {
            b'0'
        } else {
            b' '
        };
        self.out.resize(self.out.len() + count, byte);
    }

    /// Writes a text, padded to the width in runes.
    pub(super) fn pad(&mut self, text: &[u8]) {
        let missing = self
            .flags
            .width
            .unwrap_or(0)
            .saturating_sub(rune_count(text));
        if !self.flags.minus {
            self.padding(missing);
        }
        self.bytes(text);
        if self.flags.minus {
            self.padding(missing);
        }
    }

    /// As [`Self::pad`], with spaces even under the flag `0`.
    fn pad_with_spaces(&mut self, text: &[u8]) {
        let zero = std::mem::replace(&mut self.flags.zero, false);
        self.pad(text);
        self.flags.zero = zero;
    }

    /// A boolean: `%t`, `%v`.
    pub(super) fn boolean(&mut self, flag: bool, verb: char) {
        match verb {
            't' | 'v' => self.pad(if flag { b"true" } else { b"false" }),
            _ => self.bad_verb(verb, &Value::Bool(flag)),
        }
    }

    /// A signed integer as its magnitude and sign, or an unsigned one.
    pub(super) fn integer(&mut self, negative: bool, magnitude: u64, verb: char, value: &Value) {
        let is_unsigned = matches!(value, Value::Uint(..));
        match verb {
            'v' if self.flags.sharp_v && is_unsigned => self.hex(magnitude, true),
            'v' | 'd' => self.digits(negative, magnitude, 10, verb),
            'b' => self.digits(negative, magnitude, 2, verb),
            'o' | 'O' => self.digits(negative, magnitude, 8, verb),
            'x' | 'X' => self.digits(negative, magnitude, 16, verb),
            'c' | 'q' | 'U' => {
                // As Go converts a negative number: two's complement.
                let code = if negative {
                    magnitude.wrapping_neg()
                } else {
                    magnitude
                };
                self.code_point(code, verb);
            }
            _ => self.bad_verb(verb, value),
        }
    }

    /// A number in hexadecimal as Go syntax has it, with `0x` or without.
    pub(super) fn hex(&mut self, number: u64, prefix: bool) {
        let sharp = std::mem::replace(&mut self.flags.sharp, prefix);
        self.digits(false, number, 16, 'v');
        self.flags.sharp = sharp;
    }

    /// An integer in a base: precision is the least count of digits; the flag `0` fills up to the width, between sign
    /// and digits.
    pub(super) fn digits(&mut self, negative: bool, magnitude: u64, base: u32, verb: char) {
        let flags = self.flags;
        let signed = negative || flags.plus || flags.space;
        let mut least = 0;
        if let Some(precision) = flags.precision {
            least = precision;
            if precision == 0 && magnitude == 0 {
                let zero = std::mem::replace(&mut self.flags.zero, false);
                self.padding(flags.width.unwrap_or(0));
                self.flags.zero = zero;
                return;
            }
        } else if let (true, false, Some(width)) = (flags.zero, flags.minus, flags.width) {
            least = width.saturating_sub(usize::from(signed));
        }
        let digits = match (base, verb) {
            (2, _) => format!("{magnitude:b}"),
            (8, _) => format!("{magnitude:o}"),
            (16, 'X') => format!("{magnitude:X}"),
            (16, _) => format!("{magnitude:x}"),
            _ => magnitude.to_string(),
        };
        let mut text = Vec::with_capacity(least.max(digits.len()) + 3);
        text.extend_from_slice(match (negative, flags.plus, flags.space) {
            (true, ..) => b"-",
            (_, true, _) => b"+",
            (.., true) => b" ",
            _ => b"",
        });
        let zeros = least.saturating_sub(digits.len());
        text.extend_from_slice(match (verb, base) {
            ('O', _) if flags.sharp && zeros == 0 && !digits.starts_with('0') => b"0o0",
            ('O', _) => b"0o",
            (_, 2) if flags.sharp => b"0b",
            (_, 8) if flags.sharp && zeros == 0 && !digits.starts_with('0') => b"0",
            ('X', 16) if flags.sharp => b"0X",
            (_, 16) if flags.sharp => b"0x",
            _ => b"",
        });
        text.resize(text.len() + zeros, b'0');
        text.extend_from_slice(digits.as_bytes());
        self.pad_with_spaces(&text);
    }

    /// An integer as the character that it numbers: `%c`, `%q`, `%U`.
    fn code_point(&mut self, code: u64, verb: char) {
        let rune = u32::try_from(code).ok().filter(|&rune| rune <= MAX_RUNE);
        let text = match verb {
            'U' => return self.unicode(code, rune),
            'q' => quote_rune(rune.unwrap_or(RUNE_ERROR), self.flags.plus),
            _ => {
                let mut text = Vec::new();
                append_rune(&mut text, rune.unwrap_or(RUNE_ERROR));
                text
            }
        };
        self.pad(&text);
    }

    /// `%U`: `U+0041`, under `#` with the character itself.
    fn unicode(&mut self, code: u64, rune: Option<u32>) {
        let least = self
            .flags
            .precision
            .filter(|&precision| precision > 4)
            .unwrap_or(4);
        let digits = format!("{code:X}");
        let mut text = b"U+".to_vec();
        text.resize(text.len() + least.saturating_sub(digits.len()), b'0');
        text.extend_from_slice(digits.as_bytes());
        if let (true, Some(rune)) = (self.flags.sharp, rune.filter(|&rune| is_print(rune))) {
            text.extend_from_slice(b" '");
            append_rune(&mut text, rune);
            text.push(b'\'');
        }
        self.pad_with_spaces(&text);
    }

    /// A float under each of its verbs, with Go's precision where none is given.
    pub(super) fn float(&mut self, number: f64, verb: char, value: &Value) {
        match verb {
            'v' => self.float_as(number, 'g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => self.float_as(number, verb, None),
            'f' | 'e' | 'E' => self.float_as(number, verb, Some(6)),
            'F' => self.float_as(number, 'f', Some(6)),
            _ => self.bad_verb(verb, value),
        }
    }

    /// A float in the form of `strconv.FormatFloat`; `%#g` keeps the zeros that it leaves out.
    fn float_as(&mut self, number: f64, verb: char, default_precision: Option<usize>) {
        let flags = self.flags;
        let precision = flags.precision.or(default_precision);
        let wanted = precision.map_or(-1, |precision| i32::try_from(precision).unwrap_or(i32::MAX));
        let text = format_float(number, verb as u8, wanted, 64);
        // The number with its sign in front, whatever it is.
        let mut text = match text.as_bytes() {
            [b'-' | b'+', ..] => text.into_bytes(),
            digits => [b"+", digits].concat(),
        };
        if flags.space && text[0] == b'+' && !flags.plus {
            text[0] = b' ';
        }
        if matches!(text[1], b'I' | b'N') {
            // Only an infinity shows its sign unasked.
            let unsigned = text[1] == b'N' && !flags.space && !flags.plus;
            return self.pad_with_spaces(if unsigned { &text[1..] } else { &text });
        }
        if flags.sharp && verb != 'b' {
            keep_zeros(&mut text, verb, precision);
        }
        if !flags.plus && text[0] == b'+' {
            return self.pad(&text[1..]);
        }
        let width = flags.width.unwrap_or(0);
        if flags.zero && !flags.minus && width > text.len() {
            self.out.push(text[0]);
            self.padding(width - text.len());
            return self.bytes(&text[1..]);
        }
        self.pad(&text);
    }

    /// A complex number: `(1+2i)`, each part under the verb.
    pub(super) fn complex(&mut self, real: f64, imaginary: f64, verb: char) {
        let value = Value::Complex(real, imaginary);
        if !matches!(
            verb,
            'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E'
        ) {
            return self.bad_verb(verb, &value);
        }
        let plus = self.flags.plus;
        self.out.push(b'(');
        self.float(real, verb, &value);
        self.flags.plus = true;
        self.float(imaginary, verb, &value);
        self.bytes(b"i)");
        self.flags.plus = plus;
    }

    /// The text up to the precision, in runes.
    fn truncated<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let Some(precision) = self.flags.precision else {
            return text;
        };
        runes(text)
            .nth(precision)
            .map_or(text, |(at, ..)| &text[..at])
    }

    /// A string: `%s`, `%q`, `%x`.
    pub(super) fn string(&mut self, text: &[u8], verb: char, value: &Value) {
        match verb {
            'v' if self.flags.sharp_v => self.quoted(text),
            'v' | 's' => self.pad(self.truncated(text)),
            'x' | 'X' => self.hex_bytes(text, verb),
            'q' => self.quoted(text),
            _ => self.bad_verb(verb, value),
        }
    }

    /// `%q`: under `#` in backquotes where the text allows it, under `+` in ASCII.
    fn quoted(&mut self, text: &[u8]) {
        let text = self.truncated(text);
        if self.flags.sharp && can_backquote(text) {
            return self.pad(&[b"`", text, b"`"].concat());
        }
        self.pad(&if self.flags.plus {
            quote_to_ascii(text)
        } else {
            quote(text)
        });
    }

    /// Each byte as two hexadecimal digits.
    fn hex_bytes(&mut self, text: &[u8], verb: char) {
        let length = self
            .flags
            .precision
            .map_or(text.len(), |limit| limit.min(text.len()));
        let text = &text[..length];
        let prefix: &[u8] = match (self.flags.sharp, verb) {
            (false, _) => b"",
            (_, 'X') => b"0X",
            _ => b"0x",
        };
        let mut hex = Vec::with_capacity(2 * length + 2);
        for (i, byte) in text.iter().enumerate() {
            if self.flags.space && i > 0 {
                hex.push(b' ');
            }
            if i == 0 || self.flags.space {
                hex.extend_from_slice(prefix);
            }
            let digits = if verb == 'X' {
                format!("{byte:02X}")
            } else {
                format!("{byte:02x}")
            };
            hex.extend_from_slice(digits.as_bytes());
        }
        self.pad(&hex);
    }

    /// Bytes: a list of numbers under `%v` and `%d`, a text under the verbs of strings.
    pub(super) fn byte_slice(&mut self, bytes: &[u8], verb: char, type_name: &str) {
        match verb {
            'v' | 'd' if self.flags.sharp_v => {
                self.bytes(type_name.as_bytes());
                self.byte_list(bytes, |printer, byte| printer.hex(u64::from(byte), true));
            }
            'v' | 'd' => self.byte_list(bytes, |printer, byte| {
                printer.digits(false, u64::from(byte), 10, verb);
            }),
            's' => self.pad(self.truncated(bytes)),
            'x' | 'X' => self.hex_bytes(bytes, verb),
            'q' => self.quoted(bytes),
            _ => {
                if self.flags.sharp_v {
                    self.bytes(b"[]uint8");
                }
                self.byte_list(bytes, |printer, byte| {
                    let value = Value::Uint(u64::from(byte), crate::value::UintKind::Uint8);
                    printer.integer(false, u64::from(byte), verb, &value);
                });
            }
        }
    }

    /// Each byte as a number of its own, in Go syntax or plainly.
    fn byte_list(&mut self, bytes: &[u8], mut each: impl FnMut(&mut Self, u8)) {
        let sharp_v = self.flags.sharp_v;
        self.out.push(if sharp_v { b'{' } else { b'[' });
        for (i, &byte) in bytes.iter().enumerate() {
            self.bytes(match (i, sharp_v) {
                (0, _) => b"",
                (_, true) => b", ",
                (_, false) => b" ",
            });
            each(self, byte);
        }
        self.out.push(if sharp_v { b'}' } else { b']' });
    }
}

/// The flag `#` of floats: always a decimal point, and the zeros `%g` would cut.
fn keep_zeros(text: &mut Vec<u8>, verb: char, precision: Option<usize>) {
    let mut digits = match verb {
        'g' | 'G' | 'x' => precision.unwrap_or(6),
        _ => 0,
    };
    let is_hex = matches!(verb, 'x' | 'X');
    let end = text.iter().skip(1).position(|&byte| match byte {
        b'p' | b'P' => true,
        b'e' | b'E' => !is_hex,
        _ => false,
    });
    let tail = end.map(|end| text.split_off(end + 1)).unwrap_or_default();
    let mut has_point = false;
    let mut significant = false;
    for &byte in &text[1..] {
        if byte == b'.' {
            has_point = true;
            continue;
        }
        significant |= byte != b'0';
        if significant {
            digits = digits.saturating_sub(1);
        }
    }
    if !has_point {
        if text.len() == 2 && text[1] == b'0' {
            digits = digits.saturating_sub(1);
        }
        text.push(b'.');
    }
    text.resize(text.len() + digits, b'0');
    text.extend_from_slice(&tail);
}
