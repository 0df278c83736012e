//! Public keys, and whether a signature is of one of them that may sign now.
//!
//! The cryptography is that of the `pgp` crate. What makes a key good is decided here, as GnuPG and Helm do: it has a
//! valid signature of its own, is neither revoked nor expired, and may sign; a subkey and its key vouch for each other.

use super::Error;
use pgp::composed::{
    Deserializable as _, DetachedSignature, PublicOrSecret, SignedPublicKey as Key,
    SignedPublicSubKey, SignedSecretKey,
};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{KeyFlags, PacketParser, PacketTrait as _, Signature, SignatureType};
use pgp::types::{Fingerprint, KeyDetails, KeyId, Tag, Timestamp};
use std::io::Cursor;
use std::path::Path;

/// The largest file of keys that is read, in bytes.
const MAX_KEYRING: u64 = 64 << 20;
/// How many signatures of one text are looked at.
const MAX_SIGNATURES: usize = 16;

/// How far the clock of who signs may be ahead, in seconds.
const AHEAD: i64 = 300;

/// Public keys whose signatures are believed.
#[derive(Debug)]
pub struct Keyring {
    path: String,
    keys: Vec<Key>,
}

impl Keyring {
    /// Reads the keys of a file: GnuPG's `pubring.gpg` or `pubring.kbx`, or what `gpg --export` writes, armored or not.
    ///
    /// # Errors
    /// A file that cannot be read or holds no keys.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let wrong = |cause: &str| Error::Keyring {
            path: path.display().to_string(),
            cause: cause.to_owned(),
        };
        let size = std::fs::metadata(path).map_err(|error| wrong(&error.to_string()))?;
        if size.len() > MAX_KEYRING {
            return Err(wrong(&format!("is larger than {MAX_KEYRING} bytes")));
        }
        let file = std::fs::read(path).map_err(|error| wrong(&error.to_string()))?;
        let keys = keys(&file).map_err(|cause| wrong(&cause))?;
        match keys.is_empty() {
            true => Err(wrong("holds no OpenPGP keys")),
            false => Ok(Self {
                path: path.display().to_string(),
                keys,
            }),
        }
    }

    /// Who signed a text, by an armored signature of it.
    ///
    /// # Errors
    /// Why that is not known, as a sentence about the text.
    pub(super) fn signer(&self, text: &[u8], armor: &[u8], now: i64) -> Result<String, String> {
        let unreadable = |_| "its signature cannot be read".to_owned();
        let (signatures, _) = DetachedSignature::from_armor_many(armor).map_err(unreadable)?;
        let mut unknown = Vec::new();
        let mut refused = None;
        for signature in signatures.take(MAX_SIGNATURES) {
            let signature = signature.map_err(unreadable)?.signature;
            let mut is_known = false;
            for key in &self.keys {
                match by(&signature, key, text, now) {
                    Some(Ok(())) => return Ok(name_of(key)),
                    Some(Err(cause)) => {
                        refused.get_or_insert(cause);
                        is_known = true;
                    }
                    None => {}
                }
            }
            if !is_known {
                unknown.push(issuer(&signature));
            }
        }
        Err(match (refused, unknown.first()) {
            (Some(cause), _) => cause,
            (None, Some(issuer)) => {
                format!(
                    "it is signed by key {issuer}, which is not in {}",
                    self.path
                )
            }
            (None, None) => "it is not signed".to_owned(),
        })
    }
}

/// The keys of a file in one of its forms.
fn keys(file: &[u8]) -> Result<Vec<Key>, String> {
    let is_box = file.get(4) == Some(&1) && file.get(8..12) == Some(b"KBXf");
    let mut keys = Vec::new();
    if is_box {
        keys.extend(binary(&blocks_of(file)?)?);
    } else if file.trim_ascii_start().starts_with(b"-----BEGIN PGP") {
        // One file may hold what was exported several times.
        let text = String::from_utf8_lossy(file);
        const BEGIN: &str = "-----BEGIN PGP";
        for block in text.split(BEGIN).skip(1) {
            let block = [BEGIN, block].concat();
            let parsed = PublicOrSecret::from_armor_many(Cursor::new(block.into_bytes()));
            let (parsed, _) = parsed.map_err(|error| error.to_string())?;
            keys.extend(parsed.filter_map(Result::ok).map(public));
        }
    } else {
        keys.extend(binary(file)?);
    }
    Ok(keys)
}

