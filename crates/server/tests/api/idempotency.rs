//! `Idempotency-Key`: the same answer for the same request, and nothing done twice.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Answer, NO_DELAYS, PHONE, TestApp};

const STARTS: &str = "/v1/verifications";
/// The inbox takes two seconds for it.
const SLOW: &str = "+15005550008";
const STORES: [&str; 2] = ["memory", "embedded"];

async fn keyed_as(app: &TestApp, api_key: &str, key: &str, path: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {api_key}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", key)];
    app.raw("POST", path, &headers, body.to_string()).await
}

async fn keyed(app: &TestApp, key: &str, path: &str, body: &Value) -> Answer {
    keyed_as(app, "dev", key, path, body).await
}

/// Holds `again` to be the kept answer `first`.
#[track_caller]
fn same(first: &Answer, again: &Answer) {
    assert_eq!((first.status, &first.text), (again.status, &again.text));
    assert_eq!(first.header("content-type"), again.header("content-type"));
    assert_eq!(again.header("cache-control"), "no-store");
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
}

#[tokio::test]
async fn every_post_is_answered_as_it_was_the_first_time() {
    for store in STORES {
        let app = TestApp::on(store, NO_DELAYS).await;
        let to = json!({ "to": PHONE });
        let started = keyed(&app, "a", STARTS, &to).await;
        let body = started.expect(201);
        let verification = format!("{STARTS}/{}", body["id"].as_str().unwrap());
        let code = json!({ "code": app.code_of(PHONE) });
        let by_number = json!({ "to": PHONE, "code": app.code_of(PHONE) });
        let other = app.started("+14155550142").await;
        let calls = [
            ("/v1/preview".to_owned(), to.clone(), 200),
            (format!("/v1/phones/{PHONE}/unlock"), json!({}), 200),
            (format!("{verification}/resend"), json!({}), 200),
            (format!("{}/cancel", other.path("")), json!({}), 200),
            (format!("{STARTS}/check"), by_number, 200),
        ];
        for (path, body, status) in calls {
            let first = keyed(&app, "a", &path, &body).await;
            first.expect(status);
            same(&first, &keyed(&app, "a", &path, &body).await);
        }
        // Each of them is still there, though the number is approved by now; without the key it is over.
        same(&started, &keyed(&app, "a", STARTS, &to).await);
        assert_eq!(app.messages(), 3);
        app.post(&format!("{verification}/check"), code.clone()).await.problem(409, "already_approved");
        let metrics = app.get("/metrics").await.text;
        assert!(metrics.contains(r#"verifyd_repeats_total{outcome="replayed"} 6"#), "{metrics}");
        app.advance(24 * 3600 + 60).await;
        assert_ne!(keyed(&app, "a", STARTS, &to).await.expect(201)["id"], body["id"], "a day is over");
    }
}

#[tokio::test]
async fn another_body_is_refused_and_another_scope_is_another_request() {
    let file = format!(
        "{NO_DELAYS}[[api_keys]]\nname = \"other\"\nkey = \"another-key-for-these-tests\"\n[[api_keys]]\nname = \"third\"\nkey = \"yet-another-key-for-tests\"\nscopes = [\"verify\"]\n"
    );
    let app = TestApp::with(&file).await;
    let first = keyed(&app, "k", STARTS, &json!({ "to": PHONE })).await;
    first.expect(201);
    let refused = keyed(&app, "k", STARTS, &json!({ "to": PHONE, "locale": "de" })).await;
    let refused = refused.problem(409, "idempotency_conflict");
    assert_eq!(refused["reason"], "body_differs");
    assert_eq!(app.messages(), 1);
    // Another caller, another key, another path.
    let body = json!({ "to": PHONE });
    for (number, (api_key, key)) in [("another-key-for-these-tests", "k"), ("dev", "K")].into_iter().enumerate() {
        let answer = keyed_as(&app, api_key, key, STARTS, &body).await;
        assert_eq!((answer.status, answer.header("idempotent-replayed")), (200, ""), "{}", answer.text);
        assert_eq!(app.messages(), number + 2);
    }
    keyed(&app, "k", "/v1/preview", &body).await.expect(200);
    // Not even a caller who knows the key gets the answer of another.
    let unknown = keyed_as(&app, "nobody", "k", STARTS, &body).await;
    unknown.problem(401, "unauthorized");
    same(&first, &keyed(&app, "k", STARTS, &body).await);
    // The method is part of the scope: a GET takes no notice of the header.
    let headers = [("authorization", "Bearer dev"), ("idempotency-key", "k")];
    assert_eq!(app.raw("GET", "/v1/limits?to=%2B14155552671", &headers, "").await.status, 200);
}

#[tokio::test]
async fn a_key_is_one_header_of_1_to_255_visible_characters() {
    let app = TestApp::new().await;
    let body = json!({ "to": PHONE });
    for key in ["", "a b", "caf\u{e9}", &"x".repeat(256)] {
        let problem = keyed(&app, key, STARTS, &body).await.problem(400, "invalid_request");
        assert_eq!(problem["field"], "Idempotency-Key", "{key:?}");
    }
    let twice = [("authorization", "Bearer dev"), ("idempotency-key", "a"), ("idempotency-key", "a")];
    let problem = app.raw("POST", STARTS, &twice, "").await.problem(400, "invalid_request");
    assert_eq!(problem["field"], "Idempotency-Key");
    assert_eq!(app.messages(), 0);
    for key in ["x", &"~".repeat(255), "\"8e03978e-40d5-43dd-bc93-6894a57f9324\""] {
        assert!(keyed(&app, key, "/v1/preview", &body).await.status == 200, "{key:?}");
    }
    // What is wrong with the body is told as without a key.
    let large = json!({ "to": "1".repeat(17_000) });
    keyed(&app, "l", STARTS, &large).await.problem(413, "payload_too_large");
    let headers = [("authorization", "Bearer dev"), ("idempotency-key", "m"), ("content-type", "text/plain")];
    app.raw("POST", STARTS, &headers, "{}").await.problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn a_duplicate_waits_while_the_first_is_sent_even_if_its_client_is_gone() {
    let app = Arc::new(TestApp::with(NO_DELAYS).await);
    let body = json!({ "to": SLOW });
    let first = tokio::spawn({
        let (app, body) = (Arc::clone(&app), body.clone());
        async move { keyed(&app, "k", STARTS, &body).await }
    });
    // Admitted, so at work; the limits count it.
    while app.sends_used(SLOW).await == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let waits = keyed(&app, "k", STARTS, &body).await;
    assert_eq!((waits.status, waits.header("retry-after")), (409, "1"), "{}", waits.text);
    assert_eq!(serde_json::from_str::<Value>(&waits.text).unwrap()["reason"], "in_progress");
    let differs = keyed(&app, "k", STARTS, &json!({ "to": SLOW, "locale": "de" })).await;
    assert_eq!(differs.problem(409, "idempotency_conflict")["reason"], "body_differs");
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    // A drain waits for the request that has lost its client.
    app.app.verifier.drain().await;
    let again = keyed(&app, "k", STARTS, &body).await;
    assert_eq!(again.expect(201)["deliveries"][0]["status"], "sent");
    assert_eq!((again.header("idempotent-replayed"), app.messages()), ("true", 1));
}

#[tokio::test]
async fn what_had_no_effect_is_not_kept() {
    let app = TestApp::with("[service.default.limits]\nsends_per_phone = \"1/1h\"\n").await;
    let body = json!({ "to": PHONE });
    app.started(PHONE).await;
    let limited = keyed(&app, "k", STARTS, &body).await.problem(429, "rate_limited");
    assert_eq!(app.sends_used(PHONE).await, 1);
    app.advance(limited["retry_after_seconds"].as_u64().unwrap()).await;
    let first = keyed(&app, "k", STARTS, &body).await;
    first.expect(201);
    same(&first, &keyed(&app, "k", STARTS, &body).await);
    assert_eq!(app.messages(), 2);
    // A failed send neither: the same request works once the sender does.
    let down = json!({ "to": "+14155550142", "outcome": "unavailable", "times": 1 });
    let headers = [("host", "127.0.0.1:8080"), ("content-type", "application/json")];
    assert_eq!(app.raw("POST", "/dev/outcomes", &headers, down.to_string()).await.status, 200);
    let body = json!({ "to": "+14155550142" });
    keyed(&app, "l", STARTS, &body).await.problem(503, "sender_unavailable");
    keyed(&app, "l", STARTS, &body).await.expect(201);
    assert_eq!(app.messages(), 3);
    // Nor a mistake.
    let id = format!("{STARTS}/check");
    for _ in 0..2 {
        let answer = keyed(&app, "m", &id, &json!({ "to": PHONE, "code": "12" })).await;
        answer.problem(422, "invalid_code_format");
        assert_eq!(answer.header("idempotent-replayed"), "");
    }
    keyed(&app, "m", &id, &json!({ "to": PHONE, "code": app.code_of(PHONE) })).await.expect(200);
}

#[tokio::test]
async fn a_wrong_guess_costs_once() {
    let app = TestApp::new().await;
    let started = app.started(PHONE).await;
    let guess = json!({ "code": started.wrong() });
    let first = keyed(&app, "k", &started.path("/check"), &guess).await;
    assert_eq!(first.expect(200)["checks_remaining"], 4);
    for _ in 0..10 {
        same(&first, &keyed(&app, "k", &started.path("/check"), &guess).await);
    }
    assert_eq!(app.get(&started.path("")).await.expect(200)["checks_remaining"], 4);
}

#[tokio::test]
async fn forgetting_a_number_forgets_what_was_answered_about_it() {
    for store in STORES {
        let app = TestApp::on(store, NO_DELAYS).await;
        let body = json!({ "to": PHONE });
        let first = keyed(&app, "k", STARTS, &body).await.expect(201);
        keyed(&app, "k", "/v1/preview", &body).await.expect(200);
        app.call_as("dev", "DELETE", "/v1/phones/%2B14155552671", None).await.expect(200);
        for path in [STARTS, "/v1/preview"] {
            assert_eq!(keyed(&app, "k", path, &body).await.header("idempotent-replayed"), "", "{path}");
        }
        assert_ne!(keyed(&app, "k", STARTS, &body).await.expect(201)["id"], first["id"]);
    }
}

#[tokio::test]
async fn two_hundred_duplicates_are_one_message() {
    for store in STORES {
        let app = Arc::new(TestApp::on(store, NO_DELAYS).await);
        let mut tasks = JoinSet::new();
        for _ in 0..200 {
            let app = Arc::clone(&app);
            tasks.spawn(async move { keyed(&app, "k", STARTS, &json!({ "to": PHONE })).await });
        }
        let answers = tasks.join_all().await;
        let created: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
        assert!(created.iter().all(|answer| answer.text == created[0].text));
        assert_eq!(created.iter().filter(|answer| answer.header("idempotent-replayed").is_empty()).count(), 1);
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            assert!(answer.status == 409 && answer.text.contains("in_progress"), "{}", answer.text);
        }
        assert_eq!((app.messages(), app.sends_used(PHONE).await), (1, 1));
    }
}
