//! What of a chart's dependencies is in its `charts/`, in Helm's words.
//!
//! Follows helm v4 `pkg/action/dependency.go`.

use super::stage;
use super::sum::Sum;
use super::{Error, Sums};
use crate::image::Digest;
use std::path::{Path, PathBuf};
use windlass_helm::chart::{self, Chart, Dependency, Profile};
use windlass_helm::sprig::semver;
use windlass_helm::value::{List, Value};
use windlass_helm::yaml;

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
/// # Errors
/// [`Error::Changed`] for an archive in `charts/` that is not what `Chart.sum` says.
pub fn check(folder: &Path) -> Result<bool, Error> {
    let has_lock = ["Chart.lock", "requirements.lock"].map(|lock| folder.join(lock).exists());
    let has_lock = has_lock.contains(&true);
    if has_lock && stage::is_interrupted(folder) {
        return Ok(true);
    }
    let sums = Sums::load(folder)?;
    for (name, version) in sums.0.keys() {
        let path = folder.join(format!("charts/{name}-{version}.tgz"));
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
    if !has_lock {
        return Ok(false);
    }
    let there = files(folder);
    let is_there = |dependency: &Dependency| {
        let of_name = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            name == Some(dependency.name.as_str()) || version_of(path, dependency).is_some()
        };
        there.iter().any(of_name)
    };
    let locked = named_in(folder, ["Chart.lock", "requirements.lock"]).unwrap_or_default();
    if is_stale(&locked, &there, &sums) {
        return Ok(true);
    }
    let named = asked_for(folder).unwrap_or_default();
    if named.iter().all(is_there) {
        return Ok(false);
    }
    // Archives may have other names than those of their charts. What cannot be loaded is told by the render.
    let Ok(chart) = chart::load(folder, Profile::Helm4) else {
        return Ok(false);
    };
    let mut wanted = chart.requirements().iter();
    Ok(!wanted.all(|wanted| {
        let mut found = chart.dependencies.iter();
        found.any(|found| found.metadata.name == wanted.name)
    }))
}

/// Whether `charts/` has another version of a chart than the lock, as after a pull of a newer lock. A lock that helm wrote
/// since is not in `Chart.sum` and says nothing here.
fn is_stale(locked: &[Dependency], there: &[PathBuf], sums: &Sums) -> bool {
    let is_locked = |name: &str, version: &str| {
        let mut of_name = locked.iter().filter(|one| one.name == name);
        of_name.any(|one| one.version == version)
    };
    let mut known = locked.iter();
    known.any(|one| {
        let other = |path: &PathBuf| {
            version_of(path, one).is_some_and(|version| {
                semver::is_strict_version(&version) && !is_locked(&one.name, &version)
            })
        };
        sums.get(&one.name, &one.version).is_some() && there.iter().any(other)
    })
}

/// The dependencies that a chart asks for, from the files that hold them alone.
pub(super) fn asked_for(folder: &Path) -> Option<Vec<Dependency>> {
    named_in(folder, ["Chart.yaml", "requirements.yaml"])
}

/// The dependencies in these files: name, version and repository.
fn named_in(folder: &Path, files: [&str; 2]) -> Option<Vec<Dependency>> {
    let mut all = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read(folder.join(file)) else {
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

/// `*` of `charts/NAME-*.tgz`.
fn version_of(path: &Path, dependency: &Dependency) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_suffix(".tgz")?;
    let rest = name.strip_prefix(&dependency.name)?.strip_prefix('-')?;
    Some(rest.to_owned())
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
