//! The client: one question, which digest a tag names, with login, retries and limits.

use super::challenge::{self, Challenge};
use super::docker_config::{Credential, Keychain, Lookup};
use super::token::{self, Outcome};
use super::{CONCURRENCY, Error, failure, is_local};
use crate::image::{Digest, Reference};
use reqwest::header::{ACCEPT, AUTHORIZATION, DATE, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OnceCell};

/// The kinds of manifests that are accepted, an index before a single platform.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";
/// The largest manifest that is read (the distribution specification asks for at least 4 MiB).
const MAX_BODY: usize = 8 << 20;
/// How often one request is tried when the registry fails in a way that may pass.
const ATTEMPTS: u32 = 4;
/// The longest wait that a `Retry-After` may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);
/// How many redirects one request follows.
const MAX_REDIRECTS: usize = 5;
/// How many tags are read to name those like a missing one.
const TAGS_TO_COMPARE: usize = 1000;
/// How many tags like a missing one are named.
const SIMILAR_TAGS: usize = 3;

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
    /// The proxies; local registries are always reached directly.
    pub proxies: Proxies,
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
            ca_files: Vec::new(),
            verify_certificates: true,
            insecure: false,
            proxies: Proxies::default(),
            timeout: Duration::from_secs(30),
            backoff: Duration::from_millis(500),
            concurrency: CONCURRENCY,
        }
    }
}

/// A connection to all registries: their credentials, tokens and open connections.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    /// For local registries: no proxy.
    direct: reqwest::Client,
    keychain: Keychain,
    settings: Settings,
    schemes: Mutex<BTreeMap<String, Arc<OnceCell<&'static str>>>>,
    /// The `Authorization` header by registry and repository.
    authorizations: Mutex<BTreeMap<(String, String), String>>,
}

/// One try of a request.
enum Attempt<T> {
    Done(T),
    Busy {
        status: StatusCode,
        retry_after: Option<Duration>,
    },
}

