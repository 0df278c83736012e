//! What a wait sees beside the object itself: its pods, what is told about it, and time. Ends waits
//! that cannot end well.

use super::cause;
use super::runner::Runner;
use super::watches::Topic;
use crate::cluster::{Observed, Selector};
use crate::event::{Event, Reconcile};
use crate::object::Object;
use crate::status::{self, Doom};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// A wait that is over sooner is not looked at more closely.
const SOON: Duration = Duration::from_secs(1);
/// From so many watches on, pods are followed by namespace: one connection carries only so many
/// streams.
const MANY: usize = 60;
/// After so long without any news a wait says that it still waits; the first time soon.
const FIRST_HEARTBEAT: Duration = Duration::from_secs(5);
const HEARTBEAT: Duration = Duration::from_secs(30);
/// kapp's mark of objects that are judged by what they say themselves.
const OWN_WORD_COUNTS: &str = "kapp.k14s.io/disable-associated-resources-wait";
/// How many objects that did not become ready are explained in full.
const EXPLAINED: usize = 5;

/// What was seen of each topic, by uid.
pub(super) type Seen = BTreeMap<Topic, BTreeMap<String, Object>>;

/// A trouble that does not heal by itself, and since when it lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trouble {
    pub(super) doom: Doom,
    pub(super) since: Instant,
}

/// What is told about an object that it does not say itself.
enum Told {
    Doomed(Doom, String),
    /// Only whoever uses it can make it ready.
    OnDemand,
}

