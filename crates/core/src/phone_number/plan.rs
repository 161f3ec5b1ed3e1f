//! The one fact of the numbering plans that we keep ourselves: where the library's parser may change a national number.
//!
//! Behind `+` and a country code the parser still strips a national prefix (the `0` of `+44 (0)20 …`) by the pattern
//! `nationalPrefixForParsing` of the code's main region. A number whose first national digit cannot begin that pattern
//! is left as it stands. The table holds those digits for metadata 9.0.42; a test compares both ways for every
//! country code, so that an update of the library that changes a pattern fails there. A code that is missing, as new
//! ones will be, goes the library's way. National input goes that way, too, but for the United States and Canada.

use rlibphonenumber::{PHONE_NUMBER_UTIL, Region as LibraryRegion};

/// Country code and the rest; `None` if no country code is in front.
pub(super) fn country_code(digits: &str) -> Option<(u16, &str)> {
    // No code is the beginning of another (E.164), so the order of the lengths does not matter.
    (1..=3).find_map(|len| {
        let (code, national) = digits.split_at_checked(len)?;
        // "044" is no way to write 44.
        let code: u16 = code.parse().ok().filter(|_| !digits.starts_with('0'))?;
        PHONE_NUMBER_UTIL.get_region_for_country_code(i32::from(code)).map(|_region| (code, national))
    })
}

/// Whether the library's parser might strip or rewrite something at the front of `national`.
pub(super) fn may_have_prefix(code: u16, national: &str) -> bool {
    let first = national.bytes().next().unwrap_or(b'0');
    prefix_digits(code).is_none_or(|digits| digits.bytes().any(|digit| digit == first))
}

/// The national number in the ten or, with the 1 of long distance, eleven digits that people of the United States and
/// Canada type. Behind 2 to 9 no prefix of theirs begins (011 and 1 are all there are), so the library's parser can read
/// these digits in one way only.
pub(super) fn national_of_us(digits: &str, region: LibraryRegion) -> Option<&str> {
    if !matches!(region, LibraryRegion::US | LibraryRegion::CA) {
        return None;
    }
    let national = if digits.len() == 11 { digits.strip_prefix('1')? } else { digits };
    (national.len() == 10 && !national.starts_with(['0', '1'])).then_some(national)
}

/// The digits that the pattern of the code's main region can begin with.
#[rustfmt::skip]
const fn prefix_digits(code: u16) -> Option<&'static str> {
    Some(match code {
        30 | 34 | 39 | 45 | 47 | 48 | 52 | 56 | 65 | 216 | 220..=230 | 235..=240 | 242 | 244..=248 | 253 | 257 | 258
        | 266..=269 | 290 | 297 | 299 | 350 | 351 | 354 | 356 | 357 | 371 | 372 | 376 | 420 | 500..=505 | 507 | 509
        | 592 | 597 | 599 | 670 | 673..=683 | 685 | 687..=691 | 800 | 808 | 852 | 853 | 870 | 878 | 881..=883 | 888
        | 960 | 965 | 968 | 973..=975 | 979 | 992 | 998 => "",
        20 | 27 | 31..=33 | 36 | 40 | 41 | 43 | 46 | 49 | 51 | 53 | 57 | 58 | 60 | 62..=64 | 66 | 81 | 82 | 84
        | 90..=95 | 98 | 211..=213 | 218 | 231..=234 | 241 | 243 | 249..=252 | 254..=256 | 260 | 262..=265 | 291
        | 353 | 355 | 358 | 359 | 373 | 374 | 377 | 380..=383 | 385..=387 | 389 | 421 | 508 | 590 | 591 | 593..=596
        | 598 | 686 | 850 | 855 | 856 | 880 | 886 | 961..=964 | 966 | 967 | 970..=972 | 976 | 977 | 994..=996 => "0",
        1 | 298 | 352 | 506 | 692 => "1",
        7 | 993 => "8",
        44 | 61 | 86 | 423 => "01",
        54 => "0123",
        55 => "09",
        370 | 375 => "08",
        378 => "89",
        _ => return None,
    })
}
