//! Create, no-op, update, prune, delete, and what depends on each other.

use crate::support::{
    apply, config_map, connect, deployment, kubeconfig, lab, manifests, reference, remove,
};
use serde_json::{Value, json};
use windlass::cluster::{Cluster, Verb};
use windlass::deploy;
use windlass::diff::Op;
use windlass::inventory::{DeployResult, PART_OF};

fn service(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80}]}})
}

fn secret(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"password": value}})
}

#[test]
fn creates_waits_and_records() {
    lab(|mut lab| async move {
        let objects = [
            deployment("web", ""),
            service("web"),
            config_map("web", "a"),
            secret("web", "hunter22"),
        ];
        let report = lab.deploy_well("web", &objects).await;
        assert_eq!(report.revision, Some(1));
        let live = lab.get("apps", "Deployment", "web").await.unwrap();
        assert_eq!(live.int(&["status", "availableReplicas"]), Some(1));
        assert!(live.label(PART_OF).unwrap().starts_with("applyset-"));
        assert!(
            lab.get("coordination.k8s.io", "Lease", "windlass.web")
                .await
                .is_none()
        );

        let history = deploy::history(&lab.cluster, &lab.app("web"))
            .await
            .unwrap();
        assert_eq!(history.len(), 1);
        assert_eq!(history[0].result, DeployResult::Succeeded);
        assert_eq!(history[0].summary, "4 create");
        let seen = deploy::inspect(&lab.cluster, &lab.app("web"))
            .await
            .unwrap();
        assert_eq!(seen.len(), 4);
        let (listed, broken) = deploy::list(&lab.cluster, Some(&lab.namespace))
            .await
            .unwrap();
        assert_eq!((listed.len(), broken.len()), (1, 0));
        assert_eq!((listed[0].app.as_str(), listed[0].objects), ("web", 4));
        assert!(!format!("{:?}", lab.events).contains("hunter22"));
    });
}

#[test]
fn a_second_deploy_of_the_same_writes_nothing() {
    lab(|mut lab| async move {
        let objects = [
            deployment("web", ""),
            service("web"),
            config_map("web", "a"),
            secret("web", "hunter22"),
        ];
        lab.deploy_well("web", &objects).await;

        lab.cluster = connect(&lab.namespace).await;
        let request = lab.request("web", &objects);
        let prepared = lab.prepare(request).await.unwrap();
        assert!(
            prepared.is_noop(),
            "{:#?}",
            prepared.changes().collect::<Vec<_>>()
        );
        let report = lab.run(&prepared).await.unwrap();
        assert_eq!(
            (report.result, report.revision),
            (DeployResult::Succeeded, None)
        );
        let requests = lab.cluster.requests();
        assert_eq!(
            (requests.writes(), requests.of(Verb::DryRun)),
            (0, 0),
            "{requests}"
        );
        // Discovery, the record, one list for each of four kinds.
        assert_eq!(requests.to_string(), "2 discover, 1 read, 4 list");
    });
}

#[test]
fn updates_what_changed_and_prunes_what_is_gone() {
    lab(|mut lab| async move {
        lab.deploy_well(
            "web",
            &[
                config_map("a", "1"),
                config_map("b", "1"),
                secret("c", "hunter22"),
            ],
        )
        .await;
        lab.cluster = connect(&lab.namespace).await;
        let request = lab.request("web", &[config_map("a", "2"), config_map("d", "1")]);
        let prepared = lab.prepare(request).await.unwrap();
        let mut ops: Vec<(Op, String)> = prepared
            .changes()
            .map(|change| (change.op, change.target.name.clone()))
            .collect();
        ops.sort();
        let named = |op, name: &str| (op, name.to_owned());
        assert_eq!(
            ops,
            [
                named(Op::Create, "d"),
                named(Op::Update, "a"),
                named(Op::Delete, "b"),
                named(Op::Delete, "c")
            ]
        );
        let report = lab.run(&prepared).await.unwrap();
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");
        assert_eq!(
            lab.get("", "ConfigMap", "a")
                .await
                .unwrap()
                .text(&["data", "key"]),
            "2"
        );
        assert!(lab.get("", "ConfigMap", "b").await.is_none());
        assert!(lab.get("", "Secret", "c").await.is_none());
        let parent = lab.get("", "Secret", "windlass.web").await.unwrap();
        assert_eq!(
            parent.annotation("applyset.kubernetes.io/contains-group-kinds"),
            Some("ConfigMap")
        );
    });
}

#[test]
fn deletes_all_of_an_app_and_nothing_else() {
    lab(|mut lab| async move {
        lab.deploy_well("one", &[deployment("one", ""), config_map("one", "a")])
            .await;
        lab.deploy_well("two", &[deployment("two", ""), config_map("two", "a")])
            .await;
        lab.delete_well("one").await;
        assert!(lab.get("apps", "Deployment", "one").await.is_none());
        assert!(lab.get("", "Secret", "windlass.one").await.is_none());
        assert!(lab.get("apps", "Deployment", "two").await.is_some());
        assert!(lab.get("", "ConfigMap", "two").await.is_some());
        let request = lab.request("two", &[deployment("two", ""), config_map("two", "a")]);
        assert!(lab.prepare(request).await.unwrap().is_noop());
        let gone = deploy::inspect(&lab.cluster, &lab.app("one"))
            .await
            .unwrap_err();
        assert!(
            gone.to_string().starts_with("app `one` is not deployed"),
            "{gone}"
        );
    });
}

