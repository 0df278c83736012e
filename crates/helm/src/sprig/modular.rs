//! Arithmetic modulo large odd numbers, and the test whether such a number is prime.
//!
//! Numbers are arrays of 64-bit words, the lowest first, so that loops have a known length. Nothing here
//! takes the same time for all numbers: it finds primes and does not handle messages.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;

/// A number of `64 * N` bits.
pub(super) type Number<const N: usize> = [u64; N];

/// How many random bases are enough for a random number of so many bits that is prime in base 2.
///
/// Follows Go 1.26 `crypto/internal/fips140/rsa/keygen.go`, `isPrime`: a composite passes with a chance
/// below 2⁻¹⁰⁰. For primes of keys of 2048 bits FIPS 186-5 (table B.1) asks for as many.
fn rounds(bits: usize) -> usize {
    match bits {
        1345.. => 4,
        476.. => 5,
        308.. => 8,
        _ => 27,
    }
}

/// Whether a number is prime, of which the lowest and the highest bit are set.
pub(super) fn is_prime<const N: usize>(rng: &mut ChaCha20Rng, number: &Number<N>) -> bool {
    let modulus = Modulus::new(*number);
    // Base 2 needs no multiplications, and nearly every composite fails it.
    modulus.is_strong_probable_prime(|power| *power = modulus.sum(power, power))
        && (0..rounds(64 * N)).all(|_| {
            // Drawn in Montgomery's form: the base it stands for is as random as it is.
            let base = std::array::from_fn(|_| rng.next_u64());
            let base = modulus.reduced(base, false);
            modulus.is_strong_probable_prime(|power| *power = modulus.product(power, &base))
        })
}

/// An odd number with its highest bit set, to calculate modulo it. All numbers given and returned are in
/// Montgomery's form (`x` is kept as `x · 2^(64 N)`) and less than it.
struct Modulus<const N: usize> {
    number: Number<N>,
    /// What makes the lowest word of a sum zero: −1 / number, modulo 2⁶⁴.
    inverse: u64,
}

impl<const N: usize> Modulus<N> {
    fn new(number: Number<N>) -> Self {
        // Newton's iteration doubles the bits that are right, from one on.
        let inverse = (0..6).fold(1_u64, |inverse, _| {
            let error = 2_u64.wrapping_sub(number[0].wrapping_mul(inverse));
            inverse.wrapping_mul(error)
        });
        let inverse = inverse.wrapping_neg();
        Self { number, inverse }
    }

    /// A number below twice the modulus, less the modulus where it is not below that.
    fn reduced(&self, number: Number<N>, carry: bool) -> Number<N> {
        if carry || number.iter().rev().ge(self.number.iter().rev()) {
            difference(&number, &self.number)
        } else {
            number
        }
    }

    fn sum(&self, one: &Number<N>, other: &Number<N>) -> Number<N> {
        let (mut sum, mut carry) = ([0; N], false);
        for at in 0..N {
            let (partial, first) = one[at].overflowing_add(other[at]);
            let (word, second) = partial.overflowing_add(u64::from(carry));
            (sum[at], carry) = (word, first | second);
        }
        self.reduced(sum, carry)
    }

    /// Multiplies and divides by 2⁶⁴ in turns, word by word. Two carries at once keep the processor busy.
    fn product(&self, one: &Number<N>, other: &Number<N>) -> Number<N> {
        let (mut sum, mut top) = ([0; N], false);
        for &word in other {
            let (lowest, mut high) = multiply_add(one[0], word, sum[0], 0);
            let factor = lowest.wrapping_mul(self.inverse);
            let (_, mut carry) = multiply_add(self.number[0], factor, lowest, 0);
            for at in 1..N {
                let partial;
                (partial, high) = multiply_add(one[at], word, sum[at], high);
                (sum[at - 1], carry) = multiply_add(self.number[at], factor, partial, carry);
            }
            let (partial, first) = high.overflowing_add(carry);
            let (word, second) = partial.overflowing_add(u64::from(top));
            (sum[N - 1], top) = (word, first | second);
        }
        self.reduced(sum, top)
    }

