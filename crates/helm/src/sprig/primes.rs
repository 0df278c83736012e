//! Random primes for RSA keys.
//!
//! A random number and the odd numbers after it are sieved with all small primes before any of them is
//! tested, which saves two of three tests, and the tests are what takes long.

use num_bigint_dig::BigUint;
use num_bigint_dig::prime::probably_prime;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::thread;

/// Below it are the primes that are sieved with.
const SMALL: u32 = 1 << 17;

/// How many odd numbers are sieved at once. Of numbers of 2048 bits, one in 700 odd ones is prime.
const WINDOW: u32 = 1 << 12;

/// How many random bases a number is tested with, after base 2 and before the test of Lucas. FIPS 186-5
/// (table B.1) asks for five in all, for primes of keys of 2048 bits, and for fewer in longer ones.
const ROUNDS: usize = 5;

/// Two random primes of that size, at least 16 bits, with their highest two bits set. They are searched for
/// at the same time, each with randomness of its own, so that the same seed finds the same primes.
pub(super) fn pair(rng: &mut ChaCha20Rng, bits: [usize; 2]) -> [BigUint; 2] {
    let mut seeds = [[0; 32]; 2];
    seeds.iter_mut().for_each(|seed| rng.fill_bytes(seed));
    let search = |at: usize| prime(&mut ChaCha20Rng::from_seed(seeds[at]), bits[at]);
    let (one, other) = thread::scope(|scope| {
        let other = thread::Builder::new().spawn_scoped(scope, || search(1));
        (search(0), other.ok().and_then(|other| other.join().ok()))
    });
    // Where there is no second thread, one does all the work.
    [one, other.unwrap_or_else(|| search(1))]
}

fn prime(rng: &mut ChaCha20Rng, bits: usize) -> BigUint {
    let small = small_primes();
    loop {
        let start = random(rng, bits);
        let number = BigUint::from_bytes_be(&start);
        let sieved = sieve(&start, &small);
        let left = (0..).zip(sieved).filter(|(_, is_composite)| !is_composite);
        let mut candidates = left.map(|(step, _): (u32, bool)| &number + 2 * step);
        let found = candidates.find(|candidate| probably_prime(candidate, ROUNDS));
        if let Some(prime) = found.filter(|prime| prime.bits() == bits) {
            return prime;
        }
    }
}

/// An odd number of so many bits, its highest two bits set.
fn random(rng: &mut ChaCha20Rng, bits: usize) -> Vec<u8> {
    let mut bytes = vec![0; bits.div_ceil(8)];
    rng.fill_bytes(&mut bytes);
    bytes[0] &= 0xff >> (8 * bytes.len() - bits);
    let last = bytes.len() - 1;
    for bit in [0, bits - 2, bits - 1] {
        bytes[last - bit / 8] |= 1 << (bit % 8);
    }
    bytes
}

/// Which of the odd numbers from `start` on have a small factor.
fn sieve(start: &[u8], small: &[u32]) -> Vec<bool> {
    let mut composite = vec![false; WINDOW as usize];
    for &prime in small {
        let rest = remainder(start, prime);
        // The distance to the next multiple; to the one after it if that is even.
        let distance = (prime - rest) % prime;
        let odd_steps = distance + prime * (distance % 2);
        let multiples = (odd_steps / 2..WINDOW).step_by(prime as usize);
        multiples.for_each(|step| composite[step as usize] = true);
    }
    composite
}

fn remainder(number: &[u8], divisor: u32) -> u32 {
    let divisor = u64::from(divisor);
    let words = number.rchunks(4).rev();
    let rest = words.fold(0, |rest, word| {
        let shifted = word
            .iter()
            .fold(rest, |value, byte| value << 8 | u64::from(*byte));
        shifted % divisor
    });
    u32::try_from(rest).unwrap_or_default()
}

/// The odd primes below [`SMALL`].
fn small_primes() -> Vec<u32> {
    let mut composite = vec![false; SMALL as usize];
    let mut primes = Vec::new();
    for number in (3..SMALL).step_by(2) {
        if !composite[number as usize] {
            primes.push(number);
            let multiples = (number.saturating_mul(number)..SMALL).step_by(number as usize);
            multiples.for_each(|multiple| composite[multiple as usize] = true);
        }
    }
    primes
}

#[cfg(test)]
mod tests {
    use super::{pair, remainder, sieve, small_primes};
    use num_bigint_dig::BigUint;
    use num_bigint_dig::prime::probably_prime;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn finds_primes_of_the_size_that_is_asked_for() {
        for bits in [256, 259] {
            let found = pair(&mut ChaCha20Rng::from_seed([1; 32]), [bits, bits + 1]);
            let again = pair(&mut ChaCha20Rng::from_seed([1; 32]), [bits, bits + 1]);
            assert_eq!(found, again);
            for (prime, bits) in found.iter().zip([bits, bits + 1]) {
                assert_eq!((prime >> (bits - 2)).to_bytes_be(), [3]);
                assert!(probably_prime(prime, 20));
            }
        }
    }

    #[test]
    fn sieves_exactly_the_multiples() {
        let start = [0xc1, 0x23, 0x45, 0x67, 0x89, 0xab];
        let number = BigUint::from_bytes_be(&start);
        let small = &small_primes()[..50];
        assert_eq!(small[..5], [3, 5, 7, 11, 13]);
        for (step, composite) in sieve(&start, small).into_iter().enumerate() {
            let bytes = (&number + 2 * step).to_bytes_be();
            let has_factor = small.iter().any(|prime| remainder(&bytes, *prime) == 0);
            assert_eq!(composite, has_factor, "{step}");
        }
    }
}
