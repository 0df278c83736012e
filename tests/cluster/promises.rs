//! Faults that a deploy must survive or tell: two apps at once, fields that cannot change, a signal in
//! the middle of a wait.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use crate::program::Case;
use crate::proxy::{Fault, Proxy};
use crate::support::{Lab, config_map, deployment, lab};
use serde_json::json;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use windlass::deploy::{self, Error};
use windlass::diff::Op;
use windlass::inventory::DeployResult;

#[test]
fn apps_in_one_namespace_do_not_wait_for_each_other() {
    lab(|mut lab| async move {
        let mut slow = deployment("slow", "");
        slow["spec"]["template"]["metadata"]["annotations"] =
            json!({"windlass.test/ready-after": "5s"});
        let request = lab.request("slow", &[slow]);
        let first = lab.prepare(request).await.unwrap();
        let request = lab.request("quick", &[config_map("a", "1")]);
        let second = lab.prepare(request).await.unwrap();
        let options = deploy::Options::new(jiff::Timestamp::now());
        let cancel = tokio_util::sync::CancellationToken::new();
        let (mut one, mut two) = (Vec::new(), Vec::new());
        let cluster = &lab.cluster;
        let slow = deploy::run(cluster, &first, &options, &lab.masker, &mut one, &cancel);
        let quick = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            deploy::run(cluster, &second, &options, &lab.masker, &mut two, &cancel).await
        };
        tokio::pin!(slow);
        // The second one ends while the first still waits.
        let quick = tokio::select! {
            slow = &mut slow => panic!("the slow one ended first: {slow:?}"),
            quick = quick => quick.unwrap(),
        };
        assert_eq!(quick.result, DeployResult::Succeeded);
        assert_eq!(slow.await.unwrap().result, DeployResult::Succeeded);
    });
}

#[test]
fn a_field_that_cannot_change_is_told_and_replaced_only_when_that_is_allowed() {
    lab(|mut lab| async move {
        let job = |image: &str, strategy: &str| {
            json!({"apiVersion": "batch/v1", "kind": "Job",
                "metadata": {"name": "once", "annotations": {"kapp.k14s.io/update-strategy": strategy}},
                "spec": {"template": {"spec": {"restartPolicy": "Never",
                    "containers": [{"name": "m", "image": image}]}}}})
        };
        lab.deploy_well("web", &[job("example.com/m:1", "")]).await;
        let request = lab.request("web", &[job("example.com/m:2", "")]);
        let prepared = lab.prepare(request).await.unwrap();
        let change = prepared.changes().next().unwrap();
        assert_eq!(change.op, Op::Replace, "the diff shows it");
        let error = lab.run(&prepared).await.unwrap_err();
        assert!(matches!(error, Error::Immutable(_)));
        assert!(
            error.to_string().contains("it would have to be deleted"),
            "{error}"
        );

        let uid = lab
            .get("batch", "Job", "once")
            .await
            .unwrap()
            .uid()
            .to_owned();
        let request = lab.request("web", &[job("example.com/m:2", "fallback-on-replace")]);
        let prepared = lab.prepare(request).await.unwrap();
        let change = prepared.changes().next().unwrap();
        assert_eq!(change.op, Op::Replace);
        assert!(change.reason.contains("immutable"), "{}", change.reason);
        let report = lab.run(&prepared).await.unwrap();
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");
        assert_ne!(lab.get("batch", "Job", "once").await.unwrap().uid(), uid);
    });
}

#[test]
fn what_was_deleted_for_an_object_that_cannot_be_made_is_made_again() {
    lab(|mut lab| async move {
        let service = |address: Option<&str>| {
            let mut service = json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"name": "web", "annotations": {"kapp.k14s.io/update-strategy": "fallback-on-replace"}},
                "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}});
            if let Some(address) = address {
                service["spec"]["clusterIP"] = address.into();
            }
            service
        };
        lab.deploy_well("web", &[service(None)]).await;
        let before = lab.get("", "Service", "web").await.unwrap();
        // No cluster has addresses of documentation.
        let request = lab.request("web", &[service(Some("203.0.113.7"))]);
        let prepared = lab.prepare(request).await.unwrap();
        assert_eq!(prepared.changes().next().unwrap().op, Op::Replace);
        let report = lab.run(&prepared).await.unwrap();
        assert_eq!(report.result, DeployResult::Failed, "{report:#?}");
        let reason = &report.outcomes[0].reason;
        assert!(reason.contains("is back as it was"), "{reason}");
        let after = lab.get("", "Service", "web").await.unwrap();
        assert_ne!(after.uid(), before.uid());
        assert_eq!(after.get(&["spec"]), before.get(&["spec"]));
        for field in ["labels", "annotations", "managedFields"] {
            assert_eq!(
                after.get(&["metadata", field]),
                before.get(&["metadata", field])
            );
        }
        let again = lab.deploy_well("web", &[service(None)]).await;
        assert!(
            again
                .outcomes
                .iter()
                .all(|outcome| outcome.op != Op::Replace)
        );
    });
}

