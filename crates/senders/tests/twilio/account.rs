//! What Twilio says of an account: every answer is told apart, nothing is sent, no answer comes late.

use std::sync::Arc;
use std::time::{Duration, Instant};

use verifyd_core::clock::Timestamp;
use verifyd_core::random::SystemRandom;
use verifyd_senders::twilio::fake::{FakeAccount, FakeTwilio, Fault};
use verifyd_senders::twilio::{
    AccountError, AccountReport, AccountStatus, SenderStanding, TwilioConfig, TwilioSender, TwilioSettings,
};

async fn examine(settings: TwilioSettings) -> Result<AccountReport, AccountError> {
    let sender = TwilioSender::new(TwilioConfig::new(settings).unwrap(), Arc::new(SystemRandom)).unwrap();
    sender.examine(Timestamp::EPOCH).await
}

fn report(status: AccountStatus, sender: SenderStanding) -> AccountReport {
    AccountReport { status, is_trial: false, sender }
}

#[tokio::test]
async fn a_sound_account_and_its_sender_are_told_and_nothing_is_sent() {
    let account = FakeAccount {
        own_numbers: vec!["+14155550100".to_owned(), "24680".to_owned()],
        voice_numbers: vec!["+14155550199".to_owned()],
        ..FakeAccount::default()
    };
    let twilio = FakeTwilio::start_with(account).await.unwrap();
    for (from, standing) in [
        ("+14155550100", SenderStanding::Owned),
        ("+14155550199", SenderStanding::NoSms),
        ("+14155550101", SenderStanding::NotOwned),
        ("24680", SenderStanding::Owned),
        ("24681", SenderStanding::NotOwned),
        ("Acme", SenderStanding::NotTold),
    ] {
        let found = examine(TwilioSettings { from: Some(from.to_owned()), ..twilio.settings() }).await;
        assert_eq!(found, Ok(report(AccountStatus::Active, standing)), "{from}");
    }
    let service = Some(format!("MG{}", "0c".repeat(16)));
    let found = examine(TwilioSettings { messaging_service_sid: service, ..twilio.settings() }).await;
    assert_eq!(found, Ok(report(AccountStatus::Active, SenderStanding::NotTold)));
    assert!(twilio.requests().iter().all(|request| request.method == "GET" && request.body.is_empty()));
}

#[tokio::test]
async fn an_api_key_that_may_not_read_the_account_is_no_wrong_credential() {
    let twilio = FakeTwilio::start().await.unwrap();
    let account = twilio.account();
    let key = TwilioSettings {
        auth_token: None,
        api_key_sid: Some(account.api_key_sid.clone()),
        api_key_secret: Some(account.api_key_secret.clone().into()),
        ..twilio.settings()
    };
    assert_eq!(examine(key.clone()).await, Ok(report(AccountStatus::NotTold, SenderStanding::Owned)));
    let wrong = TwilioSettings { api_key_secret: Some("wrong".into()), ..key };
    assert_eq!(examine(wrong).await, Err(AccountError::WrongCredentials));
}

#[tokio::test]
async fn trial_suspended_and_closed_accounts_are_told_apart() {
    for (word, is_trial, status, sender) in [
        ("active", true, AccountStatus::Active, SenderStanding::Owned),
        ("suspended", false, AccountStatus::Suspended, SenderStanding::NotTold),
        ("closed", false, AccountStatus::Closed, SenderStanding::NotTold),
    ] {
        let account = FakeAccount { status: word.to_owned(), is_trial, ..FakeAccount::default() };
        let twilio = FakeTwilio::start_with(account).await.unwrap();
        assert_eq!(examine(twilio.settings()).await, Ok(AccountReport { status, is_trial, sender }), "{word}");
    }
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let twilio = FakeTwilio::start().await.unwrap();
    let wrong = TwilioSettings { auth_token: Some("wrong".into()), ..twilio.settings() };
    assert_eq!(examine(wrong).await, Err(AccountError::WrongCredentials));
    for (fault, error) in [
        (Fault::Error { status: 403, code: 20008 }, AccountError::TestCredentials),
        (Fault::Error { status: 404, code: 20404 }, AccountError::NoSuchAccount),
        (Fault::Throttle { retry_after: None }, AccountError::Other { status: 429, code: Some(20429) }),
        (Fault::Html, AccountError::Other { status: 200, code: None }),
        (Fault::Error { status: 500, code: 20500 }, AccountError::Other { status: 500, code: Some(20500) }),
    ] {
        twilio.fault_next(fault.clone());
        assert_eq!(examine(twilio.settings()).await, Err(error), "{fault:?}");
    }
    twilio.fault_next(Fault::Error { status: 403, code: 20005 });
    let suspended = examine(twilio.settings()).await;
    assert_eq!(suspended, Ok(report(AccountStatus::Suspended, SenderStanding::NotTold)));
}

#[tokio::test]
async fn silence_ends_at_the_deadline_and_names_no_secret() {
    let twilio = FakeTwilio::start().await.unwrap();
    let timeout = Duration::from_millis(200);
    let settings = || TwilioSettings { timeout, connect_timeout: timeout, ..twilio.settings() };
    let began = Instant::now();
    twilio.fault_next(Fault::Hang);
    assert_eq!(examine(settings()).await, Err(AccountError::NoAnswer("the deadline passed".to_owned())));
    assert!(began.elapsed() < timeout * 10, "{:?}", began.elapsed());
    let nobody = TwilioSettings { base_url: "http://127.0.0.1:1".to_owned(), ..settings() };
    let error = examine(nobody).await.unwrap_err();
    assert!(matches!(error, AccountError::NoAnswer(_)) && !error.to_string().contains("AC0a"), "{error}");
}
