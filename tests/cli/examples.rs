//! The examples of `examples/README.md`: each is named there, and each is run.

use super::support::TestEnv;

fn examples() -> TestEnv {
    let env = TestEnv::new();
    env.copy("examples", "examples");
    env
}

#[test]
fn every_example_is_in_the_table_and_every_command_of_the_table_is_run_here() {
    let table = examples().read("examples/README.md");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            name == "README.md" || table.contains(&name),
            "{name} is in no row"
        );
    }
    let here = include_str!("examples.rs");
    let commands = table
        .split('`')
        .filter_map(|text| text.strip_prefix("windlass "));
    for command in commands {
        assert!(
            here.contains(&format!("\"{command}\"")),
            "`{command}` is not run"
        );
    }
}

fn run(command: &str) -> String {
    let arguments: Vec<&str> = command.split(' ').collect();
    examples().run(&arguments).all()
}

#[test]
fn a_chart_is_rendered_with_its_image_locked() {
    let shown = run("render hello examples/hello-chart --locks examples/hello-chart.lock.yml");
    insta::assert_snapshot!(shown, @r#"
    exit: 0
    --- stdout
    ---
    # Source: hello-chart/templates/deployment.yaml
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: hello
    spec:
      replicas: 1
      selector:
        matchLabels: {app: hello}
      template:
        metadata:
          labels: {app: hello}
        spec:
          containers:
            - name: hello
              image: registry.example.com/hello@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08   # the lock replaces only this value
              env:
                - {name: GREETING, value: "Hello"}
    --- stderr
    "#);
}

#[test]
fn plain_manifests_are_deployed() {
    // Without a cluster it ends at the first question to one.
    insta::assert_snapshot!(run("deploy plain -m examples/manifests"), @"
    exit: 2
    --- stdout
    --- stderr
    error: no kubeconfig: the file of KUBECONFIG or ~/.kube/config does not exist, and this is not a pod of a cluster
    hint: name one: `--kubeconfig FILE` or KUBECONFIG
    ");
}

#[test]
fn two_files_are_compared_without_a_cluster() {
    let env = examples();
    let changed =
        env.read("examples/manifests/config.yaml")
            .replacen("\ndata:", "\ndata:\n  added: x", 1);
    env.write("after.yaml", &changed);
    let shown = env.run(&[
        "diff",
        "--files",
        "examples/manifests/config.yaml",
        "after.yaml",
    ]);
    insta::assert_snapshot!(shown.all(), @"
    exit: 0
    --- stdout
    1 to update, 1 unchanged

    ~ update  ConfigMap/plain-settings  data.added

    ~ update ConfigMap/plain-settings  after.yaml:1
      … 2 equal lines
      @ data
        metadata:
          name: plain-settings
        data:
      +   added: x
          color: blue
    --- stderr
    ");
}
