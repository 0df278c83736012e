//! Deletions that take more with them than objects of the app, and those that do not come to an end.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use crate::program::Case;
use crate::support::{Lab, apply, config_map, lab, reference, remove};
use serde_json::{Value, json};
use std::time::Duration;
use windlass::deploy::{self, Prepared};
use windlass::diff::Op;
use windlass::event::Reconcile;

async fn deletion(lab: &mut Lab) -> Prepared {
    let app = lab.app("web");
    deploy::prepare_delete(&lab.cluster, &app, true, &lab.masker, &mut lab.events)
        .await
        .unwrap()
}

const CLAIM: &str = "{{ if not .Values.less }}
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
{{ end }}";

#[test]
fn a_claim_with_data_is_not_pruned_unless_that_is_meant() {
    let case = Case::new("claim");
    case.template("claim.yaml", CLAIM).template(
        "a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    );
    let deployed = case.deploy(&[]);
    assert_eq!(deployed.code, 0, "{}", deployed.all());
    let refused = case.deploy(&["--set", "less=true"]);
    assert_eq!(refused.code, 7, "{}", refused.all());
    for part in [
        "no longer rendered",
        "PersistentVolumeClaim/data",
        "the data of its volume goes with it",
        "--allow-delete PersistentVolumeClaim",
    ] {
        assert!(refused.all().contains(part), "{}", refused.all());
    }
    let less = ["--set", "less=true"];
    let foretold = [
        case.run(&[&["diff", "shop", "chart"], &less[..]].concat()),
        case.deploy(&[&less[..], &["--dry-run"]].concat()),
    ];
    for shown in foretold.iter().chain([&refused]) {
        let told = shown.all().matches("the data of its volume").count();
        assert_eq!(told, 1, "{}", shown.all());
    }
    let refused = case.run(&["delete", "shop", "--yes"]);
    assert_eq!(refused.code, 7, "{}", refused.all());
    let deleted = case.run(&[
        "delete",
        "shop",
        "--yes",
        "--allow-delete",
        "persistentvolumeclaim",
    ]);
    assert_eq!(deleted.code, 0, "{}", deleted.all());
}

#[test]
fn a_namespace_goes_only_with_a_list_of_what_is_not_the_apps() {
    lab(|mut lab| async move {
        let name = format!("{}-own", lab.namespace);
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        let mut ours = config_map("ours", "1");
        ours["metadata"]["namespace"] = name.as_str().into();
        lab.deploy_well("web", &[namespace, ours]).await;
        // What every namespace has is made by controllers a moment later.
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(deletion(&mut lab).await.risks, []);

        let mut theirs = config_map("theirs", "1");
        theirs["metadata"]["namespace"] = name.as_str().into();
        apply(&lab.cluster, theirs).await;
        let prepared = deletion(&mut lab).await;
        assert_eq!(prepared.risks.len(), 1, "{:?}", prepared.risks);
        let why = format!("objects that are not of this app go with it: ConfigMap/theirs ({name})");
        assert_eq!(prepared.risks[0].why, why);
        lab.delete_well("web").await;
    });
}

/// A definition of a kind in a group of the test's own.
fn definition(lab: &Lab, plural: &str, kind: &str) -> (String, Value) {
    let group = format!("{}.deletion.windlass.dev", lab.namespace);
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {"group": group, "scope": "Namespaced",
            "names": {"plural": plural, "singular": plural.trim_end_matches('s'), "kind": kind},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}}}]}});
    (group, definition)
}

