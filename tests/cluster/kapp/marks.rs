//! Annotations of single objects: strategies, owners, waits.

use super::{config_maps, deploy, is_there, marked, told};
use crate::support::{apply, config_map, deployment, lab, reference};
use serde_json::{Value, json};
use windlass::deploy::Request;
use windlass::inventory::DeployResult;

#[test]
fn a_nonce_is_an_update_each_time_and_a_renewal_when_it_is_due() {
    lab(async |mut lab| {
        let conf = [marked(config_map("conf", "1"), &[("nonce", "")])];
        deploy(&mut lab, &conf).await;
        assert_eq!(deploy(&mut lab, &conf).await, ["update conf"]);
        let renewed = [marked(
            config_map("renewed", "1"),
            &[("renew-duration", "24h")],
        )];
        deploy(&mut lab, &renewed).await;
        assert!(deploy(&mut lab, &renewed).await.is_empty());
        let tomorrow = Request {
            now: jiff::Timestamp::now() + jiff::SignedDuration::from_hours(25),
            ..lab.request("app", &renewed)
        };
        let prepared = lab.prepare(tomorrow).await.unwrap();
        assert_eq!(told(&prepared), ["update renewed"]);
        let path = &prepared.changes().next().unwrap().fields[0].path;
        assert!(path.contains("last-renewed-time"), "{path}");
    });
}

#[test]
fn strategies_decide_how_an_object_is_changed() {
    lab(async |mut lab| {
        let service = |ip: &str, strategy: &str| {
            let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
                "spec": {"clusterIP": ip, "ports": [{"port": 80}]}});
            marked(service, &[("update-strategy", strategy)])
        };
        deploy(&mut lab, &[service("None", "")]).await;
        let changed = |strategy: &str| {
            let mut changed = service("None", strategy);
            changed["spec"]["type"] = json!("ClusterIP");
            changed["spec"]["ports"][0]["port"] = json!(81);
            changed
        };
        let before = lab.get("", "Service", "web").await.unwrap();
        assert!(deploy(&mut lab, &[changed("skip")]).await.is_empty());
        let replaced = deploy(&mut lab, &[changed("always-replace")]).await;
        assert_eq!(replaced, ["replace web"]);
        let after = lab.get("", "Service", "web").await.unwrap();
        assert_ne!(after.uid(), before.uid());
        let mut conf = marked(
            config_map("conf", "1"),
            &[("update-strategy", "fallback-on-replace")],
        );
        conf["immutable"] = json!(true);
        deploy(&mut lab, &[conf.clone()]).await;
        conf["data"]["key"] = json!("2");
        let replaced = deploy(&mut lab, &[conf]).await;
        assert!(
            replaced.contains(&"replace conf".to_owned()),
            "{replaced:?}"
        );
    });
}

#[test]
fn objects_that_others_make_meanwhile_are_updated() {
    lab(async |mut lab| {
        // Its namespace gets an account of that name by itself.
        let inner = format!("{}-inner", lab.namespace);
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": inner, "labels": {"a": "b"}}});
        let objects = [
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": inner}}),
            marked(account, &[("create-strategy", "fallback-on-update")]),
        ];
        deploy(&mut lab, &objects).await;
        let account = reference("", "ServiceAccount", Some(&inner), "default");
        let found = lab.cluster.get(&account).await.unwrap().unwrap();
        assert_eq!(found.label("a"), Some("b"));
        lab.delete_well("app").await;
    });
}

#[test]
fn objects_that_are_left_are_no_longer_ours() {
    lab(async |mut lab| {
        let mut kept = config_map("kept", "1");
        kept["metadata"]["annotations"] = json!({"helm.sh/resource-policy": "keep"});
        let orphan = marked(config_map("orphan", "1"), &[("delete-strategy", "orphan")]);
        deploy(&mut lab, &[kept, orphan, config_map("gone", "1")]).await;
        lab.delete_well("app").await;
        assert_eq!(config_maps(&lab).await, ["kept", "orphan"]);
        let orphan = lab.get("", "ConfigMap", "orphan").await.unwrap();
        assert_eq!(orphan.label("applyset.kubernetes.io/part-of"), None);
    });
}

