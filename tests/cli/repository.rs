//! Repositories of charts that are directories, and what is said when a place for charts is none.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use super::deps::{chart, repository};
use super::support::{Shown, TestEnv, answer, serve};
use std::fs;
use windlass::image::Digest;

fn put(env: &TestEnv, path: &str, name: &str, version: &str) {
    env.write(path, "");
    fs::write(env.path().join(path), chart(name, version)).unwrap();
}

fn well(shown: &Shown) {
    assert_eq!(shown.code, 0, "{}", shown.all());
}

fn index(env: &TestEnv) -> String {
    fs::read_to_string(env.path().join("repo/index.yaml")).unwrap()
}

#[test]
fn a_directory_takes_charts_and_gives_them_back() {
    let env = TestEnv::new();
    put(&env, "web-1.0.0.tgz", "web", "1.0.0");
    put(&env, "repo/old-0.1.0.tgz", "old", "0.1.0");
    env.write("web-1.0.0.tgz.prov", "signed");
    let push = ["chart", "push", "web-1.0.0.tgz", "repo"];
    let shown = env.run(&push);
    well(&shown);
    assert!(
        shown
            .stdout
            .starts_with("Pushed: repo/web-1.0.0.tgz\nDigest: sha256:")
    );
    let first = index(&env);
    assert!(
        first.contains("- web-1.0.0.tgz") && first.contains("- old-0.1.0.tgz"),
        "{first}"
    );
    assert!(env.path().join("repo/web-1.0.0.tgz.prov").exists());
    // The same again changes nothing.
    let shown = env.run(&push);
    well(&shown);
    assert!(
        shown.stdout.starts_with("Already there: "),
        "{}",
        shown.all()
    );
    assert_eq!(index(&env), first);
    // Another content needs to be meant, and is no longer signed.
    let other = super::deps::archive(&[
        (
            "web/Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        ),
        ("web/values.yaml", "a: 2\n"),
    ]);
    fs::write(env.path().join("web-1.0.0.tgz"), other).unwrap();
    fs::remove_file(env.path().join("web-1.0.0.tgz.prov")).unwrap();
    let shown = env.run(&push);
    assert_eq!(shown.code, 1, "{}", shown.all());
    assert!(
        shown.stderr.contains("another content is there"),
        "{}",
        shown.all()
    );
    assert!(shown.stderr.contains("--force"), "{}", shown.all());
    assert_eq!(index(&env), first);
    well(&env.run(&["chart", "push", "web-1.0.0.tgz", "repo", "--force"]));
    assert_eq!(index(&env).matches("name: web").count(), 1);
    assert_ne!(index(&env), first);
    assert!(!env.path().join("repo/web-1.0.0.tgz.prov").exists());

    let shown = env.run(&["chart", "delete", "web", "2.0.0", "repo"]);
    assert_eq!(shown.code, 1, "{}", shown.all());
    assert!(
        shown.stderr.contains("versions of web: 1.0.0"),
        "{}",
        shown.all()
    );
    let shown = env.run(&["chart", "delete", "web", "1.0.0", "repo"]);
    assert_eq!(shown.stdout, "Deleted: web 1.0.0\n", "{}", shown.all());
    assert!(!env.path().join("repo/web-1.0.0.tgz").exists());
    assert!(!index(&env).contains("web"));
    assert!(index(&env).contains("- old-0.1.0.tgz"));
}

/// What an index names may be anything; what a push has put there has the name of the chart.
#[test]
fn a_delete_removes_archives_of_the_directory_alone() {
    let env = TestEnv::new();
    put(&env, "repo/web-1.0.0.tgz", "web", "1.0.0");
    put(&env, "repo/more/web-1.0.0.tgz", "web", "1.0.0");
    put(&env, "elsewhere/web-1.0.0.tgz", "web", "1.0.0");
    env.write("repo/precious.txt", "");
    env.write("elsewhere/keep.txt", "");
    let link = env.path().join("repo/link");
    std::os::unix::fs::symlink(env.path().join("elsewhere"), link).unwrap();
    let urls = "[precious.txt, more/web-1.0.0.tgz, link/keep.txt, link/web-1.0.0.tgz, ../elsewhere/web-1.0.0.tgz]";
    let entry = format!("  - {{name: web, version: 1.0.0, urls: {urls}}}\n");
    env.write(
        "repo/index.yaml",
        &format!("apiVersion: v1\nentries:\n  web:\n{entry}"),
    );
    let delete = ["chart", "delete", "web", "1.0.0", "repo"];
    well(&env.run(&delete));
    for (file, stays) in [
        ("repo/precious.txt", true),
        ("elsewhere/keep.txt", true),
        ("elsewhere/web-1.0.0.tgz", true),
        ("repo/more/web-1.0.0.tgz", false),
        ("repo/web-1.0.0.tgz", false),
    ] {
        assert_eq!(env.path().join(file).exists(), stays, "{file}");
    }
    // What a run that was cut short left is removed, what is no such chart stays.
    put(&env, "repo/web-1.0.0.tgz", "web", "1.0.0");
    well(&env.run(&delete));
    assert!(!env.path().join("repo/web-1.0.0.tgz").exists());
    put(&env, "repo/web-1.0.0.tgz", "other", "1.0.0");
    let shown = env.run(&delete);
    assert_eq!(shown.code, 1, "{}", shown.all());
    assert!(
        shown.stderr.contains("chart web 1.0.0 is not there"),
        "{}",
        shown.all()
    );
    assert!(env.path().join("repo/web-1.0.0.tgz").exists());
}

/// What is published is what is rendered: with all that it needs, as its sums say.
#[test]
fn charts_go_out_with_their_dependencies_or_not_at_all() {
    let env = super::deps::umbrella(&repository(chart("web", "1.0.0")));
    env.write("repo/.keep", "");
    let both = |code: i32, told: &str| {
        for command in [
            &["package", "um", "-d", "out"],
            &["push", "um", "repo", "-f"],
        ] {
            let shown = env.run(&[&["chart"], &command[..]].concat());
            assert_eq!(shown.code, code, "{}", shown.all());
            assert!(shown.stderr.contains(told), "{told}: {}", shown.all());
        }
        let written = ["out/um-1.0.0.tgz", "repo/um-1.0.0.tgz"];
        let written = written.map(|file| fs::remove_file(env.path().join(file)).is_ok());
        assert_eq!(written, [code == 0; 2]);
    };
    both(
        1,
        "error: found in Chart.yaml, but missing in charts/ directory: web\n\
         hint: `windlass deps update CHART`",
    );
    well(&env.run(&["deps", "update", "um"]));
    both(0, "");
    let archive = env.path().join("um/charts/web-1.0.0.tgz");
    fs::write(&archive, chart("web", "1.0.1")).unwrap();
    both(7, "Chart.sum has sha256:");
    fs::remove_file(&archive).unwrap();
    both(1, "hint: `windlass deps build CHART`");
    // A newer lock came, and charts/ is still the old one.
    well(&env.run(&["deps", "build", "um"]));
    fs::rename(&archive, archive.with_file_name("web-1.5.0.tgz")).unwrap();
    both(1, "its charts/ is not what its lock says");
}

#[test]
fn an_index_is_of_the_archives_that_are_charts() {
    let env = TestEnv::new();
    put(&env, "repo/web-1.0.0.tgz", "web", "1.0.0");
    put(&env, "repo/more/web-1.10.0.tgz", "web", "1.10.0");
    env.write("repo/notes.tgz", "none");
    let shown = env.run(&["chart", "reindex", "repo", "--url", "https://a.io/charts"]);
    well(&shown);
    assert!(
        shown.stderr.contains("repo/notes.tgz is no chart"),
        "{}",
        shown.all()
    );
    assert!(
        shown.stderr.contains("2 archives in repo/index.yaml."),
        "{}",
        shown.all()
    );
    let text = index(&env);
    let order = text.find("https://a.io/charts/more/web-1.10.0.tgz");
    assert!(
        order < text.find("https://a.io/charts/web-1.0.0.tgz"),
        "{text}"
    );
    let shown = env.run(&["chart", "reindex", "none"]);
    assert_eq!(shown.code, 1, "{}", shown.all());
}

/// Many pushes at once lose nothing.
#[test]
fn pushes_to_a_directory_take_turns() {
    let env = TestEnv::new();
    env.write("repo/.keep", "");
    let mut running = Vec::new();
    for minor in 0..8 {
        let version = format!("1.{minor}.0");
        let file = format!("web-{version}.tgz");
        put(&env, &file, "web", &version);
        let push = ["chart", "push", &file, "repo"];
        running.push(env.command(&push).spawn().unwrap());
    }
    for mut push in running {
        assert!(push.wait().unwrap().success());
    }
    assert_eq!(index(&env).matches("name: web").count(), 8);
}

/// What a server says is told, with what to do; its secrets are not.
#[test]
fn what_a_server_says_against_a_push_is_told() {
    let env = TestEnv::new();
    put(&env, "web-1.0.0.tgz", "web", "1.0.0");
    let push = |status: &'static str, body: &'static str| {
        let address = serve(move |_| answer(status, "", body.as_bytes()));
        let url = format!("http://user:hunter2@{address}");
        env.run(&["chart", "push", "web-1.0.0.tgz", &url])
    };
    for (status, body, told) in [
        ("201 Created", r#"{"saved":true}"#, "Pushed: http://"),
        (
            "200 OK",
            r#"{"web":[]}"#,
            "no API of ChartMuseum answers there",
        ),
        (
            "404 Not Found",
            r#"{"error":"not found"}"#,
            "/api/charts: 404 Not Found: not found",
        ),
        (
            "409 Conflict",
            r#"{"error":"file already exists"}"#,
            "replace it with `--force`",
        ),
        ("413 Payload Too Large", "no", "--max-upload-size"),
        (
            "507 Insufficient Storage",
            r#"{"error":"repo has reached storage limit"}"#,
            "storage limit",
        ),
        (
            "500 Internal Server Error",
            r#"{"error":"disk\nis full"}"#,
            "disk is full",
        ),
        ("302 Found", "", "/api/charts: 302 Found"),
    ] {
        let shown = push(status, body);
        assert_eq!(
            shown.code,
            i32::from(!status.starts_with("201")),
            "{}",
            shown.all()
        );
        assert!(shown.all().contains(told), "{told}: {}", shown.all());
        assert!(!shown.all().contains("hunter2"), "{}", shown.all());
    }
}

#[test]
fn a_token_goes_in_place_of_a_login() {
    let env = TestEnv::new();
    put(&env, "web-1.0.0.tgz", "web", "1.0.0");
    let address = serve(|head| {
        let knows = head
            .to_lowercase()
            .contains("authorization: bearer t0ken\r");
        let status = ["401 Unauthorized", "201 Created"][usize::from(knows)];
        answer(status, "", br#"{"saved":true}"#)
    });
    let place = format!("http://{address}");
    let push = |token| {
        let variables = [("HELM_REPO_ACCESS_TOKEN", token)];
        env.run_with(&["chart", "push", "web-1.0.0.tgz", &place], &variables)
    };
    well(&push("t0ken"));
    let shown = push("other");
    assert_eq!(shown.code, 1, "{}", shown.all());
    assert!(shown.stderr.contains("401") && !shown.all().contains("other"));
}

#[test]
fn what_is_no_place_for_charts_is_told() {
    let env = TestEnv::new();
    put(&env, "web-1.0.0.tgz", "web", "1.0.0");
    for place in ["none", "ftp://a.io/x", "./none"] {
        let shown = env.run(&["chart", "push", "web-1.0.0.tgz", place]);
        assert_eq!(shown.code, 2, "{}", shown.all());
        assert!(
            shown.stderr.contains("is no place for charts"),
            "{}",
            shown.all()
        );
    }
    for from in ["none", "ftp://a.io/x", "web"] {
        let shown = env.run(&["chart", "pull", from]);
        assert_eq!(shown.code, 2, "{}", shown.all());
        assert!(
            shown.stderr.contains("https://HOST/PATH/NAME"),
            "{}",
            shown.all()
        );
    }
    // Logins of repositories are not those of registries.
    let shown = env.run_with(
        &["chart", "push", "web-1.0.0.tgz", "oci://127.0.0.1:9/charts"],
        &[("HELM_REPO_USERNAME", "me")],
    );
    assert!(
        shown.stderr.contains("refuses connections"),
        "{}",
        shown.all()
    );
    let user = ["--username", "me"];
    let place = [
        "chart",
        "push",
        "web-1.0.0.tgz",
        "http://127.0.0.1:9",
        user[0],
        user[1],
    ];
    let shown = env.run(&place);
    assert_eq!(shown.code, 2, "{}", shown.all());
    assert!(
        shown.stderr.contains("HELM_REPO_PASSWORD"),
        "{}",
        shown.all()
    );
}

/// A registry with the versions 1.0.0, 1.2.0+b and 2.0.0 of `charts/web`.
fn registry() -> String {
    serve(|head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let last = path.rsplit('/').next().unwrap_or_default();
        let of = |version: &str| {
            let layer = Digest::of(&chart("web", version));
            let kind = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
            format!("{{\"layers\": [{{\"mediaType\": \"{kind}\", \"digest\": \"{layer}\"}}]}}")
        };
        let versions = ["1.0.0", "1.2.0+b", "2.0.0"];
        let is_asked = |version: &&str| {
            let layer = Digest::of(&chart("web", version));
            last == version.replace('+', "_") || last == layer.as_str()
        };
        let found = versions.into_iter().find(is_asked);
        match (path, found) {
            (_, Some(version)) if path.contains("/manifests/") => {
                answer("200 OK", "", of(version).as_bytes())
            }
            (_, Some(version)) => answer("200 OK", "", &chart("web", version)),
            ("/v2/charts/web/tags/list?n=1000", _) => {
                let tags = br#"{"tags": ["1.0.0", "1.2.0_b", "2.0.0", "latest"]}"#;
                answer("200 OK", "", tags)
            }
            _ => answer("404 Not Found", "", b""),
        }
    })
}

#[test]
fn registries_are_pulled_from_by_range_tag_and_newest() {
    let env = TestEnv::new();
    let web = format!("oci://{}/charts/web", registry());
    let pull = |tag: &str, version: &[&str]| {
        let from = format!("{web}{tag}");
        env.run(&[&["chart", "pull", from.as_str()], version].concat())
    };
    for (tag, range, file) in [
        ("", "", "web-2.0.0.tgz"),
        ("", "^1.0.0", "web-1.2.0+b.tgz"),
        ("", "1.0.0", "web-1.0.0.tgz"),
        (":1.2.0+b", "", "web-1.2.0+b.tgz"),
    ] {
        let version = ["--version", range];
        let version = &version[..2 * usize::from(!range.is_empty())];
        let shown = pull(tag, version);
        well(&shown);
        assert_eq!(shown.stdout, format!("./{file}\n"));
    }
    for (tag, version, code, told) in [
        (":1.0.0", "1.0.0", 1, "leave `--version` out"),
        ("", "^3.0.0", 1, "can't get a valid version"),
        (":3.0.0", "", 1, "has no tag 3.0.0"),
    ] {
        let version = ["--version", version];
        let shown = pull(tag, &version[..2 * usize::from(!version[1].is_empty())]);
        assert_eq!(shown.code, code, "{}", shown.all());
        assert!(shown.stderr.contains(told), "{told}: {}", shown.all());
    }
    let shown = env.run(&["chart", "show", &web, "--version", "1.x"]);
    well(&shown);
    assert!(shown.stdout.contains("version: 1.2.0+b"), "{}", shown.all());
}

/// A link at the place of the archive is replaced, and does not lead elsewhere.
#[test]
fn pulled_archives_do_not_follow_links() {
    let env = TestEnv::new();
    env.write("precious", "mine");
    std::os::unix::fs::symlink("precious", env.path().join("web-1.0.0.tgz")).unwrap();
    let address = repository(chart("web", "1.0.0"));
    well(&env.run(&["chart", "pull", &format!("{address}/web")]));
    assert_eq!(fs::read(env.path().join("precious")).unwrap(), b"mine");
    assert!(!env.path().join("web-1.0.0.tgz").is_symlink());
}

#[test]
fn plain_http_to_another_machine_is_warned_of() {
    let env = TestEnv::new();
    put(&env, "web-1.0.0.tgz", "web", "1.0.0");
    let warning = "it is asked over plain http; anybody on the way";
    let proxy = repository(chart("web", "1.0.0"));
    let place = "http://charts.example";
    let web = format!("{place}/web");
    for run in [
        &["chart", "pull", &web][..],
        &["chart", "show", &web],
        &["chart", "push", "web-1.0.0.tgz", place],
    ] {
        let shown = env.run_with(run, &[("HTTP_PROXY", &proxy)]);
        assert_eq!(shown.stderr.matches(warning).count(), 1, "{}", shown.all());
    }
}
