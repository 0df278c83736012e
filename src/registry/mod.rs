//! Container registries: which digest a tag names now, which tags there are, whether an image is all there.
//!
//! A client of the OCI distribution protocol, reading all but the tags and artifacts that it writes, of plain
//! http servers of files, and of objects in S3. It knows images by their references;
//! where they were found and what becomes of the digests is `image/`'s and the command's matter.

mod artifact;
mod cache;
mod challenge;
mod client;
mod docker_config;
mod download;
mod error;
mod failure;
mod manifest;
mod mirrors;
mod questions;
mod retry;
mod s3;
mod settings;
mod tags;
#[cfg(test)]
mod tests;
mod token;
mod upload;
mod variables;
mod watch;

pub use artifact::Artifact;
pub use cache::{Cache, Known};
pub use client::Client;
pub use docker_config::Credential;
pub use download::{Access, Server, shown, shown_text};
pub use error::Error;
pub use manifest::Named;
pub use mirrors::Mirrors;
pub use questions::{Answer, resolve_all};
pub use s3::{Aws, Condition, Found, Object, Refusal, S3, S3_SCHEME, S3Error};
pub use settings::{Proxies, Settings};
pub use upload::Reply;
pub use variables::{PREFIXES, Variables};
pub use watch::{Passing, Sink, Watch};

use crate::image::Reference;
use std::net::IpAddr;

/// How many registry requests are under way at once unless told otherwise.
pub const CONCURRENCY: usize = 8;

/// Whether a text is a host with an optional port that an image reference could begin with.
fn is_registry(host: &str) -> bool {
    let whole = |reference: Reference| reference.registry == docker_config::canonical(host);
    !host.contains(['/', '@']) && Reference::parse(&format!("{host}/any/name")).is_ok_and(whole)
}

/// Whether a registry is on this machine by its name (`localhost`, `*.localhost`, a loopback
/// address): only such a registry is asked without TLS by default.
#[must_use]
pub fn is_local(registry: &str) -> bool {
    let host = match registry.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => registry,
    };
    let name = host.trim_end_matches('.');
    if name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    let address = name
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    address.is_ok_and(|address| address.is_loopback())
}
