//! A guess: counted first, compared after, approved at most once, all in one step.

use super::State;
use crate::clock::Timestamp;
use crate::id::VerificationId;
use crate::keys::CodeDigest;
use crate::store::judge::{self, Number};
use crate::store::record::{CodeSecret, Status, VerificationRecord};
use crate::store::{CheckOutcome, CheckRequest, GuessTarget, Loaded, Refusal, StoreError};

impl State {
    /// Counts a guess and compares it, or refuses and counts nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the state cannot decide.
    pub fn check(&mut self, check: &CheckRequest, now: Timestamp) -> Result<CheckOutcome, StoreError> {
        let now = self.observe(now)?;
        let refused = |refusal| Ok(CheckOutcome::Refused { at: now, refusal });
        if let Some(before) = self.compared_before(check, now)? {
            return Ok(before);
        }
        let Some((id, mut record)) = self.target_of(check)? else { return refused(Refusal::NotFound) };
        let mut phone = self.phone(&record.phone)?;
        if let Err(refusal) = judge::check(check, &record, phone.service_mut(check.service), now) {
            return refused(refusal);
        }
        let right = compare(check, &record);
        record.checks_used += 1;
        record.last_check_at = Some(now);
        record.last_check_by = check.request;
        let service = phone.service_mut(check.service);
        if right {
            service.failures_in_a_row = 0;
            record.end(Status::Approved { at: now }).map_err(|_ended| StoreError::Corrupt("an ended verification"))?;
        } else {
            service.failures.take(check.rules.failed_checks_per_phone, now);
            service.failures_in_a_row = service.failures_in_a_row.saturating_add(1);
            service.last_failure_at = Some(now);
            if record.checks_used >= check.rules.checks_per_verification {
                record
                    .end(Status::MaxAttemptsReached { at: now })
                    .map_err(|_ended| StoreError::Corrupt("an ended verification"))?;
            }
        }
        let service = service.clone();
        let number = Number { all_services: &phone.sends, service: &service };
        let standing = judge::standing(&record, number, &check.rules, now);
        self.put_verification(&id, &record)?;
        let counters_until = if right { now } else { now + check.rules.failed_checks_per_phone.window() };
        self.put_phone(&record.phone, phone, counters_until)?;
        let loaded = Box::new(Loaded { at: now, id, record, standing });
        Ok(if right { CheckOutcome::Approved(loaded) } else { CheckOutcome::Wrong(loaded) })
    }

    fn target_of(&self, check: &CheckRequest) -> Result<Option<(VerificationId, VerificationRecord)>, StoreError> {
        let id = match check.target {
            GuessTarget::Id(id) => Some(id),
            GuessTarget::Number { phone, .. } => {
                self.phone(&phone)?.service(check.service).and_then(|service| service.verifications.last().copied())
            }
        };
        let Some(id) = id else { return Ok(None) };
        let meant = |record: &VerificationRecord| match check.target {
            GuessTarget::Id(_) => true,
            GuessTarget::Number { number, .. } => record.number == number,
        };
        let record = self.verification(&id)?.filter(|record| record.service == check.service && meant(record));
        Ok(record.map(|record| (id, record)))
    }
}

fn compare(check: &CheckRequest, record: &VerificationRecord) -> bool {
    let stored = |secret: &CodeSecret| -> CodeDigest {
        match check.target {
            GuessTarget::Id(_) => secret.by_id,
            GuessTarget::Number { .. } => secret.by_number,
        }
    };
    let Some(stored) = record.secret.as_ref().map(stored) else { return false };
    check.digests.iter().any(|tagged| tagged.key == record.key && tagged.digest.matches(&stored))
}
