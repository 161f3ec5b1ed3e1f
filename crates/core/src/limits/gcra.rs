//! The generic cell rate algorithm (ITU-T I.371): one number a key, smooth, for limits with a large N.
//!
//! The state is the theoretical arrival time (TAT). With N per W the emission interval is T = W / N and a burst of N is
//! allowed: a take is allowed while TAT − now ≤ W − T. To stay exact for any N, instants are kept in microseconds.

use serde::{Deserialize, Serialize};

use super::{Rate, Standing};
use crate::clock::{Timestamp, duration_ms};

/// Theoretical arrival time, in microseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tat(u64);

impl Tat {
    /// The instant that many microseconds after the epoch.
    #[must_use]
    pub const fn from_unix_us(us: u64) -> Self {
        Self(us)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn unix_us(self) -> u64 {
        self.0
    }
}

/// How far a TAT is ahead of the clock, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Backlog(u64);

impl Backlog {
    /// In microseconds.
    #[must_use]
    pub const fn us(self) -> u64 {
        self.0
    }
}

const US_PER_MS: u64 = 1_000;

fn micros(at: Timestamp) -> u64 {
    at.unix_ms().saturating_mul(US_PER_MS)
}

/// The first whole millisecond not before `us`.
fn millis_up(us: u64) -> Timestamp {
    Timestamp::from_unix_ms(us.div_ceil(US_PER_MS))
}

/// Time between two takes at the sustained rate, in µs, at least one.
#[must_use]
pub fn interval_us(rate: Rate) -> u64 {
    (window_us(rate) / u64::from(rate.count())).max(1)
}

/// The backlog of a full burst: nothing more is allowed before some of it has drained.
#[must_use]
pub fn full(rate: Rate) -> Backlog {
    Backlog(interval_us(rate).saturating_mul(u64::from(rate.count())))
}

fn window_us(rate: Rate) -> u64 {
    duration_ms(rate.window()).saturating_mul(US_PER_MS)
}

/// How the limit stands at `now`; free of effects.
#[must_use]
pub fn peek(tat: Tat, rate: Rate, now: Timestamp) -> Standing {
    let (now_us, interval) = (micros(now), interval_us(rate));
    let backlog = tat.0.saturating_sub(now_us);
    let used = u32::try_from(backlog.div_ceil(interval)).unwrap_or(u32::MAX);
    let Backlog(burst_us) = full(rate);
    let remaining = u32::try_from(burst_us.saturating_sub(backlog) / interval).unwrap_or(u32::MAX);
    let retry_us = tat.0.saturating_add(interval).saturating_sub(burst_us);
    Standing {
        limit: rate.count(),
        used,
        remaining,
        retry_at: millis_up(retry_us).max(now),
        reset_at: millis_up(tat.0).max(now),
    }
}

/// The state after taking one at `now`.
#[must_use]
pub fn take(tat: Tat, rate: Rate, now: Timestamp) -> Tat {
    Tat(tat.0.max(micros(now)).saturating_add(interval_us(rate)))
}

/// The state after giving back at `now` what was taken at `taken_at`: the part of it that cannot have drained since. What
/// may have drained is kept, so a late give-back never frees what others took meanwhile; one at once gives back the whole.
#[must_use]
pub fn give_back(tat: Tat, rate: Rate, taken_at: Timestamp, now: Timestamp) -> Tat {
    let drained = micros(now).saturating_sub(micros(taken_at));
    Tat(tat.0.saturating_sub(interval_us(rate).saturating_sub(drained)))
}

/// When the key holds nothing worth keeping.
#[must_use]
pub fn free_at(tat: Tat) -> Timestamp {
    millis_up(tat.0)
}

/// Bounds a TAT from an abandoned future (see [`super::SlidingLog::clamp_to`]) to a full backlog at `ceiling`.
#[must_use]
pub fn clamp_to(tat: Tat, full: Backlog, ceiling: Timestamp) -> Tat {
    Tat(tat.0.min(micros(ceiling).saturating_add(full.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_ms(10_000_000 + ms)
    }

    #[test]
    fn a_full_burst_then_one_per_interval() {
        let rate: Rate = "30/1h".parse().unwrap();
        let mut tat = Tat::default();
        for used in 0..30 {
            let standing = peek(tat, rate, at(0));
            assert_eq!((standing.used, standing.remaining), (used, 30 - used));
            tat = take(tat, rate, at(0));
        }
        let standing = peek(tat, rate, at(0));
        assert!(!standing.allowed());
        assert_eq!(standing.retry_at, at(120_000));
        assert_eq!(standing.reset_at, at(3_600_000));
        assert!(!peek(tat, rate, at(119_999)).allowed());
        assert!(peek(tat, rate, at(120_000)).allowed());
        assert!(peek(give_back(tat, rate, at(0), at(0)), rate, at(0)).allowed());
    }

    proptest! {
        #[test]
        fn retry_at_is_the_first_allowed_millisecond(n in 1_u32..50, window_ms in 1_u64..100_000, gaps in proptest::collection::vec(0_u64..3_000, 1..100)) {
            let rate = Rate::new(n, Duration::from_millis(window_ms)).unwrap();
            let (mut tat, mut now) = (Tat::default(), 0);
            for gap in gaps {
                now += gap;
                let standing = peek(tat, rate, at(now));
                prop_assert!(standing.remaining <= n);
                if standing.allowed() {
                    tat = take(tat, rate, at(now));
                } else {
                    prop_assert!(standing.retry_at > at(now));
                    prop_assert!(peek(tat, rate, standing.retry_at).allowed());
                    let before = Timestamp::from_unix_ms(standing.retry_at.unix_ms() - 1);
                    prop_assert!(!peek(tat, rate, before).allowed());
                }
            }
        }
    }
}
