//! How many SMS a text costs: GSM-7 or UCS-2, and how many parts.
//!
//! Sources: 3GPP TS 23.038 §6.2.1 (default alphabet and its extension table) and TS 23.040 §9.2.3.24.1 (a part of a longer
//! message gives six octets to the concatenation header). A pair of the escape and an extension character, and a pair of
//! surrogates, never lie across two parts. National language tables are left out: providers do not use them unasked.

/// The alphabet a text is sent in. One character outside GSM-7 turns the whole text into UCS-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// The 7-bit default alphabet of GSM 03.38 with its extension table: 160 units in one part, 153 a part otherwise.
    Gsm7,
    /// Sixteen bits a unit: 70 units in one part, 67 a part otherwise.
    Ucs2,
}

impl Encoding {
    /// Every encoding.
    pub const ALL: [Self; 2] = [Self::Gsm7, Self::Ucs2];

    /// The name for replies, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gsm7 => "GSM-7",
            Self::Ucs2 => "UCS-2",
        }
    }

    /// Units in a message of one part.
    #[must_use]
    pub const fn single(self) -> u32 {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// Units in each part of a longer message.
    #[must_use]
    pub const fn per_part(self) -> u32 {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 67,
        }
    }

    /// Units that `c` takes, or nothing if this alphabet lacks it.
    fn units(self, c: char) -> Option<u32> {
        match self {
            Self::Gsm7 => gsm7_units(c),
            Self::Ucs2 => Some(if u32::from(c) > 0xFFFF { 2 } else { 1 }),
        }
    }
}

/// What a text costs on the air.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Segments {
    /// The alphabet the text needs.
    pub encoding: Encoding,
    /// Parts, each of which providers bill. An empty text is still one part.
    pub count: u16,
    /// Septets of GSM-7 (escapes included) or 16-bit units of UCS-2, without the padding of unsplit pairs.
    pub units: u32,
}

impl Segments {
    /// Octets of text on the air, without headers: seven bits a septet packed, or two octets a unit.
    #[must_use]
    pub const fn octets(self) -> u32 {
        match self.encoding {
            Encoding::Gsm7 => self.units.saturating_mul(7).div_ceil(8),
            Encoding::Ucs2 => self.units.saturating_mul(2),
        }
    }
}

/// Counts the parts of `text`. Works in one pass and allocates nothing.
///
/// ```
/// use verifyd_core::message::segments::{Encoding, count};
///
/// let plain = count("Your code is: 123456");
/// assert_eq!((plain.encoding, plain.count, plain.units), (Encoding::Gsm7, 1, 20));
/// assert_eq!(count("Tu código es: 123456").encoding, Encoding::Ucs2);
/// ```
#[must_use]
pub fn count(text: &str) -> Segments {
    let encoding = if forcing_ucs2(text).next().is_none() { Encoding::Gsm7 } else { Encoding::Ucs2 };
    let mut units: u32 = 0;
    let mut parts: u16 = 1;
    let mut used: u32 = 0;
    for cost in text.chars().filter_map(|c| encoding.units(c)) {
        units = units.saturating_add(cost);
        used += cost;
        // A pair that does not fit whole opens the next part, and the unit before it stays empty.
        if used > encoding.per_part() {
            parts = parts.saturating_add(1);
            used = cost;
        }
    }
    let count = if units <= encoding.single() { 1 } else { parts };
    Segments { encoding, count, units }
}

/// The characters of `text` that GSM-7 lacks, in order: what an operator replaces to halve the price.
pub fn forcing_ucs2(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter(|c| gsm7_units(*c).is_none())
}

/// Septets of `c`: one in the basic table, two (escape and character) in the extension table.
///
/// The escape itself (0x1B) is no character, and ASCII's backtick, tab and lower-case ç are in neither table.
#[expect(clippy::match_same_arms, reason = "one line a block of the table reads better than one arm of 60 characters")]
fn gsm7_units(c: char) -> Option<u32> {
    match c {
        '\n' | '\r' | ' '..='Z' | '_' | 'a'..='z' => Some(1),
        '¡' | '£' | '¤' | '¥' | '§' | '¿' => Some(1),
        'Ä' | 'Å' | 'Æ' | 'Ç' | 'É' | 'Ñ' | 'Ö' | 'Ø' | 'Ü' | 'ß' => Some(1),
        'à' | 'ä' | 'å' | 'æ' | 'è' | 'é' | 'ì' | 'ñ' | 'ò' | 'ö' | 'ø' | 'ù' | 'ü' => Some(1),
        'Γ' | 'Δ' | 'Θ' | 'Λ' | 'Ξ' | 'Π' | 'Σ' | 'Φ' | 'Ψ' | 'Ω' => Some(1),
        '\u{C}' | '[' | '\\' | ']' | '^' | '{' | '|' | '}' | '~' | '€' => Some(2),
        _ => None,
    }
}

#[cfg(test)]
#[path = "segments_tests.rs"]
mod tests;
