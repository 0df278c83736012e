//! `windlass lock` and locked renders, without a registry.

use super::support::TestEnv;

const DIGEST: &str = "sha256:f798cfd4c6a6a1d1d1e2d3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";

/// A project with a chart of one pod and its lock folder.
fn project(image: &str) -> TestEnv {
    let env = TestEnv::new();
    env.write(
        "windlass.yaml",
        "version: 1\nname: shop\nchart: chart\nlocks: locks\n",
    );
    env.write(
        "chart/Chart.yaml",
        "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
    );
    env.write(
        "chart/templates/pod.yaml",
        &format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  containers:\n  \
             # ours\n  - {{name: web, image: '{image}'}}\n"
        ),
    );
    env
}

fn lock(image: &str, new_image: &str) -> String {
    format!(
        "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\noverrides:\n- image: {image}\n  \
         newImage: {new_image}\n  preresolved: true\n"
    )
}

#[test]
fn a_locked_image_is_written_in_place_and_needs_no_registry() {
    let env = project("web:1");
    env.write(
        "locks/web.yml",
        &lock("web:1", &format!("127.0.0.1:1/web@{DIGEST}")),
    );
    let shown = env.run(&["render", "--frozen"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    let want = format!("  # ours\n  - {{name: web, image: '127.0.0.1:1/web@{DIGEST}'}}\n");
    assert!(shown.stdout.ends_with(&want), "{}", shown.all());
    let shown = env.run(&["lock"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    let lock = env.read("locks/shop.lock.yml");
    assert!(!lock.contains("overrides"), "{lock}");
}

#[test]
fn frozen_names_every_unlocked_image_and_the_way_out() {
    let env = project("web:1");
    env.write(
        "locks/other.yml",
        &lock("other", &format!("a.io/other@{DIGEST}")),
    );
    let shown = env.run(&["render", "--frozen"]);
    assert_eq!(
        shown.all(),
        "exit: 1\n--- stdout\n--- stderr\nerror: 1 image is not locked\n  web:1\n    \
         at chart/templates/pod.yaml:7:24 (spec.containers[0].image)\n\
         hint: `windlass lock` locks every image; give it the same values\n"
    );
}

#[test]
fn two_locks_that_disagree_stop_the_render() {
    let env = project("web:1");
    let other = DIGEST.replace('f', "0");
    env.write("locks/a.yml", &lock("web:1", &format!("a.io/web@{DIGEST}")));
    env.write("locks/b.yml", &lock("web:1", &format!("a.io/web@{other}")));
    let shown = env.run(&["render"]);
    assert_eq!(shown.code, 1, "{}", shown.all());
    for place in ["locks/a.yml:4:3", "locks/b.yml:4:3"] {
        assert!(shown.stderr.contains(place), "{}", shown.all());
    }
}

#[test]
fn a_registry_that_is_down_leaves_the_lock_alone() {
    let env = project("127.0.0.1:1/team/web:1");
    let shown = env.run(&["lock"]);
    assert_eq!(
        shown.all(),
        "exit: 1\n--- stdout\n--- stderr\nerror: 1 of 1 image not resolved\n  \
         registry 127.0.0.1:1 refuses connections\n    127.0.0.1:1/team/web:1\n      \
         at chart/templates/pod.yaml:7:24 (spec.containers[0].image)\n\
         hint: start the registry that should listen on 127.0.0.1:1\n"
    );
    assert!(!env.path().join("locks").exists());
}

#[test]
fn a_lock_takes_over_an_image_map_and_is_written_for_imgpkg_too() {
    let env = project("web:1");
    env.write("map.json", &format!("{{\"web:1\": \"a.io/web@{DIGEST}\"}}"));
    let shown = env.run(&[
        "lock",
        "--image-map-file=map.json",
        "--imgpkg-lock-output=.imgpkg/images.yml",
    ]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    assert!(env.read("locks/shop.lock.yml").contains(DIGEST));
    assert_eq!(
        env.read(".imgpkg/images.yml"),
        format!(
            "apiVersion: imgpkg.carvel.dev/v1alpha1\nimages:\n- annotations:\n    \
             kbld.carvel.dev/id: web:1\n  image: a.io/web@{DIGEST}\nkind: ImagesLock\n"
        )
    );
    let rendered = env.run(&["render", "--no-locks"]).stdout;
    env.write("locks/shop.lock.yml", &env.read(".imgpkg/images.yml"));
    let locked = env.run(&["render", "--frozen"]);
    assert_eq!(locked.code, 0, "{}", locked.all());
    let expected = rendered.replace("web:1", &format!("a.io/web@{DIGEST}"));
    assert_eq!(locked.stdout, expected);
}

#[test]
fn the_list_says_which_file_locks_what() {
    let env = project("web:1");
    env.write(
        "locks/web.yml",
        &lock("web:1", &format!("a.io/web@{DIGEST}")),
    );
    let shown = env.run(&["lock", "list"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    let row = shown.stdout.lines().nth(1).unwrap_or_default();
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(
        words,
        ["web:1", &format!("a.io/web@{DIGEST}"), "locks/web.yml:4"]
    );
}

#[test]
fn every_image_of_manifests_is_listed_with_its_place_and_its_lock() {
    let env = project("web:1");
    env.write(
        "locks/web.yml",
        &lock("web:1", &format!("a.io/web@{DIGEST}")),
    );
    env.write(
        "pods.yaml",
        "kind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - image: web:1\n  - image: api:2\n",
    );
    let shown = env.run(&["lock", "list", "-m", "pods.yaml"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    let rows: Vec<Vec<&str>> = shown
        .stdout
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect())
        .collect();
    let pinned = format!("a.io/web@{DIGEST}");
    let (web, api) = ("spec.containers[0].image", "spec.containers[1].image");
    let expected = [
        vec![
            "web:1",
            &pinned,
            "locks/web.yml:4",
            "Pod/p",
            "pods.yaml:5",
            web,
        ],
        vec!["api:2", "not", "locked", "Pod/p", "pods.yaml:6", api],
    ];
    assert_eq!(rows, expected);
    let shown = env.run(&["lock", "list", "--images", "--format", "json"]);
    assert_eq!(shown.code, 0, "{}", shown.all());
    let listed: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(listed["images"][0]["newImage"], pinned);
    assert_eq!(listed["images"][0]["locked"], true);
}

#[test]
fn a_lock_needs_a_place() {
    let env = project("web:1");
    env.write("windlass.yaml", "version: 1\nname: shop\nchart: chart\n");
    let shown = env.run(&["lock"]);
    assert_eq!(
        shown.all(),
        "exit: 2\n--- stdout\n--- stderr\nerror: nothing says where the lock is written\n\
         hint: name the file: `-o FILE`, or set `locks` in windlass.yaml\n"
    );
}

#[test]
fn a_mistake_in_a_lock_has_its_place() {
    let env = project("web:1");
    env.write("locks/web.yml", &lock("web:1", "a.io/web:1"));
    let shown = env.run(&["render"]);
    assert_eq!(shown.code, 1, "{}", shown.all());
    let want =
        "error: locks/web.yml:5:13: `web:1` is locked to `a.io/web:1`, which has no digest\n";
    assert!(shown.stderr.starts_with(want), "{}", shown.all());
}

#[test]
fn a_name_is_locked_to_an_image_of_another_name() {
    let digest = "a".repeat(64);
    let image = format!("web=registry.example.com/shop/web@sha256:{digest}");
    let shown = TestEnv::new().run(&["lock", "resolve", &image]);
    let expected = format!(
        "- image: web\n  newImage: registry.example.com/shop/web@sha256:{digest}\n  preresolved: true\n"
    );
    assert_eq!(shown.code, 0, "{}", shown.all());
    assert!(shown.stdout.ends_with(&expected), "{}", shown.all());
}