#[test]
fn applies_a_definition_and_its_resource_in_one_deploy() {
    lab(|mut lab| async move {
        let group = format!("{}.test.windlass.dev", lab.namespace);
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("widgets.{group}")},
            "spec": {"group": group, "scope": "Namespaced",
                "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                    {"type": "object", "properties": {"spec": {"type": "object",
                        "properties": {"size": {"type": "integer"}}}}}}}]}});
        let widget = json!({"apiVersion": format!("{group}/v1"), "kind": "Widget",
            "metadata": {"name": "w"}, "spec": {"size": 3}});
        lab.deploy_well("web", &[widget.clone(), definition.clone()])
            .await;
        assert_eq!(
            lab.get(&group, "Widget", "w")
                .await
                .unwrap()
                .int(&["spec", "size"]),
            Some(3)
        );

        lab.cluster = connect(&lab.namespace).await;
        let request = lab.request("web", &[widget, definition]);
        assert!(lab.prepare(request).await.unwrap().is_noop());
        lab.delete_well("web").await;
        let name = format!("widgets.{group}");
        let definition = reference(
            "apiextensions.k8s.io",
            "CustomResourceDefinition",
            None,
            &name,
        );
        assert!(lab.cluster.get(&definition).await.unwrap().is_none());
    });
}

#[test]
fn deploys_into_a_namespace_of_its_own_making() {
    lab(|mut lab| async move {
        let name = format!("{}-inner", lab.namespace);
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        let mut request = lab.request("web", &[namespace, config_map("a", "1")]);
        request.app.namespace.clone_from(&name);
        let app = request.app.clone();
        let prepared = lab.prepare(request).await.unwrap();
        let report = lab.run(&prepared).await.unwrap();
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");

        let prepared =
            deploy::prepare_delete(&lab.cluster, &app, true, &lab.masker, &mut lab.events)
                .await
                .unwrap();
        let report = lab.run(&prepared).await.unwrap();
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");
        let target = reference("", "Namespace", None, &name);
        assert!(lab.cluster.get(&target).await.unwrap().is_none());
    });
}

#[test]
fn says_that_the_namespace_is_missing_before_anything_is_written() {
    lab(|mut lab| async move {
        let mut request = lab.request("web", &[config_map("a", "1")]);
        request.app.namespace = "no-such-namespace".to_owned();
        let error = lab.prepare(request).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "namespace `no-such-namespace` does not exist"
        );
    });
}

#[test]
fn keeps_what_is_marked_to_stay() {
    lab(|mut lab| async move {
        let mut kept = config_map("kept", "1");
        kept["metadata"]["annotations"] = json!({"helm.sh/resource-policy": "keep"});
        lab.deploy_well("web", &[kept, config_map("a", "1")]).await;
        lab.deploy_well("web", &[config_map("a", "1")]).await;
        let kept = lab.get("", "ConfigMap", "kept").await.unwrap();
        assert_eq!(kept.label(PART_OF), None);
        lab.delete_well("web").await;
        assert!(lab.get("", "ConfigMap", "kept").await.is_some());
    });
}

#[test]
fn runs_hooks_only_when_something_changes() {
    lab(|mut lab| async move {
        let hook = json!({"apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": "migrate", "annotations": {"helm.sh/hook": "pre-install,pre-upgrade"}},
            "spec": {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never",
                "containers": [{"name": "migrate", "image": "example.com/migrate:1"}]}}}});
        lab.deploy_well("web", &[hook.clone(), config_map("a", "1")])
            .await;
        let first = lab.get("batch", "Job", "migrate").await.unwrap();

        let request = lab.request("web", &[hook.clone(), config_map("a", "1")]);
        assert!(lab.prepare(request).await.unwrap().is_noop());
        lab.deploy_well("web", &[hook, config_map("a", "2")]).await;
        let second = lab.get("batch", "Job", "migrate").await.unwrap();
        assert_ne!(first.uid(), second.uid());
    });
}

#[test]
fn a_hook_that_does_not_run_any_more_is_deleted_with_its_app() {
    lab(|mut lab| async move {
        let hook = json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "once", "annotations": {"helm.sh/hook": "pre-install"}}});
        lab.deploy_well("web", &[hook.clone(), config_map("a", "1")])
            .await;
        lab.deploy_well("web", &[hook, config_map("a", "2")]).await;
        assert!(lab.get("", "Secret", "once").await.is_some());
        lab.delete_well("web").await;
        assert!(lab.get("", "Secret", "once").await.is_none());
    });
}

