//! The walls: host names, and where a change comes from.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::TestInbox;

const READS: [&str; 6] =
    ["/inbox", "/inbox/fragment", "/inbox/messages", "/inbox/assets/inbox.js", "/dev/clock", "/dev/outcomes"];

/// Every call that changes something.
fn changes() -> Vec<(Method, &'static str, &'static str, &'static str)> {
    let (json, form) = ("application/json", "application/x-www-form-urlencoded");
    vec![
        (Method::DELETE, "/inbox/messages", "", ""),
        (Method::DELETE, "/dev/outcomes", "", ""),
        (Method::POST, "/dev/clock/advance", json, r#"{"seconds":1}"#),
        (Method::POST, "/dev/outcomes", json, r#"{"to":"+14155552671","outcome":"lost"}"#),
        (Method::POST, "/inbox/clear", "", ""),
        (Method::POST, "/inbox/outcomes", form, "to=%2B14155552671&outcome=lost&times="),
        (Method::POST, "/inbox/outcomes/clear", form, ""),
        (Method::POST, "/inbox/clock", form, "seconds=1"),
    ]
}

async fn statuses(app: &TestInbox, extra: &[(&str, &str)]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for (method, path, media_type, body) in changes() {
        let mut headers = extra.to_vec();
        headers.push(("content-type", media_type));
        statuses.push(app.call(method, path, &headers, body).await.status.as_u16());
    }
    statuses
}

#[tokio::test]
async fn only_our_own_names_are_served() {
    let app = TestInbox::new();
    for host in [
        "127.0.0.1:8080",
        "127.1.2.3",
        "[::1]:8080",
        "[::1]",
        "localhost",
        "localhost:3000",
        "LOCALHOST",
        "localhost.",
        "app.localhost:8080",
        "10.0.0.7:8080",
        "[fd00::1]:80",
        "verify.example.com",
        "Verify.Example.COM:443",
    ] {
        assert_eq!(app.call(Method::GET, "/inbox/messages", &[("host", host)], "").await.status, 200, "{host}");
    }
    for host in [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "notlocalhost",
        "127.0.0.1.evil.example",
        "verify.example.com.evil.example",
        "xverify.example.com",
        "127.0.0.1@evil.example",
        "evil@localhost",
        "",
        " ",
        "0x7f.1",
        "a b",
        "[::1",
    ] {
        for path in READS {
            let answer = app.call(Method::GET, path, &[("host", host)], "").await;
            assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{host} {path}");
            assert_eq!(answer.json()["code"], "misdirected_request");
        }
        assert_eq!(statuses(&app, &[("host", host)]).await, [421; 8], "{host}");
    }
}

#[tokio::test]
async fn the_name_in_the_request_line_counts_before_the_header() {
    let app = TestInbox::new();
    let answer = app.call(Method::GET, "http://evil.example/inbox", &[("host", "localhost")], "").await;
    assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST);
    let answer = app.call(Method::GET, "http://localhost:8080/inbox", &[], "").await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn foreign_pages_change_nothing() {
    let app = TestInbox::new();
    app.deliver("+14155552671", 1, "x", "default").await.unwrap();
    for foreign in [
        [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
        [("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:3000")],
        [("sec-fetch-site", "cross-site"), ("origin", "http://127.0.0.1:8080")],
        [("sec-fetch-site", ""), ("origin", "http://127.0.0.1:8080")],
        [("accept", "*/*"), ("origin", "https://evil.example")],
        [("accept", "*/*"), ("origin", "null")],
        [("accept", "*/*"), ("origin", "")],
        [("accept", "*/*"), ("origin", "http://127.0.0.1:3000")],
        [("accept", "*/*"), ("origin", "http://127.0.0.1")],
    ] {
        assert_eq!(statuses(&app, &foreign).await, [403; 8], "{foreign:?}");
    }
    let left = (app.inbox.messages(None).len(), app.inbox.scripts().len(), app.clock.offset().as_secs());
    assert_eq!(left, (1, 0, 0));
    let answer = app.call(Method::DELETE, "/inbox/messages", &[("sec-fetch-site", "cross-site")], "").await;
    assert_eq!(answer.json()["code"], json!("forbidden"));
}

#[tokio::test]
async fn our_own_page_and_programs_may() {
    let expected = [204, 204, 200, 200, 303, 303, 303, 303];
    for own in [
        &[("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:8080")][..],
        &[("sec-fetch-site", "none")],
        &[("origin", "http://127.0.0.1:8080")],
        &[("origin", "https://Verify.example.com"), ("host", "verify.example.com")],
        &[],
    ] {
        assert_eq!(statuses(&TestInbox::new(), own).await, expected, "{own:?}");
    }
}

#[tokio::test]
async fn every_answer_tells_browsers_what_is_allowed() {
    let app = TestInbox::new();
    let csp = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
               form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    for path in READS.iter().chain(&["/inbox?to=nobody", "/inbox/messages?to=nobody", "/inbox/assets/none"]) {
        for host in ["127.0.0.1", "evil.example"] {
            let answer = app.call(Method::GET, path, &[("host", host)], "").await;
            assert_eq!(answer.header("content-security-policy"), csp, "{path}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
            assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
        }
    }
}
