//! What others did to an object since it was deployed, told apart from what the next deploy would
//! change.
//!
//! The record of a deploy holds digests and no values. Where the manifest is still the one that was
//! applied, its digest says so, and everything that differs is drift. Where both changed, ownership
//! decides: a write by somebody else takes a field from us, so that a field that is still ours has the
//! value it was deployed with.

use super::fields;
use super::shown::shown;
use super::{Change, FieldChange, FieldOp, FieldOwner, Masker, Op};
use crate::object::managed_fields::{self, MANAGER};
use crate::object::{Fingerprint, Object, ObjectRef, desired_digest, fingerprint};
use serde_json::Value;

/// What is known of the last deploy of an object.
#[derive(Clone, Copy, Debug)]
pub struct Deployed<'a> {
    /// What was kept of it; `None` when it was never applied to the end.
    pub fingerprint: Option<&'a Fingerprint>,
    /// Whether the object belongs to the app.
    pub is_member: bool,
    /// The key of the digests.
    pub key: &'a [u8],
    /// When the deploy began, as the server writes times.
    pub began: &'a str,
    /// Whether a controller may set fields that were deployed: an autoscaler the replicas.
    pub yields: bool,
}

/// A change taken apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts {
    /// What others did: `before` is what was deployed, `after` what is live.
    pub drift: Option<Change>,
    /// What the next deploy changes besides undoing that.
    pub pending: Option<Change>,
}

/// Takes what applying a manifest would change apart. The change must have been made as if conflicts
/// were forced.
#[must_use]
pub fn take_apart(change: Change, deployed: Deployed<'_>) -> Parts {
    let same_manifest = |desired: &Object| {
        let kept = deployed.fingerprint;
        kept.is_some_and(|kept| kept.desired == desired_digest(deployed.key, desired))
    };
    match (change.op, &change.desired, &change.live) {
        (Op::Noop | Op::Exists, ..) => Parts::default(),
        (Op::Create, Some(desired), _) if deployed.is_member => Parts {
            drift: Some(gone(&change)),
            pending: (!same_manifest(desired)).then_some(change),
        },
        (Op::Update | Op::Replace, Some(desired), Some(live)) => {
            let Some(kept) = deployed.fingerprint else {
                return pending(change);
            };
            let same_values = fingerprint(deployed.key, desired, live, MANAGER).owned == kept.owned;
            match (same_manifest(desired), same_values) {
                (_, true) => pending(change),
                (true, false) => undone(change),
                (false, false) => mixed(change, deployed),
            }
        }
        _ => pending(change),
    }
}

fn pending(change: Change) -> Parts {
    Parts {
        drift: None,
        pending: Some(change),
    }
}

/// Whether somebody took a field after the deploy.
fn is_taken(field: &FieldChange, began: &str) -> bool {
    let taken = |owner: &FieldOwner| owner.since.is_empty() || owner.since.as_str() >= began;
    field.foreign().is_some_and(taken)
}

/// The drift of an object whose manifest is still the one that was deployed: all that differs.
fn undone(mut change: Change) -> Parts {
    if change.fields.is_empty() {
        return pending(change);
    }
    change.op = Op::Update;
    change.fields = change.fields.into_iter().map(inverted).collect();
    (change.before, change.after) = (None, None);
    change.reason = String::new();
    Parts {
        drift: Some(change),
        pending: None,
    }
}

/// The drift of an object whose manifest changed as well: the fields that others have taken since.
/// What was deployed there is not known.
fn mixed(change: Change, deployed: Deployed<'_>) -> Parts {
    let taken = |field: &&FieldChange| is_taken(field, deployed.began);
    let unknown = |field: &FieldChange| FieldChange {
        op: FieldOp::Replace,
        before: None,
        after: field.before.clone(),
        ..field.clone()
    };
    let fields: Vec<_> = change.fields.iter().filter(taken).map(unknown).collect();
    if fields.is_empty() && deployed.yields {
        return pending(change);
    }
    let reason = if fields.is_empty() {
        "a deployed field was changed or removed; which one is not known, for the manifest changed, too"
    } else {
        "the manifest changed, too: what was deployed here is not known"
    };
    let drift = Change {
        op: Op::Update,
        fields,
        before: None,
        after: None,
        reason: reason.to_owned(),
        ..change.clone()
    };
    Parts {
        drift: Some(drift),
        pending: Some(change),
    }
}

fn inverted(field: FieldChange) -> FieldChange {
    FieldChange {
        op: match field.op {
            FieldOp::Add => FieldOp::Remove,
            FieldOp::Remove => FieldOp::Add,
            FieldOp::Replace => FieldOp::Replace,
        },
        before: field.after,
        after: field.before,
        ..field
    }
}

