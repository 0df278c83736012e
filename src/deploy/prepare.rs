//! From manifests or a record to a plan. Reads only.

use super::found::{self, Found, is_foreign};
use super::policy::{self, FieldPolicy};
use super::risk::{self, Risk};
use super::trial::{Trials, Tried};
use super::{App, Error, Refusal, adopt, store, versions};
use crate::cluster::{Cluster, Discovery};
use crate::diff::{self, Change, Masker, Op};
use crate::event::{Event, Sink};
use crate::inventory::{Deploy, DeployResult, PART_OF, Parent};
use crate::kapp::{self, Rules, Versioned};
use crate::object::{self, Fingerprint, Manifest, ObjectRef, Scope};
use crate::plan::{self, Phase, Plan, Wait, hook};
use crate::status::{self, Rule, State};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What is to be deployed.
#[derive(Clone, Debug)]
pub struct Request {
    /// The app.
    pub app: App,
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
    pub(super) parent: Parent,
    /// What a trial found unchanged and the record does not know as such.
    pub(super) fingerprints: BTreeMap<ObjectRef, Fingerprint>,
    /// Objects that exist outside of the app and are taken in.
    pub(super) taken: BTreeSet<ObjectRef>,
    pub(super) force: bool,
    /// Objects of which fields are taken over from others.
    pub(super) forced: BTreeSet<ObjectRef>,
    pub(super) create_namespace: bool,
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

    /// Whether carrying it out writes anything, a mere record included.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.phase == Phase::Delete
            || self.changes().any(|change| change.op != Op::Exists)
            || !self.parent.record.is_settled()
    }

    /// Whether there is nothing to do at all, not even to wait.
    #[must_use]
    pub fn is_noop(&self) -> bool {
        !self.writes() && self.plan.steps.iter().all(|step| step.wait == Wait::None)
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
    masker.obey(&request.rules.mask);
    // From here on no error of the server shows a secret.
    for manifest in &request.manifests {
        masker.learn(&manifest.object);
    }
    let prepared = plan_of(cluster, request, masker, sink).await;
    prepared.map_err(|error| error.scrubbed(masker))
}

