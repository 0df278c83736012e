//! The translation of a pattern: groups, repetitions, classes.
//!
//! Follows Go 1.26 `regexp/syntax/parse.go`, `parse`. What a backslash or a count stands for is in
//! `escape.rs`, named classes are in `class.rs`.

use super::class::{perl_class, posix_class, unicode_class};
use super::escape::{checked_count, counted, escaped_rune};
use super::{PatternError, Translated, error};
use crate::limits::{MAX_PATTERN_HEIGHT, MAX_REPEAT};
use std::fmt::Write;

/// What matches no text.
const NOTHING: &str = r"[^\s\S]";

/// The flags that `(?i)` and its like change.
#[derive(Clone, Copy, Default)]
struct Flags {
    fold_case: bool,
    multi_line: bool,
    dot_matches_newline: bool,
    lazy: bool,
}

/// A translated part that a repetition may apply to.
struct Atom {
    text: String,
    /// What the repeats within multiply to.
    repeats: u64,
    height: usize,
}

/// An open parenthesis and what has been read since.
struct Group {
    /// The text that opens the group in the translation; empty for the outermost.
    open: &'static str,
    /// The flags to go back to at its end.
    flags: Flags,
    /// Finished alternatives.
    alternatives: Vec<Atom>,
    /// The alternative at work.
    atoms: Vec<Atom>,
}

/// Reads a pattern from left to right.
pub(super) struct Parser<'a> {
    whole: &'a str,
    rest: &'a str,
    flags: Flags,
    groups: Vec<Group>,
    current: Group,
    names: Vec<String>,
}

impl<'a> Parser<'a> {
    /// Begins at the start of a pattern.
    pub(super) fn new(whole: &'a str) -> Self {
        Self {
            whole,
            rest: whole,
            flags: Flags::default(),
            groups: Vec::new(),
            current: Group::new("", Flags::default()),
            names: vec![String::new()],
        }
    }

    /// The pattern in the syntax of the crate; its group 0 is the whole match.
    pub(super) fn parse(mut self) -> Result<Translated, PatternError> {
        // The last repetition, from its operator to the end of the pattern.
        let mut last_repeat = "";
        while let Some(first) = self.rest.chars().next() {
            let before = self.rest;
            let mut repeat = "";
            match first {
                '(' if before.starts_with("(?") => self.perl_group()?,
                '(' => {
                    self.names.push(String::new());
                    self.open("(");
                    self.skip(1);
                }
                '|' => {
                    self.current.end_alternative();
                    self.skip(1);
                }
                ')' => self.close()?,
                '^' => self.push_static(
                    1,
                    if self.flags.multi_line {
                        "(?m:^)"
                    } else {
                        r"\A"
                    },
                )?,
                '$' => self.push_static(
                    1,
                    if self.flags.multi_line {
                        "(?m:$)"
                    } else {
                        r"\z"
                    },
                )?,
                '.' if self.flags.dot_matches_newline => self.push_static(1, "(?s:.)")?,
                '.' => self.push_static(1, r"[^\n]")?,
                '[' => self.class()?,
                '*' => repeat = self.repeat(1, (0, None), "*", last_repeat)?,
                '+' => repeat = self.repeat(1, (1, None), "+", last_repeat)?,
                '?' => repeat = self.repeat(1, (0, Some(1)), "?", last_repeat)?,
                '{' => match counted(before) {
                    None => {
                        self.skip(1);
                        self.literal('{')?;
                    }
                    Some((min, max, width)) => {
                        let (min, max) = checked_count(min, max, &before[..width])?;
                        let operator = match max {
                            None => format!("{{{min},}}"),
                            Some(max) => format!("{{{min},{max}}}"),
                        };
                        repeat = self.repeat(width, (min, max), &operator, last_repeat)?;
                    }
                },
                '\\' => self.escape()?,
                _ => {
                    self.skip(first.len_utf8());
                    self.literal(first)?;
                }
            }
            last_repeat = repeat;
        }
        if !self.groups.is_empty() {
            return error("missing closing )", self.whole);
        }
        let Atom { text, repeats, .. } = self.current.finish();
        Ok(Translated {
            weight: repeats.saturating_mul(text.len() as u64),
            names: self.names,
            text,
        })
    }

    /// Passes so many bytes of the pattern.
    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    /// Begins a group; its translation begins with `open`.
    fn open(&mut self, open: &'static str) {
        let group = Group::new(open, self.flags);
        self.groups
            .push(std::mem::replace(&mut self.current, group));
    }

    /// `)`: the group becomes one part, and the flags before it hold again.
    fn close(&mut self) -> Result<(), PatternError> {
        let Some(outer) = self.groups.pop() else {
            return error("unexpected )", self.whole);
        };
        let group = std::mem::replace(&mut self.current, outer);
        self.flags = group.flags;
        self.skip(1);
        let open = group.open;
        let mut atom = group.finish();
        atom.text = format!("{open}{})", atom.text);
        atom.height += usize::from(open == "(");
        self.push(atom)
    }

