//! `delete`: remove everything an app owns, in reverse order, and wait until it is gone.

use super::{Context, Error, Exit, carry_out, flags, origin, project, target};
use crate::deploy;
use crate::ui::{self, Row};

/// Delete everything an app owns, in reverse order, and wait
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass delete                                    # the app of windlass.yaml
  windlass delete preview-my-branch -n preview-my-branch --yes")]
pub(super) struct Args {
    #[command(flatten)]
    name: flags::Name,
    #[command(flatten)]
    cluster: flags::Cluster,
    #[command(flatten)]
    apply: flags::Apply,
    /// Exit with 0 when the app is not deployed
    #[arg(long)]
    ignore_not_found: bool,
    /// Do not run the hooks of the deletion
    #[arg(long, help_heading = "Apply")]
    no_hooks: bool,
    /// Stop after showing what would be deleted
    #[arg(long, help_heading = "Apply")]
    dry_run: bool,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let request = project::of_app(&args.name, context)?;
    let target = target::connect(&request, &args.cluster, context).await?;
    let masker = target::masker(false, &request.mask)?;
    let mut progress = context.progress();
    let prepared = target
        .deadline
        .bound(async {
            let (cluster, app, hooks) = (&target.cluster, &target.app, !args.no_hooks);
            match deploy::prepare_delete(cluster, app, hooks, &masker, &mut progress).await {
                Err(deploy::Error::NotDeployed { .. }) => Ok(None),
                Err(deploy::Error::NamespaceGoes { .. }) if args.ignore_not_found => Ok(None),
                prepared => prepared.map(Some),
            }
        })
        .await;
    progress.clear();
    let Some(prepared) = prepared? else {
        let (app, namespace) = (&target.app.name, &target.app.namespace);
        if args.ignore_not_found {
            let message = format!("App {app} is not deployed in namespace {namespace}.");
            return carry_out::finish(Exit::Done, "unchanged", message, context);
        }
        let text = format!("app `{app}` is not deployed in namespace `{namespace}`");
        let hint = "`windlass list -A` shows all apps; a teardown that may run twice adds `--ignore-not-found`";
        return Err(Error::failed(text).hinted(hint));
    };
    for warning in &prepared.warnings {
        context.ui.warning(warning);
    }
    if context.log_format != ui::LogFormat::Json {
        let steps = prepared.plan.steps.iter();
        let rows: Vec<Row<'_>> = steps.map(|step| (&step.change, step.wait)).collect();
        let shown = flags::Diff::default().shown(context);
        context.ui.data(ui::show_changes(&rows, shown).as_bytes())?;
    }
    if args.dry_run {
        return carry_out::dry_run(&prepared, context);
    }
    carry_out::check_risks(&prepared, &args.apply, context)?;
    let question = format!(
        "Delete {} of namespace {} of {}?",
        target.app.name,
        target.app.namespace,
        target.cluster.context()
    );
    carry_out::confirm(&question, args.apply.yes, context)?;
    let origin = origin::of_run(&request, context);
    carry_out::run(&target, &prepared, &args.apply, origin, &masker, context).await
}
