//! Fields that somebody else sets too: whether to fail, to take them, or to leave them.

use crate::cluster::FieldConflict;
use crate::diff;
use crate::inventory::PART_OF;
use crate::object::managed_fields::{self, MANAGER};
use crate::object::{Manifest, Object, ObjectRef, field_path};
use std::collections::HashMap;
use std::str::FromStr;

/// The annotation of an object with its own policies, separated by commas or lines.
const CONFLICTS: &str = "windlass.dev/conflicts";

/// What is done about a field that another manager owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Stop before anything is written, and name the owner.
    Fail,
    /// Take the field over.
    Force,
    /// Leave the field to its owner.
    Yield,
}

/// What is done about conflicts at and below a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPolicy {
    /// The kind of object, `Deployment`; any when empty.
    pub kind: String,
    /// The name of the object; any when empty.
    pub name: String,
    /// The path of the field, `spec.replicas`; the whole object when empty.
    pub path: String,
    /// What is done.
    pub policy: Policy,
}

impl FromStr for FieldPolicy {
    type Err = String;

    /// Reads `spec.replicas=yield`, `Deployment:spec.replicas=yield`,
    /// `Deployment/web:spec.template=force`, `Service=force` or `force` alone.
    fn from_str(text: &str) -> Result<Self, String> {
        let (place, word) = text.trim().rsplit_once('=').unwrap_or(("", text.trim()));
        let policy = match word.trim() {
            "fail" => Policy::Fail,
            "force" => Policy::Force,
            "yield" => Policy::Yield,
            other => {
                return Err(format!(
                    "`{other}` is none of fail, force and yield; write for example spec.replicas=yield"
                ));
            }
        };
        // A kind begins with a capital letter, a path does not.
        let (object, path) = match place.split_once(':') {
            Some((object, path)) if object.starts_with(char::is_uppercase) => (object, path),
            None if place.starts_with(char::is_uppercase) => (place, ""),
            _ => ("", place),
        };
        let (kind, name) = object.split_once('/').unwrap_or((object, ""));
        let path = path.trim().trim_start_matches('.').to_owned();
        if policy == Policy::Yield && path.is_empty() {
            return Err("an object cannot be left as a whole; name a field to yield".to_owned());
        }
        Ok(Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
            path,
            policy,
        })
    }
}

/// The policies for an object: its own, then those for all that name it. The first that is about a
/// field decides. Of an object that is taken over, the mark of its owner is taken first.
///
/// # Errors
/// When the annotation of the object cannot be read.
pub(super) fn policies(
    object: &Object,
    all: &[FieldPolicy],
    is_taken: bool,
) -> Result<Vec<FieldPolicy>, String> {
    let own = object.annotation(CONFLICTS).unwrap_or_default();
    let own = own.split([',', '\n']).map(str::trim);
    let mut found = Vec::new();
    if is_taken {
        found.push(FieldPolicy {
            kind: String::new(),
            name: String::new(),
            path: format!("metadata.labels.{PART_OF}"),
            policy: Policy::Force,
        });
    }
    for text in own.filter(|text| !text.is_empty()) {
        let policy = text.parse::<FieldPolicy>();
        found.push(policy.map_err(|error| format!("annotation {CONFLICTS}: {error}"))?);
    }
    let concerns = |policy: &&FieldPolicy| {
        (policy.kind.is_empty() || policy.kind == object.kind())
            && (policy.name.is_empty() || policy.name == object.name())
    };
    found.extend(all.iter().filter(concerns).cloned());
    Ok(found)
}

/// Whether all these conflicts are to be forced.
pub(super) fn forces(policies: &[FieldPolicy], conflicts: &[FieldConflict]) -> bool {
    let forced = |conflict: &FieldConflict| {
        let about = |policy: &&FieldPolicy| {
            policy.path.is_empty() || field_path::is_below(&conflict.field, &policy.path)
        };
        let first = policies.iter().find(about);
        first.is_some_and(|policy| policy.policy == Policy::Force)
    };
    conflicts.iter().all(forced)
}

/// Adds to conflicts when their managers last wrote the live object.
pub(super) fn date(conflicts: &mut [FieldConflict], live: &Object) {
    let entries = live.list(&["metadata", "managedFields"]);
    for conflict in conflicts {
        let (manager, subresource) = match conflict.manager.split_once(", ") {
            Some(named) => named,
            None => (conflict.manager.as_str(), ""),
        };
        let entry = entries.iter().find(|entry| {
            entry["manager"] == manager
                && entry["subresource"].as_str().unwrap_or_default() == subresource
        });
        let time = entry.and_then(|entry| entry["time"].as_str());
        time.unwrap_or_default().clone_into(&mut conflict.since);
    }
}

/// Takes fields out of a manifest that are left to others; tells of each.
pub(super) fn leave_to_others(
    manifest: &mut Manifest,
    live: &Object,
    policies: &[FieldPolicy],
) -> Vec<String> {
    let target = manifest.object.reference();
    let mut told = Vec::new();
    for policy in policies
        .iter()
        .filter(|policy| policy.policy == Policy::Yield)
    {
        let Some(parts) = field_path::find(manifest.object.tree(), &policy.path) else {
            continue;
        };
        let entries = managed_fields::entries(live);
        let other = entries.iter().find(|entry| {
            let ours = entry.manager == MANAGER && entry.operation == "Apply";
            !ours && field_path::has(&entry.fields, &parts)
        });
        if let Some(other) = other {
            field_path::remove(manifest.object.tree_mut(), &parts);
            told.push(format!(
                "{} of {target} is left to {}",
                policy.path,
                named(&other.manager, &other.subresource)
            ));
        }
    }
    told
}

