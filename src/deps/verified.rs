//! The archives that were gathered for `charts/`, verified by their provenance before they get there.
//!
//! A provenance that is in `charts/` is taken, else it is fetched from where the archive comes from: the file `.prov`
//! beside it, or a layer of the same manifest. Folders of the project are not verified.

use super::event::Event;
use super::origin::{Network, Origin};
use super::resolve::{self, Indexes, Wanted};
use super::restore::{Options, archive_of};
use super::stage::{self, Stage};
use super::{Error, Sums, Verifier, Verify};
use crate::image::Digest;
use crate::registry::shown_text;
use futures::StreamExt as _;
use std::collections::BTreeMap;
use windlass_helm::chart::Dependency;

/// Verifies what comes from repositories and registries. Returns the files to put into `charts/` beside the archives.
pub(super) async fn all(
    locked: &[Wanted],
    sums: &Sums,
    stage: &Stage,
    options: &Options<'_>,
) -> Result<Vec<String>, Error> {
    let Some(verifier) = options.verifier else {
        return Ok(Vec::new());
    };
    let mut wanted = BTreeMap::new();
    for one in locked {
        if matches!(one.origin, Origin::Repository(_) | Origin::Oci(_)) {
            wanted.insert((&one.dependency.name, &one.dependency.version), one);
        }
    }
    let (mut files, mut absent, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for one in wanted.into_values() {
        match local(one, stage, verifier, options) {
            true => files.push(provenance_of(&one.dependency)),
            false => absent.push(one),
        }
    }
    let (indexes, unread) = match options.network.offline {
        true => (Indexes::new(), Vec::new()),
        false => Box::pin(resolve::indexes(&absent, options)).await,
    };
    resolve::failures(unread, locked.len())?;
    let indexes = &indexes;
    let answers: Vec<_> = futures::stream::iter(&absent)
        .map(|one| fetched(one, indexes, sums, stage, verifier, options))
        .buffered(options.network.concurrency())
        .collect()
        .await;
    for (one, answer) in absent.iter().zip(answers) {
        match answer {
            Ok(true) => files.push(provenance_of(&one.dependency)),
            Ok(false) => {}
            Err(error) => errors.push(error),
        }
    }
    resolve::failures(errors, locked.len())?;
    Ok(files)
}

fn provenance_of(dependency: &Dependency) -> String {
    let Dependency { name, version, .. } = dependency;
    format!("{}.prov", archive_of(name, version))
}

/// The archive as it will be in `charts/`.
fn archive(dependency: &Dependency, stage: &Stage, options: &Options<'_>) -> Option<Vec<u8>> {
    let name = archive_of(&dependency.name, &dependency.version);
    let own = options.chart.join("charts").join(&name);
    stage.get(&name).or_else(|| stage::read(&own))
}

/// Whether what is in `charts/` already says that the archive is what somebody signed.
fn local(wanted: &Wanted, stage: &Stage, verifier: &Verifier, options: &Options<'_>) -> bool {
    let Dependency { name, version, .. } = &wanted.dependency;
    let beside = options
        .chart
        .join("charts")
        .join(provenance_of(&wanted.dependency));
    let provenance = stage::read(&beside);
    let file = archive(&wanted.dependency, stage, options);
    file.zip(provenance).is_some_and(|(file, provenance)| {
        let verified = verifier.verify((name, version), "", &file, Some(&provenance));
        verified.is_ok_and(|by| by.is_some())
    })
}

/// Fetches the provenance of an archive and verifies the archive by it; whether there is one.
async fn fetched(
    wanted: &Wanted,
    indexes: &Indexes,
    sums: &Sums,
    stage: &Stage,
    verifier: &Verifier,
    options: &Options<'_>,
) -> Result<bool, Error> {
    let Dependency { name, version, .. } = &wanted.dependency;
    let manifest = sums
        .get(name, version)
        .and_then(|sum| sum.manifest.as_ref());
    let (url, provenance) = match options.network.offline {
        true if verifier.verify == Verify::Always => {
            return Err(Error::Offline {
                what: format!("the provenance of chart {name} {version}"),
            });
        }
        true => (String::new(), None),
        false => of_network(wanted, indexes, manifest, options.network).await?,
    };
    let file = archive(&wanted.dependency, stage, options).unwrap_or_default();
    let by = verifier.verify((name, version), &url, &file, provenance.as_deref())?;
    match &by {
        Some(by) => {
            let note = format!("Verified {name} {version}: signed by {by}");
            (options.tell)(Event::Note(&note));
        }
        None => {
            let warning = format!("{name} {version} has no provenance, it is not verified");
            (options.tell)(Event::Warning(&warning));
        }
    }
    if let Some(provenance) = &provenance {
        stage.put(&provenance_of(&wanted.dependency), provenance)?;
    }
    Ok(by.is_some())
}

async fn of_network(
    wanted: &Wanted,
    indexes: &Indexes,
    manifest: Option<&Digest>,
    network: &Network,
) -> Result<(String, Option<Vec<u8>>), Error> {
    let Dependency { name, version, .. } = &wanted.dependency;
    match &wanted.origin {
        Origin::Oci(place) => network.provenance(place, name, version, manifest).await,
        Origin::Repository(repository) => match indexes.get(&repository.url) {
            Some(listed) => network.provenance_beside(listed, name, version).await,
            None => Ok((shown_text(&repository.url), None)),
        },
        Origin::Unpacked | Origin::Folder(_) => Ok((String::new(), None)),
    }
}
