//! Files of plain http servers, such as chart repositories: with a login of their own, bounded, tried again
//! while the server is busy.
//!
//! A login goes to the host that it is for and to no other one: not to an address elsewhere in an index, and
//! not along a redirect.

use super::docker_config::{Credential, Keychain};
use super::retry::{Attempt, Busy, Pauses};
use super::settings::{WHOLE, http_client};
use super::{Error, Passing, Settings, Sink, Watch, failure, is_local};
use reqwest::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use reqwest::{StatusCode, Url};
use std::path::PathBuf;

/// How one server is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The login, sent with every request to the server.
    pub login: Option<Credential>,
    /// Whether the login goes to other hosts that the server's index names too.
    pub pass_to_all: bool,
    /// A file of PEM certificates that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// Files of the client's PEM certificate and of its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Whether the certificates of the server are left unchecked.
    pub insecure: bool,
}

/// A server of files.
#[derive(Debug)]
pub struct Server {
    pub(super) base: Url,
    pub(super) access: Access,
    pub(super) http: reqwest::Client,
    pub(super) keychain: Keychain,
    pub(super) pauses: Pauses,
    pub(super) settings: Settings,
}

impl Server {
    /// Prepares connections to the server of an address; none is opened yet.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for a file of certificates or logins that cannot be used.
    pub fn new(base: &Url, access: Access, settings: &Settings) -> Result<Self, Error> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut settings = settings.clone();
        settings.ca_files.extend(access.ca_file.clone());
        settings.verify_certificates &= !access.insecure;
        let identity = access.identity.as_ref();
        let identity = identity.map(|(cert, key)| identity_of(cert, key));
        let proxied = !is_local(base.host_str().unwrap_or_default());
        Ok(Self {
            base: base.clone(),
            access,
            http: http_client(&settings, proxied, identity.transpose()?)?,
            keychain: Keychain::load(&settings)?,
            pauses: Pauses::default(),
            settings,
        })
    }

    /// Reads a file of at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// An [`Error`] that says why there is no file, after retries where they may help.
    pub async fn get(&self, url: &Url, limit: u64, watch: Watch<'_>) -> Result<Vec<u8>, Error> {
        self.read(url, limit, watch, &Vec::new()).await
    }

    /// Reads a file of at most `limit` bytes into a sink that begins as `empty`.
    ///
    /// # Errors
    ///
    /// Those of [`Server::get`].
    pub async fn read<T: Sink>(
        &self,
        url: &Url,
        limit: u64,
        watch: Watch<'_>,
        empty: &T,
    ) -> Result<T, Error> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::Scheme {
                url: shown(url),
                scheme: url.scheme().to_owned(),
            });
        }
        let own = url.origin() == self.base.origin();
        let login = match &self.access.login {
            Some(login) if own || self.access.pass_to_all => Some(login.clone()),
            _ => None,
        };
        let host = host(url);
        let ask = async || self.send(url, login.as_ref(), limit, watch, empty).await;
        match self.retry(&host, watch, ask).await? {
            Got::File(file) => Ok(file),
            Got::LoginWanted if login.is_none() => {
                let found = self.keychain.find(&host, url.path()).await;
                let refused = Error::Unauthorized {
                    registry: host.clone(),
                    repository: shown(url),
                    tried: found.if_refused(),
                };
                let Some(login) = found.credential else {
                    return Err(refused);
                };
                let ask = async || self.send(url, Some(&login), limit, watch, empty).await;
                match self.retry(&host, watch, ask).await? {
                    Got::File(file) => Ok(file),
                    Got::LoginWanted => Err(refused),
                }
            }
            Got::LoginWanted => Err(Error::Unauthorized {
                registry: host,
                repository: shown(url),
                tried: "the login of the repository is not accepted".to_owned(),
            }),
        }
    }

    async fn retry<T>(
        &self,
        host: &str,
        watch: Watch<'_>,
        ask: impl AsyncFn() -> Result<Attempt<Got<T>>, Error>,
    ) -> Result<Got<T>, Error> {
        (self.pauses).retry(host, &self.settings, watch, ask).await
    }

    async fn send<T: Sink>(
        &self,
        url: &Url,
        login: Option<&Credential>,
        limit: u64,
        watch: Watch<'_>,
        empty: &T,
    ) -> Result<Attempt<Got<T>>, Error> {
        let host = host(url);
        let failed =
            |error: reqwest::Error| failure::classify(&host, &error, self.settings.timeout);
        let request = self.http.get(url.clone()).timeout(WHOLE);
        let request = with_login(request, login);
        let late = |_| Error::Timeout {
            registry: host.clone(),
            limit: self.settings.timeout,
        };
        let wait = self.settings.timeout;
        let response = tokio::time::timeout(wait, request.send()).await;
        let response = response.map_err(late)?.map_err(failed)?;
        if let Some(busy) = Busy::of(response.status(), response.headers()) {
            return Ok(Attempt::Busy(busy));
        }
        let wants_login = response.status() == StatusCode::UNAUTHORIZED;
        if wants_login && response.headers().contains_key(WWW_AUTHENTICATE) {
            return Ok(Attempt::Done(Got::LoginWanted));
        }
        if !response.status().is_success() {
            return Err(Error::Status {
                url: shown(url),
                status: response.status().to_string(),
            });
        }
        let shown = shown(url);
        let place = (host.as_str(), shown.as_str());
        let file = body_into(response, place, limit, &self.settings, watch, empty.clone());
        Ok(Attempt::Done(Got::File(file.await?)))
    }
}

