//! Keys: what turns a number or a code into something the store may hold.
//!
//! A [`KeyRing`] holds master keys with ids. From each derive (HKDF-SHA-256, RFC 5869) a code key and seal keys; the first
//! master key makes new data, all of them read old data, so a rotation leaves pending codes valid. One master key, named by
//! the store that was first opened with it, also gives the index key: limits hang on the hashes it makes, so it stays until
//! `verifyd migrate` changes it. Data name their key by a [`KeyTag`], four bytes that derive from the key itself.
//!
//! Nothing here can be printed: keys have no `Debug` that shows them and are wiped when dropped.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use crate::code::VerificationCode;
use crate::id::{ServiceId, VerificationId};
use crate::random::{Random, RandomError};

type HmacSha256 = Hmac<Sha256>;

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
    #[error("key {0:?} carries the number index of this store and is not among the keys given: keep it in the list (it need not be first)")]
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
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct CodeDigest([u8; 16]);

impl CodeDigest {
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

/// Encrypted and authenticated bytes (AES-256-GCM: nonce, ciphertext, tag), bound to one verification.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed(Box<[u8]>);

impl Sealed {
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
}

/// Sealed data that does not open: another key, another verification, or damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key is gone, or the data are not what this key sealed here.
    #[error("sealed data cannot be opened with the keys at hand")]
    Unreadable,
    /// There was no randomness for a nonce.
    #[error("no random bytes for a nonce")]
    NoRandomness,
}

struct Entry {
    name: String,
    tag: KeyTag,
    code: HmacSha256,
    identity: LessSafeKey,
    sealed_code: LessSafeKey,
}

