//! Writing a checkpoint while operations go on.
//!
//! 1. Commits go to a new journal N from here on.
//! 2. The state writes its records in pieces to `checkpoint-N`, under a temporary name. It may change between pieces: whatever
//!    changes is in journal N as a whole record and wins on replay.
//! 3. A barrier: everything the pieces can contain is on disk. If a commit failed meanwhile and was undone, the file is thrown away.
//! 4. The file gets its name, and only when that is durable are older journals and checkpoints removed.
//!
//! A crash before 4 leaves the old checkpoint with all journals, a crash after it the new one: both replay to the same state.
//! Records deleted before 1 are in none of the files left after 4.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use tokio::sync::oneshot;

use super::disk::Disk;
use super::error::{CheckpointError, CommitError};
use super::files::{Inventory, file_path};
use super::frame::{Header, Kind, Records, begin_group, checkpoint_end, end_group, has_changes, next_change};
use super::queue::Queue;
use super::segment::{Segment, temporary};
use super::writer::{Job, Rotated};
use super::{Durable, Journaled};

/// Records go to the file in pieces of about this size: large enough for few checksums, small enough for the caches on replay.
const PIECE_BYTES: usize = 256 << 10;

/// Cuts what a state writes at one time, which may be little or much, into records of the file.
struct Pieces<'a> {
    segment: &'a Segment,
    piece: Vec<u8>,
    number: u64,
}

impl<'a> Pieces<'a> {
    fn new(segment: &'a Segment) -> Self {
        let mut piece = Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 8);
        begin_group(&mut piece);
        Self { segment, piece, number: 0 }
    }

    fn add(&mut self, mut changes: &[u8]) -> Result<(), CheckpointError> {
        while !changes.is_empty() {
            let before = changes;
            // What `Records` wrote reads back; the rest of a batch that did not would be lost, so it is an error.
            if next_change(&mut changes).is_none() {
                let source = io::Error::other("a record is larger than it may be");
                return Err(CheckpointError::io("writing a checkpoint", source));
            }
            self.piece.extend_from_slice(before.get(..before.len() - changes.len()).unwrap_or_default());
            if self.piece.len() >= PIECE_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), CheckpointError> {
        if has_changes(&self.piece) {
            self.number += 1;
            end_group(&mut self.piece, self.number);
            self.segment.append(&self.piece).map_err(|error| CheckpointError::wal("writing a checkpoint", error))?;
            begin_group(&mut self.piece);
        }
        Ok(())
    }
}

/// What writing a checkpoint needs.
pub(super) struct Checkpointer<J: Journaled> {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) schema: u32,
    pub(super) state: Arc<J>,
    pub(super) queue: Arc<Queue<J::Undo>>,
    /// Size of the newest checkpoint.
    pub(super) bytes: AtomicU64,
    /// Checkpoints written.
    pub(super) written: AtomicU64,
    /// One at a time.
    pub(super) running: tokio::sync::Mutex<()>,
}

impl<J: Journaled> Checkpointer<J> {
    /// Writes a checkpoint that begins now, after one that is running. `writer` must not outlive the call, so that the journal can end.
    pub(super) async fn run(self: Arc<Self>, writer: mpsc::Sender<Job>) -> Result<(), CheckpointError> {
        let one_at_a_time = Arc::clone(&self);
        let _running = one_at_a_time.running.lock().await;
        let work = tokio::task::spawn_blocking(move || {
            let result = self.write(&writer);
            if let Err(error) = &result {
                tracing::warn!(%error, "no checkpoint was written; the journal keeps everything and grows on");
            }
            result
        });
        work.await.unwrap_or(Err(CommitError::Closed.into()))
    }

    fn write(&self, writer: &mpsc::Sender<Job>) -> Result<(), CheckpointError> {
        let undone = self.queue.undone();
        let (answer, rotated) = oneshot::channel();
        writer.send(Job::Rotate(answer)).map_err(|_ended| CommitError::Closed)?;
        let rotated = rotated.blocking_recv().map_err(|_ended| CommitError::Closed)?;
        let rotated = rotated.inspect_err(|error| {
            if let CheckpointError::Commit(CommitError::Fatal(reason)) = error {
                self.queue.fail_for_good(reason);
            }
        })?;
        let path = file_path(&self.dir, Kind::Checkpoint, rotated.generation);
        let segment = self.snapshot(rotated, &path).and_then(|segment| {
            self.queue.barrier().map_or(Ok(()), Durable::blocking_wait)?;
            if self.queue.undone() != undone {
                return Err(CommitError::Full.into());
            }
            Ok(segment)
        });
        let segment = segment.inspect_err(|_| self.remove_quietly(&temporary(&path)))?;
        self.publish(&segment, &path, writer)?;
        self.bytes.store(segment.bytes(), Ordering::Relaxed);
        self.written.fetch_add(1, Ordering::Relaxed);
        let (answer, left) = oneshot::channel();
        if writer.send(Job::Superseded(rotated.generation, answer)).is_ok()
            && let Ok(bytes) = left.blocking_recv()
        {
            self.queue.set_journal_bytes(bytes);
        }
        self.remove_superseded(rotated.generation)
    }

    /// Writes the records to a file under its temporary name.
    fn snapshot(&self, rotated: Rotated, path: &Path) -> Result<Segment, CheckpointError> {
        let Rotated { generation, first_sequence } = rotated;
        let header = Header { generation, first_sequence, schema: self.schema };
        let segment = Segment::create(&*self.disk, path, Kind::Checkpoint, header)
            .map_err(|error| CheckpointError::io(error.doing, error.source))?;
        let mut pieces = Pieces::new(&segment);
        let (mut buffer, mut cursor, mut count) = (Vec::new(), Some(0), 0);
        while let Some(from) = cursor {
            buffer.clear();
            let mut records = Records::new(&mut buffer);
            cursor = self.state.snapshot(from, &mut records);
            count += records.count();
            pieces.add(&buffer)?;
        }
        pieces.flush()?;
        let end = checkpoint_end(count);
        segment.append(&end).map_err(|error| CheckpointError::wal("writing a checkpoint", error))?;
        Ok(segment)
    }

    fn publish(&self, segment: &Segment, path: &Path, writer: &mpsc::Sender<Job>) -> Result<(), CheckpointError> {
        segment.publish(&*self.disk, &self.dir).map_err(|error| {
            if error.in_doubt {
                // A directory that cannot be synced is as bad as a file that cannot: nothing after it may be acknowledged.
                let reason: Arc<str> = format!("{}: {}: {}", path.display(), error.doing, error.source).into();
                let _ended = writer.send(Job::Fail(Arc::clone(&reason)));
                self.queue.fail_for_good(&reason);
                return CommitError::Fatal(reason).into();
            }
            self.remove_quietly(&temporary(path));
            CheckpointError::io(error.doing, error.source)
        })
    }

    /// Removes older files. Failing leaves them to the next checkpoint or the next start, and says so.
    fn remove_superseded(&self, generation: u64) -> Result<(), CheckpointError> {
        let names = self.disk.list(&self.dir).map_err(|error| CheckpointError::io("listing the directory", error))?;
        for path in Inventory::new(&self.dir, &names).superseded(&self.dir, generation) {
            self.disk.remove(&path).map_err(|error| CheckpointError::io("removing a superseded file", error))?;
        }
        self.disk.sync_dir(&self.dir).map_err(|error| CheckpointError::io("syncing the directory", error))
    }

    fn remove_quietly(&self, path: &Path) {
        if let Err(error) = self.disk.remove(path) {
            tracing::debug!(file = %path.display(), %error, "an unfinished file stays until the next start");
        }
    }
}
