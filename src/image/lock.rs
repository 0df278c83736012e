//! Making and writing lock files: which images still need a registry, and the file's bytes.
//!
//! The form is what kbld's `--lock-output` writes and reads back (`pkg/kbld/config/config.go`): keys
//! and entries sorted, so that the same images give the same bytes.

use super::config::{API_VERSION, ImageMatcher, Override, SearchRule};
use super::{Error, Found, Locks, Place, Reference, TagSelection, is_locked};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use windlass_helm::yaml;

/// The first kbld that reads `kind: Config` with search rules.
const MINIMUM_VERSION: &str = "0.28.0";

/// What a lock file needs: entries that are there already, and images to ask a registry for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Entries that stay as they are.
    pub kept: Vec<Override>,
    /// The image of a manifest → the reference whose digest is to be found.
    pub resolve: BTreeMap<String, String>,
    /// Images that are built from sources: a registry cannot know them before.
    pub built: BTreeSet<String>,
    /// Entries that an update leaves alone, since nothing tells which tag they come from.
    pub fixed: BTreeSet<String>,
}

/// What a new lock file starts from.
#[derive(Clone, Copy, Debug)]
pub struct Basis<'a> {
    /// All locks in force.
    pub locks: &'a Locks,
    /// The name of the file that is written, as it stands in the places of its entries.
    pub file: &'a str,
    /// Whether locked images are resolved again.
    pub update: bool,
    /// Whether the file has to lock every image by itself, also those that other files lock.
    pub complete: bool,
}

/// Decides for every image of the manifests where its entry in a lock file comes from.
///
/// # Errors
///
/// [`Error::Unsupported`] for an image whose entry selects a tag or platform.
pub fn plan(found: &[Found], basis: &Basis<'_>) -> Result<Plan, Error> {
    let is_own = |entry: &Override| entry.preresolved && entry.place.file == basis.file;
    let mut plan = Plan::default();
    let own = basis.locks.overrides().iter().filter(|entry| is_own(entry));
    let mut kept: BTreeMap<ImageMatcher, Override> = own
        .map(|entry| (entry.matcher.clone(), entry.clone()))
        .collect();
    let images: BTreeSet<&str> = found.iter().map(|found| found.image.as_str()).collect();
    for image in images {
        let Some(entry) = basis.locks.find(image) else {
            if basis.locks.source(image).is_some() {
                plan.built.insert(image.to_owned());
            } else if !is_locked(image, None) {
                plan.resolve.insert(image.to_owned(), image.to_owned());
            }
            continue;
        };
        if !entry.preresolved {
            check_selection(entry)?;
            if is_locked(image, Some(entry)) && !basis.complete {
                continue;
            }
            plan.resolve
                .insert(image.to_owned(), entry.new_image.clone());
        } else if basis.update && is_own(entry) {
            if is_same_repository(image, &entry.new_image) {
                kept.remove(&entry.matcher);
                plan.resolve.insert(image.to_owned(), image.to_owned());
            } else {
                plan.fixed.insert(image.to_owned());
            }
        } else if basis.complete && !is_own(entry) {
            kept.insert(entry.matcher.clone(), entry.clone());
        }
    }
    plan.kept = kept.into_values().collect();
    Ok(plan)
}

fn check_selection(entry: &Override) -> Result<(), Error> {
    let what = match (&entry.tag_selection, &entry.platform_selection) {
        (None, None) => return Ok(()),
        (Some(_), _) => "`tagSelection`",
        (None, Some(_)) => "`platformSelection`",
    };
    Err(Error::Unsupported {
        place: entry.place.clone(),
        what: what.to_owned(),
    })
}

/// Whether an image is locked to a digest of its own repository, so that its tag can be asked again.
fn is_same_repository(image: &str, new_image: &str) -> bool {
    match (Reference::parse(image), Reference::parse(new_image)) {
        (Ok(image), Ok(new_image)) => image.name() == new_image.name(),
        _ => false,
    }
}

/// The entry that locks an image to a reference with digest.
#[must_use]
pub fn locked(image: &str, new_image: &str) -> Override {
    let matcher = ImageMatcher::Image(image.to_owned());
    Override::locked(matcher, new_image.to_owned())
}

