//! What a number is for, in the words of libphonenumber, and sets of such types.

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::PhoneNumberType as LibraryType;
use serde::{Deserialize, Serialize};

/// Text that names no type of number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown type of number: expected one of {}", NumberType::NAMES)]
pub struct ParseNumberTypeError;

macro_rules! number_types {
    ($($variant:ident, $library:ident, $name:literal, $doc:literal;)*) => {
        /// The type of a number, as libphonenumber's metadata tells it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum NumberType {
            $(#[doc = $doc] $variant,)*
        }

        impl NumberType {
            /// Every type.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            const NAMES: &'static str = concat!($($name, " ",)*);

            /// The name that the `PyPI` package `phonenumbers` uses, in small letters.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            pub(super) const fn from_library(library: LibraryType) -> Self {
                match library {
                    $(LibraryType::$library => Self::$variant,)*
                }
            }
        }
    };
}

number_types! {
    FixedLine, FixedLine, "fixed_line", "A land line.";
    Mobile, Mobile, "mobile", "A mobile.";
    FixedLineOrMobile, FixedLineOrMobile, "fixed_line_or_mobile", "Either: the plan does not tell them apart (+1).";
    TollFree, TollFree, "toll_free", "Free for the caller.";
    PremiumRate, PremiumRate, "premium_rate", "The caller pays the holder.";
    SharedCost, SharedCost, "shared_cost", "The caller pays part.";
    Voip, VoIP, "voip", "Voice over IP.";
    PersonalNumber, PersonalNumber, "personal_number", "A number that follows a person, at a price of its own.";
    Pager, Pager, "pager", "A pager.";
    Uan, UAN, "uan", "A company's universal access number.";
    Voicemail, VoiceMail, "voicemail", "Access to a voice mailbox.";
    Unknown, Unknown, "unknown", "None that the metadata knows; no valid number has it.";
}

impl fmt::Display for NumberType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for NumberType {
    type Err = ParseNumberTypeError;

    fn from_str(text: &str) -> Result<Self, ParseNumberTypeError> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or(ParseNumberTypeError)
    }
}

/// A set of types.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct NumberTypes(u16);

impl NumberTypes {
    /// The set with no type.
    pub const EMPTY: Self = Self(0);

    /// This set and `kind`.
    #[must_use]
    pub const fn with(self, kind: NumberType) -> Self {
        Self(self.0 | 1 << kind as u16)
    }

    /// Whether `kind` is in the set.
    #[must_use]
    pub const fn contains(self, kind: NumberType) -> bool {
        self.0 & (1 << kind as u16) != 0
    }

    /// The types in the set.
    pub fn iter(self) -> impl Iterator<Item = NumberType> {
        NumberType::ALL.iter().copied().filter(move |kind| self.contains(*kind))
    }
}

impl FromIterator<NumberType> for NumberTypes {
    fn from_iter<I: IntoIterator<Item = NumberType>>(types: I) -> Self {
        types.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for NumberTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
