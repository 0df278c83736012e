//! `lock prune`: entries that no manifest names are shown, and removed.

use super::chart::find_images;
use super::target;
use super::{Chart, Context, Error, Exit, carry_out, flags, form, project};
use crate::image::{Found, Locks, Override, lock};
use crate::ui::count;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass lock prune           # show what no environment of windlass.yaml needs, and ask
  windlass lock prune --yes     # in a CI job")]
pub(super) struct Args {
    #[command(flatten)]
    chart: Chart,
    /// Do not ask
    #[arg(short, long, env = "WINDLASS_YES", hide_env = true)]
    yes: bool,
    #[command(flatten)]
    report: flags::Report,
}

/// Runs `lock prune`.
pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let request = args.chart.request(context)?;
    if request.locks.is_empty() {
        return Err(Error::usage("no locks are named")
            .hinted("name them with `--locks`, or set `locks` in windlass.yaml"));
    }
    let mut locks = Locks::load(&request.locks)?;
    let found = found_everywhere(args, &request, &mut locks, context)?;
    let images: BTreeSet<&str> = found.iter().map(|found| found.image.as_str()).collect();
    let unused = lock::unused(&locks, &images);
    let line = |entry: &&Override| {
        let (image, place) = (form::image(entry), form::place(entry));
        let row = vec![image.clone(), entry.new_image.clone(), place.clone()];
        let json = json!({ "image": image, "newImage": entry.new_image, "lock": place });
        (row, json)
    };
    let lines = unused.iter().map(line).collect();
    let head = ["IMAGE", "LOCKED TO", "BY"];
    let head = if unused.is_empty() { &[] } else { &head[..] };
    form::print(&args.report, ("entries", head), lines, context)?;
    if unused.is_empty() {
        let entries = locks.overrides().len();
        let told = match entries {
            1 => "the 1 entry is".to_owned(),
            _ => format!("all {} are", count(entries, "entrie")),
        };
        context
            .ui
            .note(&format!("Nothing to prune: {told} in use."));
        return Ok(Exit::Done);
    }
    let entries = match unused.len() {
        1 => "this entry".to_owned(),
        number => format!("these {number} entries"),
    };
    carry_out::confirm(&format!("Remove {entries}?"), args.yes, context)?;
    let mut by_file: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for entry in unused {
        by_file
            .entry(&entry.place.file)
            .or_default()
            .insert(entry.place.line);
    }
    for (file, lines) in by_file {
        remove(Path::new(file), &lines, context)?;
    }
    Ok(Exit::Done)
}

/// The images of the app, and of every other environment that shares its locks: none of them may
/// lose an entry.
fn found_everywhere(
    args: &Args,
    request: &project::Request,
    locks: &mut Locks,
    context: &Context,
) -> Result<Vec<Found>, Error> {
    let chart = &args.chart;
    let mut found = find_images(chart, request, locks, context)?;
    if chart.project.file.env.is_some()
        || chart.project.chart.is_some()
        || !chart.manifests.manifests.is_empty()
    {
        return Ok(found);
    }
    for name in project::environments(&chart.project.file)? {
        let project = flags::Project {
            file: flags::ProjectFile {
                env: Some(name.clone()),
                ..chart.project.file.clone()
            },
            ..chart.project.clone()
        };
        let flags = flags::Locks {
            locks: chart.locks.clone(),
            ..flags::Locks::default()
        };
        let other = project::resolve(&project, &flags, &context.environment)?;
        if other.locks == request.locks {
            context.ui.detail(&format!("rendering environment {name}"));
            found.extend(find_images(chart, &other, locks, context)?);
        }
    }
    Ok(found)
}

fn remove(file: &Path, lines: &BTreeSet<usize>, context: &Context) -> Result<(), Error> {
    let own = Locks::load(&[file.to_owned()])?;
    target::refuse_sources(&own, file)?;
    let kept = own
        .overrides()
        .iter()
        .filter(|entry| !lines.contains(&entry.place.line));
    let kept: Vec<Override> = kept.cloned().collect();
    let text = lock::text(&kept, &own.search_rules, &target::text_of(file)?)?;
    let written = lock::write(file, &text)?;
    context
        .ui
        .note(&format!("{}.", target::told(file, written)));
    Ok(())
}
