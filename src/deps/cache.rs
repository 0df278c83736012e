//! Archives by their digest, shared by all projects and processes of a user.
//!
//! A file is named by its content, written aside and put into place whole, and hashed on every read: whoever wrote
//! it, a wrong one is as good as none.

use super::stage;
use crate::image::Digest;
use std::path::PathBuf;
use std::time::SystemTime;

/// How many bytes the cache holds at most.
const MAX_TOTAL: u64 = 1 << 30;

/// A folder of archives; without one, nothing is kept.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    /// Where the archives are.
    pub folder: Option<PathBuf>,
}

impl Cache {
    /// The archive with this digest.
    #[must_use]
    pub fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        let path = self.path(digest)?;
        let file = stage::read(&path)?;
        if Digest::of(&file) == *digest {
            return Some(file);
        }
        // It can only do harm; when it cannot be removed, it is still not used.
        drop(std::fs::remove_file(path));
        None
    }

    /// Keeps an archive. That it cannot be kept is no failure: it is fetched again then.
    pub fn put(&self, digest: &Digest, file: &[u8]) {
        if let Some(path) = self.path(digest)
            && !path.exists()
        {
            drop(stage::write(&path, file));
        }
    }

    /// Makes room, after archives were added.
    pub fn tidy(&self) {
        self.shrink(MAX_TOTAL);
    }

    fn path(&self, digest: &Digest) -> Option<PathBuf> {
        let name = digest.as_str().replace(':', "-");
        Some(self.folder.as_ref()?.join(format!("{name}.tgz")))
    }

    /// Removes what runs that were killed left, and the files that were written first until the rest is small enough.
    fn shrink(&self, limit: u64) {
        let entries = self.folder.as_ref().map(std::fs::read_dir);
        let Some(Ok(entries)) = entries else { return };
        let of = |entry: std::io::Result<std::fs::DirEntry>| {
            let entry = entry.ok()?;
            let meta = entry.metadata().ok()?;
            let written = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let is_abandoned = stage::is_abandoned(&meta);
            Some((written, meta.len(), entry.path(), is_abandoned))
        };
        let mut files: Vec<_> = entries.filter_map(of).collect();
        let mut total: u64 = files.iter().map(|(_, size, ..)| size).sum();
        files.sort();
        for (_, size, path, is_abandoned) in files {
            let is_half = stage::is_half(&path);
            if match is_half {
                true => is_abandoned,
                false => total > limit,
            } {
                // Another process may have been faster.
                drop(std::fs::remove_file(path));
                total -= size;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;
    use crate::image::Digest;
    use std::time::SystemTime;

    #[test]
    fn what_was_changed_is_not_given() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache {
            folder: Some(folder.path().join("charts")),
        };
        let digest = Digest::of(b"chart");
        assert_eq!(cache.get(&digest), None);
        cache.put(&digest, b"chart");
        assert_eq!(cache.get(&digest).as_deref(), Some(&b"chart"[..]));
        let file = cache.path(&digest).unwrap();
        std::fs::write(&file, b"other").unwrap();
        assert_eq!(cache.get(&digest), None);
        assert!(!file.exists());
        cache.put(&digest, b"chart");
        // Half a file is left to who writes it, unless that was long ago.
        let half = ["new", "old"].map(|name| file.with_file_name(format!(".windlass-{name}")));
        for path in &half {
            std::fs::write(path, b"ch").unwrap();
        }
        let old = std::fs::File::options().write(true).open(&half[1]).unwrap();
        old.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        cache.shrink(10);
        assert_eq!([half[0].exists(), half[1].exists()], [true, false]);
        assert!(file.exists());
        cache.shrink(3);
        assert_eq!(cache.get(&digest), None);
        Cache::default().put(&digest, b"chart");
        assert_eq!(Cache::default().get(&digest), None);
    }
}
