//! One request: sent, counted, repeated where that is safe, its failure named.

use super::pace::Turn;
use super::{Cluster, Error, error, transport};
use flate2::read::GzDecoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use kube::client::Body;
use std::error::Error as _;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How long a request is repeated while the server is overloaded or away.
const RETRY_FOR: Duration = Duration::from_secs(30);
/// The same before the server was reached once: a wrong address must not look like a hang.
const FIRST_RETRY_FOR: Duration = Duration::from_secs(1);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(60);
/// How many long streams share the connection of the requests. API servers bear 100 streams on one connection, and a
/// request beyond that waits until another ends, which a watch never does.
const SHARED_STREAMS: usize = 50;
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// What is asked of the server; the words of RBAC where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Reads the list of kinds.
    Discover,
    /// Reads one object.
    Get,
    /// Reads many objects.
    List,
    /// Follows changes.
    Watch,
    /// Applies an object as a trial.
    DryRun,
    /// Applies an object.
    Apply,
    /// Changes a part of an object.
    Patch,
    /// Creates an object.
    Create,
    /// Replaces an object.
    Update,
    /// Deletes an object.
    Delete,
}

impl Verb {
    /// The word for messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Discover => "discover",
            Self::Get => "read",
            Self::List => "list",
            Self::Watch => "watch",
            Self::DryRun => "dry-run",
            Self::Apply => "apply",
            Self::Patch => "change",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// Whether it changes the cluster.
    #[must_use]
    pub fn writes(self) -> bool {
        matches!(
            self,
            Self::Apply | Self::Patch | Self::Create | Self::Update | Self::Delete
        )
    }

    /// Whether many of it are sent at once, so that fewer help an overloaded server. Not what the
    /// lock and the record are written with, nor reads: they must not wait for work that may itself
    /// be waiting for them.
    fn comes_in_crowds(self) -> bool {
        matches!(
            self,
            Self::DryRun | Self::Apply | Self::Patch | Self::Delete
        )
    }
}

const VERBS: [Verb; 10] = [
    Verb::Discover,
    Verb::Get,
    Verb::List,
    Verb::Watch,
    Verb::DryRun,
    Verb::Apply,
    Verb::Patch,
    Verb::Create,
    Verb::Update,
    Verb::Delete,
];

/// How many requests were sent, by verb; every attempt counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests([u64; VERBS.len()]);

impl Requests {
    /// Requests of one verb.
    #[must_use]
    pub fn of(&self, verb: Verb) -> u64 {
        self.0[verb as usize]
    }

    /// Requests that change the cluster.
    #[must_use]
    pub fn writes(&self) -> u64 {
        VERBS
            .iter()
            .filter(|verb| verb.writes())
            .map(|verb| self.of(*verb))
            .sum()
    }

    /// Requests that do not, trials included.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.0.iter().sum::<u64>() - self.writes()
    }
}

impl std::fmt::Display for Requests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let used: Vec<_> = VERBS
            .iter()
            .filter(|verb| self.of(**verb) > 0)
            .map(|verb| format!("{} {}", self.of(*verb), verb.word()))
            .collect();
        f.write_str(&used.join(", "))
    }
}

/// The running counts of a connection.
#[derive(Debug, Default)]
pub(super) struct Meter {
    counts: [AtomicU64; VERBS.len()],
    reached: AtomicBool,
    /// The server's clock in its last answer, in seconds since 1970; 0 before the first.
    server_seconds: AtomicI64,
}

impl Meter {
    pub(super) fn snapshot(&self) -> Requests {
        Requests(std::array::from_fn(|index| {
            self.counts[index].load(Ordering::Relaxed)
        }))
    }

    /// The server's clock in its last answer.
    pub(super) fn server_time(&self) -> Option<Timestamp> {
        let seconds = self.server_seconds.load(Ordering::Relaxed);
        Timestamp::from_second(seconds).ok().filter(|_| seconds > 0)
    }

    fn note(&self, headers: &http::HeaderMap) {
        self.reached.store(true, Ordering::Relaxed);
        let date = headers
            .get(http::header::DATE)
            .and_then(|date| date.to_str().ok());
        if let Some(Ok(date)) = date.map(jiff::fmt::rfc2822::parse) {
            let seconds = date.timestamp().as_second();
            self.server_seconds.store(seconds, Ordering::Relaxed);
        }
    }
}

/// One of the long streams that are open, as long as this lives.
pub(super) struct Seat(Arc<()>);

