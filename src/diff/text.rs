//! A change as lines of text, each with its kind; whoever prints them chooses the colours.

use super::Change;
use super::yaml::Document;
use serde::Serialize;
use serde_json::Value;
use similar::{Algorithm, DiffOp, capture_diff_slices, group_diff_ops};
use std::ops::Range;

/// What a line of a text diff is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LineKind {
    /// The same before and after.
    Context,
    /// Only after.
    Added,
    /// Only before.
    Removed,
    /// Where in the object the lines that follow stand, as a path.
    Header,
    /// How many equal lines are left out.
    Skipped,
}

/// One line of a text diff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What it is.
    pub kind: LineKind,
    /// Its text, without a mark and without a line end.
    pub text: String,
}

/// The change as YAML text before and after, line by line: all lines of a created or deleted
/// object, else the differing lines with `context` equal lines around them, each such part
/// introduced by the path it stands at. Values are masked as the change has them.
#[must_use]
pub fn unified(change: &Change, context: usize) -> Vec<Line> {
    let document = |tree: &Option<Value>| tree.as_ref().map(Document::new);
    match (document(&change.before), document(&change.after)) {
        (Some(before), Some(after)) => compare(&before, &after, context),
        (Some(before), None) => whole(&before, LineKind::Removed),
        (None, Some(after)) => whole(&after, LineKind::Added),
        (None, None) => Vec::new(),
    }
}

/// An object as YAML text, as changes show it.
#[must_use]
pub fn yaml(tree: &Value) -> String {
    let mut text = Document::new(tree).lines.join("\n");
    text.push('\n');
    text
}

fn whole(document: &Document, kind: LineKind) -> Vec<Line> {
    document
        .lines
        .iter()
        .map(|text| Line {
            kind,
            text: text.clone(),
        })
        .collect()
}

fn compare(before: &Document, after: &Document, context: usize) -> Vec<Line> {
    let ops = capture_diff_slices(Algorithm::Myers, &before.lines, &after.lines);
    let context = context.min(before.lines.len());
    let mut lines = Vec::new();
    let mut shown = 0;
    for hunk in group_diff_ops(ops, context) {
        let Some(start) = hunk.first().map(|op| op.old_range().start) else {
            continue;
        };
        skipped(&mut lines, start - shown);
        if start > 0 {
            lines.push(Line {
                kind: LineKind::Header,
                text: place(&hunk, before, after),
            });
        }
        for op in &hunk {
            shown = op.old_range().end;
            match op {
                DiffOp::Equal { .. } => {
                    push(&mut lines, LineKind::Context, before, op.old_range());
                }
                _ => {
                    push(&mut lines, LineKind::Removed, before, op.old_range());
                    push(&mut lines, LineKind::Added, after, op.new_range());
                }
            }
        }
    }
    skipped(&mut lines, before.lines.len() - shown);
    lines
}

fn push(lines: &mut Vec<Line>, kind: LineKind, document: &Document, range: Range<usize>) {
    lines.extend(document.lines[range].iter().map(|text| Line {
        kind,
        text: text.clone(),
    }));
}

fn skipped(lines: &mut Vec<Line>, count: usize) {
    if count > 0 {
        let s = if count == 1 { "" } else { "s" };
        let text = format!("{count} equal line{s}");
        lines.push(Line {
            kind: LineKind::Skipped,
            text,
        });
    }
}

/// The place of the first differing line.
fn place(hunk: &[DiffOp], before: &Document, after: &Document) -> String {
    let first = hunk.iter().find(|op| !matches!(op, DiffOp::Equal { .. }));
    match first {
        Some(op) if op.new_range().is_empty() => before.path(op.old_range().start),
        Some(op) => after.path(op.new_range().start),
        None => String::new(),
    }
}
