//! What every writer of changes makes of the same changes.

use super::{Comment, Row, Shown, Tense, diff_comment, diff_document, show_changes};
use crate::diff::{self, Change, MaskPath, Masker, Untried};
use crate::object::{Manifest, Object, Source};
use crate::plan::Wait;
use serde_json::{Value, json};

fn manifest(tree: Value, line: usize) -> Manifest {
    let source = Source {
        file: "chart/templates/web.yaml".to_owned(),
        line,
    };
    let object = Object::new(tree).unwrap();
    Manifest { object, source }
}

fn masker() -> Masker {
    let path = MaskPath::parse("ConfigMap:data.token").unwrap();
    Masker::new([1; 32], false).hiding(vec![path])
}

fn deployment(image: &str, replicas: u32) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop", "managedFields": [
            {"manager": "kubectl", "operation": "Update", "subresource": "scale", "time": "2026-11-21T10:00:00Z", "apiVersion": "apps/v1",
             "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "web", "image": image}]}}}})
}

fn config(name: &str, token: &str, lines: usize) -> Value {
    let text: Vec<_> = (0..lines).map(|line| format!("line {line}")).collect();
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"},
        "data": {"token": token, "text": text.join("\n")}})
}

/// A create, an update of a field that somebody else owns, a delete with data and a no-op.
fn changes() -> Vec<Change> {
    let masker = masker();
    let desired = manifest(deployment("web:2", 2), 12);
    let live = Object::new(deployment("web:1", 5)).unwrap();
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "shop"}});
    let same = manifest(config("same", "canary", 1), 40);
    vec![
        diff::change(
            &manifest(config("settings", "canary", 1), 1),
            None,
            None,
            &masker,
        ),
        diff::change(&desired, Some(&live), Some(&desired.object), &masker),
        diff::removal(&Object::new(claim).unwrap(), &masker),
        diff::change(&same, Some(&same.object), Some(&same.object), &masker),
    ]
}

fn rows(changes: &[Change]) -> Vec<Row<'_>> {
    changes
        .iter()
        .map(|change| (change, Wait::Reconcile))
        .collect()
}

fn comment(changes: &[Change]) -> Comment {
    diff_comment("shop", "shop", &rows(changes), Tense::Plan)
}

