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
use std::io::Write as _;
use std::path::Path;

/// The entry that locks an image to a reference with digest.
#[must_use]
pub fn locked(image: &str, new_image: &str) -> Override {
    let matcher = ImageMatcher::Image(image.to_owned());
    Override::locked(matcher, new_image.to_owned())
}

/// Writes a lock file in one step: readers see the old file or the new one. The folder is made when
/// it is missing. `false` when the file has these bytes already.
///
/// # Errors
///
/// [`Error::Write`] with the path.
pub fn write(path: &Path, text: &str) -> Result<bool, Error> {
    let wrong = |source| Error::Write {
        path: path.to_owned(),
        source,
    };
    // A link is kept: its target is replaced.
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    // A device such as `/dev/null` is written to, never replaced.
    if target.metadata().is_ok_and(|data| !data.is_file()) {
        return std::fs::write(&target, text).map(|()| true).map_err(wrong);
    }
    let old = std::fs::read(&target).ok();
    if old.as_deref() == Some(text.as_bytes()) {
        return Ok(false);
    }
    let folder = target
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(wrong)?;
    }
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let temporary = target.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = (|| {
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(text.as_bytes())?;
        if let Ok(metadata) = std::fs::metadata(&target) {
            file.set_permissions(metadata.permissions())?;
        }
        file.sync_all()?;
        std::fs::rename(&temporary, &target)
    })();
    if written.is_err() {
        // The first error tells more than that of cleaning up.
        drop(std::fs::remove_file(&temporary));
    }
    written.map(|()| true).map_err(wrong)
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
