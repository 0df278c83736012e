//! `lock resolve`: a lock of named images, without a chart.

use super::resolving::{Resolve, resolve};
use super::{Context, Error, Exit, flags, stages};
use crate::image::{Locks, Question, lock};
use std::collections::BTreeMap;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Images, for example nginx:1.29; NAME=IMAGE locks the name that manifests use to that image
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    #[command(flatten)]
    resolve: Resolve,
    #[command(flatten)]
    output: flags::Output,
}

/// Runs `lock resolve`.
pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let entries = resolve(
        &pairs(&args.images),
        &[],
        &Locks::default(),
        &args.resolve,
        context,
    )
    .await?;
    let text = lock::text(&entries, &[], "")?;
    match args.output.file() {
        Some(file) => drop(lock::write(file, &text)?),
        None => stages::emit(None, text.as_bytes(), context)?,
    }
    Ok(Exit::Done)
}

/// `NAME=IMAGE`, or an image that is its own name: no image reference holds a `=`.
pub(super) fn pairs(images: &[String]) -> BTreeMap<String, Question> {
    images
        .iter()
        .map(|image| image.split_once('=').unwrap_or((image, image)))
        .map(|(name, image)| (name.to_owned(), Question::of(image)))
        .collect()
}
