//! The thread that owns the journal file: it commits groups one after the other and starts new files.
//!
//! It never retries. After a failure whose effect on the disk is not known it refuses everything, so nothing can be acknowledged on
//! top of a hole.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;

use tokio::sync::oneshot;

use super::disk::{Claim, Disk};
use super::error::{CheckpointError, CommitError};
use super::files::file_path;
use super::frame::{Header, Kind, end_group};
use super::recovery::Recovered;
use super::segment::{AppendError, PublishError, Segment};

/// A group after its commit: the buffer comes back to be used again.
#[derive(Debug)]
pub(super) struct Committed {
    pub(super) group: Vec<u8>,
    pub(super) result: Result<(), CommitError>,
    /// Bytes in all journals since the last checkpoint.
    pub(super) journal_bytes: u64,
}

/// A new journal file was begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rotated {
    pub(super) generation: u64,
    pub(super) first_sequence: u64,
}

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Job {
    /// Make a group durable.
    Commit(Vec<u8>),
    /// Commit to a new file from now on.
    Rotate(oneshot::Sender<Result<Rotated, CheckpointError>>),
    /// A checkpoint of this generation is durable: older journals no longer count. Answers how many bytes still do.
    Superseded(u64, oneshot::Sender<u64>),
    /// A step whose outcome is not known failed elsewhere.
    Fail(Arc<str>),
}

/// The state of the thread.
pub(super) struct Writer {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) schema: u32,
    segment: Segment,
    generation: u64,
    next_sequence: u64,
    /// Bytes of the journals before this one that no checkpoint covers yet, by generation.
    sealed: Vec<(u64, u64)>,
    fatal: Option<Arc<str>>,
    _claim: Claim,
}

impl Writer {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: PathBuf, schema: u32, recovered: Recovered, claim: Claim) -> Self {
        let Recovered { segment, generation, next_sequence, found } = recovered;
        let sealed_bytes = found.journal_bytes.saturating_sub(segment.bytes());
        let sealed = vec![(generation.saturating_sub(1), sealed_bytes)];
        Self { disk, dir, schema, segment, generation, next_sequence, sealed, fatal: None, _claim: claim }
    }

    /// Runs until every sender of jobs is gone. `ended` is dropped last, when the directory is free again.
    pub(super) fn spawn(
        mut self,
        jobs: mpsc::Receiver<Job>,
        committed: tokio::sync::mpsc::UnboundedSender<Committed>,
        ended: oneshot::Sender<()>,
    ) -> std::io::Result<()> {
        let run = move || {
            for job in jobs {
                self.run(job, &committed);
            }
            drop(self);
            drop(ended);
        };
        thread::Builder::new().name("verifyd-journal".into()).spawn(run).map(|_detached| ())
    }

    fn run(&mut self, job: Job, committed: &tokio::sync::mpsc::UnboundedSender<Committed>) {
        match job {
            Job::Commit(mut group) => {
                let result = self.commit(&mut group);
                let journal_bytes = self.journal_bytes();
                // Nobody waits any more when the runtime is gone; the thread then ends with the job queue.
                let _ended = committed.send(Committed { group, result, journal_bytes });
            }
            Job::Rotate(answer) => {
                let _ended = answer.send(self.rotate());
            }
            Job::Superseded(generation, answer) => {
                self.sealed.retain(|(sealed, _)| *sealed >= generation);
                let _ended = answer.send(self.journal_bytes());
            }
            Job::Fail(reason) => {
                self.fatal.get_or_insert(reason);
            }
        }
    }

    fn journal_bytes(&self) -> u64 {
        self.sealed.iter().map(|(_, bytes)| bytes).sum::<u64>() + self.segment.bytes()
    }

    fn commit(&mut self, group: &mut Vec<u8>) -> Result<(), CommitError> {
        if let Some(reason) = &self.fatal {
            return Err(CommitError::Fatal(Arc::clone(reason)));
        }
        end_group(group, self.next_sequence);
        match self.segment.commit(group) {
            Ok(()) => {
                self.next_sequence += 1;
                Ok(())
            }
            Err(AppendError::Full) => Err(CommitError::Full),
            Err(AppendError::Fatal(source)) => {
                let path = file_path(&self.dir, Kind::Journal, self.generation);
                Err(CommitError::Fatal(self.fail(format!("{}: {source}", path.display()))))
            }
        }
    }

    fn fail(&mut self, reason: String) -> Arc<str> {
        let reason: Arc<str> = reason.into();
        self.fatal = Some(Arc::clone(&reason));
        reason
    }

    fn rotate(&mut self) -> Result<Rotated, CheckpointError> {
        if let Some(reason) = &self.fatal {
            return Err(CommitError::Fatal(Arc::clone(reason)).into());
        }
        let generation = self.generation + 1;
        let header = Header { generation, first_sequence: self.next_sequence, schema: self.schema };
        let path = file_path(&self.dir, Kind::Journal, generation);
        let made = Segment::create(&*self.disk, &path, Kind::Journal, header).and_then(|segment| {
            segment.publish(&*self.disk, &self.dir)?;
            Ok(segment)
        });
        match made {
            Ok(segment) => {
                self.sealed.push((self.generation, self.segment.bytes()));
                self.segment = segment;
                self.generation = generation;
                Ok(Rotated { generation, first_sequence: self.next_sequence })
            }
            Err(PublishError { doing, source, in_doubt: false }) => Err(CheckpointError::io(doing, source)),
            // The new file may or may not be there after a crash: commits to the old one could then be unreadable behind it.
            Err(PublishError { doing, source, in_doubt: true }) => {
                Err(CommitError::Fatal(self.fail(format!("{}: {doing}: {source}", path.display()))).into())
            }
        }
    }
}
