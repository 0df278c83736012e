//! A chart and values to manifests: the stages in order.
//!
//! Follows helm v4 `pkg/cmd/install.go`, `pkg/action/install.go` and `pkg/engine/engine.go`.

use super::coalesce::Coalesce;
use super::context::{self, Renderable};
use super::manifest::{self, Select};
use super::rendered::Rendered;
use super::{
    Capabilities, Chart, Error, KubeVersion, Overrides, Profile, compose, dependency, functions,
    schema,
};
use crate::sprig::semver;
use crate::template::origin::Origin;
use crate::template::{self, ErrorKind, Templates, World, without_no_value};
use crate::value::Map;
use crate::value::quote::quoted;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What a chart is rendered as.
///
/// `is_install` and `is_upgrade` are `.Release.IsInstall` and `.Release.IsUpgrade`; charts make secrets on install and
/// keep them on upgrade, so exactly one of the two should hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The name.
    pub name: String,
    /// The namespace.
    pub namespace: String,
    /// How often it was deployed, this time included.
    pub revision: i64,
    /// Whether it was deployed before.
    pub is_upgrade: bool,
    /// Whether it was not.
    pub is_install: bool,
    /// Who renders: `Helm`.
    pub service: String,
}

impl Default for Release {
    /// What `helm template` assumes without flags.
    fn default() -> Self {
        Self {
            name: "release-name".to_owned(),
            namespace: "default".to_owned(),
            revision: 1,
            is_upgrade: false,
            is_install: true,
            service: "Helm".to_owned(),
        }
    }
}

/// How a chart is rendered.
///
/// The fields are named after the flags of `helm template`; the default is that command without flags.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which Helm to behave as.
    pub profile: Profile,
    /// What the cluster can do; without it, what Helm assumes offline.
    pub capabilities: Option<Capabilities>,
    /// `--kube-version`, over the version in `capabilities`.
    pub kube_version: Option<String>,
    /// `--api-versions`, added to those in `capabilities`.
    pub api_versions: Vec<String>,
    /// `--include-crds`.
    pub include_crds: bool,
    /// `--skip-tests`.
    pub skip_tests: bool,
    /// `--no-hooks`.
    pub no_hooks: bool,
    /// `--show-only`.
    pub show_only: Vec<String>,
    /// `--skip-schema-validation`.
    pub skip_schema_validation: bool,
}

/// A chart and its values, ready to run the templates.
///
/// It can be executed several times, for other releases or in other worlds.
#[derive(Debug)]
#[non_exhaustive]
pub struct Prepared {
    /// The chart, without the dependencies that are switched off and with aliases for names.
    pub chart: Chart,
    /// The coalesced values.
    pub values: Map,
    /// What Helm would warn of.
    pub warnings: Vec<String>,
    capabilities: Capabilities,
}

/// Renders a chart.
///
/// The stages are those of `helm template`: values are composed, dependencies switched off and on,
/// values coalesced and held against the schemas, templates run, their output split into documents
/// and sorted. Nothing is read but the arguments, so the same arguments give the same bytes.
///
/// ```
/// use windlass_helm::chart::{self, Chart, Options, Overrides, Profile, Release};
/// use windlass_helm::template::World;
///
/// let files = [
///     ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0"),
///     ("values.yaml", "replicas: 1"),
///     ("templates/a.yaml", "kind: Deployment\nspec: {{ toYaml .Values | nindent 2 }}"),
/// ];
/// let files = files.map(|(path, text)| (path.to_owned(), text.into()));
/// let chart = Chart::from_files(files.into(), Profile::Helm4)?;
/// let overrides = Overrides {
///     set: vec!["replicas=3".to_owned()],
///     ..Overrides::default()
/// };
/// let (release, options) = (Release::default(), Options::default());
/// let mut world = World::new("2026-01-01T00:00:00Z".parse()?, [0; 32]);
///
/// let rendered = chart::render(&chart, &overrides, &release, &options, &mut world)?;
/// let document = &rendered.documents[0];
/// assert_eq!(document.template, "web/templates/a.yaml");
/// assert_eq!(document.kind, "Deployment");
/// assert_eq!(*document.text, *b"kind: Deployment\nspec: \n  replicas: 3");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Values that cannot be used, templates that fail, documents that are no YAML; with Helm's texts.
pub fn render(
    chart: &Chart,
    overrides: &Overrides,
    release: &Release,
    options: &Options,
    world: &mut World,
) -> Result<Rendered, Error> {
    let user = compose(overrides, options.profile)?;
    check_installable(chart, options.profile)?;
    check_name(&release.name)?;
    let prepared = prepare(chart, &user, options)?;
    check_kube_version(&prepared)?;
    let mut files = run(&prepared, release, options.profile, world)?;
    let notes = files.remove(&format!("{}/templates/NOTES.txt", prepared.chart.name()));
    let select = Select {
        profile: options.profile,
        include_crds: options.include_crds,
        no_hooks: options.no_hooks,
        skip_tests: options.skip_tests,
    };
    let documents = manifest::assemble(&prepared.chart, files, select)?;
    let rendered = Rendered {
        documents,
        notes: notes
            .map(|output| String::from_utf8_lossy(&output.text).into_owned())
            .unwrap_or_default(),
        warnings: prepared.warnings,
        show_only: options.show_only.clone(),
        calls: world.calls.clone(),
    };
    Ok(rendered)
}

