//! What is sent, when, and what the owner is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use verifyd_core::code::VerificationCode;
use verifyd_core::sender::DeliveryStatus;
use verifyd_core::store::Refusal;
use verifyd_core::testing::{RecordingSender, TestVerifier, TestVerifierOptions, test_settings};
use verifyd_core::verification::VerificationStatus;
use verifyd_core::verifier::{CheckTarget, ResendRequest, StartRequest, VerifyError};

use super::{check, last_code, start, start_with, with_custom_codes};

#[tokio::test]
async fn the_code_of_the_message_approves() {
    let test = TestVerifier::new();
    let started = start(&test).await;
    assert!(started.created);
    let verification = started.verification;
    assert_eq!(verification.status, VerificationStatus::Pending);
    assert_eq!((verification.standing.checks_remaining, verification.standing.sends_remaining), (5, 4));
    assert_eq!(verification.expires_at, verification.created_at + Duration::from_secs(600));
    assert_eq!(verification.standing.next_send_at, Some(verification.created_at + Duration::from_secs(30)));
    let delivery = &verification.deliveries[0];
    assert_eq!((delivery.sender.as_deref(), delivery.status), (Some(RecordingSender::NAME), DeliveryStatus::Queued));
    assert_eq!((delivery.message_id.as_deref(), delivery.segments), (Some("MSG0001"), 1));

    let message = test.sender.last().unwrap();
    assert_eq!(message.to.e164(), TestVerifier::NUMBER);
    assert_eq!((message.verification_id, message.delivery_id), (verification.id, delivery.id));
    assert_eq!(message.validity, Duration::from_secs(600));
    assert_eq!(message.text.expose(), format!("Your Acme verification code is: {}", message.code.expose()));

    let checked = check(&test, verification.id, &last_code(&test)).await.unwrap();
    assert!(checked.valid);
    assert_eq!(checked.verification.status, VerificationStatus::Approved);
    let again = check(&test, verification.id, &last_code(&test)).await;
    assert!(matches!(again, Err(VerifyError::Refused { refusal: Refusal::AlreadyApproved, .. })), "{again:?}");
}

#[tokio::test]
async fn a_wrong_guess_is_told_as_such() {
    let test = TestVerifier::new();
    let id = start(&test).await.verification.id;
    let wrong = if last_code(&test) == "000000" { "000001" } else { "000000" };
    let checked = check(&test, id, wrong).await.unwrap();
    assert!(!checked.valid);
    assert_eq!(checked.verification.status, VerificationStatus::Pending);
    assert_eq!(checked.verification.standing.checks_remaining, 4);
    for _ in 0..4 {
        check(&test, id, wrong).await.unwrap();
    }
    let exhausted = test.verifier.load(&test.service, id).await.unwrap();
    assert_eq!(exhausted.status, VerificationStatus::MaxAttemptsReached);
    let right = check(&test, id, &last_code(&test)).await;
    assert!(matches!(right, Err(VerifyError::Refused { refusal: Refusal::MaxChecks { .. }, .. })), "{right:?}");
}

#[tokio::test]
async fn a_resend_and_a_second_start_repeat_the_code() {
    let test = TestVerifier::new();
    let first = start(&test).await.verification;
    let early = test.verifier.resend(Arc::clone(&test.service), first.id, ResendRequest::default()).await;
    assert!(matches!(early, Err(VerifyError::Refused { refusal: Refusal::RateLimited { .. }, .. })), "{early:?}");
    assert_eq!(test.sender.count(), 1);
    test.clock.advance(Duration::from_secs(30));
    let resent = test.verifier.resend(Arc::clone(&test.service), first.id, ResendRequest::default()).await.unwrap();
    test.clock.advance(Duration::from_secs(60));
    let restarted = start(&test).await;
    for again in [&resent, &restarted] {
        assert!(!again.created);
        assert_eq!((again.verification.id, again.verification.expires_at), (first.id, first.expires_at));
    }
    let messages = test.sender.messages();
    assert_eq!(messages.len(), 3);
    assert!(messages.iter().all(|message| message.code.expose() == messages[0].code.expose()));
    assert_eq!(messages[2].validity, Duration::from_secs(510), "the remaining life, not a new one");
    assert!(check(&test, first.id, messages[0].code.expose()).await.unwrap().valid);
}

#[tokio::test]
async fn codes_differ_between_verifications() {
    let test = TestVerifier::new();
    let first = start(&test).await.verification;
    let first_code = last_code(&test);
    test.verifier.cancel(&test.service, first.id).await.unwrap();
    start(&test).await;
    assert_ne!(last_code(&test), first_code);
}

#[tokio::test]
async fn a_code_of_the_callers_own_needs_the_services_consent() {
    let own = |code: &str| StartRequest {
        code: Some(VerificationCode::parse(code).unwrap()),
        ..TestVerifier::request(TestVerifier::NUMBER)
    };
    let test = TestVerifier::new();
    let refused = start_with(&test, own("834105")).await;
    assert!(matches!(refused, Err(VerifyError::CustomCodeNotAllowed)), "{refused:?}");
    assert_eq!(test.sender.count(), 0);

    let test = with_custom_codes();
    let id = start_with(&test, own("8341")).await.unwrap().verification.id;
    assert_eq!(last_code(&test), "8341");
    let conflict = start_with(&test, own("8342")).await;
    assert!(matches!(conflict, Err(VerifyError::Refused { refusal: Refusal::Conflict, .. })), "{conflict:?}");
    start_with(&test, own("8341")).await.unwrap();
    start(&test).await;
    assert_eq!((test.sender.count(), last_code(&test)), (3, "8341".to_owned()));
    let length = check(&test, id, "834105").await;
    assert!(matches!(length, Err(VerifyError::CodeDigits { digits: 4 })), "{length:?}");
    assert!(check(&test, id, "83-41").await.unwrap().valid);
}

