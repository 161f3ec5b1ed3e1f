//! The history port: which messages went where and what came of them, and how many by the hour.
//!
//! History tells people what happened. **It decides nothing**: no start and no check ever reads it, waits for it or fails because
//! of it. What happened is noted in memory on the way ([`Recorder`]) and written beside the requests; a history that is slow, full
//! or down loses notes, and says how many.
//!
//! # Contract
//! [`History::append`] is one step: an entry that is appended twice is there once (by its id), a change of an entry that is not
//! there is nothing, and a change never moves a delivery back ([`Entry::apply`]). An append that returned `Ok` survives the end of
//! the process for a durable history, within the time that its documentation names. [`HistoryError::Unavailable`] means that
//! nothing was written and the same batch can come again; [`HistoryError::Unknown`] that it may have been: entries and changes can
//! come again, counts cannot, and are lost.
//!
//! Pages go from the newest to the oldest by (instant of admission, id), and the place of a page is the last entry seen
//! ([`Cursor`]): what is added meanwhile moves nothing, and no entry comes twice. A page may be shorter than asked for, even empty,
//! and still have a next: a search that matches little ends for breath after [`SCAN_AT_ONCE`] entries.
//!
//! Entries hold the number sealed, and are found by its keyed hash. Counts hold no person at all and outlive the entries.

mod counts;
mod entry;
mod event;
mod memory;
mod query;
mod recorder;
mod table;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

pub use counts::{Counts, Currency, Field, WAIT_BOUNDS_S, Waits};
pub use entry::{Batch, Change, Country, Entry, EntryKey, News};
pub use event::{Approval, Event, Refused, Sent, Update};
pub use memory::MemoryHistory;
pub use query::{
    Cursor, Filter, GroupBy, GroupKey, Groups, MAX_GROUPS, Page, PageQuery, ParseCursorError, Period, StatsQuery,
};
pub use recorder::{DEFAULT_QUEUE, FLUSH_EVERY, Recorder, Standing};
pub use table::{CountKey, CountTable, Hour, MAX_ROWS};

use crate::clock::Timestamp;
use crate::id::{DeliveryId, ServiceId};
use crate::keys::PhoneHash;

/// How many entries one page looks at before it ends for breath.
pub const SCAN_AT_ONCE: usize = 20_000;

/// How much a history keeps and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryOptions {
    /// How long entries are kept from their admission on.
    pub retention: Duration,
    /// How long the counts of an hour are kept.
    pub counts_retention: Duration,
    /// The most entries kept; beyond it the oldest go first.
    pub max_entries: usize,
}

impl Default for HistoryOptions {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self { retention: day * 30, counts_retention: day * 400, max_entries: 1_000_000 }
    }
}

/// The history could not do its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// It cannot answer now, and nothing was written.
    #[error("the history cannot answer: {0}")]
    Unavailable(String),
    /// It did not answer; what was to be written may be.
    #[error("the history did not answer: {0}")]
    Unknown(String),
    /// Something of it cannot be read.
    #[error("the history cannot be read: {0}")]
    Unreadable(&'static str),
    /// More groups than an answer may have.
    #[error("the answer would have more than {MAX_GROUPS} groups; ask for a shorter time or fewer groups")]
    TooManyGroups,
    /// This verifier keeps none.
    #[error("no history is kept")]
    Off,
}

/// Deliveries and their hourly counts. See the module's contract.
#[async_trait]
pub trait History: Send + Sync + fmt::Debug {
    /// Adds entries, changes and counts.
    async fn append(&self, batch: &Batch, now: Timestamp) -> Result<(), HistoryError>;

    /// Some of the entries that a filter asks for, newest first.
    async fn page(&self, query: &PageQuery, now: Timestamp) -> Result<Page, HistoryError>;

    /// One entry, of `service` or of any; only ids of [`DeliveryId::generate_at`] can be found.
    async fn fetch(
        &self,
        service: Option<ServiceId>,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<Option<Entry>, HistoryError>;

    /// The counts of whole hours, summed by group.
    async fn stats(&self, query: &StatsQuery, now: Timestamp) -> Result<Groups, HistoryError>;

    /// Erases the entries of a number, of one service or of all; durable before it returns. Counts stay: they name nobody. Returns
    /// how many entries went.
    async fn forget(&self, service: Option<ServiceId>, phone: PhoneHash, now: Timestamp)
    -> Result<usize, HistoryError>;

    /// Drops what is past its time; called now and then. Returns how many entries went, if it knows.
    async fn purge(&self, now: Timestamp) -> Result<usize, HistoryError>;

    /// Makes everything durable and ends; nothing is appended after it.
    async fn close(&self) -> Result<(), HistoryError>;
}
