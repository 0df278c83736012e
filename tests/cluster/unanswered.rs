//! An APIService of the cluster whose server does not answer. It changes what every client of the cluster
//! sees, so that this test runs in a testbed of its own.

use super::program::Case;
use super::support::{apply, client, connect, json_patch, reference, remove};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Set in the process that has a testbed of its own.
const OWN: &str = "WINDLASS_TEST_OWN";
const TEST: &str = "unanswered::a_group_that_does_not_answer_is_named_and_stops_only_what_needs_it";

#[test]
fn a_group_that_does_not_answer_is_named_and_stops_only_what_needs_it() {
    if std::env::var_os(OWN).is_some() {
        return course();
    }
    if std::env::var_os("WINDLASS_TEST_DIR").is_none() {
        // The tests use a cluster that is not a testbed: there may be none to start.
        return;
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testbed/testbed");
    let test = std::env::current_exe().expect("the program of this test");
    let mut command = Command::new(program);
    command
        .args(["run", "--"])
        .arg(test)
        .args(["--exact", TEST, "--nocapture"])
        .env(OWN, "1");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text == "KUBECONFIG" || (text.starts_with("WINDLASS_TEST_") && text != OWN) {
            command.env_remove(name);
        }
    }
    let output = command.output().expect("the testbed starts");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}{err}");
    assert!(out.contains("1 passed"), "{out}{err}");
}

const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n";
const WIDGET: &str = "apiVersion: silent.example.com/v1\nkind: Widget\nmetadata: {name: one}\n";
const PATH: &str = "/apis/apiregistration.k8s.io/v1/apiservices/v1.silent.example.com";
const MANAGED: &str = "/metadata/labels/kube-aggregator.kubernetes.io~1automanaged";
const SERVICE: &str = "APIService/v1.silent.example.com: MissingEndpoints";

fn course() {
    let case = Case::new("unanswered");
    case.template("config.yaml", CONFIG).template(
        "own.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: {{ .Release.Namespace }}-own}\n",
    );
    expect(
        &case,
        &["deploy", "shop", "chart", "--yes", "--create-namespace"],
        0,
        &[],
    );
    case.env.write("crd.yaml", &definition());
    case.env.write("widget.yaml", WIDGET);
    expect(
        &case,
        &["deploy", "kinds", "-m", "crd.yaml", "--yes"],
        0,
        &[],
    );
    expect(
        &case,
        &["deploy", "widgets", "-m", "widget.yaml", "--yes"],
        0,
        &[],
    );
    block_on(silence());

    // What does not need the group is deployed, and it is said what is not seen.
    let warning = "warning: the server of API group `silent.example.com` does not answer";
    let changed = ["deploy", "shop", "chart", "--yes", "--set", "x=1"];
    expect(&case, &changed, 0, &[warning, SERVICE, "No changes"]);
    case.template(
        "more.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n",
    );
    expect(&case, &changed, 0, &[warning, "created  ConfigMap/more"]);

    // What is of the group is refused: desired objects with their place, members by their kind.
    case.template("widget.yaml", WIDGET);
    let place = "chart/templates/widget.yaml:1: Widget.silent.example.com/one";
    for command in ["diff", "deploy"] {
        let arguments = [command, "shop", "chart"];
        expect(
            &case,
            &arguments,
            7,
            &[place, SERVICE, "kubectl get apiservices"],
        );
    }
    let widget = case.env.path().join("chart/templates/widget.yaml");
    std::fs::remove_file(widget).expect("the template is there");
    for arguments in [&["inspect", "widgets"][..], &["delete", "widgets", "--yes"]] {
        expect(
            &case,
            arguments,
            7,
            &[SERVICE, "objects of kind Widget cannot be listed"],
        );
    }

    // A namespace stays as long as the server cannot list all that may be in it.
    let delete = ["delete", "shop", "--yes", "--wait-timeout", "15s"];
    let stuck = expect(&case, &delete, 6, &["Namespace/", "not gone after"]);
    assert!(stuck.contains(&format!("\n  {SERVICE}")), "{stuck}");

    block_on(mend());
    expect(&case, &["delete", "shop", "--yes"], 0, &[]);
    expect(&case, &["delete", "widgets", "--yes"], 0, &[]);
    expect(
        &case,
        &["delete", "kinds", "--yes", "--allow-delete", "all"],
        0,
        &[],
    );
}

/// Runs the program, and gives what it printed.
fn expect(case: &Case, arguments: &[&str], code: i32, parts: &[&str]) -> String {
    let shown = case.run(arguments);
    let all = shown.all();
    assert_eq!(shown.code, code, "{arguments:?}\n{all}");
    for part in parts {
        assert!(all.contains(part), "{arguments:?} lacks `{part}`\n{all}");
    }
    all
}

fn definition() -> String {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.silent.example.com"},
        "spec": {"group": "silent.example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}}}]}})
    .to_string()
}

/// Lets a Service without pods answer for the group, in place of the server itself.
async fn silence() {
    let cluster = connect("default").await;
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "nobody", "namespace": "default"},
        "spec": {"selector": {"app": "nobody"}, "ports": [{"port": 443}]}});
    apply(&cluster, service).await;
    json_patch(
        PATH.to_owned(),
        &json!([
            {"op": "remove", "path": MANAGED},
            {"op": "add", "path": "/spec/insecureSkipTLSVerify", "value": true},
            {"op": "add", "path": "/spec/service", "value": {"name": "nobody", "namespace": "default", "port": 443}}]),
    )
    .await;
    until("the group is told to be stale", |groups| {
        groups.contains("\"Stale\"")
    })
    .await;
}

/// Gives the group back to the server, which registers what its definitions serve.
async fn mend() {
    let cluster = connect("default").await;
    let service = "v1.silent.example.com";
    let service = reference("apiregistration.k8s.io", "APIService", None, service);
    remove(&cluster, &service).await;
    until("the group is served again", |groups| {
        groups.contains("\"Widget\"") && !groups.contains("\"Stale\"")
    })
    .await;
}

/// Waits until what the server tells of its groups is as it should be.
async fn until(what: &str, is_so: impl Fn(&str) -> bool) {
    let begun = Instant::now();
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    loop {
        let request = http::Request::get("/apis").header("accept", accept);
        let request = request.body(Vec::new()).expect("a request");
        let groups = client().await.request_text(request).await;
        if groups.is_ok_and(|groups| is_so(&groups)) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn block_on(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(work);
}
