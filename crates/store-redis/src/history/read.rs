//! Entries and counts out of Redis.

use std::collections::BTreeMap;
use std::ops::Range;

use futures_util::future::{try_join, try_join_all};
use redis::Value;
use verifyd_core::clock::Timestamp;
use verifyd_core::history::{
    CountKey, Country, Counts, Cursor, Entry, EntryKey, Field, Groups, HistoryError, Hour, Page, PageQuery,
    SCAN_AT_ONCE, StatsQuery,
};
use verifyd_core::id::{DeliveryId, ServiceId};

use super::keys::{self, Bucket};
use super::{RedisHistory, failed};

/// How many places are read at once.
const CHUNK: usize = 200;
/// How many hours are asked for at once.
const HOURS_AT_ONCE: u32 = 64;
/// The most places that an index gives for a number and a day.
const MOST_PLACES: &[u8] = b"10000";

/// The members of an answer that is a list of texts; a nil is `None`.
fn texts(value: Value) -> Vec<Option<Vec<u8>>> {
    let text = |value| match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    };
    match value {
        Value::Array(values) | Value::Set(values) => values.into_iter().map(text).collect(),
        Value::Map(pairs) => pairs.into_iter().flat_map(|(key, value)| [text(key), text(value)]).collect(),
        _ => Vec::new(),
    }
}

/// An entry with its news.
fn entry_of(entry: &[u8], news: Option<&[u8]>) -> Result<Entry, HistoryError> {
    let unreadable = || HistoryError::Unreadable("an entry in Redis is none");
    let mut entry: Entry = postcard::from_bytes(entry).map_err(|_source| unreadable())?;
    let mut rest = news.unwrap_or_default();
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let (news, behind) = behind.split_at_checked(u16::from_be_bytes(*length).into()).ok_or_else(unreadable)?;
        entry.apply(&postcard::from_bytes(news).map_err(|_source| unreadable())?);
        rest = behind;
    }
    Ok(entry)
}

/// What one bucket gave of a page.
#[derive(Default)]
struct Partial {
    entries: Vec<Entry>,
    looked_at: usize,
    /// Where it stopped, if it did before its end.
    stopped: Option<Cursor>,
}

impl RedisHistory {
    async fn ask(&self, key: &[u8], parts: &[&[u8]]) -> Result<Value, HistoryError> {
        self.link.command(key, parts).await.map_err(failed)
    }

