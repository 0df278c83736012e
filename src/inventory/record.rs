//! What deploys left behind: fingerprints of the objects, rules that say when they are ready, and a
//! short history. Holds no value of any object but hooks of the deletion, which are needed when the
//! chart is no longer at hand.

use crate::object::{Fingerprint, Object, ObjectRef};
use crate::status::Rule;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};

/// How many deploys are remembered.
const KEPT: usize = 50;
/// How many bytes of JSON they take before the oldest lose their details: a record has to fit a
/// Secret, and its objects need room too.
const KEPT_BYTES: usize = 512 * 1024;
/// How many changes, images and lock files of one deploy are remembered, each.
const KEPT_DETAILS: usize = 1000;

/// The present format. A record of a later one is refused.
pub(super) const FORMAT: u32 = 1;

/// The record of an app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The format of this document.
    pub format_version: u32,
    /// The name of the app.
    pub app: String,
    /// The namespace of the app.
    pub namespace: String,
    /// The key of the fingerprints, in hex.
    pub key: String,
    /// What belongs to the app, as last applied.
    pub objects: Vec<Member>,
    /// The hooks that run when the app is deleted. No Secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Value>,
    /// When objects are ready that have a rule of their own. Older records have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ready: Vec<Ready>,
    /// The last deploys, the newest last.
    pub history: Vec<Deploy>,
}

/// One object of the app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The object.
    pub object: ObjectRef,
    /// What it was right after it was applied; `None` when it was not applied to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// Its uid; empty as long as the server has not told it, and in older records.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
}

/// The names of an object, those of the API group left out.
fn ungrouped(object: &ObjectRef) -> (&str, Option<&str>, &str) {
    (&object.kind, object.namespace.as_deref(), &object.name)
}

/// Tells the objects of an app from others that carry its label.
#[derive(Debug)]
pub struct Members<'a> {
    uids: HashSet<&'a str>,
    /// Kind, namespace and name of those whose uid is not known. A kind may move to another group.
    names: HashSet<(&'a str, Option<&'a str>, &'a str)>,
}

impl Members<'_> {
    /// Whether the record names this very object.
    #[must_use]
    pub fn has(&self, object: &Object) -> bool {
        let name = (object.kind(), object.namespace(), object.name());
        self.uids.contains(object.uid()) || self.names.contains(&name)
    }
}

/// A rule that says when objects are ready, and for which objects it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// The rule.
    pub rule: Rule,
    /// The objects.
    pub objects: Vec<ObjectRef>,
}

/// One deploy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deploy {
    /// Counts up from 1.
    pub revision: u64,
    /// How it ended.
    pub result: Result,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// What was deployed, by whom.
    #[serde(default)]
    pub origin: Origin,
    /// What was done, for example `2 create, 1 update, 1 hook`.
    #[serde(default)]
    pub summary: String,
    /// What was done to which object. Of a deploy that was killed: what was about to be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Changed>,
    /// How many details are no longer remembered.
    #[serde(default, skip_serializing_if = "Dropped::is_nothing")]
    pub dropped: Dropped,
}

/// A change of a deploy. Holds no value of the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// `create`, `update`, `replace`, `delete`, …
    pub op: String,
    /// Whether it is a hook that runs. Older records do not tell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hook: bool,
    /// The object.
    pub object: ObjectRef,
    /// How it ended when it did not end well: `failed`, `skipped` or `not ready`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub state: String,
}

/// How many details of a deploy are no longer remembered, since a record is bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dropped {
    /// Changes.
    pub changes: usize,
    /// Images.
    pub images: usize,
    /// Lock files.
    pub locks: usize,
}

impl Dropped {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Deploy {
    /// Sets what was done to which object; of very many changes the first are remembered.
    pub fn set_changes(&mut self, changes: Vec<Changed>) {
        self.changes = changes;
        self.dropped.changes = 0;
        self.cut(KEPT_DETAILS);
    }

