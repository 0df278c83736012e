//! Makes the change of one object from what is desired, what is live and what the server predicts.

use super::change::RERUN;
use super::guess::guess;
use super::mask::Masker;
use super::shown::{cleaned, shown_pair, shown_whole};
use super::{Change, Op, Untried, fields};
use crate::object::managed_fields::{self, MANAGER};
use crate::object::{Manifest, Object};

/// Why an object that is there is not updated.
const SKIP: &str = "kapp.k14s.io/update-strategy: skip";

/// The change that applying a manifest makes.
///
/// `predicted` is the answer of a server-side dry run; without it that is guessed from what is ours of
/// the live object. It is a no-op where the prediction equals the live
/// object in everything but what the server keeps for itself; where only the ownership of fields
/// changes it is an update without fields, with the reason said. The annotations
/// `kapp.k14s.io/exists`, `noop` and `update-strategy` are obeyed; a no-op that has fields is an object
/// that differs and is skipped.
#[must_use]
pub fn change(
    manifest: &Manifest,
    live: Option<&Object>,
    predicted: Option<&Object>,
    masker: &Masker,
) -> Change {
    let desired = &manifest.object;
    let mut change = Change {
        target: desired.reference(),
        op: Op::Noop,
        desired: Some(desired.clone()),
        live: live.cloned(),
        before: None,
        after: None,
        fields: Vec::new(),
        source: Some(manifest.source.clone()),
        reason: String::new(),
        is_unsure: false,
        untried: None,
    };
    let decided = by_annotation(desired, live);
    if let Some((op, reason)) = decided {
        change.op = op;
        reason.clone_into(&mut change.reason);
        if reason != SKIP {
            return change;
        }
    }
    let Some(live) = live else {
        change.op = Op::Create;
        change.after = Some(shown_whole(predicted.unwrap_or(desired), masker));
        return change;
    };
    let guess = predicted.is_none().then(|| guess(live, desired));
    change.is_unsure = guess.as_ref().is_some_and(|guess| guess.is_unsure);
    let guessed = guess.as_ref().map(|guess| &guess.after);
    let after = predicted.or(guessed).unwrap_or(desired);
    if cleaned(live) == cleaned(after) {
        if decided.is_none() && takes_ownership(live, after) {
            change.op = Op::Update;
            change.reason = match managed_fields::applied_in(live, MANAGER, after.api_version()) {
                true => "only the ownership of fields changes".to_owned(),
                false => format!("its fields become those of {}", after.api_version()),
            };
        }
        return change;
    }
    if decided.is_some() {
        show_both(&mut change, live, after, masker);
        change.reason = format!("{SKIP}, though it differs: {}", change.changed());
        return change;
    }
    change.op = match desired.annotation("kapp.k14s.io/update-strategy") {
        Some("always-replace") => {
            "kapp.k14s.io/update-strategy: always-replace".clone_into(&mut change.reason);
            Op::Replace
        }
        _ => Op::Update,
    };
    show_both(&mut change, live, after, masker);
    change
}

/// The change of an object that nothing is done to: what [`super::verdict`] decided locally.
#[must_use]
pub fn unchanged(manifest: &Manifest, live: &Object) -> Change {
    Change {
        target: manifest.object.reference(),
        op: Op::Noop,
        desired: Some(manifest.object.clone()),
        live: Some(live.clone()),
        before: None,
        after: None,
        fields: Vec::new(),
        source: Some(manifest.source.clone()),
        reason: String::new(),
        is_unsure: false,
        untried: None,
    }
}

/// The change of an object that must be deleted and created again, with the reason
/// (`spec.selector is immutable`). The server is not asked: what comes of it is guessed.
#[must_use]
pub fn replace(manifest: &Manifest, live: &Object, reason: &str, masker: &Masker) -> Change {
    let mut change = unchanged(manifest, live);
    change.op = Op::Replace;
    reason.clone_into(&mut change.reason);
    let guess = guess(live, &manifest.object);
    change.is_unsure = guess.is_unsure;
    change.untried = Some(Untried::MadeAnew);
    show_both(&mut change, live, &guess.after, masker);
    change
}

/// The change of a hook that ran before and is deleted before it runs again. The server is not asked:
/// it would compare with what goes.
#[must_use]
pub fn rerun(manifest: &Manifest, live: &Object, masker: &Masker) -> Change {
    replace(manifest, live, RERUN, masker)
}

