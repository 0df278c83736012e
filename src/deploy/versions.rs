//! Gives versioned objects their names: that of the newest version as long as it is what is desired,
//! else the next one.

use super::Error;
use super::trial::{Trials, Tried, Trouble, raise};
use crate::diff::{self, Change, Masker, Op};
use crate::inventory::Parent;
use crate::kapp::{self, Versioned};
use crate::object::{Fingerprint, Manifest, Object, ObjectRef};
use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::HashMap;

/// Versioned objects under their names.
#[derive(Default)]
pub(super) struct Versions {
    /// The objects as they are desired.
    pub(super) manifests: Vec<Manifest>,
    /// What becomes of them.
    pub(super) tried: Tried,
    /// Their names, for those who speak of them.
    pub(super) names: Vec<Versioned>,
}

/// One of them.
struct Settled {
    manifest: Manifest,
    change: Change,
    fingerprint: Option<Fingerprint>,
    forced: bool,
    name: Versioned,
}

impl Trials<'_> {
    /// Settles versioned objects, those first that others name.
    pub(super) async fn versions(
        &self,
        parent: &Parent,
        mut pending: Vec<Manifest>,
        now: Timestamp,
    ) -> Result<Versions, Error> {
        let kept = parent.record.fingerprints();
        let key = parent.record.key();
        let mut versions = Versions::default();
        while !pending.is_empty() {
            let ready = kapp::ready(&pending, &self.rules.template);
            let (mut begin, mut later) = (Vec::new(), Vec::new());
            for (index, mut manifest) in std::mem::take(&mut pending).into_iter().enumerate() {
                if ready.contains(&index) {
                    let rules = &self.rules.template;
                    kapp::rewrite(&mut manifest.object, &versions.names, rules);
                    begin.push(manifest);
                } else {
                    later.push(manifest);
                }
            }
            let settled: Vec<_> = stream::iter(begin)
                .map(|manifest| self.settle(manifest, &kept, key, now))
                .buffered(self.concurrency.max(1))
                .collect()
                .await;
            for settled in raise(settled)? {
                if settled.forced {
                    let target = settled.change.target.clone();
                    versions.tried.forced.insert(target);
                }
                let print = settled.fingerprint;
                let named = print.map(|print| (settled.change.target.clone(), print));
                versions.tried.fingerprints.extend(named);
                versions.tried.changes.push(settled.change);
                versions.manifests.push(settled.manifest);
                versions.names.push(settled.name);
            }
            pending = later;
        }
        Ok(versions)
    }

    async fn settle(
        &self,
        base: Manifest,
        kept: &HashMap<&ObjectRef, &Fingerprint>,
        key: &[u8],
        now: Timestamp,
    ) -> Result<Settled, Trouble> {
        let live = kapp::versions(&base.object.reference(), &self.found.objects);
        let mut next = 1;
        let mut differs = None;
        if let Some((number, newest)) = live.last() {
            let mut manifest = named(&base, *number);
            kapp::renew(&mut manifest.object, newest, now);
            kapp::rebase(&mut manifest.object, newest, self.rules);
            next = number.saturating_add(1);
            differs = Some((newest.name().to_owned(), None));
            match self.change(&manifest, true, kept, key).await {
                Ok((change, fingerprint, forced)) if is_same(&change) => {
                    return Ok(Settled {
                        fingerprint,
                        forced,
                        ..settled(&base, manifest, change)
                    });
                }
                Ok((change, ..)) => differs = Some((newest.name().to_owned(), Some(change))),
                Err(Trouble::Stop(error)) => return Err(Trouble::Stop(error)),
                // It cannot become the desired one, or somebody else changed it.
                Err(Trouble::Refused(_) | Trouble::Contested(_)) => {}
            }
        }
        let manifest = self.unused(&base, next).await?;
        let mut change = self.creation(&manifest, true).await?;
        if let Some((newest, differs)) = differs {
            change.reason = format!("{newest} differs");
            if let Some(differs) = differs {
                change.before = differs.before;
                change.after = differs.after;
                change.fields = differs.fields;
            }
        }
        Ok(settled(&base, manifest, change))
    }

    /// The object under the first name from a version on that nobody has.
    async fn unused(&self, base: &Manifest, mut version: u64) -> Result<Manifest, Trouble> {
        let kind = self.discovery.find(&base.object.gvk());
        loop {
            let manifest = named(base, version);
            let Some(kind) = kind else {
                return Ok(manifest);
            };
            let target = manifest.object.reference();
            let found = self.cluster.get_as(kind, &target).await;
            if found.map_err(Trouble::Stop)?.is_none() {
                return Ok(manifest);
            }
            version = version.saturating_add(1);
        }
    }
}

/// Whether the newest version is what is desired, whoever owns it and its fields.
fn is_same(change: &Change) -> bool {
    let content = |shown: &Option<Value>| {
        let mut tree = shown.clone().unwrap_or_default();
        for field in ["labels", "annotations"] {
            let Some(metadata) = tree.get_mut("metadata").and_then(Value::as_object_mut) else {
                continue;
            };
            if let Some(map) = metadata.get_mut(field).and_then(Value::as_object_mut) {
                map.retain(|key, _| !is_mark(key));
                if map.is_empty() {
                    metadata.remove(field);
                }
            }
        }
        tree
    };
    match change.op {
        Op::Noop => true,
        Op::Update => content(&change.before) == content(&change.after),
        _ => false,
    }
}

/// Whether a label or an annotation says whose an object is.
fn is_mark(key: &str) -> bool {
    ["applyset.kubernetes.io/", "kapp.k14s.io/"]
        .iter()
        .any(|domain| key.starts_with(domain))
        && !key.starts_with("kapp.k14s.io/nonce")
}

fn named(base: &Manifest, version: u64) -> Manifest {
    let mut manifest = base.clone();
    let name = kapp::version_name(base.object.name(), version);
    manifest.object.tree_mut()["metadata"]["name"] = name.into();
    manifest
}

fn settled(base: &Manifest, manifest: Manifest, change: Change) -> Settled {
    let name = Versioned {
        object: base.object.clone(),
        name: manifest.object.name().to_owned(),
    };
    Settled {
        manifest,
        change,
        fingerprint: None,
        forced: false,
        name,
    }
}

/// What removing an object makes of it; of an old version of a wanted object it says so.
pub(super) fn removal(live: &Object, versioned: &[Manifest], masker: &Masker) -> Change {
    let mut change = diff::removal(live, masker);
    let base = kapp::base_name(live.name()).map(|(base, _)| base);
    let is_version = |manifest: &Manifest| {
        let target = manifest.object.reference();
        Some(target.name.as_str()) == base
            && (&target.group, &target.kind, &target.namespace)
                == (
                    &change.target.group,
                    &change.target.kind,
                    &change.target.namespace,
                )
    };
    let is_outdated = kapp::is_versioned(live) && versioned.iter().any(is_version);
    if change.op == Op::Delete {
        let reason = if is_outdated {
            "newer versions took its place"
        } else {
            "no longer rendered"
        };
        reason.clone_into(&mut change.reason);
    }
    change
}