#[tokio::test]
async fn what_the_caller_gave_comes_back() {
    let test = with_custom_codes();
    let metadata = BTreeMap::from([("order".to_owned(), "42".to_owned()), ("empty".to_owned(), String::new())]);
    let request = StartRequest {
        purpose: Some("login".to_owned()),
        nonce: Some("n0nce".to_owned()),
        metadata: metadata.clone(),
        ..TestVerifier::request(TestVerifier::NUMBER)
    };
    let started = start_with(&test, request.clone()).await.unwrap().verification;
    // What a later start brings along does not replace what the first one said.
    let other = StartRequest { metadata: BTreeMap::new(), nonce: Some("other".to_owned()), ..request.clone() };
    let again = start_with(&test, other).await.unwrap().verification;
    let loaded = test.verifier.load(&test.service, started.id).await.unwrap();
    let checked = check(&test, started.id, &last_code(&test)).await.unwrap().verification;
    for verification in [&started, &again, &loaded, &checked] {
        assert_eq!(verification.to.e164(), TestVerifier::NUMBER);
        assert_eq!(verification.purpose.as_deref(), Some("login"));
        assert_eq!(verification.nonce.as_deref(), Some("n0nce"));
        assert_eq!(verification.metadata, metadata);
    }
    start_with(&test, request.clone()).await.unwrap();
    let other = StartRequest { purpose: Some("payment".to_owned()), ..request };
    let conflict = start_with(&test, other).await;
    assert!(matches!(conflict, Err(VerifyError::Refused { refusal: Refusal::Conflict, .. })), "{conflict:?}");
}

#[tokio::test]
async fn the_code_is_shown_only_if_it_stays_here_and_may_be_shown() {
    for (expose_codes, stays_here) in [(false, false), (false, true), (true, false), (true, true)] {
        let options = TestVerifierOptions { expose_codes, stays_here, ..TestVerifierOptions::default() };
        let test = TestVerifier::with(options);
        let verification = start(&test).await.verification;
        let shown = verification.test_code.as_ref().map(|code| code.expose().to_owned());
        assert_eq!(shown, (expose_codes && stays_here).then(|| last_code(&test)));
        let loaded = test.verifier.load(&test.service, verification.id).await.unwrap();
        assert!(loaded.test_code.is_none(), "only the call that sent a message may show its code");
        let checked = check(&test, verification.id, &last_code(&test)).await.unwrap();
        assert!(checked.verification.test_code.is_none());
    }
}

#[tokio::test]
async fn a_resend_keeps_the_language_of_the_start_unless_told_otherwise() {
    let mut settings = test_settings();
    settings.limits.rules.resend_delays = Arc::from([]);
    let test = TestVerifier::with(TestVerifierOptions { settings, ..TestVerifierOptions::default() });
    let german = StartRequest { locale: Some("de".parse().unwrap()), ..TestVerifier::request(TestVerifier::NUMBER) };
    let id = start_with(&test, german).await.unwrap().verification.id;
    let english = ResendRequest { locale: Some("en".parse().unwrap()), ..ResendRequest::default() };
    for request in [ResendRequest::default(), english] {
        test.verifier.resend(Arc::clone(&test.service), id, request).await.unwrap();
    }
    let texts: Vec<String> = test.sender.messages().iter().map(|message| message.text.expose().to_owned()).collect();
    assert_eq!(texts[0], texts[1]);
    assert_ne!(texts[0], texts[2]);
    assert!(texts[2].starts_with("Your Acme verification code is: "));
}

#[tokio::test]
async fn the_sixth_start_in_an_hour_waits_exactly() {
    let test = TestVerifier::new();
    let begun = verifyd_core::clock::Clock::now(test.clock.as_ref());
    for _ in 0..5 {
        let id = start(&test).await.verification.id;
        test.verifier.cancel(&test.service, id).await.unwrap();
        test.clock.advance(Duration::from_secs(60));
    }
    let refused = start_with(&test, TestVerifier::request(TestVerifier::NUMBER)).await;
    let Err(VerifyError::Refused { refusal: Refusal::RateLimited { name, standing, .. }, at }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(name.as_str(), "sends_per_phone");
    assert_eq!(at, begun + Duration::from_secs(300));
    assert_eq!(standing.retry_at, begun + Duration::from_secs(3600));
    test.clock.set(standing.retry_at - Duration::from_millis(1));
    assert!(start_with(&test, TestVerifier::request(TestVerifier::NUMBER)).await.is_err());
    test.clock.set(standing.retry_at);
    start(&test).await;
    assert_eq!(test.sender.count(), 6);
}

#[tokio::test]
async fn expiry_is_exact() {
    let test = TestVerifier::new();
    let id = start(&test).await.verification.id;
    test.clock.advance(Duration::from_secs(600));
    let late = check(&test, id, &last_code(&test)).await;
    assert!(matches!(late, Err(VerifyError::Refused { refusal: Refusal::Expired, .. })), "{late:?}");
    assert_eq!(test.verifier.load(&test.service, id).await.unwrap().status, VerificationStatus::Expired);
    let id = start(&test).await.verification.id;
    test.clock.advance(Duration::from_millis(599_999));
    assert!(check(&test, id, &last_code(&test)).await.unwrap().valid);
}

#[tokio::test]
async fn a_check_by_number_takes_any_spelling() {
    let test = TestVerifier::new();
    start(&test).await;
    let target = CheckTarget::Number { to: "(415) 555-2671".to_owned(), region: None };
    let code = last_code(&test);
    let spaced = format!(" {} {} ", &code[..3], &code[3..]);
    assert!(test.verifier.check(&test.service, target, &spaced).await.unwrap().valid);
}
