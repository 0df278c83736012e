//! Waiting for objects to become ready or gone: what the watches of the objects themselves see.

use super::beside::Trouble;
use super::cause;
use super::prepare::Prepared;
use super::runner::Runner;
use super::watches::{Place, Sight, Topic};
use crate::cluster::{self, Observed, Selector};
use crate::diff::Op;
use crate::event::{Event, Reconcile};
use crate::inventory::{GroupKind, PART_OF};
use crate::object::{Object, ObjectRef};
use crate::plan::{Wait, hook};
use crate::status::{self, State, Status};
use tokio::time::Instant;

/// A wait for one step.
pub(super) struct Waiting {
    pub(super) since: Instant,
    pub(super) message: String,
    /// The uid of the object that must go; empty when it must become ready.
    pub(super) leaving: String,
    pub(super) live: Option<Object>,
    /// What is followed for it beside the object itself.
    pub(super) topics: Vec<Topic>,
    /// A trouble that does not heal by itself.
    pub(super) trouble: Option<Trouble>,
    /// Of a Deployment: the ReplicaSet of a generation, by uid.
    pub(super) replica_set: Option<(i64, String)>,
}

/// Why the object of a step did not become ready, and how long it was waited for.
pub(super) struct Explained {
    step: usize,
    seconds: u64,
    reason: String,
}

