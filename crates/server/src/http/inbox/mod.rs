//! The inbox of mock mode: the page at `/inbox`, its JSON, and the `/dev` calls that move the clock and script outcomes.
//!
//! Nothing here asks for an API key, so two other walls stand around it (see [`origin`]): a list of host names against DNS
//! rebinding, and a check of where a request that changes something comes from. Texts reach the page through the templates'
//! escaping alone, and the policy in [`headers`] lets no foreign or inline script run if that should ever fail.
//!
//! Only the wiring of mock mode mounts [`routes`].

mod dev;
mod error;
mod headers;
mod input;
mod messages;
mod origin;
mod page;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use verifyd_core::clock::DevelopmentClock;
use verifyd_core::phone_number::Region;
use verifyd_senders::inbox::Inbox;

use super::problem::Problem;
use crate::mock::MoveClock;

/// The largest body: that of version 1.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// What the pages need from the wiring.
pub(crate) struct InboxParts {
    /// The messages.
    pub(crate) inbox: Arc<Inbox>,
    /// The clock that the rules run on.
    pub(crate) clock: Arc<DevelopmentClock>,
    /// Moves it.
    pub(crate) mover: Arc<dyn MoveClock>,
    /// The region for numbers without a country code.
    pub(crate) default_region: Option<Region>,
    /// Host names, without port, under which the server may be asked, beside addresses and `localhost`.
    pub(crate) hosts: Vec<String>,
    /// Whether the listener speaks TLS, for the address in the example.
    pub(crate) tls: bool,
    /// The API key in the example: `dev`, or `$VERIFYD_API_KEY`.
    pub(crate) example_key: String,
}

/// [`InboxParts`] at work.
struct Pages {
    parts: InboxParts,
}

/// The state of the handlers.
type SharedPages = axum::extract::State<Arc<Pages>>;

async fn no_method() -> Problem {
    Problem::method_not_allowed()
}

/// Everything under `/inbox` and `/dev`.
pub(crate) fn routes(parts: InboxParts) -> Router {
    let hosts: Arc<[String]> = parts.hosts.clone().into();
    let pages = Arc::new(Pages { parts });
    Router::new()
        .route("/inbox", get(page::show))
        .route("/inbox/fragment", get(page::fragment))
        .route("/inbox/assets/{name}", get(page::asset))
        .route("/inbox/clear", post(page::clear))
        .route("/inbox/outcomes", post(page::set_outcome))
        .route("/inbox/outcomes/clear", post(page::clear_outcomes))
        .route("/inbox/clock", post(page::advance_clock))
        .route("/inbox/messages", get(messages::list).delete(messages::clear))
        .route("/dev/clock", get(dev::clock))
        .route("/dev/clock/advance", post(dev::advance))
        .route("/dev/outcomes", get(dev::outcomes).post(dev::set_outcome).delete(dev::clear_outcomes))
        .method_not_allowed_fallback(no_method)
        .route_layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .route_layer(from_fn_with_state(hosts, origin::guard))
        .route_layer(from_fn(headers::set))
        .with_state(pages)
}
