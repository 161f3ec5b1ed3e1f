//! The file operations the journal needs, as a port: the tests put a disk behind it that fills up, fails and loses power.
//!
//! Every path a [`Disk`] is given lies in the one data directory.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::error::OpenError;

/// The file that is locked while a process uses the directory.
const LOCK_FILE: &str = "LOCK";

/// A file of the journal. Positions are given, not kept.
pub(super) trait DiskFile: Send + Sync {
    /// Writes some of `bytes` at `offset` and says how many.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Reads some bytes at `offset` and says how many; zero at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Cuts or extends.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes everything written durable, with the length.
    fn sync(&self) -> io::Result<()>;
    /// The length.
    fn len(&self) -> io::Result<u64>;
}

/// Keeps the directory claimed while it lives.
pub(super) struct Claim(#[expect(dead_code, reason = "held for its lock, which goes with it")] pub(super) Option<File>);

/// A directory of files.
pub(super) trait Disk: Send + Sync {
    /// Makes the directory if it is absent, and claims it for this process.
    fn claim(&self, dir: &Path) -> Result<Claim, OpenError>;
    /// A new, empty file, readable by its owner only.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// A file that exists.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// The names in the directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Renames, replacing.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// Writes all of `bytes` at `offset`.
pub(super) fn write_all_at(file: &dyn DiskFile, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                offset = offset.saturating_add(written as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Fills `buffer` from `offset` as far as the file goes and says how far.
pub(super) fn read_full_at(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The file system.
pub(super) struct FileSystem;

impl Disk for FileSystem {
    fn claim(&self, dir: &Path) -> Result<Claim, OpenError> {
        let fail = |doing| move |source| OpenError::Io { path: dir.to_path_buf(), doing, source };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(fail("creating the data directory"))?;
        let mode = std::fs::metadata(dir).map_err(fail("reading the data directory"))?.permissions().mode();
        if mode & 0o077 != 0 {
            std::fs::set_permissions(dir, Permissions::from_mode(0o700))
                .map_err(fail("closing the data directory to other users"))?;
        }
        let lock = options().create(true).open(dir.join(LOCK_FILE)).map_err(fail("opening the lock file"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Claim(Some(lock))),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { dir: dir.to_path_buf() }),
            Err(TryLockError::Error(source)) => Err(fail("locking the data directory")(source)),
        }
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(options().create(true).truncate(true).open(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(options().open(path)?))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        // Our names are ASCII; a name that is no text is not ours.
        std::fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

impl DiskFile for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}
