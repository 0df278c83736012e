//! Versioned objects: their names, who names them, and which of them stay. Follows kapp's
//! `pkg/kapp/diff/change_set_with_versioned_rs.go`.
//!
//! Nothing here asks a server whether a version differs from the last one.

use super::mark::{KEEP_ORIGINAL, KEPT_BY_DEFAULT, NUM_VERSIONS, VERSIONED};
use super::path::{Part, Place, at_mut};
use super::{Template, mark, template};
use crate::object::{Manifest, Object, ObjectRef};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

const SEPARATOR: &str = "-ver-";

/// A versioned object that has its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned {
    /// The object as it stands in the input, under its base name.
    pub object: Object,
    /// The name of the version that is used.
    pub name: String,
}

/// Whether an object is one of many versions.
#[must_use]
pub fn is_versioned(object: &Object) -> bool {
    object.annotation(VERSIONED).is_some()
}

/// The name without its version, and the version: `web-ver-3` → `web`, 3.
#[must_use]
pub fn base_name(name: &str) -> Option<(&str, u64)> {
    let (base, version) = name.rsplit_once(SEPARATOR)?;
    Some((base, version.parse().ok()?))
}

/// The name of a version.
#[must_use]
pub fn version_name(base: &str, version: u64) -> String {
    format!("{base}{SEPARATOR}{version}")
}

/// Takes the versioned objects out of the manifests. Those that are to be there under their own name
/// too stay as well.
#[must_use]
pub fn take_versioned(manifests: &mut Vec<Manifest>) -> Vec<Manifest> {
    let (versioned, mut rest): (Vec<_>, Vec<_>) = std::mem::take(manifests)
        .into_iter()
        .partition(|manifest| is_versioned(&manifest.object));
    let originals = versioned
        .iter()
        .filter(|manifest| manifest.object.annotation(KEEP_ORIGINAL).is_some());
    rest.extend(originals.cloned());
    *manifests = rest;
    versioned
}

/// The live versions of an object, the newest last.
#[must_use]
pub fn versions<'a>(
    base: &ObjectRef,
    live: &'a HashMap<ObjectRef, Object>,
) -> Vec<(u64, &'a Object)> {
    let mut found: Vec<(u64, &Object)> = live
        .iter()
        .filter(|(_, object)| is_versioned(object))
        .filter_map(|(target, object)| {
            let (name, version) = base_name(&target.name)?;
            let same = (&target.group, &target.kind, &target.namespace, name)
                == (&base.group, &base.kind, &base.namespace, &base.name);
            same.then_some((version, object))
        })
        .collect();
    found.sort_by_key(|(version, _)| *version);
    found
}

/// The live versions that stay beside those that are used: the newest of each object of the input. kapp counts the used
/// one, too, when it is not new, and so deletes one more in a second deploy.
#[must_use]
pub fn kept(
    versioned: &[Manifest],
    live: &HashMap<ObjectRef, Object>,
    used: &HashSet<ObjectRef>,
) -> BTreeSet<ObjectRef> {
    let newest = |manifest: &Manifest| {
        let number = manifest.object.annotation(NUM_VERSIONS);
        let number = number.and_then(|text| text.trim().parse().ok());
        let versions = versions(&manifest.object.reference(), live);
        let newest = versions.into_iter().rev();
        newest
            .map(|(_, object)| object.reference())
            .filter(|target| !used.contains(target))
            .take(number.unwrap_or(KEPT_BY_DEFAULT))
            .collect::<Vec<_>>()
    };
    versioned.iter().flat_map(newest).collect()
}

/// The indexes of those objects that name none of the others; all of them when they name each other
/// in a circle.
#[must_use]
pub fn ready(pending: &[Manifest], rules: &[Template]) -> Vec<usize> {
    let names_none = |index: &usize| {
        let object = &pending[*index].object;
        let others = pending.iter().enumerate().filter(|(i, _)| i != index);
        !others
            .map(|(_, other)| &other.object)
            .any(|other| !named_at(object, other, rules).is_empty())
    };
    let all = 0..pending.len();
    let ready: Vec<usize> = all.clone().filter(names_none).collect();
    if ready.is_empty() {
        all.collect()
    } else {
        ready
    }
}

/// Puts the names of versions wherever an object names them.
pub fn rewrite(object: &mut Object, versioned: &[Versioned], rules: &[Template]) {
    for version in versioned {
        for place in named_at(object, &version.object, rules) {
            if let Some(value) = at_mut(object.tree_mut(), &place) {
                *value = Value::from(version.name.as_str());
            }
        }
        for (key, mut reference) in mark::explicit_references(object) {
            if is_meant(&reference, "name", object, &version.object) {
                reference["name"] = Value::from(version.name.as_str());
                object.set_metadata("annotations", &key, &yaml_of(&reference));
            }
        }
    }
}

