//! `Chart.yaml`, `Chart.lock` and `requirements.yaml`: reading, cleaning, validating.
//!
//! Follows helm v4 `pkg/chart/v2/metadata.go` and `dependency.go`. How charts are loaded is in
//! `load.rs`.

use super::Profile;
use super::decode::Fields;
use crate::sprig::semver;
use crate::value::quote::quoted;
use crate::value::{Map, MapKind, Value, is_print};
use crate::yaml;

/// What a chart says of itself.
///
/// Fields are as written, after the cleaning that Helm does (no control characters, one line); a field that is
/// missing is empty. [`Chart::from_files`](super::Chart::from_files) has checked that name and version are there.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Metadata {
    /// The name; required.
    pub name: String,
    /// The URL of the project.
    pub home: String,
    /// URLs of the sources.
    pub sources: Vec<String>,
    /// The version, a semantic one; required.
    pub version: String,
    /// One sentence.
    pub description: String,
    /// Words to search for.
    pub keywords: Vec<String>,
    /// Whom to ask.
    pub maintainers: Vec<Maintainer>,
    /// The URL of an image.
    pub icon: String,
    /// The version of the chart format: `v1` or `v2`.
    pub api_version: String,
    /// A path of values that enables the chart; not used since Helm 3.
    pub condition: String,
    /// Tags that enable the chart; not used since Helm 3.
    pub tags: String,
    /// The version of what the chart installs.
    pub app_version: String,
    /// Whether the chart should no longer be used.
    pub deprecated: bool,
    /// Free annotations, sorted by key; `None` when there is no such field.
    pub annotations: Option<Vec<(String, String)>>,
    /// Which versions of Kubernetes the chart works with.
    pub kube_version: String,
    /// The charts it needs; `None` when there is no such field.
    pub dependencies: Option<Vec<Dependency>>,
    /// `application`, `library` or empty.
    pub kind: String,
    /// The name of a list that held null, which validation refuses.
    null_nodes: Option<&'static str>,
}

/// One maintainer of a chart.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Maintainer {
    /// A person or an organisation.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Their page.
    pub url: String,
}

/// A chart that another one needs.
///
/// Which charts take part is decided for each render from the values: `condition` wins over `tags`, and without both
/// a chart takes part.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// The range of versions that fit; in a lock, the version.
    pub version: String,
    /// Where it comes from: `https://…`, `oci://…`, `file://…`, `@name`, or empty for `charts/`.
    pub repository: String,
    /// Paths of values, separated by commas; the first boolean decides.
    pub condition: String,
    /// Names in `tags:` of the values.
    pub tags: Vec<String>,
    /// Whether it takes part; set from condition and tags.
    pub enabled: bool,
    /// What its values give to the parent's.
    pub import_values: Vec<Value>,
    /// The name it has here.
    pub alias: String,
}

/// `Chart.lock`: the versions that were chosen.
///
/// Rendering does not look at it; it tells which versions `charts/` should hold.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Lock {
    /// When it was written, as in the file.
    pub generated: String,
    /// A hash of the dependencies it was made from.
    pub digest: String,
    /// The versions.
    pub dependencies: Vec<Dependency>,
}

impl Metadata {
    /// Whether the chart only holds templates for others.
    #[must_use]
    pub fn is_library(&self) -> bool {
        self.kind.eq_ignore_ascii_case("library")
    }

