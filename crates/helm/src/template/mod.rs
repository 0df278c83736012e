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
