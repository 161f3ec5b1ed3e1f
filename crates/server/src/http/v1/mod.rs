//! Version 1 of the API: JSON in, JSON out, problem documents for everything else. One file an endpoint group.

mod body;
mod deliveries;
mod idempotency;
mod limits;
mod params;
mod path;
mod phones;
mod preview;
mod problems;
mod reply;
mod stats;
mod verifications;

use std::sync::Arc;

use axum::routing::post;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::idempotency::once;
pub(crate) use self::idempotency::{MAX_KEY_BYTES, is_idempotency_key};
use super::app::App;

/// A POST with its operation, which honours `Idempotency-Key`.
macro_rules! once {
    ($handler:path) => {{
        let (schemas, paths, _route) = routes!($handler);
        (schemas, paths, post(once($handler)))
    }};
}

/// The routes of version 1, in the order of the page, with their operations.
pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(once!(verifications::start))
        .routes(once!(verifications::check))
        .routes(once!(verifications::check_by_number))
        .routes(routes!(verifications::load))
        .routes(once!(verifications::resend))
        .routes(once!(verifications::cancel))
        .routes(once!(preview::preview))
        .routes(routes!(limits::limits))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::load))
        .routes(routes!(stats::stats))
        .routes(routes!(phones::forget))
        .routes(once!(phones::unlock))
}
