//! The bytes of an ImagesLock, by which imgpkg copies the images of a bundle.
//!
//! The form is what kbld's `--imgpkg-lock-output` writes (`pkg/kbld/cmd/lock_output.go`).

use super::text::yaml_text;
use crate::image::config::{
    IMAGES_LOCK, IMAGES_LOCK_ID, IMAGES_LOCK_ORIGINS, IMAGES_LOCK_VERSIONS,
};
use crate::image::{Error, Locks, Override, is_locked};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The ImagesLock of the images of manifests, each with the image that stands for it: of the fresh
/// entries, else of the locks. An image with a digest of its own stands for itself; one that nothing
/// locks is left out.
///
/// # Errors
///
/// [`Error::Unsupported`] when origins hold something that YAML cannot write.
pub fn images_lock(
    images: &BTreeSet<&str>,
    fresh: &[Override],
    locks: &Locks,
) -> Result<String, Error> {
    let mut entries = Vec::new();
    for &image in images {
        let fresh = fresh.iter().filter(|entry| entry.preresolved);
        let mut known = fresh.chain(locks.find(image).filter(|entry| entry.preresolved));
        match known.find(|entry| entry.matcher.matches(image)) {
            Some(entry) => entries.push(entry_json(image, entry)?),
            None if is_locked(image, None) => {
                let annotations = json!({ IMAGES_LOCK_ID: image });
                entries.push(json!({ "annotations": annotations, "image": image }));
            }
            None => {}
        }
    }
    yaml_text(&json!({
        "apiVersion": IMAGES_LOCK_VERSIONS[0],
        "images": entries,
        "kind": IMAGES_LOCK,
    }))
}

fn entry_json(image: &str, entry: &Override) -> Result<Value, Error> {
    let mut annotations = Map::new();
    annotations.insert(IMAGES_LOCK_ID.to_owned(), image.into());
    if let Some(origins) = &entry.origins {
        let text = yaml_text(origins)?;
        annotations.insert(IMAGES_LOCK_ORIGINS.to_owned(), text.into());
    }
    Ok(json!({ "annotations": annotations, "image": entry.new_image }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::read;

    const DIGEST: &str = "sha256:f798cfd4c6a6a1d1d1e2d3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";

    #[test]
    fn it_names_every_locked_image_and_reads_back() {
        let mut locks = Locks::default();
        let lock = format!(
            "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\noverrides:\n\
             - {{image: 'web:1', newImage: 'a.io/web@{DIGEST}', preresolved: true, origins: [{{resolved: {{tag: '1', url: 'web:1'}}}}]}}\n\
             - {{image: renamed, newImage: 'a.io/other:2'}}\n"
        );
        locks.add("lock.yml", lock.as_bytes()).unwrap();
        let own = format!("a.io/own@{DIGEST}");
        let images = BTreeSet::from(["web:1", "renamed", "new:3", own.as_str()]);
        let fresh = [super::super::locked("new:3", &format!("a.io/new@{DIGEST}"))];
        let text = images_lock(&images, &fresh, &locks).unwrap();
        assert_eq!(
            text,
            format!(
                "apiVersion: imgpkg.carvel.dev/v1alpha1\nimages:\n\
                 - annotations:\n    kbld.carvel.dev/id: a.io/own@{DIGEST}\n  image: a.io/own@{DIGEST}\n\
                 - annotations:\n    kbld.carvel.dev/id: new:3\n  image: a.io/new@{DIGEST}\n\
                 - annotations:\n    kbld.carvel.dev/id: web:1\n    kbld.carvel.dev/origins: |\n      \
                 - resolved:\n          tag: \"1\"\n          url: web:1\n  image: a.io/web@{DIGEST}\n\
                 kind: ImagesLock\n"
            )
        );
        assert_eq!(
            read::lock("i.yml", text.as_bytes())
                .unwrap()
                .overrides
                .len(),
            3
        );
    }
}
