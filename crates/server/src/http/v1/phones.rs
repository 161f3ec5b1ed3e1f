//! Forget a number; lift its lock.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use verifyd_core::phone_number::PhoneNumber;

use super::body::{EmptyBody, Json, ServiceBody};
use super::idempotency::Requested;
use super::params::{IdempotencyKey, NumberInPath};
use super::path::Segment;
use super::problems::{ForgetProblems, UnlockProblems};
use super::verifications::reply;
use crate::http::access::{Allowed, Forgetting, Unlocking};
use crate::http::app::Shared;
use crate::http::problem::Problem;

/// What was forgotten.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({ "forgotten_verifications": 2 })))]
struct ForgetReply {
    /// How many verifications of the number there were.
    forgotten_verifications: usize,
}

/// What was lifted.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({ "failed_checks_in_a_row_before": 10 })))]
struct UnlockReply {
    /// How many failures in a row counted against the number before.
    failed_checks_in_a_row_before: u32,
}

/// Forget a number
///
/// Everything that is kept of it: of the key's service, or of every service if the key is for all.
#[utoipa::path(
    delete, path = "/v1/phones/{to}", operation_id = "forgetNumber", tag = "Numbers", security(("api_key" = ["forget"])),
    params(NumberInPath),
    responses((status = 200, description = "It is forgotten.", body = ForgetReply), ForgetProblems),
)]
pub(super) async fn forget(
    State(app): Shared,
    caller: Allowed<Forgetting>,
    Segment(to): Segment,
    Json(EmptyBody {}): Json<EmptyBody>,
) -> Result<Response, Problem> {
    let service = app.service(&caller, None)?;
    let forgotten = app.verifier.forget(&service, caller.service.is_none(), &to).await?;
    if let Some(forget_elsewhere) = &app.forget_elsewhere {
        forget_elsewhere.call(&forgotten.number);
    }
    tracing::info!(audit = "forget", key = %caller.key, verifications = forgotten.verifications, "a number was forgotten");
    Ok(reply(StatusCode::OK, ForgetReply { forgotten_verifications: forgotten.verifications }))
}

/// Lift a number's lock
///
/// Resets the failures in a row of one service, and nothing else.
#[utoipa::path(
    post, path = "/v1/phones/{to}/unlock", operation_id = "unlockNumber", tag = "Numbers", security(("api_key" = ["unlock"])),
    params(NumberInPath, IdempotencyKey),
    request_body = ServiceBody,
    responses((status = 200, description = "It is lifted.", body = UnlockReply), UnlockProblems),
)]
pub(super) async fn unlock(
    State(app): Shared,
    caller: Allowed<Unlocking>,
    requested: Requested,
    Segment(to): Segment,
    Json(body): Json<ServiceBody>,
) -> Result<Response, Problem> {
    let service = app.service(&caller, body.service.as_deref())?;
    let before = app.verifier.unlock(&service, &to).await?;
    let number = PhoneNumber::parse(&to, service.settings().default_region)?;
    let body = UnlockReply { failed_checks_in_a_row_before: before };
    Ok(requested.about(service.id(), number, reply(StatusCode::OK, body)))
}
