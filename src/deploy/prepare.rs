//! From manifests or a record to a plan. Reads only.

use super::desired::{Context, check_definitions, desired, leave};
use super::error::Obstacles;
use super::found::{self, Found};
use super::policy::FieldPolicy;
use super::risk::{self, Risk};
use super::store::Recorded;
use super::trial::{Learned, Trials};
use super::{App, Error, given, hooks, ready, rights, store, teardown, unanswered, versions};
use crate::cluster::{Cluster, Discovery};
use crate::diff::{Change, Masker, Op};
use crate::event::{Event, Sink};
use crate::inventory::{Deploy, DeployResult, PART_OF, Parent};
use crate::kapp::{self, Rules};
use crate::object::{Fingerprint, Manifest, Object, ObjectRef};
use crate::plan::{self, Phase, Plan, Wait, hook};
use crate::status::{self, Rule};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

/// What is to be deployed.
#[derive(Clone, Debug)]
pub struct Request {
    /// The app.
    pub app: App,
    /// Its record, when it was read already.
    pub recorded: Option<Recorded>,
    /// Its objects.
    pub manifests: Vec<Manifest>,
    /// The rules of the Config documents among them.
    pub rules: Rules,
    /// The time now, for what changes with it.
    pub now: Timestamp,
    /// Whether the objects are live ones, whose marks were obeyed already.
    pub as_is: bool,
    /// Owners that objects may be taken from: names of apps and releases, `*` for all.
    pub take_from: Vec<String>,
    /// Whether fields are taken from other managers.
    pub force: bool,
    /// What is done about fields that other managers own; the first that is about a field decides.
    pub policies: Vec<FieldPolicy>,
    /// Whether objects that are no longer wanted are deleted.
    pub prune: bool,
    /// Whether the namespace of the app is created when it does not exist.
    pub create_namespace: bool,
    /// How many requests run at the same time.
    pub concurrency: usize,
}

impl Request {
    /// A request with the usual settings.
    #[must_use]
    pub fn new(app: App, manifests: Vec<Manifest>) -> Self {
        Self {
            app,
            recorded: None,
            manifests,
            rules: Rules::default(),
            now: Timestamp::UNIX_EPOCH,
            as_is: false,
            take_from: Vec::new(),
            force: false,
            policies: Vec::new(),
            prune: true,
            create_namespace: false,
            concurrency: 16,
        }
    }
}

/// A plan and what carrying it out needs.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The app.
    pub app: App,
    /// All changes in order, no-ops included.
    pub plan: Plan,
    /// Install, upgrade or delete.
    pub phase: Phase,
    /// What is worth knowing before one agrees.
    pub warnings: Vec<String>,
    /// What is left to others, one sentence each.
    pub notes: Vec<String>,
    /// Deletions that take data or objects of others with them.
    pub risks: Vec<Risk>,
    /// Objects that are no longer wanted and stay, since pruning is off.
    pub unpruned: Vec<ObjectRef>,
    /// Members that have no step: those that stay unpruned, and hooks that do not run this time.
    pub(super) idle: Vec<ObjectRef>,
    /// When objects are ready that have a rule of their own.
    pub(super) rules: BTreeMap<ObjectRef, Rule>,
    /// The hooks to be kept for the deletion of the app.
    pub(super) delete_hooks: Vec<Value>,
    pub(super) parent: Parent,
    /// What a trial found unchanged and the record does not know as such.
    pub(super) fingerprints: BTreeMap<ObjectRef, Fingerprint>,
    /// Objects that exist outside of the app and are taken in.
    pub(super) taken: BTreeSet<ObjectRef>,
    pub(super) force: bool,
    /// Objects of which fields are taken over from others.
    pub(super) forced: BTreeSet<ObjectRef>,
    pub(super) create_namespace: bool,
    pub(super) obstacles: Obstacles,
    pub(super) learned: Learned,
}

