//! The lexer: a template's text into tokens, with trim markers and comments already applied.
//!
//! Follows Go 1.26 `text/template/parse/lex.go`.

mod text;

use super::token::{Token, TokenKind};
use crate::value::quote::quoted;
use crate::value::rune::{decode_last_rune, decode_rune};
use text::{
    count_lines, find, has_left_trim_marker, has_right_trim_marker, is_alphanumeric, is_one_of,
    is_space, is_space_byte, left_trim_length, unicode_name,
};

const LEFT_DELIM: &[u8] = b"{{";
const RIGHT_DELIM: &[u8] = b"}}";
const LEFT_COMMENT: &[u8] = b"/*";
const RIGHT_COMMENT: &[u8] = b"*/";
/// The length of a trim marker with the space it needs.
const TRIM_MARKER_LEN: usize = 2;

/// Reads one token after the other.
pub(super) struct Lexer<'a> {
    input: &'a [u8],
    /// The current position.
    pos: usize,
    /// Where the current token starts.
    start: usize,
    at_eof: bool,
    paren_depth: usize,
    /// The line of `pos`, from 1.
    line: usize,
    /// The line of `start`.
    start_line: usize,
    inside_action: bool,
    /// Whether `break` and `continue` are keywords and not functions of these names.
    pub(super) break_ok: bool,
    pub(super) continue_ok: bool,
    /// The message of the error token.
    pub(super) error: String,
}

/// `None` from a state means: go on in the state that follows from `inside_action`.
type Lexed<'a> = Option<Token<'a>>;

