//! The arguments of scripts that are more than one integer or one string of bytes.

use std::time::Duration;

use verifyd_core::clock::duration_ms;
use verifyd_core::keys::TaggedDigest;
use verifyd_core::limits::Rate;
use verifyd_core::store::{NewVerification, Rules};

fn push(bytes: &mut Vec<u8>, integer: u64, size: usize) {
    bytes.extend(integer.to_be_bytes().iter().skip(8 - size));
}

/// The rules, as `read_rules` of `records.lua` takes them apart.
pub(super) fn rules(rules: &Rules) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(46);
    let rate = |bytes: &mut Vec<u8>, rate: Rate| {
        push(bytes, rate.count().into(), 4);
        push(bytes, duration_ms(rate.window()), 6);
    };
    rate(&mut bytes, rules.sends_per_phone);
    rate(&mut bytes, rules.sends_per_phone_all_services);
    push(&mut bytes, rules.sends_per_verification.into(), 4);
    push(&mut bytes, rules.checks_per_verification.into(), 4);
    rate(&mut bytes, rules.failed_checks_per_phone);
    push(&mut bytes, rules.failed_checks_in_a_row.into(), 4);
    bytes
}

/// Waiting times, six bytes each.
pub(super) fn delays(delays: &[Duration]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(6 * delays.len());
    for delay in delays {
        push(&mut bytes, duration_ms(*delay), 6);
    }
    bytes
}

/// A code under several keys: four bytes of key and eight of digest each.
pub(super) fn digests(digests: &[TaggedDigest]) -> Vec<u8> {
    digests.iter().flat_map(|tagged| [&tagged.key.as_bytes()[..], tagged.digest.as_bytes()].concat()).collect()
}

/// What only a pending verification has.
pub(super) fn secret(new: &NewVerification) -> Vec<u8> {
    [new.digest_by_id.as_bytes().as_slice(), new.digest_by_number.as_bytes(), new.code.as_bytes()].concat()
}

/// An integer as scripts take it.
pub(super) fn integer(integer: impl Into<u64>) -> Vec<u8> {
    integer.into().to_string().into_bytes()
}

/// The position of a value in the list of all: how it is packed.
pub(super) fn position<T: PartialEq>(all: &[T], value: &T) -> Vec<u8> {
    integer(all.iter().position(|one| one == value).unwrap_or(all.len()) as u64)
}

/// Eight bytes, or none.
pub(super) fn digest(digest: Option<[u8; 8]>) -> Vec<u8> {
    digest.map(Vec::from).unwrap_or_default()
}
