//! How many writes and trials may be in flight: as many as are begun, until the server says that
//! these are too many; then half of them, and one more each time all of these went well. Knows
//! nothing of when to send again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The pace of a connection.
#[derive(Default)]
pub(super) struct Pace {
    rule: Mutex<Rule>,
    changed: Notify,
}

/// Leave to send one request, once. Dropping it lets the next one begin.
pub(super) struct Turn<'a> {
    pace: &'a Pace,
    halvings: u64,
    /// The status of the answer; without one nothing is learned.
    pub(super) answer: Option<u16>,
}

impl Pace {
    /// Waits until one more request may be in flight.
    pub(super) async fn turn(&self) -> Turn<'_> {
        loop {
            let changed = self.changed.notified();
            if let Some(halvings) = self.rule().begin() {
                return Turn {
                    pace: self,
                    halvings,
                    answer: None,
                };
            }
            changed.await;
        }
    }

    fn rule(&self) -> MutexGuard<'_, Rule> {
        self.rule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.pace.rule().end(self.halvings, self.answer);
        // All are woken, not one: whoever is woken may not be able to go on, such as a write that
        // pauses since the lock is not certain, and would keep the others waiting.
        self.pace.changed.notify_waiters();
    }
}

/// Additive increase, multiplicative decrease.
struct Rule {
    most: usize,
    busy: usize,
    /// Requests that went well since `most` was set.
    well: usize,
    halvings: u64,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            most: usize::MAX,
            busy: 0,
            well: 0,
            halvings: 0,
        }
    }
}

impl Rule {
    /// Begins a request if it may begin, and tells how often the number was halved before.
    fn begin(&mut self) -> Option<u64> {
        (self.busy < self.most).then(|| {
            self.busy += 1;
            self.halvings
        })
    }

    /// Ends a request that was begun after so many halvings. What was in flight together is refused
    /// together, and counts once.
    fn end(&mut self, halvings: u64, answer: Option<u16>) {
        match answer.filter(|_| halvings == self.halvings) {
            Some(429) => {
                self.most = (self.busy / 2).max(1);
                self.halvings += 1;
                self.well = 0;
                tracing::debug!(most = self.most, "fewer requests at once");
            }
            Some(0..500) => {
                self.well += 1;
                if self.well >= self.most {
                    self.most += 1;
                    self.well = 0;
                }
            }
            _ => {}
        }
        self.busy -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begins as many requests as may begin, of at most 16, and ends all with an answer.
    fn round(rule: &mut Rule, answer: Option<u16>) -> usize {
        let begun: Vec<u64> = (0..16).map_while(|_| rule.begin()).collect();
        for halvings in &begun {
            rule.end(*halvings, answer);
        }
        begun.len()
    }

    #[test]
    fn halves_when_there_are_too_many_and_grows_by_one_a_round() {
        let mut rule = Rule::default();
        let answers = [200, 429, 200, 404, 503, 200, 429, 429, 429, 200, 200];
        let begun = answers.map(|answer| round(&mut rule, Some(answer)));
        assert_eq!(begun, [16, 16, 8, 9, 10, 10, 11, 5, 2, 1, 2]);
    }

    #[test]
    fn one_request_may_always_begin() {
        let mut rule = Rule::default();
        let begun = [(); 20].map(|()| round(&mut rule, Some(429)));
        assert_eq!(begun[..5], [16, 8, 4, 2, 1]);
        assert_eq!(begun[19], 1);
    }

    #[test]
    fn a_request_without_an_answer_changes_nothing() {
        let mut rule = Rule::default();
        round(&mut rule, Some(429));
        assert_eq!([(); 3].map(|()| round(&mut rule, None)), [8, 8, 8]);
        assert_eq!(rule.busy, 0);
    }

    #[tokio::test]
    async fn whoever_waits_begins_when_another_ends_or_is_given_up() {
        let pace = Pace::default();
        let mut first = pace.turn().await;
        first.answer = Some(429);
        drop(first);
        let second = pace.turn().await;
        let mut third = std::pin::pin!(pace.turn());
        assert!(futures::poll!(third.as_mut()).is_pending());
        drop(second);
        assert!(futures::poll!(third.as_mut()).is_ready());
    }
}
