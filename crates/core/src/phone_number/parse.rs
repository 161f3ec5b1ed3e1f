//! From cleaned input to a number, by libphonenumber's metadata and rules (the crate `rlibphonenumber`).
//!
//! Two ways lead to the same answer. [`by_library`] asks the library to parse. [`by_plan`] reads `+`, country code and
//! national number directly when the library could strip nothing from it; that is the usual input, and it saves two
//! thirds of the time. Both end in [`describe`], so that the verdict is always the library's, or what `nanp` knows of it.
//!
//! The traps of the library that this file knows: it compiles a region's patterns when first needed (0.04 to 0.25 ms
//! a region; [`warm_up`] does it ahead of time), and it panics when `tel:` follows `;phone-context=`
//! ([`library_parse`] steps round it).

use rlibphonenumber::{
    PHONE_NUMBER_UTIL, ParseError, PhoneNumber as LibraryNumber, PhoneNumberFormat, PhoneNumberType,
    Region as LibraryRegion,
};

use super::clean::{Cleaned, clean};
use super::nanp;
use super::plan::{country_code, may_have_prefix, national_of_us};
use super::{E164Text, MAX_DIGITS, NumberType, PhoneNumber, PhoneNumberError, Region};

/// The library's bounds on a national number; outside of them its own parser gives the verdict.
const NATIONAL_DIGITS: std::ops::RangeInclusive<usize> = 2..=17;

/// Parses input of a person; see [`PhoneNumber::parse`].
pub(super) fn parse(input: &str, default_region: Option<Region>) -> Result<PhoneNumber, PhoneNumberError> {
    let cleaned = clean(input)?;
    let default_region = match default_region {
        Some(region) => Some(region.to_library().ok_or(PhoneNumberError::UnknownRegion)?),
        None => None,
    };
    match by_plan(&cleaned, default_region) {
        Some((number, e164)) => finish(&number, e164),
        None => by_library(cleaned.as_str(), default_region),
    }
}

/// Reads a number in E.164 form, exactly as [`PhoneNumber::e164`] wrote it; see [`PhoneNumber::parse_e164`].
pub(super) fn parse_e164(text: &str) -> Result<PhoneNumber, PhoneNumberError> {
    let digits = text.strip_prefix('+').ok_or(PhoneNumberError::Invalid)?;
    if digits.len() > MAX_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PhoneNumberError::Invalid);
    }
    let (code, national) = country_code(digits).ok_or(PhoneNumberError::Invalid)?;
    let number = assemble(code, national).ok_or(PhoneNumberError::Invalid)?;
    finish(&number, E164Text::from_ascii(text))
}

/// The number and its E.164 form, if the library's parser would take the digits as they stand.
pub(super) fn by_plan(
    cleaned: &Cleaned,
    default_region: Option<LibraryRegion>,
) -> Option<(LibraryNumber, Option<E164Text>)> {
    let international = cleaned.as_str().strip_prefix('+');
    let mut digits = Cleaned::new();
    for byte in international.unwrap_or(cleaned.as_str()).bytes() {
        match byte {
            b' ' => {}
            b'0'..=b'9' if digits.push(byte) => {}
            _ => return None,
        }
    }
    let (code, national) = match international {
        Some(_) => country_code(digits.as_str())?,
        None => (1, national_of_us(digits.as_str(), default_region?)?),
    };
    if may_have_prefix(code, national) {
        return None;
    }
    let mut e164 = E164Text::from_ascii(if international.is_some() { "+" } else { "+1" })?;
    let added = if international.is_some() { digits.as_str() } else { national };
    let fits = added.bytes().all(|digit| e164.push(digit));
    Some((assemble(code, national)?, fits.then_some(e164)))
}

/// The library's form of country code and national number, with no rule applied: the inverse of E.164 formatting.
fn assemble(code: u16, national: &str) -> Option<LibraryNumber> {
    if !NATIONAL_DIGITS.contains(&national.len()) {
        return None;
    }
    // The last digit never counts as a leading zero, even when all are zeros.
    let zeros = national.bytes().take(national.len() - 1).take_while(|byte| *byte == b'0').count();
    Some(LibraryNumber {
        country_code: i32::from(code),
        national_number: national.parse().ok()?,
        italian_leading_zero: (zeros > 0).then_some(true),
        number_of_leading_zeros: if zeros > 1 { i32::try_from(zeros).ok() } else { None },
        ..LibraryNumber::default()
    })
}

fn by_library(cleaned: &str, default_region: Option<LibraryRegion>) -> Result<PhoneNumber, PhoneNumberError> {
    if default_region.is_none() && !cleaned.starts_with('+') {
        return Err(PhoneNumberError::RegionRequired);
    }
    let number =
        PHONE_NUMBER_UTIL.parse(cleaned, default_region).map_err(|_source: ParseError| PhoneNumberError::Invalid)?;
    if number.extension.is_some() {
        return Err(PhoneNumberError::Extension);
    }
    finish(&number, E164Text::from_ascii(&format_e164(&number)))
}

