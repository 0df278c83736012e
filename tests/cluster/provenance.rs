//! Provenance: what the real helm and gpg sign is verified, and everything else is refused, by helm as well.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use super::deps::{helm, package, well};
use super::folder::{Shown, TestEnv, file, serve};
use super::registry::open;
use super::s3::Server;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// A folder with the keys that gpg makes there.
struct Keys(TestEnv);

impl Drop for Keys {
    fn drop(&mut self) {
        // The agent that gpg started.
        let mut end = Command::new("gpgconf");
        end.args(["--kill", "all"])
            .env("GNUPGHOME", self.0.path().join("gnupg"));
        drop(end.output());
    }
}

impl Keys {
    fn new() -> Self {
        let keys = Self(TestEnv::new());
        keys.0.write("gnupg/gpg-agent.conf", "");
        let folder = keys.0.path().join("gnupg");
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
        keys
    }

    fn gpg(&self, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new("gpg")
            .args([
                "--batch",
                "--yes",
                "--pinentry-mode",
                "loopback",
                "--passphrase",
                "",
            ])
            .args(arguments)
            .current_dir(self.0.path())
            .env("GNUPGHOME", self.0.path().join("gnupg"))
            .output()
            .expect("gpg is there: `apt-get install gnupg`");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "gpg {arguments:?}: {told}");
        output.stdout
    }

    /// Makes a key that signs, and files of its halves.
    fn make(&self, name: &str, kind: &str, options: &[&str], life: &str) {
        let user = format!("{name} <{name}@example.com>");
        self.gpg(&[options, &["--quick-gen-key", &user, kind, "sign", life]].concat());
        self.export(name);
        let secret = self.gpg(&["--export-secret-keys", name]);
        fs::write(self.0.path().join(format!("{name}.sec")), secret).unwrap();
    }

    fn export(&self, name: &str) {
        let public = self.gpg(&["--export", name]);
        fs::write(self.0.path().join(format!("{name}.gpg")), public).unwrap();
    }

    fn fingerprint(&self, name: &str) -> String {
        let listed = self.gpg(&["--with-colons", "--list-keys", name]);
        let listed = String::from_utf8(listed).unwrap();
        let line = listed.lines().find(|line| line.starts_with("fpr:"));
        line.unwrap().split(':').nth(9).unwrap().to_owned()
    }

    fn path(&self, file: &str) -> String {
        self.0.path().join(file).display().to_string()
    }

    /// Signs a chart with helm, into `packages/`.
    fn sign(&self, env: &TestEnv, chart: &str, key: &str) {
        let source = format!("src/{chart}");
        let ring = self.path(&format!("{key}.sec"));
        let sign = ["--sign", "--key", key, "--keyring", &ring, "-d", "packages"];
        well(&helm(env, &[&["package", &source][..], &sign].concat()));
    }
}

const ARCHIVE: &str = "packages/web-1.0.0.tgz";
const PROVENANCE: &str = "packages/web-1.0.0.tgz.prov";

/// A signed chart in a repository, and an umbrella that needs it.
fn repository(keys: &Keys, key: &str) -> TestEnv {
    let env = TestEnv::new();
    package(&env, "web", "1.0.0");
    keys.sign(&env, "web", key);
    let packages = env.path().join("packages");
    let url = serve(move |head| file(Path::new(&packages), head));
    let head = "apiVersion: v2\nname: um\nversion: 1.0.0\ndependencies:\n";
    let web = format!("- {{name: web, version: ^1, repository: 'http://{url}'}}\n");
    env.write("um/Chart.yaml", &format!("{head}{web}"));
    well(&helm(&env, &["repo", "index", "packages"]));
    env
}

fn update(env: &TestEnv, when: &str, ring: &str) -> Shown {
    for folder in ["um/charts", ".cache/windlass"] {
        drop(fs::remove_dir_all(env.path().join(folder)));
    }
    for file in ["um/Chart.sum", "um/Chart.lock"] {
        drop(fs::remove_file(env.path().join(file)));
    }
    env.run(&["deps", "update", "um", "--verify", when, "--keyring", ring])
}

/// Refused by windlass with these words and without a trace, and by helm too.
fn refused(env: &TestEnv, ring: &str, told: &str) {
    let shown = update(env, "always", ring);
    assert_eq!(shown.code, 7, "{told}: {}", shown.all());
    assert!(shown.stderr.contains(told), "{told}: {}", shown.all());
    for trace in ["um/charts", "um/Chart.sum"] {
        assert!(!env.path().join(trace).exists(), "{trace}");
    }
    let theirs = helm(env, &["verify", ARCHIVE, "--keyring", ring]);
    assert_ne!(theirs.code, 0, "{told}: {}", theirs.all());
}

