//! What is live of an app: members of its set, and objects that it wants and others made.

use super::owner::{KAPP, Owner, SET, controller, owner};
use super::{Error, Owned, store, unanswered};
use crate::cluster::{Cluster, Discovery, Kind, Selector};
use crate::inventory::{GroupKind, PART_OF, Parent};
use crate::kapp;
use crate::object::{Gvk, Manifest, Object, ObjectRef};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many reads run at the same time.
const CONCURRENCY: usize = 16;
/// From how many objects of one kind in one place on their names are listed first.
const MANY: usize = 10;
/// How many single reads one page of names may cost.
const PER_PAGE: usize = 50;

/// Live objects.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Members of the set and, under their desired identity, objects that exist outside of it.
    pub(super) objects: HashMap<ObjectRef, Object>,
    /// Those of them that exist outside of the set.
    pub(super) strangers: BTreeSet<ObjectRef>,
    /// Kinds that members may have and that the server no longer has.
    pub(super) vanished: Vec<GroupKind>,
    /// Objects that carry the label of the set, and that no deploy of the app has made: copies of
    /// its objects, and what took the place of one.
    pub(super) foreign: Vec<Object>,
}

impl Found {
    /// A sentence about objects that carry the label and are not of the app, those left out that it
    /// takes in now.
    pub(super) fn about_foreign(&self) -> Option<String> {
        const NAMED: usize = 5;
        let left = self.foreign.iter().map(Object::reference);
        let left: Vec<String> = left
            .filter(|target| !self.objects.contains_key(target))
            .map(|target| target.to_string())
            .collect();
        let rest = match left.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let named = left
            .iter()
            .take(NAMED)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        (!left.is_empty()).then(|| {
            format!("left alone, since they carry the label of this app but are not of it: {named}{rest}")
        })
    }

    /// The objects in the order of their identities.
    pub(super) fn in_order(self) -> Vec<Object> {
        let mut objects: Vec<(ObjectRef, Object)> = self.objects.into_iter().collect();
        objects.sort_by(|(one, _), (other, _)| one.cmp(other));
        objects.into_iter().map(|(_, object)| object).collect()
    }
}

/// Reads the members of the set, one request per kind and namespace.
pub(super) async fn find(
    cluster: &Cluster,
    discovery: &Discovery,
    parent: &Parent,
    manifests: &[Manifest],
) -> Result<Found, Error> {
    let mut found = Found::default();
    let places = match places(discovery, parent, manifests, &mut found.vanished) {
        Err(Error::Unlistable { group, kind, .. }) => {
            let why = unanswered::why(cluster, discovery, &group).await;
            return Err(Error::Unlistable { group, kind, why });
        }
        places => places?,
    };
    let selector = Selector::label(PART_OF, &parent.id());
    let lists: Vec<Vec<Object>> = stream::iter(&places)
        .map(|(kind, namespace)| cluster.list(kind, namespace.as_deref(), &selector))
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    let members = parent.record.members();
    // Controllers copy labels to what they make: that is not ours.
    for object in lists
        .into_iter()
        .flatten()
        .filter(|object| !is_copy(object))
    {
        if members.has(&object) {
            found.objects.insert(object.reference(), object);
        } else {
            found.foreign.push(object);
        }
    }
    Ok(found)
}

/// Looks for desired objects outside of the set.
pub(super) async fn find_strangers(
    cluster: &Cluster,
    discovery: &Discovery,
    found: &mut Found,
    manifests: &[Manifest],
) -> Result<(), Error> {
    let missing: Vec<(ObjectRef, &Kind)> = manifests
        .iter()
        .map(|manifest| (manifest.object.reference(), manifest.object.gvk()))
        .filter(|(target, _)| !found.objects.contains_key(target))
        .filter_map(|(target, gvk)| Some((target, discovery.find(&gvk)?)))
        .collect();
    let missing = existing(cluster, missing).await;
    let strangers: Vec<Option<Object>> = stream::iter(&missing)
        .map(|(target, kind)| cluster.get_as(kind, target))
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    // What must be there and is somebody else's is never taken.
    let foreign: BTreeSet<ObjectRef> = manifests
        .iter()
        .filter(|manifest| is_foreign(manifest))
        .map(|manifest| manifest.object.reference())
        .collect();
    for ((target, _), object) in missing.into_iter().zip(strangers) {
        if let Some(object) = object {
            if !foreign.contains(&target) {
                found.strangers.insert(target.clone());
            }
            found.objects.insert(target, object);
        }
    }
    Ok(())
}