/// Decides on dependencies, coalesces values and checks them against the charts' schemas.
///
/// The first half of [`render`], for those who want the values that templates see, or the warnings, without running
/// the templates:
///
/// ```
/// use windlass_helm::chart::{self, Chart, Options, Profile};
/// use windlass_helm::value::{Map, MapKind};
///
/// let files = [
///     ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\ndeprecated: true"),
///     ("values.yaml", "replicas: 1"),
/// ];
/// let files = files.map(|(path, text)| (path.to_owned(), text.into()));
/// let chart = Chart::from_files(files.into(), Profile::Helm4)?;
/// let prepared = chart::prepare(&chart, &Map::new(MapKind::Any), &Options::default())?;
/// assert!(prepared.values.contains("replicas"));
/// assert_eq!(prepared.warnings, ["this chart is deprecated"]);
/// # Ok::<(), chart::Error>(())
/// ```
///
/// # Errors
/// Values of the wrong shape, with Helm's texts.
pub fn prepare(chart: &Chart, user: &Map, options: &Options) -> Result<Prepared, Error> {
    let profile = options.profile;
    let mut chart = chart.clone();
    let mut warnings = chart.warnings.clone();
    if chart.metadata.deprecated {
        warnings.push("this chart is deprecated".to_owned());
    }
    dependency::process(&mut chart, user, profile, &mut warnings)
        .map_err(|error| Error::Chart(format!("chart dependencies processing failed: {error}")))?;
    let values = Coalesce::new(profile, &mut warnings)
        .values(&chart, user)
        .map_err(Error::Chart)?;
    if !options.skip_schema_validation {
        schema::validate(&chart, &values).map_err(Error::Schema)?;
    }
    let mut capabilities = options
        .capabilities
        .clone()
        .unwrap_or_else(Capabilities::offline);
    if let Some(version) = &options.kube_version {
        capabilities.kube_version = KubeVersion::parse(version, profile)?;
    }
    capabilities
        .api_versions
        .extend(options.api_versions.iter().cloned());
    Ok(Prepared {
        chart,
        values,
        warnings,
        capabilities,
    })
}

/// Runs all templates and returns their output by full path, partials left out.
///
/// The second half of [`render`] without sorting: each text is what the template wrote, `NOTES.txt` included, even where
/// it is no YAML. `helm template --debug` shows the same when the YAML is wrong.
///
/// # Errors
/// The first template that cannot be parsed, or that fails.
pub fn execute(
    prepared: &Prepared,
    release: &Release,
    profile: Profile,
    world: &mut World,
) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let outputs = run(prepared, release, profile, world)?.into_iter();
    Ok(outputs.map(|(path, output)| (path, output.text)).collect())
}

/// What a template file wrote.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) text: Vec<u8>,
    pub(super) origin: Origin,
}

/// Runs every template but the partials.
fn run(
    prepared: &Prepared,
    release: &Release,
    profile: Profile,
    world: &mut World,
) -> Result<BTreeMap<String, Output>, Error> {
    let capabilities = prepared.capabilities.clone();
    let files = context::renderables(
        &prepared.chart,
        &prepared.values,
        release,
        capabilities,
        profile,
    );
    let mut templates = Templates::new(&functions::tables(profile));
    let order = order(&files);
    let texts = order.iter().map(|(name, file)| (*name, file.text.clone()));
    templates
        .parse_all(&texts.collect::<Vec<_>>())
        .map_err(parse_error)?;
    let mut out = BTreeMap::new();
    for (name, file) in order {
        let base = name.rsplit('/').next().unwrap_or(name);
        if base.starts_with('_') {
            continue;
        }
        let dot = file.dot(name, profile);
        let (text, origin) = templates
            .execute_traced(name, &dot, world)
            .map_err(|error| exec_error(name, error, profile))?;
        let mut text = without_no_value(text);
        text.shrink_to_fit();
        out.insert(name.to_owned(), Output { text, origin });
    }
    Ok(out)
}

