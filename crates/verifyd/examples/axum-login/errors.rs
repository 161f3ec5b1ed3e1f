//! What a handler may fail with, and the one place where it becomes HTTP.

use std::time::Duration;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use verifyd::VerifyError;
use verifyd::store::Refusal;

/// Why a request was refused.
#[derive(Debug)]
pub(crate) enum AppError {
    /// No such user.
    NoSuchUser,
    /// The number is verified already.
    NothingPending,
    /// The code is wrong, and so many guesses are left.
    WrongCode { checks_remaining: u32 },
    /// The library refused.
    Verify(VerifyError),
}

impl From<VerifyError> for AppError {
    fn from(error: VerifyError) -> Self {
        Self::Verify(error)
    }
}

/// Status, word, what to tell a person, and when to come back.
type Answer = (StatusCode, &'static str, String, Option<Duration>);

fn answer_of(error: &VerifyError) -> Answer {
    let plain = |status, code, text: &str| (status, code, text.to_owned(), None);
    match error {
        VerifyError::Number(error) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid_phone_number", error.to_string(), None)
        }
        VerifyError::CodeFormat(_) | VerifyError::CodeDigits { .. } => {
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid_code_format", error.to_string(), None)
        }
        VerifyError::Refused { at, refusal } => match refusal {
            Refusal::RateLimited { standing, .. } => {
                let wait = standing.retry_at.since(*at);
                (StatusCode::TOO_MANY_REQUESTS, "rate_limited", "too many messages".to_owned(), Some(wait))
            }
            Refusal::MaxSends { retry_at } => {
                let text = "no message is left; sign up again later".to_owned();
                (StatusCode::TOO_MANY_REQUESTS, "max_sends_reached", text, Some(retry_at.since(*at)))
            }
            Refusal::MaxChecks { retry_at } => {
                let wait = retry_at.map(|retry_at| retry_at.since(*at));
                (StatusCode::TOO_MANY_REQUESTS, "max_checks_reached", "no guess is left".to_owned(), wait)
            }
            Refusal::AlreadyApproved => plain(StatusCode::CONFLICT, "already_approved", "the number is verified"),
            _ => plain(StatusCode::GONE, "expired", "this code is over; ask for a new one"),
        },
        VerifyError::Undeliverable { .. } => {
            plain(StatusCode::UNPROCESSABLE_ENTITY, "undeliverable", "this number cannot get our message")
        }
        VerifyError::SenderUnavailable { retry_after, .. } => {
            let text = "no message can be sent now".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, "sender_unavailable", text, Some(*retry_after))
        }
        VerifyError::Store(error) => {
            let text = "try again soon".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", text, Some(error.retry_after()))
        }
        // What is left is a mistake of this program, not of the person.
        _ => plain(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong"),
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let mut left = None;
        let (status, code, message, wait) = match &self {
            Self::NoSuchUser => (StatusCode::NOT_FOUND, "not_found", "no such user".to_owned(), None),
            Self::NothingPending => {
                (StatusCode::CONFLICT, "already_approved", "the number is verified".to_owned(), None)
            }
            Self::WrongCode { checks_remaining } => {
                left = Some(*checks_remaining);
                (StatusCode::BAD_REQUEST, "invalid_code", "the code is wrong".to_owned(), None)
            }
            Self::Verify(error) => answer_of(error),
        };
        // Rounded up, so that whoever waits as told does not come too early.
        let seconds = wait.map(|wait| wait.as_millis().div_ceil(1000).max(1));
        let error = json!({"code": code, "message": message, "retry_after": seconds.map(|s| s.to_string()), "checks_remaining": left});
        let mut response = (status, Json(json!({ "error": error }))).into_response();
        if let Some(value) = seconds.and_then(|seconds| seconds.to_string().parse().ok()) {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }
}