/// The keys of packets, without what GnuPG notes between them, at which the parser of keys would stop.
fn binary(file: &[u8]) -> Result<Vec<Key>, String> {
    let packets = PacketParser::new(file).filter_map(Result::ok);
    let mut packets = packets.filter(|one| one.tag() != Tag::Trust).peekable();
    let is_secret = packets
        .peek()
        .is_some_and(|one| one.tag() == Tag::SecretKey);
    let packets = packets.map(Ok).peekable();
    Ok(match is_secret {
        true => SignedSecretKey::from_packets(packets)
            .filter_map(Result::ok)
            .map(|key| key.to_public_key())
            .collect(),
        false => Key::from_packets(packets).filter_map(Result::ok).collect(),
    })
}

fn public(key: PublicOrSecret) -> Key {
    match key {
        PublicOrSecret::Public(key) => key,
        PublicOrSecret::Secret(key) => key.to_public_key(),
    }
}

/// The OpenPGP keys in a keybox of GnuPG.
///
/// Follows GnuPG's `kbx/keybox-blob.c`: blobs with their length, their type, and where their key is.
fn blocks_of(file: &[u8]) -> Result<Vec<u8>, String> {
    const OPENPGP: u8 = 2;
    const EPHEMERAL: u8 = 2;
    let damaged = || "is a damaged keybox".to_owned();
    let number = |blob: &[u8], at: usize| -> Option<usize> {
        let bytes = blob.get(at..at + 4)?;
        usize::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok()
    };
    let mut keys = Vec::new();
    let mut rest = file;
    while !rest.is_empty() {
        let length = number(rest, 0).filter(|length| *length >= 5);
        let length = length.ok_or_else(damaged)?;
        let (blob, after) = rest.split_at_checked(length).ok_or_else(damaged)?;
        rest = after;
        if blob[4] != OPENPGP || blob.get(7).is_none_or(|flags| flags & EPHEMERAL != 0) {
            continue;
        }
        let place = number(blob, 8).zip(number(blob, 12));
        let key = place.and_then(|(at, length)| blob.get(at..at.checked_add(length)?));
        keys.extend_from_slice(key.ok_or_else(damaged)?);
    }
    Ok(keys)
}

/// Whether a signature of a text is of a key or one of its subkeys; `None` when it says to be of another key.
fn by(signature: &Signature, key: &Key, text: &[u8], now: i64) -> Option<Result<(), String>> {
    let subkey = key
        .public_subkeys
        .iter()
        .find(|one| is_of(signature, &one.key));
    let fits = match subkey {
        _ if is_of(signature, &key.primary_key) => signature.verify(&key.primary_key, text),
        Some(subkey) => signature.verify(&subkey.key, text),
        None => return None,
    };
    if fits.is_err() {
        let cause = "its text is not the one that was signed: one of the two was changed";
        return Some(Err(cause.to_owned()));
    }
    let subkey = subkey.filter(|_| !is_of(signature, &key.primary_key));
    Some(may_sign(key, subkey, now).and_then(|()| is_valid(signature, now)))
}

fn is_of(signature: &Signature, key: &impl KeyDetails) -> bool {
    let by_id = |id: &&KeyId| **id == key.legacy_key_id();
    let by_print = |print: &&Fingerprint| **print == key.fingerprint();
    signature.issuer_key_id().iter().any(by_id)
        || signature.issuer_fingerprint().iter().any(by_print)
}

/// Refuses signatures of hashes that can be forged, and those that are not valid now.
fn is_valid(signature: &Signature, now: i64) -> Result<(), String> {
    if !matches!(
        signature.hash_alg(),
        Some(
            HashAlgorithm::Sha224
                | HashAlgorithm::Sha256
                | HashAlgorithm::Sha384
                | HashAlgorithm::Sha512
                | HashAlgorithm::Sha3_256
                | HashAlgorithm::Sha3_512
        )
    ) {
        return Err("its signature is of a hash that can be forged".to_owned());
    }
    let is_text = matches!(
        signature.typ(),
        Some(SignatureType::Text | SignatureType::Binary)
    );
    let Some(created) = signature.created().filter(|_| is_text) else {
        return Err("its signature is of another kind".to_owned());
    };
    let created = i64::from(created.as_secs());
    if created > now.saturating_add(AHEAD) {
        return Err("its signature is of the future".to_owned());
    }
    match signature.signature_expiration_time() {
        Some(life) if ends(created, life.as_secs()) <= now => {
            Err("its signature has expired".to_owned())
        }
        _ => Ok(()),
    }
}

