//! From a request to a prepared plan: connect, render for that cluster, compare. Shared by `diff`,
//! `deploy` and `delete`.

use super::deadline::Deadline;
use super::locking::Unlocked;
use super::project::{self, Request};
use super::stages::{self, Desired};
use super::{Context, Error, deps, flags, lookup, repeat};
use crate::cluster::{self, Cluster};
use crate::deploy::{self, App, Prepared, Recorded};
use crate::diff::{MaskPath, Masker, Op};
use crate::inventory::ImageSource;
use crate::ui::count;
use std::collections::{BTreeMap, BTreeSet};
use windlass_helm::chart::{Capabilities, Options, Rendered};
use windlass_helm::template::World;

/// A connection and the app on it.
pub(super) struct Target {
    /// The API server.
    pub(super) cluster: Cluster,
    /// The app.
    pub(super) app: App,
    /// When the run has to end.
    pub(super) deadline: Deadline,
}

/// Connects to the cluster of a request.
pub(super) async fn connect(
    request: &Request,
    flags: &flags::Cluster,
    context: &Context,
) -> Result<Target, Error> {
    let options = cluster::Options {
        kubeconfig: flags.kubeconfig.clone(),
        kubeconfigs: context.environment.kubeconfigs.clone(),
        context: flags.context.clone().or_else(|| request.context.clone()),
        namespace: request.namespace.clone(),
        cache_dir: context.environment.cache_dir.clone(),
    };
    let deadline = Deadline::of(flags);
    let cluster = deadline.bound(Cluster::connect(&options)).await?;
    let app = App {
        name: request.app.clone(),
        namespace: cluster.namespace().to_owned(),
        record_namespace: flags.record_namespace.clone(),
    };
    Ok(Target {
        cluster,
        app,
        deadline,
    })
}

/// What was asked for, and the plan that brings it about.
pub(super) struct Comparison {
    /// What was asked for.
    pub(super) request: Request,
    /// Where.
    pub(super) target: Target,
    /// The plan.
    pub(super) prepared: Prepared,
    /// Whether nothing at all is desired.
    pub(super) is_empty: bool,
    /// The images that are desired, and where they come from.
    pub(super) images: Vec<ImageSource>,
    /// Hides the secrets of both sides.
    pub(super) masker: Masker,
}

/// Connects, renders for that cluster and compares with what is live there. Writes nothing. What is in
/// the way of the plan is for the caller to raise, once it is shown.
/// `unlocked` is what becomes of images without a lock, unless somebody says another thing.
pub(super) async fn compare(
    wish: &flags::Wish,
    unlocked: Unlocked,
    context: &Context,
) -> Result<Comparison, Error> {
    let request = project::resolve(&wish.project, &wish.locks, &context.environment)?;
    let target = connect(&request, &wish.cluster, context).await?;
    let masker = masker(wish.diff.show_secrets, &request.mask)?;
    let work = async {
        let (desired, images, recorded) =
            desired(&target, &request, wish, unlocked, &masker, context).await?;
        for note in &desired.rules.notes {
            context.ui.detail(note);
        }
        let is_empty = desired.manifests.is_empty();
        let files: BTreeSet<String> = desired
            .manifests
            .iter()
            .map(|manifest| manifest.source.file.clone())
            .collect();
        let conditions = desired.conditions.clone();
        let wanted = wanted(&target, &request, (desired, recorded), wish, context);
        let mut prepared = prepare(&target, wanted, &masker, context).await?;
        name_silent_charts(&mut prepared, conditions, &files);
        Ok::<_, Error>((prepared, is_empty, images))
    };
    let (prepared, is_empty, images) = Box::pin(target.deadline.bound(work)).await?;
    for warning in &prepared.warnings {
        context.ui.warning(warning);
    }
    for note in &prepared.notes {
        context.ui.note(note);
    }
    Ok(Comparison {
        request,
        target,
        prepared,
        is_empty,
        images,
        masker,
    })
}

/// Says of objects that are no longer rendered when nothing at all comes of the chart that they came
/// from, and which value decides about it.
fn name_silent_charts(
    prepared: &mut Prepared,
    mut conditions: BTreeMap<String, String>,
    files: &BTreeSet<String>,
) {
    conditions.retain(|name, _| {
        let folder = format!("/charts/{name}/");
        !files.iter().any(|file| file.contains(&folder))
    });
    if conditions.is_empty() {
        return;
    }
    for step in &mut prepared.plan.steps {
        let change = &mut step.change;
        let (Op::Delete, Some(live)) = (change.op, &change.live) else {
            continue;
        };
        let label = live.label("helm.sh/chart").unwrap_or_default();
        let chart = label.rsplit_once('-').map_or("", |(name, _)| name);
        let name = live.label("app.kubernetes.io/name").unwrap_or_default();
        let found = [chart, name]
            .into_iter()
            .find_map(|name| conditions.get_key_value(name));
        if let Some((chart, condition)) = found {
            let why = format!("; nothing comes of chart {chart} ({condition})");
            change.reason.push_str(&why);
        }
    }
}

