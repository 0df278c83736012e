//! What is as desired is left alone, however the server writes it down.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use crate::folder::TestEnv;
use crate::support::{Audit, Lab, connect, deployment, kubeconfig, lab, scale};
use serde_json::{Value, json};
use windlass::cluster::Verb;
use windlass::deploy;
use windlass::diff::Op;

fn pod_template(name: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": name}, "annotations": {}},
        "spec": {"securityContext": {}, "nodeSelector": {}, "containers": [{"name": "web", "image": "example.com/web:1",
            "env": [{"name": "EMPTY", "value": ""}],
            "ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}],
            "resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": {}}}]},
    })
}

fn stateful_set() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
        "spec": {"replicas": 0, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
            "template": pod_template("db"),
            "volumeClaimTemplates": [{"metadata": {"name": "data", "labels": {}}, "spec": {"accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1024Mi"}}}}]},
    })
}

/// Kinds whose stored form differs from what was sent, a kind of the test's own among them.
fn awkward(namespace: &str) -> Vec<Value> {
    let mut web = deployment("web", "");
    web["metadata"]["labels"] = json!({});
    web["spec"]["template"] = pod_template("web");
    let group = format!("{namespace}.test.windlass.dev");
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("scales.{group}")},
        "spec": {"group": group, "scope": "Namespaced",
            "names": {"plural": "scales", "singular": "scale", "kind": "Scale"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                {"type": "object", "properties": {"spec": {"type": "object",
                    "x-kubernetes-preserve-unknown-fields": true}}}}}]}});
    vec![
        web,
        stateful_set(),
        definition,
        json!({"apiVersion": format!("{group}/v1"), "kind": "Scale", "metadata": {"name": "s"},
            "spec": {"whole": 1.0, "part": 0.1, "large": 1e21, "small": 1e-7, "empty": {}, "none": []}}),
        // Not the version that the server prefers.
        json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
            "spec": {"minReplicas": 1, "maxReplicas": 3, "targetCPUUtilizationPercentage": 80,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "annotations": {}},
            "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}]}}),
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick"}, "spec": {"schedule": "0 3 * * *",
            "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never",
                "containers": [{"name": "t", "image": "example.com/t:1"}]}}}}}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "all"},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []}}),
    ]
}

/// The rest of what charts have and servers, webhooks and controllers write into.
fn more_awkward(namespace: &str) -> Vec<Value> {
    let rbac = "rbac.authorization.k8s.io/v1";
    vec![
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "stringData": {"p": "x"}, "data": {"b": "Yg=="}}),
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "disk", "annotations": null},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": null, "resources": {"requests": {"storage": "1024Mi"}}}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"},
            "spec": {"ingressClassName": "nginx", "tls": [{"hosts": ["a.example.com"], "secretName": "tls"}], "rules": [{"host": "a.example.com",
                "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"name": "http"}}}}]}}]}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "some"},
            "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"ports": [{"port": "http"}, {"port": 53, "protocol": "UDP"}]}, {}]}}),
        json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
            "spec": {"maxUnavailable": "50%", "selector": {"matchLabels": {"app": "web"}}}}),
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "full"}, "spec": {"schedule": "@daily", "suspend": true, "timeZone": "Etc/UTC",
            "jobTemplate": {"metadata": {"creationTimestamp": null}, "spec": {"backoffLimit": 1, "template": {"metadata": {"creationTimestamp": null},
                "spec": {"restartPolicy": "OnFailure", "containers": [{"name": "t", "image": "example.com/t:1", "resources": {}}]}}}}}}),
        json!({"apiVersion": rbac, "kind": "ClusterRole", "metadata": {"name": format!("{namespace}-all")},
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"part": namespace}}]}, "rules": []}),
        json!({"apiVersion": rbac, "kind": "ClusterRole", "metadata": {"name": format!("{namespace}-part"), "labels": {"part": namespace}},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
        json!({"apiVersion": rbac, "kind": "RoleBinding", "metadata": {"name": "b"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": format!("{namespace}-part")},
            "subjects": [{"kind": "ServiceAccount", "name": "web", "namespace": namespace}, {"kind": "User", "name": "u"}]}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}, "imagePullSecrets": [{"name": "pull"}]}),
        webhook(namespace, "Cg=="),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "lb"}, "spec": {"type": "NodePort", "externalTrafficPolicy": "Local",
            "ports": [{"name": "one", "port": 80, "targetPort": "http", "nodePort": null}, {"name": "two", "port": 81}], "selector": {"app": "web"}}}),
    ]
}

