//! `lock` and its subcommands: what can be typed. A file a subcommand; `chart` is `lock` itself.

mod build;
mod chart;
mod list;
mod origin;
mod publish;
mod repository;
mod resolve;
mod resolving;
mod target;

use super::{Context, Error, Exit, flags, project, stages};
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
    project: flags::Project,
    #[command(flatten)]
    values: flags::Values,
    #[command(flatten)]
    render: flags::Render,
    /// Lock file or a directory of them
    #[arg(long, value_name = "PATH", help_heading = "Locks")]
    locks: Vec<PathBuf>,
    /// Resolve the images of this lock file again
    #[arg(long, help_heading = "Locks")]
    update: bool,
    #[command(flatten)]
    registry: resolving::Registry,
    /// Write the lock to this file (`-` = stdout) [default: LOCKS/APP.lock.yml]
    #[arg(
        short,
        long,
        visible_alias = "lock-output",
        value_name = "FILE",
        help_heading = "Output"
    )]
    output: Option<PathBuf>,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Build(build::Args),
    Publish(publish::Args),
    /// Print a lock of these images
    Resolve(resolve::Args),
    /// List what the locks say
    List(list::Args),
}

/// Runs `lock` and its subcommands.
pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    match &args.command {
        Some(Command::Build(args)) => build::run(args, context).await,
        Some(Command::Publish(args)) => publish::run(args, context).await,
        Some(Command::Resolve(args)) => resolve::run(args, context).await,
        Some(Command::List(args)) => list::run(args, context),
        None => chart::run(args, context).await,
    }
}