    /// Forgets all details but so many of each kind; says whether there were more.
    fn cut(&mut self, kept: usize) -> bool {
        let before = self.dropped;
        let cut = |length: usize| length.saturating_sub(kept);
        let Origin { images, locks, .. } = &mut self.origin;
        self.dropped.changes += cut(self.changes.len());
        self.dropped.images += cut(images.len());
        self.dropped.locks += cut(locks.len());
        self.changes.truncate(kept);
        images.truncate(kept);
        locks.truncate(kept);
        self.dropped != before
    }

    fn bytes(&self) -> usize {
        serde_json::to_vec(self).map_or(0, |text| text.len())
    }
}

/// How a deploy ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Result {
    /// It runs, or its process died.
    Running,
    /// Everything was applied and became ready.
    Succeeded,
    /// Something was refused or did not become ready.
    Failed,
    /// It was stopped from outside.
    Interrupted,
}

impl std::fmt::Display for Result {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        })
    }
}

/// Where a deploy came from. What is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Origin {
    /// The remote of the git repository of the configuration, without credentials.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub git_remote: String,
    /// Its commit, marked `-dirty` when files differed from it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub git_commit: String,
    /// The chart, `name-version`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub chart: String,
    /// A digest over the files of the chart, `sha256:…`; that of the archive when it is one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub chart_digest: String,
    /// The lock files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<LockFile>,
    /// Who deployed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub who: String,
    /// The machine.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// The page of the CI run.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ci_url: String,
    /// The images, in the order of their names. Old deploys of apps with very many have none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ImageSource>,
}

/// A lock file of a deploy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LockFile {
    /// Its path as it was given.
    pub file: String,
    /// The digest of its bytes, `sha256:…`.
    pub digest: String,
}

/// An image of a deploy, and the entry of a lock that it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageSource {
    /// The image as it was deployed.
    pub image: String,
    /// The image as it stands in the chart.
    pub from: String,
    /// File and line of the entry, `app-locks/web.yml:4`; empty when no lock names the image.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub lock: String,
    /// The `origins` of the entry, without credentials and paths of a machine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<Value>,
}

impl Record {
    /// The record of an app that was never deployed. `key` is random.
    #[must_use]
    pub fn new(app: &str, namespace: &str, key: &[u8]) -> Self {
        Self {
            format_version: FORMAT,
            app: app.to_owned(),
            namespace: namespace.to_owned(),
            key: key.iter().map(|byte| format!("{byte:02x}")).collect(),
            objects: Vec::new(),
            hooks: Vec::new(),
            ready: Vec::new(),
            history: Vec::new(),
        }
    }

