//! The second processor for work that shares nothing. Values and templates are counted without locks
//! and stay in one thread; texts do not.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// From how many bytes of text on the work is worth a thread.
const LARGE: usize = 128 << 10;

/// Does the same work for each of these texts, for large ones in two threads, and gives the results in
/// the order of the texts.
pub(crate) fn map<T: Sync, R: Send>(
    texts: &[T],
    text: impl Fn(&T) -> &[u8],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let size: usize = texts.iter().map(|item| text(item).len()).sum();
    if size < LARGE || texts.len() < 2 {
        return texts.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = texts.get(at) else {
                return done;
            };
            done.push((at, work(item)));
        }
    };
    let mut done = thread::scope(|scope| {
        // Where there is no second thread, one does all the work.
        let other = thread::Builder::new().spawn_scoped(scope, take).ok();
        let mut done = take();
        let other = other.map_or(Ok(Vec::new()), thread::ScopedJoinHandle::join);
        done.extend(other.unwrap_or_else(|panic| resume_unwind(panic)));
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::{LARGE, map};

    #[test]
    fn keeps_the_order_of_the_texts() {
        for size in [1, LARGE] {
            let texts: Vec<Vec<u8>> = (0..100).map(|n| vec![n; size / 50 + 1]).collect();
            let found = map(&texts, |text| text, |text| text[0]);
            assert_eq!(found, (0..100).collect::<Vec<u8>>());
        }
    }
}