#[test]
fn objects_of_others_are_waited_for_and_left_alone() {
    lab(async |mut lab| {
        let theirs = marked(config_map("theirs", "1"), &[("exists", "")]);
        let ignored = marked(config_map("ignored", "1"), &[("noop", "")]);
        let request = lab.request("app", &[theirs, ignored]);
        let prepared = lab.prepare(request).await.unwrap();
        assert_eq!(told(&prepared), ["exists theirs"]);
        let mut made = config_map("theirs", "another");
        made["metadata"]["namespace"] = json!(lab.namespace);
        let cluster = lab.cluster.clone();
        let (report, _) = tokio::join!(lab.run(&prepared), apply(&cluster, made));
        assert_eq!(report.unwrap().result, DeployResult::Succeeded);
        let theirs = lab.get("", "ConfigMap", "theirs").await.unwrap();
        assert_eq!(theirs.tree()["data"]["key"], "another");
        assert!(lab.get("", "ConfigMap", "ignored").await.is_none());
    });
}

#[test]
fn enough_replicas_are_enough() {
    lab(async |mut lab| {
        // Its second pod fits no node of the testbed.
        let mut web = marked(
            deployment("web", ""),
            &[("apps-v1-deployment-wait-minimum-replicas-available", "1")],
        );
        web["spec"]["replicas"] = json!(2);
        web["spec"]["template"]["spec"]["affinity"] = json!({"podAntiAffinity":
            {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname",
                "labelSelector": {"matchLabels": {"app": "web"}}}]}});
        deploy(&mut lab, &[web]).await;
    });
}

#[test]
fn wrong_marks_are_refused_before_anything_is_asked() {
    lab(async |mut lab| {
        let object = marked(config_map("conf", "1"), &[("update-strategy", "replace")]);
        let request = lab.request("app", &[object]);
        let error = lab.prepare(request).await.unwrap_err().to_string();
        assert!(
            error.starts_with("templates/test.yaml:1: ConfigMap/conf: annotation"),
            "{error}"
        );
    });
}

#[test]
fn marked_claims_go_with_their_app_and_others_stay() {
    lab(async |mut lab| {
        let claim = |name: &str, annotations: Value| {
            json!({"metadata": {"name": name, "annotations": annotations},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}})
        };
        let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
            "spec": {"replicas": 1, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
                "template": {"metadata": {"labels": {"app": "db"}},
                    "spec": {"containers": [{"name": "c", "image": "example.com/db:1"}]}},
                "volumeClaimTemplates": [
                    claim("marked", json!({"kapp.k14s.io/owned-for-deletion": ""})),
                    claim("kept", json!({}))]}});
        deploy(&mut lab, &[set]).await;
        let claims = ("", "PersistentVolumeClaim");
        assert!(is_there(&lab, claims, "marked-db-0").await);
        lab.delete_well("app").await;
        assert!(!is_there(&lab, claims, "marked-db-0").await);
        assert!(is_there(&lab, claims, "kept-db-0").await);
    });
}

#[test]
fn one_object_under_two_kinds_is_not_deleted_with_its_old_name() {
    lab(async |mut lab| {
        // Events are the same in two API groups.
        let old = json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"},
            "involvedObject": {"kind": "ConfigMap", "name": "x", "namespace": lab.namespace},
            "reason": "Test", "action": "Test", "type": "Normal", "eventTime": "2026-01-01T00:00:00.000000Z",
            "reportingComponent": "windlass.dev/test", "reportingInstance": "test"});
        deploy(&mut lab, &[old]).await;
        let before = lab.get("", "Event", "e").await.unwrap();
        let new = json!({"apiVersion": "events.k8s.io/v1", "kind": "Event",
            "metadata": {"name": "e", "labels": {"moved": "yes"}},
            "regarding": {"kind": "ConfigMap", "name": "x", "namespace": lab.namespace},
            "reason": "Test", "action": "Test", "type": "Normal", "eventTime": "2026-01-01T00:00:00.000000Z",
            "reportingController": "windlass.dev/test", "reportingInstance": "test"});
        let moved = deploy(&mut lab, std::slice::from_ref(&new)).await;
        assert_eq!(moved, ["update e"]);
        let after = lab.get("events.k8s.io", "Event", "e").await.unwrap();
        assert_eq!(before.uid(), after.uid());
        assert!(deploy(&mut lab, &[new]).await.is_empty());
        lab.delete_well("app").await;
        assert!(lab.get("", "Event", "e").await.is_none());
    });
}

#[test]
fn namespaces_of_the_cluster_itself_are_let_go_of() {
    lab(async |mut lab| {
        let system = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-node-lease"}});
        deploy(&mut lab, &[system, config_map("conf", "1")]).await;
        let left = deploy(&mut lab, &[config_map("conf", "1")]).await;
        assert_eq!(left, ["keep kube-node-lease"]);
        let system = reference("", "Namespace", None, "kube-node-lease");
        let system = lab.cluster.get(&system).await.unwrap().unwrap();
        assert_eq!(system.label("applyset.kubernetes.io/part-of"), None);
    });
}
