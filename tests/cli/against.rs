//! `diff --against REV` and `diff --files`: two renders or two folders compared, without a cluster.

use super::support::{Shown, TestEnv};
use std::process::Command;

fn git(env: &TestEnv, arguments: &[&str]) {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.com",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(arguments)
        .current_dir(env.path())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {errors}");
}

/// A repository whose project lies in a folder, with one commit and a change after it.
fn repository() -> TestEnv {
    let env = TestEnv::new();
    env.write("README.md", "a repository\n");
    git(&env, &["init", "--quiet"]);
    git(&env, &["add", "README.md"]);
    git(&env, &["commit", "--quiet", "-m", "empty"]);
    git(&env, &["tag", "empty"]);
    env.write(
        "config/windlass.yaml",
        "version: 1\nname: shop\nnamespace: shop\nchart: chart\nvalues: values.yaml\n",
    );
    env.write("config/values.yaml", "color: blue\npassword: canary-old\n");
    env.write(
        "config/chart/Chart.yaml",
        "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
    );
    env.write(
        "config/chart/templates/config.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {color: {{ .Values.color }}, id: {{ uuidv4 }}}\n\
         ---\napiVersion: v1\nkind: Secret\nmetadata: {name: login}\nstringData: {password: {{ .Values.password }}}\n",
    );
    git(&env, &["add", "."]);
    git(&env, &["commit", "--quiet", "-m", "first"]);
    git(&env, &["tag", "first"]);
    env.write("config/values.yaml", "color: green\npassword: canary-new\n");
    env
}

/// `diff` of the chart in the folder, whose files flags name, against a revision.
fn run_with_flags(env: &TestEnv, flags: [&str; 2], rev: &str) -> Shown {
    let [flag, value] = flags;
    env.run(&[
        "diff",
        "shop",
        "config/chart",
        flag,
        value,
        "--against",
        rev,
        "--format",
        "summary",
    ])
}

fn run_in_config(env: &TestEnv, arguments: &[&str]) -> Shown {
    let output = env
        .command(arguments)
        .current_dir(env.path().join("config"))
        .output()
        .expect("the program starts");
    Shown::new(&output, env.path())
}

/// A text without what is another in each run: tags, and identifiers that templates make up.
fn steady(text: &str) -> String {
    let mut parts = text.split("<masked ");
    let first = parts.next().unwrap_or_default().to_owned();
    let text = parts.fold(first, |text, part| format!("{text}<masked …{}", &part[8..]));
    let lines = text.lines().filter(|line| !line.contains(" id: "));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_render_of_the_working_tree_is_compared_with_that_of_a_revision() {
    let env = repository();
    let shown = run_in_config(&env, &["diff", "--against", "first", "--exit-code"]);
    insta::assert_snapshot!(steady(&shown.all()), @"
    exit: 3
    --- stdout
    2 to update

    ~ update  ConfigMap/settings  data.color blue → green
    ~ update  Secret/login  data.password

    ~ update ConfigMap/settings  chart/templates/config.yaml:1
      … 2 equal lines
      @ data
        metadata:
          name: settings
        data:
      -   color: blue
      +   color: green

    ~ update Secret/login  chart/templates/config.yaml:6
      … 2 equal lines
      @ data
        metadata:
          name: login
        data:
      -   password: <masked …>
      +   password: <masked …>
    --- stderr
    ");
    assert!(!shown.all().contains("canary"));
    let status = Command::new("git")
        .args(["status", "--porcelain"])
        .current_dir(env.path())
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&status.stdout),
        " M config/values.yaml\n"
    );
}

/// As for a render, what is lacking is restored, and what was changed is refused.
#[test]
fn dependencies_of_both_sides_are_as_their_locks_say() {
    let env = super::deps::umbrella(&super::deps::repository(super::deps::chart("web", "1.0.0")));
    let chart = std::fs::read_to_string(env.path().join("um/Chart.yaml")).unwrap();
    // A folder beside the chart is in the project, as it is in the working tree.
    env.write(
        "um/Chart.yaml",
        &format!("{chart}- {{name: db, version: '*', repository: 'file://../lib/db'}}\n"),
    );
    env.write(
        "lib/db/Chart.yaml",
        "apiVersion: v2\nname: db\nversion: 1.0.0\n",
    );
    env.write(
        "lib/db/templates/a.yaml",
        "apiVersion: v1\nkind: A\nmetadata: {name: db}\n",
    );
    env.write("um/windlass.yaml", "version: 1\n");
    env.write(".gitignore", "charts\n.cache\n");
    git(&env, &["init", "--quiet"]);
    assert_eq!(env.run(&["deps", "update", "um"]).code, 0);
    git(&env, &["add", "."]);
    git(&env, &["commit", "--quiet", "-m", "first"]);
    let diff = || {
        env.run(&[
            "diff",
            "shop",
            "um",
            "--against",
            "HEAD",
            "--format=summary",
        ])
    };
    let shown = diff();
    assert_eq!(
        (shown.code, shown.stdout.as_str()),
        (0, "2 unchanged\n"),
        "{}",
        shown.all()
    );
    let archive = env.path().join("um/charts/web-1.0.0.tgz");
    let good = std::fs::read(&archive).unwrap();
    let bad = super::deps::chart("web", "1.0.1");
    std::fs::write(&archive, &bad).unwrap();
    let shown = diff();
    assert_eq!(shown.code, 7, "{}", shown.all());
    // Changed in the revision, and whole here.
    git(&env, &["add", "--force", "um/charts/web-1.0.0.tgz"]);
    git(&env, &["commit", "--quiet", "-m", "changed"]);
    std::fs::write(&archive, good).unwrap();
    let shown = diff();
    assert_eq!(shown.code, 7, "{}", shown.all());
    let told = "from HEAD:um/charts/web-1.0.0.tgz is not the one that was locked";
    assert!(shown.stderr.contains(told), "{}", shown.all());
}

