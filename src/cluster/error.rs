//! What can go wrong between here and the API server, sorted by what a user can do about it.
//!
//! The text of an answer is shown once: kube's own errors repeat themselves and are not kept.

use crate::object::Gvk;
use crate::object::visible::inline;
use std::path::PathBuf;

/// One field that another manager owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldConflict {
    /// The manager, with the subresource it wrote through when there is one (`kubectl, scale`).
    pub manager: String,
    /// The field, for example `.spec.replicas`.
    pub field: String,
    /// When the manager last wrote the object; empty when that is not known. No answer of the server
    /// has it: whoever has the live object adds it.
    pub since: String,
}

impl std::fmt::Display for FieldConflict {
    /// `.spec.replicas is owned by kubectl, scale since 2026-01-02T03:04:05Z`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is owned by {}", self.field, self.manager)?;
        match self.since.as_str() {
            "" => Ok(()),
            since => write!(f, " since {since}"),
        }
    }
}

/// An error of the cluster stage. Every answer of the server names the verb, the object and the place.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no kubeconfig, and this is not a pod.
    #[error("no kubeconfig: {tried} does not exist, and this is not a pod of a cluster")]
    NoKubeconfig {
        /// Where it was looked for.
        tried: String,
    },
    /// The kubeconfig cannot be read or is not usable.
    #[error("kubeconfig {}: {reason}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The named context is not in the kubeconfig.
    #[error("context `{context}` is not in the kubeconfig; it has {}", list(known))]
    UnknownContext {
        /// The name asked for.
        context: String,
        /// The names it has.
        known: Vec<String>,
    },
    /// The command that the kubeconfig names for credentials did not deliver any.
    #[error("credentials of context `{context}`: {reason}")]
    Credentials {
        /// The context.
        context: String,
        /// What happened.
        reason: String,
    },
    /// Nobody answers.
    #[error("API server {url} cannot be reached: {reason}")]
    Unreachable {
        /// The URL of the server.
        url: String,
        /// The cause.
        reason: String,
    },
    /// The server could not be trusted, or did not trust the client's certificate.
    #[error("API server {url}: no trusted connection: {reason}")]
    Tls {
        /// The URL of the server.
        url: String,
        /// The cause.
        reason: String,
    },
    /// The credentials were not accepted.
    #[error("{action}: API server {url} does not accept the credentials (401): {message}")]
    Unauthorized {
        /// Verb and object.
        action: String,
        /// The URL of the server.
        url: String,
        /// The server's words.
        message: String,
    },
    /// The user may not do this.
    #[error("{action}: forbidden: {message}")]
    Forbidden {
        /// Verb and object.
        action: String,
        /// The server's words, which name user, verb and resource.
        message: String,
    },
    /// The server does not know the kind.
    #[error("kind `{}` of `{}` is not known to the API server", inline(&gvk.kind), inline(&gvk.api_version()))]
    UnknownKind {
        /// The kind.
        gvk: Gvk,
        /// Kinds with a similar name, for a hint.
        nearest: Vec<String>,
    },
    /// Other field managers own fields that would change.
    #[error("{action}: {}", conflicts_text(conflicts))]
    Conflict {
        /// Verb and object.
        action: String,
        /// The fields and who owns them.
        conflicts: Vec<FieldConflict>,
    },
    /// The object is not the one that was looked at, or it changed meanwhile.
    #[error("{action}: the object changed meanwhile: {message}")]
    Stale {
        /// Verb and object.
        action: String,
        /// The server's words.
        message: String,
    },
    /// The server refused the content.
    #[error("{action}: {}", problems_text(problems))]
    Invalid {
        /// Verb and object.
        action: String,
        /// What is wrong, field by field, in the server's full words: they are shortened where they
        /// are shown, since half a secret could not be told from other text any more.
        problems: Vec<String>,
        /// Whether a field was changed that cannot change.
        immutable: bool,
    },
    /// It does not exist.
    #[error("{action}: not found: {message}")]
    NotFound {
        /// Verb and object.
        action: String,
        /// The server's words, which name what is missing.
        message: String,
    },
    /// It exists already.
    #[error("{action}: it exists already")]
    Exists {
        /// Verb and object.
        action: String,
    },
    /// Any other answer that is not a success.
    #[error("{action}: API server says: {message} ({code} {reason})")]
    Api {
        /// Verb and object.
        action: String,
        /// The HTTP status.
        code: u16,
        /// The reason word, for example `InternalError`.
        reason: String,
        /// The server's words.
        message: String,
    },
    /// The answer could not be understood.
    #[error("{action}: the answer cannot be read: {reason}")]
    Answer {
        /// Verb and object.
        action: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The request could not be made at all.
    #[error("{action}: {reason}")]
    Request {
        /// Verb and object.
        action: String,
        /// Why.
        reason: String,
    },
}

