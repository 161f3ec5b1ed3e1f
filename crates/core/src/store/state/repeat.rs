//! Requests that come again because their answer was lost: what they did is found where they did it.
//!
//! This holds where a kept reply cannot: when the process ended between the decision and the reply. It lasts as long as the
//! verification is remembered, and no longer than a reply is kept: after that the key is free for another request.

use smallvec::{SmallVec, smallvec};

use super::State;
use crate::clock::Timestamp;
use crate::id::{ServiceId, VerificationId};
use crate::keys::PhoneHash;
use crate::store::record::{DeliveryRecord, Status, VerificationRecord};
use crate::store::{Admission, Admitted, CheckOutcome, CheckRequest, GuessTarget, REPLY_KEPT, SendTarget, StoreError};

/// Newest first.
type Ids = SmallVec<[VerificationId; 4]>;

impl State {
    /// The verification that this very request has already had a send admitted for, if there is one.
    pub(super) fn admitted_before(
        &self,
        admission: &Admission,
        now: Timestamp,
    ) -> Result<Option<Admitted>, StoreError> {
        let Some(request) = admission.request else { return Ok(None) };
        let ids: Ids = match &admission.target {
            SendTarget::Start { phone, .. } => self.verifications_of(admission.service, phone)?,
            SendTarget::Resend { id } => smallvec![*id],
        };
        for id in ids {
            let record = self.verification(&id)?.filter(|record| record.service == admission.service);
            let Some(record) = record else { continue };
            let asked = |delivery: &DeliveryRecord| delivery.request == Some(request) && now < delivery.at + REPLY_KEPT;
            if let Some(position) = record.deliveries.iter().position(asked) {
                let loaded = self.loaded(id, record, &admission.rules, now)?;
                return Ok(Some(Admitted { loaded, created: position == 0 }));
            }
        }
        Ok(None)
    }

    /// What this very request was answered if its guess was the last to be compared.
    pub(super) fn compared_before(
        &self,
        check: &CheckRequest,
        now: Timestamp,
    ) -> Result<Option<CheckOutcome>, StoreError> {
        let Some(request) = check.request else { return Ok(None) };
        let ids: Ids = match &check.target {
            GuessTarget::Id(id) => smallvec![*id],
            GuessTarget::Number { phone, .. } => self.verifications_of(check.service, phone)?,
        };
        for id in ids {
            let record = self.verification(&id)?.filter(|record| record.service == check.service);
            let asked = |record: &VerificationRecord| {
                let lately = record.last_check_at.is_some_and(|at| now < at + REPLY_KEPT);
                lately && record.last_check_by == Some(request)
            };
            let Some(record) = record.filter(asked) else { continue };
            // Nothing is compared after an approval, so the last guess of an approved verification is the right one.
            let right = matches!(record.status, Status::Approved { .. });
            let loaded = Box::new(self.loaded(id, record, &check.rules, now)?);
            return Ok(Some(if right { CheckOutcome::Approved(loaded) } else { CheckOutcome::Wrong(loaded) }));
        }
        Ok(None)
    }

    fn verifications_of(&self, service: ServiceId, phone: &PhoneHash) -> Result<Ids, StoreError> {
        let phone = self.phone(phone)?;
        Ok(phone.service(service).into_iter().flat_map(|entry| entry.verifications.iter().rev().copied()).collect())
    }
}
