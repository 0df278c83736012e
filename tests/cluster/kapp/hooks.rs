//! Helm's hooks: when they run, and when they go.

use super::{assert_course, config_maps, deploy, is_there, told};
use crate::support::{Lab, config_map, lab};
use serde_json::{Value, json};
use windlass::inventory::DeployResult;

/// A Job that is a hook; it fails when asked to.
fn hook(name: &str, events: &str, policy: &str, fails: bool) -> Value {
    let labels = if fails {
        json!({"windlass.test/job": "fail"})
    } else {
        json!({})
    };
    json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "annotations":
            {"helm.sh/hook": events, "helm.sh/hook-delete-policy": policy}},
        "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": labels},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "example.com/c:1"}]}}}})
}

const JOB: (&str, &str) = ("batch", "Job");

#[test]
fn hooks_go_by_their_policies_when_they_succeed_and_when_they_fail() {
    lab(async |mut lab| {
        let objects = [
            hook("kept", "pre-install", "hook-failed", false),
            hook("gone", "pre-install", "hook-succeeded", false),
            config_map("conf", "1"),
        ];
        deploy(&mut lab, &objects).await;
        assert!(is_there(&lab, JOB, "kept").await);
        assert!(!is_there(&lab, JOB, "gone").await);
        let failing = [
            hook("fails", "pre-upgrade", "hook-failed", true),
            hook("stays", "pre-upgrade", "before-hook-creation", true),
            config_map("conf", "2"),
        ];
        for (failing, stays) in [(&failing[0], false), (&failing[1], true)] {
            let report = lab
                .deploy("app", &[failing.clone(), config_map("conf", "2")])
                .await;
            assert_eq!(report.result, DeployResult::Failed);
            let name = failing["metadata"]["name"].as_str().unwrap();
            assert_eq!(is_there(&lab, JOB, name).await, stays, "{name}");
        }
    });
}

#[test]
fn hooks_of_the_deletion_run_although_the_chart_is_not_at_hand() {
    lab(async |mut lab| {
        let objects = [
            hook("before", "pre-delete", "", false),
            hook("after", "post-delete", "", false),
            config_map("conf", "1"),
        ];
        assert_eq!(deploy(&mut lab, &objects).await, ["create conf"]);
        assert!(deploy(&mut lab, &objects).await.is_empty());
        lab.events.clear();
        let app = lab.app("app");
        let prepared = windlass::deploy::prepare_delete(
            &lab.cluster,
            &app,
            true,
            &lab.masker,
            &mut lab.events,
        );
        let prepared = prepared.await.unwrap();
        assert_eq!(
            told(&prepared),
            ["create before", "delete conf", "create after"]
        );
        let report = lab.run(&prepared).await.unwrap();
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");
        for name in ["before", "after"] {
            assert!(!is_there(&lab, JOB, name).await);
        }
        assert!(config_maps(&lab).await.is_empty());
        let left = windlass::deploy::history(&lab.cluster, &app).await;
        assert!(
            matches!(left, Err(windlass::deploy::Error::NotDeployed { .. })),
            "{left:?}"
        );
    });
}

#[test]
fn hooks_that_went_and_objects_never_made_are_no_drift() {
    lab(async |mut lab| {
        let drifted = async |lab: &mut Lab| {
            let app = lab.app("app");
            let (masker, sink) = (&lab.masker, &mut lab.events);
            let drift = windlass::deploy::drift(&lab.cluster, &app, None, masker, sink).await;
            drift.unwrap().drift
        };
        let succeeds = hook("gone", "pre-install", "hook-succeeded", false);
        deploy(&mut lab, &[succeeds, config_map("conf", "1")]).await;
        assert_eq!(drifted(&mut lab).await, []);
        let fails = hook("fails", "pre-upgrade", "hook-failed", true);
        let objects = [fails, config_map("conf", "1"), config_map("new", "1")];
        let report = lab.deploy("app", &objects).await;
        assert_eq!(report.result, DeployResult::Failed);
        assert!(!is_there(&lab, ("", "ConfigMap"), "new").await);
        assert_eq!(drifted(&mut lab).await, []);
    });
}

