//! What goes wrong is told in one clear line, with what to do and the right exit code.

use super::support::{Shown, TestEnv};

/// A chart of one template.
fn chart(template: &str) -> TestEnv {
    let env = TestEnv::new();
    env.write(
        "chart/Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    );
    env.write("chart/templates/web.yaml", template);
    env
}

/// A chart that can be rendered.
fn good() -> TestEnv {
    chart("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")
}

fn render(template: &str, flags: &[&str]) -> String {
    let arguments = [&["render", "web", "chart"], flags].concat();
    checked(&chart(template).run(&arguments))
}

/// The text of a run, whose error follows the message guide.
fn checked(shown: &Shown) -> String {
    assert_eq!(shown.stdout, "", "an error prints no data");
    let mut lines = shown.stderr.lines();
    let error = lines.next().unwrap_or_default();
    assert!(error.starts_with("error: "), "{}", shown.all());
    let rest = lines.filter(|line| line.starts_with("hint: ") || line.starts_with("  caused by: "));
    for line in rest.chain([error]) {
        let (_, text) = line.split_once(": ").expect("a head and a text");
        let word = text.split(' ').next().unwrap_or_default();
        let is_capital = word.starts_with(|c: char| c.is_ascii_uppercase());
        let is_name = word.chars().skip(1).any(|c| c.is_ascii_uppercase());
        assert!(!is_capital || is_name || word == "No", "capital: {line}");
        assert!(!text.ends_with('.'), "period: {line}");
    }
    shown.all()
}

// --- the command line

#[test]
fn a_flag_that_does_not_exist() {
    insta::assert_snapshot!(checked(&good().run(&["render", "web", "chart", "--namespce", "x"])), @"
    exit: 2
    --- stdout
    --- stderr
    error: unexpected argument '--namespce' found

      tip: a similar argument exists: '--namespace'

    Usage: windlass render --namespace <NAME> <APP> <CHART>

    For more information, try '--help'.
    ");
}

#[test]
fn a_value_after_a_space_where_it_may_be_left_out() {
    let env = good();
    insta::assert_snapshot!(checked(&env.run(&["deploy", "web", "chart", "--explain", "web"])), @"
    exit: 2
    --- stdout
    --- stderr
    error: unexpected argument 'web' found

      tip: as the value of the flag before it, write '--explain=web'

    Usage: windlass deploy [OPTIONS] [APP] [CHART]

    For more information, try '--help'.
    ");
    // What can only be the value is taken for it: here the cluster is what is missing.
    let joined = env.run(&[
        "deploy",
        "web",
        "chart",
        "--wait",
        "false",
        "--explain",
        "ConfigMap/web",
    ]);
    assert!(
        !joined.all().contains("unexpected argument"),
        "{}",
        joined.all()
    );
}

#[test]
fn a_value_that_a_flag_does_not_know() {
    let env = good();
    insta::assert_snapshot!(checked(&env.run(&["render", "web", "chart", "--helm-version", "2"])), @"
    exit: 2
    --- stdout
    --- stderr
    error: invalid value '2' for '--helm-version <4|3>'
      [possible values: 4, 3]

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(checked(&env.run(&["deploy", "--max-prune", "many"])), @"
    exit: 2
    --- stdout
    --- stderr
    error: invalid value 'many' for '--max-prune <N|P%>': expected a number of objects, or a part such as 20%

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(checked(&env.run(&["deploy", "--wait-timeout", "soon"])), @"
    exit: 2
    --- stdout
    --- stderr
    error: invalid value 'soon' for '--wait-timeout <DURATION>': expected a duration such as 90s, 10m or 1h30m

    For more information, try '--help'.
    ");
}

#[test]
fn no_app_and_no_chart() {
    let env = TestEnv::new();
    insta::assert_snapshot!(checked(&env.run(&["render"])), @"
    exit: 2
    --- stdout
    --- stderr
    error: no app is named
    hint: name it as the first argument, or set `name` in windlass.yaml
    ");
    insta::assert_snapshot!(checked(&env.run(&["render", "web"])), @"
    exit: 2
    --- stdout
    --- stderr
    error: no chart is named
    hint: name it: `windlass COMMAND web CHART`, or set `chart` in windlass.yaml
    ");
}

#[test]
fn an_app_name_that_kubernetes_refuses() {
    insta::assert_snapshot!(checked(&good().run(&["render", "My_App", "chart"])), @"
    exit: 2
    --- stdout
    --- stderr
    error: app name `My_App` is not a name for Kubernetes
    hint: use at most 53 lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit
    ");
}

#[test]
fn a_chart_in_the_place_of_the_app() {
    insta::assert_snapshot!(checked(&good().run(&["render", "./chart"])), @"
    exit: 2
    --- stdout
    --- stderr
    error: app name `./chart` is not a name for Kubernetes
    hint: the app comes before its chart: `APP ./chart`
    ");
}

#[test]
fn two_names_for_one_app() {
    let shown = good().run(&["render", "web", "chart", "--name-template", "x"]);
    insta::assert_snapshot!(checked(&shown), @"
    exit: 2
    --- stdout
    --- stderr
    error: `--name-template` names the app, and a name is given too
    ");
}

// --- the project file

fn project(text: &str, arguments: &[&str]) -> String {
    let env = good();
    env.write("windlass.yaml", text);
    checked(&env.run(arguments))
}

#[test]
fn a_key_that_the_project_file_does_not_have() {
    let text = "version: 1\nname: web\nnamspace: shop\n";
    insta::assert_snapshot!(project(text, &["render"]), @"
    exit: 2
    --- stdout
    --- stderr
    error: windlass.yaml:3:1: unknown key `namspace`
        --> windlass.yaml:3:1
    > 3 | namspace: shop
        | ^
    hint: did you mean `namespace`?
    ");
}

#[test]
fn a_project_file_that_is_no_yaml() {
    let text = "version: 1\nname: [web\nchart: chart\n";
    insta::assert_snapshot!(project(text, &["render"]), @"
    exit: 2
    --- stdout
    --- stderr
    error: windlass.yaml:3:6: did not find expected ',' or ']'
        --> windlass.yaml:3:6
    > 3 | chart: chart
        |      ^
    ");
}

#[test]
fn a_project_file_of_another_version() {
    insta::assert_snapshot!(project("version: 2\n", &["render"]), @"
    exit: 2
    --- stdout
    --- stderr
    error: windlass.yaml:1:1: version 2 of the project file is not known
        --> windlass.yaml:1:1
    > 1 | version: 2
        | ^
    hint: this windlass reads version 1
    ");
}

#[test]
fn an_environment_that_does_not_exist() {
    let text = "version: 1\nname: web\nchart: chart\nenvironments: {staging: {}, production: {}}\n";
    insta::assert_snapshot!(project(text, &["render", "-e", "stagign"]), @"
    exit: 2
    --- stdout
    --- stderr
    error: environment `stagign` is not in windlass.yaml
    hint: did you mean `staging`?
    ");
    insta::assert_snapshot!(project(text, &["render", "-e", "x"]), @"
    exit: 2
    --- stdout
    --- stderr
    error: environment `x` is not in windlass.yaml
    hint: it has production, staging
    ");
}

#[test]
fn an_environment_without_a_project_file() {
    insta::assert_snapshot!(checked(&good().run(&["render", "web", "chart", "-e", "staging"])), @"
    exit: 2
    --- stdout
    --- stderr
    error: environment `staging` is not in windlass.yaml
    hint: there is no such file here: go to its folder, or name it with `--project FILE`
    ");
}

#[test]
fn a_project_file_that_does_not_exist() {
    insta::assert_snapshot!(checked(&good().run(&["render", "--project", "none.yaml"])), @"
    exit: 2
    --- stdout
    --- stderr
    error: read project file none.yaml
      caused by: No such file or directory (os error 2)
    hint: paths of flags begin in the working directory, those of windlass.yaml in its folder
    ");
}

// --- charts and values

#[test]
fn values_that_do_not_fit_a_sub_chart() {
    let env = good();
    let sub = "apiVersion: v2\nname: sub\nversion: 1.0.0\n";
    env.write("chart/charts/sub/Chart.yaml", sub);
    insta::assert_snapshot!(checked(&env.run(&["render", "web", "chart", "--set", "sub=1"])), @"
    exit: 1
    --- stdout
    --- stderr
    error: type mismatch on sub: %!t(int64=1)
    ");
}

#[test]
fn a_chart_that_does_not_exist() {
    insta::assert_snapshot!(checked(&good().run(&["render", "web", "chrt"])), @"
    exit: 2
    --- stdout
    --- stderr
    error: chart chrt does not exist
    hint: name a folder with a Chart.yaml, or a .tgz
    ");
}

#[test]
fn a_folder_that_is_no_chart() {
    let env = good();
    env.write("empty/readme.txt", "nothing");
    insta::assert_snapshot!(checked(&env.run(&["render", "web", "empty"])), @"
    exit: 2
    --- stdout
    --- stderr
    error: unable to detect chart at $DIR/empty/Chart.yaml: open $DIR/empty/Chart.yaml: no such file or directory
    hint: name a folder with a Chart.yaml, or a .tgz
    ");
}

#[test]
fn a_file_that_is_no_package() {
    let env = good();
    env.write("chart.tgz", "not gzip");
    insta::assert_snapshot!(checked(&env.run(&["render", "web", "chart.tgz"])), @"
    exit: 1
    --- stdout
    --- stderr
    error: file 'chart.tgz' does not appear to be a gzipped archive; got 'application/octet-stream'
    ");
}

#[test]
fn a_chart_without_a_name() {
    let env = good();
    env.write("chart/Chart.yaml", "apiVersion: v2\nversion: 1.0.0\n");
    insta::assert_snapshot!(checked(&env.run(&["render", "web", "chart"])), @"
    exit: 1
    --- stdout
    --- stderr
    error: validation: chart.metadata.name is required
    ");
}

#[test]
fn a_values_file_that_does_not_exist() {
    let shown = good().run(&["render", "web", "chart", "-f", "none.yaml"]);
    insta::assert_snapshot!(checked(&shown), @"
    exit: 2
    --- stdout
    --- stderr
    error: read file none.yaml
      caused by: No such file or directory (os error 2)
    hint: paths of flags begin in the working directory, those of windlass.yaml in its folder
    ");
}

#[test]
fn a_values_file_that_is_no_yaml() {
    let env = good();
    env.write("values.yaml", "a: 1\npassword: {hunter2\n");
    let shown = env.run(&["render", "web", "chart", "-f", "values.yaml"]);
    insta::assert_snapshot!(checked(&shown), @"
    exit: 2
    --- stdout
    --- stderr
    error: failed to parse values.yaml: cannot unmarshal yaml document: error converting YAML to JSON: yaml: line 2: did not find expected ',' or '}'
    ");
}

#[test]
fn a_value_that_cannot_be_set() {
    insta::assert_snapshot!(checked(&good().run(&["render", "web", "chart", "--set", "a[x]=1"])), @r#"
    exit: 2
    --- stdout
    --- stderr
    error: failed parsing --set data: error parsing index: strconv.Atoi: parsing "x": invalid syntax
    hint: write `a.b[0]=x,c=y`; a comma within a value is written `\,`
    "#);
}

#[test]
fn values_that_the_schema_refuses() {
    let env = good();
    env.write(
        "chart/values.schema.json",
        r#"{"type": "object", "properties": {"size": {"type": "integer"}}}"#,
    );
    let shown = env.run(&["render", "web", "chart", "--set", "size=big"]);
    insta::assert_snapshot!(checked(&shown), @"
    exit: 1
    --- stdout
    --- stderr
    error: values don't meet the specifications of the schema(s) in the following chart(s):
    web:
    - at '/size': got string, want integer
    hint: change the values, or leave the check out: `--skip-schema-validation`
    ");
    let unchecked = [
        "render",
        "web",
        "chart",
        "--set",
        "size=big",
        "--skip-schema-validation",
    ];
    assert_eq!(env.run(&unchecked).code, 0);
}

#[test]
fn a_template_to_show_that_the_chart_does_not_have() {
    let shown = good().run(&["render", "web", "chart", "-s", "templates/none.yaml"]);
    insta::assert_snapshot!(checked(&shown), @"
    exit: 2
    --- stdout
    --- stderr
    error: could not find template templates/none.yaml in chart
    hint: name it as its `# Source:` line does, without the name of the chart
    ");
}

// --- templates

#[test]
fn a_template_that_fails() {
    let template = "kind: ConfigMap\nmetadata:\n  name: {{ .Values.names.first }}\n";
    insta::assert_snapshot!(render(template, &[]), @r#"
    exit: 1
    --- stdout
    --- stderr
    error: web/templates/web.yaml:3:18
      executing "web/templates/web.yaml" at <.Values.names.first>:
        nil pointer evaluating interface {}.first
        --> web/templates/web.yaml:3:19
      1 | kind: ConfigMap
      2 | metadata:
    > 3 |   name: {{ .Values.names.first }}
        |                   ^
    hint: `names` is not set by the chart: add `names.first` to a values file, or `--set names.first=VALUE`
    "#);
    insta::assert_snapshot!(render(template, &["--helm-version", "3"]), @r#"
    exit: 1
    --- stdout
    --- stderr
    error: template: web/templates/web.yaml:3:18: executing "web/templates/web.yaml" at <.Values.names.first>: nil pointer evaluating interface {}.first
        --> web/templates/web.yaml:3:19
      1 | kind: ConfigMap
      2 | metadata:
    > 3 |   name: {{ .Values.names.first }}
        |                   ^
    hint: `names` is not set by the chart: add `names.first` to a values file, or `--set names.first=VALUE`
    "#);
}

#[test]
fn a_value_that_a_template_requires() {
    let template = "kind: ConfigMap\nname: {{ required \"set .Values.name\" .Values.name }}\n";
    insta::assert_snapshot!(render(template, &[]), @r#"
    exit: 1
    --- stdout
    --- stderr
    error: execution error at (web/templates/web.yaml:2:9): set .Values.name
        --> web/templates/web.yaml:2:10
      1 | kind: ConfigMap
    > 2 | name: {{ required "set .Values.name" .Values.name }}
        |          ^
    hint: `name` is empty or not set by the chart: add `name` to a values file, or `--set name=VALUE`
    "#);
}

#[test]
fn a_value_that_is_missing_is_named_with_its_key_and_the_files_that_lack_it() {
    let env = chart("kind: ConfigMap\n");
    env.write(
        "chart/charts/db/Chart.yaml",
        "apiVersion: v2\nname: db\nversion: 1.0.0\n",
    );
    env.write(
        "chart/charts/db/templates/db.yaml",
        "kind: ConfigMap\nname: {{ .Values.some.very.long.path.tag | quote }}\n",
    );
    env.write("prod.yaml", "db: {size: 1}\n");
    insta::assert_snapshot!(
        checked(&env.run(&["render", "web", "chart", "-f", "prod.yaml"])),
        @r#"
    exit: 1
    --- stdout
    --- stderr
    error: web/charts/db/templates/db.yaml:2:16
      executing "web/charts/db/templates/db.yaml" at <.Values.some.very.long.path.tag>:
        nil pointer evaluating interface {}.very
        --> web/charts/db/templates/db.yaml:2:17
      1 | kind: ConfigMap
    > 2 | name: {{ .Values.some.very.long.path.tag | quote }}
        |                 ^
    hint: `db.some` is not set, neither by the chart nor in prod.yaml: add `db.some.very.long.path.tag` to one of them, or `--set db.some.very.long.path.tag=VALUE`
    "#
    );
    let scalar = ["render", "web", "chart", "--set", "db.some=x"];
    insta::assert_snapshot!(checked(&env.run(&scalar)), @r#"
    exit: 1
    --- stdout
    --- stderr
    error: web/charts/db/templates/db.yaml:2:16
      executing "web/charts/db/templates/db.yaml" at <.Values.some.very.long.path.tag>:
        can't evaluate field very in type interface {}
        --> web/charts/db/templates/db.yaml:2:17
      1 | kind: ConfigMap
    > 2 | name: {{ .Values.some.very.long.path.tag | quote }}
        |                 ^
    hint: `db.some` is set, but not to a map: there is no `db.some.very.long.path.tag` in it
    "#);
}

#[test]
fn a_helper_that_fails() {
    let env = chart("kind: ConfigMap\nname: {{ include \"web.name\" . }}\n");
    env.write(
        "chart/templates/_names.tpl",
        "{{- define \"web.name\" -}}\n{{ .Values.names.first }}\n{{- end -}}\n",
    );
    insta::assert_snapshot!(checked(&env.run(&["render", "web", "chart"])), @r#"
    exit: 1
    --- stdout
    --- stderr
    error: web/templates/web.yaml:2:9
      executing "web/templates/web.yaml" at <include "web.name" .>:
        error calling include:
    web/templates/_names.tpl:2:10
      executing "web.name" at <.Values.names.first>:
        nil pointer evaluating interface {}.first
        --> web/templates/_names.tpl:2:11
      1 | {{- define "web.name" -}}
    > 2 | {{ .Values.names.first }}
        |           ^
    hint: `names` is not set by the chart: add `names.first` to a values file, or `--set names.first=VALUE`
    "#);
}

#[test]
fn a_text_given_to_tpl_that_fails() {
    let template = "kind: ConfigMap\nname: {{ tpl .Values.text . }}\n";
    let shown = render(template, &["--set", "text=a {{ .Values.a.b }}"]);
    insta::assert_snapshot!(shown, @r#"
    exit: 1
    --- stdout
    --- stderr
    error: template: web/templates/web.yaml:2:9: executing "web/templates/web.yaml" at <tpl .Values.text .>: error calling tpl: error during tpl function execution for "a {{ .Values.a.b }}": template: gotpl:1:12: executing "gotpl" at <.Values.a.b>: nil pointer evaluating interface {}.b
        --> web/templates/web.yaml:2:10
      1 | kind: ConfigMap
    > 2 | name: {{ tpl .Values.text . }}
        |          ^
    hint: `a` is not set by the chart: add `a.b` to a values file, or `--set a.b=VALUE`
    "#);
}

#[test]
fn a_template_that_cannot_be_parsed() {
    insta::assert_snapshot!(render("kind: ConfigMap\nname: {{ .Values.a\n", &[]), @"
    exit: 1
    --- stdout
    --- stderr
    error: parse error at (web/templates/web.yaml:3): unclosed action started at web/templates/web.yaml:2
        --> web/templates/web.yaml:3
      1 | kind: ConfigMap
      2 | name: {{ .Values.a
    ");
    insta::assert_snapshot!(render("kind: ConfigMap\nname: {{ nosuch 1 }}\n", &[]), @r#"
    exit: 1
    --- stdout
    --- stderr
    error: parse error at (web/templates/web.yaml:2): function "nosuch" not defined
        --> web/templates/web.yaml:2
      1 | kind: ConfigMap
    > 2 | name: {{ nosuch 1 }}
    "#);
    insta::assert_snapshot!(render("{{ if true }}\nkind: ConfigMap\n", &[]), @"
    exit: 1
    --- stdout
    --- stderr
    error: parse error at (web/templates/web.yaml:3): unexpected EOF
        --> web/templates/web.yaml:3
      1 | {{ if true }}
      2 | kind: ConfigMap
    ");
}

#[test]
fn a_render_that_is_no_yaml() {
    let template = "kind: ConfigMap\nmetadata:\n  name: web\n   labels: {}\ndata: {}\n";
    insta::assert_snapshot!(render(template, &[]), @"
    exit: 1
    --- stdout
    --- stderr
    error: YAML parse error on web/templates/web.yaml: error converting YAML to JSON: yaml: line 4: mapping values are not allowed in this context
        --> web/templates/web.yaml:4, in its output:4
      2 | metadata:
      3 |   name: web
    > 4 |    labels: {}
      5 | data: {}
    ");
    insta::assert_snapshot!(render("kind: ConfigMap\n---\nkind: Other\nmetadata:\n\tname: a\n", &[]), @"
    exit: 1
    --- stdout
    --- stderr
    error: YAML parse error on web/templates/web.yaml: error converting YAML to JSON: yaml: line 3: found character that cannot start any token
        --> web/templates/web.yaml:5, in its output:5
      3 | kind: Other
      4 | metadata:
    > 5 | →name: a
    ");
    insta::assert_snapshot!(render("- a list\n", &[]), @"
    exit: 1
    --- stdout
    --- stderr
    error: YAML parse error on web/templates/web.yaml: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type util.SimpleHead
        --> web/templates/web.yaml:1, in its output:1
    > 1 | - a list
    ");
}

#[test]
fn a_broken_secret_is_not_shown() {
    for template in [
        "kind: Secret\nmetadata: {name: a}\nstringData:\n  a: hunter2\n b: hunter2\n",
        "{\"kind\": \"Secret\", \"stringData\": {\"a\": \"hunter2\"}\n",
        "kind: Secret\nstringData:\n  a: hunter2 {{ .Values.a.b }}\n",
        "kind: Secret\nstringData:\n  a: hunter2 {{ .Values.a\n",
    ] {
        let shown = render(template, &[]);
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(
            shown.contains("(a Secret: its lines are not shown)"),
            "{shown}"
        );
    }
}

#[test]
fn nothing_in_a_template_reaches_the_terminal_as_a_command() {
    let shown = render("kind: \u{1b}[31mred\u{7}\n  x: {{ .Values.a.b }}\n", &[]);
    assert!(
        !shown.contains('\u{1b}') && !shown.contains('\u{7}'),
        "{shown:?}"
    );
}

// --- locks

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn lock(new_image: &str) -> String {
    format!(
        "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\noverrides:\n- image: web:1\n  \
         newImage: {new_image}\n  preresolved: true\n"
    )
}

fn locked(locks: &[(&str, &str)]) -> String {
    let env = good();
    for (file, text) in locks {
        env.write(file, text);
    }
    checked(&env.run(&["render", "web", "chart", "--locks", "locks"]))
}

#[test]
fn locks_that_do_not_exist() {
    insta::assert_snapshot!(locked(&[]), @"
    exit: 2
    --- stdout
    --- stderr
    error: read locks locks
      caused by: No such file or directory (os error 2)
    hint: `windlass lock` writes the first lock file
    ");
}

#[test]
fn two_locks_that_disagree() {
    let other = DIGEST.replace('9', "8");
    let (first, second) = (
        lock(&format!("a.io/web@{DIGEST}")),
        lock(&format!("a.io/web@{other}")),
    );
    insta::assert_snapshot!(locked(&[("locks/a.yml", &first), ("locks/b.yml", &second)]), @"
    exit: 1
    --- stdout
    --- stderr
    error: `web:1` is locked twice: to `a.io/web@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08` at locks/a.yml:4:3, to `a.io/web@sha256:8f86d081884c7d658a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08` at locks/b.yml:4:3
    hint: remove one of the two entries
    ");
}

#[test]
fn a_lock_without_a_digest() {
    insta::assert_snapshot!(locked(&[("locks/a.yml", &lock("a.io/web:1"))]), @"
    exit: 1
    --- stdout
    --- stderr
    error: locks/a.yml:5:13: `web:1` is locked to `a.io/web:1`, which has no digest
    hint: `windlass lock resolve web:1` prints an entry with a digest
    ");
}

#[test]
fn a_digest_of_the_wrong_length() {
    insta::assert_snapshot!(locked(&[("locks/a.yml", &lock("a.io/web@sha256:abc"))]), @"
    exit: 1
    --- stdout
    --- stderr
    error: locks/a.yml:5:13: `sha256:abc` is not a digest: `sha256:` and 64 lower-case hexadecimal digits are expected
    ");
}

#[test]
fn a_lock_of_another_kind() {
    insta::assert_snapshot!(locked(&[("locks/a.yml", "apiVersion: v1\nkind: ConfigMap\n")]), @"
    exit: 1
    --- stdout
    --- stderr
    error: locks/a.yml:1:1: ConfigMap of v1 is not a kbld Config
    hint: lock folders hold kbld lock files only; manifests belong into the chart
    ");
}

#[test]
fn a_key_that_locks_do_not_have() {
    let text = lock(&format!("a.io/web@{DIGEST}")).replace("newImage", "newimage");
    insta::assert_snapshot!(locked(&[("locks/a.yml", &text)]), @"
    exit: 1
    --- stdout
    --- stderr
    error: locks/a.yml:5:3: unknown key `newimage` in an entry of `overrides`
    hint: did you mean `newImage`?
    ");
}

// --- clusters

const KUBECONFIG: &str = "apiVersion: v1\nkind: Config\n\
    clusters: [{name: here, cluster: {server: 'http://127.0.0.1:1'}}]\n\
    contexts: [{name: here, context: {cluster: here, user: me}}]\n\
    users: [{name: me, user: {}}]\ncurrent-context: here\n";

fn diff(kubeconfig: Option<&str>, flags: &[&str]) -> String {
    let env = good();
    if let Some(text) = kubeconfig {
        env.write("kubeconfig", text);
    }
    checked(&env.run(&[&["diff", "web", "chart"], flags].concat()))
}

#[test]
fn no_kubeconfig() {
    insta::assert_snapshot!(diff(None, &[]), @"
    exit: 2
    --- stdout
    --- stderr
    error: no kubeconfig: the file of KUBECONFIG or ~/.kube/config does not exist, and this is not a pod of a cluster
    hint: name one: `--kubeconfig FILE` or KUBECONFIG
    ");
}

#[test]
fn a_kubeconfig_that_does_not_exist() {
    insta::assert_snapshot!(diff(None, &["--kubeconfig", "none"]), @"
    exit: 2
    --- stdout
    --- stderr
    error: kubeconfig none: No such file or directory (os error 2)
    hint: name another one: `--kubeconfig FILE` or KUBECONFIG
    ");
}

#[test]
fn a_kubeconfig_that_is_none() {
    insta::assert_snapshot!(diff(Some("a: [\n"), &["--kubeconfig", "kubeconfig"]), @"
    exit: 2
    --- stdout
    --- stderr
    error: kubeconfig kubeconfig: failed to parse kubeconfig YAML: error: line 1 column 4: unclosed bracket '['
    hint: name another one: `--kubeconfig FILE` or KUBECONFIG
    ");
}

#[test]
fn a_context_that_the_kubeconfig_does_not_have() {
    let flags = ["--kubeconfig", "kubeconfig", "--context", "there"];
    insta::assert_snapshot!(diff(Some(KUBECONFIG), &flags), @"
    exit: 2
    --- stdout
    --- stderr
    error: context `there` is not in the kubeconfig; it has `here`
    hint: choose one: `--context NAME`
    ");
}

#[test]
fn a_server_that_is_not_there() {
    insta::assert_snapshot!(diff(Some(KUBECONFIG), &["--kubeconfig", "kubeconfig"]), @"
    exit: 1
    --- stdout
    --- stderr
    error: API server http://127.0.0.1:1 cannot be reached: Connection refused (os error 111)
    hint: is the server up, and is this the right `--context`?
    ");
}

#[test]
fn a_plugin_for_credentials_that_is_not_installed() {
    let exec = "exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-plugin, \
                interactiveMode: Never}";
    let text = KUBECONFIG.replace("user: {}", &format!("user: {{{exec}}}"));
    insta::assert_snapshot!(diff(Some(&text), &["--kubeconfig", "kubeconfig"]), @"
    exit: 1
    --- stdout
    --- stderr
    error: credentials of context `here`: the command that fetches them cannot be started: No such file or directory (os error 2)
    hint: log in again, or choose another context: `--context NAME`
    ");
}

// --- manifests

#[test]
fn two_folders_with_mistakes_are_compared() {
    let env = TestEnv::new();
    env.write("a/one.yaml", "kind: ConfigMap\nmetadata: {name: a}\n");
    env.write(
        "a/two.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n",
    );
    insta::assert_snapshot!(checked(&env.run(&["diff", "--files", "a/one.yaml", "a"])), @"
    exit: 1
    --- stdout
    --- stderr
    error: a/one.yaml:1: apiVersion is missing
    ");
    insta::assert_snapshot!(checked(&env.run(&["diff", "--files", "a/two.yaml", "none"])), @"
    exit: 1
    --- stdout
    --- stderr
    error: a/two.yaml:3: metadata.name of ConfigMap is missing
    ");
}

#[test]
fn json_is_read_as_json_with_the_numbers_and_lines_of_yaml() {
    let env = TestEnv::new();
    let head = r#""apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}"#;
    let json = format!(
        "{{\n\t{head},\n\t\"data\": {{\"k\": \"\\ud83d\\ude00\u{7f}\", \"big\": 9007199254740993, \"small\": 1e3}}\n}}\n"
    );
    env.write("a.json", &json);
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: \"😀\\x7f\", big: 9007199254740993, small: 1e3}\n";
    env.write("a.yaml", yaml);
    let shown = env.run(&["diff", "--files", "a.json", "a.yaml", "--exit-code"]);
    assert_eq!(shown.stdout, "1 unchanged\n", "{}", shown.all());
    env.write("b.json", &json.replace("\"name\"", "\n\"no\""));
    insta::assert_snapshot!(checked(&env.run(&["diff", "--files", "b.json", "a.yaml"])), @"
    exit: 1
    --- stdout
    --- stderr
    error: b.json:2: metadata.name of ConfigMap is missing
    ");
}

#[test]
fn an_object_that_stands_twice_in_a_file() {
    let env = TestEnv::new();
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    env.write("twice.yaml", &format!("{object}---\n{object}"));
    insta::assert_snapshot!(checked(&env.run(&["diff", "--files", "twice.yaml", "twice.yaml"])), @"
    exit: 1
    --- stdout
    --- stderr
    error: twice.yaml:5: ConfigMap/a stands already in twice.yaml:1
    ");
}

#[test]
fn what_a_text_of_others_would_do_to_a_terminal_or_a_ci_system() {
    let failing = r#"{{ fail "\x1b[31mred\u202e\n\n::add-mask::x" }}"#;
    insta::assert_snapshot!(render(failing, &[]), @r#"
    exit: 1
    --- stdout
    --- stderr
    error: execution error at (web/templates/web.yaml:1:3): \u001b[31mred\u202e\n\n::add-mask::x
        --> web/templates/web.yaml:1:4
    > 1 | {{ fail "\x1b[31mred\u202e\n\n::add-mask::x" }}
        |    ^
    "#);
}

#[test]
fn a_secret_that_is_no_yaml_is_not_quoted() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n  p: *hunter2\n";
    insta::assert_snapshot!(render(secret, &[]), @"
    exit: 1
    --- stdout
    --- stderr
    error: YAML parse error on web/templates/web.yaml: error converting YAML to JSON: yaml: unknown anchor …
        --> web/templates/web.yaml:5, in its output:5 (a Secret: its lines are not shown)
    ");
    let env = TestEnv::new();
    env.write("a.yaml", secret);
    for arguments in [
        &["render", "-m", "a.yaml"][..],
        &["diff", "--files", "a.yaml", "a.yaml"],
    ] {
        let shown = checked(&env.run(arguments));
        assert!(
            shown.contains("unknown anchor …") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
