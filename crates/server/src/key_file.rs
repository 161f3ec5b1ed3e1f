//! The file of the master keys: `keys` in the data directory, made on the first run.
//!
//! One key a line, `id:base64 of 32 bytes`, the first makes new data; `#` begins a comment. The file is for its owner only
//! (0600, the directory 0700) and is refused when others could read it: whoever has these keys and the store has every number
//! and every pending code. It is written whole or not at all, and never over another: two first runs at once end up with the
//! same keys.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use verifyd_core::keys::{KeyRingError, MasterKey};
use verifyd_core::random::{Random, RandomError};
use zeroize::{Zeroize, Zeroizing};

/// The name of the file in the data directory.
pub const KEY_FILE: &str = "keys";
/// The id of the key that the first run makes.
const FIRST_KEY: &str = "k1";
/// The most keys: every check costs a digest for each.
pub const MAX_KEYS: usize = 16;
/// The largest key file that is read, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Text that holds no usable list of keys. No message repeats any of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseKeysError {
    /// Nothing but comments.
    #[error("no key given; a key is id:base64 of 32 bytes")]
    Empty,
    /// No colon.
    #[error("key {0}: expected id:base64 of 32 bytes")]
    Form(usize),
    /// Not base64.
    #[error("key {0}: what follows the colon is not base64")]
    Base64(usize),
    /// Too few or too many bytes.
    #[error("key {position}: {bytes} bytes instead of 32; openssl rand -base64 32 makes a good key")]
    Size {
        /// Which key, from 1.
        position: usize,
        /// How many it has.
        bytes: usize,
    },
    /// A bad id.
    #[error("key {position}: {source}")]
    Id {
        /// Which key, from 1.
        position: usize,
        /// What is wrong.
        source: KeyRingError,
    },
    /// Over [`MAX_KEYS`].
    #[error("more than {MAX_KEYS} keys; remove those that no data needs any more")]
    TooMany,
}

/// Reads `id:base64,id:base64` or one key a line; the two may be mixed.
///
/// # Errors
/// [`ParseKeysError`] names the first key that is none, by its position.
pub fn parse_keys(text: &str) -> Result<Vec<MasterKey>, ParseKeysError> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or(line));
    let entries = lines.flat_map(|line| line.split(',')).map(str::trim).filter(|entry| !entry.is_empty());
    let mut keys = Vec::new();
    for (index, entry) in entries.enumerate() {
        if index >= MAX_KEYS {
            return Err(ParseKeysError::TooMany);
        }
        keys.push(parse_key(entry, index + 1)?);
    }
    if keys.is_empty() { Err(ParseKeysError::Empty) } else { Ok(keys) }
}

fn parse_key(entry: &str, position: usize) -> Result<MasterKey, ParseKeysError> {
    let (id, encoded) = entry.split_once(':').ok_or(ParseKeysError::Form(position))?;
    let bytes = Zeroizing::new(decode(encoded.trim()).ok_or(ParseKeysError::Base64(position))?);
    let mut key: [u8; 32] =
        bytes.as_slice().try_into().map_err(|_source| ParseKeysError::Size { position, bytes: bytes.len() })?;
    let master = MasterKey::new(id.trim(), key).map_err(|source| ParseKeysError::Id { position, source });
    key.zeroize();
    master
}

/// Base64 of either alphabet, padded or not: generators differ.
fn decode(text: &str) -> Option<Vec<u8>> {
    [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].iter().find_map(|engine| engine.decode(text).ok())
}

/// The key file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Others could read it.
    #[error("{} can be read by others (mode {mode:03o}); run: chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is no regular file.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// It holds no usable keys.
    #[error("{}: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ParseKeysError,
    },
    /// Larger than any list of keys.
    #[error("{} is larger than {MAX_BYTES} bytes, so no list of keys", .0.display())]
    TooLarge(PathBuf),
    /// The system refused something.
    #[error("{doing} {} failed: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There was no randomness for a key.
    #[error("no random bytes to make a key with")]
    NoRandomness,
}

/// The keys of a data directory.
#[derive(Debug)]
pub struct FileKeys {
    /// The keys; the first makes new data.
    pub keys: Vec<MasterKey>,
    /// The file they are in.
    pub path: PathBuf,
    /// Whether this call made them.
    pub created: bool,
}

/// Reads the key file of `data_dir`, or makes the directory and a file with one fresh key.
///
/// # Errors
/// [`KeyFileError`]; nothing is left behind that a later run could take for keys.
pub fn load_or_create(data_dir: &Path, random: &dyn Random) -> Result<FileKeys, KeyFileError> {
    let path = data_dir.join(KEY_FILE);
    if let Some(keys) = load(&path)? {
        return Ok(FileKeys { keys, path, created: false });
    }
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(failed("making the directory", data_dir))?;
    let created = create(data_dir, &path, random)?;
    // Read back, also by the one who lost a race: from here on the file is the truth.
    match load(&path)? {
        Some(keys) => Ok(FileKeys { keys, path, created }),
        None => Err(failed("reading", &path)(io::ErrorKind::NotFound.into())),
    }
}

/// The keys in the file, `None` if there is no file.
///
/// # Errors
/// [`KeyFileError`]: others could read it, or it holds no keys.
pub fn load(path: &Path) -> Result<Option<Vec<MasterKey>>, KeyFileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("opening", path)(error)),
    };
    // Asked of the open file, so that nobody can swap it between the question and the reading.
    let metadata = file.metadata().map_err(failed("looking at", path))?;
    if !metadata.is_file() {
        return Err(KeyFileError::NotAFile(path.to_owned()));
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(failed("reading", path))?;
    if read as u64 > MAX_BYTES {
        return Err(KeyFileError::TooLarge(path.to_owned()));
    }
    let keys = parse_keys(&text).map_err(|source| KeyFileError::Content { path: path.to_owned(), source })?;
    Ok(Some(keys))
}

/// Writes a fresh key to a file of its own and gives it the name `path`, unless somebody else was faster (`false`).
fn create(dir: &Path, path: &Path, random: &dyn Random) -> Result<bool, KeyFileError> {
    let key = MasterKey::generate(FIRST_KEY, random).map_err(|_source| KeyFileError::NoRandomness)?;
    let mut suffix = [0; 8];
    random.fill(&mut suffix).map_err(|RandomError| KeyFileError::NoRandomness)?;
    let fresh = dir.join(format!("{KEY_FILE}.new-{:016x}", u64::from_be_bytes(suffix)));
    let encoded = Zeroizing::new(STANDARD.encode(key.expose()));
    let text = Zeroizing::new(format!(
        "# Master keys of verifyd: with these and the store, every number can be read. Back them up apart from it.\n\
         {FIRST_KEY}:{}\n",
        *encoded
    ));
    let written = write_new(&fresh, text.as_bytes()).and_then(|()| match std::fs::hard_link(&fresh, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        // A file system without links: a rename is whole, too, and only here two first runs at once could differ.
        Err(_) if !path.exists() => std::fs::rename(&fresh, path).map(|()| true).map_err(failed("naming", path)),
        Err(error) => Err(failed("naming", path)(error)),
    });
    let removed = std::fs::remove_file(&fresh);
    let created = written?;
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("removing", &fresh)(error)),
        _ => {}
    }
    // The name must outlive a loss of power, or the data made under these keys would be lost with them.
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("syncing", dir))?;
    Ok(created)
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed("making", path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed("writing", path))
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyFileError {
    move |source| KeyFileError::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
#[path = "key_file_tests.rs"]
mod tests;
