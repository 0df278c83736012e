//! YAML text → manifests: documents, lists taken apart, and what every object must have.
//!
//! Scalars are typed as Helm and kubectl type them (YAML 1.1). All problems of a text are collected,
//! each with its line.

use super::{Error, Lines, Manifest, Object, Problem, Source};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::HashMap;
use windlass_helm::yaml::{self, Document, NodeId, NodeKind};

/// How deep an object may be nested. The API server's answers could not be read beyond it.
const MAX_DEPTH: usize = 120;

/// Reads one or more YAML documents as manifests. `lines` says where the lines of the text stand. Documents without content and those that
/// configure kapp are skipped, kinds that are lists of objects are taken apart.
///
/// # Errors
///
/// Fails with everything that is wrong, each problem with file and line: text that is not YAML,
/// documents that are no objects, and objects without `apiVersion`, `kind` or `metadata.name`.
pub fn parse<'a>(text: &[u8], lines: impl Into<Lines<'a>>) -> Result<Vec<Manifest>, Error> {
    let mut reader = Reader {
        text,
        lines: lines.into(),
        manifests: Vec::new(),
        problems: Vec::new(),
    };
    match yaml::parse(text) {
        Ok(documents) => {
            for document in &documents {
                reader.document(document, 0);
            }
        }
        Err(whole) => reader.split(&whole),
    }
    Error::check(reader.problems)?;
    Ok(reader.manifests)
}

struct Reader<'a> {
    text: &'a [u8],
    lines: Lines<'a>,
    manifests: Vec<Manifest>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    /// A place in the input: lines count from 1 in the text at hand, which begins `skipped` lines
    /// into the whole.
    fn at(&self, skipped: usize, line: usize) -> Source {
        self.lines.at(skipped + line.max(1))
    }

    fn problem(&mut self, source: Source, message: impl Into<String>) {
        self.problems.push(Problem::new(source, message));
    }

    /// Reads the documents of a broken text one by one, to find all that is wrong with it.
    fn split(&mut self, whole: &yaml::Error) {
        for (skipped, part) in documents(self.text) {
            match yaml::parse(part) {
                Ok(documents) => {
                    for document in &documents {
                        self.document(document, skipped);
                    }
                }
                Err(error) => self.yaml_problem(skipped, 1, &error),
            }
        }
        if self.problems.is_empty() {
            self.yaml_problem(0, 1, whole);
        }
    }

    fn yaml_problem(&mut self, skipped: usize, line: usize, error: &yaml::Error) {
        let line = if error.line > 0 { error.line } else { line };
        let source = self.at(skipped, line);
        let message = discreet(without_place(&error.message), self.text);
        self.problem(source, format!("invalid YAML: {message}"));
    }

    fn document(&mut self, document: &Document, skipped: usize) {
        let root = document.root();
        let line = document.node(root).value_start.line;
        if depth(document, root) > MAX_DEPTH {
            let source = self.at(skipped, line);
            return self.problem(source, format!("nested deeper than {MAX_DEPTH} levels"));
        }
        match yaml::to_json_value(document, root) {
            Ok(Value::Null) => {}
            Ok(tree) => self.object(document, root, tree, skipped),
            Err(error) => self.yaml_problem(skipped, line, &error),
        }
    }

    /// Takes one object, or the objects of a list. Lists in lists are taken apart too; the depth of
    /// the document bounds how far this goes.
    fn object(&mut self, document: &Document, node: NodeId, tree: Value, skipped: usize) {
        let source = self.at(skipped, document.node(node).value_start.line);
        let Value::Object(mut map) = tree else {
            let what = type_name(&tree);
            return self.problem(source, format!("a manifest is a map, but this is {what}"));
        };
        if is_list(&map) {
            let items = match map.remove("items") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            };
            let nodes = document
                .get(node, "items")
                .map(|items| document.items(items));
            for (item, node) in items.into_iter().zip(nodes.unwrap_or_default()) {
                if !item.is_null() {
                    self.object(document, document.follow(*node), item, skipped);
                }
            }
            return;
        }
        if configures_kapp(&map) {
            return;
        }
        let count = self.problems.len();
        self.check(document, node, &map, skipped);
        if self.problems.len() == count
            && let Some(object) = Object::new(Value::Object(map))
        {
            self.manifests.push(Manifest { object, source });
        }
    }

    /// Checks what every object must have.
    fn check(
        &mut self,
        document: &Document,
        node: NodeId,
        map: &Map<String, Value>,
        skipped: usize,
    ) {
        let line = |path: &[&str]| {
            let mut at = node;
            for key in path {
                match document.get(at, key) {
                    Some(next) => at = next,
                    None => break,
                }
            }
            document.node(at).value_start.line
        };
        let at = |path: &[&str]| self.at(skipped, line(path));
        let mut problems = Vec::new();
        if !map.contains_key("apiVersion") && !map.contains_key("kind") {
            let problem = Problem::new(
                at(&[]),
                "this is no manifest: it has no apiVersion and no kind",
            );
            self.problems.push(problem);
            return;
        }
        let kind = map
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or("the object");
        for key in ["apiVersion", "kind"] {
            if let Some(wrong) = wrong_text(map.get(key)) {
                problems.push(Problem::new(at(&[key]), format!("{key} {wrong}")));
            }
        }
        match map.get("metadata") {
            Some(Value::Object(metadata)) => {
                problems.extend(check_metadata(kind, metadata, &at));
            }
            Some(Value::Null) | None => {
                problems.push(Problem::new(
                    at(&[]),
                    format!("{kind} has no metadata.name"),
                ));
            }
            Some(other) => {
                let what = type_name(other);
                let message = format!("metadata of {kind} is {what}, not a map");
                problems.push(Problem::new(at(&["metadata"]), message));
            }
        }
        self.problems.extend(problems);
    }
}

