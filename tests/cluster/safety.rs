//! What must never happen, and what is said instead.

use crate::support::{
    apply, config_map, connect, deployment, kubeconfig, lab, post, reference, remove, scale,
    slow_hook,
};
use serde_json::json;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use windlass::cluster::{Cluster, Options, Verb};
use windlass::deploy::{self, Error};
use windlass::diff::Op;
use windlass::event::{Event, Reconcile};
use windlass::inventory::{DeployResult, PART_OF};

#[test]
fn refuses_an_object_of_another_app_and_names_the_owner() {
    lab(|mut lab| async move {
        lab.deploy_well("one", &[config_map("shared", "1")]).await;
        let request = lab.request("two", &[config_map("shared", "2")]);
        let error = lab.prepare(request).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("ConfigMap/shared ({}) belongs to app `one`", lab.namespace)
        );
        let mut request = lab.request("two", &[config_map("shared", "2")]);
        request.take_from.push("one".to_owned());
        let prepared = lab.prepare(request).await.unwrap();
        assert_eq!(prepared.changes().next().unwrap().op, Op::Update);
    });
}

#[test]
fn takes_in_what_helm_left_behind() {
    lab(|mut lab| async move {
        let path = format!(
            "/api/v1/namespaces/{}/configmaps?fieldManager=helm",
            lab.namespace
        );
        let mut theirs = config_map("a", "theirs");
        theirs["metadata"]["annotations"] = json!({"meta.helm.sh/release-name": "old",
            "meta.helm.sh/release-namespace": lab.namespace});
        post(path, &theirs).await;
        let request = lab.request("web", &[config_map("a", "ours")]);
        let error = lab.prepare(request).await.unwrap_err().to_string();
        assert!(
            error.ends_with(&format!("belongs to Helm release `{}/old`", lab.namespace)),
            "{error}"
        );
        let mut request = lab.request("web", &[config_map("a", "ours")]);
        request.take_from.push("old".to_owned());
        let prepared = lab.prepare(request).await.unwrap();
        let report = lab.run(&prepared).await.unwrap();
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");
        let live = lab.get("", "ConfigMap", "a").await.unwrap();
        assert_eq!(live.text(&["data", "key"]), "ours");
        let request = lab.request("web", &[config_map("a", "ours")]);
        assert!(lab.prepare(request).await.unwrap().is_noop());
    });
}

/// A Deployment as `kubectl apply` without server-side apply leaves it.
fn left_by_kubectl(namespace: &str) -> serde_json::Value {
    let mut theirs = deployment("web", "");
    theirs["metadata"]["namespace"] = namespace.into();
    theirs["metadata"]["labels"] = json!({"old": "label", "kept": "label"});
    theirs["spec"]["template"]["metadata"]["annotations"] = json!({"old": "annotation"});
    theirs["spec"]["strategy"] = json!({"type": "Recreate"});
    theirs["spec"]["template"]["spec"]["containers"] = json!([
        {"name": "web", "image": "example.com/web:0", "args": ["--old"], "env": [{"name": "OLD", "value": "1"}, {"name": "KEPT", "value": "1"}],
            "ports": [{"containerPort": 80}]},
        {"name": "sidecar", "image": "example.com/sidecar:0"}]);
    let applied = theirs.to_string();
    theirs["metadata"]["annotations"] =
        json!({"kubectl.kubernetes.io/last-applied-configuration": applied});
    theirs
}

