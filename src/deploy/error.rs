//! Why a deploy does not begin, or stops.

use super::owner::Owner;
use crate::cluster::FieldConflict;
use crate::diff::{Change, Masker};
use crate::object::{ObjectRef, Source, managed_fields};
use crate::{cluster, inventory, object, plan};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// An object that something else owns.
#[derive(Clone, Debug, PartialEq)]
pub struct Owned {
    /// The object.
    pub target: ObjectRef,
    /// Who owns it.
    pub owner: Owner,
}

/// An object that the server would refuse.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The object.
    pub target: ObjectRef,
    /// Where it stands in the input.
    pub source: Option<Source>,
    /// Why.
    pub message: String,
}

/// Fields of one object that other managers own.
#[derive(Clone, Debug, PartialEq)]
pub struct Contested {
    /// The object.
    pub target: ObjectRef,
    /// The fields and who owns them.
    pub fields: Vec<FieldConflict>,
}

/// All that keeps a plan from being carried out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Obstacles {
    /// What the server would refuse.
    pub(super) refused: Vec<Refusal>,
    /// What other managers own.
    pub(super) contested: Vec<Contested>,
}

impl Obstacles {
    /// The error for them; refusals go first, since nobody can mend them by a flag.
    pub(super) fn error(&self) -> Option<Error> {
        if !self.refused.is_empty() {
            return Some(Error::Refused(self.refused.clone()));
        }
        let contested = !self.contested.is_empty();
        contested.then(|| Error::Contested(self.contested.clone()))
    }

    /// Adds others.
    pub(super) fn extend(&mut self, other: Self) {
        self.refused.extend(other.refused);
        self.contested.extend(other.contested);
    }
}

/// Who holds the lock of an app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Who deploys.
    pub who: String,
    /// On which machine.
    pub host: String,
    /// The page of the CI run.
    pub ci_url: String,
    /// Since when, by the holder's clock.
    pub since: Option<Timestamp>,
    /// For how long, when that is known.
    pub held: Option<SignedDuration>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let who = if self.who.is_empty() {
            "somebody"
        } else {
            &self.who
        };
        write!(f, "{who}")?;
        if !self.host.is_empty() {
            write!(f, " on {}", self.host)?;
        }
        if let Some(since) = self.since {
            write!(f, " since {}", since.strftime("%Y-%m-%dT%H:%M:%SZ"))?;
        }
        if let Some(held) = self.held {
            write!(f, ", for {held:#}")?;
        }
        if !self.ci_url.is_empty() {
            write!(f, " ({})", self.ci_url)?;
        }
        Ok(())
    }
}

/// What became of an object that was deleted to be made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was made again as it was.
    Back,
    /// It is gone, and why it was not made again.
    Gone(String),
}

fn fate_text(fate: &Fate) -> String {
    match fate {
        Fate::Back => "is back as it was, under a new uid".to_owned(),
        Fate::Gone(why) => {
            format!("is gone: {why}; the next deploy that the server accepts makes it")
        }
    }
}

