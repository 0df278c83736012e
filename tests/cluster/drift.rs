//! What others changed since the last deploy is told apart from what is pending.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use crate::support::{Lab, config_map, deployment, json_patch, lab, reference, remove, scale};
use serde_json::{Value, json};
use windlass::deploy::{self, Drift};
use windlass::diff::Change;

async fn drift(lab: &mut Lab, objects: Option<&[Value]>) -> Drift {
    let request = objects.map(|objects| lab.request("web", objects));
    let app = lab.app("web");
    deploy::drift(&lab.cluster, &app, request, &lab.masker, &mut lab.events)
        .await
        .unwrap()
}

/// `update ConfigMap/a: data.key "1" → "2" by edit`, a line each.
fn told<'a>(changes: impl IntoIterator<Item = &'a Change>) -> String {
    let mut lines = Vec::new();
    for change in changes {
        let name = format!(
            "{} {}/{}",
            change.op.word(),
            change.target.kind,
            change.target.name
        );
        if change.fields.is_empty() {
            lines.push(format!("{name}: {}", change.reason));
        }
        for field in &change.fields {
            let text = |value: &Option<Value>| {
                value
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), Value::to_string)
            };
            let owner = field
                .owner
                .as_ref()
                .map_or("nobody", |owner| owner.manager.as_str());
            let (before, after) = (text(&field.before), text(&field.after));
            lines.push(format!(
                "{name}: {} {before} → {after}, {owner}",
                field.path
            ));
        }
    }
    lines.join("\n")
}

fn objects(color: &str) -> Vec<Value> {
    vec![
        config_map("a", color),
        config_map("b", "1"),
        config_map("c", "1"),
        deployment("web", ""),
    ]
}

/// Edits one object, removes a key of another, deletes a third, scales the workload.
async fn meddle(lab: &Lab) {
    // Later than the deploy: times are kept to the second.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let path = |name: &str| {
        format!(
            "/api/v1/namespaces/{}/configmaps/{name}?fieldManager=edit",
            lab.namespace
        )
    };
    json_patch(
        path("a"),
        &json!([{"op": "replace", "path": "/data/key", "value": "edited"}]),
    )
    .await;
    json_patch(path("b"), &json!([{"op": "remove", "path": "/data/key"}, {"op": "add", "path": "/data/foreign", "value": "x"}])).await;
    remove(
        &lab.cluster,
        &reference("", "ConfigMap", Some(&lab.namespace), "c"),
    )
    .await;
    scale(&lab.namespace, "web", 3).await;
}

#[test]
fn all_that_others_did_is_told_with_the_deployed_value_while_the_project_is_the_deployed_one() {
    lab(|mut lab| async move {
        lab.deploy_well("web", &objects("blue")).await;
        let none = drift(&mut lab, Some(&objects("blue"))).await;
        assert_eq!(
            (told(&none.drift), none.pending.len(), none.unchanged),
            (String::new(), 0, 4)
        );
        let none = drift(&mut lab, None).await;
        assert_eq!((told(&none.drift), none.unchanged), (String::new(), 4));
        meddle(&lab).await;
        let found = drift(&mut lab, Some(&objects("blue"))).await;
        insta::assert_snapshot!(told(&found.drift), @r#"
        update ConfigMap/a: data.key "blue" → "edited", edit
        update ConfigMap/b: data.key "1" → -, nobody
        delete ConfigMap/c: the server does not keep who deleted it
        update Deployment/web: spec.replicas 1 → 3, kubectl
        "#);
        assert_eq!((found.pending.len(), found.unchanged), (0, 0));
        // A deploy that forces it undoes all of it.
        let mut request = lab.request("web", &objects("blue"));
        request.force = true;
        let prepared = lab.prepare(request).await.unwrap();
        lab.run(&prepared).await.unwrap();
        let found = drift(&mut lab, Some(&objects("blue"))).await;
        assert_eq!(
            (told(&found.drift), found.pending.len()),
            (String::new(), 0)
        );
    });
}

#[test]
fn what_the_project_changed_is_pending_and_no_drift() {
    lab(|mut lab| async move {
        lab.deploy_well("web", &objects("blue")).await;
        let mut next = objects("green");
        next.push(config_map("new", "1"));
        next.remove(1);
        let found = drift(&mut lab, Some(&next)).await;
        assert_eq!(told(&found.drift), "");
        insta::assert_snapshot!(told(found.pending.iter().map(|(change, _)| change)), @r#"
        update ConfigMap/a: data.key "blue" → "green", windlass
        create ConfigMap/new: 
        delete ConfigMap/b: no longer rendered
        "#);
        meddle(&lab).await;
        let found = drift(&mut lab, Some(&next)).await;
        insta::assert_snapshot!(told(&found.drift), @r#"
        update ConfigMap/a: data.key - → "edited", edit
        update ConfigMap/b: data.foreign - → "x", edit
        delete ConfigMap/c: the server does not keep who deleted it
        update Deployment/web: spec.replicas 1 → 3, kubectl
        "#);
        insta::assert_snapshot!(told(found.pending.iter().map(|(change, _)| change)), @r#"
        update ConfigMap/a: data.key "edited" → "green", edit
        create ConfigMap/new: 
        delete ConfigMap/b: no longer rendered
        "#);
    });
}

#[test]
fn without_the_project_later_writers_are_told_and_no_values_of_before() {
    lab(|mut lab| async move {
        lab.deploy_well("web", &objects("blue")).await;
        meddle(&lab).await;
        let path = format!(
            "/apis/apps/v1/namespaces/{}/deployments/web?fieldManager=edit",
            lab.namespace
        );
        json_patch(path, &json!([{"op": "remove", "path": "/metadata/labels"}])).await;
        let found = drift(&mut lab, None).await;
        insta::assert_snapshot!(told(&found.drift), @r#"
        update ConfigMap/a: data.key - → "edited", edit
        update ConfigMap/b: data.foreign - → "x", edit
        delete ConfigMap/c: the server does not keep who deleted it
        update Deployment/web: its label was removed: it no longer belongs to the app
        "#);
    });
}

#[test]
fn replicas_of_an_autoscaler_are_no_drift() {
    lab(|mut lab| async move {
        let scaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
            "spec": {"minReplicas": 1, "maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}});
        let mut objects = vec![deployment("web", ""), scaler];
        lab.deploy_well("web", &objects).await;
        scale(&lab.namespace, "web", 3).await;
        let found = drift(&mut lab, Some(&objects)).await;
        assert_eq!(
            (told(&found.drift), found.pending.len()),
            (String::new(), 0)
        );
        objects[0]["spec"]["template"]["spec"]["containers"][0]["image"] =
            "example.com/web:2".into();
        let found = drift(&mut lab, Some(&objects)).await;
        assert_eq!(
            (told(&found.drift), found.pending.len()),
            (String::new(), 1)
        );
    });
}