async fn prepare(
    target: &Target,
    wanted: deploy::Request,
    masker: &Masker,
    context: &Context,
) -> Result<Prepared, Error> {
    let mut progress = context.progress();
    let prepared = deploy::foresee(&target.cluster, wanted, masker, &mut progress).await?;
    progress.clear();
    Ok(prepared)
}

/// What is asked of the deploy stage.
pub(super) fn wanted(
    target: &Target,
    request: &Request,
    (desired, recorded): (Desired, Option<Recorded>),
    wish: &flags::Wish,
    context: &Context,
) -> deploy::Request {
    deploy::Request {
        recorded,
        rules: desired.rules,
        now: context.now(),
        ..wish.upsert.request(
            target.app.clone(),
            desired.manifests,
            &wish.cluster,
            &request.conflicts,
        )
    }
}

/// The desired objects, of the chart rendered for this cluster or of manifest files, and their images;
/// with a chart also the record of the app, since what is rendered depends on it.
pub(super) async fn desired(
    target: &Target,
    request: &Request,
    wanted: &flags::Wish,
    unlocked: Unlocked,
    masker: &Masker,
    context: &Context,
) -> Result<(Desired, Vec<ImageSource>, Option<Recorded>), Error> {
    if !wanted.manifests.manifests.is_empty() {
        let (desired, images) = stages::desired_of_files(wanted, request, unlocked, context)?;
        return Ok((desired, images, None));
    }
    deps::ensure(request, context)?;
    let capabilities = capabilities(target, &wanted.render);
    let (capabilities, recorded) = tokio::try_join!(capabilities, recorded(target))?;
    let options = Options {
        capabilities: Some(capabilities),
        skip_tests: true,
        ..stages::options(&wanted.render)
    };
    let last = recorded.as_ref().and_then(Recorded::revision);
    let release = stages::release(
        &target.app.name,
        &target.app.namespace,
        last.is_some(),
        i64::try_from(last.unwrap_or_default() + 1).unwrap_or(i64::MAX),
    );
    let world = repeat::world(&repeat::Flags::default(), context)?;
    let chart = stages::load(request, &options)?;
    let render = |world: &mut World| {
        stages::render_chart(world, &chart, request, &wanted.values, &release, &options)
    };
    let mut rendered = if wanted.lookup || request.lookup {
        lookup::render(&target.cluster, masker, &world, render).await?
    } else {
        let rendered = { render }(&mut world.again())?;
        warn_of_lookups(&rendered, context);
        rendered
    };
    stages::warn(&rendered, context);
    let unlocked = Unlocked::of(request, unlocked);
    let images = stages::rewrite(&mut rendered, request, unlocked, context)?;
    let desired = Desired {
        conditions: stages::conditions(&chart),
        ..stages::desired(&rendered)?
    };
    Ok((desired, images, recorded))
}

/// The record of the app, unless the user may not read it: reading it again tells what else is missing.
async fn recorded(target: &Target) -> Result<Option<Recorded>, Error> {
    match deploy::recorded(&target.cluster, &target.app).await {
        Err(deploy::Error::Cluster(cluster::Error::Forbidden { .. })) => Ok(None),
        recorded => Ok(Some(recorded?)),
    }
}

/// Says that templates look things up and are not answered: what they make up instead may differ from
/// deploy to deploy.
fn warn_of_lookups(rendered: &Rendered, context: &Context) {
    let lookups = rendered
        .calls
        .iter()
        .filter(|call| call.function == "lookup");
    let places: BTreeSet<String> = lookups.map(|call| call.place.to_string()).collect();
    let Some(first) = places.first() else {
        return;
    };
    let more = match places.len() - 1 {
        0 => String::new(),
        more => format!(" and {}", count(more, "further place")),
    };
    context.ui.warning(&format!(
        "the chart uses `lookup` ({first}{more}), which finds nothing; add `--lookup`, or `lookup: true` to \
         windlass.yaml, to let it read from the cluster"
    ));
}

/// What the server can do, unless flags say otherwise.
async fn capabilities(target: &Target, render: &flags::Render) -> Result<Capabilities, Error> {
    let profile = stages::options(render).profile;
    let cluster = &target.cluster;
    let (version, discovery) = tokio::try_join!(cluster.server_version(), cluster.discovery())?;
    stages::capabilities(&version, discovery.api_versions(), profile)
}

/// A masker with a key of this run that also hides what the project says.
pub(super) fn masker(show_secrets: bool, paths: &[String]) -> Result<Masker, Error> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)
        .map_err(|error| Error::failed(format!("read random bytes: {error}")))?;
    let read = |path: &String| {
        MaskPath::parse(path).map_err(|reason| {
            Error::usage(format!("`mask` of the project file: {reason}: `{path}`")).hinted(
                "write a path as a diff shows it, such as `ConfigMap/app:data.password` or `spec.users[*].token`",
            )
        })
    };
    let paths = paths.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Masker::new(key, show_secrets).hiding(paths))
}
