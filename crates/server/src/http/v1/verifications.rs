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
use super::idempotency::Requested;
use super::params::{IdInPath, IdempotencyKey};
use super::path::Segment;
use super::problems::{
    CancelProblems, CheckByNumberProblems, CheckProblems, LoadProblems, ResendProblems, StartProblems,
};
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
        request: None,
    })
}

fn started(app: &App, requested: Requested, started: Started) -> Response {
    app.metrics.started(started.created);
    let status = if started.created { StatusCode::CREATED } else { StatusCode::OK };
    let (service, to) = (started.verification.service, started.verification.to);
    requested.about(service, to, reply(status, VerificationReply::from(started.verification)))
}

fn checked(app: &App, requested: Requested, checked: Checked) -> Response {
    app.metrics.checked(checked.valid);
    let (service, to) = (checked.verification.service, checked.verification.to);
    requested.about(service, to, reply(StatusCode::OK, CheckReply::from(checked)))
}

pub(super) fn verification_id(text: &str) -> Result<VerificationId, Problem> {
    text.parse().map_err(|_source| Problem::not_found("no such verification"))
}

/// Start a verification
///
/// Sends a code. If a verification is pending for the number, its code is sent again.
#[utoipa::path(
    post, path = "/v1/verifications", operation_id = "startVerification", tag = "Verifications", security(("api_key" = ["verify"])),
    params(IdempotencyKey),
    request_body = StartBody,
    responses(
        (status = 201, description = "A verification was started.", body = VerificationReply,
            links(
                ("read" = (operation_id = "readVerification", parameters(("id" = "$response.body#/id")))),
                ("resend" = (operation_id = "resendVerification", parameters(("id" = "$response.body#/id")))),
                ("check" = (operation_id = "checkVerification", parameters(("id" = "$response.body#/id")))),
                ("cancel" = (operation_id = "cancelVerification", parameters(("id" = "$response.body#/id")))),
            )),
        (status = 200, description = "One was pending, and its code was sent again.", body = VerificationReply,
            links(
                ("read" = (operation_id = "readVerification", parameters(("id" = "$response.body#/id")))),
                ("resend" = (operation_id = "resendVerification", parameters(("id" = "$response.body#/id")))),
                ("check" = (operation_id = "checkVerification", parameters(("id" = "$response.body#/id")))),
                ("cancel" = (operation_id = "cancelVerification", parameters(("id" = "$response.body#/id")))),
            )),
        StartProblems,
    ),
)]
pub(super) async fn start(
    State(app): Shared,
    caller: Allowed<Verifying>,
    requested: Requested,
    Json(body): Json<StartBody>,
) -> Result<Response, Problem> {
    let service = app.service(&caller, body.service.as_deref())?;
    let request = StartRequest { request: requested.digest(), ..start_request(body)? };
    let outcome = app.verifier.start(service, request).await?;
    Ok(started(&app, requested, outcome))
}

/// Read a verification
#[utoipa::path(
    get, path = "/v1/verifications/{id}", operation_id = "readVerification", tag = "Verifications", security(("api_key" = ["verify"])),
    params(IdInPath),
    responses(
        (status = 200, description = "The verification as it stands.", body = VerificationReply),
        LoadProblems,
    ),
)]
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

/// Send the code again
///
/// The same code: a late message still works.
#[utoipa::path(
    post, path = "/v1/verifications/{id}/resend", operation_id = "resendVerification", tag = "Verifications", security(("api_key" = ["verify"])),
    params(IdInPath, IdempotencyKey),
    request_body = ResendBody,
    responses(
        (status = 200, description = "It was sent again.", body = VerificationReply),
        ResendProblems,
    ),
)]
pub(super) async fn resend(
    State(app): Shared,
    caller: Allowed<Verifying>,
    requested: Requested,
    Segment(id): Segment,
    Json(body): Json<ResendBody>,
) -> Result<Response, Problem> {
    let id = verification_id(&id)?;
    let request = ResendRequest {
        channel: parsed::<Channel>("channel", body.channel.as_deref())?.unwrap_or_default(),
        locale: parsed::<Locale>("locale", body.locale.as_deref())?,
        client_ip: client_ip(body.client_ip.as_deref())?,
        request: requested.digest(),
    };
    let service = app.service_of(&caller, id).await?;
    let outcome = app.verifier.resend(service, id, request).await?;
    Ok(started(&app, requested, outcome))
}

/// Check a guess
#[utoipa::path(
    post, path = "/v1/verifications/{id}/check", operation_id = "checkVerification", tag = "Verifications", security(("api_key" = ["verify"])),
    params(IdInPath, IdempotencyKey),
    request_body = CheckBody,
    responses(
        (status = 200, description = "The guess was compared: `valid` says how.", body = CheckReply),
        CheckProblems,
    ),
)]
pub(super) async fn check(
    State(app): Shared,
    caller: Allowed<Verifying>,
    requested: Requested,
    Segment(id): Segment,
    Json(body): Json<CheckBody>,
) -> Result<Response, Problem> {
    let id = verification_id(&id)?;
    let service = app.service_of(&caller, id).await?;
    let outcome =
        app.verifier.check_once(&service, CheckTarget::Id(id), body.code.expose(), requested.digest()).await?;
    Ok(checked(&app, requested, outcome))
}

/// Check a guess by number
///
/// Against the verification that is pending for the number.
#[utoipa::path(
    post, path = "/v1/verifications/check", operation_id = "checkNumber", tag = "Verifications", security(("api_key" = ["verify"])),
    params(IdempotencyKey),
    request_body = CheckByNumberBody,
    responses(
        (status = 200, description = "The guess was compared: `valid` says how.", body = CheckReply),
        CheckByNumberProblems,
    ),
)]
pub(super) async fn check_by_number(
    State(app): Shared,
    caller: Allowed<Verifying>,
    requested: Requested,
    Json(body): Json<CheckByNumberBody>,
) -> Result<Response, Problem> {
    let service = app.service(&caller, body.service.as_deref())?;
    let target = CheckTarget::Number { to: body.to, region: body.region };
    let outcome = app.verifier.check_once(&service, target, body.code.expose(), requested.digest()).await?;
    Ok(checked(&app, requested, outcome))
}

/// Cancel a verification
#[utoipa::path(
    post, path = "/v1/verifications/{id}/cancel", operation_id = "cancelVerification", tag = "Verifications", security(("api_key" = ["verify"])),
    params(IdInPath, IdempotencyKey),
    request_body = EmptyBody,
    responses(
        (status = 200, description = "It is canceled.", body = VerificationReply),
        CancelProblems,
    ),
)]
pub(super) async fn cancel(
    State(app): Shared,
    caller: Allowed<Verifying>,
    requested: Requested,
    Segment(id): Segment,
    Json(EmptyBody {}): Json<EmptyBody>,
) -> Result<Response, Problem> {
    let id = verification_id(&id)?;
    let service = app.service_of(&caller, id).await?;
    let verification = app.verifier.cancel(&service, id).await?;
    let to = verification.to;
    Ok(requested.about(service.id(), to, reply(StatusCode::OK, VerificationReply::from(verification))))
}
