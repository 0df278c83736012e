//! `lock resolve`: a lock of named images, without a chart.

use super::resolving::{Registry, resolve};
use super::{Context, Error, Exit};
use crate::image::Override;
use crate::image::lock;
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Images, for example nginx:1.29; NAME=IMAGE locks the name that manifests use to that image
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    #[command(flatten)]
    registry: Registry,
    /// Write the lock to this file in place of stdout
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
}

/// Runs `lock resolve`.
pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let wanted = args
        .images
        .iter()
        // No image reference holds a `=`.
        .map(|image| image.split_once('=').unwrap_or((image, image)))
        .map(|(name, image)| (name.to_owned(), image.to_owned()))
        .collect();
    let resolved = resolve(&wanted, &[], &args.registry, context).await?;
    let entries: Vec<Override> = resolved
        .iter()
        .map(|(image, new_image)| lock::locked(image, new_image))
        .collect();
    let text = lock::text(&entries, &[], "")?;
    match &args.output {
        Some(file) if file.as_os_str() != "-" => {
            lock::write(file, &text)?;
        }
        _ => context.ui.data(text.as_bytes())?,
    }
    Ok(Exit::Done)
}
