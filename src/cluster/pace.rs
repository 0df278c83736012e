//! How many writes and trials may be in flight: as many as are begun, until the server says that
//! these are too many, or answers so slowly that fewer may do as well. Knows nothing of when to send
//! again.
//!
//! Too many (429): half of them. Slow: three quarters of them, as long as that costs nothing. A server
//! that is busy answers each request the sooner the fewer there are, so that as many are done in a
//! second; one that is merely far away, or calls slow webhooks, does not, and then the number is what
//! it was before. In between there is one more each time all of these went well.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Answers that take as long on average are worth a try with fewer requests at once. Nothing that a
/// server does at its usual speed takes as long.
const SLOW: Duration = Duration::from_millis(500);
/// How many rounds after such a try that did not help there is no other one.
const HOLD: u32 = 16;

/// The pace of a connection.
#[derive(Default)]
pub(super) struct Pace {
    rule: Mutex<Rule>,
    changed: Notify,
}

/// Leave to send one request, once. Dropping it lets the next one begin.
pub(super) struct Turn<'a> {
    pace: &'a Pace,
    era: u64,
    begun: Instant,
    /// The status of the answer; without one nothing is learned.
    pub(super) answer: Option<u16>,
}

impl Pace {
    /// Waits until one more request may be in flight.
    pub(super) async fn turn(&self) -> Turn<'_> {
        loop {
            let changed = self.changed.notified();
            if let Some(era) = self.rule().begin() {
                return Turn {
                    pace: self,
                    era,
                    begun: Instant::now(),
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
        let took = self.begun.elapsed();
        self.pace.rule().end(self.era, self.answer, took);
        // All are woken, not one: whoever is woken may not be able to go on, such as a write that
        // pauses since the lock is not certain, and would keep the others waiting.
        self.pace.changed.notify_waiters();
    }
}

/// Additive increase, multiplicative decrease, which for slowness is taken back where it does not help.
struct Rule {
    most: usize,
    busy: usize,
    /// How often `most` was set anew. Answers to what was begun before tell nothing of it.
    era: u64,
    round: Round,
    /// Whether a round is over. What comes at once at the beginning is answered sooner than what comes
    /// when as many are waiting, and compares with nothing.
    is_warm: bool,
    /// The number, and how long answers took, before fewer were tried because of slowness.
    before: Option<(usize, Round)>,
    /// In so many rounds slowness is borne.
    hold: u32,
}

/// What was learned since the number was set, or raised: as many answers as there were requests at
/// once.
#[derive(Clone, Copy, Default)]
struct Round {
    answers: u32,
    /// The most requests that were in flight.
    peak: usize,
    /// How long the answers took, and how many requests were in flight when each came, in sum.
    took: Duration,
    beside: u32,
}

impl Round {
    fn is_slow(&self) -> bool {
        self.took >= SLOW * self.answers
    }

    /// Whether a server did less in a second than in an `other` round, by more than an eighth. What is
    /// done in a second is what is in flight by how long it takes.
    fn is_less_than(&self, other: &Self) -> bool {
        self.took.as_nanos() * u128::from(other.beside) * 8
            > other.took.as_nanos() * u128::from(self.beside) * 9
    }
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            most: usize::MAX,
            busy: 0,
            era: 0,
            round: Round::default(),
            is_warm: false,
            before: None,
            hold: 0,
        }
    }
}

impl Rule {
    /// Begins a request if it may begin, and tells the era that it belongs to.
    fn begin(&mut self) -> Option<u64> {
        (self.busy < self.most).then(|| {
            self.busy += 1;
            self.round.peak = self.round.peak.max(self.busy);
            self.era
        })
    }

