//! One verification from its start to its end, endpoint by endpoint, with whole bodies.

use serde_json::json;

use crate::support::{NO_DELAYS, PHONE, TestApp, redacted, text};

#[tokio::test]
async fn a_start_shows_the_whole_verification() {
    let app = TestApp::new().await;
    let answer = app.start(PHONE).await;
    let body = answer.expect(201);
    assert_eq!(
        redacted(&body, &body["created_at"]),
        json!({
            "id": "VE…", "service": "VA…", "to": PHONE, "status": "pending", "channel": "sms",
            "created_at": "T+0", "expires_at": "T+600", "checks_remaining": 5, "sends_remaining": 4,
            "next_send_at": "T+30", "next_check_at": "T+0",
            "deliveries": [{
                "id": "VL…", "at": "T+0", "sender": "inbox", "channel": "sms", "status": "sent", "segments": 1,
                "message_id": "SM…", "price": null, "error_code": null,
            }],
            "rate_limit": { "limit": 5, "remaining": 4, "reset_at": "T+3600", "window_seconds": 3600 },
            "test_code": "(code)",
        })
    );
    assert_eq!(body["test_code"], app.code_of(PHONE));
    assert_eq!(answer.header("x-request-id").len(), 16);
}

#[tokio::test]
async fn what_the_caller_gave_along_comes_back() {
    let app = TestApp::with("[service.default]\ncustom_codes = true\n").await;
    let request = json!({
        "to": "(415) 555-2671", "service": "default", "channel": "sms", "locale": "de", "client_ip": "203.0.113.7",
        "region": "US", "code": "834105", "app_hash": "FA+9qCX9VSu", "purpose": "login", "nonce": "n-1",
        "metadata": { "order": "17", "": "" },
    });
    app.post("/v1/verifications", request.clone()).await.problem(400, "invalid_request");
    let mut request = request;
    request["metadata"] = json!({ "order": "17" });
    let body = app.post("/v1/verifications", request).await.expect(201);
    assert_eq!(body["to"], PHONE);
    assert_eq!((&body["purpose"], &body["nonce"]), (&json!("login"), &json!("n-1")));
    assert_eq!(body["metadata"], json!({ "order": "17" }));
    assert_eq!(body["test_code"], "834105");
    let message = app.mock.inbox.messages(None).pop().unwrap();
    assert!(message.body.expose().contains("834105") && message.body.expose().contains("FA+9qCX9VSu"));
    assert!(
        message.body.expose().contains("lautet") || message.body.expose().contains("Code"),
        "{}",
        message.body.expose()
    );
}

#[tokio::test]
async fn a_verification_can_be_read_again_without_its_code() {
    let app = TestApp::new().await;
    let started = app.started(PHONE).await;
    let body = app.get(&started.path("")).await.expect(200);
    let mut expected = started.body.clone();
    expected.as_object_mut().unwrap().remove("test_code");
    let base = &started.body["created_at"];
    assert_eq!(redacted(&body, base), redacted(&expected, base));
    assert_eq!(body["id"], started.body["id"]);
}

#[tokio::test]
async fn a_resend_repeats_the_code_within_the_first_life() {
    let app = TestApp::with(NO_DELAYS).await;
    let started = app.started(PHONE).await;
    let by_id = app.post(&started.path("/resend"), json!({})).await.expect(200);
    assert_eq!(
        redacted(&by_id, &started.body["created_at"])["rate_limit"],
        json!({ "limit": 5, "remaining": 3, "reset_at": "T+3600", "window_seconds": 3600 })
    );
    let by_start = app.start(PHONE).await.expect(200);
    for (body, sends) in [(&by_id, 2), (&by_start, 3)] {
        assert_eq!(body["id"], started.body["id"]);
        assert_eq!(body["expires_at"], started.body["expires_at"]);
        assert_eq!(body["test_code"], started.body["test_code"]);
        assert_eq!(body["sends_remaining"], 5 - sends);
        assert_eq!(body["deliveries"].as_array().unwrap().len(), sends);
    }
    assert_eq!(app.messages(), 3);
}

#[tokio::test]
async fn a_wrong_guess_counts_and_the_right_one_approves() {
    let app = TestApp::new().await;
    let started = app.started(PHONE).await;
    let wrong = app.check(&started.id, started.wrong()).await.expect(200);
    let base = &started.body["created_at"];
    assert_eq!(
        redacted(&wrong, base),
        json!({
            "id": "VE…", "to": PHONE, "status": "pending", "valid": false, "checks_remaining": 4,
            "next_check_at": "T+0",
        })
    );
    let spaced = format!(" {} {} ", &started.code[..3], &started.code[3..]);
    let right = app.check(&started.id, &spaced).await.expect(200);
    assert_eq!(
        redacted(&right, base),
        json!({
            "id": "VE…", "to": PHONE, "status": "approved", "valid": true, "checks_remaining": 0,
            "next_check_at": null, "proof": "(proof)",
        })
    );
    let loaded = app.get(&started.path("")).await.expect(200);
    assert_eq!((&loaded["status"], &loaded["next_send_at"]), (&json!("approved"), &json!(null)));
}

