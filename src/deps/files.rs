//! The files of a chart repository: of an http server, or of a bucket of S3.

use super::provenance::MAX_PROVENANCE;
use crate::registry::{
    Access, Error, Object, S3, S3_SCHEME, S3Error, Server, Settings, Sink, Watch,
};
use reqwest::Url;
use std::sync::Arc;

/// Where the files of a repository are read.
pub(super) enum Files {
    /// An http server.
    Server(Box<Server>),
    /// A bucket, with the login that it has.
    Bucket {
        s3: Arc<S3>,
        bucket: String,
        /// Whether the login is used for other buckets that the index names too.
        pass_to_all: bool,
        settings: Box<Settings>,
    },
}

impl Files {
    /// Reads the provenance of an archive, the file `.prov` beside it; `None` when there is none.
    pub(super) async fn provenance(&self, archive: &Url) -> Result<Option<Vec<u8>>, Error> {
        let mut url = archive.clone();
        url.set_path(&format!("{}.prov", url.path()));
        match self.get(&url, MAX_PROVENANCE, &|_| {}).await {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads one file of at most `limit` bytes.
    pub(super) async fn get(
        &self,
        url: &Url,
        limit: u64,
        watch: Watch<'_>,
    ) -> Result<Vec<u8>, Error> {
        self.read(url, limit, watch, &Vec::new()).await
    }

    /// Reads one file of at most `limit` bytes into a sink that begins as `empty`.
    pub(super) async fn read<T: Sink>(
        &self,
        url: &Url,
        limit: u64,
        watch: Watch<'_>,
        empty: &T,
    ) -> Result<T, Error> {
        match self {
            Self::Server(server) => server.read(url, limit, watch, empty).await,
            // An index may name archives on http servers. Nothing that S3 is asked with goes there.
            Self::Bucket { settings, .. } if !url.as_str().starts_with(S3_SCHEME) => {
                let server = Server::new(url, Access::default(), settings)?;
                server.read(url, limit, watch, empty).await
            }
            Self::Bucket {
                s3,
                bucket,
                pass_to_all,
                ..
            } => {
                let object = Object::parse(url)?;
                if object.bucket != *bucket && !pass_to_all {
                    return Err(S3Error::Address {
                        address: object.to_string(),
                        cause: format!(
                            "is in another bucket than its index, in which the login of {bucket} is not used"
                        ),
                    }
                    .into());
                }
                match s3.read(&object, limit, watch, empty).await? {
                    Some(found) => Ok(found.bytes),
                    None => Err(S3Error::Missing(object.to_string()).into()),
                }
            }
        }
    }
}
