//! Notes events on the way of requests and writes them beside it.
//!
//! A request pays for one short lock and one push. Every [`FLUSH_EVERY`] what was noted is written in batches; nobody is woken
//! before, unless the queue is half full. Where the history cannot keep up, new events are shed, counted and told in the log.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::event::{Event, batch_of};
use super::{Batch, History, HistoryError};
use crate::clock::Clock;
use crate::keys::KeyRing;
use crate::random::Random;

/// How many events wait at most; each has some 300 bytes.
pub const DEFAULT_QUEUE: usize = 65_536;
/// How often what was noted is written.
pub const FLUSH_EVERY: Duration = Duration::from_millis(100);
/// The most events of a batch.
const BATCH: usize = 1_024;
/// How long a history may take over a batch.
const APPEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a reader waits for what was noted before it.
const CATCH_UP: Duration = Duration::from_secs(1);
/// How long a history that failed is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The shortest time between two lines of the log that say the same.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// How a recorder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Events that wait.
    pub queued: usize,
    /// Events that found no room.
    pub shed: u64,
    /// Events that were taken and not, or not wholly, kept.
    pub lost: u64,
}

/// What was taken from the queue and is not written yet.
#[derive(Default)]
struct Taken {
    rest: std::vec::IntoIter<Event>,
    /// A batch that failed, and how many events it holds.
    batch: Option<(Batch, u64)>,
}

/// See the module.
pub struct Recorder {
    history: Arc<dyn History>,
    keys: Arc<KeyRing>,
    random: Arc<dyn Random>,
    clock: Arc<dyn Clock>,
    /// A std mutex: held for one push or one swap.
    queue: Mutex<Vec<Event>>,
    capacity: usize,
    half_full: Notify,
    shed: AtomicU64,
    lost: AtomicU64,
    taken: tokio::sync::Mutex<Taken>,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("standing", &self.standing()).finish_non_exhaustive()
    }
}

impl Recorder {
    /// A recorder in front of `history`, in which at most `capacity` events wait.
    #[must_use]
    pub fn new(
        history: Arc<dyn History>,
        keys: Arc<KeyRing>,
        random: Arc<dyn Random>,
        clock: Arc<dyn Clock>,
        capacity: usize,
    ) -> Self {
        Self {
            history,
            keys,
            random,
            clock,
            queue: Mutex::default(),
            capacity,
            half_full: Notify::new(),
            shed: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            taken: tokio::sync::Mutex::default(),
        }
    }

    /// The history behind it.
    #[must_use]
    pub fn history(&self) -> &Arc<dyn History> {
        &self.history
    }

