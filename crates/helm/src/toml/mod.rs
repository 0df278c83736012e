//! TOML as Helm's `toToml` and `fromToml` write and read it: BurntSushi/toml 1.6, bytes and messages.
//!
//! Dates and times come out as [`Datetime`]; the caller makes a value of them, since this module
//! does not know the type that templates see.

mod datetime;
mod decode;
mod encode;
mod lex;

pub use datetime::{Datetime, DatetimeKind};
pub use decode::from_toml;
pub use encode::{EncodeError, to_toml};

/// The text in a basic string, escaped.
fn escape(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        let short = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            0x08 => b"\\b",
            b'\t' => b"\\t",
            b'\n' => b"\\n",
            0x0c => b"\\f",
            b'\r' => b"\\r",
            0..0x20 | 0x7f => {
                out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
                continue;
            }
            _ => {
                out.push(*byte);
                continue;
            }
        };
        out.extend_from_slice(short);
    }
}

/// A key, in quotes when it needs them.
fn write_key(key: &[u8], out: &mut Vec<u8>) {
    let bare = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'-';
    if !key.is_empty() && key.iter().all(bare) {
        out.extend_from_slice(key);
        return;
    }
    out.push(b'"');
    escape(key, out);
    out.push(b'"');
}

/// A dotted key.
fn write_path<'k>(path: impl IntoIterator<Item = &'k [u8]>, out: &mut Vec<u8>) {
    for (index, key) in path.into_iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        write_key(key, out);
    }
}
