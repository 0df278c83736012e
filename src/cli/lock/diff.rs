//! `lock diff`: what two locks lock differently.

use super::form::{self, Line, place};
use super::{Context, Error, Exit, flags};
use crate::image::{ImageMatcher, Locks, Override};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass lock diff env/staging/app-locks env/production/app-locks
  git show HEAD~1:app-locks/web.yml > old.yml; windlass lock diff old.yml app-locks/web.yml")]
pub(super) struct Args {
    /// Lock file or directory
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// Lock file or directory to compare it with
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Exit with 3 when they differ
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    report: flags::Report,
}

/// Runs `lock diff`.
pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let (old, new) = (load(&args.old)?, load(&args.new)?);
    let (old, new) = (by_image(&old), by_image(&new));
    let images: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let lines: Vec<Line> = images
        .into_iter()
        .filter_map(|image| line(old.get(image).copied(), new.get(image).copied()))
        .collect();
    let differ = !lines.is_empty();
    let head = ["CHANGE", "IMAGE", "OLD", "NEW", "BY"];
    let head = if differ { &head[..] } else { &[] };
    form::print(&args.report, ("entries", head), lines, context)?;
    if !differ {
        context.ui.note("No differences.");
    }
    Ok(match differ && args.exit_code {
        true => Exit::Pending,
        false => Exit::Done,
    })
}

fn load(path: &Path) -> Result<Locks, Error> {
    Ok(Locks::load(&[path.to_owned()])?)
}

/// The entries by image; of several about one image that which counts.
fn by_image(locks: &Locks) -> BTreeMap<&ImageMatcher, &Override> {
    let mut found = BTreeMap::new();
    for entry in locks.overrides() {
        let known = found.entry(&entry.matcher).or_insert(entry);
        if entry.preresolved && !known.preresolved {
            *known = entry;
        }
    }
    found
}

fn line(old: Option<&Override>, new: Option<&Override>) -> Option<Line> {
    let change = match (old, new) {
        (None, _) => "added",
        (_, None) => "removed",
        (Some(old), Some(new)) if old.agrees_with(new) => return None,
        _ => "changed",
    };
    let entry = new.or(old)?;
    let image = form::image(entry);
    let told = |entry: Option<&Override>| entry.map(|entry| entry.new_image.clone());
    let (old, new) = (told(old), told(new));
    let cell = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let row = vec![
        change.to_owned(),
        image.clone(),
        cell(&old),
        cell(&new),
        place(entry),
    ];
    let json = json!({
        "change": change, "image": image, "old": old, "new": new, "lock": place(entry),
    });
    Some((row, json))
}
