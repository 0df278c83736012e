//! The input as the scanner sees it: UTF-8 text, and where a reader of 512-byte pieces would stop.
//!
//! go-yaml decodes its input piece by piece and reports a bad character when it reaches the piece it
//! is in; an earlier mistake in the YAML is reported first. Follows go.yaml.in/yaml/v2 readerc.go.

use std::borrow::Cow;

/// The size of the pieces in which go-yaml reads its input, in bytes.
const PIECE: usize = 512;

/// A text up to its first bad character.
pub(super) struct Source<'a> {
    /// The text, without what follows a bad character.
    pub(super) text: Cow<'a, str>,
    /// Where the text begins: after a byte order mark.
    pub(super) start: usize,
    /// What is wrong with the input, if anything.
    pub(super) fault: Option<SourceFault>,
}

/// A character that may not stand in YAML.
#[derive(Clone, Copy, Debug)]
pub(super) struct SourceFault {
    /// The start of the piece in which the character is: reading beyond it fails.
    pub(super) piece: usize,
    /// The text of the error.
    pub(super) problem: &'static str,
}

impl<'a> Source<'a> {
    /// Takes bytes in UTF-8, or in UTF-16 with a byte order mark.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        match bytes {
            [] => Self {
                text: Cow::Borrowed("\n"),
                start: 0,
                fault: None,
            },
            [0xff, 0xfe, rest @ ..] => from_utf16(rest, u16::from_le_bytes),
            [0xfe, 0xff, rest @ ..] => from_utf16(rest, u16::from_be_bytes),
            _ => from_utf8(bytes),
        }
    }
}

fn from_utf8(bytes: &[u8]) -> Source<'_> {
    let start = if bytes.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    let (valid, encoding) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let end = error.valid_up_to();
            let valid = std::str::from_utf8(&bytes[..end]).unwrap_or_default();
            (valid, Some(encoding_problem(&bytes[end..])))
        }
    };
    let (end, problem) = match first_refused(valid) {
        Some(at) => (at, Some("control characters are not allowed")),
        None => (valid.len(), encoding),
    };
    let fault = problem.map(|problem| {
        let incomplete = problem == "incomplete UTF-8 octet sequence";
        SourceFault {
            piece: if incomplete {
                end
            } else {
                piece_of(bytes, end)
            },
            problem,
        }
    });
    Source {
        text: Cow::Borrowed(&valid[..end]),
        start,
        fault,
    }
}

/// What go-yaml says of bytes that do not begin with a character.
fn encoding_problem(bytes: &[u8]) -> &'static str {
    let width = match bytes.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        _ => return "invalid leading UTF-8 octet",
    };
    let Some(character) = bytes.get(..width) else {
        return "incomplete UTF-8 octet sequence";
    };
    if character[1..].iter().any(|octet| octet & 0xc0 != 0x80) {
        return "invalid trailing UTF-8 octet";
    }
    match character {
        [0xc0..=0xc1, ..] | [0xe0, 0x80..=0x9f, ..] | [0xf0, 0x80..=0x8f, ..] => {
            "invalid length of a UTF-8 sequence"
        }
        _ => "invalid Unicode character",
    }
}

/// The start of the piece that holds the character at `at`. A character that does not fit into a
/// piece is left for the next one.
fn piece_of(bytes: &[u8], at: usize) -> usize {
    let mut piece = 0;
    while piece + PIECE < bytes.len() {
        let mut next = piece + PIECE;
        while next > piece && bytes[next] & 0xc0 == 0x80 {
            next -= 1;
        }
        if next > at || next == piece {
            break;
        }
        piece = next;
    }
    piece
}

/// How many bytes are looked at in one step, and then how many characters one by one.
const STRIDE: usize = 64;

