//! Container registries: which digest a tag names now.
//!
//! A client of the OCI distribution protocol, reading only. It knows images by their references;
//! where they were found and what becomes of the digests is `image/`'s and the command's matter.

mod challenge;
mod client;
mod docker_config;
mod error;
mod failure;
#[cfg(test)]
mod tests;
mod token;

pub use client::{Client, Proxies, Settings};
pub use docker_config::{Credential, Keychain, Lookup};
pub use error::Error;

use crate::image::Reference;
use futures::StreamExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// How many registry requests are under way at once unless told otherwise.
pub const CONCURRENCY: usize = 8;

/// Whether a registry is on this machine or network by its name (`localhost`, `*.local`,
/// `*.localhost`, a loopback address): only such a registry is asked without TLS by default.
#[must_use]
pub fn is_local(registry: &str) -> bool {
    let host = match registry.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => registry,
    };
    let name = host.trim_end_matches('.');
    if name == "localhost" || name.ends_with(".local") || name.ends_with(".localhost") {
        return true;
    }
    let address = name
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    address.is_ok_and(|address| address.is_loopback())
}

/// Resolves images, each once, at most [`Settings::concurrency`] at a time, and keeps going when
/// one fails. An image that has a digest already is completed without asking a registry.
///
/// The key of the result is the image as given, its value the reference by digest
/// (`index.docker.io/library/nginx@sha256:…`).
pub async fn resolve_all(
    client: &Client,
    images: &BTreeSet<String>,
) -> BTreeMap<String, Result<String, Error>> {
    let mut spellings: BTreeMap<Reference, Vec<&String>> = BTreeMap::new();
    let mut resolved = BTreeMap::new();
    for image in images {
        match Reference::parse(image) {
            Ok(reference) => spellings.entry(normal(reference)).or_default().push(image),
            Err(error) => {
                resolved.insert(image.clone(), Err(Error::from(error)));
            }
        }
    }
    let mut answers = futures::stream::iter(spellings)
        .map(|(reference, images)| async move {
            let digest = client.resolve(&reference).await;
            (images, digest.map(|digest| reference.pinned(&digest)))
        })
        .buffer_unordered(client.concurrency());
    while let Some((images, answer)) = answers.next().await {
        for image in images {
            resolved.insert(image.clone(), answer.clone());
        }
    }
    resolved
}

/// The same reference for the same question: `latest` where tag and digest are missing.
fn normal(mut reference: Reference) -> Reference {
    if reference.digest.is_some() {
        reference.tag = None;
    } else {
        reference.tag = Some(reference.tag_or_latest().to_owned());
    }
    reference
}
