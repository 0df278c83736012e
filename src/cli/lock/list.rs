//! `lock list`: what the locks say.

use super::{Context, Error, Exit, Paths};
use crate::image::{self, Override, Place};
use crate::ui::plain_table;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    paths: Paths,
}

/// Runs `lock list`.
pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let mut entries = args.paths.load(context)?.overrides().to_vec();
    entries.sort_by(|a, b| a.matcher.cmp(&b.matcher).then(a.place.cmp(&b.place)));
    let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
    context
        .ui
        .data(plain_table(&["IMAGE", "LOCKED TO", "BY"], &rows).as_bytes())?;
    Ok(Exit::Done)
}

fn row(entry: &Override) -> Vec<String> {
    let Place { file, line, .. } = &entry.place;
    let image = match &entry.matcher {
        image::ImageMatcher::Image(image) => image.clone(),
        image::ImageMatcher::Repository(repository) => format!("{repository} (any tag)"),
    };
    let state = if entry.preresolved {
        ""
    } else {
        " (not final)"
    };
    vec![
        image,
        format!("{}{state}", entry.new_image),
        format!("{file}:{line}"),
    ]
}
