//! Drift for people and scripts: what others did, field by field, then what is pending.

use super::json::{SCHEMA_VERSION, change_documents};
use super::label::{Label, paint};
use super::markdown::{Comment, code, diff_comment, escaped};
use super::plan::{Shown, show_changes};
use super::row::{Row, Tense, mark, sum};
use crate::diff::{Change, FieldChange, FieldOp};
use crate::inventory::Deploy;
use crate::object::visible::is_hidden;
use crate::plan::Wait;
use serde_json::{Value, json};
use std::fmt::Write;

/// How long a value may be on one line.
const LONGEST: usize = 80;

/// What is told of drift.
#[derive(Clone, Copy, Debug)]
pub struct DriftReport<'a> {
    /// The app.
    pub app: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its last deploy.
    pub last: Option<&'a Deploy>,
    /// What others did.
    pub drift: &'a [Change],
    /// What the next deploy would change besides.
    pub pending: &'a [Row<'a>],
    /// How many objects are as they were deployed.
    pub unchanged: usize,
    /// What could not be found out.
    pub notes: &'a [String],
    /// Whether pending changes were looked for.
    pub with_project: bool,
}

/// `drift: 1 changed, 1 deleted; pending: 1 to update; 11 as deployed`.
#[must_use]
pub fn drift_summary(report: &DriftReport<'_>) -> String {
    let drift = match report.drift {
        [] => "no drift".to_owned(),
        drift => format!("drift: {}", sum(drift, Tense::Drift)),
    };
    let pending = match report.pending {
        _ if !report.with_project => String::new(),
        [] => "; nothing pending".to_owned(),
        rows => format!(
            "; pending: {}",
            sum(rows.iter().map(|(change, _)| *change), Tense::Plan)
        ),
    };
    format!("{drift}{pending}; {} as deployed", report.unchanged)
}

/// Which deploy the objects are compared with.
fn last(report: &DriftReport<'_>) -> String {
    let Some(last) = report.last else {
        return String::new();
    };
    let when = last.finished.unwrap_or(last.started);
    let mut text = format!("deploy {} of {when:.0}", last.revision);
    if !last.origin.git_commit.is_empty() {
        let _ = write!(text, ", commit {}", last.origin.git_commit);
    }
    if !last.origin.who.is_empty() {
        let _ = write!(text, ", by {}", last.origin.who);
    }
    text
}

/// Drift as text.
#[must_use]
pub fn show_drift(report: &DriftReport<'_>, shown: Shown) -> String {
    let mut out = paint(shown.colored, Label::Heading, &drift_summary(report));
    let last = last(report);
    if !last.is_empty() {
        let line = format!("compared with {last}");
        let _ = write!(out, "\n{}", paint(shown.colored, Label::Dim, &line));
    }
    out.push('\n');
    for note in report.notes {
        let _ = writeln!(
            out,
            "{}",
            paint(shown.colored, Label::Warning, &format!("note: {note}"))
        );
    }
    for change in report.drift {
        let (label, sign) = mark(change);
        let head = format!("{sign} {} {}", Tense::Drift.word(change.op), change.target);
        let place = change.source.as_ref().map(|source| format!("  {source}"));
        let place = paint(shown.colored, Label::Dim, &place.unwrap_or_default());
        let _ = writeln!(out, "\n{}{place}", paint(shown.colored, label, &head));
        if !change.reason.is_empty() {
            let _ = writeln!(
                out,
                "    {}",
                paint(shown.colored, Label::Dim, &change.reason)
            );
        }
        for field in &change.fields {
            let _ = writeln!(out, "    {}", field_line(field));
            if let Some(owner) = by(field) {
                let _ = writeln!(
                    out,
                    "      {}",
                    paint(shown.colored, Label::Warning, &owner)
                );
            }
        }
    }
    if !report.pending.is_empty() {
        let head = "Pending, by the next deploy:";
        let _ = writeln!(out, "\n{}", paint(shown.colored, Label::Heading, head));
        out.push_str(&show_changes(report.pending, shown));
    }
    out
}

