//! Whether a send may be admitted.

use std::time::Duration;

use super::standing::{number_guesses, resend_at, sends_left};
use super::{Number, refuse_unless_pending};
use crate::clock::Timestamp;
use crate::keys::TaggedDigest;
use crate::limits::gcra::{self, Tat};
use crate::limits::{LimitName, Standing};
use crate::store::record::VerificationRecord;
use crate::store::{Admission, Refusal, SendTarget};

/// A limit that says no, and when it says yes again.
struct Denial {
    name: LimitName,
    standing: Standing,
    window: Duration,
}

/// Whether the newest verification of a number and service takes the send of a start, or a new one must be made; or the
/// refusal while one is exhausted and not yet over.
///
/// # Errors
/// The refusal.
pub fn takes_start(newest: &VerificationRecord, now: Timestamp) -> Result<bool, Refusal> {
    match refuse_unless_pending(newest, now) {
        Ok(()) => Ok(true),
        Err(refusal @ Refusal::MaxChecks { .. }) => Err(refusal),
        Err(_ended) => Ok(false),
    }
}

/// Every rule of an admission, in the order in which refusals are told: guesses, sends of the verification, limits. `quotas`
/// are the states of the admission's quotas, in their order; `current` is the verification that would take the send.
///
/// # Errors
/// The refusal.
pub fn send(
    admission: &Admission,
    number: Number<'_>,
    current: Option<&VerificationRecord>,
    quotas: &[Tat],
    now: Timestamp,
) -> Result<(), Refusal> {
    let rules = &admission.rules;
    if let Some(record) = current
        && is_for(admission, record)
        && conflicts(admission, record)
    {
        return Err(Refusal::Conflict);
    }
    if let Some(record) = current
        && record.checks_used >= rules.checks_per_verification
    {
        return Err(Refusal::MaxChecks { retry_at: Some(record.expires_at) });
    }
    let guesses = number_guesses(number.service, rules, now);
    if guesses.remaining == 0 {
        return Err(Refusal::MaxChecks { retry_at: guesses.retry_at });
    }
    let denials = denials(admission, number, current, quotas, now);
    let longest = denials.into_iter().max_by_key(|denial| denial.standing.retry_at);
    if let Some(record) = current
        && sends_left(record, rules) == 0
    {
        // Five sends within one verification fill the hour as well: at the instant that is told, a start must work.
        let limits_allow_at = longest.map_or(now, |denial| denial.standing.retry_at);
        return Err(Refusal::MaxSends { retry_at: record.expires_at.max(limits_allow_at) });
    }
    longest.map_or(Ok(()), |Denial { name, standing, window }| Err(Refusal::RateLimited { name, standing, window }))
}

fn denials(
    admission: &Admission,
    number: Number<'_>,
    current: Option<&VerificationRecord>,
    quotas: &[Tat],
    now: Timestamp,
) -> Vec<Denial> {
    let rules = &admission.rules;
    let mut denials = Vec::new();
    let mut consider = |name, standing: Standing, window| {
        if !standing.allowed() {
            denials.push(Denial { name, standing, window });
        }
    };
    if let Some(at) = current.and_then(|record| resend_at(record, rules)).filter(|at| *at > now) {
        let wait = Standing { limit: 1, used: 1, remaining: 0, retry_at: at, reset_at: at };
        let last = current.and_then(VerificationRecord::last_send_at).unwrap_or(now);
        consider(LimitName::ResendDelay, wait, at.since(last));
    }
    for (name, log, rate) in [
        (LimitName::SendsPerPhone, &number.service.sends, rules.sends_per_phone),
        (LimitName::SendsPerPhoneAllServices, number.all_services, rules.sends_per_phone_all_services),
    ] {
        consider(name, log.peek(rate, now), rate.window());
    }
    for (charge, tat) in admission.quotas.iter().zip(quotas) {
        consider(charge.name, gcra::peek(*tat, charge.rate, now), charge.rate.window());
    }
    denials
}

/// Whether a pending verification is for the very number that is started.
#[must_use]
pub fn is_for(admission: &Admission, record: &VerificationRecord) -> bool {
    match &admission.target {
        SendTarget::Start { new, .. } => new.number == record.number,
        SendTarget::Resend { .. } => true,
    }
}

fn conflicts(admission: &Admission, record: &VerificationRecord) -> bool {
    if admission.purpose.is_some() && admission.purpose != record.purpose {
        return true;
    }
    let SendTarget::Start { chosen_code: Some(digests), .. } = &admission.target else { return false };
    !same_code(digests, record)
}

fn same_code(digests: &[TaggedDigest], record: &VerificationRecord) -> bool {
    let Some(secret) = &record.secret else { return false };
    digests.iter().any(|tagged| tagged.key == record.key && tagged.digest.matches(&secret.by_number))
}
