//! Objects in buckets of S3 and of servers that speak its protocol: read, and written under a condition.
//!
//! Signed by `sign.rs` with what `credentials.rs` finds. Redirects are not followed: what signs a request goes to
//! the server that is set and to no other one. What the objects are is not known here.

mod credentials;
mod error;
mod place;
mod profile;
mod sign;
#[cfg(test)]
mod tests;
mod xml;

pub use error::{Refusal, S3Error};
pub use place::Object;

use super::download::{body, body_into, host, sent};
use super::retry::{self, Attempt, Busy, Pauses};
use super::settings::{WHOLE, unredirected};
use super::{Error, Settings, Sink, Watch, is_local};
use credentials::{Desk, Source};
use jiff::Timestamp;
use place::Place;
use profile::Profile;
use reqwest::header::ETAG;
use reqwest::{Method, StatusCode};
use sign::Keys;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, OnceCell};

/// What addresses of objects begin with.
pub const S3_SCHEME: &str = "s3://";
/// The words for requests that are not signed.
const ANONYMOUS: &str = "no credentials";
/// The longest wait between two tries of a write that others came before.
const MAX_PAUSE: Duration = Duration::from_secs(4);
/// The largest answer to anything but a read.
const MAX_ANSWER: u64 = 4 << 20;

/// What the environment says about AWS. Its `Debug` text shows no value.
#[derive(Clone, PartialEq, Eq)]
pub struct Aws {
    /// The variables that begin with `AWS_`.
    pub variables: BTreeMap<String, String>,
    /// The home folder, in which `.aws` is.
    pub home: Option<PathBuf>,
    /// The time, which signatures hold, and when it was that time.
    pub clock: (Timestamp, Instant),
}

impl Default for Aws {
    fn default() -> Self {
        Self {
            variables: BTreeMap::new(),
            home: None,
            clock: (Timestamp::default(), Instant::now()),
        }
    }
}

impl std::fmt::Debug for Aws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Aws(…)")
    }
}

impl Aws {
    /// A variable that is set to something.
    fn get(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    fn now(&self) -> Timestamp {
        let (then, since) = self.clock;
        then.checked_add(since.elapsed()).unwrap_or(then)
    }
}

/// A connection to S3: where it is, and who asks.
pub struct S3 {
    settings: Settings,
    proxied: reqwest::Client,
    /// For servers on this machine.
    direct: reqwest::Client,
    place: Place,
    source: Source,
    /// Whose credentials are used, in words.
    who: String,
    keys: OnceCell<Option<Keys>>,
    /// The regions of buckets that turned out to be elsewhere.
    regions: Mutex<BTreeMap<String, String>>,
    pauses: Pauses,
}

impl std::fmt::Debug for S3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3").finish_non_exhaustive()
    }
}

/// An object as it was read.
#[derive(Debug)]
pub struct Found<T = Vec<u8>> {
    /// Its bytes.
    pub bytes: T,
    /// What names this version of it, as the server writes it; empty where the server has no such names.
    pub etag: String,
}

/// Under which condition an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition<'a> {
    /// None.
    Always,
    /// There is no such object.
    Absent,
    /// The object has this `ETag`.
    Unchanged(&'a str),
}

/// One request.
struct Call<'a> {
    doing: &'static str,
    method: Method,
    object: &'a Object,
    headers: Vec<(&'static str, String)>,
    body: &'a [u8],
    limit: u64,
    watch: Watch<'a>,
}

struct Answer<T> {
    status: StatusCode,
    etag: String,
    /// The region in which the server says that the bucket is.
    region: Option<String>,
    /// What was asked for, else what the server says against it.
    body: Result<T, Vec<u8>>,
}

