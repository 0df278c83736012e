//! Tokens, positions and the ways scanning can fail.

/// A place in the text. Lines and columns count from 0, columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::yaml) struct Position {
    /// Bytes from the start of the input.
    pub(in crate::yaml) offset: usize,
    /// Characters read so far.
    pub(in crate::yaml) chars: usize,
    /// The line.
    pub(in crate::yaml) line: usize,
    /// The column.
    pub(in crate::yaml) column: usize,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// `'…'`.
    SingleQuoted,
    /// `"…"`.
    DoubleQuoted,
    /// `|`.
    Literal,
    /// `>`.
    Folded,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::yaml) enum TokenKind {
    StreamStart,
    StreamEnd,
    Version { major: u8, minor: u8 },
    TagDirective { handle: String, prefix: String },
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(String),
    Anchor(String),
    Tag { handle: String, suffix: String },
    Scalar { text: String, style: Style },
}

/// A token and its place.
#[derive(Clone, Debug)]
pub(in crate::yaml) struct Token {
    pub(in crate::yaml) kind: TokenKind,
    pub(in crate::yaml) start: Position,
    pub(in crate::yaml) end: Position,
}

/// Why reading failed, and in which stage: the stage decides how go-yaml counts the line.
#[derive(Clone, Copy, Debug)]
pub(in crate::yaml) enum Fault {
    Reader(&'static str),
    Scanner {
        problem: &'static str,
        at: Position,
        context: Position,
    },
    Parser {
        problem: &'static str,
        at: Position,
        context: Position,
    },
}
