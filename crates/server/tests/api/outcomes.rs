//! What a start answers and what it costs, by what the sender says: the inbox's magic numbers.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::TestApp;

#[tokio::test]
async fn a_refused_message_is_given_back_unless_it_smells_of_fraud() {
    let app = TestApp::new().await;
    for (to, reason, provider_code, charged) in [
        ("+15005550001", "rejected", "21211", 0),
        ("+15005550004", "rejected", "21211", 0),
        ("+15005550009", "unsupported", "21614", 0),
        ("+15005550010", "suspected_fraud", "30453", 1),
    ] {
        let mut problem = app.start(to).await.problem(422, "undeliverable");
        let detail = problem["detail"].take();
        assert!(!detail.as_str().unwrap().contains("5005550"), "{detail}");
        assert_eq!(
            problem,
            json!({
                "type": "urn:verifyd:error:undeliverable", "title": "Not deliverable", "status": 422,
                "code": "undeliverable", "detail": null, "reason": reason, "provider_code": provider_code,
                "sender": "inbox",
            }),
            "{to}"
        );
        assert_eq!(app.sends_used(to).await, charged, "{to}");
    }
    assert_eq!(app.messages(), 0);
}

#[tokio::test]
async fn an_outage_is_given_back_and_says_when_to_try_again() {
    let app = TestApp::new().await;
    for (to, wait, provider_code) in
        [("+15005550002", 5, Value::Null), ("+15005550003", 5, Value::Null), ("+15005550005", 30, json!("20429"))]
    {
        assert_eq!(
            app.start(to).await.problem(503, "sender_unavailable"),
            json!({
                "type": "urn:verifyd:error:sender_unavailable", "title": "No message can be sent now", "status": 503,
                "code": "sender_unavailable", "provider_code": provider_code, "sender": "inbox",
                "detail": "the message did not leave, and its charge is given back; try again later",
                "retry_after_seconds": wait,
            }),
            "{to}"
        );
        assert_eq!(app.sends_used(to).await, 0, "{to}");
        // It can be tried again at once, and as often: nothing was spent.
        for _ in 0..6 {
            app.start(to).await.problem(503, "sender_unavailable");
        }
    }
    assert_eq!(app.messages(), 0);
}

#[tokio::test]
async fn an_unknown_outcome_is_charged_and_told() {
    let app = TestApp::new().await;
    let started = app.started("+15005550007").await;
    let delivery = &started.body["deliveries"][0];
    assert_eq!((&delivery["status"], &delivery["sender"]), (&json!("unknown"), &json!("inbox")));
    assert_eq!((&delivery["message_id"], &delivery["segments"]), (&json!(null), &json!(1)));
    assert_eq!(started.body["status"], "pending");
    assert_eq!(app.sends_used("+15005550007").await, 1);
    // It arrived all the same, and its code counts.
    assert_eq!(app.check(&started.id, &started.code).await.expect(200)["valid"], true);
}

#[tokio::test]
async fn a_slow_send_is_a_send() {
    let app = TestApp::new().await;
    let started = app.started("+15005550008").await;
    assert_eq!(started.body["deliveries"][0]["status"], "sent");
    assert_eq!(app.check(&started.id, &started.code).await.expect(200)["valid"], true);
}

#[tokio::test]
async fn a_lost_message_is_charged() {
    let app = TestApp::new().await;
    let body = app.start("+15005550011").await.expect(201);
    assert_eq!(body["deliveries"][0]["status"], "sent");
    assert_eq!((app.messages(), app.sends_used("+15005550011").await), (0, 1));
}

#[tokio::test]
async fn a_client_that_hangs_up_changes_nothing() {
    let app = TestApp::new().await;
    {
        let start = app.start("+15005550008");
        // Polled until the send is under way, then dropped.
        let waited = tokio::time::timeout(Duration::from_millis(200), start).await;
        assert!(waited.is_err(), "the delayed send answered at once");
    }
    assert_eq!(app.sends_used("+15005550008").await, 1);
    app.app.verifier.drain().await;
    let code = app.code_of("+15005550008");
    let body = app.post("/v1/verifications/check", json!({ "to": "+15005550008", "code": code })).await.expect(200);
    assert_eq!(body["valid"], true);
}

#[tokio::test]
async fn a_failed_send_leaves_a_verification_that_a_start_replaces() {
    let app = TestApp::new().await;
    let to = "+14155552671";
    let headers = [("host", "127.0.0.1:8080"), ("content-type", "application/json")];
    let script = json!({ "to": to, "outcome": "unavailable", "times": 1 }).to_string();
    assert_eq!(app.raw("POST", "/dev/outcomes", &headers, script).await.status, 200);
    app.start(to).await.problem(503, "sender_unavailable");
    let started = app.started(to).await;
    assert_eq!(started.body["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!(app.check(&started.id, &started.code).await.expect(200)["valid"], true);
}
