//! A chart on its way out: the archive, what it says of itself, and its provenance.

use super::restore::archive_of;
use super::status::{check, refuse_incomplete};
use super::{Error, stage};
use std::path::{Path, PathBuf};
use windlass_helm::chart::{self, Chart, Metadata, Profile};
use windlass_helm::sprig::semver;

/// A chart to push.
#[derive(Debug)]
pub struct Package {
    /// What it says of itself.
    pub metadata: Metadata,
    /// The archive.
    pub file: Vec<u8>,
    /// The provenance that lies beside the archive, as Helm signs it.
    pub provenance: Option<Vec<u8>>,
}

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The chart is there now.
    New,
    /// It was there already, with the same content.
    Known,
}

impl Package {
    /// Reads an archive as it is, with the `.prov` beside it, or packs the directory of a chart as [`pack`] does.
    ///
    /// # Errors
    /// What cannot be read, and what is no chart.
    pub fn read(path: &Path) -> Result<Self, Error> {
        if path.is_dir() {
            return pack(path, None, None);
        }
        std::fs::metadata(path).map_err(|error| Error::file(path, error))?;
        let file = stage::read(path);
        let file = file.ok_or_else(|| Error::file(path, "cannot be read, or is too large"))?;
        let chart = Chart::from_archive(&file, Profile::Helm4);
        let chart = chart.map_err(|error| Error::Chart(error.to_string()))?;
        Ok(Self {
            metadata: chart.metadata,
            provenance: stage::read(&beside(path)),
            file,
        })
    }

    /// The name of the archive.
    #[must_use]
    pub fn archive(&self) -> String {
        archive_of(&self.metadata.name, &self.metadata.version)
    }
}

/// Packs a chart, with other versions than `Chart.yaml` has on request. A directory has to hold what it asks for, as
/// `Chart.sum` says: what is published is what is rendered.
///
/// # Errors
/// As [`check`], and what lacks a dependency or is no chart.
pub fn pack(
    path: &Path,
    version: Option<&str>,
    app_version: Option<&str>,
) -> Result<Package, Error> {
    if path.is_dir() {
        let is_stale = check(path)?;
        refuse_incomplete(path)?;
        if is_stale {
            return Err(Error::Refused {
                request: path.display().to_string(),
                answer: "its charts/ is not what its lock says".to_owned(),
                hint: Some("`windlass deps build CHART` restores it".to_owned()),
            });
        }
    }
    let package = chart::package(path, version, app_version);
    let package = package.map_err(|error| Error::Chart(error.to_string()))?;
    Ok(Package {
        metadata: package.metadata,
        file: package.bytes,
        provenance: None,
    })
}

/// Whether a file is an archive of this chart.
pub(super) fn is_chart(file: &[u8], name: &str, version: &str) -> bool {
    Chart::from_archive(file, Profile::Helm4).is_ok_and(|chart| {
        let Metadata { name: own, .. } = &chart.metadata;
        own == name && semver::order(&chart.metadata.version, version).is_eq()
    })
}

/// Where the provenance of an archive is.
#[must_use]
pub fn beside(archive: &Path) -> PathBuf {
    let mut path = archive.as_os_str().to_owned();
    path.push(".prov");
    path.into()
}