/// Adds the newest version that kapp left of each versioned object, as far as it may be taken over:
/// the numbers go on from there.
pub(super) async fn find_versions(
    cluster: &Cluster,
    discovery: &Discovery,
    found: &mut Found,
    versioned: &[Manifest],
    take_from: &[String],
) -> Result<(), Error> {
    if take_from.is_empty() {
        return Ok(());
    }
    for manifest in versioned {
        let base = manifest.object.reference();
        let kind = discovery.find(&manifest.object.gvk());
        let (Some(kind), true) = (kind, kapp::versions(&base, &found.objects).is_empty()) else {
            continue;
        };
        let of_kapp = Selector {
            labels: "kapp.k14s.io/app".to_owned(),
            fields: String::new(),
        };
        let listed = cluster
            .list(kind, base.namespace.as_deref(), &of_kapp)
            .await?;
        let may_be_taken = |object: &Object| {
            let owner = owner(object, "");
            owner.is_some_and(|owner| take_from.iter().any(|name| is_named(&owner.name, name)))
        };
        let free = listed.into_iter().filter(may_be_taken);
        let free: HashMap<ObjectRef, Object> =
            free.map(|object| (object.reference(), object)).collect();
        if let Some((_, newest)) = kapp::versions(&base, &free).last() {
            let target = newest.reference();
            found.strangers.insert(target.clone());
            found.objects.insert(target, (*newest).clone());
        }
    }
    Ok(())
}

/// Drops objects that certainly do not exist. Where many of one kind are looked for in one place,
/// a list of the names there is cheaper than a request for each, unless the place is crowded.
async fn existing<'a>(
    cluster: &Cluster,
    missing: Vec<(ObjectRef, &'a Kind)>,
) -> Vec<(ObjectRef, &'a Kind)> {
    let mut places: BTreeMap<(GroupKind, Option<String>), (&Kind, usize)> = BTreeMap::new();
    for (target, kind) in &missing {
        let place = (GroupKind::of(target), target.namespace.clone());
        places.entry(place).or_insert((kind, 0)).1 += 1;
    }
    let mut names = BTreeMap::new();
    for (place, (kind, count)) in places.into_iter().filter(|(_, (_, count))| *count >= MANY) {
        // Whoever may not list may still read one by one.
        if let Ok(Some(there)) = cluster
            .names(kind, place.1.as_deref(), count / PER_PAGE + 1)
            .await
        {
            names.insert(place, there);
        }
    }
    let may_exist = |(target, _): &(ObjectRef, &Kind)| {
        names
            .get(&(GroupKind::of(target), target.namespace.clone()))
            .is_none_or(|there| there.contains(&target.name))
    };
    missing.into_iter().filter(may_exist).collect()
}

/// Refuses objects that something else owns, unless they may be taken from it.
pub(super) async fn check_owners(
    cluster: &Cluster,
    found: &Found,
    parent: &Parent,
    take_from: &[String],
) -> Result<(), Error> {
    let mut owned = Vec::new();
    for target in &found.strangers {
        let Some(live) = found.objects.get(target) else {
            continue;
        };
        let Some(mut owner) = owner(live, &parent.id()) else {
            continue;
        };
        if owner.kind == SET {
            let mut namespaces = parent.all_namespaces();
            namespaces.extend(target.namespace.clone());
            if let Some(name) = store::app_of_set(cluster, &namespaces, &owner.name).await {
                owner = Owner { kind: "app", name };
            }
        }
        let mut names = vec![owner.name.clone()];
        if owner.kind == KAPP
            && let Some(name) =
                store::kapp_app(cluster, target.namespace.as_deref(), &owner.name).await
        {
            names.push(name.clone());
            owner.name = name;
        }
        let may_take = |name: &String| names.iter().any(|owner| is_named(owner, name));
        if !take_from.iter().any(may_take) {
            owned.push(Owned {
                target: target.clone(),
                owner,
            });
        }
    }
    if owned.is_empty() {
        Ok(())
    } else {
        Err(Error::Owned(owned))
    }
}

/// `prod/web` is meant by `prod/web` and by `web`; everything by `*`.
fn is_named(owner: &str, name: &str) -> bool {
    name == "*" || owner == name || owner.rsplit('/').next() == Some(name)
}

/// Whether an object must be there and is somebody else's.
pub(super) fn is_foreign(manifest: &Manifest) -> bool {
    ["kapp.k14s.io/exists", "kapp.k14s.io/noop"]
        .iter()
        .any(|key| manifest.object.annotation(key).is_some())
}

/// Whether a controller made the object and copied the labels of its source.
fn is_copy(object: &Object) -> bool {
    controller(object).is_some()
        || (object.kind() == "Endpoints"
            && object
                .annotation("endpoints.kubernetes.io/last-change-trigger-time")
                .is_some())
}

