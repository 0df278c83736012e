//! Lists whose items are told apart by keys, as server-side apply merges them
//! (`x-kubernetes-list-map-keys` of the published OpenAPI schema of Kubernetes 1.36).

use super::{Object, pod};
use serde_json::Value;

/// A list with keys, as a field of some map.
pub(crate) struct KeyedList {
    /// The field.
    pub(crate) field: &'static str,
    /// The keys, each with the value the server fills in where an item lacks it.
    pub(crate) keys: &'static [(&'static str, Option<&'static str>)],
}

const fn list(
    field: &'static str,
    keys: &'static [(&'static str, Option<&'static str>)],
) -> KeyedList {
    KeyedList { field, keys }
}

const NAME: &[(&str, Option<&str>)] = &[("name", None)];

/// The keyed lists of a pod spec.
const POD: &[KeyedList] = &[
    list("volumes", NAME),
    list("imagePullSecrets", NAME),
    list("hostAliases", &[("ip", None)]),
    list(
        "topologySpreadConstraints",
        &[("topologyKey", None), ("whenUnsatisfiable", None)],
    ),
    list("resourceClaims", NAME),
    list("schedulingGates", NAME),
    list("initContainers", NAME),
    list("containers", NAME),
    list("ephemeralContainers", NAME),
];

/// The keyed lists of a container.
const CONTAINER: &[KeyedList] = &[
    list("env", NAME),
    list(
        "ports",
        &[("containerPort", None), ("protocol", Some("TCP"))],
    ),
    list("volumeMounts", &[("mountPath", None)]),
    list("volumeDevices", &[("devicePath", None)]),
];

/// Calls `visit` for each keyed list of an object with its path for people.
pub(crate) fn each_list(
    object: &mut Object,
    visit: &mut dyn FnMut(&str, &KeyedList, &mut Vec<Value>),
) {
    let (group, kind) = (object.group().to_owned(), object.kind().to_owned());
    if let Some(path) = pod::pod_spec_path(&group, &kind) {
        let shown = path.join(".");
        if let Some(spec) = descend(object.tree_mut(), path) {
            in_pod(&shown, spec, visit);
        }
    }
    let (path, lists): (&[&str], &[KeyedList]) = match (group.as_str(), kind.as_str()) {
        ("", "Service") => (
            &["spec"],
            const { &[list("ports", &[("port", None), ("protocol", Some("TCP"))])] },
        ),
        ("", "ServiceAccount") => (&[], const { &[list("secrets", NAME)] }),
        (
            "admissionregistration.k8s.io",
            "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration",
        ) => (&[], const { &[list("webhooks", NAME)] }),
        _ => return,
    };
    if let Some(owner) = descend(object.tree_mut(), path) {
        each_field(&path.join("."), owner, lists, visit);
    }
}

fn in_pod(path: &str, spec: &mut Value, visit: &mut dyn FnMut(&str, &KeyedList, &mut Vec<Value>)) {
    each_field(path, spec, POD, visit);
    for field in ["initContainers", "containers", "ephemeralContainers"] {
        let Some(items) = spec.get_mut(field).and_then(Value::as_array_mut) else {
            continue;
        };
        for item in items {
            let name = item.get("name").and_then(Value::as_str).unwrap_or("?");
            let path = format!("{path}.{field}[name={name}]");
            each_field(&path, item, CONTAINER, visit);
        }
    }
}

fn each_field(
    path: &str,
    owner: &mut Value,
    lists: &[KeyedList],
    visit: &mut dyn FnMut(&str, &KeyedList, &mut Vec<Value>),
) {
    for list in lists {
        if let Some(items) = owner.get_mut(list.field).and_then(Value::as_array_mut) {
            let dot = if path.is_empty() { "" } else { "." };
            visit(&format!("{path}{dot}{}", list.field), list, items);
        }
    }
}

fn descend<'a>(tree: &'a mut Value, path: &[&str]) -> Option<&'a mut Value> {
    path.iter().try_fold(tree, |node, key| node.get_mut(key))
}

/// The key of an item for people, `containerPort=80,protocol=TCP`; `None` for an item without it.
pub(crate) fn item_key(list: &KeyedList, item: &Value) -> Option<String> {
    let mut parts = Vec::with_capacity(list.keys.len());
    for (key, default) in list.keys {
        let value = match item.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
            Some(_) => return None,
            None => (*default)?.to_owned(),
        };
        parts.push(format!("{key}={value}"));
    }
    Some(parts.join(","))
}
