//! The lexical part of TOML: a cursor over the text, and its scalars.
//!
//! Follows github.com/BurntSushi/toml v1.6.0 `lex.go` and `parse.go` in what is accepted and in the
//! words and lines of errors.

use crate::value::number::{format_float, parse_float, parse_int};
use crate::value::quote::{quote_rune, quoted};
use crate::value::rune::decode_rune;
use crate::value::{Str, Value};

/// What is wrong and in which line.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) line: usize,
    pub(super) message: String,
}

pub(super) type Scanned<T> = Result<T, Problem>;

/// A place in the text.
pub(super) struct Cursor<'t> {
    text: &'t [u8],
    at: usize,
    pub(super) line: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self {
            text,
            at: 0,
            line: 1,
        }
    }

    /// The character at the cursor; `None` at the end.
    pub(super) fn peek(&self) -> Scanned<Option<char>> {
        let rest = &self.text[self.at..];
        let (rune, width) = decode_rune(rest);
        let Some(&first) = rest.first() else {
            return Ok(None);
        };
        let c = char::from_u32(rune).unwrap_or(char::REPLACEMENT_CHARACTER);
        if c == char::REPLACEMENT_CHARACTER && width == 1 {
            return self.fail(format!("invalid UTF-8 byte: 0x{first:02x}"));
        }
        let control = c.is_ascii_control() && !matches!(c, '\t' | '\r' | '\n');
        if control || (c == '\r' && rest.get(1) != Some(&b'\n')) {
            return self.fail(format!(
                "TOML files cannot contain control characters: '0x{first:02x}'"
            ));
        }
        Ok(Some(c))
    }

    pub(super) fn next(&mut self) -> Scanned<Option<char>> {
        let c = self.peek()?;
        if let Some(c) = c {
            self.at += c.len_utf8();
            self.line += usize::from(c == '\n');
        }
        Ok(c)
    }

    /// Consumes a character if it is this one.
    pub(super) fn accept(&mut self, wanted: char) -> Scanned<bool> {
        let found = self.peek()? == Some(wanted);
        if found {
            self.next()?;
        }
        Ok(found)
    }

    pub(super) fn starts_with(&self, text: &str) -> bool {
        self.text[self.at..].starts_with(text.as_bytes())
    }

    pub(super) fn skip_blanks(&mut self) -> Scanned<()> {
        while matches!(self.peek()?, Some(' ' | '\t')) {
            self.next()?;
        }
        Ok(())
    }

    /// Skips blanks, line breaks and comments.
    pub(super) fn skip_lines(&mut self) -> Scanned<()> {
        loop {
            match self.peek()? {
                Some(' ' | '\t' | '\n' | '\r') => {
                    self.next()?;
                }
                Some('#') => self.comment()?,
                _ => return Ok(()),
            }
        }
    }

    pub(super) fn comment(&mut self) -> Scanned<()> {
        while !matches!(self.peek()?, None | Some('\n' | '\r')) {
            self.next()?;
        }
        Ok(())
    }

    /// The line to report for a problem here: the one before when the text ended with a line break.
    fn problem_line(&self) -> usize {
        let at_end = self.at >= self.text.len();
        self.line - usize::from(at_end && self.text.last() == Some(&b'\n') && self.line > 1)
    }

    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Scanned<T> {
        Err(Problem {
            line: self.problem_line(),
            message: message.into(),
        })
    }

    /// Fails over a character that was consumed; a line break counts to the line before it.
    pub(super) fn unexpected<T>(&self, expected: &str, found: Option<char>) -> Scanned<T> {
        let Some(c) = found else {
            return self.fail(format!("unexpected EOF; {expected}"));
        };
        let shown = String::from_utf8_lossy(&quote_rune(u32::from(c), false)).into_owned();
        let line = if c == '\n' { self.line - 1 } else { self.line };
        Err(Problem {
            line,
            message: format!("{expected}{shown}"),
        })
    }

    /// As [`Cursor::unexpected`], with `instead` behind the character.
    pub(super) fn instead<T>(&self, expected: &str, found: Option<char>) -> Scanned<T> {
        if found.is_none() {
            return self.fail(format!("{expected} '\\x00' instead"));
        }
        self.unexpected(&format!("{expected} "), found)
            .map_err(|problem| Problem {
                line: problem.line,
                message: format!("{} instead", problem.message),
            })
    }

    /// A bare or quoted part of a key.
    pub(super) fn key_part(&mut self) -> Scanned<Str> {
        match self.peek()? {
            Some('"') => {
                self.next()?;
                self.basic_string()
            }
            Some('\'') => {
                self.next()?;
                self.raw_string()
            }
            _ => {
                let start = self.at;
                let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
                while self.peek()?.is_some_and(bare) {
                    self.next()?;
                }
                Ok(Str::from(&self.text[start..self.at]))
            }
        }
    }

    /// A `"…"` string whose first quote is consumed.
    fn basic_string(&mut self) -> Scanned<Str> {
        let mut out = String::new();
        loop {
            match self.next()? {
                None => return self.fail("unexpected EOF; expected '\"'"),
                Some('\n' | '\r') => return self.line_break_in_string(),
                Some('"') => return Ok(out.into()),
                Some('\\') => self.escape(&mut out)?,
                Some(c) => out.push(c),
            }
        }
    }

    /// A `'…'` string whose first quote is consumed.
    fn raw_string(&mut self) -> Scanned<Str> {
        let mut out = String::new();
        loop {
            match self.next()? {
                None => return self.fail("unexpected EOF; expected \"'\""),
                Some('\n' | '\r') => return self.line_break_in_string(),
                Some('\'') => return Ok(out.into()),
                Some(c) => out.push(c),
            }
        }
    }

    fn line_break_in_string<T>(&self) -> Scanned<T> {
        let line = self.line.saturating_sub(1).max(1);
        Err(Problem {
            line,
            message: "strings cannot contain newlines".to_owned(),
        })
    }

    /// A string of several lines whose three first quotes are consumed.
    fn long_string(&mut self, mark: char) -> Scanned<Str> {
        let end = String::from_iter([mark; 3]);
        if self.starts_with("\r\n") {
            self.next()?;
        }
        self.accept('\n')?;
        let mut out = String::new();
        loop {
            if self.starts_with(&end) {
                for _ in 0..3 {
                    self.next()?;
                }
                // Up to two quotes may stand before the closing ones.
                for _ in 0..2 {
                    if self.accept(mark)? {
                        out.push(mark);
                    }
                }
                if self.peek()? == Some(mark) {
                    let six = String::from_iter([mark; 6]);
                    let quote = if mark == '"' { '\'' } else { '"' };
                    return self.fail(format!("unexpected {quote}{six}{quote}"));
                }
                return Ok(out.into());
            }
            match self.next()? {
                None => {
                    let quote = if mark == '"' { '\'' } else { '"' };
                    return self.fail(format!("unexpected EOF; expected {quote}{end}{quote}"));
                }
                Some('\\') if mark == '"' => {
                    if !self.line_continues()? {
                        self.escape(&mut out)?;
                    }
                }
                Some(c) => out.push(c),
            }
        }
    }

    /// Skips the space after a backslash at the end of a line, and says whether there was one.
    fn line_continues(&mut self) -> Scanned<bool> {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let rest = &self.text[self.at..];
        let space = rest.iter().take_while(|byte| blank(byte)).count();
        if !rest[..space].contains(&b'\n') {
            return Ok(false);
        }
        for _ in 0..space {
            self.next()?;
        }
        Ok(true)
    }

    /// What follows a backslash.
    fn escape(&mut self, out: &mut String) -> Scanned<()> {
        let Some(c) = self.next()? else {
            return self.fail("invalid escape in string '\\\0'");
        };
        let (digits, words) = match c {
            'x' => (2, "two hexadecimal digits after '\\x'"),
            'u' => (4, "four hexadecimal digits after '\\u'"),
            'U' => (8, "eight hexadecimal digits after '\\U'"),
            ' ' | '\t' => return self.fail(format!("invalid escape: '\\{c}'")),
            _ => {
                out.push(match c {
                    'b' => '\u{8}',
                    't' => '\t',
                    'n' => '\n',
                    'f' => '\u{c}',
                    'r' => '\r',
                    'e' => '\u{1b}',
                    '"' | '\\' => c,
                    _ => return self.fail(format!("invalid escape in string '\\{c}'")),
                });
                return Ok(());
            }
        };
        let start = self.at;
        for _ in 0..digits {
            if !self.next()?.is_some_and(|c| c.is_ascii_hexdigit()) {
                let found = quoted(&self.text[start - 2..self.at]);
                return self.fail(format!("expected {words}, but got {found} instead"));
            }
        }
        let hex = String::from_utf8_lossy(&self.text[start..self.at]).into_owned();
        let rune = u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32);
        let Some(rune) = rune else {
            return self.fail(format!("Escaped character '\\u{hex}' is not valid UTF-8."));
        };
        out.push(rune);
        Ok(())
    }

    /// A value that is no array and no table.
    pub(super) fn scalar(&mut self) -> Scanned<Value> {
        match self.peek()? {
            Some(mark @ ('"' | '\'')) => {
                let long = self.starts_with(&String::from_iter([mark; 3]));
                for _ in 0..if long { 3 } else { 1 } {
                    self.next()?;
                }
                let text = match mark {
                    _ if long => self.long_string(mark),
                    '"' => self.basic_string(),
                    _ => self.raw_string(),
                };
                text.map(Value::Str)
            }
            Some('0'..='9' | '+' | '-') => self.number(),
            Some('.') => {
                self.next()?;
                self.fail("floats must start with a digit, not '.'")
            }
            Some(c) if c.is_alphabetic() => self.word(),
            found => {
                self.next()?;
                match found {
                    None => self.fail("unexpected EOF; expected value"),
                    found => self.instead("expected value but found", found),
                }
            }
        }
    }

    fn word(&mut self) -> Scanned<Value> {
        for (word, number) in [("inf", f64::INFINITY), ("nan", f64::NAN)] {
            if self.starts_with(word) {
                self.at += word.len();
                return Ok(Value::Float(number));
            }
        }
        let mut word = String::new();
        while let Some(c) = self.peek()?.filter(|c| c.is_alphabetic()) {
            self.next()?;
            word.push(c);
        }
        match word.as_str() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => self.fail(format!(
                "expected value but found {} instead",
                quoted(&word)
            )),
        }
    }

    /// Consumes while the characters are among those allowed.
    fn run(&mut self, allowed: &str) -> Scanned<String> {
        let mut out = String::new();
        while let Some(c) = self
            .peek()?
            .filter(|c| c.is_ascii_digit() || allowed.contains(*c))
        {
            self.next()?;
            out.push(c);
        }
        Ok(out)
    }

    fn number(&mut self) -> Scanned<Value> {
        let sign = match self.peek()? {
            Some(c @ ('+' | '-')) => {
                self.next()?;
                c.to_string()
            }
            _ => String::new(),
        };
        if !sign.is_empty() {
            return self.signed(&sign);
        }
        if self.starts_with("0b") || self.starts_with("0o") || self.starts_with("0x") {
            return self.based();
        }
        let mut text = self.run("_")?;
        match self.peek()? {
            Some('-' | ':') if !text.contains('_') => {
                text += &self.run("-:Tt .Zz+")?;
                let text = text.trim().to_owned();
                super::datetime::parse(&text).map_err(|message| Problem {
                    line: self.line,
                    message,
                })
            }
            Some('.' | 'e' | 'E') => {
                text += &self.run("_.-+eE")?;
                self.float(&text)
            }
            _ => self.integer(&text),
        }
    }

    fn signed(&mut self, sign: &str) -> Scanned<Value> {
        match self.peek()? {
            Some(c @ ('i' | 'n')) => {
                let (word, number) = if c == 'i' {
                    ("inf", f64::INFINITY)
                } else {
                    ("nan", f64::NAN)
                };
                if !self.starts_with(word) {
                    return self.fail(format!("invalid float: '{sign}{c}'"));
                }
                self.at += word.len();
                let negative = sign == "-";
                Ok(Value::Float(if negative { -number } else { number }))
            }
            Some('0')
                if self.starts_with("0b") || self.starts_with("0o") || self.starts_with("0x") =>
            {
                self.next()?;
                let base = self.peek()?.unwrap_or_default();
                self.fail(format!(
                    "cannot use sign with non-decimal numbers: '{sign}0{base}'"
                ))
            }
            Some('.') => self.fail("floats must start with a digit, not '.'"),
            Some('0'..='9') => {
                let mut text = format!("{sign}{}", self.run("_")?);
                if matches!(self.peek()?, Some('.' | 'e' | 'E')) {
                    text += &self.run("_.-+eE")?;
                    return self.float(&text);
                }
                self.integer(&text)
            }
            found => {
                self.next()?;
                self.unexpected("expected a digit but got ", found)
            }
        }
    }

    /// An integer in base 2, 8 or 16.
    fn based(&mut self) -> Scanned<Value> {
        self.next()?;
        let base = self.next()?.unwrap_or_default();
        let (allowed, kind): (fn(char) -> bool, _) = match base {
            'b' => (|c| matches!(c, '0' | '1'), "a binary"),
            'o' => (|c| matches!(c, '0'..='7'), "an octal"),
            _ => (|c| c.is_ascii_hexdigit(), "a hexadecimal"),
        };
        if !self.peek()?.is_some_and(allowed) {
            let found = self.peek()?.unwrap_or_default();
            return self.fail(format!("not {kind} number: '0{base}{found}'"));
        }
        let mut text = format!("0{base}");
        while let Some(c) = self.peek()?.filter(|c| allowed(*c) || *c == '_') {
            self.next()?;
            text.push(c);
        }
        self.integer(&text)
    }

    fn integer(&self, text: &str) -> Scanned<Value> {
        let shown = quoted(text);
        if !underscores_fit(text) {
            return self.fail(format!(
                "Invalid integer {shown}: underscores must be surrounded by digits"
            ));
        }
        if leading_zero(text) {
            return self.fail(format!(
                "Invalid integer {shown}: cannot have leading zeroes"
            ));
        }
        match parse_int(text, 0) {
            Ok(number) => Ok(Value::int64(number)),
            Err(_) => self.fail(format!("{text} is out of range for int64")),
        }
    }

    fn float(&self, text: &str) -> Scanned<Value> {
        let shown = quoted(text);
        let mut parts = text
            .split(['.', 'e', 'E'])
            .filter(|part| !part.is_empty())
            .peekable();
        let zero = parts.peek().is_some_and(|part| leading_zero(part));
        if !parts.all(underscores_fit) {
            return self.fail(format!(
                "Invalid float {shown}: underscores must be surrounded by digits"
            ));
        }
        if zero {
            return self.fail(format!("Invalid float {shown}: cannot have leading zeroes"));
        }
        let dots_fit = text
            .split('.')
            .skip(1)
            .all(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if !dots_fit {
            return self.fail(format!(
                "Invalid float {shown}: '.' must be followed by one or more digits"
            ));
        }
        match parse_float(text.replace('_', ""), 64) {
            Ok(number) => Ok(Value::Float(number)),
            Err(_) if format_float(text.parse().unwrap_or(0.0), b'g', -1, 64).contains("Inf") => {
                self.fail(format!("{text} is out of range for float64"))
            }
            Err(_) => self.fail(format!("Invalid float value: {shown}")),
        }
    }
}

/// Whether a number has a zero in front that it may not have.
fn leading_zero(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let based =
        digits.len() == text.len() && matches!(digits.as_bytes().get(1), Some(b'b' | b'o' | b'x'));
    digits.len() > 1 && digits.starts_with('0') && !based
}

/// Whether every underscore stands between digits.
fn underscores_fit(text: &str) -> bool {
    let mut accept = false;
    for c in text.chars() {
        if c == '_' && !accept {
            return false;
        }
        accept = c.is_ascii_hexdigit();
    }
    accept
}
