//! The text of YAML: indentation, quotes, escapes, folding. One buffer, written once.
//!
//! Follows emitterc.go of go.yaml.in/yaml v2 (folds at 80 columns, sequences at the indentation of
//! their key) and v3 (neither).

use super::scalar::{Analysis, analyze, break_length, is_printable, reads_as_string, width};
use crate::value::Str;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Whose output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavor {
    /// yaml.v2 with its default settings.
    V2,
    /// yaml.v3 with an indentation of 2.
    V3,
}

/// What a node is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    /// The document.
    Root,
    /// A sequence.
    Item,
    /// A mapping.
    Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ScalarStyle {
    Plain,
    Single,
    Double,
    Literal,
}

/// Keys longer than this are written after a `?`, in bytes.
const MAX_SIMPLE_KEY: usize = 128;
/// Indentation of one level, in spaces.
const INDENT: isize = 2;

/// Writes YAML into one buffer.
pub(super) struct Writer {
    out: Vec<u8>,
    flavor: Flavor,
    column: usize,
    /// The column beyond which lines are folded.
    width: usize,
    /// Whether the last character was a blank or an indicator that needs none after it.
    whitespace: bool,
    /// Whether the line has only indentation and indicators so far.
    indention: bool,
}

impl Writer {
    /// An empty output: go-yaml v2 folds long lines, v3 as Helm uses it does not.
    pub(super) fn new(flavor: Flavor) -> Self {
        let width = if flavor == Flavor::V2 { 80 } else { usize::MAX };
        Self {
            out: Vec::new(),
            flavor,
            column: 0,
            width,
            whitespace: true,
            indention: true,
        }
    }

    /// Checks that the text is not too large yet.
    pub(super) fn check(&self) -> Result<(), String> {
        crate::limits::check_text(self.out.len())
    }

    /// Ends the document and gives its text, without the line break at its end.
    pub(super) fn finish(mut self) -> Str {
        self.write_indent(0);
        if self.out.last() == Some(&b'\n') {
            self.out.pop();
        }
        Str::from(self.out)
    }

    // Structure.

    /// The indentation of a mapping inside a collection of this indentation.
    pub(super) fn mapping_indent(&self, indent: isize) -> isize {
        if indent < 0 { 0 } else { indent + INDENT }
    }

    /// The indentation of a sequence; in yaml.v2 a sequence in a mapping is not indented.
    pub(super) fn sequence_indent(&self, context: Context, indent: isize) -> isize {
        let indentless = self.flavor == Flavor::V2 && context == Context::Value && !self.indention;
        if indentless && indent >= 0 {
            indent
        } else {
            self.mapping_indent(indent)
        }
    }

    /// Begins an item of a sequence.
    pub(super) fn item(&mut self, indent: isize) {
        self.write_indent(indent);
        self.indicator(b"-", true, false, true);
    }

    /// Writes `[]` or `{}`.
    pub(super) fn empty(&mut self, brackets: &str) {
        self.indicator(&brackets.as_bytes()[..1], true, true, false);
        self.indicator(&brackets.as_bytes()[1..], false, false, false);
    }

    /// Writes a key; gives whether it is a simple one.
    pub(super) fn key(&mut self, key: &[u8], indent: isize) -> bool {
        self.write_indent(indent);
        let (tag, key) = self.tagged(key);
        let key = key.as_ref();
        let analysis = analyze(key, self.flavor);
        let tag_length = tag.map_or(0, str::len);
        let simple = !analysis.multiline && key.len() + tag_length <= MAX_SIMPLE_KEY;
        if !simple {
            self.indicator(b"?", true, false, true);
        }
        self.write_string(key, tag, analysis, simple, indent);
        simple
    }

    /// Writes what stands between key and value.
    pub(super) fn colon(&mut self, simple: bool, indent: isize) {
        if simple {
            self.indicator(b":", false, false, false);
        } else {
            self.write_indent(indent);
            self.indicator(b":", true, false, true);
        }
    }

    /// Writes a scalar that is no string: it is always plain.
    pub(super) fn plain(&mut self, text: &str, indent: isize) {
        self.write_plain(text.as_bytes(), true, self.scalar_indent(indent));
    }

    /// Writes a string.
    pub(super) fn string(&mut self, text: &[u8], indent: isize) {
        let (tag, text) = self.tagged(text);
        let analysis = analyze(&text, self.flavor);
        self.write_string(&text, tag, analysis, false, indent);
    }

