//! What happens during a run, as one stream of typed events that every stage emits and every
//! writer (`ui/`) reads.
//!
//! Events carry no secrets: changes are masked before they become events.

use crate::object::{ObjectRef, Source};
use serde::Serialize;

/// Takes events. Writers implement it; a `Vec<Event>` does too, for tests.
pub trait Sink {
    /// Takes the next event.
    fn emit(&mut self, event: Event);
}

impl Sink for Vec<Event> {
    fn emit(&mut self, event: Event) {
        self.push(event);
    }
}

/// How sending one step ended (cli-utils' actuation words).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Actuation {
    /// Not tried yet.
    Pending,
    /// The server took it.
    Succeeded,
    /// Not tried, since something it needs failed or the run was stopped.
    Skipped,
    /// The server refused it.
    Failed,
}

/// How waiting for one object ended (cli-utils' reconcile words).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reconcile {
    /// Still waiting.
    Pending,
    /// Ready, or gone when it was to be deleted.
    Succeeded,
    /// Not waited for.
    Skipped,
    /// Will not become ready.
    Failed,
    /// Not ready in time.
    Timeout,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Event {
    /// Something worth knowing that does not stop the run.
    Warning {
        /// The text.
        message: String,
    },
    /// A stage of the run begins, for example `list live objects`.
    Stage {
        /// What is being done.
        message: String,
    },
    /// The server is asked to create, change or delete an object.
    StepStarted {
        /// The object.
        object: ObjectRef,
        /// `create`, `update`, `replace` or `delete`.
        op: String,
    },
    /// The server answered.
    StepFinished {
        /// The object.
        object: ObjectRef,
        /// Where the object was rendered from, when it is desired.
        #[serde(skip_serializing_if = "Option::is_none")]
        source: Option<Source>,
        /// `create`, `update`, `replace` or `delete`.
        op: String,
        /// How it ended.
        actuation: Actuation,
        /// Why it failed or was skipped; empty when it succeeded.
        reason: String,
    },
    /// An object that is waited for is in a new state.
    WaitProgress {
        /// The object.
        object: ObjectRef,
        /// What it is waiting for, for example `1 of 3 replicas available`.
        message: String,
        /// Seconds since the wait for it began.
        seconds: u64,
    },
    /// Nothing new was told for a while, and objects are still waited for.
    StillWaiting {
        /// How many.
        objects: usize,
        /// The one that is waited for the longest.
        longest: ObjectRef,
        /// What that one is waiting for.
        message: String,
        /// Seconds since the wait for that one began.
        seconds: u64,
    },
    /// A container of a pod of the app wrote a line.
    Log {
        /// The pod.
        pod: ObjectRef,
        /// The container.
        container: String,
        /// The line.
        line: String,
    },
    /// The wait for an object ended.
    WaitFinished {
        /// The object.
        object: ObjectRef,
        /// Where the object was rendered from, when it is desired.
        #[serde(skip_serializing_if = "Option::is_none")]
        source: Option<Source>,
        /// How it ended.
        reconcile: Reconcile,
        /// The cause when it did not become ready: object → pod → event → last log lines.
        reason: String,
        /// Seconds since the wait for it began.
        seconds: u64,
    },
    /// The run is over.
    Finished {
        /// `succeeded`, `failed`, …
        result: String,
        /// The exit code of the process.
        exit_code: u8,
        /// One sentence for people.
        message: String,
    },
}
