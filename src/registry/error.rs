//! Why a registry did not give a digest, each cause with its own words and a hint.

use super::{S3Error, failure};
use crate::image::ReferenceError;
use std::time::Duration;
use thiserror::Error;

/// A question to a registry that got no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// The text to resolve is no image reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// Nothing listens there.
    #[error("registry {registry} refuses connections")]
    Refused {
        /// Host and port.
        registry: String,
    },
    /// The name of the registry does not exist.
    #[error("registry host {registry} is unknown: its name does not resolve")]
    UnknownHost {
        /// Host and port.
        registry: String,
    },
    /// The connection was cut, or failed in another way.
    #[error("connection to registry {registry} failed: {cause}")]
    Connection {
        /// Host and port.
        registry: String,
        /// The system's words.
        cause: String,
    },
    /// No answer in time.
    #[error("registry {registry} did not answer within {} s", limit.as_secs())]
    Timeout {
        /// Host and port.
        registry: String,
        /// How long was waited for one answer.
        limit: Duration,
    },
    /// The certificate is not accepted, or the server does not speak TLS.
    #[error("no trusted TLS connection to registry {registry}: {cause}")]
    Tls {
        /// Host and port.
        registry: String,
        /// What is wrong with the certificate or the handshake.
        cause: String,
    },
    /// 401: credentials are missing or wrong.
    #[error("registry {registry} wants a login for {repository} (401): {tried}")]
    Unauthorized {
        /// Host and port.
        registry: String,
        /// The repository.
        repository: String,
        /// Which credentials were sent, or why none.
        tried: String,
    },
    /// 403: known, but not allowed.
    #[error("registry {registry} does not allow reading {repository} (403): {tried}")]
    Forbidden {
        /// Host and port.
        registry: String,
        /// The repository.
        repository: String,
        /// Which credentials were sent, or why none.
        tried: String,
    },
    /// 404: there is no such repository.
    #[error("registry {registry} has no repository {repository} (404)")]
    NoRepository {
        /// Host and port.
        registry: String,
        /// The repository.
        repository: String,
    },
    /// 404: the repository exists, the tag does not.
    #[error("repository {registry}/{repository} has no tag {tag} (404)")]
    NoTag {
        /// Host and port.
        registry: String,
        /// The repository.
        repository: String,
        /// The tag.
        tag: String,
        /// Tags that look like it, the nearest first.
        similar: Vec<String>,
    },
    /// 429: too many requests, also after waiting.
    #[error("registry {registry} limits the number of requests (429){}, {}", allowed_text(.allowed.as_deref()), wait_text(*.retry_after))]
    RateLimited {
        /// Host and port.
        registry: String,
        /// How many it allows, when it says so.
        allowed: Option<String>,
        /// What the registry asks to wait.
        retry_after: Option<Duration>,
    },
    /// 5xx, also after retries.
    #[error("registry {registry} failed with status {status}, tried {}", times(*.attempts))]
    Server {
        /// Host and port.
        registry: String,
        /// The status code.
        status: u16,
        /// How often it was asked.
        attempts: u32,
    },
    /// An answer that the distribution protocol does not have.
    #[error("registry {registry} gave an answer that is not understood: {cause}")]
    Protocol {
        /// Host and port.
        registry: String,
        /// What is wrong with the answer.
        cause: String,
    },
    /// The server does not give a file.
    #[error("failed to fetch {url} : {status}")]
    Status {
        /// The address, without secrets.
        url: String,
        /// The status, with its words.
        status: String,
    },
    /// The file is larger than it may be.
    #[error("{url} is larger than {limit} bytes")]
    TooLarge {
        /// The address, without secrets.
        url: String,
        /// The limit.
        limit: u64,
    },
    /// The address is of no server that is asked.
    #[error(
        "{url}: addresses of `{scheme}` are not fetched, only those of http, https, s3 and oci"
    )]
    Scheme {
        /// The address, without secrets.
        url: String,
        /// Its scheme.
        scheme: String,
    },
    /// The manifest's bytes do not have the digest that the registry states.
    #[error("registry {registry} states digest {stated} for {image}, its manifest has {actual}")]
    WrongDigest {
        /// Host and port.
        registry: String,
        /// The image asked for.
        image: String,
        /// The digest in the answer's header.
        stated: String,
        /// The digest of the answer's body.
        actual: String,
    },
    /// 404: a digest names nothing there.
    #[error("repository {registry}/{repository} has no {what} {digest} (404)")]
    Missing {
        /// Host and port.
        registry: String,
        /// The repository.
        repository: String,
        /// `manifest` or `blob`.
        what: &'static str,
        /// Its digest.
        digest: String,
    },
    /// The artifact is of another kind.
    #[error("{image} is no chart: no layer is {kinds}")]
    NoLayer {
        /// The artifact.
        image: String,
        /// The media types of which none is there.
        kinds: String,
    },
    /// The registry keeps what should be deleted.
    #[error("registry {registry} does not delete {image} (status {status})")]
    NotDeleted {
        /// Host and port.
        registry: String,
        /// What should be deleted.
        image: String,
        /// The status code.
        status: u16,
    },
    /// The image was built here and is in no registry.
    #[error("{image} is in no registry: it has no digest")]
    Local {
        /// The image.
        image: String,
    },
    /// The image is not for the platform.
    #[error("{image} is not for {wanted}, but for {given}")]
    NoPlatform {
        /// The image.
        image: String,
        /// The platform asked for.
        wanted: String,
        /// The platforms that it is for.
        given: String,
    },
    /// Several images of an index are for the platform.
    #[error("{image} has several images for {wanted}: {fitting}")]
    ManyPlatforms {
        /// The image.
        image: String,
        /// The platform asked for.
        wanted: String,
        /// The platforms that fit it.
        fitting: String,
    },
    /// No tag is of a version that is asked for.
    #[error("none of the {tags} tags of {repository} is a version in `{range}`")]
    NoVersion {
        /// Registry and repository.
        repository: String,
        /// The range of versions; empty for any.
        range: String,
        /// How many tags there are.
        tags: usize,
    },
    /// A `registries.conf` blocks the registry.
    #[error("images of {prefix} are blocked by {file}")]
    Blocked {
        /// The registry, or a part of it.
        prefix: String,
        /// The file.
        file: String,
    },
    /// Neither the mirrors of a registry nor the registry itself give an answer.
    #[error("{source} (its mirrors failed before: {failed})")]
    Mirrors {
        /// What the registry itself said.
        source: Box<Self>,
        /// What the mirrors said.
        failed: String,
    },
    /// A variable with a login cannot be used.
    #[error("variable `{name}` {cause}")]
    Variable {
        /// Its name.
        name: String,
        /// Why not.
        cause: String,
    },
    /// A bucket of S3 does not give or take an object.
    #[error(transparent)]
    S3(#[from] S3Error),
    /// A file of docker credentials, certificates or mirrors cannot be used.
    #[error("{file}: {cause}")]
    File {
        /// Its path.
        file: String,
        /// Why not.
        cause: String,
    },
}

