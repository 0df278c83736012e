//! `drift`: what others changed since the last deploy, apart from what the next one would change.

use super::diff::{Form, Format};
use super::locking::Unlocked;
use super::{Context, Error, Exit, flags, project, stages, target};
use crate::deploy::{self, Drift};
use crate::ui::{self, DriftReport, Row};

/// Show what others changed since the last deploy, and what is pending
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Without a chart less is known: that something changed and who wrote since, not what was there before.

Examples:
  windlass drift                                # what windlass.yaml says
  windlass drift --exit-code --format summary   # in a scheduled job: 3 when something drifted
  windlass drift my-app -n my-app               # without the project"
)]
pub(super) struct Args {
    #[command(flatten)]
    wish: flags::Wish,
    /// Exit with 3 when something drifted
    #[arg(long, help_heading = "Diff")]
    exit_code: bool,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    output: flags::Output,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let wish = &args.wish;
    let request = project::resolve(&wish.project, &wish.locks, &context.environment)?;
    let target = target::connect(&request, &wish.cluster, context).await?;
    let masker = target::masker(wish.diff.show_secrets, &request.mask)?;
    let with_project = request.chart.is_some() || !wish.manifests.manifests.is_empty();
    let mut progress = context.progress();
    let work = async {
        let wanted = if with_project {
            let unlocked = Unlocked::Warned;
            let desired = target::desired(&target, &request, wish, unlocked, &masker, context);
            let (desired, _, recorded) = desired.await?;
            let desired = (desired, recorded);
            Some(target::wanted(&target, &request, desired, wish, context))
        } else {
            None
        };
        let found = deploy::drift(&target.cluster, &target.app, wanted, &masker, &mut progress);
        Ok::<_, Error>(found.await?)
    };
    let found = Box::pin(target.deadline.bound(work)).await;
    progress.clear();
    let found = found?;
    show(&found, &target.app, with_project, args, context)?;
    Ok(if args.exit_code && !found.drift.is_empty() {
        Exit::Pending
    } else {
        Exit::Done
    })
}

fn show(
    found: &Drift,
    app: &deploy::App,
    with_project: bool,
    args: &Args,
    context: &Context,
) -> Result<(), Error> {
    let pending: Vec<Row<'_>> = found
        .pending
        .iter()
        .map(|(change, wait)| (change, *wait))
        .collect();
    let report = DriftReport {
        app: &app.name,
        namespace: &app.namespace,
        last: found.last.as_ref(),
        drift: &found.drift,
        pending: &pending,
        unchanged: found.unchanged,
        notes: &found.notes,
        with_project,
    };
    let text = match args.form.format {
        Format::Json => format!("{:#}\n", ui::drift_document(&report)),
        Format::Markdown => args.form.comment(ui::drift_comment(&report))?,
        Format::Summary => format!("{}\n", ui::drift_summary(&report)),
        Format::Text => ui::show_drift(&report, args.output.shown(&args.wish.diff, context)),
    };
    stages::emit(args.output.output.as_deref(), text.as_bytes(), context)
}
