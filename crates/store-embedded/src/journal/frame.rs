//! The bytes inside the log library's records: headers, groups of changes, the end of a checkpoint. All numbers little-endian.
//!
//! ```text
//! file    = 32 bytes of text "verifyd journal     format 0001\n", then records of the log library (length, CRC-32C, payload)
//! header  = generation u64, first sequence u64, schema u32, 1      (the first record of every file)
//! group   = sequence u64, change …, 1                              (journal: one per commit; checkpoint: numbered from 1)
//! end     = 2^64-1, number of changes u64, 1                       (the last record of a checkpoint)
//! change  = key length u32, value length u32 (2^32-1: deleted), key, value
//! ```
//! Every payload ends in a 1: the zeros that follow the last record of a preallocated file are then never part of it.

/// The newest file format that is understood; it is also the one written.
pub(super) const FORMAT: u32 = 1;

/// Bytes of text that a file begins with.
pub(super) const MAGIC_BYTES: usize = 32;

/// Ends every payload.
const END: u8 = 1;

/// The value length that says "deleted".
const DELETED: u32 = u32::MAX;

/// The sequence number of a checkpoint's last record.
const CHECKPOINT_END: u64 = u64::MAX;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Commits in order.
    Journal,
    /// All records that lived when it was written.
    Checkpoint,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Checkpoint => "checkpoint",
        }
    }
}

/// Whether the text at the start of a file is ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Magic {
    Ours,
    Newer(u32),
    Foreign,
}

/// The text that a file of this kind begins with.
pub(super) fn magic(kind: Kind) -> String {
    format!("verifyd {:<11} format {FORMAT:04}\n", kind.name())
}

/// Judges the text at the start of a file.
pub(super) fn read_magic(kind: Kind, bytes: &[u8]) -> Magic {
    let expected = magic(kind);
    let Some((name, version)) = expected.as_bytes().split_last_chunk::<5>() else { return Magic::Foreign };
    let Some((found_name, found)) = bytes.split_last_chunk::<5>() else { return Magic::Foreign };
    if found_name != name {
        return Magic::Foreign;
    }
    if found == version {
        return Magic::Ours;
    }
    let number = std::str::from_utf8(found).ok().and_then(|text| text.strip_suffix('\n')?.parse::<u32>().ok());
    number.filter(|number| *number > FORMAT).map_or(Magic::Foreign, Magic::Newer)
}

/// The first record of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The file's number; a checkpoint has that of the first journal to replay over it.
    pub(super) generation: u64,
    /// The sequence number of the first group in the journal of this generation.
    pub(super) first_sequence: u64,
    /// The caller's version of keys and values.
    pub(super) schema: u32,
}

impl Header {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(21);
        bytes.extend_from_slice(&self.generation.to_le_bytes());
        bytes.extend_from_slice(&self.first_sequence.to_le_bytes());
        bytes.extend_from_slice(&self.schema.to_le_bytes());
        bytes.push(END);
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (generation, bytes) = take_u64(bytes)?;
        let (first_sequence, bytes) = take_u64(bytes)?;
        let (schema, bytes) = take_u32(bytes)?;
        (bytes == [END]).then_some(Self { generation, first_sequence, schema })
    }
}

/// One record that was written, or deleted if it has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// Its value; `None` if it was deleted.
    pub value: Option<&'a [u8]>,
}

/// Where an operation, or a snapshot, writes its records.
#[derive(Debug)]
pub struct Records<'a> {
    bytes: &'a mut Vec<u8>,
    count: u64,
}

impl<'a> Records<'a> {
    pub(super) fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self { bytes, count: 0 }
    }

    /// The record `key` now is `value`.
    pub fn put(&mut self, key: &[u8], value: &[u8]) {
        self.change(key, length(value), value);
    }

    /// The record `key` is gone.
    pub fn delete(&mut self, key: &[u8]) {
        self.change(key, DELETED, &[]);
    }

    /// Bytes written so far, in this operation and in those it shares the record with.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    fn change(&mut self, key: &[u8], value_len: u32, value: &[u8]) {
        self.bytes.reserve(8 + key.len() + value.len());
        self.bytes.extend_from_slice(&length(key).to_le_bytes());
        self.bytes.extend_from_slice(&value_len.to_le_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.count += 1;
    }
}

/// A length as it is written. One too long for a `u32` is far beyond what an operation may have; `submit` refuses it by its size.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(DELETED - 1)
}

/// Makes `bytes` an empty group, to be filled with changes.
pub(super) fn begin_group(bytes: &mut Vec<u8>) {
    bytes.clear();
    bytes.extend_from_slice(&[0; 8]);
}