/// `spec.replicas: 2 → 5`.
fn field_line(field: &FieldChange) -> String {
    let value = |value: &Option<Value>, none: &str| match value {
        Some(value) => short(value),
        None => none.to_owned(),
    };
    let before = match (&field.before, &field.after) {
        (None, Some(_)) if field.op == FieldOp::Replace => "?".to_owned(),
        (before, _) => value(before, "(none)"),
    };
    format!(
        "{}: {before} → {}",
        field.path,
        value(&field.after, "(none)")
    )
}

/// A value on one line, without characters that could steer a terminal.
fn short(value: &Value) -> String {
    let text = value.to_string();
    let mut kept: String = text.chars().take(LONGEST).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept.replace(is_hidden, "?")
}

/// Who did it and when, as far as the server knows.
fn by(field: &FieldChange) -> Option<String> {
    match field.foreign() {
        Some(owner) => Some(format!("by {owner}, {}", owner.operation.to_lowercase())),
        None if field.op == FieldOp::Remove => {
            Some("the server does not keep who removed it".to_owned())
        }
        None => None,
    }
}

/// Drift as one JSON document.
#[must_use]
pub fn drift_document(report: &DriftReport<'_>) -> Value {
    let drift: Vec<Row<'_>> = report
        .drift
        .iter()
        .map(|change| (change, Wait::None))
        .collect();
    let mut changes = change_documents(&drift, false, Tense::Drift);
    for change in changes.iter_mut().filter_map(Value::as_object_mut) {
        change.remove("wait");
        change.remove("strategy");
    }
    json!({
        "schemaVersion": SCHEMA_VERSION,
        "app": report.app,
        "namespace": report.namespace,
        "deployed": report.last.map(|last| json!({
            "revision": last.revision,
            "result": last.result,
            "finished": last.finished,
            "commit": last.origin.git_commit,
            "who": last.origin.who,
        })),
        "drift": changes,
        "pending": report.with_project.then(|| change_documents(report.pending, false, Tense::Plan)),
        "notes": report.notes,
        "summary": {
            "drift": report.drift.len(),
            "pending": report.with_project.then_some(report.pending.len()),
            "unchanged": report.unchanged,
        },
    })
}

/// Drift as a comment.
#[must_use]
pub fn drift_comment(report: &DriftReport<'_>) -> Comment {
    let mut head = format!(
        "### {} in {}: {}\n\n",
        report.app,
        code(report.namespace),
        drift_summary(report)
    );
    let last = last(report);
    if !last.is_empty() {
        let _ = writeln!(head, "Compared with {}.\n", escaped(&last));
    }
    for note in report.notes {
        let _ = writeln!(head, "> {}\n", escaped(note));
    }
    let mut rows = String::new();
    for change in report.drift {
        for line in drift_rows(change) {
            rows.push_str(&line);
        }
    }
    let mut comment = diff_comment("", "", report.pending, Tense::Plan);
    if report.pending.is_empty() {
        comment.text.clear();
    } else {
        comment.text = comment.text.replacen("### ", "#### Pending: ", 1);
    }
    if !rows.is_empty() {
        head.push_str("| | object | field | deployed | live | by |\n|---|---|---|---|---|---|\n");
    }
    comment.before(&head, &rows);
    comment
}

fn drift_rows(change: &Change) -> Vec<String> {
    let first = format!(
        "| {} {} | {} |",
        mark(change).1,
        Tense::Drift.word(change.op),
        code(&change.target.to_string())
    );
    if change.fields.is_empty() {
        return vec![format!("{first} | | | {} |\n", escaped(&change.reason))];
    }
    let value = |value: &Option<Value>| value.as_ref().map(|value| code(&short(value)));
    let row = |field: &FieldChange| {
        format!(
            "{first} {} | {} | {} | {} |\n",
            code(&field.path),
            value(&field.before).unwrap_or_default(),
            value(&field.after).unwrap_or_default(),
            escaped(&by(field).unwrap_or_default())
        )
    };
    change.fields.iter().map(row).collect()
}
