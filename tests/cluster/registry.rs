//! The registry client and kbld's lock flow against real registries: one open, one with a login.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail the test"
)]

use super::folder::script;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use windlass::image::{Locks, Notice, Question, Reference, lock, rewrite};
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
    let edits = rewrite(text.as_bytes(), &source, &locks, false, |notice| {
        assert!(matches!(
            notice,
            Notice::Image {
                is_locked: true,
                ..
            }
        ));
    })
    .unwrap();
    let name = Reference::parse(&image).unwrap().name();
    let want = format!("spec:\n  containers:\n  - image: \"{name}@{digest}\" # pinned\n");
    assert_eq!(*edits.apply(text.as_bytes()), *want.as_bytes());
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
    let answers = resolve_all(&client, &images, &BTreeSet::new()).await;
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

/// A project of one pod with this image, in a folder with a login for the registry with TLS that a
/// credential helper knows.
fn project(image: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    let project = "version: 1\nname: shop\nchart: chart\nlocks: locks\n";
    write("windlass.yaml", project);
    let chart = "apiVersion: v2\nname: chart\nversion: 1.0.0\n";
    write("chart/Chart.yaml", chart);
    let pod = format!("kind: Pod\napiVersion: v1\nmetadata: {{name: web}}\nimage: {image}\n");
    write("chart/templates/pod.yaml", &pod);
    write(".docker/config.json", "{\"credsStore\": \"test\"}");
    let helper = "read server\necho \"$1 $server\" >> \"$HOME/asked\"\n\
                  echo '{\"Username\": \"windlass\", \"Secret\": \"testbed\"}'\n";
    script(&folder.path().join("docker-credential-test"), helper);
    folder
}

/// Runs the program with the folder on its search path; exit code, stdout and stderr.
fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap_or(-1);
    (code, text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_registry_with_tls_and_a_credential_helper_is_locked_and_verified() {
    let authority = variable("WINDLASS_TEST_REGISTRY_CA");
    let image = format!(
        "{}:1",
        repository(&variable("WINDLASS_TEST_REGISTRY_TLS"), "tls")
    );
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testbed/testbed");
    let push = ["push", "--user", LOGIN, "--ca", &authority, &image];
    assert!(Command::new(program).args(push).status().unwrap().success());
    let folder = project(&image);
    let (code, _, told) = run(folder.path(), &["lock"]);
    assert!(
        code == 1 && told.contains("signed by an unknown authority"),
        "{told}"
    );
    let trusting = ["--registry-ca-cert-path", authority.as_str()];
    let (code, _, told) = run(folder.path(), &[&["lock"], &trusting[..]].concat());
    assert_eq!(code, 0, "{told}");
    let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap();
    let host = image.split('/').next().unwrap();
    assert_eq!(asked, format!("get {host}\n"));
    let verify = |platform: &str| {
        let arguments = ["lock", "verify", "--platform", platform];
        run(folder.path(), &[&arguments, &trusting[..]].concat())
    };
    let (code, shown, told) = verify("linux/amd64");
    assert!(code == 0 && shown.contains("  ok  "), "{shown}{told}");
    let (code, _, told) = verify("linux/arm64");
    assert!(
        code == 4 && told.contains("is not for linux/arm64, but for linux/amd64"),
        "{told}"
    );
}

#[test]
fn a_tag_that_moves_is_outdated_until_the_lock_is_updated() {
    let name = repository(&open(), "moving");
    push(&format!("{name}:1.0"), None);
    let newest = push(&format!("{name}:1.1"), None);
    let folder = project(&format!("{name}:1.0"));
    let lock = folder.path().join("locks/shop.lock.yml");
    let (code, _, told) = run(folder.path(), &["lock"]);
    assert_eq!(code, 0, "{told}");
    let locked = std::fs::read_to_string(&lock).unwrap();
    let with_comment = locked.replace("overrides:\n", "overrides:\n# the shop\n");
    std::fs::write(&lock, &with_comment).unwrap();
    let (code, shown, _) = run(folder.path(), &["lock", "outdated", "--exit-code"]);
    assert!(
        code == 3 && shown.contains("current") && shown.contains("  1.1  "),
        "{shown}"
    );

    // As if the tag had named another digest when it was locked.
    let digest = locked.split("sha256:").nth(1).unwrap()[..64].to_owned();
    let moved = with_comment.replace(&digest, newest.trim_start_matches("sha256:"));
    std::fs::write(&lock, moved).unwrap();
    let (code, shown, _) = run(folder.path(), &["lock", "outdated", "--exit-code"]);
    assert!(code == 3 && shown.contains("moved"), "{shown}");
    let (code, _, told) = run(folder.path(), &["lock", "--update"]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(std::fs::read_to_string(&lock).unwrap(), with_comment);

    let set = format!("{name}:1.0={name}:1.1");
    let (code, _, told) = run(folder.path(), &["lock", "set", &set]);
    assert!(code == 0 && told.contains("(changed)"), "{told}");
    let text = std::fs::read_to_string(&lock).unwrap();
    assert!(
        text.contains(&newest) && text.contains("# the shop") && text.contains("tag: \"1.1\""),
        "{text}"
    );

    // What was set stays set.
    let (code, shown, _) = run(folder.path(), &["lock", "outdated", "--exit-code"]);
    assert!(code == 0 && shown.contains("current"), "{shown}");
    let (code, _, told) = run(folder.path(), &["lock", "--update"]);
    assert!(code == 0 && told.contains("(same)"), "{told}");

    let (code, _, told) = run(folder.path(), &["lock", "prune"]);
    assert!(code == 0 && told.contains("Nothing to prune"), "{told}");
    std::fs::write(folder.path().join("chart/templates/pod.yaml"), "").unwrap();
    let (code, shown, told) = run(folder.path(), &["lock", "prune"]);
    assert!(code == 2 && shown.contains(&name), "{shown}{told}");
    let (code, _, told) = run(folder.path(), &["lock", "prune", "--yes"]);
    assert_eq!(code, 0, "{told}");
    assert!(!std::fs::read_to_string(&lock).unwrap().contains(&name));
}
