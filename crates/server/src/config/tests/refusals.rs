//! Broken files and the exact message of each.

use super::*;

const ADDRESS: &str = "expected an address and a port, such as 127.0.0.1:8080 or [::]:8080";
const URL: &str = "expected an http or https URL without user, query and fragment, such as https://verify.example.com";
const DURATION: &str = "a duration is a whole number and a unit, such as 90s, 10m or 24h";
const PRINTABLE: &str = "api_key (verifyd.toml, line 1): expected 1 to 256 printable ASCII characters without spaces";
const INSTANT: &str = "expected a date such as 2030-12-31, or a time with its offset such as 2030-12-31T12:00:00Z";

/// Loads `file` in mock mode, unless it speaks of mock mode, Twilio or the environment itself.
#[track_caller]
fn expect(file: &str, messages: &[&str]) {
    let speaks = ["mock", "twilio", "environment"].iter().any(|word| file.contains(word));
    let mock: &[_] = if speaks { &[] } else { &[("SMS_MOCK_MODE", "true")] };
    assert_eq!(refused(file, mock), messages.join("\n"), "\n{file}");
}

#[test]
fn the_shape_of_the_file() {
    expect("listen = \"1.2.3.4:80", &["verifyd.toml, line 1: invalid basic string, expected `\"`"]);
    expect("\nlisten = \"a\"\nlisten = \"b\"", &["verifyd.toml, line 3: duplicate key"]);
    expect("lisen = \"127.0.0.1:80\"", &["lisen (verifyd.toml, line 1): unknown key; did you mean listen?"]);
    expect("[log]\nzebra = 1", &["log.zebra (verifyd.toml, line 2): unknown key; known here: filter, format"]);
    expect("log = \"info\"", &["log (verifyd.toml, line 1): expected a section, written as [log]"]);
    expect("[guard]\nmode = \"enforce\"", &["guard (verifyd.toml, line 1): the guard is not built yet; remove it"]);
    expect(
        "[service.default]\nhome_countries = [\"US\"]\ntll = \"10m\"",
        &[
            "service.default.home_countries (verifyd.toml, line 2): it drives budgets and the guard, which are not built \
             yet; remove it",
            "service.default.tll (verifyd.toml, line 3): unknown key; did you mean ttl?",
        ],
    );
    expect(
        "[service]\nttl = \"5m\"",
        &["service.ttl (verifyd.toml, line 2): expected a section: the keys of the default service stand under \
           [service.default]"],
    );
    expect("api_keys = \"x\"", &["api_keys (verifyd.toml, line 1): expected entries, each under [[api_keys]]"]);
    expect(
        "test_numbers = [3]",
        &["test_numbers[0] (verifyd.toml, line 1): expected a list of tables, such as [{name = \"a\"}]"],
    );
}

