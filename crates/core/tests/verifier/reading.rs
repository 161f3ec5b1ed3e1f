//! What reads or ends, and sends nothing: numbers, preview, limits, tenants, cancel, forget, unlock.

use std::sync::Arc;
use std::time::Duration;

use verifyd_core::limits::LimitName;
use verifyd_core::memory::MemoryStore;
use verifyd_core::store::{Refusal, Store};
use verifyd_core::testing::{TestVerifier, TestVerifierOptions, Verb, test_settings};
use verifyd_core::verification::VerificationStatus;
use verifyd_core::verifier::{CheckTarget, ResendRequest, StartRequest, VerifyError};

use super::{check, last_code, start, start_with, used, with_custom_codes};

#[tokio::test]
async fn national_numbers_follow_the_services_region() {
    let test = with_custom_codes();
    let id = start(&test).await.verification.id;
    for spelling in ["4155552671", "(415) 555-2671", "tel:+1-415-555-2671", "+1 415 555 2671"] {
        let again = start_with(&test, TestVerifier::request(spelling)).await.unwrap();
        assert_eq!((again.verification.id, again.created), (id, false), "{spelling}");
    }
    assert_eq!(used(&test, LimitName::SendsPerPhone).await, 5, "one line, one count");
}

#[tokio::test]
async fn a_region_of_the_request_comes_first() {
    let test = TestVerifier::new();
    let german = StartRequest { region: Some("DE".to_owned()), ..TestVerifier::request("01512 3456789") };
    let started = start_with(&test, german).await.unwrap();
    assert_eq!(started.verification.to.e164(), "+4915123456789");
    let nowhere = StartRequest { region: Some("Germany".to_owned()), ..TestVerifier::request("01512 3456789") };
    let refused = start_with(&test, nowhere).await;
    assert!(matches!(refused, Err(VerifyError::Field { field: "region", .. })), "{refused:?}");
}

#[tokio::test]
async fn without_a_region_only_e164_is_taken() {
    let mut settings = test_settings();
    settings.default_region = None;
    let test = TestVerifier::with(TestVerifierOptions { settings, ..TestVerifierOptions::default() });
    for spelling in ["4155552671", "(415) 555-2671", "14155552671"] {
        let refused = start_with(&test, TestVerifier::request(spelling)).await;
        assert!(matches!(refused, Err(VerifyError::Number(_))), "{spelling}: {refused:?}");
    }
    start(&test).await;
    assert_eq!(test.store.calls(Verb::Admit), 1);
}

#[tokio::test]
async fn preview_and_limits_spend_nothing() {
    let test = TestVerifier::new();
    let address = Some("203.0.113.7".parse().unwrap());
    let request = StartRequest { client_ip: address, ..TestVerifier::request(TestVerifier::NUMBER) };
    for _ in 0..50 {
        let preview = test.verifier.preview(&test.service, request.clone()).await.unwrap();
        assert_eq!(preview.message.text.expose(), "Your Acme verification code is: 000000");
        assert_eq!(preview.message.segments.count, 1);
        assert_eq!(preview.route.unwrap().sender.name(), "recording");
        assert!(preview.info.send_allowed());
        let report = test.verifier.limits(&test.service, TestVerifier::NUMBER, None, address).await.unwrap();
        assert_eq!(report.number.e164(), TestVerifier::NUMBER);
        assert!(report.info.limits.iter().all(|limit| limit.standing.used == 0));
        assert_eq!(
            report.info.limits.iter().map(|limit| limit.name).collect::<Vec<_>>(),
            [
                LimitName::SendsPerPhone,
                LimitName::SendsPerPhoneAllServices,
                LimitName::FailedChecksPerPhone,
                LimitName::SendsPerIp,
            ]
        );
    }
    assert_eq!((test.sender.count(), test.store.calls(Verb::Admit)), (0, 0));
    start_with(&test, request.clone()).await.unwrap();
    let preview = test.verifier.preview(&test.service, request).await.unwrap();
    assert!(!preview.info.send_allowed(), "the waiting time has begun");
}

