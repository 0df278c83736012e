//! One deploy of an app at a time: a Lease with holder, renewal and expiry.
//!
//! Whether a holder lives is judged by the server's clock (when it last saw the Lease written) and
//! by watching the Lease, never by comparing the clocks of two machines.

use super::{App, Error, Holder};
use crate::cluster::{self, Cluster, Kind};
use crate::event::{Event, Sink};
use crate::inventory::{Origin, PREFIX};
use crate::object::{Gvk, Object, ObjectRef};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long a holder that stops renewing is respected.
const LASTS: Duration = Duration::from_secs(15);
const RENEWED_EVERY: Duration = Duration::from_secs(5);
/// A holder that has not renewed for this long renews before it writes anything.
const FENCE: Duration = Duration::from_secs(8);
/// Until when a lock that was not renewed is certainly ours; work under way pauses then.
const SURE: Duration = Duration::from_secs(12);
const LOOK_EVERY: Duration = Duration::from_millis(500);

const HOST: &str = "windlass.dev/host";
const CI_URL: &str = "windlass.dev/ci-url";
const WHO: &str = "windlass.dev/who";

/// The lock of an app, held. Dropping it stops the renewal and leaves the Lease to expire.
pub(super) struct Lock {
    shared: Arc<Shared>,
    renewal: JoinHandle<()>,
}

struct Shared {
    cluster: Cluster,
    app: String,
    identity: String,
    started: (Timestamp, Instant),
    state: Mutex<State>,
}

struct State {
    lease: Object,
    renewed: Instant,
    lost: Option<Holder>,
}

