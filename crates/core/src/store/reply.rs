//! Replies that are kept: what lets a request be repeated when its answer was lost.
//!
//! A request that can be repeated has a [`ReplyKey`] (who repeats what) and a [`RequestDigest`] (what exactly it asked). While
//! it is at work its key is claimed; when it has had an effect, its answer is kept for [`REPLY_KEPT`] and given again.
//!
//! A claim is a lease and not a record: it need not survive the process that holds it, because what a request did is
//! remembered where it did it (the digest rides in [`Admission`](super::Admission) and [`CheckRequest`](super::CheckRequest)).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::ServiceId;
use crate::keys::{KeyTag, PhoneHash, Sealed};

/// How long a reply is kept, from the beginning of its request.
pub const REPLY_KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long a request may be at work before another with its key runs beside it: longer than the longest deadline of a send
/// (two minutes) and the grace of its task together.
pub const REPLY_LEASE: Duration = Duration::from_secs(180);
/// When whoever repeats a request that is still at work may ask again: most are over much sooner than their lease.
pub const REPLY_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Keyed hash of what a request is repeated by: the caller, its idempotency key, the method and the path.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ReplyKey([u8; 16]);

impl ReplyKey {
    /// The key made of these bytes, which must be unpredictable to callers.
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

impl fmt::Debug for ReplyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, ..] = self.0;
        write!(f, "ReplyKey({a:02x}{b:02x}…)")
    }
}

/// Keyed digest of one request: of its [`ReplyKey`] and its body. Two requests with one digest are one request, sent twice.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestDigest([u8; 8]);

impl RequestDigest {
    /// The digest made of these bytes. A body may hold a code, so only a keyed digest of it may be stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The 8 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Debug for RequestDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestDigest(…)")
    }
}

/// A request that can be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyRequest {
    /// By what it is repeated.
    pub key: ReplyKey,
    /// What it asks.
    pub digest: RequestDigest,
}

/// Whom a reply is about; forgetting the number forgets the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplySubject {
    /// The tenant.
    pub service: ServiceId,
    /// The line.
    pub phone: PhoneHash,
}

/// A reply as a store holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedReply {
    /// The key that sealed it.
    pub key: KeyTag,
    /// The reply, bound to its [`ReplyKey`].
    pub sealed: Sealed,
}

/// The end of a request that had an effect.
#[derive(Clone, Debug)]
pub struct FinishReply {
    /// The request, as it began.
    pub request: ReplyRequest,
    /// Whom its reply is about.
    pub subject: ReplySubject,
    /// Its reply.
    pub reply: SealedReply,
}

/// How a request that can be repeated begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BegunReply {
    /// Its key is claimed: do the work, then finish or abandon it.
    Fresh,
    /// The same request is at work.
    InProgress {
        /// The instant the store used.
        at: Timestamp,
        /// When to ask again.
        retry_at: Timestamp,
    },
    /// Its key was used for a request that asked something else.
    BodyDiffers,
    /// It was answered before, with this.
    Stored(SealedReply),
}
