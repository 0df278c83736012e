//! Chart repositories that are directories: archives beside an `index.yaml`, served by whatever serves files.
//!
//! Follows helm v4 `pkg/cmd/repo_index.go` and `IndexDirectory` of `pkg/repo/v1/index.go`. Pushing and deleting change
//! one entry of the index and leave the others as they are. Two processes that change one directory take turns.

use super::package::{beside, is_chart};
use super::restore::archive_of;
use super::{Error, Package, Pushed, stage};
use crate::image::Digest;
use jiff::Timestamp;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use windlass_helm::chart::{Chart, IndexFile, Profile, url_of_archive};

/// The file of a repository that names its charts.
const INDEX: &str = "index.yaml";

/// What an index was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Indexed {
    /// How many archives are in it.
    pub archives: usize,
    /// Archives that are no charts, and why.
    pub skipped: Vec<String>,
}

/// Writes the `index.yaml` of the archives of a directory and of the folders in it. Their addresses are below `base`,
/// or relative where it is empty. What only `merge` has is added; where that file is missing, an empty one is made.
///
/// # Errors
/// A directory that cannot be read or written, or a file to merge that is no index.
pub fn reindex(
    folder: &Path,
    base: &str,
    merge: Option<&Path>,
    now: Timestamp,
) -> Result<Indexed, Error> {
    let _turn = turn(folder)?;
    let (mut index, indexed) = indexed(folder, base, now)?;
    if let Some(path) = merge {
        match path.exists() {
            true => index.merge(read(path)?),
            false => write(path, &IndexFile::default(), now)?,
        }
    }
    write(&folder.join(INDEX), &index, now)?;
    Ok(indexed)
}

/// Puts a chart, and its provenance, into a directory and its index.
///
/// # Errors
/// Another content under the same version, unless `force`, and what cannot be written.
pub fn push(
    folder: &Path,
    package: &Package,
    force: bool,
    now: Timestamp,
) -> Result<Pushed, Error> {
    let _turn = turn(folder)?;
    let metadata = &package.metadata;
    let archive = package.archive();
    let path = folder.join(&archive);
    let known = stage::read(&path).map(|file| file == package.file);
    if known == Some(false) && !force {
        return Err(Error::Refused {
            request: path.display().to_string(),
            answer: "another content is there under this version".to_owned(),
            hint: Some("raise the version, or replace it with `--force`".to_owned()),
        });
    }
    if known != Some(true) {
        stage::write(&path, &package.file)?;
    }
    let beside = beside(&path);
    match &package.provenance {
        Some(provenance) => stage::write(&beside, provenance)?,
        // It is of the archive that was replaced.
        None if known == Some(false) => drop(fs::remove_file(beside)),
        None => {}
    }
    let file = folder.join(INDEX);
    let mut index = read_or_made(folder, now)?;
    let digest = Digest::of(&package.file).hex().to_owned();
    if index.digest(&metadata.name, &metadata.version).as_ref() != Some(&digest) || !file.exists() {
        index.add(metadata, &archive, &digest, &now.to_string());
        write(&file, &index, now)?;
    }
    Ok(match known {
        Some(true) => Pushed::Known,
        _ => Pushed::New,
    })
}

/// Removes a version of a chart, and its provenance, from a directory and its index; also one that the index has no
/// longer. Of what the index names, only archives with the name of the chart in the directory are removed.
///
/// # Errors
/// A version that is not there, and what cannot be changed.
pub fn delete(folder: &Path, name: &str, version: &str, now: Timestamp) -> Result<(), Error> {
    let _turn = turn(folder)?;
    let mut index = read_or_made(folder, now)?;
    let archive = archive_of(name, version);
    let mut paths = vec![folder.join(&archive)];
    match index.remove(name, version) {
        Some(urls) => {
            // Whoever reads meanwhile finds no archive that is not there.
            write(&folder.join(INDEX), &index, now)?;
            let below = urls.iter().filter_map(|url| within(folder, url, &archive));
            paths.extend(below);
        }
        None => {
            let left = stage::read(&paths[0]);
            if !left.is_some_and(|file| is_chart(&file, name, version)) {
                return Err(Error::absent(folder.display(), &index, name, version));
            }
        }
    }
    for path in paths.iter().flat_map(|path| [beside(path), path.clone()]) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::file(&path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The place of an archive that an index names, if it is of this name and in the directory, whatever links there are.
fn within(folder: &Path, url: &str, archive: &str) -> Option<PathBuf> {
    let path = folder.join(url);
    let above = path.parent()?.canonicalize().ok()?;
    let is_own = path.file_name()? == archive && above.starts_with(folder.canonicalize().ok()?);
    is_own.then_some(path)
}

/// Waits until no other process changes the directory.
fn turn(folder: &Path) -> Result<File, Error> {
    if !folder.is_dir() {
        return Err(Error::file(folder, "is no directory"));
    }
    let turn = File::open(folder).map_err(|error| Error::file(folder, error))?;
    // Where there are no locks, there are no turns.
    drop(turn.lock());
    Ok(turn)
}

/// The index of a directory as it stands there, else one of what is in it.
fn read_or_made(folder: &Path, now: Timestamp) -> Result<IndexFile, Error> {
    let file = folder.join(INDEX);
    match file.exists() {
        true => read(&file),
        false => Ok(indexed(folder, "", now)?.0),
    }
}

/// The index of what is in a directory.
fn indexed(folder: &Path, base: &str, now: Timestamp) -> Result<(IndexFile, Indexed), Error> {
    let mut archives: Vec<(String, PathBuf)> = Vec::new();
    let mut folders = vec![String::new()];
    for entry in entries(folder)? {
        if entry.is_dir() {
            folders.push(name_of(&entry));
        }
    }
    for below in folders {
        let found = entries(&folder.join(&below)).unwrap_or_default();
        let found = found
            .into_iter()
            .filter(|path| path.extension().is_some_and(|e| e == "tgz"));
        archives.extend(found.map(|path| (below.clone(), path)));
    }
    let (mut index, mut indexed) = (IndexFile::default(), Indexed::default());
    for (below, path) in archives {
        if path.is_dir() {
            continue;
        }
        let name = name_of(&path);
        let skip = |cause: String| format!("{} is no chart: {cause}", path.display());
        let Some(file) = stage::read(&path) else {
            indexed
                .skipped
                .push(skip("it cannot be read, or is too large".to_owned()));
            continue;
        };
        match Chart::from_archive(&file, Profile::Helm4) {
            Ok(chart) => {
                let url = url_of_archive(base, &below, &name);
                let digest = Digest::of(&file);
                index.append(&chart.metadata, &url, digest.hex(), &now.to_string());
                indexed.archives += 1;
            }
            Err(error) => indexed.skipped.push(skip(error.to_string())),
        }
    }
    Ok((index, indexed))
}

/// What is in a folder, sorted by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(folder).map_err(|error| Error::file(folder, error))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<IndexFile, Error> {
    let text = fs::read(path).map_err(|error| Error::file(path, error))?;
    IndexFile::read(&text).map_err(|cause| Error::file(path, cause))
}

fn write(path: &Path, index: &IndexFile, now: Timestamp) -> Result<(), Error> {
    let text = index
        .to_yaml(&now.to_string())
        .map_err(|cause| Error::file(path, cause))?;
    stage::write(path, &text)
}
