//! The seed's variables and the one shared instance.

use std::process::Command;
use std::time::Duration;

use verifyd::sms::MockMode;
use verifyd::{SmsService, SmsSettings, get_sms_service};

const SID: &str = "AC0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";

fn settings(variables: &[(&str, &str)]) -> Result<SmsSettings, String> {
    let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    SmsSettings::from_variables(find).map_err(|error| error.to_string())
}

/// What making a service of these variables says.
fn refusal(variables: &[(&str, &str)]) -> String {
    settings(variables).and_then(|settings| SmsService::new(settings).map_err(|error| error.to_string())).unwrap_err()
}

#[test]
fn defaults_are_the_seed_s() {
    let settings = settings(&[("SMS_MOCK_MODE", "")]).unwrap();
    assert_eq!(settings.mock_mode, MockMode::Off);
    assert_eq!((settings.rate_limit_per_phone, settings.rate_limit_window), (5, Duration::from_secs(3600)));
    assert_eq!((settings.code_ttl, settings.code_length.digits()), (Duration::from_secs(600), 6));
    assert!(settings.twilio.is_none());
}

#[test]
fn every_variable_is_read() {
    let settings = settings(&[
        ("TWILIO_ACCOUNT_SID", SID),
        ("TWILIO_AUTH_TOKEN", "token"),
        ("TWILIO_PHONE_NUMBER", "+15005550006"),
        ("TWILIO_BASE_URL", "http://127.0.0.1:1"),
        ("SMS_RATE_LIMIT_PER_PHONE", "3"),
        ("SMS_RATE_LIMIT_WINDOW", "90"),
        ("SMS_MOCK_MODE", "AUTO"),
    ])
    .unwrap();
    assert_eq!((settings.rate_limit_per_phone, settings.rate_limit_window), (3, Duration::from_secs(90)));
    assert_eq!(settings.mock_mode, MockMode::Auto);
    let twilio = settings.twilio.clone().unwrap();
    assert_eq!((twilio.account_sid.as_str(), twilio.from.as_deref()), (SID, Some("+15005550006")));
    assert_eq!(twilio.base_url, "http://127.0.0.1:1");
    // Credentials are there, so `auto` sends to phones.
    assert!(SmsService::new(settings).unwrap().inbox().is_none());
}

#[test]
fn what_cannot_work_names_its_variable() {
    for (variables, begins) in [
        (&[][..], "TWILIO_ACCOUNT_SID: there is no way to send"),
        (&[("SMS_MOCK_MODE", "maybe")], "SMS_MOCK_MODE: expected true, false or auto"),
        (
            &[("SMS_MOCK_MODE", "true"), ("SMS_RATE_LIMIT_PER_PHONE", "0")],
            "SMS_RATE_LIMIT_PER_PHONE: expected 1 to 100",
        ),
        (&[("SMS_RATE_LIMIT_PER_PHONE", "101")], "SMS_RATE_LIMIT_PER_PHONE: expected 1 to 100"),
        (&[("SMS_RATE_LIMIT_PER_PHONE", "five")], "SMS_RATE_LIMIT_PER_PHONE: expected a whole number"),
        (&[("SMS_RATE_LIMIT_WINDOW", "0")], "SMS_RATE_LIMIT_WINDOW: expected 1 second"),
        (&[("SMS_RATE_LIMIT_WINDOW", "1h")], "SMS_RATE_LIMIT_WINDOW: expected a whole number"),
        (&[("TWILIO_ACCOUNT_SID", SID)], "TWILIO_AUTH_TOKEN: "),
        // Half of the credentials is a mistake, not a reason for mock mode.
        (&[("TWILIO_AUTH_TOKEN", "t"), ("SMS_MOCK_MODE", "auto")], "TWILIO_ACCOUNT_SID: "),
        (&[("TWILIO_ACCOUNT_SID", SID), ("TWILIO_AUTH_TOKEN", "t")], "TWILIO_PHONE_NUMBER: "),
        (&[("SMS_MOCK_MODE", "true"), ("VERIFYD_ENVIRONMENT", "production")], "SMS_MOCK_MODE: mock mode is refused"),
        (&[("SMS_MOCK_MODE", "auto"), ("VERIFYD_ENVIRONMENT", "production")], "SMS_MOCK_MODE: mock mode is refused"),
    ] {
        let said = refusal(variables);
        assert!(said.starts_with(begins), "{variables:?}: {said}");
    }
}

/// Run by [`one_instance_is_shared`] in a process of its own, because its environment counts.
#[test]
#[ignore = "is run by one_instance_is_shared, with an environment of its own"]
fn shared_instance_of_a_fresh_process() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let instances: Vec<_> =
        (0..8).map(|_| std::thread::spawn(get_sms_service)).map(|thread| thread.join().unwrap().unwrap()).collect();
    runtime.block_on(async {
        for (used, sms) in instances.iter().take(3).enumerate() {
            let info = sms.get_rate_limit_info(super::NUMBER).await.unwrap();
            assert_eq!((info.limit, info.used as usize), (3, used));
            sms.send_verification_code(super::NUMBER, "123456").await.unwrap();
        }
        assert!(instances.last().unwrap().is_rate_limited(super::NUMBER).await.unwrap());
    });
}

#[test]
fn one_instance_is_shared() {
    let child = |variables: &[(&str, &str)]| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "environment::shared_instance_of_a_fresh_process", "--ignored"]).env_clear();
        command.envs(variables.iter().copied()).output().unwrap()
    };
    let output = child(&[("SMS_MOCK_MODE", "true"), ("SMS_RATE_LIMIT_PER_PHONE", "3")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    // Without a way to send there is no instance.
    assert!(!child(&[]).status.success());
}
