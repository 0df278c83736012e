//! `diff`: what a deploy would change. Writes nothing.

use super::locking::Unlocked;
use super::target::{self, Comparison};
use super::{Context, Error, Exit, files, flags, stages};
use crate::diff::{Change, Op};
use crate::plan::Wait;
use crate::ui::{self, Shown};
use clap::ValueEnum;
use std::path::PathBuf;

/// Show what a deploy would change, secrets masked
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass diff                                      # what windlass.yaml says
  windlass diff my-app ./umbrella-chart -f values.yaml --exit-code
  windlass diff -e production --format markdown      # a comment for the pull request
  kustomize build . | windlass diff my-app -m -
  windlass diff --files before.yaml after.yaml       # no cluster")]
pub(super) struct Args {
    #[command(flatten)]
    wish: flags::Wish,
    /// Exit with 3 when changes are pending
    #[arg(long, help_heading = "Diff")]
    exit_code: bool,
    /// Form of the diff
    #[arg(long, value_enum, default_value_t = Format::Text, hide_default_value = true, help_heading = "Diff")]
    format: Format,
    /// Compare two manifest files or folders, without a cluster
    #[arg(
        long,
        num_args = 2,
        value_names = ["OLD", "NEW"],
        conflicts_with_all = ["app", "manifests"],
        help_heading = "Diff"
    )]
    files: Vec<PathBuf>,
    #[command(flatten)]
    output: flags::Output,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text,
    Json,
    Markdown,
    Summary,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    if let [old, new] = args.files.as_slice() {
        let masker = target::masker(args.wish.diff.show_secrets)?;
        let changes = files::changes(old, new, &masker, context)?;
        let steps: Vec<_> = changes.iter().map(|change| (change, Wait::None)).collect();
        return show("", "", &steps, args, context);
    }
    let Comparison { prepared, .. } =
        Box::pin(target::compare(&args.wish, Unlocked::Warned, context)).await?;
    let steps = prepared.plan.steps.iter();
    let steps: Vec<_> = steps.map(|step| (&step.change, step.wait)).collect();
    let app = &prepared.app;
    show(&app.name, &app.namespace, &steps, args, context)
}

fn show(
    app: &str,
    namespace: &str,
    steps: &[(&Change, Wait)],
    args: &Args,
    context: &Context,
) -> Result<Exit, Error> {
    let changes: Vec<&Change> = steps.iter().map(|(change, _)| *change).collect();
    let noops = args.wish.diff.all;
    let text = match args.format {
        Format::Json => {
            let document = ui::diff_document(app, namespace, steps.iter().copied(), noops);
            format!("{document:#}\n")
        }
        Format::Markdown => ui::diff_comment(app, namespace, &changes),
        Format::Summary => format!("{}\n", ui::summary(changes.iter().copied())),
        Format::Text => text(&changes, args, context),
    };
    stages::emit(args.output.output.as_deref(), text.as_bytes(), context)?;
    let pending = changes.iter().any(|change| change.op != Op::Noop);
    Ok(if pending && args.exit_code {
        Exit::Pending
    } else {
        Exit::Done
    })
}

fn text(changes: &[&Change], args: &Args, context: &Context) -> String {
    let noops = args.wish.diff.all;
    let shown = Shown {
        colored: context.ui.colors.stdout && args.output.output.is_none(),
        context: args.wish.diff.context_lines,
        noops,
        whole_objects: true,
    };
    let all_noop = changes.iter().all(|change| change.op == Op::Noop);
    let gap = if all_noop && !noops { "" } else { "\n" };
    format!(
        "{}{gap}{}\n",
        ui::show_changes(changes, shown),
        ui::summary(changes.iter().copied())
    )
}
