//! `history`: what was deployed when, by whom and how it ended; `history show`: one deploy, with its
//! changes and the origins of its images.

use super::target::{self, Target};
use super::{Context, Error, Exit, flags, project};
use crate::deploy;
use crate::inventory::{Changed, Deploy, Dropped, ImageSource, Origin};
use crate::ui::{self, count, plain_table};
use serde_json::{Value, json};

/// Show the deploys of an app
#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  windlass history                   # the app of windlass.yaml
  windlass history show              # the last deploy: commit, changes, images
  windlass history show 12 my-app --format json"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    of: Of,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Show one deploy: where it came from, what it changed, which images it brought
    Show(Show),
}

#[derive(clap::Args, Debug)]
struct Show {
    /// Revision of the deploy [default: the last]
    #[arg(value_name = "REVISION")]
    revision: Option<u64>,
    #[command(flatten)]
    of: Of,
}

/// The history of which app, and in which form.
#[derive(clap::Args, Debug)]
struct Of {
    #[command(flatten)]
    name: flags::Name,
    #[command(flatten)]
    cluster: flags::Cluster,
    #[command(flatten)]
    report: flags::Report,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    match &args.command {
        Some(Command::Show(args)) => show(args, context).await,
        None => list(&args.of, context).await,
    }
}

/// The deploys that are remembered, the newest last.
async fn read(of: &Of, context: &Context) -> Result<(Target, Vec<Deploy>), Error> {
    let request = project::of_app(&of.name, context)?;
    let target = target::connect(&request, &of.cluster, context).await?;
    let history = deploy::history(&target.cluster, &target.app);
    let history = target.deadline.bound(history).await?;
    Ok((target, history))
}

async fn list(of: &Of, context: &Context) -> Result<Exit, Error> {
    let (target, history) = read(of, context).await?;
    let headings = [
        "REVISION", "RESULT", "STARTED", "TOOK", "BY", "COMMIT", "CHART", "CHANGES",
    ];
    let forgotten = history.first().map_or(0, |first| first.revision - 1);
    let rows: Vec<Vec<String>> = history.iter().map(row).collect();
    let document = || {
        json!({
            "schemaVersion": 1,
            "app": target.app.name,
            "namespace": target.app.namespace,
            "forgotten": forgotten,
            "deploys": history.iter().map(document).collect::<Vec<_>>(),
        })
    };
    of.report
        .print(|| plain_table(&headings, &rows), document, context)?;
    if forgotten > 0 {
        let older = count(
            usize::try_from(forgotten).unwrap_or(usize::MAX),
            "older deploy",
        );
        context.ui.note(&format!("{older} no longer remembered."));
    }
    Ok(Exit::Done)
}

async fn show(args: &Show, context: &Context) -> Result<Exit, Error> {
    let (target, history) = read(&args.of, context).await?;
    let app = &target.app;
    let wanted = match args.revision {
        Some(revision) => history.iter().find(|deploy| deploy.revision == revision),
        None => history.last(),
    };
    let Some(deploy) = wanted else {
        let error = Error::failed(format!(
            "app `{}` has no deploy {} in its record",
            app.name,
            args.revision.unwrap_or_default()
        ));
        return Err(match (history.first(), history.last()) {
            (Some(first), Some(last)) => error.hinted(format!(
                "it remembers {} to {}",
                first.revision, last.revision
            )),
            _ => error.hinted("nothing was deployed yet"),
        });
    };
    let head = format!("{} in namespace {}", app.name, app.namespace);
    let mut json = document(deploy);
    json["schemaVersion"] = 1.into();
    json["app"] = app.name.as_str().into();
    json["namespace"] = app.namespace.as_str().into();
    let report = &args.of.report;
    report.print(|| text(deploy, &head), || json, context)?;
    Ok(Exit::Done)
}

/// The deploy as JSON, with its length.
fn document(deploy: &Deploy) -> Value {
    let mut json = json!(deploy);
    json["seconds"] = json!(seconds(deploy));
    json
}

fn row(deploy: &Deploy) -> Vec<String> {
    let origin = &deploy.origin;
    let cells = [
        deploy.revision.to_string(),
        deploy.result.to_string(),
        time(deploy.started),
        seconds(deploy).map(ui::seconds).unwrap_or_default(),
        origin.who.clone(),
        short(&origin.git_commit),
        origin.chart.clone(),
        deploy.summary.clone(),
    ];
    let told = |cell: String| match cell.is_empty() {
        true => "-".to_owned(),
        false => cell,
    };
    cells.map(told).to_vec()
}

