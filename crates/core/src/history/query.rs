//! What a history is asked: pages of entries, sums of counts.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::HistoryError;
use super::counts::Counts;
use super::entry::{Country, Entry};
use super::table::{CountKey, Hour};
use crate::clock::Timestamp;
use crate::id::{DeliveryId, ServiceId, VerificationId};
use crate::keys::PhoneHash;
use crate::sender::{Channel, DeliveryStatus};

/// The most groups of an answer.
pub const MAX_GROUPS: usize = 10_000;

/// Which entries are asked for; what is `None` is not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of one tenant.
    pub service: Option<ServiceId>,
    /// Admitted at this instant or later.
    pub from: Option<Timestamp>,
    /// Admitted before this instant.
    pub until: Option<Timestamp>,
    /// To this country.
    pub country: Option<Country>,
    /// By this channel.
    pub channel: Option<Channel>,
    /// By this sender.
    pub sender: Option<String>,
    /// That stand so.
    pub status: Option<DeliveryStatus>,
    /// Of this verification.
    pub verification: Option<VerificationId>,
    /// To this line.
    pub phone: Option<PhoneHash>,
    /// Whether the right code came.
    pub approved: Option<bool>,
}

impl Filter {
    /// Whether `entry` is asked for.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        let place = &entry.place;
        self.service.is_none_or(|service| service == place.service)
            && self.from.is_none_or(|from| place.at >= from)
            && self.until.is_none_or(|until| place.at < until)
            && self.country.is_none_or(|country| country == entry.country)
            && self.channel.is_none_or(|channel| channel == entry.channel)
            && self.sender.as_deref().is_none_or(|sender| sender == &*entry.sender)
            && self.status.is_none_or(|status| status == entry.status)
            && self.verification.is_none_or(|verification| verification == entry.verification)
            && self.phone.is_none_or(|phone| phone == entry.phone)
            && self.approved.is_none_or(|approved| approved == entry.approved_at.is_some())
    }
}

/// A place between two entries: behind this one, on the way to the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When the last entry seen was admitted.
    pub at: Timestamp,
    /// Its id.
    pub id: DeliveryId,
}

impl Cursor {
    /// Behind `entry`.
    #[must_use]
    pub const fn after(entry: &Entry) -> Self {
        Self { at: entry.place.at, id: entry.place.id }
    }

    /// Before everything admitted at `at`: what comes next was admitted before that instant.
    #[must_use]
    pub const fn before(at: Timestamp) -> Self {
        Self { at, id: DeliveryId::from_bytes([0; 16]) }
    }
}

/// Text that is no [`Cursor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of a page")]
pub struct ParseCursorError;

impl fmt::Display for Cursor {
    /// 48 hex digits; to everybody else they mean nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:032x}", self.at.unix_ms(), u128::from_be_bytes(*self.id.as_bytes()))
    }
}

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, ParseCursorError> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 48 || !text.bytes().all(hex) {
            return Err(ParseCursorError);
        }
        let (at, id) = text.split_at_checked(16).ok_or(ParseCursorError)?;
        let at = u64::from_str_radix(at, 16).map_err(|_source| ParseCursorError)?;
        let id = u128::from_str_radix(id, 16).map_err(|_source| ParseCursorError)?;
        Ok(Self { at: Timestamp::from_unix_ms(at), id: DeliveryId::from_bytes(id.to_be_bytes()) })
    }
}

/// Asks for a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageQuery {
    /// Which entries.
    pub filter: Filter,
    /// Where the page before ended.
    pub after: Option<Cursor>,
    /// The most entries.
    pub limit: usize,
}

/// Some entries, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Where to go on; `None` if nothing older is asked for.
    pub next: Option<Cursor>,
}

/// A span of time by which counts are summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// An hour.
    Hour,
    /// A day, of UTC.
    Day,
}

/// What counts are told apart by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is told apart or not, whatever the others are")]
pub struct GroupBy {
    /// By time.
    pub period: Option<Period>,
    /// By tenant.
    pub service: bool,
    /// By country.
    pub country: bool,
    /// By sender.
    pub sender: bool,
    /// By channel.
    pub channel: bool,
}

/// Asks for sums of counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsQuery {
    /// Of one tenant.
    pub service: Option<ServiceId>,
    /// From this hour on.
    pub from: Hour,
    /// To the end of the hour before this one.
    pub until: Hour,
    /// To this country.
    pub country: Option<Country>,
    /// By this sender.
    pub sender: Option<String>,
    /// By this channel.
    pub channel: Option<Channel>,
    /// What is told apart.
    pub group: GroupBy,
}

impl StatsQuery {
    /// Whether the counts of `key` are asked for.
    #[must_use]
    pub fn matches(&self, key: &CountKey) -> bool {
        (self.from..self.until).contains(&key.hour)
            && self.service.is_none_or(|service| service == key.service)
            && self.country.is_none_or(|country| country == key.country)
            && self.sender.as_deref().is_none_or(|sender| sender == &*key.sender)
            && self.channel.is_none_or(|channel| channel == key.channel)
    }
}

/// What a group of counts has in common; `None` where it was not told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupKey {
    /// The beginning of its hour or day.
    pub start: Option<Timestamp>,
    /// Tenant.
    pub service: Option<ServiceId>,
    /// Country.
    pub country: Option<Country>,
    /// Sender.
    pub sender: Option<Box<str>>,
    /// Channel.
    pub channel: Option<Channel>,
}

/// Sums of counts by group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups(pub BTreeMap<GroupKey, Counts>);

impl Groups {
    /// Adds the counts of `key` if they are asked for.
    ///
    /// # Errors
    /// [`HistoryError::TooManyGroups`] if it would be one more than an answer may have.
    pub fn add(&mut self, query: &StatsQuery, key: &CountKey, counts: &Counts) -> Result<(), HistoryError> {
        if !query.matches(key) {
            return Ok(());
        }
        let group = query.group;
        let start = group.period.map(|period| match period {
            Period::Hour => key.hour.start(),
            Period::Day => Hour(key.hour.0 - key.hour.0 % 24).start(),
        });
        let group = GroupKey {
            start,
            service: group.service.then_some(key.service),
            country: group.country.then_some(key.country),
            sender: group.sender.then(|| key.sender.clone()),
            channel: group.channel.then_some(key.channel),
        };
        if self.0.len() >= MAX_GROUPS && !self.0.contains_key(&group) {
            return Err(HistoryError::TooManyGroups);
        }
        self.0.entry(group).or_default().add(counts);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_and_nothing_else_is_one() {
        let cursor = Cursor { at: Timestamp::from_unix_ms(1_795_000_000_123), id: DeliveryId::from_bytes([0xab; 16]) };
        let text = cursor.to_string();
        assert_eq!((text.len(), text.parse()), (48, Ok(cursor)));
        let short = text.get(1..).unwrap();
        for bad in ["", short, &text.to_uppercase(), &format!("+{short}"), &"é".repeat(24)] {
            assert_eq!(bad.parse::<Cursor>(), Err(ParseCursorError), "{bad}");
        }
    }
}
