//! The outside world as values, so that a render can be repeated.

use super::origin::Place;
use crate::limits::{MAX_CALLS, STEPS, TEMPLATE_BYTES, TEMPLATE_STEPS};
use crate::re2::Patterns;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::BTreeSet;

/// What a template asks Helm's `lookup` for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Query {
    /// `v1`, `apps/v1`, …
    pub api_version: String,
    /// `Secret`, `Deployment`, …
    pub kind: String,
    /// The namespace; empty for all of them, and for kinds that have none.
    pub namespace: String,
    /// The name; empty for all objects, as a list.
    pub name: String,
}

/// Answers Helm's `lookup`: with the object, with a list (`items`) when the query has no name, with an
/// empty object when there is none, or with the text of a failure.
///
/// It is called while the template runs, on its thread. An answer that may change between two renders makes them
/// differ; each call is noted in [`World::calls`].
pub type Lookup = Box<dyn FnMut(&Query) -> Result<serde_json::Value, String>>;

/// A call whose result does not follow from chart and values: of the time, randomness, or the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// The name of the function.
    pub function: &'static str,
    /// Where it was called; for the text of a `tpl`, the line of the file that runs it.
    pub place: Place,
}

/// What templates may take. The defaults are far above what charts need.
///
/// A step is about 100 ns: an action or a call; calls that take long count for as many as the time they
/// take. So the limits bound the time of a render, and which template runs into one does not depend on
/// the machine.
///
/// ```
/// use windlass_helm::template::{Templates, World};
/// use windlass_helm::value::Value;
///
/// let mut templates = Templates::new(&[]);
/// templates.parse("t", "{{ range 1000000 }}{{ end }}")?;
/// let mut world = World::new("2026-01-01T00:00:00Z".parse()?, [0; 32]);
/// world.limits.template_steps = 1000;
/// let error = templates.execute("t", &Value::Nil, &mut world).unwrap_err();
/// assert_eq!(error.cause(), "template takes more than 1000 steps");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many steps all executions in a world may still take.
    pub steps: u64,
    /// How many steps one execution may take.
    pub template_steps: u64,
    /// How many bytes one execution may write or get from functions, lists and maps included.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: STEPS,
            template_steps: TEMPLATE_STEPS,
            bytes: TEMPLATE_BYTES,
        }
    }
}

/// Time, randomness and the cluster, as one render sees them.
///
/// Nothing else reaches a template from outside of the chart. Two renders in equal worlds give the same bytes, on any
/// machine; [`World::calls`] tells which functions would give others in another world:
///
/// ```
/// use windlass_helm::sprig;
/// use windlass_helm::template::{Templates, World};
/// use windlass_helm::value::Value;
///
/// let mut templates = Templates::new(sprig::tables());
/// templates.parse("t", "a: {{ randAlpha 8 }}\nb: {{ upper \"x\" }}\n")?;
/// let mut world = World::new("2026-01-01T00:00:00Z".parse()?, [7; 32]);
/// let output = templates.execute("t", &Value::Nil, &mut world)?;
/// assert_eq!(world.calls.len(), 1);
/// assert_eq!((world.calls[0].function, world.calls[0].place.line), ("randAlpha", 1));
/// assert_eq!(templates.execute("t", &Value::Nil, &mut world.again())?, output);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A world is used up by a render: its [`limits`](World::limits) are what is left of them.
pub struct World {
    /// The time of `now`, fixed for the whole render.
    pub now: jiff::Timestamp,
    /// Where `lookup` asks; `None` answers as `helm template` does, with an empty map.
    pub lookup: Option<Lookup>,
    /// What templates may still take.
    pub limits: Limits,
    /// The calls so far whose result a second render need not repeat, in their order.
    pub calls: Vec<Call>,
    seed: [u8; 32],
    /// How many such calls there were.
    asked: u64,
    /// The calls that see another time and other randomness.
    elsewhere: Option<(BTreeSet<usize>, jiff::Timestamp, [u8; 32])>,
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
    /// assert!(world.lookup.is_none() && world.calls.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(now: jiff::Timestamp, seed: [u8; 32]) -> Self {
        Self {
            now,
            lookup: None,
            limits: Limits::default(),
            calls: Vec::new(),
            seed,
            asked: 0,
            elsewhere: None,
            patterns: Patterns::default(),
        }
    }

    /// This world as it was before any call, without a cluster.
    #[must_use]
    pub fn again(&self) -> Self {
        Self::new(self.now, self.seed)
    }

    /// The world of a render that repeats the one in this world, but for some of its [`Self::calls`], by
    /// their index: these see time and randomness of another world. What then differs comes from them.
    #[must_use]
    pub fn differing_at(&self, calls: BTreeSet<usize>, other: &Self) -> Self {
        Self {
            elsewhere: Some((calls, other.now, other.seed)),
            ..self.again()
        }
    }

    /// The time for a function, noted as one that cannot repeat.
    pub(crate) fn time(&mut self, function: &'static str) -> jiff::Timestamp {
        self.ask(function).0
    }

    /// Randomness for a function, noted as one that cannot repeat. Each call has a stream of its own, so
    /// that how much one draws changes nothing in the others.
    pub(crate) fn random(&mut self, function: &'static str) -> ChaCha20Rng {
        let stream = self.asked;
        let mut rng = ChaCha20Rng::from_seed(self.ask(function).1);
        rng.set_stream(stream);
        rng
    }

    /// Notes a call and tells what it sees.
    fn ask(&mut self, function: &'static str) -> (jiff::Timestamp, [u8; 32]) {
        let index = usize::try_from(self.asked).unwrap_or(usize::MAX);
        self.asked += 1;
        self.note(function);
        match &self.elsewhere {
            Some((calls, now, seed)) if calls.contains(&index) => (*now, *seed),
            _ => (self.now, self.seed),
        }
    }

    /// Notes a call whose place is told later, by [`Self::place`].
    fn note(&mut self, function: &'static str) {
        if self.calls.len() < MAX_CALLS {
            let place = Place {
                file: String::new(),
                line: 0,
            };
            self.calls.push(Call { function, place });
        }
    }

    /// Asks the cluster.
    pub(crate) fn look_up(&mut self, query: &Query) -> Option<Result<serde_json::Value, String>> {
        self.ask("lookup");
        self.lookup.as_mut().map(|lookup| lookup(query))
    }

    /// Tells the place of the calls since there were so many, but for those in other files.
    pub(crate) fn place(&mut self, since: usize, place: &Place) {
        for call in self.calls.iter_mut().skip(since) {
            if !call.place.is_in_file() {
                call.place = place.clone();
            }
        }
    }
}
