//! The bytes of a lock file: keys and entries sorted, so that the same images give the same bytes, and
//! of the file as it was all that is still true, with its comments.
//!
//! The form is what kbld's `--lock-output` writes and reads back (`pkg/kbld/config/config.go`).

use crate::image::config::{API_VERSION, Override, SearchRule};
use crate::image::{Config, Error, ImageMatcher, Place, TagSelection, read};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use windlass_helm::yaml;

/// The first kbld that reads `kind: Config` with search rules.
const MINIMUM_VERSION: &str = "0.28.0";

/// The text of a lock file with these entries and rules. Of the text as it was (empty for a new file)
/// all entries that do not change keep their bytes, and all keep their comments. A text that is not
/// written one key a line keeps only the comments at its top.
///
/// # Errors
///
/// [`Error::Unsupported`] when an entry holds something that YAML cannot write.
pub fn text(entries: &[Override], rules: &[SearchRule], old: &str) -> Result<String, Error> {
    let mut sorted: Vec<&Override> = entries.iter().collect();
    // kbld takes the first entry of an image: what is locked goes before the name it was locked from.
    let order = |entry: &Override| {
        let (text, matcher) = (entry.matcher.text().to_owned(), entry.matcher.clone());
        (text, matcher, !entry.preresolved)
    };
    sorted.sort_by_cached_key(|entry| order(entry));
    if let Some(edited) = edited(&sorted, rules, old)? {
        return Ok(edited);
    }
    let mut root = Map::new();
    root.insert("apiVersion".to_owned(), API_VERSION.into());
    root.insert("kind".to_owned(), "Config".into());
    root.insert("minimumRequiredVersion".to_owned(), MINIMUM_VERSION.into());
    if !sorted.is_empty() {
        let entries = sorted.into_iter().map(entry_json).collect();
        root.insert("overrides".to_owned(), entries);
    }
    if !rules.is_empty() {
        let rules = rules.iter().map(|rule| rule.raw.clone()).collect();
        root.insert("searchRules".to_owned(), Value::Array(rules));
    }
    Ok(format!(
        "{}{}",
        leading_comments(old),
        yaml_text(&Value::Object(root))?
    ))
}

/// The old text with the entries changed that have to, when that is possible line by line: the result
/// has to mean what is wanted.
fn edited(entries: &[&Override], rules: &[SearchRule], old: &str) -> Result<Option<String>, Error> {
    let Some((config, lines)) = Lines::of(old) else {
        return Ok(None);
    };
    if entries.is_empty() || config.search_rules != rules {
        return Ok(None);
    }
    let mut was: BTreeMap<(&ImageMatcher, bool), (&Override, &Chunk)> = BTreeMap::new();
    for (entry, chunk) in config.overrides.iter().zip(&lines.entries) {
        was.entry((&entry.matcher, entry.preresolved))
            .or_insert((entry, chunk));
    }
    let line_end = if old.contains("\r\n") { "\r\n" } else { "\n" };
    let mut text = lines.head.clone();
    for entry in entries {
        match was.get(&(&entry.matcher, entry.preresolved)) {
            Some((before, chunk)) if is_same(before, entry) => {
                text.push_str(&chunk.comments);
                text.push_str(&chunk.body);
            }
            before => {
                let chunk = before.map(|(_, chunk)| *chunk);
                let fresh = yaml_text(&Value::Array(vec![entry_json(entry)]))?;
                let fresh = chunk.map_or_else(|| fresh.clone(), |chunk| chunk.annotate(&fresh));
                text.push_str(chunk.map_or("", |chunk| &chunk.comments));
                for line in fresh.lines() {
                    text.push_str(&lines.indent);
                    text.push_str(line);
                    text.push_str(line_end);
                }
            }
        }
    }
    text.push_str(&lines.tail);
    let again = read::config("", text.as_bytes()).ok();
    let means = again.is_some_and(|again| {
        again.search_rules == rules
            && again.overrides.len() == entries.len()
            && again
                .overrides
                .iter()
                .zip(entries)
                .all(|(a, b)| is_same(a, b))
    });
    Ok(means.then_some(text))
}

/// Whether two entries say the same, wherever they stand.
fn is_same(a: &Override, b: &Override) -> bool {
    a.matcher == b.matcher && a.agrees_with(b) && a.origins == b.origins
}

/// A lock file cut into its entries.
struct Lines {
    head: String,
    entries: Vec<Chunk>,
    tail: String,
    /// What stands before the `-` of each entry.
    indent: String,
}

