//! What a run writes down: its intent before the first change, how it ended after the last.

use super::lock::Lock;
use super::prepare::Prepared;
use super::run::{Options, Outcome, Report};
use super::{Error, store};
use crate::cluster::Cluster;
use crate::diff::{Change, Op};
use crate::event::{Actuation, Reconcile};
use crate::inventory::{Changed, Deploy, DeployResult, Dropped, Member, PART_OF, Parent};
use crate::object::managed_fields::MANAGER;
use crate::object::{Object, ObjectRef, fingerprint};
use crate::plan::{Phase, hook};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Writes down what is about to happen, before anything does: the set is widened to all that will
/// be in it, so that nothing is ever lost.
pub(super) async fn open(
    cluster: &Cluster,
    prepared: &Prepared,
    options: &Options,
    parent: &mut Parent,
) -> Result<(), Error> {
    let read = parent.clone();
    begin(prepared, options, parent);
    // The version that was read is the precondition: nothing needs to be read again to be sure.
    match store::write(cluster, parent).await {
        Err(Error::Overtaken { app }) => {
            let live = store::read(cluster, &prepared.app).await?;
            *parent = live
                .filter(|live| is_same(live, &read))
                .ok_or(Error::Overtaken { app })?;
            begin(prepared, options, parent);
            store::write(cluster, parent).await
        }
        Err(Error::Cluster(error)) if error.is_not_found() && read.exists() => {
            let app = prepared.app.name.clone();
            Err(Error::Overtaken { app })
        }
        written => written,
    }
}

/// Notes the intent in a record.
fn begin(prepared: &Prepared, options: &Options, parent: &mut Parent) {
    let objects = std::mem::take(&mut parent.record.objects).into_iter();
    let mut members: BTreeMap<ObjectRef, Member> = objects
        .map(|member| (member.object.clone(), member))
        .collect();
    for change in prepared.plan.steps.iter().map(|step| &step.change) {
        parent.widen(&change.target);
        if let Some(member) = members.get_mut(&change.target) {
            member.uid = lasting_uid(change).to_owned();
        } else if is_labeled(change) {
            let member = Member {
                object: change.target.clone(),
                fingerprint: None,
                uid: lasting_uid(change).to_owned(),
            };
            members.insert(change.target.clone(), member);
        }
    }
    parent.record.objects = members.into_values().collect();
    let mut deploy = Deploy {
        revision: parent.record.next_revision(),
        result: DeployResult::Running,
        started: options.started,
        finished: None,
        origin: options.origin.clone(),
        summary: summary(prepared),
        changes: Vec::new(),
        dropped: Dropped::default(),
    };
    deploy.set_changes(changed(prepared, None));
    parent.record.push(deploy);
    parent.record.set_rules(&prepared.rules);
}

/// The uid that an object keeps when it is changed; empty for one that is made, or made anew.
fn lasting_uid(change: &Change) -> &str {
    let live = change.live.as_ref();
    live.filter(|_| change.op != Op::Replace)
        .map_or("", Object::uid)
}

/// Whether an object becomes or stays one of the app.
fn is_labeled(change: &Change) -> bool {
    let desired = change.desired.as_ref();
    desired.is_some_and(|desired| desired.label(PART_OF).is_some())
}

/// Whether nobody deployed the app since its parent was read. Fingerprints may have come in.
fn is_same(live: &Parent, read: &Parent) -> bool {
    let (now, then) = (&live.record, &read.record);
    live.uid == read.uid
        && live.kinds == read.kinds
        && live.namespaces == read.namespaces
        && (&now.key, &now.history) == (&then.key, &then.history)
}

