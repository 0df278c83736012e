//! `lock verify`: every locked image is there, can be pulled and is for the right platforms.

use super::form::{self, Line};
use super::outdated::place_of;
use super::resolving::{Registry, failed};
use super::{Context, Error, Exit, Paths, cluster, flags};
use crate::cluster::Selector;
use crate::image::{Override, Platform, Reference};
use crate::object::Gvk;
use crate::registry::{self, Client};
use crate::ui::count;
use futures::StreamExt as _;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass lock verify                          # manifests and layers are there
  windlass lock verify --platform linux/amd64 --platform linux/arm64
  windlass lock verify -e production --nodes    # for the nodes of that cluster")]
pub(super) struct Args {
    #[command(flatten)]
    paths: Paths,
    /// A platform that every image has to be for
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", value_parser = Platform::parse)]
    platform: Vec<Platform>,
    /// Every image has to be for the nodes of the cluster
    #[arg(long)]
    nodes: bool,
    #[command(flatten)]
    registry: Registry,
    #[command(flatten)]
    cluster: flags::Cluster,
    #[command(flatten)]
    report: flags::Report,
}

type Checked = Result<Vec<Platform>, registry::Error>;

/// Runs `lock verify`. Images that are missing are findings; a registry that does not answer is a
/// failure.
pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    let (_, entries) = args.paths.load(context)?;
    let mut platforms = args.platform.clone();
    if args.nodes {
        platforms.extend(of_nodes(args, context).await?);
    }
    let entries: Vec<_> = entries.iter().filter(|entry| entry.preresolved).collect();
    let client = args.registry.client(&context.environment)?;
    let checked = check(&client, &entries, &platforms).await;
    let (mut lines, mut failures) = (Vec::new(), Vec::new());
    for entry in &entries {
        let checked = &checked[&entry.new_image];
        if let Err(error) = checked {
            failures.push((form::image(entry), error.clone()));
        }
        lines.push(line(entry, checked));
    }
    let headings = ["IMAGE", "STATE", "LOCKED TO", "BY"];
    form::print(&args.report, ("entries", &headings), lines, context)?;
    if failures.is_empty() {
        let images = count(entries.len(), "locked image");
        context.ui.note(&format!("Verified {images}."));
        return Ok(Exit::Done);
    }
    let exit = match failures.iter().all(|(_, error)| is_finding(error)) {
        true => Exit::Findings,
        false => Exit::Failed,
    };
    let head = format!(
        "{} of {} not verified",
        failures.len(),
        count(entries.len(), "image")
    );
    Err(failed(exit, &head, &failures, |image| {
        place_of(image, &entries)
    }))
}

/// Checks every image once.
async fn check(
    client: &Client,
    entries: &[&Override],
    platforms: &[Platform],
) -> BTreeMap<String, Checked> {
    let images: BTreeMap<&str, ()> = entries.iter().map(|e| (e.new_image.as_str(), ())).collect();
    futures::stream::iter(images.into_keys())
        .map(|image| async move { (image.to_owned(), check_one(client, image, platforms).await) })
        .buffer_unordered(client.concurrency())
        .collect()
        .await
}

async fn check_one(client: &Client, image: &str, platforms: &[Platform]) -> Checked {
    let reference = Reference::parse(image)?;
    match &reference.digest {
        Some(digest) => client.check(&reference, digest, platforms).await,
        // Only tags of kbld's own local builds may stand in a lock.
        None => Err(registry::Error::Local {
            image: image.to_owned(),
        }),
    }
}

/// Whether an error says something of the image, and not of the way to it.
fn is_finding(error: &registry::Error) -> bool {
    use registry::Error as E;
    match error {
        E::Mirrors { source, .. } => is_finding(source),
        E::Missing { .. }
        | E::NoPlatform { .. }
        | E::NoRepository { .. }
        | E::WrongDigest { .. }
        | E::Reference(_)
        | E::Local { .. }
        | E::Blocked { .. } => true,
        _ => false,
    }
}

fn line(entry: &Override, checked: &Checked) -> Line {
    let (state, platforms) = match checked {
        Ok(platforms) => ("ok", platforms.iter().map(ToString::to_string).collect()),
        Err(error) if is_finding(error) => ("wrong", Vec::new()),
        Err(_) => ("unknown", Vec::new()),
    };
    let image = form::image(entry);
    let row = vec![
        image.clone(),
        state.to_owned(),
        entry.new_image.clone(),
        form::place(entry),
    ];
    let json = json!({
        "image": image,
        "state": state,
        "locked": entry.new_image,
        "platforms": platforms,
        "error": checked.as_ref().err().map(ToString::to_string),
        "lock": form::place(entry),
    });
    (row, json)
}

/// The platforms of the cluster's nodes.
async fn of_nodes(args: &Args, context: &Context) -> Result<Vec<Platform>, Error> {
    let request = args.paths.chart().nameless(context)?;
    let target = cluster::connect(&request, &args.cluster, context).await?;
    let node = Gvk {
        group: String::new(),
        version: "v1".to_owned(),
        kind: "Node".to_owned(),
    };
    let list = async {
        let kind = target.cluster.kind(&node, Duration::ZERO).await?;
        target.cluster.list(&kind, None, &Selector::default()).await
    };
    let nodes = target.deadline.bound(list).await?;
    let mut platforms: Vec<Platform> = Vec::new();
    for node in &nodes {
        let info = |key: &str| node.text(&["status", "nodeInfo", key]).to_owned();
        let platform = Platform {
            os: info("operatingSystem"),
            architecture: info("architecture"),
            ..Platform::default()
        };
        if !platform.os.is_empty() && !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    let told: Vec<String> = platforms.iter().map(ToString::to_string).collect();
    context.ui.detail(&format!(
        "{} of {}",
        count(nodes.len(), "node"),
        told.join(", ")
    ));
    Ok(platforms)
}