/// Where the first character stands that YAML 1.1 does not allow. Most text is plain ASCII, which is
/// passed in strides.
fn first_refused(text: &str) -> Option<usize> {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t' | b'\r');
    let mut rest = text;
    loop {
        let strides = rest.as_bytes().chunks_exact(STRIDE);
        let plain = strides
            .take_while(|stride| stride.iter().fold(true, |ok, byte| ok & is_plain(*byte)))
            .count();
        rest = &rest[plain * STRIDE..];
        let mut characters = rest.char_indices();
        let mut stride = characters.by_ref().take(STRIDE);
        if let Some((at, _)) = stride.find(|(_, c)| !is_allowed(*c)) {
            return Some(text.len() - rest.len() + at);
        }
        rest = characters.as_str();
        if rest.is_empty() {
            return None;
        }
    }
}

/// Whether YAML 1.1 allows the character unescaped.
fn is_allowed(c: char) -> bool {
    matches!(c,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}'
        | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

fn from_utf16<'a>(bytes: &[u8], decode: fn([u8; 2]) -> u16) -> Source<'a> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| decode(*pair));
    let mut text = String::with_capacity(bytes.len() / 2);
    let mut problem = None;
    let mut read = 0;
    for decoded in char::decode_utf16(units) {
        match decoded {
            Ok(c) if is_allowed(c) => text.push(c),
            Ok(_) => problem = Some("control characters are not allowed"),
            Err(lone) if lone.unpaired_surrogate() >= 0xdc00 => {
                problem = Some("unexpected low surrogate area");
            }
            Err(_) if read + 1 == pairs.len() => {
                problem = Some("incomplete UTF-16 surrogate pair");
            }
            Err(_) => problem = Some("expected low surrogate area"),
        }
        if problem.is_some() {
            break;
        }
        read += text.chars().next_back().map_or(1, char::len_utf16);
    }
    if problem.is_none() && !rest.is_empty() {
        problem = Some("incomplete UTF-16 character");
    }
    let fault = problem.map(|problem| SourceFault {
        piece: text.len(),
        problem,
    });
    Source {
        text: Cow::Owned(text),
        start: 0,
        fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(bytes: &[u8]) -> Option<&'static str> {
        Source::new(bytes).fault.map(|fault| fault.problem)
    }

    #[test]
    fn names_each_kind_of_bad_input() {
        assert_eq!(
            problem(b"a\x01"),
            Some("control characters are not allowed")
        );
        assert_eq!(
            problem(b"a\x7f"),
            Some("control characters are not allowed")
        );
        assert_eq!(problem(b"a\xff"), Some("invalid leading UTF-8 octet"));
        assert_eq!(problem(b"a\xc3"), Some("incomplete UTF-8 octet sequence"));
        assert_eq!(problem(b"a\xc3b"), Some("invalid trailing UTF-8 octet"));
        assert_eq!(
            problem(b"a\xc0\x80"),
            Some("invalid length of a UTF-8 sequence")
        );
        assert_eq!(problem(b"a\xed\xa0\x80"), Some("invalid Unicode character"));
        assert_eq!(
            problem(b"\xff\xfea\0\0\xd8"),
            Some("incomplete UTF-16 surrogate pair")
        );
        assert_eq!(
            problem(b"\xff\xfea\0\0"),
            Some("incomplete UTF-16 character")
        );
    }

    #[test]
    fn reads_both_byte_orders_of_utf16() {
        assert_eq!(Source::new(b"\xff\xfea\0:\0").text, "a:");
        assert_eq!(Source::new(b"\xfe\xff\0a\0:").text, "a:");
    }

    #[test]
    fn a_bad_character_counts_from_the_start_of_its_piece() {
        let mut bytes = vec![b'a'; 1100];
        bytes[1050] = 1;
        assert_eq!(Source::new(&bytes).fault.map(|f| f.piece), Some(1024));
        bytes[510..514].copy_from_slice("\u{10000}".as_bytes());
        assert_eq!(Source::new(&bytes).fault.map(|f| f.piece), Some(1022));
    }
}
