//! What the verbs of a store are asked and what they answer.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::record::{QuotaKey, VerificationRecord};
use super::reply::RequestDigest;
use crate::clock::Timestamp;
use crate::id::{DeliveryId, ServiceId, VerificationId};
use crate::keys::{CodeDigest, KeyTag, PhoneHash, Sealed, TaggedDigest};
use crate::limits::{LimitName, Rate, Standing};
use crate::sender::{Channel, DeliveryStatus, Price};

/// The rules of a service that a store applies; they come with every request, so a reload needs no change of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Sends to one number by this service.
    pub sends_per_phone: Rate,
    /// Sends to one number by all services.
    pub sends_per_phone_all_services: Rate,
    /// Sends within one verification.
    pub sends_per_verification: u32,
    /// Checks within one verification.
    pub checks_per_verification: u32,
    /// Wrong checks for one number and this service.
    pub failed_checks_per_phone: Rate,
    /// Wrong checks in a row for one number and this service, after which only an operator helps.
    pub failed_checks_in_a_row: u32,
    /// Waiting times after each send of a verification.
    pub resend_delays: Arc<[Duration]>,
    /// Waiting times after each check of a verification.
    pub check_delays: Arc<[Duration]>,
}

/// A GCRA limit to charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaCharge {
    /// Which limit it is.
    pub name: LimitName,
    /// What it counts by.
    pub key: QuotaKey,
    /// How much is allowed.
    pub rate: Rate,
}

/// The verification to create if none is pending.
#[derive(Clone, Debug)]
pub struct NewVerification {
    /// Its id.
    pub id: VerificationId,
    /// Its life from the start request; a resend does not extend it.
    pub ttl: Duration,
    /// Digest of the exact number.
    pub number: [u8; 8],
    /// The key that made the digests and sealed the data.
    pub key: KeyTag,
    /// Digits of its code.
    pub code_digits: u8,
    /// The code, bound to the id.
    pub digest_by_id: CodeDigest,
    /// The code, bound to service and number.
    pub digest_by_number: CodeDigest,
    /// The number and the caller's data.
    pub identity: Sealed,
    /// The code for a resend.
    pub code: Sealed,
    /// Language tag as asked for, empty if none was.
    pub locale: String,
}

/// Which verification gets the send.
#[derive(Clone, Debug)]
pub enum SendTarget {
    /// The one pending for the number, or else the new one. A pending one for another number that shares its limits ends: its
    /// code went to another phone, perhaps.
    Start {
        /// The number.
        phone: PhoneHash,
        /// What to create.
        new: Box<NewVerification>,
        /// The digests of a code the caller chose; the pending code must be the same.
        chosen_code: Option<Vec<TaggedDigest>>,
    },
    /// A known one.
    Resend {
        /// Its id.
        id: VerificationId,
    },
}

/// Asks for one send.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The tenant.
    pub service: ServiceId,
    /// What gets the send.
    pub target: SendTarget,
    /// Digest of the purpose, when the caller gave one; a pending verification must have the same.
    pub purpose: Option<[u8; 8]>,
    /// Id of the delivery.
    pub delivery: DeliveryId,
    /// How it travels.
    pub channel: Channel,
    /// The service's rules.
    pub rules: Rules,
    /// Limits by address, charged all or nothing together with the number's.
    pub quotas: SmallVec<[QuotaCharge; 3]>,
    /// The request that asks, if it can be repeated.
    pub request: Option<RequestDigest>,
}

/// Why a verb was refused; nothing was spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such verification for this service.
    NotFound,
    /// It is approved already.
    AlreadyApproved,
    /// It was canceled.
    Canceled,
    /// Its life is over.
    Expired,
    /// Nothing was ever sent for it.
    Failed,
    /// The pending verification has another code or purpose.
    Conflict,
    /// A guess with another number of digits than the code; it costs nothing.
    WrongLength {
        /// How many digits the code has.
        digits: u8,
    },
    /// No guess is left.
    MaxChecks {
        /// When there is one again; `None` if only an operator's unlock helps.
        retry_at: Option<Timestamp>,
    },
    /// The verification has no send left until it expires.
    MaxSends {
        /// When a new verification can start.
        retry_at: Timestamp,
    },
    /// A limit or a waiting time.
    RateLimited {
        /// Which.
        name: LimitName,
        /// How it stands.
        standing: Standing,
        /// Its window.
        window: Duration,
    },
}

/// What the owner of a verification may do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerificationStanding {
    /// Guesses left: the smaller of the verification's and the number's; zero once it has ended.
    pub checks_remaining: u32,
    /// Sends left within the verification; zero once it has ended.
    pub sends_remaining: u32,
    /// When the next send is allowed by every limit of the number; `None` if none will be.
    pub next_send_at: Option<Timestamp>,
    /// When the next check is allowed; `None` if none will be.
    pub next_check_at: Option<Timestamp>,
    /// The number's limit of sends by this service.
    pub sends_per_phone: Standing,
    /// That limit's window.
    pub window: Duration,
}

/// A verification as a verb left it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The instant the store used.
    pub at: Timestamp,
    /// Its id.
    pub id: VerificationId,
    /// Its data.
    pub record: VerificationRecord,
    /// What may come next.
    pub standing: VerificationStanding,
}

