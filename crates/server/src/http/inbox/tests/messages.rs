//! What `/inbox/messages` answers, and how it is emptied.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::TestInbox;

#[tokio::test]
async fn messages_are_listed_with_exactly_the_promised_fields() {
    let app = TestInbox::new();
    assert_eq!(app.get("/inbox/messages").await.json(), json!([]));
    app.deliver("+14155552671", 1, "Your Acme verification code is: 042137", "default").await.unwrap();
    let answer = app.get("/inbox/messages").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/json"));
    assert_eq!(
        answer.json(),
        json!([{
            "id": "SM01010101010101010101010101010101",
            "to": "+14155552671",
            "body": "Your Acme verification code is: 042137",
            "code": "042137",
            "sent_at": "2023-11-14T22:13:20.123Z",
            "service": "default",
            "verification": "VE07070707070707070707070707070707",
            "segments": 1,
            "encoding": "GSM-7",
        }])
    );
}

#[tokio::test]
async fn the_oldest_comes_first_and_the_number_may_be_spelled_in_many_ways() {
    let app = TestInbox::new();
    for (to, delivery) in [("+14155552671", 1), ("+447911123456", 2), ("+14155552671", 3)] {
        app.deliver(to, delivery, "x", "default").await.unwrap();
    }
    let ids = async |path: &str| -> Vec<String> {
        let list = app.get(path).await.json();
        list.as_array().unwrap().iter().map(|message| message["id"].as_str().unwrap()[2..4].to_owned()).collect()
    };
    assert_eq!(ids("/inbox/messages").await, ["01", "02", "03"]);
    assert_eq!(ids("/inbox/messages?to=").await, ["01", "02", "03"]);
    for to in ["%2B14155552671", "+14155552671", "14155552671", "4155552671", "(415)%20555-2671"] {
        assert_eq!(ids(&format!("/inbox/messages?to={to}")).await, ["01", "03"], "{to}");
    }
    assert_eq!(ids("/inbox/messages?to=447911123456").await, ["02"]);
    assert_eq!(ids("/inbox/messages?to=%2B14155552672").await, [""; 0]);
}

#[tokio::test]
async fn what_is_no_number_is_refused_and_not_an_empty_list() {
    let app = TestInbox::new();
    for to in ["12", "x", "%2B1", "%F0%9F%98%80", &"1".repeat(65)] {
        let answer = app.get(&format!("/inbox/messages?to={to}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{to}");
        assert_eq!(answer.json()["code"], "invalid_phone_number", "{to}");
    }
}

#[tokio::test]
async fn delete_empties_the_inbox() {
    let app = TestInbox::new();
    app.deliver("+14155552671", 1, "x", "default").await.unwrap();
    let answer = app.call(Method::DELETE, "/inbox/messages", &[], "").await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""));
    assert_eq!(app.get("/inbox/messages").await.json(), json!([]));
    let answer = app.post("/inbox/messages", "{}").await;
    assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD,DELETE"));
    assert_eq!(answer.json()["code"], "method_not_allowed");
}
