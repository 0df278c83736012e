//! Values: what kind one is, arrays and inline tables.

use super::{END, ItemKind, Lexer, State, is_blank, is_line_end, rune_or_end, shown};

impl Lexer<'_> {
    /// After `=`, or an element of an array: the first character tells the kind of value.
    pub(super) fn value(&mut self) -> State {
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
    pub(super) fn string_start(&mut self, quote: char, multiline: State, single: State) -> State {
        if self.accept(quote) {
            if self.accept(quote) {
                return self.skip(multiline);
            }
            self.back();
        }
        self.skip(single)
    }

    /// Before an element of an array, line breaks and comments allowed.
    pub(super) fn array_value(&mut self) -> State {
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
    pub(super) fn array_value_end(&mut self) -> State {
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
    pub(super) fn array_end(&mut self) -> State {
        self.ignore();
        self.emit_and_pop(ItemKind::ArrayEnd)
    }

    /// Before a key of an inline table, line breaks allowed as in TOML 1.1.
    pub(super) fn inline_table_value(&mut self) -> State {
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
    pub(super) fn inline_table_value_end(&mut self) -> State {
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
    pub(super) fn inline_table_end(&mut self) -> State {
        self.ignore();
        self.emit_and_pop(ItemKind::InlineTableEnd)
    }
}