    /// The entries of some places of a bucket; one that was forgotten is not there.
    async fn entries(&self, bucket: Bucket, ids: &[DeliveryId]) -> Result<Vec<Entry>, HistoryError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let key = bucket.key(self.prefix(), "e");
        let fields: Vec<_> = ids.iter().flat_map(|id| [keys::field(b'e', *id), keys::field(b'n', *id)]).collect();
        let mut parts: Vec<&[u8]> = vec![b"HMGET", &key];
        parts.extend(fields.iter().map(Vec::as_slice));
        let found = texts(self.ask(&key, &parts).await?);
        let pairs = found.chunks(2).filter_map(|pair| match pair {
            [Some(entry), news] => Some(entry_of(entry, news.as_deref())),
            _ => None,
        });
        pairs.collect()
    }

    /// The services of each hour of a span, or the one that is asked for.
    async fn buckets(&self, hours: Range<u32>, service: Option<ServiceId>) -> Result<Vec<Bucket>, HistoryError> {
        if let Some(service) = service {
            return Ok(hours.map(|hour| Bucket { hour: Hour(hour), service }).collect());
        }
        let calls = hours.map(|hour| async move {
            let key = keys::services(self.prefix(), Hour(hour));
            let found = texts(self.ask(&key, &[b"ZRANGE", &key, b"0", b"-1"]).await?);
            let services =
                found.into_iter().flatten().filter_map(|bytes| bytes.try_into().ok().map(ServiceId::from_bytes));
            Ok(services.map(|service| Bucket { hour: Hour(hour), service }).collect::<Vec<_>>())
        });
        Ok(try_join_all(calls).await?.concat())
    }

    /// The newest of a bucket that a query asks for, from before `end` down to `from`.
    async fn newest(
        &self,
        bucket: Bucket,
        query: &PageQuery,
        from: Timestamp,
        end: Cursor,
    ) -> Result<Partial, HistoryError> {
        let key = bucket.key(self.prefix(), "o");
        let lowest = [&b"["[..], &from.unix_ms().to_be_bytes()].concat();
        let (mut some, mut end) = (Partial::default(), end);
        loop {
            let highest = [b"(".to_vec(), keys::place(end.at, end.id)].concat();
            let chunk = CHUNK.to_string();
            let parts: [&[u8]; 7] = [b"ZREVRANGEBYLEX", &key, &highest, &lowest, b"LIMIT", b"0", chunk.as_bytes()];
            let places: Vec<_> = texts(self.ask(&key, &parts).await?)
                .into_iter()
                .flatten()
                .filter_map(|p| keys::read_place(&p))
                .collect();
            let Some((at, id)) = places.last().copied() else { return Ok(some) };
            let ids: Vec<_> = places.iter().map(|(_, id)| *id).collect();
            let entries = self.entries(bucket, &ids).await?;
            some.looked_at += places.len();
            some.entries.extend(entries.into_iter().filter(|entry| query.filter.matches(entry)));
            end = Cursor { at, id };
            if places.len() < CHUNK {
                return Ok(some);
            }
            if some.entries.len() > query.limit || some.looked_at >= SCAN_AT_ONCE {
                some.stopped = Some(end);
                return Ok(some);
            }
        }
    }

    pub(super) async fn read_page(&self, query: &PageQuery, now: Timestamp) -> Result<Page, HistoryError> {
        let from = query.filter.from.unwrap_or_default().max(now - self.options.retention);
        // Nothing is admitted much later than now; without this an empty future would be looked through.
        let latest = now + super::AHEAD;
        let until = query.filter.until.unwrap_or(latest).min(latest);
        let end = query.after.into_iter().chain([Cursor::before(until)]).min().unwrap_or(Cursor::before(until));
        if end <= Cursor::before(from) {
            return Ok(Page::default());
        }
        if query.filter.phone.is_some() || query.filter.verification.is_some() {
            return self.page_of_number(query, from, end).await;
        }
        let (oldest, mut hour) = (Hour::of(from).0, Hour::of(end.at).0 + 1);
        let (mut found, mut looked_at) = (BTreeMap::new(), 0);
        while hour > oldest {
            let first = hour.saturating_sub(HOURS_AT_ONCE).max(oldest);
            for (this_hour, buckets) in self.by_hour(first..hour, query.filter.service).await? {
                let some =
                    try_join_all(buckets.into_iter().map(|bucket| self.newest(bucket, query, from, end))).await?;
                let stopped = some.iter().filter_map(|some| some.stopped).max();
                for some in some {
                    looked_at += some.looked_at.max(1);
                    found.extend(some.entries.into_iter().map(|entry| (Cursor::after(&entry), entry)));
                }
                let sure = found.keys().filter(|cursor| stopped.is_none_or(|stopped| **cursor >= stopped)).count();
                if stopped.is_some() || sure > query.limit {
                    return Ok(page_of(found, query.limit, stopped));
                }
                if looked_at >= SCAN_AT_ONCE {
                    return Ok(page_of(found, query.limit, Some(Cursor::before(this_hour.start()))));
                }
            }
            hour = first;
        }
        Ok(page_of(found, query.limit, None))
    }

    /// The buckets of each hour that has any, the newest hour first.
    async fn by_hour(
        &self,
        hours: Range<u32>,
        service: Option<ServiceId>,
    ) -> Result<Vec<(Hour, Vec<Bucket>)>, HistoryError> {
        let mut by_hour: BTreeMap<Hour, Vec<Bucket>> = BTreeMap::new();
        for bucket in self.buckets(hours, service).await? {
            by_hour.entry(bucket.hour).or_default().push(bucket);
        }
        Ok(by_hour.into_iter().rev().collect())
    }

    /// Where the entries of a number or a verification lie, newest first: by what the indexes of days have.
    pub(super) async fn places(
        &self,
        prefix_of_hash: &[u8],
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<EntryKey>, HistoryError> {
        let byte = prefix_of_hash.first().copied().unwrap_or_default();
        let lowest = [&b"["[..], prefix_of_hash].concat();
        let highest = [&b"["[..], prefix_of_hash, &[255; 64]].concat();
        let (lowest, highest) = (&lowest, &highest);
        let calls = (keys::day(from)..=keys::day(until)).map(|day| async move {
            let key = keys::numbers(self.prefix(), byte, day);
            let parts: [&[u8]; 7] = [b"ZRANGEBYLEX", &key, lowest, highest, b"LIMIT", b"0", MOST_PLACES];
            self.ask(&key, &parts).await
        });
        let found = try_join_all(calls).await?.into_iter().flat_map(texts).flatten();
        let mut places: Vec<_> = found.filter_map(|member| keys::read_number_member(&member)).collect();
        places.sort_by_key(|place| std::cmp::Reverse((place.at, place.id)));
        places.dedup();
        Ok(places)
    }

    async fn page_of_number(&self, query: &PageQuery, from: Timestamp, end: Cursor) -> Result<Page, HistoryError> {
        let prefix = match (query.filter.phone, query.filter.verification) {
            (Some(phone), _) => phone.as_bytes().to_vec(),
            // The first two bytes of its id are those of its number's hash.
            (None, Some(verification)) => verification.as_bytes().iter().take(2).copied().collect(),
            (None, None) => Vec::new(),
        };
        let places = self.places(&prefix, from, end.at).await?;
        let within = |place: &EntryKey| place.at >= from && Cursor { at: place.at, id: place.id } < end;
        let own = |place: &EntryKey| query.filter.service.is_none_or(|service| service == place.service);
        let places: Vec<_> = places.into_iter().filter(|place| within(place) && own(place)).collect();
        let mut found = BTreeMap::new();
        for chunk in places.chunks(CHUNK) {
            let entries = try_join_all(chunk.iter().map(|place| self.at_place(*place))).await?;
            let wanted = entries.into_iter().flatten().filter(|entry| query.filter.matches(entry));
            found.extend(wanted.map(|entry| (Cursor::after(&entry), entry)));
            if found.len() > query.limit {
                break;
            }
        }
        Ok(page_of(found, query.limit, None))
    }

    async fn at_place(&self, place: EntryKey) -> Result<Option<Entry>, HistoryError> {
        Ok(self.entries(Bucket::of(&place), &[place.id]).await?.into_iter().next())
    }

    pub(super) async fn read_one(
        &self,
        service: Option<ServiceId>,
        id: DeliveryId,
        now: Timestamp,
    ) -> Result<Option<Entry>, HistoryError> {
        let (from, until) = id.admitted_within(now);
        let buckets = self.buckets(Hour::of(from).0..Hour::of(until).0, service).await?;
        let ids = [id];
        let found = try_join_all(buckets.into_iter().map(|bucket| self.entries(bucket, &ids))).await?;
        let oldest = now - self.options.retention;
        Ok(found.into_iter().flatten().find(|entry| entry.place.at >= oldest))
    }

    pub(super) async fn read_stats(&self, query: &StatsQuery, now: Timestamp) -> Result<Groups, HistoryError> {
        let oldest = Hour::of(now - self.options.counts_retention);
        let (mut first, end) = (query.from.max(oldest).0, query.until.min(Hour::of(now + super::AHEAD)).0);
        let query = StatsQuery { from: query.from.max(oldest), ..query.clone() };
        let mut groups = Groups::default();
        while first < end {
            let next = first.saturating_add(HOURS_AT_ONCE).min(end);
            let buckets = self.buckets(first..next, query.service).await?;
            let counts = buckets.into_iter().map(|bucket| async move {
                let key = bucket.key(self.prefix(), "c");
                Ok::<_, HistoryError>((bucket, texts(self.ask(&key, &[b"HGETALL", &key]).await?)))
            });
            for (bucket, fields) in try_join_all(counts).await? {
                for (key, counts) in rows(bucket, &fields) {
                    groups.add(&query, &key, &counts)?;
                }
            }
            first = next;
        }
        Ok(groups)
    }

    /// Erases the entries at some places of a bucket; returns how many there were.
    pub(super) async fn erase(&self, bucket: Bucket, places: &[EntryKey]) -> Result<usize, HistoryError> {
        let (entries, order) = (bucket.key(self.prefix(), "e"), bucket.key(self.prefix(), "o"));
        let fields: Vec<_> = places.iter().map(|place| keys::field(b'e', place.id)).collect();
        let news: Vec<_> = places.iter().map(|place| keys::field(b'n', place.id)).collect();
        let members: Vec<_> = places.iter().map(|place| keys::place(place.at, place.id)).collect();
        let (gone, _) = try_join(
            self.ask(&entries, &command(b"HDEL", &entries, &fields)),
            self.ask(&entries, &command(b"HDEL", &entries, &news)),
        )
        .await?;
        self.ask(&order, &command(b"ZREM", &order, &members)).await?;
        Ok(match gone {
            Value::Int(count) => usize::try_from(count).unwrap_or_default(),
            _ => 0,
        })
    }
}

