//! Proofs through the verifier: when there is one, and what it says.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use verifyd_core::clock::Clock as _;
use verifyd_core::proof::ProofSubject;
use verifyd_core::service::Service;
use verifyd_core::store::{Refusal, RequestDigest, Store};
use verifyd_core::testing::{TestVerifier, TestVerifierOptions, test_keys, test_proofs, test_settings};
use verifyd_core::verifier::{CheckTarget, Checked, StartRequest, Verifier, VerifierParts, VerifyError};

use super::faults::{NoRandom, parts};
use super::{check, last_code, start, start_with};

/// The claims of a proof; that its signature is good is shown where it is made and in the tests of the API.
pub(super) fn claims(checked: &Checked) -> Value {
    let token = checked.proof.as_ref().expect("a proof").expose();
    let claims = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("JSON")
}

/// A whole verification of the usual number.
async fn approved(test: &TestVerifier, service: &Arc<Service>) -> Checked {
    let request = TestVerifier::request(TestVerifier::NUMBER);
    let id = test.verifier.start(Arc::clone(service), request).await.expect("a start").verification.id;
    test.verifier.check(service, CheckTarget::Id(id), &last_code(test)).await.expect("a check")
}

fn hashing(name: &str) -> Arc<Service> {
    let mut settings = test_settings();
    settings.name = name.parse().expect("a name");
    settings.proof_subject = ProofSubject::Hash;
    Arc::new(Service::new(settings).expect("a service"))
}

#[tokio::test]
async fn only_the_check_that_approves_brings_a_proof() {
    let test = TestVerifier::new();
    let id = start(&test).await.verification.id;
    let code = last_code(&test);
    let wrong = if code == "000000" { "111111" } else { "000000" };
    assert!(check(&test, id, wrong).await.expect("a check").proof.is_none());
    let right = check(&test, id, &code).await.expect("a check");
    let claims = claims(&right);
    assert_eq!(claims["verification_id"], id.to_string());
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!(TestVerifier::NUMBER), &json!(test.service.id().to_string())));
    assert_eq!((claims.get("purpose"), claims.get("nonce")), (None, None));
    let again = check(&test, id, &code).await;
    assert!(matches!(again, Err(VerifyError::Refused { refusal: Refusal::AlreadyApproved, .. })), "{again:?}");
}

#[tokio::test]
async fn purpose_and_nonce_come_back_as_they_were_given_at_the_start() {
    let test = TestVerifier::new();
    let (purpose, nonce) = ("change \"email\" é".to_owned(), "n/1 ".repeat(32));
    let request = StartRequest {
        purpose: Some(purpose.clone()),
        nonce: Some(nonce.clone()),
        ..TestVerifier::request(TestVerifier::NUMBER)
    };
    start_with(&test, request).await.expect("a start");
    let target = CheckTarget::Number { to: "(415) 555-2671".to_owned(), region: None };
    let checked = test.verifier.check(&test.service, target, &last_code(&test)).await.expect("a check");
    let claims = claims(&checked);
    assert_eq!((&claims["purpose"], &claims["nonce"]), (&json!(purpose), &json!(nonce)));
    assert_eq!(claims["amr"], json!(["sms"]));
}

#[tokio::test]
async fn a_proof_bears_the_instant_of_the_store_and_not_that_of_a_clock_gone_back() {
    let test = TestVerifier::new();
    let id = start(&test).await.verification.id;
    let started_at = test.clock.now();
    test.clock.step_back(Duration::from_secs(200));
    let claims = claims(&check(&test, id, &last_code(&test)).await.expect("a check"));
    assert_eq!(claims["iat"], started_at.unix_ms() / 1000);
    assert_eq!(claims["exp"], started_at.unix_ms() / 1000 + 300);
}

#[tokio::test]
async fn a_hashed_subject_is_the_same_for_one_service_and_another_for_the_next() {
    let test = TestVerifier::new();
    let (shop, bank) = (hashing("shop"), hashing("bank"));
    let mut subjects = Vec::new();
    for service in [&shop, &shop, &bank] {
        let checked = approved(&test, service).await;
        let claims = claims(&checked);
        assert!(!claims.to_string().contains("4155552671"), "{claims}");
        subjects.push(claims["sub"].as_str().expect("a text").to_owned());
    }
    assert_eq!(subjects[0], subjects[1]);
    assert_ne!(subjects[0], subjects[2]);
    assert!(subjects.iter().all(|subject| subject.len() == 32 && subject.bytes().all(|b| b.is_ascii_hexdigit())));
    // The hash hangs on the index key, which stays when the master keys rotate.
    let rotated = TestVerifier::with(TestVerifierOptions { keys: &["new", "test"], ..TestVerifierOptions::default() });
    assert_eq!(claims(&approved(&rotated, &shop).await)["sub"], subjects[0]);
}

#[tokio::test]
async fn numbers_of_proofs_do_not_repeat() {
    let test = TestVerifier::new();
    let (first, second) = (approved(&test, &test.service).await, approved(&test, &test.service).await);
    assert_ne!(claims(&first)["jti"], claims(&second)["jti"]);
}

#[tokio::test]
async fn a_verifier_without_an_issuer_gives_no_proof_and_has_no_keys() {
    let store = Arc::new(verifyd_core::memory::MemoryStore::default());
    let test = TestVerifier::with(TestVerifierOptions {
        store: Arc::clone(&store) as Arc<dyn Store>,
        ..TestVerifierOptions::default()
    });
    let id = start(&test).await.verification.id;
    // Neither does it need randomness for a check.
    let plain = Verifier::new(parts(&store, Vec::new(), Arc::new(NoRandom)));
    let checked = plain.check(&test.service, CheckTarget::Id(id), &last_code(&test)).await.expect("a check");
    assert!(checked.valid && checked.proof.is_none());
    assert!(plain.proof_keys().expect("an answer").is_none());
    assert!(test.verifier.proof_keys().expect("an answer").is_some());
}

#[tokio::test]
async fn no_approval_is_lost_for_want_of_randomness() {
    let store = Arc::new(verifyd_core::memory::MemoryStore::default());
    let test = TestVerifier::with(TestVerifierOptions {
        store: Arc::clone(&store) as Arc<dyn Store>,
        ..TestVerifierOptions::default()
    });
    let id = start(&test).await.verification.id;
    let proofs = Some(test_proofs(&test_keys(&["test"])));
    let broken = Verifier::new(VerifierParts { proofs, ..parts(&store, Vec::new(), Arc::new(NoRandom)) });
    let checked = broken.check(&test.service, CheckTarget::Id(id), &last_code(&test)).await.expect("a check");
    assert!(checked.valid && checked.proof.is_some());
}

#[tokio::test]
async fn a_repeat_of_the_approval_brings_the_proof_that_was_lost() {
    let test = TestVerifier::new();
    let id = start(&test).await.verification.id;
    let code = last_code(&test);
    let request = Some(RequestDigest::from_bytes([1; 8]));
    let check = || test.verifier.check_once(&test.service, CheckTarget::Id(id), &code, request);
    let first = check().await.expect("a check");
    // Longer than any proof lives: the repeat must not make it young again, nor be a second one.
    test.clock.advance(Duration::from_secs(601));
    let again = check().await.expect("a check");
    assert!(first.valid && again.valid);
    assert_eq!(claims(&again), claims(&first));
}
