//! What a user lacks who may not deploy, all of it at once and before anything is written, as the roles
//! that would give it.

use super::cause::makes_pods;
use super::given::Given;
use super::prepare::Prepared;
use super::run::Options;
use super::{App, Error};
use crate::cluster::{self, Access, Cluster, Discovery};
use crate::diff::{Change, Op};
use crate::event::{Event, Sink};
use crate::object::{Gvk, Manifest};
use crate::plan::Phase;
use futures::stream::{self, StreamExt as _};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// How many questions are asked at the same time.
const CONCURRENCY: usize = 16;
/// What is done to the objects of an app, to its record and lock, and to what tells of its pods.
const OBJECTS: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];
const RECORD: &[&str] = &["get", "create", "update", "delete"];
const LEASES: (&str, &str) = ("coordination.k8s.io", "leases");
const BESIDE: &[&str] = &["list", "watch"];

/// The kinds of an app and where its objects are.
pub(super) type Places = BTreeSet<(Gvk, Option<String>)>;

/// The places of manifests; one that names no namespace is in that of the app, if its kind has any.
pub(super) fn places(manifests: &[Manifest]) -> Places {
    let place = |manifest: &Manifest| {
        let namespace = manifest.object.namespace().map(str::to_owned);
        (manifest.object.gvk(), namespace)
    };
    manifests.iter().map(place).collect()
}

/// Whether the server forbids something to the user for want of a role.
pub(super) fn is_forbidden(error: &Error) -> bool {
    match error {
        Error::Cluster(cluster::Error::Forbidden { .. }) => true,
        Error::Refused(refusals) => refusals
            .iter()
            .any(|refusal| lacks_rights(&refusal.message)),
        _ => false,
    }
}

/// Whether these words of the server are about a role that the user lacks.
pub(super) fn lacks_rights(message: &str) -> bool {
    message.contains("is forbidden: User ")
}

/// What has to be allowed: to what it is done (without a name), and to which objects, `None` for the
/// kind as a whole.
#[derive(Default)]
struct Needs(BTreeMap<Access, BTreeSet<Option<String>>>);

