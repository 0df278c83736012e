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

/// For every byte of a scalar's text, and for its end, the offset in the spelling; `None` when text and
/// spelling do not fit together.
///
/// `raw` is the spelling with quotes or block indicator, `text` what it stands for. Indentation and
/// folds change white space only, so everything else is found in the same order in both; white space
/// is where the byte before it ends.
pub(super) fn offsets(raw: &str, style: Style, text: &str) -> Option<Vec<usize>> {
    let body = match style {
        Style::Plain => 0..raw.len(),
        Style::SingleQuoted | Style::DoubleQuoted => 1..raw.len().checked_sub(1)?,
        Style::Literal | Style::Folded => raw.find('\n')? + 1..raw.len(),
    };
    let mut offsets = Vec::with_capacity(text.len() + 1);
    let mut spelled = Spelled { raw, style, body };
    let mut at = spelled.body.start;
    for char in text.chars() {
        if is_space(char) {
            offsets.push(at);
            continue;
        }
        let (range, _) = spelled
            .find(|&(_, found)| !is_space(found))
            .filter(|&(_, found)| found == char)?;
        offsets.extend(std::iter::repeat_n(range.start, char.len_utf8()));
        at = range.end;
    }
    offsets.push(at);
    Some(offsets)
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

fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\r' | '\n')
}

/// The characters of a spelling, each with its bytes there.
struct Spelled<'a> {
    raw: &'a str,
    style: Style,
    /// What is still to be read.
    body: Range<usize>,
}

impl Iterator for Spelled<'_> {
    type Item = (Range<usize>, char);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.raw.get(self.body.clone())?;
        let first = rest.chars().next()?;
        let (char, length) = match (self.style, first) {
            (Style::SingleQuoted, '\'') => (first, 2),
            (Style::DoubleQuoted, '\\') => unescape(&rest[1..])?,
            _ => (first, first.len_utf8()),
        };
        let start = self.body.start;
        self.body.start += length;
        Some((start..self.body.start, char))
    }
}

/// What an escape stands for, and its length with the backslash; `None` for one that is unknown.
fn unescape(escape: &str) -> Option<(char, usize)> {
    let kind = escape.chars().next()?;
    let digits = match kind {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => 0,
    };
    if digits > 0 {
        let code = u32::from_str_radix(escape.get(1..=digits)?, 16).ok()?;
        return Some((char::from_u32(code)?, 2 + digits));
    }
    let char = match kind {
        '0' => '\0',
        'a' => '\x07',
        'b' => '\x08',
        't' | '\t' => '\t',
        'n' => '\n',
        'v' => '\x0b',
        'f' => '\x0c',
        'r' => '\r',
        'e' => '\x1b',
        // An escaped line break joins two lines.
        ' ' | '\n' | '\r' => ' ',
        '"' | '\\' | '/' | '\'' => kind,
        'N' => '\u{85}',
        '_' => '\u{a0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        _ => return None,
    };
    Some((char, 2))
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
    fn parts_are_found_between_folds_and_escapes() {
        let cases = [
            (
                ">-\n  a: b\n\n  image:\n    nginx:1\n",
                Style::Folded,
                "a: b\nimage:\n  nginx:1",
            ),
            (
                "> # why\n  {'image':\n  'nginx:1'}",
                Style::Folded,
                "{'image': 'nginx:1'}",
            ),
            ("a\n  nginx:1\n  b", Style::Plain, "a nginx:1 b"),
            ("'a''\n\n  nginx:1'", Style::SingleQuoted, "a'\nnginx:1"),
            (
                r#""\u00e4\x41\e\tnginx:1\n""#,
                Style::DoubleQuoted,
                "äA\u{1b}\tnginx:1\n",
            ),
            (
                "\"a: \\\n  \\  nginx:1 \n  b\"",
                Style::DoubleQuoted,
                "a:   nginx:1 b",
            ),
        ];
        for (raw, style, text) in cases {
            assert_eq!(part(raw, style, text, "nginx:1"), Some("nginx:1"), "{raw}");
        }
        assert_eq!(
            part(
                r#""\u006eginx:1""#,
                Style::DoubleQuoted,
                "nginx:1",
                "nginx:1"
            ),
            Some(r"\u006eginx:1")
        );
        assert_eq!(offsets(">\n  a\u{2028}b\n", Style::Folded, "a b\n"), None);
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
