//! `lock list`: what the locks say.

use super::{Context, Error, Exit, flags, project};
use crate::image::{self, Locks, Override, Place};
use crate::ui::plain_table;
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Lock file or directory [default: `locks` of windlass.yaml]
    #[arg(value_name = "LOCKS")]
    locks: Vec<PathBuf>,
    #[command(flatten)]
    project: flags::ProjectFile,
}

/// Runs `lock list`.
pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let locks = if args.locks.is_empty() {
        let project = flags::Project {
            // A list needs no app; the name is only asked for by the project's rules.
            app: Some("list".to_owned()),
            file: args.project.clone(),
            ..flags::Project::default()
        };
        project::resolve(&project, &flags::Locks::default(), &context.environment)?.locks
    } else {
        args.locks.clone()
    };
    if locks.is_empty() {
        return Err(Error::usage("no locks are named")
            .hinted("name them: `windlass lock list LOCKS`, or set `locks` in windlass.yaml"));
    }
    let mut entries = Locks::load(&locks)?.overrides().to_vec();
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
