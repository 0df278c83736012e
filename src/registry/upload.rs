//! Requests to plain http servers that change something there, such as those of ChartMuseum's API.
//!
//! They go with the same logins and retries as files are read with in `download.rs`. What an answer means is for the
//! caller to say: a server's own words are handed on.

use super::docker_config::Credential;
use super::download::{Server, host, with_login};
use super::retry::{Attempt, Busy};
use super::settings::WHOLE;
use super::{Error, failure, shown};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode, Url};

/// The most that is read of an answer, in bytes.
const MAX_REPLY: usize = 1 << 20;

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The body, cut where it is long.
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
        if !matches!(url.scheme(), "http" | "https") || url.origin() != self.base.origin() {
            return Err(Error::Scheme {
                url: shown(url),
                scheme: url.scheme().to_owned(),
            });
        }
        let host = host(url);
        let attempt = async |login: Option<&Credential>| {
            let ask = async || self.request(&method, url, upload, login).await;
            (self.pauses)
                .retry(&host, &self.settings, &|_| {}, ask)
                .await
        };
        let refused = |tried: String| Error::Unauthorized {
            registry: host.clone(),
            repository: shown(url),
            tried,
        };
        let own = self.access.login.as_ref();
        let reply = attempt(own).await?;
        match (reply.status, own) {
            (StatusCode::UNAUTHORIZED, Some(_)) => Err(refused(
                "the login of the repository is not accepted".to_owned(),
            )),
            (StatusCode::UNAUTHORIZED, None) => {
                let found = self.keychain.find(&host, url.path()).await;
                let Some(login) = &found.credential else {
                    return Err(refused(found.if_refused()));
                };
                let reply = attempt(Some(login)).await?;
                match reply.status {
                    StatusCode::UNAUTHORIZED => Err(refused(found.if_refused())),
                    _ => Ok(reply),
                }
            }
            _ => Ok(reply),
        }
    }

    async fn request(
        &self,
        method: &Method,
        url: &Url,
        upload: Option<(&str, &[u8])>,
        login: Option<&Credential>,
    ) -> Result<Attempt<Reply>, Error> {
        let failed =
            |error: reqwest::Error| failure::classify(&host(url), &error, self.settings.timeout);
        let mut request = self
            .http
            .request(method.clone(), url.clone())
            .timeout(WHOLE);
        if let Some((kind, body)) = upload {
            request = request.header(CONTENT_TYPE, kind).body(body.to_vec());
        }
        let request = with_login(request, login);
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        // Other failures of a server may have words of their own.
        let passes = matches!(status.as_u16(), 429 | 502..=504);
        if let (true, Some(busy)) = (passes, Busy::of(status, response.headers())) {
            return Ok(Attempt::Busy(busy));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_REPLY {
                body.truncate(MAX_REPLY);
                break;
            }
        }
        Ok(Attempt::Done(Reply { status, body }))
    }
}
