//! The gate between hyper and the router: what no route should ever see is refused here, and every request that
//! passes is counted until its answer has left.
//!
//! Refused: a target or head over its limit, an HTTP/1.1 request without exactly one `Host` (RFC 9112 §3.2), and
//! every framing two servers could read differently (SECURITY #53). hyper itself refuses what is no HTTP at all.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, TRANSFER_ENCODING};
use axum::http::{Request, Response, StatusCode, Version};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tower::ServiceExt;

use super::activity::Activity;
use super::body::RequestBody;
use super::limits::ServerLimits;

/// A body up to this size has come along with its head, all but always.
const READ_AWAY_BYTES: u64 = 1024;

/// The address of the connection a request came on, as a request extension. Behind a proxy it is the proxy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// Why a request is turned away before the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Framing,
    Host,
    Target,
    Head,
}

impl Refusal {
    fn response(self) -> Response<Body> {
        let (status, title, code) = match self {
            Self::Framing => (StatusCode::BAD_REQUEST, "The request's framing is ambiguous", "invalid_request"),
            Self::Host => (StatusCode::BAD_REQUEST, "The request needs exactly one Host", "invalid_request"),
            Self::Target => (StatusCode::URI_TOO_LONG, "The request target is too long", "invalid_request"),
            Self::Head => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "The request's header fields are too large",
                "invalid_request",
            ),
        };
        let document =
            format!(r#"{{"type":"about:blank","title":"{title}","status":{},"code":"{code}"}}"#, status.as_u16());
        let mut response = Response::new(Body::from(document));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

/// Answers one request; called by hyper as soon as its head is complete.
pub(super) fn pass(
    activity: &Arc<Activity>,
    app: &Router,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<AnswerBody>, Infallible>> + Send + use<> {
    let opened = activity.request_opened();
    let ticket = Ticket { activity: Arc::clone(activity), answered: false, with_client: false };
    let refusal = refuse(&request, opened.plainly_chunked, activity.limits());
    // The scanner does not follow a chunked body, so what comes after it is not served.
    let http1 = request.version() < Version::HTTP_2;
    let last = http1 && (opened.draining || refusal.is_some() || request.headers().contains_key(TRANSFER_ENCODING));
    let announced_bytes = request.body().size_hint().lower();
    let app = app.clone();
    async move {
        let mut response = match refusal {
            Some(refusal) => {
                // The end of a body so framed is anybody's guess.
                ticket.activity.body_left_unread();
                refusal.response()
            }
            None => answer(app, request, &ticket.activity).await,
        };
        // hyper ends the connection when much of a body was left unread, and a client that was not told sends its next request
        // into that end. What came along with the head it reads away by itself.
        let cut_short = http1 && announced_bytes > READ_AWAY_BYTES && ticket.activity.has_unread_input(false);
        if last || cut_short {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response.map(|body| AnswerBody::new(body, ticket)))
    }
}

async fn answer(app: Router, request: Request<Incoming>, activity: &Arc<Activity>) -> Response<Body> {
    let mut request = request.map(|incoming| RequestBody::wrap(incoming, activity));
    request.extensions_mut().insert(PeerAddr(activity.peer()));
    match app.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn refuse<B>(request: &Request<B>, plainly_chunked: bool, limits: &ServerLimits) -> Option<Refusal> {
    let headers = request.headers();
    if request.version() < Version::HTTP_2 {
        let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
        if let Some(coding) = codings.next() {
            let alone = codings.next().is_none() && coding.as_bytes().eq_ignore_ascii_case(b"chunked");
            if !(alone && plainly_chunked) {
                return Some(Refusal::Framing);
            }
        }
        if request.version() == Version::HTTP_11 && headers.get_all(HOST).iter().count() != 1 {
            return Some(Refusal::Host);
        }
    }
    let target_bytes = target_bytes(request.uri());
    if target_bytes > limits.max_uri_bytes {
        return Some(Refusal::Target);
    }
    // As on the wire of HTTP/1.1: "name: value\r\n", and a request line of method, target and version.
    let fields: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let head_bytes = fields + request.method().as_str().len() + target_bytes + "  HTTP/1.1\r\n\r\n".len();
    (head_bytes > limits.max_head_bytes || headers.len() > limits.max_headers).then_some(Refusal::Head)
}

fn target_bytes(uri: &axum::http::Uri) -> usize {
    let scheme = uri.scheme_str().map_or(0, |scheme| scheme.len() + "://".len());
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    scheme + authority + path
}

/// Counts a request as open for as long as it lives.
#[derive(Debug)]
struct Ticket {
    activity: Arc<Activity>,
    answered: bool,
    with_client: bool,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.activity.request_closed(self.answered, self.with_client);
    }
}

/// The body of an answer, which knows whether the handler or the client is the one waited for.
#[derive(Debug)]
pub(super) struct AnswerBody {
    body: Body,
    ticket: Ticket,
}

impl AnswerBody {
    fn new(body: Body, mut ticket: Ticket) -> Self {
        ticket.activity.answer_ready();
        ticket.with_client = true;
        ticket.answered = true;
        Self { body, ticket }
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let poll = Pin::new(&mut self.body).poll_frame(cx);
        let was_with_client = self.ticket.with_client;
        self.ticket.with_client = poll.is_ready();
        self.ticket.activity.answer_polled(was_with_client, poll.is_pending());
        poll
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
