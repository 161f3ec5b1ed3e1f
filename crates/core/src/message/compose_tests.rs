//! Tests of `compose.rs`: whole messages, the bound of Android, no links, no leaks.

use proptest::prelude::*;

use super::*;
use crate::code::MIN_CODE_DIGITS;
use crate::message::{Language, languages, parse_origin_bound};

fn brand(text: &str) -> Brand {
    text.parse().unwrap()
}

fn code(digits: &str) -> VerificationCode {
    VerificationCode::parse(digits).unwrap()
}

#[test]
fn whole_messages() {
    let acme = brand("Acme");
    let origin: OriginHost = "example.com".parse().unwrap();
    let embedded: OriginHost = "verify.example".parse().unwrap();
    let hash: AppHash = "FA+9qCX9VSu".parse().unwrap();
    let plain = Request::new(&acme);
    let table = [
        (plain, "Your Acme verification code is: 123456"),
        (
            Request { warning: true, ..plain },
            "Your Acme verification code is: 123456. Don't share this code with anyone; our employees will never ask for the code",
        ),
        (Request { origin: Some(&origin), ..plain }, "Your Acme verification code is: 123456\n@example.com #123456"),
        (
            Request { origin: Some(&origin), embedded: Some(&embedded), ..plain },
            "Your Acme verification code is: 123456\n@example.com #123456 @verify.example",
        ),
        (Request { app_hash: Some(&hash), ..plain }, "Your Acme verification code is: 123456\nFA+9qCX9VSu"),
        (
            Request { origin: Some(&origin), app_hash: Some(&hash), ..plain },
            "Your Acme verification code is: 123456\n@example.com #123456 FA+9qCX9VSu",
        ),
        (Request { embedded: Some(&embedded), ..plain }, "Your Acme verification code is: 123456"),
    ];
    for (request, expected) in table {
        let composed = compose(&request, &code("123456")).unwrap();
        assert_eq!(composed.text.expose(), expected);
        assert_eq!(composed.segments, count(expected));
        assert_eq!(composed.locale, "en");
    }
}

#[test]
fn the_locale_used_is_reported() {
    let acme = brand("Acme");
    let (wanted, default): (Locale, Locale) = ("tlh".parse().unwrap(), "fr-CA".parse().unwrap());
    let request = Request { locale: Some(&wanted), default_locale: Some(&default), ..Request::new(&acme) };
    let composed = compose(&request, &code("1234")).unwrap();
    assert_eq!((composed.locale, composed.text.expose()), ("fr", "Votre code de vérification Acme est : 1234"));
}

#[test]
fn a_preview_has_as_many_zeros_as_the_code_will_have_digits() {
    let acme = brand("Acme");
    for digits in MIN_CODE_DIGITS..=MAX_CODE_DIGITS {
        let previewed = preview(&Request::new(&acme), CodeLength::new(digits).unwrap()).unwrap();
        let zeros = "0".repeat(usize::from(digits));
        assert_eq!(previewed.text.expose(), format!("Your Acme verification code is: {zeros}"));
    }
}

#[test]
fn a_preview_costs_what_the_message_costs() {
    let acme = brand("Acme");
    let origin: OriginHost = "example.com".parse().unwrap();
    for language in languages() {
        let locale: Locale = language.tag().parse().unwrap();
        for warning in [false, true] {
            let request = Request { locale: Some(&locale), warning, origin: Some(&origin), ..Request::new(&acme) };
            let (sent, previewed) =
                (compose(&request, &code("918273")).unwrap(), preview(&request, CodeLength::default()).unwrap());
            assert_eq!(previewed.text.expose(), sent.text.expose().replace("918273", "000000"));
            assert_eq!((previewed.locale, previewed.segments), (language.tag(), sent.segments));
        }
    }
}

