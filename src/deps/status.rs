//! What of a chart's dependencies is in its `charts/`, in Helm's words.
//!
//! Follows helm v4 `pkg/action/dependency.go`.

use super::resolve;
use super::restore::archive_of;
use super::stage;
use super::sum::Sum;
use super::{Error, Sums};
use crate::image::Digest;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use windlass_helm::chart::{self, Chart, Dependency, Profile};
use windlass_helm::sprig::semver;
use windlass_helm::value::{List, Value};
use windlass_helm::yaml;

/// The files that dependencies are asked for in.
pub(super) const REQUIREMENTS: [&str; 2] = ["Chart.yaml", "requirements.yaml"];
/// The files that hold what was chosen.
pub(super) const LOCKS: [&str; 2] = ["Chart.lock", "requirements.lock"];

/// One dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// The range of versions that fit.
    pub version: String,
    /// Where it comes from.
    pub repository: String,
    /// `ok`, `unpacked`, `missing`, `wrong version`, `corrupt`, `misnamed`, `invalid version` or `too many matches`.
    pub status: &'static str,
}

/// The dependencies of a chart; `None` when it does not name any.
#[must_use]
pub fn statuses(folder: &Path, chart: &Chart) -> Option<Vec<Status>> {
    let dependencies = chart.metadata.dependencies.as_ref()?;
    let status = |dependency: &Dependency| Status {
        name: dependency.name.clone(),
        version: dependency.version.clone(),
        repository: dependency.repository.clone(),
        status: status(folder, dependency, chart),
    };
    Some(dependencies.iter().map(status).collect())
}

fn status(folder: &Path, dependency: &Dependency, chart: &Chart) -> &'static str {
    let archives: Vec<PathBuf> = files(folder)
        .into_iter()
        .filter(|path| version_of(path, dependency).is_some())
        .collect();
    let strict = |path: &&PathBuf| {
        version_of(path, dependency).is_some_and(|v| semver::is_strict_version(&v))
    };
    let archive = match archives.as_slice() {
        [] => None,
        [one] => Some(one),
        several => {
            let mut of_versions = several.iter().filter(strict);
            let first = of_versions.next();
            if of_versions.next().is_some() {
                return "too many matches";
            }
            first
        }
    };
    if let Some(archive) = archive {
        return of_archive(archive, dependency);
    }
    let mut unpacked = chart.dependencies.iter();
    // Helm takes the last one of the name.
    match unpacked.rfind(|found| found.metadata.name == dependency.name) {
        None => "missing",
        Some(found) => fitting(dependency, &found.metadata.version).unwrap_or("unpacked"),
    }
}

/// Looks at a chart that is about to be used: whether it has a lock and `charts/` lacks something that it asks for, has
/// it in another version, or holds what an interrupted run left. Only names are looked at where they suffice.
///
/// With a `Chart.sum`, nothing is to be used that it does not name, but for folders: those in `charts/` that are in the
/// way of no chart from elsewhere, and archives that were made of `file://` dependencies.
///
/// # Errors
/// [`Error::Changed`] and [`Error::Unlisted`] for what is not as `Chart.sum` says.
pub fn check(folder: &Path) -> Result<bool, Error> {
    let has_lock = LOCKS.iter().any(|lock| folder.join(lock).exists());
    if has_lock && stage::is_interrupted(folder) {
        return Ok(true);
    }
    let locked = named_in(folder, LOCKS).unwrap_or_default();
    let there = files(folder);
    let sums = Sums::load(folder)?;
    if let Some(sums) = &sums {
        check_sums(folder, sums)?;
    }
    if !has_lock {
        return Ok(false);
    }
    if let Some(sums) = &sums {
        if is_stale(&locked, &there, sums) {
            return Ok(true);
        }
        refuse_unlisted(&locked, &there, sums)?;
    }
    let there: BTreeSet<&str> = there.iter().flat_map(|path| beginnings(path)).collect();
    let named = asked_for(folder).unwrap_or_default();
    if named.iter().all(|one| there.contains(one.name.as_str())) {
        return Ok(false);
    }
    // Archives may have other names than those of their charts. What cannot be loaded is told by the render.
    Ok(is_incomplete(folder).unwrap_or(false))
}

/// Whether `charts/` lacks a chart that is asked for, in whatever version, as Helm looks at it.
///
/// Follows helm v4 `pkg/action/install.go`, `CheckDependencies`.
///
/// # Errors
/// A chart that cannot be loaded.
pub fn is_incomplete(folder: &Path) -> Result<bool, Error> {
    Ok(!missing(folder)?.is_empty())
}

