//! Characters: looking ahead, passing and copying them.

use super::{Fault, Scanner};
use crate::yaml::scan::token::Position;

impl Scanner<'_> {
    /// A fault told as what was being read, with the place where that began.
    pub(super) fn error(&self, context: Position, problem: &'static str) -> Fault {
        Fault::Scanner {
            problem,
            at: self.at,
            context,
        }
    }

    /// Asks for that many characters; fails when the reader would meet a bad one.
    pub(super) fn ensure(&self, count: usize) -> Result<(), Fault> {
        let Some(fault) = self.fault else {
            return Ok(());
        };
        if self.at.offset + 4 * count <= fault.piece {
            return Ok(());
        }
        let ready = self.bytes.get(self.at.offset..fault.piece).unwrap_or(&[]);
        if ready.iter().filter(|byte| *byte & 0xc0 != 0x80).count() < count {
            return Err(Fault::Reader(fault.problem));
        }
        Ok(())
    }

    /// The byte that many bytes ahead; 0 beyond the end.
    pub(super) fn byte(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at.offset + ahead).copied().unwrap_or(0)
    }

    /// The length in bytes of the line break at that place; 0 when there is none.
    pub(super) fn break_length(&self, ahead: usize) -> usize {
        match self.byte(ahead) {
            b'\r' | b'\n' => 1,
            0xc2 if self.byte(ahead + 1) == 0x85 => 2,
            0xe2 if self.byte(ahead + 1) == 0x80 && matches!(self.byte(ahead + 2), 0xa8 | 0xa9) => {
                3
            }
            _ => 0,
        }
    }

    /// Whether a line break is so many bytes ahead.
    pub(super) fn is_break(&self, ahead: usize) -> bool {
        self.break_length(ahead) != 0
    }

    /// Whether a line break or the end of the text is so many bytes ahead.
    pub(super) fn is_break_or_end(&self, ahead: usize) -> bool {
        self.byte(ahead) == 0 || self.is_break(ahead)
    }

    /// Whether a space or tab is so many bytes ahead.
    pub(super) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t')
    }

    /// Whether a space, tab, line break or the end is so many bytes ahead.
    pub(super) fn is_blank_or_end(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_break_or_end(ahead)
    }

    /// Letters, digits, `_` and `-`.
    pub(super) fn is_word(&self, ahead: usize) -> bool {
        let byte = self.byte(ahead);
        byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
    }

    /// The bytes of the character here, by its first one.
    pub(super) fn width(&self) -> usize {
        match self.byte(0) {
            0..=0x7f => 1,
            0x80..=0xdf => 2,
            0xe0..=0xef => 3,
            _ => 4,
        }
    }

    /// Passes one character within a line.
    pub(super) fn skip(&mut self) {
        self.at.offset = (self.at.offset + self.width()).min(self.bytes.len());
        self.at.chars += 1;
        self.at.column += 1;
    }

    /// Passes one line break; `\r\n` is one.
    pub(super) fn skip_line(&mut self) {
        let pair = self.byte(0) == b'\r' && self.byte(1) == b'\n';
        let length = if pair { 2 } else { self.break_length(0) };
        if length > 0 {
            self.at.offset += length;
            self.at.chars += if pair { 2 } else { 1 };
            self.at.column = 0;
            self.at.line += 1;
        }
    }

    /// Copies the character to the text.
    pub(super) fn read(&mut self, text: &mut Vec<u8>) {
        let end = (self.at.offset + self.width()).min(self.bytes.len());
        text.extend_from_slice(&self.bytes[self.at.offset..end]);
        self.skip();
    }

    /// Copies ASCII characters up to one that `stops`: the common case of [`Scanner::read`], in one
    /// step. Copies nothing when the input has a bad character ahead.
    pub(super) fn read_run(&mut self, text: &mut Vec<u8>, stops: impl Fn(u8) -> bool) {
        let start = self.at.offset;
        self.skip_run(stops);
        text.extend_from_slice(&self.bytes[start..self.at.offset]);
    }

    /// Passes ASCII characters up to one that `stops`, as [`Scanner::read_run`] copies them.
    pub(super) fn skip_run(&mut self, stops: impl Fn(u8) -> bool) {
        if self.fault.is_some() {
            return;
        }
        let length = self.bytes[self.at.offset..]
            .iter()
            .take_while(|byte| byte.is_ascii() && !stops(**byte))
            .count();
        self.at.offset += length;
        self.at.chars += length;
        self.at.column += length;
    }

    /// Copies the line break to the text, normalised: CR LF, CR, LF and NEL become LF.
    pub(super) fn read_line(&mut self, text: &mut Vec<u8>) {
        match self.break_length(0) {
            0 => return,
            3 => text.extend_from_slice(&self.bytes[self.at.offset..self.at.offset + 3]),
            _ => text.push(b'\n'),
        }
        self.skip_line();
    }
}
