//! Decides without the server whether applying an object would change anything.
//!
//! Conservative: whatever is not certain is asked of the server by a dry run.

use crate::object::managed_fields::{self, FieldSet, Part};
use crate::object::{Fingerprint, Object, fingerprint};
use serde_json::{Map, Value};

/// What is known about an object without asking the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not there.
    Create,
    /// Applying it would change nothing.
    Noop,
    /// Only a dry run can tell.
    Ask,
}

/// Decides on an object: nothing to do when its fingerprint is still the one kept after the last
/// apply, or when the fields that `manager` owns are exactly the desired ones, with equal values.
#[must_use]
pub fn verdict(
    desired: &Object,
    live: Option<&Object>,
    kept: Option<&Fingerprint>,
    key: &[u8],
    manager: &str,
) -> Verdict {
    let Some(live) = live else {
        return Verdict::Create;
    };
    if live.is_going() {
        return Verdict::Ask;
    }
    // In another version fields have other names: what we own could not be found in the object.
    if desired.api_version() != live.api_version()
        || !managed_fields::applied_in(live, manager, desired.api_version())
    {
        return Verdict::Ask;
    }
    if kept.is_some_and(|kept| fingerprint(key, desired, live, manager) == *kept) {
        return Verdict::Noop;
    }
    match managed_fields::applied_by(live, manager) {
        Some(owned) if owns_exactly(&owned, desired, live) => Verdict::Noop,
        _ => Verdict::Ask,
    }
}

/// Whether the owned fields are the desired ones, with the desired values. What names the object
/// is never in `managedFields`.
fn owns_exactly(owned: &FieldSet, desired: &Object, live: &Object) -> bool {
    let Some(mut root) = desired.tree().as_object().cloned() else {
        return false;
    };
    root.remove("apiVersion");
    root.remove("kind");
    if let Some(Value::Object(metadata)) = root.get_mut("metadata") {
        metadata.remove("name");
        metadata.remove("namespace");
        if metadata.is_empty() {
            root.remove("metadata");
        }
    }
    map_matches(owned, &root, live.tree())
}

/// Whether a set holds exactly what is desired of one value, and the live value is equal there.
fn matches(owned: &FieldSet, desired: &Value, live: &Value) -> bool {
    if owned.is_leaf() {
        return owned.member && desired == live;
    }
    match desired {
        Value::Object(map) => map_matches(owned, map, live),
        Value::Array(items) => list_matches(owned, items, live),
        _ => false,
    }
}

fn map_matches(owned: &FieldSet, desired: &Map<String, Value>, live: &Value) -> bool {
    owned.parts.len() == desired.len()
        && owned.parts.iter().all(|(part, set)| {
            let Part::Field(name) = part else {
                return false;
            };
            match (desired.get(name), live.get(name)) {
                (Some(desired), Some(live)) => matches(set, desired, live),
                _ => false,
            }
        })
}

/// A list whose items are told apart: each desired item must be owned, equal, and in the same
/// order among the live ones.
fn list_matches(owned: &FieldSet, desired: &[Value], live: &Value) -> bool {
    let Some(live) = live.as_array() else {
        return false;
    };
    if owned.parts.len() != desired.len() {
        return false;
    }
    let mut last = None;
    let mut used = vec![false; owned.parts.len()];
    desired.iter().all(|item| {
        let found = owned.parts.iter().position(|(part, _)| is_part(part, item));
        let Some(found) = found.filter(|index| !std::mem::replace(&mut used[*index], true)) else {
            return false;
        };
        let (part, set) = &owned.parts[found];
        let position = live.iter().position(|other| is_part(part, other));
        let in_order = position > last;
        last = position;
        in_order && position.is_some_and(|index| item_matches(set, item, &live[index]))
    })
}

fn item_matches(set: &FieldSet, desired: &Value, live: &Value) -> bool {
    match desired {
        Value::Object(map) if !set.is_leaf() => map_matches(set, map, live),
        _ => matches(set, desired, live),
    }
}

