//! Writing a file in one step: readers see the old file or the new one, and so does who comes after a
//! run that was killed. All files of windlass are written here.
//!
//! The new file is made beside the old one under a name of its own, so that two processes never write
//! into the same, and takes its place when it is whole. Other hard links to the old file keep the old
//! text.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// How the names of files begin that are not whole yet, or that a killed run left.
pub const UNFINISHED: &str = ".windlass-";
/// How many bytes are written at once, unless a piece is larger.
const BUFFER: usize = 64 << 10;

/// What is written, which decides how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file that people keep, as a lock: it is on the disk before the call returns, and otherwise as
    /// [`Self::Output`].
    Kept,
    /// What somebody asked for at this place. A link stays, and the file that it leads to is replaced.
    /// What is no file (a pipe, a terminal, a device, what `/dev/stdout` leads to) is written to, and a
    /// link to nothing is followed.
    Output,
    /// A file of a chart or of a cache, which no link may lead elsewhere: it is replaced itself.
    Inner,
}

/// Writes a file, and makes the folders above it. An existing file keeps its mode.
///
/// ```
/// use windlass::file::{self, Kind};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("locks/app.yml");
/// file::write(&path, Kind::Kept, b"a: b\n")?;
/// assert_eq!(std::fs::read(&path)?, b"a: b\n");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Those of the system; they do not name the path. The old file is as it was then.
pub fn write(path: &Path, kind: Kind, text: &[u8]) -> io::Result<()> {
    write_with(path, kind, |out| out.write_all(text))
}

/// As [`write`], piece by piece.
///
/// # Errors
/// As [`write`], and those of `fill`.
pub fn write_with(
    path: &Path,
    kind: Kind,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let target = match kind {
        Kind::Inner => Some(path.to_owned()),
        Kind::Kept | Kind::Output => replaceable(path),
    };
    let Some(target) = target else {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        return filled(file, fill).map(drop);
    };
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let number = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
    let unfinished = folder.join(format!("{UNFINISHED}{number:016x}"));
    let written = File::create_new(&unfinished)
        .and_then(|file| filled(file, fill))
        .and_then(|file| {
            if let Ok(old) = target.symlink_metadata()
                && old.is_file()
            {
                file.set_permissions(old.permissions())?;
            }
            if kind == Kind::Kept {
                file.sync_all()?;
            }
            fs::rename(&unfinished, &target)
        });
    if written.is_err() {
        // The first error tells more than that of cleaning up.
        drop(fs::remove_file(&unfinished));
    } else if kind == Kind::Kept {
        // Not every file system can do this with folders.
        drop(File::open(folder).and_then(|folder| folder.sync_all()));
    }
    written
}

/// The file to replace, behind all links. `None` where that cannot be: a pipe, a terminal, a device,
/// whatever `/dev/stdout` leads to, a link to nothing.
fn replaceable(path: &Path) -> Option<PathBuf> {
    let is_link = path.is_symlink();
    let is_open = ["/dev", "/proc"].iter().any(|top| path.starts_with(top));
    match path.metadata() {
        _ if is_link && is_open => None,
        Ok(there) if there.is_file() => {
            Some(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
        }
        Ok(_) => None,
        Err(_) => (!is_link).then(|| path.to_owned()),
    }
}

fn filled(file: File, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<File> {
    let mut out = BufWriter::with_capacity(BUFFER, file);
    fill(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_that_fails_stays_as_it_was_and_leaves_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, Kind::Output, b"old").unwrap();
        let error = write_with(&path, Kind::Output, |out| {
            out.write_all(b"new")?;
            Err(io::Error::other("no more"))
        });
        assert_eq!(error.unwrap_err().to_string(), "no more");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn writers_at_the_same_time_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let path = &folder.path().join("a");
        let text = |letter: u8| vec![letter; 1 << 17];
        std::thread::scope(|scope| {
            for letter in b'a'..b'i' {
                scope.spawn(move || write(path, Kind::Output, &text(letter)).unwrap());
            }
        });
        let written = fs::read(path).unwrap();
        assert_eq!(written, text(written[0]));
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn the_mode_of_a_file_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, Kind::Kept, b"old").unwrap();
        for mode in [0o600, 0o640] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            write(&path, Kind::Kept, b"new").unwrap();
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                mode
            );
        }
    }

    #[test]
    fn links_lead_to_the_file_unless_it_is_an_inner_one() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link, nowhere, new] =
            ["file", "link", "nowhere", "new"].map(|name| folder.path().join(name));
        fs::write(&file, "old").unwrap();
        symlink("file", &link).unwrap();
        symlink("new", &nowhere).unwrap();
        write(&link, Kind::Kept, b"one").unwrap();
        write(&nowhere, Kind::Output, b"two").unwrap();
        assert!(link.is_symlink() && nowhere.is_symlink());
        assert_eq!(
            (fs::read(&file).unwrap(), fs::read(&new).unwrap()),
            (b"one".into(), b"two".into())
        );
        write(&link, Kind::Inner, b"three").unwrap();
        assert!(!link.is_symlink());
        assert_eq!(
            (fs::read(&file).unwrap(), fs::read(&link).unwrap()),
            (b"one".into(), b"three".into())
        );
    }

    #[test]
    fn a_device_stays_one() {
        let null = Path::new("/dev/null");
        write(null, Kind::Output, b"x").unwrap();
        assert!(!fs::metadata(null).unwrap().is_file());
    }
}
