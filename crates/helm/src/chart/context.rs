//! What templates see: `.Values`, `.Chart`, `.Release`, `.Files`, `.Capabilities`, `.Subcharts`.
//!
//! Follows helm v4 `pkg/engine/engine.go`, `recAllTpls`, and `pkg/chart/common.go`.

use super::metadata::{Dependency, Maintainer, Metadata};
use super::values::table_at;
use super::{Capabilities, Chart, Profile, Release, capabilities, chart_object, files};
use crate::value::quote::quoted;
use crate::value::{Map, MapKind, Method, Object, Str, Value};
use crate::yaml;
use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

/// One file to parse and to run.
pub(super) struct Renderable {
    /// The text.
    pub(super) text: Str,
    /// The data of its chart; all files of a chart share it.
    pub(super) data: Map,
    /// The directory of the chart's templates.
    base_path: String,
}

impl Renderable {
    /// The data for running the file; sets `.Template`, also for whoever looks at the data through
    /// `.Subcharts`.
    pub(super) fn dot(&self, name: &str, profile: Profile) -> Value {
        let template = Map::new(MapKind::Any);
        template.insert("Name", Value::from(name));
        template.insert("BasePath", Value::from(self.base_path.as_str()));
        self.data.insert("Template", typed(&template, profile));
        typed(&self.data, profile)
    }
}

/// All files of a chart and those below it, by full path.
pub(super) fn renderables(
    chart: &Chart,
    values: &Map,
    release: &Release,
    capabilities: Capabilities,
    profile: Profile,
) -> BTreeMap<String, Renderable> {
    let top = Map::new(MapKind::Any);
    top.insert("Release", Value::Map(release_map(release)));
    top.insert("Capabilities", capabilities::value(capabilities, profile));
    top.insert("Values", Value::Map(values.clone()));
    let mut out = BTreeMap::new();
    collect(chart, chart.name(), true, &top, profile, &mut out);
    out
}

fn collect(
    chart: &Chart,
    path: &str,
    is_root: bool,
    parent: &Map,
    profile: Profile,
    out: &mut BTreeMap<String, Renderable>,
) -> Map {
    let get = |key: &str| parent.get(key).unwrap_or(Value::Nil);
    let values = if is_root {
        parent
            .get("Values")
            .and_then(|values| values.as_map().cloned())
    } else {
        table_at(parent, &format!("Values.{}", chart.name()))
    };
    let values = values.unwrap_or_else(|| Map::new(MapKind::Any));
    let subcharts = Map::new(MapKind::Any);
    let data = Map::new(MapKind::Any);
    data.insert("Chart", chart_value(&chart.metadata, is_root, profile));
    data.insert("Files", files::value(&chart.files));
    data.insert("Release", get("Release"));
    data.insert("Capabilities", get("Capabilities"));
    data.insert("Values", typed(&values, profile));
    data.insert("Subcharts", Value::Map(subcharts.clone()));
    for sub in &chart.dependencies {
        let path = chart.path_of(sub, path);
        let sub_data = collect(sub, &path, false, &data, profile, out);
        subcharts.insert(sub.name(), Value::Map(sub_data));
    }
    for file in &chart.templates {
        let base = file.name.rsplit('/').next().unwrap_or_default();
        if chart.metadata.is_library() && !base.starts_with('_') {
            continue;
        }
        let renderable = Renderable {
            text: file.data.clone(),
            data: data.clone(),
            base_path: format!("{path}/templates"),
        };
        out.insert(format!("{path}/{}", file.name), renderable);
    }
    data
}

fn release_map(release: &Release) -> Map {
    let map = Map::new(MapKind::Any);
    map.insert("Name", Value::from(release.name.as_str()));
    map.insert("Namespace", Value::from(release.namespace.as_str()));
    map.insert("IsUpgrade", Value::Bool(release.is_upgrade));
    map.insert("IsInstall", Value::Bool(release.is_install));
    map.insert("Revision", Value::int(release.revision));
    map.insert("Service", Value::from(release.service.as_str()));
    map
}

fn chart_value(metadata: &Metadata, is_root: bool, profile: Profile) -> Value {
    if profile.is_helm3() {
        return chart_object::value(metadata, is_root);
    }
    let map = metadata_map(metadata);
    map.insert("IsRoot", Value::Bool(is_root));
    Value::Map(map)
}

