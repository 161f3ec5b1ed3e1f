//! Keys: what turns a number or a code into something the store may hold.
//!
//! A [`KeyRing`] holds master keys with ids. From each derive (HKDF-SHA-256, RFC 5869) a code key, seal keys and the root of its
//! proof keys ([`crate::proof`]); the first master key makes new data, all of them read old data, so a rotation leaves pending codes valid. One master key, named by
//! the store that was first opened with it, also gives the index key: limits hang on the hashes it makes, so it stays until
//! `verifyd migrate` changes it. Data name their key by a [`KeyTag`], four bytes that derive from the key itself.
//!
//! Nothing here can be printed: keys have no `Debug` that shows them and are wiped when dropped.

mod ring;

use std::fmt;

use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroize;

pub use ring::KeyRing;

use crate::random::{Random, RandomError};

/// The longest name of a master key.
pub const MAX_KEY_NAME_BYTES: usize = 32;

/// 32 secret bytes from which everything else derives.
pub struct MasterKey {
    name: String,
    bytes: [u8; 32],
}

impl MasterKey {
    /// A master key with its name: 1 to 32 of `A-Z a-z 0-9 . _ -`.
    ///
    /// # Errors
    /// [`KeyRingError::BadName`] for another name.
    pub fn new(name: &str, bytes: [u8; 32]) -> Result<Self, KeyRingError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > MAX_KEY_NAME_BYTES || !name.bytes().all(allowed) {
            return Err(KeyRingError::BadName);
        }
        Ok(Self { name: name.to_owned(), bytes })
    }

    /// A fresh key.
    ///
    /// # Errors
    /// [`KeyRingError`] for a bad name or no randomness.
    pub fn generate(name: &str, random: &dyn Random) -> Result<Self, KeyRingError> {
        let mut bytes = [0; 32];
        random.fill(&mut bytes).map_err(|RandomError| KeyRingError::NoRandomness)?;
        Self::new(name, bytes)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The secret bytes, for whoever writes the key file.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }

    fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut out = [0; 32];
        // 32 bytes are within HKDF's bound of 255 blocks, so expansion cannot fail.
        if Hkdf::<Sha256>::new(None, &self.bytes).expand(format!("verifyd/1/{purpose}").as_bytes(), &mut out).is_err() {
            out.fill(0);
        }
        out
    }
}

impl Drop for MasterKey {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.name)
    }
}

/// Keys that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// A name outside the allowed characters or length.
    #[error("a key's id is 1 to 32 of A-Z a-z 0-9 . _ -")]
    BadName,
    /// No key at all.
    #[error("no key given")]
    Empty,
    /// Two keys share a name or their bytes.
    #[error("two keys are the same or share the id {0:?}")]
    Duplicate(String),
    /// The key that carries the number index is missing.
    #[error(
        "key {0:?} carries the number index of this store and is not among the keys given: keep it in the list (it need not be first)"
    )]
    IndexKeyMissing(String),
    /// The cryptographic library refused a key.
    #[error("a key could not be prepared")]
    Unusable,
    /// No randomness to make a key with.
    #[error("no random bytes to make a key with")]
    NoRandomness,
}

/// Four bytes that name a master key beside the data it made; derived from the key, so they say nothing about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyTag([u8; 4]);

impl KeyTag {
    /// The tag made of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The 4 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }
}

/// Keyed hash of a number's limit key: how stores know a number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PhoneHash([u8; 16]);

impl PhoneHash {
    /// The hash made of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for PhoneHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, ..] = self.0;
        write!(f, "PhoneHash({a:02x}{b:02x}…)")
    }
}

/// A short keyed digest of a code, bound to a verification or to a service and number.
///
/// Eight bytes: a wrong guess has the right digest once in 2^64, beside which the guesses that a code of four digits or more
/// allows do not count; and without the key no number of bytes tells anything.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct CodeDigest([u8; 8]);

impl CodeDigest {
    /// The digest made of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The 8 bytes, for a store that packs or compares them elsewhere.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// Equality in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.0.as_slice(), other.0.as_slice()).into()
    }
}

impl fmt::Debug for CodeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeDigest(…)")
    }
}

/// A code's digests under one key: what a check sends for each live key.
#[derive(Clone, Copy, Debug)]
pub struct TaggedDigest {
    /// The key that made it.
    pub key: KeyTag,
    /// The digest.
    pub digest: CodeDigest,
}

/// Encrypted and authenticated bytes (AES-256-GCM: nonce, ciphertext, tag), bound to one verification or one kept reply.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed(#[serde(with = "whole")] Box<[u8]>);

/// Reads and writes bytes at once; one by one, as the default is, costs more than the rest of a record.
mod whole {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<[u8]>, D::Error> {
        <&[u8]>::deserialize(deserializer).map(Into::into)
    }
}

impl Sealed {
    /// What [`as_bytes`](Self::as_bytes) gave.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The stored form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// What a sealed blob holds; part of the key derivation, so one can never be opened as the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealKind {
    /// The number, the caller's metadata, purpose and nonce.
    Identity,
    /// The code, for the resend.
    Code,
    /// A kept reply.
    Reply,
    /// A number in the history.
    Number,
}

/// Sealed data that does not open: another key, another place, or damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key is gone, or the data are not what this key sealed here.
    #[error("sealed data cannot be opened with the keys at hand")]
    Unreadable,
    /// There was no randomness for a nonce.
    #[error("no random bytes for a nonce")]
    NoRandomness,
}
