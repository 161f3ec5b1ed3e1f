//! Reading what comes in: numbers, strict JSON, form fields.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use serde::de::DeserializeOwned;
use url::form_urlencoded;
use verifyd_core::phone_number::{PhoneNumber, PhoneNumberError, Region};

use super::error::InboxError;

/// A body as the extractor gives it.
pub(super) type Body = Result<Bytes, BytesRejection>;

/// The value of the first field `name` of a query or form.
pub(super) fn field(encoded: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(encoded).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// A number out of a query, where a `+` that was not escaped has become a space, or has been left out.
pub(super) fn number(text: &str, region: Option<Region>) -> Result<PhoneNumber, PhoneNumberError> {
    if text.starts_with(' ') {
        return PhoneNumber::parse(&format!("+{}", text.trim()), None);
    }
    let missing_plus = |error| PhoneNumber::parse(&format!("+{text}"), None).map_err(|_with_plus| error);
    PhoneNumber::parse(text, region).or_else(missing_plus)
}

/// The number in the query field `to`, if there is one.
pub(super) fn number_in_query(query: Option<&str>, region: Option<Region>) -> Result<Option<PhoneNumber>, InboxError> {
    let to = field(query.unwrap_or_default().as_bytes(), "to").filter(|to| !to.is_empty());
    Ok(to.map(|to| number(&to, region)).transpose()?)
}

/// A JSON body; an unknown or repeated field is an error.
pub(super) fn json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, InboxError> {
    let body = bytes(body)?;
    // A foreign page can post this media type only after asking first, and we never allow it.
    if !has_media_type(headers, "application/json") {
        return Err(InboxError::MediaType);
    }
    Ok(serde_json::from_slice(&body)?)
}

/// The fields of a form.
pub(super) fn form(headers: &HeaderMap, body: Body) -> Result<Bytes, InboxError> {
    let body = bytes(body)?;
    if body.is_empty() || has_media_type(headers, "application/x-www-form-urlencoded") {
        return Ok(body);
    }
    Err(InboxError::MediaType)
}

fn bytes(body: Body) -> Result<Bytes, InboxError> {
    body.map_err(|rejection| match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => InboxError::TooLarge,
        _ => InboxError::Unreadable,
    })
}

fn has_media_type(headers: &HeaderMap, wanted: &str) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}
