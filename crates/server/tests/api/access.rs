//! Who may do what: keys, scopes, tenants.

use serde_json::json;

use crate::support::{PHONE, TestApp};

/// Two tenants and a key for each thing.
const TENANTS: &str = r#"
[service.shop]
name = "Shop"
[service.bank]
name = "Bank"
[[api_keys]]
name = "shop"
key = "key-of-the-shop-0001"
service = "shop"
[[api_keys]]
name = "bank"
key = "key-of-the-bank-0001"
service = "bank"
[[api_keys]]
name = "reader"
key = "key-of-metrics-0001"
scopes = ["metrics"]
[[api_keys]]
name = "desk"
key = "key-of-the-desk-0001"
scopes = ["unlock"]
"#;
const SHOP: &str = "key-of-the-shop-0001";
const BANK: &str = "key-of-the-bank-0001";
const READER: &str = "key-of-metrics-0001";
const DESK: &str = "key-of-the-desk-0001";

/// Every call that needs a key: method and path.
const CALLS: [(&str, &str); 11] = [
    ("POST", "/v1/verifications"),
    ("POST", "/v1/verifications/check"),
    ("GET", "/v1/verifications/VE00000000000000000000000000000000"),
    ("POST", "/v1/verifications/VE00000000000000000000000000000000/resend"),
    ("POST", "/v1/verifications/VE00000000000000000000000000000000/check"),
    ("POST", "/v1/verifications/VE00000000000000000000000000000000/cancel"),
    ("POST", "/v1/preview"),
    ("GET", "/v1/limits?to=4155552671"),
    ("DELETE", "/v1/phones/+14155552671"),
    ("POST", "/v1/phones/+14155552671/unlock"),
    ("GET", "/metrics"),
];

#[tokio::test]
async fn without_a_valid_key_nothing_is_looked_at() {
    let app = TestApp::with(TENANTS).await;
    let bad = [
        vec![],
        vec![("authorization", "")],
        vec![("authorization", "Bearer")],
        vec![("authorization", "Bearer ")],
        vec![("authorization", "Bearer wrong")],
        vec![("authorization", "Bearer dev extra")],
        vec![("authorization", "Bearerdev")],
        vec![("authorization", "dev")],
        vec![("authorization", "Basic ZGV2OmRldg==")],
        vec![("authorization", "Bearer DEV")],
        vec![("authorization", "Bearer dev"), ("authorization", "Bearer dev")],
        vec![("authorization", "Bearer wrong"), ("authorization", "Bearer dev")],
    ];
    for (method, path) in CALLS {
        for headers in &bad {
            // A body that would be refused, too: the key is asked for first.
            let problem = app.raw(method, path, headers, "{").await.problem(401, "unauthorized");
            assert!(!problem.to_string().contains("wrong"), "{problem}");
        }
    }
    for good in ["Bearer dev", "bearer dev", "BEARER  dev "] {
        let answer = app.raw("GET", "/v1/limits?to=4155552671", &[("authorization", good)], "").await;
        answer.expect(200);
    }
    assert_eq!((app.messages(), app.sends_used(PHONE).await), (0, 0));
}

#[tokio::test]
async fn a_key_may_do_what_its_scopes_say() {
    let app = TestApp::with(TENANTS).await;
    for (method, path) in CALLS {
        let scope = match path {
            "/metrics" => "metrics",
            path if path.ends_with("/unlock") => "unlock",
            path if path.starts_with("/v1/phones") => "forget",
            _ => "verify",
        };
        let body = match (method, path) {
            ("POST", "/v1/verifications/check") => Some(json!({ "to": PHONE, "code": "123456" })),
            ("POST", path) if path.ends_with("/check") => Some(json!({ "code": "123456" })),
            ("POST", "/v1/verifications" | "/v1/preview") => Some(json!({ "to": "12" })),
            _ => None,
        };
        for (key, scopes) in [(SHOP, ["verify", "forget"]), (READER, ["metrics", ""]), (DESK, ["unlock", ""])] {
            if scopes.contains(&scope) {
                let answer = app.call_as(key, method, path, body.as_ref()).await;
                assert!(answer.status != 401 && answer.status != 403, "{key} {method} {path}: {}", answer.text);
            } else {
                // A body and an id that would be refused, too: the scope comes first.
                let bearer = format!("Bearer {key}");
                let path = path.replace("VE0000", "%FF");
                let answer = app.raw(method, &path, &[("authorization", &bearer)], "{").await;
                let problem = answer.problem(403, "forbidden");
                assert_eq!(problem["detail"], format!("this API key lacks the scope {scope:?}"));
            }
        }
    }
    assert_eq!(app.messages(), 0);
}