#[test]
fn a_definition_goes_only_with_a_list_of_foreign_resources() {
    lab(|mut lab| async move {
        let (group, definition) = definition(&lab, "widgets", "Widget");
        let widget = |name: &str| {
            json!({"apiVersion": format!("{group}/v1"), "kind": "Widget",
                "metadata": {"name": name, "namespace": lab.namespace}})
        };
        let (ours, theirs) = (widget("ours"), widget("theirs"));
        lab.deploy_well("web", &[definition, ours]).await;
        assert_eq!(deletion(&mut lab).await.risks, []);
        apply(&lab.cluster, theirs).await;
        let risks = deletion(&mut lab).await.risks;
        assert_eq!(risks.len(), 1);
        assert!(risks[0].why.contains("/theirs ("), "{risks:?}");
        lab.delete_well("web").await;
    });
}

#[test]
fn a_version_comes_with_an_object_of_it() {
    lab(|mut lab| async move {
        let (group, mut definition) = definition(&lab, "sprockets", "Sprocket");
        let sprocket = |version: &str| {
            json!({"apiVersion": format!("{group}/{version}"), "kind": "Sprocket",
                "metadata": {"name": "one", "namespace": lab.namespace}})
        };
        let (old, new) = (sprocket("v1"), sprocket("v2"));
        lab.deploy_well("web", &[definition.clone(), old]).await;
        let mut second = definition["spec"]["versions"][0].clone();
        second["name"] = json!("v2");
        definition["spec"]["versions"][0]["storage"] = json!(false);
        definition["spec"]["versions"]
            .as_array_mut()
            .unwrap()
            .push(second);
        // Another process, which did not see the kinds before.
        let mut lab = lab.another().await;
        let objects = [definition, new];
        lab.deploy_well("web", &objects).await;
        let request = lab.request("web", &objects);
        assert!(lab.prepare(request).await.unwrap().is_noop());
        lab.delete_well("web").await;
    });
}

#[test]
fn what_may_be_made_anew_is_whatever_the_server_calls_the_reason() {
    lab(|mut lab| async move {
        let (group, mut definition) = definition(&lab, "tanks", "Tank");
        definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = json!({"type": "object",
            "properties": {"size": {"type": "integer", "minimum": 0}},
            "x-kubernetes-validations":
                [{"rule": "self.size >= oldSelf.size", "message": "size may only grow"}]});
        let objects = |size: i64| {
            let tank = json!({"apiVersion": format!("{group}/v1"), "kind": "Tank", "size": size,
                "metadata": {"name": "one", "namespace": lab.namespace,
                    "annotations": {"kapp.k14s.io/update-strategy": "fallback-on-replace"}}});
            [definition.clone(), tank]
        };
        let [large, small, wrong] = [objects(2), objects(1), objects(-1)];
        lab.deploy_well("web", &large).await;
        let request = lab.request("web", &wrong);
        let refused = lab.prepare(request).await.unwrap_err().to_string();
        assert!(
            refused.contains("should be greater than or equal to 0"),
            "{refused}"
        );
        let report = lab.deploy_well("web", &small).await;
        assert!(
            report.outcomes.iter().any(|it| it.op == Op::Replace),
            "{report:#?}"
        );
        lab.delete_well("web").await;
    });
}

#[test]
fn rules_that_would_keep_an_app_from_being_deleted_are_found_before_it_is_deployed() {
    lab(|mut lab| async move {
        let object = |own: &str, other: &str| {
            let mut object = config_map(own, "1");
            object["metadata"]["annotations"] = json!({"kapp.k14s.io/change-group": own,
                "kapp.k14s.io/change-rule": format!("delete after deleting {other}")});
            object
        };
        let request = lab.request("web", &[object("a", "b"), object("b", "a")]);
        let error = lab.prepare(request).await.unwrap_err().to_string();
        assert!(error.starts_with("changes wait for each other:"), "{error}");
        lab.deploy_well("web", &[object("a", "b"), object("b", "c")])
            .await;
    });
}

