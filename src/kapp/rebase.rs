//! What becomes of desired fields in view of the live object: `rebaseRules`, and the rules about
//! fields that are left to others; and `additionalLabels`.
//!
//! kapp sends whole objects, so that whatever it is to leave alone must be copied into them. With
//! server-side apply a field is left alone by leaving it out, as long as somebody else owns it. What
//! only we own would be removed that way: its live value is kept.

use super::path::{self, Part, Path, Place, Step, put, take};
use super::{CopySource, Field, Matcher, Rebase, RebaseAction, Rules, matches_any, places};
use crate::object::managed_fields::{self, Entry, FieldSet, MANAGER};
use crate::object::{Object, managed_fields as managed};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Applies the rules to a desired object that is there already.
pub fn rebase(desired: &mut Object, live: &Object, rules: &Rules) {
    let original = desired.clone();
    let owners = Owners::of(live);
    for rule in by_default().iter().chain(&rules.rebase) {
        if !matches_any(&rule.of, &original) {
            continue;
        }
        for path in &rule.paths {
            match &rule.action {
                RebaseAction::Remove => {
                    for place in path.places(desired.tree()).iter().rev() {
                        take(desired.tree_mut(), place);
                    }
                }
                RebaseAction::Copy(sources) => {
                    copy(desired, &original, live, &owners, path, sources);
                }
            }
        }
    }
    for fields in [&rules.no_reason, &rules.left_to_others] {
        leave(desired, live, &owners, fields);
    }
    keep_identity(desired, &original);
}

/// The default rules that mean something to server-side apply: fields that a controller fills in
/// although the manifest has them, too.
fn by_default() -> Vec<Rebase> {
    let not = |matcher: Matcher| Matcher::Not(Box::new(matcher));
    let annotated = |key: &str| Matcher::Annotated(vec![key.to_owned()]);
    let of = |group: &str, kind: &str| Matcher::GroupKind {
        group: group.to_owned(),
        kind: kind.to_owned(),
    };
    let image_pull_secret = Matcher::And(vec![
        of("", "Secret"),
        annotated("secretgen.carvel.dev/image-pull-secret"),
        not(annotated(
            "kapp.k14s.io/disable-default-secretgen-rebase-rules",
        )),
    ]);
    let aggregated = Matcher::And(vec![
        of("rbac.authorization.k8s.io", "ClusterRole"),
        not(Matcher::Empty(Path::of(&["aggregationRule"]))),
    ]);
    let copy = |paths: &[&[&str]], sources: &[CopySource], of: Matcher| Rebase {
        paths: paths.iter().map(|path| Path::of(path)).collect(),
        action: RebaseAction::Copy(sources.to_vec()),
        of: vec![of],
    };
    vec![
        copy(
            &[
                &["data", ".dockerconfigjson"],
                &["metadata", "annotations", "secretgen.carvel.dev/status"],
            ],
            &[CopySource::Existing, CopySource::New],
            image_pull_secret,
        ),
        copy(&[&["rules"]], &[CopySource::Existing], aggregated),
    ]
}

/// Takes each value from the first source that has it.
fn copy(
    desired: &mut Object,
    original: &Object,
    live: &Object,
    owners: &Owners,
    path: &Path,
    sources: &[CopySource],
) {
    let mut done: Vec<Place> = Vec::new();
    for source in sources {
        let tree = match source {
            CopySource::New => original.tree(),
            CopySource::Existing => live.tree(),
        };
        for place in path.places(tree) {
            let target = match source {
                CopySource::New => Some(place.clone()),
                CopySource::Existing => counterpart(desired.tree(), tree, &place),
            };
            let Some(target) = target.filter(|target| !done.contains(target)) else {
                continue;
            };
            let value = match source {
                CopySource::New => path::at(tree, &place).cloned(),
                CopySource::Existing => owners.ours_alone(tree, &place),
            };
            match value {
                Some(value) => put(desired.tree_mut(), &target, value),
                None => take(desired.tree_mut(), &target),
            }
            done.push(target);
        }
    }
}

/// Leaves fields out that somebody else owns.
fn leave(desired: &mut Object, live: &Object, owners: &Owners, fields: &[Field]) {
    for place in places(fields, desired, live.tree()) {
        if owners.is_foreign(live.tree(), &place)
            && let Some(target) = counterpart(desired.tree(), live.tree(), &place)
        {
            take(desired.tree_mut(), &target);
        }
    }
}

