//! The rest of a verification's life: settle a delivery, cancel, load, limits, forget, unlock.

use futures_util::future::try_join;
use smallvec::SmallVec;
use verifyd_core::clock::Timestamp;
use verifyd_core::id::{ServiceId, VerificationId};
use verifyd_core::keys::PhoneHash;
use verifyd_core::sender::DeliveryStatus;
use verifyd_core::store::judge;
use verifyd_core::store::{
    CancelOutcome, ForgetOutcome, InfoOutcome, InfoRequest, Loaded, Refusal, Rules, SettleRequest, Settlement,
    StoreError,
};

use super::answer::{Answer, STRANGE, Seen, What};
use super::decode::encode_details;
use super::quotas::Quotas;
use super::{DISAGREE, RedisStore, View, encode};

impl RedisStore {
    pub(super) async fn settle_send(&self, settle: &SettleRequest, now: Timestamp) -> Result<Settlement, StoreError> {
        let args = [
            settle.service.as_bytes().to_vec(),
            settle.delivery.as_bytes().to_vec(),
            encode::position(&DeliveryStatus::ALL, &settle.status),
            encode_details(settle)?,
            encode::integer(settle.refund),
        ];
        let key = self.keys.verification(&settle.id);
        let mut seen = Seen::of(self.on_number(&self.scripts.settle, &[key], args, now).await?)?;
        if seen.what == What::Absent {
            return Ok(Settlement::Ignored);
        }
        if settle.refund && !settle.quotas.is_empty() {
            self.give_back(&settle.quotas, settle.delivery, now).await;
        }
        let (id, record) = seen.verification.take().ok_or(STRANGE)?;
        let loaded = View::new(&seen, settle.service, &settle.rules).loaded(id, record);
        Ok(Settlement::Settled(Box::new(loaded)))
    }

    pub(super) async fn cancel_verification(
        &self,
        service: ServiceId,
        id: VerificationId,
        now: Timestamp,
    ) -> Result<CancelOutcome, StoreError> {
        let (key, args) = (self.keys.verification(&id), [service.as_bytes().to_vec()]);
        let seen = Seen::of(self.on_number(&self.scripts.cancel, &[key], args, now).await?)?;
        if seen.what == What::Absent {
            return Ok(CancelOutcome::Refused(Refusal::NotFound));
        }
        let (_, record) = seen.verification.ok_or(STRANGE)?;
        if seen.what == What::Done {
            return Ok(CancelOutcome::Canceled(Box::new(record)));
        }
        let refusal = judge::refuse_unless_pending(&record, seen.at).err().ok_or(DISAGREE)?;
        Ok(CancelOutcome::Refused(refusal))
    }

    pub(super) async fn load_verification(
        &self,
        service: ServiceId,
        id: VerificationId,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<Option<Loaded>, StoreError> {
        let (key, args) = (self.keys.verification(&id), ["id".into(), service.as_bytes().to_vec()]);
        let mut seen = Seen::of(self.on_number(&self.scripts.look, &[key], args, now).await?)?;
        let Some((id, record)) = seen.verification.take() else { return Ok(None) };
        Ok(Some(View::new(&seen, service, rules).loaded(id, record)))
    }

    pub(super) async fn info_of(&self, request: &InfoRequest, now: Timestamp) -> Result<InfoOutcome, StoreError> {
        let (mut seen, quotas) =
            try_join(self.look_at_number(&request.phone, request.service, now), self.looked_at(request, now)).await?;
        let newest = seen.verification.take();
        let view = View::new(&seen, request.service, &request.rules);
        let cautious = InfoRequest {
            rules: view.rules.clone(),
            quotas: SmallVec::from_vec(quotas.charges(&request.quotas)),
            ..request.clone()
        };
        Ok(judge::info(&cautious, view.number(), newest, &quotas.before(), seen.at))
    }

    async fn looked_at(&self, request: &InfoRequest, now: Timestamp) -> Result<Quotas, StoreError> {
        self.look_at(&request.quotas, now).await
    }

    /// A number, and the newest verification that a service has of it.
    pub(super) async fn look_at_number(
        &self,
        phone: &PhoneHash,
        service: ServiceId,
        now: Timestamp,
    ) -> Result<Seen, StoreError> {
        let (key, args) = (self.keys.number(phone), ["number".into(), service.as_bytes().to_vec()]);
        Seen::of(self.on_number(&self.scripts.look, &[key], args, now).await?)
    }

    pub(super) async fn forget_number(
        &self,
        service: Option<ServiceId>,
        phone: &PhoneHash,
        now: Timestamp,
    ) -> Result<ForgetOutcome, StoreError> {
        let service = service.map(|service| service.as_bytes().to_vec()).unwrap_or_default();
        let count = self.count_of(&self.scripts.forget, phone, service, now).await?;
        Ok(ForgetOutcome { verifications: usize::try_from(count).map_err(|_source| STRANGE)? })
    }

    pub(super) async fn unlock_number(
        &self,
        service: ServiceId,
        phone: &PhoneHash,
        now: Timestamp,
    ) -> Result<u32, StoreError> {
        let count = self.count_of(&self.scripts.unlock, phone, service.as_bytes().to_vec(), now).await?;
        u32::try_from(count).map_err(|_source| STRANGE)
    }

    /// What a script about a number answers that counts something.
    async fn count_of(
        &self,
        script: &crate::link::Script,
        phone: &PhoneHash,
        service: Vec<u8>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut answer = Answer::of(self.on_number(script, &[self.keys.number(phone)], [service], now).await?)?;
        answer.what()?;
        answer.instant()?;
        answer.integer()
    }
}
