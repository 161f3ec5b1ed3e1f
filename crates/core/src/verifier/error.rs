//! Why a verb of the verifier did not do what was asked.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::code::CodeError;
use crate::message::ComposeError;
use crate::phone_number::PhoneNumberError;
use crate::sender::SendErrorKind;
use crate::store::{Refusal, StoreError};

/// Why a verb failed. Nothing was spent unless the variant says so.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The number.
    #[error(transparent)]
    Number(#[from] PhoneNumberError),
    /// A field of the request.
    #[error("{field}: {reason}")]
    Field {
        /// Its name in the API.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The code is not one.
    #[error(transparent)]
    CodeFormat(#[from] CodeError),
    /// The guess has another number of digits than the code.
    #[error("the code has {digits} digits")]
    CodeDigits {
        /// How many the code has.
        digits: u8,
    },
    /// The caller brought a code and the service does not allow it.
    #[error("this service does not allow a code of the caller's own")]
    CustomCodeNotAllowed,
    /// The store's rules refused.
    #[error("refused: {refusal:?}")]
    Refused {
        /// The instant the store used.
        at: Timestamp,
        /// Why.
        refusal: Refusal,
    },
    /// The message did not leave and will not for this number; limits are given back unless fraud is suspected.
    #[error("the message cannot be delivered to this number ({})", kind.as_str())]
    Undeliverable {
        /// Why.
        kind: SendErrorKind,
        /// The provider's code.
        provider_code: Option<String>,
        /// Who refused.
        sender: &'static str,
    },
    /// The message did not leave; limits are given back.
    #[error("no sender can send now")]
    SenderUnavailable {
        /// When to try again.
        retry_after: Duration,
        /// The provider's code.
        provider_code: Option<String>,
        /// Who could not, if there was one.
        sender: Option<&'static str>,
    },
    /// The store cannot answer; what was spent stays spent.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something that must not happen: no randomness, unreadable sealed data.
    #[error("internal: {0}")]
    Internal(&'static str),
}

impl From<ComposeError> for VerifyError {
    fn from(error: ComposeError) -> Self {
        match error {
            ComposeError::TooLongForAppHash { .. } => Self::Field { field: "app_hash", reason: error.to_string() },
        }
    }
}
