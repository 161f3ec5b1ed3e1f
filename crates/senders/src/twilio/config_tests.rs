//! Every broken setting gives its exact message; good ones build the right URL and credentials.

use super::*;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn good() -> TwilioSettings {
    TwilioSettings {
        account_sid: format!("AC{}", "a".repeat(32)),
        auth_token: Some(TOKEN.into()),
        from: Some("+15005550006".into()),
        ..TwilioSettings::default()
    }
}

fn api_key() -> TwilioSettings {
    TwilioSettings {
        api_key_sid: Some(format!("SK{}", "b".repeat(32))),
        api_key_secret: Some("Zm9v/+=_secret".into()),
        ..good()
    }
}

fn callback(text: &str) -> TwilioSettings {
    TwilioSettings { status_callback: Some(Url::parse(text).unwrap()), ..good() }
}

fn based(text: &str) -> TwilioSettings {
    TwilioSettings { base_url: text.into(), ..good() }
}

fn from(text: &str) -> TwilioSettings {
    TwilioSettings { from: Some(text.into()), ..good() }
}

fn error(settings: TwilioSettings) -> String {
    let error = TwilioConfig::new(settings).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(&format!("{}: ", error.field())), "{text}");
    text
}

#[test]
fn broken_credentials_are_refused_with_the_exact_message() {
    for sid in [
        "",
        "AC",
        "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "VAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "ACgaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ] {
        let settings = TwilioSettings { account_sid: sid.into(), ..good() };
        assert_eq!(error(settings), "account_sid: expected AC and 32 hex digits", "{sid}");
    }
    for token in ["", "two words", "tab\t", "ümlaut", &"x".repeat(257)] {
        let settings = TwilioSettings { auth_token: Some(token.into()), ..good() };
        assert_eq!(error(settings), "auth_token: expected 1 to 256 printable ASCII characters without spaces");
        let settings = TwilioSettings { api_key_secret: Some(token.into()), ..api_key() };
        assert_eq!(error(settings), "api_key_secret: expected 1 to 256 printable ASCII characters without spaces");
    }
    for (settings, text) in [
        (
            TwilioSettings { auth_token: None, ..good() },
            "auth_token: missing; give auth_token, or api_key_sid and api_key_secret",
        ),
        (TwilioSettings { api_key_sid: Some("SK1".into()), ..api_key() }, "api_key_sid: expected SK and 32 hex digits"),
        (TwilioSettings { api_key_sid: None, ..api_key() }, "api_key_sid: missing although api_key_secret is given"),
        (TwilioSettings { api_key_secret: None, ..api_key() }, "api_key_secret: missing although api_key_sid is given"),
    ] {
        assert_eq!(error(settings), text);
    }
}

#[test]
fn broken_senders_are_refused_with_the_exact_message() {
    for sender in [
        "",
        "+",
        "+0123456789",
        "+123456",
        "+1234567890123456",
        "12",
        "123456789",
        "A name of 12",
        "Acme!",
        " Acme",
        "Ünal",
        "+1500555000a",
    ] {
        let text = error(from(sender));
        assert_eq!(
            text,
            "from: expected a number in E.164 (such as +15005550006), a short code of 3 to 8 digits, or a name of at most \
             11 letters, digits and spaces with at least one letter",
            "{sender:?}"
        );
    }
    for sender in ["+1234567", "+123456789012345", "123", "12345678", "A", "Acme 24", "ElevenChars"] {
        assert!(TwilioConfig::new(from(sender)).is_ok(), "{sender:?}");
    }
    let neither = TwilioSettings { from: None, ..good() };
    assert_eq!(error(neither), "from: missing; give from, messaging_service_sid or both");
    let service = TwilioSettings { messaging_service_sid: Some("MG12".into()), ..good() };
    assert_eq!(error(service), "messaging_service_sid: expected MG and 32 hex digits");
}

#[test]
fn broken_urls_and_times_are_refused_with_the_exact_message() {
    for base in [
        "",
        "api.twilio.com",
        "ftp://api.twilio.com",
        "https://u@h.example",
        "https://u:p@h.example",
        "https://h.example/?q=1",
        "https://h.example/#f",
    ] {
        assert_eq!(error(based(base)), "base_url: expected an https URL without user, query and fragment", "{base}");
    }
    for base in ["http://api.twilio.com", "http://10.0.0.1:80", "http://127.example", "http://[::2]"] {
        let text = "base_url: plain http is allowed only to this machine (localhost, 127.0.0.0/8, [::1])";
        assert_eq!(error(based(base)), text, "{base}");
    }
    assert_eq!(
        error(callback("https://my_host.example/callbacks/twilio")),
        "status_callback: Twilio refuses host names with an underscore"
    );
    let long = |bytes: usize| format!("https://h.example/{}", "x".repeat(bytes - 18));
    let expected = "status_callback: expected an http or https URL of at most 4000 bytes";
    assert_eq!(error(callback(&long(4001))), expected);
    assert_eq!(error(callback("ftp://h.example/")), expected);
    assert!(TwilioConfig::new(callback(&long(4000))).is_ok());
    assert!(TwilioConfig::new(callback("https://h.example/a_b")).is_ok(), "an underscore in the path is fine");
    for (connect_ms, total_ms, text) in [
        (1, 0, "timeout: expected 1 ms to 120 s"),
        (1, 120_001, "timeout: expected 1 ms to 120 s"),
        (0, 1000, "connect_timeout: expected 1 ms up to timeout"),
        (1001, 1000, "connect_timeout: expected 1 ms up to timeout"),
    ] {
        let connect_timeout = Duration::from_millis(connect_ms);
        let settings = TwilioSettings { connect_timeout, timeout: Duration::from_millis(total_ms), ..good() };
        assert_eq!(error(settings), text);
    }
    for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
        let settings = TwilioSettings { root_certificates_pem: Some(pem.as_bytes().to_vec()), ..good() };
        assert_eq!(error(settings), "root_certificates: expected one or more certificates in PEM", "{pem}");
    }
}

#[test]
fn the_url_keeps_a_prefix_and_the_account() {
    let account = format!("AC{}", "a".repeat(32));
    for (base, start) in [
        (DEFAULT_BASE_URL, "https://api.twilio.com"),
        ("https://proxy.example/twilio/", "https://proxy.example/twilio"),
        ("http://127.0.0.1:4010", "http://127.0.0.1:4010"),
        ("http://localhost:4010/", "http://localhost:4010"),
        ("http://[::1]:4010", "http://[::1]:4010"),
    ] {
        let config = TwilioConfig::new(based(base)).unwrap();
        assert_eq!(config.messages_url.as_str(), format!("{start}/2010-04-01/Accounts/{account}/Messages.json"));
    }
}

#[test]
fn an_api_key_goes_before_the_token_and_no_secret_is_shown() {
    let config = TwilioConfig::new(good()).unwrap();
    assert_eq!((config.user.as_str(), config.password.expose()), (config.account_sid.as_str(), TOKEN));
    let config = TwilioConfig::new(api_key()).unwrap();
    assert!(config.user.starts_with("SK"));
    assert_eq!(config.password.expose(), "Zm9v/+=_secret");
    let shown = format!("{:?} {config:?}", api_key());
    assert!(!shown.contains("Zm9v") && !shown.contains(TOKEN), "{shown}");
}
