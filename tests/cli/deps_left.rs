//! `deps`: what runs leave in `charts/` and in the cache: interrupted, killed, several at once, out of date.

use super::deps::{chart, charts, repository, umbrella};
use super::support::{answer, serve};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

/// A run that could not put all archives into place, or was killed meanwhile, is finished by the next one.
#[test]
fn what_an_interrupted_run_began_is_done_by_the_next_one() {
    let version = Arc::new(Mutex::new("1.0.0"));
    let now = Arc::clone(&version);
    let address = serve(move |head| {
        let version = *now.lock().unwrap();
        let of =
            |name: &str| format!("  {name}:\n  - version: {version}\n    urls: [{name}.tgz]\n");
        let index = format!("apiVersion: v1\nentries:\n{}{}", of("db"), of("web"));
        match ["/index.yaml", "/db.tgz"].map(|path| head.contains(path)) {
            [true, _] => answer("200 OK", "", index.as_bytes()),
            [_, true] => answer("200 OK", "", &chart("db", version)),
            _ => answer("200 OK", "", &chart("web", version)),
        }
    });
    let env = umbrella(&format!("http://{address}"));
    let text = fs::read_to_string(env.path().join("um/Chart.yaml")).unwrap();
    let db = format!("- name: db\n  version: ^1.0.0\n  repository: http://{address}\n");
    env.write("um/Chart.yaml", &format!("{text}{db}"));
    assert_eq!(env.run(&["deps", "update", "um"]).code, 0);

    // db 1.1.0 is put into place, web 1.1.0 cannot be.
    *version.lock().unwrap() = "1.1.0";
    let obstacle = env.path().join("um/charts/web-1.1.0.tgz");
    fs::create_dir(&obstacle).unwrap();
    let shown = env.run(&["deps", "update", "um"]);
    assert_eq!(shown.code, 1, "{}", shown.all());
    assert!(shown.stderr.contains("web-1.1.0.tgz"), "{}", shown.all());
    assert!(env.path().join("um/charts/db-1.1.0.tgz").exists());
    assert!(env.path().join("um/charts/db-1.0.0.tgz").exists());

    // What began is finished, without the network, by whatever runs next.
    fs::remove_dir(obstacle).unwrap();
    let shown = env.run(&["render", "rel", "um", "--offline"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    assert_eq!(charts(&env), ["db-1.1.0.tgz", "web-1.1.0.tgz"]);
    let read = |file: &str| fs::read_to_string(env.path().join("um").join(file)).unwrap();
    for file in ["Chart.lock", "Chart.sum"] {
        assert!(!read(file).contains("1.0.0"), "{}", read(file));
    }
}

/// A kill while archives are fetched leaves no trace after the next run.
#[test]
fn what_a_killed_run_left_is_cleared() {
    let (asked, wait) = mpsc::channel();
    let good = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&good);
    let address = serve(move |head| {
        let index = "apiVersion: v1\nentries:\n  web:\n  - version: 1.0.0\n    urls: [web.tgz]\n";
        if head.contains("/index.yaml") {
            return answer("200 OK", "", index.as_bytes());
        }
        if now.load(Ordering::SeqCst) {
            return answer("200 OK", "", &chart("web", "1.0.0"));
        }
        asked.send(()).unwrap();
        while !now.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        Vec::new()
    });
    let env = umbrella(&format!("http://{address}"));
    let mut killed = env.command(&["deps", "update", "um"]).spawn().unwrap();
    wait.recv().unwrap();
    assert_eq!(charts(&env).len(), 1);
    killed.kill().unwrap();
    killed.wait().unwrap();
    good.store(true, Ordering::SeqCst);
    assert_eq!(charts(&env).len(), 1);
    let shown = env.run(&["deps", "update", "um"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    assert_eq!(charts(&env), ["web-1.0.0.tgz"]);
}

/// Processes that share a cache and fetch the same archive at once.
#[test]
fn a_cache_is_shared_by_runs_at_the_same_time() {
    let address = repository(chart("web", "1.0.0"));
    let env = umbrella(&address);
    let text = fs::read_to_string(env.path().join("um/Chart.yaml")).unwrap();
    let charts: Vec<String> = (0..6).map(|number| format!("um{number}")).collect();
    let start = |chart: &String| {
        env.write(&format!("{chart}/Chart.yaml"), &text);
        env.command(&["deps", "update", chart]).spawn().unwrap()
    };
    let runs: Vec<_> = charts.iter().map(start).collect();
    for mut run in runs {
        assert!(run.wait().unwrap().success());
    }
    let cache = env.path().join(".cache/windlass/charts");
    let names: Vec<_> = fs::read_dir(&cache).unwrap().flatten().collect();
    assert_eq!(names.len(), 1);
    let kept = fs::read(names[0].path()).unwrap();
    for chart in &charts {
        let archive = env.path().join(chart).join("charts/web-1.0.0.tgz");
        assert_eq!(fs::read(archive).unwrap(), kept);
    }
    // And by runs in the same chart.
    let again = || env.command(&["deps", "update", "um"]).spawn().unwrap();
    for mut run in [again(), again(), again()] {
        assert!(run.wait().unwrap().success());
    }
    assert_eq!(self::charts(&env), ["web-1.0.0.tgz"]);
}

/// A newer lock, as a pull brings it, or an archive that nobody asked for.
#[test]
fn another_version_than_the_locked_one_is_not_rendered() {
    let env = umbrella(&repository(chart("web", "1.0.0")));
    assert_eq!(env.run(&["deps", "update", "um"]).code, 0);
    let [right, other] = ["1.0.0", "1.5.0"].map(|version| {
        let name = format!("um/charts/web-{version}.tgz");
        env.path().join(name)
    });
    for keeps_right in [true, false] {
        fs::write(&other, chart("web", "1.5.0")).unwrap();
        if !keeps_right {
            fs::remove_file(&right).unwrap();
        }
        let shown = env.run(&["render", "rel", "um", "--offline"]);
        assert_eq!(shown.code, 0, "{}", shown.all());
        assert_eq!(charts(&env), ["web-1.0.0.tgz"]);
        insta::allow_duplicates! {
            insta::assert_snapshot!(shown.stderr, @"Deleted the outdated charts/web-1.5.0.tgz");
        }
    }
    // helm writes no Chart.sum: what it chose since is taken as it is.
    let lock = env.path().join("um/Chart.lock");
    let text = fs::read_to_string(&lock).unwrap();
    fs::write(lock, text.replace("version: 1.0.0", "version: 1.5.0")).unwrap();
    fs::rename(right, &other).unwrap();
    fs::write(&other, chart("web", "1.5.0")).unwrap();
    assert_eq!(env.run(&["render", "rel", "um", "--offline"]).code, 0);
    assert_eq!(charts(&env), ["web-1.5.0.tgz"]);
}
