//! What stands around a body: media type, size, method, path.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use serde_json::json;

use crate::support::{PHONE, TestApp};

const MAX_BODY_BYTES: usize = 16 * 1024;

/// A start of exactly this many bytes.
fn padded(bytes: usize) -> String {
    let body = json!({ "to": PHONE }).to_string();
    let padding = " ".repeat(bytes - body.len());
    body + &padding
}

#[tokio::test]
async fn a_body_must_say_that_it_is_json() {
    let app = TestApp::new().await;
    let body = json!({ "to": PHONE }).to_string();
    for kind in [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/problem+json",
        "text/json",
        "json",
        ";application/json",
        "text/plain, application/json",
    ] {
        let headers = [("authorization", "Bearer dev"), ("content-type", kind)];
        app.raw("POST", "/v1/verifications", &headers, body.clone()).await.problem(415, "unsupported_media_type");
    }
    let without = [("authorization", "Bearer dev")];
    app.raw("POST", "/v1/verifications", &without, body.clone()).await.problem(415, "unsupported_media_type");
    assert_eq!(app.messages(), 0);
    for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON ;x=y"] {
        let headers = [("authorization", "Bearer dev"), ("content-type", kind)];
        app.raw("POST", "/v1/preview", &headers, body.clone()).await.expect(200);
    }
}

#[tokio::test]
async fn a_body_has_at_most_sixteen_kibibytes() {
    let app = TestApp::new().await;
    for (bytes, status) in [(MAX_BODY_BYTES - 1, 200), (MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413)] {
        let whole = app.post_text("/v1/preview", padded(bytes)).await;
        // In pieces and without a length the bound is the same.
        let pieces = padded(bytes).into_bytes().chunks(1_000).map(Bytes::copy_from_slice).collect();
        let streamed = app.post_text("/v1/preview", Body::new(Pieces(pieces))).await;
        for answer in [whole, streamed] {
            if status == 413 {
                answer.problem(413, "payload_too_large");
            } else {
                answer.expect(status);
            }
        }
    }
    // Too large counts before anything about the body is looked at.
    let headers = [("authorization", "Bearer dev"), ("content-type", "text/plain")];
    app.raw("POST", "/v1/verifications", &headers, "x".repeat(MAX_BODY_BYTES + 1))
        .await
        .problem(413, "payload_too_large");
}

/// A body of unknown length.
struct Pieces(VecDeque<Bytes>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

#[tokio::test]
async fn no_body_is_an_empty_object() {
    let app = TestApp::with("[limits]\nresend_delays = []\n").await;
    let started = app.started(PHONE).await;
    for (path, kind) in [
        (started.path("/resend"), ""),
        (started.path("/resend"), "text/plain"),
        (format!("/v1/phones/{PHONE}/unlock"), ""),
        (started.path("/cancel"), "application/json"),
    ] {
        let headers = [("authorization", "Bearer dev"), ("content-type", kind)];
        app.raw("POST", &path, &headers, "").await.expect(200);
    }
}

#[tokio::test]
async fn other_methods_and_paths_are_refused_with_a_document() {
    let app = TestApp::new().await;
    let started = app.started(PHONE).await;
    for (method, path, allow) in [
        ("GET", "/v1/verifications".to_owned(), "POST"),
        ("PUT", "/v1/verifications".to_owned(), "POST"),
        ("GET", "/v1/verifications/check".to_owned(), "POST"),
        ("DELETE", started.path(""), "GET,HEAD"),
        ("POST", started.path(""), "GET,HEAD"),
        ("GET", started.path("/check"), "POST"),
        ("GET", started.path("/resend"), "POST"),
        ("GET", started.path("/cancel"), "POST"),
        ("GET", "/v1/preview".to_owned(), "POST"),
        ("POST", "/v1/limits?to=4155552671".to_owned(), "GET,HEAD"),
        ("GET", format!("/v1/phones/{PHONE}"), "DELETE"),
        ("DELETE", format!("/v1/phones/{PHONE}/unlock"), "POST"),
        ("POST", "/healthz".to_owned(), "GET,HEAD"),
        ("POST", "/metrics".to_owned(), "GET,HEAD"),
        ("OPTIONS", "/v1/verifications".to_owned(), "POST"),
    ] {
        let answer = app.call_as("dev", method, &path, None).await;
        answer.problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v2/verifications",
        "/v1/verifications/",
        "/v1//verifications",
        "/V1/limits",
        "/v1/verifications/x/y/z",
    ] {
        app.get(path).await.problem(404, "not_found");
        app.raw("POST", path, &[], "{").await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_request_id_comes_back_and_no_answer_shows_the_key() {
    let app = TestApp::new().await;
    let headers = [("authorization", "Bearer dev"), ("x-request-id", "trace-17.a")];
    let answer = app.raw("GET", "/v1/limits?to=4155552671", &headers, "").await;
    assert_eq!(answer.header("x-request-id"), "trace-17.a");
    let secret = "a-key-that-nobody-has";
    let answer = app.call_as(secret, "GET", "/v1/limits?to=4155552671", None).await;
    answer.problem(401, "unauthorized");
    assert!(!format!("{:?}", answer.headers).contains(secret) && !answer.text.contains(secret));
}
