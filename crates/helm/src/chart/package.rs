//! A chart as an archive (`.tgz`) that is the same for the same files, whenever and wherever it is made.
//!
//! Follows helm v4 `pkg/chart/v2/util/save.go`: `Chart.yaml` and `Chart.lock` are written anew from what was
//! read, and the archives in `charts/` are unpacked. Times, owners and the order of files are fixed.

use super::lock_file::written;
use super::metadata::{Dependency, Maintainer, Metadata};
use super::{Chart, Error, Profile, archive, load};
use crate::value::{Map, MapKind, Str, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// How deep charts may nest in `charts/`.
const MAX_DEPTH: usize = 30;

/// A chart and its archive.
#[derive(Debug)]
#[non_exhaustive]
pub struct Package {
    /// What it says of itself.
    pub metadata: Metadata,
    /// The archive.
    pub bytes: Vec<u8>,
}

/// Packs the directory or archive of a chart.
///
/// `version` and `app_version` replace what `Chart.yaml` says.
///
/// # Errors
/// What [`load`](super::load()) refuses, and a version that is none.
pub fn package(
    path: &Path,
    version: Option<&str>,
    app_version: Option<&str>,
) -> Result<Package, Error> {
    let files = load::read(path, Profile::Helm4).map_err(Error::Load)?;
    // Two of them would be one, and none has its own name any more.
    if let Some((name, _)) = files.iter().find(|(name, _)| name.contains('\u{fffd}')) {
        let cause = "has a name that is no UTF-8, which archives of charts cannot hold";
        return Err(Error::Load(format!("file {name} {cause}")));
    }
    let mut metadata = Chart::from_files(files.clone(), Profile::Helm4)?.metadata;
    if let Some(version) = version {
        version.clone_into(&mut metadata.version);
    }
    if let Some(version) = app_version {
        version.clone_into(&mut metadata.app_version);
    }
    metadata.validate().map_err(Error::Load)?;
    let mut entries = Vec::new();
    let whole = collect(files, Some(metadata.clone()), "", 0, &mut entries);
    let bytes = whole.and_then(|()| packed(&entries).map_err(|error| error.to_string()));
    let bytes = bytes.map_err(Error::Load)?;
    Ok(Package { metadata, bytes })
}

impl Chart {
    /// Reads an archive in memory.
    ///
    /// # Errors
    /// What is no archive of a chart, or over the limits of one, with Helm's texts.
    pub fn from_archive(bytes: &[u8], profile: Profile) -> Result<Self, Error> {
        let files = archive::unpack(bytes).map_err(Error::Load)?;
        Self::from_files(files, profile)
    }
}

/// Lists the files of a chart and those below it, in the order of the archive.
fn collect(
    files: Vec<(String, Str)>,
    metadata: Option<Metadata>,
    prefix: &str,
    depth: usize,
    entries: &mut Vec<(String, Vec<u8>)>,
) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("charts nest deeper than {MAX_DEPTH}"));
    }
    // Those below are loaded one by one, as they would be alone.
    let chart = Chart::from_files(files.clone(), Profile::Helm4).map_err(|e| e.to_string())?;
    let metadata = metadata.unwrap_or(chart.metadata);
    let base = format!("{prefix}{}/", metadata.name);
    let is_v1 = metadata.api_version == "v1";
    entries.push((format!("{base}Chart.yaml"), metadata.to_yaml()?));
    if let (false, Some(lock)) = (is_v1, &chart.lock) {
        entries.push((format!("{base}Chart.lock"), lock.to_yaml()?));
    }
    let mut below = BTreeMap::<String, Vec<(String, Str)>>::new();
    for (name, data) in files {
        let rest = name.strip_prefix("charts/");
        match (name.as_str(), rest) {
            ("Chart.yaml" | "Chart.lock", _) => {}
            ("requirements.yaml" | "requirements.lock", _) if !is_v1 => {}
            (_, Some(rest)) if !name.ends_with(".prov") => {
                let first = rest.split('/').next().unwrap_or_default().to_owned();
                below.entry(first).or_default().push((name, data));
            }
            _ => entries.push((format!("{base}{name}"), data.as_bytes().to_vec())),
        }
    }
    let prefix = format!("{base}charts/");
    for (name, files) in below {
        if name.starts_with(['_', '.']) {
            continue;
        }
        let files = if name.ends_with(".tgz") {
            archive::unpack(&files[0].1)?
        } else {
            let inner = files.into_iter().filter_map(|(path, data)| {
                let (_, rest) = path.strip_prefix("charts/")?.split_once('/')?;
                Some((rest.to_owned(), data))
            });
            inner.collect()
        };
        collect(files, None, &prefix, depth + 1, entries)?;
    }
    Ok(())
}