#[tokio::test]
async fn what_belongs_to_another_tenant_does_not_exist() {
    let app = TestApp::with(TENANTS).await;
    let body = json!({ "to": PHONE });
    let started = app.call_as(SHOP, "POST", "/v1/verifications", Some(&body)).await.expect(201);
    let id = started["id"].as_str().unwrap();
    let code = app.code_of(PHONE);
    for (method, verb, body) in [
        ("GET", "", None),
        ("POST", "/resend", None),
        ("POST", "/check", Some(json!({ "code": code }))),
        ("POST", "/cancel", None),
    ] {
        let path = format!("/v1/verifications/{id}{verb}");
        app.call_as(BANK, method, &path, body.as_ref()).await.problem(404, "not_found");
    }
    let by_number = json!({ "to": PHONE, "code": code });
    app.call_as(BANK, "POST", "/v1/verifications/check", Some(&by_number)).await.problem(404, "not_found");
    let shop = started["service"].as_str().unwrap();
    for named in ["shop", shop, "nobody", "", "VA00000000000000000000000000000000"] {
        let body = json!({ "to": PHONE, "service": named });
        app.call_as(BANK, "POST", "/v1/verifications", Some(&body)).await.problem(404, "not_found");
        let limits = format!("/v1/limits?to=4155552671&service={named}");
        app.call_as(BANK, "GET", &limits, None).await.problem(404, "not_found");
    }
    let forgotten = app.call_as(BANK, "DELETE", &format!("/v1/phones/{PHONE}"), None).await.expect(200);
    assert_eq!(forgotten["forgotten_verifications"], 0);
    // Its owner, by key or by name, and a key for all see it untouched.
    let path = format!("/v1/verifications/{id}");
    for key in [SHOP, "dev"] {
        let body = app.call_as(key, "GET", &path, None).await.expect(200);
        assert_eq!((&body["status"], &body["checks_remaining"]), (&json!("pending"), &json!(5)));
    }
    let check = json!({ "to": PHONE, "code": code, "service": shop });
    assert_eq!(app.post("/v1/verifications/check", check).await.expect(200)["valid"], true);
}

#[tokio::test]
async fn a_key_of_one_service_starts_for_it() {
    let app = TestApp::with(TENANTS).await;
    let body = json!({ "to": PHONE });
    for (key, brand) in [(SHOP, "Shop"), (BANK, "Bank"), ("dev", "verifyd")] {
        app.call_as(key, "POST", "/v1/verifications", Some(&body)).await.expect(201);
        let message = app.mock.inbox.messages(None).pop().unwrap();
        assert!(message.body.expose().contains(brand), "{}", message.body.expose());
    }
}

#[tokio::test]
async fn a_key_for_all_forgets_over_all_services() {
    let app = TestApp::with(TENANTS).await;
    let body = json!({ "to": PHONE });
    for key in [SHOP, BANK] {
        app.call_as(key, "POST", "/v1/verifications", Some(&body)).await.expect(201);
    }
    let path = format!("/v1/phones/{PHONE}");
    let own = app.call_as(SHOP, "DELETE", &path, None).await.expect(200);
    let rest = app.call_as("dev", "DELETE", &path, None).await.expect(200);
    assert_eq!((&own["forgotten_verifications"], &rest["forgotten_verifications"]), (&json!(1), &json!(1)));
}
