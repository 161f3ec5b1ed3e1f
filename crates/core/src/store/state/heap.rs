//! The bytes of packed records, side by side in chunks: with millions of records, an allocation, a pointer and a length for
//! each would take a third of the memory.
//!
//! A record takes whole units of four bytes. A place that is given back goes to the next record of as many units; what a sweep
//! leaves half empty is made anew (`table`). A record too long to share a chunk has one of its own.
//!
//! ```text
//! place = value length u32, key (17 bytes), value, up to 3 bytes unused; little-endian
//! free  = the next free place of as many units u32, unused
//! ```

use super::table::RecordKey;

const UNIT_BYTES: usize = 4;
/// A place is the number of a chunk and, in its lower bits, of a unit in it.
const UNIT_BITS: u32 = 13;
const CHUNK_BYTES: usize = UNIT_BYTES << UNIT_BITS;
/// A longer record has a chunk of its own: no more than this stays unused at the end of one that is shared.
const SHARED_BYTES: usize = CHUNK_BYTES / 8;
const LENGTH_BYTES: usize = 4;
const VALUE_AT: usize = LENGTH_BYTES + 17;
/// Ends a list of free places. No record lies there: it would be shorter than its key.
const NONE: u32 = u32::MAX;

/// Where a record lies. 2^19 chunks are 16 GiB, and each of 256 shards has a heap: the numbers do not run out before memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u32);

impl Place {
    fn new(chunk: usize, unit: usize) -> Self {
        Self(u32::try_from((chunk << UNIT_BITS) | unit).unwrap_or(NONE))
    }

    fn chunk(self) -> usize {
        (self.0 >> UNIT_BITS) as usize
    }

    /// The first byte within the chunk.
    fn start(self) -> usize {
        (self.0 as usize & ((1 << UNIT_BITS) - 1)) * UNIT_BYTES
    }
}

/// The records of a shard.
#[derive(Debug, Default)]
pub(super) struct Heap {
    /// Shared ones of [`CHUNK_BYTES`], some as long as their one record, some empty until they are used again.
    chunks: Vec<Box<[u8]>>,
    /// The shared chunk that is being filled, and its first unit that was never used.
    filling: Option<(usize, usize)>,
    /// The first free place of no unit, one, two …
    free: Vec<u32>,
    /// The numbers of empty chunks.
    empty: Vec<usize>,
    live_bytes: usize,
    chunk_bytes: usize,
}

impl Heap {
    /// What its chunks take.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.chunk_bytes
    }

    /// Whether less than half of it is used, unless it is small anyway.
    pub(super) fn is_sparse(&self) -> bool {
        self.chunk_bytes > 2 * CHUNK_BYTES && self.live_bytes < self.chunk_bytes / 2
    }

    /// The bytes of a record's key.
    pub(super) fn key(&self, place: Place) -> &[u8] {
        self.at(place).get(LENGTH_BYTES..VALUE_AT).unwrap_or_default()
    }

    /// A record's value.
    pub(super) fn value(&self, place: Place) -> &[u8] {
        let bytes = self.at(place);
        let length = bytes.first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize);
        bytes.get(VALUE_AT..).and_then(|bytes| bytes.get(..length)).unwrap_or_default()
    }

    /// Adds a record.
    pub(super) fn add(&mut self, key: &RecordKey, value: &[u8]) -> Place {
        let size = size(value);
        let place = if size > SHARED_BYTES { self.add_chunk(size) } else { self.shared(size) };
        self.live_bytes += size;
        self.write(place, key, value);
        place
    }

    /// Gives a record another value and says where it is now.
    pub(super) fn replace(&mut self, place: Place, key: &RecordKey, value: &[u8]) -> Place {
        if size(self.value(place)) == size(value) {
            self.write(place, key, value);
            return place;
        }
        self.remove(place);
        self.add(key, value)
    }

    /// Gives a record's place back.
    pub(super) fn remove(&mut self, place: Place) {
        let size = size(self.value(place));
        self.live_bytes -= size;
        if size > SHARED_BYTES {
            if let Some(chunk) = self.chunks.get_mut(place.chunk()) {
                *chunk = Box::default();
                self.chunk_bytes -= size;
                self.empty.push(place.chunk());
            }
            return;
        }
        let units = size / UNIT_BYTES;
        if self.free.len() <= units {
            self.free.resize(units + 1, NONE);
        }
        if let Some(first) = self.free.get_mut(units) {
            let next = std::mem::replace(first, place.0);
            self.write_number(place, next);
        }
    }

    /// A place in a shared chunk.
    fn shared(&mut self, size: usize) -> Place {
        let units = size / UNIT_BYTES;
        if let Some(first) = self.free.get(units).copied().filter(|first| *first != NONE) {
            let next = self.at(Place(first)).first_chunk().map_or(NONE, |next| u32::from_le_bytes(*next));
            if let Some(list) = self.free.get_mut(units) {
                *list = next;
            }
            return Place(first);
        }
        let (chunk, unit) = match self.filling {
            Some((chunk, unit)) if (unit + units) * UNIT_BYTES <= CHUNK_BYTES => (chunk, unit),
            _ => (self.add_chunk(CHUNK_BYTES).chunk(), 0),
        };
        self.filling = Some((chunk, unit + units));
        Place::new(chunk, unit)
    }

    fn add_chunk(&mut self, bytes: usize) -> Place {
        self.chunk_bytes += bytes;
        let chunk = vec![0; bytes].into_boxed_slice();
        let number = self.empty.pop();
        if let Some((number, empty)) = number.and_then(|number| Some((number, self.chunks.get_mut(number)?))) {
            *empty = chunk;
            return Place::new(number, 0);
        }
        self.chunks.push(chunk);
        Place::new(self.chunks.len() - 1, 0)
    }

    fn write(&mut self, place: Place, key: &RecordKey, value: &[u8]) {
        self.write_number(place, u32::try_from(value.len()).unwrap_or(u32::MAX));
        let bytes = self.at_mut(place);
        if let Some(to) = bytes.get_mut(LENGTH_BYTES..VALUE_AT) {
            to.copy_from_slice(&key.to_bytes());
        }
        if let Some(to) = bytes.get_mut(VALUE_AT..).and_then(|bytes| bytes.get_mut(..value.len())) {
            to.copy_from_slice(value);
        }
    }

    fn write_number(&mut self, place: Place, number: u32) {
        if let Some(to) = self.at_mut(place).first_chunk_mut() {
            *to = number.to_le_bytes();
        }
    }

    /// The bytes from a place to the end of its chunk.
    fn at(&self, place: Place) -> &[u8] {
        self.chunks.get(place.chunk()).and_then(|chunk| chunk.get(place.start()..)).unwrap_or_default()
    }

    fn at_mut(&mut self, place: Place) -> &mut [u8] {
        self.chunks.get_mut(place.chunk()).and_then(|chunk| chunk.get_mut(place.start()..)).unwrap_or_default()
    }
}