    /// The test of Miller and Rabin in the base that a power is multiplied by.
    fn is_strong_probable_prime(&self, multiply: impl Fn(&mut Number<N>)) -> bool {
        let bit = |at: usize| self.number[at / 64] >> (at % 64) & 1 == 1;
        // As the highest bit is set, 2^(64 N) is the modulus and what is missing.
        let one = difference(&[0; N], &self.number);
        let minus_one = difference(&self.number, &one);
        // The number less one, without its factors of two, is the exponent.
        let twos = (1..64 * N).find(|&at| bit(at)).unwrap_or(1);
        let mut power = one;
        for at in (twos..64 * N).rev() {
            power = self.product(&power, &power);
            if bit(at) {
                multiply(&mut power);
            }
        }
        if power == one || power == minus_one {
            return true;
        }
        (1..twos).any(|_| {
            power = self.product(&power, &power);
            power == minus_one
        })
    }
}

/// `one * other + term + carry`, as its low and its high word; it always fits.
#[inline]
fn multiply_add(one: u64, other: u64, term: u64, carry: u64) -> (u64, u64) {
    let sum = u128::from(one) * u128::from(other) + u128::from(term) + u128::from(carry);
    (sum as u64, (sum >> 64) as u64)
}

/// A difference modulo 2^(64 N).
fn difference<const N: usize>(one: &Number<N>, other: &Number<N>) -> Number<N> {
    let (mut difference, mut borrow) = ([0; N], false);
    for at in 0..N {
        let (partial, first) = one[at].overflowing_sub(other[at]);
        let (word, second) = partial.overflowing_sub(u64::from(borrow));
        (difference[at], borrow) = (word, first | second);
    }
    difference
}

#[cfg(test)]
mod tests {
    use super::{Modulus, Number, is_prime};
    use bigdecimal::num_bigint::BigUint;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::{RngCore, SeedableRng};

    fn big<const N: usize>(number: &Number<N>) -> BigUint {
        let words = number.iter().rev().flat_map(|word| word.to_be_bytes());
        BigUint::from_bytes_be(&words.collect::<Vec<u8>>())
    }

    fn words<const N: usize>(number: &BigUint) -> Number<N> {
        let digits = number.to_u64_digits();
        std::array::from_fn(|at| digits.get(at).copied().unwrap_or(0))
    }

    #[test]
    fn calculates_as_num_bigint_does() {
        let rng = &mut ChaCha20Rng::from_seed([5; 32]);
        let mut draw = || -> Number<3> {
            // Words of all zeros and all ones are where carries go wrong.
            std::array::from_fn(|_| match rng.next_u32() % 4 {
                0 => 0,
                1 => u64::MAX,
                _ => rng.next_u64(),
            })
        };
        for _ in 0..2_000 {
            let mut number = draw();
            number[0] |= 1;
            number[2] |= 1 << 63;
            let modulus = Modulus::new(number);
            let [one, other] = [draw(), draw()].map(|drawn| modulus.reduced(drawn, false));
            let (m, a, b) = (big(&number), big(&one), big(&other));
            assert_eq!(big(&modulus.sum(&one, &other)), (&a + &b) % &m);
            let product = big(&modulus.product(&one, &other));
            assert!(product < m);
            assert_eq!((product << 192) % &m, a * b % m);
        }
    }

    #[test]
    fn knows_primes_and_composites() {
        let rng = &mut ChaCha20Rng::from_seed([5; 32]);
        let two = |exponent: u32| BigUint::from(1_u8) << exponent;
        // 2⁶⁴ − 59 and 2²⁵⁶ − 189 are the largest primes of their sizes.
        let (small, large) = (two(64) - 59_u8, two(256) - 189_u8);
        assert!(is_prime(rng, &words::<1>(&small)) && is_prime(rng, &words::<4>(&large)));
        assert!(!is_prime(rng, &words::<4>(&(&large - 2_u8))));
        assert!(!is_prime(rng, &words::<2>(&(&small * &small))));
        // 2147484349 · 4294968697 passes in base 2; of the prime, one less has 32 factors of two.
        let [pseudoprime, prime] = [0x8000_0579_800e_fc55, 0xffff_ffff_0000_0001];
        assert!(!is_prime(rng, &[pseudoprime]));
        assert!(
            Modulus::new([pseudoprime]).is_strong_probable_prime(|power| {
                *power = Modulus::new([pseudoprime]).sum(power, power);
            })
        );
        assert!(is_prime(rng, &[prime]));
    }
}
