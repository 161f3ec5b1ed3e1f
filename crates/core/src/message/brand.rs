//! The name of the service in the message: the one hole that a person fills, so the one way to turn our sender into somebody
//! else's (a link, a second code, a forged last line).
//!
//! What may stand in it is listed, not what may not: letters of any script with the marks that belong to them, the digits
//! 0 to 9, single spaces, `-`, `&` and `'`. So no link, address, line break or direction mark can be built at all.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest brand, in characters. Every template is tested to fit one part with it.
pub const MAX_BRAND_CHARS: usize = 30;

/// From so many digits in a row on, a person or a phone could take them for the code.
const CODE_LIKE_DIGITS: usize = 5;

/// So many marks on one letter are in use (Vietnamese, Hebrew, Indic); more only smear over the lines above.
const MAX_MARKS: usize = 3;

/// Which rule a brand breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BrandError {
    /// No character at all.
    #[error("a brand must not be empty")]
    Empty,
    /// More than [`MAX_BRAND_CHARS`].
    #[error("a brand has at most {MAX_BRAND_CHARS} characters")]
    TooLong,
    /// A character outside the list of the module.
    #[error("a brand has letters, digits, spaces, `-`, `&` and `'` only, not {}", .0.escape_default())]
    Character(char),
    /// A mark without a letter before it, or too many on one.
    #[error("a brand has at most {MAX_MARKS} combining marks on a letter, and none without a letter")]
    Marks,
    /// A space at an end, or two in a row.
    #[error("a brand has no space at its ends and no two spaces in a row")]
    Spacing,
    /// Only digits and signs.
    #[error("a brand needs a letter")]
    NoLetter,
    /// Five digits in a row or more.
    #[error("a brand has no run of {CODE_LIKE_DIGITS} digits or more, because it would look like a code")]
    LooksLikeCode,
    /// The beginning of an address, such as `http` or `www`.
    #[error("a brand has no word that begins a web address (`http`, `https`, `ftp`, `www`, `xn--`)")]
    LooksLikeUrl,
}

/// The checked name of a service, 1 to [`MAX_BRAND_CHARS`] characters.
///
/// ```
/// use verifyd_core::message::{Brand, BrandError};
///
/// assert!("Ben & Jerry's".parse::<Brand>().is_ok());
/// assert_eq!("evil.example".parse::<Brand>(), Err(BrandError::Character('.')));
/// assert_eq!("Call 12345".parse::<Brand>(), Err(BrandError::LooksLikeCode));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Brand(String);

impl Brand {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Brand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Brand {
    type Err = BrandError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Brand {
    type Error = BrandError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        check(&text)?;
        Ok(Self(text))
    }
}

impl From<Brand> for String {
    fn from(brand: Brand) -> Self {
        brand.0
    }
}

fn check(text: &str) -> Result<(), BrandError> {
    if text.is_empty() {
        return Err(BrandError::Empty);
    }
    // One past the bound is enough to know; the rest of a huge input is not read.
    if text.chars().take(MAX_BRAND_CHARS + 1).count() > MAX_BRAND_CHARS {
        return Err(BrandError::TooLong);
    }
    if let Some(c) = text.chars().find(|c| !is_allowed(*c)) {
        return Err(BrandError::Character(c));
    }
    if text.starts_with(' ') || text.ends_with(' ') || text.contains("  ") {
        return Err(BrandError::Spacing);
    }
    check_marks(text)?;
    if !text.chars().any(is_letter) {
        return Err(BrandError::NoLetter);
    }
    if text.split(|c: char| !c.is_ascii_digit()).any(|run| run.len() >= CODE_LIKE_DIGITS) {
        return Err(BrandError::LooksLikeCode);
    }
    if text.split([' ', '&', '\'', '-']).any(begins_an_address) || text.to_lowercase().contains("xn--") {
        return Err(BrandError::LooksLikeUrl);
    }
    Ok(())
}

fn check_marks(text: &str) -> Result<(), BrandError> {
    let mut room = 0;
    for c in text.chars() {
        if !is_mark(c) {
            room = if is_letter(c) { MAX_MARKS } else { 0 };
        } else if room == 0 {
            return Err(BrandError::Marks);
        } else {
            room -= 1;
        }
    }
    Ok(())
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, ' ' | '-' | '&' | '\'') || is_letter(c) || is_mark(c)
}

