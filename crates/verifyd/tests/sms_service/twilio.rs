//! Through Twilio's wire format: what arrives there, and what its errors become.

use std::time::Duration;

use verifyd::senders::twilio::fake::{FakeTwilio, Fault};
use verifyd::{SmsService, SmsSettings};

use super::NUMBER;

fn service(twilio: &FakeTwilio) -> SmsService {
    let settings = twilio.settings();
    let variables = [
        ("TWILIO_ACCOUNT_SID", settings.account_sid.clone()),
        ("TWILIO_AUTH_TOKEN", settings.auth_token.clone().unwrap().expose().to_owned()),
        ("TWILIO_PHONE_NUMBER", settings.from.clone().unwrap()),
        ("TWILIO_BASE_URL", twilio.base_url()),
    ];
    let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    SmsService::new(SmsSettings::from_variables(find).unwrap()).unwrap()
}

#[tokio::test]
async fn a_message_arrives_with_the_caller_s_code() {
    let twilio = FakeTwilio::start().await.unwrap();
    let sms = service(&twilio);
    let sent = sms.send_verification_code("(415) 555-0123", "042317").await.unwrap();
    assert!(!sent.mock && sent.test_code.is_none());
    assert!(sent.message_id.unwrap().starts_with("SM"));
    let requests = twilio.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].parameter("To").as_deref(), Some(NUMBER));
    assert!(requests[0].parameter("Body").unwrap().contains("042317"));
}

#[tokio::test]
async fn twilio_s_errors_say_what_next() {
    let twilio = FakeTwilio::start().await.unwrap();
    let sms = service(&twilio);
    for (status, code, expected) in [
        (400, 21211, (422, "undeliverable")),      // not a number
        (400, 21614, (422, "undeliverable")),      // not a mobile
        (400, 21608, (503, "sender_unavailable")), // a trial account: ours to mend, not the person's
        (401, 20003, (503, "sender_unavailable")),
    ] {
        twilio.fault_next(Fault::Error { status, code });
        let refused = sms.send_verification_code(NUMBER, "123456").await.unwrap_err();
        assert_eq!((refused.status(), refused.code()), expected, "{code}");
        assert_eq!(sms.get_rate_limit_info(NUMBER).await.unwrap().used, 0, "{code}");
    }
    // Never answered: it may have been sent, so it counts and is not repeated.
    twilio.fault_next(Fault::CloseBeforeAnswer);
    let sent = sms.send_verification_code(NUMBER, "123456").await.unwrap();
    assert_eq!(sent.status.as_str(), "unknown");
    assert_eq!(sms.get_rate_limit_info(NUMBER).await.unwrap().used, 1);
    assert_eq!(twilio.requests().len(), 5);
}

#[tokio::test]
async fn nobody_listening_is_503_and_given_back() {
    let twilio = FakeTwilio::start().await.unwrap();
    let sms = service(&twilio);
    drop(twilio);
    tokio::task::yield_now().await;
    let refused = sms.send_verification_code(NUMBER, "123456").await.unwrap_err();
    assert_eq!(refused.status(), 503, "{refused:?}");
    assert!(refused.retry_after().unwrap() >= Duration::from_secs(1));
    assert_eq!(sms.get_rate_limit_info(NUMBER).await.unwrap().used, 0);
}
