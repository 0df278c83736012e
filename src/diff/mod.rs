//! Desired and live objects → changes, with secrets masked. Pure: what a dry run answered comes in
//! as a value.

mod autoscale;
mod build;
mod ca_bundle;
mod change;
mod concern;
pub mod drift;
mod fields;
mod guess;
mod mask;
mod mask_path;
mod shown;
#[cfg(test)]
mod tests;
pub mod text;
mod verdict;
mod yaml;

pub use autoscale::{autoscaled, follow_replicas};
pub use build::{change, is_left_alone, removal, replace, rerun, unchanged};
pub use ca_bundle::leave_ca_bundles;
pub use change::{Change, FieldChange, FieldOp, FieldOwner, Op, Untried};
pub use concern::{Concern, concerns};
pub use mask::Masker;
pub use mask_path::MaskPath;
#[cfg(feature = "online")]
pub(crate) use shown::cleaned;
pub use verdict::{Verdict, verdict};