/// A visible letter. Unicode calls a few invisible fillers letters, with which a brand could be blank; and a few letters
/// decompose (NFKC) into text with signs or digits.
fn is_letter(c: char) -> bool {
    let invisible = matches!(c, '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{3164}' | '\u{FFA0}');
    // Letter-like signs, enclosed and mathematical alphabets, presentation forms, half and full width.
    let compatibility = matches!(c, '\u{2100}'..='\u{214F}' | '\u{2460}'..='\u{24FF}' | '\u{3200}'..='\u{33FF}'
        | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FFEF}' | '\u{1D400}'..='\u{1D7FF}' | '\u{1F100}'..='\u{1F1FF}');
    // Letters that look like a dot, a colon or a slash: modifier letters, clicks, tone letters of Lisu and Ol Chiki.
    let sign_like =
        matches!(c, '\u{1C0}'..='\u{1C3}' | '\u{2B0}'..='\u{2FF}' | '\u{1C78}'..='\u{1C7D}' | '\u{A4F8}'..='\u{A4FF}');
    c.is_alphabetic() && !invisible && !compatibility && !sign_like && !is_mark(c)
}

/// Marks that are written on a letter and that `char::is_alphabetic` leaves out or counts as letters: accents, viramas
/// and nuktas of the Indic scripts, tone marks, vowel points. The invisible joiner U+034F is not among them.
fn is_mark(c: char) -> bool {
    let point = u32::from(c);
    let indic = (0x0900..0x0E00).contains(&point) && matches!(point & 0x7F, 0x3C | 0x4D);
    indic
        || matches!(c, '\u{300}'..='\u{34E}' | '\u{350}'..='\u{36F}' | '\u{591}'..='\u{5BD}' | '\u{5BF}' | '\u{5C1}'..='\u{5C2}'
            | '\u{64B}'..='\u{65F}' | '\u{670}' | '\u{DCA}' | '\u{E31}' | '\u{E34}'..='\u{E3A}' | '\u{E47}'..='\u{E4E}'
            | '\u{EB1}' | '\u{EB4}'..='\u{EBC}' | '\u{EC8}'..='\u{ECD}' | '\u{1037}'..='\u{103A}' | '\u{135D}'..='\u{135F}'
            | '\u{17D2}' | '\u{3099}'..='\u{309A}')
}