impl Needs {
    fn add(
        &mut self,
        (namespace, group, resource): (Option<&str>, &str, &str),
        verbs: &[&'static str],
        name: Option<&str>,
    ) {
        for verb in verbs {
            let access = Access {
                namespace: namespace.map(str::to_owned),
                group: group.to_owned(),
                resource: resource.to_owned(),
                verb,
                name: None,
            };
            let names = self.0.entry(access).or_default();
            names.insert(name.map(str::to_owned));
        }
    }

    /// What is read to tell why pods do not become ready.
    fn add_beside(&mut self, namespace: Option<&str>) {
        self.add((namespace, "", "pods"), BESIDE, None);
        self.add((namespace, "", "pods/log"), &["get"], None);
        self.add((namespace, "", "events"), BESIDE, None);
        self.add((namespace, "apps", "replicasets"), BESIDE, None);
    }

    /// What of it the server does not allow. The rules of a namespace answer most of it at once; what
    /// they do not name may still be allowed in other ways, so that each of it is asked for. What the
    /// server cannot tell counts as allowed.
    async fn lacking(self, cluster: &Cluster) -> Result<Vec<Access>, cluster::Error> {
        let namespaces: BTreeSet<String> = self
            .0
            .keys()
            .filter_map(|key| key.namespace.clone())
            .collect();
        let reviews = stream::iter(&namespaces).map(|name| cluster.rules(name));
        let reviews: Vec<_> = reviews.buffered(CONCURRENCY).collect().await;
        let mut rules = BTreeMap::new();
        for (namespace, review) in namespaces.iter().zip(reviews) {
            match review {
                Err(error @ cluster::Error::Unreachable { .. }) => return Err(error),
                review => rules.insert(namespace, review.unwrap_or_default()),
            };
        }
        let open = self.0.into_iter().filter_map(|(access, names)| {
            let rules = access.namespace.as_ref().and_then(|name| rules.get(name));
            let named = |name| Access {
                name,
                ..access.clone()
            };
            let allowed = |access: &Access| rules.is_some_and(|rules| rules.allow(access));
            names.into_iter().map(named).find(|one| !allowed(one))
        });
        let open: Vec<Access> = open.collect();
        let asked = stream::iter(open).map(|access| async move {
            let allowed = cluster.may(&access).await.unwrap_or(true);
            (!allowed).then_some(Access {
                name: None,
                ..access
            })
        });
        let lacking: Vec<Option<Access>> = asked.buffered(CONCURRENCY).collect().await;
        Ok(lacking.into_iter().flatten().collect())
    }
}

/// The same error with the roles that would give what the user lacks, as far as the server tells.
pub(super) async fn explained(
    cluster: &Cluster,
    app: &App,
    places: &Places,
    error: Error,
) -> Error {
    let Ok(needs) = of_kinds(cluster, app, places).await else {
        return error;
    };
    match needs.lacking(cluster).await {
        Ok(lacking) if !lacking.is_empty() => Error::Lacking {
            cause: Box::new(error),
            roles: roles(&format!("windlass-{}", app.name), &lacking),
        },
        _ => error,
    }
}

/// All that a deploy of objects of these kinds does.
async fn of_kinds(cluster: &Cluster, app: &App, places: &Places) -> Result<Needs, cluster::Error> {
    let discovery = cluster.discovery().await?;
    let mut needs = Needs::default();
    let record = Some(app.record_namespace());
    needs.add((record, "", "secrets"), RECORD, None);
    needs.add((record, LEASES.0, LEASES.1), RECORD, None);
    for (gvk, namespace) in places {
        // A kind that the set brings along itself is not known yet, and nobody can be asked about it.
        let Some(kind) = discovery.find(gvk) else {
            continue;
        };
        let own = namespace.as_deref().or(Some(app.namespace.as_str()));
        let namespace = own.filter(|_| kind.namespaced);
        needs.add((namespace, &gvk.group, &kind.plural), OBJECTS, None);
        if makes_pods(gvk) {
            needs.add_beside(namespace);
        }
    }
    Ok(needs)
}

/// Makes sure, before anything is written, that the user may do all that a plan does. What trials did
/// is known already; rights that only serve to explain failures are warned of.
pub(super) async fn check(
    cluster: &Cluster,
    prepared: &Prepared,
    options: &Options,
    sink: &mut dyn Sink,
) -> Result<(), Error> {
    let discovery = cluster.discovery().await?;
    let absent = absent(prepared);
    let is_there = |access: &Access| {
        let namespace = access.namespace.as_ref();
        namespace.is_none_or(|namespace| !absent.contains(namespace))
    };
    let pods = with_pods(prepared, options, &discovery);
    let mut needs = of_run(prepared, options, &discovery);
    let mut beside = Needs::default();
    for (namespace, gvk, plural) in &pods {
        // What else is waited for may be ready as soon as it is written.
        needs.add((*namespace, &gvk.group, plural), BESIDE, None);
        beside.add_beside(*namespace);
    }
    beside.0.retain(|access, _| !needs.0.contains_key(access));
    let only_told: BTreeSet<Access> = beside.0.keys().cloned().collect();
    needs.0.extend(beside.0);
    // Rights in a namespace may come with it.
    needs.0.retain(|access, _| is_there(access));
    let lacking = needs.lacking(cluster).await?;
    let (told, lacking): (Vec<Access>, Vec<Access>) = lacking
        .into_iter()
        .partition(|access| only_told.contains(access));
    if !told.is_empty() {
        let told = words(&told);
        sink.emit(Event::Warning {
            message: format!("a failure will not be explained in full: the user may not {told}"),
        });
    }
    if lacking.is_empty() {
        return Ok(());
    }
    // The record and the lock are written before everything else.
    let given = Given::of(cluster, prepared.changes()).await;
    let is_later = |access: &Access| !is_of_record(access, prepared) && given.allows(access);
    let (later, lacking): (Vec<Access>, Vec<Access>) = lacking.into_iter().partition(is_later);
    if !later.is_empty() {
        let later = words(&later);
        sink.emit(Event::Warning {
            message: format!("the user may not {later} yet: a role of this deploy is to allow it"),
        });
    }
    if lacking.is_empty() {
        return Ok(());
    }
    Err(Error::Lacking {
        cause: Box::new(Error::MayNot {
            lacking: words(&lacking),
        }),
        roles: roles(&format!("windlass-{}", prepared.app.name), &lacking),
    })
}

/// Whether something is done to the record of the app or to its lock, or to their like beside them.
fn is_of_record(access: &Access, prepared: &Prepared) -> bool {
    let resource = (access.group.as_str(), access.resource.as_str());
    access.namespace.as_deref() == Some(prepared.app.record_namespace())
        && [("", "secrets"), LEASES].contains(&resource)
}

/// The namespaces that are not there yet, or of which nobody knows whether they are.
fn absent(prepared: &Prepared) -> BTreeSet<String> {
    let mut absent = prepared.learned.missing.clone();
    let made = prepared.changes().filter(|change| change.op == Op::Create);
    let made = made.map(|change| &change.target);
    let made = made.filter(|target| target.kind == "Namespace" && target.group.is_empty());
    absent.extend(made.map(|target| target.name.clone()));
    let own = Some(prepared.app.record_namespace());
    let mut tried = prepared.learned.tried.iter();
    let is_seen = tried.any(|target| target.namespace.as_deref() == own);
    if prepared.create_namespace && !prepared.parent.exists() && !is_seen {
        absent.extend(own.map(str::to_owned));
    }
    absent
}

/// What writing needs, without what trials have shown.
fn of_run(prepared: &Prepared, options: &Options, discovery: &Discovery) -> Needs {
    let mut needs = Needs::default();
    let name = prepared.parent.reference().name;
    let place = Some(prepared.app.record_namespace());
    let secrets = (place, "", "secrets");
    if !prepared.parent.exists() {
        needs.add(secrets, &["create"], None);
    }
    needs.add(secrets, &["update"], Some(&name));
    if prepared.phase == Phase::Delete && options.wait {
        needs.add(secrets, &["delete"], Some(&name));
    }
    if options.lock {
        let leases = (place, LEASES.0, LEASES.1);
        needs.add(leases, &["create"], None);
        needs.add(leases, &["get", "update"], Some(&name));
    }
    for change in prepared.changes() {
        let is_known = matches!(change.op, Op::Create | Op::Update)
            && prepared.learned.tried.contains(&change.target);
        if is_known {
            continue;
        }
        let Some((gvk, plural)) = kind(change, discovery) else {
            continue;
        };
        let target = &change.target;
        let place = (target.namespace.as_deref(), gvk.group.as_str(), plural);
        needs.add(place, verbs_of(change.op), Some(&target.name));
    }
    needs
}

/// What writing a change needs; nothing where its kind is not known yet.
pub(super) fn of_change(change: &Change, discovery: &Discovery) -> Vec<Access> {
    let Some((gvk, plural)) = kind(change, discovery) else {
        return Vec::new();
    };
    let access = |verb: &&'static str| Access {
        namespace: change.target.namespace.clone(),
        group: gvk.group.clone(),
        resource: plural.to_owned(),
        verb,
        name: Some(change.target.name.clone()),
    };
    verbs_of(change.op).iter().map(access).collect()
}

