//! The program itself against a real API server: words, exit codes, and what is in the cluster after.

use super::folder::{Shown, TestEnv};
use super::support::json_patch;
use serde_json::json;
use std::sync::atomic::{AtomicU32, Ordering};

/// A secret value that must never be printed.
const CANARY: &str = "canary-5f0c2b9e71";

/// One test's namespace and folder; the namespace is removed at the end.
pub(crate) struct Case {
    pub(crate) env: TestEnv,
    pub(crate) namespace: String,
    kubeconfig: String,
}

impl Case {
    pub(crate) fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("program-{name}-{}-{number}", std::process::id());
        let case = Self {
            env: TestEnv::new(),
            namespace,
            kubeconfig: kubeconfig(),
        };
        case.env.write(
            "chart/Chart.yaml",
            "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
        );
        case
    }

    /// Writes a template of the chart.
    pub(crate) fn template(&self, name: &str, text: &str) -> &Self {
        self.env.write(&format!("chart/templates/{name}"), text);
        self
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Shown {
        let mut all = arguments.to_vec();
        all.extend(["-n", &self.namespace]);
        let shown = self.env.run_with(&all, &[("KUBECONFIG", &self.kubeconfig)]);
        let printed = format!("{}{}", shown.stdout, shown.stderr);
        assert!(
            !printed.contains(CANARY),
            "a secret was printed:\n{printed}"
        );
        shown
    }

    pub(crate) fn deploy(&self, extra: &[&str]) -> Shown {
        let mut arguments = vec![
            "deploy",
            "shop",
            "chart",
            "--yes",
            "--create-namespace",
            "--wait-timeout",
            "60s",
        ];
        arguments.extend(extra);
        self.run(&arguments)
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        self.env.write(
            "namespace.yaml",
            &format!(
                "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {}}}\n",
                self.namespace
            ),
        );
        drop(self.env.run_with(
            &[
                "delete",
                "shop",
                "--yes",
                "--wait=false",
                "-n",
                &self.namespace,
            ],
            &[("KUBECONFIG", &self.kubeconfig)],
        ));
    }
}

fn kubeconfig() -> String {
    std::env::var("WINDLASS_TEST_KUBECONFIG")
        .expect("WINDLASS_TEST_KUBECONFIG names a cluster: run `make cluster`")
}

fn ok(shown: &Shown) -> &Shown {
    assert_eq!(shown.code, 0, "{}", shown.all());
    shown
}

const CONFIG: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: {{ .Values.color | default \"blue\" }}}
";

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web{{ with .Values.extra }}, {{ . }}{{ end }}}
    spec:
      containers:
        - {name: web, image: registry.example.com/web:1}
";

#[test]
fn a_deploy_creates_and_the_next_one_writes_nothing() {
    let case = Case::new("noop");
    case.template("config.yaml", CONFIG)
        .template("web.yaml", DEPLOYMENT);
    let first = case.deploy(&[]);
    assert!(
        ok(&first).stderr.contains("created  ConfigMap/settings"),
        "{}",
        first.all()
    );
    let second = case.deploy(&[]);
    assert!(
        ok(&second).stderr.contains("No changes"),
        "{}",
        second.all()
    );
}

#[test]
fn a_change_is_shown_applied_and_then_gone_from_the_diff() {
    let case = Case::new("change");
    case.template("config.yaml", CONFIG);
    ok(&case.deploy(&[]));
    let green = ["--set", "color=green"];
    let diff = || case.run(&[&["diff", "shop", "chart", "--exit-code"], &green[..]].concat());
    let pending = diff();
    assert_eq!(pending.code, 3, "{}", pending.all());
    for line in ["-   color: blue", "+   color: green"] {
        assert!(pending.stdout.contains(line), "{}", pending.all());
    }
    ok(&case.deploy(&green));
    ok(&diff());
}

#[test]
fn what_is_in_the_way_of_a_change_is_told_below_the_whole_diff() {
    const SET: &str = "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: {{ .Values.replicas | default 0 }}
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: example.com/db}]}
";
    let case = Case::new("obstacle");
    case.template("config.yaml", CONFIG)
        .template("db.yaml", SET);
    ok(&case.deploy(&[]));
    let change = ["--set", "color=green,replicas=-1"];
    let diff = case.run(&["diff", "shop", "chart", change[0], change[1]]);
    for shown in [diff, case.deploy(&change)] {
        assert_eq!(shown.code, 1, "{}", shown.all());
        for text in [
            "2 to update",
            "refuses it",
            "+   color: green",
            "replicas: -1",
        ] {
            assert!(shown.stdout.contains(text), "{}", shown.all());
        }
        let error = "must be greater than or equal to 0";
        assert!(shown.stderr.contains(error), "{}", shown.all());
    }
    // Nothing was written.
    let diff = case.run(&["diff", "shop", "chart", "--format", "summary"]);
    assert_eq!(diff.stdout, "2 unchanged\n", "{}", diff.all());
}

