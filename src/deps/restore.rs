//! `charts/` made what the lock says, all of it or nothing.
//!
//! Follows helm v4 `pkg/downloader/manager.go` (`Build`, `Update`, `downloadAll`, `safeMoveDeps`). Archives are fetched,
//! checked and written aside first; only when all are there does `charts/` change. What a kill leaves half done after
//! that is done by the next run: the mark of a change comes first, then sums of both states, then the lock.

use super::event::{Event, Tell, told};
use super::origin::{Fetched, Network, Origin};
use super::package::beside;
use super::resolve::{self, Indexes, Wanted};
use super::stage::{self, Stage, Turn};
use super::status::{LOCKS, REQUIREMENTS};
use super::sum::Sum;
use super::{Cache, Error, Sums, Verifier, verified};
use crate::image::Digest;
use crate::registry::Watch;
use futures::StreamExt as _;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use windlass_helm::chart::{self, Chart, Dependency, Lock, Profile};
use windlass_helm::sprig::semver;

/// What is restored, and with what.
#[derive(Clone)]
pub struct Options<'a> {
    /// The folder of the chart.
    pub chart: &'a Path,
    /// The folder that `file://` must not leave, without links; `None` for none.
    pub fence: Option<PathBuf>,
    /// Where archives are kept.
    pub cache: &'a Cache,
    /// The network.
    pub network: &'a Network,
    /// The time of the lock.
    pub now: Timestamp,
    /// How archives are verified, if they are.
    pub verifier: Option<&'a Verifier>,
    /// Is told what is done.
    pub tell: Tell<'a>,
}

impl Options<'_> {
    /// The same without a fence.
    pub(super) fn unfenced(&self) -> Self {
        Self {
            fence: None,
            ..self.clone()
        }
    }
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many archives belong into `charts/`.
    pub archives: usize,
    /// How many of them were fetched over the network.
    pub fetched: usize,
    /// The archives that were removed: no dependency is of them any more.
    pub removed: Vec<String>,
    /// The lock that was written, if it changed.
    pub lock: Option<&'static str>,
}

/// Restores `charts/` from the lock; without a lock it is an [`update`].
///
/// # Errors
/// As [`update`].
pub async fn build(options: &Options<'_>) -> Result<Report, Error> {
    let turn = Turn::wait(options.chart, options.tell).await;
    let chart = load(options.chart)?;
    let Some(lock) = &chart.lock else {
        return renew(&chart, &turn, options).await;
    };
    let requirements = chart.requirements();
    let wanted = resolve::origins(
        &addressed(requirements, lock, options),
        REQUIREMENTS,
        options,
    )?;
    if !is_in_sync(requirements, &wanted, lock, &chart) {
        let is_v1 = chart.metadata.api_version == "v1";
        return Err(Error::OutOfSync {
            lock: lock_name(&chart),
            file: if is_v1 {
                "requirements.yaml"
            } else {
                "Chart.yaml"
            },
        });
    }
    let locked = resolve::origins(&lock.dependencies, LOCKS, options)?;
    restore(locked, Indexes::new(), None, &turn, options).await
}

/// Dependencies on repositories with names that nothing here knows, with the addresses that the lock has for them.
fn addressed(requirements: &[Dependency], lock: &Lock, options: &Options<'_>) -> Vec<Dependency> {
    let of_lock = |(at, one): (usize, &Dependency)| {
        let mut one = one.clone();
        let locked = lock.dependencies.get(at);
        if let Some(locked) = locked.filter(|locked| locked.name == one.name)
            && resolve::is_name(&one.repository)
            && options.network.repositories.find(&one.repository).is_none()
        {
            one.repository.clone_from(&locked.repository);
        }
        one
    };
    requirements.iter().enumerate().map(of_lock).collect()
}

