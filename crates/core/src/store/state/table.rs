//! The table of packed records: 256 shards, so that a sweep holds the lock for a moment at a time.
//!
//! A value is six bytes (little endian, milliseconds: when it, or a part of it, may be dropped) and the packed record.

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use super::heap::{Heap, Place};
use crate::clock::Timestamp;

/// Which kind of record a key names. The numbers are on disk and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Verification = 1,
    Phone = 2,
    Quota = 3,
    Reply = 4,
}

/// The key of a record: its kind and 16 unpredictable bytes (a random id or a keyed hash).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordKey {
    pub(super) kind: Kind,
    pub(super) id: [u8; 16],
}

/// Bytes that are no key of a record, or no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a record of this version")]
pub struct BadRecord;

impl RecordKey {
    /// The key as stores write it.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 17] {
        let mut bytes = [self.kind as u8; 17];
        bytes.iter_mut().skip(1).zip(self.id).for_each(|(to, from)| *to = from);
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// [`BadRecord`] for other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadRecord> {
        let (kind, id) = bytes.split_first().ok_or(BadRecord)?;
        let kind = match kind {
            1 => Kind::Verification,
            2 => Kind::Phone,
            3 => Kind::Quota,
            4 => Kind::Reply,
            _ => return Err(BadRecord),
        };
        Ok(Self { kind, id: id.try_into().map_err(|_source| BadRecord)? })
    }
}

