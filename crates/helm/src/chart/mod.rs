//! Helm: load a chart, compose its values, render its templates to manifests.
//!
//! The stages: [`load`] reads files, [`compose`] the user's values, [`render`] does the rest. Only
//! [`load`] touches the file system.

mod archive;
mod capabilities;
mod chart_object;
mod coalesce;
mod context;
mod decode;
mod dependency;
mod duration;
mod error;
mod files;
mod functions;
mod glob;
mod hook;
mod ignore;
mod index_file;
mod load;
mod lock_file;
mod manifest;
mod metadata;
mod package;
mod path_match;
mod plain_schema;
mod profile;
mod render;
mod rendered;
mod schema;
mod schema_cost;
mod schema_format;
mod schema_text;
mod split;
mod strvals;
mod toml_time;
mod tree;
mod values;

pub use capabilities::{Capabilities, KubeVersion};
pub use error::Error;
pub use hook::{Hook, HookEvent};
pub use index_file::{IndexFile, url_of_archive};
pub use load::load;
pub use metadata::{Dependency, Lock, Maintainer, Metadata};
pub use package::{Package, package};
pub use profile::Profile;
pub use render::{Options, Prepared, Release, execute, prepare, render};
pub use rendered::{Document, Rendered, Text, show_only};
pub use tree::{Chart, File};
pub use values::{Overrides, compose, set_file_paths};
