//! The labeled diff for a terminal: the sum, a table of the changes, then each changed object.

use super::label::{Label, paint};
use super::row::{Row, Tense, concern_words, mark, sum, untried, wait_words, warnings, word};
use crate::diff::text::{Line, LineKind, unified};
use crate::diff::{Change, Op, concerns};
use crate::plan::{Plan, Wait};
use std::fmt::Write;

/// What is said of a change that may take more away than is shown.
const NOT_ASKED: &str = "defaults inside its lists are taken to stay (not asked of the server)";

/// From how many lines on the sum is repeated below them.
const SCREEN: usize = 40;

/// How much of the changes is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown {
    /// Colour on stdout.
    pub colored: bool,
    /// How wide the terminal is; lines of the table are cut to it.
    pub width: Option<usize>,
    /// Lines of context around a change.
    pub context: usize,
    /// How many lines of one object are shown; 0 for all.
    pub max_lines: usize,
    /// Also name the objects that do not change.
    pub noops: bool,
    /// Show objects that come or go whole; else only their line.
    pub whole_objects: bool,
    /// What the changes are.
    pub tense: Tense,
}

/// The changes as text: their sum, a line for each object, then what changes in each.
#[must_use]
pub fn show_changes(rows: &[Row<'_>], shown: Shown) -> String {
    let changes: Vec<&Change> = rows.iter().map(|(change, _)| *change).collect();
    let total = sum(changes.iter().copied(), shown.tense);
    let mut out = format!("{}\n", paint(shown.colored, Label::Heading, &total));
    let warnings = warnings(&changes);
    if !warnings.is_empty() {
        let line = format!("mind: {warnings}");
        let _ = writeln!(out, "{}", paint(shown.colored, Label::Warning, &line));
    }
    let untried = untried(&changes);
    if !untried.is_empty() {
        let line = format!("not tried on the server: {untried}");
        let _ = writeln!(out, "{}", paint(shown.colored, Label::Dim, &line));
    }
    let listed = || {
        rows.iter()
            .filter(|(change, _)| shown.noops || change.op != Op::Noop)
    };
    if listed().next().is_some() {
        out.push('\n');
    }
    for (change, _) in listed() {
        table_line(&mut out, change, shown);
    }
    for (change, wait) in listed() {
        let whole = match change.op {
            // A new version is shown as what differs from the last one.
            Op::Create if change.before.is_some() => true,
            Op::Create | Op::Delete => shown.whole_objects,
            Op::Update => true,
            // A hook runs again although nothing differs.
            Op::Replace => change.before != change.after,
            Op::Exists | Op::Keep | Op::Noop => false,
        };
        if whole {
            show_object(&mut out, change, *wait, shown);
        }
    }
    if out.lines().count() > SCREEN {
        let _ = writeln!(out, "\n{}", paint(shown.colored, Label::Heading, &total));
    }
    out
}

fn table_line(out: &mut String, change: &Change, shown: Shown) {
    let (label, sign) = mark(change);
    let head = format!("{sign} {:<8}", word(change, shown.tense));
    let mut tail = String::new();
    let concerns = concerns(change);
    if !concerns.is_empty() {
        let _ = write!(tail, "  [{}]", concern_words(&concerns));
    }
    // That something is not there is what the op says already.
    let is_plain = change.reason.is_empty() && change.op != Op::Update;
    if !is_plain {
        let _ = write!(tail, "  {}", change.why());
    }
    let target = change.target.to_string();
    if let Some(width) = shown.width {
        tail = cut(&tail, width.saturating_sub(10 + target.chars().count()));
    }
    let tail_label = match concerns.iter().any(|concern| concern.is_grave()) {
        true => Label::Warning,
        false => Label::Dim,
    };
    let _ = writeln!(
        out,
        "{}{target}{}",
        paint(shown.colored, label, &head),
        paint(shown.colored, tail_label, &tail)
    );
}

/// A text of at most this many characters.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

fn show_object(out: &mut String, change: &Change, wait: Wait, shown: Shown) {
    let (label, sign) = mark(change);
    let place = change.source.as_ref().map(|source| format!("  {source}"));
    let head = format!("{sign} {} {}", word(change, shown.tense), change.target);
    let _ = writeln!(
        out,
        "\n{}{}",
        paint(shown.colored, label, &head),
        paint(shown.colored, Label::Dim, &place.unwrap_or_default())
    );
    let about = about(change, wait, shown.tense);
    if !about.is_empty() {
        let _ = writeln!(out, "    {}", paint(shown.colored, Label::Dim, &about));
    }
    for note in owner_notes(change) {
        let note = format!("    {note}");
        let _ = writeln!(out, "{}", paint(shown.colored, Label::Warning, &note));
    }
    let lines = unified(change, shown.context);
    let (lines, folded) = fold(&lines, shown.max_lines);
    for line in lines {
        let (label, sign) = match line.kind {
            LineKind::Added => (Label::Added, "+"),
            LineKind::Removed => (Label::Removed, "-"),
            LineKind::Context => (Label::Plain, " "),
            LineKind::Header => (Label::Heading, "@"),
            LineKind::Skipped => (Label::Dim, "…"),
        };
        let text = format!("  {sign} {}", line.text);
        let _ = writeln!(out, "{}", paint(shown.colored, label, text.trim_end()));
    }
    if folded > 0 {
        let note = format!("  … {folded} more lines: `--max-lines 0` shows them");
        let _ = writeln!(out, "{}", paint(shown.colored, Label::Dim, &note));
    }
}

/// The first lines, and how many are left out; a single one is not worth it.
pub(super) fn fold(lines: &[Line], most: usize) -> (&[Line], usize) {
    if most == 0 || lines.len() <= most + 1 {
        (lines, 0)
    } else {
        (&lines[..most], lines.len() - most)
    }
}

/// Reason, concerns, strategy and wait of a change in one line. A strategy that the op or the reason
/// names is not said again.
pub(super) fn about(change: &Change, wait: Wait, tense: Tense) -> String {
    let strategy = match change.strategy() {
        strategy if change.op.word() == strategy || change.reason.contains(strategy) => {
            String::new()
        }
        strategy => format!("strategy {strategy}"),
    };
    let why = match change.reason.as_str() {
        "" => String::new(),
        reason => reason.to_owned(),
    };
    let mut parts = vec![why, concern_words(&concerns(change))];
    if tense == Tense::Plan {
        let unsure = if change.is_unsure { NOT_ASKED } else { "" };
        parts.extend([strategy, unsure.to_owned(), wait_words(wait).to_owned()]);
    }
    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}

/// Who else owns fields that change, a line each.
pub(super) fn owner_notes(change: &Change) -> impl Iterator<Item = String> {
    let owned = |field: &crate::diff::FieldChange| {
        Some(format!("{} is set by {}", field.path, field.foreign()?))
    };
    change.fields.iter().filter_map(owned)
}

/// Why each change stands where it stands in the order: what it waits for, a line each.
#[must_use]
pub fn explain(plan: &Plan, colored: bool) -> String {
    let steps = plan.steps.iter().enumerate();
    let changes = steps.filter(|(_, step)| step.change.op != Op::Noop);
    changes
        .map(|(number, _)| explain_step(plan, number, colored))
        .collect()
}

/// Why some steps stand where they stand: what they wait for, and what waits for them.
#[must_use]
pub fn explain_only(plan: &Plan, steps: &[usize], colored: bool) -> String {
    let mut out = String::new();
    for number in steps {
        out.push_str(&explain_step(plan, *number, colored));
        for line in plan.followers(*number) {
            let _ = writeln!(out, "    {line}");
        }
    }
    out
}

fn explain_step(plan: &Plan, number: usize, colored: bool) -> String {
    let Some(step) = plan.steps.get(number) else {
        return String::new();
    };
    let (label, sign) = mark(&step.change);
    let head = format!(
        "{sign} {} {}",
        word(&step.change, Tense::Plan),
        step.change.target
    );
    let mut out = format!("{}\n", paint(colored, label, &head));
    let reasons = plan.explain(number);
    if reasons.is_empty() {
        out.push_str("    waits for nothing\n");
    }
    for reason in reasons {
        let _ = writeln!(out, "    {reason}");
    }
    out
}
