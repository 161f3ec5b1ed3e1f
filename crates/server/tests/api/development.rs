//! What only development has: codes in replies, test numbers, and that a forgotten number leaves the inbox, too.

use std::time::Duration;

use serde_json::json;
use verifyd_core::clock::{Clock as _, SystemClock, Timestamp};

use crate::support::{NO_DELAYS, PHONE, TestApp};

#[tokio::test]
async fn a_code_is_shown_only_where_that_is_switched_on() {
    let dev = TestApp::new().await;
    assert_eq!(dev.started(PHONE).await.body["test_code"], dev.code_of(PHONE));
    let hidden = [TestApp::with("expose_codes = false\n").await, TestApp::serve("mock = true\n").await];
    for app in hidden {
        let answer = app.start(PHONE).await;
        let body = answer.expect(201);
        assert!(body.get("test_code").is_none(), "{body}");
        assert!(!answer.text.contains(&app.code_of(PHONE)), "{body}");
    }
    let served = TestApp::serve("mock = true\nexpose_codes = true\n").await;
    assert_eq!(served.started(PHONE).await.body["test_code"], served.code_of(PHONE));
}

/// A file with [`PHONE`] as test number until `until`.
fn test_number(until: Timestamp) -> String {
    let until = jiff::Timestamp::from_millisecond(i64::try_from(until.unix_ms()).unwrap()).unwrap();
    format!("[[test_numbers]]\nnumber = \"{PHONE}\"\ncode = \"4711\"\nuntil = \"{until}\"\n{NO_DELAYS}")
}

#[tokio::test]
async fn a_test_number_has_its_code_until_its_end() {
    let until = SystemClock.now() + Duration::from_secs(86_400);
    let app = TestApp::with(&test_number(until)).await;
    let body = app.start(PHONE).await.expect(201);
    assert_eq!(body["deliveries"][0]["sender"], "test_number");
    assert_eq!(app.messages(), 0);
    let id = body["id"].as_str().unwrap();
    app.check(id, "471111").await.problem(422, "invalid_code_format");
    assert_eq!(app.check(id, "4712").await.expect(200)["valid"], false);
    assert_eq!(app.check(id, "4711").await.expect(200)["valid"], true);

    // From its end on it is an ordinary number: a made code of the service's length, and a message.
    app.go_to(until.unix_ms(), Duration::ZERO);
    let after = app.started(PHONE).await;
    assert_eq!(after.body["deliveries"][0]["sender"], "inbox");
    assert_eq!((app.messages(), after.code.len()), (1, 6));
    app.check(&after.id, "4711").await.problem(422, "invalid_code_format");
    assert_eq!(app.check(&after.id, &after.code).await.expect(200)["valid"], true);
}

#[tokio::test]
async fn the_inbox_forgets_a_forgotten_number() {
    let app = TestApp::with(NO_DELAYS).await;
    for to in [PHONE, "+14155550142", "+5493435551212"] {
        app.started(to).await;
    }
    let headers = [("host", "127.0.0.1:8080"), ("content-type", "application/json")];
    let script = json!({ "to": PHONE, "outcome": "rejected" }).to_string();
    assert_eq!(app.raw("POST", "/dev/outcomes", &headers, script).await.status, 200);
    // Refused, so nothing is forgotten.
    app.call_as("dev", "DELETE", "/v1/phones/12", None).await.problem(422, "invalid_phone_number");
    assert_eq!(app.messages(), 3);
    for (path, left) in [("/v1/phones/415-555-2671", 2), ("/v1/phones/+543435551212", 1)] {
        let body = app.call_as("dev", "DELETE", path, None).await.expect(200);
        assert_eq!((&body["forgotten_verifications"], app.messages()), (&json!(1), left), "{path}");
    }
    let left = app.raw("GET", "/inbox/messages", &headers[..1], "").await;
    assert!(
        left.text.contains("+14155550142") && !left.text.contains("2671") && !left.text.contains("1212"),
        "{}",
        left.text
    );
    assert_eq!(app.raw("GET", "/dev/outcomes", &headers[..1], "").await.text, "[]");
}
