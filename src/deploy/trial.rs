//! What each object would become: decided locally where that is certain, by a dry run elsewhere.

use super::error::Obstacles;
use super::found::Found;
use super::policy::{self, FieldPolicy};
use super::predict::predict;
use super::{Contested, Error, Prepared, Refusal, plain};
use crate::cluster::{self, Cluster, Discovery, Kind};
use crate::diff::{self, Change, Masker, Op, Untried, Verdict};
use crate::inventory::{PART_OF, Parent};
use crate::kapp;
use crate::object::managed_fields::MANAGER;
use crate::object::{Fingerprint, Manifest, Object, ObjectRef, fingerprint};
use crate::plan::hook;
use futures::stream::{self, StreamExt as _};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What trials need to know.
pub(super) struct Trials<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) discovery: &'a Discovery,
    pub(super) masker: &'a Masker,
    pub(super) found: &'a Found,
    /// The rules of the input.
    pub(super) rules: &'a kapp::Rules,
    /// Whether fields are taken from other managers.
    pub(super) force: bool,
    /// What is done about fields of others.
    pub(super) policies: &'a [FieldPolicy],
    pub(super) concurrency: usize,
    /// What trials have told so far beside what each was made for.
    pub(super) learned: &'a Mutex<Learned>,
}

/// What trials tell beside what each was made for.
#[derive(Clone, Debug, Default)]
pub(super) struct Learned {
    /// The namespaces that are missing: whatever else comes into them cannot be tried, either.
    pub(super) missing: BTreeSet<String>,
    /// The objects that went through. A trial asks for the same rights as the write.
    pub(super) tried: BTreeSet<ObjectRef>,
}

/// What trials found out.
#[derive(Default)]
pub(super) struct Tried {
    /// The changes of the manifests, in their order.
    pub(super) changes: Vec<Change>,
    /// The fingerprints of objects that only a dry run found unchanged.
    pub(super) fingerprints: BTreeMap<ObjectRef, Fingerprint>,
    /// Objects of which fields are taken over from others.
    pub(super) forced: BTreeSet<ObjectRef>,
    /// Why some changes cannot be made. They are told as far as they are known.
    pub(super) obstacles: Obstacles,
}

impl Tried {
    /// Adds what other trials found out.
    pub(super) fn extend(&mut self, other: Self) {
        self.changes.extend(other.changes);
        self.fingerprints.extend(other.fingerprints);
        self.forced.extend(other.forced);
        self.obstacles.extend(other.obstacles);
    }
}

/// Why there is no change.
pub(super) enum Trouble {
    Stop(cluster::Error),
    Refused(Refusal),
    Contested(Contested),
}

