//! YAML 1.1 as Helm reads and writes it: go-yaml's typing, go-yaml's bytes, go-yaml's error texts.
//!
//! Reading goes `source → scan → events → node → convert`; [`parse`] stops at the tree, whose nodes
//! know their place in the text, [`from_yaml`] goes on to values. Writing is [`emit`].
//! The module does not know templates or charts.

mod convert;
pub mod emit;
mod error;
mod events;
mod fields;
mod node;
mod resolve;
mod scan;
mod source;
mod target;

pub(crate) use convert::from_yaml_whole;
pub use convert::{documents, from_yaml, from_yaml_list, from_yaml_map, to_json_value, to_value};
pub use error::{Error, ErrorKind, without_quotes};
pub(crate) use fields::some_fields;
pub use node::{
    Document, Mark, Node, NodeId, NodeKind, parse, parse_each, parse_first, split_documents,
};
pub use resolve::{Scalar, resolve, resolve_plain};
pub use scan::Style;
