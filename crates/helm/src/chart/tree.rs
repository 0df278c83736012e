//! The chart as data, and how its files are sorted into it.
//!
//! Follows helm v4 `pkg/chart/v2/loader/load.go`. Nothing here touches the file system: see `load.rs`.

use super::metadata::{Dependency, Lock, Metadata};
use super::{Error, Profile, archive, values};
use crate::limits::{MAX_CHART_DEPTH, MAX_UNPACKED};
use crate::value::{Map, MapKind, Str};
use std::collections::BTreeMap;

/// One file of a chart.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct File {
    /// The path relative to its chart, with `/`.
    pub name: String,
    /// The content.
    pub data: Str,
}

/// A chart and those below it.
///
/// It is plain data: fields may be changed between loading and rendering.
///
/// ```
/// use windlass_helm::chart::{Chart, Profile};
///
/// let files = [
///     ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0"),
///     ("values.yaml", "port: 80"),
///     ("templates/web.yaml", "kind: Service"),
///     ("crds/crd.yaml", "kind: CustomResourceDefinition"),
///     ("charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 2.0.0"),
/// ];
/// let files = files.map(|(path, text)| (path.to_owned(), text.into()));
/// let chart = Chart::from_files(files.into(), Profile::Helm4)?;
/// assert_eq!((chart.name(), chart.dependencies[0].name()), ("web", "db"));
/// assert_eq!((chart.templates.len(), chart.crds().count()), (1, 1));
/// assert!(chart.values.contains("port") && chart.lock.is_none());
/// # Ok::<(), windlass_helm::chart::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Chart {
    /// `Chart.yaml`.
    pub metadata: Metadata,
    /// `Chart.lock`.
    pub lock: Option<Lock>,
    /// `values.yaml`.
    pub values: Map,
    /// `values.schema.json`.
    pub schema: Option<Str>,
    /// The files below `templates/`.
    pub templates: Vec<File>,
    /// The files that are nothing else, those below `crds/` among them.
    pub files: Vec<File>,
    /// The charts in `charts/`.
    pub dependencies: Vec<Self>,
    /// What Helm would warn of while loading.
    pub warnings: Vec<String>,
    /// The name of this chart in the paths of those below it that it shares with its aliases. Helm 3
    /// alone sets it, and only for charts that another one asks for.
    pub(super) name_above: Option<String>,
}

impl Chart {
    /// Builds a chart of its files, given in the order of the directory or archive.
    ///
    /// The paths are relative to the chart and have `/`; charts below it are in `charts/NAME/…` or archives
    /// `charts/NAME.tgz`. `.helmignore` has no effect here: [`load`](super::load) leaves out what it names.
    ///
    /// # Errors
    /// Helm's texts for charts that are none.
    pub fn from_files(files: Vec<(String, Str)>, profile: Profile) -> Result<Self, Error> {
        let api_version = files.iter().find(|(name, _)| name == "Chart.yaml");
        if let Some((_, text)) = api_version
            && !profile.is_helm3()
        {
            let metadata = Metadata::parse(text, profile).map_err(|error| {
                // Helm 4 reads the version alone first, into a struct of its own.
                let error = error.replace("v2.Metadata", "loader.chartBase");
                Error::Load(format!("cannot load Chart.yaml: {error}"))
            })?;
            match metadata.api_version.as_str() {
                "v1" | "v2" => {}
                // Helm can load these, and refuses to install them.
                "v3" => return Err(Error::Load("invalid chart apiVersion".to_owned())),
                _ => return Err(Error::Load("unsupported chart version".to_owned())),
            }
        }
        build(files, profile, 0, &mut Archives::new()).map_err(Error::Load)
    }

    /// The name of the chart, or the alias that its parent gave it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// The path of a chart below this one, whose own path is given.
    pub(super) fn path_of(&self, sub: &Self, path: &str) -> String {
        let name = sub.name();
        match (&self.name_above, path.rsplit_once('/')) {
            // Helm 3 copies the charts that are asked for; others are shared by all aliases.
            (Some(above), Some((parent, _))) if sub.name_above.is_none() => {
                format!("{parent}/{above}/charts/{name}")
            }
            _ => format!("{path}/charts/{name}"),
        }
    }

    /// The dependencies that `Chart.yaml` names.
    ///
    /// They may be missing from [`Chart::dependencies`], and that may hold charts which are not named.
    /// [`render`](super::render) refuses the first and renders the second, as Helm does.
    #[must_use]
    pub fn requirements(&self) -> &[Dependency] {
        self.metadata.dependencies.as_deref().unwrap_or_default()
    }

    /// The files below `crds/` that hold manifests.
    ///
    /// As Helm, it takes them by the ending of their names and does not look into them.
    pub fn crds(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| {
            let name = file.name.rsplit('/').next().unwrap_or_default();
            let ext = name
                .rsplit_once('.')
                .map(|(_, ext)| ext.to_ascii_lowercase());
            file.name.starts_with("crds/")
                && matches!(ext.as_deref(), Some("yaml" | "yml" | "json"))
        })
    }
}

