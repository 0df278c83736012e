//! Random primes for RSA keys.
//!
//! A random number and the odd numbers after it are sieved with all small primes before any of them is
//! tested, which saves two of three tests, and the tests are what takes long.

use super::modular::{Number, is_prime};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::thread;

/// Below it are the primes that are sieved with, so that two of them fit into 32 bits.
const SMALL: u32 = 1 << 16;

/// How many odd numbers are sieved at once. Of numbers of 2048 bits, one in 700 odd ones is prime.
const WINDOW: u32 = 1 << 12;

/// Two random primes of `64 * N` bits with their highest two bits set. They are searched for at the same
/// time, each with randomness of its own, so that the same seed finds the same primes.
pub(super) fn pair<const N: usize>(rng: &mut ChaCha20Rng) -> [Number<N>; 2] {
    let mut seeds = [[0; 32]; 2];
    seeds.iter_mut().for_each(|seed| rng.fill_bytes(seed));
    let [first, second] = seeds;
    let search = |seed| prime(&mut ChaCha20Rng::from_seed(seed));
    let (one, other) = thread::scope(|scope| {
        let other = thread::Builder::new().spawn_scoped(scope, || search(second));
        (
            search(first),
            other.ok().and_then(|other| other.join().ok()),
        )
    });
    // Where there is no second thread, one does all the work.
    [one, other.unwrap_or_else(|| search(second))]
}

fn prime<const N: usize>(rng: &mut ChaCha20Rng) -> Number<N> {
    let small = small_primes();
    loop {
        let mut start: Number<N> = std::array::from_fn(|_| rng.next_u64());
        start[0] |= 1;
        start[N - 1] |= 0b11 << 62;
        let sieved = sieve(&start, &small);
        let left = (0..).zip(sieved).filter(|(_, is_composite)| !is_composite);
        let mut candidates = left.map_while(|(step, _): (u64, bool)| plus(&start, 2 * step));
        if let Some(prime) = candidates.find(|candidate| is_prime(rng, candidate)) {
            return prime;
        }
    }
}

/// A sum, if it is not longer than the number.
fn plus<const N: usize>(number: &Number<N>, mut term: u64) -> Option<Number<N>> {
    let mut sum = *number;
    for word in &mut sum {
        let carry;
        (*word, carry) = word.overflowing_add(term);
        term = u64::from(carry);
    }
    (term == 0).then_some(sum)
}

/// Which of the odd numbers from `start` on have a small factor.
fn sieve<const N: usize>(start: &Number<N>, small: &[u32]) -> Vec<bool> {
    let mut composite = vec![false; WINDOW as usize];
    for primes in small.chunks(2) {
        let rest = remainder(start, primes.iter().product());
        for prime in primes {
            // The distance to the next multiple; to the one after it if that is even.
            let distance = (prime - rest % prime) % prime;
            let odd_steps = distance + prime * (distance % 2);
            let multiples = (odd_steps / 2..WINDOW).step_by(*prime as usize);
            multiples.for_each(|step| composite[step as usize] = true);
        }
    }
    composite
}

fn remainder<const N: usize>(number: &Number<N>, divisor: u32) -> u32 {
    let divisor = u64::from(divisor);
    let rest = number.iter().rev().fold(0, |rest, word| {
        let rest = (rest << 32 | word >> 32) % divisor;
        (rest << 32 | word & u64::from(u32::MAX)) % divisor
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
    use super::super::modular::is_prime;
    use super::{pair, plus, remainder, sieve, small_primes};
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn finds_the_same_primes_again() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let found = pair::<4>(&mut rng);
        assert_eq!(found, pair(&mut ChaCha20Rng::from_seed([1; 32])));
        for prime in &found {
            assert_eq!(prime[3] >> 62, 0b11);
            assert!(is_prime(&mut rng, prime));
        }
    }

    #[test]
    fn sieves_exactly_the_multiples() {
        let start = [0x0123_4567_89ab_cdef, u64::MAX, 0xc123];
        let small = &small_primes()[..51];
        assert_eq!(small[..5], [3, 5, 7, 11, 13]);
        for (step, composite) in (0..).zip(sieve(&start, small)) {
            let number = plus(&start, 2 * step).unwrap();
            let has_factor = small.iter().any(|prime| remainder(&number, *prime) == 0);
            assert_eq!(composite, has_factor, "{step}");
        }
        assert_eq!(plus(&[u64::MAX, u64::MAX], 2), None);
    }
}