/// The text of a lock file. `comments` are whole lines that stand before the document.
///
/// # Errors
///
/// [`Error::Unsupported`] when an entry holds something that YAML cannot write.
pub fn text(entries: &[Override], rules: &[SearchRule], comments: &str) -> Result<String, Error> {
    let mut sorted: Vec<&Override> = entries.iter().collect();
    sorted.sort_by(|a, b| {
        a.matcher
            .text()
            .cmp(b.matcher.text())
            .then(a.matcher.cmp(&b.matcher))
    });
    let mut root = Map::new();
    root.insert("apiVersion".to_owned(), API_VERSION.into());
    root.insert("kind".to_owned(), "Config".into());
    root.insert("minimumRequiredVersion".to_owned(), MINIMUM_VERSION.into());
    if !sorted.is_empty() {
        root.insert(
            "overrides".to_owned(),
            sorted.into_iter().map(entry_json).collect(),
        );
    }
    if !rules.is_empty() {
        let rules = rules.iter().map(|rule| rule.raw.clone()).collect();
        root.insert("searchRules".to_owned(), Value::Array(rules));
    }
    let unsupported = |what: String| Error::Unsupported {
        place: Place {
            file: "lock".to_owned(),
            line: 1,
            column: 1,
        },
        what,
    };
    let value = yaml::from_yaml(Value::Object(root).to_string().as_bytes())
        .map_err(|error| unsupported(error.message))?;
    let body = yaml::emit::to_yaml(&value).map_err(unsupported)?;
    Ok(format!(
        "{comments}{}\n",
        String::from_utf8_lossy(body.as_bytes())
    ))
}

fn entry_json(entry: &Override) -> Value {
    let mut map = Map::new();
    let (key, text) = match &entry.matcher {
        ImageMatcher::Image(text) => ("image", text),
        ImageMatcher::Repository(text) => ("imageRepo", text),
    };
    map.insert(key.to_owned(), text.as_str().into());
    map.insert("newImage".to_owned(), entry.new_image.as_str().into());
    if entry.preresolved {
        map.insert("preresolved".to_owned(), true.into());
    }
    let platform = entry.platform_selection.as_ref().map(|p| json!(p));
    let tag = entry.tag_selection.as_ref().map(selection_json);
    let further = [
        ("origins", entry.origins.clone()),
        ("platformSelection", platform),
        ("tagSelection", tag),
    ];
    for (key, value) in further {
        if let Some(value) = value {
            map.insert(key.to_owned(), value);
        }
    }
    Value::Object(map)
}

fn selection_json(selection: &TagSelection) -> Value {
    let mut semver = Map::new();
    if let Some(range) = &selection.constraints {
        semver.insert("constraints".to_owned(), range.to_string().into());
    }
    match &selection.prereleases {
        None => {}
        Some(all) if all.is_empty() => {
            semver.insert("prereleases".to_owned(), json!({}));
        }
        Some(wanted) => {
            semver.insert("prereleases".to_owned(), json!({ "identifiers": wanted }));
        }
    }
    json!({ "semver": semver })
}

/// The comments and blank lines at the top of a lock file.
#[must_use]
pub fn leading_comments(text: &str) -> &str {
    let end = text
        .split_inclusive('\n')
        .take_while(|line| line.trim_start().starts_with('#') || line.trim().is_empty())
        .map(str::len)
        .sum();
    &text[..end]
}

