//! `/dev/clock` and `/dev/outcomes`.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::json;
use tower::ServiceExt as _;
use verifyd_core::clock::Clock as _;
use verifyd_core::sender::SendErrorKind;

use super::TestInbox;

const YEAR_S: u64 = 31_536_000;

#[tokio::test]
async fn the_clock_moves_on_and_its_offset_is_kept_first() {
    let app = TestInbox::new();
    assert_eq!(app.get("/dev/clock").await.json()["offset_seconds"], 0);
    let before = app.clock.now();
    let answer = app.post("/dev/clock/advance", r#"{"seconds": 600}"#).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json()["offset_seconds"], 600);
    let now: jiff::Timestamp = answer.json()["now"].as_str().unwrap().parse().unwrap();
    assert!(u64::try_from(now.as_millisecond()).unwrap() >= before.unix_ms() + 600_000);
    app.post("/dev/clock/advance", r#"{"seconds": 1}"#).await;
    assert_eq!(app.get("/dev/clock").await.json()["offset_seconds"], 601);
    assert_eq!(*app.kept.lock().unwrap(), [Duration::from_secs(600), Duration::from_secs(601)]);
}

#[tokio::test]
async fn the_clock_moves_by_a_second_to_a_year() {
    for (seconds, status) in [(0, 400), (1, 200), (2, 200), (YEAR_S - 1, 200), (YEAR_S, 200), (YEAR_S + 1, 400)] {
        let app = TestInbox::new();
        let answer = app.post("/dev/clock/advance", &format!("{{\"seconds\":{seconds}}}")).await;
        assert_eq!(answer.status, status, "{seconds}");
        assert_eq!(app.clock.offset().as_secs(), if status == 200 { seconds } else { 0 });
    }
    let app = TestInbox::with_offset_of(Duration::from_secs(100 * YEAR_S - 1), false);
    assert_eq!(app.post("/dev/clock/advance", r#"{"seconds":2}"#).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(app.post("/dev/clock/advance", r#"{"seconds":1}"#).await.status, StatusCode::OK);
    assert_eq!(app.post("/dev/clock/advance", r#"{"seconds":1}"#).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_clock_whose_offset_cannot_be_kept_stands() {
    let app = TestInbox::with_offset_of(Duration::from_secs(5), true);
    let answer = app.post("/dev/clock/advance", r#"{"seconds":600}"#).await;
    assert_eq!((answer.status, &answer.json()["code"]), (StatusCode::INTERNAL_SERVER_ERROR, &json!("internal")));
    assert_eq!(app.clock.offset(), Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn moves_at_the_same_time_add_up_and_the_last_kept_is_the_sum() {
    let app = TestInbox::new();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let router = app.router.clone();
        running.spawn(async move {
            let request = Request::post("/dev/clock/advance").header("content-type", "application/json");
            router.oneshot(request.body(Body::from(r#"{"seconds":1}"#)).unwrap()).await.unwrap().status()
        });
    }
    while let Some(status) = running.join_next().await {
        assert_eq!(status.unwrap(), StatusCode::OK);
    }
    let kept = app.kept.lock().unwrap();
    assert_eq!(*kept, (1..=20).map(Duration::from_secs).collect::<Vec<_>>());
    assert_eq!(app.clock.offset(), Duration::from_secs(20));
}

#[tokio::test]
async fn bodies_are_read_strictly() {
    let app = TestInbox::new();
    for body in [
        "",
        "{}",
        "[]",
        "null",
        "600",
        r#"{"seconds":"600"}"#,
        r#"{"seconds":-1}"#,
        r#"{"seconds":1.5}"#,
        r#"{"seconds":1,"minutes":1}"#,
        r#"{"seconds":1,"seconds":2}"#,
        r#"{"seconds":1}{}"#,
        r#"{"seconds":1"#,
        r#"{"Seconds":1}"#,
        r#"{"seconds":18446744073709551616}"#,
    ] {
        let answer = app.post("/dev/clock/advance", body).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (StatusCode::BAD_REQUEST, &json!("invalid_request")),
            "{body}"
        );
    }
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let headers = [("content-type", media_type)];
        let answer = app.call(Method::POST, "/dev/clock/advance", &headers, r#"{"seconds":1}"#).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{media_type}");
    }
    let headers = [("content-type", "Application/JSON; charset=utf-8")];
    let answer = app.call(Method::POST, "/dev/clock/advance", &headers, r#"{"seconds":1}"#).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(app.clock.offset(), Duration::from_secs(1));
}

#[tokio::test]
async fn a_body_has_a_bound() {
    let app = TestInbox::new();
    for (length, status) in [(16 * 1024 - 1, 200), (16 * 1024, 200), (16 * 1024 + 1, 413)] {
        let body = format!("{:>length$}", r#"{"seconds":1}"#);
        assert_eq!(app.post("/dev/clock/advance", &body).await.status, status, "{length}");
    }
}

#[tokio::test]
async fn sends_to_a_number_fail_as_scripted() {
    let app = TestInbox::new();
    let answer = app.post("/dev/outcomes", r#"{"to":"(415) 555-2671","outcome":"throttled","times":1}"#).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json(), json!({"to": "+14155552671", "outcome": "throttled", "times": 1}));
    assert_eq!(app.get("/dev/outcomes").await.json(), json!([answer.json()]));
    let error = app.deliver("+14155552671", 1, "x", "default").await.unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Throttled { retry_after: Some(Duration::from_secs(30)) });
    assert!(app.deliver("+14155552671", 2, "x", "default").await.is_ok());
    assert_eq!(app.get("/dev/outcomes").await.json(), json!([]));
}

#[tokio::test]
async fn scripts_are_removed_one_by_one_or_all() {
    let app = TestInbox::new();
    for to in ["+14155552671", "+14155552672", "+14155552673"] {
        let body = format!("{{\"to\":\"{to}\",\"outcome\":\"rejected\"}}");
        assert_eq!(app.post("/dev/outcomes", &body).await.json()["times"], json!(null));
    }
    let answer = app.call(Method::DELETE, "/dev/outcomes?to=%2B14155552671", &[], "").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(app.inbox.scripts().len(), 2);
    let answer = app.call(Method::DELETE, "/dev/outcomes?to=nobody", &[], "").await;
    assert_eq!((answer.status, app.inbox.scripts().len()), (StatusCode::UNPROCESSABLE_ENTITY, 2));
    let answer = app.call(Method::DELETE, "/dev/outcomes", &[], "").await;
    assert_eq!((answer.status, app.inbox.scripts().len()), (StatusCode::NO_CONTENT, 0));
}

#[tokio::test]
async fn scripts_are_read_strictly() {
    let app = TestInbox::new();
    for (body, status, code) in [
        (r#"{"to":"+14155552671","outcome":"exploded"}"#, 400, "invalid_request"),
        (r#"{"to":"+14155552671","outcome":"rejected","times":0}"#, 400, "invalid_request"),
        (r#"{"to":"+14155552671","outcome":"rejected","times":1000001}"#, 400, "invalid_request"),
        (r#"{"to":"+14155552671","outcome":"rejected","time":1}"#, 400, "invalid_request"),
        (r#"{"to":"+14155552671"}"#, 400, "invalid_request"),
        (r#"{"to":"12","outcome":"rejected"}"#, 422, "invalid_phone_number"),
    ] {
        let answer = app.post("/dev/outcomes", body).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (status, &json!(code)), "{body}");
    }
    assert_eq!(app.inbox.scripts(), []);
    for times in [1, 1_000_000] {
        let body = format!(r#"{{"to":"+14155552671","outcome":"rejected","times":{times}}}"#);
        assert_eq!(app.post("/dev/outcomes", &body).await.json()["times"], times);
    }
}
