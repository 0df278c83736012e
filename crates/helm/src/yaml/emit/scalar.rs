//! How a string may be written: which styles its characters allow.
//!
//! Follows `yaml_emitter_analyze_scalar` of go.yaml.in/yaml v2 and v3.

use super::writer::Flavor;
use crate::yaml::resolve::is_string;

/// The styles a string allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Analysis {
    /// Whether it has line breaks.
    pub(super) multiline: bool,
    /// Whether it may stand without quotes.
    pub(super) plain: bool,
    /// Whether it may stand in single quotes.
    pub(super) single: bool,
    /// Whether it may stand as a block.
    pub(super) block: bool,
}

/// Whether a reader of YAML 1.1 would take the plain text for a string.
pub(super) fn reads_as_string(text: &[u8]) -> bool {
    !is_base60(text) && is_string(text)
}

/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`: a number in YAML 1.1.
fn is_base60(text: &[u8]) -> bool {
    let rest = match text {
        [b'+' | b'-', rest @ ..] => rest,
        rest => rest,
    };
    if !rest.first().is_some_and(u8::is_ascii_digit) || !rest.contains(&b':') {
        return false;
    }
    let head = rest
        .iter()
        .take_while(|b| b.is_ascii_digit() || **b == b'_')
        .count();
    let mut rest = &rest[head..];
    let mut groups = 0;
    while let [b':', after @ ..] = rest {
        rest = match after {
            [b'0'..=b'5', b'0'..=b'9', rest @ ..] | [b'0'..=b'9', rest @ ..] => rest,
            _ => return false,
        };
        groups += 1;
    }
    let tail = match rest {
        [b'.', tail @ ..] => tail,
        [] => rest,
        _ => return false,
    };
    groups > 0 && tail.iter().all(|b| b.is_ascii_digit() || *b == b'_')
}

/// What [`analyze`] noticed on its way.
#[derive(Default)]
struct Marks {
    indicators: bool,
    line_breaks: bool,
    special: bool,
    tabs: bool,
    edge: bool,
    trailing_space: bool,
    break_space: bool,
    space_break: bool,
}

/// Looks through a string.
pub(super) fn analyze(text: &[u8], flavor: Flavor) -> Analysis {
    if text.is_empty() {
        return Analysis {
            multiline: false,
            plain: true,
            single: true,
            block: false,
        };
    }
    let mut marks = Marks {
        indicators: text.starts_with(b"---") || text.starts_with(b"..."),
        ..Marks::default()
    };
    let mut preceded_by_blank = true;
    let (mut previous_space, mut previous_break) = (false, false);
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        let width = width(byte);
        let end = at + width >= text.len();
        let first = at == 0;
        if byte.is_ascii_alphanumeric() {
            (preceded_by_blank, previous_space, previous_break) = (false, false, false);
            at += 1;
            continue;
        }
        let followed_by_blank = end || is_blank(text[at + width]);
        marks.indicators |= is_indicator(byte, first, followed_by_blank, preceded_by_blank);
        if byte == b'\t' && flavor == Flavor::V3 {
            marks.tabs = true;
        } else if !is_printable(text, at) {
            marks.special = true;
        }
        let is_break = break_length(text, at) > 0;
        if byte == b' ' {
            marks.edge |= first || end;
            marks.trailing_space |= end;
            marks.break_space |= previous_break;
        } else if is_break {
            marks.line_breaks = true;
            marks.edge |= first || end;
            marks.space_break |= previous_space;
        }
        previous_space = byte == b' ';
        previous_break = is_break;
        preceded_by_blank = is_break || is_blank(byte) || byte == 0;
        at += width;
    }
    let hard = marks.space_break || marks.special;
    Analysis {
        multiline: marks.line_breaks,
        plain: !(marks.edge
            || marks.break_space
            || hard
            || marks.tabs
            || marks.line_breaks
            || marks.indicators),
        single: !(marks.break_space || hard || marks.tabs),
        block: !(marks.trailing_space || hard),
    }
}

/// Whether the character means something to YAML at this place in a block.
fn is_indicator(byte: u8, first: bool, followed_by_blank: bool, preceded_by_blank: bool) -> bool {
    match byte {
        b',' | b'[' | b']' | b'{' | b'}' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"'
        | b'%' | b'@' | b'`' => first,
        b'#' => first || preceded_by_blank,
        b'?' | b'-' => first && followed_by_blank,
        b':' => followed_by_blank,
        _ => false,
    }
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// The length of the character that begins with the byte.
pub(super) fn width(byte: u8) -> usize {
    match byte {
        0..=0xbf => 1,
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    }
}

/// The length of the line break at that place; 0 when there is none.
pub(super) fn break_length(text: &[u8], at: usize) -> usize {
    match &text[at..] {
        [b'\r' | b'\n', ..] => 1,
        [0xc2, 0x85, ..] => 2,
        [0xe2, 0x80, 0xa8 | 0xa9, ..] => 3,
        _ => 0,
    }
}

/// Whether go-yaml prints the character as it is: no character of four bytes.
pub(super) fn is_printable(text: &[u8], at: usize) -> bool {
    match &text[at..] {
        [b'\n' | 0x20..=0x7e, ..] => true,
        [0xc2, second, ..] => *second >= 0xa0,
        [0xc3..=0xec | 0xee, ..] => true,
        [0xed, second, ..] => *second < 0xa0,
        [0xef, 0xbb, 0xbf, ..] | [0xef, 0xbf, 0xbe | 0xbf, ..] => false,
        [0xef, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_60_numbers_are_not_strings() {
        for text in ["1:2", "190:20:30.15", "-1:59", "+1_0:0", "1:2."] {
            assert!(is_base60(text.as_bytes()), "{text}");
        }
        for text in ["1:60", "a:1", "1:", "1:2x", ":1", "1:123", "1.5:2"] {
            assert!(!is_base60(text.as_bytes()), "{text}");
        }
    }
}
