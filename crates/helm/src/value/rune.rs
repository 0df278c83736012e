//! Reading runes out of bytes as Go does: whatever is not UTF-8 counts as U+FFFD, one byte long.

/// The rune Go reads where the bytes are not UTF-8.
pub(crate) const RUNE_ERROR: u32 = 0xfffd;

/// The largest rune.
pub(crate) const MAX_RUNE: u32 = 0x0010_ffff;

/// The first rune and its width in bytes (`utf8.DecodeRune`): width 0 at the end, and
/// ([`RUNE_ERROR`], 1) for a byte that starts no valid encoding.
#[must_use]
pub(crate) fn decode_rune(bytes: &[u8]) -> (u32, usize) {
    let Some(&first) = bytes.first() else {
        return (RUNE_ERROR, 0);
    };
    if first < 0x80 {
        return (u32::from(first), 1);
    }
    let width = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return (RUNE_ERROR, 1),
    };
    match bytes
        .get(..width)
        .and_then(|head| std::str::from_utf8(head).ok())
    {
        Some(text) => (text.chars().next().map_or(RUNE_ERROR, u32::from), width),
        None => (RUNE_ERROR, 1),
    }
}

/// The last rune and its width in bytes (`utf8.DecodeLastRune`).
#[must_use]
pub(crate) fn decode_last_rune(bytes: &[u8]) -> (u32, usize) {
    for width in 1..=bytes.len().min(4) {
        let tail = &bytes[bytes.len() - width..];
        if tail[0] & 0xc0 != 0x80 {
            let (rune, read) = decode_rune(tail);
            return if read == width {
                (rune, width)
            } else {
                (RUNE_ERROR, 1)
            };
        }
    }
    (RUNE_ERROR, bytes.len().min(1))
}

/// The runes of a text with their byte offsets, as Go's `range` over a string gives them.
pub(crate) fn runes(bytes: &[u8]) -> impl Iterator<Item = (usize, u32, usize)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (rune, width) = decode_rune(&bytes[at..]);
        if width == 0 {
            return None;
        }
        at += width;
        Some((at - width, rune, width))
    })
}

/// The number of runes (`utf8.RuneCount`).
#[must_use]
pub(crate) fn rune_count(bytes: &[u8]) -> usize {
    if bytes.is_ascii() {
        bytes.len()
    } else {
        runes(bytes).count()
    }
}

/// Appends a rune as UTF-8; what is no rune becomes U+FFFD (`utf8.AppendRune`).
pub(crate) fn append_rune(out: &mut Vec<u8>, rune: u32) {
    let rune = char::from_u32(rune).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(rune.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::{append_rune, decode_last_rune, decode_rune, rune_count};

    #[test]
    fn reads_broken_bytes_one_by_one() {
        assert_eq!(decode_rune(b""), (0xfffd, 0));
        assert_eq!(decode_rune("é!".as_bytes()), (0xe9, 2));
        assert_eq!(decode_rune(b"\xc3"), (0xfffd, 1));
        assert_eq!(decode_rune(b"\xed\xa0\x80"), (0xfffd, 1));
        assert_eq!(decode_last_rune(b"a\xe2\x82"), (0xfffd, 1));
        assert_eq!(decode_last_rune("a☃".as_bytes()), (0x2603, 3));
        assert_eq!(rune_count(b"a\xffb\xc3"), 4);
    }

    #[test]
    fn writes_surrogates_as_replacement() {
        let mut out = Vec::new();
        append_rune(&mut out, 0xd800);
        assert_eq!(out, "\u{fffd}".as_bytes());
    }
}
