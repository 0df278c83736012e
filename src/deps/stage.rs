//! Where archives are gathered before `charts/` changes, and what runs that were killed left there.
//!
//! A stage is a hidden folder in `charts/`, which neither Helm nor windlass takes for a chart. While `charts/` is being
//! changed it holds a mark, so that an end in the midst of that is seen by the next run.

use super::{Error, MAX_ARCHIVE};
use crate::file::{self, Kind, UNFINISHED};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The file in a stage that says that `charts/` is being changed.
const MARK: &str = "placing";

/// The archives of one run.
pub(super) struct Stage {
    charts: PathBuf,
    folder: TempDir,
    /// Marked stages of runs that are no more. They are removed when what they began is done.
    interrupted: Vec<PathBuf>,
    /// Held as long as this run lasts, so that others leave its stage alone.
    _claim: Option<File>,
}

impl Stage {
    /// Makes `charts/` and a stage in it, and removes what is left of runs that are no more.
    pub(super) fn new(chart: &Path) -> Result<Self, Error> {
        let charts = chart.join("charts");
        prepare(&charts)?;
        let (claim, interrupted) = claim(chart, &charts);
        let folder = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempdir_in(&charts);
        Ok(Self {
            folder: folder.map_err(|error| Error::file(&charts, error))?,
            charts,
            interrupted,
            _claim: claim,
        })
    }

    /// Adds an archive.
    pub(super) fn put(&self, archive: &str, file: &[u8]) -> Result<(), Error> {
        write(&self.folder.path().join(archive), file)
    }

    /// An archive that was added.
    pub(super) fn get(&self, archive: &str) -> Option<Vec<u8>> {
        read(&self.folder.path().join(archive))
    }

    /// Says that `charts/` changes from here on. The stage stays now, unless [`Self::end`] is reached.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        write(&self.folder.path().join(MARK), b"")?;
        self.folder.disable_cleanup(true);
        Ok(())
    }

    /// Puts an archive into `charts/`, unless it is there and only there.
    pub(super) fn place(&self, archive: &str) -> Result<(), Error> {
        let (from, to) = (self.folder.path().join(archive), self.charts.join(archive));
        match fs::rename(from, &to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file(&to, error))
            }
            _ => Ok(()),
        }
    }

    /// Says that everything is in its place.
    pub(super) fn end(mut self) {
        for folder in &self.interrupted {
            // The next run tries again.
            drop(fs::remove_dir_all(folder));
        }
        self.folder.disable_cleanup(false);
    }
}

/// Makes `charts/`. One that is a link would let archives be written elsewhere.
fn prepare(charts: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(charts) {
        Ok(meta) if meta.is_dir() => Ok(()),
        Ok(_) => Err(Error::Chart(format!(
            "\"{}\" is not a directory",
            charts.display()
        ))),
        Err(_) => fs::create_dir_all(charts).map_err(|error| Error::file(charts, error)),
    }
}

/// Says to other processes that this one works here. Whoever is alone removes what others left, but for marked stages,
/// which are returned.
fn claim(chart: &Path, charts: &Path) -> (Option<File>, Vec<PathBuf>) {
    let mut marked = Vec::new();
    let Ok(claim) = File::open(charts) else {
        return (None, marked);
    };
    if claim.try_lock().is_ok() {
        for path in hidden(chart).chain(hidden(charts)) {
            if path.join(MARK).exists() {
                marked.push(path);
            } else {
                drop(fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path)));
            }
        }
    }
    // Waits for no more than the clearing by another process. Where there are no locks, nothing is cleared.
    drop(claim.lock_shared());
    (Some(claim), marked)
}

/// What has the prefix in a folder.
fn hidden(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| is_half(path))
}

/// Whether a file or folder is one that a run has not put into place yet.
pub(super) fn is_half(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes())
}

/// Whether a run ended while it changed the `charts/` of a chart, or does so now.
pub(super) fn is_interrupted(chart: &Path) -> bool {
    hidden(&chart.join("charts")).any(|path| path.join(MARK).exists())
}

/// The bytes of an archive: of a file of its own, not larger than archives may be.
pub(super) fn read(path: &Path) -> Option<Vec<u8>> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let mut file = Vec::new();
    let mut limited = File::open(path).ok()?.take(MAX_ARCHIVE + 1);
    limited.read_to_end(&mut file).ok()?;
    (file.len() as u64 <= MAX_ARCHIVE).then_some(file)
}

/// Writes a file ([`Kind::Inner`]).
pub(super) fn write(path: &Path, text: &[u8]) -> Result<(), Error> {
    file::write(path, Kind::Inner, text).map_err(|error| Error::file(path, error))
}

#[cfg(test)]
mod tests {
    use super::{Stage, hidden, is_interrupted, write};
    use std::fs;

    #[test]
    fn what_a_dead_run_left_is_cleared_and_what_it_began_is_remembered() {
        let chart = tempfile::tempdir().unwrap();
        let charts = chart.path().join("charts");
        for path in [".windlass-1/a-1.0.0.tgz", ".windlass-2/placing", "b.tgz"] {
            write(&charts.join(path), b"").unwrap();
        }
        write(&chart.path().join(".windlass-half"), b"").unwrap();
        assert!(is_interrupted(chart.path()));

        // One that fails before it changes anything leaves the mark of the dead one.
        let stage = Stage::new(chart.path()).unwrap();
        assert_eq!(hidden(chart.path()).count(), 0);
        drop(stage);
        let left: Vec<_> = hidden(&charts).collect();
        assert_eq!(left, [charts.join(".windlass-2")]);

        let mut stage = Stage::new(chart.path()).unwrap();
        stage.put("a-1.0.0.tgz", b"a").unwrap();
        stage.begin().unwrap();
        for archive in ["a-1.0.0.tgz", "b.tgz"] {
            stage.place(archive).unwrap();
        }
        stage.end();
        assert!(!is_interrupted(chart.path()));
        let files = fs::read_dir(&charts).unwrap().count();
        assert_eq!((files, hidden(&charts).count()), (2, 0));
    }

    #[test]
    fn the_stage_of_a_run_at_work_is_left_alone() {
        let chart = tempfile::tempdir().unwrap();
        let first = Stage::new(chart.path()).unwrap();
        first.put("a-1.0.0.tgz", b"a").unwrap();
        drop(Stage::new(chart.path()).unwrap());
        first.place("a-1.0.0.tgz").unwrap();
        assert!(chart.path().join("charts/a-1.0.0.tgz").exists());
    }
}