/// The archives in `charts/`.
struct Archives {
    /// How many bytes they may still unpack to.
    left: u64,
    /// What was unpacked, with its size: copies of a chart bring the same library each.
    unpacked: BTreeMap<Str, (Vec<(String, Str)>, u64)>,
}

impl Archives {
    fn new() -> Self {
        Self {
            left: MAX_UNPACKED,
            unpacked: BTreeMap::new(),
        }
    }

    fn unpack(&mut self, archive: &Str) -> Result<Vec<(String, Str)>, String> {
        if let Some((files, size)) = self.unpacked.get(archive)
            && *size <= self.left
        {
            self.left -= size;
            return Ok(files.clone());
        }
        let before = self.left;
        let files = archive::unpack_within(archive, &mut self.left)?;
        let size = before - self.left;
        self.unpacked.insert(archive.clone(), (files.clone(), size));
        Ok(files)
    }
}

fn build(
    files: Vec<(String, Str)>,
    profile: Profile,
    depth: usize,
    archives: &mut Archives,
) -> Result<Chart, String> {
    if depth > MAX_CHART_DEPTH {
        return Err(format!("charts nest deeper than {MAX_CHART_DEPTH}"));
    }
    let mut metadata = None;
    for (_, text) in files.iter().filter(|(name, _)| name == "Chart.yaml") {
        let parsed = Metadata::parse(text, profile);
        metadata = Some(parsed.map_err(|error| format!("cannot load Chart.yaml: {error}"))?);
    }
    let Some(metadata) = metadata else {
        return Err("Chart.yaml file is missing".to_owned());
    };
    let mut chart = Chart {
        metadata,
        lock: None,
        values: Map::new(MapKind::Any),
        schema: None,
        templates: Vec::new(),
        files: Vec::new(),
        dependencies: Vec::new(),
        warnings: Vec::new(),
        name_above: None,
    };
    let mut subcharts = BTreeMap::<String, Vec<(String, Str)>>::new();
    for (name, data) in files {
        sort_in(&mut chart, &mut subcharts, name, data, profile)?;
    }
    chart.metadata.validate()?;
    for (name, files) in subcharts {
        if name.starts_with(['_', '.']) {
            continue;
        }
        let sub = subchart(&name, files, profile, depth, archives).map_err(|error| {
            format!(
                "error unpacking subchart {name} in {}: {error}",
                chart.name()
            )
        })?;
        chart.warnings.extend(sub.warnings.iter().cloned());
        chart.dependencies.push(sub);
    }
    // Most charts have one below them, or none; a vector makes place for four.
    chart.dependencies.shrink_to_fit();
    Ok(chart)
}

/// Puts one file where it belongs.
fn sort_in(
    chart: &mut Chart,
    subcharts: &mut BTreeMap<String, Vec<(String, Str)>>,
    name: String,
    data: Str,
    profile: Profile,
) -> Result<(), String> {
    let is_v1 = chart.metadata.api_version == "v1";
    let wrap = |error: String| format!("cannot load {name}: {error}");
    match name.as_str() {
        "Chart.yaml" => {}
        "Chart.lock" => chart.lock = Some(Lock::parse(&data, profile).map_err(wrap)?),
        "values.yaml" => chart.values = values::read(&data, profile).map_err(wrap)?,
        "values.schema.json" => chart.schema = Some(data),
        "requirements.yaml" => {
            chart.metadata.merge(&data, profile).map_err(wrap)?;
            old_file(chart, name, data, is_v1, "dependencies");
        }
        "requirements.lock" => {
            chart.lock = Some(Lock::parse(&data, profile).map_err(wrap)?);
            old_file(chart, name, data, is_v1, "dependency locking");
        }
        _ if name.starts_with("templates/") => chart.templates.push(File { name, data }),
        _ if name.starts_with("charts/") && !name.ends_with(".prov") => {
            let rest = &name["charts/".len()..];
            let first = rest.split('/').next().unwrap_or_default().to_owned();
            subcharts
                .entry(first)
                .or_default()
                .push((rest.to_owned(), data));
        }
        _ => chart.files.push(File { name, data }),
    }
    Ok(())
}

/// A file of Helm 2: part of the files in charts of its format, else only worth a warning.
fn old_file(chart: &mut Chart, name: String, data: Str, is_v1: bool, what: &str) {
    if is_v1 {
        chart.files.push(File { name, data });
    } else {
        chart.warnings.push(format!(
            "chart {}: {what} belongs into Chart.yaml since apiVersion v2, not into {name}",
            chart.name()
        ));
    }
}

fn subchart(
    name: &str,
    files: Vec<(String, Str)>,
    profile: Profile,
    depth: usize,
    archives: &mut Archives,
) -> Result<Chart, String> {
    if name.ends_with(".tgz") {
        let (path, data) = &files[0];
        if path != name {
            return Err(format!("expected {name}, got {path}"));
        }
        return build(archives.unpack(data)?, profile, depth + 1, archives);
    }
    let inner = files.into_iter().filter_map(|(path, data)| {
        let (_, rest) = path.split_once('/')?;
        Some((rest.to_owned(), data))
    });
    build(inner.collect(), profile, depth + 1, archives)
}

