//! What a start would do; nothing is spent.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use verifyd_core::registry::Scope;
use verifyd_core::verifier::Preview;

use super::body::{Json, StartBody};
use super::idempotency::Requested;
use super::reply::LimitReply;
use super::verifications::{reply, start_request};
use crate::http::app::{Authorized, Shared};
use crate::http::problem::Problem;

#[derive(Serialize)]
struct PreviewReply {
    to: String,
    region: String,
    number_type: &'static str,
    /// Whether a start now would be admitted by the limits and find a sender.
    allowed: bool,
    /// Whether a start would be a resend of a pending verification.
    resend: bool,
    text: String,
    locale: &'static str,
    encoding: &'static str,
    segments: u16,
    route: Option<RouteReply>,
    limits: Vec<LimitReply>,
}

#[derive(Serialize)]
struct RouteReply {
    sender: &'static str,
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

/// `POST /v1/preview`
pub(super) async fn preview(
    State(app): Shared,
    caller: Authorized,
    requested: Requested,
    Json(body): Json<StartBody>,
) -> Result<Response, Problem> {
    let caller = caller.with(Scope::Verify)?;
    let service = app.service(&caller, body.service.as_deref())?;
    let preview = app.verifier.preview(&service, start_request(body)?).await?;
    let to = preview.number;
    Ok(requested.about(service.id(), to, reply(StatusCode::OK, &caller, PreviewReply::from(preview))))
}
