//! Sequences and mappings, in block and flow style.

use super::{Event, EventKind, Parser, State, empty_scalar};
use crate::yaml::scan::{Fault, TokenKind};

impl Parser<'_> {
    /// `block_sequence ::= BLOCK-SEQUENCE-START ('-' block_node?)* BLOCK-END`
    pub(super) fn block_sequence_entry(&mut self, first: bool) -> Result<Event, Fault> {
        if first {
            self.open()?;
        }
        let token = self.scanner.peek()?;
        let mark = token.end;
        match token.kind {
            TokenKind::BlockEntry => {
                self.scanner.take();
                let again = State::BlockSequenceEntry { first: false };
                match self.scanner.peek()?.kind {
                    TokenKind::BlockEntry | TokenKind::BlockEnd => {
                        self.state = again;
                        Ok(empty_scalar(mark))
                    }
                    _ => {
                        self.states.push(again);
                        self.node(true, false)
                    }
                }
            }
            TokenKind::BlockEnd => self.close(EventKind::SequenceEnd),
            _ => Err(self.error_in_collection("did not find expected '-' indicator")),
        }
    }

    /// `indentless_sequence ::= ('-' block_node?)+`: ends at any other token, since it has no
    /// indentation of
    /// its own.
    pub(super) fn indentless_sequence_entry(&mut self) -> Result<Event, Fault> {
        let token = self.scanner.peek()?;
        let (start, mark) = (token.start, token.end);
        if token.kind != TokenKind::BlockEntry {
            self.pop_state();
            return Ok(Event::plain(EventKind::SequenceEnd, start, start));
        }
        self.scanner.take();
        match self.scanner.peek()?.kind {
            TokenKind::BlockEntry | TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                self.state = State::IndentlessSequenceEntry;
                Ok(empty_scalar(mark))
            }
            _ => {
                self.states.push(State::IndentlessSequenceEntry);
                self.node(true, false)
            }
        }
    }

    /// `block_mapping ::= BLOCK-MAPPING-START (KEY node? (VALUE node?)?)* BLOCK-END`: the key.
    pub(super) fn block_mapping_key(&mut self, first: bool) -> Result<Event, Fault> {
        if first {
            self.open()?;
        }
        let token = self.scanner.peek()?;
        let mark = token.end;
        match token.kind {
            TokenKind::Key => {
                self.scanner.take();
                match self.scanner.peek()?.kind {
                    TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                        self.state = State::BlockMappingValue;
                        Ok(empty_scalar(mark))
                    }
                    _ => {
                        self.states.push(State::BlockMappingValue);
                        self.node(true, true)
                    }
                }
            }
            TokenKind::BlockEnd => self.close(EventKind::MappingEnd),
            _ => Err(self.error_in_collection("did not find expected key")),
        }
    }

    /// The value of a block mapping's key; empty when no `:` follows.
    pub(super) fn block_mapping_value(&mut self) -> Result<Event, Fault> {
        let token = self.scanner.peek()?;
        let (start, mark) = (token.start, token.end);
        let again = State::BlockMappingKey { first: false };
        if token.kind != TokenKind::Value {
            self.state = again;
            return Ok(empty_scalar(start));
        }
        self.scanner.take();
        match self.scanner.peek()?.kind {
            TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                self.state = again;
                Ok(empty_scalar(mark))
            }
            _ => {
                self.states.push(again);
                self.node(true, true)
            }
        }
    }

    /// `flow_sequence ::= '[' (entry ',')* entry? ']'`, where an entry may be one pair: `[a: b]`.
    pub(super) fn flow_sequence_entry(&mut self, first: bool) -> Result<Event, Fault> {
        if first {
            self.open()?;
        }
        if !first && self.scanner.peek()?.kind != TokenKind::FlowSequenceEnd {
            if self.scanner.peek()?.kind != TokenKind::FlowEntry {
                return Err(self.error_in_collection("did not find expected ',' or ']'"));
            }
            self.scanner.take();
        }
        let token = self.scanner.peek()?;
        let (start, end) = (token.start, token.end);
        match token.kind {
            TokenKind::FlowSequenceEnd => self.close(EventKind::SequenceEnd),
            TokenKind::Key => {
                self.scanner.take();
                self.state = State::FlowSequenceMappingKey;
                Ok(Event::plain(EventKind::MappingStart, start, end))
            }
            _ => {
                self.states.push(State::FlowSequenceEntry { first: false });
                self.node(false, false)
            }
        }
    }

    /// The key of a pair in a list.
    pub(super) fn flow_sequence_mapping_key(&mut self) -> Result<Event, Fault> {
        let token = self.scanner.peek()?;
        let mark = token.end;
        match token.kind {
            TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowSequenceEnd => {
                // The token is lost here, as in libyaml.
                self.scanner.take();
                self.state = State::FlowSequenceMappingValue;
                Ok(empty_scalar(mark))
            }
            _ => {
                self.states.push(State::FlowSequenceMappingValue);
                self.node(false, false)
            }
        }
    }

    /// The value of a pair in a list.
    pub(super) fn flow_sequence_mapping_value(&mut self) -> Result<Event, Fault> {
        if self.scanner.peek()?.kind == TokenKind::Value {
            self.scanner.take();
            let ends = matches!(
                self.scanner.peek()?.kind,
                TokenKind::FlowEntry | TokenKind::FlowSequenceEnd
            );
            if !ends {
                self.states.push(State::FlowSequenceMappingEnd);
                return self.node(false, false);
            }
        }
        self.state = State::FlowSequenceMappingEnd;
        Ok(empty_scalar(self.scanner.peek()?.start))
    }

    /// The end of a pair in a list, for which no token stands.
    pub(super) fn flow_sequence_mapping_end(&mut self) -> Result<Event, Fault> {
        let at = self.scanner.peek()?.start;
        self.state = State::FlowSequenceEntry { first: false };
        Ok(Event::plain(EventKind::MappingEnd, at, at))
    }

    /// `flow_mapping ::= '{' (entry ',')* entry? '}'`: the key. A node without `:` is a key with an
    /// empty value.
    pub(super) fn flow_mapping_key(&mut self, first: bool) -> Result<Event, Fault> {
        if first {
            self.open()?;
        }
        if !first && self.scanner.peek()?.kind != TokenKind::FlowMappingEnd {
            if self.scanner.peek()?.kind != TokenKind::FlowEntry {
                return Err(self.error_in_collection("did not find expected ',' or '}'"));
            }
            self.scanner.take();
        }
        match self.scanner.peek()?.kind {
            TokenKind::FlowMappingEnd => self.close(EventKind::MappingEnd),
            TokenKind::Key => {
                self.scanner.take();
                let token = self.scanner.peek()?;
                let at = token.start;
                match token.kind {
                    TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowMappingEnd => {
                        self.state = State::FlowMappingValue { empty: false };
                        Ok(empty_scalar(at))
                    }
                    _ => {
                        self.states.push(State::FlowMappingValue { empty: false });
                        self.node(false, false)
                    }
                }
            }
            _ => {
                self.states.push(State::FlowMappingValue { empty: true });
                self.node(false, false)
            }
        }
    }

    /// The value of a flow mapping's key; `empty` when the entry has no `?` or `:` at all.
    pub(super) fn flow_mapping_value(&mut self, empty: bool) -> Result<Event, Fault> {
        let again = State::FlowMappingKey { first: false };
        if !empty && self.scanner.peek()?.kind == TokenKind::Value {
            self.scanner.take();
            let ends = matches!(
                self.scanner.peek()?.kind,
                TokenKind::FlowEntry | TokenKind::FlowMappingEnd
            );
            if !ends {
                self.states.push(again);
                return self.node(false, false);
            }
        }
        let at = self.scanner.peek()?.start;
        self.state = again;
        Ok(empty_scalar(at))
    }
}
