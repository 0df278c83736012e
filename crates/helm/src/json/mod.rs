//! JSON as Go's `encoding/json` writes and reads it, to and from template values.
//!
//! The difference from other JSON libraries is in the bytes: sorted keys, HTML escapes, Go's form of
//! floats, `null` for nil slices, and Go's error texts. Follows Go 1.26 encoding/json.

mod decode;
mod encode;

pub use decode::{from_json, from_json_list, from_json_map};
pub(crate) use encode::plain;
pub(crate) use encode::valid_text;
pub use encode::{to_json, to_json_pretty, to_json_raw};