impl Error {
    /// Whether the object, its namespace or its kind is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether it is this namespace that is not there.
    #[must_use]
    pub fn lacks_namespace(&self, namespace: &str) -> bool {
        let words = format!("namespaces \"{namespace}\" not found");
        matches!(self, Self::NotFound { message, .. } if *message == words)
    }

    /// Whether something changed since it was read.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Stale { .. } | Self::Exists { .. })
    }

    /// The same error with every text of the server passed through `scrub`, which takes secret
    /// values out.
    #[must_use]
    pub fn scrubbed(mut self, scrub: &dyn Fn(&str) -> String) -> Self {
        match &mut self {
            Self::Unauthorized { message, .. }
            | Self::Forbidden { message, .. }
            | Self::Stale { message, .. }
            | Self::NotFound { message, .. }
            | Self::Api { message, .. } => *message = scrub(message),
            Self::Invalid { problems, .. } => {
                problems.iter_mut().for_each(|text| *text = scrub(text));
            }
            Self::Answer { reason, .. } | Self::Request { reason, .. } => *reason = scrub(reason),
            _ => {}
        }
        self
    }
}

/// What the server finds wrong with an object, on one line and without dumps of whole structs.
#[must_use]
pub fn problems_text(problems: &[String]) -> String {
    let mut short: Vec<String> = problems.iter().map(|text| shorten(text)).collect();
    short.dedup();
    short.join("; ")
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "no contexts".to_owned();
    }
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn conflicts_text(conflicts: &[FieldConflict]) -> String {
    let each: Vec<_> = conflicts.iter().map(ToString::to_string).collect();
    format!("conflict with another field manager: {}", each.join("; "))
}

/// Takes a failure of the API server (a `Status` document) for an [`Error`].
pub(crate) fn from_status(action: &str, url: &str, code: u16, body: &[u8]) -> Error {
    let status: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let action = action.to_owned();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut message = text(&status["message"]);
    if message.is_empty() {
        let raw: String = String::from_utf8_lossy(body).chars().take(300).collect();
        message = raw.trim().to_owned();
    }
    let reason = text(&status["reason"]);
    match (code, reason.as_str()) {
        (401, _) => Error::Unauthorized {
            action,
            url: url.to_owned(),
            message,
        },
        (403, _) => Error::Forbidden { action, message },
        (404, _) => Error::NotFound { action, message },
        (409, "AlreadyExists") => Error::Exists { action },
        (409, _) => match conflicts(&status) {
            found if found.is_empty() => Error::Stale { action, message },
            conflicts => Error::Conflict { action, conflicts },
        },
        (422, _) => invalid(action, &status, message),
        (400, _) => Error::Invalid {
            action,
            problems: vec![message],
            immutable: false,
        },
        // What server-side apply says about a wrong field comes as an internal error.
        (500, _) if UNTYPED.iter().any(|head| message.starts_with(head)) => Error::Invalid {
            action,
            problems: vec![untyped(&message).to_owned()],
            immutable: false,
        },
        _ => Error::Api {
            action,
            code,
            reason,
            message,
        },
    }
}

/// How server-side apply begins what it says about content that does not fit its kind.
const UNTYPED: [&str; 2] = [
    "failed to create typed patch object",
    "failed to convert new object",
];

/// `failed to create typed patch object (ns/name; apps/v1, Kind=Deployment): .spec.x: field not
/// declared in schema` → what comes after the object.
fn untyped(message: &str) -> &str {
    [") to proper version: ", "): "]
        .iter()
        .find_map(|end| message.split_once(end))
        .map_or(message, |(_, rest)| rest)
}

