//! Limits over HTTP: what 429 says, and that it is exact.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{NO_DELAYS, PHONE, TestApp, instant, redacted};

#[tokio::test]
async fn the_sixth_start_in_an_hour_waits_for_the_exact_instant() {
    let app = TestApp::new().await;
    let first = app.started(PHONE).await;
    let mut last = instant(&first.body["created_at"]);
    for _ in 0..4 {
        // Past its life, so that every start is a new verification.
        app.advance(601).await;
        last = instant(&app.started(PHONE).await.body["created_at"]);
    }
    app.advance(601).await;
    let answer = app.start(PHONE).await;
    let problem = answer.problem(429, "rate_limited");
    let base = &first.body["created_at"];
    assert_eq!(instant(&problem["reset_at"]), last + 3_600_000, "all five are free again an hour after the last");
    let mut shown = redacted(&problem, base);
    shown["reset_at"].take();
    assert!((585..=595).contains(&shown["retry_after_seconds"].take().as_u64().unwrap()), "{problem}");
    assert_eq!(
        shown,
        json!({
            "type": "urn:verifyd:error:rate_limited", "title": "Too many requests", "status": 429,
            "code": "rate_limited", "detail": "a limit is reached; nothing was spent", "name": "sends_per_phone",
            "limit": 5, "remaining": 0, "window_seconds": 3600, "reset_at": null, "retry_at": "T+3600",
            "retry_after_seconds": null,
        })
    );
    let retry_at = instant(&problem["retry_at"]);
    assert_eq!(retry_at, instant(base) + 3_600_000);
    assert_eq!(app.messages(), 5);

    app.go_to(retry_at, Duration::from_millis(30));
    let sixth = loop {
        let asked_at = app.now_ms();
        let answer = app.start(PHONE).await;
        if answer.status == 201 {
            break answer.expect(201);
        }
        let problem = answer.problem(429, "rate_limited");
        assert_eq!((instant(&problem["retry_at"]), &problem["retry_after_seconds"]), (retry_at, &json!(1)));
        assert!(asked_at < retry_at, "refused after its time");
    };
    assert!(instant(&sixth["created_at"]) >= retry_at, "{sixth}");
    assert_eq!(app.messages(), 6);
}

#[tokio::test]
async fn a_resend_waits_for_its_escalating_delay() {
    let app = TestApp::new().await;
    let started = app.started(PHONE).await;
    for (sends, delay) in [(1, 30), (2, 60), (3, 120), (4, 300)] {
        let problem = app.post(&started.path("/resend"), json!({})).await.problem(429, "rate_limited");
        assert_eq!((&problem["name"], &problem["limit"]), (&json!("resend_delay"), &json!(1)));
        assert_eq!(problem["window_seconds"], delay);
        assert_eq!(problem["retry_at"], app.get(&started.path("")).await.expect(200)["next_send_at"]);
        app.advance(delay).await;
        let body = app.post(&started.path("/resend"), json!({})).await.expect(200);
        assert_eq!(body["deliveries"].as_array().unwrap().len(), sends + 1);
    }
    app.post(&started.path("/resend"), json!({})).await.problem(429, "max_sends_reached");
}

#[tokio::test]
async fn limits_are_shown_without_effect() {
    let app = TestApp::new().await;
    let started = app.started(PHONE).await;
    app.check(&started.id, started.wrong()).await.expect(200);
    let path = "/v1/limits?to=%2B14155552671&client_ip=203.0.113.7";
    let body = app.get(path).await.expect(200);
    let base = &started.body["created_at"];
    let names: Vec<_> = body["limits"].as_array().unwrap().iter().map(|limit| limit["name"].clone()).collect();
    assert_eq!(
        names,
        [
            "sends_per_phone",
            "sends_per_phone_all_services",
            "failed_checks_per_phone",
            "sends_per_ip",
            "sends_per_verification",
            "checks_per_verification",
            "resend_delay",
        ]
    );
    assert_eq!((&body["to"], &body["allowed"]), (&json!(PHONE), &json!(false)));
    assert_eq!(body["failed_checks_in_a_row"], 1);
    assert_eq!(
        redacted(&body["limits"][0], base),
        json!({
            "name": "sends_per_phone", "limit": 5, "used": 1, "remaining": 4, "reset_at": "T+3600",
            "window_seconds": 3600, "retry_after_seconds": 0,
        })
    );
    assert_eq!(
        redacted(&body["limits"][2], base),
        json!({
            "name": "failed_checks_per_phone", "limit": 10, "used": 1, "remaining": 9, "reset_at": "T+86400",
            "window_seconds": 86_400, "retry_after_seconds": 0,
        })
    );
    assert_eq!((&body["limits"][3]["used"], &body["limits"][3]["limit"]), (&json!(0), &json!(30)));
    let again = app.get(path).await.expect(200);
    let used =
        |body: &Value| body["limits"].as_array().unwrap().iter().map(|limit| limit["used"].clone()).collect::<Vec<_>>();
    assert_eq!(used(&again), used(&body));
}

