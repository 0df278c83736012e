//! The order in which the server sees changes: default rules, annotations, bindings.

use super::{assert_course, config_maps, deploy, deploy_by, marked, rules};
use crate::support::{config_map, connect, deployment, lab};
use serde_json::{Value, json};

fn grouped(object: Value, group: &str, rule: &str) -> Value {
    marked(object, &[("change-group", group), ("change-rule.x", rule)])
}

#[test]
fn rules_with_placeholders_wait_until_what_they_name_is_ready() {
    lab(async |mut lab| {
        let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {"name": "db", "annotations": {"kapp.k14s.io/change-group": "test/{namespace}-{name}"}},
            "spec": {"serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
                "template": {"metadata": {"labels": {"app": "db"}},
                    "spec": {"containers": [{"name": "c", "image": "example.com/db:1"}]}}}});
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"},
            "spec": {"template": {"spec": {"restartPolicy": "Never",
                "containers": [{"name": "c", "image": "example.com/c:1"}]}}}});
        let objects = [
            grouped(
                deployment("web", ""),
                "test/web",
                "upsert after upserting {api-group}{kind}",
            ),
            grouped(
                job,
                "apps{kind}",
                "upsert after upserting test/{namespace}-db",
            ),
            set,
        ];
        // The group of the Job is `appsJob`; the Deployment asks for `appsDeployment`.
        let mut objects = objects.to_vec();
        objects[0]["metadata"]["annotations"]["kapp.k14s.io/change-rule.y"] =
            json!("upsert after upserting {api-group}Job");
        deploy(&mut lab, &objects).await;
        let expected = [
            "create StatefulSet/db",
            "ready StatefulSet/db",
            "create Job/migrate",
            "ready Job/migrate",
            "create Deployment/web",
        ];
        assert_course(&lab, &expected);
    });
}

#[test]
fn an_app_of_many_kinds_comes_up_in_one_run_and_goes_backwards() {
    lab(async |mut lab| {
        let inner = format!("{}-inner", lab.namespace);
        let group = format!("{}.order.windlass.dev", lab.namespace);
        let within = |kind: &str, api: &str, name: &str, rest: Value| {
            let mut object = json!({"apiVersion": api, "kind": kind,
                "metadata": {"name": name, "namespace": inner}});
            for (key, value) in rest.as_object().unwrap() {
                object[key] = value.clone();
            }
            object
        };
        let rbac = "rbac.authorization.k8s.io/v1";
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"});
        let mut web = deployment("web", "");
        web["metadata"]["namespace"] = json!(inner);
        let claim = json!({"accessModes": ["ReadWriteOnce"], "storageClassName": inner,
            "resources": {"requests": {"storage": "1Mi"}}});
        let hook = json!([{"name": "a.windlass.dev", "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "failurePolicy": "Fail",
            "objectSelector": {"matchLabels": {"windlass.test/never": "true"}},
            "clientConfig": {"service": {"name": "web", "namespace": inner}},
            "rules": [{"apiGroups": ["nothing.windlass.dev"], "apiVersions": ["v1"],
                "operations": ["CREATE"], "resources": ["things"]}]}]);
        let objects = [
            web,
            within("Thing", &format!("{group}/v1"), "thing", json!({})),
            json!({"apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingWebhookConfiguration", "metadata": {"name": inner}, "webhooks": hook}),
            within(
                "PodDisruptionBudget",
                "policy/v1",
                "pdb",
                json!({"spec":
                {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}}),
            ),
            within(
                "RoleBinding",
                rbac,
                "b",
                json!({"roleRef": role,
                "subjects": [{"kind": "ServiceAccount", "name": "sa", "namespace": inner}]}),
            ),
            within("Role", rbac, "r", json!({"rules": []})),
            within("ServiceAccount", "v1", "sa", json!({})),
            marked(
                within(
                    "PersistentVolumeClaim",
                    "v1",
                    "data",
                    json!({"spec": claim}),
                ),
                &[("disable-wait", "")],
            ),
            json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                "metadata": {"name": inner}, "provisioner": "nothing.windlass.dev"}),
            json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": format!("things.{group}")},
                "spec": {"group": group, "scope": "Namespaced",
                    "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
                    "versions": [{"name": "v1", "served": true, "storage": true,
                        "schema": {"openAPIV3Schema": {"type": "object"}}}]}}),
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": inner}}),
        ];
        deploy(&mut lab, &objects).await;
        let definition = format!("CustomResourceDefinition/things.{group}");
        let ready = format!("ready {definition}");
        let namespace = format!("create Namespace/{inner}");
        let class = format!("create StorageClass/{inner}");
        let webhooks = format!("create ValidatingWebhookConfiguration/{inner}");
        for pair in [
            [namespace.as_str(), "create ServiceAccount/sa"],
            ["create Role/r", "create RoleBinding/b"],
            ["create ServiceAccount/sa", "create RoleBinding/b"],
            ["create RoleBinding/b", "create Deployment/web"],
            ["create PodDisruptionBudget/pdb", "create Deployment/web"],
            [class.as_str(), "create PersistentVolumeClaim/data"],
            ["create PersistentVolumeClaim/data", "create Deployment/web"],
            [ready.as_str(), "create Thing/thing"],
            ["ready Deployment/web", webhooks.as_str()],
        ] {
            assert_course(&lab, &pair);
        }
        lab.cluster = connect(&lab.namespace).await;
        let again = deploy(&mut lab, &objects).await;
        assert!(again.is_empty(), "{again:?}");
        lab.events.clear();
        lab.delete_well("app").await;
        let gone = format!("delete {definition}");
        let namespace = format!("delete Namespace/{inner}");
        for pair in [
            ["delete Thing/thing", gone.as_str()],
            [gone.as_str(), "delete Deployment/web"],
            ["delete Deployment/web", "delete PersistentVolumeClaim/data"],
            ["delete RoleBinding/b", "delete Role/r"],
            ["delete ServiceAccount/sa", namespace.as_str()],
        ] {
            assert_course(&lab, &pair);
        }
    });
}

