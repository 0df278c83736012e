//! Ctrl-C and SIGTERM for work that can stop anywhere.

use super::Exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Listens for signals from its making to its end.
pub(super) struct Interrupt {
    /// Cancelled by the first signal.
    pub(super) stop: CancellationToken,
    seen: Arc<AtomicU8>,
    listener: tokio::task::JoinHandle<()>,
}

impl Interrupt {
    /// Begins to listen.
    pub(super) fn listen() -> Self {
        let stop = CancellationToken::new();
        let seen = Arc::new(AtomicU8::new(Exit::Interrupted as u8));
        // Here and not in the task, which may begin only after the work.
        let signals = signal(SignalKind::interrupt()).and_then(|interrupt| {
            let terminate = signal(SignalKind::terminate())?;
            Ok((interrupt, terminate))
        });
        let listener = tokio::spawn(wait(signals, stop.clone(), Arc::clone(&seen)));
        Self {
            stop,
            seen,
            listener,
        }
    }

    /// Does work, and gives it up at the first signal.
    pub(super) async fn unless<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            done = work => Some(done),
        }
    }

    /// How an interrupted run ends.
    pub(super) fn exit(&self) -> Exit {
        if self.seen.load(Ordering::Relaxed) == Exit::Terminated as u8 {
            Exit::Terminated
        } else {
            Exit::Interrupted
        }
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn wait(
    signals: std::io::Result<(Signal, Signal)>,
    stop: CancellationToken,
    seen: Arc<AtomicU8>,
) {
    let Ok((mut interrupt, mut terminate)) = signals else {
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => seen.store(Exit::Terminated as u8, Ordering::Relaxed),
    }
    stop.cancel();
}