#[tokio::test]
async fn an_address_has_a_limit_of_its_own() {
    let mut settings = test_settings();
    settings.limits.sends_per_ip = "2/1h".parse().unwrap();
    let test = TestVerifier::with(TestVerifierOptions { settings, ..TestVerifierOptions::default() });
    let from = |last: u8, address: Option<&str>| StartRequest {
        client_ip: address.map(|address| address.parse().unwrap()),
        ..TestVerifier::request(&format!("+1415555267{last}"))
    };
    start_with(&test, from(1, Some("203.0.113.7"))).await.unwrap();
    start_with(&test, from(2, Some("203.0.113.7"))).await.unwrap();
    let refused = start_with(&test, from(3, Some("203.0.113.7"))).await;
    let Err(VerifyError::Refused { refusal: Refusal::RateLimited { name, .. }, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(name, LimitName::SendsPerIp);
    start_with(&test, from(3, Some("203.0.113.8"))).await.unwrap();
    start_with(&test, from(4, None)).await.unwrap();
}

#[tokio::test]
async fn a_tenant_sees_nothing_of_another() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let owner = TestVerifier::with(TestVerifierOptions { store: Arc::clone(&store), ..TestVerifierOptions::default() });
    let id = start(&owner).await.verification.id;
    let mut settings = test_settings();
    settings.name = "other".parse().unwrap();
    let other = TestVerifier::with(TestVerifierOptions { settings, store, ..TestVerifierOptions::default() });
    let code = last_code(&owner);
    let by_number = CheckTarget::Number { to: TestVerifier::NUMBER.to_owned(), region: None };
    for result in [
        other.verifier.load(&other.service, id).await.map(|_| ()),
        other.verifier.cancel(&other.service, id).await.map(|_| ()),
        other.verifier.resend(Arc::clone(&other.service), id, ResendRequest::default()).await.map(|_| ()),
        check(&other, id, &code).await.map(|_| ()),
        other.verifier.check(&other.service, by_number, &code).await.map(|_| ()),
    ] {
        assert!(matches!(result, Err(VerifyError::Refused { refusal: Refusal::NotFound, .. })), "{result:?}");
    }
    assert_eq!(other.verifier.forget(&other.service, false, TestVerifier::NUMBER).await.unwrap().verifications, 0);
    assert!(check(&owner, id, &code).await.unwrap().valid);
}

#[tokio::test]
async fn cancel_ends_and_forget_erases() {
    let test = TestVerifier::new();
    let id = start(&test).await.verification.id;
    let canceled = test.verifier.cancel(&test.service, id).await.unwrap();
    assert_eq!(canceled.status, VerificationStatus::Canceled);
    assert_eq!((canceled.standing.checks_remaining, canceled.standing.next_send_at), (0, None));
    let guess = check(&test, id, &last_code(&test)).await;
    assert!(matches!(guess, Err(VerifyError::Refused { refusal: Refusal::Canceled, .. })), "{guess:?}");
    start(&test).await;
    assert_eq!(test.verifier.forget(&test.service, false, "415-555-2671").await.unwrap().verifications, 2);
    let gone = test.verifier.load(&test.service, id).await;
    assert!(matches!(gone, Err(VerifyError::Refused { refusal: Refusal::NotFound, .. })), "{gone:?}");
    assert_eq!(used(&test, LimitName::SendsPerPhone).await, 2, "forgetting is no way around a limit");
}

#[tokio::test]
async fn malformed_guesses_are_free() {
    let test = TestVerifier::new();
    let id = start(&test).await.verification.id;
    for guess in ["", "123", "12345678901", "12345a", "O12345", "12.345", "１２３４５６７", &"1".repeat(65)] {
        let refused = check(&test, id, guess).await;
        let free = matches!(refused, Err(VerifyError::CodeFormat(_) | VerifyError::CodeDigits { digits: 6 }));
        assert!(free, "{guess:?}: {refused:?}");
    }
    assert_eq!(used(&test, LimitName::FailedChecksPerPhone).await, 0);
    let full_width: String =
        last_code(&test).bytes().filter_map(|b| char::from_u32(0xff10 + u32::from(b - b'0'))).collect();
    assert!(check(&test, id, &full_width).await.unwrap().valid);
}

#[tokio::test]
async fn an_operator_unlocks_a_number() {
    let mut settings = test_settings();
    settings.limits.rules.failed_checks_in_a_row = 3;
    let test = TestVerifier::with(TestVerifierOptions { settings, ..TestVerifierOptions::default() });
    let id = start(&test).await.verification.id;
    let wrong = if last_code(&test) == "000000" { "000001" } else { "000000" };
    for _ in 0..3 {
        check(&test, id, wrong).await.unwrap();
    }
    test.clock.advance(Duration::from_secs(30 * 24 * 3600));
    let locked = start_with(&test, TestVerifier::request(TestVerifier::NUMBER)).await;
    let refusal = Refusal::MaxChecks { retry_at: None };
    assert!(matches!(locked, Err(VerifyError::Refused { refusal: told, .. }) if told == refusal));
    assert_eq!(test.verifier.unlock(&test.service, TestVerifier::NUMBER).await.unwrap(), 3);
    start(&test).await;
}
