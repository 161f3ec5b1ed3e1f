//! The clock port: the only way a rule learns the time.
//!
//! Instants are whole milliseconds since the Unix epoch: the precision to which limits and expiry are exact.
//! Stores clamp what a clock says (see [`crate::store`]), so a clock here may step; it need not be monotonic.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);

    /// The instant `ms` milliseconds after the epoch.
    #[must_use]
    pub const fn from_unix_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        self.0
    }

    /// Time from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl From<std::time::SystemTime> for Timestamp {
    /// The epoch for earlier times.
    fn from(time: std::time::SystemTime) -> Self {
        Self(duration_ms(time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default()))
    }
}

impl From<Timestamp> for std::time::SystemTime {
    fn from(at: Timestamp) -> Self {
        Self::UNIX_EPOCH + Duration::from_millis(at.0)
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates: no configured span can wrap an instant round to the past.
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(duration_ms(span)))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the epoch.
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(duration_ms(span)))
    }
}

/// A span in whole milliseconds, saturating; spans of the rules are whole milliseconds by construction.
#[must_use]
pub fn duration_ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A source of the current time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The current instant.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system for the time")]
    fn now(&self) -> Timestamp {
        std::time::SystemTime::now().into()
    }
}

/// A clock that can be moved forward and never back, so that integrators test expiry without waiting.
///
/// Only mock mode is wired to it.
#[derive(Debug)]
pub struct DevelopmentClock<C = SystemClock> {
    inner: C,
    offset_ms: AtomicU64,
}

impl<C: Clock> DevelopmentClock<C> {
    /// `inner`, moved forward by `offset`.
    pub fn new(inner: C, offset: Duration) -> Self {
        Self { inner, offset_ms: AtomicU64::new(duration_ms(offset)) }
    }

    /// Moves the clock forward and returns the whole offset so far.
    pub fn advance(&self, by: Duration) -> Duration {
        let by_ms = duration_ms(by);
        let before = self.offset_ms.fetch_add(by_ms, Ordering::SeqCst);
        Duration::from_millis(before.saturating_add(by_ms))
    }

    /// Moves the clock to this offset, unless it is that far already.
    pub fn advance_to(&self, offset: Duration) {
        self.offset_ms.fetch_max(duration_ms(offset), Ordering::SeqCst);
    }

    /// The offset from the inner clock.
    pub fn offset(&self) -> Duration {
        Duration::from_millis(self.offset_ms.load(Ordering::SeqCst))
    }
}

impl<C: Clock> Clock for DevelopmentClock<C> {
    fn now(&self) -> Timestamp {
        self.inner.now() + self.offset()
    }
}