/// One entry.
struct Chunk {
    /// The comments above it.
    comments: String,
    body: String,
}

impl Lines {
    /// Cuts a file whose entries begin with `- ` on lines of their own.
    fn of(text: &str) -> Option<(Config, Self)> {
        let config = read::config("", text.as_bytes()).ok()?;
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let starts: Vec<usize> = config
            .overrides
            .iter()
            .map(|entry| entry.place.line - 1)
            .collect();
        let first = *starts.first()?;
        let indent = lines.get(first)?.split_once("- ")?.0;
        let is_entry = |&at: &usize| {
            let rest = lines.get(at).and_then(|line| line.strip_prefix(indent));
            rest.is_some_and(|rest| rest.starts_with("- "))
        };
        let is_sound = indent.trim().is_empty()
            && starts.iter().all(is_entry)
            && starts.windows(2).all(|pair| pair[0] < pair[1])
            && text.ends_with('\n');
        if !is_sound {
            return None;
        }
        let last = *starts.last()?;
        let after = lines[last..]
            .iter()
            .position(|line| !line.starts_with(INSIDE));
        let end = after.map_or(lines.len(), |after| last + after);
        let mut entries = Vec::new();
        let mut comments_from = comments_above(&lines, first);
        let head = lines[..comments_from].concat();
        for (at, &start) in starts.iter().enumerate() {
            let next = match starts.get(at + 1) {
                Some(&next) => comments_above(&lines, next),
                None => comments_above(&lines, end),
            };
            entries.push(Chunk {
                comments: lines[comments_from..start].concat(),
                body: lines[start..next].concat(),
            });
            comments_from = next;
        }
        let lines = Self {
            head,
            entries,
            tail: lines[comments_from..].concat(),
            indent: indent.to_owned(),
        };
        Some((config, lines))
    }
}

/// How the lines of a list and of what is in it begin.
const INSIDE: [char; 6] = [' ', '-', '#', '\t', '\r', '\n'];

/// The first of the comments and blank lines that stand directly above a line.
fn comments_above(lines: &[&str], at: usize) -> usize {
    let is_comment = |line: &&&str| line.trim_start().starts_with('#') || line.trim().is_empty();
    at - lines[..at].iter().rev().take_while(is_comment).count()
}

impl Chunk {
    /// Puts the comments at the ends of this entry's lines behind the same keys of another text of
    /// it, and those on lines of their own before it.
    fn annotate(&self, fresh: &str) -> String {
        let key = |line: &str| {
            let line = line.trim_start_matches([' ', '-']);
            line.split_once(':').map(|(key, _)| key.to_owned())
        };
        let mut out = String::new();
        for line in self
            .body
            .lines()
            .filter(|line| line.trim_start().starts_with('#'))
        {
            out.push_str(line.trim());
            out.push('\n');
        }
        for line in fresh.lines() {
            let mut own = self.body.lines().filter(|own| key(own) == key(line));
            let comment = own.find_map(|own| own.split_once(" #"));
            out.push_str(line);
            if let Some((_, comment)) = comment {
                out.push_str(" #");
                out.push_str(comment.trim_end());
            }
            out.push('\n');
        }
        out
    }
}