/// A command on a key.
fn command<'a>(name: &'a [u8], key: &'a [u8], rest: &'a [Vec<u8>]) -> Vec<&'a [u8]> {
    [name, key].into_iter().chain(rest.iter().map(Vec::as_slice)).collect()
}

/// The newest of what was found. What lies behind `stopped` was perhaps not all found.
fn page_of(found: BTreeMap<Cursor, Entry>, limit: usize, stopped: Option<Cursor>) -> Page {
    let sure = found.into_iter().rev().filter(|(cursor, _)| stopped.is_none_or(|stopped| *cursor >= stopped));
    let mut entries: Vec<_> = sure.map(|(_, entry)| entry).collect();
    let next = if entries.len() > limit {
        entries.truncate(limit);
        entries.last().map(Cursor::after)
    } else {
        stopped
    };
    Page { entries, next }
}

/// The counts of a bucket, out of its fields.
fn rows(bucket: Bucket, fields: &[Option<Vec<u8>>]) -> BTreeMap<CountKey, Counts> {
    let mut rows: BTreeMap<CountKey, Counts> = BTreeMap::new();
    for pair in fields.chunks(2) {
        let [Some(name), Some(value)] = pair else { continue };
        let (Ok(name), Ok(value)) = (std::str::from_utf8(name), std::str::from_utf8(value)) else { continue };
        let mut parts = name.splitn(4, '|');
        let mut part = || parts.next().unwrap_or_default();
        let (country, sender, channel, field) = (part(), part(), part(), part());
        // What a newer version counts is passed over.
        let (Some(country), Ok(channel), Some(field), Ok(value)) =
            (Country::parse(country), channel.parse(), Field::parse(field), value.parse())
        else {
            continue;
        };
        let key = CountKey { hour: bucket.hour, service: bucket.service, country, sender: sender.into(), channel };
        rows.entry(key).or_default().add_field(&field, value);
    }
    rows
}