/// The place in another tree that a place of a tree corresponds to: items of lists by their name,
/// where they have one, else by their index. `None` where there is no such item.
fn counterpart(other: &Value, tree: &Value, place: &[Part]) -> Option<Place> {
    let (mut found, mut here) = (Vec::new(), tree);
    for part in place {
        let next = match part {
            Part::Key(key) => {
                here = here.get(key)?;
                Part::Key(key.clone())
            }
            Part::Item(index) => {
                here = here.get(index)?;
                let items = path::at(other, &found)?.as_array()?;
                let index = match here.get("name") {
                    Some(name) => items.iter().position(|i| i.get("name") == Some(name))?,
                    None => Some(*index).filter(|index| *index < items.len())?,
                };
                Part::Item(index)
            }
        };
        found.push(next);
    }
    Some(found)
}

/// What identifies an object is never a rule's business.
fn keep_identity(desired: &mut Object, original: &Object) {
    for keys in [
        &["apiVersion"][..],
        &["kind"],
        &["metadata", "name"],
        &["metadata", "namespace"],
    ] {
        let place: Place = keys
            .iter()
            .map(|key| Part::Key((*key).to_owned()))
            .collect();
        match original.get(keys) {
            Some(value) => put(desired.tree_mut(), &place, value.clone()),
            None => take(desired.tree_mut(), &place),
        }
    }
}

/// Who owns which fields of a live object.
struct Owners {
    ours: Vec<Entry>,
    theirs: Vec<Entry>,
}

impl Owners {
    fn of(live: &Object) -> Self {
        let (ours, theirs) = managed_fields::entries(live)
            .into_iter()
            .partition(|entry| entry.manager == MANAGER && entry.operation == "Apply");
        Self { ours, theirs }
    }

    fn is_foreign(&self, tree: &Value, place: &[Part]) -> bool {
        let mut theirs = self.theirs.iter();
        theirs.any(|entry| within(&entry.fields, tree, place).is_some())
    }

    /// The part of a value that nobody but us owns.
    fn ours_alone(&self, tree: &Value, place: &[Part]) -> Option<Value> {
        let sets = |entries: &'_ [Entry]| -> Vec<FieldSet> {
            let sets = entries
                .iter()
                .filter_map(|entry| within(&entry.fields, tree, place));
            sets.cloned().collect()
        };
        let (ours, theirs) = (sets(&self.ours), sets(&self.theirs));
        let theirs: Vec<&FieldSet> = theirs.iter().collect();
        alone(path::at(tree, place)?, ours.first()?, &theirs)
    }
}

/// What a set says of a place: the set of the place itself, or of what holds it as a whole.
fn within<'a>(set: &'a FieldSet, tree: &Value, place: &[Part]) -> Option<&'a FieldSet> {
    let (mut set, mut value) = (set, tree);
    for part in place {
        if set.is_leaf() {
            break;
        }
        let next = match part {
            Part::Key(key) => value.get(key)?,
            Part::Item(index) => value.get(index)?,
        };
        set = match part {
            Part::Key(key) => set.part(&managed::Part::Field(key.clone()))?,
            Part::Item(_) => {
                let mut parts = set.parts.iter();
                let is_next = |part: &managed::Part| {
                    part.of(value)
                        .is_some_and(|found| std::ptr::eq(found, next))
                };
                &parts.find(|(part, _)| is_next(part))?.1
            }
        };
        value = next;
    }
    (!set.is_empty()).then_some(set)
}

/// The part of a value that is in our set and in none of theirs. Lists are taken whole or not at all.
fn alone(value: &Value, ours: &FieldSet, theirs: &[&FieldSet]) -> Option<Value> {
    let map = match value {
        Value::Object(map) if !ours.is_leaf() => map,
        _ => return theirs.is_empty().then(|| value.clone()),
    };
    if theirs.iter().any(|set| set.is_leaf()) {
        return None;
    }
    let mut found = Map::new();
    for (key, value) in map {
        let part = managed::Part::Field(key.clone());
        let theirs: Vec<&FieldSet> = theirs.iter().filter_map(|set| set.part(&part)).collect();
        if let Some(ours) = ours.part(&part)
            && let Some(value) = alone(value, ours, &theirs)
        {
            found.insert(key.clone(), value);
        }
    }
    (!found.is_empty()).then_some(Value::Object(found))
}

/// Puts additional labels on an object, on its pods, and wherever the rules say.
pub fn label(object: &mut Object, labels: &BTreeMap<String, String>, elsewhere: &[Field]) {
    if labels.is_empty() {
        return;
    }
    let mut maps: Vec<Place> = vec![metadata_labels(&[])];
    let root = crate::object::pod::pod_spec_path(object.group(), object.kind());
    if let Some(root) = root.filter(|root| root.len() > 1) {
        maps.push(metadata_labels(&root[..root.len() - 1]));
    }
    for field in elsewhere
        .iter()
        .filter(|field| matches_any(&field.of, object))
    {
        maps.extend(label_maps(object, &field.path));
    }
    for map in maps {
        for (key, value) in labels {
            let mut place = map.clone();
            place.push(Part::Key(key.clone()));
            put(object.tree_mut(), &place, Value::from(value.as_str()));
        }
    }
}

