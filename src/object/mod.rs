//! A Kubernetes object as data: its tree, its identity, where it came from.
//!
//! Nothing here talks to a cluster. What is known about kinds is where their pods and keyed lists are.

mod error;
pub mod field_path;
mod fingerprint;
mod json;
mod keyed;
pub mod managed_fields;
pub mod manifest;
mod normalize;
mod object_ref;
mod place;
pub mod pod;
pub mod takeover;
mod tree;
pub(crate) mod visible;

pub use error::{Error, Problem};
pub use fingerprint::{Fingerprint, desired_digest, digest, fingerprint};
pub(crate) use fingerprint::{hex, hmac};
pub use json::readable_as_yaml;
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
    /// The line where the object begins, counted from 1: of the template itself, not of what it writes.
    pub line: usize,
}

/// Where the lines of a text stand.
#[derive(Clone, Copy, Debug)]
pub struct Lines<'a> {
    /// The template or the file.
    pub file: &'a str,
    /// The line of the file in which the first line of the text stands.
    pub first: usize,
    /// The line of the template behind each line of the text, if one wrote it.
    pub written: &'a [usize],
}

impl Lines<'_> {
    /// The source of a line of the text, from 1.
    #[must_use]
    pub fn at(&self, line: usize) -> Source {
        let index = line.max(1) - 1;
        let written = self.written.get(index).or(self.written.last());
        Source {
            file: self.file.to_owned(),
            line: written.copied().unwrap_or(self.first + index),
        }
    }
}

impl<'a> From<&'a Source> for Lines<'a> {
    /// The lines of a file from this one on.
    fn from(source: &'a Source) -> Self {
        Self {
            file: &source.file,
            first: source.line,
            written: &[],
        }
    }
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