impl<'a> Lexer<'a> {
    /// Begins at the start of a template, outside of any action.
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self {
            input,
            pos: 0,
            start: 0,
            at_eof: false,
            paren_depth: 0,
            line: 1,
            start_line: 1,
            inside_action: false,
            break_ok: true,
            continue_ok: true,
            error: String::new(),
        }
    }

    /// The next token; [`TokenKind::Eof`] for ever after the last.
    pub(super) fn next_token(&mut self) -> Token<'a> {
        loop {
            let token = if self.inside_action {
                self.inside_action()
            } else {
                self.text()
            };
            if let Some(token) = token {
                return token;
            }
        }
    }

    /// What has not been read yet.
    fn rest(&self) -> &'a [u8] {
        &self.input[self.pos..]
    }

    /// The next rune; `None` at the end.
    fn next(&mut self) -> Option<u32> {
        if let Some(&byte @ 0..0x80) = self.input.get(self.pos) {
            self.pos += 1;
            self.line += usize::from(byte == b'\n');
            return Some(u32::from(byte));
        }
        let (rune, width) = decode_rune(self.rest());
        if width == 0 {
            self.at_eof = true;
            return None;
        }
        self.pos += width;
        if rune == u32::from(b'\n') {
            self.line += 1;
        }
        Some(rune)
    }

    /// Takes the last character back.
    fn backup(&mut self) {
        if !self.at_eof && self.pos > 0 {
            let (rune, width) = decode_last_rune(&self.input[..self.pos]);
            self.pos -= width;
            if rune == u32::from(b'\n') {
                self.line -= 1;
            }
        }
    }

    /// The next character, not passed.
    fn peek(&mut self) -> Option<u32> {
        if let Some(&byte @ 0..0x80) = self.input.get(self.pos) {
            return Some(u32::from(byte));
        }
        let rune = self.next();
        self.backup();
        rune
    }

    /// Ends an item here: its text, and the place where it began.
    fn take(&mut self, kind: TokenKind) -> Token<'a> {
        let text = &self.input[self.start..self.pos];
        let token = Token {
            kind,
            pos: self.start,
            line: self.start_line,
            text,
        };
        self.start = self.pos;
        self.start_line = self.line;
        token
    }

    fn emit(&mut self, kind: TokenKind) -> Lexed<'a> {
        Some(self.take(kind))
    }

    /// Skips what is pending; counts its lines, since they were not read by `next`.
    fn ignore(&mut self) {
        self.line += count_lines(&self.input[self.start..self.pos]);
        self.start = self.pos;
        self.start_line = self.line;
    }

    /// Passes a character if it is one of these.
    fn accept(&mut self, valid: &[u8]) -> bool {
        if self.next().is_some_and(|rune| is_one_of(rune, valid)) {
            return true;
        }
        self.backup();
        false
    }

    /// Passes characters as long as they are among these.
    fn accept_run(&mut self, valid: &[u8]) {
        while self.next().is_some_and(|rune| is_one_of(rune, valid)) {}
        self.backup();
    }

    /// Ends the lexing with an error token.
    fn fail(&mut self, message: impl Into<String>) -> Lexed<'a> {
        self.error = message.into();
        let token = Token {
            kind: TokenKind::Error,
            pos: self.start,
            line: self.start_line,
            text: b"",
        };
        self.start = 0;
        self.pos = 0;
        self.input = b"";
        Some(token)
    }

    /// Text up to the next action.
    fn text(&mut self) -> Lexed<'a> {
        let Some(offset) = find(self.rest(), LEFT_DELIM) else {
            self.pos = self.input.len();
            if self.pos > self.start {
                self.line += count_lines(&self.input[self.start..self.pos]);
                return self.emit(TokenKind::Text);
            }
            return self.emit(TokenKind::Eof);
        };
        if offset > 0 {
            self.pos += offset;
            let mut trimmed = 0;
            if has_left_trim_marker(&self.input[self.pos + LEFT_DELIM.len()..]) {
                let text = &self.input[self.start..self.pos];
                trimmed = text
                    .iter()
                    .rev()
                    .take_while(|&&byte| is_space_byte(byte))
                    .count();
            }
            self.pos -= trimmed;
            self.line += count_lines(&self.input[self.start..self.pos]);
            let token = self.take(TokenKind::Text);
            self.pos += trimmed;
            self.ignore();
            if !token.text.is_empty() {
                return Some(token);
            }
        }
        self.left_delim()
    }

    /// `{{`, with a trim marker and perhaps a comment after it.
    fn left_delim(&mut self) -> Lexed<'a> {
        self.pos += LEFT_DELIM.len();
        let marker = if has_left_trim_marker(self.rest()) {
            TRIM_MARKER_LEN
        } else {
            0
        };
        if self.input[self.pos + marker..].starts_with(LEFT_COMMENT) {
            self.pos += marker;
            self.ignore();
            return self.comment();
        }
        let token = self.take(TokenKind::LeftDelim);
        self.inside_action = true;
        self.pos += marker;
        self.ignore();
        self.paren_depth = 0;
        Some(token)
    }

    /// `/* … */`, which has to fill its action.
    fn comment(&mut self) -> Lexed<'a> {
        self.pos += LEFT_COMMENT.len();
        let Some(end) = find(self.rest(), RIGHT_COMMENT) else {
            return self.fail("unclosed comment");
        };
        self.pos += end + RIGHT_COMMENT.len();
        let Some(trim) = self.at_right_delim() else {
            return self.fail("comment ends before closing delimiter");
        };
        if trim {
            self.pos += TRIM_MARKER_LEN;
        }
        self.pos += RIGHT_DELIM.len();
        if trim {
            self.pos += left_trim_length(self.rest());
        }
        self.ignore();
        None
    }

    /// Whether a right delimiter follows, and whether it has a trim marker.
    fn at_right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        if has_right_trim_marker(rest) && rest[TRIM_MARKER_LEN..].starts_with(RIGHT_DELIM) {
            return Some(true);
        }
        rest.starts_with(RIGHT_DELIM).then_some(false)
    }

    /// `}}`; a trim marker before it cuts the blanks from the text that follows.
    fn right_delim(&mut self) -> Lexed<'a> {
        let trim = self.at_right_delim() == Some(true);
        if trim {
            self.pos += TRIM_MARKER_LEN;
            self.ignore();
        }
        self.pos += RIGHT_DELIM.len();
        let token = self.take(TokenKind::RightDelim);
        if trim {
            self.pos += left_trim_length(self.rest());
            self.ignore();
        }
        self.inside_action = false;
        Some(token)
    }

    /// One item of an action: the first character tells which.
    fn inside_action(&mut self) -> Lexed<'a> {
        if self.at_right_delim().is_some() {
            if self.paren_depth == 0 {
                return self.right_delim();
            }
            return self.fail("unclosed left paren");
        }
        let Some(rune) = self.next() else {
            return self.fail("unclosed action");
        };
        match u8::try_from(rune).unwrap_or(0x80) {
            byte if is_space_byte(byte) => {
                self.backup();
                self.space()
            }
            b'=' => self.emit(TokenKind::Assign),
            b':' if self.next() == Some(u32::from(b'=')) => self.emit(TokenKind::Declare),
            b':' => self.fail("expected :="),
            b'|' => self.emit(TokenKind::Pipe),
            b'"' => self.quote(),
            b'`' => self.raw_quote(),
            b'$' if self.at_terminator() => self.emit(TokenKind::Variable),
            b'$' => self.field_or_variable(TokenKind::Variable),
            b'\'' => self.char_constant(),
            b'.' if self
                .rest()
                .first()
                .is_some_and(|byte| !byte.is_ascii_digit()) =>
            {
                self.field_or_variable(TokenKind::Field)
            }
            b'.' | b'+' | b'-' | b'0'..=b'9' => {
                self.backup();
                self.number()
            }
            _ if is_alphanumeric(rune) => {
                self.backup();
                self.identifier()
            }
            b'(' => {
                self.paren_depth += 1;
                self.emit(TokenKind::LeftParen)
            }
            b')' if self.paren_depth == 0 => self.fail("unexpected right paren"),
            b')' => {
                self.paren_depth -= 1;
                self.emit(TokenKind::RightParen)
            }
            b' '..=b'~' => self.emit(TokenKind::Char),
            _ => self.fail(format!(
                "unrecognized character in action: {}",
                unicode_name(Some(rune))
            )),
        }
    }

    /// A run of spaces; the last one may belong to a trim marker.
    fn space(&mut self) -> Lexed<'a> {
        let mut count = 0;
        while self.peek().is_some_and(is_space) {
            self.next();
            count += 1;
        }
        let last = &self.input[self.pos - 1..];
        if has_right_trim_marker(last) && last[TRIM_MARKER_LEN..].starts_with(RIGHT_DELIM) {
            self.backup();
            if count == 1 {
                return self.right_delim();
            }
        }
        self.emit(TokenKind::Space)
    }

    /// A keyword, a function's name or, after a dot, a field.
    fn identifier(&mut self) -> Lexed<'a> {
        let after = self.skip_alphanumeric();
        let word = &self.input[self.start..self.pos];
        if !self.at_terminator() {
            return self.fail(format!("bad character {}", unicode_name(after)));
        }
        let kind = match TokenKind::keyword(word) {
            Some(TokenKind::Break) if !self.break_ok => TokenKind::Identifier,
            Some(TokenKind::Continue) if !self.continue_ok => TokenKind::Identifier,
            Some(keyword) => keyword,
            None if word == b"true" || word == b"false" => TokenKind::Bool,
            None => TokenKind::Identifier,
        };
        self.emit(kind)
    }

    /// A name after `.` or `$`; the sign has been read.
    fn field_or_variable(&mut self, kind: TokenKind) -> Lexed<'a> {
        if self.at_terminator() {
            let alone = if kind == TokenKind::Variable {
                kind
            } else {
                TokenKind::Dot
            };
            return self.emit(alone);
        }
        let after = self.skip_alphanumeric();
        if !self.at_terminator() {
            return self.fail(format!("bad character {}", unicode_name(after)));
        }
        self.emit(kind)
    }

    /// Reads letters and digits; returns the rune after them.
    fn skip_alphanumeric(&mut self) -> Option<u32> {
        let is_plain = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        self.pos += self.rest().iter().take_while(is_plain).count();
        loop {
            let rune = self.next();
            if !rune.is_some_and(is_alphanumeric) {
                self.backup();
                return rune;
            }
        }
    }

    /// Whether what follows may end a name.
    fn at_terminator(&mut self) -> bool {
        match self.peek() {
            None => true,
            Some(rune) if is_space(rune) || is_one_of(rune, b".,|:)(") => true,
            Some(_) => self.rest().starts_with(RIGHT_DELIM),
        }
    }

    /// A character in single quotes, as written.
    fn char_constant(&mut self) -> Lexed<'a> {
        if self.skip_quoted(b'\'') {
            return self.emit(TokenKind::CharConstant);
        }
        self.fail("unterminated character constant")
    }

    /// A string in double quotes, as written.
    fn quote(&mut self) -> Lexed<'a> {
        if self.skip_quoted(b'"') {
            return self.emit(TokenKind::String);
        }
        self.fail("unterminated quoted string")
    }

    /// Reads up to the closing mark on the same line; `false` when there is none.
    fn skip_quoted(&mut self, mark: u8) -> bool {
        let newline = u32::from(b'\n');
        loop {
            match self.next() {
                None => return false,
                Some(rune) if rune == newline => return false,
                Some(rune) if rune == u32::from(mark) => return true,
                Some(rune) if rune == u32::from(b'\\') => {
                    if self.next().is_none_or(|rune| rune == newline) {
                        return false;
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// A string in backquotes, which may have several lines.
    fn raw_quote(&mut self) -> Lexed<'a> {
        loop {
            match self.next() {
                None => return self.fail("unterminated raw quoted string"),
                Some(rune) if rune == u32::from(b'`') => return self.emit(TokenKind::RawString),
                Some(_) => {}
            }
        }
    }

    /// A number or what looks like one; Go's rules are checked by the parser.
    fn number(&mut self) -> Lexed<'a> {
        if !self.scan_number() {
            return self.bad_number();
        }
        if self.peek().is_some_and(|rune| is_one_of(rune, b"+-")) {
            if !self.scan_number() || self.input[self.pos - 1] != b'i' {
                return self.bad_number();
            }
            return self.emit(TokenKind::Complex);
        }
        self.emit(TokenKind::Number)
    }

    /// The fault for a number that runs into a letter or digit.
    fn bad_number(&mut self) -> Lexed<'a> {
        let text = &self.input[self.start..self.pos];
        self.fail(format!("bad number syntax: {}", quoted(text)))
    }

    /// Reads something like a number; the parser checks whether it is one.
    fn scan_number(&mut self) -> bool {
        const DECIMAL: &[u8] = b"0123456789_";
        const HEX: &[u8] = b"0123456789abcdefABCDEF_";
        self.accept(b"+-");
        let mut digits = DECIMAL;
        if self.accept(b"0") {
            if self.accept(b"xX") {
                digits = HEX;
            } else if self.accept(b"oO") {
                digits = b"01234567_";
            } else if self.accept(b"bB") {
                digits = b"01_";
            }
        }
        self.accept_run(digits);
        if self.accept(b".") {
            self.accept_run(digits);
        }
        if (digits == DECIMAL && self.accept(b"eE")) || (digits == HEX && self.accept(b"pP")) {
            self.accept(b"+-");
            self.accept_run(DECIMAL);
        }
        self.accept(b"i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.next();
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Lexer;
    use crate::template::token::TokenKind;

    fn lex(text: &str) -> Vec<(TokenKind, String)> {
        let mut lexer = Lexer::new(text.as_bytes());
        let mut tokens = Vec::new();
        loop {
            let token = lexer.next_token();
            let text = match token.kind {
                TokenKind::Eof => return tokens,
                TokenKind::Error => lexer.error.clone(),
                _ => String::from_utf8_lossy(token.text).into_owned(),
            };
            tokens.push((token.kind, text));
            if token.kind == TokenKind::Error {
                return tokens;
            }
        }
    }

    fn shape(text: &str) -> String {
        let words = lex(text)
            .into_iter()
            .filter(|(kind, _)| *kind != TokenKind::Space);
        words
            .map(|(kind, text)| format!("{kind:?}:{text}"))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn trims_around_markers_only_with_a_space() {
        insta::assert_snapshot!(shape("a \n{{- 1 -}}\t b"),
            @"Text:a LeftDelim:{{ Number:1 RightDelim:}} Text:b");
        insta::assert_snapshot!(shape("a {{-1}} b"),
            @"Text:a  LeftDelim:{{ Number:-1 RightDelim:}} Text: b");
    }

    #[test]
    fn drops_comments() {
        insta::assert_snapshot!(shape("a {{- /* x */ -}} b{{/* y */}}c"), @"Text:a Text:b Text:c");
    }

    #[test]
    fn splits_fields_variables_and_chains() {
        insta::assert_snapshot!(shape("{{$x.a.b := (f .).c | g 'x' `r` 1+2i .5 , true}}"),
            @"LeftDelim:{{ Variable:$x Field:.a Field:.b Declare::= LeftParen:( Identifier:f Dot:. RightParen:) Field:.c Pipe:| Identifier:g CharConstant:'x' RawString:`r` Complex:1+2i Number:.5 Char:, Bool:true RightDelim:}}");
    }

    #[test]
    fn says_what_it_cannot_read() {
        let last = |text: &str| lex(text).pop().unwrap().1;
        assert_eq!(last("{{ a"), "unclosed action");
        assert_eq!(last("{{ (a }}"), "unclosed left paren");
        assert_eq!(last("{{ a) }}"), "unexpected right paren");
        assert_eq!(last("{{ \"a }}"), "unterminated quoted string");
        assert_eq!(last("{{ `a }}"), "unterminated raw quoted string");
        assert_eq!(last("{{ 'a }}"), "unterminated character constant");
        assert_eq!(last("{{/* }}"), "unclosed comment");
        assert_eq!(
            last("{{/* x */ y }}"),
            "comment ends before closing delimiter"
        );
        assert_eq!(last("{{ x@y }}"), "bad character U+0040 '@'");
        assert_eq!(
            last("{{ \u{1} }}"),
            "unrecognized character in action: U+0001"
        );
        assert_eq!(last("{{ 3k }}"), "bad number syntax: \"3k\"");
        assert_eq!(last("{{ $x : 1 }}"), "expected :=");
    }
}