fn check_metadata(
    kind: &str,
    metadata: &Map<String, Value>,
    at: &dyn Fn(&[&str]) -> Source,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    if metadata.contains_key("generateName") && !metadata.contains_key("name") {
        let source = at(&["metadata", "generateName"]);
        let problem = Problem::new(
            source,
            format!("{kind} has metadata.generateName and no name"),
        )
        .hinted("set metadata.name: an object without a fixed name cannot be found again");
        problems.push(problem);
    } else if let Some(wrong) = wrong_text(metadata.get("name")) {
        problems.push(Problem::new(
            at(&["metadata", "name"]),
            format!("metadata.name of {kind} {wrong}"),
        ));
    }
    if let Some(namespace) = metadata
        .get("namespace")
        .filter(|namespace| !namespace.is_null())
        && !namespace.is_string()
    {
        let message = format!(
            "metadata.namespace of {kind} is {}: quote it",
            type_name(namespace)
        );
        problems.push(Problem::new(at(&["metadata", "namespace"]), message));
    }
    for field in ["labels", "annotations"] {
        let Some(Value::Object(map)) = metadata.get(field) else {
            continue;
        };
        for (key, value) in map
            .iter()
            .filter(|(_, value)| !value.is_string() && !value.is_null())
        {
            let what = type_name(value);
            let message =
                format!("metadata.{field}[{key}] of {kind} is {what}, not a text: quote it");
            problems.push(Problem::new(at(&["metadata", field, key]), message));
        }
    }
    problems
}

/// What is wrong with a value that must be a text.
fn wrong_text(value: Option<&Value>) -> Option<String> {
    match value {
        Some(Value::String(text)) if !text.is_empty() => None,
        None | Some(Value::Null) => Some("is missing".to_owned()),
        Some(Value::String(_)) => Some("is empty".to_owned()),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => {
            Some(format!("is {}: quote it", type_name(value)))
        }
        Some(value) => Some(format!("is {}, not a text", type_name(value))),
    }
}

fn type_name(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Bool(flag) => format!("a boolean ({flag})"),
        Value::Number(number) => format!("a number ({number})"),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    }
}

