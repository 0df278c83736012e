//! Go's `text/template`: lexer, parser, evaluator and `fmt`, with the functions given from outside.
//!
//! It does not know charts or Sprig: see [`crate::chart`] and [`crate::sprig`]. Of Helm it knows
//! what the evaluator itself must do: how `include` and `tpl` run templates ([`Runtime`]).
//!
//! A text becomes tokens (`lex`), trees (`parse`, `ast`) and output (`eval`, `builtin`). Texts, types
//! and order of Go's error messages are kept throughout.

mod ast;
mod builtin;
mod error;
mod eval;
pub(crate) mod fmt;
mod function;
mod lex;
mod number;
pub(crate) mod origin;
mod parse;
mod set;
mod token;
mod world;

pub use error::{Error, ErrorKind};
pub use function::{Fault, Function, Param, Runtime};
pub use origin::Place;
pub use set::Templates;
pub(crate) use set::without_no_value;
pub use world::{Call, Limits, Lookup, Query, World};

/// The longest text that is parsed, in bytes; its tree may take fifty times as much.
const MAX_SOURCE: usize = 16 << 20;

/// How deep blocks and parentheses nest in one text. Go's limit for parentheses.
const MAX_NESTING: usize = 10_000;

/// How deep `{{template}}` calls nest: Go's limit.
const MAX_TEMPLATE_DEPTH: usize = 100_000;

/// How deep evaluation nests in all, over templates, blocks and parentheses; bounds the memory
/// that recursion takes.
const MAX_DEPTH: usize = 250_000;

/// How often `include` may enter the same template at once: Helm's limit.
const MAX_INCLUDES: usize = 1000;

/// How deep `tpl` calls nest. Helm has no limit and dies of a stack overflow.
const MAX_TPL_DEPTH: usize = 1000;

/// The stack that must be left for a nested step, in bytes.
const STACK_RED_ZONE: usize = 128 << 10;

/// The stack to add when it is not.
const STACK_SEGMENT: usize = 2 << 20;
