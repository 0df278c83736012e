//! Where objects name ConfigMaps and Secrets, so that the name of their newest version can be put
//! there. The places are those of kapp's `config/default.go` (templateRules); beyond them: ephemeral
//! containers, every kind with pods, environments of Pods and the certificates of an Ingress.

use super::path::Path;
use super::{Template, matches_any};
use crate::object::{Object, pod};

/// A place that names an object: the path of the map, and the key of the name in it.
pub(super) type Slot = (Path, String);

/// The places in which `object` may name `named`: the default ones, and those of the user's rules.
pub(super) fn slots(object: &Object, named: &Object, user: &[Template]) -> Vec<Slot> {
    let rules = user.iter().filter(|rule| matches_any(&rule.of, named));
    let places = rules
        .flat_map(|rule| &rule.references)
        .filter(|place| matches_any(&place.of, object));
    let mut slots: Vec<Slot> = places
        .map(|place| (place.path.clone(), place.name_key.clone()))
        .collect();
    if named.api_version() == "v1" && ["ConfigMap", "Secret"].contains(&named.kind()) {
        slots.extend(by_default(object, named.kind() == "Secret"));
    }
    slots
}

fn by_default(object: &Object, secret: bool) -> Vec<Slot> {
    let group = object.group();
    let mut slots = Vec::new();
    if let Some(root) = pod::pod_spec_path(group, object.kind()) {
        let in_pod = if secret { POD_SECRETS } else { POD_CONFIG_MAPS };
        slots.extend(in_pod.iter().map(|text| slot(root, text)));
    }
    let table = if secret { SECRETS } else { CONFIG_MAPS };
    let of_kind = table
        .iter()
        .filter(|(wanted, kind, _)| *wanted == group && *kind == object.kind());
    slots.extend(of_kind.flat_map(|(_, _, places)| places.iter().map(|text| slot(&[], text))));
    slots
}

/// `a.*.b` is the map, its key `name`; after a colon another key of the name.
fn slot(root: &[&str], text: &str) -> Slot {
    let (path, key) = text.split_once(':').unwrap_or((text, "name"));
    let keys: Vec<&str> = root.iter().copied().chain(path.split('.')).collect();
    (Path::of(&keys), key.to_owned())
}

const POD_CONFIG_MAPS: &[&str] = &[
    "containers.*.env.*.valueFrom.configMapKeyRef",
    "containers.*.envFrom.*.configMapRef",
    "initContainers.*.env.*.valueFrom.configMapKeyRef",
    "initContainers.*.envFrom.*.configMapRef",
    "ephemeralContainers.*.env.*.valueFrom.configMapKeyRef",
    "ephemeralContainers.*.envFrom.*.configMapRef",
    "volumes.*.configMap",
    "volumes.*.projected.sources.*.configMap",
];

const POD_SECRETS: &[&str] = &[
    "containers.*.env.*.valueFrom.secretKeyRef",
    "containers.*.envFrom.*.secretRef",
    "initContainers.*.env.*.valueFrom.secretKeyRef",
    "initContainers.*.envFrom.*.secretRef",
    "ephemeralContainers.*.env.*.valueFrom.secretKeyRef",
    "ephemeralContainers.*.envFrom.*.secretRef",
    "imagePullSecrets.*",
    "volumes.*.secret:secretName",
    "volumes.*.projected.sources.*.secret",
];

type Table = &'static [(&'static str, &'static str, &'static [&'static str])];

const CONFIG_MAPS: Table = &[
    (
        "kappctrl.k14s.io",
        "App",
        &[
            "spec.fetch.*.inline.pathsFrom.*.configMapRef",
            "spec.template.*.ytt.inline.pathsFrom.*.configMapRef",
            "spec.template.*.ytt.valuesFrom.*.configMapRef",
            "spec.template.*.helmTemplate.valuesFrom.*.configMapRef",
            "spec.template.*.cue.valuesFrom.*.configMapRef",
        ],
    ),
    (
        "packaging.carvel.dev",
        "PackageRepository",
        &["spec.fetch.inline.pathsFrom.*.configMapRef"],
    ),
];

const SECRETS: Table = &[
    ("", "ServiceAccount", &["imagePullSecrets.*", "secrets.*"]),
    ("networking.k8s.io", "Ingress", &["spec.tls.*:secretName"]),
    (
        "kappctrl.k14s.io",
        "App",
        &[
            "spec.cluster.kubeconfigSecretRef",
            "spec.fetch.*.inline.pathsFrom.*.secretRef",
            "spec.fetch.*.imgpkgBundle.secretRef",
            "spec.fetch.*.http.secretRef",
            "spec.fetch.*.git.secretRef",
            "spec.fetch.*.helmChart.repository.secretRef",
            "spec.template.*.ytt.inline.pathsFrom.*.secretRef",
            "spec.template.*.ytt.valuesFrom.*.secretRef",
            "spec.template.*.helmTemplate.valuesFrom.*.secretRef",
            "spec.template.*.cue.valuesFrom.*.secretRef",
            "spec.template.*.sops.pgp.privateKeySecretRef",
        ],
    ),
    (
        "packaging.carvel.dev",
        "PackageInstall",
        &[
            "spec.values.*.secretRef",
            "spec.cluster.kubeconfigSecretRef",
        ],
    ),
    (
        "packaging.carvel.dev",
        "PackageRepository",
        &["spec.fetch.inline.pathsFrom.*.secretRef"],
    ),
];