/// Whether an item of a list is the one that a part names. `protocol` is the one key that the
/// server fills in when an item lacks it.
pub(super) fn is_part(part: &Part, item: &Value) -> bool {
    match part {
        Part::Item(value) => value == item,
        Part::Key(keys) => keys.iter().all(|(key, value)| match item.get(key) {
            Some(other) => other == value,
            None => key == "protocol" && value == "TCP",
        }),
        Part::Field(_) | Part::Index(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::managed_fields::MANAGER;
    use serde_json::json;

    /// What a real server (v1.36) made of objects after they were applied.
    fn stored() -> Vec<(Object, Object)> {
        let cases: Vec<Value> =
            serde_json::from_str(include_str!("../../tests/fixtures/live/unchanged.json")).unwrap();
        let object = |case: &Value, key: &str| Object::new(case[key].clone()).unwrap();
        cases
            .iter()
            .map(|case| (object(case, "desired"), object(case, "live")))
            .collect()
    }

    fn decided(desired: &Object, live: &Object) -> Verdict {
        verdict(desired, Some(live), None, b"key", MANAGER)
    }

    #[test]
    fn applied_objects_are_noops_without_a_record() {
        let verdicts: Vec<_> = stored()
            .iter()
            .map(|(desired, live)| format!("{} {:?}", desired.reference(), decided(desired, live)))
            .collect();
        insta::assert_snapshot!(verdicts.join("\n"), @"
        Deployment/web (p1) Noop
        Service/web (p1) Noop
        Service/one (p1) Ask
        ConfigMap/web (p1) Noop
        Secret/web (p1) Noop
        ServiceAccount/web (p1) Noop
        Role/web (p1) Noop
        Job/j (p1) Noop
        StatefulSet/db (p1) Ask
        Ingress/web (p1) Noop
        HorizontalPodAutoscaler/web (p1) Noop
        PodDisruptionBudget/web (p1) Noop
        PersistentVolumeClaim/d (p1) Noop
        CustomResourceDefinition/zones.x.io Noop
        Zone.x.io/z (p1) Ask
        ");
    }

    #[test]
    fn applied_objects_are_noops_with_a_record() {
        for (desired, live) in stored() {
            let kept = fingerprint(b"key", &desired, &live, MANAGER);
            let found = verdict(&desired, Some(&live), Some(&kept), b"key", MANAGER);
            assert_eq!(found, Verdict::Noop, "{}", desired.reference());
        }
    }

    /// Every change of a desired value is seen, and so is every change of a live value we own.
    #[test]
    fn no_change_goes_unseen() {
        for (desired, live) in stored() {
            let kept = fingerprint(b"key", &desired, &live, MANAGER);
            for path in leaves(desired.tree()) {
                let skip = ["apiVersion", "kind"].contains(&path[0].as_str())
                    || path.len() == 2 && path[0] == "metadata";
                if skip {
                    continue;
                }
                let mut changed = desired.tree().clone();
                *at(&mut changed, &path).unwrap() = json!("changed");
                let changed = Object::new(changed).unwrap();
                let found = verdict(&changed, Some(&live), Some(&kept), b"key", MANAGER);
                assert_eq!(found, Verdict::Ask, "{} {path:?}", desired.reference());

                let mut drifted = live.tree().clone();
                let Some(value) = at(&mut drifted, &path) else {
                    continue;
                };
                *value = json!("drifted");
                let drifted = Object::new(drifted).unwrap();
                let found = verdict(&desired, Some(&drifted), Some(&kept), b"key", MANAGER);
                assert_eq!(
                    found,
                    Verdict::Ask,
                    "{} {path:?} drifted",
                    desired.reference()
                );
            }
        }
    }

    fn leaves(value: &Value) -> Vec<Vec<String>> {
        let inner: Vec<(String, &Value)> = match value {
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| (key.clone(), value))
                .collect(),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(i, value)| (i.to_string(), value))
                .collect(),
            _ => return vec![Vec::new()],
        };
        inner
            .into_iter()
            .flat_map(|(key, value)| {
                leaves(value).into_iter().map(move |mut path| {
                    path.insert(0, key.clone());
                    path
                })
            })
            .collect()
    }

    fn at<'a>(value: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
        path.iter().try_fold(value, |node, key| match node {
            Value::Object(map) => map.get_mut(key),
            Value::Array(items) => items.get_mut(key.parse::<usize>().ok()?),
            _ => None,
        })
    }

    #[test]
    fn a_field_more_or_less_is_asked_about() {
        let (desired, live) = &stored()[0];
        let mut more = desired.clone();
        more.set_metadata("labels", "new", "x");
        assert_eq!(decided(&more, live), Verdict::Ask);
        let mut less = desired.clone();
        less.tree_mut()["spec"]
            .as_object_mut()
            .unwrap()
            .remove("replicas");
        assert_eq!(decided(&less, live), Verdict::Ask);
    }

    #[test]
    fn what_is_missing_is_created_and_what_goes_is_asked_about() {
        let (desired, live) = &stored()[0];
        assert_eq!(
            verdict(desired, None, None, b"key", MANAGER),
            Verdict::Create
        );
        let mut going = live.clone();
        going.tree_mut()["metadata"]["deletionTimestamp"] = json!("2026-11-21T00:00:00Z");
        let kept = fingerprint(b"key", desired, &going, MANAGER);
        assert_eq!(
            verdict(desired, Some(&going), Some(&kept), b"key", MANAGER),
            Verdict::Ask
        );
    }

    #[test]
    fn another_version_or_manager_is_asked_about() {
        let (desired, live) = &stored()[0];
        let mut other = desired.clone();
        other.tree_mut()["apiVersion"] = json!("apps/v2");
        let kept = fingerprint(b"key", &other, live, MANAGER);
        let found = verdict(&other, Some(live), Some(&kept), b"key", MANAGER);
        assert_eq!(found, Verdict::Ask);
        assert_eq!(
            verdict(desired, Some(live), None, b"key", "other"),
            Verdict::Ask
        );
    }

    #[test]
    fn list_items_in_another_order_are_asked_about() {
        let (desired, live) = &stored()[0];
        let mut turned = desired.clone();
        let env = "/spec/template/spec/containers/0/env";
        turned
            .tree_mut()
            .pointer_mut(env)
            .unwrap()
            .as_array_mut()
            .unwrap()
            .reverse();
        assert_eq!(decided(&turned, live), Verdict::Ask);
    }
}
