//! The closed list of error codes: each with its statuses, its title and what it means.
//!
//! Problem documents, the log, the metrics, the `OpenAPI` document and the page at `/docs` all read this one table.

use axum::http::StatusCode;

macro_rules! error_codes {
    ($($variant:ident, $word:literal, [$($status:ident),+], $title:literal, $meaning:literal;)*) => {
        /// What went wrong, for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum ErrorCode {
            $(#[doc = $meaning] $variant,)*
        }

        impl ErrorCode {
            /// Every code, in the order of the statuses.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word in the API.
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// The statuses that it comes with; the first is the usual one.
            pub(crate) const fn statuses(self) -> &'static [StatusCode] {
                match self {
                    $(Self::$variant => &[$(StatusCode::$status),+],)*
                }
            }

            /// A few words for people; the same for every problem of this code.
            pub(crate) const fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)*
                }
            }

            /// When it is given.
            pub(crate) const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }
        }
    };
}

error_codes! {
    InvalidRequest, "invalid_request", [BAD_REQUEST, REQUEST_TIMEOUT], "The request is not valid",
        "The body, a field or the query is not as described (400), or the body did not arrive in time (408). `field` names the field.";
    Unauthorized, "unauthorized", [UNAUTHORIZED], "An API key is needed", "No key, or an unknown one.";
    Forbidden, "forbidden", [FORBIDDEN], "Not allowed", "The key lacks the scope, or a code of your own is not allowed.";
    NotFound, "not_found", [NOT_FOUND], "Not found", "No such path, verification or service, or not yours.";
    MethodNotAllowed, "method_not_allowed", [METHOD_NOT_ALLOWED], "Not with this method", "The path exists; `Allow` names its methods.";
    AlreadyApproved, "already_approved", [CONFLICT], "Already approved", "The verification has ended so.";
    Canceled, "canceled", [CONFLICT], "Canceled", "The verification has ended so.";
    IdempotencyConflict, "idempotency_conflict", [CONFLICT], "Another request stands",
        "A verification with another code or purpose is pending, or the Idempotency-Key was used for another request.";
    Expired, "expired", [GONE], "Expired", "Its life is over, or no message of it was ever sent: start a new one.";
    PayloadTooLarge, "payload_too_large", [PAYLOAD_TOO_LARGE], "The body is too large", "The body has more than 16 KiB.";
    UnsupportedMediaType, "unsupported_media_type", [UNSUPPORTED_MEDIA_TYPE], "Not this media type",
        "A body that is not `application/json`.";
    MisdirectedRequest, "misdirected_request", [MISDIRECTED_REQUEST], "Not this host",
        "The inbox of mock mode was asked for under a foreign host name.";
    InvalidPhoneNumber, "invalid_phone_number", [UNPROCESSABLE_ENTITY], "Not a phone number", "`reason` says why.";
    NumberTypeNotAllowed, "number_type_not_allowed", [UNPROCESSABLE_ENTITY], "Numbers of this type are not served",
        "The service does not send to numbers of this type or range.";
    CountryNotAllowed, "country_not_allowed", [UNPROCESSABLE_ENTITY], "This country is not served",
        "The service does not send to this country.";
    InvalidCodeFormat, "invalid_code_format", [UNPROCESSABLE_ENTITY], "Not a code", "It cannot be a code; nothing was counted.";
    Undeliverable, "undeliverable", [UNPROCESSABLE_ENTITY], "Not deliverable",
        "The provider refuses the number: `reason`, `provider_code`, `sender`.";
    RateLimited, "rate_limited", [TOO_MANY_REQUESTS], "Too many requests",
        "A limit is reached and nothing was spent: `name`, `limit`, `remaining`, `reset_at`, `retry_at`, `window_seconds`.";
    MaxSendsReached, "max_sends_reached", [TOO_MANY_REQUESTS], "No message left",
        "The verification has no message left; a start at `retry_at` works.";
    MaxChecksReached, "max_checks_reached", [TOO_MANY_REQUESTS], "No guess left",
        "No guess is left until `retry_at`, or, with `unlock_required`, until an operator lifts the lock.";
    Internal, "internal", [INTERNAL_SERVER_ERROR], "Internal error", "A defect; the log has it under the request id.";
    SenderUnavailable, "sender_unavailable", [SERVICE_UNAVAILABLE], "No message can be sent now",
        "The message did not leave, and what it cost of the limits was given back.";
    StoreUnavailable, "store_unavailable", [SERVICE_UNAVAILABLE], "The store cannot answer now", "Nothing is guessed; try again.";
}

impl ErrorCode {
    /// The usual status.
    pub(crate) fn status(self) -> StatusCode {
        self.statuses().first().copied().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_in_the_prose() {
        let prose = include_str!("../../../../docs/api.md");
        for code in ErrorCode::ALL {
            assert!(prose.contains(&format!("`{}`", code.as_str())), "docs/api.md lacks {}", code.as_str());
        }
    }
}
