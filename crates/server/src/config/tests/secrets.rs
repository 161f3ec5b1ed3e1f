//! Secrets: from files, never twice, never shown.

use super::*;

const CANARY: &str = "canary0834105secret0834105";

#[test]
fn a_secret_may_come_from_a_file() {
    let (config, _) = valid("keys_file = \"/run/keys\"", &[("VERIFYD_API_KEY_FILE", "/run/token")]);
    assert!(matches!(&config.keys, KeySource::Given(keys) if keys.len() == 2));
    assert_eq!(config.api_keys[0].secret, verifyd_core::registry::SecretHash::of(TOKEN));
    let given =
        [("TWILIO_ACCOUNT_SID", ACCOUNT), ("TWILIO_AUTH_TOKEN_FILE", "/run/token"), ("TWILIO_PHONE_NUMBER", "12345")];
    assert!(matches!(load_text("", &given).unwrap().0.sending, Sending::Twilio(_)));
}

#[test]
fn both_ways_at_once_are_refused() {
    for (file, environment, names) in [
        ("keys = \"a\"\nkeys_file = \"/run/keys\"", vec![], "keys and keys_file"),
        (
            "",
            vec![("VERIFYD_API_KEY", "0123456789abcdef"), ("VERIFYD_API_KEY_FILE", "/run/token")],
            "VERIFYD_API_KEY and VERIFYD_API_KEY_FILE",
        ),
        (
            "api_key_file = \"/run/token\"",
            vec![("VERIFYD_API_KEY", "0123456789abcdef")],
            "VERIFYD_API_KEY and api_key_file",
        ),
        (
            "twilio.auth_token = \"a\"",
            vec![("TWILIO_AUTH_TOKEN_FILE", "/run/token")],
            "twilio.auth_token and TWILIO_AUTH_TOKEN_FILE",
        ),
    ] {
        let mut environment = environment;
        environment.push(("SMS_MOCK_MODE", "true"));
        let errors = refused(file, &environment);
        assert!(errors.starts_with(&format!("{names}: both are given; remove one of them")), "{errors}");
    }
}

#[test]
fn files_without_a_secret_are_refused() {
    assert_eq!(
        refused("mock = true\napi_key_file = \"/run/empty\"\nkeys_file = \"/run/none\"", &[]),
        "api_key_file = \"/run/empty\" (verifyd.toml, line 2): the file is empty; write the secret into it\n\
         keys_file = \"/run/none\" (verifyd.toml, line 3): the file cannot be read: no such file"
    );
}

#[test]
fn the_mask_is_no_secret() {
    assert_eq!(
        refused("mock = true\napi_key = \"****\"", &[]).lines().next().unwrap(),
        "api_key (verifyd.toml, line 2): this is the mask that verifyd config print shows; put the secret itself here"
    );
}

#[test]
fn keys_are_refused_without_being_shown() {
    for (keys, problem) in [
        ("k1", "key 1: expected id:base64 of 32 bytes"),
        (&*format!("k1:{KEY_A},k2:!!!"), "key 2: what follows the colon is not base64"),
        ("k1:AAAA", "key 1: 3 bytes instead of 32; openssl rand -base64 32 makes a good key"),
        (&*format!("k 1:{KEY_A}"), "key 1: a key's id is 1 to 32 of A-Z a-z 0-9 . _ -"),
        (&*format!("k1:{KEY_A},k2:{KEY_A}"), "two keys are the same or share the id \"k2\""),
        (&*format!("k1:{KEY_A},k1:{KEY_B}"), "two keys are the same or share the id \"k1\""),
        (" , ", "no key given; a key is id:base64 of 32 bytes"),
    ] {
        let errors = refused("", &[("SMS_MOCK_MODE", "true"), ("VERIFYD_KEYS", keys)]);
        assert_eq!(errors, format!("VERIFYD_KEYS: {problem}"));
    }
}

#[test]
fn no_error_note_debug_or_print_shows_a_secret() {
    // As a good value, a bad value, a value of the wrong shape, on a line that is no TOML, in the wrong key.
    let files = [
        format!(
            "mock = true\napi_key = \"{CANARY}\"\n[[api_keys]]\nname = \"a\"\nkey = \"{CANARY}1\"\n[twilio]\nauth_token = \"{CANARY}\"\n"
        ),
        format!("mock = true\napi_key = \"{CANARY} \"\nkeys = \"{CANARY}\"\n"),
        format!(
            "mock = true\napi_key = [\"{CANARY}\"]\n[[test_numbers]]\nnumber = {{a = \"{CANARY}\"}}\ncode = \"{CANARY}\"\n"
        ),
        format!("api_key = \"{CANARY}\n"),
        format!("api_key = {CANARY}\n"),
        format!("api_kee = \"{CANARY}\"\n"),
        format!(
            "[twilio]\naccount_sid = \"{CANARY}\"\nauth_token = \"{CANARY} \"\nfrom = \"{CANARY}\"\nbase_url = \"http://{CANARY}\"\n"
        ),
        format!("store.url = \"redis://:{CANARY}@h\"\npublic_url = \"https://u:{CANARY}@h\"\n"),
    ];
    for file in files {
        let sources = sources(
            &file,
            &[("VERIFYD_API__KEY", CANARY), ("VERIFYD_TOKEN", CANARY)][..usize::from(!file.starts_with("mock"))],
        );
        let shown = match Config::load(&sources) {
            Ok((config, found)) => {
                format!("{config:?} {found:?} {} {}", config.effective.to_toml(), config.effective.to_json())
            }
            Err(errors) => format!("{errors} {errors:?}"),
        };
        assert!(!shown.contains("0834105"), "{file}\n{shown}");
        assert!(!format!("{sources:?}").contains("0834105"));
    }
}