#[test]
fn what_helm_signed_is_verified() {
    let keys = Keys::new();
    keys.make("team", "rsa2048", &[], "never");
    let env = repository(&keys, "team");
    let ring = keys.path("team.gpg");
    let shown = update(&env, "always", &ring);
    well(&shown);
    assert!(
        shown
            .stderr
            .contains("Verified web 1.0.0: signed by team <team@example.com> ("),
        "{}",
        shown.all()
    );
    well(&helm(
        &env,
        &["verify", "um/charts/web-1.0.0.tgz", "--keyring", &ring],
    ));
    // What is in charts/ is enough, without any network.
    let build = ["deps", "build", "um", "--offline", "--verify", "always"];
    well(&env.run(&[&build[..], &["--keyring", &ring]].concat()));
    // Other forms of the same key, and the keybox of gpg itself.
    fs::write(
        keys.path("team.asc"),
        keys.gpg(&["--armor", "--export", "team"]),
    )
    .unwrap();
    for form in [
        keys.path("team.asc"),
        keys.path("gnupg/pubring.kbx"),
        keys.path("team.sec"),
    ] {
        well(&update(&env, "always", &form));
    }
    let home = keys.path("gnupg");
    let shown = env.run_with(&build, &[("GNUPGHOME", home.as_str())]);
    well(&shown);
    let shown = env.run(&build);
    assert_eq!(shown.code, 2, "{}", shown.all());
    assert!(
        shown.stderr.contains("pubring.gpg: No such file"),
        "{}",
        shown.all()
    );
}

#[test]
fn what_was_changed_or_is_not_signed_is_refused() {
    let keys = Keys::new();
    keys.make("team", "rsa2048", &[], "never");
    keys.make("other", "ed25519", &[], "never");
    let env = repository(&keys, "team");
    let ring = keys.path("team.gpg");
    let (archive, provenance) = (env.path().join(ARCHIVE), env.path().join(PROVENANCE));
    let signed = fs::read_to_string(&provenance).unwrap();

    refused(&env, &keys.path("other.gpg"), "which is not in");
    let other = signed.replace("name: me", "name: you");
    assert_ne!(other, signed);
    fs::write(&provenance, &other).unwrap();
    refused(&env, &ring, "its text is not the one that was signed");
    fs::write(&provenance, "none").unwrap();
    refused(&env, &ring, "it is no clearsigned text");
    let unsigned = signed.split("-----BEGIN PGP SIGNATURE").next().unwrap();
    fs::write(&provenance, unsigned).unwrap();
    refused(&env, &ring, "it is no clearsigned text");
    // That of another chart, by the right key.
    package(&env, "db", "1.0.0");
    keys.sign(&env, "db", "team");
    fs::copy(env.path().join("packages/db-1.0.0.tgz.prov"), &provenance).unwrap();
    refused(
        &env,
        &ring,
        "it is not of web-1.0.0.tgz, but of \"db-1.0.0.tgz\"",
    );
    // Another archive, of which the index knows.
    fs::write(&provenance, &signed).unwrap();
    let own = fs::read(&archive).unwrap();
    env.write("src/web/values.yaml", "a: evil\n");
    well(&helm(&env, &["package", "src/web", "-d", "packages"]));
    well(&helm(&env, &["repo", "index", "packages"]));
    refused(&env, &ring, "it is of an archive with");
    // None at all.
    fs::remove_file(&provenance).unwrap();
    refused(&env, &ring, "it has no provenance");
    let shown = update(&env, "ifpresent", &ring);
    well(&shown);
    assert!(
        shown
            .stderr
            .contains("has no provenance, it is not verified"),
        "{}",
        shown.all()
    );
    well(&update(&env, "never", "none.gpg"));
    fs::write(&archive, own).unwrap();
}

