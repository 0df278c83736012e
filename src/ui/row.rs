//! What the writers of changes have in common: a change with what is waited for after it, its words,
//! and the sum of all.

use super::label::Label;
use crate::diff::{Change, Concern, Op, concerns};
use crate::plan::Wait;
use std::collections::{BTreeMap, BTreeSet};

/// A change, and what a deploy waits for after it.
pub type Row<'a> = (&'a Change, Wait);

/// What the changes are: those of a plan, or those that others made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tense {
    /// What a deploy will do.
    #[default]
    Plan,
    /// What happened since the last deploy.
    Drift,
}

impl Tense {
    /// The word for an op.
    #[must_use]
    pub const fn word(self, op: Op) -> &'static str {
        match (self, op) {
            (Self::Drift, Op::Create) => "added",
            (Self::Drift, Op::Update) => "changed",
            (Self::Drift, Op::Delete) => "deleted",
            (_, op) => op.word(),
        }
    }
}

/// The label and the sign of an op.
pub(super) const fn mark(op: Op) -> (Label, char) {
    match op {
        Op::Create => (Label::Added, '+'),
        Op::Update => (Label::Changed, '~'),
        Op::Replace => (Label::Removed, '±'),
        Op::Delete => (Label::Removed, '-'),
        Op::Exists | Op::Keep | Op::Noop => (Label::Dim, '='),
    }
}

/// `image, pods restart`: the concerns of a change as words.
pub(super) fn concern_words(concerns: &BTreeSet<Concern>) -> String {
    let words: Vec<_> = concerns.iter().map(|concern| concern.words()).collect();
    words.join(", ")
}

/// `then waits until it is ready`: what happens after the change.
pub(super) const fn wait_words(wait: Wait) -> &'static str {
    match wait {
        Wait::Reconcile => "then waits until it is ready",
        Wait::Delete => "then waits until it is gone",
        Wait::None => "",
    }
}

/// `3 to create, 1 to update, 11 unchanged`: the plan in one line.
#[must_use]
pub fn summary<'a>(changes: impl IntoIterator<Item = &'a Change>) -> String {
    sum(changes, Tense::Plan)
}

/// The same in the words of what the changes are.
#[must_use]
pub fn sum<'a>(changes: impl IntoIterator<Item = &'a Change>, tense: Tense) -> String {
    let mut counts = BTreeMap::new();
    for change in changes {
        *counts.entry(change.op).or_insert(0_usize) += 1;
    }
    let parts: Vec<String> = counts
        .into_iter()
        .map(|(op, number)| match (tense, op) {
            (_, Op::Noop) => format!("{number} unchanged"),
            (Tense::Drift, op) => format!("{number} {}", tense.word(op)),
            (_, Op::Keep) => format!("{number} to keep"),
            (_, Op::Exists) => format!("{number} to exist"),
            (_, op) => format!("{number} to {}", op.word()),
        })
        .collect();
    if parts.is_empty() {
        "no objects".to_owned()
    } else {
        parts.join(", ")
    }
}

/// `data at risk in 1 object, RBAC widened in 2 objects`: what must not be overlooked; empty when
/// there is nothing of the kind.
pub(super) fn warnings(changes: &[&Change]) -> String {
    let mut counts: BTreeMap<Concern, usize> = BTreeMap::new();
    for concern in changes.iter().flat_map(|change| concerns(change)) {
        *counts.entry(concern).or_default() += usize::from(concern.is_grave());
    }
    let grave = counts.into_iter().filter(|(_, count)| *count > 0);
    let parts = grave.map(|(concern, count)| {
        format!("{} in {}", concern.words(), super::count(count, "object"))
    });
    parts.collect::<Vec<_>>().join(", ")
}
