//! Master keys are exchanged by restarts while people verify: no proof that should be good fails, and a removed key's do.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::api::Api;
use crate::program::Program;

const ISSUER: &str = "https://verify.example.com";

/// `VERIFYD_KEYS` with these keys, the first of which signs.
fn master_keys(names: &[u8]) -> String {
    let key = |name: &u8| format!("{}:{}", char::from(*name), STANDARD.encode([*name; 32]));
    names.iter().map(key).collect::<Vec<_>>().join(",")
}

/// Whether a recipient with these keys takes the proof.
fn believes(keys: &JwkSet, proof: &str, service: &str) -> bool {
    let kid = jsonwebtoken::decode_header(proof).unwrap().kid.unwrap();
    let Some(key) = keys.find(&kid) else { return false };
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&[service]);
    validation.set_issuer(&[ISSUER]);
    jsonwebtoken::decode::<Value>(proof, &DecodingKey::from_jwk(key).unwrap(), &validation).unwrap();
    true
}

/// A verification whose code has not been typed yet.
struct Pending {
    id: String,
    code: String,
}

/// What one life of the server gave.
struct Life {
    keys: JwkSet,
    proofs: Vec<String>,
    pending: Vec<Pending>,
    service: String,
}

async fn start(api: &Api, number: u32) -> (Pending, String) {
    let started = api.start(&format!("+1415555{number:04}")).await.expect(201);
    let text = |name: &str| started[name].as_str().unwrap().to_owned();
    (Pending { id: text("id"), code: text("test_code") }, text("service"))
}

async fn finish(api: &Api, pending: &Pending) -> String {
    let path = format!("/v1/verifications/{}/check", pending.id);
    let checked = api.post(&path, serde_json::json!({ "code": pending.code })).await.expect(200);
    checked["proof"].as_str().unwrap().to_owned()
}

/// A server with these keys: eight callers at once finish what an earlier one left or begin anew, and four leave theirs open.
async fn life(dir: &std::path::Path, names: &[u8], numbers: u32, left: Vec<Pending>) -> Life {
    let program = Program::serve(dir).with("VERIFYD_PROOFS__ISSUER", ISSUER);
    let server = program.with("VERIFYD_KEYS", &master_keys(names)).start();
    let api = Api::of(&server);
    let mut callers = JoinSet::new();
    for pending in left {
        let api = api.clone();
        callers.spawn(async move { finish(&api, &pending).await });
    }
    for number in numbers..numbers + 4 {
        let api = api.clone();
        callers.spawn(async move {
            let (pending, _service) = start(&api, number).await;
            finish(&api, &pending).await
        });
    }
    let proofs = callers.join_all().await;
    let (mut pending, mut service) = (Vec::new(), String::new());
    for number in numbers + 4..numbers + 8 {
        let (open, of) = start(&api, number).await;
        pending.push(open);
        service = of;
    }
    let keys = serde_json::from_value(api.get("/.well-known/jwks.json").await.expect(200)).unwrap();
    server.stop();
    Life { keys, proofs, pending, service }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn master_keys_rotate_by_restarts_while_verification_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let alone = life(dir.path(), b"a", 2_000, Vec::new()).await;
    let announced = life(dir.path(), b"ab", 2_100, alone.pending).await;
    let rotated = life(dir.path(), b"ba", 2_200, announced.pending).await;
    let service = &alone.service;
    let believed = |keys: &JwkSet, proofs: &[String]| proofs.iter().all(|proof| believes(keys, proof, service));
    let refused = |keys: &JwkSet, proofs: &[String]| !proofs.iter().any(|proof| believes(keys, proof, service));
    assert_eq!([alone.proofs.len(), announced.proofs.len(), rotated.proofs.len()], [4, 8, 8]);

    // The key that was announced signs now, and whoever fetched the keys before takes its proofs.
    assert!(believed(&announced.keys, &rotated.proofs) && refused(&alone.keys, &rotated.proofs));
    // The old key signs no more, and its proofs are good as long as it is listed.
    assert!(believed(&rotated.keys, &alone.proofs) && believed(&rotated.keys, &announced.proofs));

    // The key b is removed: what it signed is believed no more. What a left pending is over, since b had sealed it.
    let removed = life(dir.path(), b"ca", 2_300, Vec::new()).await;
    assert!(refused(&removed.keys, &rotated.proofs) && believed(&removed.keys, &alone.proofs));
    assert!(believed(&removed.keys, &removed.proofs) && refused(&rotated.keys, &removed.proofs));
}
