//! PEM: base64 between `BEGIN` and `END` lines.
//!
//! Follows Go 1.26 `encoding/pem`: anything may stand before the block, and headers in it are skipped.

use super::encoding::{base64, decode_base64};
use super::strings::find;

/// The label and the content of the first block of a text.
pub(super) fn decode(text: &[u8]) -> Option<(String, Vec<u8>)> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let mut rest = text;
    loop {
        let at = find(rest, BEGIN)?;
        let at_line_start = at == 0 || rest[at - 1] == b'\n';
        rest = &rest[at + BEGIN.len()..];
        if at_line_start && let Some(block) = block(rest) {
            return Some(block);
        }
    }
}

/// The block whose label begins here.
fn block(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let line = text.iter().position(|byte| *byte == b'\n')?;
    let label = text[..line].trim_ascii_end().strip_suffix(b"-----")?;
    let label = std::str::from_utf8(label).ok()?;
    let body = &text[line + 1..];
    let end = find(body, format!("-----END {label}-----").as_bytes())?;
    if end > 0 && body[end - 1] != b'\n' {
        return None;
    }
    let lines = body[..end].split(|byte| *byte == b'\n');
    let digits: Vec<u8> = lines
        .filter(|line| !line.contains(&b':'))
        .flatten()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    Some((label.to_owned(), decode_base64(&digits).ok()?))
}

/// A block.
pub(super) fn encode(label: &str, content: &[u8]) -> String {
    let digits = base64(content);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = digits.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out + &format!("-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn reads_what_it_writes() {
        let text = encode("SOME KEY", &[1; 100]);
        assert_eq!(text.lines().map(str::len).max(), Some(64));
        let noisy = format!("subject: x\n{}", text.replace('\n', "\r\n"));
        let expected = Some(("SOME KEY".to_owned(), vec![1; 100]));
        assert_eq!(decode(noisy.as_bytes()), expected);
        assert_eq!(decode(b"-----BEGIN A-----\nAA==\n-----END B-----\n"), None);
        assert_eq!(decode(b""), None);
    }
}
