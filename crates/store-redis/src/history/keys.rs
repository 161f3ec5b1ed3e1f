//! How the keys of the history are called, and for how long each is kept.
//!
//! | key | holds | kept |
//! |---|---|---|
//! | `<prefix>:{h:<hour>:<service>}:e` | entries of the hour and service, and their news | retention |
//! | `<prefix>:{h:<hour>:<service>}:o` | their order | retention |
//! | `<prefix>:{h:<hour>:<service>}:c` | the counts of the hour and service | retention of counts |
//! | `<prefix>:{h:<hour>:<service>}:b:<batch>` | that the counts of a batch are in | an hour |
//! | `<prefix>:{h:<hour>}:s` | the services that have any of these | retention of counts |
//! | `<prefix>:{hp:<byte>}:<day>` | by keyed hash of the number: where its entries of a day are | retention |
//!
//! The byte is the first of the hash, so that a verification's id, which begins with two bytes of it, leads there, too. Every key is
//! kept two hours longer than what is in it, because the clocks of nodes differ; what is past its time is not shown.

use std::time::Duration;

use verifyd_core::clock::Timestamp;
use verifyd_core::history::{EntryKey, Hour};
use verifyd_core::id::{DeliveryId, ServiceId};
use verifyd_core::keys::PhoneHash;

/// What clocks may differ by.
const SLACK: Duration = Duration::from_secs(2 * 3600);
const DAY_MS: u64 = 86_400_000;

/// The history of one service in one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Bucket {
    pub(super) hour: Hour,
    pub(super) service: ServiceId,
}

impl Bucket {
    pub(super) fn of(place: &EntryKey) -> Self {
        Self { hour: Hour::of(place.at), service: place.service }
    }

    pub(super) fn key(&self, prefix: &str, kind: &str) -> Vec<u8> {
        format!("{prefix}:{{h:{}:{}}}:{kind}", self.hour.0, self.service).into_bytes()
    }

    pub(super) fn guard(&self, prefix: &str, batch: Option<[u8; 16]>) -> Vec<u8> {
        self.key(prefix, &format!("b:{:032x}", u128::from_be_bytes(batch.unwrap_or_default())))
    }
}

/// The services of an hour.
pub(super) fn services(prefix: &str, hour: Hour) -> Vec<u8> {
    format!("{prefix}:{{h:{}}}:s", hour.0).into_bytes()
}

/// A day, of UTC.
pub(super) const fn day(at: Timestamp) -> u64 {
    at.unix_ms() / DAY_MS
}

/// The index of numbers whose hash begins with `byte`.
pub(super) fn numbers(prefix: &str, byte: u8, day: u64) -> Vec<u8> {
    format!("{prefix}:{{hp:{byte:02x}}}:{day}").into_bytes()
}

/// Seconds to keep what was made in the hour or day that begins at `start` and is `span` long.
pub(super) fn seconds(start: Timestamp, span: Duration, kept: Duration, now: Timestamp) -> Vec<u8> {
    let until = start + span + kept + SLACK;
    until.since(now).as_secs().max(1).to_string().into_bytes()
}

/// The beginning of a day.
pub(super) const fn day_start(day: u64) -> Timestamp {
    Timestamp::from_unix_ms(day.saturating_mul(DAY_MS))
}

/// An entry's place in the order of its bucket: 8 bytes of time, 16 of id.
pub(super) fn place(at: Timestamp, id: DeliveryId) -> Vec<u8> {
    [&at.unix_ms().to_be_bytes()[..], id.as_bytes()].concat()
}

/// Reads what [`place`] wrote.
pub(super) fn read_place(bytes: &[u8]) -> Option<(Timestamp, DeliveryId)> {
    let (at, id) = bytes.split_first_chunk::<8>()?;
    Some((Timestamp::from_unix_ms(u64::from_be_bytes(*at)), DeliveryId::from_bytes(id.try_into().ok()?)))
}

/// A member of an index of numbers: hash, place, service.
pub(super) fn number_member(phone: &PhoneHash, place_of: &EntryKey) -> Vec<u8> {
    [&phone.as_bytes()[..], &place(place_of.at, place_of.id), place_of.service.as_bytes()].concat()
}

/// Reads what [`number_member`] wrote.
pub(super) fn read_number_member(bytes: &[u8]) -> Option<EntryKey> {
    let (_phone, rest) = bytes.split_first_chunk::<16>()?;
    let (at_id, service) = rest.split_first_chunk::<24>()?;
    let (at, id) = read_place(at_id)?;
    Some(EntryKey { at, id, service: ServiceId::from_bytes(service.try_into().ok()?) })
}

/// A field of an entry's hash.
pub(super) fn field(kind: u8, id: DeliveryId) -> Vec<u8> {
    [&[kind][..], id.as_bytes()].concat()
}