/// Chooses the newest versions that fit, restores `charts/` and writes the lock.
///
/// # Errors
/// An [`Error`] with everything that failed; `charts/` and the lock are as they were then. Where a file cannot be put
/// into its place, the next run does the rest.
pub async fn update(options: &Options<'_>) -> Result<Report, Error> {
    let turn = Turn::wait(options.chart, options.tell).await;
    renew(&load(options.chart)?, &turn, options).await
}

async fn renew(chart: &Chart, turn: &Turn, options: &Options<'_>) -> Result<Report, Error> {
    if chart.metadata.dependencies.is_none() {
        return Ok(Report::default());
    }
    let wanted = resolve::origins(chart.requirements(), REQUIREMENTS, options)?;
    let file = options.chart.join(lock_name(chart));
    if let Ok(link) = std::fs::read_link(&file) {
        return Err(Error::Chart(format!(
            "the {} file is a symlink to \"{}\"",
            lock_name(chart),
            link.display()
        )));
    }
    let (locked, indexes) = Box::pin(resolve::choose(&wanted, options)).await?;
    let requirements: Vec<Dependency> = wanted.into_iter().map(|one| one.dependency).collect();
    let dependencies: Vec<Dependency> = locked.iter().map(|w| w.dependency.clone()).collect();
    let digest = digest(&requirements, &dependencies)?;
    let is_same = |old: &Lock| {
        let of_old = self::digest(&requirements, &old.dependencies);
        old.digest == digest && of_old.is_ok_and(|of_old| of_old == digest)
    };
    if chart.lock.as_ref().is_some_and(is_same) {
        return restore(locked, indexes, None, turn, options).await;
    }
    let mut lock = Lock::default();
    lock.digest = digest;
    lock.generated = options.now.to_string();
    lock.dependencies = dependencies;
    let text = lock.to_yaml().map_err(Error::Chart)?;
    let lock = Some((lock_name(chart), text));
    restore(locked, indexes, lock, turn, options).await
}

fn load(folder: &Path) -> Result<Chart, Error> {
    if let Err(error) = std::fs::metadata(folder) {
        let folder = folder.display();
        return Err(Error::Chart(format!("could not find {folder}: {error}")));
    }
    if !folder.is_dir() {
        let only = "only unpacked charts can be updated";
        return Err(Error::Chart(only.to_owned()));
    }
    resolve::head(folder)
}

fn lock_name(chart: &Chart) -> &'static str {
    match chart.metadata.api_version.as_str() {
        "v1" => "requirements.lock",
        _ => "Chart.lock",
    }
}

fn digest(requirements: &[Dependency], locked: &[Dependency]) -> Result<String, Error> {
    let text = Lock::digest_text(requirements, locked).map_err(Error::Chart)?;
    Ok(Digest::of(text.as_bytes()).to_string())
}

/// Whether a lock is of these dependencies, by Helm's digest or, in charts of the first format, that of Helm 2.
fn is_in_sync(requirements: &[Dependency], wanted: &[Wanted], lock: &Lock, chart: &Chart) -> bool {
    let named: Vec<Dependency> = wanted.iter().map(|one| one.dependency.clone()).collect();
    let is = |text: Result<String, String>| {
        text.is_ok_and(|text| Digest::of(text.as_bytes()).as_str() == lock.digest)
    };
    is(Lock::digest_text(&named, &lock.dependencies))
        || (chart.metadata.api_version == "v1" && is(Lock::digest_text_of_helm2(requirements)))
}

/// What becomes of one dependency.
enum Step {
    /// It is part of the chart.
    Unpacked,
    /// Its archive is in the stage or in `charts/`.
    Ready(Option<Sum>),
    /// It has to be fetched.
    Fetch,
}

