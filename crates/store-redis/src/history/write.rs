//! Batches on their way into Redis: a script for each service and hour, and one for each index.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use futures_util::future::{try_join, try_join_all};
use redis::Value;
use verifyd_core::clock::Timestamp;
use verifyd_core::history::{Batch, Change, CountKey, Counts, Entry, HistoryError, Hour};

use super::keys::{self, Bucket};
use super::{RedisHistory, failed};

/// The most entries and news of one script: a millisecond of Redis' time.
const AT_ONCE: usize = 128;
const HOUR: Duration = Duration::from_secs(3600);

/// What goes into one bucket.
#[derive(Default)]
struct Part<'a> {
    entries: Vec<&'a Entry>,
    changes: Vec<&'a Change>,
    counts: Vec<(&'a CountKey, &'a Counts)>,
}

fn parts(batch: &Batch) -> BTreeMap<Bucket, Part<'_>> {
    let mut parts: BTreeMap<Bucket, Part<'_>> = BTreeMap::new();
    for entry in &batch.entries {
        parts.entry(Bucket::of(&entry.place)).or_default().entries.push(entry);
    }
    for change in &batch.changes {
        parts.entry(Bucket::of(&change.place)).or_default().changes.push(change);
    }
    for (key, counts) in &batch.counts {
        let bucket = Bucket { hour: key.hour, service: key.service };
        parts.entry(bucket).or_default().counts.push((key, counts));
    }
    parts
}

fn packed(value: &impl serde::Serialize) -> Result<Vec<u8>, HistoryError> {
    postcard::to_stdvec(value).map_err(|_source| HistoryError::Unreadable("an entry cannot be packed"))
}

/// News with their length in front, so that they can lie one after the other.
fn framed(change: &Change) -> Result<Vec<u8>, HistoryError> {
    let news = packed(&change.news)?;
    let length = u16::try_from(news.len()).map_err(|_source| HistoryError::Unreadable("news are too long"))?;
    Ok([&length.to_be_bytes()[..], &news].concat())
}

/// The fields of counts, as `country|sender|channel|field`.
fn count_fields(counts: &[(&CountKey, &Counts)]) -> Vec<Vec<u8>> {
    let mut fields = Vec::new();
    for (key, counts) in counts {
        let of = format!("{}|{}|{}", key.country.as_str(), key.sender, key.channel.as_str());
        for (field, value) in counts.fields() {
            fields.push(format!("{of}|{field}").into_bytes());
            fields.push(value.to_string().into_bytes());
        }
    }
    fields
}

impl RedisHistory {
    pub(super) async fn write(&self, batch: &Batch, now: Timestamp) -> Result<(), HistoryError> {
        let parts = parts(batch);
        // What finds entries comes first: an entry that is there can be found, and so forgotten.
        try_join(self.index_numbers(batch, now), self.index_services(&parts, now)).await?;
        let calls = parts.iter().map(|(bucket, part)| self.write_part(*bucket, part, batch.id, now));
        try_join_all(calls).await?;
        Ok(())
    }

    async fn write_part(
        &self,
        bucket: Bucket,
        part: &Part<'_>,
        batch: Option<[u8; 16]>,
        now: Timestamp,
    ) -> Result<(), HistoryError> {
        let prefix = self.prefix();
        let keys =
            [bucket.key(prefix, "e"), bucket.key(prefix, "o"), bucket.key(prefix, "c"), bucket.guard(prefix, batch)];
        let seconds = |kept| keys::seconds(bucket.hour.start(), HOUR, kept, now);
        let head = [
            seconds(self.options.retention),
            seconds(self.options.counts_retention),
            self.options.max_entries.to_string().into_bytes(),
            if batch.is_some() { b"1".to_vec() } else { b"0".to_vec() },
        ];
        let (mut entries, mut changes) = (part.entries.chunks(AT_ONCE), part.changes.chunks(AT_ONCE));
        let mut counts = count_fields(&part.counts);
        loop {
            let some_entries = entries.next().unwrap_or_default();
            // News come after every entry that they can be of.
            let some_changes = if some_entries.len() < AT_ONCE { changes.next().unwrap_or_default() } else { &[] };
            if some_entries.is_empty() && some_changes.is_empty() && counts.is_empty() {
                return Ok(());
            }
            let mut args = head.to_vec();
            args.extend([some_entries.len().to_string().into_bytes(), some_changes.len().to_string().into_bytes()]);
            for entry in some_entries {
                let EntryIds { id, place } = EntryIds::of(entry);
                args.extend([id, place, packed(entry)?]);
            }
            for change in some_changes {
                args.extend([change.place.id.as_bytes().to_vec(), framed(change)?]);
            }
            args.append(&mut counts);
            match self.link.call(&self.append, &keys, args).await.map_err(failed)? {
                Value::Int(0) => {}
                dropped => {
                    tracing::debug!(
                        hour = bucket.hour.0,
                        ?dropped,
                        "an hour has more entries than are kept; the oldest go"
                    );
                }
            }
        }
    }

    async fn index_numbers(&self, batch: &Batch, now: Timestamp) -> Result<(), HistoryError> {
        let mut members: BTreeMap<(u8, u64), Vec<Vec<u8>>> = BTreeMap::new();
        for entry in &batch.entries {
            let [byte, ..] = *entry.phone.as_bytes();
            let member = keys::number_member(&entry.phone, &entry.place);
            members.entry((byte, keys::day(entry.place.at))).or_default().push(member);
        }
        let calls = members.into_iter().map(|((byte, day), members)| async move {
            let kept = keys::seconds(keys::day_start(day), 24 * HOUR, self.options.retention, now);
            let key = keys::numbers(self.prefix(), byte, day);
            let args = std::iter::once(kept).chain(members).collect();
            self.link.call(&self.index, &[key], args).await.map_err(failed)
        });
        try_join_all(calls).await.map(drop)
    }

    async fn index_services(&self, parts: &BTreeMap<Bucket, Part<'_>>, now: Timestamp) -> Result<(), HistoryError> {
        let known = |bucket: &&Bucket| !self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(bucket);
        let fresh: Vec<Bucket> = parts.keys().filter(known).copied().collect();
        let calls = fresh.iter().map(|bucket| async move {
            let kept = keys::seconds(bucket.hour.start(), HOUR, self.options.counts_retention, now);
            let key = keys::services(self.prefix(), bucket.hour);
            let args = vec![kept, bucket.service.as_bytes().to_vec()];
            self.link.call(&self.index, &[key], args).await.map_err(failed)
        });
        try_join_all(calls).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Two hours back is as far as entries come late; what is remembered of older ones only costs memory.
        let oldest = Hour(Hour::of(now).0.saturating_sub(2));
        known.retain(|bucket| bucket.hour >= oldest);
        known.extend(fresh.into_iter().filter(|bucket| bucket.hour >= oldest));
        Ok(())
    }
}

struct EntryIds {
    id: Vec<u8>,
    place: Vec<u8>,
}

impl EntryIds {
    fn of(entry: &Entry) -> Self {
        Self { id: entry.place.id.as_bytes().to_vec(), place: keys::place(entry.place.at, entry.place.id) }
    }
}
