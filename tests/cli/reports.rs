//! What the subcommands of `lock` print, as tables and as JSON.

use super::support::TestEnv;

const DIGEST: &str = "sha256:f798cfd4c6a6a1d1d1e2d3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";

/// A lock of these images, each `NAME=NEW`; `@` alone in NEW stands for the digest.
fn lock(entries: &[&str]) -> String {
    let entry = |entry: &&str| {
        let (image, new_image) = entry.split_once('=').unwrap_or_default();
        let new_image = new_image.replace('@', &format!("@{DIGEST}"));
        format!("- image: {image}\n  newImage: {new_image}\n  preresolved: true\n")
    };
    let entries: String = entries.iter().map(entry).collect();
    format!("apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\noverrides:\n{entries}")
}

/// A project of a chart with one image that values can change, and locks of two.
fn project() -> TestEnv {
    let env = TestEnv::new();
    env.write(
        "windlass.yaml",
        "version: 1\nname: shop\nchart: chart\nlocks: locks\n",
    );
    env.write(
        "chart/Chart.yaml",
        "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
    );
    env.write("chart/values.yaml", "image: web:1\n");
    env.write(
        "chart/templates/pod.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - image: {{ .Values.image }}\n",
    );
    env.write(
        "locks/all.yml",
        &lock(&["api:2=a.io/api@", "web:1=a.io/web@"]),
    );
    env
}

fn shown(env: &TestEnv, arguments: &[&str]) -> String {
    env.run(arguments).all().replace(DIGEST, "DIGEST")
}

