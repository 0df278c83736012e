//! What controllers made of the objects of an app, found by who owns whom; claims of a `StatefulSet`, which
//! outlive it and have no owner, by their names.

use super::claims;
use super::look::{Seen, seen};
use crate::cluster::{Cluster, Kind, Selector};
use crate::object::{Object, ObjectRef};
use futures::stream::{self, StreamExt as _};
use std::collections::{BTreeMap, BTreeSet};

/// The kinds that controllers make, of apps and of operators.
const MADE: [(&str, &str); 8] = [
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("apps", "ReplicaSet"),
    ("batch", "CronJob"),
    ("batch", "Job"),
    ("", "Pod"),
    ("", "PersistentVolumeClaim"),
];
/// How many lists are read at the same time.
const CONCURRENCY: usize = 16;

/// An object of an app, or one that was made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Relative {
    /// The object.
    pub seen: Seen,
    /// What it was made of; `None` for an object of the app itself.
    pub owner: Option<ObjectRef>,
    /// How far below an object of the app it is.
    pub depth: usize,
}

/// The objects of an app, each followed by what was made of it. A kind that the user may not list is
/// left out. What is left of earlier revisions, a `ReplicaSet` without pods, is no longer of interest.
///
/// # Errors
/// When the server does not tell its kinds.
pub async fn family(
    cluster: &Cluster,
    members: Vec<Seen>,
) -> Result<Vec<Relative>, crate::cluster::Error> {
    let made = made(cluster, &members).await?;
    let own: BTreeSet<String> = members
        .iter()
        .map(|member| member.live.uid().to_owned())
        .collect();
    let mut below: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for object in &made {
        if own.contains(object.uid()) || is_past(object) {
            continue;
        }
        for owner in object.list(&["metadata", "ownerReferences"]) {
            let uid = owner["uid"].as_str().unwrap_or_default();
            below.entry(uid).or_default().push(object);
        }
    }
    for set in made.iter().filter(|object| object.kind() == "StatefulSet") {
        let claims = made.iter().filter(|claim| {
            claims::is_made_by(claim, set)
                && claim.list(&["metadata", "ownerReferences"]).is_empty()
                && !own.contains(claim.uid())
        });
        below.entry(set.uid()).or_default().extend(claims);
    }
    below
        .values_mut()
        .for_each(|objects| objects.sort_by_key(|object| object.reference()));
    let mut family = Vec::new();
    let mut known: BTreeSet<String> = BTreeSet::new();
    let root = |member: Seen| Relative {
        seen: member,
        owner: None,
        depth: 0,
    };
    let mut next: Vec<Relative> = members.into_iter().rev().map(root).collect();
    while let Some(relative) = next.pop() {
        // Owners that own each other are no family.
        if !known.insert(relative.seen.live.uid().to_owned()) {
            continue;
        }
        let made = below.get(relative.seen.live.uid());
        next.extend(made.into_iter().flatten().rev().map(|object| Relative {
            seen: seen((*object).clone(), None),
            owner: Some(relative.seen.target.clone()),
            depth: relative.depth + 1,
        }));
        family.push(relative);
    }
    Ok(family)
}

/// Everything of the kinds that controllers make, in the namespaces of the app.
async fn made(cluster: &Cluster, members: &[Seen]) -> Result<Vec<Object>, crate::cluster::Error> {
    let discovery = cluster.discovery().await?;
    let namespaces: BTreeSet<&str> = members
        .iter()
        .filter_map(|member| member.target.namespace.as_deref())
        .collect();
    let kinds: Vec<&Kind> = MADE
        .iter()
        .filter_map(|(group, kind)| discovery.preferred(group, kind))
        .collect();
    let places = namespaces
        .iter()
        .flat_map(|namespace| kinds.iter().map(move |kind| (*kind, *namespace)));
    let everything = Selector::default();
    let lists: Vec<_> = stream::iter(places)
        .map(|(kind, namespace)| cluster.list(kind, Some(namespace), &everything))
        .buffered(CONCURRENCY)
        .collect()
        .await;
    Ok(lists.into_iter().flatten().flatten().collect())
}

/// Whether it is a `ReplicaSet` of an earlier revision.
fn is_past(object: &Object) -> bool {
    object.kind() == "ReplicaSet"
        && object.int(&["spec", "replicas"]) == Some(0)
        && object.int(&["status", "replicas"]).unwrap_or_default() == 0
}
