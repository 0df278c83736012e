//! Desired and live objects → changes, with secrets masked. Pure: what a dry run answered comes in
//! as a value.

mod autoscale;
mod build;
mod change;
mod fields;
mod mask;
mod shown;
#[cfg(test)]
mod tests;
pub mod text;
mod verdict;
mod yaml;

pub use autoscale::{autoscaled, follow_replicas};
pub use build::{change, removal, replace, unchanged};
pub use change::{Change, FieldChange, FieldOp, Op};
pub use mask::Masker;
pub(crate) use shown::cleaned;
pub use verdict::{Verdict, verdict};
