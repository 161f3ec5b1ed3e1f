//! Problem documents (RFC 9457), and the one place where errors become HTTP.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use std::time::Duration;
use verifyd_core::clock::Timestamp;
use verifyd_core::phone_number::PhoneNumberError;
use verifyd_core::sender::SendErrorKind;
use verifyd_core::store::{Refusal, StoreError};
use verifyd_core::verifier::VerifyError;

use super::error_code::ErrorCode;
use super::format::rfc3339;

/// A problem document on its way out.
#[derive(Debug)]
pub(crate) struct Problem {
    code: ErrorCode,
    status: StatusCode,
    detail: String,
    retry_after: Option<Duration>,
    extra: Map<String, Value>,
}

impl Problem {
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, status: code.status(), detail: detail.into(), retry_after: None, extra: Map::new() }
    }

    pub(crate) fn invalid_request(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, detail)
    }

    pub(crate) fn invalid_field(field: &str, reason: impl std::fmt::Display) -> Self {
        Self::invalid_request(format!("{field}: {reason}")).with("field", json!(field))
    }

    pub(crate) fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unauthorized, detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::Forbidden, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFound, detail)
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(ErrorCode::MethodNotAllowed, "see the Allow header")
    }

    pub(crate) fn unsupported_media_type() -> Self {
        Self::new(ErrorCode::UnsupportedMediaType, "a body must have the content type application/json")
    }

    fn sender_unavailable(retry_after: Duration) -> Self {
        let detail = "the message did not leave, and its charge is given back; try again later";
        Self::new(ErrorCode::SenderUnavailable, detail).after(retry_after)
    }

    pub(crate) fn store_unavailable(retry_after: Duration) -> Self {
        let detail = "the request was not carried out, or its charge stands; try again";
        Self::new(ErrorCode::StoreUnavailable, detail).after(retry_after)
    }

    /// For whoever asks whether to send requests here: not any more.
    pub(crate) fn draining() -> Self {
        Self::new(ErrorCode::StoreUnavailable, "the server is stopping; ask another one")
            .with("reason", json!("draining"))
            .after(Duration::from_secs(1))
    }

    pub(crate) fn idempotency_conflict(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::IdempotencyConflict, detail)
    }

    fn internal() -> Self {
        let detail = "something that must not happen did; the log of the server has it under the request id";
        Self::new(ErrorCode::Internal, detail)
    }

    /// Another of the code's statuses than the usual one.
    #[must_use]
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        debug_assert!(self.code.statuses().contains(&status), "{:?} has no status {status}", self.code);
        self.status = status;
        self
    }

    /// A reply that cannot be written as JSON.
    pub(crate) fn unwritable(error: &serde_json::Error) -> Self {
        tracing::error!(%error, "a reply cannot be written");
        Self::internal()
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.extra.insert(name.to_owned(), value);
        self
    }

    /// Sets `Retry-After` and `retry_after_seconds`: whole seconds, rounded up, at least one.
    #[must_use]
    pub(crate) fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

fn whole_seconds_up(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut document = Map::new();
        document.insert("type".to_owned(), json!(format!("urn:verifyd:error:{}", self.code.as_str())));
        document.insert("title".to_owned(), json!(self.code.title()));
        document.insert("status".to_owned(), json!(self.status.as_u16()));
        document.insert("code".to_owned(), json!(self.code.as_str()));
        document.insert("detail".to_owned(), json!(self.detail));
        document.extend(self.extra);
        let seconds = self.retry_after.map(whole_seconds_up);
        if let Some(seconds) = seconds {
            document.insert("retry_after_seconds".to_owned(), json!(seconds));
        }
        let mut response = Response::new(Body::from(Value::Object(document).to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"verifyd\""));
        }
        response.extensions_mut().insert(self.code);
        response
    }
}

impl From<PhoneNumberError> for Problem {
    fn from(error: PhoneNumberError) -> Self {
        let code = match error {
            PhoneNumberError::TypeNotAllowed(_) | PhoneNumberError::PrefixNotAllowed => ErrorCode::NumberTypeNotAllowed,
            PhoneNumberError::CountryNotAllowed(_) => ErrorCode::CountryNotAllowed,
            _ => ErrorCode::InvalidPhoneNumber,
        };
        Self::new(code, error.to_string()).with("reason", json!(error.code()))
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(code = error.code(), %error, "the store failed");
        Self::store_unavailable(error.retry_after()).with("reason", json!(error.code()))
    }
}