/// The change of a live object that is no longer wanted: a delete, or a keep when the live object
/// asks for it (`helm.sh/resource-policy: keep`, `kapp.k14s.io/delete-strategy: orphan`) or is a
/// namespace of Kubernetes itself.
#[must_use]
pub fn removal(live: &Object, masker: &Masker) -> Change {
    let reason = reason_to_stay(live);
    Change {
        target: live.reference(),
        op: if reason.is_some() {
            Op::Keep
        } else {
            Op::Delete
        },
        desired: None,
        live: Some(live.clone()),
        before: Some(shown_whole(live, masker)),
        after: None,
        fields: Vec::new(),
        source: None,
        reason: reason.unwrap_or_default(),
        is_unsure: false,
        untried: None,
    }
}

/// Why a live object stays although nobody wants it any more.
fn reason_to_stay(live: &Object) -> Option<String> {
    const SYSTEM: &[&str] = &["default", "kube-node-lease", "kube-public", "kube-system"];
    const POLICIES: &[(&str, &str)] = &[
        ("helm.sh/resource-policy", "keep"),
        ("kapp.k14s.io/delete-strategy", "orphan"),
    ];
    if live.kind() == "Namespace" && SYSTEM.contains(&live.name()) {
        return Some("the cluster needs this namespace".to_owned());
    }
    POLICIES
        .iter()
        .find(|(key, value)| {
            live.annotation(key)
                .is_some_and(|found| found.trim() == *value)
        })
        .map(|(key, value)| format!("{key}: {value}"))
}

fn by_annotation(desired: &Object, live: Option<&Object>) -> Option<(Op, &'static str)> {
    if desired.annotation("kapp.k14s.io/noop").is_some() {
        return Some((Op::Noop, "kapp.k14s.io/noop"));
    }
    if desired.annotation("kapp.k14s.io/exists").is_some() {
        let op = if live.is_some() { Op::Noop } else { Op::Exists };
        return Some((op, "kapp.k14s.io/exists"));
    }
    let skip = desired.annotation("kapp.k14s.io/update-strategy") == Some("skip");
    (skip && live.is_some()).then_some((Op::Noop, SKIP))
}

/// Whether nothing is done to an object that is there, whatever the server would make of it.
#[must_use]
pub fn is_left_alone(desired: &Object) -> bool {
    by_annotation(desired, Some(desired)).is_some()
}

fn show_both(change: &mut Change, live: &Object, after: &Object, masker: &Masker) {
    let (before, after) = shown_pair(live, after, masker);
    change.fields = fields::fields(&before, &after, &managed_fields::entries(live));
    change.before = Some(before);
    change.after = Some(after);
}

