//! Bad input, field by field: refused with its reason, free of charge, and never repeated.

use serde_json::{Value, json};

use crate::support::{PHONE, TestApp};

/// Stands where a code could be by mistake: no answer may repeat it.
const CANARY: &str = "834105";

/// The whole of what a request could have cost.
async fn spent(app: &TestApp, id: &str) -> Value {
    let body = app.get("/v1/limits?to=%2B14155552671&client_ip=203.0.113.7").await.expect(200);
    let used: Vec<_> = body["limits"].as_array().unwrap().iter().map(|limit| limit["used"].clone()).collect();
    let loaded = app.get(&format!("/v1/verifications/{id}")).await.expect(200);
    json!([
        used,
        body["failed_checks_in_a_row"],
        loaded["status"],
        loaded["checks_remaining"],
        loaded["sends_remaining"],
        app.messages()
    ])
}

#[tokio::test]
async fn a_body_that_is_not_as_expected_is_refused_for_free() {
    let app = TestApp::new().await;
    let started = app.started(PHONE).await;
    app.advance(30).await;
    let before = spent(&app, &started.id).await;
    let bodies: [(&str, &str); 34] = [
        ("", r#"missing field "to" at"#),
        ("{}", r#"missing field "to" at"#),
        (r#"{"TO":"+14155552671"}"#, "unknown field at"),
        (r#"{"to":"+14155552671","tow":"834105"}"#, r#"unknown field "tow" at"#),
        (r#"{"to":"+14155552671","834105":""}"#, "unknown field at"),
        (r#"{"to":"+14155552671","to":"+14155552671"}"#, r#"duplicate field "to" at"#),
        (r#"{"to":"+14155552671","code":"834105","code":"834105"}"#, r#"duplicate field "code" at"#),
        (r#"{"to":"+14155552671","metadata":{"a":"1","a":"834105"}}"#, "duplicate key at"),
        (r#"{"to":"+14155552671","metadata":{"a":{"b":"834105"}}}"#, "invalid type at"),
        (r#"{"to":"+14155552671","metadata":{"a":["834105"]}}"#, "invalid type at"),
        (r#"{"to":"+14155552671","metadata":{"a":834105}}"#, "invalid type at"),
        (r#"{"to":"+14155552671","metadata":{"a":null}}"#, "invalid type at"),
        (r#"{"to":"+14155552671","metadata":[]}"#, "invalid type at"),
        (r#"{"to":"+14155552671","metadata":"834105"}"#, "invalid type at"),
        (r#"{"to":834105}"#, "invalid type at"),
        (r#"{"to":14155552671}"#, "invalid type at"),
        (r#"{"to":null}"#, "invalid type at"),
        (r#"{"to":["+14155552671"]}"#, "invalid type at"),
        (r#"{"to":{"number":"+14155552671"}}"#, "invalid type at"),
        (r#"{"to":true}"#, "invalid type at"),
        (r#"{"to":"+14155552671","code":834105}"#, "invalid type at"),
        (r#"{"to":"+14155552671","client_ip":834105}"#, "invalid type at"),
        (r#"{"to":"+14155552671","service":834105}"#, "invalid type at"),
        (r#"["+14155552671"]"#, "not an object"),
        (r#"["+14155552671",null,null,null,null,null,null,null,null,null,{}]"#, "not an object"),
        (r#""+14155552671""#, "not an object"),
        ("834105", "not an object"),
        ("null", "not an object"),
        ("to=%2B14155552671&code=834105", "not an object"),
        (" ", "not JSON"),
        (r#"{"to":"+14155552671""#, "not JSON"),
        (r#"{"to":"+14155552671"} {"code":"834105"}"#, "not JSON"),
        (r#"{"to":"+14155552671",}"#, "not JSON"),
        ("{'to':'834105'}", "not JSON"),
    ];
    for (body, detail) in bodies {
        for path in ["/v1/verifications", "/v1/preview"] {
            let problem = app.post_text(path, body).await.problem(400, "invalid_request");
            assert!(problem["detail"].as_str().unwrap().contains(detail), "{body}: {problem}");
            assert!(!problem.to_string().contains(CANARY), "{problem}");
        }
    }
    for body in [
        &b"{\"to\":\"\xff\"}"[..],
        b"{\"to\":\"\xed\xa0\x80\"}",
        b"{\"\xc3\x28\":1}",
        b"\xef\xbb\xbf{}",
        b"{\"to\":\"\\ud800\"}",
    ] {
        app.post_text("/v1/verifications", body.to_vec()).await.problem(400, "invalid_request");
    }
    assert_eq!(spent(&app, &started.id).await, before);
}

#[tokio::test]
async fn a_field_that_is_wrong_by_itself_is_named() {
    let app = TestApp::with("[service.default]\ncustom_codes = true\n").await;
    let started = app.started(PHONE).await;
    app.advance(30).await;
    let before = spent(&app, &started.id).await;
    let entries = |n: usize| (0..n).map(|n| (format!("k{n}"), json!(CANARY))).collect::<serde_json::Map<_, _>>();
    let table = [
        ("channel", json!(CANARY)),
        ("channel", json!("SMS")),
        ("channel", json!("")),
        ("locale", json!("")),
        ("locale", json!("834105!")),
        ("locale", json!("e".repeat(65))),
        ("client_ip", json!("")),
        ("client_ip", json!(CANARY)),
        ("client_ip", json!("203.0.113.7:80")),
        ("client_ip", json!("203.0.113.0/24")),
        ("client_ip", json!("[2001:db8::1]")),
        ("client_ip", json!(" 203.0.113.7")),
        ("region", json!("")),
        ("region", json!("us")),
        ("region", json!("ZZ")),
        ("region", json!(CANARY)),
        ("app_hash", json!("")),
        ("app_hash", json!("FA+9qCX9VS")),
        ("app_hash", json!("FA+9qCX9VSuu")),
        ("app_hash", json!("FA+9qCX9V u")),
        ("purpose", json!("")),
        ("purpose", json!("p".repeat(65))),
        ("nonce", json!("")),
        ("nonce", json!("n".repeat(129))),
        ("metadata", json!({ "": "x" })),
        ("metadata", json!({ "k".repeat(41): "x" })),
        ("metadata", json!({ "k": "v".repeat(501) })),
        ("metadata", Value::Object(entries(17))),
    ];
    for (field, value) in table {
        let mut body = json!({ "to": PHONE, "client_ip": "203.0.113.7" });
        body[field] = value.clone();
        for path in ["/v1/verifications", "/v1/preview"] {
            let problem = app.post(path, body.clone()).await.problem(400, "invalid_request");
            assert_eq!(problem["field"], field, "{value}: {problem}");
            assert!(problem["detail"].as_str().unwrap().starts_with(&format!("{field}: ")), "{problem}");
            assert!(!problem.to_string().contains(CANARY), "{problem}");
        }
    }
    for code in ["", "123", "12345678901", "83410S", "834105.", &"8".repeat(65)] {
        let problem = app
            .post("/v1/verifications", json!({ "to": PHONE, "code": code }))
            .await
            .problem(422, "invalid_code_format");
        assert!(code.is_empty() || !problem.to_string().contains(code), "{problem}");
    }
    assert_eq!(spent(&app, &started.id).await, before);
    // At their bounds the same fields are taken.
    let mut metadata = entries(15);
    metadata.insert("k".repeat(40), json!("v".repeat(500)));
    let body =
        json!({ "to": "+14155550142", "purpose": "p".repeat(64), "nonce": "n".repeat(128), "metadata": metadata });
    app.post("/v1/verifications", body).await.expect(201);
}

#[tokio::test]
async fn other_bodies_are_as_strict() {
    let app = TestApp::new().await;
    let started = app.started(PHONE).await;
    let before = spent(&app, &started.id).await;
    let check = started.path("/check");
    let right = &started.code;
    let array = format!("[\"{right}\"]");
    let twice = format!("{{\"code\":\"{right}\",\"code\":\"{right}\"}}");
    let unknown = format!("{{\"code\":\"{right}\",\"to\":\"+14155552671\"}}");
    let number = format!("{{\"code\":{right}}}");
    for body in ["", "{}", r#"{"code":null}"#, r#"{"code":[1]}"#, &array, &twice, &unknown, &number, "[]", "null"] {
        let problem = app.post_text(&check, body.to_owned()).await.problem(400, "invalid_request");
        assert!(!problem.to_string().contains(right.as_str()), "{problem}");
    }
    for body in ["{}", r#"{"to":"+14155552671"}"#, r#"{"code":"123456"}"#, r#"["+14155552671","123456",null,null]"#] {
        app.post_text("/v1/verifications/check", body).await.problem(400, "invalid_request");
    }
    for (verb, body) in [
        ("/resend", r#"{"code":"1234"}"#),
        ("/resend", r#"{"channel":"pigeon"}"#),
        ("/resend", r#"{"client_ip":"x"}"#),
        ("/resend", r#"{"locale":"!"}"#),
        ("/resend", r#"{"locale":1}"#),
        ("/resend", "[null,null,null]"),
        ("/cancel", r#"{"reason":"x"}"#),
        ("/cancel", "[]"),
        ("/cancel", "null"),
    ] {
        app.post_text(&started.path(verb), body).await.problem(400, "invalid_request");
    }
    for body in [r#"{"service":1}"#, r#"{"to":"x"}"#, "[]", "[null]"] {
        app.post_text("/v1/phones/+14155552671/unlock", body).await.problem(400, "invalid_request");
    }
    assert_eq!(spent(&app, &started.id).await, before);
    assert_eq!(app.check(&started.id, right).await.expect(200)["valid"], true);
}

#[tokio::test]
async fn ids_that_are_none_and_ids_of_nobody_are_not_found() {
    let app = TestApp::with("[service.shop]\nname = \"Shop\"\n").await;
    let started = app.started(PHONE).await;
    let lower = started.id.to_lowercase();
    let service = started.id.replacen("VE", "VA", 1);
    let long = format!("{}0", started.id);
    for id in [
        "x",
        "VE",
        "VE0",
        "VE0000000000000000000000000000000g",
        "VE00000000000000000000000000000000",
        "834105",
        "..%2F..",
        "%00",
        "null",
        &lower,
        &service,
        &long,
        &started.id[..33],
        &started.id[2..],
    ] {
        for (method, verb, body) in [
            ("GET", "", None),
            ("POST", "/check", Some(json!({ "code": started.code }))),
            ("POST", "/resend", None),
            ("POST", "/cancel", None),
        ] {
            let path = format!("/v1/verifications/{id}{verb}");
            app.call_as("dev", method, &path, body.as_ref()).await.problem(404, "not_found");
        }
    }
    let path = "/v1/verifications/%FF";
    app.get(path).await.problem(400, "invalid_request");
    app.post(&format!("{path}/cancel"), json!({})).await.problem(400, "invalid_request");
    assert_eq!(app.get(&started.path("")).await.expect(200)["status"], "pending");
}
