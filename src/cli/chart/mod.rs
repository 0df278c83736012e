//! `chart`: charts packed, pushed to repositories and registries, pulled from them, deleted there, and shown.

mod oci;
mod place;
mod publish;
mod pull;

use super::lock::resolving::{self, Registry};
use super::{Context, Error, Exit, deps as dependencies, online};
use crate::deps;
use crate::file::{self, Kind};
use crate::registry::{self, Client};
use std::path::{Path, PathBuf};
use windlass_helm::chart::{self, Chart, Metadata, Profile};

/// Pack charts, push them to repositories, pull and delete them
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass chart package umbrella-chart -d dist    # the same files make the same bytes
  windlass chart push dist/umbrella-1.0.0.tgz oci://ghcr.io/team/charts
  windlass chart push umbrella-chart s3://charts/team
  windlass chart push umbrella-chart https://charts.example.com/team    # a ChartMuseum
  windlass chart pull oci://ghcr.io/team/charts/umbrella --version 1.0.0
  windlass chart delete umbrella 1.0.0 https://charts.example.com/team
  windlass chart reindex dist --url https://example.com/charts")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Pack a chart into NAME-VERSION.tgz, the same bytes for the same files
    Package(Pack),
    /// Push a chart to an OCI registry, a bucket of S3, a ChartMuseum or a directory
    Push(publish::Push),
    /// Pull a chart from an OCI registry or a chart repository
    Pull(pull::Pull),
    /// Delete a version of a chart where it was pushed to
    Delete(publish::Delete),
    /// Write the index.yaml of a directory of archives, as `helm repo index` does
    Reindex(publish::Reindex),
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
struct Show {
    /// Chart: a directory, a .tgz, or NAME in a repository or registry: `oci://…/NAME`, `s3://…/NAME`, `https://…/NAME`, `@REPO/NAME`
    #[arg(value_name = "CHART")]
    chart: PathBuf,
    /// Version, or range of versions, of a chart in a repository [default: the newest]
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    #[command(flatten)]
    registry: Registry,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    match &args.command {
        Command::Package(args) => package(args, context),
        Command::Push(args) => online(Box::pin(publish::push(args, context))),
        Command::Pull(args) => online(Box::pin(pull::pull(args, context))),
        Command::Delete(args) => online(Box::pin(publish::delete(args, context))),
        Command::Reindex(args) => publish::reindex(args, context),
        Command::Show(args) => show(args, context),
    }
}

fn show(args: &Show, context: &Context) -> Result<Exit, Error> {
    let print = |chart: &Chart| {
        let text = chart.metadata.to_yaml().map_err(Error::failed)?;
        context.ui.data(&text)?;
        Ok(Exit::Done)
    };
    let address = args.chart.to_str();
    match address.filter(|address| pull::is_address(address)) {
        Some(address) => online(async {
            let range = args.version.as_deref();
            let registry = &args.registry;
            let pulled = pull::fetch(address, range, false, registry, context);
            print(&pulled.await?.chart)
        }),
        None => print(&chart::load(&args.chart, Profile::Helm4)?),
    }
}

fn package(args: &Pack, context: &Context) -> Result<Exit, Error> {
    let (version, app_version) = (args.version.as_deref(), args.app_version.as_deref());
    let package = deps::pack(&args.chart, version, app_version)?;
    let file = write(&args.destination, &package.metadata, &package.file)?;
    context
        .ui
        .data(format!("{}\n", file.display()).as_bytes())?;
    Ok(Exit::Done)
}

fn write(folder: &Path, metadata: &Metadata, bytes: &[u8]) -> Result<PathBuf, Error> {
    let file = folder.join(format!("{}-{}.tgz", metadata.name, metadata.version));
    write_inner(&file, bytes)?;
    Ok(file)
}

/// Writes a file under a name that a chart chose, which no link may lead elsewhere.
fn write_inner(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let written = file::write(path, Kind::Inner, bytes);
    written.map_err(|error| Error::failed(format!("write {}: {error}", path.display())))
}

fn client(registry: &Registry, context: &Context) -> Result<Client, Error> {
    Client::new(dependencies::settings(registry, context)?).map_err(resolving::registry_error)
}

fn failed(error: registry::Error) -> Error {
    let hint = error.hint();
    Error::new(Exit::Failed, error).hinted_if(hint)
}