fn named(manager: &str, subresource: &str) -> String {
    match subresource {
        "" => manager.to_owned(),
        subresource => format!("{manager} ({subresource})"),
    }
}

/// Leaves the number of replicas to autoscalers: to those of the app, and to whoever scaled a
/// workload as only autoscalers do. Tells of each workload whose number in the manifest is another one.
pub(super) fn follow_autoscalers(
    manifests: &mut [Manifest],
    live: &HashMap<ObjectRef, Object>,
) -> Vec<String> {
    let scaled = diff::autoscaled(manifests.iter().map(|manifest| &manifest.object));
    let mut told = Vec::new();
    for manifest in manifests {
        let target = manifest.object.reference();
        let live = live.get(&target);
        let by = match scaled.get(&target) {
            Some(scaler) => scaler.to_string(),
            None if live.is_some_and(is_autoscaled) => "an autoscaler of somebody else".to_owned(),
            None => continue,
        };
        let wanted = manifest.object.int(&["spec", "replicas"]);
        let there = live.and_then(|live| live.int(&["spec", "replicas"]));
        diff::follow_replicas(&mut manifest.object, live);
        if let (Some(wanted), Some(there)) = (wanted, there)
            && wanted != there
        {
            told.push(format!(
                "spec.replicas of {target} is left to {by}: {there} now, {wanted} in the manifest"
            ));
        }
    }
    told
}

/// Whether the horizontal autoscaler of Kubernetes set the number of replicas.
fn is_autoscaled(live: &Object) -> bool {
    let Some(parts) = field_path::find(live.tree(), "spec.replicas") else {
        return false;
    };
    managed_fields::entries(live).iter().any(|entry| {
        entry.manager == "kube-controller-manager"
            && entry.subresource == "scale"
            && field_path::has(&entry.fields, &parts)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Source;
    use serde_json::json;

    fn policy(text: &str) -> FieldPolicy {
        text.parse().unwrap()
    }

    #[test]
    fn policies_are_read_as_people_write_them() {
        let read = policy("Deployment/web:.spec.template=force");
        assert_eq!(
            (
                read.kind.as_str(),
                read.name.as_str(),
                read.path.as_str(),
                read.policy
            ),
            ("Deployment", "web", "spec.template", Policy::Force)
        );
        assert_eq!(policy("spec.replicas=yield").kind, "");
        assert_eq!(policy("force").path, "");
        let item = policy("spec.containers[name=web].image=fail");
        assert_eq!(item.path, "spec.containers[name=web].image");
        assert!("yield".parse::<FieldPolicy>().is_err());
        assert!("spec=mine".parse::<FieldPolicy>().is_err());
    }

    #[test]
    fn the_first_policy_about_a_field_decides_and_the_object_comes_first() {
        let object = Object::new(json!({"kind": "Deployment", "metadata": {"name": "web",
            "annotations": {CONFLICTS: "spec.replicas=fail"}}}))
        .unwrap();
        let all = [policy("Service=force"), policy("spec=force")];
        let policies = policies(&object, &all, false).unwrap();
        assert_eq!(policies.len(), 2);
        let conflict = |field: &str| FieldConflict {
            manager: "kubectl".to_owned(),
            field: field.to_owned(),
            since: String::new(),
        };
        assert!(forces(&policies, &[conflict(".spec.paused")]));
        assert!(!forces(
            &policies,
            &[conflict(".spec.paused"), conflict(".spec.replicas")]
        ));
    }

    #[test]
    fn a_conflict_is_dated_by_the_entry_of_its_manager() {
        let live = Object::new(json!({"kind": "Deployment", "metadata": {"managedFields": [
            {"manager": "kubectl", "operation": "Update", "subresource": "scale"},
            {"manager": "kubectl", "operation": "Update", "time": "2026-01-02T03:04:05Z"}]}}))
        .unwrap();
        let conflict = |manager: &str| FieldConflict {
            manager: manager.to_owned(),
            field: ".spec.paused".to_owned(),
            since: String::new(),
        };
        let mut conflicts = [conflict("kubectl"), conflict("kubectl, scale")];
        date(&mut conflicts, &live);
        assert_eq!(
            conflicts[0].to_string(),
            ".spec.paused is owned by kubectl since 2026-01-02T03:04:05Z"
        );
        // The server dates no entries of that subresource.
        assert_eq!(conflicts[1].since, "");
    }

    #[test]
    fn only_a_field_that_somebody_else_owns_is_left() {
        let mut manifest = Manifest {
            object: Object::new(json!({"kind": "ConfigMap", "metadata": {"name": "c"},
                "data": {"a": "1", "b": "2"}}))
            .unwrap(),
            source: Source {
                file: "c.yaml".to_owned(),
                line: 1,
            },
        };
        let live = Object::new(json!({"kind": "ConfigMap", "metadata": {"name": "c", "managedFields": [
            {"manager": "windlass", "operation": "Apply", "fieldsV1": {"f:data": {"f:a": {}}}},
            {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:data": {"f:b": {}}}}]}}))
        .unwrap();
        let rules = [policy("data.a=yield"), policy("data.b=yield")];
        let told = leave_to_others(&mut manifest, &live, &rules);
        assert_eq!(told, ["data.b of ConfigMap/c is left to kubectl-edit"]);
        assert_eq!(manifest.object.tree()["data"], json!({"a": "1"}));
    }
}
