//! Chart repositories in S3 against a real server of its protocol, which checks signatures and obeys conditions:
//! versitygw of the testbed's oracles, with files of a folder as its objects.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use super::folder::{Shown, TestEnv, answer, serve};
use super::support::oracle;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

const ID: &str = "windlass-test";
const SECRET: &str = "hunter2-never-shown";

/// The server's role, the provider of identities that may take it, and a session of it.
const IAM: &str = r#"{
    "users": {}, "accessKeyIndex": {}, "userNameIndex": {}, "roleNameIndex": {"push": "push"},
    "roles": {"push": {
        "Path": "/", "RoleName": "push", "RoleID": "AROA46V6N2AGSCITRHBRK", "Arn": "arn:aws:iam::000000000000:role/push",
        "CreateDate": "2026-01-01T00:00:00Z", "MaxSessionDuration": 3600,
        "AssumeRolePolicyDocument": "{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\", \"Principal\": {\"Federated\": \"arn:aws:iam::000000000000:oidc-provider/idp.example.com\"}, \"Action\": \"sts:AssumeRoleWithWebIdentity\"}]}",
        "Policies": {"inline": [{"PolicyName": "p", "CreateDate": "2026-01-01T00:00:00Z", "UpdateDate": "2026-01-01T00:00:00Z",
            "PolicyDocument": "{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"s3:*\", \"Resource\": \"*\"}]}"}]}
    }},
    "oidcProviders": {"idp.example.com": {
        "arn": "arn:aws:iam::000000000000:oidc-provider/idp.example.com", "url": "idp.example.com",
        "clientIDList": ["sts.amazonaws.com"], "thumbprintList": ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],
        "createDate": "2026-01-01T00:00:00Z"
    }},
    "sessions": {"ASIATEST0000000000AA": {
        "accessKeyId": "ASIATEST0000000000AA", "secretAccessKey": "hunter2-of-session", "sessionToken": "hunter2/token+=",
        "roleArn": "arn:aws:iam::000000000000:role/push", "roleName": "push", "roleId": "AROA46V6N2AGSCITRHBRK",
        "roleSessionName": "test", "provider": "arn:aws:iam::000000000000:oidc-provider/idp.example.com",
        "audience": "sts.amazonaws.com", "subject": "job", "createDate": "2026-01-01T00:00:00Z",
        "expiration": "2099-01-01T00:00:00Z"
    }}
}"#;

/// A server with the buckets `charts` and `other`.
pub(super) struct Server {
    processes: Vec<Child>,
    endpoint: String,
    folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        for process in &mut self.processes {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

/// Starts versitygw on a free port and returns its address, which answers.
fn versitygw(arguments: &[&str]) -> (Child, String) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testbed/testbed");
    let path = Command::new(program).args(["oracle", "versitygw"]).output();
    let path = String::from_utf8(path.unwrap().stdout).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    let process = Command::new(path.trim())
        .args(["--access", ID, "--secret", SECRET, "--quiet"])
        .args(["--port", &address.to_string()])
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let answers = || TcpStream::connect(address).is_ok();
    let mut waits = 0;
    while waits < 600 && !answers() {
        std::thread::sleep(Duration::from_millis(50));
        waits += 1;
    }
    (process, format!("http://{address}"))
}

impl Server {
    pub(super) fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        for bucket in ["charts", "other"] {
            fs::create_dir_all(data.join(bucket)).unwrap();
        }
        // What it knows of an object is kept with it, not beside it: there it gives old content by the new `ETag`.
        let arguments = [options, &["posix", data.to_str().unwrap()]].concat();
        let (process, endpoint) = versitygw(&arguments);
        Self {
            processes: vec![process],
            endpoint,
            folder,
        }
    }

    /// A file of the bucket, as the server keeps it.
    pub(super) fn object(&self, key: &str) -> PathBuf {
        self.folder.path().join("data/charts").join(key)
    }

    fn index(&self, prefix: &str) -> String {
        fs::read_to_string(self.object(&format!("{prefix}/index.yaml"))).unwrap()
    }

    fn variables<'a>(&'a self, secret: &'a str) -> [(&'a str, &'a str); 3] {
        [
            ("AWS_ACCESS_KEY_ID", ID),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_ENDPOINT_URL_S3", &self.endpoint),
        ]
    }

    /// Runs windlass with the right keys.
    pub(super) fn run(&self, env: &TestEnv, arguments: &[&str]) -> Shown {
        let shown = env.run_with(arguments, &self.variables(SECRET));
        assert!(!shown.all().contains("hunter2"), "{}", shown.all());
        shown
    }
}

