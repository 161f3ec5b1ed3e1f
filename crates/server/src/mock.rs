//! What mock mode adds to a server: an inbox and a clock that can be moved.

use std::path::PathBuf;
use std::sync::Arc;

use verifyd_core::clock::DevelopmentClock;
use verifyd_senders::inbox::Inbox;

/// What mock mode adds.
#[derive(Clone, Debug)]
pub struct Mock {
    /// Where messages land.
    pub inbox: Arc<Inbox>,
    /// The clock that can be moved forward.
    pub clock: Arc<DevelopmentClock>,
    /// Where its offset is kept; `None` with a store that does not last either.
    pub offset_file: Option<PathBuf>,
}
