//! API keys made at run time: entries of the registry of the kind `api_key`.
//!
//! Secrets are 256 random bits, shown once; the registry keeps only their SHA-256. A fast hash is right here: there is
//! nothing to guess.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Change, Document, EntryName, Registry, RegistryError, Snapshot, Written};
use crate::clock::Timestamp;
use crate::id::KeyId;
use crate::random::{Random, RandomError};
use crate::service::ServiceName;

/// The kind of these entries; their ids are the keys' ids.
pub const KIND: &str = "api_key";
const SCHEMA: u16 = 1;
/// Attempts to write against others who write the same key.
const TRIES: usize = 5;

/// What a key may do. A key always has a list; the order means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Start, resend, check, cancel, read, preview.
    Verify,
    /// Erase a number.
    Forget,
    /// Lift the lock after many failures in a row.
    Unlock,
    /// List what was sent, numbers included, and read statistics.
    Read,
    /// Read metrics.
    Metrics,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [Self::Verify, Self::Forget, Self::Unlock, Self::Read, Self::Metrics];
    /// What a key gets when its maker names no scopes. Not `read`: whoever proves one number at a time need not be able to list
    /// everybody's.
    pub const USUAL: [Self; 2] = [Self::Verify, Self::Forget];

    /// The word in configuration and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Forget => "forget",
            Self::Unlock => "unlock",
            Self::Read => "read",
            Self::Metrics => "metrics",
        }
    }
}

/// Text that names no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a scope is verify, forget, unlock, read or metrics")]
pub struct ParseScopeError;

impl std::str::FromStr for Scope {
    type Err = ParseScopeError;

    fn from_str(text: &str) -> Result<Self, ParseScopeError> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(ParseScopeError)
    }
}

/// The SHA-256 of an API key's secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash of a secret as a caller presents it.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// The hash made of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// An API key as the registry knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRecord {
    /// Its id, which may be shown.
    pub id: KeyId,
    /// What its maker called it.
    pub name: String,
    /// Hash of its secret.
    pub secret: SecretHash,
    /// The one service it is for; `None` for all.
    pub service: Option<ServiceName>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A fresh API key: its id and its secret, to be shown once.
#[derive(Debug)]
pub struct FreshApiKey {
    /// Its id.
    pub id: KeyId,
    /// `vd_` and 64 hex digits.
    pub secret: Zeroizing<String>,
}

impl FreshApiKey {
    /// A key of 256 random bits.
    ///
    /// # Errors
    /// [`RandomError`] if there is no randomness.
    pub fn generate(random: &dyn Random) -> Result<Self, RandomError> {
        use std::fmt::Write;
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill(bytes.as_mut())?;
        let mut secret = Zeroizing::new(String::with_capacity(67));
        secret.push_str("vd_");
        for byte in bytes.iter() {
            // Writing to a String cannot fail.
            write!(secret, "{byte:02x}").map_err(|_source| RandomError)?;
        }
        Ok(Self { id: KeyId::generate(random)?, secret })
    }
}

/// An API key as its entry holds it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    secret_sha256: String,
    service: Option<String>,
    scopes: Vec<Scope>,
    created_at_ms: u64,
    revoked_at_ms: Option<u64>,
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

impl ApiKeyRecord {
    fn name_of(id: KeyId) -> Result<EntryName, RegistryError> {
        EntryName::new(KIND, &id.to_string()).map_err(|error| RegistryError::Unavailable(error.to_string()))
    }

    fn document(&self) -> Result<Document, RegistryError> {
        let line = Line {
            name: self.name.clone(),
            secret_sha256: hex(self.secret.as_bytes()),
            service: self.service.as_ref().map(ToString::to_string),
            scopes: self.scopes.clone(),
            created_at_ms: self.created_at.unix_ms(),
            revoked_at_ms: self.revoked_at.map(Timestamp::unix_ms),
        };
        Document::json(SCHEMA, &line)
    }

    fn read(id: &str, document: &Document) -> Option<Self> {
        let line: Line = document.read(SCHEMA).ok()?;
        Some(Self {
            id: id.parse().ok()?,
            name: line.name,
            secret: SecretHash::from_bytes(unhex(&line.secret_sha256)?),
            service: line.service.as_deref().map(str::parse).transpose().ok()?,
            scopes: line.scopes,
            created_at: Timestamp::from_unix_ms(line.created_at_ms),
            revoked_at: line.revoked_at_ms.map(Timestamp::from_unix_ms),
        })
    }
}