/// Keeps the fingerprints of objects that only a dry run found unchanged, so that the next deploy
/// needs none, and rules of readiness that are new. Does nothing for a plan that writes: its run
/// records them anyway. A record that cannot be written costs the next deploy the same dry runs, no
/// more.
pub async fn remember(cluster: &Cluster, prepared: &Prepared) {
    if prepared.writes() {
        return;
    }
    let mut parent = prepared.parent.clone();
    parent.record.set_rules(&prepared.rules);
    if prepared.fingerprints.is_empty() && parent.record.ready == prepared.parent.record.ready {
        return;
    }
    let mut new = prepared.fingerprints.clone();
    let steps = prepared.plan.steps.iter().map(|step| &step.change);
    let uids: HashMap<&ObjectRef, &str> = steps
        .map(|change| (&change.target, lasting_uid(change)))
        .collect();
    let uid = |object: &ObjectRef| uids.get(object).copied().unwrap_or_default().to_owned();
    for member in &mut parent.record.objects {
        if let Some(fingerprint) = new.remove(&member.object) {
            member.fingerprint = Some(fingerprint);
            member.uid = uid(&member.object);
        }
    }
    for (object, fingerprint) in new {
        parent.widen(&object);
        parent.record.objects.push(Member {
            uid: uid(&object),
            object,
            fingerprint: Some(fingerprint),
        });
    }
    if let Err(error) = store::write(cluster, &mut parent).await {
        tracing::debug!(%error, "fingerprints not kept");
    }
}

/// `1 create, 2 update, 1 hook`: what is done to how many objects. Hooks run again at every deploy and
/// are counted apart.
fn summary(prepared: &Prepared) -> String {
    let mut counts: BTreeMap<Op, usize> = BTreeMap::new();
    for change in prepared.changes().filter(|change| !change.is_run()) {
        *counts.entry(change.op).or_default() += 1;
    }
    let each = counts.iter();
    let mut parts: Vec<String> = each
        .map(|(op, count)| format!("{count} {}", op.word()))
        .collect();
    match prepared.changes().filter(|change| change.is_run()).count() {
        0 => {}
        1 => parts.push("1 hook".to_owned()),
        count => parts.push(format!("{count} hooks")),
    }
    parts.join(", ")
}

/// The changes as the record keeps them; before the run none has ended badly.
fn changed(prepared: &Prepared, report: Option<&Report>) -> Vec<Changed> {
    let steps = prepared.plan.steps.iter().enumerate();
    let changes = steps.filter(|(_, step)| step.change.op != Op::Noop);
    let each = changes.map(|(index, step)| Changed {
        op: step.change.op.word().to_owned(),
        hook: step.change.is_run(),
        object: step.change.target.clone(),
        state: report
            .map_or("", |report| state(&report.outcomes[index]))
            .to_owned(),
    });
    each.collect()
}

/// How a change ended, in a word; nothing when it ended well.
fn state(outcome: &Outcome) -> &'static str {
    match (outcome.actuation, outcome.reconcile) {
        (Actuation::Failed, _) => "failed",
        (Actuation::Pending | Actuation::Skipped, _) => "skipped",
        (_, Reconcile::Failed | Reconcile::Timeout) => "not ready",
        _ => "",
    }
}

/// Records how it ended. After a success the set is narrowed to what is in it; an app that is gone
/// loses its record.
pub(super) async fn close(
    cluster: &Cluster,
    prepared: &Prepared,
    parent: &mut Parent,
    report: &Report,
    after: &[Option<Object>],
    ended: Timestamp,
    lock: Option<&Lock>,
) -> Result<(), Error> {
    if let Some(lock) = lock {
        lock.check().await?;
    }
    let succeeded = report.result == DeployResult::Succeeded;
    let gone = after_hooks(cluster, prepared, report, after).await;
    parent.record.hooks.clone_from(&prepared.delete_hooks);
    parent.record.objects = members(prepared, parent, report, after);
    parent
        .record
        .objects
        .retain(|member| !gone.contains(&member.object));
    // What was not waited for may still be there, and then it is still the app's.
    if succeeded && prepared.phase == Phase::Delete && parent.record.objects.is_empty() {
        return store::remove(cluster, parent).await;
    }
    if succeeded {
        parent.kinds.clear();
        parent.namespaces.clear();
        let members: Vec<ObjectRef> = parent
            .record
            .objects
            .iter()
            .map(|member| member.object.clone())
            .collect();
        members.iter().for_each(|member| parent.widen(member));
    }
    if let Some(deploy) = parent.record.history.last_mut() {
        deploy.set_changes(changed(prepared, Some(report)));
        deploy.result = report.result;
        deploy.finished = Some(ended);
    }
    match store::write(cluster, parent).await {
        // An app that deletes its own namespace takes its record with it.
        Err(Error::Cluster(error)) if error.is_not_found() && prepared.phase == Phase::Delete => {
            Ok(())
        }
        other => other,
    }
}

