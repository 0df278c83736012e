//! What deploys left behind: fingerprints of the objects and a short history. Holds no value of
//! any object.

use crate::object::{Fingerprint, ObjectRef};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many deploys are remembered.
const KEPT: usize = 10;

/// How many images all remembered deploys together name at most: a record has to fit a Secret.
const KEPT_IMAGES: usize = 2000;

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
    /// What was done, for example `2 create, 1 update`.
    #[serde(default)]
    pub summary: String,
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
    /// The git commit of the configuration.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub git_commit: String,
    /// The chart, `name-version`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub chart: String,
    /// A digest over the chart and its values.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub chart_digest: String,
    /// A digest over the lock files.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub lock_digest: String,
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

/// An image of a deploy, and the entry of a lock that it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageSource {
    /// The image as it was deployed.
    pub image: String,
    /// The image as it stands in the chart.
    pub from: String,
    /// File and line of the entry, `app-locks/web.yml:4`; empty when no lock names the image.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub lock: String,
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
    pub fn fingerprints(&self) -> BTreeMap<&ObjectRef, &Fingerprint> {
        self.objects
            .iter()
            .filter_map(|member| Some((&member.object, member.fingerprint.as_ref()?)))
            .collect()
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

    /// Adds a deploy and forgets the oldest, and the images of old ones where they are too many.
    pub fn push(&mut self, deploy: Deploy) {
        self.history.push(deploy);
        let excess = self.history.len().saturating_sub(KEPT);
        self.history.drain(..excess);
        let mut images = 0;
        for deploy in self.history.iter_mut().rev() {
            images += deploy.origin.images.len();
            if images > KEPT_IMAGES {
                deploy.origin.images.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deploy(revision: u64) -> Deploy {
        Deploy {
            revision,
            result: Result::Succeeded,
            started: Timestamp::UNIX_EPOCH,
            finished: None,
            origin: Origin::default(),
            summary: String::new(),
        }
    }

    #[test]
    fn remembers_the_last_ten_deploys() {
        let mut record = Record::new("web", "prod", b"k");
        for revision in 1..=12 {
            record.push(deploy(revision));
        }
        let revisions: Vec<_> = record
            .history
            .iter()
            .map(|deploy| deploy.revision)
            .collect();
        assert_eq!(revisions, (3..=12).collect::<Vec<_>>());
        assert_eq!(record.next_revision(), 13);
    }

    #[test]
    fn forgets_the_images_of_old_deploys_first() {
        let mut record = Record::new("web", "prod", b"k");
        for revision in 1..=4 {
            let mut deploy = deploy(revision);
            deploy.origin.images = vec![ImageSource::default(); KEPT_IMAGES / 3];
            record.push(deploy);
        }
        let images = record
            .history
            .iter()
            .map(|deploy| deploy.origin.images.len());
        let third = KEPT_IMAGES / 3;
        assert_eq!(images.collect::<Vec<_>>(), [0, third, third, third]);
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
