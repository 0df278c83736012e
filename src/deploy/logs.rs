//! Logs of the pods of an app: as they grow during a run, and on demand.

use super::prepare::Prepared;
use super::run::Options;
use super::watches::{Topic, Watches};
use super::{App, Error, cause, look};
use crate::cluster::{Cluster, LogOptions, Observed, Selector};
use crate::diff::Masker;
use crate::event::{Event, Sink};
use crate::object::{Object, ObjectRef, pod};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Asks for the logs of a pod during a deploy, as kapp has it.
const LOGS: &str = "kapp.k14s.io/deploy-logs";
/// Restricts them to some containers.
const CONTAINERS: &str = "kapp.k14s.io/deploy-logs-container-names";
/// At the end of a run logs are read on until nothing comes for this long, and at most that long.
const QUIET: Duration = Duration::from_millis(500);
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A line of a log.
pub(super) struct Line {
    pod: ObjectRef,
    container: String,
    line: String,
}

impl Line {
    pub(super) fn emit(self, sink: &mut dyn Sink, masker: &Masker) {
        sink.emit(Event::Log {
            pod: self.pod,
            container: self.container,
            line: masker.scrub(&self.line),
        });
    }
}

/// Open logs as one stream of lines; they end when this is dropped.
struct Streams {
    tasks: JoinSet<()>,
    /// The runs of containers whose log was opened: uid of the pod, name, number of restarts.
    opened: BTreeSet<(String, String, u64)>,
    sender: mpsc::Sender<Line>,
    receiver: mpsc::Receiver<Line>,
}

impl Streams {
    fn new() -> Self {
        let (sender, receiver) = mpsc::channel(256);
        Self {
            tasks: JoinSet::new(),
            opened: BTreeSet::new(),
            sender,
            receiver,
        }
    }

    /// Opens the logs of the containers of a pod that have begun to run.
    fn open(&mut self, cluster: &Cluster, pod: &Object, wanted: &[String], options: LogOptions) {
        for (container, restarts) in begun(pod) {
            if !wanted.is_empty() && !wanted.contains(&container) {
                continue;
            }
            let run = (pod.uid().to_owned(), container.clone(), restarts);
            if !self.opened.insert(run) {
                continue;
            }
            let (cluster, sender) = (cluster.clone(), self.sender.clone());
            let target = pod.reference();
            // A later run of a container is read from its beginning.
            let options = LogOptions {
                lines: options.lines.filter(|_| restarts == 0 || !options.follow),
                ..options
            };
            self.tasks.spawn(async move {
                let namespace = target.namespace.clone().unwrap_or_default();
                let opened = cluster.open_log(&namespace, &target.name, &container, options);
                let mut log = match opened.await {
                    Ok(log) => log,
                    Err(error) => return tracing::debug!(%error, "log not read"),
                };
                while let Some(line) = log.next().await {
                    let (pod, container) = (target.clone(), container.clone());
                    let line = Line {
                        pod,
                        container,
                        line,
                    };
                    if sender.send(line).await.is_err() {
                        return;
                    }
                }
            });
        }
    }

    /// The next line. Never ends while nothing comes.
    async fn next(&mut self) -> Line {
        loop {
            if let Some(line) = self.receiver.recv().await {
                return line;
            }
            // Cannot be: `sender` is ours and open.
            tokio::task::yield_now().await;
        }
    }

    /// Reads on until all logs have ended, or `quiet` passed without a line.
    async fn drain(&mut self, quiet: Option<Duration>, tell: &mut dyn FnMut(Line)) {
        loop {
            let ended = async { while self.tasks.join_next().await.is_some() {} };
            let silence = async {
                match quiet {
                    Some(quiet) => tokio::time::sleep(quiet).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(line) = self.receiver.recv() => tell(line),
                () = ended => break,
                () = silence => return,
            }
        }
        while let Ok(line) = self.receiver.try_recv() {
            tell(line);
        }
    }
}

/// The containers of a pod that run or have run, and how often each was started again.
fn begun(pod: &Object) -> Vec<(String, u64)> {
    let statuses = ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .flat_map(|field| pod.list(&["status", field]));
    let begun = |status: &Value| {
        let state = &status["state"];
        let runs = state["running"].is_object() || state["terminated"].is_object();
        let restarts = status["restartCount"].as_u64().unwrap_or_default();
        Some((status["name"].as_str()?.to_owned(), restarts)).filter(|_| runs)
    };
    statuses.filter_map(begun).collect()
}

/// The logs that are told during a run.
pub(super) struct Logs {
    streams: Streams,
    /// Whether the logs of all new pods are told.
    all: bool,
    /// Pods made later than that are new.
    started: Timestamp,
    topics: BTreeSet<Topic>,
}

impl Logs {
    pub(super) fn new(cluster: &Cluster, options: &Options) -> Self {
        Self {
            streams: Streams::new(),
            all: options.logs,
            started: cluster.server_time().unwrap_or(options.started),
            topics: BTreeSet::new(),
        }
    }

