//! Forget a number; lift its lock.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use verifyd_core::phone_number::PhoneNumber;
use verifyd_core::registry::Scope;

use super::body::{EmptyBody, Json, ServiceBody};
use super::idempotency::Requested;
use super::path::Segment;
use super::verifications::reply;
use crate::http::app::{Authorized, Shared};
use crate::http::problem::Problem;

/// `DELETE /v1/phones/{to}`: of the key's service, or of every service if the key is for all.
pub(super) async fn forget(
    State(app): Shared,
    caller: Authorized,
    Segment(to): Segment,
    Json(EmptyBody {}): Json<EmptyBody>,
) -> Result<Response, Problem> {
    let caller = caller.with(Scope::Forget)?;
    let service = app.service(&caller, None)?;
    let forgotten = app.verifier.forget(&service, caller.service.is_none(), &to).await?;
    if let Some(forget_elsewhere) = &app.forget_elsewhere {
        forget_elsewhere.call(&forgotten.number);
    }
    tracing::info!(audit = "forget", key = %caller.key, verifications = forgotten.verifications, "a number was forgotten");
    Ok(reply(StatusCode::OK, &caller, json!({ "forgotten_verifications": forgotten.verifications })))
}

/// `POST /v1/phones/{to}/unlock`: resets the failures in a row of one service, and nothing else.
pub(super) async fn unlock(
    State(app): Shared,
    caller: Authorized,
    requested: Requested,
    Segment(to): Segment,
    Json(body): Json<ServiceBody>,
) -> Result<Response, Problem> {
    let caller = caller.with(Scope::Unlock)?;
    let service = app.service(&caller, body.service.as_deref())?;
    let before = app.verifier.unlock(&service, &to).await?;
    let number = PhoneNumber::parse(&to, service.settings().default_region)?;
    let body = json!({ "failed_checks_in_a_row_before": before });
    Ok(requested.about(service.id(), number, reply(StatusCode::OK, &caller, body)))
}
