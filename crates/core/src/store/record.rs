//! What a store keeps: verifications, numbers, quotas and replies, packed.
//!
//! Records are kept, journaled and checkpointed in their packed form (postcard, a documented stable format), behind six
//! bytes that say when they may be dropped: a store of millions stays small, and a sweep need not unpack anything.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::clock::Timestamp;
use crate::id::{DeliveryId, ServiceId, VerificationId};
use crate::keys::{CodeDigest, KeyTag, PhoneHash, Sealed};
use crate::limits::{Rate, SlidingLog, gcra};
use crate::sender::{Channel, DeliveryStatus, Price};

use super::reply::{REPLY_KEPT, ReplySubject, RequestDigest, SealedReply};

/// Where a verification stands. `expired` is not stored: it follows from the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Waiting for the right code.
    Pending,
    /// The right code came.
    Approved {
        /// When.
        at: Timestamp,
    },
    /// The owner ended it.
    Canceled {
        /// When.
        at: Timestamp,
    },
    /// Every guess was used.
    MaxAttemptsReached {
        /// When.
        at: Timestamp,
    },
    /// No message could be sent at all.
    Failed {
        /// When.
        at: Timestamp,
    },
}

/// A move that the life of a verification does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("only a pending verification can end")]
pub struct IllegalMove;

impl Status {
    /// Ends a pending verification as `end`.
    ///
    /// # Errors
    /// [`IllegalMove`] if it is not pending or `end` is no end.
    pub fn end(self, end: Self) -> Result<Self, IllegalMove> {
        match (self, end) {
            (Self::Pending, Self::Pending) => Err(IllegalMove),
            (Self::Pending, end) => Ok(end),
            _ => Err(IllegalMove),
        }
    }
}

/// One send within a verification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRecord {
    /// Its id.
    pub id: DeliveryId,
    /// When it was admitted; the instant that the limits hold for it.
    pub at: Timestamp,
    /// How it travels.
    pub channel: Channel,
    /// What is known of it; `Unknown` until the sender answered.
    pub status: DeliveryStatus,
    /// Whether its outcome was recorded.
    pub settled: bool,
    /// Whether its limits were given back; it then does not count as a send.
    pub refunded: bool,
    /// Who sent it; empty until settled.
    pub sender: Box<str>,
    /// The provider's id of the message.
    #[serde(with = "super::message_id")]
    pub message_id: Option<Box<str>>,
    /// Segments; zero until settled.
    pub segments: u16,
    /// Price.
    pub price: Option<Box<Price>>,
    /// The provider's error code.
    pub error_code: Option<Box<str>>,
    /// The request that asked for it, if it can be repeated and the message has not certainly failed to leave.
    pub request: Option<RequestDigest>,
}

/// One verification.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VerificationRecord {
    /// The tenant.
    pub service: ServiceId,
    /// The line, by which limits count.
    pub phone: PhoneHash,
    /// Digest of the exact number. A rare pair of lines shares a limit key, and a code for one proves nothing of the other.
    pub number: [u8; 8],
    /// When it was created.
    pub created_at: Timestamp,
    /// When its life ends: at this very instant it is expired.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub status: Status,
    /// Digits of its code.
    pub code_digits: u8,
    /// The key that made the digests and sealed the data.
    pub key: KeyTag,
    /// What only a pending verification has: the code's digests and sealed copy.
    pub secret: Option<CodeSecret>,
    /// The number and the caller's data.
    pub identity: Sealed,
    /// Digest of the purpose.
    pub purpose: Option<[u8; 8]>,
    /// Language tag, empty if none was asked for.
    pub locale: Box<str>,
    /// Guesses counted.
    pub checks_used: u32,
    /// When the last guess was counted.
    pub last_check_at: Option<Timestamp>,
    /// The request that made the last guess, if it can be repeated.
    pub last_check_by: Option<RequestDigest>,
    /// The sends, oldest first.
    pub deliveries: Vec<DeliveryRecord>,
}

/// A code as a store holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CodeSecret {
    /// Bound to the verification.
    pub by_id: CodeDigest,
    /// Bound to service and number.
    pub by_number: CodeDigest,
    /// For the resend.
    pub sealed: Sealed,
}

impl VerificationRecord {
    /// Sends that count.
    #[must_use]
    pub fn sends_used(&self) -> u32 {
        u32::try_from(self.deliveries.iter().filter(|d| !d.refunded).count()).unwrap_or(u32::MAX)
    }

    /// When the last send that counts was admitted.
    #[must_use]
    pub fn last_send_at(&self) -> Option<Timestamp> {
        self.deliveries.iter().rev().find(|d| !d.refunded).map(|d| d.at)
    }

    /// Ends it as `end` and drops the code, whose work is done.
    ///
    /// # Errors
    /// [`IllegalMove`] if it is not pending.
    pub fn end(&mut self, end: Status) -> Result<(), IllegalMove> {
        self.status = self.status.end(end)?;
        self.secret = None;
        Ok(())
    }
}

/// What is kept by number: the counters that outlive every verification.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PhoneRecord {
    /// Sends by all services.
    pub(super) sends: SlidingLog,
    /// When the last window of a counter ends and its last verification need no longer be found.
    pub(super) counters_until: Timestamp,
    /// Per service.
    pub(super) services: SmallVec<[PhoneService; 1]>,
    /// When it was forgotten, as long as a reply of before could still be kept.
    pub(super) forgotten: Vec<Forgotten>,
}

