//! Change rules: kapp's defaults and the annotations, as data.
//!
//! The defaults follow kapp's `config/default.go` (changeRuleBindings) in meaning. kapp writes its
//! rules for deletes apart; here every rule for upserts is also read backwards for deletes, where it
//! may be dropped.

use super::group::{Facts, PREFIX, SERVICE_ACCOUNT, TOKENS, expand};
use super::{Annotation, Error, hook};
use crate::kapp;
use crate::object::{Object, Source};
use serde_json::Value;

/// What a change does, as far as rules tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Class {
    /// The object is there afterwards.
    Upsert,
    /// The object is gone afterwards, or let go of.
    Delete,
}

/// On which side of the group's changes a change stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Side {
    /// Before them.
    Before,
    /// After them.
    After,
}

/// How much a rule weighs against others when they would form a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Dropped when it would close a cycle; the lightest is dropped first.
    Droppable(u16),
    /// Never dropped: a cycle of such rules is an error.
    Required,
}

/// One rule of one object.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// The class of change of the object that the rule is for.
    pub(super) class: Class,
    /// Where the object stands.
    pub(super) side: Side,
    /// The class of the group's changes that it is about.
    pub(super) target: Class,
    /// The group.
    pub(super) group: String,
    /// How much it weighs.
    pub(super) weight: Weight,
    /// Why, for people.
    pub(super) reason: String,
}

/// The groups that exist only here: names that no annotation can have, for they hold a space.
pub(super) const WORKLOADS: &str = "the workloads";
/// All changes of the app that are no hooks.
pub(super) const MAIN: &str = "all objects that are no hooks";
/// The hooks that run before.
pub(super) const PRE_HOOKS: &str = "the hooks before";
/// The webhook configurations that are about objects of an API group.
pub(super) fn webhooks_of(api_group: &str) -> String {
    format!("the webhooks of {api_group}")
}

impl Rule {
    fn after(group: impl Into<String>, weight: Weight, reason: &str) -> Self {
        Self {
            class: Class::Upsert,
            side: Side::After,
            target: Class::Upsert,
            group: group.into(),
            weight,
            reason: reason.to_owned(),
        }
    }

    /// The same rule read backwards for deletes; `None` for a rule that is about deletes already.
    pub(super) fn backwards(&self) -> Option<Self> {
        let weight = match self.weight {
            Weight::Required => Weight::Droppable(230),
            droppable @ Weight::Droppable(_) => droppable,
        };
        let side = match self.side {
            Side::After => Side::Before,
            Side::Before => Side::After,
        };
        (self.class == Class::Upsert && self.target == Class::Upsert).then(|| Self {
            class: Class::Delete,
            side,
            target: Class::Delete,
            group: self.group.clone(),
            weight,
            reason: format!("deletes go backwards: {}", self.reason),
        })
    }
}

/// The rules that apply to an object by default.
pub(super) fn defaults(facts: &Facts, object: &Object) -> Vec<Rule> {
    let hook = hook::of(object);
    let mut rules = Vec::new();
    if hook.is_none() && !facts.is_crd() && !facts.is_namespace() {
        rules.push(Rule::after(
            PRE_HOOKS,
            Weight::Droppable(250),
            "hooks run before the rest",
        ));
    }
    if object
        .annotation("kapp.k14s.io/disable-default-change-group-and-rules")
        .is_none()
    {
        rules.extend(kapp_rules(facts));
    }
    if facts.default_groups().contains(&SERVICE_ACCOUNT) {
        rules.push(Rule {
            side: Side::Before,
            ..Rule::after(
                format!("{PREFIX}{TOKENS}"),
                Weight::Required,
                "the token of an account that is not there is deleted",
            )
        });
    }
    if facts.default_groups().contains(&"storage") {
        rules.push(Rule::after(
            format!("{PREFIX}storage-class"),
            Weight::Droppable(107),
            "volumes need them",
        ));
    }
    if facts.is_webhook() {
        let reason = "webhooks come after the workloads, so that they cannot stop them";
        rules.push(Rule::after(WORKLOADS, Weight::Droppable(95), reason));
    }
    if facts.is_custom() {
        let reason = "it is checked or completed by them";
        rules.push(Rule::after(
            webhooks_of(&facts.group),
            Weight::Droppable(96),
            reason,
        ));
    }
    if !facts.namespace.is_empty() && !is_needed_by_pods(facts) {
        for (group, reason) in [
            ("pod-related", "pods need them"),
            ("rbac", "pods need their permissions"),
            ("storage-class", "volumes need them"),
            ("storage", "pods need them"),
        ] {
            rules.push(Rule::after(
                format!("{PREFIX}{group}"),
                Weight::Droppable(108),
                reason,
            ));
        }
    }
    rules
}

