//! Artifacts of one file, such as the packages of charts: read, and written.

use super::client::{Client, Upload, protocol};
use super::manifest::{checked, digest_of};
use super::mirrors::Endpoint;
use super::watch::Reading;
use super::{Error, Watch};
use crate::image::{Digest, Reference};
use reqwest::Method;
use serde_json::Value;

/// The kind of a manifest.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A file out of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The digest of its manifest.
    pub digest: Digest,
    /// The file; its bytes have the digest that the manifest states.
    pub file: Vec<u8>,
}

impl Client {
    /// Reads the layer of one of these media types, of at most `limit` bytes, of an artifact named by tag or digest.
    ///
    /// # Errors
    ///
    /// An [`Error`] that says why there is no file, after retries where they may help.
    pub async fn artifact(
        &self,
        image: &Reference,
        kinds: &[&str],
        limit: u64,
        watch: Watch<'_>,
    ) -> Result<Artifact, Error> {
        let reading = Reading { limit, watch };
        let by_digest = image.digest.is_some();
        self.at_each(image, by_digest, async |place| {
            self.artifact_at(image, place, kinds, reading).await
        })
        .await
    }

    async fn artifact_at(
        &self,
        image: &Reference,
        place: &Endpoint,
        kinds: &[&str],
        reading: Reading<'_>,
    ) -> Result<Artifact, Error> {
        let name = match &image.digest {
            Some(digest) => digest.as_str(),
            None => image.tag_or_latest(),
        };
        let (digest, manifest) = self.manifest::<Value>(image, place, name).await?;
        let layers = manifest["layers"].as_array().into_iter().flatten();
        let mut layers = layers.filter(|layer| {
            let kind = layer["mediaType"].as_str().unwrap_or_default();
            kinds.contains(&kind)
        });
        let Some(layer) = layers.next() else {
            return Err(Error::NoLayer {
                image: image.to_string(),
                kinds: kinds.join(" or "),
            });
        };
        let wanted = checked(place, layer["digest"].as_str().unwrap_or_default())?;
        let path = format!("blobs/{wanted}");
        let answer = self.request_within(Method::GET, place, &path, None, reading);
        let answer = answer.await?;
        if !answer.status.is_success() {
            let cause = format!("status {} for blob {wanted}", answer.status.as_u16());
            return Err(protocol(place, cause));
        }
        let actual = Digest::of(&answer.body);
        if actual != wanted {
            return Err(Error::WrongDigest {
                registry: place.registry.clone(),
                image: image.to_string(),
                stated: wanted.to_string(),
                actual: actual.to_string(),
            });
        }
        Ok(Artifact {
            digest,
            file: answer.body,
        })
    }

