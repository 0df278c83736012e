//! Files of plain http servers, such as chart repositories: with a login of their own, bounded, tried again
//! while the server is busy.
//!
//! The login of a server goes to no other one, where that is not meant: not to an address elsewhere in an index, and
//! not along a redirect. Logins of docker's configuration are for the host that is asked, and are not sent over plain
//! http to other machines.

use super::docker_config::{Credential, Keychain};
use super::retry::{Attempt, Busy, Pauses};
use super::settings::{WHOLE, http_client};
use super::{Error, Passing, Settings, Sink, Watch, failure, is_local};
use reqwest::header::WWW_AUTHENTICATE;
use reqwest::{StatusCode, Url};
use std::path::PathBuf;
use std::time::Duration;

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
        let mut own = settings.clone();
        own.ca_files.extend(access.ca_file.clone());
        own.verify_certificates &= !access.insecure;
        let identity = access.identity.as_ref();
        let identity = identity.map(|(cert, key)| identity_of(cert, key));
        let proxied = !is_local(base.host_str().unwrap_or_default());
        Ok(Self {
            base: base.clone(),
            access,
            http: http_client(&own, proxied, identity.transpose()?)?,
            keychain: Keychain::load(settings)?,
            pauses: Pauses::default(),
            settings: settings.clone(),
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
        let other;
        let server = match url.origin() == self.base.origin() {
            true => self,
            false => {
                other = self.elsewhere(url)?;
                &other
            }
        };
        let ask =
            async |login: Option<&Credential>| server.send(url, login, (limit, watch), empty).await;
        server.logged_in(url, watch, ask).await
    }

    /// The server of an address elsewhere. Its certificate is checked, and it is told who asks only where that is
    /// meant, and never over plain http when the server itself is not asked in this way.
    fn elsewhere(&self, url: &Url) -> Result<Self, Error> {
        let as_safe = url.scheme() == "https" || self.base.scheme() == "http";
        let mut access = self.access.clone();
        access.insecure = false;
        if !access.pass_to_all || !as_safe {
            (access.login, access.identity) = (None, None);
        }
        Self::new(url, access, &self.settings)
    }

    /// Asks with the login of the server, else with what the keychain has for it. An `ask` that ends with `None` wants
    /// another login.
    pub(super) async fn logged_in<T>(
        &self,
        url: &Url,
        watch: Watch<'_>,
        ask: impl AsyncFn(Option<&Credential>) -> Result<Attempt<Option<T>>, Error>,
    ) -> Result<T, Error> {
        let host = host(url);
        let attempt = async |login: Option<&Credential>| {
            let ask = async || ask(login).await;
            (self.pauses).retry(&host, &self.settings, watch, ask).await
        };
        let own = self.access.login.as_ref();
        if let Some(done) = attempt(own).await? {
            return Ok(done);
        }
        let in_address = !url.username().is_empty() || url.password().is_some();
        let tried = if own.is_some() || in_address {
            "the login of the repository is not accepted".to_owned()
        } else if url.scheme() != "https" && !is_local(&host) {
            "logins of docker are not sent over plain http".to_owned()
        } else {
            let path = url.path().trim_start_matches('/');
            let found = self.keychain.find(&host, path).await;
            // What a refresh token is for is the token server of a registry.
            let login = found.credential.as_ref();
            let login = login.filter(|login| !matches!(login, Credential::Refresh(_)));
            if login.is_some()
                && let Some(done) = attempt(login).await?
            {
                return Ok(done);
            }
            found.if_refused()
        };
        Err(Error::Unauthorized {
            registry: host.clone(),
            repository: shown(url),
            tried,
        })
    }

    async fn send<T: Sink>(
        &self,
        url: &Url,
        login: Option<&Credential>,
        (limit, watch): (u64, Watch<'_>),
        empty: &T,
    ) -> Result<Attempt<Option<T>>, Error> {
        let host = host(url);
        let request = self.http.get(url.clone()).timeout(WHOLE);
        let response = sent(with_login(request, login), &host, self.settings.timeout).await?;
        let status = response.status();
        if let Some(busy) = Busy::of(status, response.headers()) {
            return Ok(Attempt::Busy(busy));
        }
        let shown = shown(url);
        if status == StatusCode::UNAUTHORIZED && response.headers().contains_key(WWW_AUTHENTICATE) {
            return Ok(Attempt::Done(None));
        }
        if !status.is_success() {
            return Err(Error::Status {
                url: shown,
                status: status.to_string(),
            });
        }
        let place = (host.as_str(), shown.as_str());
        let file = body_into(response, place, limit, &self.settings, watch, empty.clone());
        Ok(Attempt::Done(Some(file.await?)))
    }
}

/// The head of the answer to a request, in time.
pub(super) async fn sent(
    request: reqwest::RequestBuilder,
    host: &str,
    limit: Duration,
) -> Result<reqwest::Response, Error> {
    let response = tokio::time::timeout(limit, request.send()).await;
    let response = response.map_err(|_| Error::Timeout {
        registry: host.to_owned(),
        limit,
    })?;
    response.map_err(|error| failure::classify(host, &error, limit))
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
        Some(Credential::Bearer(token)) => request.bearer_auth(token),
        Some(Credential::Refresh(_)) | None => request,
    }
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
    let has_query = url.query().is_some();
    url.set_query(None);
    url.set_fragment(None);
    match has_query {
        true => format!("{url}?…"),
        false => url.into(),
    }
}

/// The same of a text that should be an address; what holds no secret stays as it is written.
#[must_use]
pub fn shown_text(address: &str) -> String {
    let has_login = |url: &Url| !url.username().is_empty() || url.password().is_some();
    match Url::parse(address) {
        Ok(url) if has_login(&url) || url.query().is_some() => shown(&url),
        Ok(_) => address.to_owned(),
        // What looks like a login in it may be one.
        Err(_) => {
            let (address, _) = address.split_once('?').unwrap_or((address, ""));
            match (address.split_once("://"), address.rsplit_once('@')) {
                (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
                _ => address.to_owned(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::shown_text;

    #[test]
    fn logins_and_tokens_of_addresses_are_not_shown() {
        for (address, shown) in [
            ("https://user:hunter2@a.io/x", "https://a.io/x"),
            ("http:user:hunter2@a.io", "http://a.io/"),
            ("https://a.io/x?sig=hunter2#y", "https://a.io/x?…"),
            ("https://me:hunter2@a.io:no/?t=1", "https://a.io:no/"),
            ("https://a.io", "https://a.io"),
            ("oci://a.io/web@sha256:ab", "oci://a.io/web@sha256:ab"),
            ("@stable/web", "@stable/web"),
            ("../web", "../web"),
        ] {
            assert_eq!(shown_text(address), shown);
        }
    }
}
