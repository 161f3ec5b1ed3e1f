//! The sender port: delivery of one message.
//!
//! A sender has one method. It never decides whether a message may be sent, nor whether to try elsewhere: its error says
//! *what next* ([`SendErrorKind`]), and the verifier acts on that. How to write one:
//!
//! 1. implement [`Sender`] in a module of its own, with a table from the provider's codes to [`SendErrorKind`];
//! 2. answer [`SendErrorKind::Unknown`] whenever the request may have been processed: after the last byte was written, a
//!    timeout, a 5xx and an unreadable 2xx are all unknown, never "failed";
//! 3. stay within [`Message::deadline`]; retry only what certainly did nothing;
//! 4. log no body, no code and no whole number.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::code::VerificationCode;
use crate::id::{DeliveryId, VerificationId};
use crate::message::{MessageText, Segments};
use crate::phone_number::PhoneNumber;

/// How a code travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Channel {
    /// A text message.
    #[default]
    Sms,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 1] = [Self::Sms];

    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
        }
    }
}

/// Text that names no channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown channel: expected \"sms\"")]
pub struct ParseChannelError;

impl std::str::FromStr for Channel {
    type Err = ParseChannelError;

    fn from_str(text: &str) -> Result<Self, ParseChannelError> {
        match text {
            "sms" => Ok(Self::Sms),
            _ => Err(ParseChannelError),
        }
    }
}

/// What is known of a delivery. States move only forward; `unknown` may become any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DeliveryStatus {
    /// The provider took it.
    Accepted,
    /// The provider queued it.
    Queued,
    /// Handed to the carrier.
    Sent,
    /// The handset has it.
    Delivered,
    /// The carrier says it did not arrive.
    Undelivered,
    /// It was not sent.
    Failed,
    /// It may or may not have been sent.
    Unknown,
}

impl DeliveryStatus {
    /// Every state.
    pub const ALL: [Self; 7] =
        [Self::Accepted, Self::Queued, Self::Sent, Self::Delivered, Self::Undelivered, Self::Failed, Self::Unknown];

    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// One message to one number.
///
/// It holds the code and the whole number, so it has no `Debug` that shows them and cannot be serialised.
pub struct Message {
    /// Our id of this delivery.
    pub delivery_id: DeliveryId,
    /// The verification it belongs to.
    pub verification_id: VerificationId,
    /// The service's name, for senders that show it.
    pub service: String,
    /// The recipient.
    pub to: PhoneNumber,
    /// How it travels.
    pub channel: Channel,
    /// The text, code included.
    pub text: MessageText,
    /// The code alone, for senders that speak or display it.
    pub code: VerificationCode,
    /// Encoding and count of the text's segments.
    pub segments: Segments,
    /// When the verifier handed it over.
    pub at: Timestamp,
    /// Remaining life of the code: a provider that cannot send within it should not send at all.
    pub validity: Duration,
    /// How long the sender may take altogether, waiting for a throttle included.
    pub deadline: Duration,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("delivery_id", &self.delivery_id)
            .field("to", &self.to)
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

/// A sum of money as the provider writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Decimal amount, such as `0.0079`.
    pub amount: String,
    /// ISO 4217 code, upper case.
    pub currency: String,
    /// Whether it is our estimate rather than the provider's word.
    pub estimated: bool,
}

/// The provider's word that it took the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The provider's id of the message.
    pub message_id: Option<String>,
    /// Where it stands already: [`DeliveryStatus::Accepted`], `Queued`, `Sent` or `Delivered`.
    pub status: DeliveryStatus,
    /// Segments as the provider counts them, if it says.
    pub segments: Option<u16>,
    /// The price, if it says.
    pub price: Option<Price>,
}

/// What to do after a send that did not simply succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendErrorKind {
    /// Permanent for this number: tell the caller.
    Rejected,
    /// The provider blocked it as suspected fraud: do not retry, do not go elsewhere, keep the charge.
    SuspectedFraud,
    /// Not on this channel (a landline, say): offer another.
    Unsupported,
    /// Not processed for want of room; `retry_after` when the provider says.
    Throttled {
        /// The provider's wish, if it gave one.
        retry_after: Option<Duration>,
    },
    /// This sender cannot send now (outage before the request left, configuration, account): try another.
    Unavailable,
    /// It may have been sent: never repeat it blindly.
    Unknown,
}

impl SendErrorKind {
    /// Whether limits are given back: only when the message certainly did not leave *and* trying again is honest use.
    #[must_use]
    pub const fn refunds(self) -> bool {
        match self {
            Self::Rejected | Self::Unsupported | Self::Throttled { .. } | Self::Unavailable => true,
            Self::SuspectedFraud | Self::Unknown => false,
        }
    }

    /// A bounded label for metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::SuspectedFraud => "suspected_fraud",
            Self::Unsupported => "unsupported",
            Self::Throttled { .. } => "throttled",
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a message was not (certainly) taken.
#[derive(Debug, thiserror::Error)]
#[error("{}: {detail}", kind.as_str())]
pub struct SendError {
    /// What next.
    pub kind: SendErrorKind,
    /// The provider's own code, such as Twilio's `21211`.
    pub provider_code: Option<String>,
    /// The provider's id of the request, for their support.
    pub request_id: Option<String>,
    /// One sentence for the operator; without number, code or secret.
    pub detail: String,
    /// What went wrong beneath, for the log; its text must not hold the number, the code or a secret.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl SendError {
    /// An error with only its kind and a sentence.
    pub fn new(kind: SendErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, provider_code: None, request_id: None, detail: detail.into(), source: None }
    }
}

/// An integration that delivers messages.
#[async_trait]
pub trait Sender: Send + Sync + fmt::Debug {
    /// Its name in replies, logs and metrics: a short lower-case word, the same for ever.
    fn name(&self) -> &'static str;

    /// Whether messages stay on this machine instead of going to a phone; only then may a reply show a test code.
    fn stays_here(&self) -> bool {
        false
    }

    /// Whether this sender delivers to `to` at `now`. A route takes the first that does.
    fn covers(&self, _to: &PhoneNumber, _now: Timestamp) -> bool {
        true
    }

    /// The code to use instead of a random one for `to`, for senders of fixed test numbers.
    fn fixed_code(&self, _to: &PhoneNumber) -> Option<VerificationCode> {
        None
    }

    /// Delivers `message`, at most once.
    ///
    /// # Errors
    /// [`SendError`], whose kind says what to do next.
    async fn send(&self, message: &Message) -> Result<Receipt, SendError>;
}
