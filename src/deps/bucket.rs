//! Chart repositories in buckets of S3, written: archives beside an `index.yaml`, as helm-s3 keeps them.
//!
//! The index is written only in place of the one that was read, and else read again, so that of many who push at once
//! none loses an entry; helm-s3 has no such condition. The archive is there before the index names it. Addresses in the
//! index are relative, so that the bucket can be served by http, too.

use super::index::MAX_INDEX;
use super::package::is_chart;
use super::restore::archive_of;
use super::{Error, MAX_ARCHIVE, Package, Pushed};
use crate::image::Digest;
use crate::registry::{self, Condition, Found, Object, S3, Settings};
use jiff::Timestamp;
use reqwest::Url;
use windlass_helm::chart::{IndexFile, Metadata};

/// How often the index is tried to be written while others write it.
const TRIES: u32 = 60;

/// A repository in a bucket.
#[derive(Debug)]
pub struct Bucket {
    s3: S3,
    place: Object,
}

impl Bucket {
    /// The repository `s3://BUCKET/PREFIX`; nothing is asked yet.
    ///
    /// # Errors
    /// An address that is none, and settings of AWS that cannot be used.
    pub fn open(address: &str, settings: &Settings) -> Result<Self, Error> {
        let url = Url::parse(address).map_err(|e| Error::Chart(format!("{address}: {e}")))?;
        Ok(Self {
            place: Object::parse(&url).map_err(|error| failed(address, error))?,
            s3: S3::new(settings).map_err(|error| failed(address, error))?,
        })
    }

    /// The address of a file of the repository.
    #[must_use]
    pub fn shown(&self, name: &str) -> String {
        self.place.join(name).to_string()
    }

    /// Puts a chart, and its provenance, into the bucket and its index.
    ///
    /// # Errors
    /// Another content under the same version, unless `force`, and a bucket that does not take it.
    pub async fn push(
        &self,
        package: &Package,
        force: bool,
        now: Timestamp,
    ) -> Result<Pushed, Error> {
        let metadata = &package.metadata;
        let Metadata { name, version, .. } = metadata;
        let digest = Digest::of(&package.file).hex().to_owned();
        let (archive, mut done) = (package.archive(), Pushed::Known);
        for attempt in 1..=TRIES {
            let (mut index, found) = self.index().await?;
            let known = index.digest(name, version);
            let known = known.map(|known| known.trim_start_matches("sha256:").to_lowercase());
            let other = known
                .as_ref()
                .filter(|known| !known.is_empty() && **known != digest);
            if let (Some(other), false) = (other, force) {
                return Err(self.taken(&archive, other, &digest));
            }
            // With force both are written again: another one may be replacing them right now.
            let is_listed = known.as_ref() == Some(&digest) && !force;
            let put = self.put_archive(package, force).await?;
            match put {
                Some(false) if is_listed => return Ok(done),
                Some(true) => done = Pushed::New,
                _ => {}
            }
            if put.is_some() && !is_listed {
                index.add(metadata, &archive, &digest, &now.to_string());
                let is_written = self.replace(&index, found.as_ref(), now).await?;
                // A delete looks at the index after it removed the archive, and this the other way round.
                if is_written && self.read(&self.place.join(&archive)).await?.is_some() {
                    return Ok(done);
                }
            }
            self.s3.pause(attempt).await;
        }
        Err(self.overtaken())
    }

    /// Takes a version of a chart out of the index, and then its archive and provenance out of the bucket. Where the
    /// index has it no longer, as after a run that was cut short, what is left of it is removed.
    ///
    /// # Errors
    /// A version that is not there, and a bucket that does not allow it.
    pub async fn delete(&self, name: &str, version: &str, now: Timestamp) -> Result<(), Error> {
        let archive = archive_of(name, version);
        let (mut was_listed, mut is_removed) = (false, false);
        for attempt in 1..=TRIES {
            let (mut index, found) = self.index().await?;
            let is_listed = index.remove(name, version).is_some();
            was_listed |= is_listed;
            if is_listed && !self.replace(&index, found.as_ref(), now).await? {
                self.s3.pause(attempt).await;
                continue;
            }
            if is_removed && !is_listed {
                return Ok(());
            }
            if !was_listed {
                let left = self.read(&self.place.join(&archive)).await?;
                if !left.is_some_and(|file| is_chart(&file, name, version)) {
                    return Err(Error::absent(&self.place, &index, name, version));
                }
            }
            // Only what a push has put there: what else an index names may be anything.
            for file in [&format!("{archive}.prov"), &archive] {
                let removed = self.s3.delete(&self.place.join(file)).await;
                removed.map_err(|error| self.failed(error))?;
            }
            // The index is looked at again: a push that came between has an entry without an archive now.
            is_removed = true;
        }
        Err(self.overtaken())
    }

