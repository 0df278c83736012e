//! Text to TOML items. Follows BurntSushi/toml 1.6 lex.go, with its positions and messages.

use crate::value::quote::{quote_rune, quoted};
use std::collections::VecDeque;

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemKind {
    Error,
    Eof,
    Text,
    Str,
    StrWithEscapes,
    RawStr,
    MultilineStr,
    RawMultilineStr,
    Bool,
    Integer,
    Float,
    Datetime,
    Array,
    ArrayEnd,
    TableStart,
    TableEnd,
    ArrayTableStart,
    ArrayTableEnd,
    KeyStart,
    KeyEnd,
    CommentStart,
    InlineTableStart,
    InlineTableEnd,
}

/// An item, its text or message, and its line.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) kind: ItemKind,
    pub(super) text: String,
    pub(super) line: usize,
}

/// What is expected next; the names follow the functions `lexTop`, `lexValue`, … of lex.go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Top,
    TopEnd,
    TableNameStart,
    TableNameEnd,
    TableEnd,
    ArrayTableEnd,
    BareName,
    QuotedName,
    KeyStart,
    KeyNameStart,
    KeyEnd,
    Value,
    ArrayValue,
    ArrayValueEnd,
    InlineTableValue,
    InlineTableValueEnd,
    Str,
    MultilineStr,
    RawStr,
    MultilineRawStr,
    Comment,
    Stop,
}

/// Reads items from a text.
pub(super) struct Lexer<'a> {
    input: &'a [u8],
    start: usize,
    at: usize,
    line: usize,
    state: State,
    stack: Vec<State>,
    items: VecDeque<Item>,
    escapes: bool,
    at_end: bool,
    /// The widths of the last characters read, for going back.
    widths: [usize; 4],
}

/// The character read at the end of the input.
const END: char = '\0';

/// A tab or a space, the only blanks within a line.
fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// A carriage return counts by itself: [`Lexer::read`] has refused those without a line feed.
fn is_line_end(c: char) -> bool {
    c == '\n' || c == '\r'
}