    /// Adds a part, unless the tree would be too high.
    fn push(&mut self, atom: Atom) -> Result<(), PatternError> {
        if atom.height > MAX_PATTERN_HEIGHT {
            return error("expression nests too deeply", self.whole);
        }
        self.current.atoms.push(atom);
        Ok(())
    }

    /// Adds a part that is a leaf of the tree.
    fn push_text(&mut self, text: String) -> Result<(), PatternError> {
        self.push(Atom {
            text,
            repeats: 1,
            height: 1,
        })
    }

    /// Passes so many bytes and adds their translation.
    fn push_static(&mut self, bytes: usize, text: &str) -> Result<(), PatternError> {
        self.skip(bytes);
        self.push_text(text.to_owned())
    }

    /// Pushes a class or a literal, which case folding concerns.
    fn push_folded(&mut self, text: String) -> Result<(), PatternError> {
        self.push_text(if self.flags.fold_case {
            format!("(?i:{text})")
        } else {
            text
        })
    }

    /// Adds a character that stands for itself.
    fn literal(&mut self, rune: char) -> Result<(), PatternError> {
        self.push_folded(escaped(rune))
    }

    /// Applies a repetition to what comes before it; gives the rest from its operator on.
    fn repeat(
        &mut self,
        width: usize,
        (min, max): (u64, Option<u64>),
        operator: &str,
        last_repeat: &str,
    ) -> Result<&'a str, PatternError> {
        let before = self.rest;
        self.skip(width);
        let mut lazy = self.flags.lazy;
        if self.rest.starts_with('?') {
            self.skip(1);
            lazy = !lazy;
        }
        if !last_repeat.is_empty() {
            let both = &last_repeat[..last_repeat.len() - self.rest.len()];
            return error("invalid nested repetition operator", both);
        }
        let own = &before[..before.len() - self.rest.len()];
        let Some(mut atom) = self.current.atoms.pop() else {
            return error("missing argument to repetition operator", own);
        };
        if operator.starts_with('{') {
            let count = max.unwrap_or(min);
            atom.repeats = match count {
                0 if max == Some(0) => 1,
                count => atom.repeats * count.max(1),
            };
            if (min >= 2 || max.is_some_and(|max| max >= 2)) && atom.repeats > MAX_REPEAT {
                return error("invalid repeat count", own);
            }
        }
        let lazy = if lazy { "?" } else { "" };
        atom.text = format!("(?:{}){operator}{lazy}", atom.text);
        atom.height += 1;
        self.push(atom)?;
        Ok(before)
    }

    /// `(?P<name>`, `(?<name>`, `(?flags)` or `(?flags:`.
    fn perl_group(&mut self) -> Result<(), PatternError> {
        let text = self.rest;
        let name_at = if text.starts_with("(?P<") && text.len() > 4 {
            Some(4)
        } else if text.starts_with("(?<") && text.len() > 3 {
            Some(3)
        } else {
            None
        };
        let Some(from) = name_at else {
            return self.flag_group();
        };
        let Some(end) = text.find('>') else {
            return error("invalid named capture", text);
        };
        let name = text.get(from..end).unwrap_or_default();
        let word = |c: char| c == '_' || c.is_ascii_alphanumeric();
        if name.is_empty() || !name.chars().all(word) {
            return error("invalid named capture", &text[..=end]);
        }
        self.names.push(name.to_owned());
        self.open("(");
        self.skip(end + 1);
        Ok(())
    }

    /// `(?flags)` for the rest of the group around it, or `(?flags: … )`. `U` swaps lazy and
    /// greedy.
    fn flag_group(&mut self) -> Result<(), PatternError> {
        let text = self.rest;
        let mut flags = self.flags;
        let (mut set, mut any) = (true, false);
        for (at, c) in text.char_indices().skip(2) {
            match c {
                'i' => flags.fold_case = set,
                'm' => flags.multi_line = set,
                's' => flags.dot_matches_newline = set,
                'U' => flags.lazy = set,
                '-' if set => {
                    (set, any) = (false, false);
                    continue;
                }
                ':' | ')' if set || any => {
                    if c == ':' {
                        // The old flags come back at the end of the group.
                        self.open("(?:");
                    }
                    self.flags = flags;
                    self.skip(at + 1);
                    return Ok(());
                }
                _ => {
                    let end = at + c.len_utf8();
                    return error("invalid or unsupported Perl syntax", &text[..end]);
                }
            }
            any = true;
        }
        error("invalid or unsupported Perl syntax", text)
    }

    /// A backslash outside of brackets.
    fn escape(&mut self) -> Result<(), PatternError> {
        let text = self.rest;
        match text.as_bytes().get(1) {
            Some(b'A') => return self.push_static(2, r"\A"),
            Some(b'z') => return self.push_static(2, r"\z"),
            Some(b'b') => return self.push_static(2, r"(?-u:\b)"),
            Some(b'B') => return self.push_static(2, r"(?-u:\B)"),
            Some(b'C') => return error("invalid escape sequence", &text[..2]),
            Some(b'Q') => {
                let (quoted, rest) = text[2..].split_once(r"\E").unwrap_or((&text[2..], ""));
                self.rest = rest;
                return quoted.chars().try_for_each(|c| self.literal(c));
            }
            _ => {}
        }
        if let Some((class, rest)) = unicode_class(text)? {
            self.rest = rest;
            return self.push_folded(class);
        }
        if let Some(class) = perl_class(text) {
            self.skip(2);
            return self.push_folded(class.to_owned());
        }
        let (rune, rest) = escaped_rune(text)?;
        self.rest = rest;
        match char::from_u32(rune) {
            Some(rune) => self.literal(rune),
            None => self.push_static(0, NOTHING),
        }
    }

    /// `[…]`.
    fn class(&mut self) -> Result<(), PatternError> {
        let whole = self.rest;
        let mut out = String::from("[");
        self.skip(1);
        if self.rest.starts_with('^') {
            out.push('^');
            self.skip(1);
        }
        let mut first = true;
        while first || !self.rest.starts_with(']') {
            first = false;
            let text = self.rest;
            if let Some((class, rest)) = posix_class(text)? {
                out.push_str(class);
                self.rest = rest;
            } else if let Some((class, rest)) = unicode_class(text)? {
                out.push_str(&class);
                self.rest = rest;
            } else if let Some(class) = perl_class(text) {
                out.push_str(class);
                self.skip(2);
            } else {
                let low = self.class_rune(whole)?;
                let mut high = low;
                if self.rest.len() >= 2
                    && self.rest.starts_with('-')
                    && !self.rest.starts_with("-]")
                {
                    self.skip(1);
                    high = self.class_rune(whole)?;
                    if high < low {
                        let range = &text[..text.len() - self.rest.len()];
                        return error("invalid character class range", range);
                    }
                }
                push_range(&mut out, low, high);
            }
        }
        self.skip(1);
        out.push(']');
        // Surrogates alone: no text contains them.
        match out.as_str() {
            "[]" => self.push_static(0, NOTHING),
            "[^]" => self.push_static(0, "(?s:.)"),
            _ => self.push_folded(out),
        }
    }

    /// One character of a class, perhaps escaped.
    fn class_rune(&mut self, whole: &str) -> Result<u32, PatternError> {
        let text = self.rest;
        let Some(first) = text.chars().next() else {
            return error("missing closing ]", whole);
        };
        if first == '\\' {
            let (rune, rest) = escaped_rune(text)?;
            self.rest = rest;
            return Ok(rune);
        }
        self.skip(first.len_utf8());
        Ok(u32::from(first))
    }
}

