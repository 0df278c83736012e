//! Making and writing lock files: which images still need a registry, and the file's bytes.

mod images_lock;
mod origin;
mod plan;
mod text;

pub use images_lock::images_lock;
pub use origin::{origins, question};
pub use plan::{Basis, Plan, plan, unused};
pub use text::text;

use super::{Error, ImageMatcher, Override};
use crate::file::{self, Kind};
use std::path::Path;

/// The entry that locks an image to a reference with digest.
#[must_use]
pub fn locked(image: &str, new_image: &str) -> Override {
    let matcher = ImageMatcher::Image(image.to_owned());
    Override::locked(matcher, new_image.to_owned())
}

/// Writes a lock file ([`Kind::Kept`]). `false` when the file has these bytes already.
///
/// # Errors
///
/// [`Error::Write`] with the path.
pub fn write(path: &Path, text: &str) -> Result<bool, Error> {
    if path.is_file() && std::fs::read(path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(false);
    }
    let wrong = |source| Error::Write {
        path: path.to_owned(),
        source,
    };
    file::write(path, Kind::Kept, text.as_bytes()).map_err(wrong)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_and_only_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("locks/app.lock.yml");
        assert!(write(&path, "a\n").unwrap());
        assert!(!write(&path, "a\n").unwrap());
        assert!(write(&path, "b\n").unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "b\n");
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1
        );
        let error = write(&path.join("below"), "c").unwrap_err().to_string();
        assert!(error.starts_with("write lock "), "{error}");
    }
}
