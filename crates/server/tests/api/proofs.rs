//! Proofs as an integrator gets and checks them: the reply of the approving check, and the published keys.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use verifyd_core::proof::PERIOD;

use crate::support::{PHONE, TestApp, text};

const KEYS: &str = "/.well-known/jwks.json";
const ISSUER: &str = "http://127.0.0.1:8080";
const TENANTS: &str = r#"
[service.shop]
name = "Shop"
proof_subject = "hash"
[service.bank]
name = "Bank"
proof_subject = "hash"
"#;

/// The published keys, fetched without an API key.
async fn keys(app: &TestApp) -> JwkSet {
    let answer = app.raw("GET", KEYS, &[], "").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    serde_json::from_str(&answer.text).unwrap()
}

fn kid(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

/// The claims of a proof whose signature, issuer and audience are good. The life is looked at where the clock is known.
fn read(token: &str, keys: &JwkSet, service: &str) -> Result<Value, jsonwebtoken::errors::Error> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.set_audience(&[service]);
    validation.set_issuer(&[ISSUER]);
    let key = DecodingKey::from_jwk(keys.find(&kid(token)).unwrap()).unwrap();
    jsonwebtoken::decode(token, &key, &validation).map(|token| token.claims)
}

/// A whole verification for a service: its reply to the right code.
async fn approved(app: &TestApp, to: &str, service: &str) -> Value {
    let start = json!({ "to": to, "service": service, "purpose": "login", "nonce": "n-1" });
    let started = app.post("/v1/verifications", start).await.expect(201);
    app.check(&text(&started["id"]), &text(&started["test_code"])).await.expect(200)
}

#[tokio::test]
async fn the_proof_of_an_approval_is_good_under_the_published_keys() {
    let app = TestApp::with("[proofs]\nttl = \"2m\"\n").await;
    let start = json!({ "to": PHONE, "purpose": "login", "nonce": "n-1" });
    let started = app.post("/v1/verifications", start).await.expect(201);
    let (id, code) = (text(&started["id"]), text(&started["test_code"]));
    let wrong = app.check(&id, crate::support::wrong_for(&code)).await.expect(200);
    assert!(wrong.get("proof").is_none(), "{wrong}");
    let before_ms = app.now_ms();
    let reply = app.check(&id, &code).await.expect(200);
    let token = text(&reply["proof"]);
    let claims = read(&token, &keys(&app).await, &text(&started["service"])).unwrap();
    let iat = claims["iat"].as_u64().unwrap();
    assert!((before_ms / 1000..=app.now_ms() / 1000).contains(&iat), "{claims}");
    assert_eq!(
        claims,
        json!({
            "iss": ISSUER, "aud": started["service"], "sub": PHONE, "iat": iat, "exp": iat + 120, "jti": claims["jti"],
            "verification_id": id, "amr": ["sms"], "purpose": "login", "nonce": "n-1",
        })
    );
    let again = app.check(&id, &code).await.problem(409, "already_approved");
    assert!(!again.to_string().contains("eyJ"), "{again}");
    let loaded = app.get(&format!("/v1/verifications/{id}")).await.expect(200);
    assert!(loaded.get("proof").is_none(), "{loaded}");
}

#[tokio::test]
async fn the_keys_are_for_everybody_and_may_be_cached_for_minutes() {
    let app = TestApp::new().await;
    let answer = app.raw("GET", KEYS, &[], "").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/jwk-set+json"));
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    let set: Value = serde_json::from_str(&answer.text).unwrap();
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 3);
    for key in keys {
        let mut names: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"], "no private member");
    }
    assert_eq!(app.raw("HEAD", KEYS, &[], "").await.status, 200);
    app.raw("POST", KEYS, &[], "").await.problem(405, "method_not_allowed");
}

#[tokio::test]
async fn where_proofs_are_off_there_are_neither_proofs_nor_keys() {
    let app = TestApp::with("proofs.enabled = false\n").await;
    let reply = approved(&app, PHONE, "default").await;
    assert!(reply["valid"] == true && reply.get("proof").is_none(), "{reply}");
    app.raw("GET", KEYS, &[], "").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_proof_for_one_tenant_says_nothing_to_another() {
    let app = TestApp::with(TENANTS).await;
    let keys = keys(&app).await;
    let id = |name: &str| app.app.services[name].id().to_string();
    let mut subjects = Vec::new();
    for (service, other) in [("shop", "bank"), ("bank", "shop")] {
        let token = text(&approved(&app, PHONE, service).await["proof"]);
        let claims = read(&token, &keys, &id(service)).unwrap();
        assert!(!claims.to_string().contains("4155552671"), "{claims}");
        subjects.push(text(&claims["sub"]));
        let refused = read(&token, &keys, &id(other)).unwrap_err();
        assert_eq!(refused.kind(), &jsonwebtoken::errors::ErrorKind::InvalidAudience);
    }
    assert_ne!(subjects[0], subjects[1]);
}

#[tokio::test]
async fn a_change_of_keys_under_load_fails_nothing() {
    let app = Arc::new(TestApp::new().await);
    let period_ms = u64::try_from(PERIOD.as_millis()).unwrap();
    let boundary_ms = (app.now_ms() / period_ms + 1) * period_ms;
    app.go_to(boundary_ms, Duration::from_secs(60));
    let fetched_before = keys(&app).await;
    let service = app.app.services["default"].id().to_string();
    let old = kid(&text(&approved(&app, "+14155550100", "default").await["proof"]));
    let mut callers = JoinSet::new();
    for caller in 1..=40 {
        let app = Arc::clone(&app);
        callers
            .spawn(async move { text(&approved(&app, &format!("+141555501{caller:02}"), "default").await["proof"]) });
    }
    // Ten are through, others have begun or not: the clock moves on under all of them.
    let mut tokens = Vec::new();
    while let Some(token) = callers.join_next().await {
        tokens.push(token.unwrap());
        if tokens.len() == 10 {
            app.go_to(boundary_ms, Duration::ZERO);
        }
    }
    assert_eq!(tokens.len(), 40);
    for token in &tokens {
        read(token, &fetched_before, &service).unwrap();
    }
    let new = kid(&text(&approved(&app, "+14155550199", "default").await["proof"]));
    assert!(old != new && tokens.iter().all(|token| [&old, &new].contains(&&kid(token))));
    // What was signed before is believed by who fetches after.
    let fetched_after = keys(&app).await;
    assert!(fetched_after.find(&old).is_some() && fetched_after.find(&new).is_some());
}
