//! Which objects have a rule of their own that says when they are ready.

use super::prepare::Request;
use crate::diff::Op;
use crate::inventory::Record;
use crate::object::ObjectRef;
use crate::plan::{self, Plan, Wait};
use crate::status::{self, Rule, State};
use std::collections::BTreeMap;

/// Waits for objects that have a rule as the rule says.
pub(super) fn wait_by(rules: &BTreeMap<ObjectRef, Rule>, plan: &mut Plan) {
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
pub(super) fn rules(request: &Request) -> BTreeMap<ObjectRef, Rule> {
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

/// The rules that a record holds.
pub(super) fn recorded(record: &Record) -> BTreeMap<ObjectRef, Rule> {
    let rules = record.rules().into_iter();
    rules
        .map(|(object, rule)| (object.clone(), rule.clone()))
        .collect()
}

/// Adds the recorded rules of objects whose manifests are not at hand.
pub(super) fn keep(rules: &mut BTreeMap<ObjectRef, Rule>, record: &Record, idle: &[ObjectRef]) {
    let recorded = record.rules();
    for (object, rule) in idle
        .iter()
        .filter_map(|object| recorded.get_key_value(object))
    {
        let rule = || (*rule).clone();
        rules.entry((*object).clone()).or_insert_with(rule);
    }
}
