//! The annotation `kbld.k14s.io/images`: which image of an object comes from where.
//!
//! The form is kbld's (`pkg/kbld/cmd/resource_with_images.go`), without paths of the machine that
//! built an image and without credentials. It is written as one more line of the text; nothing else
//! moves.

use super::config::Override;
use super::{Edits, Error, Place, scalar};
use crate::object::{Lines, Source};
use serde_json::{Value, json};
use std::ops::Range;
use windlass_helm::yaml::{self, Document, NodeId, NodeKind, emit};

/// The annotation's name.
const NAME: &str = "kbld.k14s.io/images";

/// A replaced image: where it stands, and the entry that says so.
pub(super) type Image<'a> = (usize, &'a Override);

/// Adds the edits that annotate the objects of a document which hold one of the images. These are in
/// the order of the text.
pub(super) fn annotate(
    text: &[u8],
    lines: Lines<'_>,
    document: &Document,
    images: &[Image<'_>],
    edits: &mut Edits,
) -> Result<(), Error> {
    for object in objects(document) {
        let node = document.node(object);
        let first = images.partition_point(|(at, _)| *at < node.start.offset);
        let own = images[first..]
            .iter()
            .take_while(|(at, _)| *at < node.end.offset);
        let mut described: Vec<Value> = own.filter_map(|(_, entry)| described(entry)).collect();
        if described.is_empty() {
            continue;
        }
        described.sort_by_key(|image| image["url"].as_str().unwrap_or_default().to_owned());
        described.dedup();
        let (span, new) =
            edit(text, document, object, &yaml_text(&described)).ok_or_else(|| {
                let Source { file, line } = lines.at(node.start.line);
                let column = node.start.column;
                let place = Place { file, line, column };
                Error::Annotation { place }
            })?;
        edits.push(span, &new);
    }
    Ok(())
}

/// The objects of a document: itself, or the items of a list.
pub(super) fn objects(document: &Document) -> Vec<NodeId> {
    match document.get(document.root(), "items") {
        Some(items) if is_sequence(document, items) => document.items(items).to_vec(),
        _ => vec![document.root()],
    }
}

fn is_sequence(document: &Document, node: NodeId) -> bool {
    matches!(
        document.node(document.follow(node)).kind,
        NodeKind::Sequence(_)
    )
}

/// The `origins` of an entry without what is nobody's business: paths of a machine, and credentials
/// in the URL of a remote.
#[must_use]
pub fn public_origins(entry: &Override) -> Vec<Value> {
    let given = entry.origins.as_ref().and_then(Value::as_array);
    given.into_iter().flatten().filter_map(public).collect()
}

/// What the annotation says about an image; `None` when nothing is known about it.
fn described(entry: &Override) -> Option<Value> {
    let mut origins = public_origins(entry);
    let preresolved = json!({ "preresolved": { "url": entry.new_image } });
    if entry.preresolved && !origins.contains(&preresolved) {
        origins.push(preresolved);
    }
    (!origins.is_empty()).then(|| json!({ "origins": origins, "url": entry.new_image }))
}

fn public(origin: &Value) -> Option<Value> {
    let mut origin = origin.clone();
    let fields = origin.as_object_mut()?;
    fields.remove("local");
    if let Some(url) = fields
        .get_mut("git")
        .and_then(|git| git.get_mut("remoteURL"))
    {
        *url = redacted(url.as_str().unwrap_or_default()).into();
    }
    (!fields.is_empty()).then_some(origin)
}

fn redacted(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let host_end = rest.find('/').unwrap_or(rest.len());
            let host = rest[..host_end].rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{}", &rest[host_end..])
        }
        None => url.to_owned(),
    }
}

fn yaml_text(images: &[Value]) -> String {
    let text = Value::from(images).to_string();
    let emitted = yaml::from_yaml(text.as_bytes())
        .ok()
        .and_then(|value| emit::to_yaml(&value).ok());
    match emitted {
        Some(lines) => format!("{}\n", String::from_utf8_lossy(lines.as_bytes())),
        // JSON is YAML.
        None => text,
    }
}

/// The edit that gives an object the annotation with this value; `None` when the object is written in
/// a way in which no line can be added to it alone.
fn edit(
    text: &[u8],
    document: &Document,
    object: NodeId,
    value: &str,
) -> Option<(Range<usize>, String)> {
    let (mut at, mut parent) = (object, object);
    let mut missing = &["metadata", "annotations", NAME][..];
    while let Some((key, rest)) = missing.split_first() {
        if !matches!(document.node(at).kind, NodeKind::Mapping(_)) {
            break;
        }
        let Some(next) = document.get(at, key) else {
            break;
        };
        (parent, at, missing) = (at, next, rest);
    }
    let node = document.node(at);
    let start = node.value_start.offset;
    match &node.kind {
        NodeKind::Mapping(entries) if text.get(start) == Some(&b'{') => {
            let comma = if entries.is_empty() { "" } else { ", " };
            Some((
                start + 1..start + 1,
                format!("{}{comma}", flow(missing, value)?),
            ))
        }
        NodeKind::Mapping(entries) => {
            let first = document.node(entries.first()?.0).start.offset;
            Some((first..first, block(text, first, missing, value)?))
        }
        NodeKind::Scalar { .. } => {
            let new = match missing {
                [] => Value::from(value).to_string(),
                _ => format!("{{{}}}", flow(missing, value)?),
            };
            let span = scalar::span(text, document, at);
            if !span.is_empty() {
                return Some((span, new));
            }
            // An empty value has no place of its own: it comes after the colon of its key.
            let mut entries = document.entries(parent).iter();
            let (key, _) = entries.find(|(_, value)| *value == at)?;
            let key_end = document.node(*key).end.offset;
            let colon = text.get(key_end..)?.iter().position(|&b| b == b':')?;
            let after = key_end + colon + 1;
            Some((after..after, format!(" {new}")))
        }
        NodeKind::Sequence(_) | NodeKind::Alias(_) => None,
    }
}

