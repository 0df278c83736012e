//! The lock file that is written, among the locks of the project.

use super::{Error, project, stages};
use crate::image::Locks;
use project::Request;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Which file a lock is written to.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub(super) struct File {
    /// Write the lock to this file (`-` = stdout) [default: LOCKS/APP.lock.yml]
    #[arg(short, long, alias = "lock-output", value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// Where the lock goes.
pub(super) struct Target {
    /// `None` is stdout.
    pub(super) file: Option<PathBuf>,
    /// Whether the file is not among the locks of the project, so that it has to hold everything.
    pub(super) stands_alone: bool,
}

impl Target {
    /// Chooses it: what was typed, or the first lock path of the project.
    pub(super) fn new(output: Option<&Path>, request: &Request) -> Result<Self, Error> {
        if output == Some(Path::new("-")) {
            return Ok(Self {
                file: None,
                stands_alone: true,
            });
        }
        let file = match (output, request.locks.first()) {
            (Some(file), _) => file.to_owned(),
            (None, Some(locks)) if is_file(locks) => locks.clone(),
            (None, Some(folder)) => folder.join(format!("{}.lock.yml", request.app)),
            (None, None) => {
                return Err(Error::usage("nothing says where the lock is written")
                    .hinted("name the file: `-o FILE`, or set `locks` in windlass.yaml"));
            }
        };
        let stands_alone = !request.locks.iter().any(|locks| is_inside(&file, locks));
        Ok(Self {
            file: Some(file),
            stands_alone,
        })
    }

    /// The name that the file has among the loaded locks.
    pub(super) fn name(&self, locks: &Locks) -> String {
        let Some(file) = &self.file else {
            return String::new();
        };
        let same = |other: &&PathBuf| absolute(other) == absolute(file);
        locks
            .files
            .iter()
            .find(same)
            .unwrap_or(file)
            .display()
            .to_string()
    }

    /// The text of the file as it is; empty when there is none yet.
    pub(super) fn text(&self) -> Result<String, Error> {
        self.file.as_deref().map_or(Ok(String::new()), text_of)
    }

    /// All locks of the project, and those of the file that is written. Paths that are not there yet
    /// hold no locks.
    pub(super) fn load(&self, request: &Request) -> Result<(Locks, Locks), Error> {
        let paths: Vec<PathBuf> = request
            .locks
            .iter()
            .filter(|path| path.exists())
            .cloned()
            .collect();
        let mut locks = Locks::load(&paths)?;
        if let Some(map) = &request.image_map {
            locks.add_image_map(map)?;
        }
        let own = match self.file.as_ref().filter(|file| file.exists()) {
            Some(file) => Locks::load(std::slice::from_ref(file))?,
            None => Locks::default(),
        };
        refuse_sources(&own, self.file.as_deref().unwrap_or(Path::new("")))?;
        if self.stands_alone {
            let known: BTreeSet<_> = locks
                .overrides()
                .iter()
                .map(|entry| entry.matcher.clone())
                .collect();
            for entry in own.overrides() {
                if !known.contains(&entry.matcher) {
                    locks.add_entry(entry.clone())?;
                }
            }
            locks.files.extend(own.files.iter().cloned());
        }
        Ok((locks, own))
    }
}

/// Refuses to write a file that says how images are built: a lock could not hold that.
pub(super) fn refuse_sources(own: &Locks, file: &Path) -> Result<(), Error> {
    if own.sources.is_empty() && own.destinations.is_empty() {
        return Ok(());
    }
    Err(
        Error::usage(format!("{} says how images are built", file.display()))
            .hinted("locks belong into another file: `-o FILE`"),
    )
}

/// The text of a lock file; empty when there is none yet.
pub(super) fn text_of(file: &Path) -> Result<String, Error> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(stages::unreadable("lock", file, error)),
    }
}

/// What is said of a lock file in the end.
pub(super) fn told(file: &Path, written: bool) -> String {
    let verb = match written {
        true => "Wrote",
        false => "Nothing to change in",
    };
    format!("{verb} {}", file.display())
}

/// Whether a path of locks is one file: it is there as one, or is named like one.
fn is_file(locks: &Path) -> bool {
    let named = locks
        .extension()
        .is_some_and(|ending| ["yml", "yaml", "json"].iter().any(|e| ending == *e));
    locks.is_file() || (named && !locks.is_dir())
}

fn is_inside(file: &Path, locks: &Path) -> bool {
    absolute(file).starts_with(absolute(locks))
}

/// The path without links and dots, also when the file itself is not there yet.
fn absolute(path: &Path) -> PathBuf {
    if let Ok(found) = path.canonicalize() {
        return found;
    }
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new(".")).canonicalize();
    match (folder, path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
    }
}
