//! Which images need a registry to be locked, and which entries stay.

use super::origin;
use crate::image::{Found, ImageMatcher, Locks, Override, Question, is_locked, repository_text};
use std::collections::{BTreeMap, BTreeSet};

/// What a lock file needs: entries that are there already, and images to ask a registry for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Entries of the file that stay as they are, also those that only rename.
    pub kept: Vec<Override>,
    /// The image of a manifest → what a registry is asked for it.
    pub resolve: BTreeMap<String, Question>,
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
    /// The image map, as it stands in the places of its entries: the file takes them over.
    pub map: Option<&'a str>,
}

/// Decides for every image of the manifests where its entry in a lock file comes from.
#[must_use]
pub fn plan(found: &[Found], basis: &Basis<'_>) -> Plan {
    let is_own = |entry: &Override| entry.preresolved && entry.place.file == basis.file;
    let mut plan = Plan::default();
    let all = basis.locks.overrides().iter();
    let renamed = |entry: &&Override| !entry.preresolved && entry.place.file == basis.file;
    let renamed = all.clone().filter(renamed).cloned();
    let own = all.filter(|entry| is_own(entry));
    let mut kept: BTreeMap<ImageMatcher, Override> = own
        .map(|entry| (entry.matcher.clone(), entry.clone()))
        .collect();
    let images: BTreeSet<&str> = found.iter().map(|found| found.image.as_str()).collect();
    for image in images {
        let Some(entry) = basis.locks.find(image) else {
            if basis.locks.source(image).is_some() {
                plan.built.insert(image.to_owned());
            } else if !is_locked(image, None) {
                plan.resolve.insert(image.to_owned(), Question::of(image));
            }
            continue;
        };
        if !entry.preresolved {
            if is_locked(image, Some(entry)) && !basis.complete {
                continue;
            }
            plan.resolve
                .insert(image.to_owned(), Question::of_entry(entry));
        } else if basis.update && is_own(entry) {
            if let Some(question) = origin::question(image, entry, basis.locks) {
                kept.remove(&entry.matcher);
                plan.resolve.insert(image.to_owned(), question);
            } else {
                plan.fixed.insert(image.to_owned());
            }
        } else if !is_own(entry) && (basis.complete || basis.map == Some(&entry.place.file)) {
            kept.insert(entry.matcher.clone(), entry.clone());
        }
    }
    plan.kept = kept.into_values().chain(renamed).collect();
    plan
}

/// The entries that no image is about.
pub fn unused<'a>(locks: &'a Locks, images: &BTreeSet<&str>) -> Vec<&'a Override> {
    let repositories: BTreeSet<&str> = images.iter().map(|image| repository_text(image)).collect();
    let is_used = |entry: &&Override| match &entry.matcher {
        ImageMatcher::Image(image) => images.contains(image.as_str()),
        ImageMatcher::Repository(repository) => repositories.contains(repository.as_str()),
    };
    let entries = locks.overrides().iter();
    entries.filter(|entry| !is_used(entry)).collect()
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
            map: None,
        };
        let plan = plan(&found(images), &basis);
        let kept = plan
            .kept
            .iter()
            .map(|entry| entry.matcher.text().to_owned())
            .collect();
        let resolve = plan
            .resolve
            .into_iter()
            .map(|(image, from)| format!("{image} <- {}", from.image));
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
    fn selections_become_part_of_the_question() {
        let mut locks = Locks::default();
        let selection = "  tagSelection: {semver: {constraints: '>1.0.0'}}\n  \
                         platformSelection: {os: linux, architecture: arm64}\n";
        locks
            .add("a.yml", entry("web", "a.io/web", selection).as_bytes())
            .unwrap();
        let basis = Basis {
            locks: &locks,
            file: "own.yml",
            update: false,
            complete: false,
            map: None,
        };
        let plan = plan(&found(&["web"]), &basis);
        assert_eq!(
            plan.resolve["web"],
            Question::of_entry(&locks.overrides()[0])
        );
    }

    #[test]
    fn entries_that_no_image_is_about_are_unused() {
        let mut locks = locks();
        let repository = "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\noverrides:\n\
                          - imageRepo: repo\n  newImage: a.io/repo:1\n";
        locks.add("repo.yml", repository.as_bytes()).unwrap();
        let left = |images: &[&str]| -> Vec<String> {
            let images = images.iter().copied().collect();
            unused(&locks, &images)
                .iter()
                .map(|entry| entry.matcher.text().to_owned())
                .collect()
        };
        assert_eq!(left(&["nginx:1", "demo", "renamed", "repo:7"]), ["gone"]);
        assert_eq!(
            left(&["gone", "nginx:2"]),
            ["nginx:1", "demo", "renamed", "repo"]
        );
    }
}
