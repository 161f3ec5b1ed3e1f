//! Why a number is refused. No message holds the number or any part of it: errors end up in logs.

use super::{MAX_INPUT_BYTES, NumberType, Region};

/// Why input is no number that verifyd takes, or why the policy refuses the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneNumberError {
    /// More than [`MAX_INPUT_BYTES`] bytes; refused before anything is parsed.
    #[error("longer than {MAX_INPUT_BYTES} bytes")]
    TooLong,
    /// Nothing but spaces and invisible characters.
    #[error("empty")]
    Empty,
    /// libphonenumber's metadata knows no such number.
    #[error("not a valid phone number")]
    Invalid,
    /// Valid in its country, but over the 15 digits of E.164, which no sender takes (Germany and Austria have some).
    #[error("more than the 15 digits of an E.164 number")]
    TooManyDigits,
    /// An extension; no message reaches one.
    #[error("has an extension; give the number without it")]
    Extension,
    /// Letters: vanity numbers and text around the number.
    #[error("has letters; give the number in digits")]
    Letters,
    /// Digits of two scripts.
    #[error("mixes digits of two scripts")]
    MixedScripts,
    /// A character that belongs to no spelling that verifyd takes, such as a digit of a rare script.
    #[error("has a character that does not belong in a phone number")]
    UnsupportedCharacters,
    /// National input without a region.
    #[error("not in international form (+ and country code), and no region is given")]
    RegionRequired,
    /// The region to read national input in is unknown to the metadata.
    #[error("the region is unknown")]
    UnknownRegion,
    /// The policy forbids this type of number.
    #[error("numbers of the type {0} are not allowed")]
    TypeNotAllowed(NumberType),
    /// The policy forbids the range: satellite and international networks by default.
    #[error("numbers of this range (satellite or international network) are not allowed")]
    PrefixNotAllowed,
    /// The policy does not allow the country.
    #[error("numbers of the country {0} are not allowed")]
    CountryNotAllowed(Region),
}

impl PhoneNumberError {
    /// A stable word for metrics, problem documents and `verifyd parse`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Empty => "empty",
            Self::Invalid => "invalid",
            Self::TooManyDigits => "too_many_digits",
            Self::Extension => "extension",
            Self::Letters => "letters",
            Self::MixedScripts => "mixed_scripts",
            Self::UnsupportedCharacters => "unsupported_characters",
            Self::RegionRequired => "region_required",
            Self::UnknownRegion => "unknown_region",
            Self::TypeNotAllowed(_) => "type_not_allowed",
            Self::PrefixNotAllowed => "prefix_not_allowed",
            Self::CountryNotAllowed(_) => "country_not_allowed",
        }
    }
}
