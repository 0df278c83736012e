//! Tokens to events: the grammar of YAML 1.1 as a state machine without recursion.
//!
//! Follows go.yaml.in/yaml/v2 parserc.go. The tree is built in [`super::node`].

mod collection;

use super::scan::{Fault, Position, Scanner, Style, Token, TokenKind};
use std::collections::BTreeMap;

/// What the parser found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EventKind {
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    Alias(String),
    Scalar {
        text: String,
        style: Style,
        implicit: bool,
    },
    SequenceStart,
    SequenceEnd,
    MappingStart,
    MappingEnd,
}

/// An event, its place and the properties of the node it begins.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) kind: EventKind,
    pub(super) start: Position,
    pub(super) end: Position,
    /// Where the node begins after its anchor and tag.
    pub(super) value_start: Position,
    pub(super) anchor: Option<String>,
    pub(super) tag: Option<String>,
}

impl Event {
    fn plain(kind: EventKind, start: Position, end: Position) -> Self {
        Self {
            kind,
            start,
            end,
            value_start: start,
            anchor: None,
            tag: None,
        }
    }
}

/// What is expected next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    ImplicitDocumentStart,
    DocumentStart,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequenceEntry { first: bool },
    IndentlessSequenceEntry,
    BlockMappingKey { first: bool },
    BlockMappingValue,
    FlowSequenceEntry { first: bool },
    FlowSequenceMappingKey,
    FlowSequenceMappingValue,
    FlowSequenceMappingEnd,
    FlowMappingKey { first: bool },
    FlowMappingValue { empty: bool },
    End,
}

/// Reads events from tokens.
pub(super) struct Parser<'a> {
    scanner: Scanner<'a>,
    state: State,
    states: Vec<State>,
    marks: Vec<Position>,
    /// Tag handles and their prefixes.
    tags: BTreeMap<String, String>,
}

impl<'a> Parser<'a> {
    /// Begins at the start of a stream.
    pub(super) fn new(scanner: Scanner<'a>) -> Self {
        Self {
            scanner,
            state: State::ImplicitDocumentStart,
            states: Vec::new(),
            marks: Vec::new(),
            tags: BTreeMap::new(),
        }
    }

    /// Reads the next event; after the end of the stream that event again.
    pub(super) fn next(&mut self) -> Result<Event, Fault> {
        match self.state {
            State::ImplicitDocumentStart => {
                // The stream start is the first token of every stream.
                self.scanner.peek()?;
                self.scanner.take();
                self.document_start(true)
            }
            State::DocumentStart => self.document_start(false),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(true, false),
            State::BlockSequenceEntry { first } => self.block_sequence_entry(first),
            State::IndentlessSequenceEntry => self.indentless_sequence_entry(),
            State::BlockMappingKey { first } => self.block_mapping_key(first),
            State::BlockMappingValue => self.block_mapping_value(),
            State::FlowSequenceEntry { first } => self.flow_sequence_entry(first),
            State::FlowSequenceMappingKey => self.flow_sequence_mapping_key(),
            State::FlowSequenceMappingValue => self.flow_sequence_mapping_value(),
            State::FlowSequenceMappingEnd => self.flow_sequence_mapping_end(),
            State::FlowMappingKey { first } => self.flow_mapping_key(first),
            State::FlowMappingValue { empty } => self.flow_mapping_value(empty),
            State::End => {
                let at = Position::default();
                Ok(Event::plain(EventKind::StreamEnd, at, at))
            }
        }
    }

