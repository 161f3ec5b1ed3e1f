//! The store port: the life of a verification and its limits.
//!
//! # Contract
//! Every verb is one atomic step: concurrent verbs behave as if one ran after the other. A verb that returned `Ok` has
//! happened and survives a crash of a durable store; one that returned `Err` may or may not have happened, and then its
//! charge stands (the safe side). Preconditions and outcomes are values ([`Refusal`]); `Err` means only that the store could
//! not do its work.
//!
//! `now` is a hint: a store may use a better clock (Redis its own), clamps backward steps of up to [`MAX_CLOCK_STEP_BACK`],
//! and returns the instant it used; callers use only that. A larger step back is a [`StoreError::ClockWentBack`] on every
//! verb that decides, until an operator accepts the new time ([`Store::accept_clock`]).
//!
//! A request can be repeated when its answer was lost: a verb that is asked again with the [`RequestDigest`] of a request that
//! it has carried out does nothing and answers how things stand, also after a restart; and the answer itself can be kept
//! ([`Store::begin_reply`]).
//!
//! Stores never see a code or a number: only keyed hashes, keyed digests and sealed bytes.
//!
//! The rules themselves are in [`judge`]; [`state`] is a pure state machine over them that the memory and the embedded store share.
//! To write another store: implement [`Store`], run `testing::store_contract` on it, run the model on it, name it in wiring.

pub mod judge;
pub mod message_id;
mod record;
mod reply;
mod request;
pub mod state;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

pub use record::{CodeSecret, DeliveryRecord, IllegalMove, PhoneService, QuotaKey, Status, VerificationRecord};
pub use reply::{
    BegunReply, FinishReply, REPLY_KEPT, REPLY_LEASE, REPLY_RETRY_AFTER, ReplyKey, ReplyRequest, ReplySubject,
    RequestDigest, SealedReply,
};
pub use request::{
    Admission, AdmitOutcome, Admitted, CancelOutcome, CheckOutcome, CheckRequest, ForgetOutcome, GuessTarget,
    InfoOutcome, InfoRequest, LimitStanding, Loaded, NewVerification, QuotaCharge, Refusal, Rules, SendTarget,
    SettleRequest, Settlement, VerificationStanding,
};

use crate::clock::Timestamp;
use crate::id::{ServiceId, VerificationId};
use crate::keys::PhoneHash;

/// A backward step of the clock up to this is clamped; beyond it the store refuses to decide.
pub const MAX_CLOCK_STEP_BACK: Duration = Duration::from_secs(300);

/// The store could not do its work. Callers answer 503 and never guess.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot answer now: down, slow, or its disk is full. Retrying later can help.
    #[error("the store cannot answer: {reason}")]
    Unavailable {
        /// One sentence for the operator.
        reason: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// It holds as many records as it may; old ones are not evicted to make room.
    #[error("the store holds as many records as it may ({max})")]
    Full {
        /// The configured cap.
        max: usize,
    },
    /// The clock went back further than is clamped; `verifyd doctor --accept-clock` is needed.
    #[error("the clock went back by more than five minutes")]
    ClockWentBack,
    /// A record cannot be read.
    #[error("a record of the store cannot be read: {0}")]
    Corrupt(&'static str),
    /// A durable write failed for good; the process must stop and be restarted.
    #[error("a durable write failed; the process must be restarted")]
    Fatal,
}

impl StoreError {
    /// A bounded label for metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "unavailable",
            Self::Full { .. } => "full",
            Self::ClockWentBack => "clock_went_back",
            Self::Corrupt(_) => "corrupt",
            Self::Fatal => "fatal",
        }
    }

    /// When a caller may try again.
    #[must_use]
    pub const fn retry_after(&self) -> Duration {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            Self::Full { .. } => Duration::from_secs(10),
            Self::ClockWentBack | Self::Corrupt(_) | Self::Fatal => Duration::from_secs(60),
        }
    }
}

/// Life of verifications, limits and counters. See the module's contract.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    /// Spends every limit and creates the verification, or adds a send to the one that is pending, or refuses and spends nothing.
    async fn admit(&self, admission: Admission, now: Timestamp) -> Result<AdmitOutcome, StoreError>;

    /// Counts a guess, compares it and approves at most once.
    async fn check(&self, check: CheckRequest, now: Timestamp) -> Result<CheckOutcome, StoreError>;

    /// Records how a send went, once per delivery, and gives limits back if it says so.
    async fn settle(&self, settle: SettleRequest, now: Timestamp) -> Result<Settlement, StoreError>;

    /// Ends a pending verification of `service`.
    async fn cancel(&self, service: ServiceId, id: VerificationId, now: Timestamp)
    -> Result<CancelOutcome, StoreError>;

    /// One verification of `service`; free of effects.
    async fn load(
        &self,
        service: ServiceId,
        id: VerificationId,
        rules: Rules,
        now: Timestamp,
    ) -> Result<Option<Loaded>, StoreError>;

    /// How every limit of a number (and address) stands; free of effects.
    async fn info(&self, request: InfoRequest, now: Timestamp) -> Result<InfoOutcome, StoreError>;

    /// Erases the verifications and the kept replies of a number, of one service or of all. Counters by keyed hash stay until their
    /// windows end.
    async fn forget(
        &self,
        service: Option<ServiceId>,
        phone: PhoneHash,
        now: Timestamp,
    ) -> Result<ForgetOutcome, StoreError>;

    /// Lifts the lock of many failures in a row for a number and service; resets only that counter. Returns its old value.
    async fn unlock(&self, service: ServiceId, phone: PhoneHash, now: Timestamp) -> Result<u32, StoreError>;

    /// Claims a request's key, or says what became of the request that had it. The claim ends with [`finish_reply`](Self::finish_reply),
    /// with [`abandon_reply`](Self::abandon_reply) or after [`REPLY_LEASE`]; a store for one process also ends it with the process, so
    /// that nobody waits for a lease that nobody holds. A kept reply whose number was forgotten since its request began is as
    /// if it had never been. [`StoreError::Full`] where there is no room for one more record.
    async fn begin_reply(&self, request: ReplyRequest, now: Timestamp) -> Result<BegunReply, StoreError>;

    /// Keeps the reply of a request that had an effect for [`REPLY_KEPT`] from its beginning. Without a claim of the same
    /// request, or when the number was forgotten meanwhile, nothing is kept.
    async fn finish_reply(&self, finish: FinishReply, now: Timestamp) -> Result<(), StoreError>;

    /// Ends the claim of a request that had no effect: the next with its key runs anew.
    async fn abandon_reply(&self, request: ReplyRequest) -> Result<(), StoreError>;

    /// Drops some of what has expired; called again and again. Returns how many records went.
    async fn purge(&self, now: Timestamp) -> Result<usize, StoreError>;

    /// Accepts `now` after the clock went back: what was pending is void, counters from the abandoned future count from `now`.
    async fn accept_clock(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Whether the store can decide at `now`; free of effects.
    async fn ready(&self, now: Timestamp) -> Result<(), StoreError>;
}
