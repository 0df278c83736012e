//! Writing locked images into manifests: the bytes of the image change, no others.

use super::search::{Found, Part, Role, Warning, find};
use super::{Error, Locks, Override, Place, Reference, annotate, scalar};
use crate::object::Lines;
use std::borrow::Cow;
use std::ops::Range;
use windlass_helm::yaml::Style;

/// An image that was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The image as it stood in the manifest.
    pub found: Found,
    /// What stands there now.
    pub new_image: String,
    /// The entry of the lock that says so.
    pub lock: Place,
}

/// A text with its images locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The text; the same bytes where nothing was to be replaced.
    pub text: Vec<u8>,
    /// What was replaced, in the order of the text.
    pub replaced: Vec<Replaced>,
    /// The images that stay, since they bring a digest of their own, in the order of the text.
    pub pinned: Vec<Found>,
    /// The images that still name no manifest by digest, in the order of the text.
    pub unlocked: Vec<Found>,
    /// Fields that look like a mistake.
    pub warnings: Vec<Warning>,
    /// The line of the input behind each line of the text; empty while they have the same number.
    pub lines: Vec<usize>,
}

/// Replaces the images of a text by what the locks say. No registry is asked: an image without an
/// entry stays as it is, and is reported unless it has a digest.
///
/// # Errors
///
/// As [`find`].
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
/// let out = image::rewrite(b"image: 'web' # ours\n", &source, &locks).expect("valid YAML");
/// assert_eq!(out.text, format!("image: 'ghcr.io/me/web@{digest}' # ours\n").as_bytes());
/// ```
pub fn rewrite<'a>(
    text: &[u8],
    lines: impl Into<Lines<'a>>,
    locks: &Locks,
) -> Result<Rewritten, Error> {
    replace(text, lines.into(), locks, false)
}

/// As [`rewrite`], and writes where the replaced images come from into the annotation
/// `kbld.k14s.io/images` of their objects.
///
/// # Errors
///
/// As [`find`], and an object that no annotation can be added to.
pub fn rewrite_annotated<'a>(
    text: &[u8],
    lines: impl Into<Lines<'a>>,
    locks: &Locks,
) -> Result<Rewritten, Error> {
    replace(text, lines.into(), locks, true)
}

fn replace(
    text: &[u8],
    lines: Lines<'_>,
    locks: &Locks,
    annotated: bool,
) -> Result<Rewritten, Error> {
    let search = find(text, lines, &locks.search_rules)?;
    let mut out = Rewritten {
        text: Vec::with_capacity(text.len() + 64 * search.images.len()),
        replaced: Vec::new(),
        pinned: Vec::new(),
        unlocked: Vec::new(),
        warnings: search.warnings,
        lines: Vec::new(),
    };
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    let mut origins = Vec::new();
    for found in search.images {
        let entry = locks.find(&found.image);
        if !is_locked(&found.image, entry) {
            out.unlocked.push(found.clone());
        }
        if let Some(entry) = entry.filter(|entry| is_final_text(entry)) {
            let edit = |part: &Part| (part.span.clone(), spelling(part, &entry.new_image));
            edits.extend(found.parts.iter().map(edit));
            origins.push((found.parts[0].span.start, entry));
            out.replaced.push(Replaced {
                found,
                new_image: entry.new_image.clone(),
                lock: entry.place.clone(),
            });
        } else if is_locked(&found.image, None) {
            out.pinned.push(found);
        }
    }
    if annotated && !origins.is_empty() {
        edits.extend(annotate::edits(text, lines, &origins)?);
    }
    // The parts of an image may stand around another image.
    edits.sort_by_key(|(span, _)| span.start);
    out.lines = moved(text, lines, &edits);
    let mut copied = 0;
    for (span, new) in edits {
        out.text.extend_from_slice(&text[copied..span.start]);
        out.text.extend_from_slice(new.as_bytes());
        copied = span.end;
    }
    out.text.extend_from_slice(&text[copied..]);
    Ok(out)
}

