//! The labeled diff for a terminal: a table of the changes, then each changed object.

use super::label::{Label, paint};
use crate::diff::text::{LineKind, unified};
use crate::diff::{Change, Op};
use crate::plan::Plan;
use std::fmt::Write;

/// How much of the changes is shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// Colour on stdout.
    pub colored: bool,
    /// Lines of context around a change.
    pub context: usize,
    /// Also name the objects that do not change.
    pub noops: bool,
    /// Show objects that come or go whole; else only their line.
    pub whole_objects: bool,
}

/// The label and the sign of an op.
const fn mark(op: Op) -> (Label, char) {
    match op {
        Op::Create => (Label::Added, '+'),
        Op::Update => (Label::Changed, '~'),
        Op::Replace => (Label::Removed, '±'),
        Op::Delete => (Label::Removed, '-'),
        Op::Exists | Op::Keep | Op::Noop => (Label::Dim, '='),
    }
}

/// The changes as text: first a line for each object, then what changes in each.
#[must_use]
pub fn show_changes(changes: &[&Change], shown: Shown) -> String {
    let listed: Vec<&Change> = changes
        .iter()
        .copied()
        .filter(|c| shown.noops || c.op != Op::Noop)
        .collect();
    let mut out = String::new();
    for change in &listed {
        let (label, sign) = mark(change.op);
        let head = format!("{sign} {:<8}", change.op.word());
        let why = why(change);
        let gap = if why.is_empty() { "" } else { "  " };
        let line = format!(
            "{}{gap}{}",
            change.target,
            paint(shown.colored, Label::Dim, &why)
        );
        let _ = writeln!(out, "{}{line}", paint(shown.colored, label, &head));
    }
    for change in listed {
        let whole = match change.op {
            Op::Create | Op::Delete => shown.whole_objects,
            Op::Update | Op::Replace => true,
            Op::Exists | Op::Keep | Op::Noop => false,
        };
        if whole {
            show_object(&mut out, change, shown);
        }
    }
    out
}

/// What the table says about a change beside its op: the reason, else the fields that change.
fn why(change: &Change) -> String {
    if !change.reason.is_empty() {
        return change.reason.clone();
    }
    if change.op != Op::Update {
        return String::new();
    }
    let names: Vec<&str> = change
        .fields
        .iter()
        .take(3)
        .map(|field| short_path(&field.path))
        .collect();
    let more = change.fields.len().saturating_sub(names.len());
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{rest}", names.join(", "))
}

/// The end of a field path: what people call the field.
fn short_path(path: &str) -> &str {
    let stripped = path.strip_prefix("spec.template.spec.").unwrap_or(path);
    stripped.strip_prefix("spec.").unwrap_or(stripped)
}

fn show_object(out: &mut String, change: &Change, shown: Shown) {
    let (label, sign) = mark(change.op);
    let place = change
        .source
        .as_ref()
        .map(|s| format!("  {s}"))
        .unwrap_or_default();
    let _ = writeln!(
        out,
        "\n{}{}",
        paint(
            shown.colored,
            label,
            &format!("{sign} {} {}", change.op.word(), change.target)
        ),
        paint(shown.colored, Label::Dim, &place)
    );
    for field in change.fields.iter().filter(|field| field.manager.is_some()) {
        let owner = field.manager.as_deref().unwrap_or_default();
        let note = format!("    {} is set by {owner}", field.path);
        let _ = writeln!(out, "{}", paint(shown.colored, Label::Warning, &note));
    }
    for line in unified(change, shown.context) {
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
    let (label, sign) = mark(step.change.op);
    let head = format!("{sign} {} {}", step.change.op.word(), step.change.target);
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

/// `3 to create, 1 to update, 11 unchanged`: the plan in one line.
#[must_use]
pub fn summary<'a>(changes: impl IntoIterator<Item = &'a Change>) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for change in changes {
        *counts.entry(change.op).or_insert(0_usize) += 1;
    }
    let parts: Vec<String> = counts
        .into_iter()
        .map(|(op, number)| match op {
            Op::Noop => format!("{number} unchanged"),
            Op::Keep => format!("{number} to keep"),
            Op::Exists => format!("{number} to exist"),
            op => format!("{number} to {}", op.word()),
        })
        .collect();
    if parts.is_empty() {
        "no objects".to_owned()
    } else {
        parts.join(", ")
    }
}
