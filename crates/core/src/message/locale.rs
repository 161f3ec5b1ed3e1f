//! A language tag as BCP 47 writes it (`pt-BR`, `zh-Hant-TW`), and the order in which less exact tags are tried.
//!
//! Only the grammar of RFC 5646 §2.1 is checked, not the registry: an unknown but well-formed tag falls back. `_` is taken
//! for `-`, because Java and POSIX write it so; the grandfathered tags and private-use-only tags are refused.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest tag that is parsed, in bytes. RFC 5646 §4.4.1 asks implementations for at least 35.
pub const MAX_LOCALE_BYTES: usize = 35;

/// Why a text is not a language tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseLocaleError {
    /// Nothing at all.
    #[error("a locale must not be empty")]
    Empty,
    /// More than [`MAX_LOCALE_BYTES`].
    #[error("a locale has at most {MAX_LOCALE_BYTES} characters")]
    TooLong,
    /// Not the grammar of BCP 47.
    #[error("a locale is a language tag such as `en`, `pt-BR` or `zh-Hant`")]
    Malformed,
}

/// A well-formed language tag in its usual case: `EN_us` becomes `en-US`, `ZH-HANT` becomes `zh-Hant`.
///
/// ```
/// use verifyd_core::message::Locale;
///
/// let locale: Locale = "PT_br".parse()?;
/// assert_eq!(locale.as_str(), "pt-BR");
/// assert_eq!(locale.fallbacks().collect::<Vec<_>>(), ["pt-BR", "pt"]);
/// # Ok::<(), verifyd_core::message::ParseLocaleError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Locale(String);

impl Locale {
    /// The tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag, then ever shorter ones: the lookup of RFC 4647 §3.4, which never ends a tag with a single character.
    pub fn fallbacks(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.0.as_str()), |tag| {
            let mut shorter = tag.rsplit_once('-')?.0;
            while let Some((front, last)) = shorter.rsplit_once('-') {
                if last.len() > 1 {
                    break;
                }
                shorter = front;
            }
            Some(shorter)
        })
    }
}

impl Default for Locale {
    /// English.
    fn default() -> Self {
        Self("en".to_owned())
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Locale {
    type Err = ParseLocaleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(ParseLocaleError::Empty);
        }
        if text.len() > MAX_LOCALE_BYTES {
            return Err(ParseLocaleError::TooLong);
        }
        parse(text).map(Self).ok_or(ParseLocaleError::Malformed)
    }
}

impl TryFrom<String> for Locale {
    type Error = ParseLocaleError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Locale> for String {
    fn from(locale: Locale) -> Self {
        locale.0
    }
}

/// How far the tag has been read; the parts come in this order and each kind may follow only a smaller or equal one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Language,
    Extended,
    Script,
    Region,
    Variant,
    /// Inside an extension or the private part; true once its singleton has got a subtag.
    Extension {
        private: bool,
        filled: bool,
    },
}

fn parse(text: &str) -> Option<String> {
    let mut subtags = text.split(['-', '_']);
    let language = subtags.next().filter(|subtag| is_alpha(subtag, 2, 8))?;
    let mut tag = language.to_ascii_lowercase();
    let mut stage = Stage::Language;
    let mut extended = 0;
    let mut seen = Vec::new();
    for subtag in subtags {
        let lower = subtag.to_ascii_lowercase();
        stage = next_stage(stage, &lower, language.len())?;
        match stage {
            Stage::Extended => extended += 1,
            // RFC 5646 §2.2.5 and §2.2.6: the same variant or singleton twice is no tag.
            Stage::Variant | Stage::Extension { filled: false, .. } if seen.contains(&lower) => return None,
            Stage::Variant | Stage::Extension { filled: false, .. } => seen.push(lower.clone()),
            _ => {}
        }
        if extended > 3 {
            return None;
        }
        tag.push('-');
        match stage {
            Stage::Script => tag.extend(lower.chars().enumerate().map(|(at, c)| title_case(at, c))),
            Stage::Region => tag.push_str(&lower.to_ascii_uppercase()),
            _ => tag.push_str(&lower),
        }
    }
    (!matches!(stage, Stage::Extension { filled: false, .. })).then_some(tag)
}

/// What `subtag` is after `stage`, or nothing if it cannot stand there.
fn next_stage(stage: Stage, subtag: &str, language_bytes: usize) -> Option<Stage> {
    if let Stage::Extension { private, filled } = stage {
        let singleton = subtag.len() == 1 && !private;
        if !is_alphanumeric(subtag, 1, 8) || (singleton && !filled) {
            return None;
        }
        return Some(if singleton { opened_by(subtag) } else { Stage::Extension { private, filled: true } });
    }
    let starts_with_digit = subtag.starts_with(|c: char| c.is_ascii_digit());
    if is_alphanumeric(subtag, 1, 1) {
        Some(opened_by(subtag))
    } else if stage <= Stage::Extended && language_bytes <= 3 && is_alpha(subtag, 3, 3) {
        Some(Stage::Extended)
    } else if stage < Stage::Script && is_alpha(subtag, 4, 4) {
        Some(Stage::Script)
    } else if stage < Stage::Region && (is_alpha(subtag, 2, 2) || is_digits(subtag)) {
        Some(Stage::Region)
    } else if is_alphanumeric(subtag, 5, 8) || (starts_with_digit && is_alphanumeric(subtag, 4, 4)) {
        Some(Stage::Variant)
    } else {
        None
    }
}

