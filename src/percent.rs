//! Percent-encoding of parts of URLs (RFC 3986), the one way in which it is done.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All but what RFC 3986 calls unreserved.
const PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const PATH: &AsciiSet = &PART.remove(b'/');

/// A text as one segment of a path, or a name or value of a query.
#[must_use]
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, PART).to_string()
}

/// A text as a path; its slashes stay.
#[must_use]
pub fn encode_path(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string()
}

/// A text with `%41` as `A`; `None` when that is not UTF-8.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::{decode, encode, encode_path};

    #[test]
    fn all_but_the_unreserved_is_encoded() {
        assert_eq!(encode("a/b+c d~é"), "a%2Fb%2Bc%20d~%C3%A9");
        assert_eq!(encode_path("a/b+c d~é"), "a/b%2Bc%20d~%C3%A9");
        assert_eq!(decode("a%2fb+%C3%A9%4").unwrap(), "a/b+é%4");
        assert_eq!(decode("%C3"), None);
    }
}
