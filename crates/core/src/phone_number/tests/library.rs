//! Our short way of reading a number agrees with the library's parser, and the library's defects are stepped round.

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberType};

use super::super::clean::clean;
use super::super::parse::{by_plan, describe, format_e164, library_parse, warm_up};
use super::super::{NumberPolicy, PhoneNumber, Region, verdict};
use super::{examples, region};

/// Compares both ways for one number; true if the short way took it.
fn ways_agree(input: &str, default_region: &str) -> bool {
    let library_region = region(default_region).and_then(Region::to_library);
    let Some((short, e164)) = by_plan(&clean(input).unwrap(), library_region) else {
        return false;
    };
    match PHONE_NUMBER_UTIL.parse(input, library_region) {
        Ok(long) => {
            assert_eq!(short, long, "{input}");
            let long = format_e164(&long);
            assert_eq!(e164.map(|text| text.as_str().to_owned()), (long.len() <= 16).then_some(long), "{input}");
        }
        Err(error) => assert_eq!(describe(&short), None, "{input}: {error}"),
    }
    true
}

/// Pseudo-random digits: a linear congruential generator is enough to reach the patterns' branches.
fn digits(count: usize, state: &mut u64) -> String {
    let mut next = || {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'0' + u8::try_from((*state >> 33) % 10).unwrap())
    };
    (0..count).map(|_| next()).collect()
}

/// A changed prefix pattern in an update of the metadata fails here.
#[test]
fn the_short_way_agrees_with_the_parser_for_every_country_code() {
    let mut state = 42;
    let (mut short, mut all) = (0, 0);
    for code in PHONE_NUMBER_UTIL.get_supported_calling_codes() {
        for front in 0..100 {
            for rest in 3..11 {
                all += 1;
                short += usize::from(ways_agree(&format!("+{code}{front:02}{}", digits(rest, &mut state)), ""));
            }
        }
    }
    // Were the table lost, nothing would be compared.
    assert!(short * 10 > all * 8, "{short} of {all}");
}

#[test]
fn the_short_way_agrees_with_the_parser_for_national_input() {
    let mut state = 7;
    let mut short = 0;
    for front in 0..1000 {
        for rest in 5..11 {
            let input = format!("{front:03}{}", digits(rest, &mut state));
            for home in ["US", "CA", "BS", "DE"] {
                short += usize::from(ways_agree(&input, home));
            }
        }
    }
    // Eight first digits of ten with ten digits, eight of a hundred with eleven, in two regions.
    assert_eq!(short, 2 * (800 + 80));
}

#[test]
fn the_short_way_takes_the_mobiles_of_nearly_every_region() {
    let examples = examples(PhoneNumberType::Mobile);
    let short = examples.iter().filter(|(_, number)| ways_agree(&format_e164(number), "")).count();
    assert!(short * 100 >= examples.len() * 95, "{short} of {}", examples.len());
}

#[test]
fn a_number_reads_back_the_same_from_its_e164_form() {
    for kind in [PhoneNumberType::Mobile, PhoneNumberType::FixedLine, PhoneNumberType::VoIP] {
        for (home, example) in examples(kind) {
            let e164 = format_e164(&example);
            let number = PhoneNumber::parse(&e164, None).unwrap_or_else(|error| panic!("{home} {kind:?}: {error}"));
            assert_eq!(number.e164(), e164);
            assert_eq!(PhoneNumber::parse_e164(&e164), Ok(number), "{home} {kind:?}");
            assert_eq!(PhoneNumber::parse(&e164, Some(home)), Ok(number), "{home} {kind:?}");
        }
    }
}

#[test]
fn parameters_in_the_wrong_order_do_not_panic() {
    for (input, expected) in [
        ("123;phone-context=a.com;tel:", None),
        (";phone-context=tel:", None),
        ("5552671;phone-context=+1415;tel:5", None),
        ("x;phone-context=+1-650-253-0000;tel:", Some("+16502530000")),
        ("tel:253-0000;phone-context=+1650", Some("+16502530000")),
    ] {
        let e164 = library_parse(input, None).ok().filter(|number| describe(number).is_some()).map(|n| format_e164(&n));
        assert_eq!(e164.as_deref(), expected, "{input}");
    }
}

#[test]
fn the_first_of_several_second_numbers_ends_the_number() {
    for input in ["+1 650 253 0000/x302/x303", "+1 650 253 0000 x5/x6 x7/  x8", "/x +1 650 253 0000\\x1/x2"] {
        let verdict = verdict(input, None, &NumberPolicy::default());
        assert_eq!(verdict.e164.as_deref(), Some("+16502530000"), "{input}");
        assert!(verdict.reason.is_some(), "{input}");
    }
}

#[test]
fn the_verdict_is_the_librarys_and_the_reason_ours() {
    let policy = NumberPolicy::default();
    for (input, hint, valid, reason) in [
        ("+14155552671", None, true, None),
        ("4155552671", Some("US"), true, None),
        ("4155552671", None, false, Some("region_required")),
        ("4155552671", Some("us"), false, Some("unknown_region")),
        ("+14155552671", Some("ZZ"), true, Some("unknown_region")),
        ("+14155552671", Some("001"), true, Some("unknown_region")),
        ("+18002345678", None, true, Some("type_not_allowed")),
        ("+881612345678", None, true, Some("prefix_not_allowed")),
        ("+1800FLOWERS", None, true, Some("letters")),
        ("+14155552671x5", None, true, Some("extension")),
        ("+1415555267\u{7C1}", None, true, Some("unsupported_characters")),
        ("+1415555267\u{661}", None, true, Some("mixed_scripts")),
        ("+1415\u{200E}5552671", None, false, Some("invisible_characters")),
        ("+141555526", None, false, Some("invalid")),
        ("+14155552671                                                     ", None, false, Some("too_long")),
    ] {
        let verdict = verdict(input, hint, &policy);
        assert_eq!((verdict.valid, verdict.reason), (valid, reason), "{input:?} in {hint:?}");
        assert_eq!(verdict.e164.is_some(), valid, "{input:?}");
    }
}

#[test]
fn warming_up_leaves_verdicts_alone() {
    let before = PhoneNumber::parse("+2904567", region("SH"));
    warm_up();
    assert_eq!(PhoneNumber::parse("+2904567", region("SH")), before);
}
