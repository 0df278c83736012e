//! The top level of a document, table names and keys.

use super::{END, ItemKind, Lexer, State, is_bare, is_blank, is_line_end, shown};

impl Lexer<'_> {
    /// Between lines: a table, a key, a comment or the end.
    pub(super) fn top(&mut self) -> State {
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
    pub(super) fn top_end(&mut self) -> State {
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
    pub(super) fn table_start(&mut self) -> State {
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
    pub(super) fn array_table_end(&mut self) -> State {
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
    pub(super) fn table_name_start(&mut self) -> State {
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
    pub(super) fn table_name_end(&mut self) -> State {
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
    pub(super) fn bare_name(&mut self) -> State {
        while is_bare(self.read()) {}
        self.back();
        self.emit_and_pop(ItemKind::Text)
    }

    /// A part of a key in quotes. Multi-line strings are no keys.
    pub(super) fn quoted_name(&mut self) -> State {
        match self.read() {
            '"' => self.skip(State::Str),
            '\'' => self.skip(State::RawStr),
            c if is_blank(c) => self.skip(State::Value),
            END => self.error("unexpected EOF; expected value"),
            c => self.error(format!("expected value but found {} instead", shown(c))),
        }
    }

    /// Before the first part of a key.
    pub(super) fn key_start(&mut self) -> State {
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
    pub(super) fn key_name_start(&mut self) -> State {
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
    pub(super) fn key_end(&mut self) -> State {
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
}
