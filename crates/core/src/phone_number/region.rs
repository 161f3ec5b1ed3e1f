//! A region of the numbering plans: what a number belongs to and what national input is read in.

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::{PHONE_NUMBER_UTIL, Region as LibraryRegion};
use serde::{Deserialize, Serialize};

/// A region known to libphonenumber's metadata: two capitals of ISO 3166-1 (`US`), or `001` for numbers of no country.
///
/// ```
/// use verifyd_core::phone_number::Region;
///
/// assert_eq!("IT".parse::<Region>().unwrap().as_str(), "IT");
/// assert!("it".parse::<Region>().is_err());
/// assert!("XX".parse::<Region>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region([u8; 3]);

/// Text that names no region of the metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown region: expected two capital letters of ISO 3166-1 that have a numbering plan, such as US")]
pub struct ParseRegionError;

impl Region {
    /// Numbers of no country, such as `+800`.
    pub const WORLD: Self = Self(*b"001");
    pub(super) const UNITED_STATES: Self = Self(*b"US\0");
    pub(super) const CANADA: Self = Self(*b"CA\0");

    /// `US`, `GB`, … or `001`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let len = if self.0[2] == 0 { 2 } else { 3 };
        self.0.get(..len).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// Every region with a numbering plan of its own, in alphabetical order; `001` is not among them.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all: Vec<Self> = PHONE_NUMBER_UTIL.get_supported_regions().map(Self::from_library).collect();
        all.sort_unstable();
        all
    }

    pub(super) fn from_library(region: LibraryRegion) -> Self {
        match *region.as_region_str().as_bytes() {
            [a, b] => Self([a, b, 0]),
            _ => Self::WORLD,
        }
    }

    /// The library's value, if national numbers can be read in this region.
    pub(super) fn to_library(self) -> Option<LibraryRegion> {
        if self == Self::WORLD { None } else { LibraryRegion::from_code(self.as_str()).ok() }
    }
}

impl FromStr for Region {
    type Err = ParseRegionError;

    fn from_str(text: &str) -> Result<Self, ParseRegionError> {
        if text == Self::WORLD.as_str() {
            return Ok(Self::WORLD);
        }
        // The library also reads small letters and letters that no country has.
        let [a @ b'A'..=b'Z', b @ b'A'..=b'Z'] = *text.as_bytes() else {
            return Err(ParseRegionError);
        };
        let known = LibraryRegion::from_code(text)
            .is_ok_and(|region| PHONE_NUMBER_UTIL.get_country_code_for_region(region).is_some());
        if known { Ok(Self([a, b, 0])) } else { Err(ParseRegionError) }
    }
}

impl TryFrom<String> for Region {
    type Error = ParseRegionError;

    fn try_from(text: String) -> Result<Self, ParseRegionError> {
        text.parse()
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.as_str().to_owned()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
