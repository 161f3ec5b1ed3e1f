//! The rest of a verification's life: settle a delivery, cancel, load, forget, unlock.

use super::State;
use crate::clock::Timestamp;
use crate::id::{ServiceId, VerificationId};
use crate::keys::PhoneHash;
use crate::limits::gcra;
use crate::store::judge::{self, Number};
use crate::store::record::{QuotaRecord, Status, VerificationRecord};
use crate::store::{CancelOutcome, ForgetOutcome, Loaded, Refusal, Rules, SettleRequest, Settlement, StoreError};

impl State {
    /// Records how a send went, once, and gives limits back if asked to.
    ///
    /// # Errors
    /// [`StoreError`] if the state cannot decide.
    pub fn settle(&mut self, settle: &SettleRequest, now: Timestamp) -> Result<Settlement, StoreError> {
        let now = self.observe(now)?;
        let Some(mut record) = self.verification(&settle.id)?.filter(|record| record.service == settle.service) else {
            return Ok(Settlement::Ignored);
        };
        let Some(delivery) = record.deliveries.iter_mut().find(|d| d.id == settle.delivery && !d.settled) else {
            return Ok(Settlement::Ignored);
        };
        delivery.settled = true;
        delivery.status = settle.status;
        delivery.sender = settle.sender.into();
        delivery.message_id = settle.message_id.as_deref().map(Into::into);
        delivery.segments = settle.segments;
        delivery.price = settle.price.clone().map(Box::new);
        delivery.error_code = settle.error_code.as_deref().map(Into::into);
        delivery.refunded = settle.refund;
        if settle.status == crate::sender::DeliveryStatus::Failed {
            // Its request had no effect, and was told so: a repeat sends anew.
            delivery.request = None;
        }
        let admitted_at = delivery.at;
        if settle.refund {
            self.refund(settle, &record.phone, admitted_at, now)?;
        }
        let nothing_left =
            record.deliveries.iter().all(|d| d.settled && d.status == crate::sender::DeliveryStatus::Failed);
        if nothing_left && record.status == Status::Pending {
            record.end(Status::Failed { at: now }).map_err(|_ended| StoreError::Corrupt("an ended verification"))?;
        }
        self.put_verification(&settle.id, &record)?;
        self.loaded(settle.id, record, &settle.rules, now).map(|loaded| Settlement::Settled(Box::new(loaded)))
    }

    /// Gives back what was taken at `at`.
    fn refund(
        &mut self,
        settle: &SettleRequest,
        phone_hash: &PhoneHash,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for charge in &settle.quotas {
            if !self.holds::<QuotaRecord>(*charge.key.as_bytes()) {
                continue;
            }
            let tat = gcra::give_back(self.quota(charge.key)?.tat, charge.rate, at, now);
            self.put(*charge.key.as_bytes(), &QuotaRecord::new(tat, charge.rate), gcra::free_at(tat))?;
        }
        let mut phone = self.phone(phone_hash)?;
        phone.sends.give_back(at);
        phone.service_mut(settle.service).sends.give_back(at);
        self.put_phone(phone_hash, phone, at)
    }

    /// Ends a pending verification.
    ///
    /// # Errors
    /// [`StoreError`] if the state cannot decide.
    pub fn cancel(
        &mut self,
        service: ServiceId,
        id: &VerificationId,
        now: Timestamp,
    ) -> Result<CancelOutcome, StoreError> {
        let now = self.observe(now)?;
        let Some(mut record) = self.verification(id)?.filter(|record| record.service == service) else {
            return Ok(CancelOutcome::Refused(Refusal::NotFound));
        };
        if let Err(refusal) = judge::refuse_unless_pending(&record, now) {
            return Ok(CancelOutcome::Refused(refusal));
        }
        record.end(Status::Canceled { at: now }).map_err(|_ended| StoreError::Corrupt("an ended verification"))?;
        self.put_verification(id, &record)?;
        Ok(CancelOutcome::Canceled(Box::new(record)))
    }

    /// One verification of a service.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if a record cannot be read.
    pub fn load(
        &self,
        service: ServiceId,
        id: &VerificationId,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<Option<Loaded>, StoreError> {
        let now = self.view(now);
        let Some(record) = self.verification(id)?.filter(|record| record.service == service) else { return Ok(None) };
        self.loaded(*id, record, rules, now).map(Some)
    }

    pub(super) fn loaded(
        &self,
        id: VerificationId,
        record: VerificationRecord,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<Loaded, StoreError> {
        let mut phone = self.phone(&record.phone)?;
        let service = phone.service_mut(record.service).clone();
        let number = Number { all_services: &phone.sends, service: &service };
        let standing = judge::standing(&record, number, rules, now);
        Ok(Loaded { at: now, id, record, standing })
    }

    /// Erases the verifications of a number and its kept replies; its counters stay.
    ///
    /// # Errors
    /// [`StoreError`] if the state cannot decide.
    pub fn forget(
        &mut self,
        service: Option<ServiceId>,
        phone_hash: &PhoneHash,
        now: Timestamp,
    ) -> Result<ForgetOutcome, StoreError> {
        let now = self.observe(now)?;
        let mut phone = self.phone(phone_hash)?;
        let mut erased = Vec::new();
        for entry in phone.services.iter_mut().filter(|entry| service.is_none_or(|id| id == entry.service)) {
            erased.extend(entry.verifications.drain(..));
        }
        let mut verifications = 0;
        for id in &erased {
            verifications += usize::from(self.verification(id)?.is_some());
            self.delete::<VerificationRecord>(*id.as_bytes());
        }
        phone.forget(service, now);
        self.put_phone(phone_hash, phone, now)?;
        self.look_for_forgotten_replies();
        Ok(ForgetOutcome { verifications })
    }

    /// Resets the failures in a row of a number and service, and returns how many they were.
    ///
    /// # Errors
    /// [`StoreError`] if the state cannot decide.
    pub fn unlock(&mut self, service: ServiceId, phone_hash: &PhoneHash, now: Timestamp) -> Result<u32, StoreError> {
        let now = self.observe(now)?;
        let mut phone = self.phone(phone_hash)?;
        let before = phone.service(service).map_or(0, |entry| entry.failures_in_a_row);
        if before > 0 {
            phone.service_mut(service).failures_in_a_row = 0;
            self.put_phone(phone_hash, phone, now)?;
        }
        Ok(before)
    }
}
