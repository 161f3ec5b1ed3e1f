//! Start, read, resend, check, cancel.

use std::net::IpAddr;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use verifyd_core::code::VerificationCode;
use verifyd_core::id::VerificationId;
use verifyd_core::message::{AppHash, Locale};
use verifyd_core::sender::Channel;
use verifyd_core::verifier::{CheckTarget, Checked, ResendRequest, StartRequest, Started};

use super::body::{CheckBody, CheckByNumberBody, EmptyBody, Json, ResendBody, StartBody};
use super::path::Segment;
use super::reply::{CheckReply, VerificationReply};
use crate::http::access::{Allowed, Verifying};
use crate::http::app::{App, Shared};
use crate::http::problem::Problem;

/// Room for nearly every reply.
const REPLY_BYTES: usize = 1024;

/// A JSON reply that no cache keeps.
pub(super) fn reply(status: StatusCode, body: impl Serialize) -> Response {
    let mut json = Vec::with_capacity(REPLY_BYTES);
    if let Err(error) = serde_json::to_writer(&mut json, &body) {
        return Problem::unwritable(&error).into_response();
    }
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &'static str,
    text: Option<&str>,
) -> Result<Option<T>, Problem> {
    text.map(str::parse).transpose().map_err(|error: T::Err| Problem::invalid_field(field, error))
}

pub(super) fn client_ip(text: Option<&str>) -> Result<Option<IpAddr>, Problem> {
    text.map(str::parse).transpose().map_err(|_source| Problem::invalid_field("client_ip", "not an IP address"))
}

/// The request of a start, from its body.
pub(super) fn start_request(body: StartBody) -> Result<StartRequest, Problem> {
    let code = body.code.as_ref().map(|code| VerificationCode::parse(code.expose())).transpose();
    Ok(StartRequest {
        to: body.to,
        region: body.region,
        channel: parsed::<Channel>("channel", body.channel.as_deref())?.unwrap_or_default(),
        locale: parsed::<Locale>("locale", body.locale.as_deref())?,
        client_ip: client_ip(body.client_ip.as_deref())?,
        code: code.map_err(verifyd_core::verifier::VerifyError::from)?,
        app_hash: parsed::<AppHash>("app_hash", body.app_hash.as_deref())?,
        purpose: body.purpose,
        nonce: body.nonce,
        metadata: body.metadata,
    })
}

fn started(app: &App, started: Started) -> Response {
    app.metrics.started(started.created);
    let status = if started.created { StatusCode::CREATED } else { StatusCode::OK };
    reply(status, VerificationReply::from(started.verification))
}

fn checked(app: &App, checked: Checked) -> Response {
    app.metrics.checked(checked.valid);
    reply(StatusCode::OK, CheckReply::from(checked))
}

pub(super) fn verification_id(text: &str) -> Result<VerificationId, Problem> {
    text.parse().map_err(|_source| Problem::not_found("no such verification"))
}

/// `POST /v1/verifications`
pub(super) async fn start(
    State(app): Shared,
    caller: Allowed<Verifying>,
    Json(body): Json<StartBody>,
) -> Result<Response, Problem> {
    let service = app.service(&caller, body.service.as_deref())?;
    let outcome = app.verifier.start(service, start_request(body)?).await?;
    Ok(started(&app, outcome))
}

/// `GET /v1/verifications/{id}`
pub(super) async fn load(
    State(app): Shared,
    caller: Allowed<Verifying>,
    Segment(id): Segment,
) -> Result<Response, Problem> {
    let id = verification_id(&id)?;
    let service = app.service_of(&caller, id).await?;
    let verification = app.verifier.load(&service, id).await?;
    Ok(reply(StatusCode::OK, VerificationReply::from(verification)))
}

/// `POST /v1/verifications/{id}/resend`
pub(super) async fn resend(
    State(app): Shared,
    caller: Allowed<Verifying>,
    Segment(id): Segment,
    Json(body): Json<ResendBody>,
) -> Result<Response, Problem> {
    let id = verification_id(&id)?;
    let request = ResendRequest {
        channel: parsed::<Channel>("channel", body.channel.as_deref())?.unwrap_or_default(),
        locale: parsed::<Locale>("locale", body.locale.as_deref())?,
        client_ip: client_ip(body.client_ip.as_deref())?,
    };
    let service = app.service_of(&caller, id).await?;
    let outcome = app.verifier.resend(service, id, request).await?;
    Ok(started(&app, outcome))
}

/// `POST /v1/verifications/{id}/check`
pub(super) async fn check(
    State(app): Shared,
    caller: Allowed<Verifying>,
    Segment(id): Segment,
    Json(body): Json<CheckBody>,
) -> Result<Response, Problem> {
    let id = verification_id(&id)?;
    let service = app.service_of(&caller, id).await?;
    let outcome = app.verifier.check(&service, CheckTarget::Id(id), body.code.expose()).await?;
    Ok(checked(&app, outcome))
}

/// `POST /v1/verifications/check`
pub(super) async fn check_by_number(
    State(app): Shared,
    caller: Allowed<Verifying>,
    Json(body): Json<CheckByNumberBody>,
) -> Result<Response, Problem> {
    let service = app.service(&caller, body.service.as_deref())?;
    let target = CheckTarget::Number { to: body.to, region: body.region };
    let outcome = app.verifier.check(&service, target, body.code.expose()).await?;
    Ok(checked(&app, outcome))
}

/// `POST /v1/verifications/{id}/cancel`
pub(super) async fn cancel(
    State(app): Shared,
    caller: Allowed<Verifying>,
    Segment(id): Segment,
    Json(EmptyBody {}): Json<EmptyBody>,
) -> Result<Response, Problem> {
    let id = verification_id(&id)?;
    let service = app.service_of(&caller, id).await?;
    let verification = app.verifier.cancel(&service, id).await?;
    Ok(reply(StatusCode::OK, VerificationReply::from(verification)))
}
