//! One change, sent. An object that changed since it was shown is looked at again first.

use super::owner::is_left_by_clients;
use super::predict::predict;
use super::prepare::Prepared;
use super::{Contested, Error, Fate, given, policy, restore, rights};
use crate::cluster::{self, Cluster, Kind};
use crate::diff::{self, Change, Masker, Op};
use crate::inventory::PART_OF;
use crate::object::{Manifest, Object, ObjectRef, Source, takeover};
use crate::status;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// A definition is served a moment after it is established.
const NEW_KIND: Duration = Duration::from_secs(30);
/// How often an object may change between a look and a write.
const MOST_LOOKS: usize = 10;
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long rights that come with the run may take to be known everywhere.
const NEW_RIGHTS: Duration = Duration::from_secs(5);

/// Sends changes.
#[derive(Clone, Copy)]
pub(super) struct Sender<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) masker: &'a Masker,
    /// Whether fields are taken from other managers.
    pub(super) force: bool,
    /// The plan that the changes are of.
    pub(super) prepared: &'a Prepared,
    /// How long to wait for an object to be gone, or to appear, before going on with it.
    pub(super) patience: Duration,
}

impl Sender<'_> {
    /// Makes a change; gives back the object as it is then, `None` when it is on its way out.
    pub(super) async fn send(&self, change: &Change) -> Result<Option<Object>, Error> {
        let started = Instant::now();
        loop {
            match self.once(change).await {
                Err(error) if self.is_to_come(&error) && started.elapsed() < NEW_RIGHTS => {
                    // The server obeys new roles and bindings a moment later.
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                sent => return sent.map_err(|error| error.scrubbed(self.masker)),
            }
        }
    }

    /// Whether rights are missing that the run itself may have given.
    fn is_to_come(&self, error: &Error) -> bool {
        let Error::Cluster(cluster::Error::Forbidden { message, .. }) = error else {
            return false;
        };
        rights::lacks_rights(message) && given::is_given(self.prepared.changes())
    }

    async fn once(&self, change: &Change) -> Result<Option<Object>, Error> {
        match change.op {
            Op::Noop => Ok(change.live.clone()),
            Op::Create => self.apply(change.desired.as_ref()).await,
            Op::Update => self.update(change).await,
            Op::Replace => self.replace(change).await,
            Op::Delete => self.delete(change).await,
            Op::Keep => self.let_go(change).await,
            Op::Exists => self.appear(change).await,
        }
    }

    async fn apply(&self, desired: Option<&Object>) -> Result<Option<Object>, Error> {
        let Some(desired) = desired else {
            return Ok(None);
        };
        let kind = self.cluster.kind(&desired.gvk(), NEW_KIND).await?;
        Ok(Some(self.cluster.apply(&kind, desired, self.force).await?))
    }

    /// Applies onto the very object that was shown. When it changed meanwhile, goes on only if the
    /// change to it is still the one that was shown.
    async fn update(&self, change: &Change) -> Result<Option<Object>, Error> {
        let (Some(desired), Some(shown)) = (&change.desired, &change.live) else {
            return self.apply(change.desired.as_ref()).await;
        };
        let kind = self.cluster.kind(&desired.gvk(), NEW_KIND).await?;
        let is_taken = self.prepared.taken.contains(&change.target);
        let mut live = shown.clone();
        let mut force = self.force;
        for _ in 0..MOST_LOOKS {
            let sent = match takeover::managed_by_us(&live).filter(|_| is_taken) {
                Some(fields) => self.take_over(&kind, &live, fields).await.map(Some),
                None => {
                    let bound = bound(desired, &live);
                    match self.cluster.apply(&kind, &bound, force).await {
                        Ok(object) => return Ok(Some(object)),
                        Err(error) => Err(error),
                    }
                }
            };
            let found = match sent {
                Ok(found) => found,
                Err(error) if !force && is_taken && is_left_by_clients(&error) => {
                    force = true;
                    continue;
                }
                Err(error) if error.is_stale() || error.is_not_found() => {
                    self.cluster.get_as(&kind, &change.target).await?
                }
                Err(error @ cluster::Error::Conflict { .. }) => {
                    let found = self.cluster.get_as(&kind, &change.target).await?;
                    return Err(contested(error, found.as_ref().unwrap_or(&live)));
                }
                Err(error) => return Err(error.into()),
            };
            let stale = |now: Option<Change>| Error::Stale {
                planned: Box::new(change.clone()),
                now: now.map(Box::new),
            };
            let Some(found) = found.filter(|found| found.uid() == shown.uid()) else {
                return Err(stale(None));
            };
            let found = predict(self.cluster, &kind, desired, &found, force, is_taken)
                .await
                .map_err(|error| contested(error, &found))?;
            let (found, after) = (found.live.into_owned(), found.after);
            if found.uid() != shown.uid() {
                return Err(stale(None));
            }
            let manifest = Manifest {
                object: desired.clone(),
                source: source(change),
            };
            let now = diff::change(&manifest, Some(&found), Some(&after), self.masker);
            match now.op {
                // A repeated request that met its own first try, or somebody did the same.
                Op::Noop => return Ok(Some(found)),
                _ if is_same(&now, change) => live = found,
                _ => return Err(stale(Some(now))),
            }
        }
        let action = format!("apply {}", change.target);
        let message = "it keeps changing".to_owned();
        Err(cluster::Error::Stale { action, message }.into())
    }

    /// Makes the fields that another deployer left ours, so that the apply removes those that are
    /// not desired.
    async fn take_over(
        &self,
        kind: &Kind,
        live: &Object,
        fields: Vec<Value>,
    ) -> Result<Object, cluster::Error> {
        let patch = json!({"metadata": {
            "uid": live.uid(), "resourceVersion": live.resource_version(), "managedFields": fields}});
        self.cluster
            .merge_patch_as(kind, &live.reference(), &patch)
            .await
    }

    async fn replace(&self, change: &Change) -> Result<Option<Object>, Error> {
        if let Some(live) = &change.live
            && !self.remove(&change.target, live).await?
        {
            self.until_gone(&change.target, live.uid()).await?;
        }
        let cause = match self.apply(change.desired.as_ref()).await {
            Ok(made) => return Ok(made),
            Err(cause) => cause,
        };
        let fate = match &change.live {
            Some(live) if !self.is_to_come(&cause) => self.bring_back(change, live).await,
            _ => None,
        };
        Err(match fate {
            Some(fate) => Error::NotReplaced {
                cause: Box::new(cause),
                fate,
            },
            None => cause,
        })
    }

    /// Makes an object again that was deleted for one that cannot be made, as it was when it was shown.
    /// `None` when something is in its place, or nobody knows.
    async fn bring_back(&self, change: &Change, live: &Object) -> Option<Fate> {
        if !matches!(self.cluster.get(&change.target).await, Ok(None)) {
            return None;
        }
        let Some(former) = restore::former(change, live) else {
            let why = "it would not be the same if it were made again";
            return Some(Fate::Gone(why.to_owned()));
        };
        let made = async {
            let kind = self.cluster.kind(&former.gvk(), NEW_KIND).await?;
            self.cluster.create(&kind, &former).await?;
            // Whose fields they are as well: a creation makes all of them ours.
            let owners =
                json!({"metadata": {"managedFields": live.get(&["metadata", "managedFields"])}});
            let put = self.cluster.merge_patch_as(&kind, &change.target, &owners);
            drop(put.await);
            Ok(())
        };
        Some(match made.await {
            Ok(()) => Fate::Back,
            Err(error) => {
                let error: cluster::Error = error;
                let why = self.masker.scrub(&error.to_string());
                Fate::Gone(format!("it cannot be made again: {why}"))
            }
        })
    }

    /// Deletes; gives back the object when it is still on its way out.
    async fn delete(&self, change: &Change) -> Result<Option<Object>, Error> {
        let Some(live) = &change.live else {
            return Ok(None);
        };
        let gone = self.remove(&change.target, live).await?;
        Ok(Some(live.clone()).filter(|_| !gone))
    }

    /// Deletes the object that was shown, as long as it is in the same hands as then. Tells whether
    /// it is gone already.
    async fn remove(&self, target: &ObjectRef, shown: &Object) -> Result<bool, Error> {
        let mut version = shown.resource_version().to_owned();
        for _ in 0..MOST_LOOKS {
            let deleted = self
                .cluster
                .delete(target, shown.uid(), Some(&version))
                .await;
            match deleted {
                Err(error) if error.is_stale() => {}
                other => return Ok(other?),
            }
            let Some(found) = self.again(target, shown).await? else {
                return Ok(true);
            };
            found.resource_version().clone_into(&mut version);
        }
        // Something writes it all the time, and it is still in the same hands.
        Ok(self.cluster.delete(target, shown.uid(), None).await?)
    }

    /// The object that was shown as it is now; `None` when it is gone. An error when it went into
    /// other hands.
    async fn again(&self, target: &ObjectRef, shown: &Object) -> Result<Option<Object>, Error> {
        let found = self.cluster.get(target).await?;
        let Some(found) = found.filter(|found| found.uid() == shown.uid()) else {
            return Ok(None);
        };
        if found.label(PART_OF) == shown.label(PART_OF) {
            return Ok(Some(found));
        }
        Err(cluster::Error::Stale {
            action: format!("delete {target}"),
            message: "it is no longer part of this app".to_owned(),
        }
        .into())
    }

    /// Takes the object out of the set and leaves it alone.
    async fn let_go(&self, change: &Change) -> Result<Option<Object>, Error> {
        let mut next = change.live.clone();
        for _ in 0..MOST_LOOKS {
            let Some(live) = next else { return Ok(None) };
            let patch = json!({"metadata": {"uid": live.uid(), "resourceVersion": live.resource_version(),
                "labels": {PART_OF: null}}});
            match self.cluster.merge_patch(&change.target, &patch).await {
                Ok(object) => return Ok(Some(object)),
                Err(error) if error.is_stale() || error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
            next = match self.again(&change.target, &live).await {
                // Whoever took it over replaced our label, or removed it.
                Err(Error::Cluster(cluster::Error::Stale { .. })) => None,
                other => other?,
            };
        }
        Err(cluster::Error::Stale {
            action: format!("let go of {}", change.target),
            message: "it keeps changing".to_owned(),
        }
        .into())
    }

    /// Waits until somebody else has made the object.
    async fn appear(&self, change: &Change) -> Result<Option<Object>, Error> {
        let started = Instant::now();
        loop {
            // Its kind may not be there yet either.
            let found = match self.cluster.get(&change.target).await {
                Err(cluster::Error::UnknownKind { .. }) => {
                    self.cluster.rediscover().await?;
                    None
                }
                other => other?,
            };
            if found.is_some() {
                return Ok(found);
            }
            if started.elapsed() > self.patience {
                let action = format!("wait for {}", change.target);
                let message = "it must exist and nobody made it".to_owned();
                return Err(cluster::Error::NotFound { action, message }.into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn until_gone(&self, target: &ObjectRef, uid: &str) -> Result<(), Error> {
        let started = Instant::now();
        loop {
            let found = self.cluster.get(target).await?;
            let Some(found) = found.filter(|found| found.uid() == uid) else {
                return Ok(());
            };
            if started.elapsed() > self.patience {
                let why = status::of(&found).message;
                let action = format!("replace {target}");
                let reason = format!("the old one is not gone: {why}");
                return Err(cluster::Error::Request { action, reason }.into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// The desired object with the identity and version of the live one as preconditions.
fn bound(desired: &Object, live: &Object) -> Object {
    let mut bound = desired.clone();
    for key in ["uid", "resourceVersion"] {
        bound.tree_mut()["metadata"][key] = live.tree()["metadata"][key].clone();
    }
    bound
}

/// The same error; fields that somebody took since the change was shown are named with the time.
fn contested(error: cluster::Error, live: &Object) -> Error {
    match error {
        cluster::Error::Conflict { mut conflicts, .. } => {
            policy::date(&mut conflicts, live);
            Error::Contested(vec![Contested {
                target: live.reference(),
                fields: conflicts,
            }])
        }
        other => other.into(),
    }
}

/// Whether two changes write the same, whoever owns the fields.
fn is_same(one: &Change, other: &Change) -> bool {
    let written = |change: &Change| -> Vec<_> {
        let fields = change.fields.iter().cloned();
        fields
            .map(|field| (field.path, field.op, field.before, field.after))
            .collect()
    };
    written(one) == written(other)
}

fn source(change: &Change) -> Source {
    change.source.clone().unwrap_or_else(|| Source {
        file: String::new(),
        line: 0,
    })
}
