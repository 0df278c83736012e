//! Passwords, random texts and encryption.
//!
//! Follows sprig 3.3.0 `crypto.go` and goutils 1.1.1 `cryptorandomstringutils.go`. Hashes are in
//! [`super::encoding`], keys and certificates in [`super::certificates`].

use super::args::{Answer, TEXT_LIMIT, any, bytes, function, int, slice_text, text};
use super::encoding::{base64, decode_base64};
use super::random::{below, fill, source};
use crate::limits::cost;
use crate::template::{Fault, Function, Param, Runtime};
use crate::value::Value;
use crate::value::rune::{append_rune, runes};
use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use hmac::{Hmac, Mac};

const S: Param = Param::Str;
const I: Param = Param::Int;

/// The functions of this file.
pub(super) const TABLE: &[Function] = &[
    function("bcrypt", &[S], |run, a| {
        run.work(cost::BCRYPT)?;
        bytes(bcrypt(run, "bcrypt", text(a, 0)))
    }),
    function("htpasswd", &[S, S], |run, a| {
        let user = text(a, 0);
        if user.contains(&b':') {
            return bytes([b"invalid username: ", user].concat());
        }
        run.work(cost::BCRYPT)?;
        let hash = bcrypt(run, "htpasswd", text(a, 1));
        bytes([user, b":", hash.as_bytes()].concat())
    }),
    function("derivePassword", &[Param::Uint32, S, S, S, S], |run, a| {
        run.work(cost::SCRYPT)?;
        derive_password(a)
    }),
    function("encryptAES", &[S, S], |run, a| {
        encrypt(run, text(a, 0), text(a, 1))
    }),
    function("decryptAES", &[S, S], |_, a| {
        decrypt(text(a, 0), text(a, 1))
    }),
    function("randAlphaNum", &[I], |run, a| {
        random_text(run, "randAlphaNum", int(a, 0), |b| {
            b.is_ascii_alphanumeric()
        })
    }),
    function("randAlpha", &[I], |run, a| {
        random_text(run, "randAlpha", int(a, 0), u8::is_ascii_alphabetic)
    }),
    function("randNumeric", &[I], |run, a| {
        random_text(run, "randNumeric", int(a, 0), u8::is_ascii_digit)
    }),
    function("randAscii", &[I], |run, a| {
        random_text(run, "randAscii", int(a, 0), |_| true)
    }),
    function("randBytes", &[I], |run, a| {
        let count = usize::try_from(int(a, 0)).ok().filter(|n| *n <= TEXT_LIMIT);
        let Some(count) = count else {
            return Err("runtime error: makeslice: len out of range".into());
        };
        let mut drawn = vec![0; count];
        fill(&mut source(run, "randBytes"), &mut drawn);
        bytes(base64(&drawn))
    }),
    function("shuffle", &[S], |run, a| {
        let mut letters: Vec<u32> = runes(text(a, 0)).map(|(_, rune, _)| rune).collect();
        let rng = &mut source(run, "shuffle");
        for last in (1..letters.len()).rev() {
            let other = below(rng, last as u64 + 1);
            letters.swap(last, usize::try_from(other).unwrap_or(last));
        }
        let mut out = Vec::with_capacity(letters.len());
        letters.iter().for_each(|rune| append_rune(&mut out, *rune));
        bytes(out)
    }),
    function("uuidv4", &[], |run, _| {
        let mut id = [0; 16];
        fill(&mut source(run, "uuidv4"), &mut id);
        id[6] = id[6] & 0x0f | 0x40;
        id[8] = id[8] & 0x3f | 0x80;
        let hex = data_encoding::HEXLOWER.encode(&id);
        let parts = [
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        ];
        bytes(parts.join("-"))
    }),
];

/// A text of printable ASCII characters for which the rule holds; none for a negative count.
fn random_text(
    run: &mut dyn Runtime,
    function: &'static str,
    count: i64,
    rule: fn(&u8) -> bool,
) -> Answer {
    let count = usize::try_from(count).unwrap_or(0);
    if count > TEXT_LIMIT {
        return Err("runtime error: makeslice: len out of range".into());
    }
    let alphabet: Vec<u8> = (b' '..0x7f).filter(rule).collect();
    let rng = &mut source(run, function);
    let size = alphabet.len() as u64;
    let draw = |_| usize::try_from(below(rng, size)).map_or(b' ', |at| alphabet[at]);
    bytes((0..count).map(draw).collect::<Vec<u8>>())
}

