//! The ring of all keys: hashing numbers, digesting codes, sealing and opening.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::{CodeDigest, KeyRingError, KeyTag, MasterKey, PhoneHash, SealError, SealKind, Sealed, TaggedDigest};
use crate::code::VerificationCode;
use crate::id::{DeliveryId, ServiceId, VerificationId};
use crate::phone_number::PhoneNumber;
use crate::random::{Random, RandomError};
use crate::store::{ReplyKey, ReplyRequest, RequestDigest, SealedReply};

type HmacSha256 = Hmac<Sha256>;

struct Entry {
    name: String,
    tag: KeyTag,
    code: HmacSha256,
    identity: LessSafeKey,
    sealed_code: LessSafeKey,
    proof: Zeroizing<[u8; 32]>,
    reply: LessSafeKey,
    number: LessSafeKey,
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
        f.debug_struct("KeyRing")
            .field("names", &self.entries().map(|e| &e.name).collect::<Vec<_>>())
            .finish_non_exhaustive()
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

fn first8(bytes: [u8; 32]) -> [u8; 8] {
    let mut out = [0; 8];
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
            proof: Zeroizing::new(key.derive("proof")),
            reply: seal_key(&key.derive("seal-reply"))?,
            number: seal_key(&key.derive("seal-number"))?,
        })
    }

    fn sealing(&self, kind: SealKind) -> &LessSafeKey {
        match kind {
            SealKind::Identity => &self.identity,
            SealKind::Code => &self.sealed_code,
            SealKind::Reply => &self.reply,
            SealKind::Number => &self.number,
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

    /// Names and tags, newest first.
    pub fn tags(&self) -> impl Iterator<Item = (&str, KeyTag)> {
        self.entries().map(|entry| (entry.name.as_str(), entry.tag))
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

    /// What the keys of proofs derive from, one for each master key, the current one first.
    pub(crate) fn proof_roots(&self) -> impl Iterator<Item = &Zeroizing<[u8; 32]>> {
        self.entries().map(|entry| &entry.proof)
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

    /// A short digest of a number's identity key: lines that share a limit key are still told apart by it.
    #[must_use]
    pub fn number_digest(&self, identity_key: &str) -> [u8; 8] {
        let mut digest = [0; 8];
        digest.iter_mut().zip(self.subject_hash("number", identity_key.as_bytes())).for_each(|(to, from)| *to = from);
        digest
    }

    /// The hash of any other thing a limit counts by (`kind` separates name spaces).
    #[must_use]
    pub fn subject_hash(&self, kind: &str, subject: &[u8]) -> [u8; 16] {
        first16(mac(&self.index, &[b"subject\0", kind.as_bytes(), b"\0", subject]))
    }

    /// What a request is repeated by, made of `scope`, and what it asks. Under the index key: both outlast a rotation.
    #[must_use]
    pub fn reply_request(&self, scope: &[&str], body: &[u8]) -> ReplyRequest {
        let mut subject = Vec::new();
        for part in scope {
            // With its length in front no part can pretend to be two.
            subject.extend_from_slice(&(part.len() as u64).to_le_bytes());
            subject.extend_from_slice(part.as_bytes());
        }
        let key = self.subject_hash("reply", &subject);
        let mut digest = [0; 8];
        let whole = mac(&self.index, &[b"request\0", &key, body]);
        digest.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
        ReplyRequest { key: ReplyKey::from_bytes(key), digest: RequestDigest::from_bytes(digest) }
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
    pub fn guess_by_number(
        &self,
        service: &ServiceId,
        phone: &PhoneHash,
        code: &VerificationCode,
    ) -> Vec<TaggedDigest> {
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
        plain: Vec<u8>,
        random: &dyn Random,
    ) -> Result<Sealed, SealError> {
        self.seal_bound(kind, id.as_bytes(), plain, random)
    }

    /// Seals a reply under the current key, bound to its key. `plain` is wiped.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`] if no nonce can be made.
    pub fn seal_reply(&self, key: &ReplyKey, plain: Vec<u8>, random: &dyn Random) -> Result<SealedReply, SealError> {
        let sealed = self.seal_bound(SealKind::Reply, key.as_bytes(), plain, random)?;
        Ok(SealedReply { key: self.current_tag(), sealed })
    }

    fn seal_bound(
        &self,
        kind: SealKind,
        bound_to: &[u8; 16],
        mut plain: Vec<u8>,
        random: &dyn Random,
    ) -> Result<Sealed, SealError> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce).map_err(|RandomError| SealError::NoRandomness)?;
        let mut out = Vec::with_capacity(NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        out.extend_from_slice(&nonce);
        let key = self.current.sealing(kind);
        let tag = key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound_to), &mut plain)
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
        self.open_bound(kind, tag, id.as_bytes(), sealed)
    }

    /// Opens what [`seal_reply`](Self::seal_reply) made.
    ///
    /// # Errors
    /// [`SealError::Unreadable`] if the key is gone or the data were made elsewhere or damaged.
    pub fn open_reply(&self, key: &ReplyKey, reply: &SealedReply) -> Result<zeroize::Zeroizing<Vec<u8>>, SealError> {
        self.open_bound(SealKind::Reply, reply.key, key.as_bytes(), &reply.sealed)
    }

    /// Seals the number of a delivery under the current key, bound to the delivery.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`] if no nonce can be made.
    pub fn seal_number(
        &self,
        delivery: &DeliveryId,
        number: PhoneNumber,
        random: &dyn Random,
    ) -> Result<Sealed, SealError> {
        self.seal_bound(SealKind::Number, delivery.as_bytes(), number.to_sealed_bytes(), random)
    }

    /// Opens what [`seal_number`](Self::seal_number) made under the key named `tag`.
    ///
    /// # Errors
    /// [`SealError::Unreadable`] if the key is gone or the data were made elsewhere or damaged.
    pub fn open_number(&self, tag: KeyTag, delivery: &DeliveryId, sealed: &Sealed) -> Result<PhoneNumber, SealError> {
        let plain = self.open_bound(SealKind::Number, tag, delivery.as_bytes(), sealed)?;
        PhoneNumber::from_sealed_bytes(&plain).ok_or(SealError::Unreadable)
    }

    fn open_bound(
        &self,
        kind: SealKind,
        tag: KeyTag,
        bound_to: &[u8; 16],
        sealed: &Sealed,
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, SealError> {
        let entry = self.entries().find(|entry| entry.tag == tag).ok_or(SealError::Unreadable)?;
        let (nonce, body) = sealed.0.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Unreadable)?;
        let mut buffer = zeroize::Zeroizing::new(body.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = entry
            .sealing(kind)
            .open_in_place(nonce, Aad::from(bound_to), &mut buffer)
            .map_err(|_source| SealError::Unreadable)?
            .len();
        buffer.truncate(plain);
        Ok(buffer)
    }
}

fn digest_by_id(entry: &Entry, id: &VerificationId, code: &VerificationCode) -> CodeDigest {
    CodeDigest(first8(mac(&entry.code, &[b"id\0", id.as_bytes(), code.expose().as_bytes()])))
}

fn digest_by_number(entry: &Entry, service: &ServiceId, phone: &PhoneHash, code: &VerificationCode) -> CodeDigest {
    let parts: [&[u8]; 4] = [b"number\0", service.as_bytes(), phone.as_bytes(), code.expose().as_bytes()];
    CodeDigest(first8(mac(&entry.code, &parts)))
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
    fn a_reply_opens_under_its_own_key_only_and_after_a_rotation() {
        let (before, after) = (ring(&[("a", 1)]), ring(&[("b", 2), ("a", 1)]));
        let request = before.reply_request(&["key", "POST", "/x"], b"body");
        assert_eq!(request, after.reply_request(&["key", "POST", "/x"], b"body"));
        let other_body = before.reply_request(&["key", "POST", "/x"], b"other");
        assert!(other_body.key == request.key && other_body.digest != request.digest);
        for scope in
            [&["ke", "yPOST", "/x"][..], &["key", "POST/x"], &["key", "POST", "/y"], &["key", "POST", "/x", ""]]
        {
            let other = before.reply_request(scope, b"body");
            assert!(other.key != request.key && other.digest != request.digest);
            let sealed = before.seal_reply(&request.key, b"answer".to_vec(), &SystemRandom).unwrap();
            assert_eq!(after.open_reply(&request.key, &sealed).unwrap().as_slice(), b"answer");
            assert_eq!(after.open_reply(&other.key, &sealed), Err(SealError::Unreadable));
        }
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
