//! A store and a sender that count what passes through them: the only place where their time is taken.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use verifyd_core::clock::Timestamp;
use verifyd_core::code::VerificationCode;
use verifyd_core::id::{ServiceId, VerificationId};
use verifyd_core::keys::PhoneHash;
use verifyd_core::phone_number::PhoneNumber;
use verifyd_core::sender::{Message, Receipt, SendError, Sender};
use verifyd_core::store::{
    Admission, AdmitOutcome, BegunReply, CancelOutcome, CheckOutcome, CheckRequest, FinishReply, ForgetOutcome,
    InfoOutcome, InfoRequest, Loaded, ReplyRequest, Rules, SettleRequest, Settlement, Store, StoreError,
};

use crate::metrics::Metrics;

/// A store whose verbs are timed.
#[derive(Debug)]
pub struct MeteredStore {
    inner: Arc<dyn Store>,
    metrics: Arc<Metrics>,
}

impl MeteredStore {
    /// `inner`, counted in `metrics`.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, metrics: Arc<Metrics>) -> Self {
        Self { inner, metrics }
    }

    async fn timed<T>(
        &self,
        verb: &'static str,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let result = work.await;
        self.metrics.stored(verb, began.elapsed(), result.as_ref().err().map(StoreError::code));
        result
    }
}

#[async_trait]
impl Store for MeteredStore {
    async fn admit(&self, admission: Admission, now: Timestamp) -> Result<AdmitOutcome, StoreError> {
        self.timed("admit", self.inner.admit(admission, now)).await
    }

    async fn check(&self, check: CheckRequest, now: Timestamp) -> Result<CheckOutcome, StoreError> {
        self.timed("check", self.inner.check(check, now)).await
    }

    async fn settle(&self, settle: SettleRequest, now: Timestamp) -> Result<Settlement, StoreError> {
        self.timed("settle", self.inner.settle(settle, now)).await
    }

    async fn cancel(
        &self,
        service: ServiceId,
        id: VerificationId,
        now: Timestamp,
    ) -> Result<CancelOutcome, StoreError> {
        self.timed("cancel", self.inner.cancel(service, id, now)).await
    }

    async fn load(
        &self,
        service: ServiceId,
        id: VerificationId,
        rules: Rules,
        now: Timestamp,
    ) -> Result<Option<Loaded>, StoreError> {
        self.timed("load", self.inner.load(service, id, rules, now)).await
    }

    async fn info(&self, request: InfoRequest, now: Timestamp) -> Result<InfoOutcome, StoreError> {
        self.timed("info", self.inner.info(request, now)).await
    }

    async fn forget(
        &self,
        service: Option<ServiceId>,
        phone: PhoneHash,
        now: Timestamp,
    ) -> Result<ForgetOutcome, StoreError> {
        self.timed("forget", self.inner.forget(service, phone, now)).await
    }

    async fn unlock(&self, service: ServiceId, phone: PhoneHash, now: Timestamp) -> Result<u32, StoreError> {
        self.timed("unlock", self.inner.unlock(service, phone, now)).await
    }

    async fn begin_reply(&self, request: ReplyRequest, now: Timestamp) -> Result<BegunReply, StoreError> {
        self.timed("begin_reply", self.inner.begin_reply(request, now)).await
    }

    async fn finish_reply(&self, finish: FinishReply, now: Timestamp) -> Result<(), StoreError> {
        self.timed("finish_reply", self.inner.finish_reply(finish, now)).await
    }

    async fn abandon_reply(&self, request: ReplyRequest) -> Result<(), StoreError> {
        self.timed("abandon_reply", self.inner.abandon_reply(request)).await
    }

    async fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.timed("purge", self.inner.purge(now)).await
    }

    async fn accept_clock(&self, now: Timestamp) -> Result<(), StoreError> {
        self.timed("accept_clock", self.inner.accept_clock(now)).await
    }

    async fn ready(&self, now: Timestamp) -> Result<(), StoreError> {
        self.inner.ready(now).await
    }
}

/// A sender whose sends are counted and timed.
#[derive(Debug)]
pub struct MeteredSender {
    inner: Arc<dyn Sender>,
    metrics: Arc<Metrics>,
}

impl MeteredSender {
    /// `inner`, counted in `metrics`.
    #[must_use]
    pub fn new(inner: Arc<dyn Sender>, metrics: Arc<Metrics>) -> Self {
        Self { inner, metrics }
    }
}

#[async_trait]
impl Sender for MeteredSender {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn stays_here(&self) -> bool {
        self.inner.stays_here()
    }

    fn covers(&self, to: &PhoneNumber, now: Timestamp) -> bool {
        self.inner.covers(to, now)
    }

    fn fixed_code(&self, to: &PhoneNumber) -> Option<VerificationCode> {
        self.inner.fixed_code(to)
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let began = Instant::now();
        let result = self.inner.send(message).await;
        let outcome = result.as_ref().map_or_else(|error| error.kind.as_str(), |receipt| receipt.status.as_str());
        self.metrics.sent(self.inner.name(), outcome, began.elapsed());
        result
    }
}
