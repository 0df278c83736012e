//! Requests to plain http servers that change something there, such as those of ChartMuseum's API.
//!
//! They go with the same logins and retries as files are read with in `download.rs`. What an answer means is for the
//! caller to say: a server's own words are handed on.

use super::docker_config::Credential;
use super::download::{Server, body, host, sent, with_login};
use super::retry::{Attempt, Busy};
use super::settings::WHOLE;
use super::{Error, shown};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode, Url};

/// The most that is read of an answer, in bytes.
const MAX_REPLY: u64 = 1 << 20;

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Vec<u8>,
}

impl Server {
    /// Sends a request with a body of a media type, or without one, to the server itself. It is sent again while the
    /// server is not reached or too busy to look at it.
    ///
    /// # Errors
    ///
    /// An [`Error`] when there is no answer, or one that wants another login.
    pub async fn change(
        &self,
        method: Method,
        url: &Url,
        upload: Option<(&str, &[u8])>,
    ) -> Result<Reply, Error> {
        let ask =
            async |login: Option<&Credential>| self.request(&method, url, upload, login).await;
        self.logged_in(url, &|_| {}, ask).await
    }

    async fn request(
        &self,
        method: &Method,
        url: &Url,
        upload: Option<(&str, &[u8])>,
        login: Option<&Credential>,
    ) -> Result<Attempt<Option<Reply>>, Error> {
        let host = host(url);
        let mut request = self
            .http
            .request(method.clone(), url.clone())
            .timeout(WHOLE);
        let size = upload.map_or(0, |(_, body)| body.len());
        if let Some((kind, body)) = upload {
            request = request.header(CONTENT_TYPE, kind).body(body.to_vec());
        }
        let patience = self.settings.patience(size);
        let response = sent(with_login(request, login), &host, patience).await?;
        let status = response.status();
        // Other failures of a server may have words of their own.
        let passes = matches!(status.as_u16(), 429 | 502..=504);
        if let (true, Some(busy)) = (passes, Busy::of(status, response.headers())) {
            return Ok(Attempt::Busy(busy));
        }
        if status == StatusCode::UNAUTHORIZED {
            return Ok(Attempt::Done(None));
        }
        let shown = shown(url);
        let place = (host.as_str(), shown.as_str());
        let body = body(response, place, MAX_REPLY, &self.settings, &|_| {}).await?;
        Ok(Attempt::Done(Some(Reply { status, body })))
    }
}
