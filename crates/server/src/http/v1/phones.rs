//! Forget a number; lift its lock.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::body::{EmptyBody, Json, ServiceBody};
use super::path::Segment;
use super::verifications::reply;
use crate::http::access::{Allowed, Forgetting, Unlocking};
use crate::http::app::Shared;
use crate::http::problem::Problem;

/// `DELETE /v1/phones/{to}`: of the key's service, or of every service if the key is for all.
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
    Ok(reply(StatusCode::OK, json!({ "forgotten_verifications": forgotten.verifications })))
}

/// `POST /v1/phones/{to}/unlock`: resets the failures in a row of one service, and nothing else.
pub(super) async fn unlock(
    State(app): Shared,
    caller: Allowed<Unlocking>,
    Segment(to): Segment,
    Json(body): Json<ServiceBody>,
) -> Result<Response, Problem> {
    let service = app.service(&caller, body.service.as_deref())?;
    let before = app.verifier.unlock(&service, &to).await?;
    Ok(reply(StatusCode::OK, json!({ "failed_checks_in_a_row_before": before })))
}
