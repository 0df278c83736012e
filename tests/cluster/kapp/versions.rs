//! Versioned resources: names, references, how many stay.

use super::{config_maps, deploy, marked, reading, told};
use crate::support::{Lab, apply, config_map, deployment, lab};
use serde_json::{Value, json};
use windlass::deploy::Request;
use windlass::diff::Op;

fn versioned(name: &str, value: &str) -> Value {
    marked(config_map(name, value), &[("versioned", "")])
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
        assert!(deploy(&mut lab, &[conf("4")]).await.is_empty());
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
