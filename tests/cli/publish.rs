//! `windlass lock publish` against real bare git repositories.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use super::support::{Shown, TestEnv, script};
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

const DIGEST: &str = "sha256:f798cfd4c6a6a1d1d1e2d3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";

/// A bare config repository with a project file, and a git that knows nobody.
fn env() -> TestEnv {
    let env = TestEnv::new();
    env.write(".gitconfig", "[init]\n\tdefaultBranch = main\n");
    git(&env, ".", &["init", "-q", "--bare", "config.git"]);
    git(&env, ".", &["clone", "-q", "config.git", "other"]);
    env.write(
        "other/windlass.yaml",
        "version: 1\nname: my-app\nlocks: app-locks\n",
    );
    commit(&env, "begin");
    env
}

fn git(env: &TestEnv, folder: &str, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=someone",
            "-c",
            "user.email=someone@example.com",
        ])
        .args(arguments)
        .current_dir(env.path().join(folder))
        .env("HOME", env.path())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

/// Pushes all files of the other clone.
fn commit(env: &TestEnv, message: &str) {
    git(env, "other", &["add", "-A"]);
    git(env, "other", &["commit", "-q", "-m", message]);
    git(env, "other", &["push", "-q", "origin", "HEAD"]);
}

fn hook(env: &TestEnv, path: &str, text: &str) {
    script(&env.path().join(path), text);
}

fn lock(image: &str, letter: char) -> String {
    let digest = DIGEST.replace('f', &letter.to_string());
    format!(
        "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\noverrides:\n- image: {image}\n  \
         newImage: a.io/shop/{image}@{digest}\n  origins:\n  - git:\n      dirty: false\n      \
         remoteURL: https://git.example.com/{image}.git\n      sha: 1a2b3c\n  preresolved: true\n"
    )
}

fn publish(env: &TestEnv, file: &str, arguments: &[&str]) -> Shown {
    let arguments = [&["lock", "publish", file], arguments].concat();
    env.run_with(&arguments, &[("CI_JOB_URL", "https://ci.example.com/7")])
}

fn shown(env: &TestEnv, what: &str) -> String {
    git(env, "config.git", &["show", what])
}