/// The field manager conflicts named by the causes of a 409.
fn conflicts(status: &serde_json::Value) -> Vec<FieldConflict> {
    let causes = status["details"]["causes"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    causes
        .iter()
        .filter(|cause| cause["reason"] == "FieldManagerConflict")
        .map(|cause| {
            let message = cause["message"].as_str().unwrap_or_default();
            FieldConflict {
                manager: manager_of(message),
                since: String::new(),
                field: cause["field"].as_str().unwrap_or_default().to_owned(),
            }
        })
        .collect()
}

/// `conflict with "kubectl" with subresource "scale" using apps/v1` → `kubectl, scale`.
fn manager_of(message: &str) -> String {
    let mut quoted = message.split('"').skip(1).step_by(2);
    match (quoted.next(), quoted.next()) {
        (Some(manager), Some(subresource)) => format!("{manager}, {subresource}"),
        (Some(manager), None) => manager.to_owned(),
        _ => message.to_owned(),
    }
}

/// Field errors of a 422: one `field: text` per cause.
fn invalid(action: String, status: &serde_json::Value, message: String) -> Error {
    const IMMUTABLE: [&str; 6] = [
        " immutable",
        "updates to ",
        "may not change",
        "may not be changed",
        "cannot change",
        "cannot be changed",
    ];
    let causes = status["details"]["causes"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let mut problems: Vec<String> = causes
        .iter()
        .filter_map(|cause| {
            let field = cause["field"].as_str()?;
            Some(format!("{field}: {}", cause["message"].as_str()?))
        })
        .collect();
    if problems.is_empty() {
        problems.push(message);
    }
    // What is wrong besides would be refused of a new object, too, when the old one is gone.
    let immutable = problems
        .iter()
        .all(|problem| IMMUTABLE.iter().any(|words| problem.contains(words)));
    Error::Invalid {
        action,
        problems,
        immutable,
    }
}

/// `Invalid value: core.PodTemplateSpec{…500 characters…}: field is immutable` →
/// `Invalid value: …: field is immutable`.
fn shorten(message: &str) -> String {
    const LONG: usize = 300;
    if message.len() <= LONG {
        return message.to_owned();
    }
    let head: String = message
        .chars()
        .take_while(|char| *char != '{')
        .take(60)
        .collect();
    match message
        .rsplit_once("}: ")
        .or_else(|| message.rsplit_once("\": "))
    {
        Some((_, tail)) => format!("{head}{{…}}: {tail}"),
        None => format!("{}…", message.chars().take(LONG).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn error(code: u16, body: &serde_json::Value) -> Error {
        from_status(
            "apply Deployment/web (prod)",
            "https://api",
            code,
            body.to_string().as_bytes(),
        )
    }

    #[test]
    fn names_manager_subresource_and_field_of_a_conflict() {
        let body = json!({"reason": "Conflict", "message": "Apply failed", "details": {"causes": [
            {"reason": "FieldManagerConflict", "field": ".spec.replicas",
             "message": "conflict with \"kubectl\" with subresource \"scale\" using apps/v1"}]}});
        assert_eq!(
            error(409, &body).to_string(),
            "apply Deployment/web (prod): conflict with another field manager: \
             .spec.replicas is owned by kubectl, scale"
        );
    }

    #[test]
    fn tells_a_stale_object_from_a_field_conflict() {
        let body = json!({"reason": "Conflict", "message": "the object has been modified"});
        assert!(error(409, &body).is_stale());
    }

    #[test]
    fn finds_immutable_fields_and_shortens_dumps() {
        let dump = format!(
            "Invalid value: core.PodTemplateSpec{{{}}}: field is immutable",
            "x".repeat(400)
        );
        let body = json!({"reason": "Invalid", "message": format!("Job is invalid: {dump}"),
            "details": {"causes": [{"field": "spec.template", "message": dump}]}});
        let Error::Invalid {
            immutable,
            problems,
            ..
        } = error(422, &body)
        else {
            panic!()
        };
        assert!(immutable);
        assert_eq!(
            problems_text(&problems),
            "spec.template: Invalid value: core.PodTemplateSpec{…}: field is immutable"
        );
    }

    #[test]
    fn an_object_with_other_mistakes_is_not_worth_a_replacement() {
        let body = json!({"reason": "Invalid", "details": {"causes": [
            {"field": "type", "message": "field is immutable"},
            {"field": "data[tls.crt]", "message": "Required value"}]}});
        let error = error(422, &body);
        assert!(
            matches!(&error, Error::Invalid { immutable: false, problems, .. } if problems.len() == 2),
            "{error:?}"
        );
    }

    #[test]
    fn takes_a_wrong_field_for_invalid_content() {
        let body = json!({"message": "failed to create typed patch object (a/b; v1, Kind=ConfigMap): \
            .data.key: expected string, got &value.valueUnstructured{Value:5}"});
        let Error::Invalid { problems, .. } = error(500, &body) else {
            panic!()
        };
        assert_eq!(
            problems_text(&problems),
            ".data.key: expected string, got &value.valueUnstructured{Value:5}"
        );
    }

    #[test]
    fn scrubs_the_words_of_the_server() {
        let secret = "hunter2".repeat(40);
        let message = format!("value \"{secret}\": is bad");
        let body = json!({"reason": "Invalid", "message": message});
        let shown = error(422, &body)
            .scrubbed(&|text| text.replace(&secret, "***"))
            .to_string();
        assert_eq!(shown, "apply Deployment/web (prod): value \"***\": is bad");
    }

    #[test]
    fn keeps_an_answer_that_is_no_status() {
        let shown =
            from_status("list", "https://api", 502, b"<html>bad gateway</html>").to_string();
        assert_eq!(
            shown,
            "list: API server says: <html>bad gateway</html> (502 )"
        );
    }
}