    /// Goes back to what the collection around this one waits for.
    fn pop_state(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    /// Ends a collection at the token that closes it.
    fn close(&mut self, kind: EventKind) -> Result<Event, Fault> {
        let token = self.scanner.peek()?;
        let (start, end) = (token.start, token.end);
        self.scanner.take();
        self.pop_state();
        self.marks.pop();
        Ok(Event::plain(kind, start, end))
    }

    /// Enters a collection: its opening token is taken and remembered for messages.
    fn open(&mut self) -> Result<(), Fault> {
        let start = self.scanner.peek()?.start;
        self.marks.push(start);
        self.scanner.take();
        Ok(())
    }

    /// A fault at the next token, told with the place where the collection began.
    fn error_in_collection(&mut self, problem: &'static str) -> Fault {
        let context = self.marks.pop().unwrap_or_default();
        let at = self
            .scanner
            .peek()
            .map(|token| token.start)
            .unwrap_or_default();
        Fault::Parser {
            problem,
            at,
            context,
        }
    }

    /// `[DOCUMENT-START] directives* '---'`, or the end of the stream.
    ///
    /// The first document may begin without `---` (`implicit`); later ones may not.
    fn document_start(&mut self, implicit: bool) -> Result<Event, Fault> {
        if !implicit {
            while self.scanner.peek()?.kind == TokenKind::DocumentEnd {
                self.scanner.take();
            }
        }
        let token = self.scanner.peek()?;
        let (start, end) = (token.start, token.end);
        match token.kind {
            TokenKind::StreamEnd => {
                self.state = State::End;
                self.scanner.take();
                return Ok(Event::plain(EventKind::StreamEnd, start, end));
            }
            TokenKind::Version { .. }
            | TokenKind::TagDirective { .. }
            | TokenKind::DocumentStart => {}
            _ if implicit => {
                self.directives()?;
                self.states.push(State::DocumentEnd);
                self.state = State::BlockNode;
                return Ok(Event::plain(EventKind::DocumentStart, start, end));
            }
            _ => {}
        }
        self.directives()?;
        let token = self.scanner.peek()?;
        let (at, end) = (token.start, token.end);
        if token.kind != TokenKind::DocumentStart {
            let problem = "did not find expected <document start>";
            return Err(Fault::Parser {
                problem,
                at,
                context: Position::default(),
            });
        }
        self.scanner.take();
        self.states.push(State::DocumentEnd);
        self.state = State::DocumentContent;
        Ok(Event::plain(EventKind::DocumentStart, start, end))
    }

    /// `%YAML` and `%TAG` lines, and the two handles that every document knows.
    ///
    /// Only version 1.1 is taken, and either directive once for each document and handle.
    fn directives(&mut self) -> Result<(), Fault> {
        let mut versioned = false;
        loop {
            let token = self.scanner.peek()?;
            let at = token.start;
            let error = |problem| Fault::Parser {
                problem,
                at,
                context: Position::default(),
            };
            match &token.kind {
                TokenKind::Version { .. } if versioned => {
                    return Err(error("found duplicate %YAML directive"));
                }
                TokenKind::Version { major: 1, minor: 1 } => versioned = true,
                TokenKind::Version { .. } => {
                    return Err(error("found incompatible YAML document"));
                }
                TokenKind::TagDirective { handle, prefix } => {
                    if self.tags.insert(handle.clone(), prefix.clone()).is_some() {
                        return Err(error("found duplicate %TAG directive"));
                    }
                }
                _ => break,
            }
            self.scanner.take();
        }
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            self.tags
                .entry(handle.into())
                .or_insert_with(|| prefix.into());
        }
        Ok(())
    }

    /// `explicit_document ::= directives* '---' block_node? '...'*`: the part after `---`, which
    /// may be empty.
    fn document_content(&mut self) -> Result<Event, Fault> {
        let token = self.scanner.peek()?;
        let at = token.start;
        match token.kind {
            TokenKind::Version { .. }
            | TokenKind::TagDirective { .. }
            | TokenKind::DocumentStart
            | TokenKind::DocumentEnd
            | TokenKind::StreamEnd => {
                self.pop_state();
                Ok(empty_scalar(at))
            }
            _ => self.node(true, false),
        }
    }

    /// The end of a document, written as `...` or not. Handles of tags end with it.
    fn document_end(&mut self) -> Result<Event, Fault> {
        let token = self.scanner.peek()?;
        let (start, mut end) = (token.start, token.start);
        if token.kind == TokenKind::DocumentEnd {
            end = token.end;
            self.scanner.take();
        }
        self.tags.clear();
        self.state = State::DocumentStart;
        Ok(Event::plain(EventKind::DocumentEnd, start, end))
    }

    /// Reads anchor and tag, in either order.
    fn properties(&mut self) -> Result<Properties, Fault> {
        let at = self.scanner.peek()?.start;
        let mut properties = Properties {
            start: at,
            end: at,
            anchor: None,
            tag: None,
        };
        let mut tag = None;
        loop {
            let token = self.scanner.peek()?;
            match &token.kind {
                TokenKind::Anchor(_) if properties.anchor.is_none() => {}
                TokenKind::Tag { .. } if tag.is_none() => {}
                _ => break,
            }
            properties.end = token.end;
            match self.scanner.take() {
                Some(Token {
                    kind: TokenKind::Anchor(name),
                    ..
                }) => {
                    properties.anchor = Some(name);
                }
                Some(Token {
                    kind: TokenKind::Tag { handle, suffix },
                    start,
                    ..
                }) => {
                    tag = Some((handle, suffix, start));
                }
                _ => {}
            }
        }
        if let Some((handle, suffix, at)) = tag {
            properties.tag = Some(self.resolve_tag(&handle, suffix, properties.start, at)?);
        }
        Ok(properties)
    }

