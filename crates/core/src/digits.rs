//! Decimal digits of the scripts people type on, mapped to ASCII, and the invisible marks that pasting adds.
//!
//! Only scripts with keyboards in wide use are mapped; every other decimal digit of Unicode is refused by the callers,
//! so that one value has few spellings and none of them surprises a reviewer.

/// The value of `c` if it is a decimal digit of ASCII, Arabic-Indic, Extended Arabic-Indic, Devanagari, Bengali or Fullwidth.
#[must_use]
pub fn decimal_digit(c: char) -> Option<u8> {
    const ZEROS: [u32; 6] = [0x30, 0x660, 0x6F0, 0x966, 0x9E6, 0xFF10];
    ZEROS.iter().find_map(|zero| {
        let offset = u32::from(c).checked_sub(*zero)?;
        u8::try_from(offset).ok().filter(|value| *value < 10)
    })
}

/// Whether `c` is a bidi mark, an isolate or a zero-width character: invisible, and carried along by copy and paste.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{61C}' | '\u{FEFF}' | '\u{AD}')
}
