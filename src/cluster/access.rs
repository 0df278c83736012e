//! What the user may do. The server is asked, since rights come from many roles and other places.

use super::request::{Request, Verb};
use super::{Cluster, Error, parse};
use serde::Deserialize;
use serde::de::DeserializeOwned;
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
    /// The object; `None` where it is done to the kind as a whole.
    pub name: Option<String>,
}

/// The rules that let the user do something in a namespace, as far as the server tells: there may be
/// more to it than rules.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rules {
    resource_rules: Vec<Rule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rule {
    verbs: Vec<String>,
    api_groups: Vec<String>,
    resources: Vec<String>,
    resource_names: Vec<String>,
}

impl Rules {
    /// Whether one of the rules allows this.
    #[must_use]
    pub fn allow(&self, access: &Access) -> bool {
        self.resource_rules.iter().any(|rule| rule.allows(access))
    }

    /// The rules of a role; those that are about no resources are passed over.
    #[must_use]
    pub fn of_role(rules: &[Value]) -> Self {
        let rules = rules.iter().map(Rule::deserialize);
        Self {
            resource_rules: rules.filter_map(Result::ok).collect(),
        }
    }
}

/// A user as the server knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct User {
    /// The name.
    pub username: String,
    /// The groups that the user is in.
    pub groups: Vec<String>,
}

impl Rule {
    /// Follows `RuleAllows` and its helpers of Kubernetes 1.36 (`pkg/apis/rbac/v1/evaluation_helpers.go`).
    fn allows(&self, access: &Access) -> bool {
        let has =
            |list: &[String], wanted: &str| list.iter().any(|one| one == "*" || one == wanted);
        let of_any = access.resource.split_once('/');
        let of_any = of_any.map(|(_, subresource)| format!("*/{subresource}"));
        let named = access.name.as_ref();
        has(&self.verbs, access.verb)
            && has(&self.api_groups, &access.group)
            && (has(&self.resources, &access.resource)
                || of_any.is_some_and(|any| self.resources.contains(&any)))
            && (self.resource_names.is_empty()
                || named.is_some_and(|name| self.resource_names.contains(name)))
    }
}

impl Cluster {
    /// Whether the user may do this; also when the server cannot find out.
    ///
    /// # Errors
    /// When the server does not tell.
    pub async fn may(&self, access: &Access) -> Result<bool, Error> {
        let (resource, subresource) = access
            .resource
            .split_once('/')
            .unwrap_or((access.resource.as_str(), ""));
        let attributes = json!({
            "namespace": access.namespace,
            "group": access.group,
            "resource": resource,
            "subresource": subresource,
            "verb": access.verb,
            "name": access.name,
        });
        let spec = json!({"resourceAttributes": attributes});
        let status = self.review(AUTHORIZATION, "SelfSubjectAccessReview", spec);
        let status = status.await?;
        let is_unsure = status["evaluationError"]
            .as_str()
            .is_some_and(|error| !error.is_empty());
        Ok(status["allowed"] == true || is_unsure)
    }

    /// What the user may do in a namespace.
    ///
    /// # Errors
    /// When the server does not tell.
    pub async fn rules(&self, namespace: &str) -> Result<Rules, Error> {
        let spec = json!({"namespace": namespace});
        let status = self.review(AUTHORIZATION, "SelfSubjectRulesReview", spec);
        read(status.await?)
    }

    /// Who the user is.
    ///
    /// # Errors
    /// When the server does not tell.
    pub async fn user(&self) -> Result<User, Error> {
        let status = self.review("authentication.k8s.io/v1", "SelfSubjectReview", json!({}));
        read(status.await?["userInfo"].take())
    }

    /// The status of a review.
    async fn review(&self, group: &str, kind: &str, spec: Value) -> Result<Value, Error> {
        let review = json!({"apiVersion": group, "kind": kind, "spec": spec});
        let path = format!("/apis/{group}/{}s", kind.to_ascii_lowercase());
        let mut request = Request::get(Verb::Get, ASK, path);
        request.method = http::Method::POST;
        request.body = review.to_string().into_bytes();
        request
            .headers
            .push((http::header::CONTENT_TYPE, "application/json"));
        let mut answer: Value = parse(ASK, &self.send(request).await?.body)?;
        Ok(answer["status"].take())
    }
}

const ASK: &str = "ask what the user may do";
const AUTHORIZATION: &str = "authorization.k8s.io/v1";

fn read<T: DeserializeOwned>(status: Value) -> Result<T, Error> {
    serde_json::from_value(status).map_err(|error| Error::Answer {
        action: ASK.to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(rule: &Value, resource: &str, verb: &'static str, name: Option<&str>) -> bool {
        let rules: Rules = serde_json::from_value(json!({"resourceRules": [rule]})).unwrap();
        rules.allow(&Access {
            namespace: Some("shop".to_owned()),
            group: "apps".to_owned(),
            resource: resource.to_owned(),
            verb,
            name: name.map(str::to_owned),
        })
    }

    #[test]
    fn a_rule_allows_what_it_names() {
        let rule =
            json!({"verbs": ["get", "patch"], "apiGroups": ["apps"], "resources": ["deployments"]});
        assert!(allowed(&rule, "deployments", "patch", Some("web")));
        assert!(!allowed(&rule, "deployments", "delete", Some("web")));
        assert!(!allowed(&rule, "deployments/scale", "patch", None));
        let other = json!({"verbs": ["*"], "apiGroups": [""], "resources": ["*"]});
        assert!(!allowed(&other, "deployments", "get", None));
    }

    #[test]
    fn stars_allow_everything() {
        let all = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]});
        assert!(allowed(&all, "deployments/scale", "patch", None));
        let scales = json!({"verbs": ["patch"], "apiGroups": ["*"], "resources": ["*/scale"]});
        assert!(allowed(&scales, "deployments/scale", "patch", None));
        assert!(!allowed(&scales, "deployments", "patch", None));
    }

    #[test]
    fn a_rule_for_some_objects_allows_nothing_else() {
        let some = json!({"verbs": ["*"], "apiGroups": ["apps"], "resources": ["deployments"],
            "resourceNames": ["web"]});
        assert!(allowed(&some, "deployments", "patch", Some("web")));
        assert!(!allowed(&some, "deployments", "patch", Some("api")));
        assert!(!allowed(&some, "deployments", "list", None));
    }
}
