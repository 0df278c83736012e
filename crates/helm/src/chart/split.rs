//! Cuts rendered text into documents, as each Helm does.
//!
//! Follows helm v4 `pkg/release/v1/util/manifest.go` and helm v3 `pkg/releaseutil/manifest.go`: both
//! cut at `---` also where YAML would not, and differ in the space they keep.

use super::Profile;
use crate::value::rune::{decode_last_rune, decode_rune};
use memchr::memchr;
use std::ops::Range;

/// The documents of a text, as ranges of its bytes.
pub(super) fn documents(text: &[u8], profile: Profile) -> Vec<Range<usize>> {
    if profile.is_helm3() {
        documents3(text)
    } else {
        documents4(text)
    }
}

/// Helm 4: cut at lines that begin with `---`; space is trimmed on the left only.
fn documents4(text: &[u8]) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut begin = text.len() - trim_start(text).len();
    let mut at = begin;
    while at < text.len() {
        let line_end = memchr(b'\n', &text[at..]).map_or(text.len(), |n| at + n);
        if text[at..].starts_with(b"---") {
            push(&mut out, text, begin..at);
            let blanks = text[at + 3..]
                .iter()
                .take_while(|&&b| b == b' ' || b == b'\t')
                .count();
            begin = at + 3 + blanks;
        }
        at = line_end + 1;
    }
    push(&mut out, text, begin..text.len());
    out
}

fn push(out: &mut Vec<Range<usize>>, text: &[u8], range: Range<usize>) {
    let document = trim_start(&text[range.clone()]);
    if !document.is_empty() {
        out.push(range.end - document.len()..range.end);
    }
}

/// Helm 3: cut at `---` after a line break, with all space around it; space is trimmed on both sides.
fn documents3(text: &[u8]) -> Vec<Range<usize>> {
    let trimmed = trim(text);
    let offset = text.len() - trim_start(text).len();
    let mut out = Vec::new();
    let mut begin = 0;
    let mut at = 0;
    if trimmed.starts_with(b"---") {
        begin = skip_space(trimmed, 3);
        at = begin;
    }
    loop {
        let next = find(trimmed, b"\n---", at);
        let end = next.unwrap_or(trimmed.len());
        let piece = &trimmed[begin..end];
        let document = trim(piece);
        if !(piece.is_empty() || next.is_some() && is_ascii_space(piece)) {
            let start = begin + (piece.len() - trim_start(piece).len());
            out.push(offset + start..offset + start + document.len());
        }
        let Some(next) = next else { return out };
        begin = skip_space(trimmed, next + 4);
        at = begin;
    }
}

fn is_ascii_space(text: &[u8]) -> bool {
    text.iter()
        .all(|b| matches!(b, b'\t' | b'\n' | 0x0c | b'\r' | b' '))
}

/// The first byte from `at` on that is no ASCII space.
fn skip_space(text: &[u8], at: usize) -> usize {
    let space = |b: &&u8| matches!(**b, b'\t' | b'\n' | 0x0c | b'\r' | b' ');
    at + text[at..].iter().take_while(space).count()
}

fn find(text: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    text.get(from..)?
        .windows(needle.len())
        .position(|window| window == needle)
        .map(|n| from + n)
}

/// Without Unicode space at the beginning.
pub(super) fn trim_start(mut text: &[u8]) -> &[u8] {
    loop {
        let (rune, width) = decode_rune(text);
        if width == 0 || !char::from_u32(rune).is_some_and(char::is_whitespace) {
            return text;
        }
        text = &text[width..];
    }
}

/// Without Unicode space at both ends.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    let mut text = trim_start(text);
    loop {
        let (rune, width) = decode_last_rune(text);
        if width == 0 || !char::from_u32(rune).is_some_and(char::is_whitespace) {
            return text;
        }
        text = &text[..text.len() - width];
    }
}

#[cfg(test)]
mod tests {
    use super::documents;
    use crate::chart::Profile;

    fn split(text: &str, profile: Profile) -> Vec<&str> {
        documents(text.as_bytes(), profile)
            .into_iter()
            .map(|range| &text[range])
            .collect()
    }

    #[test]
    fn helm_4_keeps_trailing_line_breaks() {
        let split = |text| split(text, Profile::Helm4);
        assert_eq!(
            split("\n---\na: 1\n\n---  \n\nb: 2\n---\n\n---\n"),
            ["a: 1\n\n", "b: 2\n"]
        );
        assert_eq!(split("a: 1\n---b: 2"), ["a: 1\n", "b: 2"]);
        assert_eq!(split("a: 1\n ---\nb: 2"), ["a: 1\n ---\nb: 2"]);
        assert_eq!(split("--- # note\na: 1\n"), ["# note\na: 1\n"]);
        assert!(split(" \n\u{a0}").is_empty());
    }

    #[test]
    fn helm_3_trims_both_ends() {
        let split = |text| split(text, Profile::Helm3);
        assert_eq!(
            split("\n---\na: 1\n\n---  \n\nb: 2\n---\n\n---\n"),
            ["a: 1", "b: 2", "---"]
        );
        assert_eq!(split("a: 1\n---b: 2\n"), ["a: 1", "b: 2"]);
        assert_eq!(split("a: 1 \n \n---\n b: 2"), ["a: 1", "b: 2"]);
        assert!(split("").is_empty());
    }
}