impl Prepared {
    /// The changes that are more than a no-op, in order.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.plan
            .steps
            .iter()
            .map(|step| &step.change)
            .filter(|change| change.op != Op::Noop)
    }

    /// Why it cannot be carried out, if anything is in the way.
    #[must_use]
    pub fn obstacle(&self) -> Option<Error> {
        self.obstacles.error()
    }

    /// Whether carrying it out writes anything, a mere record included.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.phase == Phase::Delete
            || self.changes().any(|change| change.op != Op::Exists)
            || !self.parent.record.is_settled()
            || self.delete_hooks != self.parent.record.hooks
            || self
                .plan
                .steps
                .iter()
                .any(|step| self.becomes_a_member(&step.change))
    }

    /// Whether an object is as desired, label included, and no member yet.
    fn becomes_a_member(&self, change: &Change) -> bool {
        let label = |object: &Option<Object>| -> Option<String> {
            object.as_ref()?.label(PART_OF).map(str::to_owned)
        };
        change.op == Op::Noop
            && self.taken.contains(&change.target)
            && label(&change.desired).is_some()
            && label(&change.desired) == label(&change.live)
    }

    /// Whether there is nothing to do at all, not even to wait.
    #[must_use]
    pub fn is_noop(&self) -> bool {
        let done = !self.writes() && self.obstacle().is_none();
        done && self.plan.steps.iter().all(|step| step.wait == Wait::None)
    }

    /// How many live objects would be deleted, and how many the app has.
    #[must_use]
    pub fn deletions(&self) -> (usize, usize) {
        let live = self
            .plan
            .steps
            .iter()
            .filter(|step| step.change.live.is_some());
        (
            self.changes()
                .filter(|change| change.op == Op::Delete)
                .count(),
            live.count(),
        )
    }

    /// The revision that this run gets.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.parent.record.next_revision()
    }

    /// The deploy before this one.
    #[must_use]
    pub fn last(&self) -> Option<&Deploy> {
        self.parent.record.last()
    }
}

/// Finds out what deploying would change.
///
/// # Errors
/// Everything that can be known to go wrong before the first write.
pub async fn prepare(
    cluster: &Cluster,
    request: Request,
    masker: &Masker,
    sink: &mut dyn Sink,
) -> Result<Prepared, Error> {
    let prepared = foresee(cluster, request, masker, sink).await?;
    match prepared.obstacle() {
        Some(error) => Err(error),
        None => Ok(prepared),
    }
}

/// Finds out what deploying would change, also where the server or other managers are in the way of
/// it: [`Prepared::obstacle`] tells of that, and such a plan is not carried out.
///
/// # Errors
/// What keeps the changes from being known.
pub async fn foresee(
    cluster: &Cluster,
    request: Request,
    masker: &Masker,
    sink: &mut dyn Sink,
) -> Result<Prepared, Error> {
    masker.obey(&request.rules.mask);
    // From here on no error of the server shows a secret.
    for manifest in &request.manifests {
        masker.learn(&manifest.object);
    }
    let (app, places) = (request.app.clone(), rights::places(&request.manifests));
    match Box::pin(plan_of(cluster, request, masker, sink)).await {
        Err(error) if rights::is_forbidden(&error) => {
            let error = rights::explained(cluster, &app, &places, error).await;
            Err(error.scrubbed(masker))
        }
        prepared => prepared.map_err(|error| error.scrubbed(masker)),
    }
}

async fn plan_of(
    cluster: &Cluster,
    mut request: Request,
    masker: &Masker,
    sink: &mut dyn Sink,
) -> Result<Prepared, Error> {
    let recorded = request.recorded.take();
    let (discovery, parent) = store::begin(cluster, &request.app, recorded).await?;
    let parent = parent.map_or_else(|| fresh(&request.app), Ok)?;
    let unanswered = unanswered::groups(cluster, &discovery).await;
    unanswered::check(&unanswered, &discovery, &request.manifests)?;
    let mut warnings = desired(&discovery, &parent, &mut request)?;
    warnings.extend(unanswered.iter().map(ToString::to_string));
    sink.emit(Event::Stage {
        message: "read live objects".to_owned(),
    });
    let (found, versioned) = look(cluster, &discovery, &parent, &mut request).await?;
    found.objects.values().for_each(|live| masker.learn(live));
    check_namespace(cluster, &request, &parent).await?;
    warnings.extend(found.about_foreign());
    for kind in &found.vanished {
        warnings.push(format!(
            "kind {kind} of an earlier deploy no longer exists: its objects are gone with it"
        ));
    }
    let phase = phase(&parent);
    let at = (cluster, &*discovery);
    let compared = compare(at, &parent, &mut request, &found, versioned, masker).await?;
    warnings.extend(compared.warnings);
    let mut ready_when = ready::rules(&request);
    let mut plan = plan::order(compared.changes, phase, &request.rules)?;
    ready::wait_by(&ready_when, &mut plan);
    teardown::check(&plan, masker)?;
    let risks = risk::risks(cluster, &discovery, &plan.steps, &parent).await;
    let idle = idle(&plan, &found, &parent.id());
    ready::keep(&mut ready_when, &parent.record, &idle);
    let members: Vec<ObjectRef> = plan
        .steps
        .iter()
        .filter(|step| step.change.desired.is_some())
        .map(|step| step.change.target.clone())
        .chain(idle.iter().cloned())
        .collect();
    if grows(&parent, &members, &ready_when) {
        parent.has_room_for(&members, &ready_when)?;
    }
    Ok(Prepared {
        app: request.app,
        plan,
        phase,
        warnings,
        notes: compared.notes,
        risks,
        unpruned: compared.unpruned,
        idle,
        rules: ready_when,
        delete_hooks: compared.delete_hooks,
        parent,
        fingerprints: compared.fingerprints,
        taken: found.strangers,
        force: request.force,
        forced: compared.forced,
        create_namespace: request.create_namespace,
        obstacles: compared.obstacles,
        learned: compared.learned,
    })
}

