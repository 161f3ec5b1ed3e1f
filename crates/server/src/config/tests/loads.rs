//! What a good configuration becomes, and that the table's defaults are those of the types.

use std::time::Duration;

use verifyd_core::clock::Timestamp;
use verifyd_core::phone_number::{NumberPolicy, NumberType};
use verifyd_core::proof::{DEFAULT_PROOF_TTL, ProofSubject};
use verifyd_core::registry::{Scope, SecretHash};
use verifyd_core::service::{Limits, ServiceError};
use verifyd_core::store::state::StateOptions;
use verifyd_core::verifier::DEFAULT_SEND_DEADLINE;

use super::*;

#[test]
fn the_defaults_are_the_documented_ones() {
    let (config, found) = valid("", &[]);
    assert_eq!(config.environment, Environment::Development);
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.data_dir, PathBuf::from("verifyd-data"));
    assert_eq!(config.server, ServerLimits::default());
    assert_eq!(config.store, StoreConfig { kind: StoreKind::Embedded, options: StateOptions::default() });
    assert_eq!(config.log.filter, "info");
    assert_eq!(config.log.format, crate::telemetry::LogFormat::Human);
    assert_eq!(config.send_deadline, DEFAULT_SEND_DEADLINE);
    assert!(matches!(config.keys, KeySource::DataDirectory(ref directory) if *directory == config.data_dir));
    assert!(config.api_keys.is_empty() && config.account_sids.is_empty() && config.test_numbers.is_empty());
    assert!(!config.expose_codes);
    let proofs = config.proofs.unwrap();
    assert_eq!((proofs.issuer.as_str(), proofs.ttl), ("http://127.0.0.1:8080", DEFAULT_PROOF_TTL));
    assert!(config.public_url.is_none() && config.tls.is_none() && config.metrics_listen.is_none());
    let [service] = config.services.values().collect::<Vec<_>>()[..] else { panic!("one service") };
    let settings = service.settings();
    assert_eq!(settings.name.as_str(), DEFAULT_SERVICE);
    assert_eq!(settings.brand.as_str(), "verifyd");
    assert_eq!((settings.code_length.digits(), settings.ttl), (6, Duration::from_secs(600)));
    assert_eq!(settings.default_region.unwrap().as_str(), "US");
    assert_eq!(settings.numbers, NumberPolicy::default());
    assert_eq!(settings.limits, Limits::documented().unwrap());
    assert_eq!(settings.locale, verifyd_core::message::Locale::default());
    assert!(!settings.custom_codes && !settings.do_not_share_warning && settings.web_otp_host.is_none());
    assert_eq!(settings.proof_subject, ProofSubject::Number);
    assert_eq!(
        notes(&found),
        [
            "public_url: not set: no delivery receipts are asked for",
            "api_key: not set: only keys made with verifyd keys create are taken",
        ]
    );
}

#[test]
fn twilios_defaults_are_the_senders_own() {
    let default = verifyd_senders::twilio::TwilioSettings::default();
    let of = |path: &str| reference::find(path).unwrap().0.default.unwrap();
    assert_eq!(of("twilio.base_url"), format!("{:?}", default.base_url));
    assert_eq!(of("twilio.smart_encoded"), default.smart_encoded.to_string());
    assert_eq!(of("twilio.timeout"), format!("{:?}", verifyd_core::limits::format_duration(default.timeout)));
    assert_eq!(
        of("twilio.connect_timeout"),
        format!("{:?}", verifyd_core::limits::format_duration(default.connect_timeout))
    );
}

#[test]
fn the_bound_of_exact_limits_is_cores_own() {
    let with = |count: u32| {
        let mut settings = valid("", &[]).0.services.into_values().next().unwrap().settings().clone();
        settings.limits.rules.sends_per_phone =
            verifyd_core::limits::Rate::new(count, Duration::from_secs(3600)).unwrap();
        Service::new(settings).map(|_service| ())
    };
    assert_eq!(with(limits::MAX_LOG_COUNT), Ok(()));
    assert_eq!(with(limits::MAX_LOG_COUNT + 1), Err(ServiceError::SendsPerPhone));
}