/// Puts all archives into `charts/`, removes those that belong there no longer, and writes a new lock.
async fn restore(
    mut locked: Vec<Wanted>,
    indexes: Indexes,
    lock: Option<(&'static str, Vec<u8>)>,
    turn: &Turn,
    options: &Options<'_>,
) -> Result<Report, Error> {
    let old = Sums::load(options.chart)?.unwrap_or_default();
    let mut stage = Stage::new(options.chart, turn)?;
    let sources: Sources = locked
        .iter()
        .map(|one| with_source(&one.dependency))
        .collect();
    let (mut steps, mut errors) = (Vec::new(), Vec::new());
    for one in &mut locked {
        steps.push(
            local(one, &old, &sources, &stage, options).unwrap_or_else(|error| {
                errors.push(error);
                Step::Unpacked
            }),
        );
    }
    let (found, failed) = fetch(&locked, &steps, indexes, &old, &stage, options).await;
    options.cache.tidy();
    errors.extend(failed);
    resolve::failures(errors, locked.len())?;
    let mut report = Report {
        fetched: found.len(),
        ..Report::default()
    };
    let mut names = BTreeSet::new();
    let mut sums = Sums::default();
    let steps = locked.iter().zip(steps);
    let ready = steps.filter_map(|(one, step)| match step {
        Step::Ready(sum) => Some((&one.dependency, sum)),
        Step::Unpacked | Step::Fetch => None,
    });
    for (dependency, sum) in ready.chain(found) {
        let Dependency { name, version, .. } = dependency;
        if let Some(sum) = sum {
            sums.check(name, version, &sum)?;
            sums.0.insert((name.clone(), version.clone()), sum);
        }
        names.insert(archive_of(name, version));
    }
    let provenances = Box::pin(verified::all(&locked, &sums, &stage, options)).await?;
    stage.begin()?;
    let mut both = old;
    both.0.extend(sums.0.clone());
    both.save(options.chart)?;
    if let Some((name, text)) = lock {
        stage::keep(&options.chart.join(name), &text)?;
        report.lock = Some(name);
    }
    let mut places = names.iter().chain(&provenances);
    places.try_for_each(|name| stage.place(name))?;
    report.archives = names.len();
    report.removed = remove_outdated(&locked, &names, options)?;
    sums.save(options.chart)?;
    stage.end();
    Ok(report)
}

/// The name of an archive in `charts/`.
pub(super) fn archive_of(name: &str, version: &str) -> String {
    format!("{name}-{version}.tgz")
}

/// What can be done for a dependency without the network.
fn local(
    wanted: &mut Wanted,
    sums: &Sums,
    sources: &Sources,
    stage: &Stage,
    options: &Options<'_>,
) -> Result<Step, Error> {
    let Wanted { dependency, origin } = wanted;
    match origin {
        Origin::Unpacked => {
            let found = resolve::head(&options.chart.join("charts").join(&dependency.name))?;
            let version = &found.metadata.version;
            if semver::satisfies(&dependency.version, version) {
                return Ok(Step::Unpacked);
            }
            Err(Error::Chart(format!(
                "dependency {} at version {version} does not satisfy the constraint {}",
                dependency.name, dependency.version
            )))
        }
        Origin::Folder(folder) => {
            let package = chart::package(folder, None, None);
            let package = package.map_err(|error| Error::Chart(error.to_string()))?;
            let version = package.metadata.version;
            if !semver::satisfies(&dependency.version, &version) {
                return Err(Error::Chart(format!(
                    "can't get a valid version for dependency {}",
                    dependency.name
                )));
            }
            if package.metadata.name != dependency.name {
                return Err(Error::Chart(format!(
                    "dependency {}: the chart in {} is {}",
                    dependency.name,
                    folder.display(),
                    package.metadata.name
                )));
            }
            stage.put(&archive_of(&dependency.name, &version), &package.bytes)?;
            dependency.version = version;
            Ok(Step::Ready(None))
        }
        Origin::Repository(_) | Origin::Oci(_) => known(dependency, sums, sources, stage, options),
    }
}

/// Charts with where they come from: name, version, and the source as `Chart.sum` has it.
type Sources = BTreeSet<(String, String, String)>;

fn with_source(dependency: &Dependency) -> (String, String, String) {
    let Dependency { name, version, .. } = dependency;
    (name.clone(), version.clone(), source(dependency))
}

/// An archive that is in `charts/` or in the cache, with the content that it has to have.
fn known(
    dependency: &Dependency,
    sums: &Sums,
    sources: &Sources,
    stage: &Stage,
    options: &Options<'_>,
) -> Result<Step, Error> {
    let Dependency { name, version, .. } = dependency;
    // From another place now, which may have something else under this version.
    let is_of = |sum: &Sum| sources.contains(&(name.clone(), version.clone(), sum.source.clone()));
    if !options.network.offline && sums.get(name, version).is_some_and(|sum| !is_of(sum)) {
        return Ok(Step::Fetch);
    }
    let archive = archive_of(name, version);
    let path = options.chart.join("charts").join(&archive);
    // A link is not kept, even to what is right.
    let keep = |file: &[u8]| match path.is_symlink() {
        true => stage.put(&archive, file),
        false => Ok(()),
    };
    match (sums.get(name, version), stage::read(&path)) {
        (Some(sum), Some(file)) if Digest::of(&file) == sum.archive => {
            options.cache.put(&sum.archive, &file);
            keep(&file)?;
            return Ok(Step::Ready(Some(sum.clone())));
        }
        (Some(sum), _) => {
            if let Some(file) = options.cache.get(&sum.archive) {
                stage.put(&archive, &file)?;
                return Ok(Step::Ready(Some(sum.clone())));
            }
        }
        // Without the network there is nothing to compare it with.
        (None, Some(file)) if options.network.offline => {
            verify(dependency, &path.display().to_string(), &file)?;
            keep(&file)?;
            let sum = Sum {
                source: source(dependency),
                archive: Digest::of(&file),
                manifest: None,
            };
            return Ok(Step::Ready(Some(sum)));
        }
        (None, _) => {}
    }
    match options.network.offline {
        true => Err(Error::Offline {
            what: format!("chart {name} {version}"),
        }),
        false => Ok(Step::Fetch),
    }
}

/// Where a dependency comes from, without secrets.
fn source(dependency: &Dependency) -> String {
    let url = reqwest::Url::parse(&dependency.repository);
    let shown = url.map(|url| crate::registry::shown(&url));
    let shown = shown.unwrap_or_else(|_| dependency.repository.clone());
    shown.replace(char::is_whitespace, "")
}

type Found<'a> = Vec<(&'a Dependency, Option<Sum>)>;

