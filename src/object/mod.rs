//! A Kubernetes object as data: its tree, its identity, where it came from.
//!
//! Nothing here talks to a cluster or knows what an object means.

mod object_ref;
mod tree;

pub use object_ref::{Gvk, ObjectRef};
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
