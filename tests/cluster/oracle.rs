//! Renders of the demo charts, the examples and the engine's own charts against the real helm of both
//! versions: the same bytes, and the same errors.

use super::folder::{Shown, TestEnv};
use super::support::oracle;
use std::path::Path;
use std::process::Command;

/// The real helms, built by the testbed, by the version that `--helm-version` has for them.
const HELMS: [(&str, &str); 2] = [
    ("4", "WINDLASS_ORACLE_HELM"),
    ("3", "WINDLASS_ORACLE_HELM3"),
];

/// What helm does with arguments of `template`.
fn helm(env: &TestEnv, variable: &str, arguments: &[&str]) -> Shown {
    let output = Command::new(oracle(variable))
        .arg("template")
        .args(arguments)
        .arg("--include-crds")
        .current_dir(env.path())
        .env("HOME", env.path())
        .output()
        .expect("helm starts");
    Shown::new(&output, env.path())
}

fn same_bytes(folder: &str, arguments: &[&str]) {
    for (version, variable) in HELMS {
        let env = TestEnv::copy_of(folder);
        let mut ours = vec!["render", "--no-locks", "--helm-version", version];
        ours.extend(arguments);
        let rendered = env.run(&ours);
        let expected = helm(&env, variable, arguments);
        let place = format!("{folder} as helm {version}");
        if expected.code != 0 {
            same_failure(&place, &expected, &rendered);
            continue;
        }
        assert_eq!(rendered.code, 0, "{place}: {}", rendered.all());
        let lines = expected.stdout.lines().zip(rendered.stdout.lines());
        for (number, (theirs, ours)) in lines.enumerate() {
            assert_eq!(theirs, ours, "{place}, line {}", number + 1);
        }
        assert_eq!(expected.stdout, rendered.stdout, "{place}");
    }
}

/// Both fail, print nothing, and name the same cause.
fn same_failure(place: &str, expected: &Shown, rendered: &Shown) {
    let all = rendered.all();
    assert_ne!(rendered.code, 0, "{place}: {all}");
    assert_eq!(rendered.stdout, expected.stdout, "{place}");
    let text = expected.stderr.split("Error: ").last().unwrap_or_default();
    let cause = text.split("\n\nUse --debug").next().unwrap_or_default();
    for line in cause.trim().lines() {
        assert!(
            rendered.stderr.contains(line.trim_end()),
            "{place}: {line}\n{all}"
        );
    }
}

/// Umbrellas, libraries, aliases, imported values, hooks, CRDs, schemas, nulls, files, `tpl`, charts of
/// the first version, and what fails: each chart with the flags of its file `args`.
#[test]
fn the_charts_of_the_engine_render_as_helm_renders_them() {
    let charts = "crates/helm/tests/fixtures/charts";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(charts);
    let mut found = 0;
    for entry in std::fs::read_dir(&folder).expect("the charts are there") {
        let case = entry.expect("a folder can be read").path();
        // `structs` prints the version that the binary was built with.
        if !case.join("chart").is_dir() || case.ends_with("structs") {
            continue;
        }
        found += 1;
        let flags = std::fs::read_to_string(case.join("args")).unwrap_or_default();
        let mut arguments = vec!["rel", "chart"];
        arguments.extend(flags.lines());
        let name = case.file_name().unwrap_or_default().to_string_lossy();
        same_bytes(&format!("{charts}/{name}"), &arguments);
    }
    assert!(found > 40, "{found}");
}

/// What both profiles have of their own: chart defaults of null, webhooks, blank lines, missing keys.
#[test]
fn flags_render_as_helm_renders_them() {
    let folder = "crates/helm/tests/fixtures/charts/umbrella";
    for flags in [
        &["--is-upgrade", "--namespace", "other"][..],
        &[
            "--kube-version",
            "1.29.3",
            "--api-versions",
            "a.io/v1,b.io/v2/Kind",
        ],
        &["--no-hooks", "--skip-tests", "--skip-schema-validation"],
        &["--set", "global.a=1,a.b[1]=x", "--set-string", "n=1"],
        &["--set-json", "l=[1,null]", "--set-literal", "t=a,b"],
        &["--set", "broken"],
        &["--kube-version", "x"],
    ] {
        let mut arguments = vec!["rel", "chart"];
        arguments.extend(flags);
        same_bytes(folder, &arguments);
    }
}

#[test]
fn the_demo_renders_as_helm_renders_it() {
    same_bytes("config-repository", &["my-app", "umbrella-chart"]);
}

#[test]
fn the_demo_renders_as_helm_renders_it_in_every_environment() {
    for environment in ["env/staging.yaml", "env/production.yaml"] {
        same_bytes(
            "config-repository",
            &[
                "my-app",
                "umbrella-chart",
                "-f",
                "values.yaml",
                "-f",
                environment,
                "-n",
                "prod",
            ],
        );
    }
}

#[test]
fn values_of_flags_render_as_helm_renders_them() {
    same_bytes(
        "config-repository",
        &[
            "my-app",
            "umbrella-chart",
            "--set",
            "cache.enabled=false,tags.sessions=false,frontend.ingress.enabled=true",
            "--set-string",
            "frontend.image.tag=1e3",
            "--set-json",
            "frontend.resources={\"limits\":{\"cpu\":1}}",
        ],
    );
}

#[test]
fn the_service_and_the_examples_render_as_helm_renders_them() {
    same_bytes("demo-service-repository", &["preview", "umbrella-chart"]);
    same_bytes(
        "examples",
        &["hello", "hello-chart", "--set", "greeting=Good morning"],
    );
}