#[test]
fn what_is_no_longer_rendered_is_pruned_and_delete_leaves_nothing() {
    let case = Case::new("prune");
    case.template("config.yaml", CONFIG)
        .template("second.yaml", "{{ if not .Values.less }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: second}\n{{ end }}");
    ok(&case.deploy(&[]));
    let pruned = case.deploy(&["--set", "less=true"]);
    assert!(
        ok(&pruned).stderr.contains("deleted  ConfigMap/second"),
        "{}",
        pruned.all()
    );
    let inspected = case.run(&["inspect", "shop"]);
    assert!(
        ok(&inspected).stdout.contains("ConfigMap/settings"),
        "{}",
        inspected.all()
    );
    assert!(!inspected.stdout.contains("second"), "{}", inspected.all());
    ok(&case.run(&["delete", "shop", "--yes"]));
    let listed = case.run(&["list"]);
    assert!(!ok(&listed).stdout.contains("shop"), "{}", listed.all());
    let again = case.run(&["delete", "shop", "--yes"]);
    assert_eq!(again.code, 1, "{}", again.all());
    let again = case.run(&["delete", "shop", "--yes", "--ignore-not-found"]);
    assert!(
        ok(&again).stderr.contains("App shop is not deployed"),
        "{}",
        again.all()
    );
}

#[test]
fn a_deployment_that_cannot_start_ends_with_exit_6_and_its_cause() {
    let case = Case::new("failing");
    case.template("web.yaml", DEPLOYMENT);
    let failed = case.deploy(&["--set", "extra=windlass.test/image-pull: fail"]);
    assert_eq!(failed.code, 6, "{}", failed.all());
    assert!(failed.stderr.contains("Deployment/web"), "{}", failed.all());
    assert!(failed.stderr.contains("ImagePull"), "{}", failed.all());
}

#[test]
fn the_tree_of_an_app_shows_what_was_made_of_its_objects() {
    let case = Case::new("tree");
    case.template("config.yaml", CONFIG)
        .template("web.yaml", DEPLOYMENT);
    ok(&case.deploy(&[]));
    // What is left of the first revision is not shown.
    ok(&case.deploy(&["--set", "extra=new: label"]));
    let tree = case.run(&["inspect", "shop", "--tree"]);
    let objects: Vec<&str> = ok(&tree)
        .stdout
        .lines()
        .skip(1)
        .filter(|line| !line.contains("Terminating"))
        .map(|line| line[case.namespace.len()..].trim_start())
        .collect();
    let begin = [
        "ConfigMap/settings",
        "Deployment/web",
        "└ ReplicaSet/web-",
        "  └ Pod/web-",
    ];
    assert_eq!(objects.len(), begin.len(), "{}", tree.all());
    for (line, begin) in objects.iter().zip(begin) {
        assert!(line.starts_with(begin.trim_start()), "{}", tree.all());
    }
    let document = case.run(&["inspect", "shop", "--tree", "--format", "json"]);
    assert!(
        ok(&document).stdout.contains("\"owner\""),
        "{}",
        document.all()
    );
}

