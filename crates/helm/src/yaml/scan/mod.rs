//! Text to tokens: the scanner of YAML 1.1, as go-yaml v2 has it.
//!
//! It knows indentation, simple keys and indicators; the grammar of documents is in
//! [`super::events`]. Follows go.yaml.in/yaml/v2 scannerc.go, with its limits and error texts.

mod cursor;
mod scalar;
mod tag;
mod token;

use super::source::{Source, SourceFault};
use crate::limits::MAX_DEPTH;
use std::collections::VecDeque;
pub use token::Style;
pub(super) use token::{Fault, Position, Token, TokenKind};

/// What is said beyond [`MAX_DEPTH`] of flow collections, or of block collections.
const TOO_DEEP: &str = "exceeded max depth of 10000";
/// How many characters after its start a simple key must have ended.
const MAX_KEY_LENGTH: usize = 1024;

/// The place of a token that may turn out to be a key.
#[derive(Clone, Copy, Default)]
struct SimpleKey {
    possible: bool,
    required: bool,
    token: usize,
    at: Position,
}

/// Reads tokens from a text, one at a time.
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    fault: Option<SourceFault>,
    at: Position,
    started: bool,
    /// Whether the head of the queue is known to be final.
    head_is_final: bool,
    tokens: VecDeque<Token>,
    /// How many tokens were taken from the queue.
    taken: usize,
    indent: isize,
    indents: Vec<isize>,
    key_allowed: bool,
    /// One candidate per flow level; the first is that of the block context.
    keys: Vec<SimpleKey>,
    /// Token number and flow level of the candidates, in order.
    key_tokens: VecDeque<(usize, usize)>,
    /// Room for the gaps in plain scalars.
    gap: scalar::Gap,
}

impl<'a> Scanner<'a> {
    /// Starts at the beginning of the source.
    pub(super) fn new(source: &'a Source<'_>) -> Self {
        Self {
            bytes: source.text.as_bytes(),
            fault: source.fault,
            at: Position {
                offset: source.start,
                ..Position::default()
            },
            started: false,
            head_is_final: false,
            tokens: VecDeque::new(),
            taken: 0,
            indent: -1,
            indents: Vec::new(),
            key_allowed: true,
            keys: vec![SimpleKey::default()],
            key_tokens: VecDeque::new(),
            gap: scalar::Gap::default(),
        }
    }

    /// The next token, left in the queue.
    pub(super) fn peek(&mut self) -> Result<&Token, Fault> {
        if !self.head_is_final {
            self.fetch_more()?;
        }
        self.tokens
            .front()
            .ok_or(Fault::Reader("unexpected end of the token stream"))
    }

    /// Takes the token that [`Scanner::peek`] showed.
    pub(super) fn take(&mut self) -> Option<Token> {
        self.head_is_final = false;
        self.taken += 1;
        self.tokens.pop_front()
    }

    /// Reads on until the head of the queue is final.
    ///
    /// A scalar or collection may turn out to be a key when a `:` follows, and then `KEY` and the
    /// start of a
    /// mapping are put before it; until that is settled it must not be taken.
    fn fetch_more(&mut self) -> Result<(), Fault> {
        loop {
            if !self.tokens.is_empty() {
                let Some(level) = self.key_at_head() else {
                    break;
                };
                if !self.key_is_valid(level)? {
                    break;
                }
            }
            self.fetch_next()?;
        }
        self.head_is_final = true;
        Ok(())
    }

    /// The flow level of the candidate that is the head of the queue.
    fn key_at_head(&mut self) -> Option<usize> {
        while self
            .key_tokens
            .front()
            .is_some_and(|(token, _)| *token < self.taken)
        {
            self.key_tokens.pop_front();
        }
        self.key_tokens
            .front()
            .filter(|(token, _)| *token == self.taken)
            .map(|(_, level)| *level)
    }

    /// A token is no candidate for a key any more.
    fn forget_key_token(&mut self, number: usize) {
        for index in (0..self.key_tokens.len()).rev() {
            match self.key_tokens[index].0 {
                token if token == number => {
                    self.key_tokens.remove(index);
                    return;
                }
                token if token < number => return,
                _ => {}
            }
        }
    }

    /// How many brackets and braces are open.
    fn flow_level(&self) -> usize {
        self.keys.len() - 1
    }

    /// Whether any bracket or brace is open.
    fn in_flow(&self) -> bool {
        self.keys.len() > 1
    }

