//! The durable history of one machine: a log in segments, and an index that is written now and then.
//!
//! `history/segment-N.log` holds batches as they were appended (the log library's records: length, CRC-32C, payload). A batch is
//! with the operating system before [`append`](EmbeddedHistory) answers, so the end of the process, however violent, takes nothing
//! of it; it is with the disk when the index is written, once a minute and at a clean end, so a power failure takes at most a
//! minute. `history/index` holds what each segment covers and the counts of everything up to a place in the log; an opening
//! reads it and the batches behind that place. Retention drops whole segments.
//!
//! Nothing of an entry is held in memory: a page reads segments from the newest to the oldest, as far as it must.

mod index;
mod log;
mod scan;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use verifyd_core::clock::Timestamp;
use verifyd_core::history::{
    Batch, Entry, Filter, Groups, History, HistoryError, HistoryOptions, Hour, Page, PageQuery, StatsQuery,
};
use verifyd_core::id::{DeliveryId, ServiceId};
use verifyd_core::keys::PhoneHash;

use self::log::Log;

/// The directory within the data directory.
const DIR: &str = "history";

/// A history in files. One process at a time may have it open; the embedded store's lock sees to that.
#[derive(Debug)]
pub struct EmbeddedHistory {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: HistoryOptions,
    /// A std mutex, only ever taken on threads that may block.
    log: Mutex<Log>,
}

impl Inner {
    fn log(&self) -> MutexGuard<'_, Log> {
        // What a panic leaves half done is the index, which is checked against the files when it is read.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The files cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the history in {}: {source}", path.display())]
pub struct HistoryOpenError {
    path: PathBuf,
    source: io::Error,
}

impl EmbeddedHistory {
    /// Opens or makes the history of a data directory. Damage loses the history behind it and is told in the log; it never keeps
    /// a server from starting.
    ///
    /// # Errors
    /// [`HistoryOpenError`] if the directory cannot be made or read.
    pub fn open(data_dir: &Path, options: HistoryOptions) -> Result<Self, HistoryOpenError> {
        let path = data_dir.join(DIR);
        let log = Log::open(&path, options.max_entries).map_err(|source| HistoryOpenError { path, source })?;
        Ok(Self { inner: Arc::new(Inner { options, log: Mutex::new(log) }) })
    }

    /// Runs `work` where it may wait for the disk.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> io::Result<T> + Send + 'static,
    ) -> Result<T, HistoryError> {
        let inner = Arc::clone(&self.inner);
        match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(HistoryError::Unavailable(error.to_string())),
            Err(_panicked) => Err(HistoryError::Unknown("its work ended in a panic".to_owned())),
        }
    }
}

#[async_trait]
impl History for EmbeddedHistory {
    async fn append(&self, batch: &Batch, _now: Timestamp) -> Result<(), HistoryError> {
        let bytes = log::encode(batch).map_err(|_source| HistoryError::Unreadable("a batch cannot be packed"))?;
        // The counts and what the batch covers; entries are read from the file.
        let batch = batch.clone();
        self.blocking(move |inner| inner.log().append(&batch, &bytes)).await
    }

    async fn page(&self, query: &PageQuery, now: Timestamp) -> Result<Page, HistoryError> {
        let query = query.clone();
        self.blocking(move |inner| {
            let segments = inner.log().segments();
            let Filter { from, .. } = query.filter;
            let from = from.unwrap_or_default().max(now - inner.options.retention);
            scan::page(&segments, &query, from)
        })
        .await
    }

    async fn fetch(
        &self,
        service: Option<ServiceId>,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<Option<Entry>, HistoryError> {
        self.blocking(move |inner| {
            let segments = inner.log().segments();
            let (from, until) = id.admitted_within(now);
            let from = from.max(now - inner.options.retention);
            scan::one(&segments, id, from, until)
        })
        .await
        .map(|found| found.filter(|entry| service.is_none_or(|own| own == entry.place.service)))
    }

    async fn stats(&self, query: &StatsQuery, now: Timestamp) -> Result<Groups, HistoryError> {
        let from = query.from.max(Hour::of(now - self.inner.options.counts_retention));
        let query = StatsQuery { from, ..query.clone() };
        self.blocking(move |inner| Ok(inner.log().counts().stats(&query))).await?
    }

    async fn forget(
        &self,
        service: Option<ServiceId>,
        phone: PhoneHash,
        _now: Timestamp,
    ) -> Result<usize, HistoryError> {
        let forgotten =
            move |entry: &Entry| entry.phone == phone && service.is_none_or(|service| service == entry.place.service);
        self.blocking(move |inner| inner.log().erase(&forgotten)).await
    }

    async fn purge(&self, now: Timestamp) -> Result<usize, HistoryError> {
        self.blocking(move |inner| inner.log().purge(&inner.options, now)).await
    }

    async fn close(&self) -> Result<(), HistoryError> {
        self.blocking(|inner| inner.log().save()).await
    }
}
