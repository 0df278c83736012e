//! Writing DER, the encoding of certificates and keys.

/// The tag of `SEQUENCE`.
const SEQUENCE: u8 = 0x30;

/// One element: tag, length, content.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length) if length < 0x80 => out.push(length),
        _ => {
            let length = content.len().to_be_bytes();
            let zeros = length.iter().take_while(|byte| **byte == 0).count();
            let length = &length[zeros..];
            out.push(0x80 | length.len() as u8);
            out.extend_from_slice(length);
        }
    }
    out.extend_from_slice(content);
    out
}

/// A `SEQUENCE` of elements.
pub(super) fn sequence(elements: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, &elements.concat())
}

/// An unsigned `INTEGER` from its bytes, the highest first.
pub(super) fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = &bytes[zeros..];
    let sign: &[u8] = match bytes.first() {
        Some(first) if *first < 0x80 => &[],
        _ => &[0],
    };
    element(0x02, &[sign, bytes].concat())
}

/// An `OCTET STRING`.
pub(super) fn octets(content: &[u8]) -> Vec<u8> {
    element(0x04, content)
}

/// A `BIT STRING` of whole bytes.
pub(super) fn bits(content: &[u8]) -> Vec<u8> {
    element(0x03, &[&[0], content].concat())
}

/// An `OBJECT IDENTIFIER` from its encoded content.
pub(super) fn oid(content: &[u8]) -> Vec<u8> {
    element(0x06, content)
}

/// `TRUE`.
pub(super) const TRUE: &[u8] = &[0x01, 0x01, 0xff];

/// `NULL`.
pub(super) const NULL: &[u8] = &[0x05, 0x00];

#[cfg(test)]
mod tests {
    use super::{element, integer};

    #[test]
    fn writes_lengths_and_signs() {
        assert_eq!(integer(&[0, 0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0]), [2, 1, 0]);
        assert_eq!(element(4, &[7; 200])[..3], [4, 0x81, 200]);
        assert_eq!(element(4, &[7; 300])[..4], [4, 0x82, 1, 44]);
    }
}
