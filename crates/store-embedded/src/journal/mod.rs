//! The journal: makes batches of record writes durable, and gives the records back after a crash. It knows only bytes.
//!
//! The caller keeps the live state in memory and decides; the journal writes what changed:
//!
//! - [`open`] claims a directory and replays its records, then [`OpenJournal::start`] makes a [`Journal`] for a state.
//! - [`Journal::submit`] adds an operation's records to the next commit, under the lock that the state was changed under, so that the
//!   order on disk is the order of the decisions. [`Durable::wait`] returns when the commit is on disk. Whatever is submitted
//!   while a commit is written shares the next one; there is no timed window.
//! - A checkpoint writes all live records and removes the journals before it, by itself when the journal has grown
//!   ([`Options::checkpoint_bytes`]) and at once by [`Journal::checkpoint`].
//!
//! # What holds
//! - An operation is all there or not at all, and operations are there in the order of submission, up to some point behind the last
//!   acknowledged one: after `kill -9` or loss of power at any instant.
//! - A full disk fails the group and everything decided on top of it ([`Journaled::undo`]), and is tried again with the next group.
//! - Any other failure to write, and every failed sync, is fatal: never retried, everything after it refused ([`Journal::fatal`]).
//! - A torn last write is cut; other damage, a missing file and another format or schema are refused by name.
//! - Files can be read by their owner only, and what was deleted is in none of them after the next checkpoint.
//!
//! `frame.rs` describes the bytes, `recovery.rs` what may be found at a start, `checkpoint.rs` why a crash inside it is harmless.

mod checkpoint;
mod disk;
mod error;
mod files;
mod frame;
mod queue;
mod recovery;
mod segment;
#[cfg(test)]
pub(crate) mod tests;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use tokio::runtime::Handle;
use tokio::sync::{mpsc as async_mpsc, oneshot};

pub(crate) use error::wal_io;
pub use error::{CheckpointError, CommitError, OpenError, Rejected};
pub use frame::{Change, Records};
pub use recovery::Recovery;

use checkpoint::Checkpointer;
use disk::{Claim, Disk, FileSystem};
use queue::Queue;
use recovery::{Recovered, Replay, recover};
use writer::{Job, Writer};

/// The journal grows to this before a checkpoint is worth its cost, however small the checkpoint.
pub const DEFAULT_CHECKPOINT_BYTES: u64 = 64 << 20;

/// After a checkpoint could not be written, the journal grows by this before the next attempt.
const CHECKPOINT_RETRY_BYTES: u64 = 4 << 20;

/// How a directory is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory; made with mode 0700 if it is absent. All of it belongs to the journal.
    pub dir: PathBuf,
    /// The caller's version of keys and values. Files of another are refused.
    pub schema: u32,
    /// A checkpoint is written when the journal exceeds this and twice the last checkpoint.
    pub checkpoint_bytes: u64,
}

impl Options {
    /// The defaults for a directory and schema.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, schema: u32) -> Self {
        Self { dir: dir.into(), schema, checkpoint_bytes: DEFAULT_CHECKPOINT_BYTES }
    }
}

/// The live state above the journal.
pub trait Journaled: Send + Sync + 'static {
    /// What takes an operation back out of the state.
    type Undo: Send + 'static;

    /// Takes back operations that did not become durable. Locks the state (the lock under which operations are submitted), calls
    /// `take` once, undoes what it returns (oldest first) from the last to the first, and unlocks.
    fn undo(&self, take: &mut dyn FnMut() -> Vec<Self::Undo>);

    /// Writes some live records from `cursor` on (0 at first) and returns the next cursor, or `None` at the end. Locks the state
    /// while it writes. A record that is there throughout all calls must be written at least once; one that comes, goes or
    /// changes between calls may be written in any of its forms, or not at all.
    fn snapshot(&self, cursor: u64, records: &mut Records<'_>) -> Option<u64>;
}

/// The moment an operation is on disk.
#[derive(Debug)]
#[must_use = "an operation is not durable before this says so"]
pub struct Durable(oneshot::Receiver<Result<(), CommitError>>);

