//! Why a deploy does not begin, or stops.

use super::owner::Owner;
use crate::cluster::FieldConflict;
use crate::diff::{Change, Masker};
use crate::object::{ObjectRef, Source};
use crate::{cluster, inventory, object, plan};

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

/// Who holds the lock of an app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Who deploys.
    pub who: String,
    /// On which machine.
    pub host: String,
    /// The page of the CI run.
    pub ci_url: String,
    /// Since when, as the Lease has it.
    pub since: String,
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
        if !self.since.is_empty() {
            write!(f, " since {}", self.since)?;
        }
        if !self.ci_url.is_empty() {
            write!(f, " ({})", self.ci_url)?;
        }
        Ok(())
    }
}

/// An error of the deploy stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server.
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    /// The manifests.
    #[error(transparent)]
    Object(#[from] object::Error),
    /// The order.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// The record of the app.
    #[error(transparent)]
    Inventory(#[from] inventory::Error),
    /// Objects belong to something else.
    #[error("{}", owned_text(.0))]
    Owned(Vec<Owned>),
    /// The server would refuse objects.
    #[error("{}", refused_text(.0))]
    Refused(Vec<Refusal>),
    /// Other managers own fields that would change.
    #[error("{}", contested_text(.0))]
    Contested(Vec<Contested>),
    /// Another run deploys the app.
    #[error("app `{app}` is being deployed by {holder}")]
    Locked {
        /// The app.
        app: String,
        /// Who holds its lock.
        holder: Holder,
    },
    /// Another run took the lock over while this one slept.
    #[error("the lock of app `{app}` was lost to {holder}; nothing more was written")]
    LockLost {
        /// The app.
        app: String,
        /// Who holds it now.
        holder: Holder,
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
        "the server of API group `{group}` does not answer: objects of kind {kind} cannot be listed"
    )]
    Unlistable {
        /// The group.
        group: String,
        /// The kind.
        kind: String,
    },
}

impl Error {
    /// The same error with the words of the server cleaned of secrets.
    pub(super) fn scrubbed(self, masker: &Masker) -> Self {
        match self {
            Self::Cluster(error) => Self::Cluster(error.scrubbed(&|text| masker.scrub(text))),
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

fn stale_text(planned: &Change, now: Option<&Change>) -> String {
    let fields = |change: &Change| -> String {
        let paths: Vec<&str> = change
            .fields
            .iter()
            .map(|field| field.path.as_str())
            .collect();
        if paths.is_empty() {
            "no field".to_owned()
        } else {
            paths.join(", ")
        }
    };
    match now {
        None => format!("{} was deleted after the plan was shown", planned.target),
        Some(now) => format!(
            "{} changed after the plan was shown: it was to change {}, now it would change {}",
            planned.target,
            fields(planned),
            fields(now)
        ),
    }
}
