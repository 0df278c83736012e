//! `inspect`: the objects of an app and how they are.

use super::{Context, Error, Exit, flags, history, project, target};
use crate::deploy::{self, Relative};
use crate::inventory::ImageSource;
use crate::ui;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Show the objects of an app and how they are
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass inspect              # the app of windlass.yaml
  windlass inspect my-app -n my-app --tree")]
pub(super) struct Args {
    #[command(flatten)]
    name: flags::Name,
    /// Also show what was made of each object: ReplicaSets, pods, Jobs, claims
    #[arg(short, long, conflicts_with = "images")]
    tree: bool,
    /// Show the images of the last deploy, and which entry of a lock each comes from
    #[arg(long)]
    images: bool,
    #[command(flatten)]
    cluster: flags::Cluster,
    #[command(flatten)]
    report: flags::Report,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let request = project::of_app(&args.name, context)?;
    let target = target::connect(&request, &args.cluster, context).await?;
    if args.images {
        return images(&target, &args.report, context).await;
    }
    let looking = async {
        let seen = deploy::inspect(&target.cluster, &target.app).await?;
        if args.tree {
            return Ok(deploy::family(&target.cluster, seen).await?);
        }
        let alone = |seen| Relative {
            seen,
            owner: None,
            depth: 0,
        };
        Ok::<_, deploy::Error>(seen.into_iter().map(alone).collect())
    };
    let family: Vec<Relative> = target.deadline.bound(looking).await?;
    let rows: Vec<Vec<String>> = family.iter().map(|one| row(one, context.now())).collect();
    let headings = ["NAMESPACE", "OBJECT", "STATUS", "AGE", "MESSAGE"];
    let app = &target.app;
    let document = || {
        json!({
            "schemaVersion": 1,
            "app": app.name,
            "namespace": app.namespace,
            "objects": family.iter().map(document).collect::<Vec<_>>(),
        })
    };
    args.report
        .print(|| ui::plain_table(&headings, &rows), document, context)?;
    Ok(Exit::Done)
}

fn document(relative: &Relative) -> Value {
    let seen = &relative.seen;
    let mut document = json!({
        "object": seen.target,
        "status": format!("{:?}", seen.status.state),
        "created": seen.created,
        "message": seen.status.message,
    });
    if let Some(owner) = &relative.owner {
        document["owner"] = json!(owner);
    }
    document
}

async fn images(
    target: &target::Target,
    report: &flags::Report,
    context: &Context,
) -> Result<Exit, Error> {
    let history = deploy::history(&target.cluster, &target.app);
    let history = target.deadline.bound(history).await?;
    let Some(last) = history.last() else {
        return Err(Error::failed("nothing was deployed yet"));
    };
    let images = &last.origin.images;
    let headings = ["IMAGE", "DEPLOYED AS", "LOCKED BY"];
    let rows: Vec<Vec<String>> = images.iter().map(image_row).collect();
    report.print(
        || ui::plain_table(&headings, &rows),
        || json!({ "schemaVersion": 1, "revision": last.revision, "images": images }),
        context,
    )?;
    if last.dropped.images > 0 {
        let more = ui::count(last.dropped.images, "more image");
        context.ui.note(&format!("{more} not remembered."));
    }
    Ok(Exit::Done)
}

fn image_row(image: &ImageSource) -> Vec<String> {
    let lock = history::locked_by(image).to_owned();
    vec![image.from.clone(), image.image.clone(), lock]
}

fn row(relative: &Relative, now: Timestamp) -> Vec<String> {
    let seen = &relative.seen;
    let target = &seen.target;
    let branch = match relative.depth {
        0 => String::new(),
        depth => format!("{}└ ", "  ".repeat(depth - 1)),
    };
    vec![
        target.namespace.clone().unwrap_or_else(|| "-".to_owned()),
        format!("{branch}{}/{}", target.kind, target.name),
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