impl Durable {
    /// Returns when the operation is on disk.
    ///
    /// # Errors
    /// [`CommitError`]. After [`CommitError::Full`] the operation has been undone; after [`CommitError::Fatal`] and
    /// [`CommitError::Closed`] it may or may not be on disk.
    pub async fn wait(self) -> Result<(), CommitError> {
        self.0.await.unwrap_or(Err(CommitError::Closed))
    }

    /// [`Self::wait`] for a thread that is not the runtime's.
    fn blocking_wait(self) -> Result<(), CommitError> {
        self.0.blocking_recv().unwrap_or(Err(CommitError::Closed))
    }

    fn ready(result: Result<(), CommitError>) -> Self {
        let (done, durable) = oneshot::channel();
        // The receiver is in the same scope.
        let _alive = done.send(result);
        Self(durable)
    }
}

/// Counts and sizes, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Commits.
    pub groups: u64,
    /// Operations in them.
    pub operations: u64,
    /// Bytes in the journals that no checkpoint covers.
    pub journal_bytes: u64,
    /// Bytes in the checkpoint.
    pub checkpoint_bytes: u64,
    /// Checkpoints written since the start.
    pub checkpoints: u64,
}

/// Claims a directory and replays its records: each change in order, of which the last for a key counts. `replay` refuses a record
/// that it cannot read by saying why.
///
/// # Errors
/// [`OpenError`]; the directory is then as it was.
pub fn open(
    options: Options,
    replay: &mut dyn FnMut(Change<'_>) -> Result<(), &'static str>,
) -> Result<OpenJournal, OpenError> {
    open_on(Arc::new(FileSystem), options, replay)
}

fn open_on(disk: Arc<dyn Disk>, options: Options, replay: &mut Replay<'_>) -> Result<OpenJournal, OpenError> {
    let claim = disk.claim(&options.dir)?;
    let recovered = recover(&*disk, &options.dir, options.schema, replay)?;
    Ok(OpenJournal { disk, options, recovered, claim })
}

/// A directory that was read and is not written to yet.
pub struct OpenJournal {
    disk: Arc<dyn Disk>,
    options: Options,
    recovered: Recovered,
    claim: Claim,
}

impl OpenJournal {
    /// What was found.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        self.recovered.found
    }

    /// Starts the writer's thread, and its task on `runtime`.
    ///
    /// # Errors
    /// [`OpenError::Io`] if the thread cannot be started.
    pub fn start<J: Journaled>(self, state: Arc<J>, runtime: &Handle) -> Result<Journal<J>, OpenError> {
        let Self { disk, options, recovered, claim } = self;
        let Options { dir, schema, checkpoint_bytes } = options;
        let found = recovered.found;
        let queue = Arc::new(Queue::new(found.journal_bytes));
        let checkpointer = Arc::new(Checkpointer {
            disk: Arc::clone(&disk),
            dir: dir.clone(),
            schema,
            state: Arc::clone(&state),
            queue: Arc::clone(&queue),
            bytes: AtomicU64::new(found.checkpoint_bytes),
            written: AtomicU64::new(0),
            running: tokio::sync::Mutex::new(()),
        });

        let (writer, jobs) = mpsc::channel();
        let (committed, results) = async_mpsc::unbounded_channel();
        let (ended, end) = oneshot::channel();
        let path = dir.clone();
        Writer::new(disk, dir, schema, recovered, claim)
            .spawn(jobs, committed, ended)
            .map_err(|source| OpenError::Io { path, doing: "starting the journal's thread", source })?;
        let grown = checkpoint_when_grown(Arc::clone(&checkpointer), writer.clone(), runtime.clone(), checkpoint_bytes);
        runtime.spawn(queue::run(Arc::clone(&queue), state, writer.clone(), results, grown));
        let end = tokio::sync::Mutex::new(Some(end));
        Ok(Journal { queue, checkpointer, writer: Mutex::new(Some(writer)), end })
    }
}

