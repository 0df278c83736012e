//! Reading and writing the parent of an app.

use super::{App, Error};
use crate::cluster::{self, Cluster, Discovery, Kind, Selector};
use crate::inventory::{self, Parent};
use crate::object::Object;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The record of an app as it was read, once for a whole run; nothing when it was never deployed.
#[derive(Clone, Debug)]
pub struct Recorded(pub(super) Option<Parent>);

impl Recorded {
    /// The revision of the last deploy.
    #[must_use]
    pub fn revision(&self) -> Option<u64> {
        Some(self.0.as_ref()?.record.last()?.revision)
    }
}

/// The record of an app, for a plan that is made later.
///
/// # Errors
/// When the server refuses.
pub async fn recorded(cluster: &Cluster, app: &App) -> Result<Recorded, Error> {
    Ok(Recorded(read(cluster, app).await?))
}

/// What every look at an app begins with: the kinds of the server and, unless it was read already, the
/// parent of the app.
pub(super) async fn begin(
    cluster: &Cluster,
    app: &App,
    recorded: Option<Recorded>,
) -> Result<(Arc<Discovery>, Option<Parent>), Error> {
    let parent = async {
        match recorded {
            Some(Recorded(parent)) => Ok(parent),
            None => read(cluster, app).await,
        }
    };
    let discovery = async { cluster.discovery().await.map_err(Error::from) };
    tokio::try_join!(discovery, parent)
}

/// The parent of an app, `None` when it was never deployed.
pub(super) async fn read(cluster: &Cluster, app: &App) -> Result<Option<Parent>, Error> {
    let reference = Parent::reference_of(&app.name, app.record_namespace());
    let Some(secret) = cluster.get_as(&Kind::secret(), &reference).await? else {
        return Ok(None);
    };
    let parent = Parent::read(&secret)?;
    if parent.record.namespace != app.namespace {
        return Err(Error::OtherNamespace {
            app: app.name.clone(),
            found: parent.record.namespace,
            wanted: app.namespace.clone(),
        });
    }
    Ok(Some(parent))
}

/// Writes the parent; its version is the precondition and is brought up to date.
pub(super) async fn write(cluster: &Cluster, parent: &mut Parent) -> Result<(), Error> {
    let secret = parent.write()?;
    let kind = Kind::secret();
    let written = if parent.exists() {
        cluster.update(&kind, &secret).await
    } else {
        cluster.create(&kind, &secret).await
    };
    let written = match written {
        Ok(written) => written,
        Err(error) if error.is_stale() => after_conflict(cluster, parent, error).await?,
        Err(cluster::Error::NotFound { .. }) if !parent.exists() => {
            return Err(Error::NoNamespace {
                namespace: parent.record_namespace.clone(),
            });
        }
        Err(error) => return Err(error.into()),
    };
    written.uid().clone_into(&mut parent.uid);
    written
        .resource_version()
        .clone_into(&mut parent.resource_version);
    Ok(())
}

/// A write whose answer was lost is repeated and then meets itself; anything else was overtaken.
async fn after_conflict(
    cluster: &Cluster,
    parent: &Parent,
    error: cluster::Error,
) -> Result<Object, Error> {
    let Some(secret) = cluster.get_as(&Kind::secret(), &parent.reference()).await? else {
        return Err(error.into());
    };
    match Parent::read(&secret) {
        Ok(found) if found.record == parent.record && found.kinds == parent.kinds => Ok(secret),
        Ok(_) => Err(Error::Overtaken {
            app: parent.record.app.clone(),
        }),
        Err(error) => Err(error.into()),
    }
}

/// Removes the parent as it was read.
pub(super) async fn remove(cluster: &Cluster, parent: &Parent) -> Result<(), Error> {
    cluster
        .delete(&parent.reference(), &parent.uid, None)
        .await?;
    Ok(())
}

/// The parents of all apps whose records are in a namespace, or anywhere; what cannot be read is
/// given back as an error beside the rest.
pub(super) async fn read_all(
    cluster: &Cluster,
    namespace: Option<&str>,
) -> Result<(Vec<Parent>, Vec<inventory::Error>), Error> {
    let kind = Kind::secret();
    let selector = Selector {
        labels: Parent::selector(),
        fields: String::new(),
    };
    let secrets = cluster.list(&kind, namespace, &selector).await?;
    let (mut parents, mut broken) = (Vec::new(), Vec::new());
    for secret in &secrets {
        match Parent::read(secret) {
            Ok(parent) => parents.push(parent),
            Err(error) => broken.push(error),
        }
    }
    Ok((parents, broken))
}

/// The name of the kapp app whose objects have this label; `None` when its record is not to be seen.
pub(super) async fn kapp_app(
    cluster: &Cluster,
    namespace: Option<&str>,
    label: &str,
) -> Option<String> {
    let discovery = cluster.discovery().await.ok()?;
    let kind = discovery.preferred("", "ConfigMap")?;
    let selector = Selector {
        labels: "kapp.k14s.io/is-app".to_owned(),
        fields: String::new(),
    };
    let apps = match cluster.list(kind, None, &selector).await {
        Ok(apps) => apps,
        Err(_) => cluster.list(kind, Some(namespace?), &selector).await.ok()?,
    };
    let has_label = |app: &&Object| {
        let spec: Option<serde_json::Value> =
            serde_json::from_str(app.text(&["data", "spec"])).ok();
        spec.is_some_and(|spec| spec["labelValue"] == label)
    };
    let name = apps.iter().find(has_label)?.name();
    Some(name.trim_end_matches(".apps.k14s.io").to_owned())
}

/// The name of the app whose set has this id, looked for in some namespaces. Whoever may not look
/// goes without the name.
pub(super) async fn app_of_set(
    cluster: &Cluster,
    namespaces: &BTreeSet<String>,
    id: &str,
) -> Option<String> {
    for namespace in namespaces {
        let selector = Selector::label(inventory::ID, id);
        let found = cluster
            .list(&Kind::secret(), Some(namespace), &selector)
            .await
            .unwrap_or_default();
        if let Some(parent) = found.iter().find_map(|secret| Parent::read(secret).ok()) {
            return Some(parent.record.app);
        }
    }
    None
}
