//! Scalars: block, quoted and plain.

use super::{Fault, Position, Scanner, Style, Token, TokenKind};

/// What to do with the line breaks at the end of a block scalar.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomp {
    Clip,
    Strip,
    Keep,
}

/// The length of most scalars.
const SHORT: usize = 24;

/// Blanks and line breaks between two words of a flow scalar.
#[derive(Default)]
pub(super) struct Gap {
    /// Whether a line break was met; blanks no longer count.
    broken: bool,
    blanks: Vec<u8>,
    first_break: Vec<u8>,
    more_breaks: Vec<u8>,
}

impl Gap {
    /// Forgets everything but the room.
    fn clear(&mut self) {
        self.broken = false;
        self.blanks.clear();
        self.first_break.clear();
        self.more_breaks.clear();
    }

    /// Folds the gap into the text.
    fn join(&mut self, text: &mut Vec<u8>) {
        if self.broken {
            if self.first_break.first() != Some(&b'\n') {
                text.append(&mut self.first_break);
                text.append(&mut self.more_breaks);
            } else if self.more_breaks.is_empty() {
                text.push(b' ');
            } else {
                text.append(&mut self.more_breaks);
            }
            self.first_break.clear();
            self.broken = false;
        } else {
            text.append(&mut self.blanks);
        }
    }
}

fn scalar(text: Vec<u8>, style: Style, start: Position, end: Position) -> Token {
    let text = String::from_utf8(text)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Token {
        kind: TokenKind::Scalar { text, style },
        start,
        end,
    }
}