impl Client {
    /// Prepares a client; no registry is asked yet.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for a docker configuration or certificate file that cannot be used.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        // Another part of the program may have installed the same provider already.
        drop(rustls::crypto::ring::default_provider().install_default());
        Ok(Self {
            http: http_client(&settings, true)?,
            direct: http_client(&settings, false)?,
            keychain: Keychain::load(&settings.docker_configs)?,
            settings,
            schemes: Mutex::default(),
            authorizations: Mutex::default(),
        })
    }

    /// How many requests may be under way at once; at least one.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.settings.concurrency.max(1)
    }

    /// The digest that the reference names now; its own digest, without a question, if it has one.
    ///
    /// # Errors
    ///
    /// An [`Error`] that says why there is no answer, after retries where they may help.
    pub async fn resolve(&self, image: &Reference) -> Result<Digest, Error> {
        if let Some(digest) = &image.digest {
            return Ok(digest.clone());
        }
        let path = format!("manifests/{}", image.tag_or_latest());
        let head = self.ask(Method::HEAD, image, &path).await?;
        if head.status().is_success()
            && let Some(digest) = stated_digest(&image.registry, head.headers())?
        {
            return Ok(digest);
        }
        // Some registries answer HEAD without a digest, or not at all.
        let response = self.ask(Method::GET, image, &path).await?;
        match response.status() {
            status if status.is_success() => digest_of_body(image, response).await,
            StatusCode::NOT_FOUND => Err(self.not_found(image).await),
            status => Err(protocol(image, format!("status {}", status.as_u16()))),
        }
    }

    /// Tells a missing tag from a missing repository, by the list of tags.
    async fn not_found(&self, image: &Reference) -> Error {
        let (registry, repository) = (image.registry.clone(), image.repository.clone());
        let path = format!("tags/list?n={TAGS_TO_COMPARE}");
        let tags = match self.ask(Method::GET, image, &path).await {
            Ok(response) if response.status().is_success() => read_tags(image, response).await,
            _ => None,
        };
        match tags {
            Some(tags) if !tags.is_empty() => {
                let tag = image.tag_or_latest().to_owned();
                Error::NoTag {
                    registry,
                    repository,
                    similar: similar(&tag, tags),
                    tag,
                }
            }
            _ => Error::NoRepository {
                registry,
                repository,
            },
        }
    }

    /// Sends a request about a repository, logging in when the registry asks for it.
    async fn ask(&self, method: Method, image: &Reference, path: &str) -> Result<Response, Error> {
        let scheme = self.scheme(&image.registry).await?;
        let url = format!(
            "{scheme}://{}/v2/{}/{path}",
            image.registry, image.repository
        );
        let key = (image.registry.clone(), image.repository.clone());
        let header = self.authorizations.lock().await.get(&key).cloned();
        let response = self
            .send(&method, &image.registry, &url, header.as_deref())
            .await?;
        if response.status() == StatusCode::FORBIDDEN {
            let tried = if header.is_some() {
                "logged in"
            } else {
                "without a login"
            };
            return Err(refused(image, 403, tried.to_owned()));
        }
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let (header, tried) = self.log_in(image, response.headers()).await?;
        let response = self
            .send(&method, &image.registry, &url, Some(&header))
            .await?;
        match response.status().as_u16() {
            status @ (401 | 403) => Err(refused(image, status, tried)),
            _ => {
                self.authorizations.lock().await.insert(key, header);
                Ok(response)
            }
        }
    }

    /// Finds the `Authorization` header that a challenge asks for, and words for the case that it
    /// is refused.
    async fn log_in(
        &self,
        image: &Reference,
        headers: &HeaderMap,
    ) -> Result<(String, String), Error> {
        let challenges = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|v| v.to_str().ok());
        let Some(challenge) = challenge::parse(challenges) else {
            return Err(protocol(image, "401 without a way to log in".to_owned()));
        };
        let found = self.keychain.find(&image.registry, &image.repository).await;
        let tried = match &found.credential {
            Some(_) => format!("{} are not accepted", found.told),
            None => found.told.clone(),
        };
        if let Some(Credential::Bearer(token)) = &found.credential {
            return Ok((format!("Bearer {token}"), tried));
        }
        match (challenge, &found.credential) {
            (
                Challenge::Bearer {
                    realm,
                    service,
                    scope,
                },
                _,
            ) => {
                let token = self
                    .token(image, &found, &realm, service.as_deref(), scope)
                    .await?;
                Ok((format!("Bearer {token}"), tried))
            }
            (Challenge::Basic, Some(Credential::Basic { user, password })) => {
                use base64::Engine as _;
                let pair = format!("{user}:{password}");
                let pair = base64::engine::general_purpose::STANDARD.encode(pair);
                Ok((format!("Basic {pair}"), tried))
            }
            (Challenge::Basic, _) => Err(refused(image, 401, tried)),
        }
    }

    async fn token(
        &self,
        image: &Reference,
        found: &Lookup,
        realm: &str,
        service: Option<&str>,
        scope: Option<String>,
    ) -> Result<String, Error> {
        let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", image.repository));
        let credential = found.credential.as_ref();
        let request = token::Request {
            realm,
            service,
            scope,
            credential,
        };
        let http = self.http_for(&image.registry);
        let limit = self.settings.timeout;
        let outcome = self.retry(&image.registry, async || {
            match token::request(http, &image.registry, limit, &request).await? {
                Outcome::Busy(response) => Ok(busy(&response)),
                outcome => Ok(Attempt::Done(outcome)),
            }
        });
        match outcome.await? {
            Outcome::Token(token) => Ok(token),
            Outcome::Refused(status) => {
                let tried = match credential {
                    Some(_) => format!("{} are not accepted", found.told),
                    None => found.told.clone(),
                };
                Err(refused(image, status, tried))
            }
            Outcome::Busy(_) => Err(protocol(image, "its token server is busy".to_owned())),
        }
    }

    /// Sends one request, again while the registry fails in a way that may pass.
    async fn send(
        &self,
        method: &Method,
        registry: &str,
        url: &str,
        authorization: Option<&str>,
    ) -> Result<Response, Error> {
        self.retry(registry, async || {
            let mut request = self.http_for(registry).request(method.clone(), url);
            request = request.header(ACCEPT, MANIFESTS);
            if let Some(value) = authorization {
                request = request.header(AUTHORIZATION, value);
            }
            let response = request
                .send()
                .await
                .map_err(|error| failure::classify(registry, &error, self.settings.timeout))?;
            let status = response.status();
            if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
                return Ok(busy(&response));
            }
            Ok(Attempt::Done(response))
        })
        .await
    }

    /// Tries up to [`ATTEMPTS`] times while the registry is busy or cuts the connection.
    async fn retry<T>(
        &self,
        registry: &str,
        ask: impl AsyncFn() -> Result<Attempt<T>, Error>,
    ) -> Result<T, Error> {
        let mut backoff = self.settings.backoff;
        let mut attempt = 1;
        loop {
            let (error, wait) = match ask().await {
                Ok(Attempt::Done(done)) => return Ok(done),
                Ok(Attempt::Busy {
                    status,
                    retry_after,
                }) => {
                    let wait = retry_after.unwrap_or(backoff).max(backoff);
                    (busy_error(registry, status, retry_after, attempt), wait)
                }
                Err(error @ Error::Connection { .. }) => (error, backoff),
                Err(error) => return Err(error),
            };
            if attempt == ATTEMPTS || wait > MAX_RETRY_AFTER {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            backoff *= 2;
            attempt += 1;
        }
    }

    /// https, or http for a registry where that is allowed and that does not speak TLS; found out
    /// once.
    async fn scheme(&self, registry: &str) -> Result<&'static str, Error> {
        if !self.settings.insecure && !is_local(registry) {
            return Ok("https");
        }
        let cell = self
            .schemes
            .lock()
            .await
            .entry(registry.to_owned())
            .or_default()
            .clone();
        let probe = async || {
            let url = format!("https://{registry}/v2/");
            let Err(error) = self.http_for(registry).get(url).send().await else {
                return Ok("https");
            };
            let error = failure::classify(registry, &error, self.settings.timeout);
            match error {
                Error::Tls { .. } | Error::Connection { .. } if failure::may_speak_http(&error) => {
                    Ok("http")
                }
                Error::Tls { .. } => Ok("https"),
                error => Err(error),
            }
        };
        cell.get_or_try_init(probe).await.copied()
    }

    fn http_for(&self, registry: &str) -> &reqwest::Client {
        if is_local(registry) {
            &self.direct
        } else {
            &self.http
        }
    }
}

