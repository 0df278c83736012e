//! `index.yaml` of a chart repository: the versions of the charts that are asked for.
//!
//! Follows helm v4 `pkg/repo/v1/index.go`. Indexes of hundreds of megabytes exist, so that only the parts of the charts
//! asked for are kept and read, where the form of the file allows it: the one that Helm and ChartMuseum write. How the
//! bytes come is not known here.

use super::index_json;
use crate::registry::Sink;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use windlass_helm::sprig::semver;
use windlass_helm::value::{Map, Value};
use windlass_helm::yaml;

/// The largest index that is read, in bytes.
pub(super) const MAX_INDEX: u64 = 200 << 20;
/// The largest index that is kept whole while it arrives, and the longest line of a larger one, in bytes. What is larger
/// and cannot be read by its lines is asked for again.
const MAX_KEPT: usize = 8 << 20;

/// One version of a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    /// The version.
    pub(super) version: String,
    /// Where its archive is, relative to the repository.
    pub(super) urls: Vec<String>,
    /// The SHA-256 of the archive, if it is stated.
    pub(super) digest: String,
}

/// The versions of each chart that is found, the newest first.
pub(super) type Found = BTreeMap<String, Vec<Entry>>;

/// An index as it arrives. It is kept whole while it is small, and where it is JSON; of a larger one only the lines of
/// the charts asked for are kept.
#[derive(Clone)]
pub(super) struct Incoming<'a> {
    names: &'a [&'a str],
    /// How much is kept whole, [`MAX_KEPT`].
    most: usize,
    /// What is above that goes through these.
    lines: Option<Lines<'a>>,
    /// All that came; with `lines`, what came of a line that has not ended.
    rest: Vec<u8>,
}

impl<'a> Incoming<'a> {
    /// Prepares for the charts of these names.
    pub(super) fn new(names: &'a [&'a str]) -> Self {
        Self {
            names,
            most: MAX_KEPT,
            lines: None,
            rest: Vec::new(),
        }
    }

    /// What [`read`] says of all that came; `None` where it needs more of it than was kept.
    pub(super) fn finish(self) -> Result<Option<Found>, String> {
        let Some(mut lines) = self.lines else {
            return read(&self.rest, self.names).map(Some);
        };
        lines.push(&self.rest);
        let (found, missing) = lines.finish()?;
        Ok(missing.is_empty().then_some(found))
    }
}

impl Sink for Incoming<'_> {
    fn push(&mut self, chunk: &[u8]) {
        let mut searched = self.rest.len();
        self.rest.extend_from_slice(chunk);
        if self.lines.is_none() {
            if self.rest.len() <= self.most || is_json(&self.rest) {
                return;
            }
            searched = 0;
        }
        let lines = self.lines.get_or_insert_with(|| Lines::new(self.names));
        let last = self.rest[searched..].iter().rposition(|b| *b == b'\n');
        let end = last.map_or(0, |at| searched + at + 1);
        lines.push(&self.rest[..end]);
        self.rest.drain(..end);
        if self.rest.len() > self.most {
            lines.give_up();
            self.rest.clear();
        }
    }
}

/// The versions of these charts; a chart that is not there is left out.
pub(super) fn read(text: &[u8], names: &[&str]) -> Result<Found, String> {
    if text.is_empty() {
        return Err("empty index.yaml file".to_owned());
    }
    if is_json(text)
        && let Ok((version, found)) = index_json::read(text, names)
    {
        return match version.is_empty() {
            true => Err("no API version specified".to_owned()),
            false => Ok(found
                .into_iter()
                .map(|(name, list)| (name, sorted(list)))
                .collect()),
        };
    }
    let mut lines = Lines::new(names);
    lines.push(text);
    let (mut found, missing) = lines.finish()?;
    if !missing.is_empty() {
        found.extend(whole(text, &missing)?);
    }
    Ok(found)
}