    /// Ends a request of an era. What was in flight together is refused together, and counts once.
    fn end(&mut self, era: u64, answer: Option<u16>, took: Duration) {
        match answer.filter(|_| era == self.era) {
            Some(429) => {
                self.before = None;
                self.set((self.busy / 2).max(1));
            }
            Some(0..500) => {
                self.round.answers += 1;
                self.round.took += took;
                self.round.beside += u32::try_from(self.busy).unwrap_or(u32::MAX);
                if self.round.answers as usize >= self.round.peak {
                    self.learn();
                }
            }
            // Where the server fails, or does not answer at all, nothing is to be learned of its speed.
            Some(_) => self.again(),
            None => {}
        }
        self.busy -= 1;
    }

    /// Draws the conclusion of a round.
    fn learn(&mut self) {
        let round = self.round;
        let fewer = (round.peak * 3 / 4).max(1);
        let is_slow = round.is_slow();
        match self.before {
            None if !self.is_warm => {
                self.is_warm = true;
                self.set(self.most);
            }
            Some((most, before)) if round.is_less_than(&before) => {
                self.before = None;
                self.hold = HOLD;
                self.set(most);
            }
            // Compared with what was before the first of these tries, so that little losses do not add up.
            Some((_, before)) if is_slow && fewer < round.peak => {
                self.before = Some((self.most, before));
                self.set(fewer);
            }
            None if is_slow && self.hold == 0 && fewer < round.peak => {
                self.before = Some((self.most, round));
                self.set(fewer);
            }
            _ => {
                self.before = None;
                self.hold = self.hold.saturating_sub(1);
                if round.peak >= self.most {
                    self.most += 1;
                }
                self.again();
            }
        }
    }

    fn set(&mut self, most: usize) {
        self.most = most;
        self.era += 1;
        self.again();
        tracing::debug!(most, "other number of requests at once");
    }

    fn again(&mut self) {
        self.round = Round {
            peak: self.busy.min(self.most),
            ..Round::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begins as many requests as may begin, of at most 16, and ends all with an answer.
    fn round(rule: &mut Rule, answer: Option<u16>) -> usize {
        round_of(rule, answer, |_| Duration::ZERO)
    }

    /// The same with a server whose answers take longer the more requests there are.
    fn round_of(rule: &mut Rule, answer: Option<u16>, took: impl Fn(u32) -> Duration) -> usize {
        let begun: Vec<u64> = (0..16).map_while(|_| rule.begin()).collect();
        let number = u32::try_from(begun.len()).unwrap();
        for era in &begun {
            // What ends makes room for the next one, as in a run with much to do.
            rule.end(*era, answer, took(number));
        }
        begun.len()
    }

    fn rounds(rule: &mut Rule, count: usize, took: impl Fn(u32) -> Duration) -> Vec<usize> {
        (0..count)
            .map(|_| round_of(rule, Some(200), &took))
            .collect()
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

    #[test]
    fn a_busy_server_gets_fewer_until_its_answers_come_in_time() {
        let mut rule = Rule::default();
        let begun = rounds(&mut rule, 10, |number| Duration::from_millis(100) * number);
        // 4 take 400 ms, so that one more is tried, which makes it 500 ms again.
        assert_eq!(begun, [16, 16, 12, 9, 6, 4, 5, 3, 4, 5]);
    }

    #[test]
    fn a_server_that_is_merely_far_away_gets_as_many_as_before() {
        let mut rule = Rule::default();
        let begun = rounds(&mut rule, 36, |_| Duration::from_secs(1));
        let fewer: Vec<usize> = (0..36).filter(|round| begun[*round] < 16).collect();
        assert_eq!(fewer, [2, 20]);
        assert_eq!(begun[2], 12);
    }

    #[test]
    fn a_fast_server_gets_as_many_as_there_are() {
        let mut rule = Rule::default();
        let begun = rounds(&mut rule, 50, |number| Duration::from_millis(25) * number);
        assert_eq!(begun, [16; 50]);
        assert_eq!(rule.most, usize::MAX);
    }

    #[test]
    fn fewer_are_not_tried_where_the_server_fails() {
        let mut rule = Rule::default();
        let slow = |_| Duration::from_secs(5);
        let begun = [(); 3].map(|()| round_of(&mut rule, Some(503), slow));
        assert_eq!(begun, [16; 3]);
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
