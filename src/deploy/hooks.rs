//! Helm's hooks: which of them run this time, and which are kept for the deletion of the app.

use super::Error;
use super::found::Found;
use super::prepare::namespace_ref;
use crate::cluster::{self, Cluster};
use crate::diff::{self, Change, Masker};
use crate::inventory::Parent;
use crate::object::{Manifest, Object, ObjectRef, Source};
use crate::plan::{Phase, hook};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

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

/// The hooks that run when an app is deleted; and a sentence about each that cannot, since its
/// namespace is gone or goes.
pub(super) async fn with_a_place(
    cluster: &Cluster,
    parent: &Parent,
) -> Result<(Vec<Object>, Vec<String>), Error> {
    let all = parent.record.hooks.iter().cloned();
    let (mut hooks, mut warnings) = (Vec::new(), Vec::new());
    let mut there: BTreeMap<String, bool> = BTreeMap::new();
    for hook in all.filter_map(Object::new) {
        let name = hook.namespace().unwrap_or_default().to_owned();
        if !name.is_empty() && !there.contains_key(&name) {
            let is_there = match cluster.get(&namespace_ref(&name)).await {
                Ok(found) => found.is_some_and(|live| !live.is_going()),
                // Whoever may not read it learns it from the first write.
                Err(cluster::Error::Forbidden { .. }) => true,
                Err(error) => return Err(error.into()),
            };
            there.insert(name.clone(), is_there);
        }
        if there.get(&name) == Some(&false) {
            let target = hook.reference();
            warnings.push(format!(
                "hook {target} does not run: namespace `{name}` is gone or being deleted"
            ));
        } else {
            hooks.push(hook);
        }
    }
    Ok((hooks, warnings))
}

/// The hooks that run when an app is deleted, and their changes.
pub(super) fn deletion(
    hooks: Vec<Object>,
    found: &Found,
    masker: &Masker,
) -> (BTreeSet<ObjectRef>, Vec<Change>) {
    let source = Source {
        file: "the record".to_owned(),
        line: 1,
    };
    let manifests = hooks.into_iter().map(|object| Manifest {
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