/// Whether a dry run says that our manager owns other fields afterwards, or the same by the names of
/// another version: as long as these stay, nothing can be decided without the server.
fn takes_ownership(live: &Object, predicted: &Object) -> bool {
    let Some(after) = managed_fields::applied_by(predicted, MANAGER) else {
        return false;
    };
    let named = managed_fields::applied_in(live, MANAGER, predicted.api_version());
    !named || managed_fields::applied_by(live, MANAGER).is_none_or(|before| before != after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::text::{LineKind, unified};
    use crate::object::Source;
    use serde_json::{Value, json};

    fn masker() -> Masker {
        Masker::new([1; 32], false)
    }

    fn manifest(tree: Value) -> Manifest {
        let source = Source {
            file: "t.yaml".to_owned(),
            line: 1,
        };
        Manifest {
            object: Object::new(tree).unwrap(),
            source,
        }
    }

    fn object(tree: &Value) -> Object {
        Object::new(tree.clone()).unwrap()
    }

    fn text(change: &Change) -> String {
        unified(change, 2)
            .iter()
            .map(|line| {
                let mark = match line.kind {
                    LineKind::Context => "  ",
                    LineKind::Added => "+ ",
                    LineKind::Removed => "- ",
                    LineKind::Header => "@ ",
                    LineKind::Skipped => ". ",
                };
                format!("{mark}{}\n", line.text)
            })
            .collect()
    }

    fn secret(data: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "x"}, "data": data})
    }

    /// What a real server predicts for objects that did not change.
    #[test]
    fn predictions_of_unchanged_objects_are_noops() {
        let cases: Vec<Value> =
            serde_json::from_str(include_str!("../../tests/fixtures/live/unchanged.json")).unwrap();
        for case in cases {
            let (live, predicted) = (object(&case["live"]), object(&case["predicted"]));
            let change = change(
                &manifest(case["desired"].clone()),
                Some(&live),
                Some(&predicted),
                &masker(),
            );
            assert_eq!(change.op, Op::Noop, "{}: {}", change.target, text(&change));
        }
    }

    #[test]
    fn a_real_change_is_shown_with_its_foreign_owner() {
        let case: Value = serde_json::from_str(include_str!(
            "../../tests/fixtures/live/scaled-and-changed.json"
        ))
        .unwrap();
        let (live, predicted) = (object(&case["live"]), object(&case["predicted"]));
        let change = change(
            &manifest(case["desired"].clone()),
            Some(&live),
            Some(&predicted),
            &masker(),
        );
        assert_eq!(change.op, Op::Update);
        let fields: Vec<_> = change
            .fields
            .iter()
            .map(|field| serde_json::to_string(field).unwrap())
            .collect();
        insta::assert_snapshot!(fields.join("\n"), @r#"
        {"path":"spec.replicas","op":"replace","before":3,"after":2,"masked":false,"manager":"kubectl","operation":"Update","subresource":"scale"}
        {"path":"spec.template.spec.containers[name=web].env[name=B]","op":"remove","before":{"name":"B","valueFrom":{"configMapKeyRef":{"key":"b","name":"web"}}},"masked":false,"manager":"windlass","operation":"Apply"}
        {"path":"spec.template.spec.containers[name=web].env[name=C]","op":"add","after":{"name":"C","value":"3"},"masked":false}
        {"path":"spec.template.spec.containers[name=web].image","op":"replace","before":"nginx:1","after":"nginx:2","masked":false,"manager":"windlass","operation":"Apply"}
        "#);
        insta::assert_snapshot!(text(&change), @r#"
        . 9 equal lines
        @ spec
          spec:
            progressDeadlineSeconds: 600
        -   replicas: 3
        +   replicas: 2
            revisionHistoryLimit: 10
            selector:
        . 16 equal lines
        @ spec.template.spec.containers[name=web].env[name=C]
                  - b
                  env:
        +         - name: C
        +           value: "3"
                  - name: A
                    value: "1"
        -         - name: B
        -           valueFrom:
        -             configMapKeyRef:
        -               name: web
        -               key: b
        -         image: nginx:1
        +         image: nginx:2
                  imagePullPolicy: IfNotPresent
                  ports:
        . 33 equal lines
        "#);
    }

    #[test]
    fn a_creation_is_shown_whole_and_masked() {
        let created = manifest(secret(&json!({"a": "aHVudGVyMg=="})));
        let change = change(&created, None, None, &masker());
        assert_eq!(change.op, Op::Create);
        insta::assert_snapshot!(text(&change), @"
        + apiVersion: v1
        + kind: Secret
        + metadata:
        +   name: s
        +   namespace: x
        + data:
        +   a: <masked f26b5407>
        ");
    }

    #[test]
    fn secrets_that_differ_can_be_told_apart_and_are_never_shown() {
        let live = object(&secret(
            &json!({"a": "aHVudGVyMg==", "b": "c2FtZQ==", "c": "Z29uZQ=="}),
        ));
        let desired = secret(&json!({"a": "bmV3", "b": "c2FtZQ=="}));
        let predicted = object(&desired);
        let change = change(&manifest(desired), Some(&live), Some(&predicted), &masker());
        insta::assert_snapshot!(text(&change), @"
        . 4 equal lines
        @ data
            namespace: x
          data:
        -   a: <masked f26b5407>
        +   a: <masked 001869f7>
            b: <masked 7df2d4e7>
        -   c: <masked 34ba1674>
        ");
        assert!(change.fields.iter().all(|field| field.masked));
        let shown = format!("{:?}{:?}{:?}", change.before, change.after, change.fields);
        for value in ["hunter2", "aHVudGVyMg", "c2FtZQ", "bmV3", "Z29uZQ"] {
            assert!(!shown.contains(value), "{value}");
        }
    }

    #[test]
    fn bookkeeping_is_shown_only_when_it_changes() {
        let with = |part_of: &str, data: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s", "labels": {"applyset.kubernetes.io/part-of": part_of}}, "data": {"a": data}});
        let changed = |before: Value, after: Value| {
            let (live, predicted) = (object(&before), object(&after));
            text(&change(
                &manifest(after),
                Some(&live),
                Some(&predicted),
                &masker(),
            ))
        };
        assert!(!changed(with("x", "1"), with("x", "2")).contains("part-of"));
        assert!(changed(with("x", "1"), with("z", "1")).contains("part-of: z"));
        let whole = [
            change(&manifest(with("x", "1")), None, None, &masker()),
            removal(&object(&with("x", "1")), &masker()),
        ];
        assert!(whole.iter().all(|change| !text(change).contains("labels")));
    }

    #[test]
    fn a_change_of_ownership_alone_is_an_update_without_fields() {
        let owned = |fields: Value| {
            object(
                &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s", "managedFields": [
                {"manager": "windlass", "operation": "Apply", "apiVersion": "v1", "fieldsV1": fields}]}, "data": {"a": "1", "b": "2"}}),
            )
        };
        let live = owned(json!({"f:data": {"f:a": {}}}));
        let predicted = owned(json!({"f:data": {"f:a": {}, "f:b": {}}}));
        let desired = manifest(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s"}, "data": {"a": "1", "b": "2"}}),
        );
        let change = change(&desired, Some(&live), Some(&predicted), &masker());
        assert_eq!((change.op, change.fields.len()), (Op::Update, 0));
        assert_eq!(change.reason, "only the ownership of fields changes");
    }

    #[test]
    fn annotations_of_kapp_decide_on_the_op() {
        let with = |key: &str, value: &str| {
            manifest(
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s", "annotations": {key: value}}, "data": {"a": "1"}}),
            )
        };
        let live =
            object(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s"}}));
        for (key, value, present, absent) in [
            ("kapp.k14s.io/exists", "", Op::Noop, Op::Exists),
            ("kapp.k14s.io/noop", "", Op::Noop, Op::Noop),
            ("kapp.k14s.io/update-strategy", "skip", Op::Noop, Op::Create),
            (
                "kapp.k14s.io/update-strategy",
                "always-replace",
                Op::Replace,
                Op::Create,
            ),
            (
                "kapp.k14s.io/update-strategy",
                "fallback-on-replace",
                Op::Update,
                Op::Create,
            ),
        ] {
            let desired = with(key, value);
            assert_eq!(
                change(&desired, Some(&live), None, &masker()).op,
                present,
                "{key} {value}"
            );
            assert_eq!(
                change(&desired, None, None, &masker()).op,
                absent,
                "{key} {value}"
            );
        }
    }

    #[test]
    fn what_is_skipped_though_it_differs_tells_how() {
        let conf = |value: &str| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s", "annotations":
                {"kapp.k14s.io/update-strategy": "skip"}}, "data": {"a": value}})
        };
        let found = |value: &str| {
            let live = object(&conf("1"));
            let found = change(&manifest(conf(value)), Some(&live), None, &masker());
            (found.op, found.fields.len(), found.reason)
        };
        let reason = "kapp.k14s.io/update-strategy: skip".to_owned();
        assert_eq!(found("1"), (Op::Noop, 0, reason.clone()));
        let differs = format!("{reason}, though it differs: data.a 1 → 2");
        assert_eq!(found("2"), (Op::Noop, 1, differs));
    }

    #[test]
    fn what_is_marked_to_stay_is_kept() {
        let live = |key: &str, value: &str| {
            object(
                &json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "annotations": {key: value}}, "data": {"a": "aHVudGVyMg=="}}),
            )
        };
        let kept = removal(&live("helm.sh/resource-policy", "keep"), &masker());
        assert_eq!(
            (kept.op, kept.reason.as_str()),
            (Op::Keep, "helm.sh/resource-policy: keep")
        );
        assert_eq!(
            removal(&live("kapp.k14s.io/delete-strategy", "orphan"), &masker()).op,
            Op::Keep
        );
        let system =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}});
        assert_eq!(removal(&object(&system), &masker()).op, Op::Keep);
        let gone = removal(&live("kapp.k14s.io/delete-strategy", ""), &masker());
        assert_eq!(gone.op, Op::Delete);
        insta::assert_snapshot!(text(&gone), @r#"
        - apiVersion: v1
        - kind: Secret
        - metadata:
        -   name: s
        -   annotations:
        -     kapp.k14s.io/delete-strategy: ""
        - data:
        -   a: <masked f26b5407>
        "#);
    }

    #[test]
    fn without_a_prediction_the_desired_fields_are_laid_over_the_live_ones() {
        let live = object(
            &json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "uid": "u"},
            "spec": {"clusterIP": "10.0.0.1", "ports": [{"name": "a", "port": 1, "protocol": "TCP"}, {"name": "b", "port": 2}]}}),
        );
        let desired = manifest(
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
            "spec": {"ports": [{"name": "a", "port": 3}]}}),
        );
        let change = change(&desired, Some(&live), None, &masker());
        let paths: Vec<_> = change
            .fields
            .iter()
            .map(|field| field.path.as_str())
            .collect();
        assert_eq!(paths, ["spec.ports[name=a].port", "spec.ports[name=b]"]);
        let replaced = replace(&desired, &live, "spec.x is immutable", &masker());
        assert_eq!((replaced.op, replaced.fields.len()), (Op::Replace, 2));
    }

    #[test]
    fn large_objects_are_compared_in_bounded_time() {
        let tree = |seed: u64| {
            let lines: Vec<_> = (0..20_000u64)
                .map(|i| format!("{}", (i * 7919 + seed) % 1_000_003))
                .collect();
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s"}, "data": {"a": lines.join("\n")}})
        };
        let (live, desired) = (object(&tree(1)), tree(500_000));
        let change = change(&manifest(desired), Some(&live), None, &masker());
        assert!(unified(&change, 3).len() > 20_000);
    }
}
