//! What about a change deserves a second look: labels for the eye and for policy gates.

use super::{Change, FieldChange, Op};
use crate::object::{Object, ObjectRef};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// What a change touches that matters beyond the object itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Concern {
    /// Data may be lost: a volume, a StatefulSet, a Namespace or a definition of a kind goes, or a
    /// version of such a kind.
    DataAtRisk,
    /// The object is deleted and created again; not said of hooks, whose way to run again that is.
    Replace,
    /// Somebody gets a right they did not have.
    RbacWidened,
    /// What can be reached from outside changes.
    Exposure,
    /// Another image.
    Image,
    /// Another number of pods.
    Replicas,
    /// Other requests or limits.
    Resources,
    /// Running pods are replaced by new ones.
    PodsRestart,
}

impl Concern {
    /// The words for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::DataAtRisk => "data at risk",
            Self::Replace => "replace",
            Self::RbacWidened => "RBAC widened",
            Self::Exposure => "exposure",
            Self::Image => "image",
            Self::Replicas => "replicas",
            Self::Resources => "resources",
            Self::PodsRestart => "pods restart",
        }
    }

    /// Whether it can hurt, so that it must not be overlooked.
    #[must_use]
    pub const fn is_grave(self) -> bool {
        matches!(
            self,
            Self::DataAtRisk | Self::Replace | Self::RbacWidened | Self::Exposure
        )
    }
}

/// Whether a change has a concern.
type Test = fn(&Change) -> bool;

/// The concerns of a change, the gravest first. A change that does nothing has none.
#[must_use]
pub fn concerns(change: &Change) -> BTreeSet<Concern> {
    let tests: [(Concern, Test); 8] = [
        (Concern::DataAtRisk, risks_data),
        (Concern::Replace, |change| {
            change.op == Op::Replace && !change.is_rerun()
        }),
        (Concern::RbacWidened, widens_rbac),
        (Concern::Exposure, exposes),
        (Concern::Image, |change| touches(change, &is_image)),
        (Concern::Replicas, |change| touches(change, &is_replicas)),
        (Concern::Resources, |change| touches(change, &is_resources)),
        (Concern::PodsRestart, restarts_pods),
    ];
    if matches!(change.op, Op::Noop | Op::Exists | Op::Keep) {
        return BTreeSet::new();
    }
    let applies = tests.into_iter().filter(|(_, test)| test(change));
    applies.map(|(concern, _)| concern).collect()
}

/// Group and kind, as a name to match: `Deployment.apps`, `Service`.
fn kind(target: &ObjectRef) -> String {
    match target.group.as_str() {
        "" => target.kind.clone(),
        group => format!("{}.{group}", target.kind),
    }
}

fn touches(change: &Change, test: &dyn Fn(&FieldChange) -> bool) -> bool {
    change.fields.iter().any(test)
}

fn is_image(field: &FieldChange) -> bool {
    field.path.ends_with(".image")
        || [&field.before, &field.after]
            .into_iter()
            .flatten()
            .any(|value| {
                // A container that comes or goes.
                value.get("image").is_some_and(Value::is_string)
            })
}

fn is_replicas(field: &FieldChange) -> bool {
    ["spec.replicas", "spec.minReplicas", "spec.maxReplicas"].contains(&field.path.as_str())
}

fn is_resources(field: &FieldChange) -> bool {
    field.path.ends_with(".resources") || field.path.contains(".resources.")
}

/// Whether running pods are replaced: their template changes and nothing waits for a hand to do it.
fn restarts_pods(change: &Change) -> bool {
    let target = &change.target;
    let restarting = match kind(target).as_str() {
        "Deployment.apps" | "StatefulSet.apps" | "DaemonSet.apps" => "spec.template",
        "Pod" if change.op == Op::Replace => return !change.is_rerun(),
        _ => return false,
    };
    let strategy = |object: &Object| object.text(&["spec", "updateStrategy", "type"]).to_owned();
    let by_hand = change.desired.as_ref().map(strategy).as_deref() == Some("OnDelete");
    match change.op {
        Op::Replace => true,
        Op::Update => !by_hand && touches(change, &|field| below(&field.path, restarting)),
        _ => false,
    }
}

