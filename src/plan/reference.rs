//! What an object speaks of: the objects that must be there before it is of use.

use super::Error;
use super::rule::annotation_error;
use crate::object::{Object, ObjectRef, Source, pod};
use serde_json::Value;

/// An object that another speaks of, and where.
pub(super) type Reference = (ObjectRef, String);

/// All objects that an object speaks of, by the field that names them.
pub(super) fn references(object: &Object) -> Vec<Reference> {
    let mut found = Found {
        namespace: object.namespace().unwrap_or_default(),
        list: Vec::new(),
    };
    if let Some(spec) = pod::pod_spec(object) {
        found.pod(spec);
    }
    match (object.group(), object.kind()) {
        ("apps", "StatefulSet") => {
            found.local(
                "",
                "Service",
                object.get(&["spec", "serviceName"]),
                "spec.serviceName",
            );
        }
        ("", "ServiceAccount") => {
            for field in ["secrets", "imagePullSecrets"] {
                for secret in object.list(&[field]) {
                    found.local("", "Secret", secret.get("name"), field);
                }
            }
        }
        ("", "PersistentVolumeClaim") => {
            let class = object.get(&["spec", "storageClassName"]);
            found.cluster(
                "storage.k8s.io",
                "StorageClass",
                class,
                "spec.storageClassName",
            );
            let volume = object.get(&["spec", "volumeName"]);
            found.cluster("", "PersistentVolume", volume, "spec.volumeName");
        }
        ("", "PersistentVolume") => {
            let class = object.get(&["spec", "storageClassName"]);
            found.cluster(
                "storage.k8s.io",
                "StorageClass",
                class,
                "spec.storageClassName",
            );
        }
        ("networking.k8s.io", "Ingress") => {
            let class = object.get(&["spec", "ingressClassName"]);
            found.cluster(
                "networking.k8s.io",
                "IngressClass",
                class,
                "spec.ingressClassName",
            );
            for tls in object.list(&["spec", "tls"]) {
                found.local("", "Secret", tls.get("secretName"), "spec.tls");
            }
        }
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            found.binding(object);
        }
        _ => {}
    }
    found.list
}

/// The services that the server asks on account of an object: webhooks and aggregated APIs.
pub(super) fn services(object: &Object) -> Vec<Reference> {
    let service = |service: &Value, field: &str| {
        let text = |key: &str| service.get(key).and_then(Value::as_str).map(str::to_owned);
        let target = reference("", "Service", text("namespace").as_deref(), &text("name")?);
        Some((target, field.to_owned()))
    };
    match object.kind() {
        "APIService" => object
            .get(&["spec", "service"])
            .and_then(|s| service(s, "spec.service"))
            .into_iter()
            .collect(),
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => object
            .list(&["webhooks"])
            .iter()
            .filter_map(|webhook| webhook.get("clientConfig")?.get("service"))
            .filter_map(|found| service(found, "webhooks.clientConfig.service"))
            .collect(),
        _ => Vec::new(),
    }
}

/// The API groups that the webhooks of an object are about by name.
pub(super) fn webhook_groups(object: &Object) -> Vec<String> {
    let mut groups: Vec<String> = object
        .list(&["webhooks"])
        .iter()
        .filter_map(|webhook| webhook.get("rules").and_then(Value::as_array))
        .flatten()
        .filter_map(|rule| rule.get("apiGroups").and_then(Value::as_array))
        .flatten()
        .filter_map(Value::as_str)
        .filter(|group| *group != "*")
        .map(str::to_owned)
        .collect();
    groups.sort();
    groups.dedup();
    groups
}

/// The labels of the pods of a workload.
pub(super) fn pod_labels(object: &Object) -> Option<&Value> {
    let path = pod::pod_spec_path(object.group(), object.kind())?;
    let parent = &path[..path.len() - 1];
    object.get(parent)?.get("metadata")?.get("labels")
}

