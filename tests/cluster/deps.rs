//! Dependencies against the real helm: the same locks, the same archives, the same lists, from folders, a static
//! http server and a real registry.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use super::folder::{Shown, TestEnv, file, serve};
use super::program::Case;
use super::registry::open;
use super::support::oracle;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

pub(crate) fn helm(env: &TestEnv, arguments: &[&str]) -> Shown {
    let output = Command::new(oracle("WINDLASS_ORACLE_HELM"))
        .args(arguments)
        .current_dir(env.path())
        .env("HOME", env.path())
        .output()
        .unwrap();
    Shown::new(&output, env.path())
}

pub(crate) fn well(shown: &Shown) {
    assert_eq!(shown.code, 0, "{}", shown.all());
}

/// Packs a chart with helm into `packages/`.
pub(crate) fn package(env: &TestEnv, name: &str, version: &str) {
    let head = format!(
        "apiVersion: v2\nname: {name}\nversion: {version}\nmaintainers: [{{name: me}}] # gone\n\
         annotations: {{b: '1', a: x}}\n"
    );
    env.write(&format!("src/{name}/Chart.yaml"), &head);
    env.write(&format!("src/{name}/values.yaml"), "a: 1 # kept\n");
    let template = "kind: A\napiVersion: v1\nmetadata: {name: a}\n";
    env.write(&format!("src/{name}/templates/a.yaml"), template);
    let source = format!("src/{name}");
    well(&helm(env, &["package", &source, "-d", "packages"]));
}

fn lock(env: &TestEnv, chart: &str) -> String {
    let text = fs::read_to_string(env.path().join(chart).join("Chart.lock")).unwrap();
    text.split("generated").next().unwrap().to_owned()
}

