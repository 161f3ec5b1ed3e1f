//! One file of the journal or one checkpoint: the log library's records behind 32 bytes of text.
//!
//! [`SegmentFile`] is the storage under the log library ([`wal_db::WalStore`]). It writes zeros ahead of the journal's end, because
//! a sync that need not change the file's length costs about half (measured, see the README), and it reads ahead on replay.
//! The end of a log is therefore the last byte that is not zero; every payload ends in such a byte (see [`super::frame`]).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use wal_db::{Lsn, OpenPolicy, Wal, WalConfig, WalError, WalStore};

use super::disk::{Disk, DiskFile, read_full_at, write_all_at};
use super::error::{OpenError, is_full, wal_io};
use super::frame::{Frame, Header, Kind, MAGIC_BYTES, Magic, magic, read_magic};

/// How far zeros are written ahead of the journal's end. Tests come to that end often.
const PREALLOCATE_BYTES: u64 = if cfg!(test) { 8 << 10 } else { 1 << 20 };

/// Zeros are written in pieces of this size.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Read ahead on replay: one system call for many small records.
const WINDOW_BYTES: usize = 256 << 10;

/// Bytes of text before the log.
const SKIP: u64 = MAGIC_BYTES as u64;

/// The log library's length and checksum before a payload.
const FRAME_BYTES: usize = 8;

/// The payload of the header, see [`super::frame`].
const HEADER_BYTES: usize = 21;

/// The largest record: a group is bounded by the queue plus one operation, see [`super::queue`].
pub(super) const MAX_RECORD_BYTES: u32 = 64 << 20;

/// The storage under the log library: offset 0 is the byte after the text.
pub(super) struct SegmentFile {
    file: Box<dyn DiskFile>,
    /// A file that may no longer change: a journal that has a successor, or a checkpoint.
    sealed: bool,
    preallocate: bool,
    inner: Mutex<Inner>,
}

