//! Tests of `webotp.rs`: the examples and counter-examples of the specification, hostile hosts, and the round trip.

use proptest::prelude::*;

use super::*;

fn parsed(message: &str) -> Option<(&str, &str, Option<&str>, &str)> {
    parse_origin_bound(message).map(|found| (found.host, found.code, found.embedded, found.rest))
}

#[test]
fn examples_of_the_specification() {
    let table = [
        (
            "747723 is your ExampleCo authentication code.\n\n@example.com #747723",
            Some(("example.com", "747723", None, "")),
        ),
        (
            "747723 is your ExampleCo authentication code.\n\n@example.com #747723 @ecommerce.example",
            Some(("example.com", "747723", Some("ecommerce.example"), "")),
        ),
        ("something @example.com #747723", None),
        ("#747723 @ecommerce.example @example.com", None),
        ("@example.com code #747723", None),
        (
            "@example.com #747723 @ecommerce.example $future",
            Some(("example.com", "747723", Some("ecommerce.example"), " $future")),
        ),
    ];
    for (message, expected) in table {
        assert_eq!(parsed(message), expected, "{message:?}");
    }
}

#[test]
fn each_step_of_the_normative_algorithm() {
    let table = [
        ("", None),
        ("\n", None),
        ("@", None),
        ("@ #747723", None),
        ("@example.com", None),
        ("@example.com ", None),
        ("@example.com #", None),
        ("@example.com # 747723", None),
        ("@example.com  #747723", None),
        ("@example.com\t#747723", None),
        ("@example.com#747723", None),
        (" @example.com #747723", None),
        ("example.com #747723", None),
        ("@example.com #747723\n", None),
        ("@example.com #747723\nthanks", None),
        ("text\r@example.com #747723", Some(("example.com", "747723", None, ""))),
        ("text\r\n@example.com #747723", Some(("example.com", "747723", None, ""))),
        ("@example.com #747723 ", Some(("example.com", "747723", None, " "))),
        ("@example.com #747723 @", Some(("example.com", "747723", None, " @"))),
        ("@example.com #747723\t@a.example", Some(("example.com", "747723", None, "\t@a.example"))),
        ("@example.com #747723 FA+9qCX9VSu", Some(("example.com", "747723", None, " FA+9qCX9VSu"))),
        ("@münchen.example #747723", Some(("münchen.example", "747723", None, ""))),
    ];
    for (message, expected) in table {
        assert_eq!(parsed(message), expected, "{message:?}");
    }
}

