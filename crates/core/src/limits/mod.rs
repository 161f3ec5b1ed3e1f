//! Limits: "at most N per window for this key", decided by pure functions.
//!
#![doc = include_str!("README.md")]
//! Two algorithms: an exact [`SlidingLog`] where N is small (sends and
//! failed checks of a number), [`gcra`] where it is large or should be smooth (addresses). Both answer with a [`Standing`]:
//! a peek has no effect, and *when* is always exact to the millisecond. Nothing here reads a clock or holds a lock.

pub mod delay;
pub mod gcra;
mod name;
mod network;
mod rate;
mod sliding_log;

pub use name::LimitName;
pub use network::{Network, networks_of};
pub use rate::{
    MAX_RATE_COUNT, MAX_RATE_WINDOW, ParseDurationError, ParseRateError, Rate, format_duration, parse_duration,
};
pub use sliding_log::SlidingLog;

use crate::clock::Timestamp;

/// How one limit stands for one key at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The most per window.
    pub limit: u32,
    /// How many are taken now; more than `limit` only after a reload that lowered it.
    pub used: u32,
    /// How many more are allowed now.
    pub remaining: u32,
    /// The earliest instant at which one more is allowed; `now` or earlier if it is allowed already.
    pub retry_at: Timestamp,
    /// The instant at which everything taken so far is free again; `now` if nothing is taken.
    pub reset_at: Timestamp,
}

impl Standing {
    /// Whether one more is allowed.
    #[must_use]
    pub const fn allowed(&self) -> bool {
        self.remaining > 0
    }
}
