//! `chart pull`: a chart out of an OCI registry or a chart repository, into a file.

use super::{client, failed, write};
use crate::cli::lock::resolving::Registry;
use crate::cli::verification::Verification;
use crate::cli::{Context, Error, Exit, deps as dependencies, stages};
use crate::deps::{
    self, CHART_LAYERS, MAX_ARCHIVE, OCI_SCHEME, Pulled, Verifier, beside, chart_reference,
    oci_provenance,
};
use crate::image::Reference;
use crate::registry::Watch;
use crate::ui::Downloads;
use std::path::PathBuf;
use windlass_helm::chart::{Chart, Profile};

#[derive(clap::Args, Debug)]
pub(super) struct Pull {
    /// In a registry with `:TAG` or `@sha256:…` unless `--version` names one; else the chart's name in a repository,
    /// or its archive
    #[arg(value_name = "oci://HOST/PATH/NAME | s3://… | https://… | @REPO/NAME")]
    from: String,
    /// Version; in a repository also a range of versions [default there: the newest]
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
    let from = args.from.as_str();
    let downloads = Downloads::new(context.ui);
    downloads.begin(from, None);
    let watch = |passing| dependencies::pass(from, &passing, &downloads);
    let pulled = if from.starts_with(OCI_SCHEME) {
        from_registry(args, verifier.is_some(), &watch, context).await
    } else {
        let (range, verifies) = (args.version.as_deref(), verifier.is_some());
        from_repository(from, range, verifies, &watch, &args.registry, context).await
    };
    downloads.end(from);
    let pulled = pulled?;
    if let Some(verifier) = &verifier {
        verify(&pulled, verifier, context)?;
    }
    let file = write(&args.destination, &pulled.chart.metadata, &pulled.file)?;
    if let Some(provenance) = &pulled.provenance {
        stages::write_file(&beside(&file), provenance)?;
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
    watch: Watch<'_>,
    context: &Context,
) -> Result<Pulled, Error> {
    let from = args.from.trim_start_matches(OCI_SCHEME);
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
    let pulled = client.artifact(&image, &CHART_LAYERS, limit, watch).await;
    let pulled = pulled.map_err(failed)?;
    let chart = Chart::from_archive(&pulled.file, Profile::Helm4)?;
    let pinned = Reference {
        digest: Some(pulled.digest.clone()),
        ..image.clone()
    };
    let provenance = match with_provenance {
        true => oci_provenance(&client, &pinned).await.map_err(failed)?,
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

/// Whether an address leads to a chart repository.
pub(super) fn is_repository(address: &str) -> bool {
    let starts = ["s3://", "https://", "http://", "@"];
    starts.iter().any(|start| address.starts_with(start))
}

/// Fetches a chart out of a repository, by its name or by the address of its archive, and its provenance on request.
pub(super) async fn from_repository(
    address: &str,
    range: Option<&str>,
    with_provenance: bool,
    watch: Watch<'_>,
    registry: &Registry,
    context: &Context,
) -> Result<Pulled, Error> {
    if !is_repository(address) {
        let error = Error::usage(format!("{address} is no address of a chart"));
        let forms = "`oci://HOST/PATH/NAME`, `s3://BUCKET/PREFIX/NAME`, `https://HOST/PATH/NAME`, or `@REPO/NAME` with the \
                     name of a repository in Helm's repositories.yaml";
        return Err(error.hinted(forms));
    }
    let network = dependencies::network(registry, None, false, context)?;
    Ok(Box::pin(deps::pull(&network, address, range, with_provenance, watch)).await?)
}
