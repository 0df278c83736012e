//! Puts each object where it belongs: into a namespace or into the cluster, once.

use super::visible::inline;
use super::{Error, Gvk, Manifest, Object, Problem};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Whether the objects of a kind live in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Each object is in a namespace.
    Namespaced,
    /// The objects are the cluster's.
    Cluster,
}

/// Fills in the namespace of namespaced objects that have none, removes it from objects of the
/// cluster and merges identical duplicates. `scope` answers for the kinds the server knows; the
/// CRDs of the input answer for those it does not know yet. Returns warnings.
///
/// # Errors
///
/// Fails with all kinds that nobody knows, and with all objects that stand in the input twice with
/// different content.
pub fn place(
    manifests: &mut Vec<Manifest>,
    scope: &dyn Fn(&Gvk) -> Option<Scope>,
    namespace: &str,
) -> Result<Vec<String>, Error> {
    let own = scopes_of_crds(manifests);
    let mut known: HashMap<Gvk, Option<Scope>> = HashMap::new();
    let mut warnings = Vec::new();
    let mut problems = Vec::new();
    for manifest in manifests.iter_mut() {
        let gvk = manifest.object.gvk();
        let found = *known
            .entry(gvk.clone())
            .or_insert_with(|| scope(&gvk).or_else(|| own.get(&gvk).copied()));
        match found {
            Some(Scope::Namespaced) => {
                if manifest.object.namespace().is_none_or(str::is_empty) {
                    manifest.object.set_namespace(namespace);
                }
            }
            Some(Scope::Cluster) => warnings.extend(drop_namespace(manifest)),
            None => problems.push(unknown_kind(manifest, &gvk)),
        }
    }
    merge_duplicates(manifests, &mut problems);
    Error::check(problems)?;
    Ok(warnings)
}

fn drop_namespace(manifest: &mut Manifest) -> Option<String> {
    let metadata = manifest
        .object
        .tree_mut()
        .get_mut("metadata")?
        .as_object_mut()?;
    let namespace = metadata.remove("namespace")?;
    let namespace = namespace.as_str().filter(|text| !text.is_empty())?;
    Some(format!(
        "{}: {} is not in a namespace: metadata.namespace {namespace} ignored",
        manifest.source,
        manifest.object.reference()
    ))
}

fn unknown_kind(manifest: &Manifest, gvk: &Gvk) -> Problem {
    let (name, kind) = (inline(manifest.object.name()), inline(&gvk.kind));
    let version = gvk.api_version();
    let message = format!(
        "{kind}/{name}: the server does not know kind {kind} of {}",
        inline(&version)
    );
    Problem::new(manifest.source.clone(), message)
        .hinted("install its CustomResourceDefinition first, or add it to the input")
}

/// The scopes that the CRDs of the input give to their kinds, in each version that is served.
fn scopes_of_crds(manifests: &[Manifest]) -> HashMap<Gvk, Scope> {
    manifests
        .iter()
        .map(|manifest| &manifest.object)
        .filter(|object| {
            object.kind() == "CustomResourceDefinition" && object.group() == "apiextensions.k8s.io"
        })
        .flat_map(|crd| {
            let scope = match crd.text(&["spec", "scope"]) {
                "Cluster" => Scope::Cluster,
                _ => Scope::Namespaced,
            };
            let versions = crd.list(&["spec", "versions"]).iter();
            let served = versions.filter(|version| version["served"] != false);
            served.map(move |version| {
                let gvk = Gvk {
                    group: crd.text(&["spec", "group"]).to_owned(),
                    version: version["name"].as_str().unwrap_or_default().to_owned(),
                    kind: crd.text(&["spec", "names", "kind"]).to_owned(),
                };
                (gvk, scope)
            })
        })
        .collect()
}

fn merge_duplicates(manifests: &mut Vec<Manifest>, problems: &mut Vec<Problem>) {
    let mut seen: HashMap<_, (super::Source, Object)> = HashMap::with_capacity(manifests.len());
    manifests.retain(|manifest| match seen.entry(manifest.object.reference()) {
        Entry::Vacant(entry) => {
            entry.insert((manifest.source.clone(), manifest.object.clone()));
            true
        }
        Entry::Occupied(entry) => {
            let (first, object) = entry.get();
            if *object != manifest.object {
                let target = entry.key();
                problems.push(Problem::new(
                    manifest.source.clone(),
                    format!("{target} stands already in {first}, with other content"),
                ));
            }
            false
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Source;
    use serde_json::{Value, json};

    fn manifest(line: usize, tree: Value) -> Manifest {
        let source = Source {
            file: "all.yaml".to_owned(),
            line,
        };
        Manifest {
            object: Object::new(tree).unwrap(),
            source,
        }
    }

    fn server(gvk: &Gvk) -> Option<Scope> {
        match gvk.kind.as_str() {
            "ConfigMap" => Some(Scope::Namespaced),
            "ClusterRole" | "CustomResourceDefinition" => Some(Scope::Cluster),
            _ => None,
        }
    }

    #[test]
    fn namespaces_are_filled_in_and_removed() {
        let mut manifests = vec![
            manifest(
                1,
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}),
            ),
            manifest(
                2,
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "y"}}),
            ),
            manifest(
                3,
                json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "a", "namespace": "y"}}),
            ),
        ];
        let warnings = place(&mut manifests, &server, "x").unwrap();
        let namespaces: Vec<_> = manifests.iter().map(|m| m.object.namespace()).collect();
        assert_eq!(namespaces, [Some("x"), Some("y"), None]);
        insta::assert_snapshot!(warnings.join("\n"), @"all.yaml:3: ClusterRole/a is not in a namespace: metadata.namespace y ignored");
    }

    #[test]
    fn crds_of_the_input_tell_the_scope_of_their_kind() {
        let mut manifests = vec![
            manifest(
                1,
                json!({"apiVersion": "x.io/v1", "kind": "Zone", "metadata": {"name": "a"}}),
            ),
            manifest(
                2,
                json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": "zones.x.io"},
                "spec": {"group": "x.io", "scope": "Cluster", "names": {"kind": "Zone"},
                    "versions": [{"name": "v1", "served": true}]}}),
            ),
        ];
        place(&mut manifests, &server, "x").unwrap();
        assert_eq!(manifests[0].object.namespace(), None);
        manifests[0].object.tree_mut()["apiVersion"] = json!("x.io/v2");
        assert!(place(&mut manifests, &server, "x").is_err());
    }

    #[test]
    fn unknown_kinds_and_clashing_duplicates_are_all_named() {
        let cm = |line, value: &str| {
            manifest(
                line,
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": value}}),
            )
        };
        let mut manifests = vec![
            cm(1, "1"),
            cm(5, "1"),
            cm(9, "2"),
            manifest(
                20,
                json!({"apiVersion": "x.io/v1", "kind": "Zone", "metadata": {"name": "z"}}),
            ),
        ];
        let error = place(&mut manifests, &server, "x").unwrap_err();
        insta::assert_snapshot!(error, @"
        all.yaml:20: Zone/z: the server does not know kind Zone of x.io/v1
        all.yaml:9: ConfigMap/a (x) stands already in all.yaml:1, with other content
        ");
        assert_eq!(manifests.len(), 2);
        assert!(
            error.problems[0]
                .hint
                .as_deref()
                .unwrap()
                .contains("CustomResourceDefinition")
        );
    }
}
