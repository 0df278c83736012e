//! Charts in and out: the dependencies of a chart found, locked and restored into its `charts/`.
//!
//! Follows helm v4 `pkg/downloader` and `internal/resolver`, with two promises of its own: what a dependency holds
//! is kept in `Chart.sum` and checked, and `charts/` changes only when everything that belongs there has arrived.
//! What charts are, and how archives are read, is the engine's matter; how servers are spoken to, `registry`'s.

mod bucket;
mod cache;
mod directory;
mod error;
mod event;
mod files;
mod index;
mod index_json;
mod keyring;
mod museum;
mod origin;
mod package;
mod provenance;
mod pull;
mod repositories;
mod resolve;
mod restore;
mod stage;
mod status;
mod sum;
#[cfg(test)]
mod tests;
mod verified;

pub use bucket::Bucket;
pub use cache::Cache;
pub use directory::{Indexed, delete, push, reindex};
pub use error::Error;
pub use event::{Event, Tell};
pub use keyring::Keyring;
pub use museum::Museum;
pub use origin::{Network, OCI_SCHEME, chart_reference};
pub use package::{Package, Pushed, beside, pack};
pub use provenance::{Verifier, Verify};
pub use pull::{Pulled, pull};
pub use repositories::{Repositories, Repository};
pub use resolve::{Newer, newer};
pub use restore::{Options, Report, build, update};
pub use status::{Status, check, is_incomplete, statuses, strangers};
pub use sum::Sums;

/// The media types of a chart's package in an OCI registry; the first is written.
pub const CHART_LAYERS: [&str; 2] = [
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
    "application/tar+gzip",
];
/// The media type of a chart's provenance in an OCI registry.
pub const PROVENANCE_LAYER: &str = "application/vnd.cncf.helm.chart.provenance.v1.prov";
/// The media type of a chart's `Chart.yaml` in an OCI registry.
pub const CHART_CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
/// The largest archive that is fetched: what a chart may be unpacked.
pub const MAX_ARCHIVE: u64 = 100 << 20;
