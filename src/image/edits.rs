//! Edits of a text: which bytes give way to which others. The new text is not held anywhere; who wants
//! it writes it piece by piece.

use crate::object::Lines;
use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

/// The edits of a text, in its order.
///
/// ```
/// use windlass::image::Edits;
///
/// let mut edits = Edits::default();
/// edits.cut(0..6);
/// assert_eq!(*edits.apply(b"a: 1\n\nb: web\n"), *b"b: web\n");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    edits: Vec<Edit>,
    /// The new texts, each held once: many places get the same.
    texts: HashSet<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Edit {
    span: Range<usize>,
    new: Arc<str>,
}

impl Edits {
    /// Takes out bytes that stand after those of all edits before.
    pub fn cut(&mut self, span: Range<usize>) {
        self.push(span, "");
    }

    /// Adds other edits of the same text. One that begins inside of bytes that are edited goes with them.
    pub fn add(&mut self, other: Self) {
        for Edit { span, new } in other.edits {
            self.push(span, &new);
        }
        self.settle();
    }

    /// Adds an edit. [`Self::settle`] has to follow.
    pub(super) fn push(&mut self, span: Range<usize>, new: &str) {
        let known = self.texts.get(new).cloned();
        let new = known.unwrap_or_else(|| {
            let new: Arc<str> = Arc::from(new);
            self.texts.insert(Arc::clone(&new));
            new
        });
        self.edits.push(Edit { span, new });
    }

    /// Puts the edits into the order of the text, without those that begin inside of another.
    pub(super) fn settle(&mut self) {
        self.edits
            .sort_by_key(|edit| (edit.span.start, edit.span.end));
        let mut end = 0;
        self.edits.retain(|edit| {
            let is_apart = edit.span.start >= end;
            end = end.max(edit.span.end);
            is_apart
        });
    }

    /// Whether the text stays as it is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// The new text, piece by piece.
    pub fn pieces<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = &'t [u8]> {
        let ends = self.edits.iter().map(|edit| edit.span.end);
        let kept_from = std::iter::once(0).chain(ends);
        let next = self.edits.iter().map(Some).chain([None]);
        kept_from.zip(next).flat_map(|(from, edit)| match edit {
            Some(edit) => [&text[from..edit.span.start], edit.new.as_bytes()],
            None => [&text[from..], &[]],
        })
    }

    /// The new text.
    #[must_use]
    pub fn apply<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        match self.is_empty() {
            true => text.into(),
            false => self.pieces(text).collect::<Vec<_>>().concat().into(),
        }
    }

    /// The line of the input behind each line of the new text, as `lines` tells them; nothing where no
    /// edit moves a line.
    #[must_use]
    pub fn lines(&self, text: &[u8], lines: Lines<'_>) -> Vec<usize> {
        let ends = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
        let is_moved = |edit: &Edit| ends(&text[edit.span.clone()]) != ends(edit.new.as_bytes());
        if !self.edits.iter().any(is_moved) {
            return Vec::new();
        }
        let (mut line, mut copied) = (1, 0);
        let mut behind = vec![line];
        for Edit { span, new } in &self.edits {
            for _ in 0..ends(&text[copied..span.start]) {
                line += 1;
                behind.push(line);
            }
            behind.extend(std::iter::repeat_n(line, ends(new.as_bytes())));
            line += ends(&text[span.clone()]);
            copied = span.end;
            // What takes the place of whole lines is the next one.
            if new.is_empty() && (span.start == 0 || text[span.start - 1] == b'\n') {
                behind.pop();
                behind.push(line);
            }
        }
        let rest = ends(&text[copied..]);
        behind.extend((1..=rest).map(|after| line + after));
        behind.into_iter().map(|line| lines.at(line).line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_cut_goes_with_it() {
        let text = b"a: 1\n---\nimage: web\n---\nimage: db\n";
        let mut edits = Edits::default();
        edits.cut(5..20);
        let mut other = Edits::default();
        other.push(31..33, "new");
        other.push(16..19, "new");
        other.push(0..0, "# c\n");
        edits.add(other);
        assert_eq!(*edits.apply(text), *b"# c\na: 1\n---\nimage: new\n");
        let lines = Lines {
            file: "t.yaml",
            first: 10,
            written: &[],
        };
        assert_eq!(edits.lines(text, lines), [10, 10, 13, 14, 15]);
    }
}
