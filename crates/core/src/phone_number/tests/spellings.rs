//! One number has one E.164 form, and one line one limit key, however it is written.

use std::collections::BTreeSet;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType, get_national_significant_number_owned};

use super::super::{PhoneNumber, Region};
use super::{e164, examples, region};

fn key(input: &str, default_region: &str) -> String {
    let number = PhoneNumber::parse(input, region(default_region)).unwrap_or_else(|error| panic!("{input}: {error}"));
    number.limit_key().as_str().to_owned()
}

#[test]
fn usual_spellings_give_one_e164_form() {
    let table: [(&str, &str, &str); 30] = [
        ("+14155552671", "", "+14155552671"),
        ("+1 (415) 555-2671", "", "+14155552671"),
        ("+1.415.555.2671", "", "+14155552671"),
        ("tel:+1-415-555-2671", "", "+14155552671"),
        ("TEL:+14155552671", "", "+14155552671"),
        ("tel:415-555-2671", "US", "+14155552671"),
        ("4155552671", "US", "+14155552671"),
        ("14155552671", "US", "+14155552671"),
        ("1 (415) 555-2671", "US", "+14155552671"),
        ("+14155552671", "DE", "+14155552671"),
        ("  +14155552671\n", "", "+14155552671"),
        (
            "\u{FF0B}\u{FF11}\u{FF14}\u{FF11}\u{FF15}\u{FF15}\u{FF15}\u{FF15}\u{FF12}\u{FF16}\u{FF17}\u{FF11}",
            "",
            "+14155552671",
        ),
        ("+١٤١٥٥٥٥٢٦٧١", "", "+14155552671"),
        ("+۱۴۱۵۵۵۵۲۶۷۱", "", "+14155552671"),
        ("+१४१५५५५२६७१", "", "+14155552671"),
        ("+১৪১৫৫৫৫২৬৭১", "", "+14155552671"),
        ("\u{202A}+1\u{A0}415\u{A0}555\u{2011}2671\u{202C}", "", "+14155552671"),
        ("+1\u{200E}415\u{200B}555\u{FEFF}2671", "", "+14155552671"),
        ("00 44 20 7946 0958", "DE", "+442079460958"),
        ("011 44 20 7946 0958", "US", "+442079460958"),
        ("+44 (0)20 7946 0958", "", "+442079460958"),
        ("+44(0)2079460958", "US", "+442079460958"),
        ("020 7946 0958", "GB", "+442079460958"),
        ("06 698 12345", "IT", "+3906698 12345"),
        ("+39 06 698 12345", "", "+3906698 12345"),
        ("0343 15 555 1212", "AR", "+5493435551212"),
        ("8 (912) 345-67-89", "RU", "+79123456789"),
        ("030/123456", "DE", "+4930123456"),
        ("+800 1234 5678", "", "+80012345678"),
        ("(+1) 415-555-2671", "", "+14155552671"),
    ];
    for (input, default_region, expected) in table {
        assert_eq!(e164(input, default_region), Ok(expected.replace(' ', "")), "{input:?} in {default_region}");
    }
}

#[test]
fn region_type_and_country_code_come_with_the_number() {
    for (input, region, kind, code) in [
        ("+14165550123", "CA", "fixed_line_or_mobile", 1),
        ("+442079460958", "GB", "fixed_line", 44),
        ("+447781234567", "GG", "mobile", 44),
        ("+390669812345", "VA", "fixed_line", 39),
        ("+80012345678", "001", "toll_free", 800),
        ("+881612345678", "001", "mobile", 881),
        ("+262692123456", "RE", "mobile", 262),
    ] {
        let number = PhoneNumber::parse(input, None).unwrap();
        assert_eq!((number.region().as_str(), number.number_type().as_str()), (region, kind), "{input}");
        assert_eq!(number.country_code(), code, "{input}");
    }
}

