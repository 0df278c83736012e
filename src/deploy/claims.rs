//! Volume claims that StatefulSets made, which have no owner in the cluster, and those of them that are marked
//! to go with the app (`kapp.k14s.io/owned-for-deletion` in the template of the claim).

use super::Error;
use super::found::Found;
use crate::cluster::{Cluster, Discovery, Selector};
use crate::object::Object;
use serde_json::Value;

const MARK: &str = "kapp.k14s.io/owned-for-deletion";

/// The live claims that are marked, of all StatefulSets that were found.
pub(super) async fn marked(
    cluster: &Cluster,
    discovery: &Discovery,
    found: &Found,
) -> Result<Vec<Object>, Error> {
    let Some(kind) = discovery.preferred("", "PersistentVolumeClaim") else {
        return Ok(Vec::new());
    };
    let mut claims = Vec::new();
    for set in found.objects.values() {
        let templates = marked_templates(set);
        if templates.is_empty() {
            continue;
        }
        let labels = set.get(&["spec", "selector", "matchLabels"]);
        let labels = labels.and_then(Value::as_object).into_iter().flatten();
        let labels = labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")));
        let selector = Selector {
            labels: labels.collect::<Vec<_>>().join(","),
            fields: String::new(),
        };
        let listed = cluster.list(kind, set.namespace(), &selector).await?;
        claims.extend(
            listed
                .into_iter()
                .filter(|claim| claim.annotation(MARK).is_some() && is_of(claim, set, &templates)),
        );
    }
    Ok(claims)
}

/// The names of the templates whose claims are marked.
fn marked_templates(set: &Object) -> Vec<&str> {
    templates(set, |template| {
        !template["metadata"]["annotations"][MARK].is_null()
    })
}

/// The names of the templates of claims that are meant, none for an object that is no `StatefulSet`.
fn templates(set: &Object, is_meant: impl Fn(&Value) -> bool) -> Vec<&str> {
    if set.kind() != "StatefulSet" {
        return Vec::new();
    }
    let templates = set.list(&["spec", "volumeClaimTemplates"]).iter();
    let names = templates.filter(|template| is_meant(template));
    names
        .filter_map(|template| template["metadata"]["name"].as_str())
        .collect()
}

/// Whether a `StatefulSet` made this claim.
pub(super) fn is_made_by(claim: &Object, set: &Object) -> bool {
    claim.kind() == "PersistentVolumeClaim"
        && claim.namespace() == set.namespace()
        && is_of(claim, set, &templates(set, |_| true))
}

/// Whether a claim was made from one of the templates: `<template>-<set>-<ordinal>`.
fn is_of(claim: &Object, set: &Object, templates: &[&str]) -> bool {
    let Some((rest, ordinal)) = claim.name().rsplit_once('-') else {
        return false;
    };
    let made = |template: &&str| rest == format!("{template}-{}", set.name());
    !ordinal.is_empty()
        && ordinal.bytes().all(|byte| byte.is_ascii_digit())
        && templates.iter().any(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_marked_claims_of_the_set_are_meant() {
        let set = Object::new(json!({"kind": "StatefulSet", "metadata": {"name": "db"},
            "spec": {"volumeClaimTemplates": [{"metadata": {"name": "data", "annotations": {MARK: ""}}},
                {"metadata": {"name": "kept"}}]}}))
        .unwrap();
        let templates = marked_templates(&set);
        assert_eq!(templates, ["data"]);
        let claim = |name: &str| {
            let tree = json!({"kind": "PersistentVolumeClaim", "metadata": {"name": name}});
            let claim = Object::new(tree).unwrap();
            (is_of(&claim, &set, &templates), is_made_by(&claim, &set))
        };
        assert_eq!(claim("data-db-0"), (true, true));
        assert_eq!(claim("kept-db-0"), (false, true));
        for other in ["data-other-0", "data-db-x", "data-db-", "data-db"] {
            assert_eq!(claim(other), (false, false), "{other}");
        }
    }
}
