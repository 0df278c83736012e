//! Which change groups an object belongs to: kapp's defaults, corrected, and the annotations.
//!
//! The defaults are those of kapp's `config/default.go` (changeGroupBindings). Corrected: StorageClass
//! is in group `storage.k8s.io`, PodDisruptionBudget is `policy/v1`, RuntimeClass is `node.k8s.io/v1`.
//! Versions are not looked at: an object is the same in all of them.

use super::Error;
use super::rule::{annotation_error, annotations};
use crate::kapp;
use crate::object::{Object, Source};

/// The prefix of the names of kapp's own groups.
pub(super) const PREFIX: &str = "change-groups.kapp.k14s.io/";

/// The group of ServiceAccounts, without the prefix.
pub(super) const SERVICE_ACCOUNT: &str = "serviceaccount";
/// The group of the Secrets that hold their tokens.
pub(super) const TOKENS: &str = "secret-associated-with-sa";

/// What the rules need to know of an object.
#[derive(Debug)]
pub(super) struct Facts {
    /// The API group.
    pub(super) group: String,
    /// The kind.
    pub(super) kind: String,
    /// The namespace; empty for an object of the cluster.
    pub(super) namespace: String,
    /// The name.
    pub(super) name: String,
}

impl Facts {
    /// Reads them from an object.
    pub(super) fn of(object: &Object) -> Self {
        Self {
            group: object.group().to_owned(),
            kind: object.kind().to_owned(),
            namespace: object.namespace().unwrap_or_default().to_owned(),
            name: object.name().to_owned(),
        }
    }

    /// Whether this is a CustomResourceDefinition.
    pub(super) fn is_crd(&self) -> bool {
        self.group == "apiextensions.k8s.io" && self.kind == "CustomResourceDefinition"
    }

    /// Whether this is a namespace.
    pub(super) fn is_namespace(&self) -> bool {
        self.group.is_empty() && self.kind == "Namespace"
    }

    /// Whether this is an object of a kind that a CRD defines: of no group of Kubernetes' own.
    pub(super) fn is_custom(&self) -> bool {
        kapp::is_custom(&self.group)
    }

    /// Whether the kind has pods.
    pub(super) fn is_workload(&self) -> bool {
        crate::object::pod::pod_spec_path(&self.group, &self.kind).is_some()
            && self.kind != "PodTemplate"
    }

    /// Whether this makes the server ask a service of the cluster.
    pub(super) fn is_webhook(&self) -> bool {
        matches!(
            (self.group.as_str(), self.kind.as_str()),
            (
                "admissionregistration.k8s.io",
                "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration"
            ) | ("apiregistration.k8s.io", "APIService")
        )
    }

    /// The names of kapp's default groups that the object is in, without [`PREFIX`].
    pub(super) fn default_groups(&self) -> &'static [&'static str] {
        match (self.group.as_str(), self.kind.as_str()) {
            ("apiextensions.k8s.io", "CustomResourceDefinition") => &["crds"],
            ("", "Namespace") => &["namespaces"],
            ("storage.k8s.io", "StorageClass") => &["storage-class"],
            ("", "PersistentVolume" | "PersistentVolumeClaim") => &["storage"],
            ("rbac.authorization.k8s.io", "ClusterRole" | "Role") => &["rbac-roles", "rbac"],
            ("rbac.authorization.k8s.io", "ClusterRoleBinding" | "RoleBinding") => {
                &["rbac-role-bindings", "rbac"]
            }
            ("", "ServiceAccount") => &[SERVICE_ACCOUNT, "pod-related"],
            ("", "Secret" | "ConfigMap" | "ResourceQuota" | "LimitRange")
            | ("networking.k8s.io" | "extensions", "NetworkPolicy")
            | ("policy" | "extensions", "PodSecurityPolicy")
            | ("policy", "PodDisruptionBudget")
            | ("scheduling.k8s.io", "PriorityClass")
            | ("node.k8s.io", "RuntimeClass") => &["pod-related"],
            ("kappctrl.k14s.io", "App") => &["kapp-controller-app"],
            ("packaging.carvel.dev", "PackageInstall") => &["kapp-controller-packageinstall"],
            _ => &[],
        }
    }
}

/// All groups of an object by their full names: the default ones, those of the bindings, those of its
/// annotations.
///
/// # Errors
///
/// Fails with an empty group name in an annotation.
pub(super) fn groups(
    facts: &Facts,
    object: &Object,
    source: Option<&Source>,
    bindings: &[kapp::Group],
) -> Result<Vec<String>, Error> {
    let mut groups: Vec<String> = facts
        .default_groups()
        .iter()
        .map(|name| format!("{PREFIX}{name}"))
        .collect();
    if facts.is_namespace() {
        groups.push(format!("{PREFIX}namespaces-{}", facts.name));
    }
    if facts.is_crd() {
        let (group, kind) = (
            object.text(&["spec", "group"]),
            object.text(&["spec", "names", "kind"]),
        );
        groups.push(format!("{PREFIX}crds-{group}-{kind}"));
    }
    if is_token_of_account(object) {
        groups.push(format!("{PREFIX}{TOKENS}"));
    }
    let bound = bindings
        .iter()
        .filter(|binding| kapp::matches_any(&binding.of, object));
    groups.extend(bound.map(|binding| expand(&binding.name, facts, object)));
    for (key, value) in annotations(object, "kapp.k14s.io/change-group") {
        let name = expand(value.trim(), facts, object);
        if name.is_empty() || name.contains(char::is_whitespace) {
            let message = "a group is one word, for example `apps.example.com/db`";
            return Err(annotation_error(object, source, key, value, message));
        }
        groups.push(name);
    }
    groups.sort();
    groups.dedup();
    Ok(groups)
}

/// Whether this is a Secret that holds the token of a ServiceAccount.
fn is_token_of_account(object: &Object) -> bool {
    object.kind() == "Secret"
        && object
            .annotation("kubernetes.io/service-account.name")
            .is_some()
}

/// Fills in kapp's placeholders.
pub(super) fn expand(text: &str, facts: &Facts, object: &Object) -> String {
    if !text.contains('{') {
        return text.to_owned();
    }
    let (crd_group, crd_kind) = if facts.is_crd() {
        (
            object.text(&["spec", "group"]),
            object.text(&["spec", "names", "kind"]),
        )
    } else {
        ("", "")
    };
    text.replace("{api-group}", &facts.group)
        .replace("{kind}", &facts.kind)
        .replace("{name}", &facts.name)
        .replace("{namespace}", &facts.namespace)
        .replace("{crd-group}", crd_group)
        .replace("{crd-kind}", crd_kind)
}
