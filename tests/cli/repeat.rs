//! Renders that say where they come from, and that can be repeated.

use super::support::TestEnv;
use serde_json::{Value, json};

/// A chart that makes up a password, a certificate and a time, and one object that is always the same.
fn chart() -> TestEnv {
    let env = TestEnv::new();
    env.write(
        "chart/Chart.yaml",
        "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
    );
    env.write(
        "chart/templates/secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: made-up, namespace: other}\nstringData:\n  \
         password: {{ randAlphaNum 20 }}\n  ca: {{ (genCA \"ca\" 365).Cert | b64enc }}\n",
    );
    env.write(
        "chart/templates/two.yaml",
        "# two objects\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: same}\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {name: dated}\n\
         data: {at: '{{ now | date \"2006-01-02\" }}'}\n",
    );
    env
}

#[test]
fn the_source_map_names_template_and_line_of_each_document() {
    let env = chart();
    env.write(
        "chart/crds/crds.yaml",
        "apiVersion: e/v1\nkind: A\nmetadata: {name: a}\n---\n\
         apiVersion: e/v1\nkind: B\nmetadata: {name: b}\n",
    );
    let shown = env.run(&["render", "web", "chart", "--source-map", "out/map.json"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    let map: Value = serde_json::from_str(&env.read("out/map.json")).unwrap();
    assert_eq!(map["schemaVersion"], 1);
    assert_eq!(
        map["documents"][2],
        json!({
            "index": 2, "apiVersion": "v1", "kind": "Secret", "namespace": "other",
            "name": "made-up", "template": "chart/templates/secret.yaml", "templateLine": 1,
            "outputLine": 1, "places": [{"file": "chart/templates/secret.yaml", "line": 1}],
        })
    );
    let places: Vec<String> = map["documents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            format!(
                "{} {}:{}",
                entry["name"], entry["template"], entry["templateLine"]
            )
        })
        .collect();
    insta::assert_snapshot!(places.join("\n"), @r#"
    "a" "chart/crds/crds.yaml":1
    "b" "chart/crds/crds.yaml":5
    "made-up" "chart/templates/secret.yaml":1
    "same" "chart/templates/two.yaml":1
    "dated" "chart/templates/two.yaml":6
    "#);
}

#[test]
fn the_source_map_has_what_show_only_prints() {
    let env = chart();
    let only = ["--show-only", "templates/two.yaml"];
    let mut arguments = vec!["render", "web", "chart", "--source-map", "map.json"];
    arguments.extend(only);
    assert_eq!(env.run(&arguments).code, 0);
    let map: Value = serde_json::from_str(&env.read("map.json")).unwrap();
    assert_eq!(map["documents"].as_array().unwrap().len(), 2);
    assert_eq!(map["documents"][1]["index"], 1);
}

#[test]
fn a_seed_repeats_passwords_certificates_and_times() {
    let env = chart();
    let render = |seed: &str| {
        let shown = env.run(&["render", "web", "chart", "--seed", seed]);
        assert_eq!(shown.code, 0, "{}", shown.all());
        shown.stdout
    };
    assert_eq!(render("7"), render("7"));
    assert_ne!(render("7"), render("8"));
    assert!(render("7").contains("at: '1970-01-01'"));
    let now = "2026-11-21T10:00:00Z";
    let shown = env.run(&["render", "web", "chart", "--seed", "7", "--now", now]);
    assert!(shown.stdout.contains("at: '2026-11-21'"), "{}", shown.all());
}

#[test]
fn the_source_date_repeats_a_render_and_gives_way_to_flags() {
    let env = chart();
    let date = [("SOURCE_DATE_EPOCH", "86400")];
    let render = |further: &[&str]| {
        let mut arguments = vec!["render", "web", "chart"];
        arguments.extend(further);
        env.run_with(&arguments, &date).stdout
    };
    assert_eq!(render(&[]), render(&[]));
    assert!(render(&["--seed", "1"]).contains("at: '1970-01-02'"));
    assert!(render(&["--now", "2001-02-03T00:00:00Z"]).contains("at: '2001-02-03'"));
}

#[test]
fn objects_that_differ_from_render_to_render_are_named_with_their_functions() {
    let env = chart();
    let shown = env.run(&["render", "web", "chart", "--check-deterministic"]);
    insta::assert_snapshot!(shown.all(), @"
    exit: 1
    --- stdout
    --- stderr
    error: 2 of 3 documents differ between two renders
      Secret/made-up (chart/templates/secret.yaml:1), from
        genCA at chart/templates/secret.yaml:6
        randAlphaNum at chart/templates/secret.yaml:5
      ConfigMap/dated (chart/templates/two.yaml:6), from
        now at chart/templates/two.yaml:9
    hint: set in values what the functions make up, or give `--seed N` to repeat one render
    ");
}

#[test]
fn what_differs_is_told_with_the_calls_it_comes_from_wherever_they_are() {
    let env = chart();
    env.write(
        "chart/templates/_helpers.tpl",
        "{{- define \"password\" -}}\n{{- if not .Values.made -}}\n\
         {{- $_ := set .Values \"made\" (randAlpha 9) -}}\n{{- end -}}\n{{ .Values.made }}\n{{- end -}}\n",
    );
    env.write("chart/templates/secret.yaml", "");
    env.write(
        "chart/templates/two.yaml",
        "kind: Secret\nmetadata: {name: one}\npassword: {{ include \"password\" . }}\n---\n\
         kind: ConfigMap\nmetadata: {name: same, at: {{ now | date \"2006\" | len }}}\n---\n\
         kind: Pod\nmetadata: {name: pod, annotations: {sum: {{ include \"password\" . | sha256sum }}}}\n\
         at: {{ tpl \"{{ now }}\" . | quote }}\n",
    );
    let shown = env.run(&["render", "web", "chart", "--check-deterministic"]);
    insta::assert_snapshot!(shown.all(), @"
    exit: 1
    --- stdout
    --- stderr
    error: 2 of 3 documents differ between two renders
      Secret/one (chart/templates/two.yaml:1), from
        randAlpha at chart/templates/_helpers.tpl:3
      Pod/pod (chart/templates/two.yaml:8), from
        now at chart/templates/two.yaml:10
        randAlpha at chart/templates/_helpers.tpl:3
    hint: set in values what the functions make up, or give `--seed N` to repeat one render
    ");
}

#[test]
fn the_source_map_goes_through_includes() {
    let env = chart();
    env.write(
        "chart/templates/_helpers.tpl",
        "{{- define \"pod\" }}\n{{- /* a comment\nof two lines */}}\napiVersion: v1\nkind: Pod\n\
         metadata:\n  name: {{ . }}\n{{- end }}\n{{ define \"all\" -}}\n\
         {{- range list \"a\" \"b\" }}\n---\n{{- include \"pod\" . | nindent 0 }}\n{{- end }}\n{{- end }}",
    );
    env.write("chart/templates/secret.yaml", "");
    env.write(
        "chart/templates/two.yaml",
        "{{- if true }}\n\n{{- /* first */}}\n{{ include \"all\" . }}\n{{- end }}\n---\n{{ $x := 1 -}}\n\
         {{ range list 1 2 }}\n---\nkind: ConfigMap\nmetadata: {name: m{{ . }}}\n{{ end }}",
    );
    let shown = env.run(&["render", "web", "chart", "--source-map", "map.json"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    let map: Value = serde_json::from_str(&env.read("map.json")).unwrap();
    let documents = map["documents"].as_array().unwrap();
    let lines: Vec<String> = documents
        .iter()
        .map(|entry| {
            let places = entry["places"].as_array().unwrap().iter();
            let places: Vec<String> = places
                .map(|place| format!("{}:{}", place["file"].as_str().unwrap(), place["line"]))
                .collect();
            let (name, line) = (&entry["name"], &entry["templateLine"]);
            format!(
                "{name} line {line} of {}: {}",
                entry["template"],
                places.join(" > ")
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    "m1" line 10 of "chart/templates/two.yaml": chart/templates/two.yaml:10
    "m2" line 10 of "chart/templates/two.yaml": chart/templates/two.yaml:10
    "a" line 4 of "chart/templates/two.yaml": chart/templates/two.yaml:4 > chart/templates/_helpers.tpl:12 > chart/templates/_helpers.tpl:4
    "b" line 4 of "chart/templates/two.yaml": chart/templates/two.yaml:4 > chart/templates/_helpers.tpl:12 > chart/templates/_helpers.tpl:4
    "#);
}

#[test]
fn a_fixed_date_does_not_hide_what_differs() {
    let shown = chart().run_with(
        &["render", "web", "chart", "--check-deterministic"],
        &[("SOURCE_DATE_EPOCH", "86400")],
    );
    assert_eq!(shown.code, 1, "{}", shown.all());
}

#[test]
fn a_render_that_repeats_passes_the_check() {
    let env = chart();
    env.write("chart/templates/secret.yaml", "");
    env.write(
        "chart/templates/two.yaml",
        "kind: ConfigMap\napiVersion: v1\nmetadata: {name: same}\n# {{ now | date \"2006\" | len }}\n",
    );
    let shown = env.run(&["render", "web", "chart", "--check-deterministic"]);
    insta::assert_snapshot!(shown.all(), @"
    exit: 0
    --- stdout
    --- stderr
    Rendered twice: 1 document, no difference.
    ");
}
