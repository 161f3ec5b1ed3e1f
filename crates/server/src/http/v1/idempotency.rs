//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a POST whose answer was lost can be sent again, and gets that answer.
//!
//! A key is the caller's for one method and path; what is kept and for how long is the verifier's rule
//! ([`Verifier::begin_reply`](verifyd_core::verifier::Verifier::begin_reply)). A request with a key runs in a task that its
//! client's end does not end: a client that hangs up is the very one that will ask again. A request without a key takes the
//! handler's own way and costs nothing.

use std::pin::Pin;
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::handler::Handler;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio_util::either::Either;
use verifyd_core::id::ServiceId;
use verifyd_core::phone_number::PhoneNumber;
use verifyd_core::store::RequestDigest;
use verifyd_core::verifier::{About, Begun, Reply, RequestScope, VerifyError};

use super::body::{Json, MAX_BODY_BYTES};
use super::path::Segment;
use crate::http::access::{Allowed, Need};
use crate::http::app::App;
use crate::http::listener::read_body;
use crate::http::problem::Problem;
use crate::http::request_log::in_request;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The longest key; a UUID has 36.
pub(crate) const MAX_KEY_BYTES: usize = 255;

/// The arguments of a handler of a POST, which name the scope that a repeat needs, too.
pub(super) trait Arguments {
    /// That of the handler.
    type Need: Need;
}

impl<M, N: Need, B> Arguments for (M, State<Arc<App>>, Allowed<N>, Requested, Json<B>) {
    type Need = N;
}

impl<M, N: Need, B> Arguments for (M, State<Arc<App>>, Allowed<N>, Requested, Segment, Json<B>) {
    type Need = N;
}

/// A handler of a POST that honours `Idempotency-Key`.
pub(super) const fn once<H>(handler: H) -> Once<H> {
    Once(handler)
}

/// See [`once`].
#[derive(Clone)]
pub(super) struct Once<H>(H);

impl<H, T> Handler<T, Arc<App>> for Once<H>
where
    H: Handler<T, Arc<App>>,
    T: Arguments + 'static,
{
    type Future = Either<H::Future, Pin<Box<dyn Future<Output = Response> + Send>>>;

    fn call(self, request: Request, app: Arc<App>) -> Self::Future {
        if !request.headers().contains_key(&IDEMPOTENCY_KEY) {
            return Either::Left(self.0.call(request, app));
        }
        Either::Right(Box::pin(async move {
            answer(self.0, request, app).await.unwrap_or_else(IntoResponse::into_response)
        }))
    }
}

/// What the verbs remember a request by, if it came with a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Requested(Option<RequestDigest>);

impl<S: Send + Sync> FromRequestParts<S> for Requested {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(Self(parts.extensions.get::<RequestDigest>().copied()))
    }
}

impl Requested {
    /// For the verbs.
    pub(super) const fn digest(self) -> Option<RequestDigest> {
        self.0
    }

    /// Says whom a response is about: without it none is kept.
    pub(super) fn about(self, service: ServiceId, number: PhoneNumber, mut response: Response) -> Response {
        if self.0.is_some() {
            response.extensions_mut().insert(About { service, number });
        }
        response
    }
}

/// A request with a key.
struct Keyed {
    parts: Parts,
    body: Bytes,
    caller: String,
    key: String,
}

/// Whether `text` may stand in the header: 1 to 255 visible ASCII characters.
pub(crate) fn is_idempotency_key(text: &str) -> bool {
    (1..=MAX_KEY_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn key_of(headers: &HeaderMap) -> Result<String, Problem> {
    let refuse = |reason| Err(Problem::invalid_field("Idempotency-Key", reason));
    let mut values = headers.get_all(&IDEMPOTENCY_KEY).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return refuse("more than one header") };
    match value.to_str() {
        Ok(key) if is_idempotency_key(key) => Ok(key.to_owned()),
        _ => refuse("1 to 255 visible ASCII characters, such as a UUID"),
    }
}

async fn answer<H, T>(handler: H, request: Request, app: Arc<App>) -> Result<Response, Problem>
where
    H: Handler<T, Arc<App>>,
    T: Arguments + 'static,
{
    let (mut parts, body) = request.into_parts();
    // Scope before body, as without a key; and a caller that lost the scope is told no answer of before.
    let caller = Allowed::<T::Need>::from_request_parts(&mut parts, &app).await?.identity();
    let key = key_of(&parts.headers)?;
    let body = read_body(body, MAX_BODY_BYTES).await?;
    let keyed = Keyed { parts, body, caller, key };
    let work = in_request(run(handler, keyed, Arc::clone(&app)));
    app.verifier.detach(work).await.unwrap_or_else(|_ended| Err(ended_early()))
}

fn ended_early() -> Problem {
    VerifyError::Internal("the task of a request ended early").into()
}

async fn run<H, T>(handler: H, keyed: Keyed, app: Arc<App>) -> Result<Response, Problem>
where
    H: Handler<T, Arc<App>>,
    T: 'static,
{
    let Keyed { mut parts, body, caller, key } = keyed;
    let scope = RequestScope {
        caller: &caller,
        key: &key,
        method: parts.method.as_str(),
        // As it was written: two spellings of one number are two requests.
        path: parts.uri.path(),
    };
    let claim = match app.verifier.begin_reply(scope, &body).await? {
        Begun::Fresh(claim) => claim,
        Begun::Stored(reply) => {
            app.metrics.repeated("replayed");
            return replayed(reply);
        }
        Begun::InProgress { retry_after } => {
            app.metrics.repeated("in_progress");
            let detail = "a request with this Idempotency-Key is at work; ask again for its answer";
            return Err(Problem::idempotency_conflict(detail).with("reason", json!("in_progress")).after(retry_after));
        }
        Begun::BodyDiffers => {
            app.metrics.repeated("body_differs");
            let detail = "this Idempotency-Key was used for a request with another body; every request needs its own";
            return Err(Problem::idempotency_conflict(detail).with("reason", json!("body_differs")));
        }
    };
    parts.extensions.insert(claim.request());
    let response = handler.call(Request::from_parts(parts, Body::from(body)), Arc::clone(&app)).await;
    let about = response.extensions().get::<About>().copied();
    let Some(about) = about.filter(|_| response.status().is_success()) else {
        app.verifier.abandon_reply(claim).await;
        return Ok(response);
    };
    let (parts, body) = response.into_parts();
    // Made here a moment ago, so it is whole; one longer than is kept is not kept, but answered.
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        app.verifier.abandon_reply(claim).await;
        return Err(ended_early());
    };
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let reply = Reply {
        status: parts.status.as_u16(),
        content_type: content_type.unwrap_or_default().to_owned(),
        body: body.to_vec(),
    };
    app.verifier.finish_reply(claim, about, &reply).await;
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn replayed(reply: Reply) -> Result<Response, Problem> {
    let (Ok(status), Ok(content_type)) =
        (StatusCode::from_u16(reply.status), HeaderValue::from_str(&reply.content_type))
    else {
        return Err(VerifyError::Internal("a kept reply cannot be read").into());
    };
    let mut response = (status, Body::from(reply.body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}
