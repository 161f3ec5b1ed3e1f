//! The application through its router, on a fake clock.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use verifyd::Verifier;
use verifyd::sender::SendErrorKind;
use verifyd::testing::{FakeClock, Outcome, RecordingSender};

const PHONE: &str = "(415) 555-0123";

struct Scene {
    app: Router,
    clock: Arc<FakeClock>,
    sender: Arc<RecordingSender>,
}

struct Answer {
    status: StatusCode,
    retry_after: Option<String>,
    body: Value,
}

impl Answer {
    fn refusal(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["error"]["code"].as_str().unwrap_or_default())
    }
}

impl Scene {
    fn new() -> Self {
        let (clock, sender) = (Arc::new(FakeClock::default()), Arc::new(RecordingSender::default()));
        let parts = Verifier::builder("Acme").default_region("US").clock(Arc::<FakeClock>::clone(&clock));
        let verifier = parts.sender(Arc::<RecordingSender>::clone(&sender)).build().unwrap();
        Self { app: crate::app::router(verifier), clock, sender }
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = request.body(Body::from(body.to_string())).unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, retry_after, body: serde_json::from_slice(&bytes).unwrap() }
    }

    async fn sign_up(&self) -> Answer {
        self.call("POST", "/signup", json!({"name": "Ada", "phone": PHONE})).await
    }

    async fn guess(&self, code: &str) -> Answer {
        self.call("POST", "/users/1/verify", json!({"code": code})).await
    }

    fn code(&self) -> String {
        self.sender.last().unwrap().code.expose().to_owned()
    }
}

/// A code that is not this one.
fn wrong(code: &str) -> String {
    if code == "000000" { "000001".to_owned() } else { "000000".to_owned() }
}

#[tokio::test]
async fn a_person_is_pending_until_the_code_is_typed() {
    let scene = Scene::new();
    let signed_up = scene.sign_up().await;
    assert_eq!(signed_up.status, StatusCode::CREATED);
    assert_eq!(signed_up.body["user"], json!({"id": 1, "name": "Ada", "phone": null, "phone_verified": false}));
    assert_eq!(signed_up.body["next_send_in_ms"], 30_000);
    let code = scene.code();
    let refused = scene.guess(&wrong(&code)).await;
    assert_eq!(refused.refusal(), (400, "invalid_code"));
    assert_eq!(refused.body["error"]["checks_remaining"], 4);
    assert_eq!(scene.guess("12a").await.refusal(), (422, "invalid_code_format"));
    let verified = scene.guess(&code).await;
    assert_eq!(verified.status, StatusCode::OK);
    let expected = json!({"id": 1, "name": "Ada", "phone": "+*******0123", "phone_verified": true});
    assert_eq!(verified.body, expected);
    assert_eq!(scene.call("GET", "/users/1", Value::Null).await.body, expected);
    assert_eq!(scene.guess(&code).await.refusal(), (409, "already_approved"));
}

#[tokio::test]
async fn a_resend_waits_repeats_the_code_and_ends_with_it() {
    let scene = Scene::new();
    scene.sign_up().await;
    let first = scene.code();
    let early = scene.call("POST", "/users/1/resend", Value::Null).await;
    assert_eq!((early.refusal(), early.retry_after.as_deref()), ((429, "rate_limited"), Some("30")));
    scene.clock.advance(Duration::from_secs(30));
    let again = scene.call("POST", "/users/1/resend", Value::Null).await;
    assert_eq!((again.status, &again.body["sends_remaining"]), (StatusCode::OK, &json!(3)));
    assert_eq!((scene.sender.count(), scene.code()), (2, first.clone()));
    scene.clock.advance(Duration::from_secs(570));
    assert_eq!(scene.guess(&first).await.refusal(), (410, "expired"));
    assert_eq!(scene.call("POST", "/users/1/resend", Value::Null).await.refusal(), (410, "expired"));
}

#[tokio::test]
async fn five_guesses_and_no_more() {
    let scene = Scene::new();
    scene.sign_up().await;
    let code = scene.code();
    for _ in 0..5 {
        assert_eq!(scene.guess(&wrong(&code)).await.refusal(), (400, "invalid_code"));
    }
    let refused = scene.guess(&code).await;
    assert_eq!((refused.refusal(), refused.retry_after.as_deref()), ((429, "max_checks_reached"), Some("600")));
}

#[tokio::test]
async fn the_library_s_refusals_have_their_status() {
    let scene = Scene::new();
    let bad = scene.call("POST", "/signup", json!({"name": "Ada", "phone": "555"})).await;
    assert_eq!(bad.refusal(), (422, "invalid_phone_number"));
    scene.sender.next(Outcome::refused(SendErrorKind::Rejected));
    assert_eq!(scene.sign_up().await.refusal(), (422, "undeliverable"));
    let throttled = SendErrorKind::Throttled { retry_after: Some(Duration::from_millis(6_500)) };
    scene.sender.next(Outcome::refused(throttled));
    let refused = scene.sign_up().await;
    assert_eq!((refused.refusal(), refused.retry_after.as_deref()), ((503, "sender_unavailable"), Some("7")));
    assert_eq!(scene.call("GET", "/users/7", Value::Null).await.refusal(), (404, "not_found"));
    // Nothing of this was spent.
    assert_eq!(scene.sign_up().await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn the_program_s_own_verifier_can_be_built() {
    let inbox = Arc::new(verifyd::senders::inbox::Inbox::new());
    let app = crate::app::router(crate::verifier(&inbox).unwrap());
    let request = Request::post("/signup").header("content-type", "application/json");
    let request = request.body(Body::from(json!({"name": "Ada", "phone": PHONE}).to_string())).unwrap();
    assert_eq!(app.oneshot(request).await.unwrap().status(), StatusCode::CREATED);
    assert_eq!(inbox.messages(None).len(), 1);
}
