//! Twilio's account and sender, `[twilio]`, validated by the sender's own door.

use std::path::Path;
use std::time::Duration;

use url::Url;
use verifyd_senders::secret::Secret;
use verifyd_senders::twilio::{RiskCheck, TwilioConfig, TwilioConfigError, TwilioSettings};

use super::reader::Reader;

/// The keys that say who sends.
const CREDENTIALS: [&str; 4] =
    ["twilio.account_sid", "twilio.auth_token", "twilio.api_key_sid", "twilio.api_key_secret"];
/// Where Twilio reports what became of a message, under `public_url`.
const CALLBACK: &str = "callbacks/twilio";

/// The first key that says who sends, if any does.
pub(super) fn credential(reader: &Reader<'_>) -> Option<&'static str> {
    let given = |path: &&str| reader.is_given(path) || reader.is_given(&format!("{path}_file"));
    CREDENTIALS.into_iter().find(|path| given(path))
}

pub(super) fn read(reader: &mut Reader<'_>, public_url: Option<&Url>) -> Option<TwilioConfig> {
    let (settings, all_read) = settings(reader, public_url)?;
    let mut probe = settings.clone();
    // The sender's door names one field at a time; each is set right in turn, so that one run shows all of them.
    while let Err(error) = TwilioConfig::new(probe.clone()) {
        refuse(reader, error);
        if !set_right(&mut probe, error) {
            return None;
        }
    }
    TwilioConfig::new(settings).ok().filter(|_config| all_read)
}

/// What was given, and whether all of it could be read; what could not is left at its default.
fn settings(reader: &mut Reader<'_>, public_url: Option<&Url>) -> Option<(TwilioSettings, bool)> {
    let owned = |path: &str| reader.text(path).map(str::to_owned);
    let secret = |path: &str| reader.text(path).map(Secret::from);
    let mut settings = TwilioSettings {
        account_sid: owned("twilio.account_sid").unwrap_or_default(),
        auth_token: secret("twilio.auth_token"),
        api_key_sid: owned("twilio.api_key_sid"),
        api_key_secret: secret("twilio.api_key_secret"),
        from: owned("twilio.from"),
        messaging_service_sid: owned("twilio.messaging_service_sid"),
        base_url: owned("twilio.base_url")?,
        status_callback: public_url.and_then(|url| url.join(CALLBACK).ok()),
        smart_encoded: reader.switch("twilio.smart_encoded")?,
        ..TwilioSettings::default()
    };
    let any = Duration::ZERO..=Duration::MAX;
    let connect_timeout = reader.duration("twilio.connect_timeout", &any);
    let timeout = reader.duration("twilio.timeout", &any);
    settings.risk_check =
        reader.word("twilio.risk_check", &[("enable", RiskCheck::Enable), ("disable", RiskCheck::Disable)]);
    settings.root_certificates_pem = read_certificates(reader);
    let all_read = connect_timeout.is_some()
        && timeout.is_some()
        && settings.risk_check.is_some() == reader.is_given("twilio.risk_check")
        && settings.root_certificates_pem.is_some() == reader.is_given("twilio.root_certificates_file");
    settings.connect_timeout = connect_timeout.unwrap_or(settings.connect_timeout);
    settings.timeout = timeout.unwrap_or(settings.timeout);
    Some((settings, all_read))
}

fn read_certificates(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    let read_file = reader.read_file;
    reader
        .parsed_by("twilio.root_certificates_file", |file| {
            read_file(Path::new(file)).map_err(|error| format!("the file cannot be read: {error}"))
        })
        .map(String::into_bytes)
}

fn path_of(error: TwilioConfigError) -> String {
    match error.field() {
        "root_certificates" => "twilio.root_certificates_file".to_owned(),
        "status_callback" => "public_url".to_owned(),
        field => format!("twilio.{field}"),
    }
}

fn refuse(reader: &mut Reader<'_>, error: TwilioConfigError) {
    let path = path_of(error);
    if error == TwilioConfigError::AccountSid && !reader.is_given(&path) {
        let other = credential(reader).map(|path| reader.field(path)).unwrap_or_default();
        return reader.refuse(&path, format_args!("missing although {other} is given"));
    }
    let text = error.to_string();
    let problem = text.split_once(": ").map_or(text.as_str(), |(_, problem)| problem);
    let is_time = matches!(error, TwilioConfigError::Timeout | TwilioConfigError::ConnectTimeout);
    if is_time {
        reader.refuse(&path, problem);
    } else {
        // A secret may have been pasted into the wrong key.
        reader.refuse_unshown(&path, problem);
    }
}

/// Replaces what `error` is about by something that works; `false` if that cannot be.
fn set_right(settings: &mut TwilioSettings, error: TwilioConfigError) -> bool {
    let sound = TwilioSettings::default();
    let sid = |prefix: &str| format!("{prefix}{}", "0".repeat(32));
    match error {
        TwilioConfigError::AccountSid => settings.account_sid = sid("AC"),
        TwilioConfigError::CredentialsMissing | TwilioConfigError::AuthToken => {
            settings.auth_token = Some(Secret::from("sound"));
        }
        TwilioConfigError::ApiKeySid | TwilioConfigError::ApiKeySidMissing => settings.api_key_sid = Some(sid("SK")),
        TwilioConfigError::ApiKeySecret | TwilioConfigError::ApiKeySecretMissing => {
            settings.api_key_secret = Some(Secret::from("sound"));
        }
        TwilioConfigError::FromMissing | TwilioConfigError::From => settings.from = Some("12345".to_owned()),
        TwilioConfigError::MessagingServiceSid => settings.messaging_service_sid = None,
        TwilioConfigError::BaseUrl | TwilioConfigError::BaseUrlInsecure => settings.base_url = sound.base_url,
        TwilioConfigError::StatusCallback | TwilioConfigError::StatusCallbackUnderscore => {
            settings.status_callback = None;
        }
        TwilioConfigError::Timeout => settings.timeout = sound.timeout,
        TwilioConfigError::ConnectTimeout
            if settings.connect_timeout.is_zero() || settings.connect_timeout > settings.timeout =>
        {
            settings.connect_timeout = settings.timeout;
        }
        TwilioConfigError::RootCertificates if settings.root_certificates_pem.is_some() => {
            settings.root_certificates_pem = None;
        }
        TwilioConfigError::ConnectTimeout | TwilioConfigError::RootCertificates => return false,
    }
    true
}
