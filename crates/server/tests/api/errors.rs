//! Every error code that the API can give today, with its whole document.

use serde_json::json;

use crate::support::{NO_DELAYS, PHONE, TestApp, redacted, wrong_for};

#[tokio::test]
async fn a_problem_document_is_whole() {
    let app = TestApp::new().await;
    let answer = app.get("/v1/nothing").await;
    assert_eq!(
        answer.problem(404, "not_found"),
        json!({
            "type": "urn:verifyd:error:not_found", "title": "Not found", "status": 404, "code": "not_found",
            "detail": "no such path",
        })
    );
    assert_eq!(answer.header("retry-after"), "");
    let unauthorized = app.raw("GET", "/v1/limits?to=1", &[], "").await;
    unauthorized.problem(401, "unauthorized");
    assert_eq!(unauthorized.header("www-authenticate"), "Bearer realm=\"verifyd\"");
}

#[tokio::test]
async fn refused_requests_have_their_codes() {
    let app = TestApp::with("[service.default]\nallowed_countries = [\"US\"]\n").await;
    let start = |body| app.post("/v1/verifications", body);
    start(json!({ "to": PHONE, "channel": "pigeon" })).await.problem(400, "invalid_request");
    start(json!({ "to": "12" })).await.problem(422, "invalid_phone_number");
    let toll_free = start(json!({ "to": "+18005550199" })).await.problem(422, "number_type_not_allowed");
    assert_eq!(toll_free["reason"], "type_not_allowed");
    let satellite = start(json!({ "to": "+881612345678" })).await.problem(422, "number_type_not_allowed");
    assert_eq!(satellite["reason"], "prefix_not_allowed");
    let abroad = start(json!({ "to": "+442079460958" })).await.problem(422, "country_not_allowed");
    assert_eq!(abroad["reason"], "country_not_allowed");
    let own_code = start(json!({ "to": PHONE, "code": "834105" })).await.problem(403, "forbidden");
    assert_eq!(own_code["field"], "code");
    start(json!({ "to": PHONE, "code": "12" })).await.problem(422, "invalid_code_format");
    assert_eq!((app.messages(), app.sends_used(PHONE).await), (0, 0));
}

#[tokio::test]
async fn ended_verifications_say_how_they_ended() {
    let app = TestApp::with(NO_DELAYS).await;
    let approved = app.started(PHONE).await;
    app.check(&approved.id, &approved.code).await.expect(200);
    let canceled = app.started("+14155550142").await;
    app.post(&canceled.path("/cancel"), json!({})).await.expect(200);
    let expired = app.started("+14155550143").await;
    app.advance(600).await;
    for (ended, status, code) in
        [(&approved, 409, "already_approved"), (&canceled, 409, "canceled"), (&expired, 410, "expired")]
    {
        app.check(&ended.id, &ended.code).await.problem(status, code);
        app.check(&ended.id, ended.wrong()).await.problem(status, code);
        app.post(&ended.path("/resend"), json!({})).await.problem(status, code);
        app.post(&ended.path("/cancel"), json!({})).await.problem(status, code);
    }
    assert_eq!(app.get(&expired.path("")).await.expect(200)["status"], "expired");
}

#[tokio::test]
async fn another_purpose_or_code_conflicts() {
    let app = TestApp::with("[service.default]\ncustom_codes = true\n[limits]\nresend_delays = []\n").await;
    let body = json!({ "to": PHONE, "code": "834105", "purpose": "login" });
    let start = |body| app.post("/v1/verifications", body);
    start(body.clone()).await.expect(201);
    for other in [json!({ "to": PHONE, "code": "834106" }), json!({ "to": PHONE, "purpose": "payment" })] {
        start(other).await.problem(409, "idempotency_conflict");
    }
    start(body).await.expect(200);
    assert_eq!(app.messages(), 2);
}

