//! Randomness for the functions that want it, taken from the run's [`World`](crate::template::World).

use crate::template::Runtime;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;

/// The source of randomness for a call of a function.
pub(super) fn source(run: &mut dyn Runtime, function: &'static str) -> ChaCha20Rng {
    run.world().random(function)
}

/// A number below a limit, each equally likely; 0 when the limit is.
pub(super) fn below(rng: &mut ChaCha20Rng, limit: u64) -> u64 {
    if limit == 0 {
        return 0;
    }
    let fair = u64::MAX - u64::MAX % limit;
    loop {
        let drawn = rng.next_u64();
        if drawn < fair {
            return drawn % limit;
        }
    }
}

/// Random bytes.
pub(super) fn fill(rng: &mut ChaCha20Rng, bytes: &mut [u8]) {
    rng.fill_bytes(bytes);
}
