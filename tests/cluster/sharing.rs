//! Objects and fields that somebody else has a part in: named, refused, left or taken as told.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use crate::program::Case;
use crate::support::{
    Lab, apply, config_map, deployment, lab, oracle, post, reference, scale, scale_as,
};
use serde_json::{Value, json};
use windlass::deploy::{Error, Prepared};
use windlass::inventory::DeployResult;
use windlass::object::Object;

/// A Deployment whose replicas somebody scaled to 3, and a manifest that wants 2.
async fn scaled_by_hand(lab: &mut Lab) -> Value {
    let mut web = deployment("web", "");
    lab.deploy_well("web", std::slice::from_ref(&web)).await;
    scale(&lab.namespace, "web", 3).await;
    web["spec"]["replicas"] = 2.into();
    web
}

async fn with_policy(lab: &mut Lab, object: &Value, policy: &str) -> Result<Prepared, Error> {
    let mut request = lab.request("web", std::slice::from_ref(object));
    request.policies = vec![policy.parse().unwrap()];
    lab.prepare(request).await
}

fn replicas(object: &Object) -> Option<i64> {
    object.int(&["spec", "replicas"])
}

#[test]
fn a_conflict_names_its_owner_and_a_policy_for_the_path_decides() {
    lab(|mut lab| async move {
        let web = scaled_by_hand(&mut lab).await;
        for policy in [
            "spec.template=force",
            "Service:spec.replicas=force",
            "spec.replicas=fail",
        ] {
            let error = with_policy(&mut lab, &web, policy).await.unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains(".spec.replicas is owned by kubectl, scale"),
                "{text}"
            );
        }
        let prepared = with_policy(&mut lab, &web, "Deployment/web:spec.replicas=force").await;
        let report = lab.run(&prepared.unwrap()).await.unwrap();
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");
        let live = lab.get("apps", "Deployment", "web").await.unwrap();
        assert_eq!(replicas(&live), Some(2));
    });
}

#[test]
fn a_field_that_is_yielded_stays_as_its_owner_has_it() {
    lab(|mut lab| async move {
        let mut web = scaled_by_hand(&mut lab).await;
        web["metadata"]["annotations"] = json!({"windlass.dev/conflicts": "spec.replicas=yield"});
        let request = lab.request("web", std::slice::from_ref(&web));
        let prepared = lab.prepare(request).await.unwrap();
        let target = format!("Deployment/web ({})", lab.namespace);
        assert_eq!(
            prepared.notes,
            [format!(
                "spec.replicas of {target} is left to kubectl (scale)"
            )]
        );
        lab.run(&prepared).await.unwrap();
        let live = lab.get("apps", "Deployment", "web").await.unwrap();
        assert_eq!(replicas(&live), Some(3));
        let request = lab.request("web", std::slice::from_ref(&web));
        assert!(lab.prepare(request).await.unwrap().is_noop());

        web["metadata"]["annotations"] = json!({"windlass.dev/conflicts": "spec.replicas=mine"});
        let request = lab.request("web", &[web]);
        let error = lab.prepare(request).await.unwrap_err().to_string();
        assert!(
            error.contains("`mine` is none of fail, force and yield"),
            "{error}"
        );
    });
}

#[test]
fn replicas_are_left_to_an_autoscaler_that_is_somebody_elses() {
    lab(|mut lab| async move {
        let web = deployment("web", "");
        lab.deploy_well("web", std::slice::from_ref(&web)).await;
        scale_as("kube-controller-manager", &lab.namespace, "web", 4).await;
        let request = lab.request("web", &[web]);
        let prepared = lab.prepare(request).await.unwrap();
        let note = prepared.notes.first().unwrap();
        assert!(
            note.ends_with("an autoscaler of somebody else: 4 now, 1 in the manifest"),
            "{note}"
        );
        lab.run(&prepared).await.unwrap();
        let live = lab.get("apps", "Deployment", "web").await.unwrap();
        assert_eq!(replicas(&live), Some(4));
    });
}