    /// The whole tag of a handle and a suffix; a tag without handle is whole already.
    fn resolve_tag(
        &self,
        handle: &str,
        suffix: String,
        context: Position,
        at: Position,
    ) -> Result<String, Fault> {
        if handle.is_empty() {
            return Ok(suffix);
        }
        match self.tags.get(handle) {
            Some(prefix) if !(prefix.is_empty() && suffix.is_empty()) => {
                Ok(format!("{prefix}{suffix}"))
            }
            _ => Err(Fault::Parser {
                problem: "found undefined tag handle",
                at,
                context,
            }),
        }
    }

    /// ```text
    /// block_node ::= ALIAS | properties? block_content | indentless_sequence
    /// flow_node  ::= ALIAS | properties? flow_content | properties
    /// ```
    ///
    /// `block` allows block collections, `indentless` a list at the indentation of its key.
    /// Properties with
    /// nothing after them are an empty scalar.
    fn node(&mut self, block: bool, indentless: bool) -> Result<Event, Fault> {
        let token = self.scanner.peek()?;
        if matches!(token.kind, TokenKind::Alias(_)) {
            return Ok(self.alias());
        }
        let Properties {
            start,
            end,
            anchor,
            tag,
        } = self.properties()?;
        let token = self.scanner.peek()?;
        let (token_start, token_end) = (token.start, token.end);
        let (kind, state) = match &token.kind {
            TokenKind::BlockEntry if indentless => {
                (EventKind::SequenceStart, State::IndentlessSequenceEntry)
            }
            TokenKind::Scalar { .. } => return Ok(self.scalar(start, anchor, tag)),
            TokenKind::FlowSequenceStart => (
                EventKind::SequenceStart,
                State::FlowSequenceEntry { first: true },
            ),
            TokenKind::FlowMappingStart => (
                EventKind::MappingStart,
                State::FlowMappingKey { first: true },
            ),
            TokenKind::BlockSequenceStart if block => (
                EventKind::SequenceStart,
                State::BlockSequenceEntry { first: true },
            ),
            TokenKind::BlockMappingStart if block => (
                EventKind::MappingStart,
                State::BlockMappingKey { first: true },
            ),
            _ if anchor.is_some() || tag.as_ref().is_some_and(|tag| !tag.is_empty()) => {
                self.pop_state();
                let implicit = tag.as_ref().is_none_or(String::is_empty);
                let kind = EventKind::Scalar {
                    text: String::new(),
                    style: Style::Plain,
                    implicit,
                };
                return Ok(Event {
                    kind,
                    start,
                    end,
                    value_start: end,
                    anchor,
                    tag,
                });
            }
            _ => {
                let problem = "did not find expected node content";
                return Err(Fault::Parser {
                    problem,
                    at: token.start,
                    context: start,
                });
            }
        };
        self.state = state;
        Ok(Event {
            kind,
            start,
            end: token_end,
            value_start: token_start,
            anchor,
            tag,
        })
    }

    /// `*name`, which is a whole node.
    fn alias(&mut self) -> Event {
        self.pop_state();
        match self.scanner.take() {
            Some(Token {
                kind: TokenKind::Alias(name),
                start,
                end,
            }) => Event::plain(EventKind::Alias(name), start, end),
            _ => empty_scalar(Position::default()),
        }
    }

    /// A scalar; it is implicit when nothing but its text gives its type.
    fn scalar(&mut self, start: Position, anchor: Option<String>, tag: Option<String>) -> Event {
        self.pop_state();
        let Some(Token {
            kind: TokenKind::Scalar { text, style },
            start: value_start,
            end,
        }) = self.scanner.take()
        else {
            return empty_scalar(start);
        };
        let implicit = match tag.as_deref() {
            None | Some("") => style == Style::Plain,
            Some(tag) => tag == "!",
        };
        let kind = EventKind::Scalar {
            text,
            style,
            implicit,
        };
        Event {
            kind,
            start,
            end,
            value_start,
            anchor,
            tag,
        }
    }
}

/// What may stand before a node.
struct Properties {
    start: Position,
    end: Position,
    anchor: Option<String>,
    tag: Option<String>,
}

/// The scalar that stands where nothing is written; it has no width and reads as null.
fn empty_scalar(at: Position) -> Event {
    let kind = EventKind::Scalar {
        text: String::new(),
        style: Style::Plain,
        implicit: true,
    };
    Event::plain(kind, at, at)
}
