//! `index.yaml` of a chart repository, as Helm writes it: entries added, removed, merged, sorted.
//!
//! Follows helm v4 `pkg/repo/v1/index.go`. Entries that are there already are kept as they stand, also with fields that
//! Helm does not know. Where the archives come from is not decided here.

use super::Metadata;
use super::lock_file::written;
use crate::sprig::paths::clean;
use crate::sprig::semver;
use crate::sprig::url::Url;
use crate::value::{Map, MapKind, Value};
use crate::yaml;
use std::collections::BTreeMap;

/// The index of a repository.
///
/// ```
/// use windlass_helm::chart::IndexFile;
///
/// let text = "apiVersion: v1\nentries:\n  web:\n  - version: 1.0.0\n    name: web\n    urls: [web-1.0.0.tgz]\n";
/// let mut index = IndexFile::read(text.as_bytes())?;
/// assert_eq!(index.remove("web", "1.0.0"), Some(vec!["web-1.0.0.tgz".to_owned()]));
/// let text = "apiVersion: v1\nentries: {}\ngenerated: \"2026-01-01T00:00:00Z\"\n";
/// assert_eq!(index.to_yaml("2026-01-01T00:00:00Z")?, text.as_bytes());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug)]
pub struct IndexFile {
    /// What is beside the entries.
    rest: Map,
    entries: BTreeMap<String, Vec<Map>>,
}

impl Default for IndexFile {
    fn default() -> Self {
        let rest = Map::new(MapKind::Any);
        rest.insert("apiVersion", Value::str("v1"));
        Self {
            rest,
            entries: BTreeMap::new(),
        }
    }
}

impl IndexFile {
    /// Reads an index. Entries that are no charts are left out, as Helm does.
    ///
    /// # Errors
    /// What is no index, with Helm's words.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        if text.is_empty() {
            return Err("empty index.yaml file".to_owned());
        }
        let rest = yaml::from_yaml_map(text).map_err(|error| error.to_string())?;
        if rest.get("apiVersion").is_none_or(|value| value.is_nil()) {
            return Err("no API version specified".to_owned());
        }
        let mut index = Self {
            entries: BTreeMap::new(),
            rest,
        };
        let entries = index.rest.remove("entries").unwrap_or(Value::Nil);
        for (name, list) in entries.as_map().map(Map::entries).unwrap_or_default() {
            let list = list.as_list().map(|list| list.items().to_vec());
            let maps = list.unwrap_or_default();
            let maps = maps.iter().filter_map(Value::as_map).filter_map(completed);
            let name = name.to_text().into_owned();
            index.entries.insert(name, maps.collect());
        }
        Ok(index)
    }

    /// Adds a chart, in place of one of the same name and version.
    pub fn add(&mut self, metadata: &Metadata, url: &str, digest: &str, created: &str) {
        self.remove(&metadata.name, &metadata.version);
        self.append(metadata, url, digest, created);
    }

    /// Adds a chart beside what is there.
    pub fn append(&mut self, metadata: &Metadata, url: &str, digest: &str, created: &str) {
        let entry = metadata.to_map();
        entry.insert("urls", Value::list(vec![Value::str(url)]));
        entry.insert("digest", Value::str(digest));
        entry.insert("created", Value::str(created));
        let entries = self.entries.entry(metadata.name.clone()).or_default();
        entries.push(entry);
    }

    /// Removes a version of a chart and returns where its archive is, if it was there.
    pub fn remove(&mut self, name: &str, version: &str) -> Option<Vec<String>> {
        let entries = self.entries.get_mut(name)?;
        let at = entries
            .iter()
            .position(|one| text(one, "version") == version)?;
        let removed = entries.remove(at);
        if entries.is_empty() {
            self.entries.remove(name);
        }
        let urls = removed.get("urls").unwrap_or(Value::Nil);
        let urls = urls.as_list().map(|list| list.items().to_vec());
        let urls = urls.unwrap_or_default().into_iter();
        let urls = urls.filter_map(|url| Some(url.as_str()?.to_text().into_owned()));
        Some(urls.collect())
    }

    /// The digest of a version of a chart; empty when the index does not say it, `None` when it has no such version.
    #[must_use]
    pub fn digest(&self, name: &str, version: &str) -> Option<String> {
        let mut entries = self.entries.get(name)?.iter();
        let entry = entries.find(|one| text(one, "version") == version)?;
        Some(text(entry, "digest"))
    }

    /// The versions of a chart that are there.
    #[must_use]
    pub fn versions(&self, name: &str) -> Vec<String> {
        let entries = self.entries.get(name).into_iter().flatten();
        entries.map(|one| text(one, "version")).collect()
    }

    /// Adds what another index has and this one has not.
    pub fn merge(&mut self, other: Self) {
        for entry in other.entries.into_values().flatten() {
            let own = self.entries.entry(text(&entry, "name")).or_default();
            let version = text(&entry, "version");
            let is_same = |one: &Map| {
                let known = text(one, "version");
                known == version || semver::satisfies(&version, &known)
            };
            if !own.iter().any(is_same) {
                own.push(entry);
            }
        }
    }

    /// The file: charts by name, the newest version first.
    ///
    /// # Errors
    /// What YAML does not have.
    pub fn to_yaml(&self, generated: &str) -> Result<Vec<u8>, String> {
        let entries = Map::new(MapKind::Any);
        for (name, versions) in &self.entries {
            let mut versions: Vec<(String, &Map)> = versions
                .iter()
                .map(|entry| (text(entry, "version"), entry))
                .collect();
            versions.sort_by(|(a, _), (b, _)| semver::order(b, a));
            let versions = versions.into_iter();
            let versions = versions.map(|(_, entry)| Value::Map(entry.clone()));
            entries.insert(name.as_str(), Value::list(versions.collect()));
        }
        let whole = self.rest.shallow_copy();
        whole.insert("entries", Value::Map(entries));
        whole.insert("generated", Value::str(generated));
        written(whole)
    }
}

