//! What deploys leave behind: the history of an app, where its images come from, and its lock.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use super::folder::Shown;
use super::program::Case;
use super::registry::{open, push, repository};
use crate::support::{config_map, connect, lab, slow_hook};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::Duration;
use windlass::deploy;
use windlass::inventory::{DeployResult, Origin};

const DIGEST: &str = "sha256:f798cfd4c6a6a1d1d1e2d3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";

/// A project under git, with an image that a lock names and one that brings its own digest.
fn project(case: &Case) {
    let env = &case.env;
    env.write(
        ".gitconfig",
        "[user]\n\tname = Ada\n\temail = a@b.example\n",
    );
    env.write(
        "windlass.yaml",
        "version: 1\nname: shop\nchart: chart\nlocks: locks\n",
    );
    case.template(
        "web.yaml",
        &format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  selector: {{matchLabels: {{app: web}}}}\n  \
             template:\n    metadata:\n      labels: {{app: web{{{{ with .Values.label }}}}, {{{{ . }}}}{{{{ end }}}}}}\n      \
             annotations: {{{{ .Values.notes | default dict | toJson }}}}\n    spec:\n      containers:\n      \
             - {{name: web, image: \"web:1\"}}\n      - {{name: side, image: \"a.io/side@{DIGEST}\"}}\n"
        ),
    );
    case.template(
        "secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\nstringData: {password: canary-5f0c2b9e71}\n",
    );
    env.write(
        "locks/web.yml",
        &format!(
            "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\noverrides:\n- image: web:1\n  newImage: a.io/web@{DIGEST}\n  \
             origins:\n  - local: {{path: /home/me/web}}\n  - git: {{dirty: true, remoteURL: 'https://me:canary-5f0c2b9e71@git.example.com/web.git', sha: 0123456789abcdef, tags: [v1.2]}}\n  \
             - built: {{builder: buildah, run: 'https://ci.example.com/9', time: '2026-11-20T10:00:00Z'}}\n  preresolved: true\n"
        ),
    );
    for arguments in [
        &["init", "-q"][..],
        &[
            "remote",
            "add",
            "origin",
            "https://x:canary-5f0c2b9e71@git.example.com/config.git",
        ],
        &["add", "chart", "locks", "windlass.yaml"],
        &["commit", "-q", "-m", "begin"],
    ] {
        let mut git = Command::new("git");
        git.args(arguments)
            .current_dir(env.path())
            .env("HOME", env.path());
        assert!(git.status().unwrap().success(), "git {arguments:?}");
    }
}

fn deploy(case: &Case, extra: &[&str]) -> Shown {
    let arguments = [
        "deploy",
        "--yes",
        "--create-namespace",
        "--wait-timeout",
        "60s",
    ];
    case.run(&[&arguments, extra].concat())
}

fn ok(shown: Shown) -> Shown {
    assert_eq!(shown.code, 0, "{}", shown.all());
    shown
}

fn json_of(shown: Shown) -> Value {
    serde_json::from_str(&ok(shown).stdout).unwrap()
}

/// Starts a deploy that has to wait, and kills it then.
fn killed(case: &Case) {
    let wait = "notes.windlass\\.test/ready-after=30s";
    let arguments = [
        "deploy",
        "--yes",
        "-n",
        &case.namespace,
        "--set-string",
        wait,
    ];
    let mut command = case.env.command(&arguments);
    command.env("KUBECONFIG", crate::support::kubeconfig());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let running = || {
        let listed = json_of(case.run(&["history", "--format", "json"]));
        listed["deploys"].as_array().unwrap().last().unwrap()["result"] == "running"
    };
    while !running() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_history_tells_how_each_deploy_ended_and_what_it_did() {
    let case = Case::new("history");
    project(&case);
    assert_eq!(case.run(&["history"]).code, 1);
    ok(deploy(&case, &[]));
    let failed = deploy(
        &case,
        &["--set-string", "label=windlass.test/image-pull: fail"],
    );
    assert_eq!(failed.code, 6, "{}", failed.all());
    killed(&case);

    // Nobody can know yet that its process died.
    let refused = case.run(&["unlock", "--yes"]);
    assert_eq!(refused.code, 5, "{}", refused.all());
    assert!(
        refused.stderr.contains("App shop is locked by Ada on "),
        "{}",
        refused.all()
    );
    ok(case.run(&["unlock", "--yes", "--force"]));
    let free = ok(case.run(&["unlock"]));
    assert_eq!(free.stderr, "App shop is not locked.\n");

    let told = |number: usize| {
        let history = json_of(case.run(&["history", "--format", "json"]));
        history["deploys"][number].clone()
    };
    assert_eq!(told(2)["result"], "interrupted");
    ok(deploy(&case, &[]));
    let results: Vec<Value> = (0..4)
        .map(|number| told(number)["result"].clone())
        .collect();
    assert_eq!(results, ["succeeded", "failed", "interrupted", "succeeded"]);
    let changes = json!([{"op": "update", "state": "not ready",
        "object": {"group": "apps", "kind": "Deployment", "namespace": case.namespace, "name": "web"}}]);
    assert_eq!(told(1)["changes"], changes);
    assert_eq!(told(0)["summary"], "2 create");
    assert!(told(3)["seconds"].is_u64());

    let table = ok(case.run(&["history"])).stdout;
    let words: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        words[0],
        [
            "REVISION", "RESULT", "STARTED", "TOOK", "BY", "COMMIT", "CHART", "CHANGES"
        ]
    );
    assert_eq!(words[3][..2], ["3", "interrupted"]);
    let unknown = case.run(&["history", "show", "9"]);
    assert_eq!(unknown.code, 1, "{}", unknown.all());
    assert!(
        unknown.stderr.contains("hint: it remembers 1 to 4"),
        "{}",
        unknown.all()
    );
}

#[test]
fn a_deploy_is_shown_with_its_commit_its_locks_and_the_origins_of_its_images() {
    let case = Case::new("origins");
    project(&case);
    ok(deploy(&case, &[]));
    case.env.write(
        "windlass.yaml",
        "version: 1\nname: shop\nchart: chart\nlocks: locks\n# edited\n",
    );
    let shown = ok(case.run(&["history", "show", "1"])).stdout;
    let of = |name: &str| {
        let line = shown
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default();
        line[name.len()..].trim().to_owned()
    };
    assert!(of("by").starts_with("Ada on "), "{shown}");
    assert!(
        of("commit").ends_with(" of https://git.example.com/config.git"),
        "{shown}"
    );
    assert!(of("chart").starts_with("chart-1.0.0  sha256:"), "{shown}");
    assert!(of("lock").starts_with("locks/web.yml  sha256:"), "{shown}");
    // Columns are as wide as the name of the namespace.
    let squeezed = |text: &str| {
        let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = text.lines().map(line).collect();
        lines
            .join("\n")
            .replace(&case.namespace, "NAMESPACE")
            .replace(DIGEST, "DIGEST")
    };
    insta::assert_snapshot!(squeezed(&shown[shown.find("OP ").unwrap()..]), @"
    OP OBJECT STATE
    create Secret/login (NAMESPACE)
    create Deployment/web (NAMESPACE)

    image a.io/side@DIGEST
    its own digest

    image web:1
    deployed as a.io/web@DIGEST
    locked at locks/web.yml:4
    commit 0123456789ab-dirty of https://git.example.com/web.git, v1.2
    built by buildah, 2026-11-20T10:00:00Z, https://ci.example.com/9
    ");
    let images = ok(case.run(&["inspect", "--images"])).stdout;
    insta::assert_snapshot!(squeezed(&images), @"
    IMAGE DEPLOYED AS LOCKED BY
    a.io/side@DIGEST a.io/side@DIGEST its own digest
    web:1 a.io/web@DIGEST locks/web.yml:4
    ");
    let json = json_of(case.run(&["inspect", "--images", "--format", "json"]));
    assert_eq!(
        json["images"][1]["origins"][0]["git"]["remoteURL"],
        "https://git.example.com/web.git"
    );
    let listed = json_of(case.run(&["list", "--format", "json"]));
    assert_eq!(listed["apps"][0]["result"], "succeeded");

    ok(deploy(&case, &["--set", "notes.a=b", "-v"]));
    let second = json_of(case.run(&["history", "show", "--format", "json", "-o", "-"]));
    assert_eq!(second["revision"], 2);
    assert!(
        second["origin"]["gitCommit"]
            .as_str()
            .unwrap()
            .ends_with("-dirty")
    );
}

#[test]
fn what_no_lock_names_is_refused_unless_it_is_named_by_hand() {
    let case = Case::new("frozen");
    project(&case);
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: job}\n\
               spec: {containers: [{name: job, image: 'job:1'}]}\n";
    case.template("job.yaml", pod);
    case.env
        .write("job.yaml", &pod.replace("{name: job}", "{name: hand}"));
    let refused = deploy(&case, &[]);
    assert_eq!(
        refused.all(),
        "exit: 1\n--- stdout\n--- stderr\n\
         error: 1 image is not locked\n  job:1\n    \
         at chart/templates/job.yaml:4:40 (spec.containers[0].image)\n\
         hint: `windlass lock` locks every image; give it the same values\n"
    );
    let allowed = ok(deploy(&case, &["--frozen=false"]));
    assert!(!allowed.stderr.contains("not locked"), "{}", allowed.all());
    let told = |shown: Shown, more: &str| {
        let warning = format!("warning: 1 image is not locked{more}");
        assert!(shown.stderr.starts_with(&warning), "{}", shown.all());
    };
    let later = ", and `windlass deploy` would refuse that; `windlass lock` locks every image";
    told(ok(case.run(&["diff"])), later);
    let by_hand = "; `windlass lock job -m job.yaml` locks every image\n";
    told(ok(deploy(&case, &["job", "-m", "job.yaml"])), by_hand);
    let silent = ok(deploy(&case, &["job", "-m", "job.yaml", "--no-locks"]));
    assert!(!silent.stderr.contains("warning"), "{}", silent.all());
    assert_eq!(
        deploy(&case, &["job", "-m", "job.yaml", "--frozen"]).code,
        1
    );
}

#[test]
fn locked_images_are_verified_for_the_nodes_of_the_cluster() {
    let case = Case::new("nodes");
    let image = format!("{}:1", repository(&open(), "nodes"));
    let digest = push(&image, None);
    let (name, _) = image.rsplit_once(':').unwrap();
    case.env.write(
        "lock.yml",
        &format!(
            "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\noverrides:\n- image: web:1\n  newImage: {name}@{digest}\n  preresolved: true\n"
        ),
    );
    let verified = case.run(&["lock", "verify", "lock.yml", "--nodes", "-v"]);
    let told = ok(verified).stderr;
    assert!(
        told.contains("of linux/amd64") && told.ends_with("Verified 1 locked image.\n"),
        "{told}"
    );
}

#[test]
fn a_holder_whose_lock_was_taken_away_writes_nothing_more() {
    lab(|mut lab| async move {
        let request = lab.request("web", &[slow_hook(), config_map("after", "1")]);
        let prepared = lab.prepare(request).await.unwrap();
        let options = deploy::Options::new(jiff::Timestamp::now());
        let (cluster, app) = (connect(&lab.namespace).await, lab.app("web"));
        let taking = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let held = deploy::held(&cluster, &app).await.unwrap().unwrap();
            assert!(held.lives);
            let alice = Origin {
                who: "alice".to_owned(),
                ..Origin::default()
            };
            deploy::unlock(&cluster, &held, &alice).await.unwrap();
            assert!(deploy::held(&cluster, &app).await.unwrap().is_none());
        };
        let running = lab.run_with(&prepared, &options);
        let (report, ()) = tokio::join!(running, taking);
        let report = report.unwrap();
        let stopped = report.stopped_by.unwrap().to_string();
        assert!(
            stopped.starts_with("the lock of app `web` was lost to alice"),
            "{stopped}"
        );
        assert_eq!(report.result, DeployResult::Failed);
        assert!(lab.get("", "ConfigMap", "after").await.is_none());
        // The next run is not held up.
        lab.deploy_well("web", &[config_map("after", "1")]).await;
    });
}