/// Writes a lock file in one step: readers see the old file or the new one. The folder is made when
/// it is missing. `false` when the file has these bytes already.
///
/// # Errors
///
/// [`Error::Write`] with the path.
pub fn write(path: &Path, text: &str) -> Result<bool, Error> {
    let wrong = |source| Error::Write {
        path: path.to_owned(),
        source,
    };
    // A link is kept: its target is replaced.
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    // A device such as `/dev/null` is written to, never replaced.
    if target.metadata().is_ok_and(|data| !data.is_file()) {
        return std::fs::write(&target, text).map(|()| true).map_err(wrong);
    }
    let old = std::fs::read(&target).ok();
    if old.as_deref() == Some(text.as_bytes()) {
        return Ok(false);
    }
    let folder = target
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(wrong)?;
    }
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let temporary = target.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = (|| {
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(text.as_bytes())?;
        if let Ok(metadata) = std::fs::metadata(&target) {
            file.set_permissions(metadata.permissions())?;
        }
        file.sync_all()?;
        std::fs::rename(&temporary, &target)
    })();
    if written.is_err() {
        // The first error tells more than that of cleaning up.
        drop(std::fs::remove_file(&temporary));
    }
    written.map(|()| true).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::find;
    use crate::object::Source;

    const DIGEST: &str = "sha256:f798cfd4c6a6a1d1d1e2d3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";

    fn pinned(name: &str) -> String {
        format!("{name}@{DIGEST}")
    }

    fn entry(image: &str, new_image: &str, rest: &str) -> String {
        format!(
            "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\noverrides:\n\
             - image: {image}\n  newImage: {new_image}\n{rest}"
        )
    }

    fn found(images: &[&str]) -> Vec<Found> {
        let text: String = images
            .iter()
            .map(|image| format!("- image: {image}\n"))
            .collect();
        let source = Source {
            file: "t.yaml".to_owned(),
            line: 1,
        };
        find(text.as_bytes(), &source, &[]).unwrap().images
    }

    fn locks() -> Locks {
        let mut locks = Locks::default();
        let final_ = "  preresolved: true\n";
        let hub = pinned("index.docker.io/library/nginx");
        locks
            .add("own.yml", entry("nginx:1", &hub, final_).as_bytes())
            .unwrap();
        locks
            .add(
                "own.yml",
                entry("gone", &pinned("a.io/gone"), final_).as_bytes(),
            )
            .unwrap();
        locks
            .add(
                "demo.yml",
                entry("demo", &pinned("a.io/demo"), final_).as_bytes(),
            )
            .unwrap();
        locks
            .add(
                "config.yml",
                entry("renamed", "a.io/renamed:2", "").as_bytes(),
            )
            .unwrap();
        locks
    }

    fn planned(images: &[&str], update: bool, complete: bool) -> (Vec<String>, Vec<String>) {
        let locks = locks();
        let basis = Basis {
            locks: &locks,
            file: "own.yml",
            update,
            complete,
        };
        let plan = plan(&found(images), &basis).unwrap();
        let kept = plan
            .kept
            .iter()
            .map(|entry| entry.matcher.text().to_owned())
            .collect();
        let resolve = plan
            .resolve
            .into_iter()
            .map(|(image, from)| format!("{image} <- {from}"));
        (kept, resolve.collect())
    }

    #[test]
    fn only_images_without_a_digest_are_resolved() {
        let pinned = pinned("x.io/yes");
        let (kept, resolve) = planned(
            &["nginx:1", "demo", "renamed", "new:1", &pinned],
            false,
            false,
        );
        assert_eq!(kept, ["gone", "nginx:1"]);
        assert_eq!(resolve, ["new:1 <- new:1", "renamed <- a.io/renamed:2"]);
    }

    #[test]
    fn an_update_asks_again_for_the_files_own_tags() {
        let (kept, resolve) = planned(&["nginx:1", "demo"], true, false);
        assert_eq!(kept, ["gone"]);
        assert_eq!(resolve, ["nginx:1 <- nginx:1"]);
    }

    #[test]
    fn a_complete_lock_takes_over_the_entries_of_other_files() {
        let (kept, resolve) = planned(&["demo", "nginx:1"], false, true);
        assert_eq!(kept, ["demo", "gone", "nginx:1"]);
        assert_eq!(resolve, [""; 0]);
    }

    #[test]
    fn selections_are_refused_with_their_place() {
        let mut locks = Locks::default();
        let selection = "  tagSelection: {semver: {constraints: '>1.0.0'}}\n";
        locks
            .add("a.yml", entry("web", "a.io/web", selection).as_bytes())
            .unwrap();
        let basis = Basis {
            locks: &locks,
            file: "own.yml",
            update: false,
            complete: false,
        };
        let error = plan(&found(&["web"]), &basis).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a.yml:4:3: `tagSelection` is not supported yet"
        );
    }

    #[test]
    fn the_text_is_what_kbld_writes() {
        let mut config = Locks::default();
        let rules = "searchRules:\n- keyMatcher: {path: [a, {allIndexes: true}, {index: 0}]}\n";
        let origins = "  preresolved: true\n  origins: [{resolved: {tag: '1', url: 'w:1'}}]\n";
        let lock = entry("web", &pinned("a.io/web"), &format!("{origins}{rules}"));
        config.add("a.yml", lock.as_bytes()).unwrap();
        let mut entries = vec![locked("zoo:1", &pinned("a.io/zoo"))];
        entries.extend_from_slice(config.overrides());
        let text = text(&entries, &config.search_rules, "# kept\n").unwrap();
        assert_eq!(
            text,
            format!(
                "# kept\napiVersion: kbld.k14s.io/v1alpha1\nkind: Config\n\
                 minimumRequiredVersion: 0.28.0\noverrides:\n\
                 - image: web\n  newImage: a.io/web@{DIGEST}\n  origins:\n  - resolved:\n      \
                 tag: \"1\"\n      url: w:1\n  preresolved: true\n\
                 - image: zoo:1\n  newImage: a.io/zoo@{DIGEST}\n  preresolved: true\n\
                 searchRules:\n- keyMatcher:\n    path:\n    - a\n    - allIndexes: true\n    \
                 - index: 0\n"
            )
        );
        let mut again = Locks::default();
        again.add("lock.yml", text.as_bytes()).unwrap();
        assert_eq!(again.overrides().len(), 2);
        assert_eq!(again.search_rules, config.search_rules);
    }

    #[test]
    fn a_file_is_written_whole_and_only_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("locks/app.lock.yml");
        assert!(write(&path, "a\n").unwrap());
        assert!(!write(&path, "a\n").unwrap());
        assert!(write(&path, "b\n").unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "b\n");
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1
        );
        let error = write(&path.join("below"), "c").unwrap_err().to_string();
        assert!(error.starts_with("write lock "), "{error}");
    }

    #[test]
    fn comments_at_the_top_are_kept() {
        assert_eq!(
            leading_comments("# a\n\n #! b\nkind: C\n# c\n"),
            "# a\n\n #! b\n"
        );
        assert_eq!(leading_comments("kind: C\n"), "");
    }
}