impl Trials<'_> {
    /// The changes of all manifests, in their order, those that the server would refuse among them.
    pub(super) async fn changes(
        &self,
        parent: &Parent,
        manifests: &[Manifest],
    ) -> Result<Tried, Error> {
        let kept = &parent.record.fingerprints();
        let key = parent.record.key();
        let worth = plain::worth_a_trial(manifests.iter().map(|manifest| &manifest.object));
        let tried: Vec<_> = stream::iter(manifests.iter().zip(worth))
            .map(|(manifest, worth)| async move {
                let tried = self.change(manifest, worth, kept, key).await;
                let trouble = match tried {
                    Ok((change, print, forced)) => return Ok((change, print, forced, None)),
                    Err(Trouble::Stop(error)) => return Err(error),
                    Err(trouble) => trouble,
                };
                let change = self.obstructed(manifest, &trouble).await;
                Ok((change, None, false, Some(trouble)))
            })
            .buffered(self.concurrency.max(1))
            .collect()
            .await;
        let mut found = Tried::default();
        for tried in tried {
            let (change, fingerprint, forced, trouble) = tried?;
            match trouble {
                Some(Trouble::Refused(refusal)) => found.obstacles.refused.push(refusal),
                Some(Trouble::Contested(fields)) => found.obstacles.contested.push(fields),
                Some(Trouble::Stop(_)) | None => {}
            }
            if forced {
                found.forced.insert(change.target.clone());
            }
            let named = fingerprint.map(|print| (change.target.clone(), print));
            found.fingerprints.extend(named);
            found.changes.push(change);
        }
        self.mark_missing(&mut found.changes);
        Ok(found)
    }

    /// Says so of each creation in a namespace that a trial found missing, those among them that were not
    /// worth a trial.
    fn mark_missing(&self, changes: &mut [Change]) {
        let learned = self.learned();
        for change in changes.iter_mut().filter(|change| change.op == Op::Create) {
            let namespace = change.target.namespace.as_deref();
            if change.untried.is_none()
                && namespace.is_some_and(|name| learned.missing.contains(name))
            {
                change.untried = Some(Untried::NoNamespace);
            }
        }
    }

    /// What would change if nothing were in the way, for those who read about it.
    async fn obstructed(&self, manifest: &Manifest, trouble: &Trouble) -> Change {
        let live = self.found.objects.get(&manifest.object.reference());
        let forced = match (trouble, live) {
            (Trouble::Contested(_), Some(live)) => {
                let all = Self {
                    force: true,
                    ..*self
                };
                all.ask(manifest, live).await.ok()
            }
            _ => None,
        };
        if let Some((change, _)) = forced {
            return change;
        }
        let mut change = diff::change(manifest, live, None, self.masker);
        change.reason = match trouble {
            Trouble::Contested(_) => "another manager owns fields of it",
            Trouble::Refused(_) | Trouble::Stop(_) => "the server refuses it",
        }
        .to_owned();
        change.untried = Some(Untried::Refused);
        change
    }

    pub(super) async fn change(
        &self,
        manifest: &Manifest,
        worth_a_trial: bool,
        kept: &HashMap<&ObjectRef, &Fingerprint>,
        key: &[u8],
    ) -> Result<(Change, Option<Fingerprint>, bool), Trouble> {
        let target = manifest.object.reference();
        let live = self.found.objects.get(&target);
        if let Some(live) = live.filter(|live| live.is_going()) {
            let reason = "it is being deleted";
            let change = diff::replace(manifest, live, reason, self.masker);
            return Ok((change, None, false));
        }
        let fingerprint = kept.get(&target).copied();
        match (
            diff::verdict(&manifest.object, live, fingerprint, key, MANAGER),
            live,
        ) {
            (Verdict::Noop, Some(live)) => Ok((diff::unchanged(manifest, live), None, false)),
            (Verdict::Ask, Some(live)) => {
                let (change, forced) = match self.ask(manifest, live).await {
                    // What is not applied is in nobody's way.
                    Err(Trouble::Refused(_) | Trouble::Contested(_))
                        if diff::is_left_alone(&manifest.object) =>
                    {
                        (diff::change(manifest, Some(live), None, self.masker), false)
                    }
                    asked => asked?,
                };
                let fingerprint = unchanged(&change, key).filter(|new| Some(new) != fingerprint);
                Ok((change, fingerprint, forced))
            }
            _ => Ok((self.creation(manifest, worth_a_trial).await?, None, false)),
        }
    }

    /// Asks the server what an existing object would become, and tells whether fields are taken
    /// from others for it.
    async fn ask(&self, manifest: &Manifest, live: &Object) -> Result<(Change, bool), Trouble> {
        let stop = Trouble::Stop;
        let gvk = manifest.object.gvk();
        let Some(kind) = self.discovery.find(&gvk) else {
            // Its version comes with a definition among the manifests: others have no place.
            let mut change = diff::change(manifest, Some(live), None, self.masker);
            change.untried = Some(Untried::NoKind);
            return Ok((change, false));
        };
        // Live objects are listed in the version that the server prefers; fields are compared in
        // the version of the manifest.
        let converted;
        let live = if live.api_version() == manifest.object.api_version() {
            live
        } else {
            converted = self
                .cluster
                .get_as(kind, &live.reference())
                .await
                .map_err(stop)?;
            converted.as_ref().unwrap_or(live)
        };
        let is_stranger = self.found.strangers.contains(&manifest.object.reference());
        let desired = &manifest.object;
        let mut tried = predict(self.cluster, kind, desired, live, self.force, is_stranger).await;
        let mut forced = false;
        if let Err(cluster::Error::Conflict { conflicts, .. }) = &tried {
            let policies = policy::policies(desired, self.policies, is_stranger)
                .map_err(|message| self.refused(manifest, message))?;
            if policy::forces(&policies, conflicts) {
                forced = true;
                tried = predict(self.cluster, kind, desired, live, true, is_stranger).await;
            }
        }
        if let Err(cluster::Error::Conflict { conflicts, .. }) = &mut tried {
            policy::date(conflicts, live);
        }
        match tried {
            Ok(found) => {
                self.learned().tried.insert(desired.reference());
                self.masker.learn(&found.live);
                let (live, after) = (Some(&*found.live), Some(&found.after));
                let mut change = diff::change(manifest, live, after, self.masker);
                if change.op == Op::Update && self.is_no_reason(&found.live, &found.after) {
                    change = diff::unchanged(manifest, &found.live);
                    "only fields change that are excluded".clone_into(&mut change.reason);
                }
                if is_stranger && change.reason.is_empty() {
                    "it exists already and becomes part of the app".clone_into(&mut change.reason);
                }
                Ok((change, forced))
            }
            Err(cluster::Error::Invalid {
                problems,
                immutable,
                ..
            }) if !diff::is_left_alone(desired)
                && (immutable || self.falls_back(kind, desired).await) =>
            {
                let reason = self.words(&problems);
                let change = diff::replace(manifest, live, &reason, self.masker);
                Ok((change, forced))
            }
            Err(error) => Err(self.trouble(manifest, error)),
        }
    }

    /// Whether an object may be made anew for whatever reason it cannot be changed, and the server would
    /// take it: asked under another name, since the old one is there.
    async fn falls_back(&self, kind: &Kind, desired: &Object) -> bool {
        if desired.annotation("kapp.k14s.io/update-strategy") != Some("fallback-on-replace") {
            return false;
        }
        let mut anew = desired.clone();
        let name: String = desired.name().chars().take(50).collect();
        anew.tree_mut()["metadata"]["name"] = format!("{name}-anew").into();
        let tried = self.cluster.dry_run(kind, &anew, self.force).await;
        !matches!(tried, Err(cluster::Error::Invalid { .. }))
    }

    /// Whether two states of an object differ in nothing but fields that the rules exclude.
    fn is_no_reason(&self, live: &Object, after: &Object) -> bool {
        let differing = |object| {
            let tree = diff::cleaned(object);
            self.rules.without_no_reason(object, tree)
        };
        !self.rules.no_reason.is_empty() && differing(live) == differing(after)
    }

    /// A creation, tried where its namespace and kind are there already, so that a refusal is known
    /// before anything is written.
    pub(super) async fn creation(
        &self,
        manifest: &Manifest,
        worth_a_trial: bool,
    ) -> Result<Change, Trouble> {
        let mut change = diff::change(manifest, None, None, self.masker);
        let object = &manifest.object;
        if change.op == Op::Create && worth_a_trial {
            let tried = self.try_creation(object).await;
            change.untried = tried.map_err(|error| self.trouble(manifest, error))?;
        }
        Ok(change)
    }

    /// Why the server could not tell what it thinks of a creation; an error when it refuses it for good.
    async fn try_creation(&self, object: &Object) -> Result<Option<Untried>, cluster::Error> {
        let Some(kind) = self.discovery.find(&object.gvk()) else {
            return Ok(Some(Untried::NoKind));
        };
        let namespace = object.namespace().unwrap_or_default();
        if self.learned().missing.contains(namespace) {
            return Ok(Some(Untried::NoNamespace));
        }
        match self.cluster.dry_run(kind, object, self.force).await {
            Ok(_) => {
                self.learned().tried.insert(object.reference());
                Ok(None)
            }
            Err(error) if is_certain(&error) => Err(error),
            Err(error) if error.lacks_namespace(namespace) => {
                self.learned().missing.insert(namespace.to_owned());
                Ok(Some(Untried::NoNamespace))
            }
            // Whatever else it is may be mended by what is applied before it.
            Err(_) => Ok(Some(Untried::NotNow)),
        }
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the server finds wrong, without secrets: those go before anything is shortened.
    fn words(&self, problems: &[String]) -> String {
        let clean: Vec<String> = problems
            .iter()
            .map(|problem| self.masker.scrub(problem))
            .collect();
        cluster::problems_text(&clean)
    }

    fn refused(&self, manifest: &Manifest, message: String) -> Trouble {
        Trouble::Refused(Refusal {
            target: manifest.object.reference(),
            source: Some(manifest.source.clone()),
            message,
        })
    }

    fn trouble(&self, manifest: &Manifest, error: cluster::Error) -> Trouble {
        let target = manifest.object.reference();
        match error {
            cluster::Error::Conflict { conflicts, .. } => Trouble::Contested(Contested {
                target,
                fields: conflicts,
            }),
            cluster::Error::Invalid { problems, .. } => Trouble::Refused(Refusal {
                target,
                source: Some(manifest.source.clone()),
                message: self.words(&problems),
            }),
            cluster::Error::Forbidden { message, .. }
            | cluster::Error::NotFound { message, .. } => {
                let message = self.masker.scrub(&message);
                Trouble::Refused(Refusal {
                    target,
                    source: Some(manifest.source.clone()),
                    message,
                })
            }
            other => Trouble::Stop(other.scrubbed(&|text| self.masker.scrub(text))),
        }
    }
}

