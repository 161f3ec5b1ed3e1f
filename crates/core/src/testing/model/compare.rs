//! The store's answers in the oracle's words, and what counts as the same answer.

use super::oracle::{Stand, Why};
use super::oracle_limits::Counted;
use crate::clock::Timestamp;
use crate::limits::Standing;
use crate::store::{Loaded, Refusal, StoreError};
use crate::verification::VerificationStatus;

/// Both sides agree, or what differs.
pub(super) type Verdict = Result<(), String>;

pub(super) fn ms(at: Timestamp) -> u64 {
    at.unix_ms()
}

pub(super) fn counted(standing: &Standing) -> Counted {
    Counted {
        used: standing.used.into(),
        remaining: standing.remaining.into(),
        retry_at: ms(standing.retry_at),
        reset_at: ms(standing.reset_at),
    }
}

pub(super) fn seen_why(refusal: &Refusal) -> Why {
    match refusal {
        Refusal::NotFound => Why::NotFound,
        Refusal::AlreadyApproved => Why::AlreadyApproved,
        Refusal::Canceled => Why::Canceled,
        Refusal::Expired => Why::Expired,
        Refusal::Failed => Why::Failed,
        Refusal::Conflict => Why::Conflict,
        Refusal::WrongLength { .. } => Why::WrongLength,
        Refusal::MaxChecks { retry_at } => Why::MaxChecks(retry_at.map(ms)),
        Refusal::MaxSends { retry_at } => Why::MaxSends(ms(*retry_at)),
        Refusal::RateLimited { name, standing, .. } => Why::Limited(vec![*name], ms(standing.retry_at)),
    }
}

pub(super) fn seen_stand(loaded: &Loaded) -> Stand {
    Stand {
        at: ms(loaded.at),
        status: VerificationStatus::of(loaded).as_str(),
        expires_at: ms(loaded.record.expires_at),
        deliveries: loaded.record.deliveries.len(),
        checks_remaining: loaded.standing.checks_remaining,
        sends_remaining: loaded.standing.sends_remaining,
        next_send_at: loaded.standing.next_send_at.map(ms),
        next_check_at: loaded.standing.next_check_at.map(ms),
        sends_per_phone: counted(&loaded.standing.sends_per_phone),
    }
}

pub(super) fn same<T: std::fmt::Debug + PartialEq>(what: &str, expected: &T, seen: &T) -> Verdict {
    if expected == seen { Ok(()) } else { Err(format!("{what}\n  expected {expected:?}\n  seen     {seen:?}")) }
}

pub(super) fn same_why(expected: &Why, seen: &Why) -> Verdict {
    match (expected, seen) {
        (Why::Limited(names, until), Why::Limited(name, seen_until))
            if until == seen_until && name.iter().all(|name| names.contains(name)) =>
        {
            Ok(())
        }
        _ => same("refusal", expected, seen),
    }
}

pub(super) fn clock_went_back<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> Verdict {
    match outcome {
        Err(StoreError::ClockWentBack) => Ok(()),
        other => Err(format!("the clock went back too far, and the store answered {other:?}")),
    }
}

pub(super) fn unexpected<T>(expected: &dyn std::fmt::Debug, seen: &dyn std::fmt::Debug) -> Result<T, String> {
    Err(format!("another kind of answer\n  expected {expected:?}\n  seen     {seen:?}"))
}