/// The line of the input behind each line of the edited text; nothing where no edit moves a line.
fn moved(text: &[u8], lines: Lines<'_>, edits: &[(Range<usize>, String)]) -> Vec<usize> {
    let ends = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
    if edits
        .iter()
        .all(|(span, new)| ends(&text[span.clone()]) == ends(new.as_bytes()))
    {
        return Vec::new();
    }
    let (mut line, mut copied) = (1, 0);
    let mut behind = vec![line];
    for (span, new) in edits {
        for _ in 0..ends(&text[copied..span.start]) {
            line += 1;
            behind.push(line);
        }
        behind.extend(std::iter::repeat_n(line, ends(new.as_bytes())));
        line += ends(&text[span.clone()]);
        copied = span.end;
    }
    let rest = ends(&text[copied..]);
    behind.extend((1..=rest).map(|after| line + after));
    behind.into_iter().map(|line| lines.at(line).line).collect()
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

    fn rewritten(text: &str) -> String {
        let out = rewrite(text.as_bytes(), &source(), &locks("")).unwrap();
        String::from_utf8(out.text)
            .unwrap()
            .replace(&format!("a.io/new@{DIGEST}"), "NEW")
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
        let out = rewrite(text.as_bytes(), &source(), &locks(rules)).unwrap();
        let out = String::from_utf8(out.text)
            .unwrap()
            .replace(&format!("a.io/new@{DIGEST}"), "NEW");
        assert_eq!(
            out,
            "c: |\n  # why\n  image:  NEW # here\n  b: {image: NEW}\n\
             d:\n  c: \"{\\\"image\\\": \\\"NEW\\\", \\\"x\\\": 1}\"\n"
        );
    }

    #[test]
    fn folded_texts_keep_their_folds() {
        let rules = "searchRules:\n- keyMatcher: {name: c}\n  \
                     updateStrategy: {yaml: {searchRules: [{keyMatcher: {name: image}}]}}\n";
        let rewritten = |text: &str| rewrite(text.as_bytes(), &source(), &locks(rules));
        let cases = [
            "c: > # why\n  image:\n  web\n\n  b: 1\nd: 1\n",
            "c: {\"image\":\n  \"web\"}\n---\nc: >-\n  {\"image\":\n   \"web\"}\n",
            "c: \"\\x61: 1\\nimage:\\\n  \\ web\\n\"\n",
            "c: '{\"image\":\n\n    \"web\"}'\n",
        ];
        for text in cases {
            let out = String::from_utf8(rewritten(text).unwrap().text).unwrap();
            assert_eq!(out, text.replace("web", &format!("a.io/new@{DIGEST}")));
        }
        for refused in [
            "c: >\n  image: >-\n    web\n  b: 1\n",
            "b: &b 'image: web'\nc: *b\n",
        ] {
            let error = rewritten(refused).unwrap_err().to_string();
            assert!(error.contains(": c holds images, but"), "{error}");
        }
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
            let out = rewrite(text.as_bytes(), &source(), &lock(image, &pinned)).unwrap();
            let head = text.split_inclusive('\n').next().unwrap();
            assert_eq!(
                String::from_utf8(out.text).unwrap(),
                format!("{head}{want}")
            );
            let again = rewrite(want.as_bytes(), &source(), &Locks::default()).unwrap();
            assert_eq!(again.text, want.as_bytes());
            assert_eq!(out.unlocked, []);
        }
    }

    #[test]
    fn lines_that_move_are_known_by_their_lines_in_the_input() {
        let text = "image: |-\n  web\nb:\n  image: web # c\nc: 1\n";
        let out = rewrite(text.as_bytes(), &source(), &locks("")).unwrap();
        assert_eq!(out.lines, [1, 3, 4, 5, 6]);
        let out = rewrite_annotated(b"a: b\nimage: web\n", &source(), &locks("")).unwrap();
        let shown = String::from_utf8(out.text).unwrap();
        let a = shown.lines().position(|line| line == "a: b").unwrap();
        assert_eq!(out.lines.len(), shown.lines().count() + 1);
        assert_eq!(out.lines[a..], [1, 2, 3]);
        assert!(
            rewrite(b"image: web\n", &source(), &locks(""))
                .unwrap()
                .lines
                .is_empty()
        );
    }

    #[test]
    fn what_has_no_digest_is_reported() {
        let text = format!(
            "a: {{image: tagged}}\nb: {{image: renamed}}\nc: {{image: web}}\n\
                            d: {{image: other:1}}\ne: {{image: 'other@{DIGEST}'}}\n"
        );
        let out = rewrite(text.as_bytes(), &source(), &locks("")).unwrap();
        let unlocked: Vec<_> = out
            .unlocked
            .iter()
            .map(|found| found.image.as_str())
            .collect();
        assert_eq!(unlocked, ["tagged", "other:1"]);
        assert_eq!(out.pinned[0].image, format!("other@{DIGEST}"));
        let replaced: Vec<_> = out.replaced.iter().map(|r| r.new_image.as_str()).collect();
        let renamed = format!("a.io/renamed@{DIGEST}");
        assert_eq!(
            replaced,
            ["a.io/tagged:2", &renamed, &format!("a.io/new@{DIGEST}")]
        );
        assert_eq!(out.replaced[2].lock.to_string(), "lock.yml:4:3");
    }

    #[test]
    fn frozen_lists_every_unlocked_image_with_its_places() {
        let text = "a: {image: one}\nb: [{image: two}, {image: one}]\n";
        let out = rewrite(text.as_bytes(), &source(), &Locks::default()).unwrap();
        let error = require_locked(out.unlocked).unwrap_err();
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
            if let Ok(out) = rewrite(text.as_bytes(), &source(), &locks) {
                let again = rewrite(&out.text, &source(), &locks);
                let again = again.map(|again| (again.replaced.len(), again.text));
                proptest::prop_assert!(matches!(again, Ok((0, text)) if text == out.text));
            }
        }
    }
}
