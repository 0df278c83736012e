//! Whose credentials requests to S3 are signed with, looked for where AWS's tools look.
//!
//! In order: keys in variables, web identity in variables, the profile of the shared files, the role of a container.
//! With none of these, requests are not signed. The metadata service of EC2 machines is not asked: where there is none,
//! asking it costs seconds, and in CI its role is rarely the one that is meant.

use super::profile::Profile;
use super::sign::Keys;
use super::{ANONYMOUS, Aws, Error, Refusal, S3Error, xml};
use crate::percent::encode;
use crate::registry::retry::{Attempt, Busy, Pauses};
use crate::registry::{Settings, failure, is_local};
use reqwest::{Method, RequestBuilder, Url};
use serde::Deserialize;
use std::path::PathBuf;

/// The addresses beside those of this machine that a container's role is asked of by plain http.
const CONTAINER_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];
/// The largest answer of STS or of a container's agent.
const MAX_ANSWER: u64 = 1 << 20;
/// What makes keys of every way to log in that AWS's own tool has.
const EXPORT: &str = "`eval \"$(aws configure export-credentials --profile NAME --format env)\"` makes variables of it";

/// Where credentials come from.
pub(super) enum Source {
    Nobody,
    Keys(Keys),
    /// A role that is taken with a token in a file.
    WebIdentity {
        token: PathBuf,
        role: String,
        session: String,
    },
    /// The role of a container, by its agent.
    Container {
        url: Url,
        token: Option<String>,
    },
}

/// A way to reach the server that gives temporary keys.
pub(super) struct Desk<'a> {
    pub(super) http: &'a reqwest::Client,
    pub(super) pauses: &'a Pauses,
    pub(super) settings: &'a Settings,
    /// The address of STS.
    pub(super) sts: &'a Url,
}

fn wrong(cause: String, hint: &'static str) -> S3Error {
    S3Error::Credentials { cause, hint }
}

impl Source {
    /// Looks for credentials, and says in words whose they are.
    pub(super) fn find(aws: &Aws, profile: &Profile) -> Result<(Self, String), S3Error> {
        let pair = (
            aws.get("AWS_ACCESS_KEY_ID"),
            aws.get("AWS_SECRET_ACCESS_KEY"),
        );
        if let Some(keys) = keys(pair, aws.get("AWS_SESSION_TOKEN"), "the variables")? {
            return Ok((
                Self::Keys(keys),
                "the keys of `AWS_ACCESS_KEY_ID`".to_owned(),
            ));
        }
        let session = aws.get("AWS_ROLE_SESSION_NAME");
        let file = aws.get("AWS_WEB_IDENTITY_TOKEN_FILE");
        if let Some(found) = web_identity(file, aws.get("AWS_ROLE_ARN"), session) {
            return found;
        }
        if let Some(found) = of_profile(profile)? {
            return Ok(found);
        }
        let relative = aws.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        let relative = relative.map(|path| format!("http://{}{path}", CONTAINER_HOSTS[0]));
        let full = aws.get("AWS_CONTAINER_CREDENTIALS_FULL_URI");
        match relative.or(full.map(str::to_owned)) {
            Some(address) => Ok((container(&address, aws)?, "the container's role".to_owned())),
            None => Ok((Self::Nobody, ANONYMOUS.to_owned())),
        }
    }

    /// The keys; `None` for requests that are not signed.
    pub(super) async fn keys(&self, desk: &Desk<'_>) -> Result<Option<Keys>, Error> {
        match self {
            Self::Nobody => Ok(None),
            Self::Keys(keys) => Ok(Some(keys.clone())),
            Self::WebIdentity {
                token,
                role,
                session,
            } => take_role(desk, token, role, session).await.map(Some),
            Self::Container { url, token } => {
                of_container(desk, url, token.as_deref()).await.map(Some)
            }
        }
    }
}

/// Both keys, or neither.
fn keys(
    pair: (Option<&str>, Option<&str>),
    token: Option<&str>,
    place: &str,
) -> Result<Option<Keys>, S3Error> {
    let missing = match pair {
        (Some(id), Some(secret)) => {
            return Ok(Some(Keys {
                id: id.trim().to_owned(),
                secret: secret.trim().to_owned(),
                token: token.map(|token| token.trim().to_owned()),
            }));
        }
        (None, None) => return Ok(None),
        (Some(_), None) => "secret access key",
        (None, Some(_)) => "access key id",
    };
    let cause = format!("{place} name one of AWS's two keys: the {missing} is missing");
    Err(wrong(cause, "set both keys, or none"))
}

