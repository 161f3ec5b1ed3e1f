//! Opening a directory: the newest checkpoint, then every journal from its generation on, in order; the last writer of a key wins.
//!
//! What a crash can leave, at any point, is exactly: a torn last record in the last journal, a file under its temporary name, files that
//! a newer checkpoint supersedes. Each of these is put right here; anything else is refused with the file's name and nothing changed.

use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::error::OpenError;
use super::files::{Inventory, file_path};
use super::frame::{Change, Frame, Header, Kind, next_change};
use super::segment::Segment;

/// Takes each change in order; a reason refuses the file.
pub(super) type Replay<'a> = dyn FnMut(Change<'_>) -> Result<(), &'static str> + 'a;

/// What was found when a directory was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Records read from the checkpoint.
    pub checkpoint_records: u64,
    /// Changes replayed from journals.
    pub journal_changes: u64,
    /// Size of the checkpoint.
    pub checkpoint_bytes: u64,
    /// Size of the journals.
    pub journal_bytes: u64,
}

/// An open directory, ready to be written to.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) segment: Segment,
    pub(super) generation: u64,
    pub(super) next_sequence: u64,
    pub(super) found: Recovery,
}

/// Reads a directory and makes the first journal in an empty one.
pub(super) fn recover(
    disk: &dyn Disk,
    dir: &Path,
    schema: u32,
    replay: &mut Replay<'_>,
) -> Result<Recovered, OpenError> {
    let io = |doing| move |source| OpenError::Io { path: dir.to_path_buf(), doing, source };
    let names = disk.list(dir).map_err(io("listing the data directory"))?;
    let inventory = Inventory::new(dir, &names);
    let mut reader = Reader { disk, dir, schema, replay, found: Recovery::default() };

    let checkpoint = inventory.checkpoints.last().copied();
    let (first, mut sequence) = match checkpoint {
        Some(generation) => (generation, reader.checkpoint(generation)?),
        None => (1, 1),
    };
    let last = inventory.journals.last().copied();
    let mut open = None;
    match last {
        None if checkpoint.is_none() => {}
        None => return Err(OpenError::Missing { path: file_path(dir, Kind::Journal, first) }),
        Some(last) => {
            if checkpoint.is_none() && inventory.journals.first() != Some(&first) {
                let oldest = inventory.journals.first().copied().unwrap_or(last);
                return Err(OpenError::Missing { path: file_path(dir, Kind::Checkpoint, oldest) });
            }
            for generation in first..=last.max(first) {
                let (segment, next) = reader.journal(generation, generation != last, sequence)?;
                sequence = next;
                open = Some((segment, generation));
            }
        }
    }
    let found = reader.found;

    // Everything was read and is sound: only now is anything removed.
    let mut superfluous = inventory.unfinished.clone();
    superfluous.extend(inventory.superseded(dir, first));
    remove_all(disk, dir, superfluous)?;
    let (segment, generation) = match open {
        Some(open) => open,
        None => (first_journal(disk, dir, schema)?, 1),
    };
    Ok(Recovered { segment, generation, next_sequence: sequence, found })
}

fn remove_all(disk: &dyn Disk, dir: &Path, files: Vec<PathBuf>) -> Result<(), OpenError> {
    if files.is_empty() {
        return Ok(());
    }
    for path in files {
        disk.remove(&path).map_err(|source| OpenError::Io { path, doing: "removing a superseded file", source })?;
    }
    let io = |source| OpenError::Io { path: dir.to_path_buf(), doing: "syncing the directory", source };
    disk.sync_dir(dir).map_err(io)
}

fn first_journal(disk: &dyn Disk, dir: &Path, schema: u32) -> Result<Segment, OpenError> {
    let path = file_path(dir, Kind::Journal, 1);
    let header = Header { generation: 1, first_sequence: 1, schema };
    let made = Segment::create(disk, &path, Kind::Journal, header).and_then(|segment| {
        segment.publish(disk, dir)?;
        Ok(segment)
    });
    made.map_err(|error| OpenError::Io { path, doing: error.doing, source: error.source })
}

struct Reader<'a, 'r> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    schema: u32,
    replay: &'a mut Replay<'r>,
    found: Recovery,
}

impl Reader<'_, '_> {
    fn open(&self, kind: Kind, generation: u64, sealed: bool) -> Result<(Segment, Header), OpenError> {
        let path = file_path(self.dir, kind, generation);
        let (segment, header) = Segment::open(self.disk, &path, kind, sealed, self.schema)?;
        if header.generation != generation {
            return Err(segment.corrupt_end("its header belongs to another file"));
        }
        Ok((segment, header))
    }

    /// Replays a checkpoint and returns the sequence number that follows it.
    fn checkpoint(&mut self, generation: u64) -> Result<u64, OpenError> {
        let (mut segment, header) = self.open(Kind::Checkpoint, generation, true)?;
        let (mut chunks, mut records, mut ended) = (0, 0, None);
        segment.replay(&mut |frame| match frame {
            _ if ended.is_some() => Err("records follow its end"),
            Frame::Group(number, _) if number != chunks + 1 => Err("a part is missing"),
            Frame::Group(number, bytes) => {
                chunks = number;
                records += apply(bytes, self.replay)?;
                Ok(())
            }
            Frame::CheckpointEnd(expected) => {
                ended = Some(expected);
                Ok(())
            }
        })?;
        if ended != Some(records) {
            return Err(segment.corrupt_end("its end is missing"));
        }
        self.found.checkpoint_records = records;
        self.found.checkpoint_bytes = segment.bytes();
        Ok(header.first_sequence)
    }

    /// Replays a journal whose first group must be number `sequence` and returns the number that follows its last.
    fn journal(&mut self, generation: u64, sealed: bool, sequence: u64) -> Result<(Segment, u64), OpenError> {
        let (mut segment, header) = self.open(Kind::Journal, generation, sealed)?;
        if header.first_sequence != sequence {
            return Err(segment.corrupt_end("the journal before it does not end where this one begins"));
        }
        let (mut next, mut changes) = (sequence, 0);
        segment.replay(&mut |frame| match frame {
            Frame::Group(number, bytes) if number == next => {
                next += 1;
                changes += apply(bytes, self.replay)?;
                Ok(())
            }
            Frame::Group(..) => Err("a commit is missing"),
            Frame::CheckpointEnd(_) => Err("a record of an unknown kind"),
        })?;
        self.found.journal_changes += changes;
        self.found.journal_bytes += segment.bytes();
        Ok((segment, next))
    }
}

fn apply(mut bytes: &[u8], replay: &mut Replay<'_>) -> Result<u64, &'static str> {
    let mut changes = 0;
    while !bytes.is_empty() {
        let change = next_change(&mut bytes).ok_or("a change that cannot be read")?;
        replay(change)?;
        changes += 1;
    }
    Ok(changes)
}
