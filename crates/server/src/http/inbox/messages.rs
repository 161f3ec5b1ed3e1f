//! The messages as JSON, for tests of applications.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde::Serialize;
use verifyd_senders::inbox::InboxMessage;

use super::error::InboxError;
use super::{SharedPages, input};
use crate::http::format::rfc3339;

/// A message. The names are part of the API.
#[derive(Serialize)]
pub(super) struct Shown {
    id: String,
    to: String,
    body: String,
    code: String,
    sent_at: String,
    service: String,
    verification: String,
    segments: u16,
    encoding: &'static str,
}

impl From<&InboxMessage> for Shown {
    fn from(message: &InboxMessage) -> Self {
        Self {
            id: message.id.clone(),
            to: message.to.e164().to_owned(),
            body: message.body.expose().to_owned(),
            code: message.code.expose().to_owned(),
            sent_at: rfc3339(message.sent_at).to_string(),
            service: message.service.clone(),
            verification: message.verification.to_string(),
            segments: message.segments.count,
            encoding: message.segments.encoding.as_str(),
        }
    }
}

/// `GET /inbox/messages?to=`: the oldest first.
pub(super) async fn list(State(pages): SharedPages, RawQuery(query): RawQuery) -> Result<Json<Vec<Shown>>, InboxError> {
    let to = input::number_in_query(query.as_deref(), pages.parts.default_region)?;
    let messages = pages.parts.inbox.messages(to.as_ref());
    Ok(Json(messages.iter().map(|message| Shown::from(message.as_ref())).collect()))
}

/// `DELETE /inbox/messages`.
pub(super) async fn clear(State(pages): SharedPages) -> StatusCode {
    pages.parts.inbox.clear();
    StatusCode::NO_CONTENT
}