/// The places of the names by which an object names another.
fn named_at(object: &Object, named: &Object, rules: &[Template]) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for (path, key) in template::slots(object, named, rules) {
        for mut place in path.places(object.tree()) {
            let reference = super::at(object.tree(), &place);
            if reference.is_some_and(|reference| is_meant(reference, &key, object, named)) {
                place.push(Part::Key(key.clone()));
                places.push(place);
            }
        }
    }
    places
}

/// Whether a reference means an object: whatever it says must be so. Without a namespace it means an
/// object of its own namespace.
fn is_meant(reference: &Value, key: &str, object: &Object, named: &Object) -> bool {
    let text = |key: &str| {
        let text = reference.get(key).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
    };
    let is = |said: Option<&str>, found: &str| said.is_none_or(|said| said == found);
    let namespace = text("namespace").or(object.namespace());
    text(key) == Some(named.name())
        && is(text("kind"), named.kind())
        && is(text("apiVersion"), named.api_version())
        && is(namespace, named.namespace().unwrap_or_default())
}

/// A reference as kapp writes it into an annotation: the keys in order of their names.
fn yaml_of(reference: &Value) -> String {
    let fields: BTreeMap<&String, &Value> = reference.as_object().into_iter().flatten().collect();
    let line = |(key, value): (&String, &Value)| match value.as_str() {
        Some(text) if is_plain(text) => format!("{key}: {text}\n"),
        _ => format!("{key}: {value}\n"),
    };
    fields.into_iter().map(line).collect()
}

