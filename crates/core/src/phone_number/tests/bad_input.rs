//! What is refused, why, and that nothing makes the parser panic or leak.

use proptest::prelude::*;

use super::super::{LimitKeyText, MAX_INPUT_BYTES, NumberPolicy, PhoneNumber, PhoneNumberError, Region, verdict};
use super::{e164, region};
use crate::digits::decimal_digit;

#[test]
fn bad_input_is_refused_with_its_reason() {
    let table: [(&str, &str, &str); 41] = [
        ("", "US", "empty"),
        (" \u{200B}\u{FEFF}\t", "US", "empty"),
        ("tel:", "US", "empty"),
        ("+", "", "invalid"),
        ("---", "US", "invalid"),
        ("12", "US", "invalid"),
        ("+1", "", "invalid"),
        ("+999123456789", "", "invalid"),
        ("+0044 20 7946 0958", "", "invalid"),
        ("+1 415 555 267", "", "invalid"),
        ("+1 415 555 26711", "", "invalid"),
        ("+1 415+555 2671", "", "invalid"),
        ("9876543210", "", "region_required"),
        ("0044 20 7946 0958", "", "region_required"),
        ("tel:4155552671", "", "region_required"),
        ("+14155552671;ext=5", "", "extension"),
        ("+14155552671 x5", "", "extension"),
        ("+14155552671x5", "", "extension"),
        ("+14155552671 ext. 5", "", "extension"),
        ("+14155552671 Extension 5", "", "extension"),
        ("+14155552671 доб 21", "", "extension"),
        ("+14155552671#5", "", "extension"),
        ("+14155552671,,5", "", "extension"),
        ("+14155552671;5", "", "extension"),
        ("+14155552671~5", "", "extension"),
        ("+1-800-FLOWERS", "", "letters"),
        ("1-800-FLOWERS", "US", "letters"),
        ("call +14155552671", "", "letters"),
        ("+14155552671 or +14155552672", "", "letters"),
        ("+1415555267O", "", "letters"),
        ("電話14155552671", "US", "letters"),
        ("+1415555267١", "", "mixed_scripts"),
        ("+١٤١٥٥٥٥٢٦٧۱", "", "mixed_scripts"),
        ("+1415555267𝟏", "", "unsupported_characters"),
        ("+1415555267²", "", "unsupported_characters"),
        ("#31#4155552671", "US", "unsupported_characters"),
        ("*674155552671", "US", "unsupported_characters"),
        ("tel:5552671;phone-context=+1415", "US", "unsupported_characters"),
        ("+14155552671;isub=1", "", "unsupported_characters"),
        ("+14155552671\u{0}", "", "unsupported_characters"),
        ("+1415\u{2009}5552671", "", "unsupported_characters"),
    ];
    for (input, default_region, code) in table {
        let error = PhoneNumber::parse(input, region(default_region)).unwrap_err();
        assert_eq!(error.code(), code, "{input:?} in {default_region:?}");
    }
}

#[test]
fn the_bound_on_input_is_exact() {
    let padded = |bytes: usize| format!("+14155552671{}", " ".repeat(bytes - 12));
    assert_eq!(e164(&padded(MAX_INPUT_BYTES - 1), ""), Ok("+14155552671".to_owned()));
    assert_eq!(e164(&padded(MAX_INPUT_BYTES), ""), Ok("+14155552671".to_owned()));
    assert_eq!(e164(&padded(MAX_INPUT_BYTES + 1), ""), Err(PhoneNumberError::TooLong));
}

#[test]
fn a_valid_number_over_fifteen_digits_is_refused() {
    // Germany's plan has land lines of up to 15 digits behind the country code.
    for (digits, expected) in
        [("+493012345678901", Ok(())), ("+4929141777631706", Err(PhoneNumberError::TooManyDigits))]
    {
        assert_eq!(PhoneNumber::parse(digits, None).map(|_| ()), expected, "{digits}");
        let verdict = verdict(digits, None, &NumberPolicy::default());
        assert!(verdict.valid, "{digits}");
        assert_eq!(verdict.e164.as_deref(), Some(digits));
        assert_eq!(verdict.reason, expected.err().map(|error| error.code()));
    }
}

#[test]
fn numbers_of_no_country_are_no_region_to_read_in() {
    assert_eq!(PhoneNumber::parse("+14155552671", Some(Region::WORLD)), Err(PhoneNumberError::UnknownRegion));
}

/// Every code point of Unicode in the place of one digit: nothing but a digit of the same script stands for a digit.
#[test]
fn no_other_code_point_stands_for_a_digit() {
    for c in '\u{80}'..=char::MAX {
        let replaced = e164(&format!("+1415555267{c}"), "");
        assert!(replaced.is_err(), "U+{:04X} gave {replaced:?}", u32::from(c));
    }
}