/// The charts that [`is_incomplete`] looks for and does not find.
fn missing(folder: &Path) -> Result<Vec<String>, Error> {
    let chart = resolve::load(folder)?;
    let found = chart.dependencies.iter();
    let found: BTreeSet<&str> = found.map(|chart| chart.metadata.name.as_str()).collect();
    let wanted = chart.requirements().iter().map(|wanted| &wanted.name);
    let missing = wanted.filter(|name| !found.contains(name.as_str()));
    Ok(missing.cloned().collect())
}

/// Refuses what [`is_incomplete`], in Helm's words.
pub(super) fn refuse_incomplete(folder: &Path) -> Result<(), Error> {
    let missing = missing(folder)?;
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Error::Missing {
            names: missing.join(", "),
            has_lock: LOCKS.iter().any(|lock| folder.join(lock).exists()),
        }),
    }
}

/// Compares the archives that have the names of charts in `Chart.sum`.
fn check_sums(folder: &Path, sums: &Sums) -> Result<(), Error> {
    for (name, version) in sums.0.keys() {
        let path = folder.join("charts").join(archive_of(name, version));
        match stage::read(&path) {
            Some(file) => {
                let found = Sum {
                    source: path.display().to_string(),
                    archive: Digest::of(&file),
                    manifest: None,
                };
                sums.check(name, version, &found)?;
            }
            None if path.exists() => return Err(Error::file(&path, "is no archive of a chart")),
            None => {}
        }
    }
    Ok(())
}

/// Whether `charts/` has another version of a chart than the lock, as after a pull of a newer lock. A lock that helm wrote
/// since is not in `Chart.sum` and says nothing here.
fn is_stale(locked: &[Dependency], there: &[PathBuf], sums: &Sums) -> bool {
    let version_of = |one: &Dependency| (one.name.clone(), one.version.clone());
    let of_lock: BTreeSet<(String, String)> = locked.iter().map(version_of).collect();
    let summed = of_lock.iter().filter(|one| sums.0.contains_key(*one));
    let summed: BTreeSet<&str> = summed.map(|(name, _)| name.as_str()).collect();
    let mut versions = there.iter().flat_map(|path| versions_of(path));
    versions.any(|(name, version)| {
        summed.contains(name)
            && semver::is_strict_version(version)
            && !of_lock.contains(&(name.to_owned(), version.to_owned()))
    })
}

/// Refuses what `Chart.sum` does not name: charts of the lock, and archives in `charts/`.
fn refuse_unlisted(locked: &[Dependency], there: &[PathBuf], sums: &Sums) -> Result<(), Error> {
    let known = |name: &str| {
        let mut of_name = sums.0.iter().filter(|((other, _), _)| other == name);
        let ((name, version), sum) = of_name.next()?;
        Some(format!("{name} {version} with {}", sum.archive))
    };
    let mut archives: BTreeSet<String> = BTreeSet::new();
    for one in locked {
        let Dependency { name, version, .. } = one;
        if is_remote(one) && sums.get(name, version).is_none() {
            return Err(Error::Unlisted {
                what: format!("chart {name} {version} of the lock"),
                known: known(name),
            });
        }
        archives.insert(archive_of(name, version));
    }
    archives.extend(
        sums.0
            .keys()
            .map(|(name, version)| archive_of(name, version)),
    );
    for path in there {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(['.', '_']) || archives.contains(&*name) {
            continue;
        }
        if path.is_dir() {
            refuse_folder(path, locked)?;
        }
        if !name.ends_with(".tgz") {
            continue;
        }
        let digest = stage::read(path).map(|file| Digest::of(&file).to_string());
        let digest = digest.unwrap_or_else(|| "no archive of a chart".to_owned());
        return Err(Error::Unlisted {
            what: format!("{} ({digest})", path.display()),
            known: versions_of(path).find_map(|(name, _)| known(name)),
        });
    }
    Ok(())
}

/// Refuses a folder in `charts/` that would be rendered in place of a chart that the lock takes from elsewhere.
fn refuse_folder(path: &Path, locked: &[Dependency]) -> Result<(), Error> {
    let Ok(chart) = resolve::head(path) else {
        return Ok(());
    };
    let name = &chart.metadata.name;
    match locked
        .iter()
        .find(|one| one.name == *name && is_remote(one))
    {
        None => Ok(()),
        Some(Dependency { version, .. }) => Err(Error::Unlisted {
            what: format!(
                "folder {}, which is in the way of {name} {version} of the lock,",
                path.display()
            ),
            known: None,
        }),
    }
}

/// Whether a dependency of a lock is neither part of the chart nor a folder of the project.
fn is_remote(one: &Dependency) -> bool {
    !one.repository.is_empty() && !one.repository.starts_with("file://")
}

/// The dependencies that a chart asks for, from the files that hold them alone.
pub(super) fn asked_for(folder: &Path) -> Option<Vec<Dependency>> {
    named_in(folder, REQUIREMENTS)
}

