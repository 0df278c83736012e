//! When objects count as ready: kapp's rule for each kind, where no other test has it.

use super::{assert_course, deploy, marked};
use crate::support::{client, config_map, connect, deployment, lab, reference};
use serde_json::{Value, json};
use windlass::cluster::Cluster;
use windlass::deploy::Options;
use windlass::inventory::DeployResult;
use windlass::object::ObjectRef;

/// Waits for an object, then writes its status as its controller would.
async fn set_status(cluster: &Cluster, target: &ObjectRef, status: Value) {
    while cluster.get(target).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    let kinds = cluster.discovery().await.unwrap();
    let kind = kinds.preferred(&target.group, &target.kind).unwrap();
    let path = kind.path(target.namespace.as_deref());
    let path = format!("{path}/{}/status?fieldManager=controller", target.name);
    let request = http::Request::patch(path).header("content-type", "application/merge-patch+json");
    let body = json!({"status": status}).to_string().into_bytes();
    let request = request.body(body).unwrap();
    client().await.request_text(request).await.unwrap();
}

#[test]
fn a_load_balancer_is_awaited_until_it_has_an_address_and_nobody_waits_for_it() {
    lab(async |mut lab| {
        let service = |name: &str, spec: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec});
        let objects = [
            service(
                "outer",
                json!({"type": "LoadBalancer", "ports": [{"port": 80}]}),
            ),
            service(
                "far",
                json!({"type": "ExternalName", "externalName": "example.com"}),
            ),
            service(
                "all",
                json!({"clusterIP": "None", "selector": {"app": "web"}}),
            ),
            deployment("web", ""),
        ];
        let request = lab.request("app", &objects);
        let prepared = lab.prepare(request).await.unwrap();
        let outer = reference("", "Service", Some(&lab.namespace), "outer");
        let web = reference("apps", "Deployment", Some(&lab.namespace), "web");
        let cluster = lab.cluster.clone();
        let balancer = async {
            // The Deployment comes although the address is not there yet.
            while cluster.get(&web).await.unwrap().is_none() {
                tokio::task::yield_now().await;
            }
            let address = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}});
            set_status(&cluster, &outer, address).await;
        };
        let (report, ()) = tokio::join!(lab.run(&prepared), balancer);
        assert_eq!(report.unwrap().result, DeployResult::Succeeded);
        assert_course(&lab, &["create Deployment/web", "ready Service/outer"]);
    });
}

#[test]
fn sets_are_awaited_as_far_as_their_strategies_go() {
    lab(async |mut lab| {
        let set = |kind: &str, image: &str, rest: Value| {
            let mut object = json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "set"},
                "spec": {"selector": {"matchLabels": {"app": kind}},
                    "template": {"metadata": {"labels": {"app": kind}},
                        "spec": {"containers": [{"name": "c", "image": image}]}}}});
            for (key, value) in rest.as_object().unwrap() {
                object["spec"][key] = value.clone();
            }
            object
        };
        let kept_back = json!({"replicas": 2, "serviceName": "set",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}});
        let both = |image: &str| {
            [
                set("DaemonSet", image, json!({})),
                set("StatefulSet", image, kept_back.clone()),
            ]
        };
        deploy(&mut lab, &both("example.com/c:1")).await;
        lab.events.clear();
        deploy(&mut lab, &both("example.com/c:2")).await;
        assert_course(&lab, &["update DaemonSet/set", "ready DaemonSet/set"]);
        let image = async |name: &str| {
            let pod = lab.get("", "Pod", name).await.unwrap();
            pod.list(&["spec", "containers"])[0]["image"].clone()
        };
        assert_eq!(image("set-0").await, "example.com/c:1");
        assert_eq!(image("set-1").await, "example.com/c:2");
    });
}

#[test]
fn a_rollout_beyond_its_deadline_and_a_pod_that_fails_end_the_wait() {
    lab(async |mut lab| {
        let mut late = deployment("late", "windlass.test/stuck=true");
        late["spec"]["progressDeadlineSeconds"] = json!(1);
        let report = lab.deploy("app", &[late]).await;
        assert_eq!(report.result, DeployResult::Failed, "{report:#?}");
        let reason = &report.outcomes[0].reason;
        assert!(reason.contains("progress"), "{reason}");
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "once", "labels": {"windlass.test/job": "fail"},
                "annotations": {"helm.sh/hook": "pre-install"}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "example.com/c:1"}]}});
        let report = lab.deploy("other", &[pod, config_map("conf", "1")]).await;
        assert_eq!(report.result, DeployResult::Failed, "{report:#?}");
    });
}