fn begins_an_address(word: &str) -> bool {
    let word = word.to_lowercase();
    matches!(word.as_str(), "http" | "https" | "ftp" | "www")
        || word.strip_prefix("www").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_real_shape_are_accepted() {
        let table = [
            "A",
            "Acme",
            "Acme Bank",
            "Ben & Jerry's",
            "7-Eleven",
            "H&M",
            "3M",
            "Route 1234",
            "Müller",
            "Škoda",
            "Ελλάδα",
            "Яндекс",
            "فودافون",
            "בנק הפועלים",
            "फ्लिपकार्ट",
            "ช้อปปี้",
            "ไทย",
            "楽天",
            "카카오",
            "淘宝网",
            "Việt Nam",
            "Vie\u{323}\u{302}t",
            "தமிழ்",
            "বাংলাদেশ",
            "𠮷野家",
            "Wwwhat",
            "Httpster",
            "Dot Com Shop",
            "O'Neill",
            "Abcdefghij Abcdefghij Abcdefgh",
        ];
        for text in table {
            assert_eq!(text.parse::<Brand>().as_ref().map(Brand::as_str), Ok(text), "{text}");
        }
    }

    #[test]
    fn every_rule_refuses_with_its_own_error() {
        use BrandError::{Character, Empty, LooksLikeCode, LooksLikeUrl, Marks, NoLetter, Spacing, TooLong};
        let table = [
            ("", Empty),
            ("evil.example", Character('.')),
            ("a/b", Character('/')),
            ("a:b", Character(':')),
            ("a@b", Character('@')),
            ("a#b", Character('#')),
            ("Acme\n@evil", Character('\n')),
            ("Acme\r", Character('\r')),
            ("Acme\tBank", Character('\t')),
            ("Acme\0", Character('\0')),
            ("Acme\u{1B}", Character('\u{1B}')),
            ("Acme\u{85}", Character('\u{85}')),
            ("Acme\u{2028}@evil", Character('\u{2028}')),
            ("{code}", Character('{')),
            ("Acme\u{202E}", Character('\u{202E}')),
            ("\u{2066}Acme", Character('\u{2066}')),
            ("Ac\u{200F}me", Character('\u{200F}')),
            ("Ac\u{61C}me", Character('\u{61C}')),
            ("Ac\u{200B}me", Character('\u{200B}')),
            ("Ac\u{200D}me", Character('\u{200D}')),
            ("Ac\u{AD}me", Character('\u{AD}')),
            ("Ac\u{FEFF}me", Character('\u{FEFF}')),
            ("Ac\u{34F}me", Character('\u{34F}')),
            ("\u{3164}", Character('\u{3164}')),
            ("Acme\u{A0}Bank", Character('\u{A0}')),
            ("evil\u{3002}example", Character('\u{3002}')),
            ("evil\u{FF0E}example", Character('\u{FF0E}')),
            ("evil\u{2024}example", Character('\u{2024}')),
            ("evil\u{B7}example", Character('\u{B7}')),
            ("evil\u{2044}example", Character('\u{2044}')),
            ("evil\u{A4F8}example", Character('\u{A4F8}')),
            ("a\u{2D0}b", Character('\u{2D0}')),
            ("It\u{2019}s", Character('\u{2019}')),
            ("Ⓐcme", Character('Ⓐ')),
            ("𝐀cme", Character('𝐀')),
            ("ﷺ", Character('ﷺ')),
            ("Acme 😀", Character('😀')),
            ("Acme ١٢٣", Character('١')),
            ("Acme_Bank", Character('_')),
            (" Acme", Spacing),
            ("Acme ", Spacing),
            ("Acme  Bank", Spacing),
            ("1234", NoLetter),
            ("-&'", NoLetter),
            ("Acme 12345", LooksLikeCode),
            ("123456 is a code", LooksLikeCode),
            ("http evil", LooksLikeUrl),
            ("Go HTTPS", LooksLikeUrl),
            ("www evil com", LooksLikeUrl),
            ("WWW2 evil", LooksLikeUrl),
            ("www-evil-com", LooksLikeUrl),
            ("see&www", LooksLikeUrl),
            ("go-http", LooksLikeUrl),
            ("XN--a", LooksLikeUrl),
            ("xn--80ak6aa92e", LooksLikeUrl),
            ("\u{301}Acme", Marks),
            ("Acme-\u{301}", Marks),
            ("A\u{301}\u{301}\u{301}\u{301}", Marks),
            ("Abcdefghij Abcdefghij Abcdefghi", TooLong),
        ];
        for (text, error) in table {
            assert_eq!(text.parse::<Brand>(), Err(error), "{text:?}");
        }
        assert_eq!("a".repeat(1 << 20).parse::<Brand>(), Err(TooLong));
    }

    #[test]
    fn lengths_count_characters() {
        for (chars, ok) in [(29, true), (30, true), (31, false)] {
            assert_eq!("a".repeat(chars).parse::<Brand>().is_ok(), ok);
            assert_eq!("я".repeat(chars).parse::<Brand>().is_ok(), ok);
        }
        for (digits, ok) in [(4, true), (5, false), (6, false)] {
            assert_eq!(format!("a{}", "1".repeat(digits)).parse::<Brand>().is_ok(), ok);
        }
    }

    #[test]
    fn messages_name_the_rule_and_show_hidden_characters() {
        assert_eq!(
            BrandError::Character('\u{202E}').to_string(),
            "a brand has letters, digits, spaces, `-`, `&` and `'` only, not \\u{202e}"
        );
        assert_eq!(BrandError::TooLong.to_string(), "a brand has at most 30 characters");
        assert_eq!(
            BrandError::LooksLikeCode.to_string(),
            "a brand has no run of 5 digits or more, because it would look like a code"
        );
    }

    #[test]
    fn serde_uses_the_same_door() {
        let brand: Brand = serde_json::from_str("\"Acme\"").unwrap();
        assert_eq!(serde_json::to_string(&brand).unwrap(), "\"Acme\"");
        assert!(serde_json::from_str::<Brand>("\"evil.example\"").unwrap_err().to_string().contains("only, not ."));
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_has_nothing_to_build_a_link_with(text in any::<String>()) {
            if let Ok(brand) = text.parse::<Brand>() {
                let forbidden = |c: char| c.is_control() || "./:@#<>{}_%?=\\".contains(c) || (c.is_whitespace() && c != ' ');
                prop_assert!(!brand.as_str().contains(forbidden));
                prop_assert!(brand.as_str().chars().any(char::is_alphabetic));
            }
        }
    }
}
