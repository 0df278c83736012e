//! `render`: chart and values (and locks) → manifests.

use super::locking::Unlocked;
use super::project::{self, Request};
use super::stages::ManifestFile;
use super::{Context, Error, Exit, deps, flags, repeat, source_map, stages, tree};
use crate::ui::count;
use std::io::{self, Write};
use std::path::PathBuf;
use windlass_helm::chart::{self, Options, Release};
use windlass_helm::sprig;
use windlass_helm::template::{self, Templates, World};
use windlass_helm::value::Value;

/// Render a chart to manifests, with images pinned by the locks
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass render                                    # what windlass.yaml says
  windlass render my-app ./umbrella-chart -f values.yaml
  windlass render -e staging --frozen | kubectl diff -f -
  windlass render --output-dir .release              # a tree of files, emptied first
  kustomize build . | windlass render -m - --locks app-locks")]
pub(super) struct Args {
    #[command(flatten)]
    project: flags::Project,
    #[command(flatten)]
    manifests: flags::Manifests,
    #[command(flatten)]
    values: flags::Values,
    #[command(flatten)]
    render: flags::Render,
    /// Render as for an upgrade: `.Release.IsUpgrade` is true
    #[arg(long, help_heading = "Render")]
    is_upgrade: bool,
    /// Template of the app's name, in place of APP
    #[arg(
        long,
        value_name = "TEMPLATE",
        help_heading = "Render",
        hide_short_help = true
    )]
    name_template: Option<String>,
    /// Call the app `release-name`, as Helm does with a chart alone
    #[arg(short, long, help_heading = "Render", hide_short_help = true)]
    generate_name: bool,
    /// Leave out test hooks
    #[arg(long, help_heading = "Render", hide_short_help = true)]
    skip_tests: bool,
    /// Leave out the files of crds/
    #[arg(long, help_heading = "Render", hide_short_help = true)]
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
    #[arg(
        short,
        long,
        value_name = "TEMPLATE",
        conflicts_with = "manifests",
        help_heading = "Render"
    )]
    show_only: Vec<String>,
    /// Print what the templates wrote even when it is no YAML
    #[arg(long, help_heading = "Render", hide_short_help = true)]
    debug: bool,
    #[command(flatten)]
    repeat: repeat::Flags,
    /// Render twice, at other times and with other random numbers, and name what differs
    #[arg(
        long,
        conflicts_with_all = ["seed", "now", "output", "output_dir", "source_map", "manifests"],
        help_heading = "Render",
        hide_short_help = true
    )]
    check_deterministic: bool,
    #[command(flatten)]
    locks: flags::Locks,
    #[command(flatten)]
    output: flags::Output,
    /// Write a tree of files into this folder, which is emptied first
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["output", "manifests"],
        help_heading = "Output"
    )]
    output_dir: Option<PathBuf>,
    /// Put the tree of `--output-dir` into a folder with the app's name
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    release_name: bool,
    /// Write to this file, as JSON, from which template and line each document came
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "manifests",
        help_heading = "Output",
        hide_short_help = true
    )]
    source_map: Option<PathBuf>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    if !args.manifests.manifests.is_empty() {
        return rewrite_files(args, context);
    }
    let request = project::resolve(&named(args, context)?, &args.locks, &context.environment)?;
    deps::ensure(&request, context)?;
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
    if args.check_deterministic {
        return check(args, &request, &release, &options, context);
    }
    let mut world = repeat::world(&args.repeat, context)?;
    let again = world.again();
    let rendered = stages::render_in(&mut world, &request, &args.values, &release, &options);
    if rendered.is_err() && args.debug {
        debug(again, args, &request, &release, &options, context)?;
    }
    let mut rendered = rendered?;
    stages::warn(&rendered, context);
    let unlocked = Unlocked::of(&request, Unlocked::Allowed);
    let has_locks = !request.locks.is_empty() || request.image_map.is_some();
    if has_locks || unlocked != Unlocked::Allowed {
        stages::rewrite(&mut rendered, &request, unlocked, context)?;
    }
    let output = args.output.output.as_deref();
    match &args.output_dir {
        Some(folder) if args.release_name => {
            let folder = folder.join(&request.app);
            tree::write(&rendered, &folder, &request.folder, context)?;
        }
        Some(folder) => tree::write(&rendered, folder, &request.folder, context)?,
        None if args.show_only.is_empty() => {
            stages::emit_pieces(output, context, |mut out| rendered.write(&mut out))?;
        }
        None => {
            let text = rendered.to_selected_text(options.profile)?;
            stages::emit(output, &text, context)?;
        }
    }
    if let Some(file) = &args.source_map {
        let map = source_map::of(&rendered);
        stages::emit(Some(file), format!("{map:#}\n").as_bytes(), context)?;
    }
    Ok(Exit::Done)
}