/// `.Chart` of Helm 4: a map in which no key is missing.
fn metadata_map(metadata: &Metadata) -> Map {
    let map = Map::new(MapKind::Any);
    let texts = |texts: &[String]| Value::list(texts.iter().cloned().map(Value::from).collect());
    let list = |items: Vec<Map>| Value::list(items.into_iter().map(Value::Map).collect());
    for (name, text) in metadata.texts() {
        map.insert(name, Value::from(text));
    }
    map.insert("Sources", texts(&metadata.sources));
    map.insert("Keywords", texts(&metadata.keywords));
    map.insert("Deprecated", Value::Bool(metadata.deprecated));
    map.insert("Annotations", Value::Map(metadata.annotations_map()));
    map.insert(
        "Maintainers",
        list(metadata.maintainers.iter().map(maintainer_map).collect()),
    );
    let dependencies = metadata.dependencies.iter().flatten();
    map.insert(
        "Dependencies",
        list(dependencies.map(dependency_map).collect()),
    );
    map
}

fn maintainer_map(maintainer: &Maintainer) -> Map {
    let map = Map::new(MapKind::Any);
    map.insert("Name", Value::from(maintainer.name.as_str()));
    map.insert("Email", Value::from(maintainer.email.as_str()));
    map.insert("URL", Value::from(maintainer.url.as_str()));
    map
}

fn dependency_map(dependency: &Dependency) -> Map {
    let map = Map::new(MapKind::Any);
    let tags = dependency.tags.iter().cloned().map(Value::from).collect();
    map.insert("Name", Value::from(dependency.name.as_str()));
    map.insert("Version", Value::from(dependency.version.as_str()));
    map.insert("Repository", Value::from(dependency.repository.as_str()));
    map.insert("Condition", Value::from(dependency.condition.as_str()));
    map.insert("Tags", Value::list(tags));
    map.insert("Enabled", Value::Bool(dependency.enabled));
    map.insert(
        "ImportValues",
        Value::list(dependency.import_values.clone()),
    );
    map.insert("Alias", Value::from(dependency.alias.as_str()));
    map
}

/// A map as Helm's type `Values`, which has methods.
fn typed(map: &Map, profile: Profile) -> Value {
    let kind = if profile.is_helm3() {
        MapKind::Values3
    } else {
        MapKind::Values
    };
    let methods = ValuesMethods {
        map: map.clone(),
        profile,
    };
    Value::Map(map.view(kind, Some(Rc::new(methods))))
}

/// The methods of Helm's type `Values`.
struct ValuesMethods {
    map: Map,
    profile: Profile,
}

impl std::fmt::Debug for ValuesMethods {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ValuesMethods")
    }
}

impl Object for ValuesMethods {
    fn type_name(&self) -> Cow<'static, str> {
        let kind = if self.profile.is_helm3() {
            MapKind::Values3
        } else {
            MapKind::Values
        };
        kind.type_name().into()
    }

    fn method(&self, name: &[u8]) -> Option<Method> {
        const METHODS: [(&str, &[&str]); 5] = [
            ("AsMap", &[]),
            // A template has no writer to pass, but Helm tells so in other words.
            ("Encode", &["io.Writer"]),
            ("PathValue", &["string"]),
            ("Table", &["string"]),
            ("YAML", &[]),
        ];
        Method::among(&METHODS, name)
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let path = args
            .first()
            .and_then(Value::as_str)
            .map(Str::to_text)
            .unwrap_or_default();
        match name {
            "Encode" => {
                Err("runtime error: invalid memory address or nil pointer dereference".into())
            }
            "AsMap" => Ok(Value::Map(self.map.clone())),
            "YAML" => yaml::emit::to_yaml(&Value::Map(self.map.clone())).map(|text| {
                let mut text = text.to_vec();
                text.push(b'\n');
                Value::str(text)
            }),
            "Table" => self.table(&path),
            _ => self.path_value(&path),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl ValuesMethods {
    fn table(&self, path: &str) -> Result<Value, String> {
        let mut table = self.map.clone();
        for name in path.split('.') {
            match table.get(name) {
                Some(Value::Map(next)) => table = next,
                _ => return Err(format!("{} is not a table", quoted(name))),
            }
        }
        Ok(typed(&table, self.profile))
    }

    fn path_value(&self, path: &str) -> Result<Value, String> {
        if path.is_empty() {
            return Err("YAML path cannot be empty".to_owned());
        }
        let key = path.rsplit('.').next().unwrap_or(path);
        super::values::value_at(&self.map, path)
            .ok_or_else(|| format!("{} is not a value", quoted(key)))
    }
}
