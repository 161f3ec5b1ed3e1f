//! What the owner of a verification may do next, and how many guesses a number has left: shared by every verb's answer.

use super::Number;
use crate::clock::Timestamp;
use crate::limits::delay;
use crate::store::record::{PhoneService, Status, VerificationRecord};
use crate::store::state::MAX_DELIVERIES;
use crate::store::{Rules, VerificationStanding};

/// Guesses left for a number and service.
#[derive(Clone, Copy, Debug)]
pub(super) struct NumberGuesses {
    /// How many wrong ones are still allowed.
    pub(super) remaining: u32,
    /// When there is one again if there is none now; `None` if only an unlock helps.
    pub(super) retry_at: Option<Timestamp>,
}

pub(super) fn number_guesses(service: &PhoneService, rules: &Rules, now: Timestamp) -> NumberGuesses {
    let in_a_row = rules.failed_checks_in_a_row.saturating_sub(service.failures_in_a_row);
    let window = service.failures.peek(rules.failed_checks_per_phone, now);
    NumberGuesses { remaining: in_a_row.min(window.remaining), retry_at: (in_a_row > 0).then_some(window.retry_at) }
}

/// The waiting time before the next send of a verification, if there is one. It binds only that verification, so it ends
/// with its life at the latest.
pub(super) fn resend_at(record: &VerificationRecord, rules: &Rules) -> Option<Timestamp> {
    let at = delay::next_at(&rules.resend_delays, record.sends_used(), record.last_send_at())?;
    Some(at.min(record.expires_at))
}

/// Sends left within a verification, by its limit and by the bound on its size.
pub(super) fn sends_left(record: &VerificationRecord, rules: &Rules) -> u32 {
    let room = u32::try_from(MAX_DELIVERIES.saturating_sub(record.deliveries.len())).unwrap_or(0);
    rules.sends_per_verification.saturating_sub(record.sends_used()).min(room)
}

/// The waiting time before the next check of a verification, if there is one.
pub(super) fn check_at(record: &VerificationRecord, rules: &Rules) -> Option<Timestamp> {
    delay::next_at(&rules.check_delays, record.checks_used, record.last_check_at)
}

/// How a verification stands at `now`.
#[must_use]
pub fn standing(
    record: &VerificationRecord,
    number: Number<'_>,
    rules: &Rules,
    now: Timestamp,
) -> VerificationStanding {
    let sends_per_phone = number.service.sends.peek(rules.sends_per_phone, now);
    let all_services = number.all_services.peek(rules.sends_per_phone_all_services, now);
    let number = number_guesses(number.service, rules, now);
    let alive = now < record.expires_at;
    let pending = alive && record.status == Status::Pending;
    let exhausted = alive && matches!(record.status, Status::MaxAttemptsReached { .. });
    let own_checks = rules.checks_per_verification.saturating_sub(record.checks_used);
    let checks_remaining = if pending { own_checks.min(number.remaining) } else { 0 };
    let sends_remaining = if pending { sends_left(record, rules) } else { 0 };

    let by_limits = sends_per_phone.retry_at.max(all_services.retry_at).max(now);
    let within = if pending && own_checks > 0 && sends_remaining > 0 {
        resend_at(record, rules).unwrap_or(now)
    } else {
        record.expires_at
    };
    let next_send_at =
        number.retry_at.filter(|_| pending || exhausted).map(|guess_at| by_limits.max(within).max(guess_at));
    let next_check_at = number
        .retry_at
        .filter(|_| pending && own_checks > 0)
        .map(|guess_at| guess_at.max(check_at(record, rules).unwrap_or(now)).max(now))
        .filter(|at| *at < record.expires_at);
    VerificationStanding {
        checks_remaining,
        sends_remaining,
        next_send_at,
        next_check_at,
        sends_per_phone,
        window: rules.sends_per_phone.window(),
    }
}
