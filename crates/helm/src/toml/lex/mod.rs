//! Text to TOML items. Follows BurntSushi/toml 1.6 lex.go, with its positions and messages.

mod key;
mod scalar;
mod value;

use crate::value::quote::quote_rune;
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
    /// Begins at the start of a document.
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