fn webhook(namespace: &str, bundle: &str) -> Value {
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": namespace},
        "webhooks": [{"name": "a.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Ignore",
            "clientConfig": {"service": {"name": "none", "namespace": namespace, "path": "/"}, "caBundle": bundle},
            "rules": [{"apiGroups": ["nothing.example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["nothings"]}]}]})
}

/// A definition as large as those of prometheus-operator: no annotation could hold a copy of it.
fn large_definition(namespace: &str) -> Value {
    let group = format!("{namespace}.large.windlass.dev");
    let fields = (0..2500).map(|number| {
        let text = "What this field means, in words that take as much room as those of real definitions do.";
        (format!("field{number}"), json!({"type": "string", "description": text}))
    });
    let fields: serde_json::Map<String, Value> = fields.collect();
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("larges.{group}"), "creationTimestamp": null},
        "spec": {"group": group, "scope": "Cluster", "names": {"plural": "larges", "singular": "large", "kind": "Large"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object",
                "properties": {"spec": {"type": "object", "properties": fields}}}}}]},
        "status": {"acceptedNames": {"kind": "", "plural": ""}, "conditions": null, "storedVersions": null}})
}

/// Deploys the same again from a new connection: nothing may be written or tried.
async fn again_is_nothing(lab: &mut Lab, objects: &[Value]) {
    lab.cluster = connect(&lab.namespace).await;
    let audit = Audit::begin();
    let request = lab.request("web", objects);
    let prepared = lab.prepare(request).await.unwrap();
    let changes: Vec<_> = prepared.changes().collect();
    assert!(changes.is_empty() && !prepared.writes(), "{changes:#?}");
    deploy::remember(&lab.cluster, &prepared).await;
    let requests = lab.cluster.requests();
    assert_eq!(
        (requests.writes(), requests.of(Verb::DryRun)),
        (0, 0),
        "{requests}"
    );
    assert_eq!(audit.writes(lab).await, Vec::<String>::new());
}

#[test]
fn a_second_deploy_of_the_demo_writes_nothing() {
    lab(|lab| async move {
        let env = TestEnv::copy_of("config-repository");
        let kubeconfig = kubeconfig().display().to_string();
        let run = |arguments: &[&str]| {
            let place = ["--yes", "-n", &lab.namespace];
            let arguments = [arguments, &place].concat();
            let shown = env.run_with(&arguments, &[("KUBECONFIG", &kubeconfig)]);
            assert_eq!(shown.code, 0, "{}", shown.all());
            shown
        };
        // Its images are locked when the demo begins.
        let deploy = ["deploy", "--frozen=false", "--wait-timeout", "60s"];
        let audit = Audit::begin();
        run(&deploy);
        assert!(audit.is_silent() || audit.writes(&lab).await.len() > 13);
        let audit = Audit::begin();
        let again = run(&deploy);
        let told = "No changes to my-app: 13 objects as desired.";
        assert!(again.stderr.contains(told), "{}", again.all());
        assert_eq!(audit.writes(&lab).await, Vec::<String>::new());
        run(&["delete"]);
    });
}

#[test]
fn a_second_deploy_of_awkward_objects_needs_no_trial() {
    lab(|mut lab| async move {
        let objects = awkward(&lab.namespace);
        lab.deploy_well("web", &objects).await;
        again_is_nothing(&mut lab, &objects).await;
        lab.delete_well("web").await;
    });
}

