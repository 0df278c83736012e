//! What the user may do. The server is asked, since rights come from many roles and other places.

use super::request::{Request, Verb};
use super::{Cluster, Error, parse};
use serde_json::{Value, json};

/// One thing that one may want to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// The namespace; `None` for what lives in none.
    pub namespace: Option<String>,
    /// The API group; empty for the core group.
    pub group: String,
    /// The resource in the words of RBAC, for example `deployments` or `pods/log`.
    pub resource: String,
    /// The verb in the words of RBAC.
    pub verb: &'static str,
}

impl Cluster {
    /// Whether the user may do this.
    ///
    /// # Errors
    /// When the server does not tell.
    pub async fn may(&self, access: &Access) -> Result<bool, Error> {
        let action = "ask what the user may do";
        let (resource, subresource) = access
            .resource
            .split_once('/')
            .unwrap_or((access.resource.as_str(), ""));
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "namespace": access.namespace,
                "group": access.group,
                "resource": resource,
                "subresource": subresource,
                "verb": access.verb,
            }},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews".to_owned();
        let mut request = Request::get(Verb::Get, action, path);
        request.method = http::Method::POST;
        request.body = review.to_string().into_bytes();
        request
            .headers
            .push((http::header::CONTENT_TYPE, "application/json"));
        let answer: Value = parse(action, &self.send(request).await?.body)?;
        Ok(answer["status"]["allowed"] == true)
    }
}
