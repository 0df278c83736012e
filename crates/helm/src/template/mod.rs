//! Go's `text/template`: lexer, parser, evaluator and `fmt`, with the functions given from outside.
//!
//! It does not know Helm, charts or Sprig: see [`crate::chart`] and [`crate::sprig`].

mod error;
mod function;
mod world;

pub use error::{Error, ErrorKind};
pub use function::{Fault, Function, Param, Runtime};
pub use world::{Lookup, World};