#[test]
fn cron_jobs_are_not_awaited_and_neither_is_what_asks_not_to_be() {
    lab(async |mut lab| {
        let pod = json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "example.com/c:1"}]});
        let cron = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "c"},
            "spec": {"schedule": "0 0 1 1 *", "suspend": true,
                "jobTemplate": {"spec": {"template": {"spec": pod}}}}});
        let stuck = deployment("stuck", "windlass.test/stuck=true");
        let stuck = marked(stuck, &[("disable-wait", "")]);
        deploy(&mut lab, &[cron.clone(), stuck.clone()]).await;
        // Nor is it awaited in the next run, which has nothing else to do.
        assert!(deploy(&mut lab, &[cron, stuck]).await.is_empty());
    });
}

#[test]
fn an_aggregated_api_of_the_server_itself_is_ready_at_once() {
    lab(async |mut lab| {
        let group = format!("{}.ready.windlass.dev", lab.namespace);
        let api = json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
            "metadata": {"name": format!("v1.{group}")},
            "spec": {"group": group, "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 1}});
        deploy(&mut lab, std::slice::from_ref(&api)).await;
        assert!(deploy(&mut lab, &[api]).await.is_empty());
        lab.delete_well("app").await;
    });
}

#[test]
fn packages_are_awaited_by_their_conditions() {
    lab(async |mut lab| {
        let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "packageinstalls.packaging.carvel.dev"},
            "spec": {"group": "packaging.carvel.dev", "scope": "Namespaced",
                "names": {"plural": "packageinstalls", "singular": "packageinstall", "kind": "PackageInstall"},
                "versions": [{"name": "v1alpha1", "served": true, "storage": true, "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
        deploy(&mut lab, std::slice::from_ref(&definition)).await;
        lab.cluster = connect(&lab.namespace).await;
        let package = json!({"apiVersion": "packaging.carvel.dev/v1alpha1", "kind": "PackageInstall",
            "metadata": {"name": "pkg"}, "spec": {"paused": false}});
        let objects = [definition, package];
        let target = reference(
            "packaging.carvel.dev",
            "PackageInstall",
            Some(&lab.namespace),
            "pkg",
        );
        for (kind, result) in [
            ("ReconcileSucceeded", DeployResult::Succeeded),
            ("ReconcileFailed", DeployResult::Failed),
        ] {
            let mut objects = objects.to_vec();
            objects[1]["spec"]["step"] = json!(kind);
            let request = lab.request("app", &objects);
            let prepared = lab.prepare(request).await.unwrap();
            let cluster = lab.cluster.clone();
            let controller = async {
                let is_new = async || {
                    let live = cluster.get(&target).await.unwrap();
                    live.is_some_and(|live| live.text(&["spec", "step"]) == kind)
                };
                while !is_new().await {
                    tokio::task::yield_now().await;
                }
                let generation = cluster.get(&target).await.unwrap().unwrap();
                let generation = generation.int(&["metadata", "generation"]);
                let conditions = json!([{"type": kind, "status": "True"}]);
                let status = json!({"observedGeneration": generation, "conditions": conditions,
                    "usefulErrorMessage": "no such image"});
                set_status(&cluster, &target, status).await;
            };
            let (report, ()) = tokio::join!(lab.run(&prepared), controller);
            let report = report.unwrap();
            assert_eq!(report.result, result, "{report:#?}");
            let told = report
                .outcomes
                .iter()
                .any(|outcome| outcome.reason.contains("no such image"));
            assert_eq!(told, result == DeployResult::Failed);
        }
        lab.delete_well("app").await;
    });
}

#[test]
fn an_object_that_does_not_appear_is_named_at_the_end() {
    lab(async |mut lab| {
        let theirs = marked(config_map("theirs", "1"), &[("exists", "")]);
        let request = lab.request("app", &[theirs]);
        let prepared = lab.prepare(request).await.unwrap();
        let mut options = Options::new(jiff::Timestamp::now());
        options.wait_timeout = std::time::Duration::from_secs(1);
        let report = lab.run_with(&prepared, &options).await.unwrap();
        assert_ne!(report.result, DeployResult::Succeeded, "{report:#?}");
    });
}
