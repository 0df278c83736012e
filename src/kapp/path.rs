//! Paths of kapp's rules: `[spec, containers, {allIndexes: true}, image]`, and what they mean in a
//! tree. Follows kapp's `pkg/kapp/resources/mod_path.go`.

use regex::Regex;
use serde_json::Value;
use std::fmt;

/// One step of a path.
#[derive(Clone, Debug)]
pub enum Step {
    /// A key of a map.
    Key(String),
    /// An item of a list by its index.
    Index(usize),
    /// Every item of a list: `{allIndexes: true}`.
    All,
    /// Every key of a map that the pattern finds: `{regex: …}`.
    Matching(Regex),
}

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Key(one), Self::Key(two)) => one == two,
            (Self::Index(one), Self::Index(two)) => one == two,
            (Self::All, Self::All) => true,
            (Self::Matching(one), Self::Matching(two)) => one.as_str() == two.as_str(),
            _ => false,
        }
    }
}

/// Where a rule applies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Path(pub Vec<Step>);

impl fmt::Display for Path {
    /// `spec.containers[*].image`, as messages name fields.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            let dot = if i == 0 { "" } else { "." };
            match step {
                Step::Key(key) => write!(f, "{dot}{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::All => write!(f, "[*]")?,
                Step::Matching(pattern) => write!(f, "{dot}/{}/", pattern.as_str())?,
            }
        }
        Ok(())
    }
}

/// One step of a place: where exactly in one tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A key of a map.
    Key(String),
    /// An item of a list.
    Item(usize),
}

/// A value in one tree.
pub type Place = Vec<Part>;

impl Path {
    /// A path of keys; `*` stands for all items of a list.
    #[must_use]
    pub fn of(keys: &[&str]) -> Self {
        let step = |key: &&str| match *key {
            "*" => Step::All,
            key => Step::Key(key.to_owned()),
        };
        Self(keys.iter().map(step).collect())
    }

    /// All places of a tree that the path leads to, in the order of the tree.
    #[must_use]
    pub fn places(&self, tree: &Value) -> Vec<Place> {
        let mut found: Vec<(Place, &Value)> = vec![(Vec::new(), tree)];
        for step in &self.0 {
            found = found
                .into_iter()
                .flat_map(|(place, value)| {
                    parts(step, value).into_iter().map(move |(part, value)| {
                        let mut place = place.clone();
                        place.push(part);
                        (place, value)
                    })
                })
                .collect();
        }
        found.into_iter().map(|(place, _)| place).collect()
    }
}

fn parts<'a>(step: &Step, value: &'a Value) -> Vec<(Part, &'a Value)> {
    match (step, value) {
        (Step::Key(key), Value::Object(map)) => map
            .get(key)
            .map(|value| (Part::Key(key.clone()), value))
            .into_iter()
            .collect(),
        (Step::Matching(pattern), Value::Object(map)) => map
            .iter()
            .filter(|(key, _)| pattern.is_match(key))
            .map(|(key, value)| (Part::Key(key.clone()), value))
            .collect(),
        (Step::Index(index), Value::Array(items)) => items
            .get(*index)
            .map(|value| (Part::Item(*index), value))
            .into_iter()
            .collect(),
        (Step::All, Value::Array(items)) => items
            .iter()
            .enumerate()
            .map(|(index, value)| (Part::Item(index), value))
            .collect(),
        _ => Vec::new(),
    }
}

/// The value at a place.
#[must_use]
pub fn at<'a>(tree: &'a Value, place: &[Part]) -> Option<&'a Value> {
    place.iter().try_fold(tree, |value, part| match part {
        Part::Key(key) => value.get(key),
        Part::Item(index) => value.get(index),
    })
}

/// The value at a place, to be changed.
pub fn at_mut<'a>(tree: &'a mut Value, place: &[Part]) -> Option<&'a mut Value> {
    place.iter().try_fold(tree, |value, part| match part {
        Part::Key(key) => value.get_mut(key),
        Part::Item(index) => value.get_mut(index),
    })
}

/// Puts a value at a place. Maps on the way are made; items of lists are not: without them nothing
/// is put.
pub(super) fn put(tree: &mut Value, place: &[Part], new: Value) {
    let mut value = tree;
    for part in place {
        let next = match (part, value) {
            (Part::Key(key), Value::Object(map)) => {
                Some(map.entry(key.clone()).or_insert(Value::Null))
            }
            (Part::Key(key), value @ Value::Null) => {
                *value = Value::Object(serde_json::Map::new());
                value
                    .as_object_mut()
                    .map(|map| map.entry(key.clone()).or_insert(Value::Null))
            }
            (Part::Item(index), value) => value.get_mut(index),
            _ => None,
        };
        let Some(next) = next else { return };
        value = next;
    }
    *value = new;
}

/// Takes the value at a place out of the tree, and the maps that are empty without it.
pub fn take(tree: &mut Value, place: &[Part]) {
    let Some((last, above)) = place.split_last() else {
        return;
    };
    let Some(parent) = at_mut(tree, above) else {
        return;
    };
    match (last, &mut *parent) {
        (Part::Key(key), Value::Object(map)) => {
            let taken = map.remove(key).is_some();
            if taken && map.is_empty() && matches!(above.last(), Some(Part::Key(_))) {
                take(tree, above);
            }
        }
        (Part::Item(index), Value::Array(items)) if *index < items.len() => {
            items.remove(*index);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn words(path: &Path, tree: &Value) -> Vec<Value> {
        let places = path.places(tree);
        places
            .iter()
            .map(|place| at(tree, place).unwrap().clone())
            .collect()
    }

    #[test]
    fn a_path_leads_to_every_place_that_it_means() {
        let tree = json!({"a": [{"b": 1}, {"c": 2}, {"b": 3}], "m": {"x-1": 4, "y": 5, "x-2": 6}});
        assert_eq!(words(&Path::of(&["a", "*", "b"]), &tree), [1, 3]);
        let second = Path(vec![Step::Key("a".to_owned()), Step::Index(1)]);
        assert_eq!(words(&second, &tree), [json!({"c": 2})]);
        let matching = Step::Matching(Regex::new("^x-").unwrap());
        let path = Path(vec![Step::Key("m".to_owned()), matching]);
        assert_eq!(words(&path, &tree), [4, 6]);
        assert_eq!(path.to_string(), "m./^x-/");
        assert!(words(&Path::of(&["a", "b"]), &tree).is_empty());
    }

    #[test]
    fn values_are_put_and_taken_with_the_maps_around_them() {
        let mut tree = json!({"l": [{}]});
        let key = |key: &str| Part::Key(key.to_owned());
        put(&mut tree, &[key("a"), key("b")], json!(1));
        put(&mut tree, &[key("l"), Part::Item(0), key("c")], json!(2));
        put(&mut tree, &[key("l"), Part::Item(7), key("c")], json!(3));
        assert_eq!(tree, json!({"a": {"b": 1}, "l": [{"c": 2}]}));
        take(&mut tree, &[key("a"), key("b")]);
        take(&mut tree, &[key("l"), Part::Item(0), key("c")]);
        assert_eq!(tree, json!({"l": [{}]}));
    }
}
