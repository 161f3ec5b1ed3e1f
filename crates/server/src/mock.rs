//! What mock mode adds to a server: an inbox and a clock that can be moved.
//!
//! The inbox is in the memory of its node, also in a fleet. The clock is one for everything that serves a store: its offset is kept
//! where the store is, and never shrinks, because a store bears no time that goes back.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use verifyd_core::clock::DevelopmentClock;
use verifyd_senders::inbox::Inbox;

/// What mock mode adds.
#[derive(Clone, Debug)]
pub struct Mock {
    /// Where messages land.
    pub inbox: Arc<Inbox>,
    /// The clock that the rules run on.
    pub clock: Arc<DevelopmentClock>,
    /// Moves it, for everything that serves the store.
    pub mover: Arc<dyn MoveClock>,
}

/// The clock was not moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveClockError {
    /// It would be too far ahead.
    #[error("the clock would be too far ahead")]
    Bound,
    /// The new offset could not be kept.
    #[error("{0}")]
    NotKept(String),
}

/// Moves the clock of mock mode forward.
#[async_trait]
pub trait MoveClock: Send + Sync + fmt::Debug {
    /// Keeps the new offset and puts it in force, in this order, so that a restart never takes time back. Moves at the same time add up;
    /// the clock is never ahead by more than `furthest`.
    async fn move_by(&self, by: Duration, furthest: Duration) -> Result<(), MoveClockError>;
}

/// Writes an offset where the next start finds it; called off the event loop, one call at a time.
pub type PersistOffset = Box<dyn Fn(Duration) -> io::Result<()> + Send + Sync>;

/// Moves the clock of a store that only this process serves.
pub struct LocalMover(Arc<Local>);

struct Local {
    clock: Arc<DevelopmentClock>,
    /// Held while the clock is moved, so that the offset that is written last is the one in force.
    persist: Mutex<PersistOffset>,
}

impl fmt::Debug for LocalMover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalMover").field("clock", &self.0.clock).finish_non_exhaustive()
    }
}

impl LocalMover {
    /// Moves `clock`; `persist` makes an offset survive a restart.
    #[must_use]
    pub fn new(clock: Arc<DevelopmentClock>, persist: PersistOffset) -> Self {
        Self(Arc::new(Local { clock, persist: Mutex::new(persist) }))
    }
}

impl Local {
    fn move_by(&self, by: Duration, furthest: Duration) -> Result<(), MoveClockError> {
        let persist = self.persist.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = self.clock.offset() + by;
        if offset > furthest {
            return Err(MoveClockError::Bound);
        }
        persist(offset).map_err(|error| MoveClockError::NotKept(error.to_string()))?;
        self.clock.advance_to(offset);
        Ok(())
    }
}

#[async_trait]
impl MoveClock for LocalMover {
    async fn move_by(&self, by: Duration, furthest: Duration) -> Result<(), MoveClockError> {
        let local = Arc::clone(&self.0);
        let moved = tokio::task::spawn_blocking(move || local.move_by(by, furthest));
        moved.await.unwrap_or_else(|error| Err(MoveClockError::NotKept(error.to_string())))
    }
}