/// Whether a text needs no quotes in YAML: it begins with a letter and is no word of YAML's own.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "true", "false"];
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-./".contains(c))
        && text != "null"
        && !WORDS.contains(&text.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kapp::mark::EXPLICIT_REFERENCE;
    use crate::object::Source;
    use serde_json::json;

    fn object(tree: Value) -> Object {
        Object::new(tree).unwrap()
    }

    fn manifest(tree: Value) -> Manifest {
        let source = Source {
            file: "t.yaml".to_owned(),
            line: 1,
        };
        Manifest {
            object: object(tree),
            source,
        }
    }

    fn named(kind: &str, name: &str, annotations: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "x", "annotations": annotations}})
    }

    fn live(names: &[&str]) -> HashMap<ObjectRef, Object> {
        let objects = names
            .iter()
            .map(|name| object(named("ConfigMap", name, &json!({VERSIONED: ""}))));
        objects.map(|object| (object.reference(), object)).collect()
    }

    fn version(kind: &str, name: &str) -> Versioned {
        Versioned {
            object: object(named(kind, name, &json!({VERSIONED: ""}))),
            name: version_name(name, 2),
        }
    }

    #[test]
    fn versions_are_counted_as_numbers() {
        let live = live(&["a-ver-2", "a-ver-10", "a-ver-x", "a", "a-ver-b-ver-1"]);
        let base = object(named("ConfigMap", "a", &json!({}))).reference();
        let numbers: Vec<u64> = versions(&base, &live).iter().map(|(n, _)| *n).collect();
        assert_eq!(numbers, [2, 10]);
        assert_eq!(base_name("a-ver-b-ver-1"), Some(("a-ver-b", 1)));
    }

    #[test]
    fn the_newest_versions_stay() {
        let live = live(&["a-ver-1", "a-ver-2", "a-ver-3", "b-ver-1"]);
        let input = [manifest(named(
            "ConfigMap",
            "a",
            &json!({VERSIONED: "", NUM_VERSIONS: "2"}),
        ))];
        let used = |name: &str| {
            let used = live.keys().filter(|target| target.name == name);
            let kept = kept(&input, &live, &used.cloned().collect());
            kept.into_iter().map(|k| k.name).collect::<Vec<_>>()
        };
        assert_eq!(used("a-ver-4"), ["a-ver-2", "a-ver-3"]);
        assert_eq!(used("a-ver-3"), ["a-ver-1", "a-ver-2"]);
    }

    #[test]
    fn originals_stay_beside_their_versions() {
        let mut manifests = vec![
            manifest(named("ConfigMap", "plain", &json!({}))),
            manifest(named("ConfigMap", "a", &json!({VERSIONED: ""}))),
            manifest(named(
                "ConfigMap",
                "b",
                &json!({VERSIONED: "", KEEP_ORIGINAL: ""}),
            )),
        ];
        let versioned = take_versioned(&mut manifests);
        assert_eq!((versioned.len(), manifests.len()), (2, 2));
        assert_eq!(manifests[1].object.name(), "b");
    }

    #[test]
    fn names_are_put_where_objects_name_them() {
        let mut web = object(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "x"},
            "spec": {"template": {"spec": {
                "imagePullSecrets": [{"name": "pull"}],
                "volumes": [{"configMap": {"name": "a"}}, {"secret": {"secretName": "a"}},
                    {"projected": {"sources": [{"secret": {"name": "pull"}}]}}],
                "containers": [{"envFrom": [{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "other"}}],
                    "env": [{"valueFrom": {"configMapKeyRef": {"name": "a", "key": "a"}}}]}],
                "ephemeralContainers": [{"envFrom": [{"secretRef": {"name": "pull"}}]}]}}}}));
        rewrite(
            &mut web,
            &[version("ConfigMap", "a"), version("Secret", "pull")],
            &[],
        );
        insta::assert_snapshot!(web.tree()["spec"]["template"]["spec"], @r#"{"containers":[{"env":[{"valueFrom":{"configMapKeyRef":{"key":"a","name":"a-ver-2"}}}],"envFrom":[{"configMapRef":{"name":"a-ver-2"}},{"secretRef":{"name":"other"}}]}],"ephemeralContainers":[{"envFrom":[{"secretRef":{"name":"pull-ver-2"}}]}],"imagePullSecrets":[{"name":"pull-ver-2"}],"volumes":[{"configMap":{"name":"a-ver-2"}},{"secret":{"secretName":"a"}},{"projected":{"sources":[{"secret":{"name":"pull-ver-2"}}]}}]}"#);
    }

    #[test]
    fn an_ingress_and_rules_of_the_user_name_versions_too() {
        let mut ingress = object(
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": "web", "namespace": "x"}, "spec": {"tls": [{"secretName": "cert"}]}}),
        );
        rewrite(&mut ingress, &[version("Secret", "cert")], &[]);
        assert_eq!(ingress.tree()["spec"]["tls"][0]["secretName"], "cert-ver-2");
        let rules = crate::kapp::read(
            b"apiVersion: kapp.k14s.io/v1alpha1\nkind: Config\ntemplateRules:\n- resourceMatchers: [{apiVersionKindMatcher: {apiVersion: v1, kind: ConfigMap}}]\n  affectedResources: {objectReferences: [{path: [spec, config], nameKey: map, resourceMatchers: [{customResourceMatcher: {}}]}]}\n",
            &manifest(json!({})).source,
        );
        let mut custom = object(json!({"apiVersion": "x.io/v1", "kind": "Db",
            "metadata": {"name": "db", "namespace": "x"}, "spec": {"config": {"map": "a"}}}));
        rewrite(
            &mut custom,
            &[version("ConfigMap", "a")],
            &rules.unwrap().template,
        );
        assert_eq!(custom.tree()["spec"]["config"]["map"], "a-ver-2");
    }

    #[test]
    fn other_namespaces_and_kinds_are_not_meant() {
        let account = |namespace: &str| {
            let mut account = object(json!({"apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {"name": "sa", "namespace": namespace}, "secrets": [{"name": "pull"}]}));
            rewrite(&mut account, &[version("Secret", "pull")], &[]);
            account.tree()["secrets"][0]["name"].clone()
        };
        assert_eq!(
            (account("x"), account("y")),
            (json!("pull-ver-2"), json!("pull"))
        );
    }

    #[test]
    fn explicit_references_are_rewritten_in_the_annotation() {
        let reference = "name: a\nkind: ConfigMap\napiVersion: v1\nnamespace: \"12\"\n";
        let mut web = object(named(
            "Service",
            "web",
            &json!({format!("{EXPLICIT_REFERENCE}.one"): reference,
                EXPLICIT_REFERENCE: "{apiVersion: v1, kind: ConfigMap, name: a}"}),
        ));
        let mut elsewhere = version("ConfigMap", "a");
        elsewhere.object.set_namespace("12");
        rewrite(&mut web, &[elsewhere, version("ConfigMap", "a")], &[]);
        insta::assert_snapshot!(web.annotation(EXPLICIT_REFERENCE).unwrap(), @r#"
        apiVersion: v1
        kind: ConfigMap
        name: a-ver-2
        "#);
        let one = web.annotation("kapp.k14s.io/versioned-explicit-ref.one");
        insta::assert_snapshot!(one.unwrap(), @r#"
        apiVersion: v1
        kind: ConfigMap
        name: a-ver-2
        namespace: "12"
        "#);
    }

    #[test]
    fn versions_that_name_versions_come_after_them() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "p", "namespace": "x", "annotations": {VERSIONED: ""}},
            "spec": {"volumes": [{"configMap": {"name": "a"}}]}});
        let pending = [
            manifest(pod),
            manifest(named("ConfigMap", "a", &json!({VERSIONED: ""}))),
        ];
        assert_eq!(ready(&pending, &[]), [1]);
    }
}