#[test]
fn forms_of_one_line_fold_to_one_key() {
    let lines: [&[(&str, &str)]; 7] = [
        &[
            ("+54 9 343 555 1212", ""),
            ("0343 15 555 1212", "AR"),
            ("+54 343 555 1212", ""),
            ("343 555 1212", "AR"),
            ("0054 9 343 555 1212", "DE"),
        ],
        &[
            ("+54 9 11 2345 6789", ""),
            ("011 15 2345 6789", "AR"),
            ("+54 11 2345 6789", ""),
            ("+54 11 15 2345 6789", ""),
        ],
        &[("+52 55 1234 5678", ""), ("55 1234 5678", "MX"), ("0052 55 1234 5678", "DE")],
        &[("+55 11 96123 4567", ""), ("011 96123-4567", "BR"), ("+55 (11) 9 6123-4567", "")],
        &[("+39 06 698 12345", ""), ("06 69812345", "IT"), ("0039 0669812345", "FR")],
        &[("+39 312 345 6789", ""), ("312 345 6789", "IT"), ("+39 0 312 345 6789", "")],
        &[("+378 0549 886377", ""), ("0549 886377", "SM"), ("886377", "SM")],
    ];
    for spellings in lines {
        let keys: BTreeSet<_> = spellings.iter().map(|(input, region)| key(input, region)).collect();
        assert_eq!(keys.len(), 1, "{spellings:?} gives {keys:?}");
    }
}

#[test]
fn old_forms_are_refused_or_fold_to_the_key_of_the_new() {
    for (old, new) in [
        ("+5511 6123 4567", "+5511961234567"),
        ("+5511 8123 4567", "+5511981234567"),
        ("+5211 5512 3456 78", "+525512345678"),
        ("+52 1 55 1234 5678", "+525512345678"),
        ("+229 90 01 12 34", "+2290190011234"),
        ("+39 0549 886377", "+3780549886377"),
        ("+39 6 698 12345", "+390669812345"),
    ] {
        if let Ok(number) = PhoneNumber::parse(old, None) {
            assert_eq!(number.limit_key().as_str(), key(new, ""), "{old}");
        }
    }
}

#[test]
fn different_lines_keep_different_keys() {
    for (one, other) in [
        ("+14155552671", "+14155552672"),
        // A land line of São Paulo is not the mobile with a nine in front.
        ("+551123456789", "+5511923456789"),
        ("+5491123456789", "+5491123456780"),
        ("+390669812345", "+390669812346"),
        ("+447911123456", "+447911123457"),
    ] {
        assert_ne!(key(one, ""), key(other, ""), "{one} {other}");
    }
}

type Spelling = (String, Option<Region>);

/// What people and attackers make of a number: (text, region to read it in).
fn spellings_of(region: Region, example: &rlibphonenumber::PhoneNumber) -> Vec<Spelling> {
    let nsn = get_national_significant_number_owned(example);
    let national = PHONE_NUMBER_UTIL.format(example, PhoneNumberFormat::National).into_owned();
    let mut made = written(region, example, &nsn, &national);
    made.extend(with_national_prefix(region, example.country_code, &nsn, &national));
    made.extend(with_tokens(region, example.country_code, &nsn));
    made
}

