//! `deps`: what runs leave in `charts/` and in the cache: interrupted, killed, several at once, out of date.

use super::deps::{chart, charts, repository, umbrella};
use super::support::{answer, serve};
use std::fs;
use std::io::Read as _;
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

/// A build that is under way while an update chooses anew: one after the other, so that what is there is of one lock.
#[test]
fn runs_in_one_chart_take_turns() {
    let (release, wait) = mpsc::channel::<()>();
    let (asked, is_asked) = mpsc::channel();
    let slow = serve(move |_| {
        asked.send(()).unwrap();
        wait.recv().unwrap();
        answer("200 OK", "", &chart("web", "1.0.0"))
    });
    let entry = format!("  - version: 1.0.0\n    urls: ['http://{slow}/web.tgz']\n");
    let is_new = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&is_new);
    let address = serve(move |head| {
        let newer = match now.load(Ordering::SeqCst) {
            true => "  - version: 1.1.0\n    urls: [new.tgz]\n",
            false => "",
        };
        let index = format!("apiVersion: v1\nentries:\n  web:\n{newer}{entry}");
        match head.contains("/index.yaml") {
            true => answer("200 OK", "", index.as_bytes()),
            false => answer("200 OK", "", &chart("web", "1.1.0")),
        }
    });
    let env = umbrella(&format!("http://{address}"));
    let start = |command: &str| {
        let mut command = env.command(&["deps", command, "um"]);
        command.stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    release.send(()).unwrap();
    assert!(start("update").wait().unwrap().success());
    is_asked.recv().unwrap();
    for gone in ["um/charts", ".cache"] {
        fs::remove_dir_all(env.path().join(gone)).unwrap();
    }
    let mut build = start("build");
    is_asked.recv().unwrap();
    is_new.store(true, Ordering::SeqCst);
    let mut update = start("update");
    let mut told = [0; 30];
    let mut stderr = update.stderr.take().unwrap();
    stderr.read_exact(&mut told).unwrap();
    assert_eq!(&told, b"Waiting for another run in um\n");
    release.send(()).unwrap_or_default();
    assert!(build.wait().unwrap().success());
    drop(std::io::copy(&mut stderr, &mut std::io::sink()));
    assert!(update.wait().unwrap().success());
    assert_eq!(charts(&env), ["web-1.1.0.tgz"]);
    let lock = fs::read_to_string(env.path().join("um/Chart.lock")).unwrap();
    assert!(lock.contains("version: 1.1.0"), "{lock}");
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
    // helm writes no Chart.sum: what it chose since is not taken unseen.
    let lock = env.path().join("um/Chart.lock");
    let text = fs::read_to_string(&lock).unwrap();
    fs::write(lock, text.replace("version: 1.0.0", "version: 1.5.0")).unwrap();
    fs::rename(right, &other).unwrap();
    fs::write(&other, chart("web", "1.5.0")).unwrap();
    let shown = env.run(&["render", "rel", "um"]);
    let told = shown.all();
    let (told, rest) = told.split_once("sha256:").unwrap();
    insta::assert_snapshot!(told, @"
    exit: 7
    --- stdout
    --- stderr
    error: chart web 1.5.0 of the lock is not in Chart.sum, which has web 1.0.0 with
    ");
    assert!(rest.contains("hint: `windlass deps build` fetches what the lock names"));
    // Without the file it is as with helm.
    fs::remove_file(env.path().join("um/Chart.sum")).unwrap();
    assert_eq!(env.run(&["render", "rel", "um", "--offline"]).code, 0);
    assert_eq!(charts(&env), ["web-1.5.0.tgz"]);
}

/// An archive of any name is rendered by helm; with a Chart.sum it has to be named there.
#[test]
fn archives_that_the_sums_do_not_name_are_refused_until_a_build() {
    let env = umbrella(&repository(chart("web", "1.0.0")));
    assert_eq!(env.run(&["deps", "update", "um"]).code, 0);
    for name in ["extra-1.0.0.tgz", "web-evil.tgz", "extra.tgz"] {
        let extra = env.path().join("um/charts").join(name);
        fs::write(&extra, chart("extra", "1.0.0")).unwrap();
        let shown = env.run(&["render", "rel", "um"]);
        assert_eq!((shown.code, shown.stdout.as_str()), (7, ""), "{name}");
        let told = [&format!("um/charts/{name} (sha256:"), "is not in Chart.sum"];
        assert!(told.iter().all(|told| shown.stderr.contains(*told)));
        let has_web = shown.stderr.contains("which has web 1.0.0 with sha256:");
        assert_eq!(has_web, name.starts_with("web"), "{}", shown.all());
        assert!(shown.stderr.contains("hint: `windlass deps build`"));
        // Without the file it is as with helm.
        let sums = env.path().join("um/Chart.sum");
        let text = fs::read_to_string(&sums).unwrap();
        fs::remove_file(&sums).unwrap();
        assert_eq!(env.run(&["render", "rel", "um"]).code, 0);
        // A file that names nothing is still one.
        env.write("um/Chart.sum", "# nothing\n");
        assert_eq!(env.run(&["render", "rel", "um"]).code, 7);
        env.write("um/Chart.sum", &text);
        let built = env.run(&["deps", "build", "um"]);
        assert_eq!(built.code, 0, "{}", built.all());
        assert_eq!(charts(&env), ["web-1.0.0.tgz"]);
        assert_eq!(env.run(&["render", "rel", "um"]).code, 0);
    }
}

/// What was made of a folder of the project, and what is one, is as trusted as the project.
#[test]
fn folders_need_no_sums() {
    let env = umbrella(&repository(chart("web", "1.0.0")));
    let text = fs::read_to_string(env.path().join("um/Chart.yaml")).unwrap();
    let more =
        "- {name: db, version: '*', repository: 'file://../db'}\n- {name: own, version: '*'}\n";
    env.write("um/Chart.yaml", &format!("{text}{more}"));
    for (folder, name) in [
        ("db", "db"),
        ("um/charts/own", "own"),
        ("um/charts/other", "other"),
    ] {
        let head = format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n");
        env.write(&format!("{folder}/Chart.yaml"), &head);
    }
    let shown = env.run(&["deps", "update", "um"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    let shown = env.run(&["render", "rel", "um", "--offline"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    let all = ["db-1.0.0.tgz", "other", "own", "web-1.0.0.tgz"];
    assert_eq!(charts(&env), all);
}

/// A folder is rendered in place of an archive of the same chart, whatever the lock says.
#[test]
fn a_folder_in_the_way_of_a_locked_chart_is_refused() {
    let env = umbrella(&repository(chart("web", "1.0.0")));
    assert_eq!(env.run(&["deps", "update", "um"]).code, 0);
    let head = "apiVersion: v2\nname: web\nversion: 1.0.0\n";
    for folder in ["web", "other"] {
        env.write(&format!("um/charts/{folder}/Chart.yaml"), head);
        let shown = env.run(&["render", "rel", "um"]);
        assert_eq!((shown.code, shown.stdout.as_str()), (7, ""), "{folder}");
        let told = format!(
            "error: folder um/charts/{folder}, which is in the way of web 1.0.0 of the lock, is not in Chart.sum\n"
        );
        assert!(shown.stderr.starts_with(&told), "{}", shown.all());
        assert!(shown.stderr.contains("remove a folder"), "{}", shown.all());
        fs::remove_dir_all(env.path().join("um/charts").join(folder)).unwrap();
    }
    // Also where the archive has to be restored first.
    env.write("um/charts/web/Chart.yaml", head);
    let archive = env.path().join("um/charts/web-1.0.0.tgz");
    fs::rename(&archive, archive.with_file_name("web-1.5.0.tgz")).unwrap();
    assert_eq!(env.run(&["render", "rel", "um"]).code, 7);
    assert!(archive.exists());
    fs::remove_dir_all(env.path().join("um/charts/web")).unwrap();
    env.write("um/charts/_web/Chart.yaml", head);
    assert_eq!(env.run(&["render", "rel", "um"]).code, 0);
}

/// As `helm template --dependency-update`: only what is missing is a reason to choose again.
#[test]
fn a_render_chooses_again_what_is_missing_when_asked_to() {
    let version = Arc::new(Mutex::new("1.0.0"));
    let now = Arc::clone(&version);
    let address = serve(move |head| {
        let version = *now.lock().unwrap();
        let index = format!(
            "apiVersion: v1\nentries:\n  web:\n  - version: {version}\n    urls: [w.tgz]\n"
        );
        match head.contains("/index.yaml") {
            true => answer("200 OK", "", index.as_bytes()),
            false => answer("200 OK", "", &chart("web", version)),
        }
    });
    let env = umbrella(&format!("http://{address}"));
    let render = ["render", "rel", "um", "--dependency-update"];
    assert_eq!(env.run(&render[..3]).code, 1);
    let shown = env.run(&render);
    assert_eq!(shown.code, 0, "{}", shown.all());
    assert_eq!(charts(&env), ["web-1.0.0.tgz"]);
    assert!(env.path().join("um/Chart.lock").exists());
    *version.lock().unwrap() = "1.1.0";
    assert_eq!(env.run(&render).stderr, "");
    assert_eq!(charts(&env), ["web-1.0.0.tgz"]);
    // Without the flag the lock says what is restored.
    let archive = env.path().join("um/charts/web-1.0.0.tgz");
    fs::remove_file(&archive).unwrap();
    assert_eq!(env.run(&render[..3]).code, 0);
    assert_eq!(charts(&env), ["web-1.0.0.tgz"]);
    fs::remove_file(archive).unwrap();
    let shown = env.run(&render);
    assert_eq!(shown.code, 0, "{}", shown.all());
    assert_eq!(charts(&env), ["web-1.1.0.tgz"]);
}

/// Over plain http, anybody on the way can answer.
#[test]
fn plain_http_to_another_machine_is_warned_of_once() {
    let proxy = repository(chart("web", "1.0.0"));
    let env = umbrella("http://charts.example");
    let shown = env.run_with(&["deps", "update", "um"], &[("HTTP_PROXY", &proxy)]);
    insta::assert_snapshot!(shown.all(), @"
    exit: 0
    --- stdout
    --- stderr
    warning: http://charts.example/: it is asked over plain http; anybody on the way can change what comes from there
    Downloading web 1.0.0 from repo http://charts.example/
    1 archive in um/charts: 1 fetched, 0 from here; wrote Chart.lock.
    ");
    let quiet = ["deps", "update", "um", "--quiet"];
    let shown = env.run_with(&quiet, &[("HTTP_PROXY", &proxy)]);
    assert_eq!(shown.all(), "exit: 0\n--- stdout\n--- stderr\n");
}

/// A terminal sees what is under way, and in the end no more than others.
#[test]
fn a_terminal_sees_a_bar_for_each_download() {
    let (seen, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let address = serve(move |head| {
        let index = "apiVersion: v1\nentries:\n  web:\n  - version: 1.0.0\n    urls: [web.tgz]\n";
        if head.contains("/index.yaml") {
            return answer("200 OK", "", index.as_bytes());
        }
        wait.lock().unwrap().recv().unwrap();
        answer("200 OK", "", &chart("web", "1.0.0"))
    });
    let env = umbrella(&format!("http://{address}"));
    let program = env!("CARGO_BIN_EXE_windlass");
    let mut run = std::process::Command::new("script")
        .args(["-qec", &format!("{program} deps update um"), "/dev/null"])
        .current_dir(env.path())
        .env("HOME", env.path())
        .env("TERM", "xterm")
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut screen = run.stdout.take().unwrap();
    let (mut text, mut part) = (String::new(), [0; 4096]);
    while !text.contains("web 1.0.0") {
        let read = screen.read(&mut part).unwrap();
        assert_ne!(read, 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&part[..read]));
    }
    seen.send(()).unwrap();
    screen.read_to_string(&mut text).unwrap();
    assert!(run.wait().unwrap().success(), "{text}");
    assert!(text.contains("1 archive in um/charts: 1 fetched"), "{text}");
    assert!(!text.contains("Downloading"), "{text}");
}

/// More than sixty charts of one repository, restored in one run and rendered.
#[test]
fn an_umbrella_of_63_charts_is_restored_and_rendered() {
    let names: Vec<String> = (0..63).map(|number| format!("web-{number}")).collect();
    let entry = |name: &String| format!("  {name}:\n  - version: 1.0.0\n    urls: [{name}.tgz]\n");
    let index: String = names.iter().map(entry).collect();
    let index = format!("apiVersion: v1\nentries:\n{index}");
    let address = serve(move |head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        match path.trim_start_matches('/').strip_suffix(".tgz") {
            Some(name) => answer("200 OK", "", &chart(name, "1.0.0")),
            None => answer("200 OK", "", index.as_bytes()),
        }
    });
    let env = umbrella(&format!("http://{address}"));
    let line = |name: &String| {
        format!("- {{name: {name}, version: ^1, repository: 'http://{address}'}}\n")
    };
    let lines: String = names.iter().map(line).collect();
    let head = "apiVersion: v2\nname: um\nversion: 1.0.0\ndependencies:\n";
    env.write("um/Chart.yaml", &format!("{head}{lines}"));
    let shown = env.run(&["deps", "update", "um"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    assert_eq!(charts(&env).len(), 63);
    fs::remove_dir_all(env.path().join("um/charts")).unwrap();
    let shown = env.run(&["render", "rel", "um", "--offline"]);
    assert_eq!(
        (shown.code, shown.stderr.as_str()),
        (0, ""),
        "{}",
        shown.all()
    );
    let shown = env.run(&["deps", "build", "um"]);
    let told = "63 archives in um/charts: 0 fetched, 63 from here.\n";
    assert_eq!(shown.stderr, told);
}

/// What has no end is not read to it.
#[test]
fn devices_are_no_charts() {
    for file in ["Chart.yaml", "Chart.lock", "Chart.sum"] {
        let env = umbrella("file://../web");
        let head = "apiVersion: v2\nname: web\nversion: 1.2.3\n";
        env.write("web/Chart.yaml", head);
        assert_eq!(env.run(&["deps", "update", "um"]).code, 0);
        let path = env.path().join("um").join(file);
        drop(fs::remove_file(&path));
        std::os::unix::fs::symlink("/dev/zero", path).unwrap();
        for command in [&["deps", "build", "um"][..], &["render", "rel", "um"]] {
            let shown = env.run(command);
            assert_eq!(shown.code, 1, "{file}: {}", shown.all());
        }
    }
}
