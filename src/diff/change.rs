//! One object: before → after.

use crate::object::managed_fields::MANAGER;
use crate::object::{Object, ObjectRef, Source};
use serde::Serialize;
use serde_json::Value;
use std::fmt;

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
    /// Who owns the live value; `None` when nobody does. A value that is ours too is said to be ours.
    #[serde(flatten)]
    pub owner: Option<FieldOwner>,
}

impl FieldChange {
    /// The owner of the live value, when it is not us.
    #[must_use]
    pub fn foreign(&self) -> Option<&FieldOwner> {
        self.owner.as_ref().filter(|owner| owner.manager != MANAGER)
    }
}

/// Who owns a live value, as `metadata.managedFields` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldOwner {
    /// The field manager.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// The subresource that it wrote through (`scale`); empty for the object itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subresource: String,
    /// When it last changed what it owns of the object: the value is not younger than that. The
    /// server writes down no more.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub since: String,
}

impl fmt::Display for FieldOwner {
    /// `kubectl (scale) since 2026-11-21T10:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.manager)?;
        if !self.subresource.is_empty() {
            write!(f, " ({})", self.subresource)?;
        }
        if !self.since.is_empty() {
            write!(f, " since {}", self.since)?;
        }
        Ok(())
    }
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

impl Change {
    /// By which of kapp's strategies the change is made; empty for the usual one, which is a
    /// server-side apply or a delete.
    #[must_use]
    pub fn strategy(&self) -> &str {
        let asked = |key: &str| {
            let object = self.desired.as_ref()?;
            object.annotation(key).filter(|value| !value.is_empty())
        };
        match self.op {
            Op::Create => asked("kapp.k14s.io/create-strategy").unwrap_or_default(),
            Op::Update => asked("kapp.k14s.io/update-strategy").unwrap_or_default(),
            Op::Replace => asked("kapp.k14s.io/update-strategy").unwrap_or("replace"),
            Op::Keep => "orphan",
            Op::Delete | Op::Exists | Op::Noop => "",
        }
    }

    /// Why this op, always: the reason that was noted, else what the op itself says.
    #[must_use]
    pub fn why(&self) -> String {
        match (self.reason.as_str(), self.op) {
            ("", Op::Create) => "it is not in the cluster".to_owned(),
            ("", Op::Update) => self.changed(),
            ("", Op::Delete) => "it is no longer desired".to_owned(),
            ("", Op::Noop) => "it is as desired".to_owned(),
            (reason, _) => reason.to_owned(),
        }
    }

    /// The first fields that change, by the names that people call them.
    fn changed(&self) -> String {
        const NAMED: usize = 3;
        let names = self.fields.iter().take(NAMED);
        let names: Vec<&str> = names.map(|field| short(&field.path)).collect();
        match self.fields.len().saturating_sub(NAMED) {
            0 => names.join(", "),
            more => format!("{} and {more} more", names.join(", ")),
        }
    }
}

/// The end of a field path: what people call the field.
fn short(path: &str) -> &str {
    let stripped = path.strip_prefix("spec.template.spec.").unwrap_or(path);
    stripped.strip_prefix("spec.").unwrap_or(stripped)
}