/// An error of the deploy stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server.
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    /// An object that was to be made anew was deleted, and the new one cannot be made.
    #[error("{cause}; the old one was deleted for it and {}", fate_text(fate))]
    NotReplaced {
        /// Why not.
        cause: Box<Self>,
        /// What became of the old one.
        fate: Fate,
    },
    /// The manifests.
    #[error(transparent)]
    Object(#[from] object::Error),
    /// The order.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// The record of the app.
    #[error(transparent)]
    Inventory(#[from] inventory::Error),
    /// The user may not do what a deploy of the app needs.
    #[error("{cause}")]
    Lacking {
        /// What the server forbids.
        cause: Box<Self>,
        /// The roles that would give what the user lacks, as YAML.
        roles: String,
    },
    /// The user may not do what a plan does.
    #[error("the user may not {lacking}; nothing was changed")]
    MayNot {
        /// Verbs, kinds and namespaces.
        lacking: String,
    },
    /// Objects belong to something else.
    #[error("{}", owned_text(.0))]
    Owned(Vec<Owned>),
    /// The server would refuse objects.
    #[error("{}", refused_text(.0))]
    Refused(Vec<Refusal>),
    /// Fields change that cannot change, and nobody allowed to delete the objects for it.
    #[error("{}", refused_text(.0))]
    Immutable(Vec<Refusal>),
    /// Other managers own fields that would change.
    #[error("{}", contested_text(.0))]
    Contested(Vec<Contested>),
    /// Another run deploys the app.
    #[error("app `{app}` is being deployed by {holder}")]
    Locked {
        /// The app.
        app: String,
        /// Who holds its lock.
        holder: Box<Holder>,
    },
    /// Another run took the lock over while this one slept.
    #[error("the lock of app `{app}` was lost to {holder}; nothing more was written")]
    LockLost {
        /// The app.
        app: String,
        /// Who holds it now.
        holder: Box<Holder>,
    },
    /// An object changed after the plan was shown, and the change to it would be another one now.
    #[error("{}", stale_text(planned, now.as_deref()))]
    Stale {
        /// The change as it was shown.
        planned: Box<Change>,
        /// The change as it would be now; `None` when the object is gone.
        now: Option<Box<Change>>,
    },
    /// The record of another deployer cannot be read.
    #[error("{record}: {reason}")]
    Adopt {
        /// The record.
        record: ObjectRef,
        /// What is wrong with it.
        reason: String,
    },
    /// The app was deployed by somebody else after the plan was shown.
    #[error("app `{app}` was deployed by somebody else after this plan was made")]
    Overtaken {
        /// The app.
        app: String,
    },
    /// The namespace is not there.
    #[error("namespace `{namespace}` does not exist")]
    NoNamespace {
        /// The namespace.
        namespace: String,
    },
    /// The namespace is being deleted, and a record in it is gone already.
    #[error("namespace `{namespace}` is being deleted: {why}")]
    NamespaceGoes {
        /// The namespace.
        namespace: String,
        /// What holds it, in the server's words.
        why: String,
    },
    /// There is no such app.
    #[error("app `{app}` is not deployed in namespace `{namespace}`")]
    NotDeployed {
        /// The app.
        app: String,
        /// The namespace.
        namespace: String,
    },
    /// The record belongs to an app of the same name in another namespace.
    #[error(
        "app `{app}` in this record namespace is deployed in namespace `{found}`, not `{wanted}`"
    )]
    OtherNamespace {
        /// The app.
        app: String,
        /// The namespace of the record.
        found: String,
        /// The namespace asked for.
        wanted: String,
    },
    /// Kinds that the app has cannot be listed at the moment, so that nothing can be said about
    /// what is to be deleted.
    #[error(
        "the server of API group `{group}` does not answer{why}: objects of kind {kind} cannot be listed"
    )]
    Unlistable {
        /// The group.
        group: String,
        /// The kind.
        kind: String,
        /// The APIService behind it, with what is wrong with it; empty when that is not known.
        why: String,
    },
    /// Objects are of kinds that are not known at the moment, since the servers of their API groups do
    /// not answer.
    #[error("{}", refused_text(.0))]
    Unanswered(Vec<Refusal>),
}

impl Error {
    /// The same error with the words of the server cleaned of secrets.
    pub(super) fn scrubbed(self, masker: &Masker) -> Self {
        match self {
            Self::Cluster(error) => Self::Cluster(error.scrubbed(&|text| masker.scrub(text))),
            Self::Lacking { cause, roles } => Self::Lacking {
                cause: Box::new(cause.scrubbed(masker)),
                roles,
            },
            Self::NotReplaced { cause, fate } => Self::NotReplaced {
                cause: Box::new(cause.scrubbed(masker)),
                fate,
            },
            other => other,
        }
    }
}

fn owned_text(objects: &[Owned]) -> String {
    let each = objects
        .iter()
        .map(|owned| format!("{} belongs to {}", owned.target, owned.owner));
    each.collect::<Vec<_>>().join("; ")
}

fn refused_text(refusals: &[Refusal]) -> String {
    let each = refusals.iter().map(|refusal| match &refusal.source {
        Some(source) => format!("{source}: {}: {}", refusal.target, refusal.message),
        None => format!("{}: {}", refusal.target, refusal.message),
    });
    each.collect::<Vec<_>>().join("\n")
}

fn contested_text(contested: &[Contested]) -> String {
    let each = contested.iter().flat_map(|object| {
        let target = &object.target;
        object
            .fields
            .iter()
            .map(move |conflict| format!("{target}: {conflict}"))
    });
    format!(
        "conflict with other field managers: {}",
        each.collect::<Vec<_>>().join("; ")
    )
}

/// Both changes, and who came in between. Values of secrets are masked in changes already.
fn stale_text(planned: &Change, now: Option<&Change>) -> String {
    let target = &planned.target;
    let Some(now) = now else {
        return format!("{target} was deleted after the plan was shown");
    };
    let by = match (&planned.live, &now.live) {
        (Some(before), Some(after)) => managed_fields::written_since(before, after),
        _ => Vec::new(),
    };
    let by = match by.as_slice() {
        [] => String::new(),
        by => format!(" (by {})", by.join(", ")),
    };
    format!(
        "{target} changed after the plan was shown{by}\nplanned: {}\nnow:     {}",
        fields_text(planned),
        fields_text(now)
    )
}

/// The fields of a change with their values, on one line.
fn fields_text(change: &Change) -> String {
    const MOST: usize = 5;
    let value = |value: &Option<Value>| match value {
        None => "nothing".to_owned(),
        Some(value) => value.to_string().chars().take(60).collect(),
    };
    let each = change.fields.iter().take(MOST);
    let mut each: Vec<String> = each
        .map(|field| {
            let (before, after) = (value(&field.before), value(&field.after));
            format!("{} {before} → {after}", field.path)
        })
        .collect();
    let more = change.fields.len().saturating_sub(MOST);
    if more > 0 {
        each.push(format!("{more} more"));
    }
    if each.is_empty() {
        return "no field".to_owned();
    }
    each.join(", ")
}