fn packed(entries: &[(String, Vec<u8>)]) -> std::io::Result<Vec<u8>> {
    let encoder = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::default());
    let mut builder = tar::Builder::new(encoder);
    for (name, data) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, data.as_slice())?;
    }
    builder.into_inner()?.finish()
}

impl Metadata {
    /// `Chart.yaml`, as Helm writes it into archives: the fields that are set, sorted.
    ///
    /// # Errors
    /// What YAML does not have.
    pub fn to_yaml(&self) -> Result<Vec<u8>, String> {
        let map = self.to_map();
        // Those of the first format stand in requirements.yaml.
        if self.api_version == "v1" {
            map.remove("dependencies");
        }
        written(map)
    }

    /// The fields that are set, by the names that they have in `Chart.yaml`.
    pub(super) fn to_map(&self) -> Map {
        let map = Map::new(MapKind::Any);
        for (name, text) in self.written_texts() {
            if !text.is_empty() {
                map.insert(name, Value::str(text));
            }
        }
        for (name, list) in [("sources", &self.sources), ("keywords", &self.keywords)] {
            if !list.is_empty() {
                let items = list.iter().map(|item| item.as_str().into());
                map.insert(name, Value::strings(items));
            }
        }
        if !self.maintainers.is_empty() {
            let items = self.maintainers.iter().map(Maintainer::to_value);
            map.insert("maintainers", Value::list(items.collect()));
        }
        if self.deprecated {
            map.insert("deprecated", true.into());
        }
        if self.annotations.as_ref().is_some_and(|all| !all.is_empty()) {
            map.insert("annotations", Value::Map(self.annotations_map()));
        }
        let dependencies = self.dependencies.as_deref().unwrap_or_default();
        if !dependencies.is_empty() {
            let items = dependencies.iter().map(Dependency::to_value).collect();
            map.insert("dependencies", Value::list(items));
        }
        map
    }

    fn written_texts(&self) -> [(&'static str, &str); 11] {
        [
            ("name", &self.name),
            ("home", &self.home),
            ("version", &self.version),
            ("description", &self.description),
            ("icon", &self.icon),
            ("apiVersion", &self.api_version),
            ("condition", &self.condition),
            ("tags", &self.tags),
            ("appVersion", &self.app_version),
            ("kubeVersion", &self.kube_version),
            ("type", &self.kind),
        ]
    }
}

impl Maintainer {
    fn to_value(&self) -> Value {
        let map = Map::new(MapKind::Any);
        let fields = [
            ("name", &self.name),
            ("email", &self.email),
            ("url", &self.url),
        ];
        for (name, text) in fields.into_iter().filter(|(_, text)| !text.is_empty()) {
            map.insert(name, Value::str(text));
        }
        Value::Map(map)
    }
}

#[cfg(test)]
mod tests {
    use super::package;
    use crate::chart::{Chart, Profile};
    use std::fs;

    fn write(folder: &std::path::Path, path: &str, text: &str) {
        let file = folder.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    #[test]
    #[cfg(unix)]
    fn names_that_are_no_text_are_refused() {
        use std::os::unix::ffi::OsStrExt as _;
        let chart = tempfile::tempdir().unwrap();
        write(
            chart.path(),
            "Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        );
        assert!(package(chart.path(), None, None).is_ok());
        let name = std::ffi::OsStr::from_bytes(b"caf\xe9.txt");
        fs::write(chart.path().join(name), "").unwrap();
        let error = package(chart.path(), None, None).unwrap_err().to_string();
        assert!(error.contains("has a name that is no UTF-8"), "{error}");
    }

    #[test]
    fn the_same_files_make_the_same_archive() {
        let one = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        for folder in [one.path(), other.path()] {
            let head = "apiVersion: v2\nversion: 1.0.0\nname: ";
            write(folder, "templates/a.yaml", "a: 1");
            write(folder, "values.yaml", "# kept\nx: 1\n");
            write(folder, "Chart.yaml", &format!("{head}web # gone\n"));
            write(folder, "charts/db/Chart.yaml", &format!("{head}db"));
            write(folder, "charts/_skipped/x", "");
        }
        let long = format!("files/{}/{}.txt", "d".repeat(120), "f".repeat(150));
        write(one.path(), &long, "long");
        write(other.path(), &long, "long");
        let first = package(one.path(), None, None).unwrap();
        let second = package(other.path(), None, None).unwrap();
        assert_eq!(first.bytes, second.bytes);
        let chart = Chart::from_archive(&first.bytes, Profile::Helm4).unwrap();
        assert_eq!((chart.name(), chart.dependencies[0].name()), ("web", "db"));
        assert_eq!(chart.files[0].name, long);
        let other = package(one.path(), Some("2.0.0-rc.1"), None).unwrap();
        assert_eq!(other.metadata.version, "2.0.0-rc.1");
        assert!(package(one.path(), Some("latest"), None).is_err());
    }
}