fn metadata_labels(root: &[&str]) -> Place {
    let keys = root.iter().copied().chain(["metadata", "labels"]);
    keys.map(|key| Part::Key(key.to_owned())).collect()
}

/// The maps of labels that a path means: those that are there, or the one that plain keys lead to.
fn label_maps(object: &Object, path: &Path) -> Vec<Place> {
    let found = path.places(object.tree());
    if !found.is_empty() {
        return found;
    }
    let keys = path.0.iter().map(|step| match step {
        Step::Key(key) => Some(Part::Key(key.clone())),
        _ => None,
    });
    keys.collect::<Option<Place>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Source;
    use serde_json::json;

    const ALL: &str = "resourceMatchers: [{allMatcher: {}}]";

    fn rules(text: &str) -> Rules {
        let source = Source {
            file: "c.yml".to_owned(),
            line: 1,
        };
        let text = format!("apiVersion: kapp.k14s.io/v1alpha1\nkind: Config\n{text}");
        crate::kapp::read(text.as_bytes(), &source).unwrap()
    }

    fn deployment(spec: &Value) -> Object {
        let tree = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "x"}, "spec": spec});
        Object::new(tree).unwrap()
    }

    /// A live object whose fields are owned by us and by another.
    fn live(spec: &Value, ours: &Value, theirs: &Value) -> Object {
        let mut live = deployment(spec);
        let entries = [(MANAGER, "Apply", ours), ("other", "Update", theirs)];
        let entries = entries.iter().filter(|(.., fields)| **fields != json!({}));
        let entries = entries.map(|(manager, operation, fields)| {
            json!({"manager": manager, "operation": operation, "apiVersion": "apps/v1",
                "fieldsV1": {"f:spec": fields}})
        });
        live.tree_mut()["metadata"]["managedFields"] = entries.collect();
        live
    }

    fn rebased(desired: &Value, live: &Object, text: &str) -> Value {
        let mut desired = deployment(desired);
        rebase(&mut desired, live, &rules(text));
        desired.tree()["spec"].clone()
    }

    fn copying(path: &str, sources: &str) -> String {
        format!("rebaseRules:\n- path: [{path}]\n  type: copy\n  sources: [{sources}]\n  {ALL}")
    }

    #[test]
    fn a_field_copied_from_the_live_object_is_left_to_its_owner() {
        let desired = json!({"replicas": 1, "paused": true});
        let theirs = live(
            &json!({"replicas": 5}),
            &json!({}),
            &json!({"f:replicas": {}}),
        );
        for sources in ["existing", "existing, new"] {
            let spec = rebased(&desired, &theirs, &copying("spec, replicas", sources));
            assert_eq!(spec, json!({"paused": true}));
        }
        let ours = live(
            &json!({"replicas": 5}),
            &json!({"f:replicas": {}}),
            &json!({}),
        );
        let spec = rebased(&desired, &ours, &copying("spec, replicas", "existing"));
        assert_eq!(spec, json!({"replicas": 5, "paused": true}));
        let nobody = live(&json!({"x": 1}), &json!({}), &json!({}));
        let spec = rebased(&desired, &nobody, &copying("spec, replicas", "existing"));
        assert_eq!(spec, desired);
    }

    #[test]
    fn a_field_that_the_manifest_lacks_is_kept_when_only_we_own_it() {
        let rule = copying("spec, replicas", "new, existing");
        let ours = live(
            &json!({"replicas": 5}),
            &json!({"f:replicas": {}}),
            &json!({}),
        );
        assert_eq!(
            rebased(&json!({"a": 1}), &ours, &rule),
            json!({"a": 1, "replicas": 5})
        );
        assert_eq!(
            rebased(&json!({"replicas": 2}), &ours, &rule),
            json!({"replicas": 2})
        );
        let theirs = live(
            &json!({"replicas": 5}),
            &json!({}),
            &json!({"f:replicas": {}}),
        );
        assert_eq!(rebased(&json!({"a": 1}), &theirs, &rule), json!({"a": 1}));
    }

    #[test]
    fn items_of_lists_are_found_by_their_name() {
        let ours = live(
            &json!({"list": [{"name": "b", "x": 2}, {"name": "a", "x": 1}]}),
            &json!({"f:list": {"k:{\"name\":\"b\"}": {"f:x": {}}}}),
            &json!({"f:list": {"k:{\"name\":\"a\"}": {"f:x": {}}}}),
        );
        let desired = json!({"list": [{"name": "a", "x": 7, "y": 0}, {"name": "b", "x": 8}, {"name": "c", "x": 9}]});
        let spec = rebased(
            &desired,
            &ours,
            &copying("spec, list, {allIndexes: true}, x", "existing"),
        );
        assert_eq!(
            spec["list"],
            json!([{"name": "a", "y": 0}, {"name": "b", "x": 2}, {"name": "c", "x": 9}])
        );
    }

    #[test]
    fn of_a_map_only_what_others_do_not_own_is_kept() {
        let shared = live(
            &json!({"m": {"ours": 1, "theirs": 2, "both": 3, "free": 4}}),
            &json!({"f:m": {"f:ours": {}, "f:both": {}}}),
            &json!({"f:m": {"f:theirs": {}, "f:both": {}}}),
        );
        let desired = json!({"m": {"ours": 9, "theirs": 9, "new": 9}});
        let spec = rebased(&desired, &shared, &copying("spec, m", "existing"));
        assert_eq!(spec, json!({"m": {"ours": 1}}));
    }

    #[test]
    fn removed_fields_are_not_desired() {
        let rule = format!(
            "rebaseRules:\n- path: [spec, list, {{allIndexes: true}}, x]\n  type: remove\n  {ALL}"
        );
        let any = live(&json!({}), &json!({}), &json!({}));
        let spec = rebased(
            &json!({"list": [{"x": 1, "y": 2}, {"x": 3, "z": 4}]}),
            &any,
            &rule,
        );
        assert_eq!(spec, json!({"list": [{"y": 2}, {"z": 4}]}));
    }

    #[test]
    fn excluded_fields_are_left_to_whoever_else_owns_them() {
        for key in [
            "diffAgainstLastAppliedFieldExclusionRules",
            "diffAgainstExistingFieldExclusionRules",
        ] {
            let rule = format!("{key}:\n- path: [spec, replicas]\n  {ALL}");
            let theirs = live(
                &json!({"replicas": 5}),
                &json!({}),
                &json!({"f:replicas": {}}),
            );
            assert_eq!(
                rebased(&json!({"replicas": 1, "a": 1}), &theirs, &rule),
                json!({"a": 1})
            );
            let ours = live(
                &json!({"replicas": 5}),
                &json!({"f:replicas": {}}),
                &json!({}),
            );
            assert_eq!(
                rebased(&json!({"replicas": 1}), &ours, &rule),
                json!({"replicas": 1})
            );
        }
    }

    #[test]
    fn no_rule_takes_an_object_its_name() {
        let rule = format!("rebaseRules:\n- paths: [[metadata], [kind]]\n  type: remove\n  {ALL}");
        let mut desired = deployment(&json!({}));
        rebase(
            &mut desired,
            &live(&json!({}), &json!({}), &json!({})),
            &rules(&rule),
        );
        assert_eq!(
            desired.tree()["metadata"],
            json!({"name": "web", "namespace": "x"})
        );
        assert_eq!(desired.kind(), "Deployment");
    }

    #[test]
    fn the_rules_of_an_aggregated_role_are_the_controllers() {
        let role = |rules: Value| {
            Object::new(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                "metadata": {"name": "r"}, "rules": rules, "aggregationRule": {"clusterRoleSelectors": [{}]}}))
            .unwrap()
        };
        let mut live = role(json!([{"verbs": ["get"]}]));
        live.tree_mut()["metadata"]["managedFields"] = json!([
            {"manager": "clusterrole-aggregation-controller", "operation": "Apply", "fieldsV1": {"f:rules": {}}}]);
        let mut desired = role(json!([]));
        rebase(&mut desired, &live, &Rules::default());
        assert_eq!(desired.get(&["rules"]), None);
    }

    #[test]
    fn additional_labels_go_on_objects_pods_and_where_rules_say() {
        let rules = rules(&format!(
            "additionalLabels: {{team: shop}}\nownershipLabelRules:\n- path: [spec, claims, {{allIndexes: true}}, labels]\n  {ALL}"
        ));
        let mut web =
            deployment(&json!({"template": {"spec": {}}, "claims": [{"labels": {}}, {}]}));
        label(&mut web, &rules.labels, &rules.label_places);
        assert_eq!(web.label("team"), Some("shop"));
        insta::assert_snapshot!(web.tree()["spec"], @r#"{"claims":[{"labels":{"team":"shop"}},{}],"template":{"metadata":{"labels":{"team":"shop"}},"spec":{}}}"#);
    }
}