impl Group {
    fn new(open: &'static str, flags: Flags) -> Self {
        Self {
            open,
            flags,
            alternatives: Vec::new(),
            atoms: Vec::new(),
        }
    }

    /// `|` or the end of a group: what was read since becomes one alternative.
    fn end_alternative(&mut self) {
        let joined = joined(&std::mem::take(&mut self.atoms), "");
        self.alternatives.push(joined);
    }

    fn finish(mut self) -> Atom {
        self.end_alternative();
        joined(&self.alternatives, "|")
    }
}

/// Parts one after another, or alternatives.
fn joined(atoms: &[Atom], separator: &str) -> Atom {
    let deeper = usize::from(atoms.len() > 1);
    let texts: Vec<&str> = atoms.iter().map(|atom| atom.text.as_str()).collect();
    Atom {
        text: texts.join(separator),
        repeats: atoms.iter().map(|atom| atom.repeats).max().unwrap_or(1),
        height: deeper + atoms.iter().map(|atom| atom.height).max().unwrap_or(1),
    }
}

/// A character that stands for itself in every place of the crate's syntax.
fn escaped(rune: char) -> String {
    if rune.is_ascii_alphanumeric() {
        rune.to_string()
    } else {
        format!(r"\x{{{:x}}}", u32::from(rune))
    }
}

/// A range in a class. Surrogates, which no text contains, are left out.
fn push_range(out: &mut String, low: u32, high: u32) {
    let parts = [(low, high.min(0xd7ff)), (low.max(0xe000), high)];
    for (low, high) in parts.into_iter().filter(|(low, high)| low <= high) {
        // Writing to a string cannot fail.
        let _ = write!(out, r"\x{{{low:x}}}-\x{{{high:x}}}");
    }
}
