//! `windlass lock build`: how builders are started, stopped and reported.
//!
//! No image is built here: `tests/fixtures/build/stand-in.sh` stands in for the builders and writes
//! down how it was called. What is expected was recorded from the real kbld with the same stand-ins.
//! `tests/cluster/build.rs` builds and pushes for real.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use super::support::{Shown, TestEnv, builds};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/build");

/// A folder with stand-ins for these builders in `bin`; nothing else of that kind can be found.
fn env(builders: &[&str]) -> TestEnv {
    let env = TestEnv::new();
    let script = fs::read_to_string(format!("{FIXTURES}/stand-in.sh")).unwrap();
    fs::create_dir(env.path().join("bin")).unwrap();
    for builder in builders {
        program(&env, builder, &script);
    }
    env
}

/// Writes a program by a process of its own: a file that this one holds open while another test starts
/// a process could not be run (`ETXTBSY`).
fn program(env: &TestEnv, name: &str, script: &str) {
    let write = r#"printf %s "$1" > "$0" && chmod 755 "$0""#;
    let path = env.path().join("bin").join(name);
    let mut shell = Command::new("sh");
    let status = shell.args(["-c", write]).arg(path).arg(script).status();
    assert!(status.unwrap().success(), "{name}");
}

fn config(sources: &str) -> String {
    format!("apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\nsources:\n{sources}")
}

/// `lock build` with a search path of the stand-ins, a shell and git.
fn command(env: &TestEnv, arguments: &[&str]) -> Command {
    let tools = env.path().join("tools");
    if !tools.exists() {
        fs::create_dir(&tools).unwrap();
        for tool in ["sh", "cat", "git", "sleep"] {
            let found = ["/bin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"]
                .map(|folder| Path::new(folder).join(tool));
            let found = found.iter().find(|path| path.exists()).unwrap();
            std::os::unix::fs::symlink(found, tools.join(tool)).unwrap();
        }
    }
    let mut command = env.command(&[&["lock", "build"], arguments].concat());
    command
        .env(
            "PATH",
            format!("{}:{}", env.path().join("bin").display(), tools.display()),
        )
        .env("RECORD", env.path().join("record"))
        .env("SOURCE_DATE_EPOCH", "1700000000");
    command
}

fn build(env: &TestEnv, arguments: &[&str]) -> Shown {
    Shown::new(&command(env, arguments).output().unwrap(), env.path())
}

#[test]
fn every_builder_is_started_as_kbld_starts_it() {
    let env = env(&["docker", "pack", "ko", "bazel", "kubectl"]);
    for folder in ["src/app", "src/other"] {
        fs::create_dir_all(env.path().join(folder)).unwrap();
    }
    let shown = build(
        &env,
        &["-f", &format!("{FIXTURES}/kbld.yaml"), "-o", "lock.yml"],
    );
    assert_eq!(shown.code, 0, "{}", shown.all());
    let recorded = fs::read_to_string(format!("{FIXTURES}/kbld-local.txt")).unwrap();
    assert_eq!(builds(&env.read("record")), builds(&recorded));
    // The names are those that kbld gives to images of this machine.
    let lock = env.read("lock.yml");
    for name in [
        "bazel-app",
        "buildx-app",
        "docker-app",
        "ko-app",
        "pack-app",
        "plain-app",
        "team-repo-app",
    ] {
        let hex = "95fd9c8f829970e165c9b0c1476ce1a3b543229375b5174a3ad1fc7e0b82b25d";
        let line = format!("  newImage: kbld:{name}-sha256-{hex}\n");
        assert!(lock.contains(&line), "{name}: {lock}");
    }
    assert!(lock.contains("  newImage: kbld:rand-17"), "{lock}");
    let listed = env.run(&["lock", "list", "lock.yml"]);
    assert_eq!(listed.code, 0, "{}", listed.all());
}

