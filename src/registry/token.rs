//! Bearer tokens: what a registry's token server gives for a credential.
//!
//! Follows the token and OAuth 2 specifications of `distribution/distribution` (docs/content/spec/auth).

use super::docker_config::Credential;
use super::download::{body, sent};
use super::retry::{Attempt, Busy};
use super::{Error, Settings, is_local};
use serde::Deserialize;

/// The name by which token servers know this program.
const CLIENT_ID: &str = "windlass";
/// The largest answer that is read, in bytes.
const MAX_ANSWER: u64 = 1 << 20;

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
}

/// A question to a token server.
pub(super) struct Request<'a> {
    /// The address of the token server.
    pub realm: &'a str,
    /// The registry's name there.
    pub service: Option<&'a str>,
    /// What the token has to allow.
    pub scope: String,
    /// Who asks; `None` asks anonymously.
    pub credential: Option<&'a Credential>,
}

/// What a token server said.
pub(super) enum Outcome {
    /// A token.
    Token(String),
    /// The credential is refused, or one is needed: the status is 401 or 403.
    Refused(u16),
}

/// Asks for a token.
///
/// # Errors
///
/// What keeps the token server from answering; [`Error::Protocol`] for an answer without token.
pub(super) async fn request(
    http: &reqwest::Client,
    registry: &str,
    settings: &Settings,
    request: &Request<'_>,
) -> Result<Attempt<Outcome>, Error> {
    let protocol = |cause: String| Error::Protocol {
        registry: registry.to_owned(),
        cause,
    };
    let mut url = reqwest::Url::parse(request.realm)
        .map_err(|_| protocol("its token server has no valid address".to_owned()))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    if url.scheme() != "https"
        && !(url.scheme() == "http" && (is_local(&host) || is_local(registry)))
    {
        return Err(protocol(format!(
            "its token server {host} is not reached by https"
        )));
    }
    let asking = match request.credential {
        Some(Credential::Refresh(token)) => {
            let mut form = vec![("grant_type", "refresh_token"), ("client_id", CLIENT_ID)];
            form.extend([("refresh_token", token.as_str()), ("scope", &request.scope)]);
            form.extend(request.service.map(|service| ("service", service)));
            http.post(url)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(encode(&form))
        }
        other => {
            let service = request.service.map(|service| ("service", service));
            url.query_pairs_mut()
                .extend_pairs(service)
                .append_pair("scope", &request.scope);
            match other {
                Some(Credential::Basic { user, password }) => {
                    http.get(url).basic_auth(user, Some(password))
                }
                _ => http.get(url),
            }
        }
    };
    let response = sent(asking, &host, settings.timeout).await?;
    if let Some(busy) = Busy::of(response.status(), response.headers()) {
        return Ok(Attempt::Busy(busy));
    }
    match response.status().as_u16() {
        200..=299 => {}
        status @ (401 | 403) => return Ok(Attempt::Done(Outcome::Refused(status))),
        status => {
            return Err(protocol(format!(
                "its token server {host} answers {status}"
            )));
        }
    }
    let name = format!("the answer of token server {host}");
    let place = (host.as_str(), name.as_str());
    let answer = body(response, place, MAX_ANSWER, settings, &|_| {}).await?;
    let answer: Answer = serde_json::from_slice(&answer)
        .map_err(|_| protocol(format!("its token server {host} does not answer with JSON")))?;
    let token = if answer.token.is_empty() {
        answer.access_token
    } else {
        answer.token
    };
    if token.is_empty() {
        return Err(protocol(format!("its token server {host} gives no token")));
    }
    Ok(Attempt::Done(Outcome::Token(token)))
}

/// The body of a form.
fn encode(form: &[(&str, &str)]) -> String {
    let mut url = reqwest::Url::parse("http://form/").expect("a constant address is valid");
    url.query_pairs_mut().extend_pairs(form);
    url.query().unwrap_or_default().to_owned()
}