/// What a record takes: whole units.
fn size(value: &[u8]) -> usize {
    (VALUE_AT + value.len()).next_multiple_of(UNIT_BYTES)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::super::table::Kind;
    use super::*;

    fn key(id: u8) -> RecordKey {
        RecordKey { kind: Kind::Phone, id: [id; 16] }
    }

    /// Lengths around every bound: of a unit, of what may share a chunk, of a chunk.
    fn lengths() -> impl Strategy<Value = usize> {
        let around = |bytes: usize| bytes.saturating_sub(VALUE_AT + 2)..=bytes - VALUE_AT + 2;
        prop_oneof![0..300_usize, around(SHARED_BYTES), around(CHUNK_BYTES)]
    }

    proptest! {
        #[test]
        fn agrees_with_a_map(steps in proptest::collection::vec((any::<u8>(), any::<bool>(), lengths()), 1..400)) {
            let mut heap = Heap::default();
            let mut expected: HashMap<u8, (Place, Vec<u8>)> = HashMap::new();
            for (step, (id, keep, length)) in steps.into_iter().enumerate() {
                // Few ids, so that most steps replace or remove.
                let id = id % 24;
                let value = vec![u8::try_from(step % 251).unwrap(); length];
                match (expected.remove(&id), keep) {
                    (Some((place, _)), false) => heap.remove(place),
                    (Some((place, _)), true) => {
                        let place = heap.replace(place, &key(id), &value);
                        expected.insert(id, (place, value));
                    }
                    (None, _) => {
                        let place = heap.add(&key(id), &value);
                        expected.insert(id, (place, value));
                    }
                }
                for (id, (place, value)) in &expected {
                    prop_assert_eq!(heap.key(*place), &key(*id).to_bytes());
                    prop_assert_eq!(heap.value(*place), &value[..]);
                }
                prop_assert_eq!(heap.live_bytes, expected.values().map(|(_, value)| size(value)).sum::<usize>());
                prop_assert_eq!(heap.chunk_bytes, heap.chunks.iter().map(|chunk| chunk.len()).sum::<usize>());
            }
        }
    }

    #[test]
    fn what_is_given_back_is_used_again() {
        let mut heap = Heap::default();
        for length in [100, SHARED_BYTES, 3 * CHUNK_BYTES] {
            let value = vec![7; length];
            let mut place = heap.add(&key(1), &value);
            let bytes = heap.chunk_bytes;
            for _ in 0..3 * CHUNK_BYTES / length {
                heap.remove(place);
                place = heap.add(&key(1), &value);
            }
            assert_eq!(heap.chunk_bytes, bytes, "{length}");
        }
    }
}
