//! What can go wrong with the journal: when it is opened, when an operation is committed, when a checkpoint is written.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use wal_db::WalError;

/// Why a data directory was not opened. Every message names the directory or the file. Nothing was changed in it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the directory.
    #[error("the data directory {} is in use by another process", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The operating system refused.
    #[error("{}: {doing} failed", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The file is not one of ours.
    #[error("{} is not a verifyd {kind} file", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it should be.
        kind: &'static str,
    },
    /// A newer version of this program wrote the file.
    #[error("{} was written by a newer version (its {what} is {found}, this version reads up to {supported})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// `format` or `schema`.
        what: &'static str,
        /// What the file says.
        found: u32,
        /// The newest that is understood.
        supported: u32,
    },
    /// An older version of this program wrote the file, and this one cannot read it.
    #[error("{} was written by an older version (its schema is {found}, this version reads only {supported})", path.display())]
    Older {
        /// The file.
        path: PathBuf,
        /// What the file says.
        found: u32,
        /// What is understood.
        supported: u32,
    },
    /// The file is damaged in a place that a crash cannot explain. Dropping what follows would lose acknowledged work.
    #[error("{} is damaged at byte {offset}: {reason}; restore the directory from a backup", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What was found.
        reason: &'static str,
    },
    /// A file of the set is gone.
    #[error("{} is missing; restore the directory from a backup", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
}

impl OpenError {
    /// What the log library says about the file at `path`, whose log begins `skip` bytes into it.
    pub(super) fn from_wal(path: PathBuf, skip: u64, error: WalError) -> Self {
        match error {
            WalError::Io { context, source } => Self::Io { path, doing: context, source },
            WalError::Corruption { offset, reason } => {
                Self::Corrupt { path, offset: offset.saturating_add(skip), reason }
            }
            _ => Self::Corrupt { path, offset: skip, reason: "a record of an unknown kind" },
        }
    }
}

/// Why an operation is not durable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The disk is full. The operation was undone; the same can work once there is space.
    #[error("the disk is full")]
    Full,
    /// More is waiting for the disk than may wait. Nothing was done.
    #[error("the disk does not keep up")]
    Busy,
    /// The operation is larger than a journal record may be. Nothing was done.
    #[error("the operation is larger than a journal record may be")]
    TooLarge,
    /// A write or sync failed for good: whether it is on disk is not known, and nothing is written any more.
    #[error("a durable write failed: {0}")]
    Fatal(Arc<str>),
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

/// An operation that the journal did not take, with what undoes it.
#[derive(Debug)]
pub struct Rejected<U> {
    /// Handed back, to be undone before the state is unlocked.
    pub undo: U,
    /// Why.
    pub error: CommitError,
}

/// Why a checkpoint was not written. The journal still holds everything.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CheckpointError {
    /// An operation could not be committed, so the snapshot may hold what never happened.
    #[error("a commit failed meanwhile: {0}")]
    Commit(#[from] CommitError),
    /// Writing the file failed.
    #[error("{doing} failed: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The cause.
        source: Arc<io::Error>,
    },
}

impl CheckpointError {
    pub(super) fn io(doing: &'static str, source: io::Error) -> Self {
        Self::Io { doing, source: Arc::new(source) }
    }

    pub(super) fn wal(doing: &'static str, error: WalError) -> Self {
        Self::io(doing, wal_io(error))
    }
}

/// The operating system's error inside a log library's.
pub(crate) fn wal_io(error: WalError) -> io::Error {
    match error {
        WalError::Io { source, .. } => source,
        other => io::Error::other(other),
    }
}

/// Whether a write failed for want of space, which can come back.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