#[test]
fn the_network() {
    for (value, shown) in [("\"localhost:8080\"", ADDRESS), ("\":8080\"", ADDRESS), ("8080", "expected text in quotes")]
    {
        expect(&format!("listen = {value}"), &[&format!("listen = {value} (verifyd.toml, line 1): {shown}")]);
    }
    for value in ["ftp://x", "verify.example.com", "https://x.example?a=b", "https://x.example/#a"] {
        expect(
            &format!("public_url = \"{value}\""),
            &[&format!("public_url = \"{value}\" (verifyd.toml, line 1): {URL}")],
        );
    }
    expect("public_url = \"https://me:hunter2@x.example\"", &[&format!("public_url (verifyd.toml, line 1): {URL}")]);
    expect(
        "trusted_proxies = [\"10.0.0.1/8\", \"x\"]",
        &[
            "trusted_proxies (verifyd.toml, line 1): \"10.0.0.1/8\": the address has bits beyond its prefix; write 10.0.0.0/8",
            "trusted_proxies (verifyd.toml, line 1): \"x\": expected a network such as 10.0.0.0/8 or fd00::/8, or an address",
        ],
    );
    expect(
        "trusted_proxies = \"10.0.0.0/8\"",
        &["trusted_proxies = \"10.0.0.0/8\" (verifyd.toml, line 1): expected a list of texts, such as [\"a\", \"b\"]"],
    );
    expect(
        "[metrics]\nlisten = \"127.0.0.1:8080\"",
        &[
            "metrics.listen = \"127.0.0.1:8080\" (verifyd.toml, line 2): the API listens there already; take another port, \
           or remove this key",
        ],
    );
    for (given, missing) in [("cert_file", "key_file"), ("key_file", "cert_file")] {
        expect(
            &format!("[tls]\n{given} = \"a.pem\""),
            &[&format!(
                "tls.{missing} (verifyd.toml, line 1): missing although tls.{given} is given; give both or neither"
            )],
        );
    }
    expect(
        "[server]\nmax_connections = 0\nheader_timeout = \"0s\"\ndrain_limit = \"2h\"\nmax_body_bytes = 1048577",
        &[
            "server.max_connections = 0 (verifyd.toml, line 2): expected 1 to 1000000",
            "server.header_timeout = \"0s\" (verifyd.toml, line 3): expected 100ms to 1h",
            "server.max_body_bytes = 1048577 (verifyd.toml, line 5): expected 1024 to 1048576",
            "server.drain_limit = \"2h\" (verifyd.toml, line 4): expected 100ms to 1h",
        ],
    );
}

#[test]
fn the_store_the_log_and_the_rest() {
    expect("data_dir = \"\"", &["data_dir = \"\" (verifyd.toml, line 1): expected a directory"]);
    expect(
        "[store]\nurl = \"redys://:hunter2@localhost\"\nmax_records = 0\nkeep_finished = \"31d\"",
        &[
            "store.url (verifyd.toml, line 2): expected \"embedded\", \"memory\" or the URL of a Redis, such as redis://127.0.0.1:6379",
            "store.max_records = 0 (verifyd.toml, line 3): expected 1 to 100000000",
            "store.keep_finished = \"31d\" (verifyd.toml, line 4): expected 0s to 30d",
        ],
    );
    expect(
        "store.url = \"embeded\"",
        &[
            "store.url = \"embeded\" (verifyd.toml, line 1): expected \"embedded\", \"memory\" or the URL of a Redis, such as redis://127.0.0.1:6379",
        ],
    );
    expect(
        "store.url = \"pg://a:b@c\"",
        &[
            "store.url (verifyd.toml, line 1): expected \"embedded\", \"memory\" or the URL of a Redis, such as redis://127.0.0.1:6379",
        ],
    );
    expect(
        "[log]\nfilter = \"verifyd=loud\"\nformat = \"xml\"",
        &[
            "log.filter = \"verifyd=loud\" (verifyd.toml, line 2): expected a level (error, warn, info, debug, trace) or a \
             filter such as info,verifyd=debug",
            "log.format = \"xml\" (verifyd.toml, line 3): expected \"human\" or \"json\"",
        ],
    );
    for (value, problem) in [("10min", DURATION), ("3m", "expected 1s to 2m"), ("999ms", "expected 1s to 2m")] {
        expect(
            &format!("send_deadline = \"{value}\""),
            &[&format!("send_deadline = \"{value}\" (verifyd.toml, line 1): {problem}")],
        );
    }
    expect("account_sid = \"AC12\"", &["account_sid = \"AC12\" (verifyd.toml, line 1): expected AC and 32 hex digits"]);
    expect(
        "environment = \"staging\"\nmock = true",
        &["environment = \"staging\" (verifyd.toml, line 1): expected \"development\" or \"production\""],
    );
}

