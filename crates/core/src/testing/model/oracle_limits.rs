//! The oracle's counters, as naive as they come: a list of instants, and a bucket that leaks.
//!
//! Instants are milliseconds. "When is one more allowed" is not computed but tried: instant after instant at which anything
//! can change.

use std::time::Duration;

use crate::limits::Rate;

/// How a counter stands: used, remaining, when one more is allowed, when all is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) used: u64,
    pub(super) remaining: u64,
    pub(super) retry_at: u64,
    pub(super) reset_at: u64,
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap()
}

/// What was taken, as instants.
#[derive(Clone, Debug, Default)]
pub(super) struct Taken(pub(super) Vec<u64>);

impl Taken {
    pub(super) fn used(&self, rate: Rate, at: u64) -> u64 {
        self.0.iter().filter(|taken| **taken + millis(rate.window()) > at).count() as u64
    }

    pub(super) fn allows(&self, rate: Rate, at: u64) -> bool {
        self.used(rate, at) < u64::from(rate.count())
    }

    /// Instants after `at` at which something leaves the window.
    pub(super) fn changes(&self, rate: Rate, at: u64) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().map(move |taken| taken + millis(rate.window())).filter(move |change| *change > at)
    }

    /// The first instant, `at` or later, that allows one more.
    pub(super) fn allows_at(&self, rate: Rate, at: u64) -> u64 {
        std::iter::once(at).chain(self.changes(rate, at)).filter(|t| self.allows(rate, *t)).min().unwrap()
    }

    pub(super) fn take(&mut self, rate: Rate, at: u64) {
        self.0.retain(|taken| taken + millis(rate.window()) > at);
        self.0.push(at);
    }

    pub(super) fn give_back(&mut self, at: u64) {
        if let Some(index) = self.0.iter().position(|taken| *taken == at) {
            self.0.remove(index);
        }
    }

    pub(super) fn counted(&self, rate: Rate, at: u64) -> Counted {
        let used = self.used(rate, at);
        Counted {
            used,
            remaining: u64::from(rate.count()).saturating_sub(used),
            retry_at: self.allows_at(rate, at),
            reset_at: self.changes(rate, at).max().unwrap_or(at),
        }
    }
}

/// A bucket: each take pours in one interval of time, and it leaks one second a second. In microseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Bucket {
    level: u64,
    as_of: u64,
    full: u64,
}

fn interval_us(rate: Rate) -> u64 {
    (millis(rate.window()) * 1_000 / u64::from(rate.count())).max(1)
}

impl Bucket {
    fn level_us(&self, at: u64) -> u64 {
        self.level.saturating_sub((at * 1_000).saturating_sub(self.as_of))
    }

    fn set(&mut self, level_us: u64, rate: Rate, at: u64) {
        (self.level, self.as_of) = (level_us, at * 1_000);
        self.full = interval_us(rate) * u64::from(rate.count());
    }

    pub(super) fn take(&mut self, rate: Rate, at: u64) {
        self.set(self.level_us(at) + interval_us(rate), rate, at);
    }

    /// Gives back what was taken at `taken_at` and cannot have leaked since.
    pub(super) fn give_back(&mut self, rate: Rate, taken_at: u64, at: u64) {
        let left = interval_us(rate).saturating_sub((at - taken_at) * 1_000);
        if self.level_us(at) > 0 {
            self.set(self.level_us(at).saturating_sub(left), rate, at);
        }
    }

    pub(super) fn counted(&self, rate: Rate, at: u64) -> Counted {
        let (level, interval) = (self.level_us(at), interval_us(rate));
        let full = interval * u64::from(rate.count());
        Counted {
            used: level.div_ceil(interval),
            remaining: full.saturating_sub(level) / interval,
            retry_at: at + (level + interval).saturating_sub(full).div_ceil(1_000),
            reset_at: at + level.div_ceil(1_000),
        }
    }

    /// The clock was `latest` and is now accepted to be `now`: what has leaked out stays out, the rest is at most full.
    pub(super) fn accept_clock(&mut self, latest: u64, now: u64) {
        let empty_at_us = if self.level_us(latest) == 0 { 0 } else { self.as_of + self.level };
        self.level = empty_at_us.saturating_sub(now * 1_000).min(self.full);
        self.as_of = now * 1_000;
    }
}
