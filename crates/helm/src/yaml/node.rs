//! Events to a tree: documents whose nodes know where in the text they stand.
//!
//! The nodes of a document lie in one vector and name each other by number, so that a deep document
//! costs no stack. Typing of scalars is in [`super::resolve`], values in [`super::convert`].

use super::error::{Error, ErrorKind};
use super::events::{Event, EventKind, Parser};
use super::scan::{Position, Scanner, Style};
use super::source::Source;
use crate::limits::{MAX_VALUES, TOO_MANY_VALUES};
use std::collections::HashMap;

/// A place in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Bytes from the start of the input. (UTF-16 input is decoded first; then it counts there.)
    pub offset: usize,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl From<Position> for Mark {
    fn from(at: Position) -> Self {
        Self {
            offset: at.offset,
            line: at.line + 1,
            column: at.column + 1,
        }
    }
}

/// The number of a node in its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(usize);

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// Text, with quotes and escapes resolved.
    Scalar {
        /// The text.
        text: String,
        /// How it is written.
        style: Style,
        /// Whether its type follows from the text alone: plain and without a tag.
        implicit: bool,
    },
    /// A list.
    Sequence(Vec<NodeId>),
    /// Keys and values in order of appearance, duplicates and merge keys as they stand.
    Mapping(Vec<(NodeId, NodeId)>),
    /// A reference to an earlier node; `None` when that node contains it.
    Alias(Option<NodeId>),
}

/// A node of a document.
///
/// Its places allow a scalar to be replaced in the text without touching anything else:
///
/// ```
/// use windlass_helm::yaml;
///
/// let text = "image: &i 'nginx:1' # why";
/// let document = &yaml::parse(text.as_bytes())?[0];
/// let image = document.get(document.root(), "image").expect("image is there");
/// let node = document.node(image);
/// let (start, end) = (node.value_start.offset, node.end.offset);
/// assert_eq!(&text[start..end], "'nginx:1'");
/// let changed = [&text[..start], "nginx@sha256:0", &text[end..]].concat();
/// assert_eq!(changed, "image: &i nginx@sha256:0 # why");
/// # Ok::<(), yaml::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// The name given to it with `&`, or the one an alias refers to.
    pub anchor: Option<String>,
    /// Its tag in full, for example `tag:yaml.org,2002:str`.
    pub tag: Option<String>,
    /// Where its text begins. An anchor or tag before it belongs to it.
    pub start: Mark,
    /// Where its text ends: after the last character of a scalar, quotes included.
    pub end: Mark,
    /// Where its value begins, after anchor and tag: for a scalar the place of its first character
    /// or quote. `value_start.offset..end.offset` is what to replace to write another scalar.
    pub value_start: Mark,
}

/// One document of a stream.
///
/// Nodes are numbered ([`NodeId`]) and looked at through the document. The tree is the text's: aliases stay
/// aliases, merge keys and repeated keys stay where they stand. [`to_value`](super::to_value) resolves them.
#[derive(Clone, Debug)]
pub struct Document {
    nodes: Vec<Node>,
    root: NodeId,
    /// Where the document begins: its `---`, or its first token.
    pub start: Mark,
    /// Where it ends.
    pub end: Mark,
}

impl Document {
    /// The top node.
    #[must_use]
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// The node of that number.
    ///
    /// # Panics
    /// When the number comes from another, larger document.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The node itself, or the one an alias refers to.
    #[must_use]
    pub fn follow(&self, id: NodeId) -> NodeId {
        match self.node(id).kind {
            NodeKind::Alias(Some(target)) => target,
            _ => id,
        }
    }

    /// The value of a key in a mapping, aliases followed; the last one wins, as in go-yaml.
    ///
    /// `None` also when the node is no mapping. Merge keys (`<<`) are not followed.
    #[must_use]
    pub fn get(&self, mapping: NodeId, key: &str) -> Option<NodeId> {
        let NodeKind::Mapping(entries) = &self.node(self.follow(mapping)).kind else {
            return None;
        };
        let found = entries
            .iter()
            .rev()
            .find(|(name, _)| self.text(*name) == Some(key))?;
        Some(self.follow(found.1))
    }

