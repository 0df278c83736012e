//! Deleting, never without the uid of the object that is meant.

use super::apply::path_of;
use super::request::{Request, Verb};
use super::{Cluster, Error, action, parse};
use crate::object::ObjectRef;
use serde_json::{Value, json};

impl Cluster {
    /// Deletes the object with this uid in the background; with a `resource_version` only if it did
    /// not change since. One that is gone, or was replaced by another, counts as deleted. Tells
    /// whether the object is gone already; otherwise it is on its way out.
    ///
    /// # Errors
    /// The server's refusal, sorted.
    pub async fn delete(
        &self,
        object: &ObjectRef,
        uid: &str,
        resource_version: Option<&str>,
    ) -> Result<bool, Error> {
        let kind = self.kind_of(object).await?;
        let action = action(Verb::Delete, object);
        let mut options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        });
        if let Some(version) = resource_version {
            options["preconditions"]["resourceVersion"] = version.into();
        }
        let path = path_of(&kind, object);
        let body = options.to_string().into_bytes();
        let mut request = Request::write(Verb::Delete, &action, http::Method::DELETE, path, body);
        request
            .headers
            .push((http::header::CONTENT_TYPE, "application/json"));
        match self.send(request).await {
            // The answer is the object as long as something holds it.
            Ok(answer) => {
                let answer: Value = parse(&action, &answer.body)?;
                Ok(answer["kind"] == "Status")
            }
            Err(error) if error.is_not_found() || is_other(&error) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// Whether the object by that name is not the one that was meant.
fn is_other(error: &Error) -> bool {
    matches!(error, Error::Stale { message, .. }
        if message.contains("UID in precondition") || message.contains("UID in the precondition"))
}
