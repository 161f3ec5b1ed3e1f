//! Tests of `segments.rs`: the tables of TS 23.038, the edges of the parts, and a second counter that really encodes.

use std::collections::HashSet;

use proptest::prelude::*;

use super::{Encoding, Segments, count, forcing_ucs2};

/// The basic table as the standard prints it, position by position. 0x1B is the escape.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u{1B}ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                     ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// The extension table: position after the escape, character.
const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{C}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

fn septets(c: char) -> Option<Vec<u8>> {
    if let Some((position, _)) = EXTENSION.iter().find(|(_, extension)| *extension == c) {
        return Some(vec![0x1B, *position]);
    }
    let position = BASIC.chars().position(|basic| basic == c && c != '\u{1B}')?;
    Some(vec![u8::try_from(position).unwrap()])
}

/// Encodes for real and cuts the units into parts, stepping back where a cut would part a pair.
fn naive(text: &str) -> Segments {
    let encoded: Option<Vec<Vec<u8>>> = text.chars().map(septets).collect();
    let (encoding, units) = match encoded {
        Some(septets) => (Encoding::Gsm7, septets.concat().into_iter().map(u16::from).collect::<Vec<_>>()),
        None => (Encoding::Ucs2, text.encode_utf16().collect()),
    };
    let (single, part) = if encoding == Encoding::Gsm7 { (160, 153) } else { (70, 67) };
    let total = u32::try_from(units.len()).unwrap();
    if units.len() <= single {
        return Segments { encoding, count: 1, units: total };
    }
    let mut rest = units.as_slice();
    let mut parts = 0;
    while !rest.is_empty() {
        let mut cut = rest.len().min(part);
        let opens_pair = match encoding {
            Encoding::Gsm7 => rest[cut - 1] == 0x1B,
            Encoding::Ucs2 => (0xD800..0xDC00).contains(&rest[cut - 1]),
        };
        if opens_pair {
            cut -= 1;
        }
        rest = &rest[cut..];
        parts += 1;
    }
    Segments { encoding, count: parts, units: total }
}

#[test]
fn the_basic_table_has_128_positions_and_every_one_counts_one() {
    assert_eq!(BASIC.chars().count(), 128);
    for c in BASIC.chars().filter(|c| *c != '\u{1B}') {
        let found = count(&c.to_string());
        assert_eq!(found, Segments { encoding: Encoding::Gsm7, count: 1, units: 1 }, "{c:?}");
    }
    for (_, c) in EXTENSION {
        let found = count(&c.to_string());
        assert_eq!(found, Segments { encoding: Encoding::Gsm7, count: 1, units: 2 }, "{c:?}");
    }
}

#[test]
fn no_other_character_of_unicode_is_gsm7() {
    let known: HashSet<char> = BASIC.chars().filter(|c| *c != '\u{1B}').chain(EXTENSION.map(|(_, c)| c)).collect();
    assert_eq!(known.len(), 137);
    let mut buffer = [0; 4];
    for c in '\0'..=char::MAX {
        assert_eq!(count(c.encode_utf8(&mut buffer)).encoding == Encoding::Gsm7, known.contains(&c), "{c:?}");
    }
}