#[test]
fn the_limits() {
    expect(
        "[limits]\nsends_per_phone = \"5\"\nsends_per_ip = \"0/1h\"\nsends_per_verification = 21\n\
         checks_per_verification = 0\nfailed_checks_per_phone = \"101/24h\"\nfailed_checks_in_a_row = 101\n\
         resend_delays = [\"30s\", \"x\", \"25h\"]\ncheck_delays = 3\nsends_per_phone_all_services = \"1/367d\"",
        &[
            "limits.check_delays = 3 (verifyd.toml, line 9): expected a list of durations, such as [\"30s\", \"60s\"]",
            "limits.sends_per_phone = \"5\" (verifyd.toml, line 2): a limit is written as N/duration, such as 5/1h",
            "limits.sends_per_phone_all_services = \"1/367d\" (verifyd.toml, line 10): the window of a limit is 1ms to 366 days",
            "limits.sends_per_ip = \"0/1h\" (verifyd.toml, line 3): the count of a limit is 1 to 100000",
            "limits.sends_per_verification = 21 (verifyd.toml, line 4): expected 1 to 20",
            "limits.checks_per_verification = 0 (verifyd.toml, line 5): expected 1 to 20",
            "limits.failed_checks_per_phone = \"101/24h\" (verifyd.toml, line 6): expected at most 100 per window: every \
             one of them is remembered",
            "limits.failed_checks_in_a_row = 101 (verifyd.toml, line 7): expected 1 to 100",
            "limits.resend_delays (verifyd.toml, line 8): \"x\": a duration is a whole number and a unit, such as 90s, 10m \
             or 24h",
            "limits.resend_delays (verifyd.toml, line 8): \"25h\": expected 0s to 24h",
        ],
    );
    let many = vec!["\"1s\""; 21].join(", ");
    let shown = format!("[{many}]").chars().take(80).collect::<String>();
    expect(
        &format!("limits.check_delays = [{many}]"),
        &[&format!("limits.check_delays = {shown}… (verifyd.toml, line 1): expected at most 20 durations")],
    );
    // Read once for each service, told once.
    expect(
        "[limits]\nsends_per_phone = 5\n[service.a]\nname = \"A\"\n[service.a.limits]\nsends_per_phone_all_services = \"1/1h\"",
        &[
            "limits.sends_per_phone = 5 (verifyd.toml, line 2): expected a limit in quotes, such as \"5/1h\"",
            "service.a.limits.sends_per_phone_all_services (verifyd.toml, line 6): it holds over all services and has no \
             value per service; set limits.sends_per_phone_all_services",
        ],
    );
}

#[test]
fn the_services() {
    expect(
        "[service.Shop]\nttl = \"5m\"",
        &["service.Shop (verifyd.toml, line 1): a service's name is 1 to 40 of a-z 0-9 _ -"],
    );
    expect(
        "\n[service.shop]\nttl = \"5m\"",
        &["service.shop.name (verifyd.toml, line 2): missing; give the brand that its messages show"],
    );
    expect(
        "[service.default]\nname = \"evil.example\"\ncode_length = 3\nttl = \"25h\"\ndefault_region = \"us\"\n\
         allowed_countries = [\"US\", \"XX\"]\nlocale = \"english!\"\nweb_otp_host = \"https://acme.example\"\n\
         custom_codes = \"yes\"",
        &[
            "service.default.custom_codes = \"yes\" (verifyd.toml, line 9): expected true or false",
            "service.default.name = \"evil.example\" (verifyd.toml, line 2): a brand has letters, digits, spaces, `-`, `&` \
             and `'` only, not .",
            "service.default.code_length = 3 (verifyd.toml, line 3): expected 4 to 10",
            "service.default.ttl = \"25h\" (verifyd.toml, line 4): expected 1s to 24h",
            "service.default.default_region = \"us\" (verifyd.toml, line 5): unknown region: expected two capital letters \
             of ISO 3166-1 that have a numbering plan, such as US; or \"\" to take only E.164",
            "service.default.allowed_countries (verifyd.toml, line 6): \"XX\": unknown region: expected two capital \
             letters of ISO 3166-1 that have a numbering plan, such as US",
            "service.default.locale = \"english!\" (verifyd.toml, line 7): a locale is a language tag such as `en`, \
             `pt-BR` or `zh-Hant`",
            "service.default.web_otp_host = \"https://acme.example\" (verifyd.toml, line 8): an origin host stands without \
             its scheme: `example.com`, not `https://example.com`",
        ],
    );
    expect(
        "service.default.default_region = \"001\"",
        &[
            "service.default.default_region = \"001\" (verifyd.toml, line 1): expected a country such as US, or \"\" to take \
           only E.164",
        ],
    );
    expect(
        "service.default.ttl = 600",
        &[
            "service.default.ttl = 600 (verifyd.toml, line 1): expected a duration in quotes, such as \"90s\", \"10m\" or \
           \"24h\"",
        ],
    );
    expect(
        "[numbers]\nforbidden_prefixes = [\"881\"]",
        &[
            "numbers.forbidden_prefixes (verifyd.toml, line 2): \"881\": not a prefix of phone numbers: expected + and 1 to \
           15 digits, the first not 0, such as +881",
        ],
    );
    assert!(refused("[numbers]\nforbidden_types = [\"toll-free\"]", &[("SMS_MOCK_MODE", "true")]).starts_with(
        "numbers.forbidden_types (verifyd.toml, line 2): \"toll-free\": unknown type of number: expected one of "
    ));
}

