//! The exact sliding log: the instants of what was taken, no more than N in any window.
//!
//! The window is half open, `(now − W, now]`: what is exactly W old is free again (SECURITY: `retry_after` is the instant at
//! which the N-th most recent leaves the window). Lowering N by a reload may leave more than N in the log; the same formula
//! holds. A larger W does not bring back what was dropped under a smaller one.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{Rate, Standing};
use crate::clock::{Timestamp, duration_ms};

/// Instants in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlidingLog {
    taken: SmallVec<[Timestamp; 2]>,
}

impl SlidingLog {
    /// How the limit stands at `now`; free of effects.
    #[must_use]
    pub fn peek(&self, rate: Rate, now: Timestamp) -> Standing {
        let live = self.live(rate, now);
        let limit = rate.count();
        let used = u32::try_from(live.len()).unwrap_or(u32::MAX);
        let last = live.last().copied();
        let nth_most_recent = live.len().checked_sub(limit as usize).and_then(|index| live.get(index)).copied();
        Standing {
            limit,
            used,
            remaining: limit.saturating_sub(used),
            retry_at: nth_most_recent.map_or(now, |taken| taken + rate.window()),
            reset_at: last.map_or(now, |taken| taken + rate.window()),
        }
    }

    /// Takes one at `now`, which must not be earlier than the last taken, and forgets what has left the window.
    pub fn take(&mut self, rate: Rate, now: Timestamp) {
        let gone = self.taken.len() - self.live(rate, now).len();
        self.taken.drain(..gone);
        self.taken.push(now);
    }

    /// Gives back one that was taken at `at`; nothing if there is none (given back before, or out of the window).
    pub fn give_back(&mut self, at: Timestamp) {
        if let Some(index) = self.taken.iter().rposition(|taken| *taken == at) {
            self.taken.remove(index);
        }
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    /// The latest instant in it.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        self.taken.last().copied()
    }

    /// Moves what lies later than `ceiling` to it: the clock was set back and an operator accepted that, so entries from the
    /// abandoned future count from now on instead of freezing the limit until that future comes.
    pub fn clamp_to(&mut self, ceiling: Timestamp) {
        for taken in &mut self.taken {
            *taken = (*taken).min(ceiling);
        }
    }

    /// Every instant, oldest first.
    pub fn instants(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.taken.iter().copied()
    }

    fn live(&self, rate: Rate, now: Timestamp) -> &[Timestamp] {
        let window_ms = duration_ms(rate.window());
        let first_live = self.taken.partition_point(|taken| taken.unix_ms().saturating_add(window_ms) <= now.unix_ms());
        self.taken.get(first_live..).unwrap_or_default()
    }
}

impl FromIterator<Timestamp> for SlidingLog {
    /// Of instants in ascending order, as [`SlidingLog::instants`] gives them.
    fn from_iter<I: IntoIterator<Item = Timestamp>>(instants: I) -> Self {
        Self { taken: instants.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_ms(1_000_000 + ms)
    }

    #[test]
    fn the_sixth_in_an_hour_waits_until_the_first_is_an_hour_old() {
        let rate: Rate = "5/1h".parse().unwrap();
        let mut log = SlidingLog::default();
        for minute in 0..5 {
            assert!(log.peek(rate, at(minute * 60_000)).allowed());
            log.take(rate, at(minute * 60_000));
        }
        let standing = log.peek(rate, at(300_000));
        assert_eq!((standing.remaining, standing.used), (0, 5));
        assert_eq!(standing.retry_at, at(3_600_000));
        assert_eq!(standing.reset_at, at(4 * 60_000 + 3_600_000));
        assert!(!log.peek(rate, at(3_599_999)).allowed());
        assert!(log.peek(rate, at(3_600_000)).allowed());
    }

    #[test]
    fn giving_back_is_idempotent_and_exact() {
        let rate: Rate = "2/10s".parse().unwrap();
        let mut log = SlidingLog::default();
        log.take(rate, at(0));
        log.take(rate, at(5));
        log.give_back(at(5));
        log.give_back(at(5));
        assert_eq!(log.peek(rate, at(6)).used, 1);
        log.give_back(at(7));
        assert_eq!(log.peek(rate, at(6)).used, 1);
    }

    proptest! {
        #[test]
        fn agrees_with_a_naive_oracle(steps in proptest::collection::vec((0_u8..5, 0_u64..4_000, 1_u32..6), 1..200)) {
            let mut log = SlidingLog::default();
            let mut taken: Vec<u64> = Vec::new();
            let mut now = 0;
            let mut rate = Rate::new(3, Duration::from_secs(5)).unwrap();
            for (op, dt, n) in steps {
                match op {
                    0 => now += dt,
                    1 => rate = Rate::new(n, rate.window()).unwrap(),
                    2 => if let Some(last) = taken.pop() { log.give_back(at(last)); },
                    _ => {
                        let live: Vec<u64> = taken.iter().copied().filter(|t| t + 5_000 > now).collect();
                        let count = rate.count() as usize;
                        let standing = log.peek(rate, at(now));
                        prop_assert_eq!(standing.used as usize, live.len());
                        prop_assert_eq!(standing.allowed(), live.len() < count);
                        let retry = if live.len() < count { now } else { live[live.len() - count] + 5_000 };
                        prop_assert_eq!(standing.retry_at, at(retry));
                        prop_assert_eq!(standing.reset_at, at(live.last().map_or(now, |t| t + 5_000)));
                        if standing.allowed() {
                            log.take(rate, at(now));
                            taken.push(now);
                        } else {
                            prop_assert!(!log.peek(rate, at(retry - 1)).allowed());
                            prop_assert!(log.peek(rate, at(retry)).allowed());
                        }
                    }
                }
            }
        }
    }
}
