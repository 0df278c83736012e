//! The client: one question to one registry, with its scheme, login and retries. What is asked is in
//! `manifest.rs` and `tags.rs`.

use super::challenge::{self, Challenge};
use super::docker_config::{Credential, Keychain, Lookup};
use super::download::{body, sent};
use super::mirrors::Endpoint;
use super::retry::{Attempt, Busy, Pauses};
use super::settings::{Http, WHOLE, unredirected};
use super::token::{self, Outcome};
use super::watch::Reading;
use super::{Error, Settings, failure, is_local};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, WWW_AUTHENTICATE};
use reqwest::{Method, StatusCode};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Mutex, OnceCell};

/// The kinds of manifests that are accepted, an index before a single platform.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";
/// The largest answer that is read (the distribution specification asks for at least 4 MiB).
pub(super) const MAX_BODY: u64 = 8 << 20;

/// A connection to all registries: their credentials, tokens and open connections.
#[derive(Debug)]
pub struct Client {
    http: Http,
    keychain: Keychain,
    pub(super) settings: Settings,
    pauses: Pauses,
    schemes: Mutex<BTreeMap<String, Arc<OnceCell<&'static str>>>>,
    /// The `Authorization` header by registry, repository and whether it may write.
    authorizations: Mutex<BTreeMap<(String, String, bool), String>>,
}

/// What is sent with a request.
pub(super) struct Upload<'a> {
    /// Its media type.
    pub(super) kind: &'a str,
    pub(super) body: &'a [u8],
}