fn allowed_text(allowed: Option<&str>) -> String {
    allowed.map_or_else(String::new, |allowed| format!(" to {allowed}"))
}

fn times(attempts: u32) -> String {
    match attempts {
        1 => "once".to_owned(),
        more => format!("{more} times"),
    }
}

fn wait_text(retry_after: Option<Duration>) -> String {
    match retry_after {
        Some(wait) => format!("it asks to wait {} s", wait.as_secs()),
        None => "it does not say for how long".to_owned(),
    }
}

impl Error {
    /// Whether a file is not there. Some servers, S3 among them, say of such files that they are forbidden.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        match self {
            Self::Status { status, .. } => ["403", "404", "410"]
                .iter()
                .any(|code| status.starts_with(code)),
            Self::S3(S3Error::Missing(_)) => true,
            Self::S3(S3Error::Refused(refusal)) => refusal.status == 403,
            _ => false,
        }
    }

    /// What the user can do about it, if there is something.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Refused { registry } if crate::registry::is_local(registry) => {
                format!("start the registry that should listen on {registry}")
            }
            Self::Refused { registry } => {
                format!("check host and port of {registry}, and firewalls between here and there")
            }
            Self::UnknownHost { registry } => {
                format!("check the spelling of {registry}, and the name server of this machine")
            }
            Self::Connection { .. } | Self::Timeout { .. } => {
                "check the network and the proxy variables `HTTPS_PROXY` and `NO_PROXY`".to_owned()
            }
            Self::Tls { cause, .. } if cause.contains("does not speak TLS") => {
                "`--registry-insecure` allows plain http".to_owned()
            }
            Self::Tls { cause, .. } if cause.contains(failure::OF_AUTHORITY) => {
                "trust the authority and give the server a certificate that it signed, or make the server's own one without CA:TRUE".to_owned()
            }
            Self::Tls { .. } => {
                "`--registry-ca-cert-path FILE` trusts the authority of the registry's certificate"
                    .to_owned()
            }
            Self::Unauthorized { repository, .. } if repository.contains("://") => {
                "`helm repo add NAME URL --username USER` stores a login; pushing also takes `HELM_REPO_USERNAME` and `HELM_REPO_PASSWORD`".to_owned()
            }
            Self::Unauthorized { registry, .. } | Self::Forbidden { registry, .. } => format!(
                "`docker login {registry}` stores credentials; also check the spelling of the repository"
            ),
            Self::NoTag { similar, .. } if !similar.is_empty() => {
                format!("tags that are there: {}", similar.join(", "))
            }
            Self::NoRepository { .. } => {
                "check the spelling, or build and push the image first".to_owned()
            }
            Self::RateLimited { registry, .. } => {
                format!("a login raises the limit of many registries: `docker login {registry}`")
            }
            Self::NoPlatform { .. } | Self::ManyPlatforms { .. } => {
                "name another platform: `--platform OS/ARCHITECTURE[/VARIANT]`".to_owned()
            }
            Self::NotDeleted { .. } => {
                "registries delete only where their settings allow it; that of distribution is `storage.delete.enabled`"
                    .to_owned()
            }
            Self::Missing { .. } => {
                "push the image again, or lock another one: `windlass lock --update`".to_owned()
            }
            Self::Mirrors { source, .. } => return source.hint(),
            Self::S3(error) => return error.hint(),
            _ => return None,
        })
    }
}
