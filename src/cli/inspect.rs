//! `inspect`: the objects of an app and how they are.

use super::{Context, Error, Exit, flags, project, target};
use crate::deploy::{self, Seen};
use crate::ui;
use jiff::Timestamp;

/// Show the objects of an app and how they are
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass inspect              # the app of windlass.yaml
  windlass inspect my-app -n my-app")]
pub(super) struct Args {
    #[command(flatten)]
    name: flags::Name,
    /// Show the images of the last deploy, and which entry of a lock each comes from
    #[arg(long)]
    images: bool,
    #[command(flatten)]
    cluster: flags::Cluster,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let request = project::of_app(&args.name, context)?;
    let target = target::connect(&request, &args.cluster, context).await?;
    if args.images {
        return images(&target, context).await;
    }
    let seen = target
        .deadline
        .bound(deploy::inspect(&target.cluster, &target.app))
        .await?;
    let rows: Vec<Vec<String>> = seen.iter().map(|seen| row(seen, context.now())).collect();
    let headings = ["NAMESPACE", "OBJECT", "STATUS", "AGE", "MESSAGE"];
    context
        .ui
        .data(ui::plain_table(&headings, &rows).as_bytes())?;
    Ok(Exit::Done)
}

async fn images(target: &target::Target, context: &Context) -> Result<Exit, Error> {
    let history = deploy::history(&target.cluster, &target.app);
    let history = target.deadline.bound(history).await?;
    let rows: Vec<Vec<String>> = history
        .last()
        .iter()
        .flat_map(|deploy| &deploy.origin.images)
        .map(|image| {
            let lock = match image.lock.as_str() {
                "" => "not locked",
                place => place,
            };
            vec![image.from.clone(), image.image.clone(), lock.to_owned()]
        })
        .collect();
    let headings = ["IMAGE", "DEPLOYED AS", "LOCKED BY"];
    context
        .ui
        .data(ui::plain_table(&headings, &rows).as_bytes())?;
    Ok(Exit::Done)
}

fn row(seen: &Seen, now: Timestamp) -> Vec<String> {
    let target = &seen.target;
    vec![
        target.namespace.clone().unwrap_or_else(|| "-".to_owned()),
        format!("{}/{}", target.kind, target.name),
        format!("{:?}", seen.status.state),
        age(seen.created.parse().ok(), now),
        seen.status.message.clone(),
    ]
}

/// How long ago a time was; `-` when it is not known.
pub(super) fn age(time: Option<Timestamp>, now: Timestamp) -> String {
    time.map_or_else(
        || "-".to_owned(),
        |time| {
            let passed = now.as_second().saturating_sub(time.as_second());
            ui::seconds(u64::try_from(passed).unwrap_or_default())
        },
    )
}
