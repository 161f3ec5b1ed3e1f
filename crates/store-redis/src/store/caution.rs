//! The limits while counters may be incomplete: after a primary was lost, each window that reaches back to the loss allows half of
//! its count. The scripts decide by the same rule (`cautious` of `prelude.lua`).

use verifyd_core::clock::Timestamp;
use verifyd_core::limits::Rate;
use verifyd_core::store::Rules;

/// A rate as it counts at `now`, when something may be missing since `since`; the epoch stands for nothing.
pub(super) fn cautious(rate: Rate, since: Timestamp, now: Timestamp) -> Rate {
    if since == Timestamp::EPOCH || now >= since + rate.window() {
        return rate;
    }
    // Half of at least one, rounded up, is at least one and no more than it was.
    Rate::new(rate.count().div_ceil(2), rate.window()).unwrap_or(rate)
}

/// The rules as they count at `now`.
pub(super) fn cautious_rules(rules: &Rules, since: Timestamp, now: Timestamp) -> Rules {
    Rules {
        sends_per_phone: cautious(rules.sends_per_phone, since, now),
        sends_per_phone_all_services: cautious(rules.sends_per_phone_all_services, since, now),
        failed_checks_per_phone: cautious(rules.failed_checks_per_phone, since, now),
        ..rules.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_until_the_window_no_longer_reaches_the_loss() {
        let rate: Rate = "5/1h".parse().unwrap();
        let at = Timestamp::from_unix_ms;
        let lost = at(10_000_000);
        assert_eq!(cautious(rate, Timestamp::EPOCH, lost), rate);
        assert_eq!(cautious(rate, lost, at(10_000_000 + 3_599_999)).count(), 3);
        assert_eq!(cautious(rate, lost, at(10_000_000 + 3_600_000)), rate);
        assert_eq!(cautious("1/1h".parse().unwrap(), lost, lost).count(), 1);
    }
}
