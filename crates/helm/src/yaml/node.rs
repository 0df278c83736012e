//! Events to a tree: documents whose nodes know where in the text they stand.
//!
//! The nodes of a document lie in one vector and name each other by number, so that a deep document
//! costs no stack. Typing of scalars is in [`super::resolve`], values in [`super::convert`].

use super::error::{Error, ErrorKind};
use super::events::{EventKind, Parser};
use super::scan::{Position, Scanner, Style};
use super::source::Source;
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
/// # Errors
/// The first mistake, in go-yaml's words.
pub fn parse(text: &[u8]) -> Result<Vec<Document>, Error> {
    let source = Source::new(text);
    let mut parser = Parser::new(Scanner::new(&source));
    let mut documents = Vec::new();
    while let Some(document) = next_document(&mut parser)? {
        documents.push(document);
    }
    Ok(documents)
}

/// Reads the first document only: mistakes in later ones are not noticed, as in `yaml.Unmarshal`.
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

/// What [`next_document`] gathers.
#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<String, NodeId>,
}

fn next_document(parser: &mut Parser<'_>) -> Result<Option<Document>, Error> {
    let start = loop {
        let event = parser.next()?;
        match event.kind {
            EventKind::StreamEnd => return Ok(None),
            EventKind::DocumentStart => break event.start,
            _ => {}
        }
    };
    let mut builder = Builder::default();
    loop {
        let event = parser.next()?;
        let (at, end) = (event.start, event.end);
        let kind = match event.kind {
            EventKind::DocumentEnd | EventKind::StreamEnd => {
                let document = Document {
                    nodes: builder.nodes,
                    root: NodeId(0),
                    start: start.into(),
                    end: end.into(),
                };
                return Ok(Some(document));
            }
            EventKind::DocumentStart => continue,
            EventKind::SequenceEnd | EventKind::MappingEnd => {
                builder.close(at.into(), end.into());
                continue;
            }
            EventKind::Alias(name) => {
                builder.alias(name, at, end)?;
                continue;
            }
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
        let id = builder.add(Node {
            kind,
            anchor: event.anchor,
            tag: event.tag,
            start: at.into(),
            end: end.into(),
            value_start: event.value_start.into(),
        });
        if collection {
            builder.open.push(Open { id, key: None });
        }
    }
}

impl Builder {
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
        let inside = self.open.iter().any(|open| open.id == target);
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
