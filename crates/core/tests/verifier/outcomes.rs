//! What follows from how a send went: refunds, charges, and an honest answer.

use std::sync::Arc;
use std::time::Duration;

use verifyd_core::limits::LimitName;
use verifyd_core::sender::{DeliveryStatus, Price, Receipt, SendErrorKind};
use verifyd_core::store::Refusal;
use verifyd_core::testing::{Outcome, TestVerifier};
use verifyd_core::verification::{Verification, VerificationStatus};
use verifyd_core::verifier::{ResendRequest, VerifyError};

use super::{check, last_code, start, start_with, used, with_custom_codes};

/// Starts for the usual number from a usual address.
async fn start_from_address(test: &TestVerifier) -> Result<Verification, VerifyError> {
    let mut request = TestVerifier::request(TestVerifier::NUMBER);
    request.client_ip = Some("203.0.113.7".parse().unwrap());
    Ok(start_with(test, request).await?.verification)
}

/// The verification that the last message belonged to.
async fn last_verification(test: &TestVerifier) -> Verification {
    let id = test.sender.last().expect("a message").verification_id;
    test.verifier.load(&test.service, id).await.expect("a verification")
}

async fn all_used(test: &TestVerifier) -> Vec<u32> {
    let address = Some("203.0.113.7".parse().unwrap());
    let report = test.verifier.limits(&test.service, TestVerifier::NUMBER, None, address).await.unwrap();
    let sends = [LimitName::SendsPerPhone, LimitName::SendsPerPhoneAllServices, LimitName::SendsPerIp];
    let limits = report.info.limits.iter().filter(|limit| sends.contains(&limit.name));
    limits.map(|limit| limit.standing.used).collect()
}

#[tokio::test]
async fn a_definite_failure_is_given_back_and_told() {
    let kinds = [
        SendErrorKind::Rejected,
        SendErrorKind::Unsupported,
        SendErrorKind::Throttled { retry_after: None },
        SendErrorKind::Throttled { retry_after: Some(Duration::from_secs(17)) },
        SendErrorKind::Unavailable,
    ];
    for kind in kinds {
        let test = TestVerifier::new();
        test.sender.next(Outcome::Refused { kind, provider_code: Some("21211") });
        let error = start_from_address(&test).await.unwrap_err();
        match (kind, error) {
            (
                SendErrorKind::Rejected | SendErrorKind::Unsupported,
                VerifyError::Undeliverable { kind: told, provider_code, sender },
            ) => assert_eq!((told, provider_code.as_deref(), sender), (kind, Some("21211"), "recording")),
            (
                SendErrorKind::Throttled { retry_after: Some(wish) },
                VerifyError::SenderUnavailable { retry_after, sender: Some("recording"), .. },
            ) => assert_eq!(retry_after, wish),
            (
                SendErrorKind::Throttled { retry_after: None } | SendErrorKind::Unavailable,
                VerifyError::SenderUnavailable { retry_after, sender: Some("recording"), .. },
            ) => assert!(retry_after > Duration::ZERO),
            (_, error) => panic!("{kind:?} became {error:?}"),
        }
        assert_eq!(all_used(&test).await, [0, 0, 0], "{kind:?}");
        let failed = last_verification(&test).await;
        assert_eq!(failed.status, VerificationStatus::Failed);
        assert_eq!(failed.deliveries[0].status, DeliveryStatus::Failed);
        assert_eq!(failed.deliveries[0].error_code.as_deref(), Some("21211"));
        assert!(start_from_address(&test).await.is_ok(), "nothing stands in the way of another try");
    }
}

#[tokio::test]
async fn suspected_fraud_keeps_the_charge() {
    let test = TestVerifier::new();
    test.sender.next(Outcome::refused(SendErrorKind::SuspectedFraud));
    let error = start_from_address(&test).await.unwrap_err();
    assert!(matches!(error, VerifyError::Undeliverable { kind: SendErrorKind::SuspectedFraud, .. }), "{error:?}");
    assert_eq!(all_used(&test).await, [1, 1, 1]);
    assert_eq!(last_verification(&test).await.status, VerificationStatus::Failed);
    let guess = check(&test, last_verification(&test).await.id, &last_code(&test)).await;
    assert!(matches!(guess, Err(VerifyError::Refused { refusal: Refusal::Failed, .. })), "{guess:?}");
}

#[tokio::test]
async fn unknown_is_charged_and_told_and_the_code_works() {
    let test = TestVerifier::new();
    test.sender.next(Outcome::refused(SendErrorKind::Unknown));
    let verification = start_from_address(&test).await.unwrap();
    assert_eq!(verification.status, VerificationStatus::Pending);
    assert_eq!(verification.deliveries[0].status, DeliveryStatus::Unknown);
    assert_eq!(all_used(&test).await, [1, 1, 1]);
    assert_eq!(test.sender.count(), 1, "never repeated blindly");
    assert!(check(&test, verification.id, &last_code(&test)).await.unwrap().valid);
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_never_answers_is_unknown_soon_after_its_deadline() {
    let test = TestVerifier::new();
    test.sender.next(Outcome::Silence);
    let begun = tokio::time::Instant::now();
    let verification = start_from_address(&test).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(15) && begun.elapsed() < Duration::from_secs(20));
    assert_eq!(verification.deliveries[0].status, DeliveryStatus::Unknown);
    assert_eq!(all_used(&test).await, [1, 1, 1]);
    assert!(check(&test, verification.id, &last_code(&test)).await.unwrap().valid);
}

#[tokio::test]
async fn a_failed_resend_leaves_the_first_message_valid() {
    let test = with_custom_codes();
    let id = start(&test).await.verification.id;
    test.sender.next(Outcome::refused(SendErrorKind::Rejected));
    let resent = test.verifier.resend(Arc::clone(&test.service), id, ResendRequest::default()).await;
    assert!(matches!(resent, Err(VerifyError::Undeliverable { .. })), "{resent:?}");
    let loaded = test.verifier.load(&test.service, id).await.unwrap();
    assert_eq!((loaded.status, loaded.deliveries.len()), (VerificationStatus::Pending, 2));
    assert_eq!(loaded.standing.sends_remaining, 4, "the failed one is given back");
    assert_eq!(used(&test, LimitName::SendsPerPhone).await, 1);
    assert!(check(&test, id, &last_code(&test)).await.unwrap().valid);
}

#[tokio::test]
async fn the_providers_word_reaches_the_owner() {
    let test = TestVerifier::new();
    let price = Price { amount: "0.0158".to_owned(), currency: "USD".to_owned(), estimated: false };
    test.sender.next(Outcome::Taken(Receipt {
        message_id: Some("SM42".to_owned()),
        status: DeliveryStatus::Sent,
        segments: Some(2),
        price: Some(price.clone()),
    }));
    let id = start(&test).await.verification.id;
    let delivery = test.verifier.load(&test.service, id).await.unwrap().deliveries.remove(0);
    assert_eq!((delivery.status, delivery.segments), (DeliveryStatus::Sent, 2));
    assert_eq!((delivery.message_id.as_deref(), delivery.price), (Some("SM42"), Some(price)));
}

#[tokio::test]
async fn a_number_can_be_scripted_apart_from_the_others() {
    let test = TestVerifier::new();
    test.sender.always_for("+14155552672", Outcome::refused(SendErrorKind::Rejected));
    assert!(start_with(&test, TestVerifier::request("+14155552672")).await.is_err());
    start(&test).await;
    let again = start_with(&test, TestVerifier::request("+14155552672")).await;
    assert!(matches!(again, Err(VerifyError::Undeliverable { .. })), "{again:?}");
}
