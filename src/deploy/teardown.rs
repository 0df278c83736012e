//! The plan that removes an app, and whether there will be one.

use super::error::Obstacles;
use super::look::not_deployed;
use super::prepare::{Prepared, check_stays, namespace_ref};
use super::trial::Learned;
use super::{App, Error, claims, found, hooks, ready, risk, store, unanswered};
use crate::cluster::Cluster;
use crate::diff::{self, Masker};
use crate::event::{Event, Sink};
use crate::kapp;
use crate::object::Object;
use crate::plan::{self, Phase, Plan, hook};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Finds out what removing an app takes away; needs nothing but the cluster. Its hooks run unless
/// `with_hooks` is false.
///
/// # Errors
/// When the app does not exist or its objects cannot be listed.
pub async fn prepare_delete(
    cluster: &Cluster,
    app: &App,
    with_hooks: bool,
    masker: &Masker,
    sink: &mut dyn Sink,
) -> Result<Prepared, Error> {
    let (discovery, parent) = store::begin(cluster, app, None).await?;
    let Some(parent) = parent else {
        let namespace = cluster.get(&namespace_ref(app.record_namespace())).await;
        // Whoever may not read it is told what is known.
        namespace
            .ok()
            .flatten()
            .as_ref()
            .map_or(Ok(()), check_stays)?;
        return Err(not_deployed(app));
    };
    sink.emit(Event::Stage {
        message: "read live objects".to_owned(),
    });
    let found = found::find(cluster, &discovery, &parent, &[]).await?;
    found.objects.values().for_each(|live| masker.learn(live));
    let (hooks, mut warnings) = match with_hooks {
        true => hooks::with_a_place(cluster, &parent).await?,
        false => (Vec::new(), Vec::new()),
    };
    let (hooks, mut changes) = hooks::deletion(hooks, &found, masker);
    let claims = claims::marked(cluster, &discovery, &found).await?;
    warnings.extend(found.about_foreign());
    let found = found.in_order();
    let live = found.iter().chain(&claims);
    let live = live.filter(|live| !hooks.contains(&live.reference()));
    changes.extend(live.map(|live| diff::removal(live, masker)));
    let rules = kapp::of_live(found.iter());
    let plan = plan::order(changes, Phase::Delete, &rules)?;
    let risks = risk::risks(cluster, &discovery, &plan.steps, &parent).await;
    let unanswered = unanswered::groups(cluster, &discovery).await;
    warnings.extend(unanswered.iter().map(ToString::to_string));
    Ok(Prepared {
        app: app.clone(),
        plan,
        phase: Phase::Delete,
        warnings,
        notes: Vec::new(),
        risks,
        unpruned: Vec::new(),
        idle: Vec::new(),
        rules: ready::recorded(&parent.record),
        delete_hooks: parent.record.hooks.clone(),
        parent,
        fingerprints: BTreeMap::new(),
        taken: BTreeSet::new(),
        force: false,
        forced: BTreeSet::new(),
        create_namespace: false,
        obstacles: Obstacles::default(),
        learned: Learned::default(),
    })
}

/// Makes sure that what is deployed can be deleted: rules of deletions alone may form a cycle, too.
pub(super) fn check(plan: &Plan, masker: &Masker) -> Result<(), Error> {
    let desired = plan
        .steps
        .iter()
        .filter_map(|step| step.change.desired.as_ref());
    let desired: Vec<&Object> = desired
        .filter(|object| hook::of(object).is_none())
        .collect();
    let rules = kapp::of_live(desired.iter().copied());
    if rules.order.is_empty() && !desired.iter().any(|object| orders_deletions(object)) {
        return Ok(());
    }
    let removals = desired.iter().map(|object| diff::removal(object, masker));
    plan::order(removals.collect(), Phase::Delete, &rules)?;
    Ok(())
}

/// Whether rules of the object are about deletions alone.
fn orders_deletions(object: &Object) -> bool {
    let annotations = object.get(&["metadata", "annotations"]);
    let mut all = annotations.and_then(Value::as_object).into_iter().flatten();
    all.any(|(key, rule)| {
        let rule = rule.as_str().unwrap_or_default();
        key.starts_with("kapp.k14s.io/change-rule") && rule.contains("delet")
    })
}