/// The versions of these charts in any form of YAML.
fn whole(text: &[u8], names: &[&str]) -> Result<Found, String> {
    let index = yaml::from_yaml_map(text).map_err(|error| error.to_string())?;
    if index.get("apiVersion").is_none_or(|value| value.is_nil()) {
        return Err("no API version specified".to_owned());
    }
    let entries = index.get("entries").unwrap_or(Value::Nil);
    let entries = |name: &&str| Some(((*name).to_owned(), of(entries.as_map()?, name)?));
    Ok(names.iter().filter_map(entries).collect())
}

fn is_json(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"{")
}

/// The lines of each chart below `entries:`, as far as they are written in the usual form.
#[derive(Clone)]
struct Lines<'a> {
    names: BTreeSet<&'a str>,
    /// How many lines there were.
    number: usize,
    place: Place,
    /// The chart whose lines come.
    current: Option<&'a str>,
    parts: BTreeMap<&'a str, String>,
    /// That a chart is there twice.
    twice: Option<String>,
    /// Whether the index says of which version its form is.
    has_version: bool,
    /// Whether there may be charts that are written in another form.
    is_odd: bool,
}

#[derive(Clone, Copy)]
enum Place {
    Before,
    /// Below `entries:`, with the indentation of the charts once one was there.
    Entries(Option<usize>),
    After,
}

impl<'a> Lines<'a> {
    fn new(names: &[&'a str]) -> Self {
        Self {
            names: names.iter().copied().collect(),
            number: 0,
            place: Place::Before,
            current: None,
            parts: BTreeMap::new(),
            twice: None,
            has_version: false,
            is_odd: false,
        }
    }

    /// Takes whole lines.
    fn push(&mut self, lines: &[u8]) {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            self.number += 1;
            match std::str::from_utf8(line) {
                Ok(line) => self.line(line),
                Err(_) => self.give_up(),
            }
        }
    }

    fn line(&mut self, line: &str) {
        if let Place::Entries(indent) = self.place
            && self.is_entry(line, indent)
        {
            return;
        }
        if let Some(version) = line.strip_prefix("apiVersion:") {
            self.has_version |= !matches!(version.trim(), "" | "null" | "~");
        }
        // What is in another document does not count.
        self.is_odd |= self.number > 1 && (line.starts_with("---") || line.starts_with("..."));
        if matches!(self.place, Place::Before) && line.trim_end() == "entries:" {
            self.place = Place::Entries(None);
        }
    }

    /// Takes a line below `entries:`, if it is one.
    fn is_entry(&mut self, line: &str, indent: Option<usize>) -> bool {
        let bare = line.trim_start_matches(' ');
        if bare.trim().is_empty() || bare.starts_with('#') {
            return true;
        }
        self.is_odd |= bare.starts_with('\t');
        let depth = line.len() - bare.len();
        let indent = indent.unwrap_or(depth.max(1));
        if depth < indent {
            self.place = Place::After;
            return false;
        }
        self.place = Place::Entries(Some(indent));
        if depth == indent && !bare.starts_with('-') {
            self.begin(bare);
        }
        if let Some(name) = self.current {
            self.parts.entry(name).or_default().push_str(line);
        }
        true
    }

