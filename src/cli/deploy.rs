//! `deploy`: diff, confirm, apply in order, wait, prune, record.

use super::locking::Unlocked;
use super::target::{self, Comparison, Target};
use super::{Context, Error, Exit, carry_out, flags, origin};
use crate::config::nearest;
use crate::deploy::{self, Prepared};
use crate::inventory::Origin;
use crate::plan::Plan;
use crate::ui::{self, Row};

/// Bring an app to the desired state: diff, confirm, apply in order, wait, prune, record
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass deploy                                    # what windlass.yaml says
  windlass deploy -e staging --yes                   # in a CI job
  windlass deploy my-app ./umbrella-chart -f values.yaml --create-namespace
  kustomize build . | windlass deploy my-app -m - --yes")]
pub(super) struct Args {
    #[command(flatten)]
    wish: flags::Wish,
    #[command(flatten)]
    guards: flags::Guards,
    #[command(flatten)]
    apply: flags::Apply,
    /// Stop after the diff
    #[arg(long, alias = "diff-run", help_heading = "Apply")]
    dry_run: bool,
    /// Also show what each change waits for, and why; of one object also what waits for it
    #[arg(
        long,
        value_name = "OBJECT",
        num_args = 0..=1,
        require_equals = true,
        help_heading = "Apply"
    )]
    explain: Option<Option<String>>,
}

/// Plans and carries out; plans anew when the lock was waited for and somebody deployed meanwhile.
pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let begun = std::time::Instant::now();
    loop {
        match once(args, context).await {
            Err(error) if is_overtaken(&error) && begun.elapsed() < args.apply.lock_wait => {
                context
                    .ui
                    .note("The app was deployed by somebody else meanwhile: this plan is of now.");
            }
            ended => return ended,
        }
    }
}

fn is_overtaken(error: &Error) -> bool {
    let overtaken = |error: &deploy::Error| matches!(error, deploy::Error::Overtaken { .. });
    error.source.downcast_ref().is_some_and(overtaken)
}

async fn once(args: &Args, context: &Context) -> Result<Exit, Error> {
    let Comparison {
        request,
        target,
        prepared,
        is_empty,
        images,
        masker,
    } = Box::pin(target::compare(&args.wish, Unlocked::Refused, context)).await?;
    if prepared.is_noop() {
        if !args.dry_run {
            deploy::remember(&target.cluster, &prepared).await;
        }
        show_reasons(&prepared, args, context)?;
        return carry_out::nothing_to_do(&prepared, context);
    }
    show(&prepared, args, context)?;
    show_reasons(&prepared, args, context)?;
    if let Some(obstacle) = prepared.obstacle() {
        return Err(obstacle.into());
    }
    guard(is_empty, &prepared, &args.guards)?;
    if args.dry_run {
        return carry_out::dry_run(&prepared, context);
    }
    let immutable = prepared.immutable();
    if !immutable.is_empty() {
        return Err(deploy::Error::Immutable(immutable).into());
    }
    carry_out::check_risks(&prepared, &args.apply, context)?;
    if prepared.writes() {
        let question = format!("Deploy {} to {}?", target.app.name, place(&target));
        carry_out::confirm(&question, args.apply.yes, context)?;
    }
    let origin = Origin {
        images,
        ..origin::of_deploy(&request, args.wish.manifests.manifests.is_empty(), context)
    };
    carry_out::run(&target, &prepared, &args.apply, origin, &masker, context).await
}

/// Stops before more is deleted than is meant. Nothing at all is most likely a broken pipe or a
/// mistyped value, for a new app, too.
fn guard(is_empty: bool, prepared: &Prepared, guards: &flags::Guards) -> Result<(), Error> {
    let (deleted, live) = prepared.deletions();
    let objects = ui::count(deleted, "object");
    let stop = |message: String| Error::new(Exit::Unsafe, anyhow::Error::msg(message));
    if is_empty && !guards.allow_empty {
        let lost = match deleted {
            0 => String::new(),
            _ => format!(", and deploying it would delete {objects}"),
        };
        return Err(stop(format!("nothing was rendered{lost}"))
            .hinted("if that is meant, add `--allow-empty`, or use `windlass delete`"));
    }
    match guards.max_prune {
        Some(most) if !most.allows(deleted, live) => Err(stop(format!(
            "{objects} of {live} would be deleted, more than `--max-prune {most}` allows"
        ))
        .hinted("`windlass diff` shows them; if that is meant, raise `--max-prune`")),
        _ => Ok(()),
    }
}

fn show(prepared: &Prepared, args: &Args, context: &Context) -> Result<(), Error> {
    let steps = prepared.plan.steps.iter();
    let rows: Vec<Row<'_>> = steps.map(|step| (&step.change, step.wait)).collect();
    let shown = args.wish.diff.shown(context);
    // JSON lines own stdout: the plan is in the events there.
    if context.log_format != ui::LogFormat::Json {
        context.ui.data(ui::show_changes(&rows, shown).as_bytes())?;
    }
    Ok(())
}

/// Shows the reasons for the order when they are asked for.
fn show_reasons(prepared: &Prepared, args: &Args, context: &Context) -> Result<(), Error> {
    if let Some(of) = &args.explain
        && context.log_format != ui::LogFormat::Json
    {
        let colored = context.ui.colors.stdout;
        let reasons = explain(&prepared.plan, of.as_deref(), colored)?;
        context.ui.data(format!("\n{reasons}\n").as_bytes())?;
    }
    Ok(())
}

/// Why changes stand where they stand, or one object does.
fn explain(plan: &Plan, of: Option<&str>, colored: bool) -> Result<String, Error> {
    let Some(name) = of else {
        return Ok(ui::explain(plan, colored));
    };
    let steps = plan.steps_of(name);
    if !steps.is_empty() {
        return Ok(ui::explain_only(plan, &steps, colored));
    }
    let targets = plan.steps.iter().map(|step| &step.change.target);
    let known = targets.map(|target| format!("{}/{}", target.kind, target.name));
    let known: Vec<String> = known.collect();
    let near = nearest(name, known.iter().map(String::as_str));
    let hint = near.map(|near| format!("did you mean `--explain={near}`?"));
    Err(Error::usage(format!("no object `{name}` is deployed or deleted")).hinted_if(hint))
}

fn place(target: &Target) -> String {
    format!(
        "namespace {} of {}",
        target.app.namespace,
        target.cluster.context()
    )
}
