//! `unlock`: who holds the lock of an app, and taking it away.

use super::{Context, Error, Exit, carry_out, flags, inspect, origin, project, target};
use crate::deploy::{self, Held};

/// Take away the lock of an app whose deploy died
#[derive(clap::Args, Debug)]
#[command(
    after_help = "A deploy that died keeps the lock for some seconds only, and the next one waits for that. Examples:
  windlass unlock my-app -n my-app
  windlass unlock my-app --force    # from a deploy that still runs: it writes nothing more"
)]
pub(super) struct Args {
    #[command(flatten)]
    name: flags::Name,
    #[command(flatten)]
    cluster: flags::Cluster,
    /// Do not ask
    #[arg(short, long, env = "WINDLASS_YES", hide_env = true)]
    yes: bool,
    /// Take it from a holder that lives, too
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let request = project::of_app(&args.name, context)?;
    let target = target::connect(&request, &args.cluster, context).await?;
    let (cluster, app) = (&target.cluster, &target.app);
    let deadline = target.deadline;
    let Some(held) = deadline.bound(deploy::held(cluster, app)).await? else {
        context.ui.note(&format!("App {} is not locked.", app.name));
        return Ok(Exit::Done);
    };
    context.ui.note(&describe(&app.name, &held, context));
    if held.lives && !args.force {
        let message = format!("the holder of the lock of app `{}` lives", app.name);
        return Err(
            Error::new(Exit::Locked, anyhow::Error::msg(message)).hinted(
                "let it end; `--force` takes the lock away, and it stops before its next write",
            ),
        );
    }
    carry_out::confirm(&format!("Unlock {}?", app.name), args.yes, context)?;
    let by = origin::of_run(&request, context);
    deadline.bound(deploy::unlock(cluster, &held, &by)).await?;
    context.ui.note(&format!(
        "Unlocked {}; the next deploy continues what was begun.",
        app.name
    ));
    Ok(Exit::Done)
}

/// Who holds the lock, and until when.
fn describe(app: &str, held: &Held, context: &Context) -> String {
    let renewed = inspect::age(held.renewed, context.now());
    let expires = held.expires.map_or_else(
        || "-".to_owned(),
        |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    );
    let ends = match held.lives {
        true => "ends",
        false => "ended",
    };
    format!(
        "App {app} is locked by {}; renewed {renewed} ago, {ends} at {expires}.",
        held.holder
    )
}
