//! The table of packed records: 256 shards, so that a sweep holds the lock for a moment at a time.
//!
//! A value is eight bytes (little endian, milliseconds: when it may be dropped) and the packed record.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// Which kind of record a key names. The numbers are on disk and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Verification = 1,
    Phone = 2,
    Quota = 3,
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
            _ => return Err(BadRecord),
        };
        Ok(Self { kind, id: id.try_into().map_err(|_source| BadRecord)? })
    }
}

/// Keys are unpredictable to callers already (random or keyed), so eight of their bytes are a sound hash.
#[derive(Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            self.0 = self.0.rotate_left(32) ^ u64::from_le_bytes(word);
        }
    }

    fn write_usize(&mut self, _length: usize) {}

    fn write_u8(&mut self, byte: u8) {
        self.0 ^= u64::from(byte);
    }

    fn write_isize(&mut self, discriminant: isize) {
        self.0 ^= discriminant.unsigned_abs() as u64;
    }
}

const SHARDS: usize = 256;
const DROP_AT_BYTES: usize = 8;

type Shard = HashMap<RecordKey, Box<[u8]>, BuildHasherDefault<KeyHasher>>;

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

    fn shard(&self, key: &RecordKey) -> Option<&Shard> {
        self.shards.get(usize::from(key.id[15]))
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, key: &RecordKey) -> Option<&[u8]> {
        self.shard(key)?.get(key).map(|value| &**value)
    }

    /// Puts or deletes, and returns what was there.
    pub(super) fn set(&mut self, key: RecordKey, value: Option<Box<[u8]>>) -> Option<Box<[u8]>> {
        let shard = self.shards.get_mut(usize::from(key.id[15]))?;
        let added = usize::from(value.is_some());
        let before = match value {
            Some(value) => shard.insert(key, value),
            None => shard.remove(&key),
        };
        self.len = self.len + added - usize::from(before.is_some());
        before
    }

    /// Drops what is due in the next shard and returns how many went.
    pub(super) fn sweep(&mut self, now: Timestamp) -> usize {
        let index = self.next_sweep;
        self.next_sweep = (index + 1) % SHARDS;
        let Some(shard) = self.shards.get_mut(index) else { return 0 };
        let before = shard.len();
        shard.retain(|_, value| drop_at(value) > now);
        if shard.capacity() > 64 && shard.len() < shard.capacity() / 4 {
            shard.shrink_to_fit();
        }
        let gone = before - shard.len();
        self.len -= gone;
        gone
    }

    pub(super) fn keys(&self) -> Vec<RecordKey> {
        self.shards.iter().flat_map(|shard| shard.keys().copied()).collect()
    }

    pub(super) fn shard_records(&self, shard: u8) -> impl Iterator<Item = (RecordKey, &[u8])> {
        self.shards.get(usize::from(shard)).into_iter().flatten().map(|(key, value)| (*key, &**value))
    }
}

/// When a packed value may be dropped.
pub(super) fn drop_at(value: &[u8]) -> Timestamp {
    let ms = value.first_chunk::<DROP_AT_BYTES>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    Timestamp::from_unix_ms(ms)
}

/// Packs a record.
pub(super) fn pack<T: Serialize>(drop_at: Timestamp, record: &T) -> Result<Box<[u8]>, BadRecord> {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(&drop_at.unix_ms().to_le_bytes());
    let bytes = postcard::to_extend(record, bytes).map_err(|_source| BadRecord)?;
    Ok(bytes.into_boxed_slice())
}

/// Unpacks a record, all of it.
pub(super) fn unpack<T: for<'de> Deserialize<'de>>(value: &[u8]) -> Result<T, BadRecord> {
    let body = value.get(DROP_AT_BYTES..).ok_or(BadRecord)?;
    match postcard::take_from_bytes(body) {
        Ok((record, [])) => Ok(record),
        _ => Err(BadRecord),
    }
}
