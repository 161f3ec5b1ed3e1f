//! Production, mock mode, `auto` and `verifyd dev`.

use verifyd_core::registry::{Scope, SecretHash};

use super::*;

const CREDENTIALS: [(&str, &str); 3] =
    [("TWILIO_ACCOUNT_SID", ACCOUNT), ("TWILIO_AUTH_TOKEN", TOKEN), ("TWILIO_PHONE_NUMBER", "+15005550006")];
const NO_WAY: &str = "twilio.account_sid (TWILIO_ACCOUNT_SID): there is no way to send: set TWILIO_ACCOUNT_SID, \
                      TWILIO_AUTH_TOKEN and TWILIO_PHONE_NUMBER, or for development SMS_MOCK_MODE=true, which sends to the inbox";
const NO_MOCK: &str =
    "mock mode is refused in production: give Twilio's credentials, or set environment = \"development\"";

fn development(file: &str, environment: &[(&str, &str)], flags: Flags) -> Result<(Config, Vec<Note>), ConfigErrors> {
    Config::development(&Sources { flags, ..sources(file, environment) })
}

#[test]
fn without_credentials_and_without_mock_mode_nothing_starts() {
    assert_eq!(refused("", &[]), NO_WAY);
    assert_eq!(refused("", &[("SMS_MOCK_MODE", "false"), ("TWILIO_PHONE_NUMBER", "+15005550006")]), NO_WAY);
    assert_eq!(refused("environment = \"production\"", &[]), NO_WAY);
}

#[test]
fn commands_on_the_data_need_no_way_to_send() {
    let file = "environment = \"production\"\nlisten = \"0.0.0.0:80\"";
    let (config, _) = Config::for_data(&sources(file, &[])).unwrap();
    assert!(matches!(config.sending, Sending::Inbox(InboxReason::NotServing)));
    assert!(config.api_keys.is_empty() && !config.expose_codes);
    let errors = Config::for_data(&sources("listen = \"x\"", &[])).unwrap_err();
    assert_eq!(errors.errors().len(), 1);
    assert!(matches!(Config::for_data(&sources("", &CREDENTIALS)).unwrap().0.sending, Sending::Twilio(_)));
}

#[test]
fn half_the_credentials_are_refused() {
    assert_eq!(
        refused("", &[("TWILIO_ACCOUNT_SID", ACCOUNT), ("SMS_MOCK_MODE", "auto")]),
        "twilio.auth_token (TWILIO_AUTH_TOKEN): missing; give auth_token, or api_key_sid and api_key_secret\n\
         twilio.from (TWILIO_PHONE_NUMBER): missing; give from, messaging_service_sid or both"
    );
    assert_eq!(
        refused("", &[("TWILIO_AUTH_TOKEN", TOKEN), ("TWILIO_PHONE_NUMBER", "+15005550006")]),
        "twilio.account_sid (TWILIO_ACCOUNT_SID): missing although TWILIO_AUTH_TOKEN is given"
    );
}

#[test]
fn auto_decides_once_by_the_credentials() {
    let (config, found) = load_text("", &[("SMS_MOCK_MODE", "Auto")]).unwrap();
    assert!(matches!(config.sending, Sending::Inbox(InboxReason::NoCredentials)));
    let loud = found.iter().find(|note| note.field == "SMS_MOCK_MODE").unwrap();
    assert_eq!(loud.level, NoteLevel::Warning);
    assert!(loud.message.contains("NO MESSAGE REACHES A PHONE"));
    let mut given = vec![("SMS_MOCK_MODE", "auto"), ("VERIFYD_EXPOSE_CODES", "true")];
    given.extend(CREDENTIALS);
    let (config, _) = load_text("", &given).unwrap();
    assert!(matches!(config.sending, Sending::Twilio(_)));
    assert!(!config.expose_codes, "a real message never shows its code");
}

#[test]
fn codes_are_exposed_only_in_mock_mode_and_only_to_this_machine() {
    // Every combination of the four switches.
    for bits in 0..16_u8 {
        let [production, mock, expose, local] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
        let text = |on: bool| if on { "true" } else { "false" };
        let mut given = CREDENTIALS.to_vec();
        given.extend([
            ("VERIFYD_ENVIRONMENT", if production { "production" } else { "development" }),
            ("SMS_MOCK_MODE", text(mock)),
            ("VERIFYD_EXPOSE_CODES", text(expose)),
            ("VERIFYD_LISTEN", if local { "[::1]:80" } else { "[::]:80" }),
        ]);
        let loaded = load_text("", &given);
        let allowed = if production { !mock && !expose } else { !expose || (mock && local) };
        assert_eq!(loaded.is_ok(), allowed, "{given:?}");
        assert_eq!(loaded.is_ok_and(|(config, _)| config.expose_codes), allowed && expose, "{given:?}");
    }
}

#[test]
fn the_refusals_of_exposed_codes_are_exact() {
    assert_eq!(
        refused("expose_codes = true", &CREDENTIALS),
        "expose_codes = true (verifyd.toml, line 1): only in mock mode: set it to false, or mock = true"
    );
    let file = "mock = true\nexpose_codes = true\nlisten = \"0.0.0.0:80\"";
    assert_eq!(
        refused(file, &[]),
        "listen = \"0.0.0.0:80\" (verifyd.toml, line 3): expose_codes shows codes to everybody who reaches this address: \
         listen on 127.0.0.1, or add --i-expose-codes"
    );
    let flags = Flags { i_expose_codes: true, ..Flags::default() };
    let (config, found) = Config::load(&Sources { flags, ..sources(file, &[]) }).unwrap();
    assert!(config.expose_codes);
    assert!(
        notes(&found).contains(&"listen: everybody who reaches 0.0.0.0:80 can read the codes in the inbox".to_owned())
    );
}