/// Whether a group holds changes.
pub(super) fn has_changes(group: &[u8]) -> bool {
    group.len() > 8
}

/// Numbers and ends a group.
pub(super) fn end_group(group: &mut Vec<u8>, sequence: u64) {
    if let Some(number) = group.first_chunk_mut::<8>() {
        *number = sequence.to_le_bytes();
    }
    group.push(END);
}

/// The last record of a checkpoint.
pub(super) fn checkpoint_end(changes: u64) -> Vec<u8> {
    let mut bytes = CHECKPOINT_END.to_le_bytes().to_vec();
    bytes.extend_from_slice(&changes.to_le_bytes());
    bytes.push(END);
    bytes
}

/// A record after the header.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// A numbered group; its changes are read by [`next_change`].
    Group(u64, &'a [u8]),
    /// The end of a checkpoint and how many changes it holds.
    CheckpointEnd(u64),
}

impl<'a> Frame<'a> {
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (sequence, bytes) = take_u64(bytes)?;
        let (&end, bytes) = bytes.split_last()?;
        if end != END {
            return None;
        }
        if sequence != CHECKPOINT_END {
            return Some(Self::Group(sequence, bytes));
        }
        let (changes, rest) = take_u64(bytes)?;
        rest.is_empty().then_some(Self::CheckpointEnd(changes))
    }
}

/// Takes the first change off the bytes of a group.
pub(super) fn next_change<'a>(bytes: &mut &'a [u8]) -> Option<Change<'a>> {
    let (key_len, rest) = take_u32(bytes)?;
    let (value_len, rest) = take_u32(rest)?;
    let (key, rest) = rest.split_at_checked(usize::try_from(key_len).ok()?)?;
    let (value, rest) = if value_len == DELETED {
        (None, rest)
    } else {
        let (value, rest) = rest.split_at_checked(usize::try_from(value_len).ok()?)?;
        (Some(value), rest)
    };
    *bytes = rest;
    Some(Change { key, value })
}

fn take_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_le_bytes(*number), rest))
}

fn take_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magic_is_32_bytes_and_tells_versions_apart() {
        for kind in [Kind::Journal, Kind::Checkpoint] {
            assert_eq!(magic(kind).len(), MAGIC_BYTES);
            assert_eq!(read_magic(kind, magic(kind).as_bytes()), Magic::Ours);
            let newer = magic(kind).replace("0001", "0012");
            assert_eq!(read_magic(kind, newer.as_bytes()), Magic::Newer(12));
            let older = magic(kind).replace("0001", "0000");
            assert_eq!(read_magic(kind, older.as_bytes()), Magic::Foreign);
        }
        assert_eq!(read_magic(Kind::Journal, magic(Kind::Checkpoint).as_bytes()), Magic::Foreign);
        assert_eq!(read_magic(Kind::Journal, b"short"), Magic::Foreign);
    }

    #[test]
    fn a_group_reads_back_and_any_cut_of_it_is_refused() {
        let mut bytes = Vec::new();
        begin_group(&mut bytes);
        assert!(!has_changes(&bytes));
        let mut records = Records::new(&mut bytes);
        records.put(b"key", b"value");
        records.put(b"", b"");
        records.delete(b"gone");
        assert_eq!(records.count(), 3);
        assert!(has_changes(&bytes));
        end_group(&mut bytes, 7);

        let Some(Frame::Group(7, mut rest)) = Frame::decode(&bytes) else { panic!("no group") };
        let change = |key, value| Change { key, value };
        assert_eq!(next_change(&mut rest), Some(change(b"key", Some(b"value"))));
        assert_eq!(next_change(&mut rest), Some(change(b"", Some(b""))));
        assert_eq!(next_change(&mut rest), Some(change(b"gone", None)));
        assert!(rest.is_empty());
        assert_eq!(next_change(&mut rest), None);

        let mut cut: &[u8] = &bytes[8..bytes.len() - 2];
        next_change(&mut cut).unwrap();
        next_change(&mut cut).unwrap();
        assert_eq!(next_change(&mut cut), None);
    }

    #[test]
    fn headers_and_ends_read_back() {
        let header = Header { generation: 3, first_sequence: 900, schema: 1 };
        assert_eq!(Header::decode(&header.encode()), Some(header));
        assert_eq!(Header::decode(&header.encode()[1..]), None);
        assert_eq!(Frame::decode(&checkpoint_end(12)), Some(Frame::CheckpointEnd(12)));
        assert_eq!(Frame::decode(&checkpoint_end(12)[..16]), None);
    }
}
