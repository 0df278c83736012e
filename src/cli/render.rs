//! `render`: chart and values (and locks) → manifests.

use super::project::{self, Request};
use super::{Context, Error, Exit, flags, stages};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use windlass_helm::chart::{Options, Rendered};

/// Render a chart to manifests, with images pinned by the locks
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass render                                    # what windlass.yaml says
  windlass render my-app ./umbrella-chart -f values.yaml
  windlass render -e staging --frozen | kubectl diff -f -
  windlass render --output-dir .release              # a tree of files, emptied first")]
pub(super) struct Args {
    #[command(flatten)]
    project: flags::Project,
    #[command(flatten)]
    values: flags::Values,
    #[command(flatten)]
    render: flags::Render,
    /// Render as for an upgrade: `.Release.IsUpgrade` is true
    #[arg(long, help_heading = "Render")]
    is_upgrade: bool,
    /// Leave out test hooks
    #[arg(long, help_heading = "Render")]
    skip_tests: bool,
    /// Leave out the files of crds/
    #[arg(long, help_heading = "Render")]
    skip_crds: bool,
    /// Include the files of crds/ (as without the flag)
    #[arg(
        long,
        help_heading = "Render",
        conflicts_with = "skip_crds",
        hide = true
    )]
    include_crds: bool,
    /// Only the manifests of this template
    #[arg(short, long, value_name = "TEMPLATE", help_heading = "Render")]
    show_only: Vec<String>,
    #[command(flatten)]
    locks: flags::Locks,
    /// Write to this file in place of stdout
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// Write a tree of files into this folder, which is emptied first
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "output",
        help_heading = "Output"
    )]
    output_dir: Option<PathBuf>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let request = project::resolve(&args.project, &args.locks, &context.environment)?;
    let options = Options {
        include_crds: !args.skip_crds,
        skip_tests: args.skip_tests,
        show_only: args.show_only.clone(),
        ..stages::options(&args.render)
    };
    let release = stages::release(
        &request.app,
        request.offline_namespace(),
        args.is_upgrade,
        1,
    );
    let mut rendered = stages::render(&request, &args.values, &release, &options, context)?;
    stages::rewrite(&mut rendered, &request, context)?;
    match (&args.output_dir, &args.output) {
        (Some(folder), _) => write_tree(&rendered, folder, &request, context)?,
        (None, Some(file)) => {
            stages::write_file(file, &rendered.to_selected_text(options.profile)?)?;
        }
        (None, None) => context
            .ui
            .data(&rendered.to_selected_text(options.profile)?)?,
    }
    Ok(Exit::Done)
}

/// Writes Helm's tree of files and reports each as Helm does.
fn write_tree(
    rendered: &Rendered,
    folder: &Path,
    request: &Request,
    context: &Context,
) -> Result<(), Error> {
    empty(folder, &request.folder)?;
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (path, text) in rendered.to_files() {
        let file = folder.join(&path);
        let whole = files.entry(path).or_default();
        whole.extend(text);
        stages::write_file(&file, whole)?;
        context
            .ui
            .data(format!("wrote {}\n", file.display()).as_bytes())?;
    }
    Ok(())
}

/// Empties the folder of the last render. A folder that holds the project itself, or something that
/// no render wrote, is refused: nobody means to delete that.
fn empty(folder: &Path, project: &Path) -> Result<(), Error> {
    let Ok(target) = folder.canonicalize() else {
        return Ok(());
    };
    let project = if project.as_os_str().is_empty() {
        Path::new(".")
    } else {
        project
    };
    let inside = project
        .canonicalize()
        .is_ok_and(|project| project.starts_with(&target));
    let foreign = std::fs::read_dir(&target)
        .map_err(|error| Error::failed(format!("read folder {}: {error}", folder.display())))?
        .filter_map(Result::ok)
        .find(|entry| !entry.path().is_dir());
    if inside || foreign.is_some() {
        let why = foreign.map_or_else(
            || "the project is inside it".to_owned(),
            |entry| format!("`{}` is there", entry.file_name().display()),
        );
        return Err(
            Error::usage(format!("folder {} is not emptied: {why}", folder.display()))
                .hinted("name a folder that only holds renders, for example `.release`"),
        );
    }
    std::fs::remove_dir_all(&target)
        .map_err(|error| Error::failed(format!("empty folder {}: {error}", folder.display())))
}