#[cfg(test)]
mod tests {
    use super::Chart;
    use crate::chart::Profile;
    use crate::chart::archive::tests::archive;
    use crate::value::Str;

    const HEAD: &str = "apiVersion: v2\nname: web\nversion: 1.0.0\n";

    fn build(files: &[(&str, &str)]) -> Result<Chart, String> {
        let files = files
            .iter()
            .map(|(name, data)| ((*name).to_owned(), Str::from(*data)));
        Chart::from_files(files.collect(), Profile::Helm4).map_err(|error| error.to_string())
    }

    #[test]
    fn sorts_files_by_place() {
        let chart = build(&[
            ("Chart.yaml", HEAD),
            ("README.md", "r"),
            ("crds/a.YAML", "c"),
            ("crds/b.txt", "c"),
            ("templates/sub/x.txt", "t"),
            ("charts/db/Chart.yaml", &HEAD.replace("web", "db")),
            ("charts/db/templates/y.yaml", "t"),
            ("charts/_skipped/Chart.yaml", "x"),
            ("values.yaml", "a: 1"),
        ])
        .unwrap();
        assert_eq!(chart.files.len(), 3);
        assert_eq!(chart.crds().count(), 1);
        assert_eq!(chart.templates[0].name, "templates/sub/x.txt");
        assert_eq!(chart.dependencies[0].templates[0].name, "templates/y.yaml");
        assert_eq!(chart.values.len(), 1);
    }

    #[test]
    fn unpacks_subchart_archives() {
        let head = HEAD.replace("web", "db");
        let tgz = archive(&[("db/Chart.yaml", tar::EntryType::Regular, head.as_bytes())]);
        let files = vec![
            ("Chart.yaml".to_owned(), Str::from(HEAD)),
            ("charts/db-1.0.0.tgz".to_owned(), Str::from(tgz)),
        ];
        let chart = Chart::from_files(files, Profile::Helm4).unwrap();
        assert_eq!(chart.dependencies[0].name(), "db");
    }

    #[test]
    fn counts_an_archive_at_each_place() {
        let head = HEAD.replace("web", "db");
        let tgz = archive(&[("db/Chart.yaml", tar::EntryType::Regular, head.as_bytes())]);
        let mut archives = super::Archives::new();
        let tgz = Str::from(tgz);
        let files = archives.unpack(&tgz);
        archives.left = crate::limits::MAX_UNPACKED - archives.left;
        assert_eq!(archives.unpack(&tgz), files);
        assert_eq!((archives.left, archives.unpacked.len()), (0, 1));
        assert!(archives.unpack(&tgz).is_err());
    }

    #[test]
    fn validates_as_helm_does() {
        for (head, message) in [
            ("name: web\nversion: 1.0.0", ""),
            (
                "apiVersion: v2\nversion: 1.0.0",
                "chart.metadata.name is required",
            ),
            (
                "apiVersion: v2\nname: ..\nversion: 1.0.0",
                "chart.metadata.name \"..\" is not allowed",
            ),
            (
                "apiVersion: v2\nname: a/b\nversion: 1.0.0",
                "chart.metadata.name \"a/b\" is invalid",
            ),
            (
                "apiVersion: v2\nname: a",
                "chart.metadata.version is required",
            ),
            (
                "apiVersion: v2\nname: a\nversion: x",
                "chart.metadata.version \"x\" is invalid",
            ),
            (
                "apiVersion: v2\nname: a\nversion: 1\ntype: x",
                "chart.metadata.type must be application or library",
            ),
            (
                "apiVersion: v2\nname: a\nversion: 1\nmaintainers: [null]",
                "maintainers must not contain empty or null nodes",
            ),
            (
                "apiVersion: v2\nname: a\nversion: 1\ndependencies: [{name: x}, {name: y, alias: x}]",
                "more than one dependency with name or alias \"x\"",
            ),
            (
                "apiVersion: v2\nname: a\nversion: 1\ndependencies: [{name: x, alias: a.b}]",
                "dependency \"x\" has disallowed characters in the alias",
            ),
        ] {
            let got = build(&[("Chart.yaml", head)]).err().unwrap_or_default();
            let want = if message.is_empty() {
                String::new()
            } else {
                format!("validation: {message}")
            };
            assert_eq!(got, want, "{head}");
        }
        assert_eq!(build(&[]).unwrap_err(), "Chart.yaml file is missing");
        assert_eq!(
            build(&[("Chart.yaml", "apiVersion: v9")]).unwrap_err(),
            "unsupported chart version"
        );
    }

    #[test]
    fn coerces_scalars_to_text() {
        let chart = build(&[(
            "Chart.yaml",
            "apiVersion: v2\nNAME: web\nversion: 1.10\nappVersion: 20240101\ndescription: yes\n",
        )]);
        let metadata = chart.unwrap().metadata;
        assert_eq!(metadata.name, "web");
        assert_eq!(metadata.version, "1.1");
        assert_eq!(metadata.app_version, "20240101");
        assert_eq!(metadata.description, "true");
    }
}