/// What was found out, or everything at once that is in the way.
pub(super) fn raise<T>(tried: Vec<Result<T, Trouble>>) -> Result<Vec<T>, Error> {
    let (mut found, mut obstacles) = (Vec::new(), Obstacles::default());
    for tried in tried {
        match tried {
            Ok(one) => found.push(one),
            Err(Trouble::Stop(error)) => return Err(error.into()),
            Err(Trouble::Refused(refusal)) => obstacles.refused.push(refusal),
            Err(Trouble::Contested(fields)) => obstacles.contested.push(fields),
        }
    }
    match obstacles.error() {
        Some(error) => Err(error),
        None => Ok(found),
    }
}

/// The fingerprint of a member that is as desired.
fn unchanged(change: &Change, key: &[u8]) -> Option<Fingerprint> {
    let (Op::Noop, Some(desired), Some(live)) = (change.op, &change.desired, &change.live) else {
        return None;
    };
    let is_member =
        desired.label(PART_OF).is_some() && desired.label(PART_OF) == live.label(PART_OF);
    is_member.then(|| fingerprint(key, desired, live, MANAGER))
}

/// Whether an object may be deleted and made anew: its manifest says so, it is going already, or it
/// is a hook that runs again.
fn is_free_to_go(change: &Change) -> bool {
    let strategy = |object: &Object| {
        let strategy = object.annotation("kapp.k14s.io/update-strategy");
        matches!(strategy, Some("fallback-on-replace" | "always-replace"))
    };
    let reruns = |object: &Object| {
        let before = hook::DeletePolicy::BeforeHookCreation;
        hook::of(object).is_some_and(|hook| hook.delete.contains(&before))
    };
    let desired = change.desired.as_ref();
    change.live.as_ref().is_some_and(Object::is_going)
        || desired.is_some_and(|object| strategy(object) || reruns(object))
}

impl Prepared {
    /// The objects that would have to be deleted and made anew, since a field changes that cannot,
    /// and whose manifests do not allow that. [`super::run`] refuses a plan that has any.
    #[must_use]
    pub fn immutable(&self) -> Vec<Refusal> {
        let refusal = |change: &Change| Refusal {
            target: change.target.clone(),
            source: change.source.clone(),
            message: format!(
                "{}; it would have to be deleted and made anew",
                change.reason
            ),
        };
        self.changes()
            .filter(|change| change.op == Op::Replace && !is_free_to_go(change))
            .map(refusal)
            .collect()
    }
}

/// Whether a refused creation will be refused later, too, whatever is applied before it.
fn is_certain(error: &cluster::Error) -> bool {
    match error {
        cluster::Error::Invalid { .. } => true,
        cluster::Error::Forbidden { message, .. } => {
            message.contains(" cannot ") || message.contains("denied the request")
        }
        _ => false,
    }
}
