//! What a user lacks who may not deploy, all of it at once, as the roles that would give it.

use super::cause::makes_pods;
use super::{App, Error};
use crate::cluster::{self, Access, Cluster};
use crate::object::{Gvk, Manifest};
use futures::stream::{self, StreamExt as _};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// How many questions are asked at the same time.
const CONCURRENCY: usize = 16;
/// What is done to the objects of an app, to its record and lock, and to what tells of its pods.
const OBJECTS: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];
const RECORD: &[&str] = &["get", "create", "update", "delete"];
const BESIDE: &[&str] = &["list", "watch"];

/// The kinds of an app and where its objects are.
pub(super) type Places = BTreeSet<(Gvk, Option<String>)>;

/// The places of manifests; one that names no namespace is in that of the app, if its kind has any.
pub(super) fn places(manifests: &[Manifest]) -> Places {
    let place = |manifest: &Manifest| {
        let namespace = manifest.object.namespace().map(str::to_owned);
        (manifest.object.gvk(), namespace)
    };
    manifests.iter().map(place).collect()
}

/// Whether the server forbids something to the user for want of a role.
pub(super) fn is_forbidden(error: &Error) -> bool {
    match error {
        Error::Cluster(cluster::Error::Forbidden { .. }) => true,
        Error::Refused(refusals) => refusals
            .iter()
            .any(|refusal| refusal.message.contains("is forbidden: User ")),
        _ => false,
    }
}

/// The same error with the roles that would give what the user lacks, as far as the server tells.
pub(super) async fn explained(
    cluster: &Cluster,
    app: &App,
    places: &Places,
    error: Error,
) -> Error {
    let Ok(needed) = needed(cluster, app, places).await else {
        return error;
    };
    let asked = stream::iter(needed).map(|access| async move {
        let allowed = cluster.may(&access).await.unwrap_or(true);
        (!allowed).then_some(access)
    });
    let lacking: Vec<Option<Access>> = asked.buffered(CONCURRENCY).collect().await;
    let lacking: Vec<Access> = lacking.into_iter().flatten().collect();
    if lacking.is_empty() {
        return error;
    }
    Error::Lacking {
        cause: Box::new(error),
        roles: roles(&format!("windlass-{}", app.name), &lacking),
    }
}

/// All that a deploy of objects of these kinds does.
async fn needed(
    cluster: &Cluster,
    app: &App,
    places: &Places,
) -> Result<BTreeSet<Access>, cluster::Error> {
    let discovery = cluster.discovery().await?;
    let mut needed = BTreeSet::new();
    let mut need =
        |namespace: Option<&str>, group: &str, resource: &str, verbs: &[&'static str]| {
            needed.extend(verbs.iter().map(|verb| Access {
                namespace: namespace.map(str::to_owned),
                group: group.to_owned(),
                resource: resource.to_owned(),
                verb,
            }));
        };
    let record = Some(app.record_namespace());
    need(record, "", "secrets", RECORD);
    need(record, "coordination.k8s.io", "leases", RECORD);
    for (gvk, namespace) in places {
        // A kind that the set brings along itself is not known yet, and nobody can be asked about it.
        let Some(kind) = discovery.find(gvk) else {
            continue;
        };
        let own = namespace.as_deref().or(Some(app.namespace.as_str()));
        let namespace = own.filter(|_| kind.namespaced);
        need(namespace, &gvk.group, &kind.plural, OBJECTS);
        if makes_pods(gvk) {
            need(namespace, "", "pods", BESIDE);
            need(namespace, "", "pods/log", &["get"]);
            need(namespace, "", "events", BESIDE);
            need(namespace, "apps", "replicasets", BESIDE);
        }
    }
    Ok(needed)
}

/// A Role for each namespace and a `ClusterRole` for what lives in none.
fn roles(name: &str, lacking: &[Access]) -> String {
    let mut verbs: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for access in lacking {
        let resource = (&access.namespace, &access.group, &access.resource);
        verbs.entry(resource).or_default().push(access.verb);
    }
    let mut rules: BTreeMap<_, BTreeMap<_, Vec<&str>>> = BTreeMap::new();
    for ((namespace, group, resource), verbs) in verbs {
        let rule = rules.entry(namespace).or_default();
        rule.entry((group, verbs)).or_default().push(resource);
    }
    let mut text = String::new();
    for (namespace, rules) in rules {
        let (kind, place) = match namespace {
            Some(namespace) => ("Role", format!(", namespace: {namespace}")),
            None => ("ClusterRole", String::new()),
        };
        let head = if text.is_empty() { "" } else { "---\n" };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "{head}apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata: {{name: {name}{place}}}\nrules:\n"
        );
        for ((group, verbs), resources) in rules {
            let (resources, verbs) = (resources.join(", "), verbs.join(", "));
            let _ = writeln!(
                text,
                "- {{apiGroups: [\"{group}\"], resources: [{resources}], verbs: [{verbs}]}}"
            );
        }
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_becomes_one_role_for_each_namespace() {
        let access = |namespace: Option<&str>, resource: &str, verb: &'static str| Access {
            namespace: namespace.map(str::to_owned),
            group: String::new(),
            resource: resource.to_owned(),
            verb,
        };
        let lacking = [
            access(Some("shop"), "secrets", "get"),
            access(Some("shop"), "configmaps", "get"),
            access(Some("shop"), "secrets", "create"),
            access(Some("shop"), "pods/log", "get"),
            access(None, "namespaces", "patch"),
        ];
        insta::assert_snapshot!(roles("windlass-web", &lacking), @r#"
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRole
        metadata: {name: windlass-web}
        rules:
        - {apiGroups: [""], resources: [namespaces], verbs: [patch]}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {name: windlass-web, namespace: shop}
        rules:
        - {apiGroups: [""], resources: [configmaps, pods/log], verbs: [get]}
        - {apiGroups: [""], resources: [secrets], verbs: [get, create]}
        "#);
    }
}
