//! What an opening need not read again: what each segment covers, and the counts up to a place in the log.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use verifyd_core::clock::Timestamp;
use verifyd_core::history::{Batch, CountTable, EntryKey};

/// The file in the directory of the history.
pub(super) const FILE: &str = "index";
/// The first bytes of the file; another version is another text.
const MAGIC: &[u8] = b"verifyd history index 1\n";

/// A span of instants, both ends included; nothing if the first lies behind the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Span {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl Default for Span {
    fn default() -> Self {
        Self { first: Timestamp::from_unix_ms(u64::MAX), last: Timestamp::EPOCH }
    }
}

impl Span {
    fn widen(&mut self, at: Timestamp) {
        self.first = self.first.min(at);
        self.last = self.last.max(at);
    }

    /// Whether it has an instant from `from` on and before `until`.
    pub(super) fn meets(&self, from: Timestamp, until: Timestamp) -> bool {
        self.first < until && self.last >= from
    }
}

/// What a segment covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extent {
    /// Its number.
    pub(super) number: u64,
    /// How many batches it holds.
    pub(super) batches: u64,
    /// How many entries.
    pub(super) entries: u64,
    /// When they were admitted.
    pub(super) admitted: Span,
    /// When those were admitted of which it holds news.
    pub(super) changed: Span,
}

impl Extent {
    pub(super) fn add(&mut self, batch: &Batch) {
        let at = |place: &EntryKey| place.at;
        self.batches += 1;
        self.entries += batch.entries.len() as u64;
        batch.entries.iter().for_each(|entry| self.admitted.widen(at(&entry.place)));
        batch.changes.iter().for_each(|change| self.changed.widen(at(&change.place)));
    }
}

/// See the module.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Index {
    /// The segments, oldest first; of the last one as much as had been written then.
    pub(super) extents: Vec<Extent>,
    /// The counts of all of that.
    pub(super) counts: CountTable,
}

/// Makes names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

impl Index {
    /// The index of a directory; an empty one if there is none, or none that can be read.
    pub(super) fn read(dir: &Path) -> io::Result<Self> {
        let bytes = match fs::read(dir.join(FILE)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let read = bytes.strip_prefix(MAGIC).and_then(|rest| postcard::from_bytes(rest).ok());
        if read.is_none() {
            tracing::warn!(
                "the index of the history cannot be read; it is made again from the segments, and older counts are lost"
            );
        }
        Ok(read.unwrap_or_default())
    }

    /// Writes it in place of the one before, durably.
    pub(super) fn write(&self, dir: &Path) -> io::Result<()> {
        let bytes = postcard::to_extend(self, MAGIC.to_vec()).map_err(io::Error::other)?;
        let temporary = dir.join(format!("{FILE}.tmp"));
        let mut file = File::create(&temporary)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, dir.join(FILE))?;
        sync_dir(dir)
    }
}