const fn verbs_of(op: Op) -> &'static [&'static str] {
    match op {
        Op::Create => &["create", "patch"],
        Op::Replace => &["create", "delete", "patch"],
        Op::Update | Op::Keep => &["patch"],
        Op::Delete => &["delete"],
        Op::Noop | Op::Exists => &[],
    }
}

/// The kinds that make pods and are written and waited for, and where.
fn with_pods<'a>(
    prepared: &'a Prepared,
    options: &Options,
    discovery: &'a Discovery,
) -> Vec<(Option<&'a str>, Gvk, &'a str)> {
    let waits = prepared.changes().filter(|change| {
        let object = change.desired.as_ref().filter(|_| options.wait);
        matches!(change.op, Op::Create | Op::Replace | Op::Update)
            && object.is_some_and(|object| makes_pods(&object.gvk()))
    });
    let kinds = waits.filter_map(|change| {
        let (gvk, plural) = kind(change, discovery)?;
        Some((change.target.namespace.as_deref(), gvk, plural))
    });
    kinds.collect()
}

/// The kind of a changed object and its name in URLs; `None` for one that the set brings along itself.
fn kind<'a>(change: &Change, discovery: &'a Discovery) -> Option<(Gvk, &'a str)> {
    let gvk = change.desired.as_ref().or(change.live.as_ref())?.gvk();
    let kind = discovery.find(&gvk)?;
    Some((gvk, &kind.plural))
}

