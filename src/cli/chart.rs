//! `chart`: charts packed, pushed to OCI registries, pulled from them, and shown.

use super::lock::resolving::{self, Registry};
use super::{Context, Error, Exit, deps as dependencies, online, stages};
use crate::deps::{CHART_CONFIG, CHART_LAYERS, MAX_ARCHIVE, OCI_SCHEME, chart_reference};
use crate::image::Reference;
use crate::registry::{self, Client};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use windlass_helm::chart::{self, Chart, Metadata, Package, Profile};
use windlass_helm::yaml;

/// Pack charts, push them to registries and pull them
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass chart package umbrella-chart -d dist    # the same files make the same bytes
  windlass chart push dist/umbrella-1.0.0.tgz oci://ghcr.io/team/charts
  windlass chart pull oci://ghcr.io/team/charts/umbrella --version 1.0.0
  windlass chart show umbrella-chart")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Pack a chart into NAME-VERSION.tgz, the same bytes for the same files
    Package(Pack),
    /// Push a chart to an OCI registry, as `helm push` does
    Push(Push),
    /// Pull a chart from an OCI registry
    Pull(Pull),
    /// Print the Chart.yaml of a chart
    Show(Show),
}

#[derive(clap::Args, Debug)]
struct Pack {
    /// Directory of the chart
    #[arg(value_name = "CHART")]
    chart: PathBuf,
    /// Folder to write to
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    destination: PathBuf,
    /// Version in place of that of Chart.yaml
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// appVersion in place of that of Chart.yaml
    #[arg(long, value_name = "VERSION")]
    app_version: Option<String>,
}

#[derive(clap::Args, Debug)]
struct Push {
    /// Archive of the chart, or its directory
    #[arg(value_name = "CHART")]
    chart: PathBuf,
    /// Registry and path: the name of the chart is added to it
    #[arg(value_name = "oci://HOST/PATH")]
    to: String,
    #[command(flatten)]
    registry: Registry,
}

#[derive(clap::Args, Debug)]
struct Pull {
    /// Registry, path and name; with `:TAG` or `@sha256:…` unless `--version` names one
    #[arg(value_name = "oci://HOST/PATH/NAME")]
    from: String,
    /// Version
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Folder to write to
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    destination: PathBuf,
    #[command(flatten)]
    registry: Registry,
}

#[derive(clap::Args, Debug)]
struct Show {
    /// Chart: a directory or a .tgz
    #[arg(value_name = "CHART")]
    chart: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    match &args.command {
        Command::Package(args) => package(args, context),
        Command::Push(args) => online(push(args, context)),
        Command::Pull(args) => online(pull(args, context)),
        Command::Show(args) => {
            let chart = chart::load(&args.chart, Profile::Helm4)?;
            let text = chart.metadata.to_yaml().map_err(Error::failed)?;
            context.ui.data(&text)?;
            Ok(Exit::Done)
        }
    }
}

fn package(args: &Pack, context: &Context) -> Result<Exit, Error> {
    let (version, app_version) = (args.version.as_deref(), args.app_version.as_deref());
    let Package {
        metadata, bytes, ..
    } = chart::package(&args.chart, version, app_version)?;
    let file = write(&args.destination, &metadata, &bytes)?;
    context
        .ui
        .data(format!("{}\n", file.display()).as_bytes())?;
    Ok(Exit::Done)
}

fn write(folder: &Path, metadata: &Metadata, bytes: &[u8]) -> Result<PathBuf, Error> {
    let file = folder.join(format!("{}-{}.tgz", metadata.name, metadata.version));
    stages::write_file(&file, bytes)?;
    Ok(file)
}

