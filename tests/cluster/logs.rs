//! Logs of pods through the real API server; the testbed serves the same three lines for every
//! container.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use crate::program::Case;
use crate::support::{Lab, deployment, lab};
use serde_json::{Value, json};
use windlass::deploy::{self, Options};
use windlass::event::Event;

const TEMPLATE: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: registry.example.com/web:1}
        - {name: side, image: registry.example.com/side:1}
";

fn job() -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "migrate", "annotations": {"helm.sh/hook": "pre-install"}},
        "spec": {"template": {"spec": {"restartPolicy": "Never",
            "containers": [{"name": "m", "image": "example.com/m:1"}]}}}})
}

/// The containers whose logs were told, and what they said.
async fn told(lab: &mut Lab, objects: &[Value], logs: bool) -> Vec<(String, String)> {
    let request = lab.request("web", objects);
    let prepared = lab.prepare(request).await.unwrap();
    let options = Options {
        logs,
        ..Options::new(jiff::Timestamp::now())
    };
    let report = lab.run_with(&prepared, &options).await.unwrap();
    assert_eq!(report.result.to_string(), "succeeded", "{report:#?}");
    let line = |event: &Event| match event {
        Event::Log {
            container, line, ..
        } => Some((container.clone(), line.clone())),
        _ => None,
    };
    lab.events.iter().filter_map(line).collect()
}

#[test]
fn logs_of_new_pods_and_hooks_are_told_on_request() {
    lab(|mut lab| async move {
        let lines = told(&mut lab, &[job(), deployment("web", "")], true).await;
        for container in ["m", "web"] {
            let of = lines.iter().filter(|(from, _)| from == container);
            let of: Vec<&str> = of.map(|(_, line)| line.as_str()).collect();
            assert_eq!(
                of,
                [
                    "starting",
                    "warning: this container is a simulation",
                    "ready"
                ]
            );
        }
    });
}

#[test]
fn an_annotation_asks_for_the_logs_of_some_containers() {
    lab(|mut lab| async move {
        let mut web = deployment("web", "");
        let template = &mut web["spec"]["template"];
        template["metadata"]["annotations"] = json!({
            "kapp.k14s.io/deploy-logs": "", "kapp.k14s.io/deploy-logs-container-names": "side"});
        let side = json!({"name": "side", "image": "example.com/side:1"});
        template["spec"]["containers"]
            .as_array_mut()
            .unwrap()
            .push(side);
        let lines = told(&mut lab, &[web, deployment("quiet", "")], false).await;
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines.iter().all(|(container, _)| container == "side"));
    });
}

#[test]
fn the_logs_of_an_app_are_shown_by_pod_and_container() {
    let case = Case::new("logs");
    case.template("web.yaml", TEMPLATE);
    let deployed = case.deploy(&[]);
    assert_eq!(deployed.code, 0, "{}", deployed.all());
    let all = case.run(&["logs", "shop"]);
    assert_eq!(all.stdout.lines().count(), 12, "{}", all.all());
    let some = case.run(&["logs", "shop", "-c", "side", "-m", "web-*", "--lines", "1"]);
    let lines: Vec<&str> = some.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", some.all());
    for line in lines {
        assert!(line.starts_with("web-"), "{line}");
        assert!(line.ends_with(" > side | ready"), "{line}");
    }
    let bare = case.run(&[
        "logs",
        "shop",
        "-c",
        "web",
        "--pod-tag=false",
        "--lines",
        "1",
    ]);
    assert_eq!(bare.stdout, "ready\nready\n", "{}", bare.all());
    let none = case.run(&["logs", "shop", "-m", "api-*"]);
    assert_eq!((none.code, none.stdout.as_str()), (0, ""), "{}", none.all());
}

#[test]
fn following_tells_of_pods_that_come_later() {
    lab(|mut lab| async move {
        lab.deploy_well("web", &[deployment("web", "")]).await;
        let wanted = deploy::Tail {
            follow: true,
            ..deploy::Tail::default()
        };
        let app = lab.app("web");
        let mut events: Vec<Event> = Vec::new();
        let ended = {
            let told = deploy::tail(&lab.cluster, &app, &wanted, &mut events);
            let scaled = async {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                crate::support::scale(&lab.namespace, "web", 2).await;
                tokio::time::sleep(std::time::Duration::from_secs(3)).await;
            };
            tokio::select! {
                ended = told => Some(ended),
                () = scaled => None,
            }
        };
        assert!(ended.is_none(), "{ended:?}");
        let pods: std::collections::BTreeSet<&str> = events
            .iter()
            .filter_map(|event| match event {
                Event::Log { pod, .. } => Some(pod.name.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(pods.len(), 2, "{pods:?}");
    });
}