async fn plan_of(
    cluster: &Cluster,
    mut request: Request,
    masker: &Masker,
    sink: &mut dyn Sink,
) -> Result<Prepared, Error> {
    let (discovery, parent) = tokio::try_join!(
        async { cluster.discovery().await.map_err(Error::from) },
        store::read(cluster, &request.app)
    )?;
    let parent = parent.map_or_else(|| fresh(&request.app), Ok)?;
    let mut warnings = desired(&discovery, &parent, &mut request)?;
    sink.emit(Event::Stage {
        message: "read live objects".to_owned(),
    });
    let mut found = found::find(cluster, &discovery, &parent, &request.manifests).await?;
    let versioned = if request.as_is {
        Vec::new()
    } else {
        kapp::take_versioned(&mut request.manifests)
    };
    let take_from = &request.take_from;
    found::find_versions(cluster, &discovery, &mut found, &versioned, take_from).await?;
    found::find_strangers(cluster, &discovery, &mut found, &request.manifests).await?;
    found.objects.values().for_each(|live| masker.learn(live));
    found::check_owners(cluster, &found, &parent, &request.take_from).await?;
    check_namespace(cluster, &request, &parent).await?;
    for kind in &found.vanished {
        warnings.push(format!(
            "kind {kind} of an earlier deploy no longer exists: its objects are gone with it"
        ));
    }
    let phase = phase(&parent);
    let trials = Trials {
        cluster,
        discovery: &discovery,
        masker,
        found: &found,
        rules: &request.rules,
        force: request.force,
        policies: &request.policies,
        concurrency: request.concurrency,
    };
    let kept = kapp::kept(&versioned, &found.objects);
    let bases = versioned.clone();
    let versions = trials.versions(&parent, versioned, request.now).await?;
    let context = Context {
        found: &found,
        rules: &request.rules,
        now: request.now,
        id: parent.id(),
    };
    for manifest in &mut request.manifests {
        context.adjust(manifest, &versions.names);
    }
    let mut notes = request.rules.notes.clone();
    notes.extend(leave(&mut request.manifests, &request.policies, &found)?);
    let (hooks, rest): (Vec<Manifest>, Vec<Manifest>) = request
        .manifests
        .iter()
        .cloned()
        .partition(|manifest| hook::of(&manifest.object).is_some());
    let Tried {
        mut changes,
        mut fingerprints,
        mut forced,
    } = trials.changes(&parent, &rest).await?;
    changes.extend(versions.tried.changes);
    fingerprints.extend(versions.tried.fingerprints);
    forced.extend(versions.tried.forced);
    request.manifests.extend(versions.manifests);
    check_definitions(&request.rules, &changes)?;
    let unpruned = prune(&request, &found, &kept, &bases, masker, &mut changes);
    let active = changes.iter().any(|change| change.op != Op::Noop) || !parent.record.is_settled();
    let hooks = hook_manifests(hooks, phase, active);
    let hooks = trials.changes(&parent, &hooks).await?;
    forced.extend(hooks.forced);
    let hooks = hooks.changes.into_iter();
    changes.extend(hooks.map(|change| rerun(change, masker)));
    let ready_when = rules(&request);
    let mut plan = plan::order(changes, phase, &request.rules)?;
    wait_by(&ready_when, &mut plan);
    let risks = risk::risks(cluster, &discovery, &plan.steps, &parent.id()).await;
    let idle = idle(&plan, &found, &parent.id());
    let members: Vec<ObjectRef> = plan
        .steps
        .iter()
        .filter(|step| step.change.desired.is_some())
        .map(|step| step.change.target.clone())
        .chain(idle.iter().cloned())
        .collect();
    parent.has_room_for(&members)?;
    Ok(Prepared {
        app: request.app,
        plan,
        phase,
        warnings,
        notes,
        risks,
        unpruned,
        idle,
        rules: ready_when,
        parent,
        fingerprints,
        taken: found.strangers,
        force: request.force,
        forced,
        create_namespace: request.create_namespace,
    })
}