/// Fetches what has to be fetched into the stage, side by side, each chart once. What fails is told beside what came.
async fn fetch<'a>(
    locked: &'a [Wanted],
    steps: &[Step],
    mut indexes: Indexes,
    sums: &Sums,
    stage: &Stage,
    options: &Options<'_>,
) -> (Found<'a>, Vec<Error>) {
    let mut wanted = BTreeMap::new();
    for (one, step) in locked.iter().zip(steps) {
        if matches!(step, Step::Fetch) {
            let Dependency { name, version, .. } = &one.dependency;
            wanted.insert((name, version, &one.dependency.repository), one);
        }
    }
    let mut wanted: Vec<&Wanted> = wanted.into_values().collect();
    let is_read = |one: &&Wanted, indexes: &Indexes| match &one.origin {
        Origin::Repository(repository) => indexes.contains_key(&repository.url),
        _ => true,
    };
    let unread = wanted.iter().filter(|one| !is_read(one, &indexes));
    let unread: Vec<&Wanted> = unread.copied().collect();
    let (read, mut errors) = Box::pin(resolve::indexes(&unread, options)).await;
    indexes.extend(read);
    let indexes = &indexes;
    wanted.retain(|one| is_read(one, indexes));
    let answers: Vec<_> = futures::stream::iter(&wanted)
        .map(|one| one_of(one, indexes, sums, stage, options))
        .buffered(options.network.concurrency())
        .collect()
        .await;
    let mut found = Vec::new();
    for (one, answer) in wanted.iter().zip(answers) {
        match answer {
            Ok(sum) => found.push((&one.dependency, Some(sum))),
            Err(error) => errors.push(error),
        }
    }
    (found, errors)
}

