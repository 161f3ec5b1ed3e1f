//! How to use Redis: what an operator sets beside the URL.

use std::time::Duration;

use super::url::Target;

/// How long an answer may take unless the operator says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(250);
/// What every key begins with unless the operator says otherwise.
pub const DEFAULT_PREFIX: &str = "verifyd";

/// Everything that a [`Link`](super::Link) is made from.
#[derive(Clone, Debug)]
pub struct LinkSettings {
    /// Where Redis is.
    pub target: Target,
    /// What every key begins with, so that several fleets can share a server.
    pub prefix: String,
    /// How long an answer may take before the call fails.
    pub timeout: Duration,
    /// How many replicas must have confirmed a write that spends or approves, before it is answered. Zero: none.
    pub wait_replicas: u32,
    /// How long they may take.
    pub wait_timeout: Duration,
}

impl LinkSettings {
    /// The defaults for `target`.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self {
            target,
            prefix: DEFAULT_PREFIX.to_owned(),
            timeout: DEFAULT_TIMEOUT,
            wait_replicas: 0,
            wait_timeout: DEFAULT_TIMEOUT,
        }
    }
}
