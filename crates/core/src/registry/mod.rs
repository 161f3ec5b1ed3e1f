//! The registry port: the server's dynamic data. API keys made at run time, services made through an API, their limits,
//! webhooks: small documents that every node reads all of and follows.
//!
//! # Contract
//! An entry is a document under a name of two parts, kind and id. The owner of a kind types it at the edge
//! ([`Document::json`], [`Document::read`]) and says with a schema number how; the registry looks into none. [`Registry::write`] makes
//! all of its changes or none, compares the version of each entry with the expected one, and is durable before it returns. Versions
//! rise and are never used again, also not by an entry of the same name that is made anew. One that answered with an error may have
//! happened: whoever repeats it finds a conflict with what it wrote itself.
//!
//! [`Registry::revision`] is cheap and changes whenever the content may have, so that a node can ask several times a second; nothing
//! pushes. A snapshot is one moment of the content, never a part of a write. Bounds ([`RegistryBounds`]) keep it small: every node
//! holds all of it. Documents lie readable in files and in Redis: no secret is in one but as a hash or sealed.

pub mod api_key;
mod book;
mod memory;

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use api_key::{ApiKeyRecord, FreshApiKey, ParseScopeError, Scope, SecretHash};
pub use book::Book;
pub use memory::MemoryRegistry;

/// The longest kind, in bytes.
pub const MAX_KIND_BYTES: usize = 32;
/// The longest id, in bytes.
pub const MAX_ID_BYTES: usize = 160;
/// The largest document, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 16 * 1024;
/// The most changes of one write.
pub const MAX_CHANGES: usize = 256;

/// How much a registry holds at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistryBounds {
    /// Entries.
    pub max_entries: usize,
    /// Bytes of names and documents.
    pub max_bytes: usize,
}

impl Default for RegistryBounds {
    /// 10,000 entries and 8 MiB: read whole in a fraction of a second after each change.
    fn default() -> Self {
        Self { max_entries: 10_000, max_bytes: 8 * 1024 * 1024 }
    }
}

/// What an entry is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "(String, String)", into = "(String, String)")]
pub struct EntryName {
    kind: String,
    id: String,
}

/// Text that names no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryNameError {
    /// The kind.
    #[error("a kind is 1 to 32 of a-z and _")]
    Kind,
    /// The id.
    #[error("an id of the registry is 1 to 160 visible ASCII characters")]
    Id,
}

impl EntryName {
    /// A kind (1 to 32 of `a-z _`) and an id within it (1 to 160 visible ASCII characters).
    ///
    /// # Errors
    /// [`EntryNameError`]
    pub fn new(kind: &str, id: &str) -> Result<Self, EntryNameError> {
        let in_kind = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        if kind.is_empty() || kind.len() > MAX_KIND_BYTES || !kind.bytes().all(in_kind) {
            return Err(EntryNameError::Kind);
        }
        if id.is_empty() || id.len() > MAX_ID_BYTES || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(EntryNameError::Id);
        }
        Ok(Self { kind: kind.to_owned(), id: id.to_owned() })
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The id within the kind.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}

impl TryFrom<(String, String)> for EntryName {
    type Error = EntryNameError;

    fn try_from((kind, id): (String, String)) -> Result<Self, EntryNameError> {
        Self::new(&kind, &id)
    }
}

impl From<EntryName> for (String, String) {
    fn from(name: EntryName) -> Self {
        (name.kind, name.id)
    }
}

/// What an entry holds: text, JSON by custom, and the number of the schema by which its owner reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    schema: u16,
    text: Box<str>,
}

impl Document {
    /// A document of this text.
    ///
    /// # Errors
    /// [`RegistryError::TooLarge`] above [`MAX_DOCUMENT_BYTES`].
    pub fn new(schema: u16, text: &str) -> Result<Self, RegistryError> {
        if text.len() > MAX_DOCUMENT_BYTES {
            return Err(RegistryError::TooLarge);
        }
        Ok(Self { schema, text: text.into() })
    }

    /// `value` as JSON.
    ///
    /// # Errors
    /// [`RegistryError::TooLarge`], or [`RegistryError::Unreadable`] for a value that JSON cannot say.
    pub fn json(schema: u16, value: &impl Serialize) -> Result<Self, RegistryError> {
        let text = serde_json::to_string(value).map_err(|error| RegistryError::Unreadable(error.to_string()))?;
        Self::new(schema, &text)
    }

