//! Data tests over every language, and the choice of one.

use std::collections::HashSet;

use super::super::segments::{Encoding, count};
use super::{ALIASES, LANGUAGES, Language, find, languages, resolve};
use crate::message::Locale;

/// The longest brand that GSM-7 can carry.
const BRAND: &str = "Abcdefghij Abcdefghij Abcdefgh";
const CODE: &str = "1234567890";

/// Languages whose text GSM-7 carries, with and without the warning. A new word with a stray accent moves one out of
/// here and doubles its price, so the list is written down.
const GSM7: [&str; 22] = [
    "en", "ca", "da", "de", "es", "et", "fi", "fil", "fr", "hr", "id", "it", "ms", "nb", "nl", "pl", "pt", "pt-BR",
    "ro", "sv", "sw", "tr",
];

fn filled(language: &Language, brand: &str, code: &str, warning: bool) -> String {
    let mut text = String::new();
    language.fill(brand, code, warning, &mut text);
    assert!(text.len() <= language.max_bytes(brand, code));
    text
}

#[test]
fn the_longest_message_fits_its_segments() {
    assert_eq!((BRAND.chars().count(), CODE.len()), (30, 10));
    for language in languages() {
        let plain = count(&filled(language, BRAND, CODE, false));
        assert_eq!(plain.count, 1, "{}: {} units of {}", language.tag, plain.units, plain.encoding.as_str());
        let warned = count(&filled(language, BRAND, CODE, true));
        assert!(warned.count <= 2, "{}: {} units of {}", language.tag, warned.units, warned.encoding.as_str());
    }
}

#[test]
fn languages_in_gsm7_stay_there() {
    for language in languages() {
        let plain = count(&filled(language, BRAND, CODE, false));
        assert_eq!(plain.encoding == Encoding::Gsm7, GSM7.contains(&language.tag), "{}", language.tag);
        let warned = count(&filled(language, BRAND, CODE, true));
        assert_eq!(
            warned.encoding == Encoding::Gsm7 && warned.count == 1,
            GSM7.contains(&language.tag),
            "{}",
            language.tag
        );
    }
}

#[test]
fn every_text_has_its_two_holes_once_and_no_other_syntax() {
    for language in languages() {
        let Language { tag, text, warning, .. } = language;
        assert_eq!(text.matches("{brand}").count(), 1, "{tag}");
        assert_eq!(text.matches("{code}").count(), 1, "{tag}");
        assert_eq!(text.matches(['{', '}']).count(), 4, "{tag}");
        assert!(!warning.contains(['{', '}']), "{tag}");
        let filled = filled(language, "Acme", "123456", true);
        assert!(filled.contains("Acme") && filled.contains("123456"), "{filled}");
        assert_eq!(filled.chars().filter(char::is_ascii_digit).count(), 6, "{tag}: digits beside the code");
    }
}

#[test]
fn every_text_is_one_clean_line() {
    for Language { tag, text, warning, .. } in languages() {
        let line = format!("{text}{warning}");
        assert!(
            !line.contains(|c: char| c.is_control() || matches!(c, '\u{200B}'..='\u{206F}' | '\u{FEFF}' | '\u{A0}')),
            "{tag}"
        );
        assert!(!line.contains("  ") && line.trim() == line, "{tag}");
        assert!(!line.contains(['@', '#', '/', '<', '>', '\u{2018}', '\u{2019}', '\u{201C}', '\u{201D}']), "{tag}");
        assert!(warning.starts_with(['.', ' ', '。', '।']), "{tag}");
        assert!(!warning.ends_with(['.', '。', '।']), "{tag}");
    }
}

#[test]
fn the_code_stands_apart_from_letters() {
    for language in languages() {
        for warning in [false, true] {
            let text = filled(language, "Acme", "123456", warning);
            let (before, after) = text.split_once("123456").unwrap();
            assert!(!before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric), "{text}");
        }
    }
}

#[test]
fn tags_are_canonical_unique_and_in_order() {
    let tags: Vec<&str> = languages().iter().map(Language::tag).collect();
    assert_eq!(tags.first(), Some(&"en"));
    assert!(tags[1..].is_sorted());
    assert_eq!(tags.iter().collect::<HashSet<_>>().len(), tags.len());
    for language in languages() {
        assert_eq!(language.tag.parse::<Locale>().unwrap().as_str(), language.tag);
        assert!(!language.name.is_empty());
    }
    for (alias, tag) in ALIASES {
        assert_eq!(alias.parse::<Locale>().unwrap().as_str(), alias);
        assert!(tags.contains(&tag) && !tags.contains(&alias), "{alias}");
    }
}

#[test]
fn the_choice_falls_back() {
    let table = [
        (Some("pt-BR"), None, "pt-BR"),
        (Some("pt-PT"), None, "pt"),
        (Some("pt_br"), None, "pt-BR"),
        (Some("de-CH-1901"), None, "de"),
        (Some("es-419"), Some("fr"), "es"),
        (Some("zh"), None, "zh"),
        (Some("zh-CN"), None, "zh"),
        (Some("zh-Hans-HK"), None, "zh"),
        (Some("zh-Hant-TW"), None, "zh-Hant"),
        (Some("zh-TW"), None, "zh-Hant"),
        (Some("zh-HK-x-a"), None, "zh-Hant"),
        (Some("yue-HK"), None, "zh-Hant"),
        (Some("cmn-Hans-CN"), None, "zh"),
        (Some("cmn-Hant"), None, "zh-Hant"),
        (Some("no-NO"), None, "nb"),
        (Some("nn"), None, "nb"),
        (Some("iw-IL"), None, "he"),
        (Some("in"), None, "id"),
        (Some("tl-PH"), None, "fil"),
        (Some("tlh"), Some("fr-CA"), "fr"),
        (Some("tlh"), Some("tlh"), "en"),
        (Some("tlh"), None, "en"),
        (None, Some("ja"), "ja"),
        (None, None, "en"),
    ];
    for (wanted, default, expected) in table {
        let parse = |tag: Option<&str>| tag.map(|tag| tag.parse::<Locale>().unwrap());
        let found = resolve(parse(wanted).as_ref(), parse(default).as_ref());
        assert_eq!(found.tag, expected, "{wanted:?} {default:?}");
    }
    assert_eq!(find(&"tlh".parse().unwrap()), None);
}

#[test]
fn a_hole_in_a_value_is_not_filled_again() {
    let text = filled(&LANGUAGES[0], "{code}{brand}", "123456", false);
    assert_eq!(text, "Your {code}{brand} verification code is: 123456");
}
