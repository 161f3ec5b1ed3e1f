//! What a send to the inbox comes to, and the numbers for which that is fixed.

use std::fmt;
use std::str::FromStr;

use verifyd_core::phone_number::PhoneNumber;
use verifyd_core::sender::{SendError, SendErrorKind};

use super::sender::THROTTLE_RETRY_AFTER;

/// What a send comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Taken, and in the inbox at once.
    Delivered,
    /// Taken after [`super::DELAY`], and in the inbox then.
    Delayed,
    /// Taken, and never in the inbox: a message lost on the air.
    Lost,
    /// Refused for good, as for a number that does not exist.
    Rejected,
    /// Refused as suspected fraud.
    SuspectedFraud,
    /// Refused because the number takes no text messages, as a landline.
    Unsupported,
    /// Not processed for want of room.
    Throttled,
    /// Not processed: an outage.
    Unavailable,
    /// The answer is lost; the message is in the inbox all the same, so that a code that came twice can be tried.
    Unknown,
}

/// A word that names no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown outcome: expected one of delivered, delayed, lost, rejected, suspected_fraud, unsupported, throttled, unavailable, unknown"
)]
pub struct ParseOutcomeError;

impl Outcome {
    /// All of them, in the order in which people are shown them.
    pub const ALL: [Self; 9] = [
        Self::Delivered,
        Self::Delayed,
        Self::Lost,
        Self::Rejected,
        Self::SuspectedFraud,
        Self::Unsupported,
        Self::Throttled,
        Self::Unavailable,
        Self::Unknown,
    ];

    /// The word in requests and on the page.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Delayed => "delayed",
            Self::Lost => "lost",
            Self::Rejected => "rejected",
            Self::SuspectedFraud => "suspected_fraud",
            Self::Unsupported => "unsupported",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the message is in the inbox afterwards.
    #[must_use]
    pub const fn arrives(self) -> bool {
        matches!(self, Self::Delivered | Self::Delayed | Self::Unknown)
    }

    /// The error of the send, if it has one. The codes are those that Twilio gives in the same case.
    pub(super) fn error(self) -> Option<SendError> {
        let (kind, code) = match self {
            Self::Delivered | Self::Delayed | Self::Lost => return None,
            Self::Rejected => (SendErrorKind::Rejected, Some("21211")),
            Self::SuspectedFraud => (SendErrorKind::SuspectedFraud, Some("30453")),
            Self::Unsupported => (SendErrorKind::Unsupported, Some("21614")),
            Self::Throttled => (SendErrorKind::Throttled { retry_after: Some(THROTTLE_RETRY_AFTER) }, Some("20429")),
            Self::Unavailable => (SendErrorKind::Unavailable, None),
            Self::Unknown => (SendErrorKind::Unknown, None),
        };
        let mut error = SendError::new(kind, "scripted for this number in the inbox");
        error.provider_code = code.map(str::to_owned);
        Some(error)
    }
}

impl FromStr for Outcome {
    type Err = ParseOutcomeError;

    fn from_str(text: &str) -> Result<Self, ParseOutcomeError> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text).ok_or(ParseOutcomeError)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The magic numbers. Those that Twilio's test credentials know (…0001 to 0004, 0006, 0009) come to here what our sender
/// makes of Twilio's answer there; the others are ours. All are valid numbers that the default policy takes.
pub const MAGIC_NUMBERS: [(&str, Outcome); 11] = [
    ("+15005550001", Outcome::Rejected),
    ("+15005550002", Outcome::Unavailable),
    ("+15005550003", Outcome::Unavailable),
    ("+15005550004", Outcome::Rejected),
    ("+15005550005", Outcome::Throttled),
    ("+15005550006", Outcome::Delivered),
    ("+15005550007", Outcome::Unknown),
    ("+15005550008", Outcome::Delayed),
    ("+15005550009", Outcome::Unsupported),
    ("+15005550010", Outcome::SuspectedFraud),
    ("+15005550011", Outcome::Lost),
];

/// What a send to a magic number comes to; `None` for every other number.
#[must_use]
pub fn magic_outcome(to: &PhoneNumber) -> Option<Outcome> {
    MAGIC_NUMBERS.iter().find(|(number, _)| *number == to.e164()).map(|(_, outcome)| *outcome)
}