#[tokio::test]
async fn a_guess_of_another_length_costs_nothing() {
    let app = TestApp::with("[service.default]\ncode_length = 4\n").await;
    let started = app.started(PHONE).await;
    let problem = app.check(&started.id, "123456").await.problem(422, "invalid_code_format");
    assert_eq!(problem["detail"], "the code has 4 digits; this guess was not counted");
    for bad in ["", "12", "12345678901", "12a4", "+1234"] {
        app.check(&started.id, bad).await.problem(422, "invalid_code_format");
    }
    assert_eq!(app.get(&started.path("")).await.expect(200)["checks_remaining"], 5);
    assert_eq!(app.check(&started.id, &started.code).await.expect(200)["valid"], true);
}

#[tokio::test]
async fn without_guesses_nothing_is_sent_until_the_life_ends() {
    let app = TestApp::new().await;
    let started = app.started(PHONE).await;
    for left in (0..5).rev() {
        let body = app.check(&started.id, started.wrong()).await.expect(200);
        let status = if left == 0 { "max_attempts_reached" } else { "pending" };
        assert_eq!((&body["checks_remaining"], &body["status"]), (&json!(left), &json!(status)));
    }
    for answer in [app.check(&started.id, &started.code).await, app.start(PHONE).await] {
        let problem = answer.problem(429, "max_checks_reached");
        assert_eq!(problem["retry_at"], started.body["expires_at"]);
        let wait = problem["retry_after_seconds"].as_u64().unwrap();
        assert!((540..=600).contains(&wait), "{wait}");
    }
    app.advance(600).await;
    assert_ne!(app.started(PHONE).await.id, started.id);
}

#[tokio::test]
async fn a_verification_has_so_many_messages() {
    let app = TestApp::with("[limits]\nresend_delays = []\nsends_per_verification = 2\n").await;
    let started = app.started(PHONE).await;
    app.start(PHONE).await.expect(200);
    for answer in [app.start(PHONE).await, app.post(&started.path("/resend"), json!({})).await] {
        let problem = answer.problem(429, "max_sends_reached");
        assert_eq!(problem["retry_at"], started.body["expires_at"]);
    }
    assert_eq!((app.messages(), app.sends_used(PHONE).await), (2, 2));
}

#[tokio::test]
async fn a_store_without_room_answers_503_and_keeps_what_it_has() {
    let app = TestApp::with("[store]\nmax_records = 2\n").await;
    let started = app.started(PHONE).await;
    let answer = app.start("+14155550142").await;
    assert_eq!(
        answer.problem(503, "store_unavailable"),
        json!({
            "type": "urn:verifyd:error:store_unavailable", "title": "The store cannot answer now", "status": 503,
            "code": "store_unavailable", "reason": "full", "retry_after_seconds": 10,
            "detail": "the request was not carried out, or its charge stands; try again",
        })
    );
    assert_eq!(app.messages(), 1);
    assert_eq!(app.check(&started.id, &started.code).await.expect(200)["valid"], true);
}

#[tokio::test]
async fn guesses_against_a_number_are_bounded_over_its_verifications() {
    let app = TestApp::with("[limits]\nfailed_checks_per_phone = \"3/24h\"\nresend_delays = []\n").await;
    let first = app.started(PHONE).await;
    for left in [2, 1] {
        assert_eq!(app.check(&first.id, first.wrong()).await.expect(200)["checks_remaining"], left);
    }
    app.post(&first.path("/cancel"), json!({})).await.expect(200);
    let second = app.started(PHONE).await;
    assert_eq!(second.body["checks_remaining"], 1);
    assert_eq!(app.check(&second.id, wrong_for(&second.code)).await.expect(200)["checks_remaining"], 0);
    let problem = app.check(&second.id, &second.code).await.problem(429, "max_checks_reached");
    let base = &first.body["created_at"];
    assert_eq!(redacted(&problem, base)["retry_at"], "T+86400");
    app.start(PHONE).await.problem(429, "max_checks_reached");
    assert_eq!(app.messages(), 2);
}
