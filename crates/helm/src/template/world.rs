//! The outside world as values, so that a render can be repeated.

use crate::re2::Patterns;
use crate::value::Value;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// Answers Helm's `lookup`.
pub trait Lookup {
    /// The object, or a list when `name` is empty; an empty map when there is none.
    ///
    /// # Errors
    /// The text of the failure.
    fn get(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Value, String>;
}

/// Time, randomness and the cluster, as one render sees them.
pub struct World {
    /// The time of `now`, fixed for the whole render.
    pub now: jiff::Timestamp,
    /// The source of `randAlphaNum`, `genCA`, `uuidv4`, …
    pub random: ChaCha20Rng,
    /// Where `lookup` asks; `None` answers as `helm template` does, with an empty map.
    pub lookup: Option<Box<dyn Lookup>>,
    /// The names of the functions called so far whose result no second render would repeat.
    pub unrepeatable: std::collections::BTreeSet<&'static str>,
    /// The regular expressions compiled so far.
    pub(crate) patterns: Patterns,
}

impl World {
    /// A world at this time, without a cluster, whose randomness follows from the seed alone.
    ///
    /// ```
    /// use windlass_helm::template::World;
    ///
    /// let world = World::new("2026-01-01T00:00:00Z".parse()?, [7; 32]);
    /// assert!(world.lookup.is_none() && world.unrepeatable.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(now: jiff::Timestamp, seed: [u8; 32]) -> Self {
        Self {
            now,
            random: ChaCha20Rng::from_seed(seed),
            lookup: None,
            unrepeatable: std::collections::BTreeSet::new(),
            patterns: Patterns::default(),
        }
    }
}
