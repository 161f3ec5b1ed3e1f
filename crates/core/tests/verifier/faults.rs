//! When the store, the keys or the caller fail in the middle.

use std::sync::Arc;
use std::time::Duration;

use verifyd_core::limits::LimitName;
use verifyd_core::memory::MemoryStore;
use verifyd_core::random::{Random, RandomError};
use verifyd_core::routing::Senders;
use verifyd_core::sender::{DeliveryStatus, SendErrorKind, Sender};
use verifyd_core::store::{Refusal, Store, StoreError};
use verifyd_core::testing::{
    FakeClock, FaultyStore, Moment, Outcome, RecordingSender, SeededRandom, TestVerifier, TestVerifierOptions, Verb,
    test_keys, test_service,
};
use verifyd_core::verification::VerificationStatus;
use verifyd_core::verifier::{ResendRequest, Verifier, VerifierParts, VerifyError};

use super::{check, last_code, start, start_with, used};

fn is_unavailable<T>(result: &Result<T, VerifyError>) -> bool {
    matches!(result, Err(VerifyError::Store(StoreError::Unavailable { retry_after, .. }))
        if *retry_after == FaultyStore::RETRY_AFTER)
}

#[tokio::test]
async fn no_admission_no_message() {
    for (moment, charged) in [(Moment::Before, 0), (Moment::After, 1)] {
        let test = TestVerifier::new();
        test.store.fail_next(Verb::Admit, moment);
        let result = start_with(&test, TestVerifier::request(TestVerifier::NUMBER)).await;
        assert!(is_unavailable(&result), "{result:?}");
        assert_eq!(test.sender.count(), 0);
        assert_eq!(used(&test, LimitName::SendsPerPhone).await, charged, "what may be spent stays spent");
    }
}