/// One request before it is sent.
pub(super) struct Request<'a> {
    pub(super) verb: Verb,
    /// Verb and object for messages, for example `apply Deployment/web (staging)`.
    pub(super) action: &'a str,
    pub(super) method: http::Method,
    /// Path and query.
    pub(super) path: String,
    pub(super) headers: Vec<(http::HeaderName, &'a str)>,
    pub(super) body: Vec<u8>,
    /// Whether it does no harm to send it twice.
    pub(super) repeatable: bool,
}

impl<'a> Request<'a> {
    /// A read.
    pub(super) fn get(verb: Verb, action: &'a str, path: String) -> Self {
        Self {
            verb,
            action,
            method: http::Method::GET,
            path,
            headers: Vec::new(),
            body: Vec::new(),
            repeatable: true,
        }
    }

    /// A write of a JSON document.
    pub(super) fn write(
        verb: Verb,
        action: &'a str,
        method: http::Method,
        path: String,
        body: Vec<u8>,
    ) -> Self {
        Self {
            verb,
            action,
            method,
            path,
            headers: Vec::new(),
            body,
            repeatable: true,
        }
    }
}

/// An answer with a success status, or 304.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: http::HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Cluster {
    /// Sends a request; repeats it while that is safe and may help.
    pub(super) async fn send(&self, request: Request<'_>) -> Result<Answer, Error> {
        let mut spent = Duration::ZERO;
        let mut delay = FIRST_DELAY;
        loop {
            let mut turn = None;
            if request.verb.comes_in_crowds() {
                turn = Some(self.inner.pace.turn().await);
            }
            let begun = Instant::now();
            let (error, hint) = match self.attempt_in_time(&request, turn).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            spent += begun.elapsed();
            let wait = match hint {
                Some(Hint::After(wait)) => wait,
                Some(Hint::Backoff) if request.repeatable && may_heal(&error) => delay,
                _ => return Err(error),
            };
            if spent + wait > self.patience() {
                return Err(error);
            }
            // The error may quote what was sent, secrets included: it is not logged.
            tracing::debug!(action = request.action, ?wait, "repeat request");
            tokio::time::sleep(wait).await;
            spent += wait;
            delay = (delay * 2).min(LONGEST_DELAY);
        }
    }

    /// Sends once. The turn ends with the answer.
    async fn attempt_in_time(
        &self,
        request: &Request<'_>,
        mut turn: Option<Turn<'_>>,
    ) -> Result<Answer, (Error, Option<Hint>)> {
        match tokio::time::timeout(ATTEMPT, self.attempt(request)).await {
            Ok(Ok(answer)) => {
                if let Some(turn) = &mut turn {
                    turn.answer = Some(answer.status);
                }
                self.inner.meter.note(&answer.headers);
                failure(self, request, answer)
            }
            Ok(Err(error)) => Err((error, Some(Hint::Backoff))),
            Err(_) => {
                let reason = format!("no answer within {} s", ATTEMPT.as_secs());
                let url = self.inner.url.clone();
                Err((Error::Unreachable { url, reason }, Some(Hint::Backoff)))
            }
        }
    }

    fn patience(&self) -> Duration {
        if self.inner.meter.reached.load(Ordering::Relaxed) {
            RETRY_FOR
        } else {
            FIRST_RETRY_FOR
        }
    }

    /// Sends once and reads the whole answer.
    async fn attempt(&self, request: &Request<'_>) -> Result<Answer, Error> {
        let form = if self.inner.is_compressed {
            Form::Compressed
        } else {
            Form::Plain
        };
        let (parts, body) = self.open(request, form).await?.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|error| self.broken(request, &error))?
            .to_bytes();
        let body = match parts.headers.get(CONTENT_ENCODING) {
            Some(coding) if coding == "gzip" => {
                unpacked(&body).map_err(|error| Error::Unreachable {
                    url: self.inner.url.clone(),
                    reason: format!("its answer is broken: {error}"),
                })?
            }
            _ => body.to_vec(),
        };
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        })
    }

    /// Sends once and gives back the answer with its body unread, to be read for as long as it grows. It is never
    /// compressed: some servers compress event by event. The seat is kept until the end.
    pub(super) async fn open_stream(
        &self,
        request: &Request<'_>,
    ) -> Result<(http::Response<Body>, Seat), Error> {
        let seat = Seat(Arc::clone(&self.inner.seats));
        let form = if Arc::strong_count(&seat.0) > SHARED_STREAMS + 1 {
            Form::Alone
        } else {
            Form::Plain
        };
        Ok((self.open(request, form).await?, seat))
    }

    async fn open(&self, request: &Request<'_>, form: Form) -> Result<http::Response<Body>, Error> {
        let message = message(request, form)?;
        self.inner.meter.counts[request.verb as usize].fetch_add(1, Ordering::Relaxed);
        let begun = Instant::now();
        let sent = self.inner.client.send(message).await;
        // Neither bodies nor errors: both may hold secrets.
        tracing::debug!(
            method = request.method.as_str(),
            path = request.path,
            status = sent.as_ref().map_or(0, |answer| answer.status().as_u16()),
            ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            "request"
        );
        sent.map_err(|error| self.broken(request, &error))
    }

    /// A request that got no answer.
    fn broken(&self, request: &Request<'_>, error: &kube::Error) -> Error {
        let url = self.inner.url.clone();
        if let kube::Error::Auth(error) = error {
            let context = self.inner.context.clone();
            return Error::Credentials {
                context,
                reason: error.to_string(),
            };
        }
        let chain = chain(error);
        let tls = ["certificate", "tls", "TLS", "InvalidMessage"]
            .iter()
            .any(|word| {
                chain
                    .iter()
                    .any(|cause| cause.contains(word) && !cause.contains("close_notify"))
            });
        let reason = chain
            .last()
            .cloned()
            .unwrap_or_else(|| request.action.to_owned());
        if tls {
            Error::Tls { url, reason }
        } else {
            Error::Unreachable { url, reason }
        }
    }
}