#[test]
fn what_kubectl_left_and_nobody_wants_goes_when_it_is_taken_over() {
    lab(|mut lab| async move {
        let path = format!(
            "/apis/apps/v1/namespaces/{}/deployments?fieldManager=kubectl-client-side-apply",
            lab.namespace
        );
        post(path, &left_by_kubectl(&lab.namespace)).await;
        let target = reference("apps", "Deployment", Some(&lab.namespace), "web");
        let note = json!({"metadata": {"annotations": {"somebody": "else"}}});
        lab.cluster.merge_patch(&target, &note).await.unwrap();

        let mut ours = deployment("web", "");
        ours["metadata"]["labels"] = json!({"kept": "label"});
        ours["spec"]["template"]["spec"]["containers"][0]["env"] =
            json!([{"name": "KEPT", "value": "1"}]);
        lab.cluster = connect(&lab.namespace).await;
        let request = lab.request("web", &[ours.clone()]);
        let prepared = lab.prepare(request).await.unwrap();
        assert_eq!(lab.cluster.requests().writes(), 0);
        let change = prepared.changes().next().unwrap();
        let shown: Vec<_> = change
            .fields
            .iter()
            .map(|field| format!("{:?} {}", field.op, field.path))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @"
        Remove metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]
        Add metadata.labels[applyset.kubernetes.io/part-of]
        Remove metadata.labels.old
        Add spec.strategy.rollingUpdate
        Replace spec.strategy.type
        Remove spec.template.metadata.annotations
        Remove spec.template.spec.containers[name=web].args
        Remove spec.template.spec.containers[name=web].env[name=OLD]
        Replace spec.template.spec.containers[name=web].image
        Remove spec.template.spec.containers[name=sidecar]
        ");
        let report = lab.run(&prepared).await.unwrap();
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");

        let live = lab.get("apps", "Deployment", "web").await.unwrap();
        let containers = live.list(&["spec", "template", "spec", "containers"]);
        assert_eq!(containers.len(), 1);
        assert_eq!(
            containers[0]["env"],
            json!([{"name": "KEPT", "value": "1"}])
        );
        assert!(containers[0].get("args").is_none());
        assert_eq!(live.text(&["spec", "strategy", "type"]), "RollingUpdate");
        assert_eq!(
            (live.label("old"), live.label("kept")),
            (None, Some("label"))
        );
        assert_eq!(live.annotation("somebody"), Some("else"));
        assert!(!live.tree().to_string().contains("last-applied"));
        let request = lab.request("web", &[ours]);
        assert!(lab.prepare(request).await.unwrap().is_noop());
    });
}

#[test]
fn a_holder_that_lost_its_lock_writes_nothing_more() {
    lab(|mut lab| async move {
        let request = lab.request("web", &[slow_hook(), config_map("after", "1")]);
        let prepared = lab.prepare(request).await.unwrap();
        let options = deploy::Options::new(jiff::Timestamp::now());
        let cluster = connect(&lab.namespace).await;
        let target = reference(
            "coordination.k8s.io",
            "Lease",
            Some(&lab.namespace),
            "windlass.web",
        );
        let thief = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let taken = json!({"metadata": {"annotations": {"windlass.dev/who": "bob"}},
                "spec": {"holderIdentity": "bob"}});
            cluster.merge_patch(&target, &taken).await.unwrap();
        };
        let running = lab.run_with(&prepared, &options);
        let (report, ()) = tokio::join!(running, thief);
        let report = report.unwrap();
        let stopped = report.stopped_by.unwrap().to_string();
        assert!(
            stopped.starts_with("the lock of app `web` was lost to bob"),
            "{stopped}"
        );
        assert_eq!(report.result, DeployResult::Failed);
        assert!(lab.get("", "ConfigMap", "after").await.is_none());
        let lease = cluster.get(&target).await.unwrap().unwrap();
        assert_eq!(lease.text(&["spec", "holderIdentity"]), "bob");
    });
}

#[test]
fn names_the_manager_and_field_of_a_conflict() {
    lab(|mut lab| async move {
        lab.deploy_well("web", &[deployment("web", "")]).await;
        let target = reference("apps", "Deployment", Some(&lab.namespace), "web");
        scale(&lab.namespace, "web", 2).await;
        let request = lab.request("web", &[deployment("web", "")]);
        let error = lab.prepare(request).await.unwrap_err();
        assert!(matches!(error, Error::Contested(_)), "{error}");
        assert!(
            error.to_string().contains(&format!(
                "{target}: .spec.replicas is owned by kubectl, scale"
            )),
            "{error}"
        );

        let mut request = lab.request("web", &[deployment("web", "")]);
        request.force = true;
        let prepared = lab.prepare(request).await.unwrap();
        let report = lab.run(&prepared).await.unwrap();
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");
    });
}

#[test]
fn stops_when_the_approved_change_became_another_one() {
    lab(|mut lab| async move {
        let report = lab.run_overtaken().await;
        assert!(
            matches!(report.stopped_by, Some(Error::Stale { .. })),
            "{report:#?}"
        );
        assert_eq!(
            lab.get("", "ConfigMap", "a")
                .await
                .unwrap()
                .text(&["data", "key"]),
            "3"
        );
    });
}

