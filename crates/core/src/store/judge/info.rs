//! How every limit of a number stands.

use super::standing::{check_at, number_guesses, resend_at, sends_left, standing};
use super::{Number, refuse_unless_pending, takes_start};
use crate::clock::Timestamp;
use crate::id::VerificationId;
use crate::limits::gcra::{self, Tat};
use crate::limits::{LimitName, Standing};
use crate::store::record::VerificationRecord;
use crate::store::{InfoOutcome, InfoRequest, LimitStanding, Loaded, Rules};

/// How the limits of a number stand at `now`. `quotas` are the states of the request's quotas, in their order; `newest` is the
/// newest verification of the number and service, if it is still there.
#[must_use]
pub fn info(
    request: &InfoRequest,
    number: Number<'_>,
    newest: Option<(VerificationId, VerificationRecord)>,
    quotas: &[Tat],
    now: Timestamp,
) -> InfoOutcome {
    let (rules, service) = (&request.rules, number.service);
    let mut limits = Vec::with_capacity(8);
    for (name, log, rate) in [
        (LimitName::SendsPerPhone, &service.sends, rules.sends_per_phone),
        (LimitName::SendsPerPhoneAllServices, number.all_services, rules.sends_per_phone_all_services),
        (LimitName::FailedChecksPerPhone, &service.failures, rules.failed_checks_per_phone),
    ] {
        limits.push(LimitStanding { name, window: rate.window(), standing: log.peek(rate, now) });
    }
    for (charge, tat) in request.quotas.iter().zip(quotas) {
        let standing = gcra::peek(*tat, charge.rate, now);
        limits.push(LimitStanding { name: charge.name, window: charge.rate.window(), standing });
    }
    let exhausted = newest.as_ref().is_some_and(|(_, record)| takes_start(record, now).is_err());
    let locked = number_guesses(service, rules, now).retry_at.is_none() || exhausted;
    let pending = newest.filter(|(_, record)| refuse_unless_pending(record, now).is_ok()).map(|(id, record)| {
        let standing = standing(&record, number, rules, now);
        Box::new(Loaded { at: now, id, record, standing })
    });
    if let Some(loaded) = &pending {
        limits.extend(within_verification(&loaded.record, rules, now));
    }
    InfoOutcome { at: now, limits, locked, failed_checks_in_a_row: service.failures_in_a_row, pending }
}

/// The limits inside a pending verification: a count that ends with it, and waiting times.
fn within_verification(record: &VerificationRecord, rules: &Rules, now: Timestamp) -> Vec<LimitStanding> {
    let life = record.expires_at.since(record.created_at);
    let count = |limit: u32, used: u32, remaining: u32, next: Option<Timestamp>| {
        let retry_at = if remaining == 0 { record.expires_at } else { next.unwrap_or(now).max(now) };
        Standing { limit, used, remaining, retry_at, reset_at: record.expires_at }
    };
    let sends_left = sends_left(record, rules);
    let checks_left = rules.checks_per_verification.saturating_sub(record.checks_used);
    let sends = count(rules.sends_per_verification, record.sends_used(), sends_left, resend_at(record, rules));
    let checks = count(rules.checks_per_verification, record.checks_used, checks_left, check_at(record, rules));
    let mut limits = vec![
        LimitStanding { name: LimitName::SendsPerVerification, window: life, standing: sends },
        LimitStanding { name: LimitName::ChecksPerVerification, window: life, standing: checks },
    ];
    for (name, at, last) in [
        (LimitName::ResendDelay, resend_at(record, rules), record.last_send_at()),
        (LimitName::CheckDelay, check_at(record, rules), record.last_check_at),
    ] {
        if let Some(at) = at {
            let waiting = u32::from(at > now);
            let standing = Standing {
                limit: 1,
                used: waiting,
                remaining: 1 - waiting,
                retry_at: at.max(now),
                reset_at: at.max(now),
            };
            limits.push(LimitStanding { name, window: at.since(last.unwrap_or(now)), standing });
        }
    }
    limits
}