fn web_identity(
    file: Option<&str>,
    role: Option<&str>,
    session: Option<&str>,
) -> Option<Result<(Source, String), S3Error>> {
    let token = PathBuf::from(file?);
    let Some(role) = role else {
        let cause = "there is a token of a web identity, but no role to take with it".to_owned();
        return Some(Err(wrong(cause, "set `AWS_ROLE_ARN`")));
    };
    let source = Source::WebIdentity {
        token,
        role: role.to_owned(),
        session: session.unwrap_or("windlass").to_owned(),
    };
    Some(Ok((source, format!("the role {role} by web identity"))))
}

fn of_profile(profile: &Profile) -> Result<Option<(Source, String)>, S3Error> {
    let name = &profile.name;
    let pair = (
        profile.get("aws_access_key_id"),
        profile.get("aws_secret_access_key"),
    );
    let file = profile.get("web_identity_token_file");
    let session = profile.get("role_session_name");
    if let Some(found) = web_identity(file, profile.get("role_arn"), session) {
        return found.map(Some);
    }
    // A role of the profile goes before its keys: those are for taking the role.
    let unknown = [
        "role_arn",
        "sso_session",
        "sso_start_url",
        "credential_process",
        "credential_source",
        "login_session",
    ];
    let unknown = unknown.into_iter().find(|key| profile.get(key).is_some());
    if let Some(key) = unknown.filter(|key| pair.0.is_none() || *key == "role_arn") {
        let cause = format!("profile {name:?} logs in by `{key}`, which is not supported");
        return Err(wrong(cause, EXPORT));
    }
    let place = format!("the settings of profile {name:?}");
    let keys = keys(pair, profile.get("aws_session_token"), &place)?;
    Ok(keys.map(|keys| (Source::Keys(keys), format!("the keys of profile {name:?}"))))
}

fn container(address: &str, aws: &Aws) -> Result<Source, S3Error> {
    let hint =
        "check `AWS_CONTAINER_CREDENTIALS_FULL_URI` and `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`";
    let url = Url::parse(address).map_err(|error| wrong(format!("{address}: {error}"), hint))?;
    let host = url.host_str().unwrap_or_default();
    let trusted = url.scheme() == "https" || is_local(host) || CONTAINER_HOSTS.contains(&host);
    if !trusted {
        let cause = format!("the container's credentials are not asked of {host} by plain http");
        return Err(wrong(cause, hint));
    }
    let token = match aws.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(file) => Some(
            std::fs::read_to_string(file)
                .map_err(|error| wrong(format!("{file}: {error}"), hint))?,
        ),
        None => aws
            .get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
            .map(str::to_owned),
    };
    let token = token.map(|token| token.trim().to_owned());
    Ok(Source::Container { url, token })
}

/// `AssumeRoleWithWebIdentity` of STS. The token is in the body, where no log of addresses has it.
async fn take_role(
    desk: &Desk<'_>,
    token: &PathBuf,
    role: &str,
    session: &str,
) -> Result<Keys, Error> {
    let unread = |error: std::io::Error| {
        let cause = format!("{}: {error}", token.display());
        wrong(
            cause,
            "`AWS_WEB_IDENTITY_TOKEN_FILE` names the file of the token",
        )
    };
    let token = std::fs::read_to_string(token).map_err(unread)?;
    let form = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", role),
        ("RoleSessionName", session),
        ("WebIdentityToken", token.trim()),
    ];
    let body = form
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .join("&");
    let ask = || {
        let request = desk.http.request(Method::POST, desk.sts.clone());
        let kind = "application/x-www-form-urlencoded";
        request.header("content-type", kind).body(body.clone())
    };
    let text = desk.ask(desk.sts, "taking the role", role, ask).await?;
    let text = String::from_utf8_lossy(&text);
    let of = |name| xml::element(&text, name);
    match (of("AccessKeyId"), of("SecretAccessKey")) {
        (Some(id), Some(secret)) => Ok(Keys {
            id,
            secret,
            token: of("SessionToken"),
        }),
        _ => Err(nothing_there(desk.sts)),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
}

async fn of_container(desk: &Desk<'_>, url: &Url, token: Option<&str>) -> Result<Keys, Error> {
    let ask = || {
        let request = desk.http.get(url.clone());
        match token {
            Some(token) => request.header("authorization", token),
            None => request,
        }
    };
    let doing = "asking for the container's credentials from";
    let text = desk.ask(url, doing, url.path(), ask).await?;
    let answer: Answer = serde_json::from_slice(&text).map_err(|_| nothing_there(url))?;
    Ok(Keys {
        id: answer.access_key_id,
        secret: answer.secret_access_key,
        token: answer.token,
    })
}

