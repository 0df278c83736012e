//! A chart on its way out: the archive, what it says of itself, and its provenance.

use super::{Error, stage};
use std::path::{Path, PathBuf};
use windlass_helm::chart::{self, Chart, Metadata, Profile};

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
    /// Reads an archive as it is, with the `.prov` beside it, or packs the directory of a chart.
    ///
    /// # Errors
    /// What cannot be read, and what is no chart.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let wrong = |error: chart::Error| Error::Chart(error.to_string());
        if path.is_dir() {
            let package = chart::package(path, None, None).map_err(wrong)?;
            return Ok(Self {
                metadata: package.metadata,
                file: package.bytes,
                provenance: None,
            });
        }
        std::fs::metadata(path).map_err(|error| Error::file(path, error))?;
        let file = stage::read(path);
        let file = file.ok_or_else(|| Error::file(path, "cannot be read, or is too large"))?;
        let chart = Chart::from_archive(&file, Profile::Helm4).map_err(wrong)?;
        Ok(Self {
            metadata: chart.metadata,
            provenance: stage::read(&beside(path)),
            file,
        })
    }

    /// The name of the archive.
    #[must_use]
    pub fn archive(&self) -> String {
        format!("{}-{}.tgz", self.metadata.name, self.metadata.version)
    }
}

/// Where the provenance of an archive is.
#[must_use]
pub fn beside(archive: &Path) -> PathBuf {
    let mut path = archive.as_os_str().to_owned();
    path.push(".prov");
    path.into()
}