fn well(shown: &Shown) {
    assert_eq!(shown.code, 0, "{}", shown.all());
}

fn chart(env: &TestEnv, name: &str, version: &str, text: &str) {
    let head = format!("apiVersion: v2\nname: {name}\nversion: {version}\ndescription: a < b\n");
    env.write(&format!("{name}/Chart.yaml"), &head);
    let template = format!("kind: A\napiVersion: v1\nmetadata: {{name: {text}}}\n");
    env.write(&format!("{name}/templates/a.yaml"), &template);
}

fn umbrella(env: &TestEnv, repository: &str, version: &str) {
    let head = "apiVersion: v2\nname: um\nversion: 1.0.0\ndependencies:\n";
    let web = format!("- {{name: web, version: '{version}', repository: '{repository}'}}\n");
    env.write("um/Chart.yaml", &format!("{head}{web}"));
}

#[test]
fn dependencies_come_from_a_bucket_with_the_right_keys_alone() {
    let (server, env) = (Server::start(), TestEnv::new());
    for version in ["1.0.0", "1.2.0+b.1", "2.0.0"] {
        chart(&env, "web", version, "a");
        well(&server.run(&env, &["chart", "push", "web", "s3://charts/team"]));
    }
    umbrella(&env, "s3://charts/team/", "^1");
    well(&server.run(&env, &["deps", "update", "um"]));
    let archive = env.path().join("um/charts/web-1.2.0+b.1.tgz");
    assert!(archive.is_file());
    let sums = fs::read_to_string(env.path().join("um/Chart.sum")).unwrap();
    assert!(sums.contains("s3://charts/team"), "{sums}");
    let shown = server.run(&env, &["deps", "outdated", "um"]);
    assert!(shown.stdout.contains("2.0.0"), "{}", shown.all());
    let shown = server.run(&env, &["deps", "list", "um"]);
    assert!(
        shown.stdout.contains("s3://charts/team/\tok"),
        "{}",
        shown.all()
    );

    // The keys and the address of the server in AWS's files; a token of a session is signed with the rest.
    env.write(
        ".aws/credentials",
        &format!("[dev]\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n"),
    );
    env.write(
        ".aws/config",
        &format!("[profile dev]\nendpoint_url = {}\n", server.endpoint),
    );
    let again = |variables: &[(&str, &str)]| {
        let gone = ["um/charts", ".cache/windlass"].map(|folder| env.path().join(folder));
        gone.iter()
            .for_each(|folder| drop(fs::remove_dir_all(folder)));
        let shown = env.run_with(&["deps", "build", "um"], variables);
        assert!(!shown.all().contains("hunter2"), "{}", shown.all());
        shown
    };
    well(&again(&[("AWS_PROFILE", "dev")]));
    assert!(archive.is_file());

    let refused = |variables: &[(&str, &str)], wanted: &[&str]| {
        let shown = again(variables);
        assert_eq!(shown.code, 1, "{}", shown.all());
        for part in wanted {
            assert!(shown.stderr.contains(part), "{part}: {}", shown.all());
        }
        assert!(!archive.exists(), "{}", shown.all());
    };
    let place = "reading s3://charts/team/index.yaml at 127.0.0.1:";
    refused(
        &server.variables("hunter2-wrong"),
        &[
            place,
            "403 SignatureDoesNotMatch",
            "the keys of `AWS_ACCESS_KEY_ID`",
            "check the keys",
        ],
    );
    let mut unknown = server.variables(SECRET);
    unknown[0].1 = "nobody";
    // AWS says 403 InvalidAccessKeyId; versitygw has a word of its own.
    refused(
        &unknown,
        &[place, "404 XAdminUserNotFound", "check the keys"],
    );
    refused(
        &[("AWS_ENDPOINT_URL", &server.endpoint)],
        &[
            place,
            "403 AccessDenied",
            "with no credentials",
            "set `AWS_ACCESS_KEY_ID`",
        ],
    );
    refused(&unknown[..1], &["secret access key is missing"]);
    for (repository, wanted) in [
        ("s3://none", "404 NoSuchBucket"),
        (
            "s3://charts/none",
            "there is no s3://charts/none/index.yaml",
        ),
        ("s3://key:hunter2@charts/team", "has no login"),
    ] {
        umbrella(&env, repository, "^1");
        let shown = server.run(&env, &["deps", "update", "um"]);
        assert_eq!(shown.code, 1, "{}", shown.all());
        assert!(shown.stderr.contains(wanted), "{}", shown.all());
    }
}

