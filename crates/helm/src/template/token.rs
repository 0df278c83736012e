//! The tokens of a template: what the lexer hands to the parser.

use crate::value::quote::quoted;
use crate::value::rune::runes;

/// The kind of a [`Token`]. Keywords come last, so that they compare greater than the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TokenKind {
    /// The text cannot be read; the lexer holds the message.
    Error,
    Bool,
    /// A printable ASCII character with no other meaning, such as `,`.
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    /// A name with its leading dot.
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    /// A name with its leading `$`.
    Variable,
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

impl TokenKind {
    /// Whether the token is a keyword.
    pub(super) fn is_keyword(self) -> bool {
        self >= Self::Block
    }

    /// The keyword a word is.
    pub(super) fn keyword(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"block" => Self::Block,
            b"break" => Self::Break,
            b"continue" => Self::Continue,
            b"define" => Self::Define,
            b"else" => Self::Else,
            b"end" => Self::End,
            b"if" => Self::If,
            b"nil" => Self::Nil,
            b"range" => Self::Range,
            b"template" => Self::Template,
            b"with" => Self::With,
            _ => return None,
        })
    }
}

/// A piece of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind,
    /// The byte offset where it starts.
    pub(super) pos: usize,
    /// The line where it starts, from 1.
    pub(super) line: usize,
    /// Its text.
    pub(super) text: &'a [u8],
}

impl Token<'_> {
    /// What a parser's state holds before the first token.
    pub(super) const NONE: Self = Self {
        kind: TokenKind::Eof,
        pos: 0,
        line: 0,
        text: b"",
    };

    /// The token as error messages name it. An error token is named by the lexer's message.
    pub(super) fn describe(&self) -> String {
        if self.kind == TokenKind::Eof {
            return "EOF".to_owned();
        }
        if self.kind.is_keyword() {
            return format!("<{}>", String::from_utf8_lossy(self.text));
        }
        if self.text.len() > 10 {
            let end = runes(self.text)
                .nth(10)
                .map_or(self.text.len(), |(at, _, _)| at);
            return format!("{}...", quoted(&self.text[..end]));
        }
        quoted(self.text)
    }
}
