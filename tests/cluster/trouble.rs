//! What cannot become ready ends its wait early, and the cause is told from the object down to the
//! last lines of a log.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use crate::support::{
    Lab, apply, config_map, connect, deployment, json_patch, lab, post, reference,
};
use serde_json::{Value, json};
use std::time::Duration;
use windlass::cluster::Selector;
use windlass::deploy::{self, Graces, Options, Outcome, Report};
use windlass::event::{Actuation, Event, Reconcile};
use windlass::inventory::DeployResult;
use windlass::kapp::{self, Matcher};
use windlass::object::Gvk;

/// Settings with which no trouble is borne for long.
fn impatient() -> Options {
    let moment = Duration::from_millis(1500);
    Options {
        wait_timeout: Duration::from_secs(60),
        graces: Graces {
            image_pull: moment,
            container_config: moment,
            crash_loop: moment,
            crashes: 3,
            unschedulable: moment,
            pods_refused: moment,
            claim_pending: moment,
            suspended: moment,
        },
        ..Options::new(jiff::Timestamp::now())
    }
}

async fn run(lab: &mut Lab, objects: &[Value], options: &Options) -> Report {
    let request = lab.request("web", objects);
    let prepared = lab.prepare(request).await.unwrap();
    lab.run_with(&prepared, options).await.unwrap()
}

