//! Why an [`SmsService`](super::SmsService) did not do what was asked, with the HTTP status that says so.

use std::time::Duration;

use verifyd_core::code::CodeError;
use verifyd_core::phone_number::PhoneNumberError;
use verifyd_core::sender::SendErrorKind;
use verifyd_core::store::{Refusal, StoreError};
use verifyd_core::verifier::VerifyError;

use super::RateLimitInfo;
use crate::BuildError;

/// How long a caller waits after something that says no time of its own.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Why a method of the service failed. No text holds a number, a code or a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SmsError {
    /// A setting cannot work; nothing was started.
    #[error("{setting}: {problem}")]
    Configuration {
        /// The variable or field.
        setting: &'static str,
        /// What is wrong with it, and what helps.
        problem: String,
    },
    /// Not a phone number, or none that is served.
    #[error(transparent)]
    PhoneNumber(#[from] PhoneNumberError),
    /// Not a code of the right form; it says nothing about the stored one.
    #[error("not a verification code: {0}")]
    CodeFormat(CodeError),
    /// A code with another number of digits than this service's.
    #[error("a verification code has {digits} digits")]
    CodeDigits {
        /// How many they have.
        digits: u8,
    },
    /// The code is too old.
    #[error("the verification code has expired; ask for a new one")]
    CodeExpired,
    /// The code is another one.
    #[error("the verification code is wrong")]
    CodeMismatch,
    /// The number has had its messages for now; nothing was sent or spent.
    #[error("too many messages to this number; try again in {} seconds", whole_seconds(.0.retry_after))]
    RateLimited(RateLimitInfo),
    /// The message did not leave and will not for this number. Its charge is given back, unless fraud is suspected.
    #[error("the message cannot be delivered to this number ({})", kind.as_str())]
    Undeliverable {
        /// Why.
        kind: SendErrorKind,
        /// The provider's code, such as Twilio's `21211`.
        provider_code: Option<String>,
    },
    /// The message did not leave; its charge is given back.
    #[error("no message can be sent now")]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
        /// The provider's code.
        provider_code: Option<String>,
    },
    /// The store cannot answer; what was spent stays spent.
    #[error(transparent)]
    Store(StoreError),
    /// Something that must not happen.
    #[error("internal: {0}")]
    Internal(String),
}

/// Rounded up, so that a caller who waits as told does not come too early.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

impl SmsError {
    /// The HTTP status that says so.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::CodeMismatch => 400,
            Self::CodeExpired => 410,
            Self::PhoneNumber(_) | Self::CodeFormat(_) | Self::CodeDigits { .. } | Self::Undeliverable { .. } => 422,
            Self::RateLimited(_) => 429,
            Self::Configuration { .. } | Self::Internal(_) => 500,
            Self::Unavailable { .. } | Self::Store(_) => 503,
        }
    }

    /// A stable word for callers and metrics; the HTTP API uses the same.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Configuration { .. } => "configuration",
            Self::PhoneNumber(PhoneNumberError::CountryNotAllowed(_)) => "country_not_allowed",
            Self::PhoneNumber(PhoneNumberError::TypeNotAllowed(_) | PhoneNumberError::PrefixNotAllowed) => {
                "number_type_not_allowed"
            }
            Self::PhoneNumber(_) => "invalid_phone_number",
            Self::CodeFormat(_) | Self::CodeDigits { .. } => "invalid_code_format",
            Self::CodeExpired => "expired",
            Self::CodeMismatch => "invalid_code",
            Self::RateLimited(_) => "rate_limited",
            Self::Undeliverable { .. } => "undeliverable",
            Self::Unavailable { .. } => "sender_unavailable",
            Self::Store(_) => "store_unavailable",
            Self::Internal(_) => "internal",
        }
    }

    /// When to try again, for 429 and 503: the value of `Retry-After`, in whole seconds, at least one.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let wait = match self {
            Self::RateLimited(info) => info.retry_after,
            Self::Unavailable { retry_after, .. } => *retry_after,
            Self::Store(error) => error.retry_after(),
            _ => return None,
        };
        Some(Duration::from_secs(whole_seconds(wait).max(1)))
    }

    pub(super) fn configuration(setting: &'static str, problem: impl Into<String>) -> Self {
        Self::Configuration { setting, problem: problem.into() }
    }
}

impl From<BuildError> for SmsError {
    fn from(error: BuildError) -> Self {
        let setting = match &error {
            BuildError::Brand(_) => "brand",
            BuildError::Region(_) => "default_region",
            BuildError::Service(_) | BuildError::Rate(_) => "rate_limit",
            _ => "settings",
        };
        Self::configuration(setting, error.to_string())
    }
}

impl From<VerifyError> for SmsError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Number(error) => Self::PhoneNumber(error),
            VerifyError::CodeFormat(error) => Self::CodeFormat(error),
            VerifyError::CodeDigits { digits } => Self::CodeDigits { digits },
            VerifyError::Refused { at, refusal: Refusal::RateLimited { standing, window, .. } } => {
                Self::RateLimited(RateLimitInfo::new(&standing, window, at))
            }
            VerifyError::Undeliverable { kind, provider_code, .. } => Self::Undeliverable { kind, provider_code },
            VerifyError::SenderUnavailable { retry_after, provider_code, .. } => {
                Self::Unavailable { retry_after, provider_code }
            }
            // Another send for the number came in between every time; see `SmsService::send_verification_code`.
            VerifyError::Refused { refusal: Refusal::Conflict, .. } => {
                Self::Unavailable { retry_after: RETRY_AFTER, provider_code: None }
            }
            VerifyError::Store(error) => Self::Store(error),
            other => Self::Internal(other.to_string()),
        }
    }
}
