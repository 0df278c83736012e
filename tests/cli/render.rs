//! `windlass render`: what it is given, what it prints, where it writes.

use super::support::{Shown, TestEnv};

const LOCK: &str = "\
apiVersion: kbld.k14s.io/v1alpha1
kind: Config
overrides:
- image: web:1
  newImage: registry.example.com/web@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  preresolved: true
";

/// A project of one chart, whose template prints what it sees.
fn project() -> TestEnv {
    let env = TestEnv::new();
    env.write(
        "windlass.yaml",
        "version: 1\nname: shop\nnamespace: shop\nchart: chart\nvalues: [values.yaml]\n\
         environments:\n  staging: {branch: main, namespace: shop-staging, values: staging.yaml}\n",
    );
    env.write("values.yaml", "size: 2\nnote: of the project\n");
    env.write("staging.yaml", "size: 3\n");
    env.write(
        "chart/Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    );
    env.write(
        "chart/values.yaml",
        "size: 1\nnote: of the chart\nlist: [a, b]\n",
    );
    env.write(
        "chart/templates/seen.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n  \
         namespace: {{ .Release.Namespace }}\ndata:\n  size: {{ .Values.size | quote }}\n  \
         note: {{ .Values.note | quote }}\n  list: {{ .Values.list | toJson | quote }}\n",
    );
    env
}

/// A chart with one container, whose image stands between comments and odd spaces.
fn pod() -> TestEnv {
    let env = TestEnv::new();
    env.write(
        "chart/Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    );
    env.write(
        "chart/templates/pod.yaml",
        "apiVersion: v1\nkind:   Pod # one\nmetadata: {name: web}\nspec:\n  containers:\n  \
         - {image:  \"web:1\" , name: web} # two\n",
    );
    env.write("web.lock.yml", LOCK);
    env
}

fn prints(shown: &Shown, lines: &[&str]) {
    assert_eq!(shown.code, 0, "{}", shown.all());
    for line in lines {
        assert!(
            shown.stdout.lines().any(|printed| printed.trim() == *line),
            "no line `{line}` in\n{}",
            shown.all()
        );
    }
}

#[test]
fn the_project_file_makes_flags_unnecessary() {
    insta::assert_snapshot!(project().run(&["render"]).all(), @r#"
    exit: 0
    --- stdout
    ---
    # Source: web/templates/seen.yaml
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: shop
      namespace: shop
    data:
      size: "2"
      note: "of the project"
      list: "[\"a\",\"b\"]"
    --- stderr
    "#);
}

#[test]
fn an_environment_is_chosen_by_flag_by_variable_or_by_the_branch_of_the_ci_job() {
    let env = project();
    let staging = [
        "namespace: shop-staging",
        "size: \"3\"",
        "note: \"of the project\"",
    ];
    prints(&env.run(&["render", "-e", "staging"]), &staging);
    prints(
        &env.run_with(&["render"], &[("WINDLASS_ENV", "staging")]),
        &staging,
    );
    prints(
        &env.run_with(&["render"], &[("CI_COMMIT_BRANCH", "main")]),
        &staging,
    );
    let other = env.run_with(&["render"], &[("CI_COMMIT_BRANCH", "feature")]);
    prints(&other, &["namespace: shop", "size: \"2\""]);
}

#[test]
fn an_environment_is_chosen_by_the_branch_that_is_checked_out() {
    let env = project();
    env.write(".git/HEAD", "ref: refs/heads/main\n");
    env.write(".git/config", "[core]\n\trepositoryformatversion = 0\n");
    env.write(".git/objects/keep", "")
        .write(".git/refs/keep", "");
    prints(&env.run(&["render"]), &["namespace: shop-staging"]);
}

#[test]
fn a_flag_wins_over_a_variable_and_that_over_the_project_file() {
    let env = project();
    let variable = [("WINDLASS_NAMESPACE", "from-variable")];
    prints(
        &env.run_with(&["render", "-e", "staging"], &variable),
        &["namespace: from-variable"],
    );
    prints(
        &env.run_with(&["render", "-n", "from-flag"], &variable),
        &["namespace: from-flag"],
    );
}

#[test]
fn of_a_flag_given_twice_the_last_counts() {
    let env = project();
    prints(
        &env.run(&["render", "--namespace", "one", "-n", "two"]),
        &["namespace: two"],
    );
}

#[test]
fn values_of_flags_come_after_those_of_the_project() {
    let env = project();
    env.write("more.yaml", "size: 5\nlist: [c]\n")
        .write("note.txt", "from a file");
    let shown = env.run(&[
        "render",
        "-f",
        "more.yaml",
        "--set",
        "size=6,list[0]=d",
        "--set-string",
        "size=07",
    ]);
    prints(&shown, &["size: \"07\"", "list: \"[\\\"d\\\"]\""]);
    let shown = env.run(&[
        "render",
        "--set-json",
        "list=[1,2]",
        "--set-file",
        "note=note.txt",
        "--set-literal",
        "size=a,b=c",
    ]);
    prints(
        &shown,
        &[
            "size: \"a,b=c\"",
            "note: \"from a file\"",
            "list: \"[1,2]\"",
        ],
    );
}

#[test]
fn values_files_may_be_separated_by_commas() {
    let env = project();
    env.write("first.yaml", "size: 5\nnote: first\n")
        .write("second.yaml", "size: 6\n");
    let shown = env.run(&["render", "-f", "first.yaml,second.yaml"]);
    prints(&shown, &["size: \"6\"", "note: \"first\""]);
}

#[test]
fn values_are_read_from_stdin() {
    let env = project();
    let shown = env.run_input(&["render", "-f", "-"], "size: 9\n");
    prints(&shown, &["size: \"9\""]);
}

#[test]
fn a_chart_that_is_named_stands_without_the_values_of_the_project() {
    let shown = project().run(&["render", "other", "chart"]);
    prints(
        &shown,
        &["name: other", "size: \"1\"", "note: \"of the chart\""],
    );
}

#[test]
fn the_app_may_be_named_by_a_flag_or_by_a_template() {
    let env = project();
    prints(&env.run(&["render", "-a", "named"]), &["name: named"]);
    let template = "{{ \"NAMED\" | lower }}-x";
    prints(
        &env.run(&["render", "--name-template", template]),
        &["name: named-x", "size: \"2\""],
    );
    prints(
        &env.run(&["render", "--name-template", template, "chart"]),
        &["name: named-x", "size: \"1\""],
    );
    prints(
        &env.run(&["render", "-g", "chart"]),
        &["name: release-name", "size: \"1\""],
    );
    let twice = env.run(&["render", "web", "chart", "--generate-name"]);
    assert_eq!(twice.code, 2);
    assert!(
        twice
            .stderr
            .contains("`--generate-name` names the app, and a name is given too")
    );
}

#[test]
fn a_lock_changes_the_image_and_no_other_byte() {
    let env = pod();
    let plain = env.run(&["render", "web", "chart"]);
    let locked = env.run(&[
        "render",
        "web",
        "chart",
        "--locks",
        "web.lock.yml",
        "--frozen",
    ]);
    insta::assert_snapshot!(locked.all(), @r#"
    exit: 0
    --- stdout
    ---
    # Source: web/templates/pod.yaml
    apiVersion: v1
    kind:   Pod # one
    metadata: {name: web}
    spec:
      containers:
      - {image:  "registry.example.com/web@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" , name: web} # two
    --- stderr
    "#);
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let image = format!("registry.example.com/web@sha256:{digest}");
    assert_eq!(locked.stdout, plain.stdout.replace("web:1", &image));
}

#[test]
fn no_locks_leaves_the_locks_of_the_project_out() {
    let env = pod();
    env.write(
        "windlass.yaml",
        "version: 1\nname: web\nchart: chart\nlocks: web.lock.yml\nfrozen: true\n",
    );
    assert!(env.run(&["render"]).stdout.contains("registry.example.com"));
    assert!(
        env.run(&["render", "--no-locks"])
            .stdout
            .contains("\"web:1\"")
    );
}

#[test]
fn frozen_refuses_an_image_that_no_lock_names() {
    let shown = pod().run(&["render", "web", "chart", "--frozen"]);
    insta::assert_snapshot!(shown.all(), @"
    exit: 1
    --- stdout
    --- stderr
    error: 1 image is not locked
      web:1
        at web/templates/pod.yaml:6:14 (spec.containers[0].image)
    hint: `windlass lock web chart` locks every image; give it the same values
    ");
}

#[test]
fn one_template_alone_can_be_shown() {
    let env = project();
    env.write(
        "chart/templates/other.yaml",
        "kind: Other\nmetadata: {name: other}\n",
    );
    let shown = env.run(&["render", "-s", "templates/other.yaml"]);
    insta::assert_snapshot!(shown.all(), @"
    exit: 0
    --- stdout
    ---
    # Source: web/templates/other.yaml
    kind: Other
    metadata: {name: other}

    --- stderr
    ");
}

#[test]
fn a_tree_replaces_the_last_render() {
    let env = project();
    assert_eq!(env.run(&["render", "--output-dir", ".release"]).code, 0);
    env.write(".release/web/templates/gone.yaml", "of the render before\n");
    let shown = env.run(&["render", "--output-dir", ".release"]);
    insta::assert_snapshot!(shown.all(), @"
    exit: 0
    --- stdout
    wrote .release/web/templates/seen.yaml
    --- stderr
    ");
    assert!(!env.path().join(".release/web/templates/gone.yaml").exists());
    let named = env.run(&["render", "--output-dir", "all", "--release-name"]);
    assert_eq!(
        named.stdout,
        "wrote all/shop/web/templates/seen.yaml\n",
        "{}",
        named.all()
    );
    assert_eq!(
        env.read(".release/web/templates/seen.yaml"),
        env.run(&["render"]).stdout + "\n",
        "as Helm writes it"
    );
}

#[test]
fn a_folder_that_is_no_render_is_not_emptied() {
    let env = project();
    for (file, shown) in [
        ("notes/todo.txt", "todo.txt"),
        ("source/web/Chart.yaml", "web/Chart.yaml"),
        ("photos/2024/summer/a.jpg", "2024/summer"),
        (
            "nested/web/charts/sub/values.yaml",
            "web/charts/sub/values.yaml",
        ),
    ] {
        env.write(file, "mine");
        let folder = file.split('/').next().unwrap();
        let run = env.run(&["render", "--output-dir", folder]);
        assert_eq!(run.code, 2, "{}", run.all());
        let message = format!("folder {folder} is not emptied: `{shown}` is not of a render");
        assert!(run.stderr.contains(&message), "{}", run.all());
        assert_eq!(env.read(file), "mine");
    }
}

#[test]
fn the_folder_of_the_project_is_not_emptied() {
    let shown = project().run(&["render", "--output-dir", "."]);
    insta::assert_snapshot!(shown.all(), @"
    exit: 2
    --- stdout
    --- stderr
    error: folder . is not emptied: the project is inside it
    hint: name a folder that only holds renders, for example `.release`
    ");
}

#[test]
fn a_render_that_fails_leaves_the_last_one_alone() {
    let env = project();
    env.run(&["render", "--output-dir", "out"]);
    let before = env.read("out/web/templates/seen.yaml");
    env.write("chart/templates/bad.yaml", "{{ fail \"no\" }}");
    assert_eq!(env.run(&["render", "--output-dir", "out"]).code, 1);
    assert_eq!(env.read("out/web/templates/seen.yaml"), before);
}

#[test]
fn a_file_is_written_in_place_of_stdout() {
    let env = project();
    let shown = env.run(&["render", "-o", "deep/inside/all.yaml"]);
    assert_eq!(shown.all(), "exit: 0\n--- stdout\n--- stderr\n");
    assert_eq!(
        env.read("deep/inside/all.yaml"),
        env.run(&["render"]).stdout
    );
}

#[test]
fn what_is_no_plain_file_is_written_to_and_not_replaced() {
    let env = project();
    let plain = env.run(&["render"]).stdout;
    let shown = env.run(&["render", "-o", "/dev/stdout"]);
    assert_eq!((shown.code, shown.stdout.as_str()), (0, plain.as_str()));
    env.write("target.yaml", "before");
    std::os::unix::fs::symlink("target.yaml", env.path().join("link.yaml")).unwrap();
    assert_eq!(env.run(&["render", "-o", "link.yaml"]).code, 0);
    assert!(env.path().join("link.yaml").is_symlink());
    assert_eq!(env.read("target.yaml"), plain);
    env.write("folder/file", "");
    let shown = env.run(&["render", "-o", "folder"]);
    insta::assert_snapshot!(shown.all(), @"
    exit: 1
    --- stdout
    --- stderr
    error: write folder
      caused by: Is a directory (os error 21)
    ");
}

#[test]
fn an_upgrade_and_versions_are_seen_by_templates() {
    let env = project();
    env.write(
        "chart/templates/seen.yaml",
        "upgrade: {{ .Release.IsUpgrade }}\nkube: {{ .Capabilities.KubeVersion.Version }}\n\
         routes: {{ .Capabilities.APIVersions.Has \"example.com/v1\" }}\n\
         helm: {{ .Capabilities.HelmVersion.Version | trunc 2 }}\nkind: Seen\n",
    );
    prints(
        &env.run(&["render"]),
        &[
            "upgrade: false",
            "kube: v1.37.0",
            "routes: false",
            "helm: v4",
        ],
    );
    let shown = env.run(&[
        "render",
        "--is-upgrade",
        "--kube-version",
        "1.30.2",
        "--api-versions",
        "example.com/v1",
        "--helm-version",
        "3",
    ]);
    prints(
        &shown,
        &["upgrade: true", "kube: v1.30.2", "routes: true", "helm: v3"],
    );
}

#[test]
fn a_packaged_chart_is_rendered() {
    let env = TestEnv::copy_of("config-repository/umbrella-chart/charts");
    let shown = env.run(&["render", "store", "cache-1.2.0.tgz"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    assert!(
        shown
            .stdout
            .contains("# Source: cache/templates/statefulset.yaml")
    );
}

#[test]
fn hooks_and_crds_are_left_out_when_asked() {
    let env = project();
    env.write(
        "chart/crds/a.yaml",
        "kind: CustomResourceDefinition\nmetadata: {name: a}\n",
    );
    env.write(
        "chart/templates/hook.yaml",
        "kind: Job\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}\n",
    );
    let all = env.run(&["render"]).stdout;
    assert!(all.contains("kind: Job") && all.contains("kind: CustomResourceDefinition"));
    let few = env.run(&["render", "--no-hooks", "--skip-crds"]).stdout;
    assert!(!few.contains("kind: Job") && !few.contains("kind: CustomResourceDefinition"));
}

#[test]
fn no_writable_home_and_no_environment_are_needed() {
    let env = project();
    let homeless = env.run_with(
        &["render"],
        &[("HOME", "/dev/null/nowhere"), ("TMPDIR", "/nowhere")],
    );
    assert_eq!(homeless.all(), env.run(&["render"]).all());
}

#[test]
fn a_reader_that_goes_away_ends_the_render_quietly() {
    let env = project();
    let many = "---\nkind: Seen\ntext: a long line that fills the pipe\n".repeat(20_000);
    env.write("chart/templates/many.yaml", &many);
    let shown = env.run_into_closed_pipe(&["render"]);
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
}

#[test]
fn what_is_no_yaml_is_printed_for_debugging() {
    let env = project();
    env.write("chart/templates/a.yaml", "kind: [{{ .Release.Name }}\n");
    env.write("chart/templates/seen.yaml", "kind: Other\n");
    env.write("chart/templates/NOTES.txt", "notes");
    let quiet = env.run(&["render"]);
    assert_eq!(
        (quiet.code, quiet.stdout.as_str()),
        (1, ""),
        "{}",
        quiet.all()
    );
    let shown = env.run(&["render", "--debug"]);
    assert_eq!(shown.code, 1, "{}", shown.all());
    assert!(
        shown
            .stderr
            .contains("YAML parse error on web/templates/a.yaml")
    );
    assert_eq!(
        shown.stdout,
        "---\n# Source: web/templates/a.yaml\nkind: [shop\n\n\
         ---\n# Source: web/templates/seen.yaml\nkind: Other\n"
    );
    for (named, printed) in [
        (
            "templates/a.yaml",
            "---\n# Source: web/templates/a.yaml\nkind: [shop\n\n\n",
        ),
        (
            "templates/s*",
            "---\n# Source: web/templates/seen.yaml\nkind: Other\n\n",
        ),
        ("templates/NOTES.txt", ""),
        ("templates/none.yaml", ""),
    ] {
        let shown = env.run(&["render", "--debug", "--show-only", named]);
        assert_eq!((shown.code, shown.stdout.as_str()), (1, printed), "{named}");
        assert!(shown.stderr.contains("YAML parse error"), "{}", shown.all());
    }
    for (template, printed) in [("{{ fail `x` }}", "\n"), ("{{ end }}", "\n")] {
        env.write("chart/templates/a.yaml", template);
        let failed = env.run(&["render", "--debug"]);
        assert_eq!((failed.code, failed.stdout.as_str()), (1, printed));
        let named = env.run(&["render", "--debug", "--show-only", "templates/seen.yaml"]);
        assert_eq!((named.code, named.stdout.as_str()), (1, ""));
    }
    env.write("chart/values.schema.json", r#"{"required": ["x"]}"#);
    assert_eq!(env.run(&["render", "--debug"]).stdout, "");
}

/// Where others take a time that doubles with each letter.
#[test]
fn a_pattern_takes_no_longer_than_its_text() {
    let env = TestEnv::new();
    let head = "apiVersion: v2\nname: web\nversion: 1.0.0\n";
    env.write("web/Chart.yaml", head);
    let schema = r#"{"properties": {"a": {"pattern": "^(a+)+$"}}}"#;
    env.write("web/values.schema.json", schema);
    env.write("web/values.yaml", &format!("a: {}!\n", "a".repeat(5000)));
    let shown = env.run(&["render", "rel", "web"]);
    assert_eq!(shown.code, 1);
    assert!(shown.stderr.contains("does not match pattern"));
}