#[test]
fn without_docker_a_dockerfile_is_built_by_what_is_there() {
    let env = env(&["buildah"]);
    env.write(
        "kbld.yaml",
        &config("- image: web\n  path: .\n  docker: {build: {target: a}}\n"),
    );
    let shown = build(&env, &["-f", "kbld.yaml"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    let record = env.read("record");
    assert!(
        record.starts_with("buildah [build] [--target] [a] [--iidfile]"),
        "{record}"
    );
    assert!(
        record
            .lines()
            .nth(1)
            .unwrap()
            .starts_with("buildah [tag] [95fd9c8f"),
        "{record}"
    );
}

#[test]
fn without_any_builder_the_error_names_what_to_install() {
    let env = env(&[]);
    env.write(
        "kbld.yaml",
        &config(
            "- image: web\n  path: .\n- image: worker\n  path: .\n  pack: {build: {builder: b}}\n",
        ),
    );
    let shown = build(&env, &["-f", "kbld.yaml"]);
    assert_eq!(shown.code, 1, "{}", shown.all());
    let want = "error: 2 of 2 images not built\n  `docker` is not installed, which builds `web`\n  \
                `pack` is not installed, which builds `worker`\n\
                hint: install docker, podman or buildah; buildah needs no daemon: `apt-get install buildah`\n\
                hint: install pack, or name another builder in `sources`\n";
    assert!(shown.stderr.ends_with(want), "{}", shown.all());
    assert_eq!(shown.stdout, "");
}

#[test]
fn a_failed_build_shows_its_status_and_last_lines_while_others_go_on() {
    let env = env(&["ko", "docker"]);
    program(
        &env,
        "buildah",
        "#!/bin/sh\nexec >&2\necho STEP 1\necho 'no space left'\nexit 3\n",
    );
    let sources = "- image: bad\n  path: .\n  buildah: {build: {rawOptions: [--build-arg=TOKEN=s3cret]}}\n\
                   - image: good\n  path: .\n  ko: {}\n";
    env.write("kbld.yaml", &config(sources));
    let shown = build(&env, &["-f", "kbld.yaml", "--build-concurrency=1"]);
    assert_eq!(
        shown.all(),
        "exit: 1\n--- stdout\n--- stderr\n\
         bad | building . with buildah build\nbad | STEP 1\nbad | no space left\n\
         good | building . with ko publish\ngood | ko.local/app-1234:abcd\n\
         good | sha256:95fd9c8f829970e165c9b0c1476ce1a3b543229375b5174a3ad1fc7e0b82b25d\n\
         error: `buildah build` for `bad` ended with status 3\n    STEP 1\n    no space left\n"
    );
}

#[test]
fn builds_run_side_by_side() {
    let env = env(&[]);
    // Each waits for the other: one after the other they would never end.
    let script = "#!/bin/sh\n[ $1 = build ] || exit 0\nfor a; do [ \"$p\" != --iidfile ] || id=$a; p=$a; done\n\
                  : >here; until [ -e ../a/here ] && [ -e ../b/here ]; do sleep 0.01; done\n\
                  echo sha256:95fd9c8f829970e165c9b0c1476ce1a3b543229375b5174a3ad1fc7e0b82b25d >$id\n";
    program(&env, "docker", script);
    env.write("a/Dockerfile", "").write("b/Dockerfile", "");
    env.write(
        "kbld.yaml",
        &config("- image: a\n  path: a\n- image: b\n  path: b\n"),
    );
    let shown = build(&env, &["-f", "kbld.yaml"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
}

/// Whether a process is there and no zombie.
fn is_running(pid: &str) -> bool {
    let mut ps = Command::new("ps");
    let state = ps.args(["-o", "stat=", "-p", pid]).output().unwrap().stdout;
    !state.trim_ascii().is_empty() && !state.starts_with(b"Z")
}

#[test]
fn an_interrupted_build_leaves_nothing_running() {
    let env = env(&[]);
    let script = "#!/bin/sh\nsleep 1000 & echo $$ $! >pids.new; mv pids.new pids; wait\n";
    program(
        &env,
        "docker",
        &script.replace("mv pids.new pids", "cat pids.new >pids"),
    );
    env.write("kbld.yaml", &config("- image: web\n  path: .\n"));
    for (signal, exit) in [("INT", 130), ("TERM", 143)] {
        drop(fs::remove_file(env.path().join("pids")));
        let mut command = command(&env, &["-f", "kbld.yaml", "-o", "lock.yml"]);
        let run = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let pids = loop {
            match fs::read_to_string(env.path().join("pids")) {
                Ok(pids) if pids.ends_with('\n') => break pids,
                _ => std::thread::sleep(std::time::Duration::from_millis(10)),
            }
        };
        let id = run.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", signal, &id])
                .status()
                .unwrap()
                .success()
        );
        let shown = Shown::new(&run.wait_with_output().unwrap(), env.path());
        assert_eq!(shown.code, exit, "{}", shown.all());
        assert!(
            shown.stderr.ends_with("Stopped; no lock was written.\n"),
            "{}",
            shown.all()
        );
        for pid in pids.split_whitespace() {
            // Its end is near, but nobody has waited for what the builder started.
            let ended = (0..1000).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(10));
                !is_running(pid)
            });
            assert!(ended, "{pid} of {pids} still runs");
        }
    }
    assert!(!env.path().join("lock.yml").exists());
}