/// Whether a path is at or below another.
fn below(path: &str, above: &str) -> bool {
    path.strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn risks_data(change: &Change) -> bool {
    let kind = kind(&change.target);
    let holds_data = [
        "CustomResourceDefinition.apiextensions.k8s.io",
        "Namespace",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "StatefulSet.apps",
    ]
    .contains(&kind.as_str());
    match change.op {
        Op::Delete | Op::Replace => holds_data,
        // A version that is no longer served takes the way to the objects of that version with it.
        Op::Update if kind.starts_with("CustomResourceDefinition.") => {
            let served = |tree: &Option<Value>| -> BTreeSet<String> {
                let versions = tree.as_ref().map(|tree| &tree["spec"]["versions"]);
                let versions = versions.and_then(Value::as_array).into_iter().flatten();
                let served = versions.filter(|version| version["served"] == true);
                served
                    .filter_map(|version| Some(version["name"].as_str()?.to_owned()))
                    .collect()
            };
            !served(&change.before).is_subset(&served(&change.after))
        }
        _ => false,
    }
}

/// Whether what can be reached from outside changes.
fn exposes(change: &Change) -> bool {
    let field = |paths: &'static [&'static str]| {
        touches(change, &|field| {
            paths.iter().any(|path| below(&field.path, path))
        })
    };
    match kind(&change.target).as_str() {
        "Service" => exposes_service(change),
        "Ingress.networking.k8s.io" | "Ingress.extensions" => {
            change.op != Op::Update || field(&["spec.rules", "spec.tls", "spec.defaultBackend"])
        }
        "Route.route.openshift.io" => {
            change.op != Op::Update || field(&["spec.host", "spec.path", "spec.tls", "spec.to"])
        }
        // Who may come in is decided by the policy that is there, and by none when it goes.
        "NetworkPolicy.networking.k8s.io" => {
            matches!(change.op, Op::Update | Op::Delete)
                && (change.op == Op::Delete || field(&["spec"]))
        }
        kind if kind.ends_with(".gateway.networking.k8s.io") => {
            let wide = kind.starts_with("Gateway.") || kind.contains("Route.");
            wide && (change.op != Op::Update
                || field(&[
                    "spec.listeners",
                    "spec.addresses",
                    "spec.hostnames",
                    "spec.parentRefs",
                    "spec.rules",
                ]))
        }
        _ => false,
    }
}

fn exposes_service(change: &Change) -> bool {
    const WIDE: [&str; 2] = ["NodePort", "LoadBalancer"];
    let is_wide = |tree: &Option<Value>| {
        let spec = tree.as_ref().map(|tree| &tree["spec"]);
        spec.is_some_and(|spec| {
            let addresses = spec["externalIPs"]
                .as_array()
                .is_some_and(|list| !list.is_empty());
            addresses
                || spec["type"]
                    .as_str()
                    .is_some_and(|kind| WIDE.contains(&kind))
        })
    };
    let (before, after) = (is_wide(&change.before), is_wide(&change.after));
    let touched = [
        "spec.ports",
        "spec.loadBalancerSourceRanges",
        "spec.externalIPs",
        "spec.selector",
    ];
    before != after
        || after
            && touches(change, &|field| {
                touched.iter().any(|path| below(&field.path, path))
            })
}

