//! The names of keys. What stands in braces chooses the slot: everything of one number, verifications included, has one tag, made of
//! the first two bytes of the number's keyed hash, which its verifications' ids repeat.

use verifyd_core::id::VerificationId;
use verifyd_core::keys::PhoneHash;
use verifyd_core::store::{QuotaKey, ReplyKey};

/// Names keys under one prefix.
#[derive(Debug)]
pub(super) struct Keys {
    prefix: Vec<u8>,
}

impl Keys {
    /// Keys that begin with `prefix`, which holds no brace.
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.as_bytes().to_vec() }
    }

    pub(super) fn number(&self, phone: &PhoneHash) -> Vec<u8> {
        self.key(b'n', phone.as_bytes())
    }

    pub(super) fn verification(&self, id: &VerificationId) -> Vec<u8> {
        self.key(b'v', id.as_bytes())
    }

    pub(super) fn quota(&self, quota: &QuotaKey) -> Vec<u8> {
        self.key(b'q', quota.as_bytes())
    }

    pub(super) fn reply(&self, reply: &ReplyKey) -> Vec<u8> {
        self.key(b'r', reply.as_bytes())
    }

    fn key(&self, kind: u8, id: &[u8; 16]) -> Vec<u8> {
        let [first, second, ..] = id;
        let mut key = Vec::with_capacity(self.prefix.len() + 26);
        key.extend_from_slice(&self.prefix);
        key.extend_from_slice(format!(":{{{first:02x}{second:02x}}}:").as_bytes());
        key.extend_from_slice(&[kind, b':']);
        key.extend_from_slice(id);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_its_verifications_share_a_tag() {
        let keys = Keys::new("verifyd");
        let mut id = [7; 16];
        (id[0], id[1]) = (0xab, 0x0c);
        assert_eq!(keys.number(&PhoneHash::from_bytes(id)), [b"verifyd:{ab0c}:n:".as_slice(), &id].concat());
        assert_eq!(keys.verification(&VerificationId::from_bytes(id)), [b"verifyd:{ab0c}:v:".as_slice(), &id].concat());
    }
}