/// Separators, invisible characters, plus signs, prefixes from abroad, scripts.
fn written(region: Region, example: &rlibphonenumber::PhoneNumber, nsn: &str, national: &str) -> Vec<Spelling> {
    let code = example.country_code;
    let international = PHONE_NUMBER_UTIL.format(example, PhoneNumberFormat::International).into_owned();
    let us = super::region("US");
    let here = Some(region);
    let e164 = format!("+{code}{nsn}");
    let mut made = vec![
        (PHONE_NUMBER_UTIL.format(example, PhoneNumberFormat::RFC3966).into_owned(), None),
        (international.replace(' ', "-"), None),
        (international.replace([' ', '-'], "."), None),
        (international.replace([' ', '-'], "/"), None),
        (international.replace(' ', "\u{A0}"), here),
        (international.replace(' ', "\u{200B}"), None),
        (international.replace('-', "\u{2013}"), us),
        (international, None),
        (national.to_owned(), here),
        (national.replace(' ', ""), here),
        (format!("tel:{national}"), here),
        (nsn.to_owned(), here),
        (format!("00{code}{nsn}"), here),
        (format!("011{code}{nsn}"), us),
        (format!("810{code}{nsn}"), here),
        (format!("++{code}{nsn}"), None),
        (format!("(+{code}){nsn}"), None),
        (format!("\u{202A}{e164}\u{202C}"), None),
        (format!("\u{FEFF}{e164} "), here),
        (e164.replace('+', "\u{FF0B}"), None),
        (e164.replace('+', "+0"), None),
        (e164.replace('+', "+00"), None),
        (e164.replace('+', "000"), here),
        (e164.replace('+', "00"), None),
        (e164.clone(), here),
        (e164.clone(), us),
    ];
    for zero in ['\u{660}', '\u{6F0}', '\u{966}', '\u{9E6}', '\u{FF10}'] {
        let digit = |c: char| c.to_digit(10).and_then(|value| char::from_u32(u32::from(zero) + value)).unwrap_or(c);
        made.push((e164.chars().map(digit).collect(), None));
    }
    made
}

/// The national prefix where it does not belong, if the region has one, and the country code without a plus.
fn with_national_prefix(region: Region, code: i32, nsn: &str, national: &str) -> Vec<Spelling> {
    let here = Some(region);
    let dialled: String = national.chars().filter(char::is_ascii_digit).collect();
    let prefix = dialled.strip_suffix(nsn).unwrap_or_default();
    let mut made = vec![
        (dialled.clone(), here),
        (format!("+{code}{prefix}{nsn}"), None),
        (format!("+{code}({prefix}){nsn}"), None),
        (format!("+{code} ({prefix}) {nsn}"), here),
        (format!("00{code}({prefix}){nsn}"), super::region("DE")),
    ];
    // These three plans also have national numbers that look like the code and a number.
    if !["DE", "ID", "XK"].contains(&region.as_str()) {
        made.extend([(format!("{code}{nsn}"), here), (format!("{code}{prefix}{nsn}"), here)]);
    }
    made
}

/// Digits of one country that come and go with the way a mobile is dialled.
fn with_tokens(region: Region, code: i32, nsn: &str) -> Vec<Spelling> {
    let fifteen = nsn.replacen("911", "1115", 1);
    let without_nine = nsn.replacen('9', "", 1);
    let tokens: Vec<String> = match region.as_str() {
        "AR" => vec![without_nine, format!("0{fifteen}"), fifteen],
        "BR" => vec![without_nine, format!("0{nsn}"), format!("015{nsn}"), format!("90{nsn}")],
        "IT" | "VA" => vec![format!("0{nsn}")],
        "MX" => vec![format!("1{nsn}"), format!("01{nsn}"), format!("044{nsn}"), format!("045{nsn}")],
        _ => Vec::new(),
    };
    let spell = |token: &String| {
        [(token.clone(), Some(region)), (format!("+{code}{token}"), None), (format!("00{code}{token}"), Some(region))]
    };
    tokens.iter().flat_map(spell).collect()
}

/// A spelling is refused or gives the key of the number: none buys a second limit.
#[test]
fn some_forty_spellings_of_a_mobile_of_every_region_give_one_key() {
    let examples = examples(PhoneNumberType::Mobile);
    assert!(examples.len() > 200, "{}", examples.len());
    let (mut others, mut taken, mut all) = (Vec::new(), 0, 0);
    for (region, example) in examples {
        let own = PhoneNumber::parse_e164(&PHONE_NUMBER_UTIL.format(&example, PhoneNumberFormat::E164)).unwrap();
        for (input, default_region) in spellings_of(region, &example) {
            all += 1;
            let Ok(number) = PhoneNumber::parse(&input, default_region) else { continue };
            taken += 1;
            if number.limit_key() != own.limit_key() {
                others.push(format!("{region}: {input} in {default_region:?} is {}", number.e164()));
            }
        }
    }
    assert!(all > 8000 && taken * 4 > all * 3, "{taken} of {all} spellings taken");
    assert_eq!(others, Vec::<String>::new());
}