/// Fetches one chart and checks what came.
async fn one_of(
    wanted: &Wanted,
    indexes: &Indexes,
    sums: &Sums,
    stage: &Stage,
    options: &Options<'_>,
) -> Result<Sum, Error> {
    let Wanted { dependency, origin } = wanted;
    let Dependency { name, version, .. } = dependency;
    let source = source(dependency);
    let network = options.network;
    if let Origin::Repository(repository) = origin
        && let Some(listed) = indexes.get(&repository.url)
        && listed.is_ambiguous(name, version)
    {
        let warning = format!("{source} has {name} {version} more than once; the first is taken");
        (options.tell)(Event::Warning(&warning));
    }
    let get = async |watch: Watch<'_>| match origin {
        Origin::Oci(place) => network.pull(place, name, version, watch).await,
        Origin::Repository(repository) => match indexes.get(&repository.url) {
            Some(listed) => {
                network
                    .download(listed, name, version, (options.tell, watch))
                    .await
            }
            None => Err(Error::Chart(format!("{name} chart not found in {source}"))),
        },
        Origin::Unpacked | Origin::Folder(_) => Err(Error::Chart(format!("{name} is not fetched"))),
    };
    let chart = format!("{name} {version}");
    let fetched = told(options.tell, &chart, Some(&source), get).await?;
    let Fetched {
        url,
        file,
        manifest,
    } = fetched;
    let sum = Sum {
        source,
        archive: Digest::of(&file),
        manifest,
    };
    sums.check(name, version, &sum)?;
    verify(dependency, &url, &file)?;
    options.cache.put(&sum.archive, &file);
    stage.put(&archive_of(name, version), &file)?;
    Ok(sum)
}

/// Refuses what is no archive of the chart.
pub(super) fn verify(dependency: &Dependency, url: &str, file: &[u8]) -> Result<(), Error> {
    let Dependency { name, version, .. } = dependency;
    let wrong = |cause: String| Error::NoArchive {
        chart: format!("{name} {version}"),
        url: url.to_owned(),
        cause,
    };
    let chart = Chart::from_archive(file, Profile::Helm4).map_err(|e| wrong(e.to_string()))?;
    let found = &chart.metadata;
    let is_of = found.name == *name && semver::order(&found.version, version).is_eq();
    match is_of {
        true => Ok(()),
        false => Err(wrong(format!("it is {} {}", found.name, found.version))),
    }
}

/// Removes archives of charts that are no dependency any more, as Helm does; other files stay.
fn remove_outdated(
    locked: &[Wanted],
    names: &BTreeSet<String>,
    options: &Options<'_>,
) -> Result<Vec<String>, Error> {
    let charts = options.chart.join("charts");
    let unreadable = |error: std::io::Error| Error::file(&charts, error);
    let mut removed = Vec::new();
    for entry in std::fs::read_dir(&charts).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.path().is_file() || names.contains(&name) {
            continue;
        }
        let Ok(chart) = chart::load(&entry.path(), Profile::Helm4) else {
            continue;
        };
        let is_local = |one: &Wanted| {
            one.origin == Origin::Unpacked && one.dependency.name == chart.metadata.name
        };
        if !locked.iter().any(is_local) {
            std::fs::remove_file(entry.path()).map_err(unreadable)?;
            // It may not have been verified.
            drop(std::fs::remove_file(beside(&entry.path())));
            removed.push(name);
        }
    }
    removed.sort();
    for name in &removed {
        let note = format!("Deleted the outdated charts/{name}");
        (options.tell)(Event::Note(&note));
    }
    Ok(removed)
}
