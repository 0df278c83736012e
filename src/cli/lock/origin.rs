//! Where a built image comes from: the `origins` of its entry, as kbld names them
//! (`pkg/kbld/config/image_origin.go`), and `built`, which kbld passes over.

use super::Context;
use crate::build::Task;
use crate::cli::git;
use crate::image::Destination;
use serde_json::{Map, Value, json};
use std::path::Path;

/// The origins of an image. Paths of this machine and credentials are in none of them.
pub(super) fn origins(task: &Task, destination: Option<&Destination>, context: &Context) -> Value {
    let mut origins = Vec::new();
    if let Some(source) = git::source(Path::new(&task.path)) {
        let mut git = Map::new();
        git.insert("dirty".to_owned(), source.dirty.into());
        git.insert("remoteURL".to_owned(), source.remote.into());
        git.insert("sha".to_owned(), source.commit.into());
        if !source.tags.is_empty() {
            git.insert("tags".to_owned(), source.tags.into());
        }
        origins.push(json!({ "git": git }));
    }
    let mut built = Map::new();
    built.insert("builder".to_owned(), task.builder.program().into());
    if let Some(url) = &context.environment.ci_url {
        built.insert("run".to_owned(), url.as_str().into());
    }
    built.insert("time".to_owned(), context.build_time().to_string().into());
    origins.push(json!({ "built": built }));
    if let Some(tags) = destination.map(|destination| &destination.tags)
        && !tags.is_empty()
    {
        origins.push(json!({ "tagged": { "tags": tags } }));
    }
    Value::Array(origins)
}
