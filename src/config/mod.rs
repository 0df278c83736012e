//! `windlass.yaml`: what a repository says once so that nobody types it again.
//!
//! It knows the form of the file, not the files it names.

mod decode;

pub use decode::{nearest, parse};

use std::collections::BTreeMap;

/// The content of `windlass.yaml`. Paths are relative to its folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Project {
    /// The app.
    pub name: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The chart: a folder or a `.tgz`.
    pub chart: Option<String>,
    /// Values files, later ones win.
    pub values: Vec<String>,
    /// A lock file or a folder of them.
    pub locks: Option<String>,
    /// Whether an image that no lock names is an error.
    pub frozen: Option<bool>,
    /// The kubeconfig context.
    pub context: Option<String>,
    /// The environments by name.
    pub environments: BTreeMap<String, Environment>,
}

/// What an environment has of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// The git branch that this environment is deployed from.
    pub branch: Option<String>,
    /// The app.
    pub name: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The chart.
    pub chart: Option<String>,
    /// Values files, after those of the top level.
    pub values: Vec<String>,
    /// Locks in place of those of the top level.
    pub locks: Option<String>,
    /// Whether an image that no lock names is an error.
    pub frozen: Option<bool>,
    /// The kubeconfig context.
    pub context: Option<String>,
}

/// What is wrong with `windlass.yaml`, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct Error {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// The text of the line.
    pub source_line: String,
    /// What to do, where that is known.
    pub hint: Option<String>,
}
