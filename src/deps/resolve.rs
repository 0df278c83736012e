//! From what `Chart.yaml` asks for to versions: where each dependency comes from, and the newest one that fits.
//!
//! Follows helm v4 `internal/resolver/resolver.go` and `pkg/downloader/manager.go` (`resolveRepoNames`).

use super::Error;
use super::origin::{Listed, OCI_SCHEME, Origin};
use super::restore::Options;
use super::{stage, status};
use crate::registry::shown_text;
use futures::StreamExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use windlass_helm::chart::{self, Chart, Dependency, Profile};
use windlass_helm::sprig::semver;
use windlass_helm::value::Str;

/// A dependency whose origin is known.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// As `Chart.yaml` or the lock has it, with the address in place of the name of a repository.
    pub(super) dependency: Dependency,
    pub(super) origin: Origin,
}

/// Repositories that were asked, by their address.
pub(super) type Indexes = BTreeMap<String, Listed>;

/// Finds out where dependencies come from that stand in `files` of the chart.
pub(super) fn origins(
    dependencies: &[Dependency],
    files: [&str; 2],
    options: &Options<'_>,
) -> Result<Vec<Wanted>, Error> {
    let mut wanted = Vec::new();
    let mut unknown = Vec::new();
    for (number, dependency) in dependencies.iter().enumerate() {
        let found = origin(dependency, options).map_err(|source| Error::Placed {
            place: status::place_of(options.chart, files, number),
            source: Box::new(source),
        })?;
        match found {
            Some(one) => wanted.push(one),
            None => unknown.push(shown_text(&dependency.repository)),
        }
    }
    match unknown.is_empty() {
        true => Ok(wanted),
        false => Err(Error::UnknownRepository(unknown.join(", "))),
    }
}

/// Where one comes from; `None` for a repository with a name that is not known.
fn origin(dependency: &Dependency, options: &Options<'_>) -> Result<Option<Wanted>, Error> {
    check_name(&dependency.name)?;
    check_range(dependency)?;
    let mut dependency = dependency.clone();
    let repository = dependency.repository.clone();
    let origin = if repository.is_empty() {
        Origin::Unpacked
    } else if repository.starts_with("file://") {
        let folder = folder(&dependency.name, &repository, options)?;
        refuse_cycle(&dependency.name, &folder, options)?;
        Origin::Folder(folder)
    } else if repository.starts_with(OCI_SCHEME) {
        Origin::Oci(repository)
    } else if let Some(found) = options.network.repositories.find(&repository) {
        if is_name(&repository) {
            dependency.repository.clone_from(&found.url);
        }
        Origin::Repository(Box::new(found))
    } else {
        return Ok(None);
    };
    Ok(Some(Wanted { dependency, origin }))
}

/// Whether a repository is one of Helm's configuration, by its name.
pub(super) fn is_name(repository: &str) -> bool {
    repository.starts_with('@') || repository.starts_with("alias:")
}

/// The name becomes part of paths, and a word of a line of `Chart.sum`.
fn check_name(name: &str) -> Result<(), Error> {
    let bad = name.is_empty()
        || name.starts_with(['.', '#'])
        || name.contains(|c: char| matches!(c, '/' | '\\') || c.is_control() || c.is_whitespace());
    match bad {
        true => Err(Error::Chart(format!("dependency name {name:?} is invalid"))),
        false => Ok(()),
    }
}

/// The folder of a `file://` dependency, which has to be within the project.
fn folder(name: &str, repository: &str, options: &Options<'_>) -> Result<PathBuf, Error> {
    let path = Path::new(repository.trim_start_matches("file://"));
    let joined = cleaned(&options.chart.join(path));
    let missing = || Error::Chart(format!("directory {} not found", joined.display()));
    let real = joined.canonicalize().map_err(|_| missing())?;
    match &options.fence {
        Some(fence) if !real.starts_with(fence) => Err(Error::Outside {
            name: name.to_owned(),
            path: real.display().to_string(),
            fence: fence.display().to_string(),
        }),
        _ => Ok(joined),
    }
}

/// Refuses a folder whose own `file://` dependencies lead back to the chart: each update would pack the one before.
fn refuse_cycle(name: &str, first: &Path, options: &Options<'_>) -> Result<(), Error> {
    let Ok(own) = options.chart.canonicalize() else {
        return Ok(());
    };
    let mut seen = BTreeSet::new();
    let mut open = vec![(first.to_owned(), name.to_owned())];
    while let Some((path, way)) = open.pop() {
        let Ok(path) = path.canonicalize() else {
            continue;
        };
        if path == own {
            return Err(Error::Chart(format!(
                "dependency {name}: its `file://` dependencies lead back to this chart: {way}"
            )));
        }
        if !seen.insert(path.clone()) {
            continue;
        }
        let within = Options {
            chart: &path,
            ..options.clone()
        };
        for needed in status::asked_for(&path).unwrap_or_default() {
            if needed.repository.starts_with("file://")
                && let Ok(next) = folder(&needed.name, &needed.repository, &within)
            {
                open.push((next, format!("{way} → {}", needed.name)));
            }
        }
    }
    Ok(())
}

