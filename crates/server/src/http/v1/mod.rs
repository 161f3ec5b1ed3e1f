//! Version 1 of the API: JSON in, JSON out, problem documents for everything else. One file an endpoint group.

mod body;
mod idempotency;
mod limits;
mod path;
mod phones;
mod preview;
mod reply;
mod verifications;

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post};

use self::idempotency::once;
use super::app::App;

/// The routes of version 1. Every POST honours `Idempotency-Key`.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/verifications", post(once(verifications::start)))
        .route("/v1/verifications/check", post(once(verifications::check_by_number)))
        .route("/v1/verifications/{id}", get(verifications::load))
        .route("/v1/verifications/{id}/resend", post(once(verifications::resend)))
        .route("/v1/verifications/{id}/check", post(once(verifications::check)))
        .route("/v1/verifications/{id}/cancel", post(once(verifications::cancel)))
        .route("/v1/preview", post(once(preview::preview)))
        .route("/v1/limits", get(limits::limits))
        .route("/v1/phones/{to}", delete(phones::forget))
        .route("/v1/phones/{to}/unlock", post(once(phones::unlock)))
}
