//! `diff --files`: two manifest files or folders compared, without a cluster.

use super::{Context, Error, stages};
use crate::diff::{self, Change, Masker};
use crate::image::Locks;
use crate::object::{Manifest, ObjectRef, Problem, manifest, normalize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The changes that turn the old manifests into the new ones, in the order of kinds and names.
pub(super) fn changes(
    old: &Path,
    new: &Path,
    masker: &Masker,
    context: &Context,
) -> Result<Vec<Change>, Error> {
    let (mut old, new) = (read(old, context)?, read(new, context)?);
    for manifest in old.values().chain(new.values()) {
        masker.learn(&manifest.object);
    }
    let mut changes: Vec<Change> = Vec::new();
    for (target, wanted) in &new {
        let before = old.remove(target).map(|manifest| manifest.object);
        changes.push(diff::change(
            wanted,
            before.as_ref(),
            Some(&wanted.object),
            masker,
        ));
    }
    let gone = old.values();
    changes.extend(gone.map(|manifest| diff::removal(&manifest.object, masker)));
    changes.sort_by(|a, b| a.target.cmp(&b.target));
    Ok(changes)
}

/// The objects of a file or folder. One that stands there twice is an error: nobody knows which is
/// meant.
fn read(path: &Path, context: &Context) -> Result<BTreeMap<ObjectRef, Manifest>, Error> {
    let mut found: BTreeMap<ObjectRef, Manifest> = BTreeMap::new();
    let mut problems = Vec::new();
    // The Configs of kbld among them are no objects.
    let mut locks = Locks::default();
    for file in stages::files_and_configs(&[PathBuf::from(path)], &mut locks)? {
        for mut manifest in manifest::parse(&file.text, file.lines())? {
            for warning in normalize(&mut manifest.object) {
                context
                    .ui
                    .warning(&format!("{}: {warning}", manifest.source));
            }
            let target = manifest.object.reference();
            if let Some(first) = found.get(&target) {
                let message = format!("{target} stands already in {}", first.source);
                problems.push(Problem::new(manifest.source, message));
            } else {
                found.insert(target, manifest);
            }
        }
    }
    crate::object::Error::check(problems)?;
    Ok(found)
}
