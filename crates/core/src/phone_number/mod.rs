//! Phone numbers: parsed once, at the edge, to E.164 by libphonenumber's metadata.
//!
//! A [`PhoneNumber`] is valid by construction: its doors are [`PhoneNumber::parse`] for what people type and
//! [`PhoneNumber::parse_e164`] for what we wrote ourselves. Whether a service *sends* to it is another question, and
//! [`NumberPolicy`] answers it. [`PhoneNumber::limit_key`] gives the one spelling under which limits count a line.
//!
//! Invariants:
//! * `Display` and `Debug` show the last four digits only, and never how many there are; there is no `Serialize`.
//!   [`PhoneNumber::e164`] is the one door to the whole.
//! * Input over [`MAX_INPUT_BYTES`] is refused before anything looks at it.
//! * Error messages hold nothing of the input.
//! * The library behind it writes numbers to the `log` facade at trace level: `wiring` must not let its target through.

mod clean;
mod error;
mod limit_key;
mod nanp;
mod number_type;
mod parse;
mod plan;
mod policy;
mod region;
mod sealed;
mod text;
mod verdict;

#[cfg(test)]
mod tests;

use std::fmt;

pub use error::PhoneNumberError;
pub use limit_key::LimitKeyText;
pub use number_type::{NumberType, NumberTypes, ParseNumberTypeError};
pub use parse::warm_up;
pub use policy::{NumberPolicy, NumberPrefix, ParseNumberPrefixError};
pub use region::{ParseRegionError, Region};
pub use verdict::{Verdict, verdict};

/// The longest input that is looked at, in bytes. The longest sensible spelling in a script of three bytes a digit
/// stays below it.
pub const MAX_INPUT_BYTES: usize = 64;

/// The most digits of an E.164 number, country code included (ITU-T E.164 §6.2.1).
const MAX_DIGITS: usize = 15;

/// Stands for all digits but the last four, whatever their number.
const MASK: &str = "+*******";

/// `+` and up to [`MAX_DIGITS`] digits.
type E164Text = text::InlineText<{ MAX_DIGITS + 1 }>;

/// A valid phone number.
///
/// ```
/// use verifyd_core::phone_number::{PhoneNumber, Region};
///
/// let us: Region = "US".parse().unwrap();
/// let number = PhoneNumber::parse("(415) 555-2671", Some(us)).unwrap();
/// assert_eq!(number.e164(), "+14155552671");
/// assert_eq!(number.to_string(), "+*******2671");
/// assert!(PhoneNumber::parse("(415) 555-2671", None).is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneNumber {
    e164: E164Text,
    region: Region,
    number_type: NumberType,
    country_code: u16,
}

impl PhoneNumber {
    /// Reads what a person typed: separators, `tel:`, digits of six scripts, international prefixes of the region.
    ///
    /// Without a region the number must begin with `+` and its country code.
    ///
    /// # Errors
    /// Every [`PhoneNumberError`] but those of the policy.
    pub fn parse(input: &str, default_region: Option<Region>) -> Result<Self, PhoneNumberError> {
        parse::parse(input, default_region)
    }

    /// Reads what [`PhoneNumber::e164`] gave, and nothing else; the number is validated again.
    ///
    /// # Errors
    /// [`PhoneNumberError::Invalid`].
    pub fn parse_e164(text: &str) -> Result<Self, PhoneNumberError> {
        parse::parse_e164(text)
    }

    /// The whole number: `+` and 4 to 15 digits.
    #[must_use]
    pub fn e164(&self) -> &str {
        self.e164.as_str()
    }

    /// The region the number belongs to.
    #[must_use]
    pub const fn region(&self) -> Region {
        self.region
    }

    /// What the number is for; never [`NumberType::Unknown`].
    #[must_use]
    pub const fn number_type(&self) -> NumberType {
        self.number_type
    }

    /// The country calling code, 1 to 999.
    #[must_use]
    pub const fn country_code(&self) -> u16 {
        self.country_code
    }

    /// The spelling under which limits count this line; numbers that ring one phone have one key.
    #[must_use]
    pub fn limit_key(&self) -> LimitKeyText {
        limit_key::limit_key(self)
    }

    /// The spelling by which a verification knows its number: that of the limit key, so that the forms of one line are one
    /// number; but in Italy, where a mobile and a land line can share a key, the number itself. A code for one line must never
    /// approve another.
    #[must_use]
    pub fn identity_key(&self) -> String {
        const ITALY: u16 = 39;
        if self.country_code == ITALY { self.e164().to_owned() } else { self.limit_key().as_str().to_owned() }
    }

    /// The digits behind the country code.
    fn national(&self) -> &str {
        let code_digits = match self.country_code {
            0..=9 => 1,
            10..=99 => 2,
            _ => 3,
        };
        self.e164().get(1 + code_digits..).unwrap_or_default()
    }
}

/// The last four digits of a number or key.
fn last_digits(text: &str) -> &str {
    text.get(text.len().saturating_sub(4)..).unwrap_or_default()
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MASK}{}", last_digits(self.e164()))
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber({self})")
    }
}
