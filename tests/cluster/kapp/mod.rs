//! kapp's vocabulary against a real server. Here: what these tests share.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod config;
mod hooks;
mod marks;
mod order;
mod ready;
mod versions;

use crate::support::{Lab, deployment};
use serde_json::{Value, json};
use windlass::deploy::{Prepared, Request};
use windlass::event::{Event, Reconcile};
use windlass::inventory::DeployResult;
use windlass::kapp::{self, Rules};
use windlass::object::{ObjectRef, Source};

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

async fn is_there(lab: &Lab, kind: (&str, &str), name: &str) -> bool {
    let found = lab.get(kind.0, kind.1, name).await;
    found.is_some_and(|found| found.get(&["metadata", "deletionTimestamp"]).is_none())
}

/// What was done and what was waited for to its end, in order: `create Job/migrate`,
/// `ready Job/migrate`.
fn course(lab: &Lab) -> Vec<String> {
    let short = |object: &ObjectRef| format!("{}/{}", object.kind, object.name);
    let told = |event: &Event| match event {
        Event::StepFinished { object, op, .. } => Some(format!("{op} {}", short(object))),
        Event::WaitFinished {
            object,
            reconcile: Reconcile::Succeeded,
            ..
        } => Some(format!("ready {}", short(object))),
        _ => None,
    };
    lab.events.iter().filter_map(told).collect()
}

/// Asserts that these happened, one after the other.
fn assert_course(lab: &Lab, expected: &[&str]) {
    let course = course(lab);
    let place = |step: &&str| course.iter().position(|done| done == step);
    let places: Vec<_> = expected.iter().map(place).collect();
    let all = places.iter().all(Option::is_some);
    assert!(all && places.is_sorted(), "{expected:?} in {course:#?}");
}
