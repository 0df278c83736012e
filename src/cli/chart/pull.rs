//! `chart pull`: a chart out of an OCI registry or a chart repository, into a file.

use super::{write, write_inner};
use crate::cli::lock::resolving::Registry;
use crate::cli::verification::Verification;
use crate::cli::{Context, Error, Exit, deps as dependencies};
use crate::deps::{self, OCI_SCHEME, Pulled, Verifier, beside};
use crate::registry::shown_text;
use crate::ui::Downloads;
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
pub(super) struct Pull {
    /// The chart's name in a repository or registry; also its archive, or in a registry `:TAG` or `@sha256:…`
    #[arg(value_name = "oci://HOST/PATH/NAME | s3://… | https://… | @REPO/NAME")]
    from: String,
    /// Version, or range of versions [default: the newest]
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
    let (range, verifies) = (args.version.as_deref(), verifier.is_some());
    let pulled = fetch(&args.from, range, verifies, &args.registry, context).await?;
    if let Some(verifier) = &verifier {
        verify(&pulled, verifier, context)?;
    }
    let file = write(&args.destination, &pulled.chart.metadata, &pulled.file)?;
    if let Some(provenance) = &pulled.provenance {
        write_inner(&beside(&file), provenance)?;
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

/// Whether a text is the address of a chart elsewhere.
pub(super) fn is_address(address: &str) -> bool {
    let starts = ["oci://", "s3://", "https://", "http://", "@"];
    starts.iter().any(|start| address.starts_with(start))
}

/// Fetches a chart, and its provenance on request, out of a repository or registry.
pub(super) async fn fetch(
    address: &str,
    range: Option<&str>,
    with_provenance: bool,
    registry: &Registry,
    context: &Context,
) -> Result<Pulled, Error> {
    if !is_address(address) {
        let error = Error::usage(format!("{} is no address of a chart", shown_text(address)));
        let forms = "`oci://HOST/PATH/NAME`, `s3://BUCKET/PREFIX/NAME`, `https://HOST/PATH/NAME`, or `@REPO/NAME` with the                      name of a repository in Helm's repositories.yaml";
        return Err(error.hinted(forms));
    }
    let network = dependencies::network(registry, None, false, context)?;
    let downloads = Downloads::new(context.ui);
    let tell = |event: deps::Event<'_>| dependencies::tell(&event, &downloads);
    Ok(Box::pin(deps::pull(&network, address, range, with_provenance, &tell)).await?)
}
