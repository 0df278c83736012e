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
pub(super) mod resolving;
mod set;
mod target;
mod verify;

use super::{Context, Error, Exit, carry_out, flags, project, stages, target as cluster};
use crate::image::{Locks, Override, lock};
use std::path::PathBuf;

/// Resolve every image of the chart to its digest and write the lock file
#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  windlass lock --update                       # ask again which digest each tag names
  windlass lock -m manifests/ -o my.lock.yml   # images of plain manifests"
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
    #[command(flatten)]
    output: target::File,
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
    manifests: flags::Manifests,
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
    /// What is meant. Manifests need no app.
    fn request(&self, context: &Context) -> Result<project::Request, Error> {
        match self.manifests.manifests.is_empty() {
            true => self.resolve(None, context),
            false => self.nameless(context),
        }
    }

    /// What is meant, where no app need be named.
    fn nameless(&self, context: &Context) -> Result<project::Request, Error> {
        self.resolve(Some("manifests"), context)
    }

    fn resolve(
        &self,
        nameless: Option<&str>,
        context: &Context,
    ) -> Result<project::Request, Error> {
        let locks = flags::Locks {
            locks: self.locks.clone(),
            image_map_file: self.image_map_file.clone(),
            ..flags::Locks::default()
        };
        project::resolve_or(nameless, &self.project, &locks, &context.environment)
    }
}

/// Locks, and the chart that says which of their entries are meant.
#[derive(clap::Args, Debug)]
struct Paths {
    /// Lock file or directory [default: `locks` of windlass.yaml]
    #[arg(value_name = "LOCKS")]
    paths: Vec<PathBuf>,
    /// Lock file or directory, as a flag
    #[arg(long, value_name = "PATH", conflicts_with = "paths", hide = true)]
    locks: Vec<PathBuf>,
    /// Name of the app [default: `name` of windlass.yaml]
    #[arg(short, long, value_name = "NAME", hide_short_help = true)]
    app: Option<String>,
    #[command(flatten)]
    project: flags::ProjectFile,
    /// Only the images of this chart: a directory or a .tgz
    #[arg(long, value_name = "CHART")]
    chart: Option<PathBuf>,
    /// Only the images of this manifest file or directory (`-` = stdin)
    #[arg(short, long, value_name = "PATH", conflicts_with_all = ["chart", "values"])]
    manifests: Vec<PathBuf>,
    #[command(flatten)]
    values: flags::Values,
    #[command(flatten)]
    render: flags::Render,
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
    /// The same as what `lock` itself takes.
    fn chart(&self) -> Chart {
        Chart {
            project: flags::Project {
                app: self.app.clone(),
                chart: self.chart.clone(),
                file: self.project.clone(),
                ..flags::Project::default()
            },
            manifests: flags::Manifests {
                manifests: self.manifests.clone(),
            },
            values: self.values.clone(),
            render: self.render.clone(),
            locks: [&self.paths[..], &self.locks].concat(),
            image_map_file: None,
        }
    }

    /// Whether a chart or manifests are named, or what a chart is rendered with.
    fn names_images(&self) -> bool {
        self.chart.is_some() || !self.manifests.is_empty() || self.values.any()
    }

    /// The locks that are meant, and those of their entries that the named chart or manifests need;
    /// without such, all.
    fn load(&self, context: &Context) -> Result<(Locks, Vec<Override>), Error> {
        let chart = self.chart();
        let request = match self.names_images() {
            true => chart.request(context)?,
            false => chart.nameless(context)?,
        };
        if request.locks.is_empty() {
            return Err(Error::usage("no locks are named")
                .hinted("name them after the command, or set `locks` in windlass.yaml"));
        }
        let mut locks = Locks::load(&request.locks)?;
        let mut entries = locks.overrides().to_vec();
        if self.names_images() {
            let found = chart::find_images(&chart, &request, &mut locks, context)?;
            let images = found.iter().map(|found| found.image.as_str()).collect();
            let unused = lock::unused(&locks, &images);
            entries.retain(|entry| !unused.contains(&entry));
        }
        Ok((locks, entries))
    }
}