#[test]
fn an_object_that_must_be_there_may_be_of_another_app() {
    lab(|mut lab| async move {
        lab.deploy_well("one", &[config_map("shared", "1")]).await;
        let mut shared = config_map("shared", "other");
        shared["metadata"]["annotations"] = json!({"kapp.k14s.io/exists": ""});
        lab.deploy_well("two", &[shared, config_map("own", "1")])
            .await;
        lab.delete_well("two").await;
        let live = lab.get("", "ConfigMap", "shared").await.unwrap();
        assert_eq!(live.text(&["data", "key"]), "1");
        assert!(live.label(PART_OF).is_some());
    });
}

#[test]
fn shows_an_unowned_object_as_an_update_that_takes_it_in() {
    lab(|mut lab| async move {
        let mut stranger = config_map("a", "theirs");
        stranger["metadata"]["namespace"] = lab.namespace.clone().into();
        apply(&lab.cluster, stranger).await;
        let request = lab.request("web", &[config_map("a", "ours")]);
        let prepared = lab.prepare(request).await.unwrap();
        let change = prepared.changes().next().unwrap();
        assert_eq!(change.op, Op::Update);
        assert_eq!(
            change.reason,
            "it exists already and becomes part of the app"
        );
        let report = lab.run(&prepared).await.unwrap();
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");
    });
}

#[test]
fn collects_all_that_the_server_refuses_before_anything_is_written() {
    lab(|mut lab| async move {
        let mut misspelt = deployment("web", "");
        misspelt["spec"]["replica"] = 2.into();
        let mut wrong = config_map("b", "1");
        wrong["data"]["key"] = 5.into();
        let request = lab.request("web", &[misspelt, wrong, config_map("fine", "1")]);
        let error = lab.prepare(request).await.unwrap_err().to_string();
        assert!(
            error.contains("templates/test.yaml:1: Deployment/web"),
            "{error}"
        );
        assert!(
            error.contains(".spec.replica: field not declared in schema"),
            "{error}"
        );
        assert!(
            error.contains("templates/test.yaml:2: ConfigMap/b"),
            "{error}"
        );
        assert_eq!(
            lab.cluster.requests().of(Verb::Apply),
            1,
            "the namespace of the test"
        );
    });
}

#[test]
fn keeps_discovery_on_disk_as_long_as_it_is_true() {
    lab(|lab| async move {
        let folder = tempfile::tempdir().unwrap();
        let options = windlass::cluster::Options {
            kubeconfig: Some(kubeconfig()),
            cache_dir: Some(folder.path().to_owned()),
            ..Default::default()
        };
        let first = Cluster::connect(&options).await.unwrap();
        let known = first.discovery().await.unwrap();
        let second = Cluster::connect(&options).await.unwrap();
        // Other tests add kinds of their own meanwhile.
        let deployment = windlass::object::Gvk::new("apps/v1", "Deployment");
        let again = second.discovery().await.unwrap();
        assert_eq!(again.find(&deployment), known.find(&deployment));
        assert_eq!(second.requests().to_string(), "2 discover");
        let server = std::fs::read_dir(folder.path())
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        assert_eq!(std::fs::read_dir(server.path()).unwrap().count(), 2);
        assert!(
            known
                .api_versions()
                .contains(&"apps/v1/Deployment".to_owned())
        );
        drop(lab);
    });
}

#[test]
fn deploys_three_hundred_objects_and_takes_them_away() {
    lab(|mut lab| async move {
        let objects: Vec<Value> = (0..300)
            .map(|index| config_map(&format!("c{index}"), "1"))
            .collect();
        let started = std::time::Instant::now();
        lab.deploy_well("web", &objects).await;
        let created = started.elapsed();
        // Names are listed, not asked for one by one.
        assert!(
            lab.cluster.requests().of(Verb::Get) < 10,
            "{}",
            lab.cluster.requests()
        );
        lab.cluster = connect(&lab.namespace).await;
        let started = std::time::Instant::now();
        let request = lab.request("web", &objects);
        assert!(lab.prepare(request).await.unwrap().is_noop());
        let unchanged = started.elapsed();
        assert_eq!(lab.cluster.requests().of(Verb::List), 1);
        lab.delete_well("web").await;
        println!("create {created:?}, no-op {unchanged:?}");
        assert!(manifests(&objects).len() == 300);
        remove(
            &lab.cluster,
            &reference("", "ConfigMap", Some(&lab.namespace), "none"),
        )
        .await;
    });
}

#[test]
fn what_comes_into_a_namespace_that_is_not_there_yet_is_not_tried_one_by_one() {
    lab(|mut lab| async move {
        let accounts: Vec<Value> = (0..100)
            .map(|n| json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": format!("s{n}")}}))
            .collect();
        let mut request = lab.request("web", &accounts);
        request.app.namespace = format!("{}-new", lab.namespace);
        request.create_namespace = true;
        let first = u64::try_from(request.concurrency).unwrap();
        let prepared = lab.prepare(request).await.unwrap();
        assert_eq!(prepared.changes().count(), 100);
        let requests = lab.cluster.requests();
        assert!(
            requests.of(Verb::DryRun) <= first && first < 50,
            "{requests}"
        );
    });
}