/// The body of an answer, of at most `limit` bytes, each part of it in time; `place` is the host and what is read.
pub(super) async fn body(
    response: reqwest::Response,
    place: (&str, &str),
    limit: u64,
    settings: &Settings,
    watch: Watch<'_>,
) -> Result<Vec<u8>, Error> {
    body_into(response, place, limit, settings, watch, Vec::new()).await
}

/// As [`body`], into a sink.
pub(super) async fn body_into<T: Sink>(
    mut response: reqwest::Response,
    place: (&str, &str),
    limit: u64,
    settings: &Settings,
    watch: Watch<'_>,
    mut file: T,
) -> Result<T, Error> {
    let (host, url) = place;
    let too_large = || Error::TooLarge {
        url: url.to_owned(),
        limit,
    };
    let wait = settings.timeout;
    let of = response.content_length();
    if of.is_some_and(|size| size > limit) {
        return Err(too_large());
    }
    let mut there = 0;
    loop {
        let chunk = tokio::time::timeout(wait, response.chunk()).await;
        let chunk = chunk.map_err(|_| Error::Timeout {
            registry: host.to_owned(),
            limit: wait,
        })?;
        let failed = |error| failure::classify(host, &error, wait);
        let Some(chunk) = chunk.map_err(failed)? else {
            return Ok(file);
        };
        there += chunk.len() as u64;
        if there > limit {
            return Err(too_large());
        }
        file.push(&chunk);
        watch(Passing::Bytes { there, of });
    }
}

/// A request with a login, where there is one.
pub(super) fn with_login(
    request: reqwest::RequestBuilder,
    login: Option<&Credential>,
) -> reqwest::RequestBuilder {
    match login {
        Some(Credential::Basic { user, password }) => request.basic_auth(user, Some(password)),
        Some(Credential::Bearer(token) | Credential::Refresh(token)) => {
            request.header(AUTHORIZATION, format!("Bearer {token}"))
        }
        None => request,
    }
}

/// What a request gave.
enum Got<T> {
    File(T),
    LoginWanted,
}

/// The client's certificate and key.
fn identity_of(cert: &PathBuf, key: &PathBuf) -> Result<reqwest::Identity, Error> {
    let wrong = |file: &PathBuf, cause: String| Error::File {
        file: file.display().to_string(),
        cause,
    };
    let read = |file: &PathBuf| std::fs::read(file).map_err(|error| wrong(file, error.to_string()));
    let mut pem = read(cert)?;
    pem.push(b'\n');
    pem.extend(read(key)?);
    reqwest::Identity::from_pem(&pem)
        .map_err(|_| wrong(cert, "no PEM certificate and key of a client".to_owned()))
}

/// Host and port of an address.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// An address without what may be secret in it.
#[must_use]
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Addresses without a host cannot have a login.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    if url.query().is_some() {
        url.set_query(Some("…"));
    }
    url.into()
}
