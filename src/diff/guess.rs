//! What an object becomes by an apply, guessed where the server was not asked: server-side apply after
//! `metadata.managedFields`, without the schema.
//!
//! What only the live object has is not ours, and stays, unless `managedFields` has it as ours. A list
//! that is owned as a whole hides what was applied of its items and what the server put in: there
//! nothing is taken away, and the guess is said to be unsure.

use super::fields::keys_of;
use super::verdict::is_part;
use crate::object::Object;
use crate::object::managed_fields::{self, FieldSet, MANAGER, Part};
use serde_json::{Map, Value};

/// Maps whose keys are those of people: the server puts nothing in.
const OF_PEOPLE: &[&str] = &["annotations", "labels", "matchLabels", "nodeSelector"];

/// A guess.
pub(super) struct Guess {
    /// What the object becomes.
    pub(super) after: Object,
    /// Whether fields may go that it keeps.
    pub(super) is_unsure: bool,
}

/// The live object as it is after an apply of the desired one.
pub(super) fn guess(live: &Object, desired: &Object) -> Guess {
    let owned = managed_fields::applied_in(live, MANAGER, live.api_version())
        .then(|| managed_fields::applied_by(live, MANAGER))
        .flatten();
    let mut walk = Walk {
        in_list: false,
        is_unsure: false,
    };
    let mut tree = live.tree().clone();
    let owned = owned.as_ref().map_or(Owned::Nothing, Owned::Parts);
    walk.lay_over(&mut tree, desired.tree(), owned);
    Guess {
        after: Object::new(tree).unwrap_or_else(|| desired.clone()),
        is_unsure: walk.is_unsure,
    }
}

/// What is ours of a live value.
#[derive(Clone, Copy)]
enum Owned<'a> {
    /// Nothing, as far as is known.
    Nothing,
    /// All of it; what we did not apply of it is not told apart.
    Whole,
    /// These parts.
    Parts(&'a FieldSet),
}

impl<'a> Owned<'a> {
    /// What is ours of the part of a value that a test finds.
    fn part(self, is_meant: impl Fn(&Part) -> bool) -> Self {
        let Self::Parts(set) = self else {
            return self;
        };
        match set.parts.iter().find(|(part, _)| is_meant(part)) {
            None => Self::Nothing,
            Some((_, set)) if set.is_leaf() => Self::Whole,
            Some((_, set)) => Self::Parts(set),
        }
    }
}

struct Walk {
    /// Whether the value at hand is in an item of a list.
    in_list: bool,
    is_unsure: bool,
}

impl Walk {
    /// Goes as deep as the input, which its readers bound.
    fn lay_over(&mut self, base: &mut Value, over: &Value, owned: Owned<'_>) {
        match (base, over) {
            (Value::Object(base), Value::Object(over)) => self.maps(base, over, owned),
            (Value::Array(base), Value::Array(over)) => self.lists(base, over, owned),
            (base, over) => *base = over.clone(),
        }
    }

    fn maps(&mut self, base: &mut Map<String, Value>, over: &Map<String, Value>, owned: Owned<'_>) {
        for (key, value) in over {
            let is_field = |part: &Part| matches!(part, Part::Field(name) if name == key);
            let below = owned.part(is_field);
            let old = base.entry(key.clone()).or_insert(Value::Null);
            if let (Owned::Whole, Value::Object(old), Value::Object(new)) =
                (below, &mut *old, value)
                && (!self.in_list || OF_PEOPLE.contains(&key.as_str()))
            {
                old.retain(|key, _| new.contains_key(key));
            }
            self.lay_over(old, value, below);
        }
        match owned {
            Owned::Nothing => {}
            Owned::Whole => self.is_unsure |= base.len() > over.len(),
            Owned::Parts(set) => {
                for (part, set) in &set.parts {
                    if matches!(part, Part::Field(name) if !over.contains_key(name)) {
                        take_out(base, part, set);
                    }
                }
            }
        }
    }

