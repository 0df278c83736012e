//! Strings, numbers, dates and words.

use super::{END, ItemKind, Lexer, State, is_line_end, shown};
use crate::value::quote::quoted;

impl Lexer<'_> {
    /// Within `"…"`. The item is the text as written; the parser resolves escapes.
    pub(super) fn string(&mut self) -> State {
        match self.read() {
            END if self.at_end => self.error("unexpected EOF; expected '\"'"),
            c if is_line_end(c) => {
                self.error_previous_line("strings cannot contain newlines".into())
            }
            '\\' => self.escape(State::Str),
            '"' => {
                self.back();
                let escapes = std::mem::take(&mut self.escapes);
                self.emit(if escapes {
                    ItemKind::StrWithEscapes
                } else {
                    ItemKind::Str
                });
                self.read();
                self.ignore();
                self.pop()
            }
            _ => State::Str,
        }
    }

    /// Within `'…'`, where nothing is escaped.
    pub(super) fn raw_string(&mut self) -> State {
        match self.read() {
            END if self.at_end => self.error("unexpected EOF; expected \"'\""),
            c if is_line_end(c) => {
                self.error_previous_line("strings cannot contain newlines".into())
            }
            '\'' => {
                self.back();
                self.emit(ItemKind::RawStr);
                self.read();
                self.ignore();
                self.pop()
            }
            _ => State::RawStr,
        }
    }

    /// Within `"""…"""`. A backslash at the end of a line stays; the parser joins the lines.
    pub(super) fn multiline_string(&mut self) -> State {
        match self.read() {
            END if self.at_end => self.error("unexpected EOF; expected '\"\"\"'"),
            '\\' => {
                if is_line_end(self.read()) {
                    return State::MultilineStr;
                }
                self.back();
                self.escape(State::MultilineStr)
            }
            '"' => self.multiline_end('"', State::MultilineStr, ItemKind::MultilineStr),
            _ => State::MultilineStr,
        }
    }

    /// Within `'''…'''`.
    pub(super) fn multiline_raw_string(&mut self) -> State {
        match self.read() {
            END if self.at_end => self.error("unexpected EOF; expected \"'''\""),
            '\'' => self.multiline_end('\'', State::MultilineRawStr, ItemKind::RawMultilineStr),
            _ => State::MultilineRawStr,
        }
    }

    /// After one quote in a multi-line string: two more end it, unless yet more follow.
    pub(super) fn multiline_end(&mut self, quote: char, again: State, kind: ItemKind) -> State {
        if !self.accept(quote) {
            return again;
        }
        if !self.accept(quote) {
            self.back();
            return again;
        }
        if self.peek() == quote {
            let current = self.current();
            let five: String = std::iter::repeat_n(quote, 5).collect();
            let escaped = quote == '"' && current.ends_with("\\\"\"\"\"\"");
            if current.ends_with(&five) && !escaped {
                return self.error(if quote == '"' {
                    "unexpected '\"\"\"\"\"\"'"
                } else {
                    "unexpected \"''''''\""
                });
            }
            self.back();
            self.back();
            return again;
        }
        for _ in 0..3 {
            self.back();
        }
        self.escapes = false;
        self.emit(kind);
        for _ in 0..3 {
            self.read();
        }
        self.ignore();
        self.pop()
    }

    /// After a backslash: checks the escape and leaves it as written.
    pub(super) fn escape(&mut self, after: State) -> State {
        self.escapes = true;
        let digits = match self.read() {
            'e' | 'b' | 't' | 'n' | 'f' | 'r' | '"' | ' ' | '\t' | '\\' => return after,
            'x' => (2, "two", 'x'),
            'u' => (4, "four", 'u'),
            'U' => (8, "eight", 'U'),
            c => {
                self.push_error(format!("invalid escape in string '\\{c}'"));
                return State::Stop;
            }
        };
        for _ in 0..digits.0 {
            if !self.read().is_ascii_hexdigit() {
                return self.error(format!(
                    "expected {} hexadecimal digits after '\\{}', but got {} instead",
                    digits.1,
                    digits.2,
                    quoted(self.current())
                ));
            }
        }
        after
    }

    // Numbers, dates, words.

    /// From the first digit on: an integer, until something shows another kind.
    pub(super) fn number_or_date(&mut self) -> State {
        let mut c = self.read();
        if c == '0' {
            c = self.read();
            match c {
                'b' => return self.based("binary", |c| matches!(c, '0' | '1')),
                'o' => return self.based("octal", |c| matches!(c, '0'..='7')),
                'x' => return self.based("hexadecimal", |c| c.is_ascii_hexdigit()),
                '_' | '.' | 'e' | 'E' => {}
                c if c.is_ascii_digit() => {}
                _ => {
                    self.back();
                    return self.emit_and_pop(ItemKind::Integer);
                }
            }
            if c == '_' {
                return self.decimal();
            }
            if !c.is_ascii_digit() {
                return self.float();
            }
        }
        loop {
            match self.read() {
                c if c.is_ascii_digit() => {}
                '-' | ':' => return self.datetime(),
                '_' => return self.decimal(),
                '.' | 'e' | 'E' => return self.float(),
                _ => {
                    self.back();
                    return self.emit_and_pop(ItemKind::Integer);
                }
            }
        }
    }

    /// After `0b`, `0o` or `0x`; underscores are checked by the parser.
    pub(super) fn based(&mut self, name: &str, is_digit: fn(char) -> bool) -> State {
        let c = self.peek();
        if !is_digit(c) {
            let article = if name == "octal" { "an" } else { "a" };
            let text = format!("not {article} {name} number: '{}{c}'", self.current());
            // Go goes on, but the error is seen first.
            return self.error(text);
        }
        loop {
            let c = self.read();
            if !is_digit(c) && c != '_' {
                self.back();
                return self.emit_and_pop(ItemKind::Integer);
            }
        }
    }

    /// A decimal number with underscores, which no date has.
    pub(super) fn decimal(&mut self) -> State {
        loop {
            match self.read() {
                c if c.is_ascii_digit() || c == '_' => {}
                '.' | 'e' | 'E' => return self.float(),
                _ => {
                    self.back();
                    return self.emit_and_pop(ItemKind::Integer);
                }
            }
        }
    }

    /// After a sign: a number, `inf` or `nan`, no date.
    pub(super) fn signed_number(&mut self) -> State {
        let c = self.read();
        let rest = match c {
            'i' => ('n', 'f'),
            'n' => ('a', 'n'),
            '0' => {
                let prefix = self.peek();
                if matches!(prefix, 'b' | 'o' | 'x') {
                    let text = format!(
                        "cannot use sign with non-decimal numbers: '{}{prefix}'",
                        self.current()
                    );
                    return self.error(text);
                }
                return self.decimal();
            }
            '.' => return self.error("floats must start with a digit, not '.'"),
            c if c.is_ascii_digit() => return self.decimal(),
            c => return self.error(format!("expected a digit but got {}", shown(c))),
        };
        if !self.accept(rest.0) || !self.accept(rest.1) {
            let text = format!("invalid float: '{}'", self.current());
            return self.error(text);
        }
        self.emit_and_pop(ItemKind::Float)
    }

    /// After the dot or the exponent's letter.
    pub(super) fn float(&mut self) -> State {
        while matches!(self.read(), '0'..='9' | '_' | '.' | '-' | '+' | 'e' | 'E') {}
        self.back();
        self.emit_and_pop(ItemKind::Float)
    }

    /// A date or time; which characters fit where, the parser finds out.
    pub(super) fn datetime(&mut self) -> State {
        while matches!(
            self.read(),
            '0'..='9' | '-' | ':' | 'T' | 't' | ' ' | '.' | 'Z' | 'z' | '+'
        ) {}
        self.back();
        let text = self.current().trim().to_owned();
        self.push_item(ItemKind::Datetime, text, self.line);
        self.ignore();
        self.pop()
    }

    /// A word, which has to be `true` or `false`.
    pub(super) fn boolean(&mut self) -> State {
        let mut word = String::new();
        loop {
            let c = self.read();
            if !c.is_alphabetic() {
                self.back();
                break;
            }
            word.push(c);
        }
        if word == "true" || word == "false" {
            return self.emit_and_pop(ItemKind::Bool);
        }
        self.error(format!(
            "expected value but found {} instead",
            quoted(&word)
        ))
    }
}