/// The whole of a deploy, for people: blocks with an empty line between them.
fn text(deploy: &Deploy, app: &str) -> String {
    let fields = fields(deploy).into_iter();
    let fields = fields.filter(|(_, value)| !value.is_empty());
    let changed = |change: &Changed| {
        let object = change.object.to_string();
        let op = if change.hook { "run" } else { &change.op };
        vec![op.to_owned(), object, change.state.clone()]
    };
    let mut blocks = vec![
        format!("Deploy {} of {app}\n", deploy.revision),
        fields
            .map(|(name, value)| format!("{name:<8}  {value}\n"))
            .collect(),
    ];
    if !deploy.changes.is_empty() {
        let rows: Vec<Vec<String>> = deploy.changes.iter().map(changed).collect();
        blocks.push(plain_table(&["OP", "OBJECT", "STATE"], &rows));
    }
    let Dropped {
        changes, images, ..
    } = deploy.dropped;
    blocks.extend(forgotten(changes, "change"));
    blocks.extend(deploy.origin.images.iter().map(image_text));
    blocks.extend(forgotten(images, "image"));
    blocks.join("\n")
}

fn forgotten(number: usize, what: &str) -> Option<String> {
    let more = count(number, &format!("more {what}"));
    (number > 0).then(|| format!("{more} no longer remembered.\n"))
}

/// The fields of a deploy that are one line each; those that are not known are empty.
fn fields(deploy: &Deploy) -> Vec<(&'static str, String)> {
    let Origin {
        git_remote,
        git_commit,
        chart,
        chart_digest,
        who,
        host,
        ci_url,
        ..
    } = &deploy.origin;
    let ended = deploy.finished.map(|finished| {
        let took = seconds(deploy).map(ui::seconds).unwrap_or_default();
        format!("{} ({took})", time(finished))
    });
    let (commit, dirty) = match git_commit.split_once('-') {
        Some((commit, _)) => (commit, " with changes that are not committed"),
        None => (git_commit.as_str(), ""),
    };
    let mut fields = vec![
        ("result", deploy.result.to_string()),
        ("started", time(deploy.started)),
        ("ended", ended.unwrap_or_default()),
        ("by", joined(&[who, host], " on ")),
        ("run", ci_url.clone()),
        (
            "commit",
            joined(&[&format!("{commit}{dirty}"), git_remote], " of "),
        ),
        ("chart", joined(&[chart, chart_digest], "  ")),
    ];
    let locks = deploy.origin.locks.iter();
    fields.extend(locks.map(|lock| ("lock", format!("{}  {}", lock.file, lock.digest))));
    fields.push(("changes", deploy.summary.clone()));
    fields
}

/// Those of the words that are there.
fn joined(words: &[&str], between: &str) -> String {
    let there = words.iter().filter(|word| !word.is_empty());
    there.copied().collect::<Vec<_>>().join(between)
}

/// An image, what locks it, and where that comes from, a line each.
fn image_text(image: &ImageSource) -> String {
    let mut lines = vec![format!("image {}", image.from)];
    if image.image != image.from {
        lines.push(format!("deployed as {}", image.image));
    }
    lines.push(match locked_by(image) {
        place if place == image.lock => format!("locked at {place}"),
        other => other.to_owned(),
    });
    lines.extend(image.origins.iter().filter_map(origin));
    lines.join("\n  ") + "\n"
}

/// The entry of a lock that an image comes from, or why there is none.
pub(super) fn locked_by(image: &ImageSource) -> &str {
    match image.lock.as_str() {
        "" if image.image.contains('@') => "its own digest",
        "" => "not locked",
        place => place,
    }
}

/// An origin of a lock's entry, in words.
fn origin(origin: &Value) -> Option<String> {
    let (kind, fields) = origin.as_object()?.iter().next()?;
    let text = |key: &str| fields[key].as_str().unwrap_or_default();
    let tags = || {
        let tags = fields["tags"].as_array().into_iter().flatten();
        tags.filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    Some(match kind.as_str() {
        "resolved" => format!("tag {}", text("url")),
        "git" => {
            let dirty = fields["dirty"].as_bool() == Some(true);
            let dirty = if dirty { "-dirty" } else { "" };
            let commit = format!("commit {}{dirty}", short(text("sha")));
            joined(
                &[&joined(&[&commit, text("remoteURL")], " of "), &tags()],
                ", ",
            )
        }
        "built" => {
            let by = format!("built by {}", text("builder"));
            joined(&[&by, text("time"), text("run")], ", ")
        }
        "tagged" => format!("pushed as {}", tags()),
        "platformSelected" => {
            let platform = joined(&[text("os"), text("architecture"), text("variant")], "/");
            format!("for {platform}")
        }
        _ => return None,
    })
}

/// A commit as people name it: its first twelve digits, and whether files differed from it.
pub(super) fn short(commit: &str) -> String {
    let (digits, dirty) = commit
        .split_once('-')
        .map_or((commit, ""), |(d, _)| (d, "-dirty"));
    format!("{}{dirty}", digits.get(..12).unwrap_or(digits))
}

/// A time without the parts of its seconds.
fn time(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// How long a deploy took.
fn seconds(deploy: &Deploy) -> Option<u64> {
    let took = deploy.finished?.duration_since(deploy.started);
    u64::try_from(took.as_secs()).ok()
}
