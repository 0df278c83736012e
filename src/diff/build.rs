//! Makes the change of one object from what is desired, what is live and what the server predicts.

use super::mask::Masker;
use super::shown::{cleaned, shown, shown_pair};
use super::{Change, Op, fields};
use crate::object::managed_fields::{self, MANAGER};
use crate::object::{Manifest, Object};
use serde_json::Value;

/// The change that applying a manifest makes.
///
/// `predicted` is the answer of a server-side dry run; without it the object is taken to become the
/// live one with the desired fields laid over. It is a no-op where the prediction equals the live
/// object in everything but what the server keeps for itself; where only the ownership of fields
/// changes it is an update without fields, with the reason said. The annotations
/// `kapp.k14s.io/exists`, `noop` and `update-strategy` are obeyed.
#[must_use]
pub fn change(
    manifest: &Manifest,
    live: Option<&Object>,
    predicted: Option<&Object>,
    masker: &Masker,
) -> Change {
    let desired = &manifest.object;
    let mut change = Change {
        target: desired.reference(),
        op: Op::Noop,
        desired: Some(desired.clone()),
        live: live.cloned(),
        before: None,
        after: None,
        fields: Vec::new(),
        source: Some(manifest.source.clone()),
        reason: String::new(),
    };
    if let Some((op, reason)) = by_annotation(desired, live) {
        change.op = op;
        reason.clone_into(&mut change.reason);
        return change;
    }
    let Some(live) = live else {
        change.op = Op::Create;
        change.after = Some(shown(predicted.unwrap_or(desired), masker));
        return change;
    };
    let merged = predicted.is_none().then(|| overlay(live, desired));
    let after = predicted.or(merged.as_ref()).unwrap_or(desired);
    if cleaned(live) == cleaned(after) {
        if takes_ownership(live, after) {
            change.op = Op::Update;
            "only the ownership of fields changes".clone_into(&mut change.reason);
        }
        return change;
    }
    change.op = match desired.annotation("kapp.k14s.io/update-strategy") {
        Some("always-replace") => {
            "kapp.k14s.io/update-strategy: always-replace".clone_into(&mut change.reason);
            Op::Replace
        }
        _ => Op::Update,
    };
    show_both(&mut change, live, after, masker);
    change
}

/// The change of an object that nothing is done to: what [`super::verdict`] decided locally.
#[must_use]
pub fn unchanged(manifest: &Manifest, live: &Object) -> Change {
    Change {
        target: manifest.object.reference(),
        op: Op::Noop,
        desired: Some(manifest.object.clone()),
        live: Some(live.clone()),
        before: None,
        after: None,
        fields: Vec::new(),
        source: Some(manifest.source.clone()),
        reason: String::new(),
    }
}

/// The change of an object that must be deleted and created again, with the reason
/// (`spec.selector is immutable`). `predicted` is the answer of a dry-run create, where there is
/// one.
#[must_use]
pub fn replace(
    manifest: &Manifest,
    live: &Object,
    predicted: Option<&Object>,
    reason: &str,
    masker: &Masker,
) -> Change {
    let mut change = unchanged(manifest, live);
    change.op = Op::Replace;
    reason.clone_into(&mut change.reason);
    let merged = predicted.is_none().then(|| overlay(live, &manifest.object));
    let after = predicted.or(merged.as_ref()).unwrap_or(&manifest.object);
    show_both(&mut change, live, after, masker);
    change
}

/// The change of a live object that is no longer wanted: a delete, or a keep when the live object
/// asks for it (`helm.sh/resource-policy: keep`, `kapp.k14s.io/delete-strategy: orphan`).
#[must_use]
pub fn removal(live: &Object, masker: &Masker) -> Change {
    let policy = [
        ("helm.sh/resource-policy", "keep"),
        ("kapp.k14s.io/delete-strategy", "orphan"),
    ]
    .into_iter()
    .find(|(key, value)| {
        live.annotation(key)
            .is_some_and(|found| found.trim() == *value)
    });
    Change {
        target: live.reference(),
        op: if policy.is_some() {
            Op::Keep
        } else {
            Op::Delete
        },
        desired: None,
        live: Some(live.clone()),
        before: Some(shown(live, masker)),
        after: None,
        fields: Vec::new(),
        source: None,
        reason: policy
            .map(|(key, value)| format!("{key}: {value}"))
            .unwrap_or_default(),
    }
}

fn by_annotation(desired: &Object, live: Option<&Object>) -> Option<(Op, &'static str)> {
    if desired.annotation("kapp.k14s.io/noop").is_some() {
        return Some((Op::Noop, "kapp.k14s.io/noop"));
    }
    if desired.annotation("kapp.k14s.io/exists").is_some() {
        let op = if live.is_some() { Op::Noop } else { Op::Exists };
        return Some((op, "kapp.k14s.io/exists"));
    }
    let skip = desired.annotation("kapp.k14s.io/update-strategy") == Some("skip");
    (skip && live.is_some()).then_some((Op::Noop, "kapp.k14s.io/update-strategy: skip"))
}

fn show_both(change: &mut Change, live: &Object, after: &Object, masker: &Masker) {
    let (before, after) = shown_pair(live, after, masker);
    let covers = |path: &[&str]| masker.covers(live, path);
    change.fields = fields::fields(&before, &after, &managed_fields::entries(live), &covers);
    change.before = Some(before);
    change.after = Some(after);
}

/// Whether a dry run says that our manager owns other fields afterwards.
fn takes_ownership(live: &Object, predicted: &Object) -> bool {
    let Some(after) = managed_fields::applied_by(predicted, MANAGER) else {
        return false;
    };
    managed_fields::applied_by(live, MANAGER).is_none_or(|before| before != after)
}

/// The live object with the desired fields laid over it: maps are merged, lists whose items have
/// names too, everything else is replaced. A guess for want of a dry run.
fn overlay(live: &Object, desired: &Object) -> Object {
    let mut tree = live.tree().clone();
    lay_over(&mut tree, desired.tree());
    Object::new(tree).unwrap_or_else(|| desired.clone())
}

fn lay_over(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                lay_over(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(base), Value::Array(over)) => {
            let old = std::mem::take(base);
            for item in over {
                let same = item
                    .get("name")
                    .and_then(|name| old.iter().find(|other| other.get("name") == Some(name)));
                let mut merged = same.cloned().unwrap_or(Value::Null);
                lay_over(&mut merged, item);
                base.push(merged);
            }
        }
        (base, over) => *base = over.clone(),
    }
}
