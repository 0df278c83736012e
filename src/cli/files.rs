//! Two sets of manifests compared, without a cluster.

use super::stages::{self, Desired};
use super::{Context, Error};
use crate::diff::{self, Change, Masker};
use crate::image::Locks;
use crate::kapp::Field;
use crate::object::{Manifest, ObjectRef, Problem, normalize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Objects by their names.
type Objects = BTreeMap<ObjectRef, Manifest>;

/// One side of a comparison.
pub(super) struct Side {
    objects: Objects,
    /// What the Config documents of kapp among them hide.
    mask: Vec<Field>,
}

/// The changes that turn the old objects into the new ones, in the order of kinds and names. What
/// either side hides is hidden in both.
pub(super) fn changes(old: Side, new: &Side, masker: &Masker) -> Vec<Change> {
    masker.obey(&[old.mask.as_slice(), &new.mask].concat());
    let (mut old, new) = (old.objects, &new.objects);
    for manifest in old.values().chain(new.values()) {
        masker.learn(&manifest.object);
    }
    let mut changes: Vec<Change> = Vec::new();
    for (target, wanted) in new {
        let before = old.remove(target).map(|manifest| manifest.object);
        let (before, after) = (before.as_ref(), Some(&wanted.object));
        changes.push(diff::change(wanted, before, after, masker));
    }
    let gone = old.into_values().map(|manifest| Change {
        source: Some(manifest.source),
        ..diff::removal(&manifest.object, masker)
    });
    changes.extend(gone);
    changes.sort_by(|a, b| a.target.cmp(&b.target));
    changes
}

/// The objects of a file or folder.
pub(super) fn read(path: &Path, context: &Context) -> Result<Side, Error> {
    let mut found = Desired::default();
    // The Configs of kbld among them are no objects.
    let mut locks = Locks::default();
    for file in stages::files_and_configs(&[PathBuf::from(path)], &mut locks)? {
        found.add_file(&file)?;
    }
    side(found, context)
}

/// What is desired by the names of its objects, normalized. One that stands there twice is an error:
/// nobody knows which is meant.
pub(super) fn side(desired: Desired, context: &Context) -> Result<Side, Error> {
    let mut found = Objects::new();
    let mut problems = Vec::new();
    for mut manifest in desired.manifests {
        for warning in normalize(&mut manifest.object) {
            let warning = format!("{}: {warning}", manifest.source);
            context.ui.warning(&warning);
        }
        let target = manifest.object.reference();
        if let Some(first) = found.get(&target) {
            let message = format!("{target} stands already in {}", first.source);
            problems.push(Problem::new(manifest.source, message));
        } else {
            found.insert(target, manifest);
        }
    }
    crate::object::Error::check(problems)?;
    Ok(Side {
        objects: found,
        mask: desired.rules.mask,
    })
}