/// Which collections to list: a kind and a namespace, `None` for kinds of the cluster.
fn places(
    discovery: &Discovery,
    parent: &Parent,
    manifests: &[Manifest],
    vanished: &mut Vec<GroupKind>,
) -> Result<Vec<(Kind, Option<String>)>, Error> {
    // There may be thousands of manifests, and they are of few kinds.
    let all = manifests.iter().map(|manifest| {
        let object = &manifest.object;
        (object.api_version(), object.kind(), object.namespace())
    });
    let all: BTreeSet<(&str, &str, Option<&str>)> = all.collect();
    let mut wanted: BTreeSet<(GroupKind, Option<String>)> = BTreeSet::new();
    // Objects are compared in the version of their manifest.
    let mut desired: BTreeMap<GroupKind, &Kind> = BTreeMap::new();
    if parent.exists() {
        wanted.extend(members(parent));
    }
    for (api_version, kind, namespace) in all {
        let gvk = Gvk::new(api_version, kind);
        let group_kind = GroupKind {
            group: gvk.group.clone(),
            kind: gvk.kind.clone(),
        };
        if parent.exists() {
            wanted.insert((group_kind.clone(), namespace.map(str::to_owned)));
        }
        if let Some(kind) = discovery.find(&gvk) {
            desired.insert(group_kind, kind);
        }
    }
    let mut places = BTreeMap::new();
    for (group_kind, namespace) in wanted {
        let preferred = || discovery.preferred(&group_kind.group, &group_kind.kind);
        let Some(kind) = desired.get(&group_kind).copied().or_else(preferred) else {
            if discovery.is_stale(&group_kind.group) {
                return Err(Error::Unlistable {
                    group: group_kind.group,
                    kind: group_kind.kind,
                    why: String::new(),
                });
            }
            if parent.kinds.contains(&group_kind) && !vanished.contains(&group_kind) {
                vanished.push(group_kind);
            }
            continue;
        };
        if kind.can_list {
            let namespace = namespace.filter(|_| kind.namespaced);
            if kind.namespaced && namespace.is_none() {
                continue;
            }
            places.insert((group_kind, namespace.clone()), (kind.clone(), namespace));
        }
    }
    Ok(places.into_values().collect())
}

/// Where members may be. After a deploy that came to its end the record knows; otherwise every
/// kind may be in every namespace of the set.
fn members(parent: &Parent) -> BTreeSet<(GroupKind, Option<String>)> {
    let recorded = parent.record.objects.iter().map(|member| {
        let ObjectRef {
            group,
            kind,
            namespace,
            ..
        } = &member.object;
        (group, kind, namespace)
    });
    let recorded: BTreeSet<_> = recorded.collect();
    let owned = recorded.into_iter().map(|(group, kind, namespace)| {
        let (group, kind) = (group.clone(), kind.clone());
        (GroupKind { group, kind }, namespace.clone())
    });
    let mut places: BTreeSet<_> = owned.collect();
    let known: BTreeSet<_> = places.iter().map(|(kind, _)| kind.clone()).collect();
    for kind in &parent.kinds {
        if !parent.record.is_settled() || !known.contains(kind) {
            places.insert((kind.clone(), None));
            let namespaces = parent.all_namespaces();
            places.extend(
                namespaces
                    .into_iter()
                    .map(|name| (kind.clone(), Some(name))),
            );
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Deploy, DeployResult, Member, Origin};

    fn parent(result: DeployResult) -> Parent {
        let mut parent = Parent::new("web", "a", "a", b"k");
        for (kind, namespace) in [("ConfigMap", "a"), ("Secret", "b")] {
            let object = ObjectRef {
                group: String::new(),
                kind: kind.to_owned(),
                namespace: Some(namespace.to_owned()),
                name: "x".to_owned(),
            };
            parent.widen(&object);
            parent.record.objects.push(Member {
                object,
                fingerprint: None,
                uid: String::new(),
            });
        }
        parent.record.push(Deploy {
            revision: 1,
            result,
            started: jiff::Timestamp::UNIX_EPOCH,
            finished: None,
            origin: Origin::default(),
            summary: String::new(),
            changes: Vec::new(),
            dropped: crate::inventory::Dropped::default(),
        });
        parent
    }

    #[test]
    fn looks_only_where_the_record_says_after_a_success() {
        assert_eq!(members(&parent(DeployResult::Succeeded)).len(), 2);
    }

    #[test]
    fn looks_everywhere_after_a_crash() {
        // Two kinds in two namespaces, and in the cluster.
        assert_eq!(members(&parent(DeployResult::Running)).len(), 6);
    }

    #[test]
    fn names_owners_with_and_without_namespace() {
        assert!(is_named("prod/web", "web"));
        assert!(is_named("prod/web", "prod/web"));
        assert!(!is_named("prod/web", "prod"));
    }
}