    /// Whether logs of what a step makes are to be told.
    pub(super) fn are_wanted(&self, prepared: &Prepared, step: usize) -> bool {
        let Some(desired) = prepared.plan.steps[step].change.desired.as_ref() else {
            return false;
        };
        let template = ["spec", "template", "metadata", "annotations", LOGS];
        let asks = desired.get(&template).is_some() || desired.annotation(LOGS).is_some();
        asks || (self.all && pod::pod_spec(desired).is_some())
    }

    /// Tells the logs of the pods of a topic from here on.
    pub(super) fn tell(&mut self, topics: &[Topic]) {
        let pods = topics
            .iter()
            .filter(|topic| matches!(topic, Topic::Pods(..)));
        self.topics.extend(pods.cloned());
    }

    /// Whether a topic is followed for its logs.
    pub(super) fn follows(&self, topic: &Topic) -> bool {
        self.topics.contains(topic)
    }

    /// A watch of pods saw something.
    pub(super) fn see(&mut self, cluster: &Cluster, topic: &Topic, observed: &Observed) {
        if !self.follows(topic) {
            return;
        }
        match observed {
            Observed::All(pods) => pods.iter().for_each(|pod| self.open(cluster, pod, true)),
            Observed::Changed(pod) => self.open(cluster, pod, true),
            Observed::Gone(_) => {}
        }
    }

    /// Opens the logs of a pod that asks for it, or that is new when all are told.
    pub(super) fn open(&mut self, cluster: &Cluster, pod: &Object, follow: bool) {
        let created = pod.text(&["metadata", "creationTimestamp"]).parse();
        let is_new = created.is_ok_and(|at: Timestamp| at.as_second() >= self.started.as_second());
        let told = match pod.annotation(LOGS) {
            Some("" | "for-new") => is_new,
            Some("for-existing") => !is_new,
            Some("for-new-or-existing") => true,
            Some(_) => false,
            None => self.all && is_new,
        };
        if !told {
            return;
        }
        let names = pod.annotation(CONTAINERS).unwrap_or_default().split(',');
        let names = names.map(|name| name.trim().to_owned());
        let names: Vec<String> = names.filter(|name| !name.is_empty()).collect();
        let options = LogOptions {
            follow,
            // Of a pod that has been there for long only what it says from now on.
            lines: (!is_new).then_some(0),
        };
        self.streams.open(cluster, pod, &names, options);
    }

    /// The next line. Never ends while nothing comes.
    pub(super) async fn next(&mut self) -> Line {
        self.streams.next().await
    }

