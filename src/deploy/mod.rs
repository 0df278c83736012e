//! Carries a change of an app through: what is there, what would change, do it in order, wait,
//! record. Reads like the line of `ARCHITECTURE.md`: [`prepare`] up to the plan, [`run`] the rest.

mod act;
mod adopt;
mod beside;
mod cause;
mod claims;
mod desired;
mod drift;
mod error;
mod family;
mod found;
mod given;
mod grace;
mod hooks;
mod lock;
mod logs;
mod look;
mod owner;
mod plain;
mod policy;
mod predict;
mod prepare;
mod ready;
mod record;
mod restore;
mod rights;
mod risk;
mod run;
mod runner;
mod store;
mod teardown;
mod trial;
mod unanswered;
mod versions;
mod wait;
mod watches;

pub use adopt::{Adoptable, Deployer, adoptable, forget};
pub use drift::{Drift, drift};
pub use error::{Contested, Error, Fate, Holder, Owned, Refusal};
pub use family::{Relative, family};
pub use grace::Graces;
pub use lock::{Held, held, unlock};
pub use logs::{Tail, tail};
pub use look::{Listed, Seen, history, inspect, list};
pub use owner::Owner;
pub use policy::{FieldPolicy, Policy};
pub use prepare::{Prepared, Request, foresee, prepare};
pub use record::remember;
pub use risk::Risk;
pub use run::{Options, Outcome, Report, run};
pub use store::{Recorded, recorded};
pub use teardown::prepare_delete;

/// Which app is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its name.
    pub name: String,
    /// The namespace of its objects that name none.
    pub namespace: String,
    /// The namespace of its record, when it is another one.
    pub record_namespace: Option<String>,
}

impl App {
    /// The namespace of its record.
    #[must_use]
    pub fn record_namespace(&self) -> &str {
        self.record_namespace.as_deref().unwrap_or(&self.namespace)
    }
}
