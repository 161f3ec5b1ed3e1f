//! Proofs as a recipient sees them: read by another implementation, with published keys alone.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use super::*;
use crate::clock::Timestamp;
use crate::id::{ServiceId, VerificationId};
use crate::keys::{KeyRing, MasterKey};
use crate::sender::Channel;
use crate::testing::{test_keys, test_proofs};

const SERVICE: ServiceId = ServiceId::from_bytes([0x5a; 16]);
/// The first instant of a period.
const BOUNDARY: Timestamp = Timestamp::from_unix_ms(688 * 30 * 24 * 3_600_000);
const MS: Duration = Duration::from_millis(1);

fn issuer(keys: &[&str]) -> Arc<ProofIssuer> {
    test_proofs(&test_keys(keys))
}

fn sign(issuer: &ProofIssuer, at: Timestamp) -> String {
    let approval = Approval {
        id: ProofId::of(&test_keys(&["test"]), VerificationId::from_bytes([1; 16])),
        at,
        service: SERVICE,
        subject: "+14155552671",
        verification: VerificationId::from_bytes([1; 16]),
        channel: Channel::Sms,
        purpose: None,
        nonce: None,
    };
    issuer.sign(&approval).unwrap().expose().to_owned()
}

/// The claims of `token`, if a key of `set` made its signature. The fake time is nothing that the library knows.
fn read(token: &str, set: &str) -> Option<Value> {
    let set: JwkSet = serde_json::from_str(set).unwrap();
    let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.set_audience(&[SERVICE.to_string()]);
    validation.set_issuer(&["https://verify.test"]);
    let key = DecodingKey::from_jwk(set.find(&kid)?).unwrap();
    Some(jsonwebtoken::decode(token, &key, &validation).unwrap().claims)
}

fn kids(set: &str) -> Vec<String> {
    let set: JwkSet = serde_json::from_str(set).unwrap();
    set.keys.into_iter().map(|key| key.common.key_id.unwrap()).collect()
}

#[test]
fn the_header_has_three_fields_and_the_claims_are_those_of_the_approval() {
    let issuer = issuer(&["a"]);
    let at = BOUNDARY + Duration::from_millis(12_999);
    let token = sign(&issuer, at);
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let set = issuer.key_set(at).unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&header).unwrap(),
        json!({ "alg": "EdDSA", "typ": "phone-proof+jwt", "kid": kids(&set)[0] })
    );
    let claims = read(&token, &set).unwrap();
    let iat = BOUNDARY.unix_ms() / 1000 + 12;
    let jti = claims["jti"].as_str().unwrap();
    assert!(jti.len() == 32 && jti.bytes().all(|byte| byte.is_ascii_hexdigit()), "{jti}");
    assert_eq!(
        claims,
        json!({
            "iss": "https://verify.test", "aud": SERVICE.to_string(), "sub": "+14155552671", "iat": iat,
            "exp": iat + 300, "jti": jti, "verification_id": "VE01010101010101010101010101010101",
            "amr": ["sms"],
        })
    );
}

/// The keys were made with Python's `hmac` and `cryptography` from what the head of `keys.rs` says.
#[test]
fn the_derivation_is_fixed() {
    let ring = KeyRing::new(&[MasterKey::new("k1", [7; 32]).unwrap()], None).unwrap();
    let set: Value = serde_json::from_str(&test_proofs(&ring).key_set(BOUNDARY).unwrap()).unwrap();
    let key = |x: &str, kid: &str| json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig", "alg": "EdDSA" });
    assert_eq!(
        set["keys"],
        json!([
            key("lZyaFo2R44L_7tU3LC_R8rcoE8TJIjXACpBeQmWTXBU", "NcdboRJSOzyS2uw0hS_6XQddQXoY0oGJX0JRLAsKz7Q"),
            key("JoA62_MEjjEjLJ7n9hIqhUtd_JrDx5_TwOlmWMyKZs4", "sKVhfn9nNw1OnDqixVkAoZwFZnU04pVSTtmuR9IFqoI"),
            key("SYR1GxM-uCc38O07cNXNEH68HhciTRJtil6fSXpc-nY", "4Ny3moUGtmsYbQ3V8Fne9OHYnJaarYZo63tnkgQDtQk"),
        ])
    );
}