    /// The index as it is; an empty one where there is none yet.
    async fn index(&self) -> Result<(IndexFile, Option<Found>), Error> {
        let object = self.place.join("index.yaml");
        let found = self
            .s3
            .get(&object, MAX_INDEX, &|_| {})
            .await
            .map_err(|error| self.failed(error))?;
        let index = match &found {
            None => IndexFile::default(),
            Some(found) => IndexFile::read(&found.bytes)
                .map_err(|cause| Error::Chart(format!("{object}: {cause}")))?,
        };
        Ok((index, found))
    }

    /// Writes the index if it is still the one that was read.
    async fn replace(
        &self,
        index: &IndexFile,
        read: Option<&Found>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let object = self.place.join("index.yaml");
        let wrong = |cause: String| Error::Chart(format!("{object}: {cause}"));
        let text = index.to_yaml(&now.to_string()).map_err(wrong)?;
        let condition = match read {
            None => Condition::Absent,
            Some(found) if found.etag.is_empty() => {
                return Err(wrong(
                    "the server gives it no `ETag` to write it by".to_owned(),
                ));
            }
            Some(found) => Condition::Unchanged(&found.etag),
        };
        let put = self.s3.put(&object, &text, "application/yaml", condition);
        put.await.map_err(|error| self.failed(error))
    }

    /// Puts the archive where none is, or any with force, and its provenance beside it; tells whether the archive was put,
    /// `None` when another one put one at the same time.
    async fn put_archive(&self, package: &Package, force: bool) -> Result<Option<bool>, Error> {
        let archive = package.archive();
        let object = self.place.join(&archive);
        let condition = match force {
            true => Condition::Always,
            false => Condition::Absent,
        };
        // Servers that do not know conditions replace it in silence.
        let is_known = !force && self.has(&object, package).await?;
        if !is_known {
            let kind = "application/gzip";
            let put = self.s3.put(&object, &package.file, kind, condition);
            if !put.await.map_err(|error| self.failed(error))? {
                return Ok(None);
            }
        }
        let beside = self.place.join(&format!("{archive}.prov"));
        match &package.provenance {
            // Also of an archive that was there: it may be what is missing.
            Some(text) => {
                let put = self.s3.put(&beside, text, "text/plain", Condition::Always);
                put.await.map_err(|error| self.failed(error))?;
            }
            // It is of the archive that was replaced.
            None if force => {
                let removed = self.s3.delete(&beside).await;
                removed.map_err(|error| self.failed(error))?;
            }
            None => {}
        }
        Ok(Some(!is_known))
    }

    /// Whether the archive is there; another content under its name is an error.
    async fn has(&self, object: &Object, package: &Package) -> Result<bool, Error> {
        let Some(found) = self.read(object).await? else {
            return Ok(false);
        };
        let (there, own) = (Digest::of(&found), Digest::of(&package.file));
        match there == own {
            true => Ok(true),
            false => Err(self.taken(&package.archive(), there.hex(), own.hex())),
        }
    }

    async fn read(&self, object: &Object) -> Result<Option<Vec<u8>>, Error> {
        let found = self.s3.get(object, MAX_ARCHIVE, &|_| {}).await;
        let found = found.map_err(|error| self.failed(error))?;
        Ok(found.map(|found| found.bytes))
    }

    fn failed(&self, error: registry::Error) -> Error {
        failed(&self.place.to_string(), error)
    }

    fn taken(&self, archive: &str, there: &str, own: &str) -> Error {
        Error::Refused {
            request: self.shown(archive),
            answer: format!(
                "another content is there under this version (sha256 {there}, this one has {own})"
            ),
            hint: Some("raise the version, or replace it with `--force`".to_owned()),
        }
    }

    fn overtaken(&self) -> Error {
        Error::Refused {
            request: self.shown("index.yaml"),
            answer: format!("others wrote it {TRIES} times before this one could"),
            hint: Some("try again when fewer change it at once".to_owned()),
        }
    }
}

/// What S3 says names the object; what the network says does not.
fn failed(place: &str, error: registry::Error) -> Error {
    match error {
        registry::Error::S3(_) => Error::Upload(Box::new(error)),
        _ => Error::Refused {
            request: place.to_owned(),
            hint: error.hint(),
            answer: error.to_string(),
        },
    }
}
