//! One key for one line: two numbers that ring the same phone share their limits.
//!
//! libphonenumber keeps apart some numbers that are valid in two forms although one line has both. The folds:
//!
//! | country | forms of one line | key |
//! |---|---|---|
//! | Argentina | `+54 9 343…` (mobile, from abroad) and `+54 343…`; areas and subscribers share one number space | without 9 |
//! | Mexico | `+52 1 55…`, in use until August 2019, and `+52 55…` | without 1 |
//! | Brazil | `+55 11 8123 4567`, a mobile before 2012 to 2016, and `+55 11 9 8123 4567` | with 9 |
//! | Italy | `+39 0…` and the same digits without the zero | without 0 |
//! | San Marino | `+39 0549…` and `+378 0549…` | `+378 549…` |
//!
//! In Brazil only subscribers that begin with 6 to 9 were mobiles; the nine cannot be dropped the other way, because
//! `9 3…` without it is someone's land line. In Italy a mobile and a land line of eleven digits can meet in one key:
//! they then share a limit, which is the lesser evil. Metadata 9.0.42 refuses the Mexican 1 and most old Brazilian
//! mobiles; their folds stay, so that no change of the metadata opens a way round a limit. The renumberings of
//! Côte d'Ivoire (2021) and Benin (2024) need none: the old numbers are no longer valid. Numbers of Kosovo from before
//! `+383` (under `+377` and `+386`) are not folded: those codes may hand the ranges out anew.

use std::fmt;

use super::text::InlineText;
use super::{MASK, MAX_DIGITS, PhoneNumber};

/// The spelling under which a line is counted: `+` and digits, often but not always the E.164 form.
///
/// Personal data like the number itself: shown masked, whole only by [`LimitKeyText::as_str`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LimitKeyText(InlineText<{ MAX_DIGITS + 1 }>);

impl LimitKeyText {
    /// The whole key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for LimitKeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LimitKeyText({MASK}{})", super::last_digits(self.as_str()))
    }
}

/// Folds the forms of one line into one.
pub(super) fn limit_key(number: &PhoneNumber) -> LimitKeyText {
    let e164 = number.e164();
    let folded = fold(number.country_code, number.national()).and_then(|parts| concat(&parts));
    LimitKeyText(folded.or_else(|| InlineText::from_ascii(e164)).unwrap_or_else(InlineText::new))
}

/// The pieces of the key, if it is not the E.164 form.
fn fold(country_code: u16, national: &str) -> Option<[&str; 4]> {
    const AREA_DIGITS_BRAZIL: usize = 2;
    match (country_code, national.len()) {
        (54, 11) => Some(["+54", national.strip_prefix('9')?, "", ""]),
        (52, 11) => Some(["+52", national.strip_prefix('1')?, "", ""]),
        (55, 10) => {
            let (area, subscriber) = national.split_at_checked(AREA_DIGITS_BRAZIL)?;
            subscriber.starts_with(['6', '7', '8', '9']).then_some(["+55", area, "9", subscriber])
        }
        (39 | 378, _) => {
            let dialled = national.strip_prefix('0').unwrap_or(national);
            let code = if dialled.starts_with("549") && national.starts_with('0') { "+378" } else { "+39" };
            Some([if country_code == 378 { "+378" } else { code }, dialled, "", ""])
        }
        _ => None,
    }
}

fn concat(parts: &[&str; 4]) -> Option<InlineText<{ MAX_DIGITS + 1 }>> {
    let mut text = InlineText::new();
    parts.iter().flat_map(|part| part.bytes()).all(|byte| text.push(byte)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Directly on the parts, because the metadata of today refuses some of these forms as numbers.
    #[test]
    fn the_folds_are_those_of_the_table() {
        for (code, national, expected) in [
            (54, "93435551212", Some("+543435551212")),
            (54, "3435551212", None),
            (52, "15512345678", Some("+525512345678")),
            (52, "5512345678", None),
            (55, "1161234567", Some("+5511961234567")),
            (55, "1191234567", Some("+5511991234567")),
            (55, "1151234567", None),
            (55, "11961234567", None),
            (39, "0669812345", Some("+39669812345")),
            (39, "3123456789", Some("+393123456789")),
            (39, "03123456789", Some("+393123456789")),
            (39, "0549886377", Some("+378549886377")),
            (378, "0549886377", Some("+378549886377")),
            (378, "66661212", Some("+37866661212")),
            (1, "4155552671", None),
        ] {
            let folded = fold(code, national).map(|parts| parts.concat());
            assert_eq!(folded.as_deref(), expected, "{code} {national}");
        }
    }
}
