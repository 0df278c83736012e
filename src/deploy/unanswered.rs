//! API groups whose server does not answer: what is not known because of it, and which APIService to mend.

use super::{Error, Refusal};
use crate::cluster::{Cluster, Discovery, Selector};
use crate::object::{Manifest, Object};
use crate::status::{self, State};
use std::fmt;

/// A group whose kinds are not known at the moment.
pub(super) struct Unanswered {
    group: String,
    /// The APIServices of the group that fail, and why; empty where that cannot be read.
    why: String,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the server of API group `{}` does not answer{}",
            self.group, self.why
        )
    }
}

/// The groups that do not answer. Asks nothing where all do.
pub(super) async fn groups(cluster: &Cluster, discovery: &Discovery) -> Vec<Unanswered> {
    let groups: Vec<&str> = discovery.stale_groups().collect();
    if groups.is_empty() {
        return Vec::new();
    }
    let services = failing(cluster, discovery).await;
    let group = |group: &str| Unanswered {
        group: group.to_owned(),
        why: words(
            services
                .iter()
                .filter(|it| it.text(&["spec", "group"]) == group),
        ),
    };
    groups.into_iter().map(group).collect()
}

/// ` (APIService/v1.x: why)`, for the error about one group.
pub(super) async fn why(cluster: &Cluster, discovery: &Discovery, group: &str) -> String {
    let groups = groups(cluster, discovery).await;
    let found = groups.into_iter().find(|it| it.group == group);
    found.map(|it| it.why).unwrap_or_default()
}

/// Refuses objects whose kinds are not known for that reason. A group that comes with its definitions
/// is not one of them.
pub(super) fn check(
    unanswered: &[Unanswered],
    discovery: &Discovery,
    manifests: &[Manifest],
) -> Result<(), Error> {
    let is_defined = |group: &str| {
        manifests.iter().any(|manifest| {
            let object = &manifest.object;
            object.kind() == "CustomResourceDefinition" && object.text(&["spec", "group"]) == group
        })
    };
    let refused = manifests.iter().filter_map(|manifest| {
        let gvk = manifest.object.gvk();
        let group = unanswered.iter().find(|it| it.group == gvk.group)?;
        let is_known = discovery.find(&gvk).is_some() || is_defined(&gvk.group);
        (!is_known).then(|| Refusal {
            target: manifest.object.reference(),
            source: Some(manifest.source.clone()),
            message: group.to_string(),
        })
    });
    let refused: Vec<Refusal> = refused.collect();
    if refused.is_empty() {
        Ok(())
    } else {
        Err(Error::Unanswered(refused))
    }
}

/// What keeps a namespace that does not go: a line for each APIService that fails, since the server deletes
/// what it can list.
pub(super) async fn behind(cluster: &Cluster, namespace: &Object) -> String {
    let conditions = namespace.list(&["status", "conditions"]);
    let fails = conditions.iter().any(|condition| {
        condition["type"] == "NamespaceDeletionDiscoveryFailure" && condition["status"] == "True"
    });
    if namespace.kind() != "Namespace" || !fails {
        return String::new();
    }
    let Ok(discovery) = cluster.discovery().await else {
        return String::new();
    };
    let services = failing(cluster, &discovery).await;
    let indented = |service| format!("\n  {}", line(service));
    services.iter().map(indented).collect()
}

/// The APIServices that are not available; none where the user may not list them.
async fn failing(cluster: &Cluster, discovery: &Discovery) -> Vec<Object> {
    let Some(kind) = discovery.preferred("apiregistration.k8s.io", "APIService") else {
        return Vec::new();
    };
    let listed = cluster.list(kind, None, &Selector::default()).await;
    let mut services = listed.unwrap_or_default();
    services.retain(|service| status::of(service).state != State::Current);
    services
}

fn words<'a>(services: impl Iterator<Item = &'a Object>) -> String {
    let lines: Vec<String> = services.map(line).collect();
    match lines.as_slice() {
        [] => String::new(),
        lines => format!(" ({})", lines.join("; ")),
    }
}

fn line(service: &Object) -> String {
    format!(
        "APIService/{}: {}",
        service.name(),
        status::of(service).message
    )
}
