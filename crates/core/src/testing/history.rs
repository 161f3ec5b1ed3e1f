//! A history that fails, hangs or works as it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::history::{Batch, Entry, Groups, History, HistoryError, Page, PageQuery, StatsQuery};
use crate::id::{DeliveryId, ServiceId};
use crate::keys::PhoneHash;

/// A history around another; whatever it is asked fails or hangs while it is told so.
#[derive(Debug)]
pub struct FaultyHistory {
    inner: Arc<dyn History>,
    fault: AtomicU8,
}

const WORKS: u8 = 0;
const FAILS: u8 = 1;
const HANGS: u8 = 2;
const FORGETS_TO_ANSWER: u8 = 3;

impl FaultyHistory {
    /// `inner`, which works until told otherwise.
    #[must_use]
    pub fn new(inner: Arc<dyn History>) -> Self {
        Self { inner, fault: AtomicU8::new(WORKS) }
    }

    /// From now on it works.
    pub fn works(&self) {
        self.fault.store(WORKS, Ordering::SeqCst);
    }

    /// From now on it fails, and nothing is done.
    pub fn fails(&self) {
        self.fault.store(FAILS, Ordering::SeqCst);
    }

    /// From now on it does what it is asked and says that nobody knows.
    pub fn forgets_to_answer(&self) {
        self.fault.store(FORGETS_TO_ANSWER, Ordering::SeqCst);
    }

    /// From now on it never answers.
    pub fn hangs(&self) {
        self.fault.store(HANGS, Ordering::SeqCst);
    }

    async fn through<T>(&self, work: impl Future<Output = Result<T, HistoryError>> + Send) -> Result<T, HistoryError> {
        match self.fault.load(Ordering::SeqCst) {
            FAILS => Err(HistoryError::Unavailable("told to fail".to_owned())),
            HANGS => std::future::pending().await,
            FORGETS_TO_ANSWER => {
                work.await?;
                Err(HistoryError::Unknown("told to fail".to_owned()))
            }
            _ => work.await,
        }
    }
}

#[async_trait]
impl History for FaultyHistory {
    async fn append(&self, batch: &Batch, now: Timestamp) -> Result<(), HistoryError> {
        self.through(self.inner.append(batch, now)).await
    }

    async fn page(&self, query: &PageQuery, now: Timestamp) -> Result<Page, HistoryError> {
        self.through(self.inner.page(query, now)).await
    }

    async fn fetch(
        &self,
        service: Option<ServiceId>,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<Option<Entry>, HistoryError> {
        self.through(self.inner.fetch(service, id, now)).await
    }

    async fn stats(&self, query: &StatsQuery, now: Timestamp) -> Result<Groups, HistoryError> {
        self.through(self.inner.stats(query, now)).await
    }

    async fn forget(
        &self,
        service: Option<ServiceId>,
        phone: PhoneHash,
        now: Timestamp,
    ) -> Result<usize, HistoryError> {
        self.through(self.inner.forget(service, phone, now)).await
    }

    async fn purge(&self, now: Timestamp) -> Result<usize, HistoryError> {
        self.through(self.inner.purge(now)).await
    }

    async fn close(&self) -> Result<(), HistoryError> {
        self.through(self.inner.close()).await
    }
}
