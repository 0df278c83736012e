//! `chart pull`: a chart out of an OCI registry or a bucket of S3, into a file.

use super::{client, failed, write};
use crate::cli::lock::resolving::Registry;
use crate::cli::{Context, Error, Exit, deps as dependencies};
use crate::deps::chart_reference;
use crate::deps::{self, CHART_LAYERS, MAX_ARCHIVE, Network, OCI_SCHEME, Pulled, Repositories};
use crate::image::{Digest, Reference};
use crate::registry::S3_SCHEME;
use std::path::{Path, PathBuf};
use windlass_helm::chart::{Chart, Profile};

#[derive(clap::Args, Debug)]
pub(super) struct Pull {
    /// Registry, path and name, with `:TAG` or `@sha256:…` unless `--version` names one; or bucket, prefix and name
    #[arg(value_name = "oci://HOST/PATH/NAME | s3://BUCKET/PREFIX/NAME")]
    from: String,
    /// Version; in S3 also a range of versions [default there: the newest]
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Folder to write to
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    destination: PathBuf,
    #[command(flatten)]
    registry: Registry,
}

pub(super) async fn pull(args: &Pull, context: &Context) -> Result<Exit, Error> {
    if args.from.starts_with(S3_SCHEME) {
        let range = args.version.as_deref();
        let Pulled {
            chart,
            file,
            digest,
            url,
        } = from_bucket(&args.from, range, &args.registry, context).await?;
        let file = write(&args.destination, &chart.metadata, &file)?;
        return done(&url, &digest, &file, context);
    }
    let Some(from) = args.from.strip_prefix(OCI_SCHEME) else {
        return Err(Error::usage(format!(
            "{} is no `oci://` or `s3://` address",
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
    done(&image.to_string(), &pulled.digest, &file, context)
}

fn done(from: &str, digest: &Digest, file: &Path, context: &Context) -> Result<Exit, Error> {
    let told = format!("Pulled: {from}\nDigest: {digest}");
    context.ui.note(&told);
    context
        .ui
        .data(format!("{}\n", file.display()).as_bytes())?;
    Ok(Exit::Done)
}

/// Fetches a chart out of a bucket, by its name or by the name of its archive.
pub(super) async fn from_bucket(
    address: &str,
    range: Option<&str>,
    registry: &Registry,
    context: &Context,
) -> Result<Pulled, Error> {
    let settings = dependencies::settings(registry, context)?;
    let network = Network::new(settings, Repositories::default(), false);
    Ok(Box::pin(deps::pull(&network, address, range)).await?)
}