#[test]
fn what_was_published_on_one_side_of_a_boundary_reads_what_is_signed_on_the_other() {
    let issuer = issuer(&["a"]);
    let (before, after) = (BOUNDARY - MS, BOUNDARY);
    let (old, new) = (sign(&issuer, before), sign(&issuer, after));
    let kid = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    assert_ne!(kid(&old), kid(&new));
    // A set from the first instant of the old period still knows the new key; one from the last of the new the old key.
    for at in [before - PERIOD + MS, before, after, after + PERIOD - MS] {
        let set = issuer.key_set(at).unwrap();
        assert!(read(&old, &set).is_some() && read(&new, &set).is_some(), "{at:?}");
    }
    assert!(read(&old, &issuer.key_set(after + PERIOD).unwrap()).is_none());
    assert!(read(&new, &issuer.key_set(before - PERIOD).unwrap()).is_none());
}

#[test]
fn callers_on_both_sides_of_a_boundary_do_not_disturb_one_another() {
    let issuer = issuer(&["b", "a"]);
    let set = issuer.key_set(BOUNDARY - PERIOD).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (issuer, set) = (&issuer, &set);
            scope.spawn(move || {
                for turn in 0..100_u64 {
                    let step = Duration::from_millis((thread * 37 + turn * 53) % 200);
                    let at = BOUNDARY - Duration::from_millis(100) + step;
                    let claims = read(&sign(issuer, at), set).unwrap();
                    assert_eq!(claims["iat"], at.unix_ms() / 1000);
                }
            });
        }
    });
}

#[test]
fn a_new_master_key_is_announced_and_an_old_one_believed_until_it_is_removed() {
    let at = BOUNDARY + MS;
    let announced = issuer(&["a", "b"]).key_set(at).unwrap();
    assert_eq!(kids(&announced).len(), 6);
    let rotated = issuer(&["b", "a"]);
    let (old, new) = (sign(&issuer(&["a"]), BOUNDARY - MS), sign(&rotated, at));
    // Fetched before the rotation, it reads what is signed after; and the other way round, over a boundary of periods, too.
    assert!(read(&new, &announced).is_some());
    let after = rotated.key_set(at).unwrap();
    assert!(read(&old, &after).is_some() && read(&new, &after).is_some());
    let removed = issuer(&["b"]).key_set(at).unwrap();
    assert!(read(&old, &removed).is_none() && read(&new, &removed).is_some());
}

#[test]
fn keys_of_one_set_are_all_different_and_the_first_period_has_none_before_it() {
    let issuer = issuer(&["c", "b", "a"]);
    let mut all = kids(&issuer.key_set(BOUNDARY).unwrap());
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 9);
    assert_eq!(kids(&issuer.key_set(Timestamp::EPOCH).unwrap()).len(), 6);
}

#[test]
fn a_far_clock_is_no_failure() {
    let end = Timestamp::from_unix_ms(u64::MAX);
    let issuer = issuer(&["a"]);
    assert!(read(&sign(&issuer, end), &issuer.key_set(end).unwrap()).is_some());
}

#[test]
fn bounds_of_the_settings_hold_at_the_edge() {
    let ring = test_keys(&["a"]);
    let with = |ttl| {
        let settings = ProofSettings { issuer: "x".parse().unwrap(), ttl };
        ProofIssuer::new(settings, &ring).err()
    };
    assert_eq!(with(MIN_PROOF_TTL), None);
    assert_eq!(with(Duration::from_millis(999)), Some(ProofError::Ttl));
    assert_eq!(with(MAX_PROOF_TTL), None);
    assert_eq!(with(MAX_PROOF_TTL + MS), Some(ProofError::Ttl));
    let issuer = |length: usize| "x".repeat(length).parse::<Issuer>().is_ok();
    assert_eq!([0, 1, 255, 256].map(issuer), [false, true, true, false]);
    for bad in ["a b", "a\n", "é", " a"] {
        assert_eq!(bad.parse::<Issuer>(), Err(ParseIssuerError), "{bad:?}");
    }
}
