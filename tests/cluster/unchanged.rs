//! What is as desired is left alone, however the server writes it down.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use crate::support::{Lab, connect, deployment, lab, scale};
use serde_json::{Value, json};
use windlass::cluster::Verb;
use windlass::deploy;
use windlass::diff::Op;

fn pod_template(name: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": name}, "annotations": {}},
        "spec": {"securityContext": {}, "nodeSelector": {}, "containers": [{"name": "web", "image": "example.com/web:1",
            "env": [{"name": "EMPTY", "value": ""}],
            "ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}],
            "resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": {}}}]},
    })
}

fn stateful_set() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
        "spec": {"replicas": 0, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
            "template": pod_template("db"),
            "volumeClaimTemplates": [{"metadata": {"name": "data", "labels": {}}, "spec": {"accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1024Mi"}}}}]},
    })
}

/// Kinds whose stored form differs from what was sent, a kind of the test's own among them.
fn awkward(namespace: &str) -> Vec<Value> {
    let mut web = deployment("web", "");
    web["metadata"]["labels"] = json!({});
    web["spec"]["template"] = pod_template("web");
    let group = format!("{namespace}.test.windlass.dev");
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("scales.{group}")},
        "spec": {"group": group, "scope": "Namespaced",
            "names": {"plural": "scales", "singular": "scale", "kind": "Scale"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                {"type": "object", "properties": {"spec": {"type": "object",
                    "x-kubernetes-preserve-unknown-fields": true}}}}}]}});
    vec![
        web,
        stateful_set(),
        definition,
        json!({"apiVersion": format!("{group}/v1"), "kind": "Scale", "metadata": {"name": "s"},
            "spec": {"whole": 1.0, "part": 0.1, "large": 1e21, "small": 1e-7, "empty": {}, "none": []}}),
        // Not the version that the server prefers.
        json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
            "spec": {"minReplicas": 1, "maxReplicas": 3, "targetCPUUtilizationPercentage": 80,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "annotations": {}},
            "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}]}}),
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick"}, "spec": {"schedule": "0 3 * * *",
            "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never",
                "containers": [{"name": "t", "image": "example.com/t:1"}]}}}}}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "all"},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []}}),
    ]
}

/// Deploys the same again from a new connection: nothing may be written or tried.
async fn again_is_nothing(lab: &mut Lab, objects: &[Value]) {
    lab.cluster = connect(&lab.namespace).await;
    let request = lab.request("web", objects);
    let prepared = lab.prepare(request).await.unwrap();
    let changes: Vec<_> = prepared.changes().collect();
    assert!(prepared.is_noop(), "{changes:#?}");
    deploy::remember(&lab.cluster, &prepared).await;
    let requests = lab.cluster.requests();
    assert_eq!(
        (requests.writes(), requests.of(Verb::DryRun)),
        (0, 0),
        "{requests}"
    );
}

#[test]
fn a_second_deploy_of_awkward_objects_needs_no_trial() {
    lab(|mut lab| async move {
        let objects = awkward(&lab.namespace);
        lab.deploy_well("web", &objects).await;
        again_is_nothing(&mut lab, &objects).await;
        lab.delete_well("web").await;
    });
}

#[test]
fn what_a_trial_found_unchanged_is_remembered_by_one_write() {
    lab(|mut lab| async move {
        lab.deploy_well("web", &[stateful_set()]).await;
        // The same in other words.
        let mut other = stateful_set();
        let requests = "/spec/template/spec/containers/0/resources/requests/cpu";
        *other.pointer_mut(requests).unwrap() = "1".into();
        lab.cluster = connect(&lab.namespace).await;
        let request = lab.request("web", &[other.clone()]);
        let prepared = lab.prepare(request).await.unwrap();
        assert!(prepared.is_noop());
        deploy::remember(&lab.cluster, &prepared).await;
        let requests = lab.cluster.requests();
        assert_eq!((requests.writes(), requests.of(Verb::DryRun)), (1, 1));
        let history = deploy::history(&lab.cluster, &lab.app("web")).await;
        assert_eq!(history.unwrap().len(), 1);
        again_is_nothing(&mut lab, &[other]).await;
    });
}

#[test]
fn fingerprints_that_come_in_do_not_stop_a_deploy_that_was_approved() {
    lab(|mut lab| async move {
        lab.deploy_well("web", &[stateful_set()]).await;
        let mut other = stateful_set();
        let cpu = "/spec/template/spec/containers/0/resources/requests/cpu";
        *other.pointer_mut(cpu).unwrap() = "1".into();
        let mut changed = other.clone();
        *changed.pointer_mut(cpu).unwrap() = "2".into();
        let request = lab.request("web", &[changed]);
        let approved = lab.prepare(request).await.unwrap();
        let request = lab.request("web", &[other]);
        let unchanged = lab.prepare(request).await.unwrap();
        deploy::remember(&lab.cluster, &unchanged).await;
        let report = lab.run(&approved).await.unwrap();
        assert!(report.stopped_by.is_none(), "{report:#?}");
        assert_eq!(report.outcomes[0].op, Op::Update);
    });
}

#[test]
fn replicas_are_left_to_the_autoscaler_of_the_app() {
    lab(|mut lab| async move {
        let mut web = deployment("web", "");
        web["spec"]["template"] = pod_template("web");
        let scaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
            "spec": {"minReplicas": 1, "maxReplicas": 5,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}});
        let objects = [web.clone(), scaler.clone()];
        lab.deploy_well("web", &objects).await;
        again_is_nothing(&mut lab, &objects).await;

        scale(&lab.namespace, "web", 3).await;
        let request = lab.request("web", &objects);
        let prepared = lab.prepare(request).await.unwrap();
        let changes: Vec<_> = prepared.changes().collect();
        assert!(changes.is_empty() && !prepared.writes(), "{changes:#?}");
        // Waits for the new pods.
        lab.run(&prepared).await.unwrap();
        again_is_nothing(&mut lab, &objects).await;

        // Another change of the workload leaves the number alone.
        web["spec"]["template"]["metadata"]["annotations"] = json!({"changed": "yes"});
        lab.deploy_well("web", &[web, scaler]).await;
        let live = lab.get("apps", "Deployment", "web").await.unwrap();
        assert_eq!(live.int(&["spec", "replicas"]), Some(3));
    });
}
