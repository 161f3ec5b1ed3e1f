//! What is kept of a delivery, and how it changes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::counts::Counts;
use super::table::CountKey;
use crate::clock::Timestamp;
use crate::id::{DeliveryId, ServiceId, VerificationId};
use crate::keys::{KeyTag, PhoneHash, Sealed};
use crate::phone_number::Region;
use crate::sender::{Channel, DeliveryStatus, Price};

/// The country of a number: two capitals of ISO 3166-1, `001` for numbers of no country, nothing where no number was read.
///
/// Unlike a [`Region`] it is read back without asking the metadata, which may have changed since.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Country([u8; 3]);

impl Country {
    /// No number was read.
    pub const NONE: Self = Self([0; 3]);

    /// `US`, `001`, or empty.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let len = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        self.0.get(..len).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// Two capitals, `001`, or nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match *text.as_bytes() {
            [] => Some(Self::NONE),
            [a @ b'A'..=b'Z', b @ b'A'..=b'Z'] => Some(Self([a, b, 0])),
            [b'0', b'0', b'1'] => Some(Self(*b"001")),
            _ => None,
        }
    }
}

impl From<Region> for Country {
    fn from(region: Region) -> Self {
        Self::parse(region.as_str()).unwrap_or(Self::NONE)
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Country({:?})", self.as_str())
    }
}

/// Where an entry lies: every history keeps entries by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntryKey {
    /// When the delivery was admitted.
    pub at: Timestamp,
    /// Its id.
    pub id: DeliveryId,
    /// The tenant.
    pub service: ServiceId,
}

/// One delivery. The number is sealed, bound to the delivery's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place: when it was admitted, its id, its service.
    pub place: EntryKey,
    /// The verification it belongs to.
    pub verification: VerificationId,
    /// The line, by which it is found.
    pub phone: PhoneHash,
    /// The key that sealed the number.
    pub key: KeyTag,
    /// The number, sealed.
    pub number: Sealed,
    /// The number's country.
    pub country: Country,
    /// How it travelled.
    pub channel: Channel,
    /// Who sent it.
    pub sender: Box<str>,
    /// What is known of it.
    pub status: DeliveryStatus,
    /// Segments; zero while unknown.
    pub segments: u16,
    /// The provider's id of the message.
    pub message_id: Option<Box<str>>,
    /// Price.
    pub price: Option<Price>,
    /// The provider's error code.
    pub error_code: Option<Box<str>>,
    /// When the status was learnt.
    pub updated_at: Timestamp,
    /// When the code was checked rightly, if this delivery is the one that it is counted for.
    pub approved_at: Option<Timestamp>,
}

/// Something new about a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    /// The right code came.
    Approved {
        /// When.
        at: Timestamp,
    },
    /// The provider told more.
    Status {
        /// Where it stands.
        status: DeliveryStatus,
        /// Segments; zero if nothing new was told.
        segments: u16,
        /// The price, if it was told.
        price: Option<Price>,
        /// The provider's error code.
        error_code: Option<Box<str>>,
        /// When it was told.
        at: Timestamp,
    },
}

/// Something new about the delivery at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which.
    pub place: EntryKey,
    /// What.
    pub news: News,
}

/// How far a delivery has come: it never goes back.
#[must_use]
pub(super) const fn rank(status: DeliveryStatus) -> u8 {
    match status {
        DeliveryStatus::Unknown => 0,
        DeliveryStatus::Accepted => 1,
        DeliveryStatus::Queued => 2,
        DeliveryStatus::Sent => 3,
        DeliveryStatus::Delivered | DeliveryStatus::Undelivered | DeliveryStatus::Failed => 4,
    }
}

impl News {
    /// What orders news of a kind: of two, the one that is less never replaces the other. Histories that keep news apart from
    /// their entries compare this.
    #[must_use]
    pub const fn rank(&self) -> u8 {
        match self {
            Self::Approved { .. } => 0,
            Self::Status { status, .. } => rank(*status),
        }
    }
}

impl Entry {
    /// Takes news in: the first approval stays, and a status never moves back.
    pub fn apply(&mut self, news: &News) {
        match news {
            News::Approved { at } => self.approved_at = Some(self.approved_at.unwrap_or(*at)),
            News::Status { status, segments, price, error_code, at } => {
                if rank(*status) < rank(self.status) {
                    return;
                }
                self.status = *status;
                self.updated_at = *at;
                if *segments > 0 {
                    self.segments = *segments;
                }
                if price.is_some() {
                    self.price.clone_from(price);
                }
                if error_code.is_some() {
                    self.error_code.clone_from(error_code);
                }
            }
        }
    }
}

/// What is appended at once: entries, news of entries, and what it all adds to the counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// What tells it from others, if it may come twice: a history over a network counts it once.
    pub id: Option<[u8; 16]>,
    /// New deliveries.
    pub entries: Vec<Entry>,
    /// News of deliveries, these or earlier ones.
    pub changes: Vec<Change>,
    /// What is added to the counts.
    pub counts: BTreeMap<CountKey, Counts>,
}

impl Batch {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.changes.is_empty() && self.counts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_read_back_and_nothing_else() {
        for good in ["", "US", "001"] {
            assert_eq!(Country::parse(good).unwrap().as_str(), good);
        }
        for bad in ["us", "USA", "002", "U", "U\u{e9}"] {
            assert_eq!(Country::parse(bad), None, "{bad}");
        }
        assert_eq!(Country::from(Region::WORLD).as_str(), "001");
    }
}
