//! Who may not do what a deploy needs learns it before anything is written, all of it at once.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where it cannot go on"
)]

use crate::proxy::{Fault, Proxy};
use crate::support::{Lab, apply, config_map, deployment, lab};
use serde_json::{Value, json};
use windlass::cluster::{Cluster, Options};
use windlass::deploy::{self, Error};

const ALL: [&str; 7] = [
    "get", "list", "create", "update", "patch", "delete", "watch",
];

/// Lets the user without rights do in the namespace what these rules say, and connects as that user.
/// They must let secrets be listed.
async fn as_user(lab: &mut Lab, rules: &Value) {
    let nobody = std::env::var("WINDLASS_TEST_NOBODY_KUBECONFIG")
        .expect("WINDLASS_TEST_NOBODY_KUBECONFIG is set by the testbed");
    let metadata = json!({"name": "deployer", "namespace": lab.namespace});
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata,
        "rules": rules});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": metadata,
        "subjects": [{"kind": "User", "name": "nobody", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "Role", "name": "deployer", "apiGroup": "rbac.authorization.k8s.io"}});
    apply(&lab.cluster, role).await;
    apply(&lab.cluster, binding).await;
    let options = Options {
        kubeconfig: Some(nobody.into()),
        namespace: Some(lab.namespace.clone()),
        ..Options::default()
    };
    let cluster = Cluster::connect(&options).await.unwrap();
    // The server's authorizer learns of a role a moment later.
    while deploy::list(&cluster, Some(&lab.namespace)).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    lab.cluster = cluster;
}

/// What a deploy that was refused says, and the roles that it asks for.
async fn refused(lab: &mut Lab, objects: &[Value]) -> (String, String) {
    let request = lab.request("web", objects);
    let prepared = lab.prepare(request).await.unwrap();
    let writes = lab.cluster.requests().writes();
    let error = lab.run(&prepared).await.unwrap_err();
    assert_eq!(lab.cluster.requests().writes(), writes);
    let text = error.to_string();
    let Error::Lacking { roles, .. } = error else {
        panic!("what is lacking is not named: {error:?}");
    };
    (text, roles)
}

#[test]
fn rights_in_one_namespace_are_enough_for_what_is_there() {
    lab(|mut lab| async move {
        let rules = json!([
            {"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ALL},
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ALL}]);
        as_user(&mut lab, &rules).await;
        lab.deploy_well("web", &[config_map("a", "1"), config_map("b", "1")])
            .await;
        lab.deploy_well("web", &[config_map("a", "2")]).await;
        assert!(lab.get("", "ConfigMap", "b").await.is_none());
        let request = lab.request("web", &[config_map("a", "2"), deployment("web", "")]);
        let error = lab.prepare(request).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("deployments") && text.contains("forbidden"),
            "{text}"
        );
        let Error::Lacking { roles, .. } = error else {
            panic!("what is lacking is not named: {error:?}");
        };
        assert_eq!(
            roles,
            format!(
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n\
                 metadata: {{name: windlass-web, namespace: {}}}\nrules:\n\
                 - {{apiGroups: [\"\"], resources: [pods/log], verbs: [get]}}\n\
                 - {{apiGroups: [\"\"], resources: [events, pods], verbs: [list, watch]}}\n\
                 - {{apiGroups: [\"apps\"], resources: [deployments], verbs: [create, delete, get, list, patch, watch]}}\n\
                 - {{apiGroups: [\"apps\"], resources: [replicasets], verbs: [list, watch]}}",
                lab.namespace
            )
        );
        lab.delete_well("web").await;
    });
}

#[test]
fn all_rights_that_are_missing_are_told_before_the_first_write() {
    lab(|mut lab| async move {
        let rules = json!([
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "create"]},
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"]},
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create", "patch", "get"]}]);
        as_user(&mut lab, &rules).await;
        let (text, roles) = refused(&mut lab, &[deployment("web", "")]).await;
        let place = format!("in namespace {}", lab.namespace);
        assert_eq!(
            text,
            format!(
                "the user may not update secrets {place}; list, watch deployments.apps {place}; \
                 create, update leases.coordination.k8s.io {place}; nothing was changed"
            )
        );
        assert_eq!(
            roles,
            format!(
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n\
                 metadata: {{name: windlass-web, namespace: {}}}\nrules:\n\
                 - {{apiGroups: [\"\"], resources: [secrets], verbs: [update]}}\n\
                 - {{apiGroups: [\"apps\"], resources: [deployments], verbs: [list, watch]}}\n\
                 - {{apiGroups: [\"coordination.k8s.io\"], resources: [leases], verbs: [create, update]}}",
                lab.namespace
            )
        );
        let warnings = format!("{:?}", lab.events);
        for part in [
            "get pods/log in",
            "list, watch events in",
            "list, watch pods in",
        ] {
            assert!(warnings.contains(part), "{warnings}");
        }
    });
}

#[test]
fn what_no_trial_shows_is_asked_for() {
    lab(|mut lab| async move {
        let rules = |some: &[&str]| {
            json!([
                {"apiGroups": [""], "resources": ["secrets"], "verbs": ALL},
                {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ALL},
                {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "create", "patch"]},
                {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["delete"], "resourceNames": some}])
        };
        as_user(&mut lab, &rules(&["b"])).await;
        let all = ["a", "b", "c"].map(|name| config_map(name, "1"));
        lab.deploy_well("web", &all).await;
        // Of one object the user may get rid.
        lab.deploy_well("web", &[all[0].clone(), all[2].clone()])
            .await;
        let (text, _) = refused(&mut lab, &all[..1]).await;
        let place = format!("in namespace {}", lab.namespace);
        assert_eq!(
            text,
            format!("the user may not delete configmaps {place}; nothing was changed")
        );
        assert!(lab.get("", "ConfigMap", "c").await.is_some());
    });
}

/// A role for ConfigMaps, and a binding that gives a role to a user.
fn role(name: &str) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "patch"]}]})
}

