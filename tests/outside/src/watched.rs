//! A store: it wraps another one and counts what it is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use verifyd::clock::Timestamp;
use verifyd::keys::PhoneHash;
use verifyd::store::{
    Admission, AdmitOutcome, BegunReply, CancelOutcome, CheckOutcome, CheckRequest, FinishReply, ForgetOutcome, InfoOutcome,
    InfoRequest, Loaded, ReplyRequest, SettleRequest, Settlement, Store, StoreError,
};
use verifyd::service::Rules;
use verifyd::{ServiceId, VerificationId};

/// Counts verbs.
#[derive(Debug)]
pub struct WatchedStore {
    inner: Arc<dyn Store>,
    asked: AtomicUsize,
}

impl WatchedStore {
    /// Watches `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, asked: AtomicUsize::new(0) }
    }

    /// How many verbs it was asked.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn watched(&self) -> &dyn Store {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.inner.as_ref()
    }
}

#[async_trait]
impl Store for WatchedStore {
    async fn admit(&self, admission: Admission, now: Timestamp) -> Result<AdmitOutcome, StoreError> {
        self.watched().admit(admission, now).await
    }

    async fn check(&self, check: CheckRequest, now: Timestamp) -> Result<CheckOutcome, StoreError> {
        self.watched().check(check, now).await
    }

    async fn settle(&self, settle: SettleRequest, now: Timestamp) -> Result<Settlement, StoreError> {
        self.watched().settle(settle, now).await
    }

    async fn cancel(&self, service: ServiceId, id: VerificationId, now: Timestamp) -> Result<CancelOutcome, StoreError> {
        self.watched().cancel(service, id, now).await
    }

    async fn load(
        &self,
        service: ServiceId,
        id: VerificationId,
        rules: Rules,
        now: Timestamp,
    ) -> Result<Option<Loaded>, StoreError> {
        self.watched().load(service, id, rules, now).await
    }

    async fn info(&self, request: InfoRequest, now: Timestamp) -> Result<InfoOutcome, StoreError> {
        self.watched().info(request, now).await
    }

    async fn forget(&self, service: Option<ServiceId>, phone: PhoneHash, now: Timestamp) -> Result<ForgetOutcome, StoreError> {
        self.watched().forget(service, phone, now).await
    }

    async fn unlock(&self, service: ServiceId, phone: PhoneHash, now: Timestamp) -> Result<u32, StoreError> {
        self.watched().unlock(service, phone, now).await
    }

    async fn begin_reply(&self, request: ReplyRequest, now: Timestamp) -> Result<BegunReply, StoreError> {
        self.watched().begin_reply(request, now).await
    }

    async fn finish_reply(&self, finish: FinishReply, now: Timestamp) -> Result<(), StoreError> {
        self.watched().finish_reply(finish, now).await
    }

    async fn abandon_reply(&self, request: ReplyRequest) -> Result<(), StoreError> {
        self.watched().abandon_reply(request).await
    }

    async fn purge(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.watched().purge(now).await
    }

    async fn accept_clock(&self, now: Timestamp) -> Result<(), StoreError> {
        self.watched().accept_clock(now).await
    }

    async fn ready(&self, now: Timestamp) -> Result<(), StoreError> {
        self.watched().ready(now).await
    }
}