/// What is live, and the versioned objects, taken out of the request: they have no names yet.
async fn look(
    cluster: &Cluster,
    discovery: &Discovery,
    parent: &Parent,
    request: &mut Request,
) -> Result<(Found, Vec<Manifest>), Error> {
    let mut found = found::find(cluster, discovery, parent, &request.manifests).await?;
    let versioned = if request.as_is {
        Vec::new()
    } else {
        kapp::take_versioned(&mut request.manifests)
    };
    let take_from = &request.take_from;
    found::find_versions(cluster, discovery, &mut found, &versioned, take_from).await?;
    found::find_strangers(cluster, discovery, &mut found, &request.manifests).await?;
    found::check_owners(cluster, &found, parent, take_from).await?;
    Ok((found, versioned))
}

/// What desired and live objects have come to.
struct Compared {
    changes: Vec<Change>,
    fingerprints: BTreeMap<ObjectRef, Fingerprint>,
    forced: BTreeSet<ObjectRef>,
    unpruned: Vec<ObjectRef>,
    delete_hooks: Vec<Value>,
    obstacles: Obstacles,
    learned: Learned,
    notes: Vec<String>,
    warnings: Vec<String>,
}

async fn compare(
    (cluster, discovery): (&Cluster, &Discovery),
    parent: &Parent,
    request: &mut Request,
    found: &Found,
    versioned: Vec<Manifest>,
    masker: &Masker,
) -> Result<Compared, Error> {
    let learned = Mutex::default();
    let trials = Trials {
        cluster,
        discovery,
        masker,
        found,
        rules: &request.rules,
        force: request.force,
        policies: &request.policies,
        concurrency: request.concurrency,
        learned: &learned,
    };
    let bases = versioned.clone();
    let versions = trials.versions(parent, versioned, request.now).await?;
    let context = Context {
        found,
        rules: &request.rules,
        now: request.now,
        id: parent.id(),
    };
    for manifest in &mut request.manifests {
        context.adjust(manifest, &versions.names);
    }
    let mut notes = leave(&mut request.manifests, &request.policies, found)?;
    let all = request.manifests.iter().cloned();
    let (hooks, rest): (Vec<Manifest>, Vec<Manifest>) =
        all.partition(|manifest| hook::of(&manifest.object).is_some());
    let mut tried = trials.changes(parent, &rest).await?;
    tried.extend(versions.tried);
    request.manifests.extend(versions.manifests);
    check_definitions(&request.rules, &tried.changes)?;
    let unpruned = prune(request, found, &bases, masker, &mut tried.changes);
    let left_alone = |change: &&Change| change.op == Op::Noop && !change.fields.is_empty();
    notes.extend(
        tried
            .changes
            .iter()
            .filter(left_alone)
            .map(|change| format!("{} is left as it is ({})", change.target, change.reason)),
    );
    let changed = |change: &Change| change.op != Op::Noop;
    let active = tried.changes.iter().any(changed) || !parent.record.is_settled();
    let (delete_hooks, warnings) = hooks::of_deletion(&hooks);
    let hooks = hooks::running(hooks, phase(parent), active);
    let trials = Trials {
        rules: &request.rules,
        policies: &request.policies,
        ..trials
    };
    let (again, first) = hooks::again(hooks, found, masker);
    tried.changes.extend(again);
    let mut ran = trials.changes(parent, &first).await?;
    let changes = std::mem::take(&mut ran.changes).into_iter();
    ran.changes = changes.map(Change::running).collect();
    tried.extend(ran);
    given::excuse(cluster, discovery, &mut tried).await;
    Ok(Compared {
        changes: tried.changes,
        fingerprints: tried.fingerprints,
        forced: tried.forced,
        unpruned,
        delete_hooks,
        obstacles: tried.obstacles,
        learned: learned.into_inner().unwrap_or_else(PoisonError::into_inner),
        notes,
        warnings,
    })
}

