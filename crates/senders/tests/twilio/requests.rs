//! What is sent, how it is authenticated, and Twilio's own checks and magic numbers.

use std::time::Duration;

use verifyd_core::sender::{DeliveryStatus, Message, SendErrorKind, Sender as _};
use verifyd_senders::twilio::fake::{FakeAccount, FakeTwilio};
use verifyd_senders::twilio::{RiskCheck, TwilioSettings};

use crate::support::{NUMBER, TEXT, message, message_to, sender};

#[tokio::test]
async fn the_form_says_what_the_settings_say() {
    let twilio = FakeTwilio::start().await.unwrap();
    let receipt = sender(twilio.settings()).send(&message()).await.unwrap();
    assert_eq!(receipt.message_id, Some(format!("SM{:032x}", 1)));
    assert_eq!((receipt.status, receipt.segments, receipt.price), (DeliveryStatus::Queued, Some(1), None));
    let service = format!("MG{}", "5".repeat(32));
    let settings = TwilioSettings {
        messaging_service_sid: Some(service.clone()),
        from: None,
        status_callback: Some("https://verify.example.com/callbacks/twilio".parse().unwrap()),
        smart_encoded: false,
        risk_check: Some(RiskCheck::Disable),
        ..twilio.settings()
    };
    let receipt = sender(settings).send(&message()).await.unwrap();
    assert_eq!((receipt.status, receipt.segments), (DeliveryStatus::Accepted, None));
    let requests = twilio.requests();
    let pairs = |form: &[(String, String)]| form.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>();
    assert_eq!(
        pairs(&requests[0].form()),
        [
            format!("To={NUMBER}"),
            "From=+15005550006".to_owned(),
            format!("Body={TEXT}"),
            "ValidityPeriod=600".to_owned(),
            "SmartEncoded=true".to_owned(),
        ]
    );
    assert_eq!(
        pairs(&requests[1].form()),
        [
            format!("To={NUMBER}"),
            format!("MessagingServiceSid={service}"),
            format!("Body={TEXT}"),
            "StatusCallback=https://verify.example.com/callbacks/twilio".to_owned(),
            "ValidityPeriod=600".to_owned(),
            "SmartEncoded=false".to_owned(),
            "RiskCheck=disable".to_owned(),
        ]
    );
    assert!(requests[0].body.starts_with("To=%2B1415"), "the plus is escaped");
    assert_eq!(requests[0].method, "POST");
    assert_eq!(requests[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(requests[0].header("content-length"), Some(requests[0].body.len().to_string().as_str()));
    assert!(requests[0].header("user-agent").is_some_and(|agent| agent.starts_with("verifyd/")));
}

#[tokio::test]
async fn the_validity_period_is_the_codes_remaining_life_within_twilios_range() {
    let twilio = FakeTwilio::start().await.unwrap();
    let sender = sender(twilio.settings());
    let cases = [
        (0, "1"),
        (999, "1"),
        (1000, "1"),
        (1999, "1"),
        (599_999, "599"),
        (36_000_000, "36000"),
        (36_001_000, "36000"),
    ];
    for (ms, expected) in cases {
        sender.send(&Message { validity: Duration::from_millis(ms), ..message() }).await.unwrap();
        assert_eq!(twilio.requests().last().unwrap().parameter("ValidityPeriod").unwrap(), expected, "{ms}");
    }
}

#[tokio::test]
async fn token_and_api_key_authenticate_and_wrong_ones_are_our_configuration() {
    let twilio = FakeTwilio::start().await.unwrap();
    let account = twilio.account().clone();
    let with_key = |secret: &str| TwilioSettings {
        auth_token: None,
        api_key_sid: Some(account.api_key_sid.clone()),
        api_key_secret: Some(secret.into()),
        ..twilio.settings()
    };
    assert!(sender(with_key(&account.api_key_secret)).send(&message()).await.is_ok());
    let path = format!("/2010-04-01/Accounts/{}/Messages.json", account.account_sid);
    assert_eq!(twilio.requests()[0].target, path, "the account is in the path with a key, too");
    let stranger = TwilioSettings { account_sid: format!("AC{}", "9".repeat(32)), ..twilio.settings() };
    let wrong_token = TwilioSettings { auth_token: Some("wrong".into()), ..twilio.settings() };
    for settings in [with_key("wrong"), wrong_token, stranger] {
        let failure = sender(settings).send(&message()).await.unwrap_err();
        assert_eq!(failure.kind, SendErrorKind::Unavailable);
        assert_eq!(failure.provider_code.as_deref(), Some("20003"));
    }
    assert_eq!(twilio.requests().len(), 4);
}

#[tokio::test]
async fn magic_senders_fail_as_twilios_do() {
    let twilio =
        FakeTwilio::start_with(FakeAccount { own_numbers: vec!["+14155550199".into()], ..FakeAccount::default() });
    let twilio = twilio.await.unwrap();
    for (from, code) in [
        ("+15005550001", Some("21212")),
        ("+15005550007", Some("21606")),
        ("+15005550008", Some("21611")),
        ("+14155550100", Some("21606")),
        ("+15005550006", None),
        ("+14155550199", None),
        ("Acme", None),
    ] {
        let settings = TwilioSettings { from: Some(from.into()), ..twilio.settings() };
        let outcome = sender(settings).send(&message()).await;
        let failure = outcome.err().map(|error| (error.kind, error.provider_code.unwrap()));
        assert_eq!(failure, code.map(|code| (SendErrorKind::Unavailable, code.to_owned())), "{from}");
    }
}

#[tokio::test]
async fn magic_recipients_fail_as_twilios_do() {
    let twilio = FakeTwilio::start().await.unwrap();
    let sender = sender(twilio.settings());
    for (to, code, kind) in [
        ("+15005550001", "21211", SendErrorKind::Rejected),
        ("+15005550002", "21612", SendErrorKind::Unavailable),
        ("+15005550003", "21408", SendErrorKind::Unavailable),
        ("+15005550004", "21610", SendErrorKind::Rejected),
        ("+15005550009", "21614", SendErrorKind::Unsupported),
    ] {
        let failure = sender.send(&message_to(to)).await.unwrap_err();
        assert_eq!((failure.provider_code.as_deref(), failure.kind), (Some(code), kind), "{to}");
    }
    assert!(sender.send(&message_to("+15005550010")).await.is_ok());
    assert_eq!(twilio.requests().len(), 6, "a refusal is not tried again");
}
