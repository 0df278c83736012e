//! Which values besides those of Secrets are hidden: paths as `mask` of `windlass.yaml` names them.
//!
//! The form is that of the paths in a diff, so that one can be copied from there, with `*` for any
//! key or item: `ConfigMap/app:data[db.conf]`, `spec.containers[*].env[name=TOKEN].value`.

use crate::object::Object;
use serde_json::Value;

/// A path to values that are hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskPath {
    kind: Option<String>,
    name: Option<String>,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// A key of a map, or an item of a list by its index.
    At(String),
    /// Any key or item.
    Any,
    /// The items that have these values.
    With(Vec<(String, String)>),
}

impl MaskPath {
    /// Reads `[KIND[/NAME]:]PATH`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        // A colon in brackets is part of a key.
        let head = text
            .find(['[', ':'])
            .filter(|at| text[*at..].starts_with(':'));
        let (object, path) = match head {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => ("", text),
        };
        let (kind, name) = object.split_once('/').unwrap_or((object, ""));
        let given = |part: &str| Some(part.to_owned()).filter(|part| !part.is_empty());
        Ok(Self {
            kind: given(kind),
            name: given(name),
            steps: steps(path.trim())?,
        })
    }

    /// Whether values of an object may be meant.
    pub(super) fn concerns(&self, object: &Object) -> bool {
        let is =
            |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|w| w == found);
        is(&self.kind, object.kind()) && is(&self.name, object.name())
    }

    /// Calls `visit` for each scalar at or below the path.
    pub(super) fn each(&self, tree: &mut Value, visit: &mut dyn FnMut(&mut Value)) {
        let mut found = vec![tree];
        for step in &self.steps {
            found = found.into_iter().flat_map(|value| step.of(value)).collect();
        }
        while let Some(value) = found.pop() {
            match value {
                Value::Object(map) => found.extend(map.values_mut()),
                Value::Array(items) => found.extend(items),
                Value::Null => {}
                scalar => visit(scalar),
            }
        }
    }
}

impl Step {
    fn of<'a>(&self, value: &'a mut Value) -> Vec<&'a mut Value> {
        match (self, value) {
            (Self::At(key), Value::Object(map)) => map.get_mut(key).into_iter().collect(),
            (Self::At(key), Value::Array(items)) => {
                let index = key.parse::<usize>().ok();
                index.and_then(|at| items.get_mut(at)).into_iter().collect()
            }
            (Self::Any, Value::Object(map)) => map.values_mut().collect(),
            (Self::Any, Value::Array(items)) => items.iter_mut().collect(),
            (Self::With(pairs), Value::Array(items)) => {
                let has = |item: &Value, key: &str, value: &str| match item.get(key) {
                    Some(Value::String(text)) => text == value,
                    Some(other) => {
                        let text = other.to_string();
                        text == value
                    }
                    None => false,
                };
                let fits =
                    |item: &&mut Value| pairs.iter().all(|(key, value)| has(item, key, value));
                items.iter_mut().filter(fits).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn steps(path: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let step;
        if let Some(inner) = rest.strip_prefix('[') {
            (step, rest) = inner
                .split_once(']')
                .ok_or_else(|| format!("`{path}` has a `[` without its `]`"))?;
        } else {
            let plain = rest.strip_prefix('.').unwrap_or(rest);
            (step, rest) = plain.split_at(plain.find(['.', '[']).unwrap_or(plain.len()));
        }
        if step.is_empty() {
            return Err(format!("`{path}` has an empty step"));
        }
        steps.push(read(step));
    }
    if steps.is_empty() {
        return Err("it names no path, such as `data.password`".to_owned());
    }
    Ok(steps)
}

fn read(step: &str) -> Step {
    if step == "*" {
        return Step::Any;
    }
    let pairs = step.split(',').map(|pair| {
        let (key, value) = pair.split_once('=')?;
        Some((key.to_owned(), value.to_owned()))
    });
    match pairs.collect() {
        Some(pairs) => Step::With(pairs),
        None => Step::At(step.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hidden(path: &str) -> String {
        let tree = json!({"kind": "Thing", "metadata": {"name": "x"},
            "data": {"a": "1", "db.conf": "2", "c:d": "3"},
            "list": [{"name": "web", "port": 80, "env": [{"name": "T", "value": "4"}]}, {"name": "b", "more": {"deep": [5, null]}}]});
        let mut object = Object::new(tree).unwrap();
        let path = MaskPath::parse(path).unwrap();
        let mut found = Vec::new();
        if path.concerns(&object) {
            path.each(object.tree_mut(), &mut |value| {
                found.push(value.to_string());
            });
        }
        found.sort();
        found.join(" ")
    }

    #[test]
    fn paths_are_written_as_a_diff_shows_them() {
        for (path, values) in [
            ("data.a", "\"1\""),
            ("data[db.conf]", "\"2\""),
            ("data[c:d]", "\"3\""),
            ("data", "\"1\" \"2\" \"3\""),
            ("data.*", "\"1\" \"2\" \"3\""),
            ("list[name=web].env[*].value", "\"4\""),
            ("list[name=web,port=80].env[0].value", "\"4\""),
            ("list[*].more", "5"),
            ("list[1].more.deep[0]", "5"),
            ("Thing:data.a", "\"1\""),
            ("Thing/x:data.a", "\"1\""),
            ("Thing/y:data.a", ""),
            ("Other:data.a", ""),
            ("data.none.deeper", ""),
        ] {
            assert_eq!(hidden(path), values, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", "ConfigMap:", "a..b", "a[b", "a[]"] {
            assert!(MaskPath::parse(text).is_err(), "{text}");
        }
    }
}
