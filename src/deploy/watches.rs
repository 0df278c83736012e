//! All the collections that a run follows, as one stream.

use crate::cluster::{Cluster, Error, Kind, Observed, Selector, Watch};
use crate::inventory::GroupKind;
use std::collections::BTreeMap;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

/// A collection: a kind, and a namespace unless it is the cluster's.
pub(super) type Place = (GroupKind, Option<String>);

/// What is followed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    /// The collection that an object waited for is in.
    Objects(Place),
    /// The pods of a namespace that a label selector matches; all with an empty one.
    Pods(String, String),
    /// What is told in a namespace about the object with a uid.
    Events(String, String),
}

/// What a watch of a topic saw, or why it cannot see.
pub(super) struct Sight {
    pub(super) topic: Topic,
    pub(super) observed: Result<Observed, Error>,
}

/// The watches of a run; they end when this is dropped.
pub(super) struct Watches {
    cluster: Cluster,
    followed: BTreeMap<Topic, AbortHandle>,
    tasks: JoinSet<()>,
    sender: mpsc::Sender<Sight>,
    receiver: mpsc::Receiver<Sight>,
}

impl Watches {
    pub(super) fn new(cluster: &Cluster) -> Self {
        let (sender, receiver) = mpsc::channel(64);
        Self {
            cluster: cluster.clone(),
            followed: BTreeMap::new(),
            tasks: JoinSet::new(),
            sender,
            receiver,
        }
    }

    /// Follows a topic, unless it is followed already.
    pub(super) fn follow(
        &mut self,
        topic: Topic,
        kind: &Kind,
        namespace: Option<&str>,
        selector: impl FnOnce() -> Selector,
    ) {
        if self.followed.contains_key(&topic) {
            return;
        }
        let mut watch = Watch::new(&self.cluster, kind, namespace, selector());
        let sender = self.sender.clone();
        let followed = topic.clone();
        let handle = self.tasks.spawn(async move {
            loop {
                let observed = watch.next().await;
                let failed = observed.is_err();
                let topic = topic.clone();
                if sender.send(Sight { topic, observed }).await.is_err() {
                    return;
                }
                if failed {
                    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
                }
            }
        });
        self.followed.insert(followed, handle);
    }

    /// Follows a topic no longer.
    pub(super) fn leave(&mut self, topic: &Topic) {
        if let Some(handle) = self.followed.remove(topic) {
            handle.abort();
        }
    }

    /// How many topics are followed.
    pub(super) fn count(&self) -> usize {
        self.followed.len()
    }

    /// The next thing that any of them saw. Never ends while nothing happens.
    pub(super) async fn next(&mut self) -> Sight {
        loop {
            // Tasks that were left are done; nobody asks what they gave.
            while self.tasks.try_join_next().is_some() {}
            if let Some(sight) = self.receiver.recv().await {
                return sight;
            }
            // Cannot be: `sender` is ours and open.
            tokio::task::yield_now().await;
        }
    }
}
