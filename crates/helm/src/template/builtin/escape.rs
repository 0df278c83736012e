//! `html`, `js` and `urlquery`.

use super::{Result, values};
use crate::template::eval::Slot;
use crate::template::fmt;
use crate::value::rune::decode_rune;
use crate::value::{Str, Value, is_print};

/// The arguments as one text, as `print` writes them; a missing value as actions print it.
pub(super) fn text_of(args: &[Slot]) -> Result<Str> {
    if let [only] = args
        && let Value::Str(text) = &only.value
    {
        return Ok(text.clone());
    }
    if let [only] = args
        && !only.value.is_nil()
    {
        let mut text = Vec::new();
        fmt::append_action(&mut text, &only.value, false)?;
        return Ok(text.into());
    }
    let no_value = Value::str("<no value>");
    let shown = values(args).map(|value| if value.is_nil() { &no_value } else { value });
    Ok(fmt::sprint(shown)?)
}

/// Escapes what HTML gives a meaning, as Go's `template.HTMLEscape`.
pub(super) fn html(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        match byte {
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            _ => out.push(byte),
        }
    }
    out
}

/// Escapes for a string of JavaScript, as Go's `template.JSEscape`.
pub(super) fn js(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(&byte) = rest.first() {
        let mut width = 1;
        match byte {
            b'\\' => out.extend_from_slice(br"\\"),
            b'\'' => out.extend_from_slice(br"\'"),
            b'"' => out.extend_from_slice(br#"\""#),
            b'<' | b'>' | b'&' | b'=' | 0..0x20 => {
                out.extend_from_slice(format!("\\u{byte:04X}").as_bytes());
            }
            0x20..0x80 => out.push(byte),
            _ => {
                let (rune, size) = decode_rune(rest);
                width = size;
                if is_print(rune) {
                    out.extend_from_slice(&rest[..size]);
                } else {
                    out.extend_from_slice(format!("\\u{rune:04X}").as_bytes());
                }
            }
        }
        rest = &rest[width..];
    }
    out
}

/// `url.QueryEscape`.
pub(super) fn url_query(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        match byte {
            b' ' => out.push(b'+'),
            b'-' | b'_' | b'.' | b'~' => out.push(byte),
            _ if byte.is_ascii_alphanumeric() => out.push(byte),
            _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{html, js, url_query};

    #[test]
    fn escapes_as_go_does() {
        assert_eq!(
            html(b"<a b=\"'\0\">&"),
            "&lt;a b=&#34;&#39;\u{fffd}&#34;&gt;&amp;".as_bytes()
        );
        assert_eq!(
            js("a'\"\\<=\n\u{e9}\u{200b}".as_bytes()),
            "a\\'\\\"\\\\\\u003C\\u003D\\u000A\u{e9}\\u200B".as_bytes()
        );
        assert_eq!(js(b"\xff"), b"\xff");
        assert_eq!(url_query("a b&c/é~".as_bytes()), b"a+b%26c%2F%C3%A9~");
    }
}
