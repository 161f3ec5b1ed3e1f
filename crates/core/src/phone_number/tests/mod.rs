//! Tests of the room: spellings and keys, bad input, the policy, and agreement with the library itself.

mod bad_input;
mod library;
mod policy;
mod spellings;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber as LibraryNumber, PhoneNumberType};

use super::{PhoneNumber, PhoneNumberError, Region};

fn region(text: &str) -> Option<Region> {
    (!text.is_empty()).then(|| text.parse().unwrap())
}

fn e164(input: &str, default_region: &str) -> Result<String, PhoneNumberError> {
    PhoneNumber::parse(input, region(default_region)).map(|number| number.e164().to_owned())
}

/// The example of one type of every region that has one.
fn examples(kind: PhoneNumberType) -> Vec<(Region, LibraryNumber)> {
    Region::all()
        .into_iter()
        .filter_map(|region| {
            let example =
                PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region.to_library().unwrap(), kind).ok()?;
            Some((region, example))
        })
        .collect()
}