/// The reason of the only object that failed.
async fn failure(lab: &mut Lab, objects: &[Value]) -> String {
    let report = run(lab, objects, &impatient()).await;
    assert!(report.is_not_ready(), "{report:#?}");
    let failed = |outcome: &&Outcome| outcome.reconcile == Reconcile::Failed;
    report.outcomes.iter().find(failed).unwrap().reason.clone()
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

#[test]
fn a_crash_is_told_from_the_deployment_down_to_the_last_lines_of_its_log() {
    lab(|mut lab| async move {
        let web = deployment("web", "windlass.test/crash=loop");
        let reason = failure(&mut lab, &[web]).await;
        has(
            &reason,
            &[
                "of 1 replicas",
                "\n  ReplicaSet/web-",
                "\n  Pod/web-",
                "CrashLoopBackOff: container web exited with",
                "\n  log web: starting",
            ],
        );
    });
}

/// Deploys a Deployment whose pod fares as told, as its kubelet would report it: warnings, and then
/// the status of the pod. Gives back the reason of the failure.
async fn failure_of_pod(
    lab: &mut Lab,
    mut web: Value,
    status: &Value,
    warnings: &[(&str, &str)],
) -> String {
    web["spec"]["template"]["metadata"]["labels"]["windlass.test/stuck"] = "true".into();
    let namespace = lab.namespace.clone();
    let kubelet = async {
        let direct = connect(&namespace).await;
        let kind = direct
            .kind(&Gvk::new("v1", "Pod"), Duration::ZERO)
            .await
            .unwrap();
        let all = Selector::default();
        let pod = loop {
            let mut pods = direct.list(&kind, Some(&namespace), &all).await.unwrap();
            pods.retain(|pod| !pod.text(&["spec", "nodeName"]).is_empty());
            if let Some(pod) = pods.pop() {
                break pod;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        for (number, (reason, message)) in warnings.iter().enumerate() {
            let event = json!({"metadata": {"name": format!("{}.{number}", pod.name())},
                "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": namespace,
                    "name": pod.name(), "uid": pod.uid()},
                "type": "Warning", "reason": reason, "message": message,
                "lastTimestamp": format!("2026-01-01T00:00:0{number}Z")});
            post(format!("/api/v1/namespaces/{namespace}/events"), &event).await;
        }
        let path = format!("{}/{}/status", kind.path(Some(&namespace)), pod.name());
        let patch = json!([{"op": "add", "path": "/status", "value": status}]);
        json_patch(path, &patch).await;
    };
    let objects = [web];
    let (reason, ()) = tokio::join!(failure(lab, &objects), kubelet);
    reason
}

/// The condition of a pod that is not ready.
fn unready() -> Value {
    json!([{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}])
}

#[test]
fn an_init_container_that_crashes_is_named_with_its_log() {
    lab(|mut lab| async move {
        let mut web = deployment("web", "");
        let init = |name: &str| json!({"name": name, "image": "example.com/migrate:1"});
        web["spec"]["template"]["spec"]["initContainers"] = json!([init("fetch"), init("migrate")]);
        let status = json!({"phase": "Pending", "conditions": unready(),
            "initContainerStatuses": [
                {"name": "fetch", "image": "a", "imageID": "", "ready": true, "restartCount": 0,
                    "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
                {"name": "migrate", "image": "a", "imageID": "", "ready": false, "restartCount": 4,
                    "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}},
                    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}}],
            "containerStatuses": [
                {"name": "web", "image": "a", "imageID": "", "ready": false, "restartCount": 0,
                    "state": {"waiting": {"reason": "PodInitializing"}}}]});
        let told = "Back-off restarting failed container migrate";
        let reason = failure_of_pod(&mut lab, web, &status, &[("BackOff", told)]).await;
        has(
            &reason,
            &[
                "\n  ReplicaSet/web-",
                ": CrashLoopBackOff: container migrate exited with 3, 4 restarts",
                "\n  event BackOff: Back-off restarting failed container migrate",
                "\n  log migrate: starting",
            ],
        );
    });
}

#[test]
fn a_readiness_probe_that_fails_until_the_deadline_of_the_rollout_is_told_by_its_event() {
    lab(|mut lab| async move {
        let mut web = deployment("web", "");
        web["spec"]["progressDeadlineSeconds"] = 2.into();
        let status = json!({"phase": "Running", "conditions": unready(),
            "containerStatuses": [
                {"name": "web", "image": "a", "imageID": "a", "ready": false, "started": true,
                    "restartCount": 0, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]});
        let told = "Readiness probe failed: HTTP probe failed with statuscode: 503";
        let reason = failure_of_pod(&mut lab, web, &status, &[("Unhealthy", told)]).await;
        has(
            &reason,
            &[
                "\n  ReplicaSet/web-",
                ": running but not ready: web",
                "\n  event Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503",
                "\n  log web: starting",
            ],
        );
    });
}

#[test]
fn a_startup_probe_that_kills_its_container_is_told_by_its_events() {
    lab(|mut lab| async move {
        let status = json!({"phase": "Running", "conditions": unready(),
            "containerStatuses": [
                {"name": "web", "image": "a", "imageID": "a", "ready": false, "started": false,
                    "restartCount": 3, "lastState": {"terminated": {"exitCode": 137, "reason": "Error"}},
                    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}}]});
        let warnings = [
            ("Unhealthy", "Startup probe failed: connection refused"),
            ("BackOff", "Back-off restarting failed container web"),
        ];
        let web = deployment("web", "");
        let reason = failure_of_pod(&mut lab, web, &status, &warnings).await;
        has(
            &reason,
            &[
                ": CrashLoopBackOff: container web exited with 137, 3 restarts",
                "\n  event Unhealthy: Startup probe failed: connection refused",
                "\n  event BackOff: Back-off restarting failed container web",
                "\n  log web: starting",
            ],
        );
    });
}

#[test]
fn pods_that_a_quota_refuses_end_the_wait() {
    lab(|mut lab| async move {
        apply(
            &lab.cluster,
            json!({"apiVersion": "v1", "kind": "ResourceQuota",
                "metadata": {"name": "none", "namespace": lab.namespace}, "spec": {"hard": {"pods": "0"}}}),
        )
        .await;
        // Admission reads quotas from a cache.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let reason = failure(&mut lab, &[deployment("web", "")]).await;
        has(&reason, &["\n  ReplicaSet/web-", "exceeded quota: none"]);
        let mut set = deployment("set", "");
        set["kind"] = "StatefulSet".into();
        set["spec"]["serviceName"] = "set".into();
        let report = run(&mut lab, &[set], &impatient()).await;
        let reason = &report
            .outcomes
            .iter()
            .find(|outcome| outcome.reconcile == Reconcile::Failed)
            .unwrap()
            .reason;
        has(reason, &["event FailedCreate: ", "exceeded quota: none"]);
    });
}

#[test]
fn a_pod_that_no_node_takes_ends_the_wait_and_its_claim_is_named() {
    lab(|mut lab| async move {
        let mut web = deployment("web", "");
        web["spec"]["template"]["spec"]["nodeSelector"] = json!({"nowhere": "to-be-found"});
        let reason = failure(&mut lab, &[web]).await;
        has(
            &reason,
            &[
                "Unschedulable: ",
                "node(s) didn't match",
                "\n  event FailedScheduling",
            ],
        );
    });
}

#[test]
fn a_claim_without_a_volume_ends_the_wait_unless_a_pod_must_come_first() {
    lab(|mut lab| async move {
        let claim = |class: &str| {
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": class,
                    "resources": {"requests": {"storage": "1Gi"}}}})
        };
        let class = format!("late-{}", lab.namespace);
        apply(
            &lab.cluster,
            json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                "metadata": {"name": class}, "provisioner": "nobody.windlass.test",
                "volumeBindingMode": "WaitForFirstConsumer"}),
        )
        .await;
        let report = run(&mut lab, &[claim(&class)], &impatient()).await;
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");
        lab.delete_well("web").await;
        let target = reference("storage.k8s.io", "StorageClass", None, &class);
        crate::support::remove(&lab.cluster, &target).await;

        let reason = failure(&mut lab, &[claim("no-such-class")]).await;
        has(
            &reason,
            &["ProvisioningFailed: ", "\"no-such-class\" not found"],
        );
    });
}