#[test]
fn an_app_hash_bounds_the_message_at_140_bytes() {
    let hash: AppHash = "FA+9qCX9VSu".parse().unwrap();
    // English with the warning has 106 bytes beside brand and code, and the last line 12.
    for (brand_chars, error) in [(15, None), (16, None), (17, Some(141)), (30, Some(154))] {
        let brand = brand(&"a".repeat(brand_chars));
        let request = Request { warning: true, app_hash: Some(&hash), ..Request::new(&brand) };
        let result = compose(&request, &code("123456")).map(|composed| composed.text.expose().len());
        let expected = error.map_or(Ok(124 + brand_chars), |bytes| Err(ComposeError::TooLongForAppHash { bytes }));
        assert_eq!(result, expected);
        // Without the hash there is no such bound.
        assert!(compose(&Request { app_hash: None, ..request }, &code("123456")).is_ok());
    }
}

#[test]
fn the_app_hash_fits_every_language_with_a_brand_of_usual_length() {
    let hash: AppHash = "FA+9qCX9VSu".parse().unwrap();
    let brand = brand("Abcdefghijkl");
    for language in languages() {
        let locale: Locale = language.tag().parse().unwrap();
        let request = Request { locale: Some(&locale), app_hash: Some(&hash), ..Request::new(&brand) };
        let composed = compose(&request, &code("123456")).unwrap_or_else(|error| panic!("{}: {error}", language.tag()));
        assert_eq!(composed.segments.count, 1, "{}", language.tag());
    }
}

#[test]
fn the_stricter_of_two_measures_counts() {
    // Text in Latin letters with one Greek: 71 units are 142 octets on the air, though only some 80 bytes of UTF-8.
    let hash: AppHash = "FA+9qCX9VSu".parse().unwrap();
    let brand = brand("Abcdefghij Abcdefghij Abcdeфgh");
    let request = Request { app_hash: Some(&hash), ..Request::new(&brand) };
    let text_chars = "Your  verification code is: 123456\nFA+9qCX9VSu".len() + 30;
    let expected = ComposeError::TooLongForAppHash { bytes: text_chars * 2 };
    assert_eq!(compose(&request, &code("123456")).unwrap_err(), expected);
}

#[test]
fn the_text_is_masked_and_never_grows() {
    let acme = brand("Acme");
    let origin: OriginHost = "example.com".parse().unwrap();
    let composed = compose(&Request { origin: Some(&origin), ..Request::new(&acme) }, &code("918273")).unwrap();
    assert!(!format!("{composed:?}").contains("918273"));
    assert_eq!(format!("{:?}", composed.text), "MessageText(***)");
    let mut text = MessageText::new("918273".to_owned());
    text.zeroize();
    assert_eq!(text.expose(), "");
}

#[test]
fn errors_name_the_rule() {
    let error = ComposeError::TooLongForAppHash { bytes: 141 };
    assert_eq!(error.to_string(), "a message with an app hash has at most 140 bytes, and this one would have 141");
    assert_eq!(error.code(), "too_long_for_app_hash");
}

/// What the link detectors of phones react to, taken generously: a scheme, `www.`, an address with `@`, or two labels
/// with a dot (or a character that IDNA maps to one) between.
fn link_in(text: &str) -> Option<&str> {
    let is_dot = |c: char| matches!(c, '.' | '\u{3002}' | '\u{FF0E}' | '\u{FF61}' | '\u{2024}');
    let dotted = |word: &str| {
        let labels: Vec<&str> = word.split(is_dot).collect();
        labels.windows(2).any(|pair| {
            let ascii_dot = word.contains('.');
            let starts = |c: char| if ascii_dot { c.is_alphanumeric() } else { c.is_ascii_alphanumeric() };
            pair[0].ends_with(char::is_alphanumeric) && pair[1].starts_with(starts)
        })
    };
    text.split_whitespace().find(|word| {
        let lower = word.to_lowercase();
        let scheme = ["http:", "https:", "ftp:"]
            .iter()
            .any(|scheme| lower.split_once(scheme).is_some_and(|(before, _)| !before.ends_with(char::is_alphanumeric)));
        word.contains(['@', '/', '\\']) || scheme || lower.contains("www.") || dotted(word)
    })
}

