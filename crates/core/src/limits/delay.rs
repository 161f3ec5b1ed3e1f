//! Escalating waiting times between sends (or checks) of one verification.

use std::time::Duration;

use crate::clock::Timestamp;

/// When the next is allowed after `used` of them, the last at `last`: the k-th delay of `delays` follows the k-th use, the
/// last one repeats, an empty list means no waiting.
#[must_use]
pub fn next_at(delays: &[Duration], used: u32, last: Option<Timestamp>) -> Option<Timestamp> {
    let index = used.checked_sub(1)? as usize;
    let delay = delays.get(index).or_else(|| delays.last())?;
    last.map(|last| last + *delay)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_escalate_and_the_last_repeats() {
        let delays = [Duration::from_secs(30), Duration::from_secs(60)];
        let last = Some(Timestamp::from_unix_ms(1_000));
        let wait = |used| next_at(&delays, used, last).map(Timestamp::unix_ms);
        assert_eq!([wait(0), wait(1), wait(2), wait(3)], [None, Some(31_000), Some(61_000), Some(61_000)]);
        assert_eq!(next_at(&[], 3, last), None);
    }
}
