//! The packed form of a number inside sealed data: authenticated, so it is read back without the metadata's cost.

use super::{PhoneNumber, number_type::NumberType, region::Region, text::InlineText};

impl PhoneNumber {
    /// Region (3 bytes, space padded), type (1), country code (2, big endian), the digits of E.164 as a number (8, big endian).
    pub(crate) fn to_sealed_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(14);
        let region = self.region.as_str().as_bytes();
        bytes.extend((0..3).map(|index| region.get(index).copied().unwrap_or(b' ')));
        let kind = NumberType::ALL.iter().position(|kind| *kind == self.number_type).unwrap_or_default();
        bytes.push(u8::try_from(kind).unwrap_or_default());
        bytes.extend(self.country_code.to_be_bytes());
        // No digit is lost: the first is not a zero, and u64 has room for 19.
        let digits = self.e164().bytes().filter(u8::is_ascii_digit);
        bytes.extend(digits.fold(0, |number: u64, digit| number * 10 + u64::from(digit - b'0')).to_be_bytes());
        bytes
    }

    /// Reads what [`to_sealed_bytes`](Self::to_sealed_bytes) wrote; only for bytes that an AEAD has authenticated.
    pub(crate) fn from_sealed_bytes(bytes: &[u8]) -> Option<Self> {
        let (region, rest) = bytes.split_first_chunk::<3>()?;
        let (kind, rest) = rest.split_first()?;
        let (country_code, digits) = rest.split_first_chunk::<2>()?;
        let region: Region = std::str::from_utf8(region).ok()?.trim_end().parse().ok()?;
        Some(Self {
            e164: InlineText::from_ascii(&format!("+{}", u64::from_be_bytes(digits.try_into().ok()?)))?,
            region,
            number_type: *NumberType::ALL.get(usize::from(*kind))?,
            country_code: u16::from_be_bytes(*country_code),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_back_as_it_was() {
        for text in ["+14155552671", "+390612345678", "+5491123456789", "+80012345678"] {
            let number = PhoneNumber::parse_e164(text).unwrap();
            assert_eq!(PhoneNumber::from_sealed_bytes(&number.to_sealed_bytes()), Some(number));
        }
        let region = |region: &[u8], digits: &[u8]| [region, b"\x00\x00\x01", digits].concat();
        let digits = 14_155_552_671_u64.to_be_bytes();
        assert!(PhoneNumber::from_sealed_bytes(&region(b"US ", &digits)).is_some());
        for bad in [b"".to_vec(), b"US ".to_vec(), region(b"US ", &digits[1..]), region(b"XX ", &digits)] {
            assert_eq!(PhoneNumber::from_sealed_bytes(&bad), None);
        }
    }
}