/// A number was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Forgotten {
    /// By which service; `None` by all.
    pub(super) service: Option<ServiceId>,
    /// When.
    pub(super) at: Timestamp,
}

/// A number as one service knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneService {
    /// The service.
    pub service: ServiceId,
    /// Sends.
    pub sends: SlidingLog,
    /// Wrong guesses.
    pub failures: SlidingLog,
    /// Wrong guesses since the last right one or unlock.
    pub failures_in_a_row: u32,
    /// When the last wrong guess was.
    pub last_failure_at: Option<Timestamp>,
    /// Its verifications, oldest first; the last is the live one, if any is.
    pub verifications: SmallVec<[VerificationId; 1]>,
}

impl PhoneService {
    /// One of which nothing is known yet.
    #[must_use]
    pub fn new(service: ServiceId) -> Self {
        Self {
            service,
            sends: SlidingLog::default(),
            failures: SlidingLog::default(),
            failures_in_a_row: 0,
            last_failure_at: None,
            verifications: SmallVec::new(),
        }
    }
}

/// How long failures in a row are remembered after the last one.
const FAILURES_IN_A_ROW_KEPT: Duration = Duration::from_secs(366 * 24 * 3600);
/// A shorter row, such as somebody's typing errors, is forgotten after 30 quiet days: it must not fill the store for a year.
const SHORT_ROW_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// From this many failures on a row is no typing error any more.
const LONG_ROW: u32 = 10;

impl PhoneRecord {
    /// Until when it must be kept: a row of failures outlasts every window, until a right guess or an unlock ends it.
    pub(super) fn keep_until(&self) -> Timestamp {
        let rows = self.services.iter().filter(|entry| entry.failures_in_a_row > 0);
        let kept = |row| if row < LONG_ROW { SHORT_ROW_KEPT } else { FAILURES_IN_A_ROW_KEPT };
        let until = rows.filter_map(|entry| Some(entry.last_failure_at? + kept(entry.failures_in_a_row))).max();
        let forgotten = self.forgotten.iter().map(|mark| mark.at + REPLY_KEPT).max();
        until.unwrap_or_default().max(forgotten.unwrap_or_default()).max(self.counters_until)
    }

    /// Remembers that `service`, or every one, forgot the number.
    pub(super) fn forget(&mut self, service: Option<ServiceId>, at: Timestamp) {
        let covered = |mark: &Forgotten| service.is_none() || mark.service == service;
        self.forgotten.retain(|mark| !covered(mark) && mark.at + REPLY_KEPT > at);
        self.forgotten.push(Forgotten { service, at });
    }

    /// Whether `service` forgot the number at `since` or later.
    pub(super) fn forgotten_since(&self, service: ServiceId, since: Timestamp) -> bool {
        self.forgotten.iter().any(|mark| mark.service.is_none_or(|by| by == service) && mark.at >= since)
    }

    /// Moves what lies later than `ceiling` to it, and as much earlier what it was to be kept for (see
    /// [`SlidingLog::clamp_to`]).
    pub(super) fn clamp_to(&mut self, ceiling: Timestamp) {
        let logs =
            self.services.iter().flat_map(|entry| [entry.sends.last(), entry.failures.last(), entry.last_failure_at]);
        let latest = logs.chain([self.sends.last()]).flatten().max().unwrap_or_default();
        if latest > ceiling {
            self.counters_until = ceiling + self.counters_until.since(latest);
        }
        self.sends.clamp_to(ceiling);
        for mark in &mut self.forgotten {
            mark.at = mark.at.min(ceiling);
        }
        for entry in &mut self.services {
            entry.sends.clamp_to(ceiling);
            entry.failures.clamp_to(ceiling);
            entry.last_failure_at = entry.last_failure_at.map(|at| at.min(ceiling));
        }
    }

    pub(super) fn service(&self, service: ServiceId) -> Option<&PhoneService> {
        self.services.iter().find(|entry| entry.service == service)
    }

    pub(super) fn service_mut(&mut self, service: ServiceId) -> &mut PhoneService {
        let index = self.services.iter().position(|entry| entry.service == service).unwrap_or_else(|| {
            self.services.push(PhoneService::new(service));
            self.services.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "the index was found or made one line above")]
        &mut self.services[index]
    }
}

/// A GCRA limit of one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct QuotaRecord {
    pub(super) tat: gcra::Tat,
    /// A full backlog of the rate that was charged last.
    pub(super) full: gcra::Backlog,
}

impl QuotaRecord {
    pub(super) fn new(tat: gcra::Tat, rate: Rate) -> Self {
        Self { tat, full: gcra::full(rate) }
    }
}

/// A reply that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReplyRecord {
    /// When its request began.
    pub(super) begun_at: Timestamp,
    /// Whom it is about.
    pub(super) subject: ReplySubject,
    /// What its request asked.
    pub(super) digest: RequestDigest,
    /// What was answered.
    pub(super) reply: SealedReply,
}

/// What the store knows of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MetaRecord {
    /// The latest instant ever used.
    pub(super) latest: Timestamp,
    /// Set while the clock is further back than is clamped.
    pub(super) clock_fault: bool,
}

/// The key of a quota: a keyed hash of limit and subject.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct QuotaKey([u8; 16]);

impl QuotaKey {
    /// The key made of these bytes.
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

impl fmt::Debug for QuotaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, ..] = self.0;
        write!(f, "QuotaKey({a:02x}{b:02x}…)")
    }
}