    /// Reads one token, with the ends of the block collections before it.
    fn fetch_next(&mut self) -> Result<(), Fault> {
        self.ensure(1)?;
        if !self.started {
            self.started = true;
            self.push(TokenKind::StreamStart, self.at, self.at);
            return Ok(());
        }
        self.skip_to_token()?;
        self.unroll_indent(self.column());
        self.ensure(4)?;
        let follows_blank = self.is_blank_or_end(1);
        match self.byte(0) {
            0 => self.fetch_stream_end(),
            b'%' if self.at.column == 0 => self.fetch_directive(),
            b'-' if self.is_document_marker(b'-') => {
                self.fetch_document_marker(TokenKind::DocumentStart)
            }
            b'.' if self.is_document_marker(b'.') => {
                self.fetch_document_marker(TokenKind::DocumentEnd)
            }
            b'[' => self.fetch_flow_start(TokenKind::FlowSequenceStart),
            b'{' => self.fetch_flow_start(TokenKind::FlowMappingStart),
            b']' => self.fetch_flow_end(TokenKind::FlowSequenceEnd),
            b'}' => self.fetch_flow_end(TokenKind::FlowMappingEnd),
            b',' => self.fetch_flow_entry(),
            b'-' if follows_blank => self.fetch_block_entry(),
            b'?' if self.in_flow() || follows_blank => self.fetch_key(),
            b':' if self.in_flow() || follows_blank => self.fetch_value(),
            b'*' => self.fetch_anchor(true),
            b'&' => self.fetch_anchor(false),
            b'!' => self.fetch_tag(),
            b'|' if !self.in_flow() => self.fetch_block_scalar(true),
            b'>' if !self.in_flow() => self.fetch_block_scalar(false),
            b'\'' => self.fetch_flow_scalar(true),
            b'"' => self.fetch_flow_scalar(false),
            _ if self.starts_plain_scalar() => self.fetch_plain_scalar(),
            _ => Err(self.error(self.at, "found character that cannot start any token")),
        }
    }

    /// Whether the text here can begin a scalar without quotes.
    ///
    /// `-`, `?` and `:` can when no blank follows; in a flow collection `?` and `:` cannot.
    fn starts_plain_scalar(&self) -> bool {
        match self.byte(0) {
            b'-' => !matches!(self.byte(1), b' ' | b'\t'),
            b'?' | b':' => !self.in_flow() && !self.is_blank_or_end(1),
            b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\''
            | b'"' | b'%' | b'@' | b'`' => false,
            _ => !self.is_blank_or_end(0),
        }
    }

    /// `---` or `...` at the start of a line, followed by a blank.
    fn is_document_marker(&self, indicator: u8) -> bool {
        self.at.column == 0 && (0..3).all(|k| self.byte(k) == indicator) && self.is_blank_or_end(3)
    }

    /// Passes blanks, comments and line breaks. A tab does not count as a blank where it would be
    /// indentation.
    fn skip_to_token(&mut self) -> Result<(), Fault> {
        loop {
            self.ensure(1)?;
            if self.at.chars == 0 && self.bytes[self.at.offset..].starts_with("\u{feff}".as_bytes())
            {
                self.skip();
            }
            self.ensure(1)?;
            let tabs = self.in_flow() || !self.key_allowed;
            self.skip_run(|byte| byte != b' ');
            while self.byte(0) == b' ' || tabs && self.byte(0) == b'\t' {
                self.skip();
                self.ensure(1)?;
            }
            self.skip_comment()?;
            if !self.is_break(0) {
                return Ok(());
            }
            self.ensure(2)?;
            self.skip_line();
            if !self.in_flow() {
                self.key_allowed = true;
            }
        }
    }

    /// Passes a comment, up to the line break.
    fn skip_comment(&mut self) -> Result<(), Fault> {
        if self.byte(0) == b'#' {
            loop {
                self.skip_run(|byte| matches!(byte, b'\r' | b'\n'));
                if self.is_break_or_end(0) {
                    break;
                }
                self.skip();
                self.ensure(1)?;
            }
        }
        Ok(())
    }

    /// Passes blanks within a line.
    fn skip_blanks(&mut self) -> Result<(), Fault> {
        self.ensure(1)?;
        while self.is_blank(0) {
            self.skip();
            self.ensure(1)?;
        }
        Ok(())
    }

    /// Passes the rest of a line, in which nothing but a comment may stand; `start` is the place for
    /// the fault.
    fn finish_line(&mut self, start: Position) -> Result<(), Fault> {
        self.skip_blanks()?;
        self.skip_comment()?;
        if !self.is_break_or_end(0) {
            return Err(self.error(start, "did not find expected comment or line break"));
        }
        if self.is_break(0) {
            self.ensure(2)?;
            self.skip_line();
        }
        Ok(())
    }