/// Finds out what removing an app takes away; needs nothing but the cluster.
///
/// # Errors
/// When the app does not exist or its objects cannot be listed.
pub async fn prepare_delete(
    cluster: &Cluster,
    app: &App,
    masker: &Masker,
    sink: &mut dyn Sink,
) -> Result<Prepared, Error> {
    let (discovery, parent) = tokio::try_join!(
        async { cluster.discovery().await.map_err(Error::from) },
        store::read(cluster, app)
    )?;
    let parent = parent.ok_or_else(|| Error::NotDeployed {
        app: app.name.clone(),
        namespace: app.namespace.clone(),
    })?;
    sink.emit(Event::Stage {
        message: "read live objects".to_owned(),
    });
    let found = found::find(cluster, &discovery, &parent, &[]).await?;
    found.objects.values().for_each(|live| masker.learn(live));
    let changes = found
        .objects
        .values()
        .map(|live| diff::removal(live, masker))
        .collect();
    let rules = kapp::of_live(found.objects.values());
    let plan = plan::order(changes, Phase::Delete, &rules)?;
    let risks = risk::risks(cluster, &discovery, &plan.steps, &parent.id()).await;
    Ok(Prepared {
        app: app.clone(),
        plan,
        phase: Phase::Delete,
        warnings: Vec::new(),
        notes: Vec::new(),
        risks,
        unpruned: Vec::new(),
        idle: Vec::new(),
        rules: BTreeMap::new(),
        parent,
        fingerprints: BTreeMap::new(),
        taken: BTreeSet::new(),
        force: false,
        forced: BTreeSet::new(),
        create_namespace: false,
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

/// Brings the manifests into the form in which they are sent: normalized, placed, labeled.
fn desired(
    discovery: &Discovery,
    parent: &Parent,
    request: &mut Request,
) -> Result<Vec<String>, Error> {
    let mut warnings = Vec::new();
    if !request.as_is {
        let (problems, unknown) = kapp::check(&request.manifests);
        object::Error::check(problems)?;
        warnings.extend(unknown);
    }
    for manifest in &mut request.manifests {
        let source = manifest.source.clone();
        let noted = object::normalize(&mut manifest.object);
        warnings.extend(
            noted
                .into_iter()
                .map(|warning| format!("{source}: {warning}")),
        );
    }
    let scope = |gvk: &object::Gvk| {
        let kind = discovery.find(gvk)?;
        Some(if kind.namespaced {
            Scope::Namespaced
        } else {
            Scope::Cluster
        })
    };
    warnings.extend(object::place(
        &mut request.manifests,
        &scope,
        &request.app.namespace,
    )?);
    let id = parent.id();
    for manifest in &mut request.manifests {
        if !is_foreign(manifest) {
            let rules = &request.rules;
            kapp::label(&mut manifest.object, &rules.labels, &rules.label_places);
            if !request.as_is {
                kapp::renew_nonce(&mut manifest.object, request.now);
            }
            manifest.object.set_metadata("labels", PART_OF, &id);
        }
    }
    Ok(warnings)
}

/// What desired objects are seen in view of.
struct Context<'a> {
    found: &'a Found,
    rules: &'a Rules,
    now: Timestamp,
    id: String,
}

impl Context<'_> {
    /// Puts the names of versions where the object names them, and lets fields yield to the live
    /// object where rules say so.
    fn adjust(&self, manifest: &mut Manifest, names: &[Versioned]) {
        kapp::rewrite(&mut manifest.object, names, &self.rules.template);
        let live = self.found.objects.get(&manifest.object.reference());
        let Some(live) = live.filter(|_| !is_foreign(manifest)) else {
            return;
        };
        kapp::renew(&mut manifest.object, live, self.now);
        kapp::rebase(&mut manifest.object, live, self.rules);
        manifest.object.set_metadata("labels", PART_OF, &self.id);
    }
}

/// Refuses definitions of kinds whose change could lose data, where the rules ask for that.
fn check_definitions(rules: &Rules, changes: &[Change]) -> Result<(), Error> {
    let mut refused = Vec::new();
    for change in changes.iter().filter(|_| rules.safe_crds) {
        let (Some(desired), Some(live)) = (&change.desired, &change.live) else {
            continue;
        };
        refused.extend(
            kapp::dangers(live, desired)
                .into_iter()
                .map(|message| Refusal {
                    target: change.target.clone(),
                    source: change.source.clone(),
                    message,
                }),
        );
    }
    if refused.is_empty() {
        Ok(())
    } else {
        Err(Error::Refused(refused))
    }
}

/// Takes out of the manifests what is left to others, and tells of it; what kapp's labels made
/// unchangeable stays.
fn leave(
    manifests: &mut [Manifest],
    policies: &[FieldPolicy],
    found: &Found,
) -> Result<Vec<String>, Error> {
    let mut notes = policy::follow_autoscalers(manifests, &found.objects);
    let mut refused = Vec::new();
    for manifest in manifests {
        let target = manifest.object.reference();
        let Some(live) = found.objects.get(&target) else {
            continue;
        };
        adopt::keep_scope(&mut manifest.object, live);
        match policy::policies(&manifest.object, policies, false) {
            Ok(policies) => notes.extend(policy::leave_to_others(manifest, live, &policies)),
            Err(message) => refused.push(Refusal {
                target,
                source: Some(manifest.source.clone()),
                message,
            }),
        }
    }
    if refused.is_empty() {
        Ok(notes)
    } else {
        Err(Error::Refused(refused))
    }
}

/// Waits for objects that have a rule as the rule says.
fn wait_by(rules: &BTreeMap<ObjectRef, Rule>, plan: &mut Plan) {
    for step in &mut plan.steps {
        let change = &step.change;
        let may_wait = change.desired.as_ref().is_some_and(plan::is_waited);
        let Some(rule) = rules.get(&change.target).filter(|_| may_wait) else {
            continue;
        };
        let is_ready = |live| status::by(Some(rule), live).state == State::Current;
        let waits = match change.op {
            Op::Create | Op::Update | Op::Replace | Op::Exists => true,
            Op::Noop => !change.live.as_ref().is_some_and(is_ready),
            Op::Delete | Op::Keep => continue,
        };
        step.wait = if waits { Wait::Reconcile } else { Wait::None };
    }
}

/// The rules of objects: those of the Config documents, those that an annotation of the object asks
/// for, and those that the definition of its kind asks for.
fn rules(request: &Request) -> BTreeMap<ObjectRef, Rule> {
    let definitions: BTreeMap<(&str, &str), Rule> = request
        .manifests
        .iter()
        .map(|manifest| &manifest.object)
        .filter(|object| object.kind() == "CustomResourceDefinition")
        .filter_map(|definition| {
            let group = definition.text(&["spec", "group"]);
            let kind = definition.text(&["spec", "names", "kind"]);
            Some(((group, kind), Rule::annotated(definition)?))
        })
        .collect();
    let mut rules = BTreeMap::new();
    for object in request.manifests.iter().map(|manifest| &manifest.object) {
        let target = object.reference();
        let kind = (target.group.as_str(), target.kind.as_str());
        let own = || Rule::annotated(object).filter(|_| kind.1 != "CustomResourceDefinition");
        let given = Rule::of(&request.rules.wait, object);
        let rule = given
            .or_else(own)
            .or_else(|| definitions.get(&kind).cloned());
        if let Some(rule) = rule {
            rules.insert(target, rule);
        }
    }
    rules
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
        // Whoever may not read namespaces learns it from the first write.
        _ => Ok(()),
    }
}