#[test]
fn a_job_that_somebody_suspended_ends_the_wait_and_one_that_is_meant_to_be_does_not() {
    lab(|mut lab| async move {
        let mut job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"},
            "spec": {"suspend": true, "template": {"spec": {"restartPolicy": "Never",
                "containers": [{"name": "m", "image": "example.com/m:1"}]}}}});
        let report = run(&mut lab, &[job.clone()], &impatient()).await;
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");
        lab.delete_well("web").await;

        job["spec"]["suspend"] = false.into();
        job["spec"]["template"]["metadata"] = json!({"labels": {"windlass.test/stuck": "true"}});
        let request = lab.request("web", &[job]);
        let prepared = lab.prepare(request).await.unwrap();
        let direct = connect(&lab.namespace).await;
        let target = reference("batch", "Job", Some(&lab.namespace), "once");
        let somebody = async {
            while direct.get(&target).await.unwrap().is_none() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let patch = json!({"spec": {"suspend": true}});
            direct.merge_patch(&target, &patch).await.unwrap();
        };
        let options = impatient();
        let (report, ()) = tokio::join!(lab.run_with(&prepared, &options), somebody);
        has(&report.unwrap().outcomes[0].reason, &["it is suspended"]);
    });
}

#[test]
fn the_wait_for_one_object_has_an_end_of_its_own() {
    lab(|mut lab| async move {
        let options = Options {
            object_timeout: Some(Duration::from_secs(3)),
            ..impatient()
        };
        let web = deployment("web", "windlass.test/stuck=true");
        let report = run(&mut lab, &[web], &options).await;
        assert_eq!(report.outcomes[0].reconcile, Reconcile::Timeout);
        let reason = &report.outcomes[0].reason;
        assert!(reason.starts_with("not ready after 3 s: "), "{reason}");
    });
}

#[test]
fn failures_are_collected_on_request_and_what_does_not_depend_on_them_goes_on() {
    lab(|mut lab| async move {
        let mut after = deployment("after", "");
        after["metadata"]["annotations"] = json!({
            "kapp.k14s.io/change-rule": "upsert after upserting first"});
        let mut web = deployment("web", "windlass.test/image-pull=fail");
        web["metadata"]["annotations"] = json!({"kapp.k14s.io/change-group": "first"});
        let mut slow = deployment("slow", "");
        slow["spec"]["template"]["metadata"]["annotations"] =
            json!({"windlass.test/ready-after": "6s"});
        let options = Options {
            exit_early: false,
            ..impatient()
        };
        let report = run(&mut lab, &[web, slow, after], &options).await;
        let of = |name: &str| {
            let outcome = report
                .outcomes
                .iter()
                .find(|outcome| outcome.target.name == name);
            outcome.unwrap()
        };
        assert_eq!(of("web").reconcile, Reconcile::Failed);
        assert_eq!(of("slow").reconcile, Reconcile::Succeeded);
        assert_eq!(of("after").actuation, Actuation::Skipped);
        has(&of("after").reason, &["needs Deployment/web"]);
        assert!(report.is_not_ready());
    });
}

/// A definition and an object of it.
fn widget(group: &str) -> (Value, Value) {
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("widgets.{group}"),
            "annotations": {"windlass.dev/wait-for": "Ready"}},
        "spec": {"group": group, "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
    let widget =
        json!({"apiVersion": format!("{group}/v1"), "kind": "Widget", "metadata": {"name": "w"}});
    (definition, widget)
}