/// The dependencies in these files: name, version and repository.
fn named_in(folder: &Path, files: [&str; 2]) -> Option<Vec<Dependency>> {
    let mut all = Vec::new();
    for file in files {
        let Some(text) = stage::read(&folder.join(file)) else {
            continue;
        };
        let value = yaml::from_yaml_map(&text).ok()?.get("dependencies");
        let list = value.as_ref().and_then(Value::as_list);
        for entry in list.into_iter().flat_map(List::items) {
            let entry = entry.as_map()?;
            let field = |name: &str| {
                let value = entry.get(name)?;
                Some(value.as_str()?.to_text().into_owned())
            };
            let mut dependency = Dependency::default();
            dependency.name = field("name")?;
            dependency.version = field("version").unwrap_or_default();
            dependency.repository = field("repository").unwrap_or_default();
            all.push(dependency);
        }
    }
    Some(all)
}

/// Where a dependency stands, by its number in these files: the file, and its line in the usual form of YAML.
pub(super) fn place_of(folder: &Path, files: [&str; 2], number: usize) -> String {
    let paths = files.map(|file| folder.join(file));
    let line = |path: &PathBuf| {
        let text = stage::read(path)?;
        let text = String::from_utf8_lossy(&text);
        let lines = text.lines().zip(1..);
        let lines = lines.skip_while(|(line, _)| line.trim_end() != "dependencies:");
        let in_list = |line: &str| line.is_empty() || line.starts_with([' ', '-', '#']);
        let lines = lines.skip(1).take_while(|(line, _)| in_list(line));
        let mut indent = None;
        let mut items = lines.filter(|(line, _)| {
            let bare = line.trim_start();
            let depth = line.len() - bare.len();
            bare.starts_with('-') && *indent.get_or_insert(depth) == depth
        });
        let (_, line) = items.nth(number)?;
        Some(format!("{}:{line}", path.display()))
    };
    let there = || paths.iter().find(|path| path.exists());
    let found = paths.iter().find_map(line);
    found.unwrap_or_else(|| there().unwrap_or(&paths[0]).display().to_string())
}

/// `*` of `charts/NAME-*.tgz`.
fn version_of(path: &Path, dependency: &Dependency) -> Option<String> {
    let mut versions = versions_of(path);
    let found = versions.find(|(name, _)| *name == dependency.name);
    found.map(|(_, version)| version.to_owned())
}

/// What `charts/NAME-VERSION.tgz` may be an archive of: names and versions may have dashes, too.
fn versions_of(path: &Path) -> impl Iterator<Item = (&str, &str)> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.and_then(|name| name.strip_suffix(".tgz"));
    let name = name.unwrap_or_default();
    let dashes = name.match_indices('-');
    dashes.map(move |(at, _)| (&name[..at], &name[at + 1..]))
}

/// The names of charts that a folder or archive in `charts/` may be of, by its own name.
fn beginnings(path: &Path) -> impl Iterator<Item = &str> {
    let name = path.file_name().and_then(|name| name.to_str());
    versions_of(path).map(|(name, _)| name).chain(name)
}

fn of_archive(archive: &Path, dependency: &Dependency) -> &'static str {
    let Ok(found) = chart::load(archive, Profile::Helm4) else {
        return "corrupt";
    };
    if found.metadata.name != dependency.name {
        return "misnamed";
    }
    fitting(dependency, &found.metadata.version).unwrap_or("ok")
}

/// What is wrong with a version.
fn fitting(dependency: &Dependency, version: &str) -> Option<&'static str> {
    if dependency.version == version {
        return None;
    }
    if semver::check_constraint(&dependency.version).is_err() || !semver::is_version(version) {
        return Some("invalid version");
    }
    (!semver::satisfies(&dependency.version, version)).then_some("wrong version")
}

/// What is in `charts/` that `Chart.yaml` does not name, or that is no chart, as Helm warns of it.
#[must_use]
pub fn strangers(folder: &Path, chart: &Chart) -> Vec<String> {
    let mut warnings = Vec::new();
    for path in files(folder) {
        if !path.is_dir() && path.extension().is_none_or(|extension| extension != "tgz") {
            continue;
        }
        let shown = path.display();
        match chart::load(&path, Profile::Helm4) {
            Err(_) => warnings.push(format!("\"{shown}\" is not a chart.")),
            Ok(found) => {
                let mut named = chart.requirements().iter();
                if !named.any(|one| one.name == found.metadata.name) {
                    warnings.push(format!("\"{shown}\" is not in Chart.yaml."));
                }
            }
        }
    }
    warnings
}

/// What is in `charts/`, sorted; files with a dot in front are left out, as shells do.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder.join("charts")) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    files
}