    /// The fields of plain text under their Go names.
    pub(super) fn texts(&self) -> [(&'static str, &str); 11] {
        [
            ("Name", &self.name),
            ("Home", &self.home),
            ("Version", &self.version),
            ("Description", &self.description),
            ("Icon", &self.icon),
            ("APIVersion", &self.api_version),
            ("Condition", &self.condition),
            ("Tags", &self.tags),
            ("AppVersion", &self.app_version),
            ("KubeVersion", &self.kube_version),
            ("Type", &self.kind),
        ]
    }

    /// The annotations as Go's `map[string]string`, nil when there are none.
    pub(super) fn annotations_map(&self) -> Map {
        let Some(annotations) = &self.annotations else {
            return Map::nil(MapKind::Str);
        };
        let map = Map::new(MapKind::Str);
        for (key, value) in annotations {
            map.insert(key.as_str(), Value::from(value.as_str()));
        }
        map
    }

    /// Reads a `Chart.yaml`.
    pub(super) fn parse(text: &[u8], profile: Profile) -> Result<Self, String> {
        let mut metadata = Self::default();
        metadata.merge(text, profile)?;
        if metadata.api_version.is_empty() {
            metadata.api_version = "v1".to_owned();
        }
        Ok(metadata)
    }

    /// Reads a document over what is there, as Go decodes into a struct that is in use.
    pub(super) fn merge(&mut self, text: &[u8], profile: Profile) -> Result<(), String> {
        let package = if profile.is_helm3() { "chart" } else { "v2" };
        let value = yaml::from_yaml_whole(text).map_err(|error| error.to_string())?;
        let go_type = format!("{package}.Metadata");
        let Some(fields) = Fields::document(&value, "Metadata", &go_type)? else {
            return Ok(());
        };
        for (name, field) in [
            ("apiVersion", &mut self.api_version),
            ("appVersion", &mut self.app_version),
            ("condition", &mut self.condition),
            ("description", &mut self.description),
            ("home", &mut self.home),
            ("icon", &mut self.icon),
            ("kubeVersion", &mut self.kube_version),
            ("name", &mut self.name),
            ("tags", &mut self.tags),
            ("type", &mut self.kind),
            ("version", &mut self.version),
        ] {
            if fields.has(name) {
                *field = fields.text(name)?;
            }
        }
        if fields.has("annotations") {
            self.annotations = fields.text_map("annotations")?;
        }
        if fields.has("dependencies") {
            let (items, any_null) = dependencies(&fields, package)?;
            self.dependencies = Some(items);
            if any_null {
                self.null_nodes.get_or_insert("dependencies");
            }
        }
        if fields.has("deprecated") {
            self.deprecated = fields.flag("deprecated")?;
        }
        if fields.has("keywords") {
            self.keywords = fields.texts("keywords")?;
        }
        if fields.has("maintainers") {
            let (items, any_null) = maintainers(&fields, package)?;
            self.maintainers = items;
            if any_null {
                self.null_nodes = Some("maintainers");
            }
        }
        if fields.has("sources") {
            self.sources = fields.texts("sources")?;
        }
        Ok(())
    }

    /// Cleans the texts and checks what is required.
    pub(super) fn validate(&mut self) -> Result<(), String> {
        self.clean();
        let invalid = |message: String| Err(format!("validation: {message}"));
        if self.api_version.is_empty() {
            return invalid("chart.metadata.apiVersion is required".into());
        }
        if self.name.is_empty() {
            return invalid("chart.metadata.name is required".into());
        }
        if self.name == "." || self.name == ".." {
            return invalid(format!(
                "chart.metadata.name {} is not allowed",
                quoted(&self.name)
            ));
        }
        if self.name.contains('/') {
            return invalid(format!(
                "chart.metadata.name {} is invalid",
                quoted(&self.name)
            ));
        }
        if self.version.is_empty() {
            return invalid("chart.metadata.version is required".into());
        }
        if !semver::is_version(&self.version) {
            let version = quoted(&self.version);
            return invalid(format!("chart.metadata.version {version} is invalid"));
        }
        if !matches!(self.kind.as_str(), "" | "application" | "library") {
            return invalid("chart.metadata.type must be application or library".into());
        }
        if let Some(list) = self.null_nodes {
            return invalid(format!("{list} must not contain empty or null nodes"));
        }
        self.validate_dependencies()
    }

    fn clean(&mut self) {
        let Self {
            name,
            description,
            home,
            icon,
            condition,
            tags,
            app_version,
            ..
        } = self;
        let texts = [name, description, home, icon, condition, tags, app_version];
        let texts = texts.into_iter().chain([&mut self.kube_version]);
        let texts = texts.chain(&mut self.sources).chain(&mut self.keywords);
        for text in texts.chain(self.maintainers.iter_mut().flat_map(Maintainer::texts)) {
            *text = clean(text);
        }
    }

    fn validate_dependencies(&mut self) -> Result<(), String> {
        let mut seen = std::collections::BTreeSet::new();
        for dependency in self.dependencies.iter_mut().flatten() {
            dependency.validate()?;
            let key = dependency.key().to_owned();
            if !seen.insert(key.clone()) {
                let key = quoted(&key);
                return Err(format!(
                    "validation: more than one dependency with name or alias {key}"
                ));
            }
        }
        Ok(())
    }
}

impl Maintainer {
    fn texts(&mut self) -> [&mut String; 3] {
        [&mut self.name, &mut self.email, &mut self.url]
    }
}

impl Dependency {
    /// The name it has in the values: its alias, or else its name.
    #[must_use]
    pub fn key(&self) -> &str {
        if self.alias.is_empty() {
            &self.name
        } else {
            &self.alias
        }
    }