fn nothing_there(url: &Url) -> Error {
    let host = super::host(url);
    let cause = format!("{host} gave an answer without credentials");
    wrong(
        cause,
        "check the addresses of STS or of the container's agent",
    )
    .into()
}

impl Desk<'_> {
    async fn ask(
        &self,
        url: &Url,
        doing: &'static str,
        what: &str,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Vec<u8>, Error> {
        let host = super::host(url);
        let failed = |error| failure::classify(&host, &error, self.settings.timeout);
        let ask = async || {
            let response = request().send().await.map_err(failed)?;
            if let Some(busy) = Busy::of(response.status(), response.headers()) {
                return Ok(Attempt::Busy(busy));
            }
            let status = response.status();
            let place = (host.as_str(), what);
            let body = super::body(response, place, MAX_ANSWER, self.settings, &|_| {}).await?;
            if status.is_success() {
                return Ok(Attempt::Done(body));
            }
            let (code, message) = super::error::of_answer(&body);
            let refusal = Refusal {
                doing,
                address: what.to_owned(),
                host: host.clone(),
                status: status.as_u16(),
                code,
                message,
                who: "the token that was given".to_owned(),
            };
            Err(S3Error::Refused(Box::new(refusal)).into())
        };
        (self.pauses)
            .retry(&host, self.settings, &|_| {}, ask)
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::{Aws, Profile, Source};

    fn found(variables: &[(&str, &str)], config: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config"), config).unwrap();
        let file = folder.path().join("config").display().to_string();
        let file = [("AWS_CONFIG_FILE", file.as_str())];
        let variables = variables.iter().chain(&file);
        let aws = Aws {
            variables: variables
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..Aws::default()
        };
        let found = Profile::load(&aws).and_then(|profile| Source::find(&aws, &profile));
        match found {
            Ok((_, who)) => who,
            Err(error) => format!("{error} | {}", error.hint().unwrap_or_default()),
        }
    }

    #[test]
    fn credentials_are_looked_for_where_awss_tools_look() {
        let pair = [
            ("AWS_ACCESS_KEY_ID", "AK"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ];
        let role = [
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "token"),
            ("AWS_ROLE_ARN", "arn:r"),
        ];
        let dev = "[profile dev]\naws_access_key_id=AK\naws_secret_access_key=hunter2\n";
        let variables = |parts: &[&[(&'static str, &'static str)]]| parts.concat();
        for (variables, config, want) in [
            (vec![], "", "no credentials"),
            (
                variables(&[&pair, &role, &[("AWS_PROFILE", "dev")]]),
                dev,
                "the keys of `AWS_ACCESS_KEY_ID`",
            ),
            (
                variables(&[&role, &[("AWS_PROFILE", "dev")]]),
                dev,
                "the role arn:r by web identity",
            ),
            (
                vec![("AWS_PROFILE", "dev")],
                dev,
                "the keys of profile \"dev\"",
            ),
            (
                vec![],
                "[default]\nrole_arn=arn:d\nweb_identity_token_file=t\n",
                "the role arn:d by web identity",
            ),
            (
                vec![("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x")],
                "",
                "the container's role",
            ),
            (
                vec![("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/x")],
                "",
                "the container's role",
            ),
        ] {
            assert_eq!(found(&variables, config), want);
        }
    }

    #[test]
    fn half_and_unknown_credentials_are_told() {
        for (variables, config, want) in [
            (
                &pair("AWS_SECRET_ACCESS_KEY", "hunter2"),
                "",
                "access key id is missing",
            ),
            (
                &pair("AWS_ACCESS_KEY_ID", "AK"),
                "",
                "secret access key is missing",
            ),
            (
                &pair("AWS_WEB_IDENTITY_TOKEN_FILE", "t"),
                "",
                "set `AWS_ROLE_ARN`",
            ),
            (&pair("AWS_PROFILE", "none"), "", "the profile \"none\""),
            (
                &pair("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://10.0.0.1/x"),
                "",
                "not asked of 10.0.0.1",
            ),
            (
                &pair("A", "b"),
                "[default]\nsso_session = x\n",
                "logs in by `sso_session`, which is not supported | `eval",
            ),
            (
                &pair("A", "b"),
                "[default]\naws_access_key_id=AK\naws_secret_access_key=hunter2\nrole_arn=arn:r\n",
                "logs in by `role_arn`",
            ),
        ] {
            let told = found(variables, config);
            assert!(told.contains(want), "{told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
    }

    fn pair(name: &'static str, value: &'static str) -> [(&'static str, &'static str); 1] {
        [(name, value)]
    }
}
