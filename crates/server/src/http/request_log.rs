//! One line a request, one request id, one count: a single own layer instead of a stack of them.
//!
//! The line has the route's pattern, never the path: a path may hold a number.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use tower::Service;
use tower::layer::layer_fn;
use verifyd_core::random::{Random, SystemRandom};

use super::access::CalledBy;
use super::error_code::ErrorCode;
use crate::metrics::Metrics;

const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// A fresh id, or that of the caller if it is short and plain.
fn request_id(request: &Request) -> Arc<str> {
    let plain = |text: &&str| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    // A caller's id with a long run of digits could be a phone number in disguise, and ids are logged.
    let given = request.headers().get(&REQUEST_ID_HEADER).and_then(|value| value.to_str().ok()).filter(plain);
    if let Some(given) = given.filter(|text| longest_digit_run(text) < 7) {
        return given.into();
    }
    fresh_id().into()
}

/// An id that this process gives once, and hardly another one: it is no secret, so it need not be drawn anew each time.
fn fresh_id() -> String {
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| {
        let mut bytes = [0; 8];
        // Without randomness the ids of two processes can be the same; nothing hangs on that.
        let _drawn = SystemRandom.fill(&mut bytes);
        AtomicU64::new(u64::from_be_bytes(bytes))
    });
    // An odd step passes through every value before it repeats one; this one (2^64 over the golden ratio) spreads them.
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    format!("{:016x}", NEXT.fetch_add(STEP, Ordering::Relaxed))
}

fn longest_digit_run(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or_default()
}

tokio::task_local! {
    static REQUEST_ID: Arc<str>;
}

/// The id of the request whose handler is running, for whatever else is logged meanwhile.
pub(crate) fn current_request() -> Option<Arc<str>> {
    REQUEST_ID.try_with(Arc::clone).ok()
}

/// `work` as a part of the request whose handler is running now, for a task of its own.
pub(crate) fn in_request<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let id = current_request();
    async move {
        match id {
            Some(id) => REQUEST_ID.scope(id, work).await,
            None => work.await,
        }
    }
}

/// A route that logs and counts: axum's own middleware function would box the request twice more.
#[derive(Clone, Debug)]
struct Logged<S> {
    inner: S,
    metrics: Arc<Metrics>,
}

impl<S> Service<Request> for Logged<S>
where
    S: Service<Request, Error = Infallible>,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let began = Instant::now();
        let id = request_id(&request);
        let method = request.method().clone();
        let route = request.extensions().get::<MatchedPath>().cloned();
        request.headers_mut().remove(&REQUEST_ID_HEADER);
        let caller = CalledBy::default();
        request.extensions_mut().insert(caller.clone());
        let answer = REQUEST_ID.scope(Arc::clone(&id), self.inner.call(request));
        let metrics = Arc::clone(&self.metrics);
        Box::pin(async move {
            let mut response = answer.await?.into_response();
            let route = route.as_ref().map_or("none", MatchedPath::as_str);
            write_line(&metrics, &Line { id: &id, method: &method, route, key: caller.key(), began }, &response);
            if let Ok(value) = HeaderValue::from_str(&id) {
                response.headers_mut().insert(REQUEST_ID_HEADER, value);
            }
            Ok(response)
        })
    }
}

/// What of a line is known beside the response.
struct Line<'a> {
    id: &'a str,
    method: &'a Method,
    route: &'a str,
    key: &'a str,
    began: Instant,
}

fn write_line(metrics: &Metrics, line: &Line<'_>, response: &Response) {
    let Line { id, method, route, key, began } = *line;
    let status = response.status().as_u16();
    let code = response.extensions().get::<ErrorCode>().map_or("", |code| code.as_str());
    metrics.requested(route, status);
    if !code.is_empty() {
        metrics.refused(code);
    }
    let us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    tracing::info!(request = id, method = method.as_str(), route, status, code, key, us, "request");
}

/// `router` with the log line around every route.
pub(crate) fn layer(router: Router, metrics: Arc<Metrics>) -> Router {
    router.layer(layer_fn(move |inner| Logged { inner, metrics: Arc::clone(&metrics) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[test]
    fn fresh_ids_differ() {
        let ids: std::collections::HashSet<_> = (0..1000).map(|_| fresh_id()).collect();
        assert!(ids.len() == 1000 && ids.iter().all(|id| id.len() == 16));
    }

    #[test]
    fn only_short_plain_ids_without_a_number_are_taken_over() {
        let id_for =
            |given: &str| request_id(&Request::builder().header(REQUEST_ID_HEADER, given).body(Body::empty()).unwrap());
        assert_eq!(&*id_for("abc-123_x.y"), "abc-123_x.y");
        for bad in ["", "a b", "14155552671", "x-4155552671", &"a".repeat(65), "a\"b"] {
            assert_ne!(&*id_for(bad), bad);
        }
    }
}