/// Keys are unpredictable to callers already (random or keyed), so eight of their bytes are a sound hash: neither those
/// that a verification's id shares with its number nor the one that chooses the shard.
fn hash_of(id: &[u8]) -> u64 {
    id.get(4..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

const SHARDS: usize = 256;
const DROP_AT_BYTES: usize = 6;
/// The latest instant that six bytes can say, in the year 10889.
const LATEST_DROP_AT_MS: u64 = (1 << (8 * DROP_AT_BYTES)) - 1;

/// The records whose ids end in the same byte.
#[derive(Debug, Default)]
struct Shard {
    /// Five bytes a bucket and more buckets than records: it holds places only, whose keys lie in the heap.
    index: HashTable<Place>,
    heap: Heap,
}

impl Shard {
    fn find(&self, key: &RecordKey) -> Option<Place> {
        let bytes = key.to_bytes();
        self.index.find(hash_of(&key.id), |place| self.heap.key(*place) == bytes).copied()
    }

    fn add(&mut self, key: &RecordKey, value: &[u8]) {
        let Self { index, heap } = self;
        let place = heap.add(key, value);
        index.insert_unique(hash_of(&key.id), place, |place| hash_of(heap.key(*place).get(1..).unwrap_or_default()));
    }

    fn set(&mut self, key: &RecordKey, value: Option<&[u8]>) -> Option<Box<[u8]>> {
        let Self { index, heap } = self;
        let bytes = key.to_bytes();
        match (index.find_entry(hash_of(&key.id), |place| heap.key(*place) == bytes), value) {
            (Ok(mut found), Some(value)) => {
                let before = heap.value(*found.get()).into();
                *found.get_mut() = heap.replace(*found.get(), key, value);
                Some(before)
            }
            (Ok(found), None) => {
                let (place, _) = found.remove();
                let before = heap.value(place).into();
                heap.remove(place);
                Some(before)
            }
            (Err(_absent), Some(value)) => {
                self.add(key, value);
                None
            }
            (Err(_absent), None) => None,
        }
    }

    /// Drops what is due at `now`, or puts what is kept of it in its place, and returns how many went.
    fn sweep(&mut self, now: Timestamp, rest: impl Fn(&RecordKey, &[u8]) -> Option<Vec<u8>>) -> usize {
        let Self { index, heap } = self;
        let before = index.len();
        index.retain(|place| {
            if drop_at(heap.value(*place)) > now {
                return true;
            }
            if let Ok(key) = RecordKey::from_bytes(heap.key(*place))
                && let Some(rest) = rest(&key, heap.value(*place)).filter(|rest| drop_at(rest) > now)
            {
                *place = heap.replace(*place, &key, &rest);
                return true;
            }
            heap.remove(*place);
            false
        });
        let gone = before - index.len();
        if heap.is_sparse() || (index.capacity() > 64 && index.len() < index.capacity() / 4) {
            *self = self.rebuilt();
        }
        gone
    }

    /// The same records without what is unused between them.
    fn rebuilt(&self) -> Self {
        let mut new = Self { index: HashTable::with_capacity(self.index.len()), heap: Heap::default() };
        for (key, value) in self.records() {
            new.add(&key, value);
        }
        new
    }

    fn records(&self) -> impl Iterator<Item = (RecordKey, &[u8])> {
        let record = |place: &Place| {
            // What was added with a key has one.
            let key = RecordKey::from_bytes(self.heap.key(*place)).ok()?;
            Some((key, self.heap.value(*place)))
        };
        self.index.iter().filter_map(record)
    }
}

/// All packed records.
#[derive(Debug)]
pub(super) struct Table {
    shards: Vec<Shard>,
    len: usize,
    next_sweep: usize,
}

impl Table {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect(), len: 0, next_sweep: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, key: &RecordKey) -> Option<&[u8]> {
        let shard = self.shards.get(usize::from(key.id[15]))?;
        shard.find(key).map(|place| shard.heap.value(place))
    }

    /// Puts or deletes, and returns what was there.
    pub(super) fn set(&mut self, key: &RecordKey, value: Option<&[u8]>) -> Option<Box<[u8]>> {
        let before = self.shards.get_mut(usize::from(key.id[15]))?.set(key, value);
        self.len = self.len + usize::from(value.is_some()) - usize::from(before.is_some());
        before
    }

    /// Drops what is due in the next shard and returns how many went. `rest` says what is kept of a due record, and until when.
    pub(super) fn sweep(&mut self, now: Timestamp, rest: impl Fn(&RecordKey, &[u8]) -> Option<Vec<u8>>) -> usize {
        let index = self.next_sweep;
        self.next_sweep = (index + 1) % SHARDS;
        let gone = self.shards.get_mut(index).map_or(0, |shard| shard.sweep(now, rest));
        self.len -= gone;
        gone
    }

    pub(super) fn keys(&self) -> Vec<RecordKey> {
        self.shards.iter().flat_map(Shard::records).map(|(key, _)| key).collect()
    }

    pub(super) fn shard_records(&self, shard: u8) -> impl Iterator<Item = (RecordKey, &[u8])> {
        self.shards.get(usize::from(shard)).into_iter().flat_map(Shard::records)
    }
}

/// When a packed value may be dropped.
pub(super) fn drop_at(value: &[u8]) -> Timestamp {
    let ms = value.first_chunk().map_or(0, |[a, b, c, d, e, f]| u64::from_le_bytes([*a, *b, *c, *d, *e, *f, 0, 0]));
    Timestamp::from_unix_ms(ms)
}

/// Packs a record into `bytes`, in place of what is there.
pub(super) fn pack<T: Serialize>(mut bytes: Vec<u8>, drop_at: Timestamp, record: &T) -> Result<Vec<u8>, BadRecord> {
    bytes.clear();
    let drop_at = drop_at.unix_ms().min(LATEST_DROP_AT_MS).to_le_bytes();
    bytes.extend(drop_at.iter().take(DROP_AT_BYTES));
    postcard::to_extend(record, bytes).map_err(|_source| BadRecord)
}

/// Unpacks a record, all of it.
pub(super) fn unpack<T: for<'de> Deserialize<'de>>(value: &[u8]) -> Result<T, BadRecord> {
    let body = value.get(DROP_AT_BYTES..).ok_or(BadRecord)?;
    match postcard::take_from_bytes(body) {
        Ok((record, [])) => Ok(record),
        _ => Err(BadRecord),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u16) -> RecordKey {
        let [low, high] = number.to_le_bytes();
        let mut id = [0; 16];
        (id[4], id[5]) = (low, high);
        RecordKey { kind: Kind::Verification, id }
    }

    fn value(drop_at_ms: u64, number: u16) -> Vec<u8> {
        pack(Vec::new(), Timestamp::from_unix_ms(drop_at_ms), &(number, [7_u8; 32])).unwrap()
    }

    #[test]
    fn a_sweep_drops_what_is_due_and_gives_memory_back() {
        let mut table = Table::new();
        for number in 0..8000 {
            let drop_at_ms = if number % 10 == 0 { 1001 } else { 1000 };
            assert_eq!(table.set(&key(number), Some(&value(drop_at_ms, number))), None);
        }
        let bytes = |table: &Table| table.shards[0].heap.bytes();
        let (full, at) = (bytes(&table), Timestamp::from_unix_ms);
        assert_eq!(table.shards[0].sweep(at(999), |_, _| None), 0);
        assert_eq!(table.sweep(at(1000), |_, _| None), 7200);
        assert_eq!(table.len(), 800);
        assert!(bytes(&table) < full / 4, "{} of {full}", bytes(&table));
        assert!(table.shards[0].index.capacity() < 2000);
        for number in 0..8000 {
            let kept = (number % 10 == 0).then(|| value(1001, number));
            assert_eq!(table.get(&key(number)), kept.as_deref());
        }
    }

    #[test]
    fn what_was_there_comes_back_from_every_change() {
        let mut table = Table::new();
        let (short, long) = (value(1, 1), vec![9; 5000]);
        assert_eq!(table.set(&key(1), Some(&short)), None);
        assert_eq!(table.set(&key(1), Some(&long)).as_deref(), Some(&short[..]));
        assert_eq!(table.set(&key(1), Some(&short)).as_deref(), Some(&long[..]));
        let other_kind = RecordKey { kind: Kind::Phone, ..key(1) };
        assert_eq!((table.get(&other_kind), table.len()), (None, 1));
        assert_eq!(table.set(&key(1), None).as_deref(), Some(&short[..]));
        assert_eq!((table.set(&key(1), None), table.len()), (None, 0));
    }

    #[test]
    fn the_instant_of_dropping_is_read_back_or_very_late() {
        let at = |ms| drop_at(&value(ms, 0)).unix_ms();
        assert_eq!((at(0), at(LATEST_DROP_AT_MS)), (0, LATEST_DROP_AT_MS));
        assert_eq!(at(u64::MAX), LATEST_DROP_AT_MS);
    }
}