/// An admitted send.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// The verification, with the new delivery as its last, still `unknown`.
    pub loaded: Loaded,
    /// Whether this call created it.
    pub created: bool,
}

/// The answer to an admission.
#[derive(Clone, Debug)]
pub enum AdmitOutcome {
    /// Everything is spent; send.
    Admitted(Box<Admitted>),
    /// This very request was admitted before, and its message has left or may have: nothing is spent and nothing to be sent. The
    /// verification as it stands, whatever became of it; its delivery need not be the last. `created` is as it was then.
    Repeated(Box<Admitted>),
    /// Nothing is spent.
    Refused {
        /// The instant the store used.
        at: Timestamp,
        /// Why.
        refusal: Refusal,
    },
}

/// Which verification a guess is for.
#[derive(Clone, Copy, Debug)]
pub enum GuessTarget {
    /// By id.
    Id(VerificationId),
    /// By number: the newest of the service, if it is for this very number and not only for one that shares its limits.
    Number {
        /// The line.
        phone: PhoneHash,
        /// Digest of the exact number.
        number: [u8; 8],
    },
}

/// One guess.
#[derive(Clone, Debug)]
pub struct CheckRequest {
    /// The tenant.
    pub service: ServiceId,
    /// Which verification.
    pub target: GuessTarget,
    /// Digits of the guess.
    pub digits: u8,
    /// The guess under every live key, bound as the target says.
    pub digests: Vec<TaggedDigest>,
    /// The service's rules.
    pub rules: Rules,
    /// The request that asks, if it can be repeated.
    pub request: Option<RequestDigest>,
}

/// The answer to a check.
#[derive(Clone, Debug)]
pub enum CheckOutcome {
    /// The guess was right and this call approved the verification, or it repeats the request that did.
    Approved(Box<Loaded>),
    /// The guess was wrong and is counted, once: a repeat of the request whose guess was the last to be compared gets here again.
    Wrong(Box<Loaded>),
    /// Nothing was compared and nothing counted.
    Refused {
        /// The instant the store used.
        at: Timestamp,
        /// Why.
        refusal: Refusal,
    },
}

/// How a send went.
#[derive(Clone, Debug)]
pub struct SettleRequest {
    /// The tenant.
    pub service: ServiceId,
    /// The verification.
    pub id: VerificationId,
    /// The delivery.
    pub delivery: DeliveryId,
    /// Who sent it.
    pub sender: &'static str,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// The provider's id of the message.
    pub message_id: Option<String>,
    /// Segments.
    pub segments: u16,
    /// Price.
    pub price: Option<Price>,
    /// The provider's error code.
    pub error_code: Option<String>,
    /// Whether limits are given back: only if the message certainly did not leave.
    pub refund: bool,
    /// The limits by address that the admission charged.
    pub quotas: SmallVec<[QuotaCharge; 3]>,
    /// The service's rules.
    pub rules: Rules,
}

/// The answer to a settlement.
#[derive(Clone, Debug)]
pub enum Settlement {
    /// It is recorded.
    Settled(Box<Loaded>),
    /// The verification is gone, the delivery unknown to it, or it was settled before.
    Ignored,
}

/// The answer to a cancellation.
#[derive(Clone, Debug)]
pub enum CancelOutcome {
    /// It is canceled now.
    Canceled(Box<VerificationRecord>),
    /// It was not pending.
    Refused(Refusal),
}

/// Asks how limits stand.
#[derive(Clone, Debug)]
pub struct InfoRequest {
    /// The tenant.
    pub service: ServiceId,
    /// The number.
    pub phone: PhoneHash,
    /// The service's rules.
    pub rules: Rules,
    /// Limits by address, if an address was given.
    pub quotas: SmallVec<[QuotaCharge; 3]>,
}

/// One limit and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitStanding {
    /// Which.
    pub name: LimitName,
    /// Its window.
    pub window: Duration,
    /// How it stands.
    pub standing: Standing,
}

/// The answer to an info.
#[derive(Clone, Debug)]
pub struct InfoOutcome {
    /// The instant the store used.
    pub at: Timestamp,
    /// Every limit that applies.
    pub limits: Vec<LimitStanding>,
    /// Wrong checks in a row for the number and service.
    pub failed_checks_in_a_row: u32,
    /// Whether a start is refused whatever the limits say: too many failures in a row, or an exhausted verification that is
    /// not over yet.
    pub locked: bool,
    /// The pending verification of the number and service, if there is one.
    pub pending: Option<Box<Loaded>>,
}

impl InfoOutcome {
    /// Whether no limit refuses a send now. What else may refuse it, such as a budget, is not asked.
    #[must_use]
    pub fn send_allowed(&self) -> bool {
        let check_only = [LimitName::CheckDelay];
        let limits = self.limits.iter().filter(|limit| !check_only.contains(&limit.name));
        limits.into_iter().all(|limit| limit.standing.allowed()) && !self.locked
    }
}

/// The answer to a forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForgetOutcome {
    /// How many verifications were erased.
    pub verifications: usize,
}
