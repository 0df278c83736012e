//! The registry client and kbld's lock flow against real registries: one open, one with a login.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail the test"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use windlass::image::{Locks, Question, Reference, lock, rewrite};
use windlass::object::Source;
use windlass::registry::{Client, Error, Settings, resolve_all};

/// The login that the testbed's second registry knows.
const LOGIN: &str = "windlass:testbed";
/// The same in base64, as docker's configuration holds it.
const AUTH: &str = "d2luZGxhc3M6dGVzdGJlZA==";

/// The address of the registry without login.
pub(crate) fn open() -> String {
    variable("WINDLASS_TEST_REGISTRY")
}

/// The address of the registry with a login.
fn closed() -> String {
    variable("WINDLASS_TEST_REGISTRY_AUTH")
}

fn variable(name: &str) -> String {
    let hint = "run the tests as `tests/testbed/testbed run -- cargo test --test cluster`";
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: {hint}"))
}

/// Pushes a small image and returns its digest.
pub(crate) fn push(image: &str, user: Option<&str>) -> String {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testbed/testbed");
    let mut command = Command::new(program);
    command.arg("push");
    if let Some(user) = user {
        command.args(["--user", user]);
    }
    let output = command.arg(image).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "push {image}: {told}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A repository of this run's own.
pub(crate) fn repository(registry: &str, name: &str) -> String {
    format!("{registry}/test-{}/{name}", std::process::id())
}

async fn ask(image: &str, settings: Settings) -> Result<String, Error> {
    let client = Client::new(settings).unwrap();
    client
        .resolve(&Reference::parse(image).unwrap(), None)
        .await
        .map(|named| named.digest.to_string())
}

fn login(folder: &Path, registry: &str, auth: &str) -> Settings {
    let file: PathBuf = folder.join("config.json");
    let text = format!("{{\"auths\": {{\"http://{registry}/v2/\": {{\"auth\": \"{auth}\"}}}}}}");
    std::fs::write(&file, text).unwrap();
    Settings {
        docker_configs: vec![file],
        ..Settings::default()
    }
}

#[tokio::test]
async fn a_tag_becomes_the_digest_that_was_pushed() {
    let image = format!("{}:1.0", repository(&open(), "web"));
    let digest = push(&image, None);
    assert_eq!(ask(&image, Settings::default()).await, Ok(digest));
}

#[tokio::test]
async fn a_missing_tag_names_its_neighbours_and_a_missing_repository_is_told() {
    let repository = repository(&open(), "tags");
    push(&format!("{repository}:1.29.1"), None);
    let error = ask(&format!("{repository}:1.92.1"), Settings::default())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("repository {repository} has no tag 1.92.1 (404)")
    );
    assert_eq!(error.hint().as_deref(), Some("tags that are there: 1.29.1"));
    let missing = format!("{}/nobody/nothing:1", open());
    let error = ask(&missing, Settings::default()).await.unwrap_err();
    assert!(matches!(error, Error::NoRepository { .. }), "{error}");
}

#[tokio::test]
async fn a_login_is_taken_from_the_docker_configuration() {
    let registry = closed();
    let image = format!("{}:1", repository(&registry, "secret"));
    let digest = push(&image, Some(LOGIN));
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        ask(&image, login(folder.path(), &registry, AUTH)).await,
        Ok(digest)
    );

    let error = ask(&image, Settings::default()).await.unwrap_err();
    assert!(error.to_string().contains("wants a login"), "{error}");
    let wrong = login(folder.path(), &registry, "d2luZGxhc3M6d3Jvbmc=");
    let error = ask(&image, wrong).await.unwrap_err();
    assert!(
        error.to_string().ends_with("config.json are not accepted"),
        "{error}"
    );
    assert!(
        error
            .hint()
            .unwrap()
            .contains(&format!("docker login {registry}"))
    );
}

#[tokio::test]
async fn a_registry_that_is_down_or_unknown_is_told_apart() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = ask(&format!("{free}/web:1"), Settings::default())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("registry {free} refuses connections")
    );
    let error = ask("registry.invalid/web:1", Settings::default())
        .await
        .unwrap_err();
    let want = "registry host registry.invalid is unknown: its name does not resolve";
    assert_eq!(error.to_string(), want);
}

#[tokio::test]
async fn a_locked_render_needs_no_registry() {
    let image = format!("{}:2", repository(&open(), "locked"));
    let digest = push(&image, None);
    let client = Client::new(Settings::default()).unwrap();
    let answer = client.answer(&Question::of(&image)).await.unwrap();
    let entries = [lock::locked(&image, &answer.reference)];
    let mut locks = Locks::default();
    locks
        .add(
            "a.lock.yml",
            lock::text(&entries, &[], "").unwrap().as_bytes(),
        )
        .unwrap();

    let source = Source {
        file: "pod.yaml".to_owned(),
        line: 1,
    };
    let text = format!("spec:\n  containers:\n  - image: \"{image}\" # pinned\n");
    let out = rewrite(text.as_bytes(), &source, &locks).unwrap();
    let name = Reference::parse(&image).unwrap().name();
    let want = format!("spec:\n  containers:\n  - image: \"{name}@{digest}\" # pinned\n");
    assert_eq!(String::from_utf8(out.text).unwrap(), want);
    assert_eq!(out.unlocked, []);
}

#[tokio::test]
async fn many_images_of_one_registry_are_resolved_at_once() {
    let repository = repository(&open(), "many");
    let mut images = Vec::new();
    for tag in 0..10 {
        let image = format!("{repository}:{tag}");
        push(&image, None);
        images.push(Question::of(&image));
    }
    let client = Client::new(Settings::default()).unwrap();
    let answers = resolve_all(&client, &images).await;
    assert_eq!(answers.len(), 10);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

/// Runs the program in a folder, with nothing in its environment but a home; stdout and stderr.
fn windlass(folder: &Path, arguments: &[&str]) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_program_locks_a_chart_and_renders_it_frozen() {
    let repository = repository(&closed(), "chart");
    let image = format!("{repository}:1");
    let digest = push(&image, Some(LOGIN));
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    write(
        "windlass.yaml",
        "version: 1\nname: shop\nchart: chart\nlocks: locks\n",
    );
    write(
        "chart/Chart.yaml",
        "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
    );
    let pod = format!("kind: Pod\napiVersion: v1\nmetadata: {{name: web}}\nimage: {image} # x\n");
    write("chart/templates/pod.yaml", &pod);

    let (_, told) = windlass(folder.path(), &["lock"]);
    assert!(told.contains("wants a login"), "{told}");
    let auths = format!(
        "{{\"auths\": {{\"{}\": {{\"auth\": \"{AUTH}\"}}}}}}",
        closed()
    );
    write(".docker/config.json", &auths);
    let (_, told) = windlass(folder.path(), &["lock"]);
    assert!(
        told.contains("Wrote locks/shop.lock.yml: 1 of 1 image resolved."),
        "{told}"
    );
    let (rendered, told) = windlass(folder.path(), &["render", "--frozen"]);
    assert!(
        rendered.ends_with(&format!("image: {repository}@{digest} # x\n")),
        "{rendered}{told}"
    );
    let (_, told) = windlass(folder.path(), &["lock", "--update"]);
    assert!(
        told.contains("Nothing to change in locks/shop.lock.yml"),
        "{told}"
    );
}