/// All keys of a running verifyd.
pub struct KeyRing {
    /// The first makes new data; never empty.
    current: Entry,
    older: Vec<Entry>,
    index_name: String,
    index_fingerprint: [u8; 8],
    index: HmacSha256,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("names", &self.entries().map(|e| &e.name).collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

fn mac(key: &HmacSha256, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = key.clone();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn first16(bytes: [u8; 32]) -> [u8; 16] {
    let mut out = [0; 16];
    out.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    out
}

fn hmac_key(bytes: &[u8; 32]) -> Result<HmacSha256, KeyRingError> {
    HmacSha256::new_from_slice(bytes).map_err(|_source| KeyRingError::Unusable)
}

fn seal_key(bytes: &[u8; 32]) -> Result<LessSafeKey, KeyRingError> {
    UnboundKey::new(&AES_256_GCM, bytes).map(LessSafeKey::new).map_err(|_source| KeyRingError::Unusable)
}

impl Entry {
    fn new(key: &MasterKey) -> Result<Self, KeyRingError> {
        let [a, b, c, d, ..] = key.derive("tag");
        Ok(Self {
            name: key.name.clone(),
            tag: KeyTag([a, b, c, d]),
            code: hmac_key(&key.derive("code"))?,
            identity: seal_key(&key.derive("seal-identity"))?,
            sealed_code: seal_key(&key.derive("seal-code"))?,
        })
    }

    fn sealing(&self, kind: SealKind) -> &LessSafeKey {
        match kind {
            SealKind::Identity => &self.identity,
            SealKind::Code => &self.sealed_code,
        }
    }
}

impl KeyRing {
    /// A ring of `keys`, the first of which makes new data. `index` names the key that carries the number index: what the
    /// store recorded when it was first opened, or `None` for a new store, which takes the first.
    ///
    /// # Errors
    /// [`KeyRingError`] if there is no key, two are the same, or the index key is not among them.
    pub fn new(keys: &[MasterKey], index: Option<&str>) -> Result<Self, KeyRingError> {
        let first = keys.first().ok_or(KeyRingError::Empty)?;
        let index_name = index.unwrap_or(&first.name);
        let index_key = keys
            .iter()
            .find(|key| key.name == index_name)
            .ok_or_else(|| KeyRingError::IndexKeyMissing(index_name.to_owned()))?;
        let mut entries = Vec::with_capacity(keys.len());
        for key in keys {
            let entry = Entry::new(key)?;
            if entries.iter().any(|other: &Entry| other.name == entry.name || other.tag == entry.tag) {
                return Err(KeyRingError::Duplicate(entry.name));
            }
            entries.push(entry);
        }
        let index_bytes = index_key.derive("index");
        let mut index_fingerprint = [0; 8];
        let digest: [u8; 32] = Sha256::digest(index_bytes).into();
        index_fingerprint.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        let current = entries.remove(0);
        let index_name = index_name.to_owned();
        Ok(Self { current, older: entries, index_name, index_fingerprint, index: hmac_key(&index_bytes)? })
    }

    /// Names, newest first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries().map(|entry| entry.name.as_str())
    }

    /// The name of the key that carries the number index; a new store records it.
    #[must_use]
    pub fn index_name(&self) -> &str {
        &self.index_name
    }

    /// Fingerprint of the index key; a store that was made with another refuses to open.
    #[must_use]
    pub fn index_fingerprint(&self) -> [u8; 8] {
        self.index_fingerprint
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        std::iter::once(&self.current).chain(&self.older)
    }

    /// The tag of the key that makes new data.
    #[must_use]
    pub fn current_tag(&self) -> KeyTag {
        self.current.tag
    }

    /// The hash by which stores know the line behind `limit_key`.
    #[must_use]
    pub fn phone_hash(&self, limit_key: &str) -> PhoneHash {
        PhoneHash(first16(mac(&self.index, &[b"phone\0", limit_key.as_bytes()])))
    }

    /// The hash of any other thing a limit counts by (`kind` separates name spaces).
    #[must_use]
    pub fn subject_hash(&self, kind: &str, subject: &[u8]) -> [u8; 16] {
        first16(mac(&self.index, &[b"subject\0", kind.as_bytes(), b"\0", subject]))
    }

    /// Digest of `code` bound to a verification, under the current key.
    #[must_use]
    pub fn digest_by_id(&self, id: &VerificationId, code: &VerificationCode) -> CodeDigest {
        digest_by_id(&self.current, id, code)
    }

    /// Digest of `code` bound to a service and a number, under the current key.
    #[must_use]
    pub fn digest_by_number(&self, service: &ServiceId, phone: &PhoneHash, code: &VerificationCode) -> CodeDigest {
        digest_by_number(&self.current, service, phone, code)
    }

    /// The digests of a guess addressed by id, one per live key, newest first.
    #[must_use]
    pub fn guess_by_id(&self, id: &VerificationId, code: &VerificationCode) -> Vec<TaggedDigest> {
        self.entries().map(|e| TaggedDigest { key: e.tag, digest: digest_by_id(e, id, code) }).collect()
    }

    /// The digests of a guess addressed by number, one per live key, newest first.
    #[must_use]
    pub fn guess_by_number(&self, service: &ServiceId, phone: &PhoneHash, code: &VerificationCode) -> Vec<TaggedDigest> {
        self.entries().map(|e| TaggedDigest { key: e.tag, digest: digest_by_number(e, service, phone, code) }).collect()
    }

    /// Seals `plain` under the current key, bound to `id`. `plain` is wiped.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`] if no nonce can be made.
    pub fn seal(
        &self,
        kind: SealKind,
        id: &VerificationId,
        mut plain: Vec<u8>,
        random: &dyn Random,
    ) -> Result<Sealed, SealError> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce).map_err(|RandomError| SealError::NoRandomness)?;
        let mut out = Vec::with_capacity(NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        out.extend_from_slice(&nonce);
        let key = self.current.sealing(kind);
        let tag = key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(id.as_bytes()), &mut plain)
            .map_err(|_source| SealError::Unreadable)?;
        out.extend_from_slice(&plain);
        out.extend_from_slice(tag.as_ref());
        plain.zeroize();
        Ok(Sealed(out.into_boxed_slice()))
    }

