//! The packed form of a number inside sealed data: authenticated, so it is read back without the metadata's cost.

use super::{PhoneNumber, number_type::NumberType, region::Region, text::InlineText};

impl PhoneNumber {
    /// Region (3 bytes, space padded), type (1), country code (2, big endian), E.164.
    pub(crate) fn to_sealed_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24);
        let region = self.region.as_str().as_bytes();
        bytes.extend((0..3).map(|index| region.get(index).copied().unwrap_or(b' ')));
        let kind = NumberType::ALL.iter().position(|kind| *kind == self.number_type).unwrap_or_default();
        bytes.push(u8::try_from(kind).unwrap_or_default());
        bytes.extend(self.country_code.to_be_bytes());
        bytes.extend(self.e164().as_bytes());
        bytes
    }

    /// Reads what [`to_sealed_bytes`](Self::to_sealed_bytes) wrote; only for bytes that an AEAD has authenticated.
    pub(crate) fn from_sealed_bytes(bytes: &[u8]) -> Option<Self> {
        let (region, rest) = bytes.split_first_chunk::<3>()?;
        let (kind, rest) = rest.split_first()?;
        let (country_code, e164) = rest.split_first_chunk::<2>()?;
        let region: Region = std::str::from_utf8(region).ok()?.trim_end().parse().ok()?;
        Some(Self {
            e164: InlineText::from_ascii(std::str::from_utf8(e164).ok()?)?,
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
        for bad in [&b""[..], b"US ", b"US \x00\x00\x01+1\xff", b"XX \x00\x00\x01+1"] {
            assert_eq!(PhoneNumber::from_sealed_bytes(bad), None);
        }
    }
}