/// The keys of a snapshot, revoked ones included, oldest first.
///
/// # Errors
/// [`RegistryError::Unreadable`] if an entry is damaged or of a later version: a key that cannot be read must not look revoked.
pub fn in_snapshot(snapshot: &Snapshot) -> Result<Vec<ApiKeyRecord>, RegistryError> {
    let read = snapshot.of_kind(KIND).map(|(id, entry)| {
        ApiKeyRecord::read(id, &entry.document).ok_or_else(|| RegistryError::Unreadable(format!("{KIND} {id}")))
    });
    let mut keys = read.collect::<Result<Vec<_>, _>>()?;
    keys.sort_by_key(|key| (key.created_at, key.id));
    Ok(keys)
}

/// Every key of a registry, revoked ones included, oldest first.
///
/// # Errors
/// [`RegistryError`]
pub async fn list(registry: &dyn Registry) -> Result<Vec<ApiKeyRecord>, RegistryError> {
    in_snapshot(&registry.snapshot().await?)
}

/// Adds a key; durable before it returns.
///
/// # Errors
/// [`RegistryError`]
pub async fn add(registry: &dyn Registry, key: &ApiKeyRecord) -> Result<(), RegistryError> {
    let name = ApiKeyRecord::name_of(key.id)?;
    // Ids are random: a conflict is this key, written by a try whose answer was lost.
    registry.write(vec![Change::create(name, key.document()?)]).await.map(|_written| ())
}

/// Revokes a key; durable before it returns. `false` if there is no such live key.
///
/// # Errors
/// [`RegistryError`]
pub async fn revoke(registry: &dyn Registry, id: KeyId, now: Timestamp) -> Result<bool, RegistryError> {
    let name = ApiKeyRecord::name_of(id)?;
    for _ in 0..TRIES {
        let snapshot = registry.snapshot().await?;
        let Some(entry) = snapshot.get(&name) else { return Ok(false) };
        let unreadable = || RegistryError::Unreadable(name.to_string());
        let mut key = ApiKeyRecord::read(name.id(), &entry.document).ok_or_else(unreadable)?;
        if key.revoked_at.is_some() {
            return Ok(false);
        }
        key.revoked_at = Some(now);
        let change = Change::replace(name.clone(), entry.version, key.document()?);
        if let Written::Done { .. } = registry.write(vec![change]).await? {
            return Ok(true);
        }
    }
    Err(RegistryError::Unavailable("others keep changing this key".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;
    use crate::registry::MemoryRegistry;

    fn record(name: &str, at_ms: u64) -> ApiKeyRecord {
        let fresh = FreshApiKey::generate(&SystemRandom).unwrap();
        ApiKeyRecord {
            id: fresh.id,
            name: name.to_owned(),
            secret: SecretHash::of(&fresh.secret),
            service: Some("default".parse().unwrap()),
            scopes: Scope::USUAL.to_vec(),
            created_at: Timestamp::from_unix_ms(at_ms),
            revoked_at: None,
        }
    }

    #[tokio::test]
    async fn keys_are_added_listed_and_revoked_once() {
        let registry = MemoryRegistry::default();
        assert!(list(&registry).await.unwrap().is_empty());
        let (newer, older) = (record("a", 6), record("b", 5));
        add(&registry, &newer).await.unwrap();
        add(&registry, &older).await.unwrap();
        assert_eq!(list(&registry).await.unwrap(), [older.clone(), newer.clone()]);
        let at = Timestamp::from_unix_ms(9);
        assert!(revoke(&registry, newer.id, at).await.unwrap());
        assert!(!revoke(&registry, newer.id, at).await.unwrap());
        assert_eq!(list(&registry).await.unwrap()[1].revoked_at, Some(at));
        assert!(!revoke(&registry, record("c", 7).id, at).await.unwrap());
    }

    #[tokio::test]
    async fn a_key_that_cannot_be_read_is_an_error_and_left_alone() {
        let registry = MemoryRegistry::default();
        let key = record("a", 5);
        let name = ApiKeyRecord::name_of(key.id).unwrap();
        for document in
            [Document::new(SCHEMA, "{}").unwrap(), Document::new(SCHEMA + 1, key.document().unwrap().text()).unwrap()]
        {
            let found = registry.snapshot().await.unwrap().get(&name).map(|entry| entry.version);
            let change = Change::Put { name: name.clone(), expected: found, document: document.clone() };
            assert!(matches!(registry.write(vec![change]).await.unwrap(), Written::Done { .. }));
            assert!(matches!(list(&registry).await, Err(RegistryError::Unreadable(_))));
            assert!(matches!(revoke(&registry, key.id, key.created_at).await, Err(RegistryError::Unreadable(_))));
            assert_eq!(registry.snapshot().await.unwrap().get(&name).unwrap().document, document);
        }
    }
}
