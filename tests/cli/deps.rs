//! `deps`: folders, repositories on this machine, and servers that mean ill.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use super::support::{Shown, TestEnv, answer, file, serve};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

/// An archive of these files, whatever their names; a mark at the end makes a link or a device of one.
pub(crate) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut encoder = encoder;
    for (name, text) in files {
        let kinds = [
            ('&', b'1'),
            ('@', b'2'),
            ('%', b'3'),
            ('=', b'4'),
            ('|', b'6'),
        ];
        let marked = kinds
            .iter()
            .find_map(|&(mark, kind)| Some((name.strip_suffix(mark)?, kind)));
        let (name, kind) = marked.unwrap_or((*name, b'0'));
        let mut header = [0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        header[124..135].copy_from_slice(format!("{:011o}", text.len()).as_bytes());
        header[136..147].copy_from_slice(b"00000000000");
        header[148..156].copy_from_slice(b"        ");
        header[156] = kind;
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        encoder.write_all(&header).unwrap();
        encoder.write_all(text.as_bytes()).unwrap();
        let padding = vec![0; text.len().next_multiple_of(512) - text.len()];
        encoder.write_all(&padding).unwrap();
    }
    encoder.write_all(&[0; 1024]).unwrap();
    encoder.finish().unwrap()
}

/// An archive of a chart of this name and version.
pub(crate) fn chart(name: &str, version: &str) -> Vec<u8> {
    let head = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
    archive(&[(&format!("{name}/Chart.yaml"), &head)])
}

/// A chart that needs `web` of a repository.
pub(crate) fn umbrella(repository: &str) -> TestEnv {
    let env = TestEnv::new();
    let dependency = format!("- name: web\n  version: ^1.0.0\n  repository: {repository}\n");
    let head = "apiVersion: v2\nname: um\nversion: 1.0.0\ndependencies:\n";
    env.write("um/Chart.yaml", &format!("{head}{dependency}"));
    env.write(
        "um/templates/a.yaml",
        "kind: A\napiVersion: v1\nmetadata: {name: a}\n",
    );
    env
}

/// Serves an index of `web` 1.0.0 with this archive.
pub(crate) fn repository(archive: Vec<u8>) -> String {
    let index = "apiVersion: v1\nentries:\n  web:\n  - version: 1.0.0\n    urls: [web.tgz]\n";
    let address = serve(move |head| match head.contains("/index.yaml") {
        true => answer("200 OK", "", index.as_bytes()),
        false => answer("200 OK", "", &archive),
    });
    format!("http://{address}")
}