/// `filepath.Clean`.
fn cleaned(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match (part, clean.components().next_back()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => drop(clean.pop()),
            (part, _) => clean.push(part),
        }
    }
    clean
}

/// The metadata and lock of a chart alone, from their files: neither templates are read nor archives unpacked.
pub(super) fn head(folder: &Path) -> Result<Chart, Error> {
    let files = status::REQUIREMENTS.iter().chain(&status::LOCKS);
    let read = |name: &&str| {
        let file = stage::read(&folder.join(name))?;
        let text = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&file);
        Some(((*name).to_owned(), Str::from(text)))
    };
    let files: Vec<(String, Str)> = files.filter_map(read).collect();
    if !files.iter().any(|(name, _)| name == "Chart.yaml") {
        return load(folder);
    }
    Chart::from_files(files, Profile::Helm4).map_err(|error| Error::Chart(error.to_string()))
}

/// Loads the folder of a dependency.
pub(super) fn load(folder: &Path) -> Result<Chart, Error> {
    chart::load(folder, Profile::Helm4).map_err(|error| Error::Chart(error.to_string()))
}

/// Checks a constraint of a dependency.
pub(super) fn check_range(dependency: &Dependency) -> Result<(), Error> {
    semver::check_constraint(&dependency.version).map_err(|cause| {
        let name = &dependency.name;
        Error::Chart(format!(
            "dependency {name:?} has an invalid version/constraint format: {cause}"
        ))
    })
}

/// Asks the repositories of these dependencies for their indexes, each once. What fails is told beside what is there.
pub(super) async fn indexes(wanted: &[&Wanted], options: &Options<'_>) -> (Indexes, Vec<Error>) {
    let network = options.network;
    let mut names = BTreeMap::<&str, (&Wanted, Vec<&str>)>::new();
    for one in wanted {
        if let Origin::Repository(repository) = &one.origin {
            let entry = names.entry(&repository.url);
            let entry = entry.or_insert_with(|| (one, Vec::new()));
            entry.1.push(&one.dependency.name);
        }
    }
    let ask = async |(url, (one, names)): (&str, (&Wanted, Vec<&str>))| {
        let Origin::Repository(repository) = &one.origin else {
            return None;
        };
        let listed = network.list(repository, &names, options.tell).await;
        Some((url.to_owned(), listed))
    };
    let asked: Vec<_> = futures::stream::iter(names)
        .map(ask)
        .buffered(network.concurrency())
        .collect()
        .await;
    let (mut found, mut errors) = (Indexes::new(), Vec::new());
    for (url, listed) in asked.into_iter().flatten() {
        match listed {
            Ok(listed) => drop(found.insert(url, listed)),
            Err(error) => errors.push(error),
        }
    }
    (found, errors)
}

/// One error as it is, several together.
pub(super) fn failures(mut errors: Vec<Error>, of: usize) -> Result<(), Error> {
    match errors.len() {
        0 => Ok(()),
        1 => Err(errors.remove(0)),
        _ => Err(Error::Several { errors, of }),
    }
}

/// What there is of each dependency.
struct Answers {
    /// The versions, the newest first; `None` where that is not known.
    versions: Vec<Option<Vec<String>>>,
    indexes: Indexes,
    /// Why not.
    errors: Vec<Error>,
}

/// Asks what there is of each dependency. Of a registry, a version that `Chart.yaml` names needs no question, unless
/// `all` are wanted.
async fn ask(wanted: &[&Wanted], all: bool, options: &Options<'_>) -> Result<Answers, Error> {
    let is_asked = |one: &&&Wanted| match &one.origin {
        Origin::Repository(_) => true,
        Origin::Oci(_) => all || !semver::is_version(&one.dependency.version),
        Origin::Unpacked | Origin::Folder(_) => false,
    };
    if let (Some(one), true) = (wanted.iter().find(is_asked), options.network.offline) {
        return Err(Error::Offline {
            what: format!("the list of versions of {}", one.dependency.name),
        });
    }
    let (indexes, mut errors) = indexes(wanted, options).await;
    let answers: Vec<_> = futures::stream::iter(wanted)
        .map(|one| versions(one, all, &indexes, options))
        .buffered(options.network.concurrency())
        .collect()
        .await;
    let known = |answer: Result<_, _>| {
        answer.unwrap_or_else(|error| {
            errors.push(error);
            None
        })
    };
    Ok(Answers {
        versions: answers.into_iter().map(known).collect(),
        indexes,
        errors,
    })
}