/// How the answer is to come.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// As the server likes it: compressed where that is worth it.
    Compressed,
    /// As it is.
    Plain,
    /// As it is, on a connection of its own.
    Alone,
}

fn message(request: &Request<'_>, form: Form) -> Result<http::Request<Body>, Error> {
    let mut message = http::Request::builder()
        .method(request.method.clone())
        .uri(&request.path);
    for (name, value) in &request.headers {
        message = message.header(name, *value);
    }
    message = match form {
        Form::Compressed => message.header(ACCEPT_ENCODING, "gzip"),
        Form::Plain => message,
        Form::Alone => message.extension(transport::Alone),
    };
    let body = Body::from(request.body.clone());
    message.body(body).map_err(|error| Error::Request {
        action: request.action.to_owned(),
        reason: error.to_string(),
    })
}

fn unpacked(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    GzDecoder::new(body).read_to_end(&mut plain)?;
    Ok(plain)
}

/// When to send the request again.
enum Hint {
    /// The server named the time and did not act on the request.
    After(Duration),
    /// Later and later.
    Backoff,
}

fn failure(
    cluster: &Cluster,
    request: &Request<'_>,
    answer: Answer,
) -> Result<Answer, (Error, Option<Hint>)> {
    if answer.status < 300 || answer.status == 304 {
        return Ok(answer);
    }
    let error = error::from_status(
        request.action,
        &cluster.inner.url,
        answer.status,
        &answer.body,
    );
    let hint = match answer.status {
        429 => Some(Hint::After(
            retry_after(&answer.headers).unwrap_or(Duration::from_secs(1)),
        )),
        500 | 502..=504 => Some(retry_after(&answer.headers).map_or(Hint::Backoff, Hint::After)),
        _ => None,
    };
    Err((error, hint))
}

fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    let seconds = headers
        .get(http::header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}

/// Whether the cause may be gone in a moment. A webhook that denies answers with 4xx; one that
/// cannot be called gives 500 and may come up.
fn may_heal(error: &Error) -> bool {
    matches!(error, Error::Unreachable { .. } | Error::Api { .. })
}

/// The texts of an error and its causes, outermost first, without kube's and hyper's wrappers.
fn chain(error: &kube::Error) -> Vec<String> {
    let mut texts = Vec::new();
    let mut next: Option<&dyn std::error::Error> = error.source();
    while let Some(cause) = next {
        texts.push(cause.to_string());
        next = cause.source();
    }
    if texts.is_empty() {
        texts.push(error.to_string());
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_a_dry_run_as_a_read() {
        let meter = Meter::default();
        for verb in [Verb::DryRun, Verb::Apply, Verb::List] {
            meter.counts[verb as usize].fetch_add(1, Ordering::Relaxed);
        }
        let requests = meter.snapshot();
        assert_eq!((requests.reads(), requests.writes()), (2, 1));
        assert_eq!(requests.to_string(), "1 list, 1 dry-run, 1 apply");
    }
}
