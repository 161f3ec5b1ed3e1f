//! Whether a guess may be counted and compared.

use super::refuse_unless_pending;
use super::standing::{check_at, number_guesses};
use crate::clock::Timestamp;
use crate::limits::{LimitName, Standing};
use crate::store::record::{PhoneService, VerificationRecord};
use crate::store::{CheckRequest, Refusal};

/// What must hold before a guess may be counted.
///
/// # Errors
/// The refusal.
pub fn check(
    check: &CheckRequest,
    record: &VerificationRecord,
    service: &PhoneService,
    now: Timestamp,
) -> Result<(), Refusal> {
    refuse_unless_pending(record, now)?;
    if check.digits != record.code_digits {
        return Err(Refusal::WrongLength { digits: record.code_digits });
    }
    if !check.digests.iter().any(|tagged| tagged.key == record.key) {
        // The key that made this code is gone, so no guess can ever be right.
        return Err(Refusal::Expired);
    }
    if record.checks_used >= check.rules.checks_per_verification {
        return Err(Refusal::MaxChecks { retry_at: Some(record.expires_at) });
    }
    let guesses = number_guesses(service, &check.rules, now);
    if guesses.remaining == 0 {
        return Err(Refusal::MaxChecks { retry_at: guesses.retry_at });
    }
    match check_at(record, &check.rules) {
        Some(at) if at > now => Err(Refusal::RateLimited {
            name: LimitName::CheckDelay,
            standing: Standing { limit: 1, used: 1, remaining: 0, retry_at: at, reset_at: at },
            window: at.since(record.last_check_at.unwrap_or(now)),
        }),
        _ => Ok(()),
    }
}