#[test]
fn charts_are_pulled_and_shown_by_name_and_range() {
    let (server, env) = (Server::start(), TestEnv::new());
    for version in ["1.0.0", "1.1.0", "2.0.0-rc.1"] {
        chart(&env, "web", version, "a");
        well(&server.run(&env, &["chart", "push", "web", "s3://charts"]));
    }
    let pull = |from: &str, more: &[&str]| {
        let arguments = [&["chart", "pull", from, "-d", "out"], more].concat();
        server.run(&env, &arguments)
    };
    assert_eq!(pull("s3://charts/web", &[]).stdout, "out/web-1.1.0.tgz\n");
    assert_eq!(
        pull("s3://charts/web", &["--version", "~1.0"]).stdout,
        "out/web-1.0.0.tgz\n"
    );
    let shown = pull("s3://charts/web-2.0.0-rc.1.tgz", &[]);
    assert_eq!(shown.stdout, "out/web-2.0.0-rc.1.tgz\n");
    for (from, more, wanted) in [
        (
            "s3://charts/web",
            &["--version", "^3"][..],
            "can't get a valid version",
        ),
        (
            "s3://charts/db",
            &[],
            "db chart not found in repo s3://charts",
        ),
        (
            "s3://charts/web-9.tgz",
            &[],
            "there is no s3://charts/web-9.tgz",
        ),
        ("s3://charts", &[], "names no chart"),
    ] {
        let shown = pull(from, more);
        assert_eq!(shown.code, 1, "{}", shown.all());
        assert!(shown.stderr.contains(wanted), "{}", shown.all());
    }
    let shown = server.run(
        &env,
        &["chart", "show", "s3://charts/web", "--version", "1.0.0"],
    );
    assert!(shown.stdout.contains("version: 1.0.0\n"), "{}", shown.all());
}

/// The index has the form that helm gives it, and helm reads it.
#[test]
fn a_push_writes_the_index_as_helm_does_and_replaces_nothing_unasked() {
    let (server, env) = (Server::start(), TestEnv::new());
    let helm = |arguments: &[&str]| {
        let mut command = Command::new(oracle("WINDLASS_ORACLE_HELM"));
        command.args(arguments).current_dir(env.path());
        let output = command.env("HOME", env.path()).output().unwrap();
        well(&Shown::new(&output, env.path()));
    };
    for version in ["1.0.0", "1.1.0"] {
        chart(&env, "web", version, "a");
        helm(&["package", "web", "-d", "packages"]);
        let archive = format!("packages/web-{version}.tgz");
        let shown = server.run(&env, &["chart", "push", &archive, "s3://charts/team"]);
        well(&shown);
        assert!(
            shown
                .stdout
                .starts_with(&format!("Pushed: s3://charts/team/web-{version}.tgz\n"))
        );
    }
    helm(&["repo", "index", "packages"]);
    let untimed = |text: &str| -> Vec<String> {
        let is_time = |line: &&str| line.contains("created: ") || line.contains("generated: ");
        text.lines()
            .filter(|line| !is_time(line))
            .map(str::to_owned)
            .collect()
    };
    let theirs = fs::read_to_string(env.path().join("packages/index.yaml")).unwrap();
    let first = server.index("team");
    assert_eq!(untimed(&first), untimed(&theirs));
    assert_eq!(first.matches("created: \"").count(), 2);

    let push = |more: &[&str]| {
        let arguments = [
            &[
                "chart",
                "push",
                "packages/web-1.1.0.tgz",
                "s3://charts/team",
            ],
            more,
        ];
        server.run(&env, &arguments.concat())
    };
    let shown = push(&[]);
    assert!(
        shown.stdout.starts_with("Already there: "),
        "{}",
        shown.all()
    );
    assert_eq!(server.index("team"), first);
    chart(&env, "web", "1.1.0", "changed");
    helm(&["package", "web", "-d", "packages"]);
    let stored = fs::read(server.object("team/web-1.1.0.tgz")).unwrap();
    let shown = push(&[]);
    assert_eq!(shown.code, 1, "{}", shown.all());
    assert!(
        shown
            .stderr
            .contains("another content is there under this version (sha256 ")
    );
    // Also where the index has lost it.
    fs::remove_file(server.object("team/index.yaml")).unwrap();
    assert_eq!(push(&[]).code, 1);
    assert_eq!(
        fs::read(server.object("team/web-1.1.0.tgz")).unwrap(),
        stored
    );
    well(&push(&["--force"]));
    let own = fs::read(env.path().join("packages/web-1.1.0.tgz")).unwrap();
    assert_eq!(fs::read(server.object("team/web-1.1.0.tgz")).unwrap(), own);

    let shown = server.run(&env, &["chart", "push", "web", "s3://none/team"]);
    assert_eq!(shown.code, 1, "{}", shown.all());
    assert!(
        shown
            .stderr
            .contains("s3://none/team/index.yaml at 127.0.0.1:"),
        "{}",
        shown.all()
    );
    assert!(shown.stderr.contains("404 NoSuchBucket"), "{}", shown.all());
}