#[test]
fn a_lock_says_where_its_image_comes_from_and_stays_when_the_image_does() {
    let env = env(&["docker"]);
    env.write("app/kbld.yaml", &config("- image: web\n  path: app\n"));
    let git = |arguments: &[&str]| {
        let status = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.com", "-C"])
            .arg(env.path().join("app"))
            .args(arguments)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", env.path())
            .env("GIT_AUTHOR_DATE", "2024-01-01T00:00:00Z")
            .env("GIT_COMMITTER_DATE", "2024-01-01T00:00:00Z")
            .status();
        assert!(status.unwrap().success(), "git {arguments:?}");
    };
    git(&["init", "-q"]);
    git(&[
        "remote",
        "add",
        "origin",
        "https://ci:s3cret@git.example.com/shop/web.git",
    ]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "first"]);
    git(&["tag", "v1"]);
    let arguments = ["-f", "app/kbld.yaml", "-o", "lock.yml"];
    let run = |url: &str| {
        let output = command(&env, &arguments)
            .env("CI_JOB_URL", url)
            .output()
            .unwrap();
        Shown::new(&output, env.path())
    };
    let shown = run("https://ci.example.com/1");
    assert_eq!(shown.code, 0, "{}", shown.all());
    let lock = env.read("lock.yml");
    insta::assert_snapshot!(lock, @r#"
    apiVersion: kbld.k14s.io/v1alpha1
    kind: Config
    minimumRequiredVersion: 0.28.0
    overrides:
    - image: web
      newImage: kbld:web-sha256-95fd9c8f829970e165c9b0c1476ce1a3b543229375b5174a3ad1fc7e0b82b25d
      origins:
      - git:
          dirty: false
          remoteURL: https://git.example.com/shop/web.git
          sha: f9a2998bee7fab1d1411e9565d22c9ef8021180f
          tags:
          - v1
      - built:
          builder: docker
          run: https://ci.example.com/1
          time: "2023-11-14T22:13:20Z"
      preresolved: true
    "#);
    env.write("app/new", "");
    let shown = run("https://ci.example.com/2");
    assert!(
        shown.stderr.ends_with("nothing to change in lock.yml.\n"),
        "{}",
        shown.all()
    );
    assert_eq!(env.read("lock.yml"), lock);
}

#[test]
fn mistakes_in_sources_have_their_place() {
    for (sources, want) in [
        (
            "- image: web\n  path: nowhere\n",
            "error: kbld.yaml:4:3: path `nowhere` is not a folder\n\
             hint: paths of sources begin at the working directory, as in kbld\n",
        ),
        (
            "- image: web\n  path: .\n  docker: {build: {tagret: a}}\n",
            "error: kbld.yaml:4:3: options of `docker`: unknown field `tagret`, expected one of \
             `target`, `platform`, `pull`, `noCache`, `file`, `buildkit`, `rawOptions`\n",
        ),
        (
            "- image: web\n  path: .\ndestinations:\n- image: web\n  newImage: a.io/web:1\n",
            "error: kbld.yaml:7:3: destination `a.io/web:1` of `web` has to be a repository \
             without tag and digest\nhint: further tags are named by `tags`\n",
        ),
        (
            "- imageRepo: web\n  path: .\n",
            "error: nothing to build in these files\nhint: `sources` says what is built; a source \
             of an `imageRepo` also needs a document that names the image\n",
        ),
    ] {
        let env = env(&["docker"]);
        env.write("kbld.yaml", &config(sources));
        let shown = build(&env, &["-f", "kbld.yaml"]);
        assert_eq!(
            shown.all(),
            format!("exit: 2\n--- stdout\n--- stderr\n{want}")
        );
    }
}