/// Every section in use.
fn full_file() -> String {
    format!(
        r#"
environment = "production"
listen = "[::1]:443"
public_url = "https://verify.example.com/sms"
trusted_proxies = ["10.0.0.0/8"]
account_sid = "{ACCOUNT}"
api_key = "0123456789abcdef0123"
keys = "new:{KEY_A},old:{KEY_B}"
[store]
url = "embedded"
max_records = 10
keep_finished = "0s"
[tls]
cert_file = "cert.pem"
key_file = "key.pem"
[metrics]
listen = "127.0.0.1:9090"
[server]
drain_limit = "5s"
[limits]
sends_per_phone = "4/1h"
check_delays = ["1s", "2s"]
[numbers]
forbidden_types = []
[service.default]
name = "Acme"
default_region = ""
[service.shop]
name = "Ben & Jerry's"
code_length = 8
ttl = "5m"
allowed_countries = ["DE"]
custom_codes = true
locale = "pt_br"
do_not_share_warning = true
web_otp_host = "Shop.example"
proof_subject = "hash"
[service.shop.limits]
sends_per_phone = "2/10m"
[service.shop.numbers]
forbidden_types = ["voip"]
[[api_keys]]
name = "shop"
key = "fedcba9876543210"
service = "shop"
scopes = ["verify", "unlock"]
[[api_keys]]
name = "other"
key_file = "/run/token"
[twilio]
account_sid = "{ACCOUNT}"
auth_token_file = "/run/token"
messaging_service_sid = "MG{TOKEN}"
risk_check = "disable"
[[test_numbers]]
number = "+14155550142"
code = "000000"
until = 2027-03-01
"#
    )
}

#[test]
fn a_full_file_is_read() {
    let file = full_file();
    let (config, found) = load_text(&file, &[]).unwrap();
    assert_eq!(config.environment, Environment::Production);
    assert_eq!(config.public_url.unwrap().as_str(), "https://verify.example.com/sms/");
    assert_eq!(config.tls.unwrap().key_file, PathBuf::from("key.pem"));
    assert_eq!(config.metrics_listen.unwrap().port(), 9090);
    assert_eq!(config.server.drain_limit, Duration::from_secs(5));
    assert_eq!(config.log.format, crate::telemetry::LogFormat::Json);
    assert!(matches!(&config.keys, KeySource::Given(keys) if keys.len() == 2 && *keys[0].expose() == [0; 32]));
    assert_eq!(config.account_sids, [ACCOUNT]);
    assert!(matches!(config.sending, Sending::Twilio(_)));
    let keys: Vec<_> =
        config.api_keys.iter().map(|key| (key.name.as_str(), key.service.is_some(), &key.scopes[..])).collect();
    assert_eq!(
        keys,
        [
            ("api_key", false, &Scope::ALL[..]),
            ("shop", true, &[Scope::Verify, Scope::Unlock][..]),
            ("other", false, &Scope::USUAL[..]),
        ]
    );
    assert_eq!(config.api_keys[2].secret, SecretHash::of(TOKEN));
    let service = |name: &str| config.services[&name.parse().unwrap()].settings().clone();
    let (default, shop) = (service("default"), service("shop"));
    assert_eq!((default.default_region, shop.default_region.unwrap().as_str()), (None, "US"));
    assert_eq!(default.limits.rules.sends_per_phone.to_string(), "4/1h");
    assert_eq!(shop.limits.rules.sends_per_phone.to_string(), "2/10m");
    assert_eq!(shop.limits.rules.check_delays.len(), 2);
    assert_eq!(default.numbers.forbidden_types.iter().count(), 0);
    assert_eq!(shop.numbers.forbidden_types.iter().map(NumberType::as_str).collect::<Vec<_>>(), ["voip"]);
    assert_eq!(shop.numbers.forbidden_prefixes, NumberPolicy::default().forbidden_prefixes);
    assert_eq!((shop.locale.as_str(), shop.web_otp_host.unwrap().as_str()), ("pt-BR", "shop.example"));
    assert_eq!((default.proof_subject, shop.proof_subject), (ProofSubject::Number, ProofSubject::Hash));
    // People write a URL without its last slash, and verifiers compare byte for byte.
    assert_eq!(config.proofs.unwrap().issuer.as_str(), "https://verify.example.com/sms");
    // A date ends with its day.
    assert_eq!(config.test_numbers[0].until, Timestamp::from_unix_ms(1_803_945_600_000));
    assert_eq!(
        notes(&found),
        [
            "limits.sends_per_verification: 5 never applies: service.default.limits.sends_per_phone = 4/1h is stricter",
            "limits.sends_per_verification: 5 never applies: service.shop.limits.sends_per_phone = 2/10m is stricter",
            "test_numbers: 1 in force: whoever knows their codes passes for their numbers",
        ]
    );
}