/// What is in `charts/`, hidden files too.
pub(crate) fn charts(env: &TestEnv) -> Vec<String> {
    let entries = fs::read_dir(env.path().join("um/charts"));
    let entries = entries.into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Nothing is left of an update that failed.
fn refused(env: &TestEnv, shown: &Shown, text: &str) {
    assert_ne!(shown.code, 0, "{}", shown.all());
    assert!(shown.stderr.contains(text), "{text}: {}", shown.all());
    assert_eq!(charts(env), [""; 0]);
    for file in ["um/Chart.lock", "um/Chart.sum", "um/charts", "x", ".cache"] {
        assert!(!env.path().join(file).exists(), "{file}");
    }
}

#[test]
fn what_is_no_archive_of_the_chart_is_refused() {
    let good = chart("web", "1.0.0");
    let head = "apiVersion: v2\nname: web\nversion: 1.0.0\n";
    let half = good[..good.len() / 2].to_vec();
    for (file, text) in [
        (b"<html>Sign in</html>".to_vec(), "gzip: invalid header"),
        (half, "is no archive of chart web 1.0.0"),
        (chart("other", "1.0.0"), "it is other 1.0.0"),
        (chart("web", "1.1.0"), "it is web 1.1.0"),
        (
            archive(&[("web/Chart.yaml", head), ("web/../../x", "")]),
            "parent directory",
        ),
        (
            archive(&[("web/Chart.yaml", head), ("/x", "")]),
            "absolute paths",
        ),
        (
            archive(&[("web/Chart.yaml", head), ("web/x@", "")]),
            "not a regular file",
        ),
        (
            archive(&[("web/Chart.yaml", head), ("web/x", ""), ("web/x", "")]),
            "twice",
        ),
        (archive(&[("..@", "")]), "illegal"),
        (
            archive(&[("web/Chart.yaml", head), ("C:\\x", "")]),
            "absolute paths",
        ),
        (
            archive(&[("web/Chart.yaml", head), ("web/x&", "")]),
            "not a regular file",
        ),
        (
            archive(&[("web/Chart.yaml", head), ("web/x%", "")]),
            "not a regular file",
        ),
        (
            archive(&[("web/Chart.yaml", head), ("web/x=", "")]),
            "not a regular file",
        ),
        (
            archive(&[("web/Chart.yaml", head), ("web/x|", "")]),
            "not a regular file",
        ),
        (chart("..", "1.0.0"), "illegal"),
        (
            archive(&[("web/Chart.yaml", &head.replace("web", "../../x"))]),
            "is no archive of chart web",
        ),
        (Vec::new(), "gzip: invalid header"),
    ] {
        let env = umbrella(&repository(file));
        refused(&env, &env.run(&["deps", "update", "um"]), text);
    }
}

#[test]
fn a_bomb_is_refused() {
    let head = "apiVersion: v2\nname: web\nversion: 1.0.0\n";
    let zeros = "\0".repeat(101 << 20);
    let env = umbrella(&repository(archive(&[
        ("web/Chart.yaml", head),
        ("web/x", &zeros),
    ])));
    refused(
        &env,
        &env.run(&["deps", "update", "um"]),
        "larger than the maximum size",
    );
}

#[test]
fn a_digest_that_the_index_does_not_have_is_refused() {
    let index = format!(
        "apiVersion: v1\nentries:\n  web:\n  - version: 1.0.0\n    urls: [web.tgz]\n    digest: {}\n",
        "ab".repeat(32)
    );
    let address = serve(move |head| match head.contains("/index.yaml") {
        true => answer("200 OK", "", index.as_bytes()),
        false => answer("200 OK", "", &chart("web", "1.0.0")),
    });
    let env = umbrella(&format!("http://{address}"));
    let shown = env.run(&["deps", "update", "um"]);
    refused(&env, &shown, "the index of its repository says abab");
    assert_eq!(shown.code, 7);
}

#[test]
fn only_addresses_of_the_web_and_of_registries_are_fetched() {
    for (url, text) in [
        ("file:///etc/passwd", "addresses of `file` are not fetched"),
        ("gopher://a.io/x", "addresses of `gopher` are not fetched"),
    ] {
        let index =
            format!("apiVersion: v1\nentries:\n  web:\n  - version: 1.0.0\n    urls: ['{url}']\n");
        let address = serve(move |_| answer("200 OK", "", index.as_bytes()));
        let env = umbrella(&format!("http://{address}"));
        refused(&env, &env.run(&["deps", "update", "um"]), text);
    }
    for repository in ["git+ssh://-oProxyCommand=x/y", "stable", "ext::sh -c x"] {
        let env = umbrella(&format!("'{repository}'"));
        assert_ne!(env.run(&["deps", "update", "um"]).code, 0, "{repository}");
        assert_eq!(charts(&env), [""; 0]);
    }
}

/// Records the `Authorization` header that another host gets.
fn other_host(seen: PathBuf, archive: Vec<u8>) -> String {
    serve(move |head| {
        fs::write(&seen, head.to_lowercase()).unwrap();
        answer("200 OK", "", &archive)
    })
}

#[test]
fn a_login_goes_to_no_other_host() {
    for redirect in [false, true] {
        let env = TestEnv::new();
        let seen = env.path().join("seen");
        let other = other_host(seen.clone(), chart("web", "1.0.0"));
        let url = match redirect {
            true => "web.tgz".to_owned(),
            false => format!("http://{other}/web.tgz"),
        };
        let index =
            format!("apiVersion: v1\nentries:\n  web:\n  - version: 1.0.0\n    urls: ['{url}']\n");
        let login = "authorization: basic dxnlcjpwyxnz";
        let address = serve(move |head| {
            if !head.to_lowercase().contains(login) {
                return answer("401 Unauthorized", "WWW-Authenticate: Basic\r\n", b"");
            }
            match head.contains("/index.yaml") {
                true => answer("200 OK", "", index.as_bytes()),
                false => answer("302 Found", &format!("Location: http://{other}/w\r\n"), b""),
            }
        });
        let repositories = format!(
            "repositories:\n- name: own\n  url: http://{address}\n  username: user\n  password: pass\n"
        );
        let env = umbrella("'@own'");
        env.write("repositories.yaml", &repositories);
        let update = [
            "deps",
            "update",
            "um",
            "--repository-config",
            "repositories.yaml",
        ];
        let shown = env.run(&update);
        assert_eq!(shown.code, 0, "{}", shown.all());
        assert_eq!(charts(&env), ["web-1.0.0.tgz"]);
        let seen = fs::read_to_string(seen).unwrap();
        assert!(!seen.contains("authorization"), "{seen}");
        let lock = fs::read_to_string(env.path().join("um/Chart.lock")).unwrap();
        assert!(
            lock.contains(&format!("repository: http://{address}\n")),
            "{lock}"
        );
    }
}

#[test]
fn a_wrong_login_is_told_without_the_login() {
    let address = serve(|_| answer("401 Unauthorized", "WWW-Authenticate: Basic\r\n", b""));
    let env = umbrella(&format!("http://user:hunter2@{address}"));
    let shown = env.run(&["deps", "update", "um"]);
    assert_eq!(shown.code, 1, "{}", shown.all());
    assert!(!shown.all().contains("hunter2"), "{}", shown.all());
}

#[test]
fn a_chart_that_was_changed_is_refused_with_both_digests() {
    let folder = TestEnv::new();
    let index = "apiVersion: v1\nentries:\n  web:\n  - version: 1.0.0\n    urls: [web.tgz]\n";
    folder.write("index.yaml", index);
    let write = |archive: Vec<u8>| fs::write(folder.path().join("web.tgz"), archive).unwrap();
    write(chart("web", "1.0.0"));
    let served = folder.path().to_owned();
    let address = serve(move |head| file(&served, head));
    let env = umbrella(&format!("http://{address}"));
    let shown = env.run(&["deps", "update", "um"]);
    assert_eq!(shown.code, 0, "{}", shown.all());

    // Not there: fetched again, from the cache alone when there is no network.
    let archive = env.path().join("um/charts/web-1.0.0.tgz");
    fs::remove_file(&archive).unwrap();
    assert_eq!(env.run(&["render", "rel", "um", "--offline"]).code, 0);
    let good = fs::read(&archive).unwrap();

    // Changed in charts/: refused, and restored by a build.
    fs::write(&archive, chart("web", "1.0.1")).unwrap();
    let shown = env.run(&["render", "rel", "um"]);
    assert_eq!(
        (shown.code, shown.stdout.as_str()),
        (7, ""),
        "{}",
        shown.all()
    );
    assert!(
        shown.stderr.contains("Chart.sum has sha256:"),
        "{}",
        shown.all()
    );
    assert_eq!(env.run(&["deps", "build", "um"]).code, 0);
    assert_eq!(fs::read(&archive).unwrap(), good);

    // Changed in the cache: not used. Changed at its source: refused.
    fs::remove_dir_all(env.path().join(".cache")).unwrap();
    fs::remove_file(&archive).unwrap();
    let head = "apiVersion: v2\nname: web\nversion: 1.0.0\n# changed\n";
    write(self::archive(&[("web/Chart.yaml", head)]));
    let shown = env.run(&["deps", "build", "um"]);
    assert_eq!(shown.code, 7, "{}", shown.all());
    assert!(
        shown.stderr.contains("its sha256 is sha256:"),
        "{}",
        shown.all()
    );
    assert_eq!(charts(&env), [""; 0]);
    let shown = env.run(&["deps", "build", "um", "--offline"]);
    assert!(
        shown.stderr.contains("chart web 1.0.0 is not there"),
        "{}",
        shown.all()
    );
}

/// A version that is known from one place may be another chart in another.
#[test]
fn a_chart_from_another_place_is_fetched_from_there() {
    let [own, same] = [(); 2].map(|()| repository(chart("web", "1.0.0")));
    let head = "apiVersion: v2\nname: web\nversion: 1.0.0\n# other\n";
    let other = repository(archive(&[("web/Chart.yaml", head)]));
    let env = umbrella(&own);
    assert_eq!(env.run(&["deps", "update", "um"]).code, 0);
    let text = fs::read_to_string(env.path().join("um/Chart.yaml")).unwrap();
    let update_from = |place: &str| {
        env.write("um/Chart.yaml", &text.replace(&own, place));
        env.run(&["deps", "update", "um"])
    };
    let sums = || fs::read_to_string(env.path().join("um/Chart.sum")).unwrap();
    let shown = update_from(&other);
    assert_eq!(shown.code, 7, "{}", shown.all());
    assert!(sums().contains(&own));
    let shown = update_from(&same);
    assert!(shown.stderr.contains("1 fetched"), "{}", shown.all());
    assert!(sums().contains(&same));
    let shown = env.run(&["deps", "build", "um"]);
    assert!(shown.stderr.contains("0 fetched"), "{}", shown.all());
}

/// The addresses in the lock are enough, as in a CI job that has no configuration.
#[test]
fn names_of_repositories_are_not_needed_with_a_lock() {
    let address = repository(chart("web", "1.0.0"));
    let env = umbrella("'@own'");
    let named = format!("repositories:\n- {{name: own, url: '{address}'}}\n");
    env.write("named.yaml", &named);
    let config = ["--repository-config", "named.yaml"];
    let shown = env.run(&[&["deps", "update", "um"], &config[..]].concat());
    assert_eq!(shown.code, 0, "{}", shown.all());
    for gone in ["um/charts", ".cache"] {
        fs::remove_dir_all(env.path().join(gone)).unwrap();
    }
    let shown = env.run(&["deps", "build", "um"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    assert_eq!(charts(&env), ["web-1.0.0.tgz"]);
    let shown = env.run(&["deps", "update", "um"]);
    assert_eq!(shown.code, 2, "{}", shown.all());
    assert!(
        shown.stderr.contains("no repository definition for @own"),
        "{}",
        shown.all()
    );
}

/// What is wrong with a dependency is told with its place.
#[test]
fn mistakes_have_their_file_and_line() {
    let env = umbrella("file://../web");
    let text = fs::read_to_string(env.path().join("um/Chart.yaml")).unwrap();
    for (mistake, told) in [
        (
            "- name: a b\n  tags:\n  - x\n",
            "um/Chart.yaml:8: dependency name \"a b\" is invalid",
        ),
        (
            "\n# two\n- {name: '#a', version: 1.0.0}\n",
            "um/Chart.yaml:10: dependency name \"#a\" is invalid",
        ),
        (
            "- name: db\n  version: one\n",
            "um/Chart.yaml:8: dependency \"db\" has an invalid version",
        ),
        (
            "- name: db\n  version: 1.0.0\n  repository: file://../none\n",
            "um/Chart.yaml:8: directory ",
        ),
    ] {
        env.write(
            "web/Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 1.2.3\n",
        );
        env.write("um/Chart.yaml", &format!("{text}{mistake}"));
        for command in ["update", "outdated"] {
            let shown = env.run(&["deps", command, "um"]);
            let told = format!("error: {told}");
            assert!(shown.stderr.starts_with(&told), "{told}: {}", shown.all());
            assert_eq!(shown.code, 1);
        }
    }
    let outside = "- {name: db, version: '*', repository: 'file:///'}\n";
    env.write("um/Chart.yaml", &format!("{text}{outside}"));
    let shown = env.run(&["deps", "update", "um"]);
    assert_eq!(shown.code, 2, "{}", shown.all());
    assert!(
        shown.stderr.contains("hint: if that is meant"),
        "{}",
        shown.all()
    );
}

#[test]
fn folders_stay_within_the_project() {
    let env = umbrella("file://../web");
    env.write(
        "web/Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 1.2.3\n",
    );
    let shown = env.run(&["deps", "update", "um", "--offline"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    assert_eq!(charts(&env), ["web-1.2.3.tgz"]);
    let lock = fs::read_to_string(env.path().join("um/Chart.lock")).unwrap();
    insta::assert_snapshot!(lock.split("generated").next().unwrap(), @"
    dependencies:
    - name: web
      repository: file://../web
      version: 1.2.3
    digest: sha256:a7f380f29d1b288bc27e7b8c64d16106f1fe75b77e54866e739f66b176e0b0ed
    ");
    let list = env.run(&["deps", "list", "um"]);
    let table = "NAME	VERSION	REPOSITORY   	STATUS
web 	^1.0.0 	file://../web	ok    

";
    assert_eq!(list.stdout, table);

    env.write("um/.git/HEAD", "");
    let shown = env.run(&["deps", "update", "um"]);
    assert_eq!(shown.code, 2, "{}", shown.all());
    assert!(
        shown.stderr.contains("is outside of the project"),
        "{}",
        shown.all()
    );
    let shown = env.run(&["deps", "update", "um", "--allow-outside"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
}

#[test]
fn links_are_not_followed() {
    let env = umbrella("file://../web");
    env.write(
        "web/Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 1.2.3\n",
    );
    env.write("elsewhere/kept", "");
    let link = |to: &str, from: &str| {
        std::os::unix::fs::symlink(env.path().join(to), env.path().join(from)).unwrap();
    };
    env.write("um/victim", "");
    link("um/victim", "um/Chart.lock");
    let shown = env.run(&["deps", "update", "um"]);
    assert!(
        shown.stderr.contains("Chart.lock file is a symlink"),
        "{}",
        shown.all()
    );
    fs::remove_file(env.path().join("um/Chart.lock")).unwrap();
    link("elsewhere", "um/charts");
    let shown = env.run(&["deps", "update", "um"]);
    assert!(
        shown.stderr.contains("is not a directory"),
        "{}",
        shown.all()
    );
    // The other files that are written replace a link in their place.
    fs::remove_file(env.path().join("um/charts")).unwrap();
    fs::create_dir(env.path().join("um/charts")).unwrap();
    link("um/victim", "um/charts/web-1.2.3.tgz");
    let shown = env.run(&["deps", "update", "um"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    let archive = env.path().join("um/charts/web-1.2.3.tgz");
    assert!(!archive.is_symlink());
    let victim = fs::read(env.path().join("um/victim")).unwrap();
    assert_eq!(victim, b"");
    assert_eq!(
        fs::read_dir(env.path().join("elsewhere")).unwrap().count(),
        1
    );
}

#[test]
fn all_failures_are_told_together() {
    let address = serve(|_| answer("404 Not Found", "", b""));
    let env = umbrella(&format!("http://{address}/one"));
    let more = format!("- name: db\n  version: '*'\n  repository: http://{address}/two\n");
    let path = env.path().join("um/Chart.yaml");
    let text = fs::read_to_string(&path).unwrap();
    env.write("um/Chart.yaml", &format!("{text}{more}"));
    let shown = env.run(&["deps", "update", "um"]);
    let told = shown.stderr.replace(&address, "HOST");
    insta::assert_snapshot!(told, @"
    error: 2 errors with 2 dependencies:
      looks like http://HOST/one is not a valid chart repository or cannot be reached: failed to fetch http://HOST/one/index.yaml : 404 Not Found
      looks like http://HOST/two is not a valid chart repository or cannot be reached: failed to fetch http://HOST/two/index.yaml : 404 Not Found
    ");
}

#[test]
fn folders_that_lead_back_to_the_chart_are_refused() {
    let env = umbrella("file://../web");
    let needs = |name: &str, other: &str| {
        format!(
            "apiVersion: v2\nname: {name}\nversion: 1.0.0\ndependencies:\n- name: {other}\n  \
             version: '*'\n  repository: file://../{other}\n"
        )
    };
    env.write("web/Chart.yaml", &needs("web", "db"));
    env.write("db/Chart.yaml", &needs("db", "um"));
    let shown = env.run(&["deps", "update", "um"]);
    refused(
        &env,
        &shown,
        "dependency web: its `file://` dependencies lead back to this chart: web → db → um",
    );
    // A cycle that this chart is no part of is told where it is.
    env.write("db/Chart.yaml", &needs("db", "web"));
    assert_eq!(env.run(&["deps", "update", "um"]).code, 0);
    let shown = env.run(&["deps", "update", "web"]);
    assert!(shown.stderr.contains("db → web"), "{}", shown.all());
}

#[test]
fn newer_versions_are_listed() {
    let index = "apiVersion: v1\nentries:\n  web:\n  - {version: 2.0.0, urls: [w]}\n  \
                 - {version: 1.1.0, urls: [w]}\n  - {version: 1.2.0-rc.1, urls: [w]}\n  \
                 - {version: 1.0.0, urls: [w]}\n";
    let address = serve(move |head| match head.contains("/index.yaml") {
        true => answer("200 OK", "", index.as_bytes()),
        false => answer("200 OK", "", &chart("web", "1.1.0")),
    });
    let env = umbrella(&format!("http://{address}"));
    let outdated = ["deps", "outdated", "um", "--exit-code"];
    let shown = env.run(&outdated);
    insta::assert_snapshot!(shown.all(), @"
    exit: 3
    --- stdout
    NAME  RANGE   LOCKED  WANTED  LATEST
    web   ^1.0.0  -       1.1.0   2.0.0
    --- stderr
    `windlass deps update` takes the newest versions that fit.
    ");
    assert_eq!(env.run(&["deps", "update", "um"]).code, 0);
    let shown = env.run(&outdated);
    insta::assert_snapshot!(shown.all(), @"
    exit: 0
    --- stdout
    NAME  RANGE   LOCKED  WANTED  LATEST
    web   ^1.0.0  1.1.0   1.1.0   2.0.0
    --- stderr
    ");
    let json = env.run(&["deps", "outdated", "um", "--format", "json"]);
    let json = json.stdout.replace(&address, "HOST");
    insta::assert_snapshot!(json, @r#"
    {
      "dependencies": [
        {
          "latest": "2.0.0",
          "locked": "1.1.0",
          "name": "web",
          "range": "^1.0.0",
          "repository": "http://HOST",
          "wanted": "1.1.0"
        }
      ],
      "schemaVersion": 1
    }
    "#);
    // One that is asked for twice, each with its own line of the lock.
    let text = fs::read_to_string(env.path().join("um/Chart.yaml")).unwrap();
    let more = text
        .split("- name: web")
        .nth(1)
        .unwrap()
        .replace("^1", "^2");
    env.write(
        "um/Chart.yaml",
        &format!("{text}- alias: two\n  name: web{more}"),
    );
    let lock = "dependencies:\n- {name: web, version: 1.1.0}\n- {name: web, version: 2.0.0}\n";
    env.write("um/Chart.lock", lock);
    let shown = env.run(&outdated);
    insta::assert_snapshot!(shown.all(), @"
    exit: 0
    --- stdout
    NAME  RANGE   LOCKED  WANTED  LATEST
    web   ^1.0.0  1.1.0   1.1.0   2.0.0
    web   ^2.0.0  2.0.0   2.0.0   2.0.0
    --- stderr
    ");
    let shown = env.run(&["deps", "outdated", "um", "--offline"]);
    insta::assert_snapshot!(shown.all(), @"
    exit: 1
    --- stdout
    --- stderr
    error: the list of versions of web is not there, and `--offline` keeps from fetching it
    hint: leave it out: versions are not chosen without the network
    ");
}

/// Neither the password in an address nor the token in its query.
#[test]
fn secrets_of_addresses_are_not_told() {
    let address = repository(chart("web", "1.0.0")).replace("http://", "http://user:hunter2@");
    let address = format!("{address}?sig=t0ken");
    let head = "apiVersion: v2\nname: um\nversion: 1.0.0\ndependencies:\n";
    let of = |name: &str, version: &str, repository: &str| {
        let env = TestEnv::new();
        let dependency =
            format!("- {{name: {name}, version: {version}, repository: '{repository}'}}\n");
        env.write("um/Chart.yaml", &format!("{head}{dependency}"));
        env
    };
    let update = ["deps", "update", "um"];
    let outdated = ["deps", "outdated", "um", "--format", "json"];
    let broken = "https://user:hunter2@a.io:no/?sig=t0ken";
    for (env, run, code, told) in [
        (
            of("web", "1.0.0", &address),
            &update[..],
            0,
            "from repo http://127.0.0.1",
        ),
        (
            of("web", "1.0.0", &address),
            &outdated[..],
            0,
            "\"http://127.0.0.1",
        ),
        (
            of("web", "2.0.0", &address),
            &update[..],
            1,
            "valid version",
        ),
        (
            of("db", "1.0.0", &address),
            &update[..],
            1,
            "chart not found in repo http://127.0.0.1",
        ),
        (
            of("web", "1.0.0", broken),
            &update[..],
            2,
            "no repository definition for https://a.io:no/",
        ),
    ] {
        let shown = env.run(run);
        assert_eq!(shown.code, code, "{}", shown.all());
        assert!(shown.all().contains(told), "{told}: {}", shown.all());
        let all = shown.all();
        assert!(!all.contains("hunter2") && !all.contains("t0ken"), "{all}");
    }
    let env = TestEnv::new();
    let base = address.replace("?sig=t0ken", "");
    for (from, code) in [("web", 0), ("db", 1), ("x.tgz", 0), ("", 1)] {
        let shown = env.run(&["chart", "pull", &format!("{base}/{from}")]);
        assert_eq!(shown.code, code, "{}", shown.all());
        assert!(!shown.all().contains("hunter2"), "{}", shown.all());
    }
}

#[test]
fn a_lock_of_images_restores_the_charts_that_are_missing() {
    let head = "apiVersion: v2\nname: web\nversion: 1.0.0\n";
    let digest = format!("sha256:{}", "ab".repeat(32));
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec:\n  containers:\n  \
         - {{name: c, image: 'a.io/web@{digest}'}}\n"
    );
    let files = [("web/Chart.yaml", head), ("web/templates/a.yaml", &pod)];
    let env = umbrella(&repository(archive(&files)));
    assert_eq!(env.run(&["deps", "update", "um"]).code, 0);
    fs::remove_dir_all(env.path().join("um/charts")).unwrap();
    env.write("windlass.yaml", "version: 1\nname: rel\nchart: um\n");
    let shown = env.run(&["lock", "list", "--images"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    assert!(shown.stdout.contains("a.io/web"), "{}", shown.all());
    assert_eq!(charts(&env), ["web-1.0.0.tgz"]);

    // Without network and cache it says what is missing and what to do.
    fs::remove_dir_all(env.path().join("um/charts")).unwrap();
    fs::remove_dir_all(env.path().join(".cache")).unwrap();
    let shown = env.run(&["render", "rel", "um", "--offline"]);
    insta::assert_snapshot!(shown.all(), @"
    exit: 1
    --- stdout
    --- stderr
    error: chart web 1.0.0 is not there, and `--offline` keeps from fetching it
    hint: leave it out, or run `windlass deps build` once where the network may be used
    ");
}