/// The fields in braces, without the outer ones.
fn flow(missing: &[&str], value: &str) -> Option<String> {
    let (last, outer) = missing.split_last()?;
    let inner = format!("{last}: {}", Value::from(value));
    let wrap = |inner: String, key: &&str| format!("{key}: {{{inner}}}");
    Some(outer.iter().rev().fold(inner, wrap))
}

/// The fields as lines before the key at an offset.
fn block(text: &[u8], at: usize, missing: &[&str], value: &str) -> Option<String> {
    let line_start = text[..at]
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |at| at + 1);
    let before = text[line_start..at]
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(&text[line_start..at]);
    if !before.iter().all(|b| matches!(b, b' ' | b'-')) {
        return None;
    }
    let line_end = match text.iter().position(|&b| b == b'\n') {
        Some(end) if text[..end].ends_with(b"\r") => "\r\n",
        _ => "\n",
    };
    let mut lines = Vec::new();
    for (depth, key) in missing.iter().enumerate() {
        let mark = if depth + 1 == missing.len() { " |" } else { "" };
        lines.push(format!("{}{key}:{mark}", "  ".repeat(depth)));
    }
    let content = value
        .lines()
        .map(|line| format!("{}{line}", "  ".repeat(missing.len())));
    lines.extend(content);
    let indent = " ".repeat(before.len());
    let end = format!("{line_end}{indent}");
    Some(lines.join(&end) + &end)
}

#[cfg(test)]
mod tests {
    use super::super::{Locks, rewrite};
    use super::*;

    const DIGEST: &str = "sha256:f798cfd4c6a6a1d1d1e2d3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";

    fn annotated(text: &str) -> String {
        let lock = format!(
            "apiVersion: kbld.k14s.io/v1alpha1\nkind: Config\noverrides:\n\
             - image: web\n  newImage: N@{DIGEST}\n  preresolved: true\n  origins:\n  \
             - local: {{path: /home/me}}\n  - git:\n      dirty: false\n      \
             remoteURL: https://me:secret@h.io/a@b.git\n      sha: abc\n"
        );
        let mut locks = Locks::default();
        locks
            .add("lock.yml", lock.replace("N@", "a.io/new@").as_bytes())
            .unwrap();
        let source = Source {
            file: "t.yaml".to_owned(),
            line: 1,
        };
        let edits = rewrite(text.as_bytes(), &source, &locks, true, |_| {}).unwrap();
        String::from_utf8(edits.apply(text.as_bytes()).into_owned())
            .unwrap()
            .replace(&format!("a.io/new@{DIGEST}"), "NEW")
    }

    #[test]
    fn the_annotation_is_kblds_without_paths_and_credentials() {
        let text = "# c\nmetadata:\n  annotations:\n    a: b # c\nimage: web\n";
        insta::assert_snapshot!(annotated(text), @"
        # c
        metadata:
          annotations:
            kbld.k14s.io/images: |
              - origins:
                - git:
                    dirty: false
                    remoteURL: https://h.io/a@b.git
                    sha: abc
                - preresolved:
                    url: NEW
                url: NEW
            a: b # c
        image: NEW
        ");
        let text = annotated("image: web\r\n");
        assert!(text.starts_with("metadata:\r\n  annotations:\r\n"));
    }

    #[test]
    fn every_form_of_metadata_takes_the_annotation() {
        let forms = [
            "image: web\n",
            "metadata:\n  name: x\nimage: web\n",
            "image: web\nmetadata:\n  annotations:\n  name: x\n",
            "metadata: {annotations: {}}\nimage: web\n",
            "metadata: {name: x}\nimage: web",
            "metadata: {annotations: {a: b}, name: x}\nimage: web\n",
            "metadata:\n  annotations:\n    kbld.k14s.io/images: |\n      old\n    b: c\nimage: web\n",
            "metadata:\n  annotations: null\nimage: web\n",
            "{\"image\": \"web\"}\n",
            "\u{feff}image: web\r\nb: c\r\n",
            "kind: List\nitems:\n- image: web\n  metadata:\n    name: x\n- b: c\n",
        ];
        for form in forms {
            let text = annotated(form);
            let documents = yaml::parse(text.as_bytes()).unwrap();
            let document = documents.last().unwrap();
            let object = objects(document)[0];
            let annotations = document.get(object, "metadata");
            let annotations = annotations.and_then(|node| document.get(node, "annotations"));
            let value = annotations.and_then(|node| document.get(node, NAME));
            let value = value
                .and_then(|node| document.text(node))
                .unwrap_or_default();
            assert!(
                value.contains("preresolved:\n      url: NEW\n  url: NEW\n"),
                "{form}\n{text}"
            );
        }
    }

    #[test]
    fn objects_without_a_locked_image_have_no_annotation() {
        for text in ["image: other\n", "a: b\n", "image: a.io/b@sha256:00\n"] {
            assert_eq!(annotated(text), text);
        }
    }
}