/// The hash of a password with a cost of 10, as golang.org/x/crypto/bcrypt writes it; its error as text, which
/// Sprig returns in place of the hash.
fn bcrypt(run: &mut dyn Runtime, function: &'static str, password: &[u8]) -> String {
    const COST: u32 = 10;
    const MAX_LENGTH: usize = 72;
    const FAILED: &str = "failed to encrypt string with bcrypt: bcrypt:";
    if password.len() > MAX_LENGTH {
        return format!("{FAILED} password length exceeds {MAX_LENGTH} bytes");
    }
    let mut salt = [0; 16];
    fill(&mut source(run, function), &mut salt);
    match bcrypt::hash_with_salt(password, COST, salt) {
        Ok(hash) => hash.format_for_version(bcrypt::Version::TwoA),
        Err(error) => format!("{FAILED} {error}"),
    }
}

/// The templates of `derivePassword` for a type of password.
fn password_templates(kind: &[u8]) -> Option<&'static [&'static str]> {
    Some(match kind {
        b"maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        b"long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        b"medium" => &["CvcnoCvc", "CvcCvcno"],
        b"short" => &["Cvcn"],
        b"basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        b"pin" => &["nnnn"],
        _ => return None,
    })
}

/// The characters that a letter of a password template stands for.
fn template_characters(letter: u8) -> &'static [u8] {
    match letter {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

/// The Master Password algorithm.
fn derive_password(args: &[Value]) -> Answer {
    const SCOPE: &[u8] = b"com.lyndir.masterpassword";
    let (kind, password, user, site) = (text(args, 1), text(args, 2), text(args, 3), text(args, 4));
    let Some(templates) = password_templates(kind) else {
        return bytes([b"cannot find password template ", kind].concat());
    };
    let counter = match any(args, 0) {
        Value::Uint(counter, _) => *counter as u32,
        _ => 0,
    };
    let length = |text: &[u8]| (text.len() as u32).to_be_bytes();
    let salt = [SCOPE, &length(user), user].concat();
    let failed = |error: String| Fault::new(format!("failed to derive password: {error}"));
    let params = scrypt::Params::new(15, 8, 2).map_err(|error| failed(error.to_string()))?;
    let mut key = [0; 64];
    scrypt::scrypt(password, &salt, &params, &mut key)
        .map_err(|error| failed(error.to_string()))?;
    let mut mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(&key)
        .map_err(|error| failed(error.to_string()))?;
    mac.update(&[SCOPE, &length(site), site, &counter.to_be_bytes()].concat());
    let seed = mac.finalize().into_bytes();
    let template = templates[usize::from(seed[0]) % templates.len()];
    let characters = template.bytes().zip(&seed[1..]).map(|(letter, byte)| {
        let characters = template_characters(letter);
        characters[usize::from(*byte) % characters.len()]
    });
    bytes(characters.collect::<Vec<u8>>())
}

/// The block of AES, in bytes.
const BLOCK: usize = 16;

/// The key is the password, cut or filled with zeros.
fn cipher(password: &[u8]) -> Aes256 {
    let mut key = [0; 32];
    let length = password.len().min(key.len());
    key[..length].copy_from_slice(&password[..length]);
    Aes256::new(&key.into())
}

/// AES-256-CBC with the initialization vector in front, as base64.
fn encrypt(run: &mut dyn Runtime, password: &[u8], plain: &[u8]) -> Answer {
    if plain.is_empty() {
        return bytes("");
    }
    let cipher = cipher(password);
    let padding = BLOCK - plain.len() % BLOCK;
    let mut padded = plain.to_vec();
    padded.resize(plain.len() + padding, padding as u8);
    let mut previous = [0; BLOCK];
    fill(&mut source(run, "encryptAES"), &mut previous);
    let mut out = previous.to_vec();
    for chunk in padded.chunks_exact(BLOCK) {
        let mut block: [u8; BLOCK] = std::array::from_fn(|at| chunk[at] ^ previous[at]);
        cipher.encrypt_block((&mut block).into());
        out.extend_from_slice(&block);
        previous = block;
    }
    bytes(base64(&out))
}

/// What [`encrypt`] made, by the last byte without its padding.
///
/// # Errors
/// What is not such a text; several of them are panics of Sprig, whose words they have.
fn decrypt(password: &[u8], encrypted: &[u8]) -> Answer {
    if encrypted.is_empty() {
        return bytes("");
    }
    let data = decode_base64(encrypted)?;
    // The buffer that Go decodes into.
    let capacity = encrypted.len() / 4 * 3;
    if capacity < BLOCK {
        let text =
            format!("runtime error: slice bounds out of range [:16] with capacity {capacity}");
        return Err(Fault::new(text));
    }
    let cipher = cipher(password);
    let length = data.len();
    let Some((vector, data)) = data.split_first_chunk::<BLOCK>() else {
        return Err(format!("runtime error: slice bounds out of range [16:{length}]").into());
    };
    if data.len() % BLOCK != 0 {
        return Err("crypto/cipher: input not full blocks".into());
    }
    let mut previous = *vector;
    let mut out = Vec::with_capacity(data.len());
    for chunk in data.chunks_exact(BLOCK) {
        let encrypted: [u8; BLOCK] = std::array::from_fn(|at| chunk[at]);
        let mut block = encrypted;
        cipher.decrypt_block((&mut block).into());
        out.extend(block.iter().zip(previous).map(|(byte, mask)| byte ^ mask));
        previous = encrypted;
    }
    let Some(padding) = out.last() else {
        return Err("runtime error: index out of range [-1]".into());
    };
    let length = i64::try_from(out.len()).unwrap_or(i64::MAX);
    bytes(slice_text(&out, None, Some(length - i64::from(*padding)))?)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, fails};
    use crate::value::{UintKind, Value};

    #[test]
    fn derives_passwords() {
        let derive = |kind: &str| {
            let counter = Value::Uint(1, UintKind::Uint32);
            call(
                "derivePassword",
                &[
                    counter,
                    kind.into(),
                    "password".into(),
                    "user".into(),
                    "example.com".into(),
                ],
            )
        };
        assert_eq!(derive("long"), "ZedaFaxcZaso9*");
        assert_eq!(derive("maximum"), "pf4zS1LjCg&LjhsZ7T2~");
        assert_eq!(derive("pin"), "6685");
        assert_eq!(derive("odd"), "cannot find password template odd");
    }

    #[test]
    fn encrypts_what_it_decrypts() {
        for plain in [
            "p",
            "exactly 16 bytes",
            "something that is longer than a block",
        ] {
            let secret = call("encryptAES", &["key".into(), plain.into()]);
            assert_eq!(call("decryptAES", &["key".into(), secret.into()]), plain);
        }
        assert_eq!(
            call(
                "decryptAES",
                &[
                    "secretkey".into(),
                    "30tEfhuJSVRhpG97XCuWgz2okj7L8vQ1s6V9zVUPeDQ=".into()
                ]
            ),
            "plaintext"
        );
        assert_eq!(
            fails("decryptAES", &["k".into(), "AAAA".into()]),
            "runtime error: slice bounds out of range [:16] with capacity 3"
        );
    }

    #[test]
    fn hashes_passwords() {
        let hash = call("htpasswd", &["joe".into(), "secret".into()]);
        let hash = hash.strip_prefix("joe:").unwrap();
        assert!(hash.starts_with("$2a$10$"), "{hash}");
        assert!(bcrypt::verify("secret", hash).unwrap());
        assert_eq!(
            call("bcrypt", &["x".repeat(73).into()]),
            "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes"
        );
        assert_eq!(
            call("htpasswd", &["a:b".into(), "x".into()]),
            "invalid username: a:b"
        );
    }

    #[test]
    fn draws_texts() {
        let text = call("randAlphaNum", &[Value::int(64)]);
        assert!(text.len() == 64 && text.bytes().all(|b| b.is_ascii_alphanumeric()));
        assert!(call("randNumeric", &[Value::int(9)]).parse::<u64>().is_ok());
        assert_eq!(call("randAlpha", &[Value::int(-1)]), "");
        let mut letters: Vec<char> = call("shuffle", &["héllo".into()]).chars().collect();
        letters.sort_unstable();
        assert_eq!(letters, ['h', 'l', 'l', 'o', 'é']);
        let id = call("uuidv4", &[]);
        assert!(id.len() == 36 && id.as_bytes()[14] == b'4', "{id}");
    }
}
