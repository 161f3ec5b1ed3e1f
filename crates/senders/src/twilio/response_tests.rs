//! Answers of every odd shape, and what they mean.

use super::*;

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        request_id: Some("RQ01".into()),
        retry_after: None,
        body: AnswerBody::Whole(body.as_bytes().to_vec()),
    }
}

const SID: &str = "SM0123456789abcdef0123456789abcdef";

#[test]
fn a_real_answer_is_read() {
    let body = r#"{"body":"Sent from your Twilio trial account - Hello","num_segments":"1","direction":"outbound-api",
        "from":"+15673717033","date_updated":"Sun, 05 Mar 2023 01:58:10 +0000","price":null,"error_message":null,
        "account_sid":"ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","num_media":"0","to":"+14155550123","status":"queued",
        "sid":"SM0123456789abcdef0123456789abcdef","date_sent":null,"messaging_service_sid":null,"error_code":null,
        "price_unit":"USD","api_version":"2010-04-01"}"#;
    let receipt = judge(answer(201, body)).unwrap();
    let expected =
        Receipt { message_id: Some(SID.into()), status: DeliveryStatus::Queued, segments: Some(1), price: None };
    assert_eq!(receipt, expected);
}

#[test]
fn status_words_map_and_strange_ones_with_an_id_count_as_accepted() {
    for (word, status) in [
        ("accepted", DeliveryStatus::Accepted),
        ("scheduled", DeliveryStatus::Accepted),
        ("queued", DeliveryStatus::Queued),
        ("sending", DeliveryStatus::Queued),
        ("SENT", DeliveryStatus::Sent),
        ("partially_delivered", DeliveryStatus::Sent),
        ("delivered", DeliveryStatus::Delivered),
        ("read", DeliveryStatus::Delivered),
        ("receiving", DeliveryStatus::Accepted),
        ("teleported", DeliveryStatus::Accepted),
    ] {
        let body = format!(r#"{{"sid":"{SID}","status":"{word}"}}"#);
        assert_eq!(judge(answer(201, &body)).unwrap().status, status, "{word}");
    }
}

#[test]
fn everything_may_be_missing_null_or_of_another_type() {
    for (fields, id, segments, price) in [
        (r#""sid":null,"status":"queued""#, None, None, None),
        (r#""sid":"+14155550123","status":"queued""#, None, None, None),
        (r#""sid":12,"status":"queued""#, None, None, None),
        (r#""sid":"SM1","status":null"#, Some("SM1"), None, None),
        (r#""sid":"SM1","num_segments":2"#, Some("SM1"), Some(2), None),
        (r#""sid":"SM1","num_segments":"0""#, Some("SM1"), None, None),
        (r#""sid":"SM1","num_segments":"70000""#, Some("SM1"), None, None),
        (r#""sid":"SM1","num_segments":"-1","price":"","price_unit":"USD""#, Some("SM1"), None, None),
        (r#""sid":"SM1","price":"-0.00750","price_unit":"usd""#, Some("SM1"), None, Some("0.00750 USD")),
        (r#""sid":"SM1","price":0.0079,"price_unit":"EUR""#, Some("SM1"), None, Some("0.0079 EUR")),
        (r#""sid":"SM1","price":"0.0079","price_unit":null"#, Some("SM1"), None, None),
        (r#""sid":"SM1","price":"1.2.3","price_unit":"USD""#, Some("SM1"), None, None),
        (r#""sid":"SM1","price":{},"price_unit":[]"#, Some("SM1"), None, None),
    ] {
        let receipt = judge(answer(201, &format!("{{{fields}}}"))).unwrap();
        assert_eq!(receipt.message_id.as_deref(), id, "{fields}");
        assert_eq!(receipt.segments, segments, "{fields}");
        let shown = receipt.price.map(|price| format!("{} {}", price.amount, price.currency));
        assert_eq!(shown.as_deref(), price, "{fields}");
    }
}

#[test]
fn a_2xx_that_says_nothing_is_unknown() {
    for body in [
        "",
        "{}",
        "null",
        "[]",
        "\"queued\"",
        "{\"sid\":",
        "<html>",
        "{\"status\":\"teleported\"}",
        "{\"code\":21211,\"status\":400}",
    ] {
        for status in [200, 201, 204] {
            let error = judge(answer(status, body)).unwrap_err();
            assert_eq!(error.kind, SendErrorKind::Unknown, "{status} {body}");
            assert_eq!(error.request_id.as_deref(), Some("RQ01"));
        }
    }
    for body in [AnswerBody::TooLarge, AnswerBody::Broken] {
        let error = judge(Answer { body, ..answer(201, "") }).unwrap_err();
        assert_eq!(error.kind, SendErrorKind::Unknown);
    }
}

#[test]
fn a_message_that_left_and_did_not_arrive_stays_charged() {
    let receipt =
        judge(answer(201, &format!(r#"{{"sid":"{SID}","status":"undelivered","error_code":30006}}"#))).unwrap();
    assert_eq!(receipt.status, DeliveryStatus::Undelivered);
}

#[test]
fn a_message_that_failed_at_once_maps_by_its_code() {
    for (fields, kind, code) in [
        (r#""status":"failed","error_code":30450"#, SendErrorKind::SuspectedFraud, Some("30450")),
        (r#""status":"failed","error_code":"30005""#, SendErrorKind::Rejected, Some("30005")),
        (r#""status":"failed","error_code":39999"#, SendErrorKind::Unavailable, Some("39999")),
        (r#""status":"failed","error_code":14155550123"#, SendErrorKind::Unavailable, None),
        (r#""status":"failed","error_code":null"#, SendErrorKind::Unavailable, None),
        (r#""status":"canceled""#, SendErrorKind::Unavailable, None),
    ] {
        let error = judge(answer(201, &format!(r#"{{"sid":"{SID}",{fields}}}"#))).unwrap_err();
        assert_eq!((error.kind, error.provider_code.as_deref()), (kind, code), "{fields}");
    }
}

#[test]
fn refusals_map_by_code_then_by_status_and_5xx_is_always_unknown() {
    let throttled = SendErrorKind::Throttled { retry_after: None };
    for (status, body, kind, code) in [
        (
            400,
            r#"{"code":21211,"message":"The 'To' number +14155550123 is not valid"}"#,
            SendErrorKind::Rejected,
            Some("21211"),
        ),
        (400, r#"{"code":"21614"}"#, SendErrorKind::Unsupported, Some("21614")),
        (400, r#"{"code":29999}"#, SendErrorKind::Unavailable, Some("29999")),
        (400, r#"{"code":14155550123}"#, SendErrorKind::Unavailable, None),
        (400, "", SendErrorKind::Unavailable, None),
        (401, r#"{"code":20003}"#, SendErrorKind::Unavailable, Some("20003")),
        (404, "<html>", SendErrorKind::Unavailable, None),
        (408, "", SendErrorKind::Unknown, None),
        (429, "", throttled, None),
        (429, r#"{"code":20429}"#, throttled, Some("20429")),
        (500, r#"{"code":20500}"#, SendErrorKind::Unknown, Some("20500")),
        (503, r#"{"code":21211}"#, SendErrorKind::Unknown, Some("21211")),
        (302, "", SendErrorKind::Unknown, None),
        (307, "", SendErrorKind::Unavailable, None),
    ] {
        let error = judge(answer(status, body)).unwrap_err();
        assert_eq!((error.kind, error.provider_code.as_deref()), (kind, code), "{status} {body}");
        assert!(!format!("{error:?} {error}").contains("4155550123"), "{error:?}");
    }
}

#[test]
fn the_answers_own_wait_goes_before_the_tables() {
    let later = |wish: Option<u64>, code: u32| {
        let retry_after = wish.map(std::time::Duration::from_secs);
        let error = judge(Answer { retry_after, ..answer(429, &format!("{{\"code\":{code}}}")) }).unwrap_err();
        let SendErrorKind::Throttled { retry_after } = error.kind else { panic!("{error}") };
        retry_after.map(|wait| wait.as_secs())
    };
    assert_eq!(later(None, 20429), None);
    assert_eq!(later(Some(3), 20429), Some(3));
    assert_eq!(later(None, 60203), Some(600));
    assert_eq!(later(Some(3), 60203), Some(3));
}
