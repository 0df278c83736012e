//! Writing locked images into manifests: the bytes of the image change, no others.

use super::search::{Found, Part, Role, Warning, find_each};
use super::{Edits, Error, Locks, Override, Reference, annotate, scalar};
use crate::object::Lines;
use std::borrow::Cow;
use windlass_helm::yaml::Style;

/// Something met in a text on the way.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice<'l> {
    /// An image.
    Image {
        /// The image as it stands in the text.
        found: Found,
        /// The entry of the locks whose image is written in its place, if any.
        entry: Option<&'l Override>,
        /// Whether a manifest is named by its digest in the end.
        is_locked: bool,
    },
    /// A field that looks like a mistake.
    Warning(Warning),
}

/// What replaces the images of a text by what the locks say. No registry is asked: an image without an
/// entry stays as it is. When `annotated`, where the replaced images come from is written into the
/// annotation `kbld.k14s.io/images` of their objects. `tell` hears of each image in the order of the
/// text; nothing about them is kept here but the edits.
///
/// # Errors
///
/// As [`find`](super::find), and an object that no annotation can be added to.
///
/// # Examples
///
/// ```
/// use windlass::image::{self, Locks};
/// use windlass::object::Source;
///
/// let digest = format!("sha256:{}", "0".repeat(64));
/// let mut locks = Locks::default();
/// let lock = format!(
///     "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\noverrides:\n\
///      - image: web\n  newImage: ghcr.io/me/web@{digest}\n  preresolved: true\n"
/// );
/// locks.add("app-locks/web.yml", lock.as_bytes()).expect("a valid lock");
/// let source = Source { file: "pod.yaml".to_owned(), line: 1 };
/// let text = b"image: 'web' # ours\n";
/// let edits = image::rewrite(text, &source, &locks, false, |_| {}).expect("valid YAML");
/// assert_eq!(*edits.apply(text), *format!("image: 'ghcr.io/me/web@{digest}' # ours\n").as_bytes());
/// ```
pub fn rewrite<'a, 'l>(
    text: &[u8],
    lines: impl Into<Lines<'a>>,
    locks: &'l Locks,
    annotated: bool,
    mut tell: impl FnMut(Notice<'l>),
) -> Result<Edits, Error> {
    let lines = lines.into();
    let mut edits = Edits::default();
    find_each(text, lines, &locks.search_rules, |document, search| {
        let mut replaced = Vec::new();
        for found in search.images {
            let entry = locks.find(&found.image);
            let is_locked = is_locked(&found.image, entry);
            let entry = entry.filter(|entry| is_final_text(entry));
            if let Some(entry) = entry {
                for part in &found.parts {
                    edits.push(part.span.clone(), &spelling(part, &entry.new_image));
                }
                replaced.push((found.parts[0].span.start, entry));
            }
            tell(Notice::Image {
                found,
                entry,
                is_locked,
            });
        }
        search
            .warnings
            .into_iter()
            .map(Notice::Warning)
            .for_each(&mut tell);
        match annotated {
            true => annotate::annotate(text, lines, document, &replaced, &mut edits),
            false => Ok(()),
        }
    })?;
    edits.settle();
    Ok(edits)
}

/// Fails when some images are not locked: the check of `--frozen`.
///
/// # Errors
///
/// [`Error::Unlocked`] with all of them.
pub fn require_locked(unlocked: Vec<Found>) -> Result<(), Error> {
    if unlocked.is_empty() {
        Ok(())
    } else {
        Err(Error::Unlocked { images: unlocked })
    }
}

/// Whether an image needs no registry any more: its entry is final, or it has a digest.
#[must_use]
pub fn is_locked(image: &str, entry: Option<&Override>) -> bool {
    let has_digest =
        |image: &str| Reference::parse(image).is_ok_and(|reference| reference.digest.is_some());
    match entry {
        Some(entry) if entry.preresolved => true,
        Some(entry) => is_final_text(entry) && has_digest(&entry.new_image),
        None => has_digest(image),
    }
}

/// Whether an entry's `newImage` can be written without asking a registry for tags or platforms.
fn is_final_text(entry: &Override) -> bool {
    entry.preresolved || (entry.tag_selection.is_none() && entry.platform_selection.is_none())
}

/// The new bytes in place of those of a part.
fn spelling(part: &Part, new_image: &str) -> String {
    let text = portion(part.role, new_image);
    let own = match part.whole {
        true => scalar::spell(&text),
        false => text.into_owned(),
    };
    let escaped = |text: String, style: &Style| scalar::escape(&text, *style);
    part.around.iter().rev().fold(own, escaped)
}

/// What of an image a text holds: `a.io/b/c@sha256:d` has the repository `a.io/b/c@sha256`, the tag
/// `d`, the folder `a.io/b`, the name `c` and the version `sha256:d`.
fn portion(role: Role, image: &str) -> Cow<'_, str> {
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    let (repository, tag) = match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, "latest"),
    };
    let (folder, last) = repository
        .rsplit_once('/')
        .unwrap_or(("library", repository));
    let digits = digest.and_then(|digest| digest.split_once(':'));
    match (role, digits) {
        (Role::Image, _) => image.into(),
        (Role::Repository, Some((algorithm, _))) => format!("{repository}@{algorithm}").into(),
        (Role::Repository, None) => repository.into(),
        (Role::Tag, Some((_, digits))) => digits.into(),
        (Role::Folder, _) => folder.into(),
        (Role::Name, _) => last.into(),
        (Role::Version, _) => digest.unwrap_or(tag).into(),
        (Role::Tag, None) => tag.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ImageMatcher;
    use super::*;
    use crate::object::Source;

    const DIGEST: &str = "sha256:f798cfd4c6a6a1d1d1e2d3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";

    fn locks(rules: &str) -> Locks {
        let mut locks = Locks::default();
        let text = format!(
            "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\noverrides:\n\
             - image: web\n  newImage: N@{DIGEST}\n  preresolved: true\n\
             - imageRepo: localhost:5000/api\n  newImage: N@{DIGEST}\n  preresolved: true\n\
             - image: tagged\n  newImage: a.io/tagged:2\n\
             - image: renamed\n  newImage: a.io/renamed@{DIGEST}\n{rules}"
        );
        locks
            .add("lock.yml", text.replace("N@", "a.io/new@").as_bytes())
            .unwrap();
        locks
    }

    fn source() -> Source {
        Source {
            file: "t.yaml".to_owned(),
            line: 1,
        }
    }

    /// The new text, and the images as they were told.
    fn rewrite_with<'l>(text: &str, locks: &'l Locks) -> Result<(String, Vec<Image<'l>>), Error> {
        let mut images = Vec::new();
        let edits = rewrite(text.as_bytes(), &source(), locks, false, |notice| {
            if let Notice::Image {
                found,
                entry,
                is_locked,
            } = notice
            {
                images.push((found, entry, is_locked));
            }
        })?;
        let text = edits.apply(text.as_bytes()).into_owned();
        Ok((String::from_utf8(text).unwrap(), images))
    }

    type Image<'l> = (Found, Option<&'l Override>, bool);

    fn unlocked(images: Vec<Image<'_>>) -> Vec<Found> {
        let unlocked = images.into_iter().filter(|(_, _, is_locked)| !is_locked);
        unlocked.map(|(found, ..)| found).collect()
    }

    fn rewritten_by(text: &str, locks: &Locks) -> String {
        let (text, _) = rewrite_with(text, locks).unwrap();
        text.replace(&format!("a.io/new@{DIGEST}"), "NEW")
    }

    fn rewritten(text: &str) -> String {
        rewritten_by(text, &locks(""))
    }

    #[test]
    fn only_the_bytes_of_the_image_change() {
        let cases = [
            ("image: web", "image: NEW"),
            (
                "image:   web   # keep\r\nb:  1\r\n",
                "image:   NEW   # keep\r\nb:  1\r\n",
            ),
            ("image: 'web'", "image: 'NEW'"),
            ("image: \"web\" ", "image: \"NEW\" "),
            (
                "[{image: web}, {'image': web}]",
                "[{image: NEW}, {'image': NEW}]",
            ),
            ("? image\n: web\n", "? image\n: NEW\n"),
            ("image: \"\\u0077eb\"", "image: NEW"),
            ("image: |-\n  web\n# c\nb: 1\n", "image: NEW\n# c\nb: 1\n"),
            ("image: >-\n  web\n\n\nb: 1\n", "image: NEW\n\n\nb: 1\n"),
            ("image: !!str web", "image: !!str NEW"),
            (
                "image: &a web\nb: {image: *a}\n",
                "image: &a NEW\nb: {image: NEW}\n",
            ),
            ("\u{feff}ä: ö\nimage: web\n", "\u{feff}ä: ö\nimage: NEW\n"),
            ("image: localhost:5000/api:7\n", "image: NEW\n"),
            (
                "image: localhost:5000/apis\n",
                "image: localhost:5000/apis\n",
            ),
            ("# only a comment\n", "# only a comment\n"),
            ("", ""),
        ];
        for (text, want) in cases {
            assert_eq!(rewritten(text), want);
        }
    }

    #[test]
    fn embedded_texts_keep_their_comments_and_quotes() {
        let rules = "searchRules:\n- keyMatcher: {name: c}\n  \
                     updateStrategy: {yaml: {searchRules: [{keyMatcher: {name: image}}]}}\n";
        let text = "c: |\n  # why\n  image:  web # here\n  b: {image: \"\\u0077eb\"}\n\
                    d:\n  c: \"{\\\"image\\\": \\\"web\\\", \\\"x\\\": 1}\"\n";
        assert_eq!(
            rewritten_by(text, &locks(rules)),
            "c: |\n  # why\n  image:  NEW # here\n  b: {image: NEW}\n\
             d:\n  c: \"{\\\"image\\\": \\\"NEW\\\", \\\"x\\\": 1}\"\n"
        );
    }

    #[test]
    fn folded_texts_keep_their_folds() {
        let rules = "searchRules:\n- keyMatcher: {name: c}\n  \
                     updateStrategy: {yaml: {searchRules: [{keyMatcher: {name: image}}]}}\n";
        let locks = locks(rules);
        let cases = [
            "c: > # why\n  image:\n  web\n\n  b: 1\nd: 1\n",
            "c: {\"image\":\n  \"web\"}\n---\nc: >-\n  {\"image\":\n   \"web\"}\n",
            "c: \"\\x61: 1\\nimage:\\\n  \\ web\\n\"\n",
            "c: '{\"image\":\n\n    \"web\"}'\n",
        ];
        for text in cases {
            assert_eq!(rewritten_by(text, &locks), text.replace("web", "NEW"));
        }
        for refused in [
            "c: >\n  image: >-\n    web\n  b: 1\n",
            "b: &b 'image: web'\nc: *b\n",
        ] {
            let error = rewrite_with(refused, &locks).unwrap_err().to_string();
            assert!(error.contains(": c holds images, but"), "{error}");
        }
    }

    #[test]
    fn texts_in_texts_that_cannot_be_changed_in_place_are_refused() {
        let rules = "searchRules:\n- keyMatcher: {name: c}\n  updateStrategy: {yaml: {searchRules: [\
                     {keyMatcher: {name: d}, updateStrategy: {yaml: {searchRules: [\
                     {keyMatcher: {name: image}}]}}}]}}\n";
        let locks = locks(rules);
        let text = "c: |\n  b: 'image: web'\n  d: 'image: web'\n";
        assert_eq!(
            rewritten_by(text, &locks),
            text.replace("d: 'image: web", "d: 'image: NEW")
        );
        let error = rewrite_with("c: |\n  b: &b 'image: web'\n  d: *b\n", &locks).unwrap_err();
        assert!(
            error.to_string().contains(": c.d holds images, but"),
            "{error}"
        );
    }

    #[test]
    fn an_image_of_several_fields_is_written_into_all_of_them() {
        let digits = &DIGEST["sha256:".len()..];
        let lock = |image: &str, new_image: &str| {
            let mut locks = Locks::default();
            let matcher = ImageMatcher::Image(image.to_owned());
            locks
                .add_entry(Override::locked(matcher, new_image.to_owned()))
                .unwrap();
            locks
        };
        let pinned = format!("a.io/b/c@{DIGEST}");
        let cases = [
            (
                "solr:9",
                "apiVersion: solr.apache.org/v1\nsolrImage: {tag: '9', repository: solr} # s\n",
                format!("solrImage: {{tag: '{digits}', repository: a.io/b/c@sha256}} # s\n"),
            ),
            (
                "n/v/d:5.1",
                "apiVersion: nvidia.com/v1\nversion: \"5.1\"\nimage: d\nrepository: n/v\n",
                format!("version: \"{DIGEST}\"\nimage: c\nrepository: a.io/b\n"),
            ),
            (
                "q/p:v2",
                "apiVersion: monitoring.coreos.com/v1\nbaseImage: q/p\nversion: v2\n",
                format!("baseImage: {pinned}\nversion: v2\n"),
            ),
            (
                "f:2",
                "apiVersion: cdi.kubevirt.io/v1\nsource: {registry: {url: \"docker://f:2\"}}\n",
                format!("source: {{registry: {{url: \"docker://{pinned}\"}}}}\n"),
            ),
        ];
        for (image, text, want) in cases {
            let lock = lock(image, &pinned);
            let (out, images) = rewrite_with(text, &lock).unwrap();
            let head = text.split_inclusive('\n').next().unwrap();
            assert_eq!(out, format!("{head}{want}"));
            assert_eq!(rewritten_by(&want, &Locks::default()), want);
            assert_eq!(unlocked(images), []);
        }
    }

    #[test]
    fn lines_that_move_are_known_by_their_lines_in_the_input() {
        let (locks, source) = (locks(""), source());
        let moved = |text: &str, annotated| {
            let edits = rewrite(text.as_bytes(), &source, &locks, annotated, |_| {}).unwrap();
            let shown = edits.apply(text.as_bytes()).into_owned();
            let lines = edits.lines(text.as_bytes(), Lines::from(&source));
            (String::from_utf8(shown).unwrap(), lines)
        };
        let (_, lines) = moved("image: |-\n  web\nb:\n  image: web # c\nc: 1\n", false);
        assert_eq!(lines, [1, 3, 4, 5, 6]);
        let (shown, lines) = moved("a: b\nimage: web\n", true);
        let a = shown.lines().position(|line| line == "a: b").unwrap();
        assert_eq!(lines.len(), shown.lines().count() + 1);
        assert_eq!(lines[a..], [1, 2, 3]);
        assert!(moved("image: web\n", false).1.is_empty());
    }

    #[test]
    fn what_has_no_digest_is_reported() {
        let text = format!(
            "a: {{image: tagged}}\nb: {{image: renamed}}\nc: {{image: web}}\n\
                            d: {{image: other:1}}\ne: {{image: 'other@{DIGEST}'}}\n"
        );
        let locks = locks("");
        let (_, images) = rewrite_with(&text, &locks).unwrap();
        let told = images.iter().map(|(found, entry, is_locked)| {
            let new = entry.map_or("", |entry| entry.new_image.as_str());
            (found.image.as_str(), new, *is_locked)
        });
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                ("tagged", "a.io/tagged:2", false),
                ("renamed", &format!("a.io/renamed@{DIGEST}"), true),
                ("web", &format!("a.io/new@{DIGEST}"), true),
                ("other:1", "", false),
                (&format!("other@{DIGEST}"), "", true),
            ]
        );
        assert_eq!(images[2].1.unwrap().place.to_string(), "lock.yml:4:3");
    }

    #[test]
    fn frozen_lists_every_unlocked_image_with_its_places() {
        let text = "a: {image: one}\nb: [{image: two}, {image: one}]\n";
        let locks = Locks::default();
        let (_, images) = rewrite_with(text, &locks).unwrap();
        let error = require_locked(unlocked(images)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "2 images are not locked\n  one\n    at t.yaml:1:12 (a.image)\n    at t.yaml:2:27 (b[1].image)\n  \
             two\n    at t.yaml:2:13 (b[0].image)"
        );
        assert!(error.hint().unwrap().contains("`windlass lock`"));
    }

    proptest::proptest! {
        #[test]
        fn rewriting_twice_changes_nothing_more(text in "([a-c]: |- |image: |web|\n|  |'|\"|\\{|\\}|\\[|\\]|, |# |[|>]-?\n){0,24}") {
            let locks = locks("");
            if let Ok((once, _)) = rewrite_with(&text, &locks) {
                let (twice, images) = rewrite_with(&once, &locks).unwrap();
                proptest::prop_assert!(images.iter().all(|(_, entry, _)| entry.is_none()));
                proptest::prop_assert_eq!(once, twice);
            }
        }
    }
}