/// The verbs by namespace, group and resource.
fn verbs(lacking: &[Access]) -> BTreeMap<(&Option<String>, &String, &String), Vec<&'static str>> {
    let mut verbs: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for access in lacking {
        let resource = (&access.namespace, &access.group, &access.resource);
        verbs.entry(resource).or_default().push(access.verb);
    }
    verbs
}

/// `create, patch deployments.apps in namespace shop; …`.
fn words(lacking: &[Access]) -> String {
    let verbs = verbs(lacking);
    let each = verbs.iter().map(|((namespace, group, resource), verbs)| {
        let dot = if group.is_empty() { "" } else { "." };
        let place = namespace.as_ref();
        let place = place.map_or_else(String::new, |name| format!(" in namespace {name}"));
        format!("{} {resource}{dot}{group}{place}", verbs.join(", "))
    });
    each.collect::<Vec<_>>().join("; ")
}

/// A Role for each namespace and a `ClusterRole` for what lives in none.
fn roles(name: &str, lacking: &[Access]) -> String {
    let mut rules: BTreeMap<_, BTreeMap<_, Vec<&str>>> = BTreeMap::new();
    for ((namespace, group, resource), verbs) in verbs(lacking) {
        let rule = rules.entry(namespace).or_default();
        rule.entry((group, verbs)).or_default().push(resource);
    }
    let mut text = String::new();
    for (namespace, rules) in rules {
        let (kind, place) = match namespace {
            Some(namespace) => ("Role", format!(", namespace: {namespace}")),
            None => ("ClusterRole", String::new()),
        };
        let head = if text.is_empty() { "" } else { "---\n" };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "{head}apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata: {{name: {name}{place}}}\nrules:\n"
        );
        for ((group, verbs), resources) in rules {
            let (resources, verbs) = (resources.join(", "), verbs.join(", "));
            let _ = writeln!(
                text,
                "- {{apiGroups: [\"{group}\"], resources: [{resources}], verbs: [{verbs}]}}"
            );
        }
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_becomes_one_role_for_each_namespace() {
        let access = |namespace: Option<&str>, resource: &str, verb: &'static str| Access {
            namespace: namespace.map(str::to_owned),
            group: String::new(),
            resource: resource.to_owned(),
            verb,
            name: None,
        };
        let lacking = [
            access(Some("shop"), "secrets", "get"),
            access(Some("shop"), "configmaps", "get"),
            access(Some("shop"), "secrets", "create"),
            access(Some("shop"), "pods/log", "get"),
            access(None, "namespaces", "patch"),
        ];
        insta::assert_snapshot!(words(&lacking), @"patch namespaces; get configmaps in namespace shop; get pods/log in namespace shop; get, create secrets in namespace shop");
        insta::assert_snapshot!(roles("windlass-web", &lacking), @r#"
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRole
        metadata: {name: windlass-web}
        rules:
        - {apiGroups: [""], resources: [namespaces], verbs: [patch]}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {name: windlass-web, namespace: shop}
        rules:
        - {apiGroups: [""], resources: [configmaps, pods/log], verbs: [get]}
        - {apiGroups: [""], resources: [secrets], verbs: [get, create]}
        "#);
    }
}
