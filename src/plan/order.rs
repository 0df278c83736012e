//! The changes that take part, what the rules need to know of them, and where each stands when
//! nothing else decides.

use super::builder::Builder;
use super::group::{self, Facts};
use super::hook::{self, Moment};
use super::reference;
use super::rule::{self, Class};
use super::{Error, Phase, Plan};
use crate::diff::{Change, Op};
use crate::kapp::{self, Rules};
use crate::object::Object;
use std::collections::BTreeSet;

/// Puts changes in order; `rules` are those of the user beside the default ones. Hooks of other phases and of tests are left out.
///
/// The order depends on the changes alone, not on the order they come in. Takes time that grows
/// with the number of changes and rules, not with their product.
///
/// # Errors
///
/// Fails with an annotation that cannot be read and with changes that wait for each other by rules
/// that may not be dropped.
pub fn order(changes: Vec<Change>, phase: Phase, rules: &Rules) -> Result<Plan, Error> {
    let mut nodes = nodes(changes, phase, &rules.groups)?;
    nodes.sort_by(|a, b| a.key().cmp(&b.key()));
    let mut builder = Builder::new(nodes, rules);
    builder.required()?;
    builder.droppable(phase)?;
    Ok(builder.plan())
}

/// A change with what the rules need to know of it.
pub(super) struct Node {
    pub(super) change: Change,
    pub(super) facts: Facts,
    pub(super) class: Class,
    pub(super) moment: Option<Moment>,
    pub(super) hook_weight: i64,
    pub(super) groups: Vec<String>,
}

impl Node {
    /// The object as it will be, or as it is when it goes.
    pub(super) fn object(&self) -> Option<&Object> {
        self.change.desired.as_ref().or(self.change.live.as_ref())
    }

    /// What decides where nothing else does: hooks before, the rest, hooks after; then Helm's order
    /// of kinds, backwards for deletes; then names.
    fn key(&self) -> impl Ord + '_ {
        let moment = match self.moment {
            Some(Moment::Before) => 0,
            None => 1,
            Some(Moment::After) => 2,
        };
        let rank = kind_rank(&self.facts);
        let rank = if self.class == Class::Delete {
            -rank
        } else {
            rank
        };
        let Facts {
            group,
            kind,
            namespace,
            name,
        } = &self.facts;
        (
            moment,
            self.class,
            self.hook_weight,
            rank,
            group,
            kind,
            namespace,
            name,
        )
    }
}

/// Helm's order of kinds (helm v4 `pkg/release/v1/util/kind_sorter.go`), in steps.
fn kind_rank(facts: &Facts) -> i32 {
    match facts.kind.as_str() {
        "PriorityClass" => 0,
        "Namespace" => 1,
        "NetworkPolicy" | "ResourceQuota" | "LimitRange" => 2,
        "PodSecurityPolicy" | "PodDisruptionBudget" => 3,
        "ServiceAccount" => 4,
        "Secret" | "ConfigMap" => 5,
        "StorageClass" => 6,
        "PersistentVolume" => 7,
        "PersistentVolumeClaim" => 8,
        "CustomResourceDefinition" => 9,
        "ClusterRole" => 10,
        "ClusterRoleBinding" => 11,
        "Role" => 12,
        "RoleBinding" => 13,
        "Service" => 14,
        "DaemonSet" => 15,
        "Pod" | "ReplicationController" | "ReplicaSet" => 16,
        "Deployment" => 17,
        "HorizontalPodAutoscaler" => 18,
        "StatefulSet" => 19,
        "Job" => 20,
        "CronJob" => 21,
        "IngressClass" => 22,
        "Ingress" => 23,
        "APIService" | "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => 24,
        _ => 25,
    }
}

fn nodes(changes: Vec<Change>, phase: Phase, bindings: &[kapp::Group]) -> Result<Vec<Node>, Error> {
    let mut nodes = Vec::with_capacity(changes.len());
    for change in changes {
        let object = change.desired.as_ref().or(change.live.as_ref());
        let Some(object) = object else { continue };
        let class = match change.op {
            Op::Delete | Op::Keep => Class::Delete,
            _ => Class::Upsert,
        };
        let facts = Facts::of(object);
        let found = if class == Class::Upsert {
            hook::of(object)
        } else {
            None
        };
        let moment = found.as_ref().and_then(|hook| hook::moment(hook, phase));
        if found.is_some() && moment.is_none() {
            continue;
        }
        let mut groups = group::groups(&facts, object, change.source.as_ref(), bindings)?;
        match moment {
            Some(Moment::Before) => groups.push(rule::PRE_HOOKS.to_owned()),
            Some(Moment::After) => {}
            None => groups.push(rule::MAIN.to_owned()),
        }
        if facts.is_workload() && moment.is_none() {
            groups.push(rule::WORKLOADS.to_owned());
        }
        groups.extend(
            reference::webhook_groups(object)
                .iter()
                .map(|group| rule::webhooks_of(group)),
        );
        let hook_weight = found.map(|hook| hook.weight).unwrap_or_default();
        nodes.push(Node {
            facts,
            class,
            moment,
            hook_weight,
            groups,
            change,
        });
    }
    keep_namespaces(&mut nodes);
    Ok(nodes)
}

/// Takes namespaces in which hooks run after everything else out of everything else.
fn keep_namespaces(nodes: &mut [Node]) {
    let after = nodes
        .iter()
        .filter(|node| node.moment == Some(Moment::After));
    let places: BTreeSet<String> = after
        .filter_map(|node| node.change.target.namespace.clone())
        .collect();
    for node in nodes {
        let goes = node.class == Class::Delete && node.change.target.kind == "Namespace";
        if goes && places.contains(&node.change.target.name) {
            node.groups.retain(|group| group != rule::MAIN);
        }
    }
}
