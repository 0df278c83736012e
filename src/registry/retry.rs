//! Trying again while a registry is busy or cuts connections: how often, and after how long.

use super::{Error, Passing, Settings, Watch};
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How often one request is tried when the registry fails in a way that may pass.
const ATTEMPTS: u32 = 4;
/// The longest wait that a `Retry-After` may ask for.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// Numbers above this in a `Retry-After` are seconds since 1970, as Docker Hub sends them.
const FIRST_EPOCH: u64 = 1_000_000_000;

/// One try of a request.
pub(super) enum Attempt<T> {
    /// There is an answer.
    Done(T),
    /// The registry is busy.
    Busy(Busy),
}

/// What a busy registry says.
pub(super) struct Busy {
    status: StatusCode,
    retry_after: Option<Duration>,
    allowed: Option<String>,
}

impl Busy {
    /// The answer is one that may be another after a while: 429 or 5xx.
    pub(super) fn of(status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        (status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()).then(|| Self {
            status,
            retry_after: retry_after(headers),
            allowed: allowed(headers),
        })
    }

    fn error(&self, registry: &str, attempts: u32) -> Error {
        let registry = registry.to_owned();
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            Error::RateLimited {
                registry,
                allowed: self.allowed.clone(),
                retry_after: self.retry_after,
            }
        } else {
            Error::Server {
                registry,
                status: self.status.as_u16(),
                attempts,
            }
        }
    }
}

/// The registries that asked for a pause: all requests to them wait, not only the one that was told.
#[derive(Debug, Default)]
pub(super) struct Pauses(Mutex<BTreeMap<String, Instant>>);

impl Pauses {
    /// Tries up to [`ATTEMPTS`] times while the registry is busy or cuts the connection. The waits
    /// double, and no two are alike, so that many requests do not come back all at once.
    pub(super) async fn retry<T>(
        &self,
        registry: &str,
        settings: &Settings,
        watch: Watch<'_>,
        ask: impl AsyncFn() -> Result<Attempt<T>, Error>,
    ) -> Result<T, Error> {
        let mut backoff = settings.backoff;
        let mut attempt = 1;
        loop {
            let pause = self.0.lock().await.get(registry).copied();
            if let Some(end) = pause {
                tokio::time::sleep_until(end).await;
            }
            let (error, asked) = match ask().await {
                Ok(Attempt::Done(done)) => return Ok(done),
                Ok(Attempt::Busy(busy)) => (busy.error(registry, attempt), busy.retry_after),
                Err(error @ Error::Connection { .. }) => (error, None),
                Err(error) => return Err(error),
            };
            if attempt == ATTEMPTS || asked.is_some_and(|asked| asked > MAX_WAIT) {
                return Err(error);
            }
            let wait = asked.unwrap_or_default().max(backoff / 2) + jitter(backoff / 2);
            let is_limited = matches!(error, Error::RateLimited { .. });
            watch(Passing::Again { cause: error, wait });
            if is_limited {
                let end = Instant::now() + wait;
                self.0.lock().await.insert(registry.to_owned(), end);
            } else {
                tokio::time::sleep(wait).await;
            }
            backoff *= 2;
            attempt += 1;
        }
    }
}

/// A time between nothing and `most`. Without random bytes it is `most`.
pub(super) fn jitter(most: Duration) -> Duration {
    let mut byte = [0];
    match getrandom::fill(&mut byte) {
        Ok(()) => most * u32::from(byte[0]) / u32::from(u8::MAX),
        Err(_) => most,
    }
}

/// `Retry-After` in seconds, or as a date, which is compared with the answer's own date. Docker Hub
/// has the same in `X-Retry-After`, as seconds since 1970.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let date = |text: &str| {
        Some(
            jiff::fmt::rfc2822::parse(text)
                .ok()?
                .timestamp()
                .as_second(),
        )
    };
    let after = text(RETRY_AFTER.as_str()).or_else(|| text("x-retry-after"))?;
    let until = match after.parse::<u64>() {
        Ok(seconds) if seconds < FIRST_EPOCH => return Some(Duration::from_secs(seconds)),
        Ok(epoch) => i64::try_from(epoch).ok()?,
        Err(_) => date(after)?,
    };
    let wait = until.saturating_sub(date(text(DATE.as_str())?)?);
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
}

/// How many requests are allowed, by Docker Hub's `RateLimit-Limit: 100;w=21600`.
fn allowed(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("ratelimit-limit")?.to_str().ok()?;
    let (number, rest) = text.split_once(';')?;
    let number: u32 = number.trim().parse().ok()?;
    let seconds: u32 = rest.trim().strip_prefix("w=")?.parse().ok()?;
    let window = match seconds {
        0..3600 => format!("{seconds} s"),
        _ => format!("{} h", seconds / 3600),
    };
    Some(format!("{number} in {window}"))
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
    fn retry_after_is_seconds_a_date_or_docker_hubs_epoch() {
        const DATE: (&str, &str) = ("date", "Wed, 21 Oct 2015 07:28:00 GMT");
        let wait = |pairs: &[(&'static str, &'static str)]| retry_after(&headers(pairs));
        assert_eq!(
            wait(&[("retry-after", "17")]),
            Some(Duration::from_secs(17))
        );
        let date = [("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT"), DATE];
        assert_eq!(wait(&date), Some(Duration::from_secs(30)));
        let epoch = [("x-retry-after", "1445412490"), DATE];
        assert_eq!(wait(&epoch), Some(Duration::from_secs(10)));
        assert_eq!(wait(&[("retry-after", "soon")]), None);
        assert_eq!(wait(&[("retry-after", "1445412490")]), None);
    }

    #[test]
    fn docker_hubs_limit_is_told_in_hours() {
        let told = |text| allowed(&headers(&[("ratelimit-limit", text)]));
        assert_eq!(told("100;w=21600").as_deref(), Some("100 in 6 h"));
        assert_eq!(told("5;w=60").as_deref(), Some("5 in 60 s"));
        assert_eq!(told("100"), None);
    }

    #[test]
    fn jitter_stays_within_its_bound() {
        for _ in 0..50 {
            assert!(jitter(Duration::from_millis(10)) <= Duration::from_millis(10));
        }
    }
}
