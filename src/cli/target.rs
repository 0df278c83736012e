//! From a request to a prepared plan: connect, render for that cluster, compare. Shared by `diff`,
//! `deploy` and `delete`.

use super::project::Request;
use super::{Context, Error, flags, stages};
use crate::cluster::{self, Cluster};
use crate::deploy::{self, App};
use crate::diff::Masker;
use crate::object::Manifest;
use windlass_helm::chart::{Capabilities, Options};

/// A connection and the app on it.
pub(super) struct Target {
    /// The API server.
    pub(super) cluster: Cluster,
    /// The app.
    pub(super) app: App,
}

/// Connects to the cluster of a request.
pub(super) async fn connect(
    request: &Request,
    flags: &flags::Cluster,
    context: &Context,
) -> Result<Target, Error> {
    let options = cluster::Options {
        kubeconfig: flags.kubeconfig.clone(),
        context: flags.context.clone().or_else(|| request.context.clone()),
        namespace: request.namespace.clone(),
        cache_dir: context.environment.cache_dir.clone(),
    };
    let cluster = Cluster::connect(&options).await?;
    let app = App {
        name: request.app.clone(),
        namespace: cluster.namespace().to_owned(),
        record_namespace: flags.record_namespace.clone(),
    };
    Ok(Target { cluster, app })
}

/// What is to be deployed, as typed.
pub(super) struct Wanted<'a> {
    /// Manifest files in place of a chart.
    pub(super) manifests: &'a flags::Manifests,
    /// Values for the chart.
    pub(super) values: &'a flags::Values,
    /// How the chart is rendered.
    pub(super) render: &'a flags::Render,
}

/// The desired objects: the chart rendered for this cluster, or manifest files.
pub(super) async fn desired(
    target: &Target,
    request: &Request,
    wanted: &Wanted<'_>,
    context: &Context,
) -> Result<Vec<Manifest>, Error> {
    if !wanted.manifests.manifests.is_empty() {
        return stages::manifests_of_files(&wanted.manifests.manifests, request, context);
    }
    let options = Options {
        capabilities: Some(capabilities(target, wanted.render).await?),
        skip_tests: true,
        ..stages::options(wanted.render)
    };
    let last = match deploy::history(&target.cluster, &target.app).await {
        Err(deploy::Error::NotDeployed { .. }) => Vec::new(),
        history => history?,
    };
    let revision = last.last().map_or(1, |deploy| deploy.revision + 1);
    let release = stages::release(
        &target.app.name,
        &target.app.namespace,
        !last.is_empty(),
        i64::try_from(revision).unwrap_or(i64::MAX),
    );
    let mut rendered = stages::render(request, wanted.values, &release, &options, context)?;
    stages::rewrite(&mut rendered, request, context)?;
    stages::manifests(&rendered)
}

/// What the server can do, unless flags say otherwise.
async fn capabilities(target: &Target, render: &flags::Render) -> Result<Capabilities, Error> {
    let profile = stages::options(render).profile;
    let version = target.cluster.server_version().await?;
    let discovery = target.cluster.discovery().await?;
    stages::capabilities(&version, discovery.api_versions(), profile)
}

/// A masker with a key of this run.
pub(super) fn masker(show_secrets: bool) -> Result<Masker, Error> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)
        .map_err(|error| Error::failed(format!("read random bytes: {error}")))?;
    Ok(Masker::new(key, show_secrets))
}