/// Members of the set that the plan has no step for.
fn idle(plan: &Plan, found: &Found, id: &str) -> Vec<ObjectRef> {
    let planned: BTreeSet<&ObjectRef> = plan.steps.iter().map(|step| &step.change.target).collect();
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
    versions: &BTreeSet<ObjectRef>,
    versioned: &[Manifest],
    masker: &Masker,
    changes: &mut Vec<Change>,
) -> Vec<ObjectRef> {
    let wanted: BTreeSet<ObjectRef> = request
        .manifests
        .iter()
        .map(|manifest| manifest.object.reference())
        .collect();
    let (mut kept, mut removed) = (Vec::new(), Vec::new());
    for (target, live) in &found.objects {
        let stays = wanted.contains(target) || versions.contains(target);
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
    kept
}

/// Hooks that run now. Without any other change there is no reason to run them: one that ran stays
/// as it is.
fn hook_manifests(mut hooks: Vec<Manifest>, phase: Phase, active: bool) -> Vec<Manifest> {
    hooks.retain(|manifest| active && hook::takes_part(&manifest.object, phase));
    hooks
}

/// A hook of an earlier run is deleted before it runs again, unless it says otherwise.
fn rerun(change: Change, masker: &Masker) -> Change {
    let (Some(desired), Some(live)) = (&change.desired, &change.live) else {
        return change;
    };
    let again = hook::of(desired).is_some_and(|hook| {
        hook.delete
            .contains(&hook::DeletePolicy::BeforeHookCreation)
    });
    let Some(source) = change.source.clone().filter(|_| again) else {
        return change;
    };
    let manifest = Manifest {
        object: desired.clone(),
        source,
    };
    diff::replace(&manifest, live, None, "the hook runs again", masker)
}