impl Scanner<'_> {
    /// `|` or `>`: the text below, whose indentation is given in the head or is that of its first
    /// line.
    ///
    /// Folding joins lines with a space, except around lines that are indented deeper.
    pub(super) fn scan_block_scalar(&mut self, literal: bool) -> Result<Token, Fault> {
        let start = self.at;
        self.skip();
        let (chomp, increment) = self.scan_block_header(start)?;
        let mut end = self.at;
        let mut indent = match increment {
            0 => 0,
            _ => self.indent.max(0) + increment,
        };
        let mut text = Vec::new();
        let (mut first_break, mut more_breaks) = (Vec::new(), Vec::new());
        self.scan_block_breaks(&mut indent, &mut more_breaks, start, &mut end)?;
        self.ensure(1)?;
        let mut after_blank = false;
        while self.column() == indent && self.byte(0) != 0 {
            let blank = self.is_blank(0);
            let folds = !literal && !after_blank && !blank && first_break.first() == Some(&b'\n');
            if folds {
                if more_breaks.is_empty() {
                    text.push(b' ');
                }
            } else {
                text.extend_from_slice(&first_break);
            }
            first_break.clear();
            text.append(&mut more_breaks);
            after_blank = blank;
            loop {
                self.read_run(&mut text, |byte| matches!(byte, b'\r' | b'\n'));
                if self.is_break_or_end(0) {
                    break;
                }
                self.read(&mut text);
                self.ensure(1)?;
            }
            self.ensure(2)?;
            self.read_line(&mut first_break);
            self.scan_block_breaks(&mut indent, &mut more_breaks, start, &mut end)?;
        }
        if chomp != Chomp::Strip {
            text.append(&mut first_break);
        }
        if chomp == Chomp::Keep {
            text.append(&mut more_breaks);
        }
        let style = if literal {
            Style::Literal
        } else {
            Style::Folded
        };
        Ok(scalar(text, style, start, end))
    }

    /// Reads the indicators after `|` or `>` and the rest of the line.
    fn scan_block_header(&mut self, start: Position) -> Result<(Chomp, isize), Fault> {
        self.ensure(1)?;
        let mut chomp = self.scan_chomp();
        if chomp.is_some() {
            self.ensure(1)?;
        }
        let mut increment = 0;
        if self.byte(0).is_ascii_digit() {
            if self.byte(0) == b'0' {
                return Err(self.error(start, "found an indentation indicator equal to 0"));
            }
            increment = isize::from(self.byte(0) - b'0');
            self.skip();
            if chomp.is_none() {
                self.ensure(1)?;
                chomp = self.scan_chomp();
            }
        }
        self.finish_line(start)?;
        Ok((chomp.unwrap_or(Chomp::Clip), increment))
    }

    /// `+` or `-` in the head: what happens to the line breaks at the end.
    fn scan_chomp(&mut self) -> Option<Chomp> {
        let chomp = match self.byte(0) {
            b'+' => Chomp::Keep,
            b'-' => Chomp::Strip,
            _ => return None,
        };
        self.skip();
        Some(chomp)
    }

    /// Reads indentation and empty lines; finds the indentation of the scalar when it is 0.
    fn scan_block_breaks(
        &mut self,
        indent: &mut isize,
        breaks: &mut Vec<u8>,
        start: Position,
        end: &mut Position,
    ) -> Result<(), Fault> {
        *end = self.at;
        let mut deepest = 0;
        loop {
            self.ensure(1)?;
            while (*indent == 0 || self.column() < *indent) && self.byte(0) == b' ' {
                self.skip();
                self.ensure(1)?;
            }
            deepest = deepest.max(self.column());
            if (*indent == 0 || self.column() < *indent) && self.byte(0) == b'\t' {
                let problem = "found a tab character where an indentation space is expected";
                return Err(self.error(start, problem));
            }
            if !self.is_break(0) {
                break;
            }
            self.ensure(2)?;
            self.read_line(breaks);
            *end = self.at;
        }
        if *indent == 0 {
            *indent = deepest.max(self.indent + 1).max(1);
        }
        Ok(())
    }

    /// A scalar in quotes. Line breaks fold to spaces; empty lines stay line breaks.
    pub(super) fn scan_flow_scalar(&mut self, single: bool) -> Result<Token, Fault> {
        let start = self.at;
        self.skip();
        let quote = if single { b'\'' } else { b'"' };
        let mut text = Vec::new();
        let mut gap = Gap::default();
        loop {
            self.ensure(4)?;
            if self.is_document_marker(b'-') || self.is_document_marker(b'.') {
                return Err(self.error(start, "found unexpected document indicator"));
            }
            if self.byte(0) == 0 {
                return Err(self.error(start, "found unexpected end of stream"));
            }
            self.scan_quoted_word(single, start, &mut text, &mut gap)?;
            self.ensure(1)?;
            if self.byte(0) == quote {
                break;
            }
            self.scan_gap(&mut gap, None)?;
            gap.join(&mut text);
        }
        self.skip();
        let style = if single {
            Style::SingleQuoted
        } else {
            Style::DoubleQuoted
        };
        Ok(scalar(text, style, start, self.at))
    }

    /// Reads up to a blank, a line break or the closing quote.
    fn scan_quoted_word(
        &mut self,
        single: bool,
        start: Position,
        text: &mut Vec<u8>,
        gap: &mut Gap,
    ) -> Result<(), Fault> {
        loop {
            self.read_run(text, |byte| {
                matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'\'' | b'"' | b'\\')
            });
            if self.is_blank_or_end(0) {
                return Ok(());
            }
            match self.byte(0) {
                b'\'' if single && self.byte(1) == b'\'' => {
                    text.push(b'\'');
                    self.skip();
                    self.skip();
                }
                b'\'' if single => return Ok(()),
                b'"' if !single => return Ok(()),
                b'\\' if !single && self.is_break(1) => {
                    self.ensure(3)?;
                    self.skip();
                    self.skip_line();
                    gap.broken = true;
                    return Ok(());
                }
                b'\\' if !single => self.scan_escape(start, text)?,
                _ => self.read(text),
            }
            self.ensure(2)?;
        }
    }

    /// An escape in double quotes, as YAML 1.1 has them.
    fn scan_escape(&mut self, start: Position, text: &mut Vec<u8>) -> Result<(), Fault> {
        let digits = match self.byte(1) {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            letter => {
                let Some(plain) = escape(letter) else {
                    return Err(self.error(start, "found unknown escape character"));
                };
                text.extend_from_slice(plain.as_bytes());
                0
            }
        };
        self.skip();
        self.skip();
        if digits == 0 {
            return Ok(());
        }
        self.ensure(digits)?;
        let mut code: u32 = 0;
        for ahead in 0..digits {
            let Some(digit) = char::from(self.byte(ahead)).to_digit(16) else {
                return Err(self.error(start, "did not find expected hexdecimal number"));
            };
            code = code << 4 | digit;
        }
        let Some(character) = char::from_u32(code) else {
            return Err(self.error(start, "found invalid Unicode character escape code"));
        };
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        for _ in 0..digits {
            self.skip();
        }
        Ok(())
    }

    /// Reads blanks and line breaks. `plain` holds the start and the least indentation of a plain
    /// scalar, where a tab may not stand for indentation.
    fn scan_gap(&mut self, gap: &mut Gap, plain: Option<(Position, isize)>) -> Result<(), Fault> {
        while self.is_blank(0) || self.is_break(0) {
            if self.is_blank(0) {
                if let Some((start, indent)) = plain
                    && gap.broken
                    && self.column() < indent
                    && self.byte(0) == b'\t'
                {
                    let problem = "found a tab character that violates indentation";
                    return Err(self.error(start, problem));
                }
                if gap.broken {
                    self.skip();
                    self.skip_run(|byte| byte != b' ');
                } else {
                    self.read(&mut gap.blanks);
                }
            } else {
                self.ensure(2)?;
                if gap.broken {
                    self.read_line(&mut gap.more_breaks);
                } else {
                    gap.blanks.clear();
                    self.read_line(&mut gap.first_break);
                    gap.broken = true;
                }
            }
            self.ensure(1)?;
        }
        Ok(())
    }

    /// A scalar without quotes, over several lines as long as they are indented.
    pub(super) fn scan_plain_scalar(&mut self) -> Result<Token, Fault> {
        let start = self.at;
        let mut end = self.at;
        let indent = self.indent + 1;
        let mut text = Vec::with_capacity(SHORT);
        let mut gap = std::mem::take(&mut self.gap);
        loop {
            self.ensure(4)?;
            if self.is_document_marker(b'-') || self.is_document_marker(b'.') {
                break;
            }
            if self.byte(0) == b'#' {
                break;
            }
            while !self.is_blank_or_end(0) && !self.ends_plain_scalar() {
                if gap.broken || !gap.blanks.is_empty() {
                    gap.join(&mut text);
                }
                self.read(&mut text);
                self.read_run(&mut text, is_plain_end);
                end = self.at;
                self.ensure(2)?;
            }
            if !(self.is_blank(0) || self.is_break(0)) {
                break;
            }
            self.ensure(1)?;
            self.scan_gap(&mut gap, Some((start, indent)))?;
            if !self.in_flow() && self.column() < indent {
                break;
            }
        }
        if gap.broken {
            self.key_allowed = true;
        }
        gap.clear();
        self.gap = gap;
        Ok(scalar(text, Style::Plain, start, end))
    }

    /// Whether an indicator ends a scalar without quotes: `: `, and in flow collections `,?[]{}`.
    fn ends_plain_scalar(&self) -> bool {
        match self.byte(0) {
            b':' => self.is_blank_or_end(1),
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => self.in_flow(),
            _ => false,
        }
    }
}

/// Whether a plain scalar may end with the byte, in some context.
fn is_plain_end(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\r' | b'\n' | b':' | b',' | b'?' | b'[' | b']' | b'{' | b'}'
    )
}

/// The text of an escape of one letter.
fn escape(letter: u8) -> Option<&'static str> {
    Some(match letter {
        b'0' => "\0",
        b'a' => "\x07",
        b'b' => "\x08",
        b't' | b'\t' => "\t",
        b'n' => "\n",
        b'v' => "\x0b",
        b'f' => "\x0c",
        b'r' => "\r",
        b'e' => "\x1b",
        b' ' => " ",
        b'"' => "\"",
        b'\'' => "'",
        b'\\' => "\\",
        b'N' => "\u{85}",
        b'_' => "\u{a0}",
        b'L' => "\u{2028}",
        b'P' => "\u{2029}",
        _ => return None,
    })
}
