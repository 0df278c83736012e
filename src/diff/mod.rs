//! Desired and live objects → changes, with secrets masked. Pure: what a dry run answered comes in
//! as a value.

mod change;

pub use change::{Change, FieldChange, FieldOp, Op};
