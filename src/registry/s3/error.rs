//! Why a bucket did not give or take an object, each cause with what to do about it.

use super::xml;
use thiserror::Error;

/// A failure of S3, of STS, or of what is set for them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum S3Error {
    /// The address of an object or of a repository is none.
    #[error("{address}: {cause}")]
    Address {
        /// The address, without secrets.
        address: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The bucket is there, the object is not.
    #[error("there is no {0} (404 NoSuchKey)")]
    Missing(String),
    /// What is set to log in with cannot be used.
    #[error("{cause}")]
    Credentials {
        /// What is missing or wrong, without secrets.
        cause: String,
        /// What to do.
        hint: &'static str,
    },
    /// The server refuses.
    #[error(transparent)]
    Refused(Box<Refusal>),
}

/// What a server refuses, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{doing} {address} at {host} failed: {status}{}, with {who}", told(.code, .message))]
pub struct Refusal {
    /// `reading`, `writing`, or what else was tried.
    pub doing: &'static str,
    /// The object as `s3://BUCKET/KEY`, or the role.
    pub address: String,
    /// The host that was asked.
    pub host: String,
    /// The status code of HTTP.
    pub status: u16,
    /// S3's own code, such as `NoSuchBucket`; empty for none.
    pub code: String,
    /// S3's words.
    pub message: String,
    /// Whose credentials were used.
    pub who: String,
}

fn told(code: &str, message: &str) -> String {
    match (code, message) {
        ("", _) => String::new(),
        (code, "") => format!(" {code}"),
        (code, message) => format!(" {code} ({message})"),
    }
}

/// S3's own code and words in an answer, in one line and without control characters.
pub(super) fn of_answer(body: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(body);
    let of = |name, most| {
        let text = xml::element(&text, name).unwrap_or_default();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let plain = text.trim_end_matches('.').chars();
        plain.filter(|c| !c.is_control()).take(most).collect()
    };
    (of("Code", 60), of("Message", 300))
}

impl S3Error {
    /// What the user can do about it, if there is something.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Address { .. } => None,
            Self::Missing(_) => Some(
                "check bucket and prefix; `windlass chart push CHART s3://BUCKET/PREFIX` makes the index of a new repository"
                    .to_owned(),
            ),
            Self::Credentials { hint, .. } => Some((*hint).to_owned()),
            Self::Refused(refusal) => refusal.hint().map(str::to_owned),
        }
    }
}

impl Refusal {
    fn hint(&self) -> Option<&'static str> {
        let (status, who) = (self.status, self.who.as_str());
        Some(match self.code.as_str() {
            "NoSuchBucket" | "InvalidBucketName" => {
                "check the name of the bucket; on a server other than AWS's, `AWS_ENDPOINT_URL_S3` names its address"
            }
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidToken"
            | "XAdminUserNotFound" => {
                "check the keys, and that they are for this server: `AWS_ENDPOINT_URL_S3` names another"
            }
            "ExpiredToken" | "ExpiredTokenException" => "the keys have expired: get new ones",
            "RequestTimeTooSkewed" => "set the clock of this machine",
            "PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed" => {
                "set `AWS_REGION` to the region of the bucket"
            }
            _ if status == 501 => {
                "a push needs a server that knows conditional writes (`If-None-Match`, `If-Match`)"
            }
            _ if who == super::ANONYMOUS && matches!(status, 401 | 403) => {
                "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, `AWS_PROFILE`, or \
                 `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN`"
            }
            _ if matches!(status, 401 | 403) => {
                "who reads needs s3:GetObject and s3:ListBucket, who pushes s3:PutObject too; \
                 a role's trust policy has to name who takes it"
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::of_answer;

    #[test]
    fn answers_are_told_in_one_plain_line() {
        let body = b"<Error><Code>AccessDenied</Code><Message>No\n  \x1b[31mway.</Message></Error>";
        let want = ("AccessDenied".to_owned(), "No [31mway".to_owned());
        assert_eq!(of_answer(body), want);
        assert_eq!(of_answer(b"<html>"), (String::new(), String::new()));
    }
}
