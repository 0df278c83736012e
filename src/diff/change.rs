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
    /// Whether fields may go that `after` still has: the server was not asked, and `managedFields` does
    /// not tell what of them was applied.
    pub is_unsure: bool,
    /// Why the server was not asked what comes of it, so that the change is what is guessed here from the
    /// manifest; `None` where it was asked, or there is nothing to ask.
    pub untried: Option<Untried>,
}

/// Why the server could not be asked what comes of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Untried {
    /// Its namespace is not there yet.
    NoNamespace,
    /// Its kind is not there yet.
    NoKind,
    /// The object that is there would be in the way.
    MadeAnew,
    /// The server could not try it now; what is applied before may mend that.
    NotNow,
    /// The server, or another manager of fields, is against it.
    Refused,
}

impl Untried {
    /// The reason in a few words, as reports print it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoNamespace => "namespace does not exist yet",
            Self::NoKind => "kind does not exist yet",
            Self::MadeAnew => "made anew",
            Self::NotNow => "not possible before the rest is applied",
            Self::Refused => "refused",
        }
    }
}

/// Why a hook is created.
const RUN: &str = "the hook runs";
/// Why a hook is deleted and made anew.
pub(super) const RERUN: &str = "the hook runs again";

impl Change {
    /// Whether it is a hook that is made anew to run again, as hooks are at every deploy.
    #[must_use]
    pub fn is_rerun(&self) -> bool {
        self.op == Op::Replace && self.reason == RERUN
    }

    /// Whether it is a hook that runs, again or for the first time.
    #[must_use]
    pub fn is_run(&self) -> bool {
        self.is_rerun() || (self.op == Op::Create && self.reason == RUN)
    }

    /// The same change, of a hook that runs.
    #[must_use]
    pub fn running(mut self) -> Self {
        if self.op == Op::Create && self.reason.is_empty() {
            RUN.clone_into(&mut self.reason);
        }
        self
    }

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

    /// The first fields that change, by the names that people call them: those that most look for go
    /// first.
    pub(super) fn changed(&self) -> String {
        const NAMED: usize = 3;
        let mut fields: Vec<&FieldChange> = self.fields.iter().collect();
        fields.sort_by_key(|field| match field.path.rsplit('.').next() {
            Some("image") => 0,
            Some("replicas") => 1,
            _ => 2,
        });
        let names = fields.iter().take(NAMED);
        let names: Vec<String> = names.map(|field| in_short(field)).collect();
        match self.fields.len().saturating_sub(NAMED) {
            0 => names.join(", "),
            more => format!("{} and {more} more", names.join(", ")),
        }
    }
}

/// `replicas 1 → 3`: a field, with its values where they are short.
fn in_short(field: &FieldChange) -> String {
    const LONG: usize = 48;
    let name = short(&field.path);
    let scalar = |value: &Option<Value>| match value {
        Some(Value::String(text)) if !text.is_empty() && !text.contains('\n') => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(Value::Bool(bool)) => Some(bool.to_string()),
        _ => None,
    };
    let both = scalar(&field.before).zip(scalar(&field.after));
    let Some((before, after)) = both.filter(|_| !field.masked) else {
        return name.to_owned();
    };
    // Of two images of one repository folder the folder says nothing.
    let image = field.path.ends_with(".image");
    let folder = before.rfind('/').filter(|_| image).map_or(0, |at| at + 1);
    let same = after.get(..folder) == before.get(..folder);
    let from = if same { folder } else { 0 };
    let values = format!("{} → {}", &before[from..], &after[from..]);
    if values.chars().count() <= LONG {
        format!("{name} {values}")
    } else {
        name.to_owned()
    }
}

/// The end of a field path: what people call the field.
fn short(path: &str) -> &str {
    let stripped = path.strip_prefix("spec.template.spec.").unwrap_or(path);
    stripped.strip_prefix("spec.").unwrap_or(stripped)
}