#[test]
fn a_custom_resource_is_waited_for_when_its_definition_says_so() {
    lab(|mut lab| async move {
        let group = format!("{}.trouble.windlass.dev", lab.namespace);
        let (definition, widget) = widget(&group);
        let request = lab.request("web", &[definition, widget]);
        let prepared = lab.prepare(request).await.unwrap();
        let direct = connect(&lab.namespace).await;
        let target = reference(&group, "Widget", Some(&lab.namespace), "w");
        let controller = async {
            loop {
                tokio::time::sleep(Duration::from_millis(100)).await;
                drop(direct.rediscover().await);
                if matches!(direct.get(&target).await, Ok(Some(_))) {
                    break;
                }
            }
            for status in ["False", "True"] {
                let condition = json!({"type": "Ready", "status": status, "message": "as told"});
                let patch = json!({"status": {"conditions": [condition]}});
                direct.merge_patch(&target, &patch).await.unwrap();
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        };
        let options = impatient();
        let (report, ()) = tokio::join!(lab.run_with(&prepared, &options), controller);
        assert_eq!(report.unwrap().result, DeployResult::Succeeded);
        let told = |event: &Event| {
            matches!(event, Event::WaitProgress { object, message, .. }
                if object.kind == "Widget" && message == "Ready is False: as told")
        };
        assert!(lab.events.iter().any(told), "{:#?}", lab.events);
        lab.delete_well("web").await;
    });
}

#[test]
fn a_rule_lets_what_comes_after_begin_and_tells_a_failure() {
    lab(|mut lab| async move {
        let condition = |kind: &str, failure: bool| kapp::Condition {
            kind: kind.to_owned(),
            status: "True".to_owned(),
            failure,
            success: false,
            observed: false,
            unblocks: !failure,
            timeout: None,
        };
        let rule = kapp::Wait {
            observed: false,
            conditions: vec![condition("Broken", true), condition("Begun", false)],
            of: vec![Matcher::GroupKind {
                group: "apps".to_owned(),
                kind: "Deployment".to_owned(),
            }],
        };
        let mut after = config_map("after", "1");
        after["metadata"]["annotations"] = json!({
            "kapp.k14s.io/change-rule": "upsert after upserting first"});
        let mut web = deployment("web", "windlass.test/stuck=true");
        web["metadata"]["annotations"] = json!({"kapp.k14s.io/change-group": "first"});
        let mut request = lab.request("web", &[web, after]);
        let target = reference("apps", "Deployment", Some(&lab.namespace), "web");
        request.rules.wait.push(rule);
        let prepared = lab.prepare(request).await.unwrap();
        let direct = connect(&lab.namespace).await;
        let later = reference("", "ConfigMap", Some(&lab.namespace), "after");
        let kind = Gvk::new("apps/v1", "Deployment");
        let kind = direct.kind(&kind, Duration::ZERO).await.unwrap();
        let controller = async {
            for told in ["Begun", "Broken"] {
                loop {
                    let there = direct.get(&target).await.unwrap();
                    let after = direct.get(&later).await.unwrap();
                    if there.is_some() && (told == "Begun" || after.is_some()) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                let condition = json!({"type": told, "status": "True", "message": "as told"});
                crate::support::patch_status(&kind, &target, &json!([condition])).await;
            }
        };
        let options = impatient();
        let (report, ()) = tokio::join!(lab.run_with(&prepared, &options), controller);
        let report = report.unwrap();
        let of = |name: &str| {
            let outcome = report
                .outcomes
                .iter()
                .find(|outcome| outcome.target.name == name);
            outcome.unwrap()
        };
        assert_eq!(of("web").reconcile, Reconcile::Failed);
        has(&of("web").reason, &["as told"]);
        assert_eq!(of("after").actuation, Actuation::Succeeded);
    });
}

#[test]
fn a_delete_that_is_not_waited_for_keeps_the_record_of_what_is_still_there() {
    lab(|mut lab| async move {
        let mut held = config_map("held", "1");
        held["metadata"]["finalizers"] = json!(["example.com/hold"]);
        lab.deploy_well("web", &[held, config_map("free", "1")])
            .await;
        let app = lab.app("web");
        let prepared =
            deploy::prepare_delete(&lab.cluster, &app, true, &lab.masker, &mut lab.events)
                .await
                .unwrap();
        let options = Options {
            wait: false,
            ..impatient()
        };
        let report = lab.run_with(&prepared, &options).await.unwrap();
        assert_eq!(report.result, DeployResult::Succeeded);
        let seen = deploy::inspect(&lab.cluster, &app).await.unwrap();
        assert_eq!(seen.len(), 1);
        assert_eq!(
            seen[0].status.message,
            "waits for finalizers: example.com/hold"
        );
        let free = json!({"metadata": {"finalizers": null}});
        lab.cluster
            .merge_patch(&seen[0].target, &free)
            .await
            .unwrap();
        lab.delete_well("web").await;
        assert!(deploy::inspect(&lab.cluster, &app).await.is_err());
    });
}