#[test]
fn keys_that_may_not_sign_now_are_refused() {
    let keys = Keys::new();
    keys.make(
        "old",
        "rsa2048",
        &["--faked-system-time=20200101T000000!"],
        "1y",
    );
    let env = repository(&keys, "old");
    refused(&env, &keys.path("old.gpg"), "has expired");

    // A clock that is a little ahead, and one that is wrong.
    keys.make("team", "rsa2048", &[], "never");
    let env = repository(&keys, "team");
    let text = fs::read_to_string(env.path().join(PROVENANCE)).unwrap();
    let text = text.split("\n\n").skip(1).collect::<Vec<_>>().join("\n\n");
    let text = text.split("-----BEGIN").next().unwrap();
    fs::write(keys.path("text"), text).unwrap();
    let sign = |seconds: i64| {
        let time = (jiff::Timestamp::now().as_second() + seconds).to_string();
        let time = format!("--faked-system-time={time}!");
        let signed = keys.gpg(&[&time, "-u", "team", "-o", "-", "--clearsign", "text"]);
        fs::write(env.path().join(PROVENANCE), signed).unwrap();
    };
    sign(120);
    well(&update(&env, "always", &keys.path("team.gpg")));
    sign(3600);
    refused(&env, &keys.path("team.gpg"), "is of the future");

    keys.make("gone", "rsa2048", &[], "never");
    let env = repository(&keys, "gone");
    well(&update(&env, "always", &keys.path("gone.gpg")));
    let print = keys.fingerprint("gone");
    let certificate = format!("gnupg/openpgp-revocs.d/{print}.rev");
    let text = fs::read_to_string(keys.path(&certificate)).unwrap();
    fs::write(
        keys.path("gone.rev"),
        text.replace(":-----BEGIN", "-----BEGIN"),
    )
    .unwrap();
    keys.gpg(&["--import", "gone.rev"]);
    keys.export("gone");
    refused(&env, &keys.path("gone.gpg"), "is revoked");
}

/// gpg signs with a subkey, whose key only vouches for it.
#[test]
fn subkeys_sign_for_their_key() {
    let keys = Keys::new();
    keys.make("team", "rsa2048", &[], "never");
    let env = repository(&keys, "team");
    let signed = fs::read_to_string(env.path().join(PROVENANCE)).unwrap();
    let text = signed
        .split("\n\n")
        .skip(1)
        .collect::<Vec<_>>()
        .join("\n\n");
    let text = text.split("-----BEGIN PGP SIGNATURE").next().unwrap();
    fs::write(keys.path("text"), text.trim_end()).unwrap();

    keys.gpg(&[
        "--quick-gen-key",
        "sub <sub@example.com>",
        "rsa2048",
        "cert",
        "never",
    ]);
    let print = keys.fingerprint("sub");
    keys.gpg(&["--quick-add-key", &print, "ed25519", "sign", "2y"]);
    keys.export("sub");
    keys.gpg(&[
        "--local-user",
        "sub",
        "--output",
        "text.asc",
        "--clearsign",
        "text",
    ]);
    fs::copy(keys.path("text.asc"), env.path().join(PROVENANCE)).unwrap();
    let ring = keys.path("sub.gpg");
    well(&helm(&env, &["verify", ARCHIVE, "--keyring", &ring]));
    well(&update(&env, "always", &ring));
    // Revoked, it signs no longer.
    let listed = String::from_utf8(keys.gpg(&["--with-colons", "--list-keys", "sub"])).unwrap();
    let subkey = listed
        .lines()
        .skip_while(|line| !line.starts_with("sub:"))
        .nth(1)
        .unwrap();
    let subkey = subkey.split(':').nth(9).unwrap();
    assert_ne!(subkey, print);
    let mut edit = Command::new("gpg");
    edit.args([
        "--pinentry-mode",
        "loopback",
        "--passphrase",
        "",
        "--command-fd",
        "0",
    ])
    .args(["--no-tty", "--edit-key", &print])
    .env("GNUPGHOME", keys.path("gnupg"))
    .stdin(std::process::Stdio::piped())
    .stdout(std::process::Stdio::null())
    .stderr(std::process::Stdio::null());
    let mut edit = edit.spawn().unwrap();
    let words = "key 1\nrevkey\ny\n0\n\ny\nsave\n";
    std::io::Write::write_all(&mut edit.stdin.take().unwrap(), words.as_bytes()).unwrap();
    assert!(edit.wait().unwrap().success());
    keys.export("sub");
    refused(&env, &ring, "the subkey of sub <sub@example.com> (");
}