#[test]
fn goes_on_when_something_else_of_the_object_changed() {
    lab(|mut lab| async move {
        lab.deploy_well("web", &[config_map("a", "1")]).await;
        let request = lab.request("web", &[config_map("a", "2")]);
        let prepared = lab.prepare(request).await.unwrap();
        let target = reference("", "ConfigMap", Some(&lab.namespace), "a");
        let note = json!({"metadata": {"annotations": {"somebody": "else"}}});
        lab.cluster.merge_patch(&target, &note).await.unwrap();
        let report = lab.run(&prepared).await.unwrap();
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");
        assert_eq!(
            lab.get("", "ConfigMap", "a")
                .await
                .unwrap()
                .text(&["data", "key"]),
            "2"
        );
    });
}

#[test]
fn does_not_delete_an_object_that_took_the_place_of_ours() {
    lab(|mut lab| async move {
        lab.deploy_well("web", &[config_map("a", "1"), config_map("b", "1")])
            .await;
        let request = lab.request("web", &[config_map("a", "1")]);
        let prepared = lab.prepare(request).await.unwrap();
        let target = reference("", "ConfigMap", Some(&lab.namespace), "b");
        let old = lab.cluster.get(&target).await.unwrap().unwrap();
        lab.cluster.delete(&target, old.uid(), None).await.unwrap();
        let mut theirs = config_map("b", "theirs");
        theirs["metadata"]["namespace"] = lab.namespace.clone().into();
        apply(&lab.cluster, theirs).await;
        let report = lab.run(&prepared).await.unwrap();
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");
        assert!(lab.cluster.get(&target).await.unwrap().is_some());
    });
}

#[test]
fn what_only_carries_the_label_is_neither_pruned_nor_deleted() {
    lab(|mut lab| async move {
        let objects = [
            config_map("a", "1"),
            config_map("b", "1"),
            config_map("c", "1"),
        ];
        lab.deploy_well("web", &objects).await;
        let live = lab.get("", "ConfigMap", "a").await.unwrap();
        let labeled = |name: &str| {
            let mut copy = config_map(name, "theirs");
            copy["metadata"]["namespace"] = lab.namespace.clone().into();
            copy["metadata"]["labels"] = json!({PART_OF: live.label(PART_OF)});
            copy
        };
        // A copy of an object, and two that take the place of one.
        apply(&lab.cluster, labeled("backup-of-a")).await;
        for name in ["b", "c"] {
            let target = reference("", "ConfigMap", Some(&lab.namespace), name);
            remove(&lab.cluster, &target).await;
            apply(&lab.cluster, labeled(name)).await;
        }
        // The one that is wanted is the app's from then on.
        let wanted = [config_map("a", "1"), config_map("b", "1")];
        let request = lab.request("web", &wanted);
        let prepared = lab.prepare(request).await.unwrap();
        let place = &lab.namespace;
        let told = format!(
            "left alone, since they carry the label of this app but are not of it: \
             ConfigMap/backup-of-a ({place}), ConfigMap/c ({place})"
        );
        assert!(prepared.warnings.contains(&told), "{:?}", prepared.warnings);
        lab.deploy_well("web", &wanted).await;
        let app = lab.app("web");
        let prepared =
            deploy::prepare_delete(&lab.cluster, &app, true, &lab.masker, &mut lab.events).await;
        assert_eq!(prepared.unwrap().warnings, [told]);
        lab.delete_well("web").await;
        for (name, is_there) in [
            ("a", false),
            ("b", false),
            ("c", true),
            ("backup-of-a", true),
        ] {
            assert_eq!(
                lab.get("", "ConfigMap", name).await.is_some(),
                is_there,
                "{name}"
            );
        }
    });
}

#[test]
fn what_a_killed_deploy_made_is_the_apps_without_its_uid_in_the_record() {
    lab(|mut lab| async move {
        lab.deploy_well("web", &[config_map("a", "1")]).await;
        let mut options = deploy::Options::new(jiff::Timestamp::now());
        options.lock = false;
        let more = [
            config_map("a", "1"),
            config_map("b", "1"),
            config_map("c", "1"),
        ];
        // The record, then at least one object.
        lab.die(&more, &options, 3).await;
        lab.deploy_well("web", &[config_map("a", "1")]).await;
        for name in ["b", "c"] {
            assert!(lab.get("", "ConfigMap", name).await.is_none(), "{name}");
        }
    });
}