/// Whether somebody gets a right they did not have.
fn widens_rbac(change: &Change) -> bool {
    if change.op == Op::Delete {
        return false;
    }
    let none = Value::Null;
    let before = change.before.as_ref().unwrap_or(&none);
    let after = change.after.as_ref().unwrap_or(&none);
    let list = |tree: &'_ Value, key: &str| tree[key].as_array().cloned().unwrap_or_default();
    match kind(&change.target).as_str() {
        "Role.rbac.authorization.k8s.io" | "ClusterRole.rbac.authorization.k8s.io" => {
            let old = list(before, "rules");
            let new = list(after, "rules");
            new.iter().any(|rule| !is_granted(rule, &old))
                || (after["aggregationRule"] != before["aggregationRule"]
                    && !after["aggregationRule"].is_null())
        }
        "RoleBinding.rbac.authorization.k8s.io"
        | "ClusterRoleBinding.rbac.authorization.k8s.io" => {
            let old = list(before, "subjects");
            let moved = before["roleRef"] != after["roleRef"];
            let subjects = list(after, "subjects");
            subjects
                .iter()
                .any(|subject| moved || !old.contains(subject))
        }
        _ => false,
    }
}

/// Whether each right of a rule is one of the old rules, every combination by itself.
fn is_granted(rule: &Value, old: &[Value]) -> bool {
    let each = |key: &str| -> Vec<String> {
        let items = rule[key].as_array().into_iter().flatten();
        items
            .filter_map(|item| Some(item.as_str()?.to_owned()))
            .collect()
    };
    let has = |rule: &Value, key: &str, wanted: &str| {
        let items = rule[key].as_array().into_iter().flatten();
        items.filter_map(Value::as_str).any(|item| {
            item == "*" || item == wanted || {
                // `*/scale` is any resource's, `/healthz/*` any path below.
                let (front, back) = (item.strip_suffix('*'), item.strip_prefix('*'));
                (key == "nonResourceURLs" && front.is_some_and(|head| wanted.starts_with(head)))
                    || (key == "resources"
                        && back.is_some_and(|tail| tail.starts_with('/') && wanted.ends_with(tail)))
            }
        })
    };
    // No names are all names.
    let names = |rule: &Value| {
        rule["resourceNames"]
            .as_array()
            .is_some_and(|list| !list.is_empty())
    };
    let named = if names(rule) {
        each("resourceNames")
    } else {
        vec![String::new()]
    };
    each("verbs").iter().all(|verb| {
        let urls = each("nonResourceURLs");
        let by_url = urls.iter().all(|url| {
            old.iter()
                .any(|old| has(old, "verbs", verb) && has(old, "nonResourceURLs", url))
        });
        by_url
            && each("apiGroups").iter().all(|group| {
                each("resources").iter().all(|resource| {
                    named.iter().all(|name| {
                        old.iter().any(|old| {
                            has(old, "verbs", verb)
                                && has(old, "apiGroups", group)
                                && has(old, "resources", resource)
                                && (!names(old)
                                    || !name.is_empty() && has(old, "resourceNames", name))
                        })
                    })
                })
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::{Masker, change, removal, replace, rerun};
    use crate::object::{Manifest, Source};
    use serde_json::json;

    fn object(api_version: &str, kind: &str, rest: &Value) -> Object {
        let mut tree = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}});
        for (key, value) in rest.as_object().unwrap() {
            tree[key] = value.clone();
        }
        Object::new(tree).unwrap()
    }

    /// The concerns of one object that becomes another; `null` is none.
    fn found(api_version: &str, kind: &str, before: &Value, after: &Value) -> String {
        let masker = Masker::new([1; 32], false);
        let made = |rest: &Value| object(api_version, kind, rest);
        let live = (!before.is_null()).then(|| made(before));
        let change = if after.is_null() {
            removal(&live.unwrap(), &masker)
        } else {
            let source = Source {
                file: "t.yaml".to_owned(),
                line: 1,
            };
            let manifest = Manifest {
                object: made(after),
                source,
            };
            change(&manifest, live.as_ref(), Some(&manifest.object), &masker)
        };
        let words: Vec<_> = concerns(&change).into_iter().map(Concern::words).collect();
        words.join(", ")
    }

    fn workload(image: &str, cpu: &str, replicas: u32, strategy: &str) -> Value {
        json!({"spec": {"replicas": replicas, "updateStrategy": {"type": strategy}, "template": {"spec": {"containers": [
            {"name": "web", "image": image, "resources": {"requests": {"cpu": cpu}}}]}}}})
    }

    #[test]
    fn a_hook_that_runs_again_is_no_concern() {
        let masker = Masker::new([1; 32], false);
        for (api_version, kind) in [("batch/v1", "Job"), ("v1", "Pod")] {
            let object = object(api_version, kind, &json!({"spec": {"a": 1}}));
            let source = Source {
                file: "t.yaml".to_owned(),
                line: 1,
            };
            let live = object.clone();
            let hook = Manifest { object, source };
            assert!(concerns(&rerun(&hook, &live, &masker)).is_empty(), "{kind}");
            let replaced = replace(&hook, &live, "spec.a is immutable", &masker);
            assert!(concerns(&replaced).contains(&Concern::Replace), "{kind}");
        }
    }

    #[test]
    fn workloads_tell_images_replicas_resources_and_restarts() {
        let old = workload("a:1", "1", 1, "");
        let apps = |after: &Value| found("apps/v1", "Deployment", &old, after);
        assert_eq!(apps(&workload("a:2", "1", 1, "")), "image, pods restart");
        assert_eq!(
            apps(&workload("a:1", "2", 1, "")),
            "resources, pods restart"
        );
        assert_eq!(apps(&workload("a:1", "1", 2, "")), "replicas");
        assert_eq!(apps(&old), "");
        let mut more = old.clone();
        more["spec"]["template"]["spec"]["containers"] = json!([{"name": "web", "image": "a:1",
            "resources": {"requests": {"cpu": "1"}}}, {"name": "side", "image": "b:1"}]);
        assert_eq!(apps(&more), "image, pods restart");
        let (old, new) = (
            workload("a:1", "1", 1, "OnDelete"),
            workload("a:2", "1", 1, "OnDelete"),
        );
        assert_eq!(found("apps/v1", "DaemonSet", &old, &new), "image");
        assert_eq!(found("apps/v1", "Deployment", &Value::Null, &old), "");
    }

    #[test]
    fn what_holds_data_and_goes_is_at_risk() {
        for (api_version, kind) in [
            ("v1", "PersistentVolumeClaim"),
            ("v1", "Namespace"),
            ("apps/v1", "StatefulSet"),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ] {
            assert_eq!(
                found(api_version, kind, &json!({}), &Value::Null),
                "data at risk"
            );
        }
        assert_eq!(found("v1", "ConfigMap", &json!({}), &Value::Null), "");
        let versions = |names: &[&str]| {
            let versions = names
                .iter()
                .map(|name| json!({"name": name, "served": true}));
            json!({"spec": {"versions": versions.collect::<Vec<_>>()}})
        };
        let definition = |before: &[&str], after: &[&str]| {
            let (before, after) = (versions(before), versions(after));
            found(
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                &before,
                &after,
            )
        };
        assert_eq!(definition(&["v1", "v2"], &["v2"]), "data at risk");
        assert_eq!(definition(&["v1"], &["v1", "v2"]), "");
    }

    #[test]
    fn a_replacement_is_told_with_what_it_takes_along() {
        let source = Source {
            file: "t.yaml".to_owned(),
            line: 1,
        };
        let manifest = Manifest {
            object: object("apps/v1", "StatefulSet", &json!({"spec": {"a": 1}})),
            source,
        };
        let live = object("apps/v1", "StatefulSet", &json!({"spec": {"a": 2}}));
        let change = replace(&manifest, &live, "immutable", &Masker::new([1; 32], false));
        let words: Vec<_> = concerns(&change).into_iter().map(Concern::words).collect();
        assert_eq!(words, ["data at risk", "replace", "pods restart"]);
    }

    #[test]
    fn rights_are_compared_one_by_one() {
        let rules = |resources: &[&str], verbs: &[&str], names: &[&str]| json!({"rules": [{"apiGroups": [""], "resources": resources, "verbs": verbs, "resourceNames": names}]});
        let role = |before: &Value, after: &Value| {
            found("rbac.authorization.k8s.io/v1", "Role", before, after)
        };
        let pods = rules(&["pods"], &["get", "list"], &[]);
        assert_eq!(role(&pods, &rules(&["pods"], &["get"], &[])), "");
        assert_eq!(role(&pods, &rules(&["pods"], &["get"], &["one"])), "");
        assert_eq!(
            role(&pods, &rules(&["pods"], &["delete"], &[])),
            "RBAC widened"
        );
        assert_eq!(
            role(&pods, &rules(&["secrets"], &["get"], &[])),
            "RBAC widened"
        );
        assert_eq!(role(&rules(&["*"], &["*"], &[]), &pods), "");
        assert_eq!(
            role(
                &rules(&["pods"], &["get"], &["one"]),
                &rules(&["pods"], &["get"], &[])
            ),
            "RBAC widened"
        );
        assert_eq!(
            role(
                &rules(&["*/scale"], &["get"], &[]),
                &rules(&["deployments/scale"], &["get"], &[])
            ),
            ""
        );
        assert_eq!(role(&Value::Null, &pods), "RBAC widened");
        assert_eq!(role(&pods, &Value::Null), "");
    }

    #[test]
    fn a_new_subject_or_another_role_widens_rbac() {
        let binding = |role: &str, subjects: &[&str]| {
            let subjects: Vec<_> = subjects
                .iter()
                .map(|name| json!({"kind": "User", "name": name}))
                .collect();
            json!({"roleRef": {"name": role}, "subjects": subjects})
        };
        let bind = |before: &Value, after: &Value| {
            found(
                "rbac.authorization.k8s.io/v1",
                "ClusterRoleBinding",
                before,
                after,
            )
        };
        assert_eq!(bind(&binding("a", &["x", "y"]), &binding("a", &["x"])), "");
        assert_eq!(
            bind(&binding("a", &["x"]), &binding("a", &["x", "y"])),
            "RBAC widened"
        );
        assert_eq!(
            bind(&binding("a", &["x"]), &binding("b", &["x"])),
            "RBAC widened"
        );
    }

    #[test]
    fn what_can_be_reached_is_told() {
        let service =
            |kind: &str, port: u32| json!({"spec": {"type": kind, "ports": [{"port": port}]}});
        let of = |before: &Value, after: &Value| found("v1", "Service", before, after);
        assert_eq!(
            of(&service("ClusterIP", 80), &service("LoadBalancer", 80)),
            "exposure"
        );
        assert_eq!(
            of(&service("NodePort", 80), &service("NodePort", 81)),
            "exposure"
        );
        assert_eq!(of(&service("ClusterIP", 80), &service("ClusterIP", 81)), "");
        assert_eq!(of(&Value::Null, &service("LoadBalancer", 80)), "exposure");
        assert_eq!(of(&service("LoadBalancer", 80), &Value::Null), "exposure");
        let ingress = |host: &str, note: &str| json!({"metadata": {"name": "x", "annotations": {"n": note}}, "spec": {"rules": [{"host": host}]}});
        let of =
            |before: &Value, after: &Value| found("networking.k8s.io/v1", "Ingress", before, after);
        assert_eq!(of(&ingress("a", ""), &ingress("b", "")), "exposure");
        assert_eq!(of(&ingress("a", ""), &ingress("a", "x")), "");
        let route = |host: &str| json!({"spec": {"hostnames": [host]}});
        assert_eq!(
            found(
                "gateway.networking.k8s.io/v1",
                "HTTPRoute",
                &route("a"),
                &route("b")
            ),
            "exposure"
        );
        assert_eq!(
            found(
                "route.openshift.io/v1",
                "Route",
                &Value::Null,
                &json!({"spec": {"host": "a"}})
            ),
            "exposure"
        );
        assert_eq!(
            found(
                "networking.k8s.io/v1",
                "NetworkPolicy",
                &json!({}),
                &Value::Null
            ),
            "exposure"
        );
    }
}