#[test]
fn the_kinds_that_need_a_replacement_are_told_by_the_words_of_the_server() {
    lab(|mut lab| async move {
        let binding = |role: &str| {
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                "metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": role, "apiGroup": "rbac.authorization.k8s.io"}})
        };
        let claim = |mode: &str| {
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"},
                "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}}})
        };
        let pod = |name: &str| {
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
                "spec": {"containers": [{"name": name, "image": "example.com/m:1"}]}})
        };
        let set = |service: &str| {
            let mut set = deployment("s", "");
            set["kind"] = "StatefulSet".into();
            set["spec"]["serviceName"] = service.into();
            set
        };
        let secret = |value: &str| {
            json!({"apiVersion": "v1", "kind": "Secret", "immutable": true,
                "metadata": {"name": "s"}, "stringData": {"a": value}})
        };
        let service = |ip: &str| {
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
                "spec": {"clusterIP": ip, "ports": [{"port": 80}]}})
        };
        let before = [
            binding("one"),
            claim("ReadWriteOnce"),
            pod("one"),
            set("one"),
            secret("one"),
            service("None"),
        ];
        let after = [
            binding("two"),
            claim("ReadWriteMany"),
            pod("two"),
            set("two"),
            secret("two"),
            service(""),
        ];
        lab.deploy_well("web", &before).await;
        let request = lab.request("web", &after);
        let prepared = lab.prepare(request).await.unwrap();
        let replaced = prepared.immutable();
        let mut kinds: Vec<&str> = replaced
            .iter()
            .map(|one| one.target.kind.as_str())
            .collect();
        kinds.sort_unstable();
        assert_eq!(
            kinds,
            [
                "PersistentVolumeClaim",
                "Pod",
                "RoleBinding",
                "Secret",
                "StatefulSet"
            ]
        );
        // What has data is asked about besides.
        assert_eq!(prepared.risks.len(), 1, "{:?}", prepared.risks);
    });
}