impl S3 {
    /// Reads what is set for AWS; nothing is asked yet.
    ///
    /// # Errors
    ///
    /// [`Error::S3`] for settings that cannot be used, [`Error::File`] for certificates that cannot.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut settings = settings.clone();
        let profile = Profile::load(&settings.aws)?;
        let bundle = settings.aws.get("AWS_CA_BUNDLE");
        let bundle = bundle.or_else(|| profile.get("ca_bundle")).map(Into::into);
        settings.ca_files.extend::<Option<PathBuf>>(bundle);
        let (source, who) = Source::find(&settings.aws, &profile)?;
        let place = Place::find(&settings.aws, &profile)?;
        Ok(Self {
            proxied: unredirected(&settings, true)?,
            direct: unredirected(&settings, false)?,
            place,
            source,
            who,
            keys: OnceCell::new(),
            regions: Mutex::default(),
            pauses: Pauses::default(),
            settings,
        })
    }

    /// Reads an object of at most `limit` bytes; `None` when the bucket has none of that key.
    ///
    /// # Errors
    ///
    /// An [`Error`] that says why there is no answer.
    pub async fn get(
        &self,
        object: &Object,
        limit: u64,
        watch: Watch<'_>,
    ) -> Result<Option<Found>, Error> {
        self.read(object, limit, watch, &Vec::new()).await
    }

    /// Reads an object of at most `limit` bytes into a sink that begins as `empty`; `None` when the bucket has none of
    /// that key.
    ///
    /// # Errors
    ///
    /// Those of [`S3::get`].
    pub async fn read<T: Sink>(
        &self,
        object: &Object,
        limit: u64,
        watch: Watch<'_>,
        empty: &T,
    ) -> Result<Option<Found<T>>, Error> {
        let mut call = Call::new("reading", Method::GET, object, limit);
        call.watch = watch;
        let answer = self.send(&call, empty).await?;
        let missing = answer.is_missing_key();
        let etag = answer.etag;
        match answer.body {
            Ok(bytes) => Ok(Some(Found { bytes, etag })),
            Err(_) if missing => Ok(None),
            Err(body) => Err(self.refused(&call, answer.status, &body).await),
        }
    }

    /// Writes an object if the condition holds, and tells whether it did.
    ///
    /// # Errors
    ///
    /// An [`Error`] that says why it is not written.
    pub async fn put(
        &self,
        object: &Object,
        body: &[u8],
        kind: &str,
        condition: Condition<'_>,
    ) -> Result<bool, Error> {
        let mut call = Call::new("writing", Method::PUT, object, MAX_ANSWER);
        call.body = body;
        call.headers.push(("content-type", kind.to_owned()));
        match condition {
            Condition::Always => {}
            Condition::Absent => call.headers.push(("if-none-match", "*".to_owned())),
            Condition::Unchanged(etag) => call.headers.push(("if-match", etag.to_owned())),
        }
        let answer = self.send(&call, &Vec::new()).await?;
        let lost = match answer.status {
            StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => true,
            // It was removed since it was read.
            StatusCode::NOT_FOUND => answer.is_missing_key(),
            _ => false,
        };
        match answer.body {
            Ok(_) => Ok(true),
            Err(_) if lost && condition != Condition::Always => Ok(false),
            Err(body) => Err(self.refused(&call, answer.status, &body).await),
        }
    }

    /// Removes an object, if it is there.
    ///
    /// # Errors
    ///
    /// An [`Error`] that says why it may still be there.
    pub async fn delete(&self, object: &Object) -> Result<(), Error> {
        let call = Call::new("removing", Method::DELETE, object, MAX_ANSWER);
        let answer = self.send(&call, &Vec::new()).await?;
        let missing = answer.is_missing_key();
        match answer.body {
            Err(body) if !missing => Err(self.refused(&call, answer.status, &body).await),
            _ => Ok(()),
        }
    }

    /// Waits before the next try of a write that others came before: longer each time, and no two alike.
    pub async fn pause(&self, attempt: u32) {
        let most = self.settings.backoff / 4 * 2_u32.saturating_pow(attempt.min(8));
        tokio::time::sleep(retry::jitter(most.min(MAX_PAUSE))).await;
    }

    /// Sends a request, and once more to the region in which the server says that the bucket is.
    async fn send<T: Sink>(&self, call: &Call<'_>, empty: &T) -> Result<Answer<T>, Error> {
        let bucket = &call.object.bucket;
        let known = self.regions.lock().await.get(bucket).cloned();
        let region = known.unwrap_or_else(|| self.place.region.clone());
        let answer = self.send_to(call, &region, empty).await?;
        match &answer.region {
            Some(other) if answer.body.is_err() && self.place.may_move(&region, other) => {
                let mut regions = self.regions.lock().await;
                regions.insert(bucket.clone(), other.clone());
                drop(regions);
                self.send_to(call, other, empty).await
            }
            _ => Ok(answer),
        }
    }

    async fn send_to<T: Sink>(
        &self,
        call: &Call<'_>,
        region: &str,
        empty: &T,
    ) -> Result<Answer<T>, Error> {
        let keys = self.keys.get_or_try_init(|| self.log_in()).await?;
        let (url, path) = self.place.url(call.object, region)?;
        let host = host(&url);
        // The body is sent in this time, too.
        let patience = self.settings.patience(call.body.len());
        let ask = async || {
            let mut request = self.http(&host).request(call.method.clone(), url.clone());
            request = request.timeout(WHOLE).body(call.body.to_vec());
            let signed = self.signed(call, (&host, &path), region, keys.as_ref());
            for (name, value) in call.headers.iter().chain(&signed) {
                request = request.header(*name, value);
            }
            let response = sent(request, &host, patience).await?;
            let status = response.status();
            // What a server does not know it will not know later either.
            let busy = Busy::of(status, response.headers());
            match busy.filter(|_| status != StatusCode::NOT_IMPLEMENTED) {
                Some(busy) => Ok(Attempt::Busy(busy)),
                None => Ok(Attempt::Done(
                    self.answer(call, response, &host, empty).await?,
                )),
            }
        };
        (self.pauses)
            .retry(&host, &self.settings, call.watch, ask)
            .await
    }

    /// The headers that sign a request; none where nobody signs.
    fn signed(
        &self,
        call: &Call<'_>,
        (host, path): (&str, &str),
        region: &str,
        keys: Option<&Keys>,
    ) -> Vec<(&'static str, String)> {
        let Some(keys) = keys else {
            return Vec::new();
        };
        let request = sign::Request {
            method: call.method.as_str(),
            host,
            path,
            query: "",
            headers: call.headers.clone(),
            body: call.body,
        };
        sign::headers(&request, keys, region, "s3", self.settings.aws.now())
    }

    async fn answer<T: Sink>(
        &self,
        call: &Call<'_>,
        response: reqwest::Response,
        host: &str,
        empty: &T,
    ) -> Result<Answer<T>, Error> {
        let header = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let (etag, region) = (header(ETAG.as_str()), header("x-amz-bucket-region"));
        let status = response.status();
        let shown = call.object.to_string();
        let (place, settings) = ((host, shown.as_str()), &self.settings);
        let body = match status.is_success() {
            true => Ok(body_into(
                response,
                place,
                call.limit,
                settings,
                call.watch,
                empty.clone(),
            )
            .await?),
            false => Err(body(response, place, MAX_ANSWER, settings, call.watch).await?),
        };
        Ok(Answer {
            status,
            etag: etag.unwrap_or_default(),
            region,
            body,
        })
    }

    fn http(&self, host: &str) -> &reqwest::Client {
        match is_local(host) {
            true => &self.direct,
            false => &self.proxied,
        }
    }

    async fn log_in(&self) -> Result<Option<Keys>, Error> {
        let asked = match &self.source {
            Source::Container { url, .. } => url,
            _ => &self.place.sts,
        };
        let desk = Desk {
            http: self.http(&host(asked)),
            pauses: &self.pauses,
            settings: &self.settings,
            sts: &self.place.sts,
        };
        self.source.keys(&desk).await
    }

    async fn refused(&self, call: &Call<'_>, status: StatusCode, body: &[u8]) -> Error {
        let (code, message) = error::of_answer(body);
        let regions = self.regions.lock().await;
        let region = regions.get(&call.object.bucket);
        let region = region.unwrap_or(&self.place.region);
        let url = self.place.url(call.object, region);
        let host = url.map(|(url, _)| host(&url)).unwrap_or_default();
        let refusal = Refusal {
            doing: call.doing,
            address: call.object.to_string(),
            host,
            status: status.as_u16(),
            code,
            message,
            who: self.who.clone(),
        };
        S3Error::Refused(Box::new(refusal)).into()
    }
}

impl<'a> Call<'a> {
    fn new(doing: &'static str, method: Method, object: &'a Object, limit: u64) -> Self {
        Self {
            doing,
            method,
            object,
            headers: Vec::new(),
            body: &[],
            limit,
            watch: &|_| {},
        }
    }
}

impl<T> Answer<T> {
    /// The bucket is there, the object is not.
    fn is_missing_key(&self) -> bool {
        let said = self.body.as_ref().err();
        let code = said.map(|body| error::of_answer(body).0);
        self.status == StatusCode::NOT_FOUND
            && code.is_some_and(|code| matches!(code.as_str(), "NoSuchKey" | ""))
    }
}
