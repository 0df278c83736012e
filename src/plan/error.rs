//! Why changes cannot be ordered.

use crate::object::ObjectRef;
use std::fmt;

/// One change of a cycle and why it waits for the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The object.
    pub target: ObjectRef,
    /// Why it waits for the next one of the cycle.
    pub reason: String,
}

/// Why changes cannot be ordered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An annotation about order cannot be read.
    #[error(transparent)]
    Annotation(Box<Annotation>),
    /// Changes wait for each other.
    #[error("changes wait for each other:{}", Cycle(.0))]
    Cycle(
        /// The changes, each waiting for the next, the last for the first.
        Vec<Blocked>,
    ),
}

/// An annotation about order that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}{target}: annotation {annotation} {value:?}: {message}")]
pub struct Annotation {
    /// The object that carries it.
    pub target: ObjectRef,
    /// The file and line of the object, ending in `: `; empty for a live object.
    pub place: String,
    /// The key of the annotation.
    pub annotation: String,
    /// Its value.
    pub value: String,
    /// What is wrong with it.
    pub message: String,
}

struct Cycle<'a>(&'a [Blocked]);

impl fmt::Display for Cycle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, blocked) in self.0.iter().enumerate() {
            let next = &self.0[(i + 1) % self.0.len()];
            write!(
                f,
                "\n  {} waits for {}: {}",
                blocked.target, next.target, blocked.reason
            )?;
        }
        Ok(())
    }
}
