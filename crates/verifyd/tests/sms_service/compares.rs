//! Codes are made, compared and judged: format, expiry, equality; and the mock mode's replies.

use std::time::Duration;

use verifyd::clock::{Clock, Timestamp};
use verifyd::sender::DeliveryStatus;
use verifyd::sms::MockMode;
use verifyd::{SmsService, SmsSettings};

use super::{NUMBER, Scene, mock, scene};

#[test]
fn made_codes_have_six_digits_and_differ() {
    let sms = mock();
    let codes: Vec<_> = (0..100).map(|_| sms.generate_verification_code().unwrap()).collect();
    assert!(codes.iter().all(|code| code.len() == 6 && code.expose().bytes().all(|b| b.is_ascii_digit())));
    let first = codes.first().unwrap();
    assert!(codes.iter().any(|code| !code.matches(first)));
}

#[test]
fn a_code_is_judged_by_form_then_time_then_digits() {
    let Scene { sms, clock, .. } = scene();
    let expires_at = clock.now() + Duration::from_secs(600);
    let verdict = |input: &str, stored: &str| {
        sms.validate_verification_code(input, stored, expires_at).map_err(|error| (error.status(), error.code()))
    };
    assert_eq!(verdict("123456", "123456"), Ok(()));
    assert_eq!(verdict(" 123-456 ", "123456"), Ok(()));
    assert_eq!(verdict("123457", "123456"), Err((400, "invalid_code")));
    for malformed in ["", "12345", "1234567", "12345a", "123.456"] {
        assert_eq!(verdict(malformed, "123456"), Err((422, "invalid_code_format")), "{malformed:?}");
    }
    assert_eq!(verdict("123456", ""), Err((400, "invalid_code")));
    assert_eq!(verdict("123456", "none"), Err((400, "invalid_code")));
    clock.advance(Duration::from_millis(599_999));
    assert_eq!(verdict("123456", "123456"), Ok(()));
    clock.advance(Duration::from_millis(1));
    assert_eq!(verdict("123456", "123456"), Err((410, "expired")));
    assert_eq!(verdict("123457", "123456"), Err((410, "expired")));
}

#[test]
fn an_instant_of_the_system_s_clock_will_do() {
    let at = Timestamp::from_unix_ms(1_767_225_600_000);
    assert_eq!(Timestamp::from(std::time::SystemTime::from(at)), at);
    assert_eq!(Timestamp::from(std::time::UNIX_EPOCH - Duration::from_secs(1)), Timestamp::EPOCH);
}

#[tokio::test]
async fn bad_numbers_and_codes_cost_nothing() {
    let Scene { sms, sender, .. } = scene();
    for (phone, code) in [
        ("", "invalid_phone_number"),
        ("555", "invalid_phone_number"),
        ("+1415555012", "invalid_phone_number"),
        ("nonsense", "invalid_phone_number"),
        ("+18005550199", "number_type_not_allowed"),
    ] {
        let refused = sms.send_verification_code(phone, "123456").await.unwrap_err();
        assert_eq!((refused.status(), refused.code()), (422, code), "{phone:?}");
    }
    for bad in ["", "12345", "1234567", "abcdef"] {
        let refused = sms.send_verification_code(NUMBER, bad).await.unwrap_err();
        assert_eq!((refused.status(), refused.code()), (422, "invalid_code_format"), "{bad:?}");
    }
    assert_eq!(sender.count(), 0);
    assert_eq!(sms.get_rate_limit_info(NUMBER).await.unwrap().used, 0);
}

#[tokio::test]
async fn mock_mode_replies_with_a_message_id_and_the_code() {
    let sms = mock();
    let sent = sms.send_verification_code("4155550123", "012345").await.unwrap();
    assert!(sent.mock);
    assert_eq!((sent.to.e164(), sent.status), (NUMBER, DeliveryStatus::Sent));
    let id = sent.message_id.unwrap();
    assert!(id.len() == 34 && id.starts_with("SM") && id[2..].bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    assert_eq!(sent.test_code.unwrap().expose(), "012345");
    let messages = sms.inbox().unwrap().messages(None);
    assert_eq!((messages.len(), messages[0].id.as_str()), (1, id.as_str()));
}

#[tokio::test]
async fn auto_without_credentials_is_mock_mode_that_shows_no_code() {
    let settings = SmsSettings { mock_mode: MockMode::Auto, ..SmsSettings::default() };
    let sms = SmsService::new(settings).unwrap();
    let sent = sms.send_verification_code(NUMBER, "012345").await.unwrap();
    assert!(sent.mock && sent.test_code.is_none());
}

#[tokio::test]
async fn a_sender_to_phones_shows_no_code_even_in_mock_mode() {
    let clock = std::sync::Arc::new(verifyd::testing::FakeClock::default());
    let sender = std::sync::Arc::new(verifyd::testing::RecordingSender::new(false));
    let settings = SmsSettings { mock_mode: MockMode::On, ..SmsSettings::default() };
    let sms = SmsService::over(settings, super::parts(&clock).sender(sender)).unwrap();
    assert!(sms.send_verification_code(NUMBER, "012345").await.unwrap().test_code.is_none());
}
