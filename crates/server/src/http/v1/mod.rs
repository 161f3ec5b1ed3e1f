//! Version 1 of the API: JSON in, JSON out, problem documents for everything else. One file an endpoint group.

mod body;
mod limits;
mod params;
mod path;
mod phones;
mod preview;
mod problems;
mod reply;
mod verifications;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;

/// The routes of version 1, in the order of the page, with their operations.
pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(verifications::start))
        .routes(routes!(verifications::check))
        .routes(routes!(verifications::check_by_number))
        .routes(routes!(verifications::load))
        .routes(routes!(verifications::resend))
        .routes(routes!(verifications::cancel))
        .routes(routes!(preview::preview))
        .routes(routes!(limits::limits))
        .routes(routes!(phones::forget))
        .routes(routes!(phones::unlock))
}
