//! Variables and flags: names, values, precedence, contradictions.

use std::time::Duration;

use verifyd_core::phone_number::Region;

use super::*;

fn service<'a>(config: &'a Config, name: &str) -> &'a Service {
    &config.services[&name.parse().unwrap()]
}

/// Loads in mock mode.
fn mocked(environment: &[(&str, &str)]) -> Vec<(String, String)> {
    let mock = [("SMS_MOCK_MODE", "true")];
    mock.iter().chain(environment).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[track_caller]
fn expect(environment: &[(&str, &str)], message: &str) {
    let all = mocked(environment);
    let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(refused("", &all), message, "{environment:?}");
}

#[test]
fn every_key_that_is_no_list_has_a_variable() {
    for key in reference::KEYS.iter().filter(|key| !key.is_pattern()) {
        let given = [(key.variable(), "\u{1}".to_owned())].into();
        let mut findings = Findings::default();
        let values = environment::read(&given, &Values::default(), &mut findings);
        // A value of the wrong shape is refused under the key's name.
        assert!(values.get(key.path).is_some() || findings.is_refused(key.path), "{}", key.variable());
    }
    for (variable, path) in [
        ("VERIFYD_SERVICE__SHOP__TTL", "service.shop.ttl"),
        ("VERIFYD_SERVICE__SHOP__LIMITS__SENDS_PER_PHONE", "service.shop.limits.sends_per_phone"),
        ("VERIFYD_SERVICE__A__B__LIMITS__SENDS_PER_IP", "service.a__b.limits.sends_per_ip"),
        ("VERIFYD_TWILIO__AUTH_TOKEN_FILE", "twilio.auth_token_file"),
        ("TWILIO_AUTH_TOKEN_FILE", "twilio.auth_token_file"),
        ("TWILIO_API_SECRET_FILE", "twilio.api_key_secret_file"),
        ("VERIFYD_KEYS_FILE", "keys_file"),
        ("VERIFYD_API_KEY_FILE", "api_key_file"),
    ] {
        let given = [(variable.to_owned(), "1".to_owned())].into();
        let values = environment::read(&given, &Values::default(), &mut Findings::default());
        assert_eq!(values.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), [path], "{variable}");
    }
}

#[test]
fn values_are_toml_or_bare_text() {
    let (config, _) = valid(
        "",
        &[
            ("VERIFYD_LISTEN", "\"127.0.0.1:9\""),
            ("VERIFYD_SERVICE__DEFAULT__NAME", "Acme 24"),
            ("VERIFYD_SERVICE__DEFAULT__CODE_LENGTH", " 8 "),
            ("VERIFYD_SERVICE__DEFAULT__DEFAULT_REGION", "\"\""),
            ("VERIFYD_SERVICE__DEFAULT__ALLOWED_COUNTRIES", "US, CA"),
            ("VERIFYD_LIMITS__RESEND_DELAYS", "[\"5s\"]"),
            ("VERIFYD_TRUSTED_PROXIES", "10.0.0.0/8,192.0.2.1"),
            ("VERIFYD_STORE__MAX_RECORDS", "1_000"),
            ("VERIFYD_EXPOSE_CODES", "true"),
            ("VERIFYD_ACCOUNT_SID", ""),
        ],
    );
    let settings = service(&config, "default").settings();
    assert_eq!(config.listen.port(), 9);
    assert_eq!(settings.brand.as_str(), "Acme 24");
    assert_eq!(settings.code_length.digits(), 8);
    assert_eq!(settings.default_region, None);
    let allowed: Vec<_> = settings.numbers.allowed_countries.iter().flatten().map(Region::as_str).collect();
    assert_eq!(allowed, ["CA", "US"]);
    assert_eq!(&*settings.limits.rules.resend_delays, [Duration::from_secs(5)]);
    assert_eq!(
        config.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["10.0.0.0/8", "192.0.2.1/32"]
    );
    assert_eq!(config.store.options.max_records, 1000);
    assert!(config.expose_codes);
    assert!(config.account_sids.is_empty());
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let file = "listen = \"127.0.0.1:1\"\ndata_dir = \"one\"\nmock = true\n[store]\nurl = \"embedded\"\n[log]\nfilter = \"warn\"\n";
    let mut sources = sources(
        file,
        &[
            ("VERIFYD_LISTEN", "127.0.0.1:2"),
            ("VERIFYD_STORE", "memory"),
            ("VERIFYD_LOG_FORMAT", "json"),
            ("RUST_LOG", "trace"),
        ],
    );
    let (config, _) = Config::load(&sources).unwrap();
    assert_eq!((config.listen.port(), config.store.kind), (2, StoreKind::Memory));
    assert_eq!((config.log.filter.as_str(), config.log.format), ("warn", crate::telemetry::LogFormat::Json));
    sources.flags = Flags {
        listen: Some("127.0.0.1:3".to_owned()),
        store: Some("embedded".to_owned()),
        data_dir: Some("three".to_owned()),
        log: Some("debug".to_owned()),
        log_format: Some("human".to_owned()),
        ..Flags::default()
    };
    let (config, _) = Config::load(&sources).unwrap();
    assert_eq!((config.listen.port(), config.store.kind), (3, StoreKind::Embedded));
    assert_eq!((config.log.filter.as_str(), config.log.format), ("debug", crate::telemetry::LogFormat::Human));
    assert_eq!(config.data_dir, PathBuf::from("three"));
    sources.flags.listen = Some("here".to_owned());
    assert_eq!(
        Config::load(&sources).unwrap_err().to_string(),
        "--listen = \"here\": expected an address and a port, such as 127.0.0.1:8080 or [::]:8080"
    );
}

