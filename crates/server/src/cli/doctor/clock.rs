//! The clock: whether it can be right, and whether the store has seen a later one.

use std::path::Path;
use std::time::Duration;

use verifyd_core::clock::Timestamp;

use super::Report;
use crate::cli::style::wait;
use crate::http::rfc3339;
use crate::wiring::examine::StoreReport;

const CHECK: &str = "clock";
/// 2026-01-01: before the first version of this program. A machine whose clock has not been set says 1970, or when it was made.
const FIRST_VERSION: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);
/// Present while systemd holds the clock to be synchronized.
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";
/// What stores bear of a clock that goes back; see `verifyd_core::store`.
const STEP_BACK: Duration = Duration::from_secs(300);

/// What can be said of the clock alone.
pub(super) fn now(report: &mut Report, now: Timestamp) {
    let at = rfc3339(now);
    if now < FIRST_VERSION {
        let message = format!("{at}: earlier than this program");
        return report.problem(
            CHECK,
            message,
            "set the clock, and let NTP keep it: timedatectl set-ntp true, or chrony",
        );
    }
    if Path::new(SYNCHRONIZED).exists() {
        report.fine(CHECK, format_args!("{at}, synchronized by NTP"));
    } else {
        report.fine(CHECK, format_args!("{at}; `timedatectl` or `chronyc tracking` tells whether NTP keeps it"));
    }
}

/// The clock against the latest instant of the store.
pub(super) fn against_store(report: &mut Report, store: &StoreReport) {
    let ahead = store.latest.since(store.now);
    if ahead > STEP_BACK {
        let message = format!(
            "{} is {} earlier than what the store has seen ({})",
            rfc3339(store.now),
            wait(ahead),
            rfc3339(store.latest)
        );
        let remedy = "mend the clock; if the present time is the right one, with the server stopped: verifyd doctor --accept-clock\n\
                      (what was pending is then void)";
        report.problem(CHECK, message, remedy);
    } else if !ahead.is_zero() {
        let message = format!("{} earlier than what the store has seen; it waits until the time has come", wait(ahead));
        report.warn(CHECK, message, "let NTP keep the clock; steps back of up to five minutes are borne");
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn store(latest_ms: u64, now_ms: u64) -> Vec<Level> {
        let mut report = Report::default();
        let at = Timestamp::from_unix_ms;
        let store =
            StoreReport { schema: 1, records: 0, bytes: 0, latest: at(latest_ms), now: at(now_ms), ready: Ok(()) };
        against_store(&mut report, &store);
        report.0.iter().map(|finding| finding.level).collect()
    }

    #[test]
    fn steps_back_are_borne_up_to_five_minutes() {
        assert_eq!(store(1_000_000, 1_000_000), []);
        assert_eq!(store(1_000_000, 2_000_000), []);
        assert_eq!(store(1_000_001, 1_000_000), [Level::Warning]);
        assert_eq!(store(1_300_000, 1_000_000), [Level::Warning]);
        assert_eq!(store(1_300_001, 1_000_000), [Level::Problem]);
    }

    #[test]
    fn a_clock_that_was_never_set_is_told() {
        for (ms, level) in [(0, Level::Problem), (FIRST_VERSION.unix_ms(), Level::Fine)] {
            let mut report = Report::default();
            now(&mut report, Timestamp::from_unix_ms(ms));
            assert_eq!(report.0[0].level, level, "{ms}");
        }
    }
}