#[test]
fn a_lock_lands_where_the_project_file_says_and_once() {
    let env = env();
    env.write("web.lock.yml", &lock("web", 'a'));
    let first = publish(&env, "web.lock.yml", &["--config-repo", "config.git"]);
    assert_eq!(
        (first.code, first.stdout.as_str()),
        (0, ""),
        "{}",
        first.all()
    );
    let commit = git(&env, "config.git", &["rev-parse", "--short=12", "main"]);
    let want = format!(
        "Published app-locks/web.lock.yml to main of $DIR/config.git as {}.\n",
        commit.trim()
    );
    assert_eq!(first.stderr, want);
    assert_eq!(shown(&env, "main:app-locks/web.lock.yml"), lock("web", 'a'));

    let again = publish(&env, "web.lock.yml", &["--config-repo", "config.git"]);
    let want = "exit: 0\n--- stdout\n--- stderr\n\
                Nothing to publish: app-locks/web.lock.yml of main in $DIR/config.git is this lock.\n";
    assert_eq!(again.all(), want);

    env.write("web.lock.yml", &lock("web", 'b'));
    let author = [
        "--config-repo",
        "config.git",
        "--author",
        "Deploy Bot <bot@example.com>",
    ];
    let second = publish(&env, "web.lock.yml", &author);
    assert_eq!(second.code, 0, "{}", second.all());
    let format = ["log", "--format=%an <%ae> %cn%n%B", "-n2", "main"];
    insta::assert_snapshot!(git(&env, "config.git", &format), @"
    Deploy Bot <bot@example.com> Deploy Bot
    my-app: lock web

    web
      old: a.io/shop/web@sha256:a798cad4c6a6a1d1d1e2d3b4c5d6e7a8091a2b3c4d5e6a708192a3b4c5d6e7a8
      new: a.io/shop/web@sha256:b798cbd4c6a6a1d1d1e2d3b4c5d6e7b8091a2b3c4d5e6b708192a3b4c5d6e7b8

    Source: https://git.example.com/web.git 1a2b3c
    Published-by: https://ci.example.com/7

    windlass <windlass@localhost> windlass
    my-app: lock web

    web
      old: none
      new: a.io/shop/web@sha256:a798cad4c6a6a1d1d1e2d3b4c5d6e7a8091a2b3c4d5e6a708192a3b4c5d6e7a8

    Source: https://git.example.com/web.git 1a2b3c
    Published-by: https://ci.example.com/7
    ");
}

#[test]
fn the_identity_of_git_goes_before_the_bots() {
    let env = env();
    env.write(
        ".gitconfig",
        "[user]\n\tname = Jo\n\temail = jo@example.com\n",
    );
    env.write("web.yml", &lock("web", 'a'));
    let done = publish(&env, "web.yml", &["--config-repo", "config.git"]);
    assert_eq!(done.code, 0, "{}", done.all());
    let author = git(
        &env,
        "config.git",
        &["log", "--format=%an %ae", "-n1", "main"],
    );
    assert_eq!(author, "Jo jo@example.com\n");
}

#[test]
fn locks_that_are_published_side_by_side_all_land() {
    let env = env();
    let names = ["a", "b", "c", "d", "e"];
    let runs = names.map(|name| {
        env.write(&format!("{name}.yml"), &lock(name, 'a'));
        let arguments = [
            "lock",
            "publish",
            &format!("{name}.yml"),
            "--config-repo",
            "config.git",
        ];
        env.command(&arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    });
    for run in runs {
        assert!(run.wait_with_output().unwrap().status.success());
    }
    for name in names {
        assert_eq!(
            shown(&env, &format!("main:app-locks/{name}.yml")),
            lock(name, 'a')
        );
    }
    assert_eq!(
        git(&env, "config.git", &["rev-list", "--count", "main"]),
        "6\n"
    );
}

/// The commit is made; before it is pushed, another one is.
fn overtaken(file: &str) -> (TestEnv, Shown) {
    let env = env();
    let other = env.path().join("other").display().to_string();
    env.write(".gitconfig", "[core]\n\thooksPath = ~/hooks\n");
    hook(
        &env,
        "hooks/pre-push",
        &format!(
            "[ -e $HOME/done ] && exit 0\n: >$HOME/done\ncd {other} && mkdir -p app-locks && cp $HOME/{file} app-locks/ \
             && unset GIT_DIR && git add -A && git -c user.name=o -c user.email=o@o commit -qm other && git push -q origin HEAD\n"
        ),
    );
    env.write("web.yml", &lock("web", 'a'));
    env.write("other.yml", &lock("other", 'a'));
    env.write("theirs/web.yml", &lock("web", 'b'));
    let shown = publish(&env, "web.yml", &["--config-repo", "config.git"]);
    (env, shown)
}

#[test]
fn a_faster_push_of_another_lock_is_built_upon() {
    let (env, done) = overtaken("other.yml");
    assert_eq!(done.code, 0, "{}", done.all());
    let subjects = git(&env, "config.git", &["log", "--format=%s", "main"]);
    assert_eq!(subjects, "my-app: lock web\nother\nbegin\n");
}

#[test]
fn a_faster_push_of_the_same_lock_is_not_written_over() {
    let (env, done) = overtaken("theirs/web.yml");
    assert_eq!(
        done.all(),
        "exit: 7\n--- stdout\n--- stderr\n\
         error: another run changed app-locks/web.yml of main at the same time\n\
         hint: run it again to put this lock over it\n"
    );
    assert_eq!(shown(&env, "main:app-locks/web.yml"), lock("web", 'b'));
}

#[test]
fn a_refused_push_tells_what_the_hook_said_and_a_branch_is_the_way_out() {
    let env = env();
    hook(
        &env,
        "config.git/hooks/update",
        "[ $1 = refs/heads/main ] || exit 0\necho 'main is protected: ask the platform team' >&2\nexit 1\n",
    );
    env.write("web.yml", &lock("web", 'a'));
    let refused = publish(&env, "web.yml", &["--config-repo", "config.git"]);
    assert_eq!(
        refused.all(),
        "exit: 1\n--- stdout\n--- stderr\n\
         error: $DIR/config.git refuses the push to main: hook declined\n    \
         main is protected: ask the platform team\n    \
         error: hook declined to update refs/heads/main\n\
         hint: push to a branch of its own, for a pull request: `--branch NAME`\n"
    );
    // The same repository, by the address that it would have at a forge.
    let bare = env.path().join("config.git").display().to_string();
    let address = "https://github.com/ops/config.git";
    env.write(
        ".gitconfig",
        &format!("[url \"{bare}\"]\n\tinsteadOf = {address}\n"),
    );
    let arguments = ["--config-repo", address, "--branch", "bump/web"];
    let done = publish(&env, "web.yml", &arguments);
    assert_eq!(done.code, 0, "{}", done.all());
    let page =
        "Open a pull request: https://github.com/ops/config/compare/main...bump/web?expand=1\n";
    assert!(done.stderr.ends_with(page), "{}", done.all());
    env.write("web.yml", &lock("web", 'b'));
    assert_eq!(publish(&env, "web.yml", &arguments).code, 0);
    assert_eq!(shown(&env, "bump/web:app-locks/web.yml"), lock("web", 'b'));
    assert_eq!(
        git(
            &env,
            "config.git",
            &["rev-list", "--count", "main..bump/web"]
        ),
        "2\n"
    );
}

#[test]
fn a_repository_that_is_not_there_is_told() {
    let env = env();
    env.write("web.yml", &lock("web", 'a'));
    let done = publish(&env, "web.yml", &["--config-repo", "nowhere.git"]);
    assert_eq!(done.code, 1, "{}", done.all());
    let start = "error: read config repository nowhere.git\n    fatal: 'nowhere.git' does not appear to be a git repository\n";
    assert!(done.stderr.starts_with(start), "{}", done.all());
    assert!(
        done.stderr.contains("hint: check the address"),
        "{}",
        done.all()
    );
    assert_eq!(publish(&env, "web.yml", &[]).code, 2);
}

/// Answers every request with 401, and keeps the last `Authorization` header.
fn server() -> (
    std::net::SocketAddr,
    std::sync::Arc<std::sync::Mutex<String>>,
) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let kept = std::sync::Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut text, mut chunk) = (String::new(), [0; 4096]);
            while !text.contains("\r\n\r\n") {
                let read = stream.read(&mut chunk).unwrap();
                text.push_str(&String::from_utf8_lossy(&chunk[..read]));
            }
            if let Some(line) = text.lines().find(|line| line.starts_with("Authorization")) {
                line.clone_into(&mut kept.lock().unwrap());
            }
            let answer = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\
                          Content-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    (address, seen)
}

