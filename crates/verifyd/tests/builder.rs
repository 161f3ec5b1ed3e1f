//! The builder: its defaults, what it refuses, and the durable store with the keys that fit it.

use std::sync::Arc;
use std::time::Duration;

use verifyd::embedded::{self, EmbeddedError};
use verifyd::keys::MasterKey;
use verifyd::service::Service;
use verifyd::store::{Refusal, StateOptions};
use verifyd::testing::{FakeClock, RecordingSender, TestVerifier, test_settings};
use verifyd::{CheckTarget, ResendRequest, StartRequest, Verifier, VerifierBuilder, VerifyError};

fn builder() -> (VerifierBuilder, Arc<RecordingSender>) {
    let sender = Arc::new(RecordingSender::default());
    (Verifier::builder("Acme").default_region("US").sender(Arc::<RecordingSender>::clone(&sender)), sender)
}

fn number() -> StartRequest {
    StartRequest::new(TestVerifier::NUMBER)
}

#[test]
fn defaults_are_the_documented_ones() {
    let settings = builder().0.build().unwrap().service().settings().clone();
    let documented = test_settings();
    assert_eq!(settings.limits, documented.limits);
    assert_eq!((settings.ttl, settings.code_length), (documented.ttl, documented.code_length));
    assert!(!settings.custom_codes);
}

#[test]
fn what_cannot_work_is_named() {
    let said = |builder: VerifierBuilder| builder.build().unwrap_err().to_string();
    assert_eq!(said(Verifier::builder("Acme")), "sender: missing; give at least one");
    assert!(said(Verifier::builder("")).starts_with("brand: "));
    assert!(said(builder().0.default_region("XX")).starts_with("default_region: "));
    assert_eq!(said(builder().0.configure(|settings| settings.ttl = Duration::ZERO)), "ttl is 1s to 24h");
}

#[tokio::test]
async fn every_verb_reaches_the_service() {
    let clock = Arc::new(FakeClock::default());
    let (builder, sender) = builder();
    let verifier = builder.clock(Arc::<FakeClock>::clone(&clock)).build().unwrap();
    verifier.ready().await.unwrap();
    assert!(verifier.preview(StartRequest::new("(415) 555-2671")).await.unwrap().info.send_allowed());
    let started = verifier.start(StartRequest::new("(415) 555-2671")).await.unwrap();
    let id = started.verification.id;
    assert!(started.created && started.verification.test_code.is_none());
    clock.advance(Duration::from_secs(30));
    assert!(!verifier.resend(id, ResendRequest::default()).await.unwrap().created);
    assert_eq!(verifier.load(id).await.unwrap().deliveries.len(), 2);
    assert!(!verifier.limits(TestVerifier::NUMBER, None, None).await.unwrap().info.send_allowed());
    let code = sender.last().unwrap().code.expose().to_owned();
    // Another tenant finds nothing of it.
    let other = Service::new(verifyd::service::ServiceSettings { name: "other".parse().unwrap(), ..test_settings() });
    let other = verifier.for_service(other.unwrap());
    let missing = other.check(id, &code).await.unwrap_err();
    assert!(matches!(missing, VerifyError::Refused { refusal: Refusal::NotFound, .. }));
    let target = CheckTarget::Number { to: "415-555-2671".to_owned(), region: None };
    assert!(verifier.check(target, &code).await.unwrap().valid);
    assert_eq!(verifier.unlock(TestVerifier::NUMBER).await.unwrap(), 0);
    clock.advance(Duration::from_secs(60));
    let second = verifier.start(number()).await.unwrap().verification.id;
    verifier.cancel(second).await.unwrap();
    assert_eq!(verifier.forget(TestVerifier::NUMBER).await.unwrap().verifications, 2);
    verifier.drain().await;
}

#[tokio::test]
async fn the_embedded_store_remembers_and_insists_on_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let key = |name: &str, byte: u8| MasterKey::new(name, [byte; 32]).unwrap();
    let (store, keys) = embedded::open(dir.path(), &[key("a", 1)], StateOptions::default()).await.unwrap();
    let (parts, sender) = builder();
    let verifier = parts.store(Arc::<embedded::EmbeddedStore>::clone(&store), keys).build().unwrap();
    let id = verifier.start(number()).await.unwrap().verification.id;
    verifier.drain().await;
    store.close().await;
    drop((verifier, store));

    let wrong = embedded::open(dir.path(), &[key("a", 2)], StateOptions::default()).await.unwrap_err();
    assert!(matches!(wrong, EmbeddedError::WrongIndexKey { .. }), "{wrong}");
    let missing = embedded::open(dir.path(), &[key("b", 2)], StateOptions::default()).await.unwrap_err();
    assert!(matches!(missing, EmbeddedError::Keys(_)), "{missing}");

    // A rotated key reads what the old one wrote.
    let keys = [key("b", 2), key("a", 1)];
    let (store, keys) = embedded::open(dir.path(), &keys, StateOptions::default()).await.unwrap();
    let verifier = builder().0.store(Arc::<embedded::EmbeddedStore>::clone(&store), keys).build().unwrap();
    assert!(verifier.check(id, sender.last().unwrap().code.expose()).await.unwrap().valid);
    store.close().await;
}