#[test]
fn the_proofs() {
    let issuer = "an issuer is 1 to 255 visible ASCII characters, usually a URL such as https://verify.example.com";
    for text in ["", "a b", "schlüssel"] {
        expect(
            &format!("proofs.issuer = \"{text}\""),
            &[&format!("proofs.issuer = \"{text}\" (verifyd.toml, line 1): {issuer}")],
        );
    }
    expect(&format!("public_url = \"https://x.example/{}\"", "a".repeat(256)), &[&format!("proofs.issuer: {issuer}")]);
    for ttl in ["0s", "999ms", "601s"] {
        expect(
            &format!("[proofs]\nttl = \"{ttl}\""),
            &[&format!("proofs.ttl = \"{ttl}\" (verifyd.toml, line 2): expected 1s to 10m")],
        );
    }
    expect("proofs.enabled = 1", &["proofs.enabled = 1 (verifyd.toml, line 1): expected true or false"]);
    expect(
        "service.default.proof_subject = \"phone\"",
        &["service.default.proof_subject = \"phone\" (verifyd.toml, line 1): expected \"number\" or \"hash\""],
    );
}

#[test]
fn the_api_keys() {
    expect(
        "[[api_keys]]\nname = \"Web\"\nservice = \"shop\"\nscopes = [\"verify\", \"admin\"]",
        &[
            "api_keys[0].name = \"Web\" (verifyd.toml, line 2): expected 1 to 40 of a-z 0-9 _ -",
            "api_keys[0].key (verifyd.toml, line 1): missing; give the key, or key_file",
            "api_keys[0].service = \"shop\" (verifyd.toml, line 3): no such service; add [service.shop]",
            "api_keys[0].scopes (verifyd.toml, line 4): \"admin\": a scope is verify, forget, unlock, read or metrics",
        ],
    );
    expect(
        "[[api_keys]]\nname = \"web\"\nkey = \"0123456789abcdef\"\nscopes = []\n\
         [[api_keys]]\nname = \"web\"\nkey = \"0123456789abcdef\"",
        &[
            "api_keys[0].scopes = [] (verifyd.toml, line 4): a key that may do nothing; name a scope, or remove the key",
            "api_keys[1].name = \"web\" (verifyd.toml, line 6): another key has this name",
            "api_keys[1].key (verifyd.toml, line 7): the same key as web; every name needs its own",
        ],
    );
    for key in ["a b", "", "schlüssel", &"x".repeat(257)] {
        expect(&format!("api_key = \"{key}\""), &[PRINTABLE]);
    }
}

