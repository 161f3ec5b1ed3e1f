//! Verification codes: made without bias, shown once to the sender, kept only as digests and one sealed copy.

use std::fmt;

use zeroize::Zeroize;

use crate::digits::{decimal_digit, is_invisible};
use crate::random::{Random, RandomError};

/// The fewest digits of a code.
pub const MIN_CODE_DIGITS: u8 = 4;
/// The most digits of a code.
pub const MAX_CODE_DIGITS: u8 = 10;
/// The longest raw text that is looked at as a guess: ten digits with generous separators.
pub const MAX_CODE_INPUT_BYTES: usize = 64;

/// How many digits a service's codes have: 4 to 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeLength(u8);

impl CodeLength {
    /// `digits` as a code length.
    ///
    /// # Errors
    /// [`CodeError::Length`] outside 4 to 10.
    pub const fn new(digits: u8) -> Result<Self, CodeError> {
        if digits < MIN_CODE_DIGITS || digits > MAX_CODE_DIGITS {
            return Err(CodeError::Length);
        }
        Ok(Self(digits))
    }

    /// The number of digits.
    #[must_use]
    pub const fn digits(self) -> u8 {
        self.0
    }
}

impl Default for CodeLength {
    /// Six, as NIST SP 800-63B asks at least.
    fn default() -> Self {
        Self(6)
    }
}

/// Text that is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Not 4 to 10 digits.
    #[error("a code has 4 to 10 digits")]
    Length,
    /// Something else than digits, spaces and hyphens.
    #[error("a code has only digits (spaces and hyphens between them are ignored)")]
    NotDigits,
}

/// The digits of a code. Never printed: no `Display`, a `Debug` without digits, wiped on drop.
#[derive(Clone)]
pub struct VerificationCode {
    digits: [u8; MAX_CODE_DIGITS as usize],
    len: u8,
}

impl Drop for VerificationCode {
    fn drop(&mut self) {
        self.digits.zeroize();
    }
}

impl fmt::Debug for VerificationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerificationCode(…)")
    }
}

impl VerificationCode {
    /// A fresh code, every value of the length equally likely, leading zeros kept.
    ///
    /// # Errors
    /// [`RandomError`] if there is no randomness.
    pub fn generate(length: CodeLength, random: &dyn Random) -> Result<Self, RandomError> {
        let bound = 10_u64.pow(u32::from(length.0));
        let mask = bound.next_power_of_two() - 1;
        loop {
            let mut bytes = [0; 8];
            random.fill(&mut bytes)?;
            let draw = u64::from_le_bytes(bytes) & mask;
            bytes.zeroize();
            // A draw at or above the bound is thrown away, not folded: folding would favour low codes.
            if draw < bound {
                return Ok(Self::from_number(draw, length));
            }
        }
    }

    fn from_number(mut number: u64, length: CodeLength) -> Self {
        let mut digits = [0; MAX_CODE_DIGITS as usize];
        for slot in digits.iter_mut().take(usize::from(length.0)).rev() {
            *slot = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
        }
        Self { digits, len: length.0 }
    }

    /// Reads what a person typed: digits of the scripts in [`crate::digits`], with spaces, hyphens and invisible marks ignored.
    ///
    /// # Errors
    /// [`CodeError`] for anything else; the text is never repeated in it.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        if text.len() > MAX_CODE_INPUT_BYTES {
            return Err(CodeError::Length);
        }
        let mut code = Self { digits: [0; MAX_CODE_DIGITS as usize], len: 0 };
        for c in text.chars() {
            if let Some(digit) = decimal_digit(c) {
                let slot = code.digits.get_mut(usize::from(code.len)).ok_or(CodeError::Length)?;
                *slot = b'0' + digit;
                code.len += 1;
            } else if !is_separator(c) {
                return Err(CodeError::NotDigits);
            }
        }
        if code.len < MIN_CODE_DIGITS {
            return Err(CodeError::Length);
        }
        Ok(code)
    }

    /// The digits in ASCII: the one door to them.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.digits.get(..usize::from(self.len)).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default()
    }

    /// How many digits it has.
    #[must_use]
    pub fn len(&self) -> u8 {
        self.len
    }

    /// Its length.
    #[must_use]
    pub const fn length(&self) -> CodeLength {
        CodeLength(self.len)
    }

    /// Never: a code has at least four digits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Equality in constant time for codes of one length.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        let same: bool = subtle::ConstantTimeEq::ct_eq(self.digits.as_slice(), other.digits.as_slice()).into();
        same && self.len == other.len
    }
}

fn is_separator(c: char) -> bool {
    c == '-'
        || c == '\u{2010}'
        || c == '\u{2011}'
        || c == '\u{2012}'
        || c == '\u{2013}'
        || c.is_whitespace()
        || is_invisible(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn guesses_are_normalised_and_everything_else_is_refused() {
        for (text, digits) in [
            ("123456", "123456"),
            (" 123 456 ", "123456"),
            ("123-456", "123456"),
            ("\u{200e}123\u{a0}456", "123456"),
            ("٠١٢٣٤٥", "012345"),
            ("۰۱۲۳۴۵", "012345"),
            ("०१२३४५", "012345"),
            ("০১২৩৪৫", "012345"),
            ("１２３４５６", "123456"),
            ("0000", "0000"),
            ("1234567890", "1234567890"),
            ("1 2 3\t4\n", "1234"),
        ] {
            assert_eq!(VerificationCode::parse(text).unwrap().expose(), digits, "{text:?}");
        }
        let long = " ".repeat(65);
        for (text, error) in [
            ("", CodeError::Length),
            ("123", CodeError::Length),
            ("12345678901", CodeError::Length),
            (&long, CodeError::Length),
            ("12345O", CodeError::NotDigits),
            ("12a456", CodeError::NotDigits),
            ("123.456", CodeError::NotDigits),
            ("¹²³⁴⁵⁶", CodeError::NotDigits),
            ("一二三四", CodeError::NotDigits),
            ("+123456", CodeError::NotDigits),
        ] {
            assert_eq!(VerificationCode::parse(text).unwrap_err(), error, "{text:?}");
        }
    }

    #[test]
    fn made_codes_are_unbiased_in_every_digit() {
        let length = CodeLength::default();
        let mut counts = [[0_u32; 10]; 6];
        let n = 60_000;
        for _ in 0..n {
            let code = VerificationCode::generate(length, &SystemRandom).unwrap();
            assert_eq!(code.len(), 6);
            for (slot, digit) in counts.iter_mut().zip(code.expose().bytes()) {
                slot[usize::from(digit - b'0')] += 1;
            }
        }
        for slot in counts {
            let expected = f64::from(n) / 10.0;
            let chi2: f64 = slot.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
            // Nine degrees of freedom: 50 is passed by chance less than once in ten million runs.
            assert!(chi2 < 50.0, "chi-square {chi2} for {slot:?}");
        }
    }

    #[test]
    fn lengths_are_bounded_and_debug_is_silent() {
        assert!(CodeLength::new(3).is_err() && CodeLength::new(11).is_err());
        for digits in MIN_CODE_DIGITS..=MAX_CODE_DIGITS {
            let code = VerificationCode::generate(CodeLength::new(digits).unwrap(), &SystemRandom).unwrap();
            assert_eq!(code.expose().len(), usize::from(digits));
            assert!(!format!("{code:?}").bytes().any(|b| b.is_ascii_digit()));
        }
    }
}
