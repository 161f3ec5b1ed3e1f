//! The segments on disk: the one that is written, and those that are only read any more.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use verifyd_core::clock::Timestamp;
use verifyd_core::history::{Batch, CountTable, Entry, HistoryOptions};
use wal_db::{Wal, WalConfig};

use super::index::{Extent, Index, sync_dir};
use crate::journal::wal_io;

/// A segment is closed when it has grown to this: one page reads at least one segment.
const SEGMENT_BYTES: u64 = 4 << 20;
/// And when it has this part of all entries, so that the cap, which drops whole segments, keeps most of them.
const SEGMENTS_PER_CAP: u64 = 16;
/// A batch of 1,024 events with the longest texts of a provider stays far below.
const MAX_BATCH_BYTES: u32 = 64 << 20;

/// The stored form of a batch.
pub(super) fn encode(batch: &Batch) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_stdvec(batch)
}

fn open_wal(path: &Path) -> io::Result<Wal> {
    let wal = Wal::open_with(path, WalConfig::new().with_max_record_size(MAX_BATCH_BYTES)).map_err(wal_io)?;
    if wal.truncated_on_open() > 0 {
        let bytes = wal.truncated_on_open();
        tracing::warn!(file = %path.display(), bytes, "the end of a segment of the history was damaged and is cut off");
    }
    Ok(wal)
}

/// Visits the batches of a log, oldest first. What cannot be read ends it.
fn visit(wal: &Wal, mut visit: impl FnMut(Batch)) -> io::Result<()> {
    for record in wal.iter().map_err(wal_io)? {
        let record = record.map_err(wal_io)?;
        match postcard::from_bytes(record.data()) {
            Ok(batch) => visit(batch),
            Err(error) => {
                tracing::warn!(%error, "a batch of the history cannot be read and is passed over");
                visit(Batch::default());
            }
        }
    }
    Ok(())
}

/// A segment to be read. It may be gone by then, which is as if it were empty.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) extent: Extent,
    path: PathBuf,
    /// The log of the one that is written.
    live: Option<Arc<Wal>>,
}