/// What a key may have without quotes.
fn is_bare(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// The character as Go's `%q`.
fn shown(c: char) -> String {
    String::from_utf8_lossy(&quote_rune(u32::from(c), false)).into_owned()
}

impl<'a> Lexer<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self {
            input,
            start: 0,
            at: 0,
            line: 1,
            state: State::Top,
            stack: Vec::new(),
            items: VecDeque::new(),
            escapes: false,
            at_end: false,
            widths: [0; 4],
        }
    }

    /// The next item; after an error or the end, the end.
    pub(super) fn next_item(&mut self) -> Item {
        loop {
            if let Some(item) = self.items.pop_front() {
                return item;
            }
            if self.state == State::Stop {
                return Item {
                    kind: ItemKind::Eof,
                    text: String::new(),
                    line: self.line,
                };
            }
            self.state = self.step(self.state);
        }
    }

    /// Runs one state; it gives the next.
    fn step(&mut self, state: State) -> State {
        match state {
            State::Top => self.top(),
            State::TopEnd => self.top_end(),
            State::TableNameStart => self.table_name_start(),
            State::TableNameEnd => self.table_name_end(),
            State::TableEnd => {
                self.emit(ItemKind::TableEnd);
                State::TopEnd
            }
            State::ArrayTableEnd => self.array_table_end(),
            State::BareName => self.bare_name(),
            State::QuotedName => self.quoted_name(),
            State::KeyStart => self.key_start(),
            State::KeyNameStart => self.key_name_start(),
            State::KeyEnd => self.key_end(),
            State::Value => self.value(),
            State::ArrayValue => self.array_value(),
            State::ArrayValueEnd => self.array_value_end(),
            State::InlineTableValue => self.inline_table_value(),
            State::InlineTableValueEnd => self.inline_table_value_end(),
            State::Str => self.string(),
            State::MultilineStr => self.multiline_string(),
            State::RawStr => self.raw_string(),
            State::MultilineRawStr => self.multiline_raw_string(),
            State::Comment => self.comment(),
            State::Stop => State::Stop,
        }
    }

    // Characters.

    /// The next character; [`END`] after the last.
    ///
    /// What TOML forbids everywhere is reported here and reads as U+FFFD without being passed:
    /// broken UTF-8,
    /// control characters, a carriage return without a line feed.
    fn read(&mut self) -> char {
        let Some(byte) = self.input.get(self.at).copied() else {
            self.at_end = true;
            return END;
        };
        if byte == b'\n' {
            self.line += 1;
        }
        self.widths.rotate_right(1);
        let rest = &self.input[self.at..self.input.len().min(self.at + 4)];
        let decoded = match std::str::from_utf8(rest) {
            Ok(text) => text.chars().next(),
            Err(error) => std::str::from_utf8(&rest[..error.valid_up_to()])
                .ok()
                .and_then(|text| text.chars().next()),
        };
        let Some(character) = decoded else {
            self.widths[0] = 0;
            self.push_error(format!("invalid UTF-8 byte: 0x{byte:02x}"));
            return '\u{fffd}';
        };
        let lone = character == '\r' && self.input.get(self.at + 1) != Some(&b'\n');
        if (character.is_ascii_control() && !matches!(character, '\t' | '\r' | '\n')) || lone {
            self.widths[0] = 0;
            let text = format!(
                "TOML files cannot contain control characters: '0x{:02x}'",
                u32::from(character)
            );
            self.push_item(ItemKind::Error, text, self.line);
            return '\u{fffd}';
        }
        self.widths[0] = character.len_utf8();
        self.at += self.widths[0];
        character
    }

    /// Takes the last [`Lexer::read`] back. Three in a row can be taken back.
    fn back(&mut self) {
        if self.at_end {
            self.at_end = false;
            return;
        }
        let width = self.widths[0];
        self.widths.rotate_left(1);
        self.widths[3] = 0;
        self.at -= width.min(self.at);
        if width > 0 && self.input.get(self.at) == Some(&b'\n') {
            self.line -= 1;
        }
    }

    /// Passes a character if it is the wanted one.
    fn accept(&mut self, wanted: char) -> bool {
        if self.read() == wanted {
            return true;
        }
        self.back();
        false
    }

    /// The next character, not passed.
    fn peek(&mut self) -> char {
        let character = self.read();
        self.back();
        character
    }

    /// Passes tabs and spaces, which are part of no item.
    fn skip_blanks(&mut self) {
        while is_blank(self.read()) {}
        self.back();
        self.ignore();
    }

    /// Begins the next item here.
    fn ignore(&mut self) {
        self.start = self.at;
    }

    /// Begins the next item here and goes to a state.
    fn skip(&mut self, next: State) -> State {
        self.ignore();
        next
    }

    /// The text of the item at hand.
    fn current(&self) -> String {
        String::from_utf8_lossy(self.input.get(self.start..self.at).unwrap_or(&[])).into_owned()
    }

    // Items.

    /// Adds an item that is not the text at hand.
    fn push_item(&mut self, kind: ItemKind, text: String, line: usize) {
        self.items.push_back(Item { kind, text, line });
    }

    /// Adds the text at hand as an item.
    fn emit(&mut self, kind: ItemKind) {
        let text = self.current();
        self.push_item(kind, text, self.line);
        self.ignore();
    }

    /// The state that was to follow; without one, the input is not TOML and the lexer stops.
    fn pop(&mut self) -> State {
        self.stack.pop().unwrap_or(State::Stop)
    }

    /// Ends an item and what it is a part of.
    fn emit_and_pop(&mut self, kind: ItemKind) -> State {
        self.emit(kind);
        self.pop()
    }

    /// Goes to a state, and on with another after it.
    fn go(&mut self, state: State, after: State) -> State {
        self.stack.push(after);
        state
    }

    /// Goes into a comment, and on with a state after it.
    fn go_comment(&mut self, after: State) -> State {
        self.ignore();
        self.emit(ItemKind::CommentStart);
        self.go(State::Comment, after)
    }

    /// A fault whose place is the line before when the input has ended.
    fn push_error(&mut self, text: String) {
        let line = self.line - usize::from(self.at_end);
        self.push_item(ItemKind::Error, text, line);
    }

    /// A fault that a line break shows, which belongs to the line before it.
    fn error_previous_line(&mut self, text: String) -> State {
        self.push_item(ItemKind::Error, text, self.line.saturating_sub(1));
        State::Stop
    }

    /// A fault in what was just read; at the end of the input that of the last line with text.
    fn error(&mut self, text: impl Into<String>) -> State {
        let after_line = self.at_end && self.at >= 1 && self.input[self.at - 1] == b'\n';
        self.push_item(
            ItemKind::Error,
            text.into(),
            self.line - usize::from(after_line),
        );
        State::Stop
    }

    // Top level and keys.

    /// Between lines: a table, a key, a comment or the end.
    fn top(&mut self) -> State {
        let c = self.read();
        if is_blank(c) || is_line_end(c) {
            return self.skip(State::Top);
        }
        match c {
            '#' => self.go_comment(State::Top),
            '[' => self.table_start(),
            END if self.at_end => {
                if self.at > self.start {
                    return self.error("unexpected EOF");
                }
                self.emit(ItemKind::Eof);
                State::Stop
            }
            _ => {
                self.back();
                self.go(State::KeyStart, State::TopEnd)
            }
        }
    }

    /// After a value or a table's name: nothing but a comment may follow in the line.
    fn top_end(&mut self) -> State {
        match self.read() {
            '#' => self.go_comment(State::Top),
            c if is_blank(c) => State::TopEnd,
            c if is_line_end(c) => self.skip(State::Top),
            END => {
                self.emit(ItemKind::Eof);
                State::Stop
            }
            c => self.error(format!(
                "expected a top-level item to end with a newline, comment, or EOF, but got {} instead",
                shown(c)
            )),
        }
    }

    /// After `[`: a table, or with a second one an array of tables.
    fn table_start(&mut self) -> State {
        if self.peek() == '[' {
            self.read();
            self.emit(ItemKind::ArrayTableStart);
            self.go(State::TableNameStart, State::ArrayTableEnd)
        } else {
            self.emit(ItemKind::TableStart);
            self.go(State::TableNameStart, State::TableEnd)
        }
    }

    /// After the first `]` of `[[name]]`.
    fn array_table_end(&mut self) -> State {
        let c = self.read();
        if c != ']' {
            return self.error(format!(
                "expected end of table array name delimiter ']', but got {} instead",
                shown(c)
            ));
        }
        self.emit(ItemKind::ArrayTableEnd);
        State::TopEnd
    }

    /// Before a part of a table's name.
    fn table_name_start(&mut self) -> State {
        self.skip_blanks();
        match self.peek() {
            ']' | END => self.error("unexpected end of table name (table names cannot be empty)"),
            '.' => self.error("unexpected table separator (table names cannot be empty)"),
            '"' | '\'' => {
                self.ignore();
                self.go(State::QuotedName, State::TableNameEnd)
            }
            _ => self.go(State::BareName, State::TableNameEnd),
        }
    }

    /// After a part of a table's name: a dot or the end.
    fn table_name_end(&mut self) -> State {
        self.skip_blanks();
        match self.read() {
            '.' => self.skip(State::TableNameStart),
            ']' => self.pop(),
            c => self.error(format!(
                "expected '.' or ']' to end table name, but got {} instead",
                shown(c)
            )),
        }
    }

    /// A part of a key without quotes, perhaps empty: the parser complains about that.
    fn bare_name(&mut self) -> State {
        while is_bare(self.read()) {}
        self.back();
        self.emit_and_pop(ItemKind::Text)
    }

    /// A part of a key in quotes. Multi-line strings are no keys.
    fn quoted_name(&mut self) -> State {
        match self.read() {
            '"' => self.skip(State::Str),
            '\'' => self.skip(State::RawStr),
            c if is_blank(c) => self.skip(State::Value),
            END => self.error("unexpected EOF; expected value"),
            c => self.error(format!("expected value but found {} instead", shown(c))),
        }
    }

    /// Before the first part of a key.
    fn key_start(&mut self) -> State {
        self.skip_blanks();
        match self.peek() {
            '=' | END => self.error("unexpected '=': key name appears blank"),
            '.' => self.error("unexpected '.': keys cannot start with a '.'"),
            _ => {
                self.emit(ItemKind::KeyStart);
                State::KeyNameStart
            }
        }
    }

    /// Before a part of a key.
    fn key_name_start(&mut self) -> State {
        self.skip_blanks();
        match self.peek() {
            '=' | END => self.error("unexpected '='"),
            '.' => self.error("unexpected '.'"),
            '"' | '\'' => {
                self.ignore();
                self.go(State::QuotedName, State::KeyEnd)
            }
            _ => self.go(State::BareName, State::KeyEnd),
        }
    }

    /// After a part of a key: a dot or `=`.
    fn key_end(&mut self) -> State {
        self.skip_blanks();
        match self.read() {
            END => self.error("unexpected EOF; expected key separator '='"),
            '.' => self.skip(State::KeyNameStart),
            '=' => {
                self.emit(ItemKind::KeyEnd);
                self.skip(State::Value)
            }
            c => {
                let text = format!("expected '.' or '=', but got {} instead", shown(c));
                if c == '\n' {
                    self.error_previous_line(text)
                } else {
                    self.error(text)
                }
            }
        }
    }

    // Values.

    /// After `=`, or an element of an array: the first character tells the kind of value.
    fn value(&mut self) -> State {
        let c = self.read();
        if is_blank(c) {
            return self.skip(State::Value);
        }
        if c.is_ascii_digit() {
            self.back();
            return self.number_or_date();
        }
        match c {
            '[' => {
                self.ignore();
                self.emit(ItemKind::Array);
                return State::ArrayValue;
            }
            '{' => {
                self.ignore();
                self.emit(ItemKind::InlineTableStart);
                return State::InlineTableValue;
            }
            '"' => return self.string_start('"', State::MultilineStr, State::Str),
            '\'' => return self.string_start('\'', State::MultilineRawStr, State::RawStr),
            '.' => return self.error("floats must start with a digit, not '.'"),
            'i' | 'n' => {
                let infinity = self.accept('n') && self.accept('f');
                if infinity || (self.accept('a') && self.accept('n')) {
                    return self.emit_and_pop(ItemKind::Float);
                }
            }
            '-' | '+' => return self.signed_number(),
            _ => {}
        }
        if c.is_alphabetic() {
            self.back();
            return self.boolean();
        }
        if c == END && self.at_end {
            return self.error("unexpected EOF; expected value");
        }
        let text = format!("expected value but found {} instead", shown(c));
        if c == '\n' {
            self.error_previous_line(text)
        } else {
            self.error(text)
        }
    }

    /// After the opening quote: two more make it a string of several lines.
    fn string_start(&mut self, quote: char, multiline: State, single: State) -> State {
        if self.accept(quote) {
            if self.accept(quote) {
                return self.skip(multiline);
            }
            self.back();
        }
        self.skip(single)
    }

    /// Before an element of an array, line breaks and comments allowed.
    fn array_value(&mut self) -> State {
        match self.read() {
            c if is_blank(c) || is_line_end(c) => self.skip(State::ArrayValue),
            '#' => self.go_comment(State::ArrayValue),
            ',' => self.error("unexpected comma"),
            ']' => self.array_end(),
            _ => {
                self.back();
                self.go(State::Value, State::ArrayValueEnd)
            }
        }
    }

    /// After an element: a comma or the end; a comma may stand before the end.
    fn array_value_end(&mut self) -> State {
        match self.read() {
            c if is_blank(c) || is_line_end(c) => self.skip(State::ArrayValueEnd),
            '#' => self.go_comment(State::ArrayValueEnd),
            ',' => self.skip(State::ArrayValue),
            ']' => self.array_end(),
            c => self.error(format!(
                "expected a comma (',') or array terminator (']'), but got {}",
                rune_or_end(c)
            )),
        }
    }

    /// `]` of an array.
    fn array_end(&mut self) -> State {
        self.ignore();
        self.emit_and_pop(ItemKind::ArrayEnd)
    }

    /// Before a key of an inline table, line breaks allowed as in TOML 1.1.
    fn inline_table_value(&mut self) -> State {
        match self.read() {
            c if is_blank(c) || is_line_end(c) => self.skip(State::InlineTableValue),
            '#' => self.go_comment(State::InlineTableValue),
            ',' => self.error("unexpected comma"),
            '}' => self.inline_table_end(),
            _ => {
                self.back();
                self.go(State::KeyStart, State::InlineTableValueEnd)
            }
        }
    }

    /// After a value of an inline table: a comma or the end.
    fn inline_table_value_end(&mut self) -> State {
        match self.read() {
            c if is_blank(c) || is_line_end(c) => self.skip(State::InlineTableValueEnd),
            '#' => self.go_comment(State::InlineTableValueEnd),
            ',' => {
                self.ignore();
                self.skip_blanks();
                if self.peek() == '}' {
                    return State::InlineTableValueEnd;
                }
                State::InlineTableValue
            }
            '}' => self.inline_table_end(),
            c => self.error(format!(
                "expected a comma or an inline table terminator '}}', but got {} instead",
                rune_or_end(c)
            )),
        }
    }

    /// `}` of an inline table.
    fn inline_table_end(&mut self) -> State {
        self.ignore();
        self.emit_and_pop(ItemKind::InlineTableEnd)
    }

    // Strings.

    /// Within `"…"`. The item is the text as written; the parser resolves escapes.
    fn string(&mut self) -> State {
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
    fn raw_string(&mut self) -> State {
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
    fn multiline_string(&mut self) -> State {
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
    fn multiline_raw_string(&mut self) -> State {
        match self.read() {
            END if self.at_end => self.error("unexpected EOF; expected \"'''\""),
            '\'' => self.multiline_end('\'', State::MultilineRawStr, ItemKind::RawMultilineStr),
            _ => State::MultilineRawStr,
        }
    }

    /// After one quote in a multi-line string: two more end it, unless yet more follow.
    fn multiline_end(&mut self, quote: char, again: State, kind: ItemKind) -> State {
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
    fn escape(&mut self, after: State) -> State {
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
    fn number_or_date(&mut self) -> State {
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
    fn based(&mut self, name: &str, is_digit: fn(char) -> bool) -> State {
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
    fn decimal(&mut self) -> State {
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
    fn signed_number(&mut self) -> State {
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
    fn float(&mut self) -> State {
        while matches!(self.read(), '0'..='9' | '_' | '.' | '-' | '+' | 'e' | 'E') {}
        self.back();
        self.emit_and_pop(ItemKind::Float)
    }

    /// A date or time; which characters fit where, the parser finds out.
    fn datetime(&mut self) -> State {
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
    fn boolean(&mut self) -> State {
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

    /// To the end of the line.
    fn comment(&mut self) -> State {
        loop {
            let c = self.read();
            if is_line_end(c) || c == END || c == '\u{fffd}' && !self.items.is_empty() {
                self.back();
                return self.emit_and_pop(ItemKind::Text);
            }
        }
    }
}

/// A character in a message, or the end of the input by name.
fn rune_or_end(c: char) -> String {
    if c == END {
        "end of file".into()
    } else {
        format!("'{c}'")
    }
}
