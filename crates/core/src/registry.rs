//! The registry port: API keys made at run time; later services and limit definitions. Small, cached, watched.
//!
//! Secrets are 256 random bits, shown once; the registry keeps only their SHA-256. A fast hash is right here: there is
//! nothing to guess.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::id::KeyId;
use crate::random::{Random, RandomError};
use crate::service::ServiceName;

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

/// The registry could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// It cannot be read or written.
    #[error("the registry cannot be used: {0}")]
    Unavailable(String),
    /// It holds as many keys as it may.
    #[error("the registry holds as many keys as it may ({0})")]
    Full(usize),
}

/// Keys made at run time, shared by everything that serves this store.
#[async_trait]
pub trait Registry: Send + Sync + fmt::Debug {
    /// Every key, revoked ones included, oldest first.
    async fn keys(&self) -> Result<Vec<ApiKeyRecord>, RegistryError>;

    /// Adds a key; durable before it returns.
    async fn add_key(&self, key: ApiKeyRecord) -> Result<(), RegistryError>;

    /// Revokes a key; durable before it returns. `false` if there is no such live key.
    async fn revoke_key(&self, id: KeyId, now: Timestamp) -> Result<bool, RegistryError>;

    /// A number that changes whenever the content may have: cheap, so that a node can ask every second.
    async fn revision(&self) -> Result<u64, RegistryError>;
}
