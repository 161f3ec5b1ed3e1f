//! What of a verification is personal, and how it is packed before it is sealed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::message::AppHash;
use crate::phone_number::PhoneNumber;

/// The most entries of a caller's metadata.
pub const MAX_METADATA_ENTRIES: usize = 16;
/// The longest key of an entry, in bytes.
pub const MAX_METADATA_KEY_BYTES: usize = 40;
/// The longest value of an entry, in bytes.
pub const MAX_METADATA_VALUE_BYTES: usize = 500;
/// The longest purpose, in bytes.
pub const MAX_PURPOSE_BYTES: usize = 64;
/// The longest nonce, in bytes.
pub const MAX_NONCE_BYTES: usize = 128;

/// The number and what the caller gave along with it.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) to: PhoneNumber,
    pub(super) app_hash: Option<AppHash>,
    pub(super) purpose: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    number: Vec<u8>,
    app_hash: Option<String>,
    purpose: Option<String>,
    nonce: Option<String>,
    metadata: BTreeMap<String, String>,
}

impl Identity {
    pub(super) fn to_bytes(&self) -> Option<Vec<u8>> {
        let wire = Wire {
            number: self.to.to_sealed_bytes(),
            app_hash: self.app_hash.as_ref().map(|hash| hash.as_str().to_owned()),
            purpose: self.purpose.clone(),
            nonce: self.nonce.clone(),
            metadata: self.metadata.clone(),
        };
        postcard::to_stdvec(&wire).ok()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let wire: Wire = postcard::from_bytes(bytes).ok()?;
        Some(Self {
            to: PhoneNumber::from_sealed_bytes(&wire.number)?,
            app_hash: wire.app_hash.map(|hash| hash.parse()).transpose().ok()?,
            purpose: wire.purpose,
            nonce: wire.nonce,
            metadata: wire.metadata,
        })
    }
}