#[test]
fn what_a_trial_found_unchanged_is_remembered_by_one_write() {
    lab(|mut lab| async move {
        lab.deploy_well("web", &[stateful_set()]).await;
        // The same in other words.
        let mut other = stateful_set();
        let requests = "/spec/template/spec/containers/0/resources/requests/cpu";
        *other.pointer_mut(requests).unwrap() = "1".into();
        lab.cluster = connect(&lab.namespace).await;
        let request = lab.request("web", &[other.clone()]);
        let prepared = lab.prepare(request).await.unwrap();
        assert!(prepared.is_noop());
        deploy::remember(&lab.cluster, &prepared).await;
        let requests = lab.cluster.requests();
        assert_eq!((requests.writes(), requests.of(Verb::DryRun)), (1, 1));
        let history = deploy::history(&lab.cluster, &lab.app("web")).await;
        assert_eq!(history.unwrap().len(), 1);
        again_is_nothing(&mut lab, &[other]).await;
    });
}

#[test]
fn fingerprints_that_come_in_do_not_stop_a_deploy_that_was_approved() {
    lab(|mut lab| async move {
        lab.deploy_well("web", &[stateful_set()]).await;
        let mut other = stateful_set();
        let cpu = "/spec/template/spec/containers/0/resources/requests/cpu";
        *other.pointer_mut(cpu).unwrap() = "1".into();
        let mut changed = other.clone();
        *changed.pointer_mut(cpu).unwrap() = "2".into();
        let request = lab.request("web", &[changed]);
        let approved = lab.prepare(request).await.unwrap();
        let request = lab.request("web", &[other]);
        let unchanged = lab.prepare(request).await.unwrap();
        deploy::remember(&lab.cluster, &unchanged).await;
        let report = lab.run(&approved).await.unwrap();
        assert!(report.stopped_by.is_none(), "{report:#?}");
        assert_eq!(report.outcomes[0].op, Op::Update);
    });
}

#[test]
fn replicas_are_left_to_the_autoscaler_of_the_app() {
    lab(|mut lab| async move {
        let mut web = deployment("web", "");
        web["spec"]["template"] = pod_template("web");
        let scaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
            "spec": {"minReplicas": 1, "maxReplicas": 5,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}});
        let objects = [web.clone(), scaler.clone()];
        lab.deploy_well("web", &objects).await;
        again_is_nothing(&mut lab, &objects).await;

        scale(&lab.namespace, "web", 3).await;
        let request = lab.request("web", &objects);
        let prepared = lab.prepare(request).await.unwrap();
        let changes: Vec<_> = prepared.changes().collect();
        assert!(changes.is_empty() && !prepared.writes(), "{changes:#?}");
        // Waits for the new pods.
        lab.run(&prepared).await.unwrap();
        again_is_nothing(&mut lab, &objects).await;

        // Another change of the workload leaves the number alone.
        web["spec"]["template"]["metadata"]["annotations"] = json!({"changed": "yes"});
        lab.deploy_well("web", &[web, scaler]).await;
        let live = lab.get("apps", "Deployment", "web").await.unwrap();
        assert_eq!(live.int(&["spec", "replicas"]), Some(3));
    });
}

#[test]
fn replicas_that_the_controller_of_an_autoscaler_set_are_as_desired() {
    lab(|mut lab| async move {
        let scaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
            "spec": {"minReplicas": 2, "maxReplicas": 5,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}});
        let objects = [deployment("web", ""), scaler];
        lab.deploy_well("web", &objects).await;
        // Without metrics it raises the number to the least, when it first looks.
        let mut scaled = false;
        for _ in 0..600 {
            let live = lab.get("apps", "Deployment", "web").await.unwrap();
            scaled = live.int(&["spec", "replicas"]) == Some(2)
                && live.int(&["status", "availableReplicas"]) == Some(2);
            if scaled {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert!(scaled);
        again_is_nothing(&mut lab, &objects).await;
        lab.delete_well("web").await;
    });
}

/// Deploys the same once more. A trial may be needed to see that nothing changes, and the record may
/// be written to remember that; then nothing at all.
async fn settles(lab: &mut Lab, objects: &[Value]) {
    let request = lab.request("web", objects);
    let prepared = lab.prepare(request).await.unwrap();
    let changes: Vec<_> = prepared.changes().collect();
    assert!(changes.is_empty(), "{changes:#?}");
    deploy::remember(&lab.cluster, &prepared).await;
    again_is_nothing(lab, objects).await;
}