/// The objects named by `config.kubernetes.io/depends-on`.
///
/// # Errors
///
/// Fails with an entry that has neither of the forms `group/Kind/name` and
/// `group/namespaces/namespace/Kind/name` (the core group is empty), which are those of
/// sigs.k8s.io/cli-utils.
pub(super) fn depends_on(
    object: &Object,
    source: Option<&Source>,
) -> Result<Vec<ObjectRef>, Error> {
    const KEY: &str = "config.kubernetes.io/depends-on";
    let Some(text) = object.annotation(KEY) else {
        return Ok(Vec::new());
    };
    text.split(',')
        .map(str::trim)
        .map(|entry| match entry.split('/').collect::<Vec<_>>()[..] {
            [group, kind, name] if !kind.is_empty() && !name.is_empty() => {
                Ok(reference(group, kind, None, name))
            }
            [group, "namespaces", namespace, kind, name]
                if ![namespace, kind, name].contains(&"") =>
            {
                Ok(reference(group, kind, Some(namespace), name))
            }
            _ => {
                let message = "an entry has the form `group/Kind/name` or `group/namespaces/namespace/Kind/name`";
                Err(annotation_error(object, source, KEY, text, message))
            }
        })
        .collect()
}

fn reference(group: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectRef {
    ObjectRef {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    }
}

struct Found<'a> {
    namespace: &'a str,
    list: Vec<Reference>,
}

impl Found<'_> {
    fn local(&mut self, group: &str, kind: &str, name: Option<&Value>, field: &str) {
        if let Some(name) = name.and_then(Value::as_str).filter(|name| !name.is_empty()) {
            let target = reference(group, kind, Some(self.namespace), name);
            self.list.push((target, field.to_owned()));
        }
    }

    fn cluster(&mut self, group: &str, kind: &str, name: Option<&Value>, field: &str) {
        if let Some(name) = name.and_then(Value::as_str).filter(|name| !name.is_empty()) {
            self.list
                .push((reference(group, kind, None, name), field.to_owned()));
        }
    }

    fn pod(&mut self, spec: &Value) {
        self.local(
            "",
            "ServiceAccount",
            spec.get("serviceAccountName"),
            "serviceAccountName",
        );
        let (priority, runtime) = (spec.get("priorityClassName"), spec.get("runtimeClassName"));
        self.cluster(
            "scheduling.k8s.io",
            "PriorityClass",
            priority,
            "priorityClassName",
        );
        self.cluster("node.k8s.io", "RuntimeClass", runtime, "runtimeClassName");
        for secret in items(spec, "imagePullSecrets") {
            self.local("", "Secret", secret.get("name"), "imagePullSecrets");
        }
        for volume in items(spec, "volumes") {
            self.volume(volume);
            for source in volume
                .get("projected")
                .map(|p| items(p, "sources"))
                .into_iter()
                .flatten()
            {
                self.at("ConfigMap", source, &["configMap", "name"], "volumes");
                self.at("Secret", source, &["secret", "name"], "volumes");
            }
        }
        for container in pod::containers(spec) {
            for source in items(container, "envFrom") {
                self.at("ConfigMap", source, &["configMapRef", "name"], "envFrom");
                self.at("Secret", source, &["secretRef", "name"], "envFrom");
            }
            for variable in items(container, "env") {
                self.at(
                    "ConfigMap",
                    variable,
                    &["valueFrom", "configMapKeyRef", "name"],
                    "env",
                );
                self.at(
                    "Secret",
                    variable,
                    &["valueFrom", "secretKeyRef", "name"],
                    "env",
                );
            }
        }
    }

    fn volume(&mut self, volume: &Value) {
        self.at("ConfigMap", volume, &["configMap", "name"], "volumes");
        self.at("Secret", volume, &["secret", "secretName"], "volumes");
        self.at(
            "PersistentVolumeClaim",
            volume,
            &["persistentVolumeClaim", "claimName"],
            "volumes",
        );
    }

    fn at(&mut self, kind: &str, value: &Value, path: &[&str], field: &str) {
        let name = path.iter().try_fold(value, |node, key| node.get(key));
        self.local("", kind, name, field);
    }

    fn binding(&mut self, object: &Object) {
        let rbac = "rbac.authorization.k8s.io";
        let name = object.get(&["roleRef", "name"]);
        match object.text(&["roleRef", "kind"]) {
            "ClusterRole" => self.cluster(rbac, "ClusterRole", name, "roleRef"),
            "Role" => self.local(rbac, "Role", name, "roleRef"),
            _ => {}
        }
        for subject in object.list(&["subjects"]) {
            let text = |key: &str| subject.get(key).and_then(Value::as_str);
            if let (Some("ServiceAccount"), Some(name)) = (text("kind"), text("name")) {
                let namespace = text("namespace").unwrap_or(self.namespace);
                let target = reference("", "ServiceAccount", Some(namespace), name);
                self.list.push((target, "subjects".to_owned()));
            }
        }
    }
}

fn items<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(field)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}