fn fresh(app: &App) -> Result<Parent, Error> {
    let mut key = [0_u8; 32];
    getrandom::fill(&mut key).map_err(|error| {
        Error::Cluster(crate::cluster::Error::Request {
            action: "make the key of the record".to_owned(),
            reason: error.to_string(),
        })
    })?;
    Ok(Parent::new(
        &app.name,
        &app.namespace,
        app.record_namespace(),
        &key,
    ))
}

/// The first deploy lasts until one succeeds.
fn phase(parent: &Parent) -> Phase {
    let succeeded = |deploy: &Deploy| deploy.result == DeployResult::Succeeded;
    if parent.record.history.iter().any(succeeded) {
        Phase::Upgrade
    } else {
        Phase::Install
    }
}

/// The namespace of the app must exist, or be made by this run, before anything can be recorded.
async fn check_namespace(
    cluster: &Cluster,
    request: &Request,
    parent: &Parent,
) -> Result<(), Error> {
    if parent.exists() || request.create_namespace {
        return Ok(());
    }
    let record = namespace_ref(request.app.record_namespace());
    if request
        .manifests
        .iter()
        .any(|manifest| manifest.object.reference() == record)
    {
        return Ok(());
    }
    match cluster.get(&record).await {
        Ok(None) => Err(Error::NoNamespace {
            namespace: record.name,
        }),
        Ok(Some(live)) => check_stays(&live),
        // Whoever may not read namespaces learns it from the first write.
        Err(_) => Ok(()),
    }
}

/// Refuses a namespace that is being deleted, and says what holds it.
pub(super) fn check_stays(namespace: &Object) -> Result<(), Error> {
    if !namespace.is_going() {
        return Ok(());
    }
    Err(Error::NamespaceGoes {
        namespace: namespace.name().to_owned(),
        why: status::of(namespace).message,
    })
}

/// Whether the record will hold more than it does.
fn grows(parent: &Parent, members: &[ObjectRef], rules: &BTreeMap<ObjectRef, Rule>) -> bool {
    let known = parent.record.fingerprints();
    members.iter().any(|member| !known.contains_key(member))
        || rules.len() > parent.record.rules().len()
}

/// Members of the set that the plan has no step for.
fn idle(plan: &Plan, found: &Found, id: &str) -> Vec<ObjectRef> {
    let planned: HashSet<&ObjectRef> = plan.steps.iter().map(|step| &step.change.target).collect();
    let members = found
        .objects
        .iter()
        .filter(|(_, live)| live.label(PART_OF) == Some(id));
    members
        .map(|(target, _)| target)
        .filter(|target| !planned.contains(target))
        .cloned()
        .collect()
}

pub(super) fn namespace_ref(name: &str) -> ObjectRef {
    ObjectRef {
        group: String::new(),
        kind: "Namespace".to_owned(),
        namespace: None,
        name: name.to_owned(),
    }
}

/// Adds the deletion of members that are no longer wanted; gives back those that stay.
fn prune(
    request: &Request,
    found: &Found,
    versioned: &[Manifest],
    masker: &Masker,
    changes: &mut Vec<Change>,
) -> Vec<ObjectRef> {
    let wanted: HashSet<ObjectRef> = request
        .manifests
        .iter()
        .map(|manifest| manifest.object.reference())
        .collect();
    let versions = kapp::kept(versioned, &found.objects, &wanted);
    // The server may know one object under two kinds, when its kind moved to another group.
    let live = wanted.iter().filter_map(|target| found.objects.get(target));
    let uids: HashSet<&str> = live.map(Object::uid).collect();
    let (mut kept, mut removed) = (Vec::new(), Vec::new());
    for (target, live) in &found.objects {
        let stays =
            uids.contains(live.uid()) || wanted.contains(target) || versions.contains(target);
        if stays || found.strangers.contains(target) {
            continue;
        }
        if request.prune {
            removed.push(versions::removal(live, versioned, masker));
        } else {
            kept.push(target.clone());
        }
    }
    changes.extend(removed);
    kept.sort();
    kept
}