#[test]
fn a_second_deploy_of_what_servers_and_controllers_write_into_writes_nothing() {
    lab(|mut lab| async move {
        let mut objects = more_awkward(&lab.namespace);
        objects.push(large_definition(&lab.namespace));
        let size = objects.last().unwrap().to_string().len();
        assert!(size > 300_000, "{size}");
        let request = lab.request("web", &objects);
        let prepared = lab.prepare(request).await.unwrap();
        let mut options = deploy::Options::new(jiff::Timestamp::now());
        // The claim is bound by hand below.
        options.wait = false;
        lab.run_with(&prepared, &options).await.unwrap();
        let rules = aggregated(&lab).await;
        assert_eq!(
            rules,
            json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}])
        );
        settles(&mut lab, &objects).await;
        lab.delete_well("web").await;
    });
}

/// The rules that the controller put into the aggregated role.
async fn aggregated(lab: &Lab) -> Value {
    let role = crate::support::reference(
        "rbac.authorization.k8s.io",
        "ClusterRole",
        None,
        &format!("{}-all", lab.namespace),
    );
    for _ in 0..100 {
        let live = lab.cluster.get(&role).await.unwrap().unwrap();
        if !live.list(&["rules"]).is_empty() {
            return live.tree()["rules"].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Value::Null
}

#[test]
fn a_bundle_that_a_controller_fills_in_is_left_alone() {
    lab(|mut lab| async move {
        let objects = [webhook(&lab.namespace, "Cg==")];
        lab.deploy_well("web", &objects).await;
        let path = format!(
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{}?fieldManager=cainjector",
            lab.namespace
        );
        let bundle = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==";
        let patch = json!([{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle}]);
        crate::support::json_patch(path, &patch).await;
        settles(&mut lab, &objects).await;
        // Another change leaves the bundle alone.
        let mut changed = objects.to_vec();
        changed[0]["webhooks"][0]["timeoutSeconds"] = 5.into();
        lab.deploy_well("web", &changed).await;
        let name = crate::support::reference(
            "admissionregistration.k8s.io",
            "ValidatingWebhookConfiguration",
            None,
            &lab.namespace,
        );
        let live = lab.cluster.get(&name).await.unwrap().unwrap();
        assert_eq!(
            live.tree()["webhooks"][0]["clientConfig"]["caBundle"],
            bundle
        );
        lab.delete_well("web").await;
    });
}

#[test]
fn a_claim_that_was_bound_is_as_desired() {
    lab(|mut lab| async move {
        let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": lab.namespace},
            "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/tmp/none"},
                "storageClassName": lab.namespace, "persistentVolumeReclaimPolicy": "Retain"}});
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "disk"},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": lab.namespace, "resources": {"requests": {"storage": "1024Mi"}}}});
        let objects = [volume, claim];
        lab.deploy_well("web", &objects).await;
        for _ in 0..100 {
            let live = lab.get("", "PersistentVolumeClaim", "disk").await.unwrap();
            if live.text(&["status", "phase"]) == "Bound" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let live = lab.get("", "PersistentVolumeClaim", "disk").await.unwrap();
        assert_eq!(
            (
                live.text(&["status", "phase"]),
                live.text(&["spec", "volumeName"])
            ),
            ("Bound", lab.namespace.as_str())
        );
        settles(&mut lab, &objects).await;
        lab.delete_well("web").await;
    });
}

#[test]
fn fields_owned_in_another_version_of_the_kind_are_taken_over_once() {
    lab(|mut lab| async move {
        let one = json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
            "spec": {"minReplicas": 1, "maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}});
        lab.deploy_well("web", std::slice::from_ref(&one)).await;
        let mut two = one;
        two["apiVersion"] = "autoscaling/v2".into();
        let request = lab.request("web", std::slice::from_ref(&two));
        let prepared = lab.prepare(request).await.unwrap();
        let reasons: Vec<_> = prepared
            .changes()
            .map(|change| (change.reason.as_str(), change.fields.len()))
            .collect();
        assert_eq!(reasons, [("its fields become those of autoscaling/v2", 0)]);
        lab.run(&prepared).await.unwrap();
        again_is_nothing(&mut lab, &[two]).await;
        lab.delete_well("web").await;
    });
}
