//! The time that `--timeout` gives a whole run.

use super::{Error, flags};
use tokio::time::Instant;

/// When the run has to end; never, when nothing says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// The end of the time that begins now.
    pub(super) fn of(flags: &flags::Cluster) -> Self {
        let end = |time| Instant::now().checked_add(time);
        Self(flags.timeout.and_then(end))
    }

    /// Waits until it has passed.
    pub(super) async fn passed(self) {
        match self.0 {
            Some(end) => tokio::time::sleep_until(end).await,
            None => std::future::pending().await,
        }
    }

    /// Does work that writes nothing, and gives it up when the time is over.
    pub(super) async fn bound<T, E: Into<Error>>(
        self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        tokio::select! {
            done = work => done.map_err(Into::into),
            () = self.passed() => Err(Error::failed("the time of `--timeout` is over; nothing was written")
                .hinted("give it more time, or look with `-v` at what takes so long")),
        }
    }
}
