//! libphonenumber's verdict on raw input, with verifyd's own beside it: what `verifyd parse` shows.

use super::parse::{describe, format_e164, library_parse};
use super::{MAX_INPUT_BYTES, NumberPolicy, NumberType, PhoneNumber, PhoneNumberError, Region};

/// What libphonenumber and verifyd say of one input.
///
/// No `Debug`: it holds the whole number.
pub struct Verdict {
    /// Whether libphonenumber parses the input, exactly as given, to a valid number.
    pub valid: bool,
    /// The number in E.164 form, if valid. It may have more than 15 digits (Germany).
    pub e164: Option<String>,
    /// The number's region, if valid.
    pub region: Option<Region>,
    /// The number's type, if valid.
    pub number_type: Option<NumberType>,
    /// Why verifyd refuses the input, or why libphonenumber does; `None` if both take it.
    pub reason: Option<&'static str>,
}

/// libphonenumber refuses the input only for bidi marks and the like, which verifyd removes: verifyd takes it.
const INVISIBLE_CHARACTERS: &str = "invisible_characters";

/// The verdict on `input`, read in `region` if it is national, under `policy`.
///
/// `region` is raw, too: what names no region counts as none for libphonenumber and is the reason of a refusal for us.
/// Input over [`MAX_INPUT_BYTES`] bytes is not parsed at all.
///
/// ```
/// use verifyd_core::phone_number::{NumberPolicy, verdict};
///
/// let shop = verdict("1-800-FLOWERS", Some("US"), &NumberPolicy::default());
/// assert!(shop.valid && shop.reason == Some("letters"));
/// ```
#[must_use]
pub fn verdict(input: &str, region: Option<&str>, policy: &NumberPolicy) -> Verdict {
    let refused = |reason| Verdict { valid: false, e164: None, region: None, number_type: None, reason };
    if input.len() > MAX_INPUT_BYTES {
        return refused(Some(PhoneNumberError::TooLong.code()));
    }
    let region = region.map(|text| text.parse::<Region>().ok().filter(|region| region.to_library().is_some()));
    let own = match region {
        Some(None) => Err(PhoneNumberError::UnknownRegion),
        Some(known) => PhoneNumber::parse(input, known),
        None => PhoneNumber::parse(input, None),
    };
    let reason = own.and_then(|number| policy.check(&number)).err().map(|error| error.code());
    let library_region = region.flatten().and_then(Region::to_library);
    let number = library_parse(input, library_region).ok();
    match number.and_then(|number| describe(&number).map(|described| (number, described))) {
        Some((number, (region, number_type))) => Verdict {
            valid: true,
            e164: Some(format_e164(&number)),
            region: Some(region),
            number_type: Some(number_type),
            reason,
        },
        None => refused(reason.or(Some(INVISIBLE_CHARACTERS))),
    }
}
