//! Renders of the demo charts and examples against the real helm: the same bytes.

use super::folder::TestEnv;
use std::process::Command;

/// The real helm, built by the testbed.
fn helm(env: &TestEnv, arguments: &[&str]) -> Vec<u8> {
    let helm = std::env::var("WINDLASS_ORACLE_HELM")
        .expect("WINDLASS_ORACLE_HELM names the real helm: run `make cluster`");
    let output = Command::new(helm)
        .args(arguments)
        .current_dir(env.path())
        .env("HOME", env.path())
        .output()
        .expect("helm starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn same_bytes(folder: &str, arguments: &[&str]) {
    let env = TestEnv::copy_of(folder);
    let mut ours = vec!["render"];
    ours.extend(arguments);
    ours.push("--no-locks");
    let mut theirs = vec!["template"];
    theirs.extend(arguments);
    theirs.push("--include-crds");
    let rendered = env.run(&ours);
    assert_eq!(rendered.code, 0, "{}", rendered.all());
    let expected = String::from_utf8_lossy(&helm(&env, &theirs)).into_owned();
    similar_asserts(&expected, &rendered.stdout);
}

/// Compares line by line first, so that a failure names the line.
fn similar_asserts(expected: &str, actual: &str) {
    for (number, (theirs, ours)) in expected.lines().zip(actual.lines()).enumerate() {
        assert_eq!(theirs, ours, "line {}", number + 1);
    }
    assert_eq!(expected, actual);
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