#[test]
fn the_test_numbers() {
    expect(
        "[[test_numbers]]\nnumber = \"+1 (415) 555-2671\"",
        &[
            "test_numbers[0].code (verifyd.toml, line 1): missing; give its code, 4 to 10 digits",
            "test_numbers[0].until (verifyd.toml, line 1): missing; give the day on which it ends; a test number never \
             lasts for ever",
        ],
    );
    expect(
        "[[test_numbers]]\nnumber = \"4155552671\"\ncode = \"12\"\nuntil = \"tomorrow\"",
        &[
            "test_numbers[0].number (verifyd.toml, line 2): not in international form (+ and country code), and no region \
             is given",
            "test_numbers[0].code (verifyd.toml, line 3): a code has 4 to 10 digits",
            &format!("test_numbers[0].until = \"tomorrow\" (verifyd.toml, line 4): {INSTANT}"),
        ],
    );
    let one =
        |until: &str| format!("[[test_numbers]]\nnumber = \"+14155550142\"\ncode = \"123456\"\nuntil = {until}\n");
    expect(
        &one("2030-12-31T00:00:00"),
        &[&format!("test_numbers[0].until = \"2030-12-31T00:00:00\" (verifyd.toml, line 4): {INSTANT}")],
    );
    expect(
        &(one("2030-12-31") + &one("2031-12-31")),
        &["test_numbers[1].number (verifyd.toml, line 6): listed twice; keep one of the entries"],
    );
}

#[test]
fn twilio() {
    expect(
        &format!("[twilio]\naccount_sid = \"{ACCOUNT}\""),
        &[
            "twilio.auth_token (verifyd.toml, line 1): missing; give auth_token, or api_key_sid and api_key_secret",
            "twilio.from (verifyd.toml, line 1): missing; give from, messaging_service_sid or both",
        ],
    );
    expect(
        &format!("[twilio]\nauth_token = \"{TOKEN}\"\nfrom = \"+15005550006\""),
        &["twilio.account_sid (verifyd.toml, line 1): missing although twilio.auth_token is given"],
    );
    expect(
        &format!("[twilio]\naccount_sid = \"{ACCOUNT}\"\napi_key_sid = \"SK{TOKEN}\"\nfrom = \"+15005550006\""),
        &["twilio.api_key_secret (verifyd.toml, line 1): missing although api_key_sid is given"],
    );
    expect(
        "[twilio]\naccount_sid = \"your_account_sid\"\nauth_token = \"with space\"\nfrom = \"not a sender name\"\n\
         base_url = \"http://example.com\"\ntimeout = \"3m\"\nconnect_timeout = \"0s\"\nrisk_check = \"maybe\"\n\
         messaging_service_sid = \"MG1\"\nroot_certificates_file = \"/nowhere\"",
        &[
            "twilio.risk_check = \"maybe\" (verifyd.toml, line 8): expected \"enable\" or \"disable\"",
            "twilio.root_certificates_file = \"/nowhere\" (verifyd.toml, line 10): the file cannot be read: no such file",
            "twilio.account_sid (verifyd.toml, line 2): expected AC and 32 hex digits",
            "twilio.auth_token (verifyd.toml, line 3): expected 1 to 256 printable ASCII characters without spaces",
            "twilio.from (verifyd.toml, line 4): expected a number in E.164 (such as +15005550006), a short code of 3 to 8 \
             digits, or a name of at most 11 letters, digits and spaces with at least one letter",
            "twilio.messaging_service_sid (verifyd.toml, line 9): expected MG and 32 hex digits",
            "twilio.base_url (verifyd.toml, line 5): plain http is allowed only to this machine (localhost, 127.0.0.0/8, \
             [::1])",
            "twilio.timeout = \"3m\" (verifyd.toml, line 6): expected 1 ms to 120 s",
            "twilio.connect_timeout = \"0s\" (verifyd.toml, line 7): expected 1 ms up to timeout",
        ],
    );
}
