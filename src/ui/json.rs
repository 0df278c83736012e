//! The changes as one JSON document, for scripts and policy gates. `spec` of the format: the
//! `diff --format json` section of the command reference.

use crate::diff::{Change, Op};
use crate::plan::Wait;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The version of the document's form.
const SCHEMA_VERSION: u32 = 1;

/// The document that `diff --format json` prints: each change with what a deploy would wait for
/// after it. Objects that do not change are left out unless `noops` asks for them.
#[must_use]
pub fn diff_document<'a>(
    app: &str,
    namespace: &str,
    steps: impl IntoIterator<Item = (&'a Change, Wait)>,
    noops: bool,
) -> Value {
    let mut summary: BTreeMap<&'static str, usize> =
        ["create", "update", "replace", "delete", "noop"]
            .map(|op| (op, 0))
            .into();
    let mut changes = Vec::new();
    for (change, wait) in steps {
        *summary.entry(change.op.word()).or_insert(0) += 1;
        if noops || change.op != Op::Noop {
            changes.push(change_document(change, wait));
        }
    }
    json!({
        "schemaVersion": SCHEMA_VERSION,
        "app": app,
        "namespace": namespace,
        "changes": changes,
        "summary": summary,
    })
}

fn change_document(change: &Change, wait: Wait) -> Value {
    let object = change.desired.as_ref().or(change.live.as_ref());
    json!({
        "op": change.op.word(),
        "object": {
            "apiVersion": object.map(crate::object::Object::api_version),
            "kind": change.target.kind,
            "namespace": change.target.namespace,
            "name": change.target.name,
        },
        "strategy": if change.op == Op::Replace { "replace" } else { "" },
        "wait": match wait {
            Wait::Reconcile => "reconcile",
            Wait::Delete => "delete",
            Wait::None => "none",
        },
        "fields": change.fields,
        "reason": change.reason,
        "source": change.source.as_ref().map(|s| json!({"template": s.file, "line": s.line})),
    })
}