#[test]
fn ten_who_push_at_once_lose_no_entry() {
    let (server, env) = (Server::start(), TestEnv::new());
    let push = |name: &str| {
        let mut command = env.command(&["chart", "push", name, "s3://charts/race"]);
        command.envs(server.variables(SECRET));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let names: Vec<String> = (0..10).map(|number| format!("web{number}")).collect();
    names
        .iter()
        .for_each(|name| chart(&env, name, "1.0.0", "a"));
    let pushers: Vec<Child> = names.iter().map(|name| push(name)).collect();
    for pusher in pushers {
        well(&Shown::new(&pusher.wait_with_output().unwrap(), env.path()));
    }
    let index = server.index("race");
    for name in &names {
        assert!(index.contains(&format!("\n  {name}:\n")), "{name}: {index}");
        assert!(server.object(&format!("race/{name}-1.0.0.tgz")).is_file());
    }

    // Of different contents under one version the first wins, and the index has its digest.
    let pushers: Vec<Child> = (0..6)
        .map(|number| {
            let folder = format!("of{number}/same");
            env.write(
                &format!("{folder}/Chart.yaml"),
                "apiVersion: v2\nname: same\nversion: 1.0.0\n",
            );
            env.write(&format!("{folder}/values.yaml"), &format!("a: {number}\n"));
            push(&folder)
        })
        .collect();
    let codes: Vec<i32> = pushers
        .into_iter()
        .map(|pusher| Shown::new(&pusher.wait_with_output().unwrap(), env.path()).code)
        .collect();
    assert_eq!(
        codes.iter().filter(|code| **code == 0).count(),
        1,
        "{codes:?}"
    );
    umbrella(&env, "s3://charts/race", "*");
    let chart = fs::read_to_string(env.path().join("um/Chart.yaml")).unwrap();
    env.write("um/Chart.yaml", &chart.replace("name: web", "name: same"));
    well(&server.run(&env, &["deps", "update", "um"]));
}

/// What a run that was cut short left undone is done by the same command again.
#[test]
fn what_was_cut_short_is_finished_by_the_next_run() {
    let (server, env) = (Server::start(), TestEnv::new());
    chart(&env, "web", "1.0.0", "a");
    well(&env.run(&["chart", "package", "web"]));
    let push = |told: &str| {
        let shown = server.run(&env, &["chart", "push", "web-1.0.0.tgz", "s3://charts/t"]);
        assert!(shown.stdout.starts_with(told), "{}", shown.all());
    };
    let [archive, provenance] =
        ["t/web-1.0.0.tgz", "t/web-1.0.0.tgz.prov"].map(|key| server.object(key));
    // The provenance came later, or was not written any more.
    push("Pushed: ");
    env.write("web-1.0.0.tgz.prov", "signed");
    push("Already there: ");
    assert!(provenance.is_file());
    // The index names an archive that is not there.
    fs::remove_file(&archive).unwrap();
    push("Pushed: ");
    assert!(archive.is_file());
    // The archive is there, and the index does not name it.
    let empty = "apiVersion: v1\nentries: {}\n";
    fs::write(server.object("t/index.yaml"), empty).unwrap();
    let delete = || server.run(&env, &["chart", "delete", "web", "1.0.0", "s3://charts/t"]);
    well(&delete());
    assert!(!archive.exists() && !provenance.exists());
    let shown = delete();
    assert_eq!(shown.code, 1, "{}", shown.all());
    assert!(
        shown.stderr.contains("chart web 1.0.0 is not there"),
        "{}",
        shown.all()
    );
    // An archive of another chart, whose name is the same in the end, stays.
    fs::write(&archive, "other").unwrap();
    assert_eq!(delete().code, 1);
    assert!(archive.exists());
}

/// Whoever comes last: an index never names an archive that is not there.
#[test]
fn pushes_and_deletes_of_one_version_leave_nothing_half() {
    let (server, env) = (Server::start(), TestEnv::new());
    chart(&env, "web", "1.0.0", "a");
    let push = ["chart", "push", "web", "s3://charts/t"];
    let delete = ["chart", "delete", "web", "1.0.0", "s3://charts/t"];
    let start = |arguments: &[&str]| {
        let mut command = env.command(arguments);
        command.envs(server.variables(SECRET));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    for round in 0..8 {
        well(&server.run(&env, &push));
        let both = [start(&delete), start(&push), start(&delete), start(&push)];
        for one in both {
            let shown = Shown::new(&one.wait_with_output().unwrap(), env.path());
            // Of two deletes one may find nothing.
            assert!(
                shown.code == 0 || shown.stderr.contains("is not there"),
                "{}",
                shown.all()
            );
        }
        let is_listed = server.index("t").contains("version: 1.0.0");
        let is_there = server.object("t/web-1.0.0.tgz").exists();
        assert_eq!(is_listed, is_there, "round {round}");
    }
}

#[test]
fn a_hostile_index_gets_nothing() {
    let (server, env) = (Server::start(), TestEnv::new());
    chart(&env, "web", "1.0.0", "a");
    well(&server.run(&env, &["chart", "push", "web", "s3://charts/team"]));
    let archive = server.object("team/web-1.0.0.tgz");
    let stored = fs::read(&archive).unwrap();
    fs::write(
        server.folder.path().join("data/other/web-1.0.0.tgz"),
        &stored,
    )
    .unwrap();
    fs::write(server.object("team/page.tgz"), "<html>hello</html>").unwrap();
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&heads);
    let elsewhere = serve(move |head| {
        seen.lock().unwrap().push(head.to_lowercase());
        answer("200 OK", "", &stored)
    });
    umbrella(&env, "s3://charts/team", "1.0.0");
    let update = |url: &str, digest: &str| {
        let index = format!(
            "apiVersion: v1\nentries:\n  web:\n  - name: web\n    version: 1.0.0\n    urls: ['{url}']\n    \
             digest: '{digest}'\n"
        );
        fs::write(server.object("team/index.yaml"), index).unwrap();
        let gone = [
            ".cache/windlass",
            "um/charts",
            "um/Chart.lock",
            "um/Chart.sum",
        ];
        for path in gone.map(|path| env.path().join(path)) {
            drop(fs::remove_dir_all(&path));
            drop(fs::remove_file(&path));
        }
        server.run(&env, &["deps", "update", "um"])
    };
    for (url, digest, code, wanted) in [
        (
            "s3://other/web-1.0.0.tgz",
            "",
            1,
            "is in another bucket than its index",
        ),
        (
            "//other/web-1.0.0.tgz",
            "",
            1,
            "is in another bucket than its index",
        ),
        (
            "file:///etc/passwd",
            "",
            1,
            "addresses of `file` are not fetched",
        ),
        (
            "%2e%2e%2fother/web.tgz",
            "",
            1,
            "its key has a part that is not allowed",
        ),
        (
            "../../../../etc/passwd",
            "",
            1,
            "there is no s3://charts/etc/passwd",
        ),
        ("page.tgz", "", 1, "is no archive of chart web 1.0.0"),
        (
            "web-1.0.0.tgz",
            &"0".repeat(64),
            7,
            "the index of its repository says 000",
        ),
    ] {
        let shown = update(url, digest);
        assert_eq!(shown.code, code, "{url}: {}", shown.all());
        assert!(shown.stderr.contains(wanted), "{url}: {}", shown.all());
        assert!(!env.path().join("um/charts/web-1.0.0.tgz").exists());
    }
    // An archive elsewhere is fetched as anybody would.
    well(&update(&format!("http://{elsewhere}/web-1.0.0.tgz"), ""));
    let head = heads.lock().unwrap().join("");
    assert!(
        !head.contains("authorization") && !head.contains("x-amz-"),
        "{head}"
    );

    for text in ["", "<html>: <", "entries: {}"] {
        fs::write(server.object("team/index.yaml"), text).unwrap();
        let shown = server.run(&env, &["deps", "update", "um"]);
        assert_eq!(shown.code, 1, "{}", shown.all());
        assert!(
            shown
                .stderr
                .contains("s3://charts/team is not a valid chart repository")
        );
        // Nor is it written over.
        let shown = server.run(&env, &["chart", "push", "web", "s3://charts/team"]);
        assert_eq!(shown.code, 1, "{}", shown.all());
        assert_eq!(server.index("team"), text);
    }
}

/// The keys of a session are good with its token alone. Nobody can take a role here in truth, since the server asks no
/// provider of identities on this machine: what it answers to a token of a stranger shows that it understood the question.
#[test]
fn sessions_have_tokens_and_roles_are_not_given_to_strangers() {
    let env = TestEnv::new();
    env.write("iam/iam.json", IAM);
    let [folder, socket] = ["iam", "socket"].map(|name| env.path().join(name));
    let [folder, socket] = [&folder, &socket].map(|path| path.to_str().unwrap());
    let (iam, sts) = versitygw(&["iam", "--dir", folder, "--private-ports", socket]);
    let mut server = Server::start_with(&["--iam-standalone-endpoint", socket]);
    server.processes.push(iam);
    chart(&env, "web", "1.0.0", "a");
    let push = |variables: &[(&str, &str)]| {
        let shown = env.run_with(&["chart", "push", "web", "s3://charts/team"], variables);
        let told = shown.all();
        assert!(
            !told.contains("hunter2") && !told.contains("c3RyYW5nZXI"),
            "{told}"
        );
        shown
    };
    let mut session = server.variables("hunter2-of-session").to_vec();
    session[0].1 = "ASIATEST0000000000AA";
    let with = |token| [session.as_slice(), &[("AWS_SESSION_TOKEN", token)]].concat();
    for (variables, wanted) in [
        (with("hunter2-other"), "400 InvalidToken"),
        (session.clone(), "403 InvalidAccessKeyId"),
    ] {
        let shown = push(&variables);
        assert_eq!(shown.code, 1, "{}", shown.all());
        assert!(shown.stderr.contains(wanted), "{}", shown.all());
    }
    well(&push(&with("hunter2/token+=")));

    // {"iss": "https://stranger.example.com", "aud": "sts.amazonaws.com", "sub": "stranger", "exp": 4070908800}
    let token = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJodHRwczovL3N0cmFuZ2VyLmV4YW1wbGUuY29tIiwiYXVkIjoic3RzLmFtYXpvbmF3cy5jb20iLCJzdWIiOiJzdHJhbmdlciIsImV4cCI6NDA3MDkwODgwMH0.c3RyYW5nZXI";
    env.write("token", token);
    let role = "arn:aws:iam::000000000000:role/push";
    let identity = |role| {
        [
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "token"),
            ("AWS_ROLE_ARN", role),
            ("AWS_ENDPOINT_URL_S3", &server.endpoint),
            ("AWS_ENDPOINT_URL_STS", &sts),
        ]
    };
    for (role, wanted) in [
        (role, "400 InvalidIdentityToken"),
        ("arn:aws:iam::000000000000:role/none", "403 AccessDenied"),
    ] {
        let shown = push(&identity(role));
        assert_eq!(shown.code, 1, "{}", shown.all());
        assert!(
            shown
                .stderr
                .contains(&format!("taking the role {role} at 127.0.0.1:"))
        );
        assert!(shown.stderr.contains(wanted), "{}", shown.all());
    }

    // A stand-in for STS that gives what the server knows.
    let credentials = "<R><AccessKeyId>ASIATEST0000000000AA</AccessKeyId>\
        <SecretAccessKey>hunter2-of-session</SecretAccessKey><SessionToken>hunter2/token+=</SessionToken></R>";
    let stand_in = serve(move |_| answer("200 OK", "", credentials.as_bytes()));
    let stand_in = format!("http://{stand_in}");
    let mut identity = identity(role);
    identity[3].1 = &stand_in;
    let shown = push(&identity);
    assert!(shown.stdout.starts_with("Already there"), "{}", shown.all());
}
