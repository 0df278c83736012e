//! `diff`: what a deploy would change. Writes nothing.

use super::target::{self, Wanted};
use super::{Context, Error, Exit, flags, project};
use crate::deploy::{self, Prepared};
use crate::diff::{Change, Op};
use crate::ui::{self, Shown};
use clap::ValueEnum;

/// Show what a deploy would change, secrets masked
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass diff                                      # what windlass.yaml says
  windlass diff my-app ./umbrella-chart -f values.yaml --exit-code
  windlass diff -e production --format markdown      # a comment for the pull request
  kustomize build . | windlass diff my-app -m -")]
pub(super) struct Args {
    #[command(flatten)]
    project: flags::Project,
    #[command(flatten)]
    manifests: flags::Manifests,
    #[command(flatten)]
    values: flags::Values,
    #[command(flatten)]
    render: flags::Render,
    #[command(flatten)]
    locks: flags::Locks,
    #[command(flatten)]
    cluster: flags::Cluster,
    #[command(flatten)]
    diff: flags::Diff,
    #[command(flatten)]
    upsert: flags::Upsert,
    /// Exit with 3 when changes are pending
    #[arg(long, help_heading = "Diff")]
    exit_code: bool,
    /// Form of the diff
    #[arg(long, value_enum, default_value_t = Format::Text, hide_default_value = true, help_heading = "Diff")]
    format: Format,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text,
    Json,
    Markdown,
    Summary,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let request = project::resolve(&args.project, &args.locks, &context.environment)?;
    let target = target::connect(&request, &args.cluster, context).await?;
    let wanted = Wanted {
        manifests: &args.manifests,
        values: &args.values,
        render: &args.render,
    };
    let manifests = target::desired(&target, &request, &wanted, context).await?;
    let masker = target::masker(args.diff.show_secrets)?;
    let wish = args
        .upsert
        .request(target.app.clone(), manifests, &args.cluster);
    let mut progress = context.progress();
    let prepared = deploy::prepare(&target.cluster, wish, &masker, &mut progress).await?;
    progress.clear();
    for warning in &prepared.warnings {
        context.ui.warning(warning);
    }
    context.ui.data(text(&prepared, args, context).as_bytes())?;
    let pending = prepared.changes().next().is_some();
    Ok(if pending && args.exit_code {
        Exit::Pending
    } else {
        Exit::Done
    })
}

fn text(prepared: &Prepared, args: &Args, context: &Context) -> String {
    let app = &prepared.app;
    let changes: Vec<&Change> = prepared
        .plan
        .steps
        .iter()
        .map(|step| &step.change)
        .collect();
    let summary = || format!("{}\n", ui::summary(changes.iter().copied()));
    match args.format {
        Format::Json => {
            let document =
                ui::diff_document(&app.name, &app.namespace, &prepared.plan, args.diff.all);
            format!("{document:#}\n")
        }
        Format::Markdown => ui::diff_comment(&app.name, &app.namespace, &changes),
        Format::Summary => summary(),
        Format::Text => {
            let shown = Shown {
                colored: context.ui.colors.stdout,
                context: args.diff.context_lines,
                noops: args.diff.all,
                whole_objects: true,
            };
            let all_noop = changes.iter().all(|change| change.op == Op::Noop);
            let gap = if all_noop && !args.diff.all { "" } else { "\n" };
            format!("{}{gap}{}", ui::show_changes(&changes, shown), summary())
        }
    }
}
