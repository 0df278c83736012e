//! `chart push`, `chart delete` and `chart reindex`: charts put into repositories, and taken out of them.

use super::place::{Access, Place};
use super::{client, failed, oci};
use crate::cli::{Context, Error, Exit};
use crate::deps::{self, Package, Pushed, chart_reference};
use crate::image::Digest;
use crate::ui::count;
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
pub(super) struct Push {
    /// Archive of the chart, or its directory; a `.prov` beside the archive goes with it
    #[arg(value_name = "CHART")]
    chart: PathBuf,
    /// `oci://HOST/PATH`, `s3://BUCKET/PREFIX`, address or name of a ChartMuseum, or directory
    #[arg(value_name = "REPOSITORY")]
    to: String,
    /// Replace what is there under the same version (OCI registries always do)
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    access: Access,
}

#[derive(clap::Args, Debug)]
pub(super) struct Delete {
    /// Name of the chart
    #[arg(value_name = "NAME")]
    name: String,
    /// Version
    #[arg(value_name = "VERSION")]
    version: String,
    /// `oci://HOST/PATH`, `s3://BUCKET/PREFIX`, address or name of a ChartMuseum, or directory
    #[arg(value_name = "REPOSITORY")]
    from: String,
    #[command(flatten)]
    access: Access,
}

#[derive(clap::Args, Debug)]
pub(super) struct Reindex {
    /// Directory of the archives
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Address of the directory, which those of the archives begin with [default: none, they are relative]
    #[arg(
        long,
        value_name = "URL",
        default_value = "",
        hide_default_value = true
    )]
    url: String,
    /// Index to take from what the directory does not have
    #[arg(long, value_name = "FILE")]
    merge: Option<PathBuf>,
}

pub(super) async fn push(args: &Push, context: &Context) -> Result<Exit, Error> {
    let package = Package::read(&args.chart)?;
    let (done, at, digest) = match Place::find(&args.to, &args.access, context).await? {
        Place::Oci(place) => oci::push(&package, &place, &args.access, context).await?,
        Place::Museum(museum) => {
            let done = Box::pin(museum.push(&package, args.force)).await?;
            (
                done,
                museum.shown(&package.archive()),
                Digest::of(&package.file),
            )
        }
        Place::Bucket(bucket) => {
            let done = Box::pin(bucket.push(&package, args.force, context.now())).await?;
            let at = bucket.shown(&package.archive());
            (done, at, Digest::of(&package.file))
        }
        Place::Directory(folder) => {
            let done = deps::push(&folder, &package, args.force, context.now())?;
            let at = folder.join(package.archive()).display().to_string();
            (done, at, Digest::of(&package.file))
        }
    };
    let word = match done {
        Pushed::New => "Pushed",
        Pushed::Known => "Already there",
    };
    let told = format!("{word}: {at}\nDigest: {digest}\n");
    context.ui.data(told.as_bytes())?;
    Ok(Exit::Done)
}

pub(super) async fn delete(args: &Delete, context: &Context) -> Result<Exit, Error> {
    let (name, version) = (&args.name, &args.version);
    match Place::find(&args.from, &args.access, context).await? {
        Place::Oci(place) => {
            let image = chart_reference(&place, name, version).map_err(failed)?;
            let client = client(&args.access.registry, context)?;
            Box::pin(client.delete(&image)).await.map_err(failed)?;
        }
        Place::Museum(museum) => museum.delete(name, version).await?,
        Place::Bucket(bucket) => Box::pin(bucket.delete(name, version, context.now())).await?,
        Place::Directory(folder) => deps::delete(&folder, name, version, context.now())?,
    }
    let told = format!("Deleted: {name} {version}\n");
    context.ui.data(told.as_bytes())?;
    Ok(Exit::Done)
}

pub(super) fn reindex(args: &Reindex, context: &Context) -> Result<Exit, Error> {
    let Reindex { folder, url, merge } = args;
    let indexed = deps::reindex(folder, url, merge.as_deref(), context.now())?;
    for skipped in &indexed.skipped {
        context.ui.note(&format!("skipped: {skipped}"));
    }
    let archives = count(indexed.archives, "archive");
    let file = folder.join("index.yaml");
    context
        .ui
        .note(&format!("{archives} in {}.", file.display()));
    Ok(Exit::Done)
}
