//! The source map of a render: which template and which line of it each document came from, as JSON.

use serde_json::{Value, json};
use windlass_helm::chart::{Document, Rendered};
use windlass_helm::template::Place;
use windlass_helm::yaml::{self, NodeId};

/// The map of everything that is printed, in the order in which it is printed.
///
/// A file of `crds/` that holds several objects has an entry for each of them.
pub(super) fn of(rendered: &Rendered) -> Value {
    let mut entries = Vec::new();
    for document in rendered.selected() {
        for found in objects(document) {
            entries.push(json!({
                "index": entries.len(),
                "apiVersion": found.api_version,
                "kind": found.kind,
                "namespace": found.namespace,
                "name": found.name,
                "template": document.template,
                "templateLine": document.template_line(found.line),
                "outputLine": document.first_line + found.line - 1,
                "places": places(document),
            }));
        }
    }
    json!({ "schemaVersion": 1, "documents": entries })
}

/// Where the document was written: its template, then each template called on the way.
fn places(document: &Document) -> Vec<Value> {
    let place = |place: &Place| json!({ "file": place.file, "line": place.line });
    document.places.iter().map(place).collect()
}

/// The head of an object and the line of the document where it begins, from 1.
struct Found {
    api_version: Option<String>,
    kind: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    line: usize,
}

/// The objects of a document. Text that is no YAML, which Helm prints from `crds/`, has none.
fn objects(document: &Document) -> Vec<Found> {
    let parsed = yaml::parse(&document.text).unwrap_or_default();
    let mut found = Vec::new();
    for tree in &parsed {
        let root = tree.root();
        let text = |path: &[&str]| text_at(tree, root, path);
        let (api_version, kind) = (text(&["apiVersion"]), text(&["kind"]));
        if api_version.is_none() && kind.is_none() {
            continue;
        }
        let line = match found.is_empty() {
            true => 1,
            false => tree.node(root).value_start.line.max(1),
        };
        found.push(Found {
            api_version,
            kind,
            namespace: text(&["metadata", "namespace"]),
            name: text(&["metadata", "name"]),
            line,
        });
    }
    found
}

fn text_at(tree: &yaml::Document, root: NodeId, path: &[&str]) -> Option<String> {
    let mut at = tree.follow(root);
    for key in path {
        at = tree.follow(tree.get(at, key)?);
    }
    tree.text(at).map(str::to_owned)
}