fn empty(target: &ObjectRef, op: Op, reason: &str) -> Change {
    Change {
        target: target.clone(),
        op,
        desired: None,
        live: None,
        before: None,
        after: None,
        fields: Vec::new(),
        source: None,
        reason: reason.to_owned(),
        is_unsure: false,
        untried: None,
    }
}

fn gone(change: &Change) -> Change {
    Change {
        source: change.source.clone(),
        desired: change.desired.clone(),
        ..missing(&change.target)
    }
}

/// The drift of an object that is no longer there.
#[must_use]
pub fn missing(target: &ObjectRef) -> Change {
    empty(
        target,
        Op::Delete,
        "the server does not keep who deleted it",
    )
}

/// The drift of an object that carries the label of the app and that no deploy has made.
#[must_use]
pub fn added(live: &Object) -> Change {
    let reason = "it carries the label of the app, and no deploy has made it";
    Change {
        live: Some(live.clone()),
        ..empty(&live.reference(), Op::Create, reason)
    }
}

/// The drift of an object whose manifest is not at hand: whether the fields that we own are still as
/// they were left, and if not, what others have written since. What was there before is not known.
/// `scaled` says that an autoscaler may set the replicas.
#[must_use]
pub fn without_manifest(
    live: &Object,
    kept: &Fingerprint,
    key: &[u8],
    scaled: bool,
    masker: &Masker,
) -> Option<Change> {
    if fingerprint(key, live, live, MANAGER).owned == kept.owned {
        return None;
    }
    let fields = written_since(live, masker);
    let replicas = |field: &FieldChange| field.path == "spec.replicas";
    if scaled && !fields.is_empty() && fields.iter().all(replicas) {
        return None;
    }
    let reason = if fields.is_empty() {
        "fields that were deployed are gone; the server does not keep who removed them"
    } else {
        "deployed fields have changed; these are what others have written since, and what was there \
         before is known only with the project at hand"
    };
    Some(Change {
        live: Some(live.clone()),
        fields,
        ..empty(&live.reference(), Op::Update, reason)
    })
}