struct Inner {
    /// End of the log.
    len: u64,
    /// End of the zeros behind it.
    allocated: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl SegmentFile {
    fn new(file: Box<dyn DiskFile>, kind: Kind, sealed: bool, len: u64, allocated: u64) -> Self {
        let inner = Inner { len, allocated, window: Vec::new(), window_at: 0 };
        Self { file, sealed, preallocate: kind == Kind::Journal, inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every field is valid after each statement that can panic (none does), so a poisoned lock is as good as any.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Zeros from the end of the log on. Failing is no harm: the next write extends the file itself, or fails and says so.
    fn preallocate(&self, inner: &mut Inner) {
        let target = inner.len.saturating_add(PREALLOCATE_BYTES);
        while inner.allocated < target {
            let left = usize::try_from(target - inner.allocated).unwrap_or(usize::MAX);
            let piece = ZEROS.get(..left).unwrap_or(&ZEROS);
            if write_all_at(&*self.file, piece, inner.allocated + SKIP).is_err() {
                return;
            }
            inner.allocated += piece.len() as u64;
        }
    }
}

impl WalStore for SegmentFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> wal_db::Result<()> {
        let mut inner = self.lock();
        inner.window.clear();
        write_all_at(&*self.file, bytes, offset + SKIP)?;
        inner.len = inner.len.max(offset + bytes.len() as u64);
        if inner.len > inner.allocated {
            inner.allocated = inner.len;
            if self.preallocate {
                self.preallocate(&mut inner);
            }
        }
        Ok(())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> wal_db::Result<usize> {
        let mut inner = self.lock();
        let left = usize::try_from(inner.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let Some(buffer) = buffer.get_mut(..wanted) else { return Ok(0) };
        if wanted >= WINDOW_BYTES {
            return Ok(read_full_at(&*self.file, buffer, offset + SKIP)?);
        }
        let end = inner.window_at + inner.window.len() as u64;
        if offset < inner.window_at || offset + wanted as u64 > end {
            let mut window = std::mem::take(&mut inner.window);
            window.resize(WINDOW_BYTES.min(left), 0);
            let filled = read_full_at(&*self.file, &mut window, offset + SKIP)?;
            window.truncate(filled);
            inner.window = window;
            inner.window_at = offset;
        }
        let from = usize::try_from(offset - inner.window_at).unwrap_or(usize::MAX);
        let found = inner.window.get(from..).unwrap_or_default();
        let found = found.get(..wanted).unwrap_or(found);
        if let Some(buffer) = buffer.get_mut(..found.len()) {
            buffer.copy_from_slice(found);
        }
        Ok(found.len())
    }

    fn truncate(&self, len: u64) -> wal_db::Result<()> {
        if self.sealed {
            return Err(WalError::Corruption { offset: len, reason: "a record is damaged or cut off" });
        }
        let mut inner = self.lock();
        inner.window.clear();
        self.file.set_len(len + SKIP)?;
        inner.len = len;
        inner.allocated = len;
        Ok(())
    }

    fn sync(&self) -> wal_db::Result<()> {
        Ok(self.file.sync()?)
    }

    fn len(&self) -> wal_db::Result<u64> {
        Ok(self.lock().len)
    }
}

/// The length of a file without the zeros at its end.
fn written_len(file: &dyn DiskFile) -> io::Result<u64> {
    let mut end = file.len()?;
    let mut buffer = vec![0; ZEROS.len()];
    while end > 0 {
        let start = end.saturating_sub(buffer.len() as u64);
        let piece = usize::try_from(end - start).unwrap_or(usize::MAX);
        let Some(piece) = buffer.get_mut(..piece) else { break };
        let filled = read_full_at(file, piece, start)?;
        let piece = piece.get(..filled).unwrap_or_default();
        if let Some(last) = piece.iter().rposition(|byte| *byte != 0) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Why a record was not made durable.
#[derive(Debug)]
pub(super) enum AppendError {
    /// No space; the file is as it was before.
    Full,
    /// What is on disk is not known.
    Fatal(io::Error),
}

/// Why a new file did not come into being.
#[derive(Debug)]
pub(super) struct PublishError {
    pub(super) doing: &'static str,
    pub(super) source: io::Error,
    /// Whether the file may be there after a crash all the same.
    pub(super) in_doubt: bool,
}

/// An open file with its log.
pub(super) struct Segment {
    wal: Wal<SegmentFile>,
    /// The last record: what stays when a failed write is cut off.
    last: Lsn,
    kind: Kind,
    path: PathBuf,
}

impl Segment {
    /// A new file under a temporary name, with its header; [`Self::publish`] makes it durable under its own.
    pub(super) fn create(disk: &dyn Disk, path: &Path, kind: Kind, header: Header) -> Result<Self, PublishError> {
        let fail = |source| PublishError { doing: "creating a file", source, in_doubt: false };
        let file = disk.create(&temporary(path)).map_err(fail)?;
        write_all_at(&*file, magic(kind).as_bytes(), 0).map_err(fail)?;
        let store = SegmentFile::new(file, kind, false, 0, 0);
        let wal = Wal::with_store_and_config(store, config()).map_err(|error| fail(wal_io(error)))?;
        let last = wal.append(&header.encode()).map_err(|error| fail(wal_io(error)))?;
        Ok(Self { wal, last, kind, path: path.to_path_buf() })
    }

    /// Syncs the file, gives it its name and syncs the directory.
    pub(super) fn publish(&self, disk: &dyn Disk, dir: &Path) -> Result<(), PublishError> {
        let fail = |doing, in_doubt| move |source| PublishError { doing, source, in_doubt };
        self.wal.sync().map_err(wal_io).map_err(fail("syncing a new file", false))?;
        disk.rename(&temporary(&self.path), &self.path).map_err(fail("renaming a new file", false))?;
        disk.sync_dir(dir).map_err(fail("syncing the directory", true))
    }

    /// Opens a file that exists. Only one that is not sealed may end in a torn record, which is cut.
    pub(super) fn open(
        disk: &dyn Disk,
        path: &Path,
        kind: Kind,
        sealed: bool,
        schema: u32,
    ) -> Result<(Self, Header), OpenError> {
        let io = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => OpenError::Missing { path: path.to_path_buf() },
            _ => OpenError::Io { path: path.to_path_buf(), doing: "reading", source },
        };
        let file = disk.open(path).map_err(io)?;
        check_magic(&*file, path, kind)?;
        let len = written_len(&*file).map_err(io)?.saturating_sub(SKIP);
        let allocated = file.len().map_err(io)?.saturating_sub(SKIP);
        let header = check_header(&*file, path, schema)?;
        let store = SegmentFile::new(file, kind, sealed, len, allocated);
        let wal = Wal::with_store_and_config(store, config())
            .map_err(|error| OpenError::from_wal(path.to_path_buf(), SKIP, error))?;
        if wal.truncated_on_open() > 0 {
            let bytes = wal.truncated_on_open();
            tracing::warn!(file = %path.display(), bytes, "cut off a write that a crash interrupted; it was never acknowledged");
        }
        Ok((Self { wal, last: Lsn::new(0), kind, path: path.to_path_buf() }, header))
    }

    /// Visits every record after the header, oldest first. The visitor's reason, if it refuses one, names this file.
    pub(super) fn replay(
        &mut self,
        visit: &mut dyn FnMut(Frame<'_>) -> Result<(), &'static str>,
    ) -> Result<(), OpenError> {
        let from_wal = |error| OpenError::from_wal(self.path.clone(), SKIP, error);
        for (index, record) in self.wal.iter().map_err(from_wal)?.enumerate() {
            let record = record.map_err(from_wal)?;
            self.last = record.lsn();
            if index == 0 {
                continue;
            }
            let frame = Frame::decode(record.data()).ok_or("a record of an unknown kind");
            frame.and_then(&mut *visit).map_err(|reason| self.corrupt(record.lsn(), reason))?;
        }
        Ok(())
    }

    /// Says that this file ends too early or holds what it should not.
    pub(super) fn corrupt_end(&self, reason: &'static str) -> OpenError {
        self.corrupt(Lsn::new(self.wal.len()), reason)
    }

    fn corrupt(&self, at: Lsn, reason: &'static str) -> OpenError {
        OpenError::Corrupt { path: self.path.clone(), offset: at.get() + SKIP, reason }
    }

    /// Writes a record and returns once it is on disk.
    pub(super) fn commit(&mut self, payload: &[u8]) -> Result<(), AppendError> {
        match self.wal.append(payload) {
            Ok(lsn) => {
                // A failed sync is never retried: the kernel may have dropped the pages and would then say that all is well.
                self.wal.sync().map_err(|error| AppendError::Fatal(wal_io(error)))?;
                self.last = lsn;
                Ok(())
            }
            Err(error) => {
                let error = wal_io(error);
                if !is_full(&error) {
                    return Err(AppendError::Fatal(error));
                }
                self.wal.truncate_after(self.last).map_err(|error| AppendError::Fatal(wal_io(error)))?;
                Err(AppendError::Full)
            }
        }
    }

    /// Writes a record of a checkpoint; [`Self::publish`] syncs it.
    pub(super) fn append(&self, payload: &[u8]) -> Result<(), WalError> {
        self.wal.append(payload).map(|_| ())
    }

    /// Bytes in the log after the header: zero if nothing was committed.
    pub(super) fn bytes(&self) -> u64 {
        self.wal.len().saturating_sub((FRAME_BYTES + HEADER_BYTES) as u64)
    }
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segment").field("kind", &self.kind).field("path", &self.path).finish_non_exhaustive()
    }
}

/// The name of a file that is still being written.
pub(super) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

fn config() -> WalConfig {
    // Strict: damage with intact records behind it is refused, never cut.
    WalConfig::new().with_max_record_size(MAX_RECORD_BYTES).with_open_policy(OpenPolicy::Strict)
}

fn check_magic(file: &dyn DiskFile, path: &Path, kind: Kind) -> Result<(), OpenError> {
    let mut bytes = [0; MAGIC_BYTES];
    let io = |source| OpenError::Io { path: path.to_path_buf(), doing: "reading", source };
    read_full_at(file, &mut bytes, 0).map_err(io)?;
    match read_magic(kind, &bytes) {
        Magic::Ours => Ok(()),
        Magic::Foreign => Err(OpenError::Foreign { path: path.to_path_buf(), kind: kind.name() }),
        Magic::Newer(found) => {
            Err(OpenError::Newer { path: path.to_path_buf(), what: "format", found, supported: super::frame::FORMAT })
        }
    }
}

/// Reads the header before the log library opens the file for the tail to be cut: a file gets its name only after its header is on
/// disk, so a damaged one is no torn write and is refused with nothing changed.
fn check_header(file: &dyn DiskFile, path: &Path, schema: u32) -> Result<Header, OpenError> {
    let io = |source| OpenError::Io { path: path.to_path_buf(), doing: "reading", source };
    let mut bytes = vec![0; FRAME_BYTES + HEADER_BYTES];
    let filled = read_full_at(file, &mut bytes, SKIP).map_err(io)?;
    bytes.truncate(filled);
    let damaged = || OpenError::Corrupt { path: path.to_path_buf(), offset: SKIP, reason: "its header is damaged" };
    let store = wal_db::MemStore::from_bytes(bytes);
    let wal = Wal::with_store_and_config(store, config()).map_err(|_corrupt| damaged())?;
    let record = wal.iter().ok().and_then(|mut records| records.next()?.ok()).ok_or_else(damaged)?;
    let header = Header::decode(record.data()).ok_or_else(damaged)?;
    if header.schema > schema {
        return Err(OpenError::Newer {
            path: path.to_path_buf(),
            what: "schema",
            found: header.schema,
            supported: schema,
        });
    }
    if header.schema < schema {
        return Err(OpenError::Older { path: path.to_path_buf(), found: header.schema, supported: schema });
    }
    Ok(header)
}
