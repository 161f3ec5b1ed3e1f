//! A verification as its owner sees it.

use std::collections::BTreeMap;
use std::fmt;

use crate::clock::Timestamp;
use crate::code::VerificationCode;
use crate::id::{DeliveryId, ServiceId, VerificationId};
use crate::phone_number::PhoneNumber;
use crate::sender::{Channel, DeliveryStatus, Price};
use crate::store::{Loaded, Status, VerificationStanding};

/// Where a verification stands at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VerificationStatus {
    /// Waiting for the right code.
    Pending,
    /// The right code came in time.
    Approved,
    /// The owner ended it.
    Canceled,
    /// Its life ended without the right code.
    Expired,
    /// Every guess was used; a new start is possible when it expires.
    MaxAttemptsReached,
    /// No message could be sent at all.
    Failed,
}

impl VerificationStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Approved, Self::Canceled, Self::Expired, Self::MaxAttemptsReached, Self::Failed];

    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::MaxAttemptsReached => "max_attempts_reached",
            Self::Failed => "failed",
        }
    }

    /// What `loaded` is at the instant it was loaded.
    #[must_use]
    pub fn of(loaded: &Loaded) -> Self {
        let over = loaded.at >= loaded.record.expires_at;
        match loaded.record.status {
            Status::Pending | Status::MaxAttemptsReached { .. } if over => Self::Expired,
            Status::Pending => Self::Pending,
            Status::Approved { .. } => Self::Approved,
            Status::Canceled { .. } => Self::Canceled,
            Status::MaxAttemptsReached { .. } => Self::MaxAttemptsReached,
            Status::Failed { .. } => Self::Failed,
        }
    }
}

/// One send of the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// When it was admitted.
    pub at: Timestamp,
    /// Who sent it; `None` while nobody has answered.
    pub sender: Option<String>,
    /// How it travelled.
    pub channel: Channel,
    /// What is known of it.
    pub status: DeliveryStatus,
    /// Segments; zero while unknown.
    pub segments: u16,
    /// The provider's id of the message.
    pub message_id: Option<String>,
    /// Price.
    pub price: Option<Price>,
    /// The provider's error code.
    pub error_code: Option<String>,
}

/// A verification, for its owner: it holds the whole number.
#[derive(Clone)]
pub struct Verification {
    /// Its id.
    pub id: VerificationId,
    /// The tenant.
    pub service: ServiceId,
    /// The number.
    pub to: PhoneNumber,
    /// Where it stands.
    pub status: VerificationStatus,
    /// How the last message travelled.
    pub channel: Channel,
    /// When it was started.
    pub created_at: Timestamp,
    /// When its life ends.
    pub expires_at: Timestamp,
    /// What may come next.
    pub standing: VerificationStanding,
    /// The sends, oldest first.
    pub deliveries: Vec<Delivery>,
    /// What the caller said the proof is for.
    pub purpose: Option<String>,
    /// The caller's nonce, which comes back in the proof.
    pub nonce: Option<String>,
    /// The caller's data.
    pub metadata: BTreeMap<String, String>,
    /// The code, only when the message stayed on this machine and showing codes is switched on.
    pub test_code: Option<VerificationCode>,
}

impl fmt::Debug for Verification {
    /// Without the caller's data; the number masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verification")
            .field("id", &self.id)
            .field("service", &self.service)
            .field("to", &self.to)
            .field("status", &self.status)
            .field("expires_at", &self.expires_at)
            .field("standing", &self.standing)
            .field("deliveries", &self.deliveries)
            .finish_non_exhaustive()
    }
}

impl Verification {
    /// The deliveries of `loaded`.
    pub(crate) fn deliveries_of(loaded: &Loaded) -> Vec<Delivery> {
        loaded
            .record
            .deliveries
            .iter()
            .map(|d| Delivery {
                id: d.id,
                at: d.at,
                sender: (!d.sender.is_empty()).then(|| d.sender.to_string()),
                channel: d.channel,
                status: d.status,
                segments: d.segments,
                message_id: d.message_id.as_deref().map(str::to_owned),
                price: d.price.as_deref().cloned(),
                error_code: d.error_code.as_deref().map(str::to_owned),
            })
            .collect()
    }
}
