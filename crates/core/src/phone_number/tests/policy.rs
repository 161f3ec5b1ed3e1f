//! The policy: what it refuses by default, and that each of its parts decides.

use super::super::{NumberPolicy, NumberPrefix, NumberType, NumberTypes, PhoneNumber, PhoneNumberError};
use super::{examples, region};

fn check(policy: &NumberPolicy, input: &str) -> Result<(), PhoneNumberError> {
    policy.check(&PhoneNumber::parse(input, None).unwrap())
}

#[test]
fn the_default_refuses_what_costs_more_than_a_message() {
    let policy = NumberPolicy::default();
    for (input, expected) in [
        ("+14155552671", Ok(())),
        ("+447911123456", Ok(())),
        ("+442079460958", Ok(())),
        ("+445612345678", Ok(())),
        ("+449012345678", Err(PhoneNumberError::TypeNotAllowed(NumberType::PremiumRate))),
        ("+18002345678", Err(PhoneNumberError::TypeNotAllowed(NumberType::TollFree))),
        ("+4918012345", Err(PhoneNumberError::TypeNotAllowed(NumberType::SharedCost))),
        ("+447640123456", Err(PhoneNumberError::TypeNotAllowed(NumberType::Pager))),
        ("+445512345678", Err(PhoneNumberError::TypeNotAllowed(NumberType::Uan))),
        ("+80012345678", Err(PhoneNumberError::TypeNotAllowed(NumberType::TollFree))),
        ("+881612345678", Err(PhoneNumberError::PrefixNotAllowed)),
        ("+870301234567", Err(PhoneNumberError::PrefixNotAllowed)),
        ("+8823421234", Err(PhoneNumberError::PrefixNotAllowed)),
        ("+883510012345", Err(PhoneNumberError::PrefixNotAllowed)),
    ] {
        assert_eq!(check(&policy, input), expected, "{input}");
    }
}

#[test]
fn every_example_of_a_forbidden_type_is_refused_and_every_mobile_allowed() {
    use rlibphonenumber::PhoneNumberType as Library;
    let policy = NumberPolicy::default();
    let checked = |kind| {
        examples(kind).into_iter().filter_map(|(region, number)| {
            let e164 = super::super::parse::format_e164(&number);
            PhoneNumber::parse_e164(&e164).ok().map(|number| (region, policy.check(&number)))
        })
    };
    for kind in [Library::PremiumRate, Library::TollFree, Library::SharedCost, Library::Pager, Library::UAN] {
        for (region, result) in checked(kind) {
            assert!(matches!(result, Err(PhoneNumberError::TypeNotAllowed(_))), "{kind:?} of {region}: {result:?}");
        }
    }
    for (region, result) in checked(Library::Mobile) {
        assert_eq!(result, Ok(()), "mobile of {region}");
    }
}

#[test]
fn each_part_of_the_policy_decides() {
    let everything =
        NumberPolicy { forbidden_types: NumberTypes::EMPTY, forbidden_prefixes: Vec::new(), allowed_countries: None };
    for input in ["+449012345678", "+881612345678", "+80012345678"] {
        assert_eq!(check(&everything, input), Ok(()), "{input}");
    }
    let homes = NumberPolicy { allowed_countries: Some(region("US").into_iter().collect()), ..everything.clone() };
    assert_eq!(check(&homes, "+14155552671"), Ok(()));
    // One country code, another country.
    assert_eq!(check(&homes, "+14165550123"), Err(PhoneNumberError::CountryNotAllowed(region("CA").unwrap())));
    let no_voip = NumberPolicy { forbidden_types: NumberTypes::EMPTY.with(NumberType::Voip), ..everything.clone() };
    assert_eq!(check(&no_voip, "+445612345678"), Err(PhoneNumberError::TypeNotAllowed(NumberType::Voip)));
    let no_range = NumberPolicy { forbidden_prefixes: vec!["+1415".parse().unwrap()], ..everything };
    assert_eq!(check(&no_range, "+14155552671"), Err(PhoneNumberError::PrefixNotAllowed));
    assert_eq!(check(&no_range, "+14165550123"), Ok(()));
}

#[test]
fn prefixes_are_plus_and_digits() {
    for good in ["+1", "+881", "+123456789012345"] {
        assert_eq!(good.parse::<NumberPrefix>().unwrap().as_str(), good);
    }
    for bad in ["", "+", "881", "+0", "+88 1", "+1234567890123456", "+٨٨١"] {
        assert!(bad.parse::<NumberPrefix>().is_err(), "{bad:?}");
    }
}

#[test]
fn types_have_one_name_each_way() {
    for kind in NumberType::ALL {
        assert_eq!(kind.as_str().parse(), Ok(*kind));
        assert_eq!(serde_json::to_string(kind).unwrap(), format!("\"{kind}\""));
    }
    assert!("MOBILE".parse::<NumberType>().is_err());
    let set: NumberTypes = [NumberType::Uan, NumberType::Mobile].into_iter().collect();
    assert_eq!(set.iter().collect::<Vec<_>>(), [NumberType::Mobile, NumberType::Uan]);
    assert!(!set.contains(NumberType::Pager));
}
