//! How a scalar is spelled: which bytes of the file are which bytes of its text, and how to spell
//! another text in its place.

use std::ops::Range;
use windlass_helm::yaml::{Document, NodeId, NodeKind, Scalar, Style, resolve_plain};

/// The bytes of a scalar without what follows it: the breaks at the end of a block stay.
pub(super) fn span(text: &[u8], document: &Document, node: NodeId) -> Range<usize> {
    let node = document.node(node);
    let end = node.end.offset.min(text.len());
    let start = node.value_start.offset.min(end);
    let block = matches!(
        node.kind,
        NodeKind::Scalar {
            style: Style::Literal | Style::Folded,
            ..
        }
    );
    let kept = text[start..end].trim_ascii_end().len();
    start..if block { start + kept } else { end }
}

/// For every byte of a scalar's text, and for its end, the offset in the spelling; `None` when the
/// spelling has line folds or escapes that have no simple counterpart.
///
/// `raw` is the spelling with quotes or block indicator, `text` what it stands for.
pub(super) fn offsets(raw: &str, style: Style, text: &str) -> Option<Vec<usize>> {
    let decoded = match style {
        Style::Plain => Decoded::verbatim(raw, 0..raw.len()),
        Style::SingleQuoted => single_quoted(raw)?,
        Style::DoubleQuoted => double_quoted(raw)?,
        Style::Literal => literal(raw, text)?,
        Style::Folded => return None,
    };
    (decoded.text == text.as_bytes()).then_some(decoded.offsets)
}

/// Spells a part of a scalar's text so that it can stand inside the scalar.
pub(super) fn escape(part: &str, style: Style) -> String {
    match style {
        Style::DoubleQuoted => part.replace('\\', "\\\\").replace('"', "\\\""),
        Style::SingleQuoted => part.replace('\'', "''"),
        Style::Plain | Style::Literal | Style::Folded => part.to_owned(),
    }
}

/// Spells an image reference as a scalar of its own: plain where it is read back as text, else in
/// double quotes.
pub(super) fn spell(image: &str) -> String {
    let starts_plain = image
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric());
    let plain = image
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"/:@._-".contains(&b));
    if starts_plain && plain && !image.ends_with(':') && resolve_plain(image) == Scalar::Str {
        image.to_owned()
    } else {
        format!("\"{}\"", escape(image, Style::DoubleQuoted))
    }
}

#[derive(Default)]
struct Decoded {
    text: Vec<u8>,
    /// One for each byte of `text`, and one for its end.
    offsets: Vec<usize>,
}

impl Decoded {
    fn verbatim(raw: &str, range: Range<usize>) -> Self {
        let text = raw.as_bytes()[range.clone()].to_vec();
        Self {
            text,
            offsets: (range.start..=range.end).collect(),
        }
    }

    fn push(&mut self, byte: u8, at: usize) {
        self.text.push(byte);
        self.offsets.push(at);
    }
}

fn single_quoted(raw: &str) -> Option<Decoded> {
    let inner = raw.strip_prefix('\'')?.strip_suffix('\'')?.as_bytes();
    let mut decoded = Decoded::default();
    let mut at = 0;
    while at < inner.len() {
        decoded.push(inner[at], at + 1);
        at += if inner[at..].starts_with(b"''") { 2 } else { 1 };
    }
    decoded.offsets.push(inner.len() + 1);
    Some(decoded)
}

fn double_quoted(raw: &str) -> Option<Decoded> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?.as_bytes();
    let mut decoded = Decoded::default();
    let mut at = 0;
    while at < inner.len() {
        let (byte, length) = match inner[at] {
            b'\\' => (unescape(*inner.get(at + 1)?)?, 2),
            b'\n' | b'\r' => return None,
            byte => (byte, 1),
        };
        decoded.push(byte, at + 1);
        at += length;
    }
    decoded.offsets.push(inner.len() + 1);
    Some(decoded)
}