/// An entry with what Helm adds where it is missing; `None` for what is no chart.
fn completed(entry: &Map) -> Option<Map> {
    if text(entry, "name").is_empty() || !semver::is_version(&text(entry, "version")) {
        return None;
    }
    let entry = entry.shallow_copy();
    for (name, value) in [
        ("apiVersion", Value::str("v1")),
        ("created", Value::str("0001-01-01T00:00:00Z")),
        ("urls", Value::Nil),
    ] {
        if !entry.contains(name) {
            entry.insert(name, value);
        }
    }
    Some(entry)
}

fn text(entry: &Map, name: &str) -> String {
    let value = entry.get(name);
    let text = value.as_ref().and_then(Value::as_str);
    text.map(|text| text.to_text().into_owned())
        .unwrap_or_default()
}

/// The address of an archive in an index: its name, below a folder and an address where there are some.
///
/// Follows helm v4 `internal/urlutil/urlutil.go`, `URLJoin`.
#[must_use]
pub fn url_of_archive(base: &str, folder: &str, file: &str) -> String {
    match joined(base, folder) {
        above if above.is_empty() => file.to_owned(),
        above => joined(&above, file),
    }
}

fn joined(base: &str, part: &str) -> String {
    let join = |path: &[u8]| match (path, part.as_bytes()) {
        (b"", b"") => Vec::new(),
        (path, part) => clean(&[path, b"/".as_slice(), part].concat()),
    };
    let path = match Url::parse(base.as_bytes()) {
        Ok(mut url) => {
            url.path = match url.path.as_slice() {
                b"" => clean_or_empty(part),
                path => join(path),
            };
            url.join()
        }
        Err(_) if base.is_empty() => clean_or_empty(part),
        Err(_) => join(base.as_bytes()),
    };
    String::from_utf8_lossy(&path).into_owned()
}

fn clean_or_empty(part: &str) -> Vec<u8> {
    match part {
        "" => Vec::new(),
        part => clean(part.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::{IndexFile, url_of_archive};
    use crate::chart::Metadata;

    fn web(version: &str) -> Metadata {
        let mut metadata = Metadata::default();
        metadata.name = "web".to_owned();
        metadata.version = version.to_owned();
        metadata.api_version = "v2".to_owned();
        metadata
    }

    #[test]
    fn entries_are_added_replaced_and_sorted() {
        let mut index = IndexFile::default();
        for version in ["1.2.0", "1.10.0", "1.2.0"] {
            index.add(&web(version), "web.tgz", "ab", "t");
        }
        let entry = |version| {
            format!(
                "  - apiVersion: v2\n    created: t\n    digest: ab\n    name: web\n    urls:\n    - web.tgz\n    \
                 version: {version}\n"
            )
        };
        let want = format!(
            "apiVersion: v1\nentries:\n  web:\n{}{}generated: g\n",
            entry("1.10.0"),
            entry("1.2.0")
        );
        assert_eq!(
            String::from_utf8(index.to_yaml("g").unwrap()).unwrap(),
            want
        );
        assert_eq!(index.digest("web", "1.2.0").as_deref(), Some("ab"));
        assert_eq!(index.digest("web", "1.2.1"), None);
        let again = IndexFile::read(want.as_bytes()).unwrap();
        assert_eq!(again.to_yaml("g").unwrap(), want.as_bytes());
    }

    #[test]
    fn own_entries_win_and_what_is_no_chart_is_dropped() {
        let mut index = IndexFile::default();
        index.add(&web("1.0.0"), "own.tgz", "ab", "t");
        let other = "apiVersion: v1\nannotations: {a: b}\nentries:\n  web:\n  - {name: web, version: 1.0.0}\n  \
                     - {name: web, version: 0.9.0}\n  - {name: web, version: latest}\n  - null\n  none: null\n";
        index.merge(IndexFile::read(other.as_bytes()).unwrap());
        assert_eq!(index.versions("web"), ["1.0.0", "0.9.0"]);
        let text = String::from_utf8(index.to_yaml("g").unwrap()).unwrap();
        assert!(text.contains("0001-01-01T00:00:00Z") && text.contains("urls: null"));
        assert!(text.contains("own.tgz") && !text.contains("annotations"));
        assert_eq!(
            IndexFile::read(b"a: 1").unwrap_err(),
            "no API version specified"
        );
        assert_eq!(IndexFile::read(b"").unwrap_err(), "empty index.yaml file");
    }

    #[test]
    fn addresses_are_joined_as_go_does() {
        for (base, folder, file, want) in [
            ("", "", "a b.tgz", "a b.tgz"),
            ("", "sub", "a b.tgz", "sub/a%20b.tgz"),
            (
                "https://a.io",
                "",
                "a-1.0.0+b.tgz",
                "https://a.io/a-1.0.0+b.tgz",
            ),
            (
                "https://a.io/c/",
                "sub",
                "a.tgz",
                "https://a.io/c/sub/a.tgz",
            ),
            (
                "https://a.io/c?x=1",
                "",
                "a.tgz",
                "https://a.io/c/a.tgz?x=1",
            ),
            ("charts", "", "a.tgz", "charts/a.tgz"),
            ("%zz", "", "a.tgz", "%zz/a.tgz"),
        ] {
            assert_eq!(url_of_archive(base, folder, file), want);
        }
    }
}
