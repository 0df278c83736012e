//! Where dependencies come from, and how each place is asked: which versions it has, and for an archive.

use super::event::{Event, Tell, told};
use super::files::Files;
use super::index::{self, Entry, Incoming, MAX_INDEX};
use super::provenance::MAX_PROVENANCE;
use super::repositories::Repository;
use super::{CHART_LAYERS, Error, MAX_ARCHIVE, PROVENANCE_LAYER, Repositories};
use crate::image::{Digest, Reference};
use crate::registry::{
    self, Access, Client, Object, S3, S3_SCHEME, Server, Settings, Watch, is_local, shown,
    shown_text,
};
use reqwest::Url;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::OnceCell;
use windlass_helm::sprig::semver;

/// What addresses of OCI registries begin with.
pub const OCI_SCHEME: &str = "oci://";
/// The length of a SHA-256 digest in an index.
const HEX_DIGITS: usize = 64;

/// Where one dependency comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// `charts/NAME`, which is part of the chart.
    Unpacked,
    /// A folder on this machine.
    Folder(PathBuf),
    /// A chart repository.
    Repository(Box<Repository>),
    /// An OCI registry, with the path below it.
    Oci(String),
}

/// The network, as far as it may be used.
#[derive(Debug)]
pub struct Network {
    settings: Settings,
    /// The repositories that have a name.
    pub(super) repositories: Repositories,
    /// Whether nothing may be asked.
    pub(super) offline: bool,
    client: OnceCell<Client>,
    s3: OnceCell<Arc<S3>>,
}

/// An archive as it came.
pub(super) struct Fetched {
    /// From where, without secrets.
    pub(super) url: String,
    pub(super) file: Vec<u8>,
    pub(super) manifest: Option<Digest>,
}

/// A chart repository that was asked: the versions of the charts that are wanted.
pub(super) struct Listed {
    files: Files,
    base: Url,
    entries: BTreeMap<String, Vec<Entry>>,
}

impl Network {
    /// Prepares; nothing is asked yet.
    #[must_use]
    pub fn new(settings: Settings, repositories: Repositories, offline: bool) -> Self {
        Self {
            settings,
            repositories,
            offline,
            client: OnceCell::new(),
            s3: OnceCell::new(),
        }
    }

    /// How many requests may be under way at once.
    pub(super) fn concurrency(&self) -> usize {
        self.settings.concurrency.max(1)
    }

    /// The client of OCI registries.
    ///
    /// # Errors
    /// Settings that cannot be used.
    pub async fn client(&self) -> Result<&Client, registry::Error> {
        let make = async || Client::new(self.settings.clone());
        self.client.get_or_try_init(make).await
    }

