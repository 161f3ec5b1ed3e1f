//! One line a request, one request id, one count: a single own layer instead of a stack of them.
//!
//! The line has the route's pattern, never the path: a path may hold a number.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use tracing::Instrument;
use verifyd_core::random::{Random, SystemRandom};

use super::problem::ProblemCode;
use crate::metrics::Metrics;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Who called, for the log line; set by handlers that know.
#[derive(Clone, Debug)]
pub(crate) struct CalledBy(pub(crate) Arc<str>);

/// A fresh id, or that of the caller if it is short and plain.
fn request_id(request: &Request) -> String {
    let plain = |text: &&str| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    // A caller's id with a long run of digits could be a phone number in disguise, and ids are logged.
    let given = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok()).filter(plain);
    if let Some(given) = given.filter(|text| longest_digit_run(text) < 7) {
        return given.to_owned();
    }
    let mut bytes = [0; 8];
    match SystemRandom.fill(&mut bytes) {
        Ok(()) => format!("{:016x}", u64::from_be_bytes(bytes)),
        Err(_no_randomness) => "unknown".to_owned(),
    }
}

fn longest_digit_run(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or_default()
}

async fn log(metrics: Arc<Metrics>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request_id(&request);
    let method = request.method().clone();
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    request.headers_mut().remove(&REQUEST_ID);
    let span = tracing::info_span!("request", id);
    let mut response = next.run(request).instrument(span).await;
    let status = response.status().as_u16();
    let code = response.extensions().get::<ProblemCode>().map_or("", |code| code.0);
    let caller = response.extensions().get::<CalledBy>().map(|by| Arc::clone(&by.0));
    metrics.requested(&route, status);
    if !code.is_empty() {
        metrics.refused(code);
    }
    let ms = began.elapsed().as_secs_f64() * 1_000.0;
    tracing::info!(id, %method, route, status, code, key = caller.as_deref().unwrap_or(""), ms = format_args!("{ms:.3}"), "request");
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// `router` with the layer around every route.
pub(crate) fn layer(router: Router, metrics: Arc<Metrics>) -> Router {
    router.layer(from_fn(move |request: Request, next: Next| log(Arc::clone(&metrics), request, next)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[test]
    fn only_short_plain_ids_without_a_number_are_taken_over() {
        let id_for =
            |given: &str| request_id(&Request::builder().header(REQUEST_ID, given).body(Body::empty()).unwrap());
        assert_eq!(id_for("abc-123_x.y"), "abc-123_x.y");
        for bad in ["", "a b", "14155552671", "x-4155552671", &"a".repeat(65), "a\"b"] {
            assert_ne!(id_for(bad), bad);
        }
    }
}