#[tokio::test]
async fn a_guess_by_number_reaches_the_same_verification() {
    let app = TestApp::new().await;
    let started = app.started(PHONE).await;
    let guess = |to: &str, region: &str, code: &str| json!({ "to": to, "region": region, "code": code });
    let wrong = app.post("/v1/verifications/check", guess("415-555-2671", "US", started.wrong())).await.expect(200);
    assert_eq!((&wrong["valid"], &wrong["id"]), (&json!(false), &started.body["id"]));
    let right = app.post("/v1/verifications/check", guess(PHONE, "DE", &started.code)).await.expect(200);
    assert_eq!((&right["valid"], &right["status"]), (&json!(true), &json!("approved")));
}

#[tokio::test]
async fn a_canceled_verification_is_over() {
    let app = TestApp::new().await;
    let started = app.started(PHONE).await;
    let body = app.call_as("dev", "POST", &started.path("/cancel"), None).await.expect(200);
    assert_eq!((&body["status"], &body["checks_remaining"]), (&json!("canceled"), &json!(0)));
    app.check(&started.id, &started.code).await.problem(409, "canceled");
    let next = app.started(PHONE).await;
    assert_ne!(next.id, started.id);
}

#[tokio::test]
async fn a_preview_tells_all_and_spends_nothing() {
    let app = TestApp::new().await;
    let request = json!({ "to": "4155552671", "client_ip": "203.0.113.7" });
    let before = app.post("/v1/preview", request.clone()).await.expect(200);
    let limit = |name: &str, limit: u32, window: u32| {
        json!({
            "name": name, "limit": limit, "used": 0, "remaining": limit, "window_seconds": window,
            "retry_after_seconds": 0, "reset_at": "T+0",
        })
    };
    let base = &before["limits"][0]["reset_at"];
    let text_of = text(&before["text"]);
    assert!(text_of.contains("000000"), "{text_of}");
    assert_eq!(
        redacted(&before, base),
        json!({
            "to": PHONE, "region": "US", "number_type": "fixed_line_or_mobile", "allowed": true, "resend": false,
            "text": text_of, "locale": "en", "encoding": before["encoding"], "segments": 1,
            "route": { "sender": "inbox", "reason": before["route"]["reason"] },
            "limits": [
                limit("sends_per_phone", 5, 3_600),
                limit("sends_per_phone_all_services", 10, 86_400),
                limit("failed_checks_per_phone", 10, 86_400),
                limit("sends_per_ip", 30, 3_600),
            ],
        })
    );
    assert_eq!((app.messages(), app.sends_used(PHONE).await), (0, 0));
    app.started(PHONE).await;
    let after = app.post("/v1/preview", request).await.expect(200);
    assert_eq!((&after["resend"], &after["allowed"]), (&json!(true), &json!(false)), "the delay of a resend runs");
}

#[tokio::test]
async fn a_number_is_forgotten_and_its_limits_are_not() {
    let app = TestApp::new().await;
    let started = app.started(PHONE).await;
    let other = app.started("+14155550142").await;
    let answer = app.call_as("dev", "DELETE", &format!("/v1/phones/{PHONE}"), None).await;
    assert_eq!(answer.expect(200), json!({ "forgotten_verifications": 1 }));
    app.get(&started.path("")).await.problem(404, "not_found");
    app.check(&started.id, &started.code).await.problem(404, "not_found");
    assert_eq!(app.sends_used(PHONE).await, 1);
    app.get(&other.path("")).await.expect(200);
}

#[tokio::test]
async fn a_lock_is_lifted_by_unlock_alone() {
    let app = TestApp::with("[limits]\nfailed_checks_in_a_row = 2\n").await;
    let started = app.started(PHONE).await;
    for _ in 0..2 {
        assert_eq!(app.check(&started.id, started.wrong()).await.expect(200)["valid"], false);
    }
    let problem = app.check(&started.id, &started.code).await.problem(429, "max_checks_reached");
    assert_eq!((&problem["unlock_required"], &problem["retry_after_seconds"]), (&json!(true), &json!(86_400)));
    let unlock = format!("/v1/phones/{PHONE}/unlock");
    assert_eq!(app.post(&unlock, json!({})).await.expect(200), json!({ "failed_checks_in_a_row_before": 2 }));
    assert_eq!(app.post(&unlock, json!({})).await.expect(200), json!({ "failed_checks_in_a_row_before": 0 }));
    assert_eq!(app.limit(PHONE, "failed_checks_per_phone").await["used"], 2);
    assert_eq!(app.check(&started.id, &started.code).await.expect(200)["valid"], true);
}

#[tokio::test]
async fn health_and_readiness_need_no_key_and_metrics_do() {
    let app = TestApp::new().await;
    let started = app.started(PHONE).await;
    app.check(&started.id, started.wrong()).await.expect(200);
    for (path, body) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        let answer = app.raw("GET", path, &[], "").await;
        assert_eq!((answer.status, answer.text.as_str()), (200, body));
    }
    app.raw("GET", "/metrics", &[], "").await.problem(401, "unauthorized");
    let metrics = app.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.header("content-type").starts_with("application/openmetrics-text"));
    assert!(metrics.text.ends_with("# EOF\n"));
    assert!(!metrics.text.contains("2671") && !metrics.text.contains(&started.code), "{}", metrics.text);
    for name in ["verifyd_starts", "verifyd_checks", "verifyd_refusals", "verifyd_sends"] {
        assert!(metrics.text.contains(name), "{name} in {}", metrics.text);
    }
    app.shutdown.cancel();
    let draining = app.raw("GET", "/readyz", &[], "").await;
    assert_eq!(draining.problem(503, "store_unavailable")["reason"], "draining");
    assert_eq!(app.raw("GET", "/healthz", &[], "").await.status, 200);
}