#[test]
fn claims_stand_below_the_set_that_made_them() {
    let case = Case::new("claims");
    let set = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec:\n  serviceName: db\n  \
        selector: {matchLabels: {app: db}}\n  template:\n    metadata: {labels: {app: db}}\n    \
        spec: {containers: [{name: db, image: registry.example.com/db:1}]}\n  volumeClaimTemplates:\n    \
        - metadata: {name: data}\n      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n";
    case.template("db.yaml", set);
    ok(&case.deploy(&[]));
    let tree = case.run(&["inspect", "shop", "--tree"]);
    let lines: Vec<&str> = ok(&tree).stdout.lines().skip(1).collect();
    let objects: Vec<&str> = lines
        .iter()
        .map(|line| line[case.namespace.len()..].trim_start())
        .map(|line| line.split("  ").next().unwrap_or_default())
        .collect();
    let expected = [
        "StatefulSet/db",
        "└ PersistentVolumeClaim/data-db-0",
        "└ Pod/db-0",
    ];
    assert_eq!(objects, expected, "{}", tree.all());
}

#[test]
fn hooks_that_run_again_and_what_the_server_was_not_asked_about_are_told() {
    let case = Case::new("again");
    let hook = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, annotations: {helm.sh/hook: \
        'pre-install,pre-upgrade'}}\nspec: {template: {spec: {restartPolicy: Never, containers: \
        [{name: m, image: registry.example.com/m:1}]}}}\n";
    case.template("config.yaml", CONFIG)
        .template("migrate.yaml", hook);
    let diff = |extra: &[&str]| {
        let mut arguments = vec!["diff", "shop", "chart", "--create-namespace"];
        arguments.extend(extra);
        ok(&case.run(&arguments)).stdout.clone()
    };
    let first = diff(&[]);
    let untried = "not tried on the server: 2 objects (namespace does not exist yet)";
    assert!(first.starts_with("1 to create, 1 hook to run\n"), "{first}");
    assert!(first.contains(untried), "{first}");
    assert!(diff(&["--format", "markdown"]).contains("Not tried on the server: 2 objects"));
    let json: serde_json::Value =
        serde_json::from_str(&diff(&["--format", "json"])).expect("a document");
    assert_eq!(
        json["changes"][0]["untried"],
        "namespace does not exist yet"
    );

    let deployed = case.deploy(&["--explain", "ConfigMap/settings"]);
    assert!(
        ok(&deployed).stdout.contains("after Job/migrate"),
        "{}",
        deployed.all()
    );
    let second = diff(&["--set", "color=red"]);
    let sum = "1 to update, 1 hook to run\n";
    assert!(second.starts_with(sum), "{second}");
    assert!(second.contains("» run     Job/migrate"), "{second}");
    let json = diff(&["--set", "color=red", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("a document");
    assert_eq!(
        (&json["summary"]["replace"], &json["summary"]["hooks"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(json["changes"][0]["hook"], true, "{json:#}");

    ok(&case.deploy(&["--set", "color=red"]));
    let history = case.run(&["history", "shop", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&ok(&history).stdout).expect("a document");
    let told = |number: usize| json["deploys"][number]["summary"].clone();
    assert_eq!([told(0), told(1)], ["1 create, 1 hook", "1 update, 1 hook"]);
    let show = case.run(&["history", "show", "2", "shop"]);
    assert!(
        ok(&show).stdout.contains("run     Job/migrate"),
        "{}",
        show.all()
    );
}

#[test]
fn secrets_are_in_no_output() {
    let case = Case::new("secret");
    case.template(
        "secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\nstringData: {password: {{ .Values.password }}}\n",
    );
    let value = format!("password={CANARY}");
    let other = format!("password={CANARY}-changed");
    for format in ["text", "json", "markdown", "summary"] {
        ok(&case.run(&[
            "diff",
            "shop",
            "chart",
            "--create-namespace",
            "--set",
            &value,
            "--format",
            format,
        ]));
    }
    ok(&case.deploy(&["--set", &value, "-vv", "--log-format", "json"]));
    let diff = case.run(&["diff", "shop", "chart", "--set", &other, "-vv"]);
    assert!(ok(&diff).stdout.contains("<masked "), "{}", diff.all());
    ok(&case.deploy(&["--set", &other, "--log-format", "github"]));
    ok(&case.run(&["inspect", "shop", "-v"]));
    ok(&case.run(&["delete", "shop", "--yes", "-vv"]));
}

#[test]
fn a_wrong_field_is_named_with_its_template() {
    let case = Case::new("field");
    case.template("config.yaml", CONFIG);
    ok(&case.deploy(&[]));
    case.template("config.yaml", &CONFIG.replace("\ndata:", "\ndta:"));
    let failed = case.deploy(&[]);
    assert_eq!(failed.code, 1, "{}", failed.all());
    assert!(
        failed.stderr.contains("ConfigMap/settings"),
        "{}",
        failed.all()
    );
    assert!(failed.stderr.contains(".dta"), "{}", failed.all());
    assert!(
        failed.stderr.contains("chart/templates/config.yaml"),
        "{}",
        failed.all()
    );
}

#[test]
fn an_unknown_kind_is_named_with_its_template() {
    let case = Case::new("kind");
    case.template(
        "odd.yaml",
        "apiVersion: example.com/v1\nkind: Odd\nmetadata: {name: odd}\n",
    );
    let failed = case.deploy(&[]);
    assert_eq!(failed.code, 1, "{}", failed.all());
    assert!(failed.stderr.contains("example.com/v1"), "{}", failed.all());
    assert!(
        failed.stderr.contains("chart/templates/odd.yaml"),
        "{}",
        failed.all()
    );
}

#[test]
fn an_app_that_would_become_empty_is_not_emptied_by_accident() {
    let case = Case::new("empty");
    case.env.write("none.yaml", "# nothing\n");
    let none = case.run(&[
        "deploy",
        "shop",
        "-m",
        "none.yaml",
        "--yes",
        "--create-namespace",
    ]);
    assert_eq!(none.code, 7, "{}", none.all());
    assert!(
        none.stderr.contains("nothing was rendered\n"),
        "{}",
        none.all()
    );
    case.template(
        "config.yaml",
        &format!("{{{{ if not .Values.off }}}}\n{CONFIG}\n{{{{ end }}}}"),
    );
    ok(&case.deploy(&[]));
    let refused = case.deploy(&["--set", "off=true"]);
    assert_eq!(refused.code, 7, "{}", refused.all());
    assert!(
        refused.stderr.contains("--allow-empty"),
        "{}",
        refused.all()
    );
    ok(&case.run(&["inspect", "shop"]));
}

#[test]
fn a_prune_beyond_the_limit_stops_for_safety() {
    let case = Case::new("limit");
    case.template("config.yaml", CONFIG).template(
        "more.yaml",
        "{{ if not .Values.less }}\n{{ range until 3 }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: more-{{ . }}}\n{{ end }}\n{{ end }}",
    );
    ok(&case.deploy(&[]));
    let refused = case.deploy(&["--set", "less=true", "--max-prune", "2"]);
    assert_eq!(refused.code, 7, "{}", refused.all());
    ok(&case.deploy(&["--set", "less=true", "--max-prune", "75%"]));
}

#[test]
fn the_order_is_explained_on_request() {
    let case = Case::new("explain");
    case.template("config.yaml", CONFIG)
        .template("web.yaml", DEPLOYMENT);
    let explained = case.deploy(&["--explain"]);
    let printed = format!("{}{}", ok(&explained).stdout, explained.stderr);
    assert!(printed.contains("ConfigMap"), "{}", explained.all());
    let one = case.deploy(&["--explain=deployment/web", "--dry-run"]);
    let printed = &ok(&one).stdout;
    assert!(printed.contains("after ConfigMap/"), "{}", one.all());
    let wrong = case.deploy(&["--explain=Deploymnt/web", "--dry-run"]);
    assert_eq!(wrong.code, 2, "{}", wrong.all());
    assert!(wrong.stderr.contains("did you mean"), "{}", wrong.all());
}

#[test]
fn without_an_answer_nothing_is_written() {
    let case = Case::new("confirm");
    case.template("config.yaml", CONFIG);
    let refused = case.run(&["deploy", "shop", "chart", "--create-namespace"]);
    assert_eq!(refused.code, 2, "{}", refused.all());
    assert!(refused.stderr.contains("--yes"), "{}", refused.all());
}

#[test]
fn a_missing_namespace_is_an_error_with_a_way_out() {
    let case = Case::new("namespace");
    case.template("config.yaml", CONFIG);
    let failed = case.run(&["deploy", "shop", "chart", "--yes"]);
    assert_ne!(failed.code, 0, "{}", failed.all());
    assert!(
        failed.stderr.contains("--create-namespace"),
        "{}",
        failed.all()
    );
}

#[test]
fn manifests_come_in_from_a_file_as_well() {
    let case = Case::new("manifests");
    case.env.write(
        "all.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {a: b}\n",
    );
    ok(&case.run(&[
        "deploy",
        "shop",
        "-m",
        "all.yaml",
        "--yes",
        "--create-namespace",
    ]));
    let inspected = case.run(&["inspect", "shop"]);
    assert!(
        ok(&inspected).stdout.contains("ConfigMap/plain"),
        "{}",
        inspected.all()
    );
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let case = Case::new("down");
    case.template("config.yaml", CONFIG);
    case.env.write(
        "kubeconfig",
        "apiVersion: v1\nkind: Config\ncurrent-context: down\ncontexts:\n- {name: down, context: {cluster: down, user: down}}\nclusters:\n- {name: down, cluster: {server: \"https://127.0.0.1:1\"}}\nusers:\n- {name: down, user: {token: x}}\n",
    );
    let failed = case.run(&["diff", "shop", "chart", "--kubeconfig", "kubeconfig"]);
    assert_eq!(failed.code, 1, "{}", failed.all());
    assert!(failed.stderr.contains("127.0.0.1:1"), "{}", failed.all());
    let unknown = case.run(&[
        "diff",
        "shop",
        "chart",
        "--kubeconfig",
        "kubeconfig",
        "--context",
        "up",
    ]);
    assert_eq!(unknown.code, 2, "{}", unknown.all());
    assert!(
        unknown.stderr.contains("down"),
        "the known contexts are listed: {}",
        unknown.all()
    );
    let missing = case.run(&["diff", "shop", "chart", "--kubeconfig", "nowhere"]);
    assert_eq!(missing.code, 2, "{}", missing.all());
    assert!(missing.stderr.contains("nowhere"), "{}", missing.all());
}

#[test]
fn a_mask_of_the_folder_hides_what_drifted_without_the_project() {
    let case = Case::new("drift-mask");
    case.template(
        "conf.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\ndata: {token: a}\n",
    );
    ok(&case.deploy(&[]));
    let path = format!(
        "/api/v1/namespaces/{}/configmaps/conf?fieldManager=edit",
        case.namespace
    );
    // Times are kept to the second.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let patch = json!([{"op": "replace", "path": "/data/token", "value": CANARY}]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(json_patch(path, &patch));
    case.env.write(
        "windlass.yaml",
        "version: 1\nmask: [ConfigMap:data.token]\n",
    );
    let drift = case.run(&["drift", "shop"]);
    assert!(
        ok(&drift).stdout.contains("data.token: ? → \"<masked "),
        "{}",
        drift.all()
    );
}

#[test]
fn what_the_server_put_into_lists_is_not_shown_as_removed() {
    let case = Case::new("guess");
    case.template(
        "db.yaml",
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec:\n  serviceName: {{ .Values.service | default \"db\" }}\n  \
         selector: {matchLabels: {app: db}}\n  template:\n    metadata: {labels: {app: db}}\n    spec:\n      \
         containers: [{name: db, image: example.com/db, ports: [{containerPort: 80}]}]\n  volumeClaimTemplates:\n  \
         - metadata: {name: data}\n    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fixed, annotations: {kapp.k14s.io/update-strategy: skip}}\n\
         immutable: true\ndata: {a: {{ .Values.service | default \"db\" }}}\n",
    );
    ok(&case.deploy(&["--wait=false"]));
    let diff = case.run(&["diff", "shop", "chart", "--set", "service=db2"]);
    let changed: Vec<_> = ok(&diff)
        .stdout
        .lines()
        .filter(|line| line.starts_with("  - ") || line.starts_with("  + "))
        .collect();
    assert_eq!(
        changed,
        ["  -   serviceName: db", "  +   serviceName: db2"],
        "{}",
        diff.all()
    );
    assert!(diff.stdout.contains("not asked of the server"));
    // Nothing is done to it: that the server would refuse it is no obstacle.
    assert!(
        diff.stderr.contains("ConfigMap/fixed") && diff.stderr.contains("data.a db → db2"),
        "{}",
        diff.all()
    );
}

#[test]
fn the_last_event_is_the_end_of_the_run_however_it_ends() {
    let case = Case::new("ends");
    case.template("config.yaml", CONFIG);
    let ends = |arguments: &[&str], exit: i32, result: &str| {
        let shown = case.run(&[arguments, &["--log-format", "json"]].concat());
        assert_eq!(shown.code, exit, "{}", shown.all());
        let last = shown.stdout.lines().last().unwrap_or_default();
        let event: serde_json::Value = serde_json::from_str(last).unwrap();
        assert_eq!(event["type"], "finished", "{last}");
        assert_eq!(event["result"], result, "{last}");
        assert_eq!(event["exitCode"], exit, "{last}");
        event["message"].as_str().unwrap().to_owned()
    };
    let deploy = ["deploy", "shop", "chart", "--create-namespace"];
    let missing = ends(&["deploy", "shop", "nowhere", "--yes"], 2, "failed");
    assert!(
        missing.contains("chart nowhere does not exist\nhint: "),
        "{missing}"
    );
    let nobody = ends(&deploy, 2, "failed");
    assert!(nobody.contains("nobody is here to confirm"), "{nobody}");
    ends(&[&deploy[..], &["--dry-run"]].concat(), 0, "planned");
    ends(&[&deploy[..], &["--yes"]].concat(), 0, "succeeded");
    ends(&["delete", "other", "--yes"], 1, "failed");
    ends(
        &["delete", "other", "--yes", "--ignore-not-found"],
        0,
        "unchanged",
    );
}

#[test]
fn hooks_of_manifest_files_are_left_out_on_request() {
    let case = Case::new("no-hooks");
    let hook = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}\n";
    let main = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: main}\n";
    case.env.write("all.yaml", &format!("{hook}---\n{main}"));
    let arguments = [
        "deploy",
        "shop",
        "-m",
        "all.yaml",
        "--yes",
        "--create-namespace",
    ];
    let deployed = case.run(&[&arguments[..], &["--no-hooks"]].concat());
    assert!(ok(&deployed).stderr.contains("created  ConfigMap/main"));
    assert!(!deployed.all().contains("hook ("), "{}", deployed.all());
    let diff = case.run(&["diff", "shop", "-m", "all.yaml", "--no-hooks"]);
    assert!(
        !ok(&diff).stdout.contains("ConfigMap/hook"),
        "{}",
        diff.all()
    );
}
