//! Images: their references, kbld lock files and Configs, finding and rewriting them in manifests.
//!
//! Everything here is pure but for the reading and writing of lock files. Registries are asked in
//! `registry/`.

mod annotate;
mod config;
mod edits;
mod error;
pub mod lock;
mod locks;
mod newer;
mod platform;
mod question;
mod read;
mod reference;
mod rewrite;
mod scalar;
mod search;
mod version;

pub use annotate::public_origins;
pub use config::{
    API_VERSION, BuildSource, Config, Destination, ImageMatcher, KINDS, KeyMatcher, Override,
    PathPart, SearchRule, Strategy,
};
pub use edits::Edits;
pub use error::{Error, Place, places_text};
pub use locks::Locks;
pub use newer::newer_tag;
pub use platform::Platform;
pub use question::Question;
pub use read::{config, is_config, names_config};
pub use reference::{DEFAULT_REGISTRY, Digest, Reference, ReferenceError, repository_text};
pub use rewrite::{Notice, is_locked, require_locked, rewrite};
pub use search::{Found, Search, Warning, find};
pub use version::{Range, TagSelection, Version, select_tag};
