//! What is told while dependencies are asked for and fetched.

use crate::registry::{Passing, Watch};

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// What was done, in words.
    Note(&'a str),
    /// What is done although it may be a mistake, in words.
    Warning(&'a str),
    /// A file begins to be fetched.
    Begun {
        /// The file: a chart with its version, or the index of a repository.
        file: &'a str,
        /// Where a chart comes from; `None` for an index.
        source: Option<&'a str>,
    },
    /// How that goes.
    Passing {
        /// The file.
        file: &'a str,
        /// What happens to it.
        passing: Passing,
    },
    /// It is there, or is not to be had.
    Ended {
        /// The file.
        file: &'a str,
    },
}

/// Is told what happens.
pub type Tell<'a> = &'a (dyn Fn(Event<'_>) + Sync);

/// Tells the beginning and the end of work on a file, and what happens between.
pub(super) async fn told<T>(
    tell: Tell<'_>,
    file: &str,
    source: Option<&str>,
    work: impl AsyncFnOnce(Watch<'_>) -> T,
) -> T {
    tell(Event::Begun { file, source });
    let done = work(&|passing| tell(Event::Passing { file, passing })).await;
    tell(Event::Ended { file });
    done
}
