//! Where archives are gathered before `charts/` changes, and what runs that were killed left there.
//!
//! A stage is a hidden folder in `charts/`, which neither Helm nor windlass takes for a chart. While `charts/` is being
//! changed it holds a mark, so that an end in the midst of that is seen by the next run.

use super::event::{Event, Tell};
use super::{Error, MAX_ARCHIVE};
use crate::file::{self, Kind, UNFINISHED};
use std::fs::{self, File, TryLockError};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// The file in a stage that says that `charts/` is being changed.
const MARK: &str = "placing";
/// After how long a file that is still being written is one of a run that was killed.
const HALF: Duration = Duration::from_secs(3600);
/// How often it is looked whether another run in the same chart has ended.
const LOOK: Duration = Duration::from_millis(50);

/// The right to change a chart: of several runs that want to, each begins when the one before has ended, and finds what
/// that one left.
pub(super) struct Turn(Option<File>);

impl Turn {
    /// Waits for it. Where there are no locks, there are no turns.
    pub(super) async fn wait(chart: &Path, tell: Tell<'_>) -> Self {
        let Ok(turn) = File::open(chart) else {
            return Self(None);
        };
        let mut is_told = false;
        loop {
            match turn.try_lock() {
                Ok(()) => return Self(Some(turn)),
                Err(TryLockError::Error(_)) => return Self(None),
                Err(TryLockError::WouldBlock) => {}
            }
            if !std::mem::replace(&mut is_told, true) {
                let note = format!("Waiting for another run in {}", chart.display());
                tell(Event::Note(&note));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// `charts/` that this run has made: it is removed where nothing came into it.
struct Made(Option<PathBuf>);

impl Drop for Made {
    fn drop(&mut self) {
        if let Some(charts) = &self.0 {
            // It is not empty when the run did its work.
            drop(fs::remove_dir(charts));
        }
    }
}

/// The archives of one run.
pub(super) struct Stage {
    charts: PathBuf,
    folder: TempDir,
    /// Marked stages of runs that are no more. They are removed when what they began is done.
    interrupted: Vec<PathBuf>,
    // Dropped after the folder in it.
    _made: Made,
}

impl Stage {
    /// Makes `charts/` and a stage in it, and removes what is left of runs that are no more.
    pub(super) fn new(chart: &Path, turn: &Turn) -> Result<Self, Error> {
        let charts = chart.join("charts");
        let made = prepare(&charts)?;
        let interrupted = match turn.0 {
            Some(_) => cleared(chart, &charts),
            // Nobody knows whether they are.
            None => Vec::new(),
        };
        let folder = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempdir_in(&charts);
        Ok(Self {
            folder: folder.map_err(|error| Error::file(&charts, error))?,
            charts,
            interrupted,
            _made: made,
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
            Err(error) if error.kind() != std::io::ErrorKind::NotFound || !to.is_file() => {
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
fn prepare(charts: &Path) -> Result<Made, Error> {
    match fs::symlink_metadata(charts) {
        Ok(meta) if meta.is_dir() => Ok(Made(None)),
        Ok(_) => Err(Error::Chart(format!(
            "\"{}\" is not a directory",
            charts.display()
        ))),
        Err(_) => match fs::create_dir_all(charts) {
            Ok(()) => Ok(Made(Some(charts.to_owned()))),
            Err(error) => Err(Error::file(charts, error)),
        },
    }
}

/// Removes what runs that are no more left, but for marked stages, which are returned. A file may be one that another
/// program is writing right now, unless it is old.
fn cleared(chart: &Path, charts: &Path) -> Vec<PathBuf> {
    let mut marked = Vec::new();
    for path in hidden(chart).chain(hidden(charts)) {
        if path.join(MARK).exists() {
            marked.push(path);
        } else if path.is_dir() {
            drop(fs::remove_dir_all(path));
        } else if path.metadata().is_ok_and(|meta| is_abandoned(&meta)) {
            drop(fs::remove_file(path));
        }
    }
    marked
}

/// Whether a half file is one of a run that was killed.
pub(super) fn is_abandoned(half: &fs::Metadata) -> bool {
    let written = half.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    written.elapsed().is_ok_and(|age| age > HALF)
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

/// Writes a file that people keep ([`Kind::Kept`]), in place of a link, not behind it.
pub(super) fn keep(path: &Path, text: &[u8]) -> Result<(), Error> {
    let unlinked = match path.is_symlink() {
        true => fs::remove_file(path),
        false => Ok(()),
    };
    let kept = unlinked.and_then(|()| file::write(path, Kind::Kept, text));
    kept.map_err(|error| Error::file(path, error))
}

#[cfg(test)]
mod tests {
    use super::{Stage, Turn, hidden, is_interrupted, keep, write};
    use std::fs::{self, File};
    use std::path::Path;
    use std::time::SystemTime;

    fn stage(chart: &Path) -> Stage {
        Stage::new(chart, &Turn(File::open(chart).ok())).unwrap()
    }

    #[test]
    fn what_a_dead_run_left_is_cleared_and_what_it_began_is_remembered() {
        let chart = tempfile::tempdir().unwrap();
        let charts = chart.path().join("charts");
        for path in [".windlass-1/a-1.0.0.tgz", ".windlass-2/placing", "b.tgz"] {
            write(&charts.join(path), b"").unwrap();
        }
        // A half file is left to who writes it, unless that was long ago.
        let half = ["new", "old"].map(|name| chart.path().join(format!(".windlass-{name}")));
        for path in &half {
            write(path, b"").unwrap();
        }
        let old = File::options().write(true).open(&half[1]).unwrap();
        old.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert!(is_interrupted(chart.path()));

        // One that fails before it changes anything leaves the mark of the dead one.
        drop(stage(chart.path()));
        assert_eq!(hidden(chart.path()).collect::<Vec<_>>(), half[..1]);
        let left: Vec<_> = hidden(&charts).collect();
        assert_eq!(left, [charts.join(".windlass-2")]);

        let mut stage = stage(chart.path());
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
    fn charts_that_a_run_made_go_where_nothing_came_into_it() {
        let chart = tempfile::tempdir().unwrap();
        let charts = chart.path().join("charts");
        drop(stage(chart.path()));
        assert!(!charts.exists());
        fs::create_dir(&charts).unwrap();
        drop(stage(chart.path()));
        assert!(charts.exists());
    }

    #[test]
    fn an_archive_that_is_nowhere_is_not_in_its_place() {
        let chart = tempfile::tempdir().unwrap();
        let stage = stage(chart.path());
        assert!(stage.place("a-1.0.0.tgz").is_err());
        write(&chart.path().join("charts/a-1.0.0.tgz"), b"").unwrap();
        assert!(stage.place("a-1.0.0.tgz").is_ok());
    }

    #[test]
    fn what_is_kept_replaces_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        keep(&link, b"new").unwrap();
        assert!(!link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"old");
    }
}