impl Runner<'_> {
    /// The wait for a step is over, or there is none.
    pub(super) fn done(&mut self, step: usize, reconcile: Reconcile) {
        self.outcomes[step].reconcile = reconcile;
        if let Some(waiting) = self.waiting.remove(&step) {
            let object = self.outcomes[step].target.clone();
            let seconds = waiting.since.elapsed().as_secs();
            self.sink.emit(Event::WaitFinished {
                object,
                source: self.prepared.plan.steps[step].change.source.clone(),
                reconcile,
                reason: String::new(),
                seconds,
            });
            self.last_news = Instant::now();
            self.leave(&waiting.topics);
        }
        let ready = self.progress.done(step);
        self.queue.extend(ready);
    }

    pub(super) async fn begin_wait(&mut self, step: usize, object: Option<Object>) {
        let planned = &self.prepared.plan.steps[step];
        let wait = if self.options.wait {
            planned.wait
        } else {
            Wait::None
        };
        let leaving = match wait {
            _ if planned.change.op == Op::Delete && object.is_none() => {
                return self.done(step, Reconcile::Succeeded);
            }
            Wait::None => return self.done(step, Reconcile::Skipped),
            Wait::Reconcile => String::new(),
            Wait::Delete => planned
                .change
                .live
                .as_ref()
                .map(|live| live.uid().to_owned())
                .unwrap_or_default(),
        };
        let status = object.as_ref().map(|object| self.status(step, object));
        if leaving.is_empty()
            && status
                .as_ref()
                .is_some_and(|status| status.state == State::Current)
        {
            return self.done(step, Reconcile::Succeeded);
        }
        let now = Instant::now();
        let message = status.map(|status| self.masker.scrub(&status.message));
        let message = message.unwrap_or_default();
        let live = object.or_else(|| planned.change.live.clone());
        let target = planned.change.target.clone();
        let waiting = Waiting {
            since: now,
            message: message.clone(),
            leaving,
            live,
            topics: Vec::new(),
            trouble: None,
            replica_set: None,
        };
        self.waiting.insert(step, waiting);
        self.sink.emit(Event::WaitProgress {
            object: target.clone(),
            message,
            seconds: 0,
        });
        match self.cluster.kind_of(&target).await {
            Ok(kind) => {
                let prepared = self.prepared;
                let topic = Topic::Objects(place_of(&target));
                self.watches
                    .follow(topic, &kind, target.namespace.as_deref(), || {
                        selector(prepared, &target)
                    });
                if self.logs.are_wanted(prepared, step) {
                    self.look_beside(step).await;
                    if let Some(waiting) = self.waiting.get(&step) {
                        self.logs.tell(&waiting.topics);
                    }
                }
            }
            Err(error) => return self.give_up(step, Reconcile::Failed, &error.to_string()),
        }
        self.catch_up(step).await;
    }

    /// A watch that was open already may have told of this object before the answer to our own
    /// request came in, or of another one that had its name before.
    async fn catch_up(&mut self, step: usize) {
        let target = &self.outcomes[step].target;
        if !self.listed.contains(&place_of(target)) {
            return;
        }
        let leaves = self
            .waiting
            .get(&step)
            .is_some_and(|waiting| !waiting.leaving.is_empty());
        match self.seen.get(target).cloned() {
            Some(seen) => self.hear(step, seen, false).await,
            // What is to be deleted was there before the watch began, and may be gone by now. What is
            // to be created may not have been seen yet.
            None if leaves => drop(self.look_again(step).await),
            None => {}
        }
    }

    /// Keeps up with what is there in the collections that are followed.
    fn remember(&mut self, place: &Place, observed: &Observed) {
        match observed {
            Observed::All(objects) => {
                self.listed.insert(place.clone());
                self.seen.retain(|target, _| place_of(target) != *place);
                let all = objects
                    .iter()
                    .map(|object| (object.reference(), object.clone()));
                self.seen.extend(all);
            }
            Observed::Changed(object) => {
                self.seen.insert(object.reference(), object.clone());
            }
            Observed::Gone(object) => {
                self.seen.remove(&object.reference());
            }
        }
    }

    /// A watch saw something, or cannot see.
    pub(super) async fn see(&mut self, sight: Sight) {
        let place = match (sight.topic, &sight.observed) {
            (Topic::Objects(place), _) => place,
            // The object alone must do.
            (_, Err(_)) => return,
            (topic, Ok(observed)) => {
                self.logs.see(self.cluster, &topic, observed);
                return self.see_beside(topic, observed.clone()).await;
            }
        };
        if let Ok(observed) = &sight.observed {
            self.remember(&place, observed);
        }
        match sight.observed {
            Ok(Observed::All(objects)) => {
                for step in self.waiting_at(&place) {
                    let target = self.outcomes[step].target.clone();
                    let found = objects.iter().find(|object| object.reference() == target);
                    match found {
                        Some(found) => self.hear(step, found.clone(), false).await,
                        // The list may be older than the object: only a read now tells.
                        None => drop(self.look_again(step).await),
                    }
                }
            }
            Ok(Observed::Changed(object)) => {
                if let Some(step) = self.waiting_for(&object.reference()) {
                    self.hear(step, object, false).await;
                }
            }
            Ok(Observed::Gone(object)) => {
                if let Some(step) = self.waiting_for(&object.reference()) {
                    self.hear(step, object, true).await;
                }
            }
            Err(error) => {
                for step in self.waiting_at(&place) {
                    // Whoever may not list may still read.
                    match self.look_again(step).await {
                        Ok(()) => {}
                        // A server that is away may come back in time.
                        Err(away @ cluster::Error::Unreachable { .. }) => {
                            self.note(step, &away.to_string());
                        }
                        Err(_) => self.give_up(step, Reconcile::Failed, &error.to_string()),
                    }
                }
            }
        }
    }

    fn waiting_at(&self, place: &Place) -> Vec<usize> {
        let at = |step: &&usize| {
            let target = &self.outcomes[**step].target;
            place_of(target) == *place
        };
        self.waiting.keys().filter(at).copied().collect()
    }

    fn waiting_for(&self, target: &ObjectRef) -> Option<usize> {
        self.waiting
            .keys()
            .copied()
            .find(|step| self.outcomes[*step].target == *target)
    }

    /// A watch told of a state of an object by the name of one that is waited for; of its last one
    /// when it is gone. Only the object that our own request was answered with counts: what a watch
    /// tells late is often of the one that was replaced.
    async fn hear(&mut self, step: usize, state: Object, gone: bool) {
        let Some(waiting) = self.waiting.get(&step) else {
            return;
        };
        match waiting.live.as_ref().map(|live| bearing(&state, live)) {
            Some(Bearing::Older) => {}
            Some(Bearing::Other) => drop(self.look_again(step).await),
            _ if gone => self.vanished(step, Some(state)),
            _ => self.judge(step, state),
        }
    }

    /// Looks at what is there right now, whoever made it.
    async fn look_again(&mut self, step: usize) -> Result<(), cluster::Error> {
        let target = self.outcomes[step].target.clone();
        match self.cluster.get(&target).await? {
            Some(found) => self.judge(step, found),
            None => self.vanished(step, None),
        }
        Ok(())
    }

    /// An object that is waited for is gone. How it was at last, where that was seen.
    fn vanished(&mut self, step: usize, last: Option<Object>) {
        let Some(waiting) = self.waiting.get(&step) else {
            return;
        };
        if !waiting.leaving.is_empty() {
            return self.done(step, Reconcile::Succeeded);
        }
        let last = last.or_else(|| waiting.live.clone()).map(before_deletion);
        let end = last.and_then(|last| match last.kind() {
            "Job" => Some(self.status(step, &last)),
            "Pod" => Some(status::completion(&last)),
            _ => None,
        });
        match end {
            // What has run to its end may be cleaned up; anything else was taken away.
            Some(status) if status.state == State::Current => {
                self.done(step, Reconcile::Succeeded);
            }
            Some(status) if status.state == State::Failed => {
                self.give_up(step, Reconcile::Failed, &status.message);
            }
            _ => self.give_up(
                step,
                Reconcile::Failed,
                "it was deleted while it was waited for",
            ),
        }
    }

    /// Looks at a new state of an object that is waited for.
    fn judge(&mut self, step: usize, found: Object) {
        let Some(waiting) = self.waiting.get_mut(&step) else {
            return;
        };
        if !waiting.leaving.is_empty() {
            if found.uid() == waiting.leaving {
                let message = status::of(&found).message;
                waiting.live = Some(found);
                self.note(step, &message);
            } else {
                self.done(step, Reconcile::Succeeded);
            }
            return;
        }
        waiting.live = Some(found.clone());
        if found.kind() == "Pod" && self.logs.are_wanted(self.prepared, step) {
            self.logs.open(self.cluster, &found, true);
        }
        let status = self.status(step, &found);
        match status.state {
            State::Current => self.done(step, Reconcile::Succeeded),
            State::Failed => {
                self.condemn(step, Reconcile::Failed, found, &status.message);
            }
            _ => {
                if status.unblocks {
                    let ready = self.progress.done(step);
                    self.queue.extend(ready);
                }
                // What its pods tell is more than it says itself.
                if self
                    .waiting
                    .get(&step)
                    .is_some_and(|waiting| waiting.trouble.is_none())
                {
                    self.note(step, &status.message);
                }
            }
        }
    }

    /// How an object that is waited for is, by the rule for it. One that somebody else stopped is
    /// not ready, whatever its kind says.
    pub(super) fn status(&self, step: usize, object: &Object) -> Status {
        let change = &self.prepared.plan.steps[step].change;
        let is_hook = change
            .desired
            .as_ref()
            .is_some_and(|own| hook::of(own).is_some());
        if is_hook && object.kind() == "Pod" {
            return status::completion(object);
        }
        let status = status::by(self.prepared.rules.get(&change.target), object);
        match status::stopped(change.desired.as_ref(), object) {
            Some((_, text)) if status.state == State::Current => Status {
                state: State::InProgress,
                message: text.to_owned(),
                ..status
            },
            _ => status,
        }
    }

    pub(super) fn note(&mut self, step: usize, message: &str) {
        let message = self.masker.scrub(message);
        let Some(waiting) = self.waiting.get_mut(&step) else {
            return;
        };
        if waiting.message != message {
            waiting.message.clone_from(&message);
            let object = self.outcomes[step].target.clone();
            let seconds = waiting.since.elapsed().as_secs();
            self.sink.emit(Event::WaitProgress {
                object,
                message,
                seconds,
            });
            self.last_news = Instant::now();
        }
    }

    /// An object will not become ready, or not in time, and nothing more is to be known about it.
    pub(super) fn give_up(&mut self, step: usize, reconcile: Reconcile, reason: &str) {
        if let Some(seconds) = self.lose(step, reconcile, reason) {
            let reason = self.masker.scrub(reason);
            self.explained(Explained {
                step,
                seconds,
                reason,
            });
        }
    }

    /// An object will not become ready, or not in time. What needs it is skipped at once; it is told
    /// once it is known why, which is found out beside the watching.
    pub(super) fn condemn(&mut self, step: usize, reconcile: Reconcile, live: Object, text: &str) {
        let Some(seconds) = self.lose(step, reconcile, text) else {
            return;
        };
        let (cluster, masker, stop) = (self.cluster, self.masker, self.cancel.clone());
        let text = text.to_owned();
        self.explaining.push(Box::pin(async move {
            let reason = cause::explain(cluster, &live, &text, masker, &stop).await;
            Explained {
                step,
                seconds,
                reason,
            }
        }));
    }

    /// Ends the wait for an object badly; gives back how long it was, in seconds.
    fn lose(&mut self, step: usize, reconcile: Reconcile, reason: &str) -> Option<u64> {
        let waiting = self.waiting.remove(&step)?;
        let outcome = &mut self.outcomes[step];
        outcome.reconcile = reconcile;
        outcome.reason = self.masker.scrub(reason);
        self.leave(&waiting.topics);
        self.fail(step);
        Some(waiting.since.elapsed().as_secs())
    }

    /// It is known why an object did not become ready.
    pub(super) fn explained(&mut self, why: Explained) {
        let outcome = &mut self.outcomes[why.step];
        outcome.reason.clone_from(&why.reason);
        self.sink.emit(Event::WaitFinished {
            object: outcome.target.clone(),
            source: self.prepared.plan.steps[why.step].change.source.clone(),
            reconcile: outcome.reconcile,
            reason: why.reason,
            seconds: why.seconds,
        });
        self.last_news = Instant::now();
    }
}