#[test]
fn a_rule_may_put_a_deletion_before_a_creation_and_among_deletions() {
    lab(async |mut lab| {
        let old = |name: &str, rule: &str| {
            let marks = [("change-group", "test/old-{name}"), ("change-rule", rule)];
            marked(config_map(name, "1"), &marks)
        };
        let objects = [
            old("a", "delete after deleting test/old-b"),
            old("b", "delete before deleting test/old-a"),
        ];
        deploy(&mut lab, &objects).await;
        let rule = [("change-rule", "upsert after deleting test/old-a")];
        lab.events.clear();
        deploy(&mut lab, &[marked(config_map("new", "1"), &rule)]).await;
        let expected = [
            "delete ConfigMap/b",
            "delete ConfigMap/a",
            "create ConfigMap/new",
        ];
        assert_course(&lab, &expected);
    });
}

#[test]
fn bindings_order_what_they_match_and_yield_where_they_may() {
    lab(async |mut lab| {
        let bindings = |if_possible: bool| {
            rules(&format!(
                "changeGroupBindings:
- name: test/{{kind}}-{{name}}
  resourceMatchers: [{{allMatcher: {{}}}}]
changeRuleBindings:
- rules: [upsert after upserting test/ConfigMap-z]
  resourceMatchers: [{{notMatcher: {{matcher: {{kindNamespaceNameMatcher:
    {{kind: ConfigMap, namespace: {}, name: z}}}}}}}}]
- rules: [upsert after upserting test/ConfigMap-a]
  ignoreIfCyclical: {if_possible}
  resourceMatchers: [{{kindNamespaceNameMatcher: {{kind: ConfigMap, namespace: {0}, name: z}}}}]
",
                lab.namespace
            ))
        };
        let (soft, hard) = (bindings(true), bindings(false));
        let objects = [config_map("a", "1"), config_map("z", "1")];
        let request = windlass::deploy::Request {
            rules: hard,
            ..lab.request("app", &objects)
        };
        let error = lab.prepare(request).await.unwrap_err().to_string();
        assert!(error.starts_with("changes wait for each other:"), "{error}");
        assert!(
            error.contains("changeRuleBindings: upsert after upserting test/ConfigMap-a"),
            "{error}"
        );
        assert!(config_maps(&lab).await.is_empty());
        deploy_by(&mut lab, &soft, &objects).await;
        assert_course(&lab, &["create ConfigMap/z", "create ConfigMap/a"]);
    });
}

#[test]
fn a_changed_order_alone_is_no_reason_to_wait_for_what_stays() {
    lab(async |mut lab| {
        // What does not change is in no way of what does.
        let stays = marked(config_map("stays", "1"), &[("change-group", "test/stays")]);
        deploy(&mut lab, std::slice::from_ref(&stays)).await;
        let rule = [("change-rule", "upsert before upserting test/stays")];
        let first = marked(config_map("first", "1"), &rule);
        assert_eq!(deploy(&mut lab, &[stays, first]).await, ["create first"]);
    });
}
