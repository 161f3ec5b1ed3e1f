//! The history of a fleet: entries, indexes and counts in Redis, every key with a TTL. See [`keys`] for what lies where.
//!
//! Whatever is appended can come again: entries and news are there once by their ids, counts by the batch's. So a batch that nobody
//! answered for is sent again, and a Redis that is down for a while costs nothing but the memory that waits.
//!
//! The cap of entries holds for each service and hour: what bounds a whole fleet is the retention and Redis' own memory, and a
//! flood of one tenant must not drop the entries of another.

mod keys;
mod read;
mod write;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use verifyd_core::clock::Timestamp;
use verifyd_core::history::{
    Batch, Entry, EntryKey, Groups, History, HistoryError, HistoryOptions, Page, PageQuery, StatsQuery,
};
use verifyd_core::id::{DeliveryId, ServiceId};
use verifyd_core::keys::PhoneHash;
use verifyd_core::store::StoreError;

use self::keys::Bucket;
use crate::link::{Link, Script};

/// How far ahead of this node's clock Redis' own may be, by which entries are admitted.
const AHEAD: Duration = Duration::from_secs(3600);

/// A history in Redis.
pub struct RedisHistory {
    link: Arc<Link>,
    options: HistoryOptions,
    append: Script,
    index: Script,
    /// The buckets of late whose service is known to be in its hour's list.
    known: Mutex<HashSet<Bucket>>,
}

impl fmt::Debug for RedisHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisHistory").field("link", &self.link).finish_non_exhaustive()
    }
}

/// Nothing of it may have been written, or all: it can come again either way.
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn failed(error: StoreError) -> HistoryError {
    HistoryError::Unavailable(error.to_string())
}

impl RedisHistory {
    /// The history behind `link`.
    #[must_use]
    pub fn new(link: Arc<Link>, options: HistoryOptions) -> Self {
        Self {
            link,
            options,
            append: Script::new(include_str!("append.lua")),
            index: Script::new(include_str!("index.lua")),
            known: Mutex::default(),
        }
    }

    fn prefix(&self) -> &str {
        &self.link.settings().prefix
    }
}

#[async_trait]
impl History for RedisHistory {
    async fn append(&self, batch: &Batch, now: Timestamp) -> Result<(), HistoryError> {
        self.write(batch, now).await
    }

    async fn page(&self, query: &PageQuery, now: Timestamp) -> Result<Page, HistoryError> {
        self.read_page(query, now).await
    }

    async fn fetch(
        &self,
        service: Option<ServiceId>,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<Option<Entry>, HistoryError> {
        self.read_one(service, id, now).await
    }

    async fn stats(&self, query: &StatsQuery, now: Timestamp) -> Result<Groups, HistoryError> {
        self.read_stats(query, now).await
    }

    async fn forget(
        &self,
        service: Option<ServiceId>,
        phone: PhoneHash,
        now: Timestamp,
    ) -> Result<usize, HistoryError> {
        let places = self.places(phone.as_bytes(), now - self.options.retention, now + AHEAD).await?;
        let mut by_bucket: BTreeMap<Bucket, Vec<EntryKey>> = BTreeMap::new();
        for place in places.into_iter().filter(|place| service.is_none_or(|service| service == place.service)) {
            by_bucket.entry(Bucket::of(&place)).or_default().push(place);
        }
        let erased = by_bucket.iter().map(|(bucket, places)| self.erase(*bucket, places));
        let erased = try_join_all(erased).await?.into_iter().sum();
        // The index last: until everything is gone, asking again finds the rest.
        let [byte, ..] = *phone.as_bytes();
        let forgotten = by_bucket.values().flatten().map(|place| async move {
            let key = keys::numbers(self.prefix(), byte, keys::day(place.at));
            let member = keys::number_member(&phone, place);
            self.link.command(&key, &[b"ZREM", &key, &member]).await.map_err(failed)
        });
        try_join_all(forgotten).await?;
        Ok(erased)
    }

    async fn purge(&self, _now: Timestamp) -> Result<usize, HistoryError> {
        // Every key has a TTL.
        Ok(0)
    }

    async fn close(&self) -> Result<(), HistoryError> {
        Ok(())
    }
}
