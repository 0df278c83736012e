//! Format strings: flags, width, precision and argument numbers of each `%` directive.
//!
//! Follows Go 1.26 `fmt/print.go`, `doPrintf`.

use super::Printer;
use super::basic::Flags;
use crate::limits::MAX_WIDTH;
use crate::value::Value;
use crate::value::rune::decode_rune;

/// Where the reading of a format string stands.
struct Cursor<'a> {
    format: &'a [u8],
    /// The next byte.
    at: usize,
    /// The next argument.
    arg: usize,
    /// Whether an argument number such as `[3]` came last.
    after_index: bool,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    /// A decimal number, if one follows. One that is too large takes the rest of the format.
    fn number(&mut self, end: usize) -> Option<usize> {
        let mut number = None;
        while self.at < end && self.format[self.at].is_ascii_digit() {
            let so_far: i64 = number.unwrap_or(0);
            if so_far > MAX_WIDTH {
                self.at = end;
                return None;
            }
            number = Some(so_far * 10 + i64::from(self.format[self.at] - b'0'));
            self.at += 1;
        }
        number.and_then(|number| usize::try_from(number).ok())
    }
}

impl Printer<'_> {
    /// Writes a format string with its arguments.
    pub(super) fn printf(&mut self, format: &[u8], args: &[Value]) {
        let mut cursor = Cursor {
            format,
            at: 0,
            arg: 0,
            after_index: false,
        };
        while let Some(offset) = format[cursor.at..].iter().position(|&byte| byte == b'%') {
            self.bytes(&format[cursor.at..cursor.at + offset]);
            cursor.at += offset + 1;
            self.good_arg = true;
            if !self.directive(&mut cursor, args) || self.failed {
                return self.extra(&cursor, args);
            }
        }
        self.bytes(&format[cursor.at..]);
        self.extra(&cursor, args);
    }

    /// The arguments no directive asked for.
    fn extra(&mut self, cursor: &Cursor<'_>, args: &[Value]) {
        if self.reordered || cursor.arg >= args.len() {
            return;
        }
        self.flags = Flags::default();
        self.bytes(b"%!(EXTRA ");
        for (i, arg) in args[cursor.arg..].iter().enumerate() {
            self.bytes(if i > 0 { b", " } else { b"" });
            if arg.is_nil() {
                self.bytes(b"<nil>");
            } else {
                self.bytes(arg.type_name().as_bytes());
                self.out.push(b'=');
                self.arg(arg, 'v');
            }
        }
        self.out.push(b')');
    }

    /// One directive after its `%`; `false` at the end of the format.
    fn directive(&mut self, cursor: &mut Cursor<'_>, args: &[Value]) -> bool {
        self.flags = Flags::default();
        if self.simple(cursor, args) {
            return true;
        }
        self.arg_number(cursor, args.len());
        self.width(cursor, args);
        self.precision(cursor, args);
        if !cursor.after_index {
            self.arg_number(cursor, args.len());
        }
        let (rune, size) = decode_rune(&cursor.format[cursor.at..]);
        if size == 0 {
            self.bytes(b"%!(NOVERB)");
            return false;
        }
        cursor.at += size;
        let verb = char::from_u32(rune).unwrap_or(char::REPLACEMENT_CHARACTER);
        if verb == '%' {
            self.out.push(b'%');
        } else if !self.good_arg {
            self.bytes(format!("%!{verb}(BADINDEX)").as_bytes());
        } else if cursor.arg >= args.len() {
            self.bytes(format!("%!{verb}(MISSING)").as_bytes());
        } else {
            self.verb(&args[cursor.arg], verb);
            cursor.arg += 1;
        }
        true
    }

    /// Reads the flags and, when a plain verb follows, prints; `false` when there is more to read.
    fn simple(&mut self, cursor: &mut Cursor<'_>, args: &[Value]) -> bool {
        while let Some(byte) = cursor.peek() {
            match byte {
                b'#' => self.flags.sharp = true,
                b'0' => self.flags.zero = true,
                b'+' => self.flags.plus = true,
                b'-' => self.flags.minus = true,
                b' ' => self.flags.space = true,
                b'a'..=b'z' if cursor.arg < args.len() => {
                    self.verb(&args[cursor.arg], char::from(byte));
                    cursor.arg += 1;
                    cursor.at += 1;
                    return true;
                }
                _ => return false,
            }
            cursor.at += 1;
        }
        false
    }

    fn verb(&mut self, arg: &Value, verb: char) {
        if matches!(verb, 'v' | 'w') {
            self.flags.sharp_v = std::mem::take(&mut self.flags.sharp);
            self.flags.plus_v = std::mem::take(&mut self.flags.plus);
        }
        self.arg(arg, verb);
    }

    /// An argument number in brackets, if one follows.
    fn arg_number(&mut self, cursor: &mut Cursor<'_>, count: usize) {
        cursor.after_index = false;
        if cursor.peek() != Some(b'[') {
            return;
        }
        self.reordered = true;
        let rest = &cursor.format[cursor.at..];
        let Some(close) = rest
            .iter()
            .position(|&byte| byte == b']')
            .filter(|_| rest.len() >= 3)
        else {
            cursor.at += 1;
            self.good_arg = false;
            return;
        };
        let end = cursor.at + close;
        cursor.at += 1;
        let number = cursor.number(end).filter(|_| cursor.at == end);
        cursor.at = end + 1;
        cursor.after_index = number.is_some();
        match number
            .and_then(|number| number.checked_sub(1))
            .filter(|&index| index < count)
        {
            Some(index) => cursor.arg = index,
            None => self.good_arg = false,
        }
    }

    fn width(&mut self, cursor: &mut Cursor<'_>, args: &[Value]) {
        if cursor.peek() != Some(b'*') {
            self.flags.width = cursor.number(cursor.format.len());
            if cursor.after_index && self.flags.width.is_some() {
                self.good_arg = false;
            }
            return;
        }
        cursor.at += 1;
        match int_arg(cursor, args) {
            Some(width) => {
                if width < 0 {
                    self.flags.minus = true;
                    self.flags.zero = false;
                }
                self.flags.width = usize::try_from(width.unsigned_abs()).ok();
            }
            None => self.bytes(b"%!(BADWIDTH)"),
        }
        cursor.after_index = false;
    }

    fn precision(&mut self, cursor: &mut Cursor<'_>, args: &[Value]) {
        if cursor.at + 1 >= cursor.format.len() || cursor.peek() != Some(b'.') {
            return;
        }
        cursor.at += 1;
        if cursor.after_index {
            self.good_arg = false;
        }
        self.arg_number(cursor, args.len());
        if cursor.peek() != Some(b'*') {
            self.flags.precision = Some(cursor.number(cursor.format.len()).unwrap_or(0));
            return;
        }
        cursor.at += 1;
        self.flags.precision =
            int_arg(cursor, args).and_then(|precision| usize::try_from(precision).ok());
        if self.flags.precision.is_none() {
            self.bytes(b"%!(BADPREC)");
        }
        cursor.after_index = false;
    }
}

/// The next argument as a width or precision.
fn int_arg(cursor: &mut Cursor<'_>, args: &[Value]) -> Option<i64> {
    let number = match args.get(cursor.arg)? {
        Value::Int(number, _) => Some(*number),
        Value::Uint(number, _) => i64::try_from(*number).ok(),
        _ => None,
    };
    cursor.arg += 1;
    number.filter(|number| number.abs() <= MAX_WIDTH)
}
