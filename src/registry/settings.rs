//! How registries are reached: the settings, and the connections that follow them.

use super::{Aws, CONCURRENCY, Error, Mirrors, Variables, is_local};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a whole file may take, however steadily it comes.
pub(super) const WHOLE: Duration = Duration::from_secs(600);
/// The slowest connection by which files are written, in bytes a second.
const SLOWEST: u64 = 64 << 10;
/// How many redirects one request follows.
const MAX_REDIRECTS: usize = 5;

/// Proxies, as the variables `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` name them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// The proxy of http addresses.
    pub http: Option<String>,
    /// The proxy of https addresses.
    pub https: Option<String>,
    /// Hosts that are reached without a proxy, separated by commas.
    pub except: Option<String>,
}

/// How registries are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Docker configuration files in order of precedence; missing ones are left out.
    pub docker_configs: Vec<PathBuf>,
    /// Files of PEM certificates that are trusted besides those of the system.
    pub ca_files: Vec<PathBuf>,
    /// Whether certificates are checked.
    pub verify_certificates: bool,
    /// Whether plain http is allowed for every registry, not only for local ones.
    pub insecure: bool,
    /// Logins that variables name; they go before those of files.
    pub variables: Variables,
    /// Where else images are to be found, and what is blocked.
    pub mirrors: Mirrors,
    /// The proxies; local registries are always reached directly.
    pub proxies: Proxies,
    /// What the environment says about AWS, for objects of S3.
    pub aws: Aws,
    /// How long one answer may take.
    pub timeout: Duration,
    /// The first wait before a retry; it doubles each time.
    pub backoff: Duration,
    /// How many requests are under way at once.
    pub concurrency: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            docker_configs: Vec::new(),
            variables: Variables::default(),
            mirrors: Mirrors::default(),
            ca_files: Vec::new(),
            verify_certificates: true,
            insecure: false,
            proxies: Proxies::default(),
            aws: Aws::default(),
            timeout: Duration::from_secs(30),
            backoff: Duration::from_millis(500),
            concurrency: CONCURRENCY,
        }
    }
}

impl Settings {
    /// How long the answer to a request with so many bytes may take.
    pub(super) fn patience(&self, bytes: usize) -> Duration {
        self.timeout + Duration::from_secs(bytes as u64 / SLOWEST)
    }
}

/// The connections to registries.
#[derive(Debug)]
pub(super) struct Http {
    proxied: reqwest::Client,
    /// For local registries: no proxy.
    direct: reqwest::Client,
    /// For registries whose certificates are not checked.
    unchecked: Option<reqwest::Client>,
}

impl Http {
    /// Prepares connections; none is opened yet.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for a file of certificates or a proxy that cannot be used.
    pub(super) fn new(settings: &Settings) -> Result<Self, Error> {
        // Another part of the program may have installed the same provider already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let lax = Settings {
            verify_certificates: false,
            ..settings.clone()
        };
        let unchecked = settings.mirrors.has_insecure();
        Ok(Self {
            proxied: http_client(settings, true, None)?,
            direct: http_client(settings, false, None)?,
            unchecked: unchecked
                .then(|| http_client(&lax, true, None))
                .transpose()?,
        })
    }

    /// The connection for a registry.
    pub(super) fn of(&self, registry: &str, insecure: bool) -> &reqwest::Client {
        match &self.unchecked {
            _ if is_local(registry) => &self.direct,
            Some(unchecked) if insecure => unchecked,
            _ => &self.proxied,
        }
    }
}

/// Connections that follow the settings, with a certificate of the client where one is given.
pub(super) fn http_client(
    settings: &Settings,
    proxied: bool,
    identity: Option<reqwest::Identity>,
) -> Result<reqwest::Client, Error> {
    built(http_builder(settings, proxied, identity)?)
}

/// The same, without redirects.
pub(super) fn unredirected(settings: &Settings, proxied: bool) -> Result<reqwest::Client, Error> {
    let builder = http_builder(settings, proxied, None)?;
    built(builder.redirect(reqwest::redirect::Policy::none()))
}

fn built(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, Error> {
    builder.build().map_err(|error| Error::File {
        file: "certificates of the system".to_owned(),
        cause: error.to_string(),
    })
}

fn http_builder(
    settings: &Settings,
    proxied: bool,
    identity: Option<reqwest::Identity>,
) -> Result<reqwest::ClientBuilder, Error> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
        .timeout(settings.timeout)
        .connect_timeout(settings.timeout.min(Duration::from_secs(10)))
        .redirect(redirects())
        .tls_danger_accept_invalid_certs(!settings.verify_certificates)
        .no_proxy();
    for path in &settings.ca_files {
        builder = builder.tls_certs_merge(certificates(path)?);
    }
    if let Some(identity) = identity {
        builder = builder.identity(identity);
    }
    if proxied {
        builder = with_proxies(builder, &settings.proxies)?;
    }
    Ok(builder)
}

fn with_proxies(
    mut builder: reqwest::ClientBuilder,
    proxies: &Proxies,
) -> Result<reqwest::ClientBuilder, Error> {
    let except = || {
        proxies
            .except
            .as_deref()
            .and_then(reqwest::NoProxy::from_string)
    };
    // The address is not shown: it may hold a password.
    let wrong = |name: &str| Error::File {
        file: name.to_owned(),
        cause: "is not the address of a proxy".to_owned(),
    };
    if let Some(address) = &proxies.http {
        let proxy = reqwest::Proxy::http(address).map_err(|_| wrong("`HTTP_PROXY`"))?;
        builder = builder.proxy(proxy.no_proxy(except()));
    }
    if let Some(address) = &proxies.https {
        let proxy = reqwest::Proxy::https(address).map_err(|_| wrong("`HTTPS_PROXY`"))?;
        builder = builder.proxy(proxy.no_proxy(except()));
    }
    Ok(builder)
}

fn certificates(path: &Path) -> Result<Vec<reqwest::Certificate>, Error> {
    let wrong = |cause: String| Error::File {
        file: path.display().to_string(),
        cause,
    };
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let certificates = reqwest::Certificate::from_pem_bundle(&text)
        .map_err(|_| wrong("not a file of PEM certificates".to_owned()))?;
    if certificates.is_empty() {
        return Err(wrong("holds no PEM certificate".to_owned()));
    }
    Ok(certificates)
}

/// A bounded number of redirects, none of which leaves TLS. On the way to another host or port
/// reqwest leaves the `Authorization` header behind.
fn redirects() -> reqwest::redirect::Policy {
    reqwest::redirect::Policy::custom(|attempt| {
        let leaves_tls = attempt.url().scheme() != "https"
            && attempt
                .previous()
                .last()
                .is_some_and(|url| url.scheme() == "https");
        if leaves_tls {
            attempt.error("it redirects from https to http")
        } else if attempt.previous().len() > MAX_REDIRECTS {
            attempt.error("it redirects too often")
        } else {
            attempt.follow()
        }
    })
}