#[test]
fn a_namespace_that_is_being_deleted_is_named() {
    lab(|mut lab| async move {
        let mut held = config_map("held", "1");
        held["metadata"]["namespace"] = json!(lab.namespace);
        held["metadata"]["finalizers"] = json!(["example.com/hold"]);
        apply(&lab.cluster, held).await;
        let namespace = reference("", "Namespace", None, &lab.namespace);
        remove(&lab.cluster, &namespace).await;
        let app = lab.app("web");
        let (cluster, masker) = (&lab.cluster, &lab.masker);
        let deleted = deploy::prepare_delete(cluster, &app, true, masker, &mut lab.events).await;
        let request = lab.request("web", &[config_map("a", "1")]);
        let deployed = lab.prepare(request).await;
        for error in [deleted.unwrap_err(), deployed.unwrap_err()] {
            assert!(error.to_string().contains("is being deleted: "), "{error}");
        }
        let target = reference("", "ConfigMap", Some(&lab.namespace), "held");
        let free = json!({"metadata": {"finalizers": null}});
        lab.cluster.merge_patch(&target, &free).await.unwrap();
    });
}

#[test]
fn a_definition_whose_names_are_taken_ends_the_wait() {
    lab(|mut lab| async move {
        let (_, first) = definition(&lab, "gadgets", "Gadget");
        lab.deploy_well("first", &[first]).await;
        let (_, second) = definition(&lab, "gizmos", "Gadget");
        let report = lab.deploy("second", &[second]).await;
        assert_eq!(
            report.outcomes[0].reconcile,
            Reconcile::Failed,
            "{report:#?}"
        );
        let reason = &report.outcomes[0].reason;
        assert!(reason.contains("is already in use"), "{reason}");
        lab.delete_well("second").await;
        lab.delete_well("first").await;
    });
}

#[test]
fn a_namespace_that_does_not_go_says_what_holds_it() {
    lab(|mut lab| async move {
        let name = format!("{}-held", lab.namespace);
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        lab.deploy_well("web", &[namespace]).await;
        let mut held = config_map("held", "1");
        held["metadata"]["namespace"] = name.as_str().into();
        held["metadata"]["finalizers"] = json!(["example.com/hold"]);
        apply(&lab.cluster, held).await;
        let prepared = deletion(&mut lab).await;
        let mut options = deploy::Options::new(jiff::Timestamp::now());
        options.wait_timeout = Duration::from_secs(10);
        let report = lab.run_with(&prepared, &options).await.unwrap();
        let reason = &report.outcomes[0].reason;
        for part in [
            "not gone after 10 s",
            "configmaps. has 1 resource instances",
            "example.com/hold",
        ] {
            assert!(reason.contains(part), "{reason}");
        }
        let target = reference("", "ConfigMap", Some(&name), "held");
        let free = json!({"metadata": {"finalizers": null}});
        lab.cluster.merge_patch(&target, &free).await.unwrap();
        lab.delete_well("web").await;
        remove(&lab.cluster, &reference("", "Namespace", None, &name)).await;
    });
}

#[test]
fn the_value_that_turned_a_chart_off_is_named_before_its_objects_go() {
    let case = Case::new("off");
    case.env
        .write(
            "chart/Chart.yaml",
            "apiVersion: v2\nname: chart\nversion: 1.0.0\ndependencies:\n- {name: db, version: 1.0.0, condition: db.enabled}\n",
        )
        .write("chart/charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n")
        .write(
            "chart/charts/db/templates/a.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: db, labels: {helm.sh/chart: db-1.0.0}}\n",
        );
    case.template(
        "a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    );
    let deployed = case.deploy(&[]);
    assert_eq!(deployed.code, 0, "{}", deployed.all());
    let refused = case.deploy(&["--set", "db.enabled=false", "--max-prune", "0"]);
    assert_eq!(refused.code, 7, "{}", refused.all());
    let why = "no longer rendered; nothing comes of chart db (db.enabled)";
    assert!(refused.stdout.contains(why), "{}", refused.all());
    let pruned = case.deploy(&["--set", "db.enabled=false"]);
    assert_eq!(pruned.code, 0, "{}", pruned.all());
}
