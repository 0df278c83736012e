//! `deps`: the charts that a chart needs: listed, restored, updated, compared with what is newer.

use super::lock::resolving::{self, Registry};
use super::project::{self, Request};
use super::verification::Verification;
use super::{Context, Error, Exit, flags, online};
use crate::deps::{self, Cache, Network, Report, Repositories, Verifier};
use crate::registry::{Aws, Passing, Settings};
use crate::ui::{self, Downloads, count};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;
use windlass_helm::chart::{self, Profile};

/// Restore, update and list the charts that a chart needs
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  windlass deps update           # choose versions, fill charts/, write Chart.lock and Chart.sum
  windlass deps build --verify always --keyring team.gpg
  windlass deps build --offline  # from the lock, the cache and charts/ alone
  windlass deps outdated --exit-code")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Fill charts/ with what the lock says; without a lock, as `update`
    Build(Fill),
    /// Choose the newest versions that fit, fill charts/ and write the lock
    #[command(visible_alias = "up")]
    Update(Fill),
    /// List the dependencies and whether charts/ has them
    #[command(visible_alias = "ls")]
    List(List),
    /// List versions that are newer than the locked ones
    Outdated(Outdated),
}

#[derive(clap::Args, Debug)]
struct List {
    /// Chart: a directory or a .tgz [default: `chart` of windlass.yaml, or `.`]
    #[arg(value_name = "CHART")]
    chart: Option<PathBuf>,
}

#[derive(clap::Args, Debug)]
struct Restore {
    /// Directory of the chart [default: `chart` of windlass.yaml, or `.`]
    #[arg(value_name = "CHART")]
    chart: Option<PathBuf>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(clap::Args, Debug)]
struct Fill {
    #[command(flatten)]
    chart: Restore,
    #[command(flatten)]
    verification: Verification,
}

#[derive(clap::Args, Debug)]
struct Outdated {
    #[command(flatten)]
    chart: Restore,
    /// Exit with 3 when a version that fits is newer than the locked one
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    report: flags::Report,
}

/// Where dependencies may come from.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct Reach {
    /// Use the cache and what is there, never the network
    #[arg(long)]
    offline: bool,
    /// Allow `file://` to lead out of the project
    #[arg(long)]
    allow_outside: bool,
    /// File of named chart repositories [default: Helm's]
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    repository_config: Option<PathBuf>,
    #[command(flatten)]
    registry: Registry,
    /// The folder of the project, without links, if it is known.
    #[arg(skip)]
    fence: Option<PathBuf>,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Exit, Error> {
    match &args.command {
        Command::Build(args) => restore(args, false, context).await,
        Command::Update(args) => restore(args, true, context).await,
        Command::List(args) => list(args, context),
        Command::Outdated(args) => outdated(args, context).await,
    }
}

/// The chart that is meant.
fn chart_of(chart: Option<&PathBuf>, context: &Context) -> Result<PathBuf, Error> {
    if let Some(chart) = chart {
        return Ok(chart.clone());
    }
    let project = flags::Project::default();
    let locks = flags::Locks::default();
    let request = project::resolve_or(Some("deps"), &project, &locks, &context.environment)?;
    Ok(request.chart.unwrap_or_else(|| ".".into()))
}

async fn restore(args: &Fill, is_update: bool, context: &Context) -> Result<Exit, Error> {
    let chart = chart_of(args.chart.chart.as_ref(), context)?;
    let verifier = args.verification.verifier(context)?;
    let (reach, verifier) = (&args.chart.reach, verifier.as_ref());
    let report = restored(&chart, reach, verifier, is_update, context).await?;
    let known = report.archives - report.fetched.min(report.archives);
    let archives = count(report.archives, "archive");
    let lock = report.lock.map(|lock| format!("; wrote {lock}"));
    context.ui.note(&format!(
        "{archives} in {}: {} fetched, {known} from here{}.",
        shown(&chart),
        report.fetched,
        lock.unwrap_or_default()
    ));
    Ok(Exit::Done)
}

fn shown(chart: &Path) -> String {
    chart.join("charts").display().to_string()
}

async fn restored(
    chart: &Path,
    reach: &Reach,
    verifier: Option<&Verifier>,
    is_update: bool,
    context: &Context,
) -> Result<Report, Error> {
    let (network, cache) = (reach.network(context)?, cache(context));
    let downloads = Downloads::new(context.ui);
    let tell = |event: deps::Event<'_>| tell(&event, &downloads);
    let options = deps::Options {
        verifier,
        ..reach.options(chart, &network, &cache, &tell, context)
    };
    Ok(match is_update {
        true => Box::pin(deps::update(&options)).await?,
        false => Box::pin(deps::build(&options)).await?,
    })
}

