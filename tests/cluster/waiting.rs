//! Waiting: ready, never ready, ready too late.

use crate::support::{config_map, deployment, lab};
use serde_json::json;
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
        let prepared = deploy::prepare_delete(&lab.cluster, &app, &lab.masker, &mut lab.events)
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