async fn push(args: &Push, context: &Context) -> Result<Exit, Error> {
    if !args.to.starts_with(OCI_SCHEME) {
        return Err(Error::usage(format!("{} is no `oci://` address", args.to)));
    }
    let (metadata, bytes) = match args.chart.is_dir() {
        true => {
            let package = chart::package(&args.chart, None, None)?;
            (package.metadata, package.bytes)
        }
        // An archive is pushed as it is.
        false => {
            let bytes = std::fs::read(&args.chart);
            let bytes = bytes.map_err(|error| stages::unreadable("chart", &args.chart, error))?;
            let chart = Chart::from_archive(&bytes, Profile::Helm4)?;
            (chart.metadata, bytes)
        }
    };
    let image = chart_reference(&args.to, &metadata.name, &metadata.version).map_err(failed)?;
    let client = client(&args.registry, context)?;
    let config = config(&metadata)?;
    let digest = client
        .put_artifact(
            &image,
            (CHART_CONFIG, &config),
            (CHART_LAYERS[0], &bytes),
            &annotations(&metadata, context),
        )
        .await
        .map_err(failed)?;
    let told = format!("Pushed: {image}\nDigest: {digest}\n");
    context.ui.data(told.as_bytes())?;
    Ok(Exit::Done)
}

async fn pull(args: &Pull, context: &Context) -> Result<Exit, Error> {
    let Some(from) = args.from.strip_prefix(OCI_SCHEME) else {
        return Err(Error::usage(format!(
            "{} is no `oci://` address",
            args.from
        )));
    };
    let image = match (&args.version, from.rsplit_once('/')) {
        (Some(version), Some((place, name))) => {
            chart_reference(place, name, version).map_err(failed)?
        }
        _ => Reference::parse(from).map_err(|error| failed(error.into()))?,
    };
    if image.tag.is_none() && image.digest.is_none() {
        let error = Error::usage(format!("{image} names no version"));
        return Err(error.hinted("add `--version VERSION`, `:TAG` or `@sha256:DIGEST`"));
    }
    let client = client(&args.registry, context)?;
    let limit = usize::try_from(MAX_ARCHIVE).unwrap_or(usize::MAX);
    let pulled = client.artifact(&image, &CHART_LAYERS, limit, &|_| {}).await;
    let pulled = pulled.map_err(failed)?;
    let chart = Chart::from_archive(&pulled.file, Profile::Helm4)?;
    let file = write(&args.destination, &chart.metadata, &pulled.file)?;
    let digest = pulled.digest;
    let told = format!("Pulled: {image}\nDigest: {digest}\n");
    context.ui.note(told.trim_end());
    context
        .ui
        .data(format!("{}\n", file.display()).as_bytes())?;
    Ok(Exit::Done)
}

fn client(registry: &Registry, context: &Context) -> Result<Client, Error> {
    Client::new(dependencies::settings(registry, context)?).map_err(resolving::registry_error)
}

fn failed(error: registry::Error) -> Error {
    let hint = error.hint();
    Error::new(Exit::Failed, error).hinted_if(hint)
}

/// What a registry keeps of `Chart.yaml`, as JSON.
fn config(metadata: &Metadata) -> Result<Vec<u8>, Error> {
    let text = metadata.to_yaml().map_err(Error::failed)?;
    let value = yaml::from_yaml(&text).map_err(|error| Error::failed(error.to_string()))?;
    let json = windlass_helm::json::to_json(&value).map_err(Error::failed)?;
    Ok(json.as_bytes().to_vec())
}

/// What a registry shows of a chart; the annotations of the chart are among them.
///
/// Follows helm v4 `pkg/registry/chart.go`.
fn annotations(metadata: &Metadata, context: &Context) -> Value {
    let mut map = Map::new();
    let own = metadata.annotations.iter().flatten();
    let own = own.map(|(name, value)| (name.clone(), value.clone()));
    let of = |name: &str, value: &str| {
        let name = format!("org.opencontainers.image.{name}");
        (name, value.to_owned())
    };
    let authors: Vec<String> = metadata
        .maintainers
        .iter()
        .map(|one| match one.email.is_empty() {
            true => one.name.clone(),
            false => format!("{} ({})", one.name, one.email),
        })
        .collect();
    let source = metadata.sources.first().map_or("", String::as_str);
    let first = [
        of("description", &metadata.description),
        of("url", &metadata.home),
        of("created", &context.build_time().to_string()),
        of("source", source),
        of("authors", &authors.join(", ")),
    ];
    let last = [
        of("title", &metadata.name),
        of("version", &metadata.version),
    ];
    for (name, value) in first.into_iter().chain(own).chain(last) {
        if !value.trim().is_empty() {
            map.insert(name, json!(value));
        }
    }
    Value::Object(map)
}