impl Runner<'_> {
    /// A watch of pods or events saw something, or cannot see: then the object alone must do.
    pub(super) async fn see_beside(&mut self, topic: Topic, observed: Observed) {
        let seen = self.beside.entry(topic.clone()).or_default();
        match observed {
            Observed::All(objects) => {
                *seen = objects
                    .into_iter()
                    .map(|object| (object.uid().to_owned(), object))
                    .collect();
            }
            Observed::Changed(object) => {
                seen.insert(object.uid().to_owned(), object);
            }
            Observed::Gone(object) => {
                seen.remove(object.uid());
            }
        }
        let concerned = |step: &usize| self.waiting[step].topics.contains(&topic);
        let steps: Vec<usize> = self.waiting.keys().copied().filter(concerned).collect();
        for step in steps {
            self.weigh(step).await;
        }
    }

    /// Looks at what no watch shows: time.
    pub(super) async fn tick(&mut self) {
        if Instant::now() >= self.deadline {
            return self.time_out();
        }
        let steps: Vec<usize> = self.waiting.keys().copied().collect();
        for step in steps {
            let Some(waiting) = self.waiting.get(&step) else {
                continue;
            };
            let patience = self.options.object_timeout;
            if patience.is_some_and(|patience| waiting.since.elapsed() >= patience) {
                self.too_late(step, patience.unwrap_or_default(), true);
                continue;
            }
            if !waiting.leaving.is_empty() || waiting.since.elapsed() < SOON {
                continue;
            }
            if waiting.topics.is_empty() {
                self.look_beside(step).await;
            }
            self.weigh(step).await;
        }
        self.heartbeat();
    }

    /// Begins to follow the pods of an object and what is told about it.
    pub(super) async fn look_beside(&mut self, step: usize) {
        let Some(live) = self
            .waiting
            .get(&step)
            .and_then(|waiting| waiting.live.clone())
        else {
            return;
        };
        let Some(namespace) = live.namespace().map(str::to_owned) else {
            return;
        };
        let Ok(discovery) = self.cluster.discovery().await else {
            return;
        };
        let mut topics = Vec::new();
        if let Some(labels) = cause::makes_pods(&live.gvk())
            .then(|| cause::selector(&live))
            .flatten()
            && let Some(kind) = discovery.preferred("", "Pod")
        {
            let all = self.watches.count() >= MANY;
            let labels = if all { String::new() } else { labels.labels };
            let topic = Topic::Pods(namespace.clone(), labels.clone());
            let fields = String::new();
            let selector = || Selector { labels, fields };
            self.watches
                .follow(topic.clone(), kind, Some(&namespace), selector);
            topics.push(topic);
        }
        // A Deployment says itself that its pods are refused.
        let tells = matches!(
            live.kind(),
            "StatefulSet" | "DaemonSet" | "Job" | "PersistentVolumeClaim"
        );
        if tells && let Some(kind) = discovery.preferred("", "Event") {
            let topic = Topic::Events(namespace.clone(), live.uid().to_owned());
            let selector = || Selector {
                labels: String::new(),
                fields: format!("involvedObject.uid={}", live.uid()),
            };
            self.watches
                .follow(topic.clone(), kind, Some(&namespace), selector);
            topics.push(topic);
        }
        if let Some(waiting) = self.waiting.get_mut(&step) {
            waiting.topics = topics;
        }
    }

    /// Ends the wait for an object whose trouble lasted longer than such a trouble is borne.
    async fn weigh(&mut self, step: usize) {
        let Some(live) = self
            .waiting
            .get(&step)
            .and_then(|waiting| waiting.live.clone())
        else {
            return;
        };
        let told = self.told(step, &live).await;
        let (Some(waiting), Some(told)) = (self.waiting.get_mut(&step), told) else {
            if let Some(waiting) = self.waiting.get_mut(&step) {
                waiting.trouble = None;
            }
            return;
        };
        let (doom, message) = match told {
            Told::Doomed(doom, message) => (doom, message),
            Told::OnDemand => return self.done(step, Reconcile::Succeeded),
        };
        let same = |before: &Trouble| {
            std::mem::discriminant(&before.doom) == std::mem::discriminant(&doom)
        };
        let since = waiting.trouble.filter(same).map(|before| before.since);
        let since = since.unwrap_or_else(Instant::now);
        waiting.trouble = Some(Trouble { doom, since });
        let status = status::by(self.prepared.rules.get(&self.outcomes[step].target), &live);
        if since.elapsed() >= self.options.graces.of(doom) {
            let message = match doom {
                Doom::Suspended | Doom::ClaimPending => message,
                _ => status.message,
            };
            self.condemn(step, Reconcile::Failed, live, &message);
        } else if status.message.contains(&message) {
            self.note(step, &status.message);
        } else {
            self.note(step, &format!("{}; {message}", status.message));
        }
    }

    /// The worst that can be said of an object that is waited for.
    async fn told(&mut self, step: usize, live: &Object) -> Option<Told> {
        let desired = self.prepared.plan.steps[step].change.desired.as_ref();
        if let Some((doom, text)) = status::stopped(desired, live) {
            return Some(Told::Doomed(doom, text.to_owned()));
        }
        let own = self.status(step, live);
        if let Some(doom) = own.doomed {
            return Some(Told::Doomed(doom, own.message));
        }
        if live.annotation(OWN_WORD_COUNTS).is_some() {
            return None;
        }
        let topics = &self.waiting.get(&step)?.topics;
        for topic in topics {
            if let (Topic::Events(..), Some(events)) = (topic, self.beside.get(topic))
                && let Some(told) = told_by(events.values())
            {
                return Some(told);
            }
        }
        let pods = topics
            .iter()
            .filter(|topic| matches!(topic, Topic::Pods(..)))
            .filter_map(|topic| self.beside.get(topic))
            .flat_map(BTreeMap::values);
        let troubled: Vec<Object> = pods
            .filter(|pod| status::doom(pod).is_some())
            .cloned()
            .collect();
        if troubled.is_empty() {
            return None;
        }
        // Pods of an earlier revision are on their way out.
        let maker = self.maker(step, live).await?;
        let ours: Vec<Object> = troubled
            .into_iter()
            .filter(|pod| cause::is_owned_by(pod, &maker))
            .collect();
        let (pod, status) = cause::worst(&ours)?;
        Some(Told::Doomed(
            status.doomed?,
            format!("Pod/{}: {}", pod.name(), status.message),
        ))
    }

    /// The uid of what makes the pods of a workload's present generation.
    async fn maker(&mut self, step: usize, live: &Object) -> Option<String> {
        if live.kind() != "Deployment" {
            return Some(live.uid().to_owned());
        }
        let generation = live.int(&["metadata", "generation"]).unwrap_or_default();
        if let Some((of, uid)) = &self.waiting.get(&step)?.replica_set
            && *of == generation
        {
            return Some(uid.clone());
        }
        let observed = live
            .int(&["status", "observedGeneration"])
            .unwrap_or_default();
        if observed < generation {
            return None;
        }
        let set = cause::newest_replica_set(self.cluster, live).await?;
        let uid = set.uid().to_owned();
        self.waiting.get_mut(&step)?.replica_set = Some((generation, uid.clone()));
        Some(uid)
    }

    /// Says now and then what is still waited for.
    fn heartbeat(&mut self) {
        let longest = self.waiting.iter().min_by_key(|(_, waiting)| waiting.since);
        let Some((step, waiting)) = longest else {
            return;
        };
        let patience = match self.still_waiting {
            true => HEARTBEAT,
            false => FIRST_HEARTBEAT,
        };
        if self.last_news.elapsed() < patience {
            return;
        }
        self.still_waiting = true;
        self.last_news = Instant::now();
        self.sink.emit(Event::StillWaiting {
            objects: self.waiting.len(),
            longest: self.outcomes[*step].target.clone(),
            message: waiting.message.clone(),
            seconds: waiting.since.elapsed().as_secs(),
        });
    }

    fn time_out(&mut self) {
        let late: Vec<usize> = self.waiting.keys().copied().collect();
        let patience = self.options.wait_timeout;
        for (index, step) in late.into_iter().enumerate() {
            self.too_late(step, patience, index < EXPLAINED);
        }
    }

    /// An object did not become ready within its time.
    fn too_late(&mut self, step: usize, patience: Duration, explained: bool) {
        let Some(waiting) = self.waiting.get(&step) else {
            return;
        };
        let word = if waiting.leaving.is_empty() {
            "ready"
        } else {
            "gone"
        };
        let seconds = patience.as_secs();
        let reason = format!("not {word} after {seconds} s: {}", waiting.message);
        match waiting.live.clone().filter(|_| explained) {
            Some(live) => self.condemn(step, Reconcile::Timeout, live, &reason),
            None => self.give_up(step, Reconcile::Timeout, &reason),
        }
    }

    /// Forgets what was followed for a wait alone.
    pub(super) fn leave(&mut self, topics: &[Topic]) {
        for topic in topics {
            let used = |waiting: &super::wait::Waiting| waiting.topics.contains(topic);
            if !self.waiting.values().any(used) && !self.logs.follows(topic) {
                self.watches.leave(topic);
                self.beside.remove(topic);
            }
        }
    }
}

