//! Waiting: ready, never ready, ready too late.

use crate::support::{config_map, deployment, lab, reference, remove};
use serde_json::{Value, json};
use std::time::Duration;
use windlass::deploy;
use windlass::event::{Actuation, Event, Reconcile};
use windlass::inventory::DeployResult;

#[test]
fn ends_early_when_an_image_cannot_be_pulled_and_names_the_pod() {
    lab(|mut lab| async move {
        let started = std::time::Instant::now();
        let report = lab
            .deploy("web", &[deployment("web", "windlass.test/image-pull=fail")])
            .await;
        assert!(started.elapsed() < Duration::from_secs(40));
        assert_eq!(report.result, DeployResult::Failed);
        assert!(report.is_not_ready());
        let outcome = &report.outcomes[0];
        assert_eq!(
            (outcome.actuation, outcome.reconcile),
            (Actuation::Succeeded, Reconcile::Failed)
        );
        assert!(outcome.reason.contains("Pod/web-"), "{}", outcome.reason);
        assert!(
            outcome.reason.contains("ImagePullBackOff"),
            "{}",
            outcome.reason
        );
    });
}

#[test]
fn ends_early_when_a_job_fails_and_skips_what_needs_it() {
    lab(|mut lab| async move {
        let job = json!({"apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": "migrate", "annotations": {"helm.sh/hook": "pre-install"}},
            "spec": {"backoffLimit": 0, "template": {
                "metadata": {"labels": {"windlass.test/job": "fail"}},
                "spec": {"restartPolicy": "Never", "containers": [{"name": "m", "image": "example.com/m:1"}]}}}});
        let report = lab.deploy("web", &[job, config_map("after", "1")]).await;
        assert!(report.is_not_ready(), "{report:#?}");
        let after = report
            .outcomes
            .iter()
            .find(|outcome| outcome.target.name == "after")
            .unwrap();
        assert_eq!(after.actuation, Actuation::Skipped);
        assert!(lab.get("", "ConfigMap", "after").await.is_none());
    });
}

#[test]
fn times_out_with_the_state_it_saw_last() {
    lab(|mut lab| async move {
        let request = lab.request("web", &[deployment("web", "windlass.test/stuck=true")]);
        let prepared = lab.prepare(request).await.unwrap();
        let mut options = deploy::Options::new(jiff::Timestamp::now());
        options.wait_timeout = Duration::from_secs(4);
        let report = lab.run_with(&prepared, &options).await.unwrap();
        assert!(report.is_not_ready());
        assert_eq!(report.outcomes[0].reconcile, Reconcile::Timeout);
        assert!(
            report.outcomes[0]
                .reason
                .starts_with("not ready after 4 s: "),
            "{}",
            report.outcomes[0].reason
        );

        // The same again mends it: nothing is left behind, nothing is refused.
        let report = lab.deploy_well("web", &[deployment("web", "")]).await;
        assert_eq!(report.revision, Some(2));
    });
}

#[test]
fn a_second_run_waits_for_what_the_first_left_half_done() {
    lab(|mut lab| async move {
        let mut slow = deployment("web", "");
        slow["spec"]["template"]["metadata"]["annotations"] =
            json!({"windlass.test/ready-after": "4s"});
        let request = lab.request("web", &[slow.clone()]);
        let prepared = lab.prepare(request).await.unwrap();
        let mut options = deploy::Options::new(jiff::Timestamp::now());
        options.wait = false;
        lab.run_with(&prepared, &options).await.unwrap();
        lab.events.clear();
        let report = lab.deploy_well("web", &[slow]).await;
        assert_eq!(report.outcomes[0].reconcile, Reconcile::Succeeded);
        assert!(
            lab.events
                .iter()
                .any(|event| matches!(event, Event::WaitFinished { .. }))
        );
    });
}

#[test]
fn names_the_finalizer_that_holds_a_deleted_object() {
    lab(|mut lab| async move {
        let mut held = config_map("held", "1");
        held["metadata"]["finalizers"] = json!(["example.com/hold"]);
        lab.deploy_well("web", &[held]).await;
        let app = lab.app("web");
        let prepared =
            deploy::prepare_delete(&lab.cluster, &app, true, &lab.masker, &mut lab.events)
                .await
                .unwrap();
        let mut options = deploy::Options::new(jiff::Timestamp::now());
        options.wait_timeout = Duration::from_secs(3);
        let report = lab.run_with(&prepared, &options).await.unwrap();
        assert!(report.is_not_ready());
        assert_eq!(
            report.outcomes[0].reason,
            "not gone after 3 s: waits for finalizers: example.com/hold"
        );
        let target = report.outcomes[0].target.clone();
        let free = json!({"metadata": {"finalizers": null}});
        lab.cluster.merge_patch(&target, &free).await.unwrap();
        lab.delete_well("web").await;
    });
}