#[test]
fn table_of_texts() {
    use Encoding::{Gsm7, Ucs2};
    let r = |text: &str, n: usize| text.repeat(n);
    let table: Vec<(String, Encoding, u16, u32)> = vec![
        (String::new(), Gsm7, 1, 0),
        ("A".into(), Gsm7, 1, 1),
        ("Your Acme verification code is: 123456".into(), Gsm7, 1, 38),
        (r("a", 159), Gsm7, 1, 159),
        (r("a", 160), Gsm7, 1, 160),
        (r("a", 161), Gsm7, 2, 161),
        (r("a", 305), Gsm7, 2, 305),
        (r("a", 306), Gsm7, 2, 306),
        (r("a", 307), Gsm7, 3, 307),
        (r("a", 459), Gsm7, 3, 459),
        (r("a", 460), Gsm7, 4, 460),
        (r("a", 1530), Gsm7, 10, 1530),
        (r("a", 1531), Gsm7, 11, 1531),
        ("€".into(), Gsm7, 1, 2),
        ("^{}\\[~]|€".into(), Gsm7, 1, 18),
        ("\u{C}".into(), Gsm7, 1, 2),
        (r("€", 80), Gsm7, 1, 160),
        // 76 pairs and an empty unit a part.
        (r("€", 81), Gsm7, 2, 162),
        (r("€", 152), Gsm7, 2, 304),
        (r("€", 153), Gsm7, 3, 306),
        (r("a", 158) + "€", Gsm7, 1, 160),
        (r("a", 159) + "€", Gsm7, 2, 161),
        (r("a", 151) + "€" + &r("a", 8), Gsm7, 2, 161),
        (r("a", 152) + "€" + &r("a", 7), Gsm7, 2, 161),
        // The pair does not fit into the first part, so the second is one too long.
        (r("a", 152) + "€" + &r("a", 151), Gsm7, 2, 305),
        (r("a", 152) + "€" + &r("a", 152), Gsm7, 3, 306),
        (r("a", 151) + "€" + &r("a", 153), Gsm7, 2, 306),
        ("Code de vérification à confirmer".into(), Gsm7, 1, 32),
        ("Prüfcode für Größe".into(), Gsm7, 1, 18),
        ("Tu código".into(), Ucs2, 1, 9),
        ("façade".into(), Ucs2, 1, 6),
        ("FAÇADE".into(), Gsm7, 1, 6),
        ("a\tb".into(), Ucs2, 1, 3),
        ("a`b".into(), Ucs2, 1, 3),
        ("it’s".into(), Ucs2, 1, 4),
        ("it's".into(), Gsm7, 1, 4),
        ("“quoted”".into(), Ucs2, 1, 8),
        ("a\u{A0}b".into(), Ucs2, 1, 3),
        ("line\r\nline\n".into(), Gsm7, 1, 11),
        ("\u{1B}".into(), Ucs2, 1, 1),
        ("\u{FEFF}a".into(), Ucs2, 1, 2),
        ("ΔΦΓΛΩΠΨΣΘΞ".into(), Gsm7, 1, 10),
        ("Κωδικός".into(), Ucs2, 1, 7),
        ("Код".into(), Ucs2, 1, 3),
        (r("я", 70), Ucs2, 1, 70),
        (r("я", 71), Ucs2, 2, 71),
        (r("я", 134), Ucs2, 2, 134),
        (r("я", 135), Ucs2, 3, 135),
        (r("я", 201), Ucs2, 3, 201),
        (r("я", 202), Ucs2, 4, 202),
        // Extension characters cost one where everything is UCS-2.
        (r("€", 69) + "я", Ucs2, 1, 70),
        ("😀".into(), Ucs2, 1, 2),
        (r("😀", 35), Ucs2, 1, 70),
        (r("😀", 36), Ucs2, 2, 72),
        // 33 pairs and an empty unit a part.
        (r("😀", 66), Ucs2, 2, 132),
        (r("😀", 67), Ucs2, 3, 134),
        (r("a", 66) + "😀" + &r("a", 65), Ucs2, 2, 133),
        (r("a", 66) + "😀" + &r("a", 66), Ucs2, 3, 134),
        (r("a", 160) + "ё", Ucs2, 3, 161),
        ("👩‍👩‍👧".into(), Ucs2, 1, 8),
    ];
    assert!(table.len() >= 40);
    for (text, encoding, parts, units) in table {
        let expected = Segments { encoding, count: parts, units };
        assert_eq!(count(&text), expected, "{text:?}");
        assert_eq!(naive(&text), expected, "the second counter on {text:?}");
    }
}

#[test]
fn octets_on_the_air() {
    assert_eq!(count(&"a".repeat(160)).octets(), 140);
    assert_eq!(count(&"a".repeat(8)).octets(), 7);
    assert_eq!(count("a").octets(), 1);
    assert_eq!(count(&"я".repeat(70)).octets(), 140);
}

#[test]
fn names_the_characters_that_force_ucs2() {
    assert_eq!(forcing_ucs2("Tu código está").collect::<String>(), "óá");
    assert_eq!(forcing_ucs2("Tu clave").count(), 0);
    assert_eq!(Encoding::Gsm7.as_str(), "GSM-7");
    assert_eq!(Encoding::Ucs2.as_str(), "UCS-2");
}

proptest! {
    #[test]
    fn agrees_with_the_naive_encoder(text in any::<String>()) {
        prop_assert_eq!(count(&text), naive(&text));
    }

    #[test]
    fn agrees_with_the_naive_encoder_around_the_edges(
        text in prop::collection::vec(prop::sample::select(vec!["a", "€", "[", "é", "aaaaaaa"]), 0..400),
        astral in prop::option::of(prop::collection::vec(prop::sample::select(vec!["😀", "я", "€", "яяя"]), 1..200)),
    ) {
        let text = text.concat() + &astral.unwrap_or_default().concat();
        prop_assert_eq!(count(&text), naive(&text));
    }
}
