//! Whatever the objects and their annotations, the order of them is sound.

use super::{Op, Phase, Plan, Progress, Rules, deletes, order, upserts};
use crate::plan::On;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Everything a step waits for, gates resolved.
fn needs(plan: &Plan, step: usize) -> BTreeSet<usize> {
    plan.steps[step]
        .after
        .iter()
        .flat_map(|edge| match edge.on {
            On::Step(on) => vec![on],
            On::Gate(gate) => plan.gates[gate].steps.clone(),
        })
        .collect()
}

const KINDS: &[&str] = &[
    "v1/Namespace",
    "v1/ConfigMap",
    "v1/ServiceAccount",
    "v1/Service",
    "apps/v1/Deployment",
    "batch/v1/Job",
    "rbac.authorization.k8s.io/v1/Role",
    "rbac.authorization.k8s.io/v1/RoleBinding",
    "x.io/v1/Zone",
    "apiextensions.k8s.io/v1/CustomResourceDefinition",
    "v1/PersistentVolumeClaim",
    "admissionregistration.k8s.io/v1/MutatingWebhookConfiguration",
];

fn object(
    kind: &str,
    i: usize,
    group: usize,
    rule: Option<&(String, usize)>,
    hook: usize,
) -> String {
    let (api, kind) = kind.rsplit_once('/').unwrap();
    let hook = match hook {
        0 => "helm.sh/hook: pre-install, ",
        1 => "helm.sh/hook: post-install, ",
        _ => "",
    };
    let rule = rule.map_or(String::new(), |(words, group)| {
        format!("kapp.k14s.io/change-rule: '{words} g{group}', ")
    });
    let namespace = if [
        "Namespace",
        "CustomResourceDefinition",
        "MutatingWebhookConfiguration",
    ]
    .contains(&kind)
    {
        ""
    } else {
        "namespace: n0, "
    };
    format!(
        "{{apiVersion: {api}, kind: {kind}, metadata: {{name: n{i}, {namespace}annotations: {{{hook}{rule}kapp.k14s.io/change-group: g{group}}}}}, spec: {{group: x.io, names: {{kind: Zone}}, template: {{spec: {{serviceAccountName: n{group}}}}}}}}}"
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_order_is_sound(
        objects in prop::collection::vec((0..KINDS.len(), 0usize..4, prop::option::weighted(0.2, ("(upsert|delete) (before|after) (upserting|deleting)", 0usize..4)), 0usize..12, any::<bool>()), 0..40),
        turn in 0usize..40,
    ) {
        let mut changes = Vec::new();
        for (i, (kind, group, rule, hook, delete)) in objects.iter().enumerate() {
            let text = object(KINDS[*kind], i, *group, rule.as_ref(), *hook);
            changes.extend(if *delete { deletes(&text) } else { upserts(&text) });
        }
        let mut turned = changes.clone();
        if !turned.is_empty() {
            let by = turn % turned.len();
            turned.rotate_left(by);
        }
        let count = changes.len();
        match order(changes, Phase::Install, &Rules::default()) {
            Ok(plan) => {
                // Deterministic.
                prop_assert_eq!(&plan, &order(turned, Phase::Install, &Rules::default()).unwrap());
                prop_assert_eq!(plan.steps.len(), count);
                // Every edge points back.
                for step in 0..plan.steps.len() {
                    prop_assert!(needs(&plan, step).iter().all(|on| *on < step));
                }
                // Carrying it out does each step once, after what it needs.
                let mut progress = Progress::new(&plan);
                let mut done = BTreeSet::new();
                let mut ready = progress.start();
                while let Some(step) = ready.pop() {
                    prop_assert!(needs(&plan, step).is_subset(&done));
                    prop_assert!(done.insert(step));
                    ready.extend(progress.applied(step));
                    ready.extend(progress.done(step));
                }
                prop_assert_eq!(done.len(), count);
                // No rule that must hold is broken.
                check_rules(&plan)?;
            }
            Err(error) => {
                prop_assert!(error.to_string().contains("waits for"));
                prop_assert!(objects.iter().any(|(_, _, rule, _, _)| rule.is_some()));
            }
        }
    }
}

/// Checks the annotated rules against the positions.
fn check_rules(plan: &Plan) -> Result<(), TestCaseError> {
    let info: Vec<_> = plan
        .steps
        .iter()
        .map(|step| {
            let object = step
                .change
                .desired
                .as_ref()
                .or(step.change.live.as_ref())
                .unwrap();
            let text = |key| object.annotation(key).unwrap_or_default().to_owned();
            (
                step.change.op == Op::Delete,
                text("kapp.k14s.io/change-group"),
                text("kapp.k14s.io/change-rule"),
            )
        })
        .collect();
    for (i, (delete, _, rule)) in info.iter().enumerate() {
        let words: Vec<_> = rule.split(' ').collect();
        if words.len() != 4 || (words[0] == "delete") != *delete {
            continue;
        }
        for (j, (target_deletes, group, _)) in info.iter().enumerate() {
            if i != j && group == words[3] && *target_deletes == (words[2] == "deleting") {
                prop_assert_eq!(words[1] == "after", i > j);
            }
        }
    }
    Ok(())
}
