//! What is told while a file is fetched, and what takes its bytes.

use super::Error;
use std::time::Duration;

/// Something that happens while a file is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passing {
    /// Bytes arrived.
    Bytes {
        /// How many there are now.
        there: u64,
        /// How many there will be, where the server says so.
        of: Option<u64>,
    },
    /// A try failed, and another one follows.
    Again {
        /// Why it failed.
        cause: Error,
        /// How long is waited before the next one.
        wait: Duration,
    },
}

/// Is told what happens.
pub type Watch<'a> = &'a (dyn Fn(Passing) + Sync);

/// What takes the bytes of a file as they arrive. A file that is fetched again begins with a clone of the empty one.
pub trait Sink: Clone {
    /// Takes the bytes that follow.
    fn push(&mut self, chunk: &[u8]);
}

impl Sink for Vec<u8> {
    fn push(&mut self, chunk: &[u8]) {
        self.extend_from_slice(chunk);
    }
}

/// How an answer is read.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    /// How many bytes it may have.
    pub(super) limit: u64,
    /// Is told how it goes.
    pub(super) watch: Watch<'a>,
}
