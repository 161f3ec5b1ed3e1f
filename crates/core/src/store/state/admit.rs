//! Admission: every limit or none, and the verification that gets the send.

use smallvec::SmallVec;

use super::{MAX_VERIFICATIONS_PER_PHONE, State};
use crate::clock::Timestamp;
use crate::id::{ServiceId, VerificationId};
use crate::keys::PhoneHash;
use crate::limits::gcra::{self, Tat};
use crate::sender::DeliveryStatus;
use crate::store::judge::{self, Number};
use crate::store::record::{
    CodeSecret, DeliveryRecord, PhoneRecord, PhoneService, QuotaRecord, Status, VerificationRecord,
};
use crate::store::{Admission, AdmitOutcome, Admitted, Loaded, NewVerification, Refusal, SendTarget, StoreError};

impl State {
    /// Spends every limit and admits one send, or refuses and spends nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the state cannot decide: the clock went back, no room, or a damaged record.
    pub fn admit(&mut self, admission: &Admission, now: Timestamp) -> Result<AdmitOutcome, StoreError> {
        let now = self.observe(now)?;
        let refused = |refusal| Ok(AdmitOutcome::Refused { at: now, refusal });
        if let Some(before) = self.admitted_before(admission, now)? {
            return Ok(AdmitOutcome::Repeated(Box::new(before)));
        }
        let (phone_hash, found) = match &admission.target {
            SendTarget::Start { phone, .. } => (*phone, None),
            SendTarget::Resend { id } => match self.verification(id)? {
                Some(record) if record.service == admission.service => (record.phone, Some((*id, record))),
                _ => return refused(Refusal::NotFound),
            },
        };
        let mut phone = self.phone(&phone_hash)?;
        let service = phone.service_mut(admission.service).clone();
        let current = match found {
            Some((id, record)) => match judge::refuse_unless_pending(&record, now) {
                Ok(()) => Some((id, record)),
                Err(refusal) => return refused(refusal),
            },
            None => match self.newest(&service, now)? {
                Ok(current) => current,
                Err(refusal) => return refused(refusal),
            },
        };
        let quotas = admission.quotas.iter().map(|charge| Ok(self.quota(charge.key)?.tat));
        let quotas = quotas.collect::<Result<SmallVec<[Tat; 3]>, StoreError>>()?;
        let number = Number { all_services: &phone.sends, service: &service };
        if let Err(refusal) = judge::send(admission, number, current.as_ref().map(|(_, record)| record), &quotas, now) {
            return refused(refusal);
        }
        self.refuse_if_full(admission, &phone_hash, current.is_some())?;
        let admitted = self.spend(admission, phone_hash, phone, current, now)?;
        Ok(AdmitOutcome::Admitted(Box::new(admitted)))
    }

    /// The pending verification of a number and service; or the refusal while one is exhausted and not yet over.
    pub(super) fn newest(
        &self,
        service: &PhoneService,
        now: Timestamp,
    ) -> Result<Result<Option<(VerificationId, VerificationRecord)>, Refusal>, StoreError> {
        let Some(id) = service.verifications.last() else { return Ok(Ok(None)) };
        let Some(record) = self.verification(id)? else { return Ok(Ok(None)) };
        Ok(judge::takes_start(&record, now).map(|takes| takes.then_some((*id, record))))
    }

    /// Refuses what needs room that is not there: each record that would be new. Nothing is evicted to make room.
    fn refuse_if_full(&self, admission: &Admission, phone: &PhoneHash, pending: bool) -> Result<(), StoreError> {
        let new_quotas =
            admission.quotas.iter().filter(|charge| !self.holds::<QuotaRecord>(*charge.key.as_bytes())).count();
        let needed = new_quotas + usize::from(!pending) + usize::from(!self.holds::<PhoneRecord>(*phone.as_bytes()));
        let max = self.options.max_records;
        if needed > 0 && self.len() + needed > max {
            return Err(StoreError::Full { max });
        }
        Ok(())
    }

    fn spend(
        &mut self,
        admission: &Admission,
        phone_hash: PhoneHash,
        mut phone: PhoneRecord,
        current: Option<(VerificationId, VerificationRecord)>,
        now: Timestamp,
    ) -> Result<Admitted, StoreError> {
        let rules = &admission.rules;
        for charge in &admission.quotas {
            let tat = gcra::take(self.quota(charge.key)?.tat, charge.rate, now);
            self.put(*charge.key.as_bytes(), &QuotaRecord::new(tat, charge.rate), gcra::free_at(tat))?;
        }
        phone.sends.take(rules.sends_per_phone_all_services, now);
        let service = phone.service_mut(admission.service);
        service.sends.take(rules.sends_per_phone, now);
        let current = match current {
            Some((id, mut other)) if !judge::is_for(admission, &other) => {
                other
                    .end(Status::Canceled { at: now })
                    .map_err(|_ended| StoreError::Corrupt("an ended verification"))?;
                self.put_verification(&id, &other)?;
                None
            }
            current => current,
        };
        let created = current.is_none();
        let mut forgotten = None;
        let (id, mut record) = match (current, &admission.target) {
            (Some(found), _) => found,
            (None, SendTarget::Start { new, .. }) => {
                if service.verifications.len() >= MAX_VERIFICATIONS_PER_PHONE {
                    forgotten = Some(service.verifications.remove(0));
                }
                service.verifications.push(new.id);
                (new.id, create(admission.service, phone_hash, new, admission.purpose, now))
            }
            (None, SendTarget::Resend { .. }) => return Err(StoreError::Corrupt("a resend without a verification")),
        };
        record.deliveries.push(admitted_delivery(admission, now));
        let service = phone.service_mut(admission.service).clone();
        let number = Number { all_services: &phone.sends, service: &service };
        let standing = judge::standing(&record, number, rules, now);
        self.put_verification(&id, &record)?;
        let windows = rules.sends_per_phone.window().max(rules.sends_per_phone_all_services.window());
        let keep_until = (now + windows).max(record.expires_at + self.options.retention);
        self.put_phone(&phone_hash, phone, keep_until)?;
        if let Some(old) = forgotten {
            self.delete::<VerificationRecord>(*old.as_bytes());
        }
        Ok(Admitted { loaded: Loaded { at: now, id, record, standing }, created })
    }
}

fn create(
    service: ServiceId,
    phone: PhoneHash,
    new: &NewVerification,
    purpose: Option<[u8; 8]>,
    now: Timestamp,
) -> VerificationRecord {
    VerificationRecord {
        service,
        phone,
        number: new.number,
        created_at: now,
        expires_at: now + new.ttl,
        status: Status::Pending,
        code_digits: new.code_digits,
        key: new.key,
        secret: Some(CodeSecret { by_id: new.digest_by_id, by_number: new.digest_by_number, sealed: new.code.clone() }),
        identity: new.identity.clone(),
        purpose,
        locale: new.locale.as_str().into(),
        checks_used: 0,
        last_check_at: None,
        last_check_by: None,
        deliveries: Vec::with_capacity(1),
    }
}

fn admitted_delivery(admission: &Admission, now: Timestamp) -> DeliveryRecord {
    DeliveryRecord {
        id: admission.delivery,
        at: now,
        channel: admission.channel,
        status: DeliveryStatus::Unknown,
        settled: false,
        refunded: false,
        sender: Box::default(),
        message_id: None,
        segments: 0,
        price: None,
        error_code: None,
        request: admission.request,
    }
}
