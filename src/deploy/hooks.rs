//! Helm's hooks: which of them run this time, and which are kept for the deletion of the app.

use super::found::Found;
use crate::diff::{self, Change, Masker};
use crate::inventory::Parent;
use crate::object::{Manifest, Object, ObjectRef, Source};
use crate::plan::{Phase, hook};
use serde_json::Value;
use std::collections::BTreeSet;

/// The hooks to be kept for the deletion of the app, when the chart may no longer be at hand, and
/// warnings about those that cannot be: Secrets are not kept in a record, and a record has little room.
pub(super) fn of_deletion(hooks: &[Manifest]) -> (Vec<Value>, Vec<String>) {
    const MOST_BYTES: usize = 64 << 10;
    let (mut kept, mut warnings) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    for manifest in hooks {
        let object = &manifest.object;
        if hook::of(object).is_none_or(|hook| hook::moment(&hook, Phase::Delete).is_none()) {
            continue;
        }
        bytes += object.tree().to_string().len();
        if object.kind() == "Secret" || bytes > MOST_BYTES {
            let why = if object.kind() == "Secret" {
                "a Secret is not kept for that"
            } else {
                "all of them together are too large to be kept for that"
            };
            let target = object.reference();
            warnings.push(format!(
                "{}: hook {target} will not run when the app is deleted: {why}",
                manifest.source
            ));
        } else {
            kept.push(object.tree().clone());
        }
    }
    (kept, warnings)
}

/// The hooks that run when an app is deleted, and their changes.
pub(super) fn deletion(
    parent: &Parent,
    found: &Found,
    masker: &Masker,
) -> (BTreeSet<ObjectRef>, Vec<Change>) {
    let source = Source {
        file: "the record".to_owned(),
        line: 1,
    };
    let kept = parent.record.hooks.iter().cloned();
    let manifests = kept.filter_map(Object::new).map(|object| Manifest {
        object,
        source: source.clone(),
    });
    let (mut changes, first) = again(manifests.collect(), found, masker);
    changes.extend(first.iter().map(|manifest| {
        let live = found.objects.get(&manifest.object.reference());
        diff::change(manifest, live, None, masker).running()
    }));
    let targets = changes.iter().map(|change| change.target.clone()).collect();
    (targets, changes)
}

/// Hooks that run now. Without any other change there is no reason to run them: one that ran stays
/// as it is.
pub(super) fn running(mut hooks: Vec<Manifest>, phase: Phase, active: bool) -> Vec<Manifest> {
    hooks.retain(|manifest| active && hook::takes_part(&manifest.object, phase));
    hooks
}

/// The changes of hooks that ran before and are deleted before they run again, unless they say
/// otherwise; and the hooks that are left.
pub(super) fn again(
    hooks: Vec<Manifest>,
    found: &Found,
    masker: &Masker,
) -> (Vec<Change>, Vec<Manifest>) {
    let (mut changes, mut left) = (Vec::new(), Vec::new());
    for manifest in hooks {
        let goes = hook::of(&manifest.object).is_some_and(|hook| {
            hook.delete
                .contains(&hook::DeletePolicy::BeforeHookCreation)
        });
        match found.objects.get(&manifest.object.reference()) {
            Some(live) if goes => {
                changes.push(diff::rerun(&manifest, live, masker));
            }
            _ => left.push(manifest),
        }
    }
    (changes, left)
}
