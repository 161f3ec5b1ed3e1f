//! Start, read, resend, check, cancel.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use verifyd_core::code::VerificationCode;
use verifyd_core::id::VerificationId;
use verifyd_core::message::{AppHash, Locale};
use verifyd_core::registry::Scope;
use verifyd_core::sender::Channel;
use verifyd_core::verifier::{CheckTarget, Checked, ResendRequest, StartRequest, Started};

use super::body::{CheckBody, CheckByNumberBody, EmptyBody, Json, ResendBody, StartBody};
use super::idempotency::Requested;
use super::path::Segment;
use super::reply::{CheckReply, VerificationReply};
use crate::api_keys::Caller;
use crate::http::app::{App, Authorized, Shared};
use crate::http::problem::Problem;
use crate::http::request_log::CalledBy;

/// Room for nearly every reply.
const REPLY_BYTES: usize = 1024;

/// A JSON reply that no cache keeps, with the caller for the log line.
pub(super) fn reply(status: StatusCode, caller: &Caller, body: impl Serialize) -> Response {
    let mut json = Vec::with_capacity(REPLY_BYTES);
    if let Err(error) = serde_json::to_writer(&mut json, &body) {
        return Problem::unwritable(&error).into_response();
    }
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(CalledBy(Arc::clone(&caller.key)));
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
        request: None,
    })
}

fn started(app: &App, caller: &Caller, requested: Requested, started: Started) -> Response {
    app.metrics.started(started.created);
    let status = if started.created { StatusCode::CREATED } else { StatusCode::OK };
    let (service, to) = (started.verification.service, started.verification.to);
    requested.about(service, to, reply(status, caller, VerificationReply::from(started.verification)))
}

fn checked(app: &App, caller: &Caller, requested: Requested, checked: Checked) -> Response {
    app.metrics.checked(checked.valid);
    let (service, to) = (checked.verification.service, checked.verification.to);
    requested.about(service, to, reply(StatusCode::OK, caller, CheckReply::from(checked)))
}

pub(super) fn verification_id(text: &str) -> Result<VerificationId, Problem> {
    text.parse().map_err(|_source| Problem::not_found("no such verification"))
}

/// `POST /v1/verifications`
pub(super) async fn start(
    State(app): Shared,
    caller: Authorized,
    requested: Requested,
    Json(body): Json<StartBody>,
) -> Result<Response, Problem> {
    let caller = caller.with(Scope::Verify)?;
    let service = app.service(&caller, body.service.as_deref())?;
    let request = StartRequest { request: requested.digest(), ..start_request(body)? };
    let outcome = app.verifier.start(service, request).await?;
    Ok(started(&app, &caller, requested, outcome))
}

/// `GET /v1/verifications/{id}`
pub(super) async fn load(State(app): Shared, caller: Authorized, Segment(id): Segment) -> Result<Response, Problem> {
    let caller = caller.with(Scope::Verify)?;
    let id = verification_id(&id)?;
    let service = app.service_of(&caller, id).await?;
    let verification = app.verifier.load(&service, id).await?;
    Ok(reply(StatusCode::OK, &caller, VerificationReply::from(verification)))
}

/// `POST /v1/verifications/{id}/resend`
pub(super) async fn resend(
    State(app): Shared,
    caller: Authorized,
    requested: Requested,
    Segment(id): Segment,
    Json(body): Json<ResendBody>,
) -> Result<Response, Problem> {
    let caller = caller.with(Scope::Verify)?;
    let id = verification_id(&id)?;
    let request = ResendRequest {
        channel: parsed::<Channel>("channel", body.channel.as_deref())?.unwrap_or_default(),
        locale: parsed::<Locale>("locale", body.locale.as_deref())?,
        client_ip: client_ip(body.client_ip.as_deref())?,
        request: requested.digest(),
    };
    let service = app.service_of(&caller, id).await?;
    let outcome = app.verifier.resend(service, id, request).await?;
    Ok(started(&app, &caller, requested, outcome))
}

/// `POST /v1/verifications/{id}/check`
pub(super) async fn check(
    State(app): Shared,
    caller: Authorized,
    requested: Requested,
    Segment(id): Segment,
    Json(body): Json<CheckBody>,
) -> Result<Response, Problem> {
    let caller = caller.with(Scope::Verify)?;
    let id = verification_id(&id)?;
    let service = app.service_of(&caller, id).await?;
    let outcome =
        app.verifier.check_once(&service, CheckTarget::Id(id), body.code.expose(), requested.digest()).await?;
    Ok(checked(&app, &caller, requested, outcome))
}

/// `POST /v1/verifications/check`
pub(super) async fn check_by_number(
    State(app): Shared,
    caller: Authorized,
    requested: Requested,
    Json(body): Json<CheckByNumberBody>,
) -> Result<Response, Problem> {
    let caller = caller.with(Scope::Verify)?;
    let service = app.service(&caller, body.service.as_deref())?;
    let target = CheckTarget::Number { to: body.to, region: body.region };
    let outcome = app.verifier.check_once(&service, target, body.code.expose(), requested.digest()).await?;
    Ok(checked(&app, &caller, requested, outcome))
}

/// `POST /v1/verifications/{id}/cancel`
pub(super) async fn cancel(
    State(app): Shared,
    caller: Authorized,
    requested: Requested,
    Segment(id): Segment,
    Json(EmptyBody {}): Json<EmptyBody>,
) -> Result<Response, Problem> {
    let caller = caller.with(Scope::Verify)?;
    let id = verification_id(&id)?;
    let service = app.service_of(&caller, id).await?;
    let verification = app.verifier.cancel(&service, id).await?;
    let to = verification.to;
    Ok(requested.about(service.id(), to, reply(StatusCode::OK, &caller, VerificationReply::from(verification))))
}