#[test]
fn rust_log_counts_where_nothing_else_is_said() {
    assert_eq!(valid("", &[("RUST_LOG", "verifyd=debug")]).0.log.filter, "verifyd=debug");
    assert_eq!(valid("", &[("RUST_LOG", "debug"), ("VERIFYD_LOG", "warn")]).0.log.filter, "warn");
    assert_eq!(valid("", &[("RUST_LOG", "")]).0.log.filter, "info");
}

#[test]
fn the_variables_of_the_seed_work() {
    let (config, _) = load_text(
        "",
        &[
            ("TWILIO_ACCOUNT_SID", ACCOUNT),
            ("TWILIO_AUTH_TOKEN", TOKEN),
            ("TWILIO_PHONE_NUMBER", "+15005550006"),
            ("TWILIO_BASE_URL", "http://127.0.0.1:9"),
            ("SMS_RATE_LIMIT_PER_PHONE", "3"),
            ("SMS_RATE_LIMIT_WINDOW", "7200"),
            ("SMS_MOCK_MODE", "False"),
        ],
    )
    .unwrap();
    let Sending::Twilio(twilio) = &config.sending else { panic!("must send through Twilio") };
    assert_eq!(twilio.account_sid(), ACCOUNT);
    assert_eq!(service(&config, "default").rules().sends_per_phone.to_string(), "3/2h");
    // Each half has the seed's default.
    for (variable, value, limit) in [("SMS_RATE_LIMIT_PER_PHONE", "7", "7/1h"), ("SMS_RATE_LIMIT_WINDOW", "60", "5/1m")]
    {
        assert_eq!(service(&valid("", &[(variable, value)]).0, "default").rules().sends_per_phone.to_string(), limit);
    }
    // The environment stands above the file, whatever the name.
    let (config, _) = valid("[limits]\nsends_per_phone = \"9/1h\"", &[("SMS_RATE_LIMIT_PER_PHONE", "2")]);
    assert_eq!(service(&config, "default").rules().sends_per_phone.to_string(), "2/1h");
}

#[test]
fn two_names_of_one_key_must_agree() {
    let differ = "with different values; unset one of them";
    expect(&[("VERIFYD_MOCK", "false")], &format!("SMS_MOCK_MODE and VERIFYD_MOCK: two names of mock {differ}"));
    expect(
        &[("VERIFYD_STORE", "memory"), ("VERIFYD_STORE__URL", "embedded")],
        &format!("VERIFYD_STORE and VERIFYD_STORE__URL: two names of store.url {differ}"),
    );
    expect(
        &[("SMS_RATE_LIMIT_PER_PHONE", "3"), ("VERIFYD_LIMITS__SENDS_PER_PHONE", "5/1h")],
        &format!(
            "VERIFYD_LIMITS__SENDS_PER_PHONE and SMS_RATE_LIMIT_PER_PHONE: two names of limits.sends_per_phone {differ}"
        ),
    );
    let other = ACCOUNT.replace("AC0", "AC1");
    assert_eq!(
        refused("", &[("TWILIO_ACCOUNT_SID", ACCOUNT), ("VERIFYD_TWILIO__ACCOUNT_SID", &other)]),
        format!("TWILIO_ACCOUNT_SID and VERIFYD_TWILIO__ACCOUNT_SID: two names of twilio.account_sid {differ}")
    );
    valid("", &[("VERIFYD_MOCK", "true"), ("VERIFYD_STORE", "memory"), ("VERIFYD_STORE__URL", "\"memory\"")]);
    valid("", &[("SMS_RATE_LIMIT_PER_PHONE", "5"), ("VERIFYD_LIMITS__SENDS_PER_PHONE", "5/60m")]);
}