#[test]
fn flags_name_files_of_both_sides() {
    let env = repository();
    let shown = run_with_flags(&env, ["-f", "config/values.yaml"], "HEAD");
    insta::assert_snapshot!(shown.all(), @"
    exit: 0
    --- stdout
    2 to update
    --- stderr
    ");
    let shown = run_with_flags(&env, ["--set", "color=x,password=y"], "HEAD");
    insta::assert_snapshot!(shown.all(), @"
    exit: 0
    --- stdout
    2 unchanged
    --- stderr
    ");
}

#[test]
fn a_revision_that_cannot_be_rendered_is_an_error() {
    let env = repository();
    insta::assert_snapshot!(run_in_config(&env, &["diff", "--against", "empty"]).all(), @"
    exit: 2
    --- stdout
    --- stderr
    error: read project file empty:config/windlass.yaml: No such file or directory (os error 2)
    hint: this is about revision `empty`; compare with one that has it
    ");
    insta::assert_snapshot!(run_in_config(&env, &["diff", "--against", "v9"]).all(), @"
    exit: 2
    --- stdout
    --- stderr
    error: revision `v9`: it is not a commit of this repository
    hint: name a branch, tag or commit that is here; `git fetch --unshallow` brings those that a CI job leaves out
    ");
    insta::assert_snapshot!(run_in_config(&env, &["diff", "--against=--output=x"]).all(), @"
    exit: 2
    --- stdout
    --- stderr
    error: revision `--output=x`: it is not a commit of this repository
    hint: name a branch, tag or commit that is here; `git fetch --unshallow` brings those that a CI job leaves out
    ");
    let shown = run_with_flags(&env, ["-f", "config/values.yaml"], "empty");
    insta::assert_snapshot!(shown.all(), @"
    exit: 2
    --- stdout
    --- stderr
    error: chart empty:config/chart does not exist
    hint: this is about revision `empty`; compare with one that has it
    ");
}

#[test]
fn what_no_revision_knows_is_an_error() {
    let env = TestEnv::new();
    env.write(
        "chart/Chart.yaml",
        "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
    );
    insta::assert_snapshot!(env.run(&["diff", "shop", "chart", "--against", "HEAD"]).stderr.lines().last().unwrap_or_default(), @"hint: `--files OLD NEW` compares files that git does not know");
}

#[test]
fn masked_paths_of_the_project_are_hidden_in_every_form() {
    let env = TestEnv::new();
    env.write(
        "windlass.yaml",
        "version: 1\nmask: [ConfigMap:data.token]\n",
    );
    let object = |token: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{token: {token}, b: c}}\n"
        )
    };
    env.write("old.yaml", &object("canary-old"));
    env.write("new.yaml", &object("canary-new"));
    for format in ["text", "json", "markdown", "summary"] {
        let shown = env.run(&[
            "diff", "--files", "old.yaml", "new.yaml", "--format", format,
        ]);
        assert_eq!(shown.code, 0, "{}", shown.all());
        assert!(!shown.all().contains("canary"), "{}", shown.all());
    }
    env.write("windlass.yaml", "version: 1\nmask: [\"a..b\"]\n");
    insta::assert_snapshot!(env.run(&["diff", "--files", "old.yaml", "new.yaml"]).all(), @"
    exit: 2
    --- stdout
    --- stderr
    error: `mask` of the project file: `a..b` has an empty step: `a..b`
    hint: write a path as a diff shows it, such as `ConfigMap/app:data.password` or `spec.users[*].token`
    ");
}

#[test]
fn what_a_comment_cuts_goes_to_the_rest_file() {
    let env = TestEnv::new();
    let lines: String = (0..9000)
        .map(|line| format!("    line number {line}\n"))
        .collect();
    env.write("old.yaml", "");
    env.write(
        "new.yaml",
        &format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  a: |\n{lines}"),
    );
    let shown = env.run(&[
        "diff",
        "--files",
        "old.yaml",
        "new.yaml",
        "--format",
        "markdown",
        "--rest-file",
        "rest.md",
    ]);
    assert!(shown.stdout.len() < 65_536);
    insta::assert_snapshot!(shown.stdout.lines().last().unwrap_or_default(), @"**Cut to the length of a comment: 1 object shown in part or not at all; they are whole in <code>rest.md</code>.**");
    let rest = std::fs::read_to_string(env.path().join("rest.md")).unwrap();
    assert!(rest.contains("line number 8999"));
}