/// What the app consists of now, with the fingerprints of what was applied to the end.
fn members(
    prepared: &Prepared,
    parent: &Parent,
    report: &Report,
    after: &[Option<Object>],
) -> Vec<Member> {
    let mut members: BTreeMap<&ObjectRef, Member> = BTreeMap::new();
    let known = parent.record.objects.iter();
    let known: HashMap<&ObjectRef, &Member> =
        known.map(|member| (&member.object, member)).collect();
    for target in &prepared.idle {
        let unknown = || Member {
            object: target.clone(),
            fingerprint: None,
            uid: String::new(),
        };
        let member = known
            .get(target)
            .map_or_else(unknown, |known| (*known).clone());
        members.insert(target, member);
    }
    for ((step, outcome), after) in prepared.plan.steps.iter().zip(&report.outcomes).zip(after) {
        let change = &step.change;
        let sent = outcome.actuation == Actuation::Succeeded;
        let gone = match change.op {
            Op::Delete => outcome.reconcile == Reconcile::Succeeded,
            Op::Keep => sent,
            Op::Exists => true,
            _ => !is_labeled(change),
        };
        if gone {
            continue;
        }
        let fingerprint = match (&change.desired, after) {
            (Some(desired), Some(after)) if sent => {
                Some(fingerprint(parent.record.key(), desired, after, MANAGER))
            }
            _ => known
                .get(&change.target)
                .and_then(|known| known.fingerprint.clone()),
        };
        let after = after.as_ref().filter(|_| sent);
        let uid = after.map_or_else(|| lasting_uid(change), Object::uid);
        let member = Member {
            object: change.target.clone(),
            fingerprint,
            uid: uid.to_owned(),
        };
        members.insert(&change.target, member);
    }
    members.into_values().collect()
}

/// Deletes hooks that are to go once they ended as they did; those of a deletion always. Gives back
/// those that are gone. One that cannot be deleted goes before its next run.
async fn after_hooks(
    cluster: &Cluster,
    prepared: &Prepared,
    report: &Report,
    after: &[Option<Object>],
) -> BTreeSet<ObjectRef> {
    let mut gone = BTreeSet::new();
    let steps = prepared.plan.steps.iter().zip(&report.outcomes);
    for ((step, outcome), after) in steps.zip(after) {
        let (Some(desired), Some(after)) = (&step.change.desired, after) else {
            continue;
        };
        let policy = match outcome.reconcile {
            Reconcile::Failed | Reconcile::Timeout => hook::DeletePolicy::HookFailed,
            Reconcile::Succeeded | Reconcile::Skipped if outcome.reason.is_empty() => {
                hook::DeletePolicy::HookSucceeded
            }
            _ => continue,
        };
        let is_last = prepared.phase == Phase::Delete && report.result == DeployResult::Succeeded;
        let goes = hook::of(desired).is_some_and(|hook| is_last || hook.delete.contains(&policy));
        if !goes {
            continue;
        }
        let target = &step.change.target;
        match cluster.delete(target, after.uid(), None).await {
            Ok(is_gone) => gone.extend(is_gone.then(|| target.clone())),
            Err(error) => tracing::debug!(%error, "hook not deleted"),
        }
    }
    gone
}