#[test]
fn production_refuses_what_is_for_development() {
    for mock in ["true", "\"auto\""] {
        let file = format!("environment = \"production\"\nmock = {mock}\nexpose_codes = true\napi_key = \"short\"\n");
        assert_eq!(
            refused(&file, &CREDENTIALS),
            format!(
                "api_key (verifyd.toml, line 4): shorter than the 16 characters that production asks for; verifyd keys \
                 create makes a good one\nmock = {mock} (verifyd.toml, line 2): {NO_MOCK}\n\
                 expose_codes = true (verifyd.toml, line 3): refused in production: set it to false, or environment = \
                 \"development\""
            )
        );
    }
    let mut given = CREDENTIALS.to_vec();
    given.extend([("VERIFYD_ENVIRONMENT", "production"), ("SMS_MOCK_MODE", "true")]);
    assert_eq!(refused("", &given), format!("SMS_MOCK_MODE = true: {NO_MOCK}"));
    let file = "environment = \"production\"\n[[test_numbers]]\nnumber = \"+14155552671\"\ncode = \"123456\"\nuntil = 2030-12-31\n";
    assert_eq!(
        refused(file, &CREDENTIALS),
        "test_numbers[0].number (verifyd.toml, line 3): +*******2671 is not in a range reserved for fiction, and production \
         takes no other; use one such as +14155550142"
    );
    load_text(&file.replace("2671", "0142"), &CREDENTIALS).unwrap();
}

#[test]
fn production_is_told_what_it_could_do_better() {
    let file = "environment = \"production\"\npublic_url = \"http://verify.example.com\"\ndata_dir = \"/srv/v\"";
    let (_, found) = load_text(file, &CREDENTIALS).unwrap();
    assert_eq!(
        notes(&found),
        [
            "public_url: plain http: delivery receipts cross the internet readable; use https",
            "keys: not set: the master key lies beside the data, in /srv/v/keys; VERIFYD_KEYS or keys_file keeps it apart",
            "service.default.name: not set: messages say \"verifyd\" instead of your brand",
            "api_key: not set: only keys made with verifyd keys create are taken",
        ]
    );
    let (config, found) = load_text(&format!("{file}\nstore.url = \"memory\""), &CREDENTIALS).unwrap();
    assert!(matches!(config.keys, KeySource::Process));
    assert!(notes(&found).contains(
        &"store.url: the memory store forgets pending codes, limits and failed guesses at every restart; use embedded".to_owned()
    ));
}

#[test]
fn production_is_told_of_an_issuer_that_follows_from_an_address() {
    let told = |file: &str| {
        let file = format!("environment = \"production\"\n{file}");
        notes(&load_text(&file, &CREDENTIALS).unwrap().1).into_iter().find(|note| note.starts_with("proofs.issuer"))
    };
    let note = "proofs.issuer: not set: proofs name http://127.0.0.1:8080 as their issuer; give public_url or a name \
                that stays";
    assert_eq!(told("").as_deref(), Some(note));
    for file in ["public_url = \"https://x.example\"", "proofs.issuer = \"acme\"", "proofs.enabled = false"] {
        assert_eq!(told(file), None, "{file}");
    }
}

#[test]
fn dev_needs_nothing() {
    let (config, _) = development("", &[], Flags::default()).unwrap();
    assert_eq!(config.environment, Environment::Development);
    assert!(matches!(config.sending, Sending::Inbox(InboxReason::MockMode)));
    assert!(config.expose_codes);
    assert_eq!(config.store.kind, StoreKind::Embedded);
    assert_eq!(config.account_sids, [DEV_ACCOUNT_SID]);
    let [key] = &config.api_keys[..] else { panic!("one key") };
    assert_eq!((key.secret, &key.scopes[..]), (SecretHash::of("dev"), &Scope::ALL[..]));
}

#[test]
fn dev_always_sends_to_the_inbox() {
    let mut given = CREDENTIALS.to_vec();
    given.push(("SMS_MOCK_MODE", "false"));
    let (config, found) = development("expose_codes = false", &given, Flags::default()).unwrap();
    assert!(matches!(config.sending, Sending::Inbox(InboxReason::MockMode)));
    assert!(!config.expose_codes);
    for note in [
        "mock: verifyd dev always sends to the inbox",
        "TWILIO_ACCOUNT_SID: not looked at: verifyd dev sends to the inbox",
    ] {
        assert!(notes(&found).contains(&note.to_owned()), "{found:?}");
    }
}

#[test]
fn dev_is_never_for_production_nor_for_others() {
    let refusal = |file: &str| development(file, &[], Flags::default()).unwrap_err().errors()[0].to_string();
    assert_eq!(
        refusal("environment = \"production\""),
        "environment = \"production\" (verifyd.toml, line 1): verifyd dev is never for production; use verifyd serve"
    );
    for expose in ["true", "false"] {
        assert_eq!(
            refusal(&format!("listen = \"0.0.0.0:8080\"\nexpose_codes = {expose}")),
            "listen = \"0.0.0.0:8080\" (verifyd.toml, line 1): verifyd dev shows codes to everybody who reaches this \
             address: listen on 127.0.0.1, or add --i-expose-codes"
        );
    }
    let flags = Flags { i_expose_codes: true, ..Flags::default() };
    let (config, found) = development("listen = \"0.0.0.0:8080\"", &[], flags).unwrap();
    assert!(config.api_keys.is_empty() && config.account_sids.is_empty(), "the known key is for this machine only");
    assert!(found.iter().any(|note| note.field == "listen" && note.level == NoteLevel::Warning));
}