/// Provenance is a layer of its own in a registry, as helm has it there.
#[test]
fn provenance_goes_to_a_registry_and_back() {
    let keys = Keys::new();
    keys.make("team", "rsa2048", &[], "never");
    let env = repository(&keys, "team");
    let ring = keys.path("team.gpg");
    let place = format!("oci://{}/signed-{}", open(), std::process::id());
    let (theirs, ours) = (format!("{place}/theirs"), format!("{place}/ours"));
    well(&helm(&env, &["push", ARCHIVE, &theirs, "--plain-http"]));
    well(&env.run(&["chart", "push", ARCHIVE, &ours]));
    let of = |place: &str| format!("{place}/web");
    let verify = ["--verify", "always", "--keyring", &ring];
    for place in [&theirs, &ours] {
        let folder = place.rsplit('/').next().unwrap();
        let pull = [
            "chart",
            "pull",
            &of(place),
            "--version",
            "1.0.0",
            "-d",
            folder,
        ];
        let shown = env.run(&[&pull[..], &verify].concat());
        well(&shown);
        assert!(
            shown.stderr.contains("Verified: signed by team"),
            "{}",
            shown.all()
        );
        let read = |path: String| fs::read(env.path().join(path)).unwrap();
        assert_eq!(
            read(format!("{folder}/web-1.0.0.tgz.prov")),
            read(PROVENANCE.to_owned())
        );
        env.write(&format!("helms-{folder}/.keep"), "");
        let into = format!("helms-{folder}");
        let of = of(place);
        let pull = [
            "pull",
            &of,
            "--version",
            "1.0.0",
            "-d",
            &into,
            "--plain-http",
        ];
        well(&helm(
            &env,
            &[&pull[..], &["--verify", "--keyring", &ring]].concat(),
        ));
    }
    let head = "apiVersion: v2\nname: um\nversion: 1.0.0\ndependencies:\n";
    let web = format!("- {{name: web, version: ^1, repository: '{ours}'}}\n");
    env.write("um/Chart.yaml", &format!("{head}{web}"));
    well(&update(&env, "always", &ring));
    // Without its layer it is refused, and nothing is written.
    fs::remove_file(env.path().join(PROVENANCE)).unwrap();
    well(&env.run(&["chart", "push", ARCHIVE, &ours]));
    let pull = [
        "chart",
        "pull",
        &of(&ours),
        "--version",
        "1.0.0",
        "-d",
        "none",
    ];
    let shown = env.run(&[&pull[..], &verify].concat());
    assert_eq!(shown.code, 7, "{}", shown.all());
    assert!(!env.path().join("none").exists());
    assert_eq!(update(&env, "always", &ring).code, 7);
}

#[test]
fn provenance_goes_to_a_bucket_and_back() {
    let keys = Keys::new();
    keys.make("alice", "rsa2048", &[], "never");
    keys.make("bob", "rsa2048", &[], "never");
    let env = repository(&keys, "alice");
    let server = Server::start();
    well(&server.run(&env, &["chart", "push", ARCHIVE, "s3://charts/team"]));
    let [alice, bob] = ["alice.gpg", "bob.gpg"].map(|ring| keys.path(ring));
    let by_name = "s3://charts/team/web";
    let by_file = "s3://charts/team/web-1.0.0.tgz";
    let pull = |from: &str, ring: &str, when: &str| {
        let flags = ["--verify", when, "--keyring", ring, "-d", "pulled"];
        server.run(&env, &[&["chart", "pull", from][..], &flags].concat())
    };
    let same = |file: &str| {
        let name = file.trim_start_matches("packages/");
        let pulled = fs::read(env.path().join("pulled").join(name)).unwrap();
        assert!(pulled == fs::read(env.path().join(file)).unwrap(), "{file}");
    };
    for from in [by_name, by_file] {
        let shown = pull(from, &alice, "always");
        well(&shown);
        assert!(shown.stderr.contains("signed by alice"), "{}", shown.all());
        same(ARCHIVE);
        same(PROVENANCE);
        fs::remove_dir_all(env.path().join("pulled")).unwrap();

        let shown = pull(from, &bob, "ifpresent");
        assert_eq!(shown.code, 7, "{}", shown.all());
        assert!(!env.path().join("pulled/web-1.0.0.tgz").exists());
    }
    fs::remove_file(server.object("team/web-1.0.0.tgz.prov")).unwrap();
    for from in [by_name, by_file] {
        let shown = pull(from, &alice, "always");
        assert_eq!(shown.code, 7, "{}", shown.all());
        assert!(
            shown.stderr.contains("has no provenance"),
            "{}",
            shown.all()
        );
        well(&pull(from, &alice, "ifpresent"));
    }
}