#[test]
fn the_issuer_of_proofs_is_where_the_server_is_reached_unless_it_has_a_name() {
    let issuer = |file: &str| valid(file, &[]).0.proofs.map(|proofs| proofs.issuer.to_string());
    let tls = "listen = \"[::1]:443\"\n[tls]\ncert_file = \"a\"\nkey_file = \"b\"";
    assert_eq!(issuer(tls).unwrap(), "https://[::1]:443");
    assert_eq!(issuer("public_url = \"https://x.example\"").unwrap(), "https://x.example");
    let named = "public_url = \"https://x.example\"\nproofs.issuer = \"acme\"\nproofs.ttl = \"10m\"";
    assert_eq!(issuer(named).unwrap(), "acme");
    assert_eq!(issuer("proofs.enabled = false"), None);
    assert_eq!(valid("", &[("VERIFYD_PROOFS__TTL", "1s")]).0.proofs.unwrap().ttl, Duration::from_secs(1));
}

#[test]
fn what_weakens_or_surprises_is_noted() {
    let cases: &[(&str, &str)] = &[
        (
            "service.default.code_length = 4",
            "service.default.code_length: codes of 4 digits are easier to guess than the 6 that NIST SP 800-63B asks for",
        ),
        (
            "service.default.ttl = \"601s\"",
            "service.default.ttl: a code lives longer than the 10m that NIST SP 800-63B allows",
        ),
        (
            "limits.sends_per_phone = \"20/1h\"",
            "limits.sends_per_phone: 20/1h never applies: limits.sends_per_phone_all_services = 10/24h is stricter",
        ),
        (
            "limits.checks_per_verification = 11",
            "limits.checks_per_verification: 11 never applies: service.default.limits.failed_checks_per_phone = 10/24h is stricter",
        ),
        (
            "trusted_proxies = [\"0.0.0.0/0\"]",
            "trusted_proxies: every address is trusted: any client can claim any address for itself",
        ),
        ("listen = \"0.0.0.0:80\"", "listen: everybody who reaches 0.0.0.0:80 can read the codes in the inbox"),
        ("api_key = \"short\"", "api_key: shorter than 16 characters, easy to guess; production refuses it"),
        (
            "[[test_numbers]]\nnumber = \"+14155552671\"\ncode = \"1234\"\nuntil = \"2027-01-14\"",
            "test_numbers[0].until: over: an ordinary number again; remove the entry",
        ),
        (
            "[[test_numbers]]\nnumber = \"+14155552671\"\ncode = \"1234\"\nuntil = 2099-01-01T00:00:00+02:00",
            "test_numbers[0].until: more than a year away",
        ),
        ("[twilio]\nauth_token = \"x\"", "twilio.auth_token: not looked at: mock mode sends to the inbox"),
    ];
    let (_, usual) = valid("", &[]);
    for (file, note) in cases {
        let (_, found) = valid(file, &[]);
        let new: Vec<_> = notes(&found).into_iter().filter(|note| !notes(&usual).contains(note)).collect();
        assert!(new.contains(&(*note).to_owned()), "{file}: {new:#?}");
    }
}

#[test]
fn the_reference_names_every_key_once() {
    let page = reference::markdown();
    assert_eq!(page.lines().count(), reference::KEYS.len() + 2);
    for (index, key) in reference::KEYS.iter().enumerate() {
        assert!(page.contains(&format!("| `{}`", key.path)), "{}", key.path);
        assert!(key.doc.ends_with('.'), "{}", key.path);
        assert!(reference::KEYS[index + 1..].iter().all(|other| other.path != key.path), "{}", key.path);
        let default = key.default.map(|text| toml::de::DeValue::parse(text).unwrap());
        assert!(default.is_none_or(|value| file::shape(key.kind, value.get_ref()).is_some()), "{}", key.path);
    }
}

#[test]
fn the_file_is_found_where_it_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("own.toml");
    std::fs::write(&path, "mock = true\n").unwrap();
    let named = path.to_str().unwrap().to_owned();
    let flags = Flags { config: Some(path), ..Flags::default() };
    for (flags, environment) in
        [(flags, BTreeMap::new()), (Flags::default(), BTreeMap::from([("VERIFYD_CONFIG".to_owned(), named.clone())]))]
    {
        let sources = Sources::gather(flags, environment, NOW).unwrap();
        assert_eq!(sources.file.unwrap().name, named);
    }
    let missing = Flags { config: Some(directory.path().join("none.toml")), ..Flags::default() };
    let error = Sources::gather(missing, BTreeMap::new(), NOW).unwrap_err().to_string();
    assert!(error.starts_with("--config: \"") && error.contains("cannot be read: No such file"), "{error}");
    std::fs::write(directory.path().join("big.toml"), vec![b'#'; 1024 * 1024 + 1]).unwrap();
    let big = Flags { config: Some(directory.path().join("big.toml")), ..Flags::default() };
    assert!(Sources::gather(big, BTreeMap::new(), NOW).unwrap_err().to_string().ends_with("larger than 1 MiB"));
}
