//! Faults that a deploy must survive or tell: rights in one namespace only, two apps at once, fields
//! that cannot change, a signal in the middle of a wait.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use crate::program::Case;
use crate::support::{Lab, apply, config_map, deployment, lab};
use serde_json::json;
use std::time::{Duration, Instant};
use windlass::cluster::{Cluster, Options};
use windlass::deploy::{self, Error};
use windlass::diff::Op;
use windlass::inventory::DeployResult;

/// Lets the user without rights do in a namespace what a deploy of ConfigMaps needs, and connects
/// as that user.
async fn as_namespace_user(lab: &mut Lab) {
    let nobody = std::env::var("WINDLASS_TEST_NOBODY_KUBECONFIG")
        .expect("WINDLASS_TEST_NOBODY_KUBECONFIG is set by the testbed");
    let verbs = [
        "get", "list", "create", "update", "patch", "delete", "watch",
    ];
    let metadata = json!({"name": "deployer", "namespace": lab.namespace});
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata,
        "rules": [{"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": verbs},
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": verbs}]});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": metadata,
        "subjects": [{"kind": "User", "name": "nobody", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "Role", "name": "deployer", "apiGroup": "rbac.authorization.k8s.io"}});
    apply(&lab.cluster, role).await;
    apply(&lab.cluster, binding).await;
    let options = Options {
        kubeconfig: Some(nobody.into()),
        namespace: Some(lab.namespace.clone()),
        ..Options::default()
    };
    let cluster = Cluster::connect(&options).await.unwrap();
    // The server's authorizer learns of a role a moment later.
    while deploy::list(&cluster, Some(&lab.namespace)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    lab.cluster = cluster;
}

#[test]
fn rights_in_one_namespace_are_enough_for_what_is_there() {
    lab(|mut lab| async move {
        as_namespace_user(&mut lab).await;
        lab.deploy_well("web", &[config_map("a", "1"), config_map("b", "1")])
            .await;
        lab.deploy_well("web", &[config_map("a", "2")]).await;
        assert!(lab.get("", "ConfigMap", "b").await.is_none());
        let request = lab.request("web", &[config_map("a", "2"), deployment("web", "")]);
        let error = lab.prepare(request).await.unwrap_err().to_string();
        assert!(
            error.contains("deployments") && error.contains("forbidden"),
            "{error}"
        );
        lab.delete_well("web").await;
    });
}

#[test]
fn apps_in_one_namespace_do_not_wait_for_each_other() {
    lab(|mut lab| async move {
        let mut slow = deployment("slow", "");
        slow["spec"]["template"]["metadata"]["annotations"] =
            json!({"windlass.test/ready-after": "5s"});
        let request = lab.request("slow", &[slow]);
        let first = lab.prepare(request).await.unwrap();
        let request = lab.request("quick", &[config_map("a", "1")]);
        let second = lab.prepare(request).await.unwrap();
        let options = deploy::Options::new(jiff::Timestamp::now());
        let cancel = tokio_util::sync::CancellationToken::new();
        let (mut one, mut two) = (Vec::new(), Vec::new());
        let cluster = &lab.cluster;
        let slow = deploy::run(cluster, &first, &options, &lab.masker, &mut one, &cancel);
        let quick = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            deploy::run(cluster, &second, &options, &lab.masker, &mut two, &cancel).await
        };
        tokio::pin!(slow);
        // The second one ends while the first still waits.
        let quick = tokio::select! {
            slow = &mut slow => panic!("the slow one ended first: {slow:?}"),
            quick = quick => quick.unwrap(),
        };
        assert_eq!(quick.result, DeployResult::Succeeded);
        assert_eq!(slow.await.unwrap().result, DeployResult::Succeeded);
    });
}

#[test]
fn a_field_that_cannot_change_is_told_and_replaced_only_when_that_is_allowed() {
    lab(|mut lab| async move {
        let job = |image: &str, strategy: &str| {
            json!({"apiVersion": "batch/v1", "kind": "Job",
                "metadata": {"name": "once", "annotations": {"kapp.k14s.io/update-strategy": strategy}},
                "spec": {"template": {"spec": {"restartPolicy": "Never",
                    "containers": [{"name": "m", "image": image}]}}}})
        };
        lab.deploy_well("web", &[job("example.com/m:1", "")]).await;
        let request = lab.request("web", &[job("example.com/m:2", "")]);
        let error = lab.prepare(request).await.unwrap_err();
        assert!(matches!(error, Error::Refused(_)));
        assert!(
            error.to_string().contains("it would have to be replaced"),
            "{error}"
        );

        let uid = lab
            .get("batch", "Job", "once")
            .await
            .unwrap()
            .uid()
            .to_owned();
        let request = lab.request("web", &[job("example.com/m:2", "fallback-on-replace")]);
        let prepared = lab.prepare(request).await.unwrap();
        let change = prepared.changes().next().unwrap();
        assert_eq!(change.op, Op::Replace);
        assert!(change.reason.contains("immutable"), "{}", change.reason);
        let report = lab.run(&prepared).await.unwrap();
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");
        assert_ne!(lab.get("batch", "Job", "once").await.unwrap().uid(), uid);
    });
}

const STUCK: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, windlass.test/stuck: 'true'}}
    spec:
      containers:
        - {name: web, image: registry.example.com/web:1}
";

#[test]
fn a_signal_in_the_middle_of_a_wait_ends_it_in_good_order() {
    lab(|lab| async move {
        let mut case = Case::new("signal");
        case.namespace = lab.namespace.clone();
        case.template("web.yaml", STUCK);
        let mut child = case
            .env
            .command(&["deploy", "shop", "chart", "--yes", "-n", &lab.namespace])
            .env("KUBECONFIG", crate::support::kubeconfig())
            .spawn()
            .unwrap();
        while lab.get("apps", "Deployment", "web").await.is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let signaled = std::process::Command::new("kill")
            .arg(child.id().to_string())
            .status();
        assert!(signaled.unwrap().success());
        let at = Instant::now();
        let ended = child.wait().unwrap();
        assert!(at.elapsed() < Duration::from_secs(3), "{:?}", at.elapsed());
        assert_eq!(ended.code(), Some(143));
        let history = deploy::history(&lab.cluster, &lab.app("shop"))
            .await
            .unwrap();
        assert_eq!(history[0].result, DeployResult::Interrupted);
        let lease = lab
            .get("coordination.k8s.io", "Lease", "windlass.shop")
            .await;
        assert!(lease.is_none());
    });
}