#[test]
fn a_pod_that_is_a_hook_runs_to_its_end() {
    lab(async |mut lab| {
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "once", "annotations": {"helm.sh/hook": "pre-install"}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "example.com/c:1"}]}});
        pod["metadata"]["labels"] = json!({"windlass.test/once": "true"});
        deploy(&mut lab, &[pod, config_map("conf", "1")]).await;
        let once = lab.get("", "Pod", "once").await.unwrap();
        assert_eq!(once.text(&["status", "phase"]), "Succeeded");
    });
}

#[test]
fn hooks_run_by_weight_around_the_rest_of_their_phase() {
    lab(async |mut lab| {
        let weighed = |name: &str, events: &str, weight: &str| {
            let mut job = hook(name, events, "before-hook-creation", false);
            job["metadata"]["annotations"]["helm.sh/hook-weight"] = json!(weight);
            job
        };
        let objects = |value: &str| {
            let mut objects = [
                weighed("late", "pre-install,pre-upgrade", "5"),
                weighed("early", "pre-install", "-5"),
                weighed("end", "post-install,post-upgrade", "0"),
                weighed("new", "post-upgrade", "1"),
                config_map("conf", value),
            ];
            // The pods of a Job cannot be changed: one that runs again is made anew.
            let image = format!("example.com/c:{value}");
            objects[2]["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
            objects
        };
        deploy(&mut lab, &objects("1")).await;
        let expected = [
            "create Job/early",
            "ready Job/early",
            "create Job/late",
            "ready Job/late",
            "create ConfigMap/conf",
            "create Job/end",
        ];
        assert_course(&lab, &expected);
        assert!(!is_there(&lab, JOB, "new").await);
        lab.events.clear();
        let upgrade = deploy(&mut lab, &objects("2")).await;
        assert_eq!(
            upgrade,
            ["replace late", "update conf", "replace end", "create new"]
        );
        assert_course(&lab, &["ready Job/end", "create Job/new"]);
    });
}

#[test]
fn a_namespace_goes_after_the_hooks_in_it() {
    lab(async |mut lab| {
        let name = format!("{}-own", lab.namespace);
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        let mut last = hook("last", "post-delete", "", false);
        last["metadata"]["namespace"] = json!(name);
        deploy(&mut lab, &[namespace, last, config_map("conf", "1")]).await;
        lab.events.clear();
        lab.delete_well("app").await;
        assert_course(
            &lab,
            &["ready Job/last", &format!("delete Namespace/{name}")],
        );
        let target = crate::support::reference("", "Namespace", None, &name);
        assert!(lab.cluster.get(&target).await.unwrap().is_none());
    });
}

#[test]
fn a_deletion_ends_without_hooks_that_have_no_place_or_are_not_wanted() {
    lab(async |mut lab| {
        let name = format!("{}-away", lab.namespace);
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        crate::support::apply(&lab.cluster, namespace).await;
        let mut last = hook("last", "post-delete", "", false);
        last["metadata"]["namespace"] = json!(name);
        let objects = [
            last,
            hook("first", "pre-delete", "", true),
            config_map("conf", "1"),
        ];
        deploy(&mut lab, &objects).await;
        let target = crate::support::reference("", "Namespace", None, &name);
        crate::support::remove(&lab.cluster, &target).await;
        let app = lab.app("app");
        let (cluster, masker) = (&lab.cluster, &lab.masker);
        let prepare = windlass::deploy::prepare_delete;
        let prepared = prepare(cluster, &app, true, masker, &mut lab.events).await;
        let prepared = prepared.unwrap();
        assert_eq!(told(&prepared), ["create first", "delete conf"]);
        let why = format!(
            "hook Job/last ({name}) does not run: namespace `{name}` is gone or being deleted"
        );
        assert_eq!(prepared.warnings, [why]);
        let prepared = prepare(cluster, &app, false, masker, &mut lab.events).await;
        let prepared = prepared.unwrap();
        assert_eq!(told(&prepared), ["delete conf"]);
        let report = lab.run(&prepared).await.unwrap();
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");
        let left = windlass::deploy::history(&lab.cluster, &app).await;
        assert!(left.is_err(), "{left:?}");
    });
}
