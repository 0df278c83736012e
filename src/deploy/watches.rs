//! All the collections that a run follows, as one stream.

use crate::cluster::{Cluster, Error, Kind, Observed, Selector, Watch};
use crate::inventory::GroupKind;
use std::collections::BTreeSet;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A collection: a kind, and a namespace unless it is the cluster's.
pub(super) type Place = (GroupKind, Option<String>);

/// What a watch of a place saw, or why it cannot see.
pub(super) struct Sight {
    pub(super) place: Place,
    pub(super) observed: Result<Observed, Error>,
}

/// The watches of a run; they end when this is dropped.
pub(super) struct Watches {
    cluster: Cluster,
    places: BTreeSet<Place>,
    tasks: JoinSet<()>,
    sender: mpsc::Sender<Sight>,
    receiver: mpsc::Receiver<Sight>,
}

impl Watches {
    pub(super) fn new(cluster: &Cluster) -> Self {
        let (sender, receiver) = mpsc::channel(64);
        Self {
            cluster: cluster.clone(),
            places: BTreeSet::new(),
            tasks: JoinSet::new(),
            sender,
            receiver,
        }
    }

    /// Follows a collection, unless it is followed already.
    pub(super) fn follow(
        &mut self,
        kind: &Kind,
        namespace: Option<&str>,
        selector: impl FnOnce() -> Selector,
    ) {
        let group_kind = GroupKind {
            group: kind.gvk.group.clone(),
            kind: kind.gvk.kind.clone(),
        };
        let place = (group_kind, namespace.map(str::to_owned));
        if !self.places.insert(place.clone()) {
            return;
        }
        let mut watch = Watch::new(&self.cluster, kind, namespace, selector());
        let sender = self.sender.clone();
        self.tasks.spawn(async move {
            loop {
                let observed = watch.next().await;
                let failed = observed.is_err();
                if sender
                    .send(Sight {
                        place: place.clone(),
                        observed,
                    })
                    .await
                    .is_err()
                {
                    return;
                }
                if failed {
                    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
                }
            }
        });
    }

    /// The next thing that any of them saw. Never ends while nothing happens.
    pub(super) async fn next(&mut self) -> Sight {
        loop {
            if let Some(sight) = self.receiver.recv().await {
                return sight;
            }
            // Cannot be: `sender` is ours and open.
            tokio::task::yield_now().await;
        }
    }
}
