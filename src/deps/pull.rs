//! One chart out of a repository, by its name or by the address of its archive.

use super::origin::{Fetched, Network};
use super::resolve::check_range;
use super::{Error, MAX_ARCHIVE, restore};
use crate::image::Digest;
use crate::registry::{Watch, shown};
use reqwest::Url;
use windlass_helm::chart::{Chart, Dependency, Profile};
use windlass_helm::sprig::semver;

/// A chart as it was fetched, and checked to be one.
pub struct Pulled {
    /// The chart.
    pub chart: Chart,
    /// Its archive.
    pub file: Vec<u8>,
    /// The digest of the archive.
    pub digest: Digest,
    /// From where, without secrets.
    pub url: String,
    /// Its provenance, if it was asked for and is there.
    pub provenance: Option<Vec<u8>>,
}

/// Fetches `REPOSITORY/NAME` in the newest version that fits a range, else the newest of all, or an archive
/// `REPOSITORY/FILE.tgz`; with its provenance when that is asked for. The repository is an address (`https://…`,
/// `s3://BUCKET/PREFIX`) or, of a name alone, `@NAME`.
///
/// # Errors
/// An [`Error`] that says why there is no such chart.
pub async fn pull(
    network: &Network,
    address: &str,
    range: Option<&str>,
    with_provenance: bool,
    watch: Watch<'_>,
) -> Result<Pulled, Error> {
    let wrong = |cause: &str| Error::Chart(format!("{address}: {cause}"));
    let (place, name) = address
        .trim_end_matches('/')
        .rsplit_once('/')
        .unwrap_or_default();
    if place.is_empty() || place.ends_with('/') || place.ends_with(':') {
        return Err(wrong("names no chart: `REPOSITORY/NAME` is expected"));
    }
    let failed = |source| Error::Upload(Box::new(source));
    let (fetched, provenance) = match name.ends_with(".tgz") {
        true if range.is_some() => {
            return Err(wrong("names an archive: leave `--version` out"));
        }
        true => {
            let url = Url::parse(address).map_err(|error| wrong(&error.to_string()))?;
            let repository = network.repository(place)?;
            let (_, files) = network.files(&repository).await?;
            let file = files.get(&url, MAX_ARCHIVE, watch).await;
            let fetched = Fetched {
                file: file.map_err(failed)?,
                url: shown(&url),
                manifest: None,
            };
            let provenance = match with_provenance {
                true => files.provenance(&url).await.map_err(failed)?,
                false => None,
            };
            (fetched, provenance)
        }
        false => {
            let range = range.unwrap_or("*");
            newest(network, place, name, range, with_provenance, watch).await?
        }
    };
    let no_chart = |cause: windlass_helm::chart::Error| Error::NoArchive {
        chart: name.to_owned(),
        url: fetched.url.clone(),
        cause: cause.to_string(),
    };
    let chart = Chart::from_archive(&fetched.file, Profile::Helm4).map_err(no_chart)?;
    Ok(Pulled {
        chart,
        digest: Digest::of(&fetched.file),
        file: fetched.file,
        url: fetched.url,
        provenance,
    })
}

async fn newest(
    network: &Network,
    place: &str,
    name: &str,
    range: &str,
    with_provenance: bool,
    watch: Watch<'_>,
) -> Result<(Fetched, Option<Vec<u8>>), Error> {
    let mut wanted = Dependency::default();
    name.clone_into(&mut wanted.name);
    place.clone_into(&mut wanted.repository);
    range.clone_into(&mut wanted.version);
    check_range(&wanted)?;
    let repository = network.repository(place)?;
    let listed = network.list(&repository, &[name], &|_| {}).await?;
    let versions = listed.versions(name);
    let versions =
        versions.ok_or_else(|| Error::Chart(format!("{name} chart not found in repo {place}")))?;
    let fits = |version: &&String| semver::satisfies(range, version);
    let Some(version) = versions.iter().find(fits) else {
        let chart = format!("{name:?} (repository {place:?}, version {range:?})");
        return Err(Error::NoVersion(vec![chart]));
    };
    let fetched = network.download(&listed, name, version, watch).await?;
    version.clone_into(&mut wanted.version);
    restore::verify(&wanted, &fetched.url, &fetched.file)?;
    let provenance = match with_provenance {
        true => network.provenance_beside(&listed, name, version).await?.1,
        false => None,
    };
    Ok((fetched, provenance))
}
