//! kapp's vocabulary against a real server: Config documents, versioned resources, strategies, marks.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use crate::support::{Lab, apply, config_map, connect, deployment, lab, reference};
use serde_json::{Value, json};
use windlass::deploy::{Error, Prepared, Request};
use windlass::diff::Op;
use windlass::inventory::DeployResult;
use windlass::kapp::{self, Rules};
use windlass::object::Source;

fn rules(text: &str) -> Rules {
    let source = Source {
        file: "config.yml".to_owned(),
        line: 1,
    };
    let text = format!("apiVersion: kapp.k14s.io/v1alpha1\nkind: Config\n{text}");
    kapp::read(text.as_bytes(), &source).unwrap()
}

/// An object with annotations of kapp.
fn marked(mut object: Value, marks: &[(&str, &str)]) -> Value {
    for (key, value) in marks {
        object["metadata"]["annotations"][format!("kapp.k14s.io/{key}")] = json!(value);
    }
    object
}

fn versioned(name: &str, value: &str) -> Value {
    marked(config_map(name, value), &[("versioned", "")])
}

/// A Deployment that reads a ConfigMap.
fn reading(name: &str, config_map: &str) -> Value {
    let mut object = deployment(name, "");
    object["spec"]["template"]["spec"]["containers"][0]["envFrom"] =
        json!([{"configMapRef": {"name": config_map}}]);
    object
}

/// The changes of a plan, in order: `create web-ver-1`.
fn told(prepared: &Prepared) -> Vec<String> {
    let each = prepared
        .changes()
        .map(|change| format!("{} {}", change.op.word(), change.target.name));
    each.collect()
}

async fn deploy_by(lab: &mut Lab, rules: &Rules, objects: &[Value]) -> Prepared {
    let request = Request {
        rules: rules.clone(),
        ..lab.request("app", objects)
    };
    let prepared = lab.prepare(request).await.unwrap();
    let report = lab.run(&prepared).await.unwrap();
    assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");
    prepared
}

async fn deploy(lab: &mut Lab, objects: &[Value]) -> Vec<String> {
    told(&deploy_by(lab, &Rules::default(), objects).await)
}

async fn config_maps(lab: &Lab) -> Vec<String> {
    let kinds = lab.cluster.discovery().await.unwrap();
    let kind = kinds.preferred("", "ConfigMap").unwrap();
    let names = lab.cluster.names(kind, Some(&lab.namespace), 1).await;
    let mut names: Vec<String> = names.unwrap().unwrap().into_iter().collect();
    names.retain(|name| name != "kube-root-ca.crt");
    names
}

#[test]
fn versions_are_numbered_named_and_kept() {
    lab(async |mut lab| {
        let app = |value: &str| vec![versioned("conf", value), reading("web", "conf")];
        let first = deploy(&mut lab, &app("1")).await;
        assert_eq!(first, ["create conf-ver-1", "create web"]);
        assert!(deploy(&mut lab, &app("1")).await.is_empty());
        let second = deploy(&mut lab, &app("2")).await;
        assert_eq!(second, ["create conf-ver-2", "update web"]);
        assert!(deploy(&mut lab, &app("2")).await.is_empty());
        let web = lab.get("apps", "Deployment", "web").await.unwrap();
        let env = &web.tree()["spec"]["template"]["spec"]["containers"][0]["envFrom"];
        assert_eq!(env[0]["configMapRef"]["name"], "conf-ver-2");
        assert_eq!(config_maps(&lab).await, ["conf-ver-1", "conf-ver-2"]);
        // Without the object all its versions go.
        let gone = deploy(&mut lab, &[deployment("web", "")]).await;
        assert!(gone.contains(&"delete conf-ver-1".to_owned()), "{gone:?}");
        assert!(config_maps(&lab).await.is_empty());
    });
}

#[test]
fn a_new_version_is_shown_as_what_differs_from_the_last() {
    lab(async |mut lab| {
        deploy(&mut lab, &[versioned("conf", "1")]).await;
        let request = lab.request("app", &[versioned("conf", "2")]);
        let prepared = lab.prepare(request).await.unwrap();
        let change = prepared.changes().next().unwrap();
        assert_eq!(
            (change.op, change.reason.as_str()),
            (Op::Create, "conf-ver-1 differs")
        );
        let paths: Vec<_> = change
            .fields
            .iter()
            .map(|field| field.path.as_str())
            .collect();
        assert_eq!(paths, ["data.key"]);
    });
}