    /// Reads the index of a repository.
    pub(super) async fn list(
        &self,
        repository: &Repository,
        names: &[&str],
        tell: Tell<'_>,
    ) -> Result<Listed, Error> {
        let (base, files) = self.files(repository, tell).await?;
        let wrong = |cause: String| unusable(shown(&base), cause);
        let index = resolved(&base, "index.yaml").map_err(wrong)?;
        let file = format!("index of {}", shown(&base));
        let empty = Incoming::new(names);
        let get = async |watch: Watch<'_>| {
            let came = files.read(&index, MAX_INDEX, watch, &empty).await?;
            match came.finish().transpose() {
                Some(read) => Ok(read),
                None => {
                    let text = files.get(&index, MAX_INDEX, watch).await?;
                    Ok(index::read(&text, names))
                }
            }
        };
        let read = told(tell, &file, None, get).await;
        let read = read.map_err(|error| unreadable(&base, &error))?;
        let entries = read.map_err(wrong)?;
        Ok(Listed {
            files,
            base,
            entries,
        })
    }

    /// The address of a repository, and where its files are read.
    pub(super) async fn files(
        &self,
        repository: &Repository,
        tell: Tell<'_>,
    ) -> Result<(Url, Files), Error> {
        let base = Url::parse(&repository.url);
        let base = base.map_err(|e| unusable(repository.name.clone(), e.to_string()))?;
        warn_if_open(&base, &repository.access, &self.settings, tell);
        let failed = |error: registry::Error| unreadable(&base, &error);
        let files = if repository.url.starts_with(S3_SCHEME) {
            Files::Bucket {
                bucket: Object::parse(&base).map_err(failed)?.bucket,
                s3: Arc::clone(self.s3().await.map_err(failed)?),
                pass_to_all: repository.access.pass_to_all,
                settings: Box::new(self.settings.clone()),
            }
        } else {
            let server = Server::new(&base, repository.access.clone(), &self.settings);
            Files::Server(Box::new(server.map_err(failed)?))
        };
        Ok((base, files))
    }

    /// The repository of an address or a name.
    pub(super) fn repository(&self, address: &str) -> Result<Repository, Error> {
        let found = self.repositories.find(address);
        found.ok_or_else(|| Error::UnknownRepository(shown_text(address)))
    }

    /// The client of S3.
    pub(super) async fn s3(&self) -> Result<&Arc<S3>, registry::Error> {
        let make = async || S3::new(&self.settings).map(Arc::new);
        self.s3.get_or_try_init(make).await
    }

    /// The versions of a chart in a registry, the newest first.
    pub(super) async fn tags(&self, place: &str, name: &str) -> Result<Vec<String>, Error> {
        let of_registry = |source| of(name, source);
        let image = chart_reference(place, name, "0").map_err(of_registry)?;
        let client = self.client().await.map_err(of_registry)?;
        let tags = client.tags(&image).await.map_err(of_registry)?;
        let versions = tags.iter().map(|tag| tag.replace('_', "+"));
        let mut versions: Vec<String> = versions
            .filter(|tag| semver::is_strict_version(tag))
            .collect();
        versions.sort_by(|a, b| semver::order(b, a));
        Ok(versions)
    }

    /// Fetches a chart from a registry.
    pub(super) async fn pull(
        &self,
        place: &str,
        name: &str,
        version: &str,
        watch: Watch<'_>,
    ) -> Result<Fetched, Error> {
        let of_registry = |source| of(name, source);
        let image = chart_reference(place, name, version).map_err(of_registry)?;
        self.pull_image(&image, watch).await.map_err(of_registry)
    }

    async fn pull_image(
        &self,
        image: &Reference,
        watch: Watch<'_>,
    ) -> Result<Fetched, registry::Error> {
        let client = self.client().await?;
        let artifact = client.artifact(image, &CHART_LAYERS, MAX_ARCHIVE, watch);
        let artifact = artifact.await?;
        Ok(Fetched {
            url: format!("{OCI_SCHEME}{image}"),
            file: artifact.file,
            manifest: Some(artifact.digest),
        })
    }

    /// Fetches what an address `oci://HOST/PATH/NAME` names by tag or digest, and its provenance on request.
    pub(super) async fn pull_exact(
        &self,
        address: &str,
        with_provenance: bool,
        watch: Watch<'_>,
    ) -> Result<(Fetched, Option<Vec<u8>>), registry::Error> {
        let mut image = reference_at(&address.replace('+', "_"))?;
        let fetched = self.pull_image(&image, watch).await?;
        image.digest.clone_from(&fetched.manifest);
        let provenance = match with_provenance {
            true => self.provenance_of(&image).await?.1,
            false => None,
        };
        Ok((fetched, provenance))
    }

    /// Fetches the provenance of a chart from a registry: a layer of the manifest that the chart itself came with.
    pub(super) async fn provenance(
        &self,
        place: &str,
        name: &str,
        version: &str,
        manifest: Option<&Digest>,
    ) -> Result<(String, Option<Vec<u8>>), Error> {
        let of_registry = |source| of(name, source);
        let mut image = chart_reference(place, name, version).map_err(of_registry)?;
        image.digest = manifest.cloned();
        self.provenance_of(&image).await.map_err(of_registry)
    }

    /// Fetches the provenance of an image that is a chart: a layer of its manifest, `None` when it has none.
    async fn provenance_of(
        &self,
        image: &Reference,
    ) -> Result<(String, Option<Vec<u8>>), registry::Error> {
        let client = self.client().await?;
        let found = client.artifact(image, &[PROVENANCE_LAYER], MAX_PROVENANCE, &|_| {});
        let found = match found.await {
            Ok(found) => Some(found.file),
            Err(registry::Error::NoLayer { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok((format!("{OCI_SCHEME}{image}"), found))
    }

    /// Fetches the provenance of a chart from a repository whose index was read: the file beside its archive.
    pub(super) async fn provenance_beside(
        &self,
        listed: &Listed,
        name: &str,
        version: &str,
    ) -> Result<(String, Option<Vec<u8>>), Error> {
        let of_server = |source| of(name, source);
        let Some(entry) = listed.entry(name, version) else {
            return Ok((shown(&listed.base), None));
        };
        if let Some(image) = entry.urls[0].strip_prefix(OCI_SCHEME) {
            let image = Reference::parse(image).map_err(|e| of_server(e.into()))?;
            return self.provenance_of(&image).await.map_err(of_server);
        }
        let url = resolved(&listed.base, &entry.urls[0]);
        let url = url.map_err(|cause| unusable(shown(&listed.base), cause))?;
        let provenance = listed.files.provenance(&url).await.map_err(of_server)?;
        Ok((shown(&url), provenance))
    }

    /// Fetches a chart from a repository whose index was read.
    pub(super) async fn download(
        &self,
        listed: &Listed,
        name: &str,
        version: &str,
        (tell, watch): (Tell<'_>, Watch<'_>),
    ) -> Result<Fetched, Error> {
        let of_server = |source| of(name, source);
        let Some(entry) = listed.entry(name, version) else {
            let cause = format!("chart \"{name}\" version \"{version}\" not found");
            return Err(unusable(shown(&listed.base), cause));
        };
        let address = &entry.urls[0];
        let url = resolved(&listed.base, address);
        let url = url.map_err(|cause| unusable(shown(&listed.base), cause))?;
        let stated = entry.digest.trim_start_matches("sha256:");
        let is_downgrade = url.scheme() == "http" && listed.base.scheme() != "http";
        if is_downgrade && stated.len() != HEX_DIGITS {
            warn_if_open(&url, &Access::default(), &self.settings, tell);
        }
        let fetched = match address.strip_prefix(OCI_SCHEME) {
            Some(image) => {
                let image = Reference::parse(image).map_err(|e| of_server(e.into()))?;
                self.pull_image(&image, watch).await.map_err(of_server)?
            }
            None => Fetched {
                file: (listed.files.get(&url, MAX_ARCHIVE, watch).await).map_err(of_server)?,
                url: shown(&url),
                manifest: None,
            },
        };
        let actual = Digest::of(&fetched.file);
        let actual = actual.hex();
        if stated.len() == HEX_DIGITS && !stated.eq_ignore_ascii_case(actual) {
            return Err(Error::WrongDigest {
                chart: format!("{name} {version}"),
                url: fetched.url,
                difference: format!(
                    "has sha256 {actual}, the index of its repository says {}",
                    entry.digest
                ),
            });
        }
        Ok(fetched)
    }
}

impl Listed {
    /// The versions of a chart that can be fetched, the newest first; `None` for a chart that is not there.
    pub(super) fn versions(&self, name: &str) -> Option<Vec<String>> {
        let entries = self.entries.get(name)?.iter();
        let usable = entries.filter(|entry| !entry.urls.is_empty());
        Some(usable.map(|entry| entry.version.clone()).collect())
    }

    /// Whether several entries are of this version, and not the same.
    pub(super) fn is_ambiguous(&self, name: &str, version: &str) -> bool {
        let entries = self.entries.get(name).into_iter().flatten();
        let mut same = entries.filter(|entry| entry.version == version && !entry.urls.is_empty());
        let first = same.next();
        same.any(|other| Some(other) != first)
    }

    /// This version, else one that differs from it in metadata alone.
    fn entry(&self, name: &str, version: &str) -> Option<&Entry> {
        let entries = || {
            let entries = self.entries.get(name).into_iter().flatten();
            entries.filter(|entry| !entry.urls.is_empty())
        };
        let exact = entries().find(|entry| entry.version == version);
        exact.or_else(|| entries().find(|one| semver::order(&one.version, version).is_eq()))
    }
}

fn unusable(url: String, cause: String) -> Error {
    Error::Repository { url, cause }
}

/// What a server says comes with what to do about it.
fn unreadable(base: &Url, error: &registry::Error) -> Error {
    let url = shown(base);
    Error::Refused {
        request: format!("looks like {url} is not a valid chart repository or cannot be reached"),
        answer: error.to_string(),
        hint: error.hint(),
    }
}

/// Warns of a server whose answers anybody on the way can change.
pub(super) fn warn_if_open(base: &Url, access: &Access, settings: &Settings, tell: Tell<'_>) {
    let cause = match base.scheme() {
        "http" if !is_local(base.host_str().unwrap_or_default()) => "it is asked over plain http",
        "https" if access.insecure || !settings.verify_certificates => {
            "its certificate is not checked"
        }
        _ => return,
    };
    let base = shown(base);
    let warning = format!("{base}: {cause}; anybody on the way can change what comes from there");
    tell(Event::Warning(&warning));
}

fn of(name: &str, source: registry::Error) -> Error {
    Error::Registry {
        name: name.to_owned(),
        source: Box::new(source),
    }
}

/// An address out of an index, relative to its repository.
///
/// Follows helm v4 `pkg/repo/v1/chartrepo.go`, `ResolveReferenceURL`.
pub(super) fn resolved(base: &Url, address: &str) -> Result<Url, String> {
    if let Ok(url) = Url::parse(address) {
        return Ok(url);
    }
    let mut folder = base.clone();
    folder.set_path(&format!("{}/", base.path().trim_end_matches('/')));
    let mut url = folder
        .join(address)
        .map_err(|error| format!("failed to parse {address} as URL: {error}"))?;
    // A token for the repository is for no other host.
    if url.origin() == base.origin() {
        url.set_query(base.query());
    }
    Ok(url)
}

/// The reference of a chart below an address `oci://HOST/PATH`; `+` in versions is `_` in tags.
///
/// # Errors
/// A path or version that a registry cannot have.
pub fn chart_reference(
    place: &str,
    name: &str,
    version: &str,
) -> Result<Reference, registry::Error> {
    let tag = version.replace('+', "_");
    reference_at(&format!("{}/{name}:{tag}", place.trim_end_matches('/')))
}

/// The reference of an address `oci://HOST/PATH`, with a tag or digest.
fn reference_at(address: &str) -> Result<Reference, registry::Error> {
    let path = address.strip_prefix(OCI_SCHEME).unwrap_or(address);
    let (host, repository) = path.split_once('/').unwrap_or(("", path));
    // A host without a dot is a host here, not a folder on Docker Hub.
    let text = match host.contains(['.', ':']) || host == "localhost" {
        true => path.to_owned(),
        false => format!("{host}:443/{repository}"),
    };
    let mut image = Reference::parse(&text)?;
    if !host.contains(['.', ':']) {
        host.clone_into(&mut image.registry);
    }
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::{chart_reference, resolved};
    use reqwest::Url;

    #[test]
    fn addresses_are_relative_to_the_repository() {
        let of = |base: &str, address: &str| {
            let base = Url::parse(base).unwrap();
            resolved(&base, address).unwrap().to_string()
        };
        for (base, address, want) in [
            ("https://a.io/x", "web.tgz", "https://a.io/x/web.tgz"),
            (
                "https://a.io/x/?t=1",
                "c/web.tgz",
                "https://a.io/x/c/web.tgz?t=1",
            ),
            ("https://a.io/x/", "/web.tgz", "https://a.io/web.tgz"),
            ("https://a.io/x?t=1", "//b.io/w.tgz", "https://b.io/w.tgz"),
            (
                "https://a.io",
                "https://b.io/web.tgz",
                "https://b.io/web.tgz",
            ),
            ("https://a.io", "file:///etc/passwd", "file:///etc/passwd"),
        ] {
            assert_eq!(of(base, address), want);
        }
    }

    #[test]
    fn charts_have_references() {
        let text = |place, version| {
            let image = chart_reference(place, "web", version).unwrap();
            format!(
                "{}|{}|{}",
                image.registry,
                image.repository,
                image.tag_or_latest()
            )
        };
        assert_eq!(
            text("oci://a.io/charts/", "1.0.0+b"),
            "a.io|charts/web|1.0.0_b"
        );
        assert_eq!(text("oci://localhost:5000", "1"), "localhost:5000|web|1");
        assert_eq!(text("oci://host/charts", "1"), "host|charts/web|1");
        for place in ["oci://", "oci://a.io/UP", "oci://a.io/x\ny", "oci://u@h/x"] {
            assert!(chart_reference(place, "web", "1").is_err(), "{place}");
        }
    }
}
