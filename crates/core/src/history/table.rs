//! Counts by the hour, in memory: what the memory and the embedded history share.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::entry::Country;
use super::query::{Groups, StatsQuery};
use super::{HistoryError, HistoryOptions};
use crate::clock::Timestamp;
use crate::id::ServiceId;
use crate::sender::Channel;

/// The most rows of counts, some 300 bytes each: beyond it the oldest hours go. 240 countries in each of 400 days' hours would be
/// more, but nobody has these; an attack on every country for a fortnight is what this bounds.
pub const MAX_ROWS: usize = 200_000;

/// A whole hour, counted from the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hour(pub u32);

impl Hour {
    const MS: u64 = 3_600_000;

    /// The hour of an instant.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        Self(u32::try_from(at.unix_ms() / Self::MS).unwrap_or(u32::MAX))
    }

    /// Its beginning.
    #[must_use]
    pub fn start(self) -> Timestamp {
        Timestamp::from_unix_ms(u64::from(self.0) * Self::MS)
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// What counts are kept by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CountKey {
    /// The hour in which the delivery was admitted, or the start refused.
    pub hour: Hour,
    /// The tenant.
    pub service: ServiceId,
    /// The number's country; nothing where no number was read.
    pub country: Country,
    /// Who sent it; empty for what was refused.
    pub sender: Box<str>,
    /// How it travelled, or was to.
    pub channel: Channel,
}

/// Counts by the hour.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CountTable {
    rows: BTreeMap<CountKey, Counts>,
}

impl CountTable {
    /// Adds to the counts of a key.
    pub fn add(&mut self, key: &CountKey, counts: &Counts) {
        if let Some(row) = self.rows.get_mut(key) {
            return row.add(counts);
        }
        self.rows.insert(key.clone(), counts.clone());
        if self.rows.len() > MAX_ROWS {
            self.rows.pop_first();
        }
    }

    /// Drops the hours that are past their time.
    pub fn purge(&mut self, options: &HistoryOptions, now: Timestamp) {
        let oldest = Hour::of(now - options.counts_retention);
        while self.rows.first_key_value().is_some_and(|(key, _)| key.hour < oldest) {
            self.rows.pop_first();
        }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What `query` asks for.
    ///
    /// # Errors
    /// [`HistoryError::TooManyGroups`].
    pub fn stats(&self, query: &StatsQuery) -> Result<Groups, HistoryError> {
        let mut groups = Groups::default();
        let rows = self.rows.iter().skip_while(|(key, _)| key.hour < query.from);
        for (key, counts) in rows.take_while(|(key, _)| key.hour < query.until) {
            groups.add(query, key, counts)?;
        }
        Ok(groups)
    }
}