#[test]
fn does_not_delete_an_object_that_went_into_other_hands() {
    lab(|mut lab| async move {
        let objects = [
            config_map("a", "1"),
            config_map("b", "1"),
            config_map("c", "1"),
        ];
        lab.deploy_well("web", &objects).await;
        let request = lab.request("web", &objects[..1]);
        let prepared = lab.prepare(request).await.unwrap();
        let b = reference("", "ConfigMap", Some(&lab.namespace), "b");
        let c = reference("", "ConfigMap", Some(&lab.namespace), "c");
        let theirs = json!({"metadata": {"labels": {PART_OF: "applyset-theirs-v1"}}});
        lab.cluster.merge_patch(&b, &theirs).await.unwrap();
        // Any other change of an object that is still ours is no reason to stop.
        let note = json!({"metadata": {"annotations": {"somebody": "else"}}});
        lab.cluster.merge_patch(&c, &note).await.unwrap();
        let report = lab.run(&prepared).await.unwrap();
        assert_eq!(report.result, DeployResult::Failed);
        assert!(lab.get("", "ConfigMap", "b").await.is_some());
        assert!(lab.get("", "ConfigMap", "c").await.is_none());
        lab.deploy_well("web", &objects[..1]).await;
        assert!(lab.get("", "ConfigMap", "b").await.is_some());
    });
}

#[test]
fn a_deploy_that_dies_anywhere_is_finished_by_the_next() {
    lab(|mut lab| async move {
        let objects = [
            deployment("web", ""),
            config_map("a", "1"),
            config_map("b", "1"),
        ];
        lab.deploy_well("web", &[config_map("a", "0"), config_map("old", "0")])
            .await;
        let mut options = deploy::Options::new(jiff::Timestamp::now());
        // The next one would wait for the dead one's lock; that has a test of its own.
        options.lock = false;
        for writes in 1..=7 {
            lab.die(&objects, &options, writes).await;
        }
        lab.deploy_well("web", &objects).await;
        assert!(lab.get("", "ConfigMap", "old").await.is_none());
        assert_eq!(
            lab.get("", "ConfigMap", "a")
                .await
                .unwrap()
                .text(&["data", "key"]),
            "1"
        );
        let request = lab.request("web", &objects);
        assert!(lab.prepare(request).await.unwrap().is_noop());
    });
}

#[test]
fn a_dead_holder_of_the_lock_is_waited_out() {
    lab(|mut lab| async move {
        let options = deploy::Options::new(jiff::Timestamp::now());
        lab.die(&[config_map("a", "1")], &options, 2).await;
        let report = lab.deploy_well("web", &[config_map("a", "1")]).await;
        assert!(report.revision.is_some());
        assert!(
            lab.get("coordination.k8s.io", "Lease", "windlass.web")
                .await
                .is_none()
        );
    });
}

#[test]
fn a_living_holder_of_the_lock_is_named() {
    lab(|mut lab| async move {
        let mut slow = deployment("web", "");
        slow["spec"]["template"]["metadata"]["annotations"] =
            json!({"windlass.test/ready-after": "12s"});
        let mut first = lab.another().await;
        let request = first.request("web", &[slow.clone()]);
        let prepared = first.prepare(request).await.unwrap();
        let mut options = deploy::Options::new(jiff::Timestamp::now());
        options.origin.who = "alice".to_owned();
        options.origin.host = "runner-1".to_owned();
        options.origin.ci_url = "https://ci.example.com/42".to_owned();
        let holding = first.run_with(&prepared, &options);
        let second = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let mut second = lab.another().await;
            let request = second.request("web", &[config_map("a", "1")]);
            let prepared = second.prepare(request).await.unwrap();
            let error = second.run(&prepared).await.unwrap_err();
            assert_eq!(second.cluster.requests().writes(), 0);
            error.to_string()
        };
        let (report, error) = tokio::join!(holding, second);
        assert!(
            error.starts_with("app `web` is being deployed by alice on runner-1 since "),
            "{error}"
        );
        assert!(error.ends_with("(https://ci.example.com/42)"), "{error}");
        assert_eq!(report.unwrap().result, DeployResult::Succeeded);
        let request = lab.request("web", &[slow]);
        assert!(lab.prepare(request).await.unwrap().is_noop());
    });
}

