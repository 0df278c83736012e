//! Workloads that an autoscaler scales: the number of replicas is its business.
//!
//! An autoscaler writes `spec.replicas` through the `scale` subresource and becomes its owner; to
//! apply another number is a conflict, and to apply none resets it to one where nobody else owns it
//! yet. So the number follows the live object.

use crate::object::managed_fields::{self, MANAGER, Part};
use crate::object::{Gvk, Object, ObjectRef};
use serde_json::Value;
use std::collections::BTreeMap;

/// The workloads that autoscalers among some objects scale, each with its autoscaler:
/// HorizontalPodAutoscaler and KEDA's ScaledObject.
#[must_use]
pub fn autoscaled<'a>(
    objects: impl IntoIterator<Item = &'a Object>,
) -> BTreeMap<ObjectRef, ObjectRef> {
    objects
        .into_iter()
        .filter_map(|scaler| {
            let default = match (scaler.group(), scaler.kind()) {
                ("autoscaling", "HorizontalPodAutoscaler") => "",
                ("keda.sh", "ScaledObject") => "apps/v1",
                _ => return None,
            };
            let target = scaler.get(&["spec", "scaleTargetRef"])?;
            let text = |key: &str| target.get(key).and_then(Value::as_str);
            let api_version = text("apiVersion").unwrap_or(default);
            let kind = text("kind").unwrap_or("Deployment");
            let workload = ObjectRef {
                group: Gvk::new(api_version, kind).group,
                kind: kind.to_owned(),
                namespace: scaler.namespace().map(str::to_owned),
                name: text("name")?.to_owned(),
            };
            Some((workload, scaler.reference()))
        })
        .collect()
}

/// Lets the number of replicas of a workload that is autoscaled follow the live object: where
/// somebody else owns it, it is left out; where only we own it, the live number is kept. A workload
/// that is created begins with the number of the manifest. Returns whether the manifest was changed.
pub fn follow_replicas(desired: &mut Object, live: Option<&Object>) -> bool {
    let Some(live) = live else { return false };
    let Some(replicas) = live.get(&["spec", "replicas"]).cloned() else {
        return false;
    };
    let (mut ours, mut foreign) = (false, false);
    for entry in managed_fields::entries(live) {
        let field = |name: &str| Part::Field(name.to_owned());
        let owned = entry
            .fields
            .part(&field("spec"))
            .and_then(|spec| spec.part(&field("replicas")));
        if owned.is_some() {
            let applied = entry.manager == MANAGER && entry.operation == "Apply";
            ours |= applied;
            foreign |= !applied;
        }
    }
    let Some(spec) = desired
        .tree_mut()
        .get_mut("spec")
        .and_then(Value::as_object_mut)
    else {
        return false;
    };
    let before = spec.get("replicas").cloned();
    if foreign {
        spec.remove("replicas");
    } else if ours || before.is_some() {
        spec.insert("replicas".to_owned(), replicas);
    }
    before.as_ref() != spec.get("replicas")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::{Verdict, verdict};
    use serde_json::json;

    fn object(tree: Value) -> Object {
        Object::new(tree).unwrap()
    }

    fn workload(replicas: Option<i64>) -> Object {
        let mut object = object(
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"x": 1}}),
        );
        if let Some(replicas) = replicas {
            object.tree_mut()["spec"]["replicas"] = json!(replicas);
        }
        object
    }

    fn live(owner: &str, operation: &str) -> Object {
        let mut live = workload(Some(5));
        live.tree_mut()["metadata"]["managedFields"] = json!([
            {"manager": "windlass", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": {"f:spec": {"f:x": {}}}},
            {"manager": owner, "operation": operation, "apiVersion": "apps/v1", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
        ]);
        live
    }

    #[test]
    fn the_targets_of_autoscalers_are_found() {
        let found = autoscaled(&[
            object(
                json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h", "namespace": "x"},
                "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}),
            ),
            object(
                json!({"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "k", "namespace": "x"},
                "spec": {"scaleTargetRef": {"name": "worker"}}}),
            ),
            object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}})),
        ]);
        let shown: Vec<_> = found
            .iter()
            .map(|(to, by)| format!("{to} by {by}"))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @"
        Deployment/web (x) by HorizontalPodAutoscaler/h (x)
        Deployment/worker (x) by ScaledObject.keda.sh/k (x)
        ");
    }

    #[test]
    fn a_number_that_the_autoscaler_owns_is_left_to_it() {
        let mut desired = workload(Some(2));
        let live = live("kube-controller-manager", "Update");
        assert!(follow_replicas(&mut desired, Some(&live)));
        assert_eq!(desired, workload(None));
        assert_eq!(
            verdict(&desired, Some(&live), None, b"key", MANAGER),
            Verdict::Noop
        );
    }

    #[test]
    fn a_number_that_only_we_own_is_kept_as_it_is() {
        for replicas in [None, Some(2)] {
            let mut desired = workload(replicas);
            let live = live(MANAGER, "Apply");
            assert!(follow_replicas(&mut desired, Some(&live)));
            assert_eq!(desired, workload(Some(5)));
            assert_eq!(
                verdict(&desired, Some(&live), None, b"key", MANAGER),
                Verdict::Noop
            );
        }
    }

    #[test]
    fn a_new_workload_begins_with_the_number_of_its_manifest() {
        let mut desired = workload(Some(2));
        assert!(!follow_replicas(&mut desired, None));
        assert_eq!(desired, workload(Some(2)));
    }
}