#[test]
fn broken_variables_are_named() {
    expect(&[("VERIFYD_SERVICE__DEFAULT__TTL", "25h")], "VERIFYD_SERVICE__DEFAULT__TTL = \"25h\": expected 1s to 24h");
    expect(
        &[("VERIFYD_SERVICE__DEFAULT__TLL", "5m")],
        "VERIFYD_SERVICE__DEFAULT__TLL: no such key; did you mean VERIFYD_SERVICE__DEFAULT__TTL?",
    );
    expect(
        &[("VERIFYD_SERVICE__SHOP__TTL", "5m")],
        "service.shop.name: missing; give the brand that its messages show",
    );
    expect(&[("VERIFYD_FOO__BAR", "1")], "VERIFYD_FOO__BAR: no such key; unset it");
    expect(&[("VERIFYD_GUARD__MODE", "off")], "VERIFYD_GUARD__MODE: the guard is not built yet; remove it");
    expect(
        &[("SMS_RATE_LIMIT_PER_PHONE", "101"), ("SMS_RATE_LIMIT_WINDOW", "0")],
        "SMS_RATE_LIMIT_PER_PHONE = \"101\": expected a whole number of sends, 1 to 100\n\
         SMS_RATE_LIMIT_WINDOW = \"0\": expected a whole number of seconds, 1 to 31622400",
    );
    expect(&[("VERIFYD_STORE__MAX_RECORDS", "many")], "VERIFYD_STORE__MAX_RECORDS = \"many\": expected a whole number");
    expect(&[("VERIFYD_EXPOSE_CODES", "yes")], "VERIFYD_EXPOSE_CODES = \"yes\": expected true or false");
    expect(
        &[("VERIFYD_TEST_NUMBERS", "nope")],
        "VERIFYD_TEST_NUMBERS: expected a list of tables, such as [{name = \"a\"}]",
    );
    expect(
        &[("VERIFYD_API_KEYS", "[{name=\"a\", key=\"0123456789abcdef\"}, {nme=\"b\", key=\"k k\"}]")],
        "api_keys[1].nme (VERIFYD_API_KEYS): unknown key; did you mean name?\n\
         api_keys[1].name (VERIFYD_API_KEYS): missing; give the name that logs show\n\
         api_keys[1].key (VERIFYD_API_KEYS): expected 1 to 256 printable ASCII characters without spaces",
    );
    assert_eq!(refused("", &[("SMS_MOCK_MODE", "1")]), "SMS_MOCK_MODE = \"1\": expected true, false or \"auto\"");
    expect(
        &[("RUST_LOG", "a=b=c")],
        "RUST_LOG = \"a=b=c\": expected a level (error, warn, info, debug, trace) or a filter such as info,verifyd=debug",
    );
}

#[test]
fn unknown_variables_without_a_section_only_warn() {
    let (_, found) = valid(
        "",
        &[
            ("VERIFYD_SERVICE_HOST", "10.0.0.1"),
            ("VERIFYD_LISTN", "1"),
            ("VERIFYD_CONFIG", "verifyd.toml"),
            ("VERIFYD_PORT", ""),
            ("TWILIO_REGION", "ie1"),
        ],
    );
    let unknown: Vec<_> = notes(&found).into_iter().filter(|note| note.contains("unknown")).collect();
    assert_eq!(
        unknown,
        [
            "VERIFYD_LISTN: unknown variable, not looked at; did you mean VERIFYD_LISTEN?",
            "VERIFYD_SERVICE_HOST: unknown variable, not looked at",
        ]
    );
}

#[test]
fn a_list_in_a_variable_replaces_that_of_the_file() {
    let file = "[[api_keys]]\nname = \"one\"\nkey = \"0123456789abcdef\"\n[[api_keys]]\nname = \"two\"\nkey = \"123456789abcdef0\"\n";
    let names = |config: &Config| config.api_keys.iter().map(|key| key.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&valid(file, &[]).0), ["one", "two"]);
    let given = [("VERIFYD_API_KEYS", "[{name = \"three\", key = \"23456789abcdef01\"}]")];
    assert_eq!(names(&valid(file, &given).0), ["three"]);
}

#[test]
fn a_service_with_hyphens_is_found_by_underscores() {
    let file = "[service.my-shop]\nname = \"Shop\"\n";
    let (config, _) = valid(
        file,
        &[("VERIFYD_SERVICE__MY_SHOP__TTL", "5m"), ("VERIFYD_SERVICE__MY_SHOP__LIMITS__SENDS_PER_PHONE", "2/1h")],
    );
    assert_eq!(config.services.len(), 2);
    let shop = service(&config, "my-shop");
    assert_eq!(shop.settings().ttl, Duration::from_secs(300));
    assert_eq!(shop.rules().sends_per_phone.to_string(), "2/1h");
    assert_eq!(service(&config, "default").rules().sends_per_phone.to_string(), "5/1h");
}
