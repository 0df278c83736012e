//! Which objects a rule of kapp is about. Follows kapp's `pkg/kapp/resources/matchers.go`.

use super::path::{self, Path};
use crate::object::Object;
use serde_json::Value;

/// A condition on an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Matcher {
    /// Every object.
    All,
    /// One of them holds; none holds for no object.
    Any(Vec<Self>),
    /// All of them hold.
    And(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// An API group, in any version, and a kind.
    GroupKind {
        /// The group; empty for the core group.
        group: String,
        /// The kind.
        kind: String,
    },
    /// An exact `apiVersion` and a kind.
    VersionKind {
        /// The `apiVersion`.
        api_version: String,
        /// The kind.
        kind: String,
    },
    /// One object by kind, namespace and name.
    Name {
        /// The kind.
        kind: String,
        /// The namespace; empty for objects of the cluster.
        namespace: String,
        /// The name.
        name: String,
    },
    /// The object carries all of these annotations, whatever their values.
    Annotated(Vec<String>),
    /// The object is in one of these namespaces; in any when none is named.
    InNamespace(Vec<String>),
    /// The object is of a kind that a CRD defines.
    Custom,
    /// Nothing is at the path, or something empty.
    Empty(Path),
}

impl Matcher {
    /// Whether it holds for an object.
    #[must_use]
    pub fn matches(&self, object: &Object) -> bool {
        match self {
            Self::All => true,
            Self::Any(matchers) => matches_any(matchers, object),
            Self::And(matchers) => matchers.iter().all(|matcher| matcher.matches(object)),
            Self::Not(matcher) => !matcher.matches(object),
            Self::GroupKind { group, kind } => object.kind() == kind && object.group() == group,
            Self::VersionKind { api_version, kind } => {
                object.kind() == kind && object.api_version() == api_version
            }
            Self::Name {
                kind,
                namespace,
                name,
            } => {
                object.kind() == kind
                    && object.name() == name
                    && object.namespace().unwrap_or_default() == namespace
            }
            Self::Annotated(keys) => keys.iter().all(|key| object.annotation(key).is_some()),
            Self::InNamespace(names) => object
                .namespace()
                .filter(|namespace| !namespace.is_empty())
                .is_some_and(|namespace| {
                    names.is_empty() || names.iter().any(|name| name == namespace)
                }),
            Self::Custom => is_custom(object.group()),
            Self::Empty(path) => {
                let mut places = path.places(object.tree()).into_iter();
                places.all(|place| path::at(object.tree(), &place).is_none_or(is_empty))
            }
        }
    }
}

/// Whether one of the matchers of a rule holds for an object.
#[must_use]
pub fn matches_any(matchers: &[Matcher], object: &Object) -> bool {
    matchers.iter().any(|matcher| matcher.matches(object))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// Whether an API group is none of Kubernetes' own: its kinds are defined by CRDs, or served by an
/// aggregated API.
#[must_use]
pub fn is_custom(group: &str) -> bool {
    !BUILT_IN.contains(&group)
}

/// The API groups of Kubernetes itself.
const BUILT_IN: &[&str] = &[
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "metrics.k8s.io",
    "migration.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(matcher: &Matcher) -> bool {
        let object = Object::new(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "prod", "annotations": {"a": "", "b": "1"}},
            "spec": {"list": [{"x": {}}, {}], "text": "t"}}));
        matcher.matches(&object.unwrap())
    }

    fn text(text: &str) -> String {
        text.to_owned()
    }

    #[test]
    fn each_matcher_says_what_its_name_says() {
        let kind = |group: &str| Matcher::GroupKind {
            group: text(group),
            kind: text("Deployment"),
        };
        let version = |api_version: &str| Matcher::VersionKind {
            api_version: text(api_version),
            kind: text("Deployment"),
        };
        let named = |namespace: &str| Matcher::Name {
            kind: text("Deployment"),
            namespace: text(namespace),
            name: text("web"),
        };
        let annotated = |keys: &[&str]| Matcher::Annotated(keys.iter().map(|k| text(k)).collect());
        let empty = |keys: &[&str]| Matcher::Empty(Path::of(keys));
        for (matcher, expected) in [
            (Matcher::All, true),
            (kind("apps"), true),
            (kind(""), false),
            (version("apps/v1"), true),
            (version("apps/v1beta1"), false),
            (named("prod"), true),
            (named(""), false),
            (annotated(&["a", "b"]), true),
            (annotated(&["a", "c"]), false),
            (Matcher::InNamespace(vec![]), true),
            (Matcher::InNamespace(vec![text("dev")]), false),
            (Matcher::Custom, false),
            (empty(&["spec", "none"]), true),
            (empty(&["spec", "list", "*", "x"]), true),
            (empty(&["spec", "list"]), false),
            (empty(&["spec", "text"]), false),
            (Matcher::Any(vec![]), false),
            (Matcher::Any(vec![kind(""), kind("apps")]), true),
            (Matcher::And(vec![kind(""), kind("apps")]), false),
            (Matcher::Not(Box::new(kind(""))), true),
        ] {
            assert_eq!(holds(&matcher), expected, "{matcher:?}");
        }
    }
}
