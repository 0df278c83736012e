//! DSA keys, which `genPrivateKey "dsa"` still makes.
//!
//! Follows Go 1.26 `crypto/dsa` with the sizes that sprig 3.3.0 asks for (2048 and 256 bits).

use super::{der, modular};
use bigdecimal::num_bigint::BigUint;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;

/// The size of the modulus in bits.
const P_BITS: usize = 2048;

/// The size of the order of the subgroup in bits.
const Q_BITS: usize = 256;

/// A DSA key: P, Q, G, Y, X.
pub(super) struct DsaKey([BigUint; 5]);

impl DsaKey {
    /// A new key with parameters of its own.
    pub(super) fn generate(rng: &mut ChaCha20Rng) -> Self {
        let one = BigUint::from(1_u8);
        let (p, q) = parameters(rng);
        let power = (&p - &one) / &q;
        let mut h = BigUint::from(2_u8);
        let g = loop {
            let g = h.modpow(&power, &p);
            if g != one {
                break g;
            }
            h += &one;
        };
        let x = loop {
            let x = random(rng, Q_BITS);
            if x < q && x > BigUint::ZERO {
                break x;
            }
        };
        let y = g.modpow(&x, &p);
        Self([p, q, g, y, x])
    }

    /// Reads a key as [`DsaKey::to_der`] writes it.
    pub(super) fn from_der(content: &[u8]) -> Option<Self> {
        let key: Vec<BigUint> = integers(content)?;
        let [_version, p, q, g, y, x] = <[BigUint; 6]>::try_from(key).ok()?;
        Some(Self([p, q, g, y, x]))
    }

    /// The key in OpenSSL's form: version 0 and the numbers.
    pub(super) fn to_der(&self) -> Vec<u8> {
        let numbers = self.0.iter().map(BigUint::to_bytes_be);
        let mut content = der::integer(&[0]);
        for number in numbers {
            content.extend(der::integer(&number));
        }
        der::sequence(&[&content])
    }
}

/// The integers of a DER sequence that holds nothing else.
fn integers(content: &[u8]) -> Option<Vec<BigUint>> {
    use x509_cert::der::{Decode, asn1::UintRef};
    let numbers = Vec::<UintRef<'_>>::from_der(content).ok()?;
    Some(
        numbers
            .iter()
            .map(|number| BigUint::from_bytes_be(number.as_bytes()))
            .collect(),
    )
}

/// Primes P and Q such that Q divides P − 1.
fn parameters(rng: &mut ChaCha20Rng) -> (BigUint, BigUint) {
    let one = BigUint::from(1_u8);
    loop {
        let mut q = random(rng, Q_BITS);
        q.set_bit(0, true);
        q.set_bit(Q_BITS as u64 - 1, true);
        if !is_prime::<{ Q_BITS / 64 }>(rng, &q) {
            continue;
        }
        for _ in 0..4 * P_BITS {
            let mut p = random(rng, P_BITS);
            p.set_bit(P_BITS as u64 - 1, true);
            p = &p - &p % (&q * 2_u8) + &one;
            if p.bits() == P_BITS as u64 && is_prime::<{ P_BITS / 64 }>(rng, &p) {
                return (p, q);
            }
        }
    }
}

fn random(rng: &mut ChaCha20Rng, bits: usize) -> BigUint {
    let mut bytes = vec![0; bits / 8];
    rng.fill_bytes(&mut bytes);
    BigUint::from_bytes_be(&bytes)
}

/// Whether a number of `64 * N` bits, its highest and lowest bit set, is prime.
fn is_prime<const N: usize>(rng: &mut ChaCha20Rng, number: &BigUint) -> bool {
    let has_factor = |divisor: u32| (number % divisor).bits() == 0;
    let words = number.to_u64_digits().try_into();
    !(3..4000).step_by(2).any(has_factor)
        && words.is_ok_and(|words| modular::is_prime::<N>(rng, &words))
}