/// Takes the lock, waiting out a dead holder, and a living one for at most `patience`.
pub(super) async fn acquire(
    cluster: &Cluster,
    app: &App,
    origin: &Origin,
    started: Timestamp,
    patience: Duration,
    sink: &mut dyn Sink,
) -> Result<Lock, Error> {
    let begun = Instant::now();
    let reference = reference(app);
    let kind = cluster
        .kind(&Gvk::new("coordination.k8s.io/v1", "Lease"), Duration::ZERO)
        .await?;
    let identity = identity(origin);
    let mut seen: Option<(Object, Instant)> = None;
    let mut told = false;
    loop {
        let now = started + SignedDuration::try_from(begun.elapsed()).unwrap_or_default();
        let found = cluster.get_as(&kind, &reference).await?;
        let (wanted, write) = match &found {
            None => (lease(&reference, &identity, origin, now), true),
            Some(lease) if is_free(cluster, lease, seen.as_ref()) => {
                (taken(lease, &reference, &identity, origin, now), true)
            }
            // Our own write, whose answer was lost.
            Some(lease) if lease.text(&["spec", "holderIdentity"]) == identity => {
                return Ok(hold(
                    cluster,
                    app,
                    identity,
                    (started, begun),
                    lease.clone(),
                ));
            }
            Some(lease) => (lease.clone(), false),
        };
        if write {
            let written = match &found {
                None => cluster.create(&kind, &wanted).await,
                Some(_) => cluster.update(&kind, &wanted).await,
            };
            match written {
                Ok(lease) => return Ok(hold(cluster, app, identity, (started, begun), lease)),
                Err(cluster::Error::NotFound { .. }) => {
                    return Err(Error::NoNamespace {
                        namespace: app.record_namespace().to_owned(),
                    });
                }
                Err(error) if error.is_stale() => continue,
                Err(error) => return Err(error.into()),
            }
        }
        let holder = holder_of(&wanted, cluster.server_time());
        let lives = seen
            .as_ref()
            .is_some_and(|(first, _)| is_renewed(first, &wanted));
        if lives && begun.elapsed() >= patience {
            return Err(Error::Locked {
                app: app.name.clone(),
                holder: Box::new(holder),
            });
        }
        if !told {
            told = true;
            sink.emit(Event::Warning {
                message: format!("waiting for the lock held by {holder}"),
            });
        }
        if seen
            .as_ref()
            .is_none_or(|(last, _)| last.resource_version() != wanted.resource_version())
        {
            seen = Some((wanted, Instant::now()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The lock of an app, as it was found.
#[derive(Clone, Debug)]
pub struct Held {
    /// Who holds it.
    pub holder: Holder,
    /// When the server last saw it renewed.
    pub renewed: Option<Timestamp>,
    /// When it ends unless it is renewed.
    pub expires: Option<Timestamp>,
    /// Whether its holder renewed it in time.
    pub lives: bool,
    lease: Object,
}

/// The lock of an app, if somebody holds it.
///
/// # Errors
/// When the server refuses.
pub async fn held(cluster: &Cluster, app: &App) -> Result<Option<Held>, Error> {
    let lease = cluster.get(&reference(app)).await?;
    let Some(lease) = lease.filter(|lease| !lease.text(&["spec", "holderIdentity"]).is_empty())
    else {
        return Ok(None);
    };
    let renewed = last_written(&lease);
    let lasts = SignedDuration::try_from(lasts(&lease)).unwrap_or_default();
    Ok(Some(Held {
        holder: holder_of(&lease, cluster.server_time()),
        renewed,
        expires: renewed.and_then(|renewed| renewed.checked_add(lasts).ok()),
        lives: !is_free(cluster, &lease, None),
        lease,
    }))
}

/// Takes a lock away as it was found. A holder that lives after all writes nothing more: it finds the
/// lock with `by`.
///
/// # Errors
/// When the server refuses, and when the lock was renewed or given back meanwhile.
pub async fn unlock(cluster: &Cluster, held: &Held, by: &Origin) -> Result<(), Error> {
    let lease = &held.lease;
    if !held.lives {
        let version = Some(lease.resource_version());
        cluster
            .delete(&lease.reference(), lease.uid(), version)
            .await?;
        return Ok(());
    }
    let mut freed = lease.clone();
    freed.tree_mut()["spec"]["holderIdentity"] = "".into();
    for (key, value) in [(WHO, &by.who), (HOST, &by.host), (CI_URL, &by.ci_url)] {
        freed.set_metadata("annotations", key, value);
    }
    let kind = cluster
        .kind(&Gvk::new("coordination.k8s.io/v1", "Lease"), Duration::ZERO)
        .await?;
    cluster.update(&kind, &freed).await?;
    Ok(())
}

impl Lock {
    /// Makes sure that the lock is still held; to be called before each batch of writes. A process
    /// that slept for long renews first.
    pub(super) async fn check(&self) -> Result<(), Error> {
        let (lost, age) = {
            let state = self.shared.state();
            (state.lost.clone(), state.renewed.elapsed())
        };
        if lost.is_none() && age < FENCE {
            return Ok(());
        }
        if lost.is_none() {
            self.shared.renew().await?;
        }
        match self.shared.state().lost.clone() {
            None => Ok(()),
            Some(holder) => Err(Error::LockLost {
                app: self.shared.app.clone(),
                holder: Box::new(holder),
            }),
        }
    }

    /// Whether nobody else can hold the lock yet.
    fn is_fresh(&self) -> bool {
        let state = self.shared.state();
        state.lost.is_none() && state.renewed.elapsed() < SURE
    }

    /// Gives the lock back.
    pub(super) async fn release(self) {
        self.renewal.abort();
        let (lost, lease) = {
            let state = self.shared.state();
            (state.lost.is_some(), state.lease.clone())
        };
        if !lost {
            // A lock that cannot be given back expires.
            let version = Some(lease.resource_version());
            if let Err(error) = self
                .shared
                .cluster
                .delete(&lease.reference(), lease.uid(), version)
                .await
            {
                tracing::debug!(%error, "lock not released");
            }
        }
    }
}

/// Goes on with work that writes only while the lock is certainly held: a process that was asleep
/// finds out before it sends anything more, retries included.
pub(super) async fn fenced<T>(
    lock: Option<&Lock>,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let Some(lock) = lock else { return work.await };
    let mut work = pin!(work);
    loop {
        let next = std::future::poll_fn(|context| {
            if lock.is_fresh() {
                work.as_mut().poll(context).map(Some)
            } else {
                Poll::Ready(None)
            }
        });
        match next.await {
            Some(done) => return done,
            None => lock.check().await?,
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the Lease again after somebody deleted it; `None` when its namespace is going, where
    /// nobody else can take it either.
    async fn restore(&self, kind: &Kind, mut lease: Object) -> Result<Option<Object>, Error> {
        if let Some(metadata) = lease.tree_mut()["metadata"].as_object_mut() {
            metadata.retain(|key, _| matches!(key.as_str(), "name" | "namespace" | "annotations"));
        }
        match self.cluster.create(kind, &lease).await {
            Ok(restored) => Ok(Some(restored)),
            Err(cluster::Error::Exists { .. }) => Ok(Some(lease)),
            Err(cluster::Error::NotFound { .. } | cluster::Error::Forbidden { .. }) => {
                self.state().renewed = Instant::now();
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the Lease anew; notes when another took it.
    async fn renew(&self) -> Result<(), Error> {
        let kind = self
            .cluster
            .kind(&Gvk::new("coordination.k8s.io/v1", "Lease"), Duration::ZERO)
            .await?;
        let mut lease = self.state().lease.clone();
        loop {
            let begun = Instant::now();
            let now = self.started.0
                + SignedDuration::try_from(self.started.1.elapsed()).unwrap_or_default();
            lease.tree_mut()["spec"]["renewTime"] = micro(now).into();
            match self.cluster.update(&kind, &lease).await {
                Ok(written) => {
                    let mut state = self.state();
                    state.lease = written;
                    state.renewed = begun;
                    return Ok(());
                }
                Err(error) if error.is_stale() || error.is_not_found() => {
                    match self.cluster.get_as(&kind, &lease.reference()).await? {
                        // Our own write, whose answer was lost.
                        Some(found) if found.text(&["spec", "holderIdentity"]) == self.identity => {
                            lease = found;
                        }
                        Some(other) => {
                            // Since when does not matter, nor does it say so when it was unlocked.
                            self.state().lost = Some(Holder {
                                since: None,
                                ..holder_of(&other, None)
                            });
                            return Ok(());
                        }
                        // Whoever took it over meanwhile may have given it back.
                        None if self.state().renewed.elapsed() >= SURE => {
                            self.state().lost = Some(Holder::default());
                            return Ok(());
                        }
                        None => match self.restore(&kind, lease).await? {
                            Some(restored) => lease = restored,
                            None => return Ok(()),
                        },
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn hold(
    cluster: &Cluster,
    app: &App,
    identity: String,
    started: (Timestamp, Instant),
    lease: Object,
) -> Lock {
    let state = Mutex::new(State {
        lease,
        renewed: Instant::now(),
        lost: None,
    });
    let app = app.name.clone();
    let shared = Arc::new(Shared {
        cluster: cluster.clone(),
        app,
        identity,
        started,
        state,
    });
    let renewing = Arc::clone(&shared);
    let renewal = tokio::spawn(async move {
        loop {
            tokio::time::sleep(RENEWED_EVERY).await;
            // A renewal that fails is tried again; `check` decides whether it is too late.
            if let Err(error) = renewing.renew().await {
                tracing::debug!(%error, "lock not renewed");
            }
        }
    });
    Lock { shared, renewal }
}

/// Whether nobody holds a Lease: given back, or not renewed for too long by the server's clock or
/// since it was first `seen` like this.
fn is_free(cluster: &Cluster, lease: &Object, seen: Option<&(Object, Instant)>) -> bool {
    if lease.text(&["spec", "holderIdentity"]).is_empty() {
        return true;
    }
    let lasts = lasts(lease);
    let written = last_written(lease);
    let age = cluster
        .server_time()
        .zip(written)
        .map(|(now, written)| now.duration_since(written));
    // One second more, since the server counts in whole seconds.
    if age.is_some_and(|age| {
        age > SignedDuration::try_from(lasts).unwrap_or_default() + SignedDuration::from_secs(1)
    }) {
        return true;
    }
    seen.is_some_and(|(last, since)| {
        last.resource_version() == lease.resource_version() && since.elapsed() > lasts
    })
}

/// How long a holder that stops renewing keeps the Lease.
fn lasts(lease: &Object) -> Duration {
    let lasts = lease
        .int(&["spec", "leaseDurationSeconds"])
        .and_then(|seconds| u64::try_from(seconds).ok());
    lasts.map_or(LASTS, Duration::from_secs)
}

/// When the server last saw the Lease written.
fn last_written(lease: &Object) -> Option<Timestamp> {
    let fields = lease.list(&["metadata", "managedFields"]);
    fields
        .iter()
        .filter_map(|entry| entry["time"].as_str()?.parse().ok())
        .max()
}

/// Whether the same holder wrote the Lease again.
fn is_renewed(first: &Object, now: &Object) -> bool {
    let holder = |lease: &Object| lease.text(&["spec", "holderIdentity"]).to_owned();
    first.resource_version() != now.resource_version() && holder(first) == holder(now)
}

fn reference(app: &App) -> ObjectRef {
    ObjectRef {
        group: "coordination.k8s.io".to_owned(),
        kind: "Lease".to_owned(),
        namespace: Some(app.record_namespace().to_owned()),
        name: format!("{PREFIX}{}", app.name),
    }
}

fn identity(origin: &Origin) -> String {
    let mut nonce = [0_u8; 8];
    if let Err(error) = getrandom::fill(&mut nonce) {
        // The identity is less unique then, but preconditions still exclude.
        tracing::debug!(%error, "no randomness");
    }
    let nonce: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}_{}_{nonce}",
        if origin.who.is_empty() {
            "windlass"
        } else {
            &origin.who
        },
        origin.host
    )
}

/// Who holds a Lease; `now` by the server's clock.
fn holder_of(lease: &Object, now: Option<Timestamp>) -> Holder {
    let since: Option<Timestamp> = lease.text(&["spec", "acquireTime"]).parse().ok();
    let held = since.zip(now).map(|(since, now)| now.duration_since(since));
    let annotation = |key: &str| lease.annotation(key).unwrap_or_default().to_owned();
    Holder {
        who: annotation(WHO),
        host: annotation(HOST),
        ci_url: annotation(CI_URL),
        since,
        held: held
            .filter(SignedDuration::is_positive)
            .map(|held| SignedDuration::from_secs(held.as_secs())),
    }
}

/// Kubernetes' `MicroTime`.
fn micro(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

fn lease(reference: &ObjectRef, identity: &str, origin: &Origin, now: Timestamp) -> Object {
    let tree = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": reference.name,
            "namespace": reference.namespace,
            "annotations": {WHO: origin.who, HOST: origin.host, CI_URL: origin.ci_url},
        },
        "spec": {
            "holderIdentity": identity,
            "leaseDurationSeconds": LASTS.as_secs(),
            "acquireTime": micro(now),
            "renewTime": micro(now),
        },
    });
    Object::new(tree).expect("invariant: a literal map is an object")
}

/// The Lease taken over from a dead holder.
fn taken(
    found: &Object,
    reference: &ObjectRef,
    identity: &str,
    origin: &Origin,
    now: Timestamp,
) -> Object {
    let mut taken = lease(reference, identity, origin, now);
    for key in ["uid", "resourceVersion"] {
        taken.tree_mut()["metadata"][key] = found.tree()["metadata"][key].clone();
    }
    let transitions = found.int(&["spec", "leaseTransitions"]).unwrap_or_default();
    taken.tree_mut()["spec"]["leaseTransitions"] = transitions.saturating_add(1).into();
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_renewal_from_a_new_holder() {
        let at = |version: &str, holder: &str| {
            Object::new(json!({"metadata": {"resourceVersion": version}, "spec": {"holderIdentity": holder}}))
                .unwrap()
        };
        assert!(is_renewed(&at("1", "a"), &at("2", "a")));
        assert!(!is_renewed(&at("1", "a"), &at("1", "a")));
        assert!(!is_renewed(&at("1", "a"), &at("2", "b")));
    }

    #[test]
    fn writes_micro_times() {
        assert_eq!(micro(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00.000000Z");
    }
}
