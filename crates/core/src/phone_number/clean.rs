//! From what people type and paste to `+`, ASCII digits and separators.
//!
//! Stricter than libphonenumber, which also skips text around a number, reads letters as keypad digits and takes the
//! digits of every script: here one number has few spellings, so that nobody slips past a limit or a reviewer.
//! Invariant: what comes out holds only `+`, `~`, spaces and ASCII digits, and starts with `+` or a digit.

use super::text::InlineText;
use super::{MAX_INPUT_BYTES, PhoneNumberError};
use crate::digits::{decimal_digit, is_invisible};

/// Cleaned input: never longer than the input was.
pub(super) type Cleaned = InlineText<MAX_INPUT_BYTES>;

/// Maps digits, plus signs and separators; drops what is invisible; refuses everything else with the reason.
pub(super) fn clean(input: &str) -> Result<Cleaned, PhoneNumberError> {
    if input.len() > MAX_INPUT_BYTES {
        return Err(PhoneNumberError::TooLong);
    }
    let number = strip_scheme(input.trim_matches(|c: char| c.is_whitespace() || is_invisible(c)));
    let mut cleaned = Cleaned::new();
    let mut script_zero = None;
    for (at, c) in number.char_indices() {
        if let Some(value) = decimal_digit(c) {
            let zero = u32::from(c) - u32::from(value);
            if *script_zero.get_or_insert(zero) != zero {
                return Err(PhoneNumberError::MixedScripts);
            }
            push(&mut cleaned, b'0' + value)?;
        } else if matches!(c, '+' | '\u{FF0B}') {
            push(&mut cleaned, b'+')?;
        } else if is_separator(c) {
            if !cleaned.as_str().is_empty() {
                push(&mut cleaned, b' ')?;
            }
        } else if c == '~' && script_zero.is_some() {
            // Waits for the tone in a prefix, or marks an extension: the library decides.
            push(&mut cleaned, b'~')?;
        } else if !is_invisible(c) {
            return Err(refusal(number.get(at..).unwrap_or_default(), script_zero.is_some()));
        }
    }
    match (cleaned.as_str().is_empty(), script_zero) {
        (true, _) if number.is_empty() => Err(PhoneNumberError::Empty),
        (_, None) => Err(PhoneNumberError::Invalid),
        _ => Ok(cleaned),
    }
}

fn push(cleaned: &mut Cleaned, byte: u8) -> Result<(), PhoneNumberError> {
    // Every character gives at most one byte, so there is always room.
    if cleaned.push(byte) { Ok(()) } else { Err(PhoneNumberError::TooLong) }
}

/// Drops `tel:` in front (RFC 3966; schemes are case-insensitive).
fn strip_scheme(input: &str) -> &str {
    match input.split_at_checked(4) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("tel:") => rest.trim_start(),
        _ => input,
    }
}

/// The punctuation libphonenumber accepts inside a number, without the letter x and the tilde.
fn is_separator(c: char) -> bool {
    matches!(
        c,
        ' ' | '\u{A0}' | '\u{3000}' | '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{30FC}' | '\u{FF0D}'..='\u{FF0F}'
            | '(' | ')' | '\u{FF08}' | '\u{FF09}' | '[' | ']' | '\u{FF3B}' | '\u{FF3D}' | '.' | '/' | '\u{2053}' | '\u{223C}'
    )
}

/// The reason to refuse `rest`, which starts with the offending character.
fn refusal(rest: &str, after_digits: bool) -> PhoneNumberError {
    const LABELS: [&str; 12] = [
        "x",
        "ext",
        "extn",
        "xt",
        "xtn",
        "extension",
        "extensi\u{F3}n",
        "int",
        "anexo",
        "\u{434}\u{43E}\u{431}",
        "\u{FF58}",
        "\u{FF58}\u{FF54}",
    ];
    let word_end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let word = rest.get(..word_end).unwrap_or_default().to_lowercase();
    match rest.chars().next() {
        // Parameters of RFC 3966 other than the extension change what the digits mean.
        Some(';') if rest.starts_with(";phone-context=") || rest.starts_with(";isub=") => {
            PhoneNumberError::UnsupportedCharacters
        }
        Some('#' | '\u{FF03}' | ',' | ';' | '\u{FF5E}') if after_digits => PhoneNumberError::Extension,
        Some(_) if after_digits && LABELS.contains(&word.as_str()) => PhoneNumberError::Extension,
        Some(c) if c.is_alphabetic() => PhoneNumberError::Letters,
        _ => PhoneNumberError::UnsupportedCharacters,
    }
}