/// What the newest events about a workload or a claim mean.
fn told_by<'a>(events: impl Iterator<Item = &'a Object>) -> Option<Told> {
    let newest = events.max_by(|a, b| time_of(a).cmp(time_of(b)))?;
    let message = || {
        let text = newest.text(&["message"]).trim();
        format!("{}: {text}", newest.text(&["reason"]))
    };
    match newest.text(&["reason"]) {
        "FailedCreate" => Some(Told::Doomed(Doom::PodsRefused, message())),
        "FailedBinding" | "ProvisioningFailed" => Some(Told::Doomed(Doom::ClaimPending, message())),
        "WaitForFirstConsumer" => Some(Told::OnDemand),
        _ => None,
    }
}

fn time_of(event: &Object) -> &str {
    match event.text(&["lastTimestamp"]) {
        "" => event.text(&["eventTime"]),
        time => time,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(reason: &str, second: u32) -> Object {
        let time = format!("2026-01-01T00:00:{second:02}Z");
        Object::new(
            json!({"kind": "Event", "reason": reason, "message": "m", "lastTimestamp": time}),
        )
        .unwrap()
    }

    #[test]
    fn the_newest_event_tells() {
        let refused = [event("FailedCreate", 2), event("SuccessfulCreate", 1)];
        assert!(matches!(
            told_by(refused.iter()),
            Some(Told::Doomed(Doom::PodsRefused, text)) if text == "FailedCreate: m"
        ));
        let made = [event("FailedCreate", 2), event("SuccessfulCreate", 3)];
        assert!(told_by(made.iter()).is_none());
        let claim = [event("WaitForFirstConsumer", 1)];
        assert!(matches!(told_by(claim.iter()), Some(Told::OnDemand)));
    }
}
