//! `lock` and its subcommands: what can be typed. A file a subcommand; `chart` is `lock` itself.

mod build;
mod chart;
mod diff;
mod form;
mod list;
mod origin;
mod outdated;
mod prune;
mod publish;
mod repository;
mod resolve;
mod resolving;
mod set;
mod target;
mod verify;

use super::{Context, Error, Exit, carry_out, flags, project, stages, target as cluster};
use crate::image::Locks;
use std::path::PathBuf;

/// Resolve every image of the chart to its digest and write the lock file
#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  windlass lock                                # lock what is not locked yet
  windlass lock --update                       # ask again which digest each tag names
  windlass lock my-app ./umbrella-chart -o -   # print a lock of all images"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    chart: Chart,
    /// Resolve the images of this lock file again
    #[arg(long, help_heading = "Locks")]
    update: bool,
    #[command(flatten)]
    resolve: resolving::Resolve,
    /// Write the lock to this file (`-` = stdout) [default: LOCKS/APP.lock.yml]
    #[arg(
        short,
        long,
        alias = "lock-output",
        value_name = "FILE",
        help_heading = "Output"
    )]
    output: Option<PathBuf>,
    /// Write an ImagesLock for imgpkg too
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Output",
        hide_short_help = true
    )]
    imgpkg_lock_output: Option<PathBuf>,
}

/// A chart, what it is rendered with, and its locks.
#[derive(clap::Args, Debug)]
struct Chart {
    #[command(flatten)]
    project: flags::Project,
    #[command(flatten)]
    values: flags::Values,
    #[command(flatten)]
    render: flags::Render,
    /// Lock file or a directory of them
    #[arg(long, value_name = "PATH", help_heading = "Locks")]
    locks: Vec<PathBuf>,
    /// JSON file of images and what stands for them, taken into the lock
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Locks",
        hide_short_help = true
    )]
    image_map_file: Option<PathBuf>,
}

impl Chart {
    /// What is meant.
    fn request(&self, context: &Context) -> Result<project::Request, Error> {
        let locks = flags::Locks {
            locks: self.locks.clone(),
            image_map_file: self.image_map_file.clone(),
            ..flags::Locks::default()
        };
        project::resolve(&self.project, &locks, &context.environment)
    }
}

/// Locks, without a chart.
#[derive(clap::Args, Debug)]
struct Paths {
    /// Lock file or directory [default: `locks` of windlass.yaml]
    #[arg(value_name = "LOCKS")]
    locks: Vec<PathBuf>,
    #[command(flatten)]
    project: flags::ProjectFile,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Build(build::Args),
    Publish(publish::Args),
    /// Print a lock of these images
    Resolve(resolve::Args),
    /// Lock single images, and leave all others alone
    Set(set::Args),
    /// List what the locks say
    List(list::Args),
    /// Check that every locked image is there and can be pulled
    Verify(verify::Args),
    /// Show which tags have moved on, and newer ones
    Outdated(outdated::Args),
    /// Remove entries that no manifest names
    Prune(prune::Args),
    /// Compare two lock files or directories
    Diff(diff::Args),
}

/// Runs `lock` and its subcommands.
pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    match &args.command {
        Some(Command::Build(args)) => build::run(args, context).await,
        Some(Command::Publish(args)) => publish::run(args, context).await,
        Some(Command::Resolve(args)) => resolve::run(args, context).await,
        Some(Command::Set(args)) => set::run(args, context).await,
        Some(Command::List(args)) => list::run(args, context),
        Some(Command::Verify(args)) => verify::run(args, context).await,
        Some(Command::Outdated(args)) => outdated::run(args, context).await,
        Some(Command::Prune(args)) => prune::run(args, context),
        Some(Command::Diff(args)) => diff::run(args, context),
        None => chart::run(args, context).await,
    }
}

impl Paths {
    /// The locks that are meant.
    fn load(&self, context: &Context) -> Result<Locks, Error> {
        if !self.locks.is_empty() {
            return Ok(Locks::load(&self.locks)?);
        }
        let project = flags::Project {
            // Locks belong to no app; the name is only asked for by the project's rules.
            app: Some("locks".to_owned()),
            file: self.project.clone(),
            ..flags::Project::default()
        };
        let request = project::resolve(&project, &flags::Locks::default(), &context.environment)?;
        if request.locks.is_empty() {
            return Err(Error::usage("no locks are named")
                .hinted("name them after the command, or set `locks` in windlass.yaml"));
        }
        Ok(Locks::load(&request.locks)?)
    }
}