fn http_client(settings: &Settings, proxied: bool) -> Result<reqwest::Client, Error> {
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
    if proxied {
        builder = with_proxies(builder, &settings.proxies)?;
    }
    builder.build().map_err(|error| Error::File {
        file: "certificates of the system".to_owned(),
        cause: error.to_string(),
    })
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

fn certificates(path: &std::path::Path) -> Result<Vec<reqwest::Certificate>, Error> {
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

/// A bounded number of redirects, none of which leaves TLS.
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

fn busy<T>(response: &Response) -> Attempt<T> {
    Attempt::Busy {
        status: response.status(),
        retry_after: retry_after(response.headers()),
    }
}

fn busy_error(
    registry: &str,
    status: StatusCode,
    retry_after: Option<Duration>,
    attempts: u32,
) -> Error {
    let registry = registry.to_owned();
    if status == StatusCode::TOO_MANY_REQUESTS {
        Error::RateLimited {
            registry,
            retry_after,
        }
    } else {
        Error::Server {
            registry,
            status: status.as_u16(),
            attempts,
        }
    }
}

/// `Retry-After` in seconds, or as a date, which is compared with the answer's own date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp());
    let until = date(text)?;
    let now = date(headers.get(DATE)?.to_str().ok()?)?;
    Some(Duration::from_secs(
        u64::try_from((until - now).get_seconds()).unwrap_or(0),
    ))
}

fn stated_digest(registry: &str, headers: &HeaderMap) -> Result<Option<Digest>, Error> {
    let Some(value) = headers.get("docker-content-digest") else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    let digest = Digest::new(text.trim()).map_err(|error| Error::Protocol {
        registry: registry.to_owned(),
        cause: format!("its digest header: {error}"),
    })?;
    Ok(Some(digest))
}

async fn digest_of_body(image: &Reference, response: Response) -> Result<Digest, Error> {
    let stated = stated_digest(&image.registry, response.headers())?;
    let actual = Digest::of(&read(image, response).await?);
    match stated {
        Some(stated) if stated != actual => Err(Error::WrongDigest {
            registry: image.registry.clone(),
            image: image.to_string(),
            stated: stated.to_string(),
            actual: actual.to_string(),
        }),
        _ => Ok(actual),
    }
}

async fn read(image: &Reference, mut response: Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await;
        match chunk
            .map_err(|error| protocol(image, format!("its answer was cut short: {error}")))?
        {
            None => return Ok(body),
            Some(chunk) if body.len() + chunk.len() > MAX_BODY => {
                return Err(protocol(
                    image,
                    format!("its answer is larger than {MAX_BODY} bytes"),
                ));
            }
            Some(chunk) => body.extend_from_slice(&chunk),
        }
    }
}

async fn read_tags(image: &Reference, response: Response) -> Option<Vec<String>> {
    let list: serde_json::Value =
        serde_json::from_slice(&read(image, response).await.ok()?).ok()?;
    let tags = list.get("tags")?.as_array()?;
    Some(
        tags.iter()
            .filter_map(|tag| tag.as_str().map(str::to_owned))
            .collect(),
    )
}

/// The tags most like the missing one.
fn similar(tag: &str, mut tags: Vec<String>) -> Vec<String> {
    tags.sort_by_cached_key(|other| (strsim::damerau_levenshtein(tag, other), other.clone()));
    tags.truncate(SIMILAR_TAGS);
    tags
}

fn protocol(image: &Reference, cause: String) -> Error {
    Error::Protocol {
        registry: image.registry.clone(),
        cause,
    }
}

fn refused(image: &Reference, status: u16, tried: String) -> Error {
    let (registry, repository) = (image.registry.clone(), image.repository.clone());
    if status == 403 {
        Error::Forbidden {
            registry,
            repository,
            tried,
        }
    } else {
        Error::Unauthorized {
            registry,
            repository,
            tried,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|&(k, v)| (k.parse().unwrap(), v.parse().unwrap()))
            .collect()
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let seconds = headers(&[("retry-after", "17")]);
        assert_eq!(retry_after(&seconds), Some(Duration::from_secs(17)));
        let date = headers(&[
            ("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT"),
            ("date", "Wed, 21 Oct 2015 07:28:00 GMT"),
        ]);
        assert_eq!(retry_after(&date), Some(Duration::from_secs(30)));
        assert_eq!(retry_after(&headers(&[("retry-after", "soon")])), None);
    }

    #[test]
    fn similar_tags_come_nearest_first() {
        let tags = ["1.25", "1.29.1", "latest", "1.29"]
            .map(str::to_owned)
            .to_vec();
        assert_eq!(similar("1.92", tags), ["1.29", "1.25", "1.29.1"]);
    }
}