/// A whole answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Client {
    /// Prepares a client; no registry is asked yet.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for a docker configuration or certificate file that cannot be used.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        Ok(Self {
            http: Http::new(&settings)?,
            keychain: Keychain::load(&settings)?,
            settings,
            pauses: Pauses::default(),
            schemes: Mutex::default(),
            authorizations: Mutex::default(),
        })
    }

    /// How many requests may be under way at once; at least one.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.settings.concurrency.max(1)
    }

    /// Asks about a repository, logging in when the registry asks for it.
    pub(super) async fn ask(
        &self,
        method: Method,
        place: &Endpoint,
        path: &str,
    ) -> Result<Answer, Error> {
        self.request(method, place, path, None).await
    }

    /// Sends a request about a repository, logging in when the registry asks for it.
    pub(super) async fn request(
        &self,
        method: Method,
        place: &Endpoint,
        path: &str,
        upload: Option<&Upload<'_>>,
    ) -> Result<Answer, Error> {
        let reading = Reading {
            limit: MAX_BODY,
            watch: &|_| {},
        };
        self.request_within(method, place, path, upload, reading)
            .await
    }

    /// The same, for an answer that may be larger.
    pub(super) async fn request_within(
        &self,
        method: Method,
        place: &Endpoint,
        path: &str,
        upload: Option<&Upload<'_>>,
        reading: Reading<'_>,
    ) -> Result<Answer, Error> {
        let scheme = self.scheme(place).await?;
        let Endpoint {
            registry,
            repository,
            ..
        } = place;
        let url = format!("{scheme}://{registry}/v2/{repository}/{path}");
        let key = (registry.clone(), repository.clone(), upload.is_some());
        let header = self.authorizations.lock().await.get(&key).cloned();
        let request = (&method, url.as_str(), upload, reading);
        let send = async |header| self.send(place, request, header).await;
        let answer = send(header.as_deref()).await?;
        if answer.status == StatusCode::FORBIDDEN {
            let tried = match header {
                Some(_) => "logged in",
                None => "without a login",
            };
            return Err(refused(place, 403, tried.to_owned()));
        }
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let (header, tried) = self.log_in(place, &answer.headers).await?;
        let answer = send(Some(&header)).await?;
        match answer.status.as_u16() {
            status @ (401 | 403) => Err(refused(place, status, tried)),
            _ => {
                self.authorizations.lock().await.insert(key, header);
                Ok(answer)
            }
        }
    }

    /// Finds the `Authorization` header that a challenge asks for, and words for the case that it
    /// is refused.
    async fn log_in(
        &self,
        place: &Endpoint,
        headers: &HeaderMap,
    ) -> Result<(String, String), Error> {
        let challenges = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|v| v.to_str().ok());
        let Some(challenge) = challenge::parse(challenges) else {
            return Err(protocol(place, "401 without a way to log in".to_owned()));
        };
        let found = self.keychain.find(&place.registry, &place.repository).await;
        let tried = found.if_refused();
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
                    .token(place, &found, &realm, service.as_deref(), scope)
                    .await?;
                Ok((format!("Bearer {token}"), tried))
            }
            (Challenge::Basic, Some(Credential::Basic { user, password })) => {
                use base64::Engine as _;
                let pair = format!("{user}:{password}");
                let pair = base64::engine::general_purpose::STANDARD.encode(pair);
                Ok((format!("Basic {pair}"), tried))
            }
            (Challenge::Basic, _) => Err(refused(place, 401, tried)),
        }
    }

    async fn token(
        &self,
        place: &Endpoint,
        found: &Lookup,
        realm: &str,
        service: Option<&str>,
        scope: Option<String>,
    ) -> Result<String, Error> {
        let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", place.repository));
        let credential = found.credential.as_ref();
        let request = token::Request {
            realm,
            service,
            scope,
            credential,
        };
        let mut http = self.http.of(&place.registry, place.insecure);
        let settings = &self.settings;
        let bare;
        // Along a redirect a body goes to other hosts, too.
        if let Some(Credential::Refresh(_)) = credential {
            let verify_certificates = settings.verify_certificates && !place.insecure;
            let settings = Settings {
                verify_certificates,
                ..settings.clone()
            };
            bare = unredirected(&settings, !is_local(&place.registry))?;
            http = &bare;
        }
        let ask = async || token::request(http, &place.registry, settings, &request).await;
        let retried = (self.pauses).retry(&place.registry, &self.settings, &|_| {}, ask);
        match retried.await? {
            Outcome::Token(token) => Ok(token),
            Outcome::Refused(status) => Err(refused(place, status, found.if_refused())),
        }
    }

    /// Sends one request and reads the whole answer, again while the registry fails in a way that
    /// may pass.
    async fn send(
        &self,
        place: &Endpoint,
        (method, url, upload, reading): (&Method, &str, Option<&Upload<'_>>, Reading<'_>),
        authorization: Option<&str>,
    ) -> Result<Answer, Error> {
        let ask = async || {
            let http = self.http.of(&place.registry, place.insecure);
            let mut request = http.request(method.clone(), url).header(ACCEPT, MANIFESTS);
            if let Some(Upload { kind, body }) = upload {
                request = request.header(CONTENT_TYPE, *kind).body(body.to_vec());
            }
            if let Some(value) = authorization {
                request = request.header(AUTHORIZATION, value);
            }
            let sending = upload.map_or(0, |upload| upload.body.len());
            if reading.limit > MAX_BODY || sending > 0 {
                request = request.timeout(WHOLE);
            }
            let patience = self.settings.patience(sending);
            let response = sent(request, &place.registry, patience).await?;
            if let Some(busy) = Busy::of(response.status(), response.headers()) {
                return Ok(Attempt::Busy(busy));
            }
            let (status, headers) = (response.status(), response.headers().clone());
            let shown = (place.registry.as_str(), url);
            let Reading { limit, watch } = reading;
            let body = body(response, shown, limit, &self.settings, watch).await?;
            Ok(Attempt::Done(Answer {
                status,
                headers,
                body,
            }))
        };
        self.pauses
            .retry(&place.registry, &self.settings, reading.watch, ask)
            .await
    }

    /// https, or http for a registry where that is allowed and that does not speak TLS; found out
    /// once.
    async fn scheme(&self, place: &Endpoint) -> Result<&'static str, Error> {
        let registry = &place.registry;
        if !self.settings.insecure && !place.insecure && !is_local(registry) {
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
            let http = self.http.of(registry, place.insecure);
            let Err(error) = http.get(url).send().await else {
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
}

pub(super) fn protocol(place: &Endpoint, cause: String) -> Error {
    Error::Protocol {
        registry: place.registry.clone(),
        cause,
    }
}

fn refused(place: &Endpoint, status: u16, tried: String) -> Error {
    let (registry, repository) = (place.registry.clone(), place.repository.clone());
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