    // Simple keys: what may turn out to be a key once its `:` is seen.

    /// Whether the candidate of a flow level can still be a key: it has to end in its line and
    /// within
    /// [`MAX_KEY_LENGTH`] characters. One that must be a key and cannot is a fault.
    fn key_is_valid(&mut self, level: usize) -> Result<bool, Fault> {
        let Some(key) = self.keys.get(level).copied() else {
            return Ok(false);
        };
        if !key.possible {
            return Ok(false);
        }
        if key.at.line < self.at.line || key.at.chars + MAX_KEY_LENGTH < self.at.chars {
            if key.required {
                return Err(self.error(key.at, "could not find expected ':'"));
            }
            self.keys[level].possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    /// Notes that a key may begin here; required if it is at the indentation of a block mapping.
    fn save_key(&mut self) -> Result<(), Fault> {
        if !self.key_allowed {
            return Ok(());
        }
        let required = !self.in_flow() && self.indent == self.column();
        let token = self.taken + self.tokens.len();
        self.remove_key()?;
        let level = self.flow_level();
        self.keys[level] = SimpleKey {
            possible: true,
            required,
            token,
            at: self.at,
        };
        self.key_tokens.push_back((token, level));
        Ok(())
    }

    /// Gives the candidate of the current flow level up.
    fn remove_key(&mut self) -> Result<(), Fault> {
        let level = self.flow_level();
        let key = self.keys[level];
        if key.possible {
            if key.required {
                return Err(self.error(key.at, "could not find expected ':'"));
            }
            self.keys[level].possible = false;
            self.forget_key_token(key.token);
        }
        Ok(())
    }

    // Indentation.

    /// The column from 0, comparable with the indentation, which is −1 outside of all collections.
    fn column(&self) -> isize {
        self.at.column.cast_signed()
    }

    /// Opens a block collection when the column is deeper than the indentation. `number` is the
    /// token before which the start belongs.
    fn roll_indent(
        &mut self,
        column: isize,
        number: Option<usize>,
        kind: TokenKind,
        at: Position,
    ) -> Result<(), Fault> {
        if self.in_flow() || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        if self.indents.len() > MAX_DEPTH {
            return Err(self.error(self.keys[0].at, TOO_DEEP));
        }
        self.insert(number, kind, at, at);
        Ok(())
    }

    /// Ends the block collections that are indented deeper than a column.
    fn unroll_indent(&mut self, column: isize) {
        if self.in_flow() {
            return;
        }
        while self.indent > column {
            self.push(TokenKind::BlockEnd, self.at, self.at);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    // One function per kind of token.

    /// The end of the text, which ends every block collection.
    fn fetch_stream_end(&mut self) -> Result<(), Fault> {
        if self.at.column != 0 {
            self.at.column = 0;
            self.at.line += 1;
        }
        self.unroll_indent(-1);
        self.remove_key()?;
        self.key_allowed = false;
        self.push(TokenKind::StreamEnd, self.at, self.at);
        Ok(())
    }

    /// `%` at the start of a line.
    fn fetch_directive(&mut self) -> Result<(), Fault> {
        self.unroll_indent(-1);
        self.remove_key()?;
        self.key_allowed = false;
        let token = self.scan_directive()?;
        self.tokens.push_back(token);
        Ok(())
    }

    /// `---` or `...`, which end every block collection.
    fn fetch_document_marker(&mut self, kind: TokenKind) -> Result<(), Fault> {
        self.unroll_indent(-1);
        self.remove_key()?;
        self.key_allowed = false;
        self.push_indicator(kind, 3);
        Ok(())
    }

    /// `[` or `{`, which may begin a key: `{a: b}: c`.
    fn fetch_flow_start(&mut self, kind: TokenKind) -> Result<(), Fault> {
        self.save_key()?;
        let token = self.taken + self.tokens.len();
        self.keys.push(SimpleKey {
            possible: false,
            required: false,
            token,
            at: self.at,
        });
        if self.flow_level() > MAX_DEPTH {
            return Err(self.error(self.at, TOO_DEEP));
        }
        self.key_allowed = true;
        self.push_indicator(kind, 1);
        Ok(())
    }

    /// `]` or `}`.
    fn fetch_flow_end(&mut self, kind: TokenKind) -> Result<(), Fault> {
        self.remove_key()?;
        if self.in_flow()
            && let Some(key) = self.keys.pop()
        {
            self.forget_key_token(key.token);
        }
        self.key_allowed = false;
        self.push_indicator(kind, 1);
        Ok(())
    }

    /// `,` in a flow collection.
    fn fetch_flow_entry(&mut self) -> Result<(), Fault> {
        self.remove_key()?;
        self.key_allowed = true;
        self.push_indicator(TokenKind::FlowEntry, 1);
        Ok(())
    }

    /// `- `, which begins a list when it is indented deeper than what is open.
    fn fetch_block_entry(&mut self) -> Result<(), Fault> {
        if !self.in_flow() {
            if !self.key_allowed {
                let problem = "block sequence entries are not allowed in this context";
                return Err(self.error(self.at, problem));
            }
            self.roll_indent(self.column(), None, TokenKind::BlockSequenceStart, self.at)?;
        }
        self.remove_key()?;
        self.key_allowed = true;
        self.push_indicator(TokenKind::BlockEntry, 1);
        Ok(())
    }

    /// `? `, which begins a mapping when it is indented deeper than what is open.
    fn fetch_key(&mut self) -> Result<(), Fault> {
        if !self.in_flow() {
            if !self.key_allowed {
                return Err(self.error(self.at, "mapping keys are not allowed in this context"));
            }
            self.roll_indent(self.column(), None, TokenKind::BlockMappingStart, self.at)?;
        }
        self.remove_key()?;
        self.key_allowed = !self.in_flow();
        self.push_indicator(TokenKind::Key, 1);
        Ok(())
    }

    /// `:`. What came before it becomes a key if it can be one; otherwise the key is empty.
    fn fetch_value(&mut self) -> Result<(), Fault> {
        let level = self.flow_level();
        if self.key_is_valid(level)? {
            let key = self.keys[level];
            self.insert(Some(key.token), TokenKind::Key, key.at, key.at);
            let column = key.at.column.cast_signed();
            self.roll_indent(
                column,
                Some(key.token),
                TokenKind::BlockMappingStart,
                key.at,
            )?;
            self.keys[level].possible = false;
            self.forget_key_token(key.token);
            self.key_allowed = false;
        } else {
            if !self.in_flow() {
                if !self.key_allowed {
                    let problem = "mapping values are not allowed in this context";
                    return Err(self.error(self.at, problem));
                }
                self.roll_indent(self.column(), None, TokenKind::BlockMappingStart, self.at)?;
            }
            self.key_allowed = !self.in_flow();
        }
        self.push_indicator(TokenKind::Value, 1);
        Ok(())
    }

    /// `&name` or `*name`.
    fn fetch_anchor(&mut self, alias: bool) -> Result<(), Fault> {
        self.save_key()?;
        self.key_allowed = false;
        let token = self.scan_anchor(alias)?;
        self.tokens.push_back(token);
        Ok(())
    }

    /// `!tag`.
    fn fetch_tag(&mut self) -> Result<(), Fault> {
        self.save_key()?;
        self.key_allowed = false;
        let token = self.scan_tag()?;
        self.tokens.push_back(token);
        Ok(())
    }

    /// `|` or `>`.
    fn fetch_block_scalar(&mut self, literal: bool) -> Result<(), Fault> {
        self.remove_key()?;
        self.key_allowed = true;
        let token = self.scan_block_scalar(literal)?;
        self.tokens.push_back(token);
        Ok(())
    }

    /// `'…'` or `"…"`.
    fn fetch_flow_scalar(&mut self, single: bool) -> Result<(), Fault> {
        self.save_key()?;
        self.key_allowed = false;
        let token = self.scan_flow_scalar(single)?;
        self.tokens.push_back(token);
        Ok(())
    }

    /// A scalar without quotes, after which no key may begin in the same line.
    fn fetch_plain_scalar(&mut self) -> Result<(), Fault> {
        self.save_key()?;
        self.key_allowed = false;
        let token = self.scan_plain_scalar()?;
        self.tokens.push_back(token);
        Ok(())
    }

    // The queue.

    /// Adds a token at the end of the queue.
    fn push(&mut self, kind: TokenKind, start: Position, end: Position) {
        self.tokens.push_back(Token { kind, start, end });
    }

    /// Adds a token of so many characters and passes them.
    fn push_indicator(&mut self, kind: TokenKind, length: usize) {
        let start = self.at;
        for _ in 0..length {
            self.skip();
        }
        self.push(kind, start, self.at);
    }

    /// Puts a token before the one of this number; at the end when that one was taken already.
    fn insert(&mut self, number: Option<usize>, kind: TokenKind, start: Position, end: Position) {
        let index = number
            .and_then(|n| n.checked_sub(self.taken))
            .unwrap_or(self.tokens.len());
        let index = index.min(self.tokens.len());
        self.tokens.insert(index, Token { kind, start, end });
    }
}