#[test]
fn old_versions_go_when_there_are_too_many() {
    lab(async |mut lab| {
        let conf = |value: &str| {
            let marks = [("versioned", ""), ("num-versions", "2")];
            marked(config_map("conf", value), &marks)
        };
        for value in ["1", "2", "3"] {
            deploy(&mut lab, &[conf(value)]).await;
        }
        let fourth = deploy(&mut lab, &[conf("4")]).await;
        assert_eq!(fourth, ["create conf-ver-4", "delete conf-ver-1"]);
        assert_eq!(
            config_maps(&lab).await,
            ["conf-ver-2", "conf-ver-3", "conf-ver-4"]
        );
        assert_eq!(deploy(&mut lab, &[conf("4")]).await, ["delete conf-ver-2"]);
    });
}

#[test]
fn versions_name_versions_and_originals_stay() {
    lab(async |mut lab| {
        let job = |image: &str| {
            let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"},
                "spec": {"template": {"spec": {"restartPolicy": "Never", "containers":
                    [{"name": "c", "image": image, "envFrom": [{"configMapRef": {"name": "conf"}}]}]}}}});
            marked(job, &[("versioned", ""), ("disable-wait", "")])
        };
        let conf = |value: &str| {
            let marks = [("versioned", ""), ("versioned-keep-original", "")];
            marked(config_map("conf", value), &marks)
        };
        let first = deploy(&mut lab, &[job("example.com/a:1"), conf("1")]).await;
        assert_eq!(
            first,
            ["create conf", "create conf-ver-1", "create migrate-ver-1"]
        );
        assert!(
            deploy(&mut lab, &[job("example.com/a:1"), conf("1")])
                .await
                .is_empty()
        );
        // A new version of what it names is a new version of the Job, which cannot be changed.
        let second = deploy(&mut lab, &[job("example.com/a:1"), conf("2")]).await;
        assert_eq!(
            second,
            ["update conf", "create conf-ver-2", "create migrate-ver-2"]
        );
    });
}

#[test]
fn explicit_references_name_the_version() {
    lab(async |mut lab| {
        let named = "apiVersion: v1\nkind: ConfigMap\nname: conf\n";
        let marks = [("versioned-explicit-ref.one", named)];
        let objects = [
            marked(config_map("who", "1"), &marks),
            versioned("conf", "1"),
        ];
        deploy(&mut lab, &objects).await;
        let who = lab.get("", "ConfigMap", "who").await.unwrap();
        let found = who.annotation("kapp.k14s.io/versioned-explicit-ref.one");
        assert_eq!(
            found,
            Some("apiVersion: v1\nkind: ConfigMap\nname: conf-ver-1\n")
        );
    });
}

#[test]
fn versions_that_kapp_left_are_taken_over_and_counted_on() {
    lab(async |mut lab| {
        for number in [3, 4] {
            let mut left = versioned(&format!("conf-ver-{number}"), &number.to_string());
            left["metadata"]["namespace"] = json!(lab.namespace);
            left["metadata"]["labels"] = json!({"kapp.k14s.io/app": "1700"});
            apply(&lab.cluster, left).await;
        }
        let taking = |lab: &Lab, value: &str| Request {
            take_from: vec!["1700".to_owned()],
            force: true,
            ..lab.request("app", &[versioned("conf", value)])
        };
        let request = taking(&lab, "4");
        let same = lab.prepare(request).await.unwrap();
        assert_eq!(told(&same), ["update conf-ver-4"]);
        let request = taking(&lab, "5");
        let next = lab.prepare(request).await.unwrap();
        assert_eq!(told(&next), ["create conf-ver-5"]);
        // What may not be taken is left alone, and so is its name.
        for number in [1, 2] {
            let mut other = config_map(&format!("conf-ver-{number}"), "x");
            other["metadata"]["namespace"] = json!(lab.namespace);
            apply(&lab.cluster, other).await;
        }
        let request = lab.request("app", &[versioned("conf", "5")]);
        assert_eq!(
            told(&lab.prepare(request).await.unwrap()),
            ["create conf-ver-5"]
        );
    });
}

#[test]
fn versions_that_are_adopted_keep_their_names() {
    lab(async |mut lab| {
        let other = marked(config_map("other", "1"), &[("nonce", "17")]);
        let adoption = Request {
            as_is: true,
            ..lab.request("app", &[versioned("conf-ver-3", "3"), other])
        };
        let prepared = lab.prepare(adoption).await.unwrap();
        assert_eq!(told(&prepared), ["create conf-ver-3", "create other"]);
        lab.run(&prepared).await.unwrap();
        let same = deploy(&mut lab, &[versioned("conf", "3")]).await;
        assert_eq!(same, ["delete other"]);
        assert!(deploy(&mut lab, &[versioned("conf", "3")]).await.is_empty());
        let next = deploy(&mut lab, &[versioned("conf", "4")]).await;
        assert_eq!(next, ["create conf-ver-4"]);
    });
}

