//! A clock that moves only when a test moves it, in both directions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};

/// 2026-01-01T00:00:00Z, where every fake clock begins.
const BEGINNING: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);

/// A clock in the hand of a test.
#[derive(Debug)]
pub struct FakeClock {
    now_ms: AtomicU64,
}

impl FakeClock {
    /// Where a fake clock begins unless told otherwise: 2026-01-01T00:00:00Z.
    pub const BEGINNING: Timestamp = BEGINNING;

    /// A clock that shows `now`.
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Self { now_ms: AtomicU64::new(now.unix_ms()) }
    }

    /// Shows `now` from here on, earlier or later than before.
    pub fn set(&self, now: Timestamp) {
        self.now_ms.store(now.unix_ms(), Ordering::SeqCst);
    }

    /// Moves forward and returns the new instant.
    pub fn advance(&self, by: Duration) -> Timestamp {
        self.set(self.now() + by);
        self.now()
    }

    /// Moves backward and returns the new instant.
    pub fn step_back(&self, by: Duration) -> Timestamp {
        self.set(self.now() - by);
        self.now()
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::at(BEGINNING)
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.now_ms.load(Ordering::SeqCst))
    }
}