    /// The value that [`json`](Self::json) made under the same schema.
    ///
    /// # Errors
    /// [`RegistryError::Unreadable`] if it is of another schema or damaged.
    pub fn read<T: DeserializeOwned>(&self, schema: u16) -> Result<T, RegistryError> {
        if self.schema != schema {
            return Err(RegistryError::Unreadable(format!("schema {} is not {schema}", self.schema)));
        }
        serde_json::from_str(&self.text).map_err(|error| RegistryError::Unreadable(error.to_string()))
    }

    /// The number of its schema.
    #[must_use]
    pub const fn schema(&self) -> u16 {
        self.schema
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Rises with every write.
    pub version: u64,
    /// What it holds.
    pub document: Document,
}

/// One change of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Creates or replaces an entry.
    Put {
        /// Which.
        name: EntryName,
        /// The version it must have; `None`: it must not exist.
        expected: Option<u64>,
        /// What it shall hold.
        document: Document,
    },
    /// Removes an entry.
    Remove {
        /// Which.
        name: EntryName,
        /// The version it must have.
        expected: u64,
    },
}

impl Change {
    /// Creates an entry that must not exist.
    #[must_use]
    pub const fn create(name: EntryName, document: Document) -> Self {
        Self::Put { name, expected: None, document }
    }

    /// Replaces the entry of this version.
    #[must_use]
    pub const fn replace(name: EntryName, version: u64, document: Document) -> Self {
        Self::Put { name, expected: Some(version), document }
    }

    /// Which entry it changes.
    #[must_use]
    pub const fn name(&self) -> &EntryName {
        match self {
            Self::Put { name, .. } | Self::Remove { name, .. } => name,
        }
    }

    /// The version it expects; `None` if the entry must not exist.
    #[must_use]
    pub const fn expected(&self) -> Option<u64> {
        match self {
            Self::Put { expected, .. } => *expected,
            Self::Remove { expected, .. } => Some(*expected),
        }
    }
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// All changes are made; what was put has this version.
    Done {
        /// It.
        version: u64,
    },
    /// Nothing is changed: an entry was not as expected.
    Conflict {
        /// Which.
        name: EntryName,
        /// The version it has, if it exists.
        found: Option<u64>,
    },
}

/// The content at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// What [`Registry::revision`] said then.
    pub revision: u64,
    /// Every entry.
    pub entries: BTreeMap<EntryName, Entry>,
}

impl Snapshot {
    /// One entry.
    #[must_use]
    pub fn get(&self, name: &EntryName) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// The entries of a kind with their ids, in the order of the ids.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Entry)> {
        let first = EntryName { kind: kind.to_owned(), id: String::new() };
        let rest = self.entries.range(first..);
        rest.take_while(move |(name, _)| name.kind == kind).map(|(name, entry)| (name.id.as_str(), entry))
    }
}

/// The registry could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// It cannot be read or written.
    #[error("the registry cannot be used: {0}")]
    Unavailable(String),
    /// It holds as much as it may.
    #[error("the registry holds as much as it may ({} entries, {} bytes)", .0.max_entries, .0.max_bytes)]
    Full(RegistryBounds),
    /// A document or a write above its bound.
    #[error("too large: a document has at most {MAX_DOCUMENT_BYTES} bytes, a write at most {MAX_CHANGES} changes")]
    TooLarge,
    /// A document that its owner cannot read.
    #[error("an entry of the registry cannot be read: {0}")]
    Unreadable(String),
}

/// The server's dynamic data, shared by everything that serves one store. See the module's contract.
#[async_trait]
pub trait Registry: Send + Sync + fmt::Debug {
    /// Everything, as it is at one moment.
    async fn snapshot(&self) -> Result<Snapshot, RegistryError>;

    /// Makes all changes, at most [`MAX_CHANGES`], or none; durable before it returns. Each is compared with what was there before
    /// the write; of two for one entry the later counts.
    async fn write(&self, changes: Vec<Change>) -> Result<Written, RegistryError>;

    /// A number that changes whenever the content may have: cheap, so that a node can ask several times a second.
    async fn revision(&self) -> Result<u64, RegistryError>;
}