/// A hook that is deleted before it runs again, which is the default; `fate` is that of its pod.
fn hook(kind: &str, name: &str, weight: i32, fate: &str) -> Value {
    let labels = json!({"windlass.test/job": fate});
    let annotations = json!({"helm.sh/hook": "pre-install,pre-upgrade",
        "helm.sh/hook-weight": weight.to_string(), "windlass.test/ready-after": "1s"});
    let spec = json!({"restartPolicy": "Never", "containers": [{"name": "m", "image": "example.com/m:1"}]});
    if kind == "Pod" {
        return json!({"apiVersion": "v1", "kind": "Pod", "spec": spec,
            "metadata": {"name": name, "labels": labels, "annotations": annotations}});
    }
    json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": labels}, "spec": spec}}})
}

#[test]
fn a_replaced_hook_that_fails_is_not_taken_for_the_one_before_that_succeeded() {
    for kind in ["Job", "Pod"] {
        lab(|mut lab| async move {
            let hooks = |fate| {
                [
                    hook(kind, "first", -1, "ok"),
                    hook(kind, "second", 0, "ok"),
                    hook(kind, "third", 1, fate),
                    config_map("after", fate),
                ]
            };
            lab.deploy_well("web", &hooks("ok")).await;
            let report = lab.deploy("web", &hooks("fail")).await;
            assert!(report.is_not_ready(), "{report:#?}");
            let of = |name: &str| {
                let mut outcomes = report.outcomes.iter();
                outcomes.find(|it| it.target.name == name).unwrap()
            };
            for ready in ["first", "second"] {
                assert_eq!(of(ready).reconcile, Reconcile::Succeeded, "{report:#?}");
            }
            assert_eq!(of("third").reconcile, Reconcile::Failed, "{report:#?}");
            let after = lab.get("", "ConfigMap", "after").await.unwrap();
            assert_eq!(after.text(&["data", "key"]), "ok");
        });
    }
}

#[test]
fn a_replaced_deployment_is_not_taken_for_the_one_before_that_was_ready() {
    lab(|mut lab| async move {
        let replaced = |name: &str, after: &str, fate: &str| {
            let mut object = deployment(name, fate);
            object["metadata"]["annotations"] = json!({
                "kapp.k14s.io/update-strategy": "always-replace",
                "kapp.k14s.io/change-group": name,
                "kapp.k14s.io/change-rule": format!("upsert after upserting {after}")});
            object["spec"]["template"]["metadata"]["annotations"] = json!({"fate": fate});
            object
        };
        let both = |fate| [replaced("one", "none", ""), replaced("two", "one", fate)];
        lab.deploy_well("web", &both("")).await;
        let mut changed = both("windlass.test/image-pull=fail");
        changed[0]["spec"]["template"]["metadata"]["annotations"] = json!({"fate": "new"});
        let report = lab.deploy("web", &changed).await;
        assert!(report.is_not_ready(), "{report:#?}");
        let ends: Vec<_> = report.outcomes.iter().map(|it| it.reconcile).collect();
        assert_eq!(ends, [Reconcile::Succeeded, Reconcile::Failed]);
    });
}

#[test]
fn a_job_that_is_taken_away_while_it_runs_has_not_succeeded() {
    lab(|mut lab| async move {
        let job = hook("Job", "migrate", 0, "ok");
        let target = reference("batch", "Job", Some(&lab.namespace), "migrate");
        let cluster = lab.cluster.clone();
        // Somebody takes it away while it runs: nobody knows how it would have ended.
        let taken = async {
            while cluster.get(&target).await.unwrap().is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            remove(&cluster, &target).await;
        };
        let objects = [job];
        let (report, ()) = tokio::join!(lab.deploy("web", &objects), taken);
        assert!(report.is_not_ready(), "{report:#?}");
        assert_eq!(
            report.outcomes[0].reason,
            "it was deleted while it was waited for"
        );
    });
}