fn too_many(code: ErrorCode, detail: &str, wait: Duration) -> Problem {
    Problem::new(code, detail).after(wait)
}

fn refused(at: Timestamp, refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::NotFound => Problem::not_found("no such verification"),
        Refusal::AlreadyApproved => Problem::new(ErrorCode::AlreadyApproved, "this verification is approved"),
        Refusal::Canceled => Problem::new(ErrorCode::Canceled, "this verification was canceled"),
        Refusal::Expired => Problem::new(ErrorCode::Expired, "this verification is over; start a new one"),
        Refusal::Failed => {
            Problem::new(ErrorCode::Expired, "no message of this verification was sent; start a new one")
        }
        Refusal::Conflict => {
            let detail = "a verification with another code or purpose is pending for this number; cancel it first";
            Problem::idempotency_conflict(detail)
        }
        Refusal::WrongLength { digits } => wrong_length(*digits),
        Refusal::MaxChecks { retry_at: Some(retry_at) } => {
            let detail = "no guess is left for this number now";
            too_many(ErrorCode::MaxChecksReached, detail, retry_at.since(at))
                .with("retry_at", json!(rfc3339(*retry_at)))
        }
        Refusal::MaxChecks { retry_at: None } => {
            let detail = "too many wrong guesses in a row for this number; an operator must unlock it";
            too_many(ErrorCode::MaxChecksReached, detail, Duration::from_secs(24 * 3600))
                .with("unlock_required", json!(true))
        }
        Refusal::MaxSends { retry_at } => {
            let detail = "this verification has no message left; a new one can start when it expires";
            too_many(ErrorCode::MaxSendsReached, detail, retry_at.since(at)).with("retry_at", json!(rfc3339(*retry_at)))
        }
        Refusal::RateLimited { name, standing, window } => {
            too_many(ErrorCode::RateLimited, "a limit is reached; nothing was spent", standing.retry_at.since(at))
                .with("name", json!(name.as_str()))
                .with("limit", json!(standing.limit))
                .with("remaining", json!(standing.remaining))
                .with("window_seconds", json!(window.as_secs()))
                .with("reset_at", json!(rfc3339(standing.reset_at)))
                .with("retry_at", json!(rfc3339(standing.retry_at)))
        }
    }
}

fn invalid_code(detail: impl Into<String>) -> Problem {
    Problem::new(ErrorCode::InvalidCodeFormat, detail)
}

fn wrong_length(digits: u8) -> Problem {
    invalid_code(format!("the code has {digits} digits; this guess was not counted"))
}

impl From<VerifyError> for Problem {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Number(error) => error.into(),
            VerifyError::Field { field, reason } => Self::invalid_field(field, reason),
            VerifyError::CodeFormat(error) => invalid_code(error.to_string()),
            VerifyError::CodeDigits { digits } => wrong_length(digits),
            VerifyError::CustomCodeNotAllowed => {
                Self::forbidden("this service does not allow a code of the caller's own").with("field", json!("code"))
            }
            VerifyError::Refused { at, refusal } => refused(at, &refusal),
            VerifyError::Undeliverable { kind, provider_code, sender } => {
                let detail = match kind {
                    SendErrorKind::Unsupported => "this number cannot receive text messages",
                    SendErrorKind::SuspectedFraud => "the provider blocked this number as suspected fraud",
                    _ => "the provider refused this number",
                };
                Self::new(ErrorCode::Undeliverable, detail)
                    .with("reason", json!(kind.as_str()))
                    .with("provider_code", json!(provider_code))
                    .with("sender", json!(sender))
            }
            VerifyError::SenderUnavailable { retry_after, provider_code, sender } => {
                Self::sender_unavailable(retry_after)
                    .with("provider_code", json!(provider_code))
                    .with("sender", json!(sender))
            }
            VerifyError::Store(error) => error.into(),
            VerifyError::Internal(reason) => {
                tracing::error!(reason, "internal error");
                Self::internal()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_rounded_up_and_never_zero() {
        let ms = Duration::from_millis;
        assert_eq!([0, 1, 999, 1_000, 1_001].map(|wait| whole_seconds_up(ms(wait))), [1, 1, 1, 1, 2]);
    }
}
