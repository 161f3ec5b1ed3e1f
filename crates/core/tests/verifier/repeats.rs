//! Requests that come twice: what fails around them, and what is kept of them.

use std::sync::Arc;
use std::time::Duration;

use verifyd_core::clock::Clock;
use verifyd_core::sender::DeliveryStatus;
use verifyd_core::store::RequestDigest;
use verifyd_core::testing::{Moment, TestVerifier, Verb};
use verifyd_core::verifier::{About, Begun, CheckTarget, MAX_REPLY_BYTES, Reply, RequestScope, StartRequest};

use super::proofs::claims;

const DIGEST: Option<RequestDigest> = Some(RequestDigest::from_bytes([1; 8]));

fn start() -> StartRequest {
    StartRequest { request: DIGEST, ..TestVerifier::request(TestVerifier::NUMBER) }
}

fn scope(key: &str) -> RequestScope<'_> {
    RequestScope { caller: "caller", key, method: "POST", path: "/v1/x" }
}

fn reply(bytes: usize) -> Reply {
    Reply { status: 201, content_type: "application/json".to_owned(), body: vec![b'x'; bytes] }
}

/// The store admitted it and could not say so: the repeat must not send, since another message may be on its way.
#[tokio::test]
async fn a_start_whose_admission_went_unheard_is_not_sent_by_its_repeat() {
    let test = TestVerifier::new();
    test.store.fail_next(Verb::Admit, Moment::After);
    test.verifier.start(Arc::clone(&test.service), start()).await.unwrap_err();
    let again = test.verifier.start(Arc::clone(&test.service), start()).await.unwrap();
    let deliveries: Vec<_> = again.verification.deliveries.iter().map(|delivery| delivery.status).collect();
    assert!(again.created);
    assert_eq!((deliveries, test.sender.count()), (vec![DeliveryStatus::Unknown], 0));
    // What certainly did not happen is done.
    let test = TestVerifier::new();
    test.store.fail_next(Verb::Admit, Moment::Before);
    test.verifier.start(Arc::clone(&test.service), start()).await.unwrap_err();
    for _ in 0..3 {
        let started = test.verifier.start(Arc::clone(&test.service), start()).await.unwrap();
        assert!(started.created);
        assert_eq!(test.sender.count(), 1);
    }
}

#[tokio::test]
async fn a_check_whose_approval_went_unheard_is_right_again() {
    let test = TestVerifier::new();
    let started = test.verifier.start(Arc::clone(&test.service), start()).await.unwrap();
    let code = test.sender.last().unwrap().code;
    let target = CheckTarget::Id(started.verification.id);
    test.store.fail_next(Verb::Check, Moment::After);
    let check = || test.verifier.check_once(&test.service, target.clone(), code.expose(), DIGEST);
    check().await.unwrap_err();
    let approved_at = test.clock.now();
    test.clock.advance(Duration::from_secs(40));
    let again = check().await.unwrap();
    assert!(again.valid);
    let claims = claims(&again);
    assert_eq!(claims["iat"], approved_at.unix_ms() / 1000, "a proof is as old as its approval");
    test.verifier.check(&test.service, target.clone(), code.expose()).await.unwrap_err();
}

#[tokio::test]
async fn only_a_reply_that_could_be_kept_is_given_again() {
    let test = TestVerifier::new();
    let started = test.verifier.start(Arc::clone(&test.service), start()).await.unwrap();
    let about = About { service: started.verification.service, number: started.verification.to };
    for (key, bytes, fault, kept) in [
        ("kept", MAX_REPLY_BYTES, None, true),
        ("too long", MAX_REPLY_BYTES + 1, None, false),
        ("not written", 10, Some(Moment::Before), false),
        ("written, and nobody was told", 10, Some(Moment::After), true),
    ] {
        let Begun::Fresh(claim) = test.verifier.begin_reply(scope(key), b"body").await.unwrap() else { panic!() };
        if let Some(moment) = fault {
            test.store.fail_next(Verb::FinishReply, moment);
        }
        test.verifier.finish_reply(claim, about, &reply(bytes)).await;
        match test.verifier.begin_reply(scope(key), b"body").await.unwrap() {
            Begun::Stored(stored) => assert!(kept && stored == reply(bytes), "{key}"),
            Begun::Fresh(claim) => {
                assert!(!kept, "{key}");
                test.verifier.abandon_reply(claim).await;
            }
            other => panic!("{key}: {other:?}"),
        }
    }
    // A store that cannot answer begins nothing.
    test.store.fail_next(Verb::BeginReply, Moment::Before);
    test.verifier.begin_reply(scope("down"), b"body").await.unwrap_err();
}