#[test]
fn hosts_that_browsers_read_the_same_way() {
    let long_label = "a".repeat(63);
    let table = [
        ("example.com", "example.com"),
        ("Login.EXAMPLE.com", "login.example.com"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("localhost", "localhost"),
        ("a-b.3m.co", "a-b.3m.co"),
        ("1.2.3.example4", "1.2.3.example4"),
    ];
    for (text, expected) in table {
        assert_eq!(text.parse::<OriginHost>().as_ref().map(OriginHost::as_str), Ok(expected));
    }
    assert!(format!("{long_label}.com").parse::<OriginHost>().is_ok());
}

#[test]
fn other_hosts_are_refused_with_the_reason() {
    use ParseHostError::{Empty, IpAddress, Malformed, NotAscii, Port, Scheme, TooLong};
    let table = [
        ("", Empty),
        ("https://example.com", Scheme),
        ("example.com:8443", Port),
        ("example.com:", Port),
        ("münchen.example", NotAscii),
        ("ex\u{430}mple.com", NotAscii),
        ("example\u{3002}com", NotAscii),
        ("127.0.0.1", IpAddress),
        ("example.0x7f", IpAddress),
        ("[::1]", IpAddress),
        ("::1", IpAddress),
        ("example", Malformed),
        ("example.com.", Malformed),
        (".example.com", Malformed),
        ("example..com", Malformed),
        ("-a.example", Malformed),
        ("a-.example", Malformed),
        ("a_b.example", Malformed),
        ("exa mple.com", Malformed),
        ("example.com ", Malformed),
        ("example.com\n@evil.example", Malformed),
        ("example.com #123456", Malformed),
        ("#example.com", Malformed),
        ("@example.com", Malformed),
        ("user@example.com", Malformed),
        ("example.com/path", Malformed),
        ("*.example.com", Malformed),
    ];
    for (text, error) in table {
        assert_eq!(text.parse::<OriginHost>(), Err(error), "{text:?}");
    }
    assert_eq!(format!("{}.com", "a".repeat(64)).parse::<OriginHost>(), Err(TooLong));
    let with_bytes = |bytes: usize| "a.".repeat(bytes / 2 - 1) + if bytes.is_multiple_of(2) { "aa" } else { "aaa" };
    for (bytes, ok) in [(252, true), (253, true), (254, false)] {
        assert_eq!(with_bytes(bytes).len(), bytes);
        assert_eq!(with_bytes(bytes).parse::<OriginHost>().is_ok(), ok, "{bytes}");
    }
}

#[test]
fn app_hashes() {
    for text in ["FA+9qCX9VSu", "aaaaaaaaaaa", "/+/+/+/+/+/", "01234567890"] {
        assert_eq!(text.parse::<AppHash>().as_ref().map(AppHash::as_str), Ok(text));
    }
    for text in [
        "",
        "FA+9qCX9VS",
        "FA+9qCX9VSuu",
        "FA-9qCX9VSu",
        "FA_9qCX9VSu",
        "FA+9qCX9VS=",
        "FA+9 CX9VSu",
        "FA+9qCX9VS\n",
        "FA+9qCX9Vé",
    ] {
        assert_eq!(text.parse::<AppHash>(), Err(ParseAppHashError), "{text:?}");
    }
}

#[test]
fn the_code_is_not_in_the_debug_output() {
    let found = parse_origin_bound("@example.com #747723").unwrap();
    assert!(!format!("{found:?}").contains("747723"));
}

#[test]
fn serde_uses_the_same_doors() {
    assert_eq!(serde_json::from_str::<OriginHost>("\"Example.com\"").unwrap().as_str(), "example.com");
    assert!(serde_json::from_str::<OriginHost>("\"https://example.com\"").is_err());
    assert!(serde_json::from_str::<AppHash>("\"short\"").is_err());
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(
        origin in "([a-z0-9]{1,20}[.]){1,3}[a-z]{2,6}",
        embedded in prop::option::of("([a-z0-9]{1,20}[.]){1,3}[a-z]{2,6}"),
        hash in prop::option::of("[A-Za-z0-9+/]{11}"),
        code in "[0-9]{4,10}",
        before in any::<String>(),
    ) {
        let origin: OriginHost = origin.parse().unwrap();
        let embedded: Option<OriginHost> = embedded.map(|host| host.parse().unwrap());
        let hash: Option<AppHash> = hash.map(|hash| hash.parse().unwrap());
        let line = LastLine { origin: Some(&origin), embedded: embedded.as_ref(), app_hash: hash.as_ref() };
        let mut message = before.clone();
        line.append(&code, &mut message);
        prop_assert!(message.len() - before.len() <= line.max_bytes(code.len()));
        let rest = hash.as_ref().map_or(String::new(), |hash| format!(" {hash}"));
        prop_assert_eq!(
            parsed(&message),
            Some((origin.as_str(), code.as_str(), embedded.as_ref().map(OriginHost::as_str), rest.as_str()))
        );
    }

    #[test]
    fn reading_garbage_never_panics(message in any::<String>()) {
        // Whatever is read stood in the message, in this order.
        if let Some(found) = parse_origin_bound(&message) {
            let start = format!("@{} #{}", found.host, found.code);
            prop_assert!(message.contains(&start));
        }
    }
}
