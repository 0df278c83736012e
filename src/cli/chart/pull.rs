//! `chart pull`: a chart out of an OCI registry, into a file.

use super::{client, failed, write};
use crate::cli::lock::resolving::Registry;
use crate::cli::{Context, Error, Exit};
use crate::deps::{CHART_LAYERS, MAX_ARCHIVE, OCI_SCHEME, chart_reference};
use crate::image::Reference;
use std::path::PathBuf;
use windlass_helm::chart::{Chart, Profile};

#[derive(clap::Args, Debug)]
pub(super) struct Pull {
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

pub(super) async fn pull(args: &Pull, context: &Context) -> Result<Exit, Error> {
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
