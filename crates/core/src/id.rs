//! Identifiers: 128 bits, written as Twilio writes them (two capitals and 32 lower-case hex digits).
//!
//! At least 112 bits are random. The first two bytes of a verification's id repeat bits of its number's keyed hash,
//! so that a store spread over many machines finds both in one place without an index.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::keys::PhoneHash;
use crate::random::{Random, RandomError};

/// Text that is not an identifier of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier: expected {prefix} and 32 hex digits")]
pub struct ParseIdError {
    prefix: &'static str,
}

const fn hex_digit(half: u8) -> u8 {
    if half < 10 { b'0' + half } else { b'a' + half - 10 }
}

/// Writes prefix and digits in one piece: ids are in every reply, more than once.
fn write_hex(f: &mut fmt::Formatter<'_>, prefix: &str, bytes: [u8; 16]) -> fmt::Result {
    let mut text = [0; 34];
    let (front, digits) = text.split_at_mut(2);
    front.copy_from_slice(prefix.as_bytes());
    for (pair, byte) in digits.as_chunks_mut().0.iter_mut().zip(bytes) {
        *pair = [hex_digit(byte >> 4), hex_digit(byte & 15)];
    }
    f.write_str(std::str::from_utf8(&text).map_err(|_source| fmt::Error)?)
}

fn parse_hex(text: &str, prefix: &'static str) -> Result<[u8; 16], ParseIdError> {
    let error = ParseIdError { prefix };
    let digits = text.strip_prefix(prefix).ok_or(error)?;
    if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(error);
    }
    let value = u128::from_str_radix(digits, 16).map_err(|_source| error)?;
    Ok(value.to_be_bytes())
}

macro_rules! id {
    ($name:ident, $prefix:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The two capitals in front.
            pub const PREFIX: &'static str = $prefix;

            /// The id made of these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, $prefix, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, $prefix, self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse_hex(text, $prefix).map(Self)
            }
        }
    };
}

id!(ServiceId, "VA", "A service (tenant).");
id!(VerificationId, "VE", "One effort to prove one phone number for one service.");
id!(DeliveryId, "VL", "One send of a code.");
id!(KeyId, "SK", "An API key.");

impl VerificationId {
    /// A fresh id for a verification of the number behind `phone`: 16 bits of its hash, 112 random bits.
    ///
    /// # Errors
    /// [`RandomError`] if there is no randomness.
    pub fn generate(phone: &PhoneHash, random: &dyn Random) -> Result<Self, RandomError> {
        let mut bytes = [0; 16];
        random.fill(&mut bytes)?;
        let [a, b, ..] = *phone.as_bytes();
        bytes[0] = a;
        bytes[1] = b;
        Ok(Self(bytes))
    }
}

/// How long the hours in ids repeat after: seven years.
const HOURS: u64 = 1 << 16;
const HOUR_MS: u64 = 3_600_000;

impl DeliveryId {
    /// A fresh id for a delivery of about now: 16 bits of the hour, 112 random bits. A history, which keeps deliveries by time,
    /// finds it without an index.
    ///
    /// # Errors
    /// [`RandomError`] if there is no randomness.
    pub fn generate_at(at: Timestamp, random: &dyn Random) -> Result<Self, RandomError> {
        let mut bytes = [0; 16];
        random.fill(&mut bytes)?;
        let [.., high, low] = (at.unix_ms() / HOUR_MS).to_be_bytes();
        bytes[0] = high;
        bytes[1] = low;
        Ok(Self(bytes))
    }

    /// Between which instants a delivery of this id was admitted, if it was made by [`generate_at`](Self::generate_at) within
    /// the last seven years: the hour that it names with one on either side, because the store's clock, which says when it was
    /// admitted, may be another.
    #[must_use]
    pub fn admitted_within(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        let [high, low, ..] = self.0;
        let named = u64::from(u16::from_be_bytes([high, low]));
        let next_hour = now.unix_ms() / HOUR_MS + 1;
        let hour = next_hour.saturating_sub((next_hour + HOURS - named) % HOURS);
        let start = |hour: u64| Timestamp::from_unix_ms(hour.saturating_mul(HOUR_MS));
        (start(hour.saturating_sub(1)), start(hour + 2))
    }

    /// A fresh random id.
    ///
    /// # Errors
    /// [`RandomError`] if there is no randomness.
    pub fn generate(random: &dyn Random) -> Result<Self, RandomError> {
        let mut bytes = [0; 16];
        random.fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

impl KeyId {
    /// A fresh random id.
    ///
    /// # Errors
    /// [`RandomError`] if there is no randomness.
    pub fn generate(random: &dyn Random) -> Result<Self, RandomError> {
        let mut bytes = [0; 16];
        random.fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_found_by_the_hour_in_its_id() {
        let random = crate::random::SystemRandom;
        for now_ms in [1_795_384_675_123, 1_795_384_675_123 + 40_000 * HOUR_MS, 5 * HOUR_MS] {
            for age_ms in [0, HOUR_MS, 30 * 24 * HOUR_MS] {
                let at = Timestamp::from_unix_ms(u64::saturating_sub(now_ms, age_ms));
                let id = DeliveryId::generate_at(at, &random).unwrap();
                for clock_ms in [now_ms, now_ms - HOUR_MS / 6] {
                    let (from, until) = id.admitted_within(Timestamp::from_unix_ms(clock_ms));
                    assert!((from..until).contains(&at), "{at:?} is not in {from:?}..{until:?}");
                    assert!(until.since(from) <= std::time::Duration::from_secs(3 * 3600));
                }
            }
        }
    }

    #[test]
    fn ids_round_trip_and_reject_everything_else() {
        let id: VerificationId = "VE00112233445566778899aabbccddeeff".parse().unwrap();
        assert_eq!(id.to_string(), "VE00112233445566778899aabbccddeeff");
        for bad in [
            "",
            "VE",
            "VA00112233445566778899aabbccddeeff",
            "VE00112233445566778899aabbccddeef",
            "VE00112233445566778899aabbccddeeff0",
            "VE+0112233445566778899aabbccddeeff",
            "VE0011223344556677889\u{e9}aabbccddeef",
        ] {
            assert!(bad.parse::<VerificationId>().is_err(), "{bad}");
        }
    }
}