    /// The key of the fingerprints. It is used as it is written, so that nothing can fail here.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.key.as_bytes()
    }

    /// The fingerprints by object.
    #[must_use]
    pub fn fingerprints(&self) -> HashMap<&ObjectRef, &Fingerprint> {
        self.objects
            .iter()
            .filter_map(|member| Some((&member.object, member.fingerprint.as_ref()?)))
            .collect()
    }

    /// The rules that say when objects are ready, by object.
    #[must_use]
    pub fn rules(&self) -> HashMap<&ObjectRef, &Rule> {
        let each = self.ready.iter().flat_map(|ready| {
            let objects = ready.objects.iter();
            objects.map(|object| (object, &ready.rule))
        });
        each.collect()
    }

    /// Sets the rules that say when objects are ready. One that many share is kept once.
    pub fn set_rules(&mut self, rules: &BTreeMap<ObjectRef, Rule>) {
        let mut shared: BTreeMap<&Rule, Vec<ObjectRef>> = BTreeMap::new();
        for (object, rule) in rules {
            shared.entry(rule).or_default().push(object.clone());
        }
        let each = shared.into_iter().map(|(rule, objects)| Ready {
            rule: rule.clone(),
            objects,
        });
        self.ready = each.collect();
    }

    /// What tells the objects of the app from others that carry its label.
    #[must_use]
    pub fn members(&self) -> Members<'_> {
        let uids = self.objects.iter().map(|member| member.uid.as_str());
        let uids: HashSet<&str> = uids.filter(|uid| !uid.is_empty()).collect();
        let unknown = self.objects.iter().filter(|member| member.uid.is_empty());
        // A run of before that was killed noted what it was about to make nowhere else.
        let last = self
            .last()
            .filter(|_| uids.is_empty() && !self.is_settled());
        let begun = last.into_iter().flat_map(|deploy| &deploy.changes);
        let names = unknown
            .map(|member| &member.object)
            .chain(begun.map(|changed| &changed.object));
        Members {
            names: names.map(ungrouped).collect(),
            uids,
        }
    }

    /// The last deploy.
    #[must_use]
    pub fn last(&self) -> Option<&Deploy> {
        self.history.last()
    }

    /// Whether the last deploy did all it wanted.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.last()
            .is_some_and(|deploy| deploy.result == Result::Succeeded)
    }

    /// The revision that the next deploy gets.
    #[must_use]
    pub fn next_revision(&self) -> u64 {
        self.last()
            .map_or(1, |deploy| deploy.revision.saturating_add(1))
    }

    /// Adds a deploy; forgets the oldest, and the details of old ones where all of them take too much.
    /// A deploy before it that did not end was killed.
    pub fn push(&mut self, mut deploy: Deploy) {
        if let Some(last) = self.history.last_mut()
            && last.result == Result::Running
        {
            last.result = Result::Interrupted;
        }
        deploy.cut(KEPT_DETAILS);
        self.history.push(deploy);
        let excess = self.history.len().saturating_sub(KEPT);
        self.history.drain(..excess);
        let mut bytes = 0;
        for deploy in self.history.iter_mut().rev() {
            bytes += deploy.bytes();
            if bytes > KEPT_BYTES {
                deploy.cut(0);
            }
        }
    }

    /// Forgets the details of the oldest deploy that has any; says whether there was one.
    pub(super) fn forget_oldest(&mut self) -> bool {
        self.history.iter_mut().any(|deploy| deploy.cut(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{ConditionRule, Meaning};

    fn deploy(revision: u64) -> Deploy {
        Deploy {
            revision,
            result: Result::Succeeded,
            started: Timestamp::UNIX_EPOCH,
            finished: None,
            origin: Origin::default(),
            summary: String::new(),
            changes: Vec::new(),
            dropped: Dropped::default(),
        }
    }

    fn changes(count: usize) -> Vec<Changed> {
        let changed = |number| Changed {
            op: "update".to_owned(),
            hook: false,
            object: ObjectRef {
                group: "apps".to_owned(),
                kind: "Deployment".to_owned(),
                namespace: Some("prod".to_owned()),
                name: format!("some-service-{number}"),
            },
            state: String::new(),
        };
        (0..count).map(changed).collect()
    }

    #[test]
    fn remembers_the_last_fifty_deploys() {
        let mut record = Record::new("web", "prod", b"k");
        for revision in 1..=60 {
            record.push(deploy(revision));
        }
        let revisions: Vec<_> = record
            .history
            .iter()
            .map(|deploy| deploy.revision)
            .collect();
        assert_eq!(revisions, (11..=60).collect::<Vec<_>>());
        assert_eq!(record.next_revision(), 61);
    }

    #[test]
    fn forgets_the_details_of_old_deploys_first_and_says_how_many() {
        let mut record = Record::new("web", "prod", b"k");
        for revision in 1..=60 {
            let mut deploy = deploy(revision);
            deploy.set_changes(changes(1200));
            deploy.origin.images = vec![ImageSource::default(); 300];
            record.push(deploy);
        }
        let text = serde_json::to_vec(&record).unwrap();
        assert!(text.len() < KEPT_BYTES + 50 * 300, "{}", text.len());
        let newest = record.last().unwrap();
        assert_eq!((newest.changes.len(), newest.dropped.changes), (1000, 200));
        let oldest = &record.history[0];
        let dropped = Dropped {
            changes: 1200,
            images: 300,
            locks: 0,
        };
        assert_eq!((oldest.changes.len(), oldest.dropped), (0, dropped));
        assert!(oldest.origin.images.is_empty());
    }

    #[test]
    fn a_deploy_that_never_ended_was_interrupted() {
        let mut record = Record::new("web", "prod", b"k");
        record.push(Deploy {
            result: Result::Running,
            ..deploy(1)
        });
        record.push(deploy(2));
        assert_eq!(record.history[0].result, Result::Interrupted);
    }

    #[test]
    fn rules_that_objects_share_are_kept_once_and_read_again() {
        let rule = |kind: &str, meaning| Rule {
            observed_generation: false,
            conditions: vec![ConditionRule {
                kind: kind.to_owned(),
                status: "True".to_owned(),
                meaning,
                observed_generation: true,
            }],
        };
        let objects = changes(3).into_iter().map(|changed| changed.object);
        let objects: Vec<ObjectRef> = objects.collect();
        let given = [
            rule("Ready", Meaning::Success),
            rule("Slow", Meaning::FailureAfter { seconds: 90 }),
            rule("Ready", Meaning::Success),
        ];
        let rules: BTreeMap<_, _> = objects.into_iter().zip(given).collect();
        let mut record = Record::new("web", "prod", b"k");
        record.set_rules(&rules);
        assert_eq!(record.ready.len(), 2);
        let text = serde_json::to_string(&record).unwrap();
        insta::assert_snapshot!(serde_json::to_string(&record.ready[1].rule).unwrap(), @r#"{"conditions":[{"type":"Slow","status":"True","meaning":{"failureAfter":{"seconds":90}},"observedGeneration":true}]}"#);
        let read: Record = serde_json::from_str(&text).unwrap();
        let read = read.rules();
        assert_eq!(read.len(), 3);
        assert!(rules.iter().all(|(object, rule)| read[object] == rule));
    }

    #[test]
    fn members_are_known_by_uid_and_without_one_by_name() {
        let object = |group: &str, name: &str, uid: &str| {
            Object::new(
                serde_json::json!({"apiVersion": format!("{group}/v1"), "kind": "Deployment",
                "metadata": {"name": name, "namespace": "prod", "uid": uid}}),
            )
            .unwrap()
        };
        let mut record = Record::new("web", "prod", b"k");
        for (name, uid) in [("made", "1"), ("begun", "")] {
            record.objects.push(Member {
                object: object("apps", name, "").reference(),
                fingerprint: None,
                uid: uid.to_owned(),
            });
        }
        let members = record.members();
        assert!(members.has(&object("apps", "made", "1")));
        assert!(members.has(&object("apps", "begun", "2")));
        assert!(members.has(&object("extensions", "begun", "2")));
        for (name, uid) in [("made", "2"), ("copy", "3")] {
            assert!(!members.has(&object("apps", name, uid)), "{name}");
        }
        // A record of before that was left by a killed run.
        let mut record = Record::new("web", "prod", b"k");
        let mut killed = deploy(1);
        killed.result = Result::Running;
        killed.set_changes(changes(1));
        let (kind, namespace) = (
            &killed.changes[0].object.kind,
            &killed.changes[0].object.namespace,
        );
        let made = serde_json::json!({"kind": kind, "metadata":
            {"name": killed.changes[0].object.name, "namespace": namespace, "uid": "1"}});
        record.push(killed);
        assert!(record.members().has(&Object::new(made).unwrap()));
    }

    #[test]
    fn records_of_before_are_read() {
        let text = r#"{"formatVersion":1,"app":"web","namespace":"prod","key":"00","objects":[],
            "history":[{"revision":1,"result":"succeeded","started":"2026-11-01T10:00:00Z",
            "origin":{"gitCommit":"abc","lockDigest":"sha256:1",
            "images":[{"image":"a@sha256:1","from":"a:1","lock":"l.yml:4"}]},"summary":"1 create"}]}"#;
        let record: Record = serde_json::from_str(text).unwrap();
        let deploy = record.last().unwrap();
        assert_eq!(deploy.origin.images[0].lock, "l.yml:4");
        assert!(deploy.changes.is_empty() && deploy.dropped.is_nothing());
        assert!(record.rules().is_empty());
    }

    #[test]
    fn is_settled_only_after_a_success() {
        let mut record = Record::new("web", "prod", b"k");
        assert!(!record.is_settled());
        record.push(deploy(1));
        assert!(record.is_settled());
        record.push(Deploy {
            result: Result::Running,
            ..deploy(2)
        });
        assert!(!record.is_settled());
    }
}