#[test]
fn fields_copied_from_the_live_object_are_left_alone() {
    lab(async |mut lab| {
        let rules = rules(
            "rebaseRules:
- path: [data, theirs]
  type: copy
  sources: [existing, new]
  resourceMatchers: [{apiVersionKindMatcher: {apiVersion: v1, kind: ConfigMap}}]
- path: [data, gone]
  type: remove
  resourceMatchers: [{allMatcher: {}}]
",
        );
        let mut conf = config_map("conf", "1");
        conf["data"]["theirs"] = json!("first");
        conf["data"]["gone"] = json!("x");
        deploy_by(&mut lab, &rules, &[conf.clone()]).await;
        let theirs = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"theirs": "second"},
            "metadata": {"name": "conf", "namespace": lab.namespace}});
        change_as_another(&lab, theirs).await;
        conf["data"]["key"] = json!("2");
        deploy_by(&mut lab, &rules, &[conf.clone()]).await;
        let found = lab.get("", "ConfigMap", "conf").await.unwrap();
        assert_eq!(
            found.tree()["data"],
            json!({"key": "2", "theirs": "second"})
        );
        let again = deploy_by(&mut lab, &rules, &[conf]).await;
        assert!(told(&again).is_empty());
    });
}

/// Writes as another field manager does that takes what it wants.
async fn change_as_another(lab: &Lab, object: Value) {
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    let path = format!(
        "/api/v1/namespaces/{}/configmaps/{name}?fieldManager=other",
        lab.namespace
    );
    let request = http::Request::patch(path).header("content-type", "application/merge-patch+json");
    let request = request.body(object.to_string().into_bytes()).unwrap();
    crate::support::client()
        .await
        .request_text(request)
        .await
        .unwrap();
}

#[test]
fn excluded_fields_alone_are_no_reason_to_update() {
    lab(async |mut lab| {
        let rules = rules(
            "diffAgainstExistingFieldExclusionRules:
- path: [data, stamp]
  resourceMatchers: [{allMatcher: {}}]
",
        );
        let conf = |key: &str, stamp: &str| {
            let mut conf = config_map("conf", key);
            conf["data"]["stamp"] = json!(stamp);
            conf
        };
        deploy_by(&mut lab, &rules, &[conf("1", "a")]).await;
        let unchanged = deploy_by(&mut lab, &rules, &[conf("1", "b")]).await;
        assert!(told(&unchanged).is_empty());
        deploy_by(&mut lab, &rules, &[conf("2", "b")]).await;
        let found = lab.get("", "ConfigMap", "conf").await.unwrap();
        assert_eq!(found.tree()["data"], json!({"key": "2", "stamp": "b"}));
    });
}

#[test]
fn masked_fields_are_shown_nowhere() {
    lab(async |mut lab| {
        let rules = rules(
            "diffMaskRules:
- path: [data]
  resourceMatchers: [{kindNamespaceNameMatcher: {kind: ConfigMap, namespace: NS, name: conf}}]
"
            .replace("NS", &lab.namespace)
            .as_str(),
        );
        deploy_by(&mut lab, &rules, &[config_map("conf", "hunter2")]).await;
        let request = Request {
            rules,
            ..lab.request("app", &[config_map("conf", "hunter3")])
        };
        let prepared = lab.prepare(request).await.unwrap();
        let change = prepared.changes().next().unwrap();
        let shown = format!("{:?}{:?}{:?}", change.before, change.after, change.fields);
        assert!(!shown.contains("hunter"), "{shown}");
        assert_eq!(lab.masker.scrub("hunter3"), "<masked>");
    });
}

/// The definition of a kind of the test's own, and its group.
fn definition(lab: &Lab) -> (String, Value) {
    let group = format!("{}.kapp.windlass.dev", lab.namespace);
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("dbs.{group}")},
        "spec": {"group": group, "scope": "Namespaced",
            "names": {"plural": "dbs", "singular": "db", "kind": "Db"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}]}});
    (group, definition)
}

fn db(group: &str, status: Option<&Value>) -> Value {
    let mut object =
        json!({"apiVersion": format!("{group}/v1"), "kind": "Db", "metadata": {"name": "main"}});
    if let Some(status) = status {
        object["status"] = json!({"conditions": [status]});
    }
    object
}

