//! Keyed digests that tell whether anything changed since the last apply without keeping a value.
//!
//! The digests are HMAC-SHA256 with a random key of the app, so that a secret's value cannot be
//! guessed from one.

use super::{Object, managed_fields};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

/// What the record keeps of an object after it was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The digest of the manifest that was applied: the in hex.
    pub desired: String,
    /// The digest of the live values under the fields our manager owned right after, likewise.
    pub owned: String,
}

/// Takes the fingerprint of an object: of the manifest that was sent and of what the server made
/// of it under the fields that `manager` owns.
#[must_use]
pub fn fingerprint(
    key: &[u8],
    desired: &Object,
    live_after: &Object,
    manager: &str,
) -> Fingerprint {
    let owned = managed_fields::applied_by(live_after, manager)
        .map_or(Value::Null, |set| set.values(Some(live_after.tree())));
    Fingerprint {
        desired: desired_digest(key, desired),
        owned: digest(key, &owned),
    }
}

/// The digest of a manifest: of the very text that is sent, so that a text that begins to be sent in
/// another way counts as changed.
#[must_use]
pub fn desired_digest(key: &[u8], desired: &Object) -> String {
    short(key, desired.apply_body().as_bytes())
}

/// Digests fill most of a record, so that half of them doubles the objects that an app may have.
/// With a secret key 128 bits leave no room for a collision, by chance or by intent.
const KEPT_BYTES: usize = 16;

/// The first half of the HMAC-SHA256 of a tree, in hex. The keys of maps are sorted, so equal trees have equal digests.
#[must_use]
pub fn digest(key: &[u8], tree: &Value) -> String {
    short(key, tree.to_string().as_bytes())
}

fn short(key: &[u8], text: &[u8]) -> String {
    hex(&hmac(key, text)[..KEPT_BYTES])
}

/// HMAC-SHA256.
pub(crate) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("invariant: HMAC takes any key");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Bytes in lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live(replicas: i64, image: &str) -> Object {
        Object::new(json!({
            "kind": "Deployment", "metadata": {"managedFields": [
                {"manager": "windlass", "operation": "Apply", "fieldsV1": {"f:spec": {"f:image": {}}}}]},
            "spec": {"replicas": replicas, "image": image}
        }))
        .unwrap()
    }

    #[test]
    fn only_owned_values_change_the_fingerprint() {
        let desired = Object::new(json!({"spec": {"image": "a"}})).unwrap();
        let before = fingerprint(b"key", &desired, &live(1, "a"), "windlass");
        assert_eq!(
            before,
            fingerprint(b"key", &desired, &live(5, "a"), "windlass")
        );
        assert_ne!(
            before.owned,
            fingerprint(b"key", &desired, &live(1, "b"), "windlass").owned
        );
    }

    #[test]
    fn what_is_sent_in_another_way_than_its_text_is_another_manifest() {
        let plain = Object::new(json!({"a": "b"})).unwrap();
        assert_eq!(desired_digest(b"key", &plain), digest(b"key", plain.tree()));
        let special = Object::new(json!({"a": "b \u{85} c"})).unwrap();
        assert_ne!(
            desired_digest(b"key", &special),
            digest(b"key", special.tree())
        );
    }

    #[test]
    fn another_key_gives_another_digest() {
        assert_ne!(digest(b"a", &json!({})), digest(b"b", &json!({})));
        insta::assert_snapshot!(digest(b"key", &json!({"b": 1, "a": 2})), @"a433fc865606bb34d2739757c3cca7d8");
    }
}
