//! `lock list`: what the locks say, and which images of the manifests they lock.

use super::form::{self, Line};
use super::{Context, Error, Exit, Paths, chart, flags};
use crate::image::{self, Found, Locks, Override, Place};
use serde_json::{Value, json};

#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass lock list                      # the entries of the locks
  windlass lock list --images             # every image of the chart, where it is and what locks it
  windlass lock list -m app.yaml locks/   # the same for manifest files")]
pub(super) struct Args {
    /// List every image of the chart: where it stands, and which entry locks it
    #[arg(long)]
    images: bool,
    #[command(flatten)]
    paths: Paths,
    #[command(flatten)]
    report: flags::Report,
}

/// Runs `lock list`.
pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    if args.images || args.paths.names_images() {
        return images(args, context);
    }
    let mut entries = args.paths.load(context)?.1;
    entries.sort_by(|a, b| a.matcher.cmp(&b.matcher).then(a.place.cmp(&b.place)));
    let lines = entries.iter().map(line).collect();
    let head = ["IMAGE", "LOCKED TO", "BY"];
    form::print(&args.report, ("entries", &head), lines, context)?;
    Ok(Exit::Done)
}

fn line(entry: &Override) -> Line {
    let state = match entry.preresolved {
        true => "",
        false => " (not final)",
    };
    let row = vec![
        form::image(entry),
        format!("{}{state}", entry.new_image),
        form::place(entry),
    ];
    let json = json!({
        "image": form::image(entry),
        "locked": entry.preresolved,
        "newImage": entry.new_image,
        "origins": image::public_origins(entry),
        "lock": form::place(entry),
    });
    (row, json)
}

/// Lists every image, the entry that locks it and where it stands.
fn images(args: &Args, context: &Context) -> Result<Exit, Error> {
    let chart = args.paths.chart();
    let request = chart.request(context)?;
    // Before the first lock is written every image is listed too.
    let is_typed = !chart.locks.is_empty();
    let there = request
        .locks
        .iter()
        .filter(|path| is_typed || path.exists());
    let mut locks = Locks::load(&there.cloned().collect::<Vec<_>>())?;
    let found = chart::find_images(&chart, &request, &mut locks, context)?;
    let line = |found: &Found| (image_row(found, &locks), image_json(found, &locks));
    let lines = found.iter().map(line).collect();
    let head = ["IMAGE", "LOCKED TO", "BY", "OBJECT", "PLACE", "FIELD"];
    form::print(&args.report, ("images", &head), lines, context)?;
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
    let place = &found.place;
    json!({
        "image": found.image,
        "locked": image::is_locked(&found.image, entry),
        "newImage": entry.map(|entry| &entry.new_image),
        "lock": entry.map(form::place),
        "object": &*found.object,
        "place": { "file": place.file, "line": place.line, "column": place.column },
        "path": found.path,
    })
}