    /// Notes an event; never waits. Without room it is shed.
    pub fn record(&self, event: Event) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.len() >= self.capacity {
            drop(queue);
            self.shed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.push(event);
        let half_full = queue.len() == self.capacity.div_ceil(2);
        drop(queue);
        if half_full {
            self.half_full.notify_one();
        }
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            queued: self.queue.lock().unwrap_or_else(PoisonError::into_inner).len(),
            shed: self.shed.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
        }
    }

    /// Writes what was noted, for ever; to be given a task of its own.
    pub async fn run(self: Arc<Self>) {
        let mut told = Told::default();
        loop {
            tokio::select! {
                () = tokio::time::sleep(FLUSH_EVERY) => {}
                () = self.half_full.notified() => {}
            }
            let failed = self.flush().await.err();
            told.tell(self.standing(), failed.as_ref());
            if failed.is_some() {
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    }

    /// Writes everything that was noted before the call.
    ///
    /// # Errors
    /// The history's; what was not written is kept for the next try, as far as it can come again.
    pub async fn flush(&self) -> Result<(), HistoryError> {
        let mut taken = self.taken.lock().await;
        self.write(&mut taken).await?;
        taken.rest = std::mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner)).into_iter();
        self.write(&mut taken).await
    }

    /// [`flush`](Self::flush), for at most a moment.
    ///
    /// # Errors
    /// As there, and if the history takes too long.
    pub async fn flush_in_time(self: &Arc<Self>) -> Result<(), HistoryError> {
        // In a task of its own: an append that is cut off may have happened, and its counts would be lost.
        let this = Arc::clone(self);
        let flushing = tokio::spawn(async move { this.flush().await });
        match tokio::time::timeout(CATCH_UP, flushing).await {
            Ok(Ok(flushed)) => flushed,
            Ok(Err(_panicked)) => Err(HistoryError::Unreadable("a flush ended in a panic")),
            Err(_elapsed) => Err(HistoryError::Unknown("too slow".to_owned())),
        }
    }

    /// Waits a moment until what was noted before can be read, and does without if the history is slow.
    pub async fn catch_up(self: &Arc<Self>) {
        // Whoever reads learns from the history itself that it cannot answer.
        drop(self.flush_in_time().await);
    }

    /// Writes what was noted, tries for at most `limit`, and closes the history. What then is left is lost and counted.
    pub async fn drain(&self, limit: Duration) -> Standing {
        let work = async {
            while let Err(error) = self.flush().await {
                tracing::warn!(%error, "the history takes nothing; trying again before the end");
                tokio::time::sleep(RETRY_AFTER / 4).await;
            }
            self.history.close().await
        };
        match tokio::time::timeout(limit, work).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the history did not close well"),
            Err(_elapsed) => {
                tracing::error!(standing = ?self.standing(), "the history was left before it had everything");
            }
        }
        self.standing()
    }

    async fn write(&self, taken: &mut Taken) -> Result<(), HistoryError> {
        loop {
            if taken.batch.is_none() {
                let events = taken.rest.len().min(BATCH);
                if events == 0 {
                    return Ok(());
                }
                let (batch, unsealed) = batch_of(taken.rest.by_ref().take(BATCH), &self.keys, self.random.as_ref());
                self.lose(unsealed as u64);
                taken.batch = (!batch.is_empty()).then_some((batch, events as u64));
            }
            let Some((batch, events)) = &mut taken.batch else { return Ok(()) };
            let append = tokio::time::timeout(APPEND_TIMEOUT, self.history.append(batch, self.clock.now()));
            let appended = append.await.unwrap_or_else(|_elapsed| Err(HistoryError::Unknown("too slow".to_owned())));
            match appended {
                Ok(()) => taken.batch = None,
                Err(error) => {
                    let events = *events;
                    match &error {
                        // Counts that may be there already must not be there twice.
                        HistoryError::Unknown(_) if !batch.counts.is_empty() => {
                            batch.counts.clear();
                            self.lose(events);
                        }
                        HistoryError::Unavailable(_) | HistoryError::Unknown(_) => {}
                        _ => {
                            taken.batch = None;
                            self.lose(events);
                        }
                    }
                    return Err(error);
                }
            }
        }
    }

    fn lose(&self, events: u64) {
        self.lost.fetch_add(events, Ordering::Relaxed);
    }
}

/// What the log was told last.
#[derive(Default)]
struct Told {
    missing: u64,
    failing: bool,
    at: Option<tokio::time::Instant>,
}

impl Told {
    /// Says that the history fails, that it works again, or that more events are missing; the last not with every batch.
    fn tell(&mut self, standing: Standing, failed: Option<&HistoryError>) {
        let missing = standing.shed + standing.lost;
        let turned = failed.is_some() != self.failing;
        let quiet = self.at.is_some_and(|at| at.elapsed() < TOLD_EVERY);
        if !turned && (missing == self.missing || quiet) {
            return;
        }
        let Standing { queued, shed, lost } = standing;
        match failed {
            None if turned => tracing::info!(shed, lost, "the history takes entries again"),
            failed => {
                let error = failed.map(ToString::to_string).unwrap_or_default();
                tracing::warn!(
                    error,
                    queued,
                    shed,
                    lost,
                    "the history does not keep up; messages are sent and checked all the same"
                );
            }
        }
        *self = Self { missing, failing: failed.is_some(), at: Some(tokio::time::Instant::now()) };
    }
}