/// Region and type of a number, or `None` if it is not valid: what the library says, which for the ordinary numbers of two
/// countries is known beforehand.
pub(super) fn describe(number: &LibraryNumber) -> Option<(Region, NumberType)> {
    let known = match number {
        LibraryNumber { country_code: 1, italian_leading_zero: None | Some(false), .. } => {
            nanp::verdict(number.national_number)
        }
        _ => None,
    };
    known.or_else(|| by_patterns(number))
}

/// What the library's patterns say of a number.
pub(super) fn by_patterns(number: &LibraryNumber) -> Option<(Region, NumberType)> {
    let region = PHONE_NUMBER_UTIL.get_region_for_number(number)?;
    // The library's own `is_valid_number` asks whether the type is known in the number's region: the same question.
    match PHONE_NUMBER_UTIL.get_number_type(number) {
        PhoneNumberType::Unknown => None,
        known => Some((Region::from_library(region), NumberType::from_library(known))),
    }
}

/// The library's E.164 form. Longer than 15 digits for a few valid numbers.
pub(super) fn format_e164(number: &LibraryNumber) -> String {
    PHONE_NUMBER_UTIL.format(number, PhoneNumberFormat::E164).into_owned()
}

fn finish(number: &LibraryNumber, e164: Option<E164Text>) -> Result<PhoneNumber, PhoneNumberError> {
    let (region, number_type) = describe(number).ok_or(PhoneNumberError::Invalid)?;
    let e164 = e164.ok_or(PhoneNumberError::TooManyDigits)?;
    let country_code = u16::try_from(number.country_code).map_err(|_source| PhoneNumberError::Invalid)?;
    Ok(PhoneNumber { e164, region, number_type, country_code })
}

/// The library's parser on raw input, held to the reference (Google's Java code and its port `phonenumbers`).
///
/// Two defects of the crate are stepped round. It slices from behind `tel:` to `;phone-context=` and panics when they
/// stand in the other order; the reference finds nothing in between then, which leaves the context alone as the
/// number, or nothing at all. And of several second numbers (`/x302/x303`) it cuts at the last, the reference at the
/// first.
pub(super) fn library_parse(input: &str, region: Option<LibraryRegion>) -> Result<LibraryNumber, ParseError> {
    const CONTEXT: &str = ";phone-context=";
    match input.split_once(CONTEXT) {
        None => PHONE_NUMBER_UTIL.parse(to_second_number(input), region),
        Some((before, after)) if input.contains("tel:") && !before.contains("tel:") => {
            // With nothing in front of the context, the library looks at the context in the same way.
            let context = after.split(';').next().unwrap_or_default();
            PHONE_NUMBER_UTIL.parse(format!("{CONTEXT}{context}"), region)
        }
        Some(_) => PHONE_NUMBER_UTIL.parse(input, region),
    }
}

/// The input up to the first mark of a second number, a slash or backslash, spaces and x, and including it.
fn to_second_number(input: &str) -> &str {
    let starts_number = |c: char| matches!(c, '+' | '\u{FF0B}' | '0'..='9') || (!c.is_ascii() && is_library_digit(c));
    let mark = input.find(starts_number).and_then(|start| {
        input.match_indices('x').map(|(at, _)| at).filter(|at| *at > start).find(|at| {
            let before = input.get(start..*at).unwrap_or_default();
            before.trim_end_matches(' ').ends_with(['/', '\\'])
        })
    });
    mark.and_then(|at| input.get(..=at)).unwrap_or(input)
}

/// Whether the library reads `c` as a digit: more scripts than ours.
fn is_library_digit(c: char) -> bool {
    c.is_numeric() && !PHONE_NUMBER_UTIL.normalize_digits_only(c.encode_utf8(&mut [0; 4])).is_empty()
}

/// Has the library compile the patterns of every region, so that no request pays for them.
///
/// Takes some tens of milliseconds of processor time; call it on a thread of its own when the process starts.
pub fn warm_up() {
    use rlibphonenumber::PhoneNumberType as Type;
    const TYPES: [Type; 10] = [
        Type::FixedLine,
        Type::Mobile,
        Type::TollFree,
        Type::PremiumRate,
        Type::SharedCost,
        Type::VoIP,
        Type::PersonalNumber,
        Type::Pager,
        Type::UAN,
        Type::VoiceMail,
    ];
    let library = &*PHONE_NUMBER_UTIL;
    for region in library.get_supported_regions() {
        for kind in TYPES {
            if let Ok(example) = library.get_example_number_for_type_and_region(region, kind) {
                let national = rlibphonenumber::get_national_significant_number_owned(&example);
                // The verdict does not matter; looking for it is what compiles the patterns.
                if let Ok(number) = library.parse(national, Some(region)) {
                    by_patterns(&number);
                }
            }
        }
    }
    for code in library.get_supported_global_network_calling_codes() {
        if let Ok(example) = library.get_example_number_for_non_geo_entity(code) {
            by_patterns(&example);
        }
    }
}
