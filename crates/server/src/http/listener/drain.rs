//! The orderly end: what is open finishes, within a limit, and the summary says what did not.

use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::activity::Command;
use super::limits::ServerLimits;
use super::registry::Registry;

/// After the limit, connections are dropped at once; only a handler that blocks its thread can delay that. It gets this long.
const CUT_OFF_WAIT: Duration = Duration::from_secs(1);

/// How a shutdown went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainSummary {
    /// Connections that were open when accepting ended and closed in good order.
    pub drained: usize,
    /// Connections whose open requests were cut off at the limit. What their handlers had spawned still runs.
    pub cut_off: usize,
    /// Time from the end of accepting to the end of the last connection.
    pub took: Duration,
}

/// Drains all connections. `places` has `capacity` permits, all of them back when the last connection is gone.
pub(super) async fn drain(
    registry: &Registry,
    places: &Semaphore,
    capacity: u32,
    limits: &ServerLimits,
) -> DrainSummary {
    let began = Instant::now();
    let open = registry.order_all(Command::Drain);
    let mut cut_off = 0;
    if tokio::time::timeout(limits.drain_limit, places.acquire_many(capacity)).await.is_err() {
        cut_off = registry.busy();
        registry.order_all(Command::Close);
        if tokio::time::timeout(CUT_OFF_WAIT, places.acquire_many(capacity)).await.is_err() {
            tracing::warn!("a handler blocks its thread and outlives the drain");
        }
    }
    DrainSummary { drained: open.saturating_sub(cut_off), cut_off, took: began.elapsed() }
}
