//! Encodings and checksums: base64, base32, SHA, Adler-32.
//!
//! Follows sprig 3.3.0 `strings.go` and `crypto.go` with Go 1.26 `encoding/base64` and
//! `encoding/base32`, whose errors `b64dec` and `b32dec` give as their result.

use super::args::{Answer, bytes, function, text};
use crate::template::{Function, Param};
use sha2::Digest;

const S: &[Param] = &[Param::Str];

/// The functions of this file.
pub(super) const TABLE: &[Function] = &[
    function("b64enc", S, |_, a| bytes(base64(text(a, 0)))),
    function("b64dec", S, |_, a| text_or_error(decode_base64(text(a, 0)))),
    function("b32enc", S, |_, a| {
        bytes(data_encoding::BASE32.encode(text(a, 0)))
    }),
    function("b32dec", S, |_, a| text_or_error(decode_base32(text(a, 0)))),
    function("sha1sum", S, |_, a| {
        bytes(hex(&sha1::Sha1::digest(text(a, 0))))
    }),
    function("sha256sum", S, |_, a| {
        bytes(hex(&sha2::Sha256::digest(text(a, 0))))
    }),
    function("sha512sum", S, |_, a| {
        bytes(hex(&sha2::Sha512::digest(text(a, 0))))
    }),
    function("adler32sum", S, |_, a| {
        bytes(adler32(text(a, 0)).to_string())
    }),
];

fn text_or_error(decoded: Result<Vec<u8>, String>) -> Answer {
    match decoded {
        Ok(text) => bytes(text),
        Err(error) => bytes(error),
    }
}

fn hex(digest: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(digest)
}

/// Standard base64 with padding.
pub(super) fn base64(data: &[u8]) -> String {
    data_encoding::BASE64.encode(data)
}

fn adler32(data: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (mut a, mut b) = (1_u32, 0_u32);
    // So many sums fit in 32 bits.
    for chunk in data.chunks(5552) {
        for byte in chunk {
            a += u32::from(*byte);
            b += a;
        }
        a %= MODULUS;
        b %= MODULUS;
    }
    b << 16 | a
}

fn is_newline(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

fn corrupt64(at: usize) -> String {
    format!("illegal base64 data at input byte {at}")
}

fn digit64(byte: u8) -> Option<u32> {
    let digit = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(digit))
}

/// Decodes standard base64 as Go does: newlines anywhere, padding required, loose last bits.
pub(super) fn decode_base64(data: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(data.len() / 4 * 3 + 3);
    let mut at = 0;
    loop {
        let mut digits = [0_u32; 4];
        let mut count = 0;
        while count < 4 {
            let Some(&byte) = data.get(at) else {
                return match count {
                    0 => Ok(out),
                    _ => Err(corrupt64(at - count)),
                };
            };
            at += 1;
            match digit64(byte) {
                Some(digit) => {
                    digits[count] = digit;
                    count += 1;
                }
                None if is_newline(byte) => {}
                None if byte == b'=' && count >= 2 => {
                    end_of_base64(data, at, count)?;
                    break;
                }
                None => return Err(corrupt64(at - 1)),
            }
        }
        let bits = digits.iter().fold(0, |bits, digit| bits << 6 | digit);
        out.extend_from_slice(&bits.to_be_bytes()[1..count]);
        if count < 4 {
            return Ok(out);
        }
    }
}

/// Checks what follows the first padding character.
fn end_of_base64(data: &[u8], from: usize, digits: usize) -> Result<(), String> {
    let skip = |from: usize| {
        let newlines = data[from..].iter().take_while(|byte| is_newline(**byte));
        from + newlines.count()
    };
    let mut at = from;
    if digits == 2 {
        at = skip(at);
        match data.get(at) {
            None => return Err(corrupt64(data.len())),
            Some(b'=') => at += 1,
            Some(_) => return Err(corrupt64(at - 1)),
        }
    }
    at = skip(at);
    if at < data.len() {
        return Err(corrupt64(at));
    }
    Ok(())
}

fn digit32(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'2'..=b'7' => Some(byte - b'2' + 26),
        _ => None,
    }
}

/// Decodes standard base32 as Go does; positions in errors do not count newlines.
fn decode_base32(data: &[u8]) -> Result<Vec<u8>, String> {
    let corrupt = |at: usize| format!("illegal base32 data at input byte {at}");
    let data: Vec<u8> = data.iter().copied().filter(|b| !is_newline(*b)).collect();
    let mut out = Vec::with_capacity(data.len() / 8 * 5 + 5);
    let mut at = 0;
    while at < data.len() {
        let mut digits = [0_u8; 8];
        let mut count = 0;
        while count < 8 {
            let Some(&byte) = data.get(at) else {
                return Err(corrupt(data.len() - count));
            };
            at += 1;
            let left = data.len() - at;
            if byte == b'=' && count >= 2 && left < 8 {
                if left + count < 7 {
                    return Err(corrupt(data.len()));
                }
                let padding = &data[at..data.len().min(at + 7 - count)];
                if let Some(wrong) = padding.iter().position(|byte| *byte != b'=') {
                    return Err(corrupt((at + wrong).saturating_sub(1)));
                }
                if matches!(count, 3 | 6) {
                    return Err(corrupt(at - 1));
                }
                out.extend_from_slice(&pack32(digits)[..count * 5 / 8]);
                return Ok(out);
            }
            digits[count] = digit32(byte).ok_or_else(|| corrupt(at - 1))?;
            count += 1;
        }
        out.extend_from_slice(&pack32(digits));
    }
    Ok(out)
}

/// Eight digits of five bits as five bytes.
fn pack32(digits: [u8; 8]) -> [u8; 5] {
    let bits = digits
        .iter()
        .fold(0_u64, |bits, digit| bits << 5 | u64::from(*digit));
    let [_, _, _, a, b, c, d, e] = bits.to_be_bytes();
    [a, b, c, d, e]
}

#[cfg(test)]
mod tests {
    use super::super::testing::call;

    #[test]
    fn encodes_and_decodes() {
        for (name, from, to) in [
            ("b64enc", "a?>~", "YT8+fg=="),
            ("b64dec", "YT8+\nfg=\n=", "a?>~"),
            ("b64dec", "YT8+fg", "illegal base64 data at input byte 4"),
            ("b64dec", "Y=", "illegal base64 data at input byte 1"),
            ("b64dec", "YQ==x", "illegal base64 data at input byte 4"),
            ("b64dec", "YQ=x", "illegal base64 data at input byte 2"),
            ("b32enc", "12ab", "GEZGCYQ="),
            ("b32dec", "GEZG\nCYQ=", "12ab"),
            ("b32dec", "GEZGCYQ", "illegal base32 data at input byte 0"),
            ("b32dec", "ge", "illegal base32 data at input byte 0"),
            ("sha1sum", "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("adler32sum", "HTTPServerError", "726533570"),
        ] {
            assert_eq!(call(name, &[from.into()]), to, "{name} {from:?}");
        }
    }
}