/// Three objects, each after the one before.
const IN_A_ROW: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: first}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {kapp.k14s.io/change-group: web}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web, windlass.test/stuck: '{{ .Values.stuck }}'}
      annotations: {windlass.test/ready-after: {{ .Values.after | default \"0s\" }}}
    spec:
      containers:
        - {name: web, image: registry.example.com/web:1}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: last, annotations: {kapp.k14s.io/change-rule: upsert after upserting web}}
data: {color: {{ .Values.color | default \"blue\" }}}
";

/// The program, deploying the chart of a case.
fn begun(case: &Case, extra: &[&str]) -> Child {
    let mut arguments = vec!["deploy", "shop", "chart", "--yes", "-n", &case.namespace];
    arguments.extend(extra);
    let mut command = case.env.command(&arguments);
    command
        .env("KUBECONFIG", crate::support::kubeconfig())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    let mut command = Command::new("kill");
    let sent = command.args(["-s", name, &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Exit code and everything that was printed.
fn ended(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let told = text(&output.stdout) + &text(&output.stderr);
    (output.status.code(), told)
}

async fn until_there(lab: &Lab, group: &str, kind: &str, name: &str) {
    while lab.get(group, kind, name).await.is_none() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn a_signal_in_the_middle_of_a_wait_ends_it_in_good_order() {
    lab(|lab| async move {
        let mut case = Case::new("signal");
        case.namespace = lab.namespace.clone();
        case.template("web.yaml", IN_A_ROW);
        let child = begun(&case, &["--set", "stuck=true"]);
        until_there(&lab, "apps", "Deployment", "web").await;
        signal(&child, "TERM");
        let at = Instant::now();
        let (code, told) = ended(child);
        assert!(at.elapsed() < Duration::from_secs(2), "{:?}", at.elapsed());
        assert_eq!(code, Some(143), "{told}");
        for part in [
            "created  ConfigMap/first",
            "pending  Deployment/web",
            "skipped  ConfigMap/last",
            "Interrupted; run it again to continue: applied 2 objects, deleted 0, 1 skipped",
        ] {
            assert!(told.contains(part), "`{part}` is not in:\n{told}");
        }
        let history = deploy::history(&lab.cluster, &lab.app("shop"))
            .await
            .unwrap();
        assert_eq!(history[0].result, DeployResult::Interrupted);
        let lease = lab
            .get("coordination.k8s.io", "Lease", "windlass.shop")
            .await;
        assert!(lease.is_none());
    });
}

#[test]
fn a_signal_ends_a_run_within_two_seconds_even_when_the_server_is_silent() {
    lab(|mut lab| async move {
        let mut case = Case::new("silent");
        case.namespace = lab.namespace.clone();
        case.template("web.yaml", IN_A_ROW);
        let proxy = Proxy::before(&mut lab).await;
        case.env.write("proxied", &proxy.kubeconfig());
        let child = begun(&case, &["--kubeconfig", "proxied", "--set", "stuck=true"]);
        until_there(&lab, "apps", "Deployment", "web").await;
        proxy.fail("PUT", "/secrets/windlass.shop", Fault::Silence);
        let at = Instant::now();
        signal(&child, "INT");
        let (code, told) = tokio::task::spawn_blocking(|| ended(child)).await.unwrap();
        assert!(at.elapsed() < Duration::from_millis(2500), "{told}");
        assert_eq!(code, Some(130), "{told}");
        assert!(
            told.contains("the record could not be written in time"),
            "{told}"
        );
    });
}

#[test]
fn a_holder_that_was_asleep_ends_with_exit_5_and_writes_nothing() {
    lab(|lab| async move {
        let mut case = Case::new("asleep");
        case.namespace = lab.namespace.clone();
        case.template("web.yaml", IN_A_ROW);
        let child = begun(&case, &["--set", "after=3s,color=red"]);
        until_there(&lab, "apps", "Deployment", "web").await;
        signal(&child, "STOP");
        // The other one waits until the lock has expired, and gives it back.
        let (code, told) = ended(begun(&case, &["--set", "color=green"]));
        assert_eq!(code, Some(0), "{told}");
        assert!(told.contains("waiting for the lock held by"), "{told}");
        signal(&child, "CONT");
        let (code, told) = ended(child);
        assert_eq!(code, Some(5), "{told}");
        let last = lab.get("", "ConfigMap", "last").await.unwrap();
        assert_eq!(last.text(&["data", "color"]), "green");
    });
}

#[test]
fn a_deploy_waits_for_another_one_and_then_plans_anew() {
    lab(|lab| async move {
        let mut case = Case::new("queue");
        case.namespace = lab.namespace.clone();
        case.template("web.yaml", IN_A_ROW);
        let first = begun(&case, &["--set", "after=6s"]);
        until_there(&lab, "apps", "Deployment", "web").await;
        let refused = case.run(&["deploy", "shop", "chart", "--yes", "--set", "color=green"]);
        assert_eq!(refused.code, 5, "{}", refused.all());
        for part in [
            "is being deployed by ",
            ", for ",
            "--lock-wait",
            "windlass unlock",
        ] {
            assert!(refused.stderr.contains(part), "{}", refused.all());
        }
        let (code, told) = ended(begun(
            &case,
            &["--set", "after=6s,color=green", "--lock-wait", "60s"],
        ));
        assert_eq!(code, Some(0), "{told}");
        assert_eq!(ended(first).0, Some(0));
        let last = lab.get("", "ConfigMap", "last").await.unwrap();
        assert_eq!(last.text(&["data", "color"]), "green");
    });
}

#[test]
fn a_change_in_between_is_shown_with_who_made_it() {
    lab(|mut lab| async move {
        let report = lab.run_overtaken().await;
        let stopped = report.stopped_by.unwrap().to_string();
        for part in [
            "changed after the plan was shown (by windlass at 20",
            "planned: data.key \"1\" → \"2\"",
            "now:     data.key \"3\" → \"2\"",
        ] {
            assert!(stopped.contains(part), "{stopped}");
        }

        lab.deploy_well("api", &[config_map("b", "1")]).await;
        let request = lab.request("api", &[config_map("b", "2")]);
        let prepared = lab.prepare(request).await.unwrap();
        crate::support::edit(
            &lab.namespace,
            "configmaps",
            "b",
            &json!({"data": {"key": "4"}}),
        )
        .await;
        let report = lab.run(&prepared).await.unwrap();
        let stopped = report.stopped_by.unwrap().to_string();
        assert!(
            stopped.contains(": .data.key is owned by kubectl-edit since 20"),
            "{stopped}"
        );
    });
}

#[test]
fn the_record_is_read_once() {
    lab(|mut lab| async move {
        let mut case = Case::new("once");
        case.namespace = lab.namespace.clone();
        case.template("config.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {color: {{ .Values.color }}}\n");
        let proxy = Proxy::before(&mut lab).await;
        case.env.write("proxied", &proxy.kubeconfig());
        let mut before = 0;
        for color in ["red", "red", "blue"] {
            let color = format!("color={color}");
            let child = begun(&case, &["--kubeconfig", "proxied", "--set", &color]);
            let (code, told) = tokio::task::spawn_blocking(|| ended(child)).await.unwrap();
            assert_eq!(code, Some(0), "{told}");
            let reads = proxy.seen("GET", "/secrets/windlass.shop").len();
            assert_eq!(reads - before, 1, "{color}");
            before = reads;
        }
    });
}