/// Chooses a version for each dependency: the newest that fits.
pub(super) async fn choose(
    wanted: &[Wanted],
    options: &Options<'_>,
) -> Result<(Vec<Wanted>, Indexes), Error> {
    let all: Vec<&Wanted> = wanted.iter().collect();
    let mut answers = ask(&all, false, options).await?;
    let (mut locked, mut missing) = (Vec::new(), Vec::new());
    for (one, versions) in wanted.iter().zip(answers.versions) {
        let Dependency {
            name,
            version,
            repository,
            ..
        } = &one.dependency;
        let Some(versions) = versions else { continue };
        // What is part of the chart is checked when it is restored.
        let is_part = one.origin == Origin::Unpacked;
        let fits = |candidate: &&String| is_part || semver::satisfies(version, candidate);
        let Some(chosen) = versions.iter().find(fits) else {
            let repository = shown_text(repository);
            missing.push(format!(
                "{name:?} (repository {repository:?}, version {version:?})"
            ));
            continue;
        };
        let mut dependency = Dependency::default();
        name.clone_into(&mut dependency.name);
        repository.clone_into(&mut dependency.repository);
        chosen.clone_into(&mut dependency.version);
        locked.push(Wanted {
            dependency,
            origin: one.origin.clone(),
        });
    }
    if !missing.is_empty() {
        answers.errors.push(Error::NoVersion(missing));
    }
    failures(answers.errors, wanted.len())?;
    Ok((locked, answers.indexes))
}

/// The versions that there are, the newest first; `None` where the index of the repository could not be read.
async fn versions(
    wanted: &Wanted,
    all: bool,
    indexes: &Indexes,
    options: &Options<'_>,
) -> Result<Option<Vec<String>>, Error> {
    let Dependency {
        name,
        version,
        repository,
        ..
    } = &wanted.dependency;
    match &wanted.origin {
        // Part of the chart: the lock says the range, as Helm's does.
        Origin::Unpacked => {
            folder(name, &format!("charts/{name}"), &options.unfenced())?;
            Ok(Some(vec![version.clone()]))
        }
        Origin::Folder(folder) => Ok(Some(vec![load(folder)?.metadata.version])),
        Origin::Oci(_) if !all && semver::is_version(version) => Ok(Some(vec![version.clone()])),
        Origin::Oci(place) => options.network.tags(place, name).await.map(Some),
        Origin::Repository(found) => {
            let Some(listed) = indexes.get(&found.url) else {
                return Ok(None);
            };
            let place = shown_text(repository);
            let unknown = || Error::Chart(format!("{name} chart not found in repo {place}"));
            listed.versions(name).ok_or_else(unknown).map(Some)
        }
    }
}

/// A dependency, and which newer versions there are of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newer {
    /// Its name.
    pub name: String,
    /// Where it comes from, without secrets.
    pub repository: String,
    /// The range of versions that `Chart.yaml` asks for.
    pub range: String,
    /// The version that the lock has.
    pub locked: Option<String>,
    /// The newest that fits the range.
    pub wanted: Option<String>,
    /// The newest of all, without pre-releases.
    pub latest: Option<String>,
}

/// Tells for each dependency from a repository or registry which newer versions there are.
///
/// # Errors
/// As [`update`](super::update).
pub async fn newer(options: &Options<'_>) -> Result<Vec<Newer>, Error> {
    let chart = head(options.chart)?;
    let wanted = origins(chart.requirements(), status::REQUIREMENTS, options)?;
    let mut locks: Vec<&Dependency> = (chart.lock.iter())
        .flat_map(|lock| &lock.dependencies)
        .collect();
    // A chart that is asked for twice is in the lock twice, in the same order.
    let of_lock = |one: &Wanted| {
        let is_same = |lock: &&Dependency| lock.name == one.dependency.name;
        let at = locks.iter().position(is_same)?;
        Some(locks.remove(at).version.clone())
    };
    let locked: Vec<Option<String>> = wanted.iter().map(of_lock).collect();
    let is_remote = |one: &&Wanted| matches!(one.origin, Origin::Repository(_) | Origin::Oci(_));
    let remote: Vec<&Wanted> = wanted.iter().filter(is_remote).collect();
    let answers = ask(&remote, true, options).await?;
    let locked = wanted.iter().zip(locked);
    let locked = locked.filter(|(one, _)| is_remote(one));
    let mut found = Vec::new();
    for ((one, locked), versions) in locked.zip(answers.versions) {
        let Some(versions) = versions else { continue };
        let Dependency {
            name,
            version,
            repository,
            ..
        } = &one.dependency;
        let newest = |range| {
            versions
                .iter()
                .find(|v| semver::satisfies(range, v))
                .cloned()
        };
        found.push(Newer {
            name: name.clone(),
            repository: shown_text(repository),
            range: version.clone(),
            locked,
            wanted: newest(version),
            latest: newest("*"),
        });
    }
    failures(answers.errors, remote.len())?;
    Ok(found)
}
