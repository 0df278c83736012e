//! Properties that hold for any objects.

use super::text::{LineKind, unified};
use super::{Masker, Op, Verdict, change, removal, verdict};
use crate::object::managed_fields::MANAGER;
use crate::object::{Manifest, Object, Source, normalize};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-5i64..5).prop_map(Value::from),
        "[a-c:# \n\"-]{0,6}".prop_map(Value::from),
        "\\PC{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c]|name|port|key", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Object> {
    const KINDS: &[(&str, &str)] = &[
        ("v1", "ConfigMap"),
        ("v1", "Pod"),
        ("apps/v1", "Deployment"),
        ("v1", "Secret"),
        ("v1", "Service"),
    ];
    let fields = prop::sample::select(vec!["spec", "data", "stringData", "status", "secrets"]);
    let body = prop::collection::btree_map(fields, any_value(), 0..4);
    (prop::sample::select(KINDS), body, any_value()).prop_map(|((api, kind), body, labels)| {
        let mut map: Map<String, Value> = body
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        map.insert("apiVersion".to_owned(), json!(api));
        map.insert("kind".to_owned(), json!(kind));
        map.insert(
            "metadata".to_owned(),
            json!({"name": "a", "namespace": "x", "labels": labels}),
        );
        Object::new(Value::Object(map)).unwrap()
    })
}

fn manifest(object: Object) -> Manifest {
    Manifest {
        object,
        source: Source {
            file: "t.yaml".to_owned(),
            line: 1,
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_change_says_exactly_what_differs(mut desired in any_object(), live in any_object(), predicted in any_object()) {
        let masker = Masker::new([3; 32], true);
        drop(normalize(&mut desired));
        prop_assert_ne!(verdict(&desired, Some(&live), None, b"key", MANAGER), Verdict::Create);
        let found = change(&manifest(desired), Some(&live), Some(&predicted), &masker);
        let lines = unified(&found, 1);
        let differs = lines.iter().any(|line| matches!(line.kind, LineKind::Added | LineKind::Removed));
        prop_assert_eq!(found.op == Op::Update, !found.fields.is_empty());
        prop_assert_eq!(found.op == Op::Update, differs);
        let mut paths: Vec<_> = found.fields.iter().map(|field| &field.path).collect();
        paths.dedup();
        prop_assert_eq!(paths.len(), found.fields.len());
        drop(removal(&live, &masker));
    }

    #[test]
    fn normalizing_twice_changes_nothing(mut object in any_object()) {
        drop(normalize(&mut object));
        let once = object.clone();
        drop(normalize(&mut object));
        prop_assert_eq!(once, object);
    }

    #[test]
    fn no_secret_is_ever_shown(before in "[A-Za-z0-9]{8,20}", after in "[A-Za-z0-9]{8,20}", plain in any::<bool>()) {
        let masker = Masker::new([3; 32], false);
        let secret = |text: &str| {
            let mut object = Object::new(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"k": text}})).unwrap();
            if !plain {
                drop(normalize(&mut object));
            }
            object
        };
        let (live, desired) = (secret(&before), secret(&after));
        let found = change(&manifest(desired.clone()), Some(&live), Some(&desired), &masker);
        let shown = format!("{:?}{:?}{:?}{:?}", found.before, found.after, found.fields, unified(&found, 9));
        for object in [&live, &desired] {
            for field in ["data", "stringData"] {
                if let Some(value) = object.get(&[field, "k"]).and_then(Value::as_str) {
                    prop_assert!(!shown.contains(value));
                    prop_assert_eq!(masker.scrub(&format!("bad {value}!")), "bad <masked>!");
                }
            }
        }
        prop_assert!(!shown.contains(&before) && !shown.contains(&after));
        prop_assert_eq!(found.op == Op::Noop, before == after);
    }
}