/// The fields that others wrote after our last apply, with their live values.
fn written_since(live: &Object, masker: &Masker) -> Vec<FieldChange> {
    let entries = managed_fields::entries(live);
    let ours = |entry: &&managed_fields::Entry| {
        entry.manager == MANAGER && entry.operation == "Apply" && entry.subresource.is_empty()
    };
    let applied = entries.iter().find(ours).map(|entry| entry.time.clone());
    let applied = applied.unwrap_or_default();
    let tree = shown(live, masker);
    let later = entries.iter().filter(|entry| {
        !ours(entry)
            && entry.subresource != "status"
            // The server writes down no time for the scale.
            // The server writes whole seconds: what came in the same one may have come after.
            && (entry.time >= applied || entry.time.is_empty())
    });
    let mut found = Vec::new();
    for entry in later {
        let owner = FieldOwner {
            manager: entry.manager.clone(),
            operation: entry.operation.clone(),
            subresource: entry.subresource.clone(),
            since: entry.time.clone(),
        };
        fields::members(&entry.fields, &tree, &mut |path, value: &Value| {
            // What the controllers of Kubernetes keep on their own objects.
            if !path.starts_with("metadata.annotations[deployment.kubernetes.io/") {
                found.push(FieldChange {
                    path,
                    op: FieldOp::Replace,
                    before: None,
                    after: Some(value.clone()),
                    masked: super::mask::is_masked(value),
                    owner: Some(owner.clone()),
                });
            }
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::change;
    use crate::object::{Manifest, Source};
    use serde_json::json;

    const KEY: &[u8] = b"key";

    /// A ConfigMap with our fields and those of another manager, who came later.
    fn live(data: &Value, ours: &[&str], theirs: &[&str]) -> Object {
        let set = |keys: &[&str]| -> Value {
            let keys = keys.iter().map(|key| (format!("f:{key}"), json!({})));
            json!({"f:data": keys.collect::<serde_json::Map<_, _>>()})
        };
        Object::new(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "managedFields": [
            {"manager": "windlass", "operation": "Apply", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z", "fieldsV1": set(ours)},
            {"manager": "edit", "operation": "Update", "apiVersion": "v1", "time": "2026-01-02T00:00:00Z", "fieldsV1": set(theirs)}]},
            "data": data})).unwrap()
    }

    fn desired(data: &Value) -> Manifest {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data});
        let source = Source {
            file: "t.yaml".to_owned(),
            line: 1,
        };
        Manifest {
            object: Object::new(object).unwrap(),
            source,
        }
    }

    fn masker() -> Masker {
        Masker::new([1; 32], false)
    }

    /// What was deployed, what is live and what is desired now, taken apart.
    fn apart(deployed: (&Value, &Object), live: Option<&Object>, now: &Manifest) -> String {
        let kept = fingerprint(KEY, &desired(deployed.0).object, deployed.1, MANAGER);
        let parts = take_apart(
            change(now, live, None, &masker()),
            Deployed {
                fingerprint: Some(&kept),
                is_member: true,
                key: KEY,
                began: "2026-01-01T00:00:00.5Z",
                yields: false,
            },
        );
        let told = |name: &str, change: Option<Change>| {
            change.map(|change| {
                let fields = change
                    .fields
                    .iter()
                    .map(|field| serde_json::to_string(field).unwrap() + "\n");
                format!(
                    "{name}: {};{}\n{}",
                    change.op.word(),
                    if change.reason.is_empty() {
                        String::new()
                    } else {
                        format!(" {}", change.reason)
                    },
                    fields.collect::<String>()
                )
            })
        };
        [told("drift", parts.drift), told("pending", parts.pending)]
            .into_iter()
            .flatten()
            .collect()
    }

    #[test]
    fn all_is_drift_while_the_manifest_is_the_deployed_one() {
        let (old, edited) = (json!({"a": "1", "b": "1"}), json!({"a": "2"}));
        let deployed = live(&old, &["a", "b"], &[]);
        let now = live(&edited, &["b"], &["a"]);
        insta::assert_snapshot!(apart((&old, &deployed), Some(&now), &desired(&old)), @r#"
        drift: update;
        {"path":"data.a","op":"replace","before":"1","after":"2","masked":false,"manager":"edit","operation":"Update","since":"2026-01-02T00:00:00Z"}
        {"path":"data.b","op":"remove","before":"1","masked":false}
        "#);
        insta::assert_snapshot!(apart((&old, &deployed), None, &desired(&old)), @"drift: delete; the server does not keep who deleted it");
    }

    #[test]
    fn all_is_pending_while_the_values_are_the_deployed_ones() {
        let old = json!({"a": "1"});
        let deployed = live(&old, &["a"], &[]);
        let next = desired(&json!({"a": "2"}));
        insta::assert_snapshot!(apart((&old, &deployed), Some(&deployed), &next), @r#"
        pending: update;
        {"path":"data.a","op":"replace","before":"1","after":"2","masked":false,"manager":"windlass","operation":"Apply","since":"2026-01-01T00:00:00Z"}
        "#);
        assert_eq!(
            apart((&old, &deployed), Some(&deployed), &desired(&old)),
            ""
        );
    }

    #[test]
    fn ownership_tells_drift_where_both_changed() {
        let old = json!({"a": "1", "b": "1"});
        let deployed = live(&old, &["a", "b"], &[]);
        let now = live(&json!({"a": "9", "b": "1"}), &["b"], &["a"]);
        let next = desired(&json!({"a": "1", "b": "2"}));
        insta::assert_snapshot!(apart((&old, &deployed), Some(&now), &next), @r#"
        drift: update; the manifest changed, too: what was deployed here is not known
        {"path":"data.a","op":"replace","after":"9","masked":false,"manager":"edit","operation":"Update","since":"2026-01-02T00:00:00Z"}
        pending: update;
        {"path":"data.a","op":"replace","before":"9","after":"1","masked":false,"manager":"edit","operation":"Update","since":"2026-01-02T00:00:00Z"}
        {"path":"data.b","op":"replace","before":"1","after":"2","masked":false,"manager":"windlass","operation":"Apply","since":"2026-01-01T00:00:00Z"}
        "#);
    }

    #[test]
    fn without_a_manifest_later_writers_are_told() {
        let old = live(&json!({"a": "1"}), &["a"], &[]);
        let kept = fingerprint(KEY, &old, &old, MANAGER);
        assert_eq!(without_manifest(&old, &kept, KEY, false, &masker()), None);
        let now = live(&json!({"a": "2"}), &[], &["a"]);
        let found = without_manifest(&now, &kept, KEY, false, &masker()).unwrap();
        insta::assert_snapshot!(serde_json::to_string(&found.fields).unwrap(), @r#"[{"path":"data.a","op":"replace","after":"2","masked":false,"manager":"edit","operation":"Update","since":"2026-01-02T00:00:00Z"}]"#);
        let gone = live(&json!({}), &["a"], &[]);
        let found = without_manifest(&gone, &kept, KEY, false, &masker()).unwrap();
        insta::assert_snapshot!(found.reason, @"deployed fields have changed; these are what others have written since, and what was there before is known only with the project at hand");
    }
}