    fn lists(&mut self, base: &mut Vec<Value>, over: &[Value], owned: Owned<'_>) {
        let old = std::mem::take(base);
        let pairs = pairs(&old, over);
        let outside = std::mem::replace(&mut self.in_list, true);
        for (item, pair) in over.iter().zip(&pairs) {
            let mut merged = pair.map_or(Value::Null, |index| old[index].clone());
            let below = owned.part(|part| is_part(part, item));
            self.lay_over(&mut merged, item, below);
            base.push(merged);
        }
        self.in_list = outside;
        // Where items have owners of their own, those of others stay.
        let Owned::Parts(set) = owned else {
            return;
        };
        for (index, item) in old.into_iter().enumerate() {
            let is_ours = set.parts.iter().any(|(part, _)| is_part(part, &item));
            if !is_ours && !pairs.contains(&Some(index)) {
                base.insert(index.min(base.len()), item);
            }
        }
    }
}

/// Takes what is ours out of a part of a map, and the part itself when nothing is left of it.
fn take_out(map: &mut Map<String, Value>, part: &Part, set: &FieldSet) {
    let mut root = Value::Object(std::mem::take(map));
    take_part(&mut root, part, set);
    if let Value::Object(rest) = root {
        *map = rest;
    }
}

fn take_part(value: &mut Value, part: &Part, set: &FieldSet) {
    if set.is_leaf() || matches!(part, Part::Key(_)) {
        return part.remove_from(value);
    }
    let Some(found) = part.of_mut(value) else {
        return;
    };
    for (part, set) in &set.parts {
        take_part(found, part, set);
    }
    let is_empty = match found {
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    if is_empty {
        part.remove_from(value);
    }
}

/// For each new item the index of the old one that it stands for: by key, by the name in its
/// metadata, by place in a list that is as long as before, else by being the same.
fn pairs(old: &[Value], new: &[Value]) -> Vec<Option<usize>> {
    let name = |item: &Value| item.pointer("/metadata/name").cloned();
    let all_named = || old.iter().chain(new).all(|item| name(item).is_some());
    let find = |is_same: &dyn Fn(&Value, &Value) -> bool| -> Vec<Option<usize>> {
        let find = |item: &Value| old.iter().position(|other| is_same(other, item));
        new.iter().map(find).collect()
    };
    if let Some(keys) = keys_of(old, new) {
        // The server fills in the protocol of a port.
        let key = |item: &Value, key: &str| match (item.get(key), key) {
            (None, "protocol") => Some(Value::from("TCP")),
            (found, _) => found.cloned(),
        };
        find(&|other, item| keys.iter().all(|name| key(other, name) == key(item, name)))
    } else if all_named() {
        find(&|other, item| name(other) == name(item))
    } else if old.len() == new.len() && new.iter().all(Value::is_object) {
        (0..new.len()).map(Some).collect()
    } else {
        find(&|other, item| other == item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::shown::cleaned;
    use serde_json::json;

    fn object(tree: &Value) -> Object {
        Object::new(tree.clone()).unwrap()
    }

    /// An object with a spec, owned as `fieldsV1` says.
    fn owned(fields: &Value, spec: &Value) -> Object {
        object(
            &json!({"apiVersion": "v1", "kind": "X", "spec": spec, "metadata": {"name": "x", "managedFields": [
            {"manager": MANAGER, "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:spec": fields}}]}}),
        )
    }

    /// The spec that is guessed, and whether the guess is unsure.
    fn guessed(fields: &Value, live: &Value, desired: &Value) -> (Value, bool) {
        let desired = owned(&json!({}), desired);
        let guess = guess(&owned(fields, live), &desired);
        (guess.after.tree()["spec"].clone(), guess.is_unsure)
    }

    /// What a real server made of objects after they were applied: no default of it goes.
    #[test]
    fn no_field_of_an_unchanged_object_is_taken_away() {
        let cases: Vec<Value> =
            serde_json::from_str(include_str!("../../tests/fixtures/live/unchanged.json")).unwrap();
        for case in cases {
            let (live, desired) = (object(&case["live"]), object(&case["desired"]));
            let guess = guess(&live, &desired);
            let changed = crate::diff::fields::fields(&cleaned(&live), &cleaned(&guess.after), &[]);
            let gone: Vec<_> = changed
                .iter()
                .filter(|field| field.after.is_none())
                .collect();
            assert!(gone.is_empty(), "{}: {gone:#?}", live.reference());
        }
    }

    #[test]
    fn defaults_in_items_of_a_list_that_is_owned_whole_stay_and_are_unsure() {
        let claims = json!({"f:volumeClaimTemplates": {}, "f:serviceName": {}});
        let live = json!({"serviceName": "a", "volumeClaimTemplates": [{"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem"}, "status": {"phase": "Pending"}}]});
        let desired = json!({"serviceName": "b", "volumeClaimTemplates": [
            {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}]});
        let mut expected = live.clone();
        expected["serviceName"] = "b".into();
        assert_eq!(guessed(&claims, &live, &desired), (expected, true));
        // Without a default nothing is left open.
        let plain = json!({"volumeClaimTemplates": desired["volumeClaimTemplates"]});
        assert_eq!(guessed(&claims, &plain, &plain), (plain.clone(), false));
        // A claim that is no longer desired goes.
        let none = json!({"volumeClaimTemplates": []});
        assert_eq!(guessed(&claims, &plain, &none), (none, false));
    }

    #[test]
    fn what_is_ours_by_name_goes_and_what_is_not_stays() {
        let fields = json!({"f:a": {}, "f:m": {"f:x": {}}, "f:list": {
            "k:{\"name\":\"one\"}": {".": {}, "f:name": {}, "f:image": {}, "f:args": {}},
            "k:{\"name\":\"two\"}": {".": {}, "f:name": {}}}});
        let live = json!({"a": 1, "b": 2, "m": {"x": 1}, "list": [
            {"name": "injected"}, {"name": "one", "image": "i", "args": ["x"], "policy": "Always"}, {"name": "two"}]});
        let desired = json!({"list": [{"name": "one", "image": "j"}]});
        let expected = json!({"b": 2, "list": [{"name": "injected"}, {"name": "one", "image": "j", "policy": "Always"}]});
        assert_eq!(guessed(&fields, &live, &desired), (expected, false));
    }

    #[test]
    fn ports_are_the_same_when_the_server_filled_in_their_protocol() {
        let fields = json!({"f:ports": {
            "k:{\"containerPort\":53,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}},
            "k:{\"containerPort\":53,\"protocol\":\"UDP\"}": {".": {}, "f:containerPort": {}, "f:protocol": {}}}});
        let live = json!({"ports": [{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]});
        let desired =
            json!({"ports": [{"containerPort": 53}, {"containerPort": 53, "protocol": "UDP"}]});
        assert_eq!(guessed(&fields, &live, &desired), (live, false));
    }

    #[test]
    fn keys_of_maps_that_are_owned_whole_go() {
        let selector = json!({"f:selector": {}});
        let labels = |labels: Value| json!({"selector": {"matchLabels": labels}});
        let live = labels(json!({"app": "web", "tier": "a"}));
        let desired = labels(json!({"app": "web"}));
        assert_eq!(guessed(&selector, &live, &desired), (desired, false));
        // In items of lists, too.
        let item = |labels: Value| json!({"peers": [{"podSelector": {"matchLabels": labels}}]});
        let live = item(json!({"app": "web", "tier": "a"}));
        let desired = item(json!({"app": "web"}));
        assert_eq!(
            guessed(&json!({"f:peers": {}}), &live, &desired),
            (desired, false)
        );
    }

    #[test]
    fn without_owners_nothing_goes_but_items_that_are_not_desired() {
        let live = json!({"a": 1, "list": [{"name": "one", "x": 1}, {"name": "two"}]});
        let desired = json!({"list": [{"name": "one"}]});
        let guess = guess(
            &object(
                &json!({"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "spec": live}),
            ),
            &owned(&json!({}), &desired),
        );
        let expected = json!({"a": 1, "list": [{"name": "one", "x": 1}]});
        assert_eq!(
            (&guess.after.tree()["spec"], guess.is_unsure),
            (&expected, false)
        );
    }
}