#[test]
fn two_locks_are_compared() {
    let env = project();
    env.write("new.yml", &lock(&["api:2=b.io/api@", "job:1=a.io/job@"]));
    insta::assert_snapshot!(shown(&env, &["lock", "diff", "locks", "new.yml", "--exit-code"]), @"
    exit: 3
    --- stdout
    CHANGE   IMAGE  OLD                                                                               NEW                                                                               BY
    changed  api:2  a.io/api@DIGEST  b.io/api@DIGEST  new.yml:4
    added    job:1  -                                                                                 a.io/job@DIGEST  new.yml:7
    removed  web:1  a.io/web@DIGEST  -                                                                                 locks/all.yml:7
    --- stderr
    ");
    insta::assert_snapshot!(shown(&env, &["lock", "diff", "locks/all.yml", "new.yml", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {
      "entries": [
        {
          "change": "changed",
          "image": "api:2",
          "lock": "new.yml:4",
          "new": "b.io/api@DIGEST",
          "old": "a.io/api@DIGEST"
        },
        {
          "change": "added",
          "image": "job:1",
          "lock": "new.yml:7",
          "new": "a.io/job@DIGEST",
          "old": null
        },
        {
          "change": "removed",
          "image": "web:1",
          "lock": "locks/all.yml:7",
          "new": null,
          "old": "a.io/web@DIGEST"
        }
      ],
      "schemaVersion": 1
    }
    --- stderr
    "#);
    let same = ["lock", "diff", "locks", "locks/all.yml", "--exit-code"];
    insta::assert_snapshot!(shown(&env, &same), @"
    exit: 0
    --- stdout
    --- stderr
    No differences.
    ");
    let missing = env.run(&["lock", "diff", "locks", "nowhere.yml"]);
    assert_eq!(missing.code, 2, "{}", missing.all());
}

#[test]
fn entries_and_images_are_listed() {
    let env = project();
    insta::assert_snapshot!(shown(&env, &["lock", "list"]), @"
    exit: 0
    --- stdout
    IMAGE  LOCKED TO                                                                         BY
    api:2  a.io/api@DIGEST  locks/all.yml:4
    web:1  a.io/web@DIGEST  locks/all.yml:7
    --- stderr
    ");
    insta::assert_snapshot!(shown(&env, &["lock", "list", "--format", "json", "locks"]), @r#"
    exit: 0
    --- stdout
    {
      "entries": [
        {
          "image": "api:2",
          "lock": "locks/all.yml:4",
          "locked": true,
          "newImage": "a.io/api@DIGEST",
          "origins": []
        },
        {
          "image": "web:1",
          "lock": "locks/all.yml:7",
          "locked": true,
          "newImage": "a.io/web@DIGEST",
          "origins": []
        }
      ],
      "schemaVersion": 1
    }
    --- stderr
    "#);
    insta::assert_snapshot!(shown(&env, &["lock", "list", "--images", "--set", "image=api:2"]), @"
    exit: 0
    --- stdout
    IMAGE  LOCKED TO                                                                         BY               OBJECT   PLACE                       FIELD
    api:2  a.io/api@DIGEST  locks/all.yml:4  Pod/web  chart/templates/pod.yaml:6  spec.containers[0].image
    --- stderr
    ");
    insta::assert_snapshot!(shown(&env, &["lock", "list", "--images", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {
      "images": [
        {
          "image": "web:1",
          "lock": "locks/all.yml:7",
          "locked": true,
          "newImage": "a.io/web@DIGEST",
          "object": "Pod/web",
          "path": "spec.containers[0].image",
          "place": {
            "column": 12,
            "file": "chart/templates/pod.yaml",
            "line": 6
          }
        }
      ],
      "schemaVersion": 1
    }
    --- stderr
    "#);
    let chart = [
        "lock",
        "list",
        "--chart",
        "chart",
        "-a",
        "x",
        "--set",
        "image=job:1",
        "-o",
        "list",
    ];
    assert_eq!(env.run(&chart).all(), "exit: 0\n--- stdout\n--- stderr\n");
    assert!(
        env.read("list").contains("not locked"),
        "{}",
        env.read("list")
    );
}

#[test]
fn images_are_listed_before_the_first_lock_is_there() {
    let env = project();
    std::fs::remove_dir_all(env.path().join("locks")).expect("a folder can be removed");
    let listed = env.run(&["lock", "list", "--images"]);
    assert_eq!(listed.code, 0, "{}", listed.all());
    assert!(
        listed.stdout.contains("web:1  not locked"),
        "{}",
        listed.all()
    );
    assert_eq!(env.run(&["lock", "list", "--images", "nowhere"]).code, 2);
}

#[test]
fn entries_that_nothing_needs_are_pruned() {
    let env = project();
    insta::assert_snapshot!(shown(&env, &["lock", "prune"]), @"
    exit: 2
    --- stdout
    IMAGE  LOCKED TO                                                                         BY
    api:2  a.io/api@DIGEST  locks/all.yml:4
    --- stderr
    error: nobody is here to confirm the changes
    hint: add `--yes` to go ahead without asking
    ");
    insta::assert_snapshot!(shown(&env, &["lock", "prune", "--yes", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {
      "entries": [
        {
          "image": "api:2",
          "lock": "locks/all.yml:4",
          "newImage": "a.io/api@DIGEST"
        }
      ],
      "schemaVersion": 1
    }
    --- stderr
    Wrote locks/all.yml.
    "#);
    assert_eq!(env.read("locks/all.yml"), lock(&["web:1=a.io/web@"]));
    insta::assert_snapshot!(shown(&env, &["lock", "prune", "--yes"]), @"
    exit: 0
    --- stdout
    --- stderr
    Nothing to prune: the 1 entry is in use.
    ");
}

#[test]
fn only_what_a_chart_needs_is_verified() {
    let env = project();
    env.write(
        "locks/all.yml",
        &lock(&["api:2=127.0.0.1:1/api@", "web:1=127.0.0.1:1/web@"]),
    );
    insta::assert_snapshot!(shown(&env, &["lock", "verify", "--chart", "chart"]), @"
    exit: 1
    --- stdout
    IMAGE  STATE    LOCKED TO                                                                                BY
    web:1  unknown  127.0.0.1:1/web@DIGEST  locks/all.yml:7
    --- stderr
    error: 1 of 1 image not verified
      registry 127.0.0.1:1 refuses connections
        web:1
          locked at locks/all.yml:7
    hint: start the registry that should listen on 127.0.0.1:1
    ");
    let verified = env.run(&["lock", "verify", "--chart", "chart", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&verified.stdout).unwrap();
    let entry = &json["entries"][0];
    assert_eq!(
        (&entry["image"], &entry["state"], &entry["error"]),
        (
            &"web:1".into(),
            &"unknown".into(),
            &"registry 127.0.0.1:1 refuses connections".into()
        )
    );
    insta::assert_snapshot!(shown(&env, &["lock", "outdated", "--set", "image=api:2"]), @"
    exit: 0
    --- stdout
    IMAGE  STATE         LOCKED               NOW  NEWER TAG  BY
    api:2  no tag known  sha256:f798cfd4c6a6  -    -          locks/all.yml:4
    --- stderr
    ");
    insta::assert_snapshot!(shown(&env, &["lock", "outdated", "--set", "image=api:2", "--format", "json"]), @r#"
    exit: 0
    --- stdout
    {
      "entries": [
        {
          "image": "api:2",
          "lock": "locks/all.yml:4",
          "locked": "127.0.0.1:1/api@DIGEST",
          "newerTag": null,
          "now": null,
          "state": "no tag known",
          "tag": null
        }
      ],
      "schemaVersion": 1
    }
    --- stderr
    "#);
}

#[test]
fn manifest_files_are_locked_as_a_chart_is() {
    let env = project();
    env.write("pods.yaml", "kind: Pod\napiVersion: v1\nmetadata: {name: p}\nspec: {image: 'web:1', containers: [{image: 'job:1'}]}\n");
    let frozen = ["render", "-m", "pods.yaml", "--frozen"];
    insta::assert_snapshot!(shown(&env, &frozen), @"
    exit: 1
    --- stdout
    --- stderr
    error: 1 image is not locked
      job:1
        at pods.yaml:4:45 (spec.containers[0].image)
    hint: `windlass lock -m pods.yaml` locks every image
    ");
    let map = format!("{{\"job:1\": \"a.io/job@{DIGEST}\"}}");
    env.write("map.json", &map);
    let locked = ["lock", "-m", "pods.yaml", "--image-map-file", "map.json"];
    insta::assert_snapshot!(shown(&env, &locked), @"
    exit: 0
    --- stdout
    --- stderr
    Wrote locks/shop.lock.yml: 0 of 2 images resolved.
    ");
    assert_eq!(env.run(&frozen).code, 0);
    let alone = [
        "lock",
        "-m",
        "pods.yaml",
        "--image-map-file",
        "map.json",
        "--locks",
        "locks",
        "-o",
        "-",
    ];
    let alone = env.run(&alone);
    assert!(
        alone.stdout.contains("image: job:1") && alone.stdout.contains("image: web:1"),
        "{}",
        alone.all()
    );
}

#[test]
fn configs_among_manifests_are_obeyed_and_left_out() {
    let env = TestEnv::new();
    let text = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{img: 'web:1'}}\n---\n{}searchRules:\n- keyMatcher: {{name: img}}\n---\n\
         # next\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: 5}}\n",
        lock(&["web:1=a.io/web@"])
    );
    env.write("all.yaml", &text);
    insta::assert_snapshot!(shown(&env, &["render", "-m", "all.yaml", "--frozen"]), @"
    exit: 0
    --- stdout
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: a}
    data: {img: 'a.io/web@DIGEST'}
    ---
    # next
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: 5}
    --- stderr
    ");
    insta::assert_snapshot!(shown(&env, &["lock", "list", "-m", "all.yaml"]), @"
    exit: 0
    --- stdout
    IMAGE  LOCKED TO                                                                         BY          OBJECT       PLACE       FIELD
    web:1  a.io/web@DIGEST  all.yaml:9  ConfigMap/a  all.yaml:4  data.img
    --- stderr
    ");
    // Lines are those of the file, also after what is left out.
    let first = ["diff", "--files", "all.yaml", "all.yaml"];
    insta::assert_snapshot!(shown(&env, &first), @"
    exit: 1
    --- stdout
    --- stderr
    error: all.yaml:18: metadata.name of ConfigMap is a number (5): quote it
    ");
}

#[test]
fn a_chart_may_bring_its_configs() {
    let env = project();
    env.write("chart/templates/rules.yaml", "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\nsearchRules:\n- keyMatcher: {name: img}\n");
    env.write(
        "chart/templates/more.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {img: 'api:2'}\n",
    );
    insta::assert_snapshot!(shown(&env, &["render", "--frozen"]), @"
    exit: 0
    --- stdout
    ---
    # Source: chart/templates/more.yaml
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: a}
    data: {img: 'a.io/api@DIGEST'}

    ---
    # Source: chart/templates/pod.yaml
    apiVersion: v1
    kind: Pod
    metadata: {name: web}
    spec:
      containers:
      - image: a.io/web@DIGEST
    --- stderr
    ");
    let plain = env.run(&["render", "--no-locks"]).stdout;
    assert!(plain.contains("kind: Config\n"), "{plain}");
}

#[test]
fn annotations_do_not_move_the_lines_of_later_objects() {
    let env = project();
    env.write("chart/crds/two.yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec: {image: 'web:1'}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n");
    let arguments = ["render", "--images-annotation", "--source-map", "map.json"];
    assert_eq!(env.run(&arguments).code, 0);
    let map: serde_json::Value = serde_json::from_str(&env.read("map.json")).unwrap();
    let second = &map["documents"][1];
    assert_eq!(
        (&second["name"], &second["templateLine"]),
        (&"b".into(), &7.into())
    );
}
