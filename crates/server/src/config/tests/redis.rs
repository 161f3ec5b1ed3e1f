//! Redis as a store: its URL, its section, its password, and that the keys must be given.

use std::time::Duration;

use super::*;

fn keys() -> String {
    format!("k1:{KEY_A}")
}

fn fleet(file: &str, more: &[(&str, &str)]) -> (Config, Vec<Note>) {
    let keys = keys();
    let mut environment = vec![("VERIFYD_KEYS", keys.as_str())];
    environment.extend(more);
    valid(file, &environment)
}

fn refusal(file: &str, more: &[(&str, &str)]) -> String {
    let keys = keys();
    let mut environment = vec![("VERIFYD_KEYS", keys.as_str()), ("SMS_MOCK_MODE", "true")];
    environment.extend(more);
    refused(file, &environment)
}

#[test]
fn every_kind_of_url_is_taken() {
    for (url, shown) in [
        ("redis://127.0.0.1", "redis://127.0.0.1:6379/0"),
        ("rediss://app@r.example:6380/2?ca_file=/etc/ca.pem", "rediss://r.example:6380/2"),
        ("redis+sentinel://a,b,c/main", "redis+sentinel://a:26379,b:26379,c:26379/main/0"),
        ("redis+cluster://a:1,b:2", "redis+cluster://a:1,b:2"),
        ("rediss+cluster://u:p%40@a", "rediss+cluster://a:6379"),
    ] {
        let (config, _) = fleet("", &[("VERIFYD_STORE", url)]);
        assert_eq!(config.store.kind, StoreKind::Redis);
        assert_eq!(config.redis.unwrap().target.shown(), shown);
    }
}

#[test]
fn the_section_says_how() {
    let file = "[store]\nurl = \"redis://a\"\n[redis]\nprefix = \"v2\"\ntimeout = \"100ms\"\nwait_replicas = 2\nwait_timeout = \"1s\"\n";
    let redis = fleet(file, &[]).0.redis.unwrap();
    assert_eq!((redis.prefix.as_str(), redis.timeout), ("v2", Duration::from_millis(100)));
    assert_eq!((redis.wait_replicas, redis.wait_timeout), (2, Duration::from_secs(1)));
    let given = fleet("", &[("VERIFYD_STORE", "redis://a")]).0.redis.unwrap();
    let default = LinkSettings::new(given.target.clone());
    assert_eq!((given.timeout, given.wait_timeout), (default.timeout, default.wait_timeout));
    assert_eq!((given.wait_replicas, given.prefix), (0, default.prefix));
}

#[test]
fn what_is_wrong_is_told_without_the_url() {
    let file =
        "[store]\nurl = \"redis://:hunter2@a/x\"\n[redis]\nprefix = \"{a}\"\ntimeout = \"1ms\"\nwait_replicas = 11\n";
    assert_eq!(
        refusal(file, &[]),
        "redis.prefix = \"{a}\" (verifyd.toml, line 4): expected 1 to 40 of a-z 0-9 _ -\n\
         redis.timeout = \"1ms\" (verifyd.toml, line 5): expected 10ms to 10s\n\
         redis.wait_replicas = 11 (verifyd.toml, line 6): expected 0 to 10\n\
         store.url (verifyd.toml, line 2): its path must be the number of a database"
    );
    assert!(refusal("", &[("VERIFYD_STORE", "redis+ring://a")]).contains("it must begin with redis://"));
}

#[test]
fn the_keys_must_be_given() {
    let errors = refused("", &[("SMS_MOCK_MODE", "true"), ("VERIFYD_STORE", "redis://a")]);
    assert!(
        errors.starts_with("keys: with Redis the keys must be given, the same to every node: VERIFYD_KEYS"),
        "{errors}"
    );
    // One error about keys that are given and wrong, not two.
    let errors = refused("", &[("SMS_MOCK_MODE", "true"), ("VERIFYD_STORE", "redis://a"), ("VERIFYD_KEYS", "x")]);
    assert_eq!(errors.lines().count(), 1, "{errors}");
}

#[test]
fn a_password_may_come_from_a_file_and_comes_once() {
    let file = "store.url = \"redis://app@a\"\nredis.password_file = \"/run/token\"";
    assert!(fleet(file, &[]).0.redis.is_some());
    let twice = refusal("store.url = \"redis://app:pw@a\"\nredis.password_file = \"/run/token\"", &[]);
    assert!(twice.contains("store.url has a password, too; give one of them"), "{twice}");
}

#[test]
fn the_whole_url_may_come_from_a_file() {
    for (file, variable) in [("store.url_file = \"/run/url\"", ""), ("", "/run/url")] {
        let (config, _) = fleet(file, &[("VERIFYD_STORE_FILE", variable)]);
        assert_eq!(config.redis.as_ref().unwrap().target.shown(), "rediss://r.example:6379/0");
        let printed = config.effective.to_toml();
        assert!(printed.contains("\nurl_file = \"/run/url\"") && !printed.contains("embedded"), "{printed}");
        assert!(!format!("{config:?}").contains("hunter2"));
    }
    let both = refusal("store.url_file = \"/run/url\"", &[("VERIFYD_STORE", "redis://a")]);
    assert!(both.starts_with("VERIFYD_STORE and store.url_file: both are given"), "{both}");
}

#[test]
fn a_url_with_a_password_is_printed_masked_and_one_without_as_it_is() {
    let (config, _) = fleet("", &[("VERIFYD_STORE", "redis://app:hunter2@a")]);
    let printed = config.effective.to_toml();
    assert!(printed.contains("\n[store]\n# url = \"****\"  # VERIFYD_STORE\n"), "{printed}");
    assert_eq!(config.effective.to_json()["store"]["url"], "****");
    let (config, _) = fleet("", &[("VERIFYD_STORE", "redis://a:7/1")]);
    assert!(config.effective.to_toml().contains("\nurl = \"redis://a:7/1\"  # VERIFYD_STORE\n"));
}

#[test]
fn a_password_on_the_command_line_is_refused() {
    let keys = keys();
    let mut sources = sources("", &[("SMS_MOCK_MODE", "true"), ("VERIFYD_KEYS", &keys)]);
    sources.flags.store = Some("redis://app:hunter2@a".to_owned());
    let errors = Config::load(&sources).unwrap_err().to_string();
    assert!(errors.starts_with("--store: everybody on this machine can read a password"), "{errors}");
    sources.flags.store = Some("redis://app@a".to_owned());
    Config::load(&sources).unwrap();
}

#[test]
fn what_does_nothing_is_told() {
    let (_, found) = valid("redis.timeout = \"1s\"", &[]);
    assert!(notes(&found).contains(&"redis.timeout: does nothing here: store.url names no Redis".to_owned()));
    let (_, found) = fleet("store.max_records = 5", &[("VERIFYD_STORE", "redis://a")]);
    assert!(notes(&found).iter().any(|note| note.starts_with("store.max_records: does nothing here")), "{found:?}");
}