fn binding(role: &str, user: &str) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "more"},
        "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "Role", "name": role, "apiGroup": "rbac.authorization.k8s.io"}})
}

/// What lets a user deploy who may give rights to everybody, and has few.
fn granting() -> Value {
    let verbs = [ALL.as_slice(), &["escalate", "bind"]].concat();
    json!([
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ALL},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ALL},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]},
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"],
            "verbs": verbs}])
}

#[test]
fn rights_that_come_with_a_deploy_are_not_missing() {
    lab(|mut lab| async move {
        as_user(&mut lab, &granting()).await;
        let maps = ["a", "b"].map(|name| config_map(name, "1"));
        let mut objects = vec![role("more"), binding("more", "nobody")];
        objects.extend(maps);
        lab.deploy_well("web", &objects).await;
        let warnings = format!("{:?}", lab.events);
        let told = format!(
            "the user may not create, patch configmaps in namespace {} yet",
            lab.namespace
        );
        assert!(warnings.contains(&told), "{warnings}");
        let request = lab.request("web", &objects);
        assert!(lab.prepare(request).await.unwrap().is_noop());
    });
}

#[test]
fn a_role_that_is_there_gives_rights_to_whom_a_deploy_binds_it() {
    lab(|mut lab| async move {
        let mut outer = role("outer");
        outer["metadata"]["namespace"] = lab.namespace.clone().into();
        apply(&lab.cluster, outer).await;
        as_user(&mut lab, &granting()).await;
        for (user, comes) in [("somebody", false), ("nobody", true)] {
            let objects = [binding("outer", user), config_map("a", "1")];
            let request = lab.request("web", &objects);
            let prepared = lab.prepare(request).await;
            match (prepared, comes) {
                (Err(Error::Refused(refused)), false) => {
                    assert_eq!(refused[0].target.name, "a");
                }
                (Ok(_), true) => drop(lab.deploy_well("web", &objects).await),
                (other, _) => panic!("{user}: {other:#?}"),
            }
        }
    });
}

#[test]
fn rights_cost_one_request_where_something_is_written_and_none_elsewhere() {
    lab(|mut lab| async move {
        let proxy = Proxy::before(&mut lab).await;
        let reviews = || proxy.seen("POST", "/authorization.k8s.io/").len();
        lab.deploy_well("web", &[config_map("a", "1"), deployment("web", "")])
            .await;
        assert_eq!(reviews(), 1);
        let request = lab.request("web", &[config_map("a", "1"), deployment("web", "")]);
        assert!(lab.prepare(request).await.unwrap().is_noop());
        lab.deploy_well("web", &[config_map("a", "1"), deployment("web", "")])
            .await;
        assert_eq!(reviews(), 1);
        lab.deploy_well("web", &[config_map("a", "2")]).await;
        assert_eq!(reviews(), 2);
    });
}

#[test]
fn a_server_that_does_not_know_the_rights_is_in_nobodys_way() {
    const UNKNOWN: Fault = Fault::Answer(
        201,
        "content-type: application/json\r\n",
        r#"{"kind":"SelfSubjectRulesReview","status":{"resourceRules":[],"nonResourceRules":[],"incomplete":true}}"#,
    );
    const FORBIDDEN: Fault = Fault::Answer(
        403,
        "content-type: application/json\r\n",
        r#"{"kind":"Status","code":403,"reason":"Forbidden","message":"no reviews here"}"#,
    );
    lab(|mut lab| async move {
        let proxy = Proxy::before(&mut lab).await;
        let reviews = |kind: &str| proxy.seen("POST", kind).len();
        // What the rules do not say, the server is asked for one by one.
        proxy.fail("POST", "/selfsubjectrulesreviews", UNKNOWN);
        lab.deploy_well("web", &[config_map("a", "1")]).await;
        assert_eq!(reviews("/selfsubjectaccessreviews"), 5);
        // Nor need it tell anything at all.
        proxy.fail("POST", "/selfsubjectrulesreviews", FORBIDDEN);
        for _ in 0..5 {
            proxy.fail("POST", "/selfsubjectaccessreviews", FORBIDDEN);
        }
        lab.deploy_well("web", &[config_map("b", "1")]).await;
        assert_eq!(proxy.left(), 0);
    });
}