/// When something ends that lives for some seconds; 0 is for ever.
fn ends(begin: i64, seconds: u32) -> i64 {
    match seconds {
        0 => i64::MAX,
        seconds => begin + i64::from(seconds),
    }
}

/// Refuses keys that may not sign now.
fn may_sign(key: &Key, subkey: Option<&SignedPublicSubKey>, now: i64) -> Result<(), String> {
    let name = name_of(key);
    let primary = &key.primary_key;
    let mut revocations = key.details.revocation_signatures.iter();
    if revocations.any(|one| one.verify_key(primary).is_ok()) {
        return Err(format!("the key of {name} is revoked"));
    }
    let Some(own) = newest(own_signatures(key)) else {
        return Err(format!(
            "the key of {name} has no valid signature of its own"
        ));
    };
    let expired = |created: i64, signature: &Signature| {
        let life = signature.key_expiration_time();
        life.is_some_and(|life| ends(created, life.as_secs()) <= now)
    };
    if expired(i64::from(primary.created_at().as_secs()), own) {
        return Err(format!("the key of {name} has expired"));
    }
    let Some(subkey) = subkey else {
        // A key that says nothing about itself may do everything.
        let flags = own.key_flags();
        return match flags.sign() || flags == KeyFlags::default() {
            true => Ok(()),
            false => Err(format!("the key of {name} is not for signing")),
        };
    };
    let bindings = subkey.signatures.iter();
    let valid = |one: &&Signature| one.verify_subkey_binding(primary, &subkey.key).is_ok();
    let valid: Vec<&Signature> = bindings.filter(valid).collect();
    if valid
        .iter()
        .any(|one| one.typ() == Some(SignatureType::SubkeyRevocation))
    {
        return Err(format!("the subkey of {name} is revoked"));
    }
    let Some(binding) = newest(valid) else {
        return Err(format!("the subkey of {name} is not bound to its key"));
    };
    let back = binding.embedded_signature();
    let is_back = |back: &Signature| {
        back.verify_primary_key_binding(&subkey.key, primary)
            .is_ok()
    };
    if !binding.key_flags().sign() || !back.is_some_and(is_back) {
        return Err(format!("the subkey of {name} is not for signing"));
    }
    match expired(i64::from(subkey.key.created_at().as_secs()), binding) {
        true => Err(format!("the subkey of {name} has expired")),
        false => Ok(()),
    }
}

/// The signatures by which a key says what it is.
fn own_signatures(key: &Key) -> Vec<&Signature> {
    let primary = &key.primary_key;
    let direct = key.details.direct_signatures.iter();
    let direct = direct.filter(|one| one.verify_key(primary).is_ok());
    let users = key.details.users.iter().flat_map(|user| {
        let of_user = move |one: &&Signature| {
            one.typ() != Some(SignatureType::CertRevocation)
                && is_of(one, primary)
                && one
                    .verify_certification(primary, Tag::UserId, &user.id)
                    .is_ok()
        };
        user.signatures.iter().filter(of_user)
    });
    direct.chain(users).collect()
}

fn newest(signatures: Vec<&Signature>) -> Option<&Signature> {
    let created = |one: &&Signature| one.created().map(Timestamp::as_secs);
    signatures.into_iter().max_by_key(created)
}

/// The first user of a key, and its fingerprint.
fn name_of(key: &Key) -> String {
    let user = key.details.users.first();
    let user = user.map(|user| String::from_utf8_lossy(user.id.id()).into_owned());
    let user = user.unwrap_or_else(|| "nobody".to_owned());
    let user: String = user.chars().filter(|c| !c.is_control()).collect();
    format!("{user} ({:X})", key.primary_key.fingerprint())
}

/// The key that a signature says to be of.
fn issuer(signature: &Signature) -> String {
    if let Some(print) = signature.issuer_fingerprint().first() {
        return format!("{print:X}");
    }
    match signature.issuer_key_id().first() {
        Some(id) => format!("{id:?}"),
        None => "without a name".to_owned(),
    }
}