#[test]
fn a_hook_that_runs_again_is_told_once_and_without_alarm() {
    let job = |image: &str| {
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate", "namespace": "shop"},
            "spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}})
    };
    let live = Object::new(job("web:1")).unwrap();
    let change = diff::rerun(&manifest(job("web:2"), 3), &live, &masker());
    insta::assert_snapshot!(show_changes(&rows(&[change]), Shown::default()), @"
    1 hook to run

    » run     Job/migrate (shop)  [image]  the hook runs again

    » run Job/migrate (shop)  chart/templates/web.yaml:3
        the hook runs again; image; then waits until it is ready
      … 10 equal lines
      @ spec.template.spec.containers[name=web]
      -         image: web:1
      +         image: web:2
    ");
}

#[test]
fn what_the_server_was_not_asked_about_is_said_once_with_the_reason() {
    let mut changes = changes();
    changes[0].untried = Some(Untried::NoNamespace);
    changes[1].untried = Some(Untried::MadeAnew);
    let line =
        "not tried on the server: 1 object (namespace does not exist yet), 1 object (made anew)\n";
    let text = show_changes(&rows(&changes), Shown::default());
    assert!(text.contains(line), "{text}");
    assert!(
        comment(&changes)
            .text
            .contains("Not tried on the server: 1 object (name")
    );
    let document = diff_document("shop", "shop", &rows(&changes), false);
    let untried = document.pointer("/changes/0/untried");
    assert_eq!(untried, Some(&json!("namespace does not exist yet")));
}

#[test]
fn text_has_the_sum_first_then_a_table_then_each_object() {
    let shown = Shown {
        context: 1,
        whole_objects: true,
        max_lines: 6,
        width: Some(60),
        ..Shown::default()
    };
    insta::assert_snapshot!(show_changes(&rows(&changes()), shown), @"
    1 to create, 1 to update, 1 to delete, 1 unchanged
    mind: data at risk in 1 object

    + create  ConfigMap/settings (shop)
    ~ update  Deployment/web (shop)  [image, replicas, pods res…
    - delete  PersistentVolumeClaim/data (shop)  [data at risk]

    + create ConfigMap/settings (shop)  chart/templates/web.yaml:1
        then waits until it is ready
      + apiVersion: v1
      + kind: ConfigMap
      + metadata:
      +   name: settings
      +   namespace: shop
      + data:
      … 2 more lines: `--max-lines 0` shows them

    ~ update Deployment/web (shop)  chart/templates/web.yaml:12
        image, replicas, pods restart; then waits until it is ready
        spec.replicas is set by kubectl (scale) since 2026-11-21T10:00:00Z
      … 5 equal lines
      @ spec
        spec:
      -   replicas: 5
      +   replicas: 2
          template:
      … 5 more lines: `--max-lines 0` shows them

    - delete PersistentVolumeClaim/data (shop)
        data at risk; then waits until it is ready
      - apiVersion: v1
      - kind: PersistentVolumeClaim
      - metadata:
      -   name: data
      -   namespace: shop
    ");
}

#[test]
fn colour_comes_from_labels_alone() {
    let colored = Shown {
        colored: true,
        ..Shown::default()
    };
    let text = show_changes(&rows(&changes()), colored);
    assert!(text.contains("\u{1b}[32m+ create"), "{text}");
    let plain = show_changes(&rows(&changes()), Shown::default());
    assert!(!plain.contains('\u{1b}'));
}

#[test]
fn json_has_what_the_command_reference_promises() {
    let document = diff_document("shop", "shop", &rows(&changes()), false);
    insta::assert_snapshot!(format!("{document:#}"), @r#"
    {
      "app": "shop",
      "changes": [
        {
          "fields": [],
          "hook": false,
          "labels": [],
          "object": {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "settings",
            "namespace": "shop"
          },
          "op": "create",
          "reason": "it is not in the cluster",
          "source": {
            "document": 1,
            "line": 1,
            "template": "chart/templates/web.yaml"
          },
          "strategy": "",
          "untried": null,
          "wait": "reconcile"
        },
        {
          "fields": [
            {
              "after": 2,
              "before": 5,
              "manager": "kubectl",
              "masked": false,
              "op": "replace",
              "operation": "Update",
              "path": "spec.replicas",
              "since": "2026-11-21T10:00:00Z",
              "subresource": "scale"
            },
            {
              "after": "web:2",
              "before": "web:1",
              "masked": false,
              "op": "replace",
              "path": "spec.template.spec.containers[name=web].image"
            }
          ],
          "hook": false,
          "labels": [
            "image",
            "replicas",
            "pods-restart"
          ],
          "object": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "web",
            "namespace": "shop"
          },
          "op": "update",
          "reason": "containers[name=web].image web:1 → web:2, replicas 5 → 2",
          "source": {
            "document": 2,
            "line": 12,
            "template": "chart/templates/web.yaml"
          },
          "strategy": "",
          "untried": null,
          "wait": "reconcile"
        },
        {
          "fields": [],
          "hook": false,
          "labels": [
            "data-at-risk"
          ],
          "object": {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "name": "data",
            "namespace": "shop"
          },
          "op": "delete",
          "reason": "it is no longer desired",
          "source": null,
          "strategy": "",
          "untried": null,
          "wait": "reconcile"
        }
      ],
      "namespace": "shop",
      "schemaVersion": 1,
      "summary": {
        "create": 1,
        "delete": 1,
        "hooks": 0,
        "noop": 1,
        "replace": 0,
        "update": 1
      }
    }
    "#);
}

#[test]
fn markdown_has_a_table_and_folded_objects() {
    let comment = comment(&changes());
    assert_eq!(comment.rest, "");
    insta::assert_snapshot!(comment.closed(None).text, @"
    ### shop in <code>shop</code>: 1 to create, 1 to update, 1 to delete, 1 unchanged

    > **Mind:** data at risk in 1 object

    | | object | labels | why | template |
    |---|---|---|---|---|
    | + create | <code>ConfigMap/settings (shop)</code> |  | it is not in the cluster | <code>chart/templates/web.yaml:1</code> |
    | ~ update | <code>Deployment/web (shop)</code> | image, replicas, pods restart | containers&#91;name=web&#93;.image web:1 → web:2, replicas 5 → 2 | <code>chart/templates/web.yaml:12</code> |
    | - delete | <code>PersistentVolumeClaim/data (shop)</code> | data at risk | it is no longer desired |  |

    <details><summary>create <code>ConfigMap/settings (shop)</code></summary>

    - then waits until it is ready

    ```diff
    + apiVersion: v1
    + kind: ConfigMap
    + metadata:
    +   name: settings
    +   namespace: shop
    + data:
    +   text: line 0
    +   token: <masked b3915f43>
    ```

    </details>

    <details><summary>update <code>Deployment/web (shop)</code></summary>

    - image, replicas, pods restart; then waits until it is ready
    - spec.replicas is set by kubectl (scale) since 2026-11-21T10:00:00Z

    ```diff
    … 3 equal lines
    @ spec
        name: web
        namespace: shop
      spec:
    -   replicas: 5
    +   replicas: 2
        template:
          spec:
            containers:
            - name: web
    -         image: web:1
    +         image: web:2
    ```

    </details>

    <details><summary>delete <code>PersistentVolumeClaim/data (shop)</code></summary>

    - data at risk; then waits until it is ready

    ```diff
    - apiVersion: v1
    - kind: PersistentVolumeClaim
    - metadata:
    -   name: data
    -   namespace: shop
    ```

    </details>
    ");
}

#[test]
fn a_comment_is_never_longer_than_github_takes() {
    let long = manifest(config("long", "x", 9000), 1);
    let mut many = vec![diff::change(&long, None, None, &masker())];
    for number in 0..3000 {
        let small = manifest(config(&format!("small-{number}"), "x", 3), number);
        many.push(diff::change(&small, None, None, &masker()));
    }
    let comment = comment(&many);
    let rest = comment.rest.clone();
    let text = comment.closed(Some("rest.md")).text;
    assert!(text.chars().count() < 65_536, "{}", text.len());
    let end: Vec<_> = text.lines().rev().take(1).collect();
    insta::assert_snapshot!(end.join(""), @"**Cut to the length of a comment: 2873 objects shown in part or not at all; they are whole in <code>rest.md</code>.**");
    assert!(
        text.contains("more lines\n```"),
        "the long one is shown in part"
    );
    assert!(rest.contains("line 8999") && rest.contains("small-2999"));
}

#[test]
fn names_from_charts_are_no_markdown() {
    let name = "a`|<img src=x>@org/team*_\n[x](y)";
    let comment = comment(&[diff::change(
        &manifest(config(name, "x", 1), 1),
        None,
        None,
        &masker(),
    )]);
    let text = comment.text;
    for wrong in ["<img", "a`|", "@org", "[x]"] {
        let outside = text
            .split("```")
            .step_by(2)
            .any(|part| part.contains(wrong));
        assert!(!outside, "{wrong}: {text}");
    }
}

#[test]
fn no_writer_shows_what_is_masked() {
    let changes = changes();
    let rows = rows(&changes);
    let shown = Shown {
        whole_objects: true,
        noops: true,
        ..Shown::default()
    };
    for text in [
        show_changes(&rows, shown),
        diff_document("shop", "shop", &rows, true).to_string(),
        comment(&changes).text,
    ] {
        assert!(!text.contains("canary"), "{text}");
    }
}
