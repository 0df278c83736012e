//! `lock list`: what the locks say, and which images of the manifests they lock.

use super::{Context, Error, Exit, Paths, flags, project, stages};
use crate::image::{self, Found, Locks, Override, Place};
use crate::object::Lines;
use crate::ui::plain_table;
use project::Request;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass lock list                      # the entries of the locks
  windlass lock list --images             # every image of the chart, where it is and what locks it
  windlass lock list -m app.yaml locks/   # the same for manifest files")]
pub(super) struct Args {
    /// List every image of the chart: where it stands, and which entry locks it
    #[arg(long)]
    images: bool,
    /// List every image of this manifest file or directory (`-` = stdin)
    #[arg(short, long, value_name = "PATH")]
    manifests: Vec<PathBuf>,
    /// How images are written
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"], default_value = "text")]
    format: String,
    #[command(flatten)]
    paths: Paths,
}

/// Runs `lock list`.
pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    if args.images || !args.manifests.is_empty() {
        return images(args, &request(args, context)?, context);
    }
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

/// The locks that are meant, and the chart of the project unless there are manifests in its place.
fn request(args: &Args, context: &Context) -> Result<Request, Error> {
    let project = flags::Project {
        file: args.paths.project.clone(),
        // Manifests need no app; the name is only asked for by the project's rules.
        app: (!args.manifests.is_empty()).then(|| "list".to_owned()),
        ..flags::Project::default()
    };
    let locks = flags::Locks {
        locks: args.paths.locks.clone(),
        ..flags::Locks::default()
    };
    project::resolve(&project, &locks, &context.environment)
}

/// Lists every image, the entry that locks it and where it stands.
fn images(args: &Args, request: &Request, context: &Context) -> Result<Exit, Error> {
    let locks = stages::locks(request)?;
    let mut found = Vec::new();
    let mut search = |text: &[u8], lines: Lines<'_>| -> Result<(), Error> {
        let search = image::find(text, lines, &locks.search_rules)?;
        for warning in &search.warnings {
            context.ui.warning(&warning.to_string());
        }
        found.extend(search.images);
        Ok(())
    };
    if args.manifests.is_empty() {
        let options = stages::options(&flags::Render::default());
        let release = stages::release(&request.app, request.offline_namespace(), false, 1);
        let values = flags::Values::default();
        let rendered = stages::render(request, &values, &release, &options, context)?;
        for document in &rendered.documents {
            search(&document.text, stages::lines(document))?;
        }
    } else {
        for (source, text) in stages::read_all(&args.manifests)? {
            search(&text, Lines::from(&source))?;
        }
    }
    let text = if args.format == "json" {
        let images: Vec<Value> = found.iter().map(|f| image_json(f, &locks)).collect();
        format!("{:#}\n", json!({ "schemaVersion": 1, "images": images }))
    } else {
        let rows: Vec<Vec<String>> = found.iter().map(|f| image_row(f, &locks)).collect();
        let head = ["IMAGE", "LOCKED TO", "BY", "OBJECT", "PLACE", "FIELD"];
        plain_table(&head, &rows)
    };
    context.ui.data(text.as_bytes())?;
    Ok(Exit::Done)
}

fn image_row(found: &Found, locks: &Locks) -> Vec<String> {
    let entry = locks.find(&found.image);
    let place = |place: &Place| format!("{}:{}", place.file, place.line);
    let locked_to = match entry {
        Some(entry) if image::is_locked(&found.image, Some(entry)) => entry.new_image.clone(),
        Some(entry) => format!("{} (not final)", entry.new_image),
        None if image::is_locked(&found.image, None) => "its own digest".to_owned(),
        None => "not locked".to_owned(),
    };
    vec![
        found.image.clone(),
        locked_to,
        entry.map(|entry| place(&entry.place)).unwrap_or_default(),
        found.object.to_string(),
        place(&found.place),
        found.path.clone(),
    ]
}

fn image_json(found: &Found, locks: &Locks) -> Value {
    let entry = locks.find(&found.image);
    let place =
        |place: &Place| json!({ "file": place.file, "line": place.line, "column": place.column });
    json!({
        "image": found.image,
        "locked": image::is_locked(&found.image, entry),
        "newImage": entry.map(|entry| &entry.new_image),
        "lock": entry.map(|entry| place(&entry.place)),
        "object": &*found.object,
        "place": place(&found.place),
        "path": found.path,
    })
}
