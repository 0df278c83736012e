//! `diff`: what a deploy would change. Writes nothing.

use super::locking::Unlocked;
use super::target::{self, Comparison};
use super::{Context, Error, Exit, against, carry_out, files, flags, project, stages};
use crate::diff::{Change, Op};
use crate::plan::Wait;
use crate::ui::{self, Row, Shown, Tense};
use clap::ValueEnum;
use std::path::PathBuf;

/// Show what a deploy would change, secrets masked
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass diff --exit-code                          # what windlass.yaml says
  windlass diff -e production --format markdown      # a comment for the pull request
  kustomize build . | windlass diff my-app -m -
  windlass diff --against origin/main                # what this branch changes, no cluster
  windlass diff --files before.yaml after.yaml       # no cluster")]
pub(super) struct Args {
    #[command(flatten)]
    wish: flags::Wish,
    /// Exit with 3 when changes are pending
    #[arg(long, help_heading = "Diff")]
    exit_code: bool,
    /// Compare two manifest files or folders, without a cluster
    #[arg(
        long,
        num_args = 2,
        hide_short_help = true,
        value_names = ["OLD", "NEW"],
        conflicts_with_all = ["app", "manifests"],
        help_heading = "Diff"
    )]
    files: Vec<PathBuf>,
    /// Compare with the render of this git revision, without a cluster
    #[arg(
        long,
        value_name = "REV",
        conflicts_with = "files",
        help_heading = "Diff"
    )]
    against: Option<String>,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    output: flags::Output,
}

/// In what form changes are written.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Diff")]
pub(super) struct Form {
    /// Form of the diff
    #[arg(long, value_enum, default_value_t = Format::Text, hide_default_value = true)]
    pub(super) format: Format,
    /// File for what `--format markdown` cuts to keep the comment short enough for GitHub
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(super) rest_file: Option<PathBuf>,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Json,
    Markdown,
    Summary,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let secrets = args.wish.diff.show_secrets;
    let offline = |old, new: &files::Side, mask: &[String]| {
        let masker = target::masker(secrets, mask)?;
        Ok::<_, Error>(files::changes(old, new, &masker))
    };
    if let [old, new] = args.files.as_slice() {
        let mask = project::mask(&args.wish.project.file, context)?;
        let (old, new) = (files::read(old, context)?, files::read(new, context)?);
        return show(
            "",
            "",
            &unordered(&offline(old, &new, &mask)?),
            args,
            context,
        );
    }
    if let Some(rev) = &args.against {
        let (request, old, new) = against::objects(rev, &args.wish, context)?;
        let changes = offline(old, &new, &request.mask)?;
        let namespace = request.offline_namespace();
        return show(&request.app, namespace, &unordered(&changes), args, context);
    }
    let Comparison { prepared, .. } =
        Box::pin(target::compare(&args.wish, Unlocked::Foretold, context)).await?;
    carry_out::warn_of_risks(&prepared, context);
    let steps = prepared.plan.steps.iter();
    let rows: Vec<Row<'_>> = steps.map(|step| (&step.change, step.wait)).collect();
    let app = &prepared.app;
    let exit = show(&app.name, &app.namespace, &rows, args, context)?;
    match prepared.obstacle() {
        Some(error) => Err(error.into()),
        None => Ok(exit),
    }
}

fn unordered(changes: &[Change]) -> Vec<Row<'_>> {
    changes.iter().map(|change| (change, Wait::None)).collect()
}

fn show(
    app: &str,
    namespace: &str,
    rows: &[Row<'_>],
    args: &Args,
    context: &Context,
) -> Result<Exit, Error> {
    let text = match args.form.format {
        Format::Json => {
            let noops = args.wish.diff.all;
            format!("{:#}\n", ui::diff_document(app, namespace, rows, noops))
        }
        Format::Markdown => {
            args.form
                .comment(ui::diff_comment(app, namespace, rows, Tense::Plan))?
        }
        Format::Summary => format!("{}\n", ui::summary(rows.iter().map(|(change, _)| *change))),
        Format::Text => ui::show_changes(rows, args.output.shown(&args.wish.diff, context)),
    };
    stages::emit(args.output.output.as_deref(), text.as_bytes(), context)?;
    let pending = rows.iter().any(|(change, _)| change.op != Op::Noop);
    Ok(if pending && args.exit_code {
        Exit::Pending
    } else {
        Exit::Done
    })
}

impl Form {
    /// The text of a comment; what was cut from it goes to its file.
    pub(super) fn comment(&self, comment: ui::Comment) -> Result<String, Error> {
        let file = self.rest_file.as_ref();
        if let Some(file) = file {
            stages::write_file(file, comment.rest.as_bytes())?;
        }
        let name = file.map(|file| file.display().to_string());
        Ok(comment.closed(name.as_deref()).text)
    }
}

impl flags::Output {
    /// How changes are shown where this output goes: whole objects, and no colour in a file.
    pub(super) fn shown(&self, diff: &flags::Diff, context: &Context) -> Shown {
        let mut shown = Shown {
            whole_objects: true,
            ..diff.shown(context)
        };
        if self.output.is_some() {
            shown.colored = false;
            shown.width = None;
        }
        shown
    }
}
