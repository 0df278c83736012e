//! What the writers of changes have in common: a change with what is waited for after it, its words,
//! and the sum of all.

use super::label::Label;
use crate::diff::{Change, Concern, Op, Untried, concerns};
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

/// The word for what is done to an object, as tables print it.
pub(super) fn word(change: &Change, tense: Tense) -> &'static str {
    match change.is_run() {
        true => "run",
        false => tense.word(change.op),
    }
}

/// The label and the sign of a change.
pub(super) fn mark(change: &Change) -> (Label, char) {
    match change.op {
        _ if change.is_run() => (Label::Changed, '»'),
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
        // Hooks go last of what is done.
        let key = match change.is_run() {
            true => (Op::Delete, true),
            false => (change.op, false),
        };
        *counts.entry(key).or_insert(0_usize) += 1;
    }
    let parts: Vec<String> = counts
        .into_iter()
        .map(|((op, is_run), number)| match (tense, op) {
            _ if is_run => format!("{} to run", super::count(number, "hook")),
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

/// `12 objects (namespace does not exist yet)`: what the server was not asked about, and why; empty when
/// it was asked about everything. That a hook runs again nobody asks.
pub(super) fn untried(changes: &[&Change]) -> String {
    let mut counts: BTreeMap<Untried, usize> = BTreeMap::new();
    let asked = changes.iter().filter(|change| !change.is_rerun());
    for reason in asked.filter_map(|change| change.untried) {
        *counts.entry(reason).or_default() += 1;
    }
    let parts = counts.into_iter().map(|(reason, number)| {
        let objects = super::count(number, "object");
        format!("{objects} ({})", reason.words())
    });
    parts.collect::<Vec<_>>().join(", ")
}
