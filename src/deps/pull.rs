//! One chart out of a repository or registry, by its name or by the address of its archive.

use super::event::{Tell, told};
use super::origin::{Fetched, Network, OCI_SCHEME, resolved};
use super::resolve::check_range;
use super::{Error, MAX_ARCHIVE, restore};
use crate::image::Digest;
use crate::registry::{Watch, shown, shown_text};
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

/// Fetches `REPOSITORY/NAME` in the newest version that fits a range, else the newest of all, or exactly an archive
/// `REPOSITORY/FILE.tgz` or what a tag or digest names in a registry; with its provenance when that is asked for. The
/// repository is an address (`oci://…`, `https://…`, `s3://BUCKET/PREFIX`) or, of a name alone, `@NAME`.
///
/// # Errors
/// An [`Error`] that says why there is no such chart.
pub async fn pull(
    network: &Network,
    address: &str,
    range: Option<&str>,
    with_provenance: bool,
    tell: Tell<'_>,
) -> Result<Pulled, Error> {
    let shown = shown_text(address);
    let wrong = |cause: &str| Error::Chart(format!("{shown}: {cause}"));
    let (place, name) = address
        .trim_end_matches('/')
        .rsplit_once('/')
        .unwrap_or_default();
    if place.is_empty() || place.ends_with('/') || place.ends_with(':') {
        return Err(wrong("names no chart: `REPOSITORY/NAME` is expected"));
    }
    let is_oci = place.starts_with(OCI_SCHEME);
    let is_exact = match is_oci {
        true => name.contains([':', '@']),
        false => name.ends_with(".tgz"),
    };
    if is_exact && range.is_some() {
        return Err(wrong("names one version: leave `--version` out"));
    }
    let range = range.unwrap_or("*");
    let get = async |watch: Watch<'_>| match is_exact {
        true if is_oci => {
            let found = network.pull_exact(address, with_provenance, watch).await;
            found.map_err(|source| Error::Upload(Box::new(source)))
        }
        true => archive(network, (place, name), with_provenance, (tell, watch)).await,
        false => {
            newest(
                network,
                (place, name, range),
                with_provenance,
                (tell, watch),
            )
            .await
        }
    };
    let (fetched, provenance) =
        told(tell, &shown, None, get)
            .await
            .map_err(|error| match error {
                Error::Registry { source, .. } => Error::Upload(source),
                error => error,
            })?;
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

/// An archive by its address.
async fn archive(
    network: &Network,
    (place, name): (&str, &str),
    with_provenance: bool,
    (tell, watch): (Tell<'_>, Watch<'_>),
) -> Result<(Fetched, Option<Vec<u8>>), Error> {
    let failed = |source| Error::Upload(Box::new(source));
    let (base, files) = network.files(&network.repository(place)?, tell).await?;
    let url = resolved(&base, name).map_err(Error::Chart)?;
    let fetched = Fetched {
        file: (files.get(&url, MAX_ARCHIVE, watch).await).map_err(failed)?,
        url: shown(&url),
        manifest: None,
    };
    let provenance = match with_provenance {
        true => files.provenance(&url).await.map_err(failed)?,
        false => None,
    };
    Ok((fetched, provenance))
}

/// The newest version that fits.
async fn newest(
    network: &Network,
    (place, name, range): (&str, &str, &str),
    with_provenance: bool,
    (tell, watch): (Tell<'_>, Watch<'_>),
) -> Result<(Fetched, Option<Vec<u8>>), Error> {
    let mut wanted = Dependency::default();
    name.clone_into(&mut wanted.name);
    range.clone_into(&mut wanted.version);
    check_range(&wanted)?;
    let shown = shown_text(place);
    let fitting = |versions: Vec<String>| {
        let mut versions = versions.into_iter();
        let found = versions.find(|version| semver::satisfies(range, version));
        let chart = || format!("{name:?} (repository {shown:?}, version {range:?})");
        found.ok_or_else(|| Error::NoVersion(vec![chart()]))
    };
    let (fetched, version, provenance);
    if place.starts_with(OCI_SCHEME) {
        version = match semver::is_version(range) {
            true => range.to_owned(),
            false => fitting(network.tags(place, name).await?)?,
        };
        fetched = network.pull(place, name, &version, watch).await?;
        provenance = match with_provenance {
            true => {
                let manifest = fetched.manifest.as_ref();
                network.provenance(place, name, &version, manifest).await?.1
            }
            false => None,
        };
    } else {
        let listed = network
            .list(&network.repository(place)?, &[name], tell)
            .await?;
        let unknown = || Error::Chart(format!("{name} chart not found in repo {shown}"));
        version = fitting(listed.versions(name).ok_or_else(unknown)?)?;
        fetched = network
            .download(&listed, name, &version, (tell, watch))
            .await?;
        provenance = match with_provenance {
            true => network.provenance_beside(&listed, name, &version).await?.1,
            false => None,
        };
    }
    wanted.version = version;
    restore::verify(&wanted, &fetched.url, &fetched.file)?;
    Ok((fetched, provenance))
}
