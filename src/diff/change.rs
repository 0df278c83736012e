//! One object: before → after.

use crate::object::{Object, ObjectRef, Source};
use serde::Serialize;
use serde_json::Value;

/// What will be done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// It is not there: create it.
    Create,
    /// It differs: apply it.
    Update,
    /// It differs in a field that cannot change: delete and create it.
    Replace,
    /// It is no longer wanted: delete it.
    Delete,
    /// It must be there already and is not ours.
    Exists,
    /// It is no longer wanted but marked to stay: leave it, and let go of it.
    Keep,
    /// Nothing to do.
    Noop,
}

impl Op {
    /// The word for the op, as tables and documents print it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Exists => "exists",
            Self::Keep => "keep",
            Self::Noop => "noop",
        }
    }
}

/// What happened to one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldOp {
    /// It was not there.
    Add,
    /// It will be gone.
    Remove,
    /// It has another value.
    Replace,
}

/// One field: before → after. Values of secrets are masked already.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// The path, list items by their merge key: `spec.template.spec.containers[name=web].image`.
    pub path: String,
    /// What happened.
    pub op: FieldOp,
    /// The value before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Whether the values are masked.
    pub masked: bool,
    /// The field manager that owns the live value, when it is not ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
}

/// The change of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The object.
    pub target: ObjectRef,
    /// What will be done.
    pub op: Op,
    /// What will be sent, with labels and namespace in place; `None` for a delete. Holds secrets:
    /// it goes to the server and nowhere else.
    pub desired: Option<Object>,
    /// The live object; `None` for a create. Holds secrets.
    pub live: Option<Object>,
    /// The object before, as shown: masked, without what the server keeps for itself.
    pub before: Option<Value>,
    /// The object after, as shown.
    pub after: Option<Value>,
    /// The fields that change, in order of their path; masked.
    pub fields: Vec<FieldChange>,
    /// Where the desired object stands in the input.
    pub source: Option<Source>,
    /// Why this op, in a few words, where it is not obvious (`spec.selector is immutable`).
    pub reason: String,
}
