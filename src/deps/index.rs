//! `index.yaml` of a chart repository: the versions of the charts that are asked for.
//!
//! Follows helm v4 `pkg/repo/v1/index.go`. Indexes of hundreds of megabytes exist, so that only the parts of the charts
//! asked for are read, where the form of the file allows it: the one that Helm and ChartMuseum write.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use windlass_helm::sprig::semver;
use windlass_helm::value::{Map, Value};
use windlass_helm::yaml;

/// The largest index that is read, in bytes.
pub(super) const MAX_INDEX: u64 = 200 << 20;

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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Json {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    entries: BTreeMap<String, Option<Vec<Option<Entry>>>>,
}

/// The versions of these charts, the newest first; a chart that is not there is left out.
pub(super) fn read(text: &[u8], names: &[&str]) -> Result<BTreeMap<String, Vec<Entry>>, String> {
    if text.is_empty() {
        return Err("empty index.yaml file".to_owned());
    }
    let mut found = BTreeMap::new();
    if text.trim_ascii_start().starts_with(b"{")
        && let Ok(mut index) = serde_json::from_slice::<Json>(text)
    {
        if index.api_version.is_empty() {
            return Err("no API version specified".to_owned());
        }
        for name in names {
            if let Some(entries) = index.entries.remove(*name) {
                let entries = entries.into_iter().flatten().flatten();
                found.insert((*name).to_owned(), sorted(entries));
            }
        }
        return Ok(found);
    }
    let whole = std::str::from_utf8(text).unwrap_or_default();
    let parts = parts(whole, names)?;
    let mut missing = Vec::new();
    for name in names {
        let part = parts.get(name);
        let part = part.and_then(|part| yaml::from_yaml_map(part.as_bytes()).ok());
        match part.and_then(|map| of(&map, name)) {
            Some(entries) => drop(found.insert((*name).to_owned(), entries)),
            None => missing.push(*name),
        }
    }
    if !missing.is_empty() {
        let index = yaml::from_yaml_map(text).map_err(|error| error.to_string())?;
        if index.get("apiVersion").is_none_or(|value| value.is_nil()) {
            return Err("no API version specified".to_owned());
        }
        let entries = index.get("entries").unwrap_or(Value::Nil);
        for name in missing {
            if let Some(entries) = entries.as_map().and_then(|map| of(map, name)) {
                found.insert(name.to_owned(), entries);
            }
        }
    }
    Ok(found)
}

/// The lines of each chart below `entries:`, as far as they are written in the usual form.
fn parts<'a>(text: &str, names: &[&'a str]) -> Result<BTreeMap<&'a str, String>, String> {
    let names: BTreeSet<&str> = names.iter().copied().collect();
    let mut lines = text.split_inclusive('\n').enumerate();
    let (mut indent, mut current) = (None, None);
    let mut parts = BTreeMap::<&str, String>::new();
    if lines
        .by_ref()
        .all(|(_, line)| line.trim_end() != "entries:")
    {
        return Ok(parts);
    }
    for (number, line) in lines {
        let bare = line.trim_start_matches(' ');
        if bare.trim().is_empty() || bare.starts_with('#') {
            continue;
        }
        let depth = line.len() - bare.len();
        let indent = *indent.get_or_insert(depth);
        if depth < indent {
            break;
        }
        if depth == indent && !bare.starts_with('-') {
            let (key, rest) = bare.trim_end().split_once(':').unwrap_or((bare, ""));
            let key = key.trim_matches(['"', '\'']);
            current = names.get(key).copied();
            if current.is_some_and(|name| parts.contains_key(name)) {
                let number = number + 1;
                return Err(format!(
                    "error converting YAML to JSON: yaml: unmarshal errors:\n  line {number}: key {key:?} already set in map"
                ));
            }
            // Another form of YAML: all of it is read then.
            if !rest.is_empty() {
                current = None;
            }
        }
        if let Some(name) = current {
            parts.entry(name).or_default().push_str(line);
        }
    }
    Ok(parts)
}

fn of(entries: &Map, name: &str) -> Option<Vec<Entry>> {
    let value = entries.get(name)?;
    let list = value.as_list().map(|list| list.items().to_vec());
    let list = list.unwrap_or_default();
    Some(sorted(list.iter().filter_map(Value::as_map).map(entry)))
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
fn sorted(entries: impl Iterator<Item = Entry>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = entries
        .filter(|entry| semver::is_version(&entry.version))
        .collect();
    entries.sort_by(|a, b| semver::order(&b.version, &a.version));
    entries
}

#[cfg(test)]
mod tests {
    use super::{Entry, parts, read};

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
        assert!(parts(flow, &["web"]).unwrap().is_empty());
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
}
