//! `windlass lock build` against the real registry: buildah builds and pushes, and every builder of
//! kbld is started as kbld starts it when it pushes.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use super::folder::builds;
use super::registry::{open, push, repository};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use windlass::image::Reference;
use windlass::registry::{Client, Settings};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn windlass(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(arguments)
        .current_dir(folder)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The digest that a tag names in the registry.
async fn digest(image: &str) -> String {
    let client = Client::new(Settings::default()).unwrap();
    let image = Reference::parse(image).unwrap();
    client
        .resolve(&image, None)
        .await
        .unwrap()
        .digest
        .to_string()
}

/// The reference under which an image was pushed to its repository.
fn pushed(record: &str, repository: &str) -> String {
    let start = format!("[{repository}:");
    let mut words = record.split_whitespace();
    let word = words.find(|word| word.starts_with(&start)).unwrap();
    word.trim_matches(['[', ']']).to_owned()
}

/// A real build. Where there is no buildah the test is reported as ignored: `make test` installs it
/// where it may, and runs the ignored tests where it is.
#[tokio::test]
#[ignore = "needs buildah: `apt-get install buildah`, then run with --include-ignored"]
async fn buildah_builds_and_pushes_what_the_lock_then_names() {
    let folder = tempfile::tempdir().unwrap();
    let base = format!("{}:1", repository(&open(), "base"));
    let repository = repository(&open(), "built");
    push(&base, None);
    let config = format!(
        "image: web\n---\napiVersion: kbld.k14s.io/v1alpha1\nkind: Config\nsources:\n\
         - image: web\n  path: app\n  buildah: {{build: {{rawOptions: [--tls-verify=false]}}}}\n\
         - image: worker\n  path: app\n  buildah: {{build: {{target: worker}}}}\ndestinations:\n\
         - image: web\n  newImage: {repository}\n  tags: [\"1.0\", latest]\n\
         - image: worker\n  newImage: {repository}-worker\n"
    );
    let dockerfile =
        format!("FROM scratch AS worker\nCOPY page /page\nFROM {base}\nCOPY page /page\n");
    fs::create_dir(folder.path().join("app")).unwrap();
    fs::write(folder.path().join("kbld.yaml"), config).unwrap();
    fs::write(folder.path().join("app/Dockerfile"), dockerfile).unwrap();
    fs::write(folder.path().join("app/page"), "hello\n").unwrap();
    let storage = folder.path().join("storage").display().to_string();
    let store = format!(
        "[storage]\ndriver = \"vfs\"\ngraphroot = \"{storage}/graph\"\nrunroot = \"{storage}/run\"\n"
    );
    fs::write(folder.path().join("storage.conf"), store).unwrap();
    let store = folder.path().join("storage.conf").display().to_string();
    let variables = [
        ("CONTAINERS_STORAGE_CONF", store.as_str()),
        ("BUILDAH_ISOLATION", "chroot"),
    ];
    let arguments = ["lock", "build", "-f", "kbld.yaml", "-o", "lock.yml"];
    let output = windlass(folder.path(), &arguments, &variables);
    let told = text(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(
        told.contains("web | [2/2] STEP 2/2: COPY page /page\n"),
        "{told}"
    );
    let lock = fs::read_to_string(folder.path().join("lock.yml")).unwrap();
    for tag in ["1.0", "latest"] {
        let pushed = digest(&format!("{repository}:{tag}")).await;
        let line = format!("- image: web\n  newImage: {repository}@{pushed}\n");
        assert!(lock.contains(&line), "{lock}\n{told}");
    }
    assert!(
        lock.contains(&format!("newImage: {repository}-worker@sha256:")),
        "{lock}"
    );
    let verified = format!(
        "{repository}@{}",
        digest(&format!("{repository}:1.0")).await
    );
    let client = Client::new(Settings::default()).unwrap();
    let image = Reference::parse(&verified).unwrap();
    client
        .check(&image, image.digest.as_ref().unwrap(), &[])
        .await
        .unwrap();
}

/// `tests/fixtures/build/stand-in.sh` stands in for the builders: it builds nothing, and pushes a
/// small image of the testbed where they would push theirs. What is expected was recorded from the
/// real kbld with the same stand-ins.
#[tokio::test]
async fn pushing_builders_are_started_as_kbld_starts_them_and_the_registry_tells_the_digest() {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = Path::new(ROOT).join("tests/fixtures/build");
    for path in ["bin", "src/app", "src/other"] {
        fs::create_dir_all(folder.path().join(path)).unwrap();
    }
    for builder in ["docker", "pack", "ko", "bazel", "kubectl"] {
        let copy = folder.path().join("bin").join(builder);
        fs::copy(fixtures.join("stand-in.sh"), copy).unwrap();
    }
    let repository = repository(&open(), "stand-in");
    let mut config = fs::read_to_string(fixtures.join("kbld.yaml")).unwrap() + "destinations:\n";
    let images = [
        "docker-app",
        "plain-app",
        "buildx-app",
        "pack-app",
        "kubectl-app",
        "ko-app",
        "bazel-app",
    ];
    let mut push_to = |matcher: &str, name: &str| {
        config.extend([format!("- {{{matcher}, newImage: {repository}/{name}}}\n")]);
    };
    for image in images {
        push_to(&format!("image: {image}"), image);
    }
    push_to("imageRepo: team/repo-app", "repo");
    fs::write(folder.path().join("kbld.yaml"), config).unwrap();
    let path = format!(
        "{}:{}",
        folder.path().join("bin").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let record = folder.path().join("record").display().to_string();
    let push = Path::new(ROOT)
        .join("tests/testbed/testbed")
        .display()
        .to_string();
    let variables = [
        ("PATH", path.as_str()),
        ("RECORD", &record),
        ("PUSH", &push),
    ];
    let output = windlass(
        folder.path(),
        &["lock", "build", "-f", "kbld.yaml"],
        &variables,
    );
    let (lock, told) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{told}");
    let own = fs::read_to_string(&record).unwrap();
    for image in images.into_iter().chain(["team/repo-app:1.2"]) {
        let repository = match image {
            "team/repo-app:1.2" => format!("{repository}/repo"),
            image => format!("{repository}/{image}"),
        };
        let digest = digest(&pushed(&own, &repository)).await;
        let line = format!("- image: {image}\n  newImage: {repository}@{digest}\n");
        assert!(lock.contains(&line), "{line}{lock}");
    }
    let recorded = fs::read_to_string(fixtures.join("kbld-push.txt")).unwrap();
    assert_eq!(builds(&own), builds(&recorded));
}