/// Shows what happens.
pub(super) fn tell(event: &deps::Event<'_>, downloads: &Downloads) {
    use deps::Event as E;
    match event {
        E::Note(text) => downloads.note(text),
        E::Warning(text) => downloads.warning(text),
        E::Begun { file, source } => {
            let line = source.map(|source| format!("Downloading {file} from repo {source}"));
            downloads.begin(file, line.as_deref());
        }
        E::Passing { file, passing } => pass(file, passing, downloads),
        E::Ended { file } => downloads.end(file),
    }
}

/// Shows how one file gets on.
fn pass(file: &str, passing: &Passing, downloads: &Downloads) {
    match passing {
        Passing::Bytes { there, of } => downloads.bytes(file, *there, *of),
        Passing::Again { cause, wait } => downloads.again(file, &cause.to_string(), *wait),
    }
}

/// Restores what a chart that is about to be rendered lacks, when it has a lock, and refuses archives that were
/// changed. With `--dependency-update`, what is lacking is chosen anew, as Helm does.
pub(super) fn ensure(request: &Request, context: &Context) -> Result<(), Error> {
    ensure_within(request, None, context)
}

/// The same with the folder of the project, where nothing in it says that it is one.
pub(super) fn ensure_within(
    request: &Request,
    fence: Option<&Path>,
    context: &Context,
) -> Result<(), Error> {
    let Some(chart) = request.chart.as_deref().filter(|chart| chart.is_dir()) else {
        return Ok(());
    };
    let is_update = request.dependency_update && deps::is_incomplete(chart)?;
    if !is_update && !deps::check(chart)? {
        return Ok(());
    }
    let reach = Reach {
        offline: request.offline,
        fence: fence.map(Path::to_owned),
        registry: Registry {
            registry_verify_certs: true,
            ..Registry::default()
        },
        ..Reach::default()
    };
    let work = || {
        online(async {
            restored(chart, &reach, None, is_update, context)
                .await
                .map(|_| Exit::Done)
        })
    };
    // The caller may be within a runtime, in which no second one can wait.
    let done = std::thread::scope(|scope| scope.spawn(work).join());
    match done {
        Ok(done) => done?,
        Err(_) => return Err(Error::failed("restoring the dependencies ended early")),
    };
    // What no restore removes, such as a folder in the way of a chart, is still there.
    Ok(deps::check(chart).map(drop)?)
}

/// The folder of archives that all projects share.
pub(super) fn cache(context: &Context) -> Cache {
    let folder = context.environment.cache_dir.as_ref();
    Cache {
        folder: folder.map(|folder| folder.join("charts")),
    }
}

/// What is asked for charts, with the repositories of a file, by default Helm's.
pub(super) fn network(
    registry: &Registry,
    repositories: Option<&Path>,
    offline: bool,
    context: &Context,
) -> Result<Network, Error> {
    let repositories = named(repositories, context)?;
    let settings = settings(registry, context)?;
    Ok(Network::new(settings, repositories, offline))
}

/// The repositories that a file gives names, by default Helm's.
pub(super) fn named(file: Option<&Path>, context: &Context) -> Result<Repositories, Error> {
    let own = context.environment.helm_repositories.as_deref();
    let known = file.or(own).map(Repositories::load).transpose()?;
    Ok(known.unwrap_or_default())
}

/// How registries and repositories of charts are reached: as those of images, and with Helm's own logins.
pub(super) fn settings(registry: &Registry, context: &Context) -> Result<Settings, Error> {
    let settings = resolving::settings(registry, &context.environment);
    let mut settings = settings.map_err(resolving::registry_error)?;
    let logins = context.environment.helm_logins.clone();
    settings.docker_configs.extend(logins);
    settings.aws = Aws {
        variables: context.environment.aws.clone(),
        home: context.environment.home.clone(),
        clock: (context.now(), Instant::now()),
    };
    Ok(settings)
}

impl Reach {
    fn network(&self, context: &Context) -> Result<Network, Error> {
        let file = self.repository_config.as_deref();
        network(&self.registry, file, self.offline, context)
    }

