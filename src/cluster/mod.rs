//! The API server: connection, kinds, reading, server-side apply, deleting, watching. Knows
//! nothing of plans.

mod access;
mod apply;
mod connect;
mod delete;
mod discovery;
mod error;
mod live;
mod logs;
mod pace;
mod request;
mod transport;
mod watch;

pub use access::{Access, Rules, User};
pub use discovery::{Discovery, Kind};
pub use error::{Error, FieldConflict, problems_text};
pub use live::Selector;
pub use logs::{LogOptions, LogStream};
pub use request::{Requests, Verb};
pub use watch::{Observed, Watch};

use crate::object::{Gvk, ObjectRef};
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

/// Which cluster, and where to keep what it said.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The kubeconfig that was asked for.
    pub kubeconfig: Option<PathBuf>,
    /// Without one, the files of `KUBECONFIG`, which count as one file; without these the one in the home folder, then a
    /// pod's own credentials.
    pub kubeconfigs: Vec<PathBuf>,
    /// The context; without it the current one.
    pub context: Option<String>,
    /// The namespace; without it the context's.
    pub namespace: Option<String>,
    /// A folder to keep discovery in; without it nothing is kept.
    pub cache_dir: Option<PathBuf>,
}

/// A connection to one API server. Clones share it.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    client: kube::Client,
    url: String,
    context: String,
    namespace: String,
    cache_dir: Option<PathBuf>,
    /// Whether answers may be compressed.
    is_compressed: bool,
    /// Counts the long streams that are open: one reference each beside this one.
    seats: Arc<()>,
    meter: request::Meter,
    pace: pace::Pace,
    discovery: RwLock<Option<Arc<Discovery>>>,
    /// Held while the kinds are asked for the first time, so that only one asks.
    discovering: tokio::sync::Mutex<()>,
}

impl Cluster {
    /// Reads the configuration. Nothing is sent yet.
    ///
    /// # Errors
    /// When the kubeconfig is missing or broken, the context unknown, or the credentials cannot be had.
    pub async fn connect(options: &Options) -> Result<Self, Error> {
        let connection = connect::connect(options).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                client: connection.client,
                url: connection.url,
                context: connection.context,
                namespace: connection.namespace,
                cache_dir: options.cache_dir.clone(),
                is_compressed: connection.is_compressed,
                seats: Arc::default(),
                meter: request::Meter::default(),
                pace: pace::Pace::default(),
                discovery: RwLock::default(),
                discovering: tokio::sync::Mutex::default(),
            }),
        })
    }

    /// The URL of the server.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// The context of the kubeconfig; `in-cluster` in a pod.
    #[must_use]
    pub fn context(&self) -> &str {
        &self.inner.context
    }

    /// The namespace for objects that name none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.inner.namespace
    }

    /// How many requests were sent so far.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.inner.meter.snapshot()
    }

    /// The server's clock in its last answer, to the second.
    #[must_use]
    pub fn server_time(&self) -> Option<jiff::Timestamp> {
        self.inner.meter.server_time()
    }

    /// The kinds of the server; asked for once per connection.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn discovery(&self) -> Result<Arc<Discovery>, Error> {
        if let Some(known) = self.known_kinds() {
            return Ok(known);
        }
        let _asking = self.inner.discovering.lock().await;
        match self.known_kinds() {
            Some(known) => Ok(known),
            None => self.rediscover().await,
        }
    }

    /// Asks for the kinds again, after definitions of kinds were applied.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn rediscover(&self) -> Result<Arc<Discovery>, Error> {
        let fresh = Arc::new(discovery::discover(self).await?);
        if let Ok(mut known) = self.inner.discovery.write() {
            *known = Some(Arc::clone(&fresh));
        }
        Ok(fresh)
    }

    fn known_kinds(&self) -> Option<Arc<Discovery>> {
        self.inner.discovery.read().ok()?.clone()
    }

    /// The version of the server, for example `v1.36.0`.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn server_version(&self) -> Result<String, Error> {
        let action = "read the version of the server";
        let answer = self
            .send(request::Request::get(
                Verb::Discover,
                action,
                "/version".to_owned(),
            ))
            .await?;
        let version: serde_json::Value = parse(action, &answer.body)?;
        Ok(version["gitVersion"]
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }

    /// The kind of an object to be written, in the version that its manifest names. A kind that is
    /// not known yet is looked for once more and, when `patience` allows, until it appears: a
    /// definition is served a moment after it is established.
    ///
    /// # Errors
    /// When the server does not serve the kind.
    pub async fn kind(&self, gvk: &Gvk, patience: Duration) -> Result<Kind, Error> {
        const PAUSE: Duration = Duration::from_millis(200);
        let started = tokio::time::Instant::now();
        let mut discovery = self.discovery().await?;
        loop {
            if let Some(kind) = discovery.find(gvk) {
                return Ok(kind.clone());
            }
            if started.elapsed() >= patience {
                return Err(Error::UnknownKind {
                    gvk: gvk.clone(),
                    nearest: discovery.nearest(gvk),
                });
            }
            tokio::time::sleep(PAUSE).await;
            discovery = self.rediscover().await?;
        }
    }

    /// The kind of an object to be read or deleted, in the version that the server prefers.
    ///
    /// # Errors
    /// When the server does not serve the kind.
    pub async fn kind_of(&self, object: &ObjectRef) -> Result<Kind, Error> {
        let discovery = self.discovery().await?;
        discovery
            .preferred(&object.group, &object.kind)
            .cloned()
            .ok_or_else(|| {
                let gvk = Gvk {
                    group: object.group.clone(),
                    version: String::new(),
                    kind: object.kind.clone(),
                };
                Error::UnknownKind {
                    nearest: discovery.nearest(&gvk),
                    gvk,
                }
            })
    }
}

/// Reads JSON, naming the request it answers.
fn parse<T: serde::de::DeserializeOwned>(action: &str, body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::Answer {
        action: action.to_owned(),
        reason: error.to_string(),
    })
}

/// `apply Deployment/web (staging)`.
fn action(verb: Verb, object: &ObjectRef) -> String {
    format!("{} {object}", verb.word())
}