#[test]
fn objects_of_other_deployers_are_refused_by_name() {
    lab(|mut lab| async move {
        let namespace = lab.namespace.clone();
        let record = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "shop", "namespace": namespace, "labels": {"kapp.k14s.io/is-app": ""}},
            "data": {"spec": format!(r#"{{"labelKey":"kapp.k14s.io/app","labelValue":"{namespace}-17"}}"#)}});
        apply(&lab.cluster, record).await;
        let marks = [
            (
                json!({"labels": {"kapp.k14s.io/app": format!("{namespace}-17")}}),
                "kapp app `shop`",
                "shop",
            ),
            (
                json!({"annotations": {"meta.helm.sh/release-name": "rel", "meta.helm.sh/release-namespace": namespace}}),
                "Helm release `",
                "rel",
            ),
            (
                json!({"annotations": {"argocd.argoproj.io/tracking-id": "cd:/ConfigMap:x/y"}}),
                "Argo CD application `cd`",
                "cd",
            ),
            (
                json!({"labels": {"argocd.argoproj.io/instance": "cd"}}),
                "Argo CD application `cd`",
                "cd",
            ),
            (
                json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}),
                "Flux Kustomization `apps`",
                "apps",
            ),
            (
                json!({"labels": {"helm.toolkit.fluxcd.io/name": "hr"}}),
                "Flux HelmRelease `hr`",
                "hr",
            ),
            (
                json!({"labels": {"applyset.kubernetes.io/part-of": "applyset-x-v1"}}),
                "ApplySet `applyset-x-v1`",
                "applyset-x-v1",
            ),
        ];
        for (index, (marks, owner, name)) in marks.into_iter().enumerate() {
            let object = config_map(&format!("a{index}"), "1");
            let mut theirs = object.clone();
            theirs["metadata"]["labels"] = marks["labels"].clone();
            theirs["metadata"]["annotations"] = marks["annotations"].clone();
            let path = format!("/api/v1/namespaces/{namespace}/configmaps?fieldManager=them");
            post(path, &theirs).await;
            let request = lab.request("web", std::slice::from_ref(&object));
            let error = lab.prepare(request).await.unwrap_err().to_string();
            assert!(error.contains(&format!("belongs to {owner}")), "{error}");
            let mut request = lab.request("web", &[object]);
            request.take_from = vec![name.to_owned()];
            let taken = lab.prepare(request).await;
            assert!(taken.is_ok(), "{owner}: {taken:?}");
        }
    });
}

/// What kapp leaves of a Deployment: labels in selector and template, identity and its own copy.
fn of_kapp(namespace: &str, label: &str) -> Value {
    let mut asked = deployment("web", "");
    asked["metadata"]["namespace"] = namespace.into();
    let labels = json!({"kapp.k14s.io/app": label, "kapp.k14s.io/association": "v1.abc"});
    for path in ["/metadata", "/spec/template/metadata"] {
        let metadata = asked.pointer_mut(path).unwrap();
        for (key, value) in labels.as_object().unwrap() {
            metadata["labels"][key] = value.clone();
        }
    }
    asked["spec"]["selector"]["matchLabels"]["kapp.k14s.io/app"] = label.into();
    let mut live = asked.clone();
    live["metadata"]["annotations"] = json!({
        "kapp.k14s.io/identity": format!("v1;{namespace}/apps/Deployment/web;apps/v1"),
        "kapp.k14s.io/original": asked.to_string(),
        "kapp.k14s.io/original-diff-md5": "58e0494c51d30eb3494f7c9198986bb9"});
    live
}

const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: example.com/web:1
          ports: [{containerPort: 80}]
";

fn ok(shown: &super::folder::Shown) -> &super::folder::Shown {
    assert_eq!(shown.code, 0, "{}", shown.all());
    shown
}

