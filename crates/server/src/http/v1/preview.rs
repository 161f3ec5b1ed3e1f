//! What a start would do; nothing is spent.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use verifyd_core::verifier::Preview;

use super::body::{Json, StartBody};
use super::idempotency::Requested;
use super::params::IdempotencyKey;
use super::problems::PreviewProblems;
use super::reply::LimitReply;
use super::verifications::{reply, start_request};
use crate::http::access::{Allowed, Verifying};
use crate::http::app::Shared;
use crate::http::openapi::schema;
use crate::http::problem::Problem;

/// What a start would do.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "to": "+14155552671", "region": "US", "number_type": "fixed_line_or_mobile", "allowed": true, "resend": false,
    "text": "Your Example code is 000000. Don't share it.", "locale": "en", "encoding": "GSM-7", "segments": 1,
    "route": { "sender": "twilio", "reason": "first_sender" }, "limits": []
})))]
struct PreviewReply {
    #[schema(schema_with = schema::e164)]
    to: String,
    #[schema(schema_with = schema::region_of_number)]
    region: String,
    #[schema(schema_with = schema::number_type)]
    number_type: &'static str,
    /// Whether a start now would be admitted by the limits and find a sender.
    allowed: bool,
    /// Whether a start would be a resend of a pending verification.
    resend: bool,
    /// The message, with a made-up code.
    text: String,
    /// The language of the message.
    locale: &'static str,
    #[schema(schema_with = schema::encoding)]
    encoding: &'static str,
    /// How many messages the provider would count.
    segments: u16,
    /// Who would send it; null if nobody can.
    #[schema(required)]
    route: Option<RouteReply>,
    /// Every limit that applies.
    limits: Vec<LimitReply>,
}

/// Who would send.
#[derive(Serialize, ToSchema)]
struct RouteReply {
    /// The sender.
    sender: &'static str,
    #[schema(schema_with = schema::route_reason)]
    reason: &'static str,
}

impl From<Preview> for PreviewReply {
    fn from(preview: Preview) -> Self {
        let info = &preview.info;
        let limits: Vec<_> = info.limits.iter().map(|limit| LimitReply::new(limit, info.at)).collect();
        Self {
            to: preview.number.e164().to_owned(),
            region: preview.number.region().as_str().to_owned(),
            number_type: preview.number.number_type().as_str(),
            allowed: preview.route.is_some() && info.send_allowed(),
            resend: info.pending.is_some(),
            text: preview.message.text.expose().to_owned(),
            locale: preview.message.locale,
            encoding: preview.message.segments.encoding.as_str(),
            segments: preview.message.segments.count,
            route: preview.route.map(|route| RouteReply { sender: route.sender.name(), reason: route.reason.as_str() }),
            limits,
        }
    }
}

/// Preview a start
///
/// What a start with this body would do. Nothing is sent and nothing is spent.
#[utoipa::path(
    post, path = "/v1/preview", operation_id = "previewVerification", tag = "Limits", security(("api_key" = ["verify"])),
    params(IdempotencyKey), request_body = StartBody,
    responses((status = 200, description = "What a start would do.", body = PreviewReply), PreviewProblems),
)]
pub(super) async fn preview(
    State(app): Shared,
    caller: Allowed<Verifying>,
    requested: Requested,
    Json(body): Json<StartBody>,
) -> Result<Response, Problem> {
    let service = app.service(&caller, body.service.as_deref())?;
    let preview = app.verifier.preview(&service, start_request(body)?).await?;
    let to = preview.number;
    Ok(requested.about(service.id(), to, reply(StatusCode::OK, PreviewReply::from(preview))))
}
