//! The changes as one JSON document, for scripts and policy gates. `spec` of the format: the
//! `diff --format json` section of the command reference.

use super::row::{Row, Tense};
use crate::diff::{Change, Op, Untried, concerns};
use crate::object::Object;
use crate::plan::Wait;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The version of the document's form.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// How many of the objects that are created or replaced are hooks that run.
const HOOKS: &str = "hooks";

/// The document that `diff --format json` prints: each change with what a deploy would wait for
/// after it. Objects that do not change are left out unless `noops` asks for them.
#[must_use]
pub fn diff_document(app: &str, namespace: &str, rows: &[Row<'_>], noops: bool) -> Value {
    let mut summary: BTreeMap<&'static str, usize> =
        ["create", "update", "replace", "delete", "noop", HOOKS]
            .map(|op| (op, 0))
            .into();
    for (change, _) in rows {
        *summary.entry(change.op.word()).or_insert(0) += 1;
        *summary.entry(HOOKS).or_insert(0) += usize::from(change.is_run());
    }
    json!({
        "schemaVersion": SCHEMA_VERSION,
        "app": app,
        "namespace": namespace,
        "changes": change_documents(rows, noops, Tense::Plan),
        "summary": summary,
    })
}

/// The changes of a document.
pub(super) fn change_documents(rows: &[Row<'_>], noops: bool, tense: Tense) -> Vec<Value> {
    let documents = documents(rows);
    rows.iter()
        .filter(|(change, _)| noops || change.op != Op::Noop)
        .map(|(change, wait)| change_document(change, *wait, tense, &documents))
        .collect()
}

/// The lines that documents of each template begin at.
type Documents<'a> = BTreeMap<&'a str, BTreeSet<usize>>;

fn documents<'a>(rows: &[Row<'a>]) -> Documents<'a> {
    let mut found = Documents::new();
    for source in rows.iter().filter_map(|(change, _)| change.source.as_ref()) {
        found.entry(&source.file).or_default().insert(source.line);
    }
    found
}

fn change_document(change: &Change, wait: Wait, tense: Tense, documents: &Documents<'_>) -> Value {
    let object = change.desired.as_ref().or(change.live.as_ref());
    // Counts from 1 over the objects of the template.
    let document = |file: &str, line: usize| {
        let lines = documents.get(file);
        lines.map_or(1, |lines| lines.range(..line).count() + 1)
    };
    json!({
        "op": tense.word(change.op),
        "object": {
            "apiVersion": object.map(Object::api_version),
            "kind": change.target.kind,
            "namespace": change.target.namespace,
            "name": change.target.name,
        },
        "strategy": change.strategy(),
        "wait": match wait {
            Wait::Reconcile => "reconcile",
            Wait::Delete => "delete",
            Wait::None => "none",
        },
        "labels": concerns(change),
        "fields": change.fields,
        "reason": change.why(),
        "hook": change.is_run(),
        // Why the change is a guess, which the server was not asked about.
        "untried": change.untried.map(Untried::words),
        "source": change.source.as_ref().map(|source| json!({
            "template": source.file,
            "document": document(&source.file, source.line),
            "line": source.line,
        })),
    })
}