    /// The entries of a mapping, aliases followed; none for another node.
    #[must_use]
    pub fn entries(&self, mapping: NodeId) -> &[(NodeId, NodeId)] {
        match &self.node(self.follow(mapping)).kind {
            NodeKind::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a sequence, aliases followed; none for another node.
    #[must_use]
    pub fn items(&self, sequence: NodeId) -> &[NodeId] {
        match &self.node(self.follow(sequence)).kind {
            NodeKind::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The text of a scalar, aliases followed.
    #[must_use]
    pub fn text(&self, scalar: NodeId) -> Option<&str> {
        match &self.node(self.follow(scalar)).kind {
            NodeKind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no nodes; never, since an empty document is an empty scalar.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

/// Reads all documents of a stream.
///
/// ```
/// use windlass_helm::yaml;
///
/// let documents = yaml::parse(b"a: 1\n---\nb: [x, y]\n")?;
/// let second = &documents[1];
/// let list = second.get(second.root(), "b").expect("b is there");
/// let y = second.items(list)[1];
/// assert_eq!(second.text(y), Some("y"));
/// assert_eq!((second.node(y).start.line, second.node(y).start.column), (3, 8));
/// assert!(yaml::parse(b"a: [").is_err());
/// # Ok::<(), yaml::Error>(())
/// ```
///
/// # Errors
/// The first mistake, in go-yaml's words.
pub fn parse(text: &[u8]) -> Result<Vec<Document>, Error> {
    let mut documents = Vec::new();
    parse_each(text, |document| {
        documents.push(document);
        Ok::<(), Error>(())
    })?;
    Ok(documents)
}

/// Reads the documents of a stream one after another, so that only one is in memory at a time.
///
/// ```
/// use windlass_helm::yaml::{self, Error};
///
/// let mut lines = Vec::new();
/// yaml::parse_each(b"a: 1\n---\nb: 2\n", |document| {
///     lines.push(document.start.line);
///     Ok::<(), Error>(())
/// })?;
/// assert_eq!(lines, [1, 2]);
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// The first mistake, in go-yaml's words, or the first error of `visit`.
pub fn parse_each<E: From<Error>>(
    text: &[u8],
    mut visit: impl FnMut(Document) -> Result<(), E>,
) -> Result<(), E> {
    let source = Source::new(text);
    let mut parser = Parser::new(Scanner::new(&source));
    while let Some(document) = next_document(&mut parser)? {
        visit(document)?;
    }
    Ok(())
}

/// Splits a stream into documents as Kubernetes' reader does, before any YAML is read: at lines that
/// begin with `---`. Helm 4 reads values files in this way.
///
/// ```
/// use windlass_helm::yaml::split_documents;
///
/// let documents = split_documents(b"a: 1\n---\nb: 2\n")?;
/// assert_eq!(documents.len(), 2);
/// # Ok::<(), windlass_helm::yaml::Error>(())
/// ```
///
/// # Errors
/// When something other than a comment follows `---`: `invalid Yaml document separator: …`.
pub fn split_documents(text: &[u8]) -> Result<Vec<&[u8]>, Error> {
    let mut documents = Vec::new();
    let (mut start, mut at) = (0, 0);
    for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let next = at + line.len();
        if let Some(rest) = line.strip_prefix(b"---") {
            let rest = String::from_utf8_lossy(rest);
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                let message = format!("invalid Yaml document separator: {rest}");
                return Err(Error {
                    kind: ErrorKind::Syntax,
                    message,
                    line: number + 1,
                    column: 4,
                });
            }
            // Before the first document the line belongs to what follows.
            if at > start {
                documents.push(&text[start..at]);
                start = next;
            }
        }
        at = next;
    }
    if at > start {
        documents.push(&text[start..at]);
    }
    Ok(documents)
}

/// Reads the first document only: mistakes in later ones are not noticed, as in `yaml.Unmarshal`.
///
/// An empty text, or one of comments alone, has no document.
///
/// # Errors
/// The first mistake, in go-yaml's words.
pub fn parse_first(text: &[u8]) -> Result<Option<Document>, Error> {
    let source = Source::new(text);
    next_document(&mut Parser::new(Scanner::new(&source)))
}

/// A collection that is being filled.
struct Open {
    id: NodeId,
    /// The key that waits for its value.
    key: Option<NodeId>,
}

/// What is gathered of a document.
#[derive(Default)]
pub(super) struct Builder {
    nodes: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<String, NodeId>,
}

/// Passes the events up to the next document; where it begins.
pub(super) fn document_start(parser: &mut Parser<'_>) -> Result<Option<Position>, Error> {
    loop {
        let event = parser.next()?;
        match event.kind {
            EventKind::StreamEnd => return Ok(None),
            EventKind::DocumentStart => return Ok(Some(event.start)),
            _ => {}
        }
    }
}

fn next_document(parser: &mut Parser<'_>) -> Result<Option<Document>, Error> {
    let Some(start) = document_start(parser)? else {
        return Ok(None);
    };
    let mut builder = Builder::default();
    loop {
        let event = parser.next()?;
        if let EventKind::DocumentEnd | EventKind::StreamEnd = event.kind {
            return Ok(Some(builder.finish(start, event.end)));
        }
        builder.take(event)?;
    }
}

impl Builder {
    /// The document of the nodes taken so far.
    pub(super) fn finish(self, start: Position, end: Position) -> Document {
        Document {
            nodes: self.nodes,
            root: NodeId(0),
            start: start.into(),
            end: end.into(),
        }
    }

    /// Adds what an event within a document says.
    pub(super) fn take(&mut self, event: Event) -> Result<(), Error> {
        let (at, end) = (event.start, event.end);
        let kind = match event.kind {
            EventKind::DocumentStart | EventKind::DocumentEnd | EventKind::StreamEnd => {
                return Ok(());
            }
            EventKind::SequenceEnd | EventKind::MappingEnd => {
                self.close(at.into(), end.into());
                return Ok(());
            }
            EventKind::Alias(name) => return self.alias(name, at, end),
            EventKind::Scalar {
                text,
                style,
                implicit,
            } => NodeKind::Scalar {
                text,
                style,
                implicit,
            },
            EventKind::SequenceStart => NodeKind::Sequence(Vec::new()),
            EventKind::MappingStart => NodeKind::Mapping(Vec::new()),
        };
        let collection = !matches!(kind, NodeKind::Scalar { .. });
        if self.nodes.len() >= MAX_VALUES {
            let message = format!("yaml: {TOO_MANY_VALUES}");
            return Err(Error::at(ErrorKind::Syntax, message, Some(at)));
        }
        let id = self.add(Node {
            kind,
            anchor: event.anchor,
            tag: event.tag,
            start: at.into(),
            end: end.into(),
            value_start: event.value_start.into(),
        });
        if collection {
            self.open.push(Open { id, key: None });
        }
        Ok(())
    }

    fn add(&mut self, node: Node) -> NodeId {
        let id = NodeId(self.nodes.len());
        if let (Some(name), false) = (&node.anchor, matches!(node.kind, NodeKind::Alias(_))) {
            self.anchors.insert(name.clone(), id);
        }
        self.nodes.push(node);
        if let Some(open) = self.open.last_mut() {
            match (&mut self.nodes[open.id.0].kind, open.key.take()) {
                (NodeKind::Sequence(items), _) => items.push(id),
                (NodeKind::Mapping(entries), Some(key)) => entries.push((key, id)),
                _ => open.key = Some(id),
            }
        }
        id
    }

    fn alias(&mut self, name: String, at: Position, end: Position) -> Result<(), Error> {
        let Some(target) = self.anchors.get(&name).copied() else {
            let message = format!("yaml: unknown anchor '{name}' referenced");
            return Err(Error::at(ErrorKind::Syntax, message, Some(at)));
        };
        // Numbers grow with depth.
        let inside = self
            .open
            .binary_search_by_key(&target, |open| open.id)
            .is_ok();
        self.add(Node {
            kind: NodeKind::Alias(if inside { None } else { Some(target) }),
            anchor: Some(name),
            tag: None,
            start: at.into(),
            end: end.into(),
            value_start: at.into(),
        });
        Ok(())
    }

    /// Ends the innermost collection: at its bracket, or with its last item when it has none.
    fn close(&mut self, start: Mark, end: Mark) {
        let Some(open) = self.open.pop() else { return };
        let last = match &self.nodes[open.id.0].kind {
            NodeKind::Sequence(items) => items.last().copied(),
            NodeKind::Mapping(entries) => entries.last().map(|entry| entry.1),
            _ => None,
        };
        self.nodes[open.id.0].end = match last {
            Some(last) if start == end => self.nodes[last.0].end,
            _ => end,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice<'t>(text: &'t str, node: &Node) -> &'t str {
        &text[node.value_start.offset..node.end.offset]
    }

    #[test]
    fn spans_cover_exactly_the_written_scalar() {
        let text =
            "# é\nimage: &i !!str 'a''b' # c\nother: \"x\\n\"\nplain: foo bar  \nlast: |\n  text\n";
        let documents = parse(text.as_bytes()).unwrap();
        let document = &documents[0];
        let value = |key: &str| document.node(document.get(document.root(), key).unwrap());
        assert_eq!(slice(text, value("image")), "'a''b'");
        assert_eq!(slice(text, value("other")), "\"x\\n\"");
        assert_eq!(slice(text, value("plain")), "foo bar");
        assert_eq!(slice(text, value("last")), "|\n  text\n");
        assert_eq!(
            value("image").value_start,
            Mark {
                offset: 21,
                line: 2,
                column: 17
            }
        );
        assert_eq!(value("image").tag.as_deref(), Some("tag:yaml.org,2002:str"));
        let root = document.node(document.root());
        assert_eq!((root.start.offset, root.end.offset), (5, text.len()));
    }

    #[test]
    fn every_document_has_its_place() {
        let error = parse(b"--- # one\na: 1\n---\n- *x\n").unwrap_err();
        assert_eq!(error.to_string(), "yaml: unknown anchor 'x' referenced");
        assert_eq!((error.line, error.column), (4, 3));
        let documents = parse(b"--- # one\na: 1\n...\n---\n- 2\n").unwrap();
        let starts: Vec<usize> = documents.iter().map(|d| d.start.line).collect();
        assert_eq!(starts, [1, 4]);
        assert_eq!(parse(b"# nothing\n").unwrap().len(), 0);
        assert_eq!(parse(b"---\n---\n").unwrap().len(), 2);
    }

    #[test]
    fn later_documents_are_not_read_for_the_first() {
        assert!(parse_first(b"a: 1\n---\n{").unwrap().is_some());
        assert!(parse(b"a: 1\n---\n{").is_err());
    }

    #[test]
    fn an_alias_refers_to_the_nearest_anchor_before_it() {
        let documents = parse(b"[&a 1, *a, &a 2, *a]").unwrap();
        let document = &documents[0];
        let texts: Vec<_> = document
            .items(document.root())
            .iter()
            .map(|id| document.text(*id))
            .collect();
        assert_eq!(texts, [Some("1"), Some("1"), Some("2"), Some("2")]);
    }

    #[test]
    fn crlf_and_byte_order_marks_are_no_obstacle() {
        let text = "\u{feff}a: 1\r\nb: |\r\n  x\r\n  y\r\n";
        let documents = parse(text.as_bytes()).unwrap();
        let document = &documents[0];
        let b = document.get(document.root(), "b").unwrap();
        assert_eq!(document.text(b), Some("x\ny\n"));
        assert_eq!(document.node(document.root()).start.offset, 3);
    }

    #[test]
    fn splits_streams_as_kubernetes_does() {
        let split = |text: &'static str| {
            let parts = split_documents(text.as_bytes()).unwrap();
            parts
                .into_iter()
                .map(|part| std::str::from_utf8(part).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(split("a\n---\nb\n--- # c\n"), ["a\n", "b\n"]);
        assert_eq!(split("---\na\n---\n---\nb"), ["---\na\n", "---\nb"]);
        assert_eq!(split(""), Vec::<&str>::new());
        assert_eq!(
            split_documents(b"a\n---b\n").unwrap_err().to_string(),
            "invalid Yaml document separator: b"
        );
    }
}
