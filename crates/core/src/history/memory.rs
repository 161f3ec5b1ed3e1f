//! The history in memory: the reference implementation, and what belongs to the memory store. Gone with the process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::query::{Cursor, Groups, Page, PageQuery, StatsQuery};
use super::table::{CountTable, Hour};
use super::{Batch, Entry, History, HistoryError, HistoryOptions, SCAN_AT_ONCE};
use crate::clock::Timestamp;
use crate::id::{DeliveryId, ServiceId};
use crate::keys::PhoneHash;

/// A history that lives in memory alone.
#[derive(Debug)]
pub struct MemoryHistory {
    options: HistoryOptions,
    // A std mutex: the longest verb looks at `SCAN_AT_ONCE` entries, which takes a millisecond.
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: BTreeMap<(Timestamp, DeliveryId), Entry>,
    counts: CountTable,
}

impl MemoryHistory {
    /// An empty history.
    #[must_use]
    pub fn new(options: HistoryOptions) -> Self {
        Self { options, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryHistory {
    fn default() -> Self {
        Self::new(HistoryOptions::default())
    }
}

impl Kept {
    fn page(&self, query: &PageQuery, oldest: Timestamp) -> Page {
        let until = query.filter.until.map(Cursor::before);
        let end = query.after.into_iter().chain(until).min();
        let end = end.map_or((Timestamp::from_unix_ms(u64::MAX), DeliveryId::from_bytes([255; 16])), |c| (c.at, c.id));
        let from = query.filter.from.unwrap_or_default().max(oldest);
        let mut page = Page::default();
        if (from, DeliveryId::from_bytes([0; 16])) >= end {
            return page;
        }
        let mut last = None;
        for (looked_at, (_, entry)) in
            self.entries.range((from, DeliveryId::from_bytes([0; 16]))..end).rev().enumerate()
        {
            // There is one more, so there may be a next page.
            if page.entries.len() >= query.limit || looked_at >= SCAN_AT_ONCE {
                page.next = last;
                break;
            }
            last = Some(Cursor::after(entry));
            if query.filter.matches(entry) {
                page.entries.push(entry.clone());
            }
        }
        page
    }
}

#[async_trait]
impl History for MemoryHistory {
    async fn append(&self, batch: &Batch, _now: Timestamp) -> Result<(), HistoryError> {
        let mut kept = self.kept();
        for entry in &batch.entries {
            kept.entries.entry((entry.place.at, entry.place.id)).or_insert_with(|| entry.clone());
        }
        for change in &batch.changes {
            if let Some(entry) = kept.entries.get_mut(&(change.place.at, change.place.id)) {
                entry.apply(&change.news);
            }
        }
        for (key, counts) in &batch.counts {
            kept.counts.add(key, counts);
        }
        while kept.entries.len() > self.options.max_entries {
            kept.entries.pop_first();
        }
        Ok(())
    }

    async fn page(&self, query: &PageQuery, now: Timestamp) -> Result<Page, HistoryError> {
        Ok(self.kept().page(query, now - self.options.retention))
    }

    async fn fetch(
        &self,
        service: Option<ServiceId>,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<Option<Entry>, HistoryError> {
        let oldest = now - self.options.retention;
        let (from, until) = id.admitted_within(now);
        let lowest = DeliveryId::from_bytes([0; 16]);
        let kept = self.kept();
        let found =
            kept.entries.range((from, lowest)..(until, lowest)).find(|((at, other), _)| *other == id && *at >= oldest);
        let entry = found.map(|(_, entry)| entry).filter(|entry| service.is_none_or(|own| own == entry.place.service));
        Ok(entry.cloned())
    }

    async fn stats(&self, query: &StatsQuery, now: Timestamp) -> Result<Groups, HistoryError> {
        let from = query.from.max(Hour::of(now - self.options.counts_retention));
        self.kept().counts.stats(&StatsQuery { from, ..query.clone() })
    }

    async fn forget(
        &self,
        service: Option<ServiceId>,
        phone: PhoneHash,
        _now: Timestamp,
    ) -> Result<usize, HistoryError> {
        let mut kept = self.kept();
        let before = kept.entries.len();
        kept.entries.retain(|_, entry| entry.phone != phone || service.is_some_and(|own| own != entry.place.service));
        Ok(before - kept.entries.len())
    }

    async fn purge(&self, now: Timestamp) -> Result<usize, HistoryError> {
        let oldest = (now - self.options.retention, DeliveryId::from_bytes([0; 16]));
        let mut kept = self.kept();
        let young = kept.entries.split_off(&oldest);
        let old = std::mem::replace(&mut kept.entries, young);
        kept.counts.purge(&self.options, now);
        drop(kept);
        Ok(old.len())
    }

    async fn close(&self) -> Result<(), HistoryError> {
        Ok(())
    }
}