/// What is called after each commit: starts a checkpoint when the journal has grown.
fn checkpoint_when_grown<J: Journaled>(
    checkpointer: Arc<Checkpointer<J>>,
    writer: mpsc::Sender<Job>,
    runtime: Handle,
    floor: u64,
) -> impl FnMut(u64) + Send {
    let mut not_before = 0;
    move |journal_bytes| {
        let last = checkpointer.bytes.load(Ordering::Relaxed);
        if journal_bytes <= floor.max(last.saturating_mul(2)) {
            not_before = 0;
            return;
        }
        if journal_bytes < not_before || checkpointer.running.try_lock().is_err() {
            return;
        }
        not_before = journal_bytes + CHECKPOINT_RETRY_BYTES;
        // Its outcome is in the log and in the size of the journal.
        drop(runtime.spawn(Arc::clone(&checkpointer).run(writer.clone())));
    }
}

/// A journal that is being written.
pub struct Journal<J: Journaled> {
    queue: Arc<Queue<J::Undo>>,
    checkpointer: Arc<Checkpointer<J>>,
    writer: Mutex<Option<mpsc::Sender<Job>>>,
    end: tokio::sync::Mutex<Option<oneshot::Receiver<()>>>,
}

impl<J: Journaled> Journal<J> {
    /// Adds an operation's records to the next commit. Must be called under the lock under which the state was changed, and never
    /// blocks for longer than `write` takes. `undo` is kept until the operation is on disk.
    ///
    /// # Errors
    /// [`Rejected`] if the operation was not taken; the caller undoes it before it unlocks the state.
    pub fn submit(&self, undo: J::Undo, write: impl FnOnce(&mut Records<'_>)) -> Result<Durable, Rejected<J::Undo>> {
        self.queue.submit(undo, write)
    }

    /// The moment at which everything submitted so far is on disk; `None` if it is already. For answers that report what another
    /// operation has just decided.
    pub fn barrier(&self) -> Option<Durable> {
        self.queue.barrier()
    }

    /// Whether an operation would be taken now. Asked under the lock of the state, it holds until the lock is released.
    ///
    /// # Errors
    /// [`CommitError::Busy`], [`CommitError::Fatal`] or [`CommitError::Closed`].
    pub fn check(&self) -> Result<(), CommitError> {
        self.queue.check()
    }

    /// Writes a checkpoint that begins now. After it, nothing deleted before the call is in any file.
    ///
    /// # Errors
    /// [`CheckpointError`]; the journal then still holds everything.
    pub async fn checkpoint(&self) -> Result<(), CheckpointError> {
        let Some(writer) = self.writer() else { return Err(CommitError::Closed.into()) };
        Arc::clone(&self.checkpointer).run(writer).await
    }

    /// Returns why the journal cannot go on, once it cannot. The process should then exit with a failure: a restart finds out what is
    /// on disk.
    pub async fn fatal(&self) -> Arc<str> {
        let mut fatal = self.queue.fatal();
        // The guard of the value must be gone before the next await.
        let reason = fatal.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        match reason {
            Some(reason) => reason,
            // The sender is in the queue, which this journal holds.
            None => std::future::pending().await,
        }
    }

    /// Counts and sizes.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            groups: self.queue.groups(),
            operations: self.queue.operations(),
            journal_bytes: self.queue.journal_bytes(),
            checkpoint_bytes: self.checkpointer.bytes.load(Ordering::Relaxed),
            checkpoints: self.checkpointer.written.load(Ordering::Relaxed),
        }
    }

    /// Commits what waits, takes nothing more, waits for a running checkpoint and frees the directory. Dropping the journal
    /// does the same without waiting.
    pub async fn close(&self) {
        self.queue.close();
        drop(self.checkpointer.running.lock().await);
        drop(self.take_writer());
        if let Some(end) = self.end.lock().await.take() {
            // An error is the thread's end: it drops its half.
            let _ended = end.await;
        }
    }

    fn writer(&self) -> Option<mpsc::Sender<Job>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn take_writer(&self) -> Option<mpsc::Sender<Job>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<J: Journaled> Drop for Journal<J> {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl<J: Journaled> fmt::Debug for Journal<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl fmt::Debug for OpenJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenJournal").field("options", &self.options).finish_non_exhaustive()
    }
}
