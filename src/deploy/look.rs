//! Looking at what is deployed; changes nothing.

use super::{App, Error, found, lock, store};
use crate::cluster::Cluster;
use crate::inventory::{self, Deploy, DeployResult, Parent};
use crate::object::{Object, ObjectRef};
use crate::status::{self, Rule, Status};

/// An app in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its name.
    pub app: String,
    /// Its namespace.
    pub namespace: String,
    /// The namespaces of its objects.
    pub namespaces: Vec<String>,
    /// The namespace of its record.
    pub record_namespace: String,
    /// How many objects it has.
    pub objects: usize,
    /// Its last deploy.
    pub last: Option<Deploy>,
}

/// An object of an app.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The object.
    pub target: ObjectRef,
    /// How it is.
    pub status: Status,
    /// When it was created, as the server writes it.
    pub created: String,
    /// The whole object. Holds secrets.
    pub live: Object,
}

/// The apps whose records are in a namespace, or in all of them; and records that cannot be read.
///
/// # Errors
/// When the server refuses.
pub async fn list(
    cluster: &Cluster,
    namespace: Option<&str>,
) -> Result<(Vec<Listed>, Vec<inventory::Error>), Error> {
    let (parents, broken) = store::read_all(cluster, namespace).await?;
    let listed = parents.into_iter().map(|parent| Listed {
        namespaces: parent.all_namespaces().into_iter().collect(),
        record_namespace: parent.record_namespace,
        objects: parent.record.objects.len(),
        last: parent.record.last().cloned(),
        app: parent.record.app,
        namespace: parent.record.namespace,
    });
    let mut listed: Vec<Listed> = listed.collect();
    for app in &mut listed {
        let name = App {
            name: app.app.clone(),
            namespace: app.namespace.clone(),
            record_namespace: Some(app.record_namespace.clone()),
        };
        settle(cluster, &name, app.last.as_mut()).await?;
    }
    listed.sort_by(|a, b| (&a.namespace, &a.app).cmp(&(&b.namespace, &b.app)));
    Ok((listed, broken))
}

/// The live objects of an app, by kind and name; how they are is told by the rules of its last deploy.
///
/// # Errors
/// When the app does not exist or the server refuses.
pub async fn inspect(cluster: &Cluster, app: &App) -> Result<Vec<Seen>, Error> {
    let (parent, live) = live(cluster, app).await?;
    let rules = parent.record.rules();
    let seen = |live: Object| {
        let rule = rules.get(&live.reference()).copied();
        seen(live, rule)
    };
    Ok(live.into_iter().map(seen).collect())
}

/// How an object is, by the rule for it, where it has one.
pub(super) fn seen(live: Object, rule: Option<&Rule>) -> Seen {
    Seen {
        target: live.reference(),
        status: status::by(rule, &live),
        created: live.text(&["metadata", "creationTimestamp"]).to_owned(),
        live,
    }
}

/// The parent of an app, and its live objects.
pub(super) async fn live(cluster: &Cluster, app: &App) -> Result<(Parent, Vec<Object>), Error> {
    let (discovery, parent) = store::begin(cluster, app, None).await?;
    let parent = parent.ok_or_else(|| not_deployed(app))?;
    let found = found::find(cluster, &discovery, &parent, &[]).await?;
    Ok((parent, found.in_order()))
}

/// The last deploys of an app, the newest last. One that runs by its record, but holds no lock any
/// more, was interrupted.
///
/// # Errors
/// When the app does not exist or the server refuses.
pub async fn history(cluster: &Cluster, app: &App) -> Result<Vec<Deploy>, Error> {
    let parent = store::read(cluster, app)
        .await?
        .ok_or_else(|| not_deployed(app))?;
    let mut history = parent.record.history;
    settle(cluster, app, history.last_mut()).await?;
    Ok(history)
}

/// Tells a deploy that runs from one whose process died.
async fn settle(cluster: &Cluster, app: &App, last: Option<&mut Deploy>) -> Result<(), Error> {
    if let Some(last) = last.filter(|deploy| deploy.result == DeployResult::Running)
        && !lock::held(cluster, app)
            .await?
            .is_some_and(|held| held.lives)
    {
        last.result = DeployResult::Interrupted;
    }
    Ok(())
}

pub(super) fn not_deployed(app: &App) -> Error {
    Error::NotDeployed {
        app: app.name.clone(),
        namespace: app.namespace.clone(),
    }
}
