//! Manifests: which digest a tag names, for which platforms it is, and whether all of an image is
//! there.

use super::Error;
use super::client::{Answer, Client, protocol};
use super::mirrors::Endpoint;
use crate::image::{Digest, Platform, Reference};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// How many blobs of one image are looked for at most: real images have some tens of layers.
const MAX_BLOBS: usize = 1000;

/// An index or the manifest of one image (OCI image specification, and Docker's older names).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Manifest {
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    layers: Vec<Descriptor>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Descriptor {
    digest: String,
    platform: Option<Platform>,
    /// Where layers that are not to be copied are.
    urls: Vec<String>,
}

/// What a tag names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The digest of the manifest.
    pub digest: Digest,
    /// The digest of the index from which it was selected, when a platform was asked for.
    pub index: Option<Digest>,
}

impl Client {
    /// The digest that the reference names now; its own digest, without a question, if it has one.
    /// With a platform, and where that is an index, the digest of its one image for the platform.
    ///
    /// # Errors
    ///
    /// An [`Error`] that says why there is no answer, after retries where they may help.
    pub async fn resolve(
        &self,
        image: &Reference,
        platform: Option<&Platform>,
    ) -> Result<Named, Error> {
        if let (Some(digest), None) = (&image.digest, platform) {
            return Ok(Named {
                digest: digest.clone(),
                index: None,
            });
        }
        self.at_each(
            image,
            image.digest.is_some(),
            async |place| match platform {
                Some(platform) => self.select(image, place, platform).await,
                None => Ok(Named {
                    digest: self.digest(image, place).await?,
                    index: None,
                }),
            },
        )
        .await
    }

    /// Reads the manifest of an image with a digest, and checks its bytes.
    ///
    /// # Errors
    ///
    /// An [`Error`] that says why it cannot be read, or that it is another one.
    pub(super) async fn read(&self, image: &str) -> Result<(), Error> {
        let image = Reference::parse(image)?;
        let Some(digest) = &image.digest else {
            return Ok(());
        };
        let read = async |place: &Endpoint| {
            self.manifest::<Manifest>(&image, place, digest.as_str())
                .await
        };
        self.at_each(&image, true, read).await.map(drop)
    }

    /// Whether all of an image with a digest is there: its manifests, whose bytes are checked, and
    /// of a single image its config and layers. Of an index the images of the given platforms are
    /// looked at in this way, of the others only the manifests. Returns the platforms that it is
    /// for, when the registry says so.
    ///
    /// # Errors
    ///
    /// An [`Error`] that says what is missing.
    pub async fn check(
        &self,
        image: &Reference,
        digest: &Digest,
        platforms: &[Platform],
    ) -> Result<Vec<Platform>, Error> {
        self.at_each(image, true, async |place| {
            let manifest = self.manifest::<Manifest>(image, place, digest.as_str());
            let manifest = manifest.await?.1;
            let Some(images) = &manifest.manifests else {
                return self.check_single(image, place, &manifest, platforms).await;
            };
            let given: Vec<Platform> = images.iter().filter_map(|i| i.platform.clone()).collect();
            for wanted in platforms {
                if !given.iter().any(|given| wanted.is_met_by(given)) {
                    return Err(no_platform(image, wanted, &given));
                }
            }
            for one in images {
                let wanted = |p: &Platform| platforms.iter().any(|wanted| wanted.is_met_by(p));
                if one.platform.as_ref().is_some_and(wanted) {
                    let manifest = self.manifest(image, place, &one.digest).await?.1;
                    self.blobs(place, &manifest).await?;
                } else {
                    let path = format!("manifests/{}", checked(place, &one.digest)?);
                    self.exists(place, &path, "manifest").await?;
                }
            }
            Ok(given.into_iter().filter(|p| p.os != "unknown").collect())
        })
        .await
    }

    async fn check_single(
        &self,
        image: &Reference,
        place: &Endpoint,
        manifest: &Manifest,
        platforms: &[Platform],
    ) -> Result<Vec<Platform>, Error> {
        self.blobs(place, manifest).await?;
        let Some(config) = manifest.config.as_ref().filter(|_| !platforms.is_empty()) else {
            return Ok(Vec::new());
        };
        let path = format!("blobs/{}", checked(place, &config.digest)?);
        let answer = self.ask(Method::GET, place, &path).await?;
        let own: Platform = serde_json::from_slice(&answer.body)
            .map_err(|_| protocol(place, "the config of an image is not JSON".to_owned()))?;
        match platforms.iter().find(|wanted| !wanted.is_met_by(&own)) {
            Some(wanted) => Err(no_platform(image, wanted, &[own])),
            None => Ok(vec![own]),
        }
    }

    /// Whether the config and the layers of an image are there.
    async fn blobs(&self, place: &Endpoint, manifest: &Manifest) -> Result<(), Error> {
        let blobs = manifest.config.iter().chain(&manifest.layers);
        for blob in blobs.filter(|blob| blob.urls.is_empty()).take(MAX_BLOBS) {
            let path = format!("blobs/{}", checked(place, &blob.digest)?);
            self.exists(place, &path, "blob").await?;
        }
        Ok(())
    }

    async fn exists(&self, place: &Endpoint, path: &str, what: &'static str) -> Result<(), Error> {
        let answer = self.ask(Method::HEAD, place, path).await?;
        match answer.status {
            status if status.is_success() => Ok(()),
            StatusCode::NOT_FOUND => Err(missing(place, what, path)),
            status => Err(protocol(place, format!("status {}", status.as_u16()))),
        }
    }

