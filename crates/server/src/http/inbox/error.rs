//! Why a request to the inbox is refused: a sentence for the page, a problem document for programs.

use axum::response::{IntoResponse, Response};
use verifyd_core::phone_number::PhoneNumberError;

use super::MAX_BODY_BYTES;
use crate::http::error_code::ErrorCode;
use crate::http::problem::Problem;

/// Why. No text holds what was sent in but for the words of the JSON parser, which go back to the sender alone.
#[derive(Debug, thiserror::Error)]
pub(super) enum InboxError {
    /// Not a number.
    #[error("to: {0}")]
    Number(#[from] PhoneNumberError),
    /// A field out of its bounds.
    #[error("{field}: {reason}")]
    Field {
        /// Its name.
        field: &'static str,
        /// What it should be.
        reason: String,
    },
    /// No room for another script.
    #[error(transparent)]
    TooManyScripts(#[from] verifyd_senders::inbox::TooManyScripts),
    /// Not the JSON that is wanted.
    #[error("the body: {0}")]
    Json(#[from] serde_json::Error),
    /// A body that broke off.
    #[error("the body could not be read")]
    Unreadable,
    /// Another content type.
    #[error("the body has not the content type it must have")]
    MediaType,
    /// Over the bound.
    #[error("a body has at most {MAX_BODY_BYTES} bytes")]
    TooLarge,
    /// The offset of the clock was not written.
    #[error("the clock was not moved, because its offset could not be kept; the log of the server has the reason")]
    NotKept,
}

impl InboxError {
    /// A field out of its bounds.
    pub(super) fn field(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Field { field, reason: reason.into() }
    }
}

impl From<InboxError> for Problem {
    fn from(error: InboxError) -> Self {
        let detail = error.to_string();
        match error {
            InboxError::Number(error) => error.into(),
            InboxError::Field { field, reason } => Self::invalid_field(field, reason),
            InboxError::TooManyScripts(_) | InboxError::Json(_) | InboxError::Unreadable => {
                Self::invalid_request(detail)
            }
            InboxError::MediaType => Self::unsupported_media_type(),
            InboxError::TooLarge => Self::new(ErrorCode::PayloadTooLarge, detail),
            InboxError::NotKept => Self::new(ErrorCode::Internal, detail),
        }
    }
}

impl IntoResponse for InboxError {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