    fn validate(&mut self) -> Result<(), String> {
        let Self {
            name,
            version,
            repository,
            condition,
            tags,
            ..
        } = self;
        for text in [name, version, repository, condition]
            .into_iter()
            .chain(tags)
        {
            *text = clean(text);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !self.alias.chars().all(allowed) {
            let name = quoted(&self.name);
            return Err(format!(
                "validation: dependency {name} has disallowed characters in the alias"
            ));
        }
        Ok(())
    }
}

impl Lock {
    /// Reads a `Chart.lock` or `requirements.lock`.
    pub(super) fn parse(text: &[u8], profile: Profile) -> Result<Self, String> {
        let package = if profile.is_helm3() { "chart" } else { "v2" };
        let value = yaml::from_yaml_whole(text).map_err(|error| error.to_string())?;
        let go_type = format!("{package}.Lock");
        let Some(fields) = Fields::document(&value, "Lock", &go_type)? else {
            return Ok(Self::default());
        };
        Ok(Self {
            generated: fields.text("generated")?,
            digest: fields.text("digest")?,
            dependencies: dependencies(&fields, package)?.0,
        })
    }
}

/// The dependencies, and whether there were null ones among them.
fn dependencies(fields: &Fields, package: &str) -> Result<(Vec<Dependency>, bool), String> {
    let mut out = Vec::new();
    let mut any_null = false;
    for fields in fields.records("dependencies", "Dependency", package)? {
        let Some(fields) = fields else {
            any_null = true;
            continue;
        };
        out.push(Dependency {
            name: fields.text("name")?,
            version: fields.text("version")?,
            repository: fields.text("repository")?,
            condition: fields.text("condition")?,
            tags: fields.texts("tags")?,
            enabled: fields.flag("enabled")?,
            import_values: fields.items("import-values", "[]interface {}")?,
            alias: fields.text("alias")?,
        });
    }
    out.shrink_to_fit();
    Ok((out, any_null))
}

/// The maintainers, and whether there were null ones among them.
fn maintainers(fields: &Fields, package: &str) -> Result<(Vec<Maintainer>, bool), String> {
    let mut out = Vec::new();
    let mut any_null = false;
    for fields in fields.records("maintainers", "Maintainer", package)? {
        let Some(fields) = fields else {
            any_null = true;
            continue;
        };
        out.push(Maintainer {
            name: fields.text("name")?,
            email: fields.text("email")?,
            url: fields.text("url")?,
        });
    }
    Ok((out, any_null))
}

/// Makes every space a plain one and drops what cannot be printed.
fn clean(text: &str) -> String {
    let keep = |c: char| {
        if c.is_whitespace() {
            Some(' ')
        } else {
            is_print(u32::from(c)).then_some(c)
        }
    };
    text.chars().filter_map(keep).collect()
}