/// kapp's default rules 0 to 6.
fn kapp_rules(facts: &Facts) -> Vec<Rule> {
    let mut rules = Vec::new();
    if facts.is_custom() {
        let crd = format!("{PREFIX}crds-{}-{}", facts.group, facts.kind);
        rules.push(Rule::after(crd, Weight::Required, "it defines the kind"));
    } else if !facts.is_crd() {
        // Whoever looks after the resources of a CRD must live until they are gone.
        rules.push(Rule {
            class: Class::Delete,
            side: Side::After,
            target: Class::Delete,
            group: format!("{PREFIX}crds"),
            weight: Weight::Droppable(240),
            reason: "what runs stays until custom resources are gone".to_owned(),
        });
    }
    if !facts.namespace.is_empty() {
        let namespace = format!("{PREFIX}namespaces-{}", facts.namespace);
        rules.push(Rule::after(namespace, Weight::Required, "it lives there"));
    }
    if facts.default_groups().contains(&"rbac-role-bindings") {
        let roles = format!("{PREFIX}rbac-roles");
        rules.push(Rule::after(
            roles,
            Weight::Droppable(105),
            "bindings come after roles",
        ));
    }
    if facts.default_groups().contains(&"rbac") || facts.default_groups().contains(&SERVICE_ACCOUNT)
    {
        for group in ["kapp-controller-packageinstall", "kapp-controller-app"] {
            rules.push(Rule {
                side: Side::Before,
                ..Rule::after(
                    format!("{PREFIX}{group}"),
                    Weight::Droppable(106),
                    "apps of kapp-controller need their permissions",
                )
            });
        }
    }
    rules
}

fn is_needed_by_pods(facts: &Facts) -> bool {
    facts
        .default_groups()
        .iter()
        .any(|group| matches!(*group, "storage-class" | "storage" | "rbac" | "pod-related"))
}

/// The rules that the bindings of the user give to an object. Later ones weigh more, and all of them
/// more than the defaults, as in kapp.
pub(super) fn bound(facts: &Facts, object: &Object, bindings: &[kapp::Order]) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (index, binding) in bindings.iter().enumerate() {
        if !kapp::matches_any(&binding.of, object) {
            continue;
        }
        let weight = if binding.if_possible {
            Weight::Droppable(300_u16.saturating_add(u16::try_from(index).unwrap_or(u16::MAX)))
        } else {
            Weight::Required
        };
        let texts = binding.rules.iter().map(|text| expand(text, facts, object));
        let parsed = texts.filter_map(|text| parse(&text, "changeRuleBindings"));
        rules.extend(parsed.map(|rule| Rule { weight, ..rule }));
    }
    rules
}

/// The rules that an object carries in annotations.
///
/// # Errors
///
/// Fails with the first annotation that cannot be read.
pub(super) fn annotated(
    facts: &Facts,
    object: &Object,
    source: Option<&Source>,
) -> Result<Vec<Rule>, Error> {
    annotations(object, "kapp.k14s.io/change-rule")
        .map(|(key, value)| {
            let text = expand(value.trim(), facts, object);
            parse(&text, key).ok_or_else(|| {
                let message = "a rule has the form `(upsert|delete) (before|after) (upserting|deleting) <group>`";
                annotation_error(object, source, key, value, message)
            })
        })
        .collect()
}

fn parse(text: &str, key: &str) -> Option<Rule> {
    let mut words = text.split_whitespace();
    let class = match words.next()? {
        "upsert" => Class::Upsert,
        "delete" => Class::Delete,
        _ => return None,
    };
    let side = match words.next()? {
        "before" => Side::Before,
        "after" => Side::After,
        _ => return None,
    };
    let target = match words.next()? {
        "upserting" => Class::Upsert,
        "deleting" => Class::Delete,
        _ => return None,
    };
    let group = words.next()?.to_owned();
    let reason = format!("{key}: {text}");
    words.next().is_none().then_some(Rule {
        class,
        side,
        target,
        group,
        weight: Weight::Required,
        reason,
    })
}

/// The annotations with a key, or with the key, a dot and anything.
pub(super) fn annotations<'a>(
    object: &'a Object,
    key: &'static str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    object
        .get(&["metadata", "annotations"])
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(move |(name, _)| {
            name.strip_prefix(key)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
}

/// An error about an annotation of an object.
pub(super) fn annotation_error(
    object: &Object,
    source: Option<&Source>,
    key: &str,
    value: &str,
    message: &str,
) -> Error {
    Error::Annotation(Box::new(Annotation {
        target: object.reference(),
        place: source
            .map(|source| format!("{source}: "))
            .unwrap_or_default(),
        annotation: key.to_owned(),
        value: value.to_owned(),
        message: message.to_owned(),
    }))
}
