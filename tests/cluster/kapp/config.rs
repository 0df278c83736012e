//! Config documents: what their rules do to objects, waits and output.

use super::{deploy, deploy_by, rules, told};
use crate::program::Case;
use crate::support::{Lab, config_map, connect, deployment, lab, reference};
use serde_json::{Value, json};
use windlass::deploy::{Error, Request, inspect, remember};
use windlass::inventory::DeployResult;
use windlass::status::State;

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

/// How the resource is, as `inspect` tells from another process.
async fn inspected(lab: &Lab) -> (State, String) {
    let cluster = connect(&lab.namespace).await;
    let seen = inspect(&cluster, &lab.app("app")).await.unwrap();
    let db = seen.into_iter().find(|seen| seen.target.kind == "Db");
    let status = db.unwrap().status;
    (status.state, status.message)
}

#[test]
fn wait_rules_are_remembered_for_whoever_looks_later() {
    lab(async |mut lab| {
        let (group, definition) = definition(&lab);
        deploy(&mut lab, std::slice::from_ref(&definition)).await;
        lab.cluster = connect(&lab.namespace).await;
        let objects = [definition, db(&group, None)];
        let told = |state, message: &str| (state, message.to_owned());
        let request = |lab: &Lab, kind: &str| {
            Request {
            rules: rules(&format!(
                "waitRules:
- conditionMatchers: [{{type: {kind}, status: 'True', success: true}}, {{type: Broken, status: 'True', failure: true}}]
  resourceMatchers: [{{customResourceMatcher: {{}}}}]
"
            )),
            ..lab.request("app", &objects)
        }
        };
        let prepared = lab.prepare(request(&lab, "Filled")).await.unwrap();
        let another = lab.another().await;
        let (cluster, namespace) = (another.cluster.clone(), lab.namespace.clone());
        let controller = async {
            let target = reference(&group, "Db", Some(&namespace), "main");
            while cluster.get(&target).await.unwrap().is_none() {
                tokio::task::yield_now().await;
            }
            // While it is waited for, others are told the same.
            let waits = told(State::InProgress, "no condition Filled yet");
            assert_eq!(inspected(&another).await, waits);
            set_condition(&cluster, &group, &namespace, "Filled").await;
        };
        let (report, ()) = tokio::join!(lab.run(&prepared), controller);
        assert_eq!(report.unwrap().result, DeployResult::Succeeded);
        assert_eq!(inspected(&lab).await, told(State::Current, "Test"));
        let namespace = lab.namespace.clone();
        set_condition(&lab.cluster, &group, &namespace, "Broken").await;
        assert_eq!(inspected(&lab).await, told(State::Failed, "Test"));

        // Another rule is all that is new: it costs one write, and then none.
        for writes in [1, 0] {
            let another = lab.another().await;
            set_condition(&lab.cluster, &group, &namespace, "Full").await;
            lab.cluster = another.cluster;
            let prepared = lab.prepare(request(&lab, "Full")).await.unwrap();
            assert!(prepared.is_noop());
            remember(&lab.cluster, &prepared).await;
            assert_eq!(lab.cluster.requests().writes(), writes);
            assert_eq!(inspected(&lab).await, told(State::Current, "Test"));
        }
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
fn a_labeled_config_map_holds_for_deploy_and_delete_and_is_an_object_too() {
    let case = Case::new("labeled");
    let config = "apiVersion: v1
kind: ConfigMap
metadata: {name: kapp, labels: {kapp.k14s.io/config: \"\"}}
data:
  config.yml: |
    apiVersion: kapp.k14s.io/v1alpha1
    kind: Config
    changeGroupBindings:
    - name: test/{name}
      resourceMatchers: [{allMatcher: {}}]
    changeRuleBindings:
    - rules: [upsert after upserting test/z]
      resourceMatchers:
      - kindNamespaceNameMatcher: {kind: ConfigMap, namespace: NS, name: a}
";
    case.template("config.yaml", &config.replace("NS", &case.namespace));
    for name in ["a", "z"] {
        let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
        case.template(&format!("{name}.yaml"), &text);
    }
    let order = |text: &str, verb: &str| {
        let lines = text.lines().filter(|line| line.starts_with(verb));
        let names = lines.filter_map(|line| line.split("ConfigMap/").nth(1)?.split(' ').next());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let made = case.deploy(&[]);
    let made_order = order(&made.stderr, "created");
    let place = |name: &str| made_order.iter().position(|made| made == name);
    assert_eq!(made_order.len(), 3, "{}", made.all());
    assert!(place("z") < place("a"), "{}", made.all());
    let gone = case.run(&["delete", "shop", "--yes"]);
    let gone_order = order(&gone.stderr, "deleted");
    let place = |name: &str| gone_order.iter().position(|gone| gone == name);
    assert!(place("a") < place("z"), "{}", gone.all());
    assert_eq!(gone_order.len(), 3, "{}", gone.all());
}