/// Every digit of Unicode in a number written in its script: it maps to its value, or the number is refused.
#[test]
fn digits_of_a_script_map_to_their_value_or_are_refused() {
    let mut refused = 0;
    for c in '\u{80}'..=char::MAX {
        if !c.is_numeric() {
            continue;
        }
        // If `c` is the zero of a script, this is a number in that script.
        let number: String = "+14155550100"
            .chars()
            .map(|d| d.to_digit(10).and_then(|value| char::from_u32(u32::from(c) + value)).unwrap_or(d))
            .collect();
        match decimal_digit(c) {
            Some(0) => assert_eq!(e164(&number, ""), Ok("+14155550100".to_owned()), "U+{:04X}", u32::from(c)),
            // Not a zero: the text above is another number, or none.
            Some(_) => {}
            None => {
                assert!(e164(&number, "").is_err(), "U+{:04X}", u32::from(c));
                refused += 1;
            }
        }
    }
    // The 680 decimal digits of Unicode 15 less ours, and the other numerals.
    assert!(refused > 1000, "{refused}");
}

#[test]
fn regions_are_two_capitals_with_a_plan() {
    assert_eq!(Region::all().len(), 245);
    for good in ["US", "IT", "AC", "001"] {
        assert_eq!(good.parse::<Region>().unwrap().to_string(), good);
    }
    for bad in ["", "U", "us", "Us", "USA", "XX", "ZZ", "AQ", "01", "0O1", "ÜS", "U\u{0}", "\u{0}\u{0}"] {
        assert!(bad.parse::<Region>().is_err(), "{bad:?}");
    }
    let json = serde_json::to_string(&region("GB")).unwrap();
    assert_eq!(json, "\"GB\"");
    assert_eq!(serde_json::from_str::<Region>(&json).unwrap().as_str(), "GB");
    assert!(serde_json::from_str::<Region>("\"gb\"").is_err());
}

#[test]
fn only_the_last_four_digits_are_shown() {
    for input in ["+14155552671", "+393123456789", "+2902671"] {
        let Ok(number) = PhoneNumber::parse(input, None) else { continue };
        let tail = &number.e164()[number.e164().len() - 4..];
        assert_eq!(number.to_string(), format!("+*******{tail}"));
        assert_eq!(format!("{number:?}"), format!("PhoneNumber(+*******{tail})"));
        assert_eq!(format!("{:?}", number.limit_key()), format!("LimitKeyText(+*******{tail})"));
    }
    assert!(size_of::<PhoneNumber>() <= 24, "{}", size_of::<PhoneNumber>());
    assert!(size_of::<LimitKeyText>() <= 17, "{}", size_of::<LimitKeyText>());
}

#[test]
fn only_the_exact_e164_form_is_read_back() {
    assert!(PhoneNumber::parse_e164("+14155552671").is_ok());
    for bad in [
        "",
        "+",
        "14155552671",
        "+1 4155552671",
        "++14155552671",
        "+1415555267",
        "+1415555267١",
        "+044",
        "+14155552671 ",
    ] {
        assert_eq!(PhoneNumber::parse_e164(bad), Err(PhoneNumberError::Invalid), "{bad:?}");
    }
}

/// Text made of the pieces that the parsers look for, and of anything.
fn hostile_input() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "+",
        "tel:",
        ";phone-context=",
        ";ext=",
        ";isub=",
        "a.com",
        "+1",
        "415",
        "5552671",
        "0",
        "00",
        "x",
        "/x",
        "\\x",
        "~",
        "#",
        "*",
        ";",
        ",",
        " ",
        "\n",
        "٤",
        "１",
        "＋",
        "\u{200E}",
        "é",
        "🙂",
        "\u{301}",
    ]);
    prop_oneof![
        prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat()),
        any::<String>(),
        "[+0-9() .~-]{0,40}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn nothing_panics_and_verdicts_agree(input in hostile_input(), hint in prop::sample::select(vec!["", "US", "IT", "AR", "DE", "BR", "ZZ", "001"])) {
        let verdict = verdict(&input, Some(hint).filter(|hint| !hint.is_empty()), &NumberPolicy::default());
        prop_assert!(verdict.valid || (verdict.e164.is_none() && verdict.reason.is_some()));
        let Ok(own) = hint.parse().map_or_else(|_| PhoneNumber::parse(&input, None), |region| PhoneNumber::parse(&input, Some(region))) else {
            return Ok(());
        };
        // What both take, they read alike; what the library refuses as written, it takes without invisible characters.
        if verdict.valid {
            prop_assert_eq!(verdict.e164.as_deref(), Some(own.e164()));
            prop_assert_eq!(verdict.region, Some(own.region()));
            prop_assert_eq!(verdict.number_type, Some(own.number_type()));
        } else {
            prop_assert!(input.chars().any(crate::digits::is_invisible), "{:?}", input);
        }
        prop_assert_eq!(PhoneNumber::parse_e164(own.e164()), Ok(own));
        prop_assert!(own.limit_key().as_str().starts_with('+'));
    }
}