/// The archives of a chart: their names, and what each holds.
fn archives(env: &TestEnv, chart: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(env.path().join(chart).join("charts")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let content = |name: &String| {
        let path = env.path().join(chart).join("charts").join(name);
        let tar = Command::new("sh")
            .args([
                "-c",
                "for f in $(tar tzf \"$1\" | sort); do echo \"$f\"; tar xzOf \"$1\" \"$f\"; done",
                "-",
            ])
            .arg(path)
            .output()
            .unwrap();
        String::from_utf8_lossy(&tar.stdout).into_owned()
    };
    names
        .iter()
        .map(|name| (name.clone(), content(name)))
        .collect()
}

/// Both update copies of a chart; what they leave is the same, and each accepts the other's.
fn same(env: &TestEnv, dependencies: &str) {
    let head = "apiVersion: v2\nname: um\nversion: 1.0.0\ndependencies:\n";
    for chart in ["theirs", "ours"] {
        env.write(
            &format!("{chart}/Chart.yaml"),
            &format!("{head}{dependencies}"),
        );
    }
    let theirs = helm(env, &["dependency", "update", "theirs", "--plain-http"]);
    let ours = env.run(&["deps", "update", "ours"]);
    well(&theirs);
    well(&ours);
    assert_eq!(lock(env, "theirs"), lock(env, "ours"));
    assert_eq!(archives(env, "theirs"), archives(env, "ours"));
    let list = helm(env, &["dependency", "list", "theirs"]);
    assert_eq!(env.run(&["deps", "list", "ours"]).stdout, list.stdout);
    // The lock of each is good for the other.
    for chart in ["theirs", "ours"] {
        fs::remove_dir_all(env.path().join(chart).join("charts")).unwrap();
    }
    well(&env.run(&["deps", "build", "theirs"]));
    well(&helm(env, &["dependency", "build", "ours", "--plain-http"]));
    assert_eq!(archives(env, "theirs"), archives(env, "ours"));
}

#[test]
fn folders_and_repositories_are_restored_as_helm_does() {
    let env = TestEnv::new();
    for version in ["1.0.0", "1.2.0", "1.3.0-rc.1", "2.0.0+b1"] {
        package(&env, "web", version);
    }
    package(&env, "db", "9.1.0");
    package(&env, "local", "0.1.2");
    well(&helm(&env, &["repo", "index", "packages"]));
    let packages = env.path().join("packages");
    let url = format!(
        "http://{}",
        serve(move |head| file(Path::new(&packages), head))
    );
    well(&helm(&env, &["repo", "add", "own", &url]));
    same(
        &env,
        &format!(
            "- name: web\n  version: ^1.0.0\n  repository: {url}\n  condition: web.enabled\n  \
             tags: [a, \"b<c\"]\n  import-values: [data, {{child: x, parent: y}}]\n\
             - name: web\n  alias: two\n  version: '>=2.0.0'\n  repository: {url}\n\
             - name: db\n  version: '*'\n  repository: '@own'\n\
             - name: local\n  version: 0.1.x\n  repository: file://../src/local\n"
        ),
    );
}

#[test]
fn charts_of_a_registry_are_restored_as_helm_does() {
    let env = TestEnv::new();
    let place = format!("oci://{}/charts-{}", open(), std::process::id());
    for version in ["1.0.0", "1.2.0+b.1", "2.0.0"] {
        package(&env, "web", version);
        let archive = format!("packages/web-{version}.tgz");
        well(&helm(&env, &["push", &archive, &place, "--plain-http"]));
    }
    same(
        &env,
        &format!(
            "- name: web\n  version: ^1.0.0\n  repository: {place}\n\
             - name: web\n  alias: two\n  version: 2.0.0\n  repository: {place}\n"
        ),
    );
    // Another chart under the same tag is another digest.
    env.write("src/web/values.yaml", "a: changed\n");
    well(&helm(&env, &["package", "src/web", "-d", "packages"]));
    well(&helm(
        &env,
        &["push", "packages/web-2.0.0.tgz", &place, "--plain-http"],
    ));
    fs::remove_dir_all(env.path().join(".cache/windlass")).unwrap();
    well(&env.run(&["deps", "update", "ours"]));
    fs::remove_dir_all(env.path().join("ours/charts")).unwrap();
    fs::remove_dir_all(env.path().join(".cache/windlass")).unwrap();
    let shown = env.run(&["deps", "build", "ours"]);
    assert_eq!(shown.code, 7, "{}", shown.all());
    assert!(
        shown.stderr.contains("Chart.sum has sha256:"),
        "{}",
        shown.all()
    );
}

/// Indexes that are none, or that name what is not there.
fn broken_indexes(env: &TestEnv) {
    let entry = |urls: &str| {
        format!("  web:\n  - {{name: web, apiVersion: v2, version: 1.0.0, urls: [{urls}]}}\n")
    };
    let head = "apiVersion: v1\nentries:\n";
    let twice = format!("{head}{}{}", entry("a.tgz"), entry("b.tgz"));
    for (folder, index) in [
        ("empty", String::new()),
        ("bad", "apiVersion: v1\nentries: [\n".to_owned()),
        ("old", "entries: {}\n".to_owned()),
        ("twice", twice),
        ("html", "<html>hello</html>".to_owned()),
        ("gone", format!("{head}{}", entry("nope.tgz"))),
        ("cut", format!("{head}{}", entry("web-1.0.0.tgz"))),
    ] {
        env.write(&format!("packages/{folder}/index.yaml"), &index);
    }
    let archive = fs::read(env.path().join("packages/web-1.0.0.tgz")).unwrap();
    let cut = env.path().join("packages/cut/web-1.0.0.tgz");
    fs::write(cut, &archive[..archive.len() / 2]).unwrap();
}

#[test]
fn failures_have_helms_causes() {
    let env = TestEnv::new();
    package(&env, "web", "1.0.0");
    package(&env, "other", "1.0.0");
    well(&helm(&env, &["repo", "index", "packages"]));
    broken_indexes(&env);
    let packages = env.path().join("packages");
    let url = format!(
        "http://{}",
        serve(move |head| file(Path::new(&packages), head))
    );
    let head = "apiVersion: v2\nname: um\nversion: 1.0.0\ndependencies:\n";
    let at = |path: &str| format!("- {{name: web, version: 1.x, repository: '{url}{path}'}}");
    let web = |rest: &str| format!("- {{name: web, {rest}}}");
    for (dependency, cause) in [
        (
            at("").replace("1.x", "^2"),
            "can't get a valid version for 1 subchart(s): \"web\"",
        ),
        (
            at("").replace("web", "nope"),
            "nope chart not found in repo",
        ),
        (
            at("").replace("1.x", "x.y.z.z"),
            "improper constraint: \"x.y.z.z\"",
        ),
        (at("/none"), "/none/index.yaml : 404 Not Found"),
        (at("/empty"), "empty index.yaml file"),
        (
            at("/bad"),
            "yaml: line 2: did not find expected node content",
        ),
        (at("/old"), "no API version specified"),
        (at("/twice"), "key \"web\" already set in map"),
        (
            at("/html"),
            "json: cannot unmarshal string into Go value of type",
        ),
        (at("/gone"), "/gone/nope.tgz : 404 Not Found"),
        (
            web("version: 1.x, repository: 'http://127.0.0.1:1'"),
            "refuse",
        ),
        (
            web("version: 1.x, repository: '@none'"),
            "no repository definition for @none",
        ),
        (
            web("version: 1.x, repository: a.io"),
            "no repository definition for a.io",
        ),
        (
            web("version: 1.x, repository: 'file://../none'"),
            "none not found",
        ),
        (
            web("version: 2.x, repository: 'file://../src/web'"),
            "can't get a valid version for 1 subchart(s)",
        ),
        (web("version: 1.x"), "charts/web not found"),
        (
            web("version: 1.x, alias: a/b"),
            "disallowed characters in the alias",
        ),
        (
            format!("{0}\n{0}", at("")),
            "more than one dependency with name or alias \"web\"",
        ),
    ] {
        env.write("um/Chart.yaml", &format!("{head}{dependency}\n"));
        let theirs = helm(&env, &["dependency", "update", "um"]);
        let ours = env.run(&["deps", "update", "um"]);
        for shown in [&theirs, &ours] {
            assert_ne!(shown.code, 0, "{dependency}: {}", shown.all());
            assert!(shown.all().contains(cause), "{cause}: {}", shown.all());
        }
    }
    // helm ends well with these, and without the archive.
    for (dependency, cause) in [
        (
            at("/cut"),
            "cut/web-1.0.0.tgz is no archive of chart web 1.0.0",
        ),
        (
            web("version: 1.x, repository: 'file://../src/other'"),
            "src/other is other",
        ),
    ] {
        env.write("um/Chart.yaml", &format!("{head}{dependency}\n"));
        well(&helm(&env, &["dependency", "update", "um"]));
        drop(fs::remove_file(env.path().join("um/Chart.lock")));
        let ours = env.run(&["deps", "update", "um"]);
        assert_ne!(ours.code, 0, "{dependency}");
        assert!(ours.all().contains(cause), "{cause}: {}", ours.all());
    }
}

/// Locks of other dependencies, and one that leads elsewhere.
#[test]
fn locks_are_refused_as_helm_does() {
    let env = TestEnv::new();
    package(&env, "web", "1.0.0");
    let head = "apiVersion: v2\nname: um\nversion: 1.0.0\ndependencies:\n";
    let web = |version: &str| {
        let web = format!("- {{name: web, version: {version}, repository: 'file://../src/web'}}\n");
        env.write("um/Chart.yaml", &format!("{head}{web}"));
    };
    web("1.x");
    well(&env.run(&["deps", "update", "um"]));
    web("1.0.x");
    let lock = env.path().join("um/Chart.lock");
    for (command, cause) in [
        (
            "build",
            "the lock file (Chart.lock) is out of sync with the dependencies file (Chart.yaml)",
        ),
        ("update", "the Chart.lock file is a symlink to"),
    ] {
        for shown in [
            helm(&env, &["dependency", command, "um"]),
            env.run(&["deps", command, "um"]),
        ] {
            assert_ne!(shown.code, 0, "{command}: {}", shown.all());
            assert!(shown.all().contains(cause), "{cause}: {}", shown.all());
        }
        fs::remove_file(&lock).unwrap();
        std::os::unix::fs::symlink("Chart.yaml", &lock).unwrap();
    }
}

/// Only what is missing is a reason to choose again.
#[test]
fn a_render_updates_what_is_missing_as_helm_does() {
    let env = TestEnv::new();
    package(&env, "web", "1.0.0");
    well(&helm(&env, &["repo", "index", "packages"]));
    let packages = env.path().join("packages");
    let url = format!(
        "http://{}",
        serve(move |head| file(Path::new(&packages), head))
    );
    let head = "apiVersion: v2\nname: um\nversion: 1.0.0\ndependencies:\n";
    for chart in ["theirs", "ours"] {
        let web = format!("- {{name: web, version: ^1, repository: '{url}'}}\n");
        env.write(&format!("{chart}/Chart.yaml"), &format!("{head}{web}"));
    }
    let both = |has_web: &str| {
        let theirs = helm(&env, &["template", "rel", "theirs", "--dependency-update"]);
        let ours = env.run(&["render", "rel", "ours", "--dependency-update"]);
        well(&theirs);
        well(&ours);
        // helm tells of the update on stdout.
        assert!(
            theirs.stdout.ends_with(&ours.stdout),
            "{}{}",
            theirs.all(),
            ours.all()
        );
        assert_eq!(lock(&env, "theirs"), lock(&env, "ours"));
        assert_eq!(archives(&env, "theirs"), archives(&env, "ours"));
        assert!(lock(&env, "ours").contains(has_web));
    };
    both("version: 1.0.0");
    package(&env, "web", "1.1.0");
    well(&helm(&env, &["repo", "index", "packages"]));
    both("version: 1.0.0");
    for chart in ["theirs", "ours"] {
        fs::remove_dir_all(env.path().join(chart).join("charts")).unwrap();
    }
    both("version: 1.1.0");
}

/// Several members, and bytes after the end.
#[test]
fn archives_in_odd_forms_are_read_as_helm_does() {
    let env = TestEnv::new();
    package(&env, "web", "1.0.0");
    let archive = fs::read(env.path().join("packages/web-1.0.0.tgz")).unwrap();
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(&archive[..])
        .read_to_end(&mut tar)
        .unwrap();
    let member = |bytes: &[u8]| {
        let mut packed = Vec::new();
        let mut encoder = flate2::read::GzEncoder::new(bytes, flate2::Compression::fast());
        encoder.read_to_end(&mut packed).unwrap();
        packed
    };
    let (one, two) = tar.split_at(tar.len() / 2);
    env.write(
        "um/Chart.yaml",
        "apiVersion: v2\nname: um\nversion: 1.0.0\n",
    );
    env.write("um/charts/.keep", "");
    for file in [
        [member(one), member(two)].concat(),
        [&archive[..], b"garbage"].concat(),
        [member(one), b"garbage".to_vec()].concat(),
        archive[..archive.len() - 4].to_vec(),
        archive[..20].to_vec(),
    ] {
        fs::write(env.path().join("um/charts/web-1.0.0.tgz"), file).unwrap();
        let theirs = helm(&env, &["template", "rel", "um"]);
        let ours = env.run(&["render", "rel", "um"]);
        assert_eq!(theirs.stdout, ours.stdout);
        assert_eq!(theirs.code, ours.code, "{}{}", theirs.all(), ours.all());
    }
}

/// What windlass packs and pushes, helm pulls and renders; what helm pushes, windlass pulls.
#[test]
fn packages_go_to_a_registry_and_back() {
    let env = TestEnv::new();
    package(&env, "web", "1.0.0+b.1");
    let place = format!("oci://{}/pushed-{}", open(), std::process::id());
    for folder in ["one", "two"] {
        well(&env.run(&["chart", "package", "src/web", "-d", folder]));
    }
    let read = |path: &str| fs::read(env.path().join(path)).unwrap();
    let ours = read("one/web-1.0.0+b.1.tgz");
    assert_eq!(ours, read("two/web-1.0.0+b.1.tgz"));

    let first = env.run(&["chart", "push", "one/web-1.0.0+b.1.tgz", &place]);
    well(&first);
    let web = format!("{place}/web");
    let version = ["--version", "1.0.0+b.1"];
    let pull = [
        "pull",
        &web,
        "--plain-http",
        "-d",
        "pulled",
        version[0],
        version[1],
    ];
    env.write("pulled/.keep", "");
    well(&helm(&env, &pull));
    assert_eq!(read("pulled/web-1.0.0+b.1.tgz"), ours);
    let template = [
        "template",
        "rel",
        &web,
        "--plain-http",
        version[0],
        version[1],
    ];
    let rendered = helm(&env, &template);
    well(&rendered);
    assert!(rendered.stdout.contains("kind: A"), "{}", rendered.all());
    // The same again leaves the manifest as it is, whatever the time: sums and pins of it stay good.
    let again = ["chart", "push", "src/web", &place];
    let again = env.run_with(&again, &[("SOURCE_DATE_EPOCH", "1")]);
    assert_eq!(
        again.stdout,
        first.stdout.replace("Pushed: ", "Already there: ")
    );
    let digest = first
        .stdout
        .rsplit("Digest: ")
        .next()
        .unwrap()
        .trim()
        .to_owned();
    let by_digest = format!("{web}@{digest}");
    well(&env.run(&["chart", "pull", &by_digest, "-d", "by-digest"]));
    assert_eq!(read("by-digest/web-1.0.0+b.1.tgz"), ours);

    well(&helm(
        &env,
        &["push", "packages/web-1.0.0+b.1.tgz", &place, "--plain-http"],
    ));
    well(&env.run(&[
        "chart", "pull", &web, "-d", "theirs", version[0], version[1],
    ]));
    assert_eq!(
        read("theirs/web-1.0.0+b.1.tgz"),
        read("packages/web-1.0.0+b.1.tgz")
    );
    let show = env.run(&["chart", "show", "theirs/web-1.0.0+b.1.tgz"]);
    let theirs = helm(&env, &["show", "chart", "theirs/web-1.0.0+b.1.tgz"]);
    assert_eq!(show.stdout.trim_end(), theirs.stdout.trim_end());
}

/// A deploy restores by the lock what is missing, and refuses what was changed before it writes anything.
#[test]
fn a_deploy_restores_what_is_missing_and_refuses_what_was_changed() {
    let case = Case::new("deps");
    let env = &case.env;
    env.write(
        "src/web/Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    );
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n";
    env.write("src/web/templates/a.yaml", template);
    let place = format!("oci://{}/deployed-{}", open(), std::process::id());
    well(&env.run(&["chart", "push", "src/web", &place]));
    let head = "apiVersion: v2\nname: chart\nversion: 1.0.0\ndependencies:\n";
    let web = format!("- {{name: web, version: ^1, repository: '{place}'}}\n");
    env.write("chart/Chart.yaml", &format!("{head}{web}"));
    well(&env.run(&["deps", "update", "chart"]));
    let charts = env.path().join("chart/charts");
    fs::remove_dir_all(&charts).unwrap();
    let shown = case.deploy(&[]);
    well(&shown);
    assert!(
        shown.all().contains("created  ConfigMap/web"),
        "{}",
        shown.all()
    );

    env.write(
        "src/web/templates/a.yaml",
        &template.replace("web}", "evil}"),
    );
    well(&env.run(&["chart", "package", "src/web", "-d", "chart/charts"]));
    let shown = case.deploy(&[]);
    assert_eq!(shown.code, 7, "{}", shown.all());
    assert!(
        shown.stderr.contains("Chart.sum has sha256:"),
        "{}",
        shown.all()
    );
    well(&env.run(&["deps", "build", "chart", "--offline"]));
    let shown = case.deploy(&[]);
    assert!(shown.all().contains("No changes"), "{}", shown.all());
}