#[test]
fn cancelling_skips_the_rest_and_records_it() {
    lab(|mut lab| async move {
        let objects = [
            deployment("web", "windlass.test/stuck=true"),
            config_map("a", "1"),
        ];
        let request = lab.request("web", &objects);
        let prepared = lab.prepare(request).await.unwrap();
        let options = deploy::Options::new(jiff::Timestamp::now());
        let cancel = CancellationToken::new();
        let stop = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            cancel.cancel();
        };
        let running = deploy::run(
            &lab.cluster,
            &prepared,
            &options,
            &lab.masker,
            &mut lab.events,
            &cancel,
        );
        let (report, ()) = tokio::join!(running, stop);
        assert_eq!(report.unwrap().result, DeployResult::Interrupted);
        let pending = lab.events.iter().find_map(|event| match event {
            Event::WaitFinished {
                object,
                reason,
                reconcile: Reconcile::Skipped,
                ..
            } => Some(format!("{} {reason}", object.name)),
            _ => None,
        });
        let pending = pending.unwrap();
        let told = "web the run was stopped before it was ready: 0 of 1 replicas";
        assert!(pending.starts_with(told), "{pending}");
        let history = deploy::history(&lab.cluster, &lab.app("web"))
            .await
            .unwrap();
        assert_eq!(history[0].result, DeployResult::Interrupted);
        assert!(
            lab.get("coordination.k8s.io", "Lease", "windlass.web")
                .await
                .is_none()
        );
    });
}

#[test]
fn says_what_a_user_without_rights_may_not_do() {
    let Ok(nobody) = std::env::var("WINDLASS_TEST_NOBODY_KUBECONFIG") else {
        panic!("WINDLASS_TEST_NOBODY_KUBECONFIG is not set: the testbed sets it")
    };
    lab(|lab| async move {
        let options = Options {
            kubeconfig: Some(nobody.into()),
            ..Options::default()
        };
        let cluster = Cluster::connect(&options).await.unwrap();
        let request = lab.request("web", &[config_map("a", "1")]);
        let error = deploy::prepare(&cluster, request, &lab.masker, &mut Vec::new())
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(&format!(
                "read Secret/windlass.web ({}): forbidden: ",
                lab.namespace
            )),
            "{error}"
        );
        assert!(error.contains("cannot get resource \"secrets\""), "{error}");
    });
}

#[test]
fn says_what_is_wrong_with_the_way_to_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let kubeconfig = |server: &str, user: &str| {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: '{server}'}}}}]\nusers: [{{name: u, user: {user}}}]\n"
        )
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let fails = |kubeconfig, context: Option<&str>| {
        let context = context.map(str::to_owned);
        let options = Options {
            kubeconfig,
            context,
            ..Options::default()
        };
        runtime.block_on(async {
            let connected = Cluster::connect(&options).await;
            match connected {
                Ok(cluster) => cluster.discovery().await.unwrap_err().to_string(),
                Err(error) => error.to_string(),
            }
        })
    };
    let missing = fails(Some(folder.path().join("none")), None);
    assert!(
        missing.contains("none: No such file or directory"),
        "{missing}"
    );
    let broken = fails(write("broken", "contexts: {"), None);
    assert!(broken.contains("broken: failed to parse"), "{broken}");
    let good = write("good", &kubeconfig("http://127.0.0.1:1", "{}"));
    let unknown = fails(good.clone(), Some("b"));
    assert_eq!(unknown, "context `b` is not in the kubeconfig; it has `a`");
    let away = fails(good, None);
    assert!(
        away.starts_with("API server http://127.0.0.1:1 cannot be reached: "),
        "{away}"
    );
    assert!(away.contains("onnection refused"), "{away}");
    let plugin = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-plugin, interactiveMode: Never}}";
    let exec = fails(
        write("exec", &kubeconfig("http://127.0.0.1:1", plugin)),
        None,
    );
    assert!(exec.starts_with("credentials of context `a`: "), "{exec}");
    assert!(exec.contains("No such file or directory"), "{exec}");
}

#[test]
fn does_not_trust_a_server_with_an_unknown_certificate() {
    lab(|lab| async move {
        let text = std::fs::read_to_string(kubeconfig()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        let untrusting: String = text
            .lines()
            .filter(|line| !line.contains("certificate-authority"))
            .map(|line| format!("{line}\n"))
            .collect();
        std::fs::write(&path, untrusting).unwrap();
        let options = Options {
            kubeconfig: Some(path),
            ..Options::default()
        };
        let cluster = Cluster::connect(&options).await.unwrap();
        let error = cluster.discovery().await.unwrap_err().to_string();
        assert!(
            error.starts_with(&format!(
                "API server {}: no trusted connection: ",
                lab.cluster.url()
            )),
            "{error}"
        );
        assert_eq!(cluster.requests().of(Verb::Apply), 0);
    });
}
