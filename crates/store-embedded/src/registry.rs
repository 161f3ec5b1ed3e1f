//! The registry of one machine: a small JSON file in the data directory.
//!
//! It is apart from the journal so that `verifyd keys` works while the server holds the store. Writers take a lock file,
//! replace the whole file by rename after a sync, and readers see the old or the new content, never a part.

use std::collections::BTreeMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use verifyd_core::registry::{
    Book, Change, Document, Entry, EntryName, Registry, RegistryBounds, RegistryError, Snapshot, Written,
};

const FILE: &str = "registry.json";
const LOCK: &str = "registry.lock";
const FORMAT: u32 = 2;
/// The largest file that is read: the default bounds with every byte escaped and the room of JSON around it.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    /// The version of the last write.
    writes: u64,
    entries: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: EntryName,
    version: u64,
    document: Document,
}

/// Documents in `registry.json` of a data directory.
#[derive(Clone, Debug)]
pub struct FileRegistry {
    dir: PathBuf,
    bounds: RegistryBounds,
}

impl FileRegistry {
    /// The registry of `dir`, which must exist.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self::with_bounds(dir, RegistryBounds::default())
    }

    /// The same with other bounds.
    #[must_use]
    pub fn with_bounds(dir: &Path, bounds: RegistryBounds) -> Self {
        Self { dir: dir.to_owned(), bounds }
    }

    fn path(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    /// The content, and the revision of the very file it was read from.
    fn read(&self) -> Result<(Book, u64), RegistryError> {
        let path = self.path();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Book::default(), 0)),
            Err(error) => return Err(unavailable(&path, &error)),
        };
        let revision = revision_of(&file.metadata().map_err(|error| unavailable(&path, &error))?);
        let mut text = String::new();
        file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(|error| unavailable(&path, &error))?;
        let content: Content = serde_json::from_str(&text).map_err(|error| unavailable(&path, &error))?;
        if content.version != FORMAT {
            return Err(unavailable(&path, &format!("version {} is not {FORMAT}", content.version)));
        }
        let entry = |line: Line| (line.name, Entry { version: line.version, document: line.document });
        let entries: BTreeMap<_, _> = content.entries.into_iter().map(entry).collect();
        Ok((Book::new(content.writes, entries), revision))
    }

    /// Reads, changes and replaces the file under the lock.
    fn update(&self, changes: Vec<Change>) -> Result<Written, RegistryError> {
        let lock_path = self.dir.join(LOCK);
        let lock = open_private(&lock_path, false).map_err(|error| unavailable(&lock_path, &error))?;
        lock.lock().map_err(|error| unavailable(&lock_path, &error))?;
        let (mut book, _revision) = self.read()?;
        let written = book.write(changes, self.bounds)?;
        if matches!(written, Written::Done { .. }) {
            self.replace(&book).map_err(|error| unavailable(&self.path(), &error))?;
        }
        Ok(written)
    }

    fn replace(&self, book: &Book) -> io::Result<()> {
        let line = |(name, entry): (&EntryName, &Entry)| Line {
            name: name.clone(),
            version: entry.version,
            document: entry.document.clone(),
        };
        let entries = book.entries().iter().map(line).collect();
        let content = Content { version: FORMAT, writes: book.version(), entries };
        let temporary = self.dir.join("registry.json.new");
        let mut file = open_private(&temporary, true)?;
        file.write_all(&serde_json::to_vec_pretty(&content)?)?;
        file.sync_all()?;
        std::fs::rename(&temporary, self.path())?;
        File::open(&self.dir)?.sync_all()
    }

    /// Runs file work where it keeps no request waiting.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, RegistryError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        let registry = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&registry)).await;
        done.unwrap_or_else(|error| Err(RegistryError::Unavailable(error.to_string())))
    }
}

/// A replaced file has another inode, and a time.
fn revision_of(meta: &Metadata) -> u64 {
    meta.ino().rotate_left(32) ^ meta.mtime_nsec().unsigned_abs() ^ meta.mtime().unsigned_abs()
}

fn unavailable(path: &Path, error: &dyn std::fmt::Display) -> RegistryError {
    RegistryError::Unavailable(format!("{}: {error}", path.display()))
}

fn open_private(path: &Path, truncate: bool) -> io::Result<File> {
    OpenOptions::new().create(true).write(true).truncate(truncate).mode(0o600).open(path)
}

#[async_trait]
impl Registry for FileRegistry {
    async fn snapshot(&self) -> Result<Snapshot, RegistryError> {
        let (book, revision) = self.aside(Self::read).await?;
        Ok(Snapshot { revision, entries: book.entries().clone() })
    }

    async fn write(&self, changes: Vec<Change>) -> Result<Written, RegistryError> {
        self.aside(move |registry| registry.update(changes)).await
    }

    async fn revision(&self) -> Result<u64, RegistryError> {
        let path = self.path();
        match std::fs::metadata(&path) {
            Ok(meta) => Ok(revision_of(&meta)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(unavailable(&path, &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn create() -> Vec<Change> {
        vec![Change::create(EntryName::new("thing", "a").unwrap(), Document::new(1, "{}").unwrap())]
    }

    #[tokio::test]
    async fn the_file_is_for_its_owner_and_a_write_that_fails_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let registry = FileRegistry::new(dir.path());
        registry.write(create()).await.unwrap();
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let before = std::fs::read(dir.path().join(FILE)).unwrap();
        assert!(matches!(registry.write(create()).await.unwrap(), Written::Conflict { .. }));
        assert_eq!(std::fs::read(dir.path().join(FILE)).unwrap(), before);
    }

    #[tokio::test]
    async fn a_damaged_or_newer_file_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let registry = FileRegistry::new(dir.path());
        let texts = [
            "",
            "{",
            "{\"version\":3,\"writes\":0,\"entries\":[]}",
            "{\"version\":2,\"writes\":0,\"entries\":[],\"more\":1}",
            "{\"version\":2,\"writes\":1,\"entries\":[{\"name\":[\"Thing\",\"a\"],\"version\":1,\"document\":{\"schema\":1,\"text\":\"\"}}]}",
        ];
        for text in texts {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            assert!(registry.snapshot().await.is_err(), "{text}");
            assert!(registry.write(create()).await.is_err(), "{text}");
            assert_eq!(std::fs::read_to_string(dir.path().join(FILE)).unwrap(), text);
        }
    }
}