    /// The last words at the end of a run: of pods that no watch has shown yet, too, unless the run
    /// was stopped.
    pub(super) async fn finish(
        &mut self,
        cluster: &Cluster,
        stopped: bool,
        sink: &mut dyn Sink,
        masker: &Masker,
    ) {
        if self.topics.is_empty() && self.streams.opened.is_empty() {
            return;
        }
        let topics = std::mem::take(&mut self.topics);
        let discovery = cluster.discovery().await.ok().filter(|_| !stopped);
        let kind = discovery
            .as_ref()
            .and_then(|known| known.preferred("", "Pod"));
        for topic in &topics {
            if let (Topic::Pods(namespace, labels), Some(kind)) = (topic, kind) {
                let selector = labeled(labels);
                let pods = cluster.list(kind, Some(namespace), &selector).await;
                for pod in pods.unwrap_or_default() {
                    self.open(cluster, &pod, false);
                }
            }
        }
        let mut tell = |line: Line| line.emit(sink, masker);
        let drained = self.streams.drain(Some(QUIET), &mut tell);
        // Whoever writes for ever is not listened to for ever.
        drop(tokio::time::timeout(LAST_WORDS, drained).await);
    }
}

fn labeled(labels: &str) -> Selector {
    Selector {
        labels: labels.to_owned(),
        fields: String::new(),
    }
}

/// Which logs of an app are wanted.
#[derive(Clone, Debug, Default)]
pub struct Tail {
    /// Whether to go on with what is still to be written, and with pods still to come.
    pub follow: bool,
    /// How many of the last lines of each container; all without it.
    pub lines: Option<usize>,
    /// The containers; all when empty.
    pub containers: Vec<String>,
    /// A pattern for the names of pods, with `*` for any text; all when empty.
    pub pods: String,
}

/// Tells the logs of the pods of an app. With [`Tail::follow`] it never ends by itself.
///
/// # Errors
/// When the app does not exist or the server refuses.
pub async fn tail(
    cluster: &Cluster,
    app: &App,
    wanted: &Tail,
    sink: &mut dyn Sink,
) -> Result<(), Error> {
    let places = places(cluster, app).await?;
    let options = LogOptions {
        follow: wanted.follow,
        lines: wanted.lines,
    };
    let mut streams = Streams::new();
    let mut tell = |line: Line| {
        sink.emit(Event::Log {
            pod: line.pod,
            container: line.container,
            line: line.line,
        });
    };
    let discovery = cluster.discovery().await?;
    let Some(kind) = discovery.preferred("", "Pod") else {
        return Ok(());
    };
    if !wanted.follow {
        for ((namespace, labels), makers) in &places {
            let pods = cluster
                .list(kind, Some(namespace), &labeled(labels))
                .await?;
            for pod in pods.iter().filter(|pod| is_wanted(pod, makers, wanted)) {
                streams.open(cluster, pod, &wanted.containers, options);
                // One after the other, so that lines of one pod stand together.
                streams.drain(None, &mut tell).await;
            }
        }
        return Ok(());
    }
    let mut watches = Watches::new(cluster);
    for (namespace, labels) in places.keys() {
        let topic = Topic::Pods(namespace.clone(), labels.clone());
        watches.follow(topic, kind, Some(namespace), || labeled(labels));
    }
    loop {
        tokio::select! {
            line = streams.next() => tell(line),
            sight = watches.next() => {
                let Topic::Pods(namespace, labels) = sight.topic else { continue };
                let pods = match sight.observed? {
                    Observed::All(pods) => pods,
                    Observed::Changed(pod) => vec![pod],
                    Observed::Gone(_) => continue,
                };
                let makers = &places[&(namespace, labels)];
                for pod in pods.iter().filter(|pod| is_wanted(pod, makers, wanted)) {
                    streams.open(cluster, pod, &wanted.containers, options);
                }
            }
        }
    }
}

/// Who makes pods: kind and name.
type Makers = BTreeSet<(String, String)>;

/// Where the pods of an app are: namespace and label selector, and by whom they are made.
async fn places(cluster: &Cluster, app: &App) -> Result<BTreeMap<(String, String), Makers>, Error> {
    let mut places: BTreeMap<(String, String), Makers> = BTreeMap::new();
    for object in look::live(cluster, app).await?.1 {
        let Some(namespace) = object.namespace() else {
            continue;
        };
        let labels = match object.kind() {
            // Whatever a pod or the jobs of a CronJob are labeled with, their names tell.
            "Pod" | "CronJob" => String::new(),
            _ if cause::makes_pods(&object.gvk()) => match cause::selector(&object) {
                Some(selector) => selector.labels,
                None => continue,
            },
            _ => continue,
        };
        let maker = (object.kind().to_owned(), object.name().to_owned());
        let place = (namespace.to_owned(), labels);
        places.entry(place).or_default().insert(maker);
    }
    Ok(places)
}

/// Whether a pod is made by one of these, directly or through a ReplicaSet or Job that is named
/// after it, and matches what is asked for.
fn is_wanted(pod: &Object, makers: &Makers, wanted: &Tail) -> bool {
    if !wanted.pods.is_empty() && !matches(&wanted.pods, pod.name()) {
        return false;
    }
    let made_by = |kind: &str, name: &str| makers.contains(&(kind.to_owned(), name.to_owned()));
    let owners = pod.list(&["metadata", "ownerReferences"]);
    let owned = owners.iter().any(|owner| {
        let (kind, name) = (
            owner["kind"].as_str().unwrap_or_default(),
            owner["name"].as_str().unwrap_or_default(),
        );
        let base = name.rsplit_once('-').map_or("", |(base, _)| base);
        let above = match kind {
            "ReplicaSet" => "Deployment",
            "Job" => "CronJob",
            _ => "",
        };
        made_by(kind, name) || made_by(above, base)
    });
    owned || made_by("Pod", pod.name())
}

/// Whether a name matches a pattern in which `*`, or kapp's `%`, stands for any text.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split(['*', '%']);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pattern_matches_whole_names() {
        assert!(matches("web-*", "web-1"));
        assert!(matches("%api%1", "my-api-0-1"));
        assert!(matches("web", "web"));
        assert!(!matches("web", "web-1"));
        assert!(!matches("a*b*c", "abd"));
        assert!(!matches("ab*b", "ab"));
    }

    #[test]
    fn pods_are_known_by_whoever_made_them() {
        let pod = |kind: &str, name: &str| {
            Object::new(json!({"kind": "Pod", "metadata": {"name": "p",
                "ownerReferences": [{"kind": kind, "name": name}]}}))
            .unwrap()
        };
        let makers: Makers = [("Deployment", "web"), ("CronJob", "clean"), ("Job", "once")]
            .map(|(kind, name)| (kind.to_owned(), name.to_owned()))
            .into();
        let all = Tail::default();
        assert!(is_wanted(&pod("ReplicaSet", "web-5d8f"), &makers, &all));
        assert!(is_wanted(&pod("Job", "clean-2901"), &makers, &all));
        assert!(is_wanted(&pod("Job", "once"), &makers, &all));
        assert!(!is_wanted(
            &pod("ReplicaSet", "web-api-5d8f"),
            &makers,
            &all
        ));
        let other = Tail {
            pods: "q*".to_owned(),
            ..Tail::default()
        };
        assert!(!is_wanted(&pod("Job", "once"), &makers, &other));
    }
}