/// Locks the images of manifest files and prints them as one stream.
fn rewrite_files(args: &Args, context: &Context) -> Result<Exit, Error> {
    let request = project::resolve_or(
        Some("manifests"),
        &args.project,
        &args.locks,
        &context.environment,
    )?;
    let paths = &args.manifests.manifests;
    let (files, _) = stages::files(paths, &request, Unlocked::Allowed, context)?;
    stages::emit_pieces(args.output.output.as_deref(), context, |out| {
        write_stream(&files, out)
    })?;
    Ok(Exit::Done)
}

/// Writes the files with their edits as one stream.
fn write_stream(files: &[ManifestFile], out: &mut dyn Write) -> io::Result<()> {
    let mut last = None;
    for file in files {
        let pieces = file.edits.pieces(&file.text);
        let mut pieces = pieces.filter(|piece| !piece.is_empty()).peekable();
        if let (Some(last), Some(first)) = (last, pieces.peek_mut()) {
            *first = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
            if last != b'\n' {
                out.write_all(b"\n")?;
            }
            if !first.starts_with(b"---") {
                out.write_all(b"---\n")?;
            }
        }
        for piece in pieces {
            out.write_all(piece)?;
            last = piece.last().copied().or(last);
        }
    }
    Ok(())
}

/// Prints what each template wrote, as Helm does when it is no YAML: an empty line when a template failed,
/// and nothing when none ran or `--show-only` names something else.
fn debug(
    mut world: World,
    args: &Args,
    request: &Request,
    release: &Release,
    options: &Options,
    context: &Context,
) -> Result<(), Error> {
    let Ok(outputs) = stages::outputs(&mut world, request, &args.values, release, options) else {
        return Ok(());
    };
    let mut text = Vec::new();
    for (path, output) in outputs {
        if !output.trim_ascii().is_empty() && !path.ends_with("NOTES.txt") {
            text.extend_from_slice(format!("---\n# Source: {path}\n").as_bytes());
            text.extend_from_slice(&output);
            text.push(b'\n');
        }
    }
    let mut text = text.trim_ascii().to_vec();
    text.push(b'\n');
    let Ok(text) = chart::show_only(text, &args.show_only, options.profile) else {
        return Ok(());
    };
    stages::emit(args.output.output.as_deref(), &text, context)
}

/// Renders in two worlds that have nothing in common, and compares.
fn check(
    args: &Args,
    request: &Request,
    release: &Release,
    options: &Options,
    context: &Context,
) -> Result<Exit, Error> {
    let world = repeat::world(&args.repeat, context)?;
    let rendered = repeat::check(world, |world| {
        stages::render_in(world, request, &args.values, release, options)
    })?;
    stages::warn(&rendered, context);
    let documents = count(rendered.selected().len(), "document");
    context
        .ui
        .note(&format!("Rendered twice: {documents}, no difference."));
    Ok(Exit::Done)
}

/// The project with the name that `--name-template` or `--generate-name` gives. Helm takes a chart alone
/// then, and so does the first argument here.
///
/// Follows helm v4 `pkg/action/install.go`, `NameAndChart`, and `pkg/cmd/template.go`.
fn named(args: &Args, context: &Context) -> Result<flags::Project, Error> {
    let mut project = args.project.clone();
    let flag = match &args.name_template {
        Some(_) => "--name-template",
        None if args.generate_name => "--generate-name",
        None => return Ok(project),
    };
    if project.chart.is_some() || project.app_flag.is_some() {
        return Err(Error::usage(format!(
            "`{flag}` names the app, and a name is given too"
        )));
    }
    project.chart = project.app.take().map(PathBuf::from);
    project.app = Some(match &args.name_template {
        Some(template) => name_of(template, repeat::world(&args.repeat, context)?)?,
        None => "release-name".to_owned(),
    });
    Ok(project)
}

/// What a template of a name says, without values.
fn name_of(template: &str, mut world: World) -> Result<String, Error> {
    let wrong = |error: template::Error| Error::usage(format!("`--name-template`: {error}"));
    let mut templates = Templates::new(sprig::tables());
    let parsed = templates.parse("name-template", template);
    parsed.map_err(wrong)?;
    let name = templates.execute("name-template", &Value::Nil, &mut world);
    Ok(String::from_utf8_lossy(&name.map_err(wrong)?).into_owned())
}