/// The files in Helm's order: deep paths first, so that a shallow chart's templates win.
fn order(files: &BTreeMap<String, Renderable>) -> Vec<(&str, &Renderable)> {
    let mut order: Vec<_> = files
        .iter()
        .map(|(name, file)| (name.as_str(), file))
        .collect();
    order.sort_by_key(|(name, _)| Reverse((name.matches('/').count(), *name)));
    order
}

/// Refuses library charts, and charts whose dependencies are missing.
fn check_installable(chart: &Chart, profile: Profile) -> Result<(), Error> {
    let kind = chart.metadata.kind.as_str();
    if !matches!(kind, "" | "application") {
        return Err(Error::Chart(format!("{kind} charts are not installable")));
    }
    let (an, quote) = if profile.is_helm3() {
        ("An", '`')
    } else {
        ("an", '\'')
    };
    dependency::check_present(chart).map_err(|error| {
        Error::Chart(format!(
            "{an} error occurred while checking for chart dependencies. You may need to run \
             {quote}helm dependency build{quote} to fetch missing dependencies: {error}"
        ))
    })
}

/// The longest name of a release.
const MAX_NAME: usize = 53;

/// Refuses names that Helm refuses: at most 53 characters of a DNS name.
fn check_name(name: &str) -> Result<(), Error> {
    let problem = if name.is_empty() {
        "no name provided".to_owned()
    } else if name.len() > MAX_NAME || !is_valid_name(name) {
        format!(
            "invalid release name, must match regex \
             ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the length must \
             not be longer than {MAX_NAME}"
        )
    } else {
        return Ok(());
    };
    let name = quoted(name);
    Err(Error::Option(format!(
        "release name check failed: release name {name}: {problem}"
    )))
}

fn is_valid_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.split('.').all(|part| {
        let ends = [part.bytes().next(), part.bytes().next_back()];
        ends.into_iter().all(|byte| byte.is_some_and(plain))
            && part.bytes().all(|byte| plain(byte) || byte == b'-')
    })
}

/// Refuses a cluster that the chart's `kubeVersion` excludes.
fn check_kube_version(prepared: &Prepared) -> Result<(), Error> {
    let wanted = &prepared.chart.metadata.kube_version;
    let version = &prepared.capabilities.kube_version;
    if wanted.is_empty() || semver::satisfies(wanted, &version.normalized) {
        return Ok(());
    }
    Err(Error::Chart(format!(
        "chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {}",
        version.version
    )))
}

/// Helm's text for a template that cannot be parsed: only the last part of the cause.
fn parse_error(error: template::Error) -> Error {
    let text = error.to_string();
    let tokens: Vec<&str> = text.split(": ").collect();
    let message = match tokens[..] {
        [_, location, .., last] => format!("parse error at ({location}): {last}"),
        [_, last] => format!("parse error at ({last}): {last}"),
        _ => format!("parse error in ({}): {text}", error.file()),
    };
    Error::Template {
        message,
        source: error,
    }
}

/// Helm's text for a template that failed: the words of `required` or `fail` alone if it was one of
/// them, else Go's text (Helm 3) or a trace (Helm 4).
fn exec_error(name: &str, error: template::Error, profile: Profile) -> Error {
    let text = error.to_string();
    let message = message(name, &error, &text, profile);
    Error::Template {
        message,
        source: error,
    }
}

fn message(name: &str, error: &template::Error, text: &str, profile: Profile) -> String {
    if error.kind() != ErrorKind::Exec {
        return text.to_owned();
    }
    let mut tokens = text.splitn(3, ": ");
    let (Some(_), Some(location), Some(rest)) = (tokens.next(), tokens.next(), tokens.next())
    else {
        return format!("execution error in ({name}): {text}");
    };
    let [start, end] = functions::MARKS;
    if let Some((_, after)) = rest.split_once(start)
        && let Some((inner, _)) = after.rsplit_once(end)
    {
        return format!("execution error at ({location}): {inner}");
    }
    match error.trace() {
        Some(trace) if !profile.is_helm3() => trace,
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{check_name, is_valid_name};

    #[test]
    fn checks_release_names() {
        for (name, ok) in [
            ("web", true),
            ("a.b-c.9", true),
            ("-a", false),
            ("a-", false),
            ("A", false),
            ("a..b", false),
            ("a_b", false),
        ] {
            assert_eq!(is_valid_name(name), ok, "{name}");
        }
        assert!(check_name("").is_err());
        assert!(check_name(&"a".repeat(54)).is_err());
    }
}