/// The escapes that stand for one byte.
fn unescape(escape: u8) -> Option<u8> {
    Some(match escape {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'0' => 0,
        b'"' | b'\\' | b'/' | b' ' => escape,
        _ => return None,
    })
}

/// A literal block: its lines without their indentation. What the indicator says about the line
/// breaks at the end is taken from `text`.
fn literal(raw: &str, text: &str) -> Option<Decoded> {
    let body = raw.find('\n')? + 1;
    let spaces = |line: &str| line.len() - line.trim_start_matches(' ').len();
    // The first line with text tells the indentation, less the spaces that belong to the text.
    let first = raw[body..]
        .split('\n')
        .find(|line| !line.trim_start_matches(' ').is_empty())?;
    let first_of_text = text
        .split('\n')
        .find(|line| !line.trim_start_matches(' ').is_empty())?;
    let indent = spaces(first).checked_sub(spaces(first_of_text))?;
    let mut decoded = Decoded::default();
    let mut at = body;
    for line in raw[body..].split_inclusive('\n') {
        let skip = spaces(line).min(indent);
        for (index, byte) in line.bytes().enumerate().skip(skip) {
            decoded.push(byte, at + index);
        }
        at += line.len();
    }
    // A block at the end of a file may miss the break that its text has.
    if decoded.text.len() + 1 == text.len() {
        decoded.push(b'\n', raw.len());
    }
    if decoded.text.len() < text.len() {
        return None;
    }
    decoded.text.truncate(text.len());
    let end = decoded
        .offsets
        .get(text.len())
        .copied()
        .unwrap_or(raw.len());
    decoded.offsets.truncate(text.len());
    decoded.offsets.push(end);
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The spelling of the part `needle` of a scalar's text.
    fn part<'a>(raw: &'a str, style: Style, text: &str, needle: &str) -> Option<&'a str> {
        let offsets = offsets(raw, style, text)?;
        let at = text.find(needle).unwrap();
        Some(&raw[offsets[at]..offsets[at + needle.len()]])
    }

    #[test]
    fn parts_are_found_in_every_style_of_one_line() {
        let cases = [
            ("a nginx:1 b", Style::Plain, "a nginx:1 b"),
            ("'it''s nginx:1'", Style::SingleQuoted, "it's nginx:1"),
            (
                r#""{\"image\": \"nginx:1\"}\n""#,
                Style::DoubleQuoted,
                "{\"image\": \"nginx:1\"}\n",
            ),
            (
                "|\n    a: b\n      image: nginx:1\n",
                Style::Literal,
                "a: b\n  image: nginx:1\n",
            ),
            ("|-\n  image: nginx:1", Style::Literal, "image: nginx:1"),
            (
                "|2-\n    image: nginx:1\n",
                Style::Literal,
                "  image: nginx:1",
            ),
            (
                "|\n\n  # über\n  image: nginx:1 # c\n\n",
                Style::Literal,
                "\n# über\nimage: nginx:1 # c\n",
            ),
        ];
        for (raw, style, text) in cases {
            assert_eq!(part(raw, style, text, "nginx:1"), Some("nginx:1"), "{raw}");
        }
    }

    #[test]
    fn folds_and_unusual_escapes_are_left_alone() {
        assert_eq!(offsets(">\n  a\n  b\n", Style::Folded, "a b\n"), None);
        assert_eq!(offsets("\"a\n  b\"", Style::DoubleQuoted, "a b"), None);
        assert_eq!(offsets("a\n  b", Style::Plain, "a b"), None);
        assert_eq!(offsets(r#""\u0061""#, Style::DoubleQuoted, "a"), None);
    }

    #[test]
    fn references_are_quoted_only_where_yaml_would_misread_them() {
        for plain in ["nginx", "localhost:5000/a@sha256:ab", "a.io/b:1"] {
            assert_eq!(spell(plain), plain);
        }
        for quoted in ["1.5", "on", "[::1]:5000/a", "010", "nginx:"] {
            assert_eq!(spell(quoted), format!("\"{quoted}\""));
        }
    }
}
