//! What can go wrong between a chart's files and its manifests.
//!
//! The texts are Helm's wherever Helm has one, so that what users know of them stays true.

use crate::template;

/// A failure of loading or rendering a chart.
///
/// `Display` is the text that Helm prints after `Error: `. What can be shown besides, such as the lines of a template,
/// is in the fields of the variant; [`Error::Template`] has it in its `source`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A chart's files cannot be read or are no chart.
    #[error("{0}")]
    Load(String),
    /// The values of the user cannot be read: a file or a `--set` is wrong before any chart is looked at.
    #[error("{0}")]
    Values(String),
    /// An option is not usable: the name of the release, the version of Kubernetes.
    #[error("{0}")]
    Option(String),
    /// The chart cannot be used as asked: a library, dependencies that are missing, values that do not fit
    /// its sub-charts (`sub: 5` where a map is due).
    #[error("{0}")]
    Chart(String),
    /// The values do not match a `values.schema.json`.
    #[error(
        "values don't meet the specifications of the schema(s) in the following chart(s):\n{0}"
    )]
    Schema(String),
    /// A template could not be parsed or failed.
    #[error("{message}")]
    Template {
        /// Helm's text.
        message: String,
        /// The failure with its positions.
        source: template::Error,
    },
    /// A rendered document is not YAML, or not an object.
    #[error("YAML parse error on {path}: {message}")]
    Manifest {
        /// The path of the template.
        path: String,
        /// The reader's text.
        message: String,
        /// The line of the template's output where the document begins, from 1.
        first_line: usize,
        /// The line of the template behind each line of the document.
        lines: Vec<usize>,
        /// The document.
        text: Vec<u8>,
    },
    /// No rendered template matches a pattern of `--show-only`.
    #[error("could not find template {0} in chart")]
    ShowOnly(String),
}
