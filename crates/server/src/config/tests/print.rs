//! The configuration as text: complete, masked, and loadable again.

use super::*;

const FILE: &str = r#"
mock = true
api_key = "0123456789abcdef0123"
data_dir = 'C:\data "x"'
[service.shop]
name = "Shop"
[service.shop.limits]
resend_delays = []
[[api_keys]]
name = "one"
key_file = "/run/token"
[[test_numbers]]
number = "+14155550142"
code = "834105"
until = 2027-03-01
"#;

#[test]
fn secrets_are_masked_and_sources_named() {
    let (config, _) = valid(FILE, &[("VERIFYD_LISTEN", "127.0.0.1:7")]);
    let text = config.effective.to_toml();
    for line in [
        "environment = \"development\"\n",
        "listen = \"127.0.0.1:7\"  # VERIFYD_LISTEN\n",
        "data_dir = \"C:\\\\data \\\"x\\\"\"  # verifyd.toml, line 4\n",
        "mock = true  # SMS_MOCK_MODE\n",
        "# api_key = \"****\"  # verifyd.toml, line 3\n",
        "\n[store]\nurl = \"embedded\"\n",
        "\n[limits]\nsends_per_phone = \"5/1h\"\n",
        "\n[service.default]\ncode_length = 6\n",
        "\n[service.shop]\nname = \"Shop\"  # verifyd.toml, line 6\n",
        "\n[service.shop.limits]\nresend_delays = []  # verifyd.toml, line 8\n",
        "\n[[api_keys]]\nname = \"one\"  # verifyd.toml, line 10\nkey_file = \"/run/token\"  # verifyd.toml, line 11\n",
        "\n[[test_numbers]]\n# number = \"****\"  # verifyd.toml, line 13\n# code = \"****\"  # verifyd.toml, line 14\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    assert!(!text.contains("0123456789abcdef0123") && !text.contains("4155550142") && !text.contains("834105"));
}

#[test]
fn what_is_printed_loads_again_to_the_same() {
    let file = FILE.split("[[test_numbers]]").next().unwrap();
    let environment = [("VERIFYD_API_KEY", "0123456789abcdef0123"), ("VERIFYD_SERVICE__SHOP__TTL", "5m")];
    let (first, _) = valid(file, &environment);
    let printed = first.effective.to_toml();
    let (second, _) = valid(&printed, &environment[..1]);
    assert_eq!(first.effective.to_json(), second.effective.to_json());
    assert_eq!(format!("{:?}", first.services), format!("{:?}", second.services));
    assert_eq!((first.listen, first.store, first.server), (second.listen, second.store, second.server));
    assert_eq!(first.api_keys, second.api_keys);
}

#[test]
fn json_has_the_shape_of_the_file() {
    let json = valid(FILE, &[]).0.effective.to_json();
    assert_eq!(json["api_key"], "****");
    assert_eq!(json["store"]["max_records"], 4_000_000);
    assert_eq!(json["service"]["shop"]["limits"]["resend_delays"], serde_json::json!([]));
    assert_eq!(json["api_keys"], serde_json::json!([{"name": "one", "key_file": "/run/token"}]));
    assert_eq!(json["test_numbers"][0]["number"], "****");
    assert_eq!(json["mock"], true);
}