#[test]
fn the_detector_of_links_works() {
    for text in [
        "see https://evil.example now",
        "evil.example",
        "a code.Don't",
        "www.evil",
        "me@evil.example",
        "evil.example/x",
        "evil\u{3002}com",
        "evil\u{FF0E}com",
        "1.1.1.1",
        "http:evil",
    ] {
        assert!(link_in(text).is_some(), "{text}");
    }
    for text in ["Your Acme code is: 123456. Don't share", "Acme: 1234", "[Acme] 1234", "教えないでください。当社"]
    {
        assert_eq!(link_in(text), None, "{text}");
    }
}

/// Brands from the characters that pass and some that must not, so that many candidates are near the rules.
fn candidate() -> impl Strategy<Value = String> {
    let pieces = vec![
        "a", "Z", "é", "я", "中", "ก", "1", "22", "333", " ", "-", "&", "'", "http", "www", "xn--", "com", "evil", ".",
        "/", ":", "@", "#", "\n", "\r", "\u{202E}", "\u{3002}", "\u{FF0E}", "\u{2028}", "{code}", "\u{301}",
    ];
    prop_oneof![
        any::<String>(),
        "\\PC{1,30}",
        prop::collection::vec(prop::sample::select(pieces), 1..12).prop_map(|pieces| pieces.concat()),
        "[A-Za-z0-9 &'-]{1,30}",
        "[\\p{L}0-9 &'-]{1,30}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_brand_makes_a_link_or_a_line(
        text in candidate(),
        language in 0..languages().len(),
        warning in any::<bool>(),
        digits in "[0-9]{4,10}",
    ) {
        let Ok(brand) = text.parse::<Brand>() else { return Ok(()) };
        let tag = languages().get(language).map_or("en", Language::tag);
        let locale: Locale = tag.parse().unwrap();
        let origin: OriginHost = "login.example.com".parse().unwrap();
        let request = Request { locale: Some(&locale), warning, ..Request::new(&brand) };
        let plain = compose(&request, &code(&digits)).unwrap();
        prop_assert_eq!(link_in(plain.text.expose()), None);
        prop_assert_eq!(plain.text.expose().lines().count(), 1);
        prop_assert_eq!(parse_origin_bound(plain.text.expose()), None);

        // With a website only the last line is added, and it says our host and the code.
        let bound = compose(&Request { origin: Some(&origin), ..request }, &code(&digits)).unwrap();
        let (first, last) = bound.text.expose().split_once('\n').unwrap();
        prop_assert_eq!(first, plain.text.expose());
        prop_assert!(!last.contains('\n'));
        let found = parse_origin_bound(bound.text.expose()).unwrap();
        prop_assert_eq!((found.host, found.code, found.rest), ("login.example.com", digits.as_str(), ""));
    }

    #[test]
    fn the_room_is_taken_at_once(
        language in 0..languages().len(),
        warning in any::<bool>(),
        digits in "[0-9]{4,10}",
        host in "[a-z]{1,60}[.]example",
        hash in any::<bool>(),
    ) {
        let brand: Brand = "Abcdefghij".parse().unwrap();
        let locale: Locale = languages().get(language).map_or("en", Language::tag).parse().unwrap();
        let origin: OriginHost = host.parse().unwrap();
        let app_hash: AppHash = "FA+9qCX9VSu".parse().unwrap();
        let request = Request {
            locale: Some(&locale),
            warning,
            origin: Some(&origin),
            embedded: Some(&origin),
            app_hash: hash.then_some(&app_hash),
            ..Request::new(&brand)
        };
        if let Ok(composed) = compose(&request, &code(&digits)) {
            let language = resolve(Some(&locale), None);
            let room = language.max_bytes(brand.as_str(), &digits)
                + LastLine { origin: Some(&origin), embedded: Some(&origin), app_hash: request.app_hash }.max_bytes(digits.len());
            prop_assert!(composed.text.expose().len() <= room);
        }
    }
}
