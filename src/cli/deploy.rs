//! `deploy`: diff, confirm, apply in order, wait, prune, record.

use super::project::{self, Request};
use super::target::{self, Target, Wanted};
use super::{Context, Error, Exit, carry_out, flags};
use crate::deploy::{self, Prepared};
use crate::diff::Change;
use crate::inventory::Origin;
use crate::ui::{self, Shown};

/// Bring an app to the desired state: diff, confirm, apply in order, wait, prune, record
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass deploy                                    # what windlass.yaml says
  windlass deploy -e staging --yes                   # in a CI job
  windlass deploy my-app ./umbrella-chart -f values.yaml --create-namespace
  kustomize build . | windlass deploy my-app -m - --yes")]
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
    #[command(flatten)]
    apply: flags::Apply,
    /// Stop after the diff
    #[arg(long, help_heading = "Apply")]
    dry_run: bool,
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
    let empty = manifests.is_empty();
    let masker = target::masker(args.diff.show_secrets)?;
    let wish = args
        .upsert
        .request(target.app.clone(), manifests, &args.cluster);
    let mut progress = context.progress();
    let prepared = deploy::prepare(&target.cluster, wish, &masker, &mut progress).await?;
    progress.clear();
    check_empty(empty, &prepared, args)?;
    for warning in &prepared.warnings {
        context.ui.warning(warning);
    }
    if prepared.is_noop() {
        if !args.dry_run {
            deploy::remember(&target.cluster, &prepared).await;
        }
        return carry_out::nothing_to_do(&prepared, context);
    }
    show(&prepared, args, context)?;
    if args.dry_run {
        return Ok(Exit::Done);
    }
    if prepared.writes() {
        let question = format!("Deploy {} to {}?", target.app.name, place(&target));
        carry_out::confirm(&question, args.apply.yes, context)?;
    }
    let origin = origin(&request, context);
    carry_out::run(
        &target.cluster,
        &prepared,
        &args.apply,
        origin,
        &masker,
        context,
    )
    .await
}

/// An app that would lose all its objects is most likely a broken pipe or a mistyped value.
fn check_empty(empty: bool, prepared: &Prepared, args: &Args) -> Result<(), Error> {
    let (deleted, _) = prepared.deletions();
    if !empty || deleted == 0 || args.upsert.allow_empty {
        return Ok(());
    }
    let objects = ui::count(deleted, "object");
    Err(Error::new(
        Exit::Unsafe,
        anyhow::anyhow!("nothing was rendered, and deploying it would delete {objects}"),
    )
    .hinted("if that is meant, add `--allow-empty`, or use `windlass delete`"))
}

fn show(prepared: &Prepared, args: &Args, context: &Context) -> Result<(), Error> {
    let changes: Vec<&Change> = prepared
        .plan
        .steps
        .iter()
        .map(|step| &step.change)
        .collect();
    let shown = Shown {
        colored: context.ui.colors.stdout,
        context: args.diff.context_lines,
        noops: args.diff.all,
        whole_objects: context.ui.verbose > 0,
    };
    // JSON lines own stdout: the plan is in the events there.
    if context.log_format != ui::LogFormat::Json {
        let text = ui::show_changes(&changes, shown);
        context
            .ui
            .data(format!("{text}\n{}\n", ui::summary(changes)).as_bytes())?;
    }
    Ok(())
}

fn place(target: &Target) -> String {
    format!(
        "namespace {} of {}",
        target.app.namespace,
        target.cluster.context()
    )
}

/// Where the deploy comes from, as the record keeps it.
fn origin(request: &Request, context: &Context) -> Origin {
    let environment = &context.environment;
    let folder = if request.folder.as_os_str().is_empty() {
        std::path::Path::new(".")
    } else {
        &request.folder
    };
    let commit = super::git::commit(folder).or_else(|| environment.ci_commit.clone());
    Origin {
        git_commit: commit.unwrap_or_default(),
        chart: request
            .chart
            .as_ref()
            .map(|path| path.display().to_string())
            .unwrap_or_default(),
        who: environment.user.clone().unwrap_or_default(),
        host: environment.host.clone().unwrap_or_default(),
        ci_url: environment.ci_url.clone().unwrap_or_default(),
        ..Origin::default()
    }
}