pub(super) fn yaml_text(value: &Value) -> Result<String, Error> {
    let unsupported = |what: String| Error::Unsupported {
        place: Place {
            file: "lock".to_owned(),
            line: 1,
            column: 1,
        },
        what,
    };
    let value = yaml::from_yaml(value.to_string().as_bytes())
        .map_err(|error| unsupported(error.message))?;
    let body = yaml::emit::to_yaml(&value).map_err(unsupported)?;
    Ok(format!("{}\n", String::from_utf8_lossy(body.as_bytes())))
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
fn leading_comments(text: &str) -> &str {
    let end = text
        .split_inclusive('\n')
        .take_while(|line| line.trim_start().starts_with('#') || line.trim().is_empty())
        .map(str::len)
        .sum();
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::super::locked;
    use super::*;
    use crate::image::Locks;

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

    /// The lock with these images, after one that was edited by hand.
    fn after(old: &str, images: &[(&str, &str)]) -> String {
        let digest = |name: &str| format!("a.io/app-{name}@{DIGEST}");
        let old = old.replace("DIGEST", DIGEST);
        let entries: Vec<_> = images
            .iter()
            .map(|(image, name)| locked(image, &digest(name)))
            .collect();
        text(&entries, &[], &old).unwrap().replace(DIGEST, "DIGEST")
    }

    const EDITED: &str = "# top\napiVersion: kbld.k14s.io/v1alpha1\nkind: Config # ours\n\
        overrides:\n  # why b\n  - newImage: a.io/app-b@DIGEST # the new one\n    image: 'b'\n    \
        # inside\n    preresolved: true\n\n  # why a\n  # at all\n  - image: a # first\n    \
        preresolved: true\n    newImage: a.io/app-a@DIGEST\n# end\n";

    #[test]
    fn entries_that_do_not_change_keep_their_bytes_and_comments() {
        let sorted = after(EDITED, &[("b", "b"), ("a", "a")]);
        assert_eq!(
            sorted,
            "# top\napiVersion: kbld.k14s.io/v1alpha1\nkind: Config # ours\noverrides:\n\n  \
             # why a\n  # at all\n  - image: a # first\n    preresolved: true\n    \
             newImage: a.io/app-a@DIGEST\n  # why b\n  - newImage: a.io/app-b@DIGEST # the new one\n    \
             image: 'b'\n    # inside\n    preresolved: true\n# end\n"
        );
        assert_eq!(after(&sorted, &[("a", "a"), ("b", "b")]), sorted);
        let crlf = sorted.replace('\n', "\r\n");
        assert_eq!(after(&crlf, &[("a", "a"), ("b", "b")]), crlf);
    }

    #[test]
    fn entries_that_change_keep_their_comments_and_others_come_and_go() {
        assert_eq!(
            after(EDITED, &[("c", "c"), ("b", "moved")]),
            "# top\napiVersion: kbld.k14s.io/v1alpha1\nkind: Config # ours\noverrides:\n  \
             # why b\n  # inside\n  - image: b\n    newImage: a.io/app-moved@DIGEST # the new one\n    \
             preresolved: true\n  - image: c\n    newImage: a.io/app-c@DIGEST\n    preresolved: true\n# end\n"
        );
        assert!(after(EDITED, &[]).starts_with("# top\napiVersion"));
    }

    #[test]
    fn what_follows_the_entries_stays() {
        let old = "apiVersion: kbld.k14s.io/v1alpha1\noverrides:\n- image: b\n  \
                   newImage: a.io/app-b@DIGEST\n  preresolved: true\n# the kind\nkind: Config\n";
        let want = old.replace(
            "- image: b",
            "- image: a\n  newImage: a.io/app-a@DIGEST\n  preresolved: true\n- image: b",
        );
        assert_eq!(after(old, &[("b", "b"), ("a", "a")]), want);
    }

    #[test]
    fn a_lock_in_another_form_is_written_anew() {
        let flow = "# c\n{apiVersion: kbld.k14s.io/v1alpha1, kind: Config, overrides: [{image: a, \
                    newImage: a.io/app-a@DIGEST, preresolved: true}]}\n";
        let want = "# c\napiVersion: kbld.k14s.io/v1alpha1\nkind: Config\n\
                    minimumRequiredVersion: 0.28.0\noverrides:\n- image: b\n  \
                    newImage: a.io/app-b@DIGEST\n  preresolved: true\n";
        assert_eq!(after(flow, &[("b", "b")]), want);
        assert_eq!(
            after("not a lock", &[("b", "b")]),
            want.replace("# c\n", "")
        );
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_old_text_the_new_one_means_what_is_wanted(
            parts in proptest::collection::vec("(# c|- image: [ab]|  newImage: a.io/app-[ab]@DIGEST|  preresolved: true|  # d||overrides:|- )", 0..12),
            images in "[abc]{1,3}",
        ) {
            let old = format!("apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\noverrides:\n{}\n", parts.join("\n"));
            let wanted: std::collections::BTreeSet<String> = images.chars().map(String::from).collect();
            let pairs: Vec<_> = wanted.iter().map(|i| (i.as_str(), i.as_str())).collect();
            let new = after(&old, &pairs);
            let config = read::config("", new.replace("DIGEST", DIGEST).as_bytes()).unwrap();
            let found: Vec<_> = config.overrides.iter().map(|entry| entry.matcher.text()).collect();
            proptest::prop_assert_eq!(found, wanted.iter().map(String::as_str).collect::<Vec<_>>());
            proptest::prop_assert_eq!(after(&new, &pairs), new);
        }
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
