//! Private keys: making, reading and writing them, and signing with them.
//!
//! Follows sprig 3.3.0 `crypto.go`: RSA as PKCS #1, ECDSA (P-256) as SEC 1, Ed25519 as PKCS #8, DSA
//! in OpenSSL's form.

use super::dsa::DsaKey;
use super::modular::Number;
use super::{der, pem, primes};
use p256::ecdsa::signature::Signer;
use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::pkcs8::{DecodePrivateKey, EncodePublicKey};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;
use rsa::pkcs1::{DecodeRsaPrivateKey, EncodeRsaPrivateKey};
use rsa::signature::SignatureEncoding;
use rsa::{BigUint, RsaPrivateKey};

/// A private key.
pub(super) enum PrivateKey {
    Rsa(Box<RsaPrivateKey>),
    Ecdsa(p256::SecretKey),
    Ed25519(ed25519_dalek::SigningKey),
    Dsa(Box<DsaKey>),
}

/// The run's randomness as the older crates want it.
pub(super) struct OldRng<'a>(pub(super) &'a mut ChaCha20Rng);

impl rsa::rand_core::RngCore for OldRng<'_> {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

impl rsa::rand_core::CryptoRng for OldRng<'_> {}

/// The public exponent of RSA keys.
const EXPONENT: u32 = 65_537;

/// The content of the object identifier of P-256.
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// An Ed25519 key in PKCS #8, up to its 32 bytes.
const ED25519_PREFIX: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

impl PrivateKey {
    /// A new RSA key of `128 * N` bits, from two primes of half as many.
    pub(super) fn rsa<const N: usize>(rng: &mut ChaCha20Rng) -> Result<Self, String> {
        let key = |primes: [Number<N>; 2]| {
            let [p, q] = primes.map(|prime| {
                let words = prime.iter().rev().flat_map(|word| word.to_be_bytes());
                BigUint::from_bytes_be(&words.collect::<Vec<u8>>())
            });
            // Fails for primes that are equal, or of which the exponent divides one less.
            RsaPrivateKey::from_p_q(p, q, EXPONENT.into()).ok()
        };
        let key = std::iter::repeat_with(|| primes::pair(rng)).find_map(key);
        Ok(Self::Rsa(Box::new(key.ok_or("no key was found")?)))
    }

    /// A new ECDSA key.
    pub(super) fn ecdsa(rng: &mut ChaCha20Rng) -> Self {
        Self::Ecdsa(p256::SecretKey::random(&mut OldRng(rng)))
    }

    /// A new Ed25519 key.
    pub(super) fn ed25519(rng: &mut ChaCha20Rng) -> Self {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(&seed))
    }

    /// Reads a key from PEM.
    pub(super) fn from_pem(text: &[u8]) -> Result<Self, String> {
        let Some((label, content)) = pem::decode(text) else {
            return Err("no PEM data in input".into());
        };
        if label == "PRIVATE KEY" {
            let malformed = "x509: failed to parse private key";
            return Self::from_pkcs8(&content)
                .ok_or_else(|| format!("decoding PEM as PKCS#8: {malformed}"));
        }
        let Some(kind) = label.strip_suffix(" PRIVATE KEY") else {
            return Err(format!("no private key data in PEM block of type {label}"));
        };
        let malformed = || format!("parsing {kind} private key from PEM: malformed key");
        match kind {
            "RSA" => match RsaPrivateKey::from_pkcs1_der(&content) {
                Ok(key) => Ok(Self::Rsa(Box::new(key))),
                Err(_) => Err(malformed()),
            },
            "EC" => p256::SecretKey::from_sec1_der(&content)
                .map(Self::Ecdsa)
                .map_err(|_| malformed()),
            "DSA" => match DsaKey::from_der(&content) {
                Some(key) => Ok(Self::Dsa(Box::new(key))),
                None => Err(malformed()),
            },
            _ => Err(format!("invalid private key type {label}")),
        }
    }

    fn from_pkcs8(content: &[u8]) -> Option<Self> {
        if let Some(seed) = content.strip_prefix(ED25519_PREFIX) {
            let seed = seed.try_into().ok()?;
            return Some(Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(seed)));
        }
        if let Ok(key) = RsaPrivateKey::from_pkcs8_der(content) {
            return Some(Self::Rsa(Box::new(key)));
        }
        let key = p256::SecretKey::from_pkcs8_der(content).ok()?;
        Some(Self::Ecdsa(key))
    }

    /// The key as PEM.
    pub(super) fn to_pem(&self) -> Result<String, String> {
        Ok(match self {
            Self::Rsa(key) => {
                let content = key.to_pkcs1_der().map_err(|error| error.to_string())?;
                pem::encode("RSA PRIVATE KEY", content.as_bytes())
            }
            Self::Ecdsa(key) => {
                // Both coordinates, uncompressed.
                let public = key.public_key().to_encoded_point(false);
                let content = der::sequence(&[
                    &der::integer(&[1]),
                    &der::octets(&key.to_bytes()),
                    &der::element(0xa0, &der::oid(P256)),
                    &der::element(0xa1, &der::bits(public.as_bytes())),
                ]);
                pem::encode("EC PRIVATE KEY", &content)
            }
            Self::Ed25519(key) => {
                let content = [ED25519_PREFIX, &key.to_bytes()].concat();
                pem::encode("PRIVATE KEY", &content)
            }
            Self::Dsa(key) => pem::encode("DSA PRIVATE KEY", &key.to_der()),
        })
    }

    /// The public key as a `SubjectPublicKeyInfo`.
    pub(super) fn public_info(&self) -> Result<Vec<u8>, String> {
        let document = match self {
            Self::Rsa(key) => key.to_public_key().to_public_key_der(),
            Self::Ecdsa(key) => key.public_key().to_public_key_der(),
            Self::Ed25519(key) => key.verifying_key().to_public_key_der(),
            Self::Dsa(_) => {
                return Err("x509: unsupported public key type: *dsa.PublicKey".into());
            }
        };
        Ok(document.map_err(|error| error.to_string())?.into_vec())
    }

    /// The `AlgorithmIdentifier` of the signatures that the key makes.
    pub(super) fn signature_algorithm(&self) -> Vec<u8> {
        const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
        const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
        const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
        match self {
            Self::Rsa(_) | Self::Dsa(_) => der::sequence(&[&der::oid(RSA_SHA256), der::NULL]),
            Self::Ecdsa(_) => der::sequence(&[&der::oid(ECDSA_SHA256)]),
            Self::Ed25519(_) => der::sequence(&[&der::oid(ED25519)]),
        }
    }

    /// The signature of a message.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Self::Rsa(key) => {
                let key = rsa::pkcs1v15::SigningKey::<rsa::sha2::Sha256>::new((**key).clone());
                let signature = key.try_sign(message).map_err(|error| error.to_string())?;
                Ok(signature.to_vec())
            }
            Self::Ecdsa(key) => {
                let signature: p256::ecdsa::Signature =
                    p256::ecdsa::SigningKey::from(key).sign(message);
                Ok(signature.to_der().as_bytes().to_vec())
            }
            Self::Ed25519(key) => Ok(key.sign(message).to_bytes().to_vec()),
            Self::Dsa(_) => Err("x509: only RSA, ECDSA and Ed25519 keys supported".into()),
        }
    }
}