    pub(super) async fn digest(
        &self,
        image: &Reference,
        place: &Endpoint,
    ) -> Result<Digest, Error> {
        let path = format!("manifests/{}", image.tag_or_latest());
        let head = self.ask(Method::HEAD, place, &path).await?;
        if head.status.is_success()
            && let Some(digest) = stated_digest(place, &head.headers)?
        {
            return Ok(digest);
        }
        // Some registries answer HEAD without a digest, or not at all.
        let read = self.manifest::<Manifest>(image, place, image.tag_or_latest());
        Ok(read.await?.0)
    }

    async fn select(
        &self,
        image: &Reference,
        place: &Endpoint,
        platform: &Platform,
    ) -> Result<Named, Error> {
        let name = match &image.digest {
            Some(digest) => digest.as_str(),
            None => image.tag_or_latest(),
        };
        let (digest, manifest) = self.manifest::<Manifest>(image, place, name).await?;
        let Some(images) = &manifest.manifests else {
            return Ok(Named {
                digest,
                index: None,
            });
        };
        let given = images
            .iter()
            .filter_map(|one| Some((one.platform.as_ref()?, one)));
        let fitting: Vec<_> = given
            .clone()
            .filter(|(given, _)| platform.is_met_by(given))
            .collect();
        match fitting.as_slice() {
            [(_, one)] => Ok(Named {
                digest: checked(place, &one.digest)?,
                index: Some(digest),
            }),
            [] => {
                let given: Vec<_> = given.map(|(given, _)| given.clone()).collect();
                Err(no_platform(image, platform, &given))
            }
            several => Err(Error::ManyPlatforms {
                image: image.to_string(),
                wanted: platform.to_string(),
                fitting: told(several.iter().map(|(given, _)| *given)),
            }),
        }
    }

    /// The manifest with this tag or digest, and the digest of its bytes.
    pub(super) async fn manifest<T: DeserializeOwned>(
        &self,
        image: &Reference,
        place: &Endpoint,
        name: &str,
    ) -> Result<(Digest, T), Error> {
        let path = format!("manifests/{name}");
        let answer = self.ask(Method::GET, place, &path).await?;
        match answer.status {
            status if status.is_success() => {}
            StatusCode::NOT_FOUND if name.contains(':') => {
                return Err(missing(place, "manifest", &path));
            }
            StatusCode::NOT_FOUND => return Err(self.not_found(place, name).await),
            status => return Err(protocol(place, format!("status {}", status.as_u16()))),
        }
        let digest = digest_of(image, place, name, &answer)?;
        let manifest = serde_json::from_slice(&answer.body)
            .map_err(|_| protocol(place, "its manifest is not JSON".to_owned()))?;
        Ok((digest, manifest))
    }

    /// Asks at the mirrors of a repository and then at its own place, until one answers.
    pub(super) async fn at_each<T>(
        &self,
        image: &Reference,
        by_digest: bool,
        ask: impl AsyncFn(&Endpoint) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mirrors = &self.settings.mirrors;
        let mut places = mirrors.endpoints(&image.registry, &image.repository, by_digest)?;
        let own = places.pop();
        let mut failed = Vec::new();
        for place in places {
            match ask(&place).await {
                Ok(answer) => return Ok(answer),
                Err(error) => failed.push(error.to_string()),
            }
        }
        let own = own.expect("invariant: a repository has a place of its own");
        ask(&own).await.map_err(|source| match failed.as_slice() {
            [] => source,
            _ => Error::Mirrors {
                source: Box::new(source),
                failed: failed.join("; "),
            },
        })
    }
}

/// The digest of an answer's bytes, which has to be what the registry states and what was asked for.
pub(super) fn digest_of(
    image: &Reference,
    place: &Endpoint,
    name: &str,
    answer: &Answer,
) -> Result<Digest, Error> {
    let actual = Digest::of(&answer.body);
    let stated = stated_digest(place, &answer.headers)?.map(|digest| digest.to_string());
    let asked = name.contains(':').then(|| name.to_owned());
    match stated
        .into_iter()
        .chain(asked)
        .find(|other| *other != actual.as_str())
    {
        Some(stated) => Err(Error::WrongDigest {
            registry: place.registry.clone(),
            image: image.to_string(),
            stated,
            actual: actual.to_string(),
        }),
        None => Ok(actual),
    }
}

fn stated_digest(place: &Endpoint, headers: &HeaderMap) -> Result<Option<Digest>, Error> {
    let Some(value) = headers.get("docker-content-digest") else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    let digest = Digest::new(text.trim())
        .map_err(|error| protocol(place, format!("its digest header: {error}")))?;
    Ok(Some(digest))
}

/// A digest out of a manifest, which becomes part of an address.
pub(super) fn checked(place: &Endpoint, digest: &str) -> Result<Digest, Error> {
    Digest::new(digest).map_err(|error| protocol(place, format!("a manifest: {error}")))
}

fn missing(place: &Endpoint, what: &'static str, path: &str) -> Error {
    Error::Missing {
        registry: place.registry.clone(),
        repository: place.repository.clone(),
        what,
        digest: path.rsplit('/').next().unwrap_or(path).to_owned(),
    }
}

fn no_platform(image: &Reference, wanted: &Platform, given: &[Platform]) -> Error {
    Error::NoPlatform {
        image: image.to_string(),
        wanted: wanted.to_string(),
        given: told(given.iter().filter(|given| given.os != "unknown")),
    }
}

fn told<'a>(platforms: impl Iterator<Item = &'a Platform>) -> String {
    let names: Vec<String> = platforms.map(ToString::to_string).collect();
    match names.as_slice() {
        [] => "none that it names".to_owned(),
        _ => names.join(", "),
    }
}