#[test]
fn a_kapp_app_is_adopted_as_it_is_and_its_chart_then_changes_nothing() {
    lab(|mut lab| async move {
        let mut case = Case::new("adopt-kapp");
        case.namespace = lab.namespace.clone();
        case.template("web.yaml", WEB);
        let label = format!("17{}", lab.namespace);
        let deployments = format!(
            "/apis/apps/v1/namespaces/{}/deployments?fieldManager=kapp",
            lab.namespace
        );
        post(deployments, &of_kapp(&lab.namespace, &label)).await;
        let spec = json!({"labelKey": "kapp.k14s.io/app", "labelValue": label,
            "usedGKs": [{"Group": "apps", "Kind": "Deployment"}]});
        apply(
            &lab.cluster,
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"spec": spec.to_string()},
                "metadata": {"name": "shop", "namespace": lab.namespace, "labels": {"kapp.k14s.io/is-app": ""}}}),
        )
        .await;
        let before = lab.get("apps", "Deployment", "web").await.unwrap();

        let refused = case.run(&["diff", "shop", "chart"]);
        assert!(
            refused.stderr.contains("belongs to kapp app `shop`"),
            "{}",
            refused.all()
        );
        let shown = case.run(&["adopt", "shop", "--dry-run"]);
        assert!(
            ok(&shown)
                .stdout
                .contains("Nothing changes but marks of ownership."),
            "{}",
            shown.all()
        );
        let adopted = case.run(&["adopt", "shop", "--yes"]);
        assert!(
            ok(&adopted).stderr.contains("kapp app shop stays"),
            "{}",
            adopted.all()
        );
        assert!(lab.get("", "ConfigMap", "shop").await.is_some());

        let after = lab.get("apps", "Deployment", "web").await.unwrap();
        let spec = |object: &Object| object.tree()["spec"].clone();
        assert_eq!(spec(&before), spec(&after), "nothing restarts");
        assert_eq!(after.label("kapp.k14s.io/app"), None);
        assert_eq!(after.annotation("kapp.k14s.io/original"), None);
        let managers: Vec<&str> = after
            .list(&["metadata", "managedFields"])
            .iter()
            .filter_map(|entry| entry["manager"].as_str())
            .filter(|manager| *manager != "kube-controller-manager")
            .collect();
        assert_eq!(managers, ["windlass"]);

        let diff = case.run(&["diff", "shop", "chart", "--exit-code"]);
        ok(&diff);
        let removed = case.run(&["adopt", "shop", "--yes", "--remove-record"]);
        assert!(
            ok(&removed).stderr.contains("Removed the record"),
            "{}",
            removed.all()
        );
        assert!(lab.get("", "ConfigMap", "shop").await.is_none());
        lab.delete_well("shop").await;
    });
}

/// Runs a real helm in the folder of a case.
fn helm(case: &Case, variable: &str, arguments: &[&str]) {
    let output = std::process::Command::new(oracle(variable))
        .args(arguments)
        .args(["-n", &case.namespace])
        .current_dir(case.env.path())
        .env("HOME", case.env.path())
        .env("KUBECONFIG", crate::support::kubeconfig())
        .output()
        .expect("helm starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_release_of_the_real_helm_is_adopted_as_it_is() {
    for variable in ["WINDLASS_ORACLE_HELM", "WINDLASS_ORACLE_HELM3"] {
        lab(|mut lab| async move {
            let mut case = Case::new("adopt-helm");
            case.namespace = lab.namespace.clone();
            case.template("web.yaml", WEB).template(
                "rest.yaml",
                "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n---\n\
                 apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}], selector: {app: web}}\n",
            );
            case.template(
                "hook.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: last, annotations: {helm.sh/hook: pre-delete}}\n",
            );
            helm(&case, variable, &["install", "shop", "chart"]);
            helm(&case, variable, &["upgrade", "shop", "chart"]);
            let newest = reference(
                "",
                "Secret",
                Some(&lab.namespace),
                "sh.helm.release.v1.shop.v2",
            );
            for status in ["failed", "deployed"] {
                let patch = json!({"metadata": {"labels": {"status": status}}});
                lab.cluster.merge_patch(&newest, &patch).await.unwrap();
                let shown = case.run(&["adopt", "shop", "--dry-run"]);
                let told = shown
                    .stderr
                    .contains("revision 2 of Helm release `shop` is failed: ");
                assert_eq!(told, status == "failed", "{}", shown.all());
            }
            let before = lab.get("apps", "Deployment", "web").await.unwrap();

            let adopted = case.run(&["adopt", "shop", "--yes", "--remove-record"]);
            assert!(
                ok(&adopted)
                    .stdout
                    .contains("Helm release shop, revision 2: 3 objects\nNothing changes"),
                "{}",
                adopted.all()
            );
            let after = lab.get("apps", "Deployment", "web").await.unwrap();
            let spec = |object: &Object| object.tree()["spec"].clone();
            assert_eq!(spec(&before), spec(&after), "nothing restarts");
            assert_eq!(after.annotation("meta.helm.sh/release-name"), None);
            let entries = after.list(&["metadata", "managedFields"]);
            assert!(
                entries.iter().all(|entry| entry["manager"] != "helm"),
                "{entries:#?}"
            );
            for revision in 1..=2 {
                let name = format!("sh.helm.release.v1.shop.v{revision}");
                assert!(lab.get("", "Secret", &name).await.is_none());
            }
            let diff = case.run(&["diff", "shop", "chart", "--exit-code"]);
            ok(&diff);
            let deleted = case.run(&["delete", "shop", "--dry-run"]);
            assert!(
                ok(&deleted).stdout.contains("ConfigMap/last"),
                "{}",
                deleted.all()
            );
            lab.delete_well("shop").await;
            assert!(lab.get("", "Service", "web").await.is_none());
        });
    }
}