fn opened_by(singleton: &str) -> Stage {
    Stage::Extension { private: singleton == "x", filled: false }
}

fn title_case(at: usize, c: char) -> char {
    if at == 0 { c.to_ascii_uppercase() } else { c }
}

fn is_alpha(subtag: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphabetic())
}

fn is_alphanumeric(subtag: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// A region by its UN M.49 number: exactly three digits.
fn is_digits(subtag: &str) -> bool {
    subtag.len() == 3 && subtag.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn well_formed_tags_take_their_usual_case() {
        let table = [
            ("en", "en"),
            ("EN", "en"),
            ("en-us", "en-US"),
            ("pt_BR", "pt-BR"),
            ("zh-hant", "zh-Hant"),
            ("ZH_HANT_tw", "zh-Hant-TW"),
            ("es-419", "es-419"),
            ("fil", "fil"),
            ("sr-Latn-RS", "sr-Latn-RS"),
            ("zh-yue-HK", "zh-yue-HK"),
            ("zh-gan-cmn-yue", "zh-gan-cmn-yue"),
            ("sl-rozaj-biske", "sl-rozaj-biske"),
            ("de-CH-1901", "de-CH-1901"),
            ("de-DE-u-co-phonebk", "de-DE-u-co-phonebk"),
            ("en-a-bbb-x-a-ccc", "en-a-bbb-x-a-ccc"),
            ("en-x-x-x", "en-x-x-x"),
            ("en-US-x-twain-1234567-12345678-1", "en-US-x-twain-1234567-12345678-1"),
            ("language", "language"),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<Locale>().as_ref().map(Locale::as_str), Ok(expected), "{text}");
        }
    }

    #[test]
    fn malformed_tags_are_refused() {
        let table = [
            "e",
            "1",
            "-",
            "_",
            "en-",
            "-en",
            "en--US",
            "en US",
            " en",
            "en\n",
            "en.UTF-8",
            "en_US.UTF-8",
            "en;q=0.8",
            "en,de",
            "*",
            "en-*",
            "i-klingon",
            "x-private",
            "en-x",
            "en-u",
            "en-u-x-a",
            "en-a-b-ccc",
            "en-US-GB",
            "en-US-Latn",
            "en-Latn-Cyrl",
            "en-abcdefghi",
            "de-1901-1901",
            "en-a-bbb-a-ccc",
            "zh-aaa-bbb-ccc-ddd",
            "four-abc",
            "én",
            "日本",
            "../../etc/passwd",
            "en\0",
            "en-US\u{202E}",
            "{en}",
            "12-US",
        ];
        for text in table {
            assert_eq!(text.parse::<Locale>(), Err(ParseLocaleError::Malformed), "{text:?}");
        }
        assert_eq!("".parse::<Locale>(), Err(ParseLocaleError::Empty));
        assert_eq!(Locale::default(), "en".parse().unwrap());
    }

    #[test]
    fn the_length_is_bounded() {
        for (last, bytes, ok) in [("a", 34, true), ("aa", 35, true), ("aaa", 36, false)] {
            let text = format!("en-x-{}{last}", "a-".repeat(14));
            assert_eq!(text.len(), bytes);
            assert_eq!(text.parse::<Locale>().err(), (!ok).then_some(ParseLocaleError::TooLong));
        }
        assert_eq!("a".repeat(1 << 20).parse::<Locale>(), Err(ParseLocaleError::TooLong));
    }

    #[test]
    fn falls_back_by_the_lookup_of_rfc_4647() {
        let chain = |text: &str| text.parse::<Locale>().unwrap().fallbacks().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(chain("pt-BR"), ["pt-BR", "pt"]);
        assert_eq!(chain("en"), ["en"]);
        // The example of RFC 4647 §3.4, without its second private subtag, which would pass our bound.
        assert_eq!(chain("zh-Hant-CN-x-private1"), ["zh-Hant-CN-x-private1", "zh-Hant-CN", "zh-Hant", "zh"]);
        assert_eq!(chain("en-a-bb-x-y-z"), ["en-a-bb-x-y-z", "en-a-bb", "en"]);
    }

    #[test]
    fn serde_uses_the_same_door() {
        let locale: Locale = serde_json::from_str("\"pt_br\"").unwrap();
        assert_eq!(serde_json::to_string(&locale).unwrap(), "\"pt-BR\"");
        assert!(serde_json::from_str::<Locale>("\"en-\"").unwrap_err().to_string().contains("language tag"));
    }

    proptest! {
        #[test]
        fn garbage_never_panics_and_what_parses_is_stable(text in "\\PC{0,40}|[a-zA-Z0-9_-]{0,36}") {
            if let Ok(locale) = text.parse::<Locale>() {
                prop_assert_eq!(locale.as_str().len(), text.len());
                prop_assert_eq!(locale.as_str().parse::<Locale>(), Ok(locale.clone()));
                for tag in locale.fallbacks() {
                    prop_assert!(tag.parse::<Locale>().is_ok(), "{}", tag);
                }
            }
        }
    }
}
