//! A Kubernetes object as data: its tree, its identity, where it came from.
//!
//! Nothing here talks to a cluster. What is known about kinds is where their pods and keyed lists are.

mod error;
mod fingerprint;
mod keyed;
pub mod managed_fields;
pub mod manifest;
mod normalize;
mod object_ref;
mod place;
pub mod pod;
pub mod takeover;
mod tree;

pub use error::{Error, Problem};
pub use fingerprint::{Fingerprint, digest, fingerprint};
pub(crate) use fingerprint::{hex, hmac};
pub use normalize::normalize;
pub use object_ref::{Gvk, ObjectRef};
pub use place::{Scope, place};
pub use tree::Object;

use serde::Serialize;

/// Where a manifest came from, for messages and diffs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The template (Helm's `# Source:` path) or the manifest file.
    pub file: String,
    /// The first line of the document in the rendered text of that file, counted from 1.
    pub line: usize,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A desired object with its origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The object as it will be sent.
    pub object: Object,
    /// Where it stands in the input.
    pub source: Source,
}