/// The collection that an object is in.
fn place_of(target: &ObjectRef) -> Place {
    (GroupKind::of(target), target.namespace.clone())
}

/// Where an object must be there that is somebody else's, the whole collection is followed;
/// otherwise the members of the set in it.
fn selector(prepared: &Prepared, target: &ObjectRef) -> Selector {
    let place = place_of(target);
    let mut steps = prepared.plan.steps.iter().map(|step| &step.change);
    if steps.any(|change| change.op == Op::Exists && place_of(&change.target) == place) {
        Selector::default()
    } else {
        Selector::label(PART_OF, &prepared.parent.id())
    }
}

/// An object as it was before somebody asked to delete it.
fn before_deletion(mut object: Object) -> Object {
    if let Some(metadata) = object.tree_mut()["metadata"].as_object_mut() {
        metadata.remove("deletionTimestamp");
    }
    object
}

/// What a state that a watch tells of has to do with the object that is waited for.
#[derive(Debug, PartialEq)]
enum Bearing {
    /// It is a state of that object, and not older than the one that is known.
    Same,
    /// It was before that: a state of the object, or of another that had its name.
    Older,
    /// It is another object by the same name, and which was first cannot be told.
    Other,
}

/// Versions of one kind of resource are numbers that grow, whichever objects they are of (Kubernetes
/// 1.35 promises it); where they are none, the generation tells of one object alone.
fn bearing(state: &Object, live: &Object) -> Bearing {
    let version = |object: &Object| object.resource_version().parse::<u64>().ok();
    let generation = |object: &Object| object.int(&["metadata", "generation"]);
    let is_same = state.uid() == live.uid();
    let is_older = match (version(state), version(live)) {
        (Some(state), Some(live)) => state < live,
        _ => is_same && generation(state) < generation(live),
    };
    match (is_older, is_same) {
        (true, _) => Bearing::Older,
        (false, true) => Bearing::Same,
        (false, false) => Bearing::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::{Bearing, bearing};
    use crate::object::Object;
    use serde_json::json;

    fn job(uid: &str, version: &str, generation: i64) -> Object {
        let metadata = json!({"name": "migrate", "uid": uid,
            "resourceVersion": version, "generation": generation});
        Object::new(json!({"kind": "Job", "metadata": metadata})).unwrap()
    }

    #[test]
    fn a_state_of_the_object_that_was_replaced_says_nothing_of_the_new_one() {
        let live = job("new", "100", 1);
        assert_eq!(bearing(&job("old", "99", 1), &live), Bearing::Older);
        assert_eq!(bearing(&job("new", "99", 1), &live), Bearing::Older);
        assert_eq!(bearing(&job("new", "100", 1), &live), Bearing::Same);
        assert_eq!(bearing(&job("new", "101", 1), &live), Bearing::Same);
        assert_eq!(bearing(&job("other", "101", 1), &live), Bearing::Other);
    }

    #[test]
    fn without_numbers_only_the_uid_and_the_generation_tell() {
        let live = job("new", "x", 2);
        assert_eq!(bearing(&job("old", "y", 1), &live), Bearing::Other);
        assert_eq!(bearing(&job("new", "y", 1), &live), Bearing::Older);
        assert_eq!(bearing(&job("new", "y", 2), &live), Bearing::Same);
    }
}