#[tokio::test]
async fn a_store_that_fails_after_the_send_does_not_change_what_was_sent() {
    for moment in [Moment::Before, Moment::After] {
        let test = TestVerifier::new();
        test.store.fail_next(Verb::Settle, moment);
        let verification = start(&test).await.verification;
        assert_eq!(verification.status, VerificationStatus::Pending);
        assert_eq!(verification.deliveries[0].status, DeliveryStatus::Queued);
        assert_eq!(verification.deliveries[0].message_id.as_deref(), Some("MSG0001"));
        assert_eq!((test.sender.count(), test.store.calls(Verb::Settle)), (1, 1));
        let recorded = test.verifier.load(&test.service, verification.id).await.unwrap().deliveries[0].status;
        let expected = if moment == Moment::Before { DeliveryStatus::Unknown } else { DeliveryStatus::Queued };
        assert_eq!(recorded, expected);
        assert!(check(&test, verification.id, &last_code(&test)).await.unwrap().valid);
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_the_store_could_not_take_is_recorded_after_all() {
    let test = TestVerifier::new();
    test.sender.next(Outcome::refused(SendErrorKind::Rejected));
    test.store.fail_next(Verb::Settle, Moment::Before);
    assert!(start_with(&test, TestVerifier::request(TestVerifier::NUMBER)).await.is_err());
    assert_eq!(used(&test, LimitName::SendsPerPhone).await, 1, "not given back yet");
    test.verifier.drain().await;
    assert_eq!(used(&test, LimitName::SendsPerPhone).await, 0, "given back by the second try");
    assert_eq!(test.store.calls(Verb::Settle), 2);
}

#[tokio::test]
async fn a_store_that_fails_after_a_refusal_keeps_the_refusal() {
    let test = TestVerifier::new();
    test.sender.next(Outcome::refused(SendErrorKind::Rejected));
    test.store.fail_next(Verb::Settle, Moment::Before);
    let result = start_with(&test, TestVerifier::request(TestVerifier::NUMBER)).await;
    assert!(matches!(result, Err(VerifyError::Undeliverable { .. })), "{result:?}");
    assert_eq!(used(&test, LimitName::SendsPerPhone).await, 1, "not given back: the safe side");
}

#[tokio::test]
async fn a_check_whose_answer_is_lost_has_happened() {
    let test = TestVerifier::new();
    let id = start(&test).await.verification.id;
    let code = last_code(&test);
    test.store.fail_next(Verb::Check, Moment::Before);
    assert!(is_unavailable(&check(&test, id, &code).await));
    test.store.fail_next(Verb::Check, Moment::After);
    assert!(is_unavailable(&check(&test, id, &code).await));
    let again = check(&test, id, &code).await;
    assert!(matches!(again, Err(VerifyError::Refused { refusal: Refusal::AlreadyApproved, .. })), "{again:?}");
}

#[tokio::test]
async fn a_caller_that_hangs_up_changes_nothing() {
    let test = Arc::new(TestVerifier::new());
    test.sender.close_gate();
    let caller = Arc::clone(&test);
    let call = tokio::spawn(async move { start(&caller).await });
    test.sender.arrived(1).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert_eq!(test.verifier.in_flight(), 1);
    test.sender.open_gate();
    test.verifier.drain().await;
    let id = test.sender.last().unwrap().verification_id;
    let verification = test.verifier.load(&test.service, id).await.unwrap();
    assert_eq!(verification.deliveries[0].status, DeliveryStatus::Queued);
    assert!(check(&test, id, &last_code(&test)).await.unwrap().valid);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_hangs_up_at_once_has_still_started() {
    let test = TestVerifier::new();
    test.sender.close_gate();
    // One poll, and the future is dropped.
    let call = start_with(&test, TestVerifier::request(TestVerifier::NUMBER));
    assert!(tokio::time::timeout(Duration::ZERO, call).await.is_err());
    test.sender.open_gate();
    test.verifier.drain().await;
    assert_eq!(test.sender.count(), 1);
    assert_eq!(test.store.calls(Verb::Settle), 1);
    assert_eq!(used(&test, LimitName::SendsPerPhone).await, 1);
}

#[tokio::test]
async fn drain_waits_for_every_send() {
    let test = Arc::new(TestVerifier::new());
    test.sender.close_gate();
    for last in 1..=3 {
        let caller = Arc::clone(&test);
        let to = format!("+1415555267{last}");
        tokio::spawn(async move { start_with(&caller, TestVerifier::request(&to)).await });
    }
    test.sender.arrived(3).await;
    let drained = Arc::clone(&test);
    let drain = tokio::spawn(async move { drained.verifier.drain().await });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!drain.is_finished());
    assert_eq!((test.verifier.in_flight(), test.store.calls(Verb::Settle)), (3, 0));
    test.sender.open_gate();
    drain.await.unwrap();
    assert_eq!((test.verifier.in_flight(), test.store.calls(Verb::Settle)), (0, 3));
}

#[tokio::test]
async fn what_cannot_be_unsealed_is_not_sent_and_not_charged() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    // The key that carries the index must stay, so the pending code is made under one that is removed afterwards.
    let rotated =
        TestVerifierOptions { store: Arc::clone(&store), keys: &["newer", "test"], ..TestVerifierOptions::default() };
    let test = TestVerifier::with(rotated);
    let id = start(&test).await.verification.id;
    let without = TestVerifierOptions { store, keys: &["test"], ..TestVerifierOptions::default() };
    let test = TestVerifier::with(without);
    test.clock.advance(Duration::from_secs(30));
    let resent = test.verifier.resend(Arc::clone(&test.service), id, ResendRequest::default()).await;
    assert!(matches!(resent, Err(VerifyError::Internal(_))), "{resent:?}");
    assert_eq!(test.sender.count(), 0);
    assert_eq!(used(&test, LimitName::SendsPerPhone).await, 1, "only the message that was sent");
}

#[derive(Debug)]
pub(super) struct NoRandom;

impl Random for NoRandom {
    fn fill(&self, _bytes: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}

pub(super) fn parts(store: &Arc<MemoryStore>, senders: Vec<Arc<dyn Sender>>, random: Arc<dyn Random>) -> VerifierParts {
    VerifierParts {
        store: Arc::clone(store) as Arc<dyn Store>,
        senders: Senders::new(senders),
        clock: Arc::new(FakeClock::default()),
        random,
        keys: test_keys(&["test"]),
        proofs: None,
        history: None,
        send_deadline: Duration::from_secs(15),
        expose_codes: false,
    }
}

#[tokio::test]
async fn without_randomness_or_senders_nothing_is_spent() {
    let store = Arc::new(MemoryStore::default());
    let service = test_service();
    let used = async |verifier: &Verifier| {
        let report = verifier.limits(&service, TestVerifier::NUMBER, None, None).await.unwrap();
        report.info.limits[0].standing.used
    };
    let request = || TestVerifier::request(TestVerifier::NUMBER);

    let sender = Arc::new(RecordingSender::default());
    let verifier = Verifier::new(parts(&store, vec![Arc::clone(&sender) as Arc<dyn Sender>], Arc::new(NoRandom)));
    let result = verifier.start(Arc::clone(&service), request()).await;
    assert!(matches!(result, Err(VerifyError::Internal(_))), "{result:?}");
    assert_eq!((sender.count(), used(&verifier).await), (0, 0));

    let verifier = Verifier::new(parts(&store, Vec::new(), Arc::new(SeededRandom::new(1))));
    let result = verifier.start(Arc::clone(&service), request()).await;
    assert!(matches!(result, Err(VerifyError::SenderUnavailable { sender: None, .. })), "{result:?}");
    assert_eq!(used(&verifier).await, 0);
    assert!(verifier.preview(&service, request()).await.unwrap().route.is_none());
}

#[tokio::test]
async fn a_clock_that_went_back_is_a_failure_of_the_store() {
    let test = TestVerifier::new();
    let id = start(&test).await.verification.id;
    test.verifier.ready().await.unwrap();
    test.clock.step_back(Duration::from_secs(301));
    for result in [
        test.verifier.ready().await,
        start_with(&test, TestVerifier::request(TestVerifier::NUMBER)).await.map(|_| ()),
        check(&test, id, &last_code(&test)).await.map(|_| ()),
    ] {
        assert!(matches!(result, Err(VerifyError::Store(StoreError::ClockWentBack))), "{result:?}");
    }
    assert_eq!(test.sender.count(), 1);
}
