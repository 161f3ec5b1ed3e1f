//! How every limit of a number stands, free of effects.

use super::State;
use super::standing::{check_at, number_guesses, resend_at, sends_left};
use crate::clock::Timestamp;
use crate::limits::{LimitName, Standing, gcra};
use crate::store::record::{PhoneService, VerificationRecord};
use crate::store::{InfoOutcome, InfoRequest, LimitStanding, Loaded, Rules, StoreError};

impl State {
    /// How the limits stand at `now`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if a record cannot be read.
    pub fn info(&self, request: &InfoRequest, now: Timestamp) -> Result<InfoOutcome, StoreError> {
        let now = self.view(now);
        let rules = &request.rules;
        let mut phone = self.phone(&request.phone)?;
        let service = phone.service_mut(request.service).clone();
        let mut limits = Vec::with_capacity(8);
        for (name, log, rate) in [
            (LimitName::SendsPerPhone, &service.sends, rules.sends_per_phone),
            (LimitName::SendsPerPhoneAllServices, &phone.sends, rules.sends_per_phone_all_services),
            (LimitName::FailedChecksPerPhone, &service.failures, rules.failed_checks_per_phone),
        ] {
            limits.push(LimitStanding { name, window: rate.window(), standing: log.peek(rate, now) });
        }
        for charge in &request.quotas {
            let standing = gcra::peek(self.quota(charge.key)?.tat, charge.rate, now);
            limits.push(LimitStanding { name: charge.name, window: charge.rate.window(), standing });
        }
        let pending = self.pending(&service, rules, now)?;
        if let Some(loaded) = &pending {
            limits.extend(within_verification(&loaded.record, rules, now));
        }
        let locked = number_guesses(&service, rules, now).retry_at.is_none() || self.newest(&service, now)?.is_err();
        Ok(InfoOutcome {
            at: now,
            limits,
            locked,
            failed_checks_in_a_row: service.failures_in_a_row,
            pending: pending.map(Box::new),
        })
    }

    fn pending(&self, service: &PhoneService, rules: &Rules, now: Timestamp) -> Result<Option<Loaded>, StoreError> {
        let Some(id) = service.verifications.last() else { return Ok(None) };
        let Some(record) = self.verification(id)? else { return Ok(None) };
        if Self::refuse_unless_pending(&record, now).is_err() {
            return Ok(None);
        }
        self.loaded(*id, record, rules, now).map(Some)
    }
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
