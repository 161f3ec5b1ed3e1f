//! No code, whole number, key or caller's data in `Debug` of anything public, nor in what is traced at the finest level.

use std::fmt::Debug;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use verifyd_core::code::VerificationCode;
use verifyd_core::sender::SendErrorKind;
use verifyd_core::testing::{Moment, Outcome, Scene, TestVerifier, Verb, test_keys, test_master_key};
use verifyd_core::verifier::{CheckTarget, ResendRequest, StartRequest};

use super::{check, start_with, with_custom_codes};

/// A code that does not come to be by chance.
const CODE: &str = "8341059267";
/// Digits of the number that nobody may see; its last four may be shown.
const NUMBER_DIGITS: [&str; 3] = ["4155552671", "415555", "415-555-2671"];
const METADATA: &str = "canary-metadata";
const NONCE: &str = "canary-nonce";

fn canaries() -> Vec<String> {
    let key = test_master_key("test").expose().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let key_list = format!("{:?}", test_master_key("test").expose());
    let mut all: Vec<String> = NUMBER_DIGITS.map(str::to_owned).to_vec();
    all.extend([CODE.to_owned(), METADATA.to_owned(), NONCE.to_owned(), key, key_list]);
    // The same as lists of bytes, which is how a derived `Debug` shows them.
    for text in [CODE, NUMBER_DIGITS[0], METADATA] {
        let list = format!("{:?}", text.as_bytes());
        all.push(list.trim_matches(['[', ']']).to_owned());
    }
    all
}

fn assert_clean(what: &str, text: &str) {
    for canary in canaries() {
        assert!(!text.contains(&canary), "{what} shows {canary}: {text}");
    }
}

fn clean(what: &str, value: &impl Debug) {
    assert_clean(what, &format!("{value:?}"));
    assert_clean(what, &format!("{value:#?}"));
}

fn request() -> StartRequest {
    StartRequest {
        code: Some(VerificationCode::parse(CODE).unwrap()),
        nonce: Some(NONCE.to_owned()),
        metadata: [("key".to_owned(), METADATA.to_owned())].into(),
        client_ip: Some("203.0.113.7".parse().unwrap()),
        ..TestVerifier::request("+1 415-555-2671")
    }
}

#[tokio::test]
async fn debug_of_what_the_verifier_takes_and_gives_is_clean() {
    let test = with_custom_codes();
    clean("a start request", &request());
    clean("a spaceless start request", &TestVerifier::request(TestVerifier::NUMBER));
    let target = CheckTarget::Number { to: TestVerifier::NUMBER.to_owned(), region: None };
    clean("a check target", &target);
    clean("a preview", &test.verifier.preview(&test.service, request()).await.unwrap());
    let started = start_with(&test, request()).await.unwrap();
    clean("a started verification", &started);
    clean("a load", &test.verifier.load(&test.service, started.verification.id).await.unwrap());
    clean("limits", &test.verifier.limits(&test.service, TestVerifier::NUMBER, None, None).await.unwrap());
    clean("a wrong guess", &check(&test, started.verification.id, "8341059260").await.unwrap());
    clean("a refusal", &check(&test, started.verification.id, "8341").await.unwrap_err());
    clean("a conflict", &start_with(&test, StartRequest { code: None, purpose: Some("p".into()), ..request() }).await);
    let right = check(&test, started.verification.id, CODE).await.unwrap();
    clean("a right guess", &right);
    let proof = right.proof.as_ref().unwrap().expose();
    assert!(proof.split('.').all(|part| !format!("{right:?}").contains(part)), "a proof is shown");
    clean("a message", &test.sender.last().unwrap());
    clean("the number", &started.verification.to);
    clean("its limit key", &started.verification.to.limit_key());
    clean("a code", &VerificationCode::parse(CODE).unwrap());
    clean("the verifier and its parts", &test);
    for number in ["+1415555267", "4155552671x5", "+1 415-555-2671 ext. 5", "+19005552671"] {
        let error = start_with(&test, TestVerifier::request(number)).await.unwrap_err();
        clean("a bad number", &error);
        assert_clean("a bad number", &error.to_string());
    }
}

#[tokio::test]
async fn debug_of_what_stores_take_and_give_is_clean() {
    let mut scene = Scene::before(Arc::new(verifyd_core::memory::MemoryStore::default()), 1);
    scene.chosen = Some(VerificationCode::parse(CODE).unwrap());
    let admission = scene.start_request();
    clean("an admission", &admission);
    let admitted = scene.start().await.unwrap();
    clean("an admitted send", &admitted);
    let code = VerificationCode::parse(CODE).unwrap();
    clean("a check", &scene.guess_by_id(admitted.loaded.id, &code));
    clean("a check by number", &scene.guess_by_number(&code));
    clean("limits", &scene.info().await);
    clean("the store", &scene.store);
    clean("keys", &test_keys(&["test"]));
    clean("a master key", &test_master_key("test"));
}

/// Collects what is traced.
#[derive(Clone, Default)]
struct Collected(Arc<Mutex<Vec<u8>>>);

impl Write for Collected {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn traces_at_the_finest_level_are_clean() {
    let collected = Collected::default();
    let writer = collected.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let test = with_custom_codes();
    let id = start_with(&test, request()).await.unwrap().verification.id;
    test.sender.next(Outcome::refused(SendErrorKind::Rejected));
    test.verifier.resend(Arc::clone(&test.service), id, ResendRequest::default()).await.unwrap_err();
    test.sender.next(Outcome::refused(SendErrorKind::Unknown));
    test.verifier.resend(Arc::clone(&test.service), id, ResendRequest::default()).await.unwrap();
    test.store.fail_next(Verb::Settle, Moment::Before);
    test.verifier.resend(Arc::clone(&test.service), id, ResendRequest::default()).await.unwrap();
    check(&test, id, "8341059260").await.unwrap();
    test.store.fail_next(Verb::Check, Moment::Before);
    check(&test, id, CODE).await.unwrap_err();
    test.verifier.unlock(&test.service, TestVerifier::NUMBER).await.unwrap();
    assert!(check(&test, id, CODE).await.unwrap().valid);
    test.verifier.limits(&test.service, TestVerifier::NUMBER, None, None).await.unwrap();
    test.verifier.preview(&test.service, request()).await.unwrap();
    start_with(&test, TestVerifier::request("4155552671x5")).await.unwrap_err();
    test.verifier.forget(&test.service, true, TestVerifier::NUMBER).await.unwrap();
    test.clock.step_back(Duration::from_secs(3600));
    start_with(&test, request()).await.unwrap_err();

    let traced = String::from_utf8(collected.0.lock().unwrap().clone()).unwrap();
    for expected in
        ["a message was not certainly taken", "the outcome of a send is not recorded", "failures in a row reset"]
    {
        assert!(traced.contains(expected), "{expected:?} is missing, so nothing was collected: {traced}");
    }
    assert!(traced.contains("+*******2671"), "numbers are masked, not left out");
    assert_clean("a trace", &traced);
}