    /// Begins a chart.
    fn begin(&mut self, line: &str) {
        let (key, rest) = line.trim_end().split_once(':').unwrap_or((line, "?"));
        let key = key.trim_matches(['"', '\'']);
        self.current = self.names.get(key).copied();
        if (self.current).is_some_and(|name| self.parts.contains_key(name)) {
            self.twice = Some(format!(
                "error converting YAML to JSON: yaml: unmarshal errors:\n  line {}: key {key:?} already set in map",
                self.number
            ));
            self.current = None;
        }
        // Another form of YAML: all of it is read then.
        if !rest.is_empty() {
            self.current = None;
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        self.is_odd |= !rest.is_empty() || !key.bytes().all(plain);
    }

    /// Finds nothing, whatever else comes: this is not the usual form.
    fn give_up(&mut self) {
        self.place = Place::After;
        self.parts.clear();
        self.twice = None;
        self.is_odd = true;
    }

    /// The charts that were found, and those that may be there in another form.
    fn finish(self) -> Result<(Found, Vec<&'a str>), String> {
        if let Some(error) = self.twice {
            return Err(error);
        }
        let (mut found, mut missing) = (Found::new(), Vec::new());
        let is_usual = self.has_version && !self.is_odd && !matches!(self.place, Place::Before);
        for name in self.names {
            let part = self.parts.get(name).filter(|_| self.has_version);
            if part.is_none() && is_usual {
                continue;
            }
            let part = part.and_then(|part| yaml::from_yaml_map(part.as_bytes()).ok());
            match part.and_then(|map| of(&map, name)) {
                Some(entries) => drop(found.insert(name.to_owned(), entries)),
                None => missing.push(name),
            }
        }
        Ok((found, missing))
    }
}

fn of(entries: &Map, name: &str) -> Option<Vec<Entry>> {
    let value = entries.get(name)?;
    let list = value.as_list().map(|list| list.items().to_vec());
    let list = list.unwrap_or_default();
    let entries = list.iter().filter_map(Value::as_map).map(entry);
    Some(sorted(entries.collect()))
}

fn entry(map: &Map) -> Entry {
    let text = |value: &Value| value.as_str().map(|text| text.to_text().into_owned());
    let field = |name: &str| map.get(name).as_ref().and_then(text).unwrap_or_default();
    let urls = map.get("urls").unwrap_or(Value::Nil);
    let urls = urls.as_list().map(|list| list.items().to_vec());
    Entry {
        version: field("version"),
        urls: urls.unwrap_or_default().iter().filter_map(text).collect(),
        digest: field("digest"),
    }
}

/// Without what is no version, the newest first; of the same version the first stays the first.
fn sorted(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.retain(|entry| semver::is_version(&entry.version));
    entries.sort_by(|a, b| semver::order(&b.version, &a.version));
    entries
}

#[cfg(test)]
mod tests {
    use super::{Entry, Found, Incoming, MAX_KEPT, read, whole};
    use crate::registry::Sink;
    use proptest::prelude::*;

    const INDEX: &str = "apiVersion: v1\nentries:\n  db:\n  - version: 9.0.0\n    urls: [db.tgz]\n  web:\n  \
        - description: |\n      entries:\n        db:\n    version: 1.2.0\n    urls:\n    - web-1.2.0.tgz\n    \
        digest: ab\n  - version: 1.10.0\n    urls: []\n  - null\n  - version: latest\n  - {}\ngenerated: x\n";

    fn versions(text: &str, name: &str) -> Vec<String> {
        let mut found = read(text.as_bytes(), &[name]).unwrap();
        let entries = found.remove(name).unwrap_or_default();
        entries.into_iter().map(|entry| entry.version).collect()
    }

    #[test]
    fn versions_are_those_of_the_chart_the_newest_first() {
        assert_eq!(versions(INDEX, "web"), ["1.10.0", "1.2.0"]);
        assert_eq!(versions(INDEX, "db"), ["9.0.0"]);
        assert_eq!(versions(INDEX, "entries"), [""; 0]);
        let web = Entry {
            version: "1.2.0".to_owned(),
            urls: vec!["web-1.2.0.tgz".to_owned()],
            digest: "ab".to_owned(),
        };
        assert_eq!(read(INDEX.as_bytes(), &["web"]).unwrap()["web"][1], web);
    }

    #[test]
    fn other_forms_are_read_whole() {
        let flow = "apiVersion: v1\nentries: {web: [{version: 1.0.0}], 'db': null}\n";
        assert_eq!(streamed(flow.as_bytes(), &["web"], 0, &[1]), Ok(None));
        assert_eq!(versions(flow, "web"), ["1.0.0"]);
        let anchored = "apiVersion: v1\nentries:\n  db: &a\n  - version: 1.0.0\n  web: *a\n";
        assert_eq!(versions(anchored, "web"), ["1.0.0"]);
        let json = r#"{"apiVersion":"v1","entries":{"web":[null,{"version":"1.0.0"}],"x":null}}"#;
        assert_eq!(versions(json, "web"), ["1.0.0"]);
    }

