//! Whose an object is that already exists. Reads the marks that deployers leave.

use crate::cluster;
use crate::inventory::PART_OF;
use crate::object::Object;
use std::fmt;

/// What owns an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// What kind of owner, for example `Helm release`.
    pub kind: &'static str,
    /// Its name as far as the object tells it.
    pub name: String,
}

impl Owner {
    /// Whether all that it owns can be adopted at once.
    #[must_use]
    pub fn is_adoptable(&self) -> bool {
        [HELM, KAPP].contains(&self.kind)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.kind, self.name)
    }
}

/// What an owner is called whose name stands in its record.
pub(super) const KAPP: &str = "kapp app";
/// The same of what `windlass adopt` can take over, too.
pub(super) const HELM: &str = "Helm release";
/// What an owner is called that is known by its label alone.
pub(super) const SET: &str = "ApplySet";

/// Marks that deployers put on objects: label or annotation, and what it means.
const LABELS: [(&str, &str); 5] = [
    ("kapp.k14s.io/app", KAPP),
    ("kustomize.toolkit.fluxcd.io/name", "Flux Kustomization"),
    ("helm.toolkit.fluxcd.io/name", "Flux HelmRelease"),
    ("argocd.argoproj.io/instance", "Argo CD application"),
    ("objectset.rio.cattle.io/hash", "Rancher Fleet bundle"),
];
const ANNOTATIONS: [(&str, &str); 3] = [
    ("meta.helm.sh/release-name", HELM),
    ("argocd.argoproj.io/tracking-id", "Argo CD application"),
    ("config.k8s.io/owning-inventory", "kpt inventory"),
];

/// Field managers that write whole objects and know nothing of conflicts: what is taken over from
/// them is shown as a change and needs no force.
const CLIENT_SIDE: [&str; 7] = [
    "before-first-apply",
    "helm",
    "kapp",
    "kubectl",
    "kubectl-client-side-apply",
    "kubectl-create",
    "kubectl-edit",
];

/// Whether an apply failed for nothing but fields of client-side writers.
pub(super) fn is_left_by_clients(error: &cluster::Error) -> bool {
    match error {
        cluster::Error::Conflict { conflicts, .. } => conflicts
            .iter()
            .map(|conflict| conflict.manager.as_str())
            .all(|manager| CLIENT_SIDE.contains(&manager) || manager.starts_with("kapp-")),
        _ => false,
    }
}

/// The owner of an object that is not a member of the set `id`; `None` when nobody claims it.
pub(super) fn owner(object: &Object, id: &str) -> Option<Owner> {
    match object.label(PART_OF) {
        Some(found) if found == id => return None,
        Some(found) => {
            return Some(Owner {
                kind: SET,
                name: found.to_owned(),
            });
        }
        None => {}
    }
    if let Some(controller) = controller(object) {
        return Some(controller);
    }
    let label = LABELS
        .iter()
        .find_map(|(key, kind)| Some((*kind, object.label(key)?)));
    let mark = label.or_else(|| {
        ANNOTATIONS
            .iter()
            .find_map(|(key, kind)| Some((*kind, object.annotation(key)?)))
    });
    let (kind, name) = mark?;
    let name = match (kind, object.annotation("meta.helm.sh/release-namespace")) {
        (HELM, Some(namespace)) => format!("{namespace}/{name}"),
        // `app:group/kind:namespace/name`
        ("Argo CD application", _) => name.split(':').next().unwrap_or(name).to_owned(),
        _ => name.to_owned(),
    };
    Some(Owner { kind, name })
}

/// The controller that made an object.
pub(super) fn controller(object: &Object) -> Option<Owner> {
    let owners = object.list(&["metadata", "ownerReferences"]);
    let owner = owners.iter().find(|owner| owner["controller"] == true)?;
    let text = |key: &str| owner[key].as_str().unwrap_or_default();
    Some(Owner {
        kind: "controller",
        name: format!("{}/{}", text("kind"), text("name")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn owner_of(metadata: &serde_json::Value) -> Option<String> {
        let object = Object::new(json!({"kind": "ConfigMap", "metadata": metadata})).unwrap();
        owner(&object, "ours").map(|owner| owner.to_string())
    }

    #[test]
    fn knows_the_marks_of_other_deployers() {
        let helm = json!({"annotations": {"meta.helm.sh/release-name": "web",
            "meta.helm.sh/release-namespace": "prod"}});
        assert_eq!(owner_of(&helm).as_deref(), Some("Helm release `prod/web`"));
        let kapp = json!({"labels": {"kapp.k14s.io/app": "1700"}});
        assert_eq!(owner_of(&kapp).as_deref(), Some("kapp app `1700`"));
        let argo =
            json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:/ConfigMap:prod/x"}});
        assert_eq!(
            owner_of(&argo).as_deref(),
            Some("Argo CD application `shop`")
        );
        let set = json!({"labels": {"applyset.kubernetes.io/part-of": "theirs"}});
        assert_eq!(owner_of(&set).as_deref(), Some("ApplySet `theirs`"));
    }

    #[test]
    fn takes_rendered_helm_labels_for_nobody() {
        let rendered = json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}});
        assert_eq!(owner_of(&rendered), None);
        assert_eq!(
            owner_of(&json!({"labels": {"applyset.kubernetes.io/part-of": "ours"}})),
            None
        );
    }
}