#[test]
fn credentials_reach_the_server_and_nobody_else() {
    let env = env();
    env.write("web.yml", &lock("web", 'a'));
    let (address, seen) = server();
    // What git is called with can be read by everybody on the machine.
    let real = String::from_utf8(
        Command::new("sh")
            .args(["-c", "command -v git"])
            .output()
            .unwrap()
            .stdout,
    )
    .unwrap();
    hook(
        &env,
        "bin/git",
        &format!(
            "printf '%s\\n' \"$*\" >>{}/calls\nexec {} \"$@\"\n",
            env.path().display(),
            real.trim()
        ),
    );
    let url = format!("http://deployer:s3cr%2Ft-token@{address}/ops/config.git");
    let path = format!(
        "{}:{}",
        env.path().join("bin").display(),
        std::env::var("PATH").unwrap()
    );
    let done = env.run_with(
        &["lock", "publish", "web.yml", "--config-repo", &url, "-vv"],
        &[("PATH", &path), ("GIT_TRACE_CURL", "0")],
    );
    assert_eq!(done.code, 1, "{}", done.all());
    assert!(
        done.stderr.contains("Authentication failed"),
        "{}",
        done.all()
    );
    assert!(
        done.stderr
            .contains("hint: git needs credentials that may write"),
        "{}",
        done.all()
    );
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode("deployer:s3cr/t-token");
    assert_eq!(
        *seen.lock().unwrap(),
        format!("Authorization: Basic {pair}")
    );
    for text in [done.all(), env.read("calls")] {
        for secret in ["s3cr", "deployer", &pair] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn in_a_working_copy_only_the_lock_is_committed() {
    let env = env();
    git(&env, ".", &["clone", "-q", "config.git", "mine"]);
    env.write(
        "mine/windlass.yaml",
        "version: 1\nname: my-app\nlocks: app-locks\n# not yet\n",
    );
    env.write("mine/new.txt", "not yet\n");
    git(&env, "mine", &["add", "new.txt"]);
    env.write("web.yml", &lock("web", 'a'));
    let done = publish(&env, "web.yml", &["--config-repo", "mine"]);
    assert_eq!(done.code, 0, "{}", done.all());
    let files = git(
        &env,
        "config.git",
        &["show", "--format=", "--name-only", "main"],
    );
    assert_eq!(files, "app-locks/web.yml\n");
    let status = git(&env, "mine", &["status", "--short"]);
    assert_eq!(status, "A  new.txt\n M windlass.yaml\n");
}

#[test]
fn a_working_copy_that_is_behind_is_rebased() {
    let env = env();
    git(&env, ".", &["clone", "-q", "config.git", "mine"]);
    env.write("other/README", "new\n");
    commit(&env, "meanwhile");
    env.write("web.yml", &lock("web", 'a'));
    env.write(
        ".gitconfig",
        "[user]\n\tname = Jo\n\temail = jo@example.com\n",
    );
    let done = publish(&env, "web.yml", &["--config-repo", "mine"]);
    assert_eq!(done.code, 0, "{}", done.all());
    let subjects = git(&env, "config.git", &["log", "--format=%s", "main"]);
    assert_eq!(subjects, "my-app: lock web\nmeanwhile\nbegin\n");
}

#[test]
fn what_would_break_the_config_repository_is_not_pushed() {
    let env = env();
    env.write("other/app-locks/all.yml", &lock("web", 'a'));
    commit(&env, "lock");
    env.write("web.yml", &lock("web", 'b'));
    let done = publish(&env, "web.yml", &["--config-repo", "config.git"]);
    assert_eq!(done.code, 1, "{}", done.all());
    for place in [
        "app-locks/all.yml:4:3",
        " app-locks/web.yml:4:3",
        "nothing was pushed",
    ] {
        assert!(done.stderr.contains(place), "{}", done.all());
    }
    let sources =
        "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\nsources:\n- image: web\n  path: .\n";
    env.write("kbld.yml", sources);
    assert_eq!(
        publish(&env, "kbld.yml", &["--config-repo", "config.git"]).code,
        2
    );
    env.write(
        "other/windlass.yaml",
        "version: 1\nname: my-app\nlocks: ../../etc\n",
    );
    commit(&env, "out");
    let done = publish(&env, "web.yml", &["--config-repo", "config.git"]);
    assert_eq!(
        done.stderr,
        "error: `locks` of the config repository leads out of it\n"
    );
    assert_eq!(
        git(&env, "config.git", &["rev-list", "--count", "main"]),
        "3\n"
    );
}

/// A lock of an image built at that time from a commit.
fn built(letter: char, commit: &str, time: &str) -> String {
    let git = "  - git:\n      dirty: false\n      remoteURL: https://git.example.com/web.git\n      sha: 1a2b3c\n";
    let origins = git.replace("1a2b3c", commit);
    lock("web", letter).replace(
        git,
        &format!("{origins}  - built:\n      builder: docker\n      time: '{time}'\n"),
    )
}

#[test]
fn an_older_lock_is_not_put_over_a_newer_one_by_accident() {
    let env = env();
    let to = ["--config-repo", "config.git"];
    let put = |letter, commit: &str, time: &str, more: &[&str]| {
        env.write("web.yml", &built(letter, commit, time));
        publish(&env, "web.yml", &[&to, more].concat())
    };
    let (early, late) = ("2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z");
    assert_eq!(put('a', "aaaa", late, &[]).code, 0);
    let refused = put('b', "bbbb", early, &[]);
    assert_eq!(
        refused.all(),
        "exit: 7\n--- stdout\n--- stderr\n\
         error: web.yml is older than app-locks/web.yml in the config repository: \
         `web` was built at 2026-11-20T10:00:00Z, there it was built at 2026-11-20T11:00:00Z\n\
         hint: add `--force` to publish it all the same, for example to roll back\n"
    );
    assert_eq!(put('b', "bbbb", early, &["--force"]).code, 0);

    // Commits that follow each other say more than times.
    git(&env, ".", &["init", "-q"]);
    let commit = || {
        git(&env, ".", &["commit", "-q", "--allow-empty", "-m", "x"]);
        git(&env, ".", &["rev-parse", "HEAD"]).trim().to_owned()
    };
    let (first, second) = (commit(), commit());
    assert_eq!(put('c', &second, late, &[]).code, 0);
    let refused = put('d', &first, "2026-11-20T12:00:00Z", &[]);
    assert_eq!(refused.code, 7, "{}", refused.all());
    let reason = format!("is of commit {first}, there it is of its descendant {second}");
    assert!(refused.stderr.contains(&reason), "{}", refused.all());
    assert_eq!(put('e', &commit(), early, &[]).code, 0);
}
