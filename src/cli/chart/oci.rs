//! Charts as artifacts of OCI registries, with what registries show of them.

use super::place::Access;
use super::{client, failed};
use crate::cli::{Context, Error};
use crate::deps::{CHART_CONFIG, CHART_LAYERS, PROVENANCE_LAYER, Package, Pushed, chart_reference};
use crate::image::Digest;
use serde_json::{Map, Value, json};
use windlass_helm::chart::Metadata;
use windlass_helm::yaml;

/// Pushes a chart, with its provenance as a layer of its own, and returns what became of it and what it is called there.
pub(super) async fn push(
    package: &Package,
    place: &str,
    access: &Access,
    context: &Context,
) -> Result<(Pushed, String, Digest), Error> {
    let metadata = &package.metadata;
    let image = chart_reference(place, &metadata.name, &metadata.version).map_err(failed)?;
    let client = client(&access.registry, context)?;
    let config = config(metadata)?;
    let provenance = package.provenance.as_deref();
    let layers = [(CHART_LAYERS[0], package.file.as_slice())];
    let provenance = provenance.map(|file| (PROVENANCE_LAYER, file));
    let layers: Vec<_> = layers.into_iter().chain(provenance).collect();
    let annotations = annotations(metadata, context);
    let put = client.put_artifact(&image, (CHART_CONFIG, &config), &layers, &annotations);
    let (digest, is_known) = Box::pin(put).await.map_err(failed)?;
    let done = match is_known {
        true => Pushed::Known,
        false => Pushed::New,
    };
    Ok((done, image.to_string(), digest))
}

/// What a registry keeps of `Chart.yaml`, as JSON.
fn config(metadata: &Metadata) -> Result<Vec<u8>, Error> {
    let text = metadata.to_yaml().map_err(Error::failed)?;
    let value = yaml::from_yaml(&text).map_err(|error| Error::failed(error.to_string()))?;
    let json = windlass_helm::json::to_json(&value).map_err(Error::failed)?;
    Ok(json.as_bytes().to_vec())
}

/// What a registry shows of a chart; the annotations of the chart are among them.
///
/// Follows helm v4 `pkg/registry/chart.go`.
fn annotations(metadata: &Metadata, context: &Context) -> Value {
    let mut map = Map::new();
    let own = metadata.annotations.iter().flatten();
    let own = own.map(|(name, value)| (name.clone(), value.clone()));
    let of = |name: &str, value: &str| {
        let name = format!("org.opencontainers.image.{name}");
        (name, value.to_owned())
    };
    let authors: Vec<String> = metadata
        .maintainers
        .iter()
        .map(|one| match one.email.is_empty() {
            true => one.name.clone(),
            false => format!("{} ({})", one.name, one.email),
        })
        .collect();
    let source = metadata.sources.first().map_or("", String::as_str);
    let first = [
        of("description", &metadata.description),
        of("url", &metadata.home),
        of("created", &context.build_time().to_string()),
        of("source", source),
        of("authors", &authors.join(", ")),
    ];
    let last = [
        of("title", &metadata.name),
        of("version", &metadata.version),
    ];
    for (name, value) in first.into_iter().chain(own).chain(last) {
        if !value.trim().is_empty() {
            map.insert(name, json!(value));
        }
    }
    Value::Object(map)
}
