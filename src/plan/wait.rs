//! What to wait for after a change, and when what comes next may begin.

use super::{Release, Wait};
use crate::diff::{Change, Op};
use crate::object::Object;
use crate::status::{self, State};

/// What to wait for after a change: readiness for kinds that have any, the end for deletes. An
/// object that is not changed is waited for when it is not ready yet, so that a second run finishes
/// what a first one left half done.
pub(super) fn wait(change: &Change) -> Wait {
    let object = change.desired.as_ref().or(change.live.as_ref());
    if !object.is_none_or(is_waited) {
        return Wait::None;
    }
    let waited = object.is_some_and(|object| status::is_waited(&object.gvk()));
    match change.op {
        Op::Delete => Wait::Delete,
        Op::Keep => Wait::None,
        Op::Create | Op::Update | Op::Replace | Op::Exists if waited => Wait::Reconcile,
        Op::Noop if waited && change.live.as_ref().is_some_and(is_unfinished) => Wait::Reconcile,
        _ => Wait::None,
    }
}

/// Whether an object may be waited for: its manifest does not ask for the opposite.
#[must_use]
pub fn is_waited(object: &Object) -> bool {
    object.annotation("kapp.k14s.io/disable-wait").is_none()
}

fn is_unfinished(live: &Object) -> bool {
    status::of(live).state != State::Current
}

/// When what comes after a change may begin. Volume claims may be bound by their pod only, and a
/// load balancer takes minutes that nobody else needs to wait for.
pub(super) fn release(change: &Change) -> Release {
    match (
        change.op,
        change.target.group.as_str(),
        change.target.kind.as_str(),
    ) {
        (Op::Delete, ..) => Release::Done,
        (_, "", "PersistentVolumeClaim" | "Service") => Release::Applied,
        _ => Release::Done,
    }
}