    /// Writes an artifact of a config and layers under the tag of `image`, and returns its digest. One of the same config
    /// and layers that has the tag already is left as it is, so that its digest stays: then it is returned with `true`.
    /// Mirrors are not asked.
    ///
    /// # Errors
    ///
    /// An [`Error`] that says what was not written.
    pub async fn put_artifact(
        &self,
        image: &Reference,
        config: (&str, &[u8]),
        layers: &[(&str, &[u8])],
        annotations: &Value,
    ) -> Result<(Digest, bool), Error> {
        let place = &self.own_place(image)?;
        let describe = |(kind, file): (&str, &[u8])| {
            let digest = Digest::of(file);
            serde_json::json!({"mediaType": kind, "digest": digest.as_str(), "size": file.len()})
        };
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": describe(config),
            "layers": layers.iter().copied().map(describe).collect::<Vec<_>>(),
            "annotations": annotations,
        });
        let path = format!("manifests/{}", image.tag_or_latest());
        let there = self.ask(Method::GET, place, &path).await?;
        if there.status.is_success()
            && let Ok(known) = serde_json::from_slice::<Value>(&there.body)
            && ["config", "layers"]
                .iter()
                .all(|part| known[part] == manifest[part])
        {
            return Ok((
                digest_of(image, place, image.tag_or_latest(), &there)?,
                true,
            ));
        }
        for (_, file) in layers.iter().copied().chain([config]) {
            self.put_blob(place, file).await?;
        }
        let body = manifest.to_string().into_bytes();
        let digest = Digest::of(&body);
        let upload = Upload {
            kind: MANIFEST,
            body: &body,
        };
        let put = self
            .request(Method::PUT, place, &path, Some(&upload))
            .await?;
        match put.status.is_success() {
            true => Ok((digest, false)),
            false => {
                let cause = format!("status {} for {image}", put.status.as_u16());
                Err(protocol(place, cause))
            }
        }
    }

    /// Deletes a tag; where the registry deletes no tags, the manifest that it names, with all its tags.
    ///
    /// # Errors
    ///
    /// [`Error::NotDeleted`] where the registry does not allow it, or another [`Error`].
    pub async fn delete(&self, image: &Reference) -> Result<(), Error> {
        let place = &self.own_place(image)?;
        let digest = self.digest(image, place).await?;
        let tag = image.tag_or_latest().to_owned();
        let mut answer = None;
        for name in [tag, digest.to_string()] {
            let path = format!("manifests/{name}");
            // The empty body asks for a login that may write.
            let nothing = Upload {
                kind: MANIFEST,
                body: &[],
            };
            let sent = self.request(Method::DELETE, place, &path, Some(&nothing));
            let sent = sent.await?;
            if sent.status.is_success() {
                return Ok(());
            }
            answer = Some(sent);
        }
        let status = answer.map_or(0, |answer| answer.status.as_u16());
        Err(Error::NotDeleted {
            registry: place.registry.clone(),
            image: image.to_string(),
            status,
        })
    }

    /// Where a repository itself is, not one of its mirrors.
    pub(super) fn own_place(&self, image: &Reference) -> Result<Endpoint, Error> {
        let mirrors = &self.settings.mirrors;
        let mut places = mirrors.endpoints(&image.registry, &image.repository, true)?;
        let place = places.pop();
        Ok(place.expect("invariant: a repository has a place of its own"))
    }

    /// Writes a blob unless it is there.
    async fn put_blob(&self, place: &Endpoint, file: &[u8]) -> Result<(), Error> {
        let digest = Digest::of(file);
        let path = format!("blobs/{digest}");
        if self
            .ask(Method::HEAD, place, &path)
            .await?
            .status
            .is_success()
        {
            return Ok(());
        }
        let upload = |body| Upload {
            kind: "application/octet-stream",
            body,
        };
        let begun = self
            .request(Method::POST, place, "blobs/uploads/", Some(&upload(&[])))
            .await?;
        let location = begun.headers.get("location");
        let location = location.and_then(|place| place.to_str().ok());
        let (Some(location), true) = (location, begun.status.is_success()) else {
            let cause = format!("status {} to an upload", begun.status.as_u16());
            return Err(protocol(place, cause));
        };
        let path = upload_path(place, location, &digest)?;
        let put = self
            .request(Method::PUT, place, &path, Some(&upload(file)))
            .await?;
        match put.status.is_success() {
            true => Ok(()),
            false => {
                let cause = format!("status {} for blob {digest}", put.status.as_u16());
                Err(protocol(place, cause))
            }
        }
    }
}

/// The path of an upload below its repository. One elsewhere is refused: the login would go there.
fn upload_path(place: &Endpoint, location: &str, digest: &Digest) -> Result<String, Error> {
    let Endpoint {
        registry,
        repository,
        ..
    } = place;
    let base = format!("https://{registry}/v2/{repository}/");
    let elsewhere = || protocol(place, format!("it wants an upload elsewhere: {location}"));
    let base = reqwest::Url::parse(&base).map_err(|_| elsewhere())?;
    let mut url = base.join(location).map_err(|_| elsewhere())?;
    if url.host_str() != base.host_str() || url.port() != base.port() {
        return Err(elsewhere());
    }
    url.query_pairs_mut().append_pair("digest", digest.as_str());
    let path = url.path().strip_prefix(base.path()).map(str::to_owned);
    let path = path.ok_or_else(elsewhere)?;
    Ok(format!("{path}?{}", url.query().unwrap_or_default()))
}
