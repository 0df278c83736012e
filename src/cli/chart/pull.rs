//! `chart pull`: a chart out of an OCI registry or a bucket of S3, into a file.

use super::{client, failed, write};
use crate::cli::lock::resolving::Registry;
use crate::cli::verification::Verification;
use crate::cli::{Context, Error, Exit, deps as dependencies, stages};
use crate::deps::{
    self, CHART_LAYERS, MAX_ARCHIVE, MAX_PROVENANCE, Network, OCI_SCHEME, PROVENANCE_LAYER, Pulled,
    Repositories, Verifier, chart_reference,
};
use crate::image::Reference;
use crate::registry::{self, Client, S3_SCHEME};
use std::path::PathBuf;
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
    verification: Verification,
    #[command(flatten)]
    registry: Registry,
}

pub(super) async fn pull(args: &Pull, context: &Context) -> Result<Exit, Error> {
    let verifier = args.verification.verifier(context)?;
    let pulled = if args.from.starts_with(S3_SCHEME) {
        let (range, verifies) = (args.version.as_deref(), verifier.is_some());
        from_bucket(&args.from, range, verifies, &args.registry, context).await?
    } else {
        from_registry(args, verifier.is_some(), context).await?
    };
    if let Some(verifier) = &verifier {
        verify(&pulled, verifier, context)?;
    }
    let file = write(&args.destination, &pulled.chart.metadata, &pulled.file)?;
    if let Some(provenance) = &pulled.provenance {
        let mut beside = file.clone().into_os_string();
        beside.push(".prov");
        stages::write_file(&PathBuf::from(beside), provenance)?;
    }
    let Pulled { url, digest, .. } = &pulled;
    let url = url.strip_prefix(OCI_SCHEME).unwrap_or(url);
    let told = format!("Pulled: {url}\nDigest: {digest}");
    context.ui.note(&told);
    context
        .ui
        .data(format!("{}\n", file.display()).as_bytes())?;
    Ok(Exit::Done)
}

fn verify(pulled: &Pulled, verifier: &Verifier, context: &Context) -> Result<(), Error> {
    let metadata = &pulled.chart.metadata;
    let chart = (metadata.name.as_str(), metadata.version.as_str());
    let provenance = pulled.provenance.as_deref();
    let Pulled { url, file, .. } = pulled;
    match verifier.verify(chart, url, file, provenance)? {
        Some(by) => context.ui.note(&format!("Verified: signed by {by}")),
        None => context
            .ui
            .warning(&format!("{url} has no provenance, it is not verified")),
    }
    Ok(())
}

/// Fetches a chart, and its provenance on request, out of an OCI registry.
async fn from_registry(
    args: &Pull,
    with_provenance: bool,
    context: &Context,
) -> Result<Pulled, Error> {
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
    let pinned = Reference {
        digest: Some(pulled.digest.clone()),
        ..image.clone()
    };
    let provenance = match with_provenance {
        true => provenance(&client, &pinned).await?,
        false => None,
    };
    Ok(Pulled {
        chart,
        file: pulled.file,
        digest: pulled.digest,
        url: format!("{OCI_SCHEME}{image}"),
        provenance,
    })
}

/// The provenance of a chart, if it has one.
async fn provenance(client: &Client, image: &Reference) -> Result<Option<Vec<u8>>, Error> {
    let limit = usize::try_from(MAX_PROVENANCE).unwrap_or(usize::MAX);
    let found = client
        .artifact(image, &[PROVENANCE_LAYER], limit, &|_| {})
        .await;
    match found {
        Ok(found) => Ok(Some(found.file)),
        Err(registry::Error::NoLayer { .. }) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Fetches a chart out of a bucket, by its name or by the name of its archive, and its provenance on request.
pub(super) async fn from_bucket(
    address: &str,
    range: Option<&str>,
    with_provenance: bool,
    registry: &Registry,
    context: &Context,
) -> Result<Pulled, Error> {
    let settings = dependencies::settings(registry, context)?;
    let network = Network::new(settings, Repositories::default(), false);
    Ok(Box::pin(deps::pull(&network, address, range, with_provenance)).await?)
}