/// Whether this is a list of objects rather than an object: `v1 List`, or any `…List` with items
/// and no name.
fn is_list(map: &Map<String, Value>) -> bool {
    let kind = map.get("kind").and_then(Value::as_str).unwrap_or_default();
    let named = map
        .get("metadata")
        .and_then(|metadata| metadata.get("name"))
        .is_some();
    kind == "List"
        || (kind.ends_with("List") && map.get("items").is_some_and(Value::is_array) && !named)
}

/// Whether this is a document that configures kapp: no object of a cluster, and read elsewhere.
fn configures_kapp(map: &Map<String, Value>) -> bool {
    let api_version = map.get("apiVersion").and_then(Value::as_str);
    api_version.is_some_and(|version| version.starts_with("kapp.k14s.io/"))
}

/// Whether a text has a line like `kind: Secret`, in any spelling: it need not be valid YAML.
pub(crate) fn may_be_secret(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'\n').any(|line| {
        let line = String::from_utf8_lossy(line);
        line.contains("kind") && line.contains("Secret")
    })
}

/// What the YAML reader said about a text; nothing of the text itself if that may be a Secret.
pub(crate) fn discreet<'m>(message: &'m str, text: &[u8]) -> Cow<'m, str> {
    match may_be_secret(text) {
        true => yaml::without_quotes(message),
        false => message.into(),
    }
}

/// The text of a YAML error without the place that it begins with: the true one is told beside it.
fn without_place(message: &str) -> &str {
    let message = message
        .strip_prefix("error converting YAML to JSON: ")
        .unwrap_or(message);
    let message = message.strip_prefix("yaml: ").unwrap_or(message);
    let place = message
        .strip_prefix("line ")
        .and_then(|rest| rest.split_once(": "));
    match place {
        Some((line, rest)) if line.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => message,
    }
}

/// The documents of a text, each with the number of lines before it. A document begins at a `---`
/// at the start of a line; directives before it belong to it.
pub(super) fn documents(text: &[u8]) -> Vec<(usize, &[u8])> {
    let mut parts = Vec::new();
    let (mut start, mut first_line, mut offset) = (0, 0, 0);
    let mut has_content = false;
    for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let marker = line.strip_prefix(b"---");
        if marker.is_some_and(|rest| rest.first().is_none_or(u8::is_ascii_whitespace)) {
            if has_content {
                parts.push((first_line, &text[start..offset]));
                (start, first_line) = (offset, number);
            }
            has_content = true;
        } else {
            let trimmed = line.trim_ascii();
            has_content |=
                !trimmed.is_empty() && !trimmed.starts_with(b"#") && !line.starts_with(b"%");
        }
        offset += line.len();
    }
    parts.push((first_line, &text[start..]));
    parts
}

/// How deep a node is nested, aliases followed. Takes each node once.
fn depth(document: &Document, root: NodeId) -> usize {
    let mut known: HashMap<NodeId, usize> = HashMap::new();
    let mut todo = vec![(root, false)];
    while let Some((node, visited)) = todo.pop() {
        if known.contains_key(&node) {
            continue;
        }
        let children = children(document, node);
        if visited {
            let deepest = children.iter().filter_map(|child| known.get(child)).max();
            known.insert(node, 1 + deepest.copied().unwrap_or_default());
        } else {
            todo.push((node, true));
            todo.extend(children.into_iter().map(|child| (child, false)));
        }
    }
    known.get(&root).copied().unwrap_or_default()
}

