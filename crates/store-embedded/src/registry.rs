//! The registry of one machine: a small JSON file in the data directory.
//!
//! It is apart from the journal so that `verifyd keys` works while the server holds the store. Writers take a lock file,
//! replace the whole file by rename after a sync, and readers see the old or the new content, never a part.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use verifyd_core::clock::Timestamp;
use verifyd_core::id::KeyId;
use verifyd_core::registry::{ApiKeyRecord, Registry, RegistryError, Scope, SecretHash};

const FILE: &str = "registry.json";
const LOCK: &str = "registry.lock";
const VERSION: u32 = 1;
/// The most keys, revoked ones included.
const MAX_KEYS: usize = 10_000;
/// The largest file that is read: the most keys with room to spare.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    keys: Vec<KeyLine>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyLine {
    id: String,
    name: String,
    secret_sha256: String,
    service: Option<String>,
    scopes: Vec<Scope>,
    created_at_ms: u64,
    revoked_at_ms: Option<u64>,
}

/// API keys in `registry.json` of a data directory.
#[derive(Debug)]
pub struct FileRegistry {
    dir: PathBuf,
}

impl FileRegistry {
    /// The registry of `dir`, which must exist.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    fn path(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    fn read(&self) -> Result<Vec<ApiKeyRecord>, RegistryError> {
        let path = self.path();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unavailable(&path, &error)),
        };
        let mut text = String::new();
        file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(|error| unavailable(&path, &error))?;
        let content: Content = serde_json::from_str(&text).map_err(|error| unavailable(&path, &error))?;
        if content.version != VERSION {
            return Err(unavailable(&path, &format!("version {} is not {VERSION}", content.version)));
        }
        content
            .keys
            .iter()
            .map(|line| record_of(line).ok_or_else(|| unavailable(&path, &"a key line is damaged")))
            .collect()
    }

    /// Reads, changes and replaces the file under the lock. `change` says whether there is anything to write.
    fn update<T>(
        &self,
        change: impl FnOnce(&mut Vec<ApiKeyRecord>) -> Result<(T, bool), RegistryError>,
    ) -> Result<T, RegistryError> {
        let lock_path = self.dir.join(LOCK);
        let lock = open_private(&lock_path, false).map_err(|error| unavailable(&lock_path, &error))?;
        lock.lock().map_err(|error| unavailable(&lock_path, &error))?;
        let mut keys = self.read()?;
        let (result, changed) = change(&mut keys)?;
        if changed {
            let content = Content { version: VERSION, keys: keys.iter().map(line_of).collect() };
            self.replace(&content).map_err(|error| unavailable(&self.path(), &error))?;
        }
        Ok(result)
    }

    fn replace(&self, content: &Content) -> io::Result<()> {
        let temporary = self.dir.join("registry.json.new");
        let mut file = open_private(&temporary, true)?;
        file.write_all(&serde_json::to_vec_pretty(content)?)?;
        file.sync_all()?;
        std::fs::rename(&temporary, self.path())?;
        File::open(&self.dir)?.sync_all()
    }
}

fn unavailable(path: &Path, error: &dyn std::fmt::Display) -> RegistryError {
    RegistryError::Unavailable(format!("{}: {error}", path.display()))
}

fn open_private(path: &Path, truncate: bool) -> io::Result<File> {
    OpenOptions::new().create(true).write(true).truncate(truncate).mode(0o600).open(path)
}

fn hex(bytes: &[u8; 32]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn line_of(key: &ApiKeyRecord) -> KeyLine {
    KeyLine {
        id: key.id.to_string(),
        name: key.name.clone(),
        secret_sha256: hex(key.secret.as_bytes()),
        service: key.service.as_ref().map(ToString::to_string),
        scopes: key.scopes.clone(),
        created_at_ms: key.created_at.unix_ms(),
        revoked_at_ms: key.revoked_at.map(Timestamp::unix_ms),
    }
}

fn record_of(line: &KeyLine) -> Option<ApiKeyRecord> {
    Some(ApiKeyRecord {
        id: line.id.parse().ok()?,
        name: line.name.clone(),
        secret: SecretHash::from_bytes(unhex(&line.secret_sha256)?),
        service: line.service.as_deref().map(str::parse).transpose().ok()?,
        scopes: line.scopes.clone(),
        created_at: Timestamp::from_unix_ms(line.created_at_ms),
        revoked_at: line.revoked_at_ms.map(Timestamp::from_unix_ms),
    })
}

#[async_trait]
impl Registry for FileRegistry {
    async fn keys(&self) -> Result<Vec<ApiKeyRecord>, RegistryError> {
        self.read()
    }

    async fn add_key(&self, key: ApiKeyRecord) -> Result<(), RegistryError> {
        self.update(|keys| {
            if keys.len() >= MAX_KEYS {
                return Err(RegistryError::Full(MAX_KEYS));
            }
            keys.push(key);
            Ok(((), true))
        })
    }

    async fn revoke_key(&self, id: KeyId, now: Timestamp) -> Result<bool, RegistryError> {
        self.update(|keys| {
            let live = keys.iter_mut().find(|key| key.id == id && key.revoked_at.is_none());
            let found = live.map(|key| key.revoked_at = Some(now)).is_some();
            Ok((found, found))
        })
    }

    async fn revision(&self) -> Result<u64, RegistryError> {
        let path = self.path();
        match std::fs::metadata(&path) {
            // A replaced file has another inode, and a time.
            Ok(meta) => Ok(meta.ino().rotate_left(32) ^ meta.mtime_nsec().unsigned_abs() ^ meta.mtime().unsigned_abs()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(unavailable(&path, &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use verifyd_core::random::SystemRandom;
    use verifyd_core::registry::FreshApiKey;

    fn record(name: &str) -> ApiKeyRecord {
        let fresh = FreshApiKey::generate(&SystemRandom).unwrap();
        ApiKeyRecord {
            id: fresh.id,
            name: name.to_owned(),
            secret: SecretHash::of(&fresh.secret),
            service: Some("default".parse().unwrap()),
            scopes: Scope::USUAL.to_vec(),
            created_at: Timestamp::from_unix_ms(5),
            revoked_at: None,
        }
    }

    #[tokio::test]
    async fn keys_are_added_listed_and_revoked_once() {
        let dir = tempfile::tempdir().unwrap();
        let registry = FileRegistry::new(dir.path());
        assert!(registry.keys().await.unwrap().is_empty());
        let before = registry.revision().await.unwrap();
        let (a, b) = (record("a"), record("b"));
        registry.add_key(a.clone()).await.unwrap();
        registry.add_key(b.clone()).await.unwrap();
        assert_ne!(registry.revision().await.unwrap(), before);
        assert_eq!(FileRegistry::new(dir.path()).keys().await.unwrap(), [a.clone(), b]);
        assert!(registry.revoke_key(a.id, Timestamp::from_unix_ms(9)).await.unwrap());
        assert!(!registry.revoke_key(a.id, Timestamp::from_unix_ms(9)).await.unwrap());
        assert_eq!(registry.keys().await.unwrap()[0].revoked_at, Some(Timestamp::from_unix_ms(9)));
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_damaged_or_newer_file_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let registry = FileRegistry::new(dir.path());
        for text in ["", "{", "{\"version\":2,\"keys\":[]}", "{\"version\":1,\"keys\":[],\"more\":1}"] {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            assert!(registry.keys().await.is_err(), "{text}");
            assert!(registry.add_key(record("x")).await.is_err(), "{text}");
            assert_eq!(std::fs::read_to_string(dir.path().join(FILE)).unwrap(), text);
        }
    }
}