    fn options<'a>(
        &self,
        chart: &'a Path,
        network: &'a Network,
        cache: &'a Cache,
        tell: deps::Tell<'a>,
        context: &Context,
    ) -> deps::Options<'a> {
        deps::Options {
            chart,
            fence: (!self.allow_outside)
                .then(|| self.fence.clone().unwrap_or_else(|| fence(chart))),
            cache,
            network,
            now: context.now(),
            verifier: None,
            tell,
        }
    }
}

/// The folder of the project that a chart is part of: its git repository, else the folder of its windlass.yaml,
/// else the one around it.
fn fence(chart: &Path) -> PathBuf {
    let chart = chart.canonicalize().unwrap_or_else(|_| chart.to_owned());
    let around = |file: &str| chart.ancestors().find(|folder| folder.join(file).exists());
    let folder = around(".git").or_else(|| around("windlass.yaml"));
    let folder = folder.or_else(|| chart.parent()).unwrap_or(&chart);
    folder.to_owned()
}

/// Helm's table, in Helm's words.
fn list(args: &List, context: &Context) -> Result<Exit, Error> {
    let path = chart_of(args.chart.as_ref(), context)?;
    let chart = chart::load(&path, Profile::Helm4)?;
    let Some(statuses) = deps::statuses(&path, &chart) else {
        let place = shown(&path);
        let text = format!("WARNING: no dependencies at {place}\n");
        context.ui.data(text.as_bytes())?;
        return Ok(Exit::Done);
    };
    let mut rows = vec![["NAME", "VERSION", "REPOSITORY", "STATUS"].map(str::to_owned)];
    rows.extend(statuses.into_iter().map(|one| {
        let status = one.status.to_owned();
        [one.name, one.version, one.repository, status]
    }));
    let mut text = format!("{}\n", helm_table(&rows));
    for warning in deps::strangers(&path, &chart) {
        text.extend(["WARNING: ", &warning, "\n"]);
    }
    context.ui.data(text.as_bytes())?;
    Ok(Exit::Done)
}

/// A table as Helm prints it: padded cells of at most 80 characters, with tabs between.
///
/// Follows gosuri/uitable `table.go`.
fn helm_table(rows: &[[String; 4]]) -> String {
    const WIDEST: usize = 80;
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or_default().min(WIDEST)
    };
    let widths: Vec<usize> = (0..4).map(width).collect();
    let cell = |text: &String, width: usize| {
        if text.chars().count() > width {
            let short: String = text.chars().take(width - 3).collect();
            return format!("{short}...");
        }
        format!("{text:width$}")
    };
    let mut table = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(t, w)| cell(t, *w)).collect();
        table.push_str(&cells.join("\t"));
        table.push('\n');
    }
    table
}

async fn outdated(args: &Outdated, context: &Context) -> Result<Exit, Error> {
    let chart = chart_of(args.chart.chart.as_ref(), context)?;
    let reach = &args.chart.reach;
    let (network, cache) = (reach.network(context)?, cache(context));
    let downloads = Downloads::new(context.ui);
    let tell = |event: deps::Event<'_>| tell(&event, &downloads);
    let options = reach.options(&chart, &network, &cache, &tell, context);
    let found = Box::pin(deps::newer(&options)).await?;
    let or_dash = |version: &Option<String>| version.clone().unwrap_or_else(|| "-".to_owned());
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|one| {
            let (locked, wanted) = (or_dash(&one.locked), or_dash(&one.wanted));
            let (name, range) = (one.name.clone(), one.range.clone());
            vec![name, range, locked, wanted, or_dash(&one.latest)]
        })
        .collect();
    let headings = ["NAME", "RANGE", "LOCKED", "WANTED", "LATEST"];
    let document = || {
        let entry = |one: &deps::Newer| {
            json!({
                "name": one.name, "repository": one.repository, "range": one.range,
                "locked": one.locked, "wanted": one.wanted, "latest": one.latest,
            })
        };
        let entries: Vec<Value> = found.iter().map(entry).collect();
        json!({ "schemaVersion": 1, "dependencies": entries })
    };
    args.report
        .print(|| ui::plain_table(&headings, &rows), document, context)?;
    let is_old = found.iter().any(|one| one.locked != one.wanted);
    if is_old {
        let note = "`windlass deps update` takes the newest versions that fit.";
        context.ui.note(note);
    }
    Ok(match is_old && args.exit_code {
        true => Exit::Pending,
        false => Exit::Done,
    })
}
