//! Charts pushed to a real ChartMuseum, to directories and to a real registry, and deleted there; indexes against those of
//! the real helm.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use super::deps::{helm, package, well};
use super::folder::{Shown, TestEnv, copy};
use super::registry::open;
use super::support::oracle;
use serde_json::Value;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A ChartMuseum that runs until it is dropped.
struct Museum {
    process: Child,
    address: String,
}

impl Drop for Museum {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Museum {
    fn start(env: &TestEnv, options: &[&str]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let port = address.port().to_string();
        let process = Command::new(oracle("WINDLASS_ORACLE_CHARTMUSEUM"))
            .args(["--listen-host", "127.0.0.1", "--port", &port])
            .args(["--storage", "local", "--storage-local-rootdir", "store"])
            .args(options)
            .current_dir(env.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let museum = Self {
            process,
            address: address.to_string(),
        };
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(
                begin.elapsed() < Duration::from_secs(30),
                "chartmuseum starts"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        museum
    }
}

fn fails(shown: &Shown, told: &[&str]) {
    assert_ne!(shown.code, 0, "{}", shown.all());
    for text in told {
        assert!(shown.stderr.contains(text), "{text}: {}", shown.all());
    }
}

fn read(env: &TestEnv, path: &str) -> Vec<u8> {
    fs::read(env.path().join(path)).unwrap()
}

/// Tenants two folders deep, mounted below a path, with a login.
/// Pulls and shows the chart by its name, with the login that helm has for the repository.
fn pulls(env: &TestEnv, url: &str, archive: &str) {
    for from in ["@own/web".to_owned(), format!("{url}/web")] {
        well(&env.run(&["chart", "pull", &from, "--version", ">0", "-d", "ours"]));
        assert_eq!(read(env, "ours/web-1.0.0+b.1.tgz"), read(env, archive));
        fs::remove_dir_all(env.path().join("ours")).unwrap();
        let shown = env.run(&["chart", "show", &from]);
        assert!(
            shown.stdout.contains("version: 1.0.0+b.1"),
            "{}",
            shown.all()
        );
    }
    let pull = |from| env.run(&["chart", "pull", from, "-d", "ours"]);
    fails(&pull("@own/none"), &["none chart not found in repo @own"]);
    fails(&pull("@other/web"), &["@other"]);
}

#[test]
fn a_museum_takes_charts_and_gives_them_back() {
    let env = TestEnv::new();
    let museum = Museum::start(
        &env,
        &[
            "--depth=2",
            "--context-path=/museum",
            "--basic-auth-user=me",
            "--basic-auth-pass=hunter2",
        ],
    );
    let url = format!("http://{}/museum/org/team", museum.address);
    package(&env, "web", "1.0.0+b.1");
    let archive = "packages/web-1.0.0+b.1.tgz";
    let signed = "-----BEGIN PGP SIGNED MESSAGE-----\n\nname: web\nversion: 1.0.0+b.1\n...\n";
    env.write(&format!("{archive}.prov"), signed);
    let login = [
        ("HELM_REPO_USERNAME", "me"),
        ("HELM_REPO_PASSWORD", "hunter2"),
    ];
    let run = |arguments: &[&str]| env.run_with(arguments, &login);

    let shown = run(&["chart", "push", archive, &url]);
    well(&shown);
    let there = format!("{url}/charts/web-1.0.0+b.1.tgz");
    assert!(
        shown.stdout.starts_with(&format!("Pushed: {there}\n")),
        "{}",
        shown.all()
    );
    let user = ["--username", "me", "--password", "hunter2"];
    env.write("pulled/.keep", "");
    let pull = [
        "pull",
        "web",
        "--repo",
        &url,
        "--version",
        "1.0.0+b.1",
        "-d",
        "pulled",
        "--prov",
    ];
    well(&helm(&env, &[&pull[..], &user].concat()));
    for file in ["web-1.0.0+b.1.tgz", "web-1.0.0+b.1.tgz.prov"] {
        assert_eq!(
            read(&env, &format!("pulled/{file}")),
            read(&env, &format!("packages/{file}"))
        );
    }
    // As a dependency, by the name that helm knows.
    well(&helm(
        &env,
        &[&["repo", "add", "own", &url][..], &user[..]].concat(),
    ));
    let head = "apiVersion: v2\nname: um\nversion: 1.0.0\ndependencies:\n";
    env.write(
        "um/Chart.yaml",
        &format!("{head}- {{name: web, version: ^1, repository: '@own'}}\n"),
    );
    well(&env.run(&["deps", "update", "um"]));
    assert_eq!(
        read(&env, "um/charts/web-1.0.0+b.1.tgz"),
        read(&env, archive)
    );

    pulls(&env, &url, archive);

    // The same content may come again, by name too; another one has to be meant.
    let shown = env.run(&["chart", "push", archive, "own"]);
    well(&shown);
    assert!(
        shown.stdout.starts_with("Already there: "),
        "{}",
        shown.all()
    );
    env.write("src/web/values.yaml", "a: changed\n");
    let shown = run(&["chart", "push", "src/web", &url]);
    fails(
        &shown,
        &[
            "/museum/api/org/team/charts: 409 Conflict",
            "already exists",
            "--force",
        ],
    );
    well(&run(&["chart", "push", "src/web", &url, "--force"]));

    let other = [
        ("HELM_REPO_USERNAME", "me"),
        ("HELM_REPO_PASSWORD", "wrong"),
    ];
    let shown = env.run_with(&["chart", "push", archive, &url], &other);
    fails(&shown, &["401", "login"]);
    assert!(!shown.all().contains("wrong"), "{}", shown.all());
    let deep = format!("http://{}/museum/org", museum.address);
    fails(
        &run(&["chart", "push", archive, &deep]),
        &["404 Not Found", "--depth"],
    );
    env.write("bad.tgz", "none");
    fails(&run(&["chart", "push", "bad.tgz", &url]), &["gzip"]);

    let delete = ["chart", "delete", "web", "1.0.0+b.1", &url];
    let shown = run(&delete);
    assert_eq!(shown.stdout, "Deleted: web 1.0.0+b.1\n", "{}", shown.all());
    fails(
        &run(&delete),
        &[
            "DELETE ",
            "404 Not Found",
            "check name, version and address",
        ],
    );
    assert_eq!(
        fs::read_dir(env.path().join("store/org/team"))
            .unwrap()
            .count(),
        1
    );
}

/// An authority, and certificates that it signed for server and client, by the engine's own functions.
fn authority(env: &TestEnv) {
    env.write(
        "pki/Chart.yaml",
        "apiVersion: v2\nname: pki\nversion: 1.0.0\n",
    );
    let template = r#"
{{- $ca := genCAWithKey "authority" 30 (genPrivateKey "ecdsa") }}
{{- $server := genSignedCertWithKey "server" (list "127.0.0.1") nil 30 $ca (genPrivateKey "ecdsa") }}
{{- $client := genSignedCertWithKey "client" nil (list "client") 30 $ca (genPrivateKey "ecdsa") }}
kind: A
apiVersion: v1
metadata: {name: a}
data: {{ dict "ca" $ca.Cert "server" $server.Cert "server-key" $server.Key "client" $client.Cert "client-key" $client.Key | toJson }}
"#;
    env.write("pki/templates/a.yaml", template);
    let shown = env.run(&["render", "rel", "pki"]);
    let data = shown
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("data: "));
    let files: Value = serde_json::from_str(data.unwrap()).unwrap();
    for (name, text) in files.as_object().unwrap() {
        env.write(&format!("{name}.pem"), text.as_str().unwrap());
    }
}

#[test]
fn a_museum_is_reached_with_certificates() {
    let env = TestEnv::new();
    authority(&env);
    let tls = [
        "--tls-cert=server.pem",
        "--tls-key=server-key.pem",
        "--tls-ca-cert=ca.pem",
    ];
    let museum = Museum::start(&env, &tls);
    let url = format!("https://{}", museum.address);
    package(&env, "web", "1.0.0");
    let push = ["chart", "push", "packages/web-1.0.0.tgz", &url];
    let ca = ["--ca-file", "ca.pem"];
    let client = ["--cert-file", "client.pem", "--key-file", "client-key.pem"];
    fails(
        &env.run(&[&push[..], &client].concat()),
        &["unknown authority"],
    );
    fails(&env.run(&[&push[..], &ca].concat()), &[]);
    well(&env.run(&[&push[..], &ca, &client].concat()));
}

/// The index of a folder is that of helm but for the times: charts of both formats, folders, an address, a merge.
#[test]
fn an_index_is_helms_byte_for_byte() {
    let env = TestEnv::new();
    for version in ["1.0.0", "1.10.0", "1.2.0-rc.1", "1.2.0", "v2.0.0+b.1"] {
        package(&env, "web", version);
    }
    package(&env, "db", "9.1.0");
    let old = "apiVersion: v1\nname: old\nversion: 0.1.0\ndescription: 'a: \"b\"\n\n  c'\nkeywords: [a, 'yes']\n\
               home: https://a.io\nsources: [https://b.io]\nicon: i.png\ndeprecated: true\nappVersion: 1.0\n\
               kubeVersion: '>=1.20.0-0'\ntillerVersion: x\n";
    env.write("src/old/Chart.yaml", old);
    let requirements = "dependencies:\n- {name: db, version: ^9, repository: https://a.io, tags: [x], condition: a.b, \
                        alias: d, import-values: [a, {child: b, parent: c}]}\n";
    env.write("src/old/requirements.yaml", requirements);
    let db = "apiVersion: v1\nname: db\nversion: 9.1.0\n";
    env.write("src/old/charts/db/Chart.yaml", db);
    well(&env.run(&["chart", "package", "src/old", "-d", "packages"]));
    env.write("packages/none.tgz", "no chart");
    for (from, to) in [("web-1.0.0", "more/web-1.0.0"), ("db-9.1.0", "more/a b c")] {
        env.write(&format!("packages/{to}.tgz"), "");
        let packages = env.path().join("packages");
        fs::copy(
            packages.join(format!("{from}.tgz")),
            packages.join(format!("{to}.tgz")),
        )
        .unwrap();
    }
    let times = |folder: &str| {
        let text = String::from_utf8(read(&env, &format!("{folder}/index.yaml"))).unwrap();
        let line = |line: &str| match line.trim_start() {
            rest if rest.starts_with("created: \"2") => line.replace(rest, "created: T"),
            rest if rest.starts_with("generated: \"2") => line.replace(rest, "generated: T"),
            _ => line.to_owned(),
        };
        text.lines()
            .map(|text| line(text) + "\n")
            .collect::<String>()
    };
    let merged = "apiVersion: v1\nentries:\n  gone:\n  - apiVersion: v2\n    created: \"2020-01-02T03:04:05.6Z\"\n    \
                  digest: ab\n    name: gone\n    urls:\n    - gone.tgz\n    version: 0.9.0\n  web:\n  - apiVersion: v2\n    \
                  name: web\n    version: 1.0.0\n  - name: web\n    version: 0.1.0\ngenerated: \"2020-01-02T03:04:05Z\"\n";
    env.write("merged.yaml", merged);
    for options in [
        &[][..],
        &["--url", "https://a.io/charts/"],
        &["--url", "https://u:p@a.io/a b?x=1"],
        &["--url", "charts", "--merge", "merged.yaml"],
        &["--merge", "new.yaml"],
    ] {
        for folder in ["theirs", "ours"] {
            copy(&env.path().join("packages"), &env.path().join(folder));
        }
        well(&helm(
            &env,
            &[&["repo", "index", "theirs"][..], options].concat(),
        ));
        well(&env.run(&[&["chart", "reindex", "ours"][..], options].concat()));
        assert_eq!(times("ours"), times("theirs"), "{options:?}");
        fs::remove_file(env.path().join("new.yaml")).ok();
    }
    // What is pushed to a directory, helm finds there.
    package(&env, "late", "1.0.0");
    well(&env.run(&["chart", "push", "packages/late-1.0.0.tgz", "ours"]));
    let theirs = env.path().join("theirs");
    copy(&env.path().join("packages"), &theirs);
    let merge = ["--url", "charts", "--merge", "merged.yaml"];
    well(&helm(
        &env,
        &[&["repo", "index", "theirs"][..], &merge[..]].concat(),
    ));
    assert!(times("theirs").contains("late"));
    assert!(times("ours").contains("  late:\n  - annotations:\n"));
}

#[test]
fn a_registry_deletes_what_is_pushed() {
    let env = TestEnv::new();
    package(&env, "web", "1.0.0+b.1");
    let place = format!("oci://{}/deleted-{}", open(), std::process::id());
    let push = ["chart", "push", "packages/web-1.0.0+b.1.tgz", &place];
    well(&env.run(&push));
    let pull = [
        "chart",
        "pull",
        &format!("{place}/web"),
        "--version",
        "1.0.0+b.1",
    ];
    well(&env.run(&pull));
    well(&env.run(&["chart", "delete", "web", "1.0.0+b.1", &place]));
    assert_eq!(env.run(&pull).code, 1);
    fails(
        &env.run(&["chart", "delete", "web", "1.0.0+b.1", &place]),
        &["404"],
    );
    well(&env.run(&push));
    well(&env.run(&pull));
}