#[tokio::test]
async fn a_plus_sign_in_a_query_may_be_a_space() {
    let app = TestApp::new().await;
    app.started(PHONE).await;
    for query in
        ["to=+14155552671", "to=%2B14155552671", "to=4155552671", "to=415-555-2671&region=US", "to=tel:+14155552671"]
    {
        let body = app.get(&format!("/v1/limits?{query}")).await.expect(200);
        assert_eq!((&body["to"], &body["limits"][0]["used"]), (&json!(PHONE), &json!(1)), "{query}");
    }
    for query in [
        "",
        "region=US",
        "to=+14155552671&to=+14155552671",
        "to=+14155552671&tow=1",
        "to=+14155552671&client_ip=x",
        "to=+14155552671&region=us",
    ] {
        app.get(&format!("/v1/limits?{query}")).await.problem(400, "invalid_request");
    }
    for query in ["to", "to=", "to=%FF", "to=12", "to=call"] {
        app.get(&format!("/v1/limits?{query}")).await.problem(422, "invalid_phone_number");
    }
}

#[tokio::test]
async fn an_address_has_so_many_sends_over_all_numbers() {
    let app = TestApp::with("[limits]\nsends_per_ip = \"2/1h\"\n").await;
    let start =
        |n: u32, ip: &str| app.post("/v1/verifications", json!({ "to": format!("+1415555010{n}"), "client_ip": ip }));
    start(1, "203.0.113.7").await.expect(201);
    start(2, "::ffff:203.0.113.7").await.expect(201);
    let problem = start(3, "203.0.113.7").await.problem(429, "rate_limited");
    assert_eq!(
        (&problem["name"], &problem["limit"], &problem["remaining"]),
        (&json!("sends_per_ip"), &json!(2), &json!(0))
    );
    assert!((1_790..=1_800).contains(&problem["retry_after_seconds"].as_u64().unwrap()), "{problem}");
    assert_eq!(app.sends_used("+14155550103").await, 0, "nothing is spent unless all limits allow");
    start(3, "203.0.113.8").await.expect(201);
    app.advance(1_800).await;
    start(4, "203.0.113.7").await.expect(201);
}

#[tokio::test]
async fn a_number_has_so_many_sends_over_all_services() {
    let file = "[limits]\nsends_per_phone_all_services = \"2/24h\"\n[service.shop]\nname = \"Shop\"\n[service.bank]\nname = \"Bank\"\n";
    let app = TestApp::with(file).await;
    let start = |service: &str| app.post("/v1/verifications", json!({ "to": PHONE, "service": service }));
    let shop = start("shop").await.expect(201);
    let bank = start("bank").await.expect(201);
    assert_ne!(shop["service"], bank["service"]);
    let problem = start("default").await.problem(429, "rate_limited");
    assert_eq!(problem["name"], "sends_per_phone_all_services");
    assert_eq!(redacted(&problem, &shop["created_at"])["retry_at"], "T+86400");
}

#[tokio::test]
async fn a_code_lives_to_the_end_of_its_life() {
    let app = TestApp::with(NO_DELAYS).await;
    // Ten times what a request takes on a busy machine.
    let in_time = app.started(PHONE).await;
    app.go_to(instant(&in_time.body["expires_at"]), Duration::from_secs(5));
    assert_eq!(app.check(&in_time.id, &in_time.code).await.expect(200)["status"], "approved");
    let late = app.started(PHONE).await;
    app.go_to(instant(&late.body["expires_at"]), Duration::ZERO);
    app.check(&late.id, &late.code).await.problem(410, "expired");
}
