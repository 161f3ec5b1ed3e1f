//! Which valid numbers a service sends to. Apart from parsing, so that a number can be shown with libphonenumber's
//! verdict and ours beside it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{MAX_DIGITS, NumberType, NumberTypes, PhoneNumber, PhoneNumberError, Region};

/// Types that cost the sender or the receiver more than a message, or that no message reaches.
const FORBIDDEN_TYPES: [NumberType; 5] =
    [NumberType::PremiumRate, NumberType::SharedCost, NumberType::TollFree, NumberType::Pager, NumberType::Uan];

/// Codes of ITU-T E.164.1 and E.164.2 that belong to networks, not countries: Inmarsat (870), personal
/// telecommunication (878), satellite systems such as Iridium and Globalstar (881), international networks, Thuraya
/// among them (882, 883), disaster relief (888), international premium rate (979), trials (991).
const FORBIDDEN_PREFIXES: [&str; 8] = ["+870", "+878", "+881", "+882", "+883", "+888", "+979", "+991"];

/// The beginning of numbers in E.164 form, such as `+881`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NumberPrefix(String);

/// Text that is no beginning of an E.164 number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a prefix of phone numbers: expected + and 1 to {MAX_DIGITS} digits, the first not 0, such as +881")]
pub struct ParseNumberPrefixError;

impl NumberPrefix {
    /// `+` and digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NumberPrefix {
    type Err = ParseNumberPrefixError;

    fn from_str(text: &str) -> Result<Self, ParseNumberPrefixError> {
        let digits = text.strip_prefix('+').ok_or(ParseNumberPrefixError)?;
        let sound = (1..=MAX_DIGITS).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if sound { Ok(Self(text.to_owned())) } else { Err(ParseNumberPrefixError) }
    }
}

impl TryFrom<String> for NumberPrefix {
    type Error = ParseNumberPrefixError;

    fn try_from(text: String) -> Result<Self, ParseNumberPrefixError> {
        text.parse()
    }
}

impl From<NumberPrefix> for String {
    fn from(prefix: NumberPrefix) -> Self {
        prefix.0
    }
}

impl fmt::Display for NumberPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The numbers that a service refuses although they are valid.
///
/// ```
/// use verifyd_core::phone_number::{NumberPolicy, PhoneNumber};
///
/// let number = PhoneNumber::parse("+18002345678", None).unwrap();
/// assert_eq!(NumberPolicy::default().check(&number).unwrap_err().code(), "type_not_allowed");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberPolicy {
    /// Types to refuse.
    pub forbidden_types: NumberTypes,
    /// Ranges to refuse.
    pub forbidden_prefixes: Vec<NumberPrefix>,
    /// The only countries to take; `None` takes all.
    pub allowed_countries: Option<BTreeSet<Region>>,
}

impl Default for NumberPolicy {
    /// Premium rate, shared cost, toll-free, pagers, universal access numbers and satellite ranges are refused.
    fn default() -> Self {
        Self {
            forbidden_types: FORBIDDEN_TYPES.into_iter().collect(),
            forbidden_prefixes: FORBIDDEN_PREFIXES.iter().map(|prefix| NumberPrefix((*prefix).to_owned())).collect(),
            allowed_countries: None,
        }
    }
}

impl NumberPolicy {
    /// Refuses by type, then by range, then by country.
    ///
    /// # Errors
    /// [`PhoneNumberError::TypeNotAllowed`], [`PhoneNumberError::PrefixNotAllowed`] or
    /// [`PhoneNumberError::CountryNotAllowed`].
    pub fn check(&self, number: &PhoneNumber) -> Result<(), PhoneNumberError> {
        let (kind, region) = (number.number_type(), number.region());
        if self.forbidden_types.contains(kind) {
            return Err(PhoneNumberError::TypeNotAllowed(kind));
        }
        if self.forbidden_prefixes.iter().any(|prefix| number.e164().starts_with(prefix.as_str())) {
            return Err(PhoneNumberError::PrefixNotAllowed);
        }
        match &self.allowed_countries {
            Some(allowed) if !allowed.contains(&region) => Err(PhoneNumberError::CountryNotAllowed(region)),
            _ => Ok(()),
        }
    }
}