impl Segment {
    /// Visits its batches, oldest first.
    pub(super) fn visit(&self, visitor: impl FnMut(Batch)) -> io::Result<()> {
        match &self.live {
            Some(wal) => visit(wal, visitor),
            None if !self.path.exists() => Ok(()),
            None => visit(&open_wal(&self.path)?, visitor),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Log {
    dir: PathBuf,
    /// Oldest first.
    closed: VecDeque<Extent>,
    live: Extent,
    /// `None` after a write that failed: opening it again cuts off what was half written.
    wal: Option<Arc<Wal>>,
    counts: CountTable,
    entries_per_segment: u64,
}

fn path_of(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("segment-{number:010}.log"))
}

/// The numbers of the segments that are there, rising. What was still being written when a process died goes.
fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for file in fs::read_dir(dir)? {
        let file = file?;
        let name = file.file_name().to_string_lossy().into_owned();
        if name.strip_suffix(".tmp").is_some() {
            fs::remove_file(file.path())?;
        }
        let number = name.strip_prefix("segment-").and_then(|rest| rest.strip_suffix(".log"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

impl Log {
    pub(super) fn open(dir: &Path, max_entries: usize) -> io::Result<Self> {
        make_dir(dir)?;
        let Index { extents, mut counts } = Index::read(dir)?;
        let behind = extents.last().map_or(0, |last| last.number);
        let mut closed = VecDeque::new();
        for number in numbers(dir)? {
            let known = extents.iter().find(|extent| extent.number == number);
            // Only the last that the index knows, and those behind it, can hold what it does not have.
            if let Some(known) = known.filter(|_| number < behind) {
                closed.push_back(*known);
                continue;
            }
            let counted = known.map_or(0, |known| known.batches);
            let mut extent = Extent { number, ..Extent::default() };
            visit(&open_wal(&path_of(dir, number))?, |batch| {
                if extent.batches >= counted {
                    batch.counts.iter().for_each(|(key, added)| counts.add(key, added));
                }
                extent.add(&batch);
            })?;
            closed.push_back(extent);
        }
        // The last one goes on; with none, the next number that the index has not seen.
        let live = closed.pop_back().unwrap_or(Extent { number: behind + 1, ..Extent::default() });
        let wal = Some(Arc::new(open_wal(&path_of(dir, live.number))?));
        let entries_per_segment = (max_entries as u64 / SEGMENTS_PER_CAP).max(1);
        Ok(Self { dir: dir.to_path_buf(), closed, live, wal, counts, entries_per_segment })
    }

    /// The counts of everything that is there, and of what was.
    pub(super) fn counts(&self) -> &CountTable {
        &self.counts
    }

    /// Every segment, newest first.
    pub(super) fn segments(&self) -> Vec<Segment> {
        let live = Segment { extent: self.live, path: path_of(&self.dir, self.live.number), live: self.wal.clone() };
        let closed = self.closed.iter().rev().map(|extent| Segment {
            extent: *extent,
            path: path_of(&self.dir, extent.number),
            live: None,
        });
        std::iter::once(live).chain(closed).collect()
    }

    fn wal(&mut self) -> io::Result<Arc<Wal>> {
        let wal = match self.wal.take() {
            Some(wal) => wal,
            None => Arc::new(open_wal(&path_of(&self.dir, self.live.number))?),
        };
        self.wal = Some(Arc::clone(&wal));
        Ok(wal)
    }

    pub(super) fn append(&mut self, batch: &Batch, bytes: &[u8]) -> io::Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let wal = self.wal()?;
        if let Err(error) = wal.append(bytes) {
            self.wal = None;
            return Err(wal_io(error));
        }
        self.live.add(batch);
        batch.counts.iter().for_each(|(key, added)| self.counts.add(key, added));
        if wal.len() >= SEGMENT_BYTES || self.live.entries >= self.entries_per_segment {
            // The batch is there; a segment that cannot be closed grows on.
            if let Err(error) = self.close_segment() {
                tracing::warn!(%error, "a segment of the history cannot be closed");
            }
        }
        Ok(())
    }

    /// Goes on in a new segment.
    fn close_segment(&mut self) -> io::Result<()> {
        self.wal()?.sync().map_err(wal_io)?;
        let number = self.live.number + 1;
        let wal = open_wal(&path_of(&self.dir, number))?;
        sync_dir(&self.dir)?;
        self.closed.push_back(self.live);
        self.live = Extent { number, ..Extent::default() };
        self.wal = Some(Arc::new(wal));
        Ok(())
    }

    /// Makes durable what was appended, and writes the index.
    pub(super) fn save(&mut self) -> io::Result<()> {
        self.wal()?.sync().map_err(wal_io)?;
        let extents = self.closed.iter().copied().chain([self.live]).collect();
        let index = Index { extents, counts: std::mem::take(&mut self.counts) };
        let written = index.write(&self.dir);
        self.counts = index.counts;
        written
    }

    /// Drops segments of which everything is past its time, and the oldest beyond the cap; saves the rest.
    pub(super) fn purge(&mut self, options: &HistoryOptions, now: Timestamp) -> io::Result<usize> {
        let oldest = now - options.retention;
        if self.live.entries > 0 && self.live.admitted.last < oldest {
            self.close_segment()?;
        }
        let mut entries: u64 = self.closed.iter().map(|extent| extent.entries).sum::<u64>() + self.live.entries;
        let (max, mut dropped) = (options.max_entries as u64, 0);
        while let Some(first) = self.closed.front().copied() {
            if first.admitted.last >= oldest && entries - first.entries < max {
                break;
            }
            fs::remove_file(path_of(&self.dir, first.number))?;
            self.closed.pop_front();
            (entries, dropped) = (entries - first.entries, dropped + first.entries);
        }
        self.counts.purge(options, now);
        self.save()?;
        Ok(usize::try_from(dropped).unwrap_or(usize::MAX))
    }

    /// Erases entries, durably: every segment that has one is written anew without it.
    pub(super) fn erase(&mut self, erased: &dyn Fn(&Entry) -> bool) -> io::Result<usize> {
        let mut total = 0;
        for segment in self.segments() {
            let mut found = 0;
            segment.visit(|batch| found += batch.entries.iter().filter(|entry| erased(entry)).count())?;
            if found == 0 {
                continue;
            }
            if segment.extent.number == self.live.number {
                self.close_segment()?;
            }
            self.rewrite(&segment, erased)?;
            total += found;
        }
        // The index need not be: extents may be wider than what they cover.
        Ok(total)
    }

    /// Writes a closed segment without what is erased; batches keep their places, because the index counts them.
    fn rewrite(&self, segment: &Segment, erased: &dyn Fn(&Entry) -> bool) -> io::Result<()> {
        let temporary = segment.path.with_extension("tmp");
        if temporary.exists() {
            fs::remove_file(&temporary)?;
        }
        let wal = open_wal(&temporary)?;
        let mut written = Ok(());
        segment.visit(|mut batch| {
            batch.entries.retain(|entry| !erased(entry));
            if written.is_ok() {
                let bytes = encode(&batch).map_err(io::Error::other);
                written = bytes.and_then(|bytes| wal.append(&bytes).map(drop).map_err(wal_io));
            }
        })?;
        written?;
        wal.sync().map_err(wal_io)?;
        fs::rename(&temporary, &segment.path)?;
        sync_dir(&self.dir)
    }
}

/// Makes the directory, for its owner only.
fn make_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(dir)
}