    #[test]
    fn what_is_no_index_is_told() {
        let error = |text: &str| read(text.as_bytes(), &["web"]).unwrap_err();
        assert_eq!(error(""), "empty index.yaml file");
        assert_eq!(error("entries: {}"), "no API version specified");
        assert_eq!(error("{\"entries\": {}}"), "no API version specified");
        assert!(!error("<html>: <").is_empty());
        let twice = "apiVersion: v1\nentries:\n  web:\n  - a\n  db:\n  - b\n  \"web\":\n  - c\n";
        assert!(error(twice).ends_with("line 7: key \"web\" already set in map"));
    }

    #[test]
    fn a_chart_that_the_usual_form_lacks_is_not_there() {
        let text =
            |more: &str| format!("apiVersion: v1\nentries:\n  web:\n  - version: 1.0.0\n{more}");
        let read = |more: &str| streamed(text(more).as_bytes(), &["db"], 40, &[7]);
        assert_eq!(read("generated: x\n"), Ok(Some(Found::new())));
        for odd in [
            "  other: []\n",
            "  \"d\\x62\":\n",
            "  <<: *a\n",
            "  ? db\n",
            "\tdb:\n",
            "...\n",
        ] {
            assert_eq!(read(odd), Ok(None), "{odd}");
        }
        let nameless = text("").replace("apiVersion: v1\n", "");
        assert_eq!(streamed(nameless.as_bytes(), &["web"], 20, &[7]), Ok(None));
        assert_eq!(
            super::read(nameless.as_bytes(), &["web"]).unwrap_err(),
            "no API version specified"
        );
        let beside = b"apiVersion: v1\nentries:\nweb:\n- version: 1.0.0\n";
        assert_eq!(streamed(beside, &["web"], 40, &[7]), Ok(Some(Found::new())));
    }

    #[test]
    fn json_keeps_what_is_asked_for_alone() {
        let many = "{},null,".repeat(1 << 16);
        let text = format!(
            r#"{{"entries":{{"a":[{many}{{}}],"web":[{many}{{"version":"1.0.0","x":[1]}}],"db":null}},"apiVersion":"v1"}}"#
        );
        let found = read(text.as_bytes(), &["web", "db"]).unwrap();
        assert_eq!(
            (
                found["web"].len(),
                found["web"].capacity() < 99,
                found["db"].len()
            ),
            (1, true, 0)
        );
        assert_eq!(found.len(), 2);
    }

    /// What is left of an index that comes in chunks of these sizes, again and again, when so much is kept whole.
    fn streamed(
        mut text: &[u8],
        names: &[&str],
        most: usize,
        sizes: &[usize],
    ) -> Result<Option<Found>, String> {
        let mut incoming = Incoming {
            most,
            ..Incoming::new(names)
        };
        for size in sizes.iter().cycle() {
            let (chunk, rest) = text.split_at(text.len().min(*size));
            incoming.push(chunk);
            text = rest;
            if text.is_empty() {
                break;
            }
        }
        incoming.finish()
    }

    #[test]
    fn no_line_is_longer_than_what_is_kept() {
        let mut incoming = Incoming::new(&["web"]);
        incoming.push(b"apiVersion: v1\nentries:\n  web:\n  - version: 1.0.0\n  # ");
        for _ in 0..40 {
            incoming.push(&vec![b'x'; 1 << 20]);
            assert!(incoming.rest.len() <= MAX_KEPT);
        }
        assert_eq!(incoming.finish(), Ok(None));
    }