    /// Text that is not UTF-8 is written in base64 with a tag.
    fn tagged<'t>(&self, text: &'t [u8]) -> (Option<&'static str>, std::borrow::Cow<'t, [u8]>) {
        if std::str::from_utf8(text).is_ok() {
            return (None, text.into());
        }
        let encoded = STANDARD.encode(text);
        let mut lines = Vec::with_capacity(encoded.len() + encoded.len() / 70 + 1);
        let broken = encoded.len() >= 70;
        for line in encoded.as_bytes().chunks(70) {
            lines.extend_from_slice(line);
            if broken {
                lines.push(b'\n');
            }
        }
        (Some("!!binary"), lines.into())
    }

    fn scalar_indent(&self, indent: isize) -> isize {
        if indent < 0 { INDENT } else { indent + INDENT }
    }

    /// Writes a text in the style that go-yaml would choose for it.
    fn write_string(
        &mut self,
        text: &[u8],
        tag: Option<&str>,
        analysis: Analysis,
        simple_key: bool,
        indent: isize,
    ) {
        let wanted = if text.contains(&b'\n') {
            ScalarStyle::Literal
        } else if tag.is_some() || reads_as_string(text) {
            ScalarStyle::Plain
        } else {
            ScalarStyle::Double
        };
        let style = allowed_style(wanted, text, analysis, simple_key);
        if let Some(tag) = tag {
            if !self.whitespace {
                self.put(b' ');
            }
            self.write_all(tag.as_bytes());
            self.whitespace = false;
            self.indention = false;
        }
        let indent = self.scalar_indent(indent);
        match style {
            ScalarStyle::Plain => self.write_plain(text, !simple_key, indent),
            ScalarStyle::Single => self.write_single_quoted(text, !simple_key, indent),
            ScalarStyle::Double => self.write_double_quoted(text, !simple_key, indent),
            ScalarStyle::Literal => self.write_literal(text, indent),
        }
    }

    // Characters.

    fn put(&mut self, byte: u8) {
        self.out.push(byte);
        self.column += 1;
    }

    fn put_break(&mut self) {
        self.out.push(b'\n');
        self.column = 0;
        if self.flavor == Flavor::V3 {
            self.indention = true;
        }
    }

    /// Copies the character at that place; gives the place of the next one.
    fn write_char(&mut self, text: &[u8], at: usize) -> usize {
        let end = (at + width(text[at])).min(text.len());
        self.out.extend_from_slice(&text[at..end]);
        self.column += 1;
        end
    }

    fn write_all(&mut self, text: &[u8]) {
        self.out.extend_from_slice(text);
        self.column += text.iter().filter(|byte| *byte & 0xc0 != 0x80).count();
    }

    /// Copies the line break at that place; gives the place of what follows.
    fn write_break(&mut self, text: &[u8], at: usize) -> usize {
        if text[at] == b'\n' {
            self.put_break();
            return at + 1;
        }
        let end = self.write_char(text, at);
        self.column = 0;
        if self.flavor == Flavor::V3 {
            self.indention = true;
        }
        end
    }

    /// Begins a new line at an indentation, unless it is there already.
    fn write_indent(&mut self, indent: isize) {
        let indent = usize::try_from(indent).unwrap_or(0);
        if !self.indention || self.column > indent || self.column == indent && !self.whitespace {
            self.put_break();
        }
        while self.column < indent {
            self.put(b' ');
        }
        self.whitespace = true;
        if self.flavor == Flavor::V2 {
            self.indention = true;
        }
    }

    /// Writes `-`, `:` and their like, after a space where one is needed.
    fn indicator(&mut self, text: &[u8], needs_blank: bool, is_blank: bool, is_indention: bool) {
        if needs_blank && !self.whitespace {
            self.put(b' ');
        }
        self.write_all(text);
        self.whitespace = is_blank;
        self.indention = self.indention && is_indention;
    }

    // Scalars.

    /// Writes a text without quotes, folded at spaces if it may be and does not fit the line.
    fn write_plain(&mut self, text: &[u8], folds: bool, indent: isize) {
        if !self.whitespace && (self.flavor == Flavor::V2 || !text.is_empty()) {
            self.put(b' ');
        }
        if !folds || self.column.saturating_add(text.len()) <= self.width {
            self.write_all(text);
        } else {
            self.write_folded(text, true, indent, Self::write_char);
        }
        if self.flavor == Flavor::V2 || !text.is_empty() {
            self.whitespace = false;
        }
        self.indention = false;
    }

    /// Writes a text in single quotes, quotes doubled.
    fn write_single_quoted(&mut self, text: &[u8], folds: bool, indent: isize) {
        self.indicator(b"'", true, false, false);
        self.write_folded(text, folds, indent, |writer, text, at| {
            if text[at] == b'\'' {
                writer.put(b'\'');
            }
            writer.write_char(text, at)
        });
        self.indicator(b"'", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    /// Writes words, breaking the line at single blanks beyond the width, and doubling line breaks.
    fn write_folded(
        &mut self,
        text: &[u8],
        folds: bool,
        indent: isize,
        write: fn(&mut Self, &[u8], usize) -> usize,
    ) {
        let (mut spaces, mut breaks) = (false, false);
        let mut at = 0;
        while at < text.len() {
            if text[at] == b' ' {
                let inner = at > 0 && at + 1 < text.len() && text[at + 1] != b' ';
                if folds && !spaces && self.column > self.width && inner {
                    self.write_indent(indent);
                    at += 1;
                } else {
                    at = self.write_char(text, at);
                }
                spaces = true;
            } else if break_length(text, at) > 0 {
                if !breaks && text[at] == b'\n' {
                    self.put_break();
                }
                at = self.write_break(text, at);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent(indent);
                }
                at = write(self, text, at);
                self.indention = false;
                (spaces, breaks) = (false, false);
            }
        }
    }

    /// Writes a text in double quotes, whatever cannot be printed escaped.
    fn write_double_quoted(&mut self, text: &[u8], folds: bool, indent: isize) {
        self.indicator(b"\"", true, false, false);
        // go-yaml asks whether the text begins with a byte order mark, not the character at hand.
        let marked = text.starts_with("\u{feff}".as_bytes());
        let mut spaces = false;
        let mut at = 0;
        while at < text.len() {
            let byte = text[at];
            let escaped = marked
                || matches!(byte, b'"' | b'\\')
                || !is_printable(text, at)
                || break_length(text, at) > 0;
            if escaped {
                at = self.write_escape(text, at);
                spaces = false;
            } else if byte == b' ' {
                let inner = at > 0 && at + 1 < text.len();
                if folds && !spaces && self.column > self.width && inner {
                    self.write_indent(indent);
                    if text[at + 1] == b' ' {
                        self.put(b'\\');
                    }
                    at += 1;
                } else {
                    at = self.write_char(text, at);
                }
                spaces = true;
            } else {
                at = self.write_char(text, at);
                spaces = false;
            }
        }
        self.indicator(b"\"", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    /// Writes one character as an escape.
    fn write_escape(&mut self, text: &[u8], at: usize) -> usize {
        let end = (at + width(text[at])).min(text.len());
        let character = std::str::from_utf8(&text[at..end])
            .ok()
            .and_then(|s| s.chars().next());
        let code = character.map_or(0xfffd, u32::from);
        self.put(b'\\');
        let letter = match code {
            0x00 => b'0',
            0x07 => b'a',
            0x08 => b'b',
            0x09 => b't',
            0x0a => b'n',
            0x0b => b'v',
            0x0c => b'f',
            0x0d => b'r',
            0x1b => b'e',
            0x22 => b'"',
            0x5c => b'\\',
            0x85 => b'N',
            0xa0 => b'_',
            0x2028 => b'L',
            0x2029 => b'P',
            _ => {
                let escape = match code {
                    0..=0xff => format!("x{code:02X}"),
                    0x100..=0xffff => format!("u{code:04X}"),
                    _ => format!("U{code:08X}"),
                };
                self.write_all(escape.as_bytes());
                return end;
            }
        };
        self.put(letter);
        end
    }

    /// Writes a text after `|`, its indentation and chomping in the head.
    fn write_literal(&mut self, text: &[u8], indent: isize) {
        self.indicator(b"|", true, false, false);
        if text.first() == Some(&b' ') || break_length(text, 0) > 0 {
            self.indicator(b"2", false, false, false);
        }
        if let Some(chomp) = chomp_hint(text) {
            self.indicator(chomp, false, false, false);
        }
        self.put_break();
        self.indention = true;
        self.whitespace = true;
        let mut breaks = true;
        let mut at = 0;
        while at < text.len() {
            if break_length(text, at) > 0 {
                at = self.write_break(text, at);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent(indent);
                }
                at = self.write_char(text, at);
                self.indention = false;
                breaks = false;
            }
        }
    }
}

/// The style that a text can have here, given the one that was asked for.
fn allowed_style(
    wanted: ScalarStyle,
    text: &[u8],
    analysis: Analysis,
    simple_key: bool,
) -> ScalarStyle {
    let mut style = wanted;
    if simple_key && analysis.multiline {
        style = ScalarStyle::Double;
    }
    if style == ScalarStyle::Plain && (!analysis.plain || text.is_empty() && simple_key) {
        style = ScalarStyle::Single;
    }
    if style == ScalarStyle::Single && !analysis.single {
        style = ScalarStyle::Double;
    }
    if style == ScalarStyle::Literal && (!analysis.block || simple_key) {
        style = ScalarStyle::Double;
    }
    style
}

/// `-` when the text does not end with a line break, `+` when it ends with more than one.
fn chomp_hint(text: &[u8]) -> Option<&'static [u8]> {
    let last = ends_with_break(text)?;
    if last == 0 {
        return Some(b"-");
    }
    let rest = &text[..text.len() - last];
    if rest.is_empty() || ends_with_break(rest) != Some(0) {
        Some(b"+")
    } else {
        None
    }
}

/// The length of the line break at the end of the text; `None` for an empty text.
fn ends_with_break(text: &[u8]) -> Option<usize> {
    if text.is_empty() {
        return None;
    }
    Some(
        (1..=3.min(text.len()))
            .find(|n| break_length(text, text.len() - n) == *n)
            .unwrap_or(0),
    )
}
