//! Sorting what went wrong with a connection into the causes of `Error`.

use super::Error;
use std::error::Error as StdError;
use std::io::ErrorKind;
use std::time::Duration;

/// The cause of a request that got no answer at all.
pub(super) fn classify(registry: &str, error: &reqwest::Error, limit: Duration) -> Error {
    let registry = registry.to_owned();
    if let Some(cause) = tls_cause(error) {
        return Error::Tls { registry, cause };
    }
    if error.is_dns() || chain(error).any(|cause| cause.to_string().starts_with("dns error")) {
        return Error::UnknownHost { registry };
    }
    if error.is_timeout() {
        return Error::Timeout { registry, limit };
    }
    if error.is_redirect() {
        let cause = chain(error)
            .last()
            .map_or_else(String::new, ToString::to_string);
        return Error::Protocol { registry, cause };
    }
    match io_kind(error) {
        Some(ErrorKind::ConnectionRefused) => Error::Refused { registry },
        Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted) => {
            Error::Connection {
                registry,
                cause: "the other side closed it".to_owned(),
            }
        }
        _ => {
            let cause = chain(error)
                .last()
                .map_or_else(|| error.to_string(), ToString::to_string);
            Error::Connection { registry, cause }
        }
    }
}

/// Whether the server of a failed https connection may be one that speaks plain http: not when it
/// showed a certificate, however wrong that is.
pub(super) fn may_speak_http(error: &Error) -> bool {
    match error {
        Error::Tls { cause, .. } => cause == NOT_TLS,
        Error::Connection { .. } => true,
        _ => false,
    }
}

/// What is wrong with most certificates that somebody signed for themselves.
pub(super) const OF_AUTHORITY: &str = "is that of an authority (CA:TRUE), not of a server";
const NOT_TLS: &str = "the server does not speak TLS";

/// The causes of an error, the outermost first, also those that `io::Error` wraps without naming
/// them as its source.
fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |&error| {
        let wrapped = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        match wrapped {
            Some(wrapped) => Some(wrapped as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}

/// The kind of the innermost system error.
fn io_kind(error: &reqwest::Error) -> Option<ErrorKind> {
    chain(error)
        .filter_map(|cause| {
            cause
                .downcast_ref::<std::io::Error>()
                .map(std::io::Error::kind)
        })
        .last()
}

fn tls_cause(error: &reqwest::Error) -> Option<String> {
    chain(error)
        .find_map(|cause| cause.downcast_ref::<rustls::Error>())
        .map(tls_words)
}

fn tls_words(error: &rustls::Error) -> String {
    use rustls::CertificateError as Wrong;
    match error {
        rustls::Error::InvalidMessage(_) => NOT_TLS.to_owned(),
        rustls::Error::InvalidCertificate(wrong) => match wrong {
            Wrong::UnknownIssuer => "its certificate is signed by an unknown authority".to_owned(),
            Wrong::Expired | Wrong::ExpiredContext { .. } => {
                "its certificate has expired".to_owned()
            }
            Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
                "its certificate is for another host".to_owned()
            }
            // webpki's word, which rustls wraps.
            other if other.to_string().contains("CaUsedAsEndEntity") => {
                format!("its certificate {OF_AUTHORITY}")
            }
            other => format!("its certificate is not valid: {other}"),
        },
        rustls::Error::AlertReceived(alert) => {
            format!("the server refused the handshake: {alert:?}")
        }
        other => other.to_string(),
    }
}
