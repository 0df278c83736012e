//! `windlass.yaml`: what a repository says once so that nobody types it again.
//!
//! It knows the form of the file, not the files it names.

mod decode;

pub use decode::{nearest, parse};

use std::collections::BTreeMap;

/// The content of `windlass.yaml`. Paths are relative to its folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Project {
    /// What holds in every environment.
    pub settings: Settings,
    /// The environments by name.
    pub environments: BTreeMap<String, Environment>,
}

/// What an environment has of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// The git branch that this environment is deployed from.
    pub branch: Option<String>,
    /// What differs from the top level.
    pub settings: Settings,
}

/// What may be said of the whole project and of each environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
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
    /// Whether `lookup` in templates asks the cluster.
    pub lookup: Option<bool>,
    /// What is done about fields that other managers own, as `--conflicts` has it.
    pub conflicts: Vec<String>,
    /// Paths of values that are hidden like those of Secrets.
    pub mask: Vec<String>,
    /// The kubeconfig context.
    pub context: Option<String>,
}

impl Settings {
    /// These settings completed by those they stand above: its values files come first and its
    /// policies for conflicts last, what either masks is masked, of all else the own one wins.
    #[must_use]
    pub fn over(self, base: Self) -> Self {
        Self {
            name: self.name.or(base.name),
            namespace: self.namespace.or(base.namespace),
            chart: self.chart.or(base.chart),
            values: base.values.into_iter().chain(self.values).collect(),
            locks: self.locks.or(base.locks),
            frozen: self.frozen.or(base.frozen),
            lookup: self.lookup.or(base.lookup),
            conflicts: self.conflicts.into_iter().chain(base.conflicts).collect(),
            mask: base.mask.into_iter().chain(self.mask).collect(),
            context: self.context.or(base.context),
        }
    }
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
