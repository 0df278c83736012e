//! Changes → the order to make them in, every edge with its reason. Pure.
//!
//! One graph takes in all vocabularies of order: kapp's change groups and rules, Helm's hooks,
//! `config.kubernetes.io/depends-on` and the references in the objects themselves.

mod builder;
mod error;
mod explain;
mod graph;
mod group;
pub mod hook;
mod order;
mod progress;
mod reference;
mod rule;
#[cfg(test)]
mod tests;
mod wait;

pub use error::{Annotation, Blocked, Error};
pub use order::order;
pub use progress::{Progress, Skipped};
pub use wait::is_waited;

use crate::diff::Change;
use serde::Serialize;

/// What kind of run the plan is for; Helm's hooks depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The first deploy of an app.
    Install,
    /// A later deploy.
    Upgrade,
    /// A deploy of what was deployed before.
    Rollback,
    /// The removal of an app.
    Delete,
}

/// What to wait for after the server took a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// Until the object is ready.
    Reconcile,
    /// Until the object is gone.
    Delete,
    /// Nothing.
    None,
}

/// When the steps that wait for a step may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Release {
    /// As soon as the server took the change. A volume claim, for one, is bound only when a pod
    /// uses it: waiting for it before the pod would never end.
    Applied,
    /// When the wait for it is over.
    Done,
}

/// What a step waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum On {
    /// Another step of the plan, by index.
    Step(usize),
    /// All steps of a gate, by index.
    Gate(usize),
}

/// Why a step is not the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// What it waits for.
    pub on: On,
    /// Why, in a few words.
    pub reason: String,
}

/// Steps that others wait for as a whole: it stands for an edge to each of them, so that groups of
/// thousands stay cheap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// What the steps have in common.
    pub name: String,
    /// The steps, by index.
    pub steps: Vec<usize>,
}

/// One change in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The change.
    pub change: Change,
    /// What it waits for.
    pub after: Vec<Edge>,
    /// What to wait for once the server took it.
    pub wait: Wait,
    /// When the steps after it may begin.
    pub release: Release,
}

/// Changes in order: every step stands after all those that it waits for, so that making them one
/// by one is right; [`Progress`] tells what may be done at the same time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// The gates that edges speak of.
    pub gates: Vec<Gate>,
}
