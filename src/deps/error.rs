//! Why a chart's dependencies could not be restored.

use crate::registry;
use std::path::Path;
use thiserror::Error;
use windlass_helm::chart::IndexFile;

/// A failure of finding, fetching or placing dependencies. Helm's words wherever Helm has some.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// What the chart itself or a chart that it needs is refused for.
    #[error("{0}")]
    Chart(String),
    /// What one dependency is refused for.
    #[error("{place}: {source}")]
    Placed {
        /// Where it stands: a file, and its line if that is known.
        place: String,
        /// Why.
        source: Box<Self>,
    },
    /// The lock was made for other dependencies.
    #[error(
        "the lock file ({lock}) is out of sync with the dependencies file ({file}). Please update the dependencies with 'windlass deps update'"
    )]
    OutOfSync {
        /// `Chart.lock` or `requirements.lock`.
        lock: &'static str,
        /// `Chart.yaml` or `requirements.yaml`.
        file: &'static str,
    },
    /// Names of repositories that Helm's configuration does not have.
    #[error("no repository definition for {0}. Please add them via 'helm repo add'")]
    UnknownRepository(String),
    /// What the chart asks for is not there.
    #[error("found in Chart.yaml, but missing in charts/ directory: {names}")]
    Missing {
        /// The names.
        names: String,
        /// Whether a lock says in which version.
        has_lock: bool,
    },
    /// No version fits.
    #[error("can't get a valid version for {} subchart(s): {}. Make sure a matching chart version exists in the repo, or change the version constraint in Chart.yaml", .0.len(), .0.join(", "))]
    NoVersion(Vec<String>),
    /// A `file://` dependency outside of the project.
    #[error("dependency {name}: {path} is outside of the project ({fence})")]
    Outside {
        /// The dependency.
        name: String,
        /// Where it leads.
        path: String,
        /// The folder of the project.
        fence: String,
    },
    /// The content is another one than `Chart.sum` says.
    #[error("chart {chart} from {place} is not the one that was locked: {difference}")]
    Changed {
        /// Name and version.
        chart: String,
        /// Where it is from.
        place: String,
        /// Which digest differs, with both digests.
        difference: String,
    },
    /// Something that is not in `Chart.sum` would be rendered.
    #[error("{what} is not in Chart.sum{}", .known.as_ref().map(|known| format!(", which has {known}")).unwrap_or_default())]
    Unlisted {
        /// An archive with its digest, or a line of the lock.
        what: String,
        /// What it has of the same chart.
        known: Option<String>,
    },
    /// The index of a repository states another digest than the archive has.
    #[error("chart {chart}: {url} {difference}")]
    WrongDigest {
        /// Name and version.
        chart: String,
        /// The address.
        url: String,
        /// Both digests.
        difference: String,
    },
    /// What was fetched is no archive of the chart.
    #[error("{url} is no archive of chart {chart}: {cause}")]
    NoArchive {
        /// Name and version.
        chart: String,
        /// The address.
        url: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The network would be needed.
    #[error("{what} is not there, and `--offline` keeps from fetching it")]
    Offline {
        /// What is missing.
        what: String,
    },
    /// An index that is none.
    #[error("looks like {url} is not a valid chart repository or cannot be reached: {cause}")]
    Repository {
        /// The address of the repository, without secrets.
        url: String,
        /// Why.
        cause: String,
    },
    /// An archive is not what somebody who is believed signed.
    #[error("chart {chart} from {url} is not verified: {cause}")]
    Unverified {
        /// Name and version.
        chart: String,
        /// The address of the archive.
        url: String,
        /// Why not.
        cause: String,
    },
    /// A file of public keys cannot be used.
    #[error("keyring {path}: {cause}")]
    Keyring {
        /// Its path.
        path: String,
        /// Why not.
        cause: String,
    },
    /// A repository does not do what is asked of it.
    #[error("{request}: {answer}")]
    Refused {
        /// What was asked of whom, without secrets.
        request: String,
        /// What was answered.
        answer: String,
        /// What the user can do about it.
        hint: Option<String>,
    },
    /// A repository cannot be asked.
    #[error(transparent)]
    Upload(Box<registry::Error>),
    /// A server did not give what was asked for.
    #[error("dependency {name}: {source}")]
    Registry {
        /// The dependency.
        name: String,
        /// What the server said.
        source: Box<registry::Error>,
    },
    /// A file cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// Its path.
        path: String,
        /// Why not.
        cause: String,
    },
    /// All that failed.
    #[error("{} errors with {of} dependencies:\n{}", .errors.len(), told(.errors))]
    Several {
        /// Each failure.
        errors: Vec<Self>,
        /// How many dependencies there are.
        of: usize,
    },
}

fn told(errors: &[Error]) -> String {
    let lines = errors.iter().map(|error| format!("  {error}"));
    lines.collect::<Vec<_>>().join("\n")
}

impl Error {
    /// A version that is not in the index of a repository.
    pub(super) fn absent(
        place: impl std::fmt::Display,
        index: &IndexFile,
        name: &str,
        version: &str,
    ) -> Self {
        let there = index.versions(name).join(", ");
        Self::Refused {
            request: place.to_string(),
            answer: format!("chart {name} {version} is not there"),
            hint: (!there.is_empty()).then(|| format!("versions of {name}: {there}")),
        }
    }

    /// A file that cannot be read or written.
    pub(super) fn file(path: &Path, cause: impl std::fmt::Display) -> Self {
        Self::File {
            path: path.display().to_string(),
            cause: cause.to_string(),
        }
    }

    /// What the user can do about it, if there is something.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Outside { .. } => "if that is meant, add `--allow-outside`".to_owned(),
            Self::Changed { chart, .. } => format!(
                "`windlass deps build` restores what was locked, while its source or the cache has it; if the change is meant, remove the line of {chart} from Chart.sum and run `windlass deps update`"
            ),
            Self::Unlisted { .. } => {
                "`windlass deps build` fetches what the lock names, removes other archives and writes Chart.sum; remove a folder that is in the way yourself".to_owned()
            }
            Self::Missing { has_lock, .. } => match has_lock {
                true => "`windlass deps build CHART` fetches what the lock names".to_owned(),
                false => "`windlass deps update CHART` chooses versions and fetches them".to_owned(),
            },
            Self::Offline { what } if what.starts_with("the list of versions") => {
                "leave it out: versions are not chosen without the network".to_owned()
            }
            Self::Offline { .. } => {
                "leave it out, or run `windlass deps build` once where the network may be used"
                    .to_owned()
            }
            Self::Unverified { .. } => {
                "take the chart from whom you know, ask them for a provenance (`helm package --sign`), or add the key \
                 that signed it to the keyring once you know whose it is"
                    .to_owned()
            }
            Self::Keyring { .. } => {
                "`gpg --export KEY > FILE` writes one; name it with `--keyring FILE`".to_owned()
            }
            Self::Refused { hint, .. } => return hint.clone(),
            Self::Upload(source) | Self::Registry { source, .. } => return source.hint(),
            Self::Placed { source, .. } => return source.hint(),
            Self::Several { errors, .. } => return errors.iter().find_map(Self::hint),
            _ => return None,
        })
    }
}
