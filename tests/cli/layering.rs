//! The folders are stages, and each uses only those before it: a `use crate::` that points up fails.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What each folder of `src/` may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("file", &[]),
    ("percent", &[]),
    ("event", &["object"]),
    ("object", &[]),
    ("config", &[]),
    ("kapp", &["object", "config"]),
    ("image", &["object", "event", "file"]),
    ("diff", &["object", "event", "kapp"]),
    ("status", &["object", "event", "kapp"]),
    ("plan", &["object", "event", "kapp", "diff", "status"]),
    ("inventory", &["object", "event", "status"]),
    ("registry", &["object", "event", "image", "file", "percent"]),
    ("deps", &["image", "registry", "file"]),
    ("build", &["object", "event", "image"]),
    (
        "cluster",
        &["object", "event", "inventory", "file", "percent"],
    ),
    (
        "deploy",
        &[
            "object",
            "event",
            "kapp",
            "plan",
            "diff",
            "status",
            "cluster",
            "inventory",
        ],
    ),
    (
        "ui",
        &[
            "object",
            "event",
            "plan",
            "diff",
            "status",
            "image",
            "inventory",
        ],
    ),
    (
        "cli",
        &[
            "object",
            "event",
            "file",
            "percent",
            "config",
            "kapp",
            "image",
            "diff",
            "status",
            "plan",
            "inventory",
            "registry",
            "deps",
            "build",
            "cluster",
            "deploy",
            "ui",
        ],
    ),
];

/// What each folder of the engine may use.
const ENGINE_MAY_USE: &[(&str, &[&str])] = &[
    ("limits", &[]),
    ("re2", &["limits"]),
    ("threads", &[]),
    ("value", &["limits"]),
    ("json", &["value", "limits"]),
    ("yaml", &["value", "json", "limits"]),
    ("toml", &["value", "json", "limits"]),
    (
        "template",
        &["value", "limits", "threads", "yaml", "json", "re2"],
    ),
    (
        "sprig",
        &["value", "limits", "yaml", "json", "template", "re2"],
    ),
    (
        "chart",
        &[
            "value", "limits", "threads", "yaml", "json", "toml", "template", "sprig", "re2",
        ],
    ),
];

/// The folders that alone may print, exit or read the environment.
const OUTSIDE: &[(&str, &[&str])] = &[
    ("std::env::", &["cli"]),
    ("println!", &["ui"]),
    ("process::exit", &[]),
    ("SystemTime::now", &["cli"]),
    ("Timestamp::now", &["cli"]),
    ("\\x1b[", &["ui"]),
];

#[test]
fn no_module_uses_one_above_it() {
    let mut wrong = edges_against(Path::new("src"), MAY_USE);
    wrong.extend(edges_against(Path::new("crates/helm/src"), ENGINE_MAY_USE));
    assert!(
        wrong.is_empty(),
        "edges that point up:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_core_does_not_reach_for_the_outside_world() {
    let mut wrong = Vec::new();
    for file in sources(Path::new("src"))
        .into_iter()
        .chain(sources(Path::new("crates/helm/src")))
    {
        let (module, text) = (module_of(&file), production(&file));
        for (needle, allowed) in OUTSIDE {
            if text.contains(needle) && !allowed.contains(&module.as_str()) {
                wrong.push(format!("{} uses {needle}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn edges_against(root: &Path, table: &[(&str, &[&str])]) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = table.iter().copied().collect();
    let mut wrong = Vec::new();
    for file in sources(root) {
        let module = module_of(&file);
        let Some(may_use) = allowed.get(module.as_str()) else {
            if !["lib", "main"].contains(&module.as_str()) {
                wrong.push(format!("{} is in no layer", file.display()));
            }
            continue;
        };
        for used in used_modules(&production(&file)) {
            if used != module
                && allowed.contains_key(used.as_str())
                && !may_use.contains(&used.as_str())
            {
                wrong.push(format!("{}: {module} → {used}", file.display()));
            }
        }
    }
    wrong
}

/// The modules named after `crate::`, in `use` lines and in paths.
fn used_modules(text: &str) -> Vec<String> {
    text.match_indices("crate::")
        .flat_map(|(at, found)| {
            let rest = &text[at + found.len()..];
            let names = rest.strip_prefix('{').map_or_else(
                || vec![identifier(rest)],
                |group| {
                    let group = group.split('}').next().unwrap_or_default();
                    group
                        .split(',')
                        .map(|name| identifier(name.trim()))
                        .collect()
                },
            );
            names.into_iter().filter(|name| !name.is_empty())
        })
        .collect()
}

fn identifier(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// The text of a file before its unit tests, without comments: those may speak of other modules.
fn production(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("a source file is readable");
    let code = text.split("#[cfg(test)]\nmod tests").next();
    code.unwrap_or_default()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// `src/diff/text.rs` → `diff`, `src/event.rs` → `event`.
fn module_of(file: &Path) -> String {
    let mut parts = file.iter().map(|part| part.to_string_lossy().into_owned());
    let after_src = parts
        .by_ref()
        .skip_while(|part| part != "src")
        .nth(1)
        .unwrap_or_default();
    after_src.trim_end_matches(".rs").to_owned()
}

/// The files below a folder of sources.
pub(crate) fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a source folder is readable") {
        let path = entry.expect("a folder entry is readable").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}