#[test]
fn wait_rules_say_when_custom_resources_are_ready() {
    lab(async |mut lab| {
        let (group, definition) = definition(&lab);
        let rules = rules(
            "waitRules:
- conditionMatchers:
  - {type: Ready, status: 'True', success: true}
  - {type: Broken, status: 'True', failure: true}
  - {type: Starting, status: 'True', unblockChanges: true}
  resourceMatchers: [{customResourceMatcher: {}}]
changeRuleBindings:
- rules: [upsert after upserting test/db]
  resourceMatchers: [{apiVersionKindMatcher: {apiVersion: v1, kind: ConfigMap}}]
changeGroupBindings:
- name: test/db
  resourceMatchers: [{customResourceMatcher: {}}]
",
        );
        deploy(&mut lab, std::slice::from_ref(&definition)).await;
        lab.cluster = connect(&lab.namespace).await;
        let objects = [definition, db(&group, None), config_map("after", "1")];
        let request = Request {
            rules: rules.clone(),
            ..lab.request("app", &objects)
        };
        let prepared = lab.prepare(request).await.unwrap();
        assert_eq!(told(&prepared), ["create main", "create after"]);
        let cluster = lab.cluster.clone();
        let namespace = lab.namespace.clone();
        let controller = async {
            // What waits for it is made once it starts, and the run ends once it is ready.
            set_condition(&cluster, &group, &namespace, "Starting").await;
            let after = reference("", "ConfigMap", Some(&namespace), "after");
            while cluster.get(&after).await.unwrap().is_none() {
                tokio::task::yield_now().await;
            }
            set_condition(&cluster, &group, &namespace, "Ready").await;
        };
        let (report, ()) = tokio::join!(lab.run(&prepared), controller);
        assert_eq!(report.unwrap().result, DeployResult::Succeeded);
        // One that says that it is broken fails the next run.
        set_condition(&cluster, &group, &namespace, "Broken").await;
        let request = Request {
            rules,
            ..lab.request("app", &objects)
        };
        let prepared = lab.prepare(request).await.unwrap();
        assert!(!prepared.is_noop());
        let report = lab.run(&prepared).await.unwrap();
        assert_eq!(report.result, DeployResult::Failed);
        lab.delete_well("app").await;
    });
}

/// Waits for the resource, then sets its one condition as its controller would.
async fn set_condition(
    cluster: &windlass::cluster::Cluster,
    group: &str,
    namespace: &str,
    kind: &str,
) {
    let target = reference(group, "Db", Some(namespace), "main");
    while cluster.get(&target).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    let condition = json!({"type": kind, "status": "True", "reason": "Test"});
    let path = format!("/apis/{group}/v1/namespaces/{namespace}/dbs/main?fieldManager=controller");
    let request = http::Request::patch(path).header("content-type", "application/merge-patch+json");
    let body = db(group, Some(&condition)).to_string().into_bytes();
    let client = crate::support::client().await;
    client
        .request_text(request.body(body).unwrap())
        .await
        .unwrap();
}

#[test]
fn definitions_that_lose_data_are_refused_when_asked_for() {
    lab(async |mut lab| {
        let (_, mut definition) = definition(&lab);
        deploy(&mut lab, std::slice::from_ref(&definition)).await;
        let schema = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        schema["properties"]["spec"]["properties"] = json!({"other": {"type": "string"}});
        let request = Request {
            rules: rules("preflightRules: [{name: CRDUpgradeSafety}]"),
            ..lab.request("app", &[definition])
        };
        let refused = lab.prepare(request).await.unwrap_err();
        assert!(matches!(refused, Error::Refused(_)));
        assert!(
            refused
                .to_string()
                .contains("field spec.size would be gone"),
            "{refused}"
        );
        lab.delete_well("app").await;
    });
}

#[test]
fn additional_labels_are_on_objects_and_their_pods() {
    lab(async |mut lab| {
        let rules = rules("additionalLabels: {team: shop}");
        deploy_by(&mut lab, &rules, &[deployment("web", "")]).await;
        let web = lab.get("apps", "Deployment", "web").await.unwrap();
        assert_eq!(web.label("team"), Some("shop"));
        let spec = &web.tree()["spec"];
        assert_eq!(spec["template"]["metadata"]["labels"]["team"], "shop");
        assert_eq!(spec["selector"]["matchLabels"], json!({"app": "web"}));
    });
}

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

async fn is_there(lab: &Lab, kind: (&str, &str), name: &str) -> bool {
    let found = lab.get(kind.0, kind.1, name).await;
    found.is_some_and(|found| found.get(&["metadata", "deletionTimestamp"]).is_none())
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
        let prepared =
            windlass::deploy::prepare_delete(&lab.cluster, &app, &lab.masker, &mut lab.events);
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
