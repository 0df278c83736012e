//! Locks as kbld applies them: every case of `tests/fixtures/kbld`, recorded from the real one.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use windlass::image::{self, Locks};
use windlass::object::Source;
use windlass_helm::yaml;

/// The sections of a case by their names.
fn sections(text: &str) -> BTreeMap<&str, &str> {
    let mut sections = BTreeMap::new();
    for section in text.split("=== ").skip(1) {
        let (name, body) = section.split_once('\n').unwrap();
        sections.insert(name, body);
    }
    sections
}

/// What windlass makes of a case, in the words of its program.
fn outcome(case: &BTreeMap<&str, &str>, annotated: bool) -> Result<String, String> {
    let told = |error: image::Error| {
        let hint = error.hint().map(|hint| format!("hint: {hint}\n"));
        format!("error: {error}\n{}", hint.unwrap_or_default())
    };
    let mut locks = Locks::default();
    let config = case["config"].as_bytes();
    locks.add("config.yml", config).map_err(told)?;
    let source = Source {
        file: "input.yml".to_owned(),
        line: 1,
    };
    let input = case["input"].as_bytes();
    let edits = image::rewrite(input, &source, &locks, annotated, |_| {}).map_err(told)?;
    Ok(String::from_utf8(edits.apply(input).into_owned()).unwrap())
}

/// The objects of a stream; the items of a list are objects of their own, as kbld prints them.
fn objects(text: &str) -> Vec<Value> {
    let documents = yaml::parse(text.as_bytes()).unwrap_or_default();
    let mut objects = Vec::new();
    for document in &documents {
        match yaml::to_json_value(document, document.root()) {
            Ok(Value::Null) | Err(_) => {}
            Ok(value) => match value.get("items").and_then(Value::as_array) {
                Some(items) => objects.extend(items.clone()),
                None => objects.push(value),
            },
        }
    }
    objects
}

/// Whether two values are equal. Texts are, too, when they hold equal YAML.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::String(one), Value::String(other)) if one != other => {
            let (one, other) = (objects(one), objects(other));
            let held = |values: &[Value]| values.iter().all(|v| v.is_object() || v.is_array());
            held(&one) && held(&other) && all_same(&one, &other)
        }
        (Value::Array(one), Value::Array(other)) => all_same(one, other),
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, value)| other.get(key).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

fn all_same(one: &[Value], other: &[Value]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
}

#[test]
fn images_are_replaced_as_the_real_kbld_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kbld");
    let mut failures = Vec::new();
    let mut cases = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        cases += 1;
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let case = sections(&text);
        let outcome = outcome(&case, name.starts_with("annotation"));
        let (expected, kbld) = match &outcome {
            Ok(_) => (case.get("windlass"), case.get("kbld 0.42.0")),
            Err(_) => (case.get("windlass fails"), case.get("kbld 0.42.0 fails")),
        };
        let (Ok(text) | Err(text)) = &outcome;
        if expected != Some(&text.as_str()) {
            failures.push(format!("{name}: not as recorded:\n{text}"));
        }
        let agrees = match &outcome {
            Ok(text) => kbld.is_some_and(|kbld| all_same(&objects(kbld), &objects(text))),
            Err(_) => kbld.is_some(),
        };
        if agrees == case.contains_key("differs") {
            let word = if agrees {
                "agrees with"
            } else {
                "differs from"
            };
            failures.push(format!("{name}: {word} kbld:\n{text}"));
        }
    }
    assert!(cases >= 70, "{cases} cases");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