    /// Opens what [`seal`](Self::seal) made under the key named `tag`.
    ///
    /// # Errors
    /// [`SealError::Unreadable`] if the key is gone or the data were made elsewhere or damaged.
    pub fn open(
        &self,
        kind: SealKind,
        tag: KeyTag,
        id: &VerificationId,
        sealed: &Sealed,
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, SealError> {
        let entry = self.entries().find(|entry| entry.tag == tag).ok_or(SealError::Unreadable)?;
        let (nonce, body) = sealed.0.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Unreadable)?;
        let mut buffer = zeroize::Zeroizing::new(body.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = entry
            .sealing(kind)
            .open_in_place(nonce, Aad::from(id.as_bytes()), &mut buffer)
            .map_err(|_source| SealError::Unreadable)?
            .len();
        buffer.truncate(plain);
        Ok(buffer)
    }
}

fn digest_by_id(entry: &Entry, id: &VerificationId, code: &VerificationCode) -> CodeDigest {
    CodeDigest(first16(mac(&entry.code, &[b"id\0", id.as_bytes(), code.expose().as_bytes()])))
}

fn digest_by_number(entry: &Entry, service: &ServiceId, phone: &PhoneHash, code: &VerificationCode) -> CodeDigest {
    let parts: [&[u8]; 4] = [b"number\0", service.as_bytes(), phone.as_bytes(), code.expose().as_bytes()];
    CodeDigest(first16(mac(&entry.code, &parts)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    fn ring(names: &[(&str, u8)]) -> KeyRing {
        let keys: Vec<_> = names.iter().map(|(name, byte)| MasterKey::new(name, [*byte; 32]).unwrap()).collect();
        KeyRing::new(&keys, Some(names.last().unwrap().0)).unwrap()
    }

    #[test]
    fn a_rotation_keeps_the_index_and_reads_old_data() {
        let (before, after) = (ring(&[("a", 1)]), ring(&[("b", 2), ("a", 1)]));
        assert_eq!(before.phone_hash("+1"), after.phone_hash("+1"));
        let id = VerificationId::from_bytes([7; 16]);
        let sealed = before.seal(SealKind::Code, &id, b"123456".to_vec(), &SystemRandom).unwrap();
        assert_eq!(after.open(SealKind::Code, before.current_tag(), &id, &sealed).unwrap().as_slice(), b"123456");
        let code = VerificationCode::parse("123456").unwrap();
        let old = before.digest_by_id(&id, &code);
        let guess = after.guess_by_id(&id, &code);
        assert!(guess.iter().any(|g| g.key == before.current_tag() && g.digest.matches(&old)));
    }

    #[test]
    fn sealed_data_open_only_where_they_belong() {
        let ring = ring(&[("a", 1)]);
        let id = VerificationId::from_bytes([7; 16]);
        let sealed = ring.seal(SealKind::Code, &id, b"123456".to_vec(), &SystemRandom).unwrap();
        let tag = ring.current_tag();
        let other = VerificationId::from_bytes([8; 16]);
        assert_eq!(ring.open(SealKind::Code, tag, &other, &sealed), Err(SealError::Unreadable));
        assert_eq!(ring.open(SealKind::Identity, tag, &id, &sealed), Err(SealError::Unreadable));
        assert_eq!(ring.open(SealKind::Code, KeyTag([9; 4]), &id, &sealed), Err(SealError::Unreadable));
        let mut damaged = sealed.clone();
        *damaged.0.last_mut().unwrap() ^= 1;
        assert_eq!(ring.open(SealKind::Code, tag, &id, &damaged), Err(SealError::Unreadable));
    }

    #[test]
    fn bad_rings_are_refused_with_the_reason() {
        let key = |name: &str, byte| MasterKey::new(name, [byte; 32]).unwrap();
        assert_eq!(KeyRing::new(&[], None).unwrap_err(), KeyRingError::Empty);
        assert_eq!(KeyRing::new(&[key("a", 1), key("a", 2)], None).unwrap_err(), KeyRingError::Duplicate("a".into()));
        assert_eq!(KeyRing::new(&[key("a", 1), key("b", 1)], None).unwrap_err(), KeyRingError::Duplicate("b".into()));
        assert_eq!(KeyRing::new(&[key("a", 1)], Some("z")).unwrap_err(), KeyRingError::IndexKeyMissing("z".into()));
        for bad in ["", "a b", "a:b", &"x".repeat(33)] {
            assert_eq!(MasterKey::new(bad, [0; 32]).unwrap_err(), KeyRingError::BadName);
        }
    }

    #[test]
    fn digests_bind_to_what_they_were_made_for() {
        let ring = ring(&[("a", 1)]);
        let code = VerificationCode::parse("123456").unwrap();
        let (one, two) = (VerificationId::from_bytes([1; 16]), VerificationId::from_bytes([2; 16]));
        assert!(!ring.digest_by_id(&one, &code).matches(&ring.digest_by_id(&two, &code)));
        let phone = ring.phone_hash("+14155552671");
        let (s1, s2) = (ServiceId::from_bytes([1; 16]), ServiceId::from_bytes([2; 16]));
        assert!(!ring.digest_by_number(&s1, &phone, &code).matches(&ring.digest_by_number(&s2, &phone, &code)));
    }
}