    /// Lines of indexes, in many orders none at all.
    const PIECES: &[&[u8]] = &[
        b"apiVersion: v1\n",
        b"entries:\n",
        b"entries:\n",
        b"entries: # all\n",
        b"\"entries\":\n",
        b"entries: {web: [{version: 1.0.0}]}\n",
        b"  web:\n",
        b"  web:\n",
        b"  'web':\n",
        b"  web: # one\n",
        b"  web: &a\n",
        b"  web: *a\n",
        b"  ? web\n  :\n",
        b"  db:\n",
        b"  \"d\\x62\":\n",
        b"  <<: *a\n",
        b"  other:\n",
        b"  - version: 1.0.0\n    urls: [a.tgz]\n",
        b"  - version: 1.1.0\n    urls:\n    - https://a/\xc3\xbc.tgz\n    digest: ab\n",
        b"  - description: |\n      entries:\n        db:\n\n      # x\n    version: 2.0.0\n",
        b"  - description: \"x\n  db:\n    \xe2\x82\xac\"\n    version: 3.0.0\n",
        b"  - description: of more than fifty bytes, as lines of charts often are\n    version: 4.0.0\n",
        b"  - &a {version: 5.0.0}\n",
        b"  - *a\n",
        b"  - null\n",
        b"    - version: 6.0.0\n",
        b"\t- version: 7.0.0\n",
        b"  # one\n",
        b"# \xff\n",
        b"\n",
        b"generated: x\n",
        b"---\n",
        b"...\n",
        b"\xef\xbb\xbf",
        b"  \n {\"apiVersion\": \"v1\", \"entries\": {\"web\": [{\"version\": \"1.0.0\"}]}}",
    ];

    /// An index in the form that Helm writes, with these versions of three charts.
    fn usual(versions: &[Vec<u8>; 3]) -> Vec<u8> {
        let version = |version: &u8| {
            format!(
                "  - annotations:\n      changes: |\n        web:\n        - \u{fc}\n    digest: ab\n    urls:\n    \
                 - {version}.tgz\n    version: 1.{version}.0\n"
            )
        };
        let charts = ["db", "other", "web"].iter().zip(versions);
        let charts = charts.map(|(name, versions)| {
            let versions: String = versions.iter().map(version).collect();
            format!("  {name}:\n{versions}")
        });
        let charts: String = charts.collect();
        format!("apiVersion: v1\nentries:\n{charts}generated: x\n").into_bytes()
    }

    fn ended(mut text: Vec<u8>, is_dos: bool, is_cut: bool) -> Vec<u8> {
        if is_cut {
            text.pop();
        }
        match is_dos {
            true => text
                .split(|b| *b == b'\n')
                .collect::<Vec<_>>()
                .join(&b"\r\n"[..]),
            false => text,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: proptest::test_runner::RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::with_cases(1000)
        })]

        #[test]
        fn an_index_that_arrives_in_chunks_is_read_as_if_it_were_there(
            head in prop::sample::select(&["", "apiVersion: v1\nentries:\n"][..]),
            pieces in prop::collection::vec(prop::sample::select(PIECES), 0..20),
            (is_dos, is_cut) in any::<(bool, bool)>(),
            names in prop::sample::subsequence(vec!["db", "none", "web"], 1..3),
            most in 0_usize..200,
            sizes in prop::collection::vec(1_usize..40, 1..9),
        ) {
            let text = ended([head.as_bytes(), &pieces.concat()].concat(), is_dos, is_cut);
            let want = read(&text, &names);
            for sizes in [&sizes[..], &[1]] {
                match streamed(&text, &names, most, sizes).transpose() {
                    Some(read) => prop_assert_eq!(&read, &want),
                    None => prop_assert!(text.len() > most),
                }
            }
        }

        #[test]
        fn the_usual_form_is_read_by_its_lines_as_yaml_is(
            versions in prop::array::uniform3(prop::collection::vec(any::<u8>(), 1..5)),
            (is_dos, is_cut) in any::<(bool, bool)>(),
            names in prop::sample::subsequence(vec!["db", "other", "web"], 1..4),
            most in 50_usize..200,
            sizes in prop::collection::vec(1_usize..400, 1..9),
        ) {
            let text = ended(usual(&versions), is_dos, is_cut);
            let want = whole(&text, &names).unwrap();
            prop_assert_eq!(want.len(), names.len());
            prop_assert_eq!(read(&text, &names).unwrap(), want.clone());
            for sizes in [&sizes[..], &[1]] {
                prop_assert_eq!(streamed(&text, &names, most, sizes).unwrap(), Some(want.clone()));
            }
        }
    }
}