fn children(document: &Document, node: NodeId) -> Vec<NodeId> {
    match &document.node(node).kind {
        NodeKind::Sequence(items) => items.iter().map(|item| document.follow(*item)).collect(),
        NodeKind::Mapping(entries) => entries
            .iter()
            .flat_map(|(key, value)| [*key, *value])
            .map(|n| document.follow(n))
            .collect(),
        NodeKind::Scalar { .. } | NodeKind::Alias(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source {
            file: "t.yaml".to_owned(),
            line: 1,
        }
    }

    fn parsed(text: &str) -> Vec<String> {
        let manifests = parse(text.as_bytes(), &source()).unwrap();
        manifests
            .iter()
            .map(|m| format!("{} {}", m.source, m.object.reference()))
            .collect()
    }

    fn problems(text: &str) -> String {
        parse(text.as_bytes(), &source()).unwrap_err().to_string()
    }

    #[test]
    fn documents_are_split_and_empty_ones_skipped() {
        let text = "# nothing\n---\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n# only a comment\n---\n\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n";
        assert_eq!(
            parsed(text),
            ["t.yaml:4 ConfigMap/a", "t.yaml:11 ConfigMap/b"]
        );
        assert_eq!(
            parsed("").len() + parsed("---\n").len() + parsed("null").len(),
            0
        );
    }

    #[test]
    fn nothing_of_a_secret_is_quoted() {
        let text = "kind: Secret\nstringData: {p: *hunter2}\n";
        insta::assert_snapshot!(problems(text), @"t.yaml:2: invalid YAML: unknown anchor …");
        insta::assert_snapshot!(problems(&text.replace("Secret", "Pod")), @"t.yaml:2: invalid YAML: unknown anchor 'hunter2' referenced");
        assert!(may_be_secret(b"a: b\n\"kind\": \"Secret\"\nx"));
        assert!(may_be_secret(b"{kind: Secret, data: {}}"));
        assert!(!may_be_secret(b"kind: ConfigMap\n# Secret"));
    }

    #[test]
    fn lists_are_taken_apart() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n- kind: ConfigMapList\n  apiVersion: v1\n  items:\n  - {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n";
        assert_eq!(
            parsed(text),
            ["t.yaml:4 ConfigMap/a", "t.yaml:10 ConfigMap/b"]
        );
    }

    #[test]
    fn scalars_are_typed_as_helm_types_them() {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: yes, b: 010, c: 1e3, d: 12345678901234567, e: 1.5}\n";
        let manifests = parse(text.as_bytes(), &source()).unwrap();
        insta::assert_snapshot!(manifests[0].object.get(&["data"]).unwrap(), @r#"{"a":true,"b":8,"c":1000,"d":12345678901234567,"e":1.5}"#);
    }

    #[test]
    fn all_problems_of_a_text_are_told_with_their_lines() {
        let text = "apiVersion: v1\nkind: ConfigMap\n---\nfoo: [1\n---\na: 1\n---\n- a\n---\nkind: Pod\nmetadata:\n  name: 5\n  labels:\n    a: true\n---\napiVersion: v1\nkind: Job\nmetadata:\n  generateName: x-\n---\napiVersion: v1\nkind: X\nmetadata: x\n";
        insta::assert_snapshot!(problems(text), @"
        t.yaml:1: ConfigMap has no metadata.name
        t.yaml:5: invalid YAML: did not find expected ',' or ']'
        t.yaml:6: this is no manifest: it has no apiVersion and no kind
        t.yaml:8: a manifest is a map, but this is a list
        t.yaml:10: apiVersion is missing
        t.yaml:12: metadata.name of Pod is a number (5): quote it
        t.yaml:14: metadata.labels[a] of Pod is a boolean (true), not a text: quote it
        t.yaml:19: Job has metadata.generateName and no name
        t.yaml:23: metadata of X is a text, not a map
        ");
    }

    #[test]
    fn lines_count_from_the_line_of_the_source() {
        let source = Source {
            file: "t.yaml".to_owned(),
            line: 100,
        };
        let error = parse(b"apiVersion: v1\nkind: A\nmetadata:\n  name: 1\n", &source).unwrap_err();
        assert_eq!(
            error.to_string(),
            "t.yaml:103: metadata.name of A is a number (1): quote it"
        );
    }

    #[test]
    fn deep_documents_are_refused_before_they_are_read() {
        let text = format!("a: {}{}", "[".repeat(5_000), "]".repeat(5_000));
        assert_eq!(problems(&text), "t.yaml:1: nested deeper than 120 levels");
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_odd(text in "([a-c:#\\[\\]{}&*!|>'\"%@,? -]|---|\n|kind: |items:\n|- )*") {
            drop(parse(text.as_bytes(), &source()));
        }

        #[test]
        fn no_bytes_are_too_odd(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60)) {
            drop(parse(&bytes, &source()));
        }
    }
}
