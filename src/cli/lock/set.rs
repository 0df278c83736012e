//! `lock set`: single images locked anew, all others left alone.

use super::chart::report;
use super::resolve::pairs;
use super::resolving::{Resolve, resolve};
use super::target::{self, Target};
use super::{Context, Error, Exit, flags, project};
use crate::image::{Locks, Override, lock};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass lock set web=ghcr.io/me/web:1.4.2     # the tag's digest, now
  windlass lock set nginx:1.29                   # ask for this tag alone again")]
pub(super) struct Args {
    /// The image as manifests name it, and what it is locked to; IMAGE alone is locked to its own digest
    #[arg(value_name = "IMAGE[=REF]", required = true)]
    images: Vec<String>,
    #[command(flatten)]
    project: flags::ProjectFile,
    /// Name of the app, whose lock file gets new entries [default: `name` of windlass.yaml]
    #[arg(short, long, value_name = "NAME")]
    app: Option<String>,
    /// Lock file or a directory of them
    #[arg(long, value_name = "PATH", help_heading = "Locks")]
    locks: Vec<PathBuf>,
    #[command(flatten)]
    resolve: Resolve,
    #[command(flatten)]
    output: target::File,
}

/// Runs `lock set`. An image that is locked already is locked anew in the file where it stands.
pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let project = flags::Project {
        // With a file named, the app is not asked for.
        app: args
            .app
            .clone()
            .or_else(|| args.output.output.as_ref().map(|_| "locks".to_owned())),
        file: args.project.clone(),
        ..flags::Project::default()
    };
    let flags = flags::Locks {
        locks: args.locks.clone(),
        ..flags::Locks::default()
    };
    let request = project::resolve(&project, &flags, &context.environment)?;
    let target = Target::new(args.output.output.as_deref(), &request)?;
    let (locks, _) = target.load(&request)?;
    let entries = resolve(&pairs(&args.images), &[], &locks, &args.resolve, context).await?;
    let mut by_file: BTreeMap<PathBuf, Vec<&Override>> = BTreeMap::new();
    for entry in &entries {
        let place = locks
            .overrides()
            .iter()
            .find(|other| other.preresolved && other.matcher == entry.matcher)
            .map(|other| PathBuf::from(&other.place.file));
        let file = place.or_else(|| target.file.clone());
        by_file
            .entry(file.unwrap_or_default())
            .or_default()
            .push(entry);
    }
    report(&entries, &locks, context);
    for (file, entries) in by_file {
        let own = match file.exists() {
            true => Locks::load(std::slice::from_ref(&file))?,
            false => Locks::default(),
        };
        target::refuse_sources(&own, &file)?;
        let replaced = |other: &&Override| {
            !entries
                .iter()
                .any(|entry| other.preresolved && entry.matcher == other.matcher)
        };
        let kept = own.overrides().iter().filter(replaced).cloned();
        let all: Vec<Override> = kept.chain(entries.iter().copied().cloned()).collect();
        let text = lock::text(&all, &own.search_rules, &target::text_of(&file)?)?;
        if file.as_os_str().is_empty() {
            context.ui.data(text.as_bytes())?;
            continue;
        }
        let written = lock::write(&file, &text)?;
        context
            .ui
            .note(&format!("{}.", target::told(&file, written)));
    }
    Ok(Exit::Done)
}
